#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/timefmt.h"

int fixture_setup(void **state)
{
        const char *base = getenv("TMPDIR");
        struct fixture *f = xcalloc(1, sizeof(*f));
        f->dir = xasprintf("%s/tare-engine.XXXXXX", base ? base : "/tmp");
        assert_non_null(mkdtemp(f->dir));
        _cleanup_free_ char *root = path_join(f->dir, "root"), *run = path_join(f->dir, "run");
        struct engine_options options = { .root = root, .run = run, .storage_driver = "vfs" };
        OK(engine_open(&options, &f->e, &err));
        *state = f;
        return 0;
}

int fixture_teardown(void **state)
{
        struct fixture *f = *state;
        if (f->e)
                engine_close(f->e);
        OK(tree_remove_at(AT_FDCWD, f->dir, &err));
        free(f->dir);
        free(f);
        return 0;
}

void id_of(char digit, char ret[65])
{
        memset(ret, digit, 64);
        ret[64] = '\0';
}

void row_put(struct fixture *f, struct container *c, const char *name)
{
        c->name = xstrdup(name);
        if (!c->image_id)
                c->image_id = xasprintf("sha256:%064d", 7);
        if (!c->created)
                c->created = time_now();
        if (!c->config.cmd)
                strv_push(&c->config.cmd, "true");
        OK(container_row_insert(f->e, c, &err));
}

void row_plain(struct fixture *f, char digit, const char *name)
{
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        id_of(digit, c.id);
        row_put(f, &c, name);
}

int running_make(struct fixture *f, const struct container *c, pid_t pid)
{
        struct container_status status = { .state = STATE_RUNNING, .pid = pid, .started = time_now() };
        _cleanup_free_ char *path = run_dir_path(f->e, c->id);
        OK(container_row_set_state(f->e, c->id, STATE_RUNNING, &err));
        OK(path_mkdirs(path, 0700, &err));
        _cleanup_close_ int run_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(run_dir >= 0);
        OK(container_status_write(run_dir, &status, &err));
        int lock = -1;
        OK(lock = monitor_lock(run_dir, &err));
        return lock;
}

void file_put(struct fixture *f, const char *path, const char *content)
{
        _cleanup_free_ char *full = path_join(f->dir, path);
        char *slash = strrchr(full, '/');
        *slash = '\0';
        OK(path_mkdirs(full, 0755, &err));
        *slash = '/';
        OK(file_write_at(AT_FDCWD, full, content, strlen(content), 0644, false, &err));
}

bool file_there(struct fixture *f, const char *path)
{
        _cleanup_free_ char *full = path_join(f->dir, path);
        return access(full, F_OK) == 0;
}

#include "e2e.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/proc.h"
#include "image/archive.h"
#include "oci/reference.h"

static int fail_pull(void *data, const char *name, const struct platform *platform, struct err *err)
{
        ((struct e2e *)data)->pulls++;
        return err_set(err, ERR_NOT_FOUND, "pull access denied for %s", name);
}

static int prepare(void *data, const char *id, struct oci_spec *spec, struct err *err)
{
        ((struct e2e *)data)->prepared++;
        return 0;
}

static int network(void *data, pid_t pid, int netns_fd, struct err *err)
{
        return 0;
}
static void done(void *data, const char *id)
{
        ((struct e2e *)data)->done++;
}

static void progress(void *data, const char *line)
{
        struct e2e *e = data;
        struct err err = ERR_INIT;
        buf_addf(&e->said, &err, "%s\n", line);
}

static void must_run(char *const *argv)
{
        struct err err = ERR_INIT;
        int status = 0;
        const struct proc_spawn spawn = {
                .path = argv[0], .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = 2
        };
        assert_int_equal(proc_run(&spawn, NULL, 0, NULL, &status, &err), 0);
        assert_int_equal(status, 0);
}

/* busybox with its applets as links, users, and some traps for COPY. */
static void make_base(struct e2e *e)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *script =
                xasprintf("set -e; mkdir -p %s/base && cd %s/base && mkdir -p bin etc tmp home/u existing && cp "
                          "\"$(command -v busybox)\" bin/busybox"
                          " && for a in sh ls cat echo true false test touch mkdir chmod chown rm ln id env stat "
                          "readlink sleep grep pwd sed find wc;"
                          " do ln -s busybox bin/$a; done; printf "
                          "'root:x:0:0::/root:/bin/sh\\nu:x:1000:1001::/home/u:/bin/sh\\n' > etc/passwd;"
                          " printf 'root:x:0:\\nug:x:1001:\\nother:x:1002:u\\n' > etc/group; ln -s /existing linkdir; "
                          "ln -s /../../../../escape out;"
                          " ln -s etc/linked linkfile; echo linked > etc/linked; chmod 1777 tmp; cd .. && tar -C base "
                          "-cf base.tar . ",
                          e->dir, e->dir);
        char *argv[] = { (char *)"/bin/sh", (char *)"-c", script, NULL };
        must_run(argv);
        _cleanup_free_ char *tar = xasprintf("%s/base.tar", e->dir);
        _cleanup_close_ int fd = open(tar, O_RDONLY | O_CLOEXEC);
        _cleanup_reference_ struct reference name = { 0 };
        _cleanup_image_ struct image image = { 0 };
        assert_int_equal(reference_parse("base", &name, &err), 0);
        const struct image_import import = { .name = &name };
        if (image_import(e->db, e->st, fd, &import, &image, &err) < 0)
                fail_msg("import: %s", err.msg);
}

static const struct db_schema *const schemas[] = { &image_schema, &build_schema, NULL };

int e2e_reopen(struct e2e *e, struct err *err)
{
        _cleanup_free_ char *file = xasprintf("%s/db", e->dir);
        db_forget(e->db);
        e->db = NULL;
        return db_open(file, schemas, &e->db, err);
}

int e2e_setup(void **state)
{
        struct err err = ERR_INIT;
        struct e2e *e = xcalloc(1, sizeof(*e));
        *state = e;
        e->out = -1;
        if (geteuid() != 0)
                return 0;
        const char *base = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
        snprintf(e->dir, sizeof(e->dir), "%s/tare-build-XXXXXX", base);
        assert_non_null(mkdtemp(e->dir));
        assert_int_equal(chmod(e->dir, 0755), 0);
        _cleanup_free_ char *root = xasprintf("%s/root", e->dir);
        _cleanup_free_ char *file = xasprintf("%s/db", e->dir);
        if (storage_open(root, getenv("TARE_DRIVER"), &e->st, &err) < 0 || db_open(file, schemas, &e->db, &err) < 0)
                fail_msg("%s", err.msg);
        make_base(e);
        return 0;
}

static int count_root(void *data, const char *id, struct err *err)
{
        print_error("left root %s\n", id);
        ++*(unsigned *)data;
        return 0;
}

int e2e_teardown(void **state)
{
        struct e2e *e = *state;
        struct err err = ERR_INIT;
        unsigned roots = 0, files = 0;
        if (e->st) {
                (void)roots_walk(e->st->snapshots, count_root, &roots, &err);
                _cleanup_free_ char *dir = xasprintf("%s/root/build", e->dir);
                _cleanup_closedir_ DIR *d = opendir(dir);
                for (struct dirent *x; d && (x = readdir(d));)
                        files += *x->d_name != '.';
                storage_close(e->st);
                db_close(e->db);
                if (tree_remove_at(AT_FDCWD, e->dir, &err) < 0)
                        print_error("%s\n", err.msg);
        }
        buf_done(&e->said);
        free(e);
        return roots || files ? -1 : 0;
}

int e2e_begin(void **state)
{
        struct e2e *e = *state;
        if (!e->st)
                return 0;
        _cleanup_free_ char *context = xasprintf("%s/context", e->dir);
        _cleanup_free_ char *out = xasprintf("%s/out", e->dir);
        assert_int_equal(mkdir(context, 0755), 0);
        e->out = open(out, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(e->out >= 0);
        e->pulls = e->prepared = e->done = 0;
        e->o = (struct build_options){ .context = TAKE_PTR(context),
                                       .source_date_epoch = -1,
                                       .pull_image = fail_pull,
                                       .step_prepare = prepare,
                                       .step_network = network,
                                       .step_done = done,
                                       .data = e,
                                       .progress = progress,
                                       .out_fd = e->out,
                                       .err_fd = e->out,
                                       .seccomp_cache = e->dir };
        return 0;
}

static int collect_looked_at(void *data, const char *id, struct err *err)
{
        if (str_starts(id, "look-"))
                strv_push(data, id);
        return 0;
}

int e2e_end(void **state)
{
        struct e2e *e = *state;
        struct err err = ERR_INIT;
        char **roots = NULL;
        if (!e->st)
                return 0;
        (void)roots_walk(e->st->snapshots, collect_looked_at, &roots, &err);
        STRV_FOREACH (r, roots)
                (void)root_remove(e->st->snapshots, *r, &err);
        strv_free(roots);
        (void)tree_remove_at(AT_FDCWD, e->o.context, &err);
        free((char *)e->o.context);
        mem_closep(&e->out);
        return 0;
}

char *ctx_path(struct e2e *e, const char *path)
{
        return xasprintf("%s/context/%s", e->dir, path);
}

static void make_parent(const char *path)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *parent = xstrndup(path, (size_t)(path_name(path) - path - 1));
        assert_int_equal(path_mkdirs(parent, 0755, &err), 0);
}

void ctx_write(struct e2e *e, const char *path, const char *text)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *full = ctx_path(e, path);
        make_parent(full);
        if (file_write_at(AT_FDCWD, full, text, strlen(text), 0644, false, &err) < 0)
                fail_msg("%s", err.msg);
}

void ctx_mkdir(struct e2e *e, const char *path)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *full = ctx_path(e, path);
        assert_int_equal(path_mkdirs(full, 0755, &err), 0);
}

void ctx_link(struct e2e *e, const char *target, const char *path)
{
        _cleanup_free_ char *full = ctx_path(e, path);
        make_parent(full);
        assert_int_equal(symlink(target, full), 0);
}

char *e2e_build(struct e2e *e, const char *text, struct err *err)
{
        char *id = NULL;
        buf_reset(&e->said);
        e->o.dockerfile_text = text;
        err_clear(err);
        return build_run(e->db, e->st, &e->o, &id, err) < 0 ? NULL : id;
}

static const char *said(const struct e2e *e)
{
        return e->said.data ? e->said.data : "";
}

char *e2e_good(struct e2e *e, const char *text)
{
        struct err err = ERR_INIT;
        char *id = e2e_build(e, text, &err);
        if (!id) {
                _cleanup_buf_ struct buf b = BUF_INIT(0);
                e2e_output(e, &b);
                fail_msg("%s\n%s\n%s\n%s", text, err.msg, said(e), b.data ? b.data : "");
        }
        return id;
}

void e2e_bad(struct e2e *e, const char *text, const char *part)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *id = e2e_build(e, text, &err);
        if (id || !strstr(err.msg, part))
                fail_msg("%s\n--- got\n%s\n--- want\n%s", text, id ? "success" : err.msg, part);
}

unsigned e2e_said(const struct e2e *e, const char *part)
{
        unsigned n = 0;
        for (const char *p = said(e); (p = strstr(p, part)); p += strlen(part))
                n++;
        return n;
}

void e2e_output(struct e2e *e, struct buf *b)
{
        struct err err = ERR_INIT;
        assert_int_equal(lseek(e->out, 0, SEEK_SET), 0);
        assert_int_equal(fd_read_all(e->out, b, &err), 0);
}

int e2e_open(struct e2e *e, const char *name)
{
        struct err err = ERR_INIT;
        _cleanup_image_ struct image image = { 0 };
        static unsigned number;
        _cleanup_free_ char *id = xasprintf("look-%u", number++);
        if (image_find(e->db, name, NULL, &image, &err) < 0 || root_create(e->st->snapshots, id, image.chain, &err) < 0)
                fail_msg("%s", err.msg);
        int fd = root_open(e->st->snapshots, id, false, &err);
        if (fd < 0)
                fail_msg("%s", err.msg);
        return fd;
}

char *file_text(int root, const char *path)
{
        struct err err = ERR_INIT;
        struct buf b = BUF_INIT(1 << 20);
        _cleanup_close_ int fd = path_open_in(root, path, O_RDONLY, 0, &err);
        if (fd < 0)
                return NULL;
        assert_int_equal(fd_read_all(fd, &b, &err), 0);
        return buf_take(&b);
}

char *file_what(int root, const char *path)
{
        struct err err = ERR_INIT;
        struct stat st;
        _cleanup_close_ int fd = path_open_in(root, path, O_PATH | O_NOFOLLOW, 0, &err);
        if (fd < 0)
                return NULL;
        assert_int_equal(fstat(fd, &st), 0);
        return xasprintf("%04o %u:%u", st.st_mode & 07777, st.st_uid, st.st_gid);
}

void e2e_config(struct e2e *e, const char *name, struct image_config *ret)
{
        struct err err = ERR_INIT;
        _cleanup_image_ struct image image = { 0 };
        image_config_init(ret);
        if (image_find(e->db, name, NULL, &image, &err) < 0 || image_read_config(e->st, &image, ret, &err) < 0)
                fail_msg("%s", err.msg);
}

#include "engine/engine.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "build/build.h"
#include "engine/engine-internal.h"
#include "net/network.h"

struct engine {
        char *root, *run, *driver;
        struct db *db;
        struct storage *storage;
        engine_template_fn template;
};

static const struct db_schema *const schemas[] = { &engine_schema, &image_schema, &net_schema, &build_schema, NULL };

/* Given, from the environment, or the default for root and for everyone else. */
static char *folder(const char *given, const char *variable, const char *system_default, const char *base_variable,
                    const char *below_home)
{
        const char *value = !str_empty(given) ? given : getenv(variable);
        if (!str_empty(value))
                return path_clean(value);
        if (geteuid() == 0)
                return xstrdup(system_default);
        const char *base = getenv(base_variable);
        if (!str_empty(base))
                return path_join(base, "tare");
        const char *home = getenv("HOME");
        return path_join(str_empty(home) ? "/tmp" : home, below_home);
}

static char *root_folder(const struct engine_options *options)
{
        return folder(options->root, "TARE_ROOT", "/var/lib/tare", "XDG_DATA_HOME", ".local/share/tare");
}

int engine_open(const struct engine_options *options, struct engine **ret, struct err *err)
{
        _cleanup_engine_ struct engine *e = xcalloc(1, sizeof(*e));
        e->root = root_folder(options);
        e->run = folder(options->run, "TARE_RUN", "/run/tare", "XDG_RUNTIME_DIR", ".local/run/tare");
        if (options->storage_driver)
                e->driver = xstrdup(options->storage_driver);
        if (e->root[0] != '/' || e->run[0] != '/')
                return err_set(err, ERR_INVALID, "the data root and the run root must be absolute paths");

        _cleanup_free_ char *file = path_join(e->root, "tare.db");
        if (access(file, F_OK) < 0 && (path_mkdirs(e->root, 0711, err) < 0 || chmod(e->root, 0711) < 0))
                return err->kind ? -1 : err_sys(err, "%s", e->root);
        if (db_open(file, schemas, &e->db, err) < 0)
                return -1;
        *ret = TAKE_PTR(e);
        return 0;
}

/* In a session of its own, so that nobody waits. Nothing depends on it: until it has run a power cut costs the layers, which are made again. */
static void settler_start(struct engine *e)
{
        struct err ignored = ERR_INIT;
        pid_t pid;
        _cleanup_close_ int pidfd = -1;
        _cleanup_free_ char *program = NULL;
        if (engine_program("tare", &program, &ignored) < 0)
                return;
        const char *argv[] = { "tare", "--root", e->root, "--run", e->run, "system", "settle", "--background", NULL };
        const struct proc_spawn spawn = {
                .path = program, .argv = (char *const *)argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .new_session = true };
        (void)!proc_spawn(&spawn, &pid, &pidfd, &ignored);
}

int engine_settle(const struct engine_options *options, bool wait, struct err *err)
{
        _cleanup_(snapshots_closep) struct snapshots *s = NULL;
        _cleanup_free_ char *root = root_folder(options), *record = path_join(root, "driver");
        if (access(record, F_OK) < 0)
                return 0;
        return snapshots_open(root, options->storage_driver, &s, err) < 0 ? -1 : snapshots_settle(s, wait, err);
}

void engine_close(struct engine *e)
{
        if (e->storage && snapshots_settle_due(e->storage->snapshots))
                settler_start(e);
        if (e->storage)
                storage_close(e->storage);
        if (e->db)
                db_close(e->db);
        free(e->root);
        free(e->run);
        free(e->driver);
        free(e);
}

void engine_lend_template(struct engine *e, engine_template_fn fn) { e->template = fn; }

int engine_template(struct engine *e, const char *text, const json_t *value, char **ret, struct err *err)
{
        if (strstr(text, "{{"))
                return e->template ? e->template(text, value, ret, err) : err_set(err, ERR_UNSUPPORTED, "no templates here: \"%s\"", text);
        *ret = xstrdup(text);
        return 0;
}

const char *engine_root(const struct engine *e) { return e->root; }
const char *engine_run(const struct engine *e) { return e->run; }
struct db *engine_db(struct engine *e) { return e->db; }

int engine_storage(struct engine *e, struct storage **ret, struct err *err)
{
        if (!e->storage && storage_open(e->root, e->driver, &e->storage, err) < 0)
                return -1;
        *ret = e->storage;
        return 0;
}

int engine_program(const char *name, char **ret_path, struct err *err)
{
        static const char *const places[] = { "", "../libexec/tare", "../../bin" };
        char self[PATH_MAX];
        ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (len < 0)
                return err_sys(err, "/proc/self/exe");
        self[len] = '\0';
        *strrchr(self, '/') = '\0';
        for (size_t i = 0; i < ELEMENTS(places); i++) {
                _cleanup_free_ char *dir = path_join(self, places[i]);
                _cleanup_free_ char *path = path_join(dir, name);
                if (access(path, X_OK) == 0) {
                        *ret_path = TAKE_PTR(path);
                        return 0;
                }
        }
        return err_set(err, ERR_NOT_FOUND, "the program %s is not installed beside %s", name, self);
}

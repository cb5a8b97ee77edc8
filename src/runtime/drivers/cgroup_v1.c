/* cgroup v1: controllers mounted one by one (or a few together) below /sys/fs/cgroup. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <time.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

#define FREEZE_MS 10000

static const char *v1_procs(void)
{
        static const char *const preferred[] = { "freezer", "pids", "devices", "memory" };
        for (size_t i = 0; i < ELEMENTS(preferred); i++)
                if (cgroup_top_of(preferred[i]))
                        return cgroup_top_of(preferred[i]);
        return cgroup_layout()->list[0].path;
}

/* In any hierarchy: who was killed while making or removing it left it in some of them. */
static bool v1_exists(const char *path)
{
        const struct cgroup_layout *l = cgroup_layout();
        for (size_t i = 0; i < l->count; i++)
                if (cgroup_has(l->list[i].path, path, ""))
                        return true;
        return false;
}

/* Gives one level what its parent has, unless it has something. */
static int fill_level(const char *top, const char *level, struct err *err)
{
        static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
        _cleanup_free_ char *parent = xstrndup(level, (size_t)(strrchr(level, '/') - level));
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                _cleanup_free_ char *mine = cgroup_file(top, level, files[i]),
                                    *theirs = cgroup_file(top, parent, files[i]);
                _cleanup_free_ char *have = NULL, *give = NULL;
                if (file_line_at(AT_FDCWD, mine, &have, err) < 0)
                        return -1;
                if (*have)
                        continue;
                if (file_line_at(AT_FDCWD, theirs, &give, err) < 0 || cgroup_write(top, level, files[i], give, err) < 0)
                        return -1;
        }
        return 0;
}

/* A new cpuset is empty and takes nobody in: each level is given what its parent has. Those above ours are told to do so themselves for all
 * that come later: each write here makes the kernel look at all cpusets beside it. */
static int fill_cpuset(const char *top, const char *path, struct err *err)
{
        struct err unused = ERR_INIT;
        _cleanup_free_ char *mine = cgroup_file(top, path, "cpuset.mems"), *have = NULL;
        if (file_line_at(AT_FDCWD, mine, &have, err) < 0)
                return -1;
        if (*have)
                return 0;
        for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                _cleanup_free_ char *level = xstrndup(path, (size_t)(slash - path));
                if (fill_level(top, level, err) < 0)
                        return -1;
                (void)cgroup_write(top, level, "cgroup.clone_children", "1", &unused);
        }
        return fill_level(top, path, err);
}

static int v1_create(const char *path, const struct oci_resources *r, struct err *err)
{
        const struct cgroup_layout *l = cgroup_layout();
        const char *cpuset = cgroup_top_of("cpuset");
        for (size_t i = 0; i < l->count; i++)
                if (cgroup_make(l->list[i].path, path, err) < 0)
                        return -1;
        return cpuset ? fill_cpuset(cpuset, path, err) : 0;
}

static int v1_join(const char *path, pid_t pid, struct err *err)
{
        const struct cgroup_layout *l = cgroup_layout();
        for (size_t i = 0; i < l->count; i++)
                if (cgroup_writef(l->list[i].path, path, "cgroup.procs", err, "%d", (int)pid) < 0)
                        return -1;
        return 0;
}

static int v1_join_self(const char *path, struct err *err)
{
        const struct cgroup_layout *l = cgroup_layout();
        for (size_t i = 0; i < l->count; i++)
                if (cgroup_write(l->list[i].path, path, "tasks", "0", err) < 0)
                        return -1;
        return 0;
}

/* ---- resources ---- */

static int v1_apply(const char *path, const struct oci_resources *r, bool update, struct err *err)
{
        if (r->unified)
                return err_set(err, ERR_UNSUPPORTED, "linux.resources.unified: this host has cgroup v1");
        return cgroup_v1_devices(path, r, err) < 0 || cgroup_v1_limit(path, r, update, err) < 0 ? -1 : 0;
}

/* ---- freezer ---- */

static bool state_is(const char *top, const char *path, const char *wanted)
{
        _cleanup_free_ char *file = cgroup_file(top, path, "freezer.state"), *line = NULL;
        struct err unused = ERR_INIT;
        return file_line_at(AT_FDCWD, file, &line, &unused) == 0 && str_eq(line, wanted);
}

static bool v1_frozen(const char *path)
{
        const char *top = cgroup_top_of("freezer");
        return top && !state_is(top, path, "THAWED") && cgroup_has(top, path, "freezer.state");
}

/* FREEZING may need to be asked for again while somebody forks. */
static int v1_freeze(const char *path, bool frozen, struct err *err)
{
        const char *top = cgroup_top_of("freezer"), *word = frozen ? "FROZEN" : "THAWED";
        struct timespec pause = { 0, 200000 };
        if (!top)
                return err_set(err, ERR_UNSUPPORTED, "no freezer is mounted");
        for (long waited = 0; waited < FREEZE_MS * 5; waited++) {
                if (cgroup_write(top, path, "freezer.state", word, err) < 0)
                        return -1;
                if (state_is(top, path, word))
                        return 0;
                nanosleep(&pause, NULL);
        }
        struct err unused = ERR_INIT;
        (void)cgroup_write(top, path, "freezer.state", "THAWED", &unused);
        return err_set(err, ERR_TIMEOUT, "the group did not become %s", frozen ? "frozen" : "thawed");
}

/* ---- end, numbers ---- */

static int v1_remove(const char *path, struct err *err)
{
        const struct cgroup_layout *l = cgroup_layout();
        int r = 0;
        for (size_t i = 0; i < l->count; i++) {
                struct err one = ERR_INIT;
                if (cgroup_rmdir(l->list[i].path, path, &one) == 0)
                        continue;
                *err = one;
                r = -1;
        }
        return r;
}

static uint64_t v1_oom_kills(const char *path)
{
        const char *top = cgroup_top_of("memory");
        return top ? cgroup_read_key(top, path, "memory.oom_control", "oom_kill", 0) : 0;
}

const struct cgroup_driver cgroup_v1 = {
        .create = v1_create,
        .exists = v1_exists,
        .join = v1_join,
        .join_self = v1_join_self,
        .apply = v1_apply,
        .freeze = v1_freeze,
        .frozen = v1_frozen,
        .remove = v1_remove,
        .oom_kills = v1_oom_kills,
        .usage = cgroup_v1_usage,
        .procs = v1_procs,
};

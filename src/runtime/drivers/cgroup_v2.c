/* cgroup v2: one hierarchy, controllers handed down level by level. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

#define FREEZE_MS 10000

static const char *v2_procs(void)
{
        return cgroup_layout()->unified;
}
static bool v2_exists(const char *path)
{
        return cgroup_has(v2_procs(), path, "");
}

/* ---- making ---- */

/* Hands every controller a level has down to its children. A level that holds processes cannot (it is not our own, or the
 * root of a container we ourselves run in): its children then have no controllers, which only matters to a limit. */
static void hand_down(const char *level)
{
        const char *top = v2_procs();
        struct err unused = ERR_INIT;
        _cleanup_free_ char *have_file = cgroup_file(top, level, "cgroup.controllers"),
                            *down_file = cgroup_file(top, level, "cgroup.subtree_control");
        _cleanup_free_ char *have = NULL, *down = NULL;
        if (file_line_at(AT_FDCWD, have_file, &have, &unused) < 0 ||
            file_line_at(AT_FDCWD, down_file, &down, &unused) < 0)
                return;
        _cleanup_strv_ char **controllers = strv_split(have, " ", false), **given = strv_split(down, " ", false);
        STRV_FOREACH (c, controllers) {
                if (strv_has(given, *c))
                        continue;
                /* One by one: a controller that cannot be handed down must not keep the others back. */
                if (cgroup_writef(top, level, "cgroup.subtree_control", &unused, "+%s", *c) < 0)
                        log_debug("cgroup %s: controller %s stays here: %s", level, *c, unused.msg);
        }
}

static int v2_create(const char *path, const struct oci_resources *r, struct err *err)
{
        hand_down("");
        for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
                _cleanup_free_ char *level = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(path);
                _cleanup_free_ char *full = cgroup_file(v2_procs(), level, "");
                if (mkdir(full, 0755) < 0 && errno != EEXIST)
                        return err_sys(err, "make cgroup %s", full);
                if (!slash)
                        return 0;
                hand_down(level);
        }
}

static int v2_join(const char *path, pid_t pid, struct err *err)
{
        return cgroup_writef(v2_procs(), path, "cgroup.procs", err, "%d", (int)pid);
}

static int v2_join_self(const char *path, struct err *err)
{
        return cgroup_write(v2_procs(), path, "cgroup.procs", "0", err);
}

/* ---- resources ---- */

/* Only the first user namespace may load such programs; in another one devices cannot be made anyway. */
static int set_devices(const char *path, const struct oci_resources *r, struct err *err)
{
        if (!r->device_count)
                return 0;
        _cleanup_free_ char *full = cgroup_file(v2_procs(), path, "");
        _cleanup_close_ int fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "open cgroup %s", full);
        if (device_filter_attach(fd, r->devices, r->device_count, err) == 0)
                return 0;
        if (err->sys != EPERM || (geteuid() == 0 && !cgroup_in_user_namespace()))
                return -1;
        err_clear(err);
        return 0;
}

static int v2_apply(const char *path, const struct oci_resources *r, bool update, struct err *err)
{
        return set_devices(path, r, err) < 0 || cgroup_v2_limit(path, r, err) < 0 ? -1 : 0;
}

/* ---- freezer ---- */

static bool v2_frozen(const char *path)
{
        return cgroup_read_u64(v2_procs(), path, "cgroup.freeze", 0) == 1;
}

/* cgroup.events tells by POLLPRI when the state has been reached. */
static int v2_freeze(const char *path, bool frozen, struct err *err)
{
        _cleanup_free_ char *events = cgroup_file(v2_procs(), path, "cgroup.events");
        _cleanup_close_ int fd = open(events, O_RDONLY | O_CLOEXEC);
        char text[256];
        if (fd < 0)
                return err_sys(err, "%s", events);
        if (cgroup_write(v2_procs(), path, "cgroup.freeze", frozen ? "1" : "0", err) < 0)
                return -1;
        for (;;) {
                ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
                if (n < 0)
                        return err_sys(err, "%s", events);
                text[n] = 0;
                if (strstr(text, frozen ? "frozen 1" : "frozen 0"))
                        return 0;
                struct pollfd p = { .fd = fd, .events = POLLPRI };
                if (poll(&p, 1, FREEZE_MS) == 0)
                        return err_set(err, ERR_TIMEOUT, "the group did not become %s", frozen ? "frozen" : "thawed");
        }
}

/* ---- end, numbers ---- */

static int v2_remove(const char *path, struct err *err)
{
        return cgroup_rmdir(v2_procs(), path, err);
}
static uint64_t v2_oom_kills(const char *path)
{
        return cgroup_read_key(v2_procs(), path, "memory.events", "oom_kill", 0);
}

const struct cgroup_driver cgroup_v2 = {
        .create = v2_create,
        .exists = v2_exists,
        .join = v2_join,
        .join_self = v2_join_self,
        .apply = v2_apply,
        .freeze = v2_freeze,
        .frozen = v2_frozen,
        .remove = v2_remove,
        .oom_kills = v2_oom_kills,
        .usage = cgroup_v2_usage,
        .procs = v2_procs,
};

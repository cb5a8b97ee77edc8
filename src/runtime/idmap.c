#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"

#define MAPS_MAX 340 /* the kernel's own limit */

static char *map_text(const struct oci_id_map *maps, size_t count)
{
        char *text = xstrdup("");
        for (size_t i = 0; i < count; i++) {
                char *longer = xasprintf("%s%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", text, maps[i].container_id,
                                         maps[i].host_id, maps[i].size);
                free(text);
                text = longer;
        }
        return text;
}

static int write_file(pid_t pid, const char *name, const char *text, struct err *err)
{
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
        return file_poke_at(AT_FDCWD, path, text, err);
}

/* newuidmap(1), newgidmap(1): set-uid helpers that know /etc/subuid. */
static int run_helper(const char *program, pid_t pid, const struct oci_id_map *maps, size_t count, struct err *err)
{
        _cleanup_strv_ char **argv = NULL;
        strv_push(&argv, program);
        strv_push_take(&argv, xasprintf("%d", (int)pid));
        for (size_t i = 0; i < count; i++) {
                strv_push_take(&argv, xasprintf("%" PRIu32, maps[i].container_id));
                strv_push_take(&argv, xasprintf("%" PRIu32, maps[i].host_id));
                strv_push_take(&argv, xasprintf("%" PRIu32, maps[i].size));
        }
        struct proc_spawn spawn = { .path = program, .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = 2 };
        int status = 0;
        if (proc_run(&spawn, NULL, 0, NULL, &status, err) < 0)
                return err_add(err, "mapping ids without privilege");
        return status ? err_set(err, ERR_DENIED, "%s exited with %d: see /etc/subuid and /etc/subgid", program, status)
                      : 0;
}

static int map_ids(pid_t pid, const char *file, const char *helper, uint32_t own_id, const struct oci_id_map *maps,
                   size_t count, struct err *err)
{
        if (count == 0 || count > MAPS_MAX)
                return err_set(err, ERR_INVALID, "a new user namespace with %zu id mappings", count);
        _cleanup_free_ char *text = map_text(maps, count);
        bool single = count == 1 && maps[0].size == 1 && maps[0].host_id == own_id;
        /* One's own id may be mapped without privilege once setgroups(2) is given up. */
        if (geteuid() != 0 && single && str_eq(file, "gid_map") && write_file(pid, "setgroups", "deny", err) < 0)
                return -1;
        if (write_file(pid, file, text, err) == 0)
                return 0;
        if (err->sys != EPERM)
                return err_add(err, "id mappings");
        err_clear(err);
        return run_helper(helper, pid, maps, count, err);
}

/* field: where the maps stand in the spec, "linux." or nothing for those of a mount, which is named by who asked. */
static int map_both(pid_t pid, const char *field, const struct oci_id_map *uids, size_t uid_count,
                    const struct oci_id_map *gids, size_t gid_count, struct err *err)
{
        if (map_ids(pid, "uid_map", "newuidmap", geteuid(), uids, uid_count, err) < 0)
                return err_add(err, "%suidMappings", field);
        if (map_ids(pid, "gid_map", "newgidmap", getegid(), gids, gid_count, err) < 0)
                return err_add(err, "%sgidMappings", field);
        return 0;
}

int idmap_write(pid_t pid, const struct oci_spec *spec, struct err *err)
{
        return map_both(pid, "linux.", spec->uid_maps, spec->uid_map_count, spec->gid_maps, spec->gid_map_count, err);
}

int idmap_userns(const struct oci_id_map *uids, size_t uid_count, const struct oci_id_map *gids, size_t gid_count,
                 struct err *err)
{
        struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
        pid_t pid = kernel_clone3(&args, sizeof(args));
        if (pid < 0)
                return err_sys(err, "make a user namespace");
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
                for (;;)
                        pause();
        }
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
        int fd = map_both(pid, "", uids, uid_count, gids, gid_count, err) < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && err->kind == ERR_NONE)
                err_sys(err, "open the user namespace");
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return fd;
}

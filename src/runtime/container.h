/* One container from one spec: namespaces, mounts, cgroups, capabilities, seccomp, exec (runtime-spec "Runtime and lifecycle").
 *
 * Calling order of a start:
 *     runtime_create()   clones init with its namespaces; init builds its root and waits. The caller's process is its parent.
 *     runtime_start()    lets init exec the process; returns once exec has succeeded, or with why it did not.
 * then the caller waits for the pidfd and calls runtime_remove(). Nothing is printed; nothing is left behind on failure
 * (process, cgroup, mount). Mounts are made in the container's own mount namespace only and die with it.
 *
 * Errors: ERR_NO_COMMAND and ERR_CANNOT_RUN for the command itself (docker's 127 and 126), ERR_INVALID naming the field
 * for a spec that contradicts itself, ERR_UNSUPPORTED for what this kernel lacks.
 */
#ifndef TARE_RUNTIME_CONTAINER_H
#define TARE_RUNTIME_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/mem.h"
#include "oci/runtime_spec.h"
#include "runtime/cgroup.h"

/* Called in the caller's process as soon as init's namespaces exist, while init builds its root in parallel (network
 * set-up, createRuntime hooks). netns_fd: init's network namespace. Failing it fails the create. */
typedef int (*runtime_namespaces_fn)(void *data, pid_t pid, int netns_fd, struct err *err);

struct runtime_create {
        const char *id;                       /* names the cgroup and errors */
        const struct oci_spec *spec;
        int bundle_fd;                        /* what a relative root_path is relative to; -1: the working directory */
        const struct oci_mount *rootfs;       /* a mount to be the root ("overlay" with lowerdir+= options); NULL: bind root_path */
        int stdio[3];                         /* given to init as 0,1,2 when !spec->process.terminal; -1: /dev/null */
        int preserve_fds;                     /* further inherited descriptors 3.. */
        const char *seccomp_cache;            /* directory of compiled filters; NULL: compile each time */
        bool no_pivot;                        /* MS_MOVE instead of pivot_root (initramfs roots) */
        bool no_new_keyring;
        bool loopback;                        /* bring up "lo" of a new network namespace, which nobody else configures then */
        bool init_process;                    /* --init: a reaper of ours is pid 1 (a memfd/bind of init_path at /sbin/docker-init) */
        bool cgroup_required;                 /* a group that cannot be made fails the create for an unprivileged caller too */
        bool systemd_cgroup;                  /* cgroups_path is "slice:prefix:name": the group is a scope that systemd makes */
        const char *init_path;                /* the static reaper program; used when init_process */
        const char *bundle;                   /* path of the bundle, for the state that hooks read; NULL: none */
        int start_listen_fd;                  /* a listening SOCK_SEQPACKET unix socket: the start comes over a connection to it
                                                 (runtime_start with that connection as start_fd), so that it can come from a
                                                 process that is not the creator; 0 or -1: none */
        bool plain_lines;                     /* the terminal is one of runtime_plain_lines() from the first on */
        runtime_namespaces_fn on_namespaces;  /* or NULL */
        void *data;
};

struct runtime_container {
        pid_t pid;                            /* init, in our pid namespace */
        uint64_t start_time;                  /* proc_start_time(): with pid it names the process for good */
        int pidfd;
        int start_fd;                         /* our end of the start/err socket; -1 after start */
        int console_fd;                       /* pty master when spec->process.terminal, else -1 */
        struct cgroup *cgroup;                /* owned */
};
#define RUNTIME_CONTAINER_INIT { .pidfd = -1, .start_fd = -1, .console_fd = -1 }
void runtime_container_done(struct runtime_container *c);     /* closes; kills nothing */
#define _cleanup_runtime_container_ _cleanup_(runtime_container_done)

/* Init is a child of the calling process. On failure everything made is undone. */
int runtime_create(const struct runtime_create *request, struct runtime_container *ret, struct err *err);
int runtime_start(struct runtime_container *c, struct err *err);
/* Kills whatever is left in the cgroup and removes it; a container that is gone already is success. */
int runtime_remove(struct runtime_container *c, struct err *err);

/* Mounts at a path of the caller's mount namespace what would be the root, or a mount, of a container of this spec, its ids mapped as the spec's
 * user namespace asks: for the bundle of another runtime, which takes a finished tree and knows no "lowerdir+=" or "idmap". */
int runtime_mount_at(const struct oci_spec *spec, const struct oci_mount *m, const char *path, struct err *err);
/* Mounts into the namespace of a process that runs, at the mount's destination below its root, which is made where it is missing; and takes the
 * topmost mount at a place away again, as soon as nobody uses it. The mount belongs to the process's namespace alone. */
int runtime_mount_into(int pidfd, const struct oci_spec *spec, const struct oci_mount *m, struct err *err);
int runtime_unmount_in(int pidfd, const char *destination, struct err *err);

/* Ends of lines leave this terminal as they were written, without a carriage return: for who copies them to a terminal of his own, or a pipe. */
void runtime_plain_lines(int fd);

/* A further process inside a running container. */
struct runtime_exec {
        pid_t pid;                            /* the container's init */
        uint64_t start_time;
        const struct oci_process *process;
        const char *personality;              /* the container's domain, or NULL */
        const struct oci_seccomp *seccomp;    /* the container's, or NULL (privileged) */
        const char *seccomp_cache;
        const char *cgroups_path;             /* as in its spec */
        char *const *sub_cgroups;             /* "controller=path": existing groups below it to run in; "=path" for all controllers
                                                 (v2 has only this form); NULL: its own, or init's where that takes none */
        const char *state;                    /* of the container, for who listens to its seccomp filter (runtime_state_json); or NULL */
        int stdio[3];
        int preserve_fds;
        bool ignore_paused;                   /* start it in a frozen group all the same: this waits until that is thawed */
        bool plain_lines;                     /* the terminal is one of runtime_plain_lines() from the first on */
};
struct runtime_exec_result { pid_t pid; int pidfd; int console_fd; };
/* Joins every namespace of init through one pidfd, its cgroup and root, then runs the process as a child of the caller.
 * Returns once exec has succeeded. ERR_CONFLICT when the container is not running or is paused. */
int runtime_exec(const struct runtime_exec *request, struct runtime_exec_result *ret, struct err *err);

/* Resolves "user[:group]" against /etc/passwd and /etc/group under root_fd (never leaving it), as docker does: numeric
 * forms need no files; supplementary groups are added; *ret_home is heap, "/" when unknown. */
int runtime_user_resolve(int root_fd, const char *user, uint32_t *ret_uid, uint32_t *ret_gid, uint32_t **ret_gids,
                         size_t *ret_gid_count, char **ret_home, struct err *err);

/* Runs the hooks of one kind, each with the state on its stdin. runtime_create() and init run all that belong to create and
 * start; poststart and poststop are the caller's to run (status "running", "stopped"), and only tell of failures. */
int runtime_hooks(const struct oci_spec *spec, enum oci_hook_kind kind, const char *id, const char *bundle, pid_t pid,
                  const char *status, struct err *err);
/* The state document (runtime-spec runtime.md "State"); heap. */
char *runtime_state_json(const struct oci_spec *spec, const char *id, const char *bundle, pid_t pid, const char *status);

/* A detached copy of the mount that the mount namespace of a process has at "/", whatever its own root is; recursive: with all that is mounted
 * below. A child goes there for it: the caller has one thread. The caller closes the descriptor. */
int runtime_root_copy(pid_t pid, bool recursive, struct err *err);

#endif

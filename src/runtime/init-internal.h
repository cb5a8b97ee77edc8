/* What init, the container's first process, works with between clone and exec. It is a fork of the caller, so everything
 * here is a copy; it talks to the runtime over sync_fd (stage/stage.h names the messages). */
#ifndef TARE_RUNTIME_INIT_INTERNAL_H
#define TARE_RUNTIME_INIT_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"
#include "oci/runtime_spec.h"
#include "runtime/container.h"
#include "runtime/seccomp-internal.h"
#include "runtime/stage/stage.h"

struct init {
        const struct runtime_create *request;
        const struct oci_spec *spec;
        int sync_fd;                   /* ours */
        int runtime_sync_fd;           /* the other end: init closes it first */
        int stage_fd;                  /* sealed program and plan */
        const struct seccomp_filter *filter;   /* of the plan */
        int ns_fds[OCI_NS_KINDS];      /* namespaces to join, -1 */
        uint64_t unshare_flags;        /* new ones init itself makes, after joining */
        bool user_new;                 /* SYNC_MAPPED will come, then we become root of it */
        bool in_userns;                /* new or joined: device nodes cannot be made */
        bool wait_cgroup;              /* SYNC_CGROUP will come, or SYNC_NO_CGROUP when there may be none */
        bool cgroup_done;
        bool join_self;                /* then init moves itself into its group (cgroup_join_self) */
        bool wait_network, network_done;
        bool guarded;                  /* others may already be where we are: not dumpable */
        const char *cgroup_path;       /* as created, below each hierarchy */
        int root_mount_fd;             /* made by the runtime beforehand, -1 */
        int *mount_fds;                /* likewise, one a spec mount; -1: init's to make, MOUNT_LATE: init's to ask for */
        int *device_fds;               /* nodes in a user namespace, one a spec device, -1; NULL: none */
        int userns_fd;                 /* of the container, for mapped mounts; -1 */
        /* init's own */
        int root_fd;                   /* the container's root, attached */
        bool root_at_path;             /* at its own path, and not on "/" */
        int null_fd;                   /* the host's /dev/null, checked */
        int empty_fd;                  /* a detached read-only tmpfs to cover directories with; -1 */
        int console_fd;                /* slave of the terminal, -1 */
        int ptmx_fd;                   /* master */
        const char *label_folder;      /* label_folder() */
        int label_fd;                  /* a number kept free for it, -1 */
};

/* Never returns. */
void init_main(struct init *in) __attribute__((noreturn));

/* ---- the sync socket ---- */
int sync_send(int fd, enum sync_type type, struct err *err);
int sync_send_fd(int fd, enum sync_type type, int passed, struct err *err);
int sync_send_error(int fd, const struct err *what);
/* What came: *ret_fd (NULL: none expected) is -1 without a descriptor. A peer that is gone is SYNC type 0. */
struct sync_packet {
        struct sync_message message;
        struct err error;              /* of SYNC_ERROR */
};
int sync_receive(int fd, struct sync_packet *ret, int *ret_fd, struct err *err);
/* Waits for exactly this one. */
int sync_expect(int fd, enum sync_type type, struct err *err);

/* ---- what the runtime makes for init (prepared.c) ---- */
#define MOUNT_LATE (-2)
int prepared_make(struct init *in, struct err *err);           /* before the clone */
int prepared_give(struct init *in, int sync_fd, pid_t pid, int32_t index, struct err *err);    /* when init asks with SYNC_MOUNT */
void prepared_close(struct init *in);                          /* what init has as its own copies by now */
void prepared_done(struct init *in);

/* ---- pieces of the root ---- */
int root_build(struct init *in, struct err *err);              /* attaches root and mounts, devices, masks */
int root_enter(struct init *in, struct err *err);              /* pivot_root */
int root_add_devices(struct init *in, struct err *err);
int root_protect(struct init *in, struct err *err);            /* masked and read-only paths */
int root_mount_cgroup(struct init *in, const struct oci_mount *m, struct err *err);
int console_open(struct init *in, struct err *err);
int init_wait_cgroup(struct init *in, struct err *err);
int init_wait_network(struct init *in, struct err *err);
bool sysctl_needs_interfaces(const char *entry);

bool sysctl_needs_interfaces(const char *entry);
/* Before anything is made: each must belong to a namespace that the container does not share with the runtime. */
int sysctl_check(const struct oci_spec *spec, struct err *err);
int sysctl_apply(struct init *in, struct err *err);
/* What a hook ended with, as an error. */
int hook_ended(int status, struct err *err);
/* Puts before an error which hook it was; -1. */
int hook_failed(enum oci_hook_kind kind, size_t index, const struct oci_hook *h, struct err *err);
/* startContainer hooks: programs of the container's own root, so they get no more rights than its process. */
int hooks_inside(struct init *in, struct err *err);

/* ---- the process ---- */
/* Everything that can be said about it beforehand; the error names the field. */
int process_check(const struct oci_process *p, struct err *err);
int scheduling_check(const struct oci_process *p, struct err *err);
int scheduling_apply(const struct oci_process *p, struct err *err);
/* phase "initial": before the process is in its group; "final": once it is. Only for exec. */
int affinity_apply(const struct oci_process *p, const char *phase, struct err *err);
/* What the kernel keeps for a process and needs our privileges to set: limits, priorities, personality. */
int process_prepare(const struct oci_process *p, const char *personality, struct err *err);
/* Its environment, with the HOME of its user where none is given; called inside the container's root. Heap. */
char **process_environment(const struct oci_process *p);
/* By the runtime, from outside. A value that only the privileged may set is left as it is. */
int process_set_oom_score(const struct oci_process *p, pid_t pid, struct err *err);
/* A terminal pair of the container's own devpts below root_fd. */
int console_open_pair(int root_fd, const struct oci_process *p, int *ret_master, int *ret_slave, struct err *err);
/* Puts stdio in place, closes the rest, executes the stage. Returns only on failure. */
int process_launch(const struct oci_process *p, char *const *args, const int stdio[3], int preserve_fds, int sync_fd, int listen_fd,
                   int label_fd, int stage_fd, struct err *err);
struct stage_request {
        const struct oci_process *process;
        const char *command;           /* args[0], or the reaper */
        const struct seccomp_filter *filter;
        const char *label;             /* text for label_fd, NULL */
        int sync_fd, listen_fd, label_fd;      /* as init will have them */
        bool wait_start;
        bool keep_groups;              /* leave the supplementary groups as they are */
};
/* The annotation by which callers let a container keep the groups of who starts it (podman's "--group-add keep-groups"). */
bool groups_kept(const struct oci_spec *spec);
/* A sealed memfd with program and plan. */
int stage_make(const struct stage_request *request, struct err *err);
/* Error of a stage message: the words of the command's failure. */
int stage_error(const struct sync_message *m, struct err *err);
/* The folder of the file that a security label is written to, and its text (heap); NULL when none is wanted or this kernel has no such module. */
const char *label_folder(const struct oci_process *p, char **ret_text);
/* ERR_UNSUPPORTED for a label that no security module of this kernel would take. */
int label_check(const struct oci_process *p, struct err *err);
/* Opens it, for the calling process, under the given number; no folder: nothing. */
int label_open(const char *folder, int number, struct err *err);

/* ---- the request ---- */
/* Contradictions and what this kernel lacks, before anything is made. */
int create_check(const struct runtime_create *request, struct err *err);

/* ---- user namespaces ---- */
int idmap_write(pid_t pid, const struct oci_spec *spec, struct err *err);
/* A user namespace with these maps, for mapped mounts. */
int idmap_userns(const struct oci_id_map *uids, size_t uid_count, const struct oci_id_map *gids, size_t gid_count, struct err *err);

#endif

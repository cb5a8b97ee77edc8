/* The last steps of a container's first process, as a program of its own.
 *
 * init is a fork of whatever program called runtime_create(). Were it to execute the container's command itself, then a
 * hostile image could make it execute our own binary ("#!/proc/self/exe") and overwrite that through /proc (CVE-2019-5736).
 * So init first becomes this few-kilobyte static program, which lives in a sealed memfd: nobody can write to it, it holds no
 * memory of the engine, and it is also what waits, tiny, between create and start.
 *
 * The plan lies at the end of the program's image: the runtime writes image and plan into one memfd, seals and executes it.
 * argv and environ of the program are those of the container's command. */
#ifndef TARE_RUNTIME_STAGE_H
#define TARE_RUNTIME_STAGE_H

#include <stdint.h>

#define STAGE_MAGIC "tare stage plan"  /* 16 bytes with its NUL */
#define STAGE_DATA_MAX (126u << 10)
/* MAY: there are none to set, so that it is no failure where a user namespace made without privilege denies setgroups(2). */
#define STAGE_GROUPS_KEEP 0
#define STAGE_GROUPS_MAY 1
#define STAGE_GROUPS_MUST 2

struct stage_plan {
        char magic[16];
        int32_t sync_fd;               /* SOCK_SEQPACKET to the runtime */
        int32_t listen_fd;             /* where the start comes from, when not from sync_fd; -1 */
        int32_t label_fd;              /* the folder of /proc/self/attr/.../exec, -1 */
        uint32_t uid, gid, group_count;
        uint64_t bounding, permitted, effective, inheritable, ambient;
        uint32_t umask;
        uint8_t set_groups;            /* STAGE_GROUPS_* */
        uint8_t no_new_privs, wait_start, notify;
        uint32_t filter_count, filter_flags;
        /* offsets into data; 0: absent (data begins with one spare word) */
        uint32_t groups, filter, cwd, label, candidates;   /* candidates: strings, an empty one ends them */
        char data[STAGE_DATA_MAX];
};

/* Where it failed, for the words of the error. */
enum stage_step { STAGE_CWD, STAGE_CWD_OUTSIDE, STAGE_BOUNDING, STAGE_GROUPS, STAGE_GID, STAGE_UID, STAGE_CAPS, STAGE_AMBIENT,
                  STAGE_START, STAGE_LABEL, STAGE_NO_NEW_PRIVS, STAGE_SECCOMP, STAGE_EXEC,
                  STAGE_INTERPRETER };

/* What is said over the sync socket, in both directions. */
enum sync_type { SYNC_MAPPED = 1, SYNC_CGROUP, SYNC_NO_CGROUP, SYNC_NETWORK, SYNC_HOOKS_DONE, SYNC_START,           /* to init */
                 SYNC_MOUNTED, SYNC_MOUNT, SYNC_CONSOLE, SYNC_READY, SYNC_LISTENER, SYNC_ERROR, SYNC_STAGE };   /* from init */
struct sync_message {
        uint32_t type;
        int32_t step, error;           /* SYNC_STAGE: enum stage_step and errno; SYNC_MOUNT: index of the mount asked for, whose answer is one */
        char text[256];                /* SYNC_STAGE: the command; SYNC_CGROUP: the group where it is another than asked for */
};
#define SYNC_SHORT 12                  /* bytes of a message without its text */

#endif

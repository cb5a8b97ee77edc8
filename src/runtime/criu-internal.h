/* CRIU, the program that saves processes and makes them again, spoken to over a socket: criu's "RPC" (criu.org/RPC,
 * images/rpc.proto). The numbers of the fields are criu's; the texts are what we call them.
 *
 * Calling order: criu_open() starts `criu swrk FD` and asks for its version; any criu_supports(); then one of criu_dump(),
 * criu_predump() and criu_restore() with options written by protobuf_*(), which returns when criu has done it. While it works
 * criu says where it is (notify), and goes on once that was answered. criu_done() ends it: what criu had not finished it undoes.
 *
 * Errors: ERR_NOT_FOUND when there is no such program, ERR_UNAVAILABLE when it ends without an answer, ERR_UNSUPPORTED
 * for a version that lacks what is needed, ERR_SYSTEM when it refuses: with the last of its log, and the log's path. */
#ifndef TARE_RUNTIME_CRIU_INTERNAL_H
#define TARE_RUNTIME_CRIU_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

/* ---- criu_message.c ---- */

#define CRIU_MESSAGE_MAX ((size_t)1 << 20)
#define CRIU_ANSWER_MAX ((size_t)64 << 10)

enum criu_type { CRIU_DUMP = 1, CRIU_RESTORE = 2, CRIU_PRE_DUMP = 4, CRIU_NOTIFY = 6, CRIU_FEATURES = 9, CRIU_VERSION = 10 };
enum criu_option {
        CRIU_IMAGES_FD = 1, CRIU_PID = 2, CRIU_LEAVE_RUNNING = 3, CRIU_UNIX_SOCKETS = 4, CRIU_TCP = 5, CRIU_EVASIVE_DEVICES = 6,
        CRIU_SHELL_JOB = 7, CRIU_FILE_LOCKS = 8, CRIU_LOG_LEVEL = 9, CRIU_LOG_FILE = 10, CRIU_PAGE_SERVER = 11,
        CRIU_NOTIFICATIONS = 12, CRIU_ROOT = 13, CRIU_PARENT = 14, CRIU_TRACK_MEMORY = 15, CRIU_AUTO_DEDUP = 16,
        CRIU_WORK_FD = 17, CRIU_MOUNTS = 23, CRIU_CGROUPS = 24, CRIU_CGROUP_ROOTS = 25, CRIU_SIBLING = 26,
        CRIU_INHERITED = 27, CRIU_CGROUPS_MODE = 34, CRIU_EXTERNAL = 37, CRIU_EMPTY_NAMESPACES = 38,
        CRIU_JOIN_NAMESPACES = 39, CRIU_FREEZE_CGROUP = 44, CRIU_LAZY_PAGES = 48, CRIU_STATUS_FD = 49,
        CRIU_ORPHAN_TERMINAL = 50, CRIU_CONFIG_FILE = 51, CRIU_LSM_PROFILE = 53, CRIU_LSM_MOUNT_CONTEXT = 63,
};
enum criu_feature { CRIU_FEATURE_MEMORY = 1, CRIU_FEATURE_LAZY_PAGES = 2 };

/* A message of two texts, or of a text (NULL: none) and a number, as a field of the options. */
int criu_option_pair(struct buf *options, enum criu_option option, const char *first, const char *second, struct err *err);
int criu_option_numbered(struct buf *options, enum criu_option option, const char *first, int64_t second, struct err *err);
int criu_option_flag(struct buf *options, enum criu_option option, bool on, struct err *err);
/* feature 0: none is asked for. */
int criu_request(struct buf *b, enum criu_type type, const struct buf *options, enum criu_feature feature, struct err *err);
int criu_notify_answer(struct buf *b, struct err *err);

struct criu_answer {
        uint32_t type;
        bool success;
        int32_t number;                /* errno, 0: unknown */
        char script[32];               /* of CRIU_NOTIFY */
        int32_t pid;                   /* of CRIU_NOTIFY and CRIU_RESTORE */
        uint32_t version;              /* 31701 is 3.17.1 */
        uint32_t features;             /* bits by enum criu_feature */
        char text[160];                /* what criu says of an error */
};
int criu_answer_parse(const void *data, size_t len, struct criu_answer *ret, struct err *err);

/* ---- criu.c ---- */

struct criu {
        pid_t pid;                     /* 0: none */
        bool busy;                     /* was asked for more than what it is */
        int socket;
        uint32_t version;
        char *log;                     /* path of the log of the request, for errors */
        int folders[2];                /* as criu sees them, -1 */
};
#define CRIU_INIT { .socket = -1, .folders = { -1, -1 } }
void criu_done(struct criu *c);
#define _cleanup_criu_ _cleanup_(criu_done)

struct criu_start {
        const char *program;           /* a path, or a name looked for in PATH; NULL: "criu" */
        const char *log;
        const char *folders[2];        /* opened where criu is, for the options that name a descriptor; NULL: none */
        int stdio[3];                  /* -1: /dev/null */
        const int *keep;               /* descriptors that criu shall find under their numbers */
        size_t keep_count;
        int (*enter)(void *data, struct err *err);     /* in the child, before criu is executed; or NULL */
        void *data;
};
int criu_open(const struct criu_start *start, struct criu *ret, struct err *err);
bool criu_supports(struct criu *c, enum criu_feature feature, struct err *err);

/* fd: what came with it, -1: nothing; the callee takes it by TAKE_FD. */
typedef int (*criu_notify_fn)(void *data, const struct criu_answer *what, int *fd, struct err *err);
/* *ret_pid: of what was restored; NULL where nothing is. */
int criu_call(struct criu *c, enum criu_type type, const struct buf *options, criu_notify_fn notify, void *data,
              pid_t *ret_pid, struct err *err);

/* ---- checkpoint_mounts.c ---- */
struct oci_spec;
/* The mounts of a container that criu shall not save, but find again: those that came from outside. */
int checkpoint_mounts_dump(struct buf *options, const struct oci_spec *spec, pid_t pid, struct err *err);
/* Makes the places of the mounts below root, and tells criu where what was outside is now. group: where the control group is
 * below each hierarchy, NULL: none. */
int checkpoint_mounts_restore(struct buf *options, const struct oci_spec *spec, const char *bundle, const char *root,
                              const char *group, struct err *err);

#endif

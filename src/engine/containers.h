/* The verbs on containers. `name` arguments take a name, an id or a unique id prefix, as docker does.
 *
 * A container's definition is a row in the database. What changes while it runs is in its run directory (runtime/attach.h), written by its
 * monitor; container_load() puts the two together and repairs what a killed process left (a monitor that died, a run
 * directory of before a reboot).
 *
 * Crash rule: a row exists before anything else of a container does and disappears after everything else of it has.
 */
#ifndef TARE_ENGINE_CONTAINERS_H
#define TARE_ENGINE_CONTAINERS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/json.h"
#include "engine/container_config.h"
#include "engine/engine.h"
#include "image/images.h"
#include "net/network.h"
#include "runtime/attach.h"

/* By its checks (engine/probe.c); NONE: it has none, or never ran. One that has stopped is unhealthy, as docker says. */
enum container_health { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };
const char *container_health_name(enum container_health h);     /* "none", "starting", ... */
#define CONTAINER_HEALTH_LOG 5         /* results that are kept */
#define CONTAINER_HEALTH_OUTPUT 4096   /* bytes of each */

struct container {
        char id[65];
        char *name;                    /* without '/' */
        char *image_id;
        char **chain;                  /* chain ids of the image's layers */
        int64_t created;               /* ns */
        struct container_config config;
        struct container_status status;        /* now */
        enum container_health health;          /* now */
        bool death_told;               /* the event of its end is out, as it was to be started again */
        bool stopped_by_user;          /* unless-stopped, and no restart after stop */
        struct endpoint endpoint;      /* address and ports when it has a network and runs; container[0] == 0: none */
        char *command;                 /* entrypoint and cmd joined, as ps shows; heap */
};
void container_done(struct container *c);
#define _cleanup_container_ _cleanup_(container_done)
void containers_free(struct container *list, size_t count);

/* ERR_NOT_FOUND "No such container: x"; ERR_INVALID when a prefix is ambiguous. */
int container_load(struct engine *e, const char *name, struct container *ret, struct err *err);

struct container_filter {
        bool all;                      /* else only running, paused, restarting */
        int64_t last;                  /* newest n of any state; 0: no limit */
        /* docker's --filter texts: "status=running", "name=x", "label=k=v", "id=", "ancestor=", "exited=", "network=", "publish=", "volume=",
         * "before=", "since=", "health=", "is-task=" */
        char *const *filters;
};
/* Newest first. */
int container_list(struct engine *e, const struct container_filter *f, struct container **ret, size_t *ret_count, struct err *err);

/* --- life --- */
/* Makes a container of an image that is here (ERR_NOT_FOUND "No such image: x" otherwise; the caller pulls). The config is merged with the
 * image's. name NULL: one is made up. warnings are logged. */
/* The image of that name as container_create takes it; platform NULL: any, with a warning when it is not the host's. ERR_NOT_FOUND also when
 * it is here for another platform only. */
int container_image_find(struct engine *e, const char *name, const char *platform, struct image *ret, struct err *err);
int container_create(struct engine *e, struct container_config *config, const char *name, char ret_id[65], struct err *err);

struct container_start {
        bool attach;                   /* *ret_client is a connected attach session that misses no byte */
        bool attach_stdin;
        bool clean_mine;               /* the caller will call container_finish_session() after the exit frame */
        const char *detach_keys;       /* kept for inspect only */
        uint16_t rows, columns;        /* initial terminal size, 0: unset */
};
/* Starts a created or exited container; returns when its process has been executed. ERR_NO_COMMAND / ERR_CANNOT_RUN as runtime/. A running one is
 * success without a session. */
int container_start(struct engine *e, const char *id, const struct container_start *how, int *ret_client, struct err *err);
/* create + start in one database transaction: the hot path of `run`. On failure of the start the container stays, as docker's does, unless
 * auto_remove. ret_id is valid once *ret_created. */
int container_run(struct engine *e, struct container_config *config, const char *name, const struct container_start *how, char ret_id[65],
                  bool *ret_created, int *ret_client, struct err *err);
/* After init has ended: takes down network, cgroup and run directory, writes the last word to the database, or removes everything when
 * auto_remove. Idempotent; called by the attached client, by the monitor's cleanup program, or by whoever finds a dead container. */
int container_finish(struct engine *e, const char *id, struct err *err);
/* The same for who started it with clean_mine and will send ATTACH_CLEANED: its monitor takes away what waits for the disk. */
int container_finish_session(struct engine *e, const char *id, struct err *err);
/* Stop signal, then SIGKILL after timeout (s; -1: never; CONTAINER_STOP_DEFAULT: the container's, else 10). Returns when it has ended and is
 * cleaned up. */
#define CONTAINER_STOP_DEFAULT (-2)
int container_stop(struct engine *e, const char *name, int64_t timeout, const char *signal, struct err *err);
/* The same with the machine's end in mind: it is not remembered as the user's wish, so that system_boot_plan() names it again. */
int container_shut_down(struct engine *e, const char *name, struct err *err);
int container_kill(struct engine *e, const char *name, const char *signal, struct err *err);
int container_restart(struct engine *e, const char *name, int64_t timeout, struct err *err);
struct container_remove { bool force, volumes; };
/* ERR_CONFLICT 'You cannot remove a running container ...' without force. */
int container_remove(struct engine *e, const char *name, const struct container_remove *how, struct err *err);
int container_rename(struct engine *e, const char *name, const char *new_name, struct err *err);
int container_pause(struct engine *e, const char *name, bool pause, struct err *err);
/* condition: "not-running" (default; "exited", "stopped"), "next-exit", "removed", which give the exit code; "created", "running", "paused",
 * "healthy", "unhealthy", which give -1, and are an error once the container has exited. */
int container_wait(struct engine *e, const char *name, const char *condition, int32_t *ret_status, struct err *err);
/* Stopped containers removed; docker's filters "label=", "until=". told gets each id. */
int container_prune(struct engine *e, char *const *filters, void (*told)(void *data, const char *id), void *data, uint64_t *ret_bytes,
                    struct err *err);
/* What the policy asks after an exit; called by the monitor's cleanup program: starts it again after the back-off, or finishes it. lock:
 * the monitor's lock on monitor.pid, inherited and closed here; without it (-1) the container is only finished. */
int container_exited(struct engine *e, const char *id, int lock, struct err *err);

/* One check of a running container, called by its monitor: runs the test, keeps what came of it, tells a change, acts as --health-on-failure
 * says. ERR_CONFLICT: nothing was found out (it does not run, is paused, has no check). */
int container_probe(struct engine *e, const char *id, enum container_health *ret, struct err *err);

/* Called by its monitor when a process of a running container died for want of memory. */
int container_oom(struct engine *e, const char *id, struct err *err);

/* The in_use hook of struct image_remove; data is the engine. */
bool container_uses_image(void *engine, const char *image_id, char ret_container[65], bool *ret_running);

/* --- sessions --- */
/* Connects to the monitor of a running container; see runtime/attach.h for what flows. */
int container_attach(struct engine *e, const char *name, bool want_stdin, int *ret_client, struct err *err);
struct exec_request {
        bool tty, open_stdin, detach, privileged;
        bool quiet;                    /* a check's: no events */
        char *user, *working_dir;      /* NULL: the container's */
        char **env, **args;
        uint16_t rows, columns;
        char *detach_keys;
};
void exec_request_done(struct exec_request *x);
/* Foreground: the process is our child with the given stdio (tty: *ret_console is the master). detach: held by a monitor. */
struct exec_session { pid_t pid; int pidfd; int console_fd; char id[65]; };
int container_exec(struct engine *e, const char *name, const struct exec_request *x, const int stdio[3], struct exec_session *ret, struct err *err);
/* Its last word, from who has waited for it: the caller, or the process that holds a detached one. */
void container_exec_ended(struct engine *e, const char *name, const char *exec_id, int32_t status);

/* --- looking --- */
/* docker inspect's document of a container. */
int container_inspect(struct engine *e, const char *name, bool size, json_t **ret, struct err *err);
struct top_result { char **titles; char ***rows; size_t row_count; };
void top_result_done(struct top_result *t);
/* ps(1) run in the container's pid namespace view, docker's way: the host's ps with these arguments, rows of this container only. */
int container_top(struct engine *e, const char *name, char *const *ps_args, struct top_result *ret, struct err *err);

struct log_options { bool follow, timestamps, details, out, err_; int64_t since, until; /* ns, 0: none */ int64_t tail; /* -1: all */ };
struct log_line {
        bool is_stderr;
        int64_t time;                  /* ns */
        const char *bytes;             /* newline included where the container wrote one */
        size_t len;
        const char *details;           /* "label=value,tag=x ", where they were asked for */
};
typedef int (*log_line_fn)(void *data, const struct log_line *line, struct err *err);
/* Lines in order; follow ends when the container does. The log that a removed container left (--log-opt keep=true) is found by its name or id
 * too. */
int container_logs(struct engine *e, const char *name, const struct log_options *o, log_line_fn fn, void *data, struct err *err);
/* Who rotates a log file from outside has moved it away: the monitor makes a new one (CRI's ReopenContainerLog). */
int container_logs_reopen(struct engine *e, const char *name, struct err *err);

/* Tells an event of a container, with its image, name and labels; `more`: "key=value", may be NULL. The verbs here tell their own. */
void container_tell(struct engine *e, const struct container *c, const char *action, char *const *more);

/* --- files; these need tar and digests, so they live in programs that link image/ --- */
/* A descriptor of the container's root as it sees it (running: /proc/PID/root; else a detached mount). */
/* Makes the root of a container that has none: its maker was killed between row and root. ERR_NOT_FOUND: it was just removed. */
int container_root_ensure(struct engine *e, const struct container *c, struct err *err);
int container_root_open(struct engine *e, const struct container *c, bool writable, struct err *err);
/* To read only, and without what is mounted in a running one: as it will be when it is stopped. */
int container_root_open_bare(struct engine *e, const struct container *c, struct err *err);
int container_changes(struct engine *e, const char *name, root_change_fn fn, void *data, struct err *err);

#endif

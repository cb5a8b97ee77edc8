/* What the files of this room share and no other room sees. */
#ifndef TARE_ENGINE_INTERNAL_H
#define TARE_ENGINE_INTERNAL_H

#include <stdint.h>
#include "base/db.h"
#include "engine/containers.h"
#include "engine/engine.h"
#include "image/images.h"

extern const struct db_schema engine_schema;           /* tables: containers, volumes, container_volumes */

/* --- container rows (container_db.c); transactions are the caller's --- */
/* The full id behind a name, id or unique prefix. */
int container_resolve(struct engine *e, const char *name, char ret_id[65], struct err *err);
int container_row_insert(struct engine *e, const struct container *c, struct err *err);
/* Definition only: status is the row's last word. */
int container_row_load(struct engine *e, const char *id, struct container *ret, struct err *err);
int container_row_finish(struct engine *e, const char *id, const struct container_status *status, struct err *err);
int container_row_set_stopped(struct engine *e, const char *id, bool by_user, struct err *err);
int container_row_set_state(struct engine *e, const char *id, enum container_state state, struct err *err);
int container_row_delete(struct engine *e, const char *id, struct err *err);

/* --- run directory (run_dir.c) --- */
/* RUN/containers/<id>, made when missing, opened and flock'd: one verb at a time on a container. Returns the folder's descriptor; closing it
 * unlocks. */
int container_lock(struct engine *e, const char *id, struct err *err);
/* As it is, not locked; ERR_NOT_FOUND. */
int run_dir_open(struct engine *e, const char *id, struct err *err);
int run_dir_remove(struct engine *e, const char *id, struct err *err);
char *run_dir_path(const struct engine *e, const char *id);
/* ROOT/containers/<id>: logs and what outlives a reboot. Heap path. */
char *container_dir_path(const struct engine *e, const char *id);
/* The marker of a stop that is under way: no restart after it, and the end of a back-off. */
bool stop_is_marked(int run_dir_fd);
/* An inotify descriptor that becomes readable when something in or about the run directory changes, whether it is there or not; -1. Made before
 * what is waited for is looked at. run_dir_wait() waits at most that long, and takes what has come. */
int run_dir_watch(struct engine *e, const char *id);
void run_dir_wait(int watch, int timeout_ms);
/* monitor.pid is locked for as long as somebody cares for the container: its monitor, or who will start it again. */
bool monitor_alive(int run_dir_fd);
int monitor_lock(int run_dir_fd, struct err *err);
/* Whether that descriptor, which was inherited, holds the lock; false also where a verb took the container over meanwhile. */
bool monitor_lock_is(int run_dir_fd, int lock);

/* --- state (state.c) --- */
/* Puts run-time state over the row's: reads status.json, checks that monitor and init are who they were. *ret_stale is set when a finish is
 * owed (init is gone and nobody is going to clean up). */
int container_state_refresh(struct engine *e, struct container *c, bool *ret_stale, struct err *err);
static inline bool container_is_running(const struct container *c)
{
        return c->status.state == STATE_RUNNING || c->status.state == STATE_PAUSED || c->status.state == STATE_RESTARTING;
}
/* True while another process holds the container's lock: a start or finish is under way. */
bool container_is_locked(struct engine *e, const char *id);
/* Refreshes, and finishes what is stale unless another process is at it. */
int container_repair(struct engine *e, struct container *c, struct err *err);
/* container_load for a verb that holds the container's lock, by full id. What ended and is still on its way to be cleaned up or started again is
 * taken over: finished, and whoever was at it finds its lock on monitor.pid void. ERR_NOT_FOUND where that removed it (--rm). */
int container_load_locked(struct engine *e, const char *id, struct container *ret, struct err *err);
/* container_finish for a caller that holds the lock, and will start it again or remove the run directory. c->status is the last word. */
int container_finish_locked(struct engine *e, struct container *c, struct err *err);
/* Root, logs, run directory, leases, row: all of it. volumes: anonymous ones too. */
int container_destroy(struct engine *e, struct container *c, bool volumes, struct err *err);
/* Finishes a container whose end was seen and starts it once more, counting; unless it was stopped or taken over meanwhile. care: the lock on
 * monitor.pid, let go only when nobody can come between. */
int container_start_again(struct engine *e, const char *id, int *care, struct err *err);
/* For who is about to end a container: a session that promises its monitor to finish it (ATTACH_CLEAN_MINE), or -1. Then, after its end:
 * the exit was seen (1), the monitor went away (0); and the word that it is done. */
int session_open(struct engine *e, const char *id, bool want_stdin, bool output, struct err *err);
int session_promise(struct engine *e, const char *id);
int session_exit_read(int fd, int32_t *ret_status, struct err *err);
void session_cleaned(int fd);
/* Has the container's monitor keep a port of the host from others, or let it go. */
bool session_port(struct engine *e, const char *id, const struct attach_port *p);
char *container_cgroup_path(const struct container *c);

/* --- names (names.c) --- */
/* "adjective_surname"; attempt > 0 appends digits. Heap. */
char *container_name_random(unsigned attempt);
bool container_name_valid(const char *name);

/* --- volumes --- */
/* Takes the container's volumes in the caller's transaction: creates anonymous ones, writes their names into the mounts' sources. */
int volumes_claim(struct engine *e, struct container *c, struct err *err);
int volumes_unclaim(struct engine *e, const struct container *c, bool remove_anonymous, struct err *err);
/* Begins the name of a folder in volumes/ that is on its way out. */
#define VOLUME_REMOVED ".removed-"
char *volume_path(const struct engine *e, const char *name);
/* Copies what the image has at the target into a fresh volume (docker's rule), once. */
int volume_populate(struct engine *e, const char *name, int root_fd, const char *target, struct err *err);

/* --- limits of size (quota.c); leases and releases in the caller's transaction. Without such an option all of it does nothing --- */
struct quota_limit;
int storage_opt_parse(char *const *options, struct quota_limit *ret, struct err *err);
/* Could it be done here? ERR_UNSUPPORTED says why not. */
int container_quota_check(struct engine *e, const struct container_config *c, struct err *err);
int container_quota_lease(struct engine *e, const struct container *c, struct err *err);
/* For a root that is there; again before each start. */
int container_quota_apply(struct engine *e, const struct container *c, struct err *err);
/* After its files have gone. */
int container_quota_release(struct engine *e, const struct container *c, struct err *err);
int volume_quota_parse(char *const *options, struct quota_limit *ret, struct err *err);
int volume_quota_apply(struct engine *e, const char *name, const struct quota_limit *limit, struct err *err);
int volume_quota_release(struct engine *e, const char *name, struct err *err);
/* Whether anything the container writes to has a limit, which it must not have the means to get round. */
int quota_binds(struct engine *e, const struct container_config *c, bool *ret, struct err *err);
int quota_forget_lost(struct engine *e, bool repair, unsigned *ret_found, struct err *err);

enum restart_kind { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNLESS_STOPPED };
/* "on-failure:3"; *ret_max 0: no limit. */
int restart_policy_parse(const char *text, enum restart_kind *ret_kind, uint32_t *ret_max, struct err *err);
/* What only this host can tell (config_host.c); what its kernel does not know is dropped with a warning. */
int container_config_check_host(struct container_config *c, struct err *err);
int signal_parse(const char *text, struct err *err);   /* "KILL", "SIGKILL", "9"; -1 */

/* --- exec (exec.c, exec_detached.c) --- */
/* The process becomes our child. */
int exec_here(struct engine *e, struct container *c, const struct exec_request *x, const int stdio[3], struct exec_session *ret, struct err *err);
int exec_detached(struct engine *e, struct container *c, const struct exec_request *x, const char *id, struct err *err);

/* --- health (health.c, probe.c) --- */
/* What the definition asks for, docker's defaults filled in; false: no checks. */
struct health_plan { int64_t interval, timeout, start_period, start_interval; uint32_t retries; };
bool health_plan(const struct container_config *c, struct health_plan *ret);
/* The last word on its health: HEALTH_NONE without checks. run_dir: -1 where it does not run. */
enum container_health health_now(const struct container *c, int run_dir);
struct health_result { int64_t start, end; int32_t exit_code; const char *output; };
/* Takes a result in: the state after it. docker's rules. *ret_changed: it was another before. */
int health_record(const struct container *c, int run_dir, const struct health_result *r, enum container_health *ret, bool *ret_changed,
                  struct err *err);
/* State.Health of docker's inspect; NULL without checks. */
json_t *health_document(struct engine *e, const struct container *c);
/* At a start: nothing of an earlier run is left. At the end: what was found is kept beside the log. */
void health_forget(int run_dir);
void health_keep(struct engine *e, const struct container *c);
/* What --health-on-failure asks for; returns when its process has ended. */
int container_end_unhealthy(struct engine *e, struct container *c, struct err *err);
#define OOM_MARK "oom"                 /* in the run directory: its end need not tell of it any more */
#define UNHEALTHY_MARK "unhealthy"     /* in the run directory: to be started again, whatever its policy */

/* --- events (events/events.h); called when it is done --- */
void container_tell_one(struct engine *e, const struct container *c, const char *action, const char *key, const char *value);
/* "oom" where it was, and "die"; c->status is the last word. */
struct container_meter;
void container_tell_died(struct engine *e, const struct container *c, const struct container_meter *used /* or NULL */);
void container_tell_network(struct engine *e, const struct container *c, const struct network *n, const char *action);

#endif

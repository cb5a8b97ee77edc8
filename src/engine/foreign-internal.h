/* Containers that another OCI runtime makes (--runtime): runc, crun, or whatever has their command line.
 *
 * The definition, network, output, log, exit code and restarts are ours as always; what runtime/ does otherwise, the program does. It is given a
 * bundle in the run directory, with the same spec as JSON, and keeps its own state there too:
 *     RUN/containers/<id>/oci/bundle/{config.json,rootfs}    the root is mounted in a mount namespace that lives for the creation only
 *     RUN/containers/<id>/oci/root/                          its --root
 * The init it leaves behind becomes a child of the monitor-to-be, which is a subreaper, and is waited for as one of ours.
 *
 * Order: foreign_create, foreign_start; then any of the verbs; foreign_delete at the end, also after a creation that was cut short.
 * What the program says of a failure becomes "OCI runtime VERB failed: ...", and ERR_NO_COMMAND or ERR_CANNOT_RUN where its words tell so. */
#ifndef TARE_ENGINE_FOREIGN_INTERNAL_H
#define TARE_ENGINE_FOREIGN_INTERNAL_H

#include "engine/containers.h"
#include "engine/spec-internal.h"
#include "runtime/container.h"

/* Whether it names another runtime: not empty and not "tare". */
bool runtime_is_foreign(const char *name);
/* The program of that name: a path is taken as it is, a name is searched for in PATH and beside us. Heap. */
int foreign_program(const char *name, char **ret, struct err *err);

/* stdio, -1: none; without a terminal it becomes the process's. init: path of the reaper for --init, or NULL. plan->spec is made fit for a bundle.
 * Afterwards the process waits for the start; ret->cgroup stays NULL. */
struct foreign_create { const int *stdio; const char *init; };
int foreign_create(struct engine *e, const struct container *c, struct start_plan *plan, const struct foreign_create *how,
                   struct runtime_container *ret, struct err *err);
int foreign_start(struct engine *e, const struct container *c, struct err *err);
int foreign_kill(struct engine *e, const struct container *c, int signo, struct err *err);
int foreign_pause(struct engine *e, const struct container *c, bool pause, struct err *err);
/* Processes by the program's account. *ret is heap. */
int foreign_pids(struct engine *e, const struct container *c, pid_t **ret, size_t *ret_count, struct err *err);
/* Success when there is nothing to delete. */
int foreign_delete(struct engine *e, const struct container *c, struct err *err);
/* The calling process becomes a subreaper and the process its child. */
int foreign_exec(struct engine *e, const struct container *c, const struct oci_process *process, const int stdio[3],
                 struct runtime_exec_result *ret, struct err *err);

/* --- between the files of it --- */
struct foreign {
        char *program;
        char *dir;                     /* RUN/containers/<id>/oci */
        char *id;
};
void foreign_done(struct foreign *f);
#define _cleanup_foreign_ _cleanup_(foreign_done)
int foreign_open(struct engine *e, const struct container *c, struct foreign *ret, struct err *err);
/* program --root .. --log .. VERB WORDS... ID, to its end. output: its stdout, or NULL. */
int foreign_run(const struct foreign *f, const char *verb, char *const *words, const int stdio[3], struct buf *output, struct err *err);
/* A socket on which the program hands over the terminal: its name for --console-socket in *ret_path (heap), the descriptor returned. dir_fd
 * stays open until it has been used. */
int foreign_console_listen(int dir_fd, const char *name, char **ret_path, struct err *err);
int foreign_console_take(int listening, struct err *err);
/* The process that --pid-file names. */
int foreign_pid_read(const char *path, pid_t *ret_pid, int *ret_pidfd, struct err *err);

#endif

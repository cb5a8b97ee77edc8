/* tare-oci inside: one record a verb, one struct for the options of all verbs, and what verbs share.
 *
 * The command line is runc's, because containerd, dockerd, podman and CRI-O speak that one. A verb returns the exit code of
 * the program, or -1 with an error that main() logs the way runc does (log.c) and turns into the verb's error code. */
#ifndef TARE_OCIRUNTIME_PROGRAM_INTERNAL_H
#define TARE_OCIRUNTIME_PROGRAM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/runtime_spec.h"

#define OCIRUNTIME_SPEC_VERSION "1.2.0"
#define OCIRUNTIME_CONFIG_MAX ((size_t)16 << 20)

struct program {               /* the global options */
        char *root, *log, *log_format, *criu, *rootless, *cgroup_manager;
        bool systemd_cgroup, debug, help, version;
};

struct verb_options {          /* of all verbs; NULL or false: not given */
        char *bundle, *config, *console_socket, *pidfd_socket, *pid_file;
        bool no_pivot, no_new_keyring, detach, keep, no_subreaper;
        int64_t preserve_fds;
        char *process, *user, *cwd, *process_label, *apparmor;
        char **cgroups, **env, **additional_gids, **caps;
        bool tty, no_new_privs, ignore_paused;
        bool all, force, regex, quiet, stats, rootless;
        char *format, *interval, *resources;
        char *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_rt_period, *cpu_rt_runtime, *cpuset_cpus, *cpuset_mems;
        char *memory, *memory_reservation, *memory_swap, *kernel_memory, *kernel_memory_tcp, *pids_limit, *cpu_idle;
        char *l3_cache_schema, *mem_bw_schema;
        char *image_path, *work_path, *parent_path, *page_server, *status_fd, *manage_cgroups_mode, *lsm_profile, *lsm_mount_context;
        char **empty_ns;
        bool leave_running, pre_dump, tcp_established, ext_unix_sk, shell_job, lazy_pages, file_locks, auto_dedup;
        bool help;
};

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_LIST, OPTION_NUMBER };
struct option_row {
        char letter;           /* 0: none */
        const char *name;      /* NULL ends a table */
        enum option_kind kind; /* bool, char *, char **, int64_t */
        size_t offset;
        const char *help;
};

struct verb {
        const char *name, *args, *summary;
        const struct option_row *options;      /* or NULL */
        int min_args, max_args;                /* max -1: any number */
        bool stop_at_args;                     /* what follows the container is not ours */
        const char *failed;                    /* put before errors, or NULL */
        int error_code;                        /* 0: 1 */
        int (*run)(const struct program *p, const struct verb_options *o, char **args, struct err *err);
};
extern const struct verb verbs[];              /* ended by a NULL name */
extern const struct option_row global_rows[];

/* ---- options.c ---- */
/* Go's flag syntax: -x, --x, -x=v, --x v. *ret_args: heap array of pointers into argv. */
int options_parse(const struct option_row *rows, bool stop_at_args, int argc, char **argv, void *options, bool *help, char ***ret_args, struct err *err);
void options_done(const struct option_row *rows, void *options);
const struct verb *verb_find(const char *name);
int verb_check_args(const struct verb *v, char *const *args, struct err *err);
void verb_print_help(const struct verb *v);
void program_print_help(void);

/* ---- log.c ---- */
/* Opens the log file (NULL: stderr); format "text" or "json". */
int log_open(const char *path, const char *format, bool debug, struct err *err);
void log_error(const char *message);
bool log_is_stderr(void);

/* ---- rootless.c ---- */
/* Whether control groups that cannot be made are no failure: what --rootless says, else (p may be NULL) whether we are
 * without privilege on the host. */
bool program_is_rootless(const struct program *p);

/* ---- the verbs ---- */
#define VERB(name) int verb_##name(const struct program *p, const struct verb_options *o, char **args, struct err *err)
VERB(create);
VERB(run);
VERB(start);
VERB(state);
VERB(list);
VERB(kill);
VERB(delete);
VERB(pause);
VERB(resume);
VERB(exec);
VERB(ps);
VERB(update);
VERB(events);
VERB(spec);
VERB(features);
VERB(checkpoint);
VERB(restore);

/* ---- console.c, foreground.c, process.c ---- */
/* Refuses --console-socket and terminal that do not fit, in runc's words. */
int console_check(bool terminal, bool detach, const char *socket, struct err *err);
/* Sends the master of a terminal to whoever listens on the socket. */
int console_send(const char *socket, int master, struct err *err);
/* Connects to a socket by its path, which may be longer than an address. */
int socket_connect(int sock, const char *path, struct err *err);
/* Sends a process. */
int pidfd_send(const char *socket, int pidfd, struct err *err);

/* Signals to pass on are held back from here on, so that none comes between the start and the wait. */
void foreground_begin(void);
/* Passes signals (and a terminal, and what it notifies us of: console_fd and notify_fd are taken when >= 0) on to the child until it ends; its
 * shell-style status. */
int foreground_wait(pid_t pid, int pidfd, int console_fd, int notify_fd, int *ret_status, struct err *err);

/* The resources that the options of update say. */
int resources_from_options(const struct verb_options *o, struct oci_resources *r, struct err *err);

/* Descriptors 3.. that go to the container: those of socket activation, and N more. To be asked for before the first file of
 * ours is opened, whose number could be one of theirs. listen_environment() tells the process of the first kind. */
struct preserved { int count, listen; };
int preserved_descriptors(const struct verb_options *o, struct preserved *ret, struct err *err);
void listen_environment(struct oci_process *process, const struct preserved *preserved);
int pid_file_write(const char *path, pid_t pid, struct err *err);
int file_text(int dir_fd, const char *path, struct buf *b, struct err *err);
/* The values of exec --cgroup as runtime_exec's sub_cgroups. */
int sub_cgroups_parse(char *const *texts, char ***ret, struct err *err);
/* A number of a signal from "KILL", "SIGKILL" or "9". */
int signal_parse(const char *text, int *ret, struct err *err);
/* Makes a path of an option absolute, as verbs change into the bundle; NULL stays. Heap. */
char *path_absolute(const char *path);

#endif

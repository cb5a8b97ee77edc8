#include <stdio.h>
#include "ociruntime/program-internal.h"

/* ---- tables ---- */

#define G(letter, name, kind, member, help) { letter, name, kind, offsetof(struct program, member), help }
#define O(letter, name, kind, member, help) { letter, name, kind, offsetof(struct verb_options, member), help }
#define FLAG OPTION_FLAG
#define TEXT OPTION_TEXT
#define LIST OPTION_LIST
#define NUMBER OPTION_NUMBER

const struct option_row global_rows[] = {
        G(0, "root", TEXT, root, "folder of the containers' state (default: /run/tare-oci)"),
        G(0, "log", TEXT, log, "file that errors and warnings are appended to (default: stderr)"),
        G(0, "log-format", TEXT, log_format, "format of the log: text (default) or json"),
        G(0, "systemd-cgroup", FLAG, systemd_cgroup, "let systemd make the control groups (cgroupsPath \"slice:prefix:name\")"),
        G(0, "cgroup-manager", TEXT, cgroup_manager, "crun's words for that: cgroupfs (default) or systemd"),
        G(0, "criu", TEXT, criu, "the criu program of checkpoint and restore (default: criu, looked for in PATH)"),
        G(0, "rootless", TEXT, rootless, "do without control groups that may not be made: true, false or auto (default)"),
        G(0, "debug", FLAG, debug, "log debugging messages too"),
        G('v', "version", FLAG, version, "print the version"),
        G('h', "help", FLAG, help, "print this help"),
        {},
};

#define CREATE_ROWS                                                                                                    \
        O('b', "bundle", TEXT, bundle, "folder of config.json (default: the working directory)"),                     \
        O('f', "config", TEXT, config, "the configuration, where it is not the bundle's config.json"),                \
        O(0, "console-socket", TEXT, console_socket, "unix socket that is sent the master of the terminal"),          \
        O(0, "pidfd-socket", TEXT, pidfd_socket, "unix socket that is sent a pidfd of init"),                         \
        O(0, "pid-file", TEXT, pid_file, "file to write the process id of init to"),                                  \
        O(0, "no-pivot", FLAG, no_pivot, "move the root instead of pivot_root (on a ramdisk)"),                       \
        O(0, "no-new-keyring", FLAG, no_new_keyring, "keep the caller's session keyring"),                            \
        O(0, "no-subreaper", FLAG, no_subreaper, "do not become the parent of orphans (run)"),                        \
        O(0, "preserve-fds", NUMBER, preserve_fds, "pass N further descriptors on, after those of LISTEN_FDS")

static const struct option_row create_rows[] = { CREATE_ROWS, {} };
static const struct option_row run_rows[] = {
        CREATE_ROWS,
        O('d', "detach", FLAG, detach, "return when the process has started"),
        O(0, "keep", FLAG, keep, "do not delete the container when it has ended"),
        {},
};
static const struct option_row exec_rows[] = {
        O(0, "console-socket", TEXT, console_socket, "unix socket that is sent the master of the terminal"),
        O(0, "cwd", TEXT, cwd, "working directory in the container"),
        O('e', "env", LIST, env, "set an environment variable"),
        O('t', "tty", FLAG, tty, "give it a terminal"),
        O('u', "user", TEXT, user, "user id, or user id:group id"),
        O('g', "additional-gids", LIST, additional_gids, "further group ids"),
        O('p', "process", TEXT, process, "file with the process as JSON"),
        O('d', "detach", FLAG, detach, "return when the process has started"),
        O(0, "pid-file", TEXT, pid_file, "file to write the process id to"),
        O(0, "process-label", TEXT, process_label, "SELinux label"),
        O(0, "apparmor", TEXT, apparmor, "AppArmor profile"),
        O(0, "no-new-privs", FLAG, no_new_privs, "set no_new_privs"),
        O('c', "cap", LIST, caps, "add a capability"),
        O(0, "preserve-fds", NUMBER, preserve_fds, "pass N further descriptors on, after those of LISTEN_FDS"),
        O(0, "cgroup", LIST, cgroups, "an existing control group below the container's, [controller,...:]path"),
        O(0, "pidfd-socket", TEXT, pidfd_socket, "unix socket that is sent a pidfd of the process"),
        O(0, "ignore-paused", FLAG, ignore_paused, "start it in a paused container: it waits there"),
        {},
};
static const struct option_row kill_rows[] = { O('a', "all", FLAG, all, "to all processes of the container"), {} };
static const struct option_row delete_rows[] = { O('f', "force", FLAG, force, "kill it first; a missing container is no error"),
                                                 O('r', "regex", FLAG, regex, "all whose names match the extended regular expression"), {} };
static const struct option_row list_rows[] = { O('f', "format", TEXT, format, "table (default) or json"),
                                               O('q', "quiet", FLAG, quiet, "only the ids"), {} };
static const struct option_row ps_rows[] = { O('f', "format", TEXT, format, "table (default) or json"), {} };
static const struct option_row update_rows[] = {
        O('r', "resources", TEXT, resources, "file with resources as in config.json, - for stdin; other options do not count then"),
        O(0, "blkio-weight", TEXT, blkio_weight, "share of block I/O, 10 to 1000"),
        O(0, "cpu-period", TEXT, cpu_period, "period of the CPU quota, microseconds"),
        O(0, "cpu-quota", TEXT, cpu_quota, "CPU time in a period, microseconds; -1: unlimited"),
        O(0, "cpu-burst", TEXT, cpu_burst, "CPU time that may be saved up, microseconds"),
        O(0, "cpu-share", TEXT, cpu_share, "share of CPU time"),
        O(0, "cpu-rt-period", TEXT, cpu_rt_period, "realtime period, microseconds"),
        O(0, "cpu-rt-runtime", TEXT, cpu_rt_runtime, "realtime CPU time in a period, microseconds"),
        O(0, "cpuset-cpus", TEXT, cpuset_cpus, "processors to use"),
        O(0, "cpuset-mems", TEXT, cpuset_mems, "memory nodes to use"),
        O(0, "cpu-idle", TEXT, cpu_idle, "1: only when nobody else wants the CPU"),
        O(0, "memory", TEXT, memory, "limit of memory, bytes"),
        O(0, "memory-reservation", TEXT, memory_reservation, "soft limit of memory, bytes"),
        O(0, "memory-swap", TEXT, memory_swap, "limit of memory and swap, bytes; -1: unlimited"),
        O(0, "kernel-memory", TEXT, kernel_memory, "accepted and ignored, as kernels do"),
        O(0, "kernel-memory-tcp", TEXT, kernel_memory_tcp, "accepted and ignored"),
        O(0, "pids-limit", TEXT, pids_limit, "limit of processes; -1: unlimited"),
        O(0, "l3-cache-schema", TEXT, l3_cache_schema, "Intel RDT cache allocation"),
        O(0, "mem-bw-schema", TEXT, mem_bw_schema, "Intel RDT memory bandwidth"),
        {},
};
static const struct option_row events_rows[] = { O(0, "interval", TEXT, interval, "time between two statistics (default: 5s)"),
                                                 O(0, "stats", FLAG, stats, "print the statistics once"), {} };
static const struct option_row spec_rows[] = { O('b', "bundle", TEXT, bundle, "folder to write config.json into"),
                                               O(0, "rootless", FLAG, rootless, "for a user without privileges"), {} };
#define CHECKPOINT_ROWS                                                                                                        \
        O(0, "image-path", TEXT, image_path, "folder of the images (default: ./checkpoint)"),                                 \
        O(0, "work-path", TEXT, work_path, "folder of criu's logs (default: that of the images)"),                            \
        O(0, "tcp-established", FLAG, tcp_established, "with open TCP connections"),                                          \
        O(0, "ext-unix-sk", FLAG, ext_unix_sk, "with unix sockets whose other end is outside"),                               \
        O(0, "shell-job", FLAG, shell_job, "with a terminal or session of the outside"),                                      \
        O(0, "lazy-pages", FLAG, lazy_pages, "leave memory to be fetched once it is used"),                                   \
        O(0, "file-locks", FLAG, file_locks, "with file locks"),                                                              \
        O(0, "manage-cgroups-mode", TEXT, manage_cgroups_mode, "what of control groups: soft (default), full, strict or ignore"), \
        O(0, "empty-ns", LIST, empty_ns, "keep only that there is such a namespace: network (always so)"),                    \
        O(0, "auto-dedup", FLAG, auto_dedup, "drop pages from the images as they are used")

static const struct option_row checkpoint_rows[] = {
        CHECKPOINT_ROWS,
        O(0, "parent-path", TEXT, parent_path, "images of an earlier --pre-dump, relative to --image-path"),
        O(0, "leave-running", FLAG, leave_running, "the container goes on"),
        O(0, "pre-dump", FLAG, pre_dump, "only memory; the container goes on"),
        O(0, "page-server", TEXT, page_server, "ADDRESS:PORT to send memory to, or with --lazy-pages to serve it at"),
        O(0, "status-fd", TEXT, status_fd, "descriptor that is written a NUL once lazy pages are served"),
        {},
};
static const struct option_row restore_rows[] = {
        CHECKPOINT_ROWS,
        O('b', "bundle", TEXT, bundle, "folder of config.json (default: the working directory)"),
        O(0, "console-socket", TEXT, console_socket, "unix socket that is sent the master of the terminal"),
        O(0, "pid-file", TEXT, pid_file, "file to write the process id of init to"),
        O('d', "detach", FLAG, detach, "return when the container runs again"),
        O(0, "no-subreaper", FLAG, no_subreaper, "do not become the parent of orphans"),
        O(0, "no-pivot", FLAG, no_pivot, "accepted: the root is criu's to change"),
        O(0, "lsm-profile", TEXT, lsm_profile, "TYPE:NAME of the security profile to restore with"),
        O(0, "lsm-mount-context", TEXT, lsm_mount_context, "security context to mount with"),
        {},
};

const struct verb verbs[] = {
        { "create", "CONTAINER", "create a container from a bundle; its process waits for start", create_rows, 1, 1, false, "create failed", 0, verb_create },
        { "start", "CONTAINER", "start the process of a created container", NULL, 1, 1, false, NULL, 0, verb_start },
        { "state", "CONTAINER", "print the state of a container", NULL, 1, 1, false, NULL, 0, verb_state },
        { "kill", "CONTAINER [SIGNAL]", "send a signal (default: TERM) to the container's init", kill_rows, 1, 2, false, NULL, 0, verb_kill },
        { "delete", "CONTAINER", "remove what is left of a container", delete_rows, 1, 1, false, NULL, 0, verb_delete },
        { "run", "CONTAINER", "create and start a container and wait for it", run_rows, 1, 1, false, "run failed", 0, verb_run },
        { "exec", "CONTAINER [COMMAND [ARG...]]", "run a further process in a container", exec_rows, 1, -1, true, "exec failed", 255, verb_exec },
        { "ps", "CONTAINER [PS OPTIONS]", "list the processes of a container", ps_rows, 1, -1, true, NULL, 0, verb_ps },
        { "list", "", "list the containers below --root", list_rows, 0, 0, false, NULL, 0, verb_list },
        { "pause", "CONTAINER", "freeze all processes of a container", NULL, 1, 1, false, NULL, 0, verb_pause },
        { "resume", "CONTAINER", "let them go on", NULL, 1, 1, false, NULL, 0, verb_resume },
        { "update", "CONTAINER", "change the limits of a container", update_rows, 1, 1, false, NULL, 0, verb_update },
        { "events", "CONTAINER", "print statistics and out-of-memory events", events_rows, 1, 1, false, NULL, 0, verb_events },
        { "spec", "", "write a config.json to start from", spec_rows, 0, 0, false, NULL, 0, verb_spec },
        { "features", "", "print what this runtime can, as JSON", NULL, 0, 0, false, NULL, 0, verb_features },
        { "checkpoint", "CONTAINER", "write a running container to files (needs criu)", checkpoint_rows, 1, 1, false, NULL, 0, verb_checkpoint },
        { "restore", "CONTAINER", "make a container of a bundle from such files (needs criu)", restore_rows, 1, 1, false, NULL, 0, verb_restore },
        {},
};

/* ---- parsing ---- */

static const struct option_row *row_find(const struct option_row *rows, const char *name, size_t len)
{
        for (const struct option_row *r = rows; r && r->name; r++)
                if ((strlen(r->name) == len && memcmp(r->name, name, len) == 0) || (len == 1 && r->letter == name[0]))
                        return r;
        return NULL;
}

static int option_set(const struct option_row *row, void *options, const char *text, struct err *err)
{
        void *field = (char *)options + row->offset;
        int r = 0;
        switch (row->kind) {
        case OPTION_FLAG:
                r = parse_bool(text ? text : "true", field, err);
                break;
        case OPTION_NUMBER:
                r = parse_i64(text, field, err);
                break;
        case OPTION_TEXT:
                str_replace(field, text);
                break;
        case OPTION_LIST:
                strv_push(field, text);
                break;
        }
        return r < 0 ? err_add(err, "invalid value \"%s\" for flag -%s", text ? text : "", row->name) : 0;
}

/* One word with a dash; *at is the word after it. 1: it asks for help. */
static int option_take(const struct option_row *rows, const char *word, int *at, int argc, char **argv, void *options, struct err *err)
{
        const char *name = word + (word[1] == '-' ? 2 : 1);
        size_t len = strcspn(name, "=");
        const struct option_row *row = row_find(rows, name, len);
        if (!row && (str_eq(name, "help") || str_eq(name, "h")))
                return 1;
        if (!row || !len)
                return err_set(err, ERR_INVALID, "flag provided but not defined: -%.*s", (int)len, name);
        if (name[len])
                return option_set(row, options, name + len + 1, err);
        if (row->kind == OPTION_FLAG)
                return option_set(row, options, NULL, err);
        if (*at >= argc)
                return err_set(err, ERR_INVALID, "flag needs an argument: -%s", row->name);
        return option_set(row, options, argv[(*at)++], err);
}

int options_parse(const struct option_row *rows, bool stop_at_args, int argc, char **argv, void *options, bool *help, char ***ret_args, struct err *err)
{
        _cleanup_free_ char **args = xcalloc((size_t)argc + 1, sizeof(char *));
        size_t count = 0;
        bool only_args = false;
        for (int at = 0; at < argc;) {
                char *word = argv[at++];
                if (only_args || word[0] != '-' || !word[1]) {
                        args[count++] = word;
                        only_args = only_args || stop_at_args;
                } else if (str_eq(word, "--")) {
                        only_args = true;
                } else {
                        int r = option_take(rows, word, &at, argc, argv, options, err);
                        if (r < 0)
                                return -1;
                        *help = *help || r == 1;
                }
        }
        *ret_args = TAKE_PTR(args);
        return 0;
}

void options_done(const struct option_row *rows, void *options)
{
        for (const struct option_row *r = rows; r && r->name; r++) {
                void **field = (void **)((char *)options + r->offset);
                if (r->kind == OPTION_TEXT)
                        free(*field);
                else if (r->kind == OPTION_LIST)
                        strv_free(*(char ***)field);
                else
                        continue;
                *field = NULL; /* two rows may name one member */
        }
}

const struct verb *verb_find(const char *name)
{
        for (const struct verb *v = verbs; v->name; v++)
                if (str_eq(v->name, name))
                        return v;
        return NULL;
}

int verb_check_args(const struct verb *v, char *const *args, struct err *err)
{
        int count = (int)strv_len(args);
        if (count >= v->min_args && (v->max_args < 0 || count <= v->max_args))
                return 0;
        if (v->min_args == v->max_args)
                return err_set(err, ERR_INVALID, "tare-oci: \"%s\" requires exactly %d argument(s)", v->name, v->min_args);
        if (count < v->min_args)
                return err_set(err, ERR_INVALID, "tare-oci: \"%s\" requires a minimum of %d argument(s)", v->name, v->min_args);
        return err_set(err, ERR_INVALID, "tare-oci: \"%s\" requires a maximum of %d argument(s)", v->name, v->max_args);
}

/* ---- help ---- */

static void print_rows(const struct option_row *rows)
{
        for (const struct option_row *r = rows; r && r->name; r++) {
                _cleanup_free_ char *letter = r->letter ? xasprintf(", -%c", r->letter) : xstrdup("");
                _cleanup_free_ char *left = xasprintf("--%s%s%s", r->name, r->kind == OPTION_FLAG ? "" : " value", letter);
                printf("   %-32s %s\n", left, r->help);
        }
}

void verb_print_help(const struct verb *v)
{
        printf("tare-oci %s - %s\n\nUsage: tare-oci %s%s %s\n", v->name, v->summary, v->name, v->options ? " [options]" : "", v->args);
        if (v->options)
                printf("\nOptions:\n");
        print_rows(v->options);
}

void program_print_help(void)
{
        printf("tare-oci - run containers from OCI bundles, with the command line of runc\n\n"
               "Usage: tare-oci [global options] command [options] [arguments]\n\nCommands:\n");
        for (const struct verb *v = verbs; v->name; v++)
                printf("   %-12s %s\n", v->name, v->summary);
        printf("\nGlobal options:\n");
        print_rows(global_rows);
}

#include <inttypes.h>
#include "base/str.h"
#include "runtime/attach.h"

/* One table for both directions. A row whose value is the default is left out of the command line. */
enum option_kind { OPTION_TEXT, OPTION_INT, OPTION_U32, OPTION_I64, OPTION_U64, OPTION_BOOL };
static const struct option_row {
        const char *name;
        enum option_kind kind;
        size_t offset;
} option_rows[] = {
#define O(name, kind, member)                                                                                          \
        {                                                                                                              \
                name, kind, offsetof(struct monitor_options, member)                                                   \
        }
        O("id", OPTION_TEXT, id),
        O("name", OPTION_TEXT, name),
        O("run-dir", OPTION_TEXT, run_dir),
        O("pid", OPTION_INT, pid),
        O("start-ticks", OPTION_U64, start_ticks),
        O("started", OPTION_I64, started),
        O("out-fd", OPTION_INT, out_fd),
        O("err-fd", OPTION_INT, err_fd),
        O("in-fd", OPTION_INT, in_fd),
        O("console-fd", OPTION_INT, console_fd),
        O("client-fd", OPTION_INT, client_fd),
        O("listen-fd", OPTION_INT, listen_fd),
        O("lock-fd", OPTION_INT, lock_fd),
        O("open-stdin", OPTION_BOOL, open_stdin),
        O("stdin-once", OPTION_BOOL, stdin_once),
        O("log-driver", OPTION_TEXT, log_driver),
        O("log-path", OPTION_TEXT, log_path),
        O("log-max-size", OPTION_U64, log_max_size),
        O("log-max-files", OPTION_U32, log_max_files),
        O("log-packer", OPTION_TEXT, log_packer),
        O("log-address", OPTION_TEXT, log_address),
        O("log-format", OPTION_TEXT, log_format),
        O("log-facility", OPTION_U32, log_facility),
        O("log-ring", OPTION_U64, log_ring),
        O("restart", OPTION_TEXT, restart),
        O("restarts", OPTION_U32, restarts),
        O("auto-remove", OPTION_BOOL, auto_remove),
        O("cleanup-program", OPTION_TEXT, cleanup_program),
        O("remove-at-end", OPTION_TEXT, remove_at_end),
        O("cgroup-path", OPTION_TEXT, cgroup_path),
        O("net-fd", OPTION_INT, net_fd),
        O("port-fds-first", OPTION_INT, port_fds_first),
        O("port-fds-count", OPTION_INT, port_fds_count),
        O("exec-id", OPTION_TEXT, exec_id),
        O("watch-oom", OPTION_BOOL, watch_oom),
        O("health-interval", OPTION_I64, health_interval),
        O("health-start-interval", OPTION_I64, health_start_interval),
        O("health-start-period", OPTION_I64, health_start_period),
#undef O
};

_Static_assert(sizeof(pid_t) == sizeof(int), "pids are in the table as int");

void monitor_options_init(struct monitor_options *o)
{
        *o = (struct monitor_options){ .out_fd = -1,
                                       .err_fd = -1,
                                       .in_fd = -1,
                                       .console_fd = -1,
                                       .client_fd = -1,
                                       .listen_fd = -1,
                                       .lock_fd = -1,
                                       .net_fd = -1,
                                       .port_fds_first = -1 };
}

/* The value as text on the heap, NULL for a missing string. */
static char *option_format(const struct option_row *row, const struct monitor_options *o)
{
        const void *member = (const char *)o + row->offset;
        switch (row->kind) {
        case OPTION_TEXT:
                return *(char *const *)member ? xstrdup(*(char *const *)member) : NULL;
        case OPTION_INT:
                return xasprintf("%d", *(const int *)member);
        case OPTION_U32:
                return xasprintf("%" PRIu32, *(const uint32_t *)member);
        case OPTION_I64:
                return xasprintf("%" PRId64, *(const int64_t *)member);
        case OPTION_U64:
                return xasprintf("%" PRIu64, *(const uint64_t *)member);
        case OPTION_BOOL:
                return xstrdup(*(const bool *)member ? "true" : "false");
        }
        return NULL;
}

char **monitor_options_to_argv(const struct monitor_options *o, const char *program)
{
        struct monitor_options defaults;
        monitor_options_init(&defaults);
        char **argv = NULL;
        strv_push(&argv, program);
        for (size_t i = 0; i < ELEMENTS(option_rows); i++) {
                _cleanup_free_ char *value = option_format(&option_rows[i], o);
                _cleanup_free_ char *without = option_format(&option_rows[i], &defaults);
                if (value && !str_eq(value, without))
                        strv_push_take(&argv, xasprintf("--%s=%s", option_rows[i].name, value));
        }
        return argv;
}

static int option_set_int(int *member, const char *value, struct err *err)
{
        int64_t number;
        if (parse_i64(value, &number, err) < 0)
                return -1;
        if (number < INT32_MIN || number > INT32_MAX)
                return err_set(err, ERR_INVALID, "\"%s\" is out of range", value);
        *member = (int)number;
        return 0;
}

static int option_set(const struct option_row *row, char *value, struct monitor_options *o, struct err *err)
{
        void *member = (char *)o + row->offset;
        switch (row->kind) {
        case OPTION_TEXT:
                *(char **)member = value;
                return 0;
        case OPTION_INT:
                return option_set_int(member, value, err);
        case OPTION_U32:
                return parse_u32(value, member, err);
        case OPTION_I64:
                return parse_i64(value, member, err);
        case OPTION_U64:
                return parse_u64(value, member, err);
        case OPTION_BOOL:
                return parse_bool(value, member, err);
        }
        return -1;
}

static int option_parse(char *arg, struct monitor_options *o, struct err *err)
{
        const char *body = str_after(arg, "--");
        char *equals = body ? strchr(arg, '=') : NULL;
        if (!equals)
                return err_set(err, ERR_INVALID, "expected --name=value: \"%s\"", arg);
        size_t len = (size_t)(equals - body);
        for (size_t i = 0; i < ELEMENTS(option_rows); i++) {
                const struct option_row *row = &option_rows[i];
                if (strlen(row->name) != len || memcmp(row->name, body, len) != 0)
                        continue;
                if (option_set(row, equals + 1, o, err) < 0)
                        return err_add(err, "--%s", row->name);
                return 0;
        }
        return err_set(err, ERR_INVALID, "unknown option \"%s\"", arg);
}

int monitor_options_from_argv(int argc, char **argv, struct monitor_options *ret, struct err *err)
{
        struct monitor_options o;
        monitor_options_init(&o);
        for (int i = 1; i < argc; i++)
                if (option_parse(argv[i], &o, err) < 0)
                        return -1;
        *ret = o;
        return 0;
}

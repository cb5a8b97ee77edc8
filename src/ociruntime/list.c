/* state, list and ps: what is there. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "ociruntime/lifecycle-internal.h"
#include "runtime/cgroup.h"

static json_t *state_json(struct container *c, const char *owner)
{
        const struct state *s = &c->state;
        enum container_status status = container_status(c);
        json_t *o = json_object();
        json_object_set_new(o, "ociVersion", json_string(s->oci_version ? s->oci_version : OCIRUNTIME_SPEC_VERSION));
        json_object_set_new(o, "id", json_string(s->id));
        json_object_set_new(o, "pid", json_integer(status == CONTAINER_STOPPED ? 0 : s->pid));
        json_object_set_new(o, "status", json_string(container_status_name(status)));
        json_object_set_new(o, "bundle", json_string(s->bundle));
        json_object_set_new(o, "rootfs", json_string(s->rootfs ? s->rootfs : ""));
        json_object_set_new(o, "created", json_string(s->created));
        json_set_map(o, "annotations", s->annotations);
        json_object_set_new(o, "owner", json_string(owner));
        return o;
}

int verb_state(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        _cleanup_container_ struct container c = CONTAINER_INIT;
        if (container_open(p->root, args[0], false, &c, err) < 0)
                return -1;
        _cleanup_json_ json_t *state = state_json(&c, "");
        _cleanup_free_ char *text = json_text_indented(state);
        puts(text);
        return 0;
}

/* ---- list ---- */

/* The user the folder belongs to. The name is looked up without the modules that a static program cannot load. */
static char *owner_name(int dir_fd)
{
        struct stat st;
        if (fstat(dir_fd, &st) < 0)
                return xstrdup("");
        _cleanup_fclose_ FILE *f = fopen("/etc/passwd", "re");
        for (struct passwd *pw; f && (pw = fgetpwent(f));)
                if (pw->pw_uid == st.st_uid)
                        return xstrdup(pw->pw_name);
        return xasprintf("#%u", st.st_uid);
}

static json_t *collect(const struct program *p, struct err *err)
{
        _cleanup_strv_ char **names = NULL;
        if (containers_list(p->root, &names, err) < 0)
                return NULL;
        json_t *list = json_array();
        STRV_FOREACH (name, names) {
                _cleanup_container_ struct container c = CONTAINER_INIT;
                struct err one = ERR_INIT;
                if (container_open(p->root, *name, false, &c, &one) < 0) {
                        if (one.kind != ERR_NOT_FOUND)
                                log_warning("%s", one.msg);
                        continue;
                }
                _cleanup_free_ char *owner = owner_name(c.dir_fd);
                json_array_append_new(list, state_json(&c, owner));
        }
        return list;
}

static const char *field(const json_t *o, const char *name)
{
        return json_string_value(json_object_get(o, name));
}

static void print_table(const json_t *list)
{
        static const struct { const char *title, *key; } columns[] = { { "ID", "id" }, { "PID", "pid" }, { "STATUS", "status" },
                                                                      { "BUNDLE", "bundle" }, { "CREATED", "created" }, { "OWNER", "owner" } };
        size_t i, widths[ELEMENTS(columns)];
        json_t *row;
        for (size_t c = 0; c < ELEMENTS(columns); c++) {
                widths[c] = strlen(columns[c].title) < 9 ? 9 : strlen(columns[c].title);
                json_array_foreach (list, i, row) {
                        const char *text = field(row, columns[c].key);
                        if (text && strlen(text) > widths[c])
                                widths[c] = strlen(text);
                }
                printf("%-*s%s", c + 1 < ELEMENTS(columns) ? (int)widths[c] + 3 : 0, columns[c].title, c + 1 < ELEMENTS(columns) ? "" : "\n");
        }
        json_array_foreach (list, i, row) {
                for (size_t c = 0; c < ELEMENTS(columns); c++) {
                        bool last = c + 1 == ELEMENTS(columns);
                        const char *text = field(row, columns[c].key);
                        _cleanup_free_ char *number = xasprintf("%lld", (long long)json_integer_value(json_object_get(row, columns[c].key)));
                        printf("%-*s%s", last ? 0 : (int)widths[c] + 3, text ? text : number, last ? "\n" : "");
                }
        }
}

int verb_list(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        bool as_json = str_eq(o->format, "json");
        if (o->format && !as_json && !str_eq(o->format, "table"))
                return err_set(err, ERR_INVALID, "invalid format option");
        _cleanup_json_ json_t *list = collect(p, err);
        size_t i;
        json_t *row;
        if (!list)
                return -1;
        if (o->quiet) {
                json_array_foreach (list, i, row)
                        puts(field(row, "id"));
        } else if (as_json) {
                _cleanup_free_ char *text = json_text(list);
                puts(json_array_size(list) ? text : "null"); /* as Go prints no list */
        } else {
                print_table(list);
        }
        return 0;
}

/* ---- ps ---- */

static int find_pids(struct container *c, pid_t **ret, size_t *ret_count, struct err *err)
{
        _cleanup_(cgroup_freep) struct cgroup *cg = NULL;
        if (container_cgroup(c, &cg, err) < 0)
                return -1;
        if (cg)
                return cgroup_pids(cg, ret, ret_count, err);
        if (container_status(c) != CONTAINER_STOPPED) {
                *ret = xmemdup(&c->state.pid, sizeof(pid_t));
                *ret_count = 1;
        }
        return 0;
}

static bool has_pid(const pid_t *pids, size_t count, pid_t pid)
{
        for (size_t i = 0; i < count; i++)
                if (pids[i] == pid)
                        return true;
        return false;
}

/* The lines of ps(1) whose PID column names a process of ours, after the title. */
static int print_ps(char *text, const pid_t *pids, size_t count, struct err *err)
{
        size_t column = SIZE_MAX;
        char *save = NULL;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                _cleanup_strv_ char **words = strv_split(line, " \t", false);
                size_t n = strv_len(words);
                if (column == SIZE_MAX) {
                        for (size_t i = 0; i < n; i++)
                                if (str_eq(words[i], "PID"))
                                        column = i;
                        if (column == SIZE_MAX)
                                return err_set(err, ERR_INVALID, "couldn't find PID field in ps output");
                        puts(line);
                } else if (column < n && has_pid(pids, count, (pid_t)strtol(words[column], NULL, 10))) {
                        puts(line);
                }
        }
        return 0;
}

static int run_ps(char *const *options, const pid_t *pids, size_t count, struct err *err)
{
        _cleanup_buf_ struct buf output = BUF_INIT((size_t)64 << 20);
        _cleanup_strv_ char **argv = NULL;
        int status = 0;
        strv_push(&argv, "ps");
        if (options[0])
                strv_extend(&argv, options);
        else
                strv_push(&argv, "-ef");
        struct proc_spawn spawn = { .path = "ps", .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = 2 };
        if (proc_run(&spawn, NULL, 0, &output, &status, err) < 0)
                return err_add(err, "ps");
        if (status)
                return err_set(err, ERR_SYSTEM, "ps exited with %d", status);
        return output.len ? print_ps(output.data, pids, count, err) : 0;
}

int verb_ps(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        _cleanup_container_ struct container c = CONTAINER_INIT;
        _cleanup_free_ pid_t *pids = NULL;
        size_t count = 0;
        bool as_json = str_eq(o->format, "json");
        if (o->format && !as_json && !str_eq(o->format, "table"))
                return err_set(err, ERR_INVALID, "invalid format option");
        if (container_open(p->root, args[0], false, &c, err) < 0 || find_pids(&c, &pids, &count, err) < 0)
                return -1;
        if (!as_json)
                return run_ps(args + 1, pids, count, err);
        _cleanup_json_ json_t *list = json_array();
        for (size_t i = 0; i < count; i++)
                json_array_append_new(list, json_integer(pids[i]));
        _cleanup_free_ char *text = json_text(list);
        puts(text);
        return 0;
}

#include "engine/foreign-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "engine/engine-internal.h"

#define LOG_MAX ((size_t)1 << 20)

bool runtime_is_foreign(const char *name) { return !str_empty(name) && !str_eq(name, "tare"); }

static bool is_program(const char *path)
{
        struct stat st;
        return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Runtimes often stand in a sbin that users have not in their PATH. */
static char *program_search(const char *name)
{
        const char *path = getenv("PATH");
        _cleanup_free_ char *all = xasprintf("%s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", path ? path : "");
        _cleanup_strv_ char **dirs = strv_split(all, ":", false);
        STRV_FOREACH (dir, dirs) {
                _cleanup_free_ char *program = xasprintf("%s/%s", *dir, name);
                if (**dir == '/' && is_program(program))
                        return TAKE_PTR(program);
        }
        return NULL;
}

int foreign_program(const char *name, char **ret, struct err *err)
{
        struct err ignored = ERR_INIT;
        bool path = strchr(name, '/');
        char *program = path ? (is_program(name) ? xstrdup(name) : NULL) : program_search(name);
        if (!program && (path || !str_eq(name, "tare-oci") || engine_program(name, &program, &ignored) < 0))
                return err_set(err, ERR_INVALID, "unknown or invalid runtime name: %s", name);
        *ret = program;
        return 0;
}

void foreign_done(struct foreign *f)
{
        free(f->program);
        free(f->dir);
        free(f->id);
        *f = (struct foreign){ 0 };
}

int foreign_open(struct engine *e, const struct container *c, struct foreign *ret, struct err *err)
{
        char *program;
        if (foreign_program(c->config.runtime, &program, err) < 0)
                return -1;
        _cleanup_free_ char *run_dir = run_dir_path(e, c->id);
        *ret = (struct foreign){ .program = program, .dir = path_join(run_dir, "oci"), .id = xstrdup(c->id) };
        return 0;
}

/* --- what it says when it fails --- */

/* docker's rules, which look for the words of runc and of the system; and crun's of a folder. */
static enum err_kind kind_of(const char *text)
{
        static const struct { const char *words; enum err_kind kind; } table[] = {
                { "executable file not found", ERR_NO_COMMAND },     { "not found in $PATH", ERR_NO_COMMAND },
                { "no such file or directory", ERR_NO_COMMAND },     { "No such file or directory", ERR_NO_COMMAND },
                { "permission denied", ERR_CANNOT_RUN },             { "Permission denied", ERR_CANNOT_RUN },
                { "is a directory", ERR_CANNOT_RUN },                { "Is a directory", ERR_CANNOT_RUN },
                { "not a directory", ERR_CANNOT_RUN },               { "Not a directory", ERR_CANNOT_RUN },
                { "exec format error", ERR_CANNOT_RUN },             { "Exec format error", ERR_CANNOT_RUN },
                { "open executable: ", ERR_CANNOT_RUN },
        };
        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (strstr(text, table[i].words))
                        return table[i].kind;
        return ERR_SYSTEM;
}

/* The message of the last line of level "error" or worse; lines that are no JSON count as what they are. Heap, or NULL. */
static char *log_last(const char *path)
{
        struct err ignored = ERR_INIT;
        char *last = NULL;
        _cleanup_buf_ struct buf text = BUF_INIT(LOG_MAX);
        if (file_read_at(AT_FDCWD, path, &text, &ignored) < 0 || !text.data)
                return NULL;
        _cleanup_strv_ char **lines = strv_split(text.data, "\n", false);
        STRV_FOREACH (line, lines) {
                _cleanup_json_ json_t *o = json_parse(*line, strlen(*line), LOG_MAX, "log", &ignored);
                const char *level = json_string_value(json_object_get(o, "level")), *said = json_string_value(json_object_get(o, "msg"));
                if (o && (!said || !(str_eq(level, "error") || str_eq(level, "fatal"))))
                        continue;
                str_replace(&last, o ? said : *line);
        }
        return last;
}

static int told(const char *verb, const char *log, int status, struct err *err)
{
        _cleanup_free_ char *text = log_last(log);
        if (!text)
                return err_set(err, ERR_SYSTEM, "OCI runtime %s failed: exit status %d", verb, status);
        return err_set(err, kind_of(text), "OCI runtime %s failed: %s: unknown", verb, text);
}

/* --- running it --- */

static int run_to_end(const struct proc_spawn *spawn, struct buf *output, int *ret_status, struct err *err)
{
        pid_t pid;
        if (output)
                return proc_run(spawn, NULL, 0, output, ret_status, err);
        return proc_spawn(spawn, &pid, NULL, err) < 0 ? -1 : proc_wait(pid, ret_status, err);
}

int foreign_run(const struct foreign *f, const char *verb, char *const *words, const int stdio[3], struct buf *output, struct err *err)
{
        static atomic_uint calls;
        int status = 0;
        _cleanup_free_ char *log = xasprintf("%s/log.%d.%u", f->dir, (int)getpid(), atomic_fetch_add(&calls, 1)), *root = path_join(f->dir, "root");
        _cleanup_strv_ char **argv = NULL;
        const char *const fixed[] = { f->program, "--root", root, "--log", log, "--log-format", "json", verb };
        for (size_t i = 0; i < ELEMENTS(fixed); i++)
                strv_push(&argv, fixed[i]);
        strv_extend(&argv, words);
        strv_push(&argv, f->id);
        struct proc_spawn spawn = { .path = f->program, .argv = argv, .stdin_fd = stdio ? stdio[0] : -1, .stdout_fd = stdio ? stdio[1] : -1,
                                    .stderr_fd = stdio ? stdio[2] : -1, .death_signal = SIGKILL };
        int r = run_to_end(&spawn, output, &status, err);
        if (r == 0 && status != 0)
                r = told(verb, log, status, err);
        unlink(log);
        return r;
}

int foreign_console_listen(int dir_fd, const char *name, char **ret_path, struct err *err)
{
        struct sockaddr_un address;
        fd_socket_address(dir_fd, name, &address);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        unlinkat(dir_fd, name, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
                return err_sys(err, "%s", name);
        /* through our descriptor: the real path may be longer than a socket's may be */
        *ret_path = xasprintf("/proc/%d/fd/%d/%s", (int)getpid(), dir_fd, name);
        return TAKE_FD(fd);
}

int foreign_console_take(int listening, struct err *err)
{
        char name[4096];
        size_t count = 0, len;
        int fd = -1;
        _cleanup_close_ int peer = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (peer < 0)
                return err_sys(err, "the runtime handed over no terminal");
        if (fd_receive(peer, &fd, 1, &count, name, sizeof(name), &len, err) < 0)
                return -1;
        return count == 1 ? fd : err_set(err, ERR_SYSTEM, "the runtime handed over no terminal");
}

int foreign_pid_read(const char *path, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
        uint32_t pid;
        _cleanup_free_ char *line = NULL;
        if (file_line_at(AT_FDCWD, path, &line, err) < 0 || parse_u32(str_trim(line), &pid, err) < 0 || pid <= 1 || pid > INT32_MAX)
                return err_set(err, ERR_SYSTEM, "the runtime did not tell the process it made");
        int fd = pidfd_open((pid_t)pid, 0);
        if (fd < 0)
                return err_sys(err, "process %u", pid);
        *ret_pid = (pid_t)pid;
        *ret_pidfd = fd;
        return 0;
}

/* --- verbs of one call --- */

static int verb_run(struct engine *e, const struct container *c, const char *verb, char *const *words, struct buf *output, struct err *err)
{
        _cleanup_foreign_ struct foreign f = { 0 };
        return foreign_open(e, c, &f, err) < 0 ? -1 : foreign_run(&f, verb, words, NULL, output, err);
}

int foreign_start(struct engine *e, const struct container *c, struct err *err) { return verb_run(e, c, "start", NULL, NULL, err); }

int foreign_pause(struct engine *e, const struct container *c, bool pause, struct err *err)
{
        return verb_run(e, c, pause ? "pause" : "resume", NULL, NULL, err);
}

/* The signal stands after the id. */
int foreign_kill(struct engine *e, const struct container *c, int signo, struct err *err)
{
        _cleanup_foreign_ struct foreign f = { 0 };
        if (foreign_open(e, c, &f, err) < 0)
                return -1;
        _cleanup_free_ char *id = TAKE_PTR(f.id), *number = xasprintf("%d", signo);
        char *words[] = { id, NULL };
        f.id = TAKE_PTR(number);
        if (foreign_run(&f, "kill", words, NULL, NULL, err) == 0 || !proc_alive(c->status.pid, c->status.start_ticks))
                return 0;
        return -1;
}

int foreign_delete(struct engine *e, const struct container *c, struct err *err)
{
        _cleanup_foreign_ struct foreign f = { 0 };
        if (foreign_open(e, c, &f, err) < 0)
                return -1;
        char *words[] = { (char *)(uintptr_t)"--force", NULL };
        return access(f.dir, F_OK) < 0 ? 0 : foreign_run(&f, "delete", words, NULL, NULL, err);
}

int foreign_pids(struct engine *e, const struct container *c, pid_t **ret, size_t *ret_count, struct err *err)
{
        char *words[] = { (char *)(uintptr_t)"--format", (char *)(uintptr_t)"json", NULL };
        _cleanup_buf_ struct buf text = BUF_INIT(LOG_MAX);
        if (verb_run(e, c, "ps", words, &text, err) < 0)
                return -1;
        _cleanup_json_ json_t *list = json_parse(text.data ? text.data : "", text.len, LOG_MAX, "ps", err);
        if (!list)
                return -1;
        size_t count = json_array_size(list);
        pid_t *pids = xcalloc(count + 1, sizeof(*pids));
        for (size_t i = 0; i < count; i++)
                pids[i] = (pid_t)json_integer_value(json_array_get(list, i));
        *ret = pids;
        *ret_count = count;
        return 0;
}

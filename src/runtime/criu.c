#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/criu-internal.h"

#define LOG_TAIL 65536

/* ---- starting it ---- */

static bool is_program(const char *path)
{
        struct stat st;
        return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* In a child that executes it there would be nobody to tell. */
static int find_program(const char *name, char **ret, struct err *err)
{
        const char *folders = getenv("PATH");
        if (strchr(name, '/')) {
                if (!is_program(name))
                        return err_set(err, ERR_NOT_FOUND, "%s is no program: install criu, or name it by --criu", name);
                *ret = xstrdup(name);
                return 0;
        }
        _cleanup_strv_ char **list = strv_split(folders ? folders : "/usr/sbin:/usr/bin:/sbin:/bin", ":", false);
        STRV_FOREACH (folder, list) {
                _cleanup_free_ char *path = path_join(*folder, name);
                if (!is_program(path))
                        continue;
                *ret = TAKE_PTR(path);
                return 0;
        }
        return err_set(err, ERR_NOT_FOUND, "criu is not installed: no %s in PATH, and none named by --criu", name);
}

static int place_stdio(const int stdio[3], struct err *err)
{
        for (int i = 0; i < 3; i++) {
                _cleanup_close_ int null = stdio[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
                int from = stdio[i] < 0 ? null : stdio[i];
                if (from < 0 || (from == i ? fcntl(i, F_SETFD, 0) : dup2(from, i)) < 0)
                        return err_sys(err, "stdio");
        }
        return 0;
}

/* criu finds folders by descriptors of ours. What it mounts in them has to be in its own mount namespace, so they are opened
 * there and sent to us. */
static int send_folders(const struct criu_start *start, int socket, struct err *err)
{
        int fds[2] = { -1, -1 };
        size_t count = 0;
        for (; count < ELEMENTS(fds) && start->folders[count]; count++) {
                fds[count] = open(start->folders[count], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fds[count] < 0)
                        return err_sys(err, "%s", start->folders[count]); /* the process ends */
        }
        return count ? fd_send(socket, fds, count, "", 1, err) : 0;
}

static int receive_folders(const struct criu_start *start, struct criu *c, struct err *err)
{
        char byte;
        size_t count = 0, len = 0, wanted = start->folders[0] ? (start->folders[1] ? 2 : 1) : 0;
        if (wanted && fd_receive(c->socket, c->folders, wanted, &count, &byte, 1, &len, err) < 0)
                return err_add(err, "criu");
        return count == wanted ? 0 : err_set(err, ERR_SYSTEM, "criu's folders did not come");
}

static int become_criu(const struct criu_start *start, const char *program, int socket, struct err *err)
{
        char number[16];
        char *const argv[] = { (char *)"criu", (char *)"swrk", number, NULL };
        sigset_t none;
        if (start->enter && start->enter(start->data, err) < 0)
                return -1;
        if (send_folders(start, socket, err) < 0 || place_stdio(start->stdio, err) < 0)
                return -1;
        (void)fd_cloexec_from(3);
        for (size_t i = 0; i < start->keep_count; i++)
                if (fcntl(start->keep[i], F_SETFD, 0) < 0)
                        return err_sys(err, "descriptor %d", start->keep[i]);
        if (fcntl(socket, F_SETFD, 0) < 0)
                return err_sys(err, "descriptor %d", socket);
        snprintf(number, sizeof(number), "%d", socket);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        execv(program, argv);
        return err_sys(err, "execute %s", program);
}

/* The child has either become criu, and the pipe is closed, or says why not. */
static int wait_executed(int pipe_fd, struct err *err)
{
        struct err said = ERR_INIT;
        ssize_t n = fd_read_full(pipe_fd, &said, sizeof(said));
        if (n == 0)
                return 0;
        if (n != (ssize_t)sizeof(said))
                return err_set(err, ERR_SYSTEM, "start criu");
        *err = said;
        return err_add(err, "start criu");
}

static int start_program(const struct criu_start *start, const char *program, struct criu *c, struct err *err)
{
        int sv[2], pipes[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
                return err_sys(err, "socket");
        _cleanup_close_ int theirs = sv[1];
        c->socket = sv[0];
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        _cleanup_close_ int told = pipes[0];
        _cleanup_close_ int telling = pipes[1];
        c->pid = fork();
        if (c->pid < 0)
                return err_sys(err, "fork");
        if (c->pid == 0) {
                struct err said = ERR_INIT;
                (void)become_criu(start, program, theirs, &said);
                (void)fd_write_full(telling, &said, sizeof(said));
                _exit(127);
        }
        close(TAKE_FD(telling));
        return wait_executed(told, err) < 0 ? -1 : receive_folders(start, c, err);
}

/* The exit status in the shell's style; -1: there was none. */
static int wait_ended(struct criu *c)
{
        int status = 0;
        if (c->pid <= 0)
                return -1;
        while (waitpid(c->pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -1;
        c->pid = 0;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void criu_done(struct criu *c)
{
        /* At work it undoes what it did, once the socket is closed. Before that it would only complain on our stderr. */
        if (c->pid > 0 && !c->busy)
                (void)kill(c->pid, SIGKILL);
        mem_closep(&c->socket);
        (void)wait_ended(c);
        mem_closep(&c->folders[0]);
        mem_closep(&c->folders[1]);
        free(c->log);
        *c = (struct criu)CRIU_INIT;
}

/* ---- what it says in its log ---- */

/* Complaints of a start that go no further. */
static bool is_noise(const char *line)
{
        static const char *const words[] = { "RLIMIT_NOFILE", "Dumping FAILED", "Restoring FAILED", "Pre-dumping FAILED" };
        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (strstr(line, words[i]))
                        return true;
        return false;
}

/* The last two lines with errors in them, without the times at their beginnings; heap, NULL: none. What is at fault comes
 * before what could not be done therefore. */
static char *last_errors(char *text)
{
        char *last[2] = { NULL, NULL }, *rest = NULL;
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                char *at = strstr(line, "Error (");
                if (!at || is_noise(at))
                        continue;
                last[0] = last[1];
                last[1] = at;
        }
        if (!last[0])
                return last[1] ? xstrdup(last[1]) : NULL;
        return xasprintf("%.150s; %.110s", last[0], last[1]);
}

static char *log_error(const char *path)
{
        _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
        _cleanup_free_ char *text = fd < 0 ? NULL : xcalloc(1, LOG_TAIL + 1);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return NULL;
        ssize_t n = pread(fd, text, LOG_TAIL, st.st_size > LOG_TAIL ? st.st_size - LOG_TAIL : 0);
        return n > 0 ? last_errors(text) : NULL;
}

static const char *type_name(enum criu_type type)
{
        return type == CRIU_DUMP ? "dump" : type == CRIU_PRE_DUMP ? "pre-dump" : type == CRIU_RESTORE ? "restore" : "question";
}

static int refused(const struct criu *c, enum criu_type type, const struct criu_answer *a, struct err *err)
{
        _cleanup_free_ char *said = log_error(c->log);
        const char *why = said ? said : a->text[0] ? a->text : a->number > 0 ? strerror(a->number) : "no reason given";
        if (!c->log)
                return err_set(err, ERR_SYSTEM, "criu failed: %s: %s", type_name(type), why);
        return err_set(err, ERR_SYSTEM, "criu failed: %s: %s; log file: %s", type_name(type), why, c->log);
}

/* ---- talking ---- */

static int send_all(struct criu *c, const struct buf *b, struct err *err)
{
        ssize_t n;
        do
                n = send(c->socket, b->data, b->len, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        /* Who has ended is told of by the end of what he says. */
        return n < 0 && errno != EPIPE && errno != ECONNRESET ? err_sys(err, "ask criu") : 0;
}

static int receive(struct criu *c, enum criu_type type, struct criu_answer *ret, int *ret_fd, struct err *err)
{
        _cleanup_free_ char *data = xmalloc(CRIU_ANSWER_MAX);
        size_t len = 0, count = 0;
        int fd = -1;
        bool lost = fd_receive(c->socket, &fd, 1, &count, data, CRIU_ANSWER_MAX, &len, err) < 0;
        if (lost && err->sys != ECONNRESET)
                return err_add(err, "criu");
        if (lost || len == 0) {
                _cleanup_free_ char *said = log_error(c->log);
                return err_set(err, ERR_UNAVAILABLE, "criu ended without an answer to a %s (status %d)%s%s", type_name(type),
                               wait_ended(c), said ? ": " : "", said ? said : "");
        }
        *ret_fd = count ? fd : -1;
        return criu_answer_parse(data, len, ret, err);
}

static int answer_notify(struct criu *c, const struct criu_answer *a, int *fd, criu_notify_fn notify, void *data, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(64);
        if (notify && notify(data, a, fd, err) < 0)
                return err_add(err, "%s", a->script);
        return criu_notify_answer(&b, err) < 0 ? -1 : send_all(c, &b, err);
}

static int ask(struct criu *c, enum criu_type type, const struct buf *options, enum criu_feature feature, criu_notify_fn notify,
               void *data, struct criu_answer *ret, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(CRIU_MESSAGE_MAX);
        struct criu_answer a;
        if (criu_request(&b, type, options, feature, err) < 0 || send_all(c, &b, err) < 0)
                return -1;
        for (;;) {
                _cleanup_close_ int fd = -1;
                if (receive(c, type, &a, &fd, err) < 0)
                        return -1;
                if (!a.success)
                        return refused(c, type, &a, err);
                if (a.type != CRIU_NOTIFY)
                        break;
                if (answer_notify(c, &a, &fd, notify, data, err) < 0)
                        return -1;
        }
        if (a.type != (uint32_t)type)
                return err_set(err, ERR_CORRUPT, "criu answers something else than was asked");
        *ret = a;
        return 0;
}

int criu_open(const struct criu_start *start, struct criu *ret, struct err *err)
{
        _cleanup_criu_ struct criu c = CRIU_INIT;
        _cleanup_free_ char *program = NULL;
        struct criu_answer a;
        if (find_program(str_empty(start->program) ? "criu" : start->program, &program, err) < 0 ||
            start_program(start, program, &c, err) < 0 || ask(&c, CRIU_VERSION, NULL, 0, NULL, NULL, &a, err) < 0)
                return -1;
        if (a.version < 30000)
                return err_set(err, ERR_UNSUPPORTED, "%s is older than criu 3.0", program);
        c.version = a.version;
        c.log = start->log ? xstrdup(start->log) : NULL;
        *ret = c;
        c = (struct criu)CRIU_INIT;
        return 0;
}

bool criu_supports(struct criu *c, enum criu_feature feature, struct err *err)
{
        struct criu_answer a;
        return ask(c, CRIU_FEATURES, NULL, feature, NULL, NULL, &a, err) == 0 && (a.features >> feature & 1);
}

int criu_call(struct criu *c, enum criu_type type, const struct buf *options, criu_notify_fn notify, void *data, pid_t *ret_pid,
              struct err *err)
{
        struct criu_answer a;
        c->busy = true;
        if (ask(c, type, options, 0, notify, data, &a, err) < 0)
                return -1;
        (void)shutdown(c->socket, SHUT_WR);
        /* After a pre-dump it waits for the next one, which never comes from us. */
        int status = wait_ended(c);
        if (status != 0 && type != CRIU_PRE_DUMP)
                return err_set(err, ERR_SYSTEM, "criu failed: %s: exit status %d%s%s", type_name(type), status,
                               c->log ? "; log file: " : "", c->log ? c->log : "");
        if (ret_pid)
                *ret_pid = a.pid;
        return 0;
}

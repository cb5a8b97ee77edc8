#include "netns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"

static char db_dir[64];

bool netns_enter_own(void)
{
        struct err err = ERR_INIT;
        if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return false;
        mount("tmpfs", "/run", "tmpfs", 0, NULL);
        int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        bool ok = fd >= 0 && network_loopback_up(fd, &err) == 0;
        close(fd);
        /* A fresh namespace inherits the first one's forwarding; the tests want to see it set. */
        return ok && shell("echo 0 > /proc/sys/net/ipv4/ip_forward");
}

int netns_new(void)
{
        int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd = -1;
        if (unshare(CLONE_NEWNET) == 0) {
                fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
                if (setns(home, CLONE_NEWNET) < 0)
                        abort();
        }
        close(home);
        return fd;
}

int netns_run(int netns, int (*fn)(void *data), void *data)
{
        int status;
        pid_t pid = fork();
        if (pid == 0)
                _exit(netns >= 0 && setns(netns, CLONE_NEWNET) < 0 ? 99 : fn(data));
        return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool shell(const char *command)
{
        struct err err = ERR_INIT;
        char *argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
        struct proc_spawn spawn = { .path = "/bin/sh", .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = 2 };
        int status = -1;
        return proc_run(&spawn, NULL, 0, NULL, &status, &err) == 0 && status == 0;
}

int netns_outside(const char *name, const char *ours, const char *theirs)
{
        int fd = netns_new();
        if (fd < 0)
                return -1;
        pid_t holder = fork();
        if (holder == 0) {
                setns(fd, CLONE_NEWNET);
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                pause();
                _exit(0);
        }
        usleep(20000);
        _cleanup_free_ char *command = xasprintf(
                "ip link add %s type veth peer name out0 netns %d && ip addr add %s/24 dev %s && ip link set %s up && "
                "nsenter -t %d -n sh -c 'ip addr add %s/24 dev out0; ip link set out0 up; ip link set lo up; until ip "
                "link show out0 | grep -q LOWER_UP.*state.UP; do sleep 0.01; done' && "
                "until ip link show %s | grep -q LOWER_UP.*state.UP; do sleep 0.01; done",
                name, (int)holder, ours, name, name, (int)holder, theirs, name);
        bool ok = shell(command);
        kill(holder, SIGKILL);
        waitpid(holder, NULL, 0);
        return ok ? fd : -1;
}

static void answer(int fd, const struct sockaddr_in *peer, const char *tag)
{
        char text[96], address[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &peer->sin_addr, address, sizeof(address));
        int len = snprintf(text, sizeof(text), "%s %s", tag, address);
        sendto(fd, text, (size_t)len, MSG_NOSIGNAL, (const void *)peer, sizeof(*peer));
}

static int serve_one(int type, uint16_t port)
{
        int on = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(fd, (void *)&a, sizeof(a)) < 0 || (type == SOCK_STREAM && listen(fd, 16) < 0))
                _exit(1);
        return fd;
}

static void serve_loop(int tcp, int udp, const char *tag)
{
        struct pollfd p[2] = { { tcp, POLLIN, 0 }, { udp, POLLIN, 0 } };
        while (poll(p, 2, -1) > 0) {
                struct sockaddr_in peer;
                socklen_t len = sizeof(peer);
                char junk[64];
                if (p[0].revents) {
                        int c = accept4(tcp, (void *)&peer, &len, SOCK_CLOEXEC);
                        answer(c, &peer, tag);
                        close(c);
                }
                if (p[1].revents && recvfrom(udp, junk, sizeof(junk), 0, (void *)&peer, &len) > 0)
                        answer(udp, &peer, tag);
        }
}

pid_t netns_serve(int netns, uint16_t port, const char *tag)
{
        int ready[2];
        char c;
        if (pipe2(ready, O_CLOEXEC) < 0)
                return -1;
        pid_t pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (netns >= 0 && setns(netns, CLONE_NEWNET) < 0)
                        _exit(1);
                int tcp = serve_one(SOCK_STREAM, port), udp = serve_one(SOCK_DGRAM, port);
                if (write(ready[1], "r", 1) == 1)
                        serve_loop(tcp, udp, tag);
                _exit(0);
        }
        close(ready[1]);
        bool up = read(ready[0], &c, 1) == 1;
        close(ready[0]);
        return up ? pid : -1;
}

void netns_stop(pid_t pid)
{
        if (pid > 0) {
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
        }
}

static bool wait_for(int fd, short events)
{
        struct pollfd p = { fd, events, 0 };
        return poll(&p, 1, 700) == 1;
}

static ssize_t ask(int type, const char *address, uint16_t port, char *text, size_t size)
{
        _cleanup_close_ int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
        inet_pton(AF_INET, address, &a.sin_addr);
        connect(fd, (void *)&a, sizeof(a));
        if (!wait_for(fd, POLLOUT) || (type == SOCK_DGRAM && send(fd, "?", 1, 0) < 0) || !wait_for(fd, POLLIN))
                return 0;
        return recv(fd, text, size, 0);
}

const char *netns_ask(int netns, int type, const char *address, uint16_t port)
{
        static char text[128];
        int back[2];
        memset(text, 0, sizeof(text));
        if (pipe2(back, O_CLOEXEC) < 0)
                return "";
        pid_t pid = fork();
        if (pid == 0) {
                char got[127];
                if (netns >= 0 && setns(netns, CLONE_NEWNET) < 0)
                        _exit(1);
                ssize_t len = ask(type, address, port, got, sizeof(got));
                if (len > 0 && write(back[1], got, (size_t)len) < 0)
                        _exit(1);
                _exit(0);
        }
        close(back[1]);
        ssize_t len = read(back[0], text, sizeof(text) - 1);
        close(back[0]);
        waitpid(pid, NULL, 0);
        return len > 0 ? text : "";
}

struct db *db_again(const char *path)
{
        static const struct db_schema *const schemas[] = { &net_schema, NULL };
        struct err err = ERR_INIT;
        struct db *db = NULL;
        if (db_open(path, schemas, &db, &err) < 0)
                fprintf(stderr, "%s\n", err.msg);
        return db;
}

char *scratch_db_path(void)
{
        return xasprintf("%s/db", db_dir);
}

struct db *db_fresh(void)
{
        snprintf(db_dir, sizeof(db_dir), "/tmp/tare-net-XXXXXX");
        if (!mkdtemp(db_dir))
                return NULL;
        _cleanup_free_ char *path = scratch_db_path();
        return db_again(path);
}

void db_drop(struct db *db)
{
        struct err err = ERR_INIT;
        db_close(db);
        tree_remove_at(AT_FDCWD, db_dir, &err);
}

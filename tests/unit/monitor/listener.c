#include "listener.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "rig.h"

#define MESSAGE_MAX (1 << 20)

static void message_add(struct listener *l, const char *data, size_t len)
{
        pthread_mutex_lock(&l->lock);
        l->messages = xreallocarray(l->messages, l->count + 1, sizeof(*l->messages));
        l->lengths = xreallocarray(l->lengths, l->count + 1, sizeof(*l->lengths));
        char *copy = xmalloc(len + 1);
        memcpy(copy, data, len);
        copy[len] = '\0';
        l->messages[l->count] = copy;
        l->lengths[l->count++] = len;
        pthread_mutex_unlock(&l->lock);
}

static ssize_t receive(int fd, char *buffer, int *ret_file)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = { buffer, MESSAGE_MAX };
        struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
        ssize_t n = recvmsg(fd, &m, 0);
        *ret_file = -1;
        for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
                if (c->cmsg_type == SCM_RIGHTS)
                        memcpy(ret_file, CMSG_DATA(c), sizeof(int));
        return n;
}

/* A datagram is a message; one that came as a file is its content. */
static void datagram_take(struct listener *l, char *buffer)
{
        int file;
        ssize_t n = receive(l->fd, buffer, &file);
        if (file >= 0) {
                n = pread(file, buffer, MESSAGE_MAX, 0);
                close(file);
        }
        if (n >= 0)
                message_add(l, buffer, (size_t)n);
}

/* Lines of one connection. */
static void stream_take(struct listener *l, int connection, char *buffer)
{
        size_t have = 0;
        ssize_t n;
        while ((n = read(connection, buffer + have, MESSAGE_MAX - have)) > 0) {
                have += (size_t)n;
                for (char *end; (end = memchr(buffer, '\n', have));) {
                        size_t len = (size_t)(end - buffer) + 1;
                        message_add(l, buffer, len);
                        memmove(buffer, buffer + len, have -= len);
                }
        }
}

static void *listener_run(void *data)
{
        struct listener *l = data;
        char *buffer = xmalloc(MESSAGE_MAX);
        while (!l->closing) {
                struct pollfd p = { .fd = l->fd, .events = POLLIN };
                if (poll(&p, 1, 20) <= 0)
                        continue;
                if (l->kind == LISTEN_DATAGRAM || l->kind == LISTEN_UDP) {
                        datagram_take(l, buffer);
                        continue;
                }
                int connection = accept(l->fd, NULL, NULL);
                stream_take(l, connection, buffer);
                close(connection);
        }
        free(buffer);
        return NULL;
}

static void inet_bind(struct listener *l)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof(a);
        l->fd = socket(AF_INET, (l->kind == LISTEN_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(l->fd, (struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(getsockname(l->fd, (struct sockaddr *)&a, &len), 0);
        snprintf(l->address, sizeof(l->address), "%s:127.0.0.1:%d", l->kind == LISTEN_TCP ? "tcp" : "udp", ntohs(a.sin_port));
}

static void unix_bind(struct listener *l, const char *folder)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        snprintf(a.sun_path, sizeof(a.sun_path), "%s/server", folder);
        unlink(a.sun_path);
        l->fd = socket(AF_UNIX, (l->kind == LISTEN_STREAM ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(l->fd, (struct sockaddr *)&a, sizeof(a)), 0);
        snprintf(l->address, sizeof(l->address), "%s:%s", l->kind == LISTEN_STREAM ? "unix" : "unixgram", a.sun_path);
}

void listener_start(struct listener *l, enum listener_kind kind, const char *folder, bool deaf)
{
        *l = (struct listener){ .kind = kind, .deaf = deaf, .lock = PTHREAD_MUTEX_INITIALIZER };
        if (kind == LISTEN_UDP || kind == LISTEN_TCP)
                inet_bind(l);
        else
                unix_bind(l, folder);
        if (kind == LISTEN_STREAM || kind == LISTEN_TCP)
                assert_int_equal(listen(l->fd, 8), 0);
        if (!deaf)
                assert_int_equal(pthread_create(&l->thread, NULL, listener_run, l), 0);
}

void listener_wait(struct listener *l, size_t count)
{
        for (int left = 20000; left > 0; left -= 5) {
                pthread_mutex_lock(&l->lock);
                bool there = l->count >= count;
                pthread_mutex_unlock(&l->lock);
                if (there)
                        return;
                busy_wait_ms(5);
        }
        fail_msg("%zu messages of %zu have come", l->count, count);
}

void listener_done(struct listener *l)
{
        l->closing = true;
        if (!l->deaf)
                pthread_join(l->thread, NULL);
        close(l->fd);
        for (size_t i = 0; i < l->count; i++)
                free(l->messages[i]);
        free(l->messages);
        free(l->lengths);
}

#include "liar.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"

void liar_raw(int conn, const void *data, size_t len)
{
        const char *p = data;
        while (len > 0) {
                ssize_t n = send(conn, p, len, MSG_NOSIGNAL);
                if (n <= 0)
                        return;
                p += n;
                len -= (size_t)n;
        }
}

void liar_say(int conn, const char *status, const char *headers, const void *body, size_t len)
{
        _cleanup_free_ char *head =
                xasprintf("HTTP/1.1 %s\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n", status, headers, len);
        liar_raw(conn, head, strlen(head));
        liar_raw(conn, body, len);
}

/* Reads up to the blank line; then as much body as Content-Length says. */
static void request_read(struct liar *l, int conn, char *head, size_t size)
{
        size_t used = 0;
        char *end = NULL;

        while (!end && used < size - 1) {
                ssize_t n = recv(conn, head + used, size - 1 - used, 0);
                if (n <= 0)
                        break;
                used += (size_t)n;
                head[used] = '\0';
                end = strstr(head, "\r\n\r\n");
        }
        const char *length = strcasestr(head, "\r\nContent-Length:");
        unsigned long want = length ? strtoul(length + 17, NULL, 10) : 0,
                      have = end ? used - (size_t)(end + 4 - head) : 0;
        _cleanup_free_ char *scrap = xmalloc(1 << 16);
        while (have < want) {
                ssize_t n = recv(conn, scrap, 1 << 16, 0);
                if (n <= 0)
                        break;
                have += (unsigned long)n;
        }
        l->received = have;
}

static void connection_serve(struct liar *l, int conn)
{
        char head[2048] = "";

        request_read(l, conn, head, sizeof(head));
        if (strncmp(head, "GET /v2/ HTTP", 13) == 0 && !strcasestr(head, "authorization:")) {
                liar_say(conn, "200 OK", "", "{}", 2);
        } else {
                if (l->count < 64)
                        snprintf(l->heads[l->count], sizeof(l->heads[0]), "%s", head);
                unsigned count = l->count++;
                l->answer(l, conn, head, count);
        }
        shutdown(conn, SHUT_WR);
        /* Until the peer closes, lest a reset takes our answer away; bounded by its own patience. */
        struct timeval patience = { .tv_sec = 2 };
        setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        while (recv(conn, head, sizeof(head), 0) > 0)
                ;
        close(conn);
}

static void *liar_run(void *data)
{
        struct liar *l = data;

        for (;;) {
                int conn = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
                if (conn < 0)
                        return NULL;
                connection_serve(l, conn);
        }
}

void liar_start(struct liar *l, void (*answer)(struct liar *l, int conn, const char *head, unsigned count), void *data)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(a);

        memset(l, 0, sizeof(*l));
        l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l->fd, 64) < 0 ||
            getsockname(l->fd, (struct sockaddr *)&a, &len) < 0)
                abort();
        l->port = ntohs(a.sin_port);
        snprintf(l->domain, sizeof(l->domain), "127.0.0.1:%u", l->port);
        l->answer = answer;
        l->data = data;
        if (pthread_create(&l->thread, NULL, liar_run, l) != 0)
                abort();
}

void liar_stop(struct liar *l)
{
        shutdown(l->fd, SHUT_RDWR);
        pthread_join(l->thread, NULL);
        close(l->fd);
}

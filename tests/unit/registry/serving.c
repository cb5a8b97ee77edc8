#include "serving.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "base/file.h"
#include "base/str.h"

static void on_ready(void *data, uint16_t port)
{
        struct serving *s = data;
        if (write(s->ready[1], &port, sizeof(port)) != sizeof(port))
                abort();
}

static void *serving_run(void *data)
{
        struct serving *s = data;
        s->rc = registry_server_run(&s->options, &s->err);
        close(s->ready[1]); /* wakes a start that will never be ready */
        return NULL;
}

void serving_init(struct serving *s)
{
        memset(s, 0, sizeof(*s));
        snprintf(s->root, sizeof(s->root), "/tmp/tare-test-XXXXXX");
        if (!mkdtemp(s->root))
                abort();
        s->options = (struct registry_server_options){
                .root = s->root, .address = "127.0.0.1", .allow_delete = true, .on_ready = on_ready
        };
}

void serving_start(struct serving *s)
{
        if (pipe2(s->stop, O_CLOEXEC) < 0 || pipe2(s->ready, O_CLOEXEC) < 0)
                abort();
        s->options.data = s;
        s->options.stop_fd = s->stop[0];
        if (pthread_create(&s->thread, NULL, serving_run, s) != 0)
                abort();
        if (read(s->ready[0], &s->port, sizeof(s->port)) != sizeof(s->port))
                s->port = 0;
        snprintf(s->domain, sizeof(s->domain), "127.0.0.1:%u", s->port);
}

void serving_stop(struct serving *s)
{
        close(s->stop[1]);
        pthread_join(s->thread, NULL);
        close(s->stop[0]);
        close(s->ready[0]);
}

void serving_done(struct serving *s)
{
        struct err err = ERR_INIT;
        if (tree_remove_at(AT_FDCWD, s->root, &err) < 0)
                abort();
}

static size_t take(char *data, size_t size, size_t count, void *user)
{
        struct err err = ERR_INIT;
        return buf_add(user, data, size * count, &err) < 0 ? 0 : size * count;
}

void raw_done(struct raw *a)
{
        buf_done(&a->head);
        buf_done(&a->body);
        a->status = 0;
}

void raw_request(const struct serving *s, const char *method, const char *path, const char *headers, const void *body,
                 size_t len, struct raw *ret)
{
        CURL *curl = curl_easy_init();
        _cleanup_free_ char *url = xasprintf("http://%s%s", s->domain, path);
        _cleanup_strv_ char **lines = strv_split(headers ? headers : "", "\n", false);
        struct curl_slist *list = curl_slist_append(NULL, "Expect:");

        raw_done(ret);
        STRV_FOREACH (line, lines)
                list = curl_slist_append(list, *line);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
        curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take);
        curl_easy_setopt(curl, CURLOPT_HEADERDATA, &ret->head);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &ret->body);
        if (strcmp(method, "HEAD") == 0)
                curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        if (body) {
                curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
                curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        }
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
        CURLcode code = curl_easy_perform(curl);
        if (code == CURLE_OK)
                curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status);
        else
                fprintf(stderr, "%s %s: %s\n", method, url, curl_easy_strerror(code));
        curl_slist_free_all(list);
        curl_easy_cleanup(curl);
}

char *raw_header(const struct raw *a, const char *name)
{
        _cleanup_strv_ char **lines = strv_split(a->head.data ? a->head.data : "", "\r\n", false);
        size_t len = strlen(name);

        STRV_FOREACH (line, lines)
                if (strncasecmp(*line, name, len) == 0 && (*line)[len] == ':')
                        return xstrdup(*line + len + 1 + strspn(*line + len + 1, " "));
        return NULL;
}

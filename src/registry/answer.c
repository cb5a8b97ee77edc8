#include "registry/call-internal.h"

#include <stdarg.h>
#include <string.h>
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

#define PAGE_ENTRIES_MAX 10000

static void answer_set(struct call *c, unsigned status, struct MHD_Response *response, uint64_t bytes)
{
        if (!response)
                abort(); /* out of memory, as in base/mem.h */
        if (c->response) {
                MHD_destroy_response(response);
                return;
        }
        c->response = response;
        c->status = status;
        c->answer_bytes = bytes;
        answer_header(c, "Docker-Distribution-API-Version", "registry/2.0");
        answer_header(c, "X-Content-Type-Options", "nosniff");
}

void answer_header(struct call *c, const char *name, const char *fmt, ...)
{
        char *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        if (vasprintf(&text, fmt, ap) < 0)
                abort();
        va_end(ap);
        MHD_add_response_header(c->response, name, text);
        free(text);
}

void answer_text(struct call *c, unsigned status, const char *type, char *text, size_t len)
{
        bool first = !c->response;

        answer_set(c, status, MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE), len);
        if (first)
                answer_header(c, "Content-Type", "%s", type);
}

void answer_empty(struct call *c, unsigned status)
{
        answer_set(c, status, MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT), 0);
}

void answer_file(struct call *c, unsigned status, int fd, uint64_t offset, uint64_t len)
{
        answer_set(c, status, MHD_create_response_from_fd_at_offset64(len, fd, offset), len);
}

void answer_error(struct call *c, unsigned status, const char *code, const char *message)
{
        /* Docker passes on only errors that come with a detail. */
        _cleanup_json_ json_t *document =
                json_pack("{s:[{s:s, s:s, s:{s:s, s:s}}]}", "errors", "code", code, "message", message, "detail",
                          "name", c->repository ? c->repository : "", "reference", c->reference ? c->reference : "");
        char *text = document ? json_text(document) : xstrdup("{\"errors\":[{\"code\":\"UNKNOWN\",\"message\":\"\"}]}");

        answer_text(c, status, "application/json", text, strlen(text));
}

void answer_failure(struct call *c, const struct err *err, const char *code)
{
        static const struct {
                enum err_kind kind;
                unsigned status;
        } statuses[] = {
                { ERR_INVALID, 400 },  { ERR_CORRUPT, 400 },   { ERR_NOT_FOUND, 404 },
                { ERR_CONFLICT, 409 }, { ERR_TOO_LARGE, 413 }, { ERR_UNSUPPORTED, 400 },
        };

        for (size_t i = 0; i < ELEMENTS(statuses) && err->sys == 0; i++)
                if (statuses[i].kind == err->kind) {
                        answer_error(c, statuses[i].status, code, err->msg);
                        return;
                }
        log_warning("registry: %s %s: %s", c->method ? c->method : "", c->url ? c->url : "", err->msg);
        answer_error(c, 500, "UNKNOWN", "internal error");
}

const char *call_query(struct call *c, const char *key)
{
        return MHD_lookup_connection_value(c->connection, MHD_GET_ARGUMENT_KIND, key);
}

const char *call_header(struct call *c, const char *key)
{
        return MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, key);
}

bool call_page(struct call *c, size_t *ret_n, const char **ret_last)
{
        const char *n = call_query(c, "n");
        struct err err = ERR_INIT;
        uint64_t count = SIZE_MAX;

        if (n && parse_u64(n, &count, &err) < 0) {
                answer_error(c, 400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested");
                return false;
        }
        *ret_n = count;
        *ret_last = call_query(c, "last");
        return true;
}

void answer_page(struct call *c, const char *prefix, const char *member, char *const *names, size_t n, const char *last,
                 const char *path)
{
        size_t total = strv_len(names), first = 0, count = n < PAGE_ENTRIES_MAX ? n : PAGE_ENTRIES_MAX;
        _cleanup_buf_ struct buf b = { 0 };
        struct err err = ERR_INIT;

        while (!str_empty(last) && first < total && strcmp(names[first], last) <= 0)
                first++;
        if (count > total - first)
                count = total - first;
        /* Names hold nothing that JSON or a URL would need escaped. */
        int rc = buf_addf(&b, &err, "{%s\"%s\":[", prefix, member);
        for (size_t i = 0; i < count && rc == 0; i++)
                rc = buf_addf(&b, &err, "%s\"%s\"", i ? "," : "", names[first + i]);
        if (rc < 0 || buf_adds(&b, "]}\n", &err) < 0) {
                answer_failure(c, &err, "UNKNOWN");
                return;
        }
        size_t len = b.len;
        answer_text(c, 200, "application/json", buf_take(&b), len);
        if (first + count < total && count > 0)
                answer_header(c, "Link", "<%s?n=%zu&last=%s>; rel=\"next\"", path, count, names[first + count - 1]);
}

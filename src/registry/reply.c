#include "registry/reply-internal.h"

#include <strings.h>
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define HEADER_VALUE_MAX 16384
#define CHALLENGES_MAX 8

static const struct header {
        const char *name;
        size_t offset;
} headers[] = {
        { "content-type", offsetof(struct http_reply, content_type) },
        { "docker-content-digest", offsetof(struct http_reply, digest) },
        { "location", offsetof(struct http_reply, location) },
        { "link", offsetof(struct http_reply, link) },
        { "range", offsetof(struct http_reply, range) },
        { "content-range", offsetof(struct http_reply, content_range) },
        { "oci-chunk-min-length", offsetof(struct http_reply, chunk_min) },
        { "retry-after", offsetof(struct http_reply, retry_after) },
        { "oci-filters-applied", offsetof(struct http_reply, filters) },
};

static char **header_slot(struct http_reply *reply, size_t i)
{
        return (char **)((char *)reply + headers[i].offset);
}

void http_reply_done(struct http_reply *reply)
{
        for (size_t i = 0; i < ELEMENTS(headers); i++)
                free(*header_slot(reply, i));
        free(reply->url);
        strv_free(reply->challenges);
        buf_done(&reply->body);
        *reply = (struct http_reply)HTTP_REPLY_INIT;
}

void http_reply_reset(struct http_reply *reply)
{
        http_reply_done(reply);
}

void http_reply_header(struct http_reply *reply, const char *line, size_t len)
{
        const char *colon = memchr(line, ':', len);

        if (!colon || len > HEADER_VALUE_MAX)
                return;
        size_t name_len = (size_t)(colon - line);
        _cleanup_free_ char *text = xstrndup(colon + 1, len - name_len - 1);
        const char *value = str_trim(text);
        if (name_len == 16 && strncasecmp(line, "www-authenticate", 16) == 0 &&
            strv_len(reply->challenges) < CHALLENGES_MAX)
                strv_push(&reply->challenges, value);
        for (size_t i = 0; i < ELEMENTS(headers); i++)
                if (strlen(headers[i].name) == name_len && strncasecmp(line, headers[i].name, name_len) == 0)
                        str_replace(header_slot(reply, i), value);
}

char *http_reply_type(const struct http_reply *reply)
{
        if (str_empty(reply->content_type))
                return NULL;
        char *type = xstrndup(reply->content_type, strcspn(reply->content_type, "; \t,"));
        str_lower(type);
        return type;
}

static const struct status_kind {
        long status;
        enum err_kind kind;
        const char *words;
} status_kinds[] = {
        { 400, ERR_INVALID, "bad request" },
        { 401, ERR_UNAUTHORIZED, "unauthorized: authentication required" },
        { 403, ERR_DENIED, "denied: requested access to the resource is denied" },
        { 404, ERR_NOT_FOUND, "not found" },
        { 405, ERR_UNSUPPORTED, "unsupported: the operation is unsupported" },
        { 409, ERR_CONFLICT, "conflict" },
        { 413, ERR_TOO_LARGE, "the registry takes nothing that large" },
        { 416, ERR_INVALID, "range not satisfiable" },
        { 429, ERR_UNAVAILABLE, "toomanyrequests: too many requests" },
        { 501, ERR_UNSUPPORTED, "unsupported: the operation is unsupported" },
};

/* "MANIFEST_UNKNOWN", "text" -> "manifest unknown: text", as docker words it. */
static char *error_entry(const json_t *entry)
{
        const char *code = json_string_value(json_object_get(entry, "code"));
        const char *message = json_string_value(json_object_get(entry, "message"));

        if (!code && !message)
                return NULL;
        _cleanup_free_ char *words = xstrdup(code ? code : "");
        str_lower(words);
        for (char *c = words; *c; c++)
                if (*c == '_')
                        *c = ' ';
        return xasprintf("%.100s%s%.300s", words, *words && message ? ": " : "", message ? message : "");
}

/* The registry's own words on one line, or NULL. Token servers use "details", "error_description" or "message". */
static char *error_words(const struct http_reply *reply)
{
        static const char *const keys[] = { "details", "error_description", "message", "error" };
        struct err ignored = ERR_INIT;
        _cleanup_json_ json_t *document = NULL;
        _cleanup_strv_ char **words = NULL;
        const json_t *entry;
        size_t i;

        if (reply->body.len == 0)
                return NULL;
        document = json_parse(reply->body.data, reply->body.len, HTTP_ERROR_BODY_MAX, "error", &ignored);
        json_array_foreach (json_object_get(document, "errors"), i, entry) {
                char *text = i < 3 ? error_entry(entry) : NULL;
                if (text)
                        strv_push_take(&words, text);
        }
        for (i = 0; !words && i < ELEMENTS(keys); i++) {
                const char *text = json_string_value(json_object_get(document, keys[i]));
                if (!str_empty(text))
                        strv_push(&words, text);
        }
        return words ? strv_join(words, "; ") : NULL;
}

int http_reply_error(const struct http_reply *reply, struct err *err)
{
        _cleanup_free_ char *words = error_words(reply);
        const struct status_kind *k = NULL;
        enum err_kind kind = reply->status >= 500 ? ERR_UNAVAILABLE : ERR_INVALID;

        for (size_t i = 0; i < ELEMENTS(status_kinds); i++)
                if (status_kinds[i].status == reply->status)
                        k = &status_kinds[i];
        if (k)
                kind = k->kind;
        if (words)
                return err_set(err, kind, "%s%s", reply->status == 401 && !strchr(words, ':') ? "unauthorized: " : "",
                               words);
        if (k)
                return err_set(err, kind, "%s", k->words);
        return err_set(err, kind, "received unexpected HTTP status %ld", reply->status);
}

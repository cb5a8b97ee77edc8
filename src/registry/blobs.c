#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "registry/route-internal.h"

struct range {
        uint64_t first, len;
};
enum range_kind { RANGE_WHOLE, RANGE_PART, RANGE_WRONG };

/* "bytes=A-B", "bytes=A-", "bytes=-N" (RFC 9110 14.1.2). Several ranges and other units mean the whole. */
static enum range_kind range_parse(const char *text, uint64_t size, struct range *ret)
{
        const char *s = text ? str_after(text, "bytes=") : NULL, *dash = s ? strchr(s, '-') : NULL;
        struct err ignored = ERR_INIT;
        uint64_t a = 0, b = UINT64_MAX;

        if (!dash || strchr(s, ','))
                return RANGE_WHOLE;
        _cleanup_free_ char *from = xstrndup(s, (size_t)(dash - s)), *to = xstrdup(dash + 1);
        if ((*from && parse_u64(from, &a, &ignored) < 0) || (*to && parse_u64(to, &b, &ignored) < 0) ||
            (!*from && !*to))
                return RANGE_WHOLE;
        if (!*from) {
                a = b < size ? size - b : 0;
                b = UINT64_MAX;
        }
        if (b < a || a >= size)
                return RANGE_WRONG;
        b = b < size ? b : size - 1;
        *ret = (struct range){ a, b - a + 1 };
        return RANGE_PART;
}

static bool etag_matches(const char *header, const char *digest)
{
        return header && strstr(header, digest);
}

static void blob_answer(struct call *c, int fd, uint64_t size)
{
        const char *digest = c->reference, *condition = call_header(c, "If-Range");
        struct range range = { 0, size };
        enum range_kind kind = RANGE_WHOLE;

        if (!condition || etag_matches(condition, digest))
                kind = range_parse(call_header(c, "Range"), size, &range);
        if (kind == RANGE_WRONG) {
                close(fd);
                answer_error(c, 416, "RANGE_INVALID", "invalid content range");
                answer_header(c, "Content-Range", "bytes */%llu", (unsigned long long)size);
                return;
        }
        answer_file(c, kind == RANGE_PART ? 206 : 200, fd, range.first, range.len);
        if (kind == RANGE_PART)
                answer_header(c, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)range.first,
                              (unsigned long long)(range.first + range.len - 1), (unsigned long long)size);
        answer_header(c, "Content-Type", "application/octet-stream");
        answer_header(c, "Accept-Ranges", "bytes");
        answer_header(c, "Docker-Content-Digest", "%s", digest);
        answer_header(c, "ETag", "\"%s\"", digest);
        answer_header(c, "Cache-Control", "max-age=31536000");
}

void blob_get(struct call *c)
{
        struct store *s = &c->service->store;
        struct err err = ERR_INIT;
        uint64_t size = 0;

        if (!layer_held(s, c->repository, c->reference, NULL)) {
                answer_error(c, 404, "BLOB_UNKNOWN", "blob unknown to registry");
                return;
        }
        if (etag_matches(call_header(c, "If-None-Match"), c->reference)) {
                answer_empty(c, 304);
                answer_header(c, "ETag", "\"%s\"", c->reference);
                return;
        }
        _cleanup_close_ int fd = blob_open(s->blobs, c->reference, &size, &err);
        if (fd < 0) {
                answer_error(c, 404, "BLOB_UNKNOWN", "blob unknown to registry");
                return;
        }
        /* Who asks whether it is there means to rely on it. */
        if (str_eq(c->method, "HEAD"))
                blob_touch(s, c->reference);
        blob_answer(c, TAKE_FD(fd), size);
}

/* The repository forgets it; the bytes go when the collector finds that no manifest reaches them. */
void blob_delete(struct call *c)
{
        struct store *s = &c->service->store;
        struct err err = ERR_INIT;

        if (entry_remove(s, c->repository, "_layers", digest_hex(c->reference), &err) == 0)
                answer_empty(c, 202);
        else if (err.kind == ERR_NOT_FOUND)
                answer_error(c, 404, "BLOB_UNKNOWN", "blob unknown to registry");
        else
                answer_failure(c, &err, "BLOB_UNKNOWN");
}

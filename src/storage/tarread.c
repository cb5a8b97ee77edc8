#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include "base/mem.h"
#include "base/str.h"
#include "storage/unpack-internal.h"

static inline void archive_donep(struct archive **a)
{
        if (*a)
                archive_read_free(*a);
}
static inline void entry_donep(struct archive_entry **e)
{
        if (*e)
                archive_entry_free(*e);
}

struct source {
        struct ring *ring;
        struct digest *digest;
        const struct tar_sink *sink;
        bool cut, ended;
        struct err failed; /* of the sink, while libarchive reads */
};

/* The next piece, hashed; NULL at the end, and where the sink failed. */
static const unsigned char *source_take(struct source *s, size_t *ret_len)
{
        const unsigned char *bytes = s->ended ? NULL : ring_take(s->ring, ret_len, &s->cut);
        if (bytes)
                digest_update(s->digest, bytes, *ret_len);
        if (bytes && s->sink->bytes && s->sink->bytes(s->sink->data, bytes, *ret_len, &s->failed) < 0)
                bytes = NULL;
        s->ended = !bytes;
        return bytes;
}

static la_ssize_t source_read(struct archive *a, void *data, const void **ret)
{
        struct source *s = data;
        size_t len = 0;
        *ret = source_take(s, &len);
        if (*ret)
                return (la_ssize_t)len;
        if (!s->cut && s->failed.kind == ERR_NONE)
                return 0;
        archive_set_error(a, EIO, "the input broke off");
        return -1;
}

/* A name that is no text of the locale is a warning, and is taken as bytes; every other warning means an entry we would get wrong. */
static bool warning_harmless(struct archive *a)
{
        const char *text = archive_error_string(a);
        return !text || strstr(text, "can't be converted");
}

static int archive_fail(struct archive *a, struct err *err)
{
        const char *text = archive_error_string(a);
        return err_set(err, ERR_CORRUPT, "archive: %s", text ? text : "damaged");
}

static int content_pass(struct archive *a, const struct tar_sink *sink, struct err *err)
{
        const void *block;
        size_t len;
        la_int64_t offset;
        for (;;) {
                int r = archive_read_data_block(a, &block, &len, &offset);
                if (r == ARCHIVE_EOF)
                        return sink->close(sink->data, err);
                if (r != ARCHIVE_OK)
                        return archive_fail(a, err);
                /* The block is counted as read only when the next one is asked for. */
                if (len && sink->content(sink->data, block, len, (uint64_t)offset, (uint64_t)archive_filter_bytes(a, 0), err) < 0)
                        return -1;
        }
}

static int entries_pass(struct archive *a, const struct tar_sink *sink, struct err *err)
{
        _cleanup_(entry_donep) struct archive_entry *e = archive_entry_new();
        for (;;) {
                bool wants_data = false;
                int r = archive_read_next_header2(a, e);
                if (r == ARCHIVE_EOF)
                        return sink->finish(sink->data, err);
                if (r != ARCHIVE_OK && (r != ARCHIVE_WARN || !warning_harmless(a)))
                        return archive_fail(a, err);
                if (sink->entry(sink->data, e, &wants_data, err) < 0 || (wants_data && content_pass(a, sink, err) < 0))
                        return -1;
        }
}

static int archive_open(struct archive *a, struct source *s, bool foreign, struct err *err)
{
        archive_read_support_format_tar(a);
        archive_read_support_format_empty(a);
        if (foreign) {
                archive_read_support_filter_xz(a);
                archive_read_support_filter_bzip2(a);
        }
        return archive_read_open2(a, s, NULL, source_read, NULL, NULL) != ARCHIVE_OK ? archive_fail(a, err) : 0;
}

int tar_parse(struct ring *from, struct digest *digest, bool foreign, const struct tar_sink *sink, struct err *err)
{
        struct source s = { .ring = from, .digest = digest, .sink = sink };
        _cleanup_(archive_donep) struct archive *a = archive_read_new();
        /* In the C locale libarchive converts nothing that is not ASCII and hands us the bytes. */
        locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), old = uselocale(c);
        int r = archive_open(a, &s, foreign, err) < 0 || entries_pass(a, sink, err) < 0 ? -1 : 0;
        /* What follows the end of the archive belongs to its digest. */
        for (size_t len; r == 0 && source_take(&s, &len);)
                ;
        if (r == 0 && s.cut)
                r = err_set(err, ERR_CORRUPT, "archive: the input broke off");
        uselocale(old);
        freelocale(c);
        if (s.failed.kind == ERR_NONE)
                return r;
        *err = s.failed;
        return -1;
}

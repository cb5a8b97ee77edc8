#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include "base/path.h"
#include "image/archive-internal.h"

#define MEMBERS_MAX 100000
#define NAME_MAX_BYTES 4096
#define LINK_DEPTH_MAX 16
#define INPUT_BLOCK ((size_t)1 << 20)
#define RATIO_DEFAULT 1000
#define RATIO_FREE ((int64_t)64 << 20) /* bytes that may come out of anything */

struct spool {
        struct storage *st;
        struct archive *a;
        const struct layer_limits *limits;
        struct members *members;
        int64_t written;
};

void members_done(struct members *m)
{
        for (size_t n = 0; n < m->count; n++) {
                free(m->list[n].name);
                free(m->list[n].digest);
                free(m->list[n].link);
        }
        free(m->list);
        strv_free(m->added);
        buf_done(&m->manifest);
        buf_done(&m->index);
        *m = (struct members){ 0 };
}

static int archive_err(struct archive *a, struct err *err)
{
        const char *text = archive_error_string(a);
        return err_set(err, ERR_CORRUPT, "not a readable archive: %s", text ? text : "damaged");
}

static struct member *member_add(struct members *m, const char *name)
{
        if (m->count == m->cap) {
                m->cap = m->cap ? m->cap * 2 : 64;
                m->list = xreallocarray(m->list, m->cap, sizeof(*m->list));
        }
        struct member *one = &m->list[m->count];
        *one = (struct member){ .name = xstrdup(name), .order = m->count };
        m->count++;
        return one;
}

/* A small compressed file that unpacks to a disk full is refused before the disk is full. */
static int check_ratio(struct spool *s, size_t more, struct err *err)
{
        int64_t ratio = s->limits && s->limits->max_ratio ? (int64_t)s->limits->max_ratio : RATIO_DEFAULT;
        int64_t taken = archive_filter_bytes(s->a, -1);
        s->written += (int64_t)more;
        if (s->written > RATIO_FREE && s->written / ratio > taken)
                return err_set(err, ERR_TOO_LARGE, "the archive unpacks to more than %lld times its size",
                               (long long)ratio);
        return 0;
}

/* Calls for each block of the entry's content, in order. */
static int each_block(struct spool *s, int (*fn)(void *data, const void *bytes, size_t len, struct err *err),
                      void *data, struct err *err)
{
        const void *bytes;
        size_t len;
        la_int64_t at, expected = 0;
        for (;;) {
                int r = archive_read_data_block(s->a, &bytes, &len, &at);
                if (r == ARCHIVE_EOF)
                        return 0;
                if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
                        return archive_err(s->a, err);
                if (at != expected)
                        return err_set(err, ERR_INVALID, "the archive has a sparse file");
                expected += (la_int64_t)len;
                if (check_ratio(s, len, err) < 0 || fn(data, bytes, len, err) < 0)
                        return -1;
        }
}

static int to_buf(void *data, const void *bytes, size_t len, struct err *err)
{
        return buf_add(data, bytes, len, err);
}

struct blob_out {
        struct ingest *in;
        uint64_t skip; /* bytes an earlier attempt has written */
};

static int to_blob(void *data, const void *bytes, size_t len, struct err *err)
{
        struct blob_out *out = data;
        size_t skipped = out->skip < len ? (size_t)out->skip : len;
        out->skip -= skipped;
        return skipped == len ? 0 : ingest_write(out->in, (const char *)bytes + skipped, len - skipped, err);
}

/* "blobs/sha256/<hex>" promises its digest; other files are named by what they turn out to be. */
static bool promised_digest(const char *name, char ret[DIGEST_SIZE])
{
        const char *rest = str_after(name, "blobs/"), *slash = rest ? strchr(rest, '/') : NULL;
        if (!slash || snprintf(ret, DIGEST_SIZE, "%.*s:%s", (int)(slash - rest), rest, slash + 1) >= DIGEST_SIZE)
                return false;
        return digest_valid(ret);
}

static int spool_blob(struct spool *s, const char *name, uint64_t size, struct err *err)
{
        _cleanup_(ingest_freep) struct ingest *in = NULL;
        char promised[DIGEST_SIZE], digest[DIGEST_SIZE];
        const char *expected = promised_digest(name, promised) ? promised : NULL;
        uint64_t offset = 0, stored = size;
        if (expected && blob_exists(s->st->blobs, expected, &stored)) {
                snprintf(digest, sizeof(digest), "%s", expected);
        } else {
                if (blob_begin(s->st->blobs, expected, size, &in, &offset, err) < 0)
                        return -1;
                struct blob_out out = { in, offset };
                if (each_block(s, to_blob, &out, err) < 0 || ingest_commit(in, digest, &stored, err) < 0)
                        return -1;
                strv_push(&s->members->added, digest);
        }
        struct member *m = member_add(s->members, name);
        m->digest = xstrdup(digest);
        m->size = stored;
        return 0;
}

/* Files of the layout before docker 1.10, which say nothing that manifest.json does not. */
static bool is_needless(const char *name)
{
        return str_ends(name, "/json") || str_ends(name, "/VERSION") || str_eq(name, "repositories") ||
               str_eq(name, "oci-layout");
}

static int spool_file(struct spool *s, const char *name, uint64_t size, struct err *err)
{
        struct buf *document = str_eq(name, "manifest.json") ? &s->members->manifest
                               : str_eq(name, "index.json")  ? &s->members->index
                                                             : NULL;
        if (is_needless(name))
                return 0;
        if (!document)
                return spool_blob(s, name, size, err);
        buf_reset(document);
        document->max = IMAGE_DOCUMENT_MAX;
        return each_block(s, to_buf, document, err);
}

static void spool_link(struct spool *s, const char *name, const char *target, bool symbolic)
{
        _cleanup_free_ char *from_root = symbolic ? xasprintf("/%s/../%s", name, target) : xasprintf("/%s", target);
        _cleanup_free_ char *clean = path_clean(from_root);
        member_add(s->members, name)->link = xstrdup(clean + 1);
}

static int spool_entry(struct spool *s, struct archive_entry *entry, struct err *err)
{
        const char *raw = archive_entry_pathname(entry), *hard = archive_entry_hardlink(entry),
                   *soft = archive_entry_symlink(entry);
        if (!raw || strlen(raw) > NAME_MAX_BYTES || (soft && strlen(soft) > NAME_MAX_BYTES) ||
            (hard && strlen(hard) > NAME_MAX_BYTES))
                return err_set(err, ERR_INVALID, "the archive has a name that cannot be read");
        _cleanup_free_ char *rooted = xasprintf("/%s", raw), *clean = path_clean(rooted);
        const char *name = clean + 1;
        if (hard)
                spool_link(s, name, hard, false);
        else if (archive_entry_filetype(entry) == AE_IFLNK && soft)
                spool_link(s, name, soft, true);
        else if (archive_entry_filetype(entry) == AE_IFREG && *name)
                return spool_file(s, name, (uint64_t)archive_entry_size(entry), err);
        return 0;
}

static int compare(const void *a, const void *b)
{
        const struct member *x = a, *y = b;
        int r = strcmp(x->name, y->name);
        return r ? r : (x->order > y->order) - (x->order < y->order);
}

static int spool_all(struct spool *s, struct err *err)
{
        struct archive_entry *entry;
        int r;
        while ((r = archive_read_next_header(s->a, &entry)) != ARCHIVE_EOF) {
                if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
                        return archive_err(s->a, err);
                if (s->members->count >= MEMBERS_MAX)
                        return err_set(err, ERR_TOO_LARGE, "the archive has more than %d files", MEMBERS_MAX);
                if (spool_entry(s, entry, err) < 0)
                        return -1;
        }
        if (s->members->count)
                qsort(s->members->list, s->members->count, sizeof(*s->members->list), compare);
        return 0;
}

static struct archive *reader_new(void)
{
        struct archive *a = archive_read_new();
        if (!a)
                abort(); /* out of memory */
        archive_read_support_format_tar(a);
        archive_read_support_filter_gzip(a);
        archive_read_support_filter_zstd(a);
        archive_read_support_filter_xz(a);
        archive_read_support_filter_bzip2(a);
        return a;
}

int members_read(struct storage *st, int fd, const struct layer_limits *limits, struct members *ret, struct err *err)
{
        struct spool s = { .st = st, .a = reader_new(), .limits = limits, .members = ret };
        int r = archive_read_open_fd(s.a, fd, INPUT_BLOCK) == ARCHIVE_OK ? spool_all(&s, err) : archive_err(s.a, err);
        archive_read_free(s.a);
        return r;
}

/* The last of several files of one name counts, as when a tar is unpacked. */
static const struct member *find_exact(const struct members *m, const char *name)
{
        size_t low = 0, high = m->count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (strcmp(m->list[middle].name, name) <= 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low > 0 && str_eq(m->list[low - 1].name, name) ? &m->list[low - 1] : NULL;
}

const struct member *members_find(const struct members *m, const char *name)
{
        _cleanup_free_ char *rooted = xasprintf("/%s", name), *clean = path_clean(rooted);
        const struct member *found = find_exact(m, clean + 1);
        for (unsigned depth = 0; found && found->link; depth++) {
                if (depth == LINK_DEPTH_MAX)
                        return NULL;
                found = find_exact(m, found->link);
        }
        return found;
}

#include "storage/layer.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/config.h"
#include "storage/diff-internal.h"
#include "storage/tarwrite-internal.h"

struct root_diff { /* a root opened for comparison */
        int fd, upper_fd;
        char **chain;
        struct lowers below;
        struct changes changes;
};

static void root_diff_done(struct root_diff *r)
{
        mem_closep(&r->fd);
        mem_closep(&r->upper_fd);
        strv_free(r->chain);
        lowers_done(&r->below);
        changes_done(&r->changes);
}
#define _cleanup_root_diff_ __attribute__((cleanup(root_diff_done)))

static int root_diff_load(struct snapshots *s, const char *id, bool markers, struct root_diff *r, struct err *err)
{
        if (root_load(s, id, &r->fd, &r->chain, err) < 0)
                return -1;
        r->upper_fd = openat(r->fd, s->driver->writable, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (r->upper_fd < 0)
                return err_sys(err, "root %s", id);
        if (lowers_open(s, r->chain, &r->below, err) < 0 ||
            root_compare(s, r->upper_fd, &r->below, markers, &r->changes, err) < 0)
                return err_add(err, "root %s", id);
        return 0;
}

int root_changes(struct snapshots *s, const char *id, root_change_fn fn, void *data, struct err *err)
{
        _cleanup_root_diff_ struct root_diff r = { .fd = -1, .upper_fd = -1 };
        if (root_diff_load(s, id, false, &r, err) < 0)
                return -1;
        for (size_t i = 0; i < r.changes.count; i++) {
                _cleanup_free_ char *path = xasprintf("/%s", r.changes.list[i].path);
                int result = fn(data, r.changes.list[i].kind, path, err);
                if (result != 0)
                        return result;
        }
        return 0;
}

/* --- as tar --- */

static int whiteout_write(struct tar_writer *w, const char *path, struct err *err)
{
        const char *name = path_name(path);
        _cleanup_free_ char *mark = xasprintf("%.*s.wh.%s", (int)(name - path), path, name);
        return tar_writer_mark(w, mark, err);
}

static int change_write(struct tar_writer *w, int upper_fd, const struct change *c, struct err *err)
{
        struct stat st;
        if (str_starts(path_name(c->path), ".wh."))
                return err_set(err, ERR_UNSUPPORTED, "/%s: a layer cannot hold a file whose name begins with .wh.",
                               c->path);
        if (c->kind == 'D')
                return whiteout_write(w, c->path, err);
        _cleanup_close_ int fd = path_open_nolink(upper_fd, *c->path ? c->path : ".", O_PATH | O_NOFOLLOW, 0, err);
        if (fd < 0)
                return err->sys == ENOENT ? 0 : -1; /* removed by the container meanwhile */
        if (fstat(fd, &st) < 0)
                return err_sys(err, "/%s", c->path);
        _cleanup_free_ char *name = S_ISDIR(st.st_mode) ? xasprintf("%s/", *c->path ? c->path : ".") : xstrdup(c->path);
        if (tar_writer_add(w, name, fd, &st, err) < 0)
                return -1;
        _cleanup_free_ char *mark = c->opaque ? xasprintf("%s/.wh..wh..opq", c->path) : NULL;
        return mark ? tar_writer_mark(w, mark, err) : 0;
}

static int changes_write(const struct root_diff *r, int64_t clamp, compress_sink_fn sink, void *data, struct err *err)
{
        _cleanup_(tar_writer_freep) struct tar_writer *w = NULL;
        if (tar_writer_new(sink, data, clamp, &w, err) < 0)
                return -1;
        for (size_t i = 0; i < r->changes.count; i++)
                if (change_write(w, r->upper_fd, &r->changes.list[i], err) < 0)
                        return -1;
        return tar_writer_finish(w, err);
}

int root_diff_tar(struct snapshots *s, const char *root_id, int out_fd, struct err *err)
{
        _cleanup_root_diff_ struct root_diff r = { .fd = -1, .upper_fd = -1 };
        if (root_diff_load(s, root_id, true, &r, err) < 0)
                return -1;
        return changes_write(&r, -1, sink_to_fd, &out_fd, err);
}

/* --- a tar stream into a blob and a staging at once --- */

struct making {
        struct ingest *ingest;
        struct compressor *compressor;
        struct layer_unpack *unpack;
};

static void making_done(struct making *m)
{
        layer_unpack_free(m->unpack);
        compressor_free(m->compressor);
        ingest_free(m->ingest);
}
#define _cleanup_making_ __attribute__((cleanup(making_done)))

static int making_compressed(void *data, const void *bytes, size_t len, struct err *err)
{
        return ingest_write(((struct making *)data)->ingest, bytes, len, err);
}

/* Unpacking goes on in its own threads while this one compresses. */
static int making_plain(void *data, const void *bytes, size_t len, struct err *err)
{
        struct making *m = data;
        return layer_unpack_write(m->unpack, bytes, len, err) < 0 ? -1
                                                                  : compressor_write(m->compressor, bytes, len, err);
}

static int making_begin(struct making *m, struct blobs *b, struct layer_staging *into,
                        const struct layer_limits *limits, struct err *err)
{
        if (blob_begin(b, NULL, INT64_MAX, &m->ingest, NULL, err) < 0)
                return -1;
        if (compressor_new(COMPRESSION_GZIP, 0, making_compressed, m, &m->compressor, err) < 0)
                return -1;
        return layer_unpack_begin(into, COMPRESSION_NONE, NULL, limits, &m->unpack, err);
}

static int making_finish(struct making *m, struct layer_made *ret, struct err *err)
{
        struct layer_made made = { .media_type = MEDIA_OCI_LAYER_GZIP };
        if (layer_unpack_finish(m->unpack, made.diff_id, &made.unpacked_size, err) < 0)
                return -1;
        if (compressor_finish(m->compressor, err) < 0 || ingest_commit(m->ingest, made.digest, &made.size, err) < 0)
                return -1;
        *ret = made;
        return 0;
}

static int input_decompress(int fd, struct making *m, struct err *err)
{
        _cleanup_(decompressor_freep) struct decompressor *d = NULL;
        _cleanup_free_ char *chunk = xmalloc(256 << 10);
        if (decompressor_new(COMPRESSION_UNKNOWN, making_plain, m, &d, err) < 0)
                return -1;
        for (;;) {
                ssize_t n = read(fd, chunk, 256 << 10);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_sys(err, "read the archive");
                if (n == 0)
                        return decompressor_finish(d, err);
                if (decompressor_write(d, chunk, (size_t)n, err) < 0)
                        return -1;
        }
}

int layer_import_fd(struct blobs *b, struct layer_staging *into, int fd, const struct layer_limits *limits,
                    struct layer_made *ret, struct err *err)
{
        _cleanup_making_ struct making m = { 0 };
        if (making_begin(&m, b, into, limits, err) < 0 || input_decompress(fd, &m, err) < 0)
                return -1;
        return making_finish(&m, ret, err);
}

static char *chain_of(const char *parent, const char *diff_id)
{
        char chain[DIGEST_SIZE];
        if (!parent)
                return xstrdup(diff_id);
        _cleanup_free_ char *text = xasprintf("%s %s", parent, diff_id);
        digest_of(text, strlen(text), chain);
        return xstrdup(chain);
}

int layer_from_root(struct blobs *b, struct snapshots *s, const char *root_id, const char *parent, int64_t clamp,
                    struct layer_made *ret, char **ret_chain, bool *ret_empty, struct err *err)
{
        _cleanup_root_diff_ struct root_diff r = { .fd = -1, .upper_fd = -1 };
        _cleanup_(layer_abortp) struct layer_staging *staging = NULL;
        _cleanup_making_ struct making m = { 0 };
        struct layer_made made;
        if (root_diff_load(s, root_id, true, &r, err) < 0)
                return -1;
        if (r.changes.count == 0) {
                *ret_empty = true;
                return 0;
        }
        if (layer_begin(s, parent, &staging, err) < 0)
                return -1;
        layer_derived(staging); /* its blob is committed first */
        if (making_begin(&m, b, staging, NULL, err) < 0)
                return -1;
        if (changes_write(&r, clamp, making_plain, &m, err) < 0 || making_finish(&m, &made, err) < 0)
                return err_add(err, "layer from root %s", root_id);
        _cleanup_free_ char *chain = chain_of(parent, made.diff_id);
        if (layer_commit(staging, chain, made.unpacked_size, err) < 0)
                return -1;
        *ret = made;
        *ret_chain = TAKE_PTR(chain);
        *ret_empty = false;
        return 0;
}

int layer_ensure(struct blobs *b, struct snapshots *s, const char *parent, const char *chain_id,
                 const struct descriptor *blob, const char *diff_id, struct err *err)
{
        uint64_t size = 0;
        _cleanup_(layer_abortp) struct layer_staging *staging = NULL;
        if (layer_exists(s, chain_id))
                return 0;
        _cleanup_close_ int fd = blob_open(b, blob->digest, NULL, err);
        if (fd < 0)
                return -1;
        /* The bytes decide: media types are wrong often enough, and the digest of the content is checked. */
        if (layer_begin(s, parent, &staging, err) < 0)
                return -1;
        layer_derived(staging);
        if (layer_unpack_fd(staging, fd, COMPRESSION_UNKNOWN, diff_id, NULL, NULL, &size, err) < 0)
                return err_add(err, "unpack %s", blob->digest);
        return layer_commit(staging, chain_id, size, err);
}

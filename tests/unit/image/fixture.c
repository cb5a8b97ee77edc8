#include "fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "registry/server.h"

static const struct db_schema *const schemas[] = { &image_schema, NULL };

void fixture_open(struct fixture *s, const char *dir)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *root = xasprintf("%s/root", dir), *path = xasprintf("%s/tare.db", dir);
        s->dir = xstrdup(dir);
        if (storage_open(root, getenv("TARE_DRIVER"), &s->st, &err) < 0 || db_open(path, schemas, &s->db, &err) < 0)
                fail_msg("open %s: %s", dir, err.msg);
}

void fixture_new(struct fixture *s)
{
        const char *base = getenv("TMPDIR");
        _cleanup_free_ char *dir = xasprintf("%s/tare-image.XXXXXX", base ? base : "/tmp");
        assert_non_null(mkdtemp(dir));
        fixture_open(s, dir);
}

void fixture_close(struct fixture *s)
{
        db_close(s->db);
        storage_close(s->st);
        free(s->dir);
        *s = (struct fixture){ 0 };
}

void fixture_done(struct fixture *s)
{
        _cleanup_free_ char *dir = xstrdup(s->dir);
        fixture_close(s);
        OK(tree_remove_at(AT_FDCWD, dir, &err));
}

static int count_blob(void *data, const char *digest, uint64_t size, int64_t mtime, struct err *err)
{
        ++*(unsigned *)data;
        return 0;
}

static int count_layer(void *data, const char *chain_id, struct err *err)
{
        ++*(unsigned *)data;
        return 0;
}

unsigned fixture_blobs(struct fixture *s)
{
        unsigned count = 0;
        OK(blobs_walk(s->st->blobs, count_blob, &count, &err));
        return count;
}

unsigned fixture_layers(struct fixture *s)
{
        unsigned count = 0;
        OK(layers_walk(s->st->snapshots, count_layer, &count, &err));
        return count;
}

void fixture_check(struct fixture *s)
{
        const struct image_filter all = { .all = true, .dangling = -1 };
        struct image *list;
        size_t count;
        OK(image_list(s->db, s->st, &all, &list, &count, &err));
        for (size_t n = 0; n < count; n++) {
                _cleanup_manifest_ struct manifest m = { 0 };
                _cleanup_image_config_ struct image_config c = { 0 };
                OK(image_read_manifest(s->st, &list[n], &m, &err));
                OK(image_read_config(s->st, &list[n], &c, &err));
                assert_int_equal(strv_len(list[n].chain), m.layer_count);
                for (size_t k = 0; k < m.layer_count; k++) {
                        _cleanup_buf_ struct buf b = { 0 };
                        OK(blob_read(s->st->blobs, m.layers[k].digest, BUF_DEFAULT_MAX, &b, &err));
                        assert_true(layer_exists(s->st->snapshots, list[n].chain[k]));
                }
        }
        images_free(list, count);
}

/* --- tars --- */

static void tar_header(struct buf *tar, const char *name, char type, size_t size, const char *link)
{
        struct {
                char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[8],
                        rest[247];
        } h = { 0 };
        char block[512] = { 0 };
        snprintf(h.name, sizeof(h.name), "%s", name);
        snprintf(h.mode, sizeof(h.mode), "0000644");
        snprintf(h.uid, sizeof(h.uid), "0000000");
        snprintf(h.gid, sizeof(h.gid), "0000000");
        snprintf(h.size, sizeof(h.size), "%011zo", size);
        snprintf(h.mtime, sizeof(h.mtime), "00000000000");
        memset(h.sum, ' ', sizeof(h.sum));
        h.type = type;
        snprintf(h.link, sizeof(h.link), "%s", link);
        memcpy(h.magic, "ustar\00000", 8);
        memcpy(block, &h, sizeof(h) < sizeof(block) ? sizeof(h) : sizeof(block));
        unsigned sum = 0;
        for (size_t n = 0; n < sizeof(block); n++)
                sum += (unsigned char)block[n];
        snprintf(block + 148, 8, "%06o", sum);
        OK(buf_add(tar, block, sizeof(block), &err));
}

static void tar_pad(struct buf *tar)
{
        static const char zeros[512];
        if (tar->len % 512)
                OK(buf_add(tar, zeros, 512 - tar->len % 512, &err));
}

void tar_file(struct buf *tar, const char *name, const void *content, size_t len)
{
        tar_header(tar, name, '0', len, "");
        OK(buf_add(tar, content, len, &err));
        tar_pad(tar);
}

void tar_link(struct buf *tar, const char *name, const char *target)
{
        tar_header(tar, name, '2', 0, target);
}

void tar_end(struct buf *tar)
{
        static const char zeros[1024];
        OK(buf_add(tar, zeros, sizeof(zeros), &err));
}

int bytes_fd(const void *data, size_t len)
{
        struct err err = ERR_INIT;
        int fd = fd_memfd("bytes", data, len, &err);
        assert_true(fd >= 0);
        return fd;
}

int bytes_pipe(const void *data, size_t len, pid_t *ret_writer)
{
        int fds[2];
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        *ret_writer = fork();
        assert_true(*ret_writer >= 0);
        if (*ret_writer == 0) {
                close(fds[0]);
                _exit(fd_write_full(fds[1], data, len) < 0);
        }
        close(fds[1]);
        return fds[0];
}

void writer_wait(pid_t pid)
{
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* --- images --- */

struct reference ref(const char *text)
{
        struct reference r = { 0 };
        OK(reference_parse(text, &r, &err));
        return r;
}

static int add(void *data, const void *bytes, size_t len, struct err *err)
{
        return buf_add(data, bytes, len, err);
}

static void compress(const struct buf *in, enum compression kind, struct buf *out)
{
        struct compressor *c;
        if (kind == COMPRESSION_NONE) {
                OK(buf_add(out, in->data, in->len, &err));
                return;
        }
        OK(compressor_new(kind, 0, add, out, &c, &err));
        OK(compressor_write(c, in->data, in->len, &err));
        OK(compressor_finish(c, &err));
        compressor_free(c);
}

static char **chain_of(char *const *diff_ids)
{
        return image_chain_ids(diff_ids);
}

static void add_layer(struct fixture *s, const struct spec *spec, size_t n, struct image_config *config,
                      struct descriptor *ret)
{
        static const char *const types[] = { MEDIA_OCI_LAYER, MEDIA_OCI_LAYER_GZIP, MEDIA_OCI_LAYER_ZSTD };
        _cleanup_buf_ struct buf tar = { 0 }, packed = { 0 };
        char name[16], digest[DIGEST_SIZE], diff_id[DIGEST_SIZE];
        uint64_t size;
        snprintf(name, sizeof(name), "%zu", n);
        tar_file(&tar, name, spec->contents[n], strlen(spec->contents[n]));
        tar_end(&tar);
        compress(&tar, spec->compression, &packed);
        OK(blob_put(s->st->blobs, packed.data, packed.len, digest, &err));
        digest_of(tar.data, tar.len, diff_id);
        strv_push(&config->diff_ids, diff_id);
        _cleanup_strv_ char **chain = chain_of(config->diff_ids);
        if (!layer_exists(s->st->snapshots, chain[n])) {
                struct layer_staging *staging;
                struct layer_limits limits = { 0 };
                _cleanup_close_ int fd = bytes_fd(tar.data, tar.len);
                OK(layer_begin(s->st->snapshots, n ? chain[n - 1] : NULL, &staging, &err));
                OK(layer_unpack_fd(staging, fd, COMPRESSION_NONE, diff_id, &limits, diff_id, &size, &err));
                OK(layer_commit(staging, chain[n], size, &err));
                layer_abort(staging);
        }
        *ret = (struct descriptor){ .media_type = xstrdup(types[spec->compression]),
                                    .digest = xstrdup(digest),
                                    .size = (int64_t)packed.len };
}

void make(struct fixture *s, const struct spec *spec, struct image *ret)
{
        char created[TIME_TEXT_SIZE];
        struct descriptor layers[16] = { { 0 } };
        _cleanup_image_config_ struct image_config config = { 0 };
        _cleanup_reference_ struct reference name = { 0 };
        size_t count = 0;
        image_config_init(&config);
        OK(platform_parse(spec->platform ? spec->platform : "linux/amd64", &config.platform, &err));
        str_replace(&config.created, time_format(spec->created * INT64_C(1000000000), created));
        strv_push(&config.exec.env, "PATH=/bin");
        if (spec->label)
                strv_push(&config.exec.labels, spec->label);
        for (; spec->contents[count]; count++) {
                add_layer(s, spec, count, &config, &layers[count]);
                image_config_add_history(&config, config.created, spec->contents[count], NULL, NULL, false);
        }
        image_config_add_history(&config, config.created, "CMD", NULL, "last", true);
        if (spec->name)
                name = ref(spec->name);
        const struct image_make m = { .config = &config,
                                      .layers = layers,
                                      .layer_count = count,
                                      .name = spec->name ? &name : NULL,
                                      .parent = spec->parent,
                                      .intermediate = spec->intermediate };
        OK(image_make(s->db, s->st, &m, ret, &err));
        for (size_t n = 0; n < count; n++)
                descriptor_done(&layers[n]);
}

void told_line(void *data, const char *line)
{
        strv_push(&((struct told *)data)->lines, line);
}

bool told_has(const struct told *t, const char *start)
{
        STRV_FOREACH (line, t->lines)
                if (str_starts(*line, start))
                        return true;
        return false;
}

/* --- a registry --- */

static void ready(void *data, uint16_t port)
{
        if (write(*(int *)data, &port, sizeof(port)) != sizeof(port))
                _exit(2);
}

void server_start(struct server *s, const char *dir)
{
        int told[2], stop[2];
        uint16_t port;
        assert_int_equal(pipe2(told, O_CLOEXEC), 0);
        assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
        s->pid = fork();
        assert_true(s->pid >= 0);
        if (s->pid == 0) {
                struct err err = ERR_INIT;
                close(stop[1]);
                const struct registry_server_options o = { .root = dir,
                                                           .address = "127.0.0.1",
                                                           .allow_delete = true,
                                                           .on_ready = ready,
                                                           .data = &told[1],
                                                           .stop_fd = stop[0] };
                _exit(registry_server_run(&o, &err) < 0);
        }
        close(told[1]);
        close(stop[0]);
        assert_int_equal(fd_read_full(told[0], &port, sizeof(port)), sizeof(port));
        close(told[0]);
        s->stop = stop[1];
        snprintf(s->domain, sizeof(s->domain), "127.0.0.1:%u", port);
}

void server_stop(struct server *s)
{
        close(s->stop);
        writer_wait(s->pid);
}

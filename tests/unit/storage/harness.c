#include "harness.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

struct err err;
static char **boxes;

const char *sandbox(void)
{
        char name[] = "/var/tmp/tare-unit-storage-XXXXXX";
        assert_non_null(mkdtemp(name));
        strv_push(&boxes, name);
        return boxes[strv_len(boxes) - 1];
}

int sandbox_setup(void **state)
{
        err_clear(&err);
        return 0;
}

int sandbox_teardown(void **state)
{
        struct err ignored = ERR_INIT;
        int r = 0;
        STRV_FOREACH (box, boxes) {
                r |= tree_remove_at(AT_FDCWD, *box, &ignored);
        }
        strv_free(boxes);
        boxes = NULL;
        return r;
}

/* --- archives --- */

static la_ssize_t tar_output(struct archive *a, void *data, const void *bytes, size_t len)
{
        struct tar *t = data;
        if (t->len + len > t->cap) {
                t->cap = (t->len + len) * 2;
                t->bytes = xreallocarray(t->bytes, t->cap, 1);
        }
        memcpy(t->bytes + t->len, bytes, len);
        t->len += len;
        return (la_ssize_t)len;
}

struct tar *tar_new_format(int format)
{
        struct tar *t = xcalloc(1, sizeof(*t));
        t->a = archive_write_new();
        archive_write_set_format(t->a, format);
        if (format == ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE)
                archive_write_set_format_option(t->a, "pax", "hdrcharset", "BINARY");
        archive_write_set_bytes_per_block(t->a, 0);
        assert_int_equal(archive_write_open(t->a, t, NULL, tar_output, NULL), ARCHIVE_OK);
        return t;
}

struct tar *tar_new(void)
{
        return tar_new_format(ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE);
}

void tar_item(struct tar *t, const struct tar_item *item)
{
        static const struct {
                char type;
                mode_t mode;
        } types[] = { { 'f', S_IFREG }, { 'd', S_IFDIR }, { 'l', S_IFLNK }, { 'h', S_IFREG },
                      { 'c', S_IFCHR }, { 'b', S_IFBLK }, { 'p', S_IFIFO } };
        struct archive_entry *e = archive_entry_new();
        mode_t type = 0;
        for (size_t i = 0; i < ELEMENTS(types); i++)
                if (types[i].type == item->type)
                        type = types[i].mode;
        assert_int_not_equal(type, 0);
        size_t len = item->text_len ? item->text_len : item->type == 'f' && item->text ? strlen(item->text) : 0;
        archive_entry_set_pathname(e, item->name);
        archive_entry_set_mode(e, type | item->mode);
        archive_entry_set_uid(e, item->uid);
        archive_entry_set_gid(e, item->gid);
        archive_entry_set_mtime(e, item->mtime, item->mtime_ns);
        archive_entry_set_size(e, (la_int64_t)len);
        if (item->type == 'l')
                archive_entry_set_symlink(e, item->text);
        if (item->type == 'h')
                archive_entry_set_hardlink(e, item->text);
        archive_entry_set_rdevmajor(e, item->major);
        archive_entry_set_rdevminor(e, item->minor);
        if (item->xattr)
                archive_entry_xattr_add_entry(e, item->xattr, item->value,
                                              item->value_len ? item->value_len : strlen(item->value));
        assert_true(archive_write_header(t->a, e) >= ARCHIVE_WARN);
        if (len)
                assert_int_equal(archive_write_data(t->a, item->text, len), len);
        archive_entry_free(e);
}

void tar_add(struct tar *t, char type, const char *name, const char *text, unsigned mode)
{
        tar_item(t, &(struct tar_item){ .type = type,
                                        .name = name,
                                        .text = text,
                                        .mode = mode,
                                        .mtime = 1000000000,
                                        .major = 7,
                                        .minor = 8 });
}

void tar_end(struct tar *t)
{
        if (t->a)
                assert_int_equal(archive_write_free(t->a), ARCHIVE_OK);
        t->a = NULL;
}

void tar_free(struct tar *t)
{
        tar_end(t);
        free(t->bytes);
        free(t);
}

/* --- trees as text --- */

bool there(int root_fd, const char *path)
{
        struct stat st;
        return fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

char *file_text(int root_fd, const char *path)
{
        struct err ignored = ERR_INIT;
        struct buf b = BUF_INIT(64 << 20);
        if (file_read_at(root_fd, path, &b, &ignored) < 0) {
                buf_done(&b);
                return NULL;
        }
        return buf_take(&b);
}

int memory_file(const void *data, size_t len)
{
        int fd = fd_memfd("archive", data, len, &err);
        if (fd < 0)
                fail_msg("%s", err.msg);
        return fd;
}

static void xattrs_text(int fd, struct buf *out)
{
        char path[FD_PATH_SIZE], list[4096], value[4096];
        ssize_t len = listxattr(fd_path(fd, path), list, sizeof(list));
        for (const char *at = list; len > 0 && at < list + len; at += strlen(at) + 1) {
                if (strstr(at, ".overlay."))
                        continue;
                ssize_t n = getxattr(path, at, value, sizeof(value));
                buf_addf(out, &err, " %s=", at);
                for (ssize_t i = 0; i < n; i++)
                        buf_addf(out, &err, "%02x", (unsigned char)value[i]);
        }
}

static void entry_text(int dir_fd, const char *name, const char *path, const struct stat *st, bool with_times,
                       struct buf *out)
{
        char target[4097], digest[DIGEST_SIZE];
        buf_addf(out, &err, "/%s %o %u:%u", path, st->st_mode, st->st_uid, st->st_gid);
        if (with_times)
                buf_addf(out, &err, " %" PRId64 ".%09ld", (int64_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
        if (!S_ISDIR(st->st_mode))
                buf_addf(out, &err, " links=%u", (unsigned)st->st_nlink);
        if (S_ISLNK(st->st_mode)) {
                ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);
                assert_true(n > 0);
                target[n] = 0;
                buf_addf(out, &err, " -> %s", target);
        }
        if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
                buf_addf(out, &err, " %u,%u", major(st->st_rdev), minor(st->st_rdev));
        if (S_ISREG(st->st_mode)) {
                char *text = file_text(dir_fd, name);
                assert_non_null(text);
                digest_of(text, (size_t)st->st_size, digest);
                buf_addf(out, &err, " %lld %.20s", (long long)st->st_size, digest);
                free(text);
        }
        int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        xattrs_text(fd, out);
        close(fd);
        buf_addc(out, '\n', &err);
}

static void dir_text(int dir_fd, const char *path, bool with_times, struct buf *out)
{
        char **names = NULL;
        int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fdopendir(copy);
        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));)
                if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
                        strv_push(&names, e->d_name);
        closedir(dir);
        strv_sort(names);
        STRV_FOREACH (name, names) {
                struct stat st;
                char *child = *path ? xasprintf("%s/%s", path, *name) : xstrdup(*name);
                assert_int_equal(fstatat(dir_fd, *name, &st, AT_SYMLINK_NOFOLLOW), 0);
                entry_text(dir_fd, *name, child, &st, with_times, out);
                if (S_ISDIR(st.st_mode)) {
                        int fd = openat(dir_fd, *name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                        assert_true(fd >= 0);
                        dir_text(fd, child, with_times, out);
                        close(fd);
                }
                free(child);
        }
        strv_free(names);
}

char *tree_text(int root_fd, bool with_times)
{
        struct buf out = BUF_INIT(64 << 20);
        dir_text(root_fd, "", with_times, &out);
        return out.len ? buf_take(&out) : xstrdup("");
}

/* --- layers --- */

char *layer_put(struct snapshots *s, const char *parent, struct tar *t)
{
        struct layer_staging *l = NULL;
        char diff_id[DIGEST_SIZE], chain[DIGEST_SIZE];
        uint64_t size = 0;
        tar_end(t);
        int fd = memory_file(t->bytes, t->len);
        assert_ok(layer_begin(s, parent, &l, &err));
        assert_ok(layer_unpack_fd(l, fd, COMPRESSION_NONE, NULL, NULL, diff_id, &size, &err));
        close(fd);
        char *text = parent ? xasprintf("%s %s", parent, diff_id) : NULL;
        if (text)
                digest_of(text, strlen(text), chain);
        else
                snprintf(chain, sizeof(chain), "%s", diff_id);
        free(text);
        assert_ok(layer_commit(l, chain, size, &err));
        layer_abort(l);
        tar_free(t);
        return xstrdup(chain);
}

int unpack_try(struct snapshots *s, const void *data, size_t len, const struct layer_limits *limits)
{
        struct layer_staging *l = NULL;
        int fd = memory_file(data, len);
        assert_ok(layer_begin(s, NULL, &l, &err));
        int r = layer_unpack_fd(l, fd, COMPRESSION_UNKNOWN, NULL, limits, NULL, NULL, &err);
        layer_abort(l);
        close(fd);
        return r;
}

int chain_open(struct snapshots *s, char *const *chain)
{
        char id[33];
        random_hex(id, 32);
        assert_ok(root_create(s, id, chain, &err));
        int fd = root_open(s, id, false, &err);
        assert_ok(fd);
        return fd;
}

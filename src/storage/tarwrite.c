#include "storage/tarwrite-internal.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/str.h"
#include "storage/keymap-internal.h"
#include "storage/snapshot-internal.h"

#define CHUNK ((size_t)512 << 10)

struct tar_writer {
        struct archive *archive;
        struct archive_entry *entry;
        compress_sink_fn sink;
        void *data;
        int64_t clamp;
        struct keymap inodes; /* of files with several names: the first name */
        char *chunk;
        locale_t locale;
        struct err err; /* of the sink */
};

int sink_to_fd(void *data, const void *bytes, size_t len, struct err *err)
{
        return fd_write_full(*(int *)data, bytes, len) < 0 ? err_sys(err, "write archive") : 0;
}

static la_ssize_t writer_output(struct archive *a, void *data, const void *bytes, size_t len)
{
        struct tar_writer *w = data;
        if (w->sink(w->data, bytes, len, &w->err) == 0)
                return (la_ssize_t)len;
        archive_set_error(a, EIO, "output failed");
        return -1;
}

static int writer_fail(struct tar_writer *w, const char *name, struct err *err)
{
        const char *text = archive_error_string(w->archive);
        if (w->err.kind != ERR_NONE) {
                *err = w->err;
                return -1;
        }
        return err_set(err, ERR_SYSTEM, "archive /%s: %s", name, text ? text : "failed");
}

int tar_writer_new(compress_sink_fn sink, void *data, int64_t clamp, struct tar_writer **ret, struct err *err)
{
        _cleanup_(tar_writer_freep) struct tar_writer *w = xcalloc(1, sizeof(*w));
        w->sink = sink;
        w->data = data;
        w->clamp = clamp;
        keymap_init(&w->inodes, free);
        w->chunk = xmalloc(CHUNK);
        w->entry = archive_entry_new();
        w->archive = archive_write_new();
        /* In the C locale libarchive writes names that are not ASCII as bytes, and says so in the header. */
        w->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        archive_write_set_format_pax(w->archive);
        archive_write_set_format_option(w->archive, "pax", "xattrheader", "SCHILY");
        archive_write_set_bytes_per_block(w->archive, 0);
        if (archive_write_open(w->archive, w, NULL, writer_output, NULL) != ARCHIVE_OK)
                return writer_fail(w, "", err);
        *ret = TAKE_PTR(w);
        return 0;
}

void tar_writer_free(struct tar_writer *w)
{
        if (!w)
                return;
        /* Without finishing, nothing more is written. */
        archive_write_fail(w->archive);
        archive_write_free(w->archive);
        archive_entry_free(w->entry);
        keymap_done(&w->inodes);
        freelocale(w->locale);
        free(w->chunk);
        free(w);
}

static int header_write(struct tar_writer *w, const char *name, struct err *err)
{
        locale_t old = uselocale(w->locale);
        archive_entry_copy_pathname(w->entry, name);
        int r = archive_write_header(w->archive, w->entry);
        uselocale(old);
        return r < ARCHIVE_WARN ? writer_fail(w, name, err) : 0;
}

/* libarchive writes a time before 1970 as if seconds and fraction had one sign. */
static void time_set(struct tar_writer *w, struct timespec t)
{
        if (w->clamp >= 0 && t.tv_sec >= w->clamp)
                t = (struct timespec){ .tv_sec = w->clamp };
        if (t.tv_sec < -1 && t.tv_nsec > 0) {
                t.tv_sec++;
                t.tv_nsec = 1000000000 - t.tv_nsec;
        } else if (t.tv_sec < 0)
                t.tv_nsec = 0;
        archive_entry_set_mtime(w->entry, t.tv_sec, t.tv_nsec);
}

static int name_compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int xattrs_set(struct tar_writer *w, int fd, const char *name, struct err *err)
{
        char path[FD_PATH_SIZE], list[4096], value[65536];
        _cleanup_(namelist_done) struct namelist names = { 0 };
        ssize_t len = listxattr(fd_path(fd, path), list, sizeof(list) - 1);
        if (len < 0)
                return errno == ENOTSUP || errno == EACCES ? 0 : err_sys(err, "list the attributes of /%s", name);
        list[len] = '\0';
        for (const char *at = list; at < list + len; at += strlen(at) + 1)
                /* A label belongs to the machine that set it. */
                if (!xattr_is_private(at) && !str_eq(at, "security.selinux"))
                        namelist_add(&names, at);
        if (names.count)
                qsort(names.list, names.count, sizeof(*names.list), name_compare);
        for (size_t i = 0; i < names.count; i++) {
                ssize_t n = getxattr(path, names.list[i], value, sizeof(value));
                if (n < 0 && errno != ENODATA)
                        return err_sys(err, "read attribute %s of /%s", names.list[i], name);
                if (n >= 0)
                        archive_entry_xattr_add_entry(w->entry, names.list[i], value, (size_t)n);
        }
        return 0;
}

/* Exactly st_size bytes, whatever somebody does to the file meanwhile: the header is written already. */
static int content_write(struct tar_writer *w, const char *name, int fd, uint64_t size, struct err *err)
{
        char path[FD_PATH_SIZE];
        _cleanup_close_ int in = open(fd_path(fd, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (in < 0)
                return err_sys(err, "open /%s", name);
        for (uint64_t done = 0; done < size;) {
                size_t want = size - done < CHUNK ? (size_t)(size - done) : CHUNK;
                ssize_t n = fd_read_full(in, w->chunk, want);
                if (n < 0)
                        return err_sys(err, "read /%s", name);
                if ((size_t)n < want)
                        memset(w->chunk + n, 0, want - (size_t)n);
                if (archive_write_data(w->archive, w->chunk, want) != (la_ssize_t)want)
                        return writer_fail(w, name, err);
                done += want;
        }
        return 0;
}

/* 1: written as a link to an earlier name. */
static int link_write(struct tar_writer *w, const char *name, const struct stat *st, struct err *err)
{
        struct inode_key key = inode_key(st);
        const char *first = keymap_get(&w->inodes, &key, sizeof(key));
        if (!first) {
                keymap_set(&w->inodes, &key, sizeof(key), xstrdup(name));
                return 0;
        }
        archive_entry_copy_hardlink(w->entry, first);
        archive_entry_set_size(w->entry, 0);
        return header_write(w, name, err) < 0 ? -1 : 1;
}

static int target_set(struct tar_writer *w, int fd, const char *name, struct err *err)
{
        char target[4097];
        ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
        if (n < 0)
                return err_sys(err, "read link /%s", name);
        target[n] = '\0';
        archive_entry_copy_symlink(w->entry, target);
        return 0;
}

int tar_writer_add(struct tar_writer *w, const char *name, int fd, const struct stat *st, struct err *err)
{
        if (S_ISSOCK(st->st_mode))
                return 0;
        archive_entry_clear(w->entry);
        archive_entry_set_mode(w->entry, st->st_mode);
        archive_entry_set_uid(w->entry, st->st_uid);
        archive_entry_set_gid(w->entry, st->st_gid);
        time_set(w, st->st_mtim);
        if (!S_ISDIR(st->st_mode) && st->st_nlink > 1) {
                int r = link_write(w, name, st, err);
                if (r != 0)
                        return r < 0 ? -1 : 0;
        }
        archive_entry_set_size(w->entry, S_ISREG(st->st_mode) ? st->st_size : 0);
        if (S_ISLNK(st->st_mode) && target_set(w, fd, name, err) < 0)
                return -1;
        if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
                archive_entry_set_rdevmajor(w->entry, major(st->st_rdev));
                archive_entry_set_rdevminor(w->entry, minor(st->st_rdev));
        }
        if (xattrs_set(w, fd, name, err) < 0 || header_write(w, name, err) < 0)
                return -1;
        return S_ISREG(st->st_mode) ? content_write(w, name, fd, (uint64_t)st->st_size, err) : 0;
}

int tar_writer_mark(struct tar_writer *w, const char *name, struct err *err)
{
        archive_entry_clear(w->entry);
        archive_entry_set_mode(w->entry, S_IFREG | 0600);
        archive_entry_set_size(w->entry, 0);
        archive_entry_set_mtime(w->entry, 0, 0);
        return header_write(w, name, err);
}

int tar_writer_finish(struct tar_writer *w, struct err *err)
{
        return archive_write_close(w->archive) != ARCHIVE_OK ? writer_fail(w, "", err) : 0;
}

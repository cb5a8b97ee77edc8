#include "base/linefiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK ((size_t)128 << 10)
#define LINE_MAX_BYTES ((size_t)1 << 20)       /* the records we know are a tenth of it */
#define SLACK 1000000000                       /* ns */
#define FILES_MAX 1001                         /* writers keep at most 1000 */

void line_files_done(struct line_files *l)
{
        free(l->path);
        mem_closep(&l->file.fd);
        buf_done(&l->buffer);
        *l = (struct line_files){ .file = { .fd = -1 } };
}

static bool file_look(struct line_file *f)
{
        struct stat st;
        if (f->fd < 0 || fstat(f->fd, &st) < 0)
                return false;
        if (!S_ISREG(st.st_mode)) {
                errno = ENOENT;
                return false;
        }
        f->dev = st.st_dev;
        f->ino = st.st_ino;
        f->size = st.st_size;
        f->changed = st.st_mtim;
        return true;
}

static bool name_open(const char *name, bool packed, struct line_file *ret)
{
        struct line_file f = { .packed = packed };
        f.fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (!file_look(&f)) {
                mem_closep(&f.fd);
                return false;
        }
        *ret = f;
        return true;
}

/* The n-th file, 0 the newest; false with errno. */
static bool nth_open(const struct line_files *l, unsigned n, struct line_file *ret)
{
        _cleanup_free_ char *name = n ? xasprintf("%s.%u", l->path, n) : xstrdup(l->path);
        if (name_open(name, false, ret))
                return true;
        if (errno != ENOENT || n == 0 || !l->packing)
                return false;
        _cleanup_free_ char *packed = xasprintf("%s%s", name, l->packing->suffix);
        return name_open(packed, true, ret);
}

static bool same_file(const struct line_file *a, const struct line_file *b)
{
        if (a->ino == b->ino && a->dev == b->dev)
                return true;
        return (a->packed || b->packed) && a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Steps the number on past a gap: while files are being renamed one of them is missing. */
static bool nth_open_gap(const struct line_files *l, unsigned *n, struct line_file *ret)
{
        if (nth_open(l, *n, ret))
                return true;
        return errno == ENOENT && *n < FILES_MAX && nth_open(l, ++*n, ret);
}

/* 1: *ret is the oldest of all; 0: there is none; -1 with errno. */
static int oldest_open(const struct line_files *l, struct line_file *ret)
{
        struct line_file found = { .fd = -1 }, f;
        for (unsigned n = 0; n < FILES_MAX; n++) {
                if (!nth_open_gap(l, &n, &f)) {
                        if (errno == ENOENT)
                                break;
                        mem_closep(&found.fd);
                        return -1;
                }
                mem_closep(&found.fd);
                found = f;
        }
        *ret = found;
        return found.fd >= 0;
}

/* The file that follows the one being read. 1: *ret; 0: it is the newest, or all are gone; -1 with errno. */
static int newer_open(struct line_files *l, struct line_file *ret)
{
        struct line_file newer = { .fd = -1 }, f;
        if (!l->file.packed)
                file_look(&l->file);
        for (unsigned n = 0; n < FILES_MAX; n++) {
                if (!nth_open_gap(l, &n, &f)) {
                        if (errno == ENOENT)
                                break; /* rotated away altogether: the oldest there is follows */
                        mem_closep(&newer.fd);
                        return -1;
                }
                if (same_file(&f, &l->file)) {
                        close(f.fd);
                        break;
                }
                mem_closep(&newer.fd);
                newer = f;
        }
        *ret = newer;
        return newer.fd >= 0;
}

static void position(struct line_files *l, off_t offset)
{
        l->offset = offset;
        l->at = l->scanned = 0;
        buf_reset(&l->buffer);
}

/* In place of a packed file its content, in a file without a name; beside the log, where there is room for it. */
static int file_unpack(const struct line_files *l, struct line_file *f, struct err *err)
{
        const char *slash = strrchr(l->path, '/');
        _cleanup_free_ char *folder = slash ? xstrndup(l->path, (size_t)(slash - l->path) + 1) : xstrdup(".");
        _cleanup_close_ int out = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        struct stat st;
        if (out < 0)
                out = memfd_create("log", MFD_CLOEXEC);
        if (out < 0)
                return err_sys(err, "temporary file");
        if (l->packing->unpack(l->packing->data, f->fd, out, err) < 0 || fstat(out, &st) < 0)
                return err->kind ? -1 : err_sys(err, "temporary file");
        mem_closep(&f->fd);
        f->fd = TAKE_FD(out);
        f->size = st.st_size;
        return 0;
}

static int file_take(struct line_files *l, const struct line_file *f, struct err *err)
{
        mem_closep(&l->file.fd);
        l->file = *f;
        position(l, 0);
        return f->packed ? file_unpack(l, &l->file, err) : 0;
}

/* 1 when the reader now stands at the beginning of another file. */
static int file_next(struct line_files *l, struct err *err)
{
        struct line_file f;
        int more = l->file.fd < 0 ? oldest_open(l, &f) : newer_open(l, &f);
        if (more < 0)
                return err_sys(err, "%s", l->path);
        return more && file_take(l, &f, err) < 0 ? -1 : more;
}

/* --- placing --- */

/* Where the last *lines lines of the file begin; *lines is left at those it did not have. Bytes after the last newline are no line yet. */
static int tail_find(int fd, off_t size, int64_t *lines, off_t *ret)
{
        _cleanup_free_ char *block = xmalloc(BLOCK);
        int64_t found = -1;            /* the newline that ends the last line begins none */
        for (off_t end = size; end > 0;) {
                size_t len = end > (off_t)BLOCK ? BLOCK : (size_t)end;
                end -= (off_t)len;
                ssize_t n = pread(fd, block, len, end);
                if (n < 0)
                        return -1;
                for (char *at = block + n; (at = memrchr(block, '\n', (size_t)(at - block)));)
                        if (++found == *lines) {
                                *lines = 0;
                                *ret = end + (at - block) + 1;
                                return 0;
                        }
        }
        *lines -= found + 1;
        *ret = 0;
        return 0;
}

static int tail_open(struct line_files *l, int64_t tail, struct err *err)
{
        struct line_file f;
        for (unsigned n = 0; n < FILES_MAX; n++) {
                if (!nth_open_gap(l, &n, &f)) {
                        if (errno == ENOENT)
                                break;
                        return err_sys(err, "%s", l->path);
                }
                if (l->file.fd >= 0 && same_file(&f, &l->file)) {
                        close(f.fd);
                        continue;      /* rotated meanwhile */
                }
                off_t start;
                if (file_take(l, &f, err) < 0)
                        return -1;
                if (tail_find(l->file.fd, l->file.size, &tail, &start) < 0)
                        return err_sys(err, "%s", l->path);
                l->offset = start;
                if (tail == 0)
                        break;
        }
        return 0;
}

/* Coarse file times may be a little before the record's. */
static bool ends_before(const struct line_file *f, int64_t since)
{
        return since > 0 && ((int64_t)f->changed.tv_sec + 1) * 1000000000 + f->changed.tv_nsec < since;
}

/* The oldest file that does not end before, without unpacking those that do. */
static int since_open(struct line_files *l, int64_t since, struct err *err)
{
        struct line_file found = { .fd = -1 }, f;
        for (unsigned n = 0; n < FILES_MAX; n++) {
                if (!nth_open_gap(l, &n, &f)) {
                        if (errno == ENOENT)
                                break;
                        mem_closep(&found.fd);
                        return err_sys(err, "%s", l->path);
                }
                if (n > 0 && ends_before(&f, since)) {
                        close(f.fd);
                        break;
                }
                mem_closep(&found.fd);
                found = f;
        }
        return found.fd < 0 ? 0 : file_take(l, &found, err) < 0 ? -1 : 1;
}

/* Coarse clocks and several writers: lines a little out of order are still found. */
static int since_find(struct line_files *l, int64_t since, line_key_fn time, struct err *err)
{
        struct stat st;
        off_t offset;
        if (fstat(l->file.fd, &st) < 0 || line_bisect(l->file.fd, st.st_size, since - SLACK, time, &offset, err) < 0)
                return err_add(err, "%s", l->path);
        position(l, offset);
        return 0;
}

int line_files_open_packed(const char *path, int64_t tail, int64_t since, line_key_fn time, const struct line_packing *packing,
                           struct line_files *ret, struct err *err)
{
        _cleanup_line_files_ struct line_files l = { .path = xstrdup(path), .file = { .fd = -1 }, .packing = packing,
                                                     .buffer = BUF_INIT(LINE_MAX_BYTES + BLOCK) };
        if (tail >= 0) {
                if (tail_open(&l, tail, err) < 0)
                        return -1;
        } else {
                int more = since_open(&l, since, err);
                if (more < 0 || (more == 1 && since > 0 && time && since_find(&l, since, time, err) < 0))
                        return -1;
        }
        *ret = l;
        l = (struct line_files){ .file = { .fd = -1 } };
        return 0;
}

int line_files_open(const char *path, int64_t tail, int64_t since, line_key_fn time, struct line_files *ret, struct err *err)
{
        return line_files_open_packed(path, tail, since, time, NULL, ret, err);
}

/* --- reading --- */

/* Adds a block to the buffer; 0 at the end of the file. */
static int block_read(struct line_files *l, struct err *err)
{
        struct stat st;
        if (l->at) {
                buf_consume(&l->buffer, l->at);
                l->at = 0;
        }
        if (l->buffer.len >= LINE_MAX_BYTES)
                position(l, l->offset); /* no line of ours: what is left of it will be no record */
        if (buf_reserve(&l->buffer, BLOCK, err) < 0)
                return -1;
        ssize_t n = pread(l->file.fd, l->buffer.data + l->buffer.len, BLOCK, l->offset);
        if (n < 0)
                return err_sys(err, "%s", l->path);
        if (n == 0 && fstat(l->file.fd, &st) == 0 && st.st_size < l->offset) {
                /* a log of one file is emptied when it is full */
                position(l, 0);
                return st.st_size > 0 ? block_read(l, err) : 0;
        }
        l->offset += n;
        l->buffer.len += (size_t)n;
        buf_terminate(&l->buffer);
        return n > 0;
}

static bool line_take(struct line_files *l, const char **ret_line, size_t *ret_len)
{
        const char *from = l->buffer.data + l->at, *newline = NULL;
        size_t have = l->buffer.len - l->at;
        if (have > l->scanned)
                newline = memchr(from + l->scanned, '\n', have - l->scanned);
        l->scanned = newline ? 0 : have;
        if (!newline)
                return false;
        *ret_line = from;
        *ret_len = (size_t)(newline - from);
        l->at += *ret_len + 1;
        return true;
}

/* At the end of a file. What was written between the last read and a rotation is still to be had from the old one, so that is read once more
 * before the next is taken. 1: go on reading. */
static int end_reached(struct line_files *l, bool *rotated, struct err *err)
{
        struct line_file newer;
        if (l->file.fd < 0 || *rotated) {
                *rotated = false;
                return file_next(l, err);
        }
        int more = newer_open(l, &newer);
        if (more < 0)
                return err_sys(err, "%s", l->path);
        mem_closep(&newer.fd);
        *rotated = more;
        return more;
}

int line_files_line(struct line_files *l, const char **ret_line, size_t *ret_len, struct err *err)
{
        bool rotated = false;
        for (;;) {
                if (l->file.fd >= 0 && line_take(l, ret_line, ret_len))
                        return 1;
                int more = l->file.fd >= 0 ? block_read(l, err) : 0;
                if (more == 0)
                        more = end_reached(l, &rotated, err);
                if (more <= 0)
                        return more;
        }
}

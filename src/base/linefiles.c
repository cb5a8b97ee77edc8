#include "base/linefiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK ((size_t)128 << 10)
#define LINE_MAX_BYTES ((size_t)1 << 20)       /* the records we know are a tenth of it */
#define SLACK 1000000000                       /* ns */
#define FILES_MAX 1001                         /* writers keep at most 1000 */

void line_files_done(struct line_files *l)
{
        free(l->path);
        mem_closep(&l->fd);
        l->fd = -1;
        buf_done(&l->buffer);
        *l = (struct line_files){ .fd = -1 };
}

/* The n-th file, 0 the newest; -1 with errno. */
static int nth_open(const char *path, unsigned n, struct stat *ret)
{
        _cleanup_free_ char *name = n ? xasprintf("%s.%u", path, n) : xstrdup(path);
        _cleanup_close_ int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, ret) < 0)
                return -1;
        if (!S_ISREG(ret->st_mode)) {
                errno = ENOENT;
                return -1;
        }
        return TAKE_FD(fd);
}

static bool same_file(const struct stat *a, const struct stat *b) { return a->st_ino == b->st_ino && a->st_dev == b->st_dev; }

/* Steps the number on past a gap: while files are being renamed one of them is missing. */
static int nth_open_gap(const char *path, unsigned *n, struct stat *ret)
{
        int fd = nth_open(path, *n, ret);
        if (fd < 0 && errno == ENOENT && *n < FILES_MAX)
                fd = nth_open(path, ++*n, ret);
        return fd;
}

/* The oldest of all; -1 with errno ENOENT when there is none. */
static int oldest_open(const char *path, struct stat *ret)
{
        _cleanup_close_ int found = -1;
        struct stat st;
        for (unsigned n = 0; n < FILES_MAX; n++) {
                int fd = nth_open_gap(path, &n, &st);
                if (fd < 0 && errno != ENOENT)
                        return -1;
                if (fd < 0)
                        break;
                mem_closep(&found);
                found = fd;
                *ret = st;
        }
        if (found < 0)
                errno = ENOENT;
        return TAKE_FD(found);
}

/* The file that follows the one with this identity. 1: *ret_fd; 0: it is the newest, or all are gone; -1 with errno. */
static int newer_open(const char *path, const struct stat *mine, int *ret_fd, struct stat *ret)
{
        _cleanup_close_ int newer = -1;
        struct stat st, newer_st = *mine;
        for (unsigned n = 0; n < FILES_MAX; n++) {
                int fd = nth_open_gap(path, &n, &st);
                if (fd < 0 && errno != ENOENT)
                        return -1;
                if (fd < 0)
                        break;         /* rotated away altogether: the oldest there is follows */
                if (same_file(&st, mine)) {
                        close(fd);
                        break;
                }
                mem_closep(&newer);
                newer = fd;
                newer_st = st;
        }
        if (newer < 0)
                return 0;
        *ret_fd = TAKE_FD(newer);
        *ret = newer_st;
        return 1;
}

static void position(struct line_files *l, off_t offset)
{
        l->offset = offset;
        l->at = l->scanned = 0;
        buf_reset(&l->buffer);
}

static void file_take(struct line_files *l, int fd)
{
        mem_closep(&l->fd);
        l->fd = fd;
        position(l, 0);
}

/* 1 when the reader now stands at the beginning of another file. */
static int file_next(struct line_files *l, struct err *err)
{
        struct stat mine, st;
        int fd = -1, more;
        if (l->fd < 0) {
                fd = oldest_open(l->path, &st);
                more = fd >= 0 ? 1 : errno == ENOENT ? 0 : -1;
        } else {
                more = fstat(l->fd, &mine) < 0 ? -1 : newer_open(l->path, &mine, &fd, &st);
        }
        if (more < 0)
                return err_sys(err, "%s", l->path);
        if (more)
                file_take(l, fd);
        return more;
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
        struct stat st, last = { 0 };
        for (unsigned n = 0; n < FILES_MAX; n++) {
                _cleanup_close_ int fd = nth_open_gap(l->path, &n, &st);
                if (fd < 0 && errno == ENOENT)
                        break;
                if (fd < 0)
                        return err_sys(err, "%s", l->path);
                if (l->fd >= 0 && same_file(&st, &last))
                        continue;      /* rotated meanwhile */
                last = st;
                off_t start;
                if (tail_find(fd, st.st_size, &tail, &start) < 0)
                        return err_sys(err, "%s", l->path);
                file_take(l, TAKE_FD(fd));
                l->offset = start;
                if (tail == 0)
                        break;
        }
        return 0;
}

/* Coarse file times may be a little before the record's. */
static bool ends_before(int fd, int64_t since)
{
        struct stat st;
        return since > 0 && fstat(fd, &st) == 0 && ((int64_t)st.st_mtim.tv_sec + 1) * 1000000000 + st.st_mtim.tv_nsec < since;
}

/* Coarse clocks and several writers: lines a little out of order are still found. */
static int since_find(struct line_files *l, int64_t since, line_key_fn time, struct err *err)
{
        struct stat st;
        off_t offset;
        if (fstat(l->fd, &st) < 0 || line_bisect(l->fd, st.st_size, since - SLACK, time, &offset, err) < 0)
                return err_add(err, "%s", l->path);
        position(l, offset);
        return 0;
}

int line_files_open(const char *path, int64_t tail, int64_t since, line_key_fn time, struct line_files *ret, struct err *err)
{
        _cleanup_line_files_ struct line_files l = { .path = xstrdup(path), .fd = -1, .buffer = BUF_INIT(LINE_MAX_BYTES + BLOCK) };
        if (tail >= 0) {
                if (tail_open(&l, tail, err) < 0)
                        return -1;
        } else {
                int more = file_next(&l, err);
                while (more == 1 && ends_before(l.fd, since))
                        more = file_next(&l, err);
                if (more < 0 || (more == 1 && since > 0 && time && since_find(&l, since, time, err) < 0))
                        return -1;
        }
        *ret = l;
        l = (struct line_files){ .fd = -1 };
        return 0;
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
        ssize_t n = pread(l->fd, l->buffer.data + l->buffer.len, BLOCK, l->offset);
        if (n < 0)
                return err_sys(err, "%s", l->path);
        if (n == 0 && fstat(l->fd, &st) == 0 && st.st_size < l->offset) {
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
        struct stat mine, st;
        _cleanup_close_ int fd = -1;
        if (l->fd < 0 || *rotated) {
                *rotated = false;
                return file_next(l, err);
        }
        int more = fstat(l->fd, &mine) < 0 ? -1 : newer_open(l->path, &mine, &fd, &st);
        if (more < 0)
                return err_sys(err, "%s", l->path);
        *rotated = more;
        return more;
}

int line_files_line(struct line_files *l, const char **ret_line, size_t *ret_len, struct err *err)
{
        bool rotated = false;
        for (;;) {
                if (l->fd >= 0 && line_take(l, ret_line, ret_len))
                        return 1;
                int more = l->fd >= 0 ? block_read(l, err) : 0;
                if (more == 0)
                        more = end_reached(l, &rotated, err);
                if (more <= 0)
                        return more;
        }
}

/* The local driver's files (runtime/log_page.h), oldest first: PATH.2, PATH.1, PATH, of which the rotated ones may be packed
 * (log_packed-internal.h). A file is known by the time of its first record, which packing does not change. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "engine/log-internal.h"
#include "runtime/log_page.h"
#include "runtime/log_pack.h"

#define FILES_MAX 1001                 /* writers keep at most 1000 */
#define SLACK 1000000000               /* ns: clocks that were set back a little */

/* One file, opened. */
struct log_file {
        int fd;                        /* -1: none */
        int64_t first;                 /* time of its first record: its identity */
        bool packed;
        struct log_pack pack;          /* of a packed one */
};

struct local_reader {
        const struct log_source *source;
        char *path;
        struct log_file file;
        pid_t unpacker;                /* of a packed file; its output is `pipe` */
        int pipe;
        uint64_t offset;               /* of the page */
        uint8_t page[LOG_PAGE];
        size_t len, at;
        struct log_page_record record;
        int64_t skip;                  /* records not to be shown */
        char *text;                    /* with its newline */
        const uint8_t *attrs;          /* inside the page */
        size_t attrs_len;
        bool rotated;
};

static void file_done(struct log_file *f)
{
        mem_closep(&f->fd);
        log_pack_done(&f->pack);
        *f = (struct log_file){ .fd = -1 };
}

static bool file_first(int fd, int64_t *ret)
{
        uint8_t head[LOG_PAGE_HEAD];
        ssize_t n = pread(fd, head, sizeof(head), 0);
        return n == (ssize_t)sizeof(head) && log_page_time(head, sizeof(head), ret);
}

static bool file_try(const char *name, bool packed, struct log_file *ret)
{
        struct stat st;
        struct log_file f = { .packed = packed };
        f.fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        bool ours = f.fd >= 0 && fstat(f.fd, &st) == 0 && S_ISREG(st.st_mode) &&
                    (packed ? log_pack_read(f.fd, &f.pack) : file_first(f.fd, &f.first));
        if (!ours) {
                file_done(&f);
                return false;
        }
        if (packed)
                f.first = f.pack.first;
        *ret = f;
        return true;
}

/* The n-th file, 0 the newest; the name next to a gap is taken, as one is missing while they are renamed. */
static bool file_open(const char *path, unsigned *n, struct log_file *ret)
{
        for (int attempt = 0; attempt < 2; attempt++, ++*n) {
                _cleanup_free_ char *name = *n ? xasprintf("%s.%u", path, *n) : xstrdup(path), *packed = xasprintf("%s.zst", name);
                if (file_try(name, false, ret) || (*n && file_try(packed, true, ret)))
                        return true;
        }
        return false;
}

static void unpacker_end(struct local_reader *r)
{
        struct err ignored = ERR_INIT;
        int status;
        mem_closep(&r->pipe);
        r->pipe = -1;
        if (r->unpacker > 0)
                proc_wait(r->unpacker, &status, &ignored);
        r->unpacker = 0;
}

static void page_reset(struct local_reader *r, uint64_t offset)
{
        r->offset = offset;
        r->len = r->at = 0;
        r->attrs = NULL;
        r->attrs_len = 0;
}

/* From frame `frame` on, through a pipe. */
static int unpacker_start(struct local_reader *r, uint32_t frame, struct err *err)
{
        int pipe[2];
        _cleanup_free_ char *number = xasprintf("%u", frame);
        if (!r->source->unpack)
                return err_set(err, ERR_UNSUPPORTED, "a rotated file is compressed, and the program that reads it is not here");
        if (pipe2(pipe, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        _cleanup_close_ int theirs = pipe[1];
        r->pipe = pipe[0];
        _cleanup_strv_ char **argv = strv_dup((char *const *)(uintptr_t)r->source->unpack);
        strv_push(&argv, number);
        struct proc_spawn spawn = { .path = argv[0], .argv = argv, .stdin_fd = r->file.fd, .stdout_fd = theirs, .stderr_fd = 2,
                                    .death_signal = SIGKILL };
        return proc_spawn(&spawn, &r->unpacker, NULL, err);
}

static int file_take(struct local_reader *r, struct log_file *f, uint64_t offset, uint32_t frame, struct err *err)
{
        unpacker_end(r);
        file_done(&r->file);
        r->file = *f;
        *f = (struct log_file){ .fd = -1 };
        page_reset(r, offset);
        return r->file.packed ? unpacker_start(r, frame, err) : 0;
}

/* --- placing --- */

static int64_t page_records(const uint8_t *page, size_t len)
{
        struct log_page_record record = { 0 };
        int64_t count = 0;
        for (size_t at = 0; log_page_next(page, len, &at, &record) == 1;)
                count += !(record.flags & LOG_ATTRS);
        return count;
}

/* Goes back from the end until *left records are found or the file begins; *left becomes what is missing, or minus what is too many. The last
 * page is always among them: more comes there. */
static uint64_t plain_tail(struct local_reader *r, const struct log_file *f, int64_t *left)
{
        struct stat st;
        uint64_t size = fstat(f->fd, &st) == 0 ? (uint64_t)st.st_size : 0, page = (size + LOG_PAGE - 1) / LOG_PAGE;
        for (bool last = true; page > 0 && (*left > 0 || last); last = false) {
                page--;
                ssize_t n = pread(f->fd, r->page, LOG_PAGE, (off_t)(page * LOG_PAGE));
                *left -= n > 0 ? page_records(r->page, (size_t)n) : 0;
        }
        return page * LOG_PAGE;
}

static uint32_t packed_tail(const struct log_file *f, int64_t *left)
{
        uint32_t frame = f->pack.count;
        while (frame > 0 && *left > 0)
                *left -= f->pack.frames[--frame].records;
        return frame;
}

static int tail_place(struct local_reader *r, struct err *err)
{
        struct log_file found = { .fd = -1 }, f;
        int64_t left = r->source->tail;
        uint64_t offset = 0;
        uint32_t frame = 0;
        for (unsigned n = 0; n < FILES_MAX && (n == 0 || left > 0) && file_open(r->path, &n, &f); n++) {
                if (found.fd >= 0 && f.first == found.first) {
                        file_done(&f); /* rotated meanwhile */
                        continue;
                }
                file_done(&found);
                found = f;
                frame = f.packed ? packed_tail(&f, &left) : 0;
                offset = f.packed ? 0 : plain_tail(r, &f, &left);
        }
        if (found.fd < 0)
                return 0;
        r->skip = left < 0 ? -left : 0;
        return file_take(r, &found, offset, frame, err);
}

static uint64_t plain_since(const struct log_file *f, int64_t since)
{
        struct stat st;
        uint64_t low = 0, high = fstat(f->fd, &st) == 0 ? (uint64_t)st.st_size / LOG_PAGE + 1 : 1;
        while (high - low > 1) {
                uint8_t head[LOG_PAGE_HEAD];
                uint64_t middle = low + (high - low) / 2;
                int64_t time;
                ssize_t n = pread(f->fd, head, sizeof(head), (off_t)(middle * LOG_PAGE));
                if (n == (ssize_t)sizeof(head) && log_page_time(head, sizeof(head), &time) && time < since)
                        low = middle;
                else
                        high = middle;
        }
        return low * LOG_PAGE;
}

static uint32_t packed_since(const struct log_file *f, int64_t since)
{
        uint32_t low = 0, high = f->pack.count ? f->pack.count : 1;
        while (high - low > 1) {
                uint32_t middle = low + (high - low) / 2;
                if (f->pack.frames[middle].first < since)
                        low = middle;
                else
                        high = middle;
        }
        return low;
}

/* The newest file that begins before; with no time given the oldest there is. */
static int since_place(struct local_reader *r, int64_t since, struct err *err)
{
        struct log_file found = { .fd = -1 }, f;
        for (unsigned n = 0; n < FILES_MAX && file_open(r->path, &n, &f); n++) {
                file_done(&found);
                found = f;
                if (since > 0 && f.first < since)
                        break;
        }
        if (found.fd < 0)
                return 0;
        uint64_t offset = since > 0 && !found.packed ? plain_since(&found, since) : 0;
        uint32_t frame = since > 0 && found.packed ? packed_since(&found, since) : 0;
        return file_take(r, &found, offset, frame, err);
}

/* The file that follows the present one. 1, 0: there is none, -1. */
static int file_next(struct local_reader *r, struct err *err)
{
        struct log_file found = { .fd = -1 }, f;
        if (r->file.fd < 0)
                return since_place(r, 0, err) < 0 ? -1 : r->file.fd >= 0;
        for (unsigned n = 0; n < FILES_MAX && file_open(r->path, &n, &f); n++) {
                if (f.first == r->file.first) {
                        file_done(&f);
                        break;
                }
                file_done(&found);
                found = f;
        }
        if (found.fd < 0)
                return 0;
        if (!r->file.packed && !r->rotated) { /* what was written to it before it was rotated is read first */
                file_done(&found);
                r->rotated = true;
                return 1;
        }
        r->rotated = false;
        return file_take(r, &found, 0, 0, err) < 0 ? -1 : 1;
}

/* --- reading --- */

static int pipe_read(struct local_reader *r, struct err *err)
{
        page_reset(r, 0);
        ssize_t n = r->pipe >= 0 ? fd_read_full(r->pipe, r->page, LOG_PAGE) : 0;
        if (n < 0)
                return err_sys(err, "%s", r->path);
        r->len = (size_t)n;
        return n > 0;
}

/* More of the page, or the next one; 0: nothing. */
static int page_read(struct local_reader *r, struct err *err)
{
        int64_t first;
        if (r->file.packed)
                return pipe_read(r, err);
        /* a log of one file is emptied when it is full, and filled again */
        if (file_first(r->file.fd, &first) && first != r->file.first) {
                r->file.first = first;
                page_reset(r, 0);
        }
        if (r->len == LOG_PAGE)
                page_reset(r, r->offset + LOG_PAGE);
        ssize_t n = pread(r->file.fd, r->page, LOG_PAGE, (off_t)r->offset);
        if (n < 0)
                return err_sys(err, "%s", r->path);
        bool more = (size_t)n > r->len;
        if (more)
                r->len = (size_t)n;
        return more;
}

static void entry_make(struct local_reader *r, struct log_entry *ret)
{
        size_t len = r->record.len;
        memcpy(r->text, r->record.text, len);
        if (!(r->record.flags & LOG_OPEN))
                r->text[len++] = '\n';
        *ret = (struct log_entry){ .is_stderr = r->record.flags & LOG_STDERR, .time = r->record.time, .text = r->text, .len = len,
                                   .attrs = (const char *)r->attrs, .attrs_len = r->attrs_len };
}

static int local_next(void *reader, struct log_entry *ret, struct err *err)
{
        struct local_reader *r = reader;
        for (;;) {
                if (r->file.fd >= 0 && log_page_next(r->page, r->len, &r->at, &r->record) == 1) {
                        if (r->record.flags & LOG_ATTRS) {
                                r->attrs = r->record.text;
                                r->attrs_len = r->record.len;
                        } else if (r->skip > 0) {
                                r->skip--;
                        } else {
                                entry_make(r, ret);
                                return 1;
                        }
                        continue;
                }
                int more = r->file.fd >= 0 ? page_read(r, err) : 0;
                if (more == 0)
                        more = file_next(r, err);
                if (more <= 0)
                        return more;
        }
}

static void local_close(void *reader)
{
        struct local_reader *r = reader;
        if (r->unpacker > 0)
                kill(r->unpacker, SIGKILL);
        unpacker_end(r);
        file_done(&r->file);
        free(r->path);
        free(r->text);
        free(r);
}

static void *local_open(const struct log_source *s, struct err *err)
{
        struct local_reader *r = xcalloc(1, sizeof(*r));
        r->source = s;
        r->path = xstrdup(s->path);
        r->text = xmalloc(LOG_TEXT_MAX + 1);
        r->file.fd = r->pipe = -1;
        if ((s->tail >= 0 ? tail_place(r, err) : since_place(r, s->since > 0 ? s->since - SLACK : 0, err)) == 0)
                return r;
        local_close(r);
        return NULL;
}

const struct log_reader_kind log_reader_local = { local_open, local_next, local_close, NULL };

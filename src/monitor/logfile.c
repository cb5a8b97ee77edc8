#include "monitor/logfile-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"

#define BUFFER_SIZE (256 << 10) /* pages that no burst has touched cost nothing */
#define FILES_MAX 1000

_Static_assert(BUFFER_SIZE > RECORD_MAX, "a record fits");
static uint8_t buffer[BUFFER_SIZE] __attribute__((aligned(4096)));

void logfile_init(struct logfile *l, const char *path, uint64_t max_size, uint32_t max_files)
{
        *l = (struct logfile){ .path = path, .fd = -1, .max_size = max_size };
        l->max_files = max_files < 1 ? 1 : max_files > FILES_MAX ? FILES_MAX : max_files;
}

/* A monitor that was killed may have left half a record at the end: it goes, or the first of ours would be unreadable
 * with it. */
static uint64_t cut_torn(int fd, uint64_t size)
{
        uint8_t tail[4096];
        for (uint64_t end = size, from; end > 0; end = from) {
                from = end > sizeof(tail) ? end - sizeof(tail) : 0;
                ssize_t n = pread(fd, tail, (size_t)(end - from), (off_t)from);
                if (n <= 0)
                        return size;
                const uint8_t *newline = memrchr(tail, '\n', (size_t)n);
                uint64_t kept = newline ? from + (uint64_t)(newline - tail) + 1 : 0;
                if (newline && kept == size)
                        return size;
                if (newline || from == 0)
                        return ftruncate(fd, (off_t)kept) < 0 ? size : kept;
                if (size - from > RECORD_MAX)
                        return size; /* no record of ours is that long */
        }
        return size;
}

static int file_make(const char *path)
{
        return open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0640);
}

/* The folder is made for the first line: many short runs have none, and making and removing it costs more than the file does. */
static int folder_make(const char *path)
{
        struct err ignored = ERR_INIT;
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *folder = xstrndup(path, slash ? (size_t)(slash - path) : 0);
        return path_mkdirs(folder, 0700, &ignored) < 0 ? -1 : file_make(path);
}

static bool file_open(struct logfile *l)
{
        if (l->fd >= 0)
                return true;
        _cleanup_close_ int fd = file_make(l->path);
        if (fd < 0 && errno == ENOENT)
                fd = folder_make(l->path);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return false;
        l->size = cut_torn(fd, (uint64_t)st.st_size);
        l->fd = TAKE_FD(fd);
        return true;
}

/* The disk is full: of what was written only whole records stay. */
static void write_undo(struct logfile *l, size_t written)
{
        const uint8_t *newline = written ? memrchr(buffer, '\n', written) : NULL;
        size_t whole = newline ? (size_t)(newline - buffer) + 1 : 0;
        struct stat st;
        if (written > whole && fstat(l->fd, &st) == 0 && (size_t)st.st_size >= written - whole &&
            ftruncate(l->fd, st.st_size - (off_t)(written - whole)) < 0)
                whole = written;
        l->size += whole;
}

void logfile_flush(struct logfile *l)
{
        size_t written = 0;
        if (l->used == 0)
                return;
        while (file_open(l) && written < l->used) {
                ssize_t n = write(l->fd, buffer + written, l->used - written);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        write_undo(l, written);
                        l->used = 0;
                        return;
                }
                written += (size_t)n;
        }
        l->size += written;
        l->used = 0;
}

static void file_shift(const char *path, uint32_t from, uint32_t to)
{
        char old[PATH_MAX], new[PATH_MAX];
        int length = from ? snprintf(old, sizeof(old), "%s.%u", path, from) : snprintf(old, sizeof(old), "%s", path);
        int other = snprintf(new, sizeof(new), "%s.%u", path, to);
        if (length < (int)sizeof(old) && other < (int)sizeof(new))
                rename(old, new);
}

static void file_rotate(struct logfile *l)
{
        logfile_flush(l);
        if (!file_open(l))
                return;
        if (l->max_files == 1) {
                if (ftruncate(l->fd, 0) == 0)
                        l->size = 0;
                return;
        }
        mem_closep(&l->fd);
        l->fd = -1;
        for (uint32_t i = l->max_files - 1; i > 0; i--)
                file_shift(l->path, i - 1, i);
}

size_t logfile_lines(struct logfile *l, const uint8_t *data, size_t len, bool last, const struct record_tail *tail)
{
        size_t at = 0, used = 1;
        if (!l->path)
                return len;
        while (at < len && used) {
                if (l->max_size && file_open(l) && l->size + l->used >= l->max_size)
                        file_rotate(l);
                if (l->used + RECORD_MAX > sizeof(buffer))
                        logfile_flush(l);
                l->used += record_write(buffer + l->used, data + at, len - at, last, tail, &used);
                at += used;
        }
        return at;
}

void logfile_close(struct logfile *l)
{
        logfile_flush(l);
        mem_closep(&l->fd);
        l->fd = -1;
}

void logfile_rest(struct logfile *l)
{
        if (l->used == 0)
                madvise(buffer, sizeof(buffer), MADV_DONTNEED);
}

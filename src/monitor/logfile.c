#include "monitor/logfile-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/proc.h"
#include "monitor/record-internal.h"

#define FILES_MAX 1000

_Static_assert(LOGFILE_BUFFER > RECORD_MAX, "a record fits");
static uint8_t buffer[LOGFILE_BUFFER] __attribute__((aligned(4096)));

void logfile_init(struct logfile *l, const char *path, uint64_t max_size, uint32_t max_files)
{
        *l = (struct logfile){ .path = path, .fd = -1, .max_size = max_size, .recover = logfile_recover_lines };
        l->max_files = max_files < 1 ? 1 : max_files > FILES_MAX ? FILES_MAX : max_files;
}

uint8_t *logfile_buffer(void)
{
        return buffer;
}

/* A monitor that was killed may have left half a record at the end: it goes, or the first of ours would be unreadable
 * with it. */
uint64_t logfile_recover_lines(struct logfile *l, int fd, uint64_t size)
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

static char *folder_of(const char *path)
{
        const char *slash = strrchr(path, '/');
        return xstrndup(path, slash ? (size_t)(slash - path) : 0);
}

/* The folder is made for the first line: many short runs have none, and making and removing it costs more than the file does. */
static int folder_make(const char *path)
{
        struct err ignored = ERR_INIT;
        _cleanup_free_ char *folder = folder_of(path);
        return path_mkdirs(folder, 0700, &ignored) < 0 ? -1 : file_make(path);
}

bool logfile_open(struct logfile *l)
{
        if (l->fd >= 0)
                return true;
        _cleanup_close_ int fd = file_make(l->path);
        if (fd < 0 && errno == ENOENT)
                fd = folder_make(l->path);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return false;
        l->used = 0;
        l->size = st.st_size > 0 ? l->recover(l, fd, (uint64_t)st.st_size) : 0;
        l->fd = TAKE_FD(fd);
        return true;
}

static uint64_t lines_in(const uint8_t *from, const uint8_t *end)
{
        uint64_t count = 0;
        while (from < end && (from = memchr(from, '\n', (size_t)(end - from)))) {
                from++;
                count++;
        }
        return count;
}

/* Of what was written only whole records stay: of lines those that are, else none of this flush. */
static uint64_t flush_undo(struct logfile *l, size_t written)
{
        const uint8_t *newline = written && !l->records ? memrchr(buffer, '\n', written) : NULL;
        size_t whole = newline ? (size_t)(newline - buffer) + 1 : 0;
        if (written > whole && ftruncate(l->fd, (off_t)(l->size + whole)) < 0)
                whole = written; /* it is cut when the file is opened the next time */
        l->size += whole;
        return l->records ? l->records : lines_in(buffer + whole, buffer + l->used);
}

bool logfile_flush(struct logfile *l)
{
        size_t written = 0;
        while (l->fd >= 0 && written < l->used) {
                ssize_t n = write(l->fd, buffer + written, l->used - written);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        break;
                written += (size_t)n;
        }
        bool whole = written == l->used;
        if (whole)
                l->size += written;
        else
                l->lost += flush_undo(l, written);
        l->used = 0;
        l->records = 0;
        return whole;
}

uint8_t *logfile_room(struct logfile *l, size_t need)
{
        if (l->used + need > sizeof(buffer))
                logfile_flush(l);
        return buffer + l->used;
}

static void file_shift(const char *path, uint32_t from, uint32_t to, const char *suffix)
{
        char old[PATH_MAX], new[PATH_MAX];
        int length = from ? snprintf(old, sizeof(old), "%s.%u%s", path, from, suffix) : snprintf(old, sizeof(old), "%s", path);
        int other = snprintf(new, sizeof(new), "%s.%u%s", path, to, suffix);
        if (length < (int)sizeof(old) && other < (int)sizeof(new))
                rename(old, new);
}

static void file_remove(const char *path, uint32_t number, const char *suffix)
{
        char name[PATH_MAX];
        if (snprintf(name, sizeof(name), "%s.%u%s", path, number, suffix) < (int)sizeof(name))
                unlink(name);
}

/* While it is at work on one file, what was rotated meanwhile waits for the next time: it takes all there is. */
static void packer_start(struct logfile *l)
{
        struct err ignored = ERR_INIT;
        char *argv[] = { (char *)(uintptr_t) "tare-archive", (char *)(uintptr_t) "container", (char *)(uintptr_t) "log-pack",
                         (char *)(uintptr_t)l->path, NULL };
        struct proc_spawn spawn = { .path = l->packer, .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .new_session = true };
        pid_t pid = 0;
        if (l->packing == 0 && proc_spawn(&spawn, &pid, NULL, &ignored) == 0)
                l->packing = pid;
}

static void names_shift(struct logfile *l)
{
        _cleanup_free_ char *folder = folder_of(l->path);
        _cleanup_close_ int lock = l->suffix ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (lock >= 0)
                flock(lock, LOCK_EX);
        if (l->suffix) { /* of the last both go, as the one that takes its place may be packed or not */
                file_remove(l->path, l->max_files - 1, l->suffix);
                file_remove(l->path, l->max_files - 1, "");
        }
        for (uint32_t i = l->max_files - 1; i > 0; i--) {
                file_shift(l->path, i - 1, i, "");
                if (l->suffix && i > 1)
                        file_shift(l->path, i - 1, i, l->suffix);
        }
}

void logfile_rotate(struct logfile *l)
{
        logfile_flush(l);
        if (!logfile_open(l))
                return;
        if (l->max_files == 1) {
                if (ftruncate(l->fd, 0) == 0)
                        l->size = 0;
                return;
        }
        mem_closep(&l->fd);
        l->fd = -1;
        l->size = 0;
        names_shift(l);
        if (l->packer)
                packer_start(l);
        logfile_open(l);
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

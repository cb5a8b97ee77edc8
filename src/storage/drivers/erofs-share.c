#include "storage/drivers/erofs-share-internal.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "storage/erofs-format-internal.h"
#include "storage/snapshot-internal.h"

#define HOLDERS "holders"
#define LINE_MAX_BYTES 96
#define LOOK_BACK 4096 /* of the file's end: the latest are the likeliest to live */
#define TRIES 16

struct holder {
        int64_t pid;
        uint64_t start;
        int fd;
};

static bool line_parse(const char *line, const char *boot, struct holder *ret)
{
        const char *rest = str_after(line, boot);
        return rest && sscanf(rest, " %" SCNd64 " %" SCNu64 " %d", &ret->pid, &ret->start, &ret->fd) == 3;
}

static int holder_ask(const struct holder *h)
{
        struct err ignored = ERR_INIT;
        struct statfs fs;
        _cleanup_close_ int pidfd = proc_open((pid_t)h->pid, h->start, &ignored);
        _cleanup_close_ int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, h->fd, 0);
        if (fd < 0 || fstatfs(fd, &fs) < 0 || (uint32_t)fs.f_type != EROFS_MAGIC)
                return -1;
        return TAKE_FD(fd);
}

/* The lines from the last to the first. */
static int holders_ask(char *text, const char *boot)
{
        for (unsigned tries = 0; tries < TRIES && *text; tries++) {
                char *line = strrchr(text, '\n');
                struct holder h;
                line = line ? line + 1 : text;
                int fd = line_parse(line, boot, &h) ? holder_ask(&h) : -1;
                if (fd >= 0)
                        return fd;
                *(line > text ? line - 1 : text) = '\0';
        }
        return -1;
}

int erofs_mount_borrow(int layer_fd)
{
        char text[LOOK_BACK + 1], boot[40];
        struct err ignored = ERR_INIT;
        struct stat st;
        _cleanup_close_ int fd = openat(layer_fd, HOLDERS, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0 || boot_id_read(boot, &ignored) < 0)
                return -1;
        off_t from = st.st_size > LOOK_BACK ? st.st_size - LOOK_BACK : 0;
        ssize_t n = pread(fd, text, LOOK_BACK, from);
        text[n > 0 ? n : 0] = '\0';
        return holders_ask(text, boot);
}

void erofs_mount_hold(int layer_fd, int mount_fd)
{
        char line[LINE_MAX_BYTES], boot[40];
        struct err ignored = ERR_INIT;
        struct stat st;
        uint64_t start = 0;
        if (fd_set_cloexec(mount_fd, false) < 0 || boot_id_read(boot, &ignored) < 0 || proc_start_time(getpid(), &start, &ignored) < 0)
                return;
        _cleanup_close_ int fd = openat(layer_fd, HOLDERS, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return;
        /* What is beyond looking back at is of no use to anybody; two who cut it at once lose a line, and so a cache is had twice. */
        if (fstat(fd, &st) == 0 && st.st_size > 16 * LOOK_BACK)
                (void)!ftruncate(fd, 0);
        int len = snprintf(line, sizeof(line), "%s %d %" PRIu64 " %d\n", boot, (int)getpid(), start, mount_fd);
        (void)!write(fd, line, (size_t)len);
}

/* Ingests that nobody finished, apart from ingest.c so that who only opens a storage does not link libcrypto. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "storage/blobs-internal.h"

static bool partial_abandoned(int fd, int64_t max_age)
{
        struct stat st;
        return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && (max_age <= 0 || st.st_mtim.tv_sec <= time(NULL) - max_age);
}

int blobs_sweep(struct blobs *b, int64_t max_age, unsigned *ret_removed, struct err *err)
{
        int copy = openat(b->ingest_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        if (!dir)
                return err_sys(err, "open ingest");
        for (struct dirent *e; (e = readdir(dir));) {
                if (e->d_name[0] == '.')
                        continue;
                _cleanup_close_ int fd = openat(b->ingest_fd, e->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
                /* Removed under its lock: whoever waits for it looks the name up again. */
                if (fd < 0 || !partial_abandoned(fd, max_age))
                        continue;
                if (unlinkat(b->ingest_fd, e->d_name, 0) < 0)
                        return err_sys(err, "remove ingest/%s", e->d_name);
                ++*ret_removed;
        }
        return 0;
}

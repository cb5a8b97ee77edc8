#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/str.h"
#include "storage/diff-internal.h"

static bool stat_differs(const struct stat *a, const struct stat *b)
{
        if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid)
                return true;
        if ((S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) && a->st_rdev != b->st_rdev)
                return true;
        /* A directory's time and size follow from what lies in it. */
        if (S_ISDIR(a->st_mode))
                return false;
        return a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
               a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

/* Names of what a container may have set, each with its NUL. -1 with err. */
static ssize_t xattr_names(int fd, char *list, size_t size, struct err *err)
{
        char path[FD_PATH_SIZE];
        ssize_t len = listxattr(fd_path(fd, path), list, size);
        if (len < 0)
                return errno == ENOTSUP ? 0 : err_sys(err, "list attributes");
        char *to = list;
        for (char *at = list; at < list + len;) {
                size_t part = strlen(at) + 1;
                if (!xattr_is_private(at)) {
                        memmove(to, at, part);
                        to += part;
                }
                at += part;
        }
        return to - list;
}

/* Every attribute of a is in b with the same value. */
static bool xattrs_within(int a, const char *names, ssize_t len, int b)
{
        char pa[FD_PATH_SIZE], pb[FD_PATH_SIZE], va[4096], vb[4096];
        fd_path(a, pa);
        fd_path(b, pb);
        for (const char *at = names; at < names + len; at += strlen(at) + 1) {
                ssize_t na = getxattr(pa, at, va, sizeof(va)), nb = getxattr(pb, at, vb, sizeof(vb));
                /* Larger ones than fit count as different: that costs an entry, never a change. */
                if (na < 0 || na != nb || memcmp(va, vb, (size_t)na) != 0)
                        return false;
        }
        return true;
}

static int xattrs_differ(int a, int b, bool *ret, struct err *err)
{
        char na[4096], nb[4096];
        ssize_t la = xattr_names(a, na, sizeof(na), err), lb = la < 0 ? -1 : xattr_names(b, nb, sizeof(nb), err);
        if (lb < 0)
                return -1;
        *ret = la != lb || !xattrs_within(a, na, la, b);
        return 0;
}

static int links_differ(int a, int b, bool *ret, struct err *err)
{
        char ta[4097], tb[4097];
        ssize_t la = readlinkat(a, "", ta, sizeof(ta)), lb = readlinkat(b, "", tb, sizeof(tb));
        if (la < 0 || lb < 0)
                return err_sys(err, "read link");
        *ret = la != lb || memcmp(ta, tb, (size_t)la) != 0;
        return 0;
}

static int contents_differ(int a, int b, bool *ret, struct err *err)
{
        char pa[FD_PATH_SIZE], pb[FD_PATH_SIZE];
        _cleanup_close_ int fa = open(fd_path(a, pa), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        _cleanup_close_ int fb = open(fd_path(b, pb), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        _cleanup_free_ char *ca = xmalloc(64 << 10), *cb = xmalloc(64 << 10);
        if (fa < 0 || fb < 0)
                return err_sys(err, "open");
        for (;;) {
                ssize_t na = fd_read_full(fa, ca, 64 << 10), nb = fd_read_full(fb, cb, 64 << 10);
                if (na < 0 || nb < 0)
                        return err_sys(err, "read");
                *ret = na != nb || memcmp(ca, cb, (size_t)na) != 0;
                if (*ret || na == 0)
                        return 0;
        }
}

int file_differs(int a, const struct stat *sa, int b, const struct stat *sb, bool compare_content, bool *ret,
                 struct err *err)
{
        *ret = stat_differs(sa, sb);
        if (*ret || (sa->st_dev == sb->st_dev && sa->st_ino == sb->st_ino))
                return 0;
        if (S_ISLNK(sa->st_mode))
                return links_differ(a, b, ret, err);
        if (xattrs_differ(a, b, ret, err) < 0 || *ret)
                return *ret ? 0 : -1;
        return S_ISREG(sa->st_mode) && compare_content ? contents_differ(a, b, ret, err) : 0;
}

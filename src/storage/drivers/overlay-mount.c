#include "storage/drivers/overlay-mount-internal.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/str.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#define OPTIONS_MAX 4095 /* mount(2): one page */

static int option_set(int context, const char *option)
{
        const char *eq = strchr(option, '=');
        if (!eq)
                return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, option, NULL, 0);
        _cleanup_free_ char *key = xstrndup(option, (size_t)(eq - option));
        return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, eq + 1, 0);
}

/* The kernel says in words why, one line a read, "e " first. */
static int context_error(int context, int errnum, const char *what, struct err *err)
{
        char line[256];
        ssize_t n = read(context, line, sizeof(line) - 1);
        if (n <= 2)
                return err_sysnum(err, errnum, "mount overlay: %s", what);
        line[n] = '\0';
        line[strcspn(line, "\n")] = '\0';
        return err_sysnum(err, errnum, "mount overlay: %s: %s", what, line + 2);
}

static int mount_new(const struct oci_mount *m, bool readonly, struct err *err)
{
        _cleanup_close_ int context = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
        if (context < 0)
                return err_sys(err, "fsopen overlay");
        /* Before 6.5 anything is taken here, and refused only at the end with a line in the kernel's log. */
        if (syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "no such option", NULL, 0) == 0)
                return err_sysnum(err, ENOSYS, "fsconfig overlay");
        syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", "overlay", 0);
        STRV_FOREACH (option, m->options) {
                if (option_set(context, *option) < 0)
                        return context_error(context, errno, *option, err);
        }
        if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return context_error(context, errno, "create", err);
        int fd = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC,
                              MOUNT_ATTR_NODEV | (readonly ? MOUNT_ATTR_RDONLY : 0));
        return fd < 0 ? err_sys(err, "fsmount overlay") : fd;
}

/* The directory all lower ones are below: named from there they take a fraction of the page. Heap, ends in '/'. */
static char *common_directory(const struct oci_mount *m)
{
        char *common = NULL;
        STRV_FOREACH (option, m->options) {
                const char *lower = str_after(*option, "lowerdir+=");
                if (!lower)
                        continue;
                size_t same = 0;
                if (!common)
                        common = xstrdup(lower);
                while (common[same] && common[same] == lower[same])
                        same++;
                while (same > 0 && common[same - 1] != '/')
                        same--;
                common[same] = '\0';
        }
        return common ? common : xstrdup("");
}

/* "lowerdir=a:b,upperdir=..": the form of kernels before 6.7. */
static int options_join(const struct oci_mount *m, size_t skip, struct buf *ret, struct err *err)
{
        bool first = true;
        STRV_FOREACH (option, m->options) {
                const char *lower = str_after(*option, "lowerdir+=");
                if (lower && buf_addf(ret, err, "%s%s", first ? "lowerdir=" : ":", lower + skip) < 0)
                        return -1;
                first = first && !lower;
        }
        STRV_FOREACH (option, m->options) {
                if (!str_starts(*option, "lowerdir+=") && buf_addf(ret, err, ",%s", *option) < 0)
                        return -1;
        }
        if (ret->len > OPTIONS_MAX)
                return err_set(err, ERR_UNSUPPORTED,
                               "mount overlay: this kernel takes %d bytes of options, %zu are needed", OPTIONS_MAX,
                               ret->len);
        return 0;
}

struct old_mount {
        const char *options, *directory;
        bool readonly;
        int fd;
        struct err err;
};

static int mount_old(struct old_mount *o)
{
        /* The working directory is this thread's own from here on, as its mounts are. */
        if (unshare(CLONE_NEWNS | CLONE_FS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return err_sys(&o->err, "mount namespace for an overlay");
        if (*o->directory && chdir(o->directory) < 0)
                return err_sys(&o->err, "enter %s", o->directory);
        /* Any directory will do as mount point: nobody but this thread sees it. */
        if (mount("overlay", "/proc", "overlay", MS_NODEV | (o->readonly ? MS_RDONLY : 0), o->options) < 0)
                return err_sys(&o->err, "mount overlay");
        int fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        return fd < 0 ? err_sys(&o->err, "open_tree overlay") : fd;
}

static void *mount_old_thread(void *data)
{
        struct old_mount *o = data;
        o->fd = mount_old(o);
        return NULL;
}

int overlay_mount_detached(const struct oci_mount *m, bool readonly, struct err *err)
{
        int fd = mount_new(m, readonly, err);
        if (fd >= 0 || (err->sys != EINVAL && err->sys != ENOSYS))
                return fd;
        _cleanup_buf_ struct buf options = BUF_INIT((size_t)1 << 20);
        struct err first = *err;
        _cleanup_free_ char *directory = common_directory(m);
        struct old_mount old = { .directory = directory, .readonly = readonly, .fd = -1, .err = ERR_INIT };
        pthread_t thread;
        if (options_join(m, strlen(directory), &options, err) < 0)
                return -1;
        old.options = options.data;
        int r = pthread_create(&thread, NULL, mount_old_thread, &old);
        if (r != 0)
                return err_sysnum(err, r, "thread for an overlay");
        pthread_join(thread, NULL);
        if (old.fd < 0)
                *err = first.sys == ENOSYS ? old.err : first;
        return old.fd;
}

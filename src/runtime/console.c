#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include "base/fd.h"
#include "base/path.h"
#include "runtime/container.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"

/* What an image left at this place could be any device: only the multiplexer of a devpts is spoken to. */
static int open_multiplexer(int root_fd, struct err *err)
{
        struct stat st;
        struct statfs fs;
        _cleanup_close_ int seen = path_open_in(root_fd, "/dev/pts/ptmx", O_PATH, 0, err);
        if (seen < 0)
                return err_add(err, "a terminal needs devpts on /dev/pts");
        if (fstat(seen, &st) < 0 || fstatfs(seen, &fs) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) ||
            fs.f_type != DEVPTS_SUPER_MAGIC)
                return err_set(err, ERR_INVALID, "/dev/pts/ptmx is no terminal multiplexer");
        char path[FD_PATH_SIZE];
        int fd = open(fd_path(seen, path), O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT) /* no /proc here: the name again */
                return path_open_in(root_fd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0, err);
        return fd < 0 ? err_sys(err, "open a terminal") : fd;
}

void runtime_plain_lines(int fd)
{
        struct termios t;
        if (tcgetattr(fd, &t) < 0)
                return;
        t.c_oflag &= ~(tcflag_t)ONLCR;
        (void)tcsetattr(fd, TCSANOW, &t);
}

/* The slave is opened through the master: no path of the container is walked for it. */
int console_open_pair(int root_fd, const struct oci_process *p, int *ret_master, int *ret_slave, struct err *err)
{
        int unlock = 0;
        _cleanup_close_ int master = open_multiplexer(root_fd, err);
        if (master < 0)
                return -1;
        if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
                return err_sys(err, "unlock terminal");
        _cleanup_close_ int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (slave < 0)
                return err_sys(err, "open terminal");
        struct winsize size = { .ws_row = p->console_height, .ws_col = p->console_width };
        if (size.ws_row && size.ws_col && ioctl(master, TIOCSWINSZ, &size) < 0)
                return err_sys(err, "set the size of the terminal");
        if (fchown(slave, p->uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL)
                return err_sys(err, "own terminal");
        *ret_master = TAKE_FD(master);
        *ret_slave = TAKE_FD(slave);
        return 0;
}

/* A link of the image would have the terminal laid on whatever it leads to (CVE-2025-52565). */
static int console_place(int root_fd, struct err *err)
{
        _cleanup_close_ int dev_fd = path_mkdirs_in(root_fd, "/dev", 0755, (uid_t)-1, (gid_t)-1, err);
        if (dev_fd < 0)
                return -1;
        _cleanup_close_ int made =
                openat(dev_fd, "console", O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
        int fd = made >= 0 || errno == EEXIST ? openat(dev_fd, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0) {
                err_sys(err, "/dev/console");
                mem_closep(&fd);
                return -1;
        }
        if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode)) {
                mem_closep(&fd);
                return err_set(err, ERR_INVALID, "/dev/console of the image is a link or a directory");
        }
        return fd;
}

static int bind_console(struct init *in, struct err *err)
{
        _cleanup_close_ int source = mount_clone(in->console_fd, "", false, err);
        _cleanup_close_ int place = source < 0 ? -1 : console_place(in->root_fd, err);
        return place < 0 ? -1 : mount_attach(source, place, err);
}

int console_open(struct init *in, struct err *err)
{
        if (console_open_pair(in->root_fd, &in->spec->process, &in->ptmx_fd, &in->console_fd, err) < 0 ||
            bind_console(in, err) < 0)
                return err_add(err, "console");
        if (in->request->plain_lines)
                runtime_plain_lines(in->console_fd);
        if (sync_send_fd(in->sync_fd, SYNC_CONSOLE, in->ptmx_fd, err) < 0)
                return -1;
        mem_closep(&in->ptmx_fd);
        return 0;
}

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include "base/str.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"

/* Opened below the host's /proc, before any of the container's mounts can stand in the way, and checked to be procfs: a
 * label written into some other file would not be applied. The folder, because the kernel lets nobody write to the file who has
 * executed a program since he opened it: the stage opens it. */
static int open_attributes(const char *path, struct err *err)
{
        struct statfs fs;
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 && (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)) {
                mem_closep(&fd);
                return err_set(err, ERR_SYSTEM, "%s is not of procfs", path);
        }
        return fd < 0 ? err_sys(err, "open %s", path) : fd;
}

#define APPARMOR_FOLDER "/proc/self/attr/apparmor"
#define PLAIN_FOLDER "/proc/self/attr"

static bool has_selinux(void) { return access("/sys/fs/selinux/enforce", F_OK) == 0; }

/* The directory of its profiles is in securityfs, which need not be mounted where the module's own switch is there. */
static bool has_apparmor(void)
{
        return access("/sys/kernel/security/apparmor", F_OK) == 0 || access(APPARMOR_FOLDER, F_OK) == 0;
}

int label_check(const struct oci_process *p, struct err *err)
{
        if (!str_empty(p->selinux_label) && !has_selinux())
                return err_set(err, ERR_UNSUPPORTED, "process.selinuxLabel: SELinux is not enabled on this machine");
        if (!str_empty(p->apparmor_profile) && !str_eq(p->apparmor_profile, "unconfined") && !has_apparmor())
                return err_set(err, ERR_UNSUPPORTED,
                               "process.apparmorProfile: AppArmor is not enabled on this machine");
        return 0;
}

const char *label_folder(const struct oci_process *p, char **ret_text)
{
        if (!str_empty(p->selinux_label) && has_selinux()) {
                *ret_text = xstrdup(p->selinux_label);
                return PLAIN_FOLDER;
        }
        if (!str_empty(p->apparmor_profile) && has_apparmor()) {
                *ret_text = xasprintf("exec %s", p->apparmor_profile);
                return access(APPARMOR_FOLDER, F_OK) == 0 ? APPARMOR_FOLDER : PLAIN_FOLDER;
        }
        return NULL;
}

int label_open(const char *folder, int number, struct err *err)
{
        if (!folder)
                return 0;
        _cleanup_close_ int fd = open_attributes(folder, err);
        if (fd < 0)
                return -1;
        return dup3(fd, number, O_CLOEXEC) < 0 ? err_sys(err, "security label") : 0;
}

#include "storage/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/quota.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"

#define XFS_MAGIC 0x58465342
#define BLOCK 1024 /* what limits are counted in */

static int project_call(int fd, unsigned command, uint32_t project, void *data)
{
        return (int)syscall(SYS_quotactl_fd, (unsigned)fd, QCMD(command, PRJQUOTA), project, data);
}

static int folder_open(const char *folder, struct err *err)
{
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? err_sys(err, "%s", folder) : fd;
}

static const struct {
        long magic;
        const char *name, *remedy;
} kinds[] = {
        { EXT4_SUPER_MAGIC, "ext4", "it has to have the features 'project' and 'quota' (tune2fs -O) and be mounted with prjquota" },
        { XFS_MAGIC, "xfs", "it has to be mounted with pquota" },
        { BTRFS_SUPER_MAGIC, "btrfs", "which limits subvolumes only, and there is no driver for those" },
        { TMPFS_MAGIC, "tmpfs", "which counts no projects; ext4 and XFS do" },
        { 0, "another kind", "ext4 and XFS can" },
};

static int not_here(int fd, const char *folder, const char *what, struct err *err)
{
        struct statfs st = { 0 };
        size_t i = 0;
        fstatfs(fd, &st);
        while (kinds[i].magic && kinds[i].magic != (long)st.f_type)
                i++;
        return err_set(err, ERR_UNSUPPORTED, "%s on the file system of %s (%s): %s", what, folder, kinds[i].name, kinds[i].remedy);
}

/* ENOSYS is said for a kernel without the call and for one that has it for no file system, and also where quotas are off. */
static bool kernel_has_quotas(void)
{
        return access("/proc/sys/fs/quota", F_OK) == 0;
}

static int look(int fd, const char *folder, struct err *err)
{
        struct fs_quota_statv now = { .qs_version = FS_QSTATV_VERSION1 };
        if (!kernel_has_quotas())
                return err_set(err, ERR_UNSUPPORTED, "no limit of size for %s: this kernel is made without quotas (CONFIG_QUOTA, CONFIG_QUOTACTL)", folder);
        if (project_call(fd, Q_XGETQSTATV, 0, &now) < 0) {
                if (errno == EPERM || errno == EACCES)
                        return err_sys(err, "quotas of %s", folder);
                return not_here(fd, folder, "project quotas are off", err);
        }
        if (!(now.qs_flags & FS_QUOTA_PDQ_ENFD))
                return not_here(fd, folder, "project quotas are counted and not enforced", err);
        return 0;
}

int quota_probe(const char *folder, struct err *err)
{
        _cleanup_close_ int fd = folder_open(folder, err);
        return fd < 0 ? -1 : look(fd, folder, err);
}

int quota_project_free(const char *folder, uint32_t project, bool *ret_free, struct err *err)
{
        struct if_dqblk now = { 0 };
        _cleanup_close_ int fd = folder_open(folder, err);
        if (fd < 0)
                return -1;
        if (project_call(fd, Q_GETQUOTA, project, &now) < 0 && errno != ENOENT)
                return err_sys(err, "quota of project %u on %s", project, folder);
        *ret_free = !now.dqb_curspace && !now.dqb_curinodes && !now.dqb_bhardlimit && !now.dqb_ihardlimit;
        return 0;
}

static int limit_set(int fd, const char *folder, uint32_t project, const struct quota_limit *limit, struct err *err)
{
        struct if_dqblk wanted = { .dqb_bhardlimit = limit->bytes / BLOCK + (limit->bytes % BLOCK != 0),
                                   .dqb_ihardlimit = limit->inodes,
                                   .dqb_valid = QIF_LIMITS };
        return project_call(fd, Q_SETQUOTA, project, &wanted) < 0 ? err_sys(err, "limit project %u on %s", project, folder) : 0;
}

int quota_apply(const char *folder, uint32_t project, const struct quota_limit *limit, struct err *err)
{
        struct fsxattr attributes;
        _cleanup_close_ int fd = folder_open(folder, err);
        if (fd < 0 || look(fd, folder, err) < 0 || limit_set(fd, folder, project, limit, err) < 0)
                return -1;
        if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
                return err_sys(err, "project of %s", folder);
        if (attributes.fsx_projid == project && (attributes.fsx_xflags & FS_XFLAG_PROJINHERIT))
                return 0;
        attributes.fsx_projid = project;
        attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
        return ioctl(fd, FS_IOC_FSSETXATTR, &attributes) < 0 ? err_sys(err, "put %s into project %u", folder, project) : 0;
}

int quota_clear(const char *folder, uint32_t project, struct err *err)
{
        static const struct quota_limit none = { 0, 0 };
        struct err why = ERR_INIT;
        _cleanup_close_ int fd = folder_open(folder, err);
        if (fd < 0)
                return -1;
        if (look(fd, folder, &why) < 0)
                return 0; /* moved to where nothing is limited */
        return limit_set(fd, folder, project, &none, err);
}

int quota_option_parse(const char *option, struct quota_limit *limit, struct err *err)
{
        const char *value;
        if ((value = str_after(option, "size=")))
                return parse_size(value, &limit->bytes, err) < 0 ? -1 : limit->bytes ? 1 : err_set(err, ERR_INVALID, "a size of 0 holds nothing");
        if ((value = str_after(option, "inodes=")))
                return parse_u64(value, &limit->inodes, err) < 0 ? -1 : limit->inodes ? 1 : err_set(err, ERR_INVALID, "0 inodes hold nothing");
        return 0;
}

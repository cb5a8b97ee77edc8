/* From init to the stage program: its image with the plan, the descriptors it starts with, and the words of its failures. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include "base/fd.h"
#include "base/str.h"
#include "runtime/capability-internal.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/stage_image.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- the plan ---- */

struct packer {
        struct stage_plan *plan;
        uint32_t used;
};

static int pack(struct packer *p, const void *data, size_t len, uint32_t *ret_offset, struct err *err)
{
        uint32_t at = (p->used + 7u) & ~7u;
        if (len > STAGE_DATA_MAX - at)
                return err_set(err, ERR_TOO_LARGE, "process: arguments of the last steps exceed %u bytes",
                               STAGE_DATA_MAX);
        if (len)
                memcpy(p->plan->data + at, data, len);
        if (ret_offset)
                *ret_offset = at;
        p->used = at + (uint32_t)len;
        return 0;
}

static int pack_text(struct packer *p, const char *s, uint32_t *ret_offset, struct err *err)
{
        return s ? pack(p, s, strlen(s) + 1, ret_offset, err) : 0;
}

/* The files to try, as execvp(3) would: the environment's PATH is the container's. */
static int pack_candidates(struct packer *p, const struct stage_request *r, struct err *err)
{
        _cleanup_buf_ struct buf list = BUF_INIT(STAGE_DATA_MAX);
        const char *path = strv_env_get(r->process->env, "PATH");
        _cleanup_strv_ char **dirs = NULL;
        if (strchr(r->command, '/')) {
                if (buf_add(&list, r->command, strlen(r->command) + 1, err) < 0)
                        return -1;
        } else {
                dirs = strv_split(path ? path : DEFAULT_PATH, ":", true);
                STRV_FOREACH (dir, dirs)
                        if (buf_addf(&list, err, "%s%s%s", **dir ? *dir : ".", "/", r->command) < 0 ||
                            buf_addc(&list, 0, err) < 0)
                                return -1;
        }
        if (buf_addc(&list, 0, err) < 0)
                return -1;
        return pack(p, list.data, list.len, &p->plan->candidates, err);
}

static void plan_caps(struct stage_plan *plan, const struct oci_process *process)
{
        struct capability_sets sets;
        capability_sets(process, &sets);
        plan->bounding = sets.bounding;
        plan->permitted = sets.permitted;
        plan->effective = sets.effective;
        plan->inheritable = sets.inheritable;
        plan->ambient = sets.ambient;
}

bool groups_kept(const struct oci_spec *spec)
{
        const char *value = strv_env_get(spec->annotations, "run.oci.keep_original_groups");
        return value && !str_eq(value, "0");
}

static int plan_fill(struct stage_plan *plan, const struct stage_request *r, uint32_t *ret_used, struct err *err)
{
        const struct oci_process *process = r->process;
        const struct seccomp_filter *f = r->filter;
        struct packer p = { plan, 8 };
        memcpy(plan->magic, STAGE_MAGIC, sizeof(plan->magic));
        plan->sync_fd = r->sync_fd;
        plan->listen_fd = r->listen_fd;
        plan->label_fd = r->label_fd;
        plan->uid = process->uid;
        plan->gid = process->gid;
        plan->group_count = (uint32_t)process->additional_gid_count;
        plan->umask = process->has_umask ? process->umask & 0777 : 022;
        if (r->keep_groups)
                plan->set_groups = STAGE_GROUPS_KEEP;
        else
                plan->set_groups = process->additional_gid_count ? STAGE_GROUPS_MUST : STAGE_GROUPS_MAY;
        plan->no_new_privs = process->no_new_privileges;
        plan->wait_start = r->wait_start;
        plan->notify = f->count && f->notify;
        plan->filter_count = f->count;
        plan->filter_flags = f->flags;
        plan_caps(plan, process);
        if (pack(&p, process->additional_gids, process->additional_gid_count * sizeof(uint32_t), &plan->groups, err) <
                    0 ||
            pack(&p, f->code, f->count * sizeof(*f->code), &plan->filter, err) < 0 ||
            pack_text(&p, process->cwd, &plan->cwd, err) < 0 || pack_text(&p, r->label, &plan->label, err) < 0 ||
            pack_candidates(&p, r, err) < 0)
                return -1;
        *ret_used = p.used;
        return 0;
}

int stage_make(const struct stage_request *request, struct err *err)
{
        _cleanup_free_ struct stage_plan *plan = xcalloc(1, sizeof(*plan));
        uint32_t used = 0;
        if (plan_fill(plan, request, &used, err) < 0)
                return -1;
        _cleanup_close_ int fd = memfd_create("tare", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
        if (fd < 0 && errno == EINVAL) /* MFD_EXEC is of Linux 6.3 */
                fd = memfd_create("tare", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return err_sys(err, "stage program");
        struct iovec iov[] = { { (void *)stage_image, sizeof(stage_image) },
                               { plan, offsetof(struct stage_plan, data) + used } };
        ssize_t size = (ssize_t)(iov[0].iov_len + iov[1].iov_len);
        if (writev(fd, iov, 2) != size || ftruncate(fd, STAGE_FILE_SIZE) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return err_sys(err, "stage program");
        return TAKE_FD(fd);
}

/* ---- words ---- */

static int exec_error(const struct sync_message *m, struct err *err)
{
        if ((m->error == ENOENT || m->error == ENOTDIR) && !strchr(m->text, '/'))
                return err_set(err, ERR_NO_COMMAND, "exec: \"%s\": executable file not found in $PATH", m->text);
        if (m->error == ENOENT || m->error == ENOTDIR)
                return err_set(err, ERR_NO_COMMAND, "exec: \"%s\": stat %s: no such file or directory", m->text,
                               m->text);
        err_sysnum(err, m->error, "exec: \"%s\"", m->text);
        err->kind = ERR_CANNOT_RUN;
        return -1;
}

int stage_error(const struct sync_message *m, struct err *err)
{
        static const char *const words[] = {
                [STAGE_CWD] = "change to the working directory",
                [STAGE_CWD_OUTSIDE] = "the working directory is outside of the container's root",
                [STAGE_BOUNDING] = "drop capabilities from the bounding set",
                [STAGE_GROUPS] = "set supplementary groups",
                [STAGE_GID] = "set group id",
                [STAGE_UID] = "set user id",
                [STAGE_CAPS] = "set capabilities",
                [STAGE_AMBIENT] = "set ambient capabilities",
                [STAGE_START] = "accept the start",
                [STAGE_LABEL] = "set the security label",
                [STAGE_NO_NEW_PRIVS] = "set no_new_privs",
                [STAGE_SECCOMP] = "load the seccomp filter",
        };
        if (m->step == STAGE_EXEC)
                return exec_error(m, err);
        if (m->step == STAGE_INTERPRETER)
                return err_set(err, ERR_NO_COMMAND, "exec %s: no such file or directory", m->text);
        if (m->step < 0 || (size_t)m->step >= ELEMENTS(words))
                return err_set(err, ERR_SYSTEM, "init failed at an unknown step");
        int r = err_sysnum(err, m->error, "%s", words[m->step]);
        if (m->step == STAGE_CWD)
                err->kind = ERR_CANNOT_RUN;
        return r;
}

/* ---- descriptors ---- */

/* Sources on 0..2 are moved away first: any permutation works. */
static int place_stdio(const int stdio[3], struct err *err)
{
        int fds[3];
        for (int i = 0; i < 3; i++) {
                fds[i] = stdio[i] < 0 ? open("/dev/null", (i ? O_WRONLY : O_RDONLY) | O_CLOEXEC) : stdio[i];
                if (fds[i] >= 0 && fds[i] <= 2 && fds[i] != i)
                        fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
                if (fds[i] < 0)
                        return err_sys(err, "stdio");
        }
        for (int i = 0; i < 3; i++)
                if ((fds[i] == i ? fcntl(i, F_SETFD, 0) : dup2(fds[i], i)) < 0)
                        return err_sys(err, "stdio");
        return 0;
}

static bool is_null_device(const struct stat *st)
{
        return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* The host's null device is a file that is not in the container: a checkpoint could not say where to find it again. */
static void take_own_null(int fd)
{
        struct stat st;
        int flags = fcntl(fd, F_GETFL);
        _cleanup_close_ int seen = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (flags < 0 || seen < 0 || fstat(seen, &st) < 0 || !is_null_device(&st))
                return;
        _cleanup_close_ int own = open("/dev/null", (flags & O_ACCMODE) | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (own >= 0 && fstat(own, &st) == 0 && is_null_device(&st) && fcntl(own, F_SETFL, 0) == 0)
                (void)dup2(own, fd);
}

/* A user who is not root must be able to open /dev/stdout again. The null device is everybody's and stays root's. */
static void own_stdio(uid_t uid)
{
        struct stat st;
        for (int i = 0; i < 3; i++) {
                if (fstat(i, &st) < 0)
                        continue;
                if (is_null_device(&st))
                        take_own_null(i);
                else if (st.st_uid != uid)
                        (void)!fchown(i, uid, (gid_t)-1); /* a read-only file system or a foreign owner: then it cannot be */
        }
}

static int keep_open(int fd)
{
        return fd < 0 ? 0 : fcntl(fd, F_SETFD, 0);
}

int process_launch(const struct oci_process *p, char *const *args, const int stdio[3], int preserve_fds, int sync_fd,
                   int listen_fd, int label_fd, int stage_fd, struct err *err)
{
        char *const none[] = { NULL };
        if (place_stdio(stdio, err) < 0)
                return -1;
        own_stdio(p->uid);
        if (close_range(3u + (unsigned)preserve_fds, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
                return err_sys(err, "close descriptors");
        for (int fd = 3; fd < 3 + preserve_fds; fd++)
                if (keep_open(fd) < 0 && errno != EBADF)
                        return err_sys(err, "keep descriptor %d", fd);
        if (keep_open(sync_fd) < 0 || keep_open(listen_fd) < 0 || keep_open(label_fd) < 0)
                return err_sys(err, "keep descriptors");
        execveat(stage_fd, "", args, p->env ? p->env : none, AT_EMPTY_PATH);
        if (errno == E2BIG) {
                err_sysnum(err, E2BIG, "exec: \"%s\"", args[0]);
                err->kind = ERR_CANNOT_RUN;
                return -1;
        }
        return err_sys(err, "execute the stage program");
}

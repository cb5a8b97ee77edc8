/* Overlay mounts. Two interfaces of the kernel: one lower layer per fsconfig call ("lowerdir+", Linux 6.7; descriptors
 * instead of paths, 6.13), or one page of text with all of them (mount(2)). */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"

#define VALUE_MAX 255
#define PAGE_OPTIONS 4095
#define LOWERS_MAX 512

/* Somewhere to hang the mount for the instant that mount(2) needs a path; our own mount namespace, nobody sees it. */
#define SCRATCH "/sys"

struct overlay {
        char **lowers; /* strv, topmost first */
        char **others; /* strv */
        int *lower_fds; /* mapped copies, or NULL */
        size_t lower_count;
};

static void overlay_done(struct overlay *o)
{
        for (size_t i = 0; o->lower_fds && i < o->lower_count; i++)
                mem_closep(&o->lower_fds[i]);
        free(o->lower_fds);
        strv_free(o->lowers);
        strv_free(o->others);
}

/* "lowerdir=a:b" becomes two lowers; "\:" in a name is a colon. */
static void add_lowers(struct overlay *o, const char *text)
{
        char *name = xmalloc(strlen(text) + 1), *out = name;
        for (const char *p = text;; p++) {
                if (*p == '\\' && p[1]) {
                        *out++ = *++p;
                } else if (*p == ':' || !*p) {
                        *out = 0;
                        if (*name)
                                strv_push(&o->lowers, name);
                        out = name;
                        if (!*p)
                                break;
                } else {
                        *out++ = *p;
                }
        }
        free(name);
}

static void overlay_parse(const struct mount_words *w, struct overlay *o)
{
        STRV_FOREACH (option, w->data) {
                if (str_starts(*option, "lowerdir+="))
                        strv_push(&o->lowers, str_after(*option, "lowerdir+="));
                else if (str_starts(*option, "lowerdir="))
                        add_lowers(o, str_after(*option, "lowerdir="));
                else
                        strv_push(&o->others, *option);
        }
        o->lower_count = strv_len(o->lowers);
}

static int map_lowers(struct overlay *o, int userns_fd, struct err *err)
{
        o->lower_fds = xcalloc(o->lower_count, sizeof(int));
        for (size_t i = 0; i < o->lower_count; i++)
                o->lower_fds[i] = -1;
        for (size_t i = 0; i < o->lower_count; i++) {
                o->lower_fds[i] = mount_clone(AT_FDCWD, o->lowers[i], false, err);
                if (o->lower_fds[i] < 0 || mount_idmap(o->lower_fds[i], userns_fd, false, err) < 0)
                        return -1;
        }
        return 0;
}

/* A value that is too long for fsconfig goes by the path of a descriptor, kept open in *keep until the mount exists. */
static int set_path(int fs_fd, const char *key, const char *path, int *keep)
{
        char link[FD_PATH_SIZE];
        if (strlen(path) > VALUE_MAX) {
                *keep = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (*keep < 0)
                        return -1;
                path = fd_path(*keep, link);
        }
        return fsconfig(fs_fd, FSCONFIG_SET_STRING, key, path, 0);
}

static int set_lower(int fs_fd, const struct overlay *o, size_t i)
{
        char link[FD_PATH_SIZE];
        _cleanup_close_ int keep = -1;
        if (!o->lower_fds)
                return set_path(fs_fd, "lowerdir+", o->lowers[i], &keep);
        if (fsconfig(fs_fd, FSCONFIG_SET_FD, "lowerdir+", NULL, o->lower_fds[i]) == 0)
                return 0;
        return fsconfig(fs_fd, FSCONFIG_SET_STRING, "lowerdir+", fd_path(o->lower_fds[i], link), 0);
}

/* "upperdir=" and "workdir=" may be long; everything else is a word or a short value. */
static int set_other(int fs_fd, const char *option, int *keep)
{
        const char *equals = strchr(option, '=');
        if (!equals)
                return fsconfig(fs_fd, FSCONFIG_SET_FLAG, option, NULL, 0);
        _cleanup_free_ char *key = xstrndup(option, (size_t)(equals - option));
        return set_path(fs_fd, key, equals + 1, keep);
}

static int overlay_error(int fs_fd, struct err *err)
{
        int number = errno;
        char line[256];
        ssize_t n = read(fs_fd, line, sizeof(line) - 1);
        if (n > 2) {
                line[n] = 0;
                return err_sysnum(err, number, "overlay: %s", line + 2);
        }
        return err_sysnum(err, number, "overlay");
}

/* Older kernels take any option and refuse, with a line in their log, only when the mount is made: they are not asked. */
static bool kernel_may_know_layers(void)
{
        struct utsname u;
        unsigned major = 0, minor = 0;
        return uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2 || major > 6 ||
               (major == 6 && minor >= 5);
}

/* Returns TRY_PAGE when the kernel may not know "lowerdir+". */
#define TRY_PAGE (-2)
static int make_by_layers(const struct overlay *o, const char *source, uint64_t attributes, struct err *err)
{
        _cleanup_close_ int fs_fd = fsopen("overlay", FSOPEN_CLOEXEC), keep_a = -1, keep_b = -1;
        if (fs_fd < 0)
                return err_sys(err, "open file system overlay");
        for (size_t i = 0; i < o->lower_count; i++) {
                if (set_lower(fs_fd, o, i) == 0)
                        continue;
                bool unknown = i == 0 && errno == EINVAL && !o->lower_fds;
                overlay_error(fs_fd, err);
                err_add(err, "layer %s", o->lowers[i]);
                return unknown ? TRY_PAGE : -1;
        }
        (void)fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", str_empty(source) ? "overlay" : source, 0);
        STRV_FOREACH (option, o->others)
                if (set_other(fs_fd, *option, str_starts(*option, "upperdir=") ? &keep_a : &keep_b) < 0) {
                        overlay_error(fs_fd, err);
                        return err_add(err, "option %s", *option);
                }
        if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
                bool unknown = errno == EINVAL && !o->lower_fds;
                overlay_error(fs_fd, err);
                return unknown ? TRY_PAGE : -1;
        }
        int fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, (unsigned)attributes);
        return fd < 0 ? overlay_error(fs_fd, err) : fd;
}

/* ---- one page of text ---- */

/* Length of the longest directory that all lowers share. */
static size_t common_directory(char *const *lowers)
{
        size_t common = strrchr(lowers[0], '/') ? (size_t)(strrchr(lowers[0], '/') - lowers[0]) : 0;
        STRV_FOREACH (s, lowers) {
                size_t n = 0;
                while (n < common && (*s)[n] == lowers[0][n])
                        n++;
                while (n > 0 && !(((*s)[n] == '/' || !(*s)[n]) && lowers[0][n] == '/'))
                        n--;
                common = n;
        }
        return common;
}

static int add_escaped(struct buf *b, const char *s, struct err *err)
{
        for (; *s; s++)
                if ((strchr(":\\,", *s) && buf_addc(b, '\\', err) < 0) || buf_addc(b, *s, err) < 0)
                        return -1;
        return 0;
}

static int page_options(const struct overlay *o, size_t common, struct buf *b, struct err *err)
{
        if (buf_adds(b, "lowerdir=", err) < 0)
                return -1;
        for (size_t i = 0; i < o->lower_count; i++)
                if ((i && buf_addc(b, ':', err) < 0) ||
                    add_escaped(b, o->lowers[i] + (common ? common + 1 : 0), err) < 0)
                        return -1;
        STRV_FOREACH (option, o->others) {
                const char *path = str_after(*option, "upperdir=") ? str_after(*option, "upperdir=")
                                                                   : str_after(*option, "workdir=");
                if (buf_addc(b, ',', err) < 0)
                        return -1;
                if (!path && buf_adds(b, *option, err) < 0)
                        return -1;
                if (path && (buf_add(b, *option, (size_t)(path - *option), err) < 0 || add_escaped(b, path, err) < 0))
                        return -1;
        }
        return 0;
}

static unsigned long legacy_flags(uint64_t attributes)
{
        static const struct {
                uint64_t attribute;
                unsigned long flag;
        } rows[] = {
                { MOUNT_ATTR_RDONLY, MS_RDONLY }, { MOUNT_ATTR_NOSUID, MS_NOSUID },   { MOUNT_ATTR_NODEV, MS_NODEV },
                { MOUNT_ATTR_NOEXEC, MS_NOEXEC }, { MOUNT_ATTR_NOATIME, MS_NOATIME },
        };
        unsigned long flags = 0;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (attributes & rows[i].attribute)
                        flags |= rows[i].flag;
        return flags;
}

/* With the common directory of the lowers as working directory, their names are short enough for some hundred of them. */
static int make_by_page(const struct overlay *o, const char *source, uint64_t attributes, struct err *err)
{
        _cleanup_buf_ struct buf text = BUF_INIT(PAGE_OPTIONS);
        size_t common = common_directory(o->lowers);
        _cleanup_close_ int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *directory = common ? xstrndup(o->lowers[0], common) : xstrdup("/");
        if (page_options(o, common, &text, err) < 0)
                return err->kind != ERR_TOO_LARGE
                               ? -1
                               : err_set(err, ERR_UNSUPPORTED,
                                         "too many layers for this kernel: their names exceed a page");
        if (common && chdir(directory) < 0)
                return err_sys(err, "%s", directory);
        int r = mount(str_empty(source) ? "overlay" : source, SCRATCH, "overlay", legacy_flags(attributes), text.data),
            number = errno;
        if (here >= 0 && fchdir(here) < 0)
                return err_sys(err, "go back to the working directory");
        if (r < 0)
                return err_sysnum(err, number, "overlay");
        _cleanup_close_ int fd = mount_clone(AT_FDCWD, SCRATCH, false, err);
        if (umount2(SCRATCH, MNT_DETACH) < 0 || fd < 0)
                return fd < 0 ? -1 : err_sys(err, "overlay: detach");
        return TAKE_FD(fd);
}

int mount_make_overlay(const struct oci_mount *m, const struct mount_words *w, int userns_fd, struct err *err)
{
        _cleanup_(overlay_done) struct overlay o = { 0 };
        overlay_parse(w, &o);
        if (o.lower_count == 0 || o.lower_count > LOWERS_MAX)
                return err_set(err, ERR_INVALID, "overlay: %zu lower layers", o.lower_count);
        if (w->idmap && map_lowers(&o, userns_fd, err) < 0)
                return err_add(err, "overlay");
        if (!kernel_may_know_layers())
                return o.lower_fds ? err_set(err, ERR_UNSUPPORTED, "this kernel cannot map the ids of image layers")
                                   : make_by_page(&o, m->source, w->set, err);
        int fd = make_by_layers(&o, m->source, w->set, err);
        if (fd != TRY_PAGE)
                return fd;
        struct err second = ERR_INIT;
        fd = make_by_page(&o, m->source, w->set, &second);
        if (fd < 0 && second.kind == ERR_UNSUPPORTED)
                *err = second; /* otherwise the first refusal says more */
        return fd;
}

/* Which mounts of a container criu finds again instead of saving them: binds of the host, control groups, devices and masks
 * that are nodes of the host. Each has a name in the images, the place it is mounted on, as runc has it. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/runtime_spec.h"
#include "runtime/cgroup-internal.h"
#include "runtime/criu-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"
#include "runtime/mountinfo-internal.h"

#define NAMES_MAX ((size_t)4 << 20)
#define NULL_DEVICE "/dev/null"

static const char *const default_devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty" };

static bool is_bind(const struct oci_mount *m, bool *ret_recursive)
{
        _cleanup_mount_words_ struct mount_words w = { 0 };
        mount_words_parse(m, &w);
        *ret_recursive = w.recursive;
        return w.bind && !w.remount;
}

static bool is_cgroup_type(const char *type)
{
        return str_eq(type, "cgroup") || str_eq(type, "cgroup2");
}

/* ---- dump ---- */

struct dump {
        struct buf *options;
        const struct oci_spec *spec;
        int root_fd;
        struct mountinfo table;
        uint64_t *ids;                 /* of the spec's mounts, 0: not there */
};

static void dump_done(struct dump *d)
{
        mem_closep(&d->root_fd);
        mountinfo_done(&d->table);
        free(d->ids);
}

/* The mount that is at a path inside, 0: none of its own. */
static uint64_t mount_at(const struct dump *d, const char *path, struct stat *ret_st)
{
        struct err unused = ERR_INIT;
        uint64_t id = 0;
        bool root = false;
        _cleanup_close_ int fd = path_open_in(d->root_fd, path, O_PATH, 0, &unused);
        if (fd < 0 || fstat(fd, ret_st) < 0 || mountinfo_id(fd, &id, &root, &unused) < 0)
                return 0;
        return root ? id : 0;
}

static int dump_row(struct dump *d, const struct mountinfo_row *row, const char *name, struct err *err)
{
        return criu_option_pair(d->options, CRIU_MOUNTS, row->place, name ? name : row->place, err);
}

static bool is_in_spec(const struct dump *d, uint64_t id)
{
        for (size_t i = 0; i < d->spec->mount_count; i++)
                if (d->ids[i] == id)
                        return true;
        return false;
}

/* What came with a recursive bind came from outside too. */
static int dump_bind(struct dump *d, size_t index, struct err *err)
{
        const struct mountinfo_row *row = mountinfo_find(&d->table, d->ids[index]);
        bool recursive = false;
        if (!row || !is_bind(&d->spec->mounts[index], &recursive))
                return 0;
        if (dump_row(d, row, NULL, err) < 0)
                return -1;
        for (size_t i = 0; i < d->table.count && recursive; i++) {
                const struct mountinfo_row *on = &d->table.list[i];
                if (!is_in_spec(d, on->id) && mountinfo_is_on(&d->table, on, row->id) && dump_row(d, on, NULL, err) < 0)
                        return -1;
        }
        return 0;
}

/* A device that is a node of the host. */
static int dump_device(struct dump *d, const char *path, const char *name, struct err *err)
{
        struct stat st;
        uint64_t id = mount_at(d, path, &st);
        const struct mountinfo_row *row = id ? mountinfo_find(&d->table, id) : NULL;
        return row && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) ? dump_row(d, row, name, err) : 0;
}

static int dump_all(struct dump *d, struct err *err)
{
        struct stat st;
        for (size_t i = 0; i < d->spec->mount_count; i++)
                d->ids[i] = mount_at(d, d->spec->mounts[i].destination ? d->spec->mounts[i].destination : "", &st);
        for (size_t i = 0; i < d->spec->mount_count; i++)
                if (dump_bind(d, i, err) < 0)
                        return -1;
        for (size_t i = 0; i < d->table.count; i++)
                if (is_cgroup_type(d->table.list[i].type) && dump_row(d, &d->table.list[i], NULL, err) < 0)
                        return -1;
        STRV_FOREACH (path, d->spec->masked_paths)
                if (dump_device(d, *path, NULL_DEVICE, err) < 0)
                        return -1;
        for (size_t i = 0; i < d->spec->device_count; i++)
                if (dump_device(d, d->spec->devices[i].path, d->spec->devices[i].path, err) < 0)
                        return -1;
        for (size_t i = 0; i < ELEMENTS(default_devices); i++)
                if (dump_device(d, default_devices[i], default_devices[i], err) < 0)
                        return -1;
        return 0;
}

int checkpoint_mounts_dump(struct buf *options, const struct oci_spec *spec, pid_t pid, struct err *err)
{
        _cleanup_(dump_done) struct dump d = { .options = options, .spec = spec, .root_fd = -1 };
        _cleanup_free_ char *number = xasprintf("%d", (int)pid), *root = xasprintf("/proc/%d/root", (int)pid);
        d.ids = xcalloc(spec->mount_count + 1, sizeof(*d.ids));
        d.root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (d.root_fd < 0)
                return err_sys(err, "%s", root);
        return mountinfo_read(number, &d.table, err) < 0 || dump_all(&d, err) < 0 ? err_add(err, "mounts") : 0;
}

/* ---- restore ---- */

/* In a child with mounts of its own the root is filled as at a start, as far as further places can lie on it: the places stay,
 * the mounts go with the child. It tells through a pipe what is to be mounted where: "place\0source\0". */
struct restore {
        const struct oci_spec *spec;
        const char *bundle, *group;
        int bundle_fd, root_fd, pipe_fd;
};

static int tell(const struct restore *r, const char *place, const char *source, struct err *err)
{
        if (fd_write_full(r->pipe_fd, place, strlen(place) + 1) < 0 || fd_write_full(r->pipe_fd, source, strlen(source) + 1) < 0)
                return err_sys(err, "pipe");
        return 0;
}

/* Our root lies on "/", so that a path from it is a path in the container. */
static int path_of(int fd, char **ret, struct err *err)
{
        char link[FD_PATH_SIZE], path[4096];
        ssize_t n = readlink(fd_path(fd, link), path, sizeof(path) - 1);
        if (n <= 0 || path[0] != '/')
                return err_set(err, ERR_SYSTEM, "find a place in the root again");
        path[n] = 0;
        *ret = xstrdup(path);
        return 0;
}

static int tell_nested(const struct restore *r, int mount_fd, const char *place, const char *source, struct err *err)
{
        _cleanup_mountinfo_ struct mountinfo table = { 0 };
        uint64_t id = 0;
        bool root = false;
        if (mountinfo_id(mount_fd, &id, &root, err) < 0 || mountinfo_read("self", &table, err) < 0)
                return -1;
        for (size_t i = 0; i < table.count; i++) {
                const struct mountinfo_row *row = &table.list[i];
                if (!mountinfo_is_on(&table, row, id) || !path_is_below(row->place, place))
                        continue;
                _cleanup_free_ char *below = path_join(source, row->place + strlen(place) + 1);
                if (tell(r, row->place, below, err) < 0)
                        return -1;
        }
        return 0;
}

static int place_bind(const struct restore *r, const struct oci_mount *m, const struct mount_words *w, struct err *err)
{
        _cleanup_free_ char *source = path_join(r->bundle, m->source ? m->source : "");
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = mount_make(m, w, r->bundle_fd, -1, err);
        _cleanup_close_ int place = fd < 0 ? -1 : mount_place(r->root_fd, m->destination, mount_is_directory(fd), err);
        if (place < 0 || path_of(place, &path, err) < 0 || mount_attach(fd, place, err) < 0 || tell(r, path, source, err) < 0)
                return -1;
        return w->recursive ? tell_nested(r, fd, path, source, err) : 0;
}

/* Where the group is, or its top for who has none. */
static int tell_group(const struct restore *r, const char *place, const char *top, bool own, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("%s%s", top, own && r->group ? r->group : "");
        return tell(r, place, access(path, F_OK) == 0 ? path : top, err);
}

static int place_cgroup(const struct restore *r, const struct oci_mount *m, struct err *err)
{
        const struct cgroup_layout *layout = cgroup_layout();
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int place = mount_place(r->root_fd, m->destination, true, err);
        if (place < 0 || path_of(place, &path, err) < 0)
                return -1;
        if (layout->count == 0 || str_eq(m->type, "cgroup2"))
                return layout->unified ? tell_group(r, path, layout->unified, r->spec->namespaces[OCI_NS_CGROUP].wanted, err) : 0;
        for (size_t i = 0; i < layout->count; i++) {
                _cleanup_free_ char *below = path_join(path, layout->list[i].name);
                if (tell_group(r, below, layout->list[i].path, true, err) < 0)
                        return -1;
        }
        return 0;
}

/* Places on these are not places in the root: criu brings them with the mount. */
static int place_other(const struct restore *r, const struct oci_mount *m, struct err *err)
{
        static const char *const stand_ins[] = { "tmpfs", "proc", "sysfs" };
        struct err unused = ERR_INIT;
        _cleanup_close_ int place = mount_place(r->root_fd, m->destination, true, err);
        if (place < 0)
                return -1;
        for (size_t i = 0; i < ELEMENTS(stand_ins); i++) {
                if (!str_eq(m->type, stand_ins[i]))
                        continue;
                _cleanup_close_ int fd = mount_make_fs(stand_ins[i], stand_ins[i], NULL, 0, &unused);
                if (fd >= 0)
                        (void)mount_attach(fd, place, &unused);
        }
        return 0;
}

static int place_all(struct restore *r, const char *root, struct err *err)
{
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return err_sys(err, "make a mount namespace");
        r->bundle_fd = open(r->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
        r->root_fd = r->bundle_fd < 0 ? err_sys(err, "%s", r->bundle) : mount_clone(AT_FDCWD, root, true, err);
        if (r->root_fd < 0)
                return err_add(err, "root");
        if (move_mount(r->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return err_sys(err, "attach the root");
        for (size_t i = 0; i < r->spec->mount_count; i++) {
                const struct oci_mount *m = &r->spec->mounts[i];
                _cleanup_mount_words_ struct mount_words w = { 0 };
                mount_words_parse(m, &w);
                if (w.remount)
                        continue;
                if ((w.bind                    ? place_bind(r, m, &w, err)
                     : is_cgroup_type(m->type) ? place_cgroup(r, m, err)
                                               : place_other(r, m, err)) < 0)
                        return err_add(err, "mount %s", m->destination);
        }
        return 0;
}

static void place_child(struct restore *r, const char *root, int said_fd) __attribute__((noreturn));
static void place_child(struct restore *r, const char *root, int said_fd)
{
        struct err said = ERR_INIT;
        umask(0);
        if (place_all(r, root, &said) == 0)
                _exit(0);
        (void)fd_write_full(said_fd, &said, sizeof(said));
        _exit(1);
}

static int add_told(struct buf *options, const struct buf *told, struct err *err)
{
        const char *end = told->data ? told->data + told->len : NULL;
        for (const char *place = told->data; place && place < end;) {
                const char *source = place + strlen(place) + 1;
                if (source >= end)
                        return err_set(err, ERR_SYSTEM, "the mounts of the root ended half-way");
                if (criu_option_pair(options, CRIU_MOUNTS, place, source, err) < 0)
                        return -1;
                place = source + strlen(source) + 1;
        }
        return 0;
}

static int fill_root(struct restore *r, const char *root, struct buf *told, struct err *err)
{
        struct err said = ERR_INIT;
        int pipes[2], words[2];
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        _cleanup_close_ int from = pipes[0];
        _cleanup_close_ int to = pipes[1];
        if (pipe2(words, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        _cleanup_close_ int said_from = words[0];
        _cleanup_close_ int said_to = words[1];
        pid_t child = fork();
        if (child < 0)
                return err_sys(err, "fork");
        r->pipe_fd = to;
        if (child == 0)
                place_child(r, root, said_to);
        close(TAKE_FD(to));
        close(TAKE_FD(said_to));
        int got = fd_read_all(from, told, err), status = 0;
        ssize_t n = fd_read_full(said_from, &said, sizeof(said));
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
                ;
        if (n == (ssize_t)sizeof(said))
                *err = said;
        else if (got == 0 && status != 0)
                return err_set(err, ERR_SYSTEM, "prepare the root: a child died");
        return got < 0 || n == (ssize_t)sizeof(said) ? -1 : 0;
}

static int add_devices(struct buf *options, const struct oci_spec *spec, struct err *err)
{
        for (size_t i = 0; i < ELEMENTS(default_devices); i++)
                if (criu_option_pair(options, CRIU_MOUNTS, default_devices[i], default_devices[i], err) < 0)
                        return -1;
        for (size_t i = 0; i < spec->device_count; i++)
                if (criu_option_pair(options, CRIU_MOUNTS, spec->devices[i].path, spec->devices[i].path, err) < 0)
                        return -1;
        return 0;
}

int checkpoint_mounts_restore(struct buf *options, const struct oci_spec *spec, const char *bundle, const char *root,
                              const char *group, struct err *err)
{
        struct restore r = { .spec = spec, .bundle = bundle, .group = group, .bundle_fd = -1, .root_fd = -1, .pipe_fd = -1 };
        _cleanup_buf_ struct buf told = BUF_INIT(NAMES_MAX);
        if (fill_root(&r, root, &told, err) < 0 || add_told(options, &told, err) < 0 || add_devices(options, spec, err) < 0)
                return -1;
        return 0;
}

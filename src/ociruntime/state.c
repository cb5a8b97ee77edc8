#include "ociruntime/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "ociruntime/program-internal.h"
#include "runtime/cgroup.h"

#define STATE_MAX ((size_t)1 << 20)

void container_done(struct container *c)
{
        mem_closep(&c->lock_fd);
        mem_closep(&c->dir_fd);
        free(c->root);
        free(c->name);
        state_done(&c->state);
        *c = (struct container)CONTAINER_INIT;
}

/* runc's rule: these bytes only, and no name that means a folder. */
bool container_id_ok(const char *id)
{
        return str_only(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.,") && !str_eq(id, ".") &&
               !str_eq(id, "..") && strlen(id) <= 255;
}

static int check_id(const char *id, struct err *err)
{
        return container_id_ok(id) ? 0 : err_set(err, ERR_INVALID, "invalid container ID format");
}

static int no_container(struct err *err)
{
        return err_set(err, ERR_NOT_FOUND, "container does not exist");
}

void container_unlock(struct container *c)
{
        mem_closep(&c->lock_fd);
}

/* ---- the folder and its lock ---- */

/* A lock of the process and not of the descriptor: init is a copy of us and must not hold it on. */
static int lock_take(int dir_fd, int *ret_fd, struct err *err)
{
        struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        _cleanup_close_ int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return err_sys(err, "lock");
        while (fcntl(fd, F_SETLKW, &all) < 0)
                if (errno != EINTR)
                        return err_sys(err, "lock");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int open_folder(const char *root, const char *id, struct container *c, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("%s/%s", root, id);
        c->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (c->dir_fd < 0)
                return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? no_container(err) : err_sys(err, "open %s", path);
        c->root = xstrdup(root);
        c->name = xstrdup(id);
        return 0;
}

/* Who waited for the lock of a folder that was then removed holds nothing: *ret_gone. */
static int lock_folder(struct container *c, bool *ret_gone, struct err *err)
{
        struct stat st;
        if (lock_take(c->dir_fd, &c->lock_fd, err) < 0) {
                *ret_gone = err->kind == ERR_NOT_FOUND;
                return -1;
        }
        *ret_gone = fstat(c->lock_fd, &st) < 0 || st.st_nlink == 0;
        return 0;
}

/* A rename is whole after a kill. A power cut may leave zeros or less than all behind it, but it ended the container as well: nothing is there. */
static bool is_torn(const struct buf *b)
{
        size_t len = b->len;
        while (len && strchr(" \n", b->data[len - 1]))
                len--;
        return len == 0 || b->data[len - 1] != '}';
}

static bool has_state(const struct container *c)
{
        _cleanup_buf_ struct buf b = BUF_INIT(STATE_MAX);
        struct err err = ERR_INIT;
        return file_read_at(c->dir_fd, "state.json", &b, &err) < 0 ? err.kind != ERR_NOT_FOUND : !is_torn(&b);
}

static int make_once(const char *root, const char *id, struct container *c, bool *ret_again, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("%s/%s", root, id);
        if (mkdir(path, 0711) < 0 && errno != EEXIST)
                return err_sys(err, "make %s", path);
        bool gone = false;
        if (open_folder(root, id, c, err) < 0 || lock_folder(c, &gone, err) < 0)
                *ret_again = gone || err->kind == ERR_NOT_FOUND;
        else if (gone)
                *ret_again = true;
        else if (!has_state(c))
                return 0;
        else
                return err_set(err, ERR_CONFLICT, "container with given ID already exists: container with id exists: %s", id);
        return *ret_again ? err_set(err, ERR_CONFLICT, "container %s is being removed", id) : -1;
}

int container_make(const char *root, const char *id, struct container *ret, struct err *err)
{
        if (check_id(id, err) < 0 || path_mkdirs(root, 0711, err) < 0)
                return -1;
        for (int i = 0;; i++) {
                _cleanup_container_ struct container c = CONTAINER_INIT;
                bool again = false;
                if (make_once(root, id, &c, &again, err) == 0) {
                        *ret = c;
                        c = (struct container)CONTAINER_INIT;
                        return 0;
                }
                if (!again || i == 100)
                        return -1;
                err_clear(err);
        }
}

static int read_state(struct container *c, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(STATE_MAX);
        if (file_read_at(c->dir_fd, "state.json", &b, err) < 0)
                return err->kind == ERR_NOT_FOUND ? no_container(err) : err_add(err, "container %s", c->name);
        if (is_torn(&b))
                return no_container(err);
        if (state_parse(b.data, b.len, &c->state, err) < 0)
                return err_add(err, "container %s", c->name);
        return 0;
}

int container_open(const char *root, const char *id, bool lock, struct container *ret, struct err *err)
{
        _cleanup_container_ struct container c = CONTAINER_INIT;
        bool gone = false;
        if (check_id(id, err) < 0 || open_folder(root, id, &c, err) < 0)
                return -1;
        if (lock && !file_exists_at(c.dir_fd, "state.json"))
                return no_container(err);
        if (lock && lock_folder(&c, &gone, err) < 0)
                return gone ? no_container(err) : -1;
        if (gone)
                return no_container(err);
        if (read_state(&c, err) < 0)
                return -1;
        *ret = c;
        c = (struct container)CONTAINER_INIT;
        return 0;
}

int container_save(struct container *c, const struct oci_spec *spec, struct err *err)
{
        _cleanup_free_ char *text = state_format(&c->state, spec);
        return file_write_at(c->dir_fd, "state.json", text, strlen(text), 0600, false, err); /* see is_torn() */
}

int container_save_spec(struct container *c, const char *text, size_t len, struct err *err)
{
        return file_write_at(c->dir_fd, "config.json", text, len, 0600, false, err);
}

int container_load_spec(struct container *c, struct oci_spec *ret, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(OCIRUNTIME_CONFIG_MAX);
        return file_read_at(c->dir_fd, "config.json", &b, err) < 0 ? -1 : oci_spec_parse(b.data, b.len, ret, err);
}

/* The folder is empty of what is ours first; a kill after the last unlink leaves an empty one, which create takes over. */
int container_forget(struct container *c, struct err *err)
{
        static const char *const names[] = { "start", "config.json", "state.json" };
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (unlinkat(c->dir_fd, names[i], 0) < 0 && errno != ENOENT)
                        return err_sys(err, "remove %s", names[i]);
        _cleanup_close_ int root = open(c->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return root < 0 ? err_sys(err, "open %s", c->root) : tree_remove_at(root, c->name, err);
}

/* ---- status ---- */

const char *container_status_name(enum container_status status)
{
        static const char *const names[] = { "creating", "created", "running", "paused", "stopped" };
        return names[status];
}

int state_cgroup(const struct state *s, struct cgroup **ret, struct err *err)
{
        struct cgroup *cg = NULL;
        if (!str_empty(s->cgroups_path) && (s->systemd ? cgroup_open_scope : cgroup_open)(s->cgroups_path, &cg, err) < 0) {
                /* Without its bus a manager of units is gone, and what it kept with it; but not what still runs. */
                bool gone = err->kind == ERR_UNAVAILABLE && (s->pid <= 0 || !proc_alive(s->pid, s->start_time));
                if (err->kind != ERR_NOT_FOUND && err->kind != ERR_UNSUPPORTED && !gone)
                        return -1;
                err_clear(err);
        }
        *ret = cg;
        return 0;
}

int container_cgroup(const struct container *c, struct cgroup **ret, struct err *err)
{
        return state_cgroup(&c->state, ret, err);
}

/* Whether a verb is at work on it: only a create that lives is "creating". */
static bool is_locked(const struct container *c)
{
        struct flock probe = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        if (c->lock_fd >= 0)
                return false; /* by us, who would be creating it otherwise */
        _cleanup_close_ int fd = openat(c->dir_fd, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        return fd >= 0 && fcntl(fd, F_GETLK, &probe) == 0 && probe.l_type != F_UNLCK;
}

enum container_status container_status(struct container *c)
{
        _cleanup_(cgroup_freep) struct cgroup *cg = NULL;
        struct err unused = ERR_INIT;
        if (c->state.pid <= 0)
                return is_locked(c) ? CONTAINER_CREATING : CONTAINER_STOPPED;
        if (!proc_alive(c->state.pid, c->state.start_time))
                return CONTAINER_STOPPED;
        if (container_cgroup(c, &cg, &unused) == 0 && cg && cgroup_frozen(cg))
                return CONTAINER_PAUSED;
        return file_exists_at(c->dir_fd, "start") ? CONTAINER_CREATED : CONTAINER_RUNNING;
}

/* ---- the socket of the start ---- */

int container_listen(struct container *c, struct err *err)
{
        struct sockaddr_un address;
        fd_socket_address(c->dir_fd, "start", &address);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || fchmodat(c->dir_fd, "start", 0600, 0) < 0 ||
            listen(fd, 4) < 0)
                return err_sys(err, "socket of the start");
        return TAKE_FD(fd);
}

/* The name goes while init waits for the first word: who is killed here leaves an init that ends, and not one that runs and
 * is called "created". */
int container_connect(struct container *c, struct err *err)
{
        struct sockaddr_un address;
        fd_socket_address(c->dir_fd, "start", &address);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return err_sys(err, "reach init");
        if (unlinkat(c->dir_fd, "start", 0) < 0)
                return err_sys(err, "socket of the start");
        return TAKE_FD(fd);
}

int containers_list(const char *root, char ***ret, struct err *err)
{
        _cleanup_closedir_ DIR *dir = opendir(root);
        _cleanup_strv_ char **names = NULL;
        if (!dir && errno != ENOENT)
                return err_sys(err, "open %s", root);
        for (struct dirent *e; dir && (e = readdir(dir));)
                if (container_id_ok(e->d_name))
                        strv_push(&names, e->d_name);
        strv_sort(names);
        *ret = TAKE_PTR(names);
        return 0;
}

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "storage/snapshot-internal.h"
#include "storage/snapshot.h"

#define ROOT_ID_MAX 128
#define ROOT_NAME_SIZE (ROOT_ID_MAX + 16)

static int root_name(const char *id, char ret_name[ROOT_NAME_SIZE], struct err *err)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
        if (!str_only(id, allowed) || id[0] == '.' || strlen(id) > ROOT_ID_MAX)
                return err_set(err, ERR_INVALID, "not an id: %.150s", id);
        snprintf(ret_name, ROOT_NAME_SIZE, "roots/%s", id);
        return 0;
}

int boot_id_read(char ret_id[40], struct err *err)
{
        static char known[40];
        if (known[0]) {
                memcpy(ret_id, known, sizeof(known));
                return 0;
        }
        _cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, ret_id, 39);
        if (n < 0)
                return err_sys(err, "read boot_id");
        ret_id[n] = '\0';
        ret_id[strcspn(ret_id, "\n")] = '\0';
        snprintf(known, sizeof(known), "%s", ret_id);
        return 0;
}

bool root_exists(struct snapshots *s, const char *id)
{
        struct err err = ERR_INIT;
        char name[ROOT_NAME_SIZE];
        if (root_name(id, name, &err) < 0)
                return false;
        _cleanup_free_ char *chain = xasprintf("%s/chain", name);
        return file_exists_at(s->dir_fd, chain);
}

char *root_writable_path(struct snapshots *s, const char *id)
{
        return xasprintf("%s/roots/%s/%s", s->dir, id, s->driver->writable);
}

/* --- chain: "boot ID", then the layers, lowest first, one a line --- */

static int chain_write(int root_fd, char *const *chain, struct err *err)
{
        char boot[40];
        _cleanup_buf_ struct buf text = BUF_INIT((size_t)1 << 20);
        if (boot_id_read(boot, err) < 0 || buf_addf(&text, err, "boot %s\n", boot) < 0)
                return -1;
        STRV_FOREACH (id, chain) {
                if (buf_adds(&text, *id, err) < 0 || buf_addc(&text, '\n', err) < 0)
                        return -1;
        }
        /* In place and not synced: a reader before the last byte is nobody, since the id is not told to anyone yet, and a root
         * lost in a power cut never ran. Renaming alone would cost a third of root_create(). */
        _cleanup_close_ int fd = openat(root_fd, "chain", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || fd_write_full(fd, text.data, text.len) < 0)
                return err_sys(err, "write chain");
        return 0;
}

static int chain_read(int root_fd, char ret_boot[40], char ***ret, struct err *err)
{
        _cleanup_buf_ struct buf text = BUF_INIT((size_t)1 << 20);
        if (file_read_at(root_fd, "chain", &text, err) < 0)
                return -1;
        _cleanup_strv_ char **lines = strv_split(text.data ? text.data : "", "\n", false);
        char **chain = NULL;
        const char *boot = lines ? str_after(lines[0], "boot ") : NULL;
        /* A power cut may leave the file empty or cut off; the line count is then short and mounting would show a wrong tree. */
        if (!boot || text.data[text.len - 1] != '\n')
                return err_set(err, ERR_CORRUPT, "root was not completely written");
        if (ret_boot)
                snprintf(ret_boot, 40, "%s", boot);
        for (char **line = lines + 1; *line; line++)
                strv_push(&chain, *line);
        if (ret)
                *ret = chain;
        else
                strv_free(chain);
        return 0;
}

int root_boot_matches(int root_fd, bool *ret_same, struct err *err)
{
        char now[40], made[40];
        _cleanup_free_ char *mounted = NULL;
        struct err ignored = ERR_INIT;
        if (boot_id_read(now, err) < 0 || chain_read(root_fd, made, NULL, err) < 0)
                return -1;
        *ret_same =
                str_eq(now, made) || (file_line_at(root_fd, "boot", &mounted, &ignored) == 0 && str_eq(now, mounted));
        return 0;
}

int root_boot_note(int root_fd, struct err *err)
{
        char now[40];
        bool same = false;
        if (root_boot_matches(root_fd, &same, err) < 0)
                return -1;
        if (same)
                return 0;
        return boot_id_read(now, err) < 0 ? -1 : file_write_at(root_fd, "boot", now, strlen(now), 0600, false, err);
}

int root_load(struct snapshots *s, const char *id, int *ret_fd, char ***ret_chain, struct err *err)
{
        char name[ROOT_NAME_SIZE];
        if (root_name(id, name, err) < 0)
                return -1;
        _cleanup_close_ int fd = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "root %s", id);
        if (chain_read(fd, NULL, ret_chain, err) < 0)
                return err_add(err, "root %s", id);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int root_make(struct snapshots *s, const char *name, char *const *chain, struct err *err)
{
        if (mkdirat(s->dir_fd, name, 0700) < 0)
                return err_sys(err, "create %s", name);
        _cleanup_close_ int fd = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "open %s", name);
        if (s->driver->root_prepare(s, fd, chain, err) < 0)
                return -1;
        return chain_write(fd, chain, err);
}

int root_create(struct snapshots *s, const char *id, char *const *chain, struct err *err)
{
        char name[ROOT_NAME_SIZE];
        struct err ignored = ERR_INIT;
        if (root_name(id, name, err) < 0)
                return -1;
        if (strv_len(chain) > CHAIN_MAX)
                return err_set(err, ERR_TOO_LARGE, "an image of more than %d layers", CHAIN_MAX);
        STRV_FOREACH (layer, chain) {
                if (!layer_exists(s, *layer))
                        return err_set(err, ERR_NOT_FOUND, "root %s: no layer %s", id, *layer);
        }
        if (root_make(s, name, chain, err) == 0)
                return 0;
        if (err->sys != EEXIST)
                trash_remove(s, name, &ignored);
        else if (!root_exists(s, id)) {
                /* Left by a maker that was killed half-way. */
                err_clear(err);
                return trash_remove(s, name, err) < 0 || root_make(s, name, chain, err) < 0 ? -1 : 0;
        }
        return err_add(err, "root %s", id);
}

int root_mount(struct snapshots *s, const char *id, bool transient, struct oci_mount *ret, struct err *err)
{
        _cleanup_close_ int fd = -1;
        _cleanup_strv_ char **chain = NULL;
        if (root_load(s, id, &fd, &chain, err) < 0)
                return -1;
        return s->driver->root_mount(s, id, fd, chain, transient, ret, err) < 0 ? err_add(err, "root %s", id) : 0;
}

int root_open(struct snapshots *s, const char *id, bool writable, struct err *err)
{
        _cleanup_close_ int fd = -1;
        _cleanup_strv_ char **chain = NULL;
        if (root_load(s, id, &fd, &chain, err) < 0)
                return -1;
        int tree = s->driver->root_open(s, id, fd, chain, writable, err);
        return tree < 0 ? err_add(err, "root %s", id) : tree;
}

int root_remove(struct snapshots *s, const char *id, struct err *err)
{
        char name[ROOT_NAME_SIZE];
        if (root_name(id, name, err) < 0)
                return -1;
        if (!file_exists_at(s->dir_fd, name))
                return err_set(err, ERR_NOT_FOUND, "no root %s", id);
        return trash_remove(s, name, err) < 0 ? err_add(err, "root %s", id) : 0;
}

int root_discard(struct snapshots *s, const char *id, struct err *err)
{
        char name[ROOT_NAME_SIZE];
        if (root_name(id, name, err) < 0)
                return -1;
        _cleanup_free_ char *trash = xasprintf("trash/%s", id);
        if (renameat(s->dir_fd, name, s->dir_fd, trash) < 0)
                return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "no root %s", id) : err_sys(err, "remove root %s", id);
        return 0;
}

char *root_discarded_path(struct snapshots *s, const char *id)
{
        return xasprintf("%s/trash/%s", s->dir, id);
}

int root_limit_probe(struct snapshots *s, struct err *err)
{
        if (s->driver->whole_trees)
                return err_set(err, ERR_UNSUPPORTED, "the storage driver %s copies all of an image for each container, which no limit fits", s->driver->name);
        return quota_probe(s->dir, err);
}

/* Both folders: a file that is on its way from one to the other has to stay in its project. */
int root_limit(struct snapshots *s, const char *id, uint32_t project, const struct quota_limit *limit, struct err *err)
{
        char name[ROOT_NAME_SIZE];
        if (root_name(id, name, err) < 0 || root_limit_probe(s, err) < 0)
                return -1;
        _cleanup_free_ char *upper = xasprintf("%s/%s/%s", s->dir, name, s->driver->writable), *work = xasprintf("%s/%s/work", s->dir, name);
        if (quota_apply(work, project, limit, err) < 0 || quota_apply(upper, project, limit, err) < 0)
                return err_add(err, "root %s", id);
        return 0;
}

int root_usage(struct snapshots *s, const char *id, uint64_t *ret_bytes, struct err *err)
{
        _cleanup_close_ int fd = -1;
        if (root_load(s, id, &fd, NULL, err) < 0)
                return -1;
        return tree_usage_at(fd, s->driver->writable, ret_bytes, err) < 0 ? err_add(err, "root %s", id) : 0;
}

int roots_walk(struct snapshots *s, int (*fn)(void *data, const char *id, struct err *err), void *data, struct err *err)
{
        int fd = openat(s->dir_fd, "roots", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return err_sys(err, "open %s/roots", s->dir);
        for (struct dirent *e; (e = readdir(dir));) {
                if (e->d_name[0] == '.' || !root_exists(s, e->d_name))
                        continue;
                int r = fn(data, e->d_name, err);
                if (r != 0)
                        return r;
        }
        return 0;
}

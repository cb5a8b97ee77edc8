/* --log-opt keep=true: what a container logged outlives it, in ROOT/logs/NAME-ID/ with the definition beside it. `container prune` and
 * `system prune` remove them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/log-internal.h"

#define DOCUMENT "container.json"
#define DOCUMENT_MAX ((size_t)4 << 20)

static int folders_list(const char *path, char ***ret, struct err *err)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return err_sys(err, "%s", path);
        for (struct dirent *entry; (entry = readdir(dir));)
                if (entry->d_name[0] != '.')
                        strv_push(ret, entry->d_name);
        return 0;
}

static char *kept_root(const struct engine *e) { return path_join(engine_root(e), "logs"); }

int log_folder_lock(const char *dir, const struct container *c)
{
        _cleanup_free_ char *path = log_file_path(dir, c->id, &c->config);
        if (!path)
                return -1;
        *strrchr(path, '/') = '\0';
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        return fd >= 0 && flock(fd, LOCK_EX) == 0 ? TAKE_FD(fd) : -1;
}

bool log_is_kept(const struct container_config *c)
{
        const char *keep = strv_env_get(c->log_opts, "keep");
        struct err ignored = ERR_INIT;
        bool kept = false;
        return keep && parse_bool(keep, &kept, &ignored) == 0 && kept;
}

int log_keep(struct engine *e, const struct container *c, struct err *err)
{
        _cleanup_free_ char *dir = container_dir_path(e, c->id), *root = kept_root(e), *to = xasprintf("%s/%s-%s", root, c->name, c->id);
        _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return errno == ENOENT ? 0 : err_sys(err, "%s", dir);  /* it wrote nothing, or was moved before a kill */
        _cleanup_json_ json_t *document = json_pack("{s:s, s:s, s:o}", "Id", c->id, "Name", c->name, "Definition", container_config_to_json(&c->config));
        _cleanup_free_ char *text = json_text(document);
        if (path_mkdirs(root, 0700, err) < 0 || file_write_at(fd, DOCUMENT, text, strlen(text), 0600, true, err) < 0)
                return -1;
        return rename(dir, to) < 0 ? err_sys(err, "%s", to) : 0;
}

static int kept_load(const char *dir, struct container *ret, struct err *err)
{
        struct jpath path = JPATH(DOCUMENT);
        json_t *definition = NULL;
        _cleanup_free_ char *id = NULL;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        _cleanup_json_ json_t *o = fd < 0 ? NULL : json_read_file_at(fd, DOCUMENT, DOCUMENT_MAX, err);
        if (!o || json_get_string(o, &path, "Id", true, &id, err) < 0 || json_get_string(o, &path, "Name", true, &c.name, err) < 0 ||
            json_get_object(o, &path, "Definition", true, &definition, err) < 0 ||
            container_config_from_json(definition, &c.config, err) < 0)
                return -1;
        if (strlen(id) != sizeof(c.id) - 1)
                return err_set(err, ERR_INVALID, "%s: no id", dir);
        memcpy(c.id, id, sizeof(c.id));
        c.status.state = STATE_EXITED;
        container_done(ret);
        *ret = c;
        memset(&c, 0, sizeof(c));
        container_config_init(&c.config);
        return 0;
}

static bool folder_matches(const char *folder, const char *name)
{
        size_t len = strlen(folder), name_len = strlen(name);
        if (len < 66 || folder[len - 65] != '-')
                return false;
        bool is_name = len - 65 == name_len && memcmp(folder, name, name_len) == 0;
        return is_name || str_eq(folder, name) || (name_len >= 2 && str_starts(folder + len - 64, name));
}

int log_kept_find(struct engine *e, const char *name, struct container *ret, char **ret_dir)
{
        _cleanup_free_ char *root = kept_root(e), *best = NULL;
        _cleanup_strv_ char **names = NULL;
        struct err ignored = ERR_INIT;
        struct timespec newest = { 0 };
        if (folders_list(root, &names, &ignored) < 0)
                return -1;
        STRV_FOREACH (folder, names) {
                struct stat st;
                _cleanup_free_ char *dir = path_join(root, *folder);
                if (!folder_matches(*folder, name) || lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) ||
                    (best && (st.st_ctim.tv_sec < newest.tv_sec || (st.st_ctim.tv_sec == newest.tv_sec && st.st_ctim.tv_nsec < newest.tv_nsec))))
                        continue;
                newest = st.st_ctim;
                str_replace(&best, dir);
        }
        if (!best || kept_load(best, ret, &ignored) < 0)
                return -1;
        *ret_dir = TAKE_PTR(best);
        return 0;
}

int log_kept_prune(struct engine *e, int64_t until, uint64_t *bytes, struct err *err)
{
        _cleanup_free_ char *root = kept_root(e);
        _cleanup_strv_ char **names = NULL;
        struct err ignored = ERR_INIT;
        if (folders_list(root, &names, &ignored) < 0)
                return 0;              /* nothing was ever kept */
        STRV_FOREACH (folder, names) {
                struct stat st;
                uint64_t used = 0;
                _cleanup_free_ char *dir = path_join(root, *folder);
                if (lstat(dir, &st) < 0 || (until && (int64_t)st.st_ctim.tv_sec * 1000000000 > until))
                        continue;
                tree_usage_at(AT_FDCWD, dir, &used, &ignored);
                if (tree_remove_at(AT_FDCWD, dir, err) < 0)
                        return -1;
                *bytes += used;
        }
        return 0;
}

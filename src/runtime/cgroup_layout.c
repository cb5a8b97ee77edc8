#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"
#include "runtime/systemd.h"

static struct cgroup_layout found;
static bool looked;

static void add_directory(int top_fd, const char *name)
{
        struct statfs fs;
        struct stat st;
        if (name[0] == '.' || fstatat(top_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
                return; /* links are second names of joined controllers */
        _cleanup_free_ char *path = xasprintf(CGROUP_TOP "/%s", name);
        if (statfs(path, &fs) < 0)
                return;
        if (fs.f_type == CGROUP2_SUPER_MAGIC && !found.unified) {
                found.unified = TAKE_PTR(path);
        } else if (fs.f_type == CGROUP_SUPER_MAGIC) {
                found.list = xreallocarray(found.list, found.count + 1, sizeof(*found.list));
                found.list[found.count++] = (struct cgroup_hierarchy){ xstrdup(name), TAKE_PTR(path) };
        }
}

static bool has_controllers(const char *unified)
{
        _cleanup_free_ char *line = NULL;
        struct err unused = ERR_INIT;
        _cleanup_free_ char *file = cgroup_file(unified, "", "cgroup.controllers");
        return file_line_at(AT_FDCWD, file, &line, &unused) == 0 && *line;
}

static void look(void)
{
        struct statfs fs;
        int fd = open(CGROUP_TOP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return;
        if (fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
                found.unified = xstrdup(CGROUP_TOP);
                close(fd);
                return;
        }
        _cleanup_closedir_ DIR *dir = fdopendir(fd);
        for (struct dirent *e; dir && (e = readdir(dir));)
                add_directory(fd, e->d_name);
        if (!dir)
                close(fd);
        if (found.count && found.unified)
                found.unified_controls = has_controllers(found.unified);
}

const struct cgroup_layout *cgroup_layout(void)
{
        if (!looked) {
                looked = true;
                look();
        }
        return &found;
}

void cgroup_join_unified(void)
{
        (void)cgroup_layout();
        found.unified_joined = true;
}

const char *cgroup_top_of(const char *controller)
{
        const struct cgroup_layout *l = cgroup_layout();
        size_t len = strlen(controller);
        for (size_t i = 0; i < l->count; i++) {
                const char *name = l->list[i].name;
                for (const char *at = strstr(name, controller); at; at = strstr(at + 1, controller))
                        if ((at == name || at[-1] == ',') && (at[len] == 0 || at[len] == ','))
                                return l->list[i].path;
        }
        return NULL;
}

bool cgroup_supports(const char *controller, const char *v1_file, const char *v2_file)
{
        const struct cgroup_layout *l = cgroup_layout();
        const char *top = cgroup_top_of(controller);
        if (top)
                return cgroup_has(top, "/", v1_file);
        return l->unified && v2_file;
}

void cgroup_layout_set(const struct cgroup_layout *layout)
{
        found = *layout;
        looked = true;
}

bool cgroup_in_user_namespace(void)
{
        _cleanup_free_ char *line = NULL;
        struct err unused = ERR_INIT;
        unsigned a, b, c;
        return file_line_at(AT_FDCWD, "/proc/self/uid_map", &line, &unused) == 0 && sscanf(line, "%u %u %u", &a, &b, &c) == 3 &&
               (a || b || c != UINT32_MAX);
}

char *cgroup_path_clean(const char *path, struct err *err)
{
        _cleanup_strv_ char **parts = strv_split(path, ":", true);
        _cleanup_systemd_scope_ struct systemd_scope scope = { 0 };
        _cleanup_free_ char *absolute = NULL;
        if (path[0] != '/' && strv_len(parts) == 3) {
                if (systemd_scope_parse(path, &scope, err) < 0)
                        return NULL;
                absolute = systemd_scope_path(&scope);
        } else {
                absolute = path[0] == '/' ? xstrdup(path) : xasprintf("/tare/%s", path);
        }
        char *clean = path_clean(absolute);
        if (clean[1] && strlen(clean) < 4000 && !strstr(clean, "/../"))
                return clean;
        free(clean);
        err_set(err, ERR_INVALID, "cgroup path \"%s\"", path);
        return NULL;
}

static int children_add(const char *top, const char *path, char ***names, struct err *err)
{
        _cleanup_free_ char *full = cgroup_file(top, path, "");
        _cleanup_closedir_ DIR *dir = opendir(full);
        if (!dir)
                return errno == ENOENT ? 0 : err_sys(err, "cgroup %s", full);
        for (struct dirent *e; (e = readdir(dir));)
                if (e->d_type == DT_DIR && e->d_name[0] != '.')
                        strv_push(names, e->d_name);
        return 0;
}

/* Sorted, each once. */
static void names_unique(char **names)
{
        size_t kept = 0;
        strv_sort(names);
        for (size_t i = 0; names && names[i]; i++) {
                if (kept && str_eq(names[kept - 1], names[i]))
                        free(names[i]);
                else
                        names[kept++] = names[i];
        }
        if (names)
                names[kept] = NULL;
}

int cgroup_children(const char *path, char ***ret, struct err *err)
{
        const struct cgroup_layout *l = cgroup_layout();
        _cleanup_free_ char *clean = cgroup_path_clean(path, err);
        _cleanup_strv_ char **names = NULL;
        if (!clean)
                return -1;
        for (size_t i = 0; i < l->count; i++)
                if (children_add(l->list[i].path, clean, &names, err) < 0)
                        return -1;
        if (l->unified && children_add(l->unified, clean, &names, err) < 0)
                return -1;
        names_unique(names);
        *ret = TAKE_PTR(names);
        return 0;
}

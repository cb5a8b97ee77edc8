#include "build/copy-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "build/instructions-internal.h"
#include "build/pattern-internal.h"
#include "storage/tree.h"

/* Far beyond any real wildcard. */
#define MATCHES_MAX 100000

static char *link_of(int fd, struct err *err)
{
        char path[FD_PATH_SIZE], target[PATH_MAX + 1];
        ssize_t n = readlink(fd_path(fd, path), target, sizeof(target) - 1);
        if (n < 0 || n == sizeof(target) - 1) {
                err_sysnum(err, n < 0 ? errno : ENAMETOOLONG, "path of a file");
                return NULL;
        }
        return xstrndup(target, (size_t)n);
}

char *tree_path_of(int root_fd, int fd, struct err *err)
{
        _cleanup_free_ char *root = link_of(root_fd, err);
        _cleanup_free_ char *path = root ? link_of(fd, err) : NULL;
        if (!path)
                return NULL;
        const char *rest = str_eq(root, "/") ? path : str_after(path, root);
        if (!rest || (*rest && *rest != '/')) {
                err_set(err, ERR_CONFLICT, "%s was moved out of its tree meanwhile", path);
                return NULL;
        }
        return xstrdup(*rest ? rest : "/");
}

int tree_resolve(int root_fd, const char *path, char **ret, bool *ret_is_dir, struct err *err)
{
        struct stat st;
        _cleanup_close_ int fd = path_open_in(root_fd, path, O_PATH, 0, err);
        if (fd < 0)
                return -1;
        if (fstat(fd, &st) < 0)
                return err_sys(err, "%s", path);
        char *real = tree_path_of(root_fd, fd, err);
        if (!real)
                return -1;
        *ret = real;
        *ret_is_dir = S_ISDIR(st.st_mode);
        return 0;
}

/* --- what is left out --- */

bool copy_filtered(const struct copy_filter *f, const char *path, bool is_dir, bool *ret_prunes)
{
        const char *whole = path + strspn(path, "/"), *rest = str_after(path, f->base);
        rest = rest ? rest + strspn(rest, "/") : "";
        bool ignored = f->ignore && *whole && ignore_matches(f->ignore, whole);
        bool excluded = f->exclude && *rest && ignore_matches(f->exclude, rest);
        *ret_prunes = is_dir &&
                      ((ignored && ignore_prunes(f->ignore, whole)) || (excluded && ignore_prunes(f->exclude, rest)));
        return ignored || excluded;
}

/* --- finding --- */

struct finding {
        struct step *s;
        struct copy *c;
        const struct ignore *ignore;
        int root;
        bool wild;
        size_t found;
};

static struct copy_item *item_new(struct copy *c)
{
        c->items = xreallocarray(c->items, c->item_count + 1, sizeof(*c->items));
        c->items[c->item_count] = (struct copy_item){ 0 };
        return &c->items[c->item_count++];
}

/* 1: taken; 0: not there, or left out. */
static int take(struct finding *f, const char *path, struct err *err)
{
        struct err why = ERR_INIT;
        _cleanup_free_ char *real = NULL;
        bool prunes, is_dir = false;
        if (tree_resolve(f->root, path, &real, &is_dir, &why) < 0) {
                if (why.kind == ERR_NOT_FOUND || why.sys == ENOTDIR || why.sys == ELOOP)
                        return 0;
                *err = why;
                return -1;
        }
        const struct copy_filter filter = { .ignore = f->ignore, .base = real };
        /* The real path is asked: no link leads around .dockerignore. */
        if (copy_filtered(&filter, real, is_dir, &prunes) && (!is_dir || prunes))
                return 0;
        if (++f->found > MATCHES_MAX)
                return err_set(err, ERR_TOO_LARGE, "more than %d sources", MATCHES_MAX);
        struct copy_item *item = item_new(f->c);
        item->path = TAKE_PTR(real);
        item->name = xstrdup(path_name(path));
        item->is_dir = is_dir;
        return 1;
}

static char **names_in(int root, const char *dir)
{
        struct err ignored = ERR_INIT;
        char **names = NULL;
        int fd = path_open_in(root, dir, O_RDONLY | O_DIRECTORY, 0, &ignored);
        _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
        for (struct dirent *e; d && (e = readdir(d));)
                if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
                        strv_push(&names, e->d_name);
        strv_sort(names);
        return names;
}

/* Goes down component by component, so that only directories that can match are read. */
static int find_below(struct finding *f, const char *dir, char *const *parts, struct err *err)
{
        if (!parts || !*parts)
                return take(f, *dir ? dir : "/", err) < 0 ? -1 : 0;
        if (!pattern_is_wild(*parts)) {
                _cleanup_free_ char *path = xasprintf("%s/%s", dir, *parts);
                return find_below(f, path, parts + 1, err);
        }
        f->wild = true;
        _cleanup_(pattern_freep) struct pattern *pattern = NULL;
        if (pattern_compile(*parts, &pattern, err) < 0)
                return -1;
        _cleanup_strv_ char **names = names_in(f->root, *dir ? dir : "/");
        STRV_FOREACH (n, names) {
                if (!pattern_try(pattern, *n).whole)
                        continue;
                _cleanup_free_ char *path = xasprintf("%s/%s", dir, *n);
                if (find_below(f, path, parts + 1, err) < 0)
                        return -1;
        }
        return 0;
}

static int find_word(struct finding *f, const char *word, struct err *err)
{
        /* "../x" means "x": nothing reaches above the tree. */
        _cleanup_free_ char *clean = path_join("/", *word == '/' ? word + 1 : word);
        _cleanup_strv_ char **parts = strv_split(clean, "/", false);
        const char *name = instruction_def(f->s->in->kind)->name;
        f->found = 0;
        f->wild = false;
        if (find_below(f, "", parts, err) < 0)
                return -1;
        if (f->found)
                return 0;
        if (f->wild)
                return err_set(err, ERR_NOT_FOUND, "%s failed: no source files were specified: nothing matches %s",
                               name, word);
        return err_set(err, ERR_NOT_FOUND, "%s failed: file not found in %s: stat %s: file does not exist", name,
                       f->c->from_context ? "build context or excluded by .dockerignore" : f->c->from.name, word);
}

static void take_text(struct copy *c, const char *name, const char *text)
{
        struct copy_item *item = item_new(c);
        item->name = xstrdup(name);
        item->text = xstrdup(text);
}

int copy_resolve(struct step *s, struct copy *c, struct err *err)
{
        struct finding f = { .s = s, .c = c, .ignore = c->from_context ? s->b->ctx.ignore : NULL };
        if (c->from.name && source_open(s->b, &c->from, err) < 0)
                return -1;
        f.root = c->from.fd;
        for (size_t i = 0; c->words[i]; i++) {
                if (c->is_text[i])
                        take_text(c, c->words[i], c->texts[i]);
                else if (find_word(&f, c->words[i], err) < 0)
                        return -1;
        }
        if (c->item_count > 1 && !c->dest_is_dir)
                return err_set(err, ERR_INVALID,
                               "When using %s with more than one source file, the destination must be a directory and "
                               "end with a /",
                               instruction_def(s->in->kind)->name);
        return 0;
}

/* --- digest --- */

bool copy_digest_excluded(void *data, const char *path, bool is_dir)
{
        const struct copy_filter *f = data;
        bool prunes;
        _cleanup_free_ char *whole = xasprintf("%s/%s", str_eq(f->base, "/") ? "" : f->base, path);
        return copy_filtered(f, whole, is_dir, &prunes) && (!is_dir || prunes);
}

static int item_digest(const struct copy *c, const struct copy_item *item, const struct ignore *ignore,
                       char ret[DIGEST_SIZE], struct err *err)
{
        if (item->text) {
                digest_of(item->text, strlen(item->text), ret);
                return 0;
        }
        struct copy_filter filter = { .ignore = ignore, .exclude = c->exclude, .base = item->path };
        bool any = ignore || c->exclude;
        return tree_digest(c->from.fd, item->path, any ? copy_digest_excluded : NULL, &filter, ret, err);
}

int copy_digest(struct copy *c, const struct ignore *ignore, char **ret, struct err *err)
{
        struct cache_key *k = cache_key_new();
        char text[DIGEST_SIZE];
        int r = 0;
        for (size_t i = 0; i < c->item_count && r == 0; i++) {
                const struct copy_item *item = &c->items[i];
                r = item_digest(c, item, ignore, text, err);
                cache_key_add(k, item->name);
                cache_key_add(k, item->is_dir ? "dir" : "file");
                cache_key_add(k, r < 0 ? NULL : text);
        }
        cache_key_final(k, text);
        if (r < 0)
                return -1;
        *ret = xasprintf("%s:%s", c->item_count != 1 ? "multi" : c->items[0].is_dir ? "dir" : "file", digest_hex(text));
        return 0;
}

#include "storage/erofs-tree-internal.h"
#include <string.h>
#include "base/str.h"
#include "storage/keymap-internal.h"

#define SLAB_SIZE ((size_t)256 << 10)

struct slab {
        struct slab *next;
        size_t used, size;
        _Alignas(16) unsigned char bytes[];
};

struct erofs_tree {
        struct slab *slabs;
        struct erofs_node *root;
        struct erofs_node *dirs; /* all ever made, for their tables */
        struct keymap names; /* number of the directory and name, to the place in its table, plus one */
        uint64_t made, next_id; /* names, and numbers of directories */
};

/* Nodes and texts are many and small and go together. */
void *erofs_tree_alloc(struct erofs_tree *t, size_t size)
{
        size = (size + 15) & ~(size_t)15;
        if (!t->slabs || t->slabs->size - t->slabs->used < size) {
                size_t room = size > SLAB_SIZE ? size : SLAB_SIZE;
                struct slab *s = xmalloc(sizeof(*s) + room);
                *s = (struct slab){ .next = t->slabs, .size = room };
                t->slabs = s;
        }
        void *p = t->slabs->bytes + t->slabs->used;
        t->slabs->used += size;
        return p;
}

char *erofs_tree_text(struct erofs_tree *t, const char *text, size_t len)
{
        char *copy = erofs_tree_alloc(t, len + 1);
        memcpy(copy, text, len);
        copy[len] = '\0';
        return copy;
}

static struct erofs_node *node_new(struct erofs_tree *t, mode_t mode)
{
        struct erofs_node *n = erofs_tree_alloc(t, sizeof(*n));
        *n = (struct erofs_node){ .mode = mode };
        if (S_ISDIR(mode)) {
                n->id = t->next_id++;
                n->older = t->dirs;
                t->dirs = n;
        }
        return n;
}

struct erofs_tree *erofs_tree_new(void)
{
        struct erofs_tree *t = xcalloc(1, sizeof(*t));
        keymap_init(&t->names, NULL);
        t->root = node_new(t, S_IFDIR | 0755);
        t->root->parent = t->root;
        t->root->implied = true;
        return t;
}

void erofs_tree_free(struct erofs_tree *t)
{
        if (!t)
                return;
        for (struct erofs_node *d = t->dirs; d; d = d->older)
                free(d->entries);
        keymap_done(&t->names);
        for (struct slab *s = t->slabs, *next; s; s = next) {
                next = s->next;
                free(s);
        }
        free(t);
}

struct erofs_node *erofs_tree_root(struct erofs_tree *t)
{
        return t->root;
}

/* --- names --- */

struct name_key {
        uint64_t id;
        char name[256];
};

/* Length of the key, 0 for a name that cannot be. */
static size_t key_make(struct name_key *key, const struct erofs_node *dir, const char *name)
{
        size_t len = strlen(name);
        if (len == 0 || len >= sizeof(key->name))
                return 0;
        key->id = dir->id;
        memcpy(key->name, name, len);
        return sizeof(key->id) + len;
}

/* Place of a name in its directory's table, plus one; 0: not there. */
static size_t name_find(const struct erofs_tree *t, const struct erofs_node *dir, const char *name)
{
        struct name_key key;
        size_t len = key_make(&key, dir, name);
        return len ? (size_t)(uintptr_t)keymap_get(&t->names, &key, len) : 0;
}

struct erofs_node *erofs_tree_get(struct erofs_tree *t, const struct erofs_node *dir, const char *name)
{
        size_t at = name_find(t, dir, name);
        return at ? dir->entries[at - 1].node : NULL;
}

/* What was below a directory that goes is out of reach: its names stay in the map under its number, which nobody has again. */
void erofs_tree_remove(struct erofs_tree *t, struct erofs_node *dir, const char *name)
{
        size_t at = name_find(t, dir, name);
        if (at)
                dir->entries[at - 1].node = NULL;
}

static void name_set(struct erofs_tree *t, struct erofs_node *dir, const char *name, struct erofs_node *node)
{
        struct name_key key;
        size_t at = name_find(t, dir, name);
        if (at) {
                dir->entries[at - 1].node = node;
                return;
        }
        if (dir->count == dir->cap) {
                dir->cap = dir->cap ? dir->cap * 2 : 8;
                dir->entries = xreallocarray(dir->entries, dir->cap, sizeof(*dir->entries));
        }
        dir->entries[dir->count++] = (struct erofs_entry){ erofs_tree_text(t, name, strlen(name)), node };
        keymap_set(&t->names, &key, key_make(&key, dir, name), (void *)(uintptr_t)dir->count);
}

static int name_check(struct erofs_tree *t, const char *name, struct err *err)
{
        size_t len = strlen(name);
        if (len == 0 || len > 255 || strchr(name, '/') || str_eq(name, ".") || str_eq(name, ".."))
                return err_set(err, ERR_INVALID, "not the name of a file: %.255s", name);
        if (t->made++ >= EROFS_NODES_MAX)
                return err_set(err, ERR_TOO_LARGE, "a layer of more than %llu files", (unsigned long long)EROFS_NODES_MAX);
        return 0;
}

struct erofs_node *erofs_tree_make(struct erofs_tree *t, struct erofs_node *dir, const char *name, mode_t mode, struct err *err)
{
        if (name_check(t, name, err) < 0)
                return NULL;
        struct erofs_node *n = node_new(t, mode);
        n->parent = dir;
        name_set(t, dir, name, n);
        return n;
}

int erofs_tree_link(struct erofs_tree *t, struct erofs_node *dir, const char *name, struct erofs_node *node, struct err *err)
{
        if (S_ISDIR(node->mode))
                return err_set(err, ERR_INVALID, "%s would be a hard link to a directory", name);
        if (name_check(t, name, err) < 0)
                return -1;
        name_set(t, dir, name, node);
        return 0;
}

/* A hash table from byte strings to pointers, for what one archive or one walk must remember (directories, inodes). */
#ifndef TARE_STORAGE_KEYMAP_INTERNAL_H
#define TARE_STORAGE_KEYMAP_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct keymap_entry {
        uint64_t hash;
        char *key;
        size_t len;
        void *value;
};

struct keymap {
        struct keymap_entry *slots; /* a power of two of them; key NULL: free */
        size_t capacity, count;
        uint64_t seed; /* so that no archive can choose names that collide */
        void (*value_free)(void *value); /* NULL: values are not owned */
};

void keymap_init(struct keymap *t, void (*value_free)(void *value));
void keymap_done(struct keymap *t);
#define _cleanup_keymap_ __attribute__((cleanup(keymap_done)))
void *keymap_get(const struct keymap *t, const void *key, size_t len);
/* Copies the key. A former value of that key is freed. */
void keymap_set(struct keymap *t, const void *key, size_t len, void *value);
/* Takes the value out (not freed); NULL when there is none. */
void *keymap_take(struct keymap *t, const void *key, size_t len);

/* A list of names that may grow long: appending costs the same whatever its length. */
struct namelist {
        char **list;
        size_t count, cap;
};
void namelist_add(struct namelist *n, const char *name);
void namelist_done(struct namelist *n);

/* Files by inode, for hard links. */
struct inode_key {
        uint64_t dev, ino;
};
static inline struct inode_key inode_key(const struct stat *st)
{
        return (struct inode_key){ (uint64_t)st->st_dev, (uint64_t)st->st_ino };
}

#endif

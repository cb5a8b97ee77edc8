#include "storage/keymap-internal.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/mem.h"

/* FNV-1a with a random start and a final mix; slots are compared by whole key. */
static uint64_t hash_of(const struct keymap *t, const unsigned char *key, size_t len)
{
        uint64_t h = t->seed ^ UINT64_C(14695981039346656037);
        for (size_t i = 0; i < len; i++)
                h = (h ^ key[i]) * UINT64_C(1099511628211);
        h ^= h >> 32;
        h *= UINT64_C(0xd6e8feb86659fd93);
        return h ^ (h >> 32);
}

void keymap_init(struct keymap *t, void (*value_free)(void *value))
{
        *t = (struct keymap){ .value_free = value_free };
        if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) < 0)
                t->seed = (uintptr_t)t;
}

static void value_drop(const struct keymap *t, void *value)
{
        if (t->value_free && value)
                t->value_free(value);
}

void keymap_done(struct keymap *t)
{
        for (size_t i = 0; i < t->capacity; i++)
                if (t->slots[i].key) {
                        value_drop(t, t->slots[i].value);
                        free(t->slots[i].key);
                }
        free(t->slots);
        t->slots = NULL;
        t->capacity = t->count = 0;
}

/* The slot of the key, or the free one where it would go. */
static struct keymap_entry *slot_find(const struct keymap *t, uint64_t hash, const void *key, size_t len)
{
        for (size_t i = hash & (t->capacity - 1);; i = (i + 1) & (t->capacity - 1)) {
                struct keymap_entry *e = &t->slots[i];
                if (!e->key || (e->hash == hash && e->len == len && memcmp(e->key, key, len) == 0))
                        return e;
        }
}

static void keymap_grow(struct keymap *t)
{
        struct keymap old = *t;
        t->capacity = old.capacity ? old.capacity * 2 : 64;
        t->slots = xcalloc(t->capacity, sizeof(*t->slots));
        for (size_t i = 0; i < old.capacity; i++)
                if (old.slots[i].key)
                        *slot_find(t, old.slots[i].hash, old.slots[i].key, old.slots[i].len) = old.slots[i];
        free(old.slots);
}

void *keymap_get(const struct keymap *t, const void *key, size_t len)
{
        return t->capacity ? slot_find(t, hash_of(t, key, len), key, len)->value : NULL;
}

void keymap_set(struct keymap *t, const void *key, size_t len, void *value)
{
        if (t->count * 2 >= t->capacity)
                keymap_grow(t);
        uint64_t hash = hash_of(t, key, len);
        struct keymap_entry *e = slot_find(t, hash, key, len);
        if (e->key) {
                value_drop(t, e->value);
                e->value = value;
                return;
        }
        char *copy = xmalloc(len + 1);
        memcpy(copy, key, len);
        copy[len] = '\0';
        *e = (struct keymap_entry){ hash, copy, len, value };
        t->count++;
}

/* The key stays, with no value: removing it would break the chains of those that were pushed on by it. */
void *keymap_take(struct keymap *t, const void *key, size_t len)
{
        if (!t->capacity)
                return NULL;
        struct keymap_entry *e = slot_find(t, hash_of(t, key, len), key, len);
        return e->key ? TAKE_PTR(e->value) : NULL;
}

void namelist_add(struct namelist *n, const char *name)
{
        if (n->count == n->cap) {
                n->cap = n->cap ? n->cap * 2 : 32;
                n->list = xreallocarray(n->list, n->cap, sizeof(*n->list));
        }
        n->list[n->count++] = xstrdup(name);
}

void namelist_done(struct namelist *n)
{
        for (size_t i = 0; i < n->count; i++)
                free(n->list[i]);
        free(n->list);
        *n = (struct namelist){ 0 };
}

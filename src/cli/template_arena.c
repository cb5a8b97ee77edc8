#include <string.h>

#include "cli/template-internal.h"

struct arena_block {
        struct arena_block *next;
        json_t *json;
        _Alignas(16) char data[];
};

static struct arena_block *block_new(struct arena *a, size_t size)
{
        struct arena_block *block = xcalloc(1, sizeof(*block) + size);
        block->next = a->blocks;
        a->blocks = block;
        return block;
}

void *arena_alloc(struct arena *a, size_t size)
{
        return block_new(a, size)->data;
}

char *arena_copy(struct arena *a, const char *s, size_t len)
{
        char *copy = arena_alloc(a, len + 1);
        if (len > 0)
                memcpy(copy, s, len);
        return copy;
}

json_t *arena_keep(struct arena *a, json_t *j)
{
        block_new(a, 0)->json = j;
        return j;
}

void arena_done(struct arena *a)
{
        while (a->blocks) {
                struct arena_block *block = a->blocks;
                a->blocks = block->next;
                json_decref(block->json);
                free(block);
        }
}

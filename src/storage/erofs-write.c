#include "storage/erofs-write-internal.h"
#include <endian.h>
#include <errno.h>
#include <string.h>
#include "base/fd.h"
#include "base/str.h"
#include "storage/erofs-format-internal.h"

#define BLOCK_MAX 4096
#define OUT_SIZE ((size_t)256 << 10)
#define DEVICES_AT (EROFS_SUPER_AT + sizeof(struct erofs_super))
#define INODES_AT (DEVICES_AT + (EROFS_BACKINGS - 1) * EROFS_DEVICE_SIZE)

struct writer {
        struct erofs_tree *tree;
        const struct erofs_image *image;
        struct erofs_node *first, **last;
        uint32_t block_size, inodes, meta_blocks, blocks; /* blocks: of the whole image */
        uint32_t backing_at[EROFS_BACKINGS];
        int fd;
        unsigned char *out;
        size_t out_len;
        uint64_t written;
};

/* --- order: the files of a directory side by side, and directories after their parents --- */

static int entry_compare(const void *a, const void *b)
{
        const struct erofs_entry *x = a, *y = b;
        return strcmp(x->name, y->name);
}

static void dir_sort(struct erofs_node *d)
{
        size_t kept = 0;
        for (size_t i = 0; i < d->count; i++)
                if (d->entries[i].node)
                        d->entries[kept++] = d->entries[i];
        d->entries = xreallocarray(d->entries, kept + 2, sizeof(*d->entries));
        d->entries[kept++] = (struct erofs_entry){ (char *)".", d };
        d->entries[kept++] = (struct erofs_entry){ (char *)"..", d->parent };
        d->count = d->cap = kept;
        qsort(d->entries, kept, sizeof(*d->entries), entry_compare);
}

static void node_append(struct writer *w, struct erofs_node *n)
{
        n->nlink++;
        if (n->placed)
                return;
        n->placed = true;
        n->ino = ++w->inodes;
        *w->last = n;
        w->last = &n->next;
        n->next = NULL;
}

static void tree_order(struct writer *w)
{
        struct erofs_node **stack = xmalloc(sizeof(*stack)), *root = erofs_tree_root(w->tree);
        size_t depth = 1, cap = 1;
        stack[0] = root;
        w->last = &w->first;
        node_append(w, root);
        root->nlink = 0;
        while (depth > 0) {
                struct erofs_node *d = stack[--depth];
                dir_sort(d);
                for (size_t i = 0; i < d->count; i++)
                        node_append(w, d->entries[i].node);
                for (size_t i = d->count; i-- > 0;) {
                        struct erofs_node *child = d->entries[i].node;
                        if (!S_ISDIR(child->mode) || child == d || child == d->parent)
                                continue;
                        if (depth == cap)
                                stack = xreallocarray(stack, cap *= 2, sizeof(struct erofs_node *));
                        stack[depth++] = child;
                }
        }
        free(stack);
}

/* --- places --- */

/* Bytes of the directory block that begins with entry `from`; *ret_next: the entry after it. */
static uint32_t dir_block_size(const struct writer *w, const struct erofs_node *d, size_t from, size_t *ret_next)
{
        size_t used = 0, i = from;
        for (; i < d->count; i++) {
                size_t more = sizeof(struct erofs_dirent) + strlen(d->entries[i].name);
                if (used + more > w->block_size)
                        break;
                used += more;
        }
        *ret_next = i;
        return (uint32_t)used;
}

static void dir_measure(const struct writer *w, struct erofs_node *d)
{
        d->bytes = 0;
        for (size_t i = 0, next; i < d->count; i = next) {
                uint32_t used = dir_block_size(w, d, i, &next);
                d->tail_entry = i;
                d->bytes += next < d->count ? w->block_size : used;
        }
}

/* Where the inode goes: neither it nor the tail behind it may be cut by the end of a block. */
static uint64_t inode_place(const struct writer *w, const struct erofs_node *n, uint64_t at)
{
        const uint64_t mask = w->block_size - 1, slot = 1 << EROFS_NID_SHIFT;
        at = (at + slot - 1) & ~(slot - 1);
        while ((at & mask) + sizeof(struct erofs_inode) > w->block_size ||
               ((at + sizeof(struct erofs_inode) + n->xattr_bytes) & mask) + n->tail > w->block_size)
                at += slot;
        return at;
}

static uint64_t node_blocks(const struct writer *w, const struct erofs_node *n)
{
        return (n->bytes - n->tail + w->block_size - 1) / w->block_size;
}

/* What an inode brings with it: the text of a link, the names of a directory. Short ends lie behind the inode. */
static void node_measure(const struct writer *w, struct erofs_node *n)
{
        if (S_ISDIR(n->mode))
                dir_measure(w, n);
        else
                n->bytes = S_ISLNK(n->mode) ? strlen(n->target) : 0;
        n->tail = (uint32_t)(n->bytes % w->block_size);
        if (n->tail > w->block_size / 2)
                n->tail = 0;
}

static int backings_place(struct writer *w, uint64_t blocks, struct err *err)
{
        for (size_t i = 0; i < EROFS_BACKINGS; i++) {
                uint64_t count = w->image->sizes[i] / w->block_size + (w->image->sizes[i] % w->block_size > 0);
                if (blocks > UINT32_MAX || count > UINT32_MAX - blocks)
                        return err_set(err, ERR_TOO_LARGE, "a layer of more than %llu bytes",
                                       (unsigned long long)UINT32_MAX * w->block_size);
                w->backing_at[i] = (uint32_t)blocks;
                blocks += count;
        }
        return 0;
}

static int tree_place(struct writer *w, struct err *err)
{
        uint64_t at = INODES_AT, blocks;
        if (at < w->block_size)
                at = w->block_size;
        for (struct erofs_node *n = w->first; n; n = n->next) {
                node_measure(w, n);
                at = inode_place(w, n, at);
                n->nid = at >> EROFS_NID_SHIFT;
                at += sizeof(struct erofs_inode) + n->xattr_bytes + n->tail;
        }
        blocks = (at + w->block_size - 1) / w->block_size;
        w->meta_blocks = (uint32_t)blocks;
        for (struct erofs_node *n = w->first; n && blocks < UINT32_MAX; n = n->next) {
                n->block = (uint32_t)blocks;
                blocks += node_blocks(w, n);
        }
        if (backings_place(w, blocks, err) < 0)
                return -1;
        w->blocks = (uint32_t)blocks;
        return 0;
}

/* --- bytes --- */

static int out_flush(struct writer *w, struct err *err)
{
        if (fd_write_full(w->fd, w->out, w->out_len) < 0)
                return err_sys(err, "write the index of a layer");
        w->out_len = 0;
        return 0;
}

/* data NULL: zeros. */
static int out_add(struct writer *w, const void *data, uint64_t len, struct err *err)
{
        for (const unsigned char *at = data; len > 0;) {
                size_t part = OUT_SIZE - w->out_len < len ? OUT_SIZE - w->out_len : (size_t)len;
                if (at)
                        memcpy(w->out + w->out_len, at, part);
                else
                        memset(w->out + w->out_len, 0, part);
                w->out_len += part;
                w->written += part;
                at = at ? at + part : NULL;
                len -= part;
                if (w->out_len == OUT_SIZE && out_flush(w, err) < 0)
                        return -1;
        }
        return 0;
}

static int out_until(struct writer *w, uint64_t offset, struct err *err)
{
        return out_add(w, NULL, offset - w->written, err);
}

static int super_write(struct writer *w, struct err *err)
{
        const struct erofs_image *im = w->image;
        struct erofs_super s = {
                .magic = htole32(EROFS_MAGIC),
                .compat = htole32(EROFS_COMPAT_MTIME),
                .block_bits = (uint8_t)im->block_bits,
                .root_nid = htole16((uint16_t)w->first->nid),
                .inodes = htole64(w->inodes),
                .blocks = htole32(w->blocks),
                .device_slot = htole16(DEVICES_AT / EROFS_DEVICE_SIZE),
        };
        struct erofs_device slots[EROFS_BACKINGS - 1] = { 0 };
        uint16_t count = 0;
        for (size_t i = EROFS_NOWHERE + 1; i < EROFS_BACKINGS; i++)
                if (im->sizes[i]) {
                        uint64_t blocks = im->sizes[i] / w->block_size + (im->sizes[i] % w->block_size > 0);
                        slots[count].blocks = htole32((uint32_t)blocks);
                        slots[count++].first_block = htole32(w->backing_at[i]);
                }
        s.devices = htole16(count);
        s.incompat = htole32(count ? EROFS_INCOMPAT_DEVICES : 0);
        if (out_until(w, EROFS_SUPER_AT, err) < 0 || out_add(w, &s, sizeof(s), err) < 0)
                return -1;
        return out_add(w, slots, sizeof(slots), err);
}

static uint8_t dirent_type(mode_t mode)
{
        static const struct {
                mode_t mode;
                uint8_t type;
        } types[] = { { S_IFREG, 1 }, { S_IFDIR, 2 }, { S_IFCHR, 3 }, { S_IFBLK, 4 }, { S_IFIFO, 5 }, { S_IFSOCK, 6 }, { S_IFLNK, 7 } };
        for (size_t i = 0; i < ELEMENTS(types); i++)
                if ((mode & S_IFMT) == types[i].mode)
                        return types[i].type;
        return 0;
}

static void dir_block_fill(const struct erofs_node *d, size_t from, size_t to, unsigned char *block)
{
        struct erofs_dirent e = { 0 };
        size_t names = (to - from) * sizeof(e);
        for (size_t i = from; i < to; i++) {
                const struct erofs_entry *entry = &d->entries[i];
                size_t len = strlen(entry->name);
                e.nid = htole64(entry->node->nid);
                e.name_at = htole16((uint16_t)names);
                e.type = dirent_type(entry->node->mode);
                memcpy(block + (i - from) * sizeof(e), &e, sizeof(e));
                memcpy(block + names, entry->name, len);
                names += len;
        }
}

static uint32_t inode_where(const struct writer *w, const struct erofs_node *n)
{
        if (S_ISCHR(n->mode) || S_ISBLK(n->mode))
                return (n->minor & 0xff) | (n->major << 8) | ((n->minor & ~0xffu) << 12);
        if (S_ISREG(n->mode))
                return n->size ? w->backing_at[n->backing] + (uint32_t)(n->offset / w->block_size) : 0;
        return n->block;
}

static int inode_write(struct writer *w, const struct erofs_node *n, struct err *err)
{
        unsigned char block[BLOCK_MAX] = { 0 };
        const struct erofs_inode i = {
                .format = htole16(EROFS_FORMAT(n->tail ? EROFS_FLAT_INLINE : EROFS_FLAT_PLAIN)),
                .xattr_count = htole16((uint16_t)(n->xattr_bytes ? (n->xattr_bytes - sizeof(struct erofs_xattr_head)) / 4 + 1 : 0)),
                .mode = htole16((uint16_t)n->mode),
                .size = htole64(S_ISREG(n->mode) ? n->size : n->bytes),
                .where = htole32(inode_where(w, n)),
                .ino = htole32(n->ino),
                .uid = htole32(n->uid),
                .gid = htole32(n->gid),
                .mtime = htole64((uint64_t)n->mtime),
                .mtime_nsec = htole32(n->mtime_nsec),
                .nlink = htole32(n->nlink),
        };
        if (out_until(w, n->nid << EROFS_NID_SHIFT, err) < 0 || out_add(w, &i, sizeof(i), err) < 0)
                return -1;
        if (n->xattr_bytes) {
                _cleanup_free_ unsigned char *xattrs = xmalloc(n->xattr_bytes);
                erofs_xattr_encode(n, xattrs);
                if (out_add(w, xattrs, n->xattr_bytes, err) < 0)
                        return -1;
        }
        if (S_ISLNK(n->mode))
                return out_add(w, n->target + (n->bytes - n->tail), n->tail, err);
        if (n->tail)
                dir_block_fill(n, n->tail_entry, n->count, block);
        return out_add(w, block, n->tail, err);
}

static int dir_blocks_write(struct writer *w, const struct erofs_node *d, struct err *err)
{
        for (size_t i = 0, next; i < (d->tail ? d->tail_entry : d->count); i = next) {
                unsigned char block[BLOCK_MAX] = { 0 };
                dir_block_size(w, d, i, &next);
                dir_block_fill(d, i, next, block);
                if (out_add(w, block, w->block_size, err) < 0)
                        return -1;
        }
        return 0;
}

static int node_blocks_write(struct writer *w, const struct erofs_node *n, struct err *err)
{
        uint64_t end = ((uint64_t)n->block + node_blocks(w, n)) * w->block_size;
        if (S_ISDIR(n->mode) && dir_blocks_write(w, n, err) < 0)
                return -1;
        if (S_ISLNK(n->mode) && out_add(w, n->target, n->bytes - n->tail, err) < 0)
                return -1;
        return out_until(w, end, err);
}

static int image_write(struct writer *w, struct err *err)
{
        if (super_write(w, err) < 0)
                return -1;
        for (const struct erofs_node *n = w->first; n; n = n->next)
                if (inode_write(w, n, err) < 0)
                        return -1;
        if (out_until(w, (uint64_t)w->meta_blocks * w->block_size, err) < 0)
                return -1;
        for (const struct erofs_node *n = w->first; n; n = n->next)
                if (node_blocks_write(w, n, err) < 0)
                        return -1;
        return out_flush(w, err);
}

int erofs_write(struct erofs_tree *t, const struct erofs_image *image, int fd, struct err *err)
{
        _cleanup_free_ unsigned char *out = xmalloc(OUT_SIZE);
        struct writer w = { .tree = t, .image = image, .block_size = 1u << image->block_bits, .fd = fd, .out = out };
        if (w.block_size < 512 || w.block_size > BLOCK_MAX)
                return err_set(err, ERR_INVALID, "blocks of %u bytes", w.block_size);
        tree_order(&w);
        return tree_place(&w, err) < 0 ? -1 : image_write(&w, err);
}

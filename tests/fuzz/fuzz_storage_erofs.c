/* Archives into EROFS indexes: whatever the bytes, the index is one that a reader can follow everywhere without leaving the files. */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "storage/erofs-format-internal.h"
#include "storage/layer.h"
#include "storage/snapshot-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BLOCK 512u
static char box[] = "/dev/shm/tare-fuzz-XXXXXX";
/* No probe, and so no need of a kernel that mounts it. */
static struct snapshots store = { .driver = &snapshot_erofs, .dir = box, .dir_fd = -1 };

static void box_remove(void)
{
        struct err err = ERR_INIT;
        tree_remove_at(AT_FDCWD, box, &err);
}

static void setup(void)
{
        static const char *const folders[] = { "layers", "staging", "roots", "trash" };
        if (!mkdtemp(box) || (store.dir_fd = open(box, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                abort();
        atexit(box_remove);
        for (size_t i = 0; i < 4; i++)
                if (mkdirat(store.dir_fd, folders[i], 0700) < 0)
                        abort();
}

#define must(condition)                                                                                                \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "index: not %s\n", #condition);                                               \
                        abort();                                                                                       \
                }                                                                                                      \
        } while (0)

struct image {
        unsigned char *bytes;
        uint64_t size, end; /* end: of index and backing files, in blocks */
        uint64_t inodes;
};

static const struct erofs_inode *inode_at(const struct image *im, uint64_t nid)
{
        must(nid < im->size >> EROFS_NID_SHIFT && (nid << EROFS_NID_SHIFT) + sizeof(struct erofs_inode) <= im->size);
        const struct erofs_inode *i = (const void *)(im->bytes + (nid << EROFS_NID_SHIFT));
        must(le16toh(i->format) == EROFS_FORMAT(EROFS_FLAT_PLAIN) || le16toh(i->format) == EROFS_FORMAT(EROFS_FLAT_INLINE));
        return i;
}

static uint64_t xattrs_check(const struct image *im, uint64_t at, const struct erofs_inode *i)
{
        uint64_t size = i->xattr_count ? sizeof(struct erofs_xattr_head) + (le16toh(i->xattr_count) - 1u) * 4u : 0, end = at + size;
        must(end <= im->size);
        for (at += size ? sizeof(struct erofs_xattr_head) : 0; at < end;) {
                const struct erofs_xattr_entry *e = (const void *)(im->bytes + at);
                must(end - at >= sizeof(*e) && e->prefix >= 1 && e->prefix <= 6);
                uint64_t all = (sizeof(*e) + e->name_len + le16toh(e->value_len) + 3u) & ~(uint64_t)3;
                must(all <= end - at);
                at += all;
        }
        return end;
}

/* `len` bytes of content from block or tail; NULL: not in the index. */
static const unsigned char *content_at(const struct image *im, const struct erofs_inode *i, uint64_t tail_at, uint64_t from, uint64_t len)
{
        uint64_t size = le64toh(i->size), tail = le16toh(i->format) == EROFS_FORMAT(EROFS_FLAT_INLINE) ? size % BLOCK : 0;
        uint64_t at = from < size - tail ? (uint64_t)le32toh(i->where) * BLOCK + from : tail_at + (from - (size - tail));
        must(at + len <= im->size);
        must(!tail || tail_at % BLOCK + tail <= BLOCK);
        return im->bytes + at;
}

static void dir_check(struct image *im, uint64_t nid, uint64_t parent, unsigned depth);

static void node_check(struct image *im, uint64_t nid, uint64_t parent, unsigned type, unsigned depth)
{
        static const mode_t modes[] = { 0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK };
        const struct erofs_inode *i = inode_at(im, nid);
        uint64_t size = le64toh(i->size), tail_at = xattrs_check(im, (nid << EROFS_NID_SHIFT) + sizeof(*i), i);
        mode_t mode = le16toh(i->mode);
        must(type < 8 && (mode & S_IFMT) == modes[type] && i->nlink != 0);
        if (S_ISDIR(mode))
                dir_check(im, nid, parent, depth + 1);
        else if (S_ISLNK(mode))
                must(size > 0 && size < 4096 && !memchr(content_at(im, i, tail_at, 0, 1), 0, 1));
        else if (S_ISREG(mode))
                must(size == 0 || (le32toh(i->where) >= im->size / BLOCK && (size + BLOCK - 1) / BLOCK <= im->end - le32toh(i->where)));
        else
                must(size == 0);
}

static int name_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
        int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
        return order ? order : a_len < b_len ? -1 : a_len > b_len;
}

static void dir_check(struct image *im, uint64_t nid, uint64_t parent, unsigned depth)
{
        const struct erofs_inode *i = inode_at(im, nid);
        uint64_t size = le64toh(i->size), tail_at = xattrs_check(im, (nid << EROFS_NID_SHIFT) + sizeof(*i), i);
        const char *last = "";
        size_t last_len = 0;
        unsigned dots = 0;
        must(depth < 4096);
        for (uint64_t from = 0; from < size; from += BLOCK) {
                uint64_t len = size - from < BLOCK ? size - from : BLOCK;
                const unsigned char *block = content_at(im, i, tail_at, from, len);
                const struct erofs_dirent *e = (const void *)block;
                unsigned count = le16toh(e->name_at) / (unsigned)sizeof(*e);
                must(count > 0 && count * sizeof(*e) <= len);
                for (unsigned k = 0; k < count; k++) {
                        size_t at = le16toh(e[k].name_at), end = k + 1 < count ? le16toh(e[k + 1].name_at) : len;
                        must(at < end && end <= len);
                        const char *name = (const char *)block + at;
                        size_t name_len = strnlen(name, end - at);
                        must(name_len > 0 && name_len <= EROFS_NAME_LENGTH && !memchr(name, '/', name_len));
                        must(name_compare(last, last_len, name, name_len) < 0);
                        last = name;
                        last_len = name_len;
                        uint64_t child = le64toh(e[k].nid);
                        bool self = name_len == 1 && name[0] == '.', up = name_len == 2 && memcmp(name, "..", 2) == 0;
                        dots += self || up;
                        must(!self || child == nid);
                        must(!up || child == parent);
                        if (!self && !up)
                                node_check(im, child, nid, e[k].type, depth);
                }
        }
        must(dots == 2);
}

static void index_check(const char *chain_id)
{
        struct stat st;
        char name[LAYER_NAME_SIZE];
        struct err err = ERR_INIT;
        must(layer_name(chain_id, name, &err) == 0);
        _cleanup_free_ char *path = xasprintf("%s/%s/index", box, name);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        must(fd >= 0 && fstat(fd, &st) == 0 && st.st_size % BLOCK == 0 && st.st_size >= EROFS_SUPER_AT + (off_t)BLOCK);
        _cleanup_free_ unsigned char *bytes = xmalloc((size_t)st.st_size);
        must(read(fd, bytes, (size_t)st.st_size) == st.st_size);
        const struct erofs_super *s = (const void *)(bytes + EROFS_SUPER_AT);
        const struct erofs_device *d = (const void *)(bytes + le16toh(s->device_slot) * EROFS_DEVICE_SIZE);
        struct image im = { .bytes = bytes, .size = (uint64_t)st.st_size, .end = le32toh(s->blocks) };
        must(le32toh(s->magic) == EROFS_MAGIC && im.end * BLOCK == im.size && le16toh(s->devices) <= 2);
        for (unsigned i = 0; i < le16toh(s->devices); i++) {
                must(le32toh(d[i].first_block) == im.end);
                im.end += le32toh(d[i].blocks);
        }
        dir_check(&im, le16toh(s->root_nid), le16toh(s->root_nid), 0);
}

static int staging_fill(struct layer_staging *l, const uint8_t *data, size_t size, char id[DIGEST_SIZE], uint64_t *bytes)
{
        const struct layer_limits limits = { .max_bytes = 1 << 20, .max_files = 500 };
        struct err err = ERR_INIT;
        _cleanup_(layer_unpack_freep) struct layer_unpack *u = NULL;
        if (layer_unpack_begin(l, COMPRESSION_UNKNOWN, NULL, &limits, &u, &err) < 0)
                abort();
        if (layer_unpack_write(u, data, size, &err) < 0)
                return -1;
        return layer_unpack_finish(u, id, bytes, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char id[DIGEST_SIZE];
        uint64_t bytes = 0;
        struct err err = ERR_INIT;
        _cleanup_(layer_abortp) struct layer_staging *l = NULL;
        if (store.dir_fd < 0)
                setup();
        if (layer_begin(&store, NULL, &l, &err) < 0)
                abort();
        layer_derived(l);
        if (staging_fill(l, data, size, id, &bytes) < 0 || layer_commit(l, id, bytes, &err) < 0)
                return 0;
        index_check(id);
        if (layer_remove(&store, id, &err) < 0)
                abort();
        return 0;
}

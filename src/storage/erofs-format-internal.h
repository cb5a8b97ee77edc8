/* EROFS as it lies on disk, as far as an index needs it: Linux Documentation/filesystems/erofs.rst. All numbers are little endian.
 *
 * An index has blocks of 512 bytes, since that is how a tar aligns what it holds, and no file content of its own: a device table names
 * other files, whose blocks follow those of the index in one address space. Inodes are extended and flat. */
#ifndef TARE_STORAGE_EROFS_FORMAT_INTERNAL_H
#define TARE_STORAGE_EROFS_FORMAT_INTERNAL_H

#include <stdint.h>

#define EROFS_SUPER_AT 1024 /* bytes from the beginning */
#define EROFS_MAGIC 0xe0f5e1e2u
#define EROFS_COMPAT_SUM 0x1u /* the super block has a checksum */
#define EROFS_COMPAT_MTIME 0x2u
#define EROFS_INCOMPAT_DEVICES 0x8u
#define EROFS_NAME_LENGTH 255
#define EROFS_NID_SHIFT 5 /* an inode's number is its place in the metadata in units of 32 bytes */
#define EROFS_DEVICE_SIZE 128

struct erofs_super {
        uint32_t magic, checksum, compat;
        uint8_t block_bits, extension_slots;
        uint16_t root_nid;
        uint64_t inodes, time;
        uint32_t time_nsec, blocks, meta_block, xattr_block;
        uint8_t uuid[16], volume[16];
        uint32_t incompat;
        uint16_t algorithms, devices, device_slot; /* slot: in units of EROFS_DEVICE_SIZE bytes */
        uint8_t dir_bits, prefix_count;
        uint32_t prefix_start;
        uint64_t packed_nid;
        uint8_t reserved[24];
} __attribute__((packed));

struct erofs_device {
        uint8_t tag[64];
        uint32_t blocks, first_block;
        uint8_t reserved[56];
} __attribute__((packed));

enum { EROFS_FLAT_PLAIN = 0, EROFS_FLAT_INLINE = 2 };
#define EROFS_FORMAT(layout) ((uint16_t)(((layout) << 1) | 1)) /* of an extended inode */

struct erofs_inode {
        uint16_t format, xattr_count, mode, reserved;
        uint64_t size;
        uint32_t where; /* first block, or the device number */
        uint32_t ino, uid, gid;
        uint64_t mtime;
        uint32_t mtime_nsec, nlink;
        uint8_t reserved2[16];
} __attribute__((packed));

/* Attributes follow their inode: a head, then entries of 4 bytes, name without its prefix, value, each padded to 4 bytes. The inode counts
 * them in units of 4 bytes, the head (12 bytes) as one. */
struct erofs_xattr_head {
        uint32_t filter;
        uint8_t shared, reserved[7];
} __attribute__((packed));

struct erofs_xattr_entry {
        uint8_t name_len, prefix;
        uint16_t value_len;
} __attribute__((packed));

enum {
        EROFS_PREFIX_USER = 1,
        EROFS_PREFIX_ACL_ACCESS,
        EROFS_PREFIX_ACL_DEFAULT,
        EROFS_PREFIX_TRUSTED,
        EROFS_PREFIX_SECURITY = 6,
};

/* A directory block: entries, then their names without NUL, in the same order. Names are sorted through all blocks. */
struct erofs_dirent {
        uint64_t nid;
        uint16_t name_at;
        uint8_t type, reserved;
} __attribute__((packed));

_Static_assert(sizeof(struct erofs_super) == 128, "super block");
_Static_assert(sizeof(struct erofs_device) == EROFS_DEVICE_SIZE, "device slot");
_Static_assert(sizeof(struct erofs_inode) == 64, "inode");
_Static_assert(sizeof(struct erofs_xattr_head) == 12, "attributes");
_Static_assert(sizeof(struct erofs_dirent) == 12, "directory entry");

#endif

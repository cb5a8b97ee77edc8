/* What the storage tests share: a data root that is removed afterwards, archives made by libarchive, and trees as text. */
#ifndef TARE_TESTS_STORAGE_HARNESS_H
#define TARE_TESTS_STORAGE_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "storage/layer.h"
#include "storage/storage.h"

extern struct err err; /* cleared before each test */
/* Fails with the message. */
#define assert_ok(expr)                                                                                                \
        do {                                                                                                           \
                if ((expr) < 0)                                                                                        \
                        fail_msg("%s: %s", #expr, err.msg);                                                            \
        } while (0)
#define assert_err(expr, wanted)                                                                                       \
        do {                                                                                                           \
                err_clear(&err);                                                                                       \
                assert_int_equal((expr), -1);                                                                          \
                assert_int_equal(err.kind, (wanted));                                                                  \
        } while (0)

/* A new empty directory, remembered; sandbox_clean() removes all of them. */
const char *sandbox(void);
int sandbox_setup(void **state);
int sandbox_teardown(void **state);

/* An archive being made. */
struct tar {
        struct archive *a;
        char *bytes;
        size_t len, cap;
};
struct tar *tar_new(void);
struct tar *tar_new_format(int format);
/* type: 'f' file (text is the content), 'd', 'l' link to text, 'h' hard link to text, 'c', 'b' (major 7, minor 8), 'p' */
void tar_add(struct tar *t, char type, const char *name, const char *text, unsigned mode);
/* As above with everything; NULL xattr: none. */
struct tar_item {
        char type;
        const char *name, *text;
        size_t text_len;
        unsigned mode;
        int64_t uid, gid, mtime;
        long mtime_ns;
        unsigned major, minor;
        const char *xattr, *value;
        size_t value_len;
};
void tar_item(struct tar *t, const struct tar_item *item);
/* Ends it; the bytes stay until tar_free. */
void tar_end(struct tar *t);
void tar_free(struct tar *t);

/* The tree as text, a line an entry: path, type, mode, owner, size, time, links, target or digest, attributes. */
char *tree_text(int root_fd, bool with_times);
/* One line's worth: the file's content as text, NULL when there is no such file. */
char *file_text(int root_fd, const char *path);
bool there(int root_fd, const char *path);
int memory_file(const void *data, size_t len);

/* Unpacks and commits; returns the chain id (heap). */
char *layer_put(struct snapshots *s, const char *parent, struct tar *t);
/* Unpacks only; -1 with err. */
int unpack_try(struct snapshots *s, const void *data, size_t len, const struct layer_limits *limits);
/* A read-only look at what the chain makes together. */
int chain_open(struct snapshots *s, char *const *chain);

#endif

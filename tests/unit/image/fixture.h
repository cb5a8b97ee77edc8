/* A store of its own for each test, images made of a few files, and a registry in a process of its own. */
#ifndef TARE_TESTS_UNIT_IMAGE_FIXTURE_H
#define TARE_TESTS_UNIT_IMAGE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/str.h"
#include "image/archive.h"
#include "image/images.h"
#include "image/transfer.h"
#include "storage/layer.h"

#define OK(call)                                                                                                       \
        do {                                                                                                           \
                struct err err = ERR_INIT;                                                                             \
                if ((call) < 0)                                                                                        \
                        fail_msg("%s: %s", #call, err.msg);                                                            \
        } while (0)

#define FAILS(call, expected, words)                                                                                   \
        do {                                                                                                           \
                struct err err = ERR_INIT;                                                                             \
                assert_int_equal((call), -1);                                                                          \
                if (err.kind != (expected) || !strstr(err.msg, (words)))                                               \
                        fail_msg("%s: kind %d: %s", #call, err.kind, err.msg);                                         \
        } while (0)

struct fixture {
        char *dir; /* holds the data root and the database */
        struct storage *st;
        struct db *db;
};
void fixture_open(struct fixture *s, const char *dir); /* an existing directory */
void fixture_new(struct fixture *s);
void fixture_close(struct fixture *s); /* keeps the directory */
void fixture_done(struct fixture *s);
/* Blobs and layers on disk. */
unsigned fixture_blobs(struct fixture *s);
unsigned fixture_layers(struct fixture *s);
/* Every row's content is there, readable and of the right digest. */
void fixture_check(struct fixture *s);

/* A tar in memory. */
void tar_file(struct buf *tar, const char *name, const void *content, size_t len);
void tar_link(struct buf *tar, const char *name, const char *target);
void tar_end(struct buf *tar);
/* A descriptor to read the bytes from: a pipe where they come as from `docker save | ...`. */
int bytes_fd(const void *data, size_t len);
int bytes_pipe(const void *data, size_t len, pid_t *ret_writer);
void writer_wait(pid_t pid);

struct reference ref(const char *text);
/* An image whose layer n has the one file "n" with contents[n]; equal leading contents are shared layers. name, parent: or NULL. */
struct spec {
        const char *name, *parent, *const *contents, *label, *platform;
        bool intermediate;
        enum compression compression;
        int64_t created; /* seconds */
};
void make(struct fixture *s, const struct spec *spec, struct image *ret);
#define MAKE(s, ret, image_name, ...)                                                                                  \
        make((s), &(struct spec){ .name = (image_name), .contents = (const char *const[]){ __VA_ARGS__, NULL } }, (ret))

/* The told lines of removals and loads. */
struct told {
        char **lines;
};
void told_line(void *data, const char *line);
bool told_has(const struct told *t, const char *start);

/* tare-registry on a port the system chose, over `dir`. */
struct server {
        pid_t pid;
        int stop;
        char domain[32];
};
void server_start(struct server *s, const char *dir);
void server_stop(struct server *s);

#endif

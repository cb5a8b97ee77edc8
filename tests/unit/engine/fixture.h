/* An engine on folders of its own, and containers that exist only as rows. */
#ifndef TARE_TESTS_UNIT_ENGINE_FIXTURE_H
#define TARE_TESTS_UNIT_ENGINE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine-internal.h"

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
        char *dir;                     /* holds root/ and run/ */
        struct engine *e;
};
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Sixty-four times the digit, as an id. */
void id_of(char digit, char ret[65]);
/* A row named `name`; what the caller set in c stays, the rest is filled in. c->id must be set. */
void row_put(struct fixture *f, struct container *c, const char *name);
/* The same with nothing set. */
void row_plain(struct fixture *f, char digit, const char *name);
/* Makes the row and a run directory say that it runs; the descriptor returned stands for its monitor until it is closed. */
int running_make(struct fixture *f, const struct container *c, pid_t pid);
/* Writes a whole file below the fixture's folder, making its parents. */
void file_put(struct fixture *f, const char *path, const char *content);
bool file_there(struct fixture *f, const char *path);

#endif

/* A busybox root and small containers for the tests: each runs as root and leaves nothing behind. */
#ifndef TEST_RUNTIME_HARNESS_H
#define TEST_RUNTIME_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "runtime/container.h"
#include "runtime/security.h"

extern char harness_dir[];             /* scratch; "<dir>/root" is the busybox root, "<dir>/cache" the filter cache */

int harness_setup(void **state);
int harness_teardown(void **state);

/* Fails the test with the message of err unless r is 0 or more. */
void must(int r, const struct err *err);

/* A container: its spec (docker's defaults) and request, to be changed before it runs. */
struct box {
        struct oci_spec spec;
        struct runtime_create request;
        struct oci_mount rootfs;
        char *id;
        char output[65536];            /* stdout and stderr */
        int status;                    /* exit code, or 128 + signal */
};
/* command: run by "sh -c". The root is an overlay on the busybox root. */
void box_init(struct box *b, const char *command);
void box_done(struct box *b);
#define _cleanup_box_ __attribute__((cleanup(box_done)))
void box_args(struct box *b, const char *const *args);

/* create, start, collect, wait, remove; 0, or -1 with err of create or start. */
int box_run(struct box *b, struct err *err);
/* The same, and the test fails unless it exits with `status`; then the output can be looked at. */
void box_expect(struct box *b, int status);
/* The test fails unless the output has (has not) the text. */
void box_has(const struct box *b, const char *text);
void box_has_not(const struct box *b, const char *text);
/* The test fails unless create or start fails with an error of this kind and these words. */
void box_refused(struct box *b, enum err_kind kind, const char *words);
/* The pieces of box_run, for tests that look at a running one. */
struct running {
        struct runtime_container c;
        int out;                       /* read end */
};
int box_create(struct box *b, struct running *r, struct err *err);
int box_finish(struct box *b, struct running *r, struct err *err);   /* waits, collects, removes */
/* Runs a command in it with exec; its output lands in text. Returns the exit status, -1 with err. */
int box_exec(struct box *b, struct running *r, const char *command, char *text, size_t size, struct err *err);

/* main() of a test program; skips where containers cannot be made. */
int harness_main(const struct CMUnitTest *tests, size_t count);

#endif

/* Real builds as root: a scratch data root, a context directory, and busybox as base image "base:latest". */
#ifndef TARE_TESTS_BUILD_E2E_H
#define TARE_TESTS_BUILD_E2E_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/db.h"
#include "base/str.h"
#include "build/build.h"

struct e2e {
        char dir[64]; /* everything is below */
        struct db *db;
        struct storage *st;
        struct buf said; /* progress lines of the last build */
        int out; /* output of its RUN steps, a file */
        int cancel[2];
        unsigned pulls, prepared, done;
        struct build_options o; /* defaults, altered by tests before e2e_build() */
};
/* cmocka's group set-up and tear-down; the latter fails when roots, locks or mounts are left. Not root: tests skip. */
int e2e_setup(void **state);
int e2e_teardown(void **state);
/* Before each test: an empty context and default options. */
int e2e_begin(void **state);
int e2e_end(void **state);

/* In a forked child: a database handle of its own. */
int e2e_reopen(struct e2e *e, struct err *err);

/* Files of the context. */
void ctx_write(struct e2e *e, const char *path, const char *text);
void ctx_mkdir(struct e2e *e, const char *path);
void ctx_link(struct e2e *e, const char *target, const char *path);
char *ctx_path(struct e2e *e, const char *path);
/* Builds a Dockerfile's text; id on the heap, NULL and *err on failure. */
char *e2e_build(struct e2e *e, const char *text, struct err *err);
/* Builds and must succeed / must fail with this in the message. */
char *e2e_good(struct e2e *e, const char *text);
void e2e_bad(struct e2e *e, const char *text, const char *part);
unsigned e2e_said(const struct e2e *e, const char *part); /* how often */
void e2e_output(struct e2e *e, struct buf *b);
/* A root of an image, to look into: descriptor of its tree. */
int e2e_open(struct e2e *e, const char *image);
char *file_text(int root, const char *path); /* NULL: not there */
/* "0644 1:2" of a path, its link not followed; NULL: not there. */
char *file_what(int root, const char *path);
void e2e_config(struct e2e *e, const char *image, struct image_config *ret);

#endif

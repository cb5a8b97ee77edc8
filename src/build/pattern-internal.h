/* Path patterns compiled once: Go's filepath.Match, with "**" as .dockerignore means it. Matching simulates all ways
 * at once, so that no pattern costs more than its length times the path's. */
#ifndef TARE_BUILD_PATTERN_INTERNAL_H
#define TARE_BUILD_PATTERN_INTERNAL_H

#include <stdbool.h>
#include "base/err.h"
#include "base/mem.h"

struct pattern;
/* ERR_INVALID for an unclosed '[' or a trailing backslash. */
int pattern_compile(const char *text, struct pattern **ret, struct err *err);
void pattern_free(struct pattern *p);
DEFINE_CLEANUP(struct pattern *, pattern_free)

struct pattern_result {
        bool whole; /* the path itself matches */
        bool parent; /* a directory above it does */
        bool below; /* something below it may still match */
};
struct pattern_result pattern_try(const struct pattern *p, const char *path);
/* True when the text holds a wildcard at all. */
bool pattern_is_wild(const char *text);

#endif

/* .dockerignore: patterns of Go's filepath.Match with "**", "!" exceptions, comments; the last match decides. */
#ifndef TARE_BUILD_IGNORE_H
#define TARE_BUILD_IGNORE_H

#include <stdbool.h>
#include "base/err.h"
#include "base/mem.h"

struct ignore;
int ignore_parse(const char *text, struct ignore **ret, struct err *err);
void ignore_free(struct ignore *i);
DEFINE_CLEANUP(struct ignore *, ignore_free)
/* path: relative to the context, cleaned. */
bool ignore_matches(const struct ignore *i, const char *path);
/* False when an exception may match below: the directory must still be walked. */
bool ignore_prunes(const struct ignore *i, const char *dir);
/* One pattern against one path (for COPY wildcards). */
bool pattern_matches(const char *pattern, const char *path);

#endif

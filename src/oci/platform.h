/* Platforms "os/arch[/variant]" (image-spec, image-index: platform object; GOARCH names). */
#ifndef TARE_OCI_PLATFORM_H
#define TARE_OCI_PLATFORM_H

#include <stdbool.h>
#include "base/err.h"
#include "base/json.h"

struct platform {
        char *os;             /* "linux" */
        char *architecture;   /* "amd64" */
        char *variant;        /* "v7" or NULL */
        char *os_version;     /* or NULL */
};
void platform_done(struct platform *p);
#define _cleanup_platform_ _cleanup_(platform_done)

/* "linux/arm64/v8", "arm64", "linux"; aliases (x86_64, aarch64, armhf) normalised. */
int platform_parse(const char *text, struct platform *ret, struct err *err);
void platform_host(struct platform *ret);                     /* from uname(2) */
char *platform_format(const struct platform *p);              /* heap */
/* How well `have` serves `want`: 0 not at all, larger is better (exact variant first; amd64 serves no arm). */
int platform_match(const struct platform *want, const struct platform *have);
int platform_from_json(const json_t *o, const struct jpath *path, struct platform *ret, struct err *err);
json_t *platform_to_json(const struct platform *p);
void platform_copy(const struct platform *from, struct platform *ret);

#endif

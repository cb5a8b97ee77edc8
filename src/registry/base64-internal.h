/* RFC 4648 base64, as basic authentication and config.json use it. */
#ifndef TARE_REGISTRY_BASE64_INTERNAL_H
#define TARE_REGISTRY_BASE64_INTERNAL_H

#include <stddef.h>

/* Heap. */
char *base64_encode(const void *data, size_t len);
/* Heap, NUL-terminated; NULL when text is not base64. Padding may be missing. *ret_len may be NULL. */
char *base64_decode(const char *text, size_t *ret_len);
/* Wipes and frees a heap string (NULL allowed). */
void secret_free(char *s);
static inline void secret_freep(char **s) { secret_free(*s); }
#define _cleanup_secret_ __attribute__((cleanup(secret_freep)))

#endif

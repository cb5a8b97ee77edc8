/* Content digests "sha256:<64 hex>" (also sha512), by OpenSSL's EVP. Only programs that call this link libcrypto. */
#ifndef TARE_BASE_DIGEST_H
#define TARE_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/mem.h"

#define DIGEST_SIZE 136                /* longest text with its NUL: "sha512:" + 128 */

struct digest;                         /* a running sha256 */
struct digest *digest_new(void);
void digest_free(struct digest *d);
DEFINE_CLEANUP(struct digest *, digest_free)
void digest_update(struct digest *d, const void *data, size_t len);
/* Ends it: writes "sha256:..." */
void digest_final(struct digest *d, char ret_text[DIGEST_SIZE]);
void digest_of(const void *data, size_t len, char ret_text[DIGEST_SIZE]);
/* Another algorithm for verification of what a peer names: "sha256" or "sha512"; NULL when unknown. */
struct digest *digest_new_named(const char *algorithm);

/* True for a well-formed digest text of a known algorithm, lower-case hex of the right length (no libcrypto needed). */
bool digest_valid(const char *text);
/* Hex part, pointer into text. */
const char *digest_hex(const char *text);

/* 64 random lower-case hex digits and NUL, by getrandom(2). */
void random_hex(char *ret_hex, size_t digits);

#endif

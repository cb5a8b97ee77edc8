#include "base/digest.h"

#include <string.h>
#include <openssl/evp.h>

struct digest {
        EVP_MD_CTX *context;
        const char *name;
};

static struct digest *digest_make(const EVP_MD *algorithm, const char *name)
{
        struct digest *d = xcalloc(1, sizeof(*d));
        d->name = name;
        d->context = EVP_MD_CTX_new();
        if (!d->context || EVP_DigestInit_ex(d->context, algorithm, NULL) != 1)
                abort(); /* out of memory, or a libcrypto without SHA-2 */
        return d;
}

struct digest *digest_new(void)
{
        return digest_make(EVP_sha256(), "sha256");
}

struct digest *digest_new_named(const char *algorithm)
{
        if (strcmp(algorithm, "sha256") == 0)
                return digest_new();
        if (strcmp(algorithm, "sha512") == 0)
                return digest_make(EVP_sha512(), "sha512");
        return NULL;
}

void digest_free(struct digest *d)
{
        if (!d)
                return;
        EVP_MD_CTX_free(d->context);
        free(d);
}

void digest_update(struct digest *d, const void *data, size_t len)
{
        if (EVP_DigestUpdate(d->context, data, len) != 1)
                abort();
}

void digest_final(struct digest *d, char ret_text[DIGEST_SIZE])
{
        unsigned char bytes[EVP_MAX_MD_SIZE];
        unsigned int len = 0;
        if (EVP_DigestFinal_ex(d->context, bytes, &len) != 1)
                abort();
        char *p = stpcpy(ret_text, d->name);
        *p++ = ':';
        for (unsigned int i = 0; i < len; i++) {
                *p++ = "0123456789abcdef"[bytes[i] >> 4];
                *p++ = "0123456789abcdef"[bytes[i] & 15];
        }
        *p = '\0';
}

void digest_of(const void *data, size_t len, char ret_text[DIGEST_SIZE])
{
        _cleanup_(digest_freep) struct digest *d = digest_new();
        digest_update(d, data, len);
        digest_final(d, ret_text);
}

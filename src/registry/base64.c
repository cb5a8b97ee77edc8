#include "registry/base64-internal.h"

#include <stdint.h>
#include <string.h>
#include "base/mem.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
        const unsigned char *in = data;
        char *text = xmalloc((len + 2) / 3 * 4 + 1), *out = text;

        for (size_t i = 0; i < len; i += 3) {
                uint32_t v = (uint32_t)in[i] << 16;
                v |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0;
                v |= i + 2 < len ? in[i + 2] : 0;
                *out++ = alphabet[v >> 18];
                *out++ = alphabet[v >> 12 & 63];
                *out++ = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
                *out++ = i + 2 < len ? alphabet[v & 63] : '=';
        }
        *out = '\0';
        return text;
}

char *base64_decode(const char *text, size_t *ret_len)
{
        size_t n = strlen(text), used = 0;
        uint32_t bits = 0, held = 0;

        while (n > 0 && text[n - 1] == '=')
                n--;
        if (strlen(text) - n > 2 || n % 4 == 1)
                return NULL;
        _cleanup_secret_ char *out = xcalloc(n / 4 * 3 + 4, 1);
        for (size_t i = 0; i < n; i++) {
                const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;
                if (!at)
                        return NULL;
                bits = bits << 6 | (uint32_t)(at - alphabet);
                held += 6;
                if (held >= 8) {
                        held -= 8;
                        out[used++] = (char)(bits >> held & 0xff);
                }
        }
        if (ret_len)
                *ret_len = used;
        return TAKE_PTR(out);
}

void secret_free(char *s)
{
        if (!s)
                return;
        explicit_bzero(s, strlen(s));
        free(s);
}

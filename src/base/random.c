/* The parts of digest.h that need no libcrypto, apart so that their callers do not link it. */
#include "base/digest.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static const struct {
        const char *prefix;
        size_t digits;
} algorithms[] = {
        { "sha256:", 64 },
        { "sha512:", 128 },
};

bool digest_valid(const char *text)
{
        for (size_t i = 0; i < ELEMENTS(algorithms); i++) {
                size_t prefix = strlen(algorithms[i].prefix);
                if (strncmp(text, algorithms[i].prefix, prefix) != 0)
                        continue;
                size_t digits = strspn(text + prefix, "0123456789abcdef");
                return digits == algorithms[i].digits && text[prefix + digits] == '\0';
        }
        return false;
}

const char *digest_hex(const char *text)
{
        const char *colon = strchr(text, ':');
        return colon ? colon + 1 : text;
}

/* Without randomness no name is safe, so its absence ends the program as lack of memory does. */
static void random_fill(unsigned char *bytes, size_t len)
{
        for (size_t done = 0; done < len;) {
                ssize_t n = getrandom(bytes + done, len - done, 0);
                if (n < 0 && errno != EINTR)
                        abort();
                done += n > 0 ? (size_t)n : 0;
        }
}

void random_hex(char *ret_hex, size_t digits)
{
        unsigned char bytes[32];
        for (size_t i = 0; i < digits; i++) {
                size_t in_chunk = i % (2 * sizeof(bytes));
                if (in_chunk == 0)
                        random_fill(bytes, digits - i < 2 * sizeof(bytes) ? (digits - i + 1) / 2 : sizeof(bytes));
                unsigned char byte = bytes[in_chunk / 2];
                ret_hex[i] = "0123456789abcdef"[in_chunk % 2 ? byte & 15 : byte >> 4];
        }
        ret_hex[digits] = '\0';
}

/* One step of UTF-8 decoding, shared by what cleans text for a terminal or a document (RFC 3629). */
#ifndef TARE_BASE_UTF8_H
#define TARE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

static inline bool utf8_tail(unsigned char c)
{
        return (c & 0xc0) == 0x80;
}

/* Length of the well-formed character at s, of which `left` bytes exist; 0 when malformed or cut short. Overlong forms,
 * surrogates and values past U+10FFFF are malformed. */
static inline size_t utf8_step(const unsigned char *s, size_t left)
{
        if (left >= 1 && s[0] < 0x80)
                return 1;
        if (left >= 2 && s[0] >= 0xc2 && s[0] <= 0xdf && utf8_tail(s[1]))
                return 2;
        if (left >= 3 && (s[0] & 0xf0) == 0xe0 && utf8_tail(s[1]) && utf8_tail(s[2])) {
                bool overlong = s[0] == 0xe0 && s[1] < 0xa0;
                bool surrogate = s[0] == 0xed && s[1] >= 0xa0;
                return overlong || surrogate ? 0 : 3;
        }
        if (left >= 4 && s[0] >= 0xf0 && s[0] <= 0xf4 && utf8_tail(s[1]) && utf8_tail(s[2]) && utf8_tail(s[3])) {
                bool overlong = s[0] == 0xf0 && s[1] < 0x90;
                bool beyond = s[0] == 0xf4 && s[1] >= 0x90;
                return overlong || beyond ? 0 : 4;
        }
        return 0;
}

/* Replaces in place, by '?', every byte that could steer a terminal: control characters, the C1 set in its UTF-8 form,
 * and bytes that are no UTF-8 at all. */
static inline void utf8_clean(char *text, size_t len)
{
        unsigned char *s = (unsigned char *)text;
        for (size_t i = 0; i < len;) {
                size_t step = utf8_step(s + i, len - i);
                bool control = step == 1 && (s[i] < 0x20 || s[i] == 0x7f);
                bool c1 = step == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0;
                if (step == 0)
                        step = 1, control = true;
                for (size_t k = 0; (control || c1) && k < step; k++)
                        s[i + k] = '?';
                i += step;
        }
}

#endif

/* One record of a json-file log read back: {"log":"text\n","stream":"stdout","time":"2006-01-02T15:04:05.999999999Z"}, with
 * "attrs":{...} before the time where there are any.
 *
 * Only what the monitor writes is understood (monitor/record-internal.h): keys in that order, nothing between them. An unescaped quote can
 * stand in no text, so the end of the record is found from behind and the text is decoded only when somebody wants it. */
#ifndef TARE_ENGINE_LOG_RECORD_INTERNAL_H
#define TARE_ENGINE_LOG_RECORD_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_record {
        bool is_stderr;
        int64_t time;                  /* ns */
        const char *text;              /* still escaped, inside the line given */
        size_t len;
        const char *attrs;             /* a JSON object, or NULL */
        size_t attrs_len;
};
/* line: without its newline. False when it is no record. */
bool log_record_parse(const char *line, size_t len, struct log_record *ret);
/* Decodes JSON's escapes; `out` takes at least len bytes. Returns the bytes written. */
size_t log_text_decode(char *out, const char *text, size_t len);

#endif

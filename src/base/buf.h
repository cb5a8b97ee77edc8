/* A growable byte buffer with a declared maximum, always NUL-terminated after its content.
 * Growing past `max` fails with ERR_TOO_LARGE, so that no input decides how much memory we use. */
#ifndef TARE_BASE_BUF_H
#define TARE_BASE_BUF_H

#include <stddef.h>
#include "base/err.h"
#include "base/mem.h"

struct buf {
        char *data;           /* NULL until the first byte; owned by the buffer */
        size_t len;           /* bytes of content, without the NUL */
        size_t cap;
        size_t max;           /* bytes of content allowed; 0: BUF_DEFAULT_MAX */
};

#define BUF_DEFAULT_MAX ((size_t)64 << 20)
#define BUF_INIT(maximum) { .max = (maximum) }

void buf_done(struct buf *b);
#define _cleanup_buf_ _cleanup_(buf_done)

int buf_add(struct buf *b, const void *data, size_t len, struct err *err);
int buf_adds(struct buf *b, const char *s, struct err *err);
int buf_addc(struct buf *b, char c, struct err *err);
int buf_addf(struct buf *b, struct err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Makes room for `more` bytes after the content, for read(2); the caller then adds to len and calls buf_terminate. */
int buf_reserve(struct buf *b, size_t more, struct err *err);
void buf_terminate(struct buf *b);
void buf_reset(struct buf *b);                         /* empties, keeps the memory */
void buf_consume(struct buf *b, size_t count);         /* drops the first `count` bytes */
/* Hands the content (never NULL) to the caller and leaves the buffer empty. */
char *buf_take(struct buf *b);

#endif

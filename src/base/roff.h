/* Man pages in man(7), made when tare is built. Calling order: roff_title(), then sections and text, then roff_write(), which
 * leaves the page empty for the next. */
#ifndef TARE_BASE_ROFF_H
#define TARE_BASE_ROFF_H

#include "base/buf.h"
#include "base/err.h"

struct roff {
        struct buf text;
};
/* number: "1" user commands, "8" administration. */
void roff_title(struct roff *p, const char *name, const char *number, const char *summary, const char *version);
void roff_section(struct roff *p, const char *title);
void roff_raw(struct roff *p, const char *s);
/* Text of a line: backslashes and hyphens are what they are, and a dot or quote at its beginning is no request. */
void roff_put(struct roff *p, const char *s);
void roff_bold(struct roff *p, const char *s);
/* A bold term with text below it. */
void roff_item(struct roff *p, const char *term, const char *text);
int roff_write(struct roff *p, int dir_fd, const char *file, struct err *err);

#endif

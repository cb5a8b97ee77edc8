/* Elastic tab stops: Go's text/tabwriter with docker's settings (3 blanks between cells). */
#ifndef TARE_CLI_TABULATE_INTERNAL_H
#define TARE_CLI_TABULATE_INTERNAL_H

#include "base/buf.h"

#define TABULATE_LEAST 10               /* width of a cell in docker's lists */

/* `least`: width of the narrowest cell. A cell is ended by a tab; a column is a run of lines that have a cell at that place, and as wide as its widest cell. */
int tabulate(const char *text, size_t len, size_t least, struct buf *out, struct err *err);

#endif

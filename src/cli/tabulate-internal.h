/* Elastic tab stops: Go's text/tabwriter with docker's settings (cells at least 10 wide, 3 blanks between). */
#ifndef TARE_CLI_TABULATE_INTERNAL_H
#define TARE_CLI_TABULATE_INTERNAL_H

#include "base/buf.h"

/* A cell is ended by a tab; a column is a run of lines that have a cell at that place, and as wide as its widest cell. */
int tabulate(const char *text, size_t len, struct buf *out, struct err *err);

#endif

/* Finds a place in a file of lines that are sorted by a number, such as a log by time, without reading the file. */
#ifndef TARE_BASE_BISECT_H
#define TARE_BASE_BISECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

/* The number of a line (without its newline); false: it is none (torn, foreign), and is passed over. */
typedef bool (*line_key_fn)(const char *line, size_t len, int64_t *ret_key);
/* *ret: where a line begins that stands before, or is, the first whose number is at least `wanted`, and at most some
 * ten kilobytes or a line before it. Reads a block or two for each halving. Lines of over 128 kB are
 * passed over; a file in which nothing is a line ends at 0. */
int line_bisect(int fd, off_t size, int64_t wanted, line_key_fn key, off_t *ret, struct err *err);

#endif

/* Points in time as users and documents write them. All times are nanoseconds since the epoch, UTC. */
#ifndef TARE_BASE_TIMEFMT_H
#define TARE_BASE_TIMEFMT_H

#include <stdint.h>
#include "base/err.h"

#define TIME_TEXT_SIZE 40
int64_t time_now(void);                                /* CLOCK_REALTIME */
int64_t time_monotonic(void);                          /* CLOCK_MONOTONIC */
/* RFC 3339 with nanoseconds and Z: "2006-01-02T15:04:05.000000000Z" */
const char *time_format(int64_t ns, char text[TIME_TEXT_SIZE]);
/* "2006-01-02 15:04:05 +0000 UTC", docker's CreatedAt */
const char *time_format_docker(int64_t ns, char text[TIME_TEXT_SIZE]);
/* RFC 3339 with any fraction and offset, a date, a unix time "123.456", or a Go duration meaning "that long ago". A
 * time without an offset is UTC; Go's zero time, year 1, which documents write for "unknown", is 0. */
int time_parse(const char *text, int64_t *ret_ns, struct err *err);

#endif

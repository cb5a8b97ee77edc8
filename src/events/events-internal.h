/* The line of an event, and where the lines are. */
#ifndef TARE_EVENTS_EVENTS_INTERNAL_H
#define TARE_EVENTS_EVENTS_INTERNAL_H

#include "events/events.h"

#define EVENT_LINE_MAX ((size_t)64 << 10)
#define EVENT_LINE_START "{\"timeNano\":"

/* The line without its newline; heap. */
char *event_line(const struct event *e);
/* Parses a line. After a torn one the next stands in the same line, behind it: the last that begins in the line counts. */
int event_line_parse(const char *line, size_t len, struct event *ret, struct err *err);
/* The time alone, without parsing the rest (see line_bisect()). */
bool event_line_time(const char *line, size_t len, int64_t *ret);

#endif

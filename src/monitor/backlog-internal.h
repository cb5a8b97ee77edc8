/* What a client has not taken yet, in order: first a ring of memory, mapped only while needed, then if
 * backlog_spill() was called a file without a name. Bounded both: the caller asks backlog_room() before it adds. */
#ifndef TARE_MONITOR_BACKLOG_INTERNAL_H
#define TARE_MONITOR_BACKLOG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKLOG_RING (512 << 10)
#define BACKLOG_SPILL (256 << 20)

struct backlog {
        uint8_t *ring; /* NULL: not mapped */
        size_t head, len; /* of the ring */
        int spill; /* -1: none */
        uint64_t spill_read, spill_written;
};

void backlog_init(struct backlog *b);
void backlog_done(struct backlog *b);
bool backlog_empty(const struct backlog *b);
size_t backlog_room(const struct backlog *b);
/* Takes all of it, or nothing and -1 when there is no room or no memory. */
int backlog_add(struct backlog *b, const void *data, size_t len);
/* From now on what is added goes to a file beside `path`; -1 when that cannot be. */
int backlog_spill(struct backlog *b, const char *path);
/* Sends what a non-blocking socket takes; -1 with errno when the peer has gone. */
int backlog_send(struct backlog *b, int sock);
/* Gives the memory of an empty backlog back. */
void backlog_rest(struct backlog *b);

#endif

/* The file `meter` in a container's run directory: what only its monitor can know of a run. Memory has no counter in the kernel that adds up over
 * time, so the monitor samples it and adds byte-milliseconds; and a network namespace takes its counters with it, so the monitor holds on to
 * them until init has ended. Written in place at every sample, and once more at the end.
 *
 * One line of fixed width, the last number the sum of the others: a reader that comes in between takes it for none and reads again. */
#ifndef TARE_RUNTIME_METER_FILE_H
#define TARE_RUNTIME_METER_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct meter_file {
        uint64_t started_ms;           /* CLOCK_MONOTONIC */
        uint64_t at_ms;                /* of the last sample, or the end */
        uint64_t samples;
        uint64_t bytes;                /* memory at the last sample */
        uint64_t byte_ms;              /* memory times time from the start to the last sample */
        uint64_t received, sent;       /* bytes of its network, the loopback not counted */
        uint64_t ended;                /* 1: nothing comes after this */
};
/* A new sample: between two the memory is taken to have changed evenly, before the first to have been as there. */
void meter_file_add(struct meter_file *m, uint64_t now_ms, uint64_t bytes);
/* fd: the file, open for writing. */
void meter_file_write(int fd, const struct meter_file *m);
/* False when there is none. */
bool meter_file_read(int run_dir_fd, struct meter_file *ret);

/* Sums up a text like /proc/net/dev. */
void meter_net_parse(const char *text, uint64_t *ret_received, uint64_t *ret_sent);

#endif

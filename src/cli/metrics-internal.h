/* The metrics over HTTP: /metrics on a loopback address or a unix socket, to as many as ask, from one collection a second at most. Every
 * minute what runs have used so far is written down (stats_checkpoint), asked for or not. */
#ifndef TARE_CLI_METRICS_INTERNAL_H
#define TARE_CLI_METRICS_INTERNAL_H

#include "engine/metrics.h"

struct metrics_server {
        const char *address;           /* "127.0.0.1:9323", "[::1]:0", ":9323", "localhost:9323"; "/path" or "unix:/path" */
        int stop_fd;                   /* readable: end */
        void (*on_ready)(const char *address); /* the one that was chosen for port 0 */
};
/* ERR_INVALID for an address others can reach. */
int metrics_serve(struct stats_collector *c, const struct metrics_server *s, struct err *err);

#endif

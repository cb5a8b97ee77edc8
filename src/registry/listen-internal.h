/* The listening socket of a registry server. */
#ifndef TARE_REGISTRY_LISTEN_INTERNAL_H
#define TARE_REGISTRY_LISTEN_INTERNAL_H

#include <stdint.h>
#include "base/err.h"

/* address: numeric v4 or v6, or "localhost"; port 0: any. Returns the socket; *ret_port is the one it got. */
int listen_open(const char *address, uint16_t port, uint16_t *ret_port, struct err *err);

#endif

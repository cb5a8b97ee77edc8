/* A port of this host kept from others without serving it. */
#ifndef TARE_BASE_PORT_H
#define TARE_BASE_PORT_H

#include <netinet/in.h>

/* A socket bound to address and port, or -1 with errno. type and protocol as for socket(2). */
int port_keep(int type, int protocol, struct in_addr address, uint16_t port);

#endif

/* Containers of the kernel tests: a namespace on a network with an echo server on port 80 that answers with the container's id. */
#ifndef TARE_TESTS_NET_BOX_H
#define TARE_TESTS_NET_BOX_H

#include <arpa/inet.h>
#include "netns.h"

#define OUTSIDE "198.51.100.2" /* an outside host */
#define HOST "198.51.100.1" /* our address there */

extern struct db *db;
extern struct network net; /* the default network */
extern int outside; /* namespace of the outside host */

struct box {
        struct endpoint e;
        int netns;
        char address[INET_ADDRSTRLEN];
        pid_t server;
};

#define assert_ok(call)                                                                                                \
        do {                                                                                                           \
                if ((call) < 0) {                                                                                      \
                        print_error("%s: %s\n", #call, err.msg);                                                       \
                        fail();                                                                                        \
                }                                                                                                      \
        } while (0)

/* Own namespaces, a database, the default network, an outside host; group setup and teardown. */
int host_setup(void **state);
int host_teardown(void **state);
void box_start(struct box *b, const struct network *n, const char *id, const char *const *ports);
void box_stop(struct box *b, const struct network *n);
void make_network(const struct network *wanted, struct network *ret);
/* Asks by TCP (type SOCK_STREAM), UDP or both; wanted "": no answer, "id": from that box, "id address": seen as coming from there. */
void expect(int from, int type, const char *address, uint16_t port, const char *wanted);
void both(int from, const char *address, uint16_t port, const char *wanted);

#endif

/* A host of the test's own: every kernel test runs in fresh network and mount namespaces, so nothing is left behind.
 * Containers and outside hosts are further namespaces, held by a descriptor. */
#ifndef TARE_TESTS_NET_NETNS_H
#define TARE_TESTS_NET_NETNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "net/network.h"

/* Enters fresh namespaces with lo up and a private /run; false when the machine does not let us. */
bool netns_enter_own(void);
/* A new namespace (empty, lo down). */
int netns_new(void);
/* Runs fn in the namespace in a child; its return value. */
int netns_run(int netns, int (*fn)(void *data), void *data);
/* A veth pair between here and an outside host: our end `name` with `ours`/24, the other has `theirs`/24. */
int netns_outside(const char *name, const char *ours, const char *theirs);
/* Echo servers in a namespace, TCP and UDP on `port`; the answer is "<tag> <peer address>". Returns the pid, ends with netns_stop. */
pid_t netns_serve(int netns, uint16_t port, const char *tag);
void netns_stop(pid_t pid);
/* Connects from a namespace (-1: here) within a second; the answer, or "" when there was none. Static memory. */
const char *netns_ask(int netns, int type, const char *address, uint16_t port);
/* Runs a shell command, true when it succeeded: only for what other engines and nft(8) do or show. */
bool shell(const char *command);
/* A database in a fresh directory, removed with it by db_drop. */
struct db *db_fresh(void);
void db_drop(struct db *db);
/* Its file (heap), and a further handle on such a file. */
char *scratch_db_path(void);
struct db *db_again(const char *path);

#endif

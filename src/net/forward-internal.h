/* Living beside other engines. docker sets the policy of FORWARD in "ip filter" to DROP, ufw too; a packet needs the yes of
 * every table, so ours is not enough. Two accept rules for our bridges (in and out; isolation is decided in our own table,
 * where a drop is final) go to the chain DOCKER-USER, which docker calls first and never flushes. It is made ahead of docker:
 * a dockerd that starts later finds the rules in place. Where FORWARD exists and nothing leads from it to DOCKER-USER, they go
 * to the head of FORWARD. The rules are written as iptables-nft writes its own, which refuses to show tables it cannot read.
 * The table of iptables-legacy is looked at only when the kernel has one: /proc/net/ip_tables_names. A legacy dockerd that
 * starts after the containers is met at the next attach. */
#ifndef TARE_NET_FORWARD_INTERNAL_H
#define TARE_NET_FORWARD_INTERNAL_H

#include <stdbool.h>
#include "base/err.h"

/* Makes sure traffic of the bridge passes; also tells whether our own table knows the bridge (same round trip). */
int forward_check(int nft_fd, const char *bridge, bool *ret_registered, struct err *err);
/* The legacy table, in forward_legacy.c. */
int forward_legacy_check(const char *bridge, struct err *err);
/* What rules match: "tare" (and any ending) for names we chose, all of the name with its NUL for others. */
size_t forward_pattern(const char *bridge);

#endif

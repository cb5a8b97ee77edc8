/* The name files of a container: contents of /etc/hosts, /etc/hostname, /etc/resolv.conf (resolv.conf(5), hosts(5)). */
#ifndef TARE_NET_FILES_H
#define TARE_NET_FILES_H

#include <stdbool.h>
#include "base/buf.h"
#include "base/err.h"

/* add_hosts: "name:ip" entries, "host-gateway" replaced by gateway. address NULL: no own line. */
int hosts_format(const char *hostname, const char *domainname, const char *address, char *const *add_hosts,
                 const char *gateway, struct buf *ret, struct err *err);
/* The host's resolv.conf text filtered for a container: loopback servers dropped (public ones used only if none is left, as docker
 * does; not when keep_loopback, which host networking wants), --dns/--dns-search/--dns-option replacing their kind. */
int resolv_format(const char *host_text, char *const *dns, char *const *search, char *const *options,
                  bool keep_loopback, struct buf *ret, struct err *err);

#endif

/* Namespaces of a container: which are made by clone3, which are joined and by whom. */
#ifndef TARE_RUNTIME_NAMESPACE_INTERNAL_H
#define TARE_RUNTIME_NAMESPACE_INTERNAL_H

#include <stdint.h>
#include "runtime/init-internal.h"

uint64_t namespace_flag(enum oci_namespace_kind kind);
/* Opens the namespaces that are joined by path, and our own mount namespace when the container gets none of its own. */
int namespaces_open(const struct oci_spec *spec, int ret_fds[OCI_NS_KINDS], struct err *err);
/* Whether it is the one that we are in ourselves; name as below /proc/self/ns. */
bool namespace_is_own(int fd, const char *name);
void namespaces_close(int fds[OCI_NS_KINDS]);

/* Brings up "lo" in the network namespace of the caller. */
int namespace_raise_loopback(struct err *err);

struct namespaces_clone {
        uint64_t flags;                /* for clone3: new namespaces */
        const int *join;               /* by kind, -1 */
        int cgroup_fd;                 /* CLONE_INTO_CGROUP, -1 */
        bool guarded;                  /* not dumpable from birth */
};
/* Clones a child of the calling thread that is in all the namespaces, new and joined, but for time and mount namespaces
 * that are joined: those it joins itself. Returns 0 in the child. */
pid_t namespaces_clone(const struct namespaces_clone *c, int *ret_pidfd, struct err *err);

#endif

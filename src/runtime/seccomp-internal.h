/* seccomp inside the room: building profiles, and turning one into a BPF program through the cache. */
#ifndef TARE_RUNTIME_SECCOMP_INTERNAL_H
#define TARE_RUNTIME_SECCOMP_INTERNAL_H

#include <linux/filter.h>
#include <stdint.h>
#include "base/err.h"
#include "base/mem.h"
#include "oci/runtime_spec.h"
#include "runtime/security.h"

DEFINE_CLEANUP(struct oci_seccomp *, seccomp_free)

/* names: strv, owned by the rule from now on. The pointer is valid until the next rule is added. */
struct oci_seccomp_rule *seccomp_add_rule(struct oci_seccomp *s, char **names, const char *action);
void seccomp_add_arg(struct oci_seccomp_rule *rule, uint32_t index, uint64_t value, uint64_t value_two, const char *op);

/* A compiled filter, ready for seccomp(2). */
struct seccomp_filter {
        struct sock_filter *code;      /* heap */
        uint32_t count;                /* instructions; 0: no filter */
        uint32_t flags;                /* SECCOMP_FILTER_FLAG_* */
        bool notify;                   /* a rule says SCMP_ACT_NOTIFY: the kernel returns a listener */
};
void seccomp_filter_done(struct seccomp_filter *f);
#define _cleanup_seccomp_filter_ _cleanup_(seccomp_filter_done)

/* Loads the filter of a profile from the cache directory (NULL: none), or compiles and stores it there. A file of the
 * cache is used only when it holds the very profile asked for; a damaged one is written anew. */
int seccomp_filter_load(const struct oci_seccomp *profile, const char *cache_dir, struct seccomp_filter *ret, struct err *err);
/* Compiles with libseccomp; costs milliseconds. */
int seccomp_filter_compile(const struct oci_seccomp *profile, struct seccomp_filter *ret, struct err *err);

/* Reshapes code so that it attaches fast (seccomp_tree.c). full: the whole filter; rest: one that answers as full does for every
 * call whose answer depends on its arguments, or whose number is not below 1024. arches: AUDIT_ARCH values. False: too long. */
bool seccomp_tree_build(const struct seccomp_filter *full, const struct seccomp_filter *rest, const uint32_t *arches, size_t arch_count,
                        struct seccomp_filter *ret);
/* True when the answer for a call depends on more than its number. */
bool seccomp_tree_asks(const struct seccomp_filter *full, uint32_t arch, uint32_t number);
/* Hands the listener of a filter with SCMP_ACT_NOTIFY to the agent that the profile names, with the container's state
 * (seccomp "Containers Listening for Seccomp Notifications"). */
int seccomp_hand_over(const struct oci_seccomp *profile, int listener_fd, pid_t pid, const char *state, struct err *err);

#endif

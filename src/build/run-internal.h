/* RUN: what is asked (run.c), its --mount flags (run_mounts.c) and what they bring in (run_binds.c), its runtime
 * spec (run_spec.c), and the mount points it leaves (run_stubs.c). */
#ifndef TARE_BUILD_RUN_INTERNAL_H
#define TARE_BUILD_RUN_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "build/step-internal.h"
#include "oci/runtime_spec.h"

enum run_mount_kind { RUN_MOUNT_BIND, RUN_MOUNT_CACHE, RUN_MOUNT_TMPFS };
struct run_mount {
        enum run_mount_kind kind;
        char *target; /* absolute */
        char *source; /* path inside `from`, "/" when not given */
        char *from; /* NULL: the context (bind), nothing (cache) */
        char *id; /* of a cache */
        bool readonly;
        bool private_, locked; /* sharing= of a cache */
        uint32_t mode, uid, gid; /* of a new cache directory */
        uint64_t size; /* of a tmpfs, 0: the kernel's default */
        char *host_path; /* what is bound, once prepared */
        int lock_fd; /* of a cache that is not shared */
};

struct run {
        char **argv;
        char **args_env; /* build arguments, part of the key */
        char *script; /* a heredoc with #!: run as a file; NULL: none */
        char *script_name;
        bool host_network, no_network;
        struct run_mount *mounts;
        size_t mount_count;
};

/* What the step's container is called: 12 digits. */
const char *run_short_id(const struct step *s, char text[13]);

/* --- run_mounts.c --- */
int run_mounts_parse(struct step *s, struct run *r, struct err *err);
void run_mounts_free(struct run *r);
/* --- run_binds.c --- */
/* Digest of what bind mounts bring in; heap, NULL when there is none. */
int run_mounts_digest(struct step *s, struct run *r, char **ret, struct err *err);
/* Makes the directories to bind and adds all to the spec. */
int run_mounts_apply(struct step *s, struct run *r, struct oci_spec *spec, struct err *err);

/* --- run_spec.c --- */
int run_spec_make(struct step *s, const struct run *r, int root_fd, struct oci_spec *spec, struct err *err);

/* --- run_stubs.c --- */
/* Mount points that the image does not have: the runtime makes them and they must not end in the layer. */
char **run_stubs_find(int root_fd, const struct oci_spec *spec);
void run_stubs_remove(int root_fd, char *const *stubs);

#endif

/* From a container's definition to what runtime/ needs to start it. */
#ifndef TARE_ENGINE_SPEC_INTERNAL_H
#define TARE_ENGINE_SPEC_INTERNAL_H

#include <stdbool.h>
#include "engine/containers.h"
#include "engine/log-internal.h"
#include "net/network.h"
#include "oci/runtime_spec.h"

struct start_plan {
        struct oci_spec spec;
        struct oci_mount rootfs;
        struct log_plan log;
};
void start_plan_done(struct start_plan *p);
#define _cleanup_start_plan_ _cleanup_(start_plan_done)
/* The container's lock is held; its endpoint is reserved. Name files are written into the run directory. */
int start_plan_make(struct engine *e, const struct container *c, int run_dir_fd, struct start_plan *ret, struct err *err);

/* Where hosts, hostname and resolv.conf are written. */
struct name_files { int run_dir_fd; const char *run_dir; };
/* root_fd: the container's root where user_is_plain() does not hold or a volume is to be populated, else -1. */
int spec_add_process(struct engine *e, const struct container *c, int root_fd, struct oci_spec *spec, struct err *err);
int spec_add_mounts(struct engine *e, const struct container *c, int root_fd, const struct name_files *files, struct oci_spec *spec,
                    struct err *err);
/* One of them. */
int spec_add_mount_request(struct engine *e, const struct mount_request *m, int root_fd, struct oci_spec *spec, struct err *err);
int spec_add_resources(const struct container_config *c, struct oci_spec *spec, struct err *err);
int spec_add_security(struct engine *e, const struct container *c, struct oci_spec *spec, struct err *err);
int spec_add_namespaces(struct engine *e, const struct container *c, struct oci_spec *spec, struct err *err);
/* Whether the definition will make a spec: the same words are read as at the start, so that a wrong one is told when the container is made. */
int spec_check(const struct container_config *c, struct err *err);
int spec_check_security(const struct container_config *c, struct err *err);
int spec_check_devices(const struct container_config *c, struct err *err);
int spec_add_devices(const struct container_config *c, struct oci_spec *spec, struct err *err);

/* True when "user[:group]" is root and the image's files need not be read. */
bool user_is_plain(const char *user);
/* Sets uid, gid and groups of a process; *ret_home is heap. */
int process_user(int root_fd, const char *user, char *const *extra_groups, struct oci_process *p, char **ret_home, struct err *err);
char *container_hostname(const struct container *c);           /* heap */

#endif

/* The default security profile, equal in effect to docker's (moby profiles/seccomp/default.json, oci/caps/defaults.go,
 * oci/defaults.go): capabilities, seccomp, masked and read-only paths, device rules. Data, and the functions that put it
 * into a spec. */
#ifndef TARE_RUNTIME_SECURITY_H
#define TARE_RUNTIME_SECURITY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "oci/runtime_spec.h"

/* Capability number of "CAP_CHOWN", "chown", "NET_ADMIN"; -1 unknown. */
int capability_parse(const char *name);
const char *capability_name(int cap);                 /* "CAP_CHOWN" */
/* The 14 defaults of docker, then --cap-add/--cap-drop ("ALL" allowed) applied; cut to this process's bounding set. */
int capabilities_for(char *const *add, char *const *drop, bool privileged, uint64_t *ret_mask, struct err *err);
/* Fills the five sets of the process: bounding, permitted, effective for uid 0 or any (docker), inheritable and ambient empty. */
void capabilities_apply(uint64_t mask, struct oci_process *process);

/* The default seccomp profile for a capability mask, on this machine's architecture. Heap; see oci_spec.seccomp. */
struct oci_seccomp *seccomp_default(uint64_t capability_mask);
/* A profile in docker's JSON form ("names", "includes": {"caps", "arches", "minKernel"}, "archMap"): resolved for the mask. */
int seccomp_parse_docker(const char *text, size_t len, uint64_t capability_mask, struct oci_seccomp **ret, struct err *err);
/* Changes a profile so that no file can be taken out of its project (storage/quota.h) by its owner. */
void seccomp_keep_projects(struct oci_seccomp *s);
void seccomp_free(struct oci_seccomp *s);

/* Appends the default mounts (/proc /dev /dev/pts /sys /sys/fs/cgroup /dev/mqueue /dev/shm), masked and read-only paths and device
 * rules. privileged: none masked, /sys and /sys/fs/cgroup writable, every device of the host.
 * shm_source: NULL for a /dev/shm of its own of shm_size, a path for that one, "" for none. */
void spec_add_default_mounts(struct oci_spec *spec, bool privileged, uint64_t shm_size, const char *shm_source,
                             bool private_cgroupns);
void spec_add_default_paths(struct oci_spec *spec);
void spec_add_default_devices(struct oci_spec *spec);
/* The rules with those of the devices that every container finds in its /dev; without any rule all others are denied. Heap. */
struct oci_device_rule *device_rules_complete(const struct oci_resources *r, size_t *ret_count);
/* Adds every device node of the host's /dev and rule "a *:* rwm" (--privileged). */
int spec_add_host_devices(struct oci_spec *spec, struct err *err);

#endif

/* The runtime configuration (runtime-spec 1.2 config.md, config-linux.md) as structs.
 *
 * The engine fills a struct oci_spec in memory; `tare-oci` parses one from config.json; both hand it to runtime/. Absent
 * optional numbers are expressed by a `has_` flag or by the value the comment names. All strings are heap and owned by
 * the spec; oci_spec_done() frees everything. oci_spec_parse() names a wrong field by its JSON path. */
#ifndef TARE_OCI_RUNTIME_SPEC_H
#define TARE_OCI_RUNTIME_SPEC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/json.h"

struct oci_id_map { uint32_t container_id, host_id, size; };

/* config.md "Mounts". Destination is inside the container. options as in mount(8) plus the spec's recursive forms. */
struct oci_mount {
        char *destination;
        char *type;                    /* "bind", "proc", "tmpfs", "overlay", ...; NULL: bind when options say so */
        char *source;                  /* or NULL */
        char **options;                /* strv */
        struct oci_id_map *uid_maps, *gid_maps;
        size_t uid_map_count, gid_map_count;
};

struct oci_rlimit { char *type; uint64_t soft, hard; };          /* "RLIMIT_NOFILE"; UINT64_MAX: unlimited */

struct oci_caps { char **bounding, **effective, **inheritable, **permitted, **ambient; };  /* "CAP_CHOWN" */

/* config.md "POSIX process": also what exec takes. */
struct oci_process {
        bool terminal;
        uint16_t console_height, console_width;      /* 0: unset */
        char *cwd;                     /* absolute */
        char **env;
        char **args;
        uint32_t uid, gid;
        uint32_t *additional_gids;
        size_t additional_gid_count;
        bool has_umask;
        uint32_t umask;
        struct oci_rlimit *rlimits;
        size_t rlimit_count;
        struct oci_caps caps;
        bool has_caps;                 /* false: leave all capability sets empty */
        bool no_new_privileges;
        char *apparmor_profile;
        char *selinux_label;
        bool has_oom_score_adj;
        int32_t oom_score_adj;
        /* scheduler, ioPriority, execCPUAffinity: NULL or as parsed, kept as JSON for runtime/ to apply */
        json_t *scheduler, *io_priority, *exec_cpu_affinity;
};

struct oci_hook { char *path; char **args; char **env; int64_t timeout; /* s, 0: none */ };
enum oci_hook_kind { OCI_HOOK_PRESTART, OCI_HOOK_CREATE_RUNTIME, OCI_HOOK_CREATE_CONTAINER, OCI_HOOK_START_CONTAINER,
                     OCI_HOOK_POSTSTART, OCI_HOOK_POSTSTOP, OCI_HOOK_KINDS };
struct oci_hooks { struct oci_hook *list; size_t count; };

enum oci_namespace_kind { OCI_NS_PID, OCI_NS_NETWORK, OCI_NS_MOUNT, OCI_NS_IPC, OCI_NS_UTS, OCI_NS_USER, OCI_NS_CGROUP,
                          OCI_NS_TIME, OCI_NS_KINDS };
struct oci_namespace { bool wanted; char *path; };   /* path NULL: a new one */

struct oci_device { char *path; char type; int64_t major, minor; bool has_mode; uint32_t mode; bool has_uid, has_gid; uint32_t uid, gid; };
struct oci_device_rule { bool allow; char type; int64_t major, minor; /* -1: any */ char access[4]; };

struct oci_throttle { int64_t major, minor; uint64_t rate; };
struct oci_weight_device { int64_t major, minor; uint16_t weight, leaf_weight; };
struct oci_hugepage { char *page_size; uint64_t limit; };
struct oci_net_prio { char *name; uint32_t priority; };
struct oci_rdma { char *device; bool has_handles, has_objects; uint32_t handles, objects; };

/* config-linux.md "Control groups". Memory and CPU: has_ flags; -1 means unlimited where the spec says so. */
struct oci_resources {
        struct oci_device_rule *devices;
        size_t device_count;
        bool has_memory_limit, has_memory_reservation, has_memory_swap, has_memory_kernel, has_memory_kernel_tcp, has_swappiness;
        int64_t memory_limit, memory_reservation, memory_swap, memory_kernel, memory_kernel_tcp;   /* bytes; swap is memory+swap */
        uint64_t swappiness;
        bool has_disable_oom_killer, disable_oom_killer, has_use_hierarchy, use_hierarchy, memory_check_before_update;
        bool has_cpu_shares, has_cpu_quota, has_cpu_burst, has_cpu_period, has_rt_runtime, has_rt_period, has_cpu_idle;
        uint64_t cpu_shares, cpu_burst, cpu_period, rt_period;     /* us */
        int64_t cpu_quota, rt_runtime, cpu_idle;
        char *cpuset_cpus, *cpuset_mems;
        bool has_pids_limit;
        int64_t pids_limit;            /* <= 0: unlimited */
        bool has_blkio_weight, has_blkio_leaf_weight;
        uint16_t blkio_weight, blkio_leaf_weight;
        struct oci_weight_device *weight_devices;
        size_t weight_device_count;
        struct oci_throttle *read_bps, *write_bps, *read_iops, *write_iops;
        size_t read_bps_count, write_bps_count, read_iops_count, write_iops_count;
        struct oci_hugepage *hugepages;
        size_t hugepage_count;
        bool has_class_id;
        uint32_t class_id;
        struct oci_net_prio *net_prios;
        size_t net_prio_count;
        struct oci_rdma *rdma;
        size_t rdma_count;
        char **unified;                /* "memory.high=1000" */
};

struct oci_seccomp_arg { uint32_t index; uint64_t value, value_two; char *op; };       /* "SCMP_CMP_EQ" */
struct oci_seccomp_rule { char **names; char *action; bool has_errno; uint32_t errno_ret; struct oci_seccomp_arg *args; size_t arg_count; };
struct oci_seccomp {
        char *default_action;          /* "SCMP_ACT_ERRNO" */
        bool has_default_errno;
        uint32_t default_errno;
        char **architectures, **flags;
        char *listener_path, *listener_metadata;
        struct oci_seccomp_rule *rules;
        size_t rule_count;
};

struct oci_spec {
        char *oci_version;
        char *hostname, *domainname;
        char *root_path;               /* relative to the bundle, or absolute */
        bool root_readonly;
        struct oci_process process;
        bool has_process;
        struct oci_mount *mounts;
        size_t mount_count;
        struct oci_hooks hooks[OCI_HOOK_KINDS];
        char **annotations;            /* "k=v" */
        /* linux */
        struct oci_namespace namespaces[OCI_NS_KINDS];
        struct oci_id_map *uid_maps, *gid_maps;
        size_t uid_map_count, gid_map_count;
        bool has_monotonic_offset, has_boottime_offset;
        int64_t monotonic_secs, boottime_secs;
        uint32_t monotonic_nsecs, boottime_nsecs;
        struct oci_device *devices;
        size_t device_count;
        char *cgroups_path;
        struct oci_resources resources;
        char *rootfs_propagation;      /* "private", ... or NULL */
        struct oci_seccomp *seccomp;   /* NULL: none */
        char **sysctl;                 /* "net.core.somaxconn=10" */
        char **masked_paths, **readonly_paths;
        char *mount_label;
        char *personality_domain;      /* "LINUX32" or NULL */
        char **personality_flags;      /* none is defined by the spec, so that any is refused */
        json_t *intel_rdt;             /* kept for runtime/ */
};

void oci_spec_init(struct oci_spec *spec);           /* everything absent */
void oci_spec_done(struct oci_spec *spec);
#define _cleanup_oci_spec_ _cleanup_(oci_spec_done)
int oci_spec_parse(const char *text, size_t len, struct oci_spec *ret, struct err *err);
int oci_process_parse(const char *text, size_t len, struct oci_process *ret, struct err *err);   /* process.json of exec */
int oci_resources_parse(const char *text, size_t len, struct oci_resources *ret, struct err *err);  /* of update */
char *oci_spec_format(const struct oci_spec *spec);  /* config.json for other runtimes; heap */
char *oci_process_format(const struct oci_process *p);         /* process.json for their exec; heap */
void oci_process_done(struct oci_process *p);
void oci_resources_done(struct oci_resources *r);

/* Builders: append with copies. */
struct oci_mount *oci_spec_add_mount(struct oci_spec *spec, const char *destination, const char *type, const char *source,
                                     const char *options /* comma separated, NULL: none */);
void oci_mount_done(struct oci_mount *m);
void oci_mount_copy(const struct oci_mount *from, struct oci_mount *ret);
void oci_spec_add_rlimit(struct oci_process *p, const char *type, uint64_t soft, uint64_t hard);
void oci_spec_add_device_rule(struct oci_resources *r, bool allow, char type, int64_t major, int64_t minor, const char *access);
struct oci_device *oci_spec_add_device(struct oci_spec *spec, const char *path, char type, int64_t major, int64_t minor, uint32_t mode);
const char *oci_namespace_name(enum oci_namespace_kind kind);      /* "pid", "network", ... */
const char *oci_hook_name(enum oci_hook_kind kind);                /* "createRuntime", ... */

#endif

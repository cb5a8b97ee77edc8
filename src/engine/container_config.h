/* Everything that defines a container: docker's Config and HostConfig in one struct. One table of rows (container_config.c)
 * serves the JSON codec, initialisation, copying and freeing; the command line has its own rows that point at the same members.
 * Kept as JSON in the database. Strings are heap; -1 or NULL mean "not given" as the comments say. */
#ifndef TARE_ENGINE_CONTAINER_CONFIG_H
#define TARE_ENGINE_CONTAINER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/json.h"
#include "oci/config.h"

enum mount_kind { MOUNT_BIND, MOUNT_VOLUME, MOUNT_TMPFS };
struct mount_request {
        enum mount_kind kind;
        char *source;                  /* host path, volume name; NULL: anonymous volume, tmpfs */
        char *target;                  /* absolute path inside */
        bool read_only;
        bool create_source;            /* -v makes a missing host directory, --mount does not */
        bool no_copy;                  /* volume-nocopy */
        bool recursive_read_only;
        bool non_recursive;            /* bind-nonrecursive */
        char *propagation;             /* "rprivate", ... or NULL */
        uint64_t tmpfs_size;           /* 0: none given */
        int64_t tmpfs_mode;            /* -1 */
        char *options;                 /* further mount options, comma separated (--tmpfs), or NULL */
};
void mount_request_done(struct mount_request *m);
/* "-v [src:]dst[:opts]", "--mount k=v,..", "--tmpfs dst[:opts]": append to the array. ERR_INVALID as docker words it. */
int mount_request_parse_volume(const char *text, struct mount_request **list, size_t *count, struct err *err);
int mount_request_parse_mount(const char *text, struct mount_request **list, size_t *count, struct err *err);
int mount_request_parse_tmpfs(const char *text, struct mount_request **list, size_t *count, struct err *err);

struct container_config {
        /* Config */
        char *image;                   /* as the user wrote it */
        char *hostname, *domainname, *user, *working_dir, *stop_signal;
        bool tty, open_stdin, stdin_once, attach_stdin, attach_stdout, attach_stderr;
        char **env, **cmd, **entrypoint, **labels, **exposed_ports;
        bool entrypoint_given;         /* --entrypoint (also ""): the image's CMD is then not inherited */
        int64_t stop_timeout;          /* s, -1 */
        struct healthcheck healthcheck;
        char *health_on_failure;       /* "none", "kill", "restart", "stop"; NULL: none */
        char *mac_address;
        /* HostConfig */
        struct mount_request *mounts;
        size_t mount_count;
        char **volumes_from;
        char **ports;                  /* docker's -p texts */
        bool publish_all;
        char *network_mode;            /* "bridge", "none", "host", "container:ID"; NULL: "bridge" */
        char *ip_address;
        char *restart_policy;          /* "no", "on-failure:3", "always", "unless-stopped" */
        bool auto_remove, privileged, read_only, init;
        char **cap_add, **cap_drop, **security_opt, **group_add;
        char **devices;                /* "host[:inside[:rwm]]" */
        char **device_cgroup_rules;
        char **ulimits;                /* "nofile=1024:2048" */
        char **sysctls;                /* "k=v" */
        char **dns, **dns_search, **dns_options, **extra_hosts;
        int64_t memory, memory_swap, memory_reservation;      /* bytes, 0: none, swap -1: unlimited */
        int64_t memory_swappiness;     /* -1 */
        int64_t nano_cpus, cpu_shares, cpu_quota, cpu_period; /* 0: none */
        char *cpuset_cpus, *cpuset_mems;
        int64_t pids_limit;            /* 0: none, -1: unlimited */
        int64_t blkio_weight;
        char **device_read_bps, **device_write_bps, **device_read_iops, **device_write_iops;   /* "/dev/sda:1mb" */
        bool oom_kill_disable;
        int64_t oom_score_adj;
        int64_t shm_size;              /* 0: 64 MiB */
        char *ipc_mode, *pid_mode, *uts_mode, *userns_mode, *cgroupns_mode, *cgroup_parent, *time_offset;
        char **blkio_weight_device;    /* "/dev/sda:500" */
        char **hugetlb_limits;         /* "2MB=64M" */
        char **cgroup_conf;            /* "memory.high=1073741824": files of cgroup v2 */
        char *net_cls_classid;         /* "0x100001" */
        int64_t cpu_rt_runtime, cpu_rt_period, kernel_memory;         /* 0: none */
        char *net_rate_in, *net_rate_out;              /* "10mbit" */
        char **storage_opt;            /* "size=10G", "inodes=1000" */
        char *log_driver;              /* NULL: "json-file" */
        char **log_opts;               /* "max-size=10m" */
        char *platform, *runtime;
        char **annotations;
};
void container_config_init(struct container_config *c);
void container_config_done(struct container_config *c);
#define _cleanup_container_config_ _cleanup_(container_config_done)
int container_config_from_json(const json_t *o, struct container_config *ret, struct err *err);
/* {"Config": {...}, "HostConfig": {...}} with docker's names. */
json_t *container_config_to_json(const struct container_config *c);
/* Fills in what the image says and the user did not (entrypoint, cmd, env, user, workdir, labels, volumes, ports, stop signal, health). */
void container_config_merge(struct container_config *c, const struct image_exec *image);
/* Whether its end may be followed by another start: a policy, or a check that restarts it. */
bool container_config_restarts(const struct container_config *c);
/* Whatever can be checked without the host: names, ranges, contradictions; docker's messages. */
int container_config_check(const struct container_config *c, struct err *err);

#endif

#include "engine/container_config.h"

#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

/* One row a member: how it is kept, and docker's name for it. Absent integers are written only when they differ from `unset`. */
enum row_kind { ROW_STRING, ROW_STRV, ROW_MAP, ROW_SET, ROW_BOOL, ROW_I64 };
struct row {
        const char *key;
        enum row_kind kind;
        size_t offset;
        int64_t unset;
};
#define ROW(key, kind, member) { key, kind, offsetof(struct container_config, member), 0 }
#define ROW_UNSET(key, member, value) { key, ROW_I64, offsetof(struct container_config, member), value }

static const struct row config_rows[] = {
        ROW("Image", ROW_STRING, image),
        ROW("Hostname", ROW_STRING, hostname),
        ROW("Domainname", ROW_STRING, domainname),
        ROW("User", ROW_STRING, user),
        ROW("WorkingDir", ROW_STRING, working_dir),
        ROW("StopSignal", ROW_STRING, stop_signal),
        ROW("MacAddress", ROW_STRING, mac_address),
        ROW("Tty", ROW_BOOL, tty),
        ROW("OpenStdin", ROW_BOOL, open_stdin),
        ROW("StdinOnce", ROW_BOOL, stdin_once),
        ROW("AttachStdin", ROW_BOOL, attach_stdin),
        ROW("AttachStdout", ROW_BOOL, attach_stdout),
        ROW("AttachStderr", ROW_BOOL, attach_stderr),
        ROW("Env", ROW_STRV, env),
        ROW("Cmd", ROW_STRV, cmd),
        ROW("Entrypoint", ROW_STRV, entrypoint),
        ROW("Labels", ROW_MAP, labels),
        ROW("ExposedPorts", ROW_SET, exposed_ports),
        ROW_UNSET("StopTimeout", stop_timeout, -1),
        ROW("HealthcheckOnFailureAction", ROW_STRING, health_on_failure),
};

static const struct row host_rows[] = {
        ROW("VolumesFrom", ROW_STRV, volumes_from),
        ROW("Publish", ROW_STRV, ports),
        ROW("PublishAllPorts", ROW_BOOL, publish_all),
        ROW("NetworkMode", ROW_STRING, network_mode),
        ROW("IPAddress", ROW_STRING, ip_address),
        ROW("RestartPolicyText", ROW_STRING, restart_policy),
        ROW("AutoRemove", ROW_BOOL, auto_remove),
        ROW("Privileged", ROW_BOOL, privileged),
        ROW("ReadonlyRootfs", ROW_BOOL, read_only),
        ROW("Init", ROW_BOOL, init),
        ROW("CapAdd", ROW_STRV, cap_add),
        ROW("CapDrop", ROW_STRV, cap_drop),
        ROW("SecurityOpt", ROW_STRV, security_opt),
        ROW("GroupAdd", ROW_STRV, group_add),
        ROW("DeviceTexts", ROW_STRV, devices),
        ROW("DeviceCgroupRules", ROW_STRV, device_cgroup_rules),
        ROW("UlimitTexts", ROW_STRV, ulimits),
        ROW("Sysctls", ROW_MAP, sysctls),
        ROW("Dns", ROW_STRV, dns),
        ROW("DnsSearch", ROW_STRV, dns_search),
        ROW("DnsOptions", ROW_STRV, dns_options),
        ROW("ExtraHosts", ROW_STRV, extra_hosts),
        ROW("Memory", ROW_I64, memory),
        ROW("MemorySwap", ROW_I64, memory_swap),
        ROW("MemoryReservation", ROW_I64, memory_reservation),
        ROW_UNSET("MemorySwappiness", memory_swappiness, -1),
        ROW("NanoCpus", ROW_I64, nano_cpus),
        ROW("CpuShares", ROW_I64, cpu_shares),
        ROW("CpuQuota", ROW_I64, cpu_quota),
        ROW("CpuPeriod", ROW_I64, cpu_period),
        ROW("CpusetCpus", ROW_STRING, cpuset_cpus),
        ROW("CpusetMems", ROW_STRING, cpuset_mems),
        ROW("PidsLimit", ROW_I64, pids_limit),
        ROW("BlkioWeight", ROW_I64, blkio_weight),
        ROW("DeviceReadBps", ROW_STRV, device_read_bps),
        ROW("DeviceWriteBps", ROW_STRV, device_write_bps),
        ROW("DeviceReadIOps", ROW_STRV, device_read_iops),
        ROW("DeviceWriteIOps", ROW_STRV, device_write_iops),
        ROW("OomKillDisable", ROW_BOOL, oom_kill_disable),
        ROW("OomScoreAdj", ROW_I64, oom_score_adj),
        ROW("ShmSize", ROW_I64, shm_size),
        ROW("IpcMode", ROW_STRING, ipc_mode),
        ROW("PidMode", ROW_STRING, pid_mode),
        ROW("UTSMode", ROW_STRING, uts_mode),
        ROW("UsernsMode", ROW_STRING, userns_mode),
        ROW("CgroupnsMode", ROW_STRING, cgroupns_mode),
        ROW("CgroupParent", ROW_STRING, cgroup_parent),
        ROW("TimeOffset", ROW_STRING, time_offset),
        ROW("BlkioWeightDeviceTexts", ROW_STRV, blkio_weight_device),
        ROW("HugetlbLimits", ROW_STRV, hugetlb_limits),
        ROW("CgroupConf", ROW_STRV, cgroup_conf),
        ROW("NetClsClassid", ROW_STRING, net_cls_classid),
        ROW("CpuRealtimeRuntime", ROW_I64, cpu_rt_runtime),
        ROW("CpuRealtimePeriod", ROW_I64, cpu_rt_period),
        ROW("KernelMemory", ROW_I64, kernel_memory),
        ROW("NetRateIn", ROW_STRING, net_rate_in),
        ROW("NetRateOut", ROW_STRING, net_rate_out),
        ROW("StorageOpt", ROW_MAP, storage_opt),
        ROW("LogDriver", ROW_STRING, log_driver),
        ROW("LogOpts", ROW_MAP, log_opts),
        ROW("Platform", ROW_STRING, platform),
        ROW("Runtime", ROW_STRING, runtime),
        ROW("Annotations", ROW_MAP, annotations),
};

static void *member(const struct container_config *c, const struct row *row)
{
        return (char *)(uintptr_t)c + row->offset;
}

void container_config_init(struct container_config *c)
{
        *c = (struct container_config){ .stop_timeout = -1, .memory_swappiness = -1 };
}

static void rows_done(struct container_config *c, const struct row *rows, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                if (rows[i].kind == ROW_STRING)
                        free(*(char **)member(c, &rows[i]));
                else if (rows[i].kind == ROW_STRV || rows[i].kind == ROW_MAP || rows[i].kind == ROW_SET)
                        strv_free(*(char ***)member(c, &rows[i]));
        }
}

void mount_request_done(struct mount_request *m)
{
        free(m->source);
        free(m->target);
        free(m->propagation);
        free(m->options);
        *m = (struct mount_request){ 0 };
}

void container_config_done(struct container_config *c)
{
        rows_done(c, config_rows, ELEMENTS(config_rows));
        rows_done(c, host_rows, ELEMENTS(host_rows));
        for (size_t i = 0; i < c->mount_count; i++)
                mount_request_done(&c->mounts[i]);
        free(c->mounts);
        healthcheck_done(&c->healthcheck);
        container_config_init(c);
}

/* docker keeps sets as objects of empty objects */
static int set_from_json(const json_t *o, const struct jpath *path, const char *key, char ***ret, struct err *err)
{
        _cleanup_strv_ char **list = NULL;
        json_t *set = NULL;
        if (json_get_object(o, path, key, false, &set, err) < 0)
                return -1;
        const char *name;
        json_t *value;
        json_object_foreach(set, name, value)
                strv_push(&list, name);
        strv_sort(list);
        strv_free(*ret);
        *ret = TAKE_PTR(list);
        return 0;
}

static int row_from_json(const json_t *o, const struct jpath *path, const struct row *row, void *to, struct err *err)
{
        switch (row->kind) {
        case ROW_STRING:
                return json_get_string(o, path, row->key, false, to, err);
        case ROW_STRV:
                return json_get_strv(o, path, row->key, false, to, err);
        case ROW_MAP:
                return json_get_map(o, path, row->key, false, to, err);
        case ROW_SET:
                return set_from_json(o, path, row->key, to, err);
        case ROW_BOOL:
                return json_get_bool(o, path, row->key, false, to, err);
        case ROW_I64:
                return json_get_i64(o, path, row->key, false, to, err);
        }
        return 0;
}

static int rows_from_json(const json_t *o, const struct jpath *path, struct container_config *c, const struct row *rows,
                          size_t count, struct err *err)
{
        for (size_t i = 0; i < count; i++)
                if (row_from_json(o, path, &rows[i], member(c, &rows[i]), err) < 0)
                        return -1;
        return 0;
}

static json_t *set_to_json(char *const *list)
{
        json_t *set = json_object();
        STRV_FOREACH (s, list)
                json_object_set_new(set, *s, json_object());
        return set;
}

static void row_to_json(json_t *o, const struct row *row, const void *from)
{
        switch (row->kind) {
        case ROW_STRING:
                json_set_string(o, row->key, *(char *const *)from);
                break;
        case ROW_STRV:
                json_set_strv(o, row->key, *(char **const *)from);
                break;
        case ROW_MAP:
                json_set_map(o, row->key, *(char **const *)from);
                break;
        case ROW_SET:
                if (*(char **const *)from)
                        json_object_set_new(o, row->key, set_to_json(*(char **const *)from));
                break;
        case ROW_BOOL:
                if (*(const bool *)from)
                        json_object_set_new(o, row->key, json_true());
                break;
        case ROW_I64:
                if (*(const int64_t *)from != row->unset)
                        json_object_set_new(o, row->key, json_integer(*(const int64_t *)from));
                break;
        }
}

static json_t *rows_to_json(const struct container_config *c, const struct row *rows, size_t count)
{
        json_t *o = json_object();
        for (size_t i = 0; i < count; i++)
                row_to_json(o, &rows[i], member(c, &rows[i]));
        return o;
}

/* --- mounts --- */

static const char *const kinds[] = { [MOUNT_BIND] = "bind", [MOUNT_VOLUME] = "volume", [MOUNT_TMPFS] = "tmpfs" };

static int mount_from_json(const json_t *o, const struct jpath *path, struct mount_request *m, struct err *err)
{
        _cleanup_free_ char *type = NULL;
        m->tmpfs_mode = -1;
        if (json_get_string(o, path, "Type", true, &type, err) < 0 ||
            json_get_string(o, path, "Source", false, &m->source, err) < 0 ||
            json_get_string(o, path, "Target", true, &m->target, err) < 0 ||
            json_get_bool(o, path, "ReadOnly", false, &m->read_only, err) < 0 ||
            json_get_bool(o, path, "CreateSource", false, &m->create_source, err) < 0 ||
            json_get_bool(o, path, "NoCopy", false, &m->no_copy, err) < 0 ||
            json_get_bool(o, path, "ReadOnlyForceRecursive", false, &m->recursive_read_only, err) < 0 ||
            json_get_bool(o, path, "NonRecursive", false, &m->non_recursive, err) < 0 ||
            json_get_string(o, path, "Propagation", false, &m->propagation, err) < 0 ||
            json_get_u64(o, path, "SizeBytes", false, &m->tmpfs_size, err) < 0 ||
            json_get_i64(o, path, "Mode", false, &m->tmpfs_mode, err) < 0 ||
            json_get_string(o, path, "Options", false, &m->options, err) < 0)
                return -1;
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (str_eq(type, kinds[i])) {
                        m->kind = (enum mount_kind)i;
                        return 0;
                }
        return json_err(path, "Type", err, "unknown mount type \"%s\"", type);
}

static int mounts_from_json(const json_t *host, const struct jpath *path, struct container_config *c, struct err *err)
{
        json_t *list = NULL, *item;
        size_t i;
        if (json_get_array(host, path, "Mounts", false, &list, err) < 0)
                return -1;
        if (!list || json_array_size(list) == 0)
                return 0;
        c->mounts = xcalloc(json_array_size(list), sizeof(*c->mounts));
        struct jpath at = jpath_key(path, "Mounts");
        json_array_foreach(list, i, item) {
                struct jpath element = jpath_index(&at, i);
                if (mount_from_json(item, &element, &c->mounts[c->mount_count++], err) < 0)
                        return -1;
        }
        return 0;
}

static void set_true(json_t *o, const char *key, bool value)
{
        if (value)
                json_object_set_new(o, key, json_true());
}

static json_t *mount_to_json(const struct mount_request *m)
{
        json_t *o = json_object();
        json_set_string(o, "Type", kinds[m->kind]);
        json_set_string(o, "Source", m->source);
        json_set_string(o, "Target", m->target);
        set_true(o, "ReadOnly", m->read_only);
        set_true(o, "CreateSource", m->create_source);
        set_true(o, "NoCopy", m->no_copy);
        set_true(o, "ReadOnlyForceRecursive", m->recursive_read_only);
        set_true(o, "NonRecursive", m->non_recursive);
        json_set_string(o, "Propagation", m->propagation);
        if (m->tmpfs_size)
                json_object_set_new(o, "SizeBytes", json_integer((json_int_t)m->tmpfs_size));
        if (m->tmpfs_mode >= 0)
                json_object_set_new(o, "Mode", json_integer(m->tmpfs_mode));
        json_set_string(o, "Options", m->options);
        return o;
}

bool container_config_restarts(const struct container_config *c)
{
        return (!str_empty(c->restart_policy) && !str_eq(c->restart_policy, "no")) || str_eq(c->health_on_failure, "restart");
}

int container_config_from_json(const json_t *o, struct container_config *ret, struct err *err)
{
        _cleanup_container_config_ struct container_config c;
        container_config_init(&c);
        json_t *config = NULL, *host = NULL, *health = NULL;
        struct jpath root = JPATH("container");
        struct jpath config_path = jpath_key(&root, "Config"), host_path = jpath_key(&root, "HostConfig");
        struct jpath health_path = jpath_key(&config_path, "Healthcheck");
        if (json_get_object(o, &root, "Config", true, &config, err) < 0 ||
            json_get_object(o, &root, "HostConfig", true, &host, err) < 0 ||
            rows_from_json(config, &config_path, &c, config_rows, ELEMENTS(config_rows), err) < 0 ||
            rows_from_json(host, &host_path, &c, host_rows, ELEMENTS(host_rows), err) < 0 ||
            mounts_from_json(host, &host_path, &c, err) < 0 ||
            json_get_object(config, &config_path, "Healthcheck", false, &health, err) < 0)
                return -1;
        if (health && healthcheck_from_json(health, &health_path, &c.healthcheck, err) < 0)
                return -1;
        *ret = c;
        container_config_init(&c);
        return 0;
}

json_t *container_config_to_json(const struct container_config *c)
{
        json_t *config = rows_to_json(c, config_rows, ELEMENTS(config_rows));
        json_t *host = rows_to_json(c, host_rows, ELEMENTS(host_rows));
        if (c->healthcheck.test || c->healthcheck.interval || c->healthcheck.retries)
                json_object_set_new(config, "Healthcheck", healthcheck_to_json(&c->healthcheck));
        if (c->mount_count) {
                json_t *mounts = json_array();
                for (size_t i = 0; i < c->mount_count; i++)
                        json_array_append_new(mounts, mount_to_json(&c->mounts[i]));
                json_object_set_new(host, "Mounts", mounts);
        }
        return json_pack("{s:o, s:o}", "Config", config, "HostConfig", host);
}

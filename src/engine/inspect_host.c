/* HostConfig of docker inspect's document: one row a field, in docker's order. */
#include <arpa/inet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/inspect-internal.h"
#include "oci/runtime_spec.h"
#include "runtime/security.h"

typedef json_t *(*field_fn)(const struct inspection *x);
/* How a member is shown; the constants are fields that mean nothing here and that docker shows on every Linux. */
enum field_kind { TEXT, LIST_OR_NULL, LIST, FLAG, FLAG_OR_ABSENT, NUMBER, NUMBER_OR_NULL, MAP_OR_ABSENT, MADE, NOTHING, ZERO, EMPTY_TEXT, EMPTY_LIST };
struct field {
        const char *key;
        enum field_kind kind;
        size_t offset;
        field_fn make;                 /* MADE: NULL leaves the key out */
        int64_t unset;                 /* NUMBER_OR_NULL: this is null */
};

static json_t *mode_or(const char *mode, const char *unset) { return json_string(str_empty(mode) ? unset : mode); }

/* --- mounts --- */

static json_t *binds(const struct inspection *x)
{
        const struct container_config *c = &x->container->config;
        _cleanup_strv_ char **list = NULL;
        for (size_t i = 0; i < c->mount_count; i++) {
                const struct mount_request *m = &c->mounts[i];
                if (m->kind == MOUNT_TMPFS || !m->create_source || inspect_is_anonymous(x, m))
                        continue;
                _cleanup_strv_ char **options = NULL;
                if (m->read_only)
                        strv_push(&options, m->recursive_read_only ? "rro" : "ro");
                if (m->kind == MOUNT_VOLUME && m->no_copy)
                        strv_push(&options, "nocopy");
                if (m->propagation)
                        strv_push(&options, m->propagation);
                _cleanup_free_ char *text = strv_join(options, ",");
                strv_push_take(&list, xasprintf("%s:%s%s%s", m->source, m->target, options ? ":" : "", options ? text : ""));
        }
        return list ? json_from_strv(list) : json_null();
}

static bool is_tmpfs_flag(const struct mount_request *m)
{
        return m->kind == MOUNT_TMPFS && !m->tmpfs_size && m->tmpfs_mode < 0 && !m->read_only;
}

static json_t *tmpfs(const struct inspection *x)
{
        const struct container_config *c = &x->container->config;
        json_t *o = NULL;
        for (size_t i = 0; i < c->mount_count; i++) {
                if (!is_tmpfs_flag(&c->mounts[i]))
                        continue;
                if (!o)
                        o = json_object();
                json_object_set_new(o, c->mounts[i].target, inspect_text(c->mounts[i].options));
        }
        return o;
}

static json_t *mount(const struct mount_request *m)
{
        static const char *const kinds[] = { [MOUNT_BIND] = "bind", [MOUNT_VOLUME] = "volume", [MOUNT_TMPFS] = "tmpfs" };
        json_t *o = json_pack("{s:s}", "Type", kinds[m->kind]), *options = json_object();
        json_set_string(o, "Source", m->source);
        json_set_string(o, "Target", m->target);
        if (m->read_only)
                json_object_set_new(o, "ReadOnly", json_true());
        json_set_string(options, "Propagation", m->propagation);
        if (m->non_recursive)
                json_object_set_new(options, "NonRecursive", json_true());
        if (m->no_copy)
                json_object_set_new(options, "NoCopy", json_true());
        if (m->tmpfs_size)
                json_object_set_new(options, "SizeBytes", json_integer((json_int_t)m->tmpfs_size));
        if (m->tmpfs_mode >= 0)
                json_object_set_new(options, "Mode", json_integer(m->tmpfs_mode));
        if (json_object_size(options))
                json_object_set(o, m->kind == MOUNT_BIND ? "BindOptions" : m->kind == MOUNT_VOLUME ? "VolumeOptions" : "TmpfsOptions", options);
        json_decref(options);
        return o;
}

/* What --mount asked for; -v and --tmpfs have their own fields. */
static json_t *mounts(const struct inspection *x)
{
        const struct container_config *c = &x->container->config;
        json_t *list = NULL;
        for (size_t i = 0; i < c->mount_count; i++) {
                const struct mount_request *m = &c->mounts[i];
                if (is_tmpfs_flag(m) || m->create_source || inspect_is_anonymous(x, m))
                        continue;
                if (!list)
                        list = json_array();
                json_array_append_new(list, mount(m));
        }
        return list;
}

/* --- network, log, restart --- */

static json_t *binding(const struct port_map *p)
{
        char ip[INET_ADDRSTRLEN] = "", port[16] = "";
        if (p->host_address.s_addr)
                inet_ntop(AF_INET, &p->host_address, ip, sizeof(ip));
        if (p->host_port_end)
                snprintf(port, sizeof(port), "%u-%u", (unsigned)p->host_port, (unsigned)p->host_port_end);
        else if (p->host_port)
                snprintf(port, sizeof(port), "%u", (unsigned)p->host_port);
        return json_pack("{s:s, s:s}", "HostIp", ip, "HostPort", port);
}

static json_t *port_bindings(const struct inspection *x)
{
        json_t *o = json_object();
        _cleanup_free_ struct port_map *ports = NULL;
        size_t count = 0;
        struct err ignored = ERR_INIT;
        STRV_FOREACH (text, x->container->config.ports)
                port_map_parse(*text, &ports, &count, &ignored);
        for (size_t i = 0; i < count; i++) {
                _cleanup_free_ char *key = xasprintf("%u/%s", (unsigned)ports[i].container_port, port_protocol_name(ports[i].protocol));
                if (!json_object_get(o, key))
                        json_object_set_new(o, key, json_array());
                json_array_append_new(json_object_get(o, key), binding(&ports[i]));
        }
        return o;
}

static json_t *log_config(const struct inspection *x)
{
        const struct container_config *c = &x->container->config;
        return json_pack("{s:o, s:o}", "Type", mode_or(c->log_driver, "json-file"), "Config", json_from_map(c->log_opts));
}

static json_t *restart_policy(const struct inspection *x)
{
        static const char *const names[] = { [RESTART_NO] = "no", [RESTART_ON_FAILURE] = "on-failure", [RESTART_ALWAYS] = "always",
                                             [RESTART_UNLESS_STOPPED] = "unless-stopped" };
        enum restart_kind kind = RESTART_NO;
        uint32_t max = 0;
        struct err ignored = ERR_INIT;
        restart_policy_parse(x->container->config.restart_policy, &kind, &max, &ignored);
        return json_pack("{s:s, s:i}", "Name", names[kind], "MaximumRetryCount", (int)max);
}

static json_t *network_mode(const struct inspection *x) { return mode_or(x->container->config.network_mode, "bridge"); }
static json_t *ipc_mode(const struct inspection *x) { return mode_or(x->container->config.ipc_mode, "private"); }
static json_t *cgroupns_mode(const struct inspection *x) { return mode_or(x->container->config.cgroupns_mode, "private"); }
static json_t *runtime(const struct inspection *x) { return mode_or(x->container->config.runtime, "tare"); }
static json_t *console_size(const struct inspection *x) { return json_pack("[i, i]", 0, 0); }

/* --- limits --- */

static json_t *shm_size(const struct inspection *x)
{
        int64_t size = x->container->config.shm_size;
        return json_integer(size ? size : 64 << 20);
}

/* As much again as memory, unless told: the same rule as at the start. */
static json_t *memory_swap(const struct inspection *x)
{
        const struct container_config *c = &x->container->config;
        return json_integer(c->memory_swap == 0 && c->memory > 0 ? 2 * c->memory : c->memory_swap);
}

static json_int_t limit_of(const char *text) { return str_eq(text, "unlimited") ? -1 : (json_int_t)strtoll(text, NULL, 10); }

/* "nofile=1024[:2048]" */
static json_t *ulimits(const struct inspection *x)
{
        json_t *list = json_array();
        STRV_FOREACH (text, x->container->config.ulimits) {
                _cleanup_strv_ char **parts = strv_split(*text, "=:", true);
                if (strv_len(parts) < 2)
                        continue;
                json_int_t soft = limit_of(parts[1]), hard = parts[2] ? limit_of(parts[2]) : soft;
                json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "Name", parts[0], "Hard", hard, "Soft", soft));
        }
        return list;
}

/* "/dev/a[:/dev/b[:rwm]]" */
static json_t *devices(const struct inspection *x)
{
        json_t *list = json_array();
        STRV_FOREACH (text, x->container->config.devices) {
                _cleanup_strv_ char **parts = strv_split(*text, ":", true);
                size_t n = strv_len(parts);
                bool access_second = n == 2 && str_only(parts[1], "rwm");
                json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "PathOnHost", n ? parts[0] : "", "PathInContainer",
                                                      n >= 2 && !access_second ? parts[1] : n ? parts[0] : "", "CgroupPermissions",
                                                      n == 3 ? parts[2] : access_second ? parts[1] : "rwm"));
        }
        return list;
}

static json_t *throttles(char *const *texts, bool bytes)
{
        json_t *list = json_array();
        STRV_FOREACH (text, texts) {
                uint64_t rate = 0;
                struct err ignored = ERR_INIT;
                const char *colon = strrchr(*text, ':');
                if (!colon || (bytes ? parse_size(colon + 1, &rate, &ignored) : parse_u64(colon + 1, &rate, &ignored)) < 0)
                        continue;
                _cleanup_free_ char *path = xstrndup(*text, (size_t)(colon - *text));
                json_array_append_new(list, json_pack("{s:s, s:I}", "Path", path, "Rate", (json_int_t)rate));
        }
        return list;
}
static json_t *read_bps(const struct inspection *x) { return throttles(x->container->config.device_read_bps, true); }
static json_t *write_bps(const struct inspection *x) { return throttles(x->container->config.device_write_bps, true); }
static json_t *read_iops(const struct inspection *x) { return throttles(x->container->config.device_read_iops, false); }
static json_t *write_iops(const struct inspection *x) { return throttles(x->container->config.device_write_iops, false); }

/* --- hidden paths --- */

static json_t *hidden_paths(const struct inspection *x, bool masked)
{
        const struct container_config *c = &x->container->config;
        _cleanup_oci_spec_ struct oci_spec spec;
        if (c->privileged)
                return json_null();
        oci_spec_init(&spec);
        if (!strv_has(c->security_opt, "systempaths=unconfined") && !strv_has(c->security_opt, "unmask=ALL"))
                spec_add_default_paths(&spec);
        return json_from_strv(masked ? spec.masked_paths : spec.readonly_paths);
}
static json_t *masked_paths(const struct inspection *x) { return hidden_paths(x, true); }
static json_t *readonly_paths(const struct inspection *x) { return hidden_paths(x, false); }

#define MEMBER(key, kind, member) { key, kind, offsetof(struct container_config, member), NULL, 0 }
#define UNSET(key, member, value) { key, NUMBER_OR_NULL, offsetof(struct container_config, member), NULL, value }
#define MAKE(key, function) { key, MADE, 0, function, 0 }
#define CONSTANT(key, kind) { key, kind, 0, NULL, 0 }
static const struct field fields[] = {
        MAKE("Binds", binds),
        CONSTANT("ContainerIDFile", EMPTY_TEXT),
        MAKE("LogConfig", log_config),
        MAKE("NetworkMode", network_mode),
        MAKE("PortBindings", port_bindings),
        MAKE("RestartPolicy", restart_policy),
        MEMBER("AutoRemove", FLAG, auto_remove),
        CONSTANT("VolumeDriver", EMPTY_TEXT),
        MEMBER("VolumesFrom", LIST_OR_NULL, volumes_from),
        MAKE("ConsoleSize", console_size),
        MEMBER("Annotations", MAP_OR_ABSENT, annotations),
        MEMBER("CapAdd", LIST_OR_NULL, cap_add),
        MEMBER("CapDrop", LIST_OR_NULL, cap_drop),
        MAKE("CgroupnsMode", cgroupns_mode),
        MEMBER("Dns", LIST, dns),
        MEMBER("DnsOptions", LIST, dns_options),
        MEMBER("DnsSearch", LIST, dns_search),
        MEMBER("ExtraHosts", LIST_OR_NULL, extra_hosts),
        MEMBER("GroupAdd", LIST_OR_NULL, group_add),
        MAKE("IpcMode", ipc_mode),
        CONSTANT("Cgroup", EMPTY_TEXT),
        CONSTANT("Links", NOTHING),
        MEMBER("OomScoreAdj", NUMBER, oom_score_adj),
        MEMBER("PidMode", TEXT, pid_mode),
        MEMBER("Privileged", FLAG, privileged),
        MEMBER("PublishAllPorts", FLAG, publish_all),
        MEMBER("ReadonlyRootfs", FLAG, read_only),
        MEMBER("NetRateIn", TEXT, net_rate_in),
        MEMBER("NetRateOut", TEXT, net_rate_out),
        MEMBER("StorageOpt", MAP_OR_ABSENT, storage_opt),
        MEMBER("SecurityOpt", LIST_OR_NULL, security_opt),
        MAKE("Tmpfs", tmpfs),
        MEMBER("UTSMode", TEXT, uts_mode),
        MEMBER("UsernsMode", TEXT, userns_mode),
        MAKE("ShmSize", shm_size),
        MEMBER("Sysctls", MAP_OR_ABSENT, sysctls),
        MAKE("Runtime", runtime),
        CONSTANT("Isolation", EMPTY_TEXT),
        MEMBER("CpuShares", NUMBER, cpu_shares),
        MEMBER("Memory", NUMBER, memory),
        MEMBER("NanoCpus", NUMBER, nano_cpus),
        MEMBER("CgroupParent", TEXT, cgroup_parent),
        MEMBER("BlkioWeight", NUMBER, blkio_weight),
        CONSTANT("BlkioWeightDevice", EMPTY_LIST),
        MAKE("BlkioDeviceReadBps", read_bps),
        MAKE("BlkioDeviceWriteBps", write_bps),
        MAKE("BlkioDeviceReadIOps", read_iops),
        MAKE("BlkioDeviceWriteIOps", write_iops),
        MEMBER("CpuPeriod", NUMBER, cpu_period),
        MEMBER("CpuQuota", NUMBER, cpu_quota),
        MEMBER("CpuRealtimePeriod", NUMBER, cpu_rt_period),
        MEMBER("CpuRealtimeRuntime", NUMBER, cpu_rt_runtime),
        MEMBER("CpusetCpus", TEXT, cpuset_cpus),
        MEMBER("CpusetMems", TEXT, cpuset_mems),
        MAKE("Devices", devices),
        MEMBER("DeviceCgroupRules", LIST_OR_NULL, device_cgroup_rules),
        CONSTANT("DeviceRequests", NOTHING),
        MEMBER("MemoryReservation", NUMBER, memory_reservation),
        MAKE("MemorySwap", memory_swap),
        UNSET("MemorySwappiness", memory_swappiness, -1),
        MEMBER("OomKillDisable", FLAG, oom_kill_disable),
        MEMBER("Init", FLAG_OR_ABSENT, init),
        UNSET("PidsLimit", pids_limit, 0),
        MAKE("Ulimits", ulimits),
        CONSTANT("CpuCount", ZERO),
        CONSTANT("CpuPercent", ZERO),
        CONSTANT("IOMaximumIOps", ZERO),
        CONSTANT("IOMaximumBandwidth", ZERO),
        MAKE("Mounts", mounts),
        MAKE("MaskedPaths", masked_paths),
        MAKE("ReadonlyPaths", readonly_paths),
};

static json_t *field_value(const struct inspection *x, const struct field *f)
{
        const void *member = (const char *)&x->container->config + f->offset;
        char *const *list = f->kind == LIST || f->kind == LIST_OR_NULL || f->kind == MAP_OR_ABSENT ? *(char **const *)member : NULL;
        switch (f->kind) {
        case TEXT: return inspect_text(*(char *const *)member);
        case LIST: return json_from_strv(list);
        case LIST_OR_NULL: return list && *list ? json_from_strv(list) : json_null();
        case MAP_OR_ABSENT: return list && *list ? json_from_map(list) : NULL;
        case FLAG: return json_boolean(*(const bool *)member);
        case FLAG_OR_ABSENT: return *(const bool *)member ? json_true() : NULL;
        case NUMBER: return json_integer(*(const int64_t *)member);
        case NUMBER_OR_NULL: return *(const int64_t *)member == f->unset ? json_null() : json_integer(*(const int64_t *)member);
        case MADE: return f->make(x);
        case NOTHING: return json_null();
        case ZERO: return json_integer(0);
        case EMPTY_TEXT: return json_string("");
        case EMPTY_LIST: return json_array();
        }
        return NULL;
}

json_t *inspect_host(const struct inspection *x)
{
        json_t *o = json_object();
        for (size_t i = 0; i < ELEMENTS(fields); i++) {
                json_t *value = field_value(x, &fields[i]);
                if (value)
                        json_object_set_new(o, fields[i].key, value);
        }
        return o;
}

#include "oci/runtime-spec-internal.h"

#define TABLE(name, type, rows_) const struct field_table name = { rows_, ELEMENTS(rows_), sizeof(type) }
/* Every row macro reads the struct's name from OF, defined before each table. */
#define ROW(key_, type_, member, flags_) \
        { .key = key_, .type = type_, .flags = flags_, .offset = offsetof(OF, member), .aux = NO_AUX }
#define OPTIONAL(key_, type_, member, has) \
        { .key = key_, .type = type_, .offset = offsetof(OF, member), .aux = offsetof(OF, has) }
#define WORDS(key_, type_, member, flags_, words_) \
        { .key = key_, .type = type_, .flags = flags_, .offset = offsetof(OF, member), .aux = NO_AUX, .words = words_ }
#define LIST(key_, member, count_, table_)                                                                             \
        {                                                                                                              \
                .key = key_, .type = FIELD_LIST, .offset = offsetof(OF, member), .aux = offsetof(OF, count_),          \
                .table = table_                                                                                        \
        }
#define OBJECT(key_, flags_, table_)                                                                                   \
        {                                                                                                              \
                .key = key_, .type = FIELD_OBJECT, .flags = flags_, .aux = NO_AUX, .table = table_                     \
        }
#define MEMBER(key_, member, has, table_) \
        { .key = key_, .type = FIELD_OBJECT, .offset = offsetof(OF, member), .aux = offsetof(OF, has), .table = table_ }
#define CUSTOM(key_, custom_) { .key = key_, .type = FIELD_CUSTOM, .aux = NO_AUX, .custom = custom_ }

/* --- words --- */

static const char *const propagation_words[] = { "private", "rprivate",   "slave",       "rslave", "shared",
                                                 "rshared", "unbindable", "runbindable", NULL };
static const char *const personality_words[] = { "LINUX", "LINUX32", NULL };
static const char *const action_words[] = { "SCMP_ACT_KILL",  "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
                                            "SCMP_ACT_TRAP",  "SCMP_ACT_ERRNO",        "SCMP_ACT_TRACE",
                                            "SCMP_ACT_ALLOW", "SCMP_ACT_LOG",          "SCMP_ACT_NOTIFY", NULL };
static const char *const compare_words[] = { "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",        "SCMP_CMP_EQ",
                                             "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", NULL };
/* Letters allowed, then the letter of an absent member. */
static const char *const device_letters[] = { "bcup", NULL };
static const char *const rule_letters[] = { "abcup", "a", NULL };
static const char *const access_letters[] = { "rwm", "rwm", NULL };

/* --- small structs --- */

#define OF struct oci_id_map
static const struct field id_map_rows[] = {
        ROW("containerID", FIELD_U32, container_id, REQUIRED),
        ROW("hostID", FIELD_U32, host_id, REQUIRED),
        ROW("size", FIELD_U32, size, REQUIRED),
};
static TABLE(id_map_table, OF, id_map_rows);
#undef OF

#define OF struct oci_mount
static const struct field mount_rows[] = {
        ROW("destination", FIELD_STRING, destination, REQUIRED),
        ROW("type", FIELD_STRING, type, 0),
        ROW("source", FIELD_STRING, source, 0),
        ROW("options", FIELD_STRV, options, 0),
        LIST("uidMappings", uid_maps, uid_map_count, &id_map_table),
        LIST("gidMappings", gid_maps, gid_map_count, &id_map_table),
};
TABLE(oci_mount_table, OF, mount_rows);
#undef OF

#define OF struct oci_hook
static const struct field hook_rows[] = {
        ROW("path", FIELD_STRING, path, REQUIRED | ABSOLUTE),
        ROW("args", FIELD_STRV, args, 0),
        ROW("env", FIELD_STRV, env, 0),
        ROW("timeout", FIELD_I64, timeout, POSITIVE),
};
static TABLE(hook_table, OF, hook_rows);
#undef OF

/* --- process --- */

#define OF struct oci_process
static const struct field console_rows[] = {
        ROW("height", FIELD_U16, console_height, 0),
        ROW("width", FIELD_U16, console_width, 0),
};
static TABLE(console_table, OF, console_rows);

static const struct field user_rows[] = {
        ROW("uid", FIELD_U32, uid, ALWAYS),
        ROW("gid", FIELD_U32, gid, ALWAYS),
        OPTIONAL("umask", FIELD_U32, umask, has_umask),
        { .key = "additionalGids", .type = FIELD_U32_LIST, .offset = offsetof(OF, additional_gids),
          .aux = offsetof(OF, additional_gid_count) },
};
static TABLE(user_table, OF, user_rows);
#undef OF

#define OF struct oci_caps
static const struct field caps_rows[] = {
        ROW("bounding", FIELD_STRV, bounding, 0),
        ROW("effective", FIELD_STRV, effective, 0),
        ROW("inheritable", FIELD_STRV, inheritable, 0),
        ROW("permitted", FIELD_STRV, permitted, 0),
        ROW("ambient", FIELD_STRV, ambient, 0),
};
static TABLE(caps_table, OF, caps_rows);
#undef OF

#define OF struct oci_rlimit
static const struct field rlimit_rows[] = {
        ROW("type", FIELD_STRING, type, REQUIRED),
        ROW("hard", FIELD_U64, hard, REQUIRED),
        ROW("soft", FIELD_U64, soft, REQUIRED),
};
static TABLE(rlimit_table, OF, rlimit_rows);
#undef OF

#define OF struct oci_process
static const struct field process_rows[] = {
        ROW("terminal", FIELD_BOOL, terminal, 0),
        OBJECT("consoleSize", 0, &console_table),
        OBJECT("user", 0, &user_table),
        ROW("args", FIELD_STRV, args, 0),
        ROW("env", FIELD_STRV, env, 0),
        ROW("cwd", FIELD_STRING, cwd, REQUIRED | ABSOLUTE),
        MEMBER("capabilities", caps, has_caps, &caps_table),
        LIST("rlimits", rlimits, rlimit_count, &rlimit_table),
        ROW("noNewPrivileges", FIELD_BOOL, no_new_privileges, 0),
        ROW("apparmorProfile", FIELD_STRING, apparmor_profile, 0),
        OPTIONAL("oomScoreAdj", FIELD_I32, oom_score_adj, has_oom_score_adj),
        ROW("scheduler", FIELD_JSON, scheduler, 0),
        ROW("selinuxLabel", FIELD_STRING, selinux_label, 0),
        ROW("ioPriority", FIELD_JSON, io_priority, 0),
        ROW("execCPUAffinity", FIELD_JSON, exec_cpu_affinity, 0),
};
TABLE(oci_process_table, OF, process_rows);
#undef OF

/* --- resources --- */

#define OF struct oci_device_rule
static const struct field rule_rows[] = {
        ROW("allow", FIELD_BOOL, allow, ALWAYS),
        WORDS("type", FIELD_LETTER, type, 0, rule_letters),
        ROW("major", FIELD_ANY_I64, major, 0),
        ROW("minor", FIELD_ANY_I64, minor, 0),
        WORDS("access", FIELD_LETTERS, access, 0, access_letters),
};
static TABLE(rule_table, OF, rule_rows);
#undef OF

#define OF struct oci_throttle
static const struct field throttle_rows[] = {
        ROW("major", FIELD_I64, major, REQUIRED),
        ROW("minor", FIELD_I64, minor, REQUIRED),
        ROW("rate", FIELD_U64, rate, REQUIRED),
};
static TABLE(throttle_table, OF, throttle_rows);
#undef OF

#define OF struct oci_weight_device
static const struct field weight_rows[] = {
        ROW("major", FIELD_I64, major, REQUIRED),
        ROW("minor", FIELD_I64, minor, REQUIRED),
        ROW("weight", FIELD_U16, weight, 0),
        ROW("leafWeight", FIELD_U16, leaf_weight, 0),
};
static TABLE(weight_table, OF, weight_rows);
#undef OF

#define OF struct oci_hugepage
static const struct field hugepage_rows[] = {
        ROW("pageSize", FIELD_STRING, page_size, REQUIRED),
        ROW("limit", FIELD_U64, limit, REQUIRED),
};
static TABLE(hugepage_table, OF, hugepage_rows);
#undef OF

#define OF struct oci_net_prio
static const struct field net_prio_rows[] = {
        ROW("name", FIELD_STRING, name, REQUIRED),
        ROW("priority", FIELD_U32, priority, REQUIRED),
};
static TABLE(net_prio_table, OF, net_prio_rows);
#undef OF

#define OF struct oci_rdma
static const struct field rdma_rows[] = {
        OPTIONAL("hcaHandles", FIELD_U32, handles, has_handles),
        OPTIONAL("hcaObjects", FIELD_U32, objects, has_objects),
};
TABLE(oci_rdma_table, OF, rdma_rows);
#undef OF

#define OF struct oci_resources
static const struct field memory_rows[] = {
        OPTIONAL("limit", FIELD_I64, memory_limit, has_memory_limit),
        OPTIONAL("reservation", FIELD_I64, memory_reservation, has_memory_reservation),
        OPTIONAL("swap", FIELD_I64, memory_swap, has_memory_swap),
        OPTIONAL("kernel", FIELD_I64, memory_kernel, has_memory_kernel),
        OPTIONAL("kernelTCP", FIELD_I64, memory_kernel_tcp, has_memory_kernel_tcp),
        OPTIONAL("swappiness", FIELD_U64, swappiness, has_swappiness),
        OPTIONAL("disableOOMKiller", FIELD_BOOL, disable_oom_killer, has_disable_oom_killer),
        OPTIONAL("useHierarchy", FIELD_BOOL, use_hierarchy, has_use_hierarchy),
        ROW("checkBeforeUpdate", FIELD_BOOL, memory_check_before_update, 0),
};
static TABLE(memory_table, OF, memory_rows);

static const struct field cpu_rows[] = {
        OPTIONAL("shares", FIELD_U64, cpu_shares, has_cpu_shares),
        OPTIONAL("quota", FIELD_I64, cpu_quota, has_cpu_quota),
        OPTIONAL("burst", FIELD_U64, cpu_burst, has_cpu_burst),
        OPTIONAL("period", FIELD_U64, cpu_period, has_cpu_period),
        OPTIONAL("realtimeRuntime", FIELD_I64, rt_runtime, has_rt_runtime),
        OPTIONAL("realtimePeriod", FIELD_U64, rt_period, has_rt_period),
        ROW("cpus", FIELD_STRING, cpuset_cpus, 0),
        ROW("mems", FIELD_STRING, cpuset_mems, 0),
        OPTIONAL("idle", FIELD_I64, cpu_idle, has_cpu_idle),
};
static TABLE(cpu_table, OF, cpu_rows);

static const struct field pids_rows[] = { OPTIONAL("limit", FIELD_I64, pids_limit, has_pids_limit) };
static TABLE(pids_table, OF, pids_rows);

static const struct field block_rows[] = {
        OPTIONAL("weight", FIELD_U16, blkio_weight, has_blkio_weight),
        OPTIONAL("leafWeight", FIELD_U16, blkio_leaf_weight, has_blkio_leaf_weight),
        LIST("weightDevice", weight_devices, weight_device_count, &weight_table),
        LIST("throttleReadBpsDevice", read_bps, read_bps_count, &throttle_table),
        LIST("throttleWriteBpsDevice", write_bps, write_bps_count, &throttle_table),
        LIST("throttleReadIOPSDevice", read_iops, read_iops_count, &throttle_table),
        LIST("throttleWriteIOPSDevice", write_iops, write_iops_count, &throttle_table),
};
static TABLE(block_table, OF, block_rows);

static const struct field class_rows[] = {
        OPTIONAL("classID", FIELD_U32, class_id, has_class_id),
        LIST("priorities", net_prios, net_prio_count, &net_prio_table),
};
static TABLE(class_table, OF, class_rows);

static const struct field resources_rows[] = {
        LIST("devices", devices, device_count, &rule_table),
        OBJECT("memory", 0, &memory_table),
        OBJECT("cpu", 0, &cpu_table),
        OBJECT("pids", 0, &pids_table),
        OBJECT("blockIO", 0, &block_table),
        LIST("hugepageLimits", hugepages, hugepage_count, &hugepage_table),
        OBJECT("network", 0, &class_table),
        CUSTOM("rdma", &oci_rdma_custom),
        ROW("unified", FIELD_MAP, unified, 0),
};
TABLE(oci_resources_table, OF, resources_rows);
#undef OF

/* --- seccomp --- */

#define OF struct oci_seccomp_arg
static const struct field arg_rows[] = {
        ROW("index", FIELD_U32, index, REQUIRED),
        ROW("value", FIELD_U64, value, REQUIRED),
        ROW("valueTwo", FIELD_U64, value_two, 0),
        WORDS("op", FIELD_STRING, op, REQUIRED, compare_words),
};
static TABLE(arg_table, OF, arg_rows);
#undef OF

#define OF struct oci_seccomp_rule
static const struct field seccomp_rule_rows[] = {
        ROW("names", FIELD_STRV, names, REQUIRED),
        WORDS("action", FIELD_STRING, action, REQUIRED, action_words),
        OPTIONAL("errnoRet", FIELD_U32, errno_ret, has_errno),
        LIST("args", args, arg_count, &arg_table),
};
static TABLE(seccomp_rule_table, OF, seccomp_rule_rows);
#undef OF

#define OF struct oci_seccomp
static const struct field seccomp_rows[] = {
        WORDS("defaultAction", FIELD_STRING, default_action, REQUIRED, action_words),
        OPTIONAL("defaultErrnoRet", FIELD_U32, default_errno, has_default_errno),
        ROW("architectures", FIELD_STRV, architectures, 0),
        ROW("flags", FIELD_STRV, flags, 0),
        ROW("listenerPath", FIELD_STRING, listener_path, 0),
        ROW("listenerMetadata", FIELD_STRING, listener_metadata, 0),
        LIST("syscalls", rules, rule_count, &seccomp_rule_table),
};
static TABLE(seccomp_table, OF, seccomp_rows);
#undef OF

/* --- linux --- */

#define OF struct oci_device
static const struct field device_rows[] = {
        ROW("path", FIELD_STRING, path, REQUIRED | ABSOLUTE),
        WORDS("type", FIELD_LETTER, type, REQUIRED, device_letters),
        ROW("major", FIELD_I64, major, ALWAYS),
        ROW("minor", FIELD_I64, minor, ALWAYS),
        OPTIONAL("fileMode", FIELD_U32, mode, has_mode),
        OPTIONAL("uid", FIELD_U32, uid, has_uid),
        OPTIONAL("gid", FIELD_U32, gid, has_gid),
};
static TABLE(device_table, OF, device_rows);
#undef OF

#define OF struct oci_spec
static const struct field monotonic_rows[] = {
        ROW("secs", FIELD_I64, monotonic_secs, 0),
        ROW("nanosecs", FIELD_U32, monotonic_nsecs, 0),
};
static TABLE(monotonic_table, OF, monotonic_rows);

static const struct field boottime_rows[] = {
        ROW("secs", FIELD_I64, boottime_secs, 0),
        ROW("nanosecs", FIELD_U32, boottime_nsecs, 0),
};
static TABLE(boottime_table, OF, boottime_rows);

static const struct field clock_rows[] = {
        { .key = "monotonic",
          .type = FIELD_OBJECT,
          .aux = offsetof(OF, has_monotonic_offset),
          .table = &monotonic_table },
        { .key = "boottime", .type = FIELD_OBJECT, .aux = offsetof(OF, has_boottime_offset), .table = &boottime_table },
};
static TABLE(clock_table, OF, clock_rows);

static const struct field personality_rows[] = {
        WORDS("domain", FIELD_STRING, personality_domain, REQUIRED, personality_words),
        ROW("flags", FIELD_STRV, personality_flags, 0),
};
static TABLE(personality_table, OF, personality_rows);

static const struct field linux_rows[] = {
        LIST("uidMappings", uid_maps, uid_map_count, &id_map_table),
        LIST("gidMappings", gid_maps, gid_map_count, &id_map_table),
        ROW("sysctl", FIELD_MAP, sysctl, 0),
        { .key = "resources",
          .type = FIELD_OBJECT,
          .offset = offsetof(OF, resources),
          .aux = NO_AUX,
          .table = &oci_resources_table },
        ROW("cgroupsPath", FIELD_STRING, cgroups_path, 0),
        CUSTOM("namespaces", &oci_namespaces_custom),
        LIST("devices", devices, device_count, &device_table),
        { .key = "seccomp",
          .type = FIELD_POINTER,
          .offset = offsetof(OF, seccomp),
          .aux = NO_AUX,
          .table = &seccomp_table },
        WORDS("rootfsPropagation", FIELD_STRING, rootfs_propagation, 0, propagation_words),
        ROW("maskedPaths", FIELD_STRV, masked_paths, 0),
        ROW("readonlyPaths", FIELD_STRV, readonly_paths, 0),
        ROW("mountLabel", FIELD_STRING, mount_label, 0),
        ROW("intelRdt", FIELD_JSON, intel_rdt, 0),
        OBJECT("personality", 0, &personality_table),
        OBJECT("timeOffsets", 0, &clock_table),
};
static TABLE(linux_table, OF, linux_rows);

/* --- the whole --- */

static const struct field root_rows[] = {
        ROW("path", FIELD_STRING, root_path, REQUIRED),
        ROW("readonly", FIELD_BOOL, root_readonly, 0),
};
static TABLE(root_table, OF, root_rows);

#define HOOKS(key, kind) [kind] = LIST(key, hooks[kind].list, hooks[kind].count, &hook_table)
static const struct field hooks_rows[OCI_HOOK_KINDS] = {
        HOOKS("prestart", OCI_HOOK_PRESTART),
        HOOKS("createRuntime", OCI_HOOK_CREATE_RUNTIME),
        HOOKS("createContainer", OCI_HOOK_CREATE_CONTAINER),
        HOOKS("startContainer", OCI_HOOK_START_CONTAINER),
        HOOKS("poststart", OCI_HOOK_POSTSTART),
        HOOKS("poststop", OCI_HOOK_POSTSTOP),
};
static TABLE(hooks_table, OF, hooks_rows);

const char *oci_hook_name(enum oci_hook_kind kind) { return hooks_rows[kind].key; }

static const struct field spec_rows[] = {
        ROW("ociVersion", FIELD_STRING, oci_version, REQUIRED),
        MEMBER("process", process, has_process, &oci_process_table),
        OBJECT("root", REQUIRED, &root_table),
        ROW("hostname", FIELD_STRING, hostname, 0),
        ROW("domainname", FIELD_STRING, domainname, 0),
        LIST("mounts", mounts, mount_count, &oci_mount_table),
        OBJECT("hooks", 0, &hooks_table),
        ROW("annotations", FIELD_MAP, annotations, 0),
        OBJECT("linux", 0, &linux_table),
};
TABLE(oci_spec_table, OF, spec_rows);
#undef OF

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "base/str.h"
#include "oci/runtime_spec.h"

/* Canonical: every member that the struct holds. */
static const char full[] =
        "{\"ociVersion\":\"1.2.0\",\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":25,\"width\":80},"
        "\"user\":{\"uid\":1,\"gid\":2,\"umask\":0,\"additionalGids\":[5,4294967295]},\"args\":[\"sh\",\"\"],\"env\":[\"A=1\"],"
        "\"cwd\":\"/\",\"capabilities\":{\"bounding\":[\"CAP_CHOWN\"],\"effective\":[\"CAP_KILL\"],\"inheritable\":[\"CAP_FOWNER\"],"
        "\"permitted\":[\"CAP_SETUID\"],\"ambient\":[\"CAP_SETGID\"]},\"rlimits\":[{\"type\":\"RLIMIT_CORE\","
        "\"hard\":18446744073709551615,\"soft\":9223372036854775808},{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":0}],"
        "\"noNewPrivileges\":true,\"apparmorProfile\":\"p\",\"oomScoreAdj\":-10,\"scheduler\":{\"policy\":\"SCHED_DEADLINE\","
        "\"runtime\":18446744073709551614},\"selinuxLabel\":\"l\",\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":4},"
        "\"execCPUAffinity\":{\"initial\":\"0-3\"}},\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"h\","
        "\"domainname\":\"d\",\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\"],"
        "\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1}],\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,"
        "\"size\":1}]},{\"destination\":\"/x\"}],\"hooks\":{\"prestart\":[{\"path\":\"/h\",\"args\":[\"h\"],\"env\":[\"E=\"],"
        "\"timeout\":3}],\"createRuntime\":[{\"path\":\"/b\"}],\"createContainer\":[{\"path\":\"/c\"}],\"startContainer\":"
        "[{\"path\":\"/d\"}],\"poststart\":[{\"path\":\"/e\"}],\"poststop\":[{\"path\":\"/f\"}]},\"annotations\":{\"z\":\"1\",\"a\":\"\"},"
        "\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":4294967295,\"size\":1}],\"gidMappings\":[{\"containerID\":1,"
        "\"hostID\":2,\"size\":3}],\"sysctl\":{\"net.core.somaxconn\":\"10\"},\"resources\":{\"devices\":[{\"allow\":false,"
        "\"type\":\"a\",\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":0,\"access\":\"r\"}],"
        "\"memory\":{\"limit\":0,\"reservation\":2,\"swap\":-1,\"kernel\":3,\"kernelTCP\":4,\"swappiness\":0,"
        "\"disableOOMKiller\":false,\"useHierarchy\":true,\"checkBeforeUpdate\":true},\"cpu\":{\"shares\":2,\"quota\":-1,"
        "\"burst\":0,\"period\":100000,\"realtimeRuntime\":1,\"realtimePeriod\":2,\"cpus\":\"0-1\",\"mems\":\"0\",\"idle\":0},"
        "\"pids\":{\"limit\":-1},\"blockIO\":{\"weight\":10,\"leafWeight\":20,\"weightDevice\":[{\"major\":8,\"minor\":0,"
        "\"weight\":500,\"leafWeight\":300}],\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":1,\"rate\":600}],"
        "\"throttleWriteBpsDevice\":[{\"major\":8,\"minor\":2,\"rate\":0}],\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":3,"
        "\"rate\":1}],\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":4,\"rate\":2}]},\"hugepageLimits\":[{\"pageSize\":\"2MB\","
        "\"limit\":18446744073709551615}],\"network\":{\"classID\":1048577,\"priorities\":[{\"name\":\"lo\",\"priority\":0}]},"
        "\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":0},\"rxe\":{}},\"unified\":{\"memory.high\":\"max\"}},"
        "\"cgroupsPath\":\"/c/g\",\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/proc/1/ns/net\"},"
        "{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"user\"},{\"type\":\"cgroup\"},{\"type\":\"time\"}],"
        "\"devices\":[{\"path\":\"/dev/fuse\",\"type\":\"c\",\"major\":10,\"minor\":229,\"fileMode\":438,\"uid\":0,\"gid\":0},"
        "{\"path\":\"/dev/p\",\"type\":\"p\",\"major\":0,\"minor\":0}],\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\","
        "\"defaultErrnoRet\":38,\"architectures\":[\"SCMP_ARCH_X86_64\"],\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],\"listenerPath\":\"/l\","
        "\"listenerMetadata\":\"m\",\"syscalls\":[{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"errnoRet\":1,"
        "\"args\":[{\"index\":0,\"value\":18446744073709551360,\"valueTwo\":9223372036854775807,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]},"
        "\"rootfsPropagation\":\"rslave\",\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":[\"/proc/sys\"],\"mountLabel\":\"ml\","
        "\"intelRdt\":{\"closID\":\"c\"},\"personality\":{\"domain\":\"LINUX32\"},\"timeOffsets\":{\"monotonic\":{\"secs\":-5,"
        "\"nanosecs\":7},\"boottime\":{\"secs\":9}}}}";

static int parse(const char *text, struct oci_spec *ret, struct err *err) { return oci_spec_parse(text, strlen(text), ret, err); }

static void test_round_trip(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_oci_spec_ struct oci_spec spec;
        _cleanup_free_ char *text = NULL;

        oci_spec_init(&spec);
        if (parse(full, &spec, &err) < 0)
                fail_msg("%s", err.msg);
        text = oci_spec_format(&spec);
        assert_string_equal(text, full);
}

static void test_process_members(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_oci_spec_ struct oci_spec spec;
        const struct oci_process *p = &spec.process;

        oci_spec_init(&spec);
        assert_int_equal(parse(full, &spec, &err), 0);
        assert_true(spec.has_process && p->has_caps && p->has_umask && p->has_oom_score_adj);
        assert_int_equal(p->console_height, 25);
        assert_int_equal(p->additional_gids[1], UINT32_MAX);
        assert_true(p->rlimits[0].hard == UINT64_MAX);
        assert_true(p->rlimits[0].soft == (uint64_t)INT64_MAX + 1);
        assert_int_equal(p->oom_score_adj, -10);
        assert_string_equal(p->caps.ambient[0], "CAP_SETGID");
        assert_int_equal(spec.hooks[OCI_HOOK_PRESTART].list[0].timeout, 3);
        assert_string_equal(spec.hooks[OCI_HOOK_POSTSTOP].list[0].path, "/f");
}

static void test_linux_members(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_oci_spec_ struct oci_spec spec;
        const struct oci_resources *r = &spec.resources;

        oci_spec_init(&spec);
        assert_int_equal(parse(full, &spec, &err), 0);
        assert_true(r->devices[0].type == 'a' && r->devices[0].major == -1 && r->devices[0].minor == -1);
        assert_true(r->devices[1].major == 1 && r->devices[1].minor == 0);
        assert_true(r->has_memory_limit && r->memory_limit == 0 && r->memory_swap == -1 && r->has_swappiness);
        assert_true(r->has_disable_oom_killer && !r->disable_oom_killer);
        assert_true(r->has_pids_limit && r->pids_limit == -1);
        assert_int_equal(r->rdma_count, 2);
        assert_true(r->rdma[0].has_objects && !r->rdma[1].has_objects);
        assert_true(spec.namespaces[OCI_NS_TIME].wanted);
        assert_string_equal(spec.namespaces[OCI_NS_NETWORK].path, "/proc/1/ns/net");
        assert_true(spec.seccomp->rules[0].args[0].value == 0xffffffffffffff00u);
        assert_true(spec.has_monotonic_offset && spec.monotonic_secs == -5 && spec.monotonic_nsecs == 7);
        assert_true(spec.devices[0].has_uid && !spec.devices[1].has_mode);
        assert_string_equal(spec.personality_domain, "LINUX32");
        assert_string_equal(spec.sysctl[0], "net.core.somaxconn=10");
}

#define MINIMAL "{\"ociVersion\":\"1.0.2-dev\",\"root\":{\"path\":\"/r\"}}"
#define DOC(rest) "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"r\"}," rest "}"
#define PROCESS(rest) DOC("\"process\":{\"cwd\":\"/\"," rest "}")
#define LINUX(rest) DOC("\"linux\":{" rest "}")
#define RESOURCES(rest) LINUX("\"resources\":{" rest "}")

static void test_minimal(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_oci_spec_ struct oci_spec spec;
        _cleanup_free_ char *text = NULL;

        oci_spec_init(&spec);
        if (parse(MINIMAL, &spec, &err) < 0)
                fail_msg("%s", err.msg);
        assert_false(spec.has_process);
        assert_null(spec.seccomp);
        text = oci_spec_format(&spec);
        assert_string_equal(text, MINIMAL);
}

static void test_errors_name_the_path(void **state)
{
        static const char *const rows[][2] = {
                { "", "config.json" },
                { "[]", "config.json: expected an object" },
                { "{}", "config.json: ociVersion: is missing" },
                { "{\"ociVersion\":\"2.0.0\",\"root\":{\"path\":\"r\"}}", "config.json: ociVersion: \"2.0.0\" is not supported" },
                { "{\"ociVersion\":\"1.2.0\"}", "config.json: root: is missing" },
                { "{\"ociVersion\":\"1.2.0\",\"root\":{}}", "config.json: root.path: is missing" },
                { "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"\"}}", "config.json: root.path: is empty" },
                { DOC("\"hostname\":\"a\",\"hostname\":\"b\""), "duplicate" },
                { DOC("\"process\":{}"), "config.json: process.cwd: is missing" },
                { DOC("\"process\":{\"cwd\":\"rel\"}"), "config.json: process.cwd: \"rel\" is no absolute path" },
                { PROCESS("\"args\":\"sh\""), "config.json: process.args: expected an array" },
                { PROCESS("\"args\":[1]"), "config.json: process.args[0]: expected a string" },
                { PROCESS("\"terminal\":1"), "config.json: process.terminal:" },
                { PROCESS("\"user\":{\"uid\":-1}"), "config.json: process.user.uid:" },
                { PROCESS("\"user\":{\"uid\":4294967296}"), "config.json: process.user.uid:" },
                { PROCESS("\"user\":{\"additionalGids\":[0,-1]}"), "config.json: process.user.additionalGids[1]:" },
                { PROCESS("\"consoleSize\":{\"height\":65536}"), "config.json: process.consoleSize.height: 65536 is out of range" },
                { PROCESS("\"oomScoreAdj\":2147483648"), "config.json: process.oomScoreAdj:" },
                { PROCESS("\"rlimits\":[{\"type\":\"A\",\"hard\":1,\"soft\":1},{\"type\":\"B\",\"hard\":-1,\"soft\":1}]"),
                  "config.json: process.rlimits[1].hard:" },
                { PROCESS("\"rlimits\":[{\"type\":\"A\",\"hard\":\"18446744073709551615\",\"soft\":1}]"), "process.rlimits[0].hard:" },
                { PROCESS("\"rlimits\":[{\"type\":\"A\",\"hard\":-18446744073709551615,\"soft\":1}]"), "config.json" },
                { PROCESS("\"rlimits\":[{\"type\":\"A\",\"hard\":18446744073709551616,\"soft\":-1}]"), "config.json" },
                { PROCESS("\"scheduler\":[]"), "config.json: process.scheduler: expected an object" },
                { PROCESS("\"capabilities\":{\"bounding\":{}}"), "config.json: process.capabilities.bounding:" },
                { DOC("\"mounts\":{}"), "config.json: mounts: expected an array" },
                { DOC("\"mounts\":[[]]"), "config.json: mounts[0]: expected an object" },
                { DOC("\"mounts\":[{\"destination\":\"/a\"},{\"type\":\"proc\"}]"), "config.json: mounts[1].destination: is missing" },
                { DOC("\"mounts\":[{\"destination\":\"/a\",\"uidMappings\":[{}]}]"), "mounts[0].uidMappings[0].containerID:" },
                { DOC("\"hooks\":{\"poststop\":[{\"path\":\"x\"}]}"), "config.json: hooks.poststop[0].path:" },
                { DOC("\"hooks\":{\"prestart\":[{\"path\":\"/x\",\"timeout\":-1}]}"), "config.json: hooks.prestart[0].timeout:" },
                { DOC("\"annotations\":{\"a\":1}"), "config.json: annotations.a:" },
                { DOC("\"linux\":[]"), "config.json: linux: expected an object" },
                { LINUX("\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]"), "config.json: linux.namespaces[1].type: \"pid\" is there twice" },
                { LINUX("\"namespaces\":[{\"type\":\"net\"}]"), "config.json: linux.namespaces[0].type: \"net\" is unknown" },
                { LINUX("\"namespaces\":[{}]"), "config.json: linux.namespaces[0].type:" },
                { LINUX("\"devices\":[{\"path\":\"/d\",\"type\":\"x\"}]"), "config.json: linux.devices[0].type:" },
                { LINUX("\"devices\":[{\"path\":\"/d\",\"type\":\"\"}]"), "config.json: linux.devices[0].type:" },
                { LINUX("\"seccomp\":{}"), "config.json: linux.seccomp.defaultAction: is missing" },
                { LINUX("\"seccomp\":{\"defaultAction\":\"ALLOW\"}"), "config.json: linux.seccomp.defaultAction: \"ALLOW\" is unknown" },
                { LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"a\"],\"action\":"
                        "\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"value\":0,\"op\":\"EQ\"}]}]}"),
                  "config.json: linux.seccomp.syscalls[0].args[0].op:" },
                { LINUX("\"rootfsPropagation\":\"loud\""), "config.json: linux.rootfsPropagation: \"loud\" is unknown" },
                { LINUX("\"personality\":{\"domain\":\"BSD\"}"), "config.json: linux.personality.domain:" },
                { LINUX("\"sysctl\":{\"a\":null,\"b\":2}"), "config.json: linux.sysctl.b:" },
                { RESOURCES("\"devices\":[{\"allow\":true,\"access\":\"rwx\"}]"), "config.json: linux.resources.devices[0].access:" },
                { RESOURCES("\"devices\":[{\"allow\":true,\"access\":\"rwmr\"}]"), "config.json: linux.resources.devices[0].access:" },
                { RESOURCES("\"memory\":{\"limit\":\"1\"}"), "config.json: linux.resources.memory.limit:" },
                { RESOURCES("\"cpu\":{\"shares\":-2}"), "config.json: linux.resources.cpu.shares:" },
                { RESOURCES("\"blockIO\":{\"weight\":70000}"), "config.json: linux.resources.blockIO.weight:" },
                { RESOURCES("\"rdma\":{\"m\":7}"), "config.json: linux.resources.rdma.m: expected an object" },
                { RESOURCES("\"rdma\":{\"a\":{},\"m\":{\"hcaHandles\":-7}}"), "config.json: linux.resources.rdma.m.hcaHandles:" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct err err = ERR_INIT;
                struct oci_spec spec;

                if (parse(rows[i][0], &spec, &err) == 0)
                        fail_msg("taken: %s", rows[i][0]);
                assert_int_equal(err.kind, ERR_INVALID);
                if (!strstr(err.msg, rows[i][1]))
                        fail_msg("\"%s\" does not say \"%s\"", err.msg, rows[i][1]);
        }
}

static void test_absent_is_null(void **state)
{
        static const char text[] = DOC("\"hostname\":\"\",\"process\":null,\"mounts\":[],\"linux\":{\"rootfsPropagation\":\"\","
                                       "\"seccomp\":null,\"unknown\":{\"a\":18446744073709551615},\"resources\":{\"pids\":{}}}");
        struct err err = ERR_INIT;
        _cleanup_oci_spec_ struct oci_spec spec;

        oci_spec_init(&spec);
        if (parse(text, &spec, &err) < 0)
                fail_msg("%s", err.msg);
        assert_null(spec.hostname);
        assert_null(spec.rootfs_propagation);
        assert_false(spec.has_process);
        assert_false(spec.resources.has_pids_limit);
}

static void test_numbers_in_strings(void **state)
{
        static const char text[] = "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"18446744073709551615\"},\"hostname\":"
                                   "\"\\\\\\\" 18446744073709551615\",\"annotations\":{\"18446744073709551615\":\",9223372036854775808]\"},"
                                   "\"linux\":{\"intelRdt\":{\"a\":[18446744073709551615,9223372036854775808,9223372036854775807,-1]}}}";
        struct err err = ERR_INIT;
        _cleanup_oci_spec_ struct oci_spec spec;
        _cleanup_free_ char *again = NULL;

        oci_spec_init(&spec);
        if (parse(text, &spec, &err) < 0)
                fail_msg("%s", err.msg);
        assert_string_equal(spec.hostname, "\\\" 18446744073709551615");
        again = oci_spec_format(&spec);
        assert_string_equal(again, text);
}

static void test_process_and_resources(void **state)
{
        static const char process[] = "{\"cwd\":\"/w\",\"args\":[\"ls\"],\"user\":{\"uid\":7}}";
        static const char resources[] = "{\"memory\":{\"limit\":1000},\"pids\":{\"limit\":5}}";
        struct err err = ERR_INIT;
        struct oci_process p;
        struct oci_resources r;

        assert_int_equal(oci_process_parse(process, strlen(process), &p, &err), 0);
        assert_int_equal(p.uid, 7);
        assert_string_equal(p.args[0], "ls");
        oci_process_done(&p);
        assert_null(p.args);
        assert_int_equal(oci_resources_parse(resources, strlen(resources), &r, &err), 0);
        assert_true(r.has_memory_limit && r.memory_limit == 1000 && r.pids_limit == 5);
        oci_resources_done(&r);
        assert_int_equal(oci_process_parse("{\"cwd\":7}", 9, &p, &err), -1);
        assert_string_equal(err.msg, "process: cwd: expected a string");
        assert_int_equal(oci_resources_parse("{\"cpu\":7}", 9, &r, &err), -1);
        assert_string_equal(err.msg, "resources: cpu: expected an object");
}

static void build(struct oci_spec *spec)
{
        struct oci_mount *m;

        spec->oci_version = xstrdup("1.2.0");
        spec->root_path = xstrdup("/r");
        spec->has_process = true;
        spec->process.cwd = xstrdup("/");
        strv_push(&spec->process.env, "BAD=\xff");
        for (size_t i = 0; i < 3; i++)
                m = oci_spec_add_mount(spec, "/dev", "tmpfs", "tmpfs", "nosuid,,mode=755");
        strv_push(&m->options, "size=1");
        oci_spec_add_mount(spec, "/x", NULL, NULL, NULL);
        oci_spec_add_rlimit(&spec->process, "RLIMIT_NPROC", 5, UINT64_MAX);
        oci_spec_add_device_rule(&spec->resources, false, 'a', -1, -1, "rwm");
        oci_spec_add_device_rule(&spec->resources, true, 'c', 1, 3, "rwmxyz");
        oci_spec_add_device(spec, "/dev/null", 'c', 1, 3, 0666)->has_uid = true;
        spec->namespaces[OCI_NS_PID].wanted = true;
}

static void test_builders(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_oci_spec_ struct oci_spec spec, back;
        _cleanup_free_ char *text = NULL;

        oci_spec_init(&spec);
        oci_spec_init(&back);
        build(&spec);
        text = oci_spec_format(&spec);
        if (parse(text, &back, &err) < 0)
                fail_msg("%s: %s", err.msg, text);
        assert_string_equal(back.process.env[0], "BAD=\xef\xbf\xbd");
        assert_int_equal(back.mount_count, 4);
        assert_int_equal(strv_len(back.mounts[0].options), 2);
        assert_int_equal(strv_len(back.mounts[2].options), 3);
        assert_true(back.process.rlimits[0].hard == UINT64_MAX && back.process.rlimits[0].soft == 5);
        assert_string_equal(back.resources.devices[1].access, "rwm");
        assert_true(back.devices[0].has_mode && back.devices[0].mode == 0666 && back.devices[0].has_uid);
        assert_true(back.namespaces[OCI_NS_PID].wanted && !back.namespaces[OCI_NS_UTS].wanted);
        assert_string_equal(oci_namespace_name(OCI_NS_NETWORK), "network");
}

static void test_mount_copy(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_oci_spec_ struct oci_spec spec;
        struct oci_mount copy;

        oci_spec_init(&spec);
        assert_int_equal(parse(full, &spec, &err), 0);
        oci_mount_copy(&spec.mounts[0], &copy);
        oci_spec_done(&spec);
        assert_string_equal(copy.destination, "/proc");
        assert_string_equal(copy.options[0], "nosuid");
        assert_int_equal(copy.uid_maps[0].host_id, 1000);
        assert_int_equal(copy.gid_map_count, 1);
        oci_mount_done(&copy);
}

static void test_too_large(void **state)
{
        struct err err = ERR_INIT;
        struct oci_spec spec;
        size_t size = (size_t)5 << 20;
        _cleanup_free_ char *text = xmalloc(size);

        memset(text, ' ', size);
        assert_int_equal(oci_spec_parse(text, size, &spec, &err), -1);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),           cmocka_unit_test(test_process_members),
                cmocka_unit_test(test_linux_members),        cmocka_unit_test(test_minimal),
                cmocka_unit_test(test_errors_name_the_path), cmocka_unit_test(test_absent_is_null),
                cmocka_unit_test(test_numbers_in_strings),   cmocka_unit_test(test_process_and_resources),
                cmocka_unit_test(test_builders),             cmocka_unit_test(test_mount_copy),
                cmocka_unit_test(test_too_large),
        };
        return cmocka_run_group_tests_name("oci runtime spec", tests, NULL, NULL);
}

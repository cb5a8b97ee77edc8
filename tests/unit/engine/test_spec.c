/* From a definition to the runtime's spec: process, mounts, limits, security, namespaces, devices. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "engine/spec-internal.h"
#include "runtime/security.h"

/* A spec of a container that is only a definition; the caller sets what matters in between. */
struct making {
        struct fixture *f;
        struct container c;
        struct oci_spec spec;
};
static void making_init(struct making *m, struct fixture *f)
{
        *m = (struct making){ .f = f };
        container_config_init(&m->c.config);
        oci_spec_init(&m->spec);
        id_of('a', m->c.id);
        strv_push(&m->c.config.cmd, "true");
}
static void making_done(struct making *m)
{
        container_done(&m->c);
        oci_spec_done(&m->spec);
}
#define MAKING(m)                                                                                                      \
        _cleanup_(making_done) struct making m;                                                                        \
        making_init(&m, *state)

static int image_root(struct fixture *f)
{
        file_put(f, "image/etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n");
        file_put(f, "image/etc/group", "root:x:0:\napp:x:1001:\nextra:x:2000:app\nwheel:x:10:\n");
        _cleanup_free_ char *path = path_join(f->dir, "image");
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        return fd;
}

static bool has_gid(const struct oci_process *p, uint32_t gid)
{
        for (size_t i = 0; i < p->additional_gid_count; i++)
                if (p->additional_gids[i] == gid)
                        return true;
        return false;
}

/* --- process --- */

static void test_process(void **state)
{
        MAKING(m);
        struct oci_process *p = &m.spec.process;
        strv_push(&m.c.config.entrypoint, "/entry");
        strv_push(&m.c.config.env, "PATH=/mine");
        strv_push(&m.c.config.env, "NOVALUE");
        m.c.config.tty = true;
        m.spec.namespaces[OCI_NS_UTS].wanted = m.spec.namespaces[OCI_NS_NETWORK].wanted = true;
        OK(spec_add_process(m.f->e, &m.c, -1, &m.spec, &err));
        assert_string_equal(p->args[0], "/entry");
        assert_string_equal(p->args[1], "true");
        assert_string_equal(p->cwd, "/");
        assert_string_equal(strv_env_get(p->env, "PATH"), "/mine");
        assert_string_equal(strv_env_get(p->env, "HOME"), "/root");
        assert_string_equal(strv_env_get(p->env, "TERM"), "xterm");
        assert_string_equal(strv_env_get(p->env, "HOSTNAME"), "aaaaaaaaaaaa");
        assert_null(strv_env_get(p->env, "NOVALUE"));
        assert_string_equal(m.spec.hostname, "aaaaaaaaaaaa");
        assert_int_equal(p->uid, 0);
        assert_true(strv_has(m.spec.sysctl, "net.ipv4.ip_unprivileged_port_start=0"));
}

static void test_process_user(void **state)
{
        MAKING(m);
        struct oci_process *p = &m.spec.process;
        _cleanup_close_ int root = image_root(m.f);
        m.c.config.user = xstrdup("app");
        strv_push(&m.c.config.group_add, "wheel");
        strv_push(&m.c.config.group_add, "77");
        OK(spec_add_process(m.f->e, &m.c, root, &m.spec, &err));
        assert_int_equal(p->uid, 1000);
        assert_int_equal(p->gid, 1001);
        assert_string_equal(strv_env_get(p->env, "HOME"), "/home/app");
        assert_true(has_gid(p, 1001) && has_gid(p, 2000) && has_gid(p, 10) && has_gid(p, 77));
        MAKING(bad);
        bad.c.config.user = xstrdup("nobody-here");
        FAILS(spec_add_process(bad.f->e, &bad.c, root, &bad.spec, &err), ERR_INVALID, "nobody-here");
        MAKING(group);
        strv_push(&group.c.config.group_add, "nogroup-here");
        FAILS(spec_add_process(group.f->e, &group.c, root, &group.spec, &err), ERR_INVALID, "Unable to find group nogroup-here");
}

static void test_process_empty(void **state)
{
        MAKING(m);
        str_replace(&m.c.config.cmd[0], "");
        FAILS(spec_add_process(m.f->e, &m.c, -1, &m.spec, &err), ERR_INVALID, "No command specified");
}

/* --- limits --- */

static void test_resources(void **state)
{
        MAKING(m);
        struct oci_resources *r = &m.spec.resources;
        struct container_config *c = &m.c.config;
        c->memory = 64 << 20;
        c->nano_cpus = 1500000000;
        c->pids_limit = 10;
        c->cpuset_cpus = xstrdup("0-1");
        c->oom_score_adj = 100;
        strv_push(&c->device_cgroup_rules, "c 10:* rw");
        strv_push(&c->ulimits, "nofile=10:20");
        strv_push(&c->ulimits, "core=unlimited");
        OK(spec_add_resources(c, &m.spec, &err));
        assert_true(r->has_memory_limit && r->memory_limit == 64 << 20 && r->memory_swap == 128 << 20);
        assert_true(r->cpu_quota == 150000 && r->cpu_period == 100000);
        assert_int_equal(r->pids_limit, 10);
        assert_string_equal(r->cpuset_cpus, "0-1");
        assert_int_equal(m.spec.process.oom_score_adj, 100);
        assert_true(r->device_count == 1 && r->devices[0].major == 10 && r->devices[0].minor == -1);
        assert_string_equal(m.spec.process.rlimits[0].type, "RLIMIT_NOFILE");
        assert_true(m.spec.process.rlimits[0].soft == 10 && m.spec.process.rlimits[0].hard == 20);
        assert_true(m.spec.process.rlimits[1].soft == UINT64_MAX);
        MAKING(none);
        OK(spec_add_resources(&none.c.config, &none.spec, &err));
        assert_false(none.spec.resources.has_memory_limit || none.spec.resources.has_cpu_quota || none.spec.resources.has_pids_limit);
}

static void test_resources_refused(void **state)
{
        static const struct { bool ulimit; const char *text, *words; } rows[] = {
                { true, "nofile", "invalid ulimit argument" },       { true, "nofile=5:4", "soft limit must be less" },
                { true, "nofile=1:2:3", "too many limit value" },    { true, "odd=1", "invalid ulimit type: odd" },
                { true, "nofile=x", "invalid ulimit argument" },     { false, "x 1:1 rwm", "invalid device cgroup rule" },
                { false, "c 1:1", "invalid device cgroup rule" },    { false, "", "invalid device cgroup rule" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                MAKING(m);
                strv_push(rows[i].ulimit ? &m.c.config.ulimits : &m.c.config.device_cgroup_rules, rows[i].text);
                FAILS(spec_add_resources(&m.c.config, &m.spec, &err), ERR_INVALID, rows[i].words);
        }
        MAKING(m);
        strv_push(&m.c.config.device_read_bps, "/dev/null:1mb");
        FAILS(spec_add_resources(&m.c.config, &m.spec, &err), ERR_INVALID, "is not a block device");
}

/* --- security --- */

static void test_security_default(void **state)
{
        MAKING(m);
        OK(spec_add_security(m.f->e, &m.c, &m.spec, &err));
        assert_true(strv_has(m.spec.process.caps.bounding, "CAP_CHOWN"));
        assert_false(strv_has(m.spec.process.caps.bounding, "CAP_SYS_ADMIN"));
        assert_null(m.spec.process.caps.ambient);
        assert_non_null(m.spec.seccomp);
        assert_true(strv_has(m.spec.masked_paths, "/proc/kcore"));
        assert_false(m.spec.process.no_new_privileges);
}

static void test_security_options(void **state)
{
        MAKING(m);
        strv_push(&m.c.config.security_opt, "no-new-privileges");
        strv_push(&m.c.config.security_opt, "seccomp=unconfined");
        strv_push(&m.c.config.security_opt, "apparmor=profile");
        strv_push(&m.c.config.cap_drop, "ALL");
        strv_push(&m.c.config.cap_add, "CHOWN");
        OK(spec_add_security(m.f->e, &m.c, &m.spec, &err));
        assert_true(m.spec.process.no_new_privileges);
        assert_null(m.spec.seccomp);
        assert_string_equal(m.spec.process.apparmor_profile, "profile");
        assert_int_equal(strv_len(m.spec.process.caps.bounding), 1);
        MAKING(odd);
        strv_push(&odd.c.config.security_opt, "odd");
        FAILS(spec_add_security(odd.f->e, &odd.c, &odd.spec, &err), ERR_INVALID, "invalid --security-opt: \"odd\"");
        MAKING(cap);
        strv_push(&cap.c.config.cap_add, "FLY");
        FAILS(spec_add_security(cap.f->e, &cap.c, &cap.spec, &err), ERR_INVALID, "FLY");
        MAKING(profile);
        strv_push(&profile.c.config.security_opt, "seccomp=/no/such/profile");
        FAILS(spec_add_security(profile.f->e, &profile.c, &profile.spec, &err), ERR_NOT_FOUND, "opening seccomp profile");
}

static void test_security_privileged(void **state)
{
        MAKING(m);
        m.c.config.privileged = true;
        OK(spec_add_security(m.f->e, &m.c, &m.spec, &err));
        assert_null(m.spec.seccomp);
        assert_null(m.spec.masked_paths);
        assert_null(m.spec.readonly_paths);
}

/* --- namespaces --- */

static void test_namespaces(void **state)
{
        MAKING(m);
        OK(spec_add_namespaces(m.f->e, &m.c, &m.spec, &err));
        for (int i = 0; i < OCI_NS_KINDS; i++)
                if (m.spec.namespaces[i].wanted != (i != OCI_NS_USER && i != OCI_NS_TIME))
                        fail_msg("namespace %s", oci_namespace_name((enum oci_namespace_kind)i));
        MAKING(host);
        host.c.config.network_mode = xstrdup("host");
        host.c.config.pid_mode = xstrdup("host");
        host.c.config.time_offset = xstrdup("-60");
        host.c.config.userns_mode = xstrdup("private");
        OK(spec_add_namespaces(host.f->e, &host.c, &host.spec, &err));
        assert_false(host.spec.namespaces[OCI_NS_NETWORK].wanted || host.spec.namespaces[OCI_NS_PID].wanted);
        assert_true(host.spec.namespaces[OCI_NS_TIME].wanted && host.spec.monotonic_secs == -60);
        assert_true(host.spec.namespaces[OCI_NS_USER].wanted && host.spec.uid_maps[0].size >= 65536);
}

static void test_namespaces_joined(void **state)
{
        MAKING(m);
        _cleanup_container_ struct container other = { 0 };
        container_config_init(&other.config);
        id_of('b', other.id);
        row_put(m.f, &other, "other");
        m.c.config.network_mode = xstrdup("container:other");
        FAILS(spec_add_namespaces(m.f->e, &m.c, &m.spec, &err), ERR_CONFLICT, "cannot join network of a non running container: bbbb");
        _cleanup_close_ int monitor = running_make(m.f, &other, 4321);
        MAKING(again);
        again.c.config.network_mode = xstrdup("container:other");
        OK(spec_add_namespaces(again.f->e, &again.c, &again.spec, &err));
        assert_string_equal(again.spec.namespaces[OCI_NS_NETWORK].path, "/proc/4321/ns/net");
        MAKING(odd);
        odd.c.config.pid_mode = xstrdup("odd");
        FAILS(spec_add_namespaces(odd.f->e, &odd.c, &odd.spec, &err), ERR_INVALID, "invalid pid mode: odd");
        MAKING(privileged);
        privileged.c.config.privileged = true;
        privileged.c.config.userns_mode = xstrdup("private");
        FAILS(spec_add_namespaces(privileged.f->e, &privileged.c, &privileged.spec, &err), ERR_CONFLICT, "incompatible with user namespaces");
}

/* --- mounts, devices --- */

static const struct oci_mount *mount_at(const struct oci_spec *spec, const char *target)
{
        const struct oci_mount *found = NULL;
        for (size_t i = 0; i < spec->mount_count; i++)
                if (str_eq(spec->mounts[i].destination, target)) {
                        assert_null(found);    /* twice would hide one */
                        found = &spec->mounts[i];
                }
        return found;
}

static size_t position_of(const struct oci_spec *spec, const char *target) { return (size_t)(mount_at(spec, target) - spec->mounts); }

static int run_dir(struct fixture *f, char **ret_path)
{
        *ret_path = path_join(f->dir, "run/containers/x");
        OK(path_mkdirs(*ret_path, 0700, &err));
        int fd = open(*ret_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        return fd;
}

static void test_mounts(void **state)
{
        MAKING(m);
        struct container_config *c = &m.c.config;
        _cleanup_free_ char *path = NULL, *made = path_join(m.f->dir, "made/here"), *bind = xasprintf("%s:/a/b:ro", made);
        _cleanup_close_ int fd = run_dir(m.f, &path);
        struct name_files files = { fd, path };
        OK(mount_request_parse_volume(bind, &c->mounts, &c->mount_count, &err));
        OK(mount_request_parse_tmpfs("/a:size=1m", &c->mounts, &c->mount_count, &err));
        OK(mount_request_parse_tmpfs("/dev/shm", &c->mounts, &c->mount_count, &err));
        OK(mount_request_parse_mount("type=bind,src=/etc/hosts,dst=/etc/hosts", &c->mounts, &c->mount_count, &err));
        OK(spec_add_mounts(m.f->e, &m.c, -1, &files, &m.spec, &err));
        assert_true(strv_has(mount_at(&m.spec, "/a/b")->options, "ro"));
        assert_true(strv_has(mount_at(&m.spec, "/a")->options, "size=1m"));
        assert_true(position_of(&m.spec, "/a") < position_of(&m.spec, "/a/b"));        /* else it would be hidden */
        assert_string_equal(mount_at(&m.spec, "/dev/shm")->type, "tmpfs");
        assert_string_equal(mount_at(&m.spec, "/etc/hosts")->source, "/etc/hosts");
        assert_true(file_there(m.f, "made/here"));     /* -v makes it */
        assert_true(file_there(m.f, "run/containers/x/resolv.conf"));
        assert_false(file_there(m.f, "run/containers/x/hosts"));
        assert_non_null(mount_at(&m.spec, "/proc"));
}

static void test_mounts_missing(void **state)
{
        MAKING(m);
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = run_dir(m.f, &path);
        struct name_files files = { fd, path };
        OK(mount_request_parse_mount("type=bind,src=/no/such,dst=/c", &m.c.config.mounts, &m.c.config.mount_count, &err));
        FAILS(spec_add_mounts(m.f->e, &m.c, -1, &files, &m.spec, &err), ERR_INVALID, "bind source path does not exist: /no/such");
}

static void test_devices(void **state)
{
        MAKING(m);
        strv_push(&m.c.config.devices, "/dev/null:/dev/void:r");
        OK(spec_add_devices(&m.c.config, &m.spec, &err));
        const struct oci_device *d = &m.spec.devices[m.spec.device_count - 1];
        assert_string_equal(d->path, "/dev/void");
        assert_true(d->type == 'c' && d->major == 1 && d->minor == 3);
        static const struct { const char *text, *words; } rows[] = {
                { "null", "invalid device specification" },
                { "/dev/null:/a:b:c", "invalid device specification" },
                { "/dev/null:/a:rx", "bad mode specified: rx" },
                { "/dev/null:a", "is not an absolute path" },
                { "/etc/passwd", "not a device node" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                MAKING(bad);
                strv_push(&bad.c.config.devices, rows[i].text);
                FAILS(spec_add_devices(&bad.c.config, &bad.spec, &err), ERR_INVALID, rows[i].words);
        }
}

static void test_plan(void **state)
{
        MAKING(m);
        struct storage *st = NULL;
        _cleanup_start_plan_ struct start_plan p = { 0 }, none = { 0 }, bad = { 0 };
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = run_dir(m.f, &path);
        OK(engine_storage(m.f->e, &st, &err));
        strv_push(&m.c.config.log_opts, "max-size=1m");
        strv_push(&m.c.config.log_opts, "max-file=3");
        OK(start_plan_make(m.f->e, &m.c, fd, &p, &err));
        assert_true(root_exists(st->snapshots, m.c.id));       /* made now */
        assert_true(p.log.max_size == 1 << 20 && p.log.max_files == 3);
        assert_true(str_ends(p.log.path, "-json.log"));
        assert_true(str_starts(p.spec.cgroups_path, "/tare/aaaa"));
        str_replace(&m.c.config.log_driver, "none");
        OK(start_plan_make(m.f->e, &m.c, fd, &none, &err));
        assert_null(none.log.path);
        str_replace(&m.c.config.log_driver, NULL);
        str_replace(&m.c.config.log_opts[1], "max-file=0");
        FAILS(start_plan_make(m.f->e, &m.c, fd, &bad, &err), ERR_INVALID, "max-file");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                T(test_process),          T(test_process_user),     T(test_process_empty),       T(test_resources),  T(test_resources_refused),
                T(test_security_default), T(test_security_options), T(test_security_privileged), T(test_namespaces), T(test_namespaces_joined),
                T(test_mounts),           T(test_mounts_missing),   T(test_devices),             T(test_plan),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Definitions: kept as JSON and read back, merged with an image's, refused when they contradict themselves. */
#include "fixture.h"

#include <signal.h>

#include "base/json.h"

static void config_fill(struct container_config *c)
{
        c->image = xstrdup("debian:12");
        c->hostname = xstrdup("box");
        c->tty = c->open_stdin = c->privileged = c->init = true;
        strv_push(&c->env, "A=1");
        strv_push(&c->env, "EMPTY=");
        strv_push(&c->cmd, "sh");
        strv_push(&c->cmd, "-c");
        strv_push(&c->cmd, "a \"quoted\" word\n");
        strv_push(&c->labels, "k=v=w");
        strv_push(&c->exposed_ports, "80/tcp");
        strv_push(&c->healthcheck.test, "CMD-SHELL");
        strv_push(&c->healthcheck.test, "true");
        c->healthcheck.interval = 5000000000;
        c->stop_timeout = 0;           /* not the same as none given */
        c->memory = 1 << 30;
        c->memory_swap = -1;
        c->memory_swappiness = 0;
        c->pids_limit = -1;
        strv_push(&c->sysctls, "net.core.somaxconn=10");
        strv_push(&c->ports, "80:80");
        OK(mount_request_parse_volume("/a:/b:ro,rslave", &c->mounts, &c->mount_count, &err));
        OK(mount_request_parse_mount("type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777", &c->mounts, &c->mount_count, &err));
}

static char *text_of(const struct container_config *c)
{
        _cleanup_json_ json_t *o = container_config_to_json(c);
        return json_text(o);
}

static void test_round(void **state)
{
        _cleanup_container_config_ struct container_config before, after;
        container_config_init(&before);
        container_config_init(&after);
        config_fill(&before);
        _cleanup_json_ json_t *o = container_config_to_json(&before);
        OK(container_config_from_json(o, &after, &err));
        _cleanup_free_ char *first = text_of(&before), *second = text_of(&after);
        assert_string_equal(first, second);
        assert_string_equal(after.cmd[2], "a \"quoted\" word\n");
        assert_string_equal(after.labels[0], "k=v=w");
        assert_int_equal(after.stop_timeout, 0);
        assert_int_equal(after.memory_swap, -1);
        assert_int_equal(after.memory_swappiness, 0);
        assert_int_equal(after.mounts[1].tmpfs_mode, 01777);
        assert_int_equal(after.mounts[1].tmpfs_size, 1 << 20);
        assert_true(after.mounts[0].read_only && after.mounts[0].create_source);
        assert_string_equal(after.mounts[0].propagation, "rslave");
}

static void test_unset(void **state)
{
        _cleanup_container_config_ struct container_config before, after;
        container_config_init(&before);
        container_config_init(&after);
        _cleanup_json_ json_t *o = container_config_to_json(&before);
        OK(container_config_from_json(o, &after, &err));
        assert_int_equal(after.stop_timeout, -1);
        assert_int_equal(after.memory_swappiness, -1);
        assert_null(after.cmd);
        assert_null(after.hostname);
}

static void test_damaged(void **state)
{
        static const struct { const char *text, *words; } rows[] = {
                { "{\"Config\":{}}", "HostConfig" },
                { "{\"Config\":{\"Tty\":1},\"HostConfig\":{}}", "Tty" },
                { "{\"Config\":{},\"HostConfig\":{\"Memory\":\"much\"}}", "HostConfig.Memory" },
                { "{\"Config\":{},\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\"}]}}", "Mounts[0].Target" },
                { "{\"Config\":{},\"HostConfig\":{\"Mounts\":[{\"Type\":\"odd\",\"Target\":\"/\"}]}}", "unknown mount type \"odd\"" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct container_config c;
                struct err none = ERR_INIT;
                _cleanup_json_ json_t *o = json_parse(rows[i].text, strlen(rows[i].text), 4096, "test", &none);
                assert_non_null(o);
                FAILS(container_config_from_json(o, &c, &err), ERR_INVALID, rows[i].words);
        }
}

/* --- merge --- */

static void image_fill(struct image_exec *x)
{
        image_exec_init(x);
        strv_push(&x->entrypoint, "/entry");
        strv_push(&x->cmd, "serve");
        strv_push(&x->env, "PATH=/bin");
        strv_push(&x->env, "A=image");
        strv_push(&x->labels, "l=image");
        strv_push(&x->volumes, "/data");
        strv_push(&x->exposed_ports, "443/tcp");
        x->user = xstrdup("app");
        x->working_dir = xstrdup("/srv");
        x->stop_signal = xstrdup("SIGQUIT");
}

static void test_merge_defaults(void **state)
{
        _cleanup_container_config_ struct container_config c;
        _cleanup_(image_exec_done) struct image_exec x;
        container_config_init(&c);
        image_fill(&x);
        container_config_merge(&c, &x);
        assert_string_equal(c.entrypoint[0], "/entry");
        assert_string_equal(c.cmd[0], "serve");
        assert_string_equal(c.user, "app");
        assert_string_equal(c.working_dir, "/srv");
        assert_string_equal(c.stop_signal, "SIGQUIT");
        assert_int_equal(c.mount_count, 1);
        assert_int_equal(c.mounts[0].kind, MOUNT_VOLUME);
        assert_null(c.mounts[0].source);
}

static void test_merge_user(void **state)
{
        _cleanup_container_config_ struct container_config c;
        _cleanup_(image_exec_done) struct image_exec x;
        container_config_init(&c);
        image_fill(&x);
        strv_push(&c.cmd, "mine");
        strv_push(&c.env, "A=mine");
        strv_push(&c.labels, "l=mine");
        c.user = xstrdup("0");
        OK(mount_request_parse_volume("/host:/data", &c.mounts, &c.mount_count, &err));
        container_config_merge(&c, &x);
        assert_string_equal(c.entrypoint[0], "/entry");
        assert_string_equal(c.cmd[0], "mine");
        assert_string_equal(strv_env_get(c.env, "A"), "mine");
        assert_string_equal(strv_env_get(c.env, "PATH"), "/bin");
        assert_string_equal(strv_env_get(c.labels, "l"), "mine");
        assert_string_equal(c.user, "0");
        assert_int_equal(c.mount_count, 1);    /* ours is there already */
        assert_int_equal(c.mounts[0].kind, MOUNT_BIND);
}

static void test_merge_entrypoint(void **state)
{
        _cleanup_container_config_ struct container_config given, cleared;
        _cleanup_(image_exec_done) struct image_exec x;
        container_config_init(&given);
        container_config_init(&cleared);
        image_fill(&x);
        given.entrypoint_given = cleared.entrypoint_given = true;
        strv_push(&given.entrypoint, "/other");
        container_config_merge(&given, &x);
        assert_string_equal(given.entrypoint[0], "/other");
        assert_null(given.cmd);        /* the image's belongs to the image's entrypoint */
        strv_push(&cleared.entrypoint, "");
        strv_push(&cleared.cmd, "sh");
        container_config_merge(&cleared, &x);
        assert_null(cleared.entrypoint);
        assert_string_equal(cleared.cmd[0], "sh");
}

/* --- check --- */

static void reset(struct container_config *c)
{
        container_config_done(c);
        container_config_init(c);
}

static void test_check(void **state)
{
        _cleanup_container_config_ struct container_config c;
        container_config_init(&c);
        OK(container_config_check(&c, &err));
#define REFUSES(words, ...)                                                                                            \
        do {                                                                                                           \
                reset(&c);                                                                                             \
                __VA_ARGS__;                                                                                           \
                FAILS(container_config_check(&c, &err), ERR_INVALID, words);                                           \
        } while (0)
        REFUSES("Minimum memory limit allowed is 6MB", c.memory = 4096);
        REFUSES("should always set the Memory limit", c.memory_swap = 1 << 30);
        REFUSES("larger than memory limit", c.memory = 1 << 30; c.memory_swap = 1 << 20);
        REFUSES("0-100", c.memory_swappiness = 101);
        REFUSES("Nano CPUs", c.nano_cpus = 1; c.cpu_quota = 5000);
        REFUSES("CPU cfs period", c.cpu_period = 10);
        REFUSES("CPU cfs quota", c.cpu_quota = 10);
        REFUSES("blkio weight", c.blkio_weight = 5);
        REFUSES("invalid hostname format", c.hostname = xstrdup("a b"));
        REFUSES("needs to be an absolute path", c.working_dir = xstrdup("srv"));
        REFUSES("invalid environment variable", strv_push(&c.env, "=x"));
        REFUSES("sysctl 'x' is not allowed", strv_push(&c.sysctls, "x"));
        REFUSES("sysctl 'vm.swappiness=1' is not allowed", strv_push(&c.sysctls, "vm.swappiness=1"));  /* the host's */
        REFUSES("not allowed in the host network namespace", strv_push(&c.sysctls, "net.core.somaxconn=1"); c.network_mode = xstrdup("host"));
        REFUSES("not allowed in the host ipc namespace", strv_push(&c.sysctls, "kernel.msgmax=1"); c.ipc_mode = xstrdup("host"));
        REFUSES("range for oom score adj", c.oom_score_adj = 1001);
        REFUSES("invalid PID mode: odd", c.pid_mode = xstrdup("odd"));
        REFUSES("Invalid IPC mode: container:", c.ipc_mode = xstrdup("container:"));
        REFUSES("invalid container format", c.network_mode = xstrdup("container:"));
        REFUSES("incompatible with user namespaces", c.privileged = true; c.userns_mode = xstrdup("private"));
        REFUSES("Invalid signal: NONE", c.stop_signal = xstrdup("NONE"));
        REFUSES("cannot specify both --restart and --rm", c.auto_remove = true; c.restart_policy = xstrdup("always"));
        REFUSES("no log driver named 'fluentd' is registered", c.log_driver = xstrdup("fluentd"));
        REFUSES("unknown log opt 'foo' for json-file log driver", strv_push(&c.log_opts, "foo=x"));
        REFUSES("unknown log opt 'compress' for journald log driver", c.log_driver = xstrdup("journald"); strv_push(&c.log_opts, "compress=true"));
        REFUSES("logging mode not supported: fast", strv_push(&c.log_opts, "mode=fast"));
        REFUSES("max-buffer-size option is only supported with 'mode=non-blocking'", strv_push(&c.log_opts, "max-buffer-size=1m"));
        REFUSES("compress cannot be true when max-file is less than 2", strv_push(&c.log_opts, "compress=true"));
        REFUSES("error parsing regexp", strv_push(&c.log_opts, "labels-regex=("));
        REFUSES("invalid syslog facility", c.log_driver = xstrdup("syslog"); strv_push(&c.log_opts, "syslog-facility=loud"));
        REFUSES("Invalid syslog format", c.log_driver = xstrdup("syslog"); strv_push(&c.log_opts, "syslog-format=rfc1"));
        reset(&c);
        c.log_driver = xstrdup("syslog");
        strv_push(&c.log_opts, "syslog-address=tcp+tls://h:1");
        FAILS(container_config_check(&c, &err), ERR_UNSUPPORTED, "syslog over TLS is not supported");
        REFUSES("syslog-address should be in form proto://address, got h:1", c.log_driver = xstrdup("syslog");
                strv_push(&c.log_opts, "syslog-address=h:1"));
        REFUSES("stat /nowhere/at/all", c.log_driver = xstrdup("syslog"); strv_push(&c.log_opts, "syslog-address=unix:///nowhere/at/all"));
        REFUSES("port publishing and the container type network mode", c.network_mode = xstrdup("container:x"); strv_push(&c.ports, "80"));
        REFUSES("Duplicate mount point: /x", OK(mount_request_parse_tmpfs("/x", &c.mounts, &c.mount_count, &err));
                OK(mount_request_parse_volume("/y:/x/", &c.mounts, &c.mount_count, &err)));
}

static int signal_of(const char *text)
{
        struct err ignored = ERR_INIT;
        return signal_parse(text, &ignored);
}

static void test_signals(void **state)
{
        assert_int_equal(signal_of("KILL"), SIGKILL);
        assert_int_equal(signal_of("SIGKILL"), SIGKILL);
        assert_int_equal(signal_of("sigterm"), SIGTERM);
        assert_int_equal(signal_of("9"), 9);
        assert_int_equal(signal_of("RTMIN+3"), SIGRTMIN + 3);
        assert_int_equal(signal_of("SIGRTMIN"), SIGRTMIN);
        static const char *const bad[] = { "", "0", "-9", "65000", "SIG", "KILLX", "99999999999" };
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (signal_of(bad[i]) != -1)
                        fail_msg("taken for a signal: \"%s\"", bad[i]);
}

static void test_restart(void **state)
{
        enum restart_kind kind = RESTART_ALWAYS;
        uint32_t max = 9;
        OK(restart_policy_parse(NULL, &kind, &max, &err));
        assert_int_equal(kind, RESTART_NO);
        OK(restart_policy_parse("on-failure:3", &kind, &max, &err));
        assert_true(kind == RESTART_ON_FAILURE && max == 3);
        OK(restart_policy_parse("on-failure", &kind, &max, &err));
        assert_int_equal(max, 0);
        OK(restart_policy_parse("unless-stopped", &kind, &max, &err));
        assert_int_equal(kind, RESTART_UNLESS_STOPPED);
        FAILS(restart_policy_parse("always:3", &kind, &max, &err), ERR_INVALID, "maximum retry count cannot be used");
        FAILS(restart_policy_parse("sometimes", &kind, &max, &err), ERR_INVALID, "invalid restart policy 'sometimes'");
        FAILS(restart_policy_parse("on-failure:x", &kind, &max, &err), ERR_INVALID, "must be an integer");
}

static void test_names(void **state)
{
        for (unsigned attempt = 0; attempt < 6; attempt++)
                for (int i = 0; i < 50; i++) {
                        _cleanup_free_ char *name = container_name_random(attempt);
                        assert_true(container_name_valid(name));
                }
        static const char *const bad[] = { "", "a", "-a", ".a", "_a", "a b", "a/b", "a\n", "\xc3\xa9t\xc3\xa9" };
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (container_name_valid(bad[i]))
                        fail_msg("taken for a name: \"%s\"", bad[i]);
        assert_true(container_name_valid("a.b_c-D9"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round),      cmocka_unit_test(test_unset),            cmocka_unit_test(test_damaged),
                cmocka_unit_test(test_merge_defaults), cmocka_unit_test(test_merge_user),   cmocka_unit_test(test_merge_entrypoint),
                cmocka_unit_test(test_check),      cmocka_unit_test(test_signals),          cmocka_unit_test(test_restart),
                cmocka_unit_test(test_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "harness.h"

static void has(const struct box *b, const char *text)
{
        if (!strstr(b->output, text))
                fail_msg("no \"%s\" in:\n%s", text, b->output);
}

static void has_not(const struct box *b, const char *text)
{
        if (strstr(b->output, text))
                fail_msg("\"%s\" in:\n%s", text, b->output);
}

/* Nobody's privileges: a user namespace with one id, devices bound in, no groups. */
static int run_rootless(struct box *b)
{
        struct err err = ERR_INIT;
        struct running r;
        if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
                return 98;
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* as a program that this user started would be */
        if (box_create(b, &r, &err) < 0 || runtime_start(&r.c, &err) < 0 || box_finish(b, &r, &err) < 0) {
                fprintf(stderr, "%s\n", err.msg);
                return 99;
        }
        fputs(b->output, stderr);
        static const char *const wanted[] = { "uid=0(root) gid=0", "0      65534          1", "dev ok",
                                              "CapEff:\t00000000a80425fb", "proc /proc" };
        for (size_t i = 0; i < ELEMENTS(wanted); i++)
                if (!strstr(b->output, wanted[i]))
                        return 10 + (int)i;
        return b->status;
}

static void rootless(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "id; cat /proc/self/uid_map; echo x > /dev/null && echo dev ok; grep CapEff /proc/self/status; "
                     "grep ' /proc ' /proc/mounts; hostname none && hostname");
        b.spec.namespaces[OCI_NS_USER].wanted = true;
        b.spec.uid_maps = xcalloc(1, sizeof(struct oci_id_map));
        b.spec.gid_maps = xcalloc(1, sizeof(struct oci_id_map));
        b.spec.uid_maps[0] = b.spec.gid_maps[0] = (struct oci_id_map){ 0, 65534, 1 };
        b.spec.uid_map_count = b.spec.gid_map_count = 1;
        strv_push(&b.rootfs.options, "userxattr");
        for (size_t i = 0; i < b.spec.mount_count; i++) /* no id 5 here */
                if (str_eq(b.spec.mounts[i].destination, "/dev/pts")) {
                        free(b.spec.mounts[i].options[strv_len(b.spec.mounts[i].options) - 1]);
                        b.spec.mounts[i].options[strv_len(b.spec.mounts[i].options) - 1] = NULL;
                }
        free((char *)b.request.seccomp_cache);
        b.request.seccomp_cache = NULL;
        char path[300];
        for (int i = 0; i < 3; i++) {
                static const char *const parts[] = { "", "/upper", "/work" };
                snprintf(path, sizeof(path), "%s/%s%s", harness_dir, b.id, parts[i]);
                assert_return_code(chown(path, 65534, 65534), errno);
        }
        capabilities_apply(0xa80425fb, &b.spec.process);
        pid_t pid = fork();
        if (pid == 0)
                _exit(run_rootless(&b));
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status),
                         1); /* hostname(2) itself is not for this profile: the last command fails */
}

static void joined_namespaces(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        char text[3];
        _cleanup_box_ struct box a;
        box_init(&a, "echo up; sleep 100");
        str_replace(&a.spec.hostname, "shared");
        must(box_create(&a, &r, &err), &err);
        must(runtime_start(&r.c, &err), &err);
        assert_int_equal(fd_read_full(r.out, text, 3), 3);
        {
                static const struct {
                        enum oci_namespace_kind kind;
                        const char *name;
                } join[] = {
                        { OCI_NS_PID, "pid" }, { OCI_NS_NETWORK, "net" }, { OCI_NS_IPC, "ipc" }, { OCI_NS_UTS, "uts" }
                };
                _cleanup_box_ struct box b;
                box_init(&b, "hostname; ps; readlink /proc/self/ns/net; readlink /proc/1/ns/net");
                for (size_t i = 0; i < ELEMENTS(join); i++)
                        b.spec.namespaces[join[i].kind].path = xasprintf("/proc/%d/ns/%s", (int)r.c.pid, join[i].name);
                box_expect(&b, 0);
                has(&b, "shared\n");
                has(&b, "sleep 100");
                /* both links are the same */
                char *first = strstr(b.output, "net:["), *second = first ? strstr(first + 1, "net:[") : NULL;
                assert_non_null(second);
                assert_memory_equal(first, second, strcspn(first, "\n"));
                /* and the caller is where it was */
                assert_true(access("/tmp", F_OK) == 0 && waitpid(-1, NULL, WNOHANG) == 0);
        }
        kill(r.c.pid, SIGKILL);
        must(box_finish(&a, &r, &err), &err);
}

static void started_over_a_socket(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/start", harness_dir);
        assert_return_code(bind(listener, (struct sockaddr *)&address, sizeof(address)), errno);
        assert_return_code(listen(listener, 1), errno);
        _cleanup_box_ struct box b, missing;
        box_init(&b, "echo started");
        b.request.start_listen_fd = listener;
        must(box_create(&b, &r, &err), &err);
        close(r.c.start_fd); /* the creator goes */
        _cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        assert_return_code(connect(sock, (struct sockaddr *)&address, sizeof(address)), errno);
        r.c.start_fd = TAKE_FD(sock);
        must(runtime_start(&r.c, &err), &err);
        must(box_finish(&b, &r, &err), &err);
        assert_string_equal(b.output, "started\n");
        /* A command that is missing is told of at once: who starts later may be another. */
        box_init(&missing, "");
        box_args(&missing, (const char *[]){ "nonesuch", NULL });
        missing.request.start_listen_fd = listener;
        assert_int_equal(box_create(&missing, &r, &err), -1);
        assert_int_equal(err.kind, ERR_NO_COMMAND);
        unlink(address.sun_path);
}

static void reaper_as_first_process(void **state)
{
        /* Any static program can stand in for the reaper: busybox is asked what it was called as. */
        _cleanup_box_ struct box b;
        box_init(&b, "");
        box_args(&b, (const char *[]){ "some", "command", NULL });
        b.request.init_process = true;
        b.request.init_path = "/bin/busybox";
        box_expect(&b, 127);
        has(&b, "docker-init: applet not found");
}

static int receive_listener(int sock, char *text, size_t size)
{
        struct err err = ERR_INIT;
        size_t count = 0, len = 0;
        int fd = -1;
        _cleanup_close_ int from = accept4(sock, NULL, NULL, SOCK_CLOEXEC);
        assert_return_code(from, errno);
        assert_int_equal(fd_receive(from, &fd, 1, &count, text, size - 1, &len, &err), 0);
        text[len] = 0;
        assert_int_equal(count, 1);
        return fd;
}

static void seccomp_agent(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/agent", harness_dir);
        assert_return_code(bind(agent, (struct sockaddr *)&address, sizeof(address)), errno);
        assert_return_code(listen(agent, 1), errno);
        _cleanup_box_ struct box b;
        box_init(&b, "mkdir /tmp/asked || echo answered");
        struct oci_seccomp *s = b.spec.seccomp;
        free(s->default_action);
        s->default_action = xstrdup("SCMP_ACT_ALLOW");
        s->has_default_errno = false;
        while (s->rule_count > 1) { /* only one rule: mkdir asks the agent */
                struct oci_seccomp_rule *rule = &s->rules[--s->rule_count];
                strv_free(rule->names);
                free(rule->action);
                for (size_t i = 0; i < rule->arg_count; i++)
                        free(rule->args[i].op);
                free(rule->args);
        }
        strv_free(s->rules[0].names);
        s->rules[0].names = strv_split("mkdir mkdirat", " ", false);
        str_replace(&s->rules[0].action, "SCMP_ACT_NOTIFY");
        str_replace(&s->listener_path, address.sun_path);
        str_replace(&s->listener_metadata, "meta");
        must(box_create(&b, &r, &err), &err);
        char text[2048];
        _cleanup_close_ int fd = receive_listener(agent, text, sizeof(text));
        assert_non_null(strstr(text, "\"fds\":[\"seccompFd\"]"));
        assert_non_null(strstr(text, "\"metadata\":\"meta\""));
        assert_non_null(strstr(text, b.id));
        must(runtime_start(&r.c, &err), &err);
        struct seccomp_notif request = { 0 };
        assert_return_code(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request), errno);
        struct seccomp_notif_resp response = { .id = request.id, .error = -EXFULL };
        assert_return_code(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response), errno);
        must(box_finish(&b, &r, &err), &err);
        has(&b, "Exchange full");
        has(&b, "answered");
        unlink(address.sun_path);
}

static void time_namespace(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "cut -d. -f1 /proc/uptime");
        b.spec.namespaces[OCI_NS_TIME].wanted = true;
        b.spec.has_boottime_offset = true;
        b.spec.boottime_secs = 1000000000;
        box_expect(&b, 0);
        assert_true(strlen(b.output) >= 11);
}

static void hooks_run_in_order(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *log = xasprintf("%s/hooks", harness_dir);
        _cleanup_box_ struct box b;
        box_init(&b, "cat /hook");
        static const enum oci_hook_kind kinds[] = { OCI_HOOK_PRESTART, OCI_HOOK_CREATE_RUNTIME,
                                                    OCI_HOOK_CREATE_CONTAINER, OCI_HOOK_START_CONTAINER };
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                struct oci_hooks *h = &b.spec.hooks[kinds[i]];
                h->list = xcalloc(1, sizeof(struct oci_hook));
                h->count = 1;
                h->list[0].path = xstrdup("/bin/sh");
                strv_push(&h->list[0].args, "sh");
                strv_push(&h->list[0].args, "-c");
                strv_push_take(&h->list[0].args,
                               kinds[i] == OCI_HOOK_START_CONTAINER
                                       ? xstrdup("/bin/cat > /hook")
                                       : xasprintf("read line; case \"$line\" in *creating*) echo %s >> %s;; esac",
                                                   i == 0   ? "prestart"
                                                   : i == 1 ? "runtime"
                                                            : "container",
                                                   log));
        }
        box_expect(&b, 0);
        has(&b, "\"status\":\"created\"");
        has(&b, b.id);
        _cleanup_buf_ struct buf text = BUF_INIT(1000);
        assert_int_equal(file_read_at(AT_FDCWD, log, &text, &err), 0);
        assert_string_equal(text.data, "prestart\nruntime\ncontainer\n");
        unlink(log);
        _cleanup_box_ struct box bad;
        box_init(&bad, "true");
        bad.spec.hooks[OCI_HOOK_CREATE_RUNTIME].list = xcalloc(1, sizeof(struct oci_hook));
        bad.spec.hooks[OCI_HOOK_CREATE_RUNTIME].count = 1;
        struct oci_hook *slow = bad.spec.hooks[OCI_HOOK_CREATE_RUNTIME].list;
        slow->path = xstrdup("/bin/sleep");
        strv_push(&slow->args, "sleep");
        strv_push(&slow->args, "60");
        slow->timeout = 1;
        assert_int_equal(box_run(&bad, &err), -1);
        assert_int_equal(err.kind, ERR_TIMEOUT);
}

static void other_roots(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "cat /proc/mounts | head -1; ls /");
        b.request.rootfs = NULL;
        b.spec.root_path = xstrdup("root");
        _cleanup_close_ int bundle = open(harness_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        b.request.bundle_fd = bundle;
        b.request.no_pivot = true;
        box_expect(&b, 0);
        has(&b, "busybox" + 7); /* "" : it ran */
        has_not(&b, "usr");
        _cleanup_box_ struct box c;
        box_init(&c, "ls /");
        c.request.rootfs = NULL;
        c.spec.root_path = xasprintf("%s/root", harness_dir);
        c.spec.root_readonly = true;
        box_expect(&c, 0);
        has_not(&c, "usr");
}

static void many_layers(void **state)
{
        _cleanup_box_ struct box b;
        struct err err = ERR_INIT;
        box_init(&b, "ls / | grep -c layer");
        char path[300];
        for (int i = 0; i < 60; i++) {
                snprintf(path, sizeof(path), "%s/%s/l%d/layer%d", harness_dir, b.id, i, i);
                assert_int_equal(path_mkdirs(path, 0755, &err), 0);
                strv_push_take(&b.rootfs.options, xasprintf("lowerdir+=%s/%s/l%d", harness_dir, b.id, i));
        }
        box_expect(&b, 0);
        assert_string_equal(b.output, "60\n");
}

static void personality_and_privileged(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "uname -m; mount -t tmpfs x /tmp && echo mounted");
        str_replace(&b.spec.personality_domain, "LINUX32");
        uint64_t mask;
        struct err err = ERR_INIT;
        assert_int_equal(capabilities_for(NULL, NULL, true, &mask, &err), 0);
        capabilities_apply(mask, &b.spec.process);
        seccomp_free(b.spec.seccomp);
        b.spec.seccomp = NULL;
        assert_int_equal(spec_add_host_devices(&b.spec, &err), 0);
        box_expect(&b, 0);
        has(&b, "mounted");
        has_not(&b, "x86_64");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rootless),
                cmocka_unit_test(joined_namespaces),
                cmocka_unit_test(started_over_a_socket),
                cmocka_unit_test(reaper_as_first_process),
                cmocka_unit_test(seccomp_agent),
                cmocka_unit_test(time_namespace),
                cmocka_unit_test(hooks_run_in_order),
                cmocka_unit_test(other_roots),
                cmocka_unit_test(many_layers),
                cmocka_unit_test(personality_and_privileged),
        };
        if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0) {
                fprintf(stderr, "needs root and /bin/busybox\n");
                return 77; /* meson: skipped */
        }
        return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/capability-internal.h"
#include "runtime/seccomp-internal.h"
#include "runtime/security.h"

#define BIT(cap) (UINT64_C(1) << (cap))
#define DOCKER_DEFAULTS 0xa80425fbu /* CapEff of a process in an ordinary docker container */

static void capability_names(void **state)
{
        assert_int_equal(capability_parse("CAP_CHOWN"), 0);
        assert_int_equal(capability_parse("net_admin"), CAP_NET_ADMIN);
        assert_int_equal(capability_parse("checkpoint_restore"), CAP_LAST_CAP);
        assert_int_equal(capability_parse("CAP_"), -1);
        assert_string_equal(capability_name(CAP_SYS_ADMIN), "CAP_SYS_ADMIN");
        assert_null(capability_name(63));
}

static void capability_changes(void **state)
{
        struct err err = ERR_INIT;
        uint64_t mask, bounding = capability_bounding();
        char *const admin[] = { (char *)"sys_admin", NULL }, *const all[] = { (char *)"ALL", NULL },
                    *const chown_[] = { (char *)"CHOWN", NULL };
        char *const wrong[] = { (char *)"nonsense", NULL };
        assert_int_equal(capabilities_for(NULL, NULL, false, &mask, &err), 0);
        assert_true(mask == (DOCKER_DEFAULTS & bounding));
        assert_int_equal(capabilities_for(admin, chown_, false, &mask, &err), 0);
        assert_true(mask == (((DOCKER_DEFAULTS & ~BIT(CAP_CHOWN)) | BIT(CAP_SYS_ADMIN)) & bounding));
        assert_int_equal(capabilities_for(all, chown_, false, &mask, &err), 0);
        assert_true(mask == (bounding & ~BIT(CAP_CHOWN)));
        assert_int_equal(capabilities_for(chown_, all, false, &mask, &err), 0);
        assert_true(mask == (BIT(CAP_CHOWN) & bounding));
        assert_int_equal(capabilities_for(NULL, NULL, true, &mask, &err), 0);
        assert_true(mask == bounding);
        assert_int_equal(capabilities_for(wrong, NULL, false, &mask, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
}

/* Runs fn under the filter in a child of ours and gives back its exit code. */
static int under(const struct seccomp_filter *f, int (*fn)(void))
{
        pid_t pid = fork();
        if (pid == 0) {
                struct sock_fprog prog = { (unsigned short)f->count, f->code };
                if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f->flags, &prog) < 0)
                        _exit(99);
                _exit(fn());
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define EXPECT(call, error)                                                                                            \
        do {                                                                                                           \
                errno = 0;                                                                                             \
                (void)!(call);                                                                                         \
                if (errno != (error))                                                                                  \
                        return __LINE__ % 90 + 1;                                                                      \
        } while (0)

static int fchmodat2_errno; /* of this kernel, which may not have the call */

static int try_default(void)
{
        EXPECT(syscall(SYS_getppid), 0);
        EXPECT(unshare(CLONE_NEWNS), EPERM);
        EXPECT(syscall(SYS_mount, 0, 0, 0, 0, 0), EPERM);
        EXPECT(syscall(SYS_clone3, 0, 0), ENOSYS);
        EXPECT(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM);
        EXPECT(syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM);
        EXPECT(syscall(SYS_io_uring_setup, 0, 0), EPERM);
        EXPECT(socket(40, SOCK_STREAM, 0), EPERM);
        EXPECT(socket(38, SOCK_SEQPACKET, 0), EPERM);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        EXPECT(fd, 0);
        EXPECT(syscall(SYS_personality, 0xffffffff), 0);
        EXPECT(syscall(SYS_personality, 0x40000), EPERM);
        EXPECT(syscall(467, -1, 0, 0, 0, 0), ENOSYS); /* younger than the profile */
        EXPECT(syscall(1000), ENOSYS);
        EXPECT(syscall(452, -1, "", 0, 0), fchmodat2_errno); /* let through to the kernel */
        EXPECT(syscall(459, 0, 0, 0, 0), EPERM); /* lsm_get_self_attr: only with CAP_SYS_ADMIN */
        return 0;
}

static void default_profile_by_effect(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_(seccomp_freep) struct oci_seccomp *s = seccomp_default(DOCKER_DEFAULTS);
        _cleanup_seccomp_filter_ struct seccomp_filter f = { 0 };
        assert_int_equal(seccomp_filter_compile(s, &f, &err), 0);
        assert_true(f.count > 100 && f.count < 4096);
        assert_int_equal(syscall(452, -1, "", 0, 0), -1);
        fchmodat2_errno = errno;
        assert_int_equal(under(&f, try_default), 0);
}

static int try_admin(void)
{
        EXPECT(syscall(SYS_mount, 0, 0, 0, 0, 0), EFAULT);
        EXPECT(syscall(SYS_clone3, 0, 0), EINVAL);
        EXPECT(syscall(SYS_reboot, 0, 0, 0, 0), EPERM);
        return 0;
}

static void default_profile_with_sys_admin(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_(seccomp_freep) struct oci_seccomp *s = seccomp_default(DOCKER_DEFAULTS | BIT(CAP_SYS_ADMIN));
        _cleanup_seccomp_filter_ struct seccomp_filter f = { 0 };
        assert_int_equal(seccomp_filter_compile(s, &f, &err), 0);
        assert_int_equal(under(&f, try_admin), 0);
}

/* ---- the reshaped code against the library's own, instruction by instruction ---- */

static uint32_t interpret(const struct sock_filter *code, size_t count, const struct seccomp_data *data)
{
        uint32_t a = 0, value;
        for (size_t pc = 0; pc < count; pc++) {
                const struct sock_filter *i = &code[pc];
                bool yes = false;
                switch (i->code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        memcpy(&value, (const char *)data + i->k, 4);
                        a = value;
                        continue;
                case BPF_RET | BPF_K:
                        return i->k;
                case BPF_JMP | BPF_JA:
                        pc += i->k;
                        continue;
                case BPF_ALU | BPF_AND | BPF_K:
                        a &= i->k;
                        continue;
                case BPF_JMP | BPF_JEQ | BPF_K:
                        yes = a == i->k;
                        break;
                case BPF_JMP | BPF_JGE | BPF_K:
                        yes = a >= i->k;
                        break;
                case BPF_JMP | BPF_JGT | BPF_K:
                        yes = a > i->k;
                        break;
                case BPF_JMP | BPF_JSET | BPF_K:
                        yes = a & i->k;
                        break;
                default:
                        fail_msg("instruction %x", i->code);
                }
                pc += yes ? i->jt : i->jf;
        }
        fail_msg("fell off the end");
        return 0;
}

static void add_reference_rules(scmp_filter_ctx ctx, const struct oci_seccomp *s)
{
        for (size_t i = 0; i < s->rule_count; i++) {
                const struct oci_seccomp_rule *r = &s->rules[i];
                struct scmp_arg_cmp c = { 0 };
                if (r->arg_count)
                        c = (struct scmp_arg_cmp){ r->args[0].index,
                                                   str_eq(r->args[0].op, "SCMP_CMP_LT")   ? SCMP_CMP_LT
                                                   : str_eq(r->args[0].op, "SCMP_CMP_EQ") ? SCMP_CMP_EQ
                                                                                          : SCMP_CMP_MASKED_EQ,
                                                   r->args[0].value, r->args[0].value_two };
                STRV_FOREACH (name, r->names) {
                        int nr = seccomp_syscall_resolve_name(*name);
                        if (nr != __NR_SCMP_ERROR)
                                (void)seccomp_rule_add_array(ctx,
                                                             str_eq(r->action, "SCMP_ACT_ALLOW")
                                                                     ? SCMP_ACT_ALLOW
                                                                     : SCMP_ACT_ERRNO(r->errno_ret),
                                                             nr, (unsigned)r->arg_count, &c);
                }
        }
}

static size_t reference_code(const struct oci_seccomp *s, struct sock_filter *code, size_t max)
{
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
        seccomp_arch_add(ctx, SCMP_ARCH_X86);
        seccomp_arch_add(ctx, SCMP_ARCH_X32);
        add_reference_rules(ctx, s);
        int fd = memfd_create("reference", MFD_CLOEXEC);
        assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
        seccomp_release(ctx);
        ssize_t n = pread(fd, code, max * sizeof(*code), 0);
        close(fd);
        return (size_t)n / sizeof(*code);
}

static void reshaped_code_says_the_same(void **state)
{
#ifdef __x86_64__
        static const uint64_t values[] = { 0,          1,           2,          8,          11,        12,      13,
                                           16,         38,          40,         45,         46,        0x20000, 0x20008,
                                           0xffffffff, 0x100000000, 0x10000000, 0x7e020000, UINT64_MAX };
        static const uint32_t arches[] = { 0xc000003e, 0x40000003, 0xc00000b7 };
        static const uint64_t masks[] = { DOCKER_DEFAULTS, UINT64_MAX, 0 };
        struct sock_filter reference[4096];
        for (size_t m = 0; m < ELEMENTS(masks); m++) {
                struct err err = ERR_INIT;
                _cleanup_(seccomp_freep) struct oci_seccomp *s = seccomp_default(masks[m]);
                _cleanup_seccomp_filter_ struct seccomp_filter f = { 0 };
                assert_int_equal(seccomp_filter_compile(s, &f, &err), 0);
                size_t count = reference_code(s, reference, ELEMENTS(reference));
                for (uint32_t number = 0; number <= 448 * 2; number++)
                        for (size_t a = 0; a < ELEMENTS(arches); a++)
                                for (size_t v = 0; v < ELEMENTS(values); v++) {
                                        struct seccomp_data d = {
                                                .nr = (int)(number < 449 ? number : (number - 449) | 0x40000000),
                                                .arch = arches[a],
                                                .args = { values[v], values[(v + number) % ELEMENTS(values)] }
                                        };
                                        uint32_t want = interpret(reference, count, &d),
                                                 got = interpret(f.code, f.count, &d);
                                        if (want != got)
                                                fail_msg("arch %x number %x argument %llx: %x, expected %x", d.arch,
                                                         (unsigned)d.nr, (unsigned long long)values[v], got, want);
                                }
        }
#endif
}

static const char docker_profile[] =
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\","
        "\"subArchitectures\":[\"SCMP_ARCH_X86\"]}],"
        "\"syscalls\":[{\"names\":[\"getppid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":5,\"includes\":{"
        "\"minKernel\":\"5.0\"}},"
        "{\"names\":[\"getpgrp\"],\"action\":\"SCMP_ACT_ERRNO\",\"excludes\":{\"caps\":[\"CAP_CHOWN\"]}},"
        "{\"names\":[\"umask\"],\"action\":\"SCMP_ACT_ERRNO\",\"includes\":{\"minKernel\":\"99.0\"}},"
        "{\"name\":\"getpriority\",\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":7,\"args\":[{\"index\":1,\"value\":4,"
        "\"valueTwo\":4,\"op\":\"SCMP_CMP_MASKED_EQ\"},"
        "{\"index\":0,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}]}]}";

static int try_docker(void)
{
        EXPECT(syscall(SYS_getppid), EIO);
        EXPECT(syscall(SYS_getpgrp), 0);
        EXPECT(syscall(SYS_umask, 022), 0);
        EXPECT(syscall(SYS_getpriority, 0, 4), E2BIG);
        EXPECT(syscall(SYS_getpriority, 0, 0), 0);
        return 0;
}

static void docker_json_by_effect(void **state)
{
        struct err err = ERR_INIT;
        struct oci_seccomp *parsed = NULL;
        assert_int_equal(seccomp_parse_docker(docker_profile, strlen(docker_profile), BIT(CAP_CHOWN), &parsed, &err),
                         0);
        _cleanup_(seccomp_freep) struct oci_seccomp *s = parsed;
        _cleanup_seccomp_filter_ struct seccomp_filter f = { 0 };
        assert_int_equal(seccomp_filter_compile(s, &f, &err), 0);
        assert_int_equal(under(&f, try_docker), 0);
}

static void wrong_docker_json(void **state)
{
        static const char *const bad[] = { "[]", "{}", "{\"defaultAction\":7}",
                                           "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"action\":\"x\"}]}",
                                           "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],"
                                           "\"action\":\"a\",\"args\":[{\"index\":9,\"op\":\"SCMP_CMP_EQ\"}]}]}" };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct err err = ERR_INIT;
                struct oci_seccomp *s = NULL;
                assert_int_equal(seccomp_parse_docker(bad[i], strlen(bad[i]), 0, &s, &err), -1);
                assert_int_equal(err.kind, ERR_INVALID);
        }
        struct err err = ERR_INIT;
        struct seccomp_filter f;
        struct oci_seccomp s = { .default_action = (char *)"SCMP_ACT_NONSENSE" };
        assert_int_equal(seccomp_filter_compile(&s, &f, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
}

static void cache_heals(void **state)
{
        struct err err = ERR_INIT;
        char dir[] = "/tmp/tare-seccomp-XXXXXX";
        assert_non_null(mkdtemp(dir));
        _cleanup_(seccomp_freep) struct oci_seccomp *s = seccomp_default(DOCKER_DEFAULTS);
        _cleanup_seccomp_filter_ struct seccomp_filter a = { 0 }, b = { 0 }, c = { 0 };
        assert_int_equal(seccomp_filter_load(s, dir, &a, &err), 0);
        assert_int_equal(seccomp_filter_load(s, dir, &b, &err), 0);
        assert_int_equal(a.count, b.count);
        assert_memory_equal(a.code, b.code, a.count * sizeof(*a.code));
        _cleanup_free_ char *command = xasprintf("%s", dir);
        _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = opendir(command);
        size_t files = 0;
        for (struct dirent *e; (e = readdir(d));) {
                if (e->d_name[0] == '.')
                        continue;
                files++;
                _cleanup_close_ int file = openat(fd, e->d_name, O_RDWR);
                assert_int_equal(pwrite(file, "\xff\xff", 2, lseek(file, 0, SEEK_END) - 2), 2);
        }
        closedir(d);
        assert_int_equal(files, 1);
        assert_int_equal(seccomp_filter_load(s, dir, &c, &err), 0);
        assert_memory_equal(a.code, c.code, a.count * sizeof(*a.code));
        assert_int_equal(tree_remove_at(AT_FDCWD, dir, &err), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(capability_names),          cmocka_unit_test(capability_changes),
                cmocka_unit_test(default_profile_by_effect), cmocka_unit_test(default_profile_with_sys_admin),
                cmocka_unit_test(docker_json_by_effect),     cmocka_unit_test(reshaped_code_says_the_same),
                cmocka_unit_test(wrong_docker_json),         cmocka_unit_test(cache_heals),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

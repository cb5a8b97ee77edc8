/* See stage.h. Freestanding: no libc, no heap, only system calls. */
#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/socket.h>
#include <stddef.h>
#include <stdint.h>
#include "runtime/stage/stage.h"

#undef memcpy
#undef memset
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
void stage_main(long *stack) __attribute__((noreturn, used));

static struct stage_plan plan __attribute__((section(".plan"), used, aligned(4096))) = { .magic = STAGE_MAGIC };

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall stage_main\n");
static long call6(long n, long a, long b, long c, long d, long e, long f)
{
        register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
        long r;
        __asm__ volatile("syscall"
                         : "=a"(r)
                         : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
        return r;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tand sp, x0, #-16\n\tbl stage_main\n");
static long call6(long n, long a, long b, long c, long d, long e, long f)
{
        register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
        register long x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
        __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
        return x0;
}
#elif defined(__riscv) && __riscv_xlen == 64
__asm__(".globl _start\n_start:\n\tmv a0, sp\n\tandi sp, sp, -16\n\tcall stage_main\n");
static long call6(long n, long a, long b, long c, long d, long e, long f)
{
        register long a7 __asm__("a7") = n, a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c;
        register long a3 __asm__("a3") = d, a4 __asm__("a4") = e, a5 __asm__("a5") = f;
        __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5) : "memory");
        return a0;
}
#else
#error "the stage program has no system call sequence for this architecture"
#endif

#define CALL(n, a, b, c, d) call6((n), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* The compiler may call these for assignments of structs. */
void *memcpy(void *to, const void *from, size_t n)
{
        for (size_t i = 0; i < n; i++)
                ((volatile char *)to)[i] = ((const char *)from)[i];
        return to;
}

void *memset(void *to, int c, size_t n)
{
        for (size_t i = 0; i < n; i++)
                ((volatile char *)to)[i] = (char)c;
        return to;
}

static size_t length(const char *s)
{
        size_t n = 0;
        while (s[n])
                n++;
        return n;
}

static const char *text(uint32_t offset)
{
        return plan.data + offset;
}

__attribute__((noreturn)) static void leave(int code)
{
        for (;;)
                CALL(__NR_exit_group, code, 0, 0, 0);
}

static int report_fd;
static const char *command;

/* Says why and ends; the runtime finds the words. */
__attribute__((noreturn)) static void fail(enum stage_step step, long error)
{
        struct sync_message m = { .type = SYNC_STAGE, .step = (int32_t)step, .error = (int32_t)-error };
        for (size_t i = 0; i < sizeof(m.text) - 1 && command[i]; i++)
                m.text[i] = command[i];
        CALL(__NR_write, report_fd, &m, sizeof(m), 0);
        leave(1);
}

static long control(long option, long a, long b)
{
        return call6(__NR_prctl, option, a, b, 0, 0, 0);
}

static long change_directory(void)
{
        return plan.cwd ? CALL(__NR_chdir, text(plan.cwd), 0, 0, 0) : 0;
}

/* A working directory that a descriptor of the host led to would be outside the root: the kernel says "(unreachable)"
 * or fails (CVE-2024-21626). */
static void check_directory(void)
{
        char path[4096];
        long n = CALL(__NR_getcwd, path, sizeof(path), 0, 0);
        if (n < 0 && n != -34 /* ERANGE: deep, and inside */)
                fail(STAGE_CWD_OUTSIDE, n);
        if (n > 0 && path[0] != '/')
                fail(STAGE_CWD_OUTSIDE, -2 /* ENOENT */);
}

static long set_caps(uint64_t permitted, uint64_t effective, uint64_t inheritable)
{
        struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
        struct __user_cap_data_struct data[2];
        for (int i = 0; i < 2; i++) {
                data[i].permitted = (uint32_t)(permitted >> 32 * i);
                data[i].effective = (uint32_t)(effective >> 32 * i);
                data[i].inheritable = (uint32_t)(inheritable >> 32 * i);
        }
        return CALL(__NR_capset, &header, data, 0, 0);
}

/* The set is asked for here: in a new user namespace it is full, whatever the caller's was. */
static void drop_bounding(void)
{
        for (int cap = 0; cap < 64; cap++) {
                long r = control(PR_CAPBSET_READ, cap, 0);
                if (r < 0)
                        return; /* past the kernel's last one */
                if (r == 0 || plan.bounding >> cap & 1)
                        continue;
                r = control(PR_CAPBSET_DROP, cap, 0);
                if (r < 0)
                        fail(STAGE_BOUNDING, r);
        }
}

/* Who has the capability and yet may not set groups is in a user namespace that was made without privilege. */
static int groups_are_fixed(void)
{
        struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
        struct __user_cap_data_struct data[2];
        return CALL(__NR_capget, &header, data, 0, 0) == 0 && data[0].effective >> 6 /* CAP_SETGID */ & 1;
}

/* keep: without it the filter could not be installed later; it goes with the last step. */
static void become_user(uint64_t keep)
{
        long r;
        control(PR_SET_KEEPCAPS, 1, 0);
        r = 0;
        if (plan.set_groups != STAGE_GROUPS_KEEP)
                r = CALL(__NR_setgroups, plan.group_count, plan.group_count ? text(plan.groups) : NULL, 0, 0);
        if (r < 0 && (plan.set_groups == STAGE_GROUPS_MUST || !groups_are_fixed()))
                fail(STAGE_GROUPS, r);
        if ((r = CALL(__NR_setresgid, plan.gid, plan.gid, plan.gid, 0)) < 0)
                fail(STAGE_GID, r);
        if ((r = CALL(__NR_setresuid, plan.uid, plan.uid, plan.uid, 0)) < 0)
                fail(STAGE_UID, r);
        control(PR_SET_KEEPCAPS, 0, 0);
        if ((r = set_caps(plan.permitted | keep, plan.effective | keep, plan.inheritable)) < 0)
                fail(STAGE_CAPS, r);
}

static void final_caps(void)
{
        long r = set_caps(plan.permitted, plan.effective, plan.inheritable);
        if (r < 0)
                fail(STAGE_CAPS, r);
        for (int cap = 0; plan.ambient && cap < 64; cap++) {
                if (!(plan.ambient >> cap & 1))
                        continue;
                r = call6(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0, 0);
                if (r < 0)
                        fail(STAGE_AMBIENT, r);
        }
}

/* Sends one descriptor with a message that has no text. */
static long send_fd(int sock, uint32_t type, int fd)
{
        struct sync_message m = { .type = type };
        struct {
                uint64_t base, len;
        } iov = { (uint64_t)(uintptr_t)&m, SYNC_SHORT };
        struct {
                uint64_t len;
                int32_t level, kind, fd, pad;
        } control_data = { 20, 1 /* SOL_SOCKET */, 1 /* SCM_RIGHTS */, fd, 0 };
        struct {
                uint64_t name;
                uint32_t name_len, pad;
                uint64_t iov, iov_len, control, control_len;
                int32_t flags, pad2;
        } h = { 0, 0, 0, (uint64_t)(uintptr_t)&iov, 1, (uint64_t)(uintptr_t)&control_data, sizeof(control_data), 0, 0 };
        return CALL(__NR_sendmsg, sock, &h, 0, 0);
}

static void install_filter(void)
{
        struct sock_fprog program = { (unsigned short)plan.filter_count,
                                      (struct sock_filter *)(uintptr_t)text(plan.filter) };
        long flags = plan.filter_flags;
        if (!plan.filter_count)
                return;
        if (plan.notify)
                flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
        long r = CALL(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program, 0);
        if (r == -22 && !plan.notify) /* a flag this kernel does not know */
                r = CALL(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program, 0);
        if (r < 0)
                fail(STAGE_SECCOMP, r);
        if (!plan.notify)
                return;
        r = send_fd(plan.sync_fd, SYNC_LISTENER, (int)r);
        if (r < 0)
                fail(STAGE_SECCOMP, r);
}

static void filter_and_caps(void)
{
        long r;
        if (!plan.no_new_privs)
                install_filter();
        final_caps();
        if (plan.no_new_privs) {
                if ((r = control(PR_SET_NO_NEW_PRIVS, 1, 0)) < 0)
                        fail(STAGE_NO_NEW_PRIVS, r);
                install_filter();
        }
}

static void say_ready(void)
{
        struct sync_message m = { .type = SYNC_READY };
        CALL(__NR_write, plan.sync_fd, &m, SYNC_SHORT, 0);
}

/* A start that can come no more ends us: nothing is left waiting for a runtime that died. */
static void wait_start(void)
{
        struct sync_message m;
        long n, fd = plan.sync_fd;
        if (plan.listen_fd >= 0) {
                do
                        fd = call6(__NR_accept4, plan.listen_fd, 0, 0, 02000000 /* SOCK_CLOEXEC */, 0, 0);
                while (fd == -4 /* EINTR */ || fd == -103 /* ECONNABORTED */);
                if (fd < 0)
                        fail(STAGE_START, fd);
        }
        do
                n = CALL(__NR_read, fd, &m, sizeof(m), 0);
        while (n == -4);
        if (n < SYNC_SHORT || m.type != SYNC_START)
                leave(1);
        report_fd = (int)fd;
}

static void reset_signals(void)
{
        struct {
                void *handler;
                unsigned long flags;
                void *restorer;
                uint64_t mask;
        } action = { 0, 0, 0, 0 };
        uint64_t none = 0;
        for (int signo = 1; signo <= 64; signo++)
                CALL(__NR_rt_sigaction, signo, &action, 0, 8);
        CALL(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &none, 0, 8);
}

__attribute__((noreturn)) static void run(char **argv, char **envp)
{
        long worst = -2; /* ENOENT */
        for (const char *path = text(plan.candidates); *path; path += length(path) + 1) {
                long r = CALL(__NR_execve, path, argv, envp, 0);
                if (r == -2 && CALL(__NR_faccessat, AT_FDCWD, path, 0 /* F_OK */, 0) == 0)
                        fail(STAGE_INTERPRETER, r); /* it is there, and what it asks for is not */
                if (r == -13 /* EACCES */)
                        worst = r;
                else if (r != -2 && r != -20 /* ENOTDIR */)
                        fail(STAGE_EXEC, r);
        }
        fail(STAGE_EXEC, worst);
}

/* Who creates and starts apart is told of a missing command when he creates, and has no container then. */
static void check_command(void)
{
        long worst = -2; /* ENOENT */
        for (const char *path = text(plan.candidates); *path; path += length(path) + 1) {
                long r = CALL(__NR_faccessat, AT_FDCWD, path, 1 /* X_OK */, 0), fd;
                if (r == 0 && (fd = CALL(__NR_openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0)) < 0)
                        return;
                if (r == 0)
                        CALL(__NR_close, fd, 0, 0, 0);
                if (r != -2 && r != -20 /* ENOTDIR */)
                        worst = -13; /* EACCES: a folder, or not executable */
        }
        fail(STAGE_EXEC, worst);
}

static long close_on_exec(int fd)
{
        return fd >= 0 ? CALL(__NR_fcntl, fd, F_SETFD, FD_CLOEXEC, 0) : 0;
}

static void set_label(void)
{
        long fd = CALL(__NR_openat, plan.label_fd, "exec", O_WRONLY | O_CLOEXEC, 0);
        long r = fd < 0 ? fd : CALL(__NR_write, fd, text(plan.label), length(text(plan.label)), 0);
        if (r < 0)
                fail(STAGE_LABEL, r);
        CALL(__NR_close, fd, 0, 0, 0);
}

void stage_main(long *stack)
{
        char **argv = (char **)(stack + 1), **envp = argv + stack[0] + 1;
        uint64_t keep = plan.filter_count && !plan.no_new_privs ? (uint64_t)1 << CAP_SYS_ADMIN : 0;
        command = argv[0];
        report_fd = plan.sync_fd;
        /* Executed again, by an image's "#!/proc/self/exe": the plan is done, and would be done for ever. */
        if (close_on_exec(plan.sync_fd) < 0)
                leave(126);
        close_on_exec(plan.listen_fd);
        close_on_exec(plan.label_fd);
        long went = change_directory();
        drop_bounding();
        become_user(keep);
        if (went < 0 && (went = change_directory()) < 0)
                fail(STAGE_CWD, went);
        check_directory();
        CALL(__NR_umask, plan.umask, 0, 0, 0);
        reset_signals();
        if (plan.notify)
                filter_and_caps();
        if (plan.wait_start) {
                if (plan.listen_fd >= 0)
                        check_command();
                say_ready();
                wait_start();
        }
        if (plan.label_fd >= 0)
                set_label();
        if (!plan.notify)
                filter_and_caps();
        run(argv, envp);
}

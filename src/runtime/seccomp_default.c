#include <linux/capability.h>
#include <sched.h>
#include "base/str.h"
#include "runtime/seccomp-internal.h"
#include "runtime/security.h"

/* The calls every container may make, separated by blanks. process_vm_* and ptrace are among them: since Linux 4.8 a
 * tracer cannot change a call behind the filter's back, and older kernels cannot run tare. */
static const char always[] =
        "accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 "
        "clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
        "clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 "
        "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old "
        "eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate "
        "fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync "
        "fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync "
        "ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat "
        "getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
        "getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid "
        "getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage getsid getsockname getsockopt "
        "get_thread_area gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init "
        "inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents "
        "io_pgetevents_time64 ioprio_get ioprio_set io_setup io_submit ipc kill landlock_add_rule "
        "landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount "
        "listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise "
        "map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 "
        "mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 "
        "mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock "
        "munlockall munmap name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open "
        "pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 "
        "preadv preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 "
        "ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg "
        "recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 "
        "restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
        "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity "
        "sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler "
        "sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
        "sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send "
        "sendfile sendfile64 sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 "
        "setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid "
        "setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area "
        "set_tid_address setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack "
        "signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64 "
        "statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create "
        "timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create "
        "timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 "
        "ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice "
        "wait4 waitid waitpid write writev ";

#if defined(__x86_64__)
#define ARCH_CALLS "arch_prctl modify_ldt"
static const char *const architectures[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32" };
#elif defined(__aarch64__)
#define ARCH_CALLS "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"
static const char *const architectures[] = { "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM" };
#elif defined(__s390x__)
#define ARCH_CALLS "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"
static const char *const architectures[] = { "SCMP_ARCH_S390X", "SCMP_ARCH_S390" };
#elif defined(__riscv)
#define ARCH_CALLS "riscv_flush_icache"
static const char *const architectures[] = { "SCMP_ARCH_RISCV64" };
#elif defined(__powerpc64__)
#define ARCH_CALLS "sync_file_range2 swapcontext"
static const char *const architectures[] = { "SCMP_ARCH_PPC64LE" };
#else
#define ARCH_CALLS ""
static const char *const architectures[] = { "SCMP_ARCH_NATIVE" };
#endif

/* s390 passes the flags of clone(2) second. */
#ifdef __s390x__
#define CLONE_FLAGS_ARG 1
#else
#define CLONE_FLAGS_ARG 0
#endif

/* Further calls a capability opens. */
static const struct {
        int cap;
        const char *calls;
} by_capability[] = {
        { CAP_DAC_READ_SEARCH, "open_by_handle_at" },
        { CAP_SYS_ADMIN,
          "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr "
          "lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl "
          "quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare" },
        { CAP_SYS_BOOT, "reboot" },
        { CAP_SYS_CHROOT, "chroot" },
        { CAP_SYS_MODULE, "delete_module init_module finit_module" },
        { CAP_SYS_PACCT, "acct" },
        { CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise" },
        { CAP_SYS_RAWIO, "iopl ioperm" },
        { CAP_SYS_TIME, "settimeofday stime clock_settime clock_settime64" },
        { CAP_SYS_TTY_CONFIG, "vhangup" },
        { CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node" },
        { CAP_SYSLOG, "syslog" },
        { CAP_BPF, "bpf" },
        { CAP_PERFMON, "perf_event_open" },
};

/* Address families with a history of holes reachable from any container stay shut: AX.25-like radio (12 DECnet,
 * 19 Econet, 20 ATM SVC, 23 IrDA, 25 WANPIPE, 34 IUCV, 37 CAIF, 38 ALG) and 40 VSOCK, which reaches the hypervisor. */
static const uint8_t socket_families[] = { 13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29,
                                           30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45 };
#define SOCKET_FAMILIES_BELOW 12

static const uint32_t personalities[] = { 0x0, 0x8 /* LINUX32 */, 0x20000 /* UNAME26 */, 0x20008,
                                          0xffffffff /* ask */ };

#define NAMESPACE_FLAGS                                                                                                \
        (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

struct oci_seccomp_rule *seccomp_add_rule(struct oci_seccomp *s, char **names, const char *action)
{
        s->rules = xreallocarray(s->rules, s->rule_count + 1, sizeof(*s->rules));
        struct oci_seccomp_rule *rule = &s->rules[s->rule_count++];
        *rule = (struct oci_seccomp_rule){ .names = names, .action = xstrdup(action) };
        return rule;
}

void seccomp_add_arg(struct oci_seccomp_rule *rule, uint32_t index, uint64_t value, uint64_t value_two, const char *op)
{
        rule->args = xreallocarray(rule->args, rule->arg_count + 1, sizeof(*rule->args));
        rule->args[rule->arg_count++] = (struct oci_seccomp_arg){ index, value, value_two, xstrdup(op) };
}

static struct oci_seccomp_rule *allow(struct oci_seccomp *s, const char *calls)
{
        return seccomp_add_rule(s, strv_split(calls, " ", false), "SCMP_ACT_ALLOW");
}

static void allow_if(struct oci_seccomp *s, const char *call, uint64_t value, const char *op)
{
        seccomp_add_arg(allow(s, call), 0, value, 0, op);
}

static void add_by_argument(struct oci_seccomp *s)
{
        allow_if(s, "socket", SOCKET_FAMILIES_BELOW, "SCMP_CMP_LT");
        for (size_t i = 0; i < ELEMENTS(socket_families); i++)
                allow_if(s, "socket", socket_families[i], "SCMP_CMP_EQ");
        for (size_t i = 0; i < ELEMENTS(personalities); i++)
                allow_if(s, "personality", personalities[i], "SCMP_CMP_EQ");
}

/* Without CAP_SYS_ADMIN no new namespaces. clone3 hides its flags behind a pointer, so it is "not implemented", which
 * makes every libc fall back to clone. */
static void add_clone_limits(struct oci_seccomp *s)
{
        seccomp_add_arg(allow(s, "clone"), CLONE_FLAGS_ARG, NAMESPACE_FLAGS, 0, "SCMP_CMP_MASKED_EQ");
        struct oci_seccomp_rule *rule = seccomp_add_rule(s, strv_split("clone3", " ", false), "SCMP_ACT_ERRNO");
        rule->has_errno = true;
        rule->errno_ret = 38; /* ENOSYS */
}

struct oci_seccomp *seccomp_default(uint64_t capability_mask)
{
        struct oci_seccomp *s = xcalloc(1, sizeof(*s));
        s->default_action = xstrdup("SCMP_ACT_ERRNO");
        s->has_default_errno = true;
        s->default_errno = 1; /* EPERM */
        for (size_t i = 0; i < ELEMENTS(architectures); i++)
                strv_push(&s->architectures, architectures[i]);
        allow(s, always);
        if (*ARCH_CALLS)
                allow(s, ARCH_CALLS);
        add_by_argument(s);
        for (size_t i = 0; i < ELEMENTS(by_capability); i++)
                if (capability_mask & UINT64_C(1) << by_capability[i].cap)
                        allow(s, by_capability[i].calls);
        if (!(capability_mask & UINT64_C(1) << CAP_SYS_ADMIN))
                add_clone_limits(s);
        return s;
}

static void rule_done(struct oci_seccomp_rule *rule)
{
        strv_free(rule->names);
        free(rule->action);
        for (size_t i = 0; i < rule->arg_count; i++)
                free(rule->args[i].op);
        free(rule->args);
}

void seccomp_free(struct oci_seccomp *s)
{
        if (!s)
                return;
        for (size_t i = 0; i < s->rule_count; i++)
                rule_done(&s->rules[i]);
        free(s->rules);
        free(s->default_action);
        free(s->listener_path);
        free(s->listener_metadata);
        strv_free(s->architectures);
        strv_free(s->flags);
        free(s);
}

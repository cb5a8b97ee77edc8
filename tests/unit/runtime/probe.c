/* A static program for the tests to run inside containers: system calls that busybox has no applet for.
 *     probe call NUMBER [ARGUMENT...]      prints the result, or "errno N"
 *     probe scheduler | ioprio | affinity  what the kernel keeps for this process
 *     probe arch32                         getpid(2) through the 32-bit gate, where there is one
 *     probe rewrite PATH                   opens the program of a process for writing: "denied N" or "open" */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int call(int argc, char **argv)
{
        long a[7] = { 0 };
        for (int i = 0; i < 7 && i < argc; i++)
                a[i] = (long)strtoull(argv[i], NULL, 0);
        long r = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
        if (r < 0)
                printf("errno %d\n", errno);
        else
                printf("result %ld\n", r);
        return 0;
}

static int scheduler(void)
{
        struct {
                uint32_t size, policy;
                uint64_t flags;
                int32_t nice;
                uint32_t priority;
                uint64_t runtime, deadline, period;
        } a = { .size = sizeof(a) };
        if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) < 0)
                return 1;
        printf("policy %u nice %d priority %u flags %llu\n", a.policy, a.nice, a.priority, (unsigned long long)a.flags);
        return 0;
}

static int affinity(void)
{
        cpu_set_t set;
        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                return 1;
        for (int i = 0; i < CPU_SETSIZE; i++)
                if (CPU_ISSET(i, &set))
                        printf("cpu%d ", i);
        puts("");
        return 0;
}

static int arch32(void)
{
#ifdef __x86_64__
        long r = 20; /* getpid */
        __asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
        printf("gate %ld\n", r);
#else
        puts("gate none");
#endif
        return 0;
}

static int rewrite(const char *path)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                printf("denied %d\n", errno);
        else
                puts("open");
        return 0;
}

int main(int argc, char **argv)
{
        const char *what = argc > 1 ? argv[1] : "";
        if (strcmp(what, "call") == 0 && argc > 2)
                return call(argc - 2, argv + 2);
        if (strcmp(what, "scheduler") == 0)
                return scheduler();
        if (strcmp(what, "ioprio") == 0) {
                long r = syscall(SYS_ioprio_get, 1, 0);
                printf("class %ld level %ld\n", r >> 13, r & 7);
                return 0;
        }
        if (strcmp(what, "affinity") == 0)
                return affinity();
        if (strcmp(what, "arch32") == 0)
                return arch32();
        if (strcmp(what, "rewrite") == 0 && argc > 2)
                return rewrite(argv[2]);
        return 2;
}

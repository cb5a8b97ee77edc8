/* The life of containers under an OCI runtime, timed: create, start, wait for its end, delete, as a shim would do it.
 *
 *     cycle [-n COUNT] [-p PARALLEL] [-k] [-c FILE]... ROOT BUNDLE NAME RUNTIME...
 *
 * Prints the seconds of each container, one a line (with -p: of each on the average), then "peak KB", the most memory one call of the runtime
 * held. -k: stops after start and leaves them running, deleted by `cycle -d` with the same words. -c: the page cache is dropped before each;
 * where that is refused, the pages of these files. This program is tiny since what it held at the fork counts as its child's.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char **runtime, *root, *bundle, *name, *cold[64];
static int runtime_words, cold_count, keep, remove_only;
static struct shared { long peak; int failed; } *shared;

static double now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pages_drop(void)
{
        int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
        int dropped = cold_count && fd >= 0 && write(fd, "3", 1) == 1;
        if (fd >= 0)
                close(fd);
        for (int i = 0; i < cold_count && !dropped; i++) {
                fd = open(cold[i], O_RDONLY);
                if (fd >= 0 && (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0 || close(fd) < 0))
                        perror(cold[i]);
        }
}

/* RUNTIME --root ROOT WORDS... */
static int call(const char *const *words)
{
        const char *argv[64];
        int n = 0, status;
        pid_t pid;
        struct rusage usage;
        posix_spawn_file_actions_t actions;
        for (; n < runtime_words; n++)
                argv[n] = runtime[n];
        argv[n++] = "--root";
        argv[n++] = root;
        for (; *words; words++)
                argv[n++] = *words;
        argv[n] = NULL;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_RDWR, 0);
        int r = posix_spawnp(&pid, argv[0], &actions, NULL, (char **)argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        if (r != 0 || wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                fprintf(stderr, "cycle: %s failed\n", words[-1]);
                return -1;
        }
        if (usage.ru_maxrss > shared->peak)
                shared->peak = usage.ru_maxrss;
        return 0;
}

static int init_wait(const char *pid_file)
{
        int pid = 0, status;
        FILE *f = fopen(pid_file, "re");
        if (!f || fscanf(f, "%d", &pid) != 1)
                return -1;
        fclose(f);
        unlink(pid_file);
        while (!keep && waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -1;
        return 0;
}

static int life(int number)
{
        char id[256], pid_file[4096];
        snprintf(id, sizeof(id), "%s-%d", name, number);
        snprintf(pid_file, sizeof(pid_file), "%s/%s.pid", bundle, id);
        if (remove_only)
                return call((const char *const[]){ "delete", "--force", id, NULL });
        if (call((const char *const[]){ "create", "--bundle", bundle, "--pid-file", pid_file, id, NULL }) < 0 ||
            call((const char *const[]){ "start", id, NULL }) < 0 || init_wait(pid_file) < 0)
                return -1;
        return keep ? 0 : call((const char *const[]){ "delete", id, NULL });
}

static void one_by_one(int count)
{
        for (int i = 0; i < count && !shared->failed; i++) {
                pages_drop();
                double from = now();
                if (life(i) < 0)
                        shared->failed = 1;
                else
                        printf("%.6f\n", now() - from);
        }
}

static void in_parallel(int count, int parallel)
{
        double from = now();
        fflush(stdout);
        for (int worker = 0; worker < parallel; worker++)
                if (fork() == 0) {
                        prctl(PR_SET_CHILD_SUBREAPER, 1);
                        for (int i = worker; i < count && !shared->failed; i += parallel)
                                if (life(i) < 0)
                                        shared->failed = 1;
                        _exit(0);
                }
        for (int worker = 0; worker < parallel;)
                worker += wait(NULL) > 0;
        printf("%.6f\n", (now() - from) / count);
}

int main(int argc, char **argv)
{
        int count = 1, parallel = 1, option;
        while ((option = getopt(argc, argv, "+n:p:kdc:")) != -1) {
                if (option == 'n')
                        count = atoi(optarg);
                else if (option == 'p')
                        parallel = atoi(optarg);
                else if (option == 'k')
                        keep = 1;
                else if (option == 'd')
                        remove_only = 1;
                else if (option == 'c' && cold_count < 64)
                        cold[cold_count++] = optarg;
                else
                        return 2;
        }
        if (argc - optind < 4 || argc - optind > 32 || count < 1 || parallel < 1)
                return 2;
        root = argv[optind], bundle = argv[optind + 1], name = argv[optind + 2], runtime = argv + optind + 3, runtime_words = argc - optind - 3;
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
                return 1;
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        if (parallel > 1)
                in_parallel(count, parallel);
        else
                one_by_one(count);
        printf("peak %ld\n", shared->peak);
        return shared->failed;
}

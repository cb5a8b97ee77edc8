/* The least that a container costs on this kernel: clone with every namespace, overlay, proc, dev and sys mounts, pivot_root, exec, wait.
 * What tare adds to this is tare's own weight.
 *
 *     floor LOWERDIR WORKFOLDER [--net] COMMAND...
 */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(long result, const char *what)
{
        if (result < 0) {
                fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
                _exit(125);
        }
}

static void root_make(const char *lower, const char *work)
{
        char options[8192];
        snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s/upper,workdir=%s/work,volatile", lower, work, work);
        must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave");
        must(chdir(work), work);
        must(mount("overlay", "root", "overlay", 0, options), "overlay");
        must(chdir("root"), "root");
        must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
        must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k"), "dev");
        must(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL), "sys");
        must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
        must(umount2(".", MNT_DETACH), "umount");
}

int main(int argc, char **argv)
{
        int net = argc > 3 && strcmp(argv[3], "--net") == 0;
        if (argc < 4 + net) {
                fprintf(stderr, "usage: floor LOWERDIR WORKFOLDER [--net] COMMAND...\n");
                return 125;
        }
        static const char *const folders[] = { "upper", "work", "root" };
        must(chdir(argv[2]), argv[2]);
        for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
                if (mkdir(folders[i], 0755) < 0 && errno != EEXIST)
                        must(-1, folders[i]);
        struct clone_args args = { .exit_signal = SIGCHLD,
                                   .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP };
        args.flags |= net ? CLONE_NEWNET : 0;
        long pid = syscall(SYS_clone3, &args, sizeof(args));
        must(pid, "clone3");
        if (pid == 0) {
                root_make(argv[1], argv[2]);
                execv(argv[3 + net], argv + 3 + net);
                must(-1, argv[3 + net]);
        }
        int status;
        must(waitpid((pid_t)pid, &status, 0), "wait");
        /* the mark of an upper folder that may have lost writes would stop the next run */
        unlink("work/work/incompat/volatile/dirty");
        rmdir("work/work/incompat/volatile");
        rmdir("work/work/incompat");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

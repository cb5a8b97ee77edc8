/* Known escapes of other runtimes, tried here: each test does what the report of its CVE did and sees it fail, and does the like without the
 * trick and sees that succeed. Each fails when the check that guards against it is taken out. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "harness.h"

#define SECRET "this is the host's"
#define RACES 25

/* ---- pieces ---- */

/* A directory of the host with a file that no container may ever see; heap path. */
static char *host_directory(void)
{
        struct err err = ERR_INIT;
        char *dir = xasprintf("%s/host", harness_dir);
        _cleanup_free_ char *file = xasprintf("%s/secret", dir);
        assert_int_equal(path_mkdirs(dir, 0755, &err), 0);
        assert_int_equal(file_write_at(AT_FDCWD, file, SECRET "\n", strlen(SECRET) + 1, 0644, false, &err), 0);
        return dir;
}

static void drop(const char *path)
{
        struct err err = ERR_INIT;
        if (tree_remove_at(AT_FDCWD, path, &err) < 0)
                fail_msg("%s", err.msg);
}

static size_t entries(const char *path)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *command = xasprintf("ls -A %s | wc -l", path);
        char *argv[] = { (char *)"sh", (char *)"-c", command, NULL };
        struct proc_spawn spawn = { .path = "/bin/sh", .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = 2 };
        _cleanup_buf_ struct buf out = BUF_INIT(100);
        int status = -1;
        assert_int_equal(proc_run(&spawn, NULL, 0, &out, &status, &err), 0);
        return strtoul(out.data, NULL, 10);
}

/* A link in the busybox root, in place of a directory of it that is moved away. */
struct swapped {
        char *path, *away;
};
static struct swapped swap_in(const char *name, const char *target)
{
        struct swapped s = { xasprintf("%s/root/%s", harness_dir, name), xasprintf("%s/away", harness_dir) };
        assert_return_code(rename(s.path, s.away), errno);
        assert_return_code(symlink(target, s.path), errno);
        return s;
}
static void swap_back(struct swapped *s)
{
        assert_return_code(unlink(s->path), errno);
        assert_return_code(rename(s->away, s->path), errno);
        free(s->path);
        free(s->away);
}

/* The attacker of the races: exchanges two names as fast as it can. */
struct flipper {
        pthread_t thread;
        atomic_bool stop;
        char *a, *b;
};
static void *flip(void *data)
{
        struct flipper *f = data;
        while (!atomic_load(&f->stop))
                (void)syscall(SYS_renameat2, AT_FDCWD, f->a, AT_FDCWD, f->b, 2u /* RENAME_EXCHANGE */);
        return NULL;
}
static void flipper_start(struct flipper *f)
{
        atomic_store(&f->stop, false);
        assert_int_equal(pthread_create(&f->thread, NULL, flip, f), 0);
}
static void flipper_end(struct flipper *f)
{
        atomic_store(&f->stop, true);
        pthread_join(f->thread, NULL);
        free(f->a);
        free(f->b);
}

static void without_mount(struct box *b, const char *destination)
{
        for (size_t i = 0; i < b->spec.mount_count; i++)
                if (str_eq(b->spec.mounts[i].destination, destination)) {
                        oci_mount_done(&b->spec.mounts[i]);
                        memmove(&b->spec.mounts[i], &b->spec.mounts[i + 1],
                                (b->spec.mount_count - i - 1) * sizeof(struct oci_mount));
                        b->spec.mount_count--;
                        return;
                }
        fail_msg("no mount on %s", destination);
}

static void start(struct box *b, struct running *r)
{
        struct err err = ERR_INIT;
        char up[3];
        if (box_create(b, r, &err) < 0 || runtime_start(&r->c, &err) < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(fd_read_full(r->out, up, 3), 3);
}

static void end(struct box *b, struct running *r)
{
        struct err err = ERR_INIT;
        kill(r->c.pid, SIGKILL);
        assert_int_equal(box_finish(b, r, &err), 0);
}

/* ---- CVE-2019-5736: the runtime's own program, executed inside and then overwritten ---- */

static void cve_2019_5736(void **state)
{
        struct err err = ERR_INIT;
        struct stat before, after;
        char text[4096] = "";
        struct running r;
        _cleanup_free_ char *script = xasprintf("%s/root/bin/evil", harness_dir);
        assert_int_equal(file_write_at(AT_FDCWD, script, "#!/proc/self/exe\n", 17, 0755, false, &err), 0);
        assert_return_code(stat("/proc/self/exe", &before), errno);
        _cleanup_box_ struct box b;
        /* The container tries the program of every process that appears in it, over and over. */
        box_init(&b, "echo up; while true; do for i in /proc/[0-9]*; do probe rewrite $i/exe | grep -q open && touch "
                     "/overwritten; done; done");
        start(&b, &r);
        for (int i = 0; i < 20; i++) {
                err_clear(&err);
                (void)box_exec(&b, &r, "exec /bin/evil", text, sizeof(text), &err);
        }
        err_clear(&err);
        /* Shell scripts are opened by nobody but busybox, which the image owns: that one may be writable. */
        assert_int_equal(box_exec(&b, &r, "readlink /proc/self/exe", text, sizeof(text), &err), 0);
        assert_string_equal(text, "/bin/busybox\n");
        assert_int_equal(box_exec(&b, &r, "test ! -e /overwritten", text, sizeof(text), &err), 0);
        end(&b, &r);
        assert_return_code(stat("/proc/self/exe", &after), errno);
        assert_true(before.st_mtime == after.st_mtime && before.st_size == after.st_size &&
                    before.st_ino == after.st_ino);
        /* The first process, and a hook of the image: what runs is a sealed program that is not ours. */
        for (int hook = 0; hook < 2; hook++) {
                _cleanup_box_ struct box c;
                box_init(&c, "true");
                if (hook) {
                        struct oci_hooks *h = &c.spec.hooks[OCI_HOOK_START_CONTAINER];
                        h->list = xcalloc(1, sizeof(*h->list));
                        h->count = 1;
                        h->list[0].path = xstrdup("/bin/evil");
                } else {
                        box_args(&c, (const char *[]){ "/bin/evil", NULL });
                }
                err_clear(&err);
                if (box_run(&c, &err) == 0)
                        assert_int_not_equal(c.status, 0);
        }
        /* A script that asks for a program of the image is run. */
        unlink(script);
        assert_int_equal(file_write_at(AT_FDCWD, script, "#!/bin/sh\necho fine\n", 20, 0755, false, &err), 0);
        _cleanup_box_ struct box good;
        box_init(&good, "/bin/evil");
        box_expect(&good, 0);
        box_has(&good, "fine");
        unlink(script);
        _cleanup_box_ struct box c;
        box_init(&c, "true");
        err_clear(&err);
        assert_int_equal(box_create(&c, &r, &err), 0);
        char path[64], target[256] = "";
        snprintf(path, sizeof(path), "/proc/%d/exe", (int)r.c.pid);
        assert_true(readlink(path, target, sizeof(target) - 1) > 0);
        assert_non_null(strstr(target, "memfd:tare"));
        assert_int_equal(open(path, O_WRONLY | O_CLOEXEC), -1);
        _cleanup_close_ int program = open(path, O_RDONLY | O_CLOEXEC); /* what it could write to once nobody runs it */
        assert_int_equal(fcntl(program, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
        assert_int_equal(runtime_start(&r.c, &err), 0);
        assert_int_equal(box_finish(&c, &r, &err), 0);
}

/* A hook of the image must not have more rights than the image's process. */
static void hooks_of_the_image_are_confined(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "cat /tmp/hook");
        struct oci_hooks *h = &b.spec.hooks[OCI_HOOK_START_CONTAINER];
        h->list = xcalloc(1, sizeof(*h->list));
        h->count = 1;
        h->list[0].path = xstrdup("/bin/sh");
        h->list[0].args = strv_split("sh#-c#(/bin/id; /bin/grep -E 'Cap|NoNew' /proc/self/status; /bin/ls /proc/self/fd) > /tmp/hook",
                                     "#", false);
        b.spec.process.uid = 1234;
        b.spec.process.no_new_privileges = true;
        box_expect(&b, 0);
        box_has(&b, "uid=1234");
        box_has(&b, "CapEff:\t0000000000000000");
        box_has(&b, "CapBnd:\t00000000a80425fb");
        box_has(&b, "NoNewPrivs:\t1");
        assert_null(strstr(b.output, "\n4\n")); /* 3 is ls reading the directory */
}

/* ---- CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-52881: a /proc that is not the kernel's ---- */

static void is_refused_on_proc(const char *destination, const char *type, const char *source, const char *options)
{
        _cleanup_box_ struct box b;
        box_init(&b, "true");
        oci_spec_add_mount(&b.spec, destination, type, source, options);
        box_refused(&b, ERR_INVALID, "cannot be mounted because it is");
}

static void cve_2019_16884(void **state)
{
        _cleanup_free_ char *host = host_directory(), *attr = xasprintf("%s/self/attr", host);
        struct err err = ERR_INIT;
        assert_int_equal(path_mkdirs(attr, 0755, &err), 0);
        /* A volume of the image on /proc, or on what a label is written to. */
        is_refused_on_proc("/proc", "bind", host, "rbind");
        is_refused_on_proc("/proc", "tmpfs", "tmpfs", NULL);
        is_refused_on_proc("/proc/self/attr", "bind", host, "rbind");
        is_refused_on_proc("/proc/self", "tmpfs", "tmpfs", NULL);
        is_refused_on_proc("/proc/sys", "bind", host, "bind");
        is_refused_on_proc("/tmp/../proc//sys/./net", "tmpfs", "tmpfs", NULL);
        is_refused_on_proc("/proc/version", "bind", "/dev/null", "bind");
        /* Files that only tell may be covered: LXCFS does. */
        _cleanup_free_ char *secret = xasprintf("%s/secret", host);
        _cleanup_box_ struct box b;
        box_init(&b, "cat /proc/uptime");
        oci_spec_add_mount(&b.spec, "/proc/uptime", "bind", secret, "bind,ro");
        box_expect(&b, 0);
        assert_string_equal(b.output, SECRET "\n");
        drop(host);
}

static void cve_2019_19921(void **state)
{
        /* The image's /proc leads into a volume: procfs would be mounted there, and /proc be the image's. */
        struct swapped s = swap_in("proc", "/tmp/proc");
        _cleanup_box_ struct box b;
        box_init(&b, "true");
        box_refused(&b, ERR_INVALID, "proc must be mounted on ordinary directory");
        swap_back(&s);
        _cleanup_box_ struct box good;
        box_init(&good, "grep -c '^proc /proc ' /proc/mounts; cat /proc/self/comm");
        box_expect(&good, 0);
        assert_string_equal(good.output, "1\ncat\n");
}

/* A procfs on /vol/proc, which is whatever the volume has there. */
static void proc_in_volume(struct box *b, const char *vol)
{
        box_init(b, "ls /vol/proc/self/status /vol/link/self/status /vol/fake/self/status; true");
        oci_spec_add_mount(&b->spec, "/vol", "bind", vol, "rbind");
        oci_spec_add_mount(&b->spec, "/vol/proc", "proc", "proc", NULL);
}

static void cve_2023_27561(void **state)
{
        /* The same through a volume that another container changes meanwhile. */
        struct err err = ERR_INIT;
        _cleanup_free_ char *vol = xasprintf("%s/vol", harness_dir), *fake = xasprintf("%s/vol/fake", harness_dir);
        assert_int_equal(path_mkdirs(fake, 0755, &err), 0);
        struct flipper f = { .a = xasprintf("%s/vol/proc", harness_dir), .b = xasprintf("%s/vol/link", harness_dir) };
        assert_return_code(symlink("fake", f.a), errno);
        assert_return_code(mkdir(f.b, 0755), errno);
        _cleanup_box_ struct box linked, good;
        proc_in_volume(&linked, vol);
        box_refused(&linked, ERR_INVALID, "proc must be mounted on ordinary directory");
        assert_return_code(syscall(SYS_renameat2, AT_FDCWD, f.a, AT_FDCWD, f.b, 2u /* RENAME_EXCHANGE */), errno);
        proc_in_volume(&good, vol);
        box_expect(&good, 0);
        box_has(&good, "/vol/proc/self/status\n");
        flipper_start(&f);
        int ran = 0;
        for (int i = 0; i < RACES || (ran == 0 && i < 40 * RACES); i++) {
                _cleanup_box_ struct box b;
                proc_in_volume(&b, vol);
                err_clear(&err);
                if (box_run(&b, &err) < 0) {
                        assert_int_equal(err.kind, ERR_INVALID); /* it was the link just then */
                        continue;
                }
                ran++;
                box_has_not(&b, "fake/self/status\n");
        }
        flipper_end(&f);
        assert_true(ran > 0);
        drop(vol);
}

static void cve_2023_28642(void **state)
{
        /* /proc as a link to itself by another way, /sys likewise. */
        static const char *const targets[] = { "sys", "/dev", "../tmp", "/proc/../tmp" };
        for (size_t i = 0; i < ELEMENTS(targets); i++) {
                struct swapped s = swap_in("proc", targets[i]);
                _cleanup_box_ struct box b;
                box_init(&b, "true");
                box_refused(&b, ERR_INVALID, "must be mounted on ordinary directory");
                swap_back(&s);
        }
        struct swapped s = swap_in("sys", "/tmp");
        _cleanup_box_ struct box b;
        box_init(&b, "true");
        box_refused(&b, ERR_INVALID, "must be mounted on ordinary directory");
        swap_back(&s);
        /* A link of the image that leads below /proc is judged by where it leads. */
        _cleanup_free_ char *link = xasprintf("%s/root/door", harness_dir);
        assert_return_code(symlink("/proc/self", link), errno);
        is_refused_on_proc("/door/attr", "tmpfs", "tmpfs", NULL);
        is_refused_on_proc("/door", "tmpfs", "tmpfs", NULL);
        unlink(link);
        /* And one that leads elsewhere likewise. */
        assert_return_code(symlink("/tmp/..//home", link), errno);
        _cleanup_box_ struct box good;
        box_init(&good, "grep -c '^tmpfs /home/inner tmpfs' /proc/mounts; ls /sys | grep -c kernel");
        oci_spec_add_mount(&good.spec, "/door/inner", "tmpfs", "tmpfs", NULL);
        box_expect(&good, 0);
        unlink(link);
        assert_string_equal(good.output, "1\n1\n");
}

static void cve_2025_52881(void **state)
{
        /* Writes that the runtime means for procfs, turned elsewhere by a mount of the container. */
        struct err err = ERR_INIT;
        _cleanup_free_ char *host = host_directory(), *dir = xasprintf("%s/sys/net/ipv4", host),
                            *file = xasprintf("%s/ip_forward", dir);
        assert_int_equal(path_mkdirs(dir, 0755, &err), 0);
        assert_int_equal(file_write_at(AT_FDCWD, file, "0\n", 2, 0644, false, &err), 0);
        is_refused_on_proc("/proc", "bind", host, "rbind");
        is_refused_on_proc("/proc/sys/net/ipv4/ip_forward", "bind", file, "bind");
        /* Where the image has no procfs at all but this directory, it still is the kernel that is written to. */
        _cleanup_free_ char *image = xasprintf("%s/root/proc/sys/net/ipv4", harness_dir),
                            *fake = xasprintf("%s/ip_forward", image), *top = xasprintf("%s/root/proc/sys", harness_dir);
        assert_int_equal(path_mkdirs(image, 0755, &err), 0);
        assert_int_equal(file_write_at(AT_FDCWD, fake, "0\n", 2, 0644, false, &err), 0);
        _cleanup_box_ struct box b;
        box_init(&b, "cat /proc/sys/net/ipv4/ip_forward; mkdir /p; mount -t proc p /p; cat /p/sys/net/ipv4/ip_forward");
        without_mount(&b, "/proc");
        uint64_t all = 0;
        assert_int_equal(capabilities_for(NULL, NULL, true, &all, &err), 0);
        capabilities_apply(all, &b.spec.process);
        seccomp_free(b.spec.seccomp);
        b.spec.seccomp = NULL;
        strv_push(&b.spec.sysctl, "net.ipv4.ip_forward=1");
        box_expect(&b, 0);
        assert_string_equal(b.output, "0\n1\n");
        drop(top);
        drop(host);
}

/* ---- CVE-2021-30465, CVE-2024-45310: places of mounts that are exchanged for links meanwhile ---- */

/* Two file systems in the volume, the second on what may be the host's directory. What they cover must be seen to be the container's. */
static void traps_in_volume(struct box *b, const char *vol)
{
        box_init(b, "cat /vol/*/secret /vol/*/host/secret /tmp/*/host/secret /*/secret; ls -R /tmp; echo traps $(grep -c '^trap ' /proc/mounts)");
        oci_spec_add_mount(&b->spec, "/vol", "bind", vol, "rbind");
        oci_spec_add_mount(&b->spec, "/vol/place", "tmpfs", "trap", "mode=755");
        oci_spec_add_mount(&b->spec, "/vol/place/host", "tmpfs", "trap", "mode=755");
}

static void traps_are_inside(struct box *b)
{
        box_has_not(b, SECRET);
        box_has(b, "traps 2\n");
}

static void cve_2021_30465(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *host = host_directory(), *vol = xasprintf("%s/vol", harness_dir);
        assert_int_equal(path_mkdirs(vol, 0755, &err), 0);
        struct flipper f = { .a = xasprintf("%s/place", vol), .b = xasprintf("%s/link", vol) };
        assert_return_code(mkdir(f.a, 0755), errno);
        assert_return_code(symlink(harness_dir, f.b), errno);
        _cleanup_box_ struct box good, linked;
        traps_in_volume(&good, vol);
        box_expect(&good, 0);
        traps_are_inside(&good);
        /* A link that stays: it is followed inside the container, where the path is made for it, or leads nowhere. */
        assert_return_code(syscall(SYS_renameat2, AT_FDCWD, f.a, AT_FDCWD, f.b, 2u /* RENAME_EXCHANGE */), errno);
        traps_in_volume(&linked, vol);
        oci_spec_add_mount(&linked.spec, harness_dir, "tmpfs", "tmpfs", NULL);
        struct oci_mount below = linked.spec.mounts[linked.spec.mount_count - 1]; /* the directory first */
        memmove(&linked.spec.mounts[1], &linked.spec.mounts[0], (linked.spec.mount_count - 1) * sizeof(below));
        linked.spec.mounts[0] = below;
        box_expect(&linked, 0);
        traps_are_inside(&linked);
        flipper_start(&f);
        int ran = 0;
        for (int i = 0; i < RACES || (ran == 0 && i < 40 * RACES); i++) {
                _cleanup_box_ struct box b;
                traps_in_volume(&b, vol);
                err_clear(&err);
                if (box_run(&b, &err) < 0)
                        continue;
                ran++;
                traps_are_inside(&b);
        }
        flipper_end(&f);
        assert_true(ran > 0);
        assert_int_equal(entries(host), 1); /* still what it was: nothing was mounted or made there */
        drop(vol);
        drop(host);
}

/* Everything that is made where it is missing. */
static void places_in_volume(struct box *b, const char *vol, int number)
{
        _cleanup_free_ char *file = xasprintf("/vol/dir/file-%d", number), *deep = xasprintf("/vol/dir/a/b/%d", number),
                            *cwd = xasprintf("/vol/dir/cwd-%d", number), *node = xasprintf("/vol/dir/node-%d", number);
        box_init(b, "true");
        oci_spec_add_mount(&b->spec, "/vol", "bind", vol, "rbind");
        oci_spec_add_mount(&b->spec, file, "bind", "/etc/hostname", "bind");
        oci_spec_add_mount(&b->spec, deep, "tmpfs", "tmpfs", NULL);
        oci_spec_add_device(&b->spec, node, 'c', 1, 3, 0666);
        str_replace(&b->spec.process.cwd, cwd);
}

static void cve_2024_45310(void **state)
{
        /* Missing places are made: through a link they would be made on the host. */
        struct err err = ERR_INIT;
        _cleanup_free_ char *host = host_directory(), *vol = xasprintf("%s/vol", harness_dir);
        assert_int_equal(path_mkdirs(vol, 0755, &err), 0);
        struct flipper f = { .a = xasprintf("%s/dir", vol), .b = xasprintf("%s/link", vol) };
        assert_return_code(mkdir(f.a, 0755), errno);
        assert_return_code(symlink(host, f.b), errno);
        _cleanup_box_ struct box good;
        places_in_volume(&good, vol, RACES);
        box_expect(&good, 0);
        assert_int_equal(entries(f.a), 4);
        assert_return_code(syscall(SYS_renameat2, AT_FDCWD, f.a, AT_FDCWD, f.b, 2u /* RENAME_EXCHANGE */), errno);
        for (int i = 0; i < 2; i++) { /* where the link leads to nothing inside, and where it leads to a directory of that name */
                _cleanup_box_ struct box linked;
                places_in_volume(&linked, vol, 2 * RACES + i);
                if (i)
                        oci_spec_add_mount(&linked.spec, "/tmp", "tmpfs", "tmpfs", NULL);
                (void)box_run(&linked, &err);
                err_clear(&err);
                assert_int_equal(entries(host), 1);
        }
        flipper_start(&f);
        for (int i = 0; i < RACES; i++) {
                _cleanup_box_ struct box b;
                places_in_volume(&b, vol, i);
                err_clear(&err);
                (void)box_run(&b, &err);
        }
        flipper_end(&f);
        assert_int_equal(entries(host), 1);
        drop(vol);
        drop(host);
}

/* ---- CVE-2022-0185: what the exploit needs first ---- */

static void cve_2022_0185_preconditions(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "unshare -U true || echo no userns; unshare -r true || echo no mapped userns;"
                     "probe call 272 0x10000000;" /* unshare(CLONE_NEWUSER) */
                     "probe call 56 0x10000011 0 0 0 0;" /* clone(CLONE_NEWUSER | SIGCHLD) */
                     "probe call 435 0 0;" /* clone3 */
                     "probe call 430 0 0; probe call 431 0 0; probe call 442 0 0"); /* fsopen, fsconfig, mount_setattr */
        box_expect(&b, 0);
        box_has(&b, "no userns");
        box_has(&b, "no mapped userns");
        box_has(&b, "errno 1\nerrno 1\nerrno 38\nerrno 1\nerrno 1\nerrno 1\n");
        /* Who is given the capability that all of this needs may. */
        struct err err = ERR_INIT;
        uint64_t mask = 0;
        char *add[] = { (char *)"SYS_ADMIN", NULL };
        _cleanup_box_ struct box good;
        box_init(&good, "unshare -U echo made; probe call 430 0 0");
        assert_int_equal(capabilities_for(add, NULL, false, &mask, &err), 0);
        capabilities_apply(mask, &good.spec.process);
        seccomp_free(good.spec.seccomp);
        good.spec.seccomp = seccomp_default(mask);
        box_expect(&good, 0);
        assert_string_equal(good.output, "made\nerrno 14\n"); /* EFAULT: fsopen(2) itself */
}

/* ---- CVE-2022-29162, CVE-2022-27650: inheritable capabilities of containers and of exec ---- */

static void inheritable_is_empty(uint32_t uid)
{
        struct err err = ERR_INIT;
        struct running r;
        char text[8192];
        _cleanup_box_ struct box b;
        box_init(&b, "echo up; sleep 100");
        b.spec.process.uid = uid;
        start(&b, &r);
        assert_int_equal(box_exec(&b, &r, "cat /proc/1/status; grep -E 'Cap(Inh|Amb|Eff|Prm)' /proc/self/status", text,
                                  sizeof(text), &err), 0);
        end(&b, &r);
        const char *zero = "CapInh:\t0000000000000000\n", *first = strstr(text, zero);
        assert_non_null(first);
        assert_non_null(strstr(first + 1, zero));
        if (uid)
                assert_non_null(strstr(text, "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000"));
        assert_non_null(strstr(text, "CapAmb:\t0000000000000000"));
}

/* What a spec does give is there: else an empty set would tell nothing. */
static void inheritable_as_given(void)
{
        _cleanup_box_ struct box b;
        box_init(&b, "grep CapInh /proc/self/status");
        strv_push(&b.spec.process.caps.inheritable, "CAP_KILL");
        box_expect(&b, 0);
        assert_string_equal(b.output, "CapInh:\t0000000000000020\n");
}

static void cve_2022_29162(void **state)
{
        inheritable_is_empty(0);
        inheritable_as_given();
}

static void cve_2022_27650(void **state)
{
        inheritable_is_empty(1234);
        inheritable_as_given();
}

/* ---- CVE-2024-21626: a descriptor of the host as working directory or command ---- */

/* exec with descriptor 3 passed on purpose, and as working directory: what is refused is that it leads out. */
static void passed_directory_leads_nowhere(struct box *keeper, struct running *r, int directory)
{
        struct err err = ERR_INIT;
        struct runtime_exec_result result = { 0 };
        int before = fcntl(3, F_DUPFD_CLOEXEC, 100), status = -1;
        struct oci_process p = keeper->spec.process;
        char *args[] = { (char *)"true", NULL };
        struct runtime_exec request = { .pid = r->c.pid, .start_time = r->c.start_time, .process = &p, .stdio = { -1, -1, -1 }, .preserve_fds = 1 };
        p.args = args;
        assert_int_equal(dup2(directory, 3), 3);
        for (int outside = 0; outside < 2; outside++) {
                p.cwd = (char *)(outside ? "/proc/self/fd/3" : "/tmp");
                int done = runtime_exec(&request, &result, &err);
                if (outside) {
                        assert_int_equal(done, -1);
                        assert_non_null(strstr(err.msg, "outside of the container's root"));
                        continue;
                }
                must(done, &err);
                must(proc_wait(result.pid, &status, &err), &err);
                assert_int_equal(status, 0);
                close(result.pidfd);
        }
        if (before >= 0)
                assert_int_equal(dup2(before, 3), 3);
        else
                close(3);
        mem_closep(&before);
}

static void cve_2024_21626(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *host = host_directory();
        char text[4096];
        int leaks[4];
        for (size_t i = 0; i < ELEMENTS(leaks); i++)
                leaks[i] = open(host, O_RDONLY | O_DIRECTORY); /* inheritable on purpose */
        struct running r;
        _cleanup_box_ struct box keeper;
        box_init(&keeper, "echo up; sleep 100");
        start(&keeper, &r);
        for (int fd = 0; fd < 24; fd++) {
                _cleanup_box_ struct box b;
                box_init(&b, "cat secret ../secret ./host/secret; pwd; ls -l /proc/self/fd; true");
                _cleanup_free_ char *cwd = xasprintf("/proc/self/fd/%d", fd);
                str_replace(&b.spec.process.cwd, cwd);
                err_clear(&err);
                if (box_run(&b, &err) == 0) {
                        box_has_not(&b, SECRET);
                        box_has_not(&b, harness_dir);
                        box_has_not(&b, "unreachable");
                }
                str_replace(&keeper.spec.process.cwd, cwd);
                err_clear(&err);
                memset(text, 0, sizeof(text));
                if (box_exec(&keeper, &r, "cat secret ../secret; pwd; ls -l /proc/self/fd; true", text, sizeof(text), &err) >= 0) {
                        assert_null(strstr(text, SECRET));
                        assert_null(strstr(text, harness_dir));
                        assert_null(strstr(text, "unreachable"));
                }
        }
        str_replace(&keeper.spec.process.cwd, "/");
        passed_directory_leads_nowhere(&keeper, &r, leaks[0]);
        /* An ordinary directory, and none of the descriptors. */
        _cleanup_box_ struct box good;
        box_init(&good, "pwd; ls -l /proc/self/fd");
        str_replace(&good.spec.process.cwd, "/home");
        box_expect(&good, 0);
        box_has(&good, "/home\n");
        box_has_not(&good, harness_dir);
        box_has_not(&good, "host");
        assert_int_equal(box_exec(&keeper, &r, "pwd; ls -l /proc/self/fd", text, sizeof(text), &err), 0);
        assert_null(strstr(text, harness_dir));
        assert_null(strstr(text, "host"));
        end(&keeper, &r);
        for (size_t i = 0; i < ELEMENTS(leaks); i++)
                close(leaks[i]);
        drop(host);
}

/* ---- CVE-2025-31133, CVE-2025-52565: what masks and the console are made of ---- */

static void cve_2025_31133(void **state)
{
        /* The image's /dev/null leads to what shall be reached: it would be bound over the masked path, writable. */
        static const char *const targets[] = { "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/etc/passwd", NULL /* no link */ };
        _cleanup_free_ char *null = xasprintf("%s/root/dev/null", harness_dir);
        for (size_t i = 0; i < ELEMENTS(targets); i++) {
                if (targets[i])
                        assert_return_code(symlink(targets[i], null), errno);
                _cleanup_box_ struct box b;
                box_init(&b, "stat -c '%n %t:%T' /proc/timer_list; cat /proc/timer_list | wc -c; echo x > /proc/timer_list; stat -c %F "
                             "/dev/null; echo x > /proc/sys/kernel/core_pattern || echo read-only");
                without_mount(&b, "/dev");
                without_mount(&b, "/dev/pts");
                without_mount(&b, "/dev/mqueue");
                without_mount(&b, "/dev/shm");
                box_expect(&b, 0);
                unlink(null);
                box_has(&b, "/proc/timer_list 1:3");
                box_has(&b, "character special file");
                box_has(&b, "read-only");
        }
        /* A volume on /dev is left as it is, so the link stays; nothing is made of it. */
        struct err err = ERR_INIT;
        _cleanup_free_ char *dev = xasprintf("%s/dev", harness_dir), *link = xasprintf("%s/dev/null", harness_dir);
        assert_int_equal(path_mkdirs(dev, 0755, &err), 0);
        assert_return_code(symlink("/etc/passwd", link), errno);
        _cleanup_box_ struct box b;
        box_init(&b, "stat -c '%n %t:%T' /proc/timer_list; readlink /dev/null");
        static const char *const others[] = { "/dev/pts", "/dev/mqueue", "/dev/shm", "/dev" };
        for (size_t i = 0; i < ELEMENTS(others); i++)
                without_mount(&b, others[i]);
        oci_spec_add_mount(&b.spec, "/dev", "bind", dev, "rbind");
        box_expect(&b, 0);
        assert_string_equal(b.output, "/proc/timer_list 1:3\n/etc/passwd\n");
        drop(dev);
}

/* A terminal in an image of which /dev/NAME is a link (NULL: none), to a file of procfs. */
static void terminal_beside(const char *name, const char *refused)
{
        struct err err = ERR_INIT;
        struct running r;
        _cleanup_free_ char *link = name ? xasprintf("%s/root/dev/%s", harness_dir, name) : NULL;
        if (link)
                assert_return_code(symlink("/proc/sys/kernel/core_pattern", link), errno);
        _cleanup_box_ struct box b;
        box_init(&b, "stat -c '%t:%T' /dev/console; tty; echo x > /proc/sys/kernel/core_pattern || echo read-only; grep -c core_pattern /proc/mounts");
        without_mount(&b, "/dev");
        without_mount(&b, "/dev/mqueue");
        without_mount(&b, "/dev/shm");
        b.spec.process.terminal = true;
        int made = box_create(&b, &r, &err);
        if (link)
                unlink(link);
        if (refused) {
                assert_int_equal(made, -1);
                if (!strstr(err.msg, refused))
                        fail_msg("%s: %s", name, err.msg);
                return;
        }
        must(made, &err);
        must(runtime_start(&r.c, &err), &err);
        must(box_finish(&b, &r, &err), &err);
        box_has(&b, "88:0"); /* 136, in hexadecimal */
        box_has(&b, "/dev/pts/0");
        box_has(&b, "read-only");
        box_has(&b, "\n0\r\n");
}

static void cve_2025_52565(void **state)
{
        /* The image's /dev/console, or a terminal's name, leads to a file of procfs. */
        terminal_beside("console", "/dev/console of the image is a link");
        terminal_beside("pts", "cannot be mounted because it is inside /proc");
        terminal_beside("ptmx", NULL);
        terminal_beside(NULL, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(cve_2019_5736),  cmocka_unit_test(hooks_of_the_image_are_confined),
                cmocka_unit_test(cve_2019_16884), cmocka_unit_test(cve_2019_19921),
                cmocka_unit_test(cve_2021_30465), cmocka_unit_test(cve_2022_0185_preconditions),
                cmocka_unit_test(cve_2022_29162), cmocka_unit_test(cve_2022_27650),
                cmocka_unit_test(cve_2023_27561), cmocka_unit_test(cve_2023_28642),
                cmocka_unit_test(cve_2024_21626), cmocka_unit_test(cve_2024_45310),
                cmocka_unit_test(cve_2025_31133), cmocka_unit_test(cve_2025_52565),
                cmocka_unit_test(cve_2025_52881),
        };
        return harness_main(tests, ELEMENTS(tests));
}

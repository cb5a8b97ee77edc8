/* The bundle of a container that another runtime makes, and its creation. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/foreign-internal.h"

struct making {
        const struct foreign *foreign;
        struct start_plan *plan;
        const struct foreign_create *how;
        char *bundle, *rootfs, *pid_file, *console;
};

static void making_done(struct making *m)
{
        free(m->bundle);
        free(m->rootfs);
        free(m->pid_file);
        free(m->console);
}

/* What an earlier creation left is gone from the program's view: it has been told to delete it. */
static int folders_make(const struct making *m, bool shared, struct err *err)
{
        _cleanup_free_ char *root = path_join(m->foreign->dir, "root");
        if (tree_remove_at(AT_FDCWD, m->foreign->dir, err) < 0 || path_mkdirs(root, 0711, err) < 0 || path_mkdirs(m->rootfs, 0711, err) < 0)
                return -1;
        _cleanup_free_ char *run_dir = path_join(m->foreign->dir, "..");
        /* the root of a user namespace goes this way to what is mounted for it */
        return shared && chmod(run_dir, 0711) < 0 ? err_sys(err, "%s", run_dir) : 0;
}

/* --init: as runtime/ does it, in the words of a spec. */
static void init_add(struct oci_spec *spec, const char *init)
{
        _cleanup_strv_ char **command = spec->process.args;
        spec->process.args = NULL;
        strv_push(&spec->process.args, "/sbin/docker-init");
        strv_push(&spec->process.args, "--");
        strv_extend(&spec->process.args, command);
        oci_spec_add_mount(spec, "/sbin/docker-init", "bind", init, "bind,ro");
}

/* A mount that stays a peer of the host's would have to be made where the host's are; ours are made in a namespace of their own. */
static int propagation_check(const struct oci_spec *spec, struct err *err)
{
        for (size_t i = 0; i < spec->mount_count; i++)
                if (strv_has(spec->mounts[i].options, "rshared") || strv_has(spec->mounts[i].options, "shared"))
                        return err_set(err, ERR_UNSUPPORTED, "mount %s: shared propagation needs the runtime \"tare\"", spec->mounts[i].destination);
        return 0;
}

/* The mounts whose ids are to be mapped are made by us, beside the root, and bound from there. */
static bool is_mapped(const struct oci_mount *m) { return strv_has(m->options, "idmap"); }
static char *mapped_path(const struct making *m, size_t i) { return xasprintf("%s/mount%zu", m->bundle, i); }

static int mapped_place(const struct making *m, const struct oci_mount *mount, size_t i, struct err *err)
{
        struct stat st;
        _cleanup_free_ char *path = mapped_path(m, i);
        if (stat(mount->source, &st) < 0)
                return err_sys(err, "%s", mount->source);
        if (S_ISDIR(st.st_mode))
                return path_mkdirs(path, 0711, err);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        return fd < 0 ? err_sys(err, "%s", path) : 0;
}

/* What the program is to be told of a mount: one that we make is bound from where it then is. */
static void mount_shown(const struct making *m, const struct oci_mount *mount, size_t i, struct oci_mount *ret)
{
        oci_mount_copy(mount, ret);
        if (!is_mapped(mount))
                return;
        free(ret->source);
        ret->source = mapped_path(m, i);
        strv_free(ret->options);
        ret->options = NULL;
        STRV_FOREACH (option, mount->options)
                if (!str_eq(*option, "idmap"))
                        strv_push(&ret->options, *option);
}

static int bundle_write(const struct making *m, struct err *err)
{
        struct oci_spec *spec = &m->plan->spec;
        for (size_t i = 0; i < spec->mount_count; i++)
                if (is_mapped(&spec->mounts[i]) && mapped_place(m, &spec->mounts[i], i, err) < 0)
                        return -1;
        str_replace(&spec->oci_version, "1.0.2");      /* the newest that all of them take */
        str_replace(&spec->root_path, "rootfs");
        struct oci_spec shown = *spec;
        shown.mounts = xcalloc(spec->mount_count + 1, sizeof(*shown.mounts));
        for (size_t i = 0; i < spec->mount_count; i++)
                mount_shown(m, &spec->mounts[i], i, &shown.mounts[i]);
        _cleanup_free_ char *text = oci_spec_format(&shown), *config = path_join(m->bundle, "config.json");
        for (size_t i = 0; i < spec->mount_count; i++)
                oci_mount_done(&shown.mounts[i]);
        free(shown.mounts);
        return file_write_at(AT_FDCWD, config, text, strlen(text), 0600, false, err);
}

/* --- the process that makes the mounts and runs the program --- */

static int mounts_make(const struct making *m, struct err *err)
{
        const struct oci_spec *spec = &m->plan->spec;
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return err_sys(err, "mount namespace");
        if (runtime_mount_at(spec, &m->plan->rootfs, m->rootfs, err) < 0)
                return err_add(err, "root");
        for (size_t i = 0; i < spec->mount_count; i++) {
                _cleanup_free_ char *path = mapped_path(m, i);
                if (is_mapped(&spec->mounts[i]) && runtime_mount_at(spec, &spec->mounts[i], path, err) < 0)
                        return err_add(err, "mount %s", spec->mounts[i].destination);
        }
        return 0;
}

static int create_run(const struct making *m, struct err *err)
{
        static const int nothing[3] = { -1, -1, -1 };
        _cleanup_strv_ char **words = NULL;
        const char *const fixed[] = { "--bundle", m->bundle, "--pid-file", m->pid_file };
        for (size_t i = 0; i < ELEMENTS(fixed); i++)
                strv_push(&words, fixed[i]);
        if (m->console) {
                strv_push(&words, "--console-socket");
                strv_push(&words, m->console);
        }
        return foreign_run(m->foreign, "create", words, m->console ? nothing : m->how->stdio, NULL, err);
}

static void child_main(const struct making *m, int result)
{
        struct err err = ERR_INIT;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (mounts_make(m, &err) == 0 && create_run(m, &err) == 0)
                err_clear(&err);
        _exit(fd_write_full(result, &err, sizeof(err)) < 0);
}

/* Its mount namespace ends with it; the container has one of its own by then. Init is left to us, the subreaper. */
static int child_run(const struct making *m, struct err *err)
{
        int pipes[2];
        struct err said;
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        _cleanup_close_ int ours = pipes[0], theirs = pipes[1];
        pid_t child = fork();
        if (child < 0)
                return err_sys(err, "fork");
        if (child == 0)
                child_main(m, theirs);
        close(TAKE_FD(theirs));
        ssize_t n = fd_read_full(ours, &said, sizeof(said));
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
                ;
        if (n != (ssize_t)sizeof(said))
                return err_set(err, ERR_SYSTEM, "the process that runs the runtime was killed");
        if (said.kind == ERR_NONE)
                return 0;
        *err = said;
        return -1;
}

static int create(struct making *m, struct runtime_container *ret, struct err *err)
{
        const struct oci_process *p = &m->plan->spec.process;
        _cleanup_close_ int dir = open(m->foreign->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), listening = -1;
        if (dir < 0)
                return err_sys(err, "%s", m->foreign->dir);
        if (p->terminal && (listening = foreign_console_listen(dir, "console.sock", &m->console, err)) < 0)
                return -1;
        if (child_run(m, err) < 0 || foreign_pid_read(m->pid_file, &ret->pid, &ret->pidfd, err) < 0 ||
            proc_start_time(ret->pid, &ret->start_time, err) < 0)
                return -1;
        if (!p->terminal)
                return 0;
        ret->console_fd = foreign_console_take(listening, err);
        unlinkat(dir, "console.sock", 0);
        return ret->console_fd < 0 ? -1 : 0;
}

int foreign_create(struct engine *e, const struct container *c, struct start_plan *plan, const struct foreign_create *how,
                   struct runtime_container *ret, struct err *err)
{
        struct err ignored = ERR_INIT;
        _cleanup_foreign_ struct foreign f = { 0 };
        if (foreign_open(e, c, &f, err) < 0 || propagation_check(&plan->spec, err) < 0)
                return -1;
        _cleanup_(making_done) struct making m = { .foreign = &f, .plan = plan, .how = how, .bundle = path_join(f.dir, "bundle"),
                                                   .rootfs = path_join(f.dir, "bundle/rootfs"), .pid_file = path_join(f.dir, "pid") };
        if (how->init)
                init_add(&plan->spec, how->init);
        plan->spec.has_process = true;
        if (folders_make(&m, plan->spec.uid_map_count > 0, err) < 0 || bundle_write(&m, err) < 0)
                return -1;
        if (create(&m, ret, err) == 0)
                return 0;
        foreign_delete(e, c, &ignored);
        return -1;
}

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "ociruntime/program-internal.h"
#include "runtime/cgroup.h"

/* The three standard descriptors are open, so that none of ours takes their place. */
static void open_standard(void)
{
        for (int fd = 0; fd < 3; fd++)
                if (fcntl(fd, F_GETFD) < 0)
                        (void)!open("/dev/null", O_RDWR);
}

/* Callers look for the words of Go for what the system said, which begin in lower case. */
static void lower_system_text(struct err *err)
{
        const char *words = err->sys ? strerror(err->sys) : "";
        size_t len = strlen(words), all = strlen(err->msg);
        if (len && all > len + 2 && str_ends(err->msg, words) && memcmp(err->msg + all - len - 2, ": ", 2) == 0)
                err->msg[all - len] = (char)tolower((unsigned char)err->msg[all - len]);
}

static int report(struct err *err, int code)
{
        lower_system_text(err);
        log_error(err->msg);
        if (!log_is_stderr())
                dprintf(2, "%s\n", err->msg);
        return code ? code : 1;
}

static int finish(int code)
{
        return fflush(stdout) != 0 && code == 0 ? 1 : code;
}

/* Root in a user namespace of his own is a user on the host, unless he calls himself root: so does a container that has /run. */
static bool has_runtime_dir(void)
{
        return geteuid() != 0 || (cgroup_in_user_namespace() && !str_eq(getenv("USER"), "root"));
}

/* XDG Base Directory Specification: what is old below $XDG_RUNTIME_DIR may be cleaned away unless it is sticky. */
static char *default_root(void)
{
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        if (str_empty(runtime) || !has_runtime_dir())
                return xstrdup("/run/tare-oci");
        char *root = xasprintf("%s/tare-oci", runtime);
        (void)mkdir(root, 0700);
        (void)chmod(root, 01700);
        return root;
}

static int run_verb(const struct program *p, int argc, char **argv)
{
        struct err err = ERR_INIT;
        struct verb_options o = { 0 };
        _cleanup_free_ char **args = NULL;
        const struct verb *v = verb_find(argv[0]);
        if (!v) {
                err_set(&err, ERR_INVALID, "No help topic for '%s'", argv[0]);
                return report(&err, 3);
        }
        int code = options_parse(v->options, v->stop_at_args, argc - 1, argv + 1, &o, &o.help, &args, &err);
        if (code == 0 && o.help) {
                verb_print_help(v);
        } else if (code < 0 || verb_check_args(v, args, &err) < 0) {
                dprintf(2, "Incorrect usage. See: tare-oci %s --help\n", v->name);
                code = report(&err, 1);
        } else if ((code = v->run(p, &o, args, &err)) < 0) {
                if (v->failed)
                        err_add(&err, "%s", v->failed);
                code = report(&err, v->error_code);
        }
        options_done(v->options, &o);
        return finish(code);
}

/* What podman says to crun in the place of --systemd-cgroup. */
static int choose_cgroup_manager(struct program *p, struct err *err)
{
        const char *name = p->cgroup_manager;
        if (!name)
                return 0;
        if (!str_eq(name, "cgroupfs") && !str_eq(name, "systemd"))
                return err_set(err, str_eq(name, "disabled") ? ERR_UNSUPPORTED : ERR_INVALID, "--cgroup-manager: %s: not cgroupfs or systemd", name);
        p->systemd_cgroup = str_eq(name, "systemd");
        return 0;
}

static int run_program(struct program *p, char **args)
{
        struct err err = ERR_INIT;
        int argc = (int)strv_len(args);
        if (p->version) {
                printf("tare-oci version %s\nspec: %s\n", TARE_VERSION, OCIRUNTIME_SPEC_VERSION);
                return finish(0);
        }
        if (p->help || argc == 0 || str_eq(args[0], "help") || str_eq(args[0], "h")) {
                const struct verb *v = argc > 1 ? verb_find(args[1]) : NULL;
                if (v)
                        verb_print_help(v);
                else
                        program_print_help();
                return finish(0);
        }
        if (log_open(p->log, p->log_format, p->debug, &err) < 0 || choose_cgroup_manager(p, &err) < 0)
                return report(&err, 1);
        char *root = p->root ? path_absolute(p->root) : default_root();
        free(p->root);
        p->root = root;
        return run_verb(p, argc, args);
}

int main(int argc, char **argv)
{
        struct program p = { 0 };
        struct err err = ERR_INIT;
        _cleanup_free_ char **args = NULL;
        open_standard();
        cgroup_join_unified();
        signal(SIGPIPE, SIG_IGN);
        if (argc < 1)
                return 1;
        int code = options_parse(global_rows, true, argc - 1, argv + 1, &p, &p.help, &args, &err) < 0 ? report(&err, 1) : run_program(&p, args);
        options_done(global_rows, &p);
        return code;
}

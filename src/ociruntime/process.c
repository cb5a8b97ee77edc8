/* What create, run and exec share about the process they start: descriptors, pid file, paths, signals. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/signame.h"
#include "ociruntime/program-internal.h"

/* sd_listen_fds(3): descriptors were passed to us if LISTEN_PID says us. */
static int listen_descriptors(int *ret_count, struct err *err)
{
        const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
        uint32_t n = 0, us = 0;
        if (str_empty(count) || str_empty(pid))
                return 0;
        if (parse_u32(count, &n, err) < 0 || parse_u32(pid, &us, err) < 0 || n > 1024)
                return err_add(err, "LISTEN_FDS");
        if (us == (uint32_t)getpid())
                *ret_count = (int)n;
        return 0;
}

int preserved_descriptors(const struct verb_options *o, struct preserved *ret, struct err *err)
{
        int listen = 0;
        if (listen_descriptors(&listen, err) < 0)
                return -1;
        if (o->preserve_fds < 0 || o->preserve_fds > 1024 - listen)
                return err_set(err, ERR_INVALID, "--preserve-fds: %lld is out of range", (long long)o->preserve_fds);
        int count = listen + (int)o->preserve_fds;
        for (int fd = 3; fd < 3 + count; fd++)
                if (fcntl(fd, F_GETFD) < 0)
                        return err_set(err, ERR_INVALID, "unable to stat preserved-fd %d (of %d): not open", fd - 3, count);
        *ret = (struct preserved){ count, listen };
        return 0;
}

void listen_environment(struct oci_process *process, const struct preserved *preserved)
{
        if (!preserved->listen)
                return;
        _cleanup_free_ char *fds = xasprintf("LISTEN_FDS=%d", preserved->listen);
        strv_env_set(&process->env, fds);
        strv_env_set(&process->env, "LISTEN_PID=1");
}

int pid_file_write(const char *path, pid_t pid, struct err *err)
{
        char text[16];
        snprintf(text, sizeof(text), "%d", (int)pid);
        return file_write_at(AT_FDCWD, path, text, strlen(text), 0644, false, err) < 0 ? err_add(err, "pid file") : 0;
}

char *path_absolute(const char *path)
{
        char here[4096];
        if (!path)
                return NULL;
        return path[0] == '/' || !getcwd(here, sizeof(here)) ? path_clean(path) : path_join(here, path);
}

int file_text(int dir_fd, const char *path, struct buf *b, struct err *err)
{
        if (!str_eq(path, "-"))
                return file_read_at(dir_fd, path, b, err) < 0 ? -1 : buf_adds(b, "", err);
        return fd_read_all(0, b, err);
}

int signal_parse(const char *text, int *ret, struct err *err)
{
        uint32_t number = 0;
        struct err unused = ERR_INIT;
        if (parse_u32(text, &number, &unused) < 0)
                number = (uint32_t)signal_number(text);
        if ((number == 0 && !str_eq(text, "0")) || number >= NSIG) /* 0 only asks whether it is there */
                return err_set(err, ERR_INVALID, "unknown signal \"%s\"", text);
        *ret = (int)number;
        return 0;
}

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include "base/fd.h"
#include "image/archive-internal.h"

#define INPUT_BLOCK ((size_t)256 << 10)
#define PIPE_BYTES (1 << 20)

struct plain {
        struct archive *a;
        int out, in; /* write end of the worker, read end of the caller */
        pthread_t thread;
        bool running;
        struct err err;
};

static int copy_out(struct plain *p, struct err *err)
{
        const void *bytes;
        size_t len;
        la_int64_t at;
        for (;;) {
                int r = archive_read_data_block(p->a, &bytes, &len, &at);
                if (r == ARCHIVE_EOF)
                        return 0;
                if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
                        return err_set(err, ERR_CORRUPT, "decompress: %s", archive_error_string(p->a));
                /* A reader that has seen enough (end of the archive, an error) closes its end. */
                if (fd_write_full(p->out, bytes, len) < 0)
                        return errno == EPIPE ? 0 : err_sys(err, "write to pipe");
        }
}

static void *worker(void *data)
{
        struct plain *p = data;
        sigset_t broken_pipe;
        sigemptyset(&broken_pipe);
        sigaddset(&broken_pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
        copy_out(p, &p->err);
        mem_closep(&p->out);
        p->out = -1;
        return NULL;
}

static struct archive *reader_new(void)
{
        struct archive *a = archive_read_new();
        if (!a)
                abort(); /* out of memory */
        archive_read_support_format_raw(a);
        archive_read_support_format_empty(a);
        archive_read_support_filter_xz(a);
        archive_read_support_filter_bzip2(a);
        return a;
}

int plain_open(int fd, struct plain **ret, int *ret_fd, struct err *err)
{
        _cleanup_(plain_freep) struct plain *p = xcalloc(1, sizeof(*p));
        struct archive_entry *entry;
        int pipe_fds[2];
        p->in = p->out = -1;
        p->a = reader_new();
        if (archive_read_open_fd(p->a, fd, INPUT_BLOCK) != ARCHIVE_OK)
                return err_set(err, ERR_CORRUPT, "read archive: %s", archive_error_string(p->a));
        int r = archive_read_next_header(p->a, &entry);
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
                return err_set(err, ERR_INVALID, "the archive is empty or damaged");
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        p->in = pipe_fds[0];
        p->out = pipe_fds[1];
        fcntl(p->out, F_SETPIPE_SZ, PIPE_BYTES); /* only for speed */
        int failed = pthread_create(&p->thread, NULL, worker, p);
        if (failed)
                return err_sysnum(err, failed, "start a thread");
        p->running = true;
        *ret_fd = p->in;
        *ret = TAKE_PTR(p);
        return 0;
}

static void stop(struct plain *p)
{
        mem_closep(&p->in);
        p->in = -1;
        if (p->running)
                pthread_join(p->thread, NULL);
        p->running = false;
}

int plain_finish(struct plain *p, struct err *err)
{
        stop(p);
        if (p->err.kind == ERR_NONE)
                return 0;
        *err = p->err;
        return -1;
}

void plain_free(struct plain *p)
{
        if (!p)
                return;
        stop(p);
        mem_closep(&p->out);
        archive_read_free(p->a);
        free(p);
}

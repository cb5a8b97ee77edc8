#include "build/context-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "build/parser-internal.h"

void context_done(struct context *c)
{
        mem_closep(&c->root_fd);
        if (c->ignore)
                ignore_free(c->ignore);
        free(c->name);
        buf_done(&c->text);
        *c = (struct context){ .root_fd = -1 };
}

/* A regular file of the user's; a FIFO put in its place must not block us. 1: read, 0: not there. */
static int read_regular(int dir_fd, const char *path, struct buf *b, struct err *err)
{
        struct stat st;
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return errno == ENOENT ? 0 : err_sys(err, "open %s", path);
        if (fstat(fd, &st) < 0)
                return err_sys(err, "%s", path);
        if (!S_ISREG(st.st_mode))
                return err_set(err, ERR_INVALID, "%s is not a regular file", path);
        return fd_read_all(fd, b, err) < 0 ? err_add(err, "%s", path) : 1;
}

static int read_dockerfile(const struct build_options *o, struct context *c, struct err *err)
{
        if (o->dockerfile_text)
                return buf_adds(&c->text, o->dockerfile_text, err);
        if (!o->dockerfile && c->root_fd < 0)
                return err_set(err, ERR_INVALID, "neither a context nor a Dockerfile was given");
        int found = o->dockerfile ? read_regular(AT_FDCWD, o->dockerfile, &c->text, err)
                                  : read_regular(c->root_fd, "Dockerfile", &c->text, err);
        if (found == 0 && !o->dockerfile)
                found = read_regular(c->root_fd, "dockerfile", &c->text, err);
        if (found < 0)
                return err_add(err, "failed to read dockerfile");
        if (!found)
                return err_set(err, ERR_NOT_FOUND, "failed to read dockerfile: open %s: no such file or directory",
                               o->dockerfile ? o->dockerfile : "Dockerfile");
        return 0;
}

/* NAME.dockerignore beside the Dockerfile wins over the context's .dockerignore. */
static int read_ignore(const struct build_options *o, struct context *c, struct err *err)
{
        _cleanup_buf_ struct buf text = BUF_INIT(DOCKERFILE_MAX);
        _cleanup_free_ char *beside = xasprintf("%s.dockerignore", o->dockerfile ? o->dockerfile : "Dockerfile");
        int found = o->dockerfile_text ? 0 : read_regular(o->dockerfile ? AT_FDCWD : c->root_fd, beside, &text, err);
        if (found == 0)
                found = read_regular(c->root_fd, ".dockerignore", &text, err);
        if (found <= 0)
                return found;
        if (text.data && strlen(text.data) != text.len)
                return err_set(err, ERR_INVALID, ".dockerignore: a NUL byte");
        return text.len ? ignore_parse(text.data, &c->ignore, err) : 0;
}

int context_open(const struct build_options *o, struct context *ret, struct err *err)
{
        _cleanup_(context_done) struct context c = { .root_fd = -1, .text = BUF_INIT(DOCKERFILE_MAX + 1) };
        if (o->context) {
                c.root_fd = open(o->context, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (c.root_fd < 0)
                        return err_sys(err, "build context %s", o->context);
        }
        c.name = xstrdup(o->dockerfile && !o->dockerfile_text ? path_name(o->dockerfile) : "Dockerfile");
        if (read_dockerfile(o, &c, err) < 0 || (c.root_fd >= 0 && read_ignore(o, &c, err) < 0))
                return -1;
        *ret = c;
        c = (struct context){ .root_fd = -1 };
        return 0;
}

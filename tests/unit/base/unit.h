/* What every unit test of this room needs: cmocka, an error to look at, and a scratch directory that goes away. */
#ifndef TARE_TESTS_UNIT_BASE_UNIT_H
#define TARE_TESTS_UNIT_BASE_UNIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

/* Success, else the error's message fails the test. */
#define OK(call, err)                                                                                                  \
        do {                                                                                                           \
                if ((call) < 0)                                                                                        \
                        fail_msg("%s: %s", #call, (err)->msg);                                                         \
        } while (0)

#define FAILS(call, err, expected)                                                                                     \
        do {                                                                                                           \
                err_clear(err);                                                                                        \
                assert_int_equal((call), -1);                                                                          \
                assert_int_equal((err)->kind, (expected));                                                             \
                assert_true((err)->msg[0] != '\0');                                                                    \
        } while (0)

/* A new directory below TMPDIR, opened; *ret_path on the heap. */
static inline int scratch_new(char **ret_path)
{
        const char *base = getenv("TMPDIR");
        char *path = xasprintf("%s/tare-unit.XXXXXX", base ? base : "/tmp");
        assert_non_null(mkdtemp(path));
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        *ret_path = path;
        return fd;
}

static inline void scratch_done(char *path, int fd)
{
        struct err err = ERR_INIT;
        OK(tree_remove_at(AT_FDCWD, path, &err), &err);
        close(fd);
        free(path);
}

/* The exit status of a child that runs `body(data)`. */
static inline int in_child(int (*body)(void *), void *data)
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(body(data));
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Open descriptors of this process. */
static inline size_t descriptors_open(void)
{
        DIR *dir = opendir("/proc/self/fd");
        assert_non_null(dir);
        size_t count = 0;
        while (readdir(dir))
                count++;
        closedir(dir);
        return count;
}

#endif

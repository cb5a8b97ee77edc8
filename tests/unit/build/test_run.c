/* RUN: forms, heredocs, mounts, network. */
#include "e2e.h"

#include <fcntl.h>

#define NEED_ROOT(e)                                                                                                   \
        struct e2e *e = *state;                                                                                        \
        if (!e->st)                                                                                                    \
        skip()

static char *output(struct e2e *e)
{
        struct buf b = BUF_INIT(1 << 20);
        e2e_output(e, &b);
        return buf_take(&b);
}

static void test_forms(void **state)
{
        NEED_ROOT(e);
        free(e2e_good(e, "FROM base\nRUN [\"echo\", \"$HOME\"]\nRUN echo \\\n  two # not a comment\nSHELL "
                         "[\"/bin/sh\", \"-xc\"]\nRUN true\n"));
        _cleanup_free_ char *out = output(e);
        assert_string_equal(out, "$HOME\ntwo\n+ true\n");
}

static void test_environment(void **state)
{
        NEED_ROOT(e);
        free(e2e_good(e, "FROM base\nRUN test \"$PATH\" = /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "
                         "&& test $HOME = /root"
                         " && test ${#HOSTNAME} = 12 && test $(pwd) = / && test $(id -u) = 0\n"
                         "ENV PATH=/bin HOME=/h\nRUN test $PATH$HOME = /bin/h\nUSER 1000:1002\nRUN test $(id -u):$(id "
                         "-g) = 1000:1002\n"
                         "USER root\nRUN grep -q 'Seccomp:.*2' /proc/self/status && grep -q 'CapEff:.*a80425fb' "
                         "/proc/self/status\n"
                         "RUN ! mkdir /proc/sys/x && ! echo 1 > /proc/sysrq-trigger\nRUN ! cat /proc/kcore > /dev/null "
                         "|| test ! -s /proc/kcore\n"));
}

static void test_heredocs(void **state)
{
        NEED_ROOT(e);
        free(e2e_good(
                e,
                "FROM base\nENV A=b\nRUN <<EOF\necho one $A\necho two\nEOF\nRUN cat <<'X' - <<Y\nlit $A\nX\nexp $A\nY\n"
                "RUN <<S\n#!/bin/cat\nscript $A\nS\nRUN <<-EOF cat\n\ttabs\n\tEOF\n"));
        _cleanup_free_ char *out = output(e);
        assert_string_equal(out, "one b\ntwo\nexp b\n#!/bin/cat\nscript $A\ntabs\n");
        e2e_bad(e, "FROM base\nRUN <<EOF\nexit 5\nEOF\n", "Dockerfile:2: The command ");
}

static void test_mounts(void **state)
{
        NEED_ROOT(e);
        ctx_write(e, "d/f", "bound\n");
        ctx_write(e, "d/ignored", "x");
        ctx_write(e, ".dockerignore", "d/ignored\n");
        const char *bind = "FROM base\nRUN --mount=type=bind,source=d,target=/m cat /m/f && test ! -e /m/ignored && ! "
                           "touch /m/x\n";
        free(e2e_good(e, bind));
        free(e2e_good(e, bind));
        assert_int_equal(e2e_said(e, "Using cache"), 1);
        ctx_write(e, "d/f", "edited\n");
        _cleanup_free_ char *id = e2e_good(e, bind);
        assert_int_equal(e2e_said(e, "Using cache"), 0);
        _cleanup_close_ int root = e2e_open(e, id);
        assert_null(file_what(root, "/m"));
        free(e2e_good(e, "FROM base\nRUN --mount=source=d,target=/m,rw touch /m/x && test -e /m/x\n"));
        _cleanup_free_ char *untouched = ctx_path(e, "d/x");
        assert_int_equal(access(untouched, F_OK), -1);
        free(e2e_good(e, "FROM base\nRUN --mount=type=bind,source=d/f,target=/file grep edited /file\n"));
        free(e2e_good(e, "FROM base AS s\nRUN mkdir /o; echo stage > /o/f\nFROM base\nRUN "
                         "--mount=from=s,source=/o,target=/m grep stage /m/f\n"));
        free(e2e_good(e, "FROM base\nRUN --mount=type=tmpfs,target=/t,size=1m touch /t/x && ! dd if=/dev/zero of=/t/y "
                         "bs=1M count=2 2>/dev/null\n"
                         "RUN test ! -e /t\n"));
        free(e2e_good(e, "FROM base\nRUN --mount=type=cache,target=/c echo kept > /c/f\nRUN "
                         "--mount=type=cache,target=/c,sharing=locked grep kept /c/f\n"
                         "RUN --mount=type=cache,id=/c,target=/q/r,ro grep kept /q/r/f && ! touch /q/r/g\nRUN test ! "
                         "-e /c && test ! -e /q\n"));
        free(e2e_good(e, "FROM base\nRUN --mount=type=secret,id=s test ! -e /run/secrets/s\n"));
        e2e_bad(e, "FROM base\nRUN --mount=type=secret,id=s,required true\n", "Dockerfile:2: --mount=type=secret");
        e2e_bad(e, "FROM base\nRUN --mount=type=bind true\n", "Dockerfile:2: invalid mount: target is required");
        e2e_bad(e, "FROM base\nRUN --mount=type=x,target=/a true\n", "unsupported mount type \"x\"");
        e2e_bad(e, "FROM base\nRUN --mount=type=tmpfs,target=/a,foo=b true\n", "unexpected key 'foo'");
        e2e_bad(e, "FROM base\nRUN --mount=source=missing,target=/a true\n", "Dockerfile:2: ");
        e2e_bad(e, "FROM base\nRUN --mount=type=cache,target=/a,sharing=x true\n", "unsupported sharing value");
}

static void test_network(void **state)
{
        NEED_ROOT(e);
        free(e2e_good(e, "FROM base\nRUN --network=none test $(ls /sys/class/net) = lo\nRUN --network=default "
                         "true\nRUN --network=host true\n"));
        e2e_bad(e, "FROM base\nRUN --network=x true\n", "Dockerfile:2: invalid network mode: \"x\"");
        e2e_bad(e, "FROM base\nRUN --security=insecure true\n", "Dockerfile:2: --security=insecure is not supported");
}

/* Deletions and replacements survive into the next step and into the image. */
static void test_layers(void **state)
{
        NEED_ROOT(e);
        _cleanup_free_ char *id =
                e2e_good(e, "FROM base\nRUN rm /etc/linked && rm -r /home && mkdir /home && touch /home/new\n"
                            "RUN test ! -e /etc/linked && test ! -e /home/u && test -e /home/new\nRUN chmod 700 "
                            "/existing; rm /home/new\n");
        _cleanup_close_ int root = e2e_open(e, id);
        _cleanup_free_ char *what = file_what(root, "/existing");
        assert_string_equal(what, "0700 0:0");
        assert_null(file_what(root, "/etc/linked"));
        assert_null(file_what(root, "/home/u"));
        assert_null(file_what(root, "/home/new"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, e2e_begin, e2e_end)
        const struct CMUnitTest tests[] = { T(test_forms),  T(test_environment), T(test_heredocs),
                                            T(test_mounts), T(test_network),     T(test_layers) };
        return cmocka_run_group_tests(tests, e2e_setup, e2e_teardown);
}

/* Whole builds: steps, cache, stages, arguments, ONBUILD. */
#include "e2e.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEED_ROOT(e)                                                                                                   \
        struct e2e *e = *state;                                                                                        \
        if (!e->st)                                                                                                    \
        skip()

static void test_first(void **state)
{
        NEED_ROOT(e);
        char *tags[] = { (char *)"x", (char *)"y:2", NULL };
        e->o.tags = tags;
        ctx_write(e, "f", "content\n");
        _cleanup_free_ char *id =
                e2e_good(e, "FROM base\nENV A=b\nRUN echo \"out $A\"; echo made > /made\nCOPY f /f\nCMD [\"sh\"]\n");
        _cleanup_buf_ struct buf out = BUF_INIT(0);
        e2e_output(e, &out);
        assert_string_equal(out.data, "out b\n");
        static const char *const lines[] = { "Step 1/5 : FROM base\n ---> ",
                                             "Step 2/5 : ENV A=b\n ---> ",
                                             "Step 3/5 : RUN echo ",
                                             " ---> Running in ",
                                             " ---> Removed intermediate container ",
                                             "Step 4/5 : COPY f /f\n",
                                             "Step 5/5 : CMD [\"sh\"]\n",
                                             "Successfully built ",
                                             "Successfully tagged x:latest\n",
                                             "Successfully tagged y:2\n" };
        for (size_t i = 0; i < ELEMENTS(lines); i++)
                if (!e2e_said(e, lines[i]))
                        fail_msg("%s was not said:\n%s", lines[i], e->said.data);
        assert_int_equal(e->prepared, 1);
        assert_int_equal(e->done, 1);
        _cleanup_image_config_ struct image_config c;
        e2e_config(e, "y:2", &c);
        assert_string_equal(c.exec.env[0], "A=b");
        assert_string_equal(c.exec.cmd[0], "sh");
        assert_int_equal(strv_len(c.diff_ids), 3);
        assert_int_equal(c.history_count, 5);
        assert_string_equal(c.history[1].created_by, "/bin/sh -c #(nop)  ENV A=b");
        assert_true(c.history[1].empty_layer);
        assert_string_equal(c.history[2].created_by, "/bin/sh -c echo \"out $A\"; echo made > /made");
        assert_false(c.history[2].empty_layer);
        assert_true(str_starts(c.history[3].created_by, "/bin/sh -c #(nop) COPY file:"));
        assert_true(str_ends(c.history[3].created_by, " in /f "));
        assert_string_equal(c.history[4].created_by, "/bin/sh -c #(nop)  CMD [\"sh\"]");
        _cleanup_close_ int root = e2e_open(e, "x");
        _cleanup_free_ char *made = file_text(root, "/made"), *copied = file_text(root, "/f");
        assert_string_equal(made, "made\n");
        assert_string_equal(copied, "content\n");
        /* Mount points that only the step needed are in no layer. */
        assert_null(file_what(root, "/proc"));
        assert_null(file_what(root, "/sys"));
}

static void test_cache(void **state)
{
        NEED_ROOT(e);
        const char *text = "FROM base\nARG V=1\nENV A=b\nRUN echo cache-$V > /r\nCOPY d /d\nWORKDIR /w/x\nCMD x\n";
        ctx_write(e, "d/f", "1");
        ctx_write(e, "other", "1");
        _cleanup_free_ char *first = e2e_good(e, text);
        assert_int_equal(e2e_said(e, "Using cache"), 0);
        _cleanup_free_ char *second = e2e_good(e, text);
        assert_int_equal(e2e_said(e, "Using cache"), 6);
        assert_string_equal(first, second);
        assert_int_equal(e->prepared, 1);
        /* What was not copied does not count. */
        ctx_write(e, "other", "2");
        free(e2e_good(e, text));
        assert_int_equal(e2e_said(e, "Using cache"), 6);
        /* Nor do times. */
        ctx_write(e, "d/f", "1");
        free(e2e_good(e, text));
        assert_int_equal(e2e_said(e, "Using cache"), 6);
        ctx_write(e, "d/f", "2");
        _cleanup_free_ char *edited = e2e_good(e, text);
        assert_int_equal(e2e_said(e, "Using cache"), 3);
        assert_string_not_equal(first, edited);
        /* And back again. */
        ctx_write(e, "d/f", "1");
        _cleanup_free_ char *back = e2e_good(e, text);
        assert_int_equal(e2e_said(e, "Using cache"), 6);
        assert_string_equal(first, back);
        /* A new file, a mode, a name. */
        ctx_write(e, "d/g", "");
        free(e2e_good(e, text));
        assert_int_equal(e2e_said(e, "Using cache"), 3);
        _cleanup_free_ char *path = ctx_path(e, "d/g");
        assert_int_equal(chmod(path, 0755), 0);
        free(e2e_good(e, text));
        assert_int_equal(e2e_said(e, "Using cache"), 3);
        char *args[] = { (char *)"V=2", NULL };
        e->o.build_args = args;
        free(e2e_good(e, text));
        assert_int_equal(e2e_said(e, "Using cache"), 2);
        free(e2e_good(e, text));
        assert_int_equal(e2e_said(e, "Using cache"), 6);
        e->o.build_args = NULL;
        free(e2e_good(e, "FROM base\nARG V=1\nENV A=c\nRUN echo cache-$V > /r\n"));
        assert_int_equal(e2e_said(e, "Using cache"), 1);
        e->o.no_cache = true;
        free(e2e_good(e, text));
        assert_int_equal(e2e_said(e, "Using cache"), 0);
}

/* An argument counts for RUN from where it is declared, used or not; one that ENV hides does not. */
static void test_args(void **state)
{
        NEED_ROOT(e);
        char *one[] = { (char *)"V=1", (char *)"HTTP_PROXY=http://p", (char *)"NOBODY=x", NULL };
        char *two[] = { (char *)"V=2", (char *)"HTTP_PROXY=http://q", NULL };
        const char *text = "ARG V=0\nFROM base\nRUN echo early $V\nARG V\nRUN test \"$V-$HTTP_PROXY\" != - && echo "
                           "late\nENV V=e\nRUN test $V = e\n";
        e->o.build_args = one;
        free(e2e_good(e, text));
        assert_int_equal(e2e_said(e, "[Warning] One or more build-args [NOBODY] were not consumed"), 1);
        e->o.build_args = two;
        free(e2e_good(e, text));
        assert_int_equal(e2e_said(e, "Using cache"), 2);
        _cleanup_free_ char *id = e2e_good(e, "ARG V=0\nFROM base\nARG V\nRUN test $V = 2\n");
        _cleanup_image_config_ struct image_config c;
        e2e_config(e, id, &c);
        assert_string_equal(c.history[c.history_count - 1].created_by, "|1 V=2 /bin/sh -c test $V = 2");
        e->o.build_args = NULL;
        free(e2e_good(e, "ARG V=7\nFROM base\nARG V\nRUN test $V = 7\nARG W=$V$V\nRUN test $W = 77\n"));
        free(e2e_good(e, "FROM base\nARG TARGETPLATFORM\nARG TARGETOS\nRUN test $TARGETOS = linux && test -n "
                         "\"$TARGETPLATFORM\"\n"));
        free(e2e_good(e, "FROM base\nRUN test -z \"$TARGETOS\"\n"));
}

static void test_failures(void **state)
{
        NEED_ROOT(e);
        e2e_bad(e, "FROM base\n\nRUN false\n",
                "Dockerfile:3: The command '/bin/sh -c false' returned a non-zero code: 1");
        e2e_bad(e, "FROM base\nRUN [\"sh\", \"-c\", \"exit 77\"]\n",
                "Dockerfile:2: The command 'sh -c exit 77' returned a non-zero code: 77");
        e2e_bad(e, "FROM base\nRUN sh -c 'kill -9 $$'; exit $?\n", "returned a non-zero code: 137");
        e2e_bad(e, "FROM base\nRUN [\"/no/such\"]\n", "Dockerfile:2: ");
        e2e_bad(e, "FROM base\nUSER nobody-here\nRUN true\n", "Dockerfile:3: ");
        e2e_bad(e, "FROM nothing-here\nRUN true\n", "Dockerfile:1: pull access denied for nothing-here");
        assert_int_equal(e->pulls, 1);
        e2e_bad(e, "FROM base\nCOPY nothing /\n",
                "Dockerfile:2: COPY failed: file not found in build context or excluded by .dockerignore");
        e2e_bad(e, "FROM base\nEXPOSE x\n", "Dockerfile:2: invalid containerPort: x");
        e2e_bad(e, "FROM scratch\n", "No image was generated");
        char *bad[] = { (char *)"UPPER", NULL };
        e->o.tags = bad;
        e2e_bad(e, "FROM base\n", "invalid reference format");
        /* A failed step is not remembered, and the steps before it are. */
        e->o.tags = NULL;
        e2e_bad(e, "FROM base\nENV X=failures\nRUN exit 3\n", "code: 3");
        e2e_bad(e, "FROM base\nENV X=failures\nRUN exit 3\n", "code: 3");
        assert_int_equal(e2e_said(e, "Using cache"), 1);
}

static void test_stages(void **state)
{
        NEED_ROOT(e);
        const char *text = "FROM base AS one\nRUN echo from-one > /f\nFROM base AS never\nRUN false\nFROM one AS "
                           "two\nRUN cat /f > /g; id -u\n"
                           "FROM scratch\nCOPY --from=one /f /f\nCOPY --from=2 /g /d/\nLABEL x=y\n";
        _cleanup_free_ char *id = e2e_good(e, text);
        assert_int_equal(e2e_said(e, "Step 8/8 : LABEL x=y"), 1);
        assert_int_equal(e2e_said(e, "RUN false"), 0);
        _cleanup_close_ int root = e2e_open(e, id);
        _cleanup_free_ char *f = file_text(root, "/f"), *g = file_text(root, "/d/g");
        assert_string_equal(f, "from-one\n");
        assert_string_equal(g, "from-one\n");
        assert_null(file_what(root, "/bin"));
        free(e2e_good(e, text));
        assert_int_equal(e2e_said(e, "Using cache"), 5);
        e->o.target = "one";
        _cleanup_free_ char *one = e2e_good(e, text);
        assert_int_equal(e2e_said(e, "Step 2/2"), 1);
        _cleanup_close_ int root_one = e2e_open(e, one);
        _cleanup_free_ char *there = file_text(root_one, "/f");
        assert_string_equal(there, "from-one\n");
        e->o.target = "missing";
        e2e_bad(e, text, "target stage \"missing\" could not be found");
        e->o.target = NULL;
        free(e2e_good(e, "FROM scratch\nCOPY --from=base /etc/linked /\n"));
        e2e_bad(e, "FROM scratch\nCOPY --from=3 /f /\n", "Dockerfile:2: invalid from flag value 3");
        e2e_bad(e, "FROM scratch\nCOPY --from=no-image /f /\n", "Dockerfile:2: invalid from flag value no-image");
}

static void test_onbuild(void **state)
{
        NEED_ROOT(e);
        char *tags[] = { (char *)"parent", NULL };
        e->o.tags = tags;
        ctx_write(e, "f", "triggered\n");
        free(e2e_good(e, "FROM base\nONBUILD ARG V=1\nONBUILD COPY f /f\nONBUILD RUN cat /f > /g && test $V = "
                         "1\nONBUILD COPY <<EOF /h\nhere $V\nEOF\n"));
        e->o.tags = NULL;
        _cleanup_free_ char *id = e2e_good(e, "FROM parent\nRUN cat /g > /i\n");
        assert_int_equal(e2e_said(e, "# Executing 4 build triggers"), 1);
        _cleanup_close_ int root = e2e_open(e, id);
        _cleanup_free_ char *i = file_text(root, "/i"), *h = file_text(root, "/h");
        assert_string_equal(i, "triggered\n");
        assert_string_equal(h, "here 1\n");
        _cleanup_image_config_ struct image_config c;
        e2e_config(e, id, &c);
        assert_null(c.exec.onbuild);
        free(e2e_good(e, "FROM parent\nRUN cat /g > /i\n"));
        assert_int_equal(e2e_said(e, "Using cache"), 5);
        _cleanup_free_ char *path = ctx_path(e, "f");
        assert_int_equal(unlink(path), 0);
        e2e_bad(e, "FROM parent\n", "Dockerfile:1: ONBUILD COPY: COPY failed");
}

static void test_configuration(void **state)
{
        NEED_ROOT(e);
        char *labels[] = { (char *)"l=it's $HOME", (char *)"m", NULL };
        e->o.labels = labels;
        _cleanup_free_ char *id = e2e_good(
                e,
                "FROM base\nCMD [\"old\"]\nMAINTAINER me\nUSER u\nWORKDIR /w\nWORKDIR x\nSHELL [\"/bin/sh\", \"-ec\"]\n"
                "RUN pwd > /tmp/p; id -u >> /tmp/p; id -g >> /tmp/p; echo $HOME >> /tmp/p\nEXPOSE 80\nVOLUME /v\n"
                "STOPSIGNAL 3\nHEALTHCHECK NONE\nENTRYPOINT e\n");
        _cleanup_image_config_ struct image_config c;
        e2e_config(e, id, &c);
        assert_string_equal(c.author, "me");
        assert_string_equal(c.exec.user, "u");
        assert_string_equal(c.exec.working_dir, "/w/x");
        assert_string_equal(c.exec.labels[0], "l=it's $HOME");
        assert_string_equal(c.exec.labels[1], "m=");
        assert_string_equal(c.exec.entrypoint[1], "-ec");
        assert_string_equal(c.exec.cmd[0], "old");
        assert_string_equal(c.history[c.history_count - 3].created_by,
                            "/bin/sh -ec #(nop)  HEALTHCHECK &{[\"NONE\"] \"0s\" \"0s\" \"0s\" \"0s\" '\\x00'}");
        _cleanup_close_ int root = e2e_open(e, id);
        _cleanup_free_ char *p = file_text(root, "/tmp/p"), *w = file_what(root, "/w/x");
        assert_string_equal(p, "/w/x\n1000\n1001\n/home/u\n");
        assert_string_equal(w, "0755 0:0");
}

/* Only a tag on what is there already: no new image. */
static void test_nothing_to_do(void **state)
{
        NEED_ROOT(e);
        char *tags[] = { (char *)"again", NULL };
        struct err err = ERR_INIT;
        _cleanup_image_ struct image base = { 0 };
        e->o.tags = tags;
        _cleanup_free_ char *id = e2e_good(e, "FROM base\n");
        assert_int_equal(image_find(e->db, "again", NULL, &base, &err), 0);
        assert_string_equal(base.id, id);
        assert_int_equal(strv_len(base.names), 2);
}

/* The same sources give the same image on another day. */
static void test_reproducible(void **state)
{
        NEED_ROOT(e);
        e->o.source_date_epoch = 1000000000;
        e->o.no_cache = true;
        ctx_write(e, "d/f", "x");
        const char *text = "FROM base\nENV repro=1\nCOPY d /d\nRUN echo x > /d/made; mkdir /d/e\nWORKDIR /d/w\n";
        _cleanup_free_ char *one = e2e_good(e, text);
        ctx_write(e, "d/f", "x");
        _cleanup_free_ char *two = e2e_good(e, text);
        assert_string_equal(one, two);
}

/* A row whose layer is gone is a miss, not an error. */
static void test_lost_layer(void **state)
{
        NEED_ROOT(e);
        struct err err = ERR_INIT;
        _cleanup_image_ struct image image = { 0 };
        _cleanup_manifest_ struct manifest m = { 0 };
        const char *text = "FROM base\nENV lost=1\nRUN echo lost > /lost\nRUN echo after > /after\n";
        _cleanup_free_ char *id = e2e_good(e, text);
        assert_int_equal(image_find(e->db, id, NULL, &image, &err), 0);
        assert_int_equal(image_read_manifest(e->st, &image, &m, &err), 0);
        const struct image_remove how = { .force = true };
        assert_int_equal(image_remove(e->db, e->st, id, &how, &err), 0);
        (void)blob_remove(e->st->blobs, m.layers[1].digest, &err);
        _cleanup_free_ char *again = e2e_good(e, text);
        assert_int_equal(e2e_said(e, "Using cache"), 1);
        _cleanup_close_ int root = e2e_open(e, again);
        _cleanup_free_ char *lost = file_text(root, "/lost");
        assert_string_equal(lost, "lost\n");
        /* And with the blob there but the unpacked layer gone, it is unpacked again. */
        unsigned count = 0;
        assert_int_equal(build_prune(e->db, false, &count, &err), 0);
        free(e2e_good(e, text));
        assert_int_equal(e2e_said(e, "Using cache"), 3);
}

static void test_prune(void **state)
{
        NEED_ROOT(e);
        struct err err = ERR_INIT;
        unsigned count = 0;
        _cleanup_free_ char *id = e2e_good(e, "FROM base\nENV prune=1\n");
        assert_int_equal(build_prune(e->db, false, &count, &err), 0);
        free(e2e_good(e, "FROM base\nENV prune=1\n"));
        assert_int_equal(e2e_said(e, "Using cache"), 1);
        const struct image_remove how = { .force = true };
        assert_int_equal(image_remove(e->db, e->st, id, &how, &err), 0);
        assert_int_equal(build_prune(e->db, false, &count, &err), 0);
        assert_true(count >= 1);
        free(e2e_good(e, "FROM base\nENV prune=1\n"));
        assert_int_equal(e2e_said(e, "Using cache"), 0);
        assert_int_equal(build_prune(e->db, true, &count, &err), 0);
        assert_int_equal(build_prune(e->db, true, &count, &err), 0);
        assert_int_equal(count, 0);
}

/* A builder killed in a step leaves nothing that the next build does not take away. */
static void test_killed(void **state)
{
        NEED_ROOT(e);
        struct err err = ERR_INIT;
        pid_t child = fork();
        if (child == 0) {
                if (e2e_reopen(e, &err) < 0)
                        _exit(9);
                _cleanup_free_ char *id = e2e_build(e, "FROM base\nRUN touch /started; echo started; sleep 60\n", &err);
                _exit(1);
        }
        for (int i = 0; i < 500 && lseek(e->out, 0, SEEK_END) == 0; i++)
                usleep(20000);
        assert_int_equal(lseek(e->out, 0, SEEK_END), 8);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        free(e2e_good(e, "FROM base\nRUN true\n"));
        assert_int_equal(e->done, 2); /* its own step, and the dead one's */
        /* Roots left would be counted by the tear-down. */
}

static void *cancel_later(void *data)
{
        struct e2e *e = data;
        struct stat st;
        for (int i = 0; i < 500 && (fstat(e->out, &st) < 0 || st.st_size == 0); i++)
                usleep(20000);
        assert_int_equal(write(e->cancel[1], "x", 1), 1);
        return NULL;
}

static void test_cancelled(void **state)
{
        NEED_ROOT(e);
        pthread_t thread;
        time_t start = time(NULL);
        assert_int_equal(pipe2(e->cancel, O_CLOEXEC), 0);
        e->o.cancel_fd = &e->cancel[0];
        assert_int_equal(pthread_create(&thread, NULL, cancel_later, e), 0);
        e2e_bad(e, "FROM base\nRUN echo started; sleep 60\n", "Dockerfile:2: the build was cancelled");
        assert_int_equal(pthread_join(thread, NULL), 0);
        e2e_bad(e, "FROM base\nENV a=b\n", "the build was cancelled");
        assert_true(time(NULL) - start < 50);
        mem_closep(&e->cancel[0]);
        mem_closep(&e->cancel[1]);
}

/* Several builders of the same thing at once: each gets it, and nothing is left. */
static void test_at_once(void **state)
{
        NEED_ROOT(e);
        enum { BUILDERS = 4 };
        pid_t children[BUILDERS];
        ctx_write(e, "f", "x");
        for (int i = 0; i < BUILDERS; i++) {
                children[i] = fork();
                if (children[i] != 0)
                        continue;
                struct err err = ERR_INIT;
                if (e2e_reopen(e, &err) < 0)
                        _exit(9);
                _cleanup_free_ char *id =
                        e2e_build(e, "FROM base\nRUN echo at-once > /x\nCOPY f /f\nENV a=b\nRUN cat /x /f\n", &err);
                if (!id)
                        print_error("%s\n", err.msg);
                _exit(id ? 0 : 1);
        }
        for (int i = 0; i < BUILDERS; i++) {
                int status = -1;
                assert_int_equal(waitpid(children[i], &status, 0), children[i]);
                assert_int_equal(status, 0);
        }
        free(e2e_good(e, "FROM base\nRUN echo at-once > /x\nCOPY f /f\nENV a=b\nRUN cat /x /f\n"));
        assert_int_equal(e2e_said(e, "Using cache"), 4);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, e2e_begin, e2e_end)
        const struct CMUnitTest tests[] = { T(test_first),         T(test_cache),         T(test_args),
                                            T(test_failures),      T(test_stages),        T(test_onbuild),
                                            T(test_configuration), T(test_nothing_to_do), T(test_reproducible),
                                            T(test_lost_layer),    T(test_prune),         T(test_killed),
                                            T(test_cancelled),     T(test_at_once) };
        return cmocka_run_group_tests(tests, e2e_setup, e2e_teardown);
}

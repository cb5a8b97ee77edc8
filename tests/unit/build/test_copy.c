/* COPY and ADD in whole builds. */
#include "e2e.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/proc.h"

#define NEED_ROOT(e)                                                                                                   \
        struct e2e *e = *state;                                                                                        \
        if (!e->st)                                                                                                    \
        skip()

struct expect {
        const char *path, *text; /* NULL: is not there */
        const char *what; /* NULL: not asked */
};

static void check(struct e2e *e, const char *dockerfile, const struct expect *list)
{
        _cleanup_free_ char *id = e2e_good(e, dockerfile);
        _cleanup_close_ int root = e2e_open(e, id);
        for (const struct expect *x = list; x->path; x++) {
                _cleanup_free_ char *what = file_what(root, x->path);
                bool is_file = x->text && !str_eq(x->text, "dir");
                _cleanup_free_ char *text = what && is_file ? file_text(root, x->path) : NULL;
                if (!x->text != !what || (is_file && !str_eq(text, x->text)) || (x->what && !str_eq(what, x->what)))
                        fail_msg("%s\n%s: got %s (%s), want %s (%s)", dockerfile, x->path, text ? text : "-",
                                 what ? what : "not there", x->text ? x->text : "not there", x->what ? x->what : "any");
        }
}
#define CHECK(e, dockerfile, ...) check(e, dockerfile, (const struct expect[]){ __VA_ARGS__, { 0 } })

static void fill(struct e2e *e)
{
        ctx_write(e, "a.txt", "a");
        ctx_write(e, "b.txt", "b");
        ctx_write(e, "c.md", "c");
        ctx_write(e, "sp ace", "space");
        ctx_write(e, "dir/x", "x");
        ctx_write(e, "dir/sub/y", "y");
        ctx_mkdir(e, "dir/empty");
        ctx_link(e, "x", "dir/link");
        ctx_link(e, "dir", "to-dir");
        ctx_link(e, "../../../../../../etc/passwd", "escape");
        ctx_link(e, "/etc", "abs");
        _cleanup_free_ char *path = ctx_path(e, "dir/sub/y");
        assert_int_equal(chown(path, 7, 8), 0);
        assert_int_equal(chmod(path, 0600), 0);
}

static void test_targets(void **state)
{
        NEED_ROOT(e);
        fill(e);
        CHECK(e, "FROM base\nCOPY a.txt /new", { "/new", "a", "0644 0:0" });
        CHECK(e, "FROM base\nCOPY a.txt /new/", { "/new/a.txt", "a", NULL }, { "/new", "dir", "0755 0:0" });
        CHECK(e, "FROM base\nCOPY a.txt /p/q/new", { "/p/q/new", "a", NULL });
        CHECK(e, "FROM base\nCOPY a.txt /existing", { "/existing/a.txt", "a", NULL });
        CHECK(e, "FROM base\nCOPY a.txt b.txt /n/", { "/n/a.txt", "a", NULL }, { "/n/b.txt", "b", NULL });
        CHECK(e, "FROM base\nWORKDIR /w\nCOPY a.txt .\nCOPY b.txt sub/\nCOPY c.md ./d", { "/w/a.txt", "a", NULL },
              { "/w/sub/b.txt", "b", NULL }, { "/w/d", "c", NULL });
        CHECK(e, "FROM base\nCOPY dir /n", { "/n/x", "x", NULL }, { "/n/sub/y", "y", "0600 0:0" },
              { "/n/empty", "dir", NULL }, { "/n/link", "x", "0777 0:0" }, { "/n/dir", NULL, NULL });
        CHECK(e, "FROM base\nCOPY dir/ /existing/", { "/existing/x", "x", NULL });
        CHECK(e, "FROM base\nCOPY . /all/", { "/all/a.txt", "a", NULL }, { "/all/dir/sub/y", "y", "0600 0:0" });
        CHECK(e, "FROM base\nCOPY [\"sp ace\", \"/o ut\"]", { "/o ut", "space", NULL });
        CHECK(e, "FROM base\nENV S=a.txt D=/env/\nCOPY $S ${D}f", { "/env/f", "a", NULL });
        CHECK(e, "FROM base\nCOPY /a.txt ../../b.txt /n/", { "/n/a.txt", "a", NULL }, { "/n/b.txt", "b", NULL });
        CHECK(e, "FROM base\nCOPY dir/./sub/../x /n", { "/n", "x", NULL });
        CHECK(e, "FROM base\nCOPY a.txt /n\nCOPY b.txt /n", { "/n", "b", NULL });
        CHECK(e, "FROM base\nCOPY dir /n\nCOPY dir/sub /n/sub", { "/n/sub/y", "y", NULL });
        e2e_bad(e, "FROM base\nCOPY a.txt b.txt /n",
                "Dockerfile:2: When using COPY with more than one source file, the destination must be a directory");
        e2e_bad(e, "FROM base\nCOPY a.txt /n\nCOPY dir /n", "cannot copy to non-directory: /n");
        e2e_bad(e, "FROM base\nCOPY a.txt /n/dir/x/\nCOPY dir/sub/y /n/dir\nCOPY a.txt /q\nCOPY a.txt /q/r",
                "Dockerfile:5: ");
        const char *context = e->o.context;
        e->o.context = NULL;
        e2e_bad(e, "FROM base\nCOPY a.txt /n", "Dockerfile:2: there is no build context");
        CHECK(e, "FROM base\nCOPY <<EOF /n\nx\nEOF\n", { "/n", "x\n", NULL });
        e->o.context = context;
}

static void test_wildcards(void **state)
{
        NEED_ROOT(e);
        fill(e);
        CHECK(e, "FROM base\nCOPY *.txt /n/", { "/n/a.txt", "a", NULL }, { "/n/b.txt", "b", NULL },
              { "/n/c.md", NULL, NULL });
        CHECK(e, "FROM base\nCOPY ?.md /n", { "/n", "c", NULL });
        CHECK(e, "FROM base\nCOPY */sub /n/", { "/n/y", "y", NULL });
        CHECK(e, "FROM base\nCOPY d*/[w-y] /n", { "/n", "x", NULL });
        CHECK(e, "FROM base\nCOPY --exclude=sub --exclude=*nk dir /n/", { "/n/x", "x", NULL }, { "/n/sub", NULL, NULL },
              { "/n/link", NULL, NULL });
        e2e_bad(e, "FROM base\nCOPY *.none /n/", "Dockerfile:2: COPY failed: no source files were specified");
        e2e_bad(e, "FROM base\nCOPY *.txt /n", "the destination must be a directory");
        e2e_bad(e, "FROM base\nCOPY [x /n", "syntax error in pattern");
}

static void test_owners(void **state)
{
        NEED_ROOT(e);
        fill(e);
        CHECK(e, "FROM base\nCOPY --chown=5:6 dir /n", { "/n/sub/y", "y", "0600 5:6" }, { "/n/sub", "dir", "0755 5:6" },
              { "/n", "dir", "0755 5:6" });
        CHECK(e, "FROM base\nCOPY --chown=u a.txt /n", { "/n", "a", "0644 1000:1001" });
        CHECK(e, "FROM base\nCOPY --chown=u:other a.txt /n", { "/n", "a", "0644 1000:1002" });
        CHECK(e, "FROM base\nCOPY --chown=5 a.txt /n", { "/n", "a", "0644 5:5" });
        CHECK(e, "FROM base\nARG O=1000\nCOPY --chown=$O:ug --chmod=4750 a.txt /n", { "/n", "a", "4750 1000:1001" });
        CHECK(e, "FROM base\nCOPY --chmod=700 --link dir /n", { "/n/sub/y", "y", "0700 0:0" },
              { "/n/sub", "dir", "0700 0:0" });
        CHECK(e, "FROM base\nUSER u\nCOPY a.txt /n", { "/n", "a", "0644 0:0" });
        CHECK(e,
              "FROM base AS s\nRUN mkdir /o && touch /o/f && chown 3:4 /o/f\nFROM base\nCOPY --from=s /o /p\nCOPY "
              "--from=s --chown=9:9 /o/f /q",
              { "/p/f", "", "0644 3:4" }, { "/q", "", "0644 9:9" });
        e2e_bad(e, "FROM base\nCOPY --chown=nobodyhere a.txt /n", "Dockerfile:2: ");
        e2e_bad(e, "FROM base\nCOPY --chmod=9 a.txt /n", "Dockerfile:2: invalid chmod parameter: '9'");
        e2e_bad(e, "FROM base\nCOPY --chmod=u+x a.txt /n", "invalid chmod parameter");
        e2e_bad(e, "FROM base AS s\nFROM base\nARG S=s\nCOPY --from=$S /etc /n",
                "Dockerfile:4: variable expansion is not supported for --from");
        e2e_bad(e, "FROM base\nCOPY --parents dir/x /n", "Dockerfile:2: COPY --parents is not supported");
}

/* Owners changed in a stage are seen although the content is the same. */
static void test_owner_cache(void **state)
{
        NEED_ROOT(e);
        CHECK(e, "FROM base AS s\nRUN touch /f && chown 3:4 /f\nFROM base\nCOPY --from=s /f /g",
              { "/g", "", "0644 3:4" });
        CHECK(e, "FROM base AS s\nRUN touch /f && chown 5:6 /f\nFROM base\nCOPY --from=s /f /g",
              { "/g", "", "0644 5:6" });
        /* With --chown they do not count, and an equal file of another stage is a hit. */
        free(e2e_good(e, "FROM base AS s\nRUN echo 1 > /f\nFROM base\nCOPY --from=s --chown=1:1 /f /h"));
        free(e2e_good(e, "FROM base AS s\nRUN echo 1 > /f; true\nFROM base\nCOPY --from=s --chown=1:1 /f /h"));
        assert_int_equal(e2e_said(e, "Using cache"), 1);
}

/* No link leads out of the context, nor out of the image. */
static void test_links(void **state)
{
        NEED_ROOT(e);
        fill(e);
        CHECK(e, "FROM base\nCOPY to-dir/x /n", { "/n", "x", NULL });
        CHECK(e, "FROM base\nCOPY to-dir /n", { "/n/x", "x", NULL });
        e2e_bad(e, "FROM base\nCOPY escape /n", "Dockerfile:2: COPY failed: file not found");
        e2e_bad(e, "FROM base\nCOPY abs/passwd /n", "Dockerfile:2: COPY failed: file not found");
        e2e_bad(e, "FROM base\nCOPY ../../../../../../../etc/passwd /n", "COPY failed: file not found");
        CHECK(e, "FROM base\nCOPY a.txt /linkdir/", { "/existing/a.txt", "a", NULL });
        CHECK(e, "FROM base\nCOPY dir /linkdir", { "/existing/sub/y", "y", NULL }, { "/linkdir/x", "x", NULL });
        CHECK(e, "FROM base\nCOPY a.txt /linkfile", { "/etc/linked", "a", NULL });
        CHECK(e, "FROM base\nCOPY a.txt /out/a", { "/escape/a", "a", NULL });
        assert_int_equal(access("/escape", F_OK), -1);
        CHECK(e,
              "FROM base\nRUN ln -s / /root && ln -s ../../../../../../../tmp /up\nCOPY a.txt "
              "/root/root/root/deep/\nCOPY b.txt /up/esc/",
              { "/deep/a.txt", "a", NULL }, { "/tmp/esc/b.txt", "b", NULL });
        assert_int_equal(access("/deep", F_OK), -1);
        assert_int_equal(access("/tmp/esc", F_OK), -1);
        e2e_bad(e, "FROM base AS s\nRUN ln -s /etc/shadow /leak\nFROM base\nCOPY --from=s /leak /n",
                "Dockerfile:4: COPY failed");
        e2e_bad(e, "FROM base\nRUN ln -s loop /loop\nCOPY a.txt /loop/x", "Dockerfile:3: ");
}

static void test_ignored(void **state)
{
        NEED_ROOT(e);
        fill(e);
        ctx_write(e, ".dockerignore", "*.md\ndir/*\n!dir/sub\n# c\n");
        CHECK(e, "FROM base\nCOPY . /n", { "/n/a.txt", "a", NULL }, { "/n/c.md", NULL, NULL },
              { "/n/dir/x", NULL, NULL }, { "/n/dir/sub/y", "y", NULL }, { "/n/dir/empty", NULL, NULL });
        e2e_bad(e, "FROM base\nCOPY c.md /n",
                "COPY failed: file not found in build context or excluded by .dockerignore: stat c.md");
        e2e_bad(e, "FROM base\nCOPY to-dir/x /n", "COPY failed: file not found");
        e2e_bad(e, "FROM base\nCOPY *.md /n", "no source files were specified");
        /* A change of what is left out changes nothing. */
        free(e2e_good(e, "FROM base\nCOPY . /n"));
        ctx_write(e, "c.md", "changed");
        free(e2e_good(e, "FROM base\nCOPY . /n"));
        assert_int_equal(e2e_said(e, "Using cache"), 1);
        ctx_write(e, ".dockerignore", "*\n!dir/sub/y\n");
        CHECK(e, "FROM base\nCOPY . /n", { "/n/dir/sub/y", "y", NULL }, { "/n/a.txt", NULL, NULL },
              { "/n/to-dir", NULL, NULL });
        ctx_write(e, ".dockerignore", "[\n");
        e2e_bad(e, "FROM base\nCOPY . /n", ".dockerignore:1: ");
}

/* Dockerfiles from files: beside it, its own ignore file. */
static void test_files(void **state)
{
        NEED_ROOT(e);
        struct err err = ERR_INIT;
        fill(e);
        ctx_write(e, ".dockerignore", "a.txt\n");
        ctx_write(e, "Dockerfile", "FROM base\nCOPY . /n\n");
        ctx_write(e, "other/B.Dockerfile", "FROM base\n\nCOPY . /n\nRUN test -e /n/a.txt && test ! -e /n/b.txt\n");
        ctx_write(e, "other/B.Dockerfile.dockerignore", "b.txt\nDockerfile\n");
        _cleanup_free_ char *path = ctx_path(e, "other/B.Dockerfile");
        _cleanup_free_ char *bad = ctx_path(e, "other/C.Dockerfile");
        _cleanup_free_ char *id = e2e_build(e, NULL, &err);
        assert_non_null(id);
        _cleanup_close_ int root = e2e_open(e, id);
        assert_null(file_what(root, "/n/a.txt"));
        e->o.dockerfile = path;
        _cleanup_free_ char *second = e2e_build(e, NULL, &err);
        if (!second)
                fail_msg("%s", err.msg);
        ctx_write(e, "other/C.Dockerfile", "FROM base\n\nFOO\n");
        e->o.dockerfile = bad;
        assert_null(e2e_build(e, NULL, &err));
        assert_string_equal(err.msg, "C.Dockerfile:3: unknown instruction: FOO");
        e->o.dockerfile = "/no/such/Dockerfile";
        assert_null(e2e_build(e, NULL, &err));
        assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void test_heredocs(void **state)
{
        NEED_ROOT(e);
        CHECK(e, "FROM base\nENV A=b\nCOPY <<one <<'two' /d/\nis $A \"q\"\none\nis $A\ntwo\n",
              { "/d/one", "is b \"q\"\n", "0644 0:0" }, { "/d/two", "is $A\n", NULL });
        CHECK(e, "FROM base\nCOPY --chmod=755 --chown=1:2 <<-EOF /s\n\t#!/bin/sh\n\techo\n\tEOF\n",
              { "/s", "#!/bin/sh\necho\n", "0755 1:2" });
        CHECK(e, "FROM base\nADD <<EOF /t\nx\nEOF\n", { "/t", "x\n", NULL });
}

static void make_tar(struct e2e *e, const char *name, const char *flag)
{
        struct err err = ERR_INIT;
        int status = 1;
        _cleanup_free_ char *tar = ctx_path(e, name), *dir = ctx_path(e, "dir");
        char *argv[] = { (char *)"tar",        (char *)"-C",         dir,         (char *)flag, tar,
                         (char *)"--owner=11", (char *)"--group=12", (char *)".", NULL };
        const struct proc_spawn spawn = {
                .path = "tar", .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = 2
        };
        assert_int_equal(proc_run(&spawn, NULL, 0, NULL, &status, &err), 0);
        assert_int_equal(status, 0);
}

static void test_add(void **state)
{
        NEED_ROOT(e);
        fill(e);
        make_tar(e, "t.tar", "-cf");
        make_tar(e, "t.tgz", "-czf");
        CHECK(e, "FROM base\nADD t.tar /n", { "/n/x", "x", "0644 11:12" }, { "/n/sub/y", "y", NULL });
        CHECK(e, "FROM base\nADD t.tgz a.txt /n/", { "/n/x", "x", NULL }, { "/n/a.txt", "a", "0644 0:0" });
        CHECK(e, "FROM base\nADD --chown=5:6 t.tgz /n", { "/n/x", "x", "0644 5:6" });
        CHECK(e, "FROM base\nADD --unpack=false t.tgz /n/", { "/n/x", NULL, NULL }, { "/n/t.tgz", "dir", "0644 0:0" });
        CHECK(e, "FROM base\nCOPY t.tar /n/", { "/n/x", NULL, NULL }, { "/n/t.tar", "dir", NULL });
        CHECK(e, "FROM base\nADD dir /n", { "/n/x", "x", NULL });
        CHECK(e, "FROM base\nADD t.tar /linkdir", { "/existing/x", "x", NULL });
        e2e_bad(e, "FROM base\nADD http://127.0.0.1/x /n",
                "Dockerfile:2: ADD of the URL http://127.0.0.1/x is not supported");
        e2e_bad(e, "FROM base\nADD --checksum=sha256:00 a.txt /n", "Dockerfile:2: ADD --checksum is not supported");
        e2e_bad(e, "FROM base\nADD git@x:y /n", "is not supported");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, e2e_begin, e2e_end)
        const struct CMUnitTest tests[] = { T(test_targets),     T(test_wildcards), T(test_owners),
                                            T(test_owner_cache), T(test_links),     T(test_ignored),
                                            T(test_files),       T(test_heredocs),  T(test_add) };
        return cmocka_run_group_tests(tests, e2e_setup, e2e_teardown);
}

/* The parser against docker's corner cases. A parsed file is printed one instruction a line: LINE NAME [flag]...
 * {json} (arg)... <<name:text>> and compared as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/str.h"
#include "build/dockerfile.h"
#include "build/instructions-internal.h"

static char *show(const struct dockerfile *d)
{
        struct buf b = BUF_INIT(1 << 20);
        struct err err = ERR_INIT;
        for (size_t i = 0; i < d->count; i++) {
                const struct instruction *in = &d->list[i];
                buf_addf(&b, &err, "%u %s", in->line, instruction_def(in->kind)->name);
                STRV_FOREACH (f, in->flags)
                        buf_addf(&b, &err, " [%s]", *f);
                buf_adds(&b, in->json ? " json" : "", &err);
                STRV_FOREACH (a, in->args)
                        buf_addf(&b, &err, " (%s)", *a);
                for (size_t h = 0; h < in->heredoc_count; h++)
                        buf_addf(&b, &err, " <<%s%s:%s>>", in->heredocs[h].expand ? "" : "!", in->heredocs[h].name,
                                 in->heredocs[h].text);
                buf_adds(&b, "\n", &err);
        }
        return buf_take(&b);
}

struct row {
        const char *text, *want; /* "!..." : the error */
};

static void check(const struct row *row)
{
        struct err err = ERR_INIT;
        _cleanup_dockerfile_ struct dockerfile d = { 0 };
        int r = dockerfile_parse(row->text, strlen(row->text), "Dockerfile", &d, &err);
        _cleanup_free_ char *got = r < 0 ? xasprintf("!%s", err.msg) : show(&d);
        if (!str_eq(got, row->want))
                fail_msg("%s\n--- got\n%s\n--- want\n%s", row->text, got, row->want);
}

static void check_all(const struct row *rows, size_t count)
{
        for (size_t i = 0; i < count; i++)
                check(&rows[i]);
}

static void test_lines(void **state)
{
        static const struct row rows[] = {
                { "FROM a", "1 FROM (a)\n" },
                { "\n\n# c\nFROM a\n", "4 FROM (a)\n" },
                { "from a\nrun x", "1 FROM (a)\n2 RUN (x)\n" },
                { "\xef\xbb\xbf"
                  "FROM a",
                  "1 FROM (a)\n" },
                { "FROM a\r\nRUN b \\\r\n c\r\n", "1 FROM (a)\n2 RUN (b  c)\n" },
                { "  FROM a", "1 FROM (a)\n" },
                { "FROM a\nRUN a \\\n  && b \\\n\n  && c\nRUN d", "1 FROM (a)\n2 RUN (a   && b   && c)\n6 RUN (d)\n" },
                { "FROM a\nRUN a \\\n# comment\n  # comment \\\n  b\nRUN c", "1 FROM (a)\n2 RUN (a   b)\n6 RUN (c)\n" },
                { "FROM a\nRUN a \\   \nb", "1 FROM (a)\n2 RUN (a b)\n" },
                { "FROM a\nRUN a \\\\\nRUN b", "1 FROM (a)\n2 RUN (a \\\\)\n3 RUN (b)\n" },
                { "FROM a\nRUN a \\", "1 FROM (a)\n2 RUN (a)\n" },
                { "FROM \\\n a", "1 FROM (a)\n" },
                { "FROM a\nRUN echo '# no comment' # kept", "1 FROM (a)\n2 RUN (echo '# no comment' # kept)\n" },
                { "FROM a\nRUN a\\\nb", "1 FROM (a)\n2 RUN (ab)\n" },
                { "\\\n\\\nFROM a", "1 FROM (a)\n" },
        };
        check_all(rows, ELEMENTS(rows));
}

static void test_directives(void **state)
{
        static const struct row rows[] = {
                { "# escape=`\nFROM a\nRUN dir C:\\ `\n x", "2 FROM (a)\n3 RUN (dir C:\\  x)\n" },
                { "#ESCAPE = ` \nFROM a\nRUN b\\\nRUN c", "2 FROM (a)\n3 RUN (b\\)\n4 RUN (c)\n" },
                { "# syntax=docker/dockerfile:1\n# escape=`\nFROM a `\n", "3 FROM (a)\n" },
                { "# a comment\n# escape=`\nFROM a\nRUN b `\n", "3 FROM (a)\n4 RUN (b `)\n" },
                { "# unknown=x\n# escape=`\nFROM a\nRUN b `\n", "3 FROM (a)\n4 RUN (b `)\n" },
                { "\n# escape=`\nFROM a\nRUN b `\n", "3 FROM (a)\n4 RUN (b `)\n" },
                { "FROM a\n# escape=`\nRUN b `\n", "1 FROM (a)\n3 RUN (b `)\n" },
                { "# escape=x\nFROM a", "!Dockerfile:1: invalid escape token 'x', does not match ` or \\" },
                { "# escape=`\n# escape=`\nFROM a", "!Dockerfile:2: only one escape parser directive can be used" },
                { "# check=skip=all\nFROM a", "2 FROM (a)\n" },
        };
        check_all(rows, ELEMENTS(rows));
        struct err err = ERR_INIT;
        _cleanup_dockerfile_ struct dockerfile d = { 0 };
        const char *text = "# Syntax = x/y:1 \n#escape=`\nFROM a";
        assert_int_equal(dockerfile_parse(text, strlen(text), "D", &d, &err), 0);
        assert_string_equal(d.syntax, "x/y:1");
        assert_int_equal(d.escape, '`');
}

static void test_arguments(void **state)
{
        static const struct row rows[] = {
                { "FROM a AS b", "1 FROM (a) (AS) (b)\n" },
                { "FROM --platform=linux/arm64 a as b", "1 FROM [--platform=linux/arm64] (a) (as) (b)\n" },
                { "CMD [\"a\", \"b c\"]", "1 CMD json (a) (b c)\n" },
                { "CMD [ 'a' ]", "1 CMD ([ 'a' ])\n" },
                { "CMD [\"a\" \"b\"]", "1 CMD ([\"a\" \"b\"])\n" },
                { "CMD [\"a\"] x", "1 CMD ([\"a\"] x)\n" },
                { "CMD []", "1 CMD json\n" },
                { "CMD [\"\\u00e9\\n\"]", "1 CMD json (\xc3\xa9\n)\n" },
                { "CMD a  b", "1 CMD (a  b)\n" },
                { "CMD [1]", "!Dockerfile:1: when using JSON array syntax, arrays must be comprised of strings only" },
                { "RUN [ -f x ] && y", "1 RUN ([ -f x ] && y)\n" },
                { "ENV a=b c=\"d e\" f=g\\ h", "1 ENV (a) (b) (c) (\"d e\") (f) (g\\ h)\n" },
                { "ENV a b c=d  e", "1 ENV (a) (b c=d  e)\n" },
                { "ENV a=", "1 ENV (a) ()\n" },
                { "ENV a=b c", "!Dockerfile:1: Syntax error - can't find = in \"c\". Must be of the form: name=value" },
                { "ENV a", "!Dockerfile:1: ENV must have two arguments" },
                { "ENV =b", "!Dockerfile:1: ENV names can not be blank" },
                { "ENV", "!Dockerfile:1: ENV requires at least one argument" },
                { "ENV a='b \\' c=d", "1 ENV (a) ('b \\') (c) (d)\n" },
                { "LABEL \"com.x y\"=z k=v", "1 LABEL (\"com.x y\") (z) (k) (v)\n" },
                { "LABEL a=b=c", "1 LABEL (a) (b=c)\n" },
                { "ARG a=1 b c='x y'", "1 ARG (a=1) (b) (c='x y')\n" },
                { "EXPOSE 80 443/tcp", "1 EXPOSE (80) (443/tcp)\n" },
                { "VOLUME /a /b", "1 VOLUME (/a) (/b)\n" },
                { "VOLUME [\"/a b\"]", "1 VOLUME json (/a b)\n" },
                { "COPY a b /c/", "1 COPY (a) (b) (/c/)\n" },
                { "COPY [\"a b\", \"/c\"]", "1 COPY json (a b) (/c)\n" },
                { "COPY --from=x --chown=1:2 --link a b", "1 COPY [--from=x] [--chown=1:2] [--link] (a) (b)\n" },
                { "COPY --chown=\"a b\" a b", "1 COPY [--chown=a b] (a) (b)\n" },
                { "COPY -- --from=x b", "1 COPY (--from=x) (b)\n" },
                { "COPY a", "!Dockerfile:1: COPY requires at least two arguments, the last of them the destination" },
                { "RUN --mount=type=tmpfs,target=/a --mount=type=cache,target=/b x --y",
                  "1 RUN [--mount=type=tmpfs,target=/a] [--mount=type=cache,target=/b] (x --y)\n" },
                { "WORKDIR /a b", "1 WORKDIR (/a b)\n" },
                { "USER a:b", "1 USER (a:b)\n" },
                { "STOPSIGNAL 9", "1 STOPSIGNAL (9)\n" },
                { "MAINTAINER me <m@x>", "1 MAINTAINER (me <m@x>)\n" },
                { "SHELL [\"a\", \"-c\"]", "1 SHELL json (a) (-c)\n" },
                { "SHELL a", "!Dockerfile:1: SHELL requires the arguments to be in JSON form" },
                { "HEALTHCHECK NONE", "1 HEALTHCHECK (NONE)\n" },
                { "HEALTHCHECK --interval=5s CMD a b", "1 HEALTHCHECK [--interval=5s] (CMD) (a b)\n" },
                { "HEALTHCHECK CMD [\"a\"]", "1 HEALTHCHECK json (CMD) (a)\n" },
                { "ONBUILD RUN a", "1 ONBUILD (RUN a)\n" },
        };
        check_all(rows, ELEMENTS(rows));
}

static void test_errors(void **state)
{
        static const struct row rows[] = {
                { "", "!Dockerfile:1: file with no instructions" },
                { "# only\n\n", "!Dockerfile:1: file with no instructions" },
                { "FROM a\nFOO b", "!Dockerfile:2: unknown instruction: FOO" },
                { "FROM a\nRUN b \\\n c\nfoo\n", "!Dockerfile:4: unknown instruction: foo" },
                { "FROM", "!Dockerfile:1: FROM requires either one or three arguments" },
                { "FROM a b", "!Dockerfile:1: FROM requires either one argument, or three: FROM <source> [AS <name>]" },
                { "FROM a b c",
                  "!Dockerfile:1: FROM requires either one argument, or three: FROM <source> [AS <name>]" },
                { "COPY --frm=x a b", "!Dockerfile:1: unknown flag: --frm" },
                { "COPY --from a b", "!Dockerfile:1: missing a value on flag: --from" },
                { "COPY --from=a --from=b a b", "!Dockerfile:1: duplicate flag specified: --from" },
                { "COPY --link=x a b", "!Dockerfile:1: expecting boolean value for flag --link, not: x" },
                { "CMD --x=y a", "!Dockerfile:1: unknown flag: --x" },
                { "RUN", "!Dockerfile:1: RUN requires at least one argument" },
                { "CMD", "!Dockerfile:1: CMD requires at least one argument" },
                { "RUN []", "!Dockerfile:1: RUN requires at least one argument" },
                { "ONBUILD ONBUILD RUN a", "!Dockerfile:1: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed" },
                { "ONBUILD FROM a", "!Dockerfile:1: FROM isn't allowed as an ONBUILD trigger" },
                { "ONBUILD MAINTAINER a", "!Dockerfile:1: MAINTAINER isn't allowed as an ONBUILD trigger" },
                { "ONBUILD FOO", "!Dockerfile:1: unknown instruction: FOO" },
                { "ONBUILD", "!Dockerfile:1: ONBUILD requires at least one argument" },
                { "FROM a\nRUN <<EOF\nx\n", "!Dockerfile:2: unterminated heredoc EOF" },
        };
        check_all(rows, ELEMENTS(rows));
}

static void test_heredocs(void **state)
{
        static const struct row rows[] = {
                { "RUN <<EOF\na\n b\nEOF\nRUN c", "1 RUN (<<EOF) <<EOF:a\n b\n>>\n5 RUN (c)\n" },
                { "RUN <<EOF\nEOF", "1 RUN (<<EOF) <<EOF:>>\n" },
                { "RUN <<-EOF\n\ta\n\t\tb\n\tEOF\nRUN c", "1 RUN (<<-EOF) <<EOF:a\nb\n>>\n5 RUN (c)\n" },
                { "RUN <<EOF\n\tEOF\nEOF", "1 RUN (<<EOF) <<EOF:\tEOF\n>>\n" },
                { "RUN <<'EOF'\n$x\nEOF", "1 RUN (<<'EOF') <<!EOF:$x\n>>\n" },
                { "RUN <<\"E F\"\n$x\nE F", "1 RUN (<<\"E F\") <<!E F:$x\n>>\n" },
                { "RUN <<E\\OF\n$x\nEOF", "1 RUN (<<E\\OF) <<!EOF:$x\n>>\n" },
                { "COPY <<a <<b /d/\n1\na\n2\nb\n", "1 COPY (<<a) (<<b) (/d/) <<a:1\n>> <<b:2\n>>\n" },
                { "RUN cat <<EOF | sh\nx # y \\\n# kept\n\nEOF",
                  "1 RUN (cat <<EOF | sh) <<EOF:x # y \\\n# kept\n\n>>\n" },
                { "RUN a 3<<EOF\nx\nEOF", "1 RUN (a 3<<EOF) <<EOF:x\n>>\n" },
                { "RUN cat <<<x", "1 RUN (cat <<<x)\n" },
                { "RUN echo $((1<<2))", "1 RUN (echo $((1<<2)))\n" },
                { "RUN echo '<<EOF'", "1 RUN (echo '<<EOF')\n" },
                { "RUN [\"<<EOF\"]", "1 RUN json (<<EOF)\n" },
                { "CMD <<EOF", "1 CMD (<<EOF)\n" },
                { "RUN <<EOF\r\na\r\nEOF\r\nRUN b", "1 RUN (<<EOF) <<EOF:a\r\n>>\n4 RUN (b)\n" },
                { "ONBUILD COPY <<EOF /x\nt\nEOF\nRUN b", "1 ONBUILD (COPY <<EOF /x\nt\nEOF)\n4 RUN (b)\n" },
                { "RUN a \\\n <<EOF\nx\nEOF", "1 RUN (a  <<EOF) <<EOF:x\n>>\n" },
        };
        check_all(rows, ELEMENTS(rows));
}

static void test_hostile(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_dockerfile_ struct dockerfile d = { 0 };
        assert_int_equal(dockerfile_parse("FROM a\n\0", 8, "Dockerfile", &d, &err), -1);
        assert_string_equal(err.msg, "Dockerfile:2: a NUL byte: this is no Dockerfile");
        size_t n = (1 << 20) + 1;
        _cleanup_free_ char *big = xmalloc(n);
        memset(big, '\n', n);
        assert_int_equal(dockerfile_parse(big, n, "Dockerfile", &d, &err), -1);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
        for (size_t i = 0; i + 8 < n; i += 8)
                memcpy(big + i, "ONBUILD ", 8);
        assert_int_equal(dockerfile_parse(big, n - 1, "Dockerfile", &d, &err), -1);
        memset(big, '[', n);
        memcpy(big, "CMD ", 4);
        assert_int_equal(dockerfile_parse(big, n - 1, "Dockerfile", &d, &err), 0);
        assert_false(d.list[0].json);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines),     cmocka_unit_test(test_directives),
                                            cmocka_unit_test(test_arguments), cmocka_unit_test(test_errors),
                                            cmocka_unit_test(test_heredocs),  cmocka_unit_test(test_hostile) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

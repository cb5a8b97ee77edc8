/* Options as pflag reads them: bundles, values, terminators, and the words of each refusal. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"
#include "cli/command.h"

struct sample {
        bool all, interactive, tty;
        char *name;
        char **publish;
        int64_t last, memory, timeout;
        uint16_t port;
        double cpus;
        char *color;
        int parsed;
};

static int parse_twice(void *options, const char *text, struct err *err)
{
        struct sample *s = options;
        if (!str_eq(text, "two"))
                return err_set(err, ERR_INVALID, "only two will do");
        s->parsed = 2;
        return 0;
}

#define ROW(letter, name, kind, member, ...)                                                                           \
        {                                                                                                              \
                letter, name, kind, offsetof(struct sample, member), NULL, "", __VA_ARGS__                             \
        }
static const struct option_row rows[] = {
        ROW('a', "all", OPT_BOOL, all),
        ROW('i', "interactive", OPT_BOOL, interactive),
        ROW('t', "tty", OPT_BOOL, tty),
        ROW(0, "name", OPT_STRING, name),
        ROW('p', "publish", OPT_STRV, publish),
        ROW('n', "last", OPT_I64, last),
        ROW('m', "memory", OPT_SIZE, memory),
        ROW(0, "timeout", OPT_DURATION, timeout),
        ROW(0, "port", OPT_U16, port),
        ROW(0, "cpus", OPT_DOUBLE, cpus),
        ROW(0, "color", OPT_STRING, color, .implied = "always"),
        ROW('P', "parse", OPT_PARSE, parsed, .parse = parse_twice),
        { 0 },
};
static const struct command free_order = { .options = rows, .options_size = sizeof(struct sample), .max_args = -1 };
static const struct command stopping = { .options = rows, .stop_at_args = true, .max_args = -1 };

/* What a line of words does to the sample, as one text; an error is its message after '!'. */
static char *outcome(const struct command *c, const char *line)
{
        _cleanup_strv_ char **words = strv_split(line, " ", false);
        _cleanup_free_ char **args = NULL;
        struct sample s = { .last = -1 };
        struct err err = ERR_INIT;
        bool help = false;
        char *result;
        if (options_parse(c, (int)strv_len(words), words, &s, &args, &help, &err) < 0) {
                result = xasprintf("!%s", err.msg);
        } else {
                _cleanup_free_ char *publish = strv_join(s.publish, ","), *rest = strv_join(args, ",");
                result = xasprintf("%s%s%s%s name=%s publish=%s last=%lld memory=%lld timeout=%lld port=%u cpus=%g "
                                   "color=%s P=%d [%s]",
                                   help ? "help " : "", s.all ? "a" : "", s.interactive ? "i" : "", s.tty ? "t" : "",
                                   s.name ? s.name : "", publish ? publish : "", (long long)s.last, (long long)s.memory,
                                   (long long)s.timeout, s.port, s.cpus, s.color ? s.color : "", s.parsed,
                                   rest ? rest : "");
        }
        options_free(rows, &s);
        assert_null(s.publish);
        return result;
}

static const struct {
        const char *line, *expected;
} good[] = {
        { "", " name= publish= last=-1 memory=0 timeout=0 port=0 cpus=0 color= P=0 []" },
        { "-it x -a y", "ait name= publish= last=-1 memory=0 timeout=0 port=0 cpus=0 color= P=0 [x,y]" },
        { "-p8080:80 -p 1:2 --publish=3:4",
          " name= publish=8080:80,1:2,3:4 last=-1 memory=0 timeout=0 port=0 cpus=0 color= P=0 []" },
        { "--name=x=y --name z -n5", " name=z publish= last=5 memory=0 timeout=0 port=0 cpus=0 color= P=0 []" },
        { "-an=7", "a name= publish= last=7 memory=0 timeout=0 port=0 cpus=0 color= P=0 []" },
        { "-n -3", " name= publish= last=-3 memory=0 timeout=0 port=0 cpus=0 color= P=0 []" },
        { "--all=false -t=true", "t name= publish= last=-1 memory=0 timeout=0 port=0 cpus=0 color= P=0 []" },
        { "-m 64m --timeout 1m30s",
          " name= publish= last=-1 memory=67108864 timeout=90000000000 port=0 cpus=0 color= P=0 []" },
        { "-m -1 --port 65535 --cpus 1.5",
          " name= publish= last=-1 memory=-1 timeout=0 port=65535 cpus=1.5 color= P=0 []" },
        { "--color x", " name= publish= last=-1 memory=0 timeout=0 port=0 cpus=0 color=always P=0 [x]" },
        { "--color=never", " name= publish= last=-1 memory=0 timeout=0 port=0 cpus=0 color=never P=0 []" },
        { "-a -- -t --x - --", "a name= publish= last=-1 memory=0 timeout=0 port=0 cpus=0 color= P=0 [-t,--x,-,--]" },
        { "- -Ptwo", " name= publish= last=-1 memory=0 timeout=0 port=0 cpus=0 color= P=2 [-]" },
        { "--help", "help  name= publish= last=-1 memory=0 timeout=0 port=0 cpus=0 color= P=0 []" },
        { "x -h --nonsense", "help  name= publish= last=-1 memory=0 timeout=0 port=0 cpus=0 color= P=0 [x]" },
};

static const struct {
        const char *line, *expected;
} bad[] = {
        { "--foo", "!unknown flag: --foo" },
        { "--foo=1", "!unknown flag: --foo" },
        { "-ax", "!unknown shorthand flag: 'x' in -ax" },
        { "--name", "!flag needs an argument: --name" },
        { "-an", "!flag needs an argument: 'n' in -an" },
        { "--=x", "!bad flag syntax: --=x" },
        { "-n x", "!invalid argument \"x\" for \"-n, --last\" flag: " },
        { "--port 65536", "!invalid argument \"65536\" for \"--port\" flag: 65536 is more than 65535" },
        { "--all=perhaps", "!invalid argument \"perhaps\" for \"-a, --all\" flag: " },
        { "-P one", "!invalid argument \"one\" for \"-P, --parse\" flag: only two will do" },
        { "-m -2", "!invalid argument \"-2\" for \"-m, --memory\" flag: " },
};

static void test_good(void **state)
{
        for (size_t i = 0; i < ELEMENTS(good); i++) {
                _cleanup_free_ char *result = outcome(&free_order, good[i].line);
                assert_string_equal(result, good[i].expected);
        }
}

static void test_bad(void **state)
{
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                _cleanup_free_ char *result = outcome(&free_order, bad[i].line);
                if (!str_starts(result, bad[i].expected))
                        fail_msg("%s: %s", bad[i].line, result);
        }
}

static void test_stop_at_args(void **state)
{
        _cleanup_free_ char *result = outcome(&stopping, "-t image sh -c -x --name");
        assert_string_equal(
                result, "t name= publish= last=-1 memory=0 timeout=0 port=0 cpus=0 color= P=0 [image,sh,-c,-x,--name]");
        _cleanup_free_ char *after = outcome(&stopping, "-t -- -image -a");
        assert_string_equal(after, "t name= publish= last=-1 memory=0 timeout=0 port=0 cpus=0 color= P=0 [-image,-a]");
}

static const char *found_name(const char *line, int *ret_words)
{
        _cleanup_strv_ char **words = strv_split(line, " ", false);
        *ret_words = 0;
        const struct command_entry *e = command_find((int)strv_len(words), words, ret_words);
        return e ? e->name : "none";
}

static void test_find(void **state)
{
        static const struct {
                const char *line, *name;
                int words;
        } cases[] = {
                { "ps -a", "ps", 1 },
                { "container ls", "ps", 2 },
                { "volume create x", "volume create", 2 },
                { "container inspect x", "container inspect", 2 },
                { "inspect container", "inspect", 1 },
                { "image remove x", "rmi", 2 },
                { "volume", "none", 0 },
                { "p", "none", 0 },
                { "container", "none", 0 },
                { "volume creat", "none", 0 },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int words;
                assert_string_equal(found_name(cases[i].line, &words), cases[i].name);
                assert_int_equal(words, cases[i].words);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_bad),
                cmocka_unit_test(test_stop_at_args),
                cmocka_unit_test(test_find),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

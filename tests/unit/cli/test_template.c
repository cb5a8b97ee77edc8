/* Go templates: each row is what text/template with docker's functions gives for the document. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/output.h"

static const char container[] =
        "{\"Id\":\"0123456789abcdef0123\",\"Created\":\"2026-01-02T03:04:05.6Z\",\"Path\":\"sh\",\"Args\":[\"-c\","
        "\"sleep 1\"],"
        "\"State\":{\"Status\":\"running\",\"Running\":true,\"Paused\":false,\"Pid\":42,\"ExitCode\":0,\"Load\":1.5},"
        "\"Name\":\"/web\",\"RestartCount\":3,"
        "\"HostConfig\":{\"NetworkMode\":\"bridge\",\"Binds\":null,\"PortBindings\":null,\"PidsLimit\":null,"
        "\"LogConfig\":{\"Type\":\"json-file\","
        "\"Config\":{\"max-size\":\"1m\"}}},"
        "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\",\"Destination\":\"/"
        "b\",\"RW\":true},{\"Type\":\"volume\",\"Name\":\"v\",\"Source\":\"/c\","
        "\"Destination\":\"/d\",\"RW\":false}],"
        "\"Config\":{\"Hostname\":\"h\",\"Env\":[\"A=1\",\"B=<2>\"],\"Cmd\":[\"sleep\",\"1\"],\"Entrypoint\":null,"
        "\"Labels\":{\"z\":\"last\",\"a.b\":\"dotted\",\"k\":\"v\"},"
        "\"ExposedPorts\":{\"80/tcp\":{}}},"
        "\"NetworkSettings\":{\"Ports\":{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"}],\"443/tcp\":null},"
        "\"Networks\":{\"bridge\":{\"IPAddress\":\"172.17.0.2\",\"Gateway\":\"172.17.0.1\"},\"alpha\":{\"IPAddress\":"
        "\"10.0.0.2\"}}}}";

static const struct {
        const char *text, *expected;
} rows[] = {
        /* text, fields, kinds */
        { "plain", "plain" },
        { "", "" },
        { "{{.Id}}", "0123456789abcdef0123" },
        { "{{.State.Running}} {{.State.Paused}} {{.State.Pid}} {{.State.Load}}", "true false 42 1.5" },
        { "a{{ .Name }}b", "a/webb" },
        { "{{.Args}}", "[-c sleep 1]" },
        { "{{.Config.Labels}}", "map[a.b:dotted k:v z:last]" },
        { "{{.Config.Entrypoint}} {{.HostConfig.Binds}} {{.HostConfig.PortBindings}} {{.HostConfig.PidsLimit}}",
          "[] [] map[] <nil>" },
        { "{{.NetworkSettings.Ports}}", "map[443/tcp:[] 80/tcp:[{0.0.0.0 8080}]]" },
        { "{{.Config.Labels.k}} {{.Config.Labels.none}}", "v <no value>" },
        { "{{.HostConfig.LogConfig.Config}}", "map[max-size:1m]" },
        { "{{$.Id}}", "0123456789abcdef0123" },
        { "{{(.State).Status}}", "running" },
        { "{{nil | printf \"%v\"}}", "!" },
        /* constants */
        { "{{1}} {{-3}} {{0x1f}} {{1_000}} {{1.50}} {{1e3}} {{1e21}} {{'a'}} {{'\\n'}} {{\"q\\\"\\t\\u00e9\"}} "
          "{{`r\\n`}} {{true}}",
          "1 -3 31 1000 1.5 1000 1e+21 97 10 q\"\t\xc3\xa9 r\\n true" },
        { "{{0b101}} {{0o17}} {{017}} {{.5}} {{-.5}}", "5 15 15 0.5 -0.5" },
        /* trimming and comments */
        { "a {{- .State.Pid -}} b", "a42b" },
        { "a {{- /* gone */ -}} b{{/* x */}}c", "abc" },
        { "{{- .Name -}}\n\t x", "/webx" },
        { "x{{ -3 }}", "x-3" },
        /* index, len, slice */
        { "{{index .Config.Labels \"a.b\"}}", "dotted" },
        { "[{{index .Config.Labels \"none\"}}]", "[]" },
        { "{{index .Args 1}}", "sleep 1" },
        { "{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}", "8080" },
        { "{{(index .Mounts 0).Destination}}", "/b" },
        { "{{index .NetworkSettings.Networks \"bridge\" | json}}",
          "{\"IPAddress\":\"172.17.0.2\",\"Gateway\":\"172.17.0.1\"}" },
        { "{{len .Mounts}} {{len .Name}} {{len .Config.Labels}} {{len .Config.Entrypoint}}", "2 4 3 0" },
        { "{{slice .Id 0 12}} {{slice .Id 18}} {{slice .Args 1}}", "0123456789ab 23 [sleep 1]" },
        { "{{index .Name 0}}", "47" },
        /* printing */
        { "{{printf \"%.12s\" .Id}}", "0123456789ab" },
        { "{{.Id | printf \"%.4s|%5d|%-6s|\" \"abcdef\" 7}}", "abcd|    7|0123456789abcdef0123|" },
        { "{{printf \"%q %x %X %5.1f %t %c %v%%\" \"a\\\"b\" \"hi\" 255 3.14159 true 65 .Args}}",
          "\"a\\\"b\" 6869 FF   3.1 true A [-c sleep 1]%" },
        { "{{printf \"%05d %+d %x %o %b %8.3f|%-8s|%8s|\" 42 42 255 8 5 2.5 \"ab\" \"cd\"}}",
          "00042 +42 ff 10 101    2.500|ab      |      cd|" },
        { "{{printf \"%d\" \"x\"}} {{printf \"%s\"}} {{printf \"x\" 1}} {{printf \"%s\" 5}}",
          "%!d(string=x) %!s(MISSING) x%!(EXTRA int=1) %!s(int=5)" },
        { "{{printf \"%*d|%-*d|\" 5 1 4 2}}", "    1|2   |" },
        { "{{printf \"%q\" .Args}}", "[\"-c\" \"sleep 1\"]" },
        { "{{print 1 2 \"a\" \"b\" 3}}|{{print .Args 1}}", "1 2ab3|[-c sleep 1] 1" },
        { "{{println .Name 1}}x{{println}}", "/web 1\nx\n" },
        { "{{123456.5}} {{1234567.5}} {{999999.0}} {{100000000.0}} {{0.00012}} {{0.000012}}",
          "123456.5 1.2345675e+06 999999 1e+08 0.00012 1.2e-05" },
        { "{{json 1000000.5}} {{json 1e-7}} {{json 1e21}}", "1000000.5 1e-7 1e+21" },
        { "{{printf \"%6.2f|%-8.3s|%+v|%#x|%08.3f|%x\" 3.14159 \"abcdef\" 5 255 -3.14159 \"\u00e9\"}}",
          "  3.14|abc     |5|0xff|-003.142|c3a9" },
        { "{{printf \"%5t|%q|%v|%d|%s|%v\" true 65 1.0 1.5 true nil}}",
          " true|'A'|1|%!d(float64=1.5)|%!s(bool=true)|<nil>" },
        { "{{printf \"%g %e\" 1e21 12345.678}} {{printf \"%!\"}} {{printf \"%\"}} {{printf \"%z\" 3}} {{printf \"%s\" "
          "3 4}} {{printf \"%x\" -255}} {{printf \"%c\" 233}}",
          "1e+21 1.234568e+04 %!!(MISSING) %!(NOVERB) %!z(int=3) %!s(int=3)%!(EXTRA int=4) -ff \xc3\xa9" },
        { "{{json \"a\\n\\x01\\\"\\u2028\"}}", "\"a\\n\\u0001\\\"\\u2028\"" },
        /* docker's functions */
        { "{{json .Config.Env}} {{.Args | json}} {{json .State.Pid}} {{json .Config.Entrypoint}} {{json .Name}}",
          "[\"A=1\",\"B=<2>\"] [\"-c\",\"sleep 1\"] 42 null \"/web\"" },
        { "{{json .Config.Labels}}", "{\"a.b\":\"dotted\",\"k\":\"v\",\"z\":\"last\"}" },
        { "{{json \"a\\n\\x01\\\"\"}}", "\"a\\n\\u0001\\\"\"" },
        { "{{join .Config.Cmd \" \"}} {{join .Config.Entrypoint \",\"}}", "sleep 1 " },
        { "{{upper .Name}} {{lower \"ABC\"}} {{title \"foo bar\"}}", "/WEB abc Foo Bar" },
        { "{{split .Id \"4\"}} {{index (split \"a:b\" \":\") 1}} {{split \"abc\" \"\"}}",
          "[0123 56789abcdef0123] b [a b c]" },
        { "{{truncate .Id 5}} {{truncate \"ab\" 5}} [{{pad \"x\" 1 2}}] [{{pad \"\" 1 2}}]", "01234 ab [ x  ] []" },
        { "{{html \"<a&b>\"}} {{urlquery \"a b/c\"}}", "&lt;a&amp;b&gt; a+b%2Fc" },
        /* conditions */
        { "{{if .State.Running}}up{{else}}down{{end}}", "up" },
        { "{{if .State.Paused}}paused{{else if eq .State.Status \"running\"}}running{{else}}?{{end}}", "running" },
        { "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none" },
        { "{{if and .State.Health (eq .State.Health.Status \"healthy\")}}y{{else}}n{{end}}", "n" },
        { "{{if or .State.Running .Nonsense.There}}y{{end}}", "y" },
        { "{{if not .State.Paused}}y{{end}}{{if .Config.Entrypoint}}n{{end}}{{if .Config.Labels}}y{{end}}{{if "
          "0}}n{{end}}{{if \"\"}}n{{end}}",
          "yy" },
        { "{{eq 1 1}} {{eq \"a\" \"b\" \"a\"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt \"b\" \"a\"}} {{ge 1.5 2.5}}",
          "true true true true true true false" },
        { "{{and 1 0 2}} {{or 0 \"\" \"x\"}} {{or 0 \"\"}}|{{and 1 2}}", "0 x |2" },
        { "{{eq .State.Health nil}}", "true" },
        /* range, with, variables */
        { "{{range .Args}}<{{.}}>{{end}}", "<-c><sleep 1>" },
        { "{{range $i, $a := .Args}}{{$i}}={{$a}};{{end}}", "0=-c;1=sleep 1;" },
        { "{{range $k, $v := .NetworkSettings.Networks}}{{$k}}={{$v.IPAddress}} {{end}}",
          "alpha=10.0.0.2 bridge=172.17.0.2 " },
        { "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", "10.0.0.2 172.17.0.2 " },
        { "{{range $p, $conf := .NetworkSettings.Ports}}{{$p}} -> {{if $conf}}{{(index $conf "
          "0).HostPort}}{{else}}-{{end}};{{end}}",
          "443/tcp -> -;80/tcp -> 8080;" },
        { "{{range $p, $_ := .Config.ExposedPorts}}{{$p}}{{end}}", "80/tcp" },
        { "{{range .Config.Entrypoint}}x{{else}}none{{end}}", "none" },
        { "{{range .Mounts}}{{.Type}}:{{.Name}}:{{.Source}} {{end}}", "bind::/a volume:v:/c " },
        { "{{range .Args}}{{break}}{{end}}{{range $i, $_ := .Args}}{{if eq $i 0}}{{continue}}{{end}}{{.}}{{end}}",
          "sleep 1" },
        { "{{range 3}}{{.}}{{end}}", "012" },
        { "{{with .State}}{{.Status}} {{$.Name}}{{end}}{{with .Config.Entrypoint}}x{{else}}none{{end}}",
          "running /webnone" },
        { "{{with $x := .State.Pid}}{{$x}}{{end}}", "42" },
        { "{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2" },
        { "{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21" },
        { "{{$first := true}}{{range .Args}}{{if $first}}{{$first = false}}{{else}}, {{end}}{{.}}{{end}}",
          "-c, sleep 1" },
        { "{{define \"t\"}}[{{.}}]{{end}}{{template \"t\" .Name}}{{template \"t\" 1}}", "[/web][1]" },
        { "{{block \"b\" .State}}{{.Pid}}{{end}}", "42" },
        { "{{.State.Status | printf \"%s-%s\" \"a\" | upper}}", "A-RUNNING" },
        { "{{.HostConfig.Init}} {{.SizeRw}} [{{.Config.StopSignal}}]", "<nil> <nil> []" },
};

/* What Go says of each. */
static const struct {
        const char *text, *message;
} errors[] = {
        { "{{.X}}", "template: :1:2: executing \"\" at <.X>: map has no entry for key \"X\"" },
        { "ab\n {{.State.Foo}}", "template: :2:9: executing \"\" at <.State.Foo>: map has no entry for key \"Foo\"" },
        { "{{.Name.Foo}}", "template: :1:7: executing \"\" at <.Name.Foo>: can't evaluate field Foo in type string" },
        { "{{.State.Health.Status}}",
          "template: :1:8: executing \"\" at <.State.Health.Status>: map has no entry for key \"Health\"" },
        { "{{eq .State.Pid \"x\"}}", "template: :1:2: executing \"\" at <eq .State.Pid \"x\">: error calling eq: "
                                     "incompatible types for comparison" },
        { "{{index .Args 9}}",
          "template: :1:2: executing \"\" at <index .Args 9>: error calling index: index out of range: 9" },
        { "{{index (index .NetworkSettings.Ports \"443/tcp\") 0}}",
          "template: :1:2: executing \"\" at <index (index .NetworkSettings.Ports \"443/tcp\") 0>: error calling "
          "index: index of untyped nil" },
        { "{{len 3}}", "template: :1:2: executing \"\" at <len 3>: error calling len: len of type int" },
        { "{{join .Name \",\"}}", "template: :1:2: executing \"\" at <join .Name \",\">: error calling join: wrong "
                                  "type for value; expected []string; got string" },
        { "{{len}}", "template: :1:2: executing \"\" at <len>: wrong number of args for len: want 1 got 0" },
        { "{{range .Name}}{{end}}", "template: :1:8: executing \"\" at <.Name>: range can't iterate over /web" },
        { "{{.Name 1}}",
          "template: :1:2: executing \"\" at <.Name>: Name has arguments but cannot be invoked as function" },
        { "{{template \"no\"}}",
          "template: :1:11: executing \"\" at <{{template \"no\"}}>: template \"no\" not defined" },
        { "{{define \"t\"}}{{template \"t\"}}{{end}}{{template \"t\"}}",
          "template: exceeded maximum template depth (200)" },
};

static const struct {
        const char *text, *message;
} parse_errors[] = {
        { "{{", "template parsing error: template: :1: unclosed action" },
        { "x\n{{.Id", "template parsing error: template: :2: unclosed action" },
        { "{{}}", "template parsing error: template: :1: missing value for command" },
        { "{{nosuch .}}", "template parsing error: template: :1: function \"nosuch\" not defined" },
        { "{{$x}}", "template parsing error: template: :1: undefined variable \"$x\"" },
        { "{{if true}}", "template parsing error: template: :1: unexpected EOF" },
        { "{{end}}", "template parsing error: template: :1: unexpected {{end}}" },
        { "{{else}}", "template parsing error: template: :1: unexpected {{else}}" },
        { "{{\"abc}}", "template parsing error: template: :1: unterminated quoted string" },
        { "{{(.Id}}", "template parsing error: template: :1: unclosed left paren" },
        { "{{.Id)}}", "template parsing error: template: :1: unexpected right paren" },
        { "{{/* x}}", "template parsing error: template: :1: unclosed comment" },
        { "{{1abc}}", "template parsing error: template: :1: bad number syntax: \"1abc\"" },
        { "{{.Id | 3}}", "template parsing error: template: :1: non executable command in pipeline stage 2" },
        { "{{break}}", "template parsing error: template: :1: {{break}} outside {{range}}" },
        { "{{3.Foo}}", "" },
        { "{{.Id ! 2}}", "template parsing error: template: :1: unexpected \"!\" in operand" },
        { "{{|}}", "template parsing error: template: :1: unexpected \"|\" in command" },
};

static char *rendered(const char *text, const json_t *document)
{
        _cleanup_(template_freep) struct template *t = NULL;
        _cleanup_buf_ struct buf out = { 0 };
        struct err err = ERR_INIT;
        if (template_parse(text, &t, &err) < 0 || template_execute(t, document, &out, &err) < 0) {
                assert_true(err.kind == ERR_INVALID || err.kind == ERR_TOO_LARGE);
                return xasprintf("!%s", err.msg);
        }
        return buf_take(&out);
}

static void test_rows(void **state)
{
        _cleanup_json_ json_t *document = json_loads(container, 0, NULL);
        assert_non_null(document);
        int wrong = 0;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *text = rendered(rows[i].text, document);
                bool same = rows[i].expected[0] == '!' ? text[0] == '!' : str_eq(text, rows[i].expected);
                if (!same) {
                        print_error("%s\n  gives    %s\n  expected %s\n", rows[i].text, text, rows[i].expected);
                        wrong++;
                }
        }
        assert_int_equal(wrong, 0);
}

static void test_errors(void **state)
{
        _cleanup_json_ json_t *document = json_loads(container, 0, NULL);
        int wrong = 0;
        for (size_t i = 0; i < ELEMENTS(errors); i++) {
                _cleanup_free_ char *text = rendered(errors[i].text, document);
                if (text[0] != '!' || !str_eq(text + 1, errors[i].message)) {
                        print_error("%s\n  gives    %s\n  expected %s\n", errors[i].text, text, errors[i].message);
                        wrong++;
                }
        }
        assert_int_equal(wrong, 0);
}

static void test_parse_errors(void **state)
{
        int wrong = 0;
        for (size_t i = 0; i < ELEMENTS(parse_errors); i++) {
                _cleanup_json_ json_t *nothing = json_object();
                _cleanup_free_ char *text = rendered(parse_errors[i].text, nothing);
                bool same = text[0] == '!' && (str_eq(text + 1, parse_errors[i].message) || !*parse_errors[i].message);
                if (!same) {
                        print_error("%s\n  gives    %s\n  expected %s\n", parse_errors[i].text, text,
                                    parse_errors[i].message);
                        wrong++;
                }
        }
        assert_int_equal(wrong, 0);
}

/* Every prefix of every template parses or is refused: never more than its text is read. */
static void test_prefixes(void **state)
{
        _cleanup_json_ json_t *document = json_loads(container, 0, NULL);
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                for (size_t len = 0; len <= strlen(rows[i].text); len++) {
                        _cleanup_free_ char *prefix = xstrndup(rows[i].text, len);
                        _cleanup_free_ char *text = rendered(prefix, document);
                        assert_non_null(text);
                }
}

static void test_deep(void **state)
{
        _cleanup_json_ json_t *nothing = json_object();
        _cleanup_buf_ struct buf deep = { 0 };
        struct err err = ERR_INIT;
        assert_int_equal(buf_adds(&deep, "{{", &err), 0);
        for (int i = 0; i < 100000; i++)
                assert_int_equal(buf_addc(&deep, '(', &err), 0);
        assert_int_equal(buf_adds(&deep, "}}", &err), 0);
        _cleanup_free_ char *text = rendered(deep.data, nothing);
        assert_string_equal(text, "!template parsing error: template: :1: more than 100 levels");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),     cmocka_unit_test(test_errors), cmocka_unit_test(test_parse_errors),
                cmocka_unit_test(test_prefixes), cmocka_unit_test(test_deep),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

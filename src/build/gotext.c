#include "build/gotext-internal.h"

#include "base/buf.h"
#include "base/str.h"

static void add_quoted(struct buf *b, const char *s)
{
        static const struct {
                char c;
                const char *text;
        } named[] = {
                { '"', "\\\"" }, { '\\', "\\\\" }, { '\a', "\\a" }, { '\b', "\\b" }, { '\f', "\\f" },
                { '\n', "\\n" }, { '\r', "\\r" },  { '\t', "\\t" }, { '\v', "\\v" },
        };
        struct err ignored = ERR_INIT;
        bool utf8 = str_is_utf8(s, strlen(s));
        (void)buf_addc(b, '"', &ignored);
        for (; *s; s++) {
                const char *text = NULL;
                for (size_t i = 0; i < ELEMENTS(named) && !text; i++)
                        text = named[i].c == *s ? named[i].text : NULL;
                unsigned char c = (unsigned char)*s;
                if (text)
                        (void)buf_adds(b, text, &ignored);
                else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
                        (void)buf_addf(b, &ignored, "\\x%02x", c);
                else
                        (void)buf_addc(b, *s, &ignored);
        }
        (void)buf_addc(b, '"', &ignored);
}

char *go_quote(const char *s)
{
        _cleanup_buf_ struct buf b = BUF_INIT(0);
        add_quoted(&b, s);
        return buf_take(&b);
}

char *go_quote_list(char *const *v)
{
        _cleanup_buf_ struct buf b = BUF_INIT(0);
        struct err ignored = ERR_INIT;
        (void)buf_addc(&b, '[', &ignored);
        STRV_FOREACH (s, v) {
                if (s != v)
                        (void)buf_addc(&b, ' ', &ignored);
                add_quoted(&b, *s);
        }
        (void)buf_addc(&b, ']', &ignored);
        return buf_take(&b);
}

char *go_list(char *const *v)
{
        _cleanup_free_ char *joined = strv_join(v, " ");
        return xasprintf("[%s]", joined ? joined : "");
}

char *go_duration(long long ns)
{
        long long s = ns / 1000000000, rest = ns % 1000000000;
        _cleanup_free_ char *seconds = rest ? xasprintf("%lld.%09lld", s % 60, rest) : xasprintf("%lld", s % 60);
        if (rest)
                for (size_t n = strlen(seconds); seconds[n - 1] == '0'; n--)
                        seconds[n - 1] = '\0';
        if (s == 0 && rest)
                return rest % 1000000 ? xasprintf("%lldns", rest) : xasprintf("%lldms", rest / 1000000);
        if (s >= 3600)
                return xasprintf("%lldh%lldm%ss", s / 3600, s / 60 % 60, seconds);
        return s >= 60 ? xasprintf("%lldm%ss", s / 60, seconds) : xasprintf("%ss", seconds);
}

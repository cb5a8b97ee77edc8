#include "build/handlers-internal.h"

#include <strings.h>
#include "base/signame.h"
#include "base/str.h"

static bool realtime_valid(const char *name)
{
        struct err ignored = ERR_INIT;
        uint32_t n = 0;
        const char *up = str_after(name, "RTMIN"), *down = str_after(name, "RTMAX");
        const char *rest = up ? up : down;
        if (!rest)
                return false;
        return !*rest || (*rest == (up ? '+' : '-') && parse_u32(rest + 1, &n, &ignored) == 0 && n <= 30);
}

static bool signal_valid(const char *text)
{
        struct err ignored = ERR_INIT;
        uint32_t number;
        if (parse_u32(text, &number, &ignored) == 0)
                return number > 0 && number <= 64;
        return signal_number(text) || realtime_valid(strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text);
}

int change_stopsignal(struct change *c, const struct instruction *in, struct err *err)
{
        _cleanup_free_ char *text = NULL;
        if (change_expand(c, in->args[0], &text, err) < 0)
                return -1;
        if (!signal_valid(text))
                return err_set(err, ERR_INVALID, "invalid signal: %s", text);
        c->comment = xasprintf("STOPSIGNAL %s", text);
        str_replace(&c->exec->stop_signal, text);
        return 0;
}

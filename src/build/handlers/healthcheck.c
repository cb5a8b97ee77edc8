#include "build/gotext-internal.h"
#include "build/handlers-internal.h"
#include "build/instructions-internal.h"

#include <strings.h>
#include "base/str.h"

#define LEAST_NS 1000000 /* 1 ms, docker's */

static int read_time(const struct instruction *in, const char *flag, int64_t *ret, struct err *err)
{
        const char *text = instruction_flag(in, flag);
        if (!text)
                return 0;
        int64_t ns;
        if (str_only(text, "0123456789") && !str_eq(text, "0"))
                return err_set(err, ERR_INVALID, "--%s: missing unit in duration %s", flag, text);
        if (parse_duration(text, &ns, err) < 0)
                return err_add(err, "--%s", flag);
        if (ns < 0 || (ns > 0 && ns < LEAST_NS))
                return err_set(err, ERR_INVALID, "--%s=%s: cannot be less than 1ms", flag, text);
        *ret = ns;
        return 0;
}

static int read_retries(const struct instruction *in, int64_t *ret, struct err *err)
{
        const char *text = instruction_flag(in, "retries");
        if (!text)
                return 0;
        if (parse_i64(text, ret, err) < 0)
                return err_add(err, "--retries");
        return *ret < 0 || *ret > INT32_MAX ? err_set(err, ERR_INVALID, "--retries cannot be negative (%s)", text) : 0;
}

static int read_command(const struct instruction *in, struct healthcheck *h, struct err *err)
{
        if (strcasecmp(in->args[0], "CMD") != 0)
                return err_set(err, ERR_INVALID, "Unknown type \"%s\" in HEALTHCHECK (try CMD)", in->args[0]);
        if (!in->args[1])
                return err_set(err, ERR_INVALID, "Missing command after HEALTHCHECK CMD");
        strv_push(&h->test, in->json ? "CMD" : "CMD-SHELL");
        strv_extend(&h->test, in->args + 1);
        if (read_time(in, "interval", &h->interval, err) < 0 || read_time(in, "timeout", &h->timeout, err) < 0 ||
            read_time(in, "start-period", &h->start_period, err) < 0 ||
            read_time(in, "start-interval", &h->start_interval, err) < 0)
                return -1;
        return read_retries(in, &h->retries, err);
}

static char *describe(const struct healthcheck *h)
{
        _cleanup_free_ char *test = go_quote_list(h->test);
        _cleanup_free_ char *interval = go_duration(h->interval);
        _cleanup_free_ char *timeout = go_duration(h->timeout);
        _cleanup_free_ char *period = go_duration(h->start_period);
        _cleanup_free_ char *start = go_duration(h->start_interval);
        return xasprintf("HEALTHCHECK &{%s \"%s\" \"%s\" \"%s\" \"%s\" '\\x%02llx'}", test, interval, timeout, period,
                         start, (unsigned long long)h->retries);
}

int change_healthcheck(struct change *c, const struct instruction *in, struct err *err)
{
        _cleanup_(healthcheck_done) struct healthcheck h = { 0 };
        if (strcasecmp(in->args[0], "NONE") == 0) {
                if (in->args[1] || in->flags)
                        return err_set(err, ERR_INVALID, "HEALTHCHECK NONE takes no arguments");
                strv_push(&h.test, "NONE");
        } else if (read_command(in, &h, err) < 0) {
                return -1;
        }
        healthcheck_done(&c->exec->healthcheck);
        c->exec->healthcheck = h;
        h = (struct healthcheck){ 0 };
        c->comment = describe(&c->exec->healthcheck);
        return 0;
}

#include "registry/http-internal.h"

#include <time.h>
#include "base/digest.h"
#include "base/str.h"
#include "registry/base64-internal.h"
#include "registry/transfer-internal.h"
#include "registry/url-internal.h"

#define REDIRECTS_MAX 10
#define REFUSALS_MAX 2 /* the first challenge, and a token that ran out */
#define PAUSE_FIRST_MS 100
#define PAUSE_LAST_MS 5000
#define RETRY_AFTER_MAX 120 /* s; who wants more patience is told so */

/* A body may be sent again to where 307 and 308 point; the older codes were never agreed on but for GET and HEAD. */
static bool redirect_wanted(const struct http_request *q, const struct http_reply *reply)
{
        bool reads = str_eq(q->method, "GET") || str_eq(q->method, "HEAD");

        if (str_empty(reply->location))
                return false;
        if (reply->status == 307 || reply->status == 308)
                return true;
        return reads && (reply->status == 301 || reply->status == 302 || reply->status == 303);
}

int http_follow(struct registry *r, const struct http_request *q, const char *url, const char *authorization,
                struct http_reply *ret, struct err *err)
{
        _cleanup_free_ char *at = xstrdup(url);
        bool plain = str_starts(r->base, "http:");

        for (unsigned hops = 0; hops <= REDIRECTS_MAX; hops++) {
                bool own = url_same_origin(r->base, at), first = url_same_origin(url, at);
                http_reply_reset(ret);
                if (http_transfer(r, q, at, first ? authorization : NULL, own, ret, err) < 0)
                        return -1;
                ret->foreign = !own;
                if (!redirect_wanted(q, ret))
                        return 0;
                char *next = NULL;
                if (url_resolve(at, ret->location, plain, &next, err) < 0)
                        return -1;
                free(at);
                at = next;
        }
        _cleanup_free_ char *shown = url_shown(url);
        return err_set(err, ERR_UNAVAILABLE, "%s %s: stopped after %d redirects", q->method, shown, REDIRECTS_MAX);
}

static void sleep_ms(unsigned long ms)
{
        struct timespec left = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

        while (nanosleep(&left, &left) < 0)
                ;
}

void http_pause(unsigned tries)
{
        unsigned long ms = PAUSE_FIRST_MS, jitter;
        char hex[9];

        for (unsigned i = 1; i < tries && ms < PAUSE_LAST_MS; i++)
                ms *= 2;
        /* Many clients cut off by one restart must not all come back at once. */
        random_hex(hex, 4);
        jitter = strtoul(hex, NULL, 16) % (ms / 2);
        sleep_ms((ms < PAUSE_LAST_MS ? ms : PAUSE_LAST_MS) + jitter);
}

/* Seconds of Retry-After (a number or a date), -1 when there is none. */
static int64_t retry_after(const struct http_reply *reply)
{
        struct err ignored = ERR_INIT;
        uint64_t seconds;

        if (str_empty(reply->retry_after))
                return -1;
        if (parse_u64(reply->retry_after, &seconds, &ignored) == 0)
                return seconds > INT32_MAX ? INT32_MAX : (int64_t)seconds;
        time_t when = curl_getdate(reply->retry_after, NULL), now = time(NULL);
        return when < 0 ? -1 : when > now ? when - now : 0;
}

/* Before anything was ever heard of a host, its name is more likely wrong than its network down. */
static unsigned patience(struct registry *r)
{
        _cleanup_unlock_ pthread_mutex_t *held = mutex_hold(&r->lock);
        return r->reached || r->retries < 1 ? r->retries : 1;
}

bool http_again(struct registry *r, const struct http_request *q, const struct http_reply *reply, int rc,
                unsigned *tries)
{
        bool busy = rc == 0 && (reply->status == 429 || reply->status == 503);
        bool broken = rc == 0 ? reply->status == 500 || reply->status == 502 || reply->status == 504 : reply->cut;
        int64_t wait = busy ? retry_after(reply) : -1;

        /* Refused outright, so that also what is not idempotent may be asked again. */
        if (!busy && (!broken || q->once))
                return false;
        if (++*tries > patience(r) || wait > RETRY_AFTER_MAX)
                return false;
        if (wait >= 0)
                sleep_ms((unsigned long)wait * 1000);
        else
                http_pause(*tries);
        return true;
}

static int exchange_once(struct registry *r, const struct http_request *q, const char *url, unsigned *refusals,
                         bool *ret_again, struct http_reply *ret, struct err *err)
{
        _cleanup_(secret_freep) char *authorization = NULL;
        bool ours = url_same_origin(r->base, url);

        *ret_again = false;
        if (ours && token_header(r, q->scope, &authorization, err) < 0)
                return -1;
        if (http_follow(r, q, url, authorization, ret, err) < 0)
                return -1;
        if (ret->status != 401 || ret->foreign || (*refusals)++ >= REFUSALS_MAX)
                return 0;
        int learnt = token_learn(r, ret->challenges, q->scope, authorization, err);
        *ret_again = learnt > 0;
        return learnt < 0 ? -1 : 0;
}

int http_exchange(struct registry *r, const struct http_request *q, struct http_reply *ret, struct err *err)
{
        _cleanup_free_ char *url = NULL;
        unsigned tries = 0, refusals = 0;

        if (registry_locate(r, err) < 0)
                return -1;
        /* Where the registry sends us may be another scheme only the safe way round. */
        if (url_resolve(r->base, q->url, str_starts(r->base, "http:"), &url, err) < 0)
                return -1;
        for (;;) {
                bool again;
                int rc = exchange_once(r, q, url, &refusals, &again, ret, err);
                if (again)
                        continue;
                if (!http_again(r, q, ret, rc, &tries))
                        return rc;
        }
}

int http_demand(struct registry *r, const struct http_request *q, struct http_reply *ret, struct err *err)
{
        if (http_exchange(r, q, ret, err) < 0)
                return -1;
        if (ret->status >= 200 && ret->status < 300)
                return 0;
        http_reply_error(ret, err);
        token_redact(r, err);
        return -1;
}

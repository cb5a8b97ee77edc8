#include "registry/registry-internal.h"

#include <string.h>
#include <strings.h>
#include "base/str.h"
#include "registry/http-internal.h"
#include "registry/names-internal.h"
#include "registry/transfer-internal.h"

#define DEFAULT_RETRIES 5

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_start(void)
{
        curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Docker's own registry is asked at another name than images bear. */
static const char *domain_host(const char *domain)
{
        return str_eq(domain, "docker.io") || str_eq(domain, "index.docker.io") ? "registry-1.docker.io" : domain;
}

static bool domain_is_loopback(const char *domain)
{
        size_t host = *domain == '[' ? strcspn(domain, "]") + 1 : strcspn(domain, ":");
        return (host == 9 && strncasecmp(domain, "localhost", 9) == 0) || str_starts(domain, "[::1]") ||
               (str_starts(domain, "127.") && strspn(domain, "0123456789.") == host);
}

static void share_lock(CURL *curl, curl_lock_data what, curl_lock_access access, void *data)
{
        struct registry *r = data;
        pthread_mutex_lock(&r->share_locks[what]);
}

static void share_unlock(CURL *curl, curl_lock_data what, void *data)
{
        struct registry *r = data;
        pthread_mutex_unlock(&r->share_locks[what]);
}

static void share_start(struct registry *r)
{
        for (size_t i = 0; i < ELEMENTS(r->share_locks); i++)
                pthread_mutex_init(&r->share_locks[i], NULL);
        r->share = curl_share_init();
        if (!r->share)
                return;
        curl_share_setopt(r->share, CURLSHOPT_USERDATA, r);
        curl_share_setopt(r->share, CURLSHOPT_LOCKFUNC, share_lock);
        curl_share_setopt(r->share, CURLSHOPT_UNLOCKFUNC, share_unlock);
        curl_share_setopt(r->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
        curl_share_setopt(r->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
}

static void credentials_given(struct registry *r, const struct registry_options *o)
{
        struct credentials *c = &r->tokens.credentials;

        if (!o->username && !o->identity_token)
                return;
        r->tokens.credentials_known = true;
        str_replace(&c->identity_token, str_empty(o->identity_token) ? NULL : o->identity_token);
        if (str_empty(o->username))
                return;
        str_replace(&c->username, o->username);
        str_replace(&c->password, o->password ? o->password : "");
}

int registry_open(const struct registry_options *options, struct registry **ret, struct err *err)
{
        struct trust trust = { 0 };

        if (!registry_domain_valid(options->domain))
                return err_set(err, ERR_INVALID, "invalid registry \"%.300s\"", options->domain ? options->domain : "");
        pthread_once(&curl_once, curl_start);
        if (trust_load(&trust, options->ca_dir, options->domain, err) < 0)
                return -1;
        struct registry *r = xcalloc(1, sizeof(*r));
        r->domain = xstrdup(options->domain);
        r->host = xstrdup(domain_host(options->domain));
        r->auth_file = options->auth_file ? xstrdup(options->auth_file) : NULL;
        r->loopback = domain_is_loopback(options->domain);
        r->insecure = options->insecure || r->loopback;
        r->retries = options->retries ? options->retries : DEFAULT_RETRIES;
        r->trust = trust;
        pthread_mutex_init(&r->lock, NULL);
        tokens_init(&r->tokens);
        credentials_given(r, options);
        share_start(r);
        if (!r->insecure)
                r->base = xasprintf("https://%s", r->host);
        *ret = r;
        return 0;
}

void registry_close(struct registry *r)
{
        if (!r)
                return;
        for (size_t i = 0; i < r->idle_count; i++)
                curl_easy_cleanup(r->idle[i]);
        curl_share_cleanup(r->share);
        for (size_t i = 0; i < ELEMENTS(r->share_locks); i++)
                pthread_mutex_destroy(&r->share_locks[i]);
        tokens_done(&r->tokens);
        pthread_mutex_destroy(&r->lock);
        trust_done(&r->trust);
        free(r->domain);
        free(r->host);
        free(r->auth_file);
        free(r->base);
        free(r);
}

CURL *registry_handle_take(struct registry *r)
{
        CURL *curl = NULL;

        pthread_mutex_lock(&r->lock);
        if (r->idle_count > 0)
                curl = r->idle[--r->idle_count];
        pthread_mutex_unlock(&r->lock);
        if (!curl)
                curl = curl_easy_init();
        if (!curl)
                abort(); /* out of memory, as in base/mem.h */
        return curl;
}

void registry_handle_give(struct registry *r, CURL *curl)
{
        /* Takes every pointer to the last request out of it; connections stay. */
        curl_easy_reset(curl);
        pthread_mutex_lock(&r->lock);
        if (r->idle_count < IDLE_HANDLES)
                r->idle[r->idle_count++] = TAKE_PTR(curl);
        pthread_mutex_unlock(&r->lock);
        curl_easy_cleanup(curl);
}

/* Asks /v2/ of one scheme, without credentials. A TLS server answers plain HTTP with 400 or by hanging up. */
static int scheme_try(struct registry *r, const char *scheme, struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;
        _cleanup_free_ char *base = xasprintf("%s://%s", scheme, r->host), *url = xasprintf("%s/v2/", base);
        const struct http_request q = { .method = "GET" };

        if (http_transfer(r, &q, url, NULL, true, &reply, err) < 0)
                return -1;
        if (reply.status == 400 && str_eq(scheme, "http"))
                return err_set(err, ERR_UNAVAILABLE, "%s does not speak HTTP", r->host);
        pthread_mutex_lock(&r->lock);
        if (!r->base)
                r->base = TAKE_PTR(base);
        pthread_mutex_unlock(&r->lock);
        return 0;
}

int registry_locate(struct registry *r, struct err *err)
{
        /* A registry on this machine mostly speaks HTTP; one elsewhere gets its chance of TLS first. */
        bool plain_first = r->loopback && !r->trust.authorities;
        struct err second = ERR_INIT;

        pthread_mutex_lock(&r->lock);
        bool known = r->base;
        pthread_mutex_unlock(&r->lock);
        if (known || scheme_try(r, plain_first ? "http" : "https", err) == 0)
                return 0;
        return scheme_try(r, plain_first ? "https" : "http", &second);
}

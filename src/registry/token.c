#include "registry/token-internal.h"

#include <string.h>
#include "base/json.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "registry/base64-internal.h"
#include "registry/challenge-internal.h"
#include "registry/http-internal.h"
#include "registry/url-internal.h"

#define TOKEN_REPLY_MAX ((size_t)1 << 20)
#define TOKEN_TEXT_MAX 65536
#define TOKEN_SECONDS 60 /* where the server names none (docker's rule) */
#define TOKEN_SECONDS_MAX 86400
#define CLIENT_ID "tare"
#define SECRET_LEAST 4 /* bytes: a shorter one stands in too many innocent words */

void tokens_init(struct tokens *t)
{
        *t = (struct tokens){ .scheme = AUTH_NONE };
        pthread_mutex_init(&t->lock, NULL);
}

void tokens_done(struct tokens *t)
{
        for (size_t i = 0; i < t->count; i++) {
                free(t->list[i].scope);
                free(t->list[i].wanted);
                secret_free(t->list[i].value);
        }
        free(t->list);
        free(t->realm);
        free(t->service);
        credentials_done(&t->credentials);
        pthread_mutex_destroy(&t->lock);
}

/* The user's own; read once, when the registry first asks (helpers are slow). */
static int credentials_load(struct registry *r, struct err *err)
{
        struct tokens *t = &r->tokens;
        _cleanup_free_ char *standard = r->auth_file ? NULL : auth_file_path();
        const char *file = r->auth_file ? r->auth_file : standard;

        if (t->credentials_known)
                return 0;
        if (file && auth_find(file, r->domain, &t->credentials, err) < 0)
                return -1;
        t->credentials_known = true;
        return 0;
}

static char *basic_header(const struct credentials *c)
{
        _cleanup_secret_ char *pair = xasprintf("%s:%s", c->username, c->password ? c->password : "");
        _cleanup_secret_ char *encoded = base64_encode(pair, strlen(pair));
        return xasprintf("Authorization: Basic %s", encoded);
}

static struct token *token_entry(struct tokens *t, const char *scope)
{
        for (size_t i = 0; i < t->count; i++)
                if (str_eq(t->list[i].scope, scope))
                        return &t->list[i];
        t->list = xreallocarray(t->list, t->count + 1, sizeof(*t->list));
        t->list[t->count] = (struct token){ .scope = xstrdup(scope) };
        return &t->list[t->count++];
}

static void token_drop(struct token *k)
{
        secret_free(TAKE_PTR(k->value));
}

/* One that serves: for this scope, or for more of the same repository ("x:pull" is within "x:pull,push"). */
static struct token *token_find(struct tokens *t, const char *scope)
{
        int64_t now = time_monotonic();

        for (size_t i = 0; i < t->count; i++) {
                struct token *k = &t->list[i];
                const char *more = str_after(k->scope, scope);
                if (more && (*more == '\0' || (*scope && *more == ',')) && k->value && k->expires > now)
                        return k;
        }
        return NULL;
}

static bool token_text_valid(const char *text)
{
        size_t len = text ? strlen(text) : 0;

        for (size_t i = 0; i < len; i++)
                if (text[i] <= ' ' || text[i] > '~')
                        return false;
        return len > 0 && len <= TOKEN_TEXT_MAX;
}

static int token_parse(struct token *k, const struct http_reply *reply, struct err *err)
{
        _cleanup_json_ json_t *document =
                json_parse(reply->body.data ? reply->body.data : "", reply->body.len, TOKEN_REPLY_MAX, "token", err);
        if (!document)
                return -1;
        const char *text = json_string_value(json_object_get(document, "token"));
        if (str_empty(text))
                text = json_string_value(json_object_get(document, "access_token"));
        if (!token_text_valid(text))
                return err_set(err, ERR_UNAUTHORIZED, "the server gave no usable token");
        json_int_t seconds = json_integer_value(json_object_get(document, "expires_in"));
        if (seconds < TOKEN_SECONDS)
                seconds = TOKEN_SECONDS;
        if (seconds > TOKEN_SECONDS_MAX)
                seconds = TOKEN_SECONDS_MAX;
        token_drop(k);
        k->value = xstrdup(text);
        /* A tenth early, so that none runs out on its way. */
        k->expires = time_monotonic() + seconds * INT64_C(900000000);
        return 0;
}

/* Appends one "scope" parameter for every scope of a space-separated list. */
static void scopes_add(char **url, const char *scopes)
{
        _cleanup_strv_ char **list = strv_split(scopes ? scopes : "", " ", false);

        STRV_FOREACH (scope, list) {
                char *longer = url_with(*url, "scope", *scope);
                free(*url);
                *url = longer;
        }
}

static char *token_url(const struct tokens *t, const struct token *k)
{
        char *url = t->service ? url_with(t->realm, "service", t->service) : xstrdup(t->realm);

        scopes_add(&url, k->scope);
        scopes_add(&url, k->wanted);
        if (t->credentials.username) {
                char *longer = url_with(url, "account", t->credentials.username);
                free(url);
                url = longer;
        }
        return url;
}

/* The OAuth2 form that trades an identity token for an access token. */
static char *token_form(const struct tokens *t, const struct token *k)
{
        _cleanup_free_ char *scopes = k->wanted ? xasprintf("%s %s", k->scope, k->wanted) : xstrdup(k->scope);
        _cleanup_secret_ char *a = url_with("", "grant_type", "refresh_token"),
                              *b = url_with(a, "client_id", CLIENT_ID),
                              *c = url_with(b, "service", t->service ? t->service : ""),
                              *d = url_with(c, "scope", scopes),
                              *e = url_with(d, "refresh_token", t->credentials.identity_token);
        return xstrdup(e + 1); /* without the "?" */
}

static bool tells(const struct err *err, const char *secret)
{
        return secret && strlen(secret) >= SECRET_LEAST && strstr(err->msg, secret);
}

static void redact_held(const struct tokens *t, struct err *err)
{
        bool found = tells(err, t->credentials.password) || tells(err, t->credentials.identity_token);

        for (size_t i = 0; i < t->count && !found; i++)
                found = tells(err, t->list[i].value);
        if (found)
                err_set(err, err->kind, "the registry refused, in words that repeat a secret");
}

static int token_ask(struct registry *r, const struct http_request *q, const char *url, const char *authorization,
                     struct token *k, struct err *err)
{
        for (unsigned tries = 0;;) {
                _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;
                int rc = http_follow(r, q, url, authorization, &reply, err);
                if (rc == 0 && reply.status == 200)
                        return token_parse(k, &reply, err);
                if (http_again(r, q, &reply, rc, &tries))
                        continue;
                if (rc < 0)
                        return -1;
                http_reply_error(&reply, err);
                redact_held(&r->tokens, err);
                return -1;
        }
}

static int token_fetch(struct registry *r, struct token *k, struct err *err)
{
        struct tokens *t = &r->tokens;
        char *form_type[] = { (char *)"Content-Type: application/x-www-form-urlencoded", NULL };
        _cleanup_secret_ char *form = NULL, *authorization = NULL;
        int rc;

        if (t->credentials.identity_token) {
                form = token_form(t, k);
                const struct http_request q = { .method = "POST",
                                                .headers = form_type,
                                                .body = form,
                                                .body_len = strlen(form),
                                                .reply_max = TOKEN_REPLY_MAX };
                rc = token_ask(r, &q, t->realm, NULL, k, err);
        } else {
                _cleanup_free_ char *url = token_url(t, k);
                const struct http_request q = { .method = "GET", .reply_max = TOKEN_REPLY_MAX };
                authorization = t->credentials.username ? basic_header(&t->credentials) : NULL;
                rc = token_ask(r, &q, url, authorization, k, err);
        }
        return rc;
}

int token_header(struct registry *r, const char *scope, char **ret, struct err *err)
{
        struct tokens *t = &r->tokens;
        _cleanup_unlock_ pthread_mutex_t *held = mutex_hold(&t->lock);

        if (t->scheme == AUTH_NONE)
                return 0;
        if (t->scheme == AUTH_BASIC) {
                *ret = basic_header(&t->credentials);
                return 0;
        }
        struct token *k = token_find(t, scope ? scope : "");
        if (!k) {
                k = token_entry(t, scope ? scope : "");
                if (token_fetch(r, k, err) < 0)
                        return -1;
        }
        *ret = xasprintf("Authorization: Bearer %s", k->value);
        return 0;
}

/* The token server must be as safe as the registry itself: https, unless that one already speaks HTTP. */
static int bearer_learn(struct registry *r, const struct challenge *c, const char *scope, const char *used,
                        struct err *err)
{
        struct tokens *t = &r->tokens;
        _cleanup_free_ char *realm = NULL;
        const char *sent = used ? str_after(used, "Authorization: Bearer ") : NULL;

        if (str_empty(c->realm))
                return err_set(err, ERR_UNAUTHORIZED, "the registry names no token server");
        if (url_resolve(NULL, c->realm, str_starts(r->base, "http:"), &realm, err) < 0)
                return err_add(err, "token server");
        t->scheme = AUTH_BEARER;
        str_replace(&t->realm, realm);
        str_replace(&t->service, c->service);
        struct token *k = token_entry(t, scope ? scope : "");
        bool more = c->scope && !str_eq(c->scope, k->scope) && !str_eq(c->scope, k->wanted);
        if (more)
                str_replace(&k->wanted, c->scope);
        for (size_t i = 0; i < t->count; i++)
                if (str_eq(t->list[i].value, sent) || (more && &t->list[i] == k))
                        token_drop(&t->list[i]);
        return 1;
}

int token_learn(struct registry *r, char *const *challenges, const char *scope, const char *used, struct err *err)
{
        struct tokens *t = &r->tokens;
        _cleanup_challenge_ struct challenge bearer = { 0 }, basic = { 0 };
        _cleanup_unlock_ pthread_mutex_t *held = mutex_hold(&t->lock);

        if (credentials_load(r, err) < 0)
                return -1;
        if (challenge_find(challenges, "Bearer", &bearer))
                return bearer_learn(r, &bearer, scope, used, err);
        if (!challenge_find(challenges, "Basic", &basic) || (used && str_starts(used, "Authorization: Basic ")))
                return 0;
        if (!t->credentials.username)
                return err_set(err, ERR_UNAUTHORIZED, "no basic auth credentials");
        t->scheme = AUTH_BASIC;
        return 1;
}

void token_redact(struct registry *r, struct err *err)
{
        _cleanup_unlock_ pthread_mutex_t *held = mutex_hold(&r->tokens.lock);
        redact_held(&r->tokens, err);
}

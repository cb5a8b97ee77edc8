#include "registry/url-internal.h"

#include <curl/curl.h>
#include <strings.h>
#include "base/mem.h"
#include "base/str.h"

#define URL_MAX 16384

DEFINE_CLEANUP(CURLU *, curl_url_cleanup)
static void curl_freep(char **s)
{
        curl_free(*s);
}
#define _cleanup_curl_ __attribute__((cleanup(curl_freep)))

static char *url_part(CURLU *u, CURLUPart part)
{
        char *text = NULL;
        return curl_url_get(u, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) == CURLUE_OK ? text : NULL;
}

static CURLU *url_parse(const char *url)
{
        CURLU *u = curl_url();

        if (u && curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK) {
                curl_url_cleanup(u);
                u = NULL;
        }
        return u;
}

int url_resolve(const char *base, const char *location, bool allow_http, char **ret, struct err *err)
{
        _cleanup_(curl_url_cleanupp) CURLU *u = curl_url();
        _cleanup_curl_ char *scheme = NULL, *user = NULL, *whole = NULL;

        if (!u || strlen(location) > URL_MAX || (base && curl_url_set(u, CURLUPART_URL, base, 0) != CURLUE_OK) ||
            curl_url_set(u, CURLUPART_URL, location, 0) != CURLUE_OK)
                return err_set(err, ERR_INVALID, "the registry names a malformed URL");
        curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
        scheme = url_part(u, CURLUPART_SCHEME);
        user = url_part(u, CURLUPART_USER);
        if (user)
                return err_set(err, ERR_INVALID, "the registry names a URL with a user in it");
        if (!str_eq(scheme, "https") && !(allow_http && str_eq(scheme, "http")))
                return err_set(err, ERR_DENIED, "the registry names a URL that is not https (%.32s)",
                               scheme ? scheme : "");
        whole = url_part(u, CURLUPART_URL);
        if (!whole)
                return err_set(err, ERR_INVALID, "the registry names a malformed URL");
        *ret = xstrdup(whole);
        return 0;
}

bool url_same_origin(const char *a, const char *b)
{
        static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT };
        _cleanup_(curl_url_cleanupp) CURLU *ua = url_parse(a), *ub = url_parse(b);

        for (size_t i = 0; ua && ub && i < ELEMENTS(parts); i++) {
                _cleanup_curl_ char *pa = url_part(ua, parts[i]), *pb = url_part(ub, parts[i]);
                if (!pa || !pb || strcasecmp(pa, pb) != 0)
                        return false;
        }
        return ua && ub;
}

char *url_shown(const char *url)
{
        return xstrndup(url, strcspn(url, "?#"));
}

char *url_with(const char *url, const char *key, const char *value)
{
        _cleanup_curl_ char *escaped = curl_easy_escape(NULL, value, 0);
        return xasprintf("%s%c%s=%s", url, strchr(url, '?') ? '&' : '?', key, escaped ? escaped : "");
}

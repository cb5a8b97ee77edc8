#include <ctype.h>
#include <strings.h>
#include "base/json.h"
#include "base/str.h"
#include "oci/reference.h"
#include "registry/client.h"
#include "registry/http-internal.h"
#include "registry/names-internal.h"
#include "registry/url-internal.h"

#define PAGE_MAX ((size_t)16 << 20)
#define PAGES_MAX 10000
#define PAGE_ENTRIES 1000

struct listing {
        const char *member; /* of the document: "tags" */
        const char *what; /* for messages */
        bool (*valid)(const char *name);
        size_t max;
        char **names;
        size_t count;
};

/* Target of rel="next" in a Link header (RFC 8288); heap or NULL. */
static char *link_next(const char *link)
{
        const char *open = link ? strchr(link, '<') : NULL, *close = open ? strchr(open, '>') : NULL;

        if (!close || !strcasestr(close, "rel=\"next\""))
                return NULL;
        return xstrndup(open + 1, (size_t)(close - open - 1));
}

/* Names come from outside and go to terminals and paths: only well-formed ones are taken. */
static int page_take(struct listing *l, const struct http_reply *reply, struct err *err)
{
        struct jpath path = JPATH(l->what);
        json_t *list = NULL;
        const json_t *name;
        size_t i;
        _cleanup_json_ json_t *document =
                json_parse(reply->body.data ? reply->body.data : "", reply->body.len, PAGE_MAX, l->what, err);

        if (!document || json_get_array(document, &path, l->member, false, &list, err) < 0)
                return -1;
        json_array_foreach (list, i, name) {
                const char *text = json_string_value(name);
                if (l->count >= l->max)
                        return 0;
                if (text && l->valid(text)) {
                        l->names = xreallocarray(l->names, l->count + 2, sizeof(*l->names));
                        l->names[l->count++] = xstrdup(text);
                        l->names[l->count] = NULL;
                }
        }
        return 0;
}

/* One page; *ret_next (heap) is where the next one is, NULL at the end. */
static int page_get(struct registry *r, struct listing *l, const char *url, const char *scope, char **ret_next,
                    struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;
        _cleanup_free_ char *link = NULL;
        const struct http_request q = { .method = "GET", .url = url, .scope = scope, .reply_max = PAGE_MAX };

        if (http_demand(r, &q, &reply, err) < 0 || page_take(l, &reply, err) < 0)
                return -1;
        link = link_next(reply.link);
        if (!link || l->count >= l->max)
                return 0;
        if (url_resolve(reply.url, link, str_starts(r->base, "http:"), ret_next, err) < 0)
                return -1;
        if (!url_same_origin(r->base, *ret_next) || str_eq(*ret_next, url)) {
                free(TAKE_PTR(*ret_next));
                return err_set(err, ERR_CORRUPT, "the registry's next page is no page of this list");
        }
        return 0;
}

static int listing_run(struct registry *r, struct listing *l, const char *first, const char *scope, struct err *err)
{
        _cleanup_free_ char *url = xstrdup(first);

        for (unsigned pages = 0; url; pages++) {
                char *next = NULL;
                if (pages >= PAGES_MAX)
                        return err_set(err, ERR_TOO_LARGE, "%s: more than %d pages", l->what, PAGES_MAX);
                if (page_get(r, l, url, scope, &next, err) < 0)
                        return -1;
                free(url);
                url = next;
        }
        return 0;
}

static int listing_get(struct registry *r, struct listing *l, const char *first, const char *scope, char ***ret,
                       struct err *err)
{
        l->names = xcalloc(1, sizeof(*l->names));
        if (listing_run(r, l, first, scope, err) < 0) {
                strv_free(l->names);
                return -1;
        }
        *ret = l->names;
        return 0;
}

int registry_tags(struct registry *r, const char *path, size_t max, char ***ret, struct err *err)
{
        struct listing l = { .member = "tags", .what = "tags", .valid = reference_tag_valid, .max = max };

        if (registry_names_check(path, NULL, err) < 0)
                return -1;
        _cleanup_free_ char *scope = xasprintf("repository:%s:pull", path);
        _cleanup_free_ char *url = xasprintf("/v2/%s/tags/list?n=%d", path, PAGE_ENTRIES);
        return listing_get(r, &l, url, scope, ret, err) < 0 ? err_add(err, "tags of %s/%s", r->domain, path) : 0;
}

int registry_catalog(struct registry *r, size_t max, char ***ret, struct err *err)
{
        struct listing l = { .member = "repositories", .what = "catalog", .valid = repository_name_valid, .max = max };
        _cleanup_free_ char *url = xasprintf("/v2/_catalog?n=%d", PAGE_ENTRIES);

        return listing_get(r, &l, url, "registry:catalog:*", ret, err) < 0 ? err_add(err, "catalog of %s", r->domain)
                                                                           : 0;
}

int registry_ping(struct registry *r, struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;
        const struct http_request q = { .method = "GET", .url = "/v2/" };

        return http_demand(r, &q, &reply, err);
}

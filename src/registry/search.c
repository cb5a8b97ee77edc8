#include <strings.h>
#include "base/json.h"
#include "base/str.h"
#include "registry/client.h"
#include "registry/http-internal.h"
#include "registry/url-internal.h"

#define SEARCH_REPLY_MAX ((size_t)4 << 20)
#define CATALOG_LOOK 100000 /* names looked through where the registry has no search */

void search_results_free(struct search_result *results, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                free(results[i].name);
                free(results[i].description);
        }
        free(results);
}

/* Text that will stand on a terminal: control characters become blanks. */
static char *text_shown(const json_t *text)
{
        char *s = xstrdup(json_string_value(text) ? json_string_value(text) : "");

        for (char *c = s; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                        *c = ' ';
        return s;
}

static int results_take(const struct http_reply *reply, size_t max, struct search_result **ret, size_t *ret_count,
                        struct err *err)
{
        struct jpath path = JPATH("search");
        json_t *list = NULL;
        const json_t *one;
        size_t i, count = 0;
        _cleanup_json_ json_t *document =
                json_parse(reply->body.data ? reply->body.data : "", reply->body.len, SEARCH_REPLY_MAX, "search", err);

        if (!document || json_get_array(document, &path, "results", true, &list, err) < 0)
                return -1;
        size_t room = json_array_size(list) < max ? json_array_size(list) : max;
        struct search_result *results = xcalloc(room + 1, sizeof(*results));
        json_array_foreach (list, i, one) {
                if (count >= room)
                        break;
                if (!json_is_object(one) || !json_string_value(json_object_get(one, "name")))
                        continue;
                results[count++] = (struct search_result){
                        .name = text_shown(json_object_get(one, "name")),
                        .description = text_shown(json_object_get(one, "description")),
                        .stars = json_integer_value(json_object_get(one, "star_count")),
                        .official = json_is_true(json_object_get(one, "is_official")),
                        .automated = json_is_true(json_object_get(one, "is_automated")),
                };
        }
        *ret = results;
        *ret_count = count;
        return 0;
}

static int catalog_search(struct registry *r, const char *term, size_t max, struct search_result **ret,
                          size_t *ret_count, struct err *err)
{
        _cleanup_strv_ char **names = NULL;
        size_t count = 0;

        if (registry_catalog(r, CATALOG_LOOK, &names, err) < 0)
                return -1;
        size_t room = strv_len(names) < max ? strv_len(names) : max;
        struct search_result *results = xcalloc(room + 1, sizeof(*results));
        STRV_FOREACH (name, names)
                if (count < room && strcasestr(*name, term))
                        results[count++] = (struct search_result){ .name = xstrdup(*name), .description = xstrdup("") };
        *ret = results;
        *ret_count = count;
        return 0;
}

int registry_search(struct registry *r, const char *term, size_t max, struct search_result **ret, size_t *ret_count,
                    struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;
        /* Docker's index is another host than its registry. */
        bool hub = str_eq(r->domain, "docker.io");
        _cleanup_free_ char *where = url_with(hub ? "https://index.docker.io/v1/search" : "/v1/search", "q", term);
        _cleanup_free_ char *url = xasprintf("%s&n=%zu", where, max < 100 ? max : 100);
        const struct http_request q = { .method = "GET", .url = url, .reply_max = SEARCH_REPLY_MAX };

        if (http_exchange(r, &q, &reply, err) < 0)
                return err_add(err, "search %s", r->domain);
        if (reply.status == 200)
                return results_take(&reply, max, ret, ret_count, err) < 0 ? err_add(err, "search %s", r->domain) : 0;
        if (hub)
                return http_reply_error(&reply, err) < 0 ? err_add(err, "search %s", r->domain) : 0;
        return catalog_search(r, term, max, ret, ret_count, err);
}

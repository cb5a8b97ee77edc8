#include "registry/route-internal.h"

#include <string.h>
#include "base/digest.h"
#include "base/str.h"
#include "registry/names-internal.h"

enum noun {
        NOUN_ROOT,
        NOUN_BASE,
        NOUN_CATALOG,
        NOUN_TAGS,
        NOUN_REFERRERS,
        NOUN_MANIFEST,
        NOUN_BLOB,
        NOUN_UPLOADS,
        NOUN_UPLOAD,
        NOUN_NONE
};

/* HEAD is GET without its body, which microhttpd leaves out by itself. */
static const struct route routes[] = {
        { NOUN_ROOT, "GET", .end = base_get },
        { NOUN_BASE, "GET", .end = base_get },
        { NOUN_CATALOG, "GET", .end = catalog_get },
        { NOUN_TAGS, "GET", .end = tags_get },
        { NOUN_REFERRERS, "GET", .end = referrers_get },
        { NOUN_MANIFEST, "GET", .end = manifest_get },
        { NOUN_MANIFEST, "PUT", true, .begin = manifest_put_begin, .data = manifest_put_data, .end = manifest_put_end },
        { NOUN_MANIFEST, "DELETE", true, true, .end = manifest_delete },
        { NOUN_BLOB, "GET", .end = blob_get },
        { NOUN_BLOB, "DELETE", true, true, .end = blob_delete },
        { NOUN_UPLOADS, "POST", true, .begin = uploads_post_begin, .data = upload_body_data, .end = uploads_post_end },
        { NOUN_UPLOAD, "GET", true, .end = upload_get },
        { NOUN_UPLOAD, "PATCH", true, .begin = upload_body_begin, .data = upload_body_data, .end = upload_patch_end },
        { NOUN_UPLOAD, "PUT", true, .begin = upload_body_begin, .data = upload_body_data, .end = upload_put_end },
        { NOUN_UPLOAD, "DELETE", true, .end = upload_delete },
};

/* Paths are read from their end, because a name may hold components that look like nouns. */
static const struct pattern {
        enum noun noun;
        const char *infix; /* after the name */
        bool reference; /* something follows it */
} patterns[] = {
        { NOUN_TAGS, "/tags/list", false },        { NOUN_UPLOADS, "/blobs/uploads/", false },
        { NOUN_UPLOADS, "/blobs/uploads", false }, { NOUN_UPLOAD, "/blobs/uploads/", true },
        { NOUN_MANIFEST, "/manifests/", true },    { NOUN_BLOB, "/blobs/", true },
        { NOUN_REFERRERS, "/referrers/", true },
};

/* Splits "name<infix>reference"; both on the heap. */
static bool pattern_match(const struct pattern *p, const char *rest, char **ret_name, char **ret_reference)
{
        size_t len = strlen(rest), infix = strlen(p->infix);
        const char *slash = strrchr(rest, '/');
        size_t tail = p->reference && slash ? strlen(slash + 1) : 0;

        if (len < infix + tail || (p->reference && tail == 0) ||
            strncmp(rest + len - tail - infix, p->infix, infix) != 0)
                return false;
        *ret_name = xstrndup(rest, len - tail - infix);
        *ret_reference = p->reference ? xstrdup(slash + 1) : NULL;
        return true;
}

static enum noun path_noun(struct call *c, const char *path)
{
        if (str_eq(path, "/"))
                return NOUN_ROOT;
        if (str_eq(path, "/v2/") || str_eq(path, "/v2"))
                return NOUN_BASE;
        if (str_eq(path, "/v2/_catalog"))
                return NOUN_CATALOG;
        const char *rest = str_after(path, "/v2/");
        for (size_t i = 0; rest && i < ELEMENTS(patterns); i++)
                if (pattern_match(&patterns[i], rest, &c->repository, &c->reference))
                        return patterns[i].noun;
        return NOUN_NONE;
}

static bool id_valid(const char *id)
{
        return str_only(id, "0123456789abcdef") && strlen(id) == 32;
}

static void names_check(struct call *c, enum noun noun)
{
        if (c->repository && !repository_name_valid(c->repository))
                answer_error(c, 400, "NAME_INVALID", "invalid repository name");
        else if ((noun == NOUN_BLOB || noun == NOUN_REFERRERS) && !digest_valid(c->reference))
                answer_error(c, 400, "DIGEST_INVALID", "provided digest is malformed");
        else if (noun == NOUN_MANIFEST && !manifest_reference_valid(c->reference))
                answer_error(c, strchr(c->reference, ':') ? 400 : 404,
                             strchr(c->reference, ':') ? "DIGEST_INVALID" : "MANIFEST_UNKNOWN",
                             "malformed tag or digest");
        else if (noun == NOUN_UPLOAD && !id_valid(c->reference))
                answer_error(c, 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
}

static void refuse_by_policy(struct call *c)
{
        const struct registry_server_options *o = c->service->options;

        if (c->route->writes && o->read_only)
                answer_error(c, 405, "UNSUPPORTED", "the registry is read-only");
        else if (c->route->deletes && !o->allow_delete)
                answer_error(c, 405, "UNSUPPORTED", "deleting is not allowed here");
}

void route_find(struct call *c, const char *path)
{
        const char *method = str_eq(c->method, "HEAD") ? "GET" : c->method;
        enum noun noun = path_noun(c, path);

        if (noun == NOUN_NONE) {
                answer_error(c, 404, "UNSUPPORTED", "no such endpoint");
                return;
        }
        for (size_t i = 0; i < ELEMENTS(routes); i++)
                if (routes[i].noun == (int)noun && str_eq(routes[i].method, method))
                        c->route = &routes[i];
        if (!c->route) {
                answer_error(c, 405, "UNSUPPORTED", "the operation is unsupported");
                return;
        }
        names_check(c, noun);
        refuse_by_policy(c);
}

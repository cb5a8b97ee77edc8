#include "base/str.h"
#include "registry/route-internal.h"

void base_get(struct call *c)
{
        char *text = xstrdup("{}");
        answer_text(c, 200, "application/json", text, 2);
}

void tags_get(struct call *c)
{
        _cleanup_strv_ char **tags = NULL;
        struct err err = ERR_INIT;
        const char *last;
        size_t n;

        if (!call_page(c, &n, &last))
                return;
        if (!repository_exists(&c->service->store, c->repository)) {
                answer_error(c, 404, "NAME_UNKNOWN", "repository name not known to registry");
                return;
        }
        if (repository_entries(&c->service->store, c->repository, "_tags", &tags, &err) < 0) {
                answer_failure(c, &err, "NAME_UNKNOWN");
                return;
        }
        _cleanup_free_ char *path = xasprintf("/v2/%s/tags/list", c->repository);
        _cleanup_free_ char *prefix = xasprintf("\"name\":\"%s\",", c->repository);
        answer_page(c, prefix, "tags", tags, n, last, path);
}

void catalog_get(struct call *c)
{
        _cleanup_strv_ char **names = NULL;
        struct err err = ERR_INIT;
        const char *last;
        size_t n;

        if (!call_page(c, &n, &last))
                return;
        if (repositories_list(&c->service->store, false, &names, &err) < 0)
                answer_failure(c, &err, "UNKNOWN");
        else
                answer_page(c, "", "repositories", names, n, last, "/v2/_catalog");
}

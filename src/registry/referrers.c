#include <string.h>
#include "base/json.h"
#include "base/str.h"
#include "oci/image.h"
#include "registry/route-internal.h"

#define DESCRIPTOR_MAX ((size_t)1 << 20)
#define REFERRERS_MAX ((size_t)4 << 20) /* bytes of the list: what clients take of any index */

static bool artifact_wanted(const char *descriptor, size_t len, const char *artifact_type)
{
        struct err ignored = ERR_INIT;
        _cleanup_json_ json_t *d =
                artifact_type ? json_parse(descriptor, len, DESCRIPTOR_MAX, "descriptor", &ignored) : NULL;

        return !artifact_type || str_eq(json_string_value(json_object_get(d, "artifactType")), artifact_type);
}

/* Appends one stored descriptor. 1: it would go beyond the list's limit. */
static int referrer_add(struct call *c, const char *folder, const char *entry, const char *artifact_type,
                        struct buf *list, struct err *err)
{
        _cleanup_buf_ struct buf text = { 0 };

        if (entry_get(&c->service->store, c->repository, folder, entry, &text, err) < 0) {
                if (err->kind != ERR_NOT_FOUND)
                        return -1;
                err_clear(err); /* removed while we look */
                return 0;
        }
        if (!artifact_wanted(text.data ? text.data : "", text.len, artifact_type))
                return 0;
        if (list->len + text.len + 4 > REFERRERS_MAX)
                return 1;
        bool first = list->data[list->len - 1] == '[';
        return buf_addf(list, err, "%s%s", first ? "" : ",", text.data);
}

void referrers_get(struct call *c)
{
        _cleanup_free_ char *folder = xasprintf("_referrers/%s", digest_hex(c->reference)), *more = NULL;
        _cleanup_strv_ char **entries = NULL;
        _cleanup_buf_ struct buf list = { 0 };
        const char *artifact_type = call_query(c, "artifactType"), *last = call_query(c, "last"), *given = NULL;
        struct err err = ERR_INIT;
        int rc = repository_entries(&c->service->store, c->repository, folder, &entries, &err);

        if (rc == 0)
                rc = buf_adds(&list, "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[",
                              &err);
        for (char **e = entries; rc == 0 && e && *e; e++) {
                if (last && strcmp(*e, last) <= 0)
                        continue;
                rc = referrer_add(c, folder, *e, artifact_type, &list, &err);
                if (rc == 0)
                        given = *e;
        }
        if (rc > 0 && given)
                more = xasprintf("</v2/%s/referrers/%s?last=%s>; rel=\"next\"", c->repository, c->reference, given);
        if (rc < 0 || buf_adds(&list, "]}", &err) < 0) {
                answer_failure(c, &err, "UNKNOWN");
                return;
        }
        size_t len = list.len;
        answer_text(c, 200, MEDIA_OCI_INDEX, buf_take(&list), len);
        /* A filter would have to be repeated in the link: without it the client filters what follows. */
        if (artifact_type && !more)
                answer_header(c, "OCI-Filters-Applied", "artifactType");
        if (more)
                answer_header(c, "Link", "%s", more);
}

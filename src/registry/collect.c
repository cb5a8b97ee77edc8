#include <string.h>
#include "base/str.h"
#include "base/timefmt.h"
#include "oci/image.h"
#include "registry/document-internal.h"
#include "registry/server.h"
#include "registry/sessions-internal.h"
#include "registry/store-internal.h"

/* Beside a running server a push may lie between its blobs and its manifest: what was used this lately stays. */
#define GRACE (INT64_C(3600) * 1000000000)

struct collection {
        struct store *store;
        char **reached; /* sorted once all are in */
        size_t count, cap;
        int64_t before; /* newer blobs stay */
        bool dry_run;
        uint64_t bytes;
        unsigned blobs;
};

static void digest_reach(void *data, const char *digest)
{
        struct collection *k = data;

        if (k->count == k->cap)
                k->reached = xreallocarray(k->reached, k->cap = k->cap ? k->cap * 2 : 1024, sizeof(*k->reached));
        k->reached[k->count++] = xstrdup(digest);
}

static int digest_compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_reached(const struct collection *k, const char *digest)
{
        return k->count > 0 && bsearch(&digest, k->reached, k->count, sizeof(*k->reached), digest_compare);
}

/* What cannot be read may name anything: then nothing is removed. One whose bytes are gone names nothing. */
static int manifest_mark(struct collection *k, const char *repository, const char *hex, struct err *err)
{
        _cleanup_buf_ struct buf type = { 0 }, body = BUF_INIT(IMAGE_DOCUMENT_MAX);
        _cleanup_json_ json_t *document = NULL;
        char digest[DIGEST_SIZE];

        if (!digest_from_hex(hex, digest) || !blob_exists(k->store->blobs, digest, NULL))
                return 0;
        digest_reach(k, digest);
        if (entry_get(k->store, repository, "_manifests", hex, &type, err) < 0 ||
            blob_read(k->store->blobs, digest, IMAGE_DOCUMENT_MAX, &body, err) < 0 ||
            document_parse(&body, type.data, &document, err) < 0)
                return err_add(err, "manifest %s of %s cannot be read, nothing was removed", digest, repository);
        document_digests(document, digest_reach, k);
        return 0;
}

static int mark(struct collection *k, char *const *repositories, struct err *err)
{
        STRV_FOREACH (name, repositories) {
                _cleanup_strv_ char **manifests = NULL;
                if (repository_entries(k->store, *name, "_manifests", &manifests, err) < 0)
                        return -1;
                STRV_FOREACH (hex, manifests)
                        if (manifest_mark(k, *name, *hex, err) < 0)
                                return -1;
        }
        if (k->count > 0)
                qsort(k->reached, k->count, sizeof(*k->reached), digest_compare);
        return 0;
}

static int blob_sweep(void *data, const char *digest, uint64_t size, int64_t mtime, struct err *err)
{
        struct collection *k = data;

        if (is_reached(k, digest) || mtime > k->before)
                return 0;
        if (!k->dry_run && blob_remove(k->store->blobs, digest, err) < 0)
                return -1;
        k->bytes += size;
        k->blobs++;
        return 0;
}

/* A repository must not claim what is gone: were those bytes pushed elsewhere, it would give them away. */
static int layers_sweep(struct collection *k, char *const *repositories, struct err *err)
{
        STRV_FOREACH (name, repositories) {
                _cleanup_strv_ char **layers = NULL;
                if (repository_entries(k->store, *name, "_layers", &layers, err) < 0)
                        return -1;
                STRV_FOREACH (hex, layers) {
                        char digest[DIGEST_SIZE];
                        if (digest_from_hex(*hex, digest) && !blob_exists(k->store->blobs, digest, NULL) &&
                            entry_remove(k->store, *name, "_layers", *hex, err) < 0)
                                return -1;
                }
        }
        return 0;
}

static int collect(struct collection *k, struct err *err)
{
        _cleanup_strv_ char **repositories = NULL;
        struct err busy = ERR_INIT;
        _cleanup_close_ int alone = store_serving_lock(k->store, true, false, &busy);
        _cleanup_close_ int lock = store_lock(k->store, true, err);

        if (lock < 0 || repositories_list(k->store, true, &repositories, err) < 0)
                return -1;
        k->before = alone >= 0 ? INT64_MAX : time_now() - GRACE;
        if (mark(k, repositories, err) < 0 || blobs_walk(k->store->blobs, blob_sweep, k, err) < 0)
                return -1;
        if (k->dry_run)
                return 0;
        return layers_sweep(k, repositories, err) < 0 ? -1 : uploads_sweep(k->store, err);
}

int registry_server_collect(const char *root, bool dry_run, uint64_t *ret_bytes, unsigned *ret_blobs, struct err *err)
{
        _cleanup_(store_done) struct store store = { .root_fd = -1 };
        struct collection k = { .store = &store, .dry_run = dry_run };
        int rc = store_open(root, &store, err);

        if (rc == 0)
                rc = collect(&k, err);
        for (size_t i = 0; i < k.count; i++)
                free(k.reached[i]);
        free(k.reached);
        if (rc < 0)
                return err_add(err, "collect %s", root);
        if (ret_bytes)
                *ret_bytes = k.bytes;
        if (ret_blobs)
                *ret_blobs = k.blobs;
        return 0;
}

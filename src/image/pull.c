/* docker pull: manifest (through an index to our platform), configuration, layers, record. */
#include "base/log.h"
#include "image/bring-internal.h"
#include "image/images-internal.h"
#include "image/transfer.h"

#define INDEX_DEPTH_MAX 4
#define TAGS_MAX 10000

struct pull {
        struct db *db;
        struct storage *st;
        const struct transfer_options *o;
        struct registry *registry;
        struct progress *progress;
        const struct reference *name;
        struct platform platform;
};

struct document {
        struct buf body;
        char *media_type;
        char digest[DIGEST_SIZE];
};

static void document_done(struct document *d)
{
        buf_done(&d->body);
        free(d->media_type);
}
#define _cleanup_document_ _cleanup_(document_done)

/* A registry may call a manifest anything: what it is called counts only where it is a name we know. */
static int document_type(struct document *d, struct err *err)
{
        if (d->media_type && (media_is_index(d->media_type) || media_is_manifest(d->media_type)))
                return 0;
        if (d->media_type && strstr(d->media_type, "manifest.v1+"))
                return err_set(err, ERR_UNSUPPORTED,
                               "manifest of schema 1 (%s): such images must be pushed again by a newer client",
                               d->media_type);
        const char *type = image_document_type(d->body.data ? d->body.data : "", d->body.len);
        if (!type)
                return err_set(err, ERR_INVALID, "unsupported media type %s", d->media_type ? d->media_type : "(none)");
        str_replace(&d->media_type, type);
        return 0;
}

/* From the store when it is there: bytes of a digest never change. */
static bool document_local(struct pull *p, const char *digest, struct document *d)
{
        struct err ignored = ERR_INIT;
        if (!blob_exists(p->st->blobs, digest, NULL) ||
            blob_read(p->st->blobs, digest, IMAGE_DOCUMENT_MAX, &d->body, &ignored) < 0)
                return false;
        snprintf(d->digest, sizeof(d->digest), "%s", digest);
        return document_type(d, &ignored) == 0;
}

/* A tag we have already may still mean the same: asking costs less than fetching, and is not rationed by registries. */
static bool tag_unchanged(struct pull *p, const char *reference, struct document *d)
{
        _cleanup_free_ char *key = reference_name_key(p->name), *target = NULL, *manifest = NULL;
        struct err ignored = ERR_INIT;
        char digest[DIGEST_SIZE];
        bool exists = false;
        if (!key || name_lookup(p->db, key, &target, &manifest, &ignored) <= 0)
                return false;
        if (registry_manifest_exists(p->registry, p->name->path, reference, &exists, digest, &ignored) < 0 || !exists)
                return false;
        return str_eq(digest, target) && document_local(p, digest, d);
}

static int document_get(struct pull *p, const char *reference, struct document *d, struct err *err)
{
        if (digest_valid(reference) ? document_local(p, reference, d) : tag_unchanged(p, reference, d))
                return 0;
        buf_reset(&d->body);
        if (registry_manifest_get(p->registry, p->name->path, reference, &d->body, &d->media_type, d->digest, err) <
                    0 ||
            document_type(d, err) < 0)
                return -1;
        return blob_put(p->st->blobs, d->body.data ? d->body.data : "", d->body.len, d->digest, err);
}

static int choose(struct pull *p, const struct document *index, struct document *ret, struct err *err)
{
        _cleanup_image_index_ struct image_index x = { 0 };
        if (image_index_parse(index->body.data ? index->body.data : "", index->body.len, index->media_type, &x, err) <
            0)
                return -1;
        const struct descriptor *chosen = image_index_choose(&x, &p->platform);
        if (!chosen) {
                _cleanup_free_ char *wanted = platform_format(&p->platform);
                return err_set(err, ERR_NOT_FOUND, "no matching manifest for %s in the manifest list entries", wanted);
        }
        if (document_get(p, chosen->digest, ret, err) < 0)
                return -1;
        if ((uint64_t)chosen->size != ret->body.len)
                return err_set(err, ERR_CORRUPT, "manifest %s has %zu bytes where the index says %lld", chosen->digest,
                               ret->body.len, (long long)chosen->size);
        return 0;
}

/* *d becomes the manifest; index gets the digest of the outermost index, or stays empty. */
static int manifest_get(struct pull *p, const char *reference, struct document *d, char index[DIGEST_SIZE],
                        struct err *err)
{
        if (document_get(p, reference, d, err) < 0)
                return -1;
        for (unsigned depth = 0; media_is_index(d->media_type); depth++) {
                struct document next = { .body = BUF_INIT(IMAGE_DOCUMENT_MAX) };
                if (depth == INDEX_DEPTH_MAX)
                        return err_set(err, ERR_INVALID, "indexes are nested more than %d deep", INDEX_DEPTH_MAX);
                if (depth == 0)
                        snprintf(index, DIGEST_SIZE, "%s", d->digest);
                if (choose(p, d, &next, err) < 0) {
                        document_done(&next);
                        return -1;
                }
                document_done(d);
                *d = next;
        }
        return 0;
}

static int fetch_blob(void *data, const struct descriptor *blob, uint64_t offset, const struct blob_sink *sink,
                      struct err *err)
{
        struct pull *p = data;
        return registry_blob_get(p->registry, p->name->path, blob->digest, offset, (uint64_t)blob->size, sink, err);
}

static int config_get(struct pull *p, const struct bring *b, const struct manifest *m, struct image_config *ret,
                      struct err *err)
{
        if (!str_eq(m->config.media_type, MEDIA_OCI_CONFIG) && !str_eq(m->config.media_type, MEDIA_DOCKER_CONFIG))
                return err_set(err, ERR_INVALID, "not an image: its configuration is %s", m->config.media_type);
        const struct image at = { .id = m->config.digest };
        if (bring_document(b, &m->config, err) < 0 || image_read_config(p->st, &at, ret, err) < 0)
                return -1;
        if (strv_len(ret->diff_ids) != m->layer_count)
                return err_set(err, ERR_CORRUPT, "the manifest has %zu layers and the configuration %zu diff ids",
                               m->layer_count, strv_len(ret->diff_ids));
        if (p->o->platform && platform_match(&p->platform, &ret->platform) == 0) {
                _cleanup_free_ char *wanted = platform_format(&p->platform), *actual = platform_format(&ret->platform);
                return err_set(err, ERR_NOT_FOUND,
                               "image was found but does not match the specified platform: wanted %s, actual: %s",
                               wanted, actual);
        }
        return 0;
}

static int content_get(struct pull *p, const struct document *d, struct err *err)
{
        _cleanup_manifest_ struct manifest m = { 0 };
        _cleanup_image_config_ struct image_config config = { 0 };
        if (manifest_parse(d->body.data ? d->body.data : "", d->body.len, d->media_type, &m, err) < 0)
                return -1;
        struct bring b = { .st = p->st,
                           .layers = m.layers,
                           .count = m.layer_count,
                           .parallel = p->o->parallel,
                           .limits = &p->o->limits,
                           .progress = p->progress,
                           .fetch = fetch_blob,
                           .data = p };
        if (config_get(p, &b, &m, &config, err) < 0)
                return -1;
        _cleanup_strv_ char **chain = image_chain_ids(config.diff_ids);
        b.diff_ids = config.diff_ids;
        b.chain = chain;
        return bring_layers(&b, err);
}

/* Does this name stand for exactly this content already? */
static bool is_current(struct pull *p, const char *target, const char *manifest)
{
        struct reference shown = *p->name;
        _cleanup_free_ char *text = reference_familiar(&shown), *key = reference_name_key(p->name);
        _cleanup_free_ char *had_target = NULL, *had_manifest = NULL;
        _cleanup_image_ struct image i = { 0 }, same = { 0 };
        struct err ignored = ERR_INIT;
        if (image_find_brief(p->db, text, &i, &ignored) < 0)
                return false;
        if (!key)
                return str_eq(i.manifest, manifest);
        return name_lookup(p->db, key, &had_target, &had_manifest, &ignored) > 0 && str_eq(had_target, target) &&
               image_by_manifest(p->db, manifest, &same, &ignored) == 0;
}

static int pull_one(struct pull *p, struct image *ret, struct err *err)
{
        _cleanup_document_ struct document d = { .body = BUF_INIT(IMAGE_DOCUMENT_MAX) };
        const char *what = p->name->digest ? p->name->digest : p->name->tag;
        char index[DIGEST_SIZE] = "";
        progress_line(p->progress, "%s: Pulling from %s", what, p->name->path);
        if (manifest_get(p, what, &d, index, err) < 0)
                return -1;
        const char *target = *index ? index : d.digest;
        bool current = is_current(p, target, d.digest);
        if (content_get(p, &d, err) < 0)
                return -1;
        struct image_record record = { .manifest = d.digest,
                                       .media_type = d.media_type,
                                       .name = p->name,
                                       .index = *index ? index : NULL,
                                       .digest_known = true };
        if (image_record(p->db, p->st, &record, ret, err) < 0)
                return -1;
        _cleanup_free_ char *familiar = reference_familiar(p->name);
        image_tell(p->db, "pull", familiar, familiar);
        progress_line(p->progress, "Digest: %s", target);
        progress_line(p->progress, "Status: %s for %s", current ? "Image is up to date" : "Downloaded newer image",
                      familiar);
        return 0;
}

static int pull_all_tags(struct pull *p, struct image *ret, struct err *err)
{
        _cleanup_strv_ char **tags = NULL;
        const struct reference *base = p->name;
        if (registry_tags(p->registry, base->path, TAGS_MAX, &tags, err) < 0)
                return -1;
        if (!tags)
                return err_set(err, ERR_NOT_FOUND, "repository %s has no tags", base->path);
        STRV_FOREACH (tag, tags) {
                struct reference one = { .domain = base->domain, .path = base->path, .tag = *tag };
                _cleanup_image_ struct image i = { 0 };
                p->name = &one;
                int r = reference_tag_valid(*tag) ? pull_one(p, &i, err)
                                                  : err_set(err, ERR_INVALID, "invalid tag %s", *tag);
                p->name = base;
                if (r < 0)
                        return err_add(err, "tag %s", *tag);
                image_done(ret);
                *ret = i;
                i = (struct image){ 0 };
        }
        return 0;
}

int image_pull(struct db *db, struct storage *st, const struct reference *name, const struct transfer_options *o,
               struct image *ret, struct err *err)
{
        struct progress progress = PROGRESS_INIT(o->progress);
        _cleanup_(registry_closep) struct registry *registry = NULL;
        _cleanup_platform_ struct platform host = { 0 };
        _cleanup_free_ char *familiar = reference_familiar(name);
        struct registry_options options = o->registry;
        options.domain = name->domain;
        if (!o->platform)
                platform_host(&host);
        _cleanup_close_ int lock = storage_lock(st, false, true, err);
        if (lock < 0 || registry_open(&options, &registry, err) < 0)
                return err_add(err, "pull %s", familiar);
        struct pull p = { .db = db,
                          .st = st,
                          .o = o,
                          .registry = registry,
                          .progress = &progress,
                          .name = name,
                          .platform = o->platform ? *o->platform : host };
        _cleanup_image_ struct image i = { 0 };
        if ((o->all_tags ? pull_all_tags(&p, &i, err) : pull_one(&p, &i, err)) < 0)
                return err_add(err, "pull %s", familiar);
        *ret = i;
        i = (struct image){ 0 };
        return 0;
}

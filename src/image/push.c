/* docker push: what a name points at, byte for byte. Blobs first, several at once, then manifests, the named one last. */
#include <stdatomic.h>
#include "image/images-internal.h"
#include "image/progress-internal.h"
#include "image/transfer.h"

#define PARALLEL_DEFAULT 3
#define PARALLEL_MAX 32

struct push_blob {
        char *digest;
        uint64_t size;
        bool layer; /* shown; a configuration is not */
        char **known_in; /* other repositories of this registry that have it */
};

struct push_manifest {
        char *digest, *media_type;
        struct buf body;
};

struct push {
        struct db *db;
        struct storage *st;
        const struct transfer_options *o;
        const struct reference *name;
        struct registry *registry;
        struct progress *progress;
        struct push_blob *blobs;
        size_t blob_count;
        struct push_manifest *manifests; /* in the order they are put: the index last */
        size_t manifest_count;
        pthread_mutex_t lock;
        size_t next;
        struct err err;
        bool failed;
};

static void push_done(struct push *p)
{
        for (size_t n = 0; n < p->blob_count; n++) {
                free(p->blobs[n].digest);
                strv_free(p->blobs[n].known_in);
        }
        for (size_t n = 0; n < p->manifest_count; n++) {
                free(p->manifests[n].digest);
                free(p->manifests[n].media_type);
                buf_done(&p->manifests[n].body);
        }
        free(p->blobs);
        free(p->manifests);
        pthread_mutex_destroy(&p->lock);
}

/* --- what there is to push --- */

static int known_in(struct push *p, const char *digest, char ***ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(p->db, &stmt, err,
                     "SELECT path FROM blob_repositories WHERE digest = ?1 AND domain = ?2 AND path <> ?3 LIMIT 4",
                     "sss", digest, p->name->domain, p->name->path) < 0)
                return -1;
        while ((more = db_step(stmt, err)) > 0)
                strv_push(ret, db_str(stmt, 0));
        return more;
}

static int add_blob(struct push *p, const char *digest, bool layer, struct err *err)
{
        uint64_t size = 0;
        for (size_t n = 0; n < p->blob_count; n++)
                if (str_eq(p->blobs[n].digest, digest))
                        return 0;
        if (!blob_exists(p->st->blobs, digest, &size))
                return err_set(err, ERR_NOT_FOUND, "blob %s is missing", digest);
        p->blobs = xreallocarray(p->blobs, p->blob_count + 1, sizeof(*p->blobs));
        p->blobs[p->blob_count] = (struct push_blob){ .digest = xstrdup(digest), .size = size, .layer = layer };
        return known_in(p, digest, &p->blobs[p->blob_count++].known_in, err);
}

static int read_document(struct push *p, const char *digest, struct buf *ret, struct err *err)
{
        ret->max = IMAGE_DOCUMENT_MAX;
        return blob_read(p->st->blobs, digest, IMAGE_DOCUMENT_MAX, ret, err);
}

static void add_manifest(struct push *p, const char *digest, const char *media_type, struct buf *body)
{
        p->manifests = xreallocarray(p->manifests, p->manifest_count + 1, sizeof(*p->manifests));
        p->manifests[p->manifest_count++] = (struct push_manifest){ xstrdup(digest), xstrdup(media_type), *body };
        *body = (struct buf){ 0 };
}

static int plan_manifest(struct push *p, const char *digest, const char *media_type, struct err *err)
{
        _cleanup_buf_ struct buf body = { 0 };
        _cleanup_manifest_ struct manifest m = { 0 };
        if (read_document(p, digest, &body, err) < 0 ||
            manifest_parse(body.data ? body.data : "", body.len, media_type, &m, err) < 0)
                return -1;
        for (size_t n = 0; n < m.layer_count; n++)
                if (add_blob(p, m.layers[n].digest, true, err) < 0)
                        return -1;
        if (add_blob(p, m.config.digest, false, err) < 0)
                return -1;
        add_manifest(p, digest, m.media_type, &body);
        return 0;
}

/* All of an index, or ERR_NOT_FOUND when some of it was never fetched. */
static int plan_index(struct push *p, const char *digest, struct err *err)
{
        _cleanup_buf_ struct buf body = { 0 };
        _cleanup_image_index_ struct image_index x = { 0 };
        if (read_document(p, digest, &body, err) < 0 ||
            image_index_parse(body.data ? body.data : "", body.len, NULL, &x, err) < 0)
                return -1;
        for (size_t n = 0; n < x.count; n++)
                if (!media_is_manifest(x.manifests[n].media_type))
                        return err_set(err, ERR_NOT_FOUND, "an index within an index");
                else if (plan_manifest(p, x.manifests[n].digest, x.manifests[n].media_type, err) < 0)
                        return -1;
        add_manifest(p, digest, x.media_type ? x.media_type : MEDIA_OCI_INDEX, &body);
        return 0;
}

static void plan_reset(struct push *p)
{
        struct push empty = *p;
        push_done(p);
        *p = empty;
        p->blobs = NULL;
        p->manifests = NULL;
        p->blob_count = p->manifest_count = 0;
        pthread_mutex_init(&p->lock, NULL);
}

static int plan(struct push *p, struct err *err)
{
        _cleanup_free_ char *key = reference_name_key(p->name), *target = NULL, *manifest = NULL;
        int found = name_lookup(p->db, key, &target, &manifest, err);
        if (found <= 0) {
                _cleanup_free_ char *familiar = reference_familiar(p->name);
                return found < 0 ? -1
                                 : err_set(err, ERR_NOT_FOUND, "An image does not exist locally with the tag: %s",
                                           familiar);
        }
        if (!str_eq(target, manifest)) {
                struct err partly = ERR_INIT;
                if (plan_index(p, target, &partly) == 0)
                        return 0;
                if (partly.kind != ERR_NOT_FOUND) {
                        *err = partly;
                        return -1;
                }
                plan_reset(p);
        }
        return plan_manifest(p, manifest, NULL, err);
}

/* --- blobs --- */

struct sending {
        struct push *push;
        const struct push_blob *blob;
};

static void report(struct push *p, const struct push_blob *b, enum transfer_state state, uint64_t done)
{
        if (b->layer)
                progress_layer(p->progress, b->digest, state, done, b->size);
}

static void sent(void *data, uint64_t bytes)
{
        const struct sending *s = data;
        report(s->push, s->blob, TRANSFER_PUSHING, bytes);
}

static int push_blob(struct push *p, const struct push_blob *b, struct err *err)
{
        bool there = false;
        report(p, b, TRANSFER_PREPARING, 0);
        if (registry_blob_exists(p->registry, p->name->path, b->digest, &there, err) < 0)
                return -1;
        if (there) {
                report(p, b, TRANSFER_EXISTS, b->size);
                return 0;
        }
        STRV_FOREACH (from, b->known_in) {
                struct err refused = ERR_INIT;
                /* A mount that fails (rights on the other repository) only means that the bytes have to travel. */
                if (registry_blob_mount(p->registry, p->name->path, *from, b->digest, &there, &refused) == 0 && there) {
                        report(p, b, TRANSFER_MOUNTED, b->size);
                        return 0;
                }
        }
        uint64_t size = 0;
        _cleanup_close_ int fd = blob_open(p->st->blobs, b->digest, &size, err);
        struct sending s = { p, b };
        if (fd < 0 || registry_blob_put(p->registry, p->name->path, b->digest, fd, size, sent, &s, err) < 0)
                return -1;
        report(p, b, TRANSFER_PUSHED, size);
        return 0;
}

static const struct push_blob *blob_take(struct push *p)
{
        const struct push_blob *b = NULL;
        pthread_mutex_lock(&p->lock);
        if (!p->failed && p->next < p->blob_count)
                b = &p->blobs[p->next++];
        pthread_mutex_unlock(&p->lock);
        return b;
}

static void *worker(void *data)
{
        struct push *p = data;
        for (const struct push_blob *b; (b = blob_take(p));) {
                struct err err = ERR_INIT;
                if (push_blob(p, b, &err) == 0)
                        continue;
                err_add(&err, "blob %s", b->digest);
                pthread_mutex_lock(&p->lock);
                if (!p->failed)
                        p->err = err;
                p->failed = true;
                pthread_mutex_unlock(&p->lock);
        }
        return NULL;
}

static int push_blobs(struct push *p, struct err *err)
{
        pthread_t threads[PARALLEL_MAX];
        size_t wanted = p->o->parallel ? p->o->parallel : PARALLEL_DEFAULT, started = 0;
        wanted = wanted > PARALLEL_MAX ? PARALLEL_MAX : wanted;
        wanted = wanted > p->blob_count ? p->blob_count : wanted;
        while (started + 1 < wanted && pthread_create(&threads[started], NULL, worker, p) == 0)
                started++;
        worker(p);
        while (started > 0)
                pthread_join(threads[--started], NULL);
        if (!p->failed)
                return 0;
        *err = p->err;
        return -1;
}

/* --- manifests, and what we remember --- */

static int push_manifests(struct push *p, struct err *err)
{
        for (size_t n = 0; n < p->manifest_count; n++) {
                const struct push_manifest *m = &p->manifests[n];
                const char *reference = n + 1 == p->manifest_count ? p->name->tag : m->digest;
                if (registry_manifest_put(p->registry, p->name->path, reference, m->media_type, m->body.data,
                                          m->body.len, err) < 0)
                        return err_add(err, "manifest %s", m->digest);
        }
        return 0;
}

static int remember(struct push *p, const char *digest, struct err *err)
{
        _cleanup_free_ char *key = reference_name_key(p->name), *target = NULL, *manifest = NULL;
        if (db_begin(p->db, false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *open = p->db;
        for (size_t n = 0; n < p->blob_count; n++)
                if (p->blobs[n].layer &&
                    db_exec(p->db, NULL, err,
                            "INSERT OR IGNORE INTO blob_repositories (digest, domain, path) VALUES (?1, ?2, ?3)", "sss",
                            p->blobs[n].digest, p->name->domain, p->name->path) < 0)
                        return -1;
        int found = name_lookup(p->db, key, &target, &manifest, err);
        /* The name may have moved while we pushed: the digest is told of what was pushed only. */
        if (found < 0 || (found > 0 && (str_eq(digest, target) || str_eq(digest, manifest)) &&
                          digest_put(p->db, p->name, digest, manifest, err) < 0))
                return -1;
        return db_commit(p->db, err);
}

static int push_one(struct push *p, char ret_digest[DIGEST_SIZE], struct err *err)
{
        if (plan(p, err) < 0 || push_blobs(p, err) < 0 || push_manifests(p, err) < 0)
                return -1;
        const struct push_manifest *named = &p->manifests[p->manifest_count - 1];
        if (remember(p, named->digest, err) < 0)
                return -1;
        progress_line(p->progress, "%s: digest: %s size: %zu", p->name->tag, named->digest, named->body.len);
        snprintf(ret_digest, DIGEST_SIZE, "%s", named->digest);
        return 0;
}

static int names_of(struct db *db, const struct reference *name, char ***ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        _cleanup_free_ char *repository = reference_repository(name);
        int more;
        if (db_query(db, &stmt, err, "SELECT reference FROM image_names WHERE repository = ?1 ORDER BY reference", "s",
                     repository) < 0)
                return -1;
        while ((more = db_step(stmt, err)) > 0)
                strv_push(ret, db_str(stmt, 0));
        if (more == 0 && !*ret)
                return err_set(err, ERR_NOT_FOUND, "An image does not exist locally with the tag: %s", repository);
        return more;
}

struct push_call {
        struct db *db;
        struct storage *st;
        const struct transfer_options *o;
        struct registry *registry;
        struct progress *progress;
};

static int push_name(const struct push_call *c, const struct reference *name, char ret_digest[DIGEST_SIZE],
                     struct err *err)
{
        _cleanup_(push_done) struct push p = { .db = c->db,
                                               .st = c->st,
                                               .o = c->o,
                                               .name = name,
                                               .registry = c->registry,
                                               .progress = c->progress,
                                               .lock = PTHREAD_MUTEX_INITIALIZER };
        return push_one(&p, ret_digest, err);
}

static int push_all_tags(const struct push_call *c, const struct reference *name, char ret_digest[DIGEST_SIZE],
                         struct err *err)
{
        _cleanup_strv_ char **names = NULL;
        if (names_of(c->db, name, &names, err) < 0)
                return -1;
        STRV_FOREACH (text, names) {
                _cleanup_reference_ struct reference one = { 0 };
                if (reference_parse(*text, &one, err) < 0 || push_name(c, &one, ret_digest, err) < 0)
                        return -1;
        }
        return 0;
}

int image_push(struct db *db, struct storage *st, const struct reference *name, const struct transfer_options *o,
               char ret_digest[DIGEST_SIZE], struct err *err)
{
        struct progress progress = PROGRESS_INIT(o->progress);
        _cleanup_(registry_closep) struct registry *registry = NULL;
        _cleanup_free_ char *familiar = reference_familiar(name), *repository = reference_repository(name);
        struct registry_options options = o->registry;
        char digest[DIGEST_SIZE];
        options.domain = name->domain;
        if (name->digest || !name->tag)
                return err_set(err, ERR_INVALID, "cannot push a digest reference");
        _cleanup_close_ int lock = storage_lock(st, false, true, err);
        if (lock < 0 || registry_open(&options, &registry, err) < 0)
                return err_add(err, "push %s", familiar);
        progress_line(&progress, "The push refers to repository [%s]", repository);
        const struct push_call call = { db, st, o, registry, &progress };
        int r = o->all_tags ? push_all_tags(&call, name, digest, err) : push_name(&call, name, digest, err);
        if (r < 0)
                return err_add(err, "push %s", familiar);
        snprintf(ret_digest, DIGEST_SIZE, "%s", digest);
        image_tell(db, "push", familiar, familiar);
        return 0;
}

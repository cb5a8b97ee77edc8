/* docker rmi and image prune: the rules of docker's daemon, on rows; content follows after the commit. */
#include "image/images-internal.h"

struct ref {
        bool canonical; /* a repo digest, not a tag */
        char *familiar, *repository, *key;
};

struct removal {
        struct db *db;
        const struct image_remove *how;
        struct ref *refs; /* of the image being removed */
        size_t ref_count;
        char **lines; /* told once the transaction is through */
        char **events; /* "action", id and name, three words each; likewise */
        char **siblings; /* manifests chosen from the same index as a name that went */
        struct garbage garbage;
};

static void refs_reset(struct removal *r)
{
        for (size_t n = 0; n < r->ref_count; n++) {
                free(r->refs[n].familiar);
                free(r->refs[n].repository);
                free(r->refs[n].key);
        }
        free(r->refs);
        r->refs = NULL;
        r->ref_count = 0;
}

static void removal_done(struct removal *r)
{
        refs_reset(r);
        strv_free(r->lines);
        strv_free(r->events);
        strv_free(r->siblings);
        garbage_done(&r->garbage);
}

static int refs_add(struct removal *r, const char *sql, bool canonical, const char *id, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(r->db, &stmt, err, sql, "s", id) < 0)
                return -1;
        while ((more = db_step(stmt, err)) > 0) {
                r->refs = xreallocarray(r->refs, r->ref_count + 1, sizeof(*r->refs));
                r->refs[r->ref_count++] = (struct ref){ canonical, xstrdup(db_str(stmt, 0)), xstrdup(db_str(stmt, 1)),
                                                        xstrdup(db_str(stmt, 2)) };
        }
        return more;
}

static int refs_load(struct removal *r, const char *id, struct err *err)
{
        refs_reset(r);
        if (refs_add(r,
                     "SELECT n.familiar, n.repository, n.reference FROM images i JOIN image_names n ON n.manifest = "
                     "i.manifest "
                     "WHERE i.id = ?1 UNION SELECT n.familiar, n.repository, n.reference FROM images i "
                     "JOIN image_index x ON x.manifest = i.manifest JOIN image_names n ON n.target = x.digest WHERE "
                     "i.id = ?1 ORDER BY 1",
                     false, id, err) < 0)
                return -1;
        return refs_add(r,
                        "SELECT DISTINCT d.familiar, d.repository, d.digest FROM images i JOIN image_digests d ON "
                        "d.manifest = i.manifest "
                        "WHERE i.id = ?1 ORDER BY 1",
                        true, id, err);
}

/* At most one tag, and digests of its repository only. */
static bool refs_single(const struct removal *r)
{
        const struct ref *tag = NULL;
        const char *digests_of = NULL;
        for (size_t n = 0; n < r->ref_count; n++) {
                const struct ref *ref = &r->refs[n];
                if (!ref->canonical && tag)
                        return false;
                if (!ref->canonical)
                        tag = ref;
                else if (digests_of && !str_eq(digests_of, ref->repository))
                        return false;
                else
                        digests_of = ref->repository;
        }
        return !tag || !digests_of || str_eq(tag->repository, digests_of);
}

static int siblings_add(struct removal *r, const char *reference, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(r->db, &stmt, err,
                     "SELECT x.manifest FROM image_names n JOIN image_index x ON x.digest = n.target WHERE n.reference "
                     "= ?1",
                     "s", reference) < 0)
                return -1;
        while ((more = db_step(stmt, err)) > 0)
                strv_push(&r->siblings, db_str(stmt, 0));
        return more;
}

static void removal_note(struct removal *r, const char *word, const char *what, const char *action, const char *id, const char *name)
{
        strv_push_take(&r->lines, xasprintf("%s: %s", word, what));
        const char *const words[] = { action, id, name };
        for (size_t i = 0; i < ELEMENTS(words); i++)
                strv_push(&r->events, words[i]);
}

static void removal_tell(const struct removal *r)
{
        if (r->how->told)
                STRV_FOREACH (line, r->lines)
                        r->how->told(r->how->data, *line);
        for (char *const *e = r->events; e && *e; e += 3)
                image_tell(r->db, e[0], e[1], e[2]);
}

static int ref_remove(struct removal *r, const struct ref *ref, const char *id, struct err *err)
{
        int done;
        if (ref->canonical)
                done = db_exec(r->db, NULL, err,
                               "DELETE FROM image_digests WHERE repository = ?1 AND digest = ?2 AND "
                               "manifest IN (SELECT manifest FROM images WHERE id = ?3)",
                               "sss", ref->repository, ref->key, id);
        else
                done = siblings_add(r, ref->key, err) < 0
                               ? -1
                               : db_exec(r->db, NULL, err, "DELETE FROM image_names WHERE reference = ?1", "s",
                                         ref->key);
        if (done < 0)
                return -1;
        removal_note(r, "Untagged", ref->familiar, "untag", id, ref->familiar);
        return 0;
}

static int refs_remove_all(struct removal *r, const char *id, struct err *err)
{
        for (size_t n = 0; n < r->ref_count; n++)
                if (ref_remove(r, &r->refs[n], id, err) < 0)
                        return -1;
        refs_reset(r);
        return 0;
}

static bool used(const struct removal *r, const char *id, char container[65], bool *running)
{
        container[0] = '\0';
        *running = false;
        return r->how->in_use && r->how->in_use(r->how->data, id, container, running);
}

static int has_children(struct db *db, const char *id, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(db, &stmt, err, "SELECT 1 FROM images WHERE parent = ?1 AND removed = 0 LIMIT 1", "s", id) < 0)
                return -1;
        return db_step(stmt, err);
}

static int conflict(struct err *err, const char *id, bool hard, const char *why, const char *container)
{
        return err_set(err, ERR_CONFLICT, "conflict: unable to delete %.12s (%s) - %s%s%.12s", digest_hex(id),
                       hard ? "cannot be forced" : "must be forced", why, *container ? " " : "", container);
}

/* Docker's four reasons, in its order. */
static int check_conflict(struct removal *r, const char *id, bool soft, bool references, struct err *err)
{
        char container[65];
        bool running;
        bool in_use = used(r, id, container, &running);
        if (in_use && running)
                return conflict(err, id, true, "image is being used by running container", container);
        int children = has_children(r->db, id, err);
        if (children < 0)
                return -1;
        if (children)
                return conflict(err, id, true, "image has dependent child images", "");
        if (soft && references && r->ref_count > 0)
                return conflict(err, id, false, "image is referenced in multiple repositories", "");
        if (soft && in_use)
                return conflict(err, id, false, "image is being used by stopped container", container);
        return 0;
}

/* Rows of every manifest of this id; a stopped container under a forced one keeps them out of sight instead. */
static int delete_rows(struct removal *r, const char *id, struct err *err)
{
        _cleanup_strv_ char **manifests = NULL;
        char container[65];
        bool running;
        {
                _cleanup_stmt_ struct db_stmt *stmt = NULL;
                int more;
                if (db_query(r->db, &stmt, err, "SELECT manifest FROM images WHERE id = ?1", "s", id) < 0)
                        return -1;
                while ((more = db_step(stmt, err)) > 0)
                        strv_push(&manifests, db_str(stmt, 0));
                if (more < 0)
                        return -1;
        }
        if (used(r, id, container, &running))
                return db_exec(r->db, NULL, err, "UPDATE images SET removed = 1 WHERE id = ?1", "s", id);
        STRV_FOREACH (manifest, manifests)
                if (garbage_add_image(r->db, *manifest, &r->garbage, err) < 0 ||
                    image_delete_row(r->db, *manifest, err) < 0)
                        return -1;
        return 0;
}

static int parent_of(struct db *db, const char *id, char **ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(db, &stmt, err, "SELECT parent FROM images WHERE id = ?1 AND parent IS NOT NULL", "s", id) < 0)
                return -1;
        int found = db_step(stmt, err);
        if (found > 0)
                *ret = xstrdup(db_str(stmt, 0));
        return found < 0 ? -1 : 0;
}

static int known(struct db *db, const char *id, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(db, &stmt, err, "SELECT 1 FROM images WHERE id = ?1 AND removed = 0", "s", id) < 0)
                return -1;
        return db_step(stmt, err);
}

/* quiet: a conflict means the image stays, and is no error. *ret_deleted may be NULL. */
static int delete_one(struct removal *r, const char *id, bool soft, bool quiet, bool *ret_deleted, struct err *err)
{
        if (refs_load(r, id, err) < 0)
                return -1;
        struct err why = ERR_INIT;
        if (check_conflict(r, id, soft, true, &why) < 0) {
                if (quiet && why.kind == ERR_CONFLICT)
                        return 0;
                *err = why;
                return -1;
        }
        if (refs_remove_all(r, id, err) < 0 || delete_rows(r, id, err) < 0)
                return -1;
        removal_note(r, "Deleted", id, "delete", id, id);
        *ret_deleted = true;
        return 0;
}

/* The image, then those it was built upon for as long as nothing else wants them. */
static int delete_with_parents(struct removal *r, const char *first, bool soft, bool quiet, struct err *err)
{
        _cleanup_free_ char *id = xstrdup(first);
        for (;;) {
                _cleanup_free_ char *parent = NULL;
                bool deleted = false;
                if (parent_of(r->db, id, &parent, err) < 0 || delete_one(r, id, soft, quiet, &deleted, err) < 0)
                        return -1;
                if (!deleted || !parent || r->how->no_prune)
                        return 0;
                int there = known(r->db, parent, err);
                if (there <= 0)
                        return there;
                free(id);
                id = TAKE_PTR(parent);
                soft = quiet = true;
        }
}

/* Other platforms that were known by the name alone. */
static int delete_siblings(struct removal *r, const char *repository, struct err *err)
{
        STRV_FOREACH (manifest, r->siblings) {
                _cleanup_image_ struct image i = { 0 };
                struct err gone = ERR_INIT;
                bool ours = true, deleted = false;
                if (image_by_manifest(r->db, *manifest, &i, &gone) < 0)
                        continue;
                if (refs_load(r, i.id, err) < 0)
                        return -1;
                for (size_t n = 0; n < r->ref_count; n++)
                        ours = ours && r->refs[n].canonical && str_eq(r->refs[n].repository, repository);
                if (!ours || refs_remove_all(r, i.id, err) < 0)
                        continue;
                if (delete_one(r, i.id, true, true, &deleted, err) < 0)
                        return -1;
        }
        return 0;
}

/* The digests of a repository that has no tag left on this image go with the tag. */
static int drop_orphan_digests(struct removal *r, const char *repository, const char *id, struct err *err)
{
        for (size_t n = 0; n < r->ref_count; n++)
                if (!r->refs[n].canonical && str_eq(r->refs[n].repository, repository))
                        return 0;
        for (size_t n = 0; n < r->ref_count; n++)
                if (r->refs[n].canonical && str_eq(r->refs[n].repository, repository) &&
                    ref_remove(r, &r->refs[n], id, err) < 0)
                        return -1;
        return refs_load(r, id, err);
}

static const struct ref *ref_of(const struct removal *r, const struct reference *name)
{
        _cleanup_free_ char *key = reference_name_key(name), *repository = reference_repository(name);
        for (size_t n = 0; n < r->ref_count; n++) {
                const struct ref *ref = &r->refs[n];
                if (key ? (!ref->canonical && str_eq(ref->key, key))
                        : (ref->canonical && str_eq(ref->key, name->digest) && str_eq(ref->repository, repository)))
                        return ref;
        }
        return NULL;
}

static int remove_name(struct removal *r, const char *text, const struct image *i, const struct reference *name,
                       struct err *err)
{
        char container[65];
        bool running;
        if (!r->how->force && refs_single(r) && used(r, i->id, container, &running))
                return err_set(err, ERR_CONFLICT,
                               "conflict: unable to remove repository reference \"%s\" (must force) - container %.12s "
                               "is using its "
                               "referenced image %.12s",
                               text, container, digest_hex(i->id));
        const struct ref *ref = ref_of(r, name);
        if (!ref)
                return image_no_such(text, err);
        _cleanup_free_ char *repository = xstrdup(ref->repository);
        bool canonical = ref->canonical;
        if (ref_remove(r, ref, i->id, err) < 0 || refs_load(r, i->id, err) < 0)
                return -1;
        if (!canonical && drop_orphan_digests(r, repository, i->id, err) < 0)
                return -1;
        if (r->ref_count > 0)
                return 0;
        if (delete_with_parents(r, i->id, !r->how->force, true, err) < 0)
                return -1;
        return delete_siblings(r, repository, err);
}

static int remove_id(struct removal *r, const struct image *i, struct err *err)
{
        if (refs_single(r) &&
            (check_conflict(r, i->id, !r->how->force, false, err) < 0 || refs_remove_all(r, i->id, err) < 0))
                return -1;
        return delete_with_parents(r, i->id, !r->how->force, false, err);
}

static int remove_rows(struct removal *r, const char *text, struct err *err)
{
        _cleanup_image_ struct image i = { 0 };
        _cleanup_reference_ struct reference name = { 0 };
        enum image_text how;
        if (db_begin(r->db, true, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *open = r->db;
        if (image_resolve(r->db, text, NULL, &i, &how, &name, err) < 0 || refs_load(r, i.id, err) < 0)
                return -1;
        if ((how == IMAGE_TEXT_ID ? remove_id(r, &i, err) : remove_name(r, text, &i, &name, err)) < 0)
                return -1;
        return db_commit(r->db, err);
}

static int remove_text(struct db *db, struct storage *st, const char *text, const struct image_remove *how,
                       uint64_t *bytes, struct err *err)
{
        _cleanup_(removal_done) struct removal r = { .db = db, .how = how };
        if (remove_rows(&r, text, err) < 0)
                return -1;
        removal_tell(&r);
        return garbage_remove(db, st, &r.garbage, how->told, how->data, bytes, err);
}

int image_remove(struct db *db, struct storage *st, const char *text, const struct image_remove *how, struct err *err)
{
        return remove_text(db, st, text, how, NULL, err);
}

/* --- prune --- */

/* Images kept out of sight for a container that may be gone by now. */
static int drop_hidden(struct db *db, const struct image_remove *how, struct err *err)
{
        _cleanup_(removal_done) struct removal r = { .db = db, .how = how };
        _cleanup_strv_ char **ids = NULL;
        if (db_begin(db, true, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *open = db;
        {
                _cleanup_stmt_ struct db_stmt *stmt = NULL;
                int more;
                if (db_query(db, &stmt, err, "SELECT DISTINCT id FROM images WHERE removed = 1", "") < 0)
                        return -1;
                while ((more = db_step(stmt, err)) > 0)
                        strv_push(&ids, db_str(stmt, 0));
                if (more < 0)
                        return -1;
        }
        STRV_FOREACH (id, ids)
                if (delete_rows(&r, *id, err) < 0)
                        return -1;
        return db_commit(db, err);
}

static int prune_wants(struct storage *st, const struct image *i, const struct selection *only, bool *ret, struct err *err)
{
        _cleanup_image_config_ struct image_config config = { 0 };
        *ret = true;
        if (!only)
                return 0;
        if (only->labels && image_read_config(st, i, &config, err) < 0)
                return -1;
        *ret = selection_wants(only, i->created, config.exec.labels);
        return 0;
}

/* Conflicts are what prune is told to leave alone. */
static int prune_one(struct db *db, struct storage *st, const struct image *i, const struct image_remove *how,
                     uint64_t *bytes, struct err *err)
{
        struct image_remove gently = *how;
        char container[65];
        bool running;
        bool wanted;
        gently.force = false;
        if (prune_wants(st, i, how->only, &wanted, err) < 0)
                return -1;
        if (!wanted || (how->in_use && how->in_use(how->data, i->id, container, &running)))
                return 0;
        char *const id_only[] = { i->id, NULL };
        const bool named = i->names || i->digests;
        char *const *const lists[] = { named ? i->names : id_only, named ? i->digests : NULL };
        for (size_t n = 0; n < ELEMENTS(lists); n++)
                STRV_FOREACH (text, lists[n]) {
                        struct err e = ERR_INIT;
                        if (remove_text(db, st, *text, &gently, bytes, &e) < 0 && e.kind != ERR_CONFLICT &&
                            e.kind != ERR_NOT_FOUND) {
                                *err = e;
                                return -1;
                        }
                }
        return 0;
}

int image_prune(struct db *db, struct storage *st, bool all, const struct image_remove *how, uint64_t *ret_bytes,
                struct err *err)
{
        const struct image_filter filter = { .all = all, .dangling = all ? -1 : 1 };
        struct image *list = NULL;
        size_t count = 0;
        uint64_t bytes = 0, collected = 0;
        int r = 0;
        if (drop_hidden(db, how, err) < 0 || image_list(db, st, &filter, &list, &count, err) < 0)
                return -1;
        for (size_t n = 0; n < count && r == 0; n++)
                r = prune_one(db, st, &list[n], how, &bytes, err);
        images_free(list, count);
        if (r < 0)
                return -1;
        struct err busy = ERR_INIT;
        if (image_collect(db, st, NULL, NULL, &collected, &busy) < 0 && busy.kind != ERR_CONFLICT) {
                *err = busy;
                return -1;
        }
        if (ret_bytes)
                *ret_bytes = bytes + collected;
        return 0;
}

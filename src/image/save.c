/* docker save: one tar that is an OCI layout and a docker-archive at once, blobs as they are stored, so that digests survive the journey. */
#include <archive.h>
#include <archive_entry.h>
#include <sys/mman.h>
#include "base/fd.h"
#include "image/archive-internal.h"

#define COPY_CHUNK ((size_t)1 << 20)

struct saved {
        struct image image;
        struct manifest manifest;
        uint64_t manifest_size;
        char **names; /* canonical, those asked for */
};

struct save {
        struct db *db;
        struct storage *st;
        struct saved *list;
        size_t count;
        struct archive *a;
        char **written; /* blobs in the archive already */
};

static void save_done(struct save *s)
{
        for (size_t n = 0; n < s->count; n++) {
                image_done(&s->list[n].image);
                manifest_done(&s->list[n].manifest);
                strv_free(s->list[n].names);
        }
        free(s->list);
        strv_free(s->written);
        if (s->a)
                archive_write_free(s->a);
}

/* --- which images --- */

static struct saved *saved_find(struct save *s, const char *manifest)
{
        for (size_t n = 0; n < s->count; n++)
                if (str_eq(s->list[n].image.manifest, manifest))
                        return &s->list[n];
        return NULL;
}

static int add_image(struct save *s, struct image *i, const char *name, struct err *err)
{
        struct saved *one = saved_find(s, i->manifest);
        if (!one) {
                _cleanup_manifest_ struct manifest m = { 0 };
                if (image_read_manifest(s->st, i, &m, err) < 0)
                        return -1;
                s->list = xreallocarray(s->list, s->count + 1, sizeof(*s->list));
                one = &s->list[s->count++];
                *one = (struct saved){ .image = *i, .manifest = m };
                *i = (struct image){ 0 };
                m = (struct manifest){ 0 };
                blob_exists(s->st->blobs, one->image.manifest, &one->manifest_size);
        }
        if (name && !strv_has(one->names, name))
                strv_push(&one->names, name);
        return 0;
}

static int add_text(struct save *s, const char *text, struct err *err)
{
        _cleanup_image_ struct image i = { 0 };
        _cleanup_reference_ struct reference r = { 0 };
        enum image_text how;
        if (image_resolve(s->db, text, NULL, &i, &how, &r, err) < 0)
                return -1;
        _cleanup_free_ char *key = how == IMAGE_TEXT_NAME ? reference_name_key(&r) : NULL;
        return add_image(s, &i, key, err);
}

/* A name without tag and digest means every tag of its repository. *ret stays NULL where the text is something else. */
static int repository_names(struct save *s, const char *text, char ***ret, struct err *err)
{
        _cleanup_reference_ struct reference r = { 0 };
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        struct err ignored = ERR_INIT;
        const char *last = strrchr(text, '/');
        int more;
        if (strchr(text, '@') || strchr(last ? last : text, ':') || reference_parse(text, &r, &ignored) < 0)
                return 0;
        _cleanup_free_ char *repository = reference_repository(&r);
        if (db_query(s->db, &stmt, err, "SELECT reference FROM image_names WHERE repository = ?1 ORDER BY reference",
                     "s", repository) < 0)
                return -1;
        while ((more = db_step(stmt, err)) > 0)
                strv_push(ret, db_str(stmt, 0));
        return more;
}

static int choose_images(struct save *s, char *const *texts, struct err *err)
{
        STRV_FOREACH (text, texts) {
                _cleanup_strv_ char **names = NULL;
                if (repository_names(s, *text, &names, err) < 0 || (!names && add_text(s, *text, err) < 0))
                        return -1;
                STRV_FOREACH (name, names)
                        if (add_text(s, *name, err) < 0)
                                return -1;
        }
        return s->count ? 0 : err_set(err, ERR_INVALID, "no image to save");
}

/* --- documents --- */

static json_t *index_entry(const struct saved *one, const char *name)
{
        json_t *o = json_pack("{s:s s:s s:I}", "mediaType", one->image.media_type, "digest", one->image.manifest,
                              "size", (json_int_t)one->manifest_size);
        if (name) {
                const char *colon = strrchr(name, ':');
                json_object_set_new(o, "annotations",
                                    json_pack("{s:s s:s}", ANNOTATION_IMAGE_NAME, name, ANNOTATION_REF_NAME,
                                              colon ? colon + 1 : name));
        }
        _cleanup_platform_ struct platform p = { 0 };
        struct err ignored = ERR_INIT;
        if (platform_parse(one->image.platform, &p, &ignored) == 0)
                json_object_set_new(o, "platform", platform_to_json(&p));
        return o;
}

static char *index_text(const struct save *s)
{
        _cleanup_json_ json_t *o =
                json_pack("{s:i s:s s:[]}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX, "manifests");
        json_t *list = json_object_get(o, "manifests");
        for (size_t n = 0; n < s->count; n++) {
                if (!s->list[n].names)
                        json_array_append_new(list, index_entry(&s->list[n], NULL));
                STRV_FOREACH (name, s->list[n].names)
                        json_array_append_new(list, index_entry(&s->list[n], *name));
        }
        return json_text(o);
}

static char *blob_path(const char *digest)
{
        const char *hex = digest_hex(digest);
        return xasprintf("blobs/%.*s/%s", (int)(hex - digest - 1), digest, hex);
}

static void append_path(json_t *list, const char *digest)
{
        _cleanup_free_ char *path = blob_path(digest);
        json_array_append_new(list, json_string(path));
}

static json_t *docker_entry(const struct saved *one)
{
        _cleanup_free_ char *config = blob_path(one->image.id);
        json_t *tags = json_array(), *layers = json_array();
        STRV_FOREACH (name, one->names) {
                _cleanup_reference_ struct reference r = { 0 };
                struct err ignored = ERR_INIT;
                if (reference_parse(*name, &r, &ignored) < 0)
                        continue;
                _cleanup_free_ char *familiar = reference_familiar(&r);
                json_array_append_new(tags, json_string(familiar));
        }
        for (size_t n = 0; n < one->manifest.layer_count; n++)
                append_path(layers, one->manifest.layers[n].digest);
        return json_pack("{s:s s:o s:o}", "Config", config, "RepoTags", tags, "Layers", layers);
}

static char *docker_text(const struct save *s)
{
        _cleanup_json_ json_t *list = json_array();
        for (size_t n = 0; n < s->count; n++)
                json_array_append_new(list, docker_entry(&s->list[n]));
        return json_text(list);
}

/* --- the tar --- */

static int archive_err(struct save *s, struct err *err)
{
        int sys = archive_errno(s->a);
        const char *text = archive_error_string(s->a);
        return sys > 0 ? err_sysnum(err, sys, "write archive")
                       : err_set(err, ERR_SYSTEM, "write archive: %s", text ? text : "failed");
}

/* Times and owners are fixed, so that the same images give the same bytes. */
static int write_header(struct save *s, const char *name, uint64_t size, bool directory, struct err *err)
{
        struct archive_entry *e = archive_entry_new();
        if (!e)
                abort(); /* out of memory */
        archive_entry_set_pathname(e, name);
        archive_entry_set_filetype(e, directory ? AE_IFDIR : AE_IFREG);
        archive_entry_set_perm(e, directory ? 0755 : 0644);
        archive_entry_set_size(e, (la_int64_t)size);
        archive_entry_set_mtime(e, 0, 0);
        int r = archive_write_header(s->a, e);
        archive_entry_free(e);
        return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 0 : archive_err(s, err);
}

static int write_data(struct save *s, const void *data, size_t len, struct err *err)
{
        const char *at = data;
        while (len > 0) {
                la_ssize_t n = archive_write_data(s->a, at, len);
                if (n <= 0)
                        return archive_err(s, err);
                at += n;
                len -= (size_t)n;
        }
        return 0;
}

static int write_document(struct save *s, const char *name, const char *text, struct err *err)
{
        return write_header(s, name, strlen(text), false, err) < 0 ? -1 : write_data(s, text, strlen(text), err);
}

static int write_blob(struct save *s, const char *digest, struct err *err)
{
        uint64_t size = 0;
        _cleanup_free_ char *path = blob_path(digest), *chunk = NULL;
        if (strv_has(s->written, digest))
                return 0;
        _cleanup_close_ int fd = blob_open(s->st->blobs, digest, &size, err);
        if (fd < 0 || write_header(s, path, size, false, err) < 0)
                return -1;
        chunk = xmalloc(COPY_CHUNK);
        while (size > 0) {
                ssize_t n = fd_read_full(fd, chunk, size < COPY_CHUNK ? (size_t)size : COPY_CHUNK);
                if (n <= 0)
                        return err_set(err, ERR_CORRUPT, "blob %s cannot be read to its end", digest);
                if (write_data(s, chunk, (size_t)n, err) < 0)
                        return -1;
                size -= (uint64_t)n;
        }
        strv_push(&s->written, digest);
        return 0;
}

static int write_image(struct save *s, const struct saved *one, struct err *err)
{
        if (write_blob(s, one->image.manifest, err) < 0 || write_blob(s, one->image.id, err) < 0)
                return -1;
        for (size_t n = 0; n < one->manifest.layer_count; n++)
                if (write_blob(s, one->manifest.layers[n].digest, err) < 0)
                        return -1;
        return 0;
}

static int write_all(struct save *s, enum archive_format format, struct err *err)
{
        _cleanup_free_ char *index = index_text(s), *docker = docker_text(s);
        if (write_document(s, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", err) < 0 ||
            write_document(s, "index.json", index, err) < 0)
                return -1;
        if (format == ARCHIVE_DOCKER && write_document(s, "manifest.json", docker, err) < 0)
                return -1;
        if (write_header(s, "blobs/", 0, true, err) < 0 || write_header(s, "blobs/sha256/", 0, true, err) < 0)
                return -1;
        for (size_t n = 0; n < s->count; n++)
                if (write_image(s, &s->list[n], err) < 0)
                        return -1;
        return archive_write_close(s->a) == ARCHIVE_OK ? 0 : archive_err(s, err);
}

int image_save(struct db *db, struct storage *st, char *const *names, enum archive_format format, int out_fd,
               struct err *err)
{
        _cleanup_(save_done) struct save s = { .db = db, .st = st };
        _cleanup_close_ int lock = storage_lock(st, false, true, err);
        if (lock < 0 || choose_images(&s, names, err) < 0)
                return -1;
        s.a = archive_write_new();
        if (!s.a)
                abort(); /* out of memory */
        archive_write_set_format_pax_restricted(s.a);
        /* Whole chunks go to the descriptor as they are, without a copy into blocks. */
        archive_write_set_bytes_per_block(s.a, 0);
        if (archive_write_open_fd(s.a, out_fd) != ARCHIVE_OK)
                return archive_err(&s, err);
        if (write_all(&s, format, err) < 0)
                return err_add(err, "save");
        STRV_FOREACH (name, names)
                image_tell(db, "save", *name, NULL);
        return 0;
}

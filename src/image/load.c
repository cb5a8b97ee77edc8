/* docker load. The archive is spooled into the blob store as it comes (it may be a pipe, and nothing says in which order its files are),
 * then each image is assembled: from an OCI layout where there is one, since that keeps the manifest's bytes, else from manifest.json. */
#include <errno.h>
#include "image/archive-internal.h"
#include "image/bring-internal.h"

#define IMAGES_MAX 4096
#define INDEX_DEPTH_MAX 4

struct load {
        struct db *db;
        struct storage *st;
        const struct layer_limits *limits;
        void (*told)(void *data, const char *line);
        void *data;
        struct members members;
        json_t *docker; /* manifest.json, or NULL */
        unsigned loaded;
        char **chains; /* layers that were not here before */
};

static void load_done(struct load *l)
{
        members_done(&l->members);
        json_decref(l->docker);
        strv_free(l->chains);
}

static void tell(struct load *l, const char *what, const char *name)
{
        _cleanup_free_ char *line = xasprintf("%s: %s", what, name);
        if (l->told)
                l->told(l->data, line);
}

int layer_media_type(struct storage *st, const char *digest, const char **ret, struct err *err)
{
        static const char *const types[] = {
                [COMPRESSION_NONE] = MEDIA_OCI_LAYER,
                [COMPRESSION_GZIP] = MEDIA_OCI_LAYER_GZIP,
                [COMPRESSION_ZSTD] = MEDIA_OCI_LAYER_ZSTD,
                [COMPRESSION_UNKNOWN] = MEDIA_OCI_LAYER,
        };
        char magic[8];
        uint64_t size;
        _cleanup_close_ int fd = blob_open(st->blobs, digest, &size, err);
        if (fd < 0)
                return -1;
        ssize_t n = pread(fd, magic, sizeof(magic), 0);
        if (n < 0)
                return err_sys(err, "read blob %s", digest);
        *ret = types[compression_of_magic(magic, (size_t)n)];
        return 0;
}

/* --- one image, its blobs in place --- */

static int read_config(struct load *l, const char *digest, size_t layers, struct image_config *ret, struct err *err)
{
        const struct image at = { .id = (char *)digest };
        if (image_read_config(l->st, &at, ret, err) < 0)
                return -1;
        if (strv_len(ret->diff_ids) != layers)
                return err_set(err, ERR_CORRUPT, "image %s has %zu layers and %zu diff ids", digest, layers,
                               strv_len(ret->diff_ids));
        return 0;
}

static int unpack_layers(struct load *l, const struct descriptor *layers, size_t count,
                         const struct image_config *config, struct err *err)
{
        _cleanup_strv_ char **chain = image_chain_ids(config->diff_ids);
        struct bring b = { .st = l->st,
                           .layers = layers,
                           .count = count,
                           .diff_ids = config->diff_ids,
                           .chain = chain,
                           .parallel = 2,
                           .limits = l->limits };
        STRV_FOREACH (one, chain)
                if (!layer_exists(l->st->snapshots, *one))
                        strv_push(&l->chains, *one);
        return bring_layers(&b, err);
}

static int record_names(struct load *l, const char *manifest, const char *media_type, const char *index,
                        char *const *names, struct err *err)
{
        _cleanup_image_ struct image i = { 0 };
        struct image_record record = { .manifest = manifest, .media_type = media_type, .index = index };
        if (!names) {
                if (image_record(l->db, l->st, &record, &i, err) < 0)
                        return -1;
                tell(l, "Loaded image ID", i.id);
                image_tell(l->db, "load", i.id, NULL);
        }
        STRV_FOREACH (text, names) {
                _cleanup_reference_ struct reference name = { 0 };
                if (reference_parse(*text, &name, err) < 0)
                        return -1;
                record.name = &name;
                _cleanup_free_ char *familiar = reference_familiar(&name);
                _cleanup_image_ struct image named = { 0 };
                if (image_record(l->db, l->st, &record, &named, err) < 0)
                        return err_add(err, "%s", familiar);
                tell(l, "Loaded image", familiar);
                image_tell(l->db, "load", named.id, familiar);
        }
        l->loaded++;
        return 0;
}

/* --- manifest.json: an array of {Config, RepoTags, Layers} --- */

static int docker_layers(struct load *l, char *const *paths, struct descriptor **ret, size_t *ret_count,
                         struct err *err)
{
        size_t count = strv_len(paths);
        if (count > IMAGE_LAYERS_MAX)
                return err_set(err, ERR_TOO_LARGE, "manifest.json: an image of %zu layers", count);
        _cleanup_free_ struct descriptor *list = xcalloc(count ? count : 1, sizeof(*list));
        for (size_t n = 0; n < count; n++) {
                const struct member *m = members_find(&l->members, paths[n]);
                const char *type;
                if (!m)
                        return err_set(err, ERR_CORRUPT, "layer %s is not in the archive", paths[n]);
                if (layer_media_type(l->st, m->digest, &type, err) < 0)
                        return -1;
                /* Members are borrowed, and outlive the list. */
                list[n] = (struct descriptor){ .media_type = (char *)type,
                                               .digest = m->digest,
                                               .size = (int64_t)m->size };
        }
        *ret = TAKE_PTR(list);
        *ret_count = count;
        return 0;
}

static int docker_image(struct load *l, const char *config_path, char *const *paths, char *const *names,
                        struct err *err)
{
        _cleanup_image_config_ struct image_config config = { 0 };
        _cleanup_free_ struct descriptor *layers = NULL;
        char manifest[DIGEST_SIZE];
        size_t count = 0;
        const struct member *m = members_find(&l->members, config_path);
        if (!m)
                return err_set(err, ERR_CORRUPT, "configuration %s is not in the archive", config_path);
        if (docker_layers(l, paths, &layers, &count, err) < 0 || read_config(l, m->digest, count, &config, err) < 0 ||
            unpack_layers(l, layers, count, &config, err) < 0 ||
            manifest_store(l->st, m->digest, m->size, layers, count, NULL, manifest, err) < 0)
                return -1;
        strv_push(&l->members.added, manifest);
        return record_names(l, manifest, MEDIA_OCI_MANIFEST, NULL, names, err);
}

struct docker_entry {
        char *config;
        char **names, **layers;
};

static void docker_entry_done(struct docker_entry *e)
{
        free(e->config);
        strv_free(e->names);
        strv_free(e->layers);
}

static int docker_entry(struct load *l, size_t n, struct docker_entry *ret, struct err *err)
{
        struct jpath root = JPATH("manifest.json"), path = jpath_index(&root, n);
        json_t *o = json_array_get(l->docker, n);
        if (!json_is_object(o))
                return json_err(&path, NULL, err, "expected an object");
        if (json_get_string(o, &path, "Config", true, &ret->config, err) < 0 ||
            json_get_strv(o, &path, "RepoTags", false, &ret->names, err) < 0)
                return -1;
        return json_get_strv(o, &path, "Layers", false, &ret->layers, err);
}

static int load_docker(struct load *l, struct err *err)
{
        for (size_t n = 0; n < json_array_size(l->docker); n++) {
                _cleanup_(docker_entry_done) struct docker_entry e = { 0 };
                if (docker_entry(l, n, &e, err) < 0 || docker_image(l, e.config, e.layers, e.names, err) < 0)
                        return -1;
        }
        return 0;
}

/* --- OCI layout --- */

/* Docker's list names an image by its configuration where the layout's annotations do not. */
static int docker_names(struct load *l, const char *config_digest, char ***ret, struct err *err)
{
        for (size_t n = 0; l->docker && n < json_array_size(l->docker); n++) {
                _cleanup_(docker_entry_done) struct docker_entry e = { 0 };
                if (docker_entry(l, n, &e, err) < 0)
                        return -1;
                const struct member *m = members_find(&l->members, e.config);
                if (m && str_eq(m->digest, config_digest))
                        STRV_FOREACH (name, e.names)
                                if (!strv_has(*ret, *name))
                                        strv_push(ret, *name);
        }
        return 0;
}

static int names_of(struct load *l, const struct descriptor *d, const char *config_digest, char ***ret, struct err *err)
{
        const char *full = strv_env_get(d->annotations, ANNOTATION_IMAGE_NAME),
                   *ref = strv_env_get(d->annotations, ANNOTATION_REF_NAME);
        if (full)
                strv_push(ret, full);
        else if (docker_names(l, config_digest, ret, err) < 0)
                return -1;
        /* A bare tag names nothing without its repository. */
        if (!*ret && ref && (strchr(ref, '/') || strchr(ref, ':')))
                strv_push(ret, ref);
        return 0;
}

static int oci_image(struct load *l, const struct descriptor *top, const struct descriptor *d, const char *index,
                     struct err *err)
{
        _cleanup_manifest_ struct manifest m = { 0 };
        _cleanup_image_config_ struct image_config config = { 0 };
        _cleanup_strv_ char **names = NULL;
        const struct image at = { .manifest = d->digest, .media_type = d->media_type };
        if (image_read_manifest(l->st, &at, &m, err) < 0)
                return -1;
        if (!str_eq(m.config.media_type, MEDIA_OCI_CONFIG) && !str_eq(m.config.media_type, MEDIA_DOCKER_CONFIG))
                return 0; /* an artifact beside the images */
        if (names_of(l, top, m.config.digest, &names, err) < 0 ||
            read_config(l, m.config.digest, m.layer_count, &config, err) < 0 ||
            unpack_layers(l, m.layers, m.layer_count, &config, err) < 0)
                return -1;
        return record_names(l, d->digest, m.media_type, index, names, err);
}

/* Of an index the host's platform, or else the first whose manifest is in the archive. */
static const struct descriptor *choose_present(struct load *l, const struct image_index *x)
{
        _cleanup_platform_ struct platform host = { 0 };
        platform_host(&host);
        const struct descriptor *d = image_index_choose(x, &host);
        if (d && blob_exists(l->st->blobs, d->digest, NULL))
                return d;
        for (size_t n = 0; n < x->count; n++)
                if (blob_exists(l->st->blobs, x->manifests[n].digest, NULL) &&
                    !str_eq(x->manifests[n].platform.os, "unknown"))
                        return &x->manifests[n];
        return NULL;
}

static int oci_entry(struct load *l, const struct descriptor *top, struct err *err)
{
        struct image_index nested[INDEX_DEPTH_MAX] = { { 0 } };
        const struct descriptor *d = top;
        unsigned depth = 0;
        int r = 0;
        while (r == 0 && d && media_is_index(d->media_type)) {
                _cleanup_buf_ struct buf b = BUF_INIT(IMAGE_DOCUMENT_MAX);
                if (depth == INDEX_DEPTH_MAX)
                        r = err_set(err, ERR_INVALID, "indexes are nested more than %d deep", INDEX_DEPTH_MAX);
                else if (blob_read(l->st->blobs, d->digest, IMAGE_DOCUMENT_MAX, &b, err) < 0 ||
                         image_index_parse(b.data ? b.data : "", b.len, d->media_type, &nested[depth], err) < 0)
                        r = -1;
                else
                        d = choose_present(l, &nested[depth++]);
        }
        if (r == 0)
                r = d ? oci_image(l, top, d, depth ? top->digest : NULL, err)
                      : err_set(err, ERR_NOT_FOUND, "index %s: none of its manifests is in the archive", top->digest);
        for (unsigned n = 0; n < INDEX_DEPTH_MAX; n++)
                image_index_done(&nested[n]);
        return r;
}

static int load_oci(struct load *l, struct err *err)
{
        _cleanup_image_index_ struct image_index x = { 0 };
        if (image_index_parse(l->members.index.data, l->members.index.len, NULL, &x, err) < 0)
                return err_add(err, "index.json");
        for (size_t n = 0; n < x.count; n++)
                if ((media_is_index(x.manifests[n].media_type) || media_is_manifest(x.manifests[n].media_type)) &&
                    oci_entry(l, &x.manifests[n], err) < 0)
                        return -1;
        return 0;
}

/* --- all --- */

static int assemble(struct load *l, struct err *err)
{
        struct buf *manifest = &l->members.manifest;
        if (manifest->len) {
                l->docker = json_parse(manifest->data, manifest->len, IMAGE_DOCUMENT_MAX, "manifest.json", err);
                if (!l->docker)
                        return -1;
                if (!json_is_array(l->docker) || json_array_size(l->docker) > IMAGES_MAX)
                        return err_set(err, ERR_INVALID, "manifest.json: expected an array of at most %d images",
                                       IMAGES_MAX);
        }
        if (l->members.index.len)
                return load_oci(l, err);
        if (l->docker)
                return load_docker(l, err);
        return err_set(
                err, ERR_INVALID,
                "not an image archive: it has neither index.json nor manifest.json (docker import reads plain trees)");
}

static int load_locked(struct load *l, int in_fd, struct err *err)
{
        _cleanup_close_ int lock = storage_lock(l->st, false, true, err);
        if (lock < 0 || members_read(l->st, in_fd, l->limits, &l->members, err) < 0 || assemble(l, err) < 0)
                return -1;
        return l->loaded ? 0 : err_set(err, ERR_INVALID, "the archive has no image");
}

int image_load(struct db *db, struct storage *st, int in_fd, const struct layer_limits *limits,
               void (*told)(void *data, const char *line), void *data, struct err *err)
{
        _cleanup_(load_done) struct load l = { .db = db, .st = st, .limits = limits, .told = told, .data = data };
        int r = load_locked(&l, in_fd, err);
        /* Files no image wanted, and after a failure all of it. What cannot be removed now is found by prune. */
        const struct garbage spooled = { .blobs = l.members.added, .layers = l.chains };
        struct err ignored = ERR_INIT;
        garbage_remove(db, st, &spooled, NULL, NULL, NULL, &ignored);
        return r < 0 ? err_add(err, "load") : 0;
}

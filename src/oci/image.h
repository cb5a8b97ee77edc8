/* Image documents <-> structs: descriptor, manifest, index (image-spec 1.1), and their Docker v2 schema 2 twins.
 *
 * Parsing is strict where it protects (digests, sizes, counts, duplicate keys) and tolerant of unknown fields. Writing is
 * canonical: compact, keys in the order of the spec's examples, so that the same input gives the same bytes. Documents
 * that came from a registry are kept as bytes and never rewritten: a digest is of bytes.
 * Strings are heap, owned by the struct; x_done() frees members and zeroes. */
#ifndef TARE_OCI_IMAGE_H
#define TARE_OCI_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"
#include "oci/platform.h"

#define MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER       "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP  "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD  "application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_OCI_EMPTY       "application/vnd.oci.empty.v1+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER    "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MEDIA_DOCKER_FOREIGN  "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

#define IMAGE_DOCUMENT_MAX ((size_t)4 << 20)      /* bytes of a manifest, index or config */
#define IMAGE_LAYERS_MAX 1024
#define IMAGE_INDEX_MAX 4096

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_UNKNOWN };
/* The compression a layer media type promises; UNKNOWN for a type that is no layer. */
enum compression media_layer_compression(const char *media_type);
bool media_is_manifest(const char *media_type);
bool media_is_index(const char *media_type);

struct descriptor {
        char *media_type;
        char *digest;
        int64_t size;                  /* bytes */
        char **urls;                   /* strv */
        char **annotations;            /* "k=v" */
        char *artifact_type;
        struct platform platform;      /* members NULL when absent */
};
void descriptor_done(struct descriptor *d);
#define _cleanup_descriptor_ _cleanup_(descriptor_done)
int descriptor_from_json(const json_t *o, const struct jpath *path, struct descriptor *ret, struct err *err);
json_t *descriptor_to_json(const struct descriptor *d);
void descriptor_copy(const struct descriptor *from, struct descriptor *ret);

struct manifest {
        char *media_type;              /* OCI or Docker, from the document or as given */
        char *artifact_type;
        struct descriptor config;
        struct descriptor *layers;
        size_t layer_count;
        struct descriptor subject;     /* digest NULL when absent */
        char **annotations;
};
void manifest_done(struct manifest *m);
#define _cleanup_manifest_ _cleanup_(manifest_done)
/* media_type_hint: the Content-Type or the descriptor's type, NULL when unknown; must agree with the document. */
int manifest_parse(const char *text, size_t len, const char *media_type_hint, struct manifest *ret, struct err *err);
char *manifest_format(const struct manifest *m);               /* heap; uses its media_type */

struct image_index {
        char *media_type;
        char *artifact_type;
        struct descriptor *manifests;
        size_t count;
        struct descriptor subject;
        char **annotations;
};
void image_index_done(struct image_index *x);
#define _cleanup_image_index_ _cleanup_(image_index_done)
int image_index_parse(const char *text, size_t len, const char *media_type_hint, struct image_index *ret, struct err *err);
char *image_index_format(const struct image_index *x);
/* The entry that serves `want` best; NULL when none does. Attestation entries (platform unknown/unknown) never match. */
const struct descriptor *image_index_choose(const struct image_index *x, const struct platform *want);
/* What a document is when no type came with it: MEDIA_* constant judged from its fields, NULL when neither. */
const char *image_document_type(const char *text, size_t len);

#endif

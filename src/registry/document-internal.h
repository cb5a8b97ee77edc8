/* Manifests as the registry server sees them: any JSON document (or other bytes) that may name blobs, manifests and a subject. */
#ifndef TARE_REGISTRY_DOCUMENT_INTERNAL_H
#define TARE_REGISTRY_DOCUMENT_INTERNAL_H

#include "base/buf.h"
#include "base/json.h"
#include "registry/store-internal.h"

/* *ret stays NULL for a media type that is no JSON. A document whose own mediaType differs is ERR_INVALID. */
int document_parse(const struct buf *body, const char *media_type, json_t **ret, struct err *err);
/* ERR_NOT_FOUND names the first blob of an image manifest that the repository lacks. Indexes may be sparse. */
int document_check(struct store *s, const char *repository, const json_t *document, const char *media_type, struct err *err);
/* Digest of its subject, borrowed, NULL when it has none. ERR_INVALID for a malformed one. */
int document_subject(const json_t *document, const char **ret, struct err *err);
/* Its descriptor as the referrers list gives it (image-spec descriptor with artifactType and annotations). Heap. */
char *document_descriptor(const json_t *document, const char *media_type, const char *digest, size_t size);
/* Calls fn for every digest anywhere in the document but its subject's. */
void document_digests(const json_t *document, void (*fn)(void *data, const char *digest), void *data);

#endif

/* A client of OCI distribution registries (distribution-spec 1.1) and Docker's registry v2, over libcurl.
 *
 * One `struct registry` per registry host; safe for several threads at once (tokens are shared under a lock, every call
 * takes a pooled curl handle). HTTP is used for loopback addresses and hosts named insecure, HTTPS for all others. Authentication is
 * anonymous, basic, or bearer token (docker token protocol, with refresh), found out from the first 401.
 * Retries: idempotent calls are tried again on connection errors, 429 (Retry-After honoured) and 5xx, with back-off; 4xx never.
 * Credentials are never sent to another host than they are for (redirects drop them).
 */
#ifndef TARE_REGISTRY_CLIENT_H
#define TARE_REGISTRY_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"

struct registry;

struct registry_options {
        const char *domain;            /* "docker.io", "localhost:5000" */
        const char *username, *password;       /* NULL: from the auth file; "" : anonymous */
        const char *identity_token;    /* NULL or a refresh token */
        const char *auth_file;         /* NULL: $DOCKER_CONFIG/config.json, then ~/.docker/config.json; credHelpers are run */
        bool insecure;                 /* plain HTTP, or TLS without verification, is allowed for this host */
        const char *ca_dir;            /* NULL: /etc/docker/certs.d/<domain> and /etc/containers/certs.d/<domain> as docker, podman */
        unsigned retries;              /* 0: 5 */
};
int registry_open(const struct registry_options *options, struct registry **ret, struct err *err);
void registry_close(struct registry *r);
DEFINE_CLEANUP(struct registry *, registry_close)

/* Checks the credentials against /v2/; ERR_UNAUTHORIZED. */
int registry_ping(struct registry *r, struct err *err);

/* reference: a tag or a digest. Verifies against a digest and gives the digest of the bytes. *ret_media_type: heap. At most
 * IMAGE_DOCUMENT_MAX bytes. ERR_NOT_FOUND: docker's "manifest unknown". */
int registry_manifest_get(struct registry *r, const char *path, const char *reference, struct buf *ret_body, char **ret_media_type,
                          char ret_digest[DIGEST_SIZE], struct err *err);
int registry_manifest_exists(struct registry *r, const char *path, const char *reference, bool *ret, char ret_digest[DIGEST_SIZE],
                             struct err *err);
int registry_manifest_put(struct registry *r, const char *path, const char *reference, const char *media_type, const void *body,
                          size_t len, struct err *err);
int registry_manifest_delete(struct registry *r, const char *path, const char *digest, struct err *err);

/* Gets a blob of exactly `size` bytes from byte `offset` on; more or fewer are ERR_CORRUPT, its digest is the caller's to verify.
 * The sink sees bytes in order (its failure ends the transfer with its error); `restart` tells it that the server ignored the range
 * and begins at 0 (NULL: that is an error). Cut connections are resumed where they broke. */
struct blob_sink {
        int (*write)(void *data, const void *bytes, size_t len, struct err *err);
        int (*restart)(void *data, struct err *err);
        void *data;
};
int registry_blob_get(struct registry *r, const char *path, const char *digest, uint64_t offset, uint64_t size,
                      const struct blob_sink *sink, struct err *err);
int registry_blob_exists(struct registry *r, const char *path, const char *digest, bool *ret, struct err *err);
/* Cross-repository mount; *ret_mounted false when the registry declined (then an upload may follow). */
int registry_blob_mount(struct registry *r, const char *path, const char *from_path, const char *digest, bool *ret_mounted,
                        struct err *err);
/* Uploads `size` bytes of fd from its beginning (POST + streaming PUT; falls back to chunked PATCH where a server wants it).
 * progress may be NULL. */
int registry_blob_put(struct registry *r, const char *path, const char *digest, int fd, uint64_t size,
                      void (*progress)(void *data, uint64_t sent), void *data, struct err *err);

/* Lists: strv, all pages (Link headers followed, at most `max` entries). */
int registry_tags(struct registry *r, const char *path, size_t max, char ***ret, struct err *err);
int registry_catalog(struct registry *r, size_t max, char ***ret, struct err *err);
struct search_result { char *name, *description; int64_t stars; bool official, automated; };
/* Docker Hub's /v1/search where the registry has it, else the catalog filtered by term. */
int registry_search(struct registry *r, const char *term, size_t max, struct search_result **ret, size_t *ret_count, struct err *err);
void search_results_free(struct search_result *results, size_t count);

#endif

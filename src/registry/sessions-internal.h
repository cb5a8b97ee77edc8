/* Open uploads of a registry server: a record uploads/<id> and a named ingest each, with the running digest kept in memory while the
 * server runs. One call holds an upload at a time. */
#ifndef TARE_REGISTRY_SESSIONS_INTERNAL_H
#define TARE_REGISTRY_SESSIONS_INTERNAL_H

#include <stdint.h>
#include "base/err.h"
#include "registry/store-internal.h"

#define UPLOAD_ID_SIZE 33

struct uploads;
struct upload {
        char id[UPLOAD_ID_SIZE];
        char *repository;
        struct ingest *in;             /* NULL until the first byte */
        uint64_t at;                   /* bytes so far */
        bool busy;                     /* held by a call */
        struct upload *next;           /* last used first */
};

struct uploads *uploads_new(struct store *store);
void uploads_free(struct uploads *u);
/* Both give a held upload. take: ERR_NOT_FOUND, and ERR_UNAVAILABLE while another call holds it. */
int upload_create(struct uploads *u, const char *repository, struct upload **ret, struct err *err);
int upload_take(struct uploads *u, const char *repository, const char *id, struct upload **ret, struct err *err);
int upload_write(struct uploads *u, struct upload *up, const void *data, size_t len, struct err *err);
/* Ends it as a blob, or (ERR_CORRUPT: the digest is another) stays held. */
int upload_commit(struct uploads *u, struct upload *up, const char *digest, struct err *err);
/* Lets go of it, to be taken up again. */
void upload_release(struct uploads *u, struct upload *up);
/* Forgets it and what came so far. */
void upload_drop(struct uploads *u, struct upload *up);
/* Removes the uploads that nobody touched for a day. */
int uploads_sweep(struct store *store, struct err *err);

#endif

/* An OCI distribution registry (distribution-spec 1.1: pull, push, content discovery, content management, referrers) on
 * libmicrohttpd over a content store of its own.
 *
 * On disk under `root`: blobs/ (storage/blobs.h), repositories/<path>/_manifests/<digest hex> (media type), _tags/<tag> (digest),
 * _layers/<digest hex> (membership), _referrers/<subject hex>/<digest hex> (descriptor); every file by rename. Uploads resume after
 * a restart; one that nobody touched for a day is dropped. */
#ifndef TARE_REGISTRY_SERVER_H
#define TARE_REGISTRY_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct registry_server_options {
        const char *root;              /* data directory, made when missing */
        const char *address;           /* "127.0.0.1" */
        uint16_t port;                 /* 0: the system chooses; the chosen one is told to on_ready */
        const char *certificate, *key; /* PEM files: HTTPS; NULL: HTTP */
        const char *htpasswd;          /* bcrypt/sha entries as htpasswd -B writes; NULL: open */
        bool read_only;
        bool allow_delete;
        void (*on_ready)(void *data, uint16_t port);
        void (*on_request)(void *data, const char *client, const char *method, const char *url, unsigned status, uint64_t bytes);
        void *data;
        int stop_fd;                   /* the server ends when this becomes readable */
};
/* Serves until stop_fd; open requests are let finish. */
int registry_server_run(const struct registry_server_options *options, struct err *err);
/* Removes blobs no manifest of any repository reaches; safe beside a running server, which only spares what was used within
 * the last hour (a push may be under way). */
int registry_server_collect(const char *root, bool dry_run, uint64_t *ret_bytes, unsigned *ret_blobs, struct err *err);

#endif

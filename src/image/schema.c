#include "image/images.h"

/* An image row is keyed by its manifest, because two manifests may share one configuration (the same layers compressed otherwise); what a
 * user calls an image is the id. image_blobs and image_layers are the edges garbage is found by: content no edge, name or repo digest
 * mentions is unreachable, and no document has to be parsed to know it. `removed` marks an image forced away while a container still
 * stood on it: it is shown nowhere, and keeps its content until the container is gone. */
static const char *const steps[] = {
        "CREATE TABLE images ("
        " manifest TEXT PRIMARY KEY, id TEXT NOT NULL, media_type TEXT NOT NULL, platform TEXT NOT NULL, chain TEXT "
        "NOT NULL,"
        " created INTEGER NOT NULL, added INTEGER NOT NULL, size INTEGER NOT NULL, parent TEXT,"
        " intermediate INTEGER NOT NULL, removed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
        "CREATE INDEX images_by_id ON images(id);"
        "CREATE INDEX images_by_parent ON images(parent) WHERE parent IS NOT NULL;"
        "CREATE TABLE image_names ("
        " reference TEXT PRIMARY KEY, familiar TEXT NOT NULL, repository TEXT NOT NULL, target TEXT NOT NULL, manifest "
        "TEXT NOT NULL,"
        " tagged INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE INDEX image_names_by_manifest ON image_names(manifest);"
        "CREATE INDEX image_names_by_target ON image_names(target);"
        "CREATE TABLE image_digests ("
        " repository TEXT NOT NULL, digest TEXT NOT NULL, manifest TEXT NOT NULL, familiar TEXT NOT NULL,"
        " PRIMARY KEY (repository, digest, manifest)) WITHOUT ROWID;"
        "CREATE INDEX image_digests_by_manifest ON image_digests(manifest);"
        "CREATE INDEX image_digests_by_digest ON image_digests(digest);"
        "CREATE TABLE image_index (digest TEXT NOT NULL, manifest TEXT NOT NULL, PRIMARY KEY (digest, manifest)) "
        "WITHOUT ROWID;"
        "CREATE INDEX image_index_by_manifest ON image_index(manifest);"
        "CREATE TABLE image_blobs (manifest TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (manifest, digest)) "
        "WITHOUT ROWID;"
        "CREATE INDEX image_blobs_by_digest ON image_blobs(digest);"
        "CREATE TABLE image_layers ("
        " manifest TEXT NOT NULL, position INTEGER NOT NULL, chain TEXT NOT NULL, PRIMARY KEY (manifest, position)) "
        "WITHOUT ROWID;"
        "CREATE INDEX image_layers_by_chain ON image_layers(chain);"
        /* Where a blob is known to be on a registry: what a cross-repository mount can name. */
        "CREATE TABLE blob_repositories ("
        " digest TEXT NOT NULL, domain TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (digest, domain, path)) WITHOUT "
        "ROWID;",
        NULL,
};

const struct db_schema image_schema = { .name = "image", .steps = steps };

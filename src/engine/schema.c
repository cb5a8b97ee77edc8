#include "engine/engine-internal.h"

/* A container's definition is `config`; state and the columns after it are its last word, true while no run directory says more.
 * endpoint is JSON, set while it holds an address. */
static const char *const steps[] = {
        "CREATE TABLE containers ("
        " id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image TEXT NOT NULL, chain TEXT NOT NULL, created INTEGER NOT NULL,"
        " config TEXT NOT NULL, state INTEGER NOT NULL, exit_code INTEGER NOT NULL DEFAULT 0, started INTEGER NOT NULL DEFAULT 0,"
        " finished INTEGER NOT NULL DEFAULT 0, oom INTEGER NOT NULL DEFAULT 0, restarts INTEGER NOT NULL DEFAULT 0,"
        " error TEXT NOT NULL DEFAULT '', stopped INTEGER NOT NULL DEFAULT 0, network TEXT, endpoint TEXT) WITHOUT ROWID;"
        "CREATE INDEX containers_image ON containers (image);"
        "CREATE TABLE volumes ("
        " name TEXT PRIMARY KEY, created INTEGER NOT NULL, anonymous INTEGER NOT NULL, labels TEXT, options TEXT) WITHOUT ROWID;"
        "CREATE TABLE container_volumes ("
        " container TEXT NOT NULL, volume TEXT NOT NULL, PRIMARY KEY (container, volume)) WITHOUT ROWID;"
        "CREATE INDEX container_volumes_volume ON container_volumes (volume);",
        NULL,
};

const struct db_schema engine_schema = { "engine", steps };

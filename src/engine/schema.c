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
        /* what each run used (engine/stats.h); started 0: the sum of older ones */
        "CREATE TABLE meters ("
        " container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE, started INTEGER NOT NULL, runs INTEGER NOT NULL, run_ms INTEGER NOT NULL,"
        " cpu_ns INTEGER NOT NULL, cpu_user_ns INTEGER NOT NULL, cpu_system_ns INTEGER NOT NULL, memory_byte_ms INTEGER NOT NULL,"
        " memory_peak INTEGER NOT NULL, io_read_bytes INTEGER NOT NULL, io_write_bytes INTEGER NOT NULL, io_read_ops INTEGER NOT NULL,"
        " io_write_ops INTEGER NOT NULL, received INTEGER NOT NULL, sent INTEGER NOT NULL, oom_kills INTEGER NOT NULL, cpu_waiting_us INTEGER NOT NULL,"
        " memory_waiting_us INTEGER NOT NULL, memory_stalled_us INTEGER NOT NULL, io_waiting_us INTEGER NOT NULL, io_stalled_us INTEGER NOT NULL,"
        " PRIMARY KEY (container, started)) WITHOUT ROWID;",
        /* owner: a container's id, "volume:NAME"; storage/quota.h */
        "CREATE TABLE projects (owner TEXT PRIMARY KEY, project INTEGER NOT NULL UNIQUE) WITHOUT ROWID;",
        NULL,
};

const struct db_schema engine_schema = { "engine", steps };

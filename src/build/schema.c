#include "build/build.h"

static const char *const steps[] = {
        "CREATE TABLE build_step (key TEXT PRIMARY KEY, config TEXT NOT NULL, layer TEXT, media_type TEXT, size INTEGER, chain TEXT,"
        " image TEXT, used INTEGER NOT NULL) WITHOUT ROWID;",
        NULL,
};
const struct db_schema build_schema = { .name = "build", .steps = steps };

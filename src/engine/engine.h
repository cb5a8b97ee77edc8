/* The engine: one handle on a data root. Everything a user can do is one function of this room; cli/ and later api/ only decode,
 * call and encode.
 *
 * The data root (default /var/lib/tare, $TARE_ROOT) survives reboots; the run root (default /run/tare, $TARE_RUN) does not. Opening
 * costs one SQLite open; storage is opened when first asked for. A handle is for one thread. */
#ifndef TARE_ENGINE_ENGINE_H
#define TARE_ENGINE_ENGINE_H

#include <stdbool.h>
#include "base/db.h"
#include "base/err.h"
#include "base/mem.h"
#include "storage/storage.h"

struct engine;

struct engine_options {
        const char *root;              /* NULL: $TARE_ROOT, else /var/lib/tare (rootless: ~/.local/share/tare) */
        const char *run;               /* NULL: $TARE_RUN, else /run/tare (rootless: $XDG_RUNTIME_DIR/tare) */
        const char *storage_driver;    /* NULL: recorded or best */
};

int engine_open(const struct engine_options *options, struct engine **ret, struct err *err);
void engine_close(struct engine *e);
DEFINE_CLEANUP(struct engine *, engine_close)
#define _cleanup_engine_ _cleanup_(engine_closep)

const char *engine_root(const struct engine *e);
const char *engine_run(const struct engine *e);
struct db *engine_db(struct engine *e);
/* Borrowed; opened on first use. */
int engine_storage(struct engine *e, struct storage **ret, struct err *err);

/* Absolute path (heap) of one of our programs ("tare", "tare-monitor", "tare-transfer"): beside the running one in a build tree,
 * else in the libexec folder of the installation. */
int engine_program(const char *name, char **ret_path, struct err *err);

#endif

/* The engine: one handle on a data root. Everything a user can do is one function of this room; cli/ and later api/ only decode,
 * call and encode.
 *
 * The data root (default /var/lib/tare, $TARE_ROOT) survives reboots; the run root (default /run/tare, $TARE_RUN) does not. Opening
 * costs one SQLite open; storage is opened when first asked for. A handle is for one thread. */
#ifndef TARE_ENGINE_ENGINE_H
#define TARE_ENGINE_ENGINE_H

#include <jansson.h>
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

/* Layers of a chain that are missing, as after a power cut soon after a pull, are made again from their blobs before this returns. One look at
 * each where all are there. */
int engine_layers(struct engine *e, char *const *chain, struct err *err);
/* Sees to it that every layer is on disk (snapshots_settle); without opening the database. engine_close() starts a process for it where this
 * one has committed layers that nobody has synced. */
int engine_settle(const struct engine_options *options, bool wait, struct err *err);

/* Go's text/template over a JSON value, which the command line has and lends for log tags; *ret is heap. */
typedef int (*engine_template_fn)(const char *text, const json_t *value, char **ret, struct err *err);
void engine_lend_template(struct engine *e, engine_template_fn fn);
/* ERR_UNSUPPORTED where nobody has lent one and the text needs it. */
int engine_template(struct engine *e, const char *text, const json_t *value, char **ret, struct err *err);

/* Absolute path (heap) of one of our programs ("tare", "tare-monitor", "tare-transfer"): beside the running one in a build tree,
 * else in the libexec folder of the installation. */
int engine_program(const char *name, char **ret_path, struct err *err);

#endif

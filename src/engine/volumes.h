/* Named and anonymous volumes of the local driver: ROOT/volumes/<name>/_data. */
#ifndef TARE_ENGINE_VOLUMES_H
#define TARE_ENGINE_VOLUMES_H

#include "base/err.h"
#include "base/json.h"
#include "engine/engine.h"

struct volume { char *name, *driver, *mountpoint; int64_t created; char **labels, **options; bool anonymous; };
void volume_done(struct volume *v);
#define _cleanup_volume_ _cleanup_(volume_done)
void volumes_free(struct volume *list, size_t count);
/* name NULL: 64 hex digits are made up. An existing one of the same driver is success. */
int volume_create(struct engine *e, const char *name, char *const *labels, char *const *options, struct volume *ret, struct err *err);
int volume_find(struct engine *e, const char *name, struct volume *ret, struct err *err);
int volume_list(struct engine *e, char *const *filters, struct volume **ret, size_t *ret_count, struct err *err);
/* ERR_CONFLICT "volume is in use - [id, ..]". */
int volume_remove(struct engine *e, const char *name, bool force, struct err *err);
/* Filters: label, label!, and all=true as docker has it. */
int volume_prune(struct engine *e, bool all, char *const *filters, void (*told)(void *data, const char *name), void *data,
                 uint64_t *ret_bytes, struct err *err);
json_t *volume_inspect(const struct volume *v);

#endif

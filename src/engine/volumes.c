#include "engine/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/path.h"
#include "base/selection.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/engine-internal.h"
#include "events/events.h"
#include "storage/quota.h"

char *volume_path(const struct engine *e, const char *name) { return xasprintf("%s/volumes/%s/_data", engine_root(e), name); }

void volume_done(struct volume *v)
{
        free(v->name);
        free(v->driver);
        free(v->mountpoint);
        strv_free(v->labels);
        strv_free(v->options);
        *v = (struct volume){ 0 };
}

void volumes_free(struct volume *list, size_t count)
{
        for (size_t i = 0; i < count; i++)
                volume_done(&list[i]);
        free(list);
}

/* Folder before row: a folder without a row is found by `system check`, a row without a folder would be a lie. */
static int volume_insert(struct engine *e, const char *name, bool anonymous, char *const *labels, char *const *options, struct err *err)
{
        _cleanup_free_ char *path = volume_path(e, name), *labels_text = strv_join(labels, "\n"), *options_text = strv_join(options, "\n");
        if (path_mkdirs(path, 0755, err) < 0)
                return -1;
        return db_exec(engine_db(e), NULL, err,
                       "INSERT INTO volumes (name, created, anonymous, labels, options) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
                       "siiss", name, time_now(), (int64_t)anonymous, labels_text, options_text);
}

static void volume_from_row(struct engine *e, struct db_stmt *stmt, struct volume *ret)
{
        *ret = (struct volume){
                .name = xstrdup(db_str(stmt, 0)), .driver = xstrdup("local"), .mountpoint = volume_path(e, db_str(stmt, 0)),
                .created = db_i64(stmt, 1), .anonymous = db_i64(stmt, 2),
                .labels = strv_split(db_str(stmt, 3) ? db_str(stmt, 3) : "", "\n", false),
                .options = strv_split(db_str(stmt, 4) ? db_str(stmt, 4) : "", "\n", false),
        };
}

int volume_find(struct engine *e, const char *name, struct volume *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(engine_db(e), &stmt, err, "SELECT name, created, anonymous, labels, options FROM volumes WHERE name = ?", "s", name) < 0)
                return -1;
        int more = db_step(stmt, err);
        if (more <= 0)
                return more < 0 ? -1 : err_set(err, ERR_NOT_FOUND, "No such volume: %s", name);
        volume_from_row(e, stmt, ret);
        return 0;
}

static bool name_valid(const char *name)
{
        return name[0] && !strchr("_.-", name[0]) && strlen(name) > 1 && strlen(name) <= 255 &&
               str_only(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
}

static void volume_tell(struct engine *e, const char *action, const char *name)
{
        events_tell(engine_root(e), "volume", action, name, (char *[]){ (char[]){ "driver=local" }, NULL });
}

/* The limit is set while nobody can have written. One that is there already is not put under other limits behind its users' backs. */
static int limited_insert(struct engine *e, const char *name, bool anonymous, char *const *labels, char *const *options,
                          const struct quota_limit *limit, struct err *err)
{
        _cleanup_volume_ struct volume v = { 0 };
        struct err missing = ERR_INIT;
        if (volume_find(e, name, &v, &missing) == 0) {
                _cleanup_free_ char *had = strv_join(v.options, " "), *wanted = strv_join(options, " ");
                return str_eq(had, wanted) ? 0 : err_set(err, ERR_CONFLICT, "volume %s exists with other options: %s", name, str_empty(had) ? "none" : had);
        }
        if (volume_insert(e, name, anonymous, labels, options, err) < 0)
                return -1;
        if (volume_quota_apply(e, name, limit, err) == 0)
                return 0;
        _cleanup_free_ char *data = volume_path(e, name), *folder = xasprintf("%s/volumes/%s", engine_root(e), name);
        if (rmdir(data) == 0)
                (void)!rmdir(folder);
        return -1;
}

int volume_create(struct engine *e, const char *name, char *const *labels, char *const *options, struct volume *ret, struct err *err)
{
        char made[65];
        bool anonymous = str_empty(name);
        if (!anonymous && !name_valid(name))
                return err_set(err, ERR_INVALID,
                               "create %s: \"%s\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed",
                               name, name);
        struct quota_limit limit = { 0 };
        if (volume_quota_parse(options, &limit, err) < 0)
                return -1;
        if (anonymous) {
                random_hex(made, 64);
                name = made;
        }
        if (db_begin(engine_db(e), true, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = engine_db(e);
        if ((options ? limited_insert(e, name, anonymous, labels, options, &limit, err)
                     : volume_insert(e, name, anonymous, labels, options, err)) < 0 ||
            db_commit(tx, err) < 0)
                return -1;
        volume_tell(e, "create", name);
        return volume_find(e, name, ret, err);
}

int volumes_claim(struct engine *e, struct container *c, struct err *err)
{
        for (size_t i = 0; i < c->config.mount_count; i++) {
                struct mount_request *m = &c->config.mounts[i];
                char made[65];
                if (m->kind != MOUNT_VOLUME)
                        continue;
                bool anonymous = str_empty(m->source);
                if (anonymous) {
                        random_hex(made, 64);
                        str_replace(&m->source, made);
                }
                if (volume_insert(e, m->source, anonymous, NULL, NULL, err) < 0 ||
                    db_exec(engine_db(e), NULL, err,
                            "INSERT INTO container_volumes (container, volume) VALUES (?, ?) ON CONFLICT DO NOTHING", "ss", c->id, m->source) < 0)
                        return -1;
        }
        return 0;
}

/* First to a name that no volume has: killed anywhere, we leave it whole or gone. */
static int volume_drop(struct engine *e, const char *name, struct err *err)
{
        char random[17];
        random_hex(random, 16);
        _cleanup_free_ char *path = xasprintf("%s/volumes/%s", engine_root(e), name),
                            *away = xasprintf("%s/volumes/" VOLUME_REMOVED "%s", engine_root(e), random);
        if (rename(path, away) < 0 && errno != ENOENT)
                return err_sys(err, "remove %s", path);
        if (tree_remove_at(AT_FDCWD, away, err) < 0 || volume_quota_release(e, name, err) < 0)
                return -1;
        return db_exec(engine_db(e), NULL, err, "DELETE FROM volumes WHERE name = ?", "s", name);
}

static bool has_volumes(const struct container *c)
{
        for (size_t i = 0; i < c->config.mount_count; i++)
                if (c->config.mounts[i].kind == MOUNT_VOLUME)
                        return true;
        return false;
}

int volumes_unclaim(struct engine *e, const struct container *c, bool remove_anonymous, struct err *err)
{
        struct db *db = engine_db(e);
        if (!has_volumes(c))
                return 0;
        _cleanup_strv_ char **unused = NULL;
        if (remove_anonymous) {
                _cleanup_stmt_ struct db_stmt *stmt = NULL;
                int more;
                if (db_query(db, &stmt, err,
                             "SELECT volume FROM container_volumes JOIN volumes ON name = volume WHERE container = ?1 AND anonymous AND NOT EXISTS"
                             " (SELECT 1 FROM container_volumes o WHERE o.volume = name AND o.container != ?1)",
                             "s", c->id) < 0)
                        return -1;
                while ((more = db_step(stmt, err)) == 1)
                        strv_push(&unused, db_str(stmt, 0));
                if (more < 0)
                        return -1;
        }
        if (db_exec(db, NULL, err, "DELETE FROM container_volumes WHERE container = ?", "s", c->id) < 0)
                return -1;
        STRV_FOREACH (name, unused)
                if (volume_drop(e, *name, err) < 0)
                        return -1;
        return 0;
}

static bool filter_wants(struct engine *e, const struct volume *v, bool used, char *const *filters)
{
        STRV_FOREACH (filter, filters) {
                const char *value;
                if ((value = str_after(*filter, "name=")) && !strstr(v->name, value))
                        return false;
                if ((value = str_after(*filter, "dangling=")) && used == (str_eq(value, "true") || str_eq(value, "1")))
                        return false;
                if ((value = str_after(*filter, "driver=")) && !str_eq(value, v->driver))
                        return false;
                if ((value = str_after(*filter, "label="))) {
                        if (!labels_have(v->labels, value))
                                return false;
                }
        }
        return true;
}

int volume_list(struct engine *e, char *const *filters, struct volume **ret, size_t *ret_count, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        struct volume *list = NULL;
        size_t count = 0;
        int more;
        if (db_query(engine_db(e), &stmt, err,
                     "SELECT name, created, anonymous, labels, options, EXISTS (SELECT 1 FROM container_volumes WHERE volume = name)"
                     " FROM volumes ORDER BY name",
                     "") < 0)
                return -1;
        while ((more = db_step(stmt, err)) == 1) {
                struct volume v;
                volume_from_row(e, stmt, &v);
                if (!filter_wants(e, &v, db_i64(stmt, 5), filters)) {
                        volume_done(&v);
                        continue;
                }
                list = xreallocarray(list, count + 1, sizeof(*list));
                list[count++] = v;
        }
        if (more < 0) {
                volumes_free(list, count);
                return -1;
        }
        *ret = list;
        *ret_count = count;
        return 0;
}

static int refuse_used(struct engine *e, const char *name, struct err *err)
{
        _cleanup_strv_ char **users = NULL;
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(engine_db(e), &stmt, err, "SELECT container FROM container_volumes WHERE volume = ?", "s", name) < 0)
                return -1;
        while ((more = db_step(stmt, err)) == 1)
                strv_push(&users, db_str(stmt, 0));
        if (more < 0 || !users)
                return more;
        _cleanup_free_ char *text = strv_join(users, ", ");
        return err_set(err, ERR_CONFLICT, "remove %s: volume is in use - [%s]", name, text);
}

int volume_remove(struct engine *e, const char *name, bool force, struct err *err)
{
        _cleanup_volume_ struct volume v = { 0 };
        if (volume_find(e, name, &v, err) < 0)
                return force && err->kind == ERR_NOT_FOUND ? 0 : -1;
        if (db_begin(engine_db(e), true, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = engine_db(e);
        if (refuse_used(e, name, err) < 0 || volume_drop(e, name, err) < 0 || db_commit(tx, err) < 0)
                return -1;
        volume_tell(e, "destroy", name);
        return 0;
}

int volume_prune(struct engine *e, bool all, char *const *filters, void (*told)(void *data, const char *name), void *data,
                 uint64_t *ret_bytes, struct err *err)
{
        char *unused[] = { (char *)(uintptr_t) "dangling=true", NULL };
        struct volume *list = NULL;
        size_t count = 0;
        uint64_t bytes = 0;
        struct selection only;
        if (selection_parse(filters, false, &only, err) < 0 || volume_list(e, unused, &list, &count, err) < 0)
                return -1;
        int result = 0;
        for (size_t i = 0; i < count && result == 0; i++) {
                uint64_t used = 0;
                struct err ignored = ERR_INIT;
                if ((!all && !list[i].anonymous) || !selection_wants(&only, list[i].created, list[i].labels))
                        continue;
                tree_usage_at(AT_FDCWD, list[i].mountpoint, &used, &ignored);
                result = volume_remove(e, list[i].name, true, err);
                if (result == 0 && told)
                        told(data, list[i].name);
                bytes += used;
        }
        volumes_free(list, count);
        *ret_bytes = bytes;
        return result;
}

json_t *volume_inspect(const struct volume *v)
{
        char created[TIME_TEXT_SIZE];
        return json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:s}", "CreatedAt", time_format(v->created, created), "Driver", v->driver, "Labels",
                         v->labels ? json_from_map(v->labels) : json_null(), "Mountpoint", v->mountpoint, "Name", v->name, "Options",
                         v->options ? json_from_map(v->options) : json_null(), "Scope", "local");
}

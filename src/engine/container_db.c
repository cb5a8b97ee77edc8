/* Rows of the table `containers`. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/endpoint-internal.h"
#include "engine/engine-internal.h"

int container_resolve(struct engine *e, const char *name, char ret_id[65], struct err *err)
{
        const char *text = name[0] == '/' ? name + 1 : name;
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        /* a full id or a name wins over a prefix; one more row than needed shows ambiguity */
        if (db_query(engine_db(e), &stmt, err,
                     "SELECT id, 0 FROM containers WHERE id = ?1 OR name = ?1 UNION ALL "
                     "SELECT id, 1 FROM containers WHERE id > ?1 AND id < ?1 || 'g' AND ?2 ORDER BY 2 LIMIT 2",
                     "si", text, (int64_t)str_only(text, "0123456789abcdef")) < 0)
                return -1;
        int more = db_step(stmt, err);
        if (more < 0)
                return -1;
        if (more == 0)
                return err_set(err, ERR_NOT_FOUND, "No such container: %s", name);
        snprintf(ret_id, 65, "%s", db_str(stmt, 0));
        bool prefix = db_i64(stmt, 1);
        if (prefix && (more = db_step(stmt, err)) != 0)
                return more < 0 ? -1 : err_set(err, ERR_INVALID, "Multiple IDs found with provided prefix: %s", name);
        return 0;
}

static int name_taken(struct engine *e, const struct container *c, struct err *err)
{
        char owner[65];
        struct err ignored = ERR_INIT;
        if (container_resolve(e, c->name, owner, &ignored) < 0)
                return -1;
        return err_set(err, ERR_CONFLICT,
                       "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to remove (or "
                       "rename) that container to be able to reuse that name.",
                       c->name, owner);
}

int container_row_insert(struct engine *e, const struct container *c, struct err *err)
{
        _cleanup_json_ json_t *config = container_config_to_json(&c->config);
        _cleanup_free_ char *text = json_text(config);
        _cleanup_free_ char *chain = strv_join(c->chain, "\n");
        _cleanup_free_ char *endpoint = endpoint_to_text(&c->endpoint);
        if (db_exec(engine_db(e), NULL, err,
                    "INSERT INTO containers (id, name, image, chain, created, config, state, endpoint) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    "ssssisis", c->id, c->name, c->image_id, chain, c->created, text, (int64_t)c->status.state, endpoint) == 0)
                return 0;
        return err->kind == ERR_CONFLICT ? name_taken(e, c, err) : -1;
}

static int status_from_row(struct db_stmt *stmt, struct container *c)
{
        c->status.state = (enum container_state)db_i64(stmt, 5);
        c->status.exit_code = (int32_t)db_i64(stmt, 6);
        c->status.started = db_i64(stmt, 7);
        c->status.finished = db_i64(stmt, 8);
        c->status.oom_killed = db_i64(stmt, 9);
        c->status.restarts = (uint32_t)db_i64(stmt, 10);
        snprintf(c->status.error, sizeof(c->status.error), "%s", db_str(stmt, 11) ? db_str(stmt, 11) : "");
        c->stopped_by_user = db_i64(stmt, 12);
        return 0;
}

/* What ps shows under COMMAND: path and arguments, blanks between. */
static char *command_text(const struct container_config *c)
{
        _cleanup_strv_ char **all = strv_dup(c->entrypoint);
        strv_extend(&all, c->cmd);
        return strv_join(all, " ");
}

int container_row_load(struct engine *e, const char *id, struct container *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(engine_db(e), &stmt, err,
                     "SELECT name, image, chain, created, config, state, exit_code, started, finished, oom, restarts, error,"
                     " stopped, endpoint FROM containers WHERE id = ?",
                     "s", id) < 0)
                return -1;
        int more = db_step(stmt, err);
        if (more <= 0)
                return more < 0 ? -1 : err_set(err, ERR_NOT_FOUND, "No such container: %s", id);

        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        const char *text = db_str(stmt, 4);
        _cleanup_json_ json_t *config = json_parse(text, strlen(text), BUF_DEFAULT_MAX, "container", err);
        if (!config || container_config_from_json(config, &c.config, err) < 0)
                return err_add(err, "container %.12s", id);
        snprintf(c.id, sizeof(c.id), "%s", id);
        c.name = xstrdup(db_str(stmt, 0));
        c.image_id = xstrdup(db_str(stmt, 1));
        c.chain = strv_split(db_str(stmt, 2), "\n", false);
        c.created = db_i64(stmt, 3);
        status_from_row(stmt, &c);
        if (db_str(stmt, 13) && endpoint_from_text(db_str(stmt, 13), &c.endpoint, err) < 0)
                return err_add(err, "container %.12s", id);
        c.command = command_text(&c.config);
        *ret = c;
        memset(&c, 0, sizeof(c));
        container_config_init(&c.config);
        return 0;
}

void container_done(struct container *c)
{
        free(c->name);
        free(c->image_id);
        strv_free(c->chain);
        container_config_done(&c->config);
        endpoint_done(&c->endpoint);
        free(c->command);
        memset(c, 0, sizeof(*c));
}

void containers_free(struct container *list, size_t count)
{
        for (size_t i = 0; i < count; i++)
                container_done(&list[i]);
        free(list);
}

int container_row_finish(struct engine *e, const char *id, const struct container_status *s, struct err *err)
{
        return db_exec(engine_db(e), NULL, err,
                       "UPDATE containers SET state = ?, exit_code = ?, started = ?, finished = ?, oom = ?, restarts = ?, error = ?,"
                       " endpoint = NULL WHERE id = ?",
                       "iiiiiiss", (int64_t)s->state, (int64_t)s->exit_code, s->started, s->finished, (int64_t)s->oom_killed,
                       (int64_t)s->restarts, s->error, id);
}

int container_row_set_endpoint(struct engine *e, const struct container *c, struct err *err)
{
        _cleanup_free_ char *endpoint = endpoint_to_text(&c->endpoint);
        return db_exec(engine_db(e), NULL, err, "UPDATE containers SET endpoint = ?, stopped = 0 WHERE id = ?", "ss", endpoint,
                       c->id);
}

int container_row_set_stopped(struct engine *e, const char *id, bool by_user, struct err *err)
{
        return db_exec(engine_db(e), NULL, err, "UPDATE containers SET stopped = ? WHERE id = ?", "is", (int64_t)by_user, id);
}

int container_row_set_state(struct engine *e, const char *id, enum container_state state, struct err *err)
{
        return db_exec(engine_db(e), NULL, err, "UPDATE containers SET state = ? WHERE id = ?", "is", (int64_t)state, id);
}

int container_row_delete(struct engine *e, const char *id, struct err *err)
{
        return db_exec(engine_db(e), NULL, err, "DELETE FROM containers WHERE id = ?", "s", id);
}

bool container_uses_image(void *data, const char *image_id, char ret_container[65], bool *ret_running)
{
        struct engine *e = data;
        struct err ignored = ERR_INIT;
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        /* a running one tells more than a stopped one */
        if (db_query(engine_db(e), &stmt, &ignored, "SELECT id, state FROM containers WHERE image = ? ORDER BY state = ? DESC LIMIT 1", "si",
                     image_id, (int64_t)STATE_RUNNING) < 0 ||
            db_step(stmt, &ignored) != 1)
                return false;
        snprintf(ret_container, 65, "%s", db_str(stmt, 0));
        *ret_running = db_i64(stmt, 1) == STATE_RUNNING;
        return true;
}

int container_rename(struct engine *e, const char *name, const char *new_name, struct err *err)
{
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        const char *wanted = new_name[0] == '/' ? new_name + 1 : new_name;
        if (!container_name_valid(wanted))
                return err_set(err, ERR_INVALID,
                               "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", new_name);
        if (container_resolve(e, name, c.id, err) < 0 || container_row_load(e, c.id, &c, err) < 0)
                return -1;
        if (str_eq(c.name, wanted))
                return err_set(err, ERR_INVALID, "Renaming a container with the same name as its current name");
        _cleanup_free_ char *old = c.name;
        c.name = xstrdup(wanted);
        if (db_begin(engine_db(e), false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = engine_db(e);
        if (db_exec(tx, NULL, err, "UPDATE containers SET name = ? WHERE id = ?", "ss", c.name, c.id) < 0)
                return err->kind == ERR_CONFLICT ? name_taken(e, &c, err) : -1;
        if (db_commit(tx, err) < 0)
                return -1;
        container_tell_one(e, &c, "rename", "oldName", old);
        return 0;
}

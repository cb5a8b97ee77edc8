/* From a configuration to a row: image, merge, checks, volumes, name. */
#include <string.h>

#include "base/digest.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/create-internal.h"
#include "engine/engine-internal.h"
#include "engine/log-internal.h"
#include "engine/spec-internal.h"
#include "oci/config.h"

static int image_load(struct engine *e, struct container *c, struct err *err)
{
        struct storage *st;
        _cleanup_image_ struct image image = { 0 };
        _cleanup_image_config_ struct image_config config;
        image_config_init(&config);
        if (engine_storage(e, &st, err) < 0 || container_image_find(e, c->config.image, c->config.platform, &image, err) < 0 ||
            image_read_config(st, &image, &config, err) < 0 || engine_layers(e, image.chain, err) < 0)
                return -1;
        container_config_merge(&c->config, &config.exec);
        c->image_id = TAKE_PTR(image.id);
        c->chain = TAKE_PTR(image.chain);
        return 0;
}

/* --volumes-from CONTAINER[:ro|rw]: its mounts, where ours has none. */
static int volumes_from(struct engine *e, struct container_config *c, struct err *err)
{
        STRV_FOREACH (text, c->volumes_from) {
                _cleanup_container_ struct container other = { 0 };
                container_config_init(&other.config);
                _cleanup_strv_ char **parts = strv_split(*text, ":", true);
                if (parts[1] && !str_eq(parts[1], "ro") && !str_eq(parts[1], "rw"))
                        return err_set(err, ERR_INVALID, "invalid mode for volumes-from: %s", parts[1]);
                if (container_load(e, parts[0], &other, err) < 0)
                        return -1;
                for (size_t i = 0; i < other.config.mount_count; i++) {
                        const struct mount_request *m = &other.config.mounts[i];
                        if (m->kind == MOUNT_TMPFS)
                                continue;
                        c->mounts = xreallocarray(c->mounts, c->mount_count + 1, sizeof(*c->mounts));
                        c->mounts[c->mount_count++] = (struct mount_request){
                                .kind = m->kind, .source = xstrdup(m->source), .target = xstrdup(m->target), .no_copy = true,
                                .read_only = m->read_only || str_eq(parts[1], "ro"), .tmpfs_mode = -1,
                                .propagation = m->propagation ? xstrdup(m->propagation) : NULL };
                }
        }
        return 0;
}

/* What is shared with another container is kept by its id, which does not change; so is the host name of a shared network. */
static int joined_resolve(struct engine *e, char **mode, char **ret_hostname, struct err *err)
{
        const char *name = str_after(str_empty(*mode) ? "" : *mode, "container:");
        _cleanup_container_ struct container other = { 0 };
        container_config_init(&other.config);
        if (!name)
                return 0;
        if (container_load(e, name, &other, err) < 0)
                return -1;
        char *resolved = xasprintf("container:%s", other.id);
        free(*mode);
        *mode = resolved;
        if (ret_hostname)
                *ret_hostname = container_hostname(&other);
        return 0;
}

static int joins_resolve(struct engine *e, struct container_config *c, struct err *err)
{
        _cleanup_free_ char *hostname = NULL;
        if (joined_resolve(e, &c->network_mode, &hostname, err) < 0 || joined_resolve(e, &c->ipc_mode, NULL, err) < 0 ||
            joined_resolve(e, &c->pid_mode, NULL, err) < 0 || joined_resolve(e, &c->uts_mode, NULL, err) < 0)
                return -1;
        if (hostname && !str_eq(c->uts_mode, "host")) {
                free(c->hostname);
                c->hostname = TAKE_PTR(hostname);
        }
        return 0;
}

int container_prepare(struct engine *e, struct container_config *config, const char *name, struct container *ret, struct err *err)
{
        _cleanup_container_ struct container c = { .config = *config };
        container_config_init(config);
        _cleanup_free_ char *tag = NULL;
        if (str_empty(c.config.log_driver))
                str_replace(&c.config.log_driver, LOG_DRIVER_DEFAULT);
        if (name && !container_name_valid(name[0] == '/' ? name + 1 : name))
                return err_set(err, ERR_INVALID, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
        if (volumes_from(e, &c.config, err) < 0 || image_load(e, &c, err) < 0 || container_config_check(&c.config, err) < 0 ||
            container_config_check_host(&c.config, err) < 0 || spec_check(&c.config, err) < 0 ||
            joins_resolve(e, &c.config, err) < 0 || container_quota_check(e, &c.config, err) < 0)
                return -1;
        if (!c.config.entrypoint && !c.config.cmd)
                return err_set(err, ERR_INVALID, "No command specified");
        random_hex(c.id, 64);
        /* an all-digit short id would be a bad host name (docker avoids it too) */
        while (strspn(c.id, "0123456789") >= 12)
                random_hex(c.id, 64);
        c.name = name ? xstrdup(name[0] == '/' ? name + 1 : name) : container_name_random(0);
        if (log_tag(e, &c, NULL, &tag, err) < 0)
                return -1;
        c.created = time_now();
        c.status.state = STATE_CREATED;
        *ret = c;
        memset(&c, 0, sizeof(c));
        container_config_init(&c.config);
        return 0;
}

int container_insert(struct engine *e, struct container *c, bool name_given, struct err *err)
{
        if (volumes_claim(e, c, err) < 0)
                return -1;
        for (unsigned attempt = 1;; attempt++) {
                if (container_row_insert(e, c, err) == 0)
                        return container_quota_lease(e, c, err);
                if (name_given || err->kind != ERR_CONFLICT || attempt > 8)
                        return -1;
                free(c->name);
                c->name = container_name_random(attempt);
        }
}

static int row_make(struct engine *e, struct container *c, bool name_given, struct err *err)
{
        if (db_begin(engine_db(e), false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = engine_db(e);
        return container_insert(e, c, name_given, err) < 0 || db_commit(tx, err) < 0 ? -1 : 0;
}

int container_create(struct engine *e, struct container_config *config, const char *name, char ret_id[65], struct err *err)
{
        struct storage *st;
        struct err ignored = ERR_INIT;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_prepare(e, config, name, &c, err) < 0 || engine_storage(e, &st, err) < 0)
                return -1;
        /* from the row on it can be started, and who does that would make a missing root too */
        _cleanup_close_ int lock = container_lock(e, c.id, err);
        if (lock < 0)
                return -1;
        if (row_make(e, &c, name != NULL, err) < 0) {
                run_dir_remove(e, c.id, &ignored);
                return -1;
        }
        if (root_create(st->snapshots, c.id, c.chain, err) < 0 || container_quota_apply(e, &c, err) < 0) {
                container_destroy(e, &c, true, &ignored);
                return -1;
        }
        if (run_dir_remove(e, c.id, err) < 0)
                return -1;
        container_tell(e, &c, "create", NULL);
        memcpy(ret_id, c.id, sizeof(c.id));
        return 0;
}

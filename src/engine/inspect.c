#include "engine/inspect-internal.h"

#include "base/str.h"
#include "base/timefmt.h"
#include "engine/engine-internal.h"
#include "engine/log-internal.h"
#include "engine/volumes.h"
#include "storage/snapshot.h"

/* By way of a list, which makes valid UTF-8 of anything. */
json_t *inspect_text(const char *s)
{
        char *const one[] = { (char *)(uintptr_t)(s ? s : ""), NULL };
        _cleanup_json_ json_t *list = json_from_strv(one);
        return json_incref(json_array_get(list, 0));
}

json_t *inspect_time(int64_t ns)
{
        char text[TIME_TEXT_SIZE];
        return json_string(ns ? time_format(ns, text) : "0001-01-01T00:00:00Z");
}

json_t *inspect_set(char *const *names)
{
        json_t *set = json_object();
        STRV_FOREACH (name, names)
                json_object_set_new(set, *name, json_object());
        return set;
}

bool inspect_is_anonymous(const struct inspection *x, const struct mount_request *m)
{
        _cleanup_volume_ struct volume v = { 0 };
        struct err ignored = ERR_INIT;
        if (m->kind != MOUNT_VOLUME || str_empty(m->source))
                return m->kind == MOUNT_VOLUME;
        /* the made-up names have 64 digits; others need no look */
        return strlen(m->source) == 64 && volume_find(x->engine, m->source, &v, &ignored) == 0 && v.anonymous;
}

/* Entrypoint and command are one list: its first is the path. */
static void command_set(json_t *o, const struct container_config *c)
{
        _cleanup_strv_ char **all = strv_dup(c->entrypoint);
        strv_extend(&all, c->cmd);
        json_object_set_new(o, "Path", inspect_text(all ? all[0] : NULL));
        json_object_set_new(o, "Args", json_from_strv(all && all[0] ? all + 1 : NULL));
}

/* Files of the run directory exist only while the container runs. */
static json_t *run_file(const struct inspection *x, const char *name)
{
        _cleanup_free_ char *dir = run_dir_path(x->engine, x->container->id), *path = xasprintf("%s/%s", dir, name);
        return inspect_text(container_is_running(x->container) ? path : NULL);
}

static json_t *log_path(const struct inspection *x)
{
        const struct container *c = x->container;
        _cleanup_free_ char *dir = container_dir_path(x->engine, c->id), *path = log_file_path(dir, c->id, &c->config);
        /* as docker: the files of `local` are none of anybody's business */
        return inspect_text(str_eq(log_driver_name(&c->config), "local") ? NULL : path);
}

static json_t *name_with_slash(const struct container *c)
{
        _cleanup_free_ char *name = xasprintf("/%s", c->name);
        return json_string(name);
}

static const char *apparmor(const struct container_config *c)
{
        STRV_FOREACH (option, c->security_opt) {
                const char *profile = str_after(*option, "apparmor=");
                if (profile)
                        return profile;
        }
        return "";
}

/* There is no merged directory: the root is mounted in the container's own mount namespace only. */
static json_t *graph_driver(const struct inspection *x)
{
        _cleanup_free_ char *upper = root_writable_path(x->storage->snapshots, x->container->id);
        return json_pack("{s:{s:o}, s:s}", "Data", "UpperDir", inspect_text(upper), "Name", snapshots_driver(x->storage->snapshots));
}

static int sizes_set(const struct inspection *x, json_t *o, struct err *err)
{
        uint64_t own = 0, all, layer;
        if (root_usage(x->storage->snapshots, x->container->id, &own, err) < 0 && err->kind != ERR_NOT_FOUND)
                return -1;             /* not found: it is just being made or removed */
        all = own;
        STRV_FOREACH (chain_id, x->container->chain) {
                if (!layer_exists(x->storage->snapshots, *chain_id))
                        continue; /* made again when the container is used */
                if (layer_size(x->storage->snapshots, *chain_id, &layer, err) < 0)
                        return -1;
                all += layer;
        }
        json_object_set_new(o, "SizeRw", json_integer((json_int_t)own));
        json_object_set_new(o, "SizeRootFs", json_integer((json_int_t)all));
        return 0;
}

static json_t *head(const struct inspection *x)
{
        const struct container *c = x->container;
        json_t *o = json_pack("{s:s, s:o}", "Id", c->id, "Created", inspect_time(c->created));
        command_set(o, &c->config);
        json_object_set_new(o, "State", inspect_state(x));
        json_object_set_new(o, "Image", inspect_text(c->image_id));
        json_object_set_new(o, "ResolvConfPath", run_file(x, "resolv.conf"));
        json_object_set_new(o, "HostnamePath", run_file(x, "hostname"));
        json_object_set_new(o, "HostsPath", run_file(x, "hosts"));
        json_object_set_new(o, "LogPath", log_path(x));
        json_object_set_new(o, "Name", name_with_slash(c));
        json_object_set_new(o, "RestartCount", json_integer(c->status.restarts));
        json_object_set_new(o, "Driver", json_string(snapshots_driver(x->storage->snapshots)));
        json_object_set_new(o, "Platform", json_string("linux"));
        json_object_set_new(o, "MountLabel", json_string(""));
        json_object_set_new(o, "ProcessLabel", json_string(""));
        json_object_set_new(o, "AppArmorProfile", inspect_text(apparmor(&c->config)));
        json_object_set_new(o, "ExecIDs", json_null());
        return o;
}

int container_inspect(struct engine *e, const char *name, bool size, json_t **ret, struct err *err)
{
        _cleanup_container_ struct container c = { 0 };
        struct inspection x = { .engine = e, .container = &c };
        container_config_init(&c.config);
        if (container_load(e, name, &c, err) < 0 || engine_storage(e, &x.storage, err) < 0)
                return -1;
        _cleanup_json_ json_t *o = head(&x);
        json_object_set_new(o, "HostConfig", inspect_host(&x));
        json_object_set_new(o, "GraphDriver", graph_driver(&x));
        if (size && sizes_set(&x, o, err) < 0)
                return -1;
        json_object_set_new(o, "Mounts", inspect_mounts(&x));
        json_object_set_new(o, "Config", inspect_config(&x));
        json_object_set_new(o, "NetworkSettings", inspect_network(&x));
        *ret = TAKE_PTR(o);
        return 0;
}

/* diff: what a container changed, without what its start put there. */
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"

/* Made by the runtime to mount upon when the image has none; docker hides them in a layer of its own. */
static const char *const mount_points[] = { "/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv" };

struct change { char kind; bool ours; char *path; };
struct change_list { struct change *list; size_t count; };

static void change_list_done(struct change_list *l)
{
        for (size_t i = 0; i < l->count; i++)
                free(l->list[i].path);
        free(l->list);
}

static bool is_ours(char kind, const char *path)
{
        for (size_t i = 0; kind == 'A' && i < ELEMENTS(mount_points); i++)
                if (str_eq(path, mount_points[i]))
                        return true;
        return false;
}

static int collect(void *data, char kind, const char *path, struct err *err)
{
        struct change_list *l = data;
        if ((l->count & (l->count + 1)) == 0)  /* grows at every power of two less one */
                l->list = xreallocarray(l->list, 2 * l->count + 1, sizeof(*l->list));
        l->list[l->count++] = (struct change){ kind, is_ours(kind, path), xstrdup(path) };
        return 0;
}

/* A folder that stands there only for what we put into it is not the container's change either. What lies below the i-th comes after it, among
 * names that only begin like it ("/etc-x" is sorted before "/etc/x"). */
static bool only_ours_below(const struct change_list *l, size_t i)
{
        bool any = false;
        for (size_t below = i + 1; below < l->count && str_starts(l->list[below].path, l->list[i].path); below++) {
                if (!path_is_below(l->list[below].path, l->list[i].path))
                        continue;
                if (!l->list[below].ours)
                        return false;
                any = true;
        }
        return any;
}

int container_changes(struct engine *e, const char *name, root_change_fn fn, void *data, struct err *err)
{
        struct storage *st;
        _cleanup_container_ struct container c = { 0 };
        _cleanup_(change_list_done) struct change_list l = { 0 };
        container_config_init(&c.config);
        if (container_load(e, name, &c, err) < 0 || engine_storage(e, &st, err) < 0)
                return -1;
        if (!root_exists(st->snapshots, c.id))
                return 0;              /* never started after a kill in its making: nothing written */
        if (engine_layers(e, c.chain, err) < 0 || root_changes(st->snapshots, c.id, collect, &l, err) < 0)
                return -1;
        for (size_t i = 0; i < l.count; i++) {
                if (l.list[i].ours || only_ours_below(&l, i))
                        continue;
                int stop = fn(data, l.list[i].kind, l.list[i].path, err);
                if (stop)
                        return stop;
        }
        return 0;
}

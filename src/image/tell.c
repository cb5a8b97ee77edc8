/* What is told of an image: its id, or what a registry calls it, and its name. */
#include "events/events.h"
#include "image/images-internal.h"

void image_tell(struct db *db, const char *action, const char *id, const char *name)
{
        /* the database lies in the data root */
        const char *path = db_path(db), *slash = strrchr(path, '/');
        _cleanup_free_ char *root = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
        _cleanup_free_ char *attribute = xasprintf("name=%s", name ? name : id);
        events_tell(root, "image", action, id, (char *[]){ attribute, NULL });
}

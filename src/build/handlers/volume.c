#include "build/gotext-internal.h"
#include "build/handlers-internal.h"

#include "base/str.h"

int change_volume(struct change *c, const struct instruction *in, struct err *err)
{
        _cleanup_strv_ char **shown = NULL;
        STRV_FOREACH (a, in->args) {
                char *path = NULL;
                if (change_expand(c, *a, &path, err) < 0)
                        return -1;
                strv_push(&shown, str_trim(path));
                free(path);
                if (!*shown[strv_len(shown) - 1])
                        return err_set(err, ERR_INVALID, "VOLUME specified can not be an empty string");
                strv_add_sorted(&c->exec->volumes, shown[strv_len(shown) - 1]);
        }
        _cleanup_free_ char *list = go_list(shown);
        c->comment = xasprintf("VOLUME %s", list);
        return 0;
}

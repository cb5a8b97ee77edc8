#include "build/handlers-internal.h"

#include "base/path.h"
#include "base/str.h"

/* A relative one goes on from the one before. The directory itself is made by the step. */
int change_workdir(struct change *c, const struct instruction *in, struct err *err)
{
        _cleanup_free_ char *text = NULL;
        if (change_expand(c, in->args[0], &text, err) < 0)
                return -1;
        if (!*text)
                return err_set(err, ERR_INVALID, "cannot normalize nothing");
        char *path = path_join(str_empty(c->exec->working_dir) ? "/" : c->exec->working_dir, text);
        free(c->exec->working_dir);
        c->exec->working_dir = path;
        c->comment = xasprintf("WORKDIR %s", path);
        c->tight = true;
        return 0;
}

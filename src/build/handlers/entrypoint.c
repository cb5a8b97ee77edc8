#include "build/gotext-internal.h"
#include "build/handlers-internal.h"

#include "base/str.h"

/* The base image's CMD belonged to the base image's ENTRYPOINT: only one that this Dockerfile set stays. */
int change_entrypoint(struct change *c, const struct instruction *in, struct err *err)
{
        strv_free(c->exec->entrypoint);
        c->exec->entrypoint = exec_command(c->exec, in);
        if (c->cmd_set && !*c->cmd_set) {
                strv_free(c->exec->cmd);
                c->exec->cmd = NULL;
        }
        _cleanup_free_ char *list = go_quote_list(c->exec->entrypoint);
        c->comment = xasprintf("ENTRYPOINT %s", list);
        return 0;
}

#include "build/gotext-internal.h"
#include "build/handlers-internal.h"

#include "base/str.h"

int change_cmd(struct change *c, const struct instruction *in, struct err *err)
{
        strv_free(c->exec->cmd);
        c->exec->cmd = exec_command(c->exec, in);
        if (c->cmd_set)
                *c->cmd_set = true;
        _cleanup_free_ char *list = go_quote_list(c->exec->cmd);
        c->comment = xasprintf("CMD %s", list);
        return 0;
}

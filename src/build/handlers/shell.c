#include "build/gotext-internal.h"
#include "build/handlers-internal.h"

#include "base/str.h"

int change_shell(struct change *c, const struct instruction *in, struct err *err)
{
        strv_free(c->exec->shell);
        c->exec->shell = strv_dup(in->args);
        _cleanup_free_ char *list = go_list(in->args);
        c->comment = xasprintf("SHELL %s", list);
        return 0;
}

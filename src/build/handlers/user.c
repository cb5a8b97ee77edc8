#include "build/handlers-internal.h"

#include "base/str.h"

int change_user(struct change *c, const struct instruction *in, struct err *err)
{
        _cleanup_free_ char *user = NULL;
        if (change_expand(c, in->args[0], &user, err) < 0)
                return -1;
        c->comment = xasprintf("USER %s", user);
        str_replace(&c->exec->user, user);
        return 0;
}

#include "build/handlers-internal.h"

#include "base/str.h"

/* Every value is expanded with what was set before this instruction, not by its own earlier words. */
int change_env(struct change *c, const struct instruction *in, struct err *err)
{
        _cleanup_strv_ char **pairs = NULL;
        if (change_expand_pairs(c, in, &pairs, err) < 0)
                return -1;
        STRV_FOREACH (p, pairs)
                strv_env_set(&c->exec->env, *p);
        _cleanup_free_ char *joined = strv_join(pairs, " ");
        c->comment = xasprintf("ENV %s", joined);
        return 0;
}

#include "build/handlers-internal.h"

#include "base/str.h"

int change_maintainer(struct change *c, const struct instruction *in, struct err *err)
{
        if (c->author)
                str_replace(c->author, in->args[0]);
        c->comment = xasprintf("MAINTAINER %s", in->args[0]);
        return 0;
}

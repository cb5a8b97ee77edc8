#include "build/handlers-internal.h"

#include "base/str.h"

/* Expanded only when it is triggered, by the build that stands upon this image. */
int change_onbuild(struct change *c, const struct instruction *in, struct err *err)
{
        strv_push(&c->exec->onbuild, in->args[0]);
        c->comment = xasprintf("ONBUILD %s", in->args[0]);
        return 0;
}

#include "build/handlers-internal.h"

#include "base/str.h"

/* ARG name[=default]... */
int change_arg(struct change *c, const struct instruction *in, struct err *err)
{
        _cleanup_strv_ char **shown = NULL;
        STRV_FOREACH (a, in->args) {
                _cleanup_free_ char *word = NULL;
                if (change_expand(c, *a, &word, err) < 0)
                        return -1;
                _cleanup_free_ char *name = xstrndup(word, strcspn(word, "="));
                if (!*name)
                        return err_set(err, ERR_INVALID, "ARG names can not be blank");
                arg_declare(c->args, name, strchr(word, '=') ? strchr(word, '=') + 1 : NULL);
                strv_push(&shown, word);
        }
        _cleanup_free_ char *joined = strv_join(shown, " ");
        c->comment = xasprintf("ARG %s", joined);
        return 0;
}

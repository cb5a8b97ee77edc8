/* commit --change and import --change: one instruction upon a configuration. */
#include "build/build.h"

#include "base/str.h"
#include "build/handlers-internal.h"
#include "build/instructions-internal.h"

int build_apply_change(const char *line, struct image_exec *exec, struct err *err)
{
        _cleanup_dockerfile_ struct dockerfile d = { 0 };
        if (dockerfile_parse(line, strlen(line), "change", &d, err) < 0)
                return -1;
        if (d.count != 1)
                return err_set(err, ERR_INVALID, "change: more than one instruction");
        const struct instruction_def *def = instruction_def(d.list[0].kind);
        if (!def->change)
                return err_set(err, ERR_INVALID, "%s is not a valid change command", def->name);
        _cleanup_(image_exec_done) struct image_exec copy = { 0 };
        image_exec_copy(exec, &copy);
        struct change c = { .exec = &copy, .escape = d.escape, .env = copy.env };
        _cleanup_strv_ char **env = strv_dup(exec->env);
        c.env = env;
        int r = change_handler(d.list[0].kind)(&c, &d.list[0], err);
        free(c.comment);
        if (r < 0)
                return err_add(err, "change");
        image_exec_done(exec);
        *exec = copy;
        copy = (struct image_exec){ 0 };
        return 0;
}

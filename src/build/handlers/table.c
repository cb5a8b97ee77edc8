#include "build/handlers-internal.h"

#include "base/str.h"

static const change_fn handlers[INSTR_KINDS] = {
        [INSTR_ARG] = change_arg,
        [INSTR_CMD] = change_cmd,
        [INSTR_ENTRYPOINT] = change_entrypoint,
        [INSTR_ENV] = change_env,
        [INSTR_EXPOSE] = change_expose,
        [INSTR_HEALTHCHECK] = change_healthcheck,
        [INSTR_LABEL] = change_label,
        [INSTR_MAINTAINER] = change_maintainer,
        [INSTR_ONBUILD] = change_onbuild,
        [INSTR_SHELL] = change_shell,
        [INSTR_STOPSIGNAL] = change_stopsignal,
        [INSTR_USER] = change_user,
        [INSTR_VOLUME] = change_volume,
        [INSTR_WORKDIR] = change_workdir,
};

change_fn change_handler(enum instruction_kind kind)
{
        return handlers[kind];
}

int change_expand(const struct change *c, const char *word, char **ret, struct err *err)
{
        return dockerfile_expand(word, c->escape, c->env, ret, err);
}

int change_expand_pairs(const struct change *c, const struct instruction *in, char ***ret, struct err *err)
{
        _cleanup_strv_ char **pairs = NULL;
        for (size_t i = 0; in->args[i] && in->args[i + 1]; i += 2) {
                _cleanup_free_ char *name = NULL;
                _cleanup_free_ char *value = NULL;
                if (change_expand(c, in->args[i], &name, err) < 0 || change_expand(c, in->args[i + 1], &value, err) < 0)
                        return -1;
                if (!*name)
                        return err_set(err, ERR_INVALID, "names can not be blank");
                strv_push_take(&pairs, xasprintf("%s=%s", name, value));
        }
        *ret = TAKE_PTR(pairs);
        return 0;
}

char **exec_shell(const struct image_exec *exec)
{
        if (exec->shell)
                return strv_dup(exec->shell);
        char **shell = NULL;
        strv_push(&shell, "/bin/sh");
        strv_push(&shell, "-c");
        return shell;
}

char **exec_command(const struct image_exec *exec, const struct instruction *in)
{
        char **command = in->json ? NULL : exec_shell(exec);
        strv_extend(&command, in->args);
        return command;
}

void strv_add_sorted(char ***v, const char *s)
{
        if (strv_has(*v, s))
                return;
        strv_push(v, s);
        strv_sort(*v);
}

#include "build/args-internal.h"

#include "base/str.h"

static const char *const proxies[] = { "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY",
                                       "ftp_proxy",  "NO_PROXY",   "no_proxy",    "ALL_PROXY",   "all_proxy" };

void arg_scope_done(struct arg_scope *s)
{
        strv_free(s->declared);
        s->declared = NULL;
}

bool arg_is_predefined(const char *name, size_t len)
{
        for (size_t i = 0; i < ELEMENTS(proxies); i++)
                if (strlen(proxies[i]) == len && strncmp(proxies[i], name, len) == 0)
                        return true;
        return false;
}

void arg_declare(struct arg_scope *s, const char *name, const char *value)
{
        const char *given = strv_env_get(s->given, name);
        if (s->used && !strv_has(*s->used, name))
                strv_push(s->used, name);
        if (given)
                value = given;
        else if (!value)
                value = strv_env_get(s->global, name);
        if (!value)
                return;
        _cleanup_free_ char *entry = xasprintf("%s=%s", name, value);
        strv_env_set(&s->declared, entry);
}

static bool env_has(char *const *env, const char *assignment)
{
        _cleanup_free_ char *name = xstrndup(assignment, strcspn(assignment, "="));
        return strv_env_get(env, name) != NULL;
}

char **arg_environment(const struct arg_scope *s, char *const *env)
{
        char **all = s ? strv_dup(s->declared) : NULL;
        STRV_FOREACH (e, env)
                strv_env_set(&all, *e);
        return all;
}

char **arg_run_environment(const struct arg_scope *s, char *const *env)
{
        char **seen = NULL;
        STRV_FOREACH (a, s->declared)
                if (!env_has(env, *a))
                        strv_push(&seen, *a);
        strv_sort(seen);
        return seen;
}

char **arg_proxies(const struct arg_scope *s, char *const *env)
{
        char **seen = NULL;
        STRV_FOREACH (g, s->given)
                if (arg_is_predefined(*g, strcspn(*g, "=")) && strchr(*g, '=') && !env_has(env, *g) &&
                    !env_has(s->declared, *g))
                        strv_env_set(&seen, *g);
        return seen;
}

static void push_platform(char ***v, const char *prefix, const struct platform *p)
{
        _cleanup_free_ char *whole = platform_format(p);
        strv_push_take(v, xasprintf("%sPLATFORM=%s", prefix, whole));
        strv_push_take(v, xasprintf("%sOS=%s", prefix, p->os));
        strv_push_take(v, xasprintf("%sARCH=%s", prefix, p->architecture));
        strv_push_take(v, xasprintf("%sVARIANT=%s", prefix, p->variant ? p->variant : ""));
}

char **arg_platforms(const struct platform *target, const struct platform *build)
{
        char **v = NULL;
        push_platform(&v, "TARGET", target);
        push_platform(&v, "BUILD", build);
        return v;
}

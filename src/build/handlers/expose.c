#include "build/handlers-internal.h"

#include "base/str.h"

static int port_parse(const char *text, uint32_t *ret, struct err *err)
{
        struct err why = ERR_INIT;
        if (!str_only(text, "0123456789") || parse_u32(text, ret, &why) < 0 || *ret > 65535)
                return err_set(err, ERR_INVALID, "invalid containerPort: %s", text);
        return 0;
}

static int ports_add(char ***ports, const char *spec, struct err *err)
{
        _cleanup_free_ char *range = xstrdup(spec);
        const char *protocol = "tcp";
        char *slash = strchr(range, '/');
        if (slash) {
                *slash = '\0';
                str_lower(slash + 1);
                protocol = slash[1] ? slash + 1 : protocol;
        }
        if (!str_eq(protocol, "tcp") && !str_eq(protocol, "udp") && !str_eq(protocol, "sctp"))
                return err_set(err, ERR_INVALID, "invalid proto: %s", protocol);
        char *dash = strchr(range, '-');
        if (dash)
                *dash = '\0';
        uint32_t first, last;
        if (port_parse(range, &first, err) < 0 || port_parse(dash ? dash + 1 : range, &last, err) < 0)
                return -1;
        if (last < first)
                return err_set(err, ERR_INVALID, "invalid range specified for the port: %s", spec);
        for (uint32_t p = first; p <= last; p++)
                strv_push_take(ports, xasprintf("%u/%s", p, protocol));
        return 0;
}

static void drop_doubles(char **v)
{
        size_t kept = 0;
        for (size_t i = 0; v && v[i]; i++) {
                if (kept && str_eq(v[kept - 1], v[i]))
                        free(v[i]);
                else
                        v[kept++] = v[i];
        }
        if (v)
                v[kept] = NULL;
}

/* EXPOSE port[-port][/protocol]... */
int change_expose(struct change *c, const struct instruction *in, struct err *err)
{
        _cleanup_strv_ char **shown = NULL;
        _cleanup_strv_ char **ports = NULL;
        STRV_FOREACH (a, in->args) {
                _cleanup_strv_ char **words = NULL;
                if (dockerfile_expand_words(*a, c->escape, c->env, &words, err) < 0)
                        return -1;
                strv_extend(&shown, words);
        }
        STRV_FOREACH (w, shown)
                if (ports_add(&ports, *w, err) < 0)
                        return -1;
        strv_extend(&c->exec->exposed_ports, ports);
        strv_sort(c->exec->exposed_ports);
        drop_doubles(c->exec->exposed_ports);
        _cleanup_free_ char *joined = strv_join(shown, " ");
        c->comment = xasprintf("EXPOSE %s", joined ? joined : "");
        return 0;
}

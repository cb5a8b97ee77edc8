/* The process of a container: arguments, environment, user, working directory. */
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/spec-internal.h"
#include "runtime/container.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* root needs no look into the image's /etc/passwd */
bool user_is_plain(const char *user) { return str_empty(user) || str_eq(user, "0") || str_eq(user, "root") || str_eq(user, "0:0"); }

static void groups_add(struct oci_process *p, uint32_t gid)
{
        p->additional_gids = xreallocarray(p->additional_gids, p->additional_gid_count + 1, sizeof(gid));
        p->additional_gids[p->additional_gid_count++] = gid;
}

/* --group-add takes numbers, and names of the image's /etc/group (resolved as ":name"). */
static int group_add(int root_fd, const char *group, struct oci_process *p, struct err *err)
{
        uint32_t gid, uid, *gids = NULL;
        size_t count = 0;
        _cleanup_free_ char *home = NULL;
        struct err ignored = ERR_INIT;
        if (parse_u32(group, &gid, &ignored) == 0) {
                groups_add(p, gid);
                return 0;
        }
        _cleanup_free_ char *as_user = xasprintf("0:%s", group);
        if (runtime_user_resolve(root_fd, as_user, &uid, &gid, &gids, &count, &home, err) < 0)
                return err_add(err, "Unable to find group %s", group);
        free(gids);
        groups_add(p, gid);
        return 0;
}

int process_user(int root_fd, const char *user, char *const *extra_groups, struct oci_process *p, char **ret_home, struct err *err)
{
        if (user_is_plain(user)) {
                *ret_home = xstrdup("/root");
                groups_add(p, 0);
        } else if (runtime_user_resolve(root_fd, user, &p->uid, &p->gid, &p->additional_gids, &p->additional_gid_count, ret_home,
                                        err) < 0) {
                return -1;
        }
        STRV_FOREACH (group, extra_groups)
                if (group_add(root_fd, *group, p, err) < 0)
                        return -1;
        return 0;
}

static void environment(const struct container *container, const char *hostname, const char *home, struct oci_process *p)
{
        const struct container_config *c = &container->config;
        strv_push(&p->env, DEFAULT_PATH);
        strv_push_take(&p->env, xasprintf("HOSTNAME=%s", hostname));
        if (c->tty)
                strv_push(&p->env, "TERM=xterm");
        STRV_FOREACH (assignment, c->env)
                if (strchr(*assignment, '='))
                        strv_env_set(&p->env, *assignment);
        if (!strv_env_get(p->env, "HOME"))
                strv_push_take(&p->env, xasprintf("HOME=%s", home));
}

char *container_hostname(const struct container *container)
{
        const struct container_config *c = &container->config;
        char name[65] = "";
        if (!str_empty(c->hostname))
                return xstrdup(c->hostname);
        if (str_eq(c->uts_mode, "host") || str_eq(c->network_mode, "host")) {
                if (gethostname(name, sizeof(name) - 1) == 0 && name[0])
                        return xstrdup(name);
        }
        return xstrndup(container->id, 12);
}

int spec_add_process(struct engine *e, const struct container *container, int root_fd, struct oci_spec *spec, struct err *err)
{
        const struct container_config *c = &container->config;
        struct oci_process *p = &spec->process;
        _cleanup_free_ char *home = NULL, *hostname = container_hostname(container);
        spec->has_process = true;
        p->terminal = c->tty;
        strv_extend(&p->args, c->entrypoint);
        strv_extend(&p->args, c->cmd);
        if (!p->args || str_empty(p->args[0]))
                return err_set(err, ERR_INVALID, "no command specified");
        p->cwd = xstrdup(str_empty(c->working_dir) ? "/" : c->working_dir);
        if (process_user(root_fd, c->user, c->group_add, p, &home, err) < 0)
                return -1;
        environment(container, hostname, home, p);
        if (spec->namespaces[OCI_NS_UTS].wanted && !spec->namespaces[OCI_NS_UTS].path) {
                spec->hostname = TAKE_PTR(hostname);
                if (!str_empty(c->domainname))
                        spec->domainname = xstrdup(c->domainname);
        }
        spec->sysctl = strv_dup(c->sysctls);
        spec->annotations = strv_dup(c->annotations);
        return 0;
}

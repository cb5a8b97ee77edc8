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
                return err->kind == ERR_INVALID ? err_set(err, ERR_INVALID, "Unable to find group %s: no matching entries in group file", group) : -1;
        free(gids);
        groups_add(p, gid);
        return 0;
}

int process_user(int root_fd, const char *user, char *const *extra_groups, struct oci_process *p, char **ret_home, struct err *err)
{
        if (user_is_plain(user)) {
                *ret_home = xstrdup("/root");
                groups_add(p, 0);
        } else {
                _cleanup_free_ uint32_t *gids = NULL;
                size_t count = 0;
                if (runtime_user_resolve(root_fd, user, &p->uid, &p->gid, &gids, &count, ret_home, err) < 0)
                        return -1;
                /* the primary group is among the others too: setgid programs could shed it else (CVE-2022-36109) */
                groups_add(p, p->gid);
                for (size_t i = 0; i < count; i++)
                        if (gids[i] != p->gid)
                                groups_add(p, gids[i]);
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

/* docker's: in a network of its own a container's users may take low ports and ping. */
static void sysctls_add(const struct container_config *c, struct oci_spec *spec)
{
        const struct oci_namespace *net = &spec->namespaces[OCI_NS_NETWORK];
        if (net->wanted && !net->path) {
                strv_push(&spec->sysctl, "net.ipv4.ip_unprivileged_port_start=0");
                if (!spec->uid_map_count)
                        strv_push(&spec->sysctl, "net.ipv4.ping_group_range=0 2147483647");
        }
        STRV_FOREACH (assignment, c->sysctls)
                strv_env_set(&spec->sysctl, *assignment);
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
                return err_set(err, ERR_INVALID, "No command specified");
        p->cwd = xstrdup(str_empty(c->working_dir) ? "/" : c->working_dir);
        if (process_user(root_fd, c->user, c->group_add, p, &home, err) < 0)
                return -1;
        environment(container, hostname, home, p);
        if (spec->namespaces[OCI_NS_UTS].wanted && !spec->namespaces[OCI_NS_UTS].path) {
                spec->hostname = TAKE_PTR(hostname);
                if (!str_empty(c->domainname))
                        spec->domainname = xstrdup(c->domainname);
        }
        sysctls_add(c, spec);
        spec->annotations = strv_dup(c->annotations);
        return 0;
}

#include <string.h>

#include "base/str.h"
#include "engine/spec-internal.h"
#include "engine/update-internal.h"
#include "net/network.h"

static int cpus_conflict(const struct container_config *c, const struct container_config *n, struct err *err)
{
        if (n->nano_cpus && (c->cpu_period > 0 || c->cpu_quota > 0))
                return err_set(err, ERR_CONFLICT, "Conflicting options: Nano CPUs cannot be updated as CPU %s has already been set",
                               c->cpu_period > 0 ? "Period" : "Quota");
        if ((n->cpu_period || n->cpu_quota) && c->nano_cpus > 0 && !n->nano_cpus)
                return err_set(err, ERR_CONFLICT, "Conflicting options: CPU %s cannot be updated as NanoCPUs has already been set",
                               n->cpu_period ? "Period" : "Quota");
        return 0;
}

/* A limit of swap that was never named follows that of memory. */
static int memory_update(struct container_config *c, const struct container_config *n, struct err *err)
{
        if (n->memory > 0 && c->memory_swap > 0 && n->memory > c->memory_swap && !n->memory_swap)
                return err_set(err, ERR_CONFLICT,
                               "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time");
        if (n->memory < 0) {
                c->memory = c->memory_swap = 0;
                if (n->memory_swap > 0)
                        return err_set(err, ERR_INVALID, "You should always set the Memory limit when using Memoryswap limit, see usage");
        } else if (n->memory) {
                c->memory = n->memory;
        }
        if (n->memory_swap && n->memory >= 0)
                c->memory_swap = n->memory_swap;
        if (n->memory_reservation)
                c->memory_reservation = n->memory_reservation;
        return 0;
}

static void number(int64_t *to, int64_t value, bool *changed)
{
        if (value)
                *to = value;
        *changed = *changed || value;
}

static void text(char **to, const char *value, bool *changed)
{
        if (!str_empty(value))
                str_replace(to, value);
        *changed = *changed || !str_empty(value);
}

static int limits_update(struct container_config *c, const struct container_config *n, bool *ret_changed, struct err *err)
{
        bool changed = n->memory || n->memory_swap || n->memory_reservation;
        if (cpus_conflict(c, n, err) < 0 || memory_update(c, n, err) < 0)
                return -1;
        number(&c->nano_cpus, n->nano_cpus, &changed);
        number(&c->cpu_shares, n->cpu_shares, &changed);
        number(&c->cpu_quota, n->cpu_quota, &changed);
        number(&c->cpu_period, n->cpu_period, &changed);
        number(&c->pids_limit, n->pids_limit, &changed);
        number(&c->blkio_weight, n->blkio_weight, &changed);
        text(&c->cpuset_cpus, n->cpuset_cpus, &changed);
        text(&c->cpuset_mems, n->cpuset_mems, &changed);
        *ret_changed = changed;
        return 0;
}

static int restart_update(struct container_config *c, const char *policy, struct err *err)
{
        enum restart_kind kind;
        uint32_t max;
        if (!policy)
                return 0;
        if (restart_policy_parse(policy, &kind, &max, err) < 0)
                return -1;
        if (c->auto_remove && kind != RESTART_NO)
                return err_set(err, ERR_CONFLICT, "Restart policy cannot be updated because AutoRemove is enabled for the container");
        str_replace(&c->restart_policy, policy);
        return 0;
}

/* Takes the i-th out of a vector. */
static void strv_drop(char **v, size_t i)
{
        free(v[i]);
        for (; v[i]; i++)
                v[i] = v[i + 1];
}

static int names_remove(char **list, char *const *names, const char *what, struct err *err)
{
        STRV_FOREACH (name, names) {
                size_t i = 0, len = strlen(*name);
                while (list && list[i] && !(strncmp(list[i], *name, len) == 0 && list[i][len] == '='))
                        i++;
                if (!list || !list[i])
                        return err_set(err, ERR_NOT_FOUND, "no %s %s", what, *name);
                strv_drop(list, i);
        }
        return 0;
}

static void assignments_add(char ***list, char *const *added)
{
        STRV_FOREACH (a, added)
                strv_env_set(list, *a);
}

/* Whether two texts name the same ports; one that leaves the host's port to us is the same as any. */
static bool ports_same(const char *a, const char *b)
{
        _cleanup_free_ struct port_map *x = NULL, *y = NULL;
        size_t n = 0, m = 0;
        struct err ignored = ERR_INIT;
        if (str_eq(a, b))
                return true;
        if (port_map_parse(a, &x, &n, &ignored) < 0 || port_map_parse(b, &y, &m, &ignored) < 0 || n != m)
                return false;
        for (size_t i = 0; i < n; i++)
                if (x[i].container_port != y[i].container_port || x[i].protocol != y[i].protocol ||
                    (y[i].host_port && (x[i].host_port != y[i].host_port || x[i].host_port_end != y[i].host_port_end)) ||
                    (y[i].host_address.s_addr && x[i].host_address.s_addr != y[i].host_address.s_addr))
                        return false;
        return true;
}

static int ports_update(struct container_config *c, const struct container_update *u, struct err *err)
{
        STRV_FOREACH (gone, u->publish_rm) {
                size_t i = 0;
                while (c->ports && c->ports[i] && !ports_same(c->ports[i], *gone))
                        i++;
                if (!c->ports || !c->ports[i])
                        return err_set(err, ERR_NOT_FOUND, "port %s is not published", *gone);
                strv_drop(c->ports, i);
        }
        if (c->ports && !c->ports[0]) {        /* an empty list is none to all who ask for one */
                strv_free(c->ports);
                c->ports = NULL;
        }
        strv_extend(&c->ports, u->config->ports);
        return 0;
}

static struct mount_request mount_copy(const struct mount_request *m)
{
        struct mount_request copy = *m;
        copy.source = m->source ? xstrdup(m->source) : NULL;
        copy.target = xstrdup(m->target);
        copy.propagation = m->propagation ? xstrdup(m->propagation) : NULL;
        copy.options = m->options ? xstrdup(m->options) : NULL;
        return copy;
}

static int mounts_update(struct container_config *c, const struct container_update *u, struct err *err)
{
        STRV_FOREACH (target, u->mount_rm) {
                size_t i = 0;
                while (i < c->mount_count && !str_eq(c->mounts[i].target, *target))
                        i++;
                if (i == c->mount_count)
                        return err_set(err, ERR_NOT_FOUND, "nothing of the definition is mounted at %s", *target);
                mount_request_done(&c->mounts[i]);
                memmove(&c->mounts[i], &c->mounts[i + 1], (--c->mount_count - i) * sizeof(*c->mounts));
        }
        for (size_t i = 0; i < u->config->mount_count; i++) {
                c->mounts = xreallocarray(c->mounts, c->mount_count + 1, sizeof(*c->mounts));
                c->mounts[c->mount_count++] = mount_copy(&u->config->mounts[i]);
        }
        return 0;
}

int update_config(struct container_config *c, const struct container_update *u, bool *ret_limits, struct err *err)
{
        const struct container_config *n = u->config;
        if (limits_update(c, n, ret_limits, err) < 0 || restart_update(c, n->restart_policy, err) < 0 ||
            names_remove(c->labels, u->label_rm, "label", err) < 0 || names_remove(c->env, u->env_rm, "environment variable", err) < 0 ||
            ports_update(c, u, err) < 0 || mounts_update(c, u, err) < 0)
                return -1;
        assignments_add(&c->labels, n->labels);
        assignments_add(&c->env, n->env);
        strv_extend(&c->extra_hosts, n->extra_hosts);
        return 0;
}

/* A host name that came from another container's network, devices and profiles that were there when it was made are not asked for again. */
int update_check(struct container_config *c, struct err *err)
{
        struct container_config now = *c;      /* borrows all of it */
        now.hostname = now.runtime = NULL;
        now.devices = now.security_opt = now.device_read_bps = now.device_write_bps = now.device_read_iops = now.device_write_iops = NULL;
        if (container_config_check(&now, err) < 0 || container_config_check_host(&now, err) < 0 || spec_check(&now, err) < 0)
                return -1;
        c->blkio_weight = now.blkio_weight;
        c->memory_swappiness = now.memory_swappiness;
        c->oom_kill_disable = now.oom_kill_disable;
        return 0;
}

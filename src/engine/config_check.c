/* What can be judged without looking at the host; docker's messages where users know them. */
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "engine/containers.h"
#include "engine/engine-internal.h"

int signal_parse(const char *text, struct err *err)
{
        uint32_t number;
        struct err ignored = ERR_INIT;
        if (parse_u32(text, &number, &ignored) == 0 && number > 0 && number <= (uint32_t)SIGRTMAX)
                return (int)number;
        const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
        for (int i = 1; i < SIGRTMIN; i++)
                if (sigabbrev_np(i) && strcasecmp(sigabbrev_np(i), name) == 0)
                        return i;
        const char *offset;
        if (strncasecmp(name, "RTMIN", 5) == 0 && (offset = name + 5) && (!*offset || *offset == '+') &&
            (!*offset || parse_u32(offset + 1, &number, &ignored) == 0))
                return SIGRTMIN + (*offset && number <= 30 ? (int)number : 0);
        return err_set(err, ERR_INVALID, "Invalid signal: %s", text);
}

int restart_policy_parse(const char *text, enum restart_kind *ret_kind, uint32_t *ret_max, struct err *err)
{
        static const char *const names[] = { "no", "on-failure", "always", "unless-stopped" };
        if (str_empty(text)) {
                *ret_kind = RESTART_NO;
                return 0;
        }
        _cleanup_strv_ char **parts = strv_split(text, ":", true);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                if (!str_eq(parts[0], names[i]))
                        continue;
                *ret_max = 0;
                if (parts[1] && i != RESTART_ON_FAILURE)
                        return err_set(err, ERR_INVALID, "maximum retry count cannot be used with restart policy '%s'", names[i]);
                if (parts[1] && parse_u32(parts[1], ret_max, err) < 0)
                        return err_add(err, "maximum retry count must be an integer");
                *ret_kind = (enum restart_kind)i;
                return 0;
        }
        return err_set(err, ERR_INVALID, "invalid restart policy '%s'", text);
}

static int check_memory(const struct container_config *c, struct err *err)
{
        if (c->memory && c->memory < (6 << 20))
                return err_set(err, ERR_INVALID, "Minimum memory limit allowed is 6MB");
        if (c->memory_swap > 0 && !c->memory)
                return err_set(err, ERR_INVALID, "You should always set the Memory limit when using Memoryswap limit, see usage");
        if (c->memory_swap > 0 && c->memory_swap < c->memory)
                return err_set(err, ERR_INVALID, "Minimum memoryswap limit should be larger than memory limit, see usage");
        if (c->memory_reservation && c->memory && c->memory < c->memory_reservation)
                return err_set(err, ERR_INVALID, "Minimum memory limit can not be less than memory reservation limit, see usage");
        if (c->memory_swappiness > 100)
                return err_set(err, ERR_INVALID, "Invalid value: %lld, valid memory swappiness range is 0-100", (long long)c->memory_swappiness);
        return 0;
}

static int check_cpu(const struct container_config *c, struct err *err)
{
        if (c->nano_cpus < 0)
                return err_set(err, ERR_INVALID, "range of CPUs is from 0.01: the value must be positive");
        if (c->nano_cpus && (c->cpu_quota || c->cpu_period))
                return err_set(err, ERR_INVALID, "Conflicting options: Nano CPUs and CPU Period/Quota cannot both be set");
        if (c->cpu_period && (c->cpu_period < 1000 || c->cpu_period > 1000000))
                return err_set(err, ERR_INVALID, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
        if (c->cpu_quota > 0 && c->cpu_quota < 1000)
                return err_set(err, ERR_INVALID, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
        if (c->blkio_weight && (c->blkio_weight < 10 || c->blkio_weight > 1000))
                return err_set(err, ERR_INVALID, "Range of blkio weight is from 10 to 1000");
        return 0;
}

static int check_names(const struct container_config *c, struct err *err)
{
        static const char *const hostname_set = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
        if (!str_empty(c->hostname) && (strlen(c->hostname) > 63 || !str_only(c->hostname, hostname_set)))
                return err_set(err, ERR_INVALID, "invalid hostname format: %s", c->hostname);
        if (!str_empty(c->working_dir) && c->working_dir[0] != '/')
                return err_set(err, ERR_INVALID, "the working directory '%s' is invalid, it needs to be an absolute path", c->working_dir);
        STRV_FOREACH (assignment, c->env)
                if ((*assignment)[0] == '=' || !(*assignment)[0])
                        return err_set(err, ERR_INVALID, "invalid environment variable: %s", *assignment);
        STRV_FOREACH (sysctl, c->sysctls)
                if (!strchr(*sysctl, '='))
                        return err_set(err, ERR_INVALID, "sysctl '%s' is not of the form name=value", *sysctl);
        if (!str_empty(c->stop_signal) && signal_parse(c->stop_signal, err) < 0)
                return -1;
        return 0;
}

static int check_modes(const struct container_config *c, struct err *err)
{
        enum restart_kind kind;
        uint32_t max;
        if (restart_policy_parse(c->restart_policy, &kind, &max, err) < 0)
                return -1;
        if (kind != RESTART_NO && c->auto_remove)
                return err_set(err, ERR_INVALID, "can't create 'AutoRemove' container with restart policy");
        if (!str_empty(c->log_driver) && !str_eq(c->log_driver, "json-file") && !str_eq(c->log_driver, "none"))
                return err_set(err, ERR_INVALID, "logger: no log driver named '%s' is registered (json-file, none)", c->log_driver);
        STRV_FOREACH (option, c->log_opts)
                if (!str_starts(*option, "max-size=") && !str_starts(*option, "max-file="))
                        return err_set(err, ERR_INVALID, "unknown log opt '%s' for json-file log driver", *option);
        bool joined = c->network_mode && (str_eq(c->network_mode, "host") || str_starts(c->network_mode, "container:"));
        if (c->network_mode && str_starts(c->network_mode, "container:") && !str_empty(c->hostname))
                return err_set(err, ERR_INVALID, "conflicting options: hostname and the network mode");
        if (c->network_mode && str_starts(c->network_mode, "container:") && (c->ports || c->publish_all))
                return err_set(err, ERR_INVALID, "conflicting options: port publishing and the container type network mode");
        if (joined && str_eq(c->uts_mode, "host") && !str_empty(c->hostname))
                return err_set(err, ERR_INVALID, "conflicting options: hostname and the UTS mode");
        return 0;
}

int container_config_check(const struct container_config *c, struct err *err)
{
        if (check_names(c, err) < 0 || check_memory(c, err) < 0 || check_cpu(c, err) < 0 || check_modes(c, err) < 0)
                return -1;
        for (size_t i = 0; i < c->mount_count; i++)
                for (size_t k = 0; k < i; k++)
                        if (str_eq(c->mounts[i].target, c->mounts[k].target))
                                return err_set(err, ERR_INVALID, "Duplicate mount point: %s", c->mounts[i].target);
        return 0;
}

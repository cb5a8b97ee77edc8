/* What can be judged without looking at the host; docker's messages where users know them. */
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/signame.h"
#include "base/str.h"
#include "engine/containers.h"
#include "engine/engine-internal.h"
#include "engine/log-internal.h"

int signal_parse(const char *text, struct err *err)
{
        uint32_t number;
        struct err ignored = ERR_INIT;
        if (parse_u32(text, &number, &ignored) == 0 && number > 0 && number <= (uint32_t)SIGRTMAX)
                return (int)number;
        int named = signal_number(text);
        if (named)
                return named;
        const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
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
                        return err_set(err, ERR_INVALID, "invalid restart policy format: maximum retry count must be an integer");
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
        if (c->oom_score_adj < -1000 || c->oom_score_adj > 1000)
                return err_set(err, ERR_INVALID, "Invalid value %lld, range for oom score adj is [-1000, 1000]", (long long)c->oom_score_adj);
        if (c->shm_size < 0)
                return err_set(err, ERR_INVALID, "SHM size can not be less than 0");
        if (c->memory_swappiness > 100)
                return err_set(err, ERR_INVALID, "Invalid value: %lld, valid memory swappiness range is 0-100", (long long)c->memory_swappiness);
        return 0;
}

static int check_cpu(const struct container_config *c, struct err *err)
{
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

/* Only what belongs to a namespace of the container's own: anything else would change the host. */
static int check_sysctl(const struct container_config *c, const char *text, struct err *err)
{
        static const char *const ipc[] = { "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
                                           "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced", NULL };
        _cleanup_free_ char *name = xstrndup(text, strcspn(text, "="));
        bool net = str_starts(name, "net.");
        if (!strchr(text, '=') ||
            (!net && !str_starts(name, "fs.mqueue.") && !strv_has((char *const *)(uintptr_t)ipc, name)) || strstr(name, ".."))
                return err_set(err, ERR_INVALID, "sysctl '%s' is not allowed", text);
        if (net && str_eq(c->network_mode, "host"))
                return err_set(err, ERR_INVALID, "sysctl '%s' is not allowed in the host network namespace", name);
        if (!net && str_eq(c->ipc_mode, "host"))
                return err_set(err, ERR_INVALID, "sysctl '%s' is not allowed in the host ipc namespace", name);
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
                if (check_sysctl(c, *sysctl, err) < 0)
                        return -1;
        if (!str_empty(c->stop_signal) && signal_parse(c->stop_signal, err) < 0)
                return -1;
        return 0;
}

static int check_mac(const struct container_config *c, struct err *err)
{
        const char *mode = str_empty(c->network_mode) ? "bridge" : c->network_mode;
        uint8_t mac[6];
        if (str_empty(c->mac_address))
                return 0;
        if (mac_parse(c->mac_address, mac, err) < 0)
                return -1;
        if (str_eq(mode, "host") || str_starts(mode, "container:"))
                return err_set(err, ERR_INVALID, "conflicting options: mac-address and the network mode");
        return 0;
}

static int check_rate(const struct container_config *c, const char *flag, const char *rate, struct err *err)
{
        const char *mode = str_empty(c->network_mode) ? "bridge" : c->network_mode;
        uint64_t bits;
        if (!rate)
                return 0;
        if (net_rate_parse(rate, &bits, err) < 0)
                return err_add(err, "%s", flag);
        if (str_eq(mode, "none") || str_eq(mode, "host") || str_starts(mode, "container:") || str_starts(mode, "ns:"))
                return err_set(err, ERR_INVALID, "conflicting options: %s and the network mode %s, in which it has no network of its own", flag, mode);
        return 0;
}

/* What lives in the namespace of the other container cannot be set from here. */
static int check_network_mode(const struct container_config *c, struct err *err)
{
        const char *name = str_after(str_empty(c->network_mode) ? "" : c->network_mode, "container:");
        if (!name)
                return 0;
        if (!*name)
                return err_set(err, ERR_INVALID, "Invalid network mode: invalid container format container:<name|id>");
        if (!str_empty(c->hostname))
                return err_set(err, ERR_INVALID, "conflicting options: hostname and the network mode");
        if (c->ports || c->publish_all)
                return err_set(err, ERR_INVALID, "conflicting options: port publishing and the container type network mode");
        if (c->dns)
                return err_set(err, ERR_INVALID, "conflicting options: dns and the network mode");
        if (c->extra_hosts)
                return err_set(err, ERR_INVALID, "conflicting options: custom host-to-IP mapping and the network mode");
        return 0;
}

static bool mode_valid(const char *mode, const char *const *words)
{
        if (str_empty(mode))
                return true;
        for (; *words; words++)
                if (str_ends(*words, ":") ? str_starts(mode, *words) && mode[strlen(*words)] : str_eq(mode, *words))
                        return true;
        return false;
}

static int check_namespaces(const struct container_config *c, struct err *err)
{
        static const char *const pid[] = { "private", "host", "container:", "ns:", NULL };
        static const char *const ipc[] = { "none", "private", "shareable", "host", "container:", "ns:", NULL };
        static const char *const uts[] = { "private", "host", "container:", "ns:", NULL };
        static const char *const cgroup[] = { "private", "host", NULL };
        static const char *const user[] = { "private", "auto", "host", NULL };
        if (!mode_valid(c->pid_mode, pid))
                return err_set(err, ERR_INVALID, "--pid: invalid PID mode: %s", c->pid_mode);
        if (!mode_valid(c->ipc_mode, ipc))
                return err_set(err, ERR_INVALID, "Invalid IPC mode: %s", c->ipc_mode);
        if (!mode_valid(c->uts_mode, uts))
                return err_set(err, ERR_INVALID, "--uts: invalid UTS mode: %s", c->uts_mode);
        if (!mode_valid(c->cgroupns_mode, cgroup))
                return err_set(err, ERR_INVALID, "--cgroupns: invalid CGROUP mode: %s", c->cgroupns_mode);
        if (!mode_valid(c->userns_mode, user))
                return err_set(err, ERR_INVALID, "--userns: invalid USER mode: %s", c->userns_mode);
        if (c->privileged && !str_empty(c->userns_mode) && !str_eq(c->userns_mode, "host"))
                return err_set(err, ERR_INVALID, "privileged mode is incompatible with user namespaces");
        return 0;
}

static int check_health(const struct container_config *c, struct err *err)
{
        const struct healthcheck *h = &c->healthcheck;
        static const char *const actions[] = { "none", "kill", "restart", "stop", NULL };
        const struct { const char *name; int64_t value; } times[] = {
                { "Interval", h->interval }, { "Timeout", h->timeout }, { "StartPeriod", h->start_period }, { "StartInterval", h->start_interval },
        };
        for (size_t i = 0; i < ELEMENTS(times); i++)
                if (times[i].value && times[i].value < 1000000)
                        return err_set(err, ERR_INVALID, "%s in Healthcheck cannot be less than 1ms", times[i].name);
        if (h->retries < 0)
                return err_set(err, ERR_INVALID, "Retries in Healthcheck cannot be negative");
        if (h->test && h->test[0] && !str_eq(h->test[0], "NONE") && !str_eq(h->test[0], "CMD") && !str_eq(h->test[0], "CMD-SHELL"))
                return err_set(err, ERR_INVALID, "Unknown healthcheck type '%s' (expected 'CMD')", h->test[0]);
        if (!str_empty(c->health_on_failure) && !strv_has((char *const *)(uintptr_t)actions, c->health_on_failure))
                return err_set(err, ERR_INVALID, "invalid action \"%s\" of --health-on-failure: none, kill, restart or stop", c->health_on_failure);
        if (str_eq(c->health_on_failure, "restart") && c->auto_remove)
                return err_set(err, ERR_INVALID, "conflicting options: cannot specify both --health-on-failure=restart and --rm");
        return 0;
}

static int check_modes(const struct container_config *c, struct err *err)
{
        enum restart_kind kind;
        uint32_t max;
        if (restart_policy_parse(c->restart_policy, &kind, &max, err) < 0)
                return -1;
        if (kind != RESTART_NO && c->auto_remove)
                return err_set(err, ERR_INVALID, "conflicting options: cannot specify both --restart and --rm");
        if (log_config_check(c, err) < 0)
                return -1;
        if (check_network_mode(c, err) < 0 || check_mac(c, err) < 0 || check_rate(c, "--net-rate-in", c->net_rate_in, err) < 0 ||
            check_rate(c, "--net-rate-out", c->net_rate_out, err) < 0)
                return -1;
        if (str_eq(c->uts_mode, "host") && !str_empty(c->hostname))
                return err_set(err, ERR_INVALID, "conflicting options: hostname and the UTS mode");
        return 0;
}

int container_config_check(const struct container_config *c, struct err *err)
{
        if (check_names(c, err) < 0 || check_memory(c, err) < 0 || check_cpu(c, err) < 0 || check_modes(c, err) < 0 ||
            check_namespaces(c, err) < 0 || check_health(c, err) < 0)
                return -1;
        for (size_t i = 0; i < c->mount_count; i++)
                for (size_t k = 0; k < i; k++)
                        if (str_eq(c->mounts[i].target, c->mounts[k].target))
                                return err_set(err, ERR_INVALID, "Duplicate mount point: %s", c->mounts[i].target);
        return 0;
}

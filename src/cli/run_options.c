#include "cli/run_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"
#include "cli/output.h"
#include "image/images.h"

void run_options_init(void *options)
{
        struct run_options *o = options;
        container_config_init(&o->config);
        o->sig_proxy = true;
}

void run_options_done(void *options)
{
        struct run_options *o = options;
        container_config_done(&o->config);
        strv_free(o->attach);
}

static int volume_parse(void *options, const char *text, struct err *err)
{
        struct container_config *c = &((struct run_options *)options)->config;
        return mount_request_parse_volume(text, &c->mounts, &c->mount_count, err);
}

static int mount_parse(void *options, const char *text, struct err *err)
{
        struct container_config *c = &((struct run_options *)options)->config;
        return mount_request_parse_mount(text, &c->mounts, &c->mount_count, err);
}

static int tmpfs_parse(void *options, const char *text, struct err *err)
{
        struct container_config *c = &((struct run_options *)options)->config;
        return mount_request_parse_tmpfs(text, &c->mounts, &c->mount_count, err);
}

/* "NAME=value", or "NAME" for the value it has here; unset ones are left out */
static void env_add(char ***env, const char *text)
{
        const char *value;
        if (strchr(text, '='))
                strv_env_set(env, text);
        else if ((value = getenv(text)))
                strv_push_take(env, xasprintf("%s=%s", text, value));
}

static int env_parse(void *options, const char *text, struct err *err)
{
        if (!*text || *text == '=')
                return err_set(err, ERR_INVALID, "invalid environment variable: %s", text);
        env_add(&((struct run_options *)options)->config.env, text);
        return 0;
}

static int lines_read(const char *path, char ***ret, struct err *err)
{
        _cleanup_buf_ struct buf text = BUF_INIT((size_t)1 << 20);
        if (file_read_at(AT_FDCWD, path, &text, err) < 0)
                return -1;
        *ret = strv_split(text.data ? text.data : "", "\r\n", false);
        return 0;
}

int env_file_read(const char *path, char ***env, struct err *err)
{
        _cleanup_strv_ char **lines = NULL;
        if (lines_read(path, &lines, err) < 0)
                return -1;
        STRV_FOREACH (line, lines) {
                char *text = *line + strspn(*line, " \t");
                if (!*text || *text == '#')
                        continue;
                size_t name = strcspn(text, "=");
                if (name == 0 || strcspn(text, " \t") < name)
                        return err_set(err, ERR_INVALID, "poorly formatted environment: variable '%.*s' contains whitespaces", (int)name, text);
                env_add(env, text);
        }
        return 0;
}

static int env_file_parse(void *options, const char *path, struct err *err)
{
        return env_file_read(path, &((struct run_options *)options)->config.env, err);
}

static int label_parse(void *options, const char *text, struct err *err)
{
        if (!*text || *text == '=')
                return err_set(err, ERR_INVALID, "invalid label: '%s'", text);
        _cleanup_free_ char *assignment = strchr(text, '=') ? xstrdup(text) : xasprintf("%s=", text);
        strv_env_set(&((struct run_options *)options)->config.labels, assignment);
        return 0;
}

static int label_file_parse(void *options, const char *path, struct err *err)
{
        _cleanup_strv_ char **lines = NULL;
        if (lines_read(path, &lines, err) < 0)
                return -1;
        STRV_FOREACH (line, lines)
                if ((*line)[0] && (*line)[0] != '#' && label_parse(options, *line, err) < 0)
                        return -1;
        return 0;
}

static int cpus_parse(void *options, const char *text, struct err *err)
{
        double cpus;
        if (parse_double(text, &cpus, err) < 0 || !(cpus > -1e6 && cpus < 1e6))
                return err_set(err, ERR_INVALID, "'%s' is not a number of CPUs", text);
        ((struct run_options *)options)->config.nano_cpus = (int64_t)(cpus * 1e9 + (cpus < 0 ? -0.5 : 0.5));
        return 0;
}

static int entrypoint_parse(void *options, const char *text, struct err *err)
{
        struct container_config *c = &((struct run_options *)options)->config;
        strv_free(c->entrypoint);
        c->entrypoint = NULL;
        strv_push(&c->entrypoint, text);
        c->entrypoint_given = true;
        return 0;
}

static int port_check(void *options, const char *text, struct err *err)
{
        _cleanup_free_ struct port_map *ports = NULL;
        size_t count = 0;
        if (port_map_parse(text, &ports, &count, err) < 0)
                return -1;
        strv_push(&((struct run_options *)options)->config.ports, text);
        return 0;
}

static int expose_parse(void *options, const char *text, struct err *err)
{
        struct container_config *c = &((struct run_options *)options)->config;
        _cleanup_free_ struct port_map *ports = NULL;
        size_t count = 0;
        if (strchr(text, ':') || port_map_parse(text, &ports, &count, err) < 0)
                return err_set(err, ERR_INVALID, "invalid range format for --expose: %s", text);
        for (size_t i = 0; i < count; i++) {
                _cleanup_free_ char *port = xasprintf("%u/%s", ports[i].container_port, port_protocol_name(ports[i].protocol));
                if (!strv_has(c->exposed_ports, port))
                        strv_push(&c->exposed_ports, port);
        }
        return 0;
}

static int stream_parse(void *options, const char *text, struct err *err)
{
        struct run_options *o = options;
        _cleanup_free_ char *lower = xstrdup(text);
        str_lower(lower);
        if (!str_eq(lower, "stdin") && !str_eq(lower, "stdout") && !str_eq(lower, "stderr"))
                return err_set(err, ERR_INVALID, "valid streams are STDIN, STDOUT and STDERR");
        strv_push(&o->attach, lower);
        return 0;
}

static int security_parse(void *options, const char *text, struct err *err)
{
        strv_push(&((struct run_options *)options)->config.security_opt, text);
        return 0;
}

/* Flags of docker's that ask for what is not here are refused in words; unknown ones would read as a typing mistake. */
#define REFUSE(name, why) \
        static int name(void *options, const char *text, struct err *err) { return err_set(err, ERR_UNSUPPORTED, why ": %s", text ? text : ""); }
REFUSE(refuse_gpus, "--gpus: no device driver chooses GPUs here; name their nodes with --device")
REFUSE(refuse_ip6, "--ip6: containers have IPv4 addresses only")
REFUSE(refuse_link, "--link: name the other container by --add-host, or join its network by --network container:NAME")
REFUSE(refuse_alias, "--network-alias: networks have no names of containers yet; --add-host has")
REFUSE(refuse_link_local, "--link-local-ip: containers have one address a network")
REFUSE(refuse_api_socket, "--use-api-socket: no daemon is needed, so there is no socket")

static int isolation_check(void *options, const char *text, struct err *err)
{
        return str_eq(text, "default") ? 0 : err_set(err, ERR_UNSUPPORTED, "--isolation: only \"default\" is there on Linux: %s", text);
}

static int volume_driver_check(void *options, const char *text, struct err *err)
{
        return str_eq(text, "local") ? 0 : err_set(err, ERR_NOT_FOUND, "--volume-driver: only \"local\" is here: %s", text);
}

#define C(member) offsetof(struct run_options, config.member)
#define O(member) offsetof(struct run_options, member)
#define SHARED_ROWS \
        { 0, "add-host", OPT_STRV, C(extra_hosts), "list", "Add a custom host-to-IP mapping (host:ip)" }, \
        { 0, "annotation", OPT_STRV, C(annotations), "map", "Add an annotation to the container (passed through to the OCI runtime)" }, \
        { 'a', "attach", OPT_PARSE, 0, "list", "Attach to STDIN, STDOUT or STDERR", stream_parse }, \
        { 0, "blkio-weight", OPT_I64, C(blkio_weight), "uint16", "Block IO (relative weight), between 10 and 1000, or 0 to disable" }, \
        { 0, "blkio-weight-device", OPT_STRV, C(blkio_weight_device), "list", "Block IO weight (relative device weight)" }, \
        { 0, "cap-add", OPT_STRV, C(cap_add), "list", "Add Linux capabilities" }, \
        { 0, "cap-drop", OPT_STRV, C(cap_drop), "list", "Drop Linux capabilities" }, \
        { 0, "cgroup-conf", OPT_STRV, C(cgroup_conf), "list", "Write a file of the container's control group on cgroup v2 (memory.high=1073741824)" }, \
        { 0, "cgroup-parent", OPT_STRING, C(cgroup_parent), "string", "Optional parent cgroup for the container" }, \
        { 0, "cgroupns", OPT_STRING, C(cgroupns_mode), "string", "Cgroup namespace to use (host|private)" }, \
        { 0, "cidfile", OPT_STRING, O(cidfile), "string", "Write the container ID to the file" }, \
        { 0, "cpu-period", OPT_I64, C(cpu_period), "int", "Limit CPU CFS (Completely Fair Scheduler) period" }, \
        { 0, "cpu-quota", OPT_I64, C(cpu_quota), "int", "Limit CPU CFS (Completely Fair Scheduler) quota" }, \
        { 0, "cpu-rt-period", OPT_I64, C(cpu_rt_period), "int", "Limit CPU real-time period in microseconds" }, \
        { 0, "cpu-rt-runtime", OPT_I64, C(cpu_rt_runtime), "int", "Limit CPU real-time runtime in microseconds" }, \
        { 'c', "cpu-shares", OPT_I64, C(cpu_shares), "int", "CPU shares (relative weight)" }, \
        { 0, "cpus", OPT_PARSE, 0, "decimal", "Number of CPUs", cpus_parse }, \
        { 0, "cpuset-cpus", OPT_STRING, C(cpuset_cpus), "string", "CPUs in which to allow execution (0-3, 0,1)" }, \
        { 0, "cpuset-mems", OPT_STRING, C(cpuset_mems), "string", "MEMs in which to allow execution (0-3, 0,1)" }, \
        { 0, "device", OPT_STRV, C(devices), "list", "Add a host device to the container" }, \
        { 0, "device-cgroup-rule", OPT_STRV, C(device_cgroup_rules), "list", "Add a rule to the cgroup allowed devices list" }, \
        { 0, "device-read-bps", OPT_STRV, C(device_read_bps), "list", "Limit read rate (bytes per second) from a device" }, \
        { 0, "device-read-iops", OPT_STRV, C(device_read_iops), "list", "Limit read rate (IO per second) from a device" }, \
        { 0, "device-write-bps", OPT_STRV, C(device_write_bps), "list", "Limit write rate (bytes per second) to a device" }, \
        { 0, "device-write-iops", OPT_STRV, C(device_write_iops), "list", "Limit write rate (IO per second) to a device" }, \
        { 0, "dns", OPT_STRV, C(dns), "list", "Set custom DNS servers" }, \
        { 0, "dns-option", OPT_STRV, C(dns_options), "list", "Set DNS options" }, \
        { 0, "dns-search", OPT_STRV, C(dns_search), "list", "Set custom DNS search domains" }, \
        { 0, "domainname", OPT_STRING, C(domainname), "string", "Container NIS domain name" }, \
        { 0, "entrypoint", OPT_PARSE, 0, "string", "Overwrite the default ENTRYPOINT of the image", entrypoint_parse }, \
        { 'e', "env", OPT_PARSE, 0, "list", "Set environment variables", env_parse }, \
        { 0, "env-file", OPT_PARSE, 0, "list", "Read in a file of environment variables", env_file_parse }, \
        { 0, "expose", OPT_PARSE, 0, "list", "Expose a port or a range of ports", expose_parse }, \
        { 0, "group-add", OPT_STRV, C(group_add), "list", "Add additional groups to join" }, \
        { 0, "health-cmd", OPT_STRING, O(health_cmd), "string", "Command to run to check health" }, \
        { 0, "health-interval", OPT_DURATION, C(healthcheck.interval), "duration", "Time between running the check (ms|s|m|h)" }, \
        { 0, "health-on-failure", OPT_STRING, C(health_on_failure), "string", "What to do with an unhealthy container (none|kill|restart|stop)" }, \
        { 0, "health-retries", OPT_I64, C(healthcheck.retries), "int", "Consecutive failures needed to report unhealthy" }, \
        { 0, "health-start-interval", OPT_DURATION, C(healthcheck.start_interval), "duration", "Time between checks during the start period" }, \
        { 0, "health-start-period", OPT_DURATION, C(healthcheck.start_period), "duration", "Start period for the container to initialize" }, \
        { 0, "health-timeout", OPT_DURATION, C(healthcheck.timeout), "duration", "Maximum time to allow one check to run" }, \
        { 'h', "hostname", OPT_STRING, C(hostname), "string", "Container host name" }, \
        { 0, "hugetlb-limit", OPT_STRV, C(hugetlb_limits), "list", "Limit huge pages of a size (2MB=64m)" }, \
        { 0, "init", OPT_BOOL, C(init), NULL, "Run an init inside the container that forwards signals and reaps processes" }, \
        { 'i', "interactive", OPT_BOOL, C(open_stdin), NULL, "Keep STDIN open even if not attached" }, \
        { 0, "ip", OPT_STRING, C(ip_address), "string", "IPv4 address (e.g., 172.30.100.104)" }, \
        { 0, "ipc", OPT_STRING, C(ipc_mode), "string", "IPC mode to use" }, \
        { 0, "isolation", OPT_PARSE, 0, "string", "Container isolation technology: default", isolation_check }, \
        { 0, "kernel-memory", OPT_SIZE, C(kernel_memory), "bytes", "Kernel memory limit, where the kernel still has it" }, \
        { 'l', "label", OPT_PARSE, 0, "list", "Set meta data on a container", label_parse }, \
        { 0, "label-file", OPT_PARSE, 0, "list", "Read in a line delimited file of labels", label_file_parse }, \
        { 0, "log-driver", OPT_STRING, C(log_driver), "string", "Logging driver for the container (journald|json-file|k8s-file|local|none|syslog)" }, \
        { 0, "log-opt", OPT_STRV, C(log_opts), "list", "Log driver options" }, \
        { 0, "mac-address", OPT_STRING, C(mac_address), "string", "Container MAC address (e.g., 92:d0:c6:0a:29:33)" }, \
        { 'm', "memory", OPT_SIZE, C(memory), "bytes", "Memory limit" }, \
        { 0, "memory-reservation", OPT_SIZE, C(memory_reservation), "bytes", "Memory soft limit" }, \
        { 0, "memory-swap", OPT_SIZE, C(memory_swap), "bytes", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap" }, \
        { 0, "memory-swappiness", OPT_I64, C(memory_swappiness), "int", "Tune container memory swappiness (0 to 100)" }, \
        { 0, "mount", OPT_PARSE, 0, "mount", "Attach a filesystem mount to the container", mount_parse }, \
        { 0, "name", OPT_STRING, O(name), "string", "Assign a name to the container" }, \
        { 0, "network", OPT_STRING, C(network_mode), "network", "Connect a container to a network (bridge|none|host|container:ID|NAME)" }, \
        { 0, "net-cls-classid", OPT_STRING, C(net_cls_classid), "number", "Class of the container's packets for traffic control (cgroup v1, 0x100001)" }, \
        { 0, "net-rate-in", OPT_STRING, C(net_rate_in), "rate", "Limit what the container receives (10mbit, 500kbps: bytes)" }, \
        { 0, "net-rate-out", OPT_STRING, C(net_rate_out), "rate", "Limit what the container sends; with NET_ADMIN it can change that" }, \
        { 0, "net", OPT_STRING, C(network_mode), "network", "Same as --network", .hidden = true }, \
        { 0, "no-healthcheck", OPT_BOOL, O(no_healthcheck), NULL, "Disable any container-specified HEALTHCHECK" }, \
        { 0, "oom-kill-disable", OPT_BOOL, C(oom_kill_disable), NULL, "Disable OOM Killer" }, \
        { 0, "oom-score-adj", OPT_I64, C(oom_score_adj), "int", "Tune host's OOM preferences (-1000 to 1000)" }, \
        { 0, "pid", OPT_STRING, C(pid_mode), "string", "PID namespace to use (host|container:ID)" }, \
        { 0, "pids-limit", OPT_I64, C(pids_limit), "int", "Tune container pids limit (set -1 for unlimited)" }, \
        { 0, "platform", OPT_STRING, C(platform), "string", "Set platform if the image is multi-platform" }, \
        { 0, "privileged", OPT_BOOL, C(privileged), NULL, "Give extended privileges to this container" }, \
        { 'p', "publish", OPT_PARSE, 0, "list", "Publish a container's port(s) to the host", port_check }, \
        { 'P', "publish-all", OPT_BOOL, C(publish_all), NULL, "Publish all exposed ports to random ports" }, \
        { 0, "pull", OPT_STRING, O(pull), "string", "Pull image before running (always|missing|never)" }, \
        { 'q', "quiet", OPT_BOOL, O(quiet), NULL, "Suppress the pull output" }, \
        { 0, "read-only", OPT_BOOL, C(read_only), NULL, "Mount the container's root filesystem as read only" }, \
        { 0, "restart", OPT_STRING, C(restart_policy), "string", "Restart policy to apply when a container exits" }, \
        { 0, "rm", OPT_BOOL, C(auto_remove), NULL, "Automatically remove the container and its anonymous volumes when it exits" }, \
        { 0, "runtime", OPT_STRING, C(runtime), "string", "Runtime to use for this container: a name or the path of an OCI runtime" }, \
        { 0, "security-opt", OPT_PARSE, 0, "list", "Security Options", security_parse }, \
        { 0, "shm-size", OPT_SIZE, C(shm_size), "bytes", "Size of /dev/shm" }, \
        { 0, "stop-signal", OPT_STRING, C(stop_signal), "string", "Signal to stop the container" }, \
        { 0, "stop-timeout", OPT_I64, C(stop_timeout), "int", "Timeout (in seconds) to stop a container" }, \
        { 0, "storage-opt", OPT_STRV, C(storage_opt), "list", "Storage options for the container: what it may write (size=10G, inodes=N)" }, \
        { 0, "sysctl", OPT_STRV, C(sysctls), "map", "Sysctl options" }, \
        { 0, "time-offset", OPT_STRING, C(time_offset), "seconds", "Run in a time namespace whose clocks are shifted" }, \
        { 0, "tmpfs", OPT_PARSE, 0, "list", "Mount a tmpfs directory", tmpfs_parse }, \
        { 't', "tty", OPT_BOOL, C(tty), NULL, "Allocate a pseudo-TTY" }, \
        { 0, "ulimit", OPT_STRV, C(ulimits), "ulimit", "Ulimit options" }, \
        { 'u', "user", OPT_STRING, C(user), "string", "Username or UID (format: <name|uid>[:<group|gid>])" }, \
        { 0, "userns", OPT_STRING, C(userns_mode), "string", "User namespace to use (host|private|auto)" }, \
        { 0, "uts", OPT_STRING, C(uts_mode), "string", "UTS namespace to use (host)" }, \
        { 'v', "volume", OPT_PARSE, 0, "list", "Bind mount a volume", volume_parse }, \
        { 0, "volume-driver", OPT_PARSE, 0, "string", "Volume driver for the container: local", volume_driver_check }, \
        { 0, "gpus", OPT_PARSE, 0, "gpu-request", "Refused: devices are named by --device", refuse_gpus, .hidden = true }, \
        { 0, "link", OPT_PARSE, 0, "list", "Refused", refuse_link, .hidden = true }, \
        { 0, "network-alias", OPT_PARSE, 0, "list", "Refused", refuse_alias, .hidden = true }, \
        { 0, "ip6", OPT_PARSE, 0, "string", "Refused: networks are IPv4", refuse_ip6, .hidden = true }, \
        { 0, "link-local-ip", OPT_PARSE, 0, "list", "Refused", refuse_link_local, .hidden = true }, \
        { 0, "use-api-socket", OPT_PARSE, 0, NULL, "Refused: there is no daemon", refuse_api_socket, .hidden = true }, \
        { 0, "volumes-from", OPT_STRV, C(volumes_from), "list", "Mount volumes from the specified container(s)" }, \
        { 'w', "workdir", OPT_STRING, C(working_dir), "string", "Working directory inside the container" }

const struct option_row create_option_rows[] = { SHARED_ROWS, {} };
const struct option_row run_option_rows[] = {
        SHARED_ROWS,
        { 'd', "detach", OPT_BOOL, O(detach), NULL, "Run container in background and print container ID" },
        { 0, "detach-keys", OPT_STRING, O(detach_keys), "string", "Override the key sequence for detaching a container" },
        { 0, "sig-proxy", OPT_BOOL, O(sig_proxy), NULL, "Proxy received signals to the process (default true)" },
        {},
};

#define U(member) offsetof(struct update_words, member)
const struct option_row update_option_rows[] = {
        { 0, "add-host", OPT_STRV, C(extra_hosts), "list", "Add a custom host-to-IP mapping (host:ip)" },
        { 0, "blkio-weight", OPT_I64, C(blkio_weight), "uint16", "Block IO (relative weight), between 10 and 1000" },
        { 0, "cpu-period", OPT_I64, C(cpu_period), "int", "Limit CPU CFS (Completely Fair Scheduler) period" },
        { 0, "cpu-quota", OPT_I64, C(cpu_quota), "int", "Limit CPU CFS (Completely Fair Scheduler) quota" },
        { 'c', "cpu-shares", OPT_I64, C(cpu_shares), "int", "CPU shares (relative weight)" },
        { 0, "cpus", OPT_PARSE, 0, "decimal", "Number of CPUs", cpus_parse },
        { 0, "cpuset-cpus", OPT_STRING, C(cpuset_cpus), "string", "CPUs in which to allow execution (0-3, 0,1)" },
        { 0, "cpuset-mems", OPT_STRING, C(cpuset_mems), "string", "MEMs in which to allow execution (0-3, 0,1)" },
        { 0, "env-add", OPT_PARSE, 0, "list", "Set environment variables from the next start on", env_parse },
        { 0, "env-rm", OPT_STRV, U(env_rm), "name", "Take environment variables away from the next start on" },
        { 0, "label-add", OPT_PARSE, 0, "list", "Set meta data", label_parse },
        { 0, "label-rm", OPT_STRV, U(label_rm), "name", "Take meta data away" },
        { 'm', "memory", OPT_SIZE, C(memory), "bytes", "Memory limit: '-1' for none" },
        { 0, "memory-reservation", OPT_SIZE, C(memory_reservation), "bytes", "Memory soft limit" },
        { 0, "memory-swap", OPT_SIZE, C(memory_swap), "bytes", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap" },
        { 0, "mount-add", OPT_PARSE, 0, "mount", "Attach a filesystem mount, now if the container runs", mount_parse },
        { 0, "mount-rm", OPT_STRV, U(mount_rm), "target", "Take the mount at that place away" },
        { 0, "pids-limit", OPT_I64, C(pids_limit), "int", "Tune container pids limit (set -1 for unlimited)" },
        { 0, "publish-add", OPT_PARSE, 0, "list", "Publish further ports to the host", port_check },
        { 0, "publish-rm", OPT_STRV, U(publish_rm), "list", "Publish ports no more" },
        { 0, "restart", OPT_STRING, C(restart_policy), "string", "Restart policy to apply when a container exits" },
        { 0, "volume-add", OPT_PARSE, 0, "list", "Bind mount a volume, now if the container runs", volume_parse },
        {},
};

static void health_finish(struct run_options *o)
{
        struct healthcheck *h = &o->config.healthcheck;
        if (o->no_healthcheck) {
                strv_push(&h->test, "NONE");
        } else if (!str_empty(o->health_cmd)) {
                strv_push(&h->test, "CMD-SHELL");
                strv_push(&h->test, o->health_cmd);
        }
}

static void streams_finish(struct run_options *o)
{
        struct container_config *c = &o->config;
        bool all = !o->attach && !o->detach;
        c->attach_stdin = strv_has(o->attach, "stdin") || (all && c->open_stdin);
        c->attach_stdout = all || strv_has(o->attach, "stdout");
        c->attach_stderr = all || strv_has(o->attach, "stderr");
        if (c->attach_stdin)
                c->open_stdin = true;
        c->stdin_once = c->open_stdin && c->attach_stdin;
}

int run_options_finish(struct run_options *o, char **args, struct err *err)
{
        struct container_config *c = &o->config;
        if (o->detach && o->attach)
                return err_set(err, ERR_INVALID, "Conflicting options: -a and -d");
        const struct healthcheck *h = &c->healthcheck;
        if (o->no_healthcheck && (o->health_cmd || h->interval || h->timeout || h->start_period || h->start_interval || h->retries))
                return err_set(err, ERR_INVALID, "--no-healthcheck conflicts with --health-* options");
        if (o->pull && !str_eq(o->pull, "always") && !str_eq(o->pull, "missing") && !str_eq(o->pull, "never"))
                return err_set(err, ERR_INVALID, "invalid pull option: '%s': must be one of \"always\", \"missing\" or \"never\"", o->pull);
        c->image = xstrdup(args[0]);
        strv_extend(&c->cmd, args + 1);
        health_finish(o);
        streams_finish(o);
        return 0;
}

static int image_pull_spawn(struct cli *cli, const struct run_options *o, struct err *err)
{
        _cleanup_free_ char *program = NULL;
        _cleanup_strv_ char **argv = NULL;
        int status, pid, pidfd;
        if (engine_program("tare-transfer", &program, err) < 0)
                return -1;
        strv_push(&argv, "tare");
        strv_push(&argv, "pull");
        if (o->quiet)
                strv_push(&argv, "--quiet");
        if (o->config.platform)
                strv_push_take(&argv, xasprintf("--platform=%s", o->config.platform));
        strv_push(&argv, o->config.image);
        struct proc_spawn spawn = { .path = program, .argv = argv, .stdin_fd = -1, .stdout_fd = 2, .stderr_fd = 2 };
        if (proc_spawn(&spawn, &pid, &pidfd, err) < 0)
                return -1;
        close(pidfd);
        if (proc_wait(pid, &status, err) < 0)
                return -1;
        return status == 0 ? 0 : err_set(err, ERR_NOT_FOUND, "Unable to pull image '%s'", o->config.image);
}

int run_image_ensure(struct cli *cli, const struct run_options *o, struct err *err)
{
        struct engine *e;
        _cleanup_image_ struct image image = { 0 };
        if (str_eq(o->pull, "always"))
                return image_pull_spawn(cli, o, err);
        if (cli_engine(cli, &e, err) < 0)
                return -1;
        struct err missing = ERR_INIT;
        int found = str_empty(o->config.platform) ? image_find_brief(engine_db(e), o->config.image, &image, &missing)
                                                  : container_image_find(e, o->config.image, o->config.platform, &image, &missing);
        if (found == 0)
                return 0;
        if (missing.kind != ERR_NOT_FOUND || str_eq(o->pull, "never"))
                return err_set(err, missing.kind, "%s", missing.msg);
        _cleanup_reference_ struct reference r = { 0 };
        if (reference_parse(o->config.image, &r, err) < 0)
                return -1;
        _cleanup_free_ char *familiar = reference_familiar(&r);
        if (!o->quiet)
                fprintf(stderr, "Unable to find image '%s' locally\n", familiar);
        return image_pull_spawn(cli, o, err);
}

int run_cidfile_check(const struct run_options *o, struct err *err)
{
        if (o->cidfile && access(o->cidfile, F_OK) == 0)
                return err_set(err, ERR_CONFLICT,
                               "container ID file found, make sure the other container isn't running or delete %s", o->cidfile);
        return 0;
}

int run_cidfile_write(const struct run_options *o, const char *id, struct err *err)
{
        return o->cidfile ? file_write_at(AT_FDCWD, o->cidfile, id, strlen(id), 0644, false, err) : 0;
}

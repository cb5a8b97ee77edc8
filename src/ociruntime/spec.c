/* spec: a config.json to start from, with little privilege. */
#include <errno.h>
#include <fcntl.h>
#include "base/file.h"
#include "base/json.h"
#include "ociruntime/program-internal.h"
#include "runtime/cgroup.h"

static const struct { const char *destination, *type, *source, *options; } mounts[] = {
        { "/proc", "proc", "proc", NULL },
        { "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k" },
        { "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5" },
        { "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k" },
        { "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev" },
        { "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro" },
        { "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro" },
};
/* A user may mount neither a sysfs without a network namespace nor give a terminal to a group he does not have. */
static const struct { const char *destination, *type, *source, *options; } rootless_mounts[] = {
        { "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620" },
        { "/sys", "none", "/sys", "rbind,nosuid,noexec,nodev,ro" },
};
static const char *const masked[] = { "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                                      "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi" };
static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" };

static void add_mounts(struct oci_spec *s, bool rootless)
{
        for (size_t i = 0; i < ELEMENTS(mounts); i++) {
                size_t r = 0;
                while (rootless && r < ELEMENTS(rootless_mounts) && !str_eq(rootless_mounts[r].destination, mounts[i].destination))
                        r++;
                if (rootless && r < ELEMENTS(rootless_mounts))
                        oci_spec_add_mount(s, rootless_mounts[r].destination, rootless_mounts[r].type, rootless_mounts[r].source,
                                           rootless_mounts[r].options);
                else
                        oci_spec_add_mount(s, mounts[i].destination, mounts[i].type, mounts[i].source, mounts[i].options);
        }
}

static void add_process(struct oci_process *p)
{
        static const char *const caps[] = { "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE" };
        p->terminal = true;
        str_replace(&p->cwd, "/");
        strv_push(&p->args, "sh");
        strv_push(&p->env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        strv_push(&p->env, "TERM=xterm");
        p->has_caps = true;
        for (size_t i = 0; i < ELEMENTS(caps); i++) {
                strv_push(&p->caps.bounding, caps[i]);
                strv_push(&p->caps.effective, caps[i]);
                strv_push(&p->caps.permitted, caps[i]);
        }
        oci_spec_add_rlimit(p, "RLIMIT_NOFILE", 1024, 1024);
        p->no_new_privileges = true;
}

static void map_self(struct oci_id_map **maps, size_t *count, uint32_t id)
{
        *maps = xcalloc(1, sizeof(**maps));
        **maps = (struct oci_id_map){ .container_id = 0, .host_id = id, .size = 1 };
        *count = 1;
}

static void fill(struct oci_spec *s, bool rootless)
{
        static const enum oci_namespace_kind kinds[] = { OCI_NS_PID, OCI_NS_IPC, OCI_NS_UTS, OCI_NS_MOUNT, OCI_NS_CGROUP };
        str_replace(&s->oci_version, OCIRUNTIME_SPEC_VERSION);
        str_replace(&s->hostname, "tare");
        str_replace(&s->root_path, "rootfs");
        s->root_readonly = true;
        s->has_process = true;
        add_process(&s->process);
        add_mounts(s, rootless);
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                s->namespaces[kinds[i]].wanted = kinds[i] != OCI_NS_CGROUP || cgroup_only_unified();
        s->namespaces[rootless ? OCI_NS_USER : OCI_NS_NETWORK].wanted = true;
        if (rootless) {
                map_self(&s->uid_maps, &s->uid_map_count, geteuid());
                map_self(&s->gid_maps, &s->gid_map_count, getegid());
        } else {
                oci_spec_add_device_rule(&s->resources, false, 'a', -1, -1, "rwm");
        }
        for (size_t i = 0; i < ELEMENTS(masked); i++)
                strv_push(&s->masked_paths, masked[i]);
        for (size_t i = 0; i < ELEMENTS(readonly); i++)
                strv_push(&s->readonly_paths, readonly[i]);
}

/* Compact JSON made readable. */
static char *indented(const struct oci_spec *s, struct err *err)
{
        _cleanup_free_ char *text = oci_spec_format(s);
        _cleanup_json_ json_t *o = json_parse(text, strlen(text), OCIRUNTIME_CONFIG_MAX, "config.json", err);
        return o ? json_text_indented(o) : NULL;
}

int verb_spec(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        _cleanup_oci_spec_ struct oci_spec s;
        oci_spec_init(&s);
        fill(&s, o->rootless);
        if (o->bundle && chdir(o->bundle) < 0)
                return err_sys(err, "chdir %s", o->bundle);
        if (file_exists_at(AT_FDCWD, "config.json"))
                return err_set(err, ERR_CONFLICT, "File config.json exists. Remove it first");
        _cleanup_free_ char *text = indented(&s, err);
        return text ? file_write_at(AT_FDCWD, "config.json", text, strlen(text), 0666, false, err) : -1;
}

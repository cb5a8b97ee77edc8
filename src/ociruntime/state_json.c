/* state.json to struct and back. The names are those of runc's file, as far as tools read them; "tare" holds the rest. */
#include "base/json.h"
#include "base/proc.h"
#include "base/str.h"
#include "ociruntime/program-internal.h"
#include "ociruntime/state.h"
#include "runtime/cgroup.h"

#define STATE_MAX ((size_t)1 << 20)

void state_done(struct state *s)
{
        char **const texts[] = { &s->id, &s->bundle, &s->rootfs, &s->created, &s->oci_version, &s->cgroups_path };
        for (size_t i = 0; i < ELEMENTS(texts); i++)
                free(*texts[i]);
        strv_free(s->annotations);
        strv_free(s->descriptors);
        *s = (struct state){ 0 };
}

/* ---- writing ---- */

static const char *const namespace_words[OCI_NS_KINDS][2] = {
        [OCI_NS_PID] = { "NEWPID", "pid" },   [OCI_NS_NETWORK] = { "NEWNET", "net" },      [OCI_NS_MOUNT] = { "NEWNS", "mnt" },
        [OCI_NS_IPC] = { "NEWIPC", "ipc" },   [OCI_NS_UTS] = { "NEWUTS", "uts" },          [OCI_NS_USER] = { "NEWUSER", "user" },
        [OCI_NS_CGROUP] = { "NEWCGROUP", "cgroup" }, [OCI_NS_TIME] = { "NEWTIME", "time" },
};

static json_t *namespace_paths(const struct state *s)
{
        json_t *o = json_object();
        for (int i = 0; i < OCI_NS_KINDS && s->pid > 0; i++)
                json_object_set_new(o, namespace_words[i][0], json_sprintf("/proc/%d/ns/%s", (int)s->pid, namespace_words[i][1]));
        return o;
}

static json_t *namespaces_json(const struct oci_spec *spec)
{
        json_t *list = json_array();
        for (int i = 0; i < OCI_NS_KINDS; i++) {
                if (!spec->namespaces[i].wanted)
                        continue;
                const char *path = spec->namespaces[i].path;
                json_array_append_new(list, json_pack("{s:s, s:s}", "type", namespace_words[i][0], "path", path ? path : ""));
        }
        return list;
}

static json_t *config_json(const struct state *s, const struct oci_spec *spec)
{
        json_t *o = json_object(), *labels = json_array(), *cgroups = json_object();
        json_object_set_new(o, "rootfs", json_string(s->rootfs));
        json_object_set_new(o, "readonlyfs", json_boolean(spec->root_readonly));
        json_object_set_new(o, "hostname", json_string(spec->hostname ? spec->hostname : ""));
        json_object_set_new(o, "namespaces", namespaces_json(spec));
        json_object_set_new(cgroups, "path", json_string(s->cgroups_path ? s->cgroups_path : ""));
        json_object_set_new(cgroups, "Systemd", json_boolean(s->systemd));
        json_object_set_new(o, "cgroups", cgroups);
        json_array_append_new(labels, json_sprintf("bundle=%s", s->bundle));
        STRV_FOREACH (entry, s->annotations)
                json_array_append_new(labels, json_string(*entry));
        json_object_set_new(o, "labels", labels);
        json_object_set_new(o, "version", json_string(OCIRUNTIME_SPEC_VERSION));
        return o;
}

static json_t *ours_json(const struct state *s)
{
        json_t *o = json_object();
        json_set_string(o, "bundle", s->bundle);
        json_set_string(o, "rootfs", s->rootfs);
        json_set_string(o, "ociVersion", s->oci_version);
        json_set_string(o, "cgroupsPath", s->cgroups_path);
        json_set_map(o, "annotations", s->annotations);
        json_object_set_new(o, "systemd", json_boolean(s->systemd));
        json_object_set_new(o, "sharedPid", json_boolean(s->shared_pid));
        json_object_set_new(o, "poststart", json_boolean(s->poststart));
        json_object_set_new(o, "poststop", json_boolean(s->poststop));
        return o;
}

static json_t *cgroup_paths_json(const struct state *s)
{
        _cleanup_(cgroup_freep) struct cgroup *cg = NULL;
        _cleanup_strv_ char **paths = NULL;
        struct err unused = ERR_INIT;
        if (s->pid > 0 && state_cgroup(s, &cg, &unused) == 0 && cg)
                cgroup_paths(cg, &paths);
        json_t *o = json_object();
        STRV_FOREACH (entry, paths) {
                const char *equals = strrchr(*entry, '=');
                _cleanup_free_ char *name = xstrndup(*entry, (size_t)(equals - *entry));
                json_object_set_new(o, name, json_string(equals + 1));
        }
        return o;
}

char *state_format(const struct state *s, const struct oci_spec *spec)
{
        _cleanup_json_ json_t *o = json_object();
        json_object_set_new(o, "id", json_string(s->id));
        json_object_set_new(o, "init_process_pid", json_integer(s->pid));
        json_object_set_new(o, "init_process_start", json_integer((json_int_t)s->start_time));
        json_object_set_new(o, "created", json_string(s->created));
        json_object_set_new(o, "rootless", json_boolean(s->rootless));
        json_object_set_new(o, "config", config_json(s, spec));
        json_object_set_new(o, "cgroup_paths", cgroup_paths_json(s));
        json_object_set_new(o, "namespace_paths", namespace_paths(s));
        json_object_set_new(o, "external_descriptors", json_from_strv(s->descriptors));
        json_object_set_new(o, "intel_rdt_path", json_string(""));
        json_object_set_new(o, "tare", ours_json(s));
        return json_text(o);
}

/* ---- reading ---- */

static int parse_ours(const json_t *top, const struct jpath *root, struct state *s, struct err *err)
{
        json_t *o = NULL;
        struct jpath p = jpath_key(root, "tare");
        if (json_get_object(top, root, "tare", true, &o, err) < 0 || json_get_string(o, &p, "bundle", true, &s->bundle, err) < 0 ||
            json_get_string(o, &p, "rootfs", false, &s->rootfs, err) < 0 ||
            json_get_string(o, &p, "ociVersion", false, &s->oci_version, err) < 0 ||
            json_get_string(o, &p, "cgroupsPath", false, &s->cgroups_path, err) < 0 ||
            json_get_map(o, &p, "annotations", false, &s->annotations, err) < 0 ||
            json_get_bool(o, &p, "systemd", false, &s->systemd, err) < 0 ||
            json_get_bool(o, &p, "sharedPid", false, &s->shared_pid, err) < 0 ||
            json_get_bool(o, &p, "poststart", false, &s->poststart, err) < 0)
                return -1;
        return json_get_bool(o, &p, "poststop", false, &s->poststop, err);
}

static int parse_into(const json_t *o, struct state *s, struct err *err)
{
        struct jpath root = JPATH("state.json");
        int64_t pid = 0;
        if (json_get_string(o, &root, "id", true, &s->id, err) < 0 ||
            json_get_i64(o, &root, "init_process_pid", true, &pid, err) < 0 ||
            json_get_u64(o, &root, "init_process_start", true, &s->start_time, err) < 0 ||
            json_get_string(o, &root, "created", true, &s->created, err) < 0 ||
            json_get_strv(o, &root, "external_descriptors", false, &s->descriptors, err) < 0 ||
            json_get_bool(o, &root, "rootless", false, &s->rootless, err) < 0 || parse_ours(o, &root, s, err) < 0)
                return -1;
        if (pid < 0 || pid > INT32_MAX)
                return json_err(&root, "init_process_pid", err, "no process id");
        s->pid = (pid_t)pid;
        return 0;
}

int state_parse(const char *text, size_t len, struct state *ret, struct err *err)
{
        _cleanup_json_ json_t *o = json_parse(text, len, STATE_MAX, "state.json", err);
        _cleanup_(state_done) struct state s = { 0 };
        if (!o || parse_into(o, &s, err) < 0)
                return -1;
        *ret = s;
        s = (struct state){ 0 };
        return 0;
}

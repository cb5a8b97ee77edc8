/* State, Config and Mounts of docker inspect's document. */
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/inspect-internal.h"
#include "engine/spec-internal.h"

json_t *inspect_state(const struct inspection *x)
{
        const struct container_status *s = &x->container->status;
        bool running = container_is_running(x->container);
        json_t *o = json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:i, s:i, s:o, s:o, s:o}", "Status", container_state_name(s->state), "Running", running,
                         "Paused", s->state == STATE_PAUSED, "Restarting", s->state == STATE_RESTARTING, "OOMKilled", (int)s->oom_killed, "Dead",
                         s->state == STATE_DEAD, "Pid", running ? (int)s->pid : 0, "ExitCode", (int)s->exit_code, "Error", inspect_text(s->error), "StartedAt",
                         inspect_time(s->started), "FinishedAt", inspect_time(s->finished));
        json_t *health = health_document(x->engine, x->container);
        if (health)
                json_object_set_new(o, "Health", health);
        return o;
}

static json_t *list_or_null(char *const *v) { return v ? json_from_strv(v) : json_null(); }

/* Only anonymous volumes stand here, as in what the client sent to docker. */
static json_t *volumes(const struct inspection *x)
{
        const struct container_config *c = &x->container->config;
        json_t *set = json_object();
        for (size_t i = 0; i < c->mount_count; i++)
                if (inspect_is_anonymous(x, &c->mounts[i]))
                        json_object_set_new(set, c->mounts[i].target, json_object());
        if (json_object_size(set))
                return set;
        json_decref(set);
        return json_null();
}

json_t *inspect_config(const struct inspection *x)
{
        const struct container_config *c = &x->container->config;
        _cleanup_free_ char *hostname = container_hostname(x->container);
        json_t *o = json_pack("{s:s, s:o, s:o, s:b, s:b, s:b}", "Hostname", hostname, "Domainname", inspect_text(c->domainname), "User",
                              inspect_text(c->user), "AttachStdin", (int)c->attach_stdin, "AttachStdout", (int)c->attach_stdout, "AttachStderr",
                              (int)c->attach_stderr);
        if (c->exposed_ports)
                json_object_set_new(o, "ExposedPorts", inspect_set(c->exposed_ports));
        json_object_set_new(o, "Tty", json_boolean(c->tty));
        json_object_set_new(o, "OpenStdin", json_boolean(c->open_stdin));
        json_object_set_new(o, "StdinOnce", json_boolean(c->stdin_once));
        json_object_set_new(o, "Env", json_from_strv(c->env));
        json_object_set_new(o, "Cmd", list_or_null(c->cmd));
        if (c->healthcheck.test || c->healthcheck.interval || c->healthcheck.retries)
                json_object_set_new(o, "Healthcheck", healthcheck_to_json(&c->healthcheck));
        json_set_string(o, "HealthcheckOnFailureAction", c->health_on_failure);
        json_object_set_new(o, "Image", inspect_text(c->image));
        json_object_set_new(o, "Volumes", volumes(x));
        json_object_set_new(o, "WorkingDir", inspect_text(c->working_dir));
        json_object_set_new(o, "Entrypoint", list_or_null(c->entrypoint));
        json_set_string(o, "MacAddress", c->mac_address);
        json_object_set_new(o, "OnBuild", json_null());
        json_object_set_new(o, "Labels", json_from_map(c->labels));
        json_set_string(o, "StopSignal", c->stop_signal);
        if (c->stop_timeout >= 0)
                json_object_set_new(o, "StopTimeout", json_integer(c->stop_timeout));
        return o;
}

static json_t *mount_bind(const struct mount_request *m)
{
        return json_pack("{s:s, s:o, s:s, s:s, s:b, s:s}", "Type", "bind", "Source", inspect_text(m->source), "Destination", m->target, "Mode",
                         m->read_only ? "ro" : "", "RW", !m->read_only, "Propagation", m->propagation ? m->propagation : "rprivate");
}

static json_t *mount_volume(const struct inspection *x, const struct mount_request *m)
{
        _cleanup_free_ char *path = volume_path(x->engine, m->source ? m->source : "");
        return json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:b, s:s}", "Type", "volume", "Name", inspect_text(m->source), "Source", inspect_text(path),
                         "Destination", m->target, "Driver", "local", "Mode", m->read_only ? "ro" : inspect_is_anonymous(x, m) ? "" : "z", "RW",
                         !m->read_only, "Propagation", "");
}

/* tmpfs of --mount stands here, that of --tmpfs in HostConfig alone (which is the only one with options). */
json_t *inspect_mounts(const struct inspection *x)
{
        const struct container_config *c = &x->container->config;
        json_t *list = json_array();
        for (size_t i = 0; i < c->mount_count; i++) {
                const struct mount_request *m = &c->mounts[i];
                if (m->kind == MOUNT_BIND)
                        json_array_append_new(list, mount_bind(m));
                else if (m->kind == MOUNT_VOLUME)
                        json_array_append_new(list, mount_volume(x, m));
                else if (m->tmpfs_size || m->tmpfs_mode >= 0 || m->read_only)
                        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:b, s:s}", "Type", "tmpfs", "Source", "", "Destination",
                                                              m->target, "Mode", "", "RW", !m->read_only, "Propagation", ""));
        }
        return list;
}

#include "oci/config.h"
#include "oci/config-internal.h"

#include "base/str.h"

const char *const image_exec_members[] = { "User",        "ExposedPorts", "Env",         "Entrypoint", "Cmd",
                                           "Volumes",     "WorkingDir",   "Labels",      "StopSignal", "ArgsEscaped",
                                           "Healthcheck", "OnBuild",      "StopTimeout", "Shell",      NULL };

void image_exec_init(struct image_exec *x)
{
        *x = (struct image_exec){ .stop_timeout = -1 };
}

void image_exec_done(struct image_exec *x)
{
        free(x->user);
        strv_free(x->env);
        strv_free(x->entrypoint);
        strv_free(x->cmd);
        free(x->working_dir);
        strv_free(x->exposed_ports);
        strv_free(x->volumes);
        strv_free(x->labels);
        free(x->stop_signal);
        strv_free(x->shell);
        strv_free(x->onbuild);
        healthcheck_done(&x->healthcheck);
        image_exec_init(x);
}

void image_exec_copy(const struct image_exec *from, struct image_exec *ret)
{
        struct image_exec x = { .stop_timeout = from->stop_timeout, .args_escaped = from->args_escaped };

        str_replace(&x.user, from->user);
        x.env = strv_dup(from->env);
        x.entrypoint = strv_dup(from->entrypoint);
        x.cmd = strv_dup(from->cmd);
        str_replace(&x.working_dir, from->working_dir);
        x.exposed_ports = strv_dup(from->exposed_ports);
        x.volumes = strv_dup(from->volumes);
        x.labels = strv_dup(from->labels);
        str_replace(&x.stop_signal, from->stop_signal);
        x.shell = strv_dup(from->shell);
        x.onbuild = strv_dup(from->onbuild);
        healthcheck_copy(&from->healthcheck, &x.healthcheck);
        *ret = x;
}

/* A set is written as an object of empty objects. Sorted, so that equal sets are equal bytes. */
static int set_get(const json_t *o, const struct jpath *path, const char *key, char ***ret, struct err *err)
{
        json_t *set = NULL, *value;
        const char *name;

        if (json_get_object(o, path, key, false, &set, err) < 0)
                return -1;
        json_object_foreach(set, name, value)
        {
                if (!json_is_object(value) && !json_is_null(value))
                        return json_err(path, key, err, "\"%.100s\": expected an empty object", name);
                strv_push(ret, name);
        }
        strv_sort(*ret);
        return 0;
}

static void set_set(json_t *o, const char *key, char *const *names)
{
        json_t *set;

        if (strv_len(names) == 0)
                return;
        set = json_object();
        STRV_FOREACH(name, names)
                json_object_set_new(set, *name, json_object());
        json_object_set_new(o, key, set);
}

static int healthcheck_get(const json_t *o, const struct jpath *path, struct healthcheck *ret, struct err *err)
{
        struct jpath here = jpath_key(path, "Healthcheck");
        json_t *member = NULL;

        if (json_get_object(o, path, "Healthcheck", false, &member, err) < 0)
                return -1;
        return member ? healthcheck_from_json(member, &here, ret, err) : 0;
}

static int image_exec_fill(const json_t *o, const struct jpath *path, struct image_exec *x, struct err *err)
{
        if (json_get_string(o, path, "User", false, &x->user, err) < 0 ||
            set_get(o, path, "ExposedPorts", &x->exposed_ports, err) < 0 ||
            json_get_strv(o, path, "Env", false, &x->env, err) < 0 ||
            json_get_strv(o, path, "Entrypoint", false, &x->entrypoint, err) < 0 ||
            json_get_strv(o, path, "Cmd", false, &x->cmd, err) < 0 ||
            set_get(o, path, "Volumes", &x->volumes, err) < 0 ||
            json_get_string(o, path, "WorkingDir", false, &x->working_dir, err) < 0 ||
            json_get_map(o, path, "Labels", false, &x->labels, err) < 0 ||
            json_get_string(o, path, "StopSignal", false, &x->stop_signal, err) < 0 ||
            json_get_bool(o, path, "ArgsEscaped", false, &x->args_escaped, err) < 0 ||
            healthcheck_get(o, path, &x->healthcheck, err) < 0 ||
            json_get_strv(o, path, "OnBuild", false, &x->onbuild, err) < 0 ||
            json_get_i64(o, path, "StopTimeout", false, &x->stop_timeout, err) < 0 ||
            json_get_strv(o, path, "Shell", false, &x->shell, err) < 0)
                return -1;
        if (x->stop_timeout < 0)
                x->stop_timeout = -1;
        return 0;
}

int image_exec_from_json(const json_t *o, const struct jpath *path, struct image_exec *ret, struct err *err)
{
        struct image_exec x;

        if (!json_is_object(o))
                return json_err(path, NULL, err, "expected an object");
        image_exec_init(&x);
        if (image_exec_fill(o, path, &x, err) < 0) {
                image_exec_done(&x);
                return -1;
        }
        *ret = x;
        return 0;
}

static bool healthcheck_empty(const struct healthcheck *h)
{
        return !h->test && !h->interval && !h->timeout && !h->start_period && !h->start_interval && !h->retries;
}

json_t *image_exec_to_json(const struct image_exec *x)
{
        json_t *o = json_object();

        json_set_string(o, "User", x->user);
        set_set(o, "ExposedPorts", x->exposed_ports);
        json_set_strv(o, "Env", x->env);
        json_set_strv(o, "Entrypoint", x->entrypoint);
        json_set_strv(o, "Cmd", x->cmd);
        set_set(o, "Volumes", x->volumes);
        json_set_string(o, "WorkingDir", x->working_dir);
        json_set_map(o, "Labels", x->labels);
        json_set_string(o, "StopSignal", x->stop_signal);
        if (x->args_escaped)
                json_object_set_new(o, "ArgsEscaped", json_true());
        if (!healthcheck_empty(&x->healthcheck))
                json_object_set_new(o, "Healthcheck", healthcheck_to_json(&x->healthcheck));
        json_set_strv(o, "OnBuild", x->onbuild);
        if (x->stop_timeout >= 0)
                json_object_set_new(o, "StopTimeout", json_integer(x->stop_timeout));
        json_set_strv(o, "Shell", x->shell);
        return o;
}

/* What the image says and the user did not; docker's rules (daemon "merge" of container and image configuration). */
#include "base/str.h"
#include "engine/container_config.h"

static void default_string(char **mine, const char *image)
{
        if (str_empty(*mine) && !str_empty(image))
                str_replace(mine, image);
}

static void merge_command(struct container_config *c, const struct image_exec *image)
{
        if (c->entrypoint_given) {
                /* --entrypoint "" clears the image's */
                if (c->entrypoint && str_empty(c->entrypoint[0])) {
                        strv_free(c->entrypoint);
                        c->entrypoint = NULL;
                }
                return;
        }
        if (!c->cmd)
                c->cmd = strv_dup(image->cmd);
        if (!c->entrypoint)
                c->entrypoint = strv_dup(image->entrypoint);
}

/* The image's come first; one of the user's with the same name takes its place. */
static void merge_assignments(char ***mine, char *const *image)
{
        char **merged = strv_dup(image);
        STRV_FOREACH (assignment, *mine)
                strv_env_set(&merged, *assignment);
        strv_free(*mine);
        *mine = merged;
}

static bool has_target(const struct container_config *c, const char *target)
{
        for (size_t i = 0; i < c->mount_count; i++)
                if (str_eq(c->mounts[i].target, target))
                        return true;
        return false;
}

static void merge_volumes(struct container_config *c, char *const *volumes)
{
        STRV_FOREACH (target, volumes) {
                if ((*target)[0] != '/' || has_target(c, *target))
                        continue;
                c->mounts = xreallocarray(c->mounts, c->mount_count + 1, sizeof(*c->mounts));
                c->mounts[c->mount_count++] = (struct mount_request){ .kind = MOUNT_VOLUME, .target = xstrdup(*target), .tmpfs_mode = -1 };
        }
}

static void merge_health(struct healthcheck *mine, const struct healthcheck *image)
{
        if (!mine->test && image->test)
                mine->test = strv_dup(image->test);
        if (!mine->interval)
                mine->interval = image->interval;
        if (!mine->timeout)
                mine->timeout = image->timeout;
        if (!mine->start_period)
                mine->start_period = image->start_period;
        if (!mine->start_interval)
                mine->start_interval = image->start_interval;
        if (!mine->retries)
                mine->retries = image->retries;
}

void container_config_merge(struct container_config *c, const struct image_exec *image)
{
        default_string(&c->user, image->user);
        default_string(&c->working_dir, image->working_dir);
        default_string(&c->stop_signal, image->stop_signal);
        if (c->stop_timeout < 0)
                c->stop_timeout = image->stop_timeout;
        merge_command(c, image);
        merge_assignments(&c->env, image->env);
        merge_assignments(&c->labels, image->labels);
        STRV_FOREACH (port, image->exposed_ports)
                if (!strv_has(c->exposed_ports, *port))
                        strv_push(&c->exposed_ports, *port);
        strv_sort(c->exposed_ports);
        merge_volumes(c, image->volumes);
        merge_health(&c->healthcheck, &image->healthcheck);
}

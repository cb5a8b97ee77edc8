#include "build/run-internal.h"

#include <unistd.h>
#include "base/path.h"
#include "base/str.h"
#include "runtime/container.h"
#include "runtime/security.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SHM_SIZE ((uint64_t)64 << 20)

static void env_default(char ***env, const char *name, const char *assignment)
{
        if (!strv_env_get(*env, name))
                strv_push(env, assignment);
}

/* docker's order: its own defaults give way to the image's, build arguments to both. */
static char **make_env(const struct step *s, const struct run *r, const char *home, const char *hostname)
{
        const struct image_exec *exec = &s->s->config.exec;
        _cleanup_strv_ char **proxies = arg_proxies(&s->s->args, exec->env);
        _cleanup_free_ char *home_env = xasprintf("HOME=%s", home);
        _cleanup_free_ char *host_env = xasprintf("HOSTNAME=%s", hostname);
        char **env = strv_dup(exec->env);
        strv_extend(&env, r->args_env);
        strv_extend(&env, proxies);
        env_default(&env, "PATH", DEFAULT_PATH);
        env_default(&env, "HOSTNAME", host_env);
        env_default(&env, "HOME", home_env);
        return env;
}

static int make_process(struct step *s, const struct run *r, int root_fd, struct oci_spec *spec, struct err *err)
{
        const struct image_exec *exec = &s->s->config.exec;
        struct oci_process *p = &spec->process;
        _cleanup_free_ char *home = NULL;
        uint64_t mask = 0;
        if (runtime_user_resolve(root_fd, str_empty(exec->user) ? "0" : exec->user, &p->uid, &p->gid,
                                 &p->additional_gids, &p->additional_gid_count, &home, err) < 0)
                return err_add(err, "USER %s", exec->user);
        spec->has_process = true;
        p->cwd = xstrdup(str_empty(exec->working_dir) ? "/" : exec->working_dir);
        p->args = strv_dup(r->argv);
        p->env = make_env(s, r, home ? home : "/", spec->hostname);
        if (capabilities_for(NULL, NULL, false, &mask, err) < 0)
                return -1;
        capabilities_apply(mask, p);
        p->has_caps = true;
        spec->seccomp = seccomp_default(mask);
        return 0;
}

int run_spec_make(struct step *s, const struct run *r, int root_fd, struct oci_spec *spec, struct err *err)
{
        static const enum oci_namespace_kind namespaces[] = { OCI_NS_PID, OCI_NS_MOUNT, OCI_NS_IPC, OCI_NS_UTS };
        bool cgroup2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
        char name[13];
        str_replace(&spec->oci_version, "1.2.0");
        str_replace(&spec->hostname, run_short_id(s, name));
        for (size_t i = 0; i < ELEMENTS(namespaces); i++)
                spec->namespaces[namespaces[i]].wanted = true;
        spec->namespaces[OCI_NS_CGROUP].wanted = cgroup2;
        spec->namespaces[OCI_NS_NETWORK].wanted = !r->host_network;
        spec->cgroups_path = workspace_cgroup(s->root_id);
        if (make_process(s, r, root_fd, spec, err) < 0)
                return -1;
        spec_add_default_mounts(spec, false, SHM_SIZE, NULL, cgroup2);
        spec_add_default_paths(spec);
        spec_add_default_devices(spec);
        return 0;
}

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/log.h"
#include "base/path.h"
#include "ociruntime/checkpoint-internal.h"
#include "ociruntime/lifecycle-internal.h"
#include "runtime/cgroup.h"

#define CRIU_CONFIG "/etc/criu/runc.conf"

void checkpoint_paths_done(struct checkpoint_paths *paths)
{
        free(paths->images);
        free(paths->work);
        free(paths->criu);
        free(paths->config_file);
}

/* ---- options of both ---- */

static int read_cgroups_mode(const char *word, enum checkpoint_cgroups *ret, struct err *err)
{
        static const struct {
                const char *word;
                enum checkpoint_cgroups mode;
        } modes[] = { { "soft", CHECKPOINT_CGROUPS_SOFT },
                      { "full", CHECKPOINT_CGROUPS_FULL },
                      { "strict", CHECKPOINT_CGROUPS_STRICT },
                      { "ignore", CHECKPOINT_CGROUPS_IGNORE } };
        if (str_empty(word))
                return 0;
        for (size_t i = 0; i < ELEMENTS(modes); i++)
                if (str_eq(word, modes[i].word)) {
                        *ret = modes[i].mode;
                        return 0;
                }
        return err_set(err, ERR_INVALID, "Invalid manage cgroups mode");
}

static int check_empty_namespaces(char *const *names, struct err *err)
{
        STRV_FOREACH (name, names)
                if (!str_eq(*name, "network"))
                        return err_set(err, ERR_INVALID, "namespace \"%s\" is not supported", *name);
        return 0;
}

int checkpoint_read_options(const struct program *p, const struct verb_options *o, struct checkpoint_paths *paths,
                            struct checkpoint_options *ret, struct err *err)
{
        paths->images = path_absolute(str_empty(o->image_path) ? "checkpoint" : o->image_path);
        paths->work = str_empty(o->work_path) ? NULL : path_absolute(o->work_path);
        paths->criu = p->criu && strchr(p->criu, '/') ? path_absolute(p->criu) : p->criu ? xstrdup(p->criu) : NULL;
        *ret = (struct checkpoint_options){ .criu = paths->criu,
                                            .images = paths->images,
                                            .work = paths->work,
                                            .tcp_established = o->tcp_established,
                                            .unix_sockets = o->ext_unix_sk,
                                            .shell_job = o->shell_job,
                                            .file_locks = o->file_locks,
                                            .auto_dedup = o->auto_dedup,
                                            .lazy_pages = o->lazy_pages };
        if (geteuid() != 0)
                log_warning("checkpoints of users without privileges depend on what criu can do for them");
        return read_cgroups_mode(o->manage_cgroups_mode, &ret->cgroups, err) < 0 ? -1 : check_empty_namespaces(o->empty_ns, err);
}

void checkpoint_choose_config(char *const *annotations, struct checkpoint_paths *paths, struct checkpoint_options *options)
{
        const char *file = strv_env_get(annotations, "org.criu.config");
        str_replace(&paths->config_file, file && !*file ? NULL : file ? file : CRIU_CONFIG);
        options->config_file = paths->config_file;
}

/* ---- checkpoint ---- */

static int check_parent(const struct verb_options *o, const char *images, struct err *err)
{
        struct stat st;
        if (str_empty(o->parent_path))
                return 0;
        if (o->parent_path[0] == '/')
                return err_set(err, ERR_INVALID, "--parent-path must be relative");
        _cleanup_free_ char *path = path_join(images, o->parent_path);
        if (stat(path, &st) < 0)
                return err_sys(err, "invalid --parent-path: %s", path);
        return S_ISDIR(st.st_mode) ? 0 : err_sysnum(err, ENOTDIR, "invalid --parent-path: %s", path);
}

/* "ADDRESS:PORT", "[::1]:PORT"; *ret_address is heap. */
static int read_page_server(const char *text, char **ret_address, uint16_t *ret_port, struct err *err)
{
        const char *colon = text ? strrchr(text, ':') : NULL;
        struct err unused = ERR_INIT;
        uint32_t port = 0;
        if (str_empty(text))
                return 0;
        size_t len = colon ? (size_t)(colon - text) : 0;
        bool bracketed = len > 2 && text[0] == '[' && colon[-1] == ']';
        if (len == 0 || !colon[1] || (!bracketed && memchr(text, ':', len)))
                return err_set(err, ERR_INVALID, "Use --page-server ADDRESS:PORT to specify page server");
        if (parse_u32(colon + 1, &port, &unused) < 0 || port == 0 || port > 65535)
                return err_set(err, ERR_INVALID, "Invalid port number");
        *ret_address = xstrndup(text + bracketed, len - (bracketed ? 2 : 0));
        *ret_port = (uint16_t)port;
        return 0;
}

static int read_status_fd(const char *text, int *ret, struct err *err)
{
        int64_t fd = -1;
        if (str_empty(text))
                return 0;
        if (parse_i64(text, &fd, err) < 0)
                return err_add(err, "invalid value \"%s\" for flag -status-fd", text);
        if (fd < 0)
                return 0;
        int flags = fd > INT32_MAX ? -1 : fcntl((int)fd, F_GETFL);
        if (flags < 0)
                return err_set(err, ERR_INVALID, "invalid --status-fd argument %lld: not open", (long long)fd);
        if ((flags & O_ACCMODE) == O_RDONLY)
                return err_set(err, ERR_INVALID, "invalid --status-fd argument %lld: not writable", (long long)fd);
        *ret = (int)fd;
        return 0;
}

static int check_status(struct container *c, struct err *err)
{
        enum container_status status = container_status(c);
        if (status == CONTAINER_RUNNING || status == CONTAINER_PAUSED)
                return 0;
        return err_set(err, ERR_CONFLICT, "Container cannot be checkpointed in %s state", container_status_name(status));
}

static int checkpoint_container(struct container *c, struct runtime_checkpoint *request, struct checkpoint_paths *paths, struct err *err)
{
        _cleanup_(cgroup_freep) struct cgroup *cg = NULL;
        _cleanup_oci_spec_ struct oci_spec spec;
        oci_spec_init(&spec);
        if (check_status(c, err) < 0 || container_load_spec(c, &spec, err) < 0 || container_cgroup(c, &cg, err) < 0)
                return -1;
        checkpoint_choose_config(c->state.annotations, paths, &request->options);
        request->spec = &spec;
        request->cgroup = cg;
        request->rootfs = c->state.rootfs;
        request->pid = c->state.pid;
        request->descriptors = c->state.descriptors;
        return runtime_checkpoint(request, err);
}

int verb_checkpoint(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        _cleanup_container_ struct container c = CONTAINER_INIT;
        _cleanup_(checkpoint_paths_done) struct checkpoint_paths paths = { 0 };
        _cleanup_free_ char *page_server = NULL;
        struct runtime_checkpoint request = { .status_fd = -1, .leave_running = o->leave_running, .pre_dump = o->pre_dump };
        /* The descriptor of the caller before any of ours takes its number. */
        if (read_status_fd(o->status_fd, &request.status_fd, err) < 0 ||
            read_page_server(o->page_server, &page_server, &request.page_server_port, err) < 0 ||
            container_open(p->root, args[0], true, &c, err) < 0 || check_status(&c, err) < 0 ||
            checkpoint_read_options(p, o, &paths, &request.options, err) < 0 ||
            path_mkdirs(paths.images, 0700, err) < 0 || check_parent(o, paths.images, err) < 0)
                return -1;
        request.parent = str_empty(o->parent_path) ? NULL : o->parent_path;
        request.page_server = page_server;
        if (checkpoint_container(&c, &request, &paths, err) < 0)
                return -1;
        return o->leave_running || o->pre_dump ? 0 : container_destroy(&c, err);
}

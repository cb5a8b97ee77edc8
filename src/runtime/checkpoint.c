#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"
#include "runtime/checkpoint-internal.h"
#include "runtime/kernel-internal.h"

#define LOG_LEVEL 4

static int add_flags(const struct checkpoint_options *o, struct buf *b, struct err *err)
{
        const struct {
                enum criu_option option;
                bool on;
        } flags[] = {
                { CRIU_CGROUPS, true },
                { CRIU_NOTIFICATIONS, true },
                { CRIU_ORPHAN_TERMINAL, true },
                { CRIU_SHELL_JOB, o->shell_job },
                { CRIU_TCP, o->tcp_established },
                { CRIU_UNIX_SOCKETS, o->unix_sockets },
                { CRIU_FILE_LOCKS, o->file_locks },
                { CRIU_AUTO_DEDUP, o->auto_dedup },
                { CRIU_LAZY_PAGES, o->lazy_pages },
        };
        for (size_t i = 0; i < ELEMENTS(flags); i++)
                if (criu_option_flag(b, flags[i].option, flags[i].on, err) < 0)
                        return -1;
        return 0;
}

static int add_cgroups_mode(const struct checkpoint_options *o, struct buf *b, struct err *err)
{
        static const uint64_t modes[] = { [CHECKPOINT_CGROUPS_IGNORE] = 0, [CHECKPOINT_CGROUPS_SOFT] = 3,
                                          [CHECKPOINT_CGROUPS_FULL] = 4, [CHECKPOINT_CGROUPS_STRICT] = 5 };
        return o->cgroups ? protobuf_number(b, CRIU_CGROUPS_MODE, modes[o->cgroups], err) : 0;
}

/* Devices of the network and their addresses are whose who made them: of a network namespace criu keeps only that it is there. */
static int add_common(const struct checkpoint_options *o, const struct criu *c, const char *log_name, struct buf *b, struct err *err)
{
        if (protobuf_number(b, CRIU_IMAGES_FD, (uint64_t)c->folders[0], err) < 0 ||
            (c->folders[1] >= 0 && protobuf_number(b, CRIU_WORK_FD, (uint64_t)c->folders[1], err) < 0) ||
            protobuf_number(b, CRIU_LOG_LEVEL, LOG_LEVEL, err) < 0 || protobuf_text(b, CRIU_LOG_FILE, log_name, err) < 0 ||
            protobuf_number(b, CRIU_EMPTY_NAMESPACES, CLONE_NEWNET, err) < 0 ||
            protobuf_text(b, CRIU_CONFIG_FILE, o->config_file, err) < 0)
                return -1;
        return add_flags(o, b, err) < 0 ? -1 : add_cgroups_mode(o, b, err);
}

int checkpoint_open(const struct checkpoint_options *o, const char *log_name, struct criu_start *start, struct criu *ret,
                    struct buf *options, struct err *err)
{
        _cleanup_free_ char *log = path_join(o->work ? o->work : o->images, log_name);
        if (o->work && mkdir(o->work, 0700) < 0 && errno != EEXIST)
                return err_sys(err, "make %s", o->work);
        start->program = o->criu;
        start->log = log;
        start->folders[0] = o->images;
        start->folders[1] = o->work;
        return criu_open(start, ret, err) < 0 ? -1 : add_common(o, ret, log_name, options, err);
}

bool checkpoint_namespace(const struct criu *c, const struct oci_spec *spec, enum oci_namespace_kind kind, const char **ret_word,
                          const char **ret_key)
{
        static const struct {
                const char *word, *key;
                uint32_t version;      /* of criu */
        } known[OCI_NS_KINDS] = {
                [OCI_NS_NETWORK] = { "net", "extRootNetNS", 31100 },
                [OCI_NS_PID] = { "pid", "extRootPidNS", 31500 },
        };
        if (!spec->namespaces[kind].wanted || !spec->namespaces[kind].path || !known[kind].word || c->version < known[kind].version)
                return false;
        *ret_word = known[kind].word;
        *ret_key = known[kind].key;
        return true;
}

/* ---- checkpoint ---- */

static int add_namespaces(const struct criu *c, const struct oci_spec *spec, struct buf *b, struct err *err)
{
        const char *word, *key;
        struct stat st;
        for (int i = 0; i < OCI_NS_KINDS; i++) {
                if (!checkpoint_namespace(c, spec, (enum oci_namespace_kind)i, &word, &key))
                        continue;
                if (stat(spec->namespaces[i].path, &st) < 0)
                        return err_sys(err, "%s", spec->namespaces[i].path);
                _cleanup_free_ char *text = xasprintf("%s[%lu]:%s", word, (unsigned long)st.st_ino, key);
                if (protobuf_text(b, CRIU_EXTERNAL, text, err) < 0)
                        return -1;
        }
        return 0;
}

/* criu stops the processes by the freezer where there is one, else by ptrace, which others may be using. */
static int add_freezer(const struct criu *c, struct cgroup *cg, struct buf *b, struct err *err)
{
        const struct cgroup_layout *layout = cgroup_layout();
        const char *top = cgroup_top_of("freezer");
        if (!top && layout->count == 0 && c->version >= 31400)
                top = layout->unified;
        if (!cg || !top)
                return 0;
        _cleanup_free_ char *path = xasprintf("%s%s", top, cgroup_path(cg));
        return access(path, F_OK) == 0 ? protobuf_text(b, CRIU_FREEZE_CGROUP, path, err) : 0;
}

static int add_memory(const struct runtime_checkpoint *r, struct buf *b, struct err *err)
{
        if (r->page_server && criu_option_numbered(b, CRIU_PAGE_SERVER, r->page_server, r->page_server_port, err) < 0)
                return -1;
        if (!r->parent)
                return 0;
        return protobuf_text(b, CRIU_PARENT, r->parent, err) < 0 ? -1 : criu_option_flag(b, CRIU_TRACK_MEMORY, true, err);
}

static int need(struct criu *c, enum criu_feature feature, const char *what, struct err *err)
{
        if (criu_supports(c, feature, err))
                return 0;
        return err->kind ? -1 : err_set(err, ERR_UNSUPPORTED, "CRIU is missing features: this kernel or this criu cannot do %s", what);
}

static int check_features(struct criu *c, const struct runtime_checkpoint *r, struct err *err)
{
        if (r->pre_dump && need(c, CRIU_FEATURE_MEMORY, "--pre-dump (memory tracking)", err) < 0)
                return -1;
        return r->options.lazy_pages ? need(c, CRIU_FEATURE_LAZY_PAGES, "--lazy-pages", err) : 0;
}

/* A criu that notifies of it leaves the writing to us, an older one writes itself. */
static int add_status(const struct criu *c, const struct runtime_checkpoint *r, struct buf *b, struct err *err)
{
        if (!r->options.lazy_pages || r->status_fd < 0 || c->version >= 31500)
                return 0;
        return protobuf_number(b, CRIU_STATUS_FD, (uint64_t)r->status_fd, err);
}

static int write_descriptors(int images_fd, char *const *descriptors, struct err *err)
{
        _cleanup_json_ json_t *list = json_from_strv(descriptors);
        _cleanup_free_ char *text = json_text(list);
        return file_write_at(images_fd, CHECKPOINT_DESCRIPTORS, text, strlen(text), 0600, true, err);
}

static int on_notify(void *data, const struct criu_answer *what, int *fd, struct err *err)
{
        const struct runtime_checkpoint *r = data;
        (void)fd;
        if (str_eq(what->script, "status-ready") && r->status_fd >= 0 && write(r->status_fd, "", 1) != 1)
                return err_sys(err, "--status-fd");
        return 0;
}

static int fill_options(const struct criu *c, const struct runtime_checkpoint *r, struct buf *b, struct err *err)
{
        if (protobuf_number(b, CRIU_PID, (uint64_t)r->pid, err) < 0 || protobuf_text(b, CRIU_ROOT, r->rootfs, err) < 0 ||
            criu_option_flag(b, CRIU_LEAVE_RUNNING, r->leave_running, err) < 0 || add_namespaces(c, r->spec, b, err) < 0 ||
            add_freezer(c, r->cgroup, b, err) < 0 || add_memory(r, b, err) < 0 || add_status(c, r, b, err) < 0)
                return -1;
        if (r->pre_dump) /* only memory */
                return 0;
        return checkpoint_mounts_dump(b, r->spec, r->pid, err) < 0 || write_descriptors(c->folders[0], r->descriptors, err) < 0 ? -1 : 0;
}

int runtime_checkpoint(const struct runtime_checkpoint *request, struct err *err)
{
        _cleanup_criu_ struct criu c = CRIU_INIT;
        _cleanup_buf_ struct buf options = BUF_INIT(CRIU_MESSAGE_MAX);
        struct criu_start start = { .stdio = { -1, -1, -1 } };
        if (checkpoint_open(&request->options, "dump.log", &start, &c, &options, err) < 0 || check_features(&c, request, err) < 0 ||
            fill_options(&c, request, &options, err) < 0)
                return -1;
        return criu_call(&c, request->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP, &options, on_notify, (void *)request, NULL, err);
}

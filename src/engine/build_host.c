#include "engine/build_host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "net/files.h"

static char *step_folder(const struct build_host *h, const char *step_id) { return xasprintf("%s/builds/%s", engine_run(h->engine), step_id); }

static int reserve(struct build_host *h, const char *step_id, struct err *err)
{
        struct in_addr any = { 0 };
        struct db *db = engine_db(h->engine);
        if (db_begin(db, false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = db;
        if (network_default(tx, &h->net, err) < 0 || network_reserve(tx, &h->net, step_id, any, NULL, 0, &h->endpoint, err) < 0)
                return -1;
        return db_commit(tx, err);
}

static int file_mount(int folder, const char *path, const char *name, const struct buf *content, struct oci_spec *spec, struct err *err)
{
        if (file_write_at(folder, name, content->data ? content->data : "", content->len, 0644, false, err) < 0)
                return -1;
        _cleanup_free_ char *source = path_join(path, name), *target = xasprintf("/etc/%s", name);
        oci_spec_add_mount(spec, target, "bind", source, "bind,rprivate,rw");
        return 0;
}

static int name_files(struct build_host *h, const char *step_id, struct oci_spec *spec, struct err *err)
{
        char address[INET_ADDRSTRLEN] = "", gateway[INET_ADDRSTRLEN] = "127.0.0.1";
        _cleanup_free_ char *path = step_folder(h, step_id);
        _cleanup_buf_ struct buf host = BUF_INIT((size_t)1 << 20), hosts = BUF_INIT((size_t)1 << 20), resolv = BUF_INIT((size_t)1 << 20);
        struct err ignored = ERR_INIT;
        bool bridged = h->endpoint.container[0];
        if (bridged) {
                inet_ntop(AF_INET, &h->endpoint.address, address, sizeof(address));
                inet_ntop(AF_INET, &h->endpoint.gateway, gateway, sizeof(gateway));
        }
        if (path_mkdirs(path, 0700, err) < 0)
                return -1;
        _cleanup_close_ int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (folder < 0)
                return err_set(err, ERR_SYSTEM, "cannot open %s", path);
        if (file_read_at(AT_FDCWD, "/etc/resolv.conf", &host, &ignored) < 0)
                buf_reset(&host);
        if (hosts_format("buildkitsandbox", NULL, bridged ? address : NULL, h->add_hosts, gateway, &hosts, err) < 0 ||
            resolv_format(host.data ? host.data : "", NULL, NULL, NULL, !bridged, &resolv, err) < 0 ||
            file_mount(folder, path, "hosts", &hosts, spec, err) < 0)
                return -1;
        return file_mount(folder, path, "resolv.conf", &resolv, spec, err);
}

int build_host_prepare(void *host, const char *step_id, struct oci_spec *spec, struct err *err)
{
        struct build_host *h = host;
        struct oci_namespace *ns = &spec->namespaces[OCI_NS_NETWORK];
        if (str_eq(h->network, "host"))
                ns->wanted = false;
        if (h->memory > 0) {
                spec->resources.has_memory_limit = true;
                spec->resources.memory_limit = h->memory;
        }
        if (ns->wanted && !str_eq(h->network, "none") && reserve(h, step_id, err) < 0)
                return -1;
        return name_files(h, step_id, spec, err);
}

int build_host_network(void *host, pid_t pid, int netns_fd, struct err *err)
{
        struct build_host *h = host;
        if (h->endpoint.container[0])
                return network_attach(&h->net, &h->endpoint, netns_fd, err);
        return str_eq(h->network, "host") ? 0 : network_loopback_up(netns_fd, err);
}

void build_host_done(void *host, const char *step_id)
{
        struct build_host *h = host;
        struct err ignored = ERR_INIT;
        _cleanup_free_ char *path = step_folder(h, step_id);
        tree_remove_at(AT_FDCWD, path, &ignored);
        if (db_begin(engine_db(h->engine), false, &ignored) == 0) {
                _cleanup_rollback_ struct db *tx = engine_db(h->engine);
                if (network_release(tx, step_id, &ignored) == 0)
                        db_commit(tx, &ignored);
        }
        endpoint_done(&h->endpoint);
        h->endpoint = (struct endpoint){ 0 };
        network_done(&h->net);
        h->net = (struct network){ 0 };
}

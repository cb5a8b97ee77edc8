/* registry serve, registry collect. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "cli/output.h"
#include "registry/server.h"

struct serve_options {
        char *address, *root, *certificate, *key, *htpasswd;
        uint16_t port;
        bool read_only, allow_delete, quiet;
};

static void serve_init(void *options) { ((struct serve_options *)options)->port = 5000; }

/* The registry's own content store, below the data root unless told. */
static char *root_of(struct cli *cli, const char *given)
{
        const char *root = cli->engine_options.root ? cli->engine_options.root : getenv("TARE_ROOT");
        return given ? xstrdup(given) : path_join(str_empty(root) ? "/var/lib/tare" : root, "registry");
}

static void told_ready(void *data, uint16_t port)
{
        const struct serve_options *o = data;
        printf("tare registry: listening on %s:%u\n", o->address ? o->address : "127.0.0.1", port);
        fflush(stdout);
}

static void told_request(void *data, const char *client, const char *method, const char *url, unsigned status, uint64_t bytes)
{
        char now[TIME_TEXT_SIZE];
        printf("%s %s %s %s %u %llu\n", time_format(time_now(), now), client, method, url, status, (unsigned long long)bytes);
        fflush(stdout);
}

static int stop_signals(struct err *err)
{
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        signal(SIGPIPE, SIG_IGN);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return err_sys(err, "signals");
        int fd = signalfd(-1, &set, SFD_CLOEXEC);
        return fd < 0 ? err_sys(err, "signalfd") : fd;
}

static int serve_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct serve_options *o = options;
        _cleanup_free_ char *root = root_of(cli, o->root);
        _cleanup_close_ int stop = -1;
        if (!o->certificate != !o->key)
                return err_set(err, ERR_INVALID, "--tls-cert and --tls-key go together");
        if ((stop = stop_signals(err)) < 0)
                return -1;
        struct registry_server_options server = {
                .root = root, .address = o->address ? o->address : "127.0.0.1", .port = o->port, .certificate = o->certificate, .key = o->key,
                .htpasswd = o->htpasswd, .read_only = o->read_only, .allow_delete = o->allow_delete, .on_ready = told_ready,
                .on_request = o->quiet ? NULL : told_request, .data = o, .stop_fd = stop,
        };
        return registry_server_run(&server, err);
}

#define O(member) offsetof(struct serve_options, member)
static const struct option_row serve_rows[] = {
        { 0, "address", OPT_STRING, O(address), "ip", "Address to listen on (default 127.0.0.1)" },
        { 0, "allow-delete", OPT_BOOL, O(allow_delete), NULL, "Let clients delete manifests, tags and blobs" },
        { 0, "htpasswd", OPT_STRING, O(htpasswd), "file", "Ask for a user and password of this file (htpasswd -B)" },
        { 'p', "port", OPT_U16, O(port), "port", "Port to listen on (default 5000; 0 chooses a free one)" },
        { 'q', "quiet", OPT_BOOL, O(quiet), NULL, "Do not print requests" },
        { 0, "read-only", OPT_BOOL, O(read_only), NULL, "Refuse pushes" },
        { 0, "root", OPT_STRING, O(root), "folder", "Where the registry keeps its content (default: registry below the data root)" },
        { 0, "tls-cert", OPT_STRING, O(certificate), "file", "Certificate (PEM) to serve HTTPS with" },
        { 0, "tls-key", OPT_STRING, O(key), "file", "Key (PEM) of the certificate" },
        {},
};
const struct command command_registry_serve = {
        .options = serve_rows, .options_size = sizeof(struct serve_options), .init = serve_init, .max_args = 0, .args = "", .run = serve_run,
        .description = "Serves an OCI distribution registry that docker, podman, skopeo and tare push to and pull from, until SIGTERM or ^C.",
        .examples = "tare registry serve --port 5000 -- a registry for this machine\n"
                    "tare registry serve --address 0.0.0.0 --tls-cert c.pem --tls-key k.pem --htpasswd users -- one for others",
};

struct collect_options { char *root; bool dry_run; };

static int collect_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct collect_options *o = options;
        _cleanup_free_ char *root = root_of(cli, o->root);
        uint64_t bytes = 0;
        unsigned blobs = 0;
        if (registry_server_collect(root, o->dry_run, &bytes, &blobs, err) < 0)
                return -1;
        _cleanup_free_ char *size = format_size(bytes);
        return out_line(err, "%s %u blobs, %s", o->dry_run ? "would remove" : "removed", blobs, size);
}

static const struct option_row collect_rows[] = {
        { 'n', "dry-run", OPT_BOOL, offsetof(struct collect_options, dry_run), NULL, "Only say what would be removed" },
        { 0, "root", OPT_STRING, offsetof(struct collect_options, root), "folder", "Where the registry keeps its content" },
        {},
};
const struct command command_registry_collect = {
        .options = collect_rows, .options_size = sizeof(struct collect_options), .max_args = 0, .args = "", .run = collect_run,
        .description = "Removes blobs that no manifest refers to. Beside a running server what was used within the last hour is kept.",
};

/* run, create, start, attach. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/output.h"
#include "cli/run_options.h"
#include "cli/session.h"
#include "engine/containers.h"

static int create_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct run_options *o = options;
        struct engine *e;
        char id[65];
        if (run_options_finish(o, args, err) < 0 || run_cidfile_check(o, err) < 0 || run_image_ensure(cli, o, err) < 0 ||
            cli_engine(cli, &e, err) < 0 || container_create(e, &o->config, o->name, id, err) < 0 || run_cidfile_write(o, id, err) < 0)
                return -1;
        return out_line(err, "%s", id);
}

struct proxied { struct engine *engine; const char *id; };

static void signal_hand_on(void *data, int signo)
{
        const struct proxied *p = data;
        struct err gone = ERR_INIT;
        char number[16];
        snprintf(number, sizeof(number), "%d", signo);
        container_kill(p->engine, p->id, number, &gone);
}

/* The session has ended: by detaching, or with the container, whose remains are then ours to clear away. */
static int attached(struct engine *e, const char *id, struct session_options *session, bool proxy, bool clean_mine, struct err *err)
{
        struct proxied proxied = { e, id };
        int32_t status = 0;
        bool detached = false;
        session->signal = proxy ? signal_hand_on : NULL;
        session->data = &proxied;
        if (session_run(session, &status, &detached, err) < 0)
                return -1;
        if (detached) {
                fprintf(stderr, "read escape sequence\n");
                return 0;
        }
        if (clean_mine) {
                if (container_finish_session(e, id, err) < 0)
                        return -1;
                struct err ignored = ERR_INIT;
                attach_send(session->fd, ATTACH_CLEANED, NULL, 0, &ignored);
        }
        return status;
}

static int tty_check(const struct run_options *o, struct err *err)
{
        if (o->config.tty && o->config.attach_stdin && !o->detach && !isatty(STDIN_FILENO))
                return err_set(err, ERR_INVALID, "the input device is not a TTY");
        return 0;
}

static int run_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct run_options *o = options;
        struct engine *e;
        char id[65];
        bool created = false;
        _cleanup_close_ int client = -1;
        if (run_options_finish(o, args, err) < 0 || tty_check(o, err) < 0 || run_cidfile_check(o, err) < 0 ||
            run_image_ensure(cli, o, err) < 0 || cli_engine(cli, &e, err) < 0)
                return -1;
        bool clean_mine = !o->detach && !container_config_restarts(&o->config);
        struct container_start how = { .attach = !o->detach, .attach_stdin = o->config.attach_stdin, .clean_mine = clean_mine };
        struct session_options session = { .tty = o->config.tty, .want_stdin = o->config.attach_stdin,
                                           .no_stdout = !o->config.attach_stdout, .no_stderr = !o->config.attach_stderr,
                                           .detach_keys = o->detach_keys };
        if (o->config.tty)
                terminal_size(&how.rows, &how.columns);
        int started = container_run(e, &o->config, o->name, &how, id, &created, &client, err);
        if (created && run_cidfile_write(o, id, err) < 0)
                return -1;
        if (started < 0)
                return -1;
        if (o->detach)
                return out_line(err, "%s", id);
        session.fd = client;
        return attached(e, id, &session, o->sig_proxy, clean_mine, err);
}

struct start_options { bool attach, interactive; bool sig_proxy; char *detach_keys; };

static void start_init(void *options) { ((struct start_options *)options)->sig_proxy = true; }

static int start_attached(struct engine *e, const struct start_options *o, const char *name, struct err *err)
{
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        _cleanup_close_ int client = -1;
        if (container_load(e, name, &c, err) < 0)
                return -1;
        bool clean_mine = !container_config_restarts(&c.config);
        bool want_stdin = o->interactive && c.config.open_stdin;
        struct container_start how = { .attach = true, .attach_stdin = want_stdin, .clean_mine = clean_mine };
        if (c.config.tty)
                terminal_size(&how.rows, &how.columns);
        if (container_start(e, c.id, &how, &client, err) < 0)
                return -1;
        if (client < 0) {
                clean_mine = false;
                if (container_attach(e, c.id, want_stdin, &client, err) < 0)
                        return -1;
        }
        struct session_options session = { .fd = client, .tty = c.config.tty, .want_stdin = want_stdin,
                                           .detach_keys = o->detach_keys };
        return attached(e, c.id, &session, o->sig_proxy, clean_mine, err);
}

static int start_one(struct engine *e, const char *name, void *data, struct err *err)
{
        struct container_start how = { 0 };
        return container_start(e, name, &how, NULL, err) < 0 ? -1 : out_line(err, "%s", name);
}

static int start_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct start_options *o = options;
        struct engine *e;
        if (!o->attach && !o->interactive)
                return cli_each(cli, args, start_one, NULL, err);
        if (args[1])
                return err_set(err, ERR_INVALID, "you cannot start and attach multiple containers at once");
        return cli_engine(cli, &e, err) < 0 ? -1 : start_attached(e, o, args[0], err);
}

struct attach_options { bool no_stdin, sig_proxy; char *detach_keys; };

static void attach_init(void *options) { ((struct attach_options *)options)->sig_proxy = true; }

static int attach_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct attach_options *o = options;
        struct engine *e;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        _cleanup_close_ int client = -1;
        if (cli_engine(cli, &e, err) < 0 || container_load(e, args[0], &c, err) < 0)
                return -1;
        bool want_stdin = !o->no_stdin && c.config.open_stdin;
        if (c.status.state == STATE_RUNNING && c.config.tty && want_stdin && !isatty(STDIN_FILENO))
                return err_set(err, ERR_INVALID, "the input device is not a TTY");
        if (container_attach(e, c.id, want_stdin, &client, err) < 0)
                return -1;
        struct session_options session = { .fd = client, .tty = c.config.tty, .want_stdin = want_stdin,
                                           .detach_keys = o->detach_keys };
        return attached(e, c.id, &session, o->sig_proxy, false, err);
}

const struct command command_create = {
        .options = create_option_rows, .options_size = sizeof(struct run_options), .init = run_options_init, .done = run_options_done,
        .min_args = 1, .max_args = -1, .args = "IMAGE [COMMAND] [ARG...]", .stop_at_args = true, .run = create_run,
        .description = "Makes a container and prints its ID; start runs it. The options are those of run.",
};
const struct command command_run = {
        .options = run_option_rows, .options_size = sizeof(struct run_options), .init = run_options_init, .done = run_options_done,
        .min_args = 1, .max_args = -1, .args = "IMAGE [COMMAND] [ARG...]", .stop_at_args = true, .run = run_run, .error_code = 125,
        .description = "Makes a container of the image, pulling it when it is not here, and starts it. In the foreground its exit code becomes "
                       "that of the command: 125 when tare itself fails, 126 when the container's command cannot be executed, 127 when it does "
                       "not exist, 128+n when it was ended by signal n.\n\n"
                       "--userns=private (or auto) runs the container in a user namespace of its own, mapped to the range that /etc/subuid and "
                       "/etc/subgid give to \"tare\" or \"root\". --time-offset shifts its monotonic and boot clocks by seconds.\n\n"
                       "--health-cmd, or the image's HEALTHCHECK, is run in the container every --health-interval (30 seconds) and given "
                       "--health-timeout (30 seconds); after --health-retries failures in a row (3) it is unhealthy. Until --health-start-period is "
                       "over or one has succeeded failures do not count, and --health-start-interval (5 seconds) is the interval. Of an "
                       "unhealthy container --health-on-failure makes what kill or stop would, or restarts it, whatever its --restart says, with "
                       "the delays of a restart. A check tells no exec events, only health_status when that changes.\n\n"
                       "--log-driver is local (the default: a compact format of tare's own, five files of 20 MB at most, rotated ones compressed), "
                       "json-file (docker's), k8s-file (that of kubernetes' CRI), journald, syslog or none; --log-opt says more to it. Files take "
                       "max-size, max-file, compress (true or false; local and json-file) and keep=true, by which the log outlives a removed "
                       "container until container prune. labels, labels-regex, env, env-regex (POSIX extended expressions) and tag (a template with "
                       ".ID .FullID .Name .ImageID .ImageFullID .ImageName .DaemonName .Command) put more into the records; logs --details shows "
                       "it. syslog takes syslog-address (unix:///path, unixgram:///path, udp://host:port, tcp://host:port; without one, the "
                       "machine's), syslog-facility and syslog-format (rfc3164, rfc5424, rfc5424micro); TLS is not supported. With "
                       "mode=non-blocking the container never waits for its log: max-buffer-size (1m) may wait to be written, what is more is "
                       "lost. Lost records, also those of a full disk, are told as logRecordsLost with the event die.\n\n"
                       "--restart=always and unless-stopped also hold after a reboot where tare.service is enabled: see "
                       "tare-system-boot(1).\n\nPublishing on "
                       "IPv6 addresses is not done yet.",
        .examples = "tare run --rm -it debian:12 bash -- a shell that is gone when it ends\n"
                    "tare run -d --name web -p 8080:80 nginx -- a server in the background, published on port 8080",
};
static const struct option_row start_rows[] = {
        { 'a', "attach", OPT_BOOL, offsetof(struct start_options, attach), NULL, "Attach STDOUT/STDERR and forward signals" },
        { 'i', "interactive", OPT_BOOL, offsetof(struct start_options, interactive), NULL, "Attach container's STDIN" },
        { 0, "detach-keys", OPT_STRING, offsetof(struct start_options, detach_keys), "string", "Override the key sequence for detaching a container" },
        { 0, "sig-proxy", OPT_BOOL, offsetof(struct start_options, sig_proxy), NULL, "Proxy received signals to the process" },
        {},
};
const struct command command_start = {
        .options = start_rows, .options_size = sizeof(struct start_options), .init = start_init, .min_args = 1, .max_args = -1,
        .args = "CONTAINER [CONTAINER...]", .run = start_run,
};
static const struct option_row attach_rows[] = {
        { 0, "no-stdin", OPT_BOOL, offsetof(struct attach_options, no_stdin), NULL, "Do not attach STDIN" },
        { 0, "sig-proxy", OPT_BOOL, offsetof(struct attach_options, sig_proxy), NULL, "Proxy all received signals to the process" },
        { 0, "detach-keys", OPT_STRING, offsetof(struct attach_options, detach_keys), "string", "Override the key sequence for detaching a container" },
        {},
};
const struct command command_attach = {
        .options = attach_rows, .options_size = sizeof(struct attach_options), .init = attach_init, .min_args = 1, .max_args = 1,
        .args = "CONTAINER", .run = attach_run,
};

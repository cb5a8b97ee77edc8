/* login, logout. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"
#include "registry/auth.h"
#include "registry/client.h"

struct login_options { char *username, *password; bool password_stdin, insecure; };

static int line_read(FILE *from, char **ret, struct err *err)
{
        char line[4096];
        if (!fgets(line, sizeof(line), from))
                return err_set(err, ERR_INVALID, "no user name or password was given");
        line[strcspn(line, "\r\n")] = '\0';
        *ret = xstrdup(line);
        explicit_bzero(line, sizeof(line));
        return 0;
}

static int ask(const char *prompt, bool hidden, char **ret, struct err *err)
{
        struct termios saved, quiet;
        bool terminal = hidden && tcgetattr(STDIN_FILENO, &saved) == 0;
        if (!isatty(STDIN_FILENO))
                return err_set(err, ERR_INVALID, "Cannot perform an interactive login from a non TTY device (use --password-stdin)");
        fprintf(stderr, "%s", prompt);
        if (terminal) {
                quiet = saved;
                quiet.c_lflag &= ~(tcflag_t)ECHO;
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        }
        int result = line_read(stdin, ret, err);
        if (terminal) {
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
                fprintf(stderr, "\n");
        }
        return result;
}

static int credentials_ask(const struct login_options *o, struct credentials *c, struct err *err)
{
        if (o->password && o->password_stdin)
                return err_set(err, ERR_INVALID, "--password and --password-stdin are mutually exclusive");
        if (o->password_stdin && !o->username)
                return err_set(err, ERR_INVALID, "Must provide --username with --password-stdin");
        if (o->password)
                fprintf(stderr, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
        c->username = o->username ? xstrdup(o->username) : NULL;
        c->password = o->password ? xstrdup(o->password) : NULL;
        if (o->password_stdin)
                return line_read(stdin, &c->password, err);
        if (!c->username && ask("Username: ", false, &c->username, err) < 0)
                return -1;
        return c->password ? 0 : ask("Password: ", true, &c->password, err);
}

static int login_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct login_options *o = options;
        const char *domain = args[0] ? args[0] : "docker.io";
        _cleanup_(credentials_done) struct credentials c = { 0 };
        _cleanup_(registry_closep) struct registry *r = NULL;
        _cleanup_free_ char *file = auth_file_path();
        if (credentials_ask(o, &c, err) < 0)
                return -1;
        struct registry_options registry = { .domain = domain, .username = c.username, .password = c.password, .insecure = o->insecure };
        if (registry_open(&registry, &r, err) < 0 || registry_ping(r, err) < 0 || auth_store(file, domain, &c, err) < 0)
                return -1;
        return out_line(err, "Login Succeeded");
}

static int logout_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const char *domain = args[0] ? args[0] : "docker.io";
        _cleanup_free_ char *file = auth_file_path();
        if (out_line(err, "Removing login credentials for %s", domain) < 0)
                return -1;
        if (auth_erase(file, domain, err) < 0)
                return err->kind == ERR_NOT_FOUND ? out_line(err, "Not logged in to %s", domain) : -1;
        return 0;
}

static const struct option_row login_rows[] = {
        { 0, "insecure", OPT_BOOL, offsetof(struct login_options, insecure), NULL, "Allow plain HTTP and unverified TLS with this registry" },
        { 'p', "password", OPT_STRING, offsetof(struct login_options, password), "string", "Password" },
        { 0, "password-stdin", OPT_BOOL, offsetof(struct login_options, password_stdin), NULL, "Take the password from stdin" },
        { 'u', "username", OPT_STRING, offsetof(struct login_options, username), "string", "Username" },
        {},
};
const struct command command_login = {
        .options = login_rows, .options_size = sizeof(struct login_options), .max_args = 1, .args = "[SERVER]", .run = login_run,
        .description = "Checks the credentials with the registry and keeps them in docker's config.json (or its credential helper), where docker, "
                       "podman and skopeo find them too.",
};
const struct command command_logout = { .max_args = 1, .args = "[SERVER]", .run = logout_run };

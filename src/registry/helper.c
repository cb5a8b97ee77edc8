#include "registry/helper-internal.h"

#include <string.h>
#include "base/buf.h"
#include "base/json.h"
#include "base/proc.h"
#include "base/str.h"
#include "registry/base64-internal.h"

#define HELPER_OUTPUT_MAX ((size_t)64 << 10)
#define TOKEN_USER "<token>" /* in place of a user: the secret is an identity token */

static void buf_wipe(struct buf *b)
{
        if (b->data)
                explicit_bzero(b->data, b->len);
        buf_done(b);
}

/* The name becomes a program's: nothing but a plain word is taken. */
static bool helper_name_valid(const char *name)
{
        return str_only(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") &&
               strlen(name) <= 100;
}

static int helper_run(const char *name, const char *verb, const char *input, struct buf *output, int *ret_status,
                      struct err *err)
{
        if (!helper_name_valid(name))
                return err_set(err, ERR_INVALID, "invalid credential helper \"%.100s\"", name);
        _cleanup_free_ char *program = xasprintf("docker-credential-%s", name);
        char *argv[] = { program, (char *)verb, NULL };
        const struct proc_spawn spawn = {
                .path = program, .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1
        };

        if (proc_run(&spawn, input, strlen(input), output, ret_status, err) < 0)
                return err_add(err, "credential helper %s", program);
        return 0;
}

/* What helpers print when they hold nothing for a server; there is no other sign of it. */
static bool says_not_found(const struct buf *output)
{
        return output->data && strstr(output->data, "credentials not found");
}

static int helper_failed(const char *name, const char *verb, int status, struct err *err)
{
        return err_set(err, ERR_UNAVAILABLE, "credential helper docker-credential-%s %s failed with status %d", name,
                       verb, status);
}

int helper_get(const char *name, const char *server, struct credentials *ret, struct err *err)
{
        _cleanup_(buf_wipe) struct buf output = BUF_INIT(HELPER_OUTPUT_MAX);
        _cleanup_(secret_freep) char *username = NULL, *secret = NULL;
        struct jpath path = JPATH("credential helper");
        int status;

        if (helper_run(name, "get", server, &output, &status, err) < 0)
                return -1;
        if (status != 0)
                return says_not_found(&output) ? 0 : helper_failed(name, "get", status, err);
        _cleanup_json_ json_t *document =
                json_parse(output.data ? output.data : "", output.len, HELPER_OUTPUT_MAX, "credential helper", err);
        if (!document || json_get_string(document, &path, "Username", true, &username, err) < 0 ||
            json_get_string(document, &path, "Secret", true, &secret, err) < 0)
                return err_add(err, "docker-credential-%s", name);
        if (str_eq(username, TOKEN_USER)) {
                ret->identity_token = TAKE_PTR(secret);
        } else if (!str_empty(username)) {
                ret->username = TAKE_PTR(username);
                ret->password = TAKE_PTR(secret);
        }
        return 0;
}

int helper_store(const char *name, const char *server, const struct credentials *c, struct err *err)
{
        const char *secret = c->identity_token ? c->identity_token : c->password;
        _cleanup_json_ json_t *document =
                json_pack("{s:s, s:s, s:s}", "ServerURL", server, "Username",
                          c->identity_token ? TOKEN_USER : c->username, "Secret", secret ? secret : "");
        int status;

        if (!document)
                return err_set(err, ERR_INVALID, "user or password is not valid UTF-8");
        _cleanup_secret_ char *input = json_text(document);
        if (helper_run(name, "store", input, NULL, &status, err) < 0)
                return -1;
        return status != 0 ? helper_failed(name, "store", status, err) : 0;
}

int helper_erase(const char *name, const char *server, struct err *err)
{
        _cleanup_(buf_wipe) struct buf output = BUF_INIT(HELPER_OUTPUT_MAX);
        int status;

        if (helper_run(name, "erase", server, &output, &status, err) < 0)
                return -1;
        if (status != 0 && says_not_found(&output))
                return err_set(err, ERR_NOT_FOUND, "not logged in to %s", server);
        return status != 0 ? helper_failed(name, "erase", status, err) : 0;
}

#include "registry/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "registry/base64-internal.h"
#include "registry/helper-internal.h"

#define AUTH_FILE_MAX ((size_t)4 << 20)
#define DOCKER_HUB_KEY "https://index.docker.io/v1/"

void credentials_done(struct credentials *c)
{
        secret_free(c->username);
        secret_free(c->password);
        secret_free(c->identity_token);
        *c = (struct credentials){ 0 };
}

char *auth_file_path(void)
{
        const char *dir = getenv("DOCKER_CONFIG"), *file = getenv("REGISTRY_AUTH_FILE"), *home = getenv("HOME");

        if (!str_empty(dir))
                return xasprintf("%s/config.json", dir);
        if (!str_empty(file))
                return xstrdup(file);
        if (str_empty(home)) {
                const struct passwd *pw = getpwuid(getuid());
                home = pw ? pw->pw_dir : NULL;
        }
        return str_empty(home) ? NULL : xasprintf("%s/.docker/config.json", home);
}

static bool domain_is_hub(const char *domain)
{
        return str_eq(domain, "docker.io") || str_eq(domain, "index.docker.io") ||
               str_eq(domain, "registry-1.docker.io");
}

/* What an entry of `domain` is filed under. */
static const char *domain_key(const char *domain)
{
        return domain_is_hub(domain) ? DOCKER_HUB_KEY : domain;
}

/* "https://host:port/v1/" -> "host:port"; heap. */
static char *key_domain(const char *key)
{
        const char *rest = str_after(key, "https://");

        rest = rest ? rest : str_after(key, "http://");
        rest = rest ? rest : key;
        return xstrndup(rest, strcspn(rest, "/"));
}

/* Its entry in an object keyed by server: the exact key first, then any spelling of the host. */
static json_t *server_member(json_t *object, const char *domain, const char **ret_key)
{
        const char *exact = domain_key(domain), *key;
        json_t *value = json_object_get(object, exact);

        *ret_key = exact;
        if (value)
                return value;
        json_object_foreach (object, key, value) {
                _cleanup_free_ char *host = key_domain(key);
                *ret_key = key;
                if (str_eq(host, domain) || (domain_is_hub(domain) && domain_is_hub(host)))
                        return value;
        }
        return NULL;
}

static json_t *auth_file_read(const char *path, struct err *err)
{
        json_t *document = json_read_file_at(AT_FDCWD, path, AUTH_FILE_MAX, err);

        if (document && !json_is_object(document)) {
                json_decref(document);
                err_set(err, ERR_INVALID, "%s: expected an object", path);
                return NULL;
        }
        if (document || err->kind != ERR_NOT_FOUND)
                return document;
        err_clear(err);
        return json_object();
}

/* The helper that keeps this domain's credentials, borrowed; NULL: the file does. */
static const char *helper_of(const json_t *document, const char *domain)
{
        const char *key;
        const json_t *named = server_member(json_object_get(document, "credHelpers"), domain, &key);
        const char *helper = json_string_value(named ? named : json_object_get(document, "credsStore"));

        return str_empty(helper) ? NULL : helper;
}

/* "auth" is base64 of "user:password". */
static int pair_take(const char *encoded, struct credentials *ret, struct err *err)
{
        size_t len;
        _cleanup_secret_ char *pair = base64_decode(encoded, &len);
        char *colon = pair ? strchr(pair, ':') : NULL;

        if (!colon || strlen(pair) != len)
                return err_set(err, ERR_INVALID, "malformed \"auth\"");
        *colon = '\0';
        ret->username = xstrdup(pair);
        ret->password = xstrdup(colon + 1);
        return 0;
}

static int entry_take(const json_t *entry, struct credentials *ret, struct err *err)
{
        const char *pair = json_string_value(json_object_get(entry, "auth"));
        const char *token = json_string_value(json_object_get(entry, "identitytoken"));
        const char *user = json_string_value(json_object_get(entry, "username"));
        const char *password = json_string_value(json_object_get(entry, "password"));

        if (!str_empty(pair) && pair_take(pair, ret, err) < 0)
                return -1;
        if (str_empty(pair) && !str_empty(user)) {
                ret->username = xstrdup(user);
                ret->password = xstrdup(password ? password : "");
        }
        if (!str_empty(token))
                ret->identity_token = xstrdup(token);
        return 0;
}

int auth_find(const char *auth_file, const char *domain, struct credentials *ret, struct err *err)
{
        _cleanup_json_ json_t *document = auth_file_read(auth_file, err);
        struct credentials found = { 0 };
        const char *key;
        int rc;

        if (!document)
                return -1;
        const char *helper = helper_of(document, domain);
        if (helper)
                rc = helper_get(helper, domain_key(domain), &found, err);
        else
                rc = entry_take(server_member(json_object_get(document, "auths"), domain, &key), &found, err);
        if (rc < 0) {
                credentials_done(&found);
                return helper ? -1 : err_add(err, "%s: credentials of %s", auth_file, domain);
        }
        *ret = found;
        return 0;
}

/* The file as it is, through a link if its owner keeps it elsewhere; heap. */
static char *auth_file_real(const char *path)
{
        char *real = realpath(path, NULL);
        return real ? real : xstrdup(path);
}

/* Two logins at once must not lose one: the directory itself is the lock, so that nothing is left behind. */
static int auth_dir_lock(const char *path, struct err *err)
{
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *dir = slash == path ? xstrdup("/")
                                   : slash       ? xstrndup(path, (size_t)(slash - path))
                                                 : xstrdup(".");

        if (*dir == '/' && path_mkdirs(dir, 0700, err) < 0)
                return -1;
        _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "open %s", dir);
        while (flock(fd, LOCK_EX) < 0)
                if (errno != EINTR)
                        return err_sys(err, "lock %s", dir);
        return TAKE_FD(fd);
}

static int auth_file_write(const char *path, const json_t *document, struct err *err)
{
        _cleanup_secret_ char *text = json_text_indented(document);
        return file_write_at(AT_FDCWD, path, text, strlen(text), 0600, true, err);
}

static json_t *entry_new(const struct credentials *c)
{
        _cleanup_secret_ char *pair =
                xasprintf("%s:%s", c->username ? c->username : "", c->password ? c->password : "");
        _cleanup_secret_ char *encoded = c->username ? base64_encode(pair, strlen(pair)) : NULL;
        json_t *entry = json_object();

        json_set_string(entry, "auth", encoded);
        json_set_string(entry, "identitytoken", c->identity_token);
        return entry;
}

static int auths_set(json_t *document, const char *domain, json_t *entry, struct err *err)
{
        json_t *auths = json_object_get(document, "auths");

        if (!json_is_object(auths)) {
                auths = json_object();
                json_object_set_new(document, "auths", auths);
        }
        if (json_object_set_new(auths, domain_key(domain), entry) < 0)
                return err_set(err, ERR_INVALID, "user or password is not valid UTF-8");
        return 0;
}

int auth_store(const char *auth_file, const char *domain, const struct credentials *c, struct err *err)
{
        _cleanup_free_ char *real = auth_file_real(auth_file);
        _cleanup_close_ int lock = auth_dir_lock(real, err);
        _cleanup_json_ json_t *document = lock < 0 ? NULL : auth_file_read(real, err);

        if (!document)
                return err_add(err, "store the credentials of %s", domain);
        const char *helper = helper_of(document, domain);
        if (helper && helper_store(helper, domain_key(domain), c, err) < 0)
                return -1;
        /* With a helper an empty entry stays, by which docker knows of the login. */
        if (auths_set(document, domain, helper ? json_object() : entry_new(c), err) < 0 ||
            auth_file_write(real, document, err) < 0)
                return err_add(err, "store the credentials of %s", domain);
        return 0;
}

int auth_erase(const char *auth_file, const char *domain, struct err *err)
{
        _cleanup_free_ char *real = auth_file_real(auth_file), *key_copy = NULL;
        _cleanup_close_ int lock = auth_dir_lock(real, err);
        _cleanup_json_ json_t *document = lock < 0 ? NULL : auth_file_read(real, err);
        const char *key;

        if (!document)
                return err_add(err, "erase the credentials of %s", domain);
        const char *helper = helper_of(document, domain);
        json_t *auths = json_object_get(document, "auths");
        bool helped = helper && helper_erase(helper, domain_key(domain), err) == 0;
        if (helper && !helped && err->kind != ERR_NOT_FOUND)
                return -1;
        if (!server_member(auths, domain, &key))
                return helped ? 0 : err_set(err, ERR_NOT_FOUND, "not logged in to %s", domain);
        key_copy = xstrdup(key);
        json_object_del(auths, key_copy);
        return auth_file_write(real, document, err) < 0 ? err_add(err, "erase the credentials of %s", domain) : 0;
}

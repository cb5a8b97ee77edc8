#include "registry/htpasswd-internal.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "base/buf.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "registry/base64-internal.h"

#define HTPASSWD_MAX ((size_t)4 << 20)
#define REMEMBERED 256
#define AUTHORIZATION_MAX 4096
/* Checked for users that do not exist where there are none at all; else the first user's takes its place, so that the time of an
 * answer does not tell who exists. */
#define NOBODY "$2y$05$abcdefghijklmnopqrstuuH0eHbJ7Zb1hE9l3e5H0xUuQbWm7tWJm"

struct user {
        char *name, *hash;
};

struct htpasswd {
        char *path;
        char salt[65];
        pthread_mutex_t lock;
        struct timespec changed;
        off_t size;
        ino_t inode;
        struct user *users;
        size_t count;
        char known[REMEMBERED][DIGEST_SIZE];
        size_t known_next;
};

static void users_free(struct user *users, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                free(users[i].name);
                free(users[i].hash);
        }
        free(users);
}

static int users_parse(struct htpasswd *h, const char *text, struct err *err)
{
        _cleanup_strv_ char **lines = strv_split(text, "\n", false);
        struct user *users = xcalloc(strv_len(lines) + 1, sizeof(*users));
        size_t count = 0;

        STRV_FOREACH (line, lines) {
                const char *trimmed = str_trim(*line), *colon = strchr(trimmed, ':');
                if (*trimmed == '#' || !*trimmed)
                        continue;
                if (!colon || colon == trimmed || !colon[1]) {
                        users_free(users, count);
                        return err_set(err, ERR_INVALID, "%s: malformed line", h->path);
                }
                users[count].name = xstrndup(trimmed, (size_t)(colon - trimmed));
                users[count++].hash = xstrdup(colon + 1);
        }
        users_free(h->users, h->count);
        h->users = users;
        h->count = count;
        explicit_bzero(h->known, sizeof(h->known));
        return 0;
}

static int users_load(struct htpasswd *h, struct err *err)
{
        _cleanup_buf_ struct buf text = BUF_INIT(HTPASSWD_MAX);
        struct stat st;

        if (stat(h->path, &st) < 0)
                return err_sys(err, "%s", h->path);
        if (st.st_mtim.tv_sec == h->changed.tv_sec && st.st_mtim.tv_nsec == h->changed.tv_nsec &&
            st.st_size == h->size && st.st_ino == h->inode)
                return 0;
        if (file_read_at(AT_FDCWD, h->path, &text, err) < 0 || users_parse(h, text.data ? text.data : "", err) < 0)
                return -1;
        h->changed = st.st_mtim;
        h->size = st.st_size;
        h->inode = st.st_ino;
        return 0;
}

int htpasswd_open(const char *path, struct htpasswd **ret, struct err *err)
{
        struct htpasswd *h = xcalloc(1, sizeof(*h));

        h->path = xstrdup(path);
        pthread_mutex_init(&h->lock, NULL);
        random_hex(h->salt, 64);
        if (users_load(h, err) < 0) {
                htpasswd_close(h);
                return -1;
        }
        *ret = h;
        return 0;
}

void htpasswd_close(struct htpasswd *h)
{
        if (!h)
                return;
        users_free(h->users, h->count);
        pthread_mutex_destroy(&h->lock);
        free(h->path);
        explicit_bzero(h, sizeof(*h));
        free(h);
}

static bool text_equal(const char *a, const char *b)
{
        size_t len = strlen(a);
        return strlen(b) == len && CRYPTO_memcmp(a, b, len) == 0;
}

static bool sha_matches(const char *encoded, const char *password)
{
        unsigned char sum[EVP_MAX_MD_SIZE];
        unsigned len = 0;

        if (EVP_Digest(password, strlen(password), sum, &len, EVP_sha1(), NULL) != 1)
                return false;
        _cleanup_free_ char *actual = base64_encode(sum, len);
        return text_equal(actual, encoded);
}

static bool hash_matches(const char *hash, const char *password)
{
        const char *sha = str_after(hash, "{SHA}");
        if (sha)
                return sha_matches(sha, password);
        struct crypt_data *data = xcalloc(1, sizeof(*data));
        /* Unlike crypt_r() NULL on failure; and no sanitizer stands in its way. */
        const char *actual = crypt_rn(password, hash, data, (int)sizeof(*data));
        bool same = actual && text_equal(actual, hash);
        explicit_bzero(data, sizeof(*data));
        free(data);
        return same;
}

static bool is_known(const struct htpasswd *h, const char *proof)
{
        for (size_t i = 0; i < REMEMBERED; i++)
                if (str_eq(h->known[i], proof))
                        return true;
        return false;
}

/* The user's hash (heap) out of the file as it is now, the stand-in's where there is no such user. */
static char *hash_of(const struct htpasswd *h, const char *name, bool *ret_found)
{
        for (size_t i = 0; i < h->count; i++)
                if (str_eq(h->users[i].name, name)) {
                        *ret_found = true;
                        return xstrdup(h->users[i].hash);
                }
        *ret_found = false;
        return xstrdup(h->count > 0 ? h->users[0].hash : NOBODY);
}

static bool password_right(struct htpasswd *h, const char *name, const char *password)
{
        _cleanup_secret_ char *text = xasprintf("%s\n%s\n%s", h->salt, name, password), *hash = NULL;
        struct err err = ERR_INIT;
        char proof[DIGEST_SIZE];
        bool found, known;

        digest_of(text, strlen(text), proof);
        pthread_mutex_lock(&h->lock);
        if (users_load(h, &err) < 0)
                log_warning("users are kept as they were: %s", err.msg);
        known = is_known(h, proof);
        hash = hash_of(h, name, &found);
        pthread_mutex_unlock(&h->lock);
        if (known)
                return true;
        if (!hash_matches(hash, password) || !found)
                return false;
        pthread_mutex_lock(&h->lock);
        snprintf(h->known[h->known_next++ % REMEMBERED], DIGEST_SIZE, "%s", proof);
        pthread_mutex_unlock(&h->lock);
        return true;
}

bool htpasswd_allows(struct htpasswd *h, const char *header)
{
        if (!header || strlen(header) > AUTHORIZATION_MAX || strncasecmp(header, "Basic ", 6) != 0)
                return false;
        size_t len;
        _cleanup_secret_ char *pair = base64_decode(header + 6 + strspn(header + 6, " "), &len);
        char *colon = pair ? strchr(pair, ':') : NULL;
        if (!colon || strlen(pair) != len)
                return false;
        *colon = '\0';
        return password_right(h, pair, colon + 1);
}

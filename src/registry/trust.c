#include "registry/trust-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define PEM_MAX ((size_t)8 << 20)
#define DIR_ENTRIES_MAX 1000

static const char *const standard_dirs[] = { "/etc/docker/certs.d", "/etc/containers/certs.d" };

void trust_done(struct trust *t)
{
        free(t->authorities);
        free(t->certificate);
        free(t->key);
        *t = (struct trust){ 0 };
}

/* curl's own authorities come first: giving it ours takes the built-in file away. */
static int authorities_start(struct buf *pem, struct err *err)
{
        CURL *curl = curl_easy_init();
        char *path = NULL;
        int rc = 0;

        if (curl && curl_easy_getinfo(curl, CURLINFO_CAINFO, &path) == CURLE_OK && path &&
            file_exists_at(AT_FDCWD, path))
                rc = file_read_at(AT_FDCWD, path, pem, err);
        curl_easy_cleanup(curl);
        return rc;
}

static int authority_add(struct buf *pem, const char *path, struct err *err)
{
        if (pem->len == 0 && authorities_start(pem, err) < 0)
                return -1;
        if (buf_adds(pem, "\n", err) < 0)
                return -1;
        return file_read_at(AT_FDCWD, path, pem, err);
}

static int certificate_add(struct trust *t, const char *dir, const char *name, struct err *err)
{
        _cleanup_free_ char *key = xasprintf("%s/%.*s.key", dir, (int)(strlen(name) - strlen(".cert")), name);

        if (!file_exists_at(AT_FDCWD, key))
                return err_set(err, ERR_INVALID, "%s/%s: its key %s is missing", dir, name, key);
        if (t->certificate)
                return 0;
        t->certificate = xasprintf("%s/%s", dir, name);
        t->key = TAKE_PTR(key);
        return 0;
}

static int trust_read_dir(struct trust *t, struct buf *pem, const char *dir, struct err *err)
{
        _cleanup_closedir_ DIR *d = opendir(dir);
        _cleanup_strv_ char **names = NULL;
        struct dirent *e;

        if (!d)
                return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, "%s", dir);
        while ((e = readdir(d)) && strv_len(names) < DIR_ENTRIES_MAX)
                strv_push(&names, e->d_name);
        strv_sort(names);
        STRV_FOREACH (name, names) {
                _cleanup_free_ char *path = xasprintf("%s/%s", dir, *name);
                if (str_ends(*name, ".crt") && authority_add(pem, path, err) < 0)
                        return -1;
                if (str_ends(*name, ".cert") && certificate_add(t, dir, *name, err) < 0)
                        return -1;
        }
        return 0;
}

int trust_load(struct trust *ret, const char *dir, const char *domain, struct err *err)
{
        _cleanup_buf_ struct buf pem = BUF_INIT(PEM_MAX);
        struct trust t = { 0 };
        int rc = dir ? trust_read_dir(&t, &pem, dir, err) : 0;

        for (size_t i = 0; !dir && rc == 0 && i < ELEMENTS(standard_dirs); i++) {
                _cleanup_free_ char *path = xasprintf("%s/%s", standard_dirs[i], domain);
                rc = trust_read_dir(&t, &pem, path, err);
        }
        if (rc < 0) {
                trust_done(&t);
                return err_add(err, "certificates of %s", domain);
        }
        if (pem.len > 0) {
                t.authorities_len = pem.len;
                t.authorities = buf_take(&pem);
        }
        *ret = t;
        return 0;
}

void trust_apply(const struct trust *t, CURL *curl, bool own_host, bool verify)
{
        if (t->authorities) {
                struct curl_blob blob = { .data = t->authorities,
                                          .len = t->authorities_len,
                                          .flags = CURL_BLOB_NOCOPY };
                curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
        }
        if (!own_host)
                return;
        if (t->certificate) {
                curl_easy_setopt(curl, CURLOPT_SSLCERT, t->certificate);
                curl_easy_setopt(curl, CURLOPT_SSLKEY, t->key);
        }
        if (!verify) {
                curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
                curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
        }
}

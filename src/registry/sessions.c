#include "registry/sessions-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/file.h"
#include "base/str.h"
#include "registry/names-internal.h"

#define OPEN_MAX_IDLE 256 /* more are closed; they come back by hashing again what is there */
#define UPLOAD_AGE_MAX (24 * 3600) /* s */

struct uploads {
        struct store *store;
        pthread_mutex_t lock; /* of the list and of `busy` */
        struct upload *list;
};

static void upload_free(struct upload *up)
{
        ingest_free(up->in);
        free(up->repository);
        free(up);
}

struct uploads *uploads_new(struct store *store)
{
        struct uploads *u = xcalloc(1, sizeof(*u));

        u->store = store;
        pthread_mutex_init(&u->lock, NULL);
        return u;
}

void uploads_free(struct uploads *u)
{
        if (!u)
                return;
        while (u->list) {
                struct upload *up = u->list;
                u->list = up->next;
                upload_free(up);
        }
        pthread_mutex_destroy(&u->lock);
        free(u);
}

static char *record_path(const char *id)
{
        return xasprintf("uploads/%s", id);
}

/* The list's lock is held. */
static void list_push(struct uploads *u, struct upload *up)
{
        up->next = u->list;
        u->list = up;
}

static void list_unlink(struct uploads *u, struct upload *up)
{
        for (struct upload **at = &u->list; *at; at = &(*at)->next)
                if (*at == up) {
                        *at = up->next;
                        return;
                }
}

static struct upload *upload_new(const char *id, const char *repository)
{
        struct upload *up = xcalloc(1, sizeof(*up));

        snprintf(up->id, sizeof(up->id), "%s", id);
        up->repository = xstrdup(repository);
        up->busy = true;
        return up;
}

static void upload_forget(struct uploads *u, struct upload *up)
{
        pthread_mutex_lock(&u->lock);
        list_unlink(u, up);
        pthread_mutex_unlock(&u->lock);
        upload_free(up);
}

int upload_create(struct uploads *u, const char *repository, struct upload **ret, struct err *err)
{
        char id[UPLOAD_ID_SIZE];

        random_hex(id, UPLOAD_ID_SIZE - 1);
        _cleanup_free_ char *path = record_path(id);
        if (file_write_at(u->store->root_fd, path, repository, strlen(repository), 0600, false, err) < 0)
                return -1;
        struct upload *up = upload_new(id, repository);
        pthread_mutex_lock(&u->lock);
        list_push(u, up);
        pthread_mutex_unlock(&u->lock);
        *ret = up;
        return 0;
}

/* Of an earlier server, or closed while idle: what is there is hashed again. */
static int record_load(struct uploads *u, struct upload *up, struct err *err)
{
        _cleanup_free_ char *path = record_path(up->id);
        _cleanup_buf_ struct buf text = BUF_INIT(REPOSITORY_NAME_MAX);

        if (file_read_at(u->store->root_fd, path, &text, err) < 0 || !str_eq(text.data, up->repository))
                return err_set(err, ERR_NOT_FOUND, "blob upload unknown to registry");
        return blob_begin_named(u->store->blobs, up->id, UINT64_MAX, &up->in, &up->at, err);
}

static struct upload *list_find(struct uploads *u, const char *id)
{
        for (struct upload *up = u->list; up; up = up->next)
                if (str_eq(up->id, id))
                        return up;
        return NULL;
}

int upload_take(struct uploads *u, const char *repository, const char *id, struct upload **ret, struct err *err)
{
        pthread_mutex_lock(&u->lock);
        struct upload *up = list_find(u, id);
        bool known = up, ours = !known || str_eq(up->repository, repository), busy = known && up->busy;
        if (!known) {
                /* In the list before its record is read: a second call must see that somebody is at it. */
                up = upload_new(id, repository);
                list_push(u, up);
        } else if (ours) {
                up->busy = true;
        }
        pthread_mutex_unlock(&u->lock);
        if (!ours)
                return err_set(err, ERR_NOT_FOUND, "blob upload unknown to registry");
        if (busy)
                return err_set(err, ERR_UNAVAILABLE, "another request writes this upload");
        if (!known && record_load(u, up, err) < 0) {
                upload_forget(u, up);
                return -1;
        }
        *ret = up;
        return 0;
}

static int upload_open(struct uploads *u, struct upload *up, struct err *err)
{
        return up->in ? 0 : blob_begin_named(u->store->blobs, up->id, UINT64_MAX, &up->in, &up->at, err);
}

int upload_write(struct uploads *u, struct upload *up, const void *data, size_t len, struct err *err)
{
        if (upload_open(u, up, err) < 0 || ingest_write(up->in, data, len, err) < 0)
                return -1;
        up->at += len;
        return 0;
}

int upload_commit(struct uploads *u, struct upload *up, const char *digest, struct err *err)
{
        if (upload_open(u, up, err) < 0 || ingest_expect(up->in, digest, err) < 0 ||
            ingest_commit(up->in, NULL, NULL, err) < 0)
                return -1;
        /* Before the drop, which truncates: the descriptor is the blob's by now. */
        ingest_free(TAKE_PTR(up->in));
        upload_drop(u, up);
        return 0;
}

/* Closes the longest idle upload beyond the limit: those stand last in the list. */
static struct upload *list_shed(struct uploads *u)
{
        struct upload **last = NULL, *up = NULL;
        unsigned idle = 0;

        for (struct upload **at = &u->list; *at; at = &(*at)->next)
                if (!(*at)->busy) {
                        idle++;
                        last = at;
                }
        if (idle > OPEN_MAX_IDLE) {
                up = *last;
                *last = up->next;
        }
        return up;
}

void upload_release(struct uploads *u, struct upload *up)
{
        _cleanup_free_ char *path = record_path(up->id);
        struct upload *shed;

        /* Its age counts from here. */
        utimensat(u->store->root_fd, path, NULL, AT_SYMLINK_NOFOLLOW);
        pthread_mutex_lock(&u->lock);
        list_unlink(u, up);
        up->busy = false;
        list_push(u, up);
        shed = list_shed(u);
        pthread_mutex_unlock(&u->lock);
        if (shed)
                upload_free(shed);
}

void upload_drop(struct uploads *u, struct upload *up)
{
        _cleanup_free_ char *path = record_path(up->id);
        struct err ignored = ERR_INIT;

        unlinkat(u->store->root_fd, path, 0);
        /* An ingest of no bytes leaves nothing behind. */
        if (up->in)
                ingest_restart(up->in, &ignored);
        upload_forget(u, up);
}

static int record_sweep(struct store *store, const char *id, struct err *err)
{
        _cleanup_free_ char *path = record_path(id);
        _cleanup_(ingest_freep) struct ingest *in = NULL;
        struct stat st;

        if (!str_only(id, "0123456789abcdef") || fstatat(store->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            time(NULL) - st.st_mtime < UPLOAD_AGE_MAX)
                return 0;
        if (blob_begin_named(store->blobs, id, UINT64_MAX, &in, NULL, err) < 0 || ingest_restart(in, err) < 0)
                return -1;
        return unlinkat(store->root_fd, path, 0) < 0 && errno != ENOENT ? err_sys(err, "%s", path) : 0;
}

int uploads_sweep(struct store *store, struct err *err)
{
        _cleanup_closedir_ DIR *d = NULL;
        struct dirent *e;
        int fd = openat(store->root_fd, "uploads", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        d = fd < 0 ? NULL : fdopendir(fd);
        if (!d)
                return err_sys(err, "uploads");
        while ((e = readdir(d)))
                if (record_sweep(store, e->d_name, err) < 0)
                        return -1;
        return 0;
}

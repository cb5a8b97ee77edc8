#include "image/bring-internal.h"
#include <errno.h>
#include <stdatomic.h>
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "storage/layer.h"

#define READ_CHUNK ((size_t)1 << 20)
#define REPORT_STEP ((uint64_t)512 << 10)
#define PARALLEL_DEFAULT 3
#define PARALLEL_MAX 32

struct crew;
struct job {
        struct crew *crew;
        const struct descriptor *blob;
        const char *diff_id, *chain_id, *parent;
        struct layer_staging *staging; /* NULL: the layer is here already */
        struct layer_unpack *unpack;
        struct ingest *ingest; /* NULL: the blob is here already */
        uint64_t done, reported; /* bytes of the blob */
        uint64_t size; /* of the unpacked files */
        bool resumed; /* began from bytes of an earlier attempt */
        bool ready; /* unpacked: may be committed once its parents are, by whichever thread */
};

struct crew {
        const struct bring *b;
        struct job *jobs;
        pthread_mutex_t lock;
        size_t next, committed; /* first job nobody took; layers visible so far */
        bool committing;
        atomic_bool stop;
        struct err err; /* of the first that failed */
};

static void job_report(struct job *job, enum transfer_state state)
{
        progress_layer(job->crew->b->progress, job->blob->digest, state, job->done, (uint64_t)job->blob->size);
        job->reported = job->done;
}

/* --- the pass: bytes into the blob and through the unpacker --- */

static int unpack_begin(struct job *job, struct err *err)
{
        const struct bring *b = job->crew->b;
        if (layer_begin(b->st->snapshots, job->parent, &job->staging, err) < 0)
                return -1;
        /* The blob is here, or is committed before the image is recorded. */
        layer_derived(job->staging);
        enum compression compression = media_layer_compression(job->blob->media_type);
        return layer_unpack_begin(job->staging, compression, job->diff_id, b->limits, &job->unpack, err);
}

static void unpack_drop(struct job *job)
{
        layer_unpack_freep(&job->unpack);
        job->unpack = NULL;
        layer_abortp(&job->staging);
        job->staging = NULL;
}

/* A layer not yet handed to commit_ready() is dropped with the attempt. */
static void unpack_end(struct job *job)
{
        if (!job->ready)
                unpack_drop(job);
}

static int job_unpack(struct job *job, const void *bytes, size_t len, struct err *err)
{
        if (atomic_load_explicit(&job->crew->stop, memory_order_relaxed))
                return err_set(err, ERR_UNAVAILABLE, "stopped, since another layer failed");
        if (job->unpack && layer_unpack_write(job->unpack, bytes, len, err) < 0)
                return -1;
        job->done += len;
        if (job->done - job->reported >= REPORT_STEP)
                job_report(job, job->ingest ? TRANSFER_DOWNLOADING : TRANSFER_EXTRACTING);
        return 0;
}

static int sink_write(void *data, const void *bytes, size_t len, struct err *err)
{
        struct job *job = data;
        if (ingest_write(job->ingest, bytes, len, err) < 0)
                return -1;
        return job_unpack(job, bytes, len, err);
}

static int sink_restart(void *data, struct err *err)
{
        struct job *job = data;
        job->done = job->reported = 0;
        if (ingest_restart(job->ingest, err) < 0)
                return -1;
        if (!job->unpack)
                return 0;
        unpack_drop(job);
        return unpack_begin(job, err);
}

/* What an earlier attempt left, or a whole blob. */
static int read_back(struct job *job, int fd, uint64_t bytes, struct err *err)
{
        _cleanup_free_ char *chunk = xmalloc(READ_CHUNK);
        while (bytes > 0) {
                ssize_t n = fd_read_full(fd, chunk, bytes < READ_CHUNK ? (size_t)bytes : READ_CHUNK);
                if (n <= 0)
                        return n < 0 ? err_sys(err, "read blob %s", job->blob->digest)
                                     : err_set(err, ERR_CORRUPT, "blob %s is shorter than it was", job->blob->digest);
                if (job_unpack(job, chunk, (size_t)n, err) < 0)
                        return -1;
                bytes -= (uint64_t)n;
        }
        return 0;
}

static int fetch(struct job *job, uint64_t offset, struct err *err)
{
        const struct bring *b = job->crew->b;
        if (offset > 0) {
                _cleanup_close_ int fd = ingest_reader(job->ingest, err);
                if (fd < 0 || read_back(job, fd, offset, err) < 0)
                        return -1;
        }
        if (offset >= (uint64_t)job->blob->size)
                return 0;
        const struct blob_sink sink = { .write = sink_write, .restart = sink_restart, .data = job };
        return b->fetch(b->data, job->blob, offset, &sink, err);
}

/* --- making layers visible, in order --- */

static int commit_one(struct job *job, struct err *err)
{
        if (!job->staging)
                return 0;
        int r = layer_commit(job->staging, job->chain_id, job->size, err);
        layer_abortp(&job->staging);
        job->staging = NULL;
        return r < 0 ? err_add(err, "layer %s", job->blob->digest) : 0;
}

/* Commits what has all its parents. Whoever finishes while another commits leaves his layer to that one, and nobody waits. */
static int commit_ready(struct crew *crew, struct job *finished, struct err *err)
{
        int r = 0;
        pthread_mutex_lock(&crew->lock);
        finished->ready = true;
        while (r == 0 && !crew->committing && crew->committed < crew->b->count && crew->jobs[crew->committed].ready) {
                crew->committing = true;
                pthread_mutex_unlock(&crew->lock);
                r = commit_one(&crew->jobs[crew->committed], err);
                pthread_mutex_lock(&crew->lock);
                crew->committing = false;
                crew->committed += r == 0;
        }
        pthread_mutex_unlock(&crew->lock);
        return r;
}

static int unpack_finish(struct job *job, struct err *err)
{
        char diff_id[DIGEST_SIZE];
        if (!job->unpack)
                return 0;
        job_report(job, TRANSFER_EXTRACTING);
        int r = layer_unpack_finish(job->unpack, diff_id, &job->size, err);
        layer_unpack_freep(&job->unpack);
        job->unpack = NULL;
        return r;
}

/* Bytes that do not even decompress must not be what the next attempt goes on from. */
static int distrust(struct job *job, struct err *err)
{
        struct err ignored = ERR_INIT;
        if (err->kind == ERR_CORRUPT && job->ingest)
                ingest_restart(job->ingest, &ignored);
        return -1;
}

static int job_from_blob(struct job *job, struct err *err)
{
        uint64_t size = 0;
        _cleanup_close_ int fd = blob_open(job->crew->b->st->blobs, job->blob->digest, &size, err);
        if (fd < 0 || unpack_begin(job, err) < 0 || read_back(job, fd, size, err) < 0)
                return -1;
        return unpack_finish(job, err);
}

static int job_fetch(struct job *job, struct err *err)
{
        const struct bring *b = job->crew->b;
        uint64_t offset = 0;
        if (!b->fetch)
                return err_set(err, ERR_NOT_FOUND, "its blob is missing");
        job_report(job, TRANSFER_WAITING);
        if (blob_begin(b->st->blobs, job->blob->digest, (uint64_t)job->blob->size, &job->ingest, &offset, err) < 0)
                return -1;
        job->resumed = offset > 0;
        /* Whom we waited for may have unpacked it too. */
        if (!job->ready && !layer_exists(b->st->snapshots, job->chain_id) && unpack_begin(job, err) < 0)
                return -1;
        if (fetch(job, offset, err) < 0 || unpack_finish(job, err) < 0)
                return distrust(job, err);
        return 0;
}

static int job_attempt(struct job *job, struct err *err)
{
        const struct bring *b = job->crew->b;
        int r = 0;
        if (!blob_exists(b->st->blobs, job->blob->digest, NULL))
                r = job_fetch(job, err);
        else if (!job->ready && !layer_exists(b->st->snapshots, job->chain_id))
                r = job_from_blob(job, err);
        /* The layer first: others who wait for this blob then find both. Its content is proved by its diff id. */
        if (r == 0)
                r = commit_ready(job->crew, job, err);
        if (r == 0 && job->ingest)
                r = ingest_commit(job->ingest, NULL, NULL, err);
        unpack_end(job);
        ingest_freep(&job->ingest);
        job->ingest = NULL;
        return r;
}

static int job_run(struct job *job, struct err *err)
{
        const bool have_layer = layer_exists(job->crew->b->st->snapshots, job->chain_id);
        int r = job_attempt(job, err);
        /* What an earlier attempt left was not synced: after a power cut it may be anything. */
        if (r < 0 && err->kind == ERR_CORRUPT && job->resumed) {
                log_info("layer %s: what was here of it is damaged (%s), fetched anew", job->blob->digest, err->msg);
                err_clear(err);
                job->resumed = false;
                job->done = job->reported = 0;
                r = job_attempt(job, err);
        }
        if (r < 0)
                return err_add(err, "layer %s", job->blob->digest);
        job->done = (uint64_t)job->blob->size;
        job_report(job, have_layer ? TRANSFER_EXISTS : TRANSFER_PULLED);
        return 0;
}

/* --- the crew --- */

static struct job *job_take(struct crew *crew)
{
        struct job *job = NULL;
        pthread_mutex_lock(&crew->lock);
        if (!crew->stop && crew->next < crew->b->count)
                job = &crew->jobs[crew->next++];
        pthread_mutex_unlock(&crew->lock);
        return job;
}

static void crew_fail(struct crew *crew, const struct err *err)
{
        pthread_mutex_lock(&crew->lock);
        if (crew->err.kind == ERR_NONE)
                crew->err = *err;
        crew->stop = true;
        pthread_mutex_unlock(&crew->lock);
}

static void *worker(void *data)
{
        struct crew *crew = data;
        for (struct job *job; (job = job_take(crew));) {
                struct err err = ERR_INIT;
                if (job_run(job, &err) < 0)
                        crew_fail(crew, &err);
        }
        return NULL;
}

static void crew_work(struct crew *crew)
{
        pthread_t threads[PARALLEL_MAX];
        size_t wanted = crew->b->parallel ? crew->b->parallel : PARALLEL_DEFAULT, started = 0;
        wanted = wanted > PARALLEL_MAX ? PARALLEL_MAX : wanted;
        wanted = wanted > crew->b->count ? crew->b->count : wanted;
        /* This thread is one of them: where no other can be started the work is still done. */
        while (started + 1 < wanted && pthread_create(&threads[started], NULL, worker, crew) == 0)
                started++;
        worker(crew);
        while (started > 0)
                pthread_join(threads[--started], NULL);
}

static void crew_done(struct crew *crew)
{
        for (size_t n = 0; n < crew->b->count; n++) {
                unpack_drop(&crew->jobs[n]);
                ingest_freep(&crew->jobs[n].ingest);
        }
        free(crew->jobs);
        pthread_mutex_destroy(&crew->lock);
}

int bring_layers(const struct bring *b, struct err *err)
{
        if (layers_expect(b->st->snapshots, b->chain, b->count, err) < 0)
                return -1;
        struct crew crew = { .b = b, .lock = PTHREAD_MUTEX_INITIALIZER };
        crew.jobs = xcalloc(b->count ? b->count : 1, sizeof(*crew.jobs));
        for (size_t n = 0; n < b->count; n++)
                crew.jobs[n] = (struct job){ .crew = &crew,
                                             .blob = &b->layers[n],
                                             .diff_id = b->diff_ids[n],
                                             .chain_id = b->chain[n],
                                             .parent = n ? b->chain[n - 1] : NULL };
        crew_work(&crew);
        struct err failed = crew.err;
        crew_done(&crew);
        if (failed.kind != ERR_NONE) {
                layers_unexpect(b->st->snapshots);
                *err = failed;
                return -1;
        }
        return 0;
}

/* --- documents --- */

static int document_write(void *data, const void *bytes, size_t len, struct err *err)
{
        return ingest_write(data, bytes, len, err);
}

static int document_restart(void *data, struct err *err)
{
        return ingest_restart(data, err);
}

int bring_document(const struct bring *b, const struct descriptor *blob, struct err *err)
{
        uint64_t offset = 0;
        if (blob->size < 0 || (uint64_t)blob->size > IMAGE_DOCUMENT_MAX)
                return err_set(err, ERR_TOO_LARGE, "document %s of %lld bytes: at most %zu are allowed", blob->digest,
                               (long long)blob->size, IMAGE_DOCUMENT_MAX);
        if (blob_exists(b->st->blobs, blob->digest, NULL))
                return 0;
        if (!b->fetch)
                return err_set(err, ERR_NOT_FOUND, "document %s is missing", blob->digest);
        _cleanup_(ingest_freep) struct ingest *in = NULL;
        if (blob_begin(b->st->blobs, blob->digest, (uint64_t)blob->size, &in, &offset, err) < 0)
                return -1;
        const struct blob_sink sink = { .write = document_write, .restart = document_restart, .data = in };
        if (offset < (uint64_t)blob->size && b->fetch(b->data, blob, offset, &sink, err) < 0)
                return err_add(err, "document %s", blob->digest);
        return ingest_commit(in, NULL, NULL, err);
}

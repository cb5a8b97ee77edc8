#include "harness.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "base/str.h"

static struct blobs *open_store(const char *root)
{
        struct blobs *b = NULL;
        assert_ok(blobs_open(root, &b, &err));
        return b;
}

static void digest_text(const char *text, char ret[DIGEST_SIZE])
{
        digest_of(text, strlen(text), ret);
}

static int count_files(const char *root, const char *folder)
{
        char *path = xasprintf("%s/%s", root, folder);
        int fd = open(path, O_RDONLY | O_DIRECTORY);
        char *text = fd >= 0 ? tree_text(fd, false) : NULL;
        int lines = 0;
        for (const char *p = text; p && *p; p++)
                lines += *p == '\n';
        free(text);
        free(path);
        if (fd >= 0)
                close(fd);
        return lines;
}

static void test_put_and_read(void **state)
{
        char digest[DIGEST_SIZE], expected[DIGEST_SIZE];
        uint64_t size = 0;
        struct buf got = BUF_INIT(100);
        struct blobs *b = open_store(sandbox());
        digest_text("hello", expected);
        assert_false(blob_exists(b, expected, NULL));
        assert_ok(blob_put(b, "hello", 5, digest, &err));
        assert_string_equal(digest, expected);
        assert_ok(blob_put(b, "hello", 5, digest, &err));
        assert_true(blob_exists(b, digest, &size));
        assert_int_equal(size, 5);
        assert_ok(blob_read(b, digest, 5, &got, &err));
        assert_string_equal(got.data, "hello");
        assert_err(blob_read(b, digest, 4, &got, &err), ERR_TOO_LARGE);
        assert_err(blob_read(b, "sha256:../../etc/passwd", 4, &got, &err), ERR_INVALID);
        assert_ok(blob_remove(b, digest, &err));
        assert_err(blob_open(b, digest, NULL, &err), ERR_NOT_FOUND);
        assert_err(blob_remove(b, digest, &err), ERR_NOT_FOUND);
        buf_done(&got);
        blobs_close(b);
}

static void test_damaged_blob_is_not_read(void **state)
{
        char digest[DIGEST_SIZE];
        struct buf got = BUF_INIT(100);
        const char *root = sandbox();
        struct blobs *b = open_store(root);
        assert_ok(blob_put(b, "hello", 5, digest, &err));
        char *path = xasprintf("%s/blobs/sha256/%s", root, digest_hex(digest));
        int fd = open(path, O_WRONLY);
        assert_int_equal(write(fd, "J", 1), 1);
        close(fd);
        assert_err(blob_read(b, digest, 100, &got, &err), ERR_CORRUPT);
        assert_int_equal(got.len, 0);
        free(path);
        blobs_close(b);
}

static void test_wrong_content_is_dropped(void **state)
{
        char digest[DIGEST_SIZE];
        uint64_t offset = 99;
        struct ingest *in = NULL;
        const char *root = sandbox();
        struct blobs *b = open_store(root);
        digest_text("right", digest);
        assert_ok(blob_begin(b, digest, 100, &in, &offset, &err));
        assert_int_equal(offset, 0);
        assert_ok(ingest_write(in, "wrong", 5, &err));
        assert_err(ingest_commit(in, NULL, NULL, &err), ERR_CORRUPT);
        ingest_free(in);
        assert_false(blob_exists(b, digest, NULL));
        assert_int_equal(count_files(root, "ingest"), 0);
        assert_ok(blob_begin(b, digest, 100, &in, &offset, &err));
        assert_int_equal(offset, 0);
        ingest_free(in);
        blobs_close(b);
}

static void test_resume(void **state)
{
        char digest[DIGEST_SIZE], got[DIGEST_SIZE], early[8];
        uint64_t offset = 99, size = 0;
        struct ingest *in = NULL;
        const char *root = sandbox();
        struct blobs *b = open_store(root);
        digest_text("one two three", digest);
        assert_ok(blob_begin(b, digest, 13, &in, NULL, &err));
        assert_ok(ingest_write(in, "one two", 7, &err));
        ingest_free(in);
        assert_ok(blob_begin(b, digest, 13, &in, &offset, &err));
        assert_int_equal(offset, 7);
        int fd = ingest_reader(in, &err);
        assert_ok(fd);
        assert_int_equal(read(fd, early, sizeof(early)), 7);
        assert_memory_equal(early, "one two", 7);
        close(fd);
        assert_err(ingest_write(in, " three!", 7, &err), ERR_TOO_LARGE);
        assert_ok(ingest_write(in, " three", 6, &err));
        assert_ok(ingest_commit(in, got, &size, &err));
        assert_string_equal(got, digest);
        assert_int_equal(size, 13);
        ingest_free(in);
        assert_true(blob_exists(b, digest, NULL));
        assert_int_equal(count_files(root, "ingest"), 0);
        blobs_close(b);
}

static void test_restart(void **state)
{
        char digest[DIGEST_SIZE];
        uint64_t offset = 0;
        struct ingest *in = NULL;
        struct blobs *b = open_store(sandbox());
        digest_text("abcdef", digest);
        assert_ok(blob_begin(b, digest, 6, &in, NULL, &err));
        assert_ok(ingest_write(in, "abc", 3, &err));
        ingest_free(in);
        assert_ok(blob_begin(b, digest, 6, &in, &offset, &err));
        assert_int_equal(offset, 3);
        assert_ok(ingest_restart(in, &err));
        assert_ok(ingest_write(in, "abcdef", 6, &err));
        assert_ok(ingest_commit(in, NULL, NULL, &err));
        ingest_free(in);
        assert_true(blob_exists(b, digest, NULL));
        blobs_close(b);
}

static void test_sha512(void **state)
{
        static const char abc[] = "sha512:"
                                  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba"
                                  "3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        struct ingest *in = NULL;
        struct buf got = BUF_INIT(10);
        struct blobs *b = open_store(sandbox());
        assert_ok(blob_begin(b, abc, 3, &in, NULL, &err));
        assert_ok(ingest_write(in, "abc", 3, &err));
        assert_ok(ingest_commit(in, NULL, NULL, &err));
        ingest_free(in);
        assert_ok(blob_read(b, abc, 10, &got, &err));
        assert_string_equal(got.data, "abc");
        buf_done(&got);
        blobs_close(b);
}

static int count_blob(void *data, const char *digest, uint64_t size, int64_t mtime, struct err *e)
{
        ++*(int *)data;
        return size == 3 ? 7 : 0;
}

static void test_walk(void **state)
{
        char digest[DIGEST_SIZE];
        int count = 0;
        struct blobs *b = open_store(sandbox());
        assert_ok(blob_put(b, "a", 1, digest, &err));
        assert_ok(blob_put(b, "bb", 2, digest, &err));
        assert_int_equal(blobs_walk(b, count_blob, &count, &err), 0);
        assert_int_equal(count, 2);
        assert_ok(blob_put(b, "ccc", 3, digest, &err));
        assert_int_equal(blobs_walk(b, count_blob, &count, &err), 7);
        blobs_close(b);
}

/* Writes 4 MiB in pieces; `stop_at` bytes: dies there by SIGKILL. */
static void child_ingest(const char *root, const char *digest, size_t stop_at)
{
        struct err e = ERR_INIT;
        struct blobs *b = NULL;
        struct ingest *in = NULL;
        uint64_t offset = 0;
        static char piece[65536];
        memset(piece, 'x', sizeof(piece));
        if (blobs_open(root, &b, &e) < 0 || blob_begin(b, digest, 4 << 20, &in, &offset, &e) < 0)
                _exit(2);
        for (size_t at = offset; at < 4 << 20; at += sizeof(piece)) {
                if (stop_at && at >= stop_at)
                        kill(getpid(), SIGKILL);
                if (ingest_write(in, piece, sizeof(piece), &e) < 0)
                        _exit(3);
        }
        _exit(ingest_commit(in, NULL, NULL, &e) < 0 ? 4 : 0);
}

static void big_digest(char ret[DIGEST_SIZE])
{
        char *all = xmalloc(4 << 20);
        memset(all, 'x', 4 << 20);
        digest_of(all, 4 << 20, ret);
        free(all);
}

static void test_eight_processes_one_digest(void **state)
{
        char digest[DIGEST_SIZE];
        pid_t pids[8];
        const char *root = sandbox();
        big_digest(digest);
        for (int i = 0; i < 8; i++) {
                pids[i] = fork();
                if (pids[i] == 0)
                        /* Three of them are killed half-way; the others must go on from there. */
                        child_ingest(root, digest, i % 3 == 0 ? (size_t)(i + 1) << 17 : 0);
        }
        int killed = 0;
        for (int i = 0; i < 8; i++) {
                int status = 0;
                assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
                killed += WIFSIGNALED(status);
                assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        }
        struct blobs *b = open_store(root);
        struct buf got = BUF_INIT(4 << 20);
        assert_ok(blob_read(b, digest, 4 << 20, &got, &err));
        assert_int_equal(count_files(root, "ingest"), 0);
        assert_true(killed <= 3);
        buf_done(&got);
        blobs_close(b);
}

static void test_killed_writer_leaves_nothing_visible(void **state)
{
        char digest[DIGEST_SIZE];
        const char *root = sandbox();
        int status = 0;
        uint64_t offset = 0;
        struct ingest *in = NULL;
        big_digest(digest);
        pid_t pid = fork();
        if (pid == 0)
                child_ingest(root, digest, 1 << 20);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        struct blobs *b = open_store(root);
        assert_false(blob_exists(b, digest, NULL));
        assert_ok(blob_begin(b, digest, 4 << 20, &in, &offset, &err));
        assert_int_equal(offset, 1 << 20);
        ingest_free(in);
        blobs_close(b);
}

static void test_sweep(void **state)
{
        char digest[DIGEST_SIZE];
        unsigned removed = 0;
        struct ingest *in = NULL, *busy = NULL;
        const char *root = sandbox();
        struct storage *st = NULL;
        assert_ok(storage_open(root, "vfs", &st, &err));
        digest_text("abcdef", digest);
        assert_ok(blob_begin(st->blobs, digest, 6, &in, NULL, &err));
        assert_ok(ingest_write(in, "abc", 3, &err));
        ingest_free(in);
        assert_ok(blob_begin(st->blobs, NULL, 6, &busy, NULL, &err));
        assert_ok(storage_sweep(st, false, &removed, &err));
        assert_int_equal(removed, 0);
        assert_ok(storage_sweep(st, true, &removed, &err));
        assert_int_equal(removed, 1);
        assert_ok(ingest_write(busy, "abc", 3, &err));
        assert_ok(ingest_commit(busy, NULL, NULL, &err));
        ingest_free(busy);
        storage_close(st);
}

static void test_lock(void **state)
{
        struct storage *st = NULL;
        assert_ok(storage_open(sandbox(), "vfs", &st, &err));
        int a = storage_lock(st, false, true, &err), b = storage_lock(st, false, true, &err);
        assert_ok(a);
        assert_ok(b);
        assert_err(storage_lock(st, true, false, &err), ERR_CONFLICT);
        close(a);
        close(b);
        a = storage_lock(st, true, false, &err);
        assert_ok(a);
        assert_err(storage_lock(st, false, false, &err), ERR_CONFLICT);
        close(a);
        storage_close(st);
}

#define T(name) cmocka_unit_test_setup_teardown(name, sandbox_setup, sandbox_teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_put_and_read),
                T(test_damaged_blob_is_not_read),
                T(test_wrong_content_is_dropped),
                T(test_resume),
                T(test_restart),
                T(test_sha512),
                T(test_walk),
                T(test_eight_processes_one_digest),
                T(test_killed_writer_leaves_nothing_visible),
                T(test_sweep),
                T(test_lock),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "harness.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/file.h"
#include "base/str.h"
#include "storage/tree.h"

static int box(void)
{
        int fd = open(sandbox(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        return fd;
}

static int scratch_file(void)
{
        char name[] = "/var/tmp/tare-unit-tree-XXXXXX";
        int fd = mkstemp(name);
        assert_true(fd >= 0);
        unlink(name);
        return fd;
}

static void fill(int fd)
{
        assert_int_equal(mkdirat(fd, "dir", 0755), 0);
        assert_int_equal(fchmodat(fd, "dir", 02770, 0), 0);
        assert_ok(file_write_at(fd, "dir/file", "hello", 5, 0640, false, &err));
        assert_int_equal(linkat(fd, "dir/file", fd, "dir/hard", 0), 0);
        assert_int_equal(symlinkat("../nowhere", fd, "dir/link"), 0);
        assert_int_equal(mknodat(fd, "dir/fifo", S_IFIFO | 0600, 0), 0);
        assert_int_equal(mkdirat(fd, "dir/empty", 0700), 0);
        assert_ok(file_write_at(fd, "zeta", "z", 1, 04711, false, &err));
        int f = openat(fd, "zeta", O_WRONLY);
        assert_int_equal(fsetxattr(f, "user.a", "1", 1, 0), 0);
        close(f);
        assert_int_equal(fchownat(fd, "dir/file", 70, 80, 0), 0);
}

static int archive_of(const struct tree_write *w)
{
        int tar = scratch_file();
        assert_ok(tree_to_tar(w, tar, &err));
        assert_int_equal(lseek(tar, 0, SEEK_SET), 0);
        return tar;
}

static void test_there_and_back(void **state)
{
        int a = box(), b = box();
        fill(a);
        int tar = archive_of(&(struct tree_write){ .root_fd = a, .path = "/" });
        assert_true(tree_is_archive(tar));
        assert_ok(tree_from_tar(
                &(struct tree_read){
                        .root_fd = b, .path = "/", .keep_owner = true, .compression = COMPRESSION_UNKNOWN },
                tar, &err));
        char *wanted = tree_text(a, true), *got = tree_text(b, true);
        assert_string_equal(got, wanted);
        free(wanted);
        free(got);
        close(tar);
        close(a);
        close(b);
}

static char *list_of(int tar)
{
        struct buf names = BUF_INIT(1 << 20);
        struct archive *a = archive_read_new();
        struct archive_entry *e;
        archive_read_support_format_tar(a);
        assert_int_equal(archive_read_open_fd(a, tar, 10240), ARCHIVE_OK);
        while (archive_read_next_header(a, &e) == ARCHIVE_OK)
                assert_ok(buf_addf(&names, &err, "%s\n", archive_entry_pathname(e)));
        archive_read_free(a);
        return names.len ? buf_take(&names) : xstrdup("");
}

static void test_names_in_the_archive(void **state)
{
        int a = box();
        fill(a);
        char empty[] = "/dir/empty", link[] = "/dir/link", *exclude[] = { empty, link, NULL };
        const struct {
                struct tree_write w;
                const char *names;
        } cases[] = {
                { { .path = "/dir" }, "empty/\nfifo\nfile\nhard\nlink\n" },
                { { .path = "/dir", .name = "other" },
                  "other/\nother/empty/\nother/fifo\nother/file\nother/hard\nother/link\n" },
                { { .path = "/dir/file" }, "file\n" },
                { { .path = "/dir/file", .name = "x" }, "x\n" },
                { { .path = "/", .exclude = exclude }, "dir/\ndir/fifo\ndir/file\ndir/hard\nzeta\n" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct tree_write w = cases[i].w;
                w.root_fd = a;
                int tar = archive_of(&w);
                char *names = list_of(tar);
                assert_string_equal(names, cases[i].names);
                free(names);
                close(tar);
        }
        close(a);
}

static void test_links_at_the_top(void **state)
{
        int a = box();
        fill(a);
        assert_int_equal(symlinkat("/dir/file", a, "abs"), 0);
        int tar = archive_of(&(struct tree_write){ .root_fd = a, .path = "/abs", .follow = true, .name = "n" });
        int b = box();
        assert_ok(tree_from_tar(
                &(struct tree_read){
                        .root_fd = b, .path = "/", .uid = 5, .gid = 6, .compression = COMPRESSION_UNKNOWN },
                tar, &err));
        char *text = tree_text(b, false);
        assert_non_null(strstr(text, "/n 100640 5:6 links=1 5 "));
        free(text);
        close(tar);
        assert_err(tree_to_tar(&(struct tree_write){ .root_fd = a, .path = "/../../etc/passwd" }, b, &err),
                   ERR_NOT_FOUND);
        close(a);
        close(b);
}

static int memory_tar(struct tar *t)
{
        tar_end(t);
        int fd = memory_file(t->bytes, t->len);
        tar_free(t);
        return fd;
}

static void test_unpack_into_a_live_tree(void **state)
{
        int a = box();
        assert_int_equal(mkdirat(a, "opt", 0755), 0);
        assert_int_equal(mkdirat(a, "usr", 0755), 0);
        assert_int_equal(mkdirat(a, "usr/lib", 0750), 0);
        assert_int_equal(symlinkat("/opt", a, "usr/lib/abs"), 0);
        assert_ok(file_write_at(a, "usr/lib/old", "old", 3, 0600, false, &err));
        struct tar *t = tar_new();
        tar_add(t, 'f', "src/abs/x", "x", 0644);
        tar_add(t, 'f', "src/old", "new", 0644);
        tar_add(t, 'f', "src/.wh.old", "no whiteout here", 0644);
        tar_add(t, 'h', "src/hard", "src/old", 0644);
        int tar = memory_tar(t);
        /* usr/lib/abs is a link of the container: it leads to its /opt */
        assert_ok(tree_from_tar(&(struct tree_read){ .root_fd = a,
                                                     .path = "/usr/lib",
                                                     .rename_from = "src",
                                                     .rename_to = ".",
                                                     .compression = COMPRESSION_NONE },
                                tar, &err));
        char *text = tree_text(a, false), *old = file_text(a, "usr/lib/old");
        assert_non_null(strstr(text, "/opt/x "));
        assert_string_equal(old, "new");
        assert_non_null(strstr(text, "/usr/lib/.wh.old "));
        assert_non_null(strstr(text, "/usr/lib/hard 100644 0:0 links=2 "));
        assert_non_null(strstr(text, "/usr/lib 40750 "));
        free(text);
        free(old);
        close(tar);
        close(a);
}

static void test_refusals(void **state)
{
        int a = box();
        fill(a);
        struct tree_read r = { .root_fd = a, .path = "/", .compression = COMPRESSION_UNKNOWN, .no_devices = true };
        struct tar *t = tar_new();
        tar_add(t, 'c', "dev", NULL, 0600);
        int tar = memory_tar(t);
        assert_err(tree_from_tar(&r, tar, &err), ERR_INVALID);
        close(tar);
        t = tar_new();
        tar_add(t, 'f', "dir", "file over directory", 0600);
        tar = memory_tar(t);
        assert_err(tree_from_tar(&r, tar, &err), ERR_CONFLICT);
        assert_true(there(a, "dir/file"));
        close(tar);
        t = tar_new();
        tar_add(t, 'h', "x", "missing", 0600);
        tar = memory_tar(t);
        assert_err(tree_from_tar(&r, tar, &err), ERR_INVALID);
        close(tar);
        r.path = "/nowhere";
        t = tar_new();
        tar_add(t, 'f', "x", "x", 0600);
        tar = memory_tar(t);
        assert_err(tree_from_tar(&r, tar, &err), ERR_NOT_FOUND);
        close(tar);
        r.path = "/";
        r.limits.max_bytes = 3;
        t = tar_new();
        tar_add(t, 'f', "x", "four", 0600);
        tar = memory_tar(t);
        assert_err(tree_from_tar(&r, tar, &err), ERR_TOO_LARGE);
        close(tar);
        close(a);
}

static void test_xz_and_what_is_an_archive(void **state)
{
        struct archive *w = archive_write_new();
        struct archive_entry *e = archive_entry_new();
        char name[] = "/var/tmp/tare-unit-xz-XXXXXX";
        int tar = mkstemp(name), a = box();
        unlink(name);
        archive_write_set_format_pax(w);
        assert_int_equal(archive_write_add_filter_xz(w), ARCHIVE_OK);
        assert_int_equal(archive_write_open_fd(w, tar), ARCHIVE_OK);
        archive_entry_set_pathname(e, "inside");
        archive_entry_set_mode(e, S_IFREG | 0644);
        archive_entry_set_size(e, 3);
        assert_int_equal(archive_write_header(w, e), ARCHIVE_OK);
        assert_int_equal(archive_write_data(w, "abc", 3), 3);
        archive_entry_free(e);
        archive_write_free(w);
        assert_true(tree_is_archive(tar));
        assert_int_equal(lseek(tar, 0, SEEK_SET), 0);
        assert_ok(tree_from_tar(&(struct tree_read){ .root_fd = a, .path = "/", .compression = COMPRESSION_UNKNOWN },
                                tar, &err));
        char *text = file_text(a, "inside");
        assert_string_equal(text, "abc");
        free(text);
        close(tar);
        static const char zeros[2048];
        int plain = memory_file("#!/bin/sh\necho hello\n", 21), nothing = memory_file("", 0),
            zero = memory_file(zeros, sizeof(zeros));
        assert_false(tree_is_archive(plain));
        assert_false(tree_is_archive(nothing));
        assert_false(tree_is_archive(zero));
        close(plain);
        close(nothing);
        close(zero);
        close(a);
}

static void test_copy(void **state)
{
        int a = box(), b = box();
        fill(a);
        assert_ok(tree_copy(a, "/", b, "/new/place", -1, -1, -1, &err));
        int sub = openat(b, "new/place", O_RDONLY | O_DIRECTORY);
        char *wanted = tree_text(a, true), *got = tree_text(sub, true);
        assert_string_equal(got, wanted);
        free(got);
        free(wanted);
        close(sub);
        assert_ok(tree_copy(a, "/dir", b, "/owned", 11, 12, 0700, &err));
        got = tree_text(b, false);
        assert_non_null(strstr(got, "/owned 40700 11:12"));
        assert_non_null(strstr(got, "/owned/file 100700 11:12 links=2 "));
        assert_non_null(strstr(got, "/owned/link 120777 11:12 "));
        free(got);
        assert_ok(tree_copy(a, "/zeta", b, "/x/y/zeta", -1, -1, -1, &err));
        got = tree_text(b, false);
        assert_non_null(strstr(got, "/x/y 40755 "));
        assert_non_null(strstr(got, "/x/y/zeta 104711 0:0 links=1 1 "));
        assert_non_null(strstr(got, "user.a=31"));
        free(got);
        assert_ok(tree_copy(a, "/dir/file", b, "/x/y/zeta", -1, -1, -1, &err));
        got = file_text(b, "x/y/zeta");
        assert_string_equal(got, "hello");
        free(got);
        assert_err(tree_copy(a, "/zeta", b, "/x/y", -1, -1, -1, &err), ERR_CONFLICT);
        assert_err(tree_copy(a, "/dir", b, "/x/y/zeta", -1, -1, -1, &err), ERR_SYSTEM);
        assert_err(tree_copy(a, "/missing", b, "/m", -1, -1, -1, &err), ERR_NOT_FOUND);
        close(a);
        close(b);
}

static bool leave_out(void *data, const char *path, bool is_dir)
{
        return str_eq(path, data);
}

static void test_digest(void **state)
{
        int a = box(), b = box();
        char one[DIGEST_SIZE], two[DIGEST_SIZE], extra[] = "extra";
        fill(a);
        assert_ok(tree_copy(a, "/", b, "/", -1, -1, -1, &err));
        const struct timespec at[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
        assert_int_equal(utimensat(b, "dir/file", at, 0), 0);
        /* The tops were made with the same mode. */
        assert_ok(tree_digest(a, "/", NULL, NULL, one, &err));
        assert_ok(tree_digest(b, "/", NULL, NULL, two, &err));
        assert_string_equal(one, two);
        assert_ok(file_write_at(b, "extra", "e", 1, 0600, false, &err));
        assert_ok(tree_digest(b, "/", NULL, NULL, two, &err));
        assert_string_not_equal(one, two);
        assert_ok(tree_digest(b, "/", leave_out, extra, two, &err));
        assert_string_equal(one, two);
        static const struct {
                const char *path;
                int mode;
        } changes[] = { { "zeta", 0600 }, { "dir", 0711 } };
        for (size_t i = 0; i < ELEMENTS(changes); i++) {
                assert_int_equal(fchmodat(b, changes[i].path, (mode_t)changes[i].mode, 0), 0);
                assert_ok(tree_digest(b, "/", leave_out, extra, two, &err));
                assert_string_not_equal(one, two);
                memcpy(one, two, sizeof(one));
        }
        assert_ok(file_write_at(b, "zeta", "y", 1, 0600, false, &err));
        assert_ok(tree_digest(b, "/", leave_out, extra, two, &err));
        assert_string_not_equal(one, two);
        close(a);
        close(b);
}

/* In a mount namespace of its own: a tmpfs and a bound file below the tree. */
static void test_what_is_mounted_is_left_out(void **state)
{
        const char *path = sandbox();
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) {
                char *names, target[200];
                if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                        _exit(77);
                /* Opened here: a descriptor from outside would see the tree without what is mounted on it. */
                int fd = open(path, O_RDONLY | O_DIRECTORY);
                fill(fd);
                snprintf(target, sizeof(target), "%s/dir/empty", path);
                if (mount("tmpfs", target, "tmpfs", 0, NULL) < 0)
                        _exit(77);
                int in = openat(fd, "dir/empty/inside", O_CREAT | O_WRONLY, 0600);
                snprintf(target, sizeof(target), "%s/zeta", path);
                if (in < 0 || mount("/etc/hostname", target, NULL, MS_BIND, NULL) < 0)
                        _exit(77);
                int tar = archive_of(&(struct tree_write){ .root_fd = fd, .path = "/", .one_file_system = true });
                names = list_of(tar);
                _exit(!str_eq(names, "dir/\ndir/empty/\ndir/fifo\ndir/file\ndir/hard\ndir/link\n"));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                skip();
        assert_int_equal(status, 0);
}

/* --- a container that swaps a directory for a link while something is unpacked into it --- */

struct swapper {
        int fd;
        atomic_bool stop;
};

static void *swap(void *data)
{
        struct swapper *w = data;
        while (!atomic_load(&w->stop)) {
                renameat(w->fd, "dir", w->fd, "aside");
                renameat(w->fd, "link", w->fd, "dir");
                renameat(w->fd, "dir", w->fd, "link");
                renameat(w->fd, "aside", w->fd, "dir");
        }
        return NULL;
}

static void test_swapped_while_unpacking(void **state)
{
        const char *outside = sandbox();
        struct swapper w = { .fd = box() };
        pthread_t thread;
        assert_int_equal(mkdirat(w.fd, "dir", 0755), 0);
        assert_int_equal(symlinkat(outside, w.fd, "link"), 0);
        struct tar *t = tar_new();
        for (int i = 0; i < 200; i++) {
                char name[40];
                snprintf(name, sizeof(name), "dir/d%d/file", i);
                tar_add(t, 'f', name, "x", 0600);
        }
        int tar = memory_tar(t);
        assert_int_equal(pthread_create(&thread, NULL, swap, &w), 0);
        for (int i = 0; i < 30; i++) {
                assert_int_equal(lseek(tar, 0, SEEK_SET), 0);
                /* It may well fail; it may not follow. */
                if (tree_from_tar(&(struct tree_read){ .root_fd = w.fd, .path = "/", .compression = COMPRESSION_NONE },
                                  tar, &err) < 0)
                        err_clear(&err);
        }
        atomic_store(&w.stop, true);
        pthread_join(thread, NULL);
        int fd = open(outside, O_RDONLY | O_DIRECTORY);
        char *text = tree_text(fd, false);
        assert_string_equal(text, "");
        free(text);
        close(fd);
        close(tar);
        close(w.fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, sandbox_setup, sandbox_teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_there_and_back),
                T(test_names_in_the_archive),
                T(test_links_at_the_top),
                T(test_unpack_into_a_live_tree),
                T(test_refusals),
                T(test_xz_and_what_is_an_archive),
                T(test_copy),
                T(test_digest),
                T(test_what_is_mounted_is_left_out),
                T(test_swapped_while_unpacking),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

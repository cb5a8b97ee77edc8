/* The contract of snapshot drivers: every test here runs against each of them. */
#include "harness.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/file.h"
#include "base/str.h"

static const char *driver;
static const char *root;

static struct snapshots *open_driver(void)
{
        struct snapshots *s = NULL;
        root = sandbox();
        if (snapshots_open(root, driver, &s, &err) < 0) {
                if (err.kind != ERR_UNSUPPORTED)
                        fail_msg("%s", err.msg);
                print_message("%s\n", err.msg);
                skip();
        }
        assert_string_equal(snapshots_driver(s), driver);
        return s;
}

/* The tree that the layers make together. */
static char *see(struct snapshots *s, char *const *chain, bool with_times)
{
        int fd = chain_open(s, chain);
        char *text = tree_text(fd, with_times);
        close(fd);
        return text;
}

static bool has(const char *text, const char *line)
{
        if (strstr(text, line))
                return true;
        print_message("no '%s' in:\n%s", line, text);
        return false;
}

static char **chain_add(char **chain, char *id)
{
        strv_push_take(&chain, id);
        return chain;
}
#define TOP(chain) ((chain)[strv_len(chain) - 1])

static void test_all_kinds_of_entries(void **state)
{
        struct snapshots *s = open_driver();
        struct tar *t = tar_new();
        tar_add(t, 'd', "./", NULL, 0755);
        tar_add(t, 'd', "./dir/", NULL, 01777);
        tar_add(t, 'f', "dir/file", "hello", 0640);
        tar_add(t, 'l', "dir/link", "../elsewhere", 0777);
        tar_add(t, 'h', "dir/hard", "dir/file", 0640);
        tar_add(t, 'p', "dir/fifo", NULL, 0600);
        tar_add(t, 'c', "dir/chr", NULL, 0620);
        tar_add(t, 'b', "dir/blk", NULL, 0660);
        tar_item(t, &(struct tar_item){ .type = 'f',
                                        .name = "suid",
                                        .text = "s",
                                        .mode = 06755,
                                        .uid = 1234567,
                                        .gid = 4000000,
                                        .mtime = 5,
                                        .mtime_ns = 123456789 });
        tar_item(t, &(struct tar_item){ .type = 'f', .name = "old", .text = "o", .mode = 0600, .mtime = -100 });
        tar_item(t, &(struct tar_item){ .type = 'd', .name = "sgid", .mode = 02775, .uid = 7, .gid = 8, .mtime = 77 });
        tar_item(t, &(struct tar_item){ .type = 'f', .name = "sgid/in", .text = "", .mode = 0644, .mtime = 78 });
        tar_item(t, &(struct tar_item){ .type = 'f',
                                        .name = "attr",
                                        .text = "a",
                                        .mode = 0644,
                                        .xattr = "user.colour",
                                        .value = "red" });
        tar_item(t, &(struct tar_item){ .type = 'f',
                                        .name = "cap",
                                        .text = "c",
                                        .mode = 0755,
                                        .uid = 5,
                                        .xattr = "security.capability",
                                        .value = "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                                        .value_len = 20 });
        char **chain = chain_add(NULL, layer_put(s, NULL, t));
        char *text = see(s, chain, true);
        assert_true(has(text, "/dir 41777 0:0 1000000000.000000000\n"));
        assert_true(has(text, "/dir/file 100640 0:0 1000000000.000000000 links=2 5 "));
        assert_true(has(text, "/dir/hard 100640 0:0 1000000000.000000000 links=2 5 "));
        assert_true(has(text, "/dir/link 120777 0:0 1000000000.000000000 links=1 -> ../elsewhere\n"));
        assert_true(has(text, "/dir/fifo 10600 "));
        assert_true(has(text, "/dir/chr 20620 0:0 1000000000.000000000 links=1 7,8\n"));
        assert_true(has(text, "/dir/blk 60660 0:0 1000000000.000000000 links=1 7,8\n"));
        assert_true(has(text, "/suid 106755 1234567:4000000 5.123456789 "));
        assert_true(has(text, "/old 100600 0:0 -100.000000000 "));
        assert_true(has(text, "/sgid 42775 7:8 77.000000000\n"));
        assert_true(has(text, "/sgid/in 100644 0:0 78.000000000 "));
        assert_true(has(text, "user.colour=726564"));
        assert_true(has(text, "/cap 100755 5:0 "));
        assert_true(has(text, "security.capability=0100000200040000"));
        free(text);
        strv_free(chain);
        snapshots_close(s);
}

static void test_layers_stack(void **state)
{
        struct snapshots *s = open_driver();
        struct tar *t = tar_new();
        tar_add(t, 'd', "keep", NULL, 0700);
        tar_add(t, 'f', "keep/a", "a1", 0600);
        tar_add(t, 'f', "gone", "x", 0600);
        tar_add(t, 'd', "tree", NULL, 0755);
        tar_add(t, 'f', "tree/x", "x", 0600);
        tar_add(t, 'd', "opaque", NULL, 0755);
        tar_add(t, 'f', "opaque/below", "x", 0600);
        tar_add(t, 'f', "was-file", "x", 0600);
        tar_add(t, 'd', "was-dir", NULL, 0755);
        tar_add(t, 'f', "was-dir/x", "x", 0600);
        char **chain = chain_add(NULL, layer_put(s, NULL, t));
        t = tar_new();
        tar_add(t, 'f', "keep/b", "b2", 0600); /* keep/ is not named: it must stay 0700 */
        tar_add(t, 'f', ".wh.gone", "", 0);
        tar_add(t, 'f', ".wh.tree", "", 0);
        tar_add(t, 'd', "opaque", NULL, 0755);
        tar_add(t, 'f', "opaque/.wh..wh..opq", "", 0);
        tar_add(t, 'f', "opaque/above", "x", 0600);
        tar_add(t, 'd', "was-file", NULL, 0711);
        tar_add(t, 'f', "was-file/in", "x", 0600);
        tar_add(t, 'f', "was-dir", "now a file", 0600);
        chain = chain_add(chain, layer_put(s, TOP(chain), t));
        char *text = see(s, chain, true);
        assert_true(has(text, "/keep 40700 0:0 1000000000.0"));
        assert_true(has(text, "/keep/a "));
        assert_true(has(text, "/keep/b "));
        assert_null(strstr(text, "/gone"));
        assert_null(strstr(text, "/tree"));
        assert_null(strstr(text, "/opaque/below"));
        assert_true(has(text, "/opaque/above"));
        assert_true(has(text, "/was-file 40711 "));
        assert_true(has(text, "/was-file/in "));
        assert_true(has(text, "/was-dir 100600 "));
        assert_null(strstr(text, "/was-dir/x"));
        assert_null(strstr(text, ".wh."));
        free(text);
        t = tar_new();
        tar_add(t, 'd', "tree", NULL, 0755);
        tar_add(t, 'f', "tree/new", "n", 0600);
        chain = chain_add(chain, layer_put(s, TOP(chain), t));
        text = see(s, chain, false);
        assert_true(has(text, "/tree/new"));
        assert_null(strstr(text, "/tree/x"));
        free(text);
        strv_free(chain);
        snapshots_close(s);
}

static void test_whiteout_and_name_in_one_layer(void **state)
{
        struct snapshots *s = open_driver();
        struct tar *t = tar_new();
        static const char *const names[] = { "a", "b", "c", "d" };
        for (size_t i = 0; i < 4; i++) {
                char name[20];
                tar_add(t, 'd', names[i], NULL, 0755);
                snprintf(name, sizeof(name), "%s/old", names[i]);
                tar_add(t, 'f', name, "x", 0600);
        }
        char **chain = chain_add(NULL, layer_put(s, NULL, t));
        t = tar_new();
        tar_add(t, 'f', ".wh.a", "", 0); /* the whiteout first, then a directory */
        tar_add(t, 'd', "a", NULL, 0755);
        tar_add(t, 'f', "a/new", "x", 0600);
        tar_add(t, 'd', "b", NULL, 0755); /* the directory first */
        tar_add(t, 'f', "b/new", "x", 0600);
        tar_add(t, 'f', ".wh.b", "", 0);
        tar_add(t, 'f', ".wh.c", "", 0); /* a file in place of the directory */
        tar_add(t, 'f', "c", "file", 0600);
        tar_add(t, 'f', ".wh.d", "", 0); /* an entry below, the directory not named */
        tar_add(t, 'f', "d/new", "x", 0600);
        chain = chain_add(chain, layer_put(s, TOP(chain), t));
        char *text = see(s, chain, false);
        assert_true(has(text, "/a/new"));
        assert_true(has(text, "/b/new"));
        assert_true(has(text, "/c 100600"));
        assert_true(has(text, "/d/new"));
        assert_null(strstr(text, "/old"));
        free(text);
        strv_free(chain);
        snapshots_close(s);
}

static void test_hard_link_to_a_lower_layer(void **state)
{
        struct snapshots *s = open_driver();
        struct tar *t = tar_new();
        tar_add(t, 'd', "d", NULL, 0710);
        tar_item(t, &(struct tar_item){ .type = 'f',
                                        .name = "d/low",
                                        .text = "low",
                                        .mode = 0641,
                                        .uid = 3,
                                        .mtime = 4,
                                        .xattr = "user.x",
                                        .value = "y" });
        char **chain = chain_add(NULL, layer_put(s, NULL, t));
        t = tar_new();
        tar_add(t, 'h', "up", "d/low", 0600);
        tar_add(t, 'h', "up2", "/d/low", 0600);
        chain = chain_add(chain, layer_put(s, TOP(chain), t));
        char *text = see(s, chain, true);
        assert_true(has(text, "/up 100641 3:0 4.000000000 links=3 3 "));
        assert_true(has(text, "/up2 100641 3:0 4.000000000 links=3 3 "));
        assert_true(has(text, "/d/low 100641 3:0 4.000000000 links=3 3 "));
        assert_true(has(text, "user.x=79"));
        assert_true(has(text, "/d 40710 0:0 1000000000.0"));
        free(text);
        strv_free(chain);
        /* ... and one to nothing */
        struct layer_staging *l = NULL;
        char diff_id[DIGEST_SIZE];
        uint64_t size;
        t = tar_new();
        tar_add(t, 'h', "up", "missing", 0600);
        tar_end(t);
        int fd = memory_file(t->bytes, t->len);
        assert_ok(layer_begin(s, NULL, &l, &err));
        assert_ok(layer_unpack_fd(l, fd, COMPRESSION_NONE, NULL, NULL, diff_id, &size, &err));
        assert_err(layer_commit(l, diff_id, size, &err), ERR_CORRUPT);
        layer_abort(l);
        assert_false(layer_exists(s, diff_id));
        close(fd);
        tar_free(t);
        snapshots_close(s);
}

static void test_entries_replace_earlier_ones(void **state)
{
        struct snapshots *s = open_driver();
        struct tar *t = tar_new();
        tar_add(t, 'f', "x", "file", 0600);
        tar_add(t, 'd', "x", NULL, 0755);
        tar_add(t, 'f', "x/in", "in", 0600);
        tar_add(t, 'd', "y/z", NULL, 0755);
        tar_add(t, 'f', "y/z/deep", "in", 0600);
        tar_add(t, 'l', "y", "x", 0777);
        tar_add(t, 'f', "y/through", "t", 0600); /* goes to x/through */
        tar_add(t, 'f', "twice", "first", 0600);
        tar_add(t, 'f', "twice", "second", 0644);
        tar_add(t, 'd', "again", NULL, 0700);
        tar_add(t, 'f', "again/kept", "k", 0600);
        tar_add(t, 'd', "again", NULL, 0711);
        char **chain = chain_add(NULL, layer_put(s, NULL, t));
        char *text = see(s, chain, false);
        assert_true(has(text, "/x/in "));
        assert_true(has(text, "/y 120777 0:0 links=1 -> x\n"));
        assert_true(has(text, "/x/through "));
        assert_null(strstr(text, "deep"));
        assert_true(has(text, "/twice 100644 0:0 links=1 6 "));
        assert_true(has(text, "/again 40711 "));
        assert_true(has(text, "/again/kept "));
        free(text);
        strv_free(chain);
        snapshots_close(s);
}

static void test_commit_twice_and_without_parent(void **state)
{
        struct snapshots *s = open_driver();
        struct tar *t = tar_new(), *u = tar_new();
        tar_add(t, 'f', "a", "1", 0600);
        tar_add(u, 'f', "a", "1", 0600);
        char *one = layer_put(s, NULL, t), *two = layer_put(s, NULL, u);
        uint64_t size = 0;
        assert_string_equal(one, two);
        assert_true(layer_exists(s, one));
        assert_ok(layer_size(s, one, &size, &err));
        assert_int_equal(size, 1);
        struct layer_staging *l = NULL;
        char missing[DIGEST_SIZE], other[DIGEST_SIZE];
        digest_of("m", 1, missing);
        digest_of("o", 1, other);
        assert_ok(layer_begin(s, missing, &l, &err));
        assert_err(layer_commit(l, other, 0, &err), ERR_NOT_FOUND);
        layer_abort(l);
        assert_false(layer_exists(s, other));
        assert_err(layer_begin(s, "sha256:nonsense", &l, &err), ERR_INVALID);
        assert_ok(layer_remove(s, one, &err));
        assert_err(layer_remove(s, one, &err), ERR_NOT_FOUND);
        assert_false(layer_exists(s, one));
        free(one);
        free(two);
        snapshots_close(s);
}

static void test_many_layers(void **state)
{
        struct snapshots *s = open_driver();
        char **chain = NULL;
        int count = str_eq(driver, "vfs") ? 20 : 90;
        for (int i = 0; i < count; i++) {
                char name[20];
                struct tar *t = tar_new();
                snprintf(name, sizeof(name), "f%d", i);
                tar_add(t, 'f', name, "x", 0600);
                chain = chain_add(chain, layer_put(s, i ? TOP(chain) : NULL, t));
        }
        for (int round = 0; round < 2; round++) {
                int fd = chain_open(s, chain);
                for (int i = 0; i < count; i++) {
                        char name[20];
                        snprintf(name, sizeof(name), "f%d", i);
                        assert_true(there(fd, name));
                }
                close(fd);
        }
        strv_free(chain);
        snapshots_close(s);
}

static int count_name(void *data, const char *id, struct err *e)
{
        ++*(int *)data;
        return 0;
}

static int staged(void)
{
        char *path = xasprintf("%s/%s/staging", root, driver);
        int fd = open(path, O_RDONLY | O_DIRECTORY);
        assert_true(fd >= 0);
        char *text = tree_text(fd, false);
        int lines = 0;
        for (char *p = text; *p; p++)
                lines += *p == '\n';
        free(text);
        free(path);
        close(fd);
        return lines;
}

static void test_killed_unpack_leaves_nothing_visible(void **state)
{
        struct snapshots *s = open_driver();
        struct tar *t = tar_new();
        int ready[2], status = 0, count = 0;
        unsigned removed = 0;
        static char big[300000];
        memset(big, 'z', sizeof(big));
        for (int i = 0; i < 20; i++) {
                char name[20];
                snprintf(name, sizeof(name), "f%d", i);
                tar_item(t, &(struct tar_item){
                                    .type = 'f', .name = name, .text = big, .text_len = sizeof(big), .mode = 0600 });
        }
        tar_end(t);
        assert_int_equal(pipe(ready), 0);
        pid_t pid = fork();
        if (pid == 0) {
                struct err e = ERR_INIT;
                struct layer_staging *l = NULL;
                struct layer_unpack *u = NULL;
                if (layer_begin(s, NULL, &l, &e) < 0 ||
                    layer_unpack_begin(l, COMPRESSION_NONE, NULL, NULL, &u, &e) < 0 ||
                    layer_unpack_write(u, t->bytes, t->len - 1000000, &e) < 0)
                        _exit(1);
                if (write(ready[1], "x", 1) != 1)
                        _exit(2);
                for (;;)
                        pause();
        }
        char c;
        assert_int_equal(read(ready[0], &c, 1), 1);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_ok(layers_walk(s, count_name, &count, &err));
        assert_int_equal(count, 0);
        assert_true(staged() > 0);
        struct storage *st = NULL;
        assert_ok(storage_open(root, NULL, &st, &err));
        assert_string_equal(snapshots_driver(st->snapshots), driver);
        /* A staging somebody works on is left alone however thorough the sweep. */
        struct layer_staging *busy = NULL;
        assert_ok(layer_begin(s, NULL, &busy, &err));
        assert_ok(storage_sweep(st, true, &removed, &err));
        assert_int_equal(removed, 1);
        assert_int_equal(staged(), str_eq(driver, "erofs") ? 1 : 2); /* with its diff/, where there is one */
        layer_abort(busy);
        assert_int_equal(staged(), 0);
        storage_close(st);
        tar_free(t);
        close(ready[0]);
        close(ready[1]);
        snapshots_close(s);
}

static void test_parallel_commits_of_one_layer(void **state)
{
        struct snapshots *s = open_driver();
        struct tar *t = tar_new();
        for (int i = 0; i < 200; i++) {
                char name[20];
                snprintf(name, sizeof(name), "d%d/f", i);
                tar_add(t, 'f', name, "content", 0600);
        }
        tar_end(t);
        pid_t pids[8];
        for (int i = 0; i < 8; i++) {
                pids[i] = fork();
                if (pids[i] == 0) {
                        struct err e = ERR_INIT;
                        struct layer_staging *l = NULL;
                        char id[DIGEST_SIZE];
                        uint64_t size;
                        int fd = memory_file(t->bytes, t->len);
                        if (layer_begin(s, NULL, &l, &e) < 0 ||
                            layer_unpack_fd(l, fd, COMPRESSION_NONE, NULL, NULL, id, &size, &e) < 0 ||
                            layer_commit(l, id, size, &e) < 0)
                                _exit(1);
                        layer_abort(l);
                        _exit(0);
                }
        }
        for (int i = 0; i < 8; i++) {
                int status = 0;
                assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
                assert_int_equal(status, 0);
        }
        int count = 0;
        assert_ok(layers_walk(s, count_name, &count, &err));
        assert_int_equal(count, 1);
        assert_int_equal(staged(), 0);
        tar_free(t);
        snapshots_close(s);
}

static void test_roots(void **state)
{
        struct snapshots *s = open_driver();
        struct tar *t = tar_new();
        int count = 0;
        uint64_t bytes = 0;
        tar_add(t, 'd', "./", NULL, 0711);
        tar_add(t, 'f', "a", "1", 0600);
        char **chain = chain_add(NULL, layer_put(s, NULL, t));
        assert_ok(root_create(s, "one", chain, &err));
        assert_err(root_create(s, "one", chain, &err), ERR_CONFLICT);
        assert_err(root_create(s, "../one", chain, &err), ERR_INVALID);
        assert_true(root_exists(s, "one"));
        assert_false(root_exists(s, "two"));
        int fd = root_open(s, "one", true, &err);
        assert_ok(fd);
        struct stat st;
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0711);
        assert_ok(file_write_at(fd, "b", "new", 3, 0600, false, &err));
        close(fd);
        fd = root_open(s, "one", false, &err);
        assert_ok(fd);
        char *a = file_text(fd, "a"), *b = file_text(fd, "b");
        assert_string_equal(a, "1");
        assert_string_equal(b, "new");
        close(fd);
        struct oci_mount m = { 0 };
        assert_ok(root_mount(s, "one", true, &m, &err));
        assert_non_null(m.type);
        assert_non_null(m.options);
        oci_mount_done(&m);
        assert_ok(root_usage(s, "one", &bytes, &err));
        assert_true(bytes >= 4096);
        assert_ok(root_create(s, "scratch", NULL, &err));
        fd = root_open(s, "scratch", true, &err);
        assert_ok(fd);
        assert_ok(file_write_at(fd, "b", "new", 3, 0600, false, &err));
        close(fd);
        assert_ok(roots_walk(s, count_name, &count, &err));
        assert_int_equal(count, 2);
        assert_ok(root_remove(s, "one", &err));
        assert_ok(root_remove(s, "scratch", &err));
        assert_err(root_remove(s, "one", &err), ERR_NOT_FOUND);
        assert_err(root_open(s, "one", false, &err), ERR_NOT_FOUND);
        char missing[DIGEST_SIZE];
        digest_of("m", 1, missing);
        char *bad[] = { missing, NULL };
        assert_err(root_create(s, "two", bad, &err), ERR_NOT_FOUND);
        assert_false(root_exists(s, "two"));
        free(a);
        free(b);
        strv_free(chain);
        snapshots_close(s);
}

static void test_root_of_a_killed_maker(void **state)
{
        struct snapshots *s = open_driver();
        char *path = xasprintf("%s/%s/roots/half", root, driver);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_false(root_exists(s, "half"));
        assert_ok(root_create(s, "half", NULL, &err));
        assert_true(root_exists(s, "half"));
        free(path);
        snapshots_close(s);
}

static int change_text(void *data, char kind, const char *path, struct err *e)
{
        return buf_addf(data, e, "%c %s\n", kind, path);
}

static char **base_chain(struct snapshots *s)
{
        struct tar *t = tar_new();
        tar_add(t, 'd', "etc", NULL, 0755);
        tar_add(t, 'f', "etc/passwd", "root", 0644);
        tar_add(t, 'f', "etc/same", "same", 0644);
        tar_add(t, 'f', "etc/mode", "m", 0644);
        tar_add(t, 'd', "gone", NULL, 0755);
        tar_add(t, 'f', "gone/x", "x", 0644);
        tar_add(t, 'd', "swap", NULL, 0755);
        tar_add(t, 'f', "swap/one", "1", 0644);
        tar_add(t, 'f', "swap/two", "2", 0644);
        tar_add(t, 'd', "quiet", NULL, 0755);
        tar_add(t, 'f', "type", "file", 0644);
        tar_add(t, 'f', "rm", "file", 0644);
        char **chain = chain_add(NULL, layer_put(s, NULL, t));
        t = tar_new();
        tar_add(t, 'f', "swap/three", "3", 0644);
        tar_add(t, 'f', "etc/.wh.nothing", "", 0);
        chain = chain_add(chain, layer_put(s, TOP(chain), t));
        return chain;
}

/* What a container might do. */
static void change_things(int fd)
{
        struct err *e = &err;
        const struct timespec at[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
        assert_ok(file_write_at(fd, "etc/passwd", "root\nuser", 9, 0644, false, e));
        assert_int_equal(fchmodat(fd, "etc/mode", 0600, 0), 0);
        assert_int_equal(fchmodat(fd, "etc/same", 0600, 0), 0); /* copied up and then as before */
        assert_int_equal(fchmodat(fd, "etc/same", 0644, 0), 0);
        assert_ok(tree_remove_at(fd, "gone", e));
        assert_ok(tree_remove_at(fd, "swap", e)); /* opaque */
        assert_int_equal(mkdirat(fd, "swap", 0755), 0);
        assert_ok(file_write_at(fd, "swap/one", "1", 1, 0644, false, e));
        assert_int_equal(utimensat(fd, "swap/one", at, 0), 0);
        assert_ok(file_write_at(fd, "swap/four", "4", 1, 0644, false, e));
        assert_ok(file_write_at(fd, "quiet/temp", "4", 1, 0644, false, e));
        assert_int_equal(unlinkat(fd, "quiet/temp", 0), 0);
        assert_int_equal(unlinkat(fd, "type", 0), 0);
        assert_int_equal(mkdirat(fd, "type", 0755), 0);
        assert_ok(file_write_at(fd, "type/in", "4", 1, 0644, false, e));
        assert_int_equal(unlinkat(fd, "rm", 0), 0);
        assert_int_equal(mkdirat(fd, "new", 0750), 0);
        assert_ok(file_write_at(fd, "new/f", "data", 4, 04755, false, e));
        assert_int_equal(linkat(fd, "new/f", fd, "new/g", 0), 0);
        assert_int_equal(symlinkat("f", fd, "new/l"), 0);
        assert_int_equal(mknodat(fd, "new/p", S_IFIFO | 0600, 0), 0);
        assert_int_equal(fchownat(fd, "new/f", 12, 13, 0), 0);
        assert_int_equal(fchmodat(fd, "new/f", 04755, 0), 0);
        assert_ok(file_write_at(fd, "new-dash", "d", 1, 0644, false, e));
        assert_int_equal(mkdirat(fd, "\xc3\xa9\xff", 0755), 0); /* half UTF-8, half not */
        int f = openat(fd, "new-dash", O_WRONLY);
        assert_int_equal(fsetxattr(f, "user.k", "v", 1, 0), 0);
        close(f);
}

static void test_changes(void **state)
{
        struct snapshots *s = open_driver();
        struct buf text = BUF_INIT(1 << 20);
        char **chain = base_chain(s);
        assert_ok(root_create(s, "c", chain, &err));
        assert_ok(root_changes(s, "c", change_text, &text, &err));
        assert_int_equal(text.len, 0);
        int fd = root_open(s, "c", true, &err);
        assert_ok(fd);
        change_things(fd);
        close(fd);
        assert_ok(root_changes(s, "c", change_text, &text, &err));
        assert_string_equal(
                text.data,
                "C /etc\nC /etc/mode\nC /etc/passwd\nD /gone\nA /new\nA /new-dash\nA /new/f\nA /new/g\nA /new/l\n"
                "A /new/p\nD /rm\nC /swap\nA /swap/four\nD /swap/three\nD /swap/two\nC /type\nA /type/in\nA "
                "/\xc3\xa9\xff\n");
        buf_done(&text);
        strv_free(chain);
        snapshots_close(s);
}

static char *diff_bytes(struct snapshots *s, const char *id, size_t *ret_len)
{
        char name[] = "/var/tmp/tare-unit-diff-XXXXXX";
        int fd = mkstemp(name);
        unlink(name);
        assert_ok(root_diff_tar(s, id, fd, &err));
        *ret_len = (size_t)lseek(fd, 0, SEEK_END);
        char *bytes = xmalloc(*ret_len);
        assert_int_equal(pread(fd, bytes, *ret_len, 0), *ret_len);
        close(fd);
        return bytes;
}

static void test_layer_of_a_root_makes_the_same_tree(void **state)
{
        struct snapshots *s = open_driver();
        struct blobs *b = NULL;
        struct layer_made made, again;
        char *top = NULL, *top_again = NULL;
        bool empty = false;
        char **chain = base_chain(s);
        assert_ok(blobs_open(root, &b, &err));
        assert_ok(root_create(s, "c", chain, &err));
        assert_ok(layer_from_root(b, s, "c", TOP(chain), -1, &made, &top, &empty, &err));
        assert_true(empty);
        int fd = root_open(s, "c", true, &err);
        assert_ok(fd);
        change_things(fd);
        close(fd);
        fd = root_open(s, "c", false, &err);
        char *wanted = tree_text(fd, true);
        close(fd);
        assert_ok(layer_from_root(b, s, "c", TOP(chain), -1, &made, &top, &empty, &err));
        assert_false(empty);
        assert_true(layer_exists(s, top));
        assert_true(blob_exists(b, made.digest, NULL));
        assert_ok(layer_from_root(b, s, "c", TOP(chain), -1, &again, &top_again, &empty, &err));
        assert_string_equal(made.digest, again.digest);
        assert_string_equal(made.diff_id, again.diff_id);
        assert_string_equal(top, top_again);
        /* The plain tar has the digest that was promised. */
        size_t len;
        char digest[DIGEST_SIZE], *bytes = diff_bytes(s, "c", &len);
        digest_of(bytes, len, digest);
        assert_string_equal(digest, made.diff_id);
        free(bytes);
        strv_push(&chain, top);
        char *got = see(s, chain, true);
        /* A directory where a file came and went keeps its old time in the layer, as docker has it. */
        char *q1 = strstr(wanted, "/quiet "), *q2 = strstr(got, "/quiet ");
        assert_non_null(q1);
        assert_non_null(q2);
        memmove(q1, strchr(q1, '\n'), strlen(strchr(q1, '\n')) + 1);
        memmove(q2, strchr(q2, '\n'), strlen(strchr(q2, '\n')) + 1);
        assert_string_equal(got, wanted);
        free(got);
        /* The same again from the blob, as another machine would have it. */
        struct descriptor d = { .media_type = xstrdup(made.media_type), .digest = xstrdup(made.digest) };
        assert_ok(layer_remove(s, top, &err));
        assert_ok(layer_ensure(b, s, chain[1], top, &d, made.diff_id, &err));
        got = see(s, chain, true);
        q2 = strstr(got, "/quiet ");
        memmove(q2, strchr(q2, '\n'), strlen(strchr(q2, '\n')) + 1);
        assert_string_equal(got, wanted);
        assert_ok(layer_ensure(b, s, chain[1], top, &d, made.diff_id, &err));
        descriptor_done(&d);
        free(got);
        free(wanted);
        free(top);
        free(top_again);
        strv_free(chain);
        blobs_close(b);
        snapshots_close(s);
}

static void test_clamp(void **state)
{
        struct snapshots *s = open_driver();
        struct blobs *b = NULL;
        struct layer_made one, two;
        char *top = NULL;
        bool empty = false;
        assert_ok(blobs_open(root, &b, &err));
        for (int i = 0; i < 2; i++) {
                assert_ok(root_create(s, i ? "c1" : "c0", NULL, &err));
                int fd = root_open(s, i ? "c1" : "c0", true, &err);
                assert_ok(fd);
                assert_ok(file_write_at(fd, "f", "x", 1, 0644, false, &err));
                close(fd);
                free(top);
                top = NULL;
                assert_ok(layer_from_root(b, s, i ? "c1" : "c0", NULL, 12345, i ? &two : &one, &top, &empty, &err));
        }
        assert_string_equal(one.digest, two.digest);
        char *chain[] = { top, NULL }, *text = see(s, chain, true);
        assert_true(has(text, "/f 100644 0:0 12345.000000000 "));
        free(text);
        free(top);
        blobs_close(b);
        snapshots_close(s);
}

static void test_import(void **state)
{
        struct snapshots *s = open_driver();
        struct blobs *b = NULL;
        struct layer_staging *l = NULL;
        struct layer_made made;
        struct tar *t = tar_new();
        char digest[DIGEST_SIZE];
        assert_ok(blobs_open(root, &b, &err));
        tar_add(t, 'f', "etc/hostname", "box", 0644);
        tar_end(t);
        int fd = memory_file(t->bytes, t->len);
        assert_ok(layer_begin(s, NULL, &l, &err));
        assert_ok(layer_import_fd(b, l, fd, NULL, &made, &err));
        assert_ok(layer_commit(l, made.diff_id, made.unpacked_size, &err));
        layer_abort(l);
        close(fd);
        digest_of(t->bytes, t->len, digest);
        assert_string_equal(made.diff_id, digest);
        assert_true(blob_exists(b, made.digest, NULL));
        char *chain[] = { digest, NULL }, *text = see(s, chain, false);
        assert_true(has(text, "/etc/hostname 100644 "));
        free(text);
        tar_free(t);
        blobs_close(b);
        snapshots_close(s);
}

static void test_volatile_root_is_mounted_again(void **state)
{
        struct snapshots *s = open_driver();
        if (str_eq(driver, "vfs")) {
                snapshots_close(s);
                skip();
        }
        struct oci_mount m = { 0 };
        assert_ok(root_create(s, "v", NULL, &err));
        /* What the kernel leaves after a volatile mount. */
        char *marker = xasprintf("%s/%s/roots/v/work/work/incompat", root, driver);
        struct err e = ERR_INIT;
        int fd = root_open(s, "v", true, &err);
        assert_ok(fd);
        close(fd);
        assert_int_equal(mkdir(marker, 0700), 0);
        char *vol = xasprintf("%s/volatile", marker);
        assert_int_equal(mkdir(vol, 0700), 0);
        assert_ok(root_mount(s, "v", false, &m, &err));
        oci_mount_done(&m);
        assert_int_equal(access(vol, F_OK), -1);
        /* Of an earlier boot: the machine went down while it was in use. */
        assert_int_equal(mkdir(vol, 0700), 0);
        char *chain = xasprintf("%s/%s/roots/v/chain", root, driver);
        assert_ok(file_write_at(AT_FDCWD, chain, "boot 00000000-0000-0000-0000-000000000000\n", 42, 0600, false, &e));
        assert_err(root_mount(s, "v", true, &m, &err), ERR_CORRUPT);
        free(chain);
        free(vol);
        free(marker);
        snapshots_close(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, sandbox_setup, sandbox_teardown)
int main(void)
{
        static const char *const drivers[] = { "overlay", "vfs", "erofs" };
        const struct CMUnitTest tests[] = {
                T(test_all_kinds_of_entries),
                T(test_layers_stack),
                T(test_whiteout_and_name_in_one_layer),
                T(test_hard_link_to_a_lower_layer),
                T(test_entries_replace_earlier_ones),
                T(test_commit_twice_and_without_parent),
                T(test_killed_unpack_leaves_nothing_visible),
                T(test_parallel_commits_of_one_layer),
                T(test_roots),
                T(test_root_of_a_killed_maker),
                T(test_changes),
                T(test_many_layers),
                T(test_layer_of_a_root_makes_the_same_tree),
                T(test_clamp),
                T(test_import),
                T(test_volatile_root_is_mounted_again),
        };
        int failed = 0;
        for (size_t i = 0; i < ELEMENTS(drivers); i++) {
                driver = drivers[i];
                print_message("--- %s\n", driver);
                failed += cmocka_run_group_tests_name(driver, tests, NULL, NULL);
        }
        return failed;
}

/* Layers that are published before they are on disk: what a power cut, a killed settler and others at the same work leave. Every test runs
 * against each driver. */
#include "harness.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "base/fd.h"
#include "base/str.h"
#include "storage/settle-internal.h"

#define FOREIGN "00000000-0000-0000-0000-000000000000\n"

static const char *driver;
static const char *root;

static struct storage *open_store(const char *where)
{
        struct storage *st = NULL;
        root = where;
        if (storage_open(root, driver, &st, &err) < 0) {
                if (err.kind != ERR_UNSUPPORTED)
                        fail_msg("%s", err.msg);
                print_message("%s\n", err.msg);
                skip();
        }
        return st;
}

static struct storage *reopen(struct storage *st)
{
        storage_close(st);
        return open_store(root);
}

static struct tar *content(const char *text)
{
        struct tar *t = tar_new();
        tar_add(t, 'd', "dir/", NULL, 0755);
        tar_add(t, 'f', "dir/file", text, 0644);
        tar_end(t);
        return t;
}

/* A layer as import makes it: its blob first, then itself. */
static char *derived_put(struct storage *st, const char *text, struct layer_made *ret)
{
        struct layer_staging *l = NULL;
        struct layer_made made;
        struct tar *t = content(text);
        int fd = memory_file(t->bytes, t->len);
        assert_ok(layer_begin(st->snapshots, NULL, &l, &err));
        layer_derived(l);
        assert_ok(layer_import_fd(st->blobs, l, fd, NULL, &made, &err));
        assert_ok(layer_commit(l, made.diff_id, made.unpacked_size, &err));
        layer_abort(l);
        close(fd);
        tar_free(t);
        if (ret)
                *ret = made;
        return xstrdup(made.diff_id);
}

static char *path_of(const char *chain, const char *folder, const char *rest)
{
        return xasprintf("%s/%s/%s/%s%s", root, driver, folder, digest_hex(chain), rest);
}

static bool entry_there(const char *chain, const char *suffix)
{
        _cleanup_free_ char *path = path_of(chain, "unsettled", suffix);
        return access(path, F_OK) == 0;
}

static bool folder_there(void)
{
        _cleanup_free_ char *path = xasprintf("%s/%s/unsettled", root, driver);
        return access(path, F_OK) == 0;
}

static void text_put(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
        close(fd);
}

static void entry_set(const char *chain, const char *suffix, const char *text)
{
        _cleanup_free_ char *folder = xasprintf("%s/%s/unsettled", root, driver), *path = path_of(chain, "unsettled", suffix);
        mkdir(folder, 0700);
        unlink(path); /* one file may have several names */
        text_put(path, text);
}

static unsigned trash_count(const char *prefix)
{
        _cleanup_free_ char *command = xasprintf("%s/%s/trash", root, driver);
        unsigned count = 0;
        DIR *dir = opendir(command);
        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));)
                count += str_starts(e->d_name, prefix) && e->d_name[0] != '.';
        closedir(dir);
        return count;
}

static bool whole(struct storage *st, char *chain, const char *text)
{
        char *list[] = { chain, NULL };
        int fd = chain_open(st->snapshots, list);
        _cleanup_free_ char *is = file_text(fd, "dir/file");
        close(fd);
        return str_eq(is, text);
}

static void test_an_entry_lives_until_the_sync(void **state)
{
        struct storage *st = open_store(sandbox());
        _cleanup_free_ char *chain = derived_put(st, "one", NULL);
        _cleanup_free_ char *path = path_of(chain, "unsettled", ""), *line = NULL;
        char boot[40];
        assert_ok(boot_id_read(boot, &err));
        assert_ok(file_line_at(AT_FDCWD, path, &line, &err));
        assert_string_equal(line, boot);
        assert_true(snapshots_settle_due(st->snapshots));
        st = reopen(st);
        assert_true(layer_exists(st->snapshots, chain));
        assert_false(snapshots_settle_due(st->snapshots));
        assert_ok(snapshots_settle(st->snapshots, true, &err));
        assert_false(folder_there());
        assert_true(whole(st, chain, "one"));
        assert_ok(snapshots_settle(st->snapshots, false, &err)); /* nothing to do */
        storage_close(st);
}

static void damage(const char *chain)
{
        _cleanup_free_ char *file = path_of(chain, "layers", "/diff/dir/file");
        text_put(file, "");
}

/* What the machine went down with is gone, whatever the entry holds that is not this boot's id, and comes back whole from its blob. */
static void suspect(const char *suffix, const char *text)
{
        struct storage *st = open_store(sandbox());
        struct layer_made made;
        _cleanup_free_ char *chain = derived_put(st, "whole", &made), *other = derived_put(st, "other", NULL);
        _cleanup_free_ char *plain = path_of(chain, "unsettled", "");
        entry_set(chain, suffix, text);
        if (*suffix)
                assert_int_equal(unlink(plain), 0);
        damage(chain);
        st = reopen(st);
        assert_false(layer_exists(st->snapshots, chain));
        assert_false(entry_there(chain, ""));
        assert_false(entry_there(chain, suffix));
        assert_true(layer_exists(st->snapshots, other)); /* of this boot */
        assert_true(entry_there(other, ""));
        assert_int_equal(trash_count(LAYER_SUSPECT), 1);
        struct descriptor blob = { .media_type = (char *)made.media_type, .digest = made.digest, .size = (int64_t)made.size };
        assert_ok(layer_ensure(st->blobs, st->snapshots, NULL, chain, &blob, made.diff_id, &err));
        assert_true(whole(st, chain, "whole"));
        assert_true(entry_there(chain, ""));
        assert_ok(snapshots_settle(st->snapshots, true, &err));
        assert_int_equal(trash_count(""), 0);
        assert_false(folder_there());
        storage_close(st);
}

static void test_a_layer_of_another_boot_is_suspect(void **state)
{
        suspect("", FOREIGN);
}

static void test_so_is_one_whose_entry_was_not_written(void **state)
{
        suspect("", "");
}

static void test_so_is_one_whose_sync_did_not_end(void **state)
{
        suspect(".settling", FOREIGN);
}

static void test_all_are_gone_with_the_folder(void **state)
{
        struct storage *st = open_store(sandbox());
        _cleanup_free_ char *chain = derived_put(st, "one", NULL);
        entry_set(chain, "", FOREIGN);
        st = reopen(st);
        assert_false(folder_there());
        st = reopen(st);
        assert_false(layer_exists(st->snapshots, chain));
        storage_close(st);
}

static void test_names_that_are_no_layers_are_passed_over(void **state)
{
        struct storage *st = open_store(sandbox());
        _cleanup_free_ char *chain = derived_put(st, "one", NULL);
        entry_set("sha256:../../outside", "", FOREIGN);
        entry_set("sha256:short", "", FOREIGN);
        entry_set(chain, ".else", FOREIGN);
        st = reopen(st);
        assert_true(layer_exists(st->snapshots, chain));
        assert_ok(snapshots_settle(st->snapshots, true, &err));
        assert_true(folder_there());
        storage_close(st);
}

/* A settler that was killed has claimed, maybe with both names of one file there. */
static void test_a_killed_settler(void **state)
{
        for (int both = 0; both < 2; both++) {
                struct storage *st = open_store(sandbox());
                _cleanup_free_ char *chain = derived_put(st, "one", NULL);
                _cleanup_free_ char *plain = path_of(chain, "unsettled", ""), *claimed = path_of(chain, "unsettled", ".settling");
                assert_int_equal(both ? link(plain, claimed) : rename(plain, claimed), 0);
                st = reopen(st);
                assert_true(layer_exists(st->snapshots, chain));
                assert_ok(snapshots_settle(st->snapshots, true, &err));
                assert_false(folder_there());
                assert_true(layer_exists(st->snapshots, chain));
                storage_close(st);
        }
}

/* The settler took the first layer's entry along; a layer made after that needs its own. */
static void test_removed_and_made_again_under_a_settler(void **state)
{
        struct storage *st = open_store(sandbox());
        _cleanup_free_ char *chain = derived_put(st, "one", NULL);
        _cleanup_free_ char *plain = path_of(chain, "unsettled", ""), *claimed = path_of(chain, "unsettled", ".settling");
        assert_int_equal(rename(plain, claimed), 0); /* as the settler does before it syncs */
        assert_ok(layer_remove(st->snapshots, chain, &err));
        _cleanup_free_ char *again = derived_put(st, "one", NULL);
        assert_string_equal(chain, again);
        assert_true(entry_there(chain, ""));
        assert_int_equal(unlink(claimed), 0); /* as it does after */
        entry_set(chain, "", FOREIGN);
        st = reopen(st);
        assert_false(layer_exists(st->snapshots, chain));
        storage_close(st);
}

static void test_one_file_for_several(void **state)
{
        struct storage *st = open_store(sandbox());
        struct stat a, b;
        _cleanup_free_ char *have = derived_put(st, "one", NULL);
        assert_ok(snapshots_settle(st->snapshots, true, &err));
        char first[DIGEST_SIZE], second[DIGEST_SIZE];
        digest_of("first", 5, first);
        digest_of("second", 6, second);
        char *list[] = { have, first, second };
        assert_ok(layers_expect(st->snapshots, list, 3, &err));
        assert_false(entry_there(have, ""));
        _cleanup_free_ char *x = path_of(first, "unsettled", ""), *y = path_of(second, "unsettled", "");
        assert_int_equal(stat(x, &a), 0);
        assert_int_equal(stat(y, &b), 0);
        assert_int_equal(a.st_ino, b.st_ino);
        /* They may still come: a settler leaves them, failure and sweeps take them. */
        assert_ok(snapshots_settle(st->snapshots, true, &err));
        assert_true(entry_there(first, ""));
        layers_unexpect(st->snapshots);
        assert_false(folder_there());
        assert_ok(layers_expect(st->snapshots, list, 1, &err));
        assert_false(folder_there());
        assert_ok(layers_expect(st->snapshots, list, 2, &err));
        assert_ok(storage_sweep(st, true, NULL, &err));
        assert_false(folder_there());
        storage_close(st);
}

/* A synced layer owes nothing to an entry of somebody who did not get so far. */
static void test_a_synced_layer_has_no_entry(void **state)
{
        struct storage *st = open_store(sandbox());
        _cleanup_free_ char *chain = layer_put(st->snapshots, NULL, content("one"));
        assert_false(folder_there());
        assert_ok(layer_remove(st->snapshots, chain, &err));
        entry_set(chain, "", FOREIGN);
        entry_set(chain, ".settling", FOREIGN);
        _cleanup_free_ char *again = layer_put(st->snapshots, NULL, content("one"));
        st = reopen(st);
        assert_true(layer_exists(st->snapshots, again));
        storage_close(st);
}

static void test_only_one_settles(void **state)
{
        struct storage *st = open_store(sandbox());
        _cleanup_free_ char *chain = derived_put(st, "one", NULL), *trash = xasprintf("%s/%s/trash", root, driver);
        int fd = open(trash, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(flock(fd, LOCK_EX), 0);
        assert_ok(snapshots_settle(st->snapshots, false, &err));
        assert_true(entry_there(chain, ""));
        close(fd);
        assert_ok(snapshots_settle(st->snapshots, false, &err));
        assert_false(folder_there());
        storage_close(st);
}

/* Settlers, makers and removers of the same layers, each a process of its own: nobody fails, and at the end all is settled. */
static void worker(unsigned which)
{
        struct storage *st = open_store(root);
        static const char *const texts[] = { "a", "b", "c" };
        for (unsigned i = 0; i < 60; i++) {
                struct err gone = ERR_INIT;
                struct layer_made made;
                _cleanup_free_ char *chain = derived_put(st, texts[(i + which) % 3], &made);
                assert_ok(snapshots_settle(st->snapshots, i % 7 == 0, &err));
                if (i % 2 && layer_remove(st->snapshots, chain, &gone) < 0 && gone.kind != ERR_NOT_FOUND)
                        fail_msg("%s", gone.msg);
        }
        storage_close(st);
        _exit(0);
}

static void test_many_at_once(void **state)
{
        struct storage *st = open_store(sandbox());
        pid_t pids[3];
        for (unsigned i = 0; i < ELEMENTS(pids); i++)
                if ((pids[i] = fork()) == 0)
                        worker(i);
        for (unsigned i = 0; i < ELEMENTS(pids); i++) {
                int status = -1;
                assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
                assert_int_equal(status, 0);
        }
        assert_ok(snapshots_settle(st->snapshots, true, &err));
        assert_ok(unsettled_sweep(st->snapshots, 0, &err));
        assert_false(folder_there());
        _cleanup_free_ char *a = derived_put(st, "a", NULL);
        assert_true(whole(st, a, "a"));
        storage_close(st);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, sandbox_setup, sandbox_teardown)

int main(void)
{
        static const char *const drivers[] = { "overlay", "vfs" };
        const struct CMUnitTest tests[] = {
                TEST(an_entry_lives_until_the_sync),
                TEST(a_layer_of_another_boot_is_suspect),
                TEST(so_is_one_whose_entry_was_not_written),
                TEST(so_is_one_whose_sync_did_not_end),
                TEST(all_are_gone_with_the_folder),
                TEST(names_that_are_no_layers_are_passed_over),
                TEST(a_killed_settler),
                TEST(removed_and_made_again_under_a_settler),
                TEST(one_file_for_several),
                TEST(a_synced_layer_has_no_entry),
                TEST(only_one_settles),
                TEST(many_at_once),
        };
        int failed = 0;
        for (size_t i = 0; i < ELEMENTS(drivers); i++) {
                driver = drivers[i];
                print_message("driver %s\n", driver);
                failed |= cmocka_run_group_tests_name(driver, tests, NULL, NULL);
        }
        return failed;
}

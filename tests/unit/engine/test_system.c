/* system check against every mismatch that can be made by hand; df and info. What it must leave alone is tested beside what it must repair. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/path.h"
#include "base/timefmt.h"
#include "engine/system.h"
#include "engine/volumes.h"
#include "runtime/cgroup.h"

struct lines { char **list; };
static void note(void *data, const char *line) { strv_push(&((struct lines *)data)->list, line); }

static unsigned check(struct fixture *f, bool repair, struct lines *ret)
{
        unsigned found = 0;
        struct lines own = { 0 };
        OK(system_check(f->e, repair, note, ret ? ret : &own, &found, &err));
        strv_free(own.list);
        return found;
}

static bool told(const struct lines *l, const char *words)
{
        STRV_FOREACH (line, l->list)
                if (strstr(*line, words))
                        return true;
        return false;
}

/* Tells exactly one thing with these words, still tells it after telling, repairs it, and then tells nothing. */
static void repairs(struct fixture *f, const char *words)
{
        for (int i = 0; i < 3; i++) {
                struct lines l = { 0 };
                unsigned found = check(f, i == 2, &l);
                if (found != 1 || !told(&l, words)) {
                        _cleanup_free_ char *all = strv_join(l.list, "; ");
                        fail_msg("%u found, looked for \"%s\": %s", found, words, all);
                }
                strv_free(l.list);
        }
        assert_int_equal(check(f, false, NULL), 0);
        assert_int_equal(check(f, true, NULL), 0);
}

static struct storage *storage(struct fixture *f)
{
        struct storage *st = NULL;
        OK(engine_storage(f->e, &st, &err));
        return st;
}

static char id[65];

static struct fixture *with_row(void **state, bool old, bool root)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        id_of('a', id);
        memcpy(c.id, id, sizeof(id));
        c.created = old ? 1000000000 : 0;
        row_put(f, &c, "box");
        if (root)
                OK(root_create(storage(f)->snapshots, id, NULL, &err));
        return f;
}

static void test_clean(void **state)
{
        struct fixture *f = *state;
        assert_int_equal(check(f, false, NULL), 0);
        with_row(state, true, true);
        assert_int_equal(check(f, true, NULL), 0);
        assert_true(root_exists(storage(f)->snapshots, id));
}

static void test_root_missing(void **state)
{
        struct fixture *f = with_row(state, true, false);
        repairs(f, "its files are missing");
        assert_true(root_exists(storage(f)->snapshots, id));
}

static void test_root_not_yet(void **state)
{
        struct fixture *f = with_row(state, false, false);      /* its creator is at it */
        assert_int_equal(check(f, true, NULL), 0);
        assert_false(root_exists(storage(f)->snapshots, id));
}

static void test_root_orphan(void **state)
{
        struct fixture *f = *state;
        id_of('b', id);
        OK(root_create(storage(f)->snapshots, id, NULL, &err));
        repairs(f, "no container or build has them");
        assert_false(root_exists(storage(f)->snapshots, id));
}

static void test_abandoned(void **state)
{
        struct fixture *f = with_row(state, true, true);
        struct container c = { 0 };
        memcpy(c.id, id, sizeof(id));
        close(running_make(f, &c, 0));         /* its monitor is gone */
        repairs(f, "it has ended and nobody cleaned up");
        _cleanup_container_ struct container now = { 0 };
        container_config_init(&now.config);
        OK(container_load(f->e, "box", &now, &err));
        assert_int_equal(now.status.state, STATE_EXITED);
        assert_int_equal(now.status.exit_code, 137);
        assert_string_equal(now.status.error, "its monitor was killed");
}

static void test_rebooted(void **state)
{
        struct fixture *f = with_row(state, true, true);
        OK(container_row_set_state(f->e, id, STATE_RUNNING, &err));    /* and no run directory */
        repairs(f, "it has ended and nobody cleaned up");
        _cleanup_container_ struct container now = { 0 };
        container_config_init(&now.config);
        OK(container_load(f->e, "box", &now, &err));
        assert_int_equal(now.status.exit_code, 255);
}

static void test_running_left_alone(void **state)
{
        struct fixture *f = with_row(state, true, true);
        struct container c = { 0 };
        memcpy(c.id, id, sizeof(id));
        _cleanup_close_ int monitor = running_make(f, &c, 0);
        assert_int_equal(check(f, true, NULL), 0);
        _cleanup_free_ char *path = run_dir_path(f->e, id);
        assert_int_equal(access(path, F_OK), 0);
}

static void test_run_dir_orphan(void **state)
{
        struct fixture *f = *state;
        id_of('c', id);
        _cleanup_free_ char *path = run_dir_path(f->e, id);
        OK(path_mkdirs(path, 0700, &err));
        {
                /* somebody is just making it: locked, and no row yet */
                _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                assert_int_equal(flock(fd, LOCK_EX), 0);
                assert_int_equal(check(f, true, NULL), 0);
        }
        repairs(f, "left behind");
        assert_int_equal(access(path, F_OK), -1);
}

/* A monitor of another data root with the same run root is none of our business. */
static void test_run_dir_foreign(void **state)
{
        struct fixture *f = *state;
        id_of('d', id);
        _cleanup_free_ char *path = run_dir_path(f->e, id);
        OK(path_mkdirs(path, 0700, &err));
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), lock = -1;
        OK(lock = monitor_lock(fd, &err));
        assert_int_equal(check(f, true, NULL), 0);
        assert_int_equal(access(path, F_OK), 0);
}

static void test_folder_orphan(void **state)
{
        struct fixture *f = *state;
        char name[256];
        id_of('e', id);
        snprintf(name, sizeof(name), "root/containers/%s/%s-json.log", id, id);
        file_put(f, name, "x");
        repairs(f, "folder of container eeeeeeeeeeee");
        assert_false(file_there(f, name));
}

static void test_volumes(void **state)
{
        struct fixture *f = *state;
        _cleanup_volume_ struct volume v = { 0 };
        _cleanup_free_ char *half = path_join(f->dir, "root/volumes/half/_data");
        OK(path_mkdirs(half, 0755, &err));
        repairs(f, "volume half: it is not in the database");
        assert_false(file_there(f, "root/volumes/half"));

        file_put(f, "root/volumes/kept/_data/file", "precious");
        repairs(f, "volume kept: it is not in the database");
        assert_true(file_there(f, "root/volumes/kept/_data/file"));
        OK(volume_find(f->e, "kept", &v, &err));

        _cleanup_volume_ struct volume empty = { 0 };
        OK(volume_create(f->e, "empty", NULL, NULL, &empty, &err));
        assert_int_equal(rmdir(empty.mountpoint), 0);
        repairs(f, "volume empty: its folder is missing");
        assert_true(file_there(f, "root/volumes/empty/_data"));
}

static void test_volume_claims(void **state)
{
        struct fixture *f = *state;
        id_of('9', id);
        _cleanup_volume_ struct volume v = { 0 };
        OK(volume_create(f->e, "data", NULL, NULL, &v, &err));
        OK(db_exec(engine_db(f->e), NULL, &err, "INSERT INTO container_volumes (container, volume) VALUES (?, 'data')", "s", id));
        repairs(f, "volume data: in use by container 999999999999, which is gone");
        OK(volume_remove(f->e, "data", false, &err));
}

static void age(struct fixture *f, const char *path)
{
        struct timeval long_ago[2] = { { 1000, 0 }, { 1000, 0 } };
        _cleanup_free_ char *full = path_join(f->dir, path);
        assert_int_equal(utimes(full, long_ago), 0);
}

static void test_temporaries(void **state)
{
        struct fixture *f = with_row(state, true, true);
        _cleanup_free_ char *below = xasprintf("root/containers/%s/.tmp-01234", id);
        file_put(f, below, "x");
        assert_int_equal(check(f, true, NULL), 0);     /* too young */
        age(f, below);
        repairs(f, "temporary file");
        assert_false(file_there(f, below));
        file_put(f, "root/.tmp-5", "x");
        age(f, "root/.tmp-5");
        repairs(f, "temporary file");
}

static void test_staging(void **state)
{
        struct fixture *f = *state;
        struct layer_staging *l = NULL;
        OK(layer_begin(storage(f)->snapshots, NULL, &l, &err));
        _cleanup_free_ char *left = path_join(f->dir, "root/vfs/staging/left/diff");
        OK(path_mkdirs(left, 0755, &err));
        {
                /* a writer is at work: nothing of storage is looked at */
                _cleanup_close_ int writer = -1;
                OK(writer = storage_lock(storage(f), false, true, &err));
                assert_int_equal(check(f, true, NULL), 0);
        }
        layer_abort(l);
        repairs(f, "unfinished layer left");
        assert_false(file_there(f, "root/vfs/staging/left"));
}

static void test_builds(void **state)
{
        struct fixture *f = *state;
        const char *root = "build-0123456789abcdef00000001";
        file_put(f, "root/build/0123456789abcdef", "");
        file_put(f, "root/build/0123456789abcdef.d/1/file", "x");
        OK(root_create(storage(f)->snapshots, root, NULL, &err));
        {
                _cleanup_free_ char *lock = path_join(f->dir, "root/build/0123456789abcdef");
                _cleanup_close_ int fd = open(lock, O_RDONLY | O_CLOEXEC);
                assert_int_equal(flock(fd, LOCK_EX), 0);
                assert_int_equal(check(f, true, NULL), 0);     /* it builds */
                assert_true(root_exists(storage(f)->snapshots, root));
        }
        struct lines l = { 0 };
        assert_int_equal(check(f, false, &l), 2);      /* the build, and its root */
        assert_true(told(&l, "build 0123456789abcdef: it was killed"));
        strv_free(l.list);
        check(f, true, NULL);
        assert_false(root_exists(storage(f)->snapshots, root));
        assert_false(file_there(f, "root/build/0123456789abcdef.d"));
        assert_int_equal(check(f, false, NULL), 0);
}

static void test_leases(void **state)
{
        struct fixture *f = with_row(state, true, true);
        _cleanup_network_ struct network n = { 0 };
        _cleanup_endpoint_ struct endpoint e = { 0 }, again = { 0 };
        OK(db_begin(engine_db(f->e), false, &err));
        OK(network_default(engine_db(f->e), &n, &err));
        OK(network_reserve(engine_db(f->e), &n, id, (struct in_addr){ 0 }, NULL, 0, &e, &err));
        OK(db_commit(engine_db(f->e), &err));
        repairs(f, "address of aaaaaaaaaaaa");
        FAILS(network_endpoint(engine_db(f->e), &n, id, &again, &err), ERR_NOT_FOUND, "");
}

static bool group_there(const char *path)
{
        struct err ignored = ERR_INIT;
        _cleanup_(cgroup_freep) struct cgroup *group = NULL;
        return cgroup_open(path, &group, &ignored) == 0;
}

/* All data roots of a machine share /tare: what has neither row nor root here is another's, also when it is empty. */
static void test_cgroups(void **state)
{
        struct fixture *f = *state;
        struct oci_resources none = { 0 };
        struct err unable = ERR_INIT;
        _cleanup_(cgroup_freep) struct cgroup *mine = NULL, *other = NULL;
        _cleanup_container_ struct container c = { 0 };
        char foreign[65];
        container_config_init(&c.config);
        random_hex(c.id, 64);
        random_hex(foreign, 64);
        _cleanup_free_ char *my_path = xasprintf("/tare/%s", c.id), *other_path = xasprintf("/tare/%s", foreign);
        if (cgroup_create(my_path, &none, &mine, &unable) < 0)
                skip();
        OK(cgroup_create(other_path, &none, &other, &err));
        assert_int_equal(check(f, true, NULL), 0);
        assert_true(group_there(my_path));     /* no row yet */
        row_put(f, &c, "box");
        OK(root_create(storage(f)->snapshots, c.id, NULL, &err));
        repairs(f, "control group of");
        assert_false(group_there(my_path));
        assert_true(group_there(other_path));
        OK(cgroup_remove(other, &err));
}

static void test_definition_damaged(void **state)
{
        struct fixture *f = with_row(state, true, true);
        struct lines l = { 0 };
        OK(db_exec(engine_db(f->e), NULL, &err, "UPDATE containers SET config = '{' WHERE id = ?", "s", id));
        assert_int_equal(check(f, true, &l), 1);
        assert_true(told(&l, "its definition cannot be read"));
        strv_free(l.list);
}

static void test_df(void **state)
{
        struct fixture *f = with_row(state, true, true);
        _cleanup_volume_ struct volume v = { 0 };
        OK(volume_create(f->e, "data", NULL, NULL, &v, &err));
        file_put(f, "root/volumes/data/_data/file", "0123456789");
        json_t *o = NULL;
        OK(system_df(f->e, &o, &err));
        assert_int_equal(json_integer_value(json_object_get(o, "LayersSize")), 0);
        assert_int_equal(json_array_size(json_object_get(o, "Images")), 0);
        const json_t *c = json_array_get(json_object_get(o, "Containers"), 0);
        assert_string_equal(json_string_value(json_array_get(json_object_get(c, "Names"), 0)), "/box");
        const json_t *volume = json_array_get(json_object_get(o, "Volumes"), 0), *usage = json_object_get(volume, "UsageData");
        assert_true(json_integer_value(json_object_get(usage, "Size")) >= 10);
        assert_int_equal(json_integer_value(json_object_get(usage, "RefCount")), 0);
        json_decref(o);
}

static void test_info(void **state)
{
        struct fixture *f = with_row(state, true, true);
        json_t *o = NULL;
        OK(system_info(f->e, &o, &err));
        assert_int_equal(json_integer_value(json_object_get(o, "Containers")), 1);
        assert_int_equal(json_integer_value(json_object_get(o, "ContainersStopped")), 1);
        assert_string_equal(json_string_value(json_object_get(o, "Driver")), "vfs");
        assert_string_equal(json_string_value(json_object_get(o, "DockerRootDir")), engine_root(f->e));
        assert_true(json_integer_value(json_object_get(o, "NCPU")) >= 1);
        assert_true(json_integer_value(json_object_get(o, "MemTotal")) > 1 << 20);
        assert_true(json_string_length(json_object_get(o, "KernelVersion")) > 0);
        json_decref(o);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                T(test_clean),         T(test_root_missing),   T(test_root_not_yet), T(test_root_orphan), T(test_abandoned),   T(test_rebooted),
                T(test_running_left_alone), T(test_run_dir_orphan), T(test_run_dir_foreign), T(test_folder_orphan), T(test_volumes), T(test_volume_claims),
                T(test_temporaries),   T(test_staging),        T(test_builds),       T(test_leases),      T(test_definition_damaged),
                T(test_cgroups),       T(test_df),
                T(test_info),
        };
        setenv("TARE_BRIDGE", "tarecold0", 1); /* not the host's own */
        return cmocka_run_group_tests(tests, NULL, NULL);
}

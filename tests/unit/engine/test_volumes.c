/* -v, --mount and --tmpfs; volumes made, claimed, filled, listed and removed. */
#include "fixture.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "engine/volumes.h"

struct mounts { struct mount_request *list; size_t count; };
static void mounts_done(struct mounts *m)
{
        for (size_t i = 0; i < m->count; i++)
                mount_request_done(&m->list[i]);
        free(m->list);
}
#define MOUNTS(m) _cleanup_(mounts_done) struct mounts m = { 0 }

static void test_volume_flag(void **state)
{
        MOUNTS(m);
        char cwd[PATH_MAX];
        assert_non_null(getcwd(cwd, sizeof(cwd)));
        _cleanup_free_ char *relative = path_join(cwd, "sub");
        OK(mount_request_parse_volume("/h:/c:ro,rslave", &m.list, &m.count, &err));
        assert_true(m.list[0].kind == MOUNT_BIND && m.list[0].read_only && m.list[0].create_source);
        assert_string_equal(m.list[0].source, "/h");
        assert_string_equal(m.list[0].propagation, "rslave");
        OK(mount_request_parse_volume("name:/c//d/:nocopy", &m.list, &m.count, &err));
        assert_true(m.list[1].kind == MOUNT_VOLUME && m.list[1].no_copy);
        assert_string_equal(m.list[1].target, "/c/d");
        OK(mount_request_parse_volume("/anon", &m.list, &m.count, &err));
        assert_true(m.list[2].kind == MOUNT_VOLUME && !m.list[2].source);
        OK(mount_request_parse_volume("./sub:/x:z", &m.list, &m.count, &err));
        assert_string_equal(m.list[3].source, relative);
        FAILS(mount_request_parse_volume("", &m.list, &m.count, &err), ERR_INVALID, "invalid volume specification");
        FAILS(mount_request_parse_volume("a:b:c:d", &m.list, &m.count, &err), ERR_INVALID, "invalid volume specification");
        FAILS(mount_request_parse_volume("/h:c", &m.list, &m.count, &err), ERR_INVALID, "mount path must be absolute");
        FAILS(mount_request_parse_volume("/h:/", &m.list, &m.count, &err), ERR_INVALID, "destination can't be '/'");
        FAILS(mount_request_parse_volume("/h:/..", &m.list, &m.count, &err), ERR_INVALID, "destination can't be '/'");
        FAILS(mount_request_parse_volume("/h:/c:odd", &m.list, &m.count, &err), ERR_INVALID, "invalid mode: odd");
        FAILS(mount_request_parse_volume("a/b:/c", &m.list, &m.count, &err), ERR_INVALID, "includes invalid characters for a local volume name");
        assert_int_equal(m.count, 4);
}

static void test_mount_flag(void **state)
{
        MOUNTS(m);
        OK(mount_request_parse_mount("type=bind,src=/h,dst=/c,ro,bind-propagation=shared", &m.list, &m.count, &err));
        assert_true(m.list[0].kind == MOUNT_BIND && m.list[0].read_only && !m.list[0].create_source);
        OK(mount_request_parse_mount("source=data,target=/d,readonly=false,volume-nocopy", &m.list, &m.count, &err));
        assert_true(m.list[1].kind == MOUNT_VOLUME && !m.list[1].read_only && m.list[1].no_copy);
        OK(mount_request_parse_mount("type=tmpfs,destination=/t,tmpfs-size=64k,tmpfs-mode=0700", &m.list, &m.count, &err));
        assert_true(m.list[2].tmpfs_size == 65536 && m.list[2].tmpfs_mode == 0700);
        OK(mount_request_parse_tmpfs("/run:size=1m,exec", &m.list, &m.count, &err));
        assert_string_equal(m.list[3].options, "size=1m,exec");
        static const struct { const char *text, *words; } bad[] = {
                { "type=bind,src=/h", "target is required" },
                { "type=bind,dst=/c", "field Source must not be empty" },
                { "type=tmpfs,src=/h,dst=/c", "field Source must not be specified" },
                { "type=odd,dst=/c", "mount type unknown" },
                { "dst=/c,size", "unexpected key 'size'" },
                { "dst", "must be a key=value pair" },
                { "src=../x,dst=/c", "invalid volume name" },
                { "type=tmpfs,dst=/c,tmpfs-mode=9", "invalid value for tmpfs-mode" },
                { "type=bind,src=/h,dst=/c,ro=maybe", "invalid value for ro" },
                { "type=bind,src=/h,dst=/c,bind-propagation=x", "invalid propagation mode" },
        };
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                FAILS(mount_request_parse_mount(bad[i].text, &m.list, &m.count, &err), ERR_INVALID, bad[i].words);
        assert_int_equal(m.count, 4);
}

/* --- volumes --- */

static void test_create(void **state)
{
        struct fixture *f = *state;
        _cleanup_volume_ struct volume v = { 0 }, again = { 0 }, made = { 0 }, gone = { 0 };
        char *labels[] = { (char *)(uintptr_t)"a=1", NULL };
        OK(volume_create(f->e, "data", labels, NULL, &v, &err));
        assert_true(file_there(f, "root/volumes/data/_data"));
        assert_false(v.anonymous);
        assert_string_equal(strv_env_get(v.labels, "a"), "1");
        OK(volume_create(f->e, "data", NULL, NULL, &again, &err));
        assert_int_equal(again.created, v.created);
        OK(volume_create(f->e, NULL, NULL, NULL, &made, &err));
        assert_true(made.anonymous && strlen(made.name) == 64);
        FAILS(volume_create(f->e, "../x", NULL, NULL, &gone, &err), ERR_INVALID, "invalid characters");
        FAILS(volume_create(f->e, "x/..", NULL, NULL, &gone, &err), ERR_INVALID, "invalid characters");
        OK(volume_remove(f->e, "data", false, &err));
        assert_false(file_there(f, "root/volumes/data"));
        FAILS(volume_find(f->e, "data", &gone, &err), ERR_NOT_FOUND, "No such volume: data");
        FAILS(volume_remove(f->e, "data", false, &err), ERR_NOT_FOUND, "No such volume: data");
        OK(volume_remove(f->e, "data", true, &err));
        _cleanup_json_ json_t *o = volume_inspect(&v);
        assert_string_equal(json_string_value(json_object_get(o, "Name")), "data");
        assert_string_equal(json_string_value(json_object_get(o, "Scope")), "local");
}

static void claim(struct fixture *f, struct container *c)
{
        OK(db_begin(engine_db(f->e), false, &err));
        OK(volumes_claim(f->e, c, &err));
        OK(db_commit(engine_db(f->e), &err));
}

static void unclaim(struct fixture *f, const struct container *c, bool anonymous)
{
        OK(db_begin(engine_db(f->e), false, &err));
        OK(volumes_unclaim(f->e, c, anonymous, &err));
        OK(db_commit(engine_db(f->e), &err));
}

static void claiming(struct container *c, char digit)
{
        container_config_init(&c->config);
        id_of(digit, c->id);
        OK(mount_request_parse_volume("data:/data", &c->config.mounts, &c->config.mount_count, &err));
        OK(mount_request_parse_volume("/anon", &c->config.mounts, &c->config.mount_count, &err));
        OK(mount_request_parse_volume("/host:/host", &c->config.mounts, &c->config.mount_count, &err));
}

static void test_claim(void **state)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container a = { 0 }, b = { 0 };
        _cleanup_volume_ struct volume v = { 0 };
        claiming(&a, 'a');
        claiming(&b, 'b');
        claim(f, &a);
        claim(f, &b);
        const char *anonymous = a.config.mounts[1].source;
        assert_int_equal(strlen(anonymous), 64);
        assert_string_not_equal(anonymous, b.config.mounts[1].source);
        FAILS(volume_remove(f->e, "data", false, &err), ERR_CONFLICT, "remove data: volume is in use - [aaaa");
        FAILS(volume_remove(f->e, "data", true, &err), ERR_CONFLICT, "volume is in use");
        unclaim(f, &a, true);
        FAILS(volume_find(f->e, anonymous, &v, &err), ERR_NOT_FOUND, "No such volume");
        FAILS(volume_remove(f->e, "data", false, &err), ERR_CONFLICT, "volume is in use - [bbbb");
        unclaim(f, &b, false);
        OK(volume_find(f->e, b.config.mounts[1].source, &v, &err));
        OK(volume_remove(f->e, "data", false, &err));
}

/* An anonymous volume that another container took over (--volumes-from) outlives its maker. */
static void test_claim_shared(void **state)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container a = { 0 }, b = { 0 };
        _cleanup_volume_ struct volume v = { 0 };
        claiming(&a, 'a');
        claim(f, &a);
        claiming(&b, 'b');
        str_replace(&b.config.mounts[1].source, a.config.mounts[1].source);
        claim(f, &b);
        unclaim(f, &a, true);
        OK(volume_find(f->e, b.config.mounts[1].source, &v, &err));
        assert_true(v.anonymous);
        unclaim(f, &b, true);
        volume_done(&v);
        FAILS(volume_find(f->e, b.config.mounts[1].source, &v, &err), ERR_NOT_FOUND, "");
}

static size_t listed(struct fixture *f, const char *filter, char **ret_first)
{
        struct volume *list = NULL;
        size_t count = 0;
        char *filters[] = { (char *)(uintptr_t)filter, NULL };
        OK(volume_list(f->e, filter ? filters : NULL, &list, &count, &err));
        if (ret_first && count)
                *ret_first = xstrdup(list[0].name);
        volumes_free(list, count);
        return count;
}

static void note(void *data, const char *name) { strv_push(data, name); }

static void test_list(void **state)
{
        struct fixture *f = *state;
        _cleanup_volume_ struct volume v = { 0 }, w = { 0 };
        _cleanup_container_ struct container a = { 0 };
        _cleanup_free_ char *first = NULL;
        char *labels[] = { (char *)(uintptr_t)"tier=db", NULL };
        OK(volume_create(f->e, "zeta", labels, NULL, &v, &err));
        OK(volume_create(f->e, NULL, NULL, NULL, &w, &err));
        claiming(&a, 'a');
        claim(f, &a);
        assert_int_equal(listed(f, NULL, NULL), 4);
        assert_int_equal(listed(f, "dangling=true", NULL), 2);
        assert_int_equal(listed(f, "dangling=false", NULL), 2);
        assert_int_equal(listed(f, "label=tier", &first), 1);
        assert_string_equal(first, "zeta");
        assert_int_equal(listed(f, "label=tier=web", NULL), 0);
        assert_int_equal(listed(f, "name=zet", NULL), 1);
        _cleanup_strv_ char **pruned = NULL;
        uint64_t bytes = 0;
        OK(volume_prune(f->e, false, NULL, note, &pruned, &bytes, &err));
        assert_int_equal(strv_len(pruned), 1);         /* the anonymous one nobody uses */
        assert_string_equal(pruned[0], w.name);
        OK(volume_prune(f->e, true, NULL, note, &pruned, &bytes, &err));
        assert_string_equal(pruned[1], "zeta");
        assert_int_equal(listed(f, NULL, NULL), 2);
}

/* --- populate --- */

static int image_root(struct fixture *f)
{
        file_put(f, "image/srv/data/file", "from the image");
        file_put(f, "image/srv/data/sub/deep", "x");
        _cleanup_free_ char *data = path_join(f->dir, "image/srv/data"), *image = path_join(f->dir, "image");
        assert_int_equal(chmod(data, 02750), 0);
        int fd = open(image, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        return fd;
}

static void test_populate(void **state)
{
        struct fixture *f = *state;
        struct stat st;
        _cleanup_volume_ struct volume v = { 0 };
        _cleanup_close_ int root = image_root(f);
        OK(volume_create(f->e, "data", NULL, NULL, &v, &err));
        OK(volume_populate(f->e, "data", root, "/srv/data", &err));
        assert_true(file_there(f, "root/volumes/data/_data/file"));
        assert_true(file_there(f, "root/volumes/data/_data/sub/deep"));
        assert_int_equal(stat(v.mountpoint, &st), 0);
        assert_int_equal(st.st_mode & 07777, 02750);
        /* once only: what the container removed stays away */
        _cleanup_free_ char *file = path_join(v.mountpoint, "file");
        assert_int_equal(unlink(file), 0);
        OK(volume_populate(f->e, "data", root, "/srv/data", &err));
        assert_false(file_there(f, "root/volumes/data/_data/file"));
}

static void test_populate_not(void **state)
{
        struct fixture *f = *state;
        _cleanup_volume_ struct volume v = { 0 }, w = { 0 };
        _cleanup_close_ int root = image_root(f);
        OK(volume_create(f->e, "used", NULL, NULL, &v, &err));
        file_put(f, "root/volumes/used/_data/own", "x");
        OK(volume_populate(f->e, "used", root, "/srv/data", &err));
        assert_false(file_there(f, "root/volumes/used/_data/file"));
        OK(volume_create(f->e, "other", NULL, NULL, &w, &err));
        OK(volume_populate(f->e, "other", root, "/no/such", &err));
        assert_true(file_there(f, "root/volumes/other/populated"));
}

/* Killed in the middle of the copy: the next start does it again. */
static void test_populate_again(void **state)
{
        struct fixture *f = *state;
        _cleanup_volume_ struct volume v = { 0 };
        _cleanup_close_ int root = image_root(f);
        OK(volume_create(f->e, "data", NULL, NULL, &v, &err));
        file_put(f, "root/volumes/data/populating", "");
        file_put(f, "root/volumes/data/_data/file", "from");
        OK(volume_populate(f->e, "data", root, "/srv/data", &err));
        _cleanup_buf_ struct buf b = BUF_INIT(4096);
        _cleanup_free_ char *file = path_join(v.mountpoint, "file");
        OK(file_read_at(AT_FDCWD, file, &b, &err));
        assert_string_equal(b.data, "from the image");
        assert_false(file_there(f, "root/volumes/data/populating"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_volume_flag), cmocka_unit_test(test_mount_flag), T(test_create),       T(test_claim),
                T(test_claim_shared),               T(test_list),                      T(test_populate),     T(test_populate_not),
                T(test_populate_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

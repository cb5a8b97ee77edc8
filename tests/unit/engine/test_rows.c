/* Rows of containers: found by name and prefix, renamed, listed with docker's filters; their state put together with the run directory. */
#include "fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/timefmt.h"
#include "engine/create-internal.h"
#include "engine/endpoint-internal.h"

static void put(struct fixture *f, const char *id, const char *name, int64_t created)
{
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        snprintf(c.id, sizeof(c.id), "%s", id);
        c.created = created;
        row_put(f, &c, name);
}

static void test_resolve(void **state)
{
        struct fixture *f = *state;
        char id[65], a[65], b[65];
        id_of('a', a);
        id_of('a', b);
        b[10] = 'b';
        put(f, a, "first", 1);
        put(f, b, "aaaa", 2);          /* a name that is also a prefix */
        OK(container_resolve(f->e, "first", id, &err));
        assert_string_equal(id, a);
        OK(container_resolve(f->e, "/first", id, &err));
        assert_string_equal(id, a);
        OK(container_resolve(f->e, a, id, &err));
        OK(container_resolve(f->e, "aaaa", id, &err));
        assert_string_equal(id, b);
        OK(container_resolve(f->e, "aaaaaaaaaab", id, &err));
        assert_string_equal(id, b);
        FAILS(container_resolve(f->e, "aaa", id, &err), ERR_INVALID, "Multiple IDs found with provided prefix: aaa");
        FAILS(container_resolve(f->e, "firs", id, &err), ERR_NOT_FOUND, "No such container: firs");
        FAILS(container_resolve(f->e, "", id, &err), ERR_NOT_FOUND, "No such container");
        FAILS(container_resolve(f->e, "aaa%", id, &err), ERR_NOT_FOUND, "No such container");
        FAILS(container_resolve(f->e, "' OR 1 --", id, &err), ERR_NOT_FOUND, "No such container");
}

static void test_names(void **state)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        row_plain(f, 'a', "one");
        row_plain(f, 'b', "two");
        id_of('c', c.id);
        c.name = xstrdup("one");
        c.image_id = xstrdup("sha256:x");
        FAILS(container_row_insert(f->e, &c, &err), ERR_CONFLICT, "The container name \"/one\" is already in use by container \"aaaa");
        FAILS(container_rename(f->e, "two", "one", &err), ERR_CONFLICT, "already in use");
        FAILS(container_rename(f->e, "two", "no way", &err), ERR_INVALID, "Invalid container name (no way)");
        FAILS(container_rename(f->e, "three", "four", &err), ERR_NOT_FOUND, "No such container: three");
        OK(container_rename(f->e, "two", "/three", &err));
        char id[65];
        OK(container_resolve(f->e, "three", id, &err));
        FAILS(container_resolve(f->e, "two", id, &err), ERR_NOT_FOUND, "");
}

static void test_endpoint(void **state)
{
        _cleanup_endpoint_ struct endpoint e = { .interface = "eth0", .host_interface = "tv1", .prefix = 16 }, back = { 0 };
        assert_null(endpoint_to_text(&e));     /* not set */
        id_of('a', e.container);
        inet_pton(AF_INET, "10.1.2.3", &e.address);
        memcpy(e.mac, "\x02\x42\x0a\x01\x02\x03", 6);
        e.ports = xcalloc(1, sizeof(*e.ports));
        e.ports[0] = (struct port_map){ .host_port = 65535, .container_port = 53, .protocol = PORT_UDP };
        e.port_count = 1;
        _cleanup_free_ char *text = endpoint_to_text(&e);
        OK(endpoint_from_text(text, &back, &err));
        _cleanup_free_ char *again = endpoint_to_text(&back);
        assert_string_equal(text, again);
        assert_int_equal(back.ports[0].host_port, 65535);
        assert_int_equal(back.ports[0].protocol, PORT_UDP);
        struct endpoint bad = { 0 };
        FAILS(endpoint_from_text("{", &bad, &err), ERR_INVALID, "");
        FAILS(endpoint_from_text("{\"container\":\"x\"}", &bad, &err), ERR_INVALID, "interface");
}

/* --- list --- */

#define LISTS(f, expected, how_all, ...)                                                                               \
        do {                                                                                                           \
                const char *const _filters[] = { __VA_ARGS__, NULL };                                                  \
                list_check((f), (expected), (how_all), 0, _filters);                                                   \
        } while (0)

static void list_check(struct fixture *f, const char *expected, bool all, int64_t last, const char *const *filters)
{
        struct container *list = NULL;
        size_t count = 0;
        _cleanup_strv_ char **names = NULL;
        struct container_filter how = { .all = all, .last = last, .filters = (char *const *)(uintptr_t)filters };
        OK(container_list(f->e, &how, &list, &count, &err));
        for (size_t i = 0; i < count; i++)
                strv_push(&names, list[i].name);
        containers_free(list, count);
        _cleanup_free_ char *text = strv_join(names, " ");
        if (!str_eq(text, expected))
                fail_msg("listed \"%s\", expected \"%s\"", text, expected);
}

static void zoo_web(struct fixture *f)
{
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        id_of('a', c.id);
        c.created = 1000;
        c.config.image = xstrdup("nginx:latest");
        strv_push(&c.config.labels, "tier=web");
        strv_push(&c.config.labels, "env=prod");
        c.config.network_mode = xstrdup("lan");
        OK(mount_request_parse_volume("data:/srv", &c.config.mounts, &c.config.mount_count, &err));
        row_put(f, &c, "web");
}

static void zoo_db(struct fixture *f)
{
        _cleanup_container_ struct container c = { 0 };
        struct container_status ended = { .state = STATE_EXITED, .exit_code = 3 };
        container_config_init(&c.config);
        id_of('b', c.id);
        c.created = 2000;
        c.config.image = xstrdup("postgres:16");
        strv_push(&c.config.labels, "tier=db");
        row_put(f, &c, "db");
        OK(container_row_finish(f->e, c.id, &ended, &err));
}

/* Returns what stands for the monitor of "live". */
static int zoo(struct fixture *f)
{
        _cleanup_container_ struct container c = { 0 };
        zoo_web(f);
        zoo_db(f);
        container_config_init(&c.config);
        id_of('c', c.id);
        c.created = 3000;
        row_put(f, &c, "live");
        return running_make(f, &c, 0);
}

static void test_list(void **state)
{
        struct fixture *f = *state;
        _cleanup_close_ int monitor = zoo(f);
        list_check(f, "live", false, 0, NULL);
        list_check(f, "live db web", true, 0, NULL);
        list_check(f, "live db", false, 2, NULL);
        LISTS(f, "db", false, "status=exited");
        LISTS(f, "live db", false, "status=exited", "status=running");
        LISTS(f, "web", true, "status=created");
        LISTS(f, "db", false, "exited=3");
        LISTS(f, "", false, "exited=4");
        LISTS(f, "web", true, "name=we");
        LISTS(f, "web", true, "name=^web$");
        LISTS(f, "", true, "name=^we$");
        LISTS(f, "live web", true, "name=web", "name=live");
        LISTS(f, "web", true, "label=tier=web");
        LISTS(f, "db web", true, "label=tier");
        LISTS(f, "", true, "label=tier=web", "label=env=dev");
        LISTS(f, "web", true, "label=tier=web", "label=env=prod");
        LISTS(f, "web", true, "ancestor=nginx");
        LISTS(f, "", true, "ancestor=postgres");
        LISTS(f, "db", true, "ancestor=postgres:16");
        LISTS(f, "web", true, "network=lan");
        LISTS(f, "live db", true, "network=bridge");
        LISTS(f, "web", true, "volume=data");
        LISTS(f, "web", true, "volume=/srv");
        LISTS(f, "web", true, "before=db");
        LISTS(f, "live", true, "since=db");
        LISTS(f, "db", true, "id=bbb");
        struct container *list = NULL;
        size_t count = 0;
        char *odd[] = { (char *)(uintptr_t)"odd=x", NULL }, *state_filter[] = { (char *)(uintptr_t)"status=odd", NULL };
        FAILS(container_list(f->e, &(struct container_filter){ .filters = odd }, &list, &count, &err), ERR_INVALID, "invalid filter 'odd=x'");
        FAILS(container_list(f->e, &(struct container_filter){ .filters = state_filter }, &list, &count, &err), ERR_INVALID, "invalid filter");
}

/* --- state --- */

static struct container loaded(struct fixture *f, const char *name)
{
        struct container c = { 0 };
        container_config_init(&c.config);
        OK(container_load(f->e, name, &c, &err));
        return c;
}

static void test_state(void **state)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        id_of('a', c.id);
        row_put(f, &c, "box");
        int monitor = running_make(f, &c, 0);
        _cleanup_container_ struct container running = loaded(f, "box");
        assert_int_equal(running.status.state, STATE_RUNNING);
        _cleanup_free_ char *dir = run_dir_path(f->e, c.id), *paused = xasprintf("%s/paused", dir);
        close(open(paused, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        _cleanup_container_ struct container frozen = loaded(f, "box");
        assert_int_equal(frozen.status.state, STATE_PAUSED);
        /* the monitor dies: whoever looks finishes it, and the word is kept */
        close(monitor);
        for (int i = 0; i < 2; i++) {
                _cleanup_container_ struct container dead = loaded(f, "box");
                assert_int_equal(dead.status.state, STATE_EXITED);
                assert_int_equal(dead.status.exit_code, 137);
                assert_int_equal(access(dir, F_OK), -1);
        }
}

/* A start that was killed before its process existed leaves a container that was created and never ran. */
static void test_state_cut_short(void **state)
{
        struct fixture *f = *state;
        row_plain(f, 'a', "box");
        char id[65];
        id_of('a', id);
        _cleanup_free_ char *hosts = xasprintf("run/containers/%s/hosts", id);
        OK(container_row_set_state(f->e, id, STATE_RUNNING, &err));
        file_put(f, hosts, "");
        _cleanup_container_ struct container c = loaded(f, "box");
        assert_int_equal(c.status.state, STATE_CREATED);
}

static void test_state_rebooted(void **state)
{
        struct fixture *f = *state;
        row_plain(f, 'a', "box");
        char id[65];
        id_of('a', id);
        OK(container_row_set_state(f->e, id, STATE_RUNNING, &err));
        _cleanup_container_ struct container c = loaded(f, "box");
        assert_int_equal(c.status.state, STATE_EXITED);
        assert_int_equal(c.status.exit_code, 255);
        assert_true(c.status.finished > 0);
}

/* --rm, and its monitor killed: gone with everything. */
static void test_state_auto_remove(void **state)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container c = { 0 };
        char id[65];
        container_config_init(&c.config);
        id_of('a', c.id);
        c.config.auto_remove = true;
        OK(mount_request_parse_volume("/anon", &c.config.mounts, &c.config.mount_count, &err));
        OK(db_begin(engine_db(f->e), false, &err));
        OK(volumes_claim(f->e, &c, &err));
        OK(db_commit(engine_db(f->e), &err));
        row_put(f, &c, "box");
        close(running_make(f, &c, 0));
        OK(container_finish(f->e, c.id, &err));
        FAILS(container_resolve(f->e, "box", id, &err), ERR_NOT_FOUND, "");
        _cleanup_free_ char *volume = xasprintf("root/volumes/%s", c.config.mounts[0].source);
        assert_false(file_there(f, volume));
        OK(container_finish(f->e, c.id, &err));        /* twice is once */
}

/* Writes the end that a monitor saw, as it does before it hands its lock on. */
static void ended_write(struct fixture *f, const char *id, enum container_state state)
{
        struct container_status status = { .state = state, .exit_code = 7,
                                           .started = time_now() - 1000000, .finished = time_now() };
        int run_dir = -1;
        OK(run_dir = run_dir_open(f->e, id, &err));
        OK(container_status_write(run_dir, &status, &err));
        close(run_dir);
}

static int64_t row_state(struct fixture *f, const char *id)
{
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        OK(container_row_load(f->e, id, &c, &err));
        return c.status.state;
}

/* Between a monitor's end and its successor: a look leaves it alone, a verb takes it over, and the successor sees that. */
static void test_ended_in_care(void **state)
{
        struct fixture *f = *state;
        struct container_remove plain = { 0 };
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        id_of('b', c.id);
        c.config.restart_policy = xstrdup("always");
        row_put(f, &c, "ended");
        int care = running_make(f, &c, 0);
        ended_write(f, c.id, STATE_EXITED);
        for (int i = 0; i < 2; i++) {
                _cleanup_container_ struct container seen = loaded(f, "ended");
                assert_int_equal(seen.status.state, STATE_EXITED);
                assert_int_equal(seen.status.exit_code, 7);
                assert_int_equal(row_state(f, c.id), STATE_RUNNING);
        }
        _cleanup_close_ int run_dir = run_dir_open(f->e, c.id, &(struct err)ERR_INIT);
        assert_true(monitor_lock_is(run_dir, care));
        _cleanup_container_ struct container taken = { 0 };
        container_config_init(&taken.config);
        int lock = -1;
        OK(lock = container_lock(f->e, c.id, &err));
        OK(container_load_locked(f->e, c.id, &taken, &err));
        close(lock);
        assert_int_equal(row_state(f, c.id), STATE_EXITED);
        assert_false(monitor_lock_is(run_dir, care));
        OK(container_exited(f->e, c.id, care, &err));  /* closes it, and starts nothing */
        assert_int_equal(row_state(f, c.id), STATE_EXITED);
        OK(container_remove(f->e, "ended", &plain, &err));
}

/* The successor was killed while it waited to start it again: the last word is that of the end before. */
static void test_restart_killed(void **state)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        id_of('b', c.id);
        row_put(f, &c, "ended");
        int care = running_make(f, &c, 0);
        ended_write(f, c.id, STATE_RESTARTING);
        _cleanup_container_ struct container waiting = loaded(f, "ended");
        assert_int_equal(waiting.status.state, STATE_RESTARTING);
        close(care);
        _cleanup_container_ struct container over = loaded(f, "ended");
        assert_int_equal(over.status.state, STATE_EXITED);
        assert_int_equal(over.status.exit_code, 7);
        assert_int_equal(row_state(f, c.id), STATE_EXITED);
}

/* A descriptor that a caller merely names is not believed. */
static void test_exited_foreign_lock(void **state)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        id_of('b', c.id);
        c.config.restart_policy = xstrdup("always");
        row_put(f, &c, "live");
        _cleanup_close_ int monitor = running_make(f, &c, 0);
        _cleanup_close_ int run_dir = run_dir_open(f->e, c.id, &(struct err)ERR_INIT);
        OK(container_exited(f->e, c.id, openat(run_dir, "monitor.pid", O_RDWR | O_CLOEXEC), &err));
        OK(container_exited(f->e, c.id, open("/dev/null", O_RDWR | O_CLOEXEC), &err));
        OK(container_exited(f->e, c.id, -1, &err));
        _cleanup_container_ struct container seen = loaded(f, "live");
        assert_int_equal(seen.status.state, STATE_RUNNING);
}

static void test_lock(void **state)
{
        struct fixture *f = *state;
        char id[65];
        id_of('a', id);
        assert_false(container_is_locked(f->e, id));
        int lock = -1;
        OK(lock = container_lock(f->e, id, &err));
        assert_true(container_is_locked(f->e, id));
        /* who waits for the lock of a folder that is removed meanwhile gets one of the new folder */
        pid_t pid = fork();
        if (pid == 0) {
                struct err why = ERR_INIT;
                close(lock);           /* or we would hold it ourselves */
                int mine = container_lock(f->e, id, &why);
                _cleanup_free_ char *path = run_dir_path(f->e, id);
                _exit(mine >= 0 && access(path, F_OK) == 0 ? 0 : 1);
        }
        usleep(20000);
        OK(run_dir_remove(f->e, id, &err));
        close(lock);
        int status = 1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void test_remove(void **state)
{
        struct fixture *f = *state;
        struct container_remove plain = { 0 };
        row_plain(f, 'a', "still");
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        id_of('b', c.id);
        row_put(f, &c, "live");
        _cleanup_close_ int monitor = running_make(f, &c, 0);
        OK(container_remove(f->e, "still", &plain, &err));
        FAILS(container_remove(f->e, "still", &plain, &err), ERR_NOT_FOUND, "No such container: still");
        FAILS(container_remove(f->e, "live", &plain, &err), ERR_CONFLICT, "You cannot remove a running container");
        FAILS(container_pause(f->e, "live", false, &err), ERR_CONFLICT, "is not paused");
        char found[65];
        OK(container_resolve(f->e, "live", found, &err));
}

static void test_uses_image(void **state)
{
        struct fixture *f = *state;
        char user[65];
        bool running = true;
        _cleanup_free_ char *image = xasprintf("sha256:%064d", 7);
        assert_false(container_uses_image(f->e, image, user, &running));
        row_plain(f, 'a', "box");
        assert_true(container_uses_image(f->e, image, user, &running));
        assert_int_equal(user[0], 'a');
        assert_false(running);
}

static void test_prepare_refuses(void **state)
{
        struct fixture *f = *state;
        char id[65];
        _cleanup_container_config_ struct container_config c, d;
        container_config_init(&c);
        container_config_init(&d);
        c.image = xstrdup("nothing:here");
        d.image = xstrdup("nothing:here");
        FAILS(container_create(f->e, &c, "name", id, &err), ERR_NOT_FOUND, "No such image: nothing:here");
        FAILS(container_create(f->e, &d, "bad name", id, &err), ERR_INVALID, "Invalid container name");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                T(test_resolve), T(test_names),  cmocka_unit_test(test_endpoint), T(test_list), T(test_state), T(test_state_cut_short),
                T(test_state_rebooted), T(test_state_auto_remove), T(test_lock), T(test_ended_in_care), T(test_restart_killed),
                T(test_exited_foreign_lock), T(test_remove), T(test_uses_image), T(test_prepare_refuses),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

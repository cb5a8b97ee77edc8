/* What checks are asked for, and what follows from what they find: docker's rules. */
#include "fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/str.h"
#include "engine/engine-internal.h"

#define SECOND ((int64_t)1000000000)

static void test_plan(void **state)
{
        static const char *const none[] = { "NONE", NULL }, *const bare[] = { "CMD", NULL }, *const shell[] = { "CMD-SHELL", "true", NULL },
                    *const odd[] = { "EXEC", "true", NULL }, *const direct[] = { "CMD", "/bin/true", NULL };
        static const struct {
                const char *const *test;
                bool planned;
        } cases[] = { { NULL, false }, { none, false }, { bare, false }, { odd, false }, { shell, true }, { direct, true } };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct container_config c = { .healthcheck = { .test = (char **)(uintptr_t)cases[i].test } };
                struct health_plan p = { 0 };
                assert_int_equal(health_plan(&c, &p), cases[i].planned);
                if (!cases[i].planned)
                        continue;
                assert_int_equal(p.interval, 30 * SECOND);
                assert_int_equal(p.timeout, 30 * SECOND);
                assert_int_equal(p.start_period, 0);
                assert_int_equal(p.start_interval, 5 * SECOND);
                assert_int_equal(p.retries, 3);
                c.healthcheck.retries = 7;
                c.healthcheck.interval = SECOND;
                assert_true(health_plan(&c, &p));
                assert_int_equal(p.retries, 7);
                assert_int_equal(p.interval, SECOND);
        }
}

static char *scratch_make(int *ret_fd)
{
        char *dir = xasprintf("%s/tare-health.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
        assert_non_null(mkdtemp(dir));
        *ret_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return dir;
}

static void scratch_done(char *dir, int fd)
{
        struct err err = ERR_INIT;
        close(fd);
        assert_int_equal(tree_remove_at(AT_FDCWD, dir, &err), 0);
        free(dir);
}

static enum container_health told(const struct container *c, int dir, int64_t at, int32_t code, bool changes)
{
        bool changed;
        enum container_health h;
        struct err err = ERR_INIT;
        struct health_result r = { .start = at, .end = at + 1, .exit_code = code, .output = "said \xff\n" };
        assert_int_equal(health_record(c, dir, &r, &h, &changed, &err), 0);
        assert_int_equal(changed, changes);
        assert_int_equal(health_now(c, dir), h);
        return h;
}

static int64_t number_at(int dir, const char *key)
{
        struct err err = ERR_INIT;
        _cleanup_json_ json_t *o = json_read_file_at(dir, "health.json", 1 << 20, &err);
        assert_non_null(o);
        return json_integer_value(json_object_get(o, key));
}

static void test_record(void **state)
{
        const char *test[] = { "CMD-SHELL", "true", NULL };
        int dir;
        char *path = scratch_make(&dir);
        struct container c = { .status = { .state = STATE_RUNNING, .started = 100 * SECOND },
                               .config.healthcheck = { .test = (char **)(uintptr_t)test, .start_period = 10 * SECOND, .retries = 2 } };
        assert_int_equal(health_now(&c, dir), HEALTH_STARTING);
        for (int i = 0; i < 4; i++) /* forgiven */
                assert_int_equal(told(&c, dir, (101 + i) * SECOND, 1, false), HEALTH_STARTING);
        assert_int_equal(number_at(dir, "FailingStreak"), 0);
        assert_int_equal(told(&c, dir, 110 * SECOND, 1, false), HEALTH_STARTING); /* the period is over: it counts */
        assert_int_equal(number_at(dir, "FailingStreak"), 1);
        assert_int_equal(told(&c, dir, 111 * SECOND, -1, true), HEALTH_UNHEALTHY);
        assert_int_equal(told(&c, dir, 112 * SECOND, 2, false), HEALTH_UNHEALTHY);
        assert_int_equal(number_at(dir, "FailingStreak"), 3);
        assert_int_equal(told(&c, dir, 113 * SECOND, 0, true), HEALTH_HEALTHY);
        assert_int_equal(number_at(dir, "FailingStreak"), 0);
        assert_int_equal(told(&c, dir, 114 * SECOND, 1, false), HEALTH_HEALTHY);
        assert_int_equal(told(&c, dir, 115 * SECOND, 0, false), HEALTH_HEALTHY);
        struct err err = ERR_INIT;
        _cleanup_json_ json_t *o = json_read_file_at(dir, "health.json", 1 << 20, &err);
        assert_int_equal(json_array_size(json_object_get(o, "Log")), CONTAINER_HEALTH_LOG);
        json_t *last = json_array_get(json_object_get(o, "Log"), CONTAINER_HEALTH_LOG - 1);
        assert_string_equal(json_string_value(json_object_get(last, "Output")), "said \xef\xbf\xbd\n");
        assert_string_equal(json_string_value(json_object_get(last, "Start")), "1970-01-01T00:01:55.000000000Z");
        health_forget(dir);
        assert_int_equal(health_now(&c, dir), HEALTH_STARTING);
        scratch_done(path, dir);
}

/* One success ends the start period, whatever the clock says. */
static void test_success_in_the_period(void **state)
{
        const char *test[] = { "CMD", "x", NULL };
        int dir;
        char *path = scratch_make(&dir);
        struct container c = { .status = { .state = STATE_RUNNING, .started = SECOND },
                               .config.healthcheck = { .test = (char **)(uintptr_t)test, .start_period = 1000 * SECOND, .retries = 1 } };
        assert_int_equal(told(&c, dir, 2 * SECOND, 0, true), HEALTH_HEALTHY);
        assert_int_equal(told(&c, dir, 3 * SECOND, 1, true), HEALTH_UNHEALTHY);
        scratch_done(path, dir);
}

/* A file that is none of ours is not believed, and is replaced. */
static void test_damaged_file(void **state)
{
        static const char *const texts[] = { "", "{", "[]", "{\"Status\":1,\"Log\":[]}", "{\"Status\":\"healthy\"}" };
        const char *test[] = { "CMD", "x", NULL };
        struct container c = { .status.state = STATE_RUNNING, .config.healthcheck.test = (char **)(uintptr_t)test };
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                int dir;
                struct err err = ERR_INIT;
                char *path = scratch_make(&dir);
                assert_int_equal(file_write_at(dir, "health.json", texts[i], strlen(texts[i]), 0600, false, &err), 0);
                assert_int_equal(health_now(&c, dir), HEALTH_STARTING);
                assert_int_equal(told(&c, dir, SECOND, 0, true), HEALTH_HEALTHY);
                scratch_done(path, dir);
        }
}

static void test_not_running(void **state)
{
        const char *test[] = { "CMD", "x", NULL };
        struct container c = { .status.state = STATE_CREATED, .config.healthcheck.test = (char **)(uintptr_t)test };
        assert_int_equal(health_now(&c, -1), HEALTH_NONE);
        c.status.state = STATE_EXITED;
        assert_int_equal(health_now(&c, -1), HEALTH_UNHEALTHY);
        c.config.healthcheck.test = NULL;
        assert_int_equal(health_now(&c, -1), HEALTH_NONE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plan),         cmocka_unit_test(test_record),      cmocka_unit_test(test_success_in_the_period),
                cmocka_unit_test(test_damaged_file), cmocka_unit_test(test_not_running),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

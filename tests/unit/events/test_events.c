/* What is told is read again: by time, by filter, over rotations, after torn writes, while it is being written. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "events/events-internal.h"

static char root[64];

static int setup(void **state)
{
        snprintf(root, sizeof(root), "/tmp/tare-events.XXXXXX");
        return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
        struct err err = ERR_INIT;
        return tree_remove_at(AT_FDCWD, root, &err);
}

struct seen {
        char **lines;                  /* "type action id" */
        size_t stop_after;             /* 0: never */
};

static int see(void *data, const struct event *e, struct err *err)
{
        struct seen *s = data;
        strv_push_take(&s->lines, xasprintf("%s %s %s", e->type, e->action, e->id));
        return s->stop_after && strv_len(s->lines) == s->stop_after;
}

static char *read_joined(const struct events_query *q)
{
        struct err err = ERR_INIT;
        struct seen s = { 0 };
        if (events_read(root, q, see, &s, &err) < 0)
                fail_msg("%s", err.msg);
        char *text = strv_join(s.lines, ",");
        strv_free(s.lines);
        return text;
}

static void expect(const struct events_query *q, const char *wanted)
{
        _cleanup_free_ char *text = read_joined(q);
        assert_string_equal(text, wanted);
}

static void log_append(const char *bytes)
{
        _cleanup_free_ char *path = xasprintf("%s/events/log", root);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_APPEND);
        assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
}

static void told_is_read(void **state)
{
        const struct events_query all = { 0 };
        char *attributes[] = { (char[]){ "image=busybox" }, (char[]){ "name=a\"b\n{\"timeNano\":1,}" }, NULL };
        expect(&all, ""); /* nothing yet, not even the folder */
        events_tell(root, "container", "create", "c1", attributes);
        events_tell(root, "image", "pull", "busybox:latest", NULL);
        expect(&all, "container create c1,image pull busybox:latest");
}

static int keep(void *data, const struct event *e, struct err *err)
{
        json_t **ret = data;
        *ret = event_to_json(e);
        return 1;
}

static void document_is_dockers(void **state)
{
        struct err err = ERR_INIT;
        char *attributes[] = { (char[]){ "image=busybox" }, (char[]){ "name=x=y" }, NULL };
        int64_t before = time_now();
        events_tell(root, "container", "start", "0123", attributes);
        _cleanup_json_ json_t *o = NULL;
        assert_int_equal(events_read(root, &(struct events_query){ 0 }, keep, &o, &err), 0);
        int64_t nano = json_integer_value(json_object_get(o, "timeNano"));
        assert_true(nano >= before && nano <= time_now());
        json_object_del(o, "timeNano");
        assert_int_equal(json_integer_value(json_object_get(o, "time")), nano / 1000000000);
        json_object_del(o, "time");
        _cleanup_free_ char *text = json_text(o);
        assert_string_equal(text, "{\"status\":\"start\",\"id\":\"0123\",\"from\":\"busybox\",\"Type\":\"container\",\"Action\":\"start\","
                                  "\"Actor\":{\"ID\":\"0123\",\"Attributes\":{\"image\":\"busybox\",\"name\":\"x=y\"}},\"scope\":\"local\"}");
}

static void times_bound(void **state)
{
        events_tell(root, "volume", "create", "early", NULL);
        int64_t middle = time_now() + 1;
        usleep(1000);
        events_tell(root, "volume", "create", "late", NULL);
        expect(&(struct events_query){ .since = middle }, "volume create late");
        expect(&(struct events_query){ .until = middle }, "volume create early");
        expect(&(struct events_query){ .since = middle, .until = middle }, "");
}

static void torn_lines_cost_only_themselves(void **state)
{
        events_tell(root, "volume", "create", "a", NULL);
        log_append("{\"timeNano\":1700000000000000000,\"Type\":\"conta");
        events_tell(root, "volume", "create", "b", NULL);
        log_append("\n\nrubbish\n{\"timeNano\":12}\n");
        events_tell(root, "volume", "create", "c", NULL);
        expect(&(struct events_query){ 0 }, "volume create a,volume create b,volume create c");
}

static void filters(void **state)
{
        struct err err = ERR_INIT;
        char *attributes[] = { (char[]){ "image=busybox:1" }, (char[]){ "name=web" }, (char[]){ "tier=front" }, NULL };
        char *at_network[] = { (char[]){ "container=c0ffee" }, (char[]){ "name=bridge" }, NULL };
        events_tell(root, "container", "start", "c0ffee", attributes);
        events_tell(root, "container", "exec_start: sh -c x", "c0ffee", attributes);
        events_tell(root, "network", "connect", "beef", at_network);
        events_tell(root, "image", "tag", "sha256:abcdef", NULL);
        static const struct { const char *filters, *wanted; } rows[] = {
                { "type=network", "network connect beef" },
                { "type=network type=image", "network connect beef,image tag sha256:abcdef" },
                { "event=exec_start", "container exec_start: sh -c x c0ffee" },
                { "event=exec", "" },
                { "container=web event=start", "container start c0ffee" },
                { "container=c0f event=connect", "network connect beef" },
                { "image=abc", "image tag sha256:abcdef" },
                { "image=busybox event=start", "container start c0ffee" },
                { "image=busy", "" },
                { "label=tier event=start", "container start c0ffee" },
                { "label=tier=front label=tier=back", "" },
                { "network=bridge", "network connect beef" },
                { "scope=swarm", "" },
                { "volume=", "" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_strv_ char **texts = strv_split(rows[i].filters, " ", false);
                _cleanup_(event_filter_freep) struct event_filter *f = NULL;
                assert_int_equal(event_filter_parse(texts, &f, &err), 0);
                expect(&(struct events_query){ .filter = f }, rows[i].wanted);
        }
        struct event_filter *none = NULL;
        assert_int_equal(event_filter_parse((char *[]){ (char[]){ "colour=red" }, NULL }, &none, &err), -1);
        assert_int_equal(event_filter_parse((char *[]){ (char[]){ "label" }, NULL }, &none, &err), -1);
        assert_null(none);
}

/* Several writers at once over the end of a file: none of what they tell is lost, and no more files are kept than said. */
static void rotation(void **state)
{
        char *attributes[] = { NULL, NULL };
        attributes[0] = xcalloc(1, 20003);
        memcpy(attributes[0], "x=", 2);
        memset(attributes[0] + 2, 'y', 20000);
        for (int w = 0; w < 3; w++)
                if (fork() == 0) {
                        for (int i = 0; i < 200; i++)
                                events_tell(root, "volume", w == 0 ? "a" : w == 1 ? "b" : "c", "v", attributes);
                        _exit(0);
                }
        for (int w = 0; w < 3; w++)
                assert_true(wait(NULL) > 0);
        _cleanup_free_ char *text = read_joined(&(struct events_query){ 0 });
        assert_int_equal(strlen(text), 600 * strlen("volume a v,") - 1);
        _cleanup_free_ char *first = xasprintf("%s/events/log.1", root), *second = xasprintf("%s/events/log.2", root);
        assert_true(file_exists_at(AT_FDCWD, first));
        assert_false(file_exists_at(AT_FDCWD, second));
        for (int i = 0; i < 2000; i++)
                events_tell(root, "volume", "d", "v", attributes);
        _cleanup_free_ char *fourth = xasprintf("%s/events/log.%d", root, EVENTS_FILES);
        assert_true(file_exists_at(AT_FDCWD, second));
        assert_false(file_exists_at(AT_FDCWD, fourth));
        free(attributes[0]);
}

static void follower_sees_what_comes(void **state)
{
        struct err err = ERR_INIT;
        struct seen s = { .stop_after = 3 };
        events_tell(root, "volume", "create", "old", NULL);
        pid_t writer = fork();
        if (writer == 0) {
                usleep(100000);
                events_tell(root, "volume", "create", "new", NULL);
                usleep(100000);
                events_tell(root, "volume", "destroy", "new", NULL);
                _exit(0);
        }
        assert_int_equal(events_read(root, &(struct events_query){ .follow = true }, see, &s, &err), 0);
        waitpid(writer, NULL, 0);
        _cleanup_free_ char *text = strv_join(s.lines, ",");
        assert_string_equal(text, "volume create old,volume create new,volume destroy new");
        strv_free(s.lines);
        expect(&(struct events_query){ .follow = true, .since = time_now(), .until = time_now() + 50000000 }, "");
}

static void a_log_in_the_way_is_no_failure(void **state)
{
        _cleanup_free_ char *dir = xasprintf("%s/events", root), *log = xasprintf("%s/log", dir);
        assert_int_equal(mkdir(dir, 0700), 0);
        assert_int_equal(symlink("/dev/full", log), 0); /* nor is a link followed */
        struct err err = ERR_INIT;
        struct seen s = { 0 };
        events_tell(root, "volume", "create", "a", NULL);
        assert_int_equal(events_read(root, &(struct events_query){ 0 }, see, &s, &err), -1);
        assert_int_equal(unlink(log), 0);
        events_tell(root, "volume", "create", "b", NULL);
        expect(&(struct events_query){ 0 }, "volume create b");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(told_is_read, setup, teardown),
                cmocka_unit_test_setup_teardown(document_is_dockers, setup, teardown),
                cmocka_unit_test_setup_teardown(times_bound, setup, teardown),
                cmocka_unit_test_setup_teardown(torn_lines_cost_only_themselves, setup, teardown),
                cmocka_unit_test_setup_teardown(filters, setup, teardown),
                cmocka_unit_test_setup_teardown(rotation, setup, teardown),
                cmocka_unit_test_setup_teardown(follower_sees_what_comes, setup, teardown),
                cmocka_unit_test_setup_teardown(a_log_in_the_way_is_no_failure, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

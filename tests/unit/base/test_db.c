#include "unit.h"

#include <errno.h>
#include <signal.h>
#include "base/db.h"
#include "base/str.h"

static const char *const steps_v1[] = { "CREATE TABLE t(k TEXT PRIMARY KEY, n INTEGER, b BLOB);"
                                        "CREATE TABLE child(k TEXT REFERENCES t(k))",
                                        NULL };
static const char *const steps_v2[] = { "CREATE TABLE t(k TEXT PRIMARY KEY, n INTEGER, b BLOB);"
                                        "CREATE TABLE child(k TEXT REFERENCES t(k))",
                                        "ALTER TABLE t ADD COLUMN extra TEXT DEFAULT 'new'", NULL };
static const char *const steps_bad[] = { "CREATE TABLE half(x)", "CREATE BROKEN", NULL };
static const char *const steps_other[] = { "CREATE TABLE other(x)", NULL };
static const struct db_schema v1 = { "t", steps_v1 }, v2 = { "t", steps_v2 }, bad = { "bad", steps_bad },
                              other = { "other", steps_other };
static const struct db_schema *const set_v1[] = { &v1, NULL }, *const set_v2[] = { &v2, NULL },
                                     *const set_bad[] = { &v1, &bad, NULL }, *const set_both[] = { &v1, &other, NULL };

struct fixture {
        char *dir, *path;
        int fd;
};

static struct fixture fixture_new(void)
{
        struct fixture f;
        f.fd = scratch_new(&f.dir);
        f.path = xasprintf("%s/x.db", f.dir);
        return f;
}

static void fixture_done(struct fixture *f)
{
        free(f->path);
        scratch_done(f->dir, f->fd);
}

static struct db *open_db(const char *path, const struct db_schema *const *set)
{
        struct err err = ERR_INIT;
        struct db *db = NULL;
        if (db_open(path, set, &db, &err) < 0)
                fail_msg("%s", err.msg);
        return db;
}

static int64_t number(struct db *db, const char *sql)
{
        struct err err = ERR_INIT;
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        OK(db_query(db, &stmt, &err, sql, ""), &err);
        assert_int_equal(db_step(stmt, &err), 1);
        return db_i64(stmt, 0);
}

static void test_values(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        struct db *db = open_db(f.path, set_v1);
        int64_t changes = 0;
        OK(db_exec(db, &changes, &err, "INSERT INTO t VALUES(?,?,?)", "sib", "k", INT64_MIN, "\0\1", (size_t)2), &err);
        assert_int_equal(changes, 1);
        OK(db_exec(db, NULL, &err, "INSERT INTO t VALUES(?,?,NULL)", "si", "x'; DROP TABLE t; --", (int64_t)1), &err);
        struct db_stmt *stmt = NULL;
        OK(db_query(db, &stmt, &err, "SELECT k, n, b FROM t WHERE k=?", "s", "k"), &err);
        assert_int_equal(db_step(stmt, &err), 1);
        size_t len = 0;
        const void *blob = db_blob(stmt, 2, &len);
        assert_string_equal(db_str(stmt, 0), "k");
        assert_true(db_i64(stmt, 1) == INT64_MIN && len == 2 && memcmp(blob, "\0\1", 2) == 0);
        assert_int_equal(db_step(stmt, &err), 0);
        db_done(stmt);
        OK(db_query(db, &stmt, &err, "SELECT b FROM t WHERE n=?", "i", (int64_t)1), &err);
        assert_int_equal(db_step(stmt, &err), 1);
        assert_null(db_str(stmt, 0));
        db_done(stmt);
        struct stat st;
        assert_int_equal(stat(f.path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        db_close(db);
        fixture_done(&f);
}

static void test_errors(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        struct db *db = open_db(f.path, set_v1);
        struct db_stmt *stmt = NULL;
        OK(db_exec(db, NULL, &err, "INSERT INTO t(k) VALUES(?)", "s", "a"), &err);
        FAILS(db_exec(db, NULL, &err, "INSERT INTO t(k) VALUES(?)", "s", "a"), &err, ERR_CONFLICT);
        FAILS(db_exec(db, NULL, &err, "INSERT INTO child VALUES('missing')", ""), &err, ERR_CONFLICT);
        FAILS(db_exec(db, NULL, &err, "INSERT INTO t(k) VALUES(?)", ""), &err, ERR_INVALID);
        FAILS(db_exec(db, NULL, &err, "NONSENSE", ""), &err, ERR_INVALID);
        FAILS(db_query(db, &stmt, &err, "SELECT * FROM missing", ""), &err, ERR_INVALID);
        FAILS(db_query(db, &stmt, &err, "", ""), &err, ERR_INVALID);
        assert_null(stmt);
        FAILS(db_commit(db, &err), &err, ERR_INVALID);
        OK(db_begin(db, false, &err), &err);
        FAILS(db_begin(db, false, &err), &err, ERR_INVALID);
        db_rollback(db);
        assert_int_equal(number(db, "SELECT count(*) FROM t"), 1);
        db_close(db);
        FAILS(db_open("/nonexistent/x.db", set_v1, &db, &err), &err, ERR_NOT_FOUND);
        OK(file_write_at(f.fd, "x.db", "this is no database, it is a text of some length", 48, 0600, false, &err),
           &err);
        _cleanup_free_ char *wal = xasprintf("%s-wal", f.path);
        unlink(wal);
        FAILS(db_open(f.path, set_v1, &db, &err), &err, ERR_CORRUPT);
        fixture_done(&f);
}

static void test_rollback(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        struct db *db = open_db(f.path, set_v1);
        {
                _cleanup_rollback_ struct db *transaction = db;
                OK(db_begin(db, true, &err), &err);
                OK(db_exec(db, NULL, &err, "INSERT INTO t(k) VALUES('a')", ""), &err);
                assert_int_equal(number(db, "SELECT count(*) FROM t"), 1);
        }
        assert_int_equal(number(db, "SELECT count(*) FROM t"), 0);
        OK(db_begin(db, false, &err), &err);
        OK(db_exec(db, NULL, &err, "INSERT INTO t(k) VALUES('b')", ""), &err);
        db_close(db); /* with a transaction open: as if it never was */
        db = open_db(f.path, set_v1);
        assert_int_equal(number(db, "SELECT count(*) FROM t"), 0);
        db_close(db);
        fixture_done(&f);
}

/* One SQL text in use twice at the same time, and one address with changing text. */
static void test_statement_cache(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        struct db *db = open_db(f.path, set_v1);
        for (int64_t i = 0; i < 10; i++) {
                char key[16];
                snprintf(key, sizeof(key), "%d", (int)i);
                OK(db_exec(db, NULL, &err, "INSERT INTO t(k,n) VALUES(?,?)", "si", key, i), &err);
        }
        static const char sql[] = "SELECT n FROM t ORDER BY n";
        struct db_stmt *a, *b;
        int pairs = 0;
        OK(db_query(db, &a, &err, sql, ""), &err);
        while (db_step(a, &err) == 1) {
                OK(db_query(db, &b, &err, sql, ""), &err);
                while (db_step(b, &err) == 1)
                        pairs++;
                db_done(b);
        }
        db_done(a);
        assert_int_equal(pairs, 100);
        char changing[64] = "SELECT 1";
        assert_int_equal(number(db, changing), 1);
        snprintf(changing, sizeof(changing), "SELECT 2");
        assert_int_equal(number(db, changing), 2);
        db_close(db);
        fixture_done(&f);
}

static void test_migration(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        struct db *db = open_db(f.path, set_v1), *none = NULL;
        OK(db_exec(db, NULL, &err, "INSERT INTO t(k) VALUES('old')", ""), &err);
        db_close(db);
        db_close(open_db(f.path, set_both)); /* another program with one room more */
        db_close(open_db(f.path, set_v1));
        db = open_db(f.path, set_v2);
        assert_int_equal(number(db, "SELECT count(*) FROM t WHERE extra='new' AND k='old'"), 1);
        assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name='other'"), 1);
        db_close(db);
        FAILS(db_open(f.path, set_v1, &none, &err), &err, ERR_UNSUPPORTED);
        fixture_done(&f);
}

/* A migration that fails half way leaves nothing of it. */
static void test_failed_migration(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        struct db *none = NULL;
        FAILS(db_open(f.path, set_bad, &none, &err), &err, ERR_INVALID);
        struct db *db = open_db(f.path, set_v1);
        assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name='half'"), 0);
        db_close(db);
        fixture_done(&f);
}

enum { WRITERS = 50, ROUNDS = 10 };

/* Reads, then writes what it read plus one: a lost update or a refusal would show. */
static int write_in_turn(void *data)
{
        struct err err = ERR_INIT;
        for (int i = 0; i < ROUNDS; i++) {
                _cleanup_(db_closep) struct db *db = NULL;
                struct db_stmt *stmt;
                if (db_open(data, set_v1, &db, &err) < 0 || db_begin(db, i == 3, &err) < 0)
                        return fprintf(stderr, "%s\n", err.msg), 1;
                if (db_query(db, &stmt, &err, "SELECT n FROM t WHERE k='sum'", "") < 0 || db_step(stmt, &err) != 1)
                        return fprintf(stderr, "%s\n", err.msg), 2;
                int64_t n = db_i64(stmt, 0);
                db_done(stmt);
                if (db_exec(db, NULL, &err, "UPDATE t SET n=? WHERE k='sum'", "i", n + 1) < 0 ||
                    db_commit(db, &err) < 0)
                        return fprintf(stderr, "%s\n", err.msg), 3;
                if (db_exec(db, NULL, &err, "UPDATE t SET n=n+1 WHERE k='auto'", "") < 0)
                        return fprintf(stderr, "%s\n", err.msg), 4;
        }
        return 0;
}

static void test_parallel_writers(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        struct db *db = open_db(f.path, set_v1);
        OK(db_exec(db, NULL, &err, "INSERT INTO t(k,n) VALUES('sum',0),('auto',0)", ""), &err);
        db_close(db);
        pid_t pids[WRITERS];
        for (int i = 0; i < WRITERS; i++) {
                pids[i] = fork();
                if (pids[i] == 0)
                        _exit(write_in_turn(f.path));
        }
        for (int i = 0; i < WRITERS; i++) {
                int status;
                assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
                assert_int_equal(status, 0);
        }
        db = open_db(f.path, set_v1);
        assert_int_equal(number(db, "SELECT n FROM t WHERE k='sum'"), WRITERS * ROUNDS);
        assert_int_equal(number(db, "SELECT n FROM t WHERE k='auto'"), WRITERS * ROUNDS);
        db_close(db);
        fixture_done(&f);
}

static int create(void *data)
{
        struct err err = ERR_INIT;
        struct db *db = NULL;
        if (db_open(data, set_both, &db, &err) < 0)
                return fprintf(stderr, "%s\n", err.msg), 1;
        db_close(db);
        return 0;
}

static void test_parallel_creation(void **state)
{
        for (int round = 0; round < 5; round++) {
                struct fixture f = fixture_new();
                pid_t pids[20];
                for (size_t i = 0; i < ELEMENTS(pids); i++)
                        if ((pids[i] = fork()) == 0)
                                _exit(create(f.path));
                for (size_t i = 0; i < ELEMENTS(pids); i++) {
                        int status;
                        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
                        assert_int_equal(status, 0);
                }
                fixture_done(&f);
        }
}

/* Killed at any moment, also inside a transaction: the next one goes on, and what was committed together is there
 * together. */
static void write_pairs(const char *path)
{
        struct err err = ERR_INIT;
        struct db *db = NULL;
        if (db_open(path, set_v1, &db, &err) < 0)
                _exit(1);
        for (;;) {
                if (db_begin(db, false, &err) < 0 ||
                    db_exec(db, NULL, &err, "UPDATE t SET n=n+1 WHERE k='a'", "") < 0 ||
                    db_exec(db, NULL, &err, "UPDATE t SET n=n+1 WHERE k='b'", "") < 0 || db_commit(db, &err) < 0)
                        _exit(1);
        }
}

static void test_kill(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        struct db *db = open_db(f.path, set_v1);
        OK(db_exec(db, NULL, &err, "INSERT INTO t(k,n) VALUES('a',0),('b',0)", ""), &err);
        db_close(db);
        for (useconds_t i = 0; i < 30; i++) {
                pid_t pid = fork();
                if (pid == 0)
                        write_pairs(f.path);
                usleep(2000 + i * 331);
                kill(pid, SIGKILL);
                int status;
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFSIGNALED(status));
                db = open_db(f.path, set_v1);
                assert_int_equal(number(db, "SELECT n FROM t WHERE k='a'"), number(db, "SELECT n FROM t WHERE k='b'"));
                OK(db_exec(db, NULL, &err, "UPDATE t SET n=n+1", ""), &err);
                db_close(db);
        }
        db = open_db(f.path, set_v1);
        assert_true(number(db, "SELECT n FROM t WHERE k='a'") > 30);
        db_close(db);
        fixture_done(&f);
}

/* A child of a writer that lives on must not keep the writers' lock. */
static void test_forget(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid_t writer = fork();
        if (writer == 0) {
                struct db *db = open_db(f.path, set_v1);
                if (db_begin(db, false, &err) < 0)
                        _exit(1);
                pid_t child = fork();
                if (child == 0) {
                        db_forget(db);
                        if (write(ends[1], &(pid_t){ getpid() }, sizeof(pid_t)) < 0)
                                _exit(1);
                        alarm(20);
                        pause();
                        _exit(0);
                }
                pause();
                _exit(0);
        }
        pid_t child = 0;
        assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
        kill(writer, SIGKILL);
        assert_int_equal(waitpid(writer, NULL, 0), writer);
        alarm(10); /* a lock that is kept must not hang the tests */
        struct db *db = open_db(f.path, set_v1);
        OK(db_exec(db, NULL, &err, "INSERT INTO t(k) VALUES('a')", ""), &err);
        alarm(0);
        db_close(db);
        kill(child, SIGKILL);
        close(ends[0]);
        close(ends[1]);
        fixture_done(&f);
}

/* The log is emptied now and then, also while nobody else has the database open. */
static void test_log_stays_short(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        _cleanup_free_ char *wal = xasprintf("%s-wal", f.path);
        off_t longest = 0;
        for (int64_t i = 0; i < 300; i++) {
                struct db *db = open_db(f.path, set_v1);
                char key[16], blob[1000] = "";
                snprintf(key, sizeof(key), "%d", (int)i);
                OK(db_exec(db, NULL, &err, "INSERT INTO t VALUES(?,?,?)", "sib", key, i, blob, sizeof(blob)), &err);
                db_close(db);
                struct stat st;
                assert_int_equal(stat(wal, &st), 0);
                longest = st.st_size > longest ? st.st_size : longest;
        }
        assert_true(longest > 100000 && longest < 1000000);
        fixture_done(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_errors),
                cmocka_unit_test(test_rollback),
                cmocka_unit_test(test_statement_cache),
                cmocka_unit_test(test_migration),
                cmocka_unit_test(test_failed_migration),
                cmocka_unit_test(test_parallel_writers),
                cmocka_unit_test(test_parallel_creation),
                cmocka_unit_test(test_kill),
                cmocka_unit_test(test_forget),
                cmocka_unit_test(test_log_stays_short),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

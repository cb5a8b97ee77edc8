#include "base/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/db-internal.h"
#include "base/file.h"

enum {
        BUSY_WAIT_MS = 30000, /* the backstop behind the ticket: recovery after a crash, a checkpoint */
        WAL_PAGES = 128, /* length of the log at which a commit moves it into the database */
};

/* --- errors --- */

static enum err_kind kind_of(int code)
{
        static const struct {
                int code;
                enum err_kind kind;
        } kinds[] = {
                { SQLITE_CONSTRAINT, ERR_CONFLICT }, { SQLITE_BUSY, ERR_UNAVAILABLE },
                { SQLITE_LOCKED, ERR_UNAVAILABLE },  { SQLITE_CORRUPT, ERR_CORRUPT },
                { SQLITE_NOTADB, ERR_CORRUPT },      { SQLITE_PERM, ERR_DENIED },
                { SQLITE_READONLY, ERR_DENIED },     { SQLITE_TOOBIG, ERR_TOO_LARGE },
                { SQLITE_RANGE, ERR_INVALID },       { SQLITE_ERROR, ERR_INVALID },
                { SQLITE_MISUSE, ERR_INVALID },      { SQLITE_MISMATCH, ERR_INVALID },
        };
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (kinds[i].code == (code & 0xff))
                        return kinds[i].kind;
        return ERR_SYSTEM;
}

int db_error(struct db *db, const char *doing, struct err *err)
{
        int code = sqlite3_errcode(db->handle), sys = sqlite3_system_errno(db->handle);
        err_set(err, kind_of(code), "%s: %s", doing, sqlite3_errmsg(db->handle));
        if (err->kind == ERR_SYSTEM)
                err->sys = sys;
        return -1;
}

/* --- opening --- */

/* Waits in small steps: those who meet the backstop wait for something that takes well under a millisecond. */
static int wait_busy(void *data, int count)
{
        static const int step_us[] = { 100, 200, 500, 1000, 2000, 5000 };
        struct db *db = data;
        if (count == 0)
                db->busy_us = 0;
        int us = step_us[(size_t)count < ELEMENTS(step_us) ? (size_t)count : ELEMENTS(step_us) - 1];
        db->busy_us += us;
        usleep((useconds_t)us);
        return db->busy_us < (int64_t)BUSY_WAIT_MS * 1000;
}

static int note_wal_pages(void *data, sqlite3 *handle, const char *name, int pages)
{
        struct db *db = data;
        db->wal_pages = pages;
        return SQLITE_OK;
}

/* SQLite would create the file readable for all; its log and index take the mode of the file. An existing one is left
 * alone: to open and close it here would drop the locks of another handle in this process. */
static int create_file(const char *path, struct err *err)
{
        struct stat st;
        if (stat(path, &st) == 0)
                return 0;
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
                return err_sys(err, "create %s", path);
        return 0;
}

static void configure(struct db *db)
{
        static const int settings[][2] = {
                { SQLITE_DBCONFIG_ENABLE_FKEY, 1 },
                { SQLITE_DBCONFIG_DEFENSIVE, 1 },
                { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
                /* A program lives for milliseconds: the last one to close would pay for a checkpoint each time. */
                { SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 },
        };
        for (size_t i = 0; i < ELEMENTS(settings); i++)
                sqlite3_db_config(db->handle, settings[i][0], settings[i][1], NULL);
        sqlite3_extended_result_codes(db->handle, 1);
        sqlite3_busy_handler(db->handle, wait_busy, db);
        sqlite3_wal_hook(db->handle, note_wal_pages, db);
}

const char *db_path(const struct db *db)
{
        return db->path;
}

int db_open(const char *path, const struct db_schema *const *schemas, struct db **ret_db, struct err *err)
{
        if (create_file(path, err) < 0)
                return -1;
        _cleanup_(db_closep) struct db *db = xcalloc(1, sizeof(*db));
        db->ticket_fd = -1;
        db->path = xstrdup(path);
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
        if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK) {
                if (!db->handle)
                        abort(); /* out of memory */
                db_error(db, path, err);
                return -1;
        }
        configure(db);
        if (db_schema_apply(db, schemas, err) < 0)
                return err_add(err, "open %s", path);
        *ret_db = TAKE_PTR(db);
        return 0;
}

static void statements_free(struct db *db)
{
        for (size_t i = 0; i < db->count; i++) {
                sqlite3_finalize(db->statements[i]->handle);
                free(db->statements[i]);
        }
        free(db->statements);
        db->statements = NULL;
        db->count = 0;
}

void db_close(struct db *db)
{
        if (!db)
                return;
        db_rollback(db);
        statements_free(db);
        sqlite3_close_v2(db->handle);
        mem_closep(&db->ticket_fd);
        free(db->path);
        free(db);
}

void db_forget(struct db *db)
{
        if (!db)
                return;
        /* The lock behind the ticket is shared with the parent, who unlocks it by name of the lock and not by
         * closing; a copy left open here would keep the lock should he be killed. SQLite's own descriptors and
         * memory are left as they are: closing them is what its documentation forbids. */
        mem_closep(&db->ticket_fd);
}

/* --- transactions --- */

static int run(struct db *db, const char *sql, struct err *err)
{
        return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_error(db, sql, err);
}

/* flock(2) on a file beside the database. The kernel lets the waiters sleep and wakes them when the lock is free,
 * also when its holder was killed. The descriptor is kept for the next transaction. */
static int ticket_take(struct db *db, struct err *err)
{
        if (db->ticket_fd < 0) {
                _cleanup_free_ char *path = xasprintf("%s-lock", db->path);
                db->ticket_fd = file_lock_at(AT_FDCWD, path, true, true, err);
                return db->ticket_fd < 0 ? -1 : 0;
        }
        while (flock(db->ticket_fd, LOCK_EX) < 0)
                if (errno != EINTR)
                        return err_sys(err, "lock %s", db->path);
        return 0;
}

static void ticket_give(struct db *db)
{
        flock(db->ticket_fd, LOCK_UN);
}

static int set_synchronous(struct db *db, bool full, struct err *err)
{
        if (db->synchronous == (full ? 2 : 1))
                return 0;
        if (run(db, full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", err) < 0)
                return -1;
        db->synchronous = full ? 2 : 1;
        return 0;
}

static int begin(struct db *db, bool durable, db_prepare_fn prepare, struct err *err)
{
        if (db->open)
                return err_set(err, ERR_INVALID, "a transaction is open already");
        if (set_synchronous(db, durable, err) < 0 || ticket_take(db, err) < 0)
                return -1;
        if ((prepare && prepare(db, err) < 0) || run(db, "BEGIN IMMEDIATE", err) < 0) {
                ticket_give(db);
                return -1;
        }
        db->open = true;
        return 0;
}

int db_begin(struct db *db, bool durable, struct err *err)
{
        return begin(db, durable, NULL, err);
}

int db_begin_prepared(struct db *db, db_prepare_fn prepare, struct err *err)
{
        return begin(db, true, prepare, err);
}

/* Moves the log into the database and empties it, each time it has grown past another WAL_PAGES. Emptied it must be:
 * the first to open a database that nobody has open reads the whole log. Where readers forbid that, the next try is
 * made WAL_PAGES later. It happens under the ticket, where it disturbs only those who wait anyway. */
static void shorten_log(struct db *db)
{
        int written = 0, unused = 0;
        sqlite3_db_status(db->handle, SQLITE_DBSTATUS_CACHE_WRITE, &written, &unused, 1);
        if (db->wal_pages / WAL_PAGES == (db->wal_pages - written) / WAL_PAGES && written < WAL_PAGES)
                return;
        sqlite3_busy_timeout(db->handle, 0); /* do not wait for readers */
        sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_busy_handler(db->handle, wait_busy, db);
}

int db_commit(struct db *db, struct err *err)
{
        if (!db->open)
                return err_set(err, ERR_INVALID, "no transaction is open");
        if (run(db, "COMMIT", err) < 0) {
                db_rollback(db);
                return -1;
        }
        db->open = false;
        shorten_log(db);
        ticket_give(db);
        return 0;
}

void db_rollback(struct db *db)
{
        if (!db->open)
                return;
        /* Fails where an error has ended the transaction already, which is as good. */
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
        db->open = false;
        ticket_give(db);
}

/* --- statements --- */

static struct db_stmt *statement_prepare(struct db *db, const char *sql, struct err *err)
{
        sqlite3_stmt *handle = NULL;
        if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, NULL) != SQLITE_OK) {
                db_error(db, sql, err);
                return NULL;
        }
        if (!handle) {
                err_set(err, ERR_INVALID, "empty statement");
                return NULL;
        }
        struct db_stmt *stmt = xcalloc(1, sizeof(*stmt));
        stmt->db = db;
        stmt->handle = handle;
        stmt->sql = sql;
        db->statements = xreallocarray(db->statements, db->count + 1, sizeof(*db->statements));
        db->statements[db->count++] = stmt;
        return stmt;
}

/* The address alone is not trusted: a caller may have formatted other words into the same memory. A statement that
 * is in use (recursion, nested loops) gets a second copy. */
static struct db_stmt *statement_find(struct db *db, const char *sql, struct err *err)
{
        for (size_t i = 0; i < db->count; i++) {
                struct db_stmt *stmt = db->statements[i];
                if (stmt->sql == sql && !stmt->in_use && strcmp(sqlite3_sql(stmt->handle), sql) == 0)
                        return stmt;
        }
        return statement_prepare(db, sql, err);
}

static int bind_one(sqlite3_stmt *handle, int index, char type, va_list *ap)
{
        const char *text;
        const void *blob;
        switch (type) {
        case 's':
                text = va_arg(*ap, const char *);
                return sqlite3_bind_text(handle, index, text, -1, SQLITE_STATIC);
        case 'i':
                return sqlite3_bind_int64(handle, index, va_arg(*ap, int64_t));
        case 'b':
                blob = va_arg(*ap, const void *);
                return sqlite3_bind_blob64(handle, index, blob, va_arg(*ap, size_t), SQLITE_STATIC);
        default:
                return SQLITE_MISUSE;
        }
}

static int statement_bind(struct db *db, struct db_stmt *stmt, const char *format, va_list *ap, struct err *err)
{
        size_t count = format ? strlen(format) : 0;
        if ((size_t)sqlite3_bind_parameter_count(stmt->handle) != count)
                return err_set(err, ERR_INVALID, "%zu values for: %s", count, stmt->sql);
        for (size_t i = 0; i < count; i++)
                if (bind_one(stmt->handle, (int)i + 1, format[i], ap) != SQLITE_OK)
                        return err_set(err, ERR_INVALID, "cannot bind value %zu of: %s", i + 1, stmt->sql);
        return 0;
}

static int query(struct db *db, struct db_stmt **ret_stmt, struct err *err, const char *sql, const char *format,
                 va_list *ap)
{
        struct db_stmt *stmt = statement_find(db, sql, err);
        if (!stmt)
                return -1;
        stmt->in_use = true;
        if (statement_bind(db, stmt, format, ap, err) < 0) {
                db_done(stmt);
                return -1;
        }
        *ret_stmt = stmt;
        return 0;
}

int db_query(struct db *db, struct db_stmt **ret_stmt, struct err *err, const char *sql, const char *format, ...)
{
        va_list ap;
        va_start(ap, format);
        int r = query(db, ret_stmt, err, sql, format, &ap);
        va_end(ap);
        return r;
}

int db_step(struct db_stmt *stmt, struct err *err)
{
        int code = sqlite3_step(stmt->handle);
        if (code == SQLITE_ROW)
                return 1;
        return code == SQLITE_DONE ? 0 : db_error(stmt->db, stmt->sql, err);
}

int64_t db_i64(struct db_stmt *stmt, int column)
{
        return sqlite3_column_int64(stmt->handle, column);
}

const char *db_str(struct db_stmt *stmt, int column)
{
        return (const char *)sqlite3_column_text(stmt->handle, column);
}

const void *db_blob(struct db_stmt *stmt, int column, size_t *ret_len)
{
        const void *data = sqlite3_column_blob(stmt->handle, column);
        *ret_len = (size_t)sqlite3_column_bytes(stmt->handle, column);
        return data;
}

void db_done(struct db_stmt *stmt)
{
        if (!stmt)
                return;
        sqlite3_reset(stmt->handle);
        sqlite3_clear_bindings(stmt->handle);
        stmt->in_use = false;
}

static int step_to_end(struct db_stmt *stmt, int64_t *ret_changes, struct err *err)
{
        int r;
        while ((r = db_step(stmt, err)) > 0)
                ;
        if (r == 0 && ret_changes)
                *ret_changes = sqlite3_changes64(stmt->db->handle);
        return r;
}

int db_exec(struct db *db, int64_t *ret_changes, struct err *err, const char *sql, const char *format, ...)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        va_list ap;
        va_start(ap, format);
        int r = query(db, &stmt, err, sql, format, &ap);
        va_end(ap);
        if (r < 0)
                return -1;
        if (db->open || sqlite3_stmt_readonly(stmt->handle))
                return step_to_end(stmt, ret_changes, err);
        /* A write on its own waits its turn like any other. */
        if (db_begin(db, false, err) < 0)
                return -1;
        r = step_to_end(stmt, ret_changes, err);
        db_done(TAKE_PTR(stmt));
        if (r < 0) {
                db_rollback(db);
                return -1;
        }
        return db_commit(db, err);
}

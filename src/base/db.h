/* A thin layer over SQLite: one file, WAL, short write transactions that wait fairly.
 *
 * Rooms declare their tables as a `struct db_schema`; db_open() creates and migrates all of them in one transaction the
 * first time and costs one PRAGMA after that. Writers take BEGIN IMMEDIATE; a busy writer waits on an flock'd ticket
 * file beside the database (fair, wakes at once) and not by sleeping, so that 800 parallel starts all get their turn.
 * Foreign keys are enforced. A write by db_exec() outside a transaction is one of its own (not durable).
 * A child after fork() must not touch the handle: db_forget() it.
 */
#ifndef TARE_BASE_DB_H
#define TARE_BASE_DB_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/mem.h"

struct db;
struct db_stmt;

struct db_schema {
        const char *name;              /* room, e.g. "image" */
        const char *const *steps;      /* NULL-terminated SQL scripts; step i migrates version i to i + 1 */
};

/* Opens or creates `path` (mode 0600). schemas: NULL-terminated array of pointers, static storage. */
int db_open(const char *path, const struct db_schema *const *schemas, struct db **ret_db, struct err *err);
void db_close(struct db *db);
DEFINE_CLEANUP(struct db *, db_close)
/* The file given to db_open(); borrowed. */
const char *db_path(const struct db *db);
/* In a forked child: drops the handle without touching the file (its descriptors are left to exec's O_CLOEXEC). */
void db_forget(struct db *db);

/* durable: this transaction's commit is synced to disk (images, names); otherwise it survives kill -9 but the last ones
 * may be lost, wholly, in a power cut (a container's start). Transactions do not nest. */
int db_begin(struct db *db, bool durable, struct err *err);
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);       /* no-op when none is open: made for cleanup */
static inline void db_rollbackp(struct db **db) { if (*db) db_rollback(*db); }
#define _cleanup_rollback_ _cleanup_(db_rollbackp)

/* Prepares (cached per handle by the SQL's address: pass string literals) and binds by format:
 * 's' const char * (NULL allowed), 'i' int64_t, 'b' const void * and size_t. Bound strings must live until db_done. */
int db_query(struct db *db, struct db_stmt **ret_stmt, struct err *err, const char *sql, const char *format, ...);
/* 1 a row, 0 end, -1 error. */
int db_step(struct db_stmt *stmt, struct err *err);
int64_t db_i64(struct db_stmt *stmt, int column);
const char *db_str(struct db_stmt *stmt, int column);  /* valid until the next step; NULL for SQL NULL */
const void *db_blob(struct db_stmt *stmt, int column, size_t *ret_len);
void db_done(struct db_stmt *stmt);    /* resets; every db_query that succeeded needs one */
DEFINE_CLEANUP(struct db_stmt *, db_done)
#define _cleanup_stmt_ _cleanup_(db_donep)

/* A statement without rows; *ret_changes may be NULL. A violated constraint (UNIQUE, FOREIGN KEY) is ERR_CONFLICT. */
int db_exec(struct db *db, int64_t *ret_changes, struct err *err, const char *sql, const char *format, ...);

#endif

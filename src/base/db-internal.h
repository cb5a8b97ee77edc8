/* What db.c and schema.c share. */
#ifndef TARE_BASE_DB_INTERNAL_H
#define TARE_BASE_DB_INTERNAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/db.h"

struct db_stmt {
        struct db *db;
        sqlite3_stmt *handle;
        const char *sql;               /* the address the caller gave */
        bool in_use;
};

struct db {
        sqlite3 *handle;
        char *path;
        int ticket_fd;                 /* -1 until the first write */
        bool open;                     /* a transaction is; the ticket is held */
        int synchronous;               /* 0: as opened, 1: NORMAL, 2: FULL */
        int wal_pages;                 /* as of our last commit */
        int64_t busy_us;
        struct db_stmt **statements;
        size_t count;
};

/* Sets *err from the handle's last error. */
int db_error(struct db *db, const char *doing, struct err *err);
/* db_begin(durable) that calls `prepare` once it has the ticket and before BEGIN. */
typedef int (*db_prepare_fn)(struct db *db, struct err *err);
int db_begin_prepared(struct db *db, db_prepare_fn prepare, struct err *err);
/* Brings every schema up to date; one PRAGMA when all are. */
int db_schema_apply(struct db *db, const struct db_schema *const *schemas, struct err *err);

#endif

/* Versions of the rooms' tables. `PRAGMA user_version` holds a sum over names and versions, so that a program whose
 * rooms are those of the last migration sees with one read that nothing is to do. Another program, with fewer rooms,
 * compares the table `schema_version` instead; neither writes unless a step is missing. */
#include "base/db-internal.h"

#include <sqlite3.h>
#include <string.h>

static int64_t version_wanted(const struct db_schema *schema)
{
        int64_t count = 0;
        while (schema->steps[count])
                count++;
        return count;
}

/* FNV-1a over "name\0version" of each; 0 is what a new file has. */
static int32_t schemas_sum(const struct db_schema *const *schemas)
{
        uint32_t h = 2166136261U;
        for (; *schemas; schemas++) {
                for (const char *s = (*schemas)->name; *s; s++)
                        h = (h ^ (unsigned char)*s) * 16777619U;
                h = (h ^ (uint32_t)version_wanted(*schemas)) * 16777619U;
        }
        h &= 0x7fffffff;
        return h ? (int32_t)h : 1;
}

static int query_number(struct db *db, const char *sql, int64_t *ret, struct err *err)
{
        sqlite3_stmt *stmt = NULL;
        int code = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_step(stmt);
        int r = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : db_error(db, "read the schema's version", err);
        if (code == SQLITE_ROW)
                *ret = sqlite3_column_int64(stmt, 0);
        sqlite3_finalize(stmt);
        return r;
}

/* *ret: the version in the file, 0 when it does not know the room. */
static int version_of(struct db *db, const char *name, int64_t *ret, struct err *err)
{
        int64_t version = 0;
        char sql[160];
        sqlite3_snprintf(sizeof(sql), sql, "SELECT version FROM schema_version WHERE name=%Q", name);
        if (query_number(db, sql, &version, err) < 0)
                return -1;
        *ret = version;
        return 0;
}

/* 1: all are up to date. */
static int is_current(struct db *db, const struct db_schema *const *schemas, struct err *err)
{
        int64_t known = 0;
        if (query_number(db, "SELECT count(*) FROM sqlite_schema WHERE name='schema_version'", &known, err) < 0)
                return -1;
        for (; known && *schemas; schemas++) {
                int64_t version;
                if (version_of(db, (*schemas)->name, &version, err) < 0)
                        return -1;
                if (version > version_wanted(*schemas))
                        return err_set(err, ERR_UNSUPPORTED,
                                       "the tables of %s are of version %lld, made by a newer program",
                                       (*schemas)->name, (long long)version);
                if (version < version_wanted(*schemas))
                        return 0;
        }
        return known ? 1 : 0;
}

static int run(struct db *db, const char *sql, const char *name, struct err *err)
{
        if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK)
                return 0;
        db_error(db, "migrate", err);
        return err_add(err, "%s", name);
}

static int migrate_one(struct db *db, const struct db_schema *schema, struct err *err)
{
        int64_t version = 0, wanted = version_wanted(schema);
        char sql[200];
        if (version_of(db, schema->name, &version, err) < 0)
                return -1;
        for (int64_t i = version; i < wanted; i++)
                if (run(db, schema->steps[i], schema->name, err) < 0)
                        return -1;
        sqlite3_snprintf(sizeof(sql), sql, "INSERT OR REPLACE INTO schema_version VALUES(%Q,%lld)", schema->name,
                         (long long)wanted);
        return version == wanted ? 0 : run(db, sql, schema->name, err);
}

static int migrate_all(struct db *db, const struct db_schema *const *schemas, struct err *err)
{
        char sql[64];
        if (run(db,
                "CREATE TABLE IF NOT EXISTS schema_version(name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT "
                "ROWID",
                "schema", err) < 0)
                return -1;
        sqlite3_snprintf(sizeof(sql), sql, "PRAGMA user_version=%d", schemas_sum(schemas));
        for (; *schemas; schemas++)
                if (migrate_one(db, *schemas, err) < 0)
                        return -1;
        return run(db, sql, "schema", err);
}

/* The mode lives in the file; setting it needs the file for itself, hence under the ticket and before the
 * transaction. */
static int make_wal(struct db *db, struct err *err)
{
        int64_t ignored;
        return query_number(db, "PRAGMA journal_mode=WAL", &ignored, err);
}

int db_schema_apply(struct db *db, const struct db_schema *const *schemas, struct err *err)
{
        int64_t found = 0;
        if (query_number(db, "PRAGMA user_version", &found, err) < 0)
                return -1;
        if (found == schemas_sum(schemas))
                return 0;
        int current = found ? is_current(db, schemas, err) : 0;
        if (current != 0)
                return current < 0 ? -1 : 0;
        _cleanup_rollback_ struct db *transaction = db;
        if (db_begin_prepared(db, make_wal, err) < 0)
                return -1;
        /* Somebody may have done it while we waited for our turn. */
        current = is_current(db, schemas, err);
        if (current < 0 || (current == 0 && migrate_all(db, schemas, err) < 0))
                return -1;
        return db_commit(db, err);
}

/* The database: opening it, its schema and its versions, and how every statement is run.
 *
 * PRAGMA user_version holds the schema's version. migrations[i] leads from version i to i + 1; they
 * are only ever added to.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "db_statement.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <posix/log.h>

#define BUSY_MS 5000

static const char *const migrations[] = {
    "CREATE TABLE module ("
    " sha256 TEXT PRIMARY KEY, sha1 TEXT NOT NULL, size INTEGER NOT NULL,"
    " signature BLOB NOT NULL, sig_sha256 TEXT NOT NULL, sig_sha1 TEXT NOT NULL,"
    " fleet TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, sequence INTEGER NOT NULL,"
    " manifest TEXT NOT NULL, uploaded_at INTEGER NOT NULL, uploaded_by TEXT NOT NULL,"
    " UNIQUE (fleet, name, sequence)) STRICT;"

    /* a channel is made by its first assignment or its first device, whichever comes first */
    "CREATE TABLE channel (name TEXT PRIMARY KEY, assigned_at INTEGER, assigned_by TEXT) STRICT;"
    "CREATE TABLE channel_module (channel TEXT NOT NULL REFERENCES channel, position INTEGER,"
    " sha256 TEXT NOT NULL REFERENCES module, PRIMARY KEY (channel, position)) STRICT;"

    "CREATE TABLE device (id TEXT PRIMARY KEY, channel TEXT REFERENCES channel,"
    " token_sha256 BLOB NOT NULL, created_at INTEGER NOT NULL, last_seen_at INTEGER,"
    " attributes TEXT NOT NULL DEFAULT '{}', attributes_at INTEGER) STRICT;"
    "CREATE INDEX device_channel ON device (channel);"
    "CREATE TABLE installed (device TEXT NOT NULL REFERENCES device, name TEXT NOT NULL,"
    " version TEXT NOT NULL, sequence INTEGER NOT NULL, sha256 TEXT NOT NULL,"
    " PRIMARY KEY (device, name)) STRICT;"

    /* state: pending (made), running (the device has it), finished, failed, superseded */
    "CREATE TABLE action (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " device TEXT NOT NULL REFERENCES device, channel TEXT NOT NULL, state TEXT NOT NULL,"
    " detail TEXT NOT NULL DEFAULT '', created_at INTEGER NOT NULL,"
    " changed_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX action_device ON action (device, id);"
    "CREATE UNIQUE INDEX action_open ON action (device) WHERE state IN ('pending', 'running');"
    "CREATE TABLE action_module (action INTEGER NOT NULL REFERENCES action, position INTEGER,"
    " sha256 TEXT NOT NULL REFERENCES module, PRIMARY KEY (action, position)) STRICT;"
    "CREATE TABLE feedback (id INTEGER PRIMARY KEY, action INTEGER NOT NULL REFERENCES action,"
    " at INTEGER NOT NULL, execution TEXT NOT NULL, finished TEXT NOT NULL,"
    " details TEXT NOT NULL) STRICT;"
    "CREATE INDEX feedback_action ON feedback (action);"

    "CREATE TABLE event (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " device TEXT NOT NULL REFERENCES device, device_event INTEGER NOT NULL,"
    " content BLOB NOT NULL, received_at INTEGER NOT NULL, event TEXT NOT NULL,"
    " module TEXT NOT NULL, version TEXT NOT NULL, sequence INTEGER NOT NULL,"
    " sha256 TEXT NOT NULL, detail TEXT NOT NULL, uptime_ms INTEGER NOT NULL,"
    " UNIQUE (device, device_event, content)) STRICT;"
    "CREATE INDEX event_device ON event (device, id);",

    "CREATE TABLE native ("
    " sha256 TEXT NOT NULL, sha1 TEXT NOT NULL, size INTEGER NOT NULL, claim BLOB NOT NULL,"
    " sig_sha256 TEXT NOT NULL, sig_sha1 TEXT NOT NULL, module TEXT NOT NULL REFERENCES module,"
    " target INTEGER NOT NULL, uploaded_at INTEGER NOT NULL, uploaded_by TEXT NOT NULL,"
    " PRIMARY KEY (module, target)) STRICT;"
    "CREATE INDEX native_sha256 ON native (sha256);",

    "CREATE TABLE keyset ("
    " fleet TEXT NOT NULL, version INTEGER NOT NULL, sha256 TEXT NOT NULL, bytes BLOB NOT NULL,"
    " uploaded_at INTEGER NOT NULL, uploaded_by TEXT NOT NULL,"
    " PRIMARY KEY (fleet, version)) STRICT;",

    "CREATE TABLE postmortem (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " device TEXT NOT NULL REFERENCES device, number INTEGER NOT NULL, content TEXT NOT NULL,"
    " received_at INTEGER NOT NULL, event TEXT NOT NULL, module TEXT NOT NULL,"
    " version TEXT NOT NULL, sequence INTEGER NOT NULL, sha256 TEXT NOT NULL,"
    " detail TEXT NOT NULL, size INTEGER NOT NULL, bytes BLOB NOT NULL,"
    " UNIQUE (device, number, content)) STRICT;",
};
#define VERSION ((int)(sizeof migrations / sizeof *migrations))

/* ---- Statements ------------------------------------------------------------------------------ */

int sm_db_trouble(sqlite3 *sql, const char *what)
{
    int code = sqlite3_errcode(sql);
    sm_log(SM_LOG_ERROR, "database: %s: %s", what, sqlite3_errmsg(sql));
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return SM_ERR_BUSY;
    return code == SQLITE_FULL ? SM_ERR_FULL : SM_ERR_IO;
}

static int bind(sqlite3_stmt *st, int i, char type, va_list *args)
{
    switch (type) {
    case 't': return sqlite3_bind_text(st, i, va_arg(*args, const char *), -1, SQLITE_TRANSIENT);
    case 'i': return sqlite3_bind_int64(st, i, va_arg(*args, sqlite3_int64));
    case 'b': { /* a blob: pointer, then int length */
        const void *p = va_arg(*args, const void *);
        return sqlite3_bind_blob(st, i, p, va_arg(*args, int), SQLITE_TRANSIENT);
    }
    default: return SQLITE_MISUSE;
    }
}

sqlite3_stmt *sm_db_prepare(sqlite3 *sql, const char *text, const char *types, ...)
{
    sqlite3_stmt *st = NULL;
    int r = sqlite3_prepare_v2(sql, text, -1, &st, NULL);
    va_list args;
    va_start(args, types);
    for (int i = 0; r == SQLITE_OK && types[i]; i++)
        r = bind(st, i + 1, types[i], &args);
    va_end(args);
    if (r == SQLITE_OK)
        return st;
    sm_db_trouble(sql, text);
    sqlite3_finalize(st);
    return NULL;
}

int sm_db_row(sqlite3_stmt *st)
{
    int r = st ? sqlite3_step(st) : SQLITE_ERROR;
    if (r == SQLITE_ROW)
        return 1;
    if (r == SQLITE_DONE)
        return 0;
    return st ? sm_db_trouble(sqlite3_db_handle(st), sqlite3_sql(st)) : SM_ERR_IO;
}

int sm_db_done(sqlite3_stmt *st)
{
    int r = sm_db_row(st);
    sqlite3_finalize(st);
    return r < 0 ? r : 0;
}

void sm_db_text(sqlite3_stmt *st, int column, char *out, size_t size)
{
    const unsigned char *text = sqlite3_column_text(st, column);
    snprintf(out, size, "%s", text ? (const char *)text : "");
}

static int run(sqlite3 *sql, const char *text)
{
    return sqlite3_exec(sql, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : sm_db_trouble(sql, text);
}

int sm_fleet_db_begin(struct sm_fleet_db *db)
{
    return run(db->sql, "BEGIN IMMEDIATE");
}

int sm_fleet_db_end(struct sm_fleet_db *db, int err)
{
    if (!err)
        err = run(db->sql, "COMMIT");
    if (err && !sqlite3_get_autocommit(db->sql))
        run(db->sql, "ROLLBACK");
    return err;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static int version(sqlite3 *sql)
{
    sqlite3_stmt *st = sm_db_prepare(sql, "PRAGMA user_version", "");
    int r = sm_db_row(st);
    int v = r > 0 ? sqlite3_column_int(st, 0) : SM_ERR_IO;
    sqlite3_finalize(st);
    return v;
}

/* Inside the transaction, so two servers that start at once do not both migrate. */
static int migrate(struct sm_fleet_db *db)
{
    int err = sm_fleet_db_begin(db);
    if (err)
        return err;
    int have = version(db->sql);
    if (have < 0)
        err = have;
    else if (have > VERSION) {
        sm_log(SM_LOG_ERROR, "database: made by a newer server (schema %d, this one knows %d)",
               have, VERSION);
        err = SM_ERR_UNSUPPORTED;
    }
    for (int i = have; !err && i < VERSION; i++)
        err = run(db->sql, migrations[i]);
    if (!err && have != VERSION) {
        char text[64];
        snprintf(text, sizeof text, "PRAGMA user_version = %d", VERSION);
        err = run(db->sql, text);
    }
    return sm_fleet_db_end(db, err);
}

static int open_one(sqlite3 **sql, const char *path, const char *synchronous)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, sql, flags, NULL) != SQLITE_OK) {
        sm_log(SM_LOG_ERROR, "database: %s: %s", path, sqlite3_errmsg(*sql));
        return SM_ERR_IO;
    }
    sqlite3_busy_timeout(*sql, BUSY_MS);
    int err = run(*sql, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON");
    return err ? err : run(*sql, synchronous);
}

int sm_fleet_db_open(struct sm_fleet_db *db, const char *path)
{
    memset(db, 0, sizeof *db);
    int err = open_one(&db->sql, path, "PRAGMA synchronous = FULL");
    if (!err)
        err = migrate(db);
    if (!err)
        err = open_one(&db->quick, path, "PRAGMA synchronous = NORMAL");
    if (err)
        sm_fleet_db_close(db);
    return err;
}

void sm_fleet_db_close(struct sm_fleet_db *db)
{
    sqlite3_close(db->quick);
    sqlite3_close(db->sql);
    db->sql = db->quick = NULL;
}

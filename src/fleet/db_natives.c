/* Native images in the database: at most one of a module and a target, the latest.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "db_modules.h"

#define COLUMNS                                                                                    \
    "n.sha256, n.sha1, n.size, n.claim, n.sig_sha256, n.sig_sha1, n.module, n.target, m.name"
#define FROM " FROM native n JOIN module m ON m.sha256 = n.module"

void sm_fleet_native_file(const struct sm_fleet_native *n, char out[SM_FLEET_NATIVE_FILE])
{
    snprintf(out, SM_FLEET_NATIVE_FILE, "%s.%u.native", n->name, (unsigned)n->target);
}

static void take(sqlite3_stmt *st, struct sm_fleet_native *n)
{
    memset(n, 0, sizeof *n);
    sm_db_text(st, 0, n->sha256, sizeof n->sha256);
    sm_db_text(st, 1, n->sha1, sizeof n->sha1);
    n->size = (uint64_t)sqlite3_column_int64(st, 2);
    int len = sqlite3_column_bytes(st, 3);
    if (len > 0 && len <= (int)sizeof n->claim) {
        n->claim_len = (uint32_t)len;
        memcpy(n->claim, sqlite3_column_blob(st, 3), n->claim_len);
    }
    sm_db_text(st, 4, n->sig_sha256, sizeof n->sig_sha256);
    sm_db_text(st, 5, n->sig_sha1, sizeof n->sig_sha1);
    sm_db_text(st, 6, n->module, sizeof n->module);
    n->target = (uint32_t)sqlite3_column_int64(st, 7);
    sm_db_text(st, 8, n->name, sizeof n->name);
}

int sm_fleet_db_native_add(struct sm_fleet_db *db, const struct sm_fleet_native *n, const char *who,
                           int64_t now, bool *created)
{
    int err = sm_db_done(sm_db_prepare(
        db->sql,
        "INSERT INTO native VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (module, target) DO UPDATE SET sha256 = excluded.sha256,"
        " sha1 = excluded.sha1, size = excluded.size, claim = excluded.claim,"
        " sig_sha256 = excluded.sig_sha256, sig_sha1 = excluded.sig_sha1,"
        " uploaded_at = excluded.uploaded_at, uploaded_by = excluded.uploaded_by"
        " WHERE sig_sha256 <> excluded.sig_sha256",
        "ttibtttiit", n->sha256, n->sha1, (sqlite3_int64)n->size, n->claim, (int)n->claim_len,
        n->sig_sha256, n->sig_sha1, n->module, (sqlite3_int64)n->target, (sqlite3_int64)now, who));
    *created = !err && sqlite3_changes(db->sql) > 0;
    return err;
}

int sm_fleet_db_native(struct sm_fleet_db *db, const char *sha256, struct sm_fleet_native *out)
{
    sqlite3_stmt *st =
        sm_db_prepare(db->sql, "SELECT " COLUMNS FROM " WHERE n.sha256 = ?", "t", sha256);
    int r = sm_db_row(st);
    if (r > 0)
        take(st, out);
    sqlite3_finalize(st);
    return r > 0 ? 0 : r < 0 ? r : SM_ERR_NOT_FOUND;
}

int sm_fleet_db_natives_of(struct sm_fleet_db *db, const char *module, struct sm_fleet_native *out,
                           size_t max, size_t *count)
{
    sqlite3_stmt *st = sm_db_prepare(
        db->sql, "SELECT " COLUMNS FROM " WHERE n.module = ? ORDER BY n.target", "t", module);
    int r = 0;
    for (*count = 0; *count < max && (r = sm_db_row(st)) > 0; (*count)++)
        take(st, &out[*count]);
    sqlite3_finalize(st);
    return r < 0 ? r : 0;
}

int sm_fleet_db_natives(struct sm_fleet_db *db, json_t *array)
{
    sqlite3_stmt *st = sm_db_prepare(
        db->sql,
        "SELECT n.sha256, n.size, n.module, n.target, m.name, m.version, n.uploaded_at,"
        " n.uploaded_by" FROM " ORDER BY m.fleet, m.name, m.sequence, n.target",
        "");
    int r;
    while ((r = sm_db_row(st)) > 0)
        json_array_append_new(
            array,
            json_pack("{s:s, s:I, s:s, s:I, s:s, s:s, s:o, s:s}", "sha256", sm_db_column(st, 0),
                      "size", (json_int_t)sqlite3_column_int64(st, 1), "module",
                      sm_db_column(st, 2), "target", (json_int_t)sqlite3_column_int64(st, 3),
                      "name", sm_db_column(st, 4), "version", sm_db_column(st, 5), "uploaded_at",
                      sm_db_json_time(st, 6), "uploaded_by", sm_db_column(st, 7)));
    sqlite3_finalize(st);
    return r;
}

/* Key sets in the database: every one that was uploaded, so that a device can go through the chain.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "db_modules.h"

int sm_fleet_db_keys_add(struct sm_fleet_db *db, const struct sm_fleet_keys *k, const char *who,
                         int64_t now)
{
    return sm_db_done(sm_db_prepare(db->sql, "INSERT INTO keyset VALUES (?, ?, ?, ?, ?, ?)",
                                    "titbit", k->fleet, (sqlite3_int64)k->version, k->sha256,
                                    k->bytes, (int)k->len, (sqlite3_int64)now, who));
}

int sm_fleet_db_keys(struct sm_fleet_db *db, const char *fleet, uint64_t version,
                     struct sm_fleet_keys *out)
{
    sqlite3_stmt *st = sm_db_prepare(db->sql,
                                     "SELECT fleet, version, sha256, bytes FROM keyset"
                                     " WHERE fleet = ?1 AND (?2 = 0 OR version = ?2)"
                                     " ORDER BY version DESC LIMIT 1",
                                     "ti", fleet, (sqlite3_int64)version);
    int r = sm_db_row(st);
    memset(out, 0, sizeof *out);
    if (r > 0) {
        int len = sqlite3_column_bytes(st, 3);
        sm_db_text(st, 0, out->fleet, sizeof out->fleet);
        out->version = (uint64_t)sqlite3_column_int64(st, 1);
        sm_db_text(st, 2, out->sha256, sizeof out->sha256);
        if (len > 0 && len <= (int)sizeof out->bytes) {
            out->len = (uint32_t)len;
            memcpy(out->bytes, sqlite3_column_blob(st, 3), out->len);
        }
    }
    sqlite3_finalize(st);
    return r > 0 ? 0 : r < 0 ? r : SM_ERR_NOT_FOUND;
}

int sm_fleet_db_keys_latest(struct sm_fleet_db *db, json_t *object)
{
    sqlite3_stmt *st =
        sm_db_prepare(db->sql, "SELECT fleet, MAX(version) FROM keyset GROUP BY fleet", "");
    int r;
    while ((r = sm_db_row(st)) > 0)
        json_object_set_new(object, sm_db_column(st, 0), json_integer(sqlite3_column_int64(st, 1)));
    sqlite3_finalize(st);
    return r;
}

int sm_fleet_db_keys_list(struct sm_fleet_db *db, json_t *array)
{
    sqlite3_stmt *st = sm_db_prepare(db->sql,
                                     "SELECT fleet, version, sha256, length(bytes), uploaded_at,"
                                     " uploaded_by FROM keyset ORDER BY fleet, version",
                                     "");
    int r;
    while ((r = sm_db_row(st)) > 0)
        json_array_append_new(
            array,
            json_pack("{s:s, s:I, s:s, s:I, s:o, s:s}", "fleet", sm_db_column(st, 0), "version",
                      (json_int_t)sqlite3_column_int64(st, 1), "sha256", sm_db_column(st, 2),
                      "size", (json_int_t)sqlite3_column_int64(st, 3), "uploaded_at",
                      sm_db_json_time(st, 4), "uploaded_by", sm_db_column(st, 5)));
    sqlite3_finalize(st);
    return r;
}

int sm_fleet_db_current(struct sm_fleet_db *db, const char *device, const char *fleet,
                        struct sm_statement_plan *out)
{
    sqlite3_stmt *st =
        sm_db_prepare(db->sql,
                      "SELECT coalesce(d.channel, '-'), m.name, m.sequence,"
                      " (SELECT coalesce(MAX(version), 0) FROM keyset WHERE fleet = ?1),"
                      " c.sha256"
                      " FROM device d LEFT JOIN channel_module c ON c.channel = d.channel"
                      " LEFT JOIN module m ON m.sha256 = c.sha256 AND m.fleet = ?1"
                      " WHERE d.id = ?2 ORDER BY m.name",
                      "tt", fleet, device);
    int r, rows = 0, assigned = 0;
    while ((r = sm_db_row(st)) > 0) {
        rows++;
        assigned += sqlite3_column_type(st, 4) != SQLITE_NULL;
        sm_db_text(st, 0, out->channel, sizeof out->channel);
        out->keys_version = (uint32_t)sqlite3_column_int64(st, 3);
        if (sqlite3_column_type(st, 1) == SQLITE_NULL || out->nmodules == SM_STATEMENT_MODULES)
            continue;
        sm_db_text(st, 1, out->module[out->nmodules].name, sizeof out->module[0].name);
        out->module[out->nmodules++].sequence = (uint64_t)sqlite3_column_int64(st, 2);
    }
    sqlite3_finalize(st);
    /* Nothing at all would be current: for another fleet's device that lifts what is. */
    bool another = assigned > 0 && out->nmodules == 0;
    return r < 0 ? r : rows && !another ? 0 : SM_ERR_NOT_FOUND;
}

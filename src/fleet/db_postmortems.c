/* Post-mortems in the database: what devices sent of instances that trapped.
 *
 * They are large and many may come of one bug, so each device has room for a few: the latest.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "db_modules.h"

int sm_fleet_db_postmortem_add(struct sm_fleet_db *db, const char *device,
                               const struct sm_fleet_postmortem *p, const void *bytes, size_t len,
                               int64_t now, bool *known)
{
    int err = sm_db_done(sm_db_prepare(
        db->sql,
        "INSERT INTO postmortem (device, number, content, received_at, event, module, version,"
        " sequence, sha256, detail, size, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        "tititttittib", device, (sqlite3_int64)p->number, p->content, (sqlite3_int64)now, p->event,
        p->module, p->version, (sqlite3_int64)p->sequence, p->sha256, p->detail, (sqlite3_int64)len,
        bytes, (int)len));
    *known = !err && sqlite3_changes(db->sql) == 0;
    if (err)
        return err;
    return sm_db_done(sm_db_prepare(db->sql,
                                    "DELETE FROM postmortem WHERE device = ?1 AND id NOT IN"
                                    " (SELECT id FROM postmortem WHERE device = ?1"
                                    " ORDER BY id DESC LIMIT ?2)",
                                    "ti", device, (sqlite3_int64)SM_FLEET_POSTMORTEMS_KEPT));
}

static json_t *postmortem_json(sqlite3_stmt *st)
{
    return json_pack(
        "{s:I, s:s, s:o, s:I, s:s, s:s, s:s, s:I, s:s, s:s, s:I}", "id",
        (json_int_t)sqlite3_column_int64(st, 0), "device", sm_db_column(st, 1), "received_at",
        sm_db_json_time(st, 2), "number", (json_int_t)sqlite3_column_int64(st, 3), "event",
        sm_db_column(st, 4), "module", sm_db_column(st, 5), "version", sm_db_column(st, 6),
        "sequence", (json_int_t)sqlite3_column_int64(st, 7), "sha256", sm_db_column(st, 8),
        "detail", sm_db_column(st, 9), "size", (json_int_t)sqlite3_column_int64(st, 10));
}

int sm_fleet_db_postmortems(struct sm_fleet_db *db, const char *device, uint64_t after,
                            uint64_t limit, json_t *array)
{
    sqlite3_stmt *st =
        sm_db_prepare(db->sql,
                      "SELECT id, device, received_at, number, event, module, version, sequence,"
                      " sha256, detail, size FROM postmortem"
                      " WHERE id > ?1 AND (?3 IS NULL OR device = ?3) ORDER BY id LIMIT ?2",
                      "iit", (sqlite3_int64)after, (sqlite3_int64)limit, device);
    int r;
    while ((r = sm_db_row(st)) > 0)
        json_array_append_new(array, postmortem_json(st));
    sqlite3_finalize(st);
    return r;
}

int sm_fleet_db_postmortem(struct sm_fleet_db *db, uint64_t id, uint8_t **bytes, size_t *len,
                           char content[SM_FLEET_SHA_TEXT])
{
    sqlite3_stmt *st = sm_db_prepare(db->sql, "SELECT bytes, content FROM postmortem WHERE id = ?",
                                     "i", (sqlite3_int64)id);
    int r = sm_db_row(st);
    *bytes = NULL;
    if (r > 0) {
        *len = (size_t)sqlite3_column_bytes(st, 0);
        *bytes = malloc(*len + 1);
        if (*bytes)
            memcpy(*bytes, sqlite3_column_blob(st, 0), *len);
        sm_db_text(st, 1, content, SM_FLEET_SHA_TEXT);
    }
    sqlite3_finalize(st);
    if (r < 0)
        return r;
    return r == 0 ? SM_ERR_NOT_FOUND : *bytes ? 0 : SM_ERR_MEMORY;
}

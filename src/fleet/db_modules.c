/* Modules and channels in the database. SPDX-License-Identifier: Apache-2.0 */
#include "db_modules.h"

#include <stdlib.h>
#include <string.h>
#include <posix/log.h>

#include "db_actions.h"

#define COLUMNS                                                                                    \
    "m.sha256, m.sha1, m.size, m.signature, m.sig_sha256, m.sig_sha1, m.fleet, m.name,"            \
    " m.version, m.sequence, json_extract(m.manifest, '$.kind') = 'plugin'"

const char sm_db_module_columns[] = COLUMNS;

/* ---- Modules --------------------------------------------------------------------------------- */

void sm_db_module_take(sqlite3_stmt *st, struct sm_fleet_module *m)
{
    memset(m, 0, sizeof *m);
    sm_db_text(st, 0, m->sha256, sizeof m->sha256);
    sm_db_text(st, 1, m->sha1, sizeof m->sha1);
    m->size = (uint64_t)sqlite3_column_int64(st, 2);
    if (sqlite3_column_bytes(st, 3) == (int)sizeof m->signature)
        memcpy(m->signature, sqlite3_column_blob(st, 3), sizeof m->signature);
    sm_db_text(st, 4, m->sig_sha256, sizeof m->sig_sha256);
    sm_db_text(st, 5, m->sig_sha1, sizeof m->sig_sha1);
    sm_db_text(st, 6, m->fleet, sizeof m->fleet);
    sm_db_text(st, 7, m->name, sizeof m->name);
    sm_db_text(st, 8, m->version, sizeof m->version);
    m->sequence = (uint64_t)sqlite3_column_int64(st, 9);
    m->plugin = sqlite3_column_int(st, 10) != 0;
}

/* The hash of the module with this fleet, name and sequence: 0, SM_ERR_NOT_FOUND or an error. */
static int find_place(struct sm_fleet_db *db, const struct sm_fleet_module *m,
                      char sha256[SM_FLEET_SHA_TEXT])
{
    sqlite3_stmt *st = sm_db_prepare(
        db->sql, "SELECT sha256 FROM module WHERE fleet = ? AND name = ? AND sequence = ?", "tti",
        m->fleet, m->name, (sqlite3_int64)m->sequence);
    int r = sm_db_row(st);
    if (r > 0)
        sm_db_text(st, 0, sha256, SM_FLEET_SHA_TEXT);
    sqlite3_finalize(st);
    return r > 0 ? 0 : r < 0 ? r : SM_ERR_NOT_FOUND;
}

static int insert_module(struct sm_fleet_db *db, const struct sm_fleet_module *m,
                         const json_t *manifest, const char *who, int64_t now)
{
    char *text = json_dumps(manifest, JSON_COMPACT);
    if (!text)
        return SM_ERR_MEMORY;
    int err = sm_db_done(
        sm_db_prepare(db->sql, "INSERT INTO module VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      "ttibtttttitit", m->sha256, m->sha1, (sqlite3_int64)m->size, m->signature,
                      (int)sizeof m->signature, m->sig_sha256, m->sig_sha1, m->fleet, m->name,
                      m->version, (sqlite3_int64)m->sequence, text, (sqlite3_int64)now, who));
    free(text);
    return err;
}

int sm_fleet_db_module_add(struct sm_fleet_db *db, const struct sm_fleet_module *m,
                           const json_t *manifest, const char *who, int64_t now, bool *created,
                           char taken[SM_FLEET_SHA_TEXT])
{
    int err = sm_fleet_db_begin(db);
    if (err)
        return err;
    *created = false;
    err = find_place(db, m, taken);
    if (!err && strcmp(taken, m->sha256) != 0)
        err = SM_ERR_STATE;
    if (err == SM_ERR_NOT_FOUND) {
        *created = true;
        err = insert_module(db, m, manifest, who, now);
    }
    return sm_fleet_db_end(db, err);
}

int sm_fleet_db_module(struct sm_fleet_db *db, const char *sha256, struct sm_fleet_module *out)
{
    sqlite3_stmt *st =
        sm_db_prepare(db->sql, "SELECT " COLUMNS " FROM module m WHERE m.sha256 = ?", "t", sha256);
    int r = sm_db_row(st);
    if (r > 0)
        sm_db_module_take(st, out);
    sqlite3_finalize(st);
    return r > 0 ? 0 : r < 0 ? r : SM_ERR_NOT_FOUND;
}

json_t *sm_db_json_time(sqlite3_stmt *st, int column)
{
    char text[SM_TIME_TEXT];
    if (sqlite3_column_type(st, column) == SQLITE_NULL)
        return json_null();
    sm_time_text(sqlite3_column_int64(st, column), text);
    return json_string(text);
}

const char *sm_db_column(sqlite3_stmt *st, int column)
{
    const unsigned char *text = sqlite3_column_text(st, column);
    return text ? (const char *)text : "";
}

/* What operators see of a module: file, then manifest, then who brought it. */
static json_t *module_json(sqlite3_stmt *st)
{
    json_t *o = json_pack("{s:s, s:I}", "sha256", sm_db_column(st, 0), "size",
                          (json_int_t)sqlite3_column_int64(st, 1));
    json_t *manifest = json_loads(sm_db_column(st, 2), 0, NULL);
    json_object_update(o, manifest);
    json_decref(manifest);
    json_object_set_new(o, "uploaded_at", sm_db_json_time(st, 3));
    json_object_set_new(o, "uploaded_by", json_string(sm_db_column(st, 4)));
    return o;
}

int sm_fleet_db_modules(struct sm_fleet_db *db, json_t *array)
{
    sqlite3_stmt *st =
        sm_db_prepare(db->sql,
                      "SELECT sha256, size, manifest, uploaded_at, uploaded_by FROM module"
                      " ORDER BY fleet, name, sequence",
                      "");
    int r;
    while ((r = sm_db_row(st)) > 0)
        json_array_append_new(array, module_json(st));
    sqlite3_finalize(st);
    return r;
}

/* ---- Channels -------------------------------------------------------------------------------- */

/* Each module must be there, and no two may be the same application. */
static int check_assignment(struct sm_fleet_db *db, const struct sm_fleet_assignment *a, size_t *at)
{
    struct sm_fleet_module seen[SM_FLEET_MODULES_MAX];
    for (size_t i = 0; i < a->count; i++) {
        *at = i;
        int err = sm_fleet_db_module(db, a->sha256[i], &seen[i]);
        if (err)
            return err;
        for (size_t k = 0; k < i; k++)
            if (!strcmp(seen[k].name, seen[i].name) && !strcmp(seen[k].fleet, seen[i].fleet))
                return SM_ERR_INVALID;
    }
    return 0;
}

/* A requirement r of module m, at position c of a channel, that another module n of it answers. */
#define ANSWERED                                                                                   \
    " FROM channel_module c JOIN module m USING (sha256),"                                         \
    " json_each(m.manifest, '$.requires') r"                                                       \
    " JOIN channel_module k ON k.channel = c.channel JOIN module n ON n.sha256 = k.sha256"         \
    " WHERE c.channel = ?1 AND n.fleet = m.fleet AND n.name = json_extract(r.value, '$.name')"

/* The position that a query finds, of which there must be none. */
static int find_none(struct sm_fleet_db *db, const char *query, const char *channel, size_t *at)
{
    sqlite3_stmt *st = sm_db_prepare(db->sql, query, "t", channel);
    int r = sm_db_row(st);
    if (r > 0)
        *at = (size_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return r;
}

/* What a module of the channel requires must suit it, as far as it is in the channel too; and where
 * one does, so that the channel is a set, none removes a plugin. */
static int check_company(struct sm_fleet_db *db, const char *channel, size_t *at)
{
    int r =
        find_none(db,
                  "SELECT c.position" ANSWERED " AND (n.sequence < json_extract(r.value, '$.least')"
                  " OR n.sequence > json_extract(r.value, '$.most')"
                  " OR json_extract(n.manifest, '$.removes')) ORDER BY c.position LIMIT 1",
                  channel, at);
    if (r)
        return r > 0 ? SM_ERR_DENIED : r;
    r = find_none(db,
                  "SELECT g.position FROM channel_module g JOIN module m USING (sha256)"
                  " WHERE g.channel = ?1 AND json_extract(m.manifest, '$.removes')"
                  " AND EXISTS (SELECT 1" ANSWERED ") ORDER BY g.position LIMIT 1",
                  channel, at);
    return r > 0 ? SM_ERR_STATE : r;
}

static int set_modules(struct sm_fleet_db *db, const char *channel,
                       const struct sm_fleet_assignment *a, const char *who, int64_t now)
{
    int err = sm_db_done(
        sm_db_prepare(db->sql,
                      "INSERT INTO channel VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
                      " SET assigned_at = excluded.assigned_at, assigned_by = excluded.assigned_by",
                      "tit", channel, (sqlite3_int64)now, who));
    if (!err)
        err = sm_db_done(
            sm_db_prepare(db->sql, "DELETE FROM channel_module WHERE channel = ?", "t", channel));
    for (size_t i = 0; !err && i < a->count; i++)
        err = sm_db_done(sm_db_prepare(db->sql, "INSERT INTO channel_module VALUES (?, ?, ?)",
                                       "tit", channel, (sqlite3_int64)i, a->sha256[i]));
    return err;
}

int sm_fleet_db_assign(struct sm_fleet_db *db, const char *channel,
                       const struct sm_fleet_assignment *a, const char *who, int64_t now,
                       uint64_t *actions, size_t *at)
{
    int err = sm_fleet_db_begin(db);
    if (err)
        return err;
    err = check_assignment(db, a, at);
    if (!err)
        err = set_modules(db, channel, a, who, now);
    if (!err)
        err = check_company(db, channel, at);
    if (!err)
        err = sm_db_actions_make(db, channel, NULL, now, actions);
    return sm_fleet_db_end(db, err);
}

static int channel_json(struct sm_fleet_db *db, sqlite3_stmt *st, json_t *array)
{
    json_t *modules = json_array();
    json_t *o = json_pack("{s:s, s:o, s:s, s:o, s:I}", "name", sm_db_column(st, 0), "assigned_at",
                          sm_db_json_time(st, 1), "assigned_by", sm_db_column(st, 2), "modules",
                          modules, "devices", (json_int_t)sqlite3_column_int64(st, 3));
    json_array_append_new(array, o);
    sqlite3_stmt *each =
        sm_db_prepare(db->sql,
                      "SELECT m.sha256, m.name, m.version, m.sequence,"
                      " json_extract(m.manifest, '$.kind') FROM channel_module c"
                      " JOIN module m USING (sha256) WHERE c.channel = ? ORDER BY c.position",
                      "t", sm_db_column(st, 0));
    int r;
    while ((r = sm_db_row(each)) > 0)
        json_array_append_new(
            modules, json_pack("{s:s, s:s, s:s, s:s, s:I}", "sha256", sm_db_column(each, 0), "kind",
                               sm_db_column(each, 4), "name", sm_db_column(each, 1), "version",
                               sm_db_column(each, 2), "sequence",
                               (json_int_t)sqlite3_column_int64(each, 3)));
    sqlite3_finalize(each);
    return r;
}

int sm_fleet_db_channels(struct sm_fleet_db *db, const char *name, json_t *array)
{
    sqlite3_stmt *st = sm_db_prepare(db->sql,
                                     "SELECT name, assigned_at, assigned_by,"
                                     " (SELECT count(*) FROM device d WHERE d.channel = c.name)"
                                     " FROM channel c WHERE ?1 IS NULL OR name = ?1 ORDER BY name",
                                     "t", name);
    int r;
    while ((r = sm_db_row(st)) > 0)
        if ((r = channel_json(db, st, array)) < 0)
            break;
    sqlite3_finalize(st);
    if (r == 0 && name && json_array_size(array) == 0)
        return SM_ERR_NOT_FOUND;
    return r;
}

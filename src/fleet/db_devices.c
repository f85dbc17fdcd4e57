/* Devices in the database: who they are, what they said of themselves, when they were seen.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "db_actions.h"
#include "db_modules.h"

#define ACTIONS_SHOWN 20u

/* ---- Making and changing --------------------------------------------------------------------- */

static int insert_device(struct sm_fleet_db *db, const char *id, const uint8_t *token_sha256,
                         int64_t now)
{
    if (!token_sha256)
        return SM_ERR_ARG;
    return sm_db_done(
        sm_db_prepare(db->sql, "INSERT INTO device (id, token_sha256, created_at) VALUES (?, ?, ?)",
                      "tbi", id, token_sha256, 32, (sqlite3_int64)now));
}

/* Move a device to a channel, made when it is new. One that was there before keeps its action; one
 * that comes gets the channel's modules, and an action of its old channel is superseded. */
static int set_channel(struct sm_fleet_db *db, const char *id, const char *channel, int64_t now,
                       uint64_t *action)
{
    uint64_t made;
    int err = sm_db_done(sm_db_prepare(
        db->sql, "INSERT INTO channel (name) VALUES (?) ON CONFLICT DO NOTHING", "t", channel));
    if (!err)
        err = sm_db_done(sm_db_prepare(db->sql,
                                       "UPDATE device SET channel = ?1 WHERE id = ?2"
                                       " AND channel IS NOT ?1",
                                       "tt", channel, id));
    if (err || sqlite3_changes(db->sql) == 0)
        return err;
    err = sm_db_actions_make(db, channel, id, now, &made);
    return err ? err : sm_fleet_db_action(db, id, action);
}

static int device_put(struct sm_fleet_db *db, const char *id, const char *channel,
                      const uint8_t *token_sha256, int64_t now, bool *created, uint64_t *action)
{
    uint8_t old[32];
    int err = sm_fleet_db_device_token(db, id, old);
    *created = err == SM_ERR_NOT_FOUND;
    *action = 0;
    if (*created)
        err = insert_device(db, id, token_sha256, now);
    else if (!err && token_sha256)
        err = sm_db_done(sm_db_prepare(db->sql, "UPDATE device SET token_sha256 = ? WHERE id = ?",
                                       "bt", token_sha256, 32, id));
    return err || !channel ? err : set_channel(db, id, channel, now, action);
}

int sm_fleet_db_device_put(struct sm_fleet_db *db, const char *id, const char *channel,
                           const uint8_t *token_sha256, int64_t now, bool *created,
                           uint64_t *action)
{
    int err = sm_fleet_db_begin(db);
    return err ? err
               : sm_fleet_db_end(db,
                                 device_put(db, id, channel, token_sha256, now, created, action));
}

int sm_fleet_db_device_token(struct sm_fleet_db *db, const char *id, uint8_t hash[32])
{
    memset(hash, 0, 32);
    sqlite3_stmt *st =
        sm_db_prepare(db->sql, "SELECT token_sha256 FROM device WHERE id = ?", "t", id);
    int r = sm_db_row(st);
    if (r > 0 && sqlite3_column_bytes(st, 0) == 32)
        memcpy(hash, sqlite3_column_blob(st, 0), 32);
    sqlite3_finalize(st);
    return r > 0 ? 0 : r < 0 ? r : SM_ERR_NOT_FOUND;
}

int sm_fleet_db_device_seen(struct sm_fleet_db *db, const char *id, int64_t now)
{
    return sm_db_done(sm_db_prepare(db->quick, "UPDATE device SET last_seen_at = ? WHERE id = ?",
                                    "it", (sqlite3_int64)now, id));
}

/* ---- Attributes ------------------------------------------------------------------------------ */

/* The attributes that a device has now; the caller's. NULL on an error. */
static json_t *load_attributes(struct sm_fleet_db *db, const char *id)
{
    sqlite3_stmt *st =
        sm_db_prepare(db->sql, "SELECT attributes FROM device WHERE id = ?", "t", id);
    json_t *o = sm_db_row(st) > 0 ? json_loads(sm_db_column(st, 0), 0, NULL) : NULL;
    sqlite3_finalize(st);
    return o;
}

static void apply(json_t *now_there, const struct sm_fleet_attributes *a)
{
    const char *key;
    json_t *v;
    if (a->mode == SM_FLEET_REPLACE)
        json_object_clear(now_there);
    json_object_foreach(a->data, key, v)
    {
        if (a->mode == SM_FLEET_REMOVE)
            json_object_del(now_there, key);
        else
            json_object_set(now_there, key, v);
    }
}

/* The installed modules again from all attributes. */
static int rebuild_installed(struct sm_fleet_db *db, const char *id, json_t *attributes)
{
    int err = sm_db_done(sm_db_prepare(db->sql, "DELETE FROM installed WHERE device = ?", "t", id));
    const char *key;
    json_t *v;
    json_object_foreach(attributes, key, v)
    {
        struct sm_fleet_installed m;
        if (!err && !sm_fleet_read_installed(key, json_string_value(v), &m))
            err = sm_db_done(sm_db_prepare(db->sql, "INSERT INTO installed VALUES (?, ?, ?, ?, ?)",
                                           "tttit", id, m.name, m.version,
                                           (sqlite3_int64)m.sequence, m.sha256));
    }
    return err;
}

static int store_attributes(struct sm_fleet_db *db, const char *id, json_t *attributes, int64_t now)
{
    char *text = json_dumps(attributes, JSON_COMPACT);
    if (!text)
        return SM_ERR_MEMORY;
    int err = sm_db_done(
        sm_db_prepare(db->sql, "UPDATE device SET attributes = ?, attributes_at = ? WHERE id = ?",
                      "tit", text, (sqlite3_int64)now, id));
    free(text);
    return err ? err : rebuild_installed(db, id, attributes);
}

int sm_fleet_db_attributes(struct sm_fleet_db *db, const char *id,
                           const struct sm_fleet_attributes *a, int64_t now)
{
    int err = sm_fleet_db_begin(db);
    if (err)
        return err;
    json_t *attributes = load_attributes(db, id);
    if (!attributes)
        return sm_fleet_db_end(db, SM_ERR_IO);
    apply(attributes, a);
    /* The bound holds for all of a device's attributes, not only for those of one request. */
    if (json_object_size(attributes) > SM_FLEET_ATTRIBUTES_MAX)
        err = SM_ERR_LIMIT;
    else
        err = store_attributes(db, id, attributes, now);
    json_decref(attributes);
    return sm_fleet_db_end(db, err);
}

/* ---- Devices as JSON ------------------------------------------------------------------------- */

static int append_installed(struct sm_fleet_db *db, const char *id, json_t *o)
{
    json_t *array = json_array();
    json_object_set_new(o, "modules", array);
    sqlite3_stmt *st = sm_db_prepare(
        db->sql,
        "SELECT i.name, i.version, i.sequence, i.sha256, json_extract(m.manifest, '$.kind')"
        " FROM installed i LEFT JOIN module m USING (sha256) WHERE device = ? ORDER BY i.name",
        "t", id);
    int r;
    while ((r = sm_db_row(st)) > 0)
        json_array_append_new(array, json_pack("{s:s?, s:s, s:s, s:I, s:s}", "kind",
                                               sqlite3_column_text(st, 4), "name",
                                               sm_db_column(st, 0), "version", sm_db_column(st, 1),
                                               "sequence", (json_int_t)sqlite3_column_int64(st, 2),
                                               "sha256", sm_db_column(st, 3)));
    sqlite3_finalize(st);
    return r;
}

/* What device_json() reads; the key set is what the device says of itself. */
#define DEVICE_COLUMNS "id, channel, created_at, last_seen_at, json_extract(attributes, '$.keyset')"

/* A row of DEVICE_COLUMNS with what stands in other tables. */
static int device_json(struct sm_fleet_db *db, sqlite3_stmt *st, json_t *o)
{
    const char *channel = (const char *)sqlite3_column_text(st, 1);
    const char *keyset = (const char *)sqlite3_column_text(st, 4);
    json_object_set_new(o, "id", json_string(sm_db_column(st, 0)));
    json_object_set_new(o, "channel", channel ? json_string(channel) : json_null());
    json_object_set_new(o, "created_at", sm_db_json_time(st, 2));
    json_object_set_new(o, "last_seen_at", sm_db_json_time(st, 3));
    json_object_set_new(o, "keyset", keyset ? json_string(keyset) : json_null());
    int err = append_installed(db, sm_db_column(st, 0), o);
    if (err)
        return err;
    json_t *latest = json_array();
    err = sm_db_actions_json(db, sm_db_column(st, 0), 1, false, latest);
    json_t *action = json_array_get(latest, 0);
    json_object_set(o, "action", action ? action : json_null());
    json_decref(latest);
    return err;
}

int sm_fleet_db_devices(struct sm_fleet_db *db, const char *after, uint64_t limit, json_t *array)
{
    sqlite3_stmt *st = sm_db_prepare(
        db->sql, "SELECT " DEVICE_COLUMNS " FROM device WHERE id > ? ORDER BY id LIMIT ?", "ti",
        after, (sqlite3_int64)limit);
    int r;
    while ((r = sm_db_row(st)) > 0) {
        json_t *o = json_object();
        json_array_append_new(array, o);
        if ((r = device_json(db, st, o)) < 0)
            break;
    }
    sqlite3_finalize(st);
    return r;
}

int sm_fleet_db_device(struct sm_fleet_db *db, const char *id, json_t *object)
{
    sqlite3_stmt *st = sm_db_prepare(
        db->sql, "SELECT " DEVICE_COLUMNS ", attributes, attributes_at FROM device WHERE id = ?",
        "t", id);
    int r = sm_db_row(st);
    if (r <= 0) {
        sqlite3_finalize(st);
        return r < 0 ? r : SM_ERR_NOT_FOUND;
    }
    r = device_json(db, st, object);
    json_t *attributes = json_loads(sm_db_column(st, 5), 0, NULL);
    json_object_set_new(object, "attributes", attributes ? attributes : json_object());
    json_object_set_new(object, "attributes_at", sm_db_json_time(st, 6));
    sqlite3_finalize(st);
    if (r < 0)
        return r;
    json_t *actions = json_array();
    json_object_set_new(object, "actions", actions);
    return sm_db_actions_json(db, id, ACTIONS_SHOWN, true, actions);
}

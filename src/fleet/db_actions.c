/* Actions, what devices said about them, and events, in the database.
 *
 * A device has at most one open action (pending or running; an index holds that). It ends as
 * finished or failed by the device's word, or superseded by a newer assignment; it never opens
 * again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "db_actions.h"

#include <stdio.h>
#include <string.h>
#include <sandmote/crypto.h>

#include "db_modules.h"

/* ---- Making ---------------------------------------------------------------------------------- */

/* What a device d of channel ?1 shall do: run its modules, but for a removal that it says it has
 * done. Nothing would tell that otherwise, since what was removed does not run. */
#define TO_DO                                                                                      \
    " channel_module c JOIN module m USING (sha256) WHERE c.channel = ?1 AND NOT EXISTS"           \
    " (SELECT 1 FROM json_each(d.attributes) j WHERE j.key = 'removed.' || m.name"                 \
    " AND j.value = m.version || ' ' || m.sequence || ' ' || m.sha256)"

int sm_db_actions_make(struct sm_fleet_db *db, const char *channel, const char *device, int64_t now,
                       uint64_t *made)
{
    int err = sm_db_done(
        sm_db_prepare(db->sql,
                      "UPDATE action SET state = 'superseded', changed_at = ?3"
                      " WHERE state IN ('pending', 'running') AND device IN"
                      " (SELECT id FROM device WHERE channel = ?1 AND (?2 IS NULL OR id = ?2))",
                      "tti", channel, device, (sqlite3_int64)now));
    if (!err)
        err = sm_db_done(
            sm_db_prepare(db->sql,
                          "INSERT INTO action (device, channel, state, created_at, changed_at)"
                          " SELECT id, ?1, 'pending', ?3, ?3 FROM device d"
                          " WHERE channel = ?1 AND (?2 IS NULL OR id = ?2)"
                          " AND EXISTS (SELECT 1 FROM" TO_DO ") ORDER BY id",
                          "tti", channel, device, (sqlite3_int64)now));
    if (err)
        return err;
    *made = (uint64_t)sqlite3_changes64(db->sql);
    /* Open actions of these devices are the ones just made: the others were closed above. */
    return sm_db_done(sm_db_prepare(
        db->sql,
        "INSERT INTO action_module SELECT a.id, c.position, c.sha256"
        " FROM device d JOIN action a ON a.device = d.id AND a.state = 'pending'," TO_DO
        " AND d.channel = ?1 AND (?2 IS NULL OR d.id = ?2)",
        "tt", channel, device));
}

/* ---- Asking ---------------------------------------------------------------------------------- */

int sm_fleet_db_action(struct sm_fleet_db *db, const char *device, uint64_t *action)
{
    sqlite3_stmt *st = sm_db_prepare(
        db->sql, "SELECT id FROM action WHERE device = ? AND state IN ('pending', 'running')", "t",
        device);
    int r = sm_db_row(st);
    *action = r > 0 ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return r < 0 ? r : 0;
}

int sm_fleet_db_actions_after(struct sm_fleet_db *db, uint64_t *after, uint64_t limit,
                              json_t *array)
{
    sqlite3_stmt *st = sm_db_prepare(db->sql,
                                     "SELECT id, device FROM action"
                                     " WHERE id > ? AND state = 'pending' ORDER BY id LIMIT ?",
                                     "ii", (sqlite3_int64)*after, (sqlite3_int64)limit);
    int r;
    while ((r = sm_db_row(st)) > 0) {
        *after = (uint64_t)sqlite3_column_int64(st, 0);
        json_array_append_new(array, json_string(sm_db_column(st, 1)));
    }
    sqlite3_finalize(st);
    return r;
}

static int modules_of(struct sm_fleet_db *db, uint64_t action, struct sm_fleet_module *out,
                      size_t max, size_t *count)
{
    char text[512];
    snprintf(text, sizeof text,
             "SELECT %s FROM action_module a JOIN module m USING (sha256)"
             " WHERE a.action = ? ORDER BY a.position",
             sm_db_module_columns);
    sqlite3_stmt *st = sm_db_prepare(db->sql, text, "i", (sqlite3_int64)action);
    int r = 0;
    for (*count = 0; *count < max && (r = sm_db_row(st)) > 0; (*count)++)
        sm_db_module_take(st, &out[*count]);
    sqlite3_finalize(st);
    return r < 0 ? r : 0;
}

int sm_fleet_db_action_modules(struct sm_fleet_db *db, const char *device, uint64_t action,
                               int64_t now, struct sm_fleet_module *out, size_t max, size_t *count)
{
    uint64_t open;
    int err = sm_fleet_db_action(db, device, &open);
    if (err)
        return err;
    if (open != action || action == 0)
        return SM_ERR_NOT_FOUND;
    err = sm_db_done(sm_db_prepare(db->sql,
                                   "UPDATE action SET state = 'running', changed_at = ?"
                                   " WHERE id = ? AND state = 'pending'",
                                   "ii", (sqlite3_int64)now, (sqlite3_int64)action));
    return err ? err : modules_of(db, action, out, max, count);
}

int sm_fleet_db_action_is_set(struct sm_fleet_db *db, uint64_t action, bool *set)
{
    sqlite3_stmt *st = sm_db_prepare(
        db->sql,
        "SELECT 1 FROM action_module a JOIN module m USING (sha256),"
        " json_each(m.manifest, '$.requires') r"
        " JOIN action_module b ON b.action = a.action JOIN module n ON n.sha256 = b.sha256"
        " WHERE a.action = ? AND n.fleet = m.fleet AND n.name = json_extract(r.value, '$.name')"
        " LIMIT 1",
        "i", (sqlite3_int64)action);
    int r = sm_db_row(st);
    *set = r > 0;
    sqlite3_finalize(st);
    return r < 0 ? r : 0;
}

int sm_fleet_db_action_module(struct sm_fleet_db *db, const char *device, const char *sha256,
                              struct sm_fleet_module *out)
{
    sqlite3_stmt *st = sm_db_prepare(db->sql,
                                     "SELECT 1 FROM action a JOIN action_module m"
                                     " ON m.action = a.id WHERE a.device = ? AND m.sha256 = ?"
                                     " LIMIT 1",
                                     "tt", device, sha256);
    int r = sm_db_row(st);
    sqlite3_finalize(st);
    if (r <= 0)
        return r < 0 ? r : SM_ERR_NOT_FOUND;
    return sm_fleet_db_module(db, sha256, out);
}

/* ---- Feedback -------------------------------------------------------------------------------- */

/* 0 when the action is open, SM_ERR_STATE when it is closed, SM_ERR_NOT_FOUND, or an error. */
static int check_open(struct sm_fleet_db *db, const char *device, uint64_t action)
{
    sqlite3_stmt *st =
        sm_db_prepare(db->sql,
                      "SELECT state IN ('pending', 'running') FROM action WHERE id = ?"
                      " AND device = ?",
                      "it", (sqlite3_int64)action, device);
    int r = sm_db_row(st);
    if (r > 0)
        r = sqlite3_column_int(st, 0) ? 0 : SM_ERR_STATE;
    else if (r == 0)
        r = SM_ERR_NOT_FOUND;
    sqlite3_finalize(st);
    return r;
}

int sm_fleet_db_feedback(struct sm_fleet_db *db, const char *device, uint64_t action,
                         const struct sm_fleet_feedback *f, int64_t now)
{
    static const char *const states[] = {"running", "finished", "failed"};
    int err = sm_fleet_db_begin(db);
    if (err)
        return err;
    err = check_open(db, device, action);
    if (!err)
        err = sm_db_done(
            sm_db_prepare(db->sql,
                          "INSERT INTO feedback (action, at, execution, finished, details)"
                          " VALUES (?, ?, ?, ?, ?)",
                          "iittt", (sqlite3_int64)action, (sqlite3_int64)now, f->execution,
                          f->finished, f->details));
    if (!err) /* a device may send as much as it likes */
        err = sm_db_done(
            sm_db_prepare(db->sql,
                          "DELETE FROM feedback WHERE action = ?1 AND id NOT IN"
                          " (SELECT id FROM feedback WHERE action = ?1 ORDER BY id DESC LIMIT ?2)",
                          "ii", (sqlite3_int64)action, (sqlite3_int64)SM_FLEET_FEEDBACK_KEPT));
    if (!err)
        err = sm_db_done(sm_db_prepare(
            db->sql, "UPDATE action SET state = ?, detail = ?, changed_at = ? WHERE id = ?", "ttii",
            states[f->outcome], f->details, (sqlite3_int64)now, (sqlite3_int64)action));
    return sm_fleet_db_end(db, err);
}

/* ---- Actions as JSON ------------------------------------------------------------------------- */

static int append_feedback(struct sm_fleet_db *db, sqlite3_int64 action, json_t *o)
{
    json_t *array = json_array();
    json_object_set_new(o, "feedback", array);
    sqlite3_stmt *st = sm_db_prepare(
        db->sql,
        "SELECT at, execution, finished, details FROM feedback WHERE action = ? ORDER BY id", "i",
        action);
    int r;
    while ((r = sm_db_row(st)) > 0)
        json_array_append_new(array,
                              json_pack("{s:o, s:s, s:s, s:s}", "at", sm_db_json_time(st, 0),
                                        "execution", sm_db_column(st, 1), "finished",
                                        sm_db_column(st, 2), "details", sm_db_column(st, 3)));
    sqlite3_finalize(st);
    return r;
}

static int append_modules(struct sm_fleet_db *db, sqlite3_int64 action, json_t *o)
{
    struct sm_fleet_module m[SM_FLEET_MODULES_MAX];
    size_t count;
    json_t *array = json_array();
    json_object_set_new(o, "modules", array);
    int err = modules_of(db, (uint64_t)action, m, SM_FLEET_MODULES_MAX, &count);
    for (size_t i = 0; !err && i < count; i++)
        json_array_append_new(
            array,
            json_pack("{s:s, s:s, s:s, s:I, s:s}", "kind",
                      sm_module_kind_name(m[i].plugin ? SM_KIND_PLUGIN : SM_KIND_APPLICATION),
                      "name", m[i].name, "version", m[i].version, "sequence",
                      (json_int_t)m[i].sequence, "sha256", m[i].sha256));
    return err;
}

int sm_db_actions_json(struct sm_fleet_db *db, const char *device, uint64_t limit, bool history,
                       json_t *array)
{
    sqlite3_stmt *st = sm_db_prepare(
        db->sql,
        "SELECT id, channel, state, detail, created_at, changed_at FROM action WHERE device = ?"
        " ORDER BY id DESC LIMIT ?",
        "ti", device, (sqlite3_int64)limit);
    int r;
    while ((r = sm_db_row(st)) > 0) {
        sqlite3_int64 id = sqlite3_column_int64(st, 0);
        json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:o, s:o}", "id", (json_int_t)id, "channel",
                              sm_db_column(st, 1), "state", sm_db_column(st, 2), "detail",
                              sm_db_column(st, 3), "created_at", sm_db_json_time(st, 4),
                              "changed_at", sm_db_json_time(st, 5));
        json_array_append_new(array, o);
        r = append_modules(db, id, o);
        if (r == 0 && history)
            r = append_feedback(db, id, o);
        if (r < 0)
            break;
    }
    sqlite3_finalize(st);
    return r;
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* A hash over what an event says, each part with its zero, so that no two contents look alike. */
static void content_hash(const struct sm_fleet_event *e, uint8_t out[SM_SHA256_SIZE])
{
    const char *const parts[] = {e->event, e->module, e->version, e->sha256, e->detail};
    struct sm_sha256 h;
    sm_sha256_init(&h);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        sm_sha256_update(&h, parts[i], strlen(parts[i]) + 1);
    sm_sha256_update(&h, &e->sequence, sizeof e->sequence);
    sm_sha256_final(&h, out);
}

int sm_fleet_db_event_add(struct sm_fleet_db *db, const char *device,
                          const struct sm_fleet_event *e, int64_t now, bool *known)
{
    uint8_t content[SM_SHA256_SIZE];
    content_hash(e, content);
    int err = sm_db_done(sm_db_prepare(
        db->sql,
        "INSERT INTO event (device, device_event, content, received_at, event, module, version,"
        " sequence, sha256, detail, uptime_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        "tibitttitti", device, (sqlite3_int64)e->id, content, (int)sizeof content,
        (sqlite3_int64)now, e->event, e->module, e->version, (sqlite3_int64)e->sequence, e->sha256,
        e->detail, (sqlite3_int64)e->uptime_ms));
    *known = !err && sqlite3_changes(db->sql) == 0;
    return err;
}

int sm_fleet_db_events_trim(struct sm_fleet_db *db, const char *device)
{
    return sm_db_done(sm_db_prepare(
        db->sql,
        "DELETE FROM event WHERE device = ?1 AND id <="
        " (SELECT id FROM event WHERE device = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        "ti", device, (sqlite3_int64)SM_FLEET_EVENTS_KEPT));
}

static json_t *event_json(sqlite3_stmt *st)
{
    return json_pack(
        "{s:I, s:s, s:o, s:I, s:s, s:s, s:s, s:I, s:s, s:s, s:I}", "id",
        (json_int_t)sqlite3_column_int64(st, 0), "device", sm_db_column(st, 1), "received_at",
        sm_db_json_time(st, 2), "device_event", (json_int_t)sqlite3_column_int64(st, 3), "event",
        sm_db_column(st, 4), "module", sm_db_column(st, 5), "version", sm_db_column(st, 6),
        "sequence", (json_int_t)sqlite3_column_int64(st, 7), "sha256", sm_db_column(st, 8),
        "detail", sm_db_column(st, 9), "uptime_ms", (json_int_t)sqlite3_column_int64(st, 10));
}

int sm_fleet_db_events(struct sm_fleet_db *db, const char *device, uint64_t after, uint64_t limit,
                       json_t *array)
{
    sqlite3_stmt *st = sm_db_prepare(
        db->sql,
        device ? "SELECT id, device, received_at, device_event, event, module, version, sequence,"
                 " sha256, detail, uptime_ms FROM event WHERE id > ?1 AND device = ?3"
                 " ORDER BY id LIMIT ?2"
               : "SELECT id, device, received_at, device_event, event, module, version, sequence,"
                 " sha256, detail, uptime_ms FROM event WHERE id > ?1 ORDER BY id LIMIT ?2",
        device ? "iit" : "ii", (sqlite3_int64)after, (sqlite3_int64)limit, device);
    int r;
    while ((r = sm_db_row(st)) > 0)
        json_array_append_new(array, event_json(st));
    sqlite3_finalize(st);
    return r;
}

/* What operators ask: lists of modules, channels, devices, events.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <posix/log.h>
#include <sandmote/crypto.h>

#include "server.h"

#define LIST_DEFAULT 1000u
#define LIST_MAX     10000u

/* {"<name>": array} filled by a list function, whose error is answered instead. */
static void reply_list(struct sm_fleet_answer *a, const char *name, json_t *array, int err)
{
    if (err) {
        json_decref(array);
        sm_fleet_fail(a, err);
        return;
    }
    sm_fleet_reply(a, 200, json_pack("{s:o}", name, array));
}

void sm_fleet_modules(struct sm_fleet *f, const struct sm_fleet_request *q,
                      struct sm_fleet_answer *a)
{
    (void)q;
    json_t *array = json_array();
    reply_list(a, "modules", array, sm_fleet_db_modules(&f->db, array));
}

/* ---- Channels -------------------------------------------------------------------------------- */

void sm_fleet_channels(struct sm_fleet *f, const struct sm_fleet_request *q,
                       struct sm_fleet_answer *a)
{
    (void)q;
    json_t *array = json_array();
    reply_list(a, "channels", array, sm_fleet_db_channels(&f->db, NULL, array));
}

void sm_fleet_channel(struct sm_fleet *f, const struct sm_fleet_request *q,
                      struct sm_fleet_answer *a)
{
    json_t *array = json_array();
    int err = sm_fleet_db_channels(&f->db, q->route.name, array);
    if (err == SM_ERR_NOT_FOUND)
        sm_fleet_refuse(a, 404, "no channel %s", q->route.name);
    else if (err)
        sm_fleet_fail(a, err);
    else
        sm_fleet_reply(a, 200, json_incref(json_array_get(array, 0)));
    json_decref(array);
}

static void assign(struct sm_fleet *f, const struct sm_fleet_request *q,
                   const struct sm_fleet_assignment *body, struct sm_fleet_answer *a)
{
    uint64_t actions = 0;
    size_t at = 0;
    int err =
        sm_fleet_db_assign(&f->db, q->route.name, body, q->who, sm_time_now_ms(), &actions, &at);
    if (err == SM_ERR_NOT_FOUND)
        sm_fleet_refuse(a, 422, "modules[%zu]: no module %s", at, body->sha256[at]);
    else if (err == SM_ERR_INVALID)
        sm_fleet_refuse(a, 422, "modules[%zu]: another version of it is in the list already", at);
    else if (err == SM_ERR_DENIED)
        sm_fleet_refuse(a, 422, "modules[%zu]: requires another release of a module in the list",
                        at);
    else if (err == SM_ERR_STATE)
        sm_fleet_refuse(a, 422, "modules[%zu]: removes a plugin, which is no part of a set", at);
    else if (err)
        sm_fleet_fail(a, err);
    else
        sm_fleet_reply(
            a, 200,
            json_pack("{s:s, s:I}", "channel", q->route.name, "actions", (json_int_t)actions));
    if (!err)
        sm_log(SM_LOG_INFO, "%s assigned %zu module%s to channel %s: %llu devices to update",
               q->who, body->count, body->count == 1 ? "" : "s", q->route.name,
               (unsigned long long)actions);
}

void sm_fleet_channel_assign(struct sm_fleet *f, const struct sm_fleet_request *q,
                             struct sm_fleet_answer *a)
{
    struct sm_fleet_assignment body;
    struct sm_json_error why;
    if (sm_fleet_read_assignment(q->body.at, q->body.len, &body, &why) < 0) {
        sm_fleet_refuse(a, 400, "%s", why.text);
        return;
    }
    assign(f, q, &body, a);
    json_decref(body.root);
}

/* ---- Devices and events ---------------------------------------------------------------------- */

static void put_device(struct sm_fleet *f, const struct sm_fleet_request *q,
                       const struct sm_fleet_enrolment *body, struct sm_fleet_answer *a)
{
    uint8_t hash[SM_SHA256_SIZE];
    bool created = false;
    uint64_t action = 0;
    if (body->token)
        sm_sha256(body->token, strlen(body->token), hash);
    int err =
        sm_fleet_db_device_put(&f->db, q->route.name, body->channel, body->token ? hash : NULL,
                               sm_time_now_ms(), &created, &action);
    if (err == SM_ERR_ARG)
        sm_fleet_refuse(a, 422, "token: is missing, and device %s is new", q->route.name);
    else if (err)
        sm_fleet_fail(a, err);
    else
        sm_fleet_reply(a, created ? 201 : 200,
                       json_pack("{s:s, s:I}", "id", q->route.name, "action", (json_int_t)action));
    if (!err)
        sm_log(SM_LOG_INFO, "%s %s device %s%s%s", q->who, created ? "enrolled" : "changed",
               q->route.name, body->channel ? ", channel " : "",
               body->channel ? body->channel : "");
}

void sm_fleet_device_put(struct sm_fleet *f, const struct sm_fleet_request *q,
                         struct sm_fleet_answer *a)
{
    struct sm_fleet_enrolment body;
    struct sm_json_error why;
    if (sm_fleet_read_enrolment(q->body.at, q->body.len, &body, &why) < 0) {
        sm_fleet_refuse(a, 400, "%s", why.text);
        return;
    }
    put_device(f, q, &body, a);
    json_decref(body.root);
}

/* ?limit= as a number in range, or the answer says what is wrong. */
static bool read_limit(const struct sm_fleet_request *q, uint64_t *limit, struct sm_fleet_answer *a)
{
    *limit = LIST_DEFAULT;
    if (!q->query_limit ||
        (!sm_fleet_number(q->query_limit, limit) && *limit >= 1 && *limit <= LIST_MAX))
        return true;
    sm_fleet_refuse(a, 400, "limit: must be a whole number from 1 to %u", LIST_MAX);
    return false;
}

void sm_fleet_devices(struct sm_fleet *f, const struct sm_fleet_request *q,
                      struct sm_fleet_answer *a)
{
    uint64_t limit;
    if (!read_limit(q, &limit, a))
        return;
    json_t *array = json_array();
    const char *after = q->query_after ? q->query_after : "";
    reply_list(a, "devices", array, sm_fleet_db_devices(&f->db, after, limit, array));
}

void sm_fleet_device(struct sm_fleet *f, const struct sm_fleet_request *q,
                     struct sm_fleet_answer *a)
{
    json_t *object = json_object();
    int err = sm_fleet_db_device(&f->db, q->route.name, object);
    if (!err) {
        sm_fleet_reply(a, 200, object);
        return;
    }
    json_decref(object);
    if (err == SM_ERR_NOT_FOUND)
        sm_fleet_refuse(a, 404, "no device %s", q->route.name);
    else
        sm_fleet_fail(a, err);
}

/* What came after ?after=, of ?device= or all, at most ?limit=. */
typedef int lister(struct sm_fleet_db *db, const char *device, uint64_t after, uint64_t limit,
                   json_t *array);

static void list_after(struct sm_fleet *f, const struct sm_fleet_request *q, const char *what,
                       lister *read, struct sm_fleet_answer *a)
{
    uint64_t limit, after = 0;
    if (!read_limit(q, &limit, a))
        return;
    if (q->query_after && sm_fleet_number(q->query_after, &after) < 0) {
        sm_fleet_refuse(a, 400, "after: must be a number of these %s", what);
        return;
    }
    if (q->query_device && !sm_fleet_name_valid(q->query_device)) {
        sm_fleet_refuse(a, 400, "device: is not a device id");
        return;
    }
    json_t *array = json_array();
    reply_list(a, what, array, read(&f->db, q->query_device, after, limit, array));
}

void sm_fleet_events(struct sm_fleet *f, const struct sm_fleet_request *q,
                     struct sm_fleet_answer *a)
{
    list_after(f, q, "events", sm_fleet_db_events, a);
}

void sm_fleet_postmortems(struct sm_fleet *f, const struct sm_fleet_request *q,
                          struct sm_fleet_answer *a)
{
    list_after(f, q, "postmortems", sm_fleet_db_postmortems, a);
}

/* What devices ask: the Direct Device Integration interface of Eclipse hawkBit, and one link of our
 * own, "events".
 *
 * Clients of that interface follow the links they are given, so where artifacts lie is ours to
 * choose. A base resource offers the one open action as deploymentBase; an action that was
 * superseded is simply no longer there (404), and feedback to a closed one is 410.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <posix/log.h>

#include "server.h"

#define URL_MAX 768

/* A link to a resource below the device's base resource. */
static json_t *link_to(const struct sm_fleet *f, const struct sm_fleet_request *q, const char *rest)
{
    char url[URL_MAX];
    snprintf(url, sizeof url, "%s/%s/controller/v1/%s/%s", q->base_url, f->cfg.tenant, q->who,
             rest);
    return json_pack("{s:s}", "href", url);
}

void sm_fleet_ddi_base(struct sm_fleet *f, const struct sm_fleet_request *q,
                       struct sm_fleet_answer *a)
{
    uint64_t action;
    unsigned s = (unsigned)f->cfg.poll_seconds; /* below one day */
    char sleep[16], rest[64];
    int err = sm_fleet_db_action(&f->db, q->who, &action);
    if (err) {
        sm_fleet_fail(a, err);
        return;
    }
    snprintf(sleep, sizeof sleep, "%02u:%02u:%02u", s / 3600 % 24, s / 60 % 60, s % 60);
    json_t *links = json_pack("{s:o, s:o}", "configData", link_to(f, q, "configData"), "events",
                              link_to(f, q, "events"));
    if (action) {
        snprintf(rest, sizeof rest, "deploymentBase/%llu", (unsigned long long)action);
        json_object_set_new(links, "deploymentBase", link_to(f, q, rest));
    }
    sm_fleet_reply(
        a, 200,
        json_pack("{s:{s:{s:s}}, s:o}", "config", "polling", "sleep", sleep, "_links", links));
}

/* ---- Deployments ----------------------------------------------------------------------------- */

static json_t *artifact_json(const struct sm_fleet *f, const struct sm_fleet_request *q,
                             const struct sm_fleet_module *m, bool signature)
{
    char name[64], rest[160];
    snprintf(name, sizeof name, "%s.wasm%s", m->name, signature ? ".sig" : "");
    snprintf(rest, sizeof rest, "artifacts/%s/%s", m->sha256, name);
    return json_pack("{s:s, s:{s:s, s:s}, s:I, s:{s:o}}", "filename", name, "hashes", "sha1",
                     signature ? m->sig_sha1 : m->sha1, "sha256",
                     signature ? m->sig_sha256 : m->sha256, "size",
                     signature ? (json_int_t)sizeof m->signature : (json_int_t)m->size, "_links",
                     "download", link_to(f, q, rest));
}

static json_t *chunk_json(const struct sm_fleet *f, const struct sm_fleet_request *q,
                          const struct sm_fleet_module *m)
{
    return json_pack("{s:s, s:s, s:s, s:[o, o]}", "part", "bApp", "version", m->version, "name",
                     m->name, "artifacts", artifact_json(f, q, m, false),
                     artifact_json(f, q, m, true));
}

void sm_fleet_ddi_deployment(struct sm_fleet *f, const struct sm_fleet_request *q,
                             struct sm_fleet_answer *a)
{
    struct sm_fleet_module m[SM_FLEET_MODULES_MAX];
    size_t count;
    char id[24];
    int err = sm_fleet_db_action_modules(&f->db, q->who, q->route.action, sm_time_now_ms(), m,
                                         SM_FLEET_MODULES_MAX, &count);
    if (err == SM_ERR_NOT_FOUND) {
        sm_fleet_refuse(a, 404, "no open action %llu of this device",
                        (unsigned long long)q->route.action);
        return;
    }
    if (err) {
        sm_fleet_fail(a, err);
        return;
    }
    json_t *chunks = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(chunks, chunk_json(f, q, &m[i]));
    snprintf(id, sizeof id, "%llu", (unsigned long long)q->route.action);
    sm_fleet_reply(a, 200,
                   json_pack("{s:s, s:{s:s, s:s, s:o}}", "id", id, "deployment", "download",
                             "forced", "update", "forced", "chunks", chunks));
}

void sm_fleet_ddi_feedback(struct sm_fleet *f, const struct sm_fleet_request *q,
                           struct sm_fleet_answer *a)
{
    static const char *const words[] = {"goes on", "finished", "failed"};
    struct sm_fleet_feedback body;
    struct sm_json_error why;
    unsigned long long action = q->route.action;
    if (sm_fleet_read_feedback(q->body.at, q->body.len, &body, &why) < 0) {
        sm_fleet_refuse(a, 400, "%s", why.text);
        return;
    }
    int err = sm_fleet_db_feedback(&f->db, q->who, q->route.action, &body, sm_time_now_ms());
    if (err == SM_ERR_NOT_FOUND)
        sm_fleet_refuse(a, 404, "no action %llu of this device", action);
    else if (err == SM_ERR_STATE)
        sm_fleet_refuse(a, 410, "action %llu is closed", action);
    else if (err)
        sm_fleet_fail(a, err);
    else
        sm_fleet_reply(a, 200, json_object());
    if (!err)
        sm_log(body.outcome == SM_FLEET_FAILED ? SM_LOG_WARN : SM_LOG_INFO,
               "device %s: action %llu %s%s%s", q->who, action, words[body.outcome],
               body.details[0] ? ": " : "", body.details);
    json_decref(body.root);
}

/* ---- Attributes and events ------------------------------------------------------------------- */

void sm_fleet_ddi_config(struct sm_fleet *f, const struct sm_fleet_request *q,
                         struct sm_fleet_answer *a)
{
    struct sm_fleet_attributes body;
    struct sm_json_error why;
    if (sm_fleet_read_attributes(q->body.at, q->body.len, &body, &why) < 0) {
        sm_fleet_refuse(a, 400, "%s", why.text);
        return;
    }
    int err = sm_fleet_db_attributes(&f->db, q->who, &body, sm_time_now_ms());
    if (err == SM_ERR_LIMIT)
        sm_fleet_refuse(a, 422, "data: a device has at most %u attributes",
                        SM_FLEET_ATTRIBUTES_MAX);
    else if (err)
        sm_fleet_fail(a, err);
    else
        sm_fleet_reply(a, 200, json_object());
    json_decref(body.root);
}

static void log_event(const char *device, const struct sm_fleet_event *e)
{
    /* Of a module whose signature did not hold, the version is not known. */
    sm_log(SM_LOG_INFO, "device %s: %s %s %s (sequence %llu)%s%s", device, e->event, e->module,
           *e->version ? e->version : "-", (unsigned long long)e->sequence, *e->detail ? ": " : "",
           e->detail);
}

/* All events of a request or none: the device marks them as told only when all are. */
static int add_events(struct sm_fleet *f, const char *device, const struct sm_fleet_events *body,
                      bool known[])
{
    int64_t now = sm_time_now_ms();
    int err = sm_fleet_db_begin(&f->db);
    if (err)
        return err;
    for (size_t i = 0; !err && i < body->count; i++)
        err = sm_fleet_db_event_add(&f->db, device, &body->event[i], now, &known[i]);
    return sm_fleet_db_end(&f->db, err);
}

void sm_fleet_ddi_events(struct sm_fleet *f, const struct sm_fleet_request *q,
                         struct sm_fleet_answer *a)
{
    struct sm_fleet_events body;
    struct sm_json_error why;
    bool known[SM_FLEET_EVENTS_MAX];
    size_t accepted = 0;
    if (sm_fleet_read_events(q->body.at, q->body.len, &body, &why) < 0) {
        sm_fleet_refuse(a, 400, "%s", why.text);
        return;
    }
    int err = add_events(f, q->who, &body, known);
    for (size_t i = 0; !err && i < body.count; i++) {
        if (known[i])
            continue;
        accepted++;
        log_event(q->who, &body.event[i]);
    }
    if (err)
        sm_fleet_fail(a, err);
    else
        sm_fleet_reply(a, 200,
                       json_pack("{s:I, s:I}", "accepted", (json_int_t)accepted, "known",
                                 (json_int_t)(body.count - accepted)));
    json_decref(body.root);
}

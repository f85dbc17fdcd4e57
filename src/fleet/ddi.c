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
    json_t *versions = json_object();
    int err = sm_fleet_db_action(&f->db, q->who, &action);
    if (!err)
        err = sm_fleet_db_keys_latest(&f->db, versions);
    if (err) {
        json_decref(versions);
        sm_fleet_fail(a, err);
        return;
    }
    snprintf(sleep, sizeof sleep, "%02u:%02u:%02u", s / 3600 % 24, s / 60 % 60, s % 60);
    json_t *links =
        json_pack("{s:o, s:o, s:o}", "configData", link_to(f, q, "configData"), "events",
                  link_to(f, q, "events"), "postmortems", link_to(f, q, "postmortems"));
    if (json_object_size(versions)) {
        json_t *keys = link_to(f, q, "keys");
        json_object_set(keys, "versions", versions);
        json_object_set_new(links, "keys", keys);
    }
    json_decref(versions);
    if (f->cfg.states)
        json_object_set_new(links, "current", link_to(f, q, "current"));
    if (action) {
        snprintf(rest, sizeof rest, "deploymentBase/%llu", (unsigned long long)action);
        json_object_set_new(links, "deploymentBase", link_to(f, q, rest));
    }
    sm_fleet_reply(
        a, 200,
        json_pack("{s:{s:{s:s}}, s:o}", "config", "polling", "sleep", sleep, "_links", links));
}

/* ---- Deployments ----------------------------------------------------------------------------- */

/* A file as an artifact; its link has the object's hash and the file's name. */
struct file {
    const char *name, *object, *sha256, *sha1;
    uint64_t size;
};

static json_t *artifact_json(const struct sm_fleet *f, const struct sm_fleet_request *q,
                             const struct file *file)
{
    char rest[192];
    snprintf(rest, sizeof rest, "artifacts/%s/%s", file->object, file->name);
    return json_pack("{s:s, s:{s:s, s:s}, s:I, s:{s:o}}", "filename", file->name, "hashes", "sha1",
                     file->sha1, "sha256", file->sha256, "size", (json_int_t)file->size, "_links",
                     "download", link_to(f, q, rest));
}

/* A file and its signature, which is called like it with .sig behind. */
static void append_pair(const struct sm_fleet *f, const struct sm_fleet_request *q, json_t *array,
                        const struct file *file, const struct file *sig)
{
    char name[SM_FLEET_NATIVE_FILE + 8];
    struct file named = *sig;
    snprintf(name, sizeof name, "%s.sig", file->name);
    named.name = name;
    named.object = file->object;
    json_array_append_new(array, artifact_json(f, q, file));
    json_array_append_new(array, artifact_json(f, q, &named));
}

/* The module, then what native images of it there are: a device takes that of its own target. */
static int append_artifacts(struct sm_fleet *f, const struct sm_fleet_request *q,
                            const struct sm_fleet_module *m, json_t *array)
{
    struct sm_fleet_native n[SM_FLEET_NATIVES_MAX];
    char name[SM_FLEET_NATIVE_FILE];
    size_t count;
    int err = sm_fleet_db_natives_of(&f->db, m->sha256, n, SM_FLEET_NATIVES_MAX, &count);
    if (err)
        return err;
    snprintf(name, sizeof name, "%s.wasm", m->name);
    append_pair(f, q, array, &(struct file){name, m->sha256, m->sha256, m->sha1, m->size},
                &(struct file){NULL, NULL, m->sig_sha256, m->sig_sha1, sizeof m->signature});
    for (size_t i = 0; i < count; i++) {
        sm_fleet_native_file(&n[i], name);
        append_pair(f, q, array,
                    &(struct file){name, n[i].sha256, n[i].sha256, n[i].sha1, n[i].size},
                    &(struct file){NULL, NULL, n[i].sig_sha256, n[i].sig_sha1, n[i].claim_len});
    }
    return 0;
}

static int append_chunk(struct sm_fleet *f, const struct sm_fleet_request *q,
                        const struct sm_fleet_module *m, json_t *chunks)
{
    json_t *artifacts = json_array();
    json_array_append_new(chunks, json_pack("{s:s, s:s, s:s, s:o}", "part",
                                            m->plugin ? "plugin" : "bApp", "version", m->version,
                                            "name", m->name, "artifacts", artifacts));
    return append_artifacts(f, q, m, artifacts);
}

void sm_fleet_ddi_deployment(struct sm_fleet *f, const struct sm_fleet_request *q,
                             struct sm_fleet_answer *a)
{
    struct sm_fleet_module m[SM_FLEET_MODULES_MAX];
    size_t count;
    bool set = false;
    char id[24];
    int err = sm_fleet_db_action_modules(&f->db, q->who, q->route.action, sm_time_now_ms(), m,
                                         SM_FLEET_MODULES_MAX, &count);
    if (err == SM_ERR_NOT_FOUND) {
        sm_fleet_refuse(a, 404, "no open action %llu of this device",
                        (unsigned long long)q->route.action);
        return;
    }
    json_t *chunks = json_array();
    if (!err)
        err = sm_fleet_db_action_is_set(&f->db, q->route.action, &set);
    for (size_t i = 0; !err && i < count; i++)
        err = append_chunk(f, q, &m[i], chunks);
    if (err) {
        json_decref(chunks);
        sm_fleet_fail(a, err);
        return;
    }
    snprintf(id, sizeof id, "%llu", (unsigned long long)q->route.action);
    json_t *deployment =
        json_pack("{s:s, s:s, s:o}", "download", "forced", "update", "forced", "chunks", chunks);
    if (set)
        json_object_set_new(deployment, "set", json_true());
    sm_fleet_reply(a, 200, json_pack("{s:s, s:o}", "id", id, "deployment", deployment));
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
    const char *id = json_string_value(json_object_get(body.root, "id"));
    uint64_t about;
    if (id && (sm_fleet_number(id, &about) < 0 || about != q->route.action)) {
        sm_fleet_refuse(a, 400, "id: is not that of action %llu", action);
        json_decref(body.root);
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
    if (!err)
        err = sm_fleet_db_events_trim(&f->db, device);
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

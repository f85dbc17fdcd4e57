/* Modules that operators upload: applications and plugins, each with its signature. The server
 * checks them as a device would, so that a mistake is noticed before any device meets it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <posix/log.h>
#include <sandmote/sensor.h>

#include "server.h"

/* A refused manifest in words: which rule, which key, where. */
static void refuse_manifest(struct sm_fleet_answer *a, int err, const struct sm_manifest_detail *d)
{
    const char *key = sm_manifest_key_name(d->key);
    if (err == SM_ERR_NOT_FOUND)
        sm_fleet_refuse(a, 422, "module: has no manifest; `sandmote pack` adds one");
    else if (err == SM_ERR_UNSUPPORTED)
        sm_fleet_refuse(a, 422, "module: its manifest has format %llu, from the future",
                        (unsigned long long)d->value);
    else
        sm_fleet_refuse(a, 422, "module: %s%s%s, at byte %u", d->rule ? d->rule : sm_strerror(err),
                        key ? ", in " : "", key ? key : "", d->offset);
}

/* The module is authentic and its manifest is in *m, or the answer says why not. */
static bool verify(struct sm_fleet *f, const struct sm_fleet_request *q, struct sm_manifest *m,
                   struct sm_fleet_answer *a)
{
    struct sm_manifest_detail detail = {0};
    if (!q->module.at || !q->signature.at) {
        sm_fleet_refuse(a, 400, "%s: is missing", q->module.at ? "signature" : "module");
        return false;
    }
    if (q->signature.len != SM_SIGNATURE_BYTES) {
        sm_fleet_refuse(a, 422, "signature: must have %u bytes, has %zu", SM_SIGNATURE_BYTES,
                        q->signature.len);
        return false;
    }
    bool revoked = false;
    int verdict = 0;
    int err = sm_fleet_verify_module(f, q, m, &detail, &verdict);
    if (!err && !verdict)
        err = sm_fleet_revoked(f, m->fleet, q->module, &revoked);
    if (err) {
        sm_fleet_fail(a, err);
        return false;
    }
    if (revoked) {
        sm_fleet_refuse(a, 422, "module: is revoked by the key set of fleet %s", m->fleet);
        return false;
    }
    if (verdict == SM_ERR_SIGNATURE)
        sm_fleet_refuse(a, 422,
                        "signature: no signer that this server knows made it over this file");
    else if (verdict == SM_ERR_KEY)
        sm_fleet_refuse(a, 422, "signature: its key may not sign it: %s", detail.rule);
    else if (verdict)
        refuse_manifest(a, verdict, &detail);
    return verdict == 0;
}

static json_t *attributes_json(const struct sm_plugin_sensor *s)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < s->attributes; i++) {
        const struct sm_plugin_attribute *a = &s->attribute[i];
        json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "name", a->name, "unit",
                              sm_unit_text(a->unit), "decimals", (json_int_t)a->decimals, "min",
                              (json_int_t)a->min, "max", (json_int_t)a->max, "initial",
                              (json_int_t)a->initial);
        if (a->writes != SM_WRITES_NONE)
            json_object_set_new(o, "writes", json_string(sm_plugin_writes_name(a->writes)));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *sensor_json(const struct sm_plugin_sensor *s)
{
    json_t *values = json_array();
    for (uint32_t i = 0; i < s->values; i++) {
        const struct sm_plugin_value *v = &s->value[i];
        json_t *o = json_pack("{s:s, s:s, s:I}", "name", v->name, "unit", sm_unit_text(v->unit),
                              "decimals", (json_int_t)v->decimals);
        if (v->min != 0 || v->max != 0) {
            json_object_set_new(o, "min", json_integer(v->min));
            json_object_set_new(o, "max", json_integer(v->max));
        }
        json_array_append_new(values, o);
    }
    json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:o}", "id", s->id, "model", s->model, "bus",
                          s->bus, "address", (json_int_t)s->address, "capabilities", values);
    if (s->attributes > 0)
        json_object_set_new(o, "attributes", attributes_json(s));
    return o;
}

/* A requirement without an upper bound has no "most". */
static json_t *requires_json(const struct sm_manifest *m)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < m->requirements; i++) {
        const struct sm_requirement *r = &m->requires[i];
        json_t *o = json_pack("{s:s, s:I}", "name", r->name, "least", (json_int_t)r->least);
        if (r->most < INT64_MAX)
            json_object_set_new(o, "most", json_integer((json_int_t)r->most));
        json_array_append_new(array, o);
    }
    return array;
}

/* The manifest as `sandmote pack` reads it; the database asks in it for kind, removes, requires. */
static json_t *manifest_json(const struct sm_manifest *m)
{
    json_t *classes = json_array(), *capabilities = json_array();
    for (unsigned c = 0; c < SM_CLASSES; c++)
        if (m->classes & 1u << c)
            json_array_append_new(classes, json_string(sm_class_name(c)));
    for (uint32_t i = 0; i < m->capabilities; i++)
        json_array_append_new(capabilities, json_string(m->capability[i]));
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:s, s:I, s:I, s:I, s:o, s:I, s:{s:I, s:I, s:I}}",
        "kind", sm_module_kind_name(m->kind), "fleet", m->fleet, "name", m->name, "version",
        m->version, "sequence", (json_int_t)m->sequence, "security_floor",
        (json_int_t)m->security_floor, "classes", classes, "entry", m->entry, "period_ms",
        (json_int_t)m->period_ms, "memory_bytes", (json_int_t)m->memory_bytes, "stack_bytes",
        (json_int_t)m->stack_bytes, "capabilities", capabilities, "interface",
        (json_int_t)m->interface, "health", "good_ticks", (json_int_t)m->good_ticks, "timeout_ms",
        (json_int_t)m->timeout_ms, "late_ticks", (json_int_t)m->late_ticks);
    if (m->sensor.values > 0)
        json_object_set_new(o, "sensor", sensor_json(&m->sensor));
    else if (m->kind == SM_KIND_PLUGIN)
        json_object_set_new(o, "removes", json_true());
    if (m->requirements > 0)
        json_object_set_new(o, "requires", requires_json(m));
    return o;
}

static void describe(const struct sm_fleet_request *q, const struct sm_manifest *m,
                     struct sm_fleet_module *out)
{
    memset(out, 0, sizeof *out);
    sm_fleet_sha256_text(q->module, out->sha256);
    sm_fleet_sha1_text(q->module, out->sha1);
    sm_fleet_sha256_text(q->signature, out->sig_sha256);
    sm_fleet_sha1_text(q->signature, out->sig_sha1);
    memcpy(out->signature, q->signature.at, sizeof out->signature);
    out->size = q->module.len;
    memcpy(out->fleet, m->fleet, sizeof out->fleet);
    memcpy(out->name, m->name, sizeof out->name);
    memcpy(out->version, m->version, sizeof out->version);
    out->sequence = m->sequence;
}

void sm_fleet_module_upload(struct sm_fleet *f, const struct sm_fleet_request *q,
                            struct sm_fleet_answer *a)
{
    struct sm_manifest m;
    struct sm_fleet_module row;
    char taken[SM_FLEET_SHA_TEXT];
    bool created;
    if (!verify(f, q, &m, a))
        return;
    describe(q, &m, &row);
    int err = sm_fleet_artifact_store(f, row.sha256, q->module);
    json_t *json = manifest_json(&m);
    if (!err)
        err = json ? sm_fleet_db_module_add(&f->db, &row, json, q->who, sm_time_now_ms(), &created,
                                            taken)
                   : SM_ERR_MEMORY;
    if (err) {
        json_decref(json);
        if (err == SM_ERR_STATE)
            sm_fleet_refuse(a, 409, "module: sequence %llu of %s in fleet %s is taken by module %s",
                            (unsigned long long)m.sequence, m.name, m.fleet, taken);
        else
            sm_fleet_fail(a, err);
        return;
    }
    json_object_set_new(json, "sha256", json_string(row.sha256));
    json_object_set_new(json, "size", json_integer((json_int_t)row.size));
    sm_fleet_reply(a, created ? 201 : 200, json);
    if (created)
        sm_log(SM_LOG_INFO, "%s uploaded %s %s %s (sequence %llu, fleet %s, %zu bytes, %s)", q->who,
               sm_module_kind_name(m.kind), m.name, m.version, (unsigned long long)m.sequence,
               m.fleet, q->module.len, row.sha256);
}

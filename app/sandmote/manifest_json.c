/* JSON to struct sm_manifest.
 *
 * Types and unknown keys are judged by the strict reader; texts are only bounded so that they fit
 * into the struct's members with room for the encoder to see that they are too long.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "manifest_json.h"

#include <stdlib.h>
#include <string.h>

#include <posix/json_read.h>
#include <sandmote/network.h>
#include <sandmote/sensors.h>
#include <sandmote/wasi.h>

#include "cli.h"

#define FILE_MAX  65536u
#define NOT_GIVEN UINT64_MAX /* above what JSON can say */
#define NO_LIMIT  INT64_MIN

struct raw {
    const char *kind, *fleet, *name, *version, *entry;
    uint64_t sequence, floor, period, memory, stack, interface;
    json_t *classes, *capabilities, *health, *sensor, *requires;
    bool removes;
};

#define FIELD(key, kind, required, max, member)                                                    \
    {                                                                                              \
        key, kind, required, 0, max, SM_JSON_AT(struct raw, member)                                \
    }
static const struct sm_json_field fields[] = {
    FIELD("kind", SM_JSON_TEXT, false, 32, kind),
    FIELD("fleet", SM_JSON_TEXT, true, SM_FLEET_MAX, fleet),
    FIELD("name", SM_JSON_TEXT, true, SM_NAME_MAX, name),
    FIELD("version", SM_JSON_TEXT, true, SM_VERSION_MAX, version),
    FIELD("sequence", SM_JSON_UINT, true, 0, sequence),
    FIELD("security_floor", SM_JSON_UINT, false, 0, floor),
    FIELD("classes", SM_JSON_ARRAY, true, SM_CLASSES, classes),
    FIELD("entry", SM_JSON_TEXT, false, SM_ENTRY_MAX, entry),
    FIELD("period_ms", SM_JSON_UINT, false, 0, period),
    FIELD("memory_bytes", SM_JSON_UINT, false, 0, memory),
    FIELD("stack_bytes", SM_JSON_UINT, false, 0, stack),
    FIELD("capabilities", SM_JSON_ARRAY, false, SM_CAPABILITIES_MAX, capabilities),
    FIELD("interface", SM_JSON_UINT, false, 0, interface),
    FIELD("health", SM_JSON_OBJECT, false, 16, health),
    FIELD("sensor", SM_JSON_OBJECT, false, 16, sensor),
    FIELD("requires", SM_JSON_ARRAY, false, SM_REQUIRES_MAX, requires),
    FIELD("removes", SM_JSON_BOOL, false, 0, removes),
    {0},
};
#define FIELDS (sizeof fields / sizeof fields[0])

/* The fields, with the ranges of numbers that the manifest's own format has. */
static void take_ranges(struct sm_json_field own[FIELDS])
{
    memcpy(own, fields, sizeof fields);
    for (uint32_t key = SM_KEY_FORMAT; key <= SM_KEY_HEALTH; key++)
        for (size_t i = 0; own[i].key; i++)
            if (own[i].kind == SM_JSON_UINT && strcmp(own[i].key, sm_manifest_key_name(key)) == 0)
                (void)sm_manifest_range(key, &own[i].min, &own[i].max);
}

struct raw_health {
    uint64_t ticks, timeout, late;
};
static const struct sm_json_field health_fields[] = {
    {"good_ticks", SM_JSON_UINT, false, 0, UINT32_MAX, SM_JSON_AT(struct raw_health, ticks)},
    {"timeout_ms", SM_JSON_UINT, false, 0, UINT32_MAX, SM_JSON_AT(struct raw_health, timeout)},
    {"late_ticks", SM_JSON_UINT, false, 0, UINT32_MAX, SM_JSON_AT(struct raw_health, late)},
    {0},
};

/* Texts are no longer than their members: the reader has seen to it. */
static void copy(char *into, const char *text)
{
    if (text)
        memcpy(into, text, strlen(text) + 1);
}

static bool read_kind(const struct raw *raw, struct sm_manifest *m, struct sm_json_error *err)
{
    if (!raw->kind)
        return true;
    for (m->kind = 0; m->kind < SM_KINDS; m->kind++)
        if (strcmp(raw->kind, sm_module_kind_name(m->kind)) == 0)
            return true;
    snprintf(err->text, sizeof err->text, "kind: \"%s\" is neither \"application\" nor \"plugin\"",
             raw->kind);
    return false;
}

static bool read_classes(const struct raw *raw, struct sm_manifest *m, struct sm_json_error *err)
{
    for (size_t i = 0; i < json_array_size(raw->classes); i++) {
        const char *name = json_string_value(json_array_get(raw->classes, i));
        int cls = name ? sm_class_find(name) : SM_ERR_NOT_FOUND;
        if (cls < 0) {
            snprintf(err->text, sizeof err->text,
                     "classes: %s%.64s%s is none of \"mcu\", \"mpu\", \"gateway\", \"edge\"",
                     name ? "\"" : "", name ? name : "an element", name ? "\"" : "");
            return false;
        }
        m->classes |= 1u << cls;
    }
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* What every device would refuse. Classes are read before. */
static bool read_wasi(const char *text, const struct sm_manifest *m, struct sm_json_error *err)
{
    char name[SM_WASI_DIR_MAX + 1];
    bool write;
    if (sm_host_part_of(text) != SM_HOST_WASI)
        return true;
    if (m->classes & 1u << SM_CLASS_MCU)
        snprintf(err->text, sizeof err->text, "capabilities: \"%s\": class mcu has no WASI", text);
    else if (strcmp(text, "wasi") != 0 && sm_wasi_directory(text, name, &write) != 0)
        snprintf(
            err->text, sizeof err->text,
            "capabilities: \"%s\" is neither file/NAME:r nor file/NAME:rw, with a name of 0 to "
            "%u of a-z 0-9 . _ -",
            text, SM_WASI_DIR_MAX);
    else
        return true;
    return false;
}

/* The author's order does not matter: the format has one. */
/* A word of the manifest's (SPEC-manifest.md), at most `most` bytes; how long it is, or 0. */
static size_t word_length(const char *text, size_t most)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return len <= most ? len : 0;
}

/* sensor/SENSOR/NAME:r, :w or :rw. Another form would be packed, granted, and open nothing. */
static bool read_sensor_grant(const char *text, struct sm_json_error *err)
{
    const char *rest = text + strlen("sensor/");
    if (strncmp(text, "sensor/", strlen("sensor/")) != 0)
        return true;
    size_t id = word_length(rest, SM_SENSOR_ID_MAX);
    size_t name = id && rest[id] == '/' ? word_length(rest + id + 1, SM_SENSOR_NAME_MAX) : 0;
    const char *right = name ? rest + id + 1 + name : "";
    bool alias = name && strncmp(rest + id + 1, SM_SENSOR_RATE_ALIAS, name) == 0 &&
                 name == strlen(SM_SENSOR_RATE_ALIAS);
    if (!alias && (!strcmp(right, ":r") || !strcmp(right, ":w") || !strcmp(right, ":rw")))
        return true;
    snprintf(err->text, sizeof err->text, "capabilities: \"%s\" %s", text,
             alias ? "is granted under the name SampRate"
                   : "is not sensor/SENSOR/NAME:r, :w or :rw, with the names written out");
    return false;
}

static bool read_network_grant(const char *text, struct sm_json_error *err)
{
    const char *wrong = sm_network_capability(text);
    if (wrong)
        snprintf(err->text, sizeof err->text, "capabilities: \"%s\" %s", text, wrong);
    return !wrong;
}

static bool read_capabilities(const struct raw *raw, struct sm_manifest *m,
                              struct sm_json_error *err)
{
    size_t count = json_array_size(raw->capabilities);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(raw->capabilities, i));
        if (!text || strlen(text) > SM_CAPABILITY_MAX) {
            snprintf(err->text, sizeof err->text,
                     "capabilities: each must be a text of at most %u bytes", SM_CAPABILITY_MAX);
            return false;
        }
        copy(m->capability[i], text);
        if (!read_wasi(text, m, err) || !read_sensor_grant(text, err) ||
            !read_network_grant(text, err))
            return false;
    }
    m->capabilities = (uint32_t)count;
    qsort(m->capability, count, sizeof m->capability[0], by_bytes);
    return true;
}

static bool read_health(const struct raw *raw, struct manifest_json *json,
                        struct sm_json_error *err)
{
    struct raw_health health = {json->m.good_ticks, NOT_GIVEN, json->m.late_ticks};
    if (raw->health && sm_json_read(raw->health, "health", health_fields, false, &health, err) < 0)
        return false;
    json->m.good_ticks = (uint32_t)health.ticks;
    json->m.late_ticks = (uint32_t)health.late;
    json->timeout_given = health.timeout != NOT_GIVEN;
    if (json->timeout_given)
        json->m.timeout_ms = (uint32_t)health.timeout;
    return true;
}

struct raw_sensor {
    const char *id, *model, *bus;
    uint64_t address;
    json_t *values, *attributes;
};
static const struct sm_json_field sensor_fields[] = {
    {"id", SM_JSON_TEXT, true, 1, SM_SENSOR_ID_MAX, SM_JSON_AT(struct raw_sensor, id)},
    {"model", SM_JSON_TEXT, true, 1, SM_SENSOR_MODEL_MAX, SM_JSON_AT(struct raw_sensor, model)},
    {"bus", SM_JSON_TEXT, true, 1, SM_BUS_NAME_MAX, SM_JSON_AT(struct raw_sensor, bus)},
    {"address", SM_JSON_UINT, true, 0, 247, SM_JSON_AT(struct raw_sensor, address)},
    {"capabilities", SM_JSON_ARRAY, true, 1, SM_PLUGIN_VALUES,
     SM_JSON_AT(struct raw_sensor, values)},
    {"attributes", SM_JSON_ARRAY, false, 0, SM_PLUGIN_ATTRIBUTES,
     SM_JSON_AT(struct raw_sensor, attributes)},
    {0},
};

struct raw_value {
    const char *name, *unit;
    uint64_t decimals;
    int64_t min, max;
};
static const struct sm_json_field value_fields[] = {
    {"name", SM_JSON_TEXT, true, 1, SM_SENSOR_NAME_MAX, SM_JSON_AT(struct raw_value, name)},
    {"unit", SM_JSON_TEXT, false, 0, 8, SM_JSON_AT(struct raw_value, unit)},
    {"decimals", SM_JSON_UINT, false, 0, 9, SM_JSON_AT(struct raw_value, decimals)},
    {"min", SM_JSON_INT, false, 0, 0, SM_JSON_AT(struct raw_value, min)},
    {"max", SM_JSON_INT, false, 0, 0, SM_JSON_AT(struct raw_value, max)},
    {0},
};

struct raw_attribute {
    const char *name, *unit, *writes;
    uint64_t decimals;
    int64_t min, max, initial;
};
static const struct sm_json_field attribute_fields[] = {
    {"name", SM_JSON_TEXT, true, 1, SM_SENSOR_NAME_MAX, SM_JSON_AT(struct raw_attribute, name)},
    {"unit", SM_JSON_TEXT, false, 0, 8, SM_JSON_AT(struct raw_attribute, unit)},
    {"decimals", SM_JSON_UINT, false, 0, 9, SM_JSON_AT(struct raw_attribute, decimals)},
    {"min", SM_JSON_INT, true, 0, 0, SM_JSON_AT(struct raw_attribute, min)},
    {"max", SM_JSON_INT, true, 0, 0, SM_JSON_AT(struct raw_attribute, max)},
    {"initial", SM_JSON_INT, true, 0, 0, SM_JSON_AT(struct raw_attribute, initial)},
    {"writes", SM_JSON_TEXT, false, 1, 8, SM_JSON_AT(struct raw_attribute, writes)},
    {0},
};

/* Units by their texts: "degC", "%RH", ... */
static bool find_unit(const char *text, const char *where, uint8_t *unit, struct sm_json_error *err)
{
    for (unsigned u = 0; u < SM_UNIT_COUNT; u++) {
        if (strcmp(sm_unit_text(u), text) == 0) {
            *unit = (uint8_t)u;
            return true;
        }
    }
    snprintf(err->text, sizeof err->text, "%s.unit: there is no unit \"%s\"", where, text);
    return false;
}

/* Both limits or none. */
static bool find_range(const struct raw_value *in, const char *where, struct sm_plugin_value *v,
                       struct sm_json_error *err)
{
    bool any = in->min == NO_LIMIT && in->max == NO_LIMIT;
    if (!any && (in->min < INT32_MIN || in->max > INT32_MAX || in->min >= in->max)) {
        snprintf(err->text, sizeof err->text,
                 "%s: min and max are both absent, or numbers of 32 bits, min below max", where);
        return false;
    }
    v->min = any ? 0 : (int32_t)in->min;
    v->max = any ? 0 : (int32_t)in->max;
    return true;
}

static bool find_writes(const char *text, const char *where, uint8_t *writes,
                        struct sm_json_error *err)
{
    if (text == NULL)
        return true;
    for (unsigned w = SM_WRITES_LOWEST; w <= SM_WRITES_HOLDER; w++) {
        if (strcmp(sm_plugin_writes_name(w), text) == 0) {
            *writes = (uint8_t)w;
            return true;
        }
    }
    snprintf(err->text, sizeof err->text,
             "%s.writes: \"%s\" is none of \"lowest\", \"highest\", \"holder\"", where, text);
    return false;
}

/* That an initial value is in its range is judged by the encoder. */
static bool read_attributes(const json_t *array, struct sm_plugin_sensor *s,
                            struct sm_json_error *err)
{
    char where[40];
    s->attributes = (uint32_t)json_array_size(array);
    for (uint32_t i = 0; i < s->attributes; i++) {
        struct sm_plugin_attribute *a = &s->attribute[i];
        struct raw_attribute in = {.unit = "", .decimals = 3};
        snprintf(where, sizeof where, "sensor.attributes[%u]", (unsigned)i);
        if (sm_json_read(json_array_get(array, i), where, attribute_fields, false, &in, err) < 0 ||
            !find_unit(in.unit, where, &a->unit, err) ||
            !find_writes(in.writes, where, &a->writes, err))
            return false;
        copy(a->name, in.name);
        a->decimals = (uint8_t)in.decimals;
        a->min = in.min;
        a->max = in.max;
        a->initial = in.initial;
    }
    return true;
}

static bool read_sensor(const struct raw *raw, struct sm_manifest *m, struct sm_json_error *err)
{
    struct raw_sensor in = {0};
    char where[40];
    if (!raw->sensor)
        return true;
    if (sm_json_read(raw->sensor, "sensor", sensor_fields, false, &in, err) < 0)
        return false;
    copy(m->sensor.id, in.id);
    copy(m->sensor.model, in.model);
    copy(m->sensor.bus, in.bus);
    m->sensor.address = (uint32_t)in.address;
    m->sensor.values = (uint32_t)json_array_size(in.values);
    for (uint32_t i = 0; i < m->sensor.values; i++) {
        struct raw_value v = {.unit = "", .decimals = 3, .min = NO_LIMIT, .max = NO_LIMIT};
        snprintf(where, sizeof where, "sensor.capabilities[%u]", (unsigned)i);
        if (sm_json_read(json_array_get(in.values, i), where, value_fields, false, &v, err) < 0 ||
            !find_unit(v.unit, where, &m->sensor.value[i].unit, err) ||
            !find_range(&v, where, &m->sensor.value[i], err))
            return false;
        copy(m->sensor.value[i].name, v.name);
        m->sensor.value[i].decimals = (uint8_t)v.decimals;
    }
    return read_attributes(in.attributes, &m->sensor, err);
}

struct raw_requirement {
    const char *name;
    uint64_t least, most;
};
static const struct sm_json_field requirement_fields[] = {
    {"name", SM_JSON_TEXT, true, 1, SM_NAME_MAX, SM_JSON_AT(struct raw_requirement, name)},
    {"least", SM_JSON_UINT, true, 1, INT64_MAX, SM_JSON_AT(struct raw_requirement, least)},
    {"most", SM_JSON_UINT, false, 1, INT64_MAX, SM_JSON_AT(struct raw_requirement, most)},
    {0},
};

static bool read_requires(const struct raw *raw, struct sm_manifest *m, struct sm_json_error *err)
{
    char where[24];
    m->requirements = (uint32_t)json_array_size(raw->requires);
    for (uint32_t i = 0; i < m->requirements; i++) {
        struct raw_requirement in = {.most = INT64_MAX};
        snprintf(where, sizeof where, "requires[%u]", (unsigned)i);
        if (sm_json_read(json_array_get(raw->requires, i), where, requirement_fields, false, &in,
                         err) < 0)
            return false;
        copy(m->requires[i].name, in.name);
        m->requires[i].least = in.least;
        m->requires[i].most = in.most;
    }
    qsort(m->requires, m->requirements, sizeof m->requires[0], by_bytes);
    return true;
}

/* A plugin that drives nothing removes the one before it: nobody says so by leaving a key out. */
static bool read_removal(const struct raw *raw, const struct sm_manifest *m,
                         struct sm_json_error *err)
{
    bool plugin = m->kind == SM_KIND_PLUGIN, drives = m->sensor.values > 0;
    const char *wrong = raw->removes && !plugin ? "removes: only a plugin is removed by a release"
                        : raw->removes && drives
                            ? "removes: a release that removes a plugin has no sensor"
                        : plugin && !drives && !raw->removes
                            ? "sensor: is missing; \"removes\": true makes a release that removes "
                              "the plugin"
                            : NULL;
    if (wrong)
        snprintf(err->text, sizeof err->text, "%s", wrong);
    return !wrong;
}

static bool convert(const json_t *root, struct manifest_json *json, struct sm_json_error *err)
{
    struct sm_manifest *m = &json->m;
    struct sm_json_field own[FIELDS];
    take_ranges(own);
    sm_manifest_defaults(m);
    struct raw raw = {.memory = NOT_GIVEN,
                      .period = m->period_ms,
                      .stack = m->stack_bytes,
                      .interface = m->interface};
    if (sm_json_read(root, "", own, false, &raw, err) < 0 || !read_kind(&raw, m, err) ||
        !read_classes(&raw, m, err) || !read_capabilities(&raw, m, err) ||
        !read_health(&raw, json, err) || !read_sensor(&raw, m, err) ||
        !read_requires(&raw, m, err) || !read_removal(&raw, m, err))
        return false;
    copy(m->fleet, raw.fleet);
    copy(m->name, raw.name);
    copy(m->version, raw.version);
    copy(m->entry, raw.entry);
    m->sequence = raw.sequence;
    m->security_floor = raw.floor;
    m->period_ms = (uint32_t)raw.period;
    m->stack_bytes = (uint32_t)raw.stack;
    m->interface = (uint32_t)raw.interface;
    json->memory_given = raw.memory != NOT_GIVEN;
    m->memory_bytes = json->memory_given ? raw.memory : 0;
    return true;
}

bool manifest_json_load(struct manifest_json *json, const char *path)
{
    struct sm_json_error err;
    json_t *root = sm_json_load(path, FILE_MAX, &err);
    bool good = false;
    if (!root) {
        cli_say("%s", err.text); /* begins with the path */
        return false;
    }
    good = convert(root, json, &err);
    if (!good)
        cli_say("%s: %s", path, err.text);
    json_decref(root);
    return good;
}

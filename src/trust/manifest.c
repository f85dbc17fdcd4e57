/* The manifest: one table of fields that the decoder, the encoder and the messages draw on.
 *
 * A value's rules are checked by check_*() on its way in and on its way out, so that what can be
 * encoded is exactly what can be decoded.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/manifest.h>

#include <stdbool.h>
#include <string.h>

#include "cbor.h"
#include "section.h"

enum shape { UINT, TEXT, CLASSES, CAPABILITIES, HEALTH, SENSOR, VALUES, ATTRIBUTES, REQUIRES };
enum presence { OPTIONAL, REQUIRED };
enum letters { PRINTABLE, NAME, WORD };

struct field {
    uint16_t key;
    uint8_t shape, presence;
    uint16_t at;  /* in struct sm_manifest */
    uint8_t size; /* of the member: 4 or 8 for a number */
    uint8_t letters;
    uint64_t min, max; /* of a number, or of a text's length */
    const char *name;
};

#define AT(member)   offsetof(struct sm_manifest, member), sizeof(((struct sm_manifest *)0)->member)
#define SEQUENCE_MAX INT64_MAX

/* In order of key; the keys of the maps at 15 and 16 follow these. The format has no member: it
 * is 1.
 */
static const struct field fields[] = {
    {SM_KEY_KIND, UINT, REQUIRED, AT(kind), 0, 0, SM_KINDS - 1, "kind"},
    {SM_KEY_FLEET, TEXT, REQUIRED, AT(fleet), NAME, 1, SM_FLEET_MAX, "fleet"},
    {SM_KEY_NAME, TEXT, REQUIRED, AT(name), NAME, 1, SM_NAME_MAX, "name"},
    {SM_KEY_VERSION, TEXT, REQUIRED, AT(version), PRINTABLE, 1, SM_VERSION_MAX, "version"},
    {SM_KEY_SEQUENCE, UINT, REQUIRED, AT(sequence), 0, 1, SEQUENCE_MAX, "sequence"},
    {SM_KEY_FLOOR, UINT, REQUIRED, AT(security_floor), 0, 0, SEQUENCE_MAX, "security_floor"},
    {SM_KEY_CLASSES, CLASSES, REQUIRED, AT(classes), 0, 1, SM_CLASSES, "classes"},
    {SM_KEY_ENTRY, TEXT, OPTIONAL, AT(entry), PRINTABLE, 1, SM_ENTRY_MAX, "entry"},
    {SM_KEY_PERIOD, UINT, OPTIONAL, AT(period_ms), 0, 10, 86400000, "period_ms"},
    {SM_KEY_MEMORY, UINT, REQUIRED, AT(memory_bytes), 0, 0, 1ull << 32, "memory_bytes"},
    {SM_KEY_STACK, UINT, REQUIRED, AT(stack_bytes), 0, 64, 1u << 24, "stack_bytes"},
    {SM_KEY_CAPABILITIES, CAPABILITIES, OPTIONAL, AT(capabilities), 0, 0, SM_CAPABILITIES_MAX,
     "capabilities"},
    {SM_KEY_INTERFACE, UINT, REQUIRED, AT(interface), 0, 1, 65535, "interface"},
    {SM_KEY_HEALTH, HEALTH, OPTIONAL, 0, 0, 0, 0, 0, "health"},
    {SM_KEY_HEALTH_TICKS, UINT, OPTIONAL, AT(good_ticks), 0, 1, 1000, "health.good_ticks"},
    {SM_KEY_HEALTH_TIMEOUT, UINT, OPTIONAL, AT(timeout_ms), 0, 1, 604800000, "health.timeout_ms"},
    {SM_KEY_HEALTH_LATE, UINT, OPTIONAL, AT(late_ticks), 0, 0, 1000, "health.late_ticks"},
    {SM_KEY_SENSOR, SENSOR, OPTIONAL, 0, 0, 0, 0, 0, "sensor"},
    {SM_KEY_SENSOR_ID, TEXT, REQUIRED, AT(sensor.id), WORD, 1, SM_SENSOR_ID_MAX, "sensor.id"},
    {SM_KEY_SENSOR_MODEL, TEXT, REQUIRED, AT(sensor.model), PRINTABLE, 1, SM_SENSOR_MODEL_MAX,
     "sensor.model"},
    {SM_KEY_SENSOR_BUS, TEXT, REQUIRED, AT(sensor.bus), WORD, 1, SM_BUS_NAME_MAX, "sensor.bus"},
    {SM_KEY_SENSOR_ADDRESS, UINT, REQUIRED, AT(sensor.address), 0, 0, 247, "sensor.address"},
    {SM_KEY_SENSOR_VALUES, VALUES, REQUIRED, 0, 0, 0, 1, SM_PLUGIN_VALUES, "sensor.capabilities"},
    {SM_KEY_SENSOR_ATTRIBUTES, ATTRIBUTES, OPTIONAL, 0, 0, 0, 1, SM_PLUGIN_ATTRIBUTES,
     "sensor.attributes"},
    {SM_KEY_REQUIRES, REQUIRES, OPTIONAL, 0, 0, 0, 1, SM_REQUIRES_MAX, "requires"},
};
#define FIELDS     (sizeof fields / sizeof fields[0])
#define TOP_KEYS   15u /* with the format, without those that may be left out */
#define LATE_TICKS 10u /* by default */

static const struct field capability = {
    SM_KEY_CAPABILITIES, TEXT,          REQUIRED, 0, SM_CAPABILITY_MAX + 1, PRINTABLE, 1,
    SM_CAPABILITY_MAX,   "capabilities"};

/* What values and attributes of a sensor have in common, by the key of their list. */
struct measure {
    struct field name, unit, decimals;
};
#define MEASURE(key)                                                                               \
    {                                                                                              \
        {key, TEXT, REQUIRED, 0, SM_SENSOR_NAME_MAX + 1, WORD, 1, SM_SENSOR_NAME_MAX, NULL},       \
            {key, UINT, REQUIRED, 0, 1, 0, 0, SM_UNIT_COUNT - 1, NULL},                            \
            {key, UINT, REQUIRED, 0, 1, 0, 0, 9, NULL},                                            \
    }
static const struct measure value_of = MEASURE(SM_KEY_SENSOR_VALUES);
static const struct measure attribute_of = MEASURE(SM_KEY_SENSOR_ATTRIBUTES);
static const struct field attribute_writes = {SM_KEY_SENSOR_ATTRIBUTES, UINT, REQUIRED, 0, 1, 0, 0,
                                              SM_WRITES_HOLDER,         NULL};
static const struct field required_name = {
    SM_KEY_REQUIRES, TEXT, REQUIRED, 0, SM_NAME_MAX + 1, NAME, 1, SM_NAME_MAX, "requires"};
static const struct field required_sequence = {SM_KEY_REQUIRES, UINT,      REQUIRED, 0, 8, 0, 1,
                                               SEQUENCE_MAX,    "requires"};

static const char *const class_names[SM_CLASSES] = {"mcu", "mpu", "gateway", "edge"};
static const char *const kind_names[SM_KINDS] = {"application", "plugin"};
static const char *const writes_names[SM_WRITES_HOLDER + 1] = {
    [SM_WRITES_LOWEST] = "lowest",
    [SM_WRITES_HIGHEST] = "highest",
    [SM_WRITES_HOLDER] = "holder",
};

const char *sm_class_name(unsigned cls)
{
    return cls < SM_CLASSES ? class_names[cls] : NULL;
}

int sm_class_find(const char *name)
{
    for (int i = 0; i < SM_CLASSES; i++)
        if (strcmp(name, class_names[i]) == 0)
            return i;
    return SM_ERR_NOT_FOUND;
}

const struct sm_class_limits *sm_class_limits(unsigned cls)
{
    static const struct sm_class_limits limits[SM_CLASSES] = {
        {128u << 10, 10}, {4u << 20, 100}, {256u << 20, 500}, {1ull << 32, 1000}};
    return cls < SM_CLASSES ? &limits[cls] : NULL;
}

const char *sm_module_kind_name(unsigned kind)
{
    return kind < SM_KINDS ? kind_names[kind] : NULL;
}

const char *sm_plugin_writes_name(unsigned writes)
{
    return writes <= SM_WRITES_HOLDER ? writes_names[writes] : NULL;
}

static const struct field *field_of(uint64_t key)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].key == key)
            return &fields[i];
    return NULL;
}

const char *sm_manifest_key_name(uint32_t key)
{
    const struct field *f = field_of(key);
    return f ? f->name : key == SM_KEY_FORMAT ? "format" : NULL;
}

int sm_manifest_range(uint32_t key, uint64_t *min, uint64_t *max)
{
    const struct field *f = field_of(key);
    if (!f || f->shape == HEALTH || f->shape == SENSOR)
        return SM_ERR_NOT_FOUND;
    *min = f->min;
    *max = f->max;
    return 0;
}

void sm_manifest_defaults(struct sm_manifest *m)
{
    memset(m, 0, sizeof *m);
    memcpy(m->entry, "sensor_tick", sizeof "sensor_tick");
    m->period_ms = 1000;
    m->stack_bytes = 4096;
    m->interface = 1;
    m->good_ticks = 3;
    m->timeout_ms = 30000;
    m->late_ticks = LATE_TICKS;
}

/* ---- Rules of values: NULL, or the rule that is broken ----------------------------------------
 */

static const char *check_uint(const struct field *f, uint64_t v)
{
    return v < f->min ? "the number is too small" : v > f->max ? "the number is too large" : NULL;
}

static bool allowed(enum letters letters, char c)
{
    if (letters == PRINTABLE)
        return c > ' ' && c <= '~';
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' ||
           (letters == WORD && c >= 'A' && c <= 'Z');
}

static const char *check_text(const struct field *f, const char *text, size_t len)
{
    if (len < f->min)
        return "the text is empty";
    if (len > f->max)
        return "the text is too long";
    if (f->letters == NAME && (text[0] == '.' || text[0] == '_' || text[0] == '-'))
        return "a name begins with a letter or a digit";
    static const char *const only[] = {
        [PRINTABLE] = "only printable ASCII without spaces may stand in this text",
        [NAME] = "only a-z 0-9 . _ - may stand in this text",
        [WORD] = "only A-Z a-z 0-9 . _ - may stand in this text"};
    for (size_t i = 0; i < len; i++)
        if (!allowed(f->letters, text[i]))
            return only[f->letters];
    return NULL;
}

/* The length of a text, or max + 1 when it is longer. */
static size_t text_len(const char *text, uint64_t max)
{
    size_t len = 0;
    while (len <= max && text[len])
        len++;
    return len;
}

bool sm_name_valid(const char *text)
{
    return !check_text(field_of(SM_KEY_FLEET), text, text_len(text, SM_FLEET_MAX));
}

static const char *check_floor(const struct sm_manifest *m)
{
    return m->security_floor > m->sequence ? "the security floor is above the sequence" : NULL;
}

/* Texts are ordered bytewise; ASCII makes that strcmp's order. */
static const char *check_order(const struct sm_manifest *m, uint32_t i)
{
    int order = i == 0 ? -1 : strcmp(m->capability[i - 1], m->capability[i]);
    return order == 0 ? "a capability stands twice" : order > 0 ? "capabilities must ascend" : NULL;
}

static bool is_universal(const char *name)
{
    static const char *const universal[] = {"SampRate", "SamplingRate", "state", "capabilities",
                                            "attributes"};
    for (size_t k = 0; k < sizeof universal / sizeof *universal; k++)
        if (strcmp(universal[k], name) == 0)
            return true;
    return false;
}

static bool measures(const struct sm_plugin_sensor *s, uint32_t values, const char *name)
{
    for (uint32_t k = 0; k < values; k++)
        if (strcmp(s->value[k].name, name) == 0)
            return true;
    return false;
}

static bool has_range(const struct sm_plugin_value *v)
{
    return v->min != 0 || v->max != 0;
}

/* The values of one sensor are few, and so are its attributes. Their names may not be those that
 * every sensor has. */
static const char *check_value(const struct sm_plugin_sensor *s, uint32_t i)
{
    const struct sm_plugin_value *v = &s->value[i];

    if (is_universal(v->name))
        return "every sensor has something of this name";
    if (measures(s, i, v->name))
        return "a capability stands twice";
    return v->min < v->max || !has_range(v) ? NULL : "its range is empty";
}

static const char *check_attribute(const struct sm_plugin_sensor *s, uint32_t i)
{
    const struct sm_plugin_attribute *a = &s->attribute[i];

    if (is_universal(a->name))
        return "every sensor has something of this name";
    if (measures(s, s->values, a->name))
        return "a capability has this name";
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(s->attribute[k].name, a->name) == 0)
            return "an attribute stands twice";
    return a->min <= a->initial && a->initial <= a->max ? NULL
                                                        : "its initial value is not in its range";
}

static const char *check_requirement(const struct sm_manifest *m, uint32_t i)
{
    const struct sm_requirement *r = &m->requires[i];

    if (r->least > r->most)
        return "the least sequence is above the most";
    if (strcmp(r->name, m->name) == 0)
        return "a module cannot require itself";
    if (i > 0 && strcmp(m->requires[i - 1].name, r->name) >= 0)
        return "required names must ascend";
    return NULL;
}

static const char *check_kind(const struct sm_manifest *m)
{
    return m->sensor.values > 0 && m->kind != SM_KIND_PLUGIN ? "only a plugin has a sensor" : NULL;
}

/* ---- Decoder ----------------------------------------------------------------------------------
 */

struct decoder {
    struct sm_cbor_in in;
    struct sm_manifest *m;
    struct sm_manifest_detail *detail;
};

static int refuse(struct decoder *d, uint64_t key, int err, const char *rule, uint64_t value)
{
    *d->detail = (struct sm_manifest_detail){
        .offset = d->in.at, .key = (uint32_t)key, .value = value, .rule = rule};
    return err;
}

static int malformed(struct decoder *d, uint64_t key)
{
    return refuse(d, key, SM_ERR_MALFORMED, d->in.rule, 0);
}

static int decode_number(struct decoder *d, const struct field *f, uint64_t *v)
{
    if (sm_cbor_uint(&d->in, v))
        return malformed(d, f->key);
    const char *rule = check_uint(f, *v);
    return rule ? refuse(d, f->key, SM_ERR_INVALID, rule, *v) : 0;
}

static int decode_uint(struct decoder *d, const struct field *f)
{
    uint64_t v;
    int err = decode_number(d, f, &v);
    uint32_t v32 = (uint32_t)v;
    if (!err)
        memcpy((char *)d->m + f->at, f->size == 8 ? (void *)&v : (void *)&v32, f->size);
    return err;
}

/* into has room for f->max bytes and a zero. */
static int decode_text(struct decoder *d, const struct field *f, char *into)
{
    const char *text;
    uint32_t len;
    if (sm_cbor_text(&d->in, &text, &len))
        return malformed(d, f->key);
    const char *rule = check_text(f, text, len);
    if (rule)
        return refuse(d, f->key, SM_ERR_INVALID, rule, 0);
    memset(into, 0, f->max + 1);
    memcpy(into, text, len);
    return 0;
}

static int decode_classes(struct decoder *d, const struct field *f)
{
    uint32_t count;
    if (sm_cbor_array(&d->in, &count))
        return malformed(d, f->key);
    if (count == 0)
        return refuse(d, f->key, SM_ERR_INVALID, "no class is named", 0);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t cls;
        if (sm_cbor_uint(&d->in, &cls))
            return malformed(d, f->key);
        if (cls >= SM_CLASSES)
            return refuse(d, f->key, SM_ERR_INVALID, "no such device class", cls);
        if (d->m->classes >> cls) /* its bit or a higher one */
            return refuse(d, f->key, SM_ERR_INVALID, "classes must ascend", cls);
        d->m->classes |= 1u << cls;
    }
    return 0;
}

static int decode_capabilities(struct decoder *d, const struct field *f)
{
    uint32_t count;
    if (sm_cbor_array(&d->in, &count))
        return malformed(d, f->key);
    if (count > SM_CAPABILITIES_MAX)
        return refuse(d, f->key, SM_ERR_INVALID, "too many capabilities", count);
    for (uint32_t i = 0; i < count; i++) {
        int err = decode_text(d, &capability, d->m->capability[i]);
        if (err)
            return err;
        const char *rule = check_order(d->m, i);
        if (rule)
            return refuse(d, f->key, SM_ERR_INVALID, rule, 0);
    }
    d->m->capabilities = count;
    return 0;
}

static int decode_map(struct decoder *d, struct sm_cbor_map *map, uint32_t base);

/* A map whose keys are fields of their own. */
static int decode_inner(struct decoder *d, const struct field *f)
{
    struct sm_cbor_map map;
    if (sm_cbor_map(&d->in, &map))
        return malformed(d, f->key);
    return decode_map(d, &map, 0x100u * f->key);
}

/* The length of an array in the range of its field. */
static int decode_count(struct decoder *d, const struct field *f, uint32_t *count)
{
    if (sm_cbor_array(&d->in, count))
        return malformed(d, f->key);
    const char *rule = check_uint(f, *count);
    return rule ? refuse(d, f->key, SM_ERR_INVALID, rule, *count) : 0;
}

static int decode_tuple(struct decoder *d, const struct field *f, uint32_t length, const char *rule)
{
    uint32_t count;
    if (sm_cbor_array(&d->in, &count))
        return malformed(d, f->key);
    return count == length ? 0 : refuse(d, f->key, SM_ERR_INVALID, rule, count);
}

static int decode_triple(struct decoder *d, const struct field *f)
{
    return decode_tuple(d, f, 3, "not an array of three");
}

static int decode_byte(struct decoder *d, const struct field *f, uint8_t *v)
{
    uint64_t number = 0;
    int err = decode_number(d, f, &number);
    *v = (uint8_t)number;
    return err;
}

static int decode_measure(struct decoder *d, const struct measure *of, char *name, uint8_t *unit,
                          uint8_t *decimals)
{
    int err = decode_text(d, &of->name, name);
    if (!err)
        err = decode_byte(d, &of->unit, unit);
    return err ? err : decode_byte(d, &of->decimals, decimals);
}

/* A limit of a value: 32 bits with a sign. */
static int decode_limit(struct decoder *d, const struct field *f, int32_t *limit)
{
    int64_t v;
    if (sm_cbor_int(&d->in, &v))
        return malformed(d, f->key);
    if (v < INT32_MIN || v > INT32_MAX)
        return refuse(d, f->key, SM_ERR_INVALID, "a limit of what is measured has 32 bits", 0);
    *limit = (int32_t)v;
    return 0;
}

/* [name, unit, decimals], and its range behind that if it has one. */
static int decode_measured(struct decoder *d, const struct field *f, struct sm_plugin_value *v)
{
    uint32_t count;
    if (sm_cbor_array(&d->in, &count))
        return malformed(d, f->key);
    if (count != 3 && count != 5)
        return refuse(d, f->key, SM_ERR_INVALID, "not an array of three or five", count);
    int err = decode_measure(d, &value_of, v->name, &v->unit, &v->decimals);
    if (!err && count == 5)
        err = decode_limit(d, f, &v->min);
    if (!err && count == 5)
        err = decode_limit(d, f, &v->max);
    return !err && count == 5 && !has_range(v)
               ? refuse(d, f->key, SM_ERR_INVALID, "its range is empty", 0)
               : err;
}

static int decode_values(struct decoder *d, const struct field *f)
{
    struct sm_plugin_sensor *s = &d->m->sensor;
    uint32_t count;
    int err = decode_count(d, f, &count);
    for (uint32_t i = 0; !err && i < count; i++) {
        err = decode_measured(d, f, &s->value[i]);
        const char *rule = err ? NULL : check_value(s, i);
        if (rule)
            return refuse(d, f->key, SM_ERR_INVALID, rule, 0);
    }
    s->values = count;
    return err;
}

static int decode_range(struct decoder *d, const struct field *f, struct sm_plugin_attribute *a)
{
    return sm_cbor_int(&d->in, &a->min) || sm_cbor_int(&d->in, &a->max) ||
                   sm_cbor_int(&d->in, &a->initial)
               ? malformed(d, f->key)
               : 0;
}

static int decode_attributes(struct decoder *d, const struct field *f)
{
    struct sm_plugin_sensor *s = &d->m->sensor;
    uint32_t count;
    int err = decode_count(d, f, &count);
    for (uint32_t i = 0; !err && i < count; i++) {
        struct sm_plugin_attribute *a = &s->attribute[i];
        err = decode_tuple(d, f, 7, "not an array of seven");
        if (!err)
            err = decode_measure(d, &attribute_of, a->name, &a->unit, &a->decimals);
        if (!err)
            err = decode_byte(d, &attribute_writes, &a->writes);
        if (!err)
            err = decode_range(d, f, a);
        const char *rule = err ? NULL : check_attribute(s, i);
        if (rule)
            return refuse(d, f->key, SM_ERR_INVALID, rule, 0);
    }
    s->attributes = count;
    return err;
}

static int decode_requires(struct decoder *d, const struct field *f)
{
    uint32_t count;
    int err = decode_count(d, f, &count);
    for (uint32_t i = 0; !err && i < count; i++) {
        struct sm_requirement *r = &d->m->requires[i];
        err = decode_triple(d, f);
        if (!err)
            err = decode_text(d, &required_name, r->name);
        if (!err)
            err = decode_number(d, &required_sequence, &r->least);
        if (!err)
            err = decode_number(d, &required_sequence, &r->most);
        const char *rule = err ? NULL : check_requirement(d->m, i);
        if (rule)
            return refuse(d, f->key, SM_ERR_INVALID, rule, 0);
    }
    d->m->requirements = count;
    return err;
}

static int decode_value(struct decoder *d, const struct field *f)
{
    switch ((enum shape)f->shape) {
    case UINT: return decode_uint(d, f);
    case TEXT: return decode_text(d, f, (char *)d->m + f->at);
    case CLASSES: return decode_classes(d, f);
    case CAPABILITIES: return decode_capabilities(d, f);
    case HEALTH:
    case SENSOR: return decode_inner(d, f);
    case VALUES: return decode_values(d, f);
    case ATTRIBUTES: return decode_attributes(d, f);
    case REQUIRES: return decode_requires(d, f);
    }
    return SM_ERR_ARG;
}

/* The first required key between after and before (before is not reached), or 0. Keys ascend, so a
 * key that was passed over is missing for good. */
static uint32_t missing(uint32_t after, uint64_t before)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].key > after && fields[i].key < before && fields[i].presence == REQUIRED)
            return fields[i].key;
    return 0;
}

/* The entries of a map whose keys are base + what stands there. Maps nest two deep at most: the
 * inner ones have no such field. */
static int decode_map(struct decoder *d, struct sm_cbor_map *map, uint32_t base)
{
    uint32_t last = base + map->last * map->any;
    for (;;) {
        uint64_t number;
        int more = sm_cbor_key(&d->in, map, &number);
        if (more < 0)
            return malformed(d, 0);
        /* Numbers that are not below the next base would be taken for keys of the other map. */
        const struct field *f = more && number < 0x100 ? field_of(base + number) : NULL;
        if (more && !f)
            return refuse(d, number < 0x100 ? base + number : 0, SM_ERR_INVALID, "an unknown key",
                          number);
        uint32_t gap = missing(last, more ? f->key : base + 0x100);
        if (gap)
            return refuse(d, gap, SM_ERR_INVALID, "a required key is missing", 0);
        if (!more)
            return 0;
        int err = decode_value(d, f);
        if (err)
            return err;
        last = f->key;
    }
}

/* The format stands first, so that a newer one is recognised before anything else is judged. */
static int decode_format(struct decoder *d, struct sm_cbor_map *map)
{
    uint64_t key, format;
    int more = sm_cbor_key(&d->in, map, &key);
    if (more < 0)
        return malformed(d, 0);
    if (!more || key != SM_KEY_FORMAT)
        return refuse(d, SM_KEY_FORMAT, SM_ERR_INVALID, "a required key is missing", 0);
    if (sm_cbor_uint(&d->in, &format))
        return malformed(d, SM_KEY_FORMAT);
    if (format > SM_MANIFEST_FORMAT)
        return refuse(d, SM_KEY_FORMAT, SM_ERR_UNSUPPORTED, "a manifest format from the future",
                      format);
    if (format < SM_MANIFEST_FORMAT)
        return refuse(d, SM_KEY_FORMAT, SM_ERR_INVALID, "the number is too small", format);
    return 0;
}

int sm_manifest_decode(struct sm_manifest *m, const uint8_t *cbor, size_t len,
                       struct sm_manifest_detail *detail)
{
    struct decoder d = {.m = m, .detail = detail};
    struct sm_cbor_map map;
    sm_manifest_defaults(m);
    if (len > SM_MANIFEST_MAX)
        return refuse(&d, 0, SM_ERR_LIMIT, "the manifest is too long", len);
    sm_cbor_begin(&d.in, cbor, (uint32_t)len);
    if (sm_cbor_map(&d.in, &map))
        return malformed(&d, 0);
    int err = decode_format(&d, &map);
    if (err)
        return err;
    err = decode_map(&d, &map, 0);
    if (err)
        return err;
    if (sm_cbor_end(&d.in))
        return malformed(&d, 0);
    const char *rule = check_floor(m);
    d.in.at = 0;
    if (rule)
        return refuse(&d, SM_KEY_FLOOR, SM_ERR_INVALID, rule, m->security_floor);
    rule = check_kind(m);
    return rule ? refuse(&d, SM_KEY_SENSOR, SM_ERR_INVALID, rule, 0) : 0;
}

/* ---- Encoder ----------------------------------------------------------------------------------
 */

static uint64_t number_of(const struct sm_manifest *m, const struct field *f)
{
    uint64_t v = 0;
    uint32_t v32;
    if (f->size == 8) {
        memcpy(&v, (const char *)m + f->at, sizeof v);
        return v;
    }
    memcpy(&v32, (const char *)m + f->at, sizeof v32);
    return v32;
}

static const char *put_text(struct sm_cbor_out *out, const struct field *f, const char *text)
{
    size_t len = text_len(text, f->max);
    sm_cbor_put_text(out, text, len);
    return check_text(f, text, len);
}

static const char *put_classes(struct sm_cbor_out *out, uint32_t classes)
{
    if (classes == 0)
        return "no class is named";
    if (classes >> SM_CLASSES)
        return "no such device class";
    uint32_t count = 0;
    for (unsigned i = 0; i < SM_CLASSES; i++)
        count += classes >> i & 1;
    sm_cbor_put_array(out, count);
    for (unsigned i = 0; i < SM_CLASSES; i++)
        if (classes >> i & 1)
            sm_cbor_put_uint(out, i);
    return NULL;
}

static const char *put_capabilities(struct sm_cbor_out *out, const struct sm_manifest *m)
{
    if (m->capabilities > SM_CAPABILITIES_MAX)
        return "too many capabilities";
    sm_cbor_put_array(out, m->capabilities);
    for (uint32_t i = 0; i < m->capabilities; i++) {
        const char *rule = put_text(out, &capability, m->capability[i]);
        if (!rule)
            rule = check_order(m, i);
        if (rule)
            return rule;
    }
    return NULL;
}

static const char *put_number(struct sm_cbor_out *out, const struct field *f, uint64_t v)
{
    sm_cbor_put_uint(out, v);
    return check_uint(f, v);
}

static const char *put_measure(struct sm_cbor_out *out, const struct measure *of, const char *name,
                               uint8_t unit, uint8_t decimals)
{
    const char *rule = put_text(out, &of->name, name);
    if (!rule)
        rule = put_number(out, &of->unit, unit);
    return rule ? rule : put_number(out, &of->decimals, decimals);
}

static const char *put_values(struct sm_cbor_out *out, const struct field *f,
                              const struct sm_plugin_sensor *s)
{
    const char *rule = check_uint(f, s->values);
    sm_cbor_put_array(out, s->values);
    for (uint32_t i = 0; !rule && i < s->values; i++) {
        const struct sm_plugin_value *v = &s->value[i];
        sm_cbor_put_array(out, has_range(v) ? 5 : 3);
        rule = put_measure(out, &value_of, v->name, v->unit, v->decimals);
        if (has_range(v)) {
            sm_cbor_put_int(out, v->min);
            sm_cbor_put_int(out, v->max);
        }
        if (!rule)
            rule = check_value(s, i);
    }
    return rule;
}

static const char *put_attributes(struct sm_cbor_out *out, const struct field *f,
                                  const struct sm_plugin_sensor *s)
{
    const char *rule = check_uint(f, s->attributes);
    sm_cbor_put_array(out, s->attributes);
    for (uint32_t i = 0; !rule && i < s->attributes; i++) {
        const struct sm_plugin_attribute *a = &s->attribute[i];
        sm_cbor_put_array(out, 7);
        rule = put_measure(out, &attribute_of, a->name, a->unit, a->decimals);
        if (!rule)
            rule = put_number(out, &attribute_writes, a->writes);
        sm_cbor_put_int(out, a->min);
        sm_cbor_put_int(out, a->max);
        sm_cbor_put_int(out, a->initial);
        if (!rule)
            rule = check_attribute(s, i);
    }
    return rule;
}

static const char *put_requires(struct sm_cbor_out *out, const struct field *f,
                                const struct sm_manifest *m)
{
    const char *rule = check_uint(f, m->requirements);
    sm_cbor_put_array(out, m->requirements);
    for (uint32_t i = 0; !rule && i < m->requirements; i++) {
        const struct sm_requirement *r = &m->requires[i];
        sm_cbor_put_array(out, 3);
        rule = put_text(out, &required_name, r->name);
        if (!rule)
            rule = put_number(out, &required_sequence, r->least);
        if (!rule)
            rule = put_number(out, &required_sequence, r->most);
        if (!rule)
            rule = check_requirement(m, i);
    }
    return rule;
}

static const char *put_value(struct sm_cbor_out *out, const struct field *f,
                             const struct sm_manifest *m)
{
    switch ((enum shape)f->shape) {
    case UINT: sm_cbor_put_uint(out, number_of(m, f)); return check_uint(f, number_of(m, f));
    case TEXT: return put_text(out, f, (const char *)m + f->at);
    case CLASSES: return put_classes(out, m->classes);
    case CAPABILITIES: return put_capabilities(out, m);
    case HEALTH: /* its entries are the fields that follow */
        sm_cbor_put_map(out, m->late_ticks == LATE_TICKS ? 2 : 3);
        return NULL;
    case SENSOR: sm_cbor_put_map(out, 5 + (m->sensor.attributes > 0)); return check_kind(m);
    case VALUES: return put_values(out, f, &m->sensor);
    case ATTRIBUTES: return put_attributes(out, f, &m->sensor);
    case REQUIRES: return put_requires(out, f, m);
    }
    return NULL;
}

/* Keys that older devices do not know are left out where they say nothing. */
static bool left_out(const struct field *f, const struct sm_manifest *m)
{
    if (f->key == SM_KEY_SENSOR || f->key / 0x100 == SM_KEY_SENSOR)
        return m->sensor.values == 0 ||
               (f->key == SM_KEY_SENSOR_ATTRIBUTES && m->sensor.attributes == 0);
    return (f->key == SM_KEY_HEALTH_LATE && m->late_ticks == LATE_TICKS) ||
           (f->key == SM_KEY_REQUIRES && m->requirements == 0);
}

/* What does not fit is counted, so that a length can be had without a buffer. */
static int put_manifest(struct sm_cbor_out *cbor, const struct sm_manifest *m,
                        struct sm_manifest_detail *detail)
{
    sm_cbor_put_map(cbor, TOP_KEYS + (m->sensor.values > 0) + (m->requirements > 0));
    sm_cbor_put_uint(cbor, SM_KEY_FORMAT);
    sm_cbor_put_uint(cbor, SM_MANIFEST_FORMAT);
    for (size_t i = 0; i < FIELDS; i++) {
        const struct field *f = &fields[i];
        if (left_out(f, m))
            continue;
        sm_cbor_put_uint(cbor, f->key % 0x100);
        const char *rule = put_value(cbor, f, m);
        if (!rule && f->key == SM_KEY_FLOOR)
            rule = check_floor(m);
        if (rule) {
            uint64_t v = f->shape == UINT ? number_of(m, f) : 0;
            *detail = (struct sm_manifest_detail){.key = f->key, .value = v, .rule = rule};
            return SM_ERR_INVALID;
        }
    }
    return 0;
}

int sm_manifest_encode(const struct sm_manifest *m, uint8_t *out, size_t size,
                       struct sm_manifest_detail *detail)
{
    struct sm_cbor_out cbor = {out, size, 0};
    int err = put_manifest(&cbor, m, detail);
    return err ? err : cbor.len <= size ? (int)cbor.len : SM_ERR_MEMORY;
}

/* ---- In a module ------------------------------------------------------------------------------
 */

int sm_manifest_find(const uint8_t *wasm, size_t len, const uint8_t **out, size_t *out_len,
                     struct sm_manifest_detail *detail)
{
    struct sm_section s;
    uint32_t content;
    bool found = false;
    int more = sm_section_begin(&s, wasm, len, detail);
    if (more < 0)
        return more;
    while ((more = sm_section_next(&s, detail)) > 0) {
        if (!sm_section_named(&s, SM_MANIFEST_SECTION, &content))
            continue;
        if (found) {
            *detail = (struct sm_manifest_detail){.offset = s.start,
                                                  .rule = "a second section \"sandmote\""};
            return SM_ERR_INVALID;
        }
        found = true;
        *out = wasm + content;
        *out_len = s.end - content;
    }
    if (more < 0 || found)
        return more;
    *detail = (struct sm_manifest_detail){.offset = (uint32_t)len,
                                          .rule = "no section \"sandmote\", so no manifest"};
    return SM_ERR_NOT_FOUND;
}

int sm_manifest_read(struct sm_manifest *m, const uint8_t *wasm, size_t len,
                     struct sm_manifest_detail *detail)
{
    const uint8_t *cbor;
    size_t cbor_len;
    int err = sm_manifest_find(wasm, len, &cbor, &cbor_len, detail);
    if (err)
        return err;
    err = sm_manifest_decode(m, cbor, cbor_len, detail);
    if (err)
        detail->offset += (uint32_t)(cbor - wasm);
    return err;
}

/* Appends to a buffer whose size is checked once, at the end. */
struct writer {
    uint8_t *bytes;
    size_t size, len;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
    if (len <= w->size && w->len <= w->size - len)
        memcpy(w->bytes + w->len, bytes, len);
    w->len += len;
}

static void put_u32(struct writer *w, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        put(w, &(uint8_t){(uint8_t)(v | 0x80)}, 1);
    put(w, &(uint8_t){(uint8_t)v}, 1);
}

int64_t sm_manifest_pack(const struct sm_manifest *m, const uint8_t *wasm, size_t len, uint8_t *out,
                         size_t size, struct sm_manifest_detail *detail)
{
    static const char name[] = SM_MANIFEST_SECTION;
    const uint32_t name_len = sizeof name - 1; /* below 128: its length takes one byte */
    struct writer w = {out, size, 0};
    struct sm_section s;
    uint32_t content;
    struct sm_cbor_out cbor = {NULL, 0, 0};
    int more = put_manifest(&cbor, m, detail);
    if (more == 0)
        more = sm_section_begin(&s, wasm, len, detail);
    if (more < 0)
        return more;
    put(&w, wasm, SM_MODULE_HEADER);
    put(&w, "", 1); /* section id 0: custom */
    put_u32(&w, 1 + name_len + (uint32_t)cbor.len);
    put_u32(&w, name_len);
    put(&w, name, name_len);
    cbor = (struct sm_cbor_out){w.bytes, w.size, w.len};
    (void)put_manifest(&cbor, m, detail); /* the length is known now, and that no rule is broken */
    w.len = cbor.len;
    while ((more = sm_section_next(&s, detail)) > 0)
        if (!sm_section_named(&s, name, &content))
            put(&w, wasm + s.start, s.end - s.start);
    if (more < 0)
        return more;
    return w.len <= size ? (int64_t)w.len : SM_ERR_MEMORY;
}

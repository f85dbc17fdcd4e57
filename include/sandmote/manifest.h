/* The manifest: what a module says about itself, inside the signed file.
 *
 * It is a deterministic CBOR map (RFC 8949, 4.2.1) in exactly one custom section named "sandmote"
 * of a standard .wasm. doc/SPEC-manifest.md has the bytes. Everything here is a pure codec over
 * the caller's memory: nothing is allocated, nothing is kept, and of the module only the framing
 * of its sections is read.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_MANIFEST_H
#define SANDMOTE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>
#include <sandmote/sensor.h>

#define SM_MANIFEST_SECTION "sandmote"
#define SM_MANIFEST_FORMAT  1u
#define SM_MANIFEST_MAX     2560u /* bytes of CBOR; a longer one is refused unread */

#define SM_FLEET_MAX         32u /* bytes of text, without the terminating zero */
#define SM_NAME_MAX          32u
#define SM_VERSION_MAX       32u
#define SM_ENTRY_MAX         64u
#define SM_CAPABILITY_MAX    96u
#define SM_CAPABILITIES_MAX  16u
#define SM_PLUGIN_VALUES     4u /* capabilities of a plugin's sensor */
#define SM_PLUGIN_ATTRIBUTES 4u /* of the same */
#define SM_REQUIRES_MAX      3u /* other modules that one needs */

/* ---- Device classes -------------------------------------------------------------------------- */

enum sm_class { SM_CLASS_MCU, SM_CLASS_MPU, SM_CLASS_GATEWAY, SM_CLASS_EDGE, SM_CLASSES };

/* What a class gives a module unless the device's own settings say otherwise. */
struct sm_class_limits {
    uint64_t memory_bytes; /* most linear memory of one module */
    uint32_t epoch_ms;     /* longest time one entry call may take */
};

/* "mcu", "mpu", "gateway", "edge"; NULL for anything else. */
const char *sm_class_name(unsigned cls);
/* The class of that name, or SM_ERR_NOT_FOUND. */
int sm_class_find(const char *name);
/* NULL for anything but an enum sm_class. */
const struct sm_class_limits *sm_class_limits(unsigned cls);

/* ---- The manifest ---------------------------------------------------------------------------- */

enum sm_module_kind { SM_KIND_APPLICATION, SM_KIND_PLUGIN, SM_KINDS };

/* "application", "plugin"; NULL for anything else. */
const char *sm_module_kind_name(unsigned kind);

/* Keys of the map. Numbers are forever: a key is never reused with another meaning. */
enum sm_manifest_key {
    SM_KEY_FORMAT = 1,
    SM_KEY_KIND,
    SM_KEY_FLEET,
    SM_KEY_NAME,
    SM_KEY_VERSION,
    SM_KEY_SEQUENCE,
    SM_KEY_FLOOR,
    SM_KEY_CLASSES,
    SM_KEY_ENTRY,
    SM_KEY_PERIOD,
    SM_KEY_MEMORY,
    SM_KEY_STACK,
    SM_KEY_CAPABILITIES,
    SM_KEY_INTERFACE,
    SM_KEY_HEALTH,
    SM_KEY_SENSOR,
    SM_KEY_REQUIRES,
    SM_KEY_HEALTH_TICKS = 0x100 * SM_KEY_HEALTH + 1, /* keys 1 to 3 of the map at 15 */
    SM_KEY_HEALTH_TIMEOUT,
    SM_KEY_HEALTH_LATE,
    SM_KEY_SENSOR_ID = 0x100 * SM_KEY_SENSOR + 1, /* keys 1 to 6 of the map at 16 */
    SM_KEY_SENSOR_MODEL,
    SM_KEY_SENSOR_BUS,
    SM_KEY_SENSOR_ADDRESS,
    SM_KEY_SENSOR_VALUES,
    SM_KEY_SENSOR_ATTRIBUTES
};

/* Who may write an attribute of a plugin's sensor, and whose wish counts: sensor.h's rules. */
enum sm_plugin_writes {
    SM_WRITES_NONE, /* it is only read */
    SM_WRITES_LOWEST = 1 + SM_RULE_LOWEST,
    SM_WRITES_HIGHEST = 1 + SM_RULE_HIGHEST,
    SM_WRITES_HOLDER = 1 + SM_RULE_HOLDER
};
/* "lowest", "highest", "holder"; NULL for SM_WRITES_NONE and anything else. */
const char *sm_plugin_writes_name(unsigned writes);

/* The sensor that a plugin drives, on one bus at one address. A value is measured by the exported
 * function read_NAME, without parameters: f32 and f64 give units, i32 the number that modules get.
 * An attribute is set by set_NAME, with one parameter of these types or an i64, and read by
 * get_NAME.
 */
struct sm_plugin_sensor {
    char id[SM_SENSOR_ID_MAX + 1];       /* what modules call it; "" when a plugin has no sensor */
    char model[SM_SENSOR_MODEL_MAX + 1]; /* what its vendor is trusted with */
    char bus[SM_BUS_NAME_MAX + 1];
    uint32_t address; /* 0 to 247: of I2C, a select line, a Modbus unit */
    uint32_t values;  /* 1 to SM_PLUGIN_VALUES */
    struct sm_plugin_value {
        char name[SM_SENSOR_NAME_MAX + 1];
        uint8_t unit;     /* enum sm_unit */
        uint8_t decimals; /* 0 to 9: numbers count 10^-decimals units */
        int32_t min, max; /* what it can measure, numbers as modules have them; both 0: any */
    } value[SM_PLUGIN_VALUES];
    uint32_t attributes; /* 0 to SM_PLUGIN_ATTRIBUTES */
    struct sm_plugin_attribute {
        char name[SM_SENSOR_NAME_MAX + 1]; /* none of the capabilities' */
        uint8_t unit, decimals;            /* as of a value */
        uint8_t writes;                    /* enum sm_plugin_writes */
        int64_t min, max, initial;         /* min <= initial <= max; numbers as modules have them */
    } attribute[SM_PLUGIN_ATTRIBUTES];
};

/* Another module that must be there, in a release from least to most. */
struct sm_requirement {
    char name[SM_NAME_MAX + 1];
    uint64_t least, most; /* sequences; most is 2^63-1 when there is no bound */
};

/* A decoded manifest. Texts are terminated by a zero; unused bytes are zero. */
struct sm_manifest {
    uint32_t kind;                    /* enum sm_module_kind */
    char fleet[SM_FLEET_MAX + 1];     /* as sm_name_valid() says */
    char name[SM_NAME_MAX + 1];       /* the same; of the module within its fleet */
    char version[SM_VERSION_MAX + 1]; /* 1 to 32 printable ASCII, no space; for people only */
    char entry[SM_ENTRY_MAX + 1];     /* 1 to 64 printable ASCII, no space; default "sensor_tick" */
    uint64_t sequence;       /* 1 to 2^63-1: an update must have a higher one than it replaces */
    uint64_t security_floor; /* 0 to sequence: once committed, nothing below it ever runs again */
    uint32_t classes;        /* bit 1 << enum sm_class for each class it may run on; not 0 */
    uint32_t period_ms;      /* 10 to 86400000, between calls of the entry; default 1000 */
    uint64_t memory_bytes; /* 0 to 2^32: linear memory that the module may touch, grown included */
    uint32_t stack_bytes;  /* 64 to 2^24: value stack */
    uint32_t interface;    /* 1 to 65535: the least host interface version that it can use */
    uint32_t good_ticks;   /* 1 to 1000: entry calls without a trap that a trial needs; default 3 */
    uint32_t timeout_ms;   /* 1 to 604800000: time in which a trial must succeed; default 30000 */
    uint32_t late_ticks;   /* 0 to 1000: so many entry calls that take longer than the period are a
                              failure of health, less half of one for each in time between them; 0:
                              none are; default 10 */
    uint32_t capabilities; /* how many of: */
    char capability[SM_CAPABILITIES_MAX][SM_CAPABILITY_MAX + 1]; /* ascending bytewise, unique;
                                                                   printable ASCII, no space */
    struct sm_plugin_sensor sensor; /* of a plugin. A plugin without one removes what was there
                                       under its name */
    uint32_t requirements;          /* how many of: */
    struct sm_requirement requires[SM_REQUIRES_MAX]; /* ascending by name */
};

/* Where and why a manifest was refused. rule is a constant English phrase. */
struct sm_manifest_detail {
    uint32_t offset; /* of the offending byte; each function says in what */
    uint32_t key;    /* enum sm_manifest_key, or the unknown number; 0 when no key is concerned */
    uint64_t value;  /* the number that broke the rule, for example the format; else 0 */
    const char *rule;
};

/* Whether a text can name a fleet or a module: 1 to 32 of a-z 0-9 . _ - beginning with a letter or
 * a digit, so that it is safe as a file name and as a part of a path. */
bool sm_name_valid(const char *text);

/* The name of a key as `sandmote pack` spells it ("fleet", "health.good_ticks"), or NULL. */
const char *sm_manifest_key_name(uint32_t key);

/* The range of a key: of its number, of its text's length, of how many its list holds. 0, or
 * SM_ERR_NOT_FOUND for a key that has none. */
int sm_manifest_range(uint32_t key, uint64_t *min, uint64_t *max);

/* A manifest with every default set (no texts, no sequence, no class, no memory). */
void sm_manifest_defaults(struct sm_manifest *m);

/* Find the payload of the custom section "sandmote" in bytes that need not be a valid module: only
 * the 8-byte header and the framing of sections are looked at.
 *
 * 0, *out and *out_len inside wasm; or, with offset counted in wasm,
 *   SM_ERR_MALFORMED  not a module, or its sections do not add up to the file
 *   SM_ERR_NOT_FOUND  no such section
 *   SM_ERR_INVALID    more than one (offset of the second) */
int sm_manifest_find(const uint8_t *wasm, size_t len, const uint8_t **out, size_t *out_len,
                     struct sm_manifest_detail *detail);

/* Decode CBOR bytes into *m. Defaults are filled in for what may be absent.
 *
 * 0, or, with offset counted in cbor and *m undefined,
 *   SM_ERR_UNSUPPORTED  a format from the future; detail->value is its number. Nothing else of it
 *                       was looked at
 *   SM_ERR_LIMIT        longer than SM_MANIFEST_MAX
 *   SM_ERR_MALFORMED    not deterministic CBOR, or a value of the wrong type
 *   SM_ERR_INVALID      an unknown or missing key, or a value outside its range */
int sm_manifest_decode(struct sm_manifest *m, const uint8_t *cbor, size_t len,
                       struct sm_manifest_detail *detail);

/* Find and decode: the errors of both, offset counted in wasm throughout. */
int sm_manifest_read(struct sm_manifest *m, const uint8_t *wasm, size_t len,
                     struct sm_manifest_detail *detail);

/* Encode *m: every key is written, also those at their default, but for late_ticks, sensor, its
 * attributes and requires: devices that are older than these take a manifest without.
 *
 * The number of bytes (at most SM_MANIFEST_MAX), or
 *   SM_ERR_INVALID  *m breaks a rule: detail says which key (offset is 0)
 *   SM_ERR_MEMORY   size is too small */
int sm_manifest_encode(const struct sm_manifest *m, uint8_t *out, size_t size,
                       struct sm_manifest_detail *detail);

/* Write the module with *m as its only "sandmote" section, right after the 8-byte header; sections
 * of that name that it had are left out, all other bytes are kept. out must not overlap wasm;
 * len + SM_MANIFEST_MAX + 32 bytes are always enough.
 *
 * The length of the new module, or the errors of sm_manifest_find() about the framing and those of
 * sm_manifest_encode(). */
int64_t sm_manifest_pack(const struct sm_manifest *m, const uint8_t *wasm, size_t len, uint8_t *out,
                         size_t size, struct sm_manifest_detail *detail);

#endif

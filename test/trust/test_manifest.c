/* The manifest: golden bytes, and one case for each rule, by its exact words and place.
 *
 * A case starts from a good manifest as a list of entries, changes one, and says what the decoder
 * must answer. The golden bytes come from an encoder of ten lines in another language.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sandmote/manifest.h>
#include "hex.h"

#define KEYS 18

/* The good manifest: values by key, in hex. */
static const char *const good[KEYS] = {
    [1] = "01",
    [2] = "00",
    [3] = "67706c616e742d37",
    [4] = "6a746865726d6f73746174",
    [5] = "65312e322e30",
    [6] = "03",
    [7] = "01",
    [8] = "820002",
    [9] = "6b73656e736f725f7469636b",
    [10] = "1903e8",
    [11] = "1a00010000",
    [12] = "191000",
    [13] = "82636c6f67781b73656e736f722f424d453238302f74656d70657261747572653a72",
    [14] = "01",
    [15] = "a2010302197530", /* and neither a sensor nor requirements */
};

/* What a plugin has beside: T1, a TMP105 on i2c-1 at 0x48, that measures temperature in thousandths
 * of a degree; and what an application has that needs it. */
static const char *const sensor =
    "a5016254310266544d5031303503656932632d310418480581836b74656d70657261747572650103";
static const char *const requires = "818369"
                                    "74312d647269766572031b7fffffffffffffff";
static const char *const golden =
    "af010102000367706c616e742d37046a746865726d6f737461740565312e322e3006030701088200"
    "02096b73656e736f725f7469636b0a1903e80b1a000100000c1910000d82636c6f67781b73656e73"
    "6f722f424d453238302f74656d70657261747572653a720e010fa2010302197530";

struct bytes {
    uint8_t at[8192];
    size_t len;
};

static void add_hex(struct bytes *b, const char *hex)
{
    b->len += hex_decode(hex, b->at + b->len);
}

static struct bytes from_hex(const char *hex)
{
    struct bytes b = {.len = 0};
    add_hex(&b, hex);
    return b;
}

/* The good manifest with the value of one key replaced, or left out when value is NULL. */
static struct bytes with(unsigned key, const char *value)
{
    struct bytes b = {.len = 1};
    uint8_t count = 0;
    for (unsigned k = 1; k < KEYS; k++) {
        const char *v = k == key ? value : good[k];
        if (!v)
            continue;
        b.at[b.len++] = (uint8_t)k;
        add_hex(&b, v);
        count++;
    }
    b.at[0] = 0xa0 | count;
    return b;
}

static struct bytes without(unsigned key)
{
    return with(key, NULL);
}

/* Where the value of a key of the good manifest begins. */
static uint32_t at_value(unsigned key)
{
    uint32_t at = 1;
    for (unsigned k = 1; k < key; k++)
        at += good[k] ? 1 + (uint32_t)strlen(good[k]) / 2 : 0;
    return at + 1;
}

static struct sm_manifest decoded(struct bytes b)
{
    struct sm_manifest m;
    struct sm_manifest_detail d;
    assert_int_equal(sm_manifest_decode(&m, b.at, b.len, &d), 0);
    return m;
}

static void expect(struct bytes b, int err, uint32_t key, uint32_t offset, const char *rule)
{
    struct sm_manifest m;
    struct sm_manifest_detail d = {0};
    /* An exact copy on the heap, so that a read beyond the end is found by the sanitizer. */
    uint8_t *copy = malloc(b.len ? b.len : 1);
    memcpy(copy, b.at, b.len);
    int got = sm_manifest_decode(&m, copy, b.len, &d);
    assert_int_equal(got, err);
    assert_string_equal(d.rule, rule);
    assert_int_equal(d.key, key);
    assert_int_equal(d.offset, offset);
    free(copy);
}

/* A value of a key is refused as outside its range, at the value itself. */
static void expect_invalid(unsigned key, const char *value, const char *rule)
{
    expect(with(key, value), SM_ERR_INVALID, key, at_value(key), rule);
}

static void expect_malformed(unsigned key, const char *value, const char *rule)
{
    expect(with(key, value), SM_ERR_MALFORMED, key, at_value(key), rule);
}

/* ---- What is good -----------------------------------------------------------------------------
 */

static void golden_bytes_decode_to_every_field(void **state)
{
    (void)state;
    struct sm_manifest m = decoded(from_hex(golden));
    assert_int_equal(m.kind, SM_KIND_APPLICATION);
    assert_string_equal(m.fleet, "plant-7");
    assert_string_equal(m.name, "thermostat");
    assert_string_equal(m.version, "1.2.0");
    assert_int_equal(m.sequence, 3);
    assert_int_equal(m.security_floor, 1);
    assert_int_equal(m.classes, 1u << SM_CLASS_MCU | 1u << SM_CLASS_GATEWAY);
    assert_string_equal(m.entry, "sensor_tick");
    assert_int_equal(m.period_ms, 1000);
    assert_int_equal(m.memory_bytes, 65536);
    assert_int_equal(m.stack_bytes, 4096);
    assert_int_equal(m.capabilities, 2);
    assert_string_equal(m.capability[0], "log");
    assert_string_equal(m.capability[1], "sensor/BME280/temperature:r");
    assert_int_equal(m.interface, 1);
    assert_int_equal(m.good_ticks, 3);
    assert_int_equal(m.timeout_ms, 30000);
}

static void decoded_manifest_encodes_to_the_golden_bytes(void **state)
{
    (void)state;
    struct bytes b = from_hex(golden);
    struct sm_manifest m = decoded(b);
    struct sm_manifest_detail d;
    uint8_t out[SM_MANIFEST_MAX];
    assert_int_equal(sm_manifest_encode(&m, out, sizeof out, &d), b.len);
    assert_memory_equal(out, b.at, b.len);
    assert_int_equal(sm_manifest_encode(&m, out, b.len, &d), b.len);
    assert_int_equal(sm_manifest_encode(&m, out, b.len - 1, &d), SM_ERR_MEMORY);
}

static void absent_optional_keys_take_their_defaults(void **state)
{
    (void)state;
    assert_string_equal(decoded(without(9)).entry, "sensor_tick");
    assert_int_equal(decoded(without(10)).period_ms, 1000);
    assert_int_equal(decoded(without(13)).capabilities, 0);
    struct sm_manifest m = decoded(without(15));
    assert_int_equal(m.good_ticks, 3);
    assert_int_equal(m.timeout_ms, 30000);
    assert_int_equal(decoded(with(15, "a0")).good_ticks, 3);
    assert_int_equal(decoded(with(15, "a10107")).good_ticks, 7);
    assert_int_equal(decoded(with(15, "a10107")).late_ticks, 10);
    assert_int_equal(decoded(with(15, "a10300")).late_ticks, 0);
    assert_int_equal(decoded(with(15, "a1021864")).timeout_ms, 100);
}

static void numbers_at_the_ends_of_their_ranges_are_good(void **state)
{
    (void)state;
    assert_int_equal(decoded(with(2, "01")).kind, SM_KIND_PLUGIN);
    assert_int_equal(decoded(with(6, "1b7fffffffffffffff")).sequence, INT64_MAX);
    assert_int_equal(decoded(with(7, "03")).security_floor, 3);
    assert_int_equal(decoded(with(7, "00")).security_floor, 0);
    assert_int_equal(decoded(with(8, "8400010203")).classes, 15);
    assert_int_equal(decoded(with(10, "0a")).period_ms, 10);
    assert_int_equal(decoded(with(10, "1a05265c00")).period_ms, 86400000);
    assert_true(decoded(with(11, "1b0000000100000000")).memory_bytes == 1ull << 32);
    assert_int_equal(decoded(with(11, "00")).memory_bytes, 0);
    assert_int_equal(decoded(with(12, "1840")).stack_bytes, 64);
    assert_int_equal(decoded(with(12, "1a01000000")).stack_bytes, 1 << 24);
    assert_int_equal(decoded(with(14, "19ffff")).interface, 65535);
}

/* ---- Plugins ----------------------------------------------------------------------------------
 */

/* The good manifest as a plugin's, with this sensor. */
static struct bytes plugin_with(const char *value)
{
    struct bytes b = with(16, value);
    b.at[at_value(2)] = SM_KIND_PLUGIN;
    return b;
}

static struct sm_manifest encoded_again(struct bytes b)
{
    struct sm_manifest m = decoded(b);
    struct sm_manifest_detail d;
    uint8_t out[SM_MANIFEST_MAX];
    assert_int_equal(sm_manifest_encode(&m, out, sizeof out, &d), b.len);
    assert_memory_equal(out, b.at, b.len);
    return m;
}

static void a_plugin_names_its_sensor_its_bus_and_its_address(void **state)
{
    (void)state;
    struct sm_manifest m = encoded_again(plugin_with(sensor));
    assert_string_equal(m.sensor.id, "T1");
    assert_string_equal(m.sensor.model, "TMP105");
    assert_string_equal(m.sensor.bus, "i2c-1");
    assert_int_equal(m.sensor.address, 0x48);
    assert_int_equal(m.sensor.values, 1);
    assert_string_equal(m.sensor.value[0].name, "temperature");
    assert_int_equal(m.sensor.value[0].unit, SM_UNIT_CELSIUS);
    assert_int_equal(m.sensor.value[0].decimals, 3);
    assert_int_equal(encoded_again(with(2, "01")).sensor.values, 0);
}

static void a_capability_may_have_a_range(void **state)
{
    (void)state;
    struct sm_manifest m =
        encoded_again(plugin_with("a5016254310266544d5031303503656932632d3104184805"
                                  "81856141010339d6d71a0001f3c2"));
    assert_int_equal(m.sensor.value[0].min, -55000);
    assert_int_equal(m.sensor.value[0].max, 127938);
    m = encoded_again(plugin_with("a5016254310266544d5031303503656932632d3104184805"
                                  "8185614101033a7fffffff1a7fffffff"));
    assert_int_equal(m.sensor.value[0].min, INT32_MIN);
    assert_int_equal(m.sensor.value[0].max, INT32_MAX);
}

static void a_module_names_the_releases_of_others_that_it_needs(void **state)
{
    (void)state;
    struct sm_manifest m = encoded_again(with(17, requires));
    assert_int_equal(m.requirements, 1);
    assert_string_equal(m.requires[0].name, "t1-driver");
    assert_int_equal(m.requires[0].least, 3);
    assert_int_equal(m.requires[0].most, INT64_MAX);
}

static void an_application_with_a_sensor_is_refused(void **state)
{
    (void)state;
    expect(with(16, sensor), SM_ERR_INVALID, SM_KEY_SENSOR, 0, "only a plugin has a sensor");
}

static void a_sensor_keeps_to_its_rules(void **state)
{
    (void)state;
    static const struct {
        const char *value, *rule;
        uint32_t key, at;
    } cases[] = {
        {"a0", "a required key is missing", SM_KEY_SENSOR_ID, 0},
        {"a10162543a", "only A-Z a-z 0-9 . _ - may stand in this text", SM_KEY_SENSOR_ID, 2},
        {"a20162543103656932632d31", "a required key is missing", SM_KEY_SENSOR_MODEL, 5},
        {"a4016254310266544d503130350365693263203104",
         "only A-Z a-z 0-9 . _ - may stand in this text", SM_KEY_SENSOR_BUS, 14},
        {"a4016254310266544d5031303503656932632d310418f8", "the number is too large",
         SM_KEY_SENSOR_ADDRESS, 21},
        {"a4016254310266544d5031303503656932632d31041848", "a required key is missing",
         SM_KEY_SENSOR_VALUES, 21},
        {"a5016254310266544d5031303503656932632d3104184805"
         "80",
         "the number is too small", SM_KEY_SENSOR_VALUES, 24},
        {"a5016254310266544d5031303503656932632d3104184805"
         "8583614101038361420103836143010383614401038361450103",
         "the number is too large", SM_KEY_SENSOR_VALUES, 24},
        {"a5016254310266544d5031303503656932632d3104184805"
         "8182614101",
         "not an array of three or five", SM_KEY_SENSOR_VALUES, 25},
        {"a5016254310266544d5031303503656932632d3104184805"
         "8185614101030505",
         "its range is empty", SM_KEY_SENSOR_VALUES, 31},
        {"a5016254310266544d5031303503656932632d3104184805"
         "8185614101030000",
         "its range is empty", SM_KEY_SENSOR_VALUES, 31},
        {"a5016254310266544d5031303503656932632d3104184805"
         "818561410103001a80000000",
         "a limit of what is measured has 32 bits", SM_KEY_SENSOR_VALUES, 31},
        {"a5016254310266544d5031303503656932632d3104184805"
         "8185614101033a8000000000",
         "a limit of what is measured has 32 bits", SM_KEY_SENSOR_VALUES, 30},
        {"a5016254310266544d5031303503656932632d3104184805"
         "8183614118ff03",
         "the number is too large", SM_KEY_SENSOR_VALUES, 28},
        {"a5016254310266544d5031303503656932632d3104184805"
         "81836141010a",
         "the number is too large", SM_KEY_SENSOR_VALUES, 29},
        {"a5016254310266544d5031303503656932632d3104184805"
         "8283614101038361410103",
         "a capability stands twice", SM_KEY_SENSOR_VALUES, 34},
        {"a5016254310266544d5031303503656932632d3104184805"
         "81836573746174650103",
         "every sensor has something of this name", SM_KEY_SENSOR_VALUES, 33},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(plugin_with(cases[i].value), SM_ERR_INVALID, cases[i].key,
               at_value(16) + cases[i].at, cases[i].rule);
}

/* The sensor above with a list of attributes, given in hex. */
static struct bytes plugin_with_attributes(const char *list)
{
    char hex[1024];
    snprintf(hex, sizeof hex, "a6%s06%s", sensor + 2, list);
    return plugin_with(hex);
}

/* alert_high: thousandths of a degree from -55000 to 125000, at first 80000, the lowest wish. */
static const char *const alert = "876a616c6572745f6869676801030139d6d71a0001e8481a00013880";

static void a_sensor_has_attributes_with_a_range_and_a_rule(void **state)
{
    (void)state;
    struct sm_manifest m = encoded_again(
        plugin_with_attributes("82876a616c6572745f6869676801030139d6d71a0001e8481a00013880"
                               "8761670000003b7fffffffffffffff1b7fffffffffffffff20"));
    assert_int_equal(m.sensor.attributes, 2);
    const struct sm_plugin_attribute *a = m.sensor.attribute;
    assert_string_equal(a[0].name, "alert_high");
    assert_int_equal(a[0].unit, SM_UNIT_CELSIUS);
    assert_int_equal(a[0].decimals, 3);
    assert_int_equal(a[0].writes, SM_WRITES_LOWEST);
    assert_int_equal(a[0].min, -55000);
    assert_int_equal(a[0].max, 125000);
    assert_int_equal(a[0].initial, 80000);
    assert_int_equal(a[1].writes, SM_WRITES_NONE);
    assert_int_equal(a[1].min, INT64_MIN);
    assert_int_equal(a[1].max, INT64_MAX);
    assert_int_equal(a[1].initial, -1);
    assert_int_equal(encoded_again(plugin_with(sensor)).sensor.attributes, 0);
}

static void attributes_keep_to_their_rules(void **state)
{
    (void)state;
    static const struct {
        const char *list, *rule;
        int err;
        uint32_t at; /* in the list */
    } cases[] = {
        {"80", "the number is too small", SM_ERR_INVALID, 0},
        {"858761", "an array has more items than bytes are left", SM_ERR_MALFORMED, 0},
        {"81866161000001000100", "not an array of seven", SM_ERR_INVALID, 1},
        {"818761610f0001000100", "the number is too large", SM_ERR_INVALID, 4},
        {"81876161000a01000100", "the number is too large", SM_ERR_INVALID, 5},
        {"81876161000004000100", "the number is too large", SM_ERR_INVALID, 6},
        {"8187616100000161300100", "an integer is expected", SM_ERR_MALFORMED, 7},
        {"81876161000001001b800000000000000000", "an integer is beyond 64 bits with a sign",
         SM_ERR_MALFORMED, 8},
        {"81876161000001003b800000000000000000", "an integer is beyond 64 bits with a sign",
         SM_ERR_MALFORMED, 8},
        {"81876161000001003b000000000000000100", "a number is not in its shortest form",
         SM_ERR_MALFORMED, 8},
        {"81876161000001000102", "its initial value is not in its range", SM_ERR_INVALID, 9},
        {"81876161000001020102", "its initial value is not in its range", SM_ERR_INVALID, 9},
        {"8187657374617465000001000100", "every sensor has something of this name", SM_ERR_INVALID,
         13},
        {"81876b74656d7065726174757265000001000100", "a capability has this name", SM_ERR_INVALID,
         19},
        {"82876161000001000100876161000001000100", "an attribute stands twice", SM_ERR_INVALID, 18},
    };
    uint32_t list = at_value(16) + (uint32_t)strlen(sensor) / 2 + 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(plugin_with_attributes(cases[i].list), cases[i].err, SM_KEY_SENSOR_ATTRIBUTES,
               list + cases[i].at, cases[i].rule);
}

static void requirements_keep_to_their_rules(void **state)
{
    (void)state;
    static const struct {
        const char *value, *rule;
        uint32_t at;
    } cases[] = {
        {"80", "the number is too small", 0},
        {"84836161010183616201018361630101836164"
         "0101",
         "the number is too large", 0},
        {"8182616101", "not an array of three", 1},
        {"818361410101", "only a-z 0-9 . _ - may stand in this text", 2},
        {"818361610001", "the number is too small", 4},
        {"81836161021b8000000000000000", "the number is too large", 5},
        {"818361610201", "the least sequence is above the most", 5},
        {"81836a746865726d6f737461740102", "a module cannot require itself", 14},
        {"828361620101836161"
         "0101",
         "required names must ascend", 10},
        {"828361610101836161"
         "0101",
         "required names must ascend", 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(with(17, cases[i].value), SM_ERR_INVALID, SM_KEY_REQUIRES,
               at_value(17) + cases[i].at, cases[i].rule);
}

/* ---- Formats and keys -------------------------------------------------------------------------
 */

static void a_format_from_the_future_is_named_by_its_number(void **state)
{
    (void)state;
    struct sm_manifest m;
    struct sm_manifest_detail d;
    struct bytes b = with(1, "02");
    expect(b, SM_ERR_UNSUPPORTED, SM_KEY_FORMAT, 2, "a manifest format from the future");
    assert_int_equal(sm_manifest_decode(&m, b.at, b.len, &d), SM_ERR_UNSUPPORTED);
    assert_int_equal(d.value, 2);
    /* Whatever follows it, of which nothing is known. */
    b = from_hex("a201190539ffff");
    assert_int_equal(sm_manifest_decode(&m, b.at, b.len, &d), SM_ERR_UNSUPPORTED);
    assert_int_equal(d.value, 1337);
}

static void format_zero_and_no_format_are_refused(void **state)
{
    (void)state;
    expect(with(1, "00"), SM_ERR_INVALID, SM_KEY_FORMAT, 2, "the number is too small");
    expect(without(1), SM_ERR_INVALID, SM_KEY_FORMAT, 1, "a required key is missing");
    expect(from_hex("a0"), SM_ERR_INVALID, SM_KEY_FORMAT, 0, "a required key is missing");
}

static void each_required_key_is_missed_by_name(void **state)
{
    (void)state;
    static const unsigned required[] = {2, 3, 4, 5, 6, 7, 8, 11, 12, 14};
    for (size_t i = 0; i < sizeof required / sizeof *required; i++)
        expect(without(required[i]), SM_ERR_INVALID, required[i], at_value(required[i]) - 1,
               "a required key is missing");
    expect(from_hex("a10101"), SM_ERR_INVALID, SM_KEY_KIND, 2, "a required key is missing");
}

static void unknown_keys_are_refused_by_number(void **state)
{
    (void)state;
    struct bytes wide = from_hex(golden);
    uint32_t end = (uint32_t)wide.len;
    wide.at[0] = 0xb0; /* a sixteenth entry */
    add_hex(&wide, "1200");
    expect(wide, SM_ERR_INVALID, 18, end, "an unknown key");
    expect(with(15, "a10401"), SM_ERR_INVALID, 0x100 * SM_KEY_HEALTH + 4, at_value(15) + 1,
           "an unknown key");
    /* 0xf01 must not be taken for key 1 of the map at 15, nor 0x101 for the format. */
    wide.len -= 2;
    add_hex(&wide, "190f0105");
    expect(wide, SM_ERR_INVALID, 0, end, "an unknown key");
    expect(with(15, "a11901010a"), SM_ERR_INVALID, 0, at_value(15) + 1, "an unknown key");
}

/* ---- Ranges and texts -------------------------------------------------------------------------
 */

static void numbers_outside_their_ranges_are_refused(void **state)
{
    (void)state;
    static const char *const small = "the number is too small", *const large =
                                                                    "the number is too large";
    expect_invalid(2, "02", large);
    expect_invalid(6, "00", small);
    expect_invalid(6, "1b8000000000000000", large);
    expect_invalid(10, "09", small);
    expect_invalid(10, "1a05265c01", large);
    expect_invalid(11, "1b0000000100000001", large);
    expect_invalid(12, "183f", small);
    expect_invalid(12, "1a01000001", large);
    expect_invalid(14, "00", small);
    expect_invalid(14, "1a00010000", large);
    expect(with(15, "a10100"), SM_ERR_INVALID, SM_KEY_HEALTH_TICKS, at_value(15) + 2, small);
    expect(with(15, "a1011903e9"), SM_ERR_INVALID, SM_KEY_HEALTH_TICKS, at_value(15) + 2, large);
    expect(with(15, "a1031903e9"), SM_ERR_INVALID, SM_KEY_HEALTH_LATE, at_value(15) + 2, large);
    expect(with(15, "a10200"), SM_ERR_INVALID, SM_KEY_HEALTH_TIMEOUT, at_value(15) + 2, small);
    expect(with(15, "a1021a240c8401"), SM_ERR_INVALID, SM_KEY_HEALTH_TIMEOUT, at_value(15) + 2,
           large);
}

static void a_floor_above_the_sequence_is_refused(void **state)
{
    (void)state;
    expect(with(7, "04"), SM_ERR_INVALID, SM_KEY_FLOOR, 0,
           "the security floor is above the sequence");
}

static void texts_keep_to_their_letters_and_lengths(void **state)
{
    (void)state;
    static const char *const name = "only a-z 0-9 . _ - may stand in this text";
    static const char *const printable =
        "only printable ASCII without spaces may stand in this text";
    expect_invalid(3, "60", "the text is empty");
    expect_invalid(3, "6141", name);
    expect_invalid(3, "63612f62", name);
    expect_invalid(3, "63610062", name);
    expect_invalid(4, "62c3a9", name);
    expect_invalid(4, "622e2e", "a name begins with a letter or a digit");
    expect_invalid(4, "622d61", "a name begins with a letter or a digit");
    expect_invalid(5, "63312032", printable);
    expect_invalid(5, "62317f", printable);
    expect_invalid(9, "6100", printable);
    char long_text[2 * 70 + 8] = "7821"; /* 33 letters */
    for (int i = 0; i < 33; i++)
        strcat(long_text, "61");
    expect_invalid(3, long_text, "the text is too long");
    expect_invalid(5, long_text, "the text is too long");
    memcpy(long_text, "7820", 4);
    long_text[4 + 64] = 0;
    assert_int_equal(strlen(decoded(with(3, long_text)).fleet), 32);
}

static void a_text_of_another_fleet_leaves_nothing_of_a_longer_default(void **state)
{
    (void)state;
    struct sm_manifest m = decoded(with(9, "6174"));
    static const char zero[sizeof m.entry - 1];
    assert_string_equal(m.entry, "t");
    assert_memory_equal(m.entry + 1, zero, sizeof zero);
}

static void classes_are_named_ascending_once_each(void **state)
{
    (void)state;
    expect(with(8, "80"), SM_ERR_INVALID, 8, at_value(8), "no class is named");
    expect(with(8, "8104"), SM_ERR_INVALID, 8, at_value(8) + 1, "no such device class");
    expect(with(8, "811bffffffffffffffff"), SM_ERR_INVALID, 8, at_value(8) + 1,
           "no such device class");
    expect(with(8, "820000"), SM_ERR_INVALID, 8, at_value(8) + 2, "classes must ascend");
    expect(with(8, "820200"), SM_ERR_INVALID, 8, at_value(8) + 2, "classes must ascend");
}

static void capabilities_are_few_ascending_and_different(void **state)
{
    (void)state;
    expect(with(13, "8261626161"), SM_ERR_INVALID, 13, at_value(13) + 3,
           "capabilities must ascend");
    expect(with(13, "8261616161"), SM_ERR_INVALID, 13, at_value(13) + 3,
           "a capability stands twice");
    expect(with(13, "82626161616100"), SM_ERR_INVALID, 13, at_value(13) + 4,
           "capabilities must ascend");
    expect(with(13, "8160"), SM_ERR_INVALID, 13, at_value(13) + 1, "the text is empty");
    char many[200] = "91";
    for (int i = 0; i < 17; i++)
        snprintf(many + 2 + 4 * i, 5, "61%02x", 0x61 + i);
    expect(with(13, many), SM_ERR_INVALID, 13, at_value(13), "too many capabilities");
    memcpy(many, "90", 2);
    many[2 + 4 * 16] = 0;
    assert_int_equal(decoded(with(13, many)).capabilities, 16);
}

/* ---- Deterministic CBOR -----------------------------------------------------------------------
 */

static void numbers_must_be_in_their_shortest_form(void **state)
{
    (void)state;
    static const char *const rule = "a number is not in its shortest form";
    expect_malformed(6, "1803", rule);
    expect_malformed(6, "1817", rule);
    expect_malformed(6, "1900ff", rule);
    expect_malformed(6, "1a0000ffff", rule);
    expect_malformed(6, "1b00000000ffffffff", rule);
    assert_int_equal(decoded(with(6, "1818")).sequence, 24);
    assert_int_equal(decoded(with(6, "190100")).sequence, 256);
    assert_int_equal(decoded(with(6, "1a00010000")).sequence, 65536);
    assert_true(decoded(with(6, "1b0000000100000000")).sequence == 1ull << 32);
    expect_malformed(3, "7807706c616e742d37", rule);
    expect_malformed(8, "98020002", rule);
    expect_malformed(15, "b800", rule);
    expect(from_hex("b80101"), SM_ERR_MALFORMED, 0, 0, rule);
    expect(from_hex("a1180101"), SM_ERR_MALFORMED, 0, 1, rule);
}

static void indefinite_lengths_and_reserved_heads_are_refused(void **state)
{
    (void)state;
    static const char *const indefinite = "indefinite lengths are not deterministic";
    expect_malformed(3, "7f6161ff", indefinite);
    expect_malformed(8, "9f00ff", indefinite);
    expect_malformed(15, "bfff", indefinite);
    expect(from_hex("bf0101ff"), SM_ERR_MALFORMED, 0, 0, indefinite);
    expect_malformed(6, "1c", "a reserved head byte");
    expect_malformed(6, "1e", "a reserved head byte");
    expect_malformed(6, "1f", indefinite);
}

static void values_of_another_type_are_refused(void **state)
{
    (void)state;
    static const char *const uint = "an unsigned integer is expected";
    expect_malformed(6, "20", uint);                 /* -1 */
    expect_malformed(6, "f5", uint);                 /* true */
    expect_malformed(6, "fb3ff0000000000000", uint); /* 1.0 */
    expect_malformed(6, "c103", uint);               /* a tag */
    expect_malformed(6, "6133", uint);
    expect_malformed(3, "426161", "a text is expected"); /* bytes */
    expect_malformed(8, "00", "an array is expected");
    expect_malformed(13, "636c6f67", "an array is expected");
    expect_malformed(15, "80", "a map is expected");
    expect(with(8, "816130"), SM_ERR_MALFORMED, 8, at_value(8) + 1, uint);
    expect(from_hex("80"), SM_ERR_MALFORMED, 0, 0, "a map is expected");
    expect(from_hex("a1613101"), SM_ERR_MALFORMED, 0, 1, "a key must be an unsigned integer");
}

static void keys_out_of_order_or_twice_are_refused(void **state)
{
    (void)state;
    expect(from_hex("a201010101"), SM_ERR_MALFORMED, 0, 3, "a key stands twice");
    expect(from_hex("a301010200010100"), SM_ERR_MALFORMED, 0, 5, "keys must ascend");
    expect(with(15, "a202010103"), SM_ERR_MALFORMED, 0, at_value(15) + 3, "keys must ascend");
    expect(with(15, "a201010103"), SM_ERR_MALFORMED, 0, at_value(15) + 3, "a key stands twice");
}

static void counts_beyond_the_bytes_are_refused_before_they_are_used(void **state)
{
    (void)state;
    expect(from_hex("bbffffffffffffffff0101"), SM_ERR_MALFORMED, 0, 0,
           "a map has more entries than bytes are left");
    expect_malformed(8, "9bffffffffffffffff", "an array has more items than bytes are left");
    expect_malformed(3, "7bffffffffffffffff", "a text is longer than the bytes that are left");
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct bytes b = from_hex(golden);
    for (size_t len = 0; len < b.len; len++) {
        struct sm_manifest m;
        struct sm_manifest_detail d;
        uint8_t *cut = malloc(len ? len : 1);
        memcpy(cut, b.at, len);
        assert_int_equal(sm_manifest_decode(&m, cut, len, &d), SM_ERR_MALFORMED);
        assert_in_range(d.offset, 0, len);
        free(cut);
    }
    expect(from_hex(""), SM_ERR_MALFORMED, 0, 0, "ends where an item is expected");
    b = with(6, "19");
    b.len = at_value(6) + 1;
    expect(b, SM_ERR_MALFORMED, 6, at_value(6), "ends in the middle of an item");
}

static void trailing_bytes_are_refused(void **state)
{
    (void)state;
    struct bytes b = from_hex(golden);
    b.len++; /* one zero */
    expect(b, SM_ERR_MALFORMED, 0, (uint32_t)b.len - 1, "bytes follow the last item");
}

static void a_manifest_above_the_limit_is_refused_unread(void **state)
{
    (void)state;
    struct bytes b = {.len = SM_MANIFEST_MAX + 1};
    expect(b, SM_ERR_LIMIT, 0, 0, "the manifest is too long");
}

/* What decodes encodes to bytes that decode to the same; changed bytes never crash. */
static void every_flipped_bit_is_refused_or_read_as_what_it_says(void **state)
{
    (void)state;
    struct bytes b = from_hex(golden);
    unsigned taken = 0;
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        struct sm_manifest m, again;
        struct sm_manifest_detail d;
        uint8_t out[SM_MANIFEST_MAX];
        b.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (sm_manifest_decode(&m, b.at, b.len, &d) == 0) {
            int len = sm_manifest_encode(&m, out, sizeof out, &d);
            assert_int_equal(len, b.len);
            assert_memory_equal(out, b.at, b.len);
            assert_int_equal(sm_manifest_decode(&again, out, (size_t)len, &d), 0);
            assert_memory_equal(&m, &again, sizeof m);
            taken++;
        }
        b.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    print_message("%zu flips, %u still a manifest (another letter or number)\n", 8 * b.len, taken);
}

/* ---- Encoder ----------------------------------------------------------------------------------
 */

static void expect_unencodable(const struct sm_manifest *m, uint32_t key, const char *rule)
{
    struct sm_manifest_detail d = {0};
    uint8_t out[SM_MANIFEST_MAX];
    assert_int_equal(sm_manifest_encode(m, out, sizeof out, &d), SM_ERR_INVALID);
    assert_int_equal(d.key, key);
    assert_string_equal(d.rule, rule);
}

static void the_encoder_refuses_what_the_decoder_would(void **state)
{
    (void)state;
    const struct sm_manifest base = decoded(from_hex(golden));
    struct sm_manifest m = base;
    m.fleet[0] = 0;
    expect_unencodable(&m, SM_KEY_FLEET, "the text is empty");
    m = base, memset(m.name, 'a', sizeof m.name);
    expect_unencodable(&m, SM_KEY_NAME, "the text is too long");
    m = base, m.sequence = 0;
    expect_unencodable(&m, SM_KEY_SEQUENCE, "the number is too small");
    m = base, m.security_floor = 4;
    expect_unencodable(&m, SM_KEY_FLOOR, "the security floor is above the sequence");
    m = base, m.classes = 0;
    expect_unencodable(&m, SM_KEY_CLASSES, "no class is named");
    m = base, m.classes = 1u << SM_CLASSES;
    expect_unencodable(&m, SM_KEY_CLASSES, "no such device class");
    m = base, m.memory_bytes = (1ull << 32) + 1;
    expect_unencodable(&m, SM_KEY_MEMORY, "the number is too large");
    m = base, m.capabilities = 17;
    expect_unencodable(&m, SM_KEY_CAPABILITIES, "too many capabilities");
    m = base, strcpy(m.capability[1], "log");
    expect_unencodable(&m, SM_KEY_CAPABILITIES, "a capability stands twice");
    m = base, m.good_ticks = 0;
    expect_unencodable(&m, SM_KEY_HEALTH_TICKS, "the number is too small");
}

static void an_attribute_that_breaks_a_rule_is_not_written(void **state)
{
    (void)state;
    char list[128];
    snprintf(list, sizeof list, "81%s", alert);
    struct sm_manifest good_one = decoded(plugin_with_attributes(list)), m = good_one;
    m.sensor.attribute[0].initial = 125001;
    expect_unencodable(&m, SM_KEY_SENSOR_ATTRIBUTES, "its initial value is not in its range");
    m = good_one, m.sensor.attribute[0].writes = SM_WRITES_HOLDER + 1;
    expect_unencodable(&m, SM_KEY_SENSOR_ATTRIBUTES, "the number is too large");
    m = good_one, m.sensor.attributes = SM_PLUGIN_ATTRIBUTES + 1;
    expect_unencodable(&m, SM_KEY_SENSOR_ATTRIBUTES, "the number is too large");
    m = good_one, strcpy(m.sensor.attribute[0].name, "a b");
    expect_unencodable(&m, SM_KEY_SENSOR_ATTRIBUTES,
                       "only A-Z a-z 0-9 . _ - may stand in this text");
}

static void the_largest_manifest_fits_the_limit(void **state)
{
    (void)state;
    struct sm_manifest m, again;
    struct sm_manifest_detail d;
    uint8_t out[SM_MANIFEST_MAX];
    sm_manifest_defaults(&m);
    memset(m.fleet, 'f', SM_FLEET_MAX);
    memset(m.name, 'n', SM_NAME_MAX);
    memset(m.version, 'v', SM_VERSION_MAX);
    memset(m.entry, 'e', SM_ENTRY_MAX);
    m.sequence = m.security_floor = INT64_MAX;
    m.classes = 15;
    m.period_ms = 86400000;
    m.memory_bytes = 1ull << 32;
    m.stack_bytes = 1u << 24;
    m.interface = 65535;
    m.good_ticks = 1000;
    m.timeout_ms = 604800000;
    m.capabilities = SM_CAPABILITIES_MAX;
    for (unsigned i = 0; i < SM_CAPABILITIES_MAX; i++)
        memset(m.capability[i], 'a' + (int)i, SM_CAPABILITY_MAX);
    m.kind = SM_KIND_PLUGIN;
    memset(m.sensor.id, 'i', SM_SENSOR_ID_MAX);
    memset(m.sensor.model, 'm', SM_SENSOR_MODEL_MAX);
    memset(m.sensor.bus, 'b', SM_BUS_NAME_MAX);
    m.sensor.address = 247;
    m.sensor.values = SM_PLUGIN_VALUES;
    for (unsigned i = 0; i < SM_PLUGIN_VALUES; i++)
        memset(m.sensor.value[i].name, 'u' + (int)i, SM_SENSOR_NAME_MAX);
    for (unsigned i = 0; i < SM_PLUGIN_VALUES; i++)
        m.sensor.value[i].min = INT32_MIN, m.sensor.value[i].max = INT32_MAX;
    m.sensor.attributes = SM_PLUGIN_ATTRIBUTES;
    for (unsigned i = 0; i < SM_PLUGIN_ATTRIBUTES; i++) {
        memset(m.sensor.attribute[i].name, 'A' + (int)i, SM_SENSOR_NAME_MAX);
        m.sensor.attribute[i].writes = SM_WRITES_HOLDER;
        m.sensor.attribute[i].min = m.sensor.attribute[i].initial = INT64_MIN;
        m.sensor.attribute[i].max = INT64_MAX;
    }
    m.requirements = SM_REQUIRES_MAX;
    for (unsigned i = 0; i < SM_REQUIRES_MAX; i++) {
        memset(m.requires[i].name, 'r' + (int)i, SM_NAME_MAX);
        m.requires[i].least = m.requires[i].most = INT64_MAX;
    }
    int len = sm_manifest_encode(&m, out, sizeof out, &d);
    assert_in_range(len, 1, SM_MANIFEST_MAX);
    assert_int_equal(sm_manifest_decode(&again, out, (size_t)len, &d), 0);
    assert_memory_equal(&m, &again, sizeof m);
    print_message("the largest manifest has %d bytes\n", len);
}

static void names_are_safe_as_file_names(void **state)
{
    (void)state;
    assert_true(sm_name_valid("plant-7"));
    assert_true(sm_name_valid("7.a_b"));
    assert_false(sm_name_valid(""));
    assert_false(sm_name_valid(".."));
    assert_false(sm_name_valid(".hidden"));
    assert_false(sm_name_valid("-rf"));
    assert_false(sm_name_valid("a/b"));
    assert_false(sm_name_valid("Plant"));
    assert_true(sm_name_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    assert_false(sm_name_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void keys_classes_and_kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(sm_manifest_key_name(SM_KEY_FORMAT), "format");
    assert_string_equal(sm_manifest_key_name(SM_KEY_MEMORY), "memory_bytes");
    assert_string_equal(sm_manifest_key_name(SM_KEY_HEALTH_TIMEOUT), "health.timeout_ms");
    assert_null(sm_manifest_key_name(18));
    uint64_t min, max;
    assert_int_equal(sm_manifest_range(SM_KEY_PERIOD, &min, &max), 0);
    assert_int_equal(min, 10);
    assert_int_equal(max, 86400000);
    assert_int_equal(sm_manifest_range(SM_KEY_HEALTH, &min, &max), SM_ERR_NOT_FOUND);
    assert_int_equal(sm_class_find("gateway"), SM_CLASS_GATEWAY);
    assert_int_equal(sm_class_find("cloud"), SM_ERR_NOT_FOUND);
    assert_null(sm_class_name(SM_CLASSES));
    assert_int_equal(sm_class_limits(SM_CLASS_MCU)->memory_bytes, 131072);
    assert_int_equal(sm_class_limits(SM_CLASS_EDGE)->epoch_ms, 1000);
    assert_null(sm_class_limits(SM_CLASSES));
    assert_string_equal(sm_module_kind_name(SM_KIND_PLUGIN), "plugin");
    assert_null(sm_module_kind_name(SM_KINDS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes_decode_to_every_field),
        cmocka_unit_test(decoded_manifest_encodes_to_the_golden_bytes),
        cmocka_unit_test(absent_optional_keys_take_their_defaults),
        cmocka_unit_test(numbers_at_the_ends_of_their_ranges_are_good),
        cmocka_unit_test(a_format_from_the_future_is_named_by_its_number),
        cmocka_unit_test(format_zero_and_no_format_are_refused),
        cmocka_unit_test(each_required_key_is_missed_by_name),
        cmocka_unit_test(unknown_keys_are_refused_by_number),
        cmocka_unit_test(numbers_outside_their_ranges_are_refused),
        cmocka_unit_test(a_floor_above_the_sequence_is_refused),
        cmocka_unit_test(texts_keep_to_their_letters_and_lengths),
        cmocka_unit_test(a_text_of_another_fleet_leaves_nothing_of_a_longer_default),
        cmocka_unit_test(classes_are_named_ascending_once_each),
        cmocka_unit_test(capabilities_are_few_ascending_and_different),
        cmocka_unit_test(numbers_must_be_in_their_shortest_form),
        cmocka_unit_test(indefinite_lengths_and_reserved_heads_are_refused),
        cmocka_unit_test(values_of_another_type_are_refused),
        cmocka_unit_test(keys_out_of_order_or_twice_are_refused),
        cmocka_unit_test(counts_beyond_the_bytes_are_refused_before_they_are_used),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(trailing_bytes_are_refused),
        cmocka_unit_test(a_manifest_above_the_limit_is_refused_unread),
        cmocka_unit_test(every_flipped_bit_is_refused_or_read_as_what_it_says),
        cmocka_unit_test(the_encoder_refuses_what_the_decoder_would),
        cmocka_unit_test(a_plugin_names_its_sensor_its_bus_and_its_address),
        cmocka_unit_test(a_module_names_the_releases_of_others_that_it_needs),
        cmocka_unit_test(an_application_with_a_sensor_is_refused),
        cmocka_unit_test(a_sensor_keeps_to_its_rules),
        cmocka_unit_test(a_capability_may_have_a_range),
        cmocka_unit_test(a_sensor_has_attributes_with_a_range_and_a_rule),
        cmocka_unit_test(attributes_keep_to_their_rules),
        cmocka_unit_test(an_attribute_that_breaks_a_rule_is_not_written),
        cmocka_unit_test(requirements_keep_to_their_rules),
        cmocka_unit_test(the_largest_manifest_fits_the_limit),
        cmocka_unit_test(names_are_safe_as_file_names),
        cmocka_unit_test(keys_classes_and_kinds_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

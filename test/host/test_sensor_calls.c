/* The sensor calls: what each gives, what is refused, and how modules share sensors.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "desk.h"

static struct desk d;
static struct guest *one, *two;
static struct played *const a = &d.played[0], *const b = &d.played[1], *const c = &d.played[2];

#define GRANTS(...)                                                                                \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define EVERYTHING                                                                                 \
    "sensor/A/SampRate:rw", "sensor/A/filter:rw", "sensor/A/gain:rw", "sensor/A/humidity:r",       \
        "sensor/A/relay:rw", "sensor/A/serial:r", "sensor/A/temperature:r"

static bool clock_in_memory;

static int fresh(void **state)
{
    (void)state;
    desk_init(&d, clock_in_memory);
    one = desk_guest(&d, 0, GRANTS(EVERYTHING), 0);
    two = desk_guest(&d, 1, GRANTS(EVERYTHING), 0);
    return 0;
}

static void failed(struct guest *g, int32_t result, int32_t code)
{
    assert_int_equal(result, 0);
    assert_int_equal(desk_error(g), code);
}

/* ---- What each call gives -------------------------------------------------------------------- */

static void sensors_are_listed_in_the_order_of_the_registry_and_only_whole_names(void **state)
{
    (void)state;
    const uint32_t all[] = {AT_BUF, 6}, few[] = {AT_BUF, 5};
    memset(desk_memory(one) + AT_BUF, 'x', 8);
    assert_int_equal(desk_call(one, "getSensors", few), 6);
    assert_memory_equal(desk_memory(one) + AT_BUF, "A\0B\0xx", 6);
    assert_int_equal(desk_call(one, "getSensors", all), 6);
    assert_memory_equal(desk_memory(one) + AT_BUF, "A\0B\0C\0xx", 8);
}

static void a_value_is_read_in_raw_form(void **state)
{
    (void)state;
    assert_int_equal(desk_read(one, "A", "temperature", 4), 1);
    assert_int_equal(desk_i32(one, AT_BUF), 21500);
    assert_int_equal(desk_error(one), 0);
    assert_int_equal(desk_read(one, "A", "humidity", 100), 1);
    assert_int_equal(desk_i32(one, AT_BUF), 45000);
}

static void a_buffer_too_small_stays_as_it_was(void **state)
{
    (void)state;
    memset(desk_memory(one) + AT_BUF, 'x', 4);
    failed(one, desk_read(one, "A", "temperature", 3), SM_HOST_SPACE);
    assert_memory_equal(desk_memory(one) + AT_BUF, "xxxx", 4);
    assert_int_equal(a->began[DO_START], 0);
}

static void an_attribute_takes_four_bytes_or_eight(void **state)
{
    (void)state;
    failed(one, desk_read(one, "A", "serial", 7), SM_HOST_RANGE);
    assert_int_equal(desk_read(one, "A", "serial", 8), 1);
    assert_true(desk_i64(one, AT_BUF) == 0x123456789ll);
    assert_int_equal(desk_read(one, "A", "gain", 4), 1);
    assert_int_equal(desk_i32(one, AT_BUF), 8);
    assert_int_equal(desk_read(one, "A", "SampRate", 4), 1);
    assert_int_equal(desk_i32(one, AT_BUF), 1000000000);
}

static void names_of_capabilities_and_attributes_are_read(void **state)
{
    (void)state;
    assert_int_equal(desk_read(one, "A", "capabilities", 21), 1);
    assert_memory_equal(desk_memory(one) + AT_BUF, "temperature\0humidity", 21);
    failed(one, desk_read(one, "A", "capabilities", 20), SM_HOST_SPACE);
    assert_int_equal(desk_read(one, "A", "attributes", 100), 1);
    assert_memory_equal(desk_memory(one) + AT_BUF, "filter\0gain\0relay\0serial\0SampRate", 34);
    assert_int_equal(a->began[DO_START], 0);
}

static void state_of(struct guest *g, int32_t want)
{
    assert_int_equal(desk_read(g, "A", "state", 4), 1);
    assert_int_equal(desk_i32(g, AT_BUF), want);
}

static void a_sensor_is_stopped_alive_working_as_it_is_used(void **state)
{
    (void)state;
    a->waits[DO_START] = a->waits[DO_SAMPLE] = 1;
    state_of(two, SM_SENSOR_STOPPED);
    assert_int_equal(desk_on(one, "A"), PENDING);
    state_of(two, SM_SENSOR_STOPPED);
    assert_int_equal(desk_wait(one), 1);
    state_of(two, SM_SENSOR_ALIVE);
    assert_int_equal(desk_read(one, "A", "temperature", 4), PENDING);
    state_of(two, SM_SENSOR_WORKING);
    assert_int_equal(desk_wait(one), 1);
    state_of(two, SM_SENSOR_ALIVE);
    assert_int_equal(desk_off(one, "A"), 1);
    state_of(two, SM_SENSOR_STOPPED);
    failed(one, desk_config(one, "A", "state", 1), SM_HOST_DENIED);
}

static void a_chip_that_rests_by_itself_sleeps_after_a_measurement(void **state)
{
    struct sm_sensor_driver sleeper = *a->sensor.driver;

    (void)state;
    sleeper.sleeps = true;
    a->sensor.driver = &sleeper;
    desk_on(one, "A");
    state_of(two, SM_SENSOR_ALIVE);
    desk_read(one, "A", "temperature", 4);
    state_of(two, SM_SENSOR_SLEEPING);
}

static void a_handle_gets_sets_and_tells(void **state)
{
    (void)state;
    int32_t t = desk_open(one, "A", "temperature"), gain = desk_open(one, "A", "gain");
    assert_true(t > 0 && gain > 0 && t != gain);
    assert_int_equal(desk_get(one, t, 4), 4);
    assert_int_equal(desk_i32(one, AT_BUF), 21500);
    assert_int_equal(desk_get(one, t, 3), SM_HOST_SPACE);
    assert_int_equal(desk_set(one, gain, 2), 0);
    assert_int_equal(a->chip[1], 2);
    assert_int_equal(desk_get(one, gain, 8), 8);
    assert_true(desk_i64(one, AT_BUF) == 2);
    assert_int_equal(desk_get(one, gain, 4), 4);
    assert_int_equal(desk_set(one, t, 1), SM_HOST_DENIED);
}

static void all_capabilities_come_in_one_measurement(void **state)
{
    (void)state;
    struct guest *g = desk_guest(&d, 2, GRANTS("sensor/A/humidity:r", "sensor/B/SampRate:rw"), 0);
    int32_t all = desk_open(one, "A", "*"), some = desk_open(g, "A", "*");
    assert_int_equal(desk_get(one, all, 8), 8);
    assert_int_equal(desk_i32(one, AT_BUF), 21500);
    assert_int_equal(desk_i32(one, AT_BUF + 4), 45000);
    assert_int_equal(a->did[DO_SAMPLE], 1);
    assert_int_equal(desk_get(one, all, 7), SM_HOST_SPACE);
    assert_int_equal(desk_get(g, some, 8), 4);
    assert_int_equal(desk_i32(g, AT_BUF), 45000);
    assert_int_equal(desk_open(g, "B", "*"), SM_HOST_DENIED);
    assert_int_equal(desk_sample(one, all), SM_HOST_INVALID);
    assert_int_equal(desk_info(one, all), SM_HOST_INVALID);
}

static void a_sample_is_typed_and_has_its_time(void **state)
{
    (void)state;
    int32_t t = desk_open(one, "A", "temperature");
    d.now_ms = 4000;
    assert_int_equal(desk_sample(one, t), 0);
    d.now_ms = 4500;
    assert_int_equal(desk_sample(one, t), 0);
    assert_true(desk_i64(one, AT_BUF) == 21500);
    assert_true(desk_i64(one, AT_BUF + 8) == 3000);
    assert_memory_equal(desk_memory(one) + AT_BUF + 16, "\x01\xfd\0\0\0\0\0\0", 8);
}

static void a_handle_tells_range_rights_and_kind(void **state)
{
    (void)state;
    assert_int_equal(desk_info(one, desk_open(one, "A", "temperature")), 0);
    assert_true(desk_i64(one, AT_BUF) == -40000 && desk_i64(one, AT_BUF + 8) == 85000);
    assert_memory_equal(desk_memory(one) + AT_BUF + 16, "\x01\xfd\x01\0\0\0\0\0", 8);
    assert_int_equal(desk_info(one, desk_open(one, "A", "SamplingRate")), 0);
    assert_true(desk_i64(one, AT_BUF) == 0 && desk_i64(one, AT_BUF + 8) == 3600000000000ll);
    assert_memory_equal(desk_memory(one) + AT_BUF + 16, "\x0b\xf7\x03\x01\0\0\0\0", 8);
    assert_int_equal(a->began[DO_START], 0);
}

static void a_pointer_that_leaves_the_memory_traps(void **state)
{
    const struct {
        const char *call;
        uint32_t args[4];
    } cases[] = {
        {"getSensors", {MEMORY - 1, 2}},
        {"getSensors", {0xffffffff, 0xffffffff}},
        {"turnOn", {MEMORY}},
        {"turnOn", {MEMORY - 1}}, /* the byte there is not zero */
        {"turnOff", {0xffffffff}},
        {"config", {AT_SENSOR, MEMORY, 0}},
        {"read", {AT_SENSOR, AT_NAME, MEMORY - 3, 4}},
        {"read", {AT_SENSOR, MEMORY - 1, AT_BUF, 4}},
        {"open", {MEMORY, AT_NAME}},
        {"get", {0, MEMORY, 1}},
        {"sample", {0, MEMORY - 23}},
        {"info", {0, MEMORY - 23}},
    };

    (void)state;
    desk_memory(one)[MEMORY - 1] = 'x';
    memcpy(desk_memory(one) + AT_SENSOR, "A", 2);
    memcpy(desk_memory(one) + AT_NAME, "temperature", 12);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (desk_call(one, cases[i].call, cases[i].args) != TRAPPED)
            fail_msg("case %u did not trap", i);
        assert_int_equal(one->exec.host_error, SM_ERR_ARG);
    }
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void what_is_not_granted_is_refused_counted_and_logged_once(void **state)
{
    (void)state;
    struct guest *g = desk_guest(&d, 2, GRANTS("sensor/A/humidity:r", "sensor/A/gain:r"), 0);
    for (unsigned i = 0; i < 3; i++) {
        failed(g, desk_read(g, "A", "temperature", 4), SM_HOST_DENIED);
        failed(g, desk_read(g, "B", "humidity", 4), SM_HOST_DENIED);
        failed(g, desk_on(g, "B"), SM_HOST_DENIED);
        failed(g, desk_config(g, "A", "gain", 3), SM_HOST_DENIED);
    }
    assert_int_equal(sm_host_refused(&g->host), 12);
    assert_int_equal(d.lines, 4);
    assert_string_equal(d.line[0], "refused sensor/A/temperature:r: not granted");
    assert_string_equal(d.line[1], "refused sensor/B/humidity:r: not granted");
    assert_string_equal(d.line[2], "refused sensor/B: not granted");
    assert_string_equal(d.line[3], "refused sensor/A/gain:w: not granted");
    assert_int_equal(a->began[DO_START] + b->began[DO_START], 0);
    assert_int_equal(sm_host_refused(&one->host), 0);
}

static void a_module_that_refuses_to_learn_cannot_fill_the_log(void **state)
{
    char name[8];

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "\n%u", i);
        failed(one, desk_read(one, "A", name, 4), SM_HOST_DENIED);
    }
    assert_int_equal(d.lines, SM_HOST_CAUSES);
    assert_string_equal(d.line[0], "refused sensor/A/?0:r: not granted");
    assert_int_equal(sm_host_refused(&one->host), 100);
}

static void what_the_log_does_not_have_is_told_at_the_end(void **state)
{
    (void)state;
    sm_host_tell_left_out(&one->host); /* nothing was left out */
    failed(one, desk_read(one, "C", "humidity", 4), SM_HOST_DENIED);
    sm_host_tell_left_out(&one->host); /* it has its line */
    assert_int_equal(d.lines, 1);
    for (unsigned i = 0; i < 11; i++)
        failed(one, desk_read(one, "C", "humidity", 4), SM_HOST_DENIED);
    for (unsigned i = 0; i < SM_HOST_LOG_BURST + 7; i++)
        sm_host_log(&one->host, "x", 1);
    unsigned before = d.lines;
    sm_host_tell_left_out(&one->host);
    assert_int_equal(d.lines, before + 2);
    assert_string_equal(d.line[before], "(7 lines dropped)");
    assert_string_equal(d.line[before + 1], "(12 calls refused in all)");
    sm_host_tell_left_out(&one->host);
    assert_int_equal(d.lines, before + 2);
    struct sm_host zeroed = {0};
    sm_host_tell_left_out(&zeroed);
}

static void names_cannot_be_put_together_to_another_grant(void **state)
{
    static const char *const names[][2] = {
        {"A/temperature:r", ""},
        {"A", "temperature:r"},
        {"A/temperature", ""},
        {"", "A/temperature"},
        {"A", "temperatur"},
        {"A", "temperature "},
        {"a", "temperature"},
        {"A", ""},
        {"A", "*"},
        {"*", "temperature"},
        {"A", "0123456789012345678901234567890123"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        failed(one, desk_read(one, names[i][0], names[i][1], 4), SM_HOST_DENIED);
    assert_int_equal(a->began[DO_START], 0);
}

static void capabilities_that_are_no_grants_grant_nothing(void **state)
{
    static const char *const odd[] = {"sensor/*",
                                      "sensor/A/temperature",
                                      "sensor/A/temperature:",
                                      "sensor//x:r",
                                      "sensor/A/temperature:rx",
                                      "sensor/A/temperature:wr",
                                      "sensor/A/b/c:r",
                                      "sensor/A:r",
                                      "sensor/A/temperature:r:r"};

    (void)state;
    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct guest *g = desk_guest(&d, 2, GRANTS(odd[i]), 0);
        failed(g, desk_read(g, "A", "temperature", 4), SM_HOST_DENIED);
        failed(g, desk_on(g, "A"), SM_HOST_DENIED);
        assert_true(desk_open(g, "A", "*") == SM_HOST_DENIED);
        desk_end(g);
    }
}

static void what_is_granted_and_not_there_is_not_found(void **state)
{
    (void)state;
    struct guest *g = desk_guest(&d, 2, GRANTS("sensor/A/pressure:r", "sensor/Z/temperature:r"), 0);
    failed(g, desk_read(g, "A", "pressure", 4), SM_HOST_NOT_FOUND);
    failed(g, desk_read(g, "Z", "temperature", 4), SM_HOST_NOT_FOUND);
    failed(g, desk_on(g, "Z"), SM_HOST_NOT_FOUND);
    assert_int_equal(desk_open(g, "Z", "temperature"), SM_HOST_NOT_FOUND);
    failed(g, desk_read(g, "Z", "humidity", 4), SM_HOST_DENIED);
    assert_int_equal(d.lines, 1);
}

static void an_attribute_that_a_chip_does_not_have_costs_only_its_request(void **state)
{
    (void)state;
    assert_int_equal(desk_read(one, "A", "temperature", 4), 1);
    unsigned starts = a->began[DO_START];
    a->error[DO_SET] = SM_ERR_UNSUPPORTED;
    failed(one, desk_config(one, "A", "gain", 3), SM_HOST_NOT_FOUND);
    desk_run(&d, 10);
    assert_int_equal(desk_read(one, "A", "temperature", 4), 1);
    assert_int_equal(a->began[DO_START], starts);
    assert_int_equal(d.told, 0);
}

static void a_value_outside_its_range_is_refused_by_name(void **state)
{
    (void)state;
    int32_t rate = desk_open(one, "A", "SampRate");
    failed(one, desk_config(one, "A", "gain", 0), SM_HOST_RANGE);
    failed(one, desk_config(one, "A", "gain", 9), SM_HOST_RANGE);
    failed(one, desk_config(one, "A", "filter", -1), SM_HOST_RANGE);
    failed(one, desk_config(one, "A", "SampRate", -1), SM_HOST_RANGE);
    assert_int_equal(desk_set(one, rate, 3600000000001ll), SM_HOST_RANGE);
    assert_int_equal(desk_set(one, rate, 3600000000000ll), 0);
    assert_int_equal(d.lines, 3);
    assert_string_equal(d.line[0], "refused sensor/A/gain:w: outside its range");
    assert_string_equal(d.line[2], "refused sensor/A/SampRate:w: outside its range");
    assert_int_equal(a->began[DO_SET], 0);
    assert_int_equal(sm_host_refused(&one->host), 5);
}

static void only_attributes_that_can_be_written_are(void **state)
{
    (void)state;
    struct guest *g = desk_guest(&d, 2, GRANTS("sensor/A/serial:rw", "sensor/A/temperature:rw"), 0);
    failed(g, desk_config(g, "A", "serial", 1), SM_HOST_INVALID);
    failed(g, desk_config(g, "A", "temperature", 1), SM_HOST_INVALID);
    assert_int_equal(a->began[DO_START], 0);
}

/* Every number that differs from a handle in one bit, and all that are near nothing. */
static void a_forged_handle_reaches_nothing(void **state)
{
    (void)state;
    struct guest *g = desk_guest(&d, 2, GRANTS("sensor/A/temperature:r", "sensor/B/gain:rw"), 0);
    int32_t t = desk_open(g, "A", "temperature"), gain = desk_open(g, "B", "gain");
    for (uint32_t i = 0; i < 4 * 65536 + 2 * 32; i++) {
        uint32_t h = i < 65536       ? i
                     : i < 131072    ? ~(i - 65536)
                     : i < 196608    ? (i - 131072) << 16 | 0x2a
                     : i < 4 * 65536 ? (i - 196608) << 10 | (uint32_t)t % 1024
                     : i % 2         ? (uint32_t)t ^ 1u << (i / 2 % 32)
                                     : (uint32_t)gain ^ 1u << (i / 2 % 32);
        bool universal =
            (h & ~31u) == ((uint32_t)t & ~31u) || (h & ~31u) == ((uint32_t)gain & ~31u);
        if (h == (uint32_t)t || h == (uint32_t)gain || (universal && h % 32 == SM_CHANNEL_STATE) ||
            ((h & ~31u) == ((uint32_t)t & ~31u) && h % 32 == SM_CHANNEL_ALL))
            continue;
        if (desk_get(g, (int32_t)h, 4) != SM_HOST_INVALID ||
            desk_sample(g, (int32_t)h) != SM_HOST_INVALID)
            fail_msg("0x%x reads", h);
        if (desk_set(g, (int32_t)h, 1) >= 0)
            fail_msg("0x%x writes", h);
    }
    for (uint32_t list = SM_CHANNEL_CAPABILITIES; list <= SM_CHANNEL_ATTRIBUTES; list++) {
        int32_t h = (t & ~31) | (int32_t)list;
        assert_int_equal(desk_get(g, h, 4), SM_HOST_INVALID);
        assert_int_equal(desk_sample(g, h), SM_HOST_INVALID);
        assert_int_equal(desk_set(g, h, 1), SM_HOST_INVALID);
        assert_int_equal(desk_info(g, h), SM_HOST_INVALID);
    }
    assert_int_equal(a->began[DO_START] + b->began[DO_START] + c->began[DO_START], 0);
    assert_int_equal(desk_get(two, t, 4),
                     4); /* the number means something else in another module */
}

/* The way of get() that is short looks at the same things. */
static void a_handle_that_was_read_before_is_looked_at_again(void **state)
{
    (void)state;
    int32_t t = desk_open(one, "A", "temperature");
    assert_int_equal(desk_get(one, 0, 4), SM_HOST_INVALID);
    assert_int_equal(desk_get(one, t, 4), 4);
    assert_int_equal(desk_get(one, t, 3), SM_HOST_SPACE);
    assert_int_equal(desk_call(one, "get", (uint32_t[]){(uint32_t)t, MEMORY - 3, 4}), TRAPPED);
    assert_int_equal(desk_call(one, "get", (uint32_t[]){(uint32_t)t, AT_BUF, 0xffffffff}), TRAPPED);
    assert_int_equal(desk_call(one, "get", (uint32_t[]){(uint32_t)t, 0xffffffff, 4}), TRAPPED);
    a->temperature = 1;
    d.now_ms += 874;
    assert_int_equal(desk_get(one, t, 4), 4);
    assert_int_equal(desk_i32(one, AT_BUF), 21500);
    d.now_ms++;
    assert_int_equal(desk_get(one, t, 4), 4);
    assert_int_equal(desk_i32(one, AT_BUF), 1);
    assert_int_equal(desk_off(one, "A"), 1);
    a->temperature = 2; /* off: its values are gone */
    assert_int_equal(desk_get(one, t, 4), 4);
    assert_int_equal(desk_i32(one, AT_BUF), 2);
}

/* ---- What is kept ---------------------------------------------------------------------------- */

static const struct sm_kept *kept_of(const struct guest *g, int32_t handle)
{
    const struct sm_kept *k = &g->host.sensors.kept[SM_KEPT_PLACE((uint32_t)handle)];

    return k->key == (uint32_t)handle && d.now_ms < k->until ? k : NULL;
}

/* Whether the next get() by that handle, read twice before, is answered by the engine: it gives
 * what is put where the answer is kept. */
static bool is_kept(struct guest *g, int32_t handle)
{
    struct sm_kept *k = (struct sm_kept *)(uintptr_t)kept_of(g, handle);
    int32_t other;

    if (k == NULL)
        return false;
    other = ++k->value;
    bool given = desk_get(g, handle, 4) == 4 && desk_i32(g, AT_BUF) == other;
    k->value = other - 1;
    return given;
}

/* A handle of `one` to the temperature of A, which was 21500 then and is 1 since; kept, where there
 * is a clock in memory. */
static int32_t kept_temperature(void)
{
    int32_t t = desk_open(one, "A", "temperature");

    assert_int_equal(desk_get(one, t, 4), 4);
    assert_int_equal(desk_get(one, t, 4), 4);
    assert_int_equal(is_kept(one, t), clock_in_memory);
    a->temperature = 1;
    assert_int_equal(desk_get(one, t, 4), 4);
    assert_int_equal(desk_i32(one, AT_BUF), 21500);
    return t;
}

static void gives(struct guest *g, int32_t handle, int32_t value)
{
    assert_int_equal(desk_get(g, handle, 4), 4);
    assert_int_equal(desk_i32(g, AT_BUF), value);
}

static void an_answer_is_kept_until_its_time(void **state)
{
    (void)state;
    int32_t t = kept_temperature();
    d.now_ms += 874;
    assert_int_equal(is_kept(one, t), clock_in_memory);
    gives(one, t, 21500);
    d.now_ms++;
    assert_false(is_kept(one, t));
    gives(one, t, 1);
    gives(one, t, 1);
    a->temperature = 2;
    d.now_ms += 1ull << 32; /* the low half of the clock alone says nothing */
    gives(one, t, 2);
}

static void an_answer_is_kept_for_its_handle_alone(void **state)
{
    (void)state;
    int32_t t = kept_temperature(), h = desk_open(one, "A", "humidity");
    int32_t all = desk_open(one, "A", "*"), rate = desk_open(one, "A", "SampRate");
    for (unsigned bit = 0; bit < 32; bit++) {
        int32_t other = t ^ (int32_t)(1u << bit);
        if (other != h && other != all && other != rate && (other & 31) < SM_CHANNEL_ATTRIBUTE)
            assert_int_equal(desk_get(one, other, 4), SM_HOST_INVALID);
    }
    gives(one, h, 45000);
    gives(one, t, 21500);
    gives(one, h, 45000);
    assert_int_equal(is_kept(one, t), clock_in_memory);
    assert_int_equal(is_kept(one, h), clock_in_memory);
    assert_int_equal(desk_get(one, all, 4), SM_HOST_SPACE);
    assert_null(kept_of(two, t)); /* where that number was never read */
    gives(one, t, 21500);
}

static void an_answer_goes_nowhere_but_into_the_memory(void **state)
{
    (void)state;
    int32_t t = kept_temperature();
    const uint32_t outside[] = {MEMORY - 3, MEMORY, 0x80000000, 0xfffffffc, 0xffffffff};
    for (unsigned i = 0; i < sizeof outside / sizeof *outside; i++) {
        assert_int_equal(desk_call(one, "get 4", (uint32_t[]){(uint32_t)t, outside[i]}), TRAPPED);
        assert_int_equal(is_kept(one, t), clock_in_memory);
    }
    assert_int_equal(desk_call(one, "get 4", (uint32_t[]){(uint32_t)t, MEMORY - 4}), 4);
    assert_int_equal(desk_i32(one, MEMORY - 4), 21500);
    assert_int_equal(desk_get(one, t, 3), SM_HOST_SPACE);
    assert_int_equal(desk_get(one, t, 5), 4);
}

static void what_is_turned_off_keeps_no_answer(void **state)
{
    (void)state;
    int32_t t = kept_temperature();
    assert_int_equal(desk_off(two, "A"), 1); /* another's is another's */
    gives(one, t, 21500);
    assert_int_equal(desk_off(one, "A"), 1);
    assert_false(is_kept(one, t));
    gives(one, t, 1);
}

static void a_new_interval_counts_for_what_is_kept(void **state)
{
    (void)state;
    int32_t t = kept_temperature();
    assert_int_equal(desk_config(one, "A", "SampRate", 2000000000), 1);
    d.now_ms += 1000;
    gives(one, t, 21500);
    gives(one, t, 21500);
    assert_int_equal(is_kept(one, t), clock_in_memory);
    assert_int_equal(desk_config(one, "A", "SampRate", 100000000), 1);
    assert_false(is_kept(one, t));
    gives(one, t, 1);
    gives(one, t, 1);
    assert_int_equal(is_kept(one, t), clock_in_memory);
    a->temperature = 2;
    assert_int_equal(desk_config(one, "A", "SampRate", 0), 1);
    gives(one, t, 2);
    a->temperature = 3;
    gives(one, t, 3);
}

static void a_refused_interval_leaves_no_answer_behind(void **state)
{
    (void)state;
    int32_t t = kept_temperature();
    a->error[DO_SET] = SM_ERR_IO; /* the filter cannot be set: all is as it was before */
    failed(one, desk_config(one, "A", "filter", 4), SM_HOST_IO);
    a->error[DO_SET] = 0;
    d.now_ms += 200;
    const struct sm_kept *k = kept_of(one, t);
    const struct sm_sensor_view *v = &one->views[0];
    assert_true(k == NULL || (k->until == v->until_ms && k->value == v->value[0]));
}

static void a_newer_value_is_what_is_kept(void **state)
{
    (void)state;
    int32_t t = kept_temperature(), h = desk_open(one, "A", "humidity");
    d.now_ms += 875;
    a->humidity = 2;
    gives(one, h, 2); /* one measurement for both */
    gives(one, t, 1);
    gives(one, t, 1);
    assert_int_equal(is_kept(one, t), clock_in_memory);
    a->temperature = 3;
    d.now_ms += 1000;
    assert_int_equal(desk_read(one, "A", "temperature", 4), 1);
    gives(one, t, 3);
}

static void a_sensor_that_goes_takes_its_answers_along(void **state)
{
    (void)state;
    int32_t t = kept_temperature();
    sm_sensors_remove(&d.sensors, &a->sensor); /* as when a plugin is removed */
    assert_int_equal(desk_get(one, t, 4), SM_HOST_INVALID);
    assert_int_equal(sm_sensors_add(&d.sensors, &a->sensor), 0);
    assert_int_equal(desk_get(one, t, 4), SM_HOST_INVALID);
    a->temperature = 21500;
    int32_t again = kept_temperature();
    assert_true(again != t);
    assert_int_equal(desk_get(one, t, 4), SM_HOST_INVALID);
    gives(one, again, 21500);
}

/* A grant that is taken away comes with another instance. */
static void an_instance_that_ends_leaves_no_answer(void **state)
{
    (void)state;
    int32_t t = kept_temperature();
    desk_end(one);
    assert_null(kept_of(one, t));
    one = desk_guest(&d, 0, GRANTS("sensor/A/humidity:r"), 0);
    assert_int_equal(desk_get(one, t, 4), SM_HOST_INVALID);
    int32_t h = desk_open(one, "A", "humidity");
    gives(one, h, 45000);
    gives(one, h, 45000);
    assert_int_equal(desk_get(one, t, 4), SM_HOST_INVALID);
}

/* What the view has is good until its time, whatever became of the sensor. */
static void a_sensor_that_fails_changes_nothing_until_then(void **state)
{
    (void)state;
    int32_t t = kept_temperature();
    a->error[DO_SAMPLE] = SM_ERR_IO;
    assert_int_equal(desk_config(two, "A", "SampRate", 0), 1);
    failed(two, desk_read(two, "A", "temperature", 4), SM_HOST_IO);
    gives(one, t, 21500);
    d.now_ms += 875;
    assert_int_equal(desk_get(one, t, 4), SM_HOST_IO);
    assert_int_equal(desk_get(one, t, 4), SM_HOST_IO);
}

/* ---- Sharing --------------------------------------------------------------------------------- */

static void a_sensor_stops_when_the_last_turns_it_off(void **state)
{
    (void)state;
    assert_int_equal(desk_on(one, "A"), 1);
    assert_int_equal(desk_on(two, "A"), 1);
    assert_int_equal(a->did[DO_START], 1);
    assert_int_equal(desk_off(one, "A"), 1);
    assert_int_equal(a->stops, 0);
    assert_int_equal(desk_read(two, "A", "temperature", 4), 1);
    assert_int_equal(desk_off(two, "A"), 1);
    assert_int_equal(a->stops, 1);
    assert_int_equal(desk_off(two, "A"), 1);
    assert_int_equal(a->stops, 1);
}

static void the_fastest_wins_and_each_has_its_own_view(void **state)
{
    unsigned changes[2] = {0}, samples;
    int32_t last[2] = {-1, -1};

    (void)state;
    assert_int_equal(desk_config(one, "A", "SampRate", 100000000), 1);
    assert_int_equal(desk_config(two, "A", "SamplingRate", 500000000), 1);
    samples = a->did[DO_SAMPLE];
    for (unsigned ms = 0; ms < 2000; ms += 10) {
        d.now_ms += 10;
        a->temperature = (int32_t)ms;
        for (unsigned i = 0; i < 2; i++) {
            struct guest *g = i == 0 ? one : two;
            assert_int_equal(desk_read(g, "A", "temperature", 4), 1);
            changes[i] += desk_i32(g, AT_BUF) != last[i];
            last[i] = desk_i32(g, AT_BUF);
        }
    }
    assert_int_equal(a->did[DO_SAMPLE] - samples, 21); /* the one at 2 s comes a little early */
    assert_int_equal(changes[0], 21);
    assert_int_equal(changes[1], 5);
    assert_int_equal(desk_read(two, "A", "SampRate", 8), 1);
    assert_true(desk_i64(two, AT_BUF) == 500000000);
}

/* Each read of a module that runs as often as it wishes values gets a new one, whatever its ticks
 * are early or late; and who reads all the time gets no more than it wished. */
static void a_reader_that_comes_a_little_early_is_not_given_the_value_before(void **state)
{
    static const int jitter[] = {30, 0, 60, -60, 1, -1, 100, 20, 0, -20};
    uint64_t began = d.now_ms;

    (void)state;
    for (unsigned i = 1; i <= 40; i++) {
        d.now_ms = began + 1000 * i + (uint64_t)(int64_t)jitter[i % 10];
        a->temperature = (int32_t)i;
        assert_int_equal(desk_read(one, "A", "temperature", 4), 1);
        assert_int_equal(desk_i32(one, AT_BUF), i);
    }
    assert_int_equal(a->did[DO_SAMPLE], 40);
    for (unsigned i = 0; i < 6000; i++, d.now_ms += 7) /* 42 s */
        assert_int_equal(desk_read(one, "A", "temperature", 4), 1);
    assert_in_range(a->did[DO_SAMPLE], 40 + 41, 40 + 42);
}

static void nobody_is_slowed_down_by_another(void **state)
{
    (void)state;
    assert_int_equal(desk_set(one, desk_open(one, "A", "SampRate"), 60000000000ll), 0);
    assert_int_equal(desk_read(two, "A", "temperature", 4), 1); /* a second, as it says nothing */
    for (unsigned i = 0; i < 10; i++) {
        a->temperature = (int32_t)i;
        d.now_ms += 1000;
        assert_int_equal(desk_read(two, "A", "temperature", 4), 1);
        assert_int_equal(desk_i32(two, AT_BUF), i);
    }
}

static void a_rate_of_nothing_measures_at_each_read(void **state)
{
    (void)state;
    assert_int_equal(desk_config(one, "A", "SampRate", 0), 1);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(desk_read(one, "A", "temperature", 4), 1);
    assert_int_equal(a->did[DO_SAMPLE], 5);
    assert_int_equal(desk_read(two, "A", "temperature", 4), 1);
    assert_int_equal(desk_read(two, "A", "temperature", 4), 1);
    assert_int_equal(a->did[DO_SAMPLE], 6);
}

static void a_chip_is_not_measured_faster_than_it_can(void **state)
{
    struct sm_sensor_driver slow = *a->sensor.driver;

    (void)state;
    slow.interval_ms = 250;
    a->sensor.driver = &slow;
    assert_int_equal(desk_config(one, "A", "SampRate", 0), 1);
    for (unsigned i = 0; i < 10; i++, d.now_ms += 100)
        assert_int_equal(desk_read(one, "A", "temperature", 4), 1);
    assert_int_equal(a->did[DO_SAMPLE], 4);
}

static void the_highest_and_the_lowest_wish_win_as_the_rule_says(void **state)
{
    (void)state;
    assert_int_equal(desk_config(one, "A", "filter", 4), 1);
    assert_int_equal(desk_config(two, "A", "filter", 2), 1);
    assert_int_equal(a->chip[0], 4);
    assert_int_equal(desk_config(one, "A", "gain", 4), 1);
    assert_int_equal(desk_config(two, "A", "gain", 2), 1);
    assert_int_equal(a->chip[1], 2);
    assert_int_equal(desk_off(one, "A"), 1);
    desk_run(&d, 0);
    assert_int_equal(a->chip[0], 2);
    desk_end(two);
    assert_int_equal(a->stops, 1);
    assert_int_equal(desk_on(one, "A"), 1);
    assert_int_equal(a->chip[0], 0);
    assert_int_equal(a->chip[1], 8);
}

static void a_chip_that_keeps_its_attributes_gets_them_and_gets_them_back(void **state)
{
    struct sm_sensor_driver keeping = *a->sensor.driver;

    (void)state;
    keeping.keeps = true;
    a->sensor.driver = &keeping;
    a->chip[0] = 7; /* whoever has left that there */
    a->chip[1] = 3;
    assert_int_equal(desk_on(one, "A"), 1);
    assert_int_equal(a->chip[0], 0);
    assert_int_equal(a->chip[1], 8);
    assert_int_equal(desk_config(one, "A", "gain", 2), 1);
    assert_int_equal(a->chip[1], 2);
    assert_int_equal(desk_off(one, "A"), 1);
    assert_true(a->running); /* nothing is set within the call of who goes */
    assert_int_equal(a->chip[1], 2);
    desk_run(&d, 1);
    assert_int_equal(a->chip[1], 8);
    assert_false(a->running);
    assert_int_equal(a->stops, 1);
}

static void who_writes_first_holds_it_until_it_lets_go(void **state)
{
    (void)state;
    assert_int_equal(desk_config(one, "A", "relay", 1), 1);
    failed(two, desk_config(two, "A", "relay", 0), SM_HOST_BUSY);
    assert_int_equal(a->chip[2], 1);
    assert_int_equal(desk_config(one, "A", "relay", 0), 1);
    assert_int_equal(desk_on(two, "A"), 1);
    assert_int_equal(desk_config(one, "A", "relay", 1), 1);
    desk_end(one); /* it dies: the relay falls back by itself */
    desk_run(&d, 0);
    assert_int_equal(a->chip[2], 0);
    assert_int_equal(desk_config(two, "A", "relay", 1), 1);
    assert_int_equal(a->chip[2], 1);
}

static void a_module_that_dies_releases_all(void **state)
{
    (void)state;
    a->waits[DO_SAMPLE] = 3;
    assert_int_equal(desk_config(one, "A", "SampRate", 10000000), 1);
    assert_int_equal(desk_read(one, "A", "temperature", 4), PENDING);
    assert_int_equal(desk_read(two, "A", "temperature", 4), PENDING);
    desk_end(one);
    assert_int_equal(desk_wait(two), 1);
    assert_int_equal(a->did[DO_SAMPLE], 1);
    assert_int_equal(a->sensor.run.interval_ms, 875); /* seven eighths of a second */
    desk_end(two);
    assert_int_equal(a->stops, 1);
    assert_null(d.sensors.clients);
    assert_null(d.sensors.waiting);
}

static void requests_are_served_in_their_order_and_one_at_a_time_on_a_line(void **state)
{
    (void)state;
    struct guest *g = desk_guest(&d, 2, GRANTS("sensor/B/temperature:r", "sensor/C/humidity:r"), 0);
    a->waits[DO_SAMPLE] = b->waits[DO_SAMPLE] = c->waits[DO_SAMPLE] = 2;
    a->waits[DO_START] = 1;
    assert_int_equal(desk_config(one, "A", "SampRate", 0), PENDING);
    assert_int_equal(desk_read(g, "B", "temperature", 4), PENDING);
    assert_int_equal(desk_config(two, "A", "SampRate", 0), PENDING);
    assert_int_equal(desk_wait(one), 1);
    assert_int_equal(desk_read(one, "A", "temperature", 4), PENDING); /* behind both */
    assert_int_equal(desk_wait(one), 1);
    assert_string_equal(d.order, "ABBA");
    assert_int_equal(desk_wait(g), 1);
    assert_int_equal(desk_wait(two), 1);
    assert_int_equal(desk_read(one, "A", "temperature", 4), PENDING);
    assert_int_equal(desk_read(g, "C", "humidity", 4), PENDING); /* on no line: beside it */
    assert_string_equal(d.order, "ABBAACC");
    assert_int_equal(desk_wait(one), 1);
}

static void nobody_overtakes_when_the_first_in_line_dies(void **state)
{
    (void)state;
    struct guest *g = desk_guest(&d, 2, GRANTS("sensor/A/temperature:r"), 0);
    a->waits[DO_SAMPLE] = 3;
    assert_int_equal(desk_read(one, "A", "temperature", 4), PENDING);
    assert_int_equal(desk_read(two, "A", "temperature", 4), PENDING);
    desk_end(one);
    a->waits[DO_SAMPLE] = 0;
    assert_int_equal(desk_read(g, "A", "temperature", 4), PENDING);
    assert_int_equal(desk_wait(two), 1);
    assert_int_equal(desk_wait(g), 1);
}

static void a_read_at_each_call_waits_for_a_bus_that_is_busy(void **state)
{
    (void)state;
    struct guest *g = desk_guest(&d, 2, GRANTS("sensor/B/temperature:r"), 0);
    assert_int_equal(desk_config(one, "A", "SampRate", 0), 1);
    assert_int_equal(desk_read(one, "A", "temperature", 4), 1);
    b->waits[DO_SAMPLE] = 2;
    assert_int_equal(desk_read(g, "B", "temperature", 4), PENDING);
    assert_int_equal(desk_read(one, "A", "temperature", 4), PENDING);
    assert_int_equal(desk_wait(one), 1);
    assert_int_equal(desk_wait(g), 1);
}

static void a_read_at_each_call_is_made_with_what_is_wished_then(void **state)
{
    (void)state;
    assert_int_equal(desk_config(one, "A", "SampRate", 0), 1);
    assert_int_equal(desk_config(two, "A", "gain", 2), 1);
    assert_int_equal(desk_read(one, "A", "temperature", 4), 1);
    assert_int_equal(a->chip[1], 2);
    desk_end(two);
    assert_int_equal(desk_read(one, "A", "temperature", 4), 1);
    assert_int_equal(a->chip[1], 8);
}

static void a_slow_sensor_suspends_one_module_and_others_go_on(void **state)
{
    (void)state;
    struct guest *g = desk_guest(&d, 2, GRANTS("sensor/C/humidity:r"), 0);
    a->waits[DO_SAMPLE] = 50;
    assert_int_equal(desk_on(one, "A"), 1);
    assert_int_equal(desk_read(one, "A", "temperature", 4), PENDING);
    assert_int_equal(desk_read(g, "C", "humidity", 4), 1);
    assert_int_equal(sm_sensors_due(&d.sensors), 10);
    desk_run(&d, 490);
    assert_true(sm_host_wake_ms(&one->host) == UINT64_MAX);
    desk_run(&d, 10);
    assert_true(sm_host_wake_ms(&one->host) == 0);
    assert_int_equal(desk_wait(one), 1);
    assert_int_equal(sm_sensors_due(&d.sensors), UINT32_MAX);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static void a_request_that_hangs_is_ended(void **state)
{
    (void)state;
    a->waits[DO_SAMPLE] = NEVER;
    assert_int_equal(desk_on(one, "A"), 1);
    assert_int_equal(desk_read(one, "A", "temperature", 4), PENDING);
    uint64_t began = d.now_ms;
    failed(one, desk_wait(one), SM_HOST_IO);
    assert_int_equal(d.now_ms - began, SM_SENSOR_LIMIT_MS);
    assert_int_equal(a->stops, 1);
    assert_int_equal(d.told, SM_ERR_IO);
}

static void a_sensor_that_fails_is_started_anew_after_a_pause_that_grows(void **state)
{
    uint32_t pause = SM_SENSOR_PAUSE_FIRST_MS;

    (void)state;
    a->error[DO_SAMPLE] = SM_ERR_CORRUPT;
    assert_int_equal(desk_config(one, "A", "filter", 3), 1);
    for (unsigned i = 0; i < 12; i++) {
        failed(one, desk_read(one, "A", "temperature", 4), SM_HOST_IO);
        assert_int_equal(a->did[DO_START], i + 1);
        d.now_ms += pause - 1;
        failed(one, desk_read(one, "A", "temperature", 4), SM_HOST_IO);
        assert_int_equal(a->did[DO_START], i + 1);
        d.now_ms++;
        pause = 2 * pause < SM_SENSOR_PAUSE_MOST_MS ? 2 * pause : SM_SENSOR_PAUSE_MOST_MS;
        /* Setting what is wished after each start is no success that would shorten it. */
    }
    assert_int_equal(d.told, SM_ERR_CORRUPT);
    a->error[DO_SAMPLE] = 0;
    assert_int_equal(desk_read(one, "A", "temperature", 4), 1);
    assert_int_equal(a->chip[0], 3);
    assert_int_equal(d.told, 0);
    a->error[DO_SAMPLE] = SM_ERR_IO;
    d.now_ms += 1000;
    failed(one, desk_read(one, "A", "temperature", 4), SM_HOST_IO);
    assert_int_equal(a->sensor.run.pause_ms, SM_SENSOR_PAUSE_FIRST_MS);
}

static void what_could_not_be_set_is_not_wished(void **state)
{
    (void)state;
    assert_int_equal(desk_config(one, "A", "filter", 3), 1);
    a->error[DO_SET] = SM_ERR_IO;
    failed(one, desk_config(one, "A", "filter", 5), SM_HOST_IO);
    a->error[DO_SET] = 0;
    d.now_ms += 1000;
    assert_int_equal(desk_on(one, "A"), 1);
    assert_int_equal(a->chip[0], 3);
    a->error[DO_START] = SM_ERR_NOT_FOUND;
    desk_off(one, "A");
    failed(two, desk_config(two, "A", "relay", 1), SM_HOST_IO);
    d.now_ms += 1000;
    a->error[DO_START] = 0;
    assert_int_equal(desk_config(one, "A", "relay", 1), 1); /* nobody holds it */
}

static void a_measurement_out_of_the_sensors_range_is_an_error(void **state)
{
    (void)state;
    a->humidity = 100001;
    failed(one, desk_read(one, "A", "temperature", 4), SM_HOST_IO);
    assert_int_equal(d.told, SM_ERR_INVALID);
}

/* ---- Reads at bus speed ---------------------------------------------------------------------- */

#define C_EVERYTHING                                                                               \
    "sensor/C/SampRate:rw", "sensor/C/gain:rw", "sensor/C/humidity:r", "sensor/C/temperature:r"

static struct guest *anew(unsigned i, const char *const *grants)
{
    if (d.guest[i].inst != NULL)
        desk_end(&d.guest[i]);
    return desk_guest(&d, i, grants, 0);
}

/* A guest that measures C, which is on no line with others, at each read; the handle of all. */
static struct guest *at_bus_speed(unsigned i, int32_t *all)
{
    struct guest *g = anew(i, GRANTS(C_EVERYTHING));

    assert_int_equal(desk_config(g, "C", "SampRate", 0), 1);
    *all = desk_open(g, "C", "*");
    assert_int_equal(desk_get(g, *all, 8), 8);
    assert_int_equal(c->sensor.run.hurdles, 0);
    return g;
}

static void gets(struct guest *g, int32_t all, int32_t temperature)
{
    memset(desk_memory(g) + AT_BUF, 0x55, 12);
    assert_int_equal(desk_get(g, all, 12), 8);
    assert_int_equal(desk_i32(g, AT_BUF), temperature);
    assert_int_equal(desk_i32(g, AT_BUF + 4), c->humidity);
    assert_int_equal(desk_i32(g, AT_BUF + 8), 0x55555555);
}

static void each_read_at_bus_speed_is_one_measurement(void **state)
{
    int32_t all;

    (void)state;
    struct guest *g = at_bus_speed(2, &all);
    int32_t humidity = desk_open(g, "C", "humidity");
    unsigned before = c->did[DO_SAMPLE];
    for (int32_t i = 1; i <= 5; i++) {
        c->temperature = i;
        gets(g, all, i);
        c->humidity = 1000 * i;
        assert_int_equal(desk_get(g, humidity, 4), 4);
        assert_int_equal(desk_i32(g, AT_BUF), 1000 * i);
        c->temperature = -i;
        assert_int_equal(desk_read(g, "C", "temperature", 4), 1);
        assert_int_equal(desk_i32(g, AT_BUF), -i);
        assert_int_equal(desk_sample(g, humidity), 0);
        assert_int_equal(c->did[DO_SAMPLE] - before, 4 * i);
    }
    assert_int_equal(c->did[DO_START], 1);
}

static void only_what_is_granted_comes_at_bus_speed(void **state)
{
    int32_t all;

    (void)state;
    at_bus_speed(2, &all);
    one = anew(0, GRANTS("sensor/C/SampRate:rw", "sensor/C/humidity:r"));
    assert_int_equal(desk_config(one, "C", "SampRate", 0), 1);
    int32_t mine = desk_open(one, "C", "*");
    memset(desk_memory(one) + AT_BUF, 0x55, 8);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(desk_get(one, mine, 8), 4);
        assert_int_equal(desk_i32(one, AT_BUF), 45000);
        assert_int_equal(desk_i32(one, AT_BUF + 4), 0x55555555);
        assert_int_equal(desk_get(one, mine - SM_CHANNEL_ALL, 4), SM_HOST_INVALID);
    }
}

static void a_buffer_too_small_at_bus_speed_is_no_measurement(void **state)
{
    int32_t all;

    (void)state;
    struct guest *g = at_bus_speed(2, &all);
    unsigned before = c->began[DO_SAMPLE];
    memset(desk_memory(g) + AT_BUF, 0x55, 8);
    assert_int_equal(desk_get(g, all, 7), SM_HOST_SPACE);
    assert_int_equal(desk_get(g, all, 3), SM_HOST_SPACE);
    assert_int_equal(desk_i32(g, AT_BUF), 0x55555555);
    assert_int_equal(desk_call(g, "get", (uint32_t[]){(uint32_t)all, MEMORY - 7, 8}), TRAPPED);
    assert_int_equal(c->began[DO_SAMPLE], before);
}

static void a_sensor_turned_off_between_two_reads_is_started_again(void **state)
{
    int32_t all, others;

    (void)state;
    struct guest *g = at_bus_speed(2, &all), *other = at_bus_speed(1, &others);
    assert_int_equal(desk_off(g, "C"), 1);
    assert_int_equal(c->stops, 0);
    gets(other, others, 21500);
    assert_int_equal(desk_off(other, "C"), 1);
    assert_int_equal(c->stops, 1);
    gets(g, all, 21500);
    assert_int_equal(c->did[DO_START], 2);
    assert_true(c->running);
}

static void what_another_sets_between_two_reads_is_set_before_the_second(void **state)
{
    int32_t all;

    (void)state;
    struct guest *g = at_bus_speed(2, &all);
    two = anew(1, GRANTS(C_EVERYTHING));
    c->waits[DO_SET] = 2;
    assert_int_equal(desk_config(two, "C", "gain", 2), PENDING);
    assert_int_equal(desk_get(g, all, 8), PENDING); /* nobody overtakes */
    assert_int_equal(desk_wait(two), 1);
    assert_int_equal(desk_wait(g), 8);
    gets(g, all, 21500);
    c->waits[DO_SET] = 0;
    desk_end(two); /* and what it wished goes with it */
    assert_int_equal(c->chip[1], 2);
    gets(g, all, 21500);
    assert_int_equal(c->chip[1], 8);
}

static void values_never_become_older_when_reads_get_an_interval(void **state)
{
    int32_t all;

    (void)state;
    struct guest *g = at_bus_speed(2, &all);
    c->temperature = 1;
    d.now_ms += 10;
    gets(g, all, 1);
    assert_int_equal(desk_config(g, "C", "SampRate", 1000000000), 1);
    gets(g, all, 1);
    c->temperature = 2;
    d.now_ms += 2000;
    gets(g, all, 2);
    c->temperature = 3;
    gets(g, all, 2);
    assert_int_equal(desk_config(g, "C", "SampRate", 0), 1);
    gets(g, all, 3);
    c->temperature = 4;
    assert_int_equal(desk_config(g, "C", "SampRate", 1000000000), 1);
    gets(g, all, 3); /* measured just now */
}

static void a_read_at_bus_speed_may_have_to_wait_after_all(void **state)
{
    int32_t all;

    (void)state;
    struct guest *g = at_bus_speed(2, &all);
    c->waits[DO_SAMPLE] = 3;
    c->temperature = 7;
    assert_int_equal(desk_get(g, all, 8), PENDING);
    assert_int_equal(c->sensor.run.state, SM_SENSOR_WORKING);
    two = anew(1, GRANTS(C_EVERYTHING));
    assert_int_equal(desk_read(two, "C", "humidity", 4), PENDING);
    assert_int_equal(desk_wait(g), 8);
    assert_int_equal(desk_i32(g, AT_BUF), 7);
    assert_int_equal(desk_wait(two), 1);
    assert_int_equal(desk_read(g, "C", "temperature", 4), PENDING);
    desk_end(g); /* its request goes with it, and the next one is not in its way */
    c->waits[DO_SAMPLE] = 0;
    assert_int_equal(desk_read(two, "C", "humidity", 4), 1);
}

static void a_failure_at_bus_speed_is_one_like_any_other(void **state)
{
    int32_t all;

    (void)state;
    struct guest *g = at_bus_speed(2, &all);
    memset(desk_memory(g) + AT_BUF, 0x55, 8);
    c->humidity = 100001; /* more than there can be */
    assert_int_equal(desk_get(g, all, 8), SM_HOST_IO);
    assert_int_equal(d.told, SM_ERR_INVALID);
    assert_int_equal(desk_i32(g, AT_BUF), 0x55555555);
    c->humidity = 45000;
    unsigned before = c->began[DO_START];
    assert_int_equal(desk_get(g, all, 8), SM_HOST_IO); /* the pause */
    assert_int_equal(c->began[DO_START], before);
    d.now_ms += SM_SENSOR_PAUSE_FIRST_MS;
    gets(g, all, 21500);
    assert_int_equal(d.told, 0);
    c->error[DO_SAMPLE] = SM_ERR_BUSY;
    assert_int_equal(desk_get(g, all, 8), SM_HOST_IO);
    assert_int_equal(d.told, SM_ERR_BUSY);
    assert_int_equal(c->stops, 2);
    c->error[DO_SAMPLE] = 0;
}

static void a_sensor_that_is_held_or_gone_is_not_read_at_bus_speed(void **state)
{
    int32_t all;

    (void)state;
    struct guest *g = at_bus_speed(2, &all);
    assert_true(sm_sensors_hold(&d.sensors, &c->sensor));
    assert_int_equal(desk_get(g, all, 8), PENDING);
    sm_sensors_release(&c->sensor);
    assert_int_equal(desk_wait(g), 8);
    sm_sensors_remove(&d.sensors, &c->sensor);
    assert_int_equal(desk_get(g, all, 8), SM_HOST_INVALID);
    assert_int_equal(sm_sensors_add(&d.sensors, &c->sensor), 0);
    assert_int_equal(desk_get(g, all, 8), SM_HOST_INVALID);
    all = desk_open(g, "C", "*");
    gets(g, all, 21500);
    assert_int_equal(c->did[DO_START], 2);
}

static void who_reads_at_bus_speed_does_not_speed_up_others(void **state)
{
    int32_t all;

    (void)state;
    struct guest *g = at_bus_speed(2, &all);
    two = anew(1, GRANTS(C_EVERYTHING));
    int32_t others = desk_open(two, "C", "*");
    gets(two, others, 21500);
    c->temperature = 1;
    d.now_ms += 874;
    gets(g, all, 1);
    gets(two, others, 21500);
    d.now_ms++;
    gets(two, others, 1);
    c->temperature = 2;
    gets(g, all, 2);
    gets(two, others, 1);
}

static void a_read_at_bus_speed_turns_the_sensor_on(void **state)
{
    int32_t all;

    (void)state;
    struct guest *g = at_bus_speed(2, &all);
    desk_end(two);
    two = desk_guest(&d, 1, GRANTS(C_EVERYTHING), 1); /* which measures whenever it reads */
    int32_t others = desk_open(two, "C", "*");
    gets(two, others, 21500);
    desk_end(g);
    assert_int_equal(c->stops, 0);
    gets(two, others, 21500);
    assert_int_equal(c->did[DO_START], 1);
}

static void a_chip_that_needs_time_is_not_read_at_bus_speed(void **state)
{
    struct sm_sensor_driver slow = *c->sensor.driver;

    (void)state;
    slow.interval_ms = 250;
    c->sensor.driver = &slow;
    struct guest *g = anew(2, GRANTS(C_EVERYTHING));
    assert_int_equal(desk_config(g, "C", "SampRate", 0), 1);
    int32_t all = desk_open(g, "C", "*");
    for (unsigned i = 0; i < 10; i++, d.now_ms += 50)
        assert_int_equal(desk_get(g, all, 8), 8);
    assert_int_equal(c->did[DO_SAMPLE], 2);
    desk_end(g);
}

static void what_a_measurement_that_was_given_up_left_is_seen_by_nobody(void **state)
{
    int32_t all;

    (void)state;
    struct guest *g = at_bus_speed(2, &all);
    two = anew(1, GRANTS(C_EVERYTHING));
    assert_int_equal(desk_on(two, "C"), 1);
    c->waits[DO_SAMPLE] = 3;
    c->temperature = 99999;
    assert_int_equal(desk_get(g, all, 8), PENDING);
    desk_end(g);
    c->waits[DO_SAMPLE] = 0;
    c->temperature = 5;
    gets(two, desk_open(two, "C", "*"), 5);
}

static void a_module_that_dies_between_two_reads_leaves_the_other_reading(void **state)
{
    int32_t all, others;

    (void)state;
    struct guest *g = at_bus_speed(2, &all), *other = at_bus_speed(1, &others);
    gets(g, all, 21500);
    desk_end(other);
    assert_int_equal(c->stops, 0);
    gets(g, all, 21500);
    desk_end(g);
    assert_int_equal(c->stops, 1);
    assert_false(c->running);
}

/* ---- Sensors that come and go ---------------------------------------------------------------- */

static void a_sensor_that_is_removed_fails_what_waits_for_it(void **state)
{
    (void)state;
    a->waits[DO_SAMPLE] = 5;
    assert_int_equal(desk_on(one, "A"), 1);
    assert_int_equal(desk_read(one, "A", "temperature", 4), PENDING);
    assert_int_equal(desk_read(two, "A", "temperature", 4), PENDING);
    sm_sensors_remove(&d.sensors, &a->sensor);
    assert_int_equal(a->stops, 1);
    failed(one, desk_wait(one), SM_HOST_NOT_FOUND);
    failed(two, desk_wait(two), SM_HOST_NOT_FOUND);
    failed(two, desk_read(two, "A", "temperature", 4), SM_HOST_NOT_FOUND);
    assert_null(d.sensors.waiting);
}

static void a_handle_never_reaches_a_later_sensor(void **state)
{
    (void)state;
    int32_t t = desk_open(one, "A", "temperature");
    assert_int_equal(desk_get(one, t, 4), 4);
    sm_sensors_remove(&d.sensors, &a->sensor);
    assert_int_equal(desk_get(one, t, 4), SM_HOST_INVALID);
    assert_int_equal(sm_sensors_add(&d.sensors, &a->sensor), 0);
    assert_int_equal(desk_get(one, t, 4), SM_HOST_INVALID);
    assert_int_equal(desk_sample(one, t), SM_HOST_INVALID);
    assert_int_equal(desk_set(one, t, 1), SM_HOST_INVALID);
    int32_t again = desk_open(one, "A", "temperature");
    assert_true(again > 0 && again != t);
    assert_int_equal(desk_get(one, again, 4), 4);
    for (unsigned i = 0; i < 3; i++) {
        sm_sensors_remove(&d.sensors, &a->sensor);
        one->views[0].bound = SM_SENSOR_BOUND_MAX; /* when numbers are used up there is no sensor */
        assert_int_equal(sm_sensors_add(&d.sensors, &a->sensor), 0);
        assert_int_equal(desk_open(one, "A", "temperature"), SM_HOST_NOT_FOUND);
    }
}

static void a_sensor_that_comes_later_is_found(void **state)
{
    static struct played late;

    (void)state;
    struct guest *g = desk_guest(&d, 2, GRANTS("sensor/D/temperature:r"), 0);
    late = *a;
    late.sensor.id = "D";
    late.sensor.address = 9;
    failed(g, desk_read(g, "D", "temperature", 4), SM_HOST_NOT_FOUND);
    assert_int_equal(sm_sensors_add(&d.sensors, &late.sensor), 0);
    assert_int_equal(sm_sensors_add(&d.sensors, &late.sensor), SM_ERR_STATE);
    assert_int_equal(desk_read(g, "D", "temperature", 4), 1);
    failed(g, desk_read(g, "D", "humidity", 4), SM_HOST_DENIED);
    sm_sensors_remove(&d.sensors, &late.sensor);
    sm_sensors_remove(&d.sensors, &late.sensor);
}

static void sensors_that_break_the_rules_are_not_taken(void **state)
{
    static const struct sm_capability twice[] = {{"x", 0, 0, 0, 1}, {"x", 0, 0, 0, 1}},
                                      taken[] = {{"state", 0, 0, 0, 1}, {"SampRate", 0, 0, 0, 1}};
    struct sm_sensor_driver odd = *a->sensor.driver;
    struct sm_sensor s = {.id = "E", .driver = &odd};

    (void)state;
    odd.capability = twice;
    assert_int_equal(sm_sensors_add(&d.sensors, &s), SM_ERR_INVALID);
    odd.capability = taken;
    assert_int_equal(sm_sensors_add(&d.sensors, &s), SM_ERR_INVALID);
    odd.capabilities = 1;
    assert_int_equal(sm_sensors_add(&d.sensors, &s), SM_ERR_INVALID);
    odd.capabilities = 9;
    assert_int_equal(sm_sensors_add(&d.sensors, &s), SM_ERR_INVALID);
    odd = *a->sensor.driver;
    odd.set = NULL;
    assert_int_equal(sm_sensors_add(&d.sensors, &s), SM_ERR_INVALID);
    odd = *a->sensor.driver;
    odd.bus = SM_BUS_SPI;
    s.bus = &d.bus;
    assert_int_equal(sm_sensors_add(&d.sensors, &s), SM_ERR_INVALID);
    odd.bus = SM_BUS_SERIAL;
    assert_int_equal(sm_sensors_add(&d.sensors, &s), 0);
    s.id = "E/F";
    assert_int_equal(sm_sensors_add(&d.sensors, &s), SM_ERR_INVALID);
}

/* ---- Interfaces ------------------------------------------------------------------------------ */

static void a_module_of_interface_1_reads_as_it_did(void **state)
{
    (void)state;
    struct guest *g = desk_guest(&d, 2, GRANTS("sensor/A/temperature:r"), 1);
    for (int32_t i = 0; i < 5; i++) {
        a->temperature = i; /* what it reads is what is measured now */
        assert_int_equal(desk_read(g, "A", "temperature", 4), 1);
        assert_int_equal(desk_i32(g, AT_BUF), i);
    }
    assert_int_equal(desk_read(g, "A", "temperature", 3), 0);
    assert_int_equal(desk_read(g, "A", "humidity", 4), 0);
    assert_int_equal(desk_read(g, "B", "temperature", 4), 0);
}

static void nothing_links_without_a_sensor_capability(void **state)
{
    static const char *const fields[] = {"getSensors", "turnOn",    "turnOff", "config",
                                         "read",       "lastError", "open",    "get",
                                         "set",        "sample",    "info"};
    struct sm_manifest m;
    struct sm_host host = {0};
    struct sm_wasm_extern out;

    (void)state;
    sm_manifest_defaults(&m);
    sm_host_init(&host, &d.port, &m, 0);
    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct sm_wasm_import import = {
            {"wasi_sn", 7}, {fields[i], (uint32_t)strlen(fields[i])}, SM_WASM_FUNC};
        assert_int_equal(sm_host_resolve(&host, &import, &out), SM_ERR_DENIED);
    }
    struct sm_wasm_import other = {{"wasi_sn", 7}, {"turnon", 6}, SM_WASM_FUNC};
    assert_int_equal(sm_host_resolve(&host, &other, &out), SM_ERR_NOT_FOUND);
}

#define T(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(sensors_are_listed_in_the_order_of_the_registry_and_only_whole_names),
        T(a_value_is_read_in_raw_form),
        T(a_buffer_too_small_stays_as_it_was),
        T(an_attribute_takes_four_bytes_or_eight),
        T(names_of_capabilities_and_attributes_are_read),
        T(a_sensor_is_stopped_alive_working_as_it_is_used),
        T(a_chip_that_rests_by_itself_sleeps_after_a_measurement),
        T(a_handle_gets_sets_and_tells),
        T(all_capabilities_come_in_one_measurement),
        T(a_sample_is_typed_and_has_its_time),
        T(a_handle_tells_range_rights_and_kind),
        T(a_pointer_that_leaves_the_memory_traps),
        T(what_is_not_granted_is_refused_counted_and_logged_once),
        T(a_module_that_refuses_to_learn_cannot_fill_the_log),
        T(what_the_log_does_not_have_is_told_at_the_end),
        T(names_cannot_be_put_together_to_another_grant),
        T(capabilities_that_are_no_grants_grant_nothing),
        T(what_is_granted_and_not_there_is_not_found),
        T(an_attribute_that_a_chip_does_not_have_costs_only_its_request),
        T(a_value_outside_its_range_is_refused_by_name),
        T(only_attributes_that_can_be_written_are),
        T(a_forged_handle_reaches_nothing),
        T(a_handle_that_was_read_before_is_looked_at_again),
        T(an_answer_is_kept_until_its_time),
        T(an_answer_is_kept_for_its_handle_alone),
        T(an_answer_goes_nowhere_but_into_the_memory),
        T(what_is_turned_off_keeps_no_answer),
        T(a_new_interval_counts_for_what_is_kept),
        T(a_refused_interval_leaves_no_answer_behind),
        T(a_newer_value_is_what_is_kept),
        T(a_sensor_that_goes_takes_its_answers_along),
        T(an_instance_that_ends_leaves_no_answer),
        T(a_sensor_that_fails_changes_nothing_until_then),
        T(a_sensor_stops_when_the_last_turns_it_off),
        T(the_fastest_wins_and_each_has_its_own_view),
        T(a_reader_that_comes_a_little_early_is_not_given_the_value_before),
        T(nobody_is_slowed_down_by_another),
        T(a_rate_of_nothing_measures_at_each_read),
        T(a_chip_is_not_measured_faster_than_it_can),
        T(the_highest_and_the_lowest_wish_win_as_the_rule_says),
        T(a_chip_that_keeps_its_attributes_gets_them_and_gets_them_back),
        T(who_writes_first_holds_it_until_it_lets_go),
        T(a_module_that_dies_releases_all),
        T(requests_are_served_in_their_order_and_one_at_a_time_on_a_line),
        T(nobody_overtakes_when_the_first_in_line_dies),
        T(a_read_at_each_call_waits_for_a_bus_that_is_busy),
        T(a_read_at_each_call_is_made_with_what_is_wished_then),
        T(a_slow_sensor_suspends_one_module_and_others_go_on),
        T(a_request_that_hangs_is_ended),
        T(a_sensor_that_fails_is_started_anew_after_a_pause_that_grows),
        T(what_could_not_be_set_is_not_wished),
        T(a_measurement_out_of_the_sensors_range_is_an_error),
        T(each_read_at_bus_speed_is_one_measurement),
        T(only_what_is_granted_comes_at_bus_speed),
        T(a_buffer_too_small_at_bus_speed_is_no_measurement),
        T(a_sensor_turned_off_between_two_reads_is_started_again),
        T(what_another_sets_between_two_reads_is_set_before_the_second),
        T(values_never_become_older_when_reads_get_an_interval),
        T(a_read_at_bus_speed_may_have_to_wait_after_all),
        T(a_failure_at_bus_speed_is_one_like_any_other),
        T(a_sensor_that_is_held_or_gone_is_not_read_at_bus_speed),
        T(who_reads_at_bus_speed_does_not_speed_up_others),
        T(a_read_at_bus_speed_turns_the_sensor_on),
        T(a_chip_that_needs_time_is_not_read_at_bus_speed),
        T(what_a_measurement_that_was_given_up_left_is_seen_by_nobody),
        T(a_module_that_dies_between_two_reads_leaves_the_other_reading),
        T(a_sensor_that_is_removed_fails_what_waits_for_it),
        T(a_handle_never_reaches_a_later_sensor),
        T(a_sensor_that_comes_later_is_found),
        T(sensors_that_break_the_rules_are_not_taken),
        T(a_module_of_interface_1_reads_as_it_did),
        T(nothing_links_without_a_sensor_capability),
    };

    int failures = cmocka_run_group_tests_name("sensor calls", tests, NULL, NULL);
    clock_in_memory = true;
    return failures +
           cmocka_run_group_tests_name("sensor calls, clock in memory", tests, NULL, NULL);
}

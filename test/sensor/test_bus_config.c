/* Buses of a configuration. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <posix/bus_config.h>

static uint64_t ms;
static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return ms;
}
static const struct sm_clock clock_by_hand = {.now_ms = now_ms};
static struct sm_bus_config buses;

static int open_text(const char *text, struct sm_json_error *why)
{
    json_t *array = json_loads(text, 0, NULL);
    assert_non_null(array);
    int err = sm_bus_config_open(&buses, array, &clock_by_hand, why);
    if (err)
        sm_bus_config_close(&buses);
    json_decref(array);
    return err;
}

static uint8_t temperature(const struct sm_bus *bus, uint8_t address)
{
    uint8_t reg = 0, value[2] = {0};
    assert_int_equal(bus->transfer.i2c(bus->ctx, address, &reg, 1, value, 2), 0);
    return value[0];
}

static void chips_of_a_simulated_bus_answer(void **state)
{
    struct sm_json_error why;
    (void)state;
    json_t *array = json_loads("[{\"name\":\"a\",\"type\":\"simulated\",\"chips\":[\"TMP105@0x48"
                               " temperature=21.5\",\"TMP105@0x49 temperature=30..40/20\"]},"
                               "{\"name\":\"b\",\"type\":\"simulated\",\"chips\":[\"ADXL345@0\"]}]",
                               0, NULL);
    assert_int_equal(sm_bus_config_open(&buses, array, &clock_by_hand, &why), 0);
    assert_int_equal(buses.count, 2);
    const struct sm_bus *a = sm_bus_config_find(&buses, "a");
    assert_ptr_equal(a, buses.bus[0]);
    assert_int_equal(a->kind, SM_BUS_I2C);
    assert_int_equal(sm_bus_config_find(&buses, "b")->kind, SM_BUS_SPI);
    assert_null(sm_bus_config_find(&buses, "c"));
    ms += 1000;
    assert_int_equal(temperature(a, 0x48), 21);
    assert_in_range(temperature(a, 0x49), 30, 31);
    ms += 9000;
    (void)temperature(a, 0x49);
    ms += 1000;
    assert_in_range(temperature(a, 0x49), 38, 40);
    sm_bus_config_close(&buses);
    json_decref(array);
    assert_int_equal(sm_bus_config_open(&buses, NULL, &clock_by_hand, &why), 0);
    assert_int_equal(buses.count, 0);
    sm_bus_config_close(&buses);
}

static void chips_that_take_their_time_are_awake_when_they_are_read_first(void **state)
{
    struct sm_json_error why;
    uint8_t reg = 0x20, id = 0;
    (void)state;
    json_t *array = json_loads(
        "[{\"name\":\"a\",\"type\":\"simulated\",\"chips\":[\"CCS811@0x5a\"]}]", 0, NULL);
    ms += 1000; /* after the clock has begun */
    assert_int_equal(sm_bus_config_open(&buses, array, &clock_by_hand, &why), 0);
    const struct sm_bus *a = buses.bus[0];
    assert_int_equal(a->transfer.i2c(a->ctx, 0x5a, &reg, 1, &id, 1), 0);
    assert_int_equal(id, 0x81);
    sm_bus_config_close(&buses);
    json_decref(array);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"[{\"type\":\"i2c\"}]", "buses[0].name: is missing"},
        {"[{\"name\":\"a b\",\"type\":\"i2c\"}]", "buses[0].name: letters"},
        {"[{\"name\":\"a\",\"type\":\"can\",\"device\":\"/x\"}]", "buses[0].type: must be"},
        {"[{\"name\":\"a\",\"type\":\"can\"}]", "buses[0].type: must be"},
        {"[{\"name\":\"a\",\"type\":\"i2c\"}]", "buses[0].device: is missing"},
        {"[{\"name\":\"a\",\"type\":\"i2c\",\"device\":\"/nowhere\"}]", "/nowhere"},
        {"[{\"name\":\"a\",\"type\":\"serial\",\"device\":\"/x\",\"parity\":\"much\"}]",
         "buses[0].parity: must be"},
        {"[{\"name\":\"a\",\"type\":\"i2c\",\"speed\":1}]", "buses[0].speed: unknown key"},
        {"[{\"name\":\"a\",\"type\":\"simulated\"}]", "buses[0].chips: is missing"},
        {"[{\"name\":\"a\",\"type\":\"simulated\",\"chips\":[1]}]", "chips[0]: must be a text"},
        {"[{\"name\":\"a\",\"type\":\"simulated\",\"chips\":[\"TMP999@1\"]}]",
         "buses[0].chips[0]: "},
        {"[{\"name\":\"a\",\"type\":\"simulated\",\"chips\":[\"TMP105@0x48\",\"TMP105@0x48\"]}]",
         "buses[0].chips[1]: there is a chip"},
        {"[{\"name\":\"a\",\"type\":\"simulated\",\"chips\":[\"TMP105@0x48\",\"ADXL345@0\"]}]",
         "buses[0].chips[1]: is for another kind of bus"},
        {"[{\"name\":\"a\",\"type\":\"simulated\",\"chips\":[\"TMP105@0x48\"]},"
         "{\"name\":\"a\",\"type\":\"simulated\",\"chips\":[\"TMP105@0x48\"]}]",
         "buses[1].name: there is a bus a already"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sm_json_error why;
        assert_int_equal(open_text(cases[i].text, &why), SM_ERR_INVALID);
        if (!strstr(why.text, cases[i].part))
            fail_msg("%s: %s", cases[i].text, why.text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(chips_of_a_simulated_bus_answer),
        cmocka_unit_test(chips_that_take_their_time_are_awake_when_they_are_read_first),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests_name("bus_config", tests, NULL, NULL);
}

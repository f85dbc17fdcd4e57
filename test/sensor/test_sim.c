/* The simulated buses themselves: lines of text that make chips, who is where, and the two chips at
 * 0x48 that plugins are tried with.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drive.h"

static struct sm_sim_chip_description described(const char *text)
{
    struct sm_sim_chip_description d;
    struct sm_sim_wrong wrong = {0};
    if (sm_sim_describe(&d, text, &wrong) != 0)
        fail_msg("%s: %s at %u", text, wrong.rule, (unsigned)wrong.offset);
    return d;
}

static void a_line_makes_a_chip(void **state)
{
    (void)state;
    struct sm_sim_chip_description d = described("BME280@0x76");
    assert_ptr_equal(d.model, &sm_sim_bme280);
    assert_int_equal(d.address, 0x76);
    assert_int_equal(d.value[0].from, 21500);
    d = described("BME280@119 temperature=-3.25 humidity=40..60/600 pressure=101325");
    assert_int_equal(d.address, 0x77);
    assert_int_equal(d.value[0].from, -3250);
    assert_int_equal(d.value[0].period_ms, 0);
    assert_int_equal(d.value[1].from, 40000);
    assert_int_equal(d.value[1].to, 60000);
    assert_int_equal(d.value[1].period_ms, 600000);
    assert_int_equal(d.value[2].from, 101325000);
    d = described(" MODBUS-TH@1 temperature=1.5..2.5/0.001 ");
    assert_int_equal(d.value[0].from, 1500);
    assert_int_equal(d.value[0].to, 2500);
    assert_int_equal(d.value[0].period_ms, 1);
    d = described("PCF8574@0x20");
    assert_int_equal(d.model->quantities, 0);
}

static void wrong_lines_are_refused_where_they_are_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t offset;
    } cases[] = {{"", 0},
                 {"BME280", 0},
                 {"@0x76", 0},
                 {"BME 280@0x76", 0},
                 {"BME999@0x76", 0},
                 {"A-NAME-THAT-IS-FAR-TOO-LONG@1", 0},
                 {"BME280@", 7},
                 {"BME280@0x", 9},
                 {"BME280@0x75", 11},
                 {"BME280@256", 10},
                 {"BME280@0x76x", 11},
                 {"BME280@0x76 temperature", 12},
                 {"BME280@0x76 warmth=3", 12},
                 {"BME280@0x76 temperature=", 24},
                 {"BME280@0x76 temperature=x", 24},
                 {"BME280@0x76 temperature=21.5555", 30},
                 {"BME280@0x76 temperature=85.001", 30},
                 {"BME280@0x76 temperature=9999999999", 34},
                 {"BME280@0x76 temperature=1..2", 28},
                 {"BME280@0x76 temperature=1..2/0", 30},
                 {"BME280@0x76 temperature=1..2/-1", 31},
                 {"BME280@0x76 temperature=1,humidity=2", 25}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sm_sim_chip_description d;
        struct sm_sim_wrong wrong = {0};
        if (sm_sim_describe(&d, cases[i].text, &wrong) != SM_ERR_INVALID)
            fail_msg("taken: %s", cases[i].text);
        if (wrong.offset != cases[i].offset)
            fail_msg("%s: %s at %u", cases[i].text, wrong.rule, (unsigned)wrong.offset);
        assert_non_null(wrong.rule);
    }
}

static void a_bus_takes_its_own_chips_only_and_one_at_an_address(void **state)
{
    (void)state;
    struct sm_sim_clock clock = {0};
    struct sm_sim_bus bus;
    struct sm_sim_chip chip[4];
    uint8_t byte;
    sm_sim_bus_init(&bus, "i2c-1", SM_BUS_I2C, &clock);
    struct sm_sim_chip_description a = described("TMP105@0x48"), b = described("RIGHT16@0x48"),
                                   c = described("ADXL345@0"), d = described("TMP105@0x49");
    assert_int_equal(sm_sim_plug_described(&bus, &chip[0], &a), 0);
    assert_int_equal(sm_sim_plug_described(&bus, &chip[1], &b), SM_ERR_BUSY);
    assert_int_equal(sm_sim_plug_described(&bus, &chip[2], &c), SM_ERR_INVALID);
    assert_int_equal(sm_sim_plug_described(&bus, &chip[3], &d), 0);
    assert_int_equal(bus.bus.transfer.i2c(&bus, 0x48, NULL, 0, NULL, 0), 0);
    assert_int_equal(bus.bus.transfer.i2c(&bus, 0x49, NULL, 0, &byte, 1), 0);
    assert_int_equal(bus.bus.transfer.i2c(&bus, 0x4a, NULL, 0, NULL, 0), SM_ERR_NOT_FOUND);
    sm_sim_order_fault(&chip[3], SM_SIM_STUCK, 0, 0); /* one holds the bus of all */
    assert_int_equal(bus.bus.transfer.i2c(&bus, 0x48, NULL, 0, NULL, 0), SM_ERR_BUSY);
    assert_int_equal(bus.bus.transfer.i2c(&bus, 0x4a, NULL, 0, NULL, 0), SM_ERR_BUSY);
}

static int16_t register_0(struct sm_sim_bus *bus)
{
    const uint8_t pointer = 0;
    uint8_t b[2];
    assert_int_equal(bus->bus.transfer.i2c(bus, 0x48, &pointer, 1, b, 2), 0);
    return (int16_t)(b[0] << 8 | b[1]);
}

static void the_two_chips_at_0x48_differ_by_their_justification(void **state)
{
    (void)state;
    static const struct {
        int32_t played;
        int16_t right, left; /* the left one of 9 bits, as it starts */
    } cases[] = {{21500, 344, 344 * 16}, {-500, -8, -8 * 16}, {25062, 400, 400 * 16}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench right, left;
        bench_init(&right, &sm_sim_right16, &sm_driver_tmp105, 0x48);
        bench_init(&left, &sm_sim_tmp105, &sm_driver_tmp105, 0x48);
        bench_play(&right, "temperature", cases[i].played);
        bench_play(&left, "temperature", cases[i].played);
        bench_wait(&left, 1000);
        assert_int_equal(register_0(&right.bus), cases[i].right);
        assert_int_equal(register_0(&left.bus), cases[i].left);
    }
}

static uint64_t an_hour(void *ctx)
{
    (void)ctx;
    return 3600000000000ull;
}

static void a_clock_of_the_owner_is_not_moved_by_transfers(void **state)
{
    (void)state;
    struct sm_sim_clock clock = {.now_ns = an_hour};
    struct sm_sim_bus bus;
    struct sm_sim_chip chip;
    sm_sim_bus_init(&bus, "i2c-1", SM_BUS_I2C, &clock);
    assert_int_equal(sm_sim_plug(&bus, &chip, &sm_sim_right16, 0x48), 0);
    bus.speed = 100000;
    assert_int_equal(register_0(&bus), 344);
    assert_int_equal(clock.bus_ns, 48 * 10000); /* start, 2 bytes, start, 3 bytes, stop */
    assert_int_equal(clock.ns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_makes_a_chip),
        cmocka_unit_test(wrong_lines_are_refused_where_they_are_wrong),
        cmocka_unit_test(a_bus_takes_its_own_chips_only_and_one_at_an_address),
        cmocka_unit_test(the_two_chips_at_0x48_differ_by_their_justification),
        cmocka_unit_test(a_clock_of_the_owner_is_not_moved_by_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

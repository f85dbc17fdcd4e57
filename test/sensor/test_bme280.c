/* The BME280's driver: its arithmetic against the data sheet's, its steps against the simulated
 * chip.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sim/bme280.h>
#include "bme280.h"
#include "drive.h"

enum { TEMPERATURE, HUMIDITY, PRESSURE };

static void calibrate(struct sm_bme280_calibration *c, const struct sm_sim_bme280_numbers *n)
{
    uint8_t first[26], second[7];
    sm_sim_bme280_encode(n, first, second);
    sm_bme280_calibration(c, first, second);
}

static int setup(void **state)
{
    return bench_new(state, &sm_sim_bme280, &sm_driver_bme280, 0x76);
}

static void assert_near(int32_t value, double wish, double most)
{
    if (fabs(value - wish) > most)
        fail_msg("%d is not within %g of %.3f", (int)value, most, wish);
}

/* ---- Arithmetic ------------------------------------------------------------------------------ */

static void the_worked_example_of_the_data_sheet_comes_out(void **state)
{
    (void)state;
    struct sm_bme280_calibration c;
    int32_t v[3];
    calibrate(&c, &sm_sim_bme280_numbers);
    assert_int_equal(sm_bme280_compensate(&c, 519888, 415148, 30000, v), 0);
    assert_int_equal(v[TEMPERATURE], 25082); /* 25.08, t_fine 128422 */
    /* 25767236 / 256 Pa, given as 100653.27 (floating point) and 100653 */
    assert_near(v[PRESSURE], 100653265.6, 16);
}

static void calibration_bytes_keep_their_signs(void **state)
{
    (void)state;
    const struct sm_sim_bme280_numbers n = {
        {65535, -32768, 32767},
        {65535, -1, -32768, 1, 2, 3, 4, 5, -6},
        {255, -32768, 255, -2048, -1, -128},
    };
    struct sm_bme280_calibration c;
    calibrate(&c, &n);
    assert_int_equal(c.t1, 65535);
    assert_int_equal(c.t[0], -32768);
    assert_int_equal(c.p1, 65535);
    assert_int_equal(c.p[1], -32768);
    assert_int_equal(c.p[7], -6);
    assert_int_equal(c.h1, 255);
    assert_int_equal(c.h2, -32768);
    assert_int_equal(c.h4, -2048);
    assert_int_equal(c.h5, -1);
    assert_int_equal(c.h6, -128);
}

static double between(double low, double high)
{
    return floor(low + (high - low) * (rand() / (RAND_MAX + 1.0)));
}

/* Numbers as chips have them, a good way around those of real ones. */
static void random_numbers(struct sm_sim_bme280_numbers *n)
{
    *n = (struct sm_sim_bme280_numbers){
        {between(26000, 29000), between(25500, 27500), between(-2000, 200)},
        {between(35000, 39000), between(-11500, -9800), between(2900, 3200), between(2000, 9000),
         between(-200, 200), -7, between(8000, 16000), between(-15000, -8000), between(4000, 6500)},
        {between(60, 90), between(340, 390), between(0, 2), between(280, 340), between(0, 60), 30},
    };
}

static void integers_agree_with_floating_point_for_100000_chips(void **state)
{
    (void)state;
    struct sm_sim_bme280_numbers n;
    struct sm_bme280_calibration c;
    unsigned good = 0;
    srand(1);
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t t = (uint32_t)between(380000, 700000), p = (uint32_t)between(200000, 700000);
        uint32_t h = (uint32_t)between(15000, 50000);
        int32_t v[3];
        random_numbers(&n);
        calibrate(&c, &n);
        if (sm_bme280_compensate(&c, t, p, h, v) != 0)
            continue;
        good++;
        double fine = sm_sim_bme280_fine(&n, t);
        double rh = sm_sim_bme280_humidity(&n, fine, h);
        assert_near(v[TEMPERATURE], fine / 5.12, 1);
        assert_near(v[PRESSURE], sm_sim_bme280_pressure(&n, fine, p) * 1000, 700);
        assert_near(v[HUMIDITY], rh < 0 ? 0 : rh > 100 ? 100000 : rh * 1000, 30);
    }
    assert_true(good > 50000);
}

static void any_bytes_give_values_in_range_or_an_error(void **state)
{
    (void)state;
    unsigned good = 0;
    srand(2);
    for (unsigned i = 0; i < 300000; i++) {
        struct sm_bme280_calibration c;
        uint8_t bytes[33];
        int32_t v[3];
        for (unsigned k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)(i % 3 == 0   ? rand()
                                 : i % 3 == 1 ? (rand() & 1) * 255
                                              : rand() & 0x81);
        sm_bme280_calibration(&c, bytes, bytes + 26);
        if (sm_bme280_compensate(&c, rand() & 0xfffffu, rand() & 0xfffffu, rand() & 0xffffu, v) !=
            0)
            continue;
        good++;
        for (unsigned k = 0; k < 3; k++)
            assert_in_range(v[k] + 40000u, (uint32_t)sm_driver_bme280.capability[k].min + 40000u,
                            (uint32_t)sm_driver_bme280.capability[k].max + 40000u);
    }
    assert_true(good > 0);
}

/* ---- Measuring ------------------------------------------------------------------------------- */

static void play(struct bench *b, int32_t t, int32_t h, int32_t p)
{
    bench_play(b, "temperature", t);
    bench_play(b, "humidity", h);
    bench_play(b, "pressure", p);
}

/* Half a step of 16 bits: 0.005 degrees, 2.6 Pa; humidity 0.01 %. */
static void assert_measures(struct bench *b, int32_t t, int32_t h, int32_t p)
{
    int32_t v[3];
    play(b, t, h, p);
    assert_int_equal(bench_sample(b, v), 0);
    assert_near(v[TEMPERATURE], t, 10);
    assert_near(v[HUMIDITY], h, 60);
    assert_near(v[PRESSURE], p, 6000);
}

static void it_measures_what_is_there_over_the_whole_range(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_start(b), 0);
    for (int32_t t = -39900; t < 85000; t += 7000)
        assert_measures(b, t, 5000 + (t + 40000) / 2, 31000000 + (t + 40000) * 600);
}

static void forced_mode_waits_as_long_as_the_chip_measures(void **state)
{
    struct bench *b = *state;
    int32_t v[3];
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_sample(b, v), 0);
    assert_int_equal(b->waited_ms, 10); /* 9.3 */
    assert_int_equal(bench_set(b, "temperature_oversampling", 16), 0);
    assert_int_equal(bench_set(b, "humidity_oversampling", 16), 0);
    assert_int_equal(bench_set(b, "pressure_oversampling", 16), 0);
    assert_int_equal(bench_sample(b, v), 0);
    assert_int_equal(b->waited_ms, 113); /* 112.8 */
}

static void a_forced_measurement_is_two_transfers(void **state)
{
    struct bench *b = *state;
    int32_t v[3];
    assert_int_equal(bench_start(b), 0);
    uint32_t before = b->chip.transfers;
    assert_int_equal(bench_sample(b, v), 0);
    assert_int_equal(b->chip.transfers, before + 2); /* an order, a burst: it was not asked early */
}

static void a_chip_that_is_not_ready_is_asked_again(void **state)
{
    struct bench *b = *state;
    struct sm_sensor *s = &b->sensor;
    int32_t v[3] = {1, 2, 3};
    assert_int_equal(bench_start(b), 0);
    s->step = 0;
    assert_int_equal(s->driver->sample(s, v), 10);
    for (s->step = 1; s->step < 20; s->step++)
        assert_true(s->driver->sample(s, v) > 0);
    assert_int_equal(v[0], 1);
    assert_int_equal(s->driver->sample(s, v), SM_ERR_IO); /* not for ever */
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(b->waited_ms, 6); /* the calibration is copied after 3.5 */
}

static void normal_mode_is_set_once_its_first_measurement_is_there(void **state)
{
    struct bench *b = *state;
    struct sm_sensor *s = &b->sensor;
    assert_int_equal(bench_start(b), 0);
    s->step = 0;
    assert_int_equal(s->driver->set(s, 4, 1), 10);
    bench_wait(b, 9); /* 0.3 too early */
    s->step = 1;
    assert_int_equal(s->driver->set(s, 4, 1), 1);
    bench_wait(b, 1);
    s->step = 2;
    assert_int_equal(s->driver->set(s, 4, 1), 0);
}

static void settings_are_taken_in_normal_mode_too(void **state)
{
    struct bench *b = *state;
    int64_t got;
    int32_t v[3];
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_set(b, "normal_mode", 1), 0);
    assert_int_equal(bench_set(b, "filter", 16), 0);
    assert_int_equal(bench_set(b, "humidity_oversampling", 4), 0);
    assert_int_equal(bench_get(b, "filter", &got), 0);
    assert_int_equal(got, 16);
    assert_int_equal(bench_sample(b, v), 0);
}

static void normal_mode_is_one_burst(void **state)
{
    struct bench *b = *state;
    int32_t v[3];
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_set(b, "standby", 500), 0);
    assert_int_equal(bench_set(b, "normal_mode", 1), 0);
    uint32_t before = b->chip.transfers;
    assert_int_equal(bench_sample(b, v), 0);
    assert_int_equal(b->chip.transfers, before + 1);
    assert_int_equal(b->waited_ms, 0);
    bench_play(b, "temperature", 30000);
    bench_wait(b, 20);
    assert_int_equal(bench_sample(b, v), 0);
    assert_near(v[TEMPERATURE], 30000, 10);
}

static void attributes_are_what_the_chip_took(void **state)
{
    struct bench *b = *state;
    static const struct {
        const char *name;
        int64_t wish, got;
    } cases[] = {{"temperature_oversampling", 3, 4},
                 {"humidity_oversampling", 16, 16},
                 {"pressure_oversampling", 9, 16},
                 {"filter", 1, 2},
                 {"filter", 16, 16},
                 {"filter", 0, 0},
                 {"standby", 500, 500},
                 {"standby", 10000, 10000},
                 {"standby", 9999, 500},
                 {"standby", 1000000, 1000000},
                 {"normal_mode", 1, 1}};
    assert_int_equal(bench_start(b), 0);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = -1;
        int32_t v[3];
        assert_int_equal(bench_set(b, cases[i].name, cases[i].wish), 0);
        assert_int_equal(bench_get(b, cases[i].name, &value), 0);
        assert_int_equal(value, cases[i].got);
        assert_int_equal(bench_sample(b, v), 0);
    }
}

static void oversampling_sees_finer_steps(void **state)
{
    struct bench *b = *state;
    int32_t v[3];
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_set(b, "temperature_oversampling", 16), 0);
    assert_int_equal(bench_set(b, "pressure_oversampling", 16), 0);
    play(b, 21500, 45000, 101325000);
    assert_int_equal(bench_sample(b, v), 0);
    assert_near(v[PRESSURE], 101325000, 300); /* 0.16 Pa a step */
}

static void the_filter_smooths(void **state)
{
    struct bench *b = *state;
    int32_t v[3];
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_set(b, "filter", 4), 0);
    play(b, 20000, 45000, 101325000);
    assert_int_equal(bench_sample(b, v), 0);
    assert_near(v[TEMPERATURE], 20000, 2);
    bench_play(b, "temperature", 24000);
    assert_int_equal(bench_sample(b, v), 0);
    assert_near(v[TEMPERATURE], 21000, 20);
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static void another_chip_is_not_taken_for_it(void **state)
{
    struct bench *b = *state;
    bench_break(b, SM_SIM_WRONG_ID);
    assert_int_equal(bench_start(b), SM_ERR_INVALID);
}

static void nobody_at_the_address_is_told(void **state)
{
    struct bench *b = *state;
    b->sensor.address = 0x77;
    assert_int_equal(bench_start(b), SM_ERR_NOT_FOUND);
}

static void a_chip_that_started_anew_fails_and_is_set_up_again(void **state)
{
    struct bench *b = *state;
    int32_t v[3];
    for (int normal = 0; normal < 2; normal++) {
        assert_int_equal(bench_start(b), 0);
        assert_int_equal(bench_set(b, "normal_mode", normal), 0);
        assert_int_equal(bench_sample(b, v), 0);
        sm_sim_power_cycle(&b->chip);
        if (!normal) /* between the order to measure and the reading */
            sm_sim_order_fault(&b->chip, SM_SIM_RESET, 1, 1);
        assert_int_equal(bench_sample(b, v), SM_ERR_IO);
    }
    assert_int_equal(bench_start(b), 0);
    assert_measures(b, 21000, 40000, 100000000);
}

static void a_setting_that_somebody_else_wrote_is_noticed(void **state)
{
    /* ctrl_hum, config, ctrl_meas with another oversampling, and asleep; each in normal mode */
    static const uint8_t writes[][2] = {{0xf2, 3}, {0xf5, 0xe4}, {0xf4, 0x2b}, {0xf4, 0x24}};
    struct bench *b = *state;
    int32_t v[3];
    for (unsigned i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        static const uint8_t sleep[] = {0xf4, 0x24}, wake[] = {0xf4, 0x27};
        assert_int_equal(bench_start(b), 0);
        assert_int_equal(bench_set(b, "normal_mode", 1), 0);
        struct sm_bus *bus = &b->bus.bus;
        assert_int_equal(bus->transfer.i2c(bus->ctx, 0x76, sleep, 2, NULL, 0), 0);
        if (writes[i][0] != 0xf4) {
            assert_int_equal(bus->transfer.i2c(bus->ctx, 0x76, writes[i], 2, NULL, 0), 0);
            assert_int_equal(bus->transfer.i2c(bus->ctx, 0x76, wake, 2, NULL, 0), 0);
        } else {
            assert_int_equal(bus->transfer.i2c(bus->ctx, 0x76, writes[i], 2, NULL, 0), 0);
        }
        bench_wait(b, 100);
        assert_int_equal(bench_sample(b, v), SM_ERR_IO);
    }
}

static void every_fault_at_every_transfer_is_an_error_and_over_when_it_is(void **state)
{
    static const struct {
        enum sm_sim_fault fault;
        int err;
    } faults[] = {{SM_SIM_NACK, SM_ERR_NOT_FOUND},
                  {SM_SIM_STUCK, SM_ERR_BUSY},
                  {SM_SIM_TRUNCATED, SM_ERR_IO}};
    struct bench *b = *state;
    int32_t v[3];
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_sample(b, v), 0);
    uint32_t transfers = b->chip.transfers;
    for (unsigned f = 0; f < 3; f++)
        for (uint32_t at = 0; at < transfers; at++) {
            sm_sim_order_fault(&b->chip, faults[f].fault, at, 1);
            int err = bench_start(b);
            if (!err)
                err = bench_sample(b, v);
            assert_int_equal(err, faults[f].err);
            assert_int_equal(bench_start(b), 0);
            assert_measures(b, 21000, 40000, 100000000);
        }
}

static void data_lines_that_stay_low_or_high_are_no_values(void **state)
{
    struct bench *b = *state;
    for (int normal = 0; normal < 2; normal++)
        for (enum sm_sim_fault f = SM_SIM_ZEROS; f <= SM_SIM_ONES; f++) {
            int32_t v[3];
            assert_int_equal(bench_start(b), 0);
            assert_int_equal(bench_set(b, "normal_mode", normal), 0);
            bench_break(b, f);
            assert_int_equal(bench_sample(b, v), SM_ERR_IO);
            assert_int_equal(bench_start(b), SM_ERR_INVALID);
            bench_mend(b);
        }
}

static void transfers_take_the_time_of_the_wires(void **state)
{
    struct bench *b = *state;
    int32_t v[3];
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_set(b, "normal_mode", 1), 0);
    b->bus.speed = 400000;
    assert_int_equal(bench_sample(b, v), 0);
    /* start, address, register, start, address, 13 bytes, stop: 147 bits of 2.5 us */
    assert_int_equal(b->clock.bus_ns, 147 * 2500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_example_of_the_data_sheet_comes_out),
        cmocka_unit_test(calibration_bytes_keep_their_signs),
        cmocka_unit_test(integers_agree_with_floating_point_for_100000_chips),
        cmocka_unit_test(any_bytes_give_values_in_range_or_an_error),
#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, bench_free)
        ON_BENCH(it_measures_what_is_there_over_the_whole_range),
        ON_BENCH(forced_mode_waits_as_long_as_the_chip_measures),
        ON_BENCH(a_forced_measurement_is_two_transfers),
        ON_BENCH(a_chip_that_is_not_ready_is_asked_again),
        ON_BENCH(normal_mode_is_set_once_its_first_measurement_is_there),
        ON_BENCH(settings_are_taken_in_normal_mode_too),
        ON_BENCH(a_setting_that_somebody_else_wrote_is_noticed),
        ON_BENCH(normal_mode_is_one_burst),
        ON_BENCH(attributes_are_what_the_chip_took),
        ON_BENCH(oversampling_sees_finer_steps),
        ON_BENCH(the_filter_smooths),
        ON_BENCH(another_chip_is_not_taken_for_it),
        ON_BENCH(nobody_at_the_address_is_told),
        ON_BENCH(a_chip_that_started_anew_fails_and_is_set_up_again),
        ON_BENCH(every_fault_at_every_transfer_is_an_error_and_over_when_it_is),
        ON_BENCH(data_lines_that_stay_low_or_high_are_no_values),
        ON_BENCH(transfers_take_the_time_of_the_wires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

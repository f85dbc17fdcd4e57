/* The CCS811's driver against the simulated chip.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drive.h"

enum { CO2, VOC };

static int setup(void **state)
{
    return bench_new(state, &sm_sim_ccs811, &sm_driver_ccs811, 0x5a);
}

static void it_starts_the_application_and_waits_for_its_first_result(void **state)
{
    struct bench *b = *state;
    int32_t v[2];
    bench_play(b, "co2", 1234000);
    bench_play(b, "voc", 56000);
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(b->waited_ms, 5);
    assert_int_equal(bench_sample(b, v), 0);
    assert_int_equal(b->waited_ms, 1000);
    assert_int_equal(v[CO2], 1234);
    assert_int_equal(v[VOC], 56);
}

static void between_two_results_the_last_one_stands(void **state)
{
    struct bench *b = *state;
    int32_t v[2];
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_sample(b, v), 0);
    bench_play(b, "co2", 2000000);
    bench_wait(b, 500);
    assert_int_equal(bench_sample(b, v), 0);
    assert_int_equal(b->waited_ms, 0);
    assert_int_equal(v[CO2], 450);
    bench_wait(b, 500);
    assert_int_equal(bench_sample(b, v), 0);
    assert_int_equal(v[CO2], 2000);
}

static void the_period_is_the_slowest_that_is_fast_enough(void **state)
{
    static const int64_t cases[][2] = {{1, 1}, {9, 1}, {10, 10}};
    struct bench *b = *state;
    assert_int_equal(bench_start(b), 0);
    for (unsigned i = 0; i < 3; i++) {
        int64_t got;
        int32_t v[2];
        assert_int_equal(bench_set(b, "period", cases[i][0]), 0);
        assert_int_equal(bench_get(b, "period", &got), 0);
        assert_int_equal(got, cases[i][1]);
        assert_int_equal(bench_sample(b, v), 0);
        assert_in_range(b->waited_ms, cases[i][1] * 1000, cases[i][1] * 1000 + 100);
    }
}

/* Sees what goes over the bus, and clears bits of a status that is read. */
struct tap {
    struct sm_bus bus;
    const struct sm_bus *to;
    uint8_t sent[16];
    uint32_t len;
    uint8_t cleared;
    unsigned reading; /* of the status, from 1 on, in which they are */
};

static int tap_transfer(void *ctx, uint8_t address, const uint8_t *out, uint32_t out_len,
                        uint8_t *in, uint32_t in_len)
{
    struct tap *t = ctx;
    t->len = out_len;
    memcpy(t->sent, out, out_len);
    int err = t->to->transfer.i2c(t->to->ctx, address, out, out_len, in, in_len);
    if (out[0] == 0 && in_len == 1 && --t->reading == 0)
        in[0] &= (uint8_t)~t->cleared;
    return err;
}

static void ambient_data_are_in_512ths(void **state)
{
    struct bench *b = *state;
    struct tap tap = {.bus = {"tap", SM_BUS_I2C, &tap, {.i2c = tap_transfer}}, .to = &b->bus.bus};
    static const uint8_t wish[] = {0x05, 0x61, 0x00, 0x61, 0x00}; /* 48.5 %, 23.5 degrees */
    int64_t got;
    b->sensor.bus = &tap.bus;
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_set(b, "ambient_humidity", 48500), 0);
    assert_int_equal(bench_set(b, "ambient_temperature", 23500), 0);
    assert_int_equal(tap.len, sizeof wish);
    assert_memory_equal(tap.sent, wish, sizeof wish);
    assert_int_equal(bench_get(b, "ambient_temperature", &got), 0);
    assert_int_equal(got, 23500);
    assert_int_equal(bench_set(b, "ambient_temperature", -25000), 0);
    assert_int_equal(tap.sent[3] | tap.sent[4], 0);
}

static void a_chip_without_its_program_does_not_start(void **state)
{
    struct bench *b = *state;
    struct tap tap = {.bus = {"tap", SM_BUS_I2C, &tap, {.i2c = tap_transfer}}, .to = &b->bus.bus};
    b->sensor.bus = &tap.bus;
    tap.cleared = 0x10; /* none is there */
    tap.reading = 1;
    assert_int_equal(bench_start(b), SM_ERR_UNSUPPORTED);
    tap.cleared = 0x80; /* it did not begin */
    tap.reading = 2;
    assert_int_equal(bench_start(b), SM_ERR_IO);
    assert_int_equal(bench_start(b), 0);
}

static void an_error_of_the_chip_is_cleared_and_told(void **state)
{
    static const uint8_t wrong[] = {0x20, 0};
    struct bench *b = *state;
    int32_t v[2];
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(b->bus.bus.transfer.i2c(&b->bus, 0x5a, wrong, 2, NULL, 0), 0);
    assert_int_equal(bench_sample(b, v), SM_ERR_IO);
    assert_int_equal(bench_sample(b, v), 0);
}

static void every_fault_is_an_error_and_a_new_start_mends_it(void **state)
{
    static const struct {
        enum sm_sim_fault fault;
        int sample, start;
    } faults[] = {{SM_SIM_NACK, SM_ERR_NOT_FOUND, SM_ERR_NOT_FOUND},
                  {SM_SIM_STUCK, SM_ERR_BUSY, SM_ERR_BUSY},
                  {SM_SIM_TRUNCATED, SM_ERR_IO, SM_ERR_IO},
                  {SM_SIM_ZEROS, SM_ERR_IO, SM_ERR_INVALID},
                  {SM_SIM_ONES, SM_ERR_IO, SM_ERR_INVALID},
                  {SM_SIM_WRONG_ID, 0, SM_ERR_INVALID},
                  {SM_SIM_RESET, SM_ERR_NOT_FOUND, SM_ERR_NOT_FOUND}};
    struct bench *b = *state;
    int32_t v[2];
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        assert_int_equal(bench_start(b), 0);
        assert_int_equal(bench_sample(b, v), 0);
        bench_break(b, faults[i].fault);
        assert_int_equal(bench_sample(b, v), faults[i].sample);
        assert_int_equal(bench_start(b), faults[i].start);
        bench_mend(b);
        bench_wait(b, 20);
    }
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_sample(b, v), 0);
}

static void a_chip_that_fell_back_into_its_boot_program_is_noticed(void **state)
{
    struct bench *b = *state;
    int32_t v[2];
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_sample(b, v), 0);
    sm_sim_power_cycle(&b->chip);
    bench_wait(b, 20);
    assert_int_equal(bench_sample(b, v), SM_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, bench_free)
        ON_BENCH(it_starts_the_application_and_waits_for_its_first_result),
        ON_BENCH(between_two_results_the_last_one_stands),
        ON_BENCH(the_period_is_the_slowest_that_is_fast_enough),
        ON_BENCH(ambient_data_are_in_512ths),
        ON_BENCH(a_chip_without_its_program_does_not_start),
        ON_BENCH(an_error_of_the_chip_is_cleared_and_told),
        ON_BENCH(every_fault_is_an_error_and_a_new_start_mends_it),
        ON_BENCH(a_chip_that_fell_back_into_its_boot_program_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The ADXL345's driver against the simulated chip on SPI.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drive.h"

static int setup(void **state)
{
    return bench_new(state, &sm_sim_adxl345, &sm_driver_adxl345, 2);
}

static void assert_measures(struct bench *b, int32_t x, int32_t y, int32_t z)
{
    const int32_t wish[] = {x, y, z};
    int32_t v[3];
    bench_play(b, "x", x);
    bench_play(b, "y", y);
    bench_play(b, "z", z);
    bench_wait(b, 200);
    assert_int_equal(bench_sample(b, v), 0);
    assert_int_equal(b->waited_ms, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(v[i] - wish[i] + 4, 0, 8); /* 1/256 g */
}

static void it_measures_three_directions(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(b->waited_ms, 13);
    assert_measures(b, 0, 0, 1000);
    assert_measures(b, -1990, 1990, 4);
    assert_measures(b, 500, -250, -125);
}

static void the_range_is_the_least_that_holds_the_wish(void **state)
{
    static const int64_t cases[][2] = {{2, 2}, {3, 4}, {4, 4}, {5, 8}, {9, 16}, {16, 16}};
    struct bench *b = *state;
    assert_int_equal(bench_start(b), 0);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t got;
        int32_t v[3], most = (int32_t)cases[i][1] * 1000;
        assert_int_equal(bench_set(b, "range", cases[i][0]), 0);
        assert_int_equal(bench_get(b, "range", &got), 0);
        assert_int_equal(got, cases[i][1]);
        assert_measures(b, most - 10, -most, 1000);
        bench_play(b, "x", 16000); /* beyond it, the chip gives its most */
        bench_wait(b, 200);
        assert_int_equal(bench_sample(b, v), 0);
        assert_in_range(v[0], most - 8, most);
    }
}

static void the_rate_is_the_least_that_is_fast_enough(void **state)
{
    static const int64_t cases[][3] = {
        {625, 625, 163}, {626, 1250, 83}, {10000, 10000, 13}, {320000, 320000, 3}};
    struct bench *b = *state;
    assert_int_equal(bench_start(b), 0);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t got;
        assert_int_equal(bench_set(b, "rate", cases[i][0]), 0);
        assert_int_equal(b->waited_ms, cases[i][2]);
        assert_int_equal(bench_get(b, "rate", &got), 0);
        assert_int_equal(got, cases[i][1]);
        assert_measures(b, 100, 200, 300);
    }
}

/* A chip whose settings read as they should, and whose data are all ones but for their signs. */
static int beyond(void *ctx, uint8_t select, uint8_t mode, const uint8_t *out, uint8_t *in,
                  uint32_t len)
{
    const struct sm_bus *to = ctx;
    int err = to->transfer.spi(to->ctx, select, mode, out, in, len);
    for (uint32_t i = 7; in && i < len; i++)
        in[i] = i % 2 == 1 ? 0xff : 0x7f;
    return err;
}

static void more_than_16_g_is_no_value(void **state)
{
    struct bench *b = *state;
    struct sm_bus bus = {"beyond", SM_BUS_SPI, &b->bus.bus, {.spi = beyond}};
    int32_t v[3];
    b->sensor.bus = &bus;
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_sample(b, v), SM_ERR_INVALID);
}

static void it_rests_when_stopped(void **state)
{
    struct bench *b = *state;
    int32_t v[3];
    assert_int_equal(bench_start(b), 0);
    bench_stop(b);
    assert_int_equal(bench_sample(b, v), SM_ERR_IO);
}

static void a_register_is_what_was_written_in_spi_mode_3_only(void **state)
{
    struct bench *b = *state;
    static const uint8_t out[2] = {0x80};
    uint8_t in[2];
    for (uint8_t mode = 0; mode < 4; mode++) {
        assert_int_equal(b->bus.bus.transfer.spi(&b->bus, 2, mode, out, in, 2), 0);
        assert_int_equal(in[1], mode == 3 ? 0xe5 : 0xff);
    }
}

static int write_to(struct bench *b, uint8_t reg, uint8_t value)
{
    const uint8_t out[] = {reg, value};
    return b->bus.bus.transfer.spi(&b->bus, 2, 3, out, NULL, 2);
}

static void a_setting_that_somebody_else_wrote_is_noticed(void **state)
{
    static const uint8_t writes[][2] = {{0x2c, 0x0b}, {0x2d, 0}, {0x31, 0}};
    struct bench *b = *state;
    int32_t v[3];
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(bench_start(b), 0);
        assert_int_equal(write_to(b, writes[i][0], writes[i][1]), 0);
        assert_int_equal(bench_sample(b, v), SM_ERR_IO);
    }
}

static void what_was_left_in_the_chip_is_cleared(void **state)
{
    static const uint8_t read[] = {0xb8, 0};
    struct bench *b = *state;
    uint8_t fifo[2];
    for (uint8_t reg = 0x1e; reg <= 0x20; reg++) /* offsets of the axes */
        assert_int_equal(write_to(b, reg, 100), 0);
    assert_int_equal(write_to(b, 0x38, 0x40), 0);
    assert_int_equal(bench_start(b), 0);
    assert_measures(b, 100, 200, 300);
    assert_int_equal(b->bus.bus.transfer.spi(&b->bus, 2, 3, read, fifo, 2), 0);
    assert_int_equal(fifo[1], 0);
}

static void every_fault_is_an_error(void **state)
{
    static const struct {
        enum sm_sim_fault fault;
        int sample, start;
    } faults[] = {{SM_SIM_NACK, SM_ERR_IO, SM_ERR_INVALID},
                  {SM_SIM_STUCK, SM_ERR_BUSY, SM_ERR_BUSY},
                  {SM_SIM_TRUNCATED, SM_ERR_IO, SM_ERR_IO},
                  {SM_SIM_ZEROS, SM_ERR_IO, SM_ERR_INVALID},
                  {SM_SIM_ONES, SM_ERR_IO, SM_ERR_INVALID},
                  {SM_SIM_WRONG_ID, 0, SM_ERR_INVALID},
                  {SM_SIM_RESET, SM_ERR_IO, 0}};
    struct bench *b = *state;
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        int32_t v[3];
        assert_int_equal(bench_start(b), 0);
        bench_break(b, faults[i].fault);
        assert_int_equal(bench_sample(b, v), faults[i].sample);
        assert_int_equal(bench_start(b), faults[i].start);
        bench_mend(b);
        assert_int_equal(bench_start(b), 0);
        assert_measures(b, 100, 200, 300);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, bench_free)
        ON_BENCH(it_measures_three_directions),
        ON_BENCH(the_range_is_the_least_that_holds_the_wish),
        ON_BENCH(the_rate_is_the_least_that_is_fast_enough),
        ON_BENCH(more_than_16_g_is_no_value),
        ON_BENCH(it_rests_when_stopped),
        ON_BENCH(a_register_is_what_was_written_in_spi_mode_3_only),
        ON_BENCH(a_setting_that_somebody_else_wrote_is_noticed),
        ON_BENCH(what_was_left_in_the_chip_is_cleared),
        ON_BENCH(every_fault_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

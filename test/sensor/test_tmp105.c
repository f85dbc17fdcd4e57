/* The driver of TMP105 and LM75 against the simulated chip.
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
    return bench_new(state, &sm_sim_tmp105, &sm_driver_tmp105, 0x48);
}

static int32_t measured(struct bench *b, int32_t played)
{
    int32_t v = 0;
    bench_play(b, "temperature", played);
    bench_wait(b, 300);
    assert_int_equal(bench_sample(b, &v), 0);
    return v;
}

static void it_reads_sixteenths_of_a_degree_at_once(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(b->waited_ms, 301); /* the first one of 12 bits */
    assert_int_equal(measured(b, 21500), 21500);
    assert_int_equal(b->waited_ms, 0);
    assert_int_equal(measured(b, 63), 63); /* 0.0625 */
    assert_int_equal(measured(b, -63), -63);
    assert_int_equal(measured(b, -25000), -25000);
    assert_int_equal(measured(b, -55000), -55000);
    assert_int_equal(measured(b, 127900), 127875);
}

static void resolution_cuts_bits_and_is_quicker(void **state)
{
    struct bench *b = *state;
    int64_t bits;
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_get(b, "resolution", &bits), 0);
    assert_int_equal(bits, 12);
    assert_int_equal(bench_set(b, "resolution", 9), 0);
    assert_int_equal(b->waited_ms, 38);
    assert_int_equal(measured(b, 21900), 21500);
    assert_int_equal(bench_set(b, "resolution", 10), 0);
    assert_int_equal(measured(b, 21900), 21750);
    assert_int_equal(bench_set(b, "resolution", 11), 0);
    assert_int_equal(measured(b, 21900), 21875);
}

static int32_t shown(struct bench *b)
{
    const uint8_t pointer = 0;
    uint8_t bytes[2];
    assert_int_equal(b->bus.bus.transfer.i2c(&b->bus, 0x48, &pointer, 1, bytes, 2), 0);
    return (int16_t)(bytes[0] << 8 | bytes[1]) * 1000 / 256;
}

static void it_rests_when_stopped(void **state)
{
    struct bench *b = *state;
    int32_t v;
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(measured(b, 20000), 20000);
    bench_stop(b);
    bench_play(b, "temperature", 30000);
    bench_wait(b, 1000); /* one conversion may still end, none begins */
    (void)shown(b);
    bench_play(b, "temperature", 40000);
    bench_wait(b, 1000);
    assert_int_equal(shown(b), 30000);
    assert_int_equal(bench_sample(b, &v), SM_ERR_IO);
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(measured(b, 40000), 40000);
}

static void a_chip_that_started_anew_is_not_believed_its_0_degrees(void **state)
{
    struct bench *b = *state;
    int32_t v;
    int64_t bits;
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(measured(b, 20000), 20000);
    sm_sim_power_cycle(&b->chip);
    assert_int_equal(shown(b), 0);
    assert_int_equal(bench_sample(b, &v), SM_ERR_IO);
    assert_int_equal(bench_get(b, "resolution", &bits), SM_ERR_IO);
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(measured(b, 20000), 20000);
}

static void a_right_justified_register_is_refused(void **state)
{
    struct bench *b = *state;
    int32_t v;
    bench_init(b, &sm_sim_right16, &sm_driver_tmp105, 0x48);
    bench_play(b, "temperature", 21500); /* 0x0158: as a TMP105's it would be 1.34 */
    assert_true(bench_start(b) < 0 || bench_sample(b, &v) < 0);
}

/* A chip that only knows the five low bits of its configuration and 9 bits of temperature. */
struct lm75 {
    struct sm_bus bus;
    uint8_t pointer, config, known; /* the bits that it keeps */
};

static int lm75_transfer(void *ctx, uint8_t address, const uint8_t *out, uint32_t out_len,
                         uint8_t *in, uint32_t in_len)
{
    struct lm75 *c = ctx;
    const uint8_t temperature[2] = {0xe7, 0x80}; /* -24.5 */
    if (address != 0x4a)
        return SM_ERR_NOT_FOUND;
    c->pointer = out[0];
    if (out_len == 2)
        c->config = out[1] & c->known;
    if (in_len == 1)
        in[0] = c->config;
    if (in_len == 2)
        memcpy(in, temperature, 2);
    return 0;
}

static void an_lm75_has_nine_bits_and_says_so(void **state)
{
    struct bench *b = *state;
    struct lm75 chip = {.bus = {"lm", SM_BUS_I2C, &chip, {.i2c = lm75_transfer}}, .known = 0x1f};
    int32_t v;
    int64_t bits;
    b->sensor.bus = &chip.bus;
    b->sensor.address = 0x4a;
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(b->waited_ms, 300);
    assert_int_equal(bench_sample(b, &v), 0);
    assert_int_equal(v, -24500);
    assert_int_equal(bench_get(b, "resolution", &bits), 0);
    assert_int_equal(bits, 9);
    assert_int_equal(bench_set(b, "resolution", 12), 0);
    assert_int_equal(bench_get(b, "resolution", &bits), 0);
    assert_int_equal(bits, 9);
    chip.known = 0x3f; /* neither one nor the other */
    assert_int_equal(bench_start(b), SM_ERR_INVALID);
}

static void every_fault_is_an_error(void **state)
{
    static const struct {
        enum sm_sim_fault fault;
        int start, sample;
    } faults[] = {{SM_SIM_NACK, SM_ERR_NOT_FOUND, SM_ERR_NOT_FOUND},
                  {SM_SIM_STUCK, SM_ERR_BUSY, SM_ERR_BUSY},
                  {SM_SIM_TRUNCATED, SM_ERR_IO, SM_ERR_IO},
                  {SM_SIM_ONES, SM_ERR_INVALID, SM_ERR_IO}};
    struct bench *b = *state;
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        int32_t v;
        assert_int_equal(bench_start(b), 0);
        bench_break(b, faults[i].fault);
        assert_int_equal(bench_sample(b, &v), faults[i].sample);
        assert_int_equal(bench_start(b), faults[i].start);
        bench_mend(b);
        assert_int_equal(bench_start(b), 0);
        assert_int_equal(measured(b, 12500), 12500);
    }
}

static void values_walk_there_and_back(void **state)
{
    struct bench *b = *state;
    int32_t v, low = 99999, high = 0;
    assert_int_equal(bench_start(b), 0);
    b->chip.value[0] = (struct sm_sim_value){20000, 24000, 60000};
    for (unsigned s = 0; s < 60; s++) {
        bench_wait(b, 1000);
        assert_int_equal(bench_sample(b, &v), 0);
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    assert_in_range(low, 20000, 20200);
    assert_in_range(high, 23800, 24000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, bench_free)
        ON_BENCH(it_reads_sixteenths_of_a_degree_at_once),
        ON_BENCH(resolution_cuts_bits_and_is_quicker),
        ON_BENCH(it_rests_when_stopped),
        ON_BENCH(a_chip_that_started_anew_is_not_believed_its_0_degrees),
        ON_BENCH(a_right_justified_register_is_refused),
        ON_BENCH(an_lm75_has_nine_bits_and_says_so),
        ON_BENCH(every_fault_is_an_error),
        ON_BENCH(values_walk_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

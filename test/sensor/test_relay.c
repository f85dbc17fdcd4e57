/* The relays' driver against the simulated PCF8574.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drive.h"
#include <sandmote/drivers.h>

static int setup(void **state)
{
    return bench_new(state, &sm_sim_pcf8574, &sm_driver_relay, 0x20);
}

static void relays_close_one_by_one_and_open_at_stop(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"relay0", "relay1", "relay2", "relay3",
                                        "relay4", "relay5", "relay6", "relay7"};
    uint8_t pins = 0xff;
    int64_t closed;
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(sm_sim_pcf8574_pins(&b->chip), 0xff); /* low closes */
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(bench_set(b, names[i], 1), 0);
        pins &= (uint8_t) ~(1u << i);
        assert_int_equal(sm_sim_pcf8574_pins(&b->chip), pins);
        assert_int_equal(bench_get(b, names[i], &closed), 0);
        assert_int_equal(closed, 1);
    }
    assert_int_equal(bench_set(b, "relay3", 0), 0);
    assert_int_equal(sm_sim_pcf8574_pins(&b->chip), 0x08);
    assert_int_equal(bench_get(b, "relay3", &closed), 0);
    assert_int_equal(closed, 0);
    bench_stop(b);
    assert_int_equal(sm_sim_pcf8574_pins(&b->chip), 0xff);
}

static void boards_that_close_with_high_are_served(void **state)
{
    struct bench *b = *state;
    struct sm_relay_wiring wiring = {.active_high = true};
    b->sensor.ctx = &wiring;
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(sm_sim_pcf8574_pins(&b->chip), 0);
    assert_int_equal(bench_set(b, "relay7", 1), 0);
    assert_int_equal(sm_sim_pcf8574_pins(&b->chip), 0x80);
    bench_stop(b);
    assert_int_equal(sm_sim_pcf8574_pins(&b->chip), 0);
}

static void a_chip_that_lost_its_outputs_is_never_taken_for_set(void **state)
{
    struct bench *b = *state;
    int64_t closed;
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_set(b, "relay0", 1), 0);
    sm_sim_power_cycle(&b->chip);
    assert_int_equal(bench_get(b, "relay0", &closed), SM_ERR_IO);
    assert_int_equal(bench_sample(b, NULL), SM_ERR_IO);
    assert_int_equal(bench_set(b, "relay1", 1), SM_ERR_IO);
    assert_int_equal(sm_sim_pcf8574_pins(&b->chip), 0xff); /* relay0 was not closed again by that */
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_get(b, "relay0", &closed), 0);
    assert_int_equal(closed, 0);
}

static void every_fault_is_an_error(void **state)
{
    static const struct {
        enum sm_sim_fault fault;
        int err;
    } faults[] = {{SM_SIM_NACK, SM_ERR_NOT_FOUND},
                  {SM_SIM_STUCK, SM_ERR_BUSY},
                  {SM_SIM_TRUNCATED, SM_ERR_IO},
                  {SM_SIM_ZEROS, SM_ERR_IO},
                  {SM_SIM_ONES, SM_ERR_IO}};
    struct bench *b = *state;
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        assert_int_equal(bench_start(b), 0);
        assert_int_equal(bench_set(b, "relay5", 1), 0);
        bench_break(b, faults[i].fault);
        assert_int_equal(bench_set(b, "relay0", 1), faults[i].err);
        bench_mend(b);
        assert_int_equal(sm_sim_pcf8574_pins(&b->chip) & 1, 1); /* still open */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, bench_free)
        ON_BENCH(relays_close_one_by_one_and_open_at_stop),
        ON_BENCH(boards_that_close_with_high_are_served),
        ON_BENCH(a_chip_that_lost_its_outputs_is_never_taken_for_set),
        ON_BENCH(every_fault_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The golden module: what runs when no application may. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "rig.h"

enum { GOLDEN = 7 }; /* its sequence, by which it is known here */

static struct flash_sim sim;
static struct module golden;

static int setup(void **state)
{
    (void)state;
    sim_init(&sim, 1024, 64, 8, 0xff);
    rig_init(rig, &sim);
    golden = rig_make(&(struct recipe){.wat = "plain", .sequence = GOLDEN, .name = "golden"});
    rig_golden(rig, &golden);
    return rig_boot(rig);
}

static int teardown(void **state)
{
    (void)state;
    rig_drop(&golden);
    sim_free(&sim);
    return 0;
}

static void install(const struct recipe *recipe, const char *action)
{
    struct module m = rig_make(recipe);

    rig_report(rig);
    assert_int_equal(rig_install(rig, &m, action), 0);
    rig_drop(&m);
}

static void it_runs_on_blank_flash_and_writes_nothing(void **state)
{
    struct sm_app_info info;

    (void)state;
    rig_run(rig, 1000);
    assert_true(sm_device_golden_runs(&rig->dev));
    assert_int_equal(rig_runs(rig, 0), GOLDEN);
    assert_true(rig_told(rig, SM_EVENT_STARTED, NULL));
    assert_int_equal(sim.ops, 0);
    assert_int_equal(sm_device_app(&rig->dev, 0, &info), SM_ERR_NOT_FOUND);
    assert_int_equal(rig_report(rig), 0);
}

static void it_gives_way_to_an_application_in_any_place(void **state)
{
    (void)state;
    rig_run(rig, 100);
    install(&(struct recipe){.wat = "plain", .sequence = 2}, "1");
    rig_run(rig, 1000);
    assert_false(sm_device_golden_runs(&rig->dev));
    assert_int_equal(rig_runs(rig, 0), 2);
    rig_report(rig);
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 100);
    assert_int_equal(rig_runs(rig, 0), 2);
}

static void it_takes_over_when_the_only_application_is_given_up(void **state)
{
    (void)state;
    install(&(struct recipe){.wat = "trap_start", .sequence = 2}, "1");
    rig_run(rig, 1000);
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
    assert_int_equal(rig_runs(rig, 0), GOLDEN);
}

static void it_takes_over_when_the_last_of_several_is_given_up(void **state)
{
    (void)state;
    install(&(struct recipe){.wat = "trap_start", .sequence = 2}, "1");
    install(&(struct recipe){.wat = "sick", .sequence = 3, .name = "other", .timeout_ms = 300},
            "2");
    rig_run(rig, 200);
    assert_false(sm_device_golden_runs(&rig->dev));
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 1), 0);
    assert_int_equal(rig_runs(rig, 0), GOLDEN);
}

static void a_rotten_one_is_refused_and_not_tried_again(void **state)
{
    struct rig_event e;

    (void)state;
    golden.bytes[golden.len - 1] ^= 1;
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 0);
    assert_true(rig_told(rig, SM_EVENT_REFUSED, &e));
    assert_string_equal(e.detail, "the golden module's signature is not good");
    assert_int_equal(rig->nevents, 1);
    assert_int_equal(sm_device_step(&rig->dev, rig->now_ms), UINT32_MAX);
}

static void one_without_room_for_its_image_is_refused(void **state)
{
    (void)state;
    rig->golden.image_size = 100;
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 0);
    assert_true(rig_told(rig, SM_EVENT_REFUSED, NULL));
}

static void one_that_traps_is_started_later_and_later(void **state)
{
    (void)state;
    rig_drop(&golden);
    golden = rig_make(&(struct recipe){.wat = "trap_start", .sequence = GOLDEN, .name = "golden"});
    rig_golden(rig, &golden);
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 100);
    assert_int_equal(rig->nevents, 2); /* a start and a trap */
    rig_run(rig, 2950);
    assert_int_equal(rig->nevents, 6); /* again after 1 s and after 2 s more */
    assert_int_equal(sim.ops, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_runs_on_blank_flash_and_writes_nothing),
        T(it_gives_way_to_an_application_in_any_place),
        T(it_takes_over_when_the_only_application_is_given_up),
        T(it_takes_over_when_the_last_of_several_is_given_up),
        T(a_rotten_one_is_refused_and_not_tried_again),
        T(one_without_room_for_its_image_is_refused),
        T(one_that_traps_is_started_later_and_later),
    };
    return cmocka_run_group_tests(tests, rig_once, rig_end);
}

/* What happens again and again: a module that hangs the device whenever it is called, a release
 * that fails in each deployment, releases that all come to nothing.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "rig.h"

enum { GOLDEN = 7, MINUTE_MS = 60000, HOUR_MS = 3600000 };

static struct flash_sim sim;

static int setup(void **state)
{
    (void)state;
    sim_init(&sim, 512, 128, 8, 0xff);
    rig_init(rig, &sim);
    return rig_boot(rig);
}

static int teardown(void **state)
{
    (void)state;
    sim_free(&sim);
    return 0;
}

/* What `install` returned; the module is the same whenever the recipe is. */
static int install(const struct recipe *recipe, const char *action)
{
    struct module m = rig_make(recipe);

    rig_report(rig);
    int err = rig_install(rig, &m, action);
    rig_drop(&m);
    return err;
}

static const struct recipe plain = {.wat = "plain", .sequence = 2};
/* It logs at each tick. */
static const struct recipe logging = {.wat = "good", .sequence = 3, .capability = {"log"}};

static void commit(const struct recipe *recipe, const char *action)
{
    assert_int_equal(install(recipe, action), 0);
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), recipe->sequence);
    rig_report(rig);
}

/* ---- Hangs ----------------------------------------------------------------------------------- */

static void a_committed_module_that_hangs_three_times_gives_way(void **state)
{
    struct rig_event e;

    (void)state;
    commit(&plain, "1");
    commit(&logging, "2");
    rig->log_hangs = true;
    for (unsigned i = 1; i < 3; i++) {
        assert_true(rig_hangs(rig, 1000));
        assert_int_equal(rig->records[0].trap_count, i);
        assert_true(rig_told(rig, SM_EVENT_EPOCH, &e));
        assert_string_equal(e.detail, "did not return until the watchdog reset the device");
        assert_false(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
    }
    assert_true(rig_hangs(rig, 1000));
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, &e));
    assert_int_equal(e.sequence, 3);
    assert_false(rig_hangs(rig, 1000));
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_true(rig_report(rig) > 0);
}

static void one_on_trial_that_hangs_gives_way_at_once(void **state)
{
    (void)state;
    commit(&plain, "1");
    assert_int_equal(install(&logging, "2"), 0);
    rig->log_hangs = true;
    assert_true(rig_hangs(rig, 1000));
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
    assert_false(rig_hangs(rig, 1000));
    assert_int_equal(rig_runs(rig, 0), 2);
}

static void power_cuts_are_no_hangs(void **state)
{
    (void)state;
    commit(&plain, "1");
    commit(&logging, "2");
    rig_run(rig, 250);
    rig->called = 0x5a5a5a5a; /* what memory holds after power was away */
    uint64_t seq = rig->records[0].seq;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig->records[0].seq, seq);
    assert_int_equal(rig->records[0].trap_count, 0);
}

static void a_device_that_hangs_elsewhere_blames_nobody(void **state)
{
    (void)state;
    commit(&logging, "1");
    rig_run(rig, 250);
    assert_int_equal(rig->called, 0);
}

static void what_is_no_name_of_a_module_is_passed_over(void **state)
{
    static const uint32_t words[] = {1, 0xca110003, 0xca11fffd, 0xca110001, 0xca110002, 0xffffffff};

    (void)state;
    commit(&logging, "1"); /* in slot 0 */
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        rig->log_hangs = true;
        assert_true(setjmp(rig->watchdog) != 0 || (rig_run(rig, 1000), false));
        rig->log_hangs = false;
        rig->called = words[i];
        uint64_t seq = rig->records[0].seq;
        assert_int_equal(
            sm_device_start(&rig->dev, &rig->cfg, rig->apps, rig->records, rig->now_ms), 0);
        assert_int_equal(rig->records[0].seq, seq);
        assert_int_equal(rig->called, 0);
    }
}

static void one_with_nothing_to_go_back_to_rests_an_hour_after_three(void **state)
{
    struct module golden =
        rig_make(&(struct recipe){.wat = "plain", .sequence = GOLDEN, .name = "golden"});
    unsigned hangs = 0;

    (void)state;
    commit(&logging, "1");
    rig_golden(rig, &golden);
    rig->log_hangs = true;
    for (unsigned i = 0; i < 3; i++)
        assert_true(rig_hangs(rig, 1000));
    assert_false(rig_hangs(rig, 1000));
    assert_int_equal(rig_runs(rig, 0), GOLDEN);
    assert_false(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
    for (uint64_t end = rig->now_ms + 24ull * HOUR_MS; rig->now_ms < end;)
        hangs += rig_hangs(rig, MINUTE_MS);
    assert_in_range(hangs, 50, 75); /* that is what a day costs the flash */
    rig->log_hangs = false;
    for (unsigned i = 0; i < 61; i++)
        rig_run(rig, MINUTE_MS);
    assert_int_equal(rig_runs(rig, 0), 3);
    rig_drop(&golden);
}

static void a_golden_module_that_hangs_is_not_called_again(void **state)
{
    struct module golden = rig_make(&(struct recipe){
        .wat = "good", .sequence = GOLDEN, .name = "golden", .capability = {"log"}});
    struct rig_event e;

    (void)state;
    rig_golden(rig, &golden);
    rig->log_hangs = true;
    assert_int_equal(rig_boot(rig), 0);
    assert_true(rig_hangs(rig, 1000));
    assert_false(rig_hangs(rig, 2 * HOUR_MS));
    assert_true(rig_told(rig, SM_EVENT_REFUSED, &e));
    assert_string_equal(e.name, SM_DEVICE_GOLDEN_NAME);
    assert_int_equal(sim.ops, 0);
    rig_drop(&golden);
}

/* ---- Deployments ----------------------------------------------------------------------------- */

static const struct recipe bad = {.wat = "trap_start", .sequence = 3};

static void a_release_that_failed_is_not_what_a_failing_one_gives_way_to(void **state)
{
    (void)state;
    commit(&(struct recipe){.wat = "trap_fourth", .sequence = 2}, "1");
    assert_int_equal(install(&bad, "2"), 0);
    rig_run(rig, 100);
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
    rig->nevents = 0;
    for (unsigned i = 0; i < 60; i++) { /* it traps and traps, and nothing else is started */
        rig->nevents = 0;
        rig_run(rig, MINUTE_MS);
        for (unsigned k = 0; k < rig->nevents; k++)
            assert_int_equal(rig->events[k].sequence, 2);
    }
    assert_int_equal(rig->records[0].active, 0);
}

static void a_release_has_three_deployments_to_fail_in(void **state)
{
    char action[8];

    (void)state;
    commit(&plain, "1");
    for (unsigned i = 0; i < 3; i++) {
        snprintf(action, sizeof action, "%u", 10 + i);
        assert_int_equal(install(&bad, action), 0);
        rig_run(rig, 1000);
        assert_int_equal(rig_runs(rig, 0), 2);
    }
    rig_report(rig);
    rig_run(rig, 1000);
    uint64_t ops = sim.ops;
    for (unsigned i = 0; i < 24; i++) { /* a deployment each hour, and restarts */
        snprintf(action, sizeof action, "%u", 20 + i);
        assert_int_equal(install(&bad, action), SM_ERR_DENIED);
        assert_string_equal(sm_device_reason(&rig->dev), "this module failed in 3 deployments");
        rig_run(rig, HOUR_MS);
        assert_int_equal(rig_boot(rig), 0);
        rig_run(rig, 100);
    }
    assert_int_equal(sim.ops, ops);
    commit(&(struct recipe){.wat = "plain", .sequence = 4}, "50"); /* a better one is taken */
}

/* How many of releases that are all different and all bad are begun when one is offered each
 * second. */
static unsigned begun_within(uint32_t ms)
{
    struct recipe r = {.wat = "trap_start", .sequence = 100};
    struct module m = rig_make(&r);
    unsigned begun = 0;
    char action[16];

    for (uint32_t i = 0; i < ms / 1000; i++) {
        snprintf(action, sizeof action, "d%u", (unsigned)i);
        rig->nevents = 0;
        rig_report(rig);
        int err = rig_install(rig, &m, action);
        if (err == 0) {
            begun++;
            r.sequence++;
            rig_drop(&m);
            m = rig_make(&r);
        } else {
            assert_int_equal(err, SM_ERR_BUSY);
        }
        rig_run(rig, 1000);
    }
    rig_drop(&m);
    return begun;
}

static void releases_that_come_to_nothing_have_to_wait_longer_and_longer(void **state)
{
    (void)state;
    rig->cfg.free_installs = 0;
    assert_int_equal(rig_boot(rig), 0);
    commit(&plain, "1");
    /* Four, and after 1, 2, 4, 8, 16, 32 minutes one each; then one an hour. */
    assert_int_equal(begun_within(3 * HOUR_MS), 4 + 6 + 1);
    assert_non_null(strstr(sm_device_reason(&rig->dev), "installations without a commit"));
    rig_run(rig, HOUR_MS);
    commit(&(struct recipe){.wat = "plain", .sequence = 20000}, "50");
    /* A commit forgives. */
    for (unsigned i = 0; i < 4; i++) {
        char action[8];
        snprintf(action, sizeof action, "%u", 60 + i);
        assert_int_equal(
            install(&(struct recipe){.wat = "trap_start", .sequence = 20001 + i}, action), 0);
        rig_run(rig, 100);
    }
}

static void a_download_that_breaks_may_go_on_at_any_time(void **state)
{
    struct module m = rig_make(&plain);

    (void)state;
    rig->cfg.free_installs = 1;
    assert_int_equal(rig_boot(rig), 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(rig_begin(rig, &m, "1"), 0);
        sm_device_install_suspend(&rig->dev);
    }
    assert_int_equal(rig_install(rig, &m, "1"), 0);
    rig_drop(&m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_committed_module_that_hangs_three_times_gives_way),
        T(one_on_trial_that_hangs_gives_way_at_once),
        T(power_cuts_are_no_hangs),
        T(a_device_that_hangs_elsewhere_blames_nobody),
        T(what_is_no_name_of_a_module_is_passed_over),
        T(one_with_nothing_to_go_back_to_rests_an_hour_after_three),
        T(a_golden_module_that_hangs_is_not_called_again),
        T(a_release_that_failed_is_not_what_a_failing_one_gives_way_to),
        T(a_release_has_three_deployments_to_fail_in),
        T(releases_that_come_to_nothing_have_to_wait_longer_and_longer),
        T(a_download_that_breaks_may_go_on_at_any_time),
    };
    return cmocka_run_group_tests(tests, rig_once, rig_end);
}

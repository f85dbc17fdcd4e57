/* The supervisor, case by case: installs, refusals, trials, traps, rollbacks, several modules.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "rig.h"

static struct flash_sim sim;

static int setup(void **state)
{
    (void)state;
    sim_init(&sim, 512, 128, 8, 0xff);
    rig = aligned_alloc(64, (sizeof *rig + 63) / 64 * 64);
    rig_init(rig, &sim);
    assert_int_equal(rig_boot(rig), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(rig);
    sim_free(&sim);
    return 0;
}

/* Install a module that must be taken, let it run, and report. */
static void install(const struct recipe *recipe, const char *action)
{
    struct module m = rig_make(recipe);

    rig_report(rig);
    int err = rig_install(rig, &m, action);
    if (err)
        fail_msg("%s: %s", recipe->wat, sm_device_reason(&rig->dev));
    rig_drop(&m);
}

/* A module that must be refused for this reason, while what ran runs on. */
static void refuse(const struct recipe *recipe, int err, const char *reason)
{
    static unsigned deployment = 1000;
    uint64_t before = rig_runs(rig, 0);
    struct module m = rig_make(recipe);
    struct rig_event e;
    char action[12];

    rig_report(rig);
    rig->nevents = 0;
    snprintf(action, sizeof action, "%u", deployment++);
    assert_int_equal(rig_install(rig, &m, action), err);
    if (!strstr(sm_device_reason(&rig->dev), reason))
        fail_msg("reason is: %s", sm_device_reason(&rig->dev));
    assert_true(rig_told(rig, SM_EVENT_REFUSED, &e));
    assert_memory_equal(e.detail, sm_device_reason(&rig->dev),
                        strlen(e.detail) < 79 ? strlen(e.detail) : 79);
    rig_run(rig, 500);
    assert_int_equal(rig_runs(rig, 0), before);
    /* The same deployment does not bring it again. */
    rig_report(rig);
    assert_int_equal(rig_begin(rig, &m, action), SM_ERR_DENIED);
    rig_drop(&m);
}

static const struct recipe good = {.wat = "good", .sequence = 2, .floor = 1, .capability = {"log"}};

static void run_good_v2(void)
{
    install(&good, "1");
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
    rig_report(rig);
}

static void no_module_no_run(void **state)
{
    struct sm_app_info info;

    (void)state;
    assert_int_equal(sm_device_step(&rig->dev, rig->now_ms), UINT32_MAX);
    assert_int_equal(sm_device_app(&rig->dev, 0, &info), SM_ERR_NOT_FOUND);
}

static void a_healthy_module_is_committed_after_its_good_ticks(void **state)
{
    struct sm_app_info info;

    (void)state;
    install(&good, "1");
    assert_true(rig_told(rig, SM_EVENT_INSTALLED, NULL));
    assert_int_equal(sm_device_step(&rig->dev, rig->now_ms), 0);
    assert_true(rig_told(rig, SM_EVENT_TRIAL, NULL));
    assert_int_equal(sm_device_app(&rig->dev, 0, &info), 0);
    assert_true(info.trial);
    assert_int_equal(info.record->boots_left, 2);
    rig_run(rig, 250);
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
    assert_int_equal(rig->log_lines, 3);
    assert_int_equal(sm_device_app(&rig->dev, 0, &info), 0);
    assert_false(info.trial);
    assert_int_equal(info.record->floor, 1);
    assert_int_equal(rig_runs(rig, 0), 2);
}

static void a_committed_module_runs_after_a_restart_and_writes_nothing(void **state)
{
    (void)state;
    run_good_v2();
    rig_run(rig, 100); /* the reports leave the record */
    assert_int_equal(rig_boot(rig), 0);
    sim_power(&sim, UINT64_MAX);
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_int_equal(sim.ops, 0);
}

static void an_update_replaces_a_running_module_and_the_other_runs_on(void **state)
{
    const struct recipe other = {.wat = "plain", .name = "heartbeat", .sequence = 9};
    const struct recipe v3 = {.wat = "plain", .sequence = 3};

    (void)state;
    run_good_v2();
    install(&other, "2");
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 1), 9);
    uint32_t before = rig->apps[1].good_ticks;
    install(&v3, "3");
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 3);
    assert_int_equal(rig_runs(rig, 1), 9);
    assert_int_equal(rig->apps[1].good_ticks, before + 10);
}

static void every_event_waits_until_the_server_has_it(void **state)
{
    static const enum sm_event_kind kinds[] = {SM_EVENT_INSTALLED, SM_EVENT_TRIAL,
                                               SM_EVENT_COMMITTED};
    struct sm_event e;
    uint64_t ids[3];

    (void)state;
    install(&good, "55");
    rig_run(rig, 1000);
    assert_int_equal(rig_boot(rig), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(sm_device_event_at(&rig->dev, i, &e), 0);
        ids[i] = e.id;
        assert_int_equal(e.kind, kinds[i]);
        assert_string_equal(e.action, "55");
        assert_string_equal(e.version, "2.0");
    }
    assert_int_equal(sm_device_event_at(&rig->dev, 3, &e), SM_ERR_NOT_FOUND);
    assert_true(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    assert_int_equal(sm_device_event_done(&rig->dev, ids[1]), 0);
    assert_int_equal(sm_device_event_done(&rig->dev, ids[1]), SM_ERR_NOT_FOUND);
    rig_run(rig, 100);
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(sm_device_event_at(&rig->dev, 1, &e), 0);
    assert_int_equal(e.id, ids[2]);
    assert_int_equal(sm_device_event_at(&rig->dev, 2, &e), SM_ERR_NOT_FOUND);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void bad_modules_are_refused_and_the_running_one_is_untouched(void **state)
{
    (void)state;
    run_good_v2();
    const struct {
        struct recipe r;
        int err;
        const char *reason;
    } cases[] = {
        {{.wat = "plain", .sequence = 3, .how = SIGNED_BY_STRANGER}, SM_ERR_SIGNATURE, "signature"},
        {{.wat = "plain", .sequence = 3, .how = SIGNED_SHORT}, SM_ERR_SIGNATURE, "signature"},
        {{.wat = "plain", .sequence = 3, .how = SIGNED_BY_OTHER_FLEET}, SM_ERR_KEY, "key"},
        {{.wat = "plain", .sequence = 3, .fleet = "orchard", .how = SIGNED_BY_OTHER_FLEET},
         SM_ERR_DENIED,
         "is for fleet orchard, this device is of fleet greenhouse"},
        {{.wat = "plain", .sequence = 3, .no_manifest = true}, SM_ERR_NOT_FOUND, "manifest"},
        {{.wat = "plain", .sequence = 3, .classes = 1}, SM_ERR_DENIED, "not for class gateway"},
        {{.wat = "plain", .sequence = 2, .period_ms = 33}, SM_ERR_ROLLBACK, "not above 2"},
        {{.wat = "plain", .sequence = 1}, SM_ERR_ROLLBACK, "sequence 1 is not above 2"},
        {{.wat = "plain", .sequence = 3, .interface = 4}, SM_ERR_UNSUPPORTED, "interface 4"},
        {{.wat = "plain", .sequence = 3, .memory = 1ull << 29},
         SM_ERR_LIMIT,
         "needs 536870912 bytes of memory, this device gives 268435456"},
        {{.wat = "big", .sequence = 3, .memory = 131072},
         SM_ERR_LIMIT,
         "declares 196608 bytes of memory, its manifest says 131072"},
        {{.wat = "good", .sequence = 3, .memory = 19, .capability = {"log"}},
         SM_ERR_LIMIT,
         "its initial data ends at 20, its manifest says 19 bytes of memory"},
        {{.wat = "plain", .sequence = 3, .stack = 1 << 20}, SM_ERR_LIMIT, "stack"},
        {{.wat = "plain", .sequence = 3, .timeout_ms = 700000}, SM_ERR_LIMIT, "700000 ms"},
        {{.wat = "plain", .sequence = 3, .capability = {"log", "network/mqtt", "reboot"}},
         SM_ERR_DENIED,
         "not granted here: network/mqtt, reboot"},
        {{.wat = "good", .sequence = 3}, SM_ERR_DENIED, "imports sandmote.log"},
        {{.wat = "sensor", .sequence = 3, .capability = {"log"}}, SM_ERR_DENIED, "wasi_sn.read"},
        {{.wat = "stranger", .sequence = 3}, SM_ERR_LINK, "imports sandmote.reflash"},
        {{.wat = "mistyped", .sequence = 3, .capability = {"log"}}, SM_ERR_LINK, "sandmote.log"},
        {{.wat = "noentry", .sequence = 3}, SM_ERR_NOT_FOUND, "does not export its entry"},
        {{.wat = "oddentry", .sequence = 3}, SM_ERR_INVALID, "takes or returns values"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(&cases[i].r, cases[i].err, cases[i].reason);
    printf("  %u kinds of bad modules\n", (unsigned)(sizeof cases / sizeof *cases));
}

static void below_the_floor_nothing_is_installed_even_without_a_committed_module(void **state)
{
    const struct recipe v5 = {.wat = "trap_fourth", .sequence = 5, .floor = 5, .good_ticks = 2};
    const struct recipe v4 = {.wat = "plain", .sequence = 4};
    struct module m;

    (void)state;
    run_good_v2();
    install(&v5, "2");
    rig_run(rig, 2000); /* committed with floor 5, then traps; 2 is below the floor now */
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
    assert_int_equal(rig->records[0].floor, 5);
    rig_run(rig, 20000);
    assert_int_not_equal(rig_runs(rig, 0), 2);
    assert_int_equal(sm_device_rollback(&rig->dev, "thermostat", "by hand"), SM_ERR_ROLLBACK);
    m = rig_make(&v4);
    rig_report(rig);
    assert_int_equal(rig_install(rig, &m, "3"), SM_ERR_ROLLBACK);
    assert_non_null(strstr(sm_device_reason(&rig->dev), "below the security floor 5"));
    rig_drop(&m);
}

static void every_flipped_bit_of_a_module_is_refused(void **state)
{
    struct module m;
    char action[12];
    unsigned tried = 0;

    (void)state;
    run_good_v2();
    m = rig_make(&(struct recipe){.wat = "plain", .sequence = 3});
    for (uint32_t bit = 0; bit < 8 * m.len; bit++, tried++) {
        m.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        sm_sha256(m.bytes, m.len, m.sha);
        snprintf(action, sizeof action, "%u", bit);
        rig_report(rig);
        rig->nevents = 0;
        assert_int_equal(rig_install(rig, &m, action), SM_ERR_SIGNATURE);
        m.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    printf("  %u flipped bits\n", tried);
    rig_run(rig, 500);
    assert_int_equal(rig_runs(rig, 0), 2);
    sm_sha256(m.bytes, m.len, m.sha);
    rig_report(rig);
    assert_int_equal(rig_install(rig, &m, "last"), 0);
    rig_drop(&m);
}

static void bytes_that_are_not_those_announced_are_a_failed_download(void **state)
{
    struct module m = rig_make(&(struct recipe){.wat = "plain", .sequence = 3});
    struct rig_event e;

    (void)state;
    m.bytes[20] ^= 1;
    assert_int_equal(rig_install(rig, &m, "1"), SM_ERR_CORRUPT);
    assert_true(rig_told(rig, SM_EVENT_DOWNLOAD_FAILED, &e));
    assert_non_null(strstr(e.detail, "hash"));
    m.bytes[20] ^= 1;
    rig_report(rig);
    assert_int_equal(rig_install(rig, &m, "1"), 0); /* the module is not to blame: tried again */
    rig_drop(&m);
}

static void too_many_bytes_and_too_few_are_noticed(void **state)
{
    struct module m = rig_make(&(struct recipe){.wat = "plain", .sequence = 3});

    (void)state;
    assert_int_equal(rig_begin(rig, &m, "1"), 0);
    assert_int_equal(sm_device_install_write(&rig->dev, m.bytes, m.len - 1), 0);
    assert_int_equal(sm_device_install_finish(&rig->dev), SM_ERR_STATE);
    assert_int_equal(sm_device_install_write(&rig->dev, m.bytes, 2), SM_ERR_LIMIT);
    assert_int_equal(sm_device_install_write(&rig->dev, m.bytes, 1), SM_ERR_STATE);
    assert_true(rig_told(rig, SM_EVENT_DOWNLOAD_FAILED, NULL));
    m.len = 1 << 20;
    rig_report(rig);
    assert_int_equal(rig_begin(rig, &m, "2"), SM_ERR_LIMIT);
    rig_drop(&m);
}

static void an_installation_can_be_given_up_for_either_reason(void **state)
{
    struct module m = rig_make(&(struct recipe){.wat = "plain", .sequence = 3});
    struct rig_event e;

    (void)state;
    assert_int_equal(sm_device_install_abort(&rig->dev, 0, "gone"), SM_ERR_STATE);
    assert_int_equal(rig_begin(rig, &m, "1"), 0);
    assert_int_equal(sm_device_install_abort(&rig->dev, 0, "cut off"), 0);
    assert_true(rig_told(rig, SM_EVENT_DOWNLOAD_FAILED, &e));
    assert_string_equal(e.detail, "cut off");
    rig_report(rig);
    assert_int_equal(rig_begin(rig, &m, "1"), 0);
    assert_int_equal(sm_device_install_abort(&rig->dev, SM_ERR_SIGNATURE, "unsigned"), 0);
    assert_true(rig_told(rig, SM_EVENT_REFUSED, &e));
    rig_report(rig);
    assert_int_equal(rig_begin(rig, &m, "1"), SM_ERR_DENIED);
    rig_drop(&m);
}

static void an_unreported_outcome_keeps_its_slot(void **state)
{
    struct module m = rig_make(&(struct recipe){.wat = "plain", .sequence = 3});

    (void)state;
    run_good_v2();
    refuse(&(struct recipe){.wat = "plain", .sequence = 1}, SM_ERR_ROLLBACK, "not above");
    rig_report(rig);
    struct module bad = rig_make(&(struct recipe){.wat = "noentry", .sequence = 4});
    assert_int_equal(rig_install(rig, &bad, "9"), SM_ERR_NOT_FOUND);
    assert_int_equal(rig_install(rig, &m, "10"), SM_ERR_BUSY);
    rig_report(rig);
    assert_int_equal(rig_install(rig, &m, "10"), 0);
    rig_drop(&m);
    rig_drop(&bad);
}

static void more_names_than_places_are_refused(void **state)
{
    const struct recipe other = {.wat = "plain", .name = "heartbeat", .sequence = 9};
    struct module third = rig_make(&(struct recipe){.wat = "plain", .name = "third"});

    (void)state;
    run_good_v2();
    install(&other, "2");
    assert_int_equal(rig_install(rig, &third, "3"), SM_ERR_LIMIT);
    assert_non_null(strstr(sm_device_reason(&rig->dev), "third"));
    rig_drop(&third);
}

/* ---- Resume ---------------------------------------------------------------------------------- */

static void a_broken_download_goes_on_where_it_was(void **state)
{
    struct module m =
        rig_make(&(struct recipe){.wat = "sensor", .sequence = 3, .capability = {"sensor/*"}});
    struct sm_store_cfg *store = &rig->cfg.store;

    (void)state;
    store->checkpoint_size = 128;
    sim_free(&sim);
    sim_init(&sim, 128, 512, 8, 0xff);
    rig->cfg.flash = &sim.flash;
    assert_int_equal(rig_boot(rig), 0);
    assert_true(m.len > 300);
    assert_int_equal(rig_begin(rig, &m, "1"), 0);
    assert_int_equal(sm_device_install_write(&rig->dev, m.bytes, 300), 0);
    assert_int_equal(rig_boot(rig), 0); /* killed: a checkpoint remembers some */
    assert_int_equal(rig_begin(rig, &m, "1"), 192);
    assert_int_equal(sm_device_install_write(&rig->dev, m.bytes + 192, 130), 0);
    sm_device_install_suspend(&rig->dev); /* the connection breaks: all whole sectors are kept */
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_begin(rig, &m, "2"), 320);
    assert_int_equal(sm_device_install_write(&rig->dev, m.bytes + 320, m.len - 320), 0);
    assert_int_equal(sm_device_install_finish(&rig->dev), 0);
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 3);
    rig_drop(&m);
}

static void another_module_does_not_go_on_with_the_first_ones_bytes(void **state)
{
    struct module a =
        rig_make(&(struct recipe){.wat = "good", .sequence = 3, .capability = {"log"}});
    struct module b =
        rig_make(&(struct recipe){.wat = "good", .sequence = 4, .capability = {"log"}});

    (void)state;
    rig->cfg.store.checkpoint_size = 128;
    sim_free(&sim);
    sim_init(&sim, 128, 512, 8, 0xff);
    rig->cfg.flash = &sim.flash;
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_begin(rig, &a, "1"), 0);
    assert_int_equal(sm_device_install_write(&rig->dev, a.bytes, 200), 0);
    sm_device_install_suspend(&rig->dev);
    b.sig[3] ^= 1;
    memcpy(b.sha, a.sha, 32);
    assert_int_equal(rig_begin(rig, &b, "1"), 0); /* another signature: from the beginning */
    rig_drop(&a);
    rig_drop(&b);
}

/* ---- Trials ---------------------------------------------------------------------------------- */

/* After v2, a module whose trial fails: v2 runs, the failed one is kept, and why is known. */
static void trial_fails(const struct recipe *r, enum sm_event_kind kind, const char *why)
{
    struct rig_event e;
    struct module m = rig_make(r);

    run_good_v2();
    rig->nevents = 0;
    rig_report(rig);
    assert_int_equal(rig_install(rig, &m, "2"), 0);
    rig_run(rig, 10000);
    assert_true(rig_told(rig, kind, &e));
    if (!strstr(e.detail, why))
        fail_msg("detail is: %s", e.detail);
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, &e));
    assert_int_equal(e.sequence, r->sequence);
    assert_int_equal(rig_runs(rig, 0), 2);
    struct sm_app_info info;
    assert_int_equal(sm_device_app(&rig->dev, 0, &info), 0);
    const struct sm_slot *failed = &info.record->slot[!info.record->active];
    assert_int_equal(failed->state, SM_SLOT_FAILED);
    assert_memory_equal(failed->module_sha, m.sha, 32);
    assert_int_equal(info.record->floor, 1);
    /* Not again in this deployment, but in the operator's next. */
    rig_report(rig);
    assert_int_equal(rig_begin(rig, &m, "2"), SM_ERR_DENIED);
    assert_int_equal(rig_begin(rig, &m, "3"), 0);
    sm_device_install_suspend(&rig->dev);
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 2);
    rig_drop(&m);
}

static void a_module_that_traps_at_start_gives_way_at_once(void **state)
{
    (void)state;
    trial_fails(&(struct recipe){.wat = "trap_start", .sequence = 3, .floor = 3}, SM_EVENT_TRAP,
                "unreachable in setup, function 0 at 0x");
}

static void a_module_that_loops_for_ever_is_interrupted_and_gives_way(void **state)
{
    (void)state;
    rig_epoch_timer(true);
    trial_fails(&(struct recipe){.wat = "spin", .sequence = 3}, SM_EVENT_EPOCH,
                "interrupted at its deadline in sensor_tick");
    rig_epoch_timer(false);
}

static void a_module_that_is_not_healthy_in_time_gives_way(void **state)
{
    (void)state;
    trial_fails(&(struct recipe){.wat = "sick", .sequence = 3}, SM_EVENT_HEALTH_FAILED,
                "not healthy within 5000 ms");
}

static void a_module_that_traps_three_times_in_its_trial_gives_way(void **state)
{
    (void)state;
    trial_fails(&(struct recipe){.wat = "trap_fourth", .sequence = 3, .good_ticks = 50},
                SM_EVENT_TRAP, "integer divide by zero in rate, function 0 at");
}

static void a_module_that_grows_is_held_to_its_limit_and_goes_on(void **state)
{
    (void)state;
    install(&(struct recipe){.wat = "grower", .sequence = 3, .memory = 131072}, "1");
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 3);
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
    assert_false(rig_told(rig, SM_EVENT_TRAP, NULL));
}

static void a_module_runs_in_a_part_of_a_page(void **state)
{
    (void)state;
    install(&(struct recipe){.wat = "good", .sequence = 2, .memory = 20, .capability = {"log"}},
            "1");
    rig_run(rig, 1000);
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
    assert_true(rig->log_lines > 3);
}

static void what_lies_beyond_its_part_of_a_page_is_outside(void **state)
{
    (void)state;
    trial_fails(&(struct recipe){.wat = "edge", .sequence = 3, .memory = 4096, .good_ticks = 50},
                SM_EVENT_TRAP, "out of bounds memory access in last");
}

static void a_trial_has_three_starts_and_power_cuts_use_them_up(void **state)
{
    struct rig_event e;

    (void)state;
    run_good_v2();
    install(&(struct recipe){.wat = "plain", .sequence = 3, .good_ticks = 10}, "2");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rig_boot(rig), 0);
        rig_run(rig, 300);
        assert_int_equal(rig_runs(rig, 0), 3);
    }
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 300);
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, &e));
    assert_non_null(strstr(e.detail, "started as often"));
}

static void a_trial_that_lives_through_two_power_cuts_is_committed(void **state)
{
    (void)state;
    run_good_v2();
    install(&(struct recipe){.wat = "plain", .sequence = 3, .good_ticks = 10}, "2");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(rig_boot(rig), 0);
        rig_run(rig, 300);
    }
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 2000);
    assert_int_equal(rig_runs(rig, 0), 3);
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
}

static void without_anything_to_go_back_to_a_failed_first_module_leaves_nothing(void **state)
{
    (void)state;
    install(&(struct recipe){.wat = "trap_start", .sequence = 3}, "1");
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 0);
    assert_int_equal(rig->apps[0].state, SM_APP_EMPTY);
    install(&good, "2");
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 2);
}

/* ---- Committed modules ----------------------------------------------------------------------- */

static void three_traps_in_the_window_bring_back_the_previous_module(void **state)
{
    struct rig_event e;

    (void)state;
    run_good_v2();
    install(&(struct recipe){.wat = "trap_fourth", .sequence = 3}, "2");
    rig_run(rig, 250);
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, &e));
    assert_int_equal(e.sequence, 3);
    rig_run(rig, 200);
    assert_int_equal(rig->records[0].trap_count, 1);
    assert_int_equal(rig_boot(rig), 0); /* the window is on flash: a restart does not forget */
    assert_int_equal(rig->records[0].trap_count, 1);
    rig_run(rig, 600);
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig->records[0].trap_count, 2);
    rig_run(rig, 2000);
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, &e));
    assert_int_equal(e.sequence, 3);
    assert_non_null(strstr(e.detail, "integer divide by zero in rate"));
}

static void traps_far_apart_do_not_add_up(void **state)
{
    (void)state;
    run_good_v2();
    /* Four ticks of 60 s: a trap every 300 s or a little more, with the restart. */
    install(
        &(struct recipe){
            .wat = "trap_fourth", .sequence = 3, .period_ms = 80000, .timeout_ms = 600000},
        "2");
    rig_run(rig, 3000000);
    assert_int_equal(rig_runs(rig, 0), 3);
    assert_true(rig->records[0].slot[rig->records[0].active].traps > 3);
}

static void an_old_trap_leaves_the_record_so_that_a_restart_cannot_make_it_recent(void **state)
{
    (void)state;
    run_good_v2();
    install(&(struct recipe){.wat = "trap_fourth",
                             .sequence = 3,
                             .period_ms = 200000,
                             .timeout_ms = 600000,
                             .good_ticks = 1},
            "2");
    rig_run(rig, 650000); /* a trap in the fourth tick, at 600 s */
    assert_int_equal(rig->records[0].trap_count, 1);
    rig_run(rig, 300000);
    assert_int_equal(rig->records[0].trap_count, 0);
}

static void a_trapping_module_with_nothing_to_go_back_to_is_started_ever_more_rarely(void **state)
{
    (void)state;
    install(&(struct recipe){.wat = "trap_fourth", .sequence = 3}, "1");
    rig_run(rig, 4 * 3600 * 1000);
    uint16_t traps = rig->records[0].slot[rig->records[0].active].traps;
    assert_in_range(traps, 10, 30);
    assert_false(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
}

static void a_module_that_is_started_again_finds_its_own_functions(void **state)
{
    struct rig_event e;

    (void)state;
    install(&(struct recipe){.wat = "table", .sequence = 3}, "1");
    for (unsigned i = 0; i < 3; i++) {
        rig->nevents = 0;
        rig_run(rig, 1000);
        assert_true(rig_told(rig, SM_EVENT_TRAP, &e));
        assert_non_null(strstr(e.detail, "integer divide by zero in rate"));
        assert_int_equal(rig->apps[0].wasm.next_ref, 3); /* of its three functions alone */
    }
}

static void the_operator_can_return_to_the_previous_module(void **state)
{
    struct rig_event e;

    (void)state;
    run_good_v2();
    assert_int_equal(sm_device_rollback(&rig->dev, "thermostat", "by hand"), SM_ERR_STATE);
    assert_int_equal(sm_device_rollback(&rig->dev, "nobody", "by hand"), SM_ERR_NOT_FOUND);
    install(&(struct recipe){.wat = "plain", .sequence = 3}, "2");
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 3);
    assert_int_equal(sm_device_rollback(&rig->dev, "thermostat", "by hand"), 0);
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, &e));
    assert_string_equal(e.detail, "by hand");
}

/* ---- Rot ------------------------------------------------------------------------------------- */

static void a_module_that_rots_is_not_started_and_the_previous_one_runs(void **state)
{
    unsigned tried = 0;

    (void)state;
    run_good_v2();
    install(&(struct recipe){.wat = "plain", .sequence = 3}, "2");
    rig_run(rig, 1000);
    rig_report(rig);
    rig_run(rig, 100);
    unsigned slot = rig->records[0].active;
    struct sm_region r = sm_store_slot(&rig->dev.store, 0, slot);
    uint32_t len = rig->records[0].slot[slot].module_len;
    struct flash_sim good_flash;
    sim_init(&good_flash, 512, 128, 8, 0xff);
    sim_copy(&good_flash, &sim);
    for (uint32_t i = 0; i < len; i++, tried++) {
        sim_copy(&sim, &good_flash);
        sim_rot(&sim, r.off + SM_SLOT_MODULE + i, i % 8);
        assert_int_equal(rig_boot(rig), 0);
        rig_run(rig, 300);
        assert_int_equal(rig_runs(rig, 0), 2);
        assert_true(rig_told(rig, SM_EVENT_CORRUPT_SLOT, NULL));
        assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
    }
    printf("  %u rotten bytes\n", tried);
    sim_free(&good_flash);
}

static void an_image_that_rots_or_is_of_another_engine_is_made_anew(void **state)
{
    struct rig_event e;
    unsigned tried = 0;

    (void)state;
    run_good_v2();
    unsigned slot = rig->records[0].active;
    struct sm_region r = sm_store_slot(&rig->dev.store, 0, slot);
    uint32_t off = rig->records[0].slot[slot].image_off;
    uint32_t len = rig->records[0].slot[slot].image_len;
    for (uint32_t i = 0; i < len; i++, tried++) {
        sim_rot(&sim, r.off + off + i, i % 8);
        assert_int_equal(rig_boot(rig), 0);
        rig_run(rig, 300);
        assert_int_equal(rig_runs(rig, 0), 2);
        assert_true(rig_told(rig, SM_EVENT_REPAIRED, &e));
        assert_string_equal(e.detail, "its image was damaged");
    }
    printf("  %u rotten bytes\n", tried);
    struct sm_record old = rig->records[0];
    old.slot[slot].image_build = SM_WASM_BUILD - 1;
    assert_int_equal(sm_store_put(&rig->dev.store, 0, &old), 0);
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 300);
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_true(rig_told(rig, SM_EVENT_REPAIRED, &e));
    assert_string_equal(e.detail, "another engine");
}

static void a_flash_that_cannot_be_written_keeps_the_committed_module_running(void **state)
{
    struct module m = rig_make(&(struct recipe){.wat = "plain", .sequence = 3});

    (void)state;
    run_good_v2();
    sim.fail_op = 0;
    sim.fail_always = true;
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 5000);
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_int_equal(rig_install(rig, &m, "2"), SM_ERR_IO);
    assert_non_null(strstr(sm_device_reason(&rig->dev), "cannot be written"));
    rig_run(rig, 5000);
    assert_int_equal(rig_runs(rig, 0), 2);
    rig_drop(&m);
}

static void a_trial_that_cannot_be_paid_for_does_not_start(void **state)
{
    (void)state;
    run_good_v2();
    install(&(struct recipe){.wat = "plain", .sequence = 3}, "2");
    sim.fail_op = 0;
    sim.fail_always = true;
    rig_run(rig, 2000);
    assert_int_equal(rig_runs(rig, 0), 2);
    sim.fail_op = UINT64_MAX;
    sim.fail_always = false;
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 2000);
    assert_int_equal(rig_runs(rig, 0), 3);
}

static void settings_that_do_not_fit_are_told(void **state)
{
    (void)state;
    rig->cfg.store.slot_size = 1 << 20;
    assert_int_equal(rig_boot(rig), SM_ERR_FULL);
    assert_non_null(strstr(sm_device_reason(&rig->dev), "too small"));
    rig->cfg.store.slot_size = 6000;
    assert_int_equal(rig_boot(rig), 0);
    run_good_v2();
    rig->cfg.store.slot_size = 5000;
    assert_int_equal(rig_boot(rig), SM_ERR_INVALID);
    rig->cfg.store.slot_size = 6000;
    rig->cfg.trust = NULL;
    assert_int_equal(rig_boot(rig), SM_ERR_ARG);
}

/* ---- Host calls ------------------------------------------------------------------------------ */

static const struct recipe reader = {
    .wat = "sensor", .sequence = 3, .capability = {"sensor/BME280/temperature:r"}};

static void a_sensor_is_read_only_as_granted(void **state)
{
    (void)state;
    install(&reader, "1");
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 3);
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
}

static void a_slow_sensor_suspends_its_module_and_the_other_runs(void **state)
{
    const struct recipe other = {.wat = "plain", .name = "heartbeat", .sequence = 9};

    (void)state;
    rig->sensor_is_slow = true;
    install(&reader, "1");
    install(&other, "2");
    for (unsigned i = 0; i < 20; i++) {
        rig_run(rig, 150);
        if (!rig->sensor_asked)
            continue;
        assert_int_equal(rig->apps[0].state, SM_APP_PENDING);
        rig->sensor_answers = true;
    }
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
    assert_int_equal(rig_runs(rig, 0), 3);
    assert_int_equal(rig_runs(rig, 1), 9);
    assert_true(rig->apps[1].good_ticks > 20);
}

static void a_sensor_that_never_answers_fails_the_trial(void **state)
{
    struct rig_event e;

    (void)state;
    rig->sensor_is_slow = true;
    run_good_v2();
    install(&reader, "2");
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 3);
    rig_run(rig, 10000);
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_true(rig_told(rig, SM_EVENT_HEALTH_FAILED, &e));
    assert_int_equal(rig->sensor.run.state, SM_SENSOR_STOPPED); /* nobody waits for it any more */
}

/* Ticks of the sensor's reader whose sensor answers after so many milliseconds. */
static void read_slowly(unsigned ticks, uint32_t ms)
{
    rig->sensor_is_slow = true;
    while (ticks-- > 0) {
        for (unsigned i = 0; i < 1000 && !rig->sensor_asked; i++)
            rig_run(rig, 1);
        if (!rig->sensor_asked)
            return; /* it does not run any more */
        rig_run(rig, ms);
        rig->sensor_answers = true;
        rig_run(rig, 1);
        rig->sensor_asked = rig->sensor_answers = false;
    }
}

static const struct recipe punctual = {
    .wat = "sensor", .sequence = 3, .capability = {"sensor/BME280/temperature:r"}, .late_ticks = 4};

/* Its trial takes longer than a bucket that fills at every second tick. */
static const struct recipe patient = {.wat = "sensor",
                                      .sequence = 3,
                                      .good_ticks = 20,
                                      .capability = {"sensor/BME280/temperature:r"},
                                      .late_ticks = 4};

static void late_ticks_are_no_good_ones_and_too_many_end_the_trial(void **state)
{
    struct rig_event e;

    (void)state;
    run_good_v2();
    install(&punctual, "2");
    read_slowly(3, 150);
    assert_int_equal(rig_runs(rig, 0), 3);
    assert_int_equal(rig->apps[0].good_ticks, 0);
    assert_false(rig_told(rig, SM_EVENT_HEALTH_FAILED, NULL));
    read_slowly(1, 150);
    rig_run(rig, 200);
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_true(rig_told(rig, SM_EVENT_HEALTH_FAILED, &e));
    assert_string_equal(e.detail, "too many ticks took longer than the period of 100 ms");
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
}

static void two_ticks_in_time_forgive_one_that_was_late(void **state)
{
    (void)state;
    run_good_v2();
    install(&punctual, "2");
    for (unsigned i = 0; i < 12; i++) {
        read_slowly(1, 150);
        read_slowly(2, 50);
    }
    assert_int_equal(rig_runs(rig, 0), 3);
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
    assert_false(rig_told(rig, SM_EVENT_HEALTH_FAILED, NULL));
}

static void a_module_that_is_late_every_second_time_is_unhealthy_in_the_end(void **state)
{
    (void)state;
    run_good_v2();
    install(&patient, "2");
    for (unsigned i = 0; i < 6; i++) {
        read_slowly(1, 50);
        read_slowly(1, 150);
    }
    assert_int_equal(rig_runs(rig, 0), 3);
    assert_false(rig_told(rig, SM_EVENT_HEALTH_FAILED, NULL));
    read_slowly(1, 50);
    read_slowly(1, 150);
    rig_run(rig, 200);
    assert_true(rig_told(rig, SM_EVENT_HEALTH_FAILED, NULL));
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
    assert_int_equal(rig_runs(rig, 0), 2);
}

/* Committed while its sensor was quick. */
static void run_punctual(void)
{
    install(&punctual, "2");
    read_slowly(5, 50);
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
    rig_report(rig);
    rig->nevents = 0;
}

static void a_committed_module_that_gets_late_gives_way_after_three_times(void **state)
{
    (void)state;
    run_good_v2();
    run_punctual();
    read_slowly(4, 150);
    assert_true(rig_told(rig, SM_EVENT_HEALTH_FAILED, NULL));
    rig_run(rig, 1);
    assert_int_equal(rig->dev.store.records[0].trap_count, 1);
    read_slowly(4, 150);
    assert_false(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
    read_slowly(4, 150);
    rig_run(rig, 200);
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
    assert_int_equal(rig_runs(rig, 0), 2);
}

static void a_late_module_without_a_predecessor_runs_on_and_is_told_of_once(void **state)
{
    unsigned told = 0;

    (void)state;
    run_punctual();
    read_slowly(20, 150);
    assert_int_equal(rig_runs(rig, 0), 3);
    assert_int_equal(rig->apps[0].late, 8);
    read_slowly(7, 50);
    read_slowly(1, 150);
    assert_true(rig->apps[0].late_told);
    read_slowly(3, 50);
    assert_false(rig->apps[0].late_told);
    for (unsigned i = 0; i < rig->nevents; i++)
        told += rig->events[i].kind == SM_EVENT_HEALTH_FAILED;
    assert_int_equal(told, 1);
    assert_int_equal(rig->dev.store.records[0].trap_count, 0);
}

static void a_device_limits_how_late_a_module_may_be(void **state)
{
    (void)state;
    rig->cfg.late_ticks_max = 3;
    refuse(&punctual, SM_ERR_LIMIT, "wants to be late 4 times, this device allows 3");
}

static void a_pointer_outside_its_memory_traps_the_module(void **state)
{
    struct rig_event e;

    (void)state;
    install(&(struct recipe){.wat = "reach", .sequence = 3, .capability = {"log"}}, "1");
    rig_run(rig, 1000);
    assert_true(rig_told(rig, SM_EVENT_TRAP, &e));
    assert_non_null(strstr(e.detail, "host function failed"));
    assert_int_equal(rig->log_lines, 0);
}

static void a_flood_of_log_lines_is_cut_and_counted(void **state)
{
    (void)state;
    install(&(struct recipe){.wat = "chatty", .sequence = 3, .capability = {"log"}}, "1");
    rig_run(rig, 10);
    assert_int_equal(rig->log_lines, SM_HOST_LOG_BURST);
    assert_string_equal(rig->last_log, "bla?bla");
    rig_run(rig, 1000);
    assert_in_range(rig->log_lines, SM_HOST_LOG_BURST + SM_HOST_LOG_RATE,
                    SM_HOST_LOG_BURST + 2 * SM_HOST_LOG_RATE + 2);
}

static int once(void **state)
{
    (void)state;
    rig_global_setup();
    return 0;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(no_module_no_run),
        T(a_healthy_module_is_committed_after_its_good_ticks),
        T(a_committed_module_runs_after_a_restart_and_writes_nothing),
        T(an_update_replaces_a_running_module_and_the_other_runs_on),
        T(every_event_waits_until_the_server_has_it),
        T(bad_modules_are_refused_and_the_running_one_is_untouched),
        T(below_the_floor_nothing_is_installed_even_without_a_committed_module),
        T(every_flipped_bit_of_a_module_is_refused),
        T(bytes_that_are_not_those_announced_are_a_failed_download),
        T(too_many_bytes_and_too_few_are_noticed),
        T(an_installation_can_be_given_up_for_either_reason),
        T(an_unreported_outcome_keeps_its_slot),
        T(more_names_than_places_are_refused),
        T(a_broken_download_goes_on_where_it_was),
        T(another_module_does_not_go_on_with_the_first_ones_bytes),
        T(a_module_that_traps_at_start_gives_way_at_once),
        T(a_module_that_loops_for_ever_is_interrupted_and_gives_way),
        T(a_module_that_is_not_healthy_in_time_gives_way),
        T(a_module_that_traps_three_times_in_its_trial_gives_way),
        T(a_module_that_grows_is_held_to_its_limit_and_goes_on),
        T(a_module_runs_in_a_part_of_a_page),
        T(what_lies_beyond_its_part_of_a_page_is_outside),
        T(a_trial_has_three_starts_and_power_cuts_use_them_up),
        T(a_trial_that_lives_through_two_power_cuts_is_committed),
        T(without_anything_to_go_back_to_a_failed_first_module_leaves_nothing),
        T(three_traps_in_the_window_bring_back_the_previous_module),
        T(traps_far_apart_do_not_add_up),
        T(an_old_trap_leaves_the_record_so_that_a_restart_cannot_make_it_recent),
        T(a_trapping_module_with_nothing_to_go_back_to_is_started_ever_more_rarely),
        T(a_module_that_is_started_again_finds_its_own_functions),
        T(the_operator_can_return_to_the_previous_module),
        T(a_module_that_rots_is_not_started_and_the_previous_one_runs),
        T(an_image_that_rots_or_is_of_another_engine_is_made_anew),
        T(a_flash_that_cannot_be_written_keeps_the_committed_module_running),
        T(a_trial_that_cannot_be_paid_for_does_not_start),
        T(settings_that_do_not_fit_are_told),
        T(a_sensor_is_read_only_as_granted),
        T(a_slow_sensor_suspends_its_module_and_the_other_runs),
        T(a_sensor_that_never_answers_fails_the_trial),
        T(late_ticks_are_no_good_ones_and_too_many_end_the_trial),
        T(a_module_that_is_late_every_second_time_is_unhealthy_in_the_end),
        T(two_ticks_in_time_forgive_one_that_was_late),
        T(a_committed_module_that_gets_late_gives_way_after_three_times),
        T(a_late_module_without_a_predecessor_runs_on_and_is_told_of_once),
        T(a_device_limits_how_late_a_module_may_be),
        T(a_pointer_outside_its_memory_traps_the_module),
        T(a_flood_of_log_lines_is_cut_and_counted),
    };
    return cmocka_run_group_tests(tests, once, NULL);
}

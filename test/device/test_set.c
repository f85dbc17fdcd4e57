/* Sets: an application and the plugin it needs come in together or not at all, wherever the power
 * fails.
 *
 * On the device run thermostat 1 and t1-driver 1; the set is thermostat 2, which requires t1-driver
 * 2, and that.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "rig.h"

enum { PLUGIN = RIG_APPS };

static struct flash_sim sim;
static struct module old_app, old_driver, app, driver, bad_app, bad_driver;

static const struct key_set_recipe first = {.version = 1, .issued_s = 1000, .vendors = true};
/* ---- Helpers --------------------------------------------------------------------------------- */

static struct module made(struct recipe r, const char *wat, uint64_t sequence, uint64_t floor)
{
    r.wat = wat;
    r.sequence = sequence;
    r.floor = floor;
    if (!r.plugin && sequence > 1)
    r.requires[0] = (struct sm_requirement){"t1-driver", 2, INT64_MAX};
    return rig_make(&r);
}

static int once(void **state)
{
    rig_once(state);
    old_app = made(rig_t1_reader, "reads_t1", 1, 0);
    old_driver = made(rig_t1_driver, "plugin_tmp", 1, 0);
    app = made(rig_t1_reader, "reads_t1", 2, 2);
    driver = made(rig_t1_driver, "plugin_tmp", 2, 2);
    bad_app = made(rig_t1_reader, "reads_trap", 2, 2);
    bad_driver = made(rig_t1_driver, "plugin_nan", 2, 2);
    return 0;
}

static int end(void **state)
{
    struct module *const all[] = {&old_app, &old_driver, &app, &driver, &bad_app, &bad_driver};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        rig_drop(all[i]);
    return rig_end(state);
}

/* No release of the set runs beside one of before. */
static void expect_no_mixture(void)
{
    uint64_t a = rig_runs(rig, 0), p = rig_runs(rig, PLUGIN);

    if (a != 0 && p != 0)
        assert_int_equal(a, p);
}

static void run(uint32_t ms)
{
    for (uint32_t t = 0; t < ms; t += 50) {
        rig_run(rig, 50);
        expect_no_mixture();
    }
}

static void expect_both(uint64_t sequence)
{
    assert_int_equal(rig_runs(rig, 0), sequence);
    assert_int_equal(rig_runs(rig, PLUGIN), sequence);
}

static void boot(void)
{
    assert_int_equal(rig_boot(rig), 0);
    rig->chip[0].value[0] = (struct sm_sim_value){21500, 21500, 0};
}

static void begin(struct flash_sim *flash, uint32_t sector, uint32_t sectors, uint32_t unit,
                  uint8_t erased)
{
    sim_init(flash, sector, sectors, unit, erased);
    rig_init_plugins(rig, flash);
    boot();
    assert_int_equal(rig_commission(rig, &first), 0);
    assert_int_equal(rig_install(rig, &old_driver, "one"), 0);
    rig_run(rig, 2000);
    assert_int_equal(rig_install(rig, &old_app, "one"), 0);
    rig_run(rig, 2000);
    rig_report(rig);
    rig_run(rig, 10);
    expect_both(1);
}

static int fresh(void **state)
{
    (void)state;
    begin(&sim, 1024, 96, 4, 0xff);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    sim_free(&sim);
    return 0;
}

static void expect_floors(uint64_t floor)
{
    assert_int_equal(rig->records[0].floor, floor);
    assert_int_equal(rig->records[PLUGIN].floor, floor);
}

/* ---- Together -------------------------------------------------------------------------------- */

static void nothing_of_a_set_runs_before_all_of_it_is_there(void **state)
{
    (void)state;
    assert_int_equal(rig_stage(rig, &app, "set"), 0);
    run(2000);
    expect_both(1);
    assert_int_equal(sm_device_set_start(&rig->dev, "set"), SM_ERR_DENIED);
    assert_string_equal(sm_device_reason(&rig->dev),
                        "thermostat requires t1-driver of sequence 2 or more, not 1");
    assert_int_equal(sm_device_set_start(&rig->dev, "other"), SM_ERR_NOT_FOUND);
    run(2000);
    expect_both(1);
}

static void a_set_is_tried_and_committed_as_one(void **state)
{
    struct rig_event e;

    (void)state;
    assert_int_equal(rig_stage(rig, &app, "set"), 0);
    assert_int_equal(rig_stage(rig, &driver, "set"), 0);
    run(1000);
    expect_both(1);
    assert_int_equal(sm_device_set_start(&rig->dev, "set"), 0);
    run(100);
    expect_both(2);
    expect_floors(0);
    run(3000);
    expect_both(2);
    expect_floors(2);
    assert_int_equal(rig->records[0].active, 1);
    assert_int_equal(rig->records[PLUGIN].active, 1);
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, &e));
    assert_string_equal(rig->last_log, "21");
    boot();
    run(1000);
    expect_both(2);
}

static void sets_that_are_committed_cost_no_pause(void **state)
{
    (void)state;
    rig->cfg.free_installs = 0; /* the default */
    for (uint64_t sequence = 2; sequence < 9; sequence++) {
        struct module a = made(rig_t1_reader, "reads_t1", sequence, 0),
                      p = made(rig_t1_driver, "plugin_tmp", sequence, 0);
        char action[12];
        snprintf(action, sizeof action, "%u", (unsigned)sequence);
        assert_int_equal(rig_stage(rig, &a, action), 0);
        assert_int_equal(rig_stage(rig, &p, action), 0);
        assert_int_equal(sm_device_set_start(&rig->dev, action), 0);
        run(3000);
        expect_both(sequence);
        rig_report(rig);
        run(100);
        rig->nevents = 0;
        rig_drop(&a);
        rig_drop(&p);
    }
}

static void a_set_survives_restarts_before_and_during_its_trial(void **state)
{
    (void)state;
    assert_int_equal(rig_stage(rig, &driver, "set"), 0);
    boot();
    assert_int_equal(rig_stage(rig, &app, "set"), 0);
    boot();
    run(200);
    expect_both(1);
    assert_int_equal(sm_device_set_start(&rig->dev, "set"), 0);
    boot();
    run(100);
    expect_both(2);
    boot();
    run(3000);
    expect_both(2);
    expect_floors(2);
}

static void a_set_whose_starts_are_used_up_is_given_up(void **state)
{
    (void)state;
    assert_int_equal(rig_stage(rig, &driver, "set"), 0);
    assert_int_equal(rig_stage(rig, &app, "set"), 0);
    assert_int_equal(sm_device_set_start(&rig->dev, "set"), 0);
    for (unsigned i = 0; i < 3; i++) {
        boot();
        run(100);
        expect_both(2);
    }
    boot();
    run(100);
    expect_both(1);
}

static void expect_given_up(const char *name, const char *detail)
{
    run(10000);
    expect_both(1);
    expect_floors(0);
    for (uint16_t i = 0; i <= PLUGIN; i += PLUGIN) {
        const struct sm_slot *s = &rig->records[i].slot[1];
        assert_int_equal(s->state, SM_SLOT_FAILED);
        assert_true(s->unreported >> SM_EVENT_ROLLED_BACK & 1);
        assert_int_equal(rig->records[i].set, 0);
        if (strcmp(rig->records[i].name, name) == 0)
            assert_non_null(strstr(s->detail, detail));
        else
            assert_non_null(strstr(s->detail, "of its set: "));
    }
}

static void a_bad_application_takes_its_set_back(void **state)
{
    (void)state;
    assert_int_equal(rig_stage(rig, &bad_app, "set"), 0);
    assert_int_equal(rig_stage(rig, &driver, "set"), 0);
    assert_int_equal(sm_device_set_start(&rig->dev, "set"), 0);
    expect_given_up("thermostat", "unreachable");
}

static void a_bad_plugin_takes_its_set_back(void **state)
{
    (void)state;
    assert_int_equal(rig_stage(rig, &app, "set"), 0);
    assert_int_equal(rig_stage(rig, &bad_driver, "set"), 0);
    assert_int_equal(sm_device_set_start(&rig->dev, "set"), 0);
    expect_given_up("t1-driver", "not healthy within");
}

/* ---- Not together ---------------------------------------------------------------------------- */

static void what_is_staged_can_be_dropped(void **state)
{
    struct rig_event e;

    (void)state;
    assert_int_equal(rig_stage(rig, &app, "set"), 0);
    assert_int_equal(rig_stage(rig, &app, "set"), SM_ERR_STATE);
    assert_int_equal(sm_device_set_drop(&rig->dev, "set", "t1-driver is not to be had"), 0);
    assert_true(rig_told(rig, SM_EVENT_REFUSED, &e));
    assert_string_equal(e.detail, "t1-driver is not to be had");
    rig_report(rig);
    run(1000);
    assert_int_equal(rig_stage(rig, &app, "set"), SM_ERR_DENIED);
    assert_int_equal(rig_stage(rig, &app, "again"), 0);
    expect_both(1);
}

static void another_release_replaces_a_staged_one(void **state)
{
    (void)state;
    assert_int_equal(rig_stage(rig, &app, "set"), 0);
    rig_report(rig);
    run(100);
    assert_int_equal(rig_stage(rig, &driver, "set"), 0);
    rig_report(rig);
    run(100);
    assert_int_equal(rig_stage(rig, &bad_driver, "other"), 0);
    assert_int_equal(sm_device_set_start(&rig->dev, "set"), SM_ERR_DENIED);
    run(1000);
    expect_both(1);
}

static void two_sets_do_not_mix(void **state)
{
    (void)state;
    assert_int_equal(rig_stage(rig, &app, "set"), 0);
    assert_int_equal(rig_stage(rig, &driver, "other"), 0);
    assert_int_equal(sm_device_set_start(&rig->dev, "set"), SM_ERR_DENIED);
    assert_int_equal(sm_device_set_start(&rig->dev, "other"), 0);
    rig_run(rig, 3000);
    assert_int_equal(rig_runs(rig, PLUGIN), 2);
    assert_int_equal(rig_runs(rig, 0), 1);
    assert_int_equal(sm_device_set_start(&rig->dev, "set"), 0); /* now it is there */
    rig_run(rig, 3000);
    expect_both(2);
}

static void a_removal_is_no_member_of_a_set(void **state)
{
    struct module m = rig_make(
        &(struct recipe){.wat = "plain", .sequence = 2, .name = "t1-driver", .plugin = true});

    (void)state;
    assert_int_equal(rig_stage(rig, &m, "set"), SM_ERR_DENIED);
    run(1000);
    expect_both(1);
    rig_drop(&m);
}

static void an_operator_does_not_take_away_what_is_required(void **state)
{
    (void)state;
    assert_int_equal(rig_stage(rig, &app, "set"), 0);
    assert_int_equal(rig_stage(rig, &driver, "set"), 0);
    assert_int_equal(sm_device_set_start(&rig->dev, "set"), 0);
    run(3000);
    rig->records[PLUGIN].floor = 0; /* as if the releases had not raised it */
    assert_int_equal(sm_device_rollback(&rig->dev, "t1-driver", "asked"), SM_ERR_DENIED);
    assert_string_equal(sm_device_reason(&rig->dev),
                        "thermostat requires t1-driver of sequence 2 or more, not 1");
}

/* ---- Power ----------------------------------------------------------------------------------- */

/* What the world does in a session: it offers the set until it is told what became of it. */
struct world {
    const struct module *member[2];
    bool told_good, told_bad;
};

static void hear(struct world *w)
{
    struct sm_event e;

    while (sm_device_event_at(&rig->dev, 0, &e) == 0) {
        if (strcmp(e.action, "set") == 0) {
            w->told_good |= e.kind == SM_EVENT_COMMITTED;
            w->told_bad |= e.kind == SM_EVENT_ROLLED_BACK;
        }
        assert_int_equal(sm_device_event_done(&rig->dev, e.id), 0);
    }
}

static void offer(const struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        int err = rig_stage(rig, w->member[i], "set");
        if (err != 0 && err != SM_ERR_STATE)
            return; /* a trial, or it has failed before */
    }
    (void)sm_device_set_start(&rig->dev, "set");
}

static void session(struct world *w)
{
    boot();
    run(100);
    hear(w);
    run(100);
    if (!w->told_good && !w->told_bad)
        offer(w);
    run(7000);
    hear(w);
    run(100);
}

static bool session_is_cut(struct world *w, uint64_t cut)
{
    sim_power(rig->sim, cut);
    if (setjmp(rig->sim->power) != 0)
        return true;
    session(w);
    return false;
}

/* The story with a cut at every stride-th point, and one more at random; then it has to end. */
static uint64_t tell(const struct module *a, const struct module *p, uint64_t ends_with,
                     uint32_t sector, uint32_t unit, uint8_t erased, unsigned stride)
{
    struct flash_sim start, flash;
    uint64_t tried = 0, points = 0;

    begin(&start, sector, 196608 / sector, unit, erased);
    sim_init(&flash, sector, 196608 / sector, unit, erased);
    for (uint64_t cut = 0;; cut += stride, tried++) {
        struct world w = {.member = {a, p}};
        sim_copy(&flash, &start);
        flash.rng = (uint32_t)(cut * 2654435761u) | 1;
        rig->sim = &flash;
        rig->cfg.flash = &flash.flash;
        bool was_cut = session_is_cut(&w, cut);
        if (was_cut)
            (void)session_is_cut(&w, sim_random(&flash) % (points ? points : 5000));
        for (unsigned clean = 0; clean < 3; clean++)
            assert_false(session_is_cut(&w, UINT64_MAX));
        expect_both(ends_with);
        expect_floors(ends_with == 2 ? 2 : 0);
        assert_true(ends_with == 2 ? w.told_good : w.told_bad);
        if (!was_cut)
            break;
        points = cut;
    }
    sim_free(&start);
    sim_free(&flash);
    return tried;
}

static void a_cut_at_any_point_leaves_both_or_none(void **state)
{
    const char *full = getenv("SANDMOTE_TEST_FULL");
    unsigned finer = full && *full == '1' ? 1 : 0;
    uint64_t tried = 0;

    (void)state;
    tried += tell(&app, &driver, 2, 1024, 32, 0xff, finer ? 1 : 19);
    tried += tell(&app, &driver, 2, 2048, 8, 0x00, finer ? 1 : 61);
    tried += tell(&bad_app, &driver, 1, 1024, 32, 0x00, finer ? 1 : 23);
    tried += tell(&app, &bad_driver, 1, 4096, 16, 0xff, finer ? 1 : 37);
    printf("  %llu power cuts, each followed by another one at random\n",
           (unsigned long long)tried);
}

/* Each change of the flash from the trial's begin on fails for good: what runs is of one set, in
 * this session and in the next. */
static void a_flash_that_fails_leaves_both_or_none(void **state)
{
    uint64_t failed = 0;
    bool over = false;

    (void)state;
    for (uint64_t op = 0; !over; op++, failed++) {
        begin(&sim, 1024, 96, 32, 0xff);
        assert_int_equal(rig_stage(rig, &app, "set"), 0);
        assert_int_equal(rig_stage(rig, &driver, "set"), 0);
        rig_report(rig);
        run(100);
        sim_power(&sim, UINT64_MAX);
        sim.fail_op = op;
        sim.fail_always = true;
        (void)sm_device_set_start(&rig->dev, "set");
        run(3000);
        over = sim.ops <= op;
        sim.fail_op = UINT64_MAX;
        boot();
        run(3000);
        uint64_t runs = rig_runs(rig, 0);
        assert_true(runs == 1 || runs == 2);
        expect_both(runs);
        sim_free(&sim);
    }
    printf("  %llu failures of the flash\n", (unsigned long long)failed);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_of_a_set_runs_before_all_of_it_is_there),
        T(a_set_is_tried_and_committed_as_one),
        T(sets_that_are_committed_cost_no_pause),
        T(a_set_survives_restarts_before_and_during_its_trial),
        T(a_set_whose_starts_are_used_up_is_given_up),
        T(a_bad_application_takes_its_set_back),
        T(a_bad_plugin_takes_its_set_back),
        T(what_is_staged_can_be_dropped),
        T(another_release_replaces_a_staged_one),
        T(two_sets_do_not_mix),
        T(a_removal_is_no_member_of_a_set),
        T(an_operator_does_not_take_away_what_is_required),
        cmocka_unit_test(a_flash_that_fails_leaves_both_or_none),
        cmocka_unit_test(a_cut_at_any_point_leaves_both_or_none),
    };
    return cmocka_run_group_tests(tests, once, end);
}

/* The device's key set: commissioning, the next sets, what they revoke, expiry, what is
 * current, damage, power cuts.
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

static const struct key_set_recipe first = {.version = 1, .issued_s = 1000};

/* ---- Helpers --------------------------------------------------------------------------------- */

static void reboot(void)
{
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 20);
}

static uint32_t version(void)
{
    const struct sm_keyset *set = sm_device_keys(&rig->dev);

    return set ? set->version : 0;
}

/* Whether this sequence of the thermostat is installed and commits. */
static int install(uint64_t sequence, int how)
{
    static unsigned action;
    char name[16];
    struct module m = rig_make(&(struct recipe){.wat = "plain", .sequence = sequence, .how = how});

    snprintf(name, sizeof name, "a%u", action++);
    int err = rig_install(rig, &m, name);
    if (!err)
        rig_run(rig, 1000);
    rig_report(rig);
    rig_run(rig, 10);
    rig_drop(&m);
    return err;
}

static void expect_reason(const char *text)
{
    assert_string_equal(sm_device_reason(&rig->dev), text);
}

/* A device with set 1 in force and no module. */
static int fresh(void **state)
{
    (void)state;
    sim_init(&sim, 1024, 48, 4, 0xff);
    rig_init_keyed(rig, &sim);
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_commission(rig, &first), 0);
    return 0;
}

static int blank(void **state)
{
    (void)state;
    sim_init(&sim, 1024, 48, 4, 0xff);
    rig_init_keyed(rig, &sim);
    assert_int_equal(rig_boot(rig), 0);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    sim_free(&sim);
    return 0;
}

/* ---- Commissioning --------------------------------------------------------------------------- */

static void before_commissioning_nothing_is_believed(void **state)
{
    (void)state;
    assert_int_equal(install(1, SIGNED_WELL), SM_ERR_KEY);
    assert_int_equal(rig_offer(rig, &first), SM_ERR_STATE);
    expect_reason("the device was not commissioned");
    assert_null(sm_device_keys(&rig->dev));
}

static void the_first_set_is_checked_and_then_sealed(void **state)
{
    (void)state;
    assert_int_equal(rig_commission(rig, &(struct key_set_recipe){.version = 1, .signed_by = "A?"}),
                     SM_ERR_KEY);
    assert_int_equal(rig_commission(rig, &(struct key_set_recipe){.version = 1, .signed_by = ""}),
                     SM_ERR_SIGNATURE);
    assert_int_equal(
        rig_commission(rig, &(struct key_set_recipe){.version = 1, .fleet = "orchard"}),
        SM_ERR_DENIED);
    expect_reason("is for fleet orchard, this device is of fleet greenhouse");
    assert_int_equal(
        rig_commission(rig, &(struct key_set_recipe){.version = 1, .more_keys = RIG_KEYS}),
        SM_ERR_LIMIT);
    expect_reason("it has 5 keys, this device has room for 4");
    reboot();
    assert_int_equal(rig_commission(rig, &(struct key_set_recipe){.version = 7}), 0);
    assert_int_equal(version(), 7);
    assert_int_equal(rig_commission(rig, &first), SM_ERR_STATE);
    reboot();
    assert_int_equal(version(), 7);
    assert_int_equal(rig_commission(rig, &first), SM_ERR_STATE);
}

static void the_set_says_whose_modules_run(void **state)
{
    (void)state;
    assert_int_equal(install(1, SIGNED_WELL), 0);
    assert_int_equal(install(2, SIGNED_BY_STRANGER), SM_ERR_SIGNATURE);
    assert_int_equal(rig_runs(rig, 0), 1);
    reboot();
    assert_int_equal(rig_runs(rig, 0), 1);
    assert_int_equal(install(2, SIGNED_BY_STRANGER), SM_ERR_SIGNATURE);
}

static void a_fixed_trust_store_does_not_go_around_the_set(void **state)
{
    struct rig *other = malloc(sizeof *other);
    (void)state;
    assert_non_null(other);
    rig_init(other, &sim);
    rig->cfg.trust = other->cfg.trust;
    rig->cfg.keys = NULL;
    free(other);
    assert_int_equal(rig_boot(rig), SM_ERR_STATE);
    rig->cfg.keys = rig->keys;
    rig->cfg.fleet = "orchard";
    assert_int_equal(rig_boot(rig), SM_ERR_DENIED);
    expect_reason("the device was commissioned for fleet greenhouse");
}

/* ---- The next sets --------------------------------------------------------------------------- */

static void the_next_set_is_in_force_at_once_and_after_a_restart(void **state)
{
    struct rig_event e;
    (void)state;
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2, .stranger_signs = true}),
                     0);
    assert_true(rig_told(rig, SM_EVENT_INSTALLED, &e));
    assert_string_equal(e.name, "key set");
    assert_string_equal(e.version, "2");
    assert_int_equal(version(), 2);
    assert_int_equal(install(1, SIGNED_BY_STRANGER), 0);
    reboot();
    assert_int_equal(version(), 2);
    assert_int_equal(install(2, SIGNED_WELL), 0);
}

static void the_server_hears_of_it_once(void **state)
{
    struct sm_event e;
    (void)state;
    assert_int_equal(sm_device_event_at(&rig->dev, 0, &e), SM_ERR_NOT_FOUND);
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2}), 0);
    reboot();
    assert_int_equal(sm_device_event_at(&rig->dev, 0, &e), 0);
    assert_int_equal(e.kind, SM_EVENT_INSTALLED);
    assert_string_equal(e.name, "key set");
    assert_int_equal(e.sequence, 2);
    assert_int_equal(rig_report(rig), 1);
    rig_run(rig, 10);
    reboot();
    assert_int_equal(sm_device_event_at(&rig->dev, 0, &e), SM_ERR_NOT_FOUND);
}

static void a_device_that_missed_sets_catches_up_through_the_chain(void **state)
{
    const struct key_set_recipe two = {.version = 2, .root_b = true, .signed_by = "AB"},
                                three = {.version = 3, .root_b = true},
                                four = {.version = 4, .root_b = true, .stranger_signs = true};
    (void)state;
    assert_int_equal(rig_offer(rig, &four), SM_ERR_SIGNATURE);
    assert_int_equal(rig_offer(rig, &two), 0);
    assert_int_equal(rig_offer(rig, &four), SM_ERR_STATE);
    expect_reason("not the next set: those between come first");
    reboot();
    assert_int_equal(rig_offer(rig, &three), 0);
    assert_int_equal(rig_offer(rig, &four), 0);
    assert_int_equal(rig_offer(rig, &three), SM_ERR_ROLLBACK);
    assert_int_equal(rig_offer(rig, &two), SM_ERR_ROLLBACK);
    assert_int_equal(rig_offer(rig, &four), SM_ERR_STATE);
    expect_reason("key set 4 is in force already");
    reboot();
    assert_int_equal(version(), 4);
}

static void a_refused_set_changes_nothing_and_is_told_once_by_what_was_wrong(void **state)
{
    const struct key_set_recipe bad = {.version = 2, .root_b = true};
    struct sm_event e;
    (void)state;
    assert_int_equal(rig_offer(rig, &bad), SM_ERR_SIGNATURE);
    assert_int_equal(rig_offer(rig, &bad), SM_ERR_SIGNATURE);
    reboot();
    assert_int_equal(rig_offer(rig, &bad), SM_ERR_SIGNATURE);
    assert_int_equal(sm_device_event_at(&rig->dev, 0, &e), 0);
    assert_int_equal(e.kind, SM_EVENT_REFUSED);
    assert_string_equal(e.name, "key set");
    assert_string_equal(e.detail, "too few roots signed it");
    assert_int_equal(rig_report(rig), 1);
    assert_int_equal(version(), 1);
    assert_int_equal(install(1, SIGNED_WELL), 0);
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2}), 0);
}

/* Or a server could wear it out, with another piece of nonsense at each poll. */
static void refusals_write_to_the_flash_once_an_hour(void **state)
{
    struct key_set set;
    (void)state;
    rig_key_set(&set, &(struct key_set_recipe){.version = 2});
    sim_power(&sim, UINT64_MAX);
    for (unsigned hour = 0; hour < 3; hour++) {
        uint64_t ops = sim.ops;
        for (unsigned i = 0; i < 20; i++) {
            set.bytes[set.len - 1]++;
            assert_int_equal(sm_device_keys_offer(&rig->dev, set.bytes, set.len), SM_ERR_SIGNATURE);
            if (i == 0)
                assert_true(sim.ops > ops);
            ops = sim.ops;
            rig->now_ms += 1000;
            sm_device_step(&rig->dev, rig->now_ms);
            assert_int_equal(sim.ops, ops);
        }
        assert_int_equal(rig_report(rig), 1);
        rig_run(rig, 3600000);
        rig_run(rig, 10);
        rig->nevents = 0;
    }
}

static void garbage_is_refused(void **state)
{
    struct key_set set;
    (void)state;
    rig_key_set(&set, &(struct key_set_recipe){.version = 2});
    for (size_t i = 0; i < set.len; i++) {
        set.bytes[i] ^= 0x10;
        assert_int_not_equal(sm_device_keys_offer(&rig->dev, set.bytes, set.len), 0);
        set.bytes[i] ^= 0x10;
        rig->nevents = 0;
    }
    assert_int_not_equal(sm_device_keys_offer(&rig->dev, set.bytes, 0), 0);
    assert_int_equal(version(), 1);
    assert_int_equal(sm_device_keys_offer(&rig->dev, set.bytes, set.len), 0);
}

static void a_set_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2, .more_keys = RIG_KEYS}),
                     SM_ERR_LIMIT);
    assert_int_equal(version(), 1);
    assert_int_equal(install(1, SIGNED_WELL), 0);
}

/* ---- Revocation ------------------------------------------------------------------------------ */

static void a_revoked_signer_signs_nothing_new_and_what_runs_goes_on(void **state)
{
    (void)state;
    assert_int_equal(install(1, SIGNED_WELL), 0);
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2, .revoke_signer = true}),
                     0);
    rig_run(rig, 100);
    assert_int_equal(rig_runs(rig, 0), 1);
    assert_int_equal(install(2, SIGNED_WELL), SM_ERR_SIGNATURE);
    reboot();
    assert_int_equal(rig_runs(rig, 0), 1);
    assert_int_equal(install(2, SIGNED_WELL), SM_ERR_SIGNATURE);
}

static void a_revoked_signers_modules_stop_if_the_set_says_so(void **state)
{
    struct rig_event e;
    (void)state;
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2, .stranger_signs = true}),
                     0);
    assert_int_equal(install(1, SIGNED_BY_STRANGER), 0);
    assert_int_equal(install(2, SIGNED_WELL), 0);
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 3,
                                                             .stranger_signs = true,
                                                             .revoke_signer = true,
                                                             .stop_signer = true}),
                     0);
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, &e));
    assert_string_equal(e.detail, "revoked by key set 3");
    sm_device_step(&rig->dev, rig->now_ms);
    assert_int_equal(rig->apps[0].slot, 0); /* the stranger's */
    reboot();
    assert_int_equal(rig->apps[0].manifest.sequence, 1);
    assert_int_equal(rig->records[0].slot[1].state, SM_SLOT_FAILED);
}

static void with_all_of_an_application_stopped_nothing_of_it_runs(void **state)
{
    (void)state;
    assert_int_equal(install(1, SIGNED_WELL), 0);
    assert_int_equal(install(2, SIGNED_WELL), 0);
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2,
                                                             .revoke_signer = true,
                                                             .stop_signer = true}),
                     0);
    rig_run(rig, 100);
    assert_int_equal(rig_runs(rig, 0), 0);
    reboot();
    assert_int_equal(rig_runs(rig, 0), 0);
    assert_int_equal(rig->apps[0].state, SM_APP_EMPTY);
}

static void a_trial_is_stopped_too(void **state)
{
    struct module sick =
        rig_make(&(struct recipe){.wat = "sick", .sequence = 2, .timeout_ms = 500000});
    (void)state;
    assert_int_equal(install(1, SIGNED_WELL), 0);
    assert_int_equal(rig_install(rig, &sick, "s"), 0);
    rig_run(rig, 100);
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_int_equal(
        rig_offer(rig, &(struct key_set_recipe){.version = 2, .revoke = &sick, .stop = true}), 0);
    rig_run(rig, 100);
    assert_int_equal(rig_runs(rig, 0), 1);
    rig_report(rig);
    assert_int_equal(rig_install(rig, &sick, "again"), SM_ERR_KEY);
    expect_reason("this module is revoked by key set 2");
    rig_drop(&sick);
}

static void a_stopped_builders_image_ends_and_its_module_is_interpreted(void **state)
{
    struct module m = rig_make(&(struct recipe){.wat = "plain", .sequence = 1});
    struct native n;
    int err = -1;
    (void)state;
    rig->cfg.store.slot_size = 12000;
    sim_free(&sim);
    sim_init(&sim, 1024, 96, 4, 0xff);
    reboot();
    assert_int_equal(rig_commission(rig, &(struct key_set_recipe){.version = 1, .builder = true}),
                     0);
    rig_native(&n, &m);
    assert_int_equal(rig_install_native(rig, &m, &n, "n", &err), 0);
    assert_int_equal(err, 0);
    rig_run(rig, 1000);
    assert_true(rig->apps[0].native);
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2, .stop_builder = true}),
                     0);
    rig_run(rig, 200);
    assert_false(rig->apps[0].native);
    assert_int_equal(rig_runs(rig, 0), 1);
    assert_true(rig_told(rig, SM_EVENT_NATIVE_REFUSED, NULL));
    rig_drop(&m);
}

static void a_revoked_module_is_refused_though_its_signer_is_trusted(void **state)
{
    struct module m = rig_make(&(struct recipe){.wat = "plain", .sequence = 4});
    struct rig_event e;
    (void)state;
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2, .revoke = &m}), 0);
    assert_int_equal(rig_install(rig, &m, "a"), SM_ERR_KEY);
    assert_true(rig_told(rig, SM_EVENT_REFUSED, &e));
    assert_string_equal(e.detail, "this module is revoked by key set 2");
    rig_report(rig);
    assert_int_equal(install(3, SIGNED_WELL), 0);
    rig_drop(&m);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void a_clock_and_signed_times_tell_what_has_expired(void **state)
{
    (void)state;
    assert_int_equal(sm_device_time(&rig->dev), 1000);
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2,
                                                             .issued_s = 2000,
                                                             .signer_expires_s = 5000,
                                                             .stranger_signs = true}),
                     0);
    assert_int_equal(sm_device_time(&rig->dev), 2000);
    assert_int_equal(install(1, SIGNED_WELL), 0);
    rig->wall_s = 1; /* a clock that starts at nothing after each power cut */
    assert_true(sm_device_time(&rig->dev) >= 2000);
    rig->wall_s = 5000;
    assert_int_equal(install(2, SIGNED_WELL), SM_ERR_SIGNATURE);
    assert_int_equal(install(2, SIGNED_BY_STRANGER), 0);
    rig->wall_s = 0;
    assert_int_equal(
        rig_offer(rig, &(struct key_set_recipe){.version = 3, .signer_expires_s = 5000}), 0);
    assert_int_equal(install(3, SIGNED_WELL), 0); /* 2000 is all that it knows */
    reboot();
    assert_true(sm_device_time(&rig->dev) >= 2000 && sm_device_time(&rig->dev) < 3000);
    rig->now_ms += 3000000; /* uptime counts */
    rig_run(rig, 10);
    assert_int_equal(install(4, SIGNED_WELL), SM_ERR_SIGNATURE);
}

static void under_an_expired_set_nothing_is_installed_and_all_goes_on(void **state)
{
    (void)state;
    assert_int_equal(install(1, SIGNED_WELL), 0);
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2, .expires_s = 3000}), 0);
    rig->wall_s = 3000;
    assert_int_equal(install(2, SIGNED_WELL), SM_ERR_EXPIRED);
    expect_reason("key set 2 has expired");
    reboot();
    assert_int_equal(rig_runs(rig, 0), 1);
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 3}), 0);
    assert_int_equal(install(2, SIGNED_WELL), 0);
}

/* ---- What is current ------------------------------------------------------------------------- */

static int with_server(void **state)
{
    (void)blank(state);
    assert_int_equal(
        rig_commission(rig,
                       &(struct key_set_recipe){.version = 1, .issued_s = 1000, .server = true}),
        0);
    return 0;
}

static void without_a_servers_key_nobody_states_anything(void **state)
{
    (void)state;
    assert_false(sm_device_statement_lacking(&rig->dev));
    assert_int_equal(rig_state(rig, 2000, 1), SM_ERR_STATE);
    assert_int_equal(install(1, SIGNED_WELL), 0);
}

static void nothing_is_installed_while_no_statement_holds(void **state)
{
    (void)state;
    assert_true(sm_device_statement_lacking(&rig->dev));
    assert_true(sm_device_statement_wanted(&rig->dev));
    assert_int_equal(install(1, SIGNED_WELL), SM_ERR_EXPIRED);
    expect_reason("the server does not say what is current");
    assert_int_equal(rig_state(rig, 2000, 1), 0);
    assert_false(sm_device_statement_wanted(&rig->dev));
    assert_int_equal(install(1, SIGNED_WELL), 0);
    rig->wall_s = 2500;
    assert_true(sm_device_statement_wanted(&rig->dev));
    assert_false(sm_device_statement_lacking(&rig->dev));
    rig->wall_s = 3000;
    assert_int_equal(install(2, SIGNED_WELL), SM_ERR_EXPIRED);
    assert_int_equal(rig_state(rig, 2999, 2), 0);
    assert_int_equal(install(2, SIGNED_WELL), 0);
    reboot();
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_true(sm_device_statement_lacking(&rig->dev));
}

static void with_an_expired_servers_key_nothing_is_installed_until_the_next_set(void **state)
{
    const struct key_set_recipe r = {.version = 2, .server = true, .server_expires_s = 2500};
    struct sm_statement_plan p = {.fleet = "greenhouse",
                                  .channel = "stable",
                                  .issued_s = 2000,
                                  .expires_s = 3000,
                                  .keys_version = 2};
    (void)state;
    assert_int_equal(rig_offer(rig, &r), 0);
    assert_int_equal(rig_state_plan(rig, &p, false), 0);
    assert_int_equal(install(1, SIGNED_WELL), 0);
    rig->wall_s = 3000;
    assert_true(sm_device_statement_lacking(&rig->dev));
    p.issued_s = 2900;
    p.expires_s = 3900;
    assert_int_equal(rig_state_plan(rig, &p, false), SM_ERR_SIGNATURE);
    assert_int_equal(install(2, SIGNED_WELL), SM_ERR_EXPIRED);
    assert_int_equal(rig_runs(rig, 0), 1);
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 3}), 0);
    assert_int_equal(install(2, SIGNED_WELL), 0);
}

static void a_module_that_is_newer_but_not_current_is_refused(void **state)
{
    (void)state;
    assert_int_equal(rig_state(rig, 2000, 3), 0);
    assert_int_equal(install(2, SIGNED_WELL), SM_ERR_ROLLBACK);
    expect_reason("sequence 2, and 3 is current");
    assert_int_equal(install(3, SIGNED_WELL), 0);
    rig->cfg.statement = NULL; /* without memory for it the sequences are not heeded */
    reboot();
    assert_int_equal(rig_state(rig, 2001, 9), 0);
    assert_int_equal(install(4, SIGNED_WELL), 0);
}

static void a_key_set_that_is_withheld_stops_installations(void **state)
{
    const struct sm_statement_plan p = {.fleet = "greenhouse",
                                        .channel = "stable",
                                        .issued_s = 2000,
                                        .expires_s = 3000,
                                        .keys_version = 2};
    (void)state;
    assert_int_equal(rig_state_plan(rig, &p, false), 0);
    assert_int_equal(install(1, SIGNED_WELL), SM_ERR_STATE);
    expect_reason("key set 2 is current, and this device has 1");
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2, .server = true}), 0);
    assert_int_equal(install(1, SIGNED_WELL), 0);
}

static void expect_stale(const char *detail)
{
    struct sm_event e;
    assert_int_equal(sm_device_event_at(&rig->dev, 0, &e), 0);
    assert_int_equal(e.kind, SM_EVENT_STALE);
    assert_string_equal(e.name, "key set");
    assert_string_equal(e.detail, detail);
    assert_int_equal(rig_report(rig), 1);
    rig_run(rig, 10);
}

static void a_server_that_replays_is_noticed(void **state)
{
    struct sm_event e;
    (void)state;
    assert_int_equal(rig_state(rig, 9000, 1), 0);
    assert_int_equal(rig_state(rig, 9000, 1), 0);
    assert_int_equal(rig_state(rig, 8999, 1), SM_ERR_ROLLBACK);
    assert_int_equal(rig_state(rig, 8999, 1), SM_ERR_ROLLBACK);
    expect_stale("an older statement than one before");
    assert_int_equal(sm_device_event_at(&rig->dev, 0, &e), SM_ERR_NOT_FOUND);
    assert_int_equal(install(1, SIGNED_WELL), 0); /* the one before holds */
    reboot();
    assert_int_equal(rig_state(rig, 8999, 1), SM_ERR_ROLLBACK);
    assert_int_equal(rig_state(rig, 9001, 1), 0);
}

static void a_server_that_is_frozen_or_silent_is_noticed(void **state)
{
    (void)state;
    rig->cfg.statement_grace_s = 100;
    reboot();
    rig_run(rig, 99000);
    assert_false(rig_told(rig, SM_EVENT_STALE, NULL));
    rig_run(rig, 2000);
    sm_device_step(&rig->dev, rig->now_ms);
    expect_stale("the server has not said what is current");
    rig->now_ms += 3600000; /* so often at most it is kept for the server */
    sm_device_step(&rig->dev, rig->now_ms);
    assert_int_equal(rig_state(rig, 2000, 1), SM_ERR_EXPIRED); /* uptime counts */
    rig_report(rig);
    rig->now_ms += 3600000;
    sm_device_step(&rig->dev, rig->now_ms);
    assert_int_equal(rig_state(rig, 9000, 1), 0);
    rig->now_ms += 1000000;
    sm_device_step(&rig->dev, rig->now_ms);
    expect_stale("what the server said was current holds no longer");
}

static void only_the_answer_to_its_own_question_will_do(void **state)
{
    static const uint8_t mine[SM_STATEMENT_NONCE] = "asked just now";
    struct sm_statement_plan p = {.fleet = "greenhouse",
                                  .channel = "stable",
                                  .issued_s = 2000,
                                  .expires_s = 3000,
                                  .keys_version = 1};
    (void)state;
    rig->nonce = mine;
    assert_int_equal(rig_state_plan(rig, &p, false), SM_ERR_INVALID);
    expect_reason("a statement that answers somebody else");
    p.answers = true;
    assert_int_equal(rig_state_plan(rig, &p, false), SM_ERR_INVALID);
    memcpy(p.nonce, mine, sizeof mine);
    assert_int_equal(rig_state_plan(rig, &p, false), 0);
    p.nonce[15] ^= 1;
    assert_int_equal(rig_state_plan(rig, &p, false), SM_ERR_INVALID);
}

static void statements_of_others_and_of_other_times_are_refused(void **state)
{
    struct sm_statement_plan p = {.fleet = "greenhouse",
                                  .channel = "stable",
                                  .issued_s = 500000,
                                  .expires_s = 600000,
                                  .keys_version = 1};
    (void)state;
    assert_int_equal(rig_state_plan(rig, &p, true), SM_ERR_SIGNATURE);
    rig->wall_s = 400000;
    assert_int_equal(rig_state_plan(rig, &p, false), SM_ERR_INVALID);
    rig->wall_s = 413600;
    assert_int_equal(rig_state_plan(rig, &p, false), 0);
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2, .server = true}), 0);
    assert_int_equal(rig_state_plan(rig, &p, false), SM_ERR_ROLLBACK);
    expect_reason("a statement from before key set 2");
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static void a_rotten_copy_is_mended_from_the_other(void **state)
{
    (void)state;
    for (unsigned area = 0; area < 2; area++) {
        uint32_t off = rig->dev.store.layout.keys[area].off;
        sim_rot(&sim, off + 70, 3);
        reboot();
        assert_int_equal(version(), 1);
        assert_int_equal(install(area + 1, SIGNED_WELL), 0);
        sim_rot(&sim, rig->dev.store.layout.keys[!area].off + 40, 0); /* that one holds it now */
        reboot();
        assert_int_equal(version(), 1);
    }
}

static void with_both_copies_rotten_only_the_same_set_helps(void **state)
{
    (void)state;
    assert_int_equal(install(1, SIGNED_WELL), 0);
    for (unsigned area = 0; area < 2; area++)
        sim_rot(&sim, rig->dev.store.layout.keys[area].off + 70, 3);
    reboot();
    assert_true(rig_told(rig, SM_EVENT_CORRUPT_SLOT, NULL));
    assert_int_equal(version(), 0);
    assert_int_equal(rig_runs(rig, 0), 1);
    assert_int_equal(install(2, SIGNED_WELL), SM_ERR_KEY);
    expect_reason("the key set is damaged, so nothing is believed");
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2}), SM_ERR_CORRUPT);
    assert_int_equal(rig_commission(rig, &first), SM_ERR_STATE);
    assert_int_equal(rig_offer(rig, &first), 0);
    assert_int_equal(version(), 1);
    assert_int_equal(install(2, SIGNED_WELL), 0);
    reboot();
    assert_int_equal(version(), 1);
}

static void the_next_set_is_not_written_over_the_only_good_copy(void **state)
{
    (void)state;
    sim_rot(&sim, rig->dev.store.layout.keys[rig->dev.store.keys.active].off + 70, 3);
    sim_power(&sim, UINT64_MAX);
    sim.fail_op = 0; /* it cannot be mended now */
    sim.fail_always = true;
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(version(), 1);
    sim_power(&sim, UINT64_MAX);
    sim.fail_always = false;
    sim.fail_op = 1; /* in the middle of writing the next one */
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2}), SM_ERR_IO);
    sim.fail_op = UINT64_MAX;
    reboot();
    assert_int_equal(version(), 1);
    assert_int_equal(rig_offer(rig, &(struct key_set_recipe){.version = 2}), 0);
    reboot();
    assert_int_equal(version(), 2);
}

static void a_flash_that_fails_keeps_the_set_in_force(void **state)
{
    (void)state;
    for (uint64_t op = 0;; op++) {
        struct flash_sim copy;
        sim_init(&copy, 1024, 48, 4, 0xff);
        sim_copy(&copy, &sim);
        rig->cfg.flash = &copy.flash;
        assert_int_equal(rig_boot(rig), 0);
        sim_power(&copy, UINT64_MAX);
        copy.fail_op = op;
        copy.fail_always = op % 2;
        int err = rig_offer(rig, &(struct key_set_recipe){.version = 2});
        assert_int_equal(version(), err ? 1 : 2);
        if (err) { /* the area that counts was not touched */
            struct sm_region r = rig->dev.store.layout.keys[rig->dev.store.keys.active];
            assert_memory_equal(copy.bytes + r.off, sim.bytes + r.off, r.size);
        }
        bool over = copy.ops <= op;
        copy.fail_op = UINT64_MAX;
        reboot();
        assert_in_range(version(), err ? 1 : 2, 2);
        sim_free(&copy);
        if (over)
            break;
    }
    rig->cfg.flash = &sim.flash;
}

/* ---- Power ----------------------------------------------------------------------------------- */

/* Set 1, sequence 1 and then 2 committed; set 2 replaces the root and stops sequence 2, set 3
 * follows. Whatever happens, a set is in force, its version never falls, sequence 2 does not run
 * under set 2, and in the end set 3 is in force and sequence 1 runs. */
struct chain {
    struct key_set two, three;
    struct module one, stopped;
};

static void check_chain(uint32_t *least)
{
    uint32_t now = version();

    assert_true(now >= *least && now <= 3);
    *least = now;
    assert_int_equal(rig_runs(rig, 0), now == 1 ? 2 : 1);
}

static void session(const struct chain *c, uint32_t *least)
{
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 20);
    check_chain(least);
    (void)sm_device_keys_offer(&rig->dev, c->two.bytes, c->two.len);
    rig_run(rig, 20);
    check_chain(least);
    (void)sm_device_keys_offer(&rig->dev, c->three.bytes, c->three.len);
    rig_run(rig, 20);
    check_chain(least);
    rig_report(rig);
    rig_run(rig, 20);
}

static bool session_is_cut(const struct chain *c, uint32_t *least, uint64_t cut)
{
    sim_power(rig->sim, cut);
    if (setjmp(rig->sim->power) != 0)
        return true;
    session(c, least);
    return false;
}

static void make_chain(struct chain *c, struct flash_sim *start, uint32_t sector, uint32_t unit,
                       uint8_t erased)
{
    sim_init(start, sector, 49152 / sector, unit, erased);
    rig_init_keyed(rig, start);
    rig->cfg.store.applications = 1;
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_commission(rig, &first), 0);
    assert_int_equal(rig_install(rig, &c->one, "1"), 0);
    rig_run(rig, 1000);
    rig_report(rig);
    rig_run(rig, 10);
    assert_int_equal(rig_install(rig, &c->stopped, "2"), 0);
    rig_run(rig, 1000);
    rig_report(rig);
    rig_run(rig, 10);
    assert_int_equal(rig_runs(rig, 0), 2);
}

static uint64_t cut_chain(struct chain *c, uint32_t sector, uint32_t unit, uint8_t erased,
                          unsigned stride)
{
    struct flash_sim start, flash;
    uint64_t cut = 0, points = 5000;

    make_chain(c, &start, sector, unit, erased);
    sim_init(&flash, sector, 49152 / sector, unit, erased);
    for (bool was_cut = true; was_cut; cut += stride) {
        uint32_t least = 1;
        sim_copy(&flash, &start);
        flash.rng = (uint32_t)(cut * 2654435761u) | 1;
        rig->sim = &flash;
        rig->cfg.flash = &flash.flash;
        was_cut = session_is_cut(c, &least, cut);
        if (was_cut)
            (void)session_is_cut(c, &least, sim_random(&flash) % points);
        for (unsigned clean = 0; clean < 2; clean++)
            assert_false(session_is_cut(c, &least, UINT64_MAX));
        assert_int_equal(version(), 3);
        assert_int_equal(rig_runs(rig, 0), 1);
        points = cut + 1;
    }
    sim_free(&start);
    sim_free(&flash);
    return cut / stride;
}

static void fill_chain(struct chain *c)
{
    c->one = rig_make(&(struct recipe){.wat = "plain", .sequence = 1});
    c->stopped = rig_make(&(struct recipe){.wat = "plain", .sequence = 2});
    rig_key_set(
        &c->two,
        &(struct key_set_recipe){
            .version = 2, .root_b = true, .signed_by = "AB", .revoke = &c->stopped, .stop = true});
    rig_key_set(&c->three, &(struct key_set_recipe){
                               .version = 3, .root_b = true, .revoke = &c->stopped, .stop = true});
}

static void drop_chain(struct chain *c)
{
    rig_drop(&c->one);
    rig_drop(&c->stopped);
}

/* Up to twelve cuts in a row, and now and then a byte that rots in a copy of the set. */
static void many_cuts_in_a_row_end_with_the_last_set(void **state)
{
    static const struct {
        uint32_t sector, unit;
        uint8_t erased;
    } shapes[] = {{1024, 4, 0xff}, {2048, 8, 0x00}, {512, 32, 0xff}, {4096, 16, 0xff}};
    struct flash_sim start[4], flash;
    struct chain c;
    unsigned cuts = 0, rots = 0;
    (void)state;
    fill_chain(&c);
    for (unsigned i = 0; i < 4; i++)
        make_chain(&c, &start[i], shapes[i].sector, shapes[i].unit, shapes[i].erased);
    for (unsigned n = 0; n < 400; n++) {
        uint32_t least = 1, sector = shapes[n % 4].sector, unit = shapes[n % 4].unit;
        sim_init(&flash, sector, 49152 / sector, unit, shapes[n % 4].erased);
        sim_copy(&flash, &start[n % 4]);
        flash.rng = n + 1;
        rig->sim = &flash;
        rig->cfg.flash = &flash.flash;
        for (unsigned i = 0; i < 12; i++) {
            cuts += session_is_cut(&c, &least, sim_random(&flash) % (n % 2 ? 4000 : 60000 / unit));
            if (n % 3 || sim_random(&flash) % 8)
                continue;
            /* What rots while the power is on the next boot mends: one byte at a time. */
            assert_false(session_is_cut(&c, &least, UINT64_MAX));
            sim_rot(&flash, rig->dev.store.layout.keys[sim_random(&flash) & 1].off + 33, 5);
            rots++;
        }
        for (unsigned clean = 0; clean < 2; clean++)
            assert_false(session_is_cut(&c, &least, UINT64_MAX));
        assert_int_equal(version(), 3);
        assert_int_equal(rig_runs(rig, 0), 1);
        sim_free(&flash);
    }
    for (unsigned i = 0; i < 4; i++)
        sim_free(&start[i]);
    printf("  %u power cuts, %u rotten bytes\n", cuts, rots);
    drop_chain(&c);
}

static void a_cut_at_any_point_leaves_a_set_in_force_and_never_an_older_one(void **state)
{
    const char *full = getenv("SANDMOTE_TEST_FULL");
    unsigned all = full && *full == '1';
    struct chain c;
    uint64_t cuts = 0;
    (void)state;
    fill_chain(&c);
    cuts += cut_chain(&c, 1024, 4, 0xff, all ? 1 : 41);
    cuts += cut_chain(&c, 2048, 8, 0x00, all ? 1 : 23);
    cuts += cut_chain(&c, 512, 32, 0xff, all ? 1 : 7);
    cuts += cut_chain(&c, 4096, 16, 0xff, all ? 1 : 13);
    printf("  %llu power cuts, each followed by another one at random\n", (unsigned long long)cuts);
    drop_chain(&c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, drop)
#define S(name) cmocka_unit_test_setup_teardown(name, with_server, drop)
#define B(name) cmocka_unit_test_setup_teardown(name, blank, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        B(before_commissioning_nothing_is_believed),
        B(the_first_set_is_checked_and_then_sealed),
        T(the_set_says_whose_modules_run),
        T(a_fixed_trust_store_does_not_go_around_the_set),
        T(the_next_set_is_in_force_at_once_and_after_a_restart),
        T(the_server_hears_of_it_once),
        T(a_device_that_missed_sets_catches_up_through_the_chain),
        T(a_refused_set_changes_nothing_and_is_told_once_by_what_was_wrong),
        T(refusals_write_to_the_flash_once_an_hour),
        T(garbage_is_refused),
        T(a_set_that_does_not_fit_is_refused),
        T(a_revoked_signer_signs_nothing_new_and_what_runs_goes_on),
        T(a_revoked_signers_modules_stop_if_the_set_says_so),
        T(with_all_of_an_application_stopped_nothing_of_it_runs),
        T(a_trial_is_stopped_too),
        T(a_stopped_builders_image_ends_and_its_module_is_interpreted),
        T(a_revoked_module_is_refused_though_its_signer_is_trusted),
        T(a_clock_and_signed_times_tell_what_has_expired),
        T(under_an_expired_set_nothing_is_installed_and_all_goes_on),
        T(without_a_servers_key_nobody_states_anything),
        S(nothing_is_installed_while_no_statement_holds),
        S(with_an_expired_servers_key_nothing_is_installed_until_the_next_set),
        S(a_module_that_is_newer_but_not_current_is_refused),
        S(a_key_set_that_is_withheld_stops_installations),
        S(a_server_that_replays_is_noticed),
        S(a_server_that_is_frozen_or_silent_is_noticed),
        S(only_the_answer_to_its_own_question_will_do),
        S(statements_of_others_and_of_other_times_are_refused),
        T(a_rotten_copy_is_mended_from_the_other),
        T(with_both_copies_rotten_only_the_same_set_helps),
        T(the_next_set_is_not_written_over_the_only_good_copy),
        T(a_flash_that_fails_keeps_the_set_in_force),
        cmocka_unit_test(a_cut_at_any_point_leaves_a_set_in_force_and_never_an_older_one),
        cmocka_unit_test(many_cuts_in_a_row_end_with_the_last_set),
    };
    return cmocka_run_group_tests(tests, rig_once, rig_end);
}

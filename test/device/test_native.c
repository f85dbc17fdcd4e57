/* Native images beside modules: which are taken, which run, and that nothing about them can keep a
 * module from running. The binder of the rig stands for the machine code's loader: it must only
 * ever see bytes that a builder of this fleet claimed for the module that runs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "rig.h"

#define SECTOR 512u
#define SLOT   6144u /* bytes of each slot, in whole sectors */

static struct flash_sim sim;
static struct module v1, v2;
static struct native n1, n2;

static const struct recipe recipe1 = {.wat = "good", .sequence = 1, .capability = {"log"}};
static const struct recipe recipe2 = {.wat = "good", .sequence = 2, .capability = {"log"}};

static int setup(void **state)
{
    (void)state;
    sim_init(&sim, SECTOR, 128, 8, 0xff);
    rig = aligned_alloc(64, (sizeof *rig + 63) / 64 * 64);
    rig_init(rig, &sim);
    assert_int_equal(rig_boot(rig), 0);
    v1 = rig_make(&recipe1);
    v2 = rig_make(&recipe2);
    rig_native(&n1, &v1);
    rig_native(&n2, &v2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_drop(&v1);
    rig_drop(&v2);
    free(rig);
    sim_free(&sim);
    rig_trust_builders(true);
    return 0;
}

static void install(const struct module *m, const struct native *n, const char *action)
{
    int native_err = 0;

    rig_report(rig);
    rig->nevents = 0;
    assert_int_equal(rig_install_native(rig, m, n, action, &native_err), 0);
    assert_int_equal(native_err, 0);
    rig_run(rig, 1000);
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
}

static void expect_native(const struct native *n)
{
    struct rig_event e;

    assert_true(rig->bound > 0);
    assert_memory_equal(rig->bound_sha, n->says.image_sha, 32);
    assert_true(rig_told(rig, SM_EVENT_STARTED, &e));
    assert_string_equal(e.detail, "native");
    assert_false(rig_told(rig, SM_EVENT_NATIVE_REFUSED, NULL));
}

static void expect_interpreted(uint64_t sequence)
{
    struct rig_event e;

    assert_int_equal(rig_runs(rig, 0), sequence);
    assert_true(rig_told(rig, SM_EVENT_STARTED, &e));
    assert_string_equal(e.detail, "");
}

/* This native image is not taken, for this reason; its module is, and an event waits that says so.
 */
static void refuse(const struct module *m, const struct native *n, int err, const char *reason)
{
    static unsigned deployment = 1000;
    struct rig_event e;
    struct sm_event waiting;
    char action[12];
    int native_err = 0;
    bool waits = false;

    snprintf(action, sizeof action, "%u", deployment++);
    rig_report(rig);
    rig->nevents = 0;
    assert_int_equal(rig_install_native(rig, m, n, action, &native_err), 0);
    assert_int_equal(native_err, err);
    assert_true(rig_told(rig, SM_EVENT_NATIVE_REFUSED, &e));
    if (!strstr(e.detail, reason))
        fail_msg("detail is: %s", e.detail);
    for (uint32_t i = 0; sm_device_event_at(&rig->dev, i, &waiting) == 0; i++)
        waits =
            waits || (waiting.kind == SM_EVENT_NATIVE_REFUSED && strstr(waiting.detail, reason));
    assert_true(waits);
    rig_run(rig, 1000);
    assert_int_equal(rig->bound, 0);
    expect_interpreted(2);
}

/* ---- Taken ------------------------------------------------------------------------------------
 */

static void a_native_image_comes_with_its_module_and_runs_at_every_start(void **state)
{
    (void)state;
    install(&v1, &n1, "1");
    expect_native(&n1);
    assert_int_equal(rig->bound, 1);
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 1000);
    expect_native(&n1);
    install(&v2, &n2, "2");
    expect_native(&n2);
    assert_int_equal(rig_runs(rig, 0), 2);
}

static void a_native_image_goes_on_where_it_was_until_another_claim_comes(void **state)
{
    (void)state;
    assert_int_equal(rig_begin(rig, &v1, "1"), 0);
    assert_int_equal(sm_device_install_write(&rig->dev, v1.bytes, v1.len), 0);
    assert_int_equal(sm_device_native_begin(&rig->dev, n1.claim, n1.claim_len), 0);
    assert_int_equal(sm_device_native_write(&rig->dev, n1.image, 300), 0);
    assert_int_equal(sm_device_native_begin(&rig->dev, n2.claim, n2.claim_len), SM_ERR_DENIED);
    assert_int_equal(sm_device_native_begin(&rig->dev, n1.claim, n1.claim_len), 0);
    assert_int_equal(sm_device_native_write(&rig->dev, n1.image, 333), 0);
    assert_int_equal(sm_device_native_begin(&rig->dev, n1.claim, n1.claim_len), 333);
    assert_int_equal(
        sm_device_native_write(&rig->dev, n1.image + 333, (uint32_t)sizeof n1.image - 333), 0);
    assert_int_equal(sm_device_native_end(&rig->dev, NULL), 0);
    assert_int_equal(sm_device_install_finish(&rig->dev), 0);
    rig_run(rig, 1000);
    expect_native(&n1);
}

static void going_back_to_a_module_goes_back_to_its_native_image(void **state)
{
    (void)state;
    install(&v1, &n1, "1");
    install(&v2, &n2, "2");
    assert_int_equal(sm_device_rollback(&rig->dev, "thermostat", "by hand"), 0);
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, 0), 1);
    expect_native(&n1);
}

static void the_native_image_of_a_slot_s_last_tenant_is_not_the_next_one_s(void **state)
{
    struct module v3 =
        rig_make(&(struct recipe){.wat = "good", .sequence = 3, .capability = {"log"}});

    (void)state;
    install(&v1, &n1, "1");
    install(&v2, &n2, "2");
    rig_report(rig);
    rig->nevents = rig->bound = 0;
    assert_int_equal(rig_install(rig, &v3, "3"), 0); /* into the slot of v1 */
    rig_run(rig, 1000);
    expect_interpreted(3);
    assert_int_equal(rig->bound, 0);
    assert_false(rig_told(rig, SM_EVENT_NATIVE_REFUSED, NULL));
    rig_drop(&v3);
}

/* ---- Refused ----------------------------------------------------------------------------------
 */

static void a_device_that_refuses_native_images_interprets(void **state)
{
    (void)state;
    rig->cfg.native = NULL;
    refuse(&v2, &n2, SM_ERR_UNSUPPORTED, "native images are refused here");
}

static void a_policy_that_changes_counts_at_the_next_start(void **state)
{
    (void)state;
    install(&v2, &n2, "1");
    rig->cfg.native = NULL;
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 1000);
    assert_int_equal(rig->bound, 0);
    expect_interpreted(2);
    assert_false(rig_told(rig, SM_EVENT_NATIVE_REFUSED, NULL));
    rig->cfg.native = &rig->native;
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 1000);
    expect_native(&n2);
}

static void a_signer_s_claim_is_refused(void **state)
{
    (void)state;
    rig_claim(&n2, BY_SIGNER);
    refuse(&v2, &n2, SM_ERR_KEY, "a role that signs no native images");
}

static void a_stranger_s_claim_is_refused(void **state)
{
    (void)state;
    rig_claim(&n2, BY_STRANGER);
    refuse(&v2, &n2, SM_ERR_SIGNATURE, "no trusted key made this signature");
}

static void a_claim_by_another_fleet_s_builder_is_refused(void **state)
{
    (void)state;
    rig_claim(&n2, BY_OTHER_FLEET);
    refuse(&v2, &n2, SM_ERR_KEY, "is of another fleet");
}

static void a_module_s_signature_is_no_claim(void **state)
{
    (void)state;
    memcpy(n2.claim, v2.sig, 64);
    n2.claim_len = 64;
    refuse(&v2, &n2, SM_ERR_MALFORMED, "its claim: ");
}

static void a_claim_about_another_module_is_refused(void **state)
{
    (void)state;
    refuse(&v2, &n1, SM_ERR_DENIED, "about another module");
}

static void a_native_image_for_another_target_is_refused(void **state)
{
    (void)state;
    n2.says.target = RIG_TARGET + 1;
    rig_claim(&n2, BY_BUILDER);
    refuse(&v2, &n2, SM_ERR_UNSUPPORTED, "for target 10, this device is 9");
}

static void a_native_image_too_large_for_the_slot_is_refused(void **state)
{
    (void)state;
    n2.says.image_len = SLOT - 2 * SECTOR;
    rig_claim(&n2, BY_BUILDER);
    refuse(&v2, &n2, SM_ERR_FULL, "do not fit the slot");
}

static void other_bytes_than_those_claimed_are_refused(void **state)
{
    (void)state;
    n2.image[700] ^= 1;
    refuse(&v2, &n2, SM_ERR_CORRUPT, "not those claimed");
}

static void more_bytes_than_claimed_are_refused(void **state)
{
    (void)state;
    n2.says.image_len = sizeof n2.image - 1;
    rig_claim(&n2, BY_BUILDER);
    refuse(&v2, &n2, SM_ERR_LIMIT, "more than the 1499 bytes claimed");
}

static void fewer_bytes_than_claimed_are_refused(void **state)
{
    (void)state;
    n2.says.image_len = sizeof n2.image + 1;
    rig_claim(&n2, BY_BUILDER);
    refuse(&v2, &n2, SM_ERR_CORRUPT, "1500 of 1501 bytes came");
}

static void what_the_loader_cannot_run_is_interpreted(void **state)
{
    struct rig_event e;

    (void)state;
    rig->bind_error = SM_ERR_UNSUPPORTED;
    install(&v2, &n2, "1");
    expect_interpreted(2);
    assert_true(rig_told(rig, SM_EVENT_NATIVE_REFUSED, &e));
    assert_non_null(strstr(e.detail, "no such processor"));
    assert_false(rig_told(rig, SM_EVENT_TRAP, NULL));
}

static void a_builder_that_is_no_longer_trusted_counts_at_the_next_start(void **state)
{
    struct rig_event e;

    (void)state;
    install(&v2, &n2, "1");
    rig_trust_builders(false);
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 1000);
    assert_int_equal(rig->bound, 0);
    expect_interpreted(2);
    assert_true(rig_told(rig, SM_EVENT_NATIVE_REFUSED, &e));
    assert_non_null(strstr(e.detail, "no trusted key"));
    /* The server hears of it once, and no start after that writes. */
    assert_int_not_equal(e.id, 0);
    assert_true(rig_report(rig) > 0);
    rig_run(rig, 1000);
    assert_int_equal(rig_boot(rig), 0);
    sim_power(&sim, UINT64_MAX);
    rig_run(rig, 1000);
    assert_true(rig_told(rig, SM_EVENT_NATIVE_REFUSED, &e));
    assert_int_equal(e.id, 0);
    assert_int_equal(sim.ops, 0);
}

/* ---- Flash ------------------------------------------------------------------------------------
 */

/* Every byte of claim and image in turn rots by one bit. */
static void a_native_image_that_rotted_is_not_run(void **state)
{
    uint32_t slot = sm_store_slot(&rig->dev.store, 0, 0).off, told = 0;

    (void)state;
    install(&v2, &n2, "1");
    for (uint32_t at = SLOT - SECTOR - 3 * SECTOR; at < SLOT - SECTOR + 2 + n2.claim_len; at++) {
        bool padding = at >= SLOT - SECTOR - 3 * SECTOR + sizeof n2.image && at < SLOT - SECTOR;

        sim_rot(&sim, slot + at, at % 8);
        assert_int_equal(rig_boot(rig), 0);
        rig_run(rig, 500);
        assert_int_equal(rig_runs(rig, 0), 2);
        assert_int_equal(rig->bound, padding ? 1 : 0);
        told += rig_told(rig, SM_EVENT_NATIVE_REFUSED, NULL);
        sim_rot(&sim, slot + at, at % 8);
    }
    printf("  %u of %u rotten bytes were told of, the rest is a claim that is none\n",
           (unsigned)told, (unsigned)(sizeof n2.image + 2 + n2.claim_len));
    assert_true(told >= sizeof n2.image);
}

/* Power fails at every point of an update with a native image; after it the device runs one of the
 * two modules, with its own native image or none, and takes the update when it is brought again. */
static void power_may_fail_anywhere_in_an_update_with_a_native_image(void **state)
{
    struct flash_sim before;
    volatile uint64_t cut, native = 0;

    (void)state;
    install(&v1, &n1, "1");
    rig_report(rig);
    sim_init(&before, SECTOR, 128, 8, 0xff);
    sim_copy(&before, &sim);
    for (cut = 0;; cut += 3) {
        volatile bool done = false;
        int native_err = 0;

        sim_copy(&sim, &before);
        sim_power(&sim, UINT64_MAX);
        assert_int_equal(rig_boot(rig), 0);
        rig_report(rig);
        sim_power(&sim, cut);
        if (setjmp(sim.power) == 0) {
            assert_int_equal(rig_install_native(rig, &v2, &n2, "2", &native_err), 0);
            done = true;
        }
        sim_power(&sim, UINT64_MAX);
        assert_int_equal(rig_boot(rig), 0);
        rig_run(rig, 500);
        uint64_t runs = rig_runs(rig, 0);
        assert_true(runs == 1 || runs == 2);
        if (rig->bound)
            assert_memory_equal(rig->bound_sha, (runs == 1 ? &n1 : &n2)->says.image_sha, 32);
        native += rig->bound > 0;
        rig_report(rig);
        if (runs == 1) {
            rig->bound = 0;
            assert_int_equal(rig_install_native(rig, &v2, &n2, "3", &native_err), 0);
            assert_int_equal(native_err, 0);
            rig_run(rig, 500);
            assert_int_equal(rig_runs(rig, 0), 2);
            assert_memory_equal(rig->bound_sha, n2.says.image_sha, 32);
        }
        if (done)
            break;
    }
    printf("  %llu cuts, after %llu of them a native image ran\n", (unsigned long long)cut / 3,
           (unsigned long long)native);
    sim_free(&before);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_native_image_comes_with_its_module_and_runs_at_every_start),
        T(a_native_image_goes_on_where_it_was_until_another_claim_comes),
        T(going_back_to_a_module_goes_back_to_its_native_image),
        T(the_native_image_of_a_slot_s_last_tenant_is_not_the_next_one_s),
        T(a_device_that_refuses_native_images_interprets),
        T(a_policy_that_changes_counts_at_the_next_start),
        T(a_signer_s_claim_is_refused),
        T(a_stranger_s_claim_is_refused),
        T(a_claim_by_another_fleet_s_builder_is_refused),
        T(a_module_s_signature_is_no_claim),
        T(a_claim_about_another_module_is_refused),
        T(a_native_image_for_another_target_is_refused),
        T(a_native_image_too_large_for_the_slot_is_refused),
        T(other_bytes_than_those_claimed_are_refused),
        T(more_bytes_than_claimed_are_refused),
        T(fewer_bytes_than_claimed_are_refused),
        T(what_the_loader_cannot_run_is_interpreted),
        T(a_builder_that_is_no_longer_trusted_counts_at_the_next_start),
        T(a_native_image_that_rotted_is_not_run),
        T(power_may_fail_anywhere_in_an_update_with_a_native_image),
    };

    rig_global_setup();
    return cmocka_run_group_tests_name("native images on the device", tests, NULL, NULL);
}

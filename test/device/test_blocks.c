/* Updates in blocks: a device and a server with a bad way between them, restarts, power cuts and a
 * server that lies. Each seed is a way of its own; a failure prints it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "blocks_rig.h"

enum { SEEDS = 40, LONG_MS = 3600000 };

static struct flash_sim sim;
static struct module first, next, bad, trap, beside;
static struct native native; /* of beside */

static int once(void **state)
{
    rig_once(state);
    first = rig_make(&(struct recipe){.wat = "plain", .sequence = 1});
    next = rig_make(&(struct recipe){.wat = "large", .sequence = 2});
    bad = rig_make(&(struct recipe){.wat = "large", .sequence = 3, .how = SIGNED_BY_STRANGER});
    trap = rig_make(&(struct recipe){.wat = "trap_start", .sequence = 4});
    beside = rig_make(&(struct recipe){.wat = "good", .sequence = 2, .capability = {"log"}});
    return 0;
}

static int end(void **state)
{
    rig_drop(&first);
    rig_drop(&next);
    rig_drop(&bad);
    rig_drop(&trap);
    rig_drop(&beside);
    return rig_end(state);
}

static void fresh(uint64_t seed)
{
    sim_init(&sim, 512, 128, 8, 0xff);
    rig_init(rig, &sim);
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_install(rig, &first, "one"), 0);
    rig_run(rig, 2000);
    rig_report(rig);
    assert_int_equal(rig_runs(rig, 0), 1);
    field_init(seed);
}

static int setup(void **state)
{
    (void)state;
    fresh(1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_free(&sim);
    return 0;
}

static void deploy(const char *action, const struct module *m)
{
    field.action = action;
    field.module[0] = m;
    field.count = 1;
    field.results = 0;
}

static bool server_heard(enum sm_event_kind kind)
{
    for (unsigned i = 0; i < field.nevents; i++)
        if (field.event[i].kind == kind)
            return true;
    return false;
}

static void expect_done(uint64_t sequence)
{
    assert_int_equal(field.outcome, 1);
    assert_int_equal(rig_runs(rig, 0), sequence);
    assert_int_equal(field.runs, sequence);
    assert_true(server_heard(SM_EVENT_COMMITTED));
}

/* ---- The way is good ------------------------------------------------------------------------- */

static void a_module_comes_in_blocks_and_the_server_hears_what_became_of_it(void **state)
{
    (void)state;
    deploy("7", &next);
    field_run_to_result(LONG_MS);
    field_run(2000);
    expect_done(2);
    assert_string_equal(field.result_of, "7");
    assert_true(server_heard(SM_EVENT_INSTALLED));
    assert_int_equal(field.sent_blocks, (next.len + SM_BLOCKS_LEAST - SM_BLOCKS_HEAD - 1) /
                                            (SM_BLOCKS_LEAST - SM_BLOCKS_HEAD));
    assert_int_equal(field.blocks.counts.retries, 0);
    assert_int_equal(field.blocks.counts.unasked, 0);
    for (unsigned i = 0; i < field.nevents; i++)
        assert_int_equal(field.event[i].times, 1);
}

static void a_device_with_nothing_to_do_asks_as_often_as_it_is_told(void **state)
{
    uint64_t token;

    (void)state;
    field.poll_s = 100;
    field_run(1000);
    token = field.blocks.token;
    field_run(1000000);
    assert_in_range(field.blocks.token - token, 8, 10);
    assert_true(sm_blocks_idle(&field.blocks));
}

static void news_make_it_ask_at_once_but_not_more_often_than_it_likes(void **state)
{
    uint64_t token;

    (void)state;
    field.poll_s = 10000;
    field_run(2000);
    token = field.blocks.token;
    field_send(&(struct sm_blocks_msg){.kind = SM_BLOCKS_NEWS});
    field_run(500);
    assert_int_equal(field.blocks.token - token, 1);
    for (unsigned i = 0; i < 1000; i++) {
        field_send(&(struct sm_blocks_msg){.kind = SM_BLOCKS_NEWS});
        field_run(10);
    }
    assert_in_range(field.blocks.token - token, 8, 12);
}

static void a_window_of_one_block_is_enough(void **state)
{
    (void)state;
    field.cfg.buf_len = SM_BLOCKS_LEAST - SM_BLOCKS_HEAD;
    field.lost = 10;
    field_boot();
    deploy("7", &next);
    field_run_to_result(LONG_MS);
    field_run(LONG_MS / 10);
    expect_done(2);
}

/* ---- The way is bad -------------------------------------------------------------------------- */

static void whatever_the_way_does_the_module_comes_and_each_event_is_told(void **state)
{
    unsigned blocks = 0, sent = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        teardown(NULL);
        fresh(seed);
        field.lost = (unsigned)seed % 4 * 10;
        field.doubled = (unsigned)seed / 4 % 3 * 15;
        field.late = (unsigned)seed / 2 % 3 * 20;
        field.late_ms = 700;
        field.cut = (unsigned)seed / 3 % 3 * 4;
        deploy("7", &next);
        field_run_to_result(LONG_MS);
        field_run(60000);
        expect_done(2);
        assert_int_equal(field.blocks.counts.blocks, (next.len + 230) / 231);
        blocks += (next.len + 230) / 231;
        sent += field.sent_blocks;
    }
    printf("  %u ways: %u blocks sent for %u\n", SEEDS, sent, blocks);
}

static void blocks_that_came_early_are_not_asked_for_again(void **state)
{
    (void)state;
    field.lost = 30;
    deploy("7", &next);
    field_run_to_result(LONG_MS);
    assert_true(field.lost_blocks > 0);
    assert_int_equal(field.sent_blocks, (next.len + 230) / 231 + field.lost_blocks);
}

static void what_the_last_block_shows_to_be_lost_is_asked_for_at_once(void **state)
{
    (void)state;
    field.loses = 3;
    deploy("7", &next);
    field_run_to_result(LONG_MS);
    expect_done(2);
    assert_int_equal(field.loses, 0);
    assert_int_equal(field.blocks.counts.retries, 0);
    assert_int_equal(field.sent_blocks, (next.len + 230) / 231 + 1);
}

static void a_way_that_is_down_for_a_while_costs_nothing_that_has_come(void **state)
{
    (void)state;
    field.cfg.window = 1;
    field_boot();
    deploy("7", &next);
    while (field.sent_blocks < 8)
        field_run(10);
    field.down = true;
    field_run(600000);
    field.down = false;
    sm_blocks_wake(&field.blocks, rig->now_ms);
    field_run_to_result(10000);
    expect_done(2);
    assert_in_range(field.sent_blocks, (next.len + 230) / 231, (next.len + 230) / 231 + 1);
}

static void a_restart_goes_on_from_what_the_slot_holds(void **state)
{
    (void)state;
    field.cfg.window = 1;
    field_boot();
    deploy("7", &next);
    while (field.sent_blocks < 15)
        field_run(10);
    assert_int_equal(rig_boot(rig), 0);
    uint32_t received = rig->records[0].slot[1].received;
    assert_true(received > 0);
    field_boot();
    field.sent_blocks = 0;
    field_run_to_result(LONG_MS);
    field_run(2000);
    expect_done(2);
    assert_int_equal(field.sent_blocks, (next.len + 230) / 231 - received / 231);
}

/* From a start on to the result with the power failing at this point; whether it did. */
static bool is_cut(uint64_t cut)
{
    sim_power(&sim, cut);
    if (setjmp(sim.power) != 0)
        return true;
    if (cut == UINT64_MAX) {
        rig->now_ms += 1000;
        assert_int_equal(rig_boot(rig), 0);
        field_boot();
    }
    field_run_to_result(LONG_MS);
    return false;
}

/* The power fails at points of the flash's operations, and messages get lost. */
static void power_cuts_on_the_way_end_well(void **state)
{
    const char *full = getenv("SANDMOTE_TEST_FULL");
    uint64_t stride = full && *full == '1' ? 7 : 397, cuts = 0;
    bool cut = true;

    (void)state;
    for (uint64_t at = 3; cut; at += stride) {
        teardown(NULL);
        fresh(at);
        field.lost = 10;
        deploy("7", &next);
        cut = is_cut(at);
        if (cut) {
            cuts++;
            assert_false(is_cut(UINT64_MAX));
        }
        field_run(10000);
        assert_int_equal(rig_runs(rig, 0), 2);
        assert_int_equal(field.outcome, 1);
    }
    printf("  %llu power cuts\n", (unsigned long long)cuts);
}

/* ---- The server lies ------------------------------------------------------------------------- */

static void a_module_of_a_stranger_is_refused_and_the_server_hears_why(void **state)
{
    (void)state;
    deploy("7", &bad);
    field_run_to_result(LONG_MS);
    assert_int_equal(field.outcome, 2);
    assert_non_null(strstr(field.why, "signature"));
    field_run(2000);
    assert_true(server_heard(SM_EVENT_REFUSED));
    assert_int_equal(rig_runs(rig, 0), 1);
}

static void an_unsigned_module_costs_no_blocks(void **state)
{
    (void)state;
    field.unsigned_ = true;
    deploy("7", &next);
    field_run_to_result(LONG_MS);
    assert_int_equal(field.outcome, 2);
    assert_non_null(strstr(field.why, "unsigned"));
    assert_int_equal(field.sent_blocks, 0);
}

static void a_module_that_traps_is_reported_and_the_one_before_runs(void **state)
{
    (void)state;
    deploy("7", &trap);
    field_run_to_result(LONG_MS);
    assert_int_equal(field.outcome, 2);
    field_run(2000);
    assert_true(server_heard(SM_EVENT_ROLLED_BACK));
    assert_int_equal(rig_runs(rig, 0), 1);
}

static void a_length_beyond_the_slot_is_refused_before_a_block_is_asked_for(void **state)
{
    (void)state;
    field.wrong_length = 100000;
    deploy("7", &next);
    field_run_to_result(LONG_MS);
    assert_int_equal(field.outcome, 2);
    assert_non_null(strstr(field.why, "slot"));
    assert_int_equal(field.asked_blocks, 0);
}

static void blocks_beyond_the_end_are_dropped_and_counted(void **state)
{
    (void)state;
    field.beyond = true;
    deploy("7", &next);
    field_run_to_result(LONG_MS);
    expect_done(2);
    assert_true(field.blocks.counts.unasked > 0);
}

/* The offer says more bytes than there are: the last blocks have the wrong length, for ever. */
static void a_length_that_is_not_the_modules_ends_with_the_time_for_it(void **state)
{
    (void)state;
    field.wrong_length = 300;
    field.cfg.deadline_s = 600;
    field_boot();
    deploy("7", &next);
    field_run_to_result(700000);
    assert_int_equal(field.outcome, 2);
    assert_non_null(strstr(field.why, "in time"));
    field_run(10000);
    assert_true(server_heard(SM_EVENT_DOWNLOAD_FAILED));
    assert_int_equal(rig_runs(rig, 0), 1);
}

static void a_server_that_changes_the_length_midway_is_asked_for_what_it_offered(void **state)
{
    (void)state;
    field.cfg.window = 1;
    field.cfg.deadline_s = 600;
    field_boot();
    deploy("7", &next);
    while (field.sent_blocks < 5)
        field_run(10);
    struct module shorter = next;
    shorter.len = 1400;
    field.module[0] = &shorter;
    field_run_to_result(700000);
    assert_int_equal(field.outcome, 2);
    assert_int_equal(rig_runs(rig, 0), 1);
}

static void a_server_that_offers_and_never_sends_is_given_up(void **state)
{
    (void)state;
    field.silent_on_want = true;
    field.cfg.deadline_s = 600;
    field_boot();
    deploy("7", &next);
    field_run_to_result(700000);
    assert_int_equal(field.outcome, 2);
    assert_non_null(strstr(field.why, "in time"));
    assert_true(field.blocks.counts.retries < 140); /* later and later, to every five seconds */
}

static void endless_duplicates_are_counted_and_end_the_deployment(void **state)
{
    (void)state;
    field.echo = 20;
    field.cfg.window = 2;
    field_boot();
    deploy("7", &next);
    field_run_to_result(LONG_MS);
    assert_int_equal(field.outcome, 2);
    assert_non_null(strstr(field.why, "more bytes"));
    assert_true(field.blocks.counts.duplicates > 50);
    assert_int_equal(rig_runs(rig, 0), 1);
}

static void a_storm_of_offers_and_blocks_that_nobody_asked_for_changes_nothing(void **state)
{
    uint32_t programs;

    (void)state;
    field_run(2000);
    programs = rig->dev.store.health.programs;
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t sha[32] = {(uint8_t)i, (uint8_t)(i >> 8)};
        struct sm_blocks_msg m = {.kind = SM_BLOCKS_OFFER,
                                  .token = i,
                                  .what = SM_BLOCKS_MODULE,
                                  .length = 100,
                                  .sha = sha,
                                  .signature = next.sig,
                                  .name = sm_blocks_text("thermostat"),
                                  .version = sm_blocks_text("9")};
        if (i % 2)
            m = (struct sm_blocks_msg){
                .kind = SM_BLOCKS_BLOCK, .number = i, .bytes = sha, .bytes_len = 32};
        field_send(&m);
        if (i % 100 == 0)
            field_run(25);
    }
    field_run(2000);
    assert_int_equal(rig->dev.store.health.programs, programs);
    assert_int_equal(field.blocks.counts.unasked, 20000);
    assert_int_equal(rig_runs(rig, 0), 1);
}

static void blocks_of_something_else_do_not_get_into_a_module(void **state)
{
    uint8_t junk[SM_BLOCKS_LEAST - SM_BLOCKS_HEAD] = {1, 2, 3};

    (void)state;
    deploy("7", &next);
    while (field.results == 0) {
        struct sm_blocks_msg m = {.kind = SM_BLOCKS_BLOCK,
                                  .tag = sm_blocks_tag(first.sha),
                                  .number = field.blocks.have / sizeof junk,
                                  .bytes = junk,
                                  .bytes_len = sizeof junk};
        if (field.blocks.fetching && field.blocks.counts.unasked < 20)
            field_send(&m);
        field_run(5);
    }
    field_run(2000);
    expect_done(2);
    assert_in_range(field.blocks.counts.unasked, 20, 40);
}

static void blocks_ahead_of_the_window_are_dropped(void **state)
{
    (void)state;
    field.cfg.window = 2;
    field_boot();
    deploy("7", &next);
    while (field.results == 0) {
        uint32_t size = SM_BLOCKS_LEAST - SM_BLOCKS_HEAD, n = field.blocks.have / size + 3;
        struct sm_blocks_msg m = {.kind = SM_BLOCKS_BLOCK,
                                  .tag = sm_blocks_tag(next.sha),
                                  .number = n,
                                  .bytes = next.bytes + n * size,
                                  .bytes_len = (uint16_t)size};
        if (field.blocks.fetching && (n + 1) * size <= next.len)
            field_send(&m);
        field_run(7);
    }
    field_run(2000);
    expect_done(2);
    assert_true(field.blocks.counts.unasked > 0);
}

static void an_answer_to_another_question_is_none(void **state)
{
    uint8_t bytes[SM_BLOCKS_LEAST];
    struct sm_blocks_msg m = {
        .kind = SM_BLOCKS_STATUS, .seconds = 1, .count = 1, .action = sm_blocks_text("evil")};

    (void)state;
    field.down = true;
    field_run(10);
    assert_int_equal(field.blocks.asking, SM_BLOCKS_POLL);
    m.token = field.blocks.token - 1;
    int len = sm_blocks_encode(&m, bytes, sizeof bytes);
    assert_int_equal(sm_blocks_input(&field.blocks, bytes, (size_t)len, rig->now_ms), SM_ERR_STATE);
    m.token++;
    len = sm_blocks_encode(&m, bytes, sizeof bytes);
    assert_int_equal(sm_blocks_input(&field.blocks, bytes, (size_t)len, rig->now_ms), 0);
}

static unsigned events_waiting(void)
{
    struct sm_event e;
    unsigned n = 0;

    while (sm_device_event_at(&rig->dev, n, &e) == 0)
        n++;
    return n;
}

/* While the answer is under way another event becomes the first one. */
static void a_late_answer_about_one_event_does_not_count_for_another(void **state)
{
    struct module other = rig_make(&(struct recipe){.wat = "plain", .sequence = 1, .name = "b"});
    uint8_t bytes[SM_BLOCKS_LEAST];

    (void)state;
    field_run(1000);
    assert_int_equal(rig_install(rig, &other, "two"), 0);
    field.down = true;
    field_run(10);
    assert_int_equal(field.blocks.asking, SM_BLOCKS_REPORT);
    struct sm_blocks_msg ack = {.kind = SM_BLOCKS_ACK, .token = field.blocks.token};
    assert_int_equal(rig_install(rig, &next, "three"), 0);
    field_run(1000);
    assert_true(field.blocks.counts.retries > 0);
    unsigned waiting = events_waiting();
    int len = sm_blocks_encode(&ack, bytes, sizeof bytes);
    assert_int_equal(sm_blocks_input(&field.blocks, bytes, (size_t)len, rig->now_ms), SM_ERR_STATE);
    assert_int_equal(events_waiting(), waiting);
    rig_drop(&other);
}

static void a_server_that_has_not_what_it_speaks_of_is_not_asked_all_the_time(void **state)
{
    (void)state;
    field.has_none = true;
    deploy("7", &next);
    field_run(60000);
    assert_in_range(field.asks, 30, 60);
}

static void a_new_deployment_takes_the_place_of_one_under_way(void **state)
{
    struct module other = rig_make(&(struct recipe){.wat = "plain", .sequence = 5});

    (void)state;
    field.cfg.window = 1;
    field_boot();
    field.poll_s = 1;
    deploy("7", &next);
    while (field.sent_blocks < 5)
        field_run(10);
    deploy("8", &other);
    field_run_to_result(LONG_MS);
    field_run(2000);
    assert_string_equal(field.result_of, "8");
    expect_done(5);
    rig_drop(&other);
}

static void deployments_without_end_cost_the_flash_no_more_than_over_https(void **state)
{
    char action[16];

    (void)state;
    rig->cfg.free_installs = 4;
    assert_int_equal(rig_boot(rig), 0);
    field_boot();
    field.poll_s = 1;
    for (unsigned i = 0; i < 400; i++) {
        snprintf(action, sizeof action, "%u", i);
        deploy(action, i % 2 ? &bad : &next);
        field.silent_on_want = true;
        field_run(1500);
    }
    assert_true(rig->apps[0].installs <= 10);
}

static void a_deployment_of_more_than_it_takes_is_refused(void **state)
{
    (void)state;
    field.action = "7";
    field.count = SM_BLOCKS_MODULES + 1;
    field_run_to_result(LONG_MS);
    assert_int_equal(field.outcome, 2);
    assert_non_null(strstr(field.why, "at once"));
}

/* ---- Native images --------------------------------------------------------------------------- */

/* A device that runs native images, and a deployment of a module of which there is one. */
static void deploy_native(uint64_t seed)
{
    teardown(NULL);
    fresh(seed);
    rig_native(&native, &beside);
    field.native = &native;
    deploy("7", &beside);
}

static void expect_native(void)
{
    expect_done(2);
    assert_true(rig->bound > 0);
    assert_memory_equal(rig->bound_sha, native.says.image_sha, 32);
    assert_false(server_heard(SM_EVENT_NATIVE_REFUSED));
}

static void expect_without(bool refused)
{
    expect_done(2);
    assert_int_equal(rig->bound, 0);
    assert_int_equal(server_heard(SM_EVENT_NATIVE_REFUSED), refused);
}

static void finish_deployment(void)
{
    field_run_to_result(LONG_MS);
    field_run(60000);
}

static void a_native_image_comes_behind_its_module_whatever_the_way_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS / 2; seed++) {
        deploy_native(seed);
        field.lost = (unsigned)seed % 4 * 10;
        field.doubled = (unsigned)seed / 4 % 3 * 15;
        field.late = (unsigned)seed / 2 % 3 * 20;
        field.late_ms = 700;
        field.cut = (unsigned)seed / 3 % 3 * 4;
        finish_deployment();
        expect_native();
        assert_int_equal(field.blocks.counts.blocks, (beside.len + 230) / 231 +
                                                         (native.claim_len + 230) / 231 +
                                                         (sizeof native.image + 230) / 231);
    }
}

static void a_native_image_comes_in_spite_of_restarts(void **state)
{
    (void)state;
    for (unsigned blocks = 1; blocks < 10; blocks++) {
        deploy_native(blocks);
        field.cfg.window = 1;
        field_boot();
        while (field.sent_blocks < blocks)
            field_run(10);
        assert_int_equal(rig_boot(rig), 0);
        field_boot();
        finish_deployment();
        expect_native();
    }
}

static void each_release_has_a_native_image_of_its_own(void **state)
{
    struct module later =
        rig_make(&(struct recipe){.wat = "good", .sequence = 3, .capability = {"log"}});

    (void)state;
    deploy_native(1);
    finish_deployment();
    expect_native();
    rig->bound = 0;
    rig_native(&native, &later);
    deploy("8", &later);
    finish_deployment();
    expect_done(3);
    assert_true(rig->bound > 0);
    rig_drop(&later);
}

static void a_new_deployment_takes_the_place_of_a_claim_under_way(void **state)
{
    (void)state;
    deploy_native(1);
    field.delay_ms = 3000; /* so that a poll is due when the claim is offered */
    field.poll_s = 1;
    while (field.claims_asked == 0)
        field_run(100);
    deploy("8", &next);
    field_run(10000);
    field.delay_ms = 0;
    field_run_to_result(LONG_MS);
    assert_string_equal(field.result_of, "8");
    assert_int_equal(field.outcome, 1);
}

static void a_module_without_native_image_is_interpreted(void **state)
{
    (void)state;
    deploy_native(1);
    field.native = NULL;
    finish_deployment();
    expect_without(false);
    assert_int_equal(field.claims_asked, 1);
    deploy_native(1);
    rig->cfg.native = NULL;
    finish_deployment();
    expect_without(false);
    assert_int_equal(field.claims_asked, 0);
}

static void a_claim_that_is_refused_costs_no_block_of_the_image(void **state)
{
    (void)state;
    deploy_native(1);
    rig_claim(&native, BY_STRANGER);
    finish_deployment();
    expect_without(true);
    assert_int_equal(field.sent_blocks, (beside.len + 230) / 231 + (native.claim_len + 230) / 231);
}

/* It is lost at the server; other bytes come; bytes without end; none; a claim with something
 * behind it; no word about a claim. */
static void whatever_is_wrong_with_a_native_image_its_module_runs(void **state)
{
    (void)state;
    for (unsigned wrong = 0; wrong < 6; wrong++) {
        deploy_native(wrong + 1);
        field.native_gone = wrong == 0;
        native.image[700] ^= wrong == 1;
        if (wrong == 4)
            native.claim_len = sizeof native.claim;
        field.silent_on_claim = wrong == 5;
        while (field.claims_asked == 0)
            field_run(1);
        field.echo = wrong == 2 ? 12 : 0;
        field.silent_on_want = wrong == 3;
        field_run(1000);
        if (wrong == 3)
            rig->now_ms += 86400000;
        finish_deployment();
        expect_without(true);
    }
}

/* ---- Post-mortems ---------------------------------------------------------------------------- */

/* The post-mortem of the last trap, as the device has it. */
static struct sm_journal_note note_of(uint32_t number)
{
    struct sm_journal_note note;

    assert_int_equal(sm_device_note_at(&rig->dev, number - 1, &note), 0);
    assert_int_equal(note.number, number);
    return note;
}

static void a_post_mortem_comes_in_parts_and_is_told_once(void **state)
{
    struct module wordy =
        rig_make(&(struct recipe){.wat = "last_words", .sequence = 4, .capability = {"log"}});

    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        teardown(NULL);
        sim_init(&sim, 512, 128, 8, 0xff);
        rig_init(rig, &sim);
        rig->cfg.store.journal_size = 4096;
        assert_int_equal(rig_boot(rig), 0);
        assert_int_equal(rig_install(rig, &wordy, "one"), 0);
        rig_run(rig, 2000);
        struct sm_journal_note note = note_of(1);
        uint8_t bytes[SM_JOURNAL_NOTE];
        assert_true(note.len > SM_BLOCKS_LEAST);
        memcpy(bytes, note.bytes, note.len);
        field_init(i + 1);
        field.lost = i % 4 * 15;
        field.doubled = i % 3 * 10;
        field.forgets_notes = i % 2;
        field_run(20000);
        assert_int_equal(field.note_have, 0); /* a server that does not say that it takes them */
        field.takes_notes = true;
        field.poll_s = 1;
        field_run(300000);
        assert_int_equal(field.notes, 1);
        assert_int_equal(field.note_len, note.len);
        assert_memory_equal(field.note, bytes, note.len);
        assert_int_equal(rig_boot(rig), 0);
        field_boot();
        field_run(60000);
        assert_int_equal(field.notes, 1);
    }
    rig_drop(&wordy);
}

/* A core dump of the first note, as a device has it that has room for one. */
static struct {
    uint8_t bytes[15000];
    uint32_t len;
    unsigned asked, freed;
} dump;

static int core_of(void *ctx, const struct sm_journal_note *note, const uint8_t **bytes,
                   uint32_t *len)
{
    (void)ctx;
    if (note == NULL) {
        dump.freed++;
        return 0;
    }
    dump.asked++;
    if (note->number != 1)
        return SM_ERR_NOT_FOUND;
    *bytes = dump.bytes;
    *len = dump.len;
    return 0;
}

/* A device whose module has trapped, with a dump of it; its server takes post-mortems. */
static void trap_with_dump(const struct module *wordy, uint64_t seed)
{
    teardown(NULL);
    sim_init(&sim, 512, 256, 8, 0xff);
    rig_init(rig, &sim);
    rig->cfg.store.journal_size = 4096;
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_install(rig, wordy, "one"), 0);
    rig_run(rig, 2000);
    (void)note_of(1);
    memset(&dump, 0, sizeof dump);
    dump.len = sizeof dump.bytes;
    for (uint32_t i = 0; i < dump.len; i++)
        dump.bytes[i] = (uint8_t)(i * i >> 7);
    field_init(seed);
    field.cfg.core = core_of;
    field.takes_notes = true;
    field.poll_s = 1;
}

static struct module last_words(void)
{
    return rig_make(&(struct recipe){.wat = "last_words", .sequence = 1, .capability = {"log"}});
}

static void expect_dump(void)
{
    assert_int_equal(field.notes, 1);
    assert_int_equal(field.note_len, dump.len);
    assert_memory_equal(field.note, dump.bytes, dump.len);
    assert_int_equal(dump.freed, 1);
}

static void a_core_dump_comes_whole_though_messages_are_lost_and_doubled(void **state)
{
    struct module wordy = last_words();

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        trap_with_dump(&wordy, i + 1);
        field.lost = i % 4 * 10;
        field.doubled = i % 3 * 10;
        field.late = i % 2 * 20;
        field.late_ms = 3000;
        field.delay_ms = 50;
        field.forgets_notes = i == 5;
        field_run(3000000);
        expect_dump();
        assert_int_equal(dump.asked, 1);
        assert_int_equal(field.blocks.note_told, 1);
        assert_int_equal(rig_boot(rig), 0);
        field_boot();
        field_run(60000);
        assert_int_equal(field.notes, 1);
    }
    rig_drop(&wordy);
}

/* The server says how far it was: only a part is sent twice. */
static void a_core_dump_goes_on_after_a_restart(void **state)
{
    struct module wordy = last_words();

    (void)state;
    trap_with_dump(&wordy, 1);
    field.delay_ms = 100;
    while (field.note_have < dump.len / 2)
        field_run(100);
    assert_int_equal(rig_boot(rig), 0);
    field_boot();
    field_run(60000);
    expect_dump();
    assert_true(field.note_bytes < dump.len + 3 * SM_BLOCKS_LEAST);
    rig_drop(&wordy);
}

static void an_update_does_not_wait_for_a_core_dump(void **state)
{
    struct module wordy = last_words();

    (void)state;
    trap_with_dump(&wordy, 1);
    field.delay_ms = 500;
    deploy("9", &next);
    field_run(20000);
    assert_int_equal(rig_runs(rig, 0), 2);
    assert_true(field.note_have < dump.len);
    field_run(200000);
    assert_int_equal(field.outcome, 1);
    expect_dump();
    rig_drop(&wordy);
}

/* A server that never gets on costs a bounded number of bytes; then it gets the note alone, and
 * that not without end either. */
static void a_core_dump_that_does_not_get_on_gives_way_to_its_note(void **state)
{
    struct module wordy = last_words();

    (void)state;
    trap_with_dump(&wordy, 1);
    uint32_t short_one = note_of(1).len;
    field.stuck_on_note = true;
    while (dump.freed == 0)
        field_run(1);
    assert_true(field.note_bytes > 4 * dump.len);
    field.stuck_on_note = false;
    field_run(20000);
    assert_int_equal(field.notes, 1);
    assert_int_equal(field.note_len, short_one);
    assert_int_equal(dump.freed, 1);

    trap_with_dump(&wordy, 1);
    field.stuck_on_note = true;
    field_run(10000000);
    assert_int_equal(field.notes, 0);
    assert_true(field.note_bytes < 4 * (dump.len + short_one) + 10000);
    rig_drop(&wordy);
}

static void a_server_that_does_not_answer_post_mortems_does_not_stop_the_rest(void **state)
{
    struct module wordy = last_words();

    (void)state;
    for (unsigned short_one = 0; short_one < 2; short_one++) {
        trap_with_dump(&wordy, 1);
        field.cfg.core = short_one ? NULL : core_of;
        field.silent_on_note = true;
        field.poll_s = 600;
        field_run(3600000);
        assert_true(field.note_parts <= 7 * 5); /* some after each poll */
        field.poll_s = 1;
        assert_int_equal(field.notes, 0);
        deploy("9", &next);
        field_run_to_result(LONG_MS);
        assert_int_equal(field.outcome, 1);
        field.silent_on_note = false;
        field_run(3600000);
        assert_int_equal(field.notes, 1);
    }
    rig_drop(&wordy);
}

/* ---- Sets, key sets, statements ---------------------------------------------------------------
 */

static const struct key_set_recipe keys_1 = {.version = 1, .issued_s = 1000, .vendors = true};

static struct module driver(uint64_t sequence)
{
    struct recipe r = rig_t1_driver;

    r.sequence = sequence;
    return rig_make(&r);
}

static struct module reader(uint64_t sequence)
{
    return rig_make(&(struct recipe){.wat = "reads_t1",
                                     .sequence = sequence,
                                     .capability = {"log", "sensor/T1/temperature:r"},
                                     .interface = 2,
                                     .requires = {{"t1-driver", sequence, INT64_MAX}}});
}

static void deploy_set(const struct module *a, const struct module *b)
{
    deploy("7", a);
    field.set = true;
    field.module[1] = b;
    field.count = 2;
}

static void fresh_with_plugins(uint64_t seed)
{
    sim_free(&sim);
    sim_init(&sim, 1024, 96, 4, 0xff);
    rig_init_plugins(rig, &sim);
    assert_int_equal(rig_boot(rig), 0);
    rig->chip[0].value[0] = (struct sm_sim_value){21500, 21500, 0};
    assert_int_equal(rig_commission(rig, &keys_1), 0);
    field_init(seed);
}

static void a_set_comes_in_over_a_bad_way_and_is_put_in_force_together(void **state)
{
    struct module app = reader(2), plugin = driver(2);

    (void)state;
    for (uint64_t seed = 1; seed < 6; seed++) {
        fresh_with_plugins(seed);
        field.lost = field.late = 15;
        deploy_set(&app, &plugin);
        field_run_to_result(LONG_MS);
        field_run(60000);
        assert_int_equal(field.outcome, 1);
        assert_int_equal(rig_runs(rig, 0), 2);
        assert_int_equal(rig_runs(rig, RIG_APPS), 2);
    }
    rig_drop(&app);
    rig_drop(&plugin);
}

static void a_set_of_which_one_is_bad_comes_to_nothing(void **state)
{
    struct module app = reader(2), plugin = driver(2);

    (void)state;
    fresh_with_plugins(1);
    plugin.sig[3] ^= 1;
    deploy_set(&app, &plugin);
    field_run_to_result(LONG_MS);
    assert_int_equal(field.outcome, 2);
    assert_non_null(strstr(field.why, "t1-driver"));
    field_run(60000);
    assert_int_equal(rig_runs(rig, 0), 0);
    assert_int_equal(rig_runs(rig, RIG_APPS), 0);
    rig_drop(&app);
    rig_drop(&plugin);
}

/* Its first module is staged when the server loses interest. */
static void what_is_staged_for_a_set_that_was_given_up_goes(void **state)
{
    struct module app = reader(2), plugin = driver(2);

    (void)state;
    fresh_with_plugins(1);
    field.poll_s = 1;
    deploy_set(&plugin, &app);
    while (rig->records[RIG_APPS].slot[0].state != SM_SLOT_STAGED)
        field_run(1);
    field.action = "";
    field.count = 0;
    field_run(5000);
    assert_int_not_equal(rig->records[RIG_APPS].slot[0].state, SM_SLOT_STAGED);
    rig_drop(&app);
    rig_drop(&plugin);
}

/* What waits in the buffer for a block before it is overwritten by the key set. */
static void a_key_set_in_the_middle_of_a_module_costs_only_what_waited(void **state)
{
    struct key_set_recipe r = keys_1;
    struct key_set set;

    (void)state;
    sim_free(&sim);
    sim_init(&sim, 1024, 128, 4, 0xff);
    rig_init_plugins(rig, &sim);
    rig->cfg.store.slot_size = 9000;
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_commission(rig, &keys_1), 0);
    r.version = 2;
    rig_key_set(&set, &r);
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct module m = rig_make(&(struct recipe){.wat = "large", .sequence = seed});
        field_init(seed);
        field.lost = 30;
        field.poll_s = 1;
        deploy("7", &m);
        while (field.blocks.waiting == 0 && field.results == 0)
            field_run(5);
        set.bytes[set.len - 1] ^= 1; /* not a good one: it is fetched each time, and refused */
        field.keys = &set;
        field.keys_version = 2;
        field_run_to_result(LONG_MS);
        assert_int_equal(field.outcome, 1);
        field_run(60000);
        assert_int_equal(rig_runs(rig, 0), seed);
        rig_drop(&m);
    }
}

static void key_sets_come_before_what_they_concern(void **state)
{
    struct key_set_recipe r = keys_1;
    struct key_set set;

    (void)state;
    fresh_with_plugins(3);
    r.version = 2;
    r.revoke = &next;
    rig_key_set(&set, &r);
    field.keys = &set;
    field.keys_version = 2;
    field.lost = 20;
    deploy("7", &next);
    field_run_to_result(LONG_MS);
    assert_int_equal(sm_device_keys(&rig->dev)->version, 2);
    assert_int_equal(field.outcome, 2);
    assert_non_null(strstr(field.why, "revoked"));
}

static void a_key_set_that_does_not_fit_the_buffer_is_not_asked_for_in_blocks(void **state)
{
    struct key_set_recipe r = keys_1;
    struct key_set set;

    (void)state;
    fresh_with_plugins(3);
    r.version = 2;
    rig_key_set(&set, &r);
    field.keys = &set;
    field.keys_version = 2;
    field.cfg.buf_len = 240;
    field_boot();
    field_run(20000);
    assert_int_equal(sm_device_keys(&rig->dev)->version, 1);
    assert_int_equal(field.asked_blocks, 0);
    assert_int_equal(field.asks, 1); /* a poll */
}

static void nothing_is_installed_without_the_statement_that_the_key_set_demands(void **state)
{
    struct key_set_recipe r = keys_1;
    struct sm_statement_plan p = {.fleet = "greenhouse",
                                  .channel = "stable",
                                  .issued_s = 2000,
                                  .expires_s = 3000,
                                  .keys_version = 1,
                                  .nmodules = 1,
                                  .module = {{"thermostat", 2}}};

    (void)state;
    sim_free(&sim);
    sim_init(&sim, 1024, 96, 4, 0xff);
    rig_init_plugins(rig, &sim);
    assert_int_equal(rig_boot(rig), 0);
    r.server = true;
    assert_int_equal(rig_commission(rig, &r), 0);
    field_init(5);
    field.states = true;
    field.poll_s = 5;
    struct module small = rig_make(&(struct recipe){.wat = "plain", .sequence = 2});
    deploy("7", &small);
    field_run(60000);
    assert_int_equal(field.results, 0);
    assert_int_equal(field.asked_blocks, 0);
    field.statement = &p;
    field.lost = 20;
    field_run_to_result(LONG_MS);
    assert_int_equal(field.outcome, 1);
    assert_int_equal(rig_runs(rig, 0), 2);
    rig_drop(&small);
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void every_message_survives_writing_and_reading_and_no_cut_of_it_does(void **state)
{
    uint8_t sha[32] = {1, 2, 3}, sig[64] = {4, 5}, nonce[16] = {6}, bytes[SM_BLOCKS_MOST],
            again[SM_BLOCKS_MOST];
    struct sm_blocks_msg m = {.what = SM_BLOCKS_KEYS,
                              .flags = 1,
                              .count = 3,
                              .format = 1,
                              .event = 4,
                              .outcome = 2,
                              .size = 300,
                              .token = 0x12345678,
                              .tag = 0xfedcba98,
                              .first = 70,
                              .mask = 0x80000001,
                              .number = 9,
                              .keys = 5,
                              .length = 700,
                              .seconds = 86400,
                              .error = 12,
                              .id = UINT64_MAX,
                              .sequence = 1ull << 40,
                              .uptime_ms = 77,
                              .sha = sha,
                              .signature = sig,
                              .nonce = nonce,
                              .action = sm_blocks_text("42"),
                              .fleet = sm_blocks_text("greenhouse"),
                              .cls = sm_blocks_text("mcu"),
                              .name = sm_blocks_text("thermostat"),
                              .version = sm_blocks_text("1.2"),
                              .detail = sm_blocks_text("trapped"),
                              .bytes = sha,
                              .bytes_len = 32};
    unsigned kinds = 0;

    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        struct sm_blocks_msg out;
        m.kind = (uint8_t)kind;
        int len = sm_blocks_encode(&m, bytes, sizeof bytes);
        if (len == SM_ERR_ARG) {
            bytes[0] = (uint8_t)kind;
            assert_int_equal(sm_blocks_decode(&out, bytes, 1), SM_ERR_UNSUPPORTED);
            continue;
        }
        kinds++;
        assert_true(len > 0 && len <= (int)SM_BLOCKS_LEAST);
        assert_int_equal(sm_blocks_decode(&out, bytes, (size_t)len), 0);
        assert_int_equal(sm_blocks_encode(&out, again, sizeof again), len);
        assert_memory_equal(bytes, again, (size_t)len);
        for (int i = 0; i < len; i++) {
            assert_int_equal(sm_blocks_encode(&m, again, (size_t)i), SM_ERR_MEMORY);
            if (kind != SM_BLOCKS_BLOCK && kind != SM_BLOCKS_NOTE)
                assert_int_equal(sm_blocks_decode(&out, bytes, (size_t)i), SM_ERR_MALFORMED);
        }
        if (kind != SM_BLOCKS_BLOCK && kind != SM_BLOCKS_NOTE)
            assert_int_equal(sm_blocks_decode(&out, bytes, (size_t)len + 1), SM_ERR_MALFORMED);
    }
    assert_int_equal(kinds, 14);
}

static void the_longest_texts_fit_the_least_message(void **state)
{
    uint8_t bytes[SM_BLOCKS_LEAST];
    const char *thirty_two = "abcdefghijklmnopqrstuvwxyz012345";
    char hundred[SM_BLOCKS_TEXT + 20];

    (void)state;
    memset(hundred, 'x', sizeof hundred - 1);
    hundred[sizeof hundred - 1] = 0;
    for (unsigned kind = SM_BLOCKS_REPORT; kind <= SM_BLOCKS_OFFER; kind++) {
        struct sm_blocks_msg m = {.kind = (uint8_t)kind,
                                  .what = 1,
                                  .seconds = 1,
                                  .length = 1,
                                  .action = sm_blocks_text("abcdefghijklmnopqrstuvwx"),
                                  .name = sm_blocks_text(thirty_two),
                                  .version = sm_blocks_text(thirty_two),
                                  .cls = sm_blocks_text("gateway"),
                                  .detail = sm_blocks_text(hundred)};
        int len = sm_blocks_encode(&m, bytes, sizeof bytes);
        assert_true(len == SM_ERR_ARG || len > 0);
    }
}

static void a_client_without_what_it_needs_does_not_start(void **state)
{
    struct sm_blocks b;

    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        struct sm_blocks_cfg c = field.cfg;
        if (i == 0)
            c.device = NULL;
        if (i == 1)
            c.message_most = SM_BLOCKS_LEAST - 1;
        if (i == 2)
            c.message_most = SM_BLOCKS_MOST + 1;
        if (i == 3)
            c.buf_len = 100;
        if (i == 4)
            c.window = 33;
        if (i == 5)
            c.entropy = NULL;
        assert_int_equal(sm_blocks_init(&b, &c, 0), i == 6 ? 0 : SM_ERR_ARG);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_module_comes_in_blocks_and_the_server_hears_what_became_of_it),
        T(a_device_with_nothing_to_do_asks_as_often_as_it_is_told),
        T(news_make_it_ask_at_once_but_not_more_often_than_it_likes),
        T(a_window_of_one_block_is_enough),
        T(whatever_the_way_does_the_module_comes_and_each_event_is_told),
        T(blocks_that_came_early_are_not_asked_for_again),
        T(what_the_last_block_shows_to_be_lost_is_asked_for_at_once),
        T(a_way_that_is_down_for_a_while_costs_nothing_that_has_come),
        T(a_restart_goes_on_from_what_the_slot_holds),
        T(power_cuts_on_the_way_end_well),
        T(a_module_of_a_stranger_is_refused_and_the_server_hears_why),
        T(an_unsigned_module_costs_no_blocks),
        T(a_module_that_traps_is_reported_and_the_one_before_runs),
        T(a_length_beyond_the_slot_is_refused_before_a_block_is_asked_for),
        T(blocks_beyond_the_end_are_dropped_and_counted),
        T(a_length_that_is_not_the_modules_ends_with_the_time_for_it),
        T(a_server_that_changes_the_length_midway_is_asked_for_what_it_offered),
        T(a_server_that_offers_and_never_sends_is_given_up),
        T(endless_duplicates_are_counted_and_end_the_deployment),
        T(a_storm_of_offers_and_blocks_that_nobody_asked_for_changes_nothing),
        T(blocks_of_something_else_do_not_get_into_a_module),
        T(blocks_ahead_of_the_window_are_dropped),
        T(an_answer_to_another_question_is_none),
        T(a_late_answer_about_one_event_does_not_count_for_another),
        T(a_server_that_has_not_what_it_speaks_of_is_not_asked_all_the_time),
        T(what_is_staged_for_a_set_that_was_given_up_goes),
        T(a_key_set_in_the_middle_of_a_module_costs_only_what_waited),
        T(a_new_deployment_takes_the_place_of_one_under_way),
        T(deployments_without_end_cost_the_flash_no_more_than_over_https),
        T(a_deployment_of_more_than_it_takes_is_refused),
        T(a_native_image_comes_behind_its_module_whatever_the_way_does),
        T(a_native_image_comes_in_spite_of_restarts),
        T(each_release_has_a_native_image_of_its_own),
        T(a_new_deployment_takes_the_place_of_a_claim_under_way),
        T(a_module_without_native_image_is_interpreted),
        T(a_claim_that_is_refused_costs_no_block_of_the_image),
        T(whatever_is_wrong_with_a_native_image_its_module_runs),
        T(a_post_mortem_comes_in_parts_and_is_told_once),
        T(a_core_dump_comes_whole_though_messages_are_lost_and_doubled),
        T(a_core_dump_goes_on_after_a_restart),
        T(an_update_does_not_wait_for_a_core_dump),
        T(a_core_dump_that_does_not_get_on_gives_way_to_its_note),
        T(a_server_that_does_not_answer_post_mortems_does_not_stop_the_rest),
        T(a_set_comes_in_over_a_bad_way_and_is_put_in_force_together),
        T(a_set_of_which_one_is_bad_comes_to_nothing),
        T(key_sets_come_before_what_they_concern),
        T(a_key_set_that_does_not_fit_the_buffer_is_not_asked_for_in_blocks),
        T(nothing_is_installed_without_the_statement_that_the_key_set_demands),
        T(every_message_survives_writing_and_reading_and_no_cut_of_it_does),
        T(the_longest_texts_fit_the_least_message),
        T(a_client_without_what_it_needs_does_not_start),
    };
    return cmocka_run_group_tests(tests, once, end);
}

/* The journal on simulated flash: notes in order, the ring, power cuts at every point.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <sandmote/journal.h>
#include "flash_sim.h"

static const struct {
    uint32_t sector, sectors, unit;
    uint8_t erased;
} geometries[] = {{4096, 20, 8, 0xff}, {64, 640, 16, 0x00}, {1024, 64, 32, 0xff}, {192, 240, 1, 0}};

struct bench {
    struct flash_sim sim;
    struct sm_store_cfg cfg;
    struct sm_store store;
    struct sm_record record;
    struct sm_journal journal;
};

static void bench_init(struct bench *b, unsigned geometry, uint32_t journal)
{
    memset(b, 0, sizeof *b);
    sim_init(&b->sim, geometries[geometry].sector, geometries[geometry].sectors,
             geometries[geometry].unit, geometries[geometry].erased);
    b->cfg = (struct sm_store_cfg){
        .applications = 1, .slot_size = 1500, .log_records = 1, .journal_size = journal};
}

static void boot(struct bench *b)
{
    assert_int_equal(sm_store_mount(&b->store, &b->sim.flash, &b->cfg, &b->record), 0);
    memset(&b->journal, 0xa5, sizeof b->journal);
    sm_journal_mount(&b->journal, &b->store);
}

/* A note whose bytes and length follow from what it is about. */
static uint32_t make_note(uint32_t what, uint8_t out[SM_JOURNAL_NOTE])
{
    uint32_t len = 4 + what * 97 % (SM_JOURNAL_NOTE - 3);

    memset(out, (int)(what * 7), len);
    memcpy(out, &what, 4);
    return len;
}

static int64_t note(struct bench *b, uint32_t what)
{
    uint8_t bytes[SM_JOURNAL_NOTE];

    return sm_journal_append(&b->journal, bytes, make_note(what, bytes));
}

/* What the next note above *after is about, checked byte for byte; 0 when there is none. */
static uint32_t next(const struct bench *b, uint32_t *after)
{
    struct sm_journal_note n;
    uint8_t want[SM_JOURNAL_NOTE];
    uint32_t what;

    if (sm_journal_waiting(&b->journal, *after, &n) != 0)
        return 0;
    memcpy(&what, n.bytes, 4);
    assert_int_equal(n.len, make_note(what, want));
    assert_memory_equal(n.bytes, want, n.len);
    assert_true(n.number > *after);
    *after = n.number;
    return what;
}

static void notes_wait_in_order_until_the_server_has_them(void **state)
{
    static struct bench b;
    uint32_t after = 0;

    (void)state;
    bench_init(&b, 0, 16384);
    boot(&b);
    for (uint32_t i = 1; i <= 5; i++)
        assert_int_equal(note(&b, i), i);
    boot(&b);
    for (uint32_t i = 1; i <= 5; i++)
        assert_int_equal(next(&b, &after), i);
    assert_int_equal(next(&b, &after), 0);
    assert_int_equal(sm_journal_told(&b.journal, 3), 0);
    assert_int_equal(sm_journal_told(&b.journal, 2), 0);
    assert_int_equal(sm_journal_told(&b.journal, 99), SM_ERR_NOT_FOUND);
    boot(&b);
    after = 0;
    assert_int_equal(next(&b, &after), 4);
    sim_free(&b.sim);
}

static void a_mount_and_what_is_known_already_write_nothing(void **state)
{
    static struct bench b;

    (void)state;
    bench_init(&b, 0, 16384);
    boot(&b);
    note(&b, 1);
    assert_int_equal(sm_journal_told(&b.journal, 1), 0);
    sim_power(&b.sim, UINT64_MAX);
    boot(&b);
    assert_int_equal(sm_journal_told(&b.journal, 1), 0);
    assert_int_equal(b.sim.ops, 0);
    sim_free(&b.sim);
}

static void without_two_blocks_there_is_no_journal(void **state)
{
    static struct bench b;
    struct sm_journal_note n;

    (void)state;
    for (uint32_t size = 0; size <= 4096; size += 4096) {
        bench_init(&b, 0, size);
        boot(&b);
        assert_int_equal(note(&b, 1), SM_ERR_FULL);
        assert_int_equal(sm_journal_waiting(&b.journal, 0, &n), SM_ERR_NOT_FOUND);
        sim_free(&b.sim);
    }
}

static void notes_of_impossible_length_are_refused(void **state)
{
    static struct bench b;
    uint8_t bytes[SM_JOURNAL_NOTE + 1] = {0};

    (void)state;
    bench_init(&b, 0, 16384);
    boot(&b);
    assert_int_equal(sm_journal_append(&b.journal, bytes, 0), SM_ERR_ARG);
    assert_int_equal(sm_journal_append(&b.journal, bytes, SM_JOURNAL_NOTE + 1), SM_ERR_ARG);
    sim_free(&b.sim);
}

static void the_ring_keeps_the_latest_and_wears_evenly(void **state)
{
    static struct bench b;

    (void)state;
    for (unsigned g = 0; g < sizeof geometries / sizeof *geometries; g++) {
        bench_init(&b, g, 16384);
        for (uint32_t i = 1; i <= 400; i++) {
            if (i % 3 == 1)
                boot(&b);
            assert_true(note(&b, i) > 0);
        }
        boot(&b);
        uint32_t after = 0, first = next(&b, &after), last = first, what;
        while ((what = next(&b, &after)) != 0) {
            assert_int_equal(what, last + 1);
            last = what;
        }
        assert_int_equal(last, 400);
        assert_int_equal(sm_journal_lost(&b.journal), first - 1);
        /* Three notes a session, and all sessions but that of the block being erased. */
        uint32_t kept = 16384 / b.journal.block - 1;
        assert_true(last - first + 1 >= (geometries[g].sector == 4096 ? 3 * kept : kept));
        uint32_t least = UINT32_MAX, most = 0;
        for (uint32_t off = b.journal.region.off;
             off < b.journal.region.off + 16384 / b.journal.block * b.journal.block;
             off += geometries[g].sector) {
            uint32_t wear = b.sim.wear[off / geometries[g].sector];
            least = wear < least ? wear : least;
            most = wear > most ? wear : most;
        }
        assert_true(most - least <= 1);
        sim_free(&b.sim);
    }
}

static void what_the_server_had_is_not_lost(void **state)
{
    static struct bench b;
    uint32_t after = 0;

    (void)state;
    bench_init(&b, 0, 16384);
    boot(&b);
    for (uint32_t i = 1; i <= 70; i++) {
        assert_true(note(&b, i) > 0);
        if (i % 10 == 0 && i <= 30)
            assert_int_equal(sm_journal_told(&b.journal, b.journal.number), 0);
    }
    uint32_t first = next(&b, &after);
    assert_true(first > 31);
    assert_int_equal(sm_journal_lost(&b.journal), first - 31);
    boot(&b);
    assert_int_equal(sm_journal_lost(&b.journal), first - 31);
    /* To tell all of them erases a block of those that are told by that. */
    assert_int_equal(sm_journal_told(&b.journal, b.journal.number), 0);
    assert_int_equal(sm_journal_lost(&b.journal), first - 31);
    sim_free(&b.sim);
}

static void a_note_that_cannot_be_written_is_counted(void **state)
{
    static struct bench b;

    (void)state;
    bench_init(&b, 0, 16384);
    boot(&b);
    b.sim.fail_op = 0;
    b.sim.fail_always = true;
    assert_int_equal(note(&b, 1), SM_ERR_IO);
    b.sim.fail_op = UINT64_MAX;
    b.sim.fail_always = false;
    assert_true(note(&b, 2) > 0);
    boot(&b);
    assert_int_equal(sm_journal_lost(&b.journal), 1);
    sim_free(&b.sim);
}

/* A life of notes, answers of the server and restarts. done: steps that have returned. */
static void live(struct bench *b, uint32_t *done)
{
    struct sm_journal_note n;

    for (uint32_t step = *done + 1; step <= 24; step++) {
        if (step % 5 == 0)
            boot(b);
        if (step % 4 == 3) {
            if (sm_journal_waiting(&b->journal, 0, &n) == 0)
                assert_int_equal(sm_journal_told(&b->journal, n.number), 0);
        } else {
            assert_true(note(b, step) > 0);
        }
        *done = step;
    }
}

/* Whatever the power cut left: notes are whole and in order, the last one that was written is there
 * unless the server has it, and the journal goes on. */
static void check_and_go_on(struct bench *b, uint32_t done)
{
    uint32_t after = 0, last = 0, what;

    sim_power(&b->sim, UINT64_MAX);
    boot(b);
    while ((what = next(b, &after)) != 0) {
        assert_true(what > last);
        last = what;
    }
    assert_true(last <= done + 1);
    uint32_t newest = done % 4 == 3 ? done - 1 : done;
    if (b->journal.told < b->journal.number && newest > 4)
        assert_true(last >= newest);
    after = b->journal.number;
    assert_true(note(b, 1000) > 0);
    boot(b);
    while ((what = next(b, &after)) != 0) /* the one that was cut short may be there now */
        last = what;
    assert_int_equal(last, 1000);
}

/* False when the life ends before its cut. */
static bool survives_a_cut(unsigned geometry, uint64_t cut)
{
    static struct bench b;
    static uint32_t done;

    bench_init(&b, geometry, 8192);
    b.sim.rng = (uint32_t)cut + 1;
    done = 0;
    boot(&b);
    sim_power(&b.sim, cut);
    bool died = setjmp(b.sim.power) != 0;
    if (died)
        check_and_go_on(&b, done);
    else
        live(&b, &done);
    sim_free(&b.sim);
    return died;
}

static void a_power_cut_anywhere_costs_at_most_the_note_being_written(void **state)
{
    unsigned tried = 0;

    (void)state;
    for (unsigned g = 0; g < sizeof geometries / sizeof *geometries; g++)
        for (uint64_t cut = 0; survives_a_cut(g, cut); cut += geometries[g].unit == 1 ? 61 : 7)
            tried++;
    print_message("%u power cuts\n", tried);
}

static void a_flash_that_fails_costs_notes_and_nothing_else(void **state)
{
    static struct bench b;

    (void)state;
    for (uint64_t op = 0; op < 40; op++) {
        bench_init(&b, 0, 16384);
        boot(&b);
        note(&b, 1);
        sim_power(&b.sim, UINT64_MAX);
        b.sim.fail_op = op;
        b.sim.fail_silently = op % 2;
        for (uint32_t i = 2; i <= 5; i++)
            assert_true(note(&b, i) > 0); /* the next block took it */
        boot(&b);
        uint32_t after = 0, last = 0, what;
        while ((what = next(&b, &after)) != 0)
            last = what;
        assert_int_equal(last, 5);
        sim_free(&b.sim);
    }
}

static void a_rotten_byte_hides_no_note_of_another_block(void **state)
{
    static struct bench b;
    uint32_t after = 0;

    (void)state;
    bench_init(&b, 0, 16384);
    boot(&b);
    note(&b, 1);
    uint32_t off = b.journal.region.off + b.journal.at * b.journal.block + 40;
    boot(&b);
    note(&b, 2);
    sim_rot(&b.sim, off, 3);
    boot(&b);
    assert_int_equal(next(&b, &after), 2);
    sim_free(&b.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_wait_in_order_until_the_server_has_them),
        cmocka_unit_test(a_mount_and_what_is_known_already_write_nothing),
        cmocka_unit_test(without_two_blocks_there_is_no_journal),
        cmocka_unit_test(notes_of_impossible_length_are_refused),
        cmocka_unit_test(the_ring_keeps_the_latest_and_wears_evenly),
        cmocka_unit_test(what_the_server_had_is_not_lost),
        cmocka_unit_test(a_note_that_cannot_be_written_is_counted),
        cmocka_unit_test(a_power_cut_anywhere_costs_at_most_the_note_being_written),
        cmocka_unit_test(a_flash_that_fails_costs_notes_and_nothing_else),
        cmocka_unit_test(a_rotten_byte_hides_no_note_of_another_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Power cuts through whole lives of modules: install, trial, commit, traps, rollback, refusal, a
 * new engine. The real supervisor, store, engine and trust; the power fails at every point of every
 * flash operation, memory is lost, and once more at random while the device recovers.
 *
 * After each cut, whatever boots follow: what runs is always a module with a good signature, the
 * device is never without one, the floor never sinks, and in the end the right module runs and the
 * server knows what became of the other.
 *
 * SANDMOTE_TEST_FULL=1 tries every point; without it each story and flash tries every stride-th.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "story.h"

struct geometry {
    uint32_t sector, sectors, unit;
    uint8_t erased;
    unsigned stride;
};

static const struct geometry geometries[] = {
    {256, 160, 1, 0xff, 499}, {512, 90, 2, 0x00, 307},  {1024, 48, 4, 0xff, 199},
    {2048, 32, 8, 0x00, 97},  {4096, 20, 8, 0xff, 101}, {512, 90, 8, 0xff, 103},
    {4096, 20, 16, 0x00, 53}, {64, 640, 16, 0xff, 59},  {1024, 48, 32, 0x00, 31},
    {192, 240, 32, 0xff, 37}, {8192, 14, 32, 0xff, 29}, {16384, 12, 16, 0x00, 61},
};
#define GEOMETRIES (sizeof geometries / sizeof *geometries)

/* A session with the power failing at this point; whether it did. */
static bool session_is_cut(struct world *w, uint64_t cut)
{
    sim_power(rig->sim, cut);
    if (setjmp(rig->sim->power) != 0)
        return true;
    story_session(rig, w);
    return false;
}

static bool unstable(uint32_t off, uint32_t len)
{
    for (uint32_t i = off; i < off + len; i++)
        if (rig->sim->unstable[i] != 0)
            return true;
    return false;
}

/* Right after a cut: no record counts on bytes that do not keep their value. A hash would not find
 * them, if they read well when it is taken. */
static void check_stable(void)
{
    sim_power(rig->sim, UINT64_MAX);
    assert_int_equal(rig_boot(rig), 0);
    for (unsigned i = 0; i < 2; i++) {
        const struct sm_slot *s = &rig->records[0].slot[i];
        uint32_t off = sm_store_slot(&rig->dev.store, 0, i).off;
        bool whole = s->state == SM_SLOT_TRIAL || s->state == SM_SLOT_COMMITTED;
        if (whole)
            assert_false(unstable(off, SM_SLOT_MODULE + s->module_len));
        if (whole && s->image_len > 0)
            assert_false(unstable(off + s->image_off, s->image_len));
        if (s->state == SM_SLOT_RECEIVING && s->received > 0)
            assert_false(unstable(off, SM_SLOT_MODULE + s->received));
    }
}

/* Flash on which the story begins. */
static void make_start(struct flash_sim *start, const struct geometry *g, const struct story *story)
{
    sim_init(start, g->sector, g->sectors, g->unit, g->erased);
    rig_init(rig, start);
    story_begin(rig, story);
}

/* The story with each cut, then boots until it has ended. Returns how many cuts were tried. */
static uint64_t tell(const struct geometry *g, const struct story *story, unsigned stride)
{
    struct flash_sim start, sim;
    struct world first;
    uint64_t tried = 0, points = 0;

    make_start(&start, g, story);
    sim_init(&sim, g->sector, g->sectors, g->unit, g->erased);
    world_init(&first, story);
    for (uint64_t cut = (uintptr_t)(story - stories) % stride;; cut += stride, tried++) {
        struct world w = first;
        sim_copy(&sim, &start);
        sim.rng = (uint32_t)(cut * 2654435761u) | 1;
        rig->sim = &sim;
        rig->cfg.flash = &sim.flash;
        bool was_cut = session_is_cut(&w, cut);
        if (was_cut) {
            check_stable();
            (void)session_is_cut(&w, sim_random(&sim) % (points ? points : 5000));
        }
        for (unsigned clean = 0; clean < 3; clean++)
            assert_false(session_is_cut(&w, UINT64_MAX));
        story_check_end(rig, &w);
        if (!was_cut)
            break;
        points = cut;
    }
    world_free(&first);
    sim_free(&start);
    sim_free(&sim);
    return tried;
}

static void a_cut_at_any_point_of_any_story_leaves_it_to_end_well(void **state)
{
    const char *full = getenv("SANDMOTE_TEST_FULL");
    uint64_t all = 0;

    (void)state;
    for (unsigned s = 0; s < STORIES; s++) {
        uint64_t tried = 0;
        for (unsigned g = 0; g < GEOMETRIES; g++)
            tried +=
                tell(&geometries[g], &stories[s], full && *full == '1' ? 1 : geometries[g].stride);
        printf("  %-34s %7llu power cuts on %u flashes\n", stories[s].name,
               (unsigned long long)tried, (unsigned)GEOMETRIES);
        all += tried;
    }
    printf("  %llu power cuts, each followed by another one at random\n", (unsigned long long)all);
}

/* Any number of cuts: the update still comes, unless its starts were used up by them. */
static void many_cuts_in_a_row_end_well(void **state)
{
    uint64_t cuts = 0;

    (void)state;
    for (unsigned n = 0; n < 60; n++) {
        const struct story *story = &stories[n % STORIES];
        const struct geometry *g = &geometries[n % GEOMETRIES];
        struct world w;
        struct flash_sim sim;
        make_start(&sim, g, story);
        world_init(&w, story);
        sim.rng = n + 1;
        for (unsigned i = 0; i < 12; i++)
            cuts += session_is_cut(&w, sim_random(&sim) % (30 * SM_RECORD_SIZE / g->unit));
        for (unsigned clean = 0; clean < 3; clean++)
            assert_false(session_is_cut(&w, UINT64_MAX));
        assert_true(rig_runs(rig, 0) == story->ends_with || rig_runs(rig, 0) == 2);
        world_free(&w);
        sim_free(&sim);
    }
    printf("  %llu power cuts\n", (unsigned long long)cuts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_at_any_point_of_any_story_leaves_it_to_end_well),
        cmocka_unit_test(many_cuts_in_a_row_end_well),
    };
    return cmocka_run_group_tests(tests, rig_once, rig_end);
}

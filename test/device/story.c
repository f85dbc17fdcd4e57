/* The stories (story.h). SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "story.h"

#define BIT(kind) (1u << SM_EVENT_##kind)
const struct story stories[STORIES] = {
    {"a healthy update",
     {.wat = "plain", .sequence = 3, .floor = 2},
     false,
     false,
     3,
     BIT(INSTALLED) | BIT(TRIAL) | BIT(COMMITTED)},
    {"an update that traps at start",
     {.wat = "trap_start", .sequence = 3, .floor = 3},
     false,
     false,
     2,
     BIT(INSTALLED) | BIT(ROLLED_BACK)},
    {"an update that traps later",
     {.wat = "trap_fourth", .sequence = 3, .floor = 2},
     false,
     false,
     2,
     BIT(COMMITTED) | BIT(ROLLED_BACK) | BIT(TRAP)},
    {"an update that is never healthy",
     {.wat = "sick", .sequence = 3, .timeout_ms = 500},
     false,
     false,
     2,
     BIT(ROLLED_BACK)},
    {"an update that nobody signed",
     {.wat = "plain", .sequence = 3, .how = SIGNED_BY_STRANGER},
     false,
     false,
     2,
     BIT(REFUSED)},
    {"the operator's return",
     {.wat = "plain", .sequence = 3, .floor = 2},
     true,
     false,
     2,
     BIT(COMMITTED) | BIT(ROLLED_BACK)},
    {"a new engine", {.wat = NULL}, false, true, 2, 0},
};

void world_init(struct world *w, const struct story *story)
{
    memset(w, 0, sizeof *w);
    w->story = story;
    if (story->update.wat)
        w->update = rig_make(&story->update);
}

void world_free(struct world *w)
{
    rig_drop(&w->update);
    w->update.bytes = NULL;
}

/* The same id always means the same event. */
static void check_id(struct world *w, const struct sm_event *e)
{
    for (unsigned i = 0; i < w->nids; i++) {
        if (w->ids[i] == e->id) {
            assert_int_equal(w->kinds[i], e->kind);
            return;
        }
    }
    assert_true(w->nids < 16);
    w->ids[w->nids] = e->id;
    w->kinds[w->nids++] = e->kind;
}

static void report(struct rig *rig, struct world *w)
{
    struct sm_event e;

    while (sm_device_event_at(&rig->dev, 0, &e) == 0) {
        check_id(w, &e);
        if (e.action[0] == 'u') /* the update, not version 2 from before */
            w->reported |= 1u << e.kind;
        assert_int_equal(sm_device_event_done(&rig->dev, e.id), 0);
    }
}

/* What an update agent does when it has contact: report, then fetch what is assigned. */
static void contact(struct rig *rig, struct world *w)
{
    report(rig, w);
    if (w->story->update.wat && !w->rolled_back)
        (void)rig_install(rig, &w->update, "u1");
    const struct sm_record *r = &rig->records[0];
    if (w->story->rollback && !w->rolled_back && r->active != SM_STORE_NO_SLOT &&
        r->slot[r->active].sequence == 3 &&
        sm_device_rollback(&rig->dev, "thermostat", "operator") == 0)
        w->rolled_back = true;
}

void story_check(struct rig *rig, struct world *w)
{
    uint64_t runs = rig_runs(rig, 0);

    if (runs != 2 && runs != 3)
        fail_msg("nothing runs: %s", sm_device_reason(&rig->dev));
    assert_true(rig->records[0].floor >= w->floor);
    w->floor = rig->records[0].floor;
    assert_true(runs >= w->floor);
}

void story_session(struct rig *rig, struct world *w)
{
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 20);
    story_check(rig, w);
    contact(rig, w);
    rig_run(rig, 1200);
    story_check(rig, w);
    contact(rig, w);
    rig_run(rig, 800);
    story_check(rig, w);
    report(rig, w);
    rig_run(rig, 10);
}

void story_check_end(struct rig *rig, const struct world *w)
{
    assert_int_equal(rig_runs(rig, 0), w->story->ends_with);
    assert_int_equal(w->reported & w->story->reported, w->story->reported);
}

static struct module version_2(void)
{
    return rig_make(&(struct recipe){.wat = "plain", .sequence = 2, .floor = 1});
}

void story_begin(struct rig *rig, const struct story *story)
{
    struct module v2 = version_2();

    rig->cfg.store.applications = 1;
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_install(rig, &v2, "first"), 0);
    rig_run(rig, 1000);
    rig_report(rig);
    rig_run(rig, 100);
    assert_int_equal(rig_runs(rig, 0), 2);
    if (story->new_engine) {
        struct sm_record r = rig->records[0];
        r.slot[r.active].image_build = SM_WASM_BUILD - 1;
        assert_int_equal(sm_store_put(&rig->dev.store, 0, &r), 0);
    }
    rig_drop(&v2);
}

void story_begin_again(struct rig *rig)
{
    struct module v2 = version_2();

    for (unsigned session = 0; session < 2; session++) {
        assert_int_equal(rig_boot(rig), 0);
        rig_run(rig, 1000);
        rig_report(rig);
        (void)rig_install(rig, &v2, "again");
        rig_run(rig, 1000);
        rig_report(rig);
    }
    assert_int_equal(rig_runs(rig, 0), 2);
    rig_drop(&v2);
}

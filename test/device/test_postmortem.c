/* What a trap leaves behind: notes in the journal, told once; the look at an execution.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sandmote/postmortem.h>
#include "rig.h"

static struct flash_sim sim;
static struct {
    unsigned calls;
    uint32_t number, note_len, depth;
    uint8_t note[SM_POSTMORTEM_MAX];
    enum sm_wasm_state state;
    bool inst;
} seen;

static void look(void *ctx, const struct sm_device_core *c)
{
    (void)ctx;
    seen.calls++;
    seen.number = c->number;
    seen.note_len = c->note_len;
    memcpy(seen.note, c->note, c->note_len);
    seen.state = c->exec->state;
    seen.inst = c->inst != NULL;
    seen.depth = sm_wasm_backtrace(c->exec, NULL, 0, NULL, 0);
}

static int setup(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    sim_init(&sim, 512, 140, 8, 0xff);
    rig = aligned_alloc(64, (sizeof *rig + 63) / 64 * 64);
    rig_init(rig, &sim);
    rig->cfg.store.journal_size = 4096;
    rig->cfg.core = look;
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

static struct module installed;

static void install(const struct recipe *recipe)
{
    installed = rig_make(recipe);
    if (rig_install(rig, &installed, "1") != 0)
        fail_msg("%s", sm_device_reason(&rig->dev));
    rig_drop(&installed);
}

static const struct recipe deep = {.wat = "deep_trap", .sequence = 4, .capability = {"log"}};

/* The note after this one, read. 0 when there is none. */
static uint32_t read_note(uint32_t after, struct sm_postmortem *pm)
{
    struct sm_journal_note n;

    if (sm_device_note_at(&rig->dev, after, &n) != 0)
        return 0;
    assert_int_equal(sm_postmortem_decode(pm, n.bytes, n.len), 0);
    return n.number;
}

static bool is(const struct sm_wasm_name *name, const char *text)
{
    return name->len == strlen(text) && memcmp(name->bytes, text, name->len) == 0;
}

static void a_trap_leaves_a_note_that_outlives_a_restart(void **state)
{
    struct sm_postmortem pm;

    (void)state;
    install(&deep);
    rig_run(rig, 150);
    assert_true(rig_told(rig, SM_EVENT_TRAP, NULL));
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(read_note(0, &pm), 1);
    assert_int_equal(pm.kind, SM_EVENT_TRAP);
    assert_int_equal(pm.trap, SM_TRAP_MEMORY);
    assert_int_equal(pm.phase, SM_PM_ENTRY);
    assert_true(pm.trial);
    assert_false(pm.native);
    assert_memory_equal(pm.sha, installed.sha, 32);
    assert_true(is(&pm.name, "thermostat"));
    assert_true(is(&pm.version, "4.0"));
    assert_true(is(&pm.function, "descend"));
    assert_true(is(&pm.log, "before it\nbefore it\n"));
    assert_int_equal(pm.sequence, 4);
    assert_int_equal(pm.good_ticks, 1);
    assert_int_equal(pm.traps, 1);
    assert_int_equal(pm.up_ms, 100);
    assert_int_equal(pm.depth, 12);
    assert_int_equal(pm.frames, SM_POSTMORTEM_FRAMES);
    for (unsigned i = 0; i < pm.frames; i++) {
        assert_int_equal(pm.frame[i].func, 1);
        assert_true(pm.frame[i].offset > 8 && pm.frame[i].offset < installed.len);
    }
    assert_int_equal(pm.frame[1].offset, pm.frame[2].offset);
    assert_int_not_equal(pm.frame[0].offset, pm.frame[1].offset);
}

static void a_trap_of_the_golden_module_leaves_a_note_too(void **state)
{
    struct sm_postmortem pm;
    struct module golden =
        rig_make(&(struct recipe){.wat = "trap_start", .sequence = 7, .name = "golden"});

    (void)state;
    rig_golden(rig, &golden);
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 1500); /* it traps, and again after a second */
    assert_int_equal(read_note(0, &pm), 1);
    assert_int_equal(pm.kind, SM_EVENT_TRAP);
    assert_int_equal(pm.phase, SM_PM_START);
    assert_true(is(&pm.name, SM_DEVICE_GOLDEN_NAME));
    assert_true(is(&pm.version, "7.0"));
    assert_int_equal(pm.sequence, 7);
    assert_int_equal(pm.install, 0);
    assert_int_equal(pm.traps, 1);
    assert_int_equal(pm.depth, 1);
    assert_memory_equal(pm.sha, golden.sha, 32);
    assert_int_equal(read_note(1, &pm), 2);
    assert_int_equal(pm.traps, 2);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(seen.number, 2);
    rig_drop(&golden);
}

static void the_record_and_the_note_name_the_same_place(void **state)
{
    struct sm_postmortem pm;
    struct sm_app_info info;

    (void)state;
    install(&deep);
    rig_run(rig, 150);
    assert_int_equal(read_note(0, &pm), 1);
    assert_int_equal(sm_device_app(&rig->dev, 0, &info), 0);
    const struct sm_slot *s = &info.record->slot[info.slot];
    assert_int_equal(s->trap_code, pm.trap);
    assert_int_equal(s->trap_func, pm.frame[0].func);
    assert_int_equal(s->trap_offset, pm.frame[0].offset);
    assert_int_equal(s->install, pm.install);
}

static void each_note_is_told_until_the_server_has_it_and_then_never_again(void **state)
{
    struct sm_postmortem pm;

    (void)state;
    install(&deep);
    rig_run(rig, 400); /* two traps */
    assert_int_equal(read_note(0, &pm), 1);
    assert_int_equal(read_note(1, &pm), 2);
    assert_int_equal(pm.traps, 2);
    assert_int_equal(sm_device_note_done(&rig->dev, 1), 0);
    assert_int_equal(read_note(0, &pm), 2);
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(read_note(0, &pm), 2);
    assert_int_equal(sm_device_note_done(&rig->dev, 2), 0);
    assert_int_equal(sm_device_note_done(&rig->dev, 77), SM_ERR_NOT_FOUND);
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(read_note(0, &pm), 0);
}

static void an_endless_call_is_noted_with_where_it_stood(void **state)
{
    const struct recipe spin = {.wat = "spin"};
    struct sm_postmortem pm;

    (void)state;
    install(&spin);
    rig_epoch_timer(true);
    rig_run(rig, 10);
    rig_epoch_timer(false);
    assert_int_equal(read_note(0, &pm), 1);
    assert_int_equal(pm.kind, SM_EVENT_EPOCH);
    assert_int_equal(pm.trap, SM_TRAP_EPOCH);
    assert_int_equal(pm.depth, 1);
    assert_true(pm.frame[0].offset > 8);
    assert_int_equal(seen.state, SM_EXEC_PAUSED);
}

static void a_module_that_does_not_get_healthy_is_noted(void **state)
{
    const struct recipe sick = {.wat = "sick", .timeout_ms = 1000};
    struct sm_postmortem pm;

    (void)state;
    install(&sick);
    rig_run(rig, 1500);
    assert_true(rig_told(rig, SM_EVENT_HEALTH_FAILED, NULL));
    assert_int_equal(read_note(0, &pm), 1);
    assert_int_equal(pm.kind, SM_EVENT_HEALTH_FAILED);
    assert_int_equal(pm.trap, 0);
    assert_int_equal(pm.depth, 0);
    assert_true(pm.good_ticks > 3);
    assert_int_equal(read_note(1, &pm), 0);
}

static void only_the_last_log_lines_are_kept_and_all_of_them_whole(void **state)
{
    const struct recipe spin = {.wat = "log_spin", .capability = {"log"}};
    struct sm_postmortem pm;

    (void)state;
    install(&spin);
    rig_epoch_timer(true);
    rig_run(rig, 10);
    rig_epoch_timer(false);
    assert_int_equal(read_note(0, &pm), 1);
    assert_int_equal(pm.log.len, SM_HOST_TAIL / 8 * 8);
    for (uint32_t i = 0; i < pm.log.len; i += 8)
        assert_memory_equal(pm.log.bytes + i, "bla?bla\n", 8);
}

static void the_owner_sees_the_execution_before_it_is_gone(void **state)
{
    struct sm_journal_note n;

    (void)state;
    install(&deep);
    rig_run(rig, 150);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.number, 1);
    assert_int_equal(seen.state, SM_EXEC_TRAPPED);
    assert_int_equal(seen.depth, 12);
    assert_true(seen.inst);
    assert_int_equal(sm_device_note_at(&rig->dev, 0, &n), 0);
    assert_int_equal(n.len, seen.note_len);
    assert_memory_equal(n.bytes, seen.note, n.len);
}

static void without_a_journal_everything_else_goes_on(void **state)
{
    struct sm_journal_note n;
    struct rig_event e;

    (void)state;
    rig->cfg.store.journal_size = 0;
    assert_int_equal(rig_boot(rig), 0);
    install(&deep);
    rig_run(rig, 150);
    assert_true(rig_told(rig, SM_EVENT_TRAP, &e));
    assert_non_null(strstr(e.detail, "out of bounds memory access in descend, function 1 at 0x"));
    assert_int_equal(sm_device_note_at(&rig->dev, 0, &n), SM_ERR_NOT_FOUND);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.number, 0);
}

/* ---- Codec ----------------------------------------------------------------------------------- */

static void long_texts_are_cut_and_what_is_not_printable_is_replaced(void **state)
{
    char text[1000];
    uint8_t bytes[SM_POSTMORTEM_MAX];
    struct sm_postmortem in = {.depth = 900, .frames = 20}, out;

    (void)state;
    memset(text, 'x', sizeof text);
    text[0] = '\t';
    text[999] = '!';
    in.name = in.version = in.function = in.log = (struct sm_wasm_name){text, sizeof text};
    uint32_t len = sm_postmortem_encode(&in, bytes);
    assert_true(len <= SM_POSTMORTEM_MAX);
    assert_int_equal(sm_postmortem_decode(&out, bytes, len), 0);
    assert_int_equal(out.name.len, SM_POSTMORTEM_NAME);
    assert_int_equal(out.name.bytes[0], '?');
    assert_int_equal(out.function.len, SM_POSTMORTEM_FUNCTION);
    assert_int_equal(out.frames, SM_POSTMORTEM_FRAMES);
    assert_int_equal(out.log.len, SM_POSTMORTEM_LOG);
    assert_int_equal(out.log.bytes[SM_POSTMORTEM_LOG - 1], '!'); /* the end of it */
    for (uint32_t cut = 0; cut < len; cut++)
        assert_int_equal(sm_postmortem_decode(&out, bytes, cut), SM_ERR_MALFORMED);
    bytes[0] = 2;
    assert_int_equal(sm_postmortem_decode(&out, bytes, len), SM_ERR_UNSUPPORTED);
}

static int global_setup(void **state)
{
    (void)state;
    rig_global_setup();
    return 0;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_trap_leaves_a_note_that_outlives_a_restart),
        TEST(a_trap_of_the_golden_module_leaves_a_note_too),
        TEST(the_record_and_the_note_name_the_same_place),
        TEST(each_note_is_told_until_the_server_has_it_and_then_never_again),
        TEST(an_endless_call_is_noted_with_where_it_stood),
        TEST(a_module_that_does_not_get_healthy_is_noted),
        TEST(only_the_last_log_lines_are_kept_and_all_of_them_whole),
        TEST(the_owner_sees_the_execution_before_it_is_gone),
        TEST(without_a_journal_everything_else_goes_on),
        cmocka_unit_test(long_texts_are_cut_and_what_is_not_printable_is_replaced),
    };
    return cmocka_run_group_tests(tests, global_setup, NULL);
}

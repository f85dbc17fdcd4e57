/* Calls that are refused, calls between instances at the end of the stack, and code that takes the
 * translator's rarer ways.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "slot.h"

#define POOL_BYTES (192u << 10)
#define WORDS      2048u

/* The modules "corner" and "deep", from which it imports, in one store; and a table for both. */
struct rig {
    struct slot slot, other_slot;
    struct sm_wasm_store store;
    struct sm_wasm_inst *inst, *other;
    struct sm_wasm_exec exec;
    struct sm_wasm_table table;
    uint32_t entries[4];
    uint32_t stack[WORDS];
    uint32_t epoch;
    _Alignas(8) uint8_t pools[2][POOL_BYTES];
};

static int later(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    (void)ctx, (void)caller, (void)args;
    return SM_WASM_PENDING;
}

/* Of the other module: its imported host function and its own functions. */
static int resolve(void *ctx, const struct sm_wasm_import *i, struct sm_wasm_extern *out)
{
    struct rig *r = ctx;

    *out = (struct sm_wasm_extern){.kind = i->kind};
    if (i->kind == SM_WASM_TABLE) {
        out->table = &r->table;
        return 0;
    }
    if (i->field.bytes[0] == 'd') {
        return sm_wasm_export_extern(r->other, "deep", 4, out);
    }
    if (i->field.bytes[0] == 'l' && r->other != NULL) { /* an import of the other's import */
        return sm_wasm_export_extern(r->other, "later", 5, out);
    }
    out->host = later;
    out->host_type = "i:i";
    return 0;
}

static void start(struct rig *r, const char *path, struct slot *slot, uint8_t *pool_bytes,
                  struct sm_wasm_inst **out)
{
    struct sm_wasm_limits limits = {.memory_bytes = SM_WASM_PAGE, .table_entries = 4};
    struct sm_wasm_linker linker = {r, resolve};
    struct sm_wasm_pool pool = {.base = pool_bytes, .size = POOL_BYTES};
    struct sm_wasm_diag diag;
    uint32_t which;
    size_t len;
    uint8_t *wasm = read_file(path, &len);

    assert_true(slot_make(slot, wasm, len, &diag) > 0);
    free(wasm);
    assert_int_equal(
        sm_wasm_instantiate(out, &r->store, &slot->module, &limits, &linker, &pool, &which), 0);
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));

    r->table = (struct sm_wasm_table){
        .entries = r->entries, .size = 4, .capacity = 4, .max = 4, .type = SM_WASM_FUNCREF};
    start(r, WASM_DIR "/deep.wasm", &r->other_slot, r->pools[0], &r->other);
    start(r, WASM_DIR "/corner.wasm", &r->slot, r->pools[1], &r->inst);
    sm_wasm_exec_init(&r->exec, r->stack, WORDS, 100, &r->epoch);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    slot_free(&r->slot);
    slot_free(&r->other_slot);
    free(r);
    return 0;
}

static int call(struct rig *r, const char *name, uint32_t arg)
{
    uint32_t func;

    assert_int_equal(sm_wasm_export_find(&r->slot.module, name, SM_WASM_FUNC, &func), 0);
    assert_int_equal(sm_wasm_call(&r->exec, r->inst, func, &arg, 0), 0);
    return sm_wasm_run(&r->exec);
}

static void expect(struct rig *r, const char *name, uint32_t arg, uint32_t want)
{
    assert_int_equal(call(r, name, arg), 0);
    assert_int_equal(sm_wasm_results(&r->exec)[0], want);
}

static void expect_trap(struct rig *r, const char *name, uint32_t arg, enum sm_wasm_trap trap)
{
    assert_int_equal(call(r, name, arg), SM_ERR_TRAP);
    assert_int_equal(r->exec.trap, trap);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void a_function_that_is_not_there_is_not_called(void **state)
{
    struct rig *r = *state;

    assert_int_equal(sm_wasm_call(&r->exec, r->inst, 100, NULL, 0), SM_ERR_ARG);
    assert_int_equal(r->exec.state, SM_EXEC_IDLE);
    assert_int_equal(sm_wasm_call_start(&r->exec, r->inst, 0), SM_ERR_NOT_FOUND);
}

static void a_pending_call_takes_no_positive_error(void **state)
{
    struct rig *r = *state;
    const uint32_t seven = 7;

    assert_int_equal(call(r, "ask", 1), SM_WASM_PENDING);
    assert_int_equal(sm_wasm_complete(&r->exec, &seven, 1), SM_ERR_ARG);
    assert_int_equal(r->exec.state, SM_EXEC_PENDING);
    assert_int_equal(sm_wasm_complete(&r->exec, &seven, 0), 0);
    assert_int_equal(sm_wasm_run(&r->exec), 0);
    assert_int_equal(sm_wasm_results(&r->exec)[0], 7);
}

static void a_host_function_called_by_the_host_has_no_frames(void **state)
{
    struct rig *r = *state;
    struct sm_wasm_frame f[1];

    assert_int_equal(call(r, "later", 1), SM_WASM_PENDING);
    assert_int_equal(sm_wasm_backtrace(&r->exec, f, 1, NULL, 0), 0);
}

static void an_import_exported_again_is_called_where_it_is_defined(void **state)
{
    struct rig *r = *state;

    expect(r, "deep", 3, 6);
}

static void the_stack_ends_between_instances_too(void **state)
{
    struct rig *r = *state;

    expect(r, "through", 10, 55);
    sm_wasm_exec_init(&r->exec, r->stack, WORDS, 1, &r->epoch);
    expect_trap(r, "through", 10, SM_TRAP_STACK);
    sm_wasm_exec_init(&r->exec, r->stack, 10, 100, &r->epoch);
    expect_trap(r, "through", 10, SM_TRAP_STACK);
}

static void calls_through_a_table_meet_other_instances_functions(void **state)
{
    struct rig *r = *state;
    uint32_t deep;

    /* The other instance came first: its function x is reference x + 1. */
    assert_int_equal(sm_wasm_export_find(&r->other_slot.module, "deep", SM_WASM_FUNC, &deep), 0);
    r->entries[0] = deep + 1;
    expect(r, "through_table", 4, 10);
    expect_trap(r, "of_another_type", 4, SM_TRAP_SIGNATURE);
    expect_trap(r, "entry", 4, SM_TRAP_UNINITIALIZED);
    r->entries[1] = 0x7fffffff; /* no function of the store */
    expect_trap(r, "entry", 4, SM_TRAP_UNINITIALIZED);
}

static void the_host_s_pointer_is_kept(void **state)
{
    struct rig *r = *state;

    sm_wasm_set_user(r->inst, r);
    assert_ptr_equal(sm_wasm_user(r->inst), r);
    assert_null(sm_wasm_user(r->other));
}

/* ---- Code ------------------------------------------------------------------------------------ */

static void additions_wait_through_other_operators(void **state)
{
    for (uint32_t x = 0; x < 100000; x += 777) {
        expect(*state, "sums", x,
               (x + 3) << 2 ^ (x + 5) * 7 ^ (x + 30000) * 9 ^ ((x - 9) - (x + 4)));
    }
}

static void loops_end_however_their_end_is_told(void **state)
{
    expect(*state, "rounds", 10, 4 * 45 + 10);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_function_that_is_not_there_is_not_called),
        CASE(a_pending_call_takes_no_positive_error),
        CASE(a_host_function_called_by_the_host_has_no_frames),
        CASE(an_import_exported_again_is_called_where_it_is_defined),
        CASE(the_stack_ends_between_instances_too),
        CASE(calls_through_a_table_meet_other_instances_functions),
        CASE(the_host_s_pointer_is_kept),
        CASE(additions_wait_through_other_operators),
        CASE(loops_end_however_their_end_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

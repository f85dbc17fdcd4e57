/* The engine beyond the specification: interruption, suspension, trap reports, limits, read-only
 * images at any address. Built a second and third time with ENGINE_MODE as "checks" and "guard"
 * (native.h), when the same must hold of native images. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "native.h"
#include "slot.h"
#include "../../src/wasm/numeric.h"

#define POOL_BYTES (512u << 10)
#define WORDS      4096u

struct engine {
    struct slot slot;
    struct sm_wasm_store store;
    struct sm_wasm_pool pool;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec exec;
    uint32_t stack[WORDS];
    uint32_t epoch;
    atomic_bool ticking;
    uint32_t asked;
    struct sm_wasm_inst *other; /* what module "other" is */
    struct native_bound native;
};

static int later(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct engine *e = ctx;

    (void)caller;
    e->asked = args[0];
    return SM_WASM_PENDING;
}

static int advance(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    (void)caller, (void)args;
    ((struct engine *)ctx)->epoch++;
    return 0;
}

static int fails(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    (void)ctx, (void)caller, (void)args;
    return SM_ERR_DENIED;
}

static int resolve(void *ctx, const struct sm_wasm_import *i, struct sm_wasm_extern *out)
{
    struct engine *e = ctx;

    if (i->module.len == 5) {
        return sm_wasm_export_extern(e->other, i->field.bytes, i->field.len, out);
    }
    if (memcmp(i->field.bytes, "later", 5) == 0) {
        *out = (struct sm_wasm_extern){.host = later, .host_ctx = e, .host_type = "i:I"};
    } else if (memcmp(i->field.bytes, "tick", 4) == 0) {
        *out = (struct sm_wasm_extern){.host = advance, .host_ctx = e, .host_type = ":"};
    } else {
        *out = (struct sm_wasm_extern){.host = fails, .host_type = ":"};
    }
    return 0;
}

static void load(struct engine *e, const char *name)
{
    char path[512];
    struct sm_wasm_diag diag;
    uint8_t *wasm;
    size_t len;

    memset(e, 0, sizeof(*e));
    snprintf(path, sizeof(path), "%s/%s.wasm", WASM_DIR, name);
    wasm = read_file(path, &len);
    assert_true(slot_make(&e->slot, wasm, len, &diag) > 0);
    free(wasm);
}

static void instantiate(struct engine *e, struct engine *with, uint64_t memory_bytes)
{
    struct sm_wasm_limits limits = {.memory_bytes = memory_bytes, .table_entries = 16};
    struct sm_wasm_linker linker = {e, resolve};
    struct sm_wasm_store *store = with == NULL ? &e->store : &with->store;
    uint32_t which;

    if (native_wanted()) {
        native_make(&e->native, &e->slot.module, NULL);
        limits.region = e->native.guard.region.base != NULL ? &e->native.guard.region : NULL;
    }
    e->other = with == NULL ? NULL : with->inst;
    e->pool = (struct sm_wasm_pool){.base = malloc(POOL_BYTES), .size = POOL_BYTES};
    memset(e->pool.base, 0xa5, POOL_BYTES);
    assert_int_equal(
        sm_wasm_instantiate(&e->inst, store, &e->slot.module, &limits, &linker, &e->pool, &which),
        0);
    if (native_wanted()) {
        native_bind(&e->native, e->inst);
    }
    sm_wasm_exec_init(&e->exec, e->stack, WORDS, 200, &e->epoch);
}

static void unload(struct engine *e)
{
    free(e->pool.base);
    slot_free(&e->slot);
    native_free(&e->native);
}

static int call(struct engine *e, const char *name, uint32_t a, uint32_t b, uint32_t budget)
{
    uint32_t func, args[2] = {a, b};
    int err;

    assert_int_equal(sm_wasm_export_find(&e->slot.module, name, SM_WASM_FUNC, &func), 0);
    native_ready(&e->native, e->inst);
    err = sm_wasm_call(&e->exec, e->inst, func, args, budget);
    return err != 0 ? err : sm_wasm_run(&e->exec);
}

static int set_up(void **state)
{
    struct engine *e = malloc(sizeof(*e));

    load(e, "engine");
    instantiate(e, NULL, 2 * SM_WASM_PAGE);
    *state = e;
    return 0;
}

static int tear_down(void **state)
{
    unload(*state);
    free(*state);
    return 0;
}

/* ---- Interruption ---------------------------------------------------------------------------- */

/* The deadline comes while the function runs: a thread is the host's timer. */
static void *tick(void *arg)
{
    struct engine *e = arg;

    while (e->ticking) {
        usleep(1000);
        __atomic_fetch_add(&e->epoch, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static int run_ticking(struct engine *e)
{
    pthread_t timer;
    int err;

    e->ticking = true;
    assert_int_equal(pthread_create(&timer, NULL, tick, e), 0);
    err = sm_wasm_run(&e->exec);
    e->ticking = false;
    pthread_join(timer, NULL);
    return err;
}

static void expect_interrupted(struct engine *e, const char *name)
{
    uint32_t func;

    assert_int_equal(sm_wasm_export_find(&e->slot.module, name, SM_WASM_FUNC, &func), 0);
    assert_int_equal(sm_wasm_call(&e->exec, e->inst, func, NULL, 3), 0);
    assert_int_equal(run_ticking(e), SM_ERR_EPOCH);
    assert_int_equal(e->exec.trap, SM_TRAP_EPOCH);
    assert_int_equal(e->exec.state, SM_EXEC_PAUSED);
    assert_true(e->epoch >= 3);
}

static void endless_loops_of_every_kind_are_interrupted(void **state)
{
    expect_interrupted(*state, "spin");
    expect_interrupted(*state, "count_for_ever");
    expect_interrupted(*state, "spin_by_table");
    expect_interrupted(*state, "spin_if");
    expect_interrupted(*state, "spin_in_nested_loops");
    expect_interrupted(*state, "recurse_in_a_loop");
    expect_interrupted(*state, "fill_for_ever");
}

static void the_start_function_is_interrupted_too(void **state)
{
    struct engine *e = malloc(sizeof(*e));

    (void)state;
    load(e, "start_spin");
    instantiate(e, NULL, 0);
    assert_int_equal(sm_wasm_call_start(&e->exec, e->inst, 3), 0);
    assert_int_equal(run_ticking(e), SM_ERR_EPOCH);
    unload(e);
    free(e);
}

static void before_its_deadline_a_call_is_left_alone(void **state)
{
    struct engine *e = *state;

    e->epoch = 0xfffffffe; /* the counter may wrap within a call's budget */
    assert_int_equal(call(e, "sum", 1000, 0, 5), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 500500);
}

/* ---- Suspension ------------------------------------------------------------------------------ */

static void a_pending_call_is_completed_later(void **state)
{
    struct engine *e = *state;
    const uint32_t result[2] = {0xffffffff, 1};

    assert_int_equal(call(e, "wait_for", 77, 0, 10), SM_WASM_PENDING);
    assert_int_equal(e->exec.state, SM_EXEC_PENDING);
    assert_int_equal(e->asked, 77);
    assert_int_equal(sm_wasm_run(&e->exec), SM_ERR_STATE);
    e->epoch += 1000; /* suspended time does not count against the deadline */
    assert_int_equal(sm_wasm_complete(&e->exec, result, 0), 0);
    assert_int_equal(sm_wasm_run(&e->exec), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 0);
    assert_int_equal(sm_wasm_results(&e->exec)[1], 2);
    assert_int_equal(sm_wasm_complete(&e->exec, result, 0), SM_ERR_STATE);
}

static void time_before_a_suspension_counts(void **state)
{
    struct engine *e = *state;
    const uint32_t result[2] = {0, 0};

    assert_int_equal(call(e, "wait_for", 1, 0, 10), SM_WASM_PENDING);
    e->epoch += 1000;
    assert_int_equal(sm_wasm_complete(&e->exec, result, 0), 0);
    assert_int_equal(e->exec.deadline, e->epoch + 10);
}

static void a_pending_call_can_fail(void **state)
{
    struct engine *e = *state;

    assert_int_equal(call(e, "wait_for", 1, 0, 0), SM_WASM_PENDING);
    assert_int_equal(sm_wasm_complete(&e->exec, NULL, SM_ERR_IO), 0);
    assert_int_equal(sm_wasm_run(&e->exec), SM_ERR_TRAP);
    assert_int_equal(e->exec.trap, SM_TRAP_HOST);
    assert_int_equal(e->exec.host_error, SM_ERR_IO);
}

static void while_one_module_waits_another_runs(void **state)
{
    struct engine *waiting = *state, *busy = malloc(sizeof(*busy));
    const uint32_t result[2] = {41, 0};

    load(busy, "engine");
    instantiate(busy, NULL, SM_WASM_PAGE);
    assert_int_equal(call(waiting, "wait_for", 1, 0, 0), SM_WASM_PENDING);
    assert_int_equal(call(busy, "sum", 4, 0, 0), 0);
    assert_int_equal(sm_wasm_results(&busy->exec)[0], 10);
    assert_int_equal(sm_wasm_complete(&waiting->exec, result, 0), 0);
    assert_int_equal(sm_wasm_run(&waiting->exec), 0);
    assert_int_equal(sm_wasm_results(&waiting->exec)[0], 42);
    unload(busy);
    free(busy);
}

static void a_host_function_exported_again_can_be_called(void **state)
{
    struct engine *e = *state;
    const uint32_t result[2] = {5, 6};

    assert_int_equal(call(e, "later_again", 9, 0, 0), SM_WASM_PENDING);
    assert_int_equal(e->asked, 9);
    assert_int_equal(sm_wasm_complete(&e->exec, result, 0), 0);
    assert_int_equal(sm_wasm_run(&e->exec), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[1], 6);
}

/* ---- Traps ----------------------------------------------------------------------------------- */

/* Offset of the only occurrence of an opcode sequence in the module. */
static uint32_t find(const struct slot *s, const char *bytes, size_t len)
{
    uint8_t *at = memmem(s->wasm, s->wasm_len, bytes, len);

    assert_non_null(at);
    assert_null(memmem(at + 1, s->wasm_len - (size_t)(at + 1 - s->wasm), bytes, len));
    return (uint32_t)(at - s->wasm);
}

static void a_trap_names_function_and_offset_of_every_level(void **state)
{
    struct engine *e = *state;
    struct sm_wasm_frame f[4];

    assert_int_equal(call(e, "divide", 7, 0, 0), SM_ERR_TRAP);
    assert_int_equal(e->exec.trap, SM_TRAP_DIV_ZERO);
    /* The module will not run again, so its own pool serves as working memory. */
    assert_int_equal(sm_wasm_backtrace(&e->exec, f, 4, e->pool.base, e->pool.size),
                     native_wanted() ? 1 : 3);
    assert_memory_equal(f[0].name.bytes, "divide", f[0].name.len);
    assert_int_equal(f[0].func, 3);
    if (native_wanted()) { /* tells the innermost level, inlined or not */
        assert_int_equal(f[0].offset, find(&e->slot, "\x20\x00\x20\x01\x6d", 5) + 4);
        return;
    }
    assert_int_equal(f[1].func, 4);
    assert_memory_equal(f[1].name.bytes, "outer", f[1].name.len);
    assert_int_equal(f[2].func, 5);
    assert_int_equal(f[0].offset, find(&e->slot, "\x20\x00\x20\x01\x6d", 5) + 4);
    assert_int_equal(f[1].offset, find(&e->slot, "\x41\x01\x20\x00\x20\x01\x10\x03", 8) + 6);
    assert_int_equal(f[2].offset, find(&e->slot, "\x20\x00\x20\x01\x10\x04", 6) + 4);
}

static void a_trap_in_a_fused_instruction_is_at_its_last_operator(void **state)
{
    struct engine *e = *state;
    struct sm_wasm_frame f[2];

    assert_int_equal(call(e, "load_sum", 0x7fffffff, 0, 0), SM_ERR_TRAP);
    assert_int_equal(sm_wasm_backtrace(&e->exec, f, 2, e->pool.base, e->pool.size), 1);
    assert_int_equal(f[0].offset, find(&e->slot, "\x20\x00\x20\x01\x6a\x28", 6) + 5);
}

static void a_trap_in_the_first_of_two_operators_is_its_own(void **state)
{
    struct engine *e = *state;
    struct sm_wasm_frame f[2];

    assert_int_equal(call(e, "load_and_add", 0x7fffffff, 0, 0), SM_ERR_TRAP);
    assert_int_equal(sm_wasm_backtrace(&e->exec, f, 2, e->pool.base, e->pool.size), 1);
    assert_int_equal(f[0].offset, find(&e->slot, "\x20\x00\x28\x02\x00\x20\x01\x6a", 8) + 2);
}

static void an_interrupted_loop_stands_at_its_branch(void **state)
{
    struct engine *e = *state;
    struct sm_wasm_frame f[2];

    expect_interrupted(e, "count_up_for_ever");
    assert_int_equal(sm_wasm_backtrace(&e->exec, f, 2, e->pool.base, e->pool.size), 1);
    assert_int_equal(f[0].offset, find(&e->slot, "\x6a\x22\x00\x41\xcd\x00\x47\x0d", 8) + 7);
}

static void a_pending_call_is_where_the_call_stands(void **state)
{
    struct engine *e = *state;
    struct sm_wasm_frame f[2];
    uint64_t scratch[512];

    assert_int_equal(call(e, "wait_for", 1, 0, 0), SM_WASM_PENDING);
    assert_int_equal(sm_wasm_backtrace(&e->exec, f, 2, scratch, sizeof(scratch)), 1);
    assert_int_equal(f[0].offset, find(&e->slot, "\x42\x01\x20\x00\x10\x00", 6) + 4);
}

static void a_backtrace_goes_through_instances(void **state)
{
    struct engine *callee = *state, *e = malloc(sizeof(*e));
    struct sm_wasm_frame f[4];

    load(e, "caller");
    instantiate(e, callee, 0);
    assert_int_equal(call(e, "through", 40, 4, 0), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 11);
    assert_int_equal(call(e, "through", 1, 0, 0), SM_ERR_TRAP);
    uint32_t last = native_wanted() ? 1 : 3; /* one level for each entry into native code */
    assert_int_equal(sm_wasm_backtrace(&e->exec, f, 4, callee->pool.base, callee->pool.size),
                     last + 1);
    assert_ptr_equal(f[last - 1].module.wasm, callee->slot.module.wasm);
    assert_ptr_equal(f[last].module.wasm, e->slot.module.wasm);
    assert_int_equal(f[last].func, 1);
    unload(e);
    free(e);
}

static void a_failing_host_function_traps_with_its_error(void **state)
{
    struct engine *e = *state;
    struct sm_wasm_frame f[2];

    assert_int_equal(call(e, "fails", 0, 0, 0), SM_ERR_TRAP);
    assert_int_equal(e->exec.trap, SM_TRAP_HOST);
    assert_int_equal(e->exec.host_error, SM_ERR_DENIED);
    assert_int_equal(sm_wasm_backtrace(&e->exec, f, 2, e->pool.base, e->pool.size), 1);
    assert_memory_equal(f[0].name.bytes, "fails", 5);
}

static void recursion_ends_at_the_depth_limit_and_uses_no_c_stack(void **state)
{
    struct engine *e = *state;
    struct sm_wasm_frame f[2];

    assert_int_equal(call(e, "depth", 199, 0, 0), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 199);
    if (native_wanted()) { /* as much stack as so many of the largest frames take */
        uint32_t *large = calloc(1u << 20, 4);

        sm_wasm_exec_init(&e->exec, large, 1u << 20, 200, &e->epoch);
        assert_int_equal(call(e, "depth", 199, 0, 0), 0);
        assert_int_equal(call(e, "depth", 5000, 0, 0), SM_ERR_TRAP);
        assert_int_equal(e->exec.trap, SM_TRAP_STACK);
        sm_wasm_exec_init(&e->exec, large, 1u << 20, 5001, &e->epoch);
        assert_int_equal(call(e, "depth", 5000, 0, 0), 0);
        free(large);
        return;
    }
    assert_int_equal(call(e, "depth", 200, 0, 0), SM_ERR_TRAP);
    assert_int_equal(e->exec.trap, SM_TRAP_STACK);
    assert_int_equal(sm_wasm_backtrace(&e->exec, f, 2, NULL, 0), 200);
    assert_int_equal(call(e, "recurse_indirectly", 0, 0, 0), SM_ERR_TRAP);
    assert_int_equal(e->exec.trap, SM_TRAP_STACK);
}

static void recursion_ends_at_the_end_of_the_value_stack(void **state)
{
    struct engine *e = *state;

    sm_wasm_exec_init(&e->exec, e->stack, 64, 100000, &e->epoch);
    e->stack[64] = 0x5a5a5a5a;
    assert_int_equal(call(e, "depth", 1000, 0, 0), SM_ERR_TRAP);
    assert_int_equal(e->exec.trap, SM_TRAP_STACK);
    assert_int_equal(e->stack[64], 0x5a5a5a5a);
    sm_wasm_exec_init(&e->exec, e->stack, 1, 100000, &e->epoch);
    assert_int_equal(call(e, "depth", 1, 0, 0), SM_ERR_TRAP);
}

/* ---- Limits and memory ----------------------------------------------------------------------- */

static void the_host_limits_growth_below_the_module_s_wish(void **state)
{
    struct engine *e = *state;

    assert_int_equal(call(e, "grow", 1, 0, 0), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 1);
    assert_int_equal(call(e, "load", 2 * SM_WASM_PAGE - 4, 0, 0), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 0);
    assert_int_equal(call(e, "grow", 1, 0, 0), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 0xffffffff);
    assert_int_equal(call(e, "load", 2 * SM_WASM_PAGE - 3, 0, 0), SM_ERR_TRAP);
    assert_int_equal(e->exec.trap, SM_TRAP_MEMORY);
}

static void a_growth_is_interrupted_and_not_half_done(void **state)
{
    struct engine *e = *state;
    const uint32_t one = 1;
    uint32_t func;

    assert_int_equal(sm_wasm_export_find(&e->slot.module, "grow_then", SM_WASM_FUNC, &func), 0);
    assert_int_equal(sm_wasm_call(&e->exec, e->inst, func, &one, 1), 0);
    if (native_guarded()) { /* committed at once: there are no pieces to stop between */
        return;
    }
    assert_int_equal(sm_wasm_run(&e->exec), SM_ERR_EPOCH); /* a host call has advanced the epoch */
    assert_int_equal(call(e, "grow", 0, 0, 0), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 1);
    assert_int_equal(call(e, "grow", 1, 0, 0), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 1);
    assert_int_equal(call(e, "load", 2 * SM_WASM_PAGE - 4, 0, 0), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 0);
}

static void a_page_can_be_given_in_part(void **state)
{
    struct engine *e = malloc(sizeof(*e));

    (void)state;
    load(e, "engine");
    instantiate(e, NULL, 1000);
    assert_int_equal(call(e, "load", 996, 0, 0), 0);
    assert_int_equal(call(e, "load", 997, 0, 0), SM_ERR_TRAP);
    assert_int_equal(call(e, "load_far", 0xfffffff0, 0, 0), SM_ERR_TRAP);
    assert_int_equal(call(e, "grow", 1, 0, 0), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 0xffffffff);
    assert_non_null(sm_wasm_mem(e->inst, 8, 8));
    assert_memory_equal(sm_wasm_mem(e->inst, 8, 8), "sandmote", 8);
    assert_non_null(sm_wasm_mem(e->inst, 1000, 0));
    assert_null(sm_wasm_mem(e->inst, 1000, 1));
    assert_null(sm_wasm_mem(e->inst, 0xffffffff, 2));
    unload(e);
    free(e);
}

static void every_pool_that_is_too_small_is_refused(void **state)
{
    struct engine *e = *state;
    struct sm_wasm_limits limits = {.memory_bytes = SM_WASM_PAGE, .table_entries = 16};
    struct sm_wasm_linker linker = {e, resolve};
    uint8_t *bytes = malloc(POOL_BYTES);
    unsigned refused = 0;
    uint32_t which;
    int err;

    for (size_t size = 0;; size += 8) {
        struct sm_wasm_store store = {0};
        struct sm_wasm_pool pool = {.base = bytes, .size = size};
        struct sm_wasm_inst *inst;

        err = sm_wasm_instantiate(&inst, &store, &e->slot.module, &limits, &linker, &pool, &which);
        if (err == 0) {
            break;
        }
        assert_int_equal(err, SM_ERR_MEMORY);
        refused++;
    }
    print_message("%u pool sizes refused\n", refused);
    assert_true(refused * 8 > SM_WASM_PAGE);
    free(bytes);
}

static void a_table_above_the_limit_is_refused(void **state)
{
    struct engine *e = *state;
    struct sm_wasm_limits limits = {.memory_bytes = SM_WASM_PAGE, .table_entries = 3};
    struct sm_wasm_linker linker = {e, resolve};
    struct sm_wasm_store store = {0};
    struct sm_wasm_inst *inst;
    uint32_t which;

    e->pool.used = 0;
    assert_int_equal(
        sm_wasm_instantiate(&inst, &store, &e->slot.module, &limits, &linker, &e->pool, &which),
        SM_ERR_LIMIT);
    limits = (struct sm_wasm_limits){.memory_bytes = 0, .table_entries = 4};
    e->pool.used = 0;
    assert_int_equal(
        sm_wasm_instantiate(&inst, &store, &e->slot.module, &limits, &linker, &e->pool, &which),
        SM_ERR_LIMIT);
}

/* ---- Images ---------------------------------------------------------------------------------- */

static void an_image_runs_from_a_read_only_mapping_at_two_addresses(void **state)
{
    struct engine *e = *state, *again = malloc(sizeof(*again));

    memset(again, 0, sizeof(*again));
    slot_map_again(&e->slot, &again->slot);
    instantiate(again, NULL, SM_WASM_PAGE);
    assert_ptr_not_equal(e->slot.module.image, again->slot.module.image);
    assert_int_equal(call(e, "sum", 100, 0, 0), 0);
    assert_int_equal(call(again, "sum", 100, 0, 0), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 5050);
    assert_int_equal(sm_wasm_results(&again->exec)[0], 5050);
    unload(again);
    free(again);
}

static void an_image_of_another_build_or_module_is_refused(void **state)
{
    struct slot *s = &((struct engine *)*state)->slot;
    struct sm_wasm_module m;

    assert_int_equal(sm_wasm_open(&m, s->image, s->image_len, s->wasm, s->wasm_len), 0);
    assert_int_equal(sm_wasm_open(&m, s->image, s->image_len - 1, s->wasm, s->wasm_len),
                     SM_ERR_CORRUPT);
    assert_int_equal(sm_wasm_open(&m, s->image, s->image_len, s->wasm, s->wasm_len - 1),
                     SM_ERR_CORRUPT);
    s->image[4] ^= 1; /* the engine build */
    assert_int_equal(sm_wasm_open(&m, s->image, s->image_len, s->wasm, s->wasm_len),
                     SM_ERR_UNSUPPORTED);
    s->image[0] ^= 1;
    assert_int_equal(sm_wasm_open(&m, s->image, s->image_len, s->wasm, s->wasm_len),
                     SM_ERR_CORRUPT);
}

static int refuse_write(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    (void)off, (void)bytes, (void)len;
    return --*(int *)ctx < 0 ? SM_ERR_FULL : 0;
}

static void translation_stops_with_the_sink_s_error(void **state)
{
    struct slot *s = &((struct engine *)*state)->slot;
    static uint64_t scratch[8192];
    int allowed, tries = 0, left;
    int64_t size;

    do {
        allowed = left = tries++;
        size = sm_wasm_translate(s->wasm, s->wasm_len, &(struct sm_wasm_sink){&left, refuse_write},
                                 scratch, sizeof(scratch), NULL);
        assert_true(size == SM_ERR_FULL || allowed > 5);
    } while (size < 0);
    assert_int_equal(size, s->image_len);
}

static void every_scratch_that_is_too_small_is_refused(void **state)
{
    struct slot *s = &((struct engine *)*state)->slot;
    static uint64_t scratch[8192];
    int unlimited = 1 << 30;
    struct sm_wasm_sink sink = {&unlimited, refuse_write};
    struct sm_wasm_diag diag;
    size_t size = 0;
    int64_t got;

    while ((got = sm_wasm_translate(s->wasm, s->wasm_len, &sink, scratch, size, &diag)) < 0) {
        assert_int_equal(got, SM_ERR_MEMORY);
        size += 1;
    }
    print_message("a module of %zu bytes needs %zu bytes of working memory\n", s->wasm_len, size);
}

/* ---- Long functions -------------------------------------------------------------------------- */

static uint8_t *leb(uint8_t *p, uint32_t v)
{
    for (; v >= 0x80; v >>= 7) {
        *p++ = (uint8_t)(v | 0x80);
    }
    *p++ = (uint8_t)v;
    return p;
}

/* (func (export "f") (param $x i32) (result i32)
 *   (block $b (loop $l (block (br_table 0 $b $l 0 (local.get $x)))
 *     x += 1, `adds` times; (br_if $l (i32.lt_u (local.get $x) (i32.const 100000)))))
 *   (local.get $x)) */
static size_t long_function(uint8_t *out, unsigned adds)
{
    static const uint8_t head[] = {0, 'a',  's', 'm', 1, 0, 0, 0, 1, 6, 1,   0x60, 1, 0x7f,
                                   1, 0x7f, 3,   2,   1, 0, 7, 5, 1, 1, 'f', 0,    0, 10};
    static const uint8_t start[] = {0, 2,    0x40, 3, 0x40, 2, 0x40, 0x20,
                                    0, 0x0e, 3,    0, 2,    1, 0,    0x0b};
    static const uint8_t add[] = {0x20, 0, 0x41, 1, 0x6a, 0x21, 0};
    static const uint8_t end[] = {0x20, 0, 0x41, 0xa0, 0x8d, 6, 0x49,
                                  0x0d, 0, 0x0b, 0x0b, 0x20, 0, 0x0b};
    uint32_t body = (uint32_t)(sizeof(start) + adds * sizeof(add) + sizeof(end));
    uint8_t size[8], *p = out + sizeof(head);
    uint32_t size_len = (uint32_t)(leb(size, body) - size);

    memcpy(out, head, sizeof(head));
    p = leb(p, body + size_len + 1);
    *p++ = 1;
    p = leb(p, body);
    memcpy(p, start, sizeof(start));
    p += sizeof(start);
    for (; adds > 0; adds--, p += sizeof(add)) {
        memcpy(p, add, sizeof(add));
    }
    memcpy(p, end, sizeof(end));
    return (size_t)(p + sizeof(end) - out);
}

static void expect_interrupted_by_table(struct engine *e)
{
    const uint32_t two = 2; /* jumps back to the loop's start for ever */

    assert_int_equal(sm_wasm_call(&e->exec, e->inst, 0, &two, 2), 0);
    assert_int_equal(run_ticking(e), SM_ERR_EPOCH);
}

/* Branches of 16 bits reach 32767 units, here 8190 additions; beyond that they go through jumps of
 * 32 bits. Both must do the same. */
static void branches_reach_over_functions_of_any_length(void **state)
{
    static const unsigned lengths[] = {1, 8150, 8180, 8186, 8189, 8192, 8200, 20000, 60000};
    uint8_t *wasm = malloc(1u << 20);

    (void)state;
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct engine *e = calloc(1, sizeof(*e));
        unsigned n = lengths[i];
        struct sm_wasm_diag diag;

        assert_true(slot_make(&e->slot, wasm, long_function(wasm, n), &diag) > 0);
        instantiate(e, NULL, 0);
        assert_int_equal(call(e, "f", 1, 0, 0), 0); /* out of the block */
        assert_int_equal(sm_wasm_results(&e->exec)[0], 1);
        assert_int_equal(call(e, "f", 3, 0, 0), 0); /* through, and round again */
        assert_int_equal(sm_wasm_results(&e->exec)[0], 3 + (100000 - 3 + n - 1) / n * n);
        expect_interrupted_by_table(e);
        unload(e);
        free(e);
    }
    free(wasm);
}

static void a_table_branches_backward(void **state)
{
    struct engine *e = *state;

    assert_int_equal(call(e, "rounds_by_table", 1000, 0, 0), 0);
    assert_int_equal(sm_wasm_results(&e->exec)[0], 1000);
}

/* Round the loop with 1 and 4: n grows by 100 each time, i by 1. */
static void targets_named_twice_in_a_table_share_their_moves(void **state)
{
    static const uint32_t wants[] = {
        1000 + 20 + 100,     1000 + 30 + 2 + 200, 1000 + 30 + 2 + 100, 3 + 100,
        1000 + 20 + 5 + 200, 1000 + 20 + 5 + 100, 1000 + 30 + 6 + 100, 7 + 100,
        1000 + 20 + 8 + 100, 1000 + 20 + 9 + 100};

    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(call(*state, "table_stubs", i, 0, 0), 0);
        assert_int_equal(sm_wasm_results(&((struct engine *)*state)->exec)[0], wants[i]);
    }
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static void the_portable_square_root_agrees_with_the_processor_s(void **state)
{
    static const uint64_t special[] = {0,
                                       1ull << 63,
                                       1,
                                       0x000fffffffffffff,
                                       0x0010000000000000,
                                       0x7fefffffffffffff,
                                       0x7ff0000000000000,
                                       0x3ff0000000000000,
                                       0x4000000000000000};
    uint64_t x = 88172645463325252u;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t bits = i < 9 ? special[i] : x & 0x7fffffffffffffff;
        double got, want;

        if (bits >> 52 == 0x7ff && (bits & 0xfffffffffffff) != 0) {
            continue;
        }
        want = sqrt(sm_f64(bits));
        got = sm_sqrt64(sm_f64(bits));
        assert_memory_equal(&got, &want, 8);
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    assert_true(isnan(sm_sqrt64(-1.0)));
    assert_true(isnan(sm_sqrt64(NAN)));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(endless_loops_of_every_kind_are_interrupted),
        CASE(the_start_function_is_interrupted_too),
        CASE(before_its_deadline_a_call_is_left_alone),
        CASE(a_pending_call_is_completed_later),
        CASE(time_before_a_suspension_counts),
        CASE(a_pending_call_can_fail),
        CASE(while_one_module_waits_another_runs),
        CASE(a_host_function_exported_again_can_be_called),
        CASE(a_trap_names_function_and_offset_of_every_level),
        CASE(a_trap_in_the_first_of_two_operators_is_its_own),
        CASE(an_interrupted_loop_stands_at_its_branch),
        CASE(a_trap_in_a_fused_instruction_is_at_its_last_operator),
        CASE(a_pending_call_is_where_the_call_stands),
        CASE(a_backtrace_goes_through_instances),
        CASE(a_failing_host_function_traps_with_its_error),
        CASE(recursion_ends_at_the_depth_limit_and_uses_no_c_stack),
        CASE(recursion_ends_at_the_end_of_the_value_stack),
        CASE(the_host_limits_growth_below_the_module_s_wish),
        CASE(a_growth_is_interrupted_and_not_half_done),
        CASE(a_page_can_be_given_in_part),
        CASE(every_pool_that_is_too_small_is_refused),
        CASE(a_table_above_the_limit_is_refused),
        CASE(an_image_runs_from_a_read_only_mapping_at_two_addresses),
        CASE(an_image_of_another_build_or_module_is_refused),
        CASE(translation_stops_with_the_sink_s_error),
        CASE(every_scratch_that_is_too_small_is_refused),
        CASE(branches_reach_over_functions_of_any_length),
        CASE(a_table_branches_backward),
        CASE(targets_named_twice_in_a_table_share_their_moves),
        CASE(the_portable_square_root_agrees_with_the_processor_s),
    };

    if (!native_mode(ENGINE_MODE)) {
        return 64;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

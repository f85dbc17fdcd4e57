/* Native images: what is refused and why, and native code beside interpreted code in one execution.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../src/wasm/native.h"
#include "aot.h"
#include "native.h"
#include "slot.h"

#define POOL_BYTES (512u << 10)
#define WORDS      4096u

struct engine {
    struct slot slot;
    struct sm_wasm_store *store;
    struct sm_wasm_pool pool;
    struct sm_wasm_inst *inst;
    struct native_bound native;
};

struct bench {
    struct sm_wasm_store store;
    struct engine callee, caller;
    struct sm_wasm_exec exec, second;
    uint32_t stack[WORDS], second_stack[WORDS];
    volatile uint32_t epoch;
    uint32_t inner; /* what the second execution gave */
};

static int later(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    (void)ctx, (void)inst, (void)args;
    return SM_WASM_PENDING;
}

/* A host function that runs another execution on the instance that called it. */
static int tick(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct bench *b = ctx;
    uint32_t func, three[2] = {33, 3};

    (void)args;
    if (sm_wasm_export_find(sm_wasm_inst_module(inst), "divide", SM_WASM_FUNC, &func) != 0 ||
        sm_wasm_call(&b->second, inst, func, three, 0) != 0 || sm_wasm_run(&b->second) != 0) {
        return SM_ERR_STATE;
    }
    b->inner = sm_wasm_results(&b->second)[0];
    return 0;
}

static int resolve(void *ctx, const struct sm_wasm_import *i, struct sm_wasm_extern *out)
{
    struct bench *b = ctx;

    if (i->module.len == 5) { /* "other" */
        return sm_wasm_export_extern(b->callee.inst, i->field.bytes, i->field.len, out);
    }
    *out = (struct sm_wasm_extern){.host = later, .host_ctx = b, .host_type = "i:I"};
    if (memcmp(i->field.bytes, "later", 5) != 0) {
        out->host = tick;
        out->host_type = ":";
    }
    return 0;
}

static void instantiate(struct bench *b, struct engine *e)
{
    struct sm_wasm_limits limits = {.memory_bytes = 2 * SM_WASM_PAGE, .table_entries = 16};
    struct sm_wasm_linker linker = {b, resolve};
    uint32_t which;

    limits.region = e->native.guard.region.base != NULL ? &e->native.guard.region : NULL;
    e->pool = (struct sm_wasm_pool){.base = malloc(POOL_BYTES), .size = POOL_BYTES};
    assert_int_equal(sm_wasm_instantiate(&e->inst, &b->store, &e->slot.module, &limits, &linker,
                                         &e->pool, &which),
                     0);
    if (e->native.map != NULL) {
        assert_int_equal(native_bind(&e->native, e->inst), 0);
    }
}

static void load(struct bench *b, struct engine *e, const char *name, bool as_native)
{
    struct sm_wasm_diag diag;
    char path[512];
    size_t len;
    uint8_t *wasm;

    snprintf(path, sizeof(path), "%s/%s.wasm", WASM_DIR, name);
    wasm = read_file(path, &len);
    assert_true(slot_make(&e->slot, wasm, len, &diag) > 0);
    free(wasm);
    if (as_native) {
        native_make(&e->native, &e->slot.module, NULL);
    }
    instantiate(b, e);
}

static struct bench *empty(void)
{
    struct bench *b = calloc(1, sizeof(*b));

    sm_wasm_exec_init(&b->exec, b->stack, WORDS, 200, &b->epoch);
    sm_wasm_exec_init(&b->second, b->second_stack, WORDS, 200, &b->epoch);
    return b;
}

static struct bench *make(bool callee_native, bool caller_native)
{
    struct bench *b = empty();

    load(b, &b->callee, "engine", callee_native);
    load(b, &b->caller, "through", caller_native);
    return b;
}

static void unload(struct engine *e)
{
    native_free(&e->native);
    free(e->pool.base);
    slot_free(&e->slot);
}

static void destroy(struct bench *b)
{
    unload(&b->callee);
    unload(&b->caller);
    free(b);
}

static int call(struct bench *b, struct engine *e, const char *name, uint32_t x, uint32_t y,
                uint32_t budget)
{
    uint32_t func, args[2] = {x, y};
    int err;

    assert_int_equal(sm_wasm_export_find(&e->slot.module, name, SM_WASM_FUNC, &func), 0);
    err = sm_wasm_call(&b->exec, e->inst, func, args, budget);
    return err != 0 ? err : sm_wasm_run(&b->exec);
}

/* ---- Two kinds of code ----------------------------------------------------------------------- */

/* Each of the ways in which a native and an interpreted instance may call each other. */
static void for_all_kinds(void (*check)(struct bench *b))
{
    for (int kinds = 1; kinds < 4; kinds++) {
        struct bench *b = make(kinds & 1, kinds & 2);

        check(b);
        destroy(b);
    }
}

static void call_and_trap(struct bench *b)
{
    struct sm_wasm_frame f[8];
    uint32_t n;

    assert_int_equal(call(b, &b->caller, "through", 40, 4, 0), 0);
    assert_int_equal(sm_wasm_results(&b->exec)[0], 11);
    assert_int_equal(call(b, &b->caller, "through", 1, 0, 0), SM_ERR_TRAP);
    assert_int_equal(b->exec.trap, SM_TRAP_DIV_ZERO);
    n = sm_wasm_backtrace(&b->exec, f, 8, b->callee.pool.base, b->callee.pool.size);
    assert_in_range(n, 2, 4);
    assert_memory_equal(f[0].name.bytes, "divide", 6);
    assert_ptr_equal(f[0].module.wasm, b->callee.slot.module.wasm);
    assert_int_equal(b->callee.slot.wasm[f[0].offset], 0x6d); /* i32.div_s */
    assert_ptr_equal(f[n - 1].module.wasm, b->caller.slot.module.wasm);
    assert_int_equal(b->caller.slot.wasm[f[n - 1].offset], 0x10); /* call */
}

static void calls_between_instances_return_and_trap(void **state)
{
    (void)state;
    for_all_kinds(call_and_trap);
}

static void wait_and_complete(struct bench *b)
{
    const uint32_t result[2] = {41, 7};
    struct sm_wasm_frame f[4];

    assert_int_equal(call(b, &b->caller, "wait_through", 5, 0, 0), SM_WASM_PENDING);
    assert_int_equal(sm_wasm_backtrace(&b->exec, f, 4, NULL, 0), 2);
    assert_ptr_equal(f[0].module.wasm, b->callee.slot.module.wasm);
    assert_int_equal(sm_wasm_complete(&b->exec, result, 0), 0);
    assert_int_equal(sm_wasm_run(&b->exec), 0);
    assert_int_equal(sm_wasm_results(&b->exec)[0], 42);
    assert_int_equal(sm_wasm_results(&b->exec)[1], 7);
    assert_int_equal(call(b, &b->caller, "wait_through", 5, 0, 0), SM_WASM_PENDING);
    assert_int_equal(sm_wasm_complete(&b->exec, NULL, SM_ERR_IO), 0);
    assert_int_equal(sm_wasm_run(&b->exec), SM_ERR_TRAP);
    assert_int_equal(b->exec.trap, SM_TRAP_HOST);
    assert_int_equal(b->exec.host_error, SM_ERR_IO);
}

static void a_pending_host_call_goes_on_below_another_instance(void **state)
{
    (void)state;
    for_all_kinds(wait_and_complete);
}

static void through_tables(struct bench *b)
{
    assert_int_equal(call(b, &b->caller, "through_table", 60, 5, 0), 0);
    assert_int_equal(sm_wasm_results(&b->exec)[0], 13);
    assert_int_equal(call(b, &b->caller, "through_table_to_host", 9, 0, 0), SM_WASM_PENDING);
    assert_int_equal(call(b, &b->caller, "through_table_wrongly", 0, 0, 0), SM_ERR_TRAP);
    assert_int_equal(b->exec.trap, SM_TRAP_SIGNATURE);
}

static void tables_lead_into_other_instances_and_the_host(void **state)
{
    (void)state;
    for_all_kinds(through_tables);
}

static void recurse_across(struct bench *b)
{
    assert_int_equal(call(b, &b->caller, "recurse_through", 0, 0, 0), SM_ERR_TRAP);
    assert_int_equal(b->exec.trap, SM_TRAP_STACK);
    assert_int_equal(call(b, &b->caller, "through", 40, 4, 0), 0); /* and nothing is broken */
}

static void recursion_across_instances_ends(void **state)
{
    (void)state;
    for_all_kinds(recurse_across);
}

static void pause_and_go_on(struct bench *b)
{
    uint32_t pauses = 0;
    int err;

    b->epoch = 0;
    err = call(b, &b->caller, "sum_through", 100000, 0, 1);
    for (; err == SM_ERR_EPOCH; pauses++) {
        assert_int_equal(b->exec.state, SM_EXEC_PAUSED);
        assert_int_equal(sm_wasm_resume(&b->exec, 1), 0);
        b->epoch += pauses < 50; /* already over: it stops at the next look */
        err = sm_wasm_run(&b->exec);
    }
    assert_int_equal(err, 0);
    assert_int_equal(sm_wasm_results(&b->exec)[0], 5000050000u & 0xffffffff);
}

static void a_paused_call_goes_on_where_it_was(void **state)
{
    (void)state;
    for_all_kinds(pause_and_go_on);
}

static void a_host_function_may_run_its_caller_s_instance(void **state)
{
    struct bench *b = make(true, false);

    (void)state;
    b->epoch = 5;
    assert_int_equal(call(b, &b->callee, "grow_then", 1, 0, 100), 0);
    assert_int_equal(sm_wasm_results(&b->exec)[0], 1);
    assert_int_equal(b->inner, 12);
    destroy(b);
}

/* Of a module without a name for it: only its index says which function is meant. */
static void a_function_without_a_way_in_is_interpreted(void **state)
{
    const uint32_t good[2] = {40, 4}, bad[2] = {40, 0};
    struct bench *b = empty();
    struct sm_wasm_frame f;

    (void)state;
    load(b, &b->callee, "inner", true);
    assert_false(sm_native_has_entry(b->callee.inst->native, 0));
    assert_true(sm_native_has_entry(b->callee.inst->native, 1));
    assert_int_equal(sm_wasm_call(&b->exec, b->callee.inst, 0, good, 0), 0);
    assert_int_equal(sm_wasm_run(&b->exec), 0);
    assert_int_equal(sm_wasm_results(&b->exec)[0], 10);
    assert_int_equal(sm_wasm_call(&b->exec, b->callee.inst, 0, bad, 0), 0);
    assert_int_equal(sm_wasm_run(&b->exec), SM_ERR_TRAP);
    assert_int_equal(b->exec.trap, SM_TRAP_DIV_ZERO);
    assert_int_equal(sm_wasm_backtrace(&b->exec, &f, 1, b->callee.pool.base, b->callee.pool.size),
                     1);
    assert_int_equal(f.func, 0);
    destroy(b);
}

/* How many calls deep, up to the value stack's end. */
static uint32_t deepest(struct bench *b)
{
    uint32_t n = 0;

    while (call(b, &b->callee, "depth", n, 0, 0) == 0 && n < WORDS) {
        assert_int_equal(sm_wasm_results(&b->exec)[0], n);
        n++;
    }
    return n;
}

/* Within native code the limit is one of stack: never fewer calls, and more where more are allowed.
 */
static void native_code_may_nest_as_many_calls_as_the_interpreter(void **state)
{
    uint32_t before = 0;

    (void)state;
    for (uint32_t depth = 1; depth < 40; depth += 13) {
        uint32_t found[2];

        for (int native = 0; native < 2; native++) {
            struct bench *b = empty();

            load(b, &b->callee, "engine", native);
            sm_wasm_exec_init(&b->exec, b->stack, WORDS, depth, &b->epoch);
            found[native] = deepest(b);
            destroy(b);
        }
        assert_int_equal(found[0], depth);
        assert_true(found[1] >= depth && found[1] > before);
        before = found[1];
    }
}

/* ---- Guarded memory -------------------------------------------------------------------------- */

static void expect_fault(struct bench *b, struct engine *owner, struct engine *e)
{
    native_ready(&owner->native, owner->inst);
    assert_int_equal(call(b, e, "load", SM_WASM_PAGE - 4, 0, 0), 0);
    assert_int_equal(call(b, e, "load", 70000, 0, 0), SM_ERR_TRAP);
    assert_int_equal(b->exec.trap, SM_TRAP_MEMORY);
    assert_int_equal(call(b, e, "load", 0xffffffff, 0, 0), SM_ERR_TRAP);
    assert_int_equal(b->exec.trap, SM_TRAP_MEMORY);
}

static void a_fault_in_a_memory_that_another_instance_exports_traps(void **state)
{
    (void)state;
    native_mode("guard");
    for (int native = 0; native < 2; native++) {
        struct bench *b = empty();

        load(b, &b->callee, "shares", true);
        load(b, &b->caller, "borrows", native);
        expect_fault(b, &b->callee, &b->callee);
        expect_fault(b, &b->callee, &b->caller);
        destroy(b);
    }
    native_mode("checks");
}

static void a_region_may_be_watched_for_the_next_instance(void **state)
{
    struct bench *b = empty();
    struct engine *e = &b->callee;

    (void)state;
    native_mode("guard");
    load(b, e, "shares", true);
    for (int i = 0; i < 3; i++) {
        expect_fault(b, e, e);
        free(e->pool.base); /* with the instance */
        free(e->native.state);
        b->store = (struct sm_wasm_store){0};
        instantiate(b, e);
    }
    expect_fault(b, e, e);
    destroy(b);
    native_mode("checks");
}

/* ---- Refused --------------------------------------------------------------------------------- */

struct copy {
    struct sm_native native;
    uint8_t *bytes;
    struct sm_native_header *header;
    uint8_t sha256[32];
    size_t len;
};

static struct copy copy_of(const struct engine *e)
{
    struct copy c = {.len = e->native.map_len};

    c.bytes = aligned_alloc(4096, (c.len + 4095) / 4096 * 4096);
    memcpy(c.bytes, e->native.map, c.len);
    c.header = (void *)c.bytes;
    memcpy(c.sha256, c.header->module_sha256, 32);
    return c;
}

static void expect_refused(struct copy *c, int err, const char *why)
{
    assert_int_equal(sm_native_open(&c->native, c->bytes, c->len, c->sha256), err);
    assert_string_equal(c->native.info.refused, why);
}

#define WITH(change, err, why)                                                                     \
    do {                                                                                           \
        struct copy c = copy_of(&b->callee);                                                       \
        struct sm_native_header *h = c.header;                                                     \
        (void)h;                                                                                   \
        change;                                                                                    \
        expect_refused(&c, err, why);                                                              \
        free(c.bytes);                                                                             \
    } while (0)

static void an_image_that_does_not_belong_here_is_refused_by_name(void **state)
{
    struct bench *b = make(true, false);

    (void)state;
    WITH(h->magic++, SM_ERR_CORRUPT, "not a native image");
    WITH(c.len = 100, SM_ERR_CORRUPT, "not a native image");
    WITH(h->format++, SM_ERR_UNSUPPORTED, "unknown format");
    WITH(c.len--, SM_ERR_CORRUPT, "truncated, or bytes after its end");
    WITH(h->size++, SM_ERR_CORRUPT, "truncated, or bytes after its end");
    WITH(c.sha256[31]++, SM_ERR_DENIED, "made of another module");
    WITH(h->target = SM_NATIVE_CORTEX_M4, SM_ERR_UNSUPPORTED, "made for another target");
    WITH(h->layout++, SM_ERR_UNSUPPORTED, "made for another engine");
    WITH(h->code_len = 0xffffffff, SM_ERR_CORRUPT, "offsets beyond its end");
    WITH(h->code = 64, SM_ERR_CORRUPT, "offsets beyond its end");
    WITH(h->nfuncs = 0x40000000, SM_ERR_CORRUPT, "offsets beyond its end");
    WITH(h->thunks = h->code_len, SM_ERR_CORRUPT, "offsets beyond its end");
    WITH(h->enter = h->code_len, SM_ERR_CORRUPT, "offsets beyond its end");
    WITH(h->map = h->size + 4, SM_ERR_CORRUPT, "offsets beyond its end");
    WITH(((struct sm_native_func *)(void *)(c.bytes + h->code + h->funcs))[4].code = 1 << 30,
         SM_ERR_CORRUPT, "entries beyond its code");
    destroy(b);
}

static void an_unaligned_image_is_refused(void **state)
{
    struct bench *b = make(true, false);
    struct copy c = copy_of(&b->callee);

    (void)state;
    assert_int_equal(sm_native_open(&c.native, c.bytes + 8, c.len - 8, c.sha256), SM_ERR_ARG);
    free(c.bytes);
    destroy(b);
}

static void an_image_that_cannot_be_bound_leaves_the_instance_interpreted(void **state)
{
    struct bench *b = make(false, false);
    struct engine *e = &b->callee;
    uint64_t state_bytes[512];
    struct sm_native *n = &e->native.native;
    struct copy c;

    (void)state;
    native_make(&e->native, &e->slot.module, NULL);
    c = copy_of(e);
    assert_int_equal(sm_native_bind(e->inst, n, state_bytes, 8), SM_ERR_MEMORY);
    c.header->min_memory = SM_WASM_PAGE + 1;
    assert_int_equal(sm_native_open(&c.native, c.bytes, c.len, c.sha256), 0);
    assert_int_equal(sm_native_bind(e->inst, &c.native, state_bytes, sizeof(state_bytes)),
                     SM_ERR_LIMIT);
    c.header->min_memory = 0;
    c.header->flags |= SM_NATIVE_GUARDED;
    assert_int_equal(sm_native_bind(e->inst, &c.native, state_bytes, sizeof(state_bytes)),
                     SM_ERR_LIMIT);
    c.header->nfuncs--;
    assert_int_equal(sm_native_bind(e->inst, &c.native, state_bytes, sizeof(state_bytes)),
                     SM_ERR_CORRUPT);
    assert_null(e->inst->native);
    assert_int_equal(call(b, e, "divide", 40, 4, 0), 0);
    assert_int_equal(sm_wasm_results(&b->exec)[0], 11);
    free(c.bytes);
    destroy(b);
}

/* As a tool opens an image that nobody claims. */
static int open_unclaimed(struct copy *c)
{
    int err = sm_native_open(&c->native, c->bytes, c->len, c->sha256);

    return err != 0 ? err : aot_check_hash(&c->native);
}

static void an_image_with_any_byte_changed_is_refused(void **state)
{
    struct bench *b = empty();
    struct copy c;

    (void)state;
    load(b, &b->callee, "inner", true);
    c = copy_of(&b->callee);
    assert_int_equal(open_unclaimed(&c), 0);
    for (size_t i = 0; i < c.len; i++) {
        c.bytes[i] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(open_unclaimed(&c), 0);
        assert_non_null(c.native.info.refused);
        c.bytes[i] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(open_unclaimed(&c), 0);
    printf("%zu bytes changed, one at a time\n", c.len);
    free(c.bytes);
    destroy(b);
}

#define CASE(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(calls_between_instances_return_and_trap),
        CASE(a_pending_host_call_goes_on_below_another_instance),
        CASE(tables_lead_into_other_instances_and_the_host),
        CASE(recursion_across_instances_ends),
        CASE(a_paused_call_goes_on_where_it_was),
        CASE(a_host_function_may_run_its_caller_s_instance),
        CASE(a_function_without_a_way_in_is_interpreted),
        CASE(native_code_may_nest_as_many_calls_as_the_interpreter),
        CASE(a_fault_in_a_memory_that_another_instance_exports_traps),
        CASE(a_region_may_be_watched_for_the_next_instance),
        CASE(an_image_with_any_byte_changed_is_refused),
        CASE(an_image_that_does_not_belong_here_is_refused_by_name),
        CASE(an_unaligned_image_is_refused),
        CASE(an_image_that_cannot_be_bound_leaves_the_instance_interpreted),
    };

    if (!native_mode("checks")) {
        return 64;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

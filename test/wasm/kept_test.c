/* Answers that are kept ready (kept.c), with the module interpreted and as a native image, its
 * accesses checked or guarded.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "kept.h"
#include "native.h"
#include "slot.h"

#define POOL_BYTES (512u << 10)
#define WORDS      1024u

struct engine {
    struct slot slot;
    struct sm_wasm_store store;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec exec;
    uint32_t stack[WORDS];
    volatile uint32_t epoch;
    struct native_bound native;
    struct kept kept;
};

static void say(const char *what, bool holds)
{
    if (!holds)
        print_message("does not hold: %s\n", what);
}

static void ready(void *ctx)
{
    struct engine *e = ctx;

    native_ready(&e->native, e->inst);
}

static int resolve_without(void *kept, const struct sm_wasm_import *import,
                           struct sm_wasm_extern *out)
{
    int err = kept_resolve(kept, import, out);

    out->kept_clock = NULL;
    return err;
}

static void start(struct engine *e, uint8_t *pool_bytes,
                  int (*resolve)(void *, const struct sm_wasm_import *, struct sm_wasm_extern *))
{
    struct sm_wasm_limits limits = {.memory_bytes = 2 * SM_WASM_PAGE, .table_entries = 1};
    struct sm_wasm_linker linker = {&e->kept, resolve};
    struct sm_wasm_pool pool = {.base = pool_bytes, .size = POOL_BYTES};
    struct sm_wasm_diag diag;
    uint32_t which;
    size_t len;
    uint8_t *wasm = read_file(WASM_DIR "/kept.wasm", &len);

    memset(e, 0, sizeof(*e));
    assert_true(slot_make(&e->slot, wasm, len, &diag) > 0);
    free(wasm);
    if (native_wanted()) {
        native_make(&e->native, &e->slot.module, NULL);
        limits.region = e->native.guard.region.base != NULL ? &e->native.guard.region : NULL;
    }
    assert_int_equal(
        sm_wasm_instantiate(&e->inst, &e->store, &e->slot.module, &limits, &linker, &pool, &which),
        0);
    if (native_wanted())
        assert_int_equal(native_bind(&e->native, e->inst), 0);
    sm_wasm_exec_init(&e->exec, e->stack, WORDS, 100, &e->epoch);
}

static void stop(struct engine *e, uint8_t *pool)
{
    slot_free(&e->slot);
    native_free(&e->native);
    free(e);
    free(pool);
}

static void all_cases_hold(void **state)
{
    struct engine *e = malloc(sizeof(*e));
    uint8_t *pool = malloc(POOL_BYTES), *scratch = malloc(65536);

    assert_true(native_mode(*state));
    start(e, pool, kept_resolve);
    e->kept.exec = &e->exec;
    e->kept.inst = e->inst;
    e->kept.epoch = &e->epoch;
    e->kept.memory = SM_WASM_PAGE;
    e->kept.scratch = scratch;
    e->kept.scratch_len = 65536;
    e->kept.ready = native_wanted() ? ready : NULL;
    e->kept.ctx = e;
    e->kept.say = say;
    assert_int_equal(kept_run(&e->kept), 0);
    free(scratch);
    stop(e, pool);
}

/* What is in a table without a clock is not looked at. */
static void without_a_clock_nothing_is_kept(void **state)
{
    struct engine *e = malloc(sizeof(*e));
    uint8_t *pool = malloc(POOL_BYTES);
    const uint32_t args[] = {3, 64};
    uint32_t func;

    assert_true(native_mode(*state));
    start(e, pool, resolve_without);
    e->kept.table[3] = (struct sm_kept){3, 1, UINT64_MAX};
    assert_int_equal(sm_wasm_export_find(&e->slot.module, "get", SM_WASM_FUNC, &func), 0);
    assert_int_equal(sm_wasm_call(&e->exec, e->inst, func, args, 0), 0);
    if (native_wanted())
        native_ready(&e->native, e->inst);
    assert_int_equal(sm_wasm_run(&e->exec), 0);
    assert_int_equal(e->kept.calls, 1);
    stop(e, pool);
}

int main(void)
{
#define CASE(test, mode)                                                                           \
    {                                                                                              \
#test ", " mode, test, NULL, NULL, mode                                                    \
    }
    const struct CMUnitTest tests[] = {
        CASE(all_cases_hold, "none"),
        CASE(all_cases_hold, "checks"),
        CASE(all_cases_hold, "guard"),
        CASE(without_a_clock_nothing_is_kept, "none"),
        CASE(without_a_clock_nothing_is_kept, "checks"),
    };

    return cmocka_run_group_tests_name("answers kept ready", tests, NULL, NULL);
}

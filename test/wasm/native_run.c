/* Runs one function of a module through its native image: native_run MODULE.wasm IMAGE FUNCTION N
 *
 * A small program for targets that are emulated (aarch64.sh). Prints the i32 result, or the trap
 * with its function and offset.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <posix/guard.h>
#include <stdio.h>
#include <stdlib.h>
#include "slot.h"

#define POOL_BYTES  (64u << 20)
#define STACK_WORDS (64u << 10)

static volatile uint32_t epoch;

static int say(const char *what, int err)
{
    printf("%s: %d\n", what, err);
    return 1;
}

static int report(struct sm_wasm_exec *x)
{
    struct sm_wasm_frame f = {0};

    sm_wasm_backtrace(x, &f, 1, NULL, 0);
    printf("%s in function %u at %u\n", sm_wasm_trap_text(x->trap), f.func, f.offset);
    return 3;
}

/* The image is the test's own: it is believed about the module that it was made of. */
static int bind(struct sm_wasm_inst *inst, const struct sm_native *n, struct sm_guard *guard)
{
    size_t len = sm_native_state_bytes(n, sm_wasm_inst_module(inst));
    int err = sm_native_bind(inst, n, malloc(len), len);

    err = err != 0 ? err : sm_guard_stack();
    return err != 0 || guard->region.base == NULL ? err : sm_guard_watch(guard, inst);
}

int main(int argc, char **argv)
{
    struct sm_wasm_limits limits = {.memory_bytes = 4ull << 30, .table_entries = 1000};
    struct sm_wasm_pool pool = {.base = malloc(POOL_BYTES), .size = POOL_BYTES};
    struct sm_wasm_store store = {0};
    struct sm_guard guard = {0};
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec x;
    struct sm_native n;
    struct slot slot;
    struct sm_wasm_diag diag;
    uint32_t which, func, argument;
    size_t len = 0;
    int err = 0;

    if (argc != 5) {
        return 64;
    }
    uint8_t *wasm = read_file(argv[1], &len);
    if (slot_make(&slot, wasm, len, &diag) < 0) {
        return say("translate", 0);
    }
    const void *image = sm_guard_map_code(argv[2], &len);
    if (image == NULL || (err = sm_native_read(&n, image, len)) != 0 ||
        (err = sm_native_open(&n, image, len, n.info.module_sha256)) != 0) {
        return say(image == NULL ? "map" : n.info.refused, err);
    }
    if ((n.info.flags & SM_NATIVE_GUARDED) &&
        (err = sm_guard_reserve(&guard, limits.memory_bytes)) != 0) {
        return say("reserve", err);
    }
    limits.region = guard.region.base != NULL ? &guard.region : NULL;
    err = sm_wasm_instantiate(&inst, &store, &slot.module, &limits, NULL, &pool, &which);
    if (err != 0 || (err = bind(inst, &n, &guard)) != 0) {
        return say("instance", err);
    }
    sm_wasm_exec_init(&x, malloc(STACK_WORDS * 4), STACK_WORDS, 10000, &epoch);
    argument = (uint32_t)strtoul(argv[4], NULL, 0);
    if (sm_wasm_export_find(&slot.module, argv[3], SM_WASM_FUNC, &func) != 0 ||
        sm_wasm_call(&x, inst, func, &argument, 1000) != 0) {
        return say("call", 0);
    }
    err = sm_wasm_run(&x);
    if (err != 0) {
        return report(&x);
    }
    printf("i32:%d\n", (int)sm_wasm_results(&x)[0]);
    return 0;
}

/* Runs random modules and writes down what happened, for differential.js to compare with V8.
 *
 *   differential FIRST COUNT [checks|guard]
 *   differential --write DIRECTORY FIRST COUNT    only the modules, as files
 *
 * With a third word every module runs as a native image (compiled with -O1).
 *
 * One group of lines for each seed from FIRST on:
 *   M seed module-in-hex
 *   C export argument-words... = result-words...
 *   or   C export argument-words... ! frames trap   (frames: function:offset,... innermost first)
 *   E memory-pages memory-checksum global-words...
 * Words are hexadecimal, 64-bit values take two, low word first.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "generate.h"
#include "native.h"
#include "slot.h"

#define POOL_BYTES  (1u << 20)
#define STACK_WORDS (1u << 18)

static uint32_t epoch;

static int host(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    (void)ctx, (void)caller;
    args[0] = args[0] * 3 + 1;
    return 0;
}

static int resolve(void *ctx, const struct sm_wasm_import *i, struct sm_wasm_extern *out)
{
    (void)ctx, (void)i;
    *out = (struct sm_wasm_extern){.host = host, .host_type = "i:i"};
    return 0;
}

static unsigned words_of(const uint8_t *types, uint32_t n)
{
    unsigned words = 0;

    while (n-- > 0) {
        words += types[n] == SM_WASM_I64 || types[n] == SM_WASM_F64 ? 2 : 1;
    }
    return words;
}

static void print_words(const uint32_t *words, unsigned n)
{
    while (n-- > 0) {
        printf(" %" PRIx32, *words++);
    }
}

/* The innermost frames, as many as V8 tells; none when the stack is full, which differs. */
static void print_frames(const struct sm_wasm_exec *x)
{
    static uint8_t scratch[1 << 16];
    struct sm_wasm_frame frames[10];
    uint32_t n = sm_wasm_backtrace(x, frames, 10, scratch, sizeof(scratch));

    printf(" ! ");
    /* A fault is placed in its function, but not always at its very operator. */
    for (uint32_t i = 0; i < n && i < 10 && x->trap != SM_TRAP_STACK && !native_guarded(); i++) {
        printf("%s%" PRIu32 ":%" PRIx32, i > 0 ? "," : "", frames[i].func, frames[i].offset);
    }
}

/* Arguments: small numbers, in every type (as a float they are subnormal). */
static unsigned make_args(uint64_t seed, const struct sm_wasm_functype *t, uint32_t *words)
{
    unsigned n = words_of(t->params, t->nparams);

    for (unsigned i = 0; i < n; i++) {
        words[i] = (uint32_t)((seed + i) * 2654435761u) >> (seed % 3 == 0 ? 28 : 4);
    }
    return n;
}

/* Every other call is stopped at every look at the epoch and goes on. */
static int run_in_pieces(struct sm_wasm_exec *x, uint64_t seed)
{
    int err;

    if (seed % 2 == 0) {
        return sm_wasm_run(x);
    }
    do {
        epoch++;
        err = sm_wasm_run(x);
    } while (err == SM_ERR_EPOCH && sm_wasm_resume(x, 1) == 0);
    return err;
}

static void call(struct sm_wasm_exec *x, struct sm_wasm_inst *inst, const struct sm_wasm_export *e,
                 uint64_t seed)
{
    struct sm_wasm_functype t;
    struct sm_wasm_extern fuel;
    uint32_t args[16];

    sm_wasm_export_extern(inst, "g0", 2, &fuel);
    fuel.global->value[0] = GENERATE_FUEL;
    sm_wasm_functype(sm_wasm_inst_module(inst), e->index, &t);
    printf("C %.*s", (int)e->name.len, e->name.bytes);
    print_words(args, make_args(seed, &t, args));
    if (sm_wasm_call(x, inst, e->index, args, seed % 2) == 0 && run_in_pieces(x, seed) == 0) {
        printf(" =");
        print_words(sm_wasm_results(x), words_of(t.results, t.nresults));
        printf("\n");
    } else {
        print_frames(x);
        printf(" %s\n", sm_wasm_trap_text(x->trap));
    }
}

static void print_state(struct sm_wasm_inst *inst)
{
    struct sm_wasm_extern e;
    uint32_t sum = 2166136261u;
    char name[3] = "g0";

    sm_wasm_export_extern(inst, "m", 1, &e);
    for (uint64_t i = 0; i < e.memory->size; i++) {
        sum = (sum ^ e.memory->base[i]) * 16777619u;
    }
    printf("E %" PRIx32 " %" PRIx32, e.memory->pages, sum);
    for (; name[1] <= '4'; name[1]++) {
        sm_wasm_export_extern(inst, name, 2, &e);
        print_words(e.global->value, words_of(&e.global->type, 1));
    }
    printf("\n");
}

static void run(uint64_t seed, uint8_t *pool_bytes, uint32_t *stack)
{
    static uint8_t wasm[GENERATE_MAX];
    size_t len = generate_module(seed, wasm);
    struct sm_wasm_limits limits = {.memory_bytes = 3 * SM_WASM_PAGE, .table_entries = 100};
    struct sm_wasm_linker linker = {.resolve = resolve};
    struct sm_wasm_pool pool = {.base = pool_bytes, .size = POOL_BYTES};
    struct sm_wasm_store store = {0};
    struct sm_wasm_cursor c;
    struct sm_wasm_export e;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec x;
    struct sm_wasm_diag diag;
    struct native_bound native = {0};
    struct slot slot;
    uint32_t which;

    printf("M %lu ", (unsigned long)seed); /* newlib's printf knows no longer ones */
    for (size_t i = 0; i < len; i++) {
        printf("%02x", wasm[i]);
    }
    printf("\n");
    if (slot_make(&slot, wasm, len, &diag) < 0) {
        printf("X %" PRIu32 " %s\n", diag.offset, diag.rule);
        slot_free(&slot);
        return;
    }
    if (native_wanted()) {
        native_make(&native, &slot.module, NULL);
        limits.region = native.guard.region.base != NULL ? &native.guard.region : NULL;
    }
    if (sm_wasm_instantiate(&inst, &store, &slot.module, &limits, &linker, &pool, &which) != 0) {
        printf("X not instantiated\n");
    } else if (native_wanted() && native_bind(&native, inst) != 0) {
        printf("X not bound\n");
    } else {
        sm_wasm_exec_init(&x, stack, STACK_WORDS, 5000, &epoch);
        sm_wasm_exports(&c, &slot.module);
        for (uint32_t i = 0; sm_wasm_next_export(&c, &e) == 0; i++) {
            if (e.kind == SM_WASM_FUNC) {
                call(&x, inst, &e, seed + i);
            }
        }
        print_state(inst);
    }
    native_free(&native);
    slot_free(&slot);
}

/* The modules alone, as files: what fuzzing begins with. */
static int write_modules(const char *dir, uint64_t first, uint64_t count)
{
    static uint8_t wasm[GENERATE_MAX];
    char path[512];

    for (uint64_t seed = first; seed - first < count; seed++) {
        size_t len = generate_module(seed, wasm);
        FILE *f;

        snprintf(path, sizeof(path), "%s/%lu.wasm", dir, (unsigned long)seed);
        f = fopen(path, "wb");
        if (f == NULL || fwrite(wasm, 1, len, f) != len || fclose(f) != 0) {
            perror(path);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t first = argc >= 3 ? strtoull(argv[1], NULL, 10) : 0;
    uint64_t count = argc >= 3 ? strtoull(argv[2], NULL, 10) : 0;
    uint8_t *pool;
    uint32_t *stack;

    if (argc == 5 && strcmp(argv[1], "--write") == 0) {
        return write_modules(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    }
    if (count == 0 || (argc > 3 && !native_mode(argv[3]))) {
        fprintf(stderr, "usage: differential FIRST COUNT [checks|guard]\n"
                        "       differential --write DIRECTORY FIRST COUNT\n");
        return 64;
    }
    pool = malloc(POOL_BYTES);
    stack = malloc(STACK_WORDS * sizeof(*stack));
    for (uint64_t seed = first; seed - first < count; seed++) {
        run(seed, pool, stack);
    }
    free(pool);
    free(stack);
    return 0;
}

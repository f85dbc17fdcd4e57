/* Firmware: the RAM that a module takes beyond its linear memory, from opening its image in flash
 * to the end of a run. Prints "what TAB bytes" a line; status 1 when the module does not run.
 *
 * Built with -DMODULE="stem" (embed.h), and for a run with -DFUNCTION="name" -DROUNDS=n.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "../../src/wasm/inst.h" /* what the pool holds, to tell the parts apart */
#include "board.h"
#include "embed.h"
#include "engine.h"

#define MEMORY_BYTES 524288u
#define STACK_WORDS  4096u
#define PAINT        0x5a5a5a5au
#ifndef FUNCTION
#define FUNCTION NULL /* nothing is run */
#define ROUNDS   0
#endif

EMBED_MODULE(module, MODULE);

static struct {
    uint8_t pool[MEMORY_BYTES + 8192] __attribute__((aligned(8)));
    uint32_t stack[STACK_WORDS];
} ram;

static struct bench_engine engine;

static void line(const char *what, uint32_t value)
{
    sm_board_print(what);
    sm_board_print("\t");
    sm_board_print_u32(value);
    sm_board_print("\n");
}

/* The pool without linear memory; *named is what of it globals' values and table entries take. */
static uint32_t in_pool(uint32_t *named)
{
    const struct sm_wasm_inst *inst = engine.inst;
    const struct sm_image *h = sm_image_of(&inst->module);

    *named = (h->nglobals - h->nglobal_imports) * (uint32_t)sizeof(struct sm_wasm_global);
    for (uint32_t i = h->ntable_imports; i < h->ntables; i++)
        *named += inst->tables[i]->capacity * 4;
    return (uint32_t)(engine.pool.used - inst->memory->capacity);
}

static uint32_t stack_words_used(void)
{
    uint32_t n = STACK_WORDS;

    while (n > 0 && ram.stack[n - 1] == PAINT)
        n--;
    return n;
}

static void start(void *result)
{
    *(int *)result = bench_start(&engine);
}

int sm_board_main(void)
{
    const char *function = FUNCTION;
    uint32_t before = sm_board_stack_used(), named, pool, fixed, value;
    int err;

    for (uint32_t i = 0; i < STACK_WORDS; i++)
        ram.stack[i] = PAINT;
    engine = (struct bench_engine){EMBEDDED_MODULE(module), .memory_bytes = MEMORY_BYTES,
                                   .pool = {.base = ram.pool, .size = sizeof ram.pool},
                                   .stack = ram.stack, .stack_words = STACK_WORDS};
    line("start, clearing of linear memory included, instructions", sm_board_count(start, &err));
    if (err != 0)
        return 1;
    pool = in_pool(&named);
    fixed = pool - named + (uint32_t)sizeof engine.module + (uint32_t)sizeof engine.store +
            (uint32_t)sizeof engine.exec;
    line("globals and table", named);
    line("instance, module, store, execution", fixed);
    line("C stack, start", sm_board_stack_used() - before);
    if (function == NULL)
        return 0;
    if (bench_call(&engine, function, ROUNDS, &value) != 0)
        return 1;
    line("value stack", stack_words_used() * 4);
    line("C stack, start and run", sm_board_stack_used() - before);
    line("all", named + fixed + stack_words_used() * 4 + sm_board_stack_used() - before);
    return 0;
}

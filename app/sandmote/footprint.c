/* How much linear memory a module uses.
 *
 * Linkers for wasm32 lay out one run of stack, data and zeroed data from the bottom of memory and
 * mark its end by __heap_base; __data_end is the end of the data. Zeroed data is in no segment, so
 * without these two the end is known only where the stack comes last: wasm-ld without --stack-first
 * puts it there, and its first byte beyond is the first value of __stack_pointer, the module's
 * first mutable global. All data must then lie below it, which cannot be when the stack comes
 * first.
 *
 * Code that asks for the size of its memory uses what it is told, whatever the linker laid out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "footprint.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_address(const struct sm_wasm_global *g, uint64_t declared)
{
    return g->type == SM_WASM_I32 && g->value[0] > 0 && g->value[0] <= declared;
}

/* The value of an exported constant, or 0. */
static uint64_t exported(const struct sm_wasm_module *module, const char *name, uint64_t declared)
{
    struct sm_wasm_global g;
    uint32_t index;
    if (sm_wasm_export_find(module, name, SM_WASM_GLOBAL, &index) != 0 ||
        sm_wasm_global_init(module, index, &g) != 0 || !is_address(&g, declared))
        return 0;
    return g.value[0];
}

/* The top of the stack at the start, or 0. Stacks are aligned to 16 bytes. */
static uint64_t stack_top(const struct sm_wasm_module *module, uint64_t declared)
{
    struct sm_wasm_global g;
    for (uint32_t i = 0;; i++) {
        int err = sm_wasm_global_init(module, i, &g);
        if (err == SM_ERR_NOT_FOUND)
            return 0;
        if (err == 0 && g.is_mutable)
            return is_address(&g, declared) && g.value[0] % 16 == 0 ? g.value[0] : 0;
    }
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What the linker laid out, or 0 when that cannot be known. */
static uint64_t laid_out(const struct sm_wasm_module *module, const struct sm_wasm_memory_type *t,
                         struct footprint *out)
{
    uint64_t declared = (uint64_t)t->min * t->page_bytes;
    uint64_t heap = exported(module, "__heap_base", declared);
    uint64_t data = exported(module, "__data_end", declared);
    uint64_t stack = stack_top(module, declared);
    uint64_t linked = larger(heap, data), end = larger(larger(linked, stack), t->data_end);
    bool stack_last = linked == 0 && stack > 0 && t->data_end > 0 && t->data_end <= stack;
    if (linked == 0 && !stack_last)
        return 0;
    snprintf(out->how, sizeof out->how, "up to %s%s",
             heap == end    ? "__heap_base"
             : data == end  ? "__data_end"
             : stack == end ? "the stack's top"
                            : "the end of its data",
             stack_last ? ", all data lies below it" : "");
    return end;
}

void footprint_find(const struct sm_wasm_module *module, struct footprint *out)
{
    struct sm_wasm_memory_type t;
    *out = (struct footprint){.known = true};
    if (sm_wasm_memory_type(module, &t) != 0) {
        snprintf(out->how, sizeof out->how, "it has no memory");
        return;
    }
    out->bytes = (uint64_t)t.min * t.page_bytes;
    if (t.asks)
        snprintf(out->how, sizeof out->how, "its code asks how much it has: all it declares");
    else if (t.page_bytes == 1)
        snprintf(out->how, sizeof out->how, "it declares pages of 1 byte");
    else {
        uint64_t bytes = laid_out(module, &t, out);
        out->known = bytes > 0;
        out->bytes = out->known ? bytes : out->bytes;
    }
    if (!out->known)
        snprintf(out->how, sizeof out->how, "all it declares, for want of __heap_base");
}

/* An instance in its pool, as the interpreter sees it. SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_INST_H
#define SM_WASM_INST_H

#include <stdbool.h>
#include "image.h"

struct sm_bound_func { /* an import; never another import: chains are followed when linking */
    sm_wasm_host_fn *host;
    union {
        void *ctx;
        struct sm_wasm_inst *inst; /* when host is NULL, and func */
    };
    const struct sm_kept *kept; /* NULL: nothing is */
    union {
        const volatile uint64_t *clock; /* of what is kept */
        uint32_t func;
    };
};

struct sm_wasm_inst {
    struct sm_wasm_memory *memory; /* first, for sm_wasm_mem_inline(); own_memory, of size 0 when
                                      the module has none */
    const uint16_t *code;
    const struct sm_image_func *funcs;
    const struct sm_image_type *types;
    struct sm_wasm_table **tables;
    struct sm_wasm_global **globals;
    struct sm_bound_func *imports;
    uint32_t nfuncs, nimports;
    uint32_t ref_base; /* function x is reference ref_base + x + 1 */
    uint8_t *dropped;  /* a byte a segment: elements, then data */
    struct sm_wasm_store *store;
    struct sm_native_inst *native; /* NULL: interpreted */
    struct sm_wasm_inst *next;
    void *user;
    struct sm_wasm_module module;
    struct sm_wasm_memory own_memory;
};

/* The instance that a function reference belongs to; NULL for none (a corrupted word). */
struct sm_wasm_inst *sm_inst_of_ref(struct sm_wasm_store *store, uint32_t ref);

/* The same parameters and results. */
bool sm_same_type(const struct sm_wasm_inst *a, uint32_t type_a, const struct sm_wasm_inst *b,
                  uint32_t type_b);

/* The function behind entry index of a table, to be called as that type: 0 or the trap, negative.
 */
int sm_inst_indirect(struct sm_wasm_inst *inst, uint32_t table, uint32_t type, uint32_t index,
                     struct sm_bound_func *out);

static inline __attribute__((always_inline)) uint32_t sm_now(const struct sm_wasm_exec *x)
{
    return __atomic_load_n(x->epoch, __ATOMIC_RELAXED);
}

/* Whether the epoch has moved since somebody looked: the cheapest question, and only then is the
 * deadline asked for. */
static inline __attribute__((always_inline)) bool sm_ticked(const struct sm_wasm_exec *x)
{
    uint32_t seen = x->seen; /* first, so that it can be read together with the pointer */

    return SM_EPOCH_CHECKS && sm_now(x) != seen;
}

/* Whether the call's deadline has come. Inline at every optimisation level: back edges ask. */
static inline __attribute__((always_inline)) bool sm_expired(const struct sm_wasm_exec *x)
{
    return SM_EPOCH_CHECKS && (int32_t)(sm_now(x) - x->deadline) >= 0;
}

/* When it has come and x stands where it can go on: SM_ERR_EPOCH, PAUSED; or 0 when the call has
 * none, and only the number was used up. */
int sm_pause(struct sm_wasm_exec *x);

/* What an element entry of the image stands for: a reference. */
static inline uint32_t sm_elem_value(const struct sm_wasm_inst *inst, uint32_t entry)
{
    if (entry & SM_ELEM_GLOBAL) {
        return inst->globals[entry & ~SM_ELEM_GLOBAL]->value[0];
    }
    return entry == 0 ? 0 : inst->ref_base + entry;
}

#endif

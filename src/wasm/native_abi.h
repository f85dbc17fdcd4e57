/* What the engine and the code of a native image agree on. The generator (src/aot) puts this text
 * into every C file it makes, so both sides are compiled from the same lines.
 *
 * The code runs on a stack of its own, inside the execution's value stack; the host's stack pointer
 * waits in host_sp. It comes back to the host in two ways only: the function is done, or it yields
 * with a site, two words behind the call that tell why (SM_SITE_*) and where in the module. What
 * yields keeps every register, so that it can be resumed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_NATIVE_ABI_H
#define SM_WASM_NATIVE_ABI_H

#include <stddef.h>
#include <stdint.h>
#include <sandmote/wasm.h>

struct sm_native_callee { /* a host function, called on the host's stack */
    sm_wasm_host_fn *host;
    void *ctx;
};

/* One for each instance; what belongs to the execution is set whenever it goes in. */
struct sm_native_ctx {
    /* Of the instance, never changing: compilers may keep these in registers for good. */
    uint8_t *mem;
    struct sm_wasm_memory *memory;
    struct sm_wasm_inst *inst;
    struct sm_wasm_global **globals;
    struct sm_wasm_global *own_globals; /* the first that is not imported */
    struct sm_wasm_table **tables;
    uint32_t *many;    /* results of a function with several */
    const void *funcs; /* the code's table of functions */
    uint32_t ref_base;
    /* Of the execution. */
    void *host_sp;
    void *limit; /* the stack pointer may not go below this */
    const volatile uint32_t *epoch;
    uint32_t deadline;
    /* Of a yield. */
    int32_t why;          /* SM_SITE_CALL, SM_SITE_WORK: what the callee returned */
    const uint32_t *site; /* NULL after a fault */
    uint32_t *args;
    void *sp;
    struct sm_native_callee work;      /* everything that is too long for generated code */
    struct sm_native_callee imports[]; /* in order of index */
};

/* The second word of a site: kind, and below it a trap, or the callee's type. The first word is the
 * operator's offset in the module. */
enum {
    SM_SITE_TRAP = 1, /* never resumed */
    SM_SITE_EPOCH,
    SM_SITE_CALL,    /* an import did not return 0; args are its words */
    SM_SITE_WORK,    /* work did not return 0 */
    SM_SITE_INDIRECT /* args are SM_INDIRECT_*, then the callee's words */
};
#define SM_SITE_SHIFT 24

enum {
    SM_INDIRECT_TABLE,
    SM_INDIRECT_INDEX,
    SM_INDIRECT_TYPE,
    SM_INDIRECT_OFFSET,
    SM_INDIRECT_ARGS
};

/* What work does: words[0] says it, operands follow from words[1] on, results stand there too.
 * 0 done, a negative trap, or SM_WORK_AGAIN: the epoch may have ended, call again to go on. */
enum {
    SM_WORK_MEMORY_GROW, /* pages -> pages before, or -1 */
    SM_WORK_MEMORY_FILL, /* to, value, bytes */
    SM_WORK_MEMORY_COPY, /* to, from, bytes */
    SM_WORK_MEMORY_INIT, /* to, from, bytes, segment */
    SM_WORK_DATA_DROP,   /* segment */
    SM_WORK_TABLE_GROW,  /* value, entries, 0, -1, table -> entries before, or -1 */
    SM_WORK_TABLE_FILL,  /* to, value, entries, table */
    SM_WORK_TABLE_COPY,  /* to, from, entries, to table, from table */
    SM_WORK_TABLE_INIT,  /* to, from, entries, segment, table */
    SM_WORK_ELEM_DROP    /* segment */
};
#define SM_WORK_AGAIN 3

/* Changes with anything above that the layout does not show. */
#define SM_NATIVE_ABI 1u

/* Two compilers that disagree about a structure disagree about this number. */
#define SM_NATIVE_LAYOUT                                                                           \
    (SM_NATIVE_ABI << 24 ^ (uint32_t)sizeof(struct sm_native_ctx) ^                                \
     (uint32_t)offsetof(struct sm_native_ctx, host_sp) << 3 ^                                      \
     (uint32_t)offsetof(struct sm_native_ctx, deadline) << 5 ^                                     \
     (uint32_t)offsetof(struct sm_native_ctx, work) << 7 ^                                         \
     (uint32_t)sizeof(struct sm_wasm_table) << 9 ^ (uint32_t)sizeof(struct sm_wasm_global) << 11 ^ \
     (uint32_t)offsetof(struct sm_wasm_table, size) << 13 ^                                        \
     (uint32_t)offsetof(struct sm_wasm_memory, size) << 15 ^                                       \
     (uint32_t)offsetof(struct sm_wasm_memory, pages) << 17 ^                                      \
     (uint32_t)offsetof(struct sm_wasm_table, entries) << 19)

#endif

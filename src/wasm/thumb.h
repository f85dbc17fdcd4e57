/* What thumb.S and the C beside it agree on: numbers, which run.c compares with the structures and
 * enumerations that they stand for. Included by both.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_THUMB_H
#define SM_WASM_THUMB_H

#include <sandmote/config.h>

/* Where the execution's state and trap end: enumerations have one byte, or four by another ABI. */
#if defined(__ARM_SIZEOF_MINIMAL_ENUM) && __ARM_SIZEOF_MINIMAL_ENUM == 1
#define SM_THUMB_EXEC 4
#else
#define SM_THUMB_EXEC 8
#endif

/* Offsets of members. */
#define SM_THUMB_EXEC_HOST_ERR  (SM_THUMB_EXEC + 0)
#define SM_THUMB_EXEC_STACK_END (SM_THUMB_EXEC + 8)
#define SM_THUMB_EXEC_FP        (SM_THUMB_EXEC + 36) /* and pc behind it */
#define SM_THUMB_EXEC_INST      (SM_THUMB_EXEC + 44)
#define SM_THUMB_EXEC_EPOCH     (SM_THUMB_EXEC + 48) /* and seen behind it */
#define SM_THUMB_EXEC_DEPTH     (SM_THUMB_EXEC + 64) /* and max_depth behind it */
#define SM_THUMB_INST_MEMORY    0
#define SM_THUMB_INST_CODE      4 /* and funcs behind it */
#define SM_THUMB_INST_TABLES    16
#define SM_THUMB_INST_GLOBALS   20 /* and imports behind it */
#define SM_THUMB_INST_NFUNCS    28 /* and nimports behind it */
#define SM_THUMB_INST_REF_BASE  36
#define SM_THUMB_MEMORY_BASE    0
#define SM_THUMB_MEMORY_SIZE    8
#define SM_THUMB_MEMORY_PAGES   32
#define SM_THUMB_TABLE_ENTRIES  0
#define SM_THUMB_TABLE_SIZE     4
#define SM_THUMB_FUNC_TYPE      4

#define SM_THUMB_TRAP_DIV_ZERO 2
#define SM_THUMB_TRAP_OVERFLOW 3
#define SM_THUMB_TRAP_MEMORY   5

#define SM_THUMB_RETURNS    15
#define SM_THUMB_STUB_CROSS 3

/* Why sm_thumb_run() came back, besides the traps; pc and fp are in the exec. */
#define SM_THUMB_C      0  /* the next instruction is one for the loop in C */
#define SM_THUMB_TICKED -1 /* the epoch has moved; goes on at pc */
#define SM_THUMB_HOST   -2 /* a host function, called before pc, gave host_error */

#if SM_THUMB && !defined(__ASSEMBLER__)
#include "inst.h"

/* Runs from x->pc until one of these or a trap (its number) comes up. */
int sm_thumb_run(struct sm_wasm_exec *x);

#define SM_THUMB_AT(number, type, member)                                                          \
    _Static_assert(SM_THUMB_##number == offsetof(struct type, member), #member " has moved")
#define SM_THUMB_NEXT_TO(type, a, b)                                                               \
    _Static_assert(offsetof(struct type, a) + 4 == offsetof(struct type, b), #b " has moved")

SM_THUMB_AT(EXEC_STACK_END, sm_wasm_exec, stack_end);
SM_THUMB_AT(EXEC_HOST_ERR, sm_wasm_exec, host_error);
SM_THUMB_AT(EXEC_FP, sm_wasm_exec, fp);
SM_THUMB_NEXT_TO(sm_wasm_exec, fp, pc);
SM_THUMB_AT(EXEC_INST, sm_wasm_exec, inst);
SM_THUMB_AT(EXEC_EPOCH, sm_wasm_exec, epoch);
SM_THUMB_NEXT_TO(sm_wasm_exec, epoch, seen);
SM_THUMB_AT(EXEC_DEPTH, sm_wasm_exec, depth);
SM_THUMB_NEXT_TO(sm_wasm_exec, depth, max_depth);
SM_THUMB_AT(INST_CODE, sm_wasm_inst, code);
SM_THUMB_NEXT_TO(sm_wasm_inst, code, funcs);
SM_THUMB_AT(INST_MEMORY, sm_wasm_inst, memory);
SM_THUMB_AT(INST_TABLES, sm_wasm_inst, tables);
SM_THUMB_AT(INST_GLOBALS, sm_wasm_inst, globals);
SM_THUMB_NEXT_TO(sm_wasm_inst, globals, imports);
SM_THUMB_AT(INST_NFUNCS, sm_wasm_inst, nfuncs);
SM_THUMB_NEXT_TO(sm_wasm_inst, nfuncs, nimports);
SM_THUMB_AT(INST_REF_BASE, sm_wasm_inst, ref_base);
SM_THUMB_AT(MEMORY_BASE, sm_wasm_memory, base);
SM_THUMB_AT(MEMORY_SIZE, sm_wasm_memory, size);
SM_THUMB_AT(MEMORY_PAGES, sm_wasm_memory, pages);
SM_THUMB_AT(TABLE_ENTRIES, sm_wasm_table, entries);
SM_THUMB_AT(TABLE_SIZE, sm_wasm_table, size);
SM_THUMB_AT(FUNC_TYPE, sm_image_func, type);
_Static_assert(sizeof(struct sm_image_func) == 8 && offsetof(struct sm_image_func, code) == 0,
               "CALL scales by eight");
_Static_assert(sizeof(struct sm_bound_func) == 16 && offsetof(struct sm_bound_func, host) == 0 &&
                   offsetof(struct sm_bound_func, ctx) == 4,
               "CALL_IMPORT scales by sixteen and loads both");
_Static_assert(offsetof(struct sm_bound_func, kept) == 8 &&
                   offsetof(struct sm_bound_func, clock) == 12 && sizeof(struct sm_kept) == 16 &&
                   offsetof(struct sm_kept, key) == 0 && offsetof(struct sm_kept, value) == 4 &&
                   offsetof(struct sm_kept, until) == 8 && SM_KEPT == 8 &&
                   SM_KEPT_PLACE(0x2fu) == (0x2fu ^ 5u) % 8u,
               "PASS_K finds what is kept");
_Static_assert(offsetof(struct sm_wasm_global, value) == 0, "GLOBAL_GET loads there");
_Static_assert(SM_THUMB_TRAP_DIV_ZERO == SM_TRAP_DIV_ZERO &&
                   SM_THUMB_TRAP_OVERFLOW == SM_TRAP_OVERFLOW &&
                   SM_THUMB_TRAP_MEMORY == SM_TRAP_MEMORY,
               "enum sm_wasm_trap has changed");
_Static_assert(SM_THUMB_STUB_CROSS == SM_STUB_CROSS, "the stubs have moved");
#endif

#endif

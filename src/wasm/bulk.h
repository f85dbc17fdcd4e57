/* Bulk operations and growth in pieces, for the interpreter and for native code.
 *
 * w holds the operands (destination, source or value, count) and is moved on by what has been done.
 * Each returns 0 when the operation is finished, 1 when it must be called again, or the trap,
 * negative.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_BULK_H
#define SM_WASM_BULK_H

#include "inst.h"

int sm_bulk_fill(struct sm_wasm_memory *m, uint32_t *w);
int sm_bulk_copy(struct sm_wasm_memory *m, uint32_t *w);
int sm_bulk_init(struct sm_wasm_inst *inst, uint32_t *w, uint32_t seg);
int sm_bulk_table_fill(struct sm_wasm_table *t, uint32_t *w);
int sm_bulk_table_copy(struct sm_wasm_table *to, struct sm_wasm_table *from, uint32_t *w);
int sm_bulk_table_init(struct sm_wasm_inst *inst, uint32_t *w, uint32_t seg, uint32_t table);
int sm_bulk_grow(struct sm_wasm_memory *m, uint32_t pages, uint32_t *was);
/* w: value, entries, how many of them are filled, the table's size to which that applies (SM_NONE
 * at first). The size before, or 0xffffffff, takes the value's place. */
int sm_bulk_table_grow(struct sm_wasm_table *t, uint32_t *w);

#endif

/* What rare.c does for the interpreter's loop. SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_RARE_H
#define SM_WASM_RARE_H

#include "inst.h"

/* Execute the operation at pc, one of SM_OPS_RARE (behind its OP_RARE). How many units it has; 0
 * when there is more to do (the same operation comes again); or the trap, negative. The memory may
 * have grown. */
int sm_rare(struct sm_wasm_inst *inst, uint32_t *fp, const uint16_t *pc);

/* The floats among them (rare_float.c), of one and of two operands. */
int sm_rare_float_1(uint32_t op, uint32_t *d, const uint32_t *a);
int sm_rare_float_2(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b);

#endif

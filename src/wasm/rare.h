/* What rare.c does for the interpreter's loop. SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_RARE_H
#define SM_WASM_RARE_H

#include "inst.h"

/* Execute the operation at pc, one of SM_OPS_RARE (behind its OP_RARE). How many units it has; 0
 * when there is more to do (the same operation comes again); or the trap, negative. The memory may
 * have grown. */
int sm_rare(struct sm_wasm_inst *inst, uint32_t *fp, const uint16_t *pc);

#endif

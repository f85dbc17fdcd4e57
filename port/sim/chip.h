/* What chips use of their bus.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_SIM_CHIP_H
#define SM_SIM_CHIP_H

#include "sim.h"

/* Whether this fault strikes the transfer that goes on. */
bool sm_sim_has(const struct sm_sim_chip *c, enum sm_sim_fault fault);

/* Microseconds on the chip's clock. */
uint64_t sm_sim_chip_us(const struct sm_sim_chip *c);

#define SM_SIM_STATE_FITS(type)                                                                    \
    _Static_assert(sizeof(struct type) <= SM_SIM_STATE, #type " is too large for a chip")

#endif

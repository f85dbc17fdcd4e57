/* The simulated board of the native program, for whoever starts it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BOARD_SIM_H
#define BOARD_SIM_H

#include <sim/sim.h>
#include "native.h"

void board_plug(void); /* before main() */
unsigned board_transfers(void);

#endif

/* The simulated board in a process: there before main(), and afterwards it says what was measured,
 * so that one sees that the program does what it is compared for.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "board_sim.h"

__attribute__((constructor)) static void plug(void)
{
    board_plug();
}

__attribute__((destructor)) static void say(void)
{
    printf("%u transfers\n", board_transfers());
}

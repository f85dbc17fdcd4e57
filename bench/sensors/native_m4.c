/* The native program (bench/guests/native.c) on the emulated microcontroller, with the simulated
 * board of bench/guests/board_sim.c. Prints the RAM that the program takes, as footprint.c does.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "../guests/board_sim.h"
#include "board.h"

int main(void);

int sm_board_main(void)
{
    uint32_t before = sm_board_stack_used();

    board_plug();
    int status = main();
    sm_board_print("sensor, values, times\t");
    sm_board_print_u32(sizeof(struct sm_sensor) + 4 * SM_SENSOR_CAPABILITIES + 16);
    sm_board_print("\nC stack, that of the simulated chip included\t");
    sm_board_print_u32(sm_board_stack_used() - before);
    sm_board_print("\n");
    return status;
}

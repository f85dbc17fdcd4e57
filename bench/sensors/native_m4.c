/* The board of the native program (bench/guests/native.c) on the emulated microcontroller: a
 * simulated BME280, as the device of the module has. Prints the RAM that the program takes, as
 * footprint.c does.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sim/sim.h>
#include "../guests/native.h"
#include "board.h"

int main(void);

static struct sm_sim_clock sim_clock;
static struct sm_sim_bus bus;
static struct sm_sim_chip chip;

const struct sm_bus *board_bus = &bus.bus;

uint64_t board_now_ms(void)
{
    return sm_sim_now_ns(&sim_clock) / 1000000;
}

void board_wait_ms(uint32_t ms)
{
    sim_clock.ns += ms * 1000000ull;
}

int sm_board_main(void)
{
    uint32_t before = sm_board_stack_used();

    sm_sim_bus_init(&bus, "bus", SM_BUS_I2C, &sim_clock);
    sm_sim_plug(&bus, &chip, &sm_sim_bme280, 0x76);
    board_wait_ms(1000);
    int status = main();
    sm_board_print("sensor, values, times\t");
    sm_board_print_u32(sizeof(struct sm_sensor) + 4 * SM_SENSOR_CAPABILITIES + 16);
    sm_board_print("\nC stack, that of the simulated chip included\t");
    sm_board_print_u32(sm_board_stack_used() - before);
    sm_board_print("\n");
    return status;
}

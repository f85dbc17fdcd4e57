/* A board for the native program: a simulated BME280 on a bus without delay. Says what was
 * measured, so that one sees that the program does what it is compared for.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sim/sim.h>
#include "native.h"

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

__attribute__((constructor)) static void plug(void)
{
    sm_sim_bus_init(&bus, "bus", SM_BUS_I2C, &sim_clock);
    sm_sim_plug(&bus, &chip, &sm_sim_bme280, 0x76);
    board_wait_ms(1000);
}

__attribute__((destructor)) static void say(void)
{
    printf("%u transfers\n", (unsigned)chip.transfers);
}

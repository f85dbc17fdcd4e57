/* A board for the native program: a simulated BME280 on a bus without delay. board_host.c is what a
 * process has beside it, ../sensors/native_m4.c what the emulated microcontroller has.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sim/sim.h>
#include "board_sim.h"

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

void board_plug(void)
{
    sm_sim_bus_init(&bus, "bus", SM_BUS_I2C, &sim_clock);
    sm_sim_plug(&bus, &chip, &sm_sim_bme280, 0x76);
    board_wait_ms(1000);
}

unsigned board_transfers(void)
{
    return (unsigned)chip.transfers;
}

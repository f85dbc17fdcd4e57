/* The simulated PCF8574: eight pins, high at power-on.
 *
 * Source: Texas Instruments SCPS068J.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "chip.h"

static void power_on(struct sm_sim_chip *c)
{
    c->state.bytes[0] = 0xff;
}

static bool begin(struct sm_sim_chip *c, bool reading)
{
    (void)c, (void)reading;
    return true;
}

static bool write(struct sm_sim_chip *c, uint8_t byte)
{
    c->state.bytes[0] = byte;
    return true;
}

static uint8_t read(struct sm_sim_chip *c)
{
    return c->state.bytes[0];
}

uint8_t sm_sim_pcf8574_pins(const struct sm_sim_chip *c)
{
    return c->state.bytes[0];
}

const struct sm_sim_model sm_sim_pcf8574 = {
    .name = "PCF8574",
    .bus = SM_BUS_I2C,
    .first = 0x20,
    .last = 0x27,
    .power_on = power_on,
    .begin = begin,
    .write = write,
    .read = read,
};

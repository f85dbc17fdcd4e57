/* Chips with registers on I2C.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "registers.h"

int sm_register_read(const struct sm_sensor *s, uint8_t reg, uint8_t *bytes, uint32_t len)
{
    return s->bus->transfer.i2c(s->bus->ctx, s->address, &reg, 1, bytes, len);
}

int sm_register_write(const struct sm_sensor *s, uint8_t reg, uint8_t value)
{
    const uint8_t out[2] = {reg, value};
    return s->bus->transfer.i2c(s->bus->ctx, s->address, out, sizeof out, NULL, 0);
}

unsigned sm_at_least(const uint32_t *rising, unsigned n, int64_t wish)
{
    unsigned i = 0;
    while (i + 1 < n && (int64_t)rising[i] < wish)
        i++;
    return i;
}

/* Chips with registers on I2C: what most drivers do with a bus.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_SENSOR_REGISTERS_H
#define SM_SENSOR_REGISTERS_H

#include <sandmote/sensor.h>

/* Read len bytes from a register on. The errors of sandmote/bus.h. */
int sm_register_read(const struct sm_sensor *s, uint8_t reg, uint8_t *bytes, uint32_t len);

/* Write one byte to a register. The errors of sandmote/bus.h. */
int sm_register_write(const struct sm_sensor *s, uint8_t reg, uint8_t value);

/* The index of the first of n rising numbers that is at least `wish`; the last when none is. For
 * attributes that a chip knows only some values of. */
unsigned sm_at_least(const uint32_t *rising, unsigned n, int64_t wish);

/* Numbers as chips send them. */
static inline uint16_t sm_le16(const uint8_t *b)
{
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint16_t sm_be16(const uint8_t *b)
{
    return (uint16_t)(b[0] << 8 | b[1]);
}

/* Whether a driver's state fits where sensors have room for it. */
#define SM_STATE_FITS(type)                                                                        \
    _Static_assert(sizeof(struct type) <= SM_SENSOR_STATE, #type " is too large for a sensor")

#endif

/* Eight relays on a PCF8574, I2C.
 *
 * The chip has no registers: a write sets its eight pins, a read takes their levels. What it shall
 * show is kept here, and compared with what it shows at each use: a chip that started anew, or a
 * pin that cannot move, is an error. All relays open at start and stop.
 *
 * Source: Texas Instruments SCPS068J (PCF8574).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/drivers.h>
#include "registers.h"

#define RELAY(n)                                                                                   \
    {                                                                                              \
        "relay" #n, SM_UNIT_BOOLEAN, 0, SM_RULE_HOLDER, true, 0, 1, 0                              \
    }

static const struct sm_attribute attribute[] = {
    RELAY(0), RELAY(1), RELAY(2), RELAY(3), RELAY(4), RELAY(5), RELAY(6), RELAY(7),
};

struct relay {
    uint8_t closed; /* bits */
};
SM_STATE_FITS(relay);

static struct relay *state_of(struct sm_sensor *s)
{
    return (struct relay *)s->state.bytes;
}

static uint8_t levels(const struct sm_sensor *s, uint8_t closed)
{
    const struct sm_relay_wiring *wiring = s->ctx;
    return wiring && wiring->active_high ? closed : (uint8_t)~closed;
}

static int compare(struct sm_sensor *s)
{
    uint8_t shown;
    int err = s->bus->transfer.i2c(s->bus->ctx, s->address, NULL, 0, &shown, 1);
    if (err)
        return err;
    return shown == levels(s, state_of(s)->closed) ? 0 : SM_ERR_IO;
}

static int show(struct sm_sensor *s, uint8_t closed)
{
    const uint8_t out = levels(s, closed);
    int err = s->bus->transfer.i2c(s->bus->ctx, s->address, &out, 1, NULL, 0);
    if (err)
        return err;
    state_of(s)->closed = closed;
    return compare(s);
}

static int start(struct sm_sensor *s)
{
    return show(s, 0);
}

/* Nothing is measured; whether the chip still shows what it was told. */
static int sample(struct sm_sensor *s, int32_t *values)
{
    (void)values;
    return compare(s);
}

static int set(struct sm_sensor *s, unsigned which, int64_t value)
{
    uint8_t bit = (uint8_t)(1u << which), closed = state_of(s)->closed;
    int err = compare(s);
    return err ? err : show(s, (uint8_t)(value ? closed | bit : closed & ~bit));
}

static int get(struct sm_sensor *s, unsigned which, int64_t *value)
{
    int err = compare(s);
    if (!err)
        *value = state_of(s)->closed >> which & 1;
    return err;
}

static void stop(struct sm_sensor *s)
{
    (void)show(s, 0);
}

const struct sm_sensor_driver sm_driver_relay = {
    .model = "PCF8574",
    .bus = SM_BUS_I2C,
    .attributes = 8,
    .attribute = attribute,
    .start = start,
    .sample = sample,
    .set = set,
    .get = get,
    .stop = stop,
};

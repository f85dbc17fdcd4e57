/* TMP105, and the LM75 before it: temperature on I2C.
 *
 * The chip measures all the time while it is on, so that a measurement is a read of two bytes,
 * left-justified. Its configuration is read before: a chip that started anew gives 0 degrees until
 * it has measured, and has another resolution, which is all there is to see of that. An LM75
 * ignores the bits that choose the resolution: it has 9 bits for ever, which is no failure of it,
 * but what its attribute then reads.
 *
 * Source: Texas Instruments SLLS648D (TMP105): pointer, temperature and configuration registers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "registers.h"

#define REG_TEMPERATURE 0u
#define REG_CONFIG      1u

#define CONFIG_SHUTDOWN 0x01u
#define CONFIG_BITS     0x60u /* 9 + that many */
#define BITS_SHIFT      5
#define BITS_LEAST      9
#define BITS_MOST       12
/* The longest that a measurement of 12 bits takes; half as long for each bit less. */
#define MEASURING_MS 300u

static const struct sm_capability capability[] = {
    {"temperature", SM_UNIT_CELSIUS, -3, -55000, 127938},
};

static const struct sm_attribute attribute[] = {
    {"resolution", SM_UNIT_NONE, 0, SM_RULE_HIGHEST, true, BITS_LEAST, BITS_MOST, BITS_MOST},
};

struct tmp105 {
    uint8_t bits;
};
SM_STATE_FITS(tmp105);

static struct tmp105 *state_of(struct sm_sensor *s)
{
    return (struct tmp105 *)s->state.bytes;
}

/* Writes the resolution and reads what came of it. The wait for a first value of it, or an error.
 */
static int write_bits(const struct sm_sensor *s, struct tmp105 *t, unsigned bits)
{
    uint8_t config, wish = (uint8_t)((bits - BITS_LEAST) << BITS_SHIFT);
    int err = sm_register_write(s, REG_CONFIG, wish);
    if (!err)
        err = sm_register_read(s, REG_CONFIG, &config, 1);
    if (err)
        return err;
    uint8_t got = config & CONFIG_BITS;
    if ((got != wish && got != 0) || (config & CONFIG_SHUTDOWN))
        return SM_ERR_INVALID;
    t->bits = (uint8_t)(BITS_LEAST + (got >> BITS_SHIFT));
    /* an LM75 takes as long for its 9 bits as a TMP105 for 12 */
    return (int)(got == wish ? (MEASURING_MS >> (BITS_MOST - bits)) + 1 : MEASURING_MS);
}

static int start(struct sm_sensor *s)
{
    return s->step == 0 ? write_bits(s, state_of(s), BITS_MOST) : 0;
}

/* Whether the chip is still set as it was. */
static int compare(struct sm_sensor *s)
{
    uint8_t config;
    int err = sm_register_read(s, REG_CONFIG, &config, 1);
    if (err)
        return err;
    unsigned bits = BITS_LEAST + ((config & CONFIG_BITS) >> BITS_SHIFT);
    return bits == state_of(s)->bits && !(config & CONFIG_SHUTDOWN) ? 0 : SM_ERR_IO;
}

static int sample(struct sm_sensor *s, int32_t *values)
{
    uint8_t b[2];
    int err = compare(s);
    if (!err)
        err = sm_register_read(s, REG_TEMPERATURE, b, sizeof b);
    if (err)
        return err;
    /* 1/256 degrees; bits beyond the resolution read zero */
    int32_t raw = (int16_t)sm_be16(b);
    int32_t value = (raw * 1000 + (raw < 0 ? -128 : 128)) / 256;
    if ((raw & (0xffff >> state_of(s)->bits)) != 0 || value < capability[0].min)
        return SM_ERR_INVALID;
    values[0] = value;
    return 0;
}

static int set(struct sm_sensor *s, unsigned which, int64_t value)
{
    struct tmp105 *t = state_of(s);
    (void)which;
    if (s->step > 0)
        return 0;
    return write_bits(s, t, (unsigned)value);
}

static int get(struct sm_sensor *s, unsigned which, int64_t *value)
{
    (void)which;
    int err = compare(s);
    if (!err)
        *value = state_of(s)->bits;
    return err;
}

static void stop(struct sm_sensor *s)
{
    (void)sm_register_write(s, REG_CONFIG, CONFIG_SHUTDOWN);
}

const struct sm_sensor_driver sm_driver_tmp105 = {
    .model = "TMP105",
    .bus = SM_BUS_I2C,
    .capabilities = 1,
    .attributes = 1,
    .capability = capability,
    .attribute = attribute,
    .start = start,
    .sample = sample,
    .set = set,
    .get = get,
    .stop = stop,
};

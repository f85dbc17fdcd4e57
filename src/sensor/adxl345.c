/* ADXL345: acceleration in three directions, on SPI.
 *
 * The chip measures all the time while it is on. Each reading takes the registers from the rate to
 * the data in one go, so that settings that are no longer there (the chip started anew) are seen.
 *
 * Source: Analog Devices ADXL345 data sheet, revision G.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "registers.h"

#define REG_DEVID       0x00u
#define REG_OFSX        0x1eu
#define REG_BW_RATE     0x2cu
#define REG_POWER_CTL   0x2du
#define REG_INT_ENABLE  0x2eu
#define REG_DATA_FORMAT 0x31u
#define REG_FIFO_CTL    0x38u

#define DEVID     0xe5u
#define READ      0x80u
#define MULTIPLE  0x40u
#define MEASURE   0x08u
#define FULL_RES  0x08u /* 1/256 g whatever the range */
#define SPI_MODE  3u
#define BURST     12u /* from the rate on */
#define BURST_FMT 5
#define BURST_X   6
#define MOST      4096 /* 16 g */

enum { RANGE, RATE, ATTRIBUTES };

static const struct sm_capability capability[] = {
    {"x", SM_UNIT_GRAVITY, -3, -16000, 16000},
    {"y", SM_UNIT_GRAVITY, -3, -16000, 16000},
    {"z", SM_UNIT_GRAVITY, -3, -16000, 16000},
};

static const struct sm_attribute attribute[ATTRIBUTES] = {
    [RANGE] = {"range", SM_UNIT_GRAVITY, 0, SM_RULE_HIGHEST, true, 2, 16, 2},
    [RATE] = {"rate", SM_UNIT_HERTZ, -2, SM_RULE_HIGHEST, true, 625, 320000, 10000},
};

static const uint32_t ranges[] = {2, 4, 8, 16};
static const uint32_t rates[] = {625, 1250, 2500, 5000, 10000, 20000, 40000, 80000, 160000, 320000};
#define RATE_CODE  6u /* of the first */
#define RATE_START 4u /* 100 Hz */

struct adxl345 {
    uint8_t range, rate; /* indices */
};
SM_STATE_FITS(adxl345);

static struct adxl345 *state_of(struct sm_sensor *s)
{
    return (struct adxl345 *)s->state.bytes;
}

/* ---- Registers ------------------------------------------------------------------------------- */

static int exchange(const struct sm_sensor *s, const uint8_t *out, uint8_t *in, uint32_t len)
{
    return s->bus->transfer.spi(s->bus->ctx, s->address, SPI_MODE, out, in, len);
}

static int read_registers(const struct sm_sensor *s, uint8_t reg, uint8_t *bytes, uint32_t len)
{
    uint8_t out[BURST + 1] = {(uint8_t)(READ | (len > 1 ? MULTIPLE : 0) | reg)}, in[BURST + 1];
    int err = exchange(s, out, in, len + 1);
    if (!err)
        memcpy(bytes, in + 1, len);
    return err;
}

static int write_register(const struct sm_sensor *s, uint8_t reg, uint8_t value)
{
    const uint8_t out[2] = {reg, value};
    return exchange(s, out, NULL, sizeof out);
}

static uint8_t format_of(const struct adxl345 *a)
{
    return FULL_RES | a->range;
}

static uint8_t rate_of(const struct adxl345 *a)
{
    return (uint8_t)(a->rate + RATE_CODE);
}

/* The wait for a first value of these settings, 1.1 ms and one measurement, or an error. */
static int write_settings(const struct sm_sensor *s, const struct adxl345 *a)
{
    int err = write_register(s, REG_POWER_CTL, 0);
    if (!err)
        err = write_register(s, REG_DATA_FORMAT, format_of(a));
    if (!err)
        err = write_register(s, REG_BW_RATE, rate_of(a));
    if (!err)
        err = write_register(s, REG_POWER_CTL, MEASURE);
    return err ? err : 3 + (int)(100000 / rates[a->rate]);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* What an earlier owner may have left: the chip has no reset. */
static int clear(const struct sm_sensor *s)
{
    int err = write_register(s, REG_INT_ENABLE, 0);
    if (!err)
        err = write_register(s, REG_FIFO_CTL, 0);
    for (uint8_t i = 0; !err && i < 3; i++)
        err = write_register(s, (uint8_t)(REG_OFSX + i), 0);
    return err;
}

static int start(struct sm_sensor *s)
{
    struct adxl345 *a = state_of(s);
    uint8_t id;
    if (s->step > 0)
        return 0;
    int err = read_registers(s, REG_DEVID, &id, 1);
    if (!err && id != DEVID)
        err = SM_ERR_INVALID;
    if (!err)
        err = clear(s);
    a->rate = RATE_START;
    return err ? err : write_settings(s, a);
}

static int sample(struct sm_sensor *s, int32_t *values)
{
    const struct adxl345 *a = state_of(s);
    uint8_t b[BURST];
    int32_t g[3];
    int err = read_registers(s, REG_BW_RATE, b, sizeof b);
    if (err)
        return err;
    if (b[0] != rate_of(a) || b[1] != MEASURE || b[BURST_FMT] != format_of(a))
        return SM_ERR_IO;
    for (unsigned i = 0; i < 3; i++) {
        int32_t raw = (int16_t)sm_le16(b + BURST_X + 2 * i);
        if (raw < -MOST || raw > MOST)
            return SM_ERR_INVALID;
        g[i] = (raw * 125 + (raw < 0 ? -16 : 16)) / 32;
    }
    memcpy(values, g, sizeof g);
    return 0;
}

static int set(struct sm_sensor *s, unsigned which, int64_t value)
{
    struct adxl345 *a = state_of(s);
    if (s->step > 0)
        return 0;
    if (which == RANGE)
        a->range = (uint8_t)sm_at_least(ranges, sizeof ranges / sizeof ranges[0], value);
    else
        a->rate = (uint8_t)sm_at_least(rates, sizeof rates / sizeof rates[0], value);
    return write_settings(s, a);
}

static int get(struct sm_sensor *s, unsigned which, int64_t *value)
{
    const struct adxl345 *a = state_of(s);
    *value = which == RANGE ? ranges[a->range] : rates[a->rate];
    return 0;
}

static void stop(struct sm_sensor *s)
{
    (void)write_register(s, REG_POWER_CTL, 0);
}

const struct sm_sensor_driver sm_driver_adxl345 = {
    .model = "ADXL345",
    .bus = SM_BUS_SPI,
    .capabilities = 3,
    .attributes = ATTRIBUTES,
    .capability = capability,
    .attribute = attribute,
    .start = start,
    .sample = sample,
    .set = set,
    .get = get,
    .stop = stop,
};

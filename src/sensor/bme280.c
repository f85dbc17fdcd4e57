/* BME280: temperature, humidity and pressure on I2C.
 *
 * Owns the chip's calibration, read once at the start, and its settings. In forced mode each
 * measurement is asked for and waited for; in normal mode the chip measures by itself and a
 * measurement is one burst read. Each burst includes the registers with the settings: when these
 * are not what was written the chip has started anew, by a dip of its supply, and the sensor fails
 * so that it is set up again.
 *
 * Source: Bosch Sensortec BST-BME280-DS002, revision 1.6: registers 5.3, times 9.1, compensation
 * 4.2.3. Shifts of negative numbers to the right keep their sign in every compiler we build with.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bme280.h"
#include <string.h>
#include "registers.h"

#define REG_CALIBRATION_1 0x88u
#define REG_ID            0xd0u
#define REG_RESET         0xe0u
#define REG_CALIBRATION_2 0xe1u
#define REG_CTRL_HUM      0xf2u
#define REG_STATUS        0xf3u
#define REG_CTRL_MEAS     0xf4u
#define REG_CONFIG        0xf5u

#define CHIP_ID          0x60u
#define RESET_WORD       0xb6u
#define STATUS_MEASURING 0x08u
#define STATUS_COPYING   0x01u /* calibration, after a reset */
#define MODE_FORCED      1u
#define MODE_NORMAL      3u
#define START_MS         3u  /* 2, and a clock of whole milliseconds */
#define POLLS            20u /* of a chip that is said to be ready after one */

/* A burst from ctrl_hum to the end of the data. */
#define BURST          13u
#define BURST_STATUS   1
#define BURST_MEAS     2
#define BURST_CONFIG   3
#define BURST_PRESSURE 5
#define BURST_TEMP     8
#define BURST_HUMIDITY 11

/* The oversampling of a capability has its number. */
enum { TEMPERATURE, HUMIDITY, PRESSURE };
enum { OVER_TEMPERATURE, OVER_HUMIDITY, OVER_PRESSURE, FILTER, NORMAL, STANDBY, ATTRIBUTES };

static const struct sm_capability capability[] = {
    [TEMPERATURE] = {"temperature", SM_UNIT_CELSIUS, -3, -40000, 85000},
    [HUMIDITY] = {"humidity", SM_UNIT_HUMIDITY, -3, 0, 100000},
    [PRESSURE] = {"pressure", SM_UNIT_PASCAL, -3, 30000000, 110000000},
};

static const struct sm_attribute attribute[ATTRIBUTES] = {
    [OVER_TEMPERATURE] = {"temperature_oversampling", 0, 0, SM_RULE_HIGHEST, true, 1, 16, 1},
    [OVER_HUMIDITY] = {"humidity_oversampling", 0, 0, SM_RULE_HIGHEST, true, 1, 16, 1},
    [OVER_PRESSURE] = {"pressure_oversampling", 0, 0, SM_RULE_HIGHEST, true, 1, 16, 1},
    [FILTER] = {"filter", 0, 0, SM_RULE_HIGHEST, true, 0, 16, 0},
    [NORMAL] = {"normal_mode", SM_UNIT_BOOLEAN, 0, SM_RULE_HIGHEST, true, 0, 1, 0},
    [STANDBY] = {"standby", SM_UNIT_SECOND, -6, SM_RULE_LOWEST, true, 500, 1000000, 1000000},
};

/* What the chip knows; the index is the code in the register (oversampling: one more). */
static const uint32_t oversamplings[] = {1, 2, 4, 8, 16};
static const uint32_t filters[] = {0, 2, 4, 8, 16};
static const uint32_t standbys[] = {500, 10000, 20000, 62500, 125000, 250000, 500000, 1000000};
/* 10 and 20 ms came last: their codes are 6 and 7. */
static const uint8_t standby_codes[] = {0, 6, 7, 1, 2, 3, 4, 5};

struct bme280 {
    struct sm_bme280_calibration calibration;
    uint8_t over[3]; /* codes, by capability */
    uint8_t filter;  /* code */
    uint8_t standby; /* index of standbys */
    bool normal;
};
SM_STATE_FITS(bme280);

static struct bme280 *state_of(struct sm_sensor *s)
{
    return (struct bme280 *)s->state.bytes;
}

/* ---- Compensation ---------------------------------------------------------------------------- */

void sm_bme280_calibration(struct sm_bme280_calibration *c, const uint8_t first[26],
                           const uint8_t second[7])
{
    c->t1 = sm_le16(first);
    for (unsigned i = 0; i < 2; i++)
        c->t[i] = (int16_t)sm_le16(first + 2 + 2 * i);
    c->p1 = sm_le16(first + 6);
    for (unsigned i = 0; i < 8; i++)
        c->p[i] = (int16_t)sm_le16(first + 8 + 2 * i);
    c->h1 = first[25];
    c->h2 = (int16_t)sm_le16(second);
    c->h3 = second[2];
    /* two signed numbers of 12 bits share the middle byte */
    c->h4 = (int16_t)((int8_t)second[3] * 16 + (second[4] & 15));
    c->h5 = (int16_t)((int8_t)second[5] * 16 + (second[4] >> 4));
    c->h6 = (int8_t)second[6];
}

/* Below 2^23 either way with any calibration. The data sheet's integers drop the last bits of the
 * reading first, to stay within 32 bits, and with them 0.003 degrees; these do not. */
static int32_t fine_temperature(const struct sm_bme280_calibration *c, uint32_t adc)
{
    int64_t off = (int32_t)adc - 16 * (int32_t)c->t1; /* below 2^20 */
    return (int32_t)((off * c->t[0] >> 14) + ((off * off >> 20) * c->t[1] >> 14));
}

/* In 1/1000 Pa, or -1. With fine between those of -40 and 85 degrees |f| is below 2^18.4, and so
 * whatever the calibration: slope is between 2^46 and 2^48 (its other two terms stay below 2^43.8
 * and 2^45.4), its product below 2^64, and offset below 2^53. What may not fit is checked. */
static int64_t pressure_of(const struct sm_bme280_calibration *c, int32_t fine, uint32_t adc)
{
    enum { P2, P3, P4, P5, P6, P7, P8, P9 };
    const int16_t *p = c->p;
    int64_t f = (int64_t)fine - 128000;
    int64_t offset = f * f * p[P6] + f * p[P5] * (1 << 17) + p[P4] * (1ll << 35);
    int64_t slope = (1ll << 47) + (f * f * p[P3] >> 8) + f * p[P2] * (1 << 12);
    int64_t scale = (int64_t)((uint64_t)slope * c->p1 >> 33);
    int64_t rest = (int64_t)(1048576 - adc) * (1ll << 31) - offset;
    if (scale == 0 || rest < 0 || rest > INT64_MAX / 3125)
        return -1;
    int64_t q = rest * 3125 / scale;
    if (q >= 1ll << 36) /* in 2^-16 Pa: far beyond what is measured, and the last that must fit */
        return -1;
    q += (p[P9] * (q >> 13) * (q >> 13) >> 25) + (p[P8] * q >> 19);
    q = (q >> 8) + p[P7] * 16; /* 1/256 Pa */
    return q < 0 ? -1 : q * 125 / 32;
}

/* In 1/1000 %RH, 0 to 100000. With fine as above no product passes 2^54. */
static int32_t humidity_of(const struct sm_bme280_calibration *c, int32_t fine, uint32_t adc)
{
    int64_t f = (int64_t)fine - 76800;
    int64_t signal = ((int64_t)adc * 16384 - (int64_t)c->h4 * 1048576 - c->h5 * f + 16384) >> 15;
    int64_t gain = ((f * c->h6 >> 10) * ((f * c->h3 >> 11) + 32768) >> 10) + 2097152;
    int64_t h = signal * ((gain * c->h2 + 8192) >> 14);
    h -= ((h >> 15) * (h >> 15) >> 7) * c->h1 >> 4;
    if (h < 0)
        h = 0;
    if (h > 419430400) /* 100 % in 2^-22 */
        h = 419430400;
    return (int32_t)(h * 1000 >> 22);
}

int sm_bme280_compensate(const struct sm_bme280_calibration *c, uint32_t adc_t, uint32_t adc_p,
                         uint32_t adc_h, int32_t values[3])
{
    int32_t fine = fine_temperature(c, adc_t);
    int32_t temperature = (int32_t)(((int64_t)fine * 25 + 64) >> 7);
    if (temperature < capability[TEMPERATURE].min || temperature > capability[TEMPERATURE].max)
        return SM_ERR_INVALID;
    int64_t pressure = pressure_of(c, fine, adc_p);
    if (pressure < capability[PRESSURE].min || pressure > capability[PRESSURE].max)
        return SM_ERR_INVALID;
    values[TEMPERATURE] = temperature;
    values[HUMIDITY] = humidity_of(c, fine, adc_h);
    values[PRESSURE] = (int32_t)pressure;
    return 0;
}

/* ---- Settings -------------------------------------------------------------------------------- */

static uint8_t ctrl_meas_of(const struct bme280 *b, unsigned mode)
{
    return (uint8_t)(b->over[TEMPERATURE] << 5 | b->over[PRESSURE] << 2 | mode);
}

static uint8_t config_of(const struct bme280 *b)
{
    return (uint8_t)(standby_codes[b->standby] << 5 | b->filter << 2);
}

/* The longest that one measurement takes. */
static int measuring_ms(const struct bme280 *b)
{
    uint32_t us = 1250;
    for (unsigned i = 0; i < 3; i++)
        us += 2300u << (b->over[i] - 1);
    us += 2 * 575;
    return (int)((us + 999) / 1000);
}

/* The chip takes config in sleep mode only, and ctrl_hum with the next write of ctrl_meas. In
 * normal mode the caller has to wait for the first measurement. */
static int write_settings(const struct sm_sensor *s, const struct bme280 *b)
{
    int err = sm_register_write(s, REG_CTRL_MEAS, ctrl_meas_of(b, 0));
    if (!err)
        err = sm_register_write(s, REG_CONFIG, config_of(b));
    if (!err)
        err = sm_register_write(s, REG_CTRL_HUM, b->over[HUMIDITY]);
    if (!err)
        err = sm_register_write(s, REG_CTRL_MEAS, ctrl_meas_of(b, b->normal ? MODE_NORMAL : 0));
    return err;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static int read_calibration(const struct sm_sensor *s, struct bme280 *b)
{
    uint8_t first[26], second[7];
    int err = sm_register_read(s, REG_CALIBRATION_1, first, sizeof first);
    if (!err)
        err = sm_register_read(s, REG_CALIBRATION_2, second, sizeof second);
    if (!err)
        sm_bme280_calibration(&b->calibration, first, second);
    return err;
}

static int start(struct sm_sensor *s)
{
    struct bme280 *b = state_of(s);
    uint8_t byte;
    int err;
    if (s->step == 0) {
        if ((err = sm_register_read(s, REG_ID, &byte, 1)) != 0)
            return err;
        if (byte != CHIP_ID)
            return SM_ERR_INVALID;
        err = sm_register_write(s, REG_RESET, RESET_WORD);
        return err ? err : (int)START_MS;
    }
    if ((err = sm_register_read(s, REG_STATUS, &byte, 1)) != 0)
        return err;
    if (byte & STATUS_COPYING)
        return s->step < POLLS ? (int)START_MS : SM_ERR_IO;
    memset(b->over, 1, sizeof b->over);
    b->standby = (uint8_t)(sizeof standby_codes - 1);
    err = read_calibration(s, b);
    return err ? err : write_settings(s, b);
}

static uint32_t adc20(const uint8_t *b)
{
    return (uint32_t)b[0] << 12 | (uint32_t)b[1] << 4 | b[2] >> 4;
}

/* 0, 1 while the chip measures, or an error. */
static int read_burst(struct sm_sensor *s, const struct bme280 *b, int32_t *values)
{
    uint8_t burst[BURST];
    int err = sm_register_read(s, REG_CTRL_HUM, burst, sizeof burst);
    if (err)
        return err;
    unsigned mode = burst[BURST_MEAS] & 3u;
    if (burst[0] != b->over[HUMIDITY] || burst[BURST_CONFIG] != config_of(b) ||
        (burst[BURST_MEAS] & ~3u) != ctrl_meas_of(b, 0) || (mode == MODE_NORMAL) != b->normal)
        return SM_ERR_IO;
    if (!b->normal && (mode != 0 || (burst[BURST_STATUS] & STATUS_MEASURING)))
        return 1;
    return sm_bme280_compensate(&b->calibration, adc20(burst + BURST_TEMP),
                                adc20(burst + BURST_PRESSURE), sm_be16(burst + BURST_HUMIDITY),
                                values);
}

static int sample(struct sm_sensor *s, int32_t *values)
{
    const struct bme280 *b = state_of(s);
    if (s->step == 0 && !b->normal) {
        int err = sm_register_write(s, REG_CTRL_MEAS, ctrl_meas_of(b, MODE_FORCED));
        return err ? err : measuring_ms(b);
    }
    int got = read_burst(s, b, values);
    return got > 0 && s->step >= POLLS ? SM_ERR_IO : got;
}

/* An interval: the longest that is not above the wish. */
static uint8_t standby_within(int64_t wish_us)
{
    uint8_t i = (uint8_t)(sizeof standby_codes - 1);
    while (i > 0 && standbys[i] > wish_us)
        i--;
    return i;
}

/* In normal mode data are read without asking whether there are any: so the first must be there. */
static int await_first(const struct sm_sensor *s)
{
    uint8_t status;
    int err = sm_register_read(s, REG_STATUS, &status, 1);
    if (err || !(status & STATUS_MEASURING))
        return err;
    return s->step < POLLS ? 1 : SM_ERR_IO;
}

static int set(struct sm_sensor *s, unsigned which, int64_t value)
{
    struct bme280 *b = state_of(s);
    if (s->step > 0)
        return await_first(s);
    switch (which) {
    case OVER_TEMPERATURE:
    case OVER_HUMIDITY:
    case OVER_PRESSURE: b->over[which] = (uint8_t)(1 + sm_at_least(oversamplings, 5, value)); break;
    case FILTER: b->filter = (uint8_t)sm_at_least(filters, 5, value); break;
    case NORMAL: b->normal = value != 0; break;
    default: b->standby = standby_within(value); break;
    }
    int err = write_settings(s, b);
    return !err && b->normal ? measuring_ms(b) : err;
}

static int get(struct sm_sensor *s, unsigned which, int64_t *value)
{
    const struct bme280 *b = state_of(s);
    switch (which) {
    case OVER_TEMPERATURE:
    case OVER_HUMIDITY:
    case OVER_PRESSURE: *value = oversamplings[b->over[which] - 1]; break;
    case FILTER: *value = filters[b->filter]; break;
    case NORMAL: *value = b->normal; break;
    default: *value = standbys[b->standby]; break;
    }
    return 0;
}

static void stop(struct sm_sensor *s)
{
    (void)sm_register_write(s, REG_CTRL_MEAS, 0);
}

const struct sm_sensor_driver sm_driver_bme280 = {
    .model = "BME280",
    .bus = SM_BUS_I2C,
    .sleeps = true,
    .exact = true, /* sm_bme280_compensate() */
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

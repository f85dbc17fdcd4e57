/* CCS811: equivalent CO2 and volatile organic compounds on I2C.
 *
 * The chip measures by itself every second or every ten. (Its mode with a minute is left out: its
 * first result would come later than whoever asked for it waits.) One read brings both results with
 * the status, which tells when the chip has started anew: it is back in its boot program then.
 *
 * Source: ams CCS811 data sheet v1-00 (2016) and v1-06 (2019). v1-00 ends at 8192 ppm and 1187
 * ppb; later firmware of the chip goes higher.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "registers.h"

#define REG_STATUS    0x00u
#define REG_MEAS_MODE 0x01u
#define REG_RESULT    0x02u
#define REG_ENV_DATA  0x05u
#define REG_HW_ID     0x20u
#define REG_ERROR_ID  0xe0u
#define REG_APP_START 0xf4u
#define REG_SW_RESET  0xffu

#define HW_ID            0x81u
#define STATUS_ERROR     0x01u
#define STATUS_READY     0x08u
#define STATUS_APP_VALID 0x10u
#define STATUS_FW_MODE   0x80u

#define RESET_MS     3u
#define APP_START_MS 2u
#define POLL_MS      100u

enum { CO2, VOC };
enum { PERIOD, AMBIENT_TEMPERATURE, AMBIENT_HUMIDITY, ATTRIBUTES };

static const struct sm_capability capability[] = {
    [CO2] = {"co2", SM_UNIT_PPM, 0, 400, 32768},
    [VOC] = {"voc", SM_UNIT_PPB, 0, 0, 32768},
};

static const struct sm_attribute attribute[ATTRIBUTES] = {
    [PERIOD] = {"period", SM_UNIT_SECOND, 0, SM_RULE_LOWEST, true, 1, 10, 1},
    [AMBIENT_TEMPERATURE] = {"ambient_temperature", SM_UNIT_CELSIUS, -3, SM_RULE_HOLDER, true,
                             -25000, 85000, 25000},
    [AMBIENT_HUMIDITY] = {"ambient_humidity", SM_UNIT_HUMIDITY, -3, SM_RULE_HOLDER, true, 0, 100000,
                          50000},
};

/* By mode, 1 and 2. */
static const uint8_t periods[] = {0, 1, 10};

struct ccs811 {
    uint8_t mode;
    bool measured; /* since the mode was set */
    int32_t temperature, humidity;
};
SM_STATE_FITS(ccs811);

static struct ccs811 *state_of(struct sm_sensor *s)
{
    return (struct ccs811 *)s->state.bytes;
}

static int send(const struct sm_sensor *s, const uint8_t *bytes, uint32_t len)
{
    return s->bus->transfer.i2c(s->bus->ctx, s->address, bytes, len, NULL, 0);
}

static int write_mode(const struct sm_sensor *s, struct ccs811 *c, uint8_t mode)
{
    c->mode = mode;
    c->measured = false;
    return sm_register_write(s, REG_MEAS_MODE, (uint8_t)(mode << 4));
}

/* ---- Start ----------------------------------------------------------------------------------- */

static int find_and_reset(const struct sm_sensor *s)
{
    static const uint8_t reset[] = {REG_SW_RESET, 0x11, 0xe5, 0x72, 0x8a};
    uint8_t id;
    int err = sm_register_read(s, REG_HW_ID, &id, 1);
    if (!err && id != HW_ID)
        err = SM_ERR_INVALID;
    if (!err)
        err = send(s, reset, sizeof reset);
    return err ? err : (int)RESET_MS;
}

static int start_application(const struct sm_sensor *s)
{
    static const uint8_t app_start[] = {REG_APP_START};
    uint8_t status;
    int err = sm_register_read(s, REG_STATUS, &status, 1);
    if (!err && (status & STATUS_ERROR))
        err = SM_ERR_IO;
    if (!err && !(status & STATUS_APP_VALID))
        err = SM_ERR_UNSUPPORTED; /* no firmware in it */
    if (!err)
        err = send(s, app_start, sizeof app_start);
    return err ? err : (int)APP_START_MS;
}

static int start(struct sm_sensor *s)
{
    struct ccs811 *c = state_of(s);
    uint8_t status;
    if (s->step == 0)
        return find_and_reset(s);
    if (s->step == 1)
        return start_application(s);
    int err = sm_register_read(s, REG_STATUS, &status, 1);
    if (!err && (!(status & STATUS_FW_MODE) || (status & STATUS_ERROR)))
        err = SM_ERR_IO;
    c->temperature = (int32_t)attribute[AMBIENT_TEMPERATURE].initial;
    c->humidity = (int32_t)attribute[AMBIENT_HUMIDITY].initial;
    return err ? err : write_mode(s, c, 1);
}

/* ---- Measure --------------------------------------------------------------------------------- */

/* The cause is read to clear it: there is no more to learn than that the sensor failed. */
static int clear_error(const struct sm_sensor *s)
{
    uint8_t cause;
    (void)sm_register_read(s, REG_ERROR_ID, &cause, 1);
    return SM_ERR_IO;
}

static int sample(struct sm_sensor *s, int32_t *values)
{
    struct ccs811 *c = state_of(s);
    uint8_t b[5]; /* co2, voc, status */
    int err = sm_register_read(s, REG_RESULT, b, sizeof b);
    if (err)
        return err;
    if ((b[4] & (STATUS_FW_MODE | STATUS_APP_VALID)) != (STATUS_FW_MODE | STATUS_APP_VALID))
        return SM_ERR_IO;
    if (b[4] & STATUS_ERROR)
        return clear_error(s);
    c->measured = c->measured || (b[4] & STATUS_READY);
    if (!c->measured) /* its clock is off by 2 % at most */
        return s->step * POLL_MS < periods[c->mode] * 1100u ? (int)POLL_MS : SM_ERR_IO;
    int32_t co2 = sm_be16(b), voc = sm_be16(b + 2);
    if (co2 < capability[CO2].min || co2 > capability[CO2].max || voc > capability[VOC].max)
        return SM_ERR_INVALID;
    values[CO2] = co2;
    values[VOC] = voc;
    return 0;
}

/* ---- Attributes ------------------------------------------------------------------------------ */

/* Both at once, in 1/512: %RH, and degrees above -25. */
static int write_ambient(const struct sm_sensor *s, const struct ccs811 *c)
{
    uint32_t rh = (uint32_t)c->humidity * 64 / 125,
             t = (uint32_t)(c->temperature + 25000) * 64 / 125;
    const uint8_t out[] = {REG_ENV_DATA, (uint8_t)(rh >> 8), (uint8_t)rh, (uint8_t)(t >> 8),
                           (uint8_t)t};
    return send(s, out, sizeof out);
}

static int set(struct sm_sensor *s, unsigned which, int64_t value)
{
    struct ccs811 *c = state_of(s);
    switch (which) {
    case PERIOD: return write_mode(s, c, value < periods[2] ? 1 : 2);
    case AMBIENT_TEMPERATURE: c->temperature = (int32_t)value; break;
    default: c->humidity = (int32_t)value; break;
    }
    return write_ambient(s, c);
}

static int get(struct sm_sensor *s, unsigned which, int64_t *value)
{
    const struct ccs811 *c = state_of(s);
    *value = which == PERIOD                ? periods[c->mode]
             : which == AMBIENT_TEMPERATURE ? c->temperature
                                            : c->humidity;
    return 0;
}

static void stop(struct sm_sensor *s)
{
    (void)sm_register_write(s, REG_MEAS_MODE, 0);
}

const struct sm_sensor_driver sm_driver_ccs811 = {
    .model = "CCS811",
    .bus = SM_BUS_I2C,
    .capabilities = 2,
    .attributes = ATTRIBUTES,
    .capability = capability,
    .attribute = attribute,
    .interval_ms = 1000,
    .start = start,
    .sample = sample,
    .set = set,
    .get = get,
    .stop = stop,
};

/* The simulated CCS811: boot program and application, modes, data ready, errors.
 *
 * It does not acknowledge while it starts. Registers are mailboxes: reading goes on within one.
 *
 * Source: ams CCS811 data sheet v1-00.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "chip.h"
#include <string.h>

enum {
    STATUS = 0x00,
    MEAS_MODE = 0x01,
    RESULT = 0x02,
    ENV_DATA = 0x05,
    HW_ID = 0x20,
    HW_VERSION = 0x21,
    ERROR_ID = 0xe0,
    APP_START = 0xf4,
    SW_RESET = 0xff
};
#define READY         0x08u
#define APP_VALID     0x10u
#define FW_MODE       0x80u
#define ERROR         0x01u
#define WRITE_INVALID 0x01u
#define READ_INVALID  0x02u
#define POWER_ON_US   20000u
#define RESET_US      2000u
#define APP_US        1000u

enum { CO2, VOC };
static const struct sm_sim_quantity quantity[] = {
    [CO2] = {"co2", 400000, 8192000, 450000},
    [VOC] = {"voc", 0, 1187000, 12000},
};

struct ccs811 {
    uint8_t reg, at, mode, error, got[5];
    bool app, ready;
    uint64_t awake_us, next_us;
    uint16_t co2, voc;
};
SM_SIM_STATE_FITS(ccs811);

static struct ccs811 *state_of(struct sm_sim_chip *c)
{
    return (struct ccs811 *)c->state.bytes;
}

static void power_on(struct sm_sim_chip *c)
{
    state_of(c)->awake_us = sm_sim_chip_us(c) + POWER_ON_US;
}

static uint64_t period_us(const struct ccs811 *s)
{
    static const uint32_t us[] = {0, 1000000, 10000000, 60000000, 250000, 0, 0, 0};
    return us[s->mode >> 4 & 7u];
}

static void measure(struct sm_sim_chip *c)
{
    struct ccs811 *s = state_of(c);
    uint64_t now = sm_sim_chip_us(c), period = period_us(s);
    if (period == 0 || now < s->next_us)
        return;
    s->co2 = (uint16_t)(sm_sim_value_now(c, CO2) / 1000);
    s->voc = (uint16_t)(sm_sim_value_now(c, VOC) / 1000);
    s->ready = true;
    s->next_us += period * ((now - s->next_us) / period + 1);
}

static bool begin(struct sm_sim_chip *c, bool reading)
{
    struct ccs811 *s = state_of(c);
    if (sm_sim_chip_us(c) < s->awake_us)
        return false;
    if (s->app)
        measure(c);
    s->at = 0;
    if (!reading)
        memset(s->got, 0, sizeof s->got);
    return true;
}

static void command(struct sm_sim_chip *c)
{
    static const uint8_t word[] = {0x11, 0xe5, 0x72, 0x8a};
    struct ccs811 *s = state_of(c);
    if (s->reg == SW_RESET && s->at == 5 && memcmp(s->got, word, sizeof word) == 0) {
        sm_sim_power_cycle(c);
        s->awake_us = sm_sim_chip_us(c) + RESET_US;
    } else if (s->reg == MEAS_MODE && s->at == 2) {
        s->mode = s->got[0] & 0x7cu;
        s->ready = false;
        s->next_us = sm_sim_chip_us(c) + period_us(s);
    }
}

/* Without data; and what the program that runs does not know. */
static void select(struct sm_sim_chip *c)
{
    struct ccs811 *s = state_of(c);
    if (s->reg == APP_START && !s->app) {
        s->app = true;
        s->awake_us = sm_sim_chip_us(c) + APP_US;
    }
}

static bool write(struct sm_sim_chip *c, uint8_t byte)
{
    struct ccs811 *s = state_of(c);
    if (s->at == 0) {
        s->reg = byte;
        s->at = 1;
        select(c);
        return true;
    }
    bool known = s->reg == SW_RESET || (s->app && (s->reg == MEAS_MODE || s->reg == ENV_DATA));
    if (!known)
        s->error |= WRITE_INVALID;
    if (s->at <= 5)
        s->got[s->at++ - 1] = byte;
    if (known)
        command(c);
    return true;
}

static uint8_t status_of(const struct ccs811 *s)
{
    return (uint8_t)(APP_VALID | (s->app ? FW_MODE : 0) | (s->ready ? READY : 0) |
                     (s->error ? ERROR : 0));
}

static uint8_t read_result(struct ccs811 *s)
{
    const uint8_t b[8] = {(uint8_t)(s->co2 >> 8), (uint8_t)s->co2, (uint8_t)(s->voc >> 8),
                          (uint8_t)s->voc,        status_of(s),    s->error};
    uint8_t byte = s->at < sizeof b ? b[s->at] : 0;
    if (s->at == 4) /* told once */
        s->ready = false;
    s->at++;
    return byte;
}

static uint8_t read(struct sm_sim_chip *c)
{
    struct ccs811 *s = state_of(c);
    uint8_t error = s->error;
    switch (s->reg) {
    case STATUS: return status_of(s);
    case HW_ID: return sm_sim_has(c, SM_SIM_WRONG_ID) ? 0x80 : 0x81;
    case HW_VERSION: return 0x12;
    case ERROR_ID: s->error = 0; return error;
    case MEAS_MODE:
        if (s->app)
            return s->mode;
        break;
    case RESULT:
        if (s->app)
            return read_result(s);
        break;
    default: break;
    }
    s->error |= READ_INVALID;
    return 0xff;
}

const struct sm_sim_model sm_sim_ccs811 = {
    .name = "CCS811",
    .bus = SM_BUS_I2C,
    .first = 0x5a,
    .last = 0x5b,
    .quantities = 2,
    .quantity = quantity,
    .power_on = power_on,
    .begin = begin,
    .write = write,
    .read = read,
};

/* The simulated BME280.
 *
 * Registers 0x80 to 0xff are an array; writes are pairs of register and value. A measurement is due
 * after the longest time of the data sheet, and ends, with the values of the moment it is looked
 * at, at the next transfer after that: data do not change during a burst. Resolution follows
 * oversampling, and the filter smooths, as the chip's do.
 *
 * Source: Bosch Sensortec BST-BME280-DS002, revision 1.6; floating point from its 8.1.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bme280.h"
#include "chip.h"
#include <string.h>

#define FIRST 0x80u
enum {
    CALIBRATION_1 = 0x88,
    ID = 0xd0,
    RESET = 0xe0,
    CALIBRATION_2 = 0xe1,
    CTRL_HUM = 0xf2,
    STATUS = 0xf3,
    CTRL_MEAS = 0xf4,
    CONFIG = 0xf5,
    DATA = 0xf7
};
#define STATUS_MEASURING 8u
#define STATUS_COPYING   1u
#define MODE_NORMAL      3u
/* Calibration reads zero until then: longer than the data sheet says, so that drivers have to ask.
 */
#define COPYING_US 3500u

enum { TEMPERATURE, HUMIDITY, PRESSURE };

struct bme280 {
    uint8_t reg[128], pointer, at, hum; /* hum: ctrl_hum in force */
    bool measuring, filled;
    uint64_t done_us, copied_us;
    uint32_t adc[3]; /* filtered */
};
SM_SIM_STATE_FITS(bme280);

static const struct sm_sim_quantity quantity[] = {
    [TEMPERATURE] = {"temperature", -40000, 85000, 21500},
    [HUMIDITY] = {"humidity", 0, 100000, 45000},
    [PRESSURE] = {"pressure", 30000000, 110000000, 101325000},
};

static struct bme280 *state_of(struct sm_sim_chip *c)
{
    return (struct bme280 *)c->state.bytes;
}

static uint8_t *reg(struct bme280 *b, unsigned address)
{
    return &b->reg[address - FIRST];
}

/* ---- The data sheet's numbers ---------------------------------------------------------------- */

const struct sm_sim_bme280_numbers sm_sim_bme280_numbers = {
    {27504, 26435, -1000},
    {36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000},
    {75, 362, 0, 325, 50, 30},
};

static void put16(uint8_t *to, double number)
{
    uint16_t bits = (uint16_t)(int32_t)number;
    to[0] = (uint8_t)bits;
    to[1] = (uint8_t)(bits >> 8);
}

void sm_sim_bme280_encode(const struct sm_sim_bme280_numbers *n, uint8_t first[26],
                          uint8_t second[7])
{
    int h4 = (int)n->h[3], h5 = (int)n->h[4];
    memset(first, 0, 26);
    for (unsigned i = 0; i < 3; i++)
        put16(first + 2 * i, n->t[i]);
    for (unsigned i = 0; i < 9; i++)
        put16(first + 6 + 2 * i, n->p[i]);
    first[25] = (uint8_t)n->h[0];
    put16(second, n->h[1]);
    second[2] = (uint8_t)n->h[2];
    second[3] = (uint8_t)((unsigned)h4 >> 4);
    second[4] = (uint8_t)(((unsigned)h4 & 15) | ((unsigned)h5 & 15) << 4);
    second[5] = (uint8_t)((unsigned)h5 >> 4);
    second[6] = (uint8_t)(int)n->h[5];
}

double sm_sim_bme280_fine(const struct sm_sim_bme280_numbers *n, double adc_t)
{
    double coarse = (adc_t / 16384 - n->t[0] / 1024) * n->t[1];
    double off = adc_t / 131072 - n->t[0] / 8192;
    return coarse + off * off * n->t[2];
}

double sm_sim_bme280_pressure(const struct sm_sim_bme280_numbers *n, double fine, double adc_p)
{
    enum { P1, P2, P3, P4, P5, P6, P7, P8, P9 };
    const double *p = n->p;
    double f = fine / 2 - 64000;
    double offset = (f * f * p[P6] / 32768 + f * p[P5] * 2) / 4 + p[P4] * 65536;
    double slope = (1 + (p[P3] * f * f / 524288 + p[P2] * f) / 524288 / 32768) * p[P1];
    double pa = (1048576 - adc_p - offset / 4096) * 6250 / slope;
    return pa + (p[P9] * pa * pa / 2147483648.0 + pa * p[P8] / 32768 + p[P7]) / 16;
}

double sm_sim_bme280_humidity(const struct sm_sim_bme280_numbers *n, double fine, double adc_h)
{
    enum { H1, H2, H3, H4, H5, H6 };
    const double *h = n->h;
    double f = fine - 76800;
    double signal = adc_h - (h[H4] * 64 + h[H5] / 16384 * f);
    double gain = h[H2] / 65536 * (1 + h[H6] / 67108864 * f * (1 + h[H3] / 67108864 * f));
    double rh = signal * gain;
    return rh * (1 - h[H1] * rh / 524288);
}

/* ---- Measuring ------------------------------------------------------------------------------- */

/* The reading of n bits whose compensated value is nearest above `wish`, in the direction in which
 * it rises. */
static uint32_t turn_round(double (*value)(const struct sm_sim_bme280_numbers *, double, double),
                           double fine, double wish, unsigned bits, bool rises)
{
    uint32_t low = 0, high = (1u << bits) - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        bool below = value(&sm_sim_bme280_numbers, fine, middle) < wish;
        if (below == rises)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static double degrees(const struct sm_sim_bme280_numbers *n, double fine, double adc_t)
{
    (void)fine;
    return sm_sim_bme280_fine(n, adc_t) / 5120;
}

static unsigned oversampling(const struct bme280 *b, unsigned which)
{
    uint8_t meas = b->reg[CTRL_MEAS - FIRST];
    unsigned code = which == TEMPERATURE ? meas >> 5
                    : which == PRESSURE  ? meas >> 2 & 7u
                                         : b->hum & 7u;
    return code > 5 ? 5 : code;
}

static uint64_t measuring_us(const struct bme280 *b)
{
    uint64_t us = 1250;
    for (unsigned i = 0; i < 3; i++)
        if (oversampling(b, i) > 0)
            us += (2300u << (oversampling(b, i) - 1)) + (i == TEMPERATURE ? 0 : 575u);
    return us;
}

static uint64_t standby_us(const struct bme280 *b)
{
    static const uint32_t us[] = {500, 62500, 125000, 250000, 500000, 1000000, 10000, 20000};
    return us[b->reg[CONFIG - FIRST] >> 5];
}

/* 16 bits, and one more for each doubling of oversampling; 20 with the filter, which smooths. */
static uint32_t filtered(struct bme280 *b, unsigned which, uint32_t adc)
{
    unsigned filter = b->reg[CONFIG - FIRST] >> 2 & 7u, over = oversampling(b, which);
    if (filter == 0)
        return adc & ~0u << (5 - over);
    if (filter > 4)
        filter = 4;
    if (!b->filled)
        return adc;
    return (uint32_t)(((((uint64_t)1 << filter) - 1) * b->adc[which] + adc) >> filter);
}

static void put20(uint8_t *to, uint32_t adc)
{
    to[0] = (uint8_t)(adc >> 12);
    to[1] = (uint8_t)(adc >> 4);
    to[2] = (uint8_t)(adc << 4);
}

static void measure(struct sm_sim_chip *c)
{
    struct bme280 *b = state_of(c);
    uint32_t t = turn_round(degrees, 0, sm_sim_value_now(c, TEMPERATURE) / 1000.0, 20, true);
    double fine = sm_sim_bme280_fine(&sm_sim_bme280_numbers, t);
    uint32_t p =
        turn_round(sm_sim_bme280_pressure, fine, sm_sim_value_now(c, PRESSURE) / 1000.0, 20, false);
    uint32_t h =
        turn_round(sm_sim_bme280_humidity, fine, sm_sim_value_now(c, HUMIDITY) / 1000.0, 16, true);
    b->adc[TEMPERATURE] = filtered(b, TEMPERATURE, t);
    b->adc[PRESSURE] = filtered(b, PRESSURE, p);
    b->filled = true;
    put20(reg(b, DATA), oversampling(b, PRESSURE) ? b->adc[PRESSURE] : 0x80000);
    put20(reg(b, DATA + 3), oversampling(b, TEMPERATURE) ? b->adc[TEMPERATURE] : 0x80000);
    if (oversampling(b, HUMIDITY) == 0)
        h = 0x8000;
    *reg(b, DATA + 6) = (uint8_t)(h >> 8);
    *reg(b, DATA + 7) = (uint8_t)h;
}

/* What happened since the last transfer. */
static void catch_up(struct sm_sim_chip *c)
{
    struct bme280 *b = state_of(c);
    uint64_t now = sm_sim_chip_us(c);
    if (now >= b->copied_us)
        sm_sim_bme280_encode(&sm_sim_bme280_numbers, reg(b, CALIBRATION_1), reg(b, CALIBRATION_2));
    if (b->measuring && now >= b->done_us) {
        measure(c);
        if ((*reg(b, CTRL_MEAS) & 3u) == MODE_NORMAL) {
            uint64_t cycle = measuring_us(b) + standby_us(b);
            b->done_us += cycle * ((now - b->done_us) / cycle + 1);
        } else {
            b->measuring = false;
            *reg(b, CTRL_MEAS) &= 0xfcu; /* asleep again */
        }
    }
    *reg(b, STATUS) =
        (uint8_t)((b->measuring && now + measuring_us(b) >= b->done_us ? STATUS_MEASURING : 0) |
                  (now < b->copied_us ? STATUS_COPYING : 0));
}

/* ---- The bus --------------------------------------------------------------------------------- */

static void power_on(struct sm_sim_chip *c)
{
    struct bme280 *b = state_of(c);
    b->copied_us = sm_sim_chip_us(c) + COPYING_US;
    *reg(b, ID) = 0x60;
    put20(reg(b, DATA), 0x80000);
    put20(reg(b, DATA + 3), 0x80000);
    *reg(b, DATA + 6) = 0x80;
    *reg(b, DATA + 7) = 0;
}

static bool begin(struct sm_sim_chip *c, bool reading)
{
    (void)reading;
    state_of(c)->at = 0;
    catch_up(c);
    return true;
}

static void write_register(struct sm_sim_chip *c, uint8_t address, uint8_t value)
{
    struct bme280 *b = state_of(c);
    switch (address) {
    case RESET:
        if (value == 0xb6)
            sm_sim_power_cycle(c);
        break;
    case CTRL_HUM: *reg(b, CTRL_HUM) = value & 7u; break;
    case CONFIG: /* not while it measures by itself */
        if ((*reg(b, CTRL_MEAS) & 3u) != MODE_NORMAL)
            *reg(b, CONFIG) = value & 0xfdu;
        break;
    case CTRL_MEAS:
        *reg(b, CTRL_MEAS) = value;
        b->hum = *reg(b, CTRL_HUM);
        b->measuring = (value & 3u) != 0;
        b->done_us = sm_sim_chip_us(c) + measuring_us(b);
        break;
    default: break;
    }
}

static bool write(struct sm_sim_chip *c, uint8_t byte)
{
    struct bme280 *b = state_of(c);
    if (b->at++ % 2 == 0)
        b->pointer = byte;
    else
        write_register(c, b->pointer, byte);
    return true;
}

static uint8_t read(struct sm_sim_chip *c)
{
    struct bme280 *b = state_of(c);
    uint8_t address = b->pointer;
    if (b->pointer < 0xff)
        b->pointer++;
    if (address < FIRST)
        return 0;
    return sm_sim_has(c, SM_SIM_WRONG_ID) && address == ID ? 0x58 : *reg(b, address);
}

const struct sm_sim_model sm_sim_bme280 = {
    .name = "BME280",
    .bus = SM_BUS_I2C,
    .first = 0x76,
    .last = 0x77,
    .quantities = 3,
    .quantity = quantity,
    .power_on = power_on,
    .begin = begin,
    .write = write,
    .read = read,
};

/* The simulated ADXL345 on SPI: registers, ranges, rates; no FIFO and no interrupts.
 *
 * Source: Analog Devices ADXL345 data sheet, revision G.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "chip.h"

enum {
    DEVID = 0x00,
    OFSX = 0x1e,
    BW_RATE = 0x2c,
    POWER_CTL = 0x2d,
    INT_SOURCE = 0x30,
    DATA_FORMAT = 0x31,
    DATAX0 = 0x32,
    FIFO_CTL = 0x38,
    LAST = 0x39
};
#define MEASURE    0x08u
#define FULL_RES   0x08u
#define DATA_READY 0x80u
#define READ       0x80u
#define MULTIPLE   0x40u

struct adxl345 {
    uint8_t reg[LAST + 1], command;
    bool commanded;
    uint64_t next_us;
};
SM_SIM_STATE_FITS(adxl345);

static const struct sm_sim_quantity quantity[] = {
    {"x", -16000, 16000, 0}, {"y", -16000, 16000, 0}, {"z", -16000, 16000, 1000}};

static struct adxl345 *state_of(struct sm_sim_chip *c)
{
    return (struct adxl345 *)c->state.bytes;
}

static void power_on(struct sm_sim_chip *c)
{
    struct adxl345 *a = state_of(c);
    a->reg[DEVID] = 0xe5;
    a->reg[BW_RATE] = 0x0a;
}

/* 3200 Hz at code 15, half of it at each below. */
static uint64_t period_us(const struct adxl345 *a)
{
    return (uint64_t)3125 * (1u << (15 - (a->reg[BW_RATE] & 15u))) / 10;
}

/* In 1/256 g with the offset, whose steps are four of these, cut to the range; of 10 bits when full
 * resolution is off. */
static int16_t counts(const struct sm_sim_chip *c, const struct adxl345 *a, unsigned axis)
{
    unsigned range = a->reg[DATA_FORMAT] & 3u;
    int32_t most = 512 << range, value = sm_sim_value_now(c, axis) * 32 / 125;
    value += 4 * (int8_t)a->reg[OFSX + axis];
    value = value < -most ? -most : value >= most ? most - 1 : value;
    return (int16_t)(a->reg[DATA_FORMAT] & FULL_RES ? value : value >> range);
}

static void measure(struct sm_sim_chip *c)
{
    struct adxl345 *a = state_of(c);
    uint64_t now = sm_sim_chip_us(c);
    if (!(a->reg[POWER_CTL] & MEASURE) || now < a->next_us)
        return;
    for (unsigned i = 0; i < 3; i++) {
        uint16_t bits = (uint16_t)counts(c, a, i);
        a->reg[DATAX0 + 2 * i] = (uint8_t)bits;
        a->reg[DATAX0 + 2 * i + 1] = (uint8_t)(bits >> 8);
    }
    a->reg[INT_SOURCE] |= DATA_READY;
    a->next_us = now + period_us(a);
}

static bool begin(struct sm_sim_chip *c, bool reading)
{
    (void)reading;
    measure(c);
    state_of(c)->commanded = false;
    return true;
}

static void write_register(struct sm_sim_chip *c, uint8_t address, uint8_t value)
{
    struct adxl345 *a = state_of(c);
    bool writable =
        (address >= OFSX && address < INT_SOURCE) || address == DATA_FORMAT || address == FIFO_CTL;
    if (!writable)
        return;
    if (address == POWER_CTL && (value & MEASURE) && !(a->reg[POWER_CTL] & MEASURE))
        a->next_us = sm_sim_chip_us(c) + 1100 + period_us(a);
    a->reg[address] = value;
}

static uint8_t read_register(struct sm_sim_chip *c, uint8_t address)
{
    struct adxl345 *a = state_of(c);
    if (address > LAST)
        return 0;
    if (address == DEVID && sm_sim_has(c, SM_SIM_WRONG_ID))
        return 0x33;
    if (address >= DATAX0 && address < FIFO_CTL)
        a->reg[INT_SOURCE] &= (uint8_t)~DATA_READY;
    return a->reg[address];
}

static uint8_t exchange(struct sm_sim_chip *c, uint8_t byte)
{
    struct adxl345 *a = state_of(c);
    uint8_t address = a->command & 0x3f, answer = 0;
    if (!a->commanded) {
        a->commanded = true;
        a->command = byte;
        return 0;
    }
    if (a->command & READ)
        answer = read_register(c, address);
    else
        write_register(c, address, byte);
    if (a->command & MULTIPLE)
        a->command = (uint8_t)((a->command & 0xc0u) | ((address + 1) & 0x3fu));
    return answer;
}

const struct sm_sim_model sm_sim_adxl345 = {
    .name = "ADXL345",
    .bus = SM_BUS_SPI,
    .first = 0,
    .last = 255,
    .spi_mode = 3,
    .quantities = 3,
    .quantity = quantity,
    .power_on = power_on,
    .begin = begin,
    .exchange = exchange,
};

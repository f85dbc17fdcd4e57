/* I2C by moving two lines.
 *
 * A line is let go to be high, so that a chip can hold it low: SCL to gain time, SDA to acknowledge
 * and to send. Between transfers both are high. A bus whose SDA is held low by a chip that lost
 * count of its bits is given up to nine clocks, until it lets go.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbcon.h"

#define SCL 1u
#define SDA 2u

#define CLOCK_HZ    25000000u
#define TURN_CLOCKS 4u
/* A chip may hold the clock that many half bits: 25 ms at 100 kHz, what SMBus allows. */
#define STRETCH_MAX 5000u

static void wait(const struct sm_sbcon *c)
{
    for (volatile uint32_t i = c->half_bit; i > 0; i--)
        ;
}

static void high(struct sm_sbcon *c, uint32_t line)
{
    c->lines[0] = line;
    wait(c);
}

static void low(struct sm_sbcon *c, uint32_t line)
{
    c->lines[1] = line;
    wait(c);
}

static bool level(const struct sm_sbcon *c, uint32_t line)
{
    return c->lines[0] & line;
}

/* Lets the clock go and waits until it is high. */
static int clock_high(struct sm_sbcon *c)
{
    high(c, SCL);
    for (unsigned i = 0; !level(c, SCL); i++) {
        if (i == STRETCH_MAX)
            return SM_ERR_BUSY;
        wait(c);
    }
    return 0;
}

/* From both lines high, or for a repeated start from SCL low. */
static int start(struct sm_sbcon *c)
{
    high(c, SDA);
    int err = clock_high(c);
    for (unsigned i = 0; !err && !level(c, SDA); i++) {
        if (i == 9)
            return SM_ERR_BUSY;
        low(c, SCL);
        err = clock_high(c);
    }
    if (err)
        return err;
    low(c, SDA);
    low(c, SCL);
    return 0;
}

static void stop(struct sm_sbcon *c)
{
    low(c, SDA);
    (void)clock_high(c);
    high(c, SDA);
}

/* One clock with SDA as given; what SDA is then, or an error. */
static int bit(struct sm_sbcon *c, bool value)
{
    if (value)
        high(c, SDA);
    else
        low(c, SDA);
    int got = clock_high(c);
    if (!got)
        got = level(c, SDA);
    low(c, SCL);
    return got;
}

/* 0 when it was acknowledged, else `refused`, or an error of the lines. */
static int send(struct sm_sbcon *c, uint8_t byte, int refused)
{
    int got = 0;
    for (unsigned i = 0; i < 8 && got >= 0; i++)
        got = bit(c, byte >> (7 - i) & 1);
    if (got >= 0)
        got = bit(c, true);
    return got > 0 ? refused : got;
}

/* Acknowledged but for the last one. */
static int receive(struct sm_sbcon *c, uint8_t *byte, bool last)
{
    unsigned value = 0;
    for (unsigned i = 0; i < 8; i++) {
        int got = bit(c, true);
        if (got < 0)
            return got;
        value = value << 1 | (unsigned)got;
    }
    *byte = (uint8_t)value;
    int got = bit(c, last);
    return got < 0 ? got : 0;
}

static int write_to(struct sm_sbcon *c, uint8_t address, const uint8_t *out, uint32_t len)
{
    int err = start(c);
    if (!err)
        err = send(c, (uint8_t)(address << 1), SM_ERR_NOT_FOUND);
    for (uint32_t i = 0; !err && i < len; i++)
        err = send(c, out[i], SM_ERR_IO);
    return err;
}

static int read_from(struct sm_sbcon *c, uint8_t address, uint8_t *in, uint32_t len)
{
    int err = start(c);
    if (!err)
        err = send(c, (uint8_t)(address << 1 | 1), SM_ERR_NOT_FOUND);
    for (uint32_t i = 0; !err && i < len; i++)
        err = receive(c, &in[i], i + 1 == len);
    return err;
}

static int i2c(void *ctx, uint8_t address, const uint8_t *out, uint32_t out_len, uint8_t *in,
               uint32_t in_len)
{
    struct sm_sbcon *c = ctx;
    int err = 0;
    if (out_len > 0 || in_len == 0)
        err = write_to(c, address, out, out_len);
    if (!err && in_len > 0)
        err = read_from(c, address, in, in_len);
    stop(c);
    return err;
}

void sm_sbcon_init(struct sm_sbcon *c, const char *name, uint32_t address, uint32_t speed)
{
    c->bus = (struct sm_bus){name, SM_BUS_I2C, c, {.i2c = i2c}};
    c->lines = (volatile uint32_t *)(uintptr_t)address;
    c->half_bit = CLOCK_HZ / TURN_CLOCKS / 2 / speed;
    high(c, SDA);
    high(c, SCL);
}

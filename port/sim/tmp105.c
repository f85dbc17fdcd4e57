/* Temperature chips at 0x48: the TMP105, and one whose register is right-justified.
 *
 * The TMP105 has a pointer of two bits and four registers; its temperature changes at the end of a
 * conversion only, and not at all in shutdown but once for each one-shot.
 *
 * Source: Texas Instruments SLLS648D.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "chip.h"

enum { TEMPERATURE, CONFIG, LOW, HIGH };
#define SHUTDOWN 0x01u
#define ONE_SHOT 0x80u
#define WRITABLE 0x7fu
/* typical, of 9 bits */
#define CONVERSION_US 27500u

struct tmp105 {
    uint8_t pointer, config, at;
    bool converting;
    uint64_t done_us;
    int16_t low, high, temperature; /* left-justified */
};
SM_SIM_STATE_FITS(tmp105);

static const struct sm_sim_quantity quantity[] = {{"temperature", -55000, 127900, 21500}};

static struct tmp105 *state_of(struct sm_sim_chip *c)
{
    return (struct tmp105 *)c->state.bytes;
}

static unsigned extra_bits(const struct tmp105 *t)
{
    return t->config >> 5 & 3u;
}

static void convert(struct sm_sim_chip *c)
{
    struct tmp105 *t = state_of(c);
    t->converting = true;
    t->done_us = sm_sim_chip_us(c) + ((uint64_t)CONVERSION_US << extra_bits(t));
}

/* What happened since it was last looked at. */
static void catch_up(struct sm_sim_chip *c)
{
    struct tmp105 *t = state_of(c);
    if (!t->converting || sm_sim_chip_us(c) < t->done_us)
        return;
    int32_t sixteenths = sm_sim_value_now(c, 0) * 2 / 125;
    t->temperature = (int16_t)((uint32_t)sixteenths << 4 & (0xff80u | 0xff80u >> extra_bits(t)));
    t->converting = false;
    if (!(t->config & SHUTDOWN))
        convert(c);
}

static void power_on(struct sm_sim_chip *c)
{
    struct tmp105 *t = state_of(c);
    t->low = 75 * 256;
    t->high = 80 * 256;
    convert(c);
}

static bool begin(struct sm_sim_chip *c, bool reading)
{
    (void)reading;
    state_of(c)->at = 0;
    catch_up(c);
    return true;
}

static void write_config(struct sm_sim_chip *c, uint8_t byte)
{
    struct tmp105 *t = state_of(c);
    bool slept = t->config & SHUTDOWN;
    t->config = byte & WRITABLE;
    if (slept && (!(byte & SHUTDOWN) || (byte & ONE_SHOT)))
        convert(c);
}

static void write_limit(int16_t *limit, uint8_t at, uint8_t byte)
{
    uint16_t bits = (uint16_t)*limit;
    bits = at == 1 ? (uint16_t)((bits & 0xffu) | byte << 8)
                   : (uint16_t)((bits & 0xff00u) | (byte & 0xf0u));
    *limit = (int16_t)bits;
}

static bool write(struct sm_sim_chip *c, uint8_t byte)
{
    struct tmp105 *t = state_of(c);
    if (t->at == 0)
        t->pointer = byte & 3u;
    else if (t->pointer == CONFIG && t->at == 1)
        write_config(c, byte);
    else if ((t->pointer == LOW || t->pointer == HIGH) && t->at <= 2)
        write_limit(t->pointer == LOW ? &t->low : &t->high, t->at, byte);
    if (t->at < 3)
        t->at++;
    return true;
}

static uint8_t read(struct sm_sim_chip *c)
{
    struct tmp105 *t = state_of(c);
    if (t->pointer == CONFIG)
        return t->config;
    int16_t value = t->pointer == TEMPERATURE ? t->temperature
                    : t->pointer == LOW       ? t->low
                                              : t->high;
    uint8_t at = t->at++;
    return at == 0 ? (uint8_t)((uint16_t)value >> 8) : at == 1 ? (uint8_t)value : 0xff;
}

const struct sm_sim_model sm_sim_tmp105 = {
    .name = "TMP105",
    .bus = SM_BUS_I2C,
    .first = 0x48,
    .last = 0x4f,
    .quantities = 1,
    .quantity = quantity,
    .power_on = power_on,
    .begin = begin,
    .write = write,
    .read = read,
};

/* ---- Right-justified ------------------------------------------------------------------------- */

struct right16 {
    uint8_t pointer, at;
};

static void right_power_on(struct sm_sim_chip *c)
{
    (void)c;
}

static bool right_begin(struct sm_sim_chip *c, bool reading)
{
    (void)reading;
    ((struct right16 *)c->state.bytes)->at = 0;
    return true;
}

static bool right_write(struct sm_sim_chip *c, uint8_t byte)
{
    struct right16 *r = (struct right16 *)c->state.bytes;
    if (r->at++ == 0)
        r->pointer = byte;
    return r->at == 1; /* nothing can be written but the pointer */
}

static uint8_t right_read(struct sm_sim_chip *c)
{
    struct right16 *r = (struct right16 *)c->state.bytes;
    uint16_t value = (uint16_t)(sm_sim_value_now(c, 0) * 2 / 125);
    uint8_t at = r->at;
    if (r->at < 2)
        r->at++;
    if (r->pointer != 0 || at > 1)
        return 0xff;
    return at == 0 ? (uint8_t)(value >> 8) : (uint8_t)value;
}

const struct sm_sim_model sm_sim_right16 = {
    .name = "RIGHT16",
    .bus = SM_BUS_I2C,
    .first = 0x48,
    .last = 0x4f,
    .quantities = 1,
    .quantity = quantity,
    .power_on = right_power_on,
    .begin = right_begin,
    .write = right_write,
    .read = right_read,
};

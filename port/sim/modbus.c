/* The simulated transmitter with Modbus RTU: input registers 1 and 2, holding registers 0x101 to
 * 0x104, functions 3, 4, 6 and 16.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "chip.h"
#include <sandmote/modbus.h>

#define HOLDING_FIRST 0x101u
#define HOLDINGS      4u
#define INPUT_FIRST   1u
#define INPUTS        2u
#define EXCEPTION     0x80u

enum { ILLEGAL_FUNCTION = 1, ILLEGAL_ADDRESS, ILLEGAL_VALUE };
enum { UNIT, BAUD, TEMPERATURE_CORRECTION, HUMIDITY_CORRECTION };

static const struct sm_sim_quantity quantity[] = {{"temperature", -40000, 80000, 21500},
                                                  {"humidity", 0, 100000, 45000}};

struct transmitter {
    uint16_t holding[HOLDINGS];
};

static struct transmitter *state_of(struct sm_sim_chip *c)
{
    return (struct transmitter *)c->state.bytes;
}

static void power_on(struct sm_sim_chip *c)
{
    state_of(c)->holding[UNIT] = c->address;
}

static uint16_t word(const uint8_t *b)
{
    return (uint16_t)(b[0] << 8 | b[1]);
}

static uint16_t input(struct sm_sim_chip *c, unsigned i)
{
    int16_t correction = (int16_t)state_of(c)->holding[TEMPERATURE_CORRECTION + i];
    return (uint16_t)(sm_sim_value_now(c, i) / 100 + correction);
}

/* Exceptions, or 0. `first` becomes an index. */
static uint8_t check(uint8_t function, const uint8_t *frame, uint32_t len, uint16_t *first,
                     uint16_t *count)
{
    bool inputs = function == SM_MODBUS_READ_INPUT;
    uint16_t base = inputs ? INPUT_FIRST : HOLDING_FIRST, most = inputs ? INPUTS : HOLDINGS;
    bool multiple = function == SM_MODBUS_WRITE_MULTIPLE;
    *first = (uint16_t)(word(frame + 2) - base);
    *count = function == SM_MODBUS_WRITE_SINGLE ? 1 : word(frame + 4);
    if (*count == 0 || *count > 125 ||
        (multiple ? len != 9u + 2 * *count || frame[6] != 2 * *count : len != 8))
        return ILLEGAL_VALUE;
    return *first >= most || *count > most - *first ? ILLEGAL_ADDRESS : 0;
}

/* What the function does, with the answer behind its first two bytes; its length in all. */
static uint32_t serve(struct sm_sim_chip *c, const uint8_t *frame, uint16_t first, uint16_t count,
                      uint8_t *answer)
{
    struct transmitter *t = state_of(c);
    bool reading = frame[1] <= SM_MODBUS_READ_INPUT;
    const uint8_t *values = frame[1] == SM_MODBUS_WRITE_SINGLE ? frame + 4 : frame + 7;
    for (uint16_t i = 0; i < count; i++) {
        if (!reading) {
            t->holding[first + i] = word(values + 2 * i);
            continue;
        }
        uint16_t value =
            frame[1] == SM_MODBUS_READ_INPUT ? input(c, first + i) : t->holding[first + i];
        answer[3 + 2 * i] = (uint8_t)(value >> 8);
        answer[4 + 2 * i] = (uint8_t)value;
    }
    answer[2] = (uint8_t)(2 * count);
    for (unsigned i = 2; !reading && i < 6; i++)
        answer[i] = frame[i];
    return reading ? 3u + 2u * count : 6;
}

static uint32_t answer(struct sm_sim_chip *c, const uint8_t *frame, uint32_t len, uint8_t *out)
{
    uint16_t first, count;
    if (len < 8 || sm_modbus_crc(frame, len) != 0)
        return 0;
    uint8_t function = frame[1], wrong;
    bool known = function == SM_MODBUS_READ_HOLDING || function == SM_MODBUS_READ_INPUT ||
                 function == SM_MODBUS_WRITE_SINGLE || function == SM_MODBUS_WRITE_MULTIPLE;
    out[0] = (uint8_t)(c->address ^ (sm_sim_has(c, SM_SIM_WRONG_ID) ? 1 : 0));
    out[1] = function;
    wrong = known ? check(function, frame, len, &first, &count) : ILLEGAL_FUNCTION;
    uint32_t n = 3;
    if (wrong) {
        out[1] |= EXCEPTION;
        out[2] = wrong;
    } else {
        n = serve(c, frame, first, count, out);
    }
    uint16_t crc = sm_modbus_crc(out, n);
    out[n++] = (uint8_t)crc;
    out[n++] = (uint8_t)(crc >> 8);
    return n;
}

const struct sm_sim_model sm_sim_modbus = {
    .name = "MODBUS-TH",
    .bus = SM_BUS_SERIAL,
    .first = 1,
    .last = 247,
    .quantities = 2,
    .quantity = quantity,
    .power_on = power_on,
    .answer = answer,
};

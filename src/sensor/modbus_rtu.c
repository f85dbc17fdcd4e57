/* Modbus RTU: frames, and one exchange as steps.
 *
 *   QUIET -> (silence) -> send -> ANSWER -> done, or an error
 *
 * Ports hand bytes over in pieces of their own, so that a gap does not end a frame: a good checksum
 * does. The right answer is taken as soon as it is whole; another frame is thrown away once silence
 * follows it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/modbus.h>
#include <string.h>
#include "registers.h"

#define SILENCE_MS 6u /* 4.01 at 9600 baud, on a clock of whole milliseconds */
#define TIMEOUT_MS 500u
#define UNIT_MOST  247u
#define EXCEPTION  0x80u
#define FRAME_MIN  4u /* unit, function, checksum */

enum { BEGUN, QUIET, ANSWER };

uint16_t sm_modbus_crc(const uint8_t *bytes, uint32_t len)
{
    uint16_t crc = 0xffff;
    for (uint32_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1);
    }
    return crc;
}

/* ---- Questions ------------------------------------------------------------------------------- */

static void put16(struct sm_modbus *m, uint16_t value)
{
    m->frame[m->len++] = (uint8_t)(value >> 8);
    m->frame[m->len++] = (uint8_t)value;
}

static void put_crc(struct sm_modbus *m)
{
    uint16_t crc = sm_modbus_crc(m->frame, m->len);
    m->frame[m->len++] = (uint8_t)crc;
    m->frame[m->len++] = (uint8_t)(crc >> 8);
}

static int begin(struct sm_modbus *m, uint8_t unit, uint8_t function, uint16_t first,
                 uint16_t second, uint8_t count)
{
    if (unit == 0 || unit > UNIT_MOST || count == 0 || count > SM_MODBUS_REGISTERS ||
        first + count > 0x10000)
        return SM_ERR_ARG;
    memset(m, 0, sizeof *m);
    m->unit = unit;
    m->function = function;
    m->first = first;
    m->second = second;
    m->frame[m->len++] = unit;
    m->frame[m->len++] = function;
    put16(m, first);
    put16(m, second);
    return 0;
}

int sm_modbus_read(struct sm_modbus *m, uint8_t unit, uint8_t function, uint16_t first,
                   uint8_t count)
{
    if (function != SM_MODBUS_READ_HOLDING && function != SM_MODBUS_READ_INPUT)
        return SM_ERR_ARG;
    int err = begin(m, unit, function, first, count, count);
    if (!err)
        put_crc(m);
    return err;
}

int sm_modbus_write(struct sm_modbus *m, uint8_t unit, uint8_t function, uint16_t first,
                    const uint16_t *values, uint8_t count)
{
    bool single = function == SM_MODBUS_WRITE_SINGLE;
    if (single ? count != 1 : function != SM_MODBUS_WRITE_MULTIPLE)
        return SM_ERR_ARG;
    int err = begin(m, unit, function, first, single ? values[0] : count, count);
    if (err)
        return err;
    if (!single) {
        m->frame[m->len++] = (uint8_t)(2 * count);
        for (unsigned i = 0; i < count; i++)
            put16(m, values[i]);
    }
    put_crc(m);
    return 0;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static bool whole(const struct sm_modbus *m, unsigned len)
{
    return m->len == len && sm_modbus_crc(m->frame, len) == 0; /* over its checksum too */
}

static bool is_answer(const struct sm_modbus *m)
{
    const uint8_t *f = m->frame;
    if (f[0] != m->unit || f[1] != m->function)
        return false;
    if (m->function == SM_MODBUS_READ_HOLDING || m->function == SM_MODBUS_READ_INPUT)
        return f[2] == 2 * m->second && whole(m, 5u + f[2]);
    return whole(m, 8) && sm_be16(f + 2) == m->first && sm_be16(f + 4) == m->second;
}

static int exception(uint8_t code)
{
    switch (code) {
    case 1: return SM_ERR_UNSUPPORTED;
    case 2:
    case 3: return SM_ERR_INVALID;
    case 5:
    case 6: return SM_ERR_BUSY;
    default: return SM_ERR_IO;
    }
}

/* Another frame than the answer, at its end: an exception ends the exchange. */
static int judge(struct sm_modbus *m)
{
    const uint8_t *f = m->frame;
    if (f[0] == m->unit && f[1] == (m->function | EXCEPTION) && m->len == 5)
        return exception(f[2]);
    m->strange = true;
    m->len = 0;
    return 0;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* What has arrived behind what is there already; how many bytes. */
static int take(struct sm_modbus *m, const struct sm_bus *line)
{
    int got = line->transfer.serial(line->ctx, NULL, 0, m->frame + m->len,
                                    (uint32_t)(sizeof m->frame - m->len));
    if (got > 0)
        m->len = (uint8_t)(m->len + got);
    return got;
}

/* The question stays in the frame meanwhile, so what is thrown away goes elsewhere. */
static int quiet(struct sm_modbus *m, const struct sm_bus *line, uint32_t silence_ms,
                 uint32_t timeout_ms, uint64_t now_ms)
{
    uint8_t away[32];
    int got = line->transfer.serial(line->ctx, NULL, 0, away, sizeof away);
    if (got < 0)
        return got;
    if (m->phase == BEGUN) {
        m->phase = QUIET;
        m->since_ms = now_ms;
        return (int)silence_ms;
    }
    if (got > 0)
        return now_ms - m->since_ms < timeout_ms ? (int)silence_ms : SM_ERR_BUSY;
    int err = line->transfer.serial(line->ctx, m->frame, m->len, NULL, 0);
    m->phase = ANSWER;
    m->since_ms = now_ms;
    m->len = 0;
    return err < 0 ? err : (int)silence_ms;
}

static int answer(struct sm_modbus *m, const struct sm_bus *line, uint32_t silence_ms,
                  uint32_t timeout_ms, uint64_t now_ms)
{
    int got = take(m, line);
    if (got < 0)
        return got;
    if (got > 0 && is_answer(m))
        return 0;
    int err = got == 0 && m->len >= FRAME_MIN && whole(m, m->len) ? judge(m) : 0;
    if (err)
        return err;
    if (m->len == sizeof m->frame) {
        m->broken = true;
        m->len = 0;
    }
    if (now_ms - m->since_ms < timeout_ms)
        return (int)silence_ms;
    return m->broken || m->len > 0 ? SM_ERR_CORRUPT
           : m->strange            ? SM_ERR_INVALID
                                   : SM_ERR_NOT_FOUND;
}

int sm_modbus_step(struct sm_modbus *m, const struct sm_bus *line,
                   const struct sm_modbus_timing *timing, uint64_t now_ms)
{
    uint32_t silence = timing && timing->silence_ms ? timing->silence_ms : SILENCE_MS;
    uint32_t timeout = timing && timing->timeout_ms ? timing->timeout_ms : TIMEOUT_MS;
    return m->phase == ANSWER ? answer(m, line, silence, timeout, now_ms)
                              : quiet(m, line, silence, timeout, now_ms);
}

uint16_t sm_modbus_register(const struct sm_modbus *m, unsigned i)
{
    return sm_be16(m->frame + 3 + 2 * i);
}

/* Frames on serial lines: COBS with a CRC, and the raw form of others.
 *
 * The receiver gathers octets up to a zero and decodes them in place: a decoded octet never lies
 * behind the one it came from.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/mqttsn_frame.h>

#define RAW_PAUSE_MS 100u

static uint16_t crc_octet(unsigned crc, unsigned octet)
{
    crc ^= octet;
    for (int bit = 0; bit < 8; bit++)
        crc = crc & 1 ? crc >> 1 ^ 0x8408u : crc >> 1;
    return (uint16_t)crc;
}

uint16_t sm_mqttsn_crc(const uint8_t *bytes, size_t len)
{
    unsigned crc = 0xffff;
    for (size_t i = 0; i < len; i++)
        crc = crc_octet(crc, bytes[i]);
    return (uint16_t)(crc ^ 0xffff);
}

int sm_mqttsn_frame(const uint8_t *message, size_t len, uint8_t *out, size_t size)
{
    if (len > SM_MQTTSN_MAX || size < SM_MQTTSN_FRAME_SIZE(len))
        return SM_ERR_MEMORY;
    uint16_t crc = sm_mqttsn_crc(message, len);
    uint8_t *at = out, *code;
    *at++ = 0;
    code = at++;
    for (size_t i = 0; i < len + 2; i++) {
        unsigned octet = i < len ? message[i] : i == len ? crc & 0xffu : (unsigned)crc >> 8;
        if (octet)
            *at++ = (uint8_t)octet;
        if (octet == 0 || at - code == 255) { /* a group ends: at a zero, or full */
            *code = (uint8_t)(at - code);
            code = at++;
        }
    }
    *code = (uint8_t)(at - code);
    *at++ = 0;
    return (int)(at - out);
}

void sm_mqttsn_deframer_init(struct sm_mqttsn_deframer *d, bool raw, uint8_t *buffer, size_t size)
{
    memset(d, 0, sizeof *d);
    d->raw = raw;
    d->buffer = buffer;
    d->size = size;
}

/* Decode `used` octets in place. The length, or -1. */
static long unstuff(uint8_t *bytes, size_t used)
{
    size_t from = 0, to = 0;
    while (from < used) {
        size_t group = bytes[from]; /* never 0 */
        if (group > used - from)
            return -1;
        memmove(bytes + to, bytes + from + 1, group - 1);
        from += group;
        to += group - 1;
        if (group < 255 && from < used)
            bytes[to++] = 0;
    }
    return (long)to;
}

/* A zero octet: what was gathered is a frame, or nothing. */
static size_t frame_ends(struct sm_mqttsn_deframer *d)
{
    bool spoiled = d->spoiled;
    size_t used = d->used;
    d->used = 0;
    d->spoiled = false;
    if (spoiled || used == 0) {
        d->damaged += spoiled;
        return 0;
    }
    long len = unstuff(d->buffer, used);
    if (len >= 4 && sm_mqttsn_crc(d->buffer, (size_t)len - 2) ==
                        (uint16_t)(d->buffer[len - 2] | d->buffer[len - 1] << 8))
        return (size_t)len - 2;
    d->damaged++;
    return 0;
}

static size_t framed(struct sm_mqttsn_deframer *d, uint8_t octet)
{
    if (octet == 0)
        return frame_ends(d);
    if (d->used == d->size)
        d->spoiled = true;
    else
        d->buffer[d->used++] = octet;
    return 0;
}

/* Without frames an octet of noise spoils what follows, until the line is silent. */
static size_t unframed(struct sm_mqttsn_deframer *d, uint8_t octet)
{
    if (d->spoiled)
        return 0;
    d->buffer[d->used++] = octet;
    int says = sm_mqttsn_length(d->buffer, d->used);
    if (says < 0 || (size_t)says > d->size) {
        d->spoiled = true;
        d->damaged++;
        d->used = 0;
    } else if (says > 0 && d->used == (size_t)says) {
        d->used = 0;
        return (size_t)says;
    }
    return 0;
}

size_t sm_mqttsn_deframe(struct sm_mqttsn_deframer *d, const uint8_t *bytes, size_t len,
                         size_t *used, uint64_t now_ms)
{
    if (d->raw && len && now_ms - d->last_ms >= RAW_PAUSE_MS) {
        d->damaged += d->used > 0;
        d->used = 0;
        d->spoiled = false;
    }
    if (len)
        d->last_ms = now_ms;
    for (size_t i = 0; i < len; i++) {
        size_t message = d->raw ? unframed(d, bytes[i]) : framed(d, bytes[i]);
        if (message) {
            *used = i + 1;
            return message;
        }
    }
    *used = len;
    return 0;
}

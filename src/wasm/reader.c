/* LEB128, fixed-width numbers and names. SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

void sm_reader_init(struct sm_reader *r, const uint8_t *base, uint32_t pos, uint32_t end)
{
    *r = (struct sm_reader){.base = base, .pos = pos, .end = end};
}

void sm_reader_fail(struct sm_reader *r, uint32_t pos, int err, const char *rule)
{
    if (r->err != 0) {
        return;
    }
    r->err = err;
    r->err_pos = pos;
    r->rule = rule;
    r->end = r->pos; /* every later read fails at once and moves nothing */
}

/* There is no byte left to read. */
uint8_t sm_reader_end(struct sm_reader *r)
{
    sm_reader_fail(r, r->pos, SM_ERR_MALFORMED, "unexpected end");
    return 0;
}

/* Unused bits of the last byte must equal the sign (or zero): a second encoding of one number
 * would let two files mean the same. */
static uint64_t leb(struct sm_reader *r, unsigned bits, int is_signed)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint32_t start = r->pos;

    for (;;) {
        uint8_t b = sm_reader_byte(r);
        unsigned left = bits - shift; /* bits of this byte that count, when below 7 */

        if (r->err) {
            return 0;
        }
        value |= (uint64_t)(b & 0x7f) << shift;
        if (left < 7) {
            uint8_t unused = (uint8_t)(0x7f & ~((1u << (is_signed ? left - 1 : left)) - 1));
            uint8_t top = b & unused;

            if (b & 0x80) {
                sm_reader_fail(r, start, SM_ERR_MALFORMED, "integer representation too long");
                return 0;
            }
            if (top != 0 && !(is_signed && top == unused)) {
                sm_reader_fail(r, start, SM_ERR_MALFORMED, "integer too large");
                return 0;
            }
        }
        shift += 7;
        if (!(b & 0x80)) {
            if (is_signed && shift < 64 && (b & 0x40)) {
                value |= ~(uint64_t)0 << shift;
            }
            return value;
        }
    }
}

/* Nearly every number in a module is one byte, here and below. */
uint32_t sm_reader_u32(struct sm_reader *r)
{
    if (r->pos < r->end && r->base[r->pos] < 0x80) {
        return r->base[r->pos++];
    }
    return (uint32_t)leb(r, 32, 0);
}

static int64_t signed_leb(struct sm_reader *r, unsigned bits)
{
    if (r->pos < r->end && r->base[r->pos] < 0x80) {
        return (int32_t)((uint32_t)r->base[r->pos++] << 25) >> 25;
    }
    return (int64_t)leb(r, bits, 1);
}

int32_t sm_reader_s32(struct sm_reader *r)
{
    return (int32_t)signed_leb(r, 32);
}

int64_t sm_reader_s33(struct sm_reader *r)
{
    return signed_leb(r, 33);
}

int64_t sm_reader_s64(struct sm_reader *r)
{
    return signed_leb(r, 64);
}

const uint8_t *sm_reader_skip(struct sm_reader *r, uint32_t len)
{
    const uint8_t *at = r->base + r->pos;

    if (len > r->end - r->pos) {
        sm_reader_fail(r, r->pos, SM_ERR_MALFORMED, "unexpected end");
        return NULL;
    }
    r->pos += len;
    return at;
}

uint32_t sm_reader_fixed32(struct sm_reader *r)
{
    const uint8_t *p = sm_reader_skip(r, 4);

    return p == NULL
               ? 0
               : (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t sm_reader_fixed64(struct sm_reader *r)
{
    uint64_t lo = sm_reader_fixed32(r);

    return lo | (uint64_t)sm_reader_fixed32(r) << 32;
}

/* Length of the UTF-8 sequence at p (Unicode 15, table 3-7), or 0 when it is not one. */
static uint32_t utf8_len(const uint8_t *p, uint32_t left)
{
    uint32_t need = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (need == 0 || p[0] > 0xf4 || need > left) {
        return 0;
    }
    for (uint32_t i = 1; i < need; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) {
        return 0; /* overlong, surrogate, or above U+10FFFF */
    }
    return need;
}

uint32_t sm_wasm_utf8(const uint8_t *bytes, uint32_t len)
{
    uint32_t i = 0, step = 1;

    while (i < len && step > 0) {
        step = utf8_len(bytes + i, len - i);
        i += step;
    }
    return i;
}

const uint8_t *sm_reader_name(struct sm_reader *r, uint32_t *len)
{
    uint32_t n = sm_reader_u32(r);
    uint32_t start = r->pos;
    const uint8_t *p = sm_reader_skip(r, n);

    *len = 0;
    if (p == NULL) {
        return NULL;
    }
    uint32_t good = sm_wasm_utf8(p, n);
    if (good < n) {
        sm_reader_fail(r, start + good, SM_ERR_MALFORMED, "malformed UTF-8 encoding");
        return NULL;
    }
    *len = n;
    return p;
}

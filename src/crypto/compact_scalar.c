/* Scalars of Ed25519: reading, reduction mod L, signed digits. Owns the group order.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "compact_scalar.h"
#include <string.h>
#include "compact_field.h"
#include "crypto_internal.h"

static const uint32_t group_order[8] = {0x5cf5d3ed, 0x5812631a, 0xa2f79cd6, 0x14def9de,
                                        0x00000000, 0x00000000, 0x00000000, 0x10000000};

bool sm_scalar_load(struct sm_scalar *s, const uint8_t bytes[32])
{
    s->w[8] = 0;
    for (int i = 0; i < 8; i++)
        s->w[i] = sm_load_le32(bytes + 4 * i);
    for (int i = 7; i >= 0; i--)
        if (s->w[i] != group_order[i])
            return s->w[i] < group_order[i];
    return false;
}

/* r - q L, in nine words that wrap. */
static void subtract_multiple(struct sm_scalar *r, uint32_t q)
{
    uint32_t carry = 0;
    int64_t t = 0;
    for (int i = 0; i < 8; i++) {
        t += r->w[i];
        t -= sm_mul_add2(&carry, q, group_order[i], 0, carry);
        r->w[i] = (uint32_t)t;
        t >>= 32; /* 0 or -1 */
    }
    r->w[8] += (uint32_t)t - carry;
}

static void add_order(struct sm_scalar *r)
{
    uint32_t carry = 0;
    for (int i = 0; i < 8; i++)
        r->w[i] = sm_mul_add2(&carry, group_order[i], 1, r->w[i], carry);
    r->w[8] += carry;
}

/* Long division from the top, a word at a time. Before each step r < L, so that
 * r 2^32 + word < 2^32 L and its quotient fits a word. L lies between 2^252 and 2^252 (1 + 2^-127),
 * so that the bits from 252 on are the quotient or one more; the one value of theirs that does not
 * fit a word is one too many, hence the cap. */
void sm_scalar_reduce(struct sm_scalar *r, const uint8_t bytes[64])
{
    memset(r, 0, sizeof *r);
    for (int i = 15; i >= 0; i--) {
        memmove(r->w + 1, r->w, 8 * sizeof r->w[0]);
        r->w[0] = sm_load_le32(bytes + 4 * i);
        uint32_t q = r->w[8] >> 28 ? UINT32_MAX : r->w[8] << 4 | r->w[7] >> 28;
        subtract_multiple(r, q);
        if (r->w[8] != 0)
            add_order(r);
    }
}

/* s < 2^253, so the last carry finds room. */
void sm_scalar_recode(int8_t digits[SM_SCALAR_DIGITS], const struct sm_scalar *s, unsigned width)
{
    unsigned carry = 0;
    memset(digits, 0, SM_SCALAR_DIGITS);
    for (unsigned i = 0; i < SM_SCALAR_DIGITS;) {
        uint64_t two = (uint64_t)s->w[i / 32 + 1] << 32 | s->w[i / 32];
        unsigned window = ((unsigned)(two >> (i % 32)) & ((1u << width) - 1)) + carry;
        if (window % 2 == 0) { /* a 1 and the carry make 2: 0 here, and the carry goes on */
            i++;
            continue;
        }
        carry = window >> (width - 1);
        digits[i] = (int8_t)((int)window - (int)(carry << width));
        i += width;
    }
}

/* Numbers mod r, the order of the groups, in eight words of 32 bits: few are needed, so this code
 * is small first. Montgomery's multiplication with R = 2^256 is used inside; nothing outside sees
 * it.
 *
 * r = x^4 - x^2 + 1 for the curve's parameter x = -0xd201000000010000.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include <string.h>
#include "bls_curve.h"

#define WORDS 8

static const uint32_t order[WORDS] = {0x00000001, 0xffffffff, 0xfffe5bfe, 0x53bda402,
                                      0x09a1d805, 0x3339d808, 0x299d7d48, 0x73eda753};
/* 2^512 mod r, which turns a product by Montgomery's rule into one without the factor 1/R. */
static const uint32_t r_squared[WORDS] = {0xf3f29c6d, 0xc999e990, 0x87925c23, 0x2b6cedcb,
                                          0x7254398f, 0x05d31496, 0x9f59ff11, 0x0748d9d9};
/* -1/r mod 2^32 */
#define ORDER_FACTOR 0xffffffffu

/* out = a - r when that is not negative, else a; a has a ninth word and is below 2 r. */
static void subtract_order(uint32_t out[WORDS], const uint32_t a[WORDS], uint32_t top)
{
    uint32_t difference[WORDS];
    uint64_t borrow = 0;
    for (int i = 0; i < WORDS; i++) {
        uint64_t d = (uint64_t)a[i] - order[i] - borrow;
        difference[i] = (uint32_t)d;
        borrow = d >> 63;
    }
    uint32_t keep = 0 - (uint32_t)(((uint64_t)top - borrow) >> 63);
    for (int i = 0; i < WORDS; i++)
        out[i] = (a[i] & keep) | (difference[i] & ~keep);
    sm_wipe(difference, sizeof difference);
}

/* a b / 2^256 mod r, for a b < 2^256 r. */
static void montgomery(uint32_t out[WORDS], const uint32_t a[WORDS], const uint32_t b[WORDS])
{
    uint32_t t[WORDS + 2] = {0};
    for (int i = 0; i < WORDS; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < WORDS; j++) {
            carry += (uint64_t)a[j] * b[i] + t[j];
            t[j] = (uint32_t)carry;
            carry >>= 32;
        }
        carry += t[WORDS];
        t[WORDS] = (uint32_t)carry;
        t[WORDS + 1] = (uint32_t)(carry >> 32);
        uint32_t m = t[0] * ORDER_FACTOR;
        carry = ((uint64_t)m * order[0] + t[0]) >> 32;
        for (int j = 1; j < WORDS; j++) {
            carry += (uint64_t)m * order[j] + t[j];
            t[j - 1] = (uint32_t)carry;
            carry >>= 32;
        }
        carry += t[WORDS];
        t[WORDS - 1] = (uint32_t)carry;
        t[WORDS] = t[WORDS + 1] + (uint32_t)(carry >> 32);
    }
    subtract_order(out, t, t[WORDS]);
    sm_wipe(t, sizeof t);
}

void sm_bls_scalar_set(struct sm_bls_scalar *s, uint32_t value)
{
    memset(s, 0, sizeof *s);
    s->w[0] = value;
}

void sm_bls_scalar_add(struct sm_bls_scalar *s, const struct sm_bls_scalar *a,
                       const struct sm_bls_scalar *b)
{
    uint64_t carry = 0;
    for (int i = 0; i < WORDS; i++) {
        carry += (uint64_t)a->w[i] + b->w[i];
        s->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    subtract_order(s->w, s->w, (uint32_t)carry);
}

void sm_bls_scalar_neg(struct sm_bls_scalar *s, const struct sm_bls_scalar *a)
{
    uint64_t borrow = 0;
    for (int i = 0; i < WORDS; i++) {
        uint64_t d = (uint64_t)order[i] - a->w[i] - borrow;
        s->w[i] = (uint32_t)d;
        borrow = d >> 63;
    }
    subtract_order(s->w, s->w, 0); /* r - 0 */
}

void sm_bls_scalar_sub(struct sm_bls_scalar *s, const struct sm_bls_scalar *a,
                       const struct sm_bls_scalar *b)
{
    struct sm_bls_scalar minus;
    sm_bls_scalar_neg(&minus, b);
    sm_bls_scalar_add(s, a, &minus);
    sm_wipe(&minus, sizeof minus);
}

void sm_bls_scalar_mul(struct sm_bls_scalar *s, const struct sm_bls_scalar *a,
                       const struct sm_bls_scalar *b)
{
    struct sm_bls_scalar t;
    montgomery(t.w, a->w, b->w);
    montgomery(s->w, t.w, r_squared);
    sm_wipe(&t, sizeof t);
}

/* a^(r-2), from the highest bit of r down. The exponent is public. */
void sm_bls_scalar_inv(struct sm_bls_scalar *s, const struct sm_bls_scalar *a)
{
    struct sm_bls_scalar base, power, one;
    montgomery(base.w, a->w, r_squared);
    power = base;
    for (int bit = 253; bit >= 0; bit--) {
        montgomery(power.w, power.w, power.w);
        /* r - 2 differs from r in its lowest two words */
        uint32_t word = bit < 32 ? 0xffffffff : bit < 64 ? 0xfffffffe : order[bit / 32];
        if (word >> bit % 32 & 1)
            montgomery(power.w, power.w, base.w);
    }
    sm_bls_scalar_set(&one, 1);
    montgomery(s->w, power.w, one.w);
    sm_wipe(&base, sizeof base);
    sm_wipe(&power, sizeof power);
}

bool sm_bls_scalar_is_zero(const struct sm_bls_scalar *s)
{
    uint32_t any = 0;
    for (int i = 0; i < WORDS; i++)
        any |= s->w[i];
    return any == 0;
}

bool sm_bls_scalar_equal(const struct sm_bls_scalar *a, const struct sm_bls_scalar *b)
{
    return sm_ct_equal(a, b, sizeof *a);
}

void sm_bls_scalar_encode(uint8_t out[SM_BLS_SCALAR_SIZE], const struct sm_bls_scalar *s)
{
    for (size_t i = 0; i < SM_BLS_SCALAR_SIZE; i++)
        out[i] = (uint8_t)(s->w[(31 - i) / 4] >> 8 * ((31 - i) % 4));
}

int sm_bls_scalar_decode(struct sm_bls_scalar *s, const uint8_t in[SM_BLS_SCALAR_SIZE])
{
    struct sm_bls_scalar reduced;
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < SM_BLS_SCALAR_SIZE; i++)
        s->w[(31 - i) / 4] |= (uint32_t)in[i] << 8 * ((31 - i) % 4);
    subtract_order(reduced.w, s->w, 0);
    uint32_t different = 0;
    for (int i = 0; i < WORDS; i++)
        different |= reduced.w[i] ^ s->w[i];
    uint32_t keep = 0 - ((~different & (different - 1)) >> 31); /* all ones if nothing differs */
    for (int i = 0; i < WORDS; i++)
        s->w[i] &= keep;
    sm_wipe(&reduced, sizeof reduced);
    return SM_ERR_INVALID & (int)~keep;
}

void sm_bls_scalar_reduce(struct sm_bls_scalar *s, const uint8_t *in, size_t len)
{
    uint32_t low[WORDS] = {0}, high[WORDS] = {0};
    for (size_t i = 0; i < len && i < 64; i++) {
        size_t place = len - 1 - i;
        uint32_t *half = place < 32 ? low : high;
        half[place % 32 / 4] |= (uint32_t)in[i] << 8 * (place % 4);
    }
    /* high 2^512 / 2^256; then low, through there and back */
    montgomery(high, high, r_squared);
    montgomery(low, low, r_squared);
    struct sm_bls_scalar one, reduced;
    sm_bls_scalar_set(&one, 1);
    montgomery(reduced.w, low, one.w);
    memcpy(s->w, high, sizeof s->w);
    sm_bls_scalar_add(s, s, &reduced);
    sm_wipe(low, sizeof low);
    sm_wipe(high, sizeof high);
    sm_wipe(&reduced, sizeof reduced);
}

/* ---- Digits to the base of the curve's parameter
 * ------------------------------------------------- */

/* n = quotient * divisor + rest, a bit at a time; the divisor has words words, and its highest bit
 * is set. */
static void divide(uint32_t quotient[WORDS], uint32_t *rest, const uint32_t n[WORDS],
                   const uint32_t *divisor, int words)
{
    uint32_t less[WORDS];
    memset(rest, 0, (size_t)words * sizeof *rest);
    memset(quotient, 0, WORDS * sizeof *quotient);
    for (int bit = 32 * WORDS - 1; bit >= 0; bit--) {
        uint32_t in = n[bit / 32] >> bit % 32 & 1;
        uint64_t borrow = 0;
        for (int i = 0; i < words; i++) {
            uint32_t out = rest[i] >> 31;
            rest[i] = rest[i] << 1 | in;
            in = out;
            uint64_t d = (uint64_t)rest[i] - divisor[i] - borrow;
            less[i] = (uint32_t)d;
            borrow = d >> 63;
        }
        uint32_t take = in | (uint32_t)(borrow ^ 1), mask = 0 - take;
        for (int i = 0; i < words; i++)
            rest[i] ^= (rest[i] ^ less[i]) & mask;
        quotient[bit / 32] |= take << bit % 32;
    }
    sm_wipe(less, sizeof less);
}

void sm_bls_scalar_split(uint32_t low[4], uint32_t high[4], const struct sm_bls_scalar *k)
{
    static const uint32_t x_squared[4] = {0x00000000, 0x00000001, 0x0001a402, 0xac45a401};
    uint32_t quotient[WORDS];
    divide(quotient, low, k->w, x_squared, 4);
    memcpy(high, quotient, 4 * sizeof *high);
    sm_wipe(quotient, sizeof quotient);
}

/* k if it is odd, and else r - k: one of both is, and x is even, so digit 0 is odd. */
static uint32_t make_odd(uint32_t n[WORDS], const struct sm_bls_scalar *k)
{
    uint32_t even = (k->w[0] & 1) ^ 1, mask = 0 - even;
    uint64_t borrow = 0;
    for (int i = 0; i < WORDS; i++) {
        uint64_t d = (uint64_t)order[i] - k->w[i] - borrow;
        borrow = d >> 63;
        n[i] = k->w[i] ^ ((k->w[i] ^ (uint32_t)d) & mask);
    }
    return even;
}

/* (A. Faz-Hernandez, P. Longa, A. Sanchez, Efficient and secure algorithms for GLV-based scalar
 * multiplication, 2013, algorithm 1.) */
void sm_bls_recode(struct sm_bls_recoded *out, const struct sm_bls_scalar *k)
{
    static const uint32_t x[2] = {0x00010000, 0xd2010000};
    uint32_t n[WORDS], quotient[WORDS], rest[2];
    uint64_t digit[4];
    out->negate = make_odd(n, k);
    for (int i = 0; i < 4; i++) {
        divide(quotient, rest, n, x, 2);
        memcpy(n, quotient, sizeof n);
        digit[i] = rest[0] | (uint64_t)rest[1] << 32;
    }
    for (int i = 0; i < SM_BLS_RECODED; i++) {
        digit[0] >>= 1;
        uint8_t minus = (uint8_t)(i < SM_BLS_RECODED - 1 ? (digit[0] & 1) ^ 1 : 0), index = 0;
        for (int j = 1; j < 4; j++) {
            uint8_t bit = digit[j] & 1;
            index |= (uint8_t)(bit << (j - 1));
            digit[j] = (digit[j] >> 1) + (bit & minus);
        }
        out->minus[i] = minus;
        out->index[i] = index;
    }
    sm_wipe(n, sizeof n);
    sm_wipe(quotient, sizeof quotient);
    sm_wipe(rest, sizeof rest);
    sm_wipe(digit, sizeof digit);
}

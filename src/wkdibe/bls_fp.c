/* Numbers of Fp: everything but the multiplication itself (bls_multiply.c).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bls_field.h"
#define SM_BLS_TABLES_MODULUS
#define SM_BLS_TABLES_FP
#define SM_BLS_TABLES_RESIDUE
#define SM_BLS_TABLES_ONE
#include "bls_tables.h"

static const struct sm_bls_fp one = SM_BLS_ONE;

void fp_mul(struct sm_bls_fp *c, const struct sm_bls_fp *a, const struct sm_bls_fp *b)
{
    struct sm_bls_wide w;
    fp_wide_mul(&w, a, b);
    fp_reduce(c, &w);
}

void fp_sqr(struct sm_bls_fp *c, const struct sm_bls_fp *a)
{
    struct sm_bls_wide w;
    fp_wide_sqr(&w, a);
    fp_reduce(c, &w);
}

void fp_dot2(struct sm_bls_fp *c, const struct sm_bls_fp *a, const struct sm_bls_fp *b,
             const struct sm_bls_fp *d, const struct sm_bls_fp *e)
{
    struct sm_bls_wide w;
    fp_wide_mul(&w, a, b);
    fp_wide_mul_add(&w, d, e);
    fp_reduce(c, &w);
}

/* c = a times factor, with limbs of -low .. 2^RADIX - 1 - low and the last one what remains. */
static void propagate(struct sm_bls_fp *c, const struct sm_bls_fp *a, int factor, sm_bls_limb low)
{
    sm_bls_column carry = 0;
    for (int i = 0; i < LIMBS - 1; i++) {
        carry += (sm_bls_column)a->v[i] * factor + low;
        c->v[i] = (sm_bls_limb)((sm_bls_ulimb)carry & (((sm_bls_ulimb)1 << RADIX) - 1)) - low;
        carry >>= RADIX;
    }
    c->v[LIMBS - 1] = (sm_bls_limb)(carry + (sm_bls_column)a->v[LIMBS - 1] * factor);
}

#define HALF ((sm_bls_limb)1 << (RADIX - 1))

void fp_carry(struct sm_bls_fp *c, const struct sm_bls_fp *a)
{
    propagate(c, a, 1, HALF);
}

/* The highest 28 bits count multiples of p: it has 106513 and a half of them, and 315/2^25 is as
 * near to 1/106513 as the 60 multiples need. */
void fp_nearest(struct sm_bls_fp *c, const struct sm_bls_fp *a)
{
    struct sm_bls_fp multiple;
    int32_t high = (int32_t)(a->v[LIMBS - 1] >> (RADIX - 28));
    int32_t q = (high * 315 + (1 << 24)) >> 25;
    fp_scale(&multiple, &sm_bls_modulus, q);
    fp_sub(c, a, &multiple);
}

void fp_tidy(struct sm_bls_fp *c, const struct sm_bls_fp *a)
{
    fp_nearest(c, a);
    fp_carry(c, c);
}

void fp_scale12(struct sm_bls_fp *c, const struct sm_bls_fp *a)
{
    propagate(c, a, 12, HALF);
}

void fp_canonical(sm_bls_ulimb out[LIMBS], const struct sm_bls_fp *a)
{
    struct sm_bls_wide w;
    struct sm_bls_fp t, plus;
    for (int i = 0; i < 2 * LIMBS - 1; i++)
        w.v[i] = i < LIMBS ? (sm_bls_sum)(sm_bls_column)a->v[i] : 0;
    fp_reduce(&t, &w); /* a number of (-p, p), and 0 only as 0 */
    fp_add(&plus, &t, &sm_bls_modulus);
    propagate(&t, &t, 1, 0); /* now the sign is the last limb's */
    fp_move(&t, &plus, mask_of((sm_bls_ulimb)t.v[LIMBS - 1] >> (SM_BLS_LIMB_BITS - 1)));
    propagate(&t, &t, 1, 0);
    for (int i = 0; i < LIMBS; i++)
        out[i] = (sm_bls_ulimb)t.v[i];
}

bool fp_is_zero(const struct sm_bls_fp *a)
{
    sm_bls_ulimb limbs[LIMBS], any = 0;
    fp_canonical(limbs, a);
    for (int i = 0; i < LIMBS; i++)
        any |= limbs[i];
    return any == 0;
}

bool fp_equal(const struct sm_bls_fp *a, const struct sm_bls_fp *b)
{
    struct sm_bls_fp t;
    fp_sub(&t, a, b);
    return fp_is_zero(&t);
}

bool fp_is_odd(const struct sm_bls_fp *a)
{
    sm_bls_ulimb limbs[LIMBS];
    fp_canonical(limbs, a);
    return limbs[0] & 1;
}

/* 2 a - p > 0, for a of 0 .. p - 1: then 2 a mod p = 2 a - p is odd. */
bool fp_is_high(const struct sm_bls_fp *a)
{
    struct sm_bls_fp t;
    fp_scale(&t, a, 2);
    return fp_is_odd(&t);
}

/* Windows of 4 bits from the top; the exponent is public. */
void fp_root_power(struct sm_bls_fp *c, const struct sm_bls_fp *a)
{
    struct sm_bls_fp power[16], t;
    power[0] = one;
    for (int i = 1; i < 16; i++)
        fp_mul(&power[i], &power[i - 1], a);
    t = power[exponent[0]];
    for (int i = 1; i < 48; i++)
        for (int half = 4; half >= 0; half -= 4) {
            for (int n = 0; n < 4; n++)
                fp_sqr(&t, &t);
            fp_mul(&t, &t, &power[exponent[i] >> half & 15]);
        }
    *c = t;
}

bool fp_sqrt(struct sm_bls_fp *c, const struct sm_bls_fp *a)
{
    struct sm_bls_fp root, square;
    fp_root_power(&root, a);
    fp_mul(&root, &root, a);
    fp_sqr(&square, &root);
    bool is_square = fp_equal(&square, a);
    *c = root;
    return is_square;
}

bool fp_decode(struct sm_bls_fp *c, const uint8_t in[48])
{
    struct sm_bls_fp raw = {{0}};
    sm_bls_ulimb limbs[LIMBS], different = 0;
    for (int i = 0; i < LIMBS * RADIX / 4; i++) { /* half bytes from the lowest */
        sm_bls_limb half = i < 96 ? in[47 - i / 2] >> i % 2 * 4 & 15 : 0;
        raw.v[i * 4 / RADIX] |= half << i * 4 % RADIX;
    }
    fp_mul(c, &raw, &to_residue);
    fp_canonical(limbs, c);
    for (int i = 0; i < LIMBS; i++)
        different |= limbs[i] ^ (sm_bls_ulimb)raw.v[i];
    return different == 0;
}

void fp_encode(uint8_t out[48], const struct sm_bls_fp *a)
{
    sm_bls_ulimb limbs[LIMBS];
    fp_canonical(limbs, a);
    memset(out, 0, 48);
    for (int i = 0; i < 96; i++)
        out[47 - i / 2] |= (uint8_t)((limbs[i * 4 / RADIX] >> i * 4 % RADIX & 15) << i % 2 * 4);
}

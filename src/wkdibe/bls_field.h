/* The fields Fp and Fp2 of BLS12-381.
 *
 * A number of Fp is a residue times 2^392, in signed limbs of 56 or 28 bits that need not be
 * reduced. Two quantities say how far from reduced a number is:
 *
 *   weight  w: every limb is at most w half limbs, w 2^55 or w 2^27, in absolute value
 *   value   the number itself, in multiples of p
 *
 * What multiplication returns has weight 1 and a value below 0.6 p. Adding and subtracting add the
 * weights and the values, and nothing else: no carries, no comparison with p. Multiplying sums of
 * products needs, for limbs of 28 bits, whose columns are the tighter ones (64 bits),
 *
 *   the sum over all products of Fp, weight times weight, at most 35;   weights at most 15.
 *
 * 14 products of 2^27 by 2^27 times 36 are less than 2^63, and one of these 36 is reduction's own.
 * For limbs of 56 bits 2^13 would do. Values never matter: products may sum to 1000 p^2 and more
 * before a reduced number leaves (-p, p), for 2^392 is 2400 p. fp_carry brings the weight back
 * to 1. Callers note weights beside their sums where more than 2 meet.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_BLS_FIELD_H
#define SM_BLS_FIELD_H

#include <string.h>
#include "bls12_381.h"

#define LIMBS SM_BLS_LIMBS
#if SM_BLS_LIMB_BITS == 64
#define RADIX 56
typedef __int128 sm_bls_column;
typedef unsigned __int128 sm_bls_sum;
typedef uint64_t sm_bls_ulimb;
#else
#define RADIX 28
typedef int64_t sm_bls_column;
typedef uint64_t sm_bls_sum;
typedef uint32_t sm_bls_ulimb;
#endif

/* A product before its reduction: columns, added up modulo the size of a column, so that
 * intermediate sums may wrap as long as the last one is in range. */
struct sm_bls_wide {
    sm_bls_sum v[2 * LIMBS - 1];
};

/* p. Not a constant that the compiler knows: that would make it load each limb by itself before
 * each multiplication. */
extern const struct sm_bls_fp sm_bls_modulus;

/* -1/p modulo 2^56, which is right modulo 2^28 too. */
#define SM_BLS_FACTOR 0xf3fffcfffcfffdu

/* ---- Fp -----------------------------------------------------------------------------------------
 */

static inline void fp_add(struct sm_bls_fp *c, const struct sm_bls_fp *a, const struct sm_bls_fp *b)
{
    for (int i = 0; i < LIMBS; i++)
        c->v[i] = a->v[i] + b->v[i];
}

static inline void fp_sub(struct sm_bls_fp *c, const struct sm_bls_fp *a, const struct sm_bls_fp *b)
{
    for (int i = 0; i < LIMBS; i++)
        c->v[i] = a->v[i] - b->v[i];
}

static inline void fp_neg(struct sm_bls_fp *c, const struct sm_bls_fp *a)
{
    for (int i = 0; i < LIMBS; i++)
        c->v[i] = -a->v[i];
}

/* n a, for a small n: the weight grows n times. */
static inline void fp_scale(struct sm_bls_fp *c, const struct sm_bls_fp *a, int n)
{
    for (int i = 0; i < LIMBS; i++)
        c->v[i] = a->v[i] * n;
}

/* c = a where mask is all ones; unchanged where it is 0. */
static inline void fp_move(struct sm_bls_fp *c, const struct sm_bls_fp *a, sm_bls_ulimb mask)
{
    for (int i = 0; i < LIMBS; i++)
        c->v[i] ^= (c->v[i] ^ a->v[i]) & (sm_bls_limb)mask;
}

/* All ones for 1, 0 for 0. The compiler does not learn that there are but two values. */
static inline sm_bls_ulimb mask_of(uint32_t bit)
{
    __asm__("" : "+r"(bit));
    return 0 - (sm_bls_ulimb)bit;
}

#define fp_wide_mul     sm_bls_fp_wide_mul
#define fp_wide_mul_add sm_bls_fp_wide_mul_add
#define fp_wide_sqr     sm_bls_fp_wide_sqr
#define fp_reduce       sm_bls_fp_reduce
#define fp_reduce_plus  sm_bls_fp_reduce_plus
#define fp_nearest      sm_bls_fp_nearest
#define fp_tidy         sm_bls_fp_tidy
#define fp_mul          sm_bls_fp_mul
#define fp_sqr          sm_bls_fp_sqr
#define fp_dot2         sm_bls_fp_dot2
#define fp_carry        sm_bls_fp_carry
#define fp_scale12      sm_bls_fp_scale12
#define fp_canonical    sm_bls_fp_canonical
#define fp_is_zero      sm_bls_fp_is_zero
#define fp_equal        sm_bls_fp_equal
#define fp_root_power   sm_bls_fp_root_power
#define fp_inv          sm_bls_fp_inv
#define fp_sqrt         sm_bls_fp_sqrt
#define fp_is_odd       sm_bls_fp_is_odd
#define fp_decode       sm_bls_fp_decode
#define fp_encode       sm_bls_fp_encode
#define fp_is_high      sm_bls_fp_is_high

/* w = a b; w += a b; w = a a. */
void fp_wide_mul(struct sm_bls_wide *w, const struct sm_bls_fp *a, const struct sm_bls_fp *b);
void fp_wide_mul_add(struct sm_bls_wide *w, const struct sm_bls_fp *a, const struct sm_bls_fp *b);
void fp_wide_sqr(struct sm_bls_wide *w, const struct sm_bls_fp *a);
/* c = w / 2^392 mod p: weight 1. */
void fp_reduce(struct sm_bls_fp *c, const struct sm_bls_wide *w);
/* The same plus a number of any weight, which is not c: weight 1, the values add up. */
void fp_reduce_plus(struct sm_bls_fp *c, const struct sm_bls_wide *w, const struct sm_bls_fp *plus);

void fp_mul(struct sm_bls_fp *c, const struct sm_bls_fp *a, const struct sm_bls_fp *b);
void fp_sqr(struct sm_bls_fp *c, const struct sm_bls_fp *a);
/* a b + d e */
void fp_dot2(struct sm_bls_fp *c, const struct sm_bls_fp *a, const struct sm_bls_fp *b,
             const struct sm_bls_fp *d, const struct sm_bls_fp *e);
/* The same number with weight 1. */
void fp_carry(struct sm_bls_fp *c, const struct sm_bls_fp *a);
/* a - n p for the n that leaves a value below 0.6 p, of a value up to 60 p; the weight grows by n.
 */
void fp_nearest(struct sm_bls_fp *c, const struct sm_bls_fp *a);
/* The same number modulo p, with weight 1 and a value below 0.6 p, of a value up to 60 p. */
void fp_tidy(struct sm_bls_fp *c, const struct sm_bls_fp *a);
/* 12 a with weight 1, of a weight up to 1000. */
void fp_scale12(struct sm_bls_fp *c, const struct sm_bls_fp *a);

/* The number itself, 0 .. p - 1, in limbs of 0 .. 2^RADIX - 1. */
void fp_canonical(sm_bls_ulimb out[LIMBS], const struct sm_bls_fp *a);
bool fp_is_zero(const struct sm_bls_fp *a);
bool fp_equal(const struct sm_bls_fp *a, const struct sm_bls_fp *b);
bool fp_is_odd(const struct sm_bls_fp *a);
/* Whether a > (p - 1)/2. */
bool fp_is_high(const struct sm_bls_fp *a);

/* a^((p - 3)/4): for a square, 1/sqrt(a). a has weight 1. */
void fp_root_power(struct sm_bls_fp *c, const struct sm_bls_fp *a);
/* 1/a; 0 for 0. */
void fp_inv(struct sm_bls_fp *c, const struct sm_bls_fp *a);
/* Whether a is a square, and then c its root. */
bool fp_sqrt(struct sm_bls_fp *c, const struct sm_bls_fp *a);

/* 48 bytes, big-endian, of which the caller has cleared flags. Whether they are below p. */
bool fp_decode(struct sm_bls_fp *c, const uint8_t in[48]);
void fp_encode(uint8_t out[48], const struct sm_bls_fp *a);

/* ---- Fp2 ----------------------------------------------------------------------------------------
 */

static inline void fp2_add(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a,
                           const struct sm_bls_fp2 *b)
{
    fp_add(&c->c0, &a->c0, &b->c0);
    fp_add(&c->c1, &a->c1, &b->c1);
}

static inline void fp2_sub(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a,
                           const struct sm_bls_fp2 *b)
{
    fp_sub(&c->c0, &a->c0, &b->c0);
    fp_sub(&c->c1, &a->c1, &b->c1);
}

static inline void fp2_neg(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a)
{
    fp_neg(&c->c0, &a->c0);
    fp_neg(&c->c1, &a->c1);
}

static inline void fp2_conjugate(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a)
{
    c->c0 = a->c0;
    fp_neg(&c->c1, &a->c1);
}

static inline void fp2_scale(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a, int n)
{
    fp_scale(&c->c0, &a->c0, n);
    fp_scale(&c->c1, &a->c1, n);
}

static inline void fp2_move(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a, sm_bls_ulimb mask)
{
    fp_move(&c->c0, &a->c0, mask);
    fp_move(&c->c1, &a->c1, mask);
}

/* (1 + u) a: twice the weight. */
static inline void fp2_mul_xi(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a)
{
    struct sm_bls_fp t;
    fp_sub(&t, &a->c0, &a->c1);
    fp_add(&c->c1, &a->c0, &a->c1);
    c->c0 = t;
}

/* The same of Fp2. */
struct sm_bls_wide2 {
    struct sm_bls_wide c0, c1;
};

#define fp2_mul      sm_bls_fp2_mul
#define fp2_sqr      sm_bls_fp2_sqr
#define fp2_mul_fp   sm_bls_fp2_mul_fp
#define fp2_dot2     sm_bls_fp2_dot2
#define fp2_dot      sm_bls_fp2_dot
#define fp2_wide_dot sm_bls_fp2_wide_dot
#define fp2_reduce   sm_bls_fp2_reduce
#define fp2_inv      sm_bls_fp2_inv
#define fp2_sqrt     sm_bls_fp2_sqrt
#define fp2_is_zero  sm_bls_fp2_is_zero
#define fp2_equal    sm_bls_fp2_equal
#define fp2_is_high  sm_bls_fp2_is_high

/* Each product here is two of Fp: weights a and b count 2 a b of the 35. A square counts the same,
 * and its operand may weigh at most 7. */
void fp2_mul(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a, const struct sm_bls_fp2 *b);
void fp2_sqr(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a);
void fp2_mul_fp(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a, const struct sm_bls_fp *b);
/* a b + d e */
void fp2_dot2(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a, const struct sm_bls_fp2 *b,
              const struct sm_bls_fp2 *d, const struct sm_bls_fp2 *e);

/* a[0] b[0] + .. + a[n-1] b[n-1], n at least 1; and without its reduction. */
void fp2_dot(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *const a[],
             const struct sm_bls_fp2 *const b[], int n);
void fp2_wide_dot(struct sm_bls_wide2 *w, const struct sm_bls_fp2 *const a[],
                  const struct sm_bls_fp2 *const b[], int n);
void fp2_reduce(struct sm_bls_fp2 *c, const struct sm_bls_wide2 *w);
void fp2_inv(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a);
bool fp2_sqrt(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a);
bool fp2_is_zero(const struct sm_bls_fp2 *a);
bool fp2_equal(const struct sm_bls_fp2 *a, const struct sm_bls_fp2 *b);
/* Whether a is the larger of a and -a: c1 counts first. */
bool fp2_is_high(const struct sm_bls_fp2 *a);

#endif

/* G1: y^2 = x^3 + 4 over Fp. Its endomorphism (x, y) -> (beta x, -y) multiplies by x^2, x the
 * curve's parameter; that halves the doublings of a multiplication and is the test for the group.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include "bls_curve.h"
#define SM_BLS_TABLES_ONE
#define SM_BLS_TABLES_G1
#include "bls_tables.h"

static const struct sm_bls_fp one = SM_BLS_ONE;

#define FE      struct sm_bls_fp
#define POINT   sm_bls_g1
#define NAME(x) sm_bls_g1_##x
#define F(x)    fp_##x

static const FE *unit(void)
{
    return &one;
}

static void fp_mul_b3(FE *c, const FE *a)
{
    fp_scale12(c, a);
}

/* x^3 + 4 */
static void curve(FE *c, const FE *x)
{
    FE t;
    fp_sqr(&t, x);
    fp_mul(&t, &t, x);
    fp_add(&t, &t, &one);
    fp_add(&t, &t, &one);
    fp_add(&t, &t, &one);
    fp_add(&t, &t, &one);
    fp_carry(c, &t);
}

static bool decode_coordinate(FE *c, const uint8_t *in)
{
    return fp_decode(c, in);
}

static void encode_coordinate(uint8_t *out, const FE *a)
{
    fp_encode(out, a);
}

#include "bls_group.h"

/* x^2 a by the endomorphism */
static void endomorphism(struct sm_bls_g1 *p, const struct sm_bls_g1 *a)
{
    fp_mul(&p->x, &a->x, &beta);
    fp_neg(&p->y, &a->y);
    p->z = a->z;
}

/* On the whole curve the endomorphism is x^2 for points of order r and for no others: M. Scott, A
 * note on group membership tests for G1, G2 and GT on BLS pairing-friendly curves (2021),
 * section 6. */
bool sm_bls_g1_in_group(const struct sm_bls_g1 *p)
{
    struct sm_bls_g1 s, t;
    mul_parameter(&s, p);
    mul_parameter(&t, &s);
    endomorphism(&s, p);
    return sm_bls_g1_equal(&s, &t);
}

/* The cofactor is cleared by 1 - x: RFC 9380, 8.8.1. */
void sm_bls_g1_clear_cofactor(struct sm_bls_g1 *p)
{
    struct sm_bls_g1 t;
    mul_parameter(&t, p);
    sm_bls_g1_add(p, p, &t);
}

/* ---- Multiplication -----------------------------------------------------------------------------
 */

enum {
    CHUNK = 4,   /* points that share their doublings: tables are what bounds it */
    WINDOW = 4,  /* bits */
    ENTRIES = 8, /* odd multiples 1, 3 .. 15 */
    WINDOWS = 128 / WINDOW,
};

struct terms {
    struct sm_bls_g1 multiple[CHUNK][ENTRIES];
    uint32_t half[CHUNK][2][6]; /* k = half[0] + half[1] x^2, made odd; two words of zeros above */
    uint32_t even[CHUNK][2];    /* whether it was even before */
    size_t n;
};

static void odd_multiples(struct sm_bls_g1 *multiple, int n, const struct sm_bls_g1 *a)
{
    struct sm_bls_g1 twice;
    multiple[0] = *a;
    sm_bls_g1_double(&twice, a);
    for (int i = 1; i < n; i++)
        sm_bls_g1_add(&multiple[i], &multiple[i - 1], &twice);
}

/* An odd number is a sum of odd digits -15 .. 15, times 16^i: digit i is read from five bits, of
 * which the lowest counts as set, less 16; digit 32 is 1. (M. Joye, M. Tunstall, Exponent recoding
 * and regular exponentiation algorithms, 2009.) */
static void add_digit(struct sm_bls_g1 *p, const struct terms *t, size_t term, int which, int i)
{
    const uint32_t *half = t->half[term][which];
    int at = i * WINDOW;
    uint32_t bits = (uint32_t)((half[at / 32] | (uint64_t)half[at / 32 + 1] << 32) >> at % 32) & 31;
    uint32_t minus = i < WINDOWS ? (bits >> 4 ^ 1) : 0;
    /* (16 + d) with d odd: |d| is 2 index + 1 */
    uint32_t index = i < WINDOWS ? (bits >> 1 ^ (0 - minus)) & 7 : 0;
    struct sm_bls_g1 entry = t->multiple[term][0];
    for (uint32_t j = 1; j < ENTRIES; j++)
        sm_bls_g1_move(&entry, &t->multiple[term][j], mask_of(sm_bls_same(index, j)));
    negate_where(&entry, mask_of(minus));
    if (which == 1)
        endomorphism(&entry, &entry);
    sm_bls_g1_add(p, p, &entry);
    sm_wipe(&entry, sizeof entry);
}

/* Takes back the 1 that made an even half odd. */
static void correct(struct sm_bls_g1 *p, const struct terms *t, size_t term, int which)
{
    struct sm_bls_g1 minus, one_too_many;
    sm_bls_g1_neg(&minus, &t->multiple[term][0]);
    if (which == 1)
        endomorphism(&minus, &minus);
    sm_bls_g1_infinity(&one_too_many);
    sm_bls_g1_move(&one_too_many, &minus, mask_of(t->even[term][which]));
    sm_bls_g1_add(p, p, &one_too_many);
}

static void sum_chunk(struct sm_bls_g1 *p, struct terms *t, const struct sm_bls_g1 a[],
                      const struct sm_bls_scalar k[])
{
    memset(t->half, 0, sizeof t->half);
    for (size_t term = 0; term < t->n; term++) {
        odd_multiples(t->multiple[term], ENTRIES, &a[term]);
        sm_bls_scalar_split(t->half[term][0], t->half[term][1], &k[term]);
        for (int which = 0; which < 2; which++) {
            t->even[term][which] = (t->half[term][which][0] & 1) ^ 1;
            t->half[term][which][0] |= 1;
        }
    }
    sm_bls_g1_infinity(p);
    for (int i = WINDOWS; i >= 0; i--) {
        for (int n = 0; n < WINDOW && i < WINDOWS; n++)
            sm_bls_g1_double(p, p);
        for (size_t term = 0; term < t->n; term++)
            for (int which = 0; which < 2; which++)
                add_digit(p, t, term, which, i);
    }
    for (size_t term = 0; term < t->n; term++)
        for (int which = 0; which < 2; which++)
            correct(p, t, term, which);
}

void sm_bls_g1_sum(struct sm_bls_g1 *p, const struct sm_bls_g1 a[], const struct sm_bls_scalar k[],
                   size_t n)
{
    struct sm_bls_g1 sum, part;
    struct terms t;
    sm_bls_g1_infinity(&sum);
    for (size_t i = 0; i < n; i += CHUNK) {
        t.n = n - i < CHUNK ? n - i : CHUNK;
        sum_chunk(&part, &t, a + i, k + i);
        sm_bls_g1_add(&sum, &sum, &part);
    }
    *p = sum;
    sm_wipe(&t, sizeof t);
    sm_wipe(&part, sizeof part);
    sm_wipe(&sum, sizeof sum);
}

void sm_bls_g1_mul(struct sm_bls_g1 *p, const struct sm_bls_g1 *a, const struct sm_bls_scalar *k)
{
    sm_bls_g1_sum(p, a, k, 1);
}

/* ---- The same for scalars that everybody may know
 * ------------------------------------------------ */

enum {
    NAF_ENTRIES = 4, /* 1, 3, 5, 7 */
    NAF_DIGITS = 130,
};

struct public_terms {
    struct sm_bls_g1 multiple[CHUNK][NAF_ENTRIES];
    int8_t digit[CHUNK][2][NAF_DIGITS]; /* odd or 0; at most one in four is not 0 */
};

static void to_naf(int8_t digit[NAF_DIGITS], const uint32_t half[4])
{
    uint32_t n[5] = {half[0], half[1], half[2], half[3], 0};
    for (int i = 0; i < NAF_DIGITS; i++) {
        int value = n[0] & 1 ? (int)(n[0] & 15) : 0;
        if (value > 8)
            value -= 16;
        digit[i] = (int8_t)value;
        int64_t carry = -value;
        for (int j = 0; j < 5; j++) {
            carry += n[j];
            n[j] = (uint32_t)carry;
            carry >>= 32;
        }
        for (int j = 0; j < 5; j++)
            n[j] = n[j] >> 1 | (j < 4 ? n[j + 1] << 31 : 0);
    }
}

static void add_public_digit(struct sm_bls_g1 *p, const struct public_terms *t, size_t term,
                             int which, int i)
{
    int digit = t->digit[term][which][i];
    if (digit == 0)
        return;
    struct sm_bls_g1 entry = t->multiple[term][(digit > 0 ? digit : -digit) / 2];
    if (digit < 0)
        sm_bls_g1_neg(&entry, &entry);
    if (which == 1)
        endomorphism(&entry, &entry);
    sm_bls_g1_add(p, p, &entry);
}

static void sum_public_chunk(struct sm_bls_g1 *p, const struct sm_bls_g1 a[],
                             const struct sm_bls_scalar k[], size_t n)
{
    struct public_terms t;
    uint32_t half[2][4];
    for (size_t term = 0; term < n; term++) {
        odd_multiples(t.multiple[term], NAF_ENTRIES, &a[term]);
        sm_bls_scalar_split(half[0], half[1], &k[term]);
        to_naf(t.digit[term][0], half[0]);
        to_naf(t.digit[term][1], half[1]);
    }
    sm_bls_g1_infinity(p);
    for (int i = NAF_DIGITS - 1; i >= 0; i--) {
        sm_bls_g1_double(p, p);
        for (size_t term = 0; term < n; term++)
            for (int which = 0; which < 2; which++)
                add_public_digit(p, &t, term, which, i);
    }
}

void sm_bls_g1_sum_public(struct sm_bls_g1 *p, const struct sm_bls_g1 a[],
                          const struct sm_bls_scalar k[], size_t n)
{
    struct sm_bls_g1 sum, part;
    sm_bls_g1_infinity(&sum);
    for (size_t i = 0; i < n; i += CHUNK) {
        sum_public_chunk(&part, a + i, k + i, n - i < CHUNK ? n - i : CHUNK);
        sm_bls_g1_add(&sum, &sum, &part);
    }
    *p = sum;
}

void sm_bls_g1_mul_public(struct sm_bls_g1 *p, const struct sm_bls_g1 *a,
                          const struct sm_bls_scalar *k)
{
    sm_bls_g1_sum_public(p, a, k, 1);
}

/* What the files about points and the pairing share: the curve's parameter, and scalars as digits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_BLS_CURVE_H
#define SM_BLS_CURVE_H

#include "bls_field.h"

/* |x|; x is negative. */
#define SM_BLS_PARAMETER 0xd201000000010000u

/* k = low + high x^2, both below x^2. */
void sm_bls_scalar_split(uint32_t low[4], uint32_t high[4], const struct sm_bls_scalar *k);

/* k, or -k where negate is 1, as the sum over bits i of 2^i s (1 + b0 |x| + b1 x^2 + b2 |x|^3),
 * where s is -1 if minus[i] else 1, and b0, b1, b2 are the bits of index[i]: every bit has
 * something to add, and a table has 8 entries. */
enum { SM_BLS_RECODED = 65 };
struct sm_bls_recoded {
    uint8_t index[SM_BLS_RECODED], minus[SM_BLS_RECODED];
    uint32_t negate;
};
void sm_bls_recode(struct sm_bls_recoded *out, const struct sm_bls_scalar *k);

/* 1 if a is b, else 0; both below 2^31. */
static inline uint32_t sm_bls_same(uint32_t a, uint32_t b)
{
    return ((a ^ b) - 1) >> 31;
}

/* p = a where mask is all ones; unchanged where it is 0. */
void sm_bls_g1_move(struct sm_bls_g1 *p, const struct sm_bls_g1 *a, sm_bls_ulimb mask);
void sm_bls_g2_move(struct sm_bls_g2 *p, const struct sm_bls_g2 *a, sm_bls_ulimb mask);

/* A point of the curve for a number: RFC 9380's map_to_curve of the suite, without the cofactor. */
void sm_bls_g1_map(struct sm_bls_g1 *p, const struct sm_bls_fp *u);
/* From a point of the curve to one of the group. */
void sm_bls_g1_clear_cofactor(struct sm_bls_g1 *p);

#endif

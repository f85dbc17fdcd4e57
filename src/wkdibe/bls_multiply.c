/* Multiplication and Montgomery reduction of numbers of Fp, column by column. bls_multiply_m4.S can
 * stand in for this file.
 *
 * Numbers are signed and their limbs have room, so a column is just a sum: no carries between
 * columns until reduction takes them all at once (bls_field.h has the bounds).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bls_multiply.h"

void fp_wide_mul(struct sm_bls_wide *w, const struct sm_bls_fp *a, const struct sm_bls_fp *b)
{
#define COLUMN(k) w->v[k] = column(0, a->v + FIRST(k), b->v + LAST(k), COUNT(k));
    EACH_LOW_COLUMN(COLUMN)
    EACH_HIGH_COLUMN(COLUMN)
#undef COLUMN
}

void fp_wide_mul_add(struct sm_bls_wide *w, const struct sm_bls_fp *a, const struct sm_bls_fp *b)
{
#define COLUMN(k) w->v[k] = column(w->v[k], a->v + FIRST(k), b->v + LAST(k), COUNT(k));
    EACH_LOW_COLUMN(COLUMN)
    EACH_HIGH_COLUMN(COLUMN)
#undef COLUMN
}

/* m[k] makes column k divisible by 2^RADIX, and its carry goes to the next. What is left of the
 * high columns is (w + m p) / 2^392: |m p| < 2^391 p gives p/2 and w the rest. */
__attribute__((always_inline)) static inline void
reduce(struct sm_bls_fp *c, const struct sm_bls_wide *w, const struct sm_bls_fp *plus)
{
    sm_bls_limb m[LIMBS];
    sm_bls_sum sum = 0;
#define COLUMN(k)                                                                                  \
    sum = (k) ? column(sum + w->v[k], m, sm_bls_modulus.v + (k), k) : w->v[k];                     \
    m[k] = balance((sm_bls_ulimb)sum * (sm_bls_ulimb)SM_BLS_FACTOR);                               \
    sum = shift_down(sum + product(m[k], sm_bls_modulus.v[0]));
    EACH_LOW_COLUMN(COLUMN)
#undef COLUMN
#define COLUMN(k)                                                                                  \
    if (plus)                                                                                      \
        sum += (sm_bls_sum)(sm_bls_column)plus->v[(k)-LIMBS];                                      \
    sum = column(sum + w->v[k], m + FIRST(k), sm_bls_modulus.v + LIMBS - 1, COUNT(k));             \
    c->v[(k)-LIMBS] = balance(sum);                                                                \
    sum = shift_down(sum - (sm_bls_sum)(sm_bls_column)c->v[(k)-LIMBS]);
    EACH_HIGH_COLUMN(COLUMN)
#undef COLUMN
    c->v[LIMBS - 1] = (sm_bls_limb)sum + (plus ? plus->v[LIMBS - 1] : 0);
}

void fp_reduce(struct sm_bls_fp *c, const struct sm_bls_wide *w)
{
    reduce(c, w, NULL);
}

void fp_reduce_plus(struct sm_bls_fp *c, const struct sm_bls_wide *w, const struct sm_bls_fp *plus)
{
    reduce(c, w, plus);
}

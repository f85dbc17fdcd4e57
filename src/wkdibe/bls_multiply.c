/* Multiplication, squaring and Montgomery reduction of numbers of Fp, column by column.
 *
 * Numbers are signed and their limbs have room, so a column is just a sum: no carries between
 * columns until reduction takes them all at once (bls_field.h has the bounds).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bls_multiply.h"
#define SM_BLS_TABLES_MODULUS
#include "bls_tables.h"

void fp_wide_mul(struct sm_bls_wide *w, const struct sm_bls_fp *a, const struct sm_bls_fp *b)
{
#define COLUMN(k) w->v[k] = column(0, a->v + FIRST(k), b->v + ((k)-FIRST(k)), COUNT(k));
    EACH_LOW_COLUMN(COLUMN)
    EACH_HIGH_COLUMN(COLUMN)
#undef COLUMN
}

void fp_wide_mul_add(struct sm_bls_wide *w, const struct sm_bls_fp *a, const struct sm_bls_fp *b)
{
#define COLUMN(k) w->v[k] = column(w->v[k], a->v + FIRST(k), b->v + ((k)-FIRST(k)), COUNT(k));
    EACH_LOW_COLUMN(COLUMN)
    EACH_HIGH_COLUMN(COLUMN)
#undef COLUMN
}

/* Half of the products, of a and 2 a; the middle one of even columns once. */
void fp_wide_sqr(struct sm_bls_wide *w, const struct sm_bls_fp *a)
{
    struct sm_bls_fp twice;
    fp_scale(&twice, a, 2);
#define COLUMN(k)                                                                                  \
    w->v[k] = column((k) % 2 ? 0 : product(a->v[(k) / 2], a->v[(k) / 2]), twice.v + FIRST(k),      \
                     a->v + ((k)-FIRST(k)), COUNT(k) / 2);
    EACH_LOW_COLUMN(COLUMN)
    EACH_HIGH_COLUMN(COLUMN)
#undef COLUMN
}

/* m[k] makes column k divisible by 2^RADIX, and its carry goes to the next. What is left of the
 * high columns is (w + m p) / 2^392: |m p| < 2^391 p gives p/2 and w the rest. */
void fp_reduce(struct sm_bls_fp *c, const struct sm_bls_wide *w)
{
    sm_bls_limb m[LIMBS];
    sm_bls_sum sum = 0;
#define COLUMN(k)                                                                                  \
    sum = column(sum + w->v[k], m, modulus.v + (k), k);                                            \
    m[k] = balance((sm_bls_ulimb)sum * (sm_bls_ulimb)FACTOR);                                      \
    sum = shift_down(sum + product(m[k], modulus.v[0]));
    EACH_LOW_COLUMN(COLUMN)
#undef COLUMN
#define COLUMN(k)                                                                                  \
    sum = column(sum + w->v[k], m + FIRST(k), modulus.v + LIMBS - 1, COUNT(k));                    \
    c->v[(k)-LIMBS] = balance(sum);                                                                \
    sum = shift_down(sum - (sm_bls_sum)(sm_bls_column)c->v[(k)-LIMBS]);
    EACH_HIGH_COLUMN(COLUMN)
#undef COLUMN
    c->v[LIMBS - 1] = (sm_bls_limb)sum;
}

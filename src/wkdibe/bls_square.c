/* Squaring of numbers of Fp (bls_multiply.c is its like).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bls_multiply.h"

/* Half of the products, of a and 2 a; the middle one of even columns once. */
void fp_wide_sqr(struct sm_bls_wide *w, const struct sm_bls_fp *a)
{
    struct sm_bls_fp twice;
    fp_scale(&twice, a, 2);
#define COLUMN(k)                                                                                  \
    w->v[k] = column((k) % 2 ? 0 : product(a->v[(k) / 2], a->v[(k) / 2]), twice.v + FIRST(k),      \
                     a->v + LAST(k), COUNT(k) / 2);
    EACH_LOW_COLUMN(COLUMN)
    EACH_HIGH_COLUMN(COLUMN)
#undef COLUMN
}

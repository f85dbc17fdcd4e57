/* Fp12 beyond what the scheme sees of it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_BLS_GT_H
#define SM_BLS_GT_H

#include "bls_curve.h"

/* c0 + c2 w^2 + c3 w^3: a line at a point of G1. c0 may weigh 2. */
struct sm_bls_line {
    struct sm_bls_fp2 c0, c2, c3;
};

void sm_bls_gt_sqr(struct sm_bls_gt *square, const struct sm_bls_gt *a);
void sm_bls_gt_mul_line(struct sm_bls_gt *product, const struct sm_bls_gt *a,
                        const struct sm_bls_line *line);
/* a^p */
void sm_bls_gt_frobenius(struct sm_bls_gt *e, const struct sm_bls_gt *a);
/* 1/a of any a but 0, not of GT alone. */
void sm_bls_gt_invert(struct sm_bls_gt *e, const struct sm_bls_gt *a);
/* a^2 where a^(p^4 - p^2 + 1) = 1, as in GT. */
void sm_bls_gt_cyclotomic_sqr(struct sm_bls_gt *square, const struct sm_bls_gt *a);

#endif

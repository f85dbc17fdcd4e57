/* Firmware: BLS12-381 on secrets that follow from a word which trace.sh puts into memory. Whatever
 * the word, it does the same instructions on the same addresses; unless a second word asks for an
 * operation on public scalars, which shows that the trace tells.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "board.h"
#include "bls12_381.h"

static const volatile uint32_t *const words = (const volatile uint32_t *)0x21000000u;

int sm_board_main(void)
{
    uint32_t seed = words[0];
    struct sm_bls_scalar k[2];
    struct sm_bls_g1 p[2];
    struct sm_bls_g2 q;
    struct sm_bls_gt e;
    uint8_t bytes[SM_BLS_GT_SIZE];
    const struct sm_bls_g1 *ps[2] = {&p[0], &p[1]};
    const struct sm_bls_g2 *qs[2] = {&q, &q};
    if (sm_bls_hash_to_scalar(&k[0], &seed, sizeof seed, "k0", 2) != 0 ||
        sm_bls_hash_to_g1(&p[0], &seed, sizeof seed, "p0", 2) != 0)
        return 1;
    sm_bls_scalar_inv(&k[1], &k[0]);
    uint32_t keep = 0 - ((seed | (0 - seed)) >> 31); /* 0 for seed 0, and then so is the scalar */
    for (int i = 0; i < 8; i++)
        k[1].w[i] &= keep;
    sm_bls_g1_mul(&p[1], &p[0], &k[1]);
    sm_bls_g1_sum(&p[1], p, k, 2);
    sm_bls_g2_mul_generator(&q, &k[0]);
    sm_bls_pairing_product(&e, ps, qs, 2);
    sm_bls_gt_exp(&e, &e, &k[1]);
    sm_bls_g1_encode(bytes, &p[1]);
    sm_bls_g2_encode(bytes, &q);
    sm_bls_gt_encode(bytes, &e);
    sm_bls_scalar_encode(bytes, &k[1]);
    if (words[1])
        sm_bls_g1_mul_public(&p[1], &p[0], &k[0]);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "operations.h"
#include "bls12_381.h"

static struct sm_bls_scalar k[4];
static struct sm_bls_g1 g1[4];
static struct sm_bls_g2 g2[2];
static struct sm_bls_gt gt;
static uint8_t bytes1[SM_BLS_G1_SIZE], bytes2[SM_BLS_G2_SIZE], bytes_gt[SM_BLS_GT_SIZE];

void prepare(void)
{
    for (uint8_t i = 0; i < 4; i++) {
        (void)!sm_bls_hash_to_scalar(&k[i], &i, 1, "k", 1);
        (void)!sm_bls_hash_to_g1(&g1[i], &i, 1, "g1", 2);
    }
    sm_bls_g2_mul_generator(&g2[0], &k[0]);
    sm_bls_g2_mul_generator(&g2[1], &k[1]);
    sm_bls_pairing(&gt, &g1[0], &g2[0]);
    sm_bls_g1_encode(bytes1, &g1[1]);
    sm_bls_g2_encode(bytes2, &g2[1]);
}

#define OPERATION(name, ...)                                                                       \
    static void name(void *ctx)                                                                    \
    {                                                                                              \
        (void)ctx;                                                                                 \
        __VA_ARGS__;                                                                               \
    }

OPERATION(pairing, sm_bls_pairing(&gt, &g1[0], &g2[0]))
OPERATION(product2, const struct sm_bls_g1 *p[] = {&g1[0], &g1[1]};
          const struct sm_bls_g2 *q[] = {&g2[0], &g2[1]}; sm_bls_pairing_product(&gt, p, q, 2))
OPERATION(gt_exp, sm_bls_gt_exp(&gt, &gt, &k[2]))
OPERATION(gt_encode, sm_bls_gt_encode(bytes_gt, &gt))
OPERATION(g1_mul, sm_bls_g1_mul(&g1[2], &g1[1], &k[2]))
OPERATION(g1_mul_public, sm_bls_g1_mul_public(&g1[2], &g1[1], &k[2]))
OPERATION(g1_sum, sm_bls_g1_sum(&g1[2], g1, k, 4))
OPERATION(g1_sum_public, sm_bls_g1_sum_public(&g1[2], g1, k, 4))
OPERATION(g1_hash, (void)!sm_bls_hash_to_g1(&g1[2], "message", 7, "tag", 3))
OPERATION(g1_decode, (void)!sm_bls_g1_decode(&g1[2], bytes1, sizeof bytes1, SM_BLS_STRICT))
OPERATION(g1_encode, sm_bls_g1_encode(bytes1, &g1[1]))
OPERATION(g2_mul, sm_bls_g2_mul(&g2[1], &g2[0], &k[3]))
OPERATION(g2_mul_generator, sm_bls_g2_mul_generator(&g2[1], &k[3]))
OPERATION(g2_decode, (void)!sm_bls_g2_decode(&g2[1], bytes2, sizeof bytes2, SM_BLS_STRICT))
OPERATION(g2_encode, sm_bls_g2_encode(bytes2, &g2[0]))
OPERATION(scalar_inv, sm_bls_scalar_inv(&k[3], &k[3]))

const struct operation operations[] = {
    {"pairing", pairing},
    {"product of 2 pairings", product2},
    {"GT power", gt_exp},
    {"GT encoding", gt_encode},
    {"G1 multiplication", g1_mul},
    {"G1 multiplication, public", g1_mul_public},
    {"G1 sum of 4", g1_sum},
    {"G1 sum of 4, public", g1_sum_public},
    {"G1 hashing", g1_hash},
    {"G1 decoding", g1_decode},
    {"G1 encoding", g1_encode},
    {"G2 multiplication", g2_mul},
    {"G2 multiplication of the generator", g2_mul_generator},
    {"G2 decoding", g2_decode},
    {"G2 encoding", g2_encode},
    {"scalar inversion", scalar_inv},
    {0},
};

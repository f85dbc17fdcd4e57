/* The hash of digest.h; freestanding, for it runs on the microcontroller too.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"
#include "bls12_381.h"

const uint8_t bls_digest_expected[SM_SHA256_SIZE] = {
    0x6f, 0x08, 0x55, 0x9c, 0x16, 0x4c, 0xad, 0x41, 0x5c, 0xed, 0x00, 0x37, 0x16, 0x7d, 0xd3, 0x3b,
    0xda, 0xf1, 0x16, 0xde, 0x35, 0x05, 0xe0, 0xd7, 0x29, 0xd9, 0xa3, 0x73, 0x72, 0x0b, 0xad, 0xc2};

static void points(struct sm_sha256 *sha, const struct sm_bls_g1 *p, const struct sm_bls_g2 *q)
{
    uint8_t bytes[SM_BLS_G2_UNCOMPRESSED];
    sm_bls_g1_encode(bytes, p);
    sm_sha256_update(sha, bytes, SM_BLS_G1_SIZE);
    sm_bls_g1_encode_uncompressed(bytes, p);
    sm_sha256_update(sha, bytes, SM_BLS_G1_UNCOMPRESSED);
    sm_bls_g2_encode(bytes, q);
    sm_sha256_update(sha, bytes, SM_BLS_G2_SIZE);
    sm_bls_g2_encode_uncompressed(bytes, q);
    sm_sha256_update(sha, bytes, SM_BLS_G2_UNCOMPRESSED);
}

static void gt(struct sm_sha256 *sha, const struct sm_bls_gt *e)
{
    uint8_t bytes[SM_BLS_GT_SIZE];
    sm_bls_gt_encode(bytes, e);
    sm_sha256_update(sha, bytes, sizeof bytes);
}

/* What is decoded again must be what was encoded, or the hash changes. */
static void again(struct sm_sha256 *sha, const struct sm_bls_g1 *p, const struct sm_bls_g2 *q)
{
    uint8_t small[SM_BLS_G1_SIZE], large[SM_BLS_G2_SIZE];
    struct sm_bls_g1 p2;
    struct sm_bls_g2 q2;
    sm_bls_g1_encode(small, p);
    sm_bls_g2_encode(large, q);
    uint8_t good[2] = {
        sm_bls_g1_decode(&p2, small, sizeof small, SM_BLS_STRICT) == 0 && sm_bls_g1_equal(&p2, p),
        sm_bls_g2_decode(&q2, large, sizeof large, SM_BLS_STRICT) == 0 && sm_bls_g2_equal(&q2, q),
    };
    sm_sha256_update(sha, good, sizeof good);
}

void bls_digest(uint8_t out[SM_SHA256_SIZE])
{
    struct sm_sha256 sha;
    sm_sha256_init(&sha);
    for (uint8_t round = 0; round < BLS_DIGEST_ROUNDS; round++) {
        struct sm_bls_g1 p[2];
        struct sm_bls_g2 q[2];
        struct sm_bls_gt e;
        struct sm_bls_scalar k[2];
        const struct sm_bls_g1 *ps[2] = {&p[0], &p[1]};
        const struct sm_bls_g2 *qs[2] = {&q[0], &q[1]};
        uint8_t bytes[SM_BLS_SCALAR_SIZE];
        for (int i = 0; i < 2; i++) {
            (void)!sm_bls_hash_to_scalar(&k[i], &round, 1, i ? "a" : "b", 1);
            (void)!sm_bls_hash_to_g1(&p[i], &round, 1, "tag", (size_t)i + 1);
            sm_bls_g2_mul_generator(&q[i], &k[i]);
            sm_bls_scalar_inv(&k[i], &k[i]);
            sm_bls_scalar_encode(bytes, &k[i]);
            sm_sha256_update(&sha, bytes, sizeof bytes);
        }
        sm_bls_pairing_product(&e, ps, qs, 2);
        gt(&sha, &e);
        sm_bls_gt_exp(&e, &e, &k[0]);
        gt(&sha, &e);
        sm_bls_g1_sum_public(&p[0], p, k, 2);
        sm_bls_g1_mul(&p[0], &p[0], &k[1]);
        points(&sha, &p[0], &q[0]);
        again(&sha, &p[0], &q[0]);
    }
    sm_sha256_final(&sha, out);
}

/* Firmware: BLS12-381, and with a third word the scheme, on secrets that follow from a word which
 * trace.sh puts into memory. Whatever the word, it does the same instructions on the same
 * addresses; unless a second word asks for an operation on public scalars, which shows that the
 * trace tells.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/wkdibe.h>
#include "board.h"
#include "bls12_381.h"

static const volatile uint32_t *const words = (const volatile uint32_t *)0x21000000u;

/* ---- The scheme ------------------------------------------------------------------------------ */

static struct sm_ibe_params params;
static struct sm_ibe_master master;
static struct sm_ibe_key key, child;
static struct sm_ibe_target target;
static uint8_t bytes[SM_IBE_KEY_MAX], ciphertext[SM_IBE_CIPHERTEXT(0)];

static int fill(void *ctx, void *buf, size_t len)
{
    const uint32_t *seed = ctx;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = (uint8_t)(*seed >> (i % 4 * 8));
    return 0;
}

#define DO(call)                                                                                   \
    if ((call) < 0)                                                                                \
    return 1

/* Parameters and a ciphertext that are always the same; keys for it whose random numbers are the
 * secrets, made, encoded, decoded and delegated, and what they do. */
static int scheme(uint32_t seed)
{
    uint32_t same = 5;
    const struct sm_entropy public_entropy = {&same, fill}, secret_entropy = {&seed, fill};
    struct sm_ibe_rng rng;
    struct sm_ibe_pattern all, one;
    uint8_t secret[SM_IBE_SECRET_SIZE], signature[SM_IBE_SIGNATURE_SIZE];
    DO(sm_ibe_rng_init(&rng, &public_entropy, "a secret of the device", 22, 0));
    DO(sm_ibe_setup(&params, &master, 2, (const uint8_t[32]){3}, &rng));
    DO(sm_ibe_pattern_init(&all, 2));
    DO(sm_ibe_pattern_set(&all, 0, 1, "a", 1));
    one = all;
    DO(sm_ibe_pattern_set_wild(&all, 1));
    DO(sm_ibe_pattern_set(&one, 1, 1, "b", 1));
    DO(sm_ibe_target_init(&target, &params, &one));
    DO(sm_ibe_encaps(secret, ciphertext, sizeof ciphertext, &params, &target, &rng));
    DO(sm_ibe_rng_init(&rng, &secret_entropy, "a secret of the device", 22, 0));
    DO(sm_ibe_keygen(&key, &params, &master, &all, true, &rng));
    int len = sm_ibe_key_encode(&key, bytes, sizeof bytes);
    DO(len);
    DO(sm_ibe_key_decode(&key, &params, bytes, (size_t)len));
    DO(sm_ibe_delegate(&child, &params, &key, &one, true, &rng));
    DO(sm_ibe_decaps(secret, &params, &key, &one, ciphertext, sizeof ciphertext));
    DO(sm_ibe_decaps(secret, &params, &child, &one, ciphertext, sizeof ciphertext));
    DO(sm_ibe_sign(signature, &params, &child, &one, "21.5", 4, &rng));
    DO(sm_ibe_encaps(secret, ciphertext, sizeof ciphertext, &params, &target, &rng));
    return 0;
}

/* ---- The curve ------------------------------------------------------------------------------- */

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
    return words[2] ? scheme(seed) : 0;
}

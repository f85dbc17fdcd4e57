/* Signatures as a pattern, which say that a key for it was there and not whose. Owns nothing.
 *
 * With m the message's hash, a signature is s0 = a + m b_s + r (X_Q + m h_s) and s1 = a1 + r g: a
 * key for the pattern and the message. The fresh r makes it independent of the key that made it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "ibe.h"

/* m, and X_Q + m h_s. */
static int message_point(struct sm_bls_scalar *m, struct sm_bls_g1 *y,
                         const struct sm_ibe_params *params, const struct sm_ibe_pattern *q,
                         const void *msg, size_t len)
{
    uint8_t text[3 * SM_SHA256_SIZE];
    struct sm_bls_g1 h;
    memcpy(text, params->id, SM_SHA256_SIZE);
    sm_wkdibe_pattern_hash(q, text + SM_SHA256_SIZE);
    sm_sha256(msg, len, text + 2 * SM_SHA256_SIZE);
    int err =
        sm_bls_hash_to_scalar(m, text, sizeof text, IBE_DST_MESSAGE, sizeof IBE_DST_MESSAGE - 1);
    if (!err && sm_bls_scalar_is_zero(m)) /* would be the key itself; nobody can find such bytes */
        err = SM_ERR_INVALID;
    if (!err)
        err = sm_wkdibe_pattern_point(y, params, q);
    if (err)
        return err;
    sm_wkdibe_g1_load(&h, &params->hs);
    sm_bls_g1_mul_public(&h, &h, m);
    sm_bls_g1_add(y, y, &h);
    return 0;
}

static int make(uint8_t signature[SM_IBE_SIGNATURE_SIZE], const struct sm_ibe_key *key,
                const struct sm_ibe_pattern *q, const struct sm_bls_scalar *m,
                const struct sm_bls_g1 *y, const struct sm_bls_scalar *r)
{
    struct sm_bls_g1 a, p;
    struct sm_bls_g2 s1, a1;
    int err = sm_wkdibe_specialise(&a, key, &key->a0, q);
    sm_wkdibe_g1_load(&p, &key->bs);
    sm_wkdibe_g2_load(&a1, &key->a1);
    if (!err) {
        sm_bls_g1_mul(&p, &p, m);
        sm_bls_g1_add(&a, &a, &p);
        sm_bls_g1_mul(&p, y, r);
        sm_bls_g1_add(&a, &a, &p);
        sm_bls_g1_encode(signature, &a);
        sm_bls_g2_mul_generator(&s1, r);
        sm_bls_g2_add(&s1, &s1, &a1);
        sm_bls_g2_encode(signature + SM_IBE_G1_SIZE, &s1);
    }
    sm_wipe(&a, sizeof a);
    sm_wipe(&p, sizeof p);
    sm_wipe(&a1, sizeof a1);
    return err;
}

int sm_ibe_sign(uint8_t signature[SM_IBE_SIGNATURE_SIZE], const struct sm_ibe_params *params,
                const struct sm_ibe_key *key, const struct sm_ibe_pattern *pattern, const void *msg,
                size_t len, struct sm_ibe_rng *rng)
{
    struct sm_bls_scalar m, r;
    struct sm_bls_g1 y;
    if (memcmp(key->params_id, params->id, SM_SHA256_SIZE) != 0)
        return SM_ERR_KEY;
    if (pattern->slots != params->slots)
        return SM_ERR_ARG;
    if (sm_ibe_pattern_wilds(pattern) > 0)
        return SM_ERR_INVALID;
    if (!key->signs || !sm_ibe_pattern_match(&key->pattern, pattern))
        return SM_ERR_DENIED;
    int err = message_point(&m, &y, params, pattern, msg, len);
    if (!err)
        err = sm_wkdibe_random_scalar(&r, rng, "sign", pattern);
    if (!err)
        err = make(signature, key, pattern, &m, &y, &r);
    sm_wipe(&r, sizeof r);
    sm_wkdibe_burn();
    return err;
}

int sm_ibe_verify(const struct sm_ibe_params *params, const struct sm_ibe_pattern *pattern,
                  const void *msg, size_t len, const uint8_t signature[SM_IBE_SIGNATURE_SIZE])
{
    struct sm_bls_scalar m;
    struct sm_bls_g1 s0, y;
    struct sm_bls_g2 s1;
    if (pattern->slots != params->slots)
        return SM_ERR_ARG;
    if (sm_ibe_pattern_wilds(pattern) > 0)
        return SM_ERR_INVALID;
    if (sm_bls_g1_decode(&s0, signature, SM_IBE_G1_SIZE, SM_BLS_STRICT) != 0 ||
        sm_bls_g2_decode(&s1, signature + SM_IBE_G1_SIZE, SM_IBE_G2_SIZE, SM_BLS_STRICT) != 0)
        return SM_ERR_SIGNATURE;
    int err = message_point(&m, &y, params, pattern, msg, len);
    if (err)
        return err;
    return sm_wkdibe_relation_holds(params, &s0, &y, &s1) ? 0 : SM_ERR_SIGNATURE;
}

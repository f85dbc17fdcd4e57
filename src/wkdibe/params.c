/* Parameters and master keys, and the points of patterns. Owns nothing.
 *
 * All points of the parameters but g1 are hashes of the seed, so nobody knows how they relate; the
 * encoding is the seed and g1. Z = e(g2, g1) is kept because every encryption begins with it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "ibe.h"

_Static_assert(sizeof(struct sm_ibe_gt) >= sizeof(struct sm_bls_gt), "sm_ibe_gt must hold one");

void sm_wkdibe_g1_store(struct sm_ibe_g1 *to, const struct sm_bls_g1 *p)
{
    sm_bls_g1_encode_uncompressed(to->bytes, p);
}

void sm_wkdibe_g2_store(struct sm_ibe_g2 *to, const struct sm_bls_g2 *p)
{
    sm_bls_g2_encode_uncompressed(to->bytes, p);
}

void sm_wkdibe_g1_load(struct sm_bls_g1 *p, const struct sm_ibe_g1 *from)
{
    sm_bls_g1_load(p, from->bytes);
}

void sm_wkdibe_g2_load(struct sm_bls_g2 *p, const struct sm_ibe_g2 *from)
{
    sm_bls_g2_load(p, from->bytes);
}

int sm_wkdibe_pattern_point(struct sm_bls_g1 *x, const struct sm_ibe_params *params,
                            const struct sm_ibe_pattern *p)
{
    struct sm_bls_g1 h[SM_IBE_SLOTS_MAX], sum;
    struct sm_bls_scalar v[SM_IBE_SLOTS_MAX];
    unsigned n = 0;
    int err = 0;
    sm_wkdibe_g1_load(x, &params->g3);
    for (unsigned i = 0; !err && i < p->slots; i++) {
        if (p->kind[i] != SM_IBE_FIXED)
            continue;
        sm_wkdibe_g1_load(&h[n], &params->h[i]);
        err = sm_wkdibe_pattern_scalar(p, i, &v[n++]);
    }
    if (!err && n > 0) {
        sm_bls_g1_sum_public(&sum, h, v, n);
        sm_bls_g1_add(x, x, &sum);
    }
    return err;
}

bool sm_wkdibe_relation_holds(const struct sm_ibe_params *params, const struct sm_bls_g1 *a,
                              const struct sm_bls_g1 *x, const struct sm_bls_g2 *b)
{
    struct sm_bls_g1 minus_x;
    struct sm_bls_g2 g;
    struct sm_bls_gt left, z;
    sm_bls_g1_neg(&minus_x, x);
    sm_bls_g2_generator(&g);
    sm_bls_pairing_product(&left, (const struct sm_bls_g1 *[]){a, &minus_x},
                           (const struct sm_bls_g2 *[]){&g, b}, 2);
    memcpy(&z, params->z.w, sizeof z);
    return sm_bls_gt_equal(&left, &z);
}

/* The point that a seed has for a label: 0 .. 15 are the slots. */
enum { LABEL_G2 = 128, LABEL_G3, LABEL_SIGN };

static int seed_point(struct sm_ibe_g1 *out, const uint8_t seed[32], uint8_t label)
{
    uint8_t text[33];
    struct sm_bls_g1 p;
    text[0] = label;
    memcpy(text + 1, seed, 32);
    int err = sm_bls_hash_to_g1(&p, text, sizeof text, IBE_DST_POINT, sizeof IBE_DST_POINT - 1);
    if (!err)
        sm_wkdibe_g1_store(out, &p);
    return err;
}

/* All that follows from the seed, the number of slots and g1. */
static int expand(struct sm_ibe_params *params, uint8_t kind, unsigned slots,
                  const uint8_t seed[32], const struct sm_bls_g2 *g1)
{
    struct sm_bls_g1 g2;
    struct sm_bls_gt z;
    memset(params, 0, sizeof *params);
    params->slots = (uint8_t)slots;
    params->encoded[0] = kind;
    params->encoded[1] = (uint8_t)slots;
    memcpy(params->encoded + 2, seed, 32);
    sm_bls_g2_encode(params->encoded + 34, g1);
    sm_sha256(params->encoded, sizeof params->encoded, params->id);
    sm_wkdibe_g2_store(&params->g1, g1);
    int err = seed_point(&params->g2, seed, LABEL_G2);
    if (!err)
        err = seed_point(&params->g3, seed, LABEL_G3);
    if (!err)
        err = seed_point(&params->hs, seed, LABEL_SIGN);
    for (unsigned i = 0; !err && i < slots; i++)
        err = seed_point(&params->h[i], seed, (uint8_t)i);
    if (err)
        return err;
    sm_wkdibe_g1_load(&g2, &params->g2);
    sm_bls_pairing(&z, &g2, g1);
    memcpy(params->z.w, &z, sizeof z);
    return 0;
}

int sm_wkdibe_setup(struct sm_ibe_params *params, uint8_t kind, struct sm_ibe_master *master,
                    unsigned slots, const uint8_t seed[32], struct sm_ibe_rng *rng)
{
    struct sm_bls_scalar alpha;
    struct sm_bls_g1 g2, msk;
    struct sm_bls_g2 g1;
    if (slots == 0 || slots > SM_IBE_SLOTS_MAX)
        return SM_ERR_LIMIT;
    int err = sm_wkdibe_random_scalar(&alpha, rng, "setup", NULL);
    if (err)
        return err;
    sm_bls_g2_mul_generator(&g1, &alpha);
    err = expand(params, kind, slots, seed, &g1);
    if (!err) {
        sm_wkdibe_g1_load(&g2, &params->g2);
        sm_bls_g1_mul(&msk, &g2, &alpha);
        sm_wkdibe_g1_store(&master->msk, &msk);
        memcpy(master->params_id, params->id, sizeof params->id);
        sm_wipe(&msk, sizeof msk);
    }
    sm_wipe(&alpha, sizeof alpha);
    sm_wkdibe_burn();
    return err;
}

int sm_ibe_setup(struct sm_ibe_params *params, struct sm_ibe_master *master, unsigned slots,
                 const uint8_t seed[32], struct sm_ibe_rng *rng)
{
    return sm_wkdibe_setup(params, IBE_PARAMS, master, slots, seed, rng);
}

int sm_ibe_params_encode(const struct sm_ibe_params *params, uint8_t *out, size_t size)
{
    if (size < SM_IBE_PARAMS_SIZE)
        return SM_ERR_MEMORY;
    memcpy(out, params->encoded, SM_IBE_PARAMS_SIZE);
    return (int)SM_IBE_PARAMS_SIZE;
}

int sm_wkdibe_params_decode(struct sm_ibe_params *params, uint8_t kind, const uint8_t *bytes,
                            size_t len)
{
    struct sm_bls_g2 g1;
    if (len == 0)
        return SM_ERR_MALFORMED;
    if (bytes[0] != kind)
        return SM_ERR_UNSUPPORTED;
    if (len != SM_IBE_PARAMS_SIZE)
        return SM_ERR_MALFORMED;
    if (bytes[1] == 0 || bytes[1] > SM_IBE_SLOTS_MAX)
        return SM_ERR_LIMIT;
    int err = sm_bls_g2_decode(&g1, bytes + 34, SM_IBE_G2_SIZE, SM_BLS_STRICT);
    return err ? err : expand(params, kind, bytes[1], bytes + 2, &g1);
}

int sm_ibe_params_decode(struct sm_ibe_params *params, const uint8_t *bytes, size_t len)
{
    return sm_wkdibe_params_decode(params, IBE_PARAMS, bytes, len);
}

int sm_ibe_master_encode(const struct sm_ibe_master *master, uint8_t *out, size_t size)
{
    struct sm_bls_g1 msk;
    if (size < SM_IBE_MASTER_SIZE)
        return SM_ERR_MEMORY;
    sm_wkdibe_g1_load(&msk, &master->msk);
    out[0] = IBE_MASTER;
    memcpy(out + 1, master->params_id, SM_SHA256_SIZE);
    sm_bls_g1_encode(out + 33, &msk);
    sm_wipe(&msk, sizeof msk);
    sm_wkdibe_burn();
    return (int)SM_IBE_MASTER_SIZE;
}

int sm_ibe_master_decode(struct sm_ibe_master *master, const struct sm_ibe_params *params,
                         const uint8_t *bytes, size_t len)
{
    struct sm_bls_g1 msk, nothing;
    struct sm_bls_g2 g;
    if (len == 0)
        return SM_ERR_MALFORMED;
    if (bytes[0] != IBE_MASTER)
        return SM_ERR_UNSUPPORTED;
    if (len != SM_IBE_MASTER_SIZE)
        return SM_ERR_MALFORMED;
    if (memcmp(bytes + 1, params->id, SM_SHA256_SIZE) != 0)
        return SM_ERR_KEY;
    int err = sm_bls_g1_decode(&msk, bytes + 33, SM_IBE_G1_SIZE, SM_BLS_STRICT);
    sm_bls_g1_infinity(&nothing);
    sm_bls_g2_generator(&g);
    if (!err && !sm_wkdibe_relation_holds(params, &msk, &nothing, &g)) /* e(msk, g) = Z */
        err = SM_ERR_INVALID;
    if (!err) {
        memcpy(master->params_id, params->id, SM_SHA256_SIZE);
        sm_wkdibe_g1_store(&master->msk, &msk);
    }
    sm_wipe(&msk, sizeof msk);
    sm_wkdibe_burn();
    return err;
}

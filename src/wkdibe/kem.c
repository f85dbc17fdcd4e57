/* Encapsulation: a secret for everyone who matches a pattern. Owns nothing.
 *
 * A ciphertext with the random number t is B = t g, C = t X_Q and D_i = t h_i of each WILD slot;
 * what both sides share is W = Z^t. With a' = msk + r Y and C' = t Y, where Y has the slots that
 * are FIXED in either pattern, e(a', B) / e(C', a1) is W.
 *
 * t exists only here, between its making and the end of the function: two ciphertexts with one t
 * cannot be asked for.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "ibe.h"

static int check(const struct sm_ibe_params *params, const uint8_t *id,
                 const struct sm_ibe_pattern *p)
{
    if (memcmp(id, params->id, SM_SHA256_SIZE) != 0)
        return SM_ERR_KEY;
    return p->slots == params->slots ? 0 : SM_ERR_ARG;
}

/* ---- Targets --------------------------------------------------------------------------------- */

int sm_ibe_target_init(struct sm_ibe_target *target, const struct sm_ibe_params *params,
                       const struct sm_ibe_pattern *pattern)
{
    struct sm_bls_g1 x;
    int err = check(params, params->id, pattern);
    if (!err)
        err = sm_wkdibe_pattern_point(&x, params, pattern);
    if (err)
        return err;
    memcpy(target->params_id, params->id, SM_SHA256_SIZE);
    target->pattern = *pattern;
    sm_wkdibe_g1_store(&target->x, &x);
    return 0;
}

int sm_ibe_target_adjust(struct sm_ibe_target *target, const struct sm_ibe_params *params,
                         unsigned slot, const struct sm_ibe_pattern *to)
{
    struct sm_bls_scalar old, new;
    struct sm_bls_g1 x, h;
    int err = check(params, target->params_id, to);
    if (err)
        return err;
    if (slot >= to->slots)
        return SM_ERR_ARG;
    err = sm_wkdibe_pattern_scalar(&target->pattern, slot, &old);
    if (!err)
        err = sm_wkdibe_pattern_scalar(to, slot, &new);
    if (err)
        return err;
    sm_wkdibe_g1_load(&x, &target->x);
    sm_wkdibe_g1_load(&h, &params->h[slot]);
    sm_bls_scalar_sub(&new, &new, &old);
    sm_bls_g1_mul_public(&h, &h, &new);
    sm_bls_g1_add(&x, &x, &h);
    sm_wkdibe_g1_store(&target->x, &x);
    target->pattern.kind[slot] = to->kind[slot];
    memcpy(target->pattern.value[slot], to->value[slot], SM_IBE_VALUE_SIZE);
    return 0;
}

/* ---- With a given t -------------------------------------------------------------------------- */

static size_t ciphertext_size(const struct sm_ibe_pattern *p)
{
    return SM_IBE_CIPHERTEXT(sm_ibe_pattern_wilds(p));
}

void sm_wkdibe_with_t(uint8_t *out, struct sm_bls_gt *w, const struct sm_ibe_params *params,
                      const struct sm_ibe_target *target, const struct sm_bls_scalar *t)
{
    struct sm_bls_g2 b;
    struct sm_bls_g1 p;
    struct sm_bls_gt z;
    sm_bls_g2_mul_generator(&b, t);
    sm_bls_g2_encode(out, &b);
    out += SM_IBE_G2_SIZE;
    sm_wkdibe_g1_load(&p, &target->x);
    for (unsigned i = 0;; i++) {
        sm_bls_g1_mul(&p, &p, t);
        sm_bls_g1_encode(out, &p);
        out += SM_IBE_G1_SIZE;
        while (i < target->pattern.slots && target->pattern.kind[i] != SM_IBE_WILD)
            i++;
        if (i == target->pattern.slots)
            break;
        sm_wkdibe_g1_load(&p, &params->h[i]);
    }
    if (w) {
        memcpy(&z, params->z.w, sizeof z);
        sm_bls_gt_exp(w, &z, t);
    }
}

/* -C': C and, of each slot that the key has FIXED and the ciphertext WILD, its value times D_i. By
 * itself, because its arrays and those of sm_wkdibe_specialise need not lie on the stack together.
 */
__attribute__((noinline)) static int minus_c(struct sm_bls_g1 *c, const struct sm_ibe_key *key,
                                             const struct sm_ibe_pattern *q, const uint8_t *at)
{
    struct sm_bls_g1 d[SM_IBE_SLOTS_MAX], sum;
    struct sm_bls_scalar v[SM_IBE_SLOTS_MAX];
    unsigned n = 0;
    int err = sm_bls_g1_decode(c, at, SM_IBE_G1_SIZE, SM_BLS_STRICT);
    for (unsigned i = 0; !err && i < q->slots; i++) {
        if (q->kind[i] != SM_IBE_WILD)
            continue;
        at += SM_IBE_G1_SIZE; /* every D_i is checked, also those that this key has no use for */
        err = sm_bls_g1_decode(&d[n], at, SM_IBE_G1_SIZE, SM_BLS_STRICT);
        if (!err && key->pattern.kind[i] == SM_IBE_FIXED)
            err = sm_wkdibe_pattern_scalar(&key->pattern, i, &v[n++]);
    }
    if (err)
        return err;
    if (n > 0) {
        sm_bls_g1_sum_public(&sum, d, v, n);
        sm_bls_g1_add(c, c, &sum);
    }
    sm_bls_g1_neg(c, c);
    return 0;
}

int sm_wkdibe_recover(struct sm_bls_gt *w, const struct sm_ibe_key *key, const struct sm_ibe_g1 *a0,
                      const struct sm_ibe_pattern *q, const uint8_t *ciphertext)
{
    struct sm_bls_g1 a, c;
    struct sm_bls_g2 b, a1;
    int err = sm_bls_g2_decode(&b, ciphertext, SM_IBE_G2_SIZE, SM_BLS_STRICT);
    if (!err)
        err = minus_c(&c, key, q, ciphertext + SM_IBE_G2_SIZE);
    if (!err)
        err = sm_wkdibe_specialise(&a, key, a0, q);
    if (err)
        return err;
    sm_wkdibe_g2_load(&a1, &key->a1);
    sm_bls_pairing_product(w, (const struct sm_bls_g1 *[]){&a, &c},
                           (const struct sm_bls_g2 *[]){&b, &a1}, 2);
    sm_wipe(&a, sizeof a);
    sm_wipe(&a1, sizeof a1);
    return 0;
}

/* What a ciphertext is bound to: label, parameters, pattern, and its own bytes. */
struct binding {
    uint8_t label[8], params[SM_SHA256_SIZE], hash[SM_SHA256_SIZE];
};

static void bind(struct binding *info, const char label[9], const struct sm_ibe_params *params,
                 const struct sm_ibe_pattern *q, const uint8_t *ciphertext, size_t len)
{
    uint8_t bytes[SM_IBE_PATTERN_MAX];
    struct sm_sha256 h;
    int n = sm_ibe_pattern_encode(q, bytes, sizeof bytes);
    memcpy(info->label, label, 8);
    memcpy(info->params, params->id, SM_SHA256_SIZE);
    sm_sha256_init(&h);
    sm_sha256_update(&h, bytes, n > 0 ? (size_t)n : 0);
    sm_sha256_update(&h, ciphertext, len);
    sm_sha256_final(&h, info->hash);
}

static int secret_of(uint8_t out[SM_IBE_SECRET_SIZE], const struct sm_bls_gt *w,
                     const struct binding *info)
{
    uint8_t bytes[SM_BLS_GT_SIZE];
    sm_bls_gt_encode(bytes, w);
    int err = sm_hkdf(out, SM_IBE_SECRET_SIZE, bytes, sizeof bytes, NULL, 0, info, sizeof *info);
    sm_wipe(bytes, sizeof bytes);
    return err;
}

/* ---- The plain pair -------------------------------------------------------------------------- */

int sm_ibe_encaps(uint8_t secret[SM_IBE_SECRET_SIZE], uint8_t *out, size_t size,
                  const struct sm_ibe_params *params, const struct sm_ibe_target *target,
                  struct sm_ibe_rng *rng)
{
    struct sm_bls_scalar t;
    struct sm_bls_gt w;
    struct binding info;
    size_t len = ciphertext_size(&target->pattern);
    int err = check(params, target->params_id, &target->pattern);
    if (err)
        return err;
    if (size < len)
        return SM_ERR_MEMORY;
    err = sm_wkdibe_random_scalar(&t, rng, "encaps", &target->pattern);
    if (!err) {
        sm_wkdibe_with_t(out, &w, params, target, &t);
        bind(&info, "WWKEM-v1", params, &target->pattern, out, len);
        err = secret_of(secret, &w, &info);
    }
    sm_wipe(&t, sizeof t);
    sm_wipe(&w, sizeof w);
    sm_wkdibe_burn();
    return err ? err : (int)len;
}

static int check_opening(const struct sm_ibe_params *params, const struct sm_ibe_key *key,
                         const struct sm_ibe_pattern *pattern)
{
    int err = check(params, key->params_id, pattern);
    if (err)
        return err;
    return sm_ibe_pattern_match(&key->pattern, pattern) ? 0 : SM_ERR_DENIED;
}

int sm_ibe_decaps(uint8_t secret[SM_IBE_SECRET_SIZE], const struct sm_ibe_params *params,
                  const struct sm_ibe_key *key, const struct sm_ibe_pattern *pattern,
                  const uint8_t *ciphertext, size_t len)
{
    struct sm_bls_gt w;
    struct binding info;
    int err = check_opening(params, key, pattern);
    if (err)
        return err;
    if (len != ciphertext_size(pattern))
        return SM_ERR_MALFORMED;
    err = sm_wkdibe_recover(&w, key, &key->a0, pattern, ciphertext);
    if (!err) {
        bind(&info, "WWKEM-v1", params, pattern, ciphertext, len);
        err = secret_of(secret, &w, &info);
    }
    sm_wipe(&w, sizeof w);
    sm_wkdibe_burn();
    return err;
}

/* ---- Of a seed: Fujisaki-Okamoto ------------------------------------------------------------- */

int sm_wkdibe_seed_scalar(struct sm_bls_scalar *t, const struct sm_ibe_params *params,
                          const struct sm_ibe_pattern *q, const struct ibe_seed *seed)
{
    uint8_t text[sizeof *seed + 2 * SM_SHA256_SIZE];
    memcpy(text, seed, sizeof *seed);
    memcpy(text + sizeof *seed, params->id, SM_SHA256_SIZE);
    sm_wkdibe_pattern_hash(q, text + sizeof *seed + SM_SHA256_SIZE);
    int err = sm_bls_hash_to_scalar(t, text, sizeof text, IBE_DST_CCA, sizeof IBE_DST_CCA - 1);
    sm_wipe(text, sizeof text);
    return err;
}

int sm_wkdibe_mask_seed(uint8_t out[IBE_SEED_SIZE], const uint8_t in[IBE_SEED_SIZE],
                        const struct sm_ibe_params *params, const struct sm_ibe_pattern *q,
                        const uint8_t *ciphertext, size_t len, const struct sm_bls_gt *w)
{
    struct binding info;
    uint8_t mask[SM_IBE_SECRET_SIZE];
    bind(&info, "WWSEED-1", params, q, ciphertext, len);
    int err = secret_of(mask, w, &info);
    for (unsigned i = 0; !err && i < IBE_SEED_SIZE; i++)
        out[i] = in[i] ^ mask[i];
    sm_wipe(mask, sizeof mask);
    return err;
}

int sm_wkdibe_wrap(uint8_t *out, size_t size, const struct sm_ibe_params *params,
                   const struct sm_ibe_target *target, const struct ibe_seed *seed)
{
    struct sm_bls_scalar t;
    struct sm_bls_gt w;
    size_t len = ciphertext_size(&target->pattern);
    int err = check(params, target->params_id, &target->pattern);
    if (err)
        return err;
    if (size < len + IBE_SEED_SIZE)
        return SM_ERR_MEMORY;
    err = sm_wkdibe_seed_scalar(&t, params, &target->pattern, seed);
    if (!err)
        sm_wkdibe_with_t(out, &w, params, target, &t);
    if (!err)
        err = sm_wkdibe_mask_seed(out + len, seed->bytes, params, &target->pattern, out, len, &w);
    sm_wipe(&t, sizeof t);
    sm_wipe(&w, sizeof w);
    sm_wkdibe_burn();
    return err ? err : (int)(len + IBE_SEED_SIZE);
}

int sm_wkdibe_unwrap(struct ibe_seed *seed, uint8_t *good, const struct sm_ibe_params *params,
                     const struct sm_ibe_key *key, const struct sm_ibe_target *target,
                     const uint8_t *ciphertext, size_t len)
{
    struct sm_bls_gt w;
    struct sm_bls_scalar t;
    uint8_t again[SM_IBE_CIPHERTEXT_MAX];
    const struct sm_ibe_pattern *q = &target->pattern;
    int err = check_opening(params, key, q);
    if (err)
        return err;
    size_t points = ciphertext_size(q);
    if (len != points + IBE_SEED_SIZE)
        return SM_ERR_MALFORMED;
    err = sm_wkdibe_recover(&w, key, &key->a0, q, ciphertext);
    if (!err)
        err = sm_wkdibe_mask_seed(seed->bytes, ciphertext + points, params, q, ciphertext, points,
                                  &w);
    sm_wipe(&w, sizeof w);
    if (!err)
        err = sm_wkdibe_seed_scalar(&t, params, q, seed);
    if (!err) {
        sm_wkdibe_with_t(again, NULL, params, target, &t);
        *good = (uint8_t)-sm_ct_equal(again, ciphertext, points);
    }
    sm_wipe(&t, sizeof t);
    sm_wipe(again, sizeof again);
    sm_wkdibe_burn();
    return err;
}

/* The secret of a seed; label and binding keep it apart from all else. */
static int cca_secret(uint8_t secret[SM_IBE_SECRET_SIZE], const struct ibe_seed *seed,
                      const struct sm_ibe_params *params, const struct sm_ibe_pattern *q,
                      const uint8_t *ciphertext, size_t len)
{
    struct binding info;
    bind(&info, "WWCCA-v1", params, q, ciphertext, len);
    return sm_hkdf(secret, SM_IBE_SECRET_SIZE, seed->bytes, IBE_SEED_SIZE, NULL, 0, &info,
                   sizeof info);
}

int sm_ibe_encaps_cca(uint8_t secret[SM_IBE_SECRET_SIZE], uint8_t *out, size_t size,
                      const struct sm_ibe_params *params, const struct sm_ibe_target *target,
                      struct sm_ibe_rng *rng)
{
    struct ibe_seed seed = {.context = {0}};
    int len = sm_wkdibe_random_bytes(seed.bytes, rng, "encaps cca", &target->pattern);
    if (!len)
        len = sm_wkdibe_wrap(out, size, params, target, &seed);
    if (len > 0) {
        int err = cca_secret(secret, &seed, params, &target->pattern, out, (size_t)len);
        len = err ? err : len;
    }
    sm_wipe(&seed, sizeof seed);
    sm_wkdibe_burn();
    return len;
}

int sm_ibe_decaps_cca(uint8_t secret[SM_IBE_SECRET_SIZE], const struct sm_ibe_params *params,
                      const struct sm_ibe_key *key, const struct sm_ibe_pattern *pattern,
                      const uint8_t *ciphertext, size_t len)
{
    struct sm_ibe_target target;
    struct ibe_seed seed = {.context = {0}};
    uint8_t reject[SM_SHA256_SIZE], good;
    int err = check_opening(params, key, pattern);
    if (!err)
        err = sm_ibe_target_init(&target, params, pattern);
    if (!err)
        err = sm_wkdibe_unwrap(&seed, &good, params, key, &target, ciphertext, len);
    if (err)
        return err;
    /* In place of a seed that is not right, one that only the key's holder knows. */
    sm_wkdibe_secret_hash(reject, key->a0.bytes, sizeof key->a0.bytes);
    for (unsigned i = 0; i < IBE_SEED_SIZE; i++)
        seed.bytes[i] = (uint8_t)((seed.bytes[i] & good) | (reject[i] & ~good));
    err = cca_secret(secret, &seed, params, pattern, ciphertext, len);
    sm_wipe(&seed, sizeof seed);
    sm_wipe(reject, sizeof reject);
    sm_wipe(&good, sizeof good);
    sm_wkdibe_burn();
    return err;
}

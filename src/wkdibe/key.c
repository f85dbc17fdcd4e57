/* Keys: made from the master key, delegated, encoded. Owns nothing.
 *
 * A key for P is a0 = msk + r X_P, a1 = r g, b_i = r h_i of each WILD slot and, when it signs,
 * b_s = r h_s, with an r of its own. Delegation adds a fresh s to r, always: the siblings of a key
 * that was merely specialised share its r, and their differences give parts of it away that its
 * holder was not to have.
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

/* *to = what is there, if anything, and r times h. */
static void add_multiple(struct sm_ibe_g1 *to, const struct sm_ibe_g1 *from,
                         const struct sm_ibe_g1 *h, const struct sm_bls_scalar *r)
{
    struct sm_bls_g1 p, sum;
    sm_wkdibe_g1_load(&p, h);
    sm_bls_g1_mul(&p, &p, r);
    if (from) {
        sm_wkdibe_g1_load(&sum, from);
        sm_bls_g1_add(&p, &p, &sum);
        sm_wipe(&sum, sizeof sum);
    }
    sm_wkdibe_g1_store(to, &p);
    sm_wipe(&p, sizeof p);
}

/* What the new key begins with: a0 for its pattern, and the key it comes from, if any. */
struct origin {
    const struct sm_bls_g1 *a0;
    const struct sm_ibe_key *from;
};

void sm_wkdibe_randomise_rest(struct sm_ibe_key *key, const struct sm_ibe_params *params,
                              const struct sm_ibe_key *from, const struct sm_bls_scalar *r)
{
    struct sm_bls_g2 a1, old;
    sm_bls_g2_mul_generator(&a1, r);
    if (from) {
        sm_wkdibe_g2_load(&old, &from->a1);
        sm_bls_g2_add(&a1, &a1, &old);
    }
    sm_wkdibe_g2_store(&key->a1, &a1);
    for (unsigned i = 0; i < key->pattern.slots; i++)
        if (key->pattern.kind[i] == SM_IBE_WILD)
            add_multiple(&key->b[i], from ? &from->b[i] : NULL, &params->h[i], r);
    if (key->signs)
        add_multiple(&key->bs, from ? &from->bs : NULL, &params->hs, r);
}

/* The origin randomised with r. */
static int randomise(struct sm_ibe_key *key, const struct sm_ibe_params *params, struct origin o,
                     const struct sm_bls_scalar *r)
{
    struct sm_bls_g1 x;
    int err = sm_wkdibe_pattern_point(&x, params, &key->pattern);
    if (err)
        return err;
    sm_bls_g1_mul(&x, &x, r);
    sm_bls_g1_add(&x, &x, o.a0);
    sm_wkdibe_g1_store(&key->a0, &x);
    sm_wipe(&x, sizeof x);
    sm_wkdibe_randomise_rest(key, params, o.from, r);
    return 0;
}

/* The whole key: wiped when something fails. */
static int make(struct sm_ibe_key *key, const struct sm_ibe_params *params,
                const struct sm_ibe_pattern *pattern, bool signs, struct origin o,
                struct sm_ibe_rng *rng)
{
    struct sm_bls_scalar r;
    memset(key, 0, sizeof *key);
    memcpy(key->params_id, params->id, sizeof params->id);
    key->pattern = *pattern;
    key->signs = signs;
    int err = sm_wkdibe_random_scalar(&r, rng, o.from ? "delegate" : "keygen", pattern);
    if (!err)
        err = randomise(key, params, o, &r);
    sm_wipe(&r, sizeof r);
    sm_wkdibe_burn();
    if (err)
        sm_wipe(key, sizeof *key);
    return err;
}

int sm_ibe_keygen(struct sm_ibe_key *key, const struct sm_ibe_params *params,
                  const struct sm_ibe_master *master, const struct sm_ibe_pattern *pattern,
                  bool signs, struct sm_ibe_rng *rng)
{
    struct sm_bls_g1 msk;
    int err = check(params, master->params_id, pattern);
    if (err)
        return err;
    sm_wkdibe_g1_load(&msk, &master->msk);
    err = make(key, params, pattern, signs, (struct origin){&msk, NULL}, rng);
    sm_wipe(&msk, sizeof msk);
    return err;
}

int sm_wkdibe_specialise(struct sm_bls_g1 *a, const struct sm_ibe_key *key,
                         const struct sm_ibe_g1 *a0, const struct sm_ibe_pattern *to)
{
    struct sm_bls_g1 b[SM_IBE_SLOTS_MAX];
    struct sm_bls_scalar v[SM_IBE_SLOTS_MAX];
    unsigned n = 0;
    int err = 0;
    sm_wkdibe_g1_load(a, a0);
    for (unsigned i = 0; !err && i < key->pattern.slots; i++) {
        if (key->pattern.kind[i] != SM_IBE_WILD || to->kind[i] != SM_IBE_FIXED)
            continue;
        sm_wkdibe_g1_load(&b[n], &key->b[i]);
        err = sm_wkdibe_pattern_scalar(to, i, &v[n++]);
    }
    if (!err && n > 0) {
        struct sm_bls_g1 sum;
        sm_bls_g1_sum(&sum, b, v, n);
        sm_bls_g1_add(a, a, &sum);
        sm_wipe(&sum, sizeof sum);
    }
    sm_wipe(b, n * sizeof b[0]);
    return err;
}

int sm_ibe_delegate(struct sm_ibe_key *key, const struct sm_ibe_params *params,
                    const struct sm_ibe_key *from, const struct sm_ibe_pattern *pattern, bool signs,
                    struct sm_ibe_rng *rng)
{
    struct sm_bls_g1 a0;
    int err = check(params, from->params_id, pattern);
    if (err)
        return err;
    if (key == from)
        return SM_ERR_ARG;
    if (!sm_ibe_pattern_refines(&from->pattern, pattern) || (signs && !from->signs))
        return SM_ERR_DENIED;
    err = sm_wkdibe_specialise(&a0, from, &from->a0, pattern);
    if (!err)
        err = make(key, params, pattern, signs, (struct origin){&a0, from}, rng);
    sm_wipe(&a0, sizeof a0);
    sm_wkdibe_burn();
    return err;
}

/* ---- Encoding: head, pattern, a1, a0, b_i in turn, b_s ----------------------------------------
 */

#define HEAD 34u

static int put_point(uint8_t *out, size_t size, size_t *at, const struct sm_ibe_g1 *point)
{
    struct sm_bls_g1 p;
    if (size - *at < SM_IBE_G1_SIZE)
        return SM_ERR_MEMORY;
    sm_wkdibe_g1_load(&p, point);
    sm_bls_g1_encode(out + *at, &p);
    sm_wipe(&p, sizeof p);
    *at += SM_IBE_G1_SIZE;
    return 0;
}

static int put_points(const struct sm_ibe_key *key, uint8_t *out, size_t size, size_t *at)
{
    int err = put_point(out, size, at, &key->a0);
    for (unsigned i = 0; !err && i < key->pattern.slots; i++)
        if (key->pattern.kind[i] == SM_IBE_WILD)
            err = put_point(out, size, at, &key->b[i]);
    if (!err && key->signs)
        err = put_point(out, size, at, &key->bs);
    return err;
}

int sm_ibe_key_encode(const struct sm_ibe_key *key, uint8_t *out, size_t size)
{
    struct sm_bls_g2 a1;
    if (size < HEAD)
        return SM_ERR_MEMORY;
    out[0] = IBE_KEY;
    out[1] = key->signs;
    memcpy(out + 2, key->params_id, SM_SHA256_SIZE);
    int len = sm_ibe_pattern_encode(&key->pattern, out + HEAD, size - HEAD);
    if (len < 0)
        return len;
    size_t at = HEAD + (size_t)len;
    if (size - at < SM_IBE_G2_SIZE)
        return SM_ERR_MEMORY;
    sm_wkdibe_g2_load(&a1, &key->a1);
    sm_bls_g2_encode(out + at, &a1);
    at += SM_IBE_G2_SIZE;
    int err = put_points(key, out, size, &at);
    sm_wkdibe_burn();
    if (err) {
        sm_wipe(out, size);
        return err;
    }
    return (int)at;
}

static int take_point(struct sm_ibe_g1 *to, const uint8_t **at)
{
    struct sm_bls_g1 p;
    int err = sm_bls_g1_decode(&p, *at, SM_IBE_G1_SIZE, SM_BLS_STRICT);
    if (!err)
        sm_wkdibe_g1_store(to, &p);
    *at += SM_IBE_G1_SIZE;
    sm_wipe(&p, sizeof p);
    return err;
}

/* The points behind the pattern, which are as many as it says. */
static int take_points(struct sm_ibe_key *key, const uint8_t *at)
{
    struct sm_bls_g2 a1;
    int err = sm_bls_g2_decode(&a1, at, SM_IBE_G2_SIZE, SM_BLS_STRICT);
    if (err)
        return err;
    sm_wkdibe_g2_store(&key->a1, &a1);
    at += SM_IBE_G2_SIZE;
    err = take_point(&key->a0, &at);
    for (unsigned i = 0; !err && i < key->pattern.slots; i++)
        if (key->pattern.kind[i] == SM_IBE_WILD)
            err = take_point(&key->b[i], &at);
    if (!err && key->signs)
        err = take_point(&key->bs, &at);
    return err;
}

int sm_wkdibe_check_add(struct ibe_check *c, const struct sm_bls_g1 *b, const struct sm_bls_g1 *h,
                        unsigned label)
{
    struct sm_bls_scalar k;
    struct sm_bls_g1 p;
    c->seed[SM_SHA256_SIZE] = (uint8_t)label;
    int err =
        sm_bls_hash_to_scalar(&k, c->seed, sizeof c->seed, IBE_DST_CHECK, sizeof IBE_DST_CHECK - 1);
    if (err)
        return err;
    sm_bls_g1_mul(&p, b, &k);
    sm_bls_g1_add(&c->left, &c->left, &p);
    sm_bls_g1_mul(&p, h, &k); /* k is a hash of what is secret */
    sm_bls_g1_add(&c->right, &c->right, &p);
    sm_wipe(&p, sizeof p);
    return 0;
}

static int add_to_check(struct ibe_check *c, const struct sm_ibe_g1 *b, const struct sm_ibe_g1 *h,
                        unsigned label)
{
    struct sm_bls_g1 left, right;
    sm_wkdibe_g1_load(&left, b);
    sm_wkdibe_g1_load(&right, h);
    int err = sm_wkdibe_check_add(c, &left, &right, label);
    sm_wipe(&left, sizeof left);
    return err;
}

int sm_wkdibe_check_begin(struct ibe_check *c, const struct sm_ibe_key *key,
                          const struct sm_ibe_params *params, const uint8_t *bytes, size_t len)
{
    sm_sha256(bytes, len, c->seed);
    sm_wkdibe_g1_load(&c->left, &key->a0);
    int err = sm_wkdibe_pattern_point(&c->right, params, &key->pattern);
    for (unsigned i = 0; !err && i < key->pattern.slots; i++)
        if (key->pattern.kind[i] == SM_IBE_WILD)
            err = add_to_check(c, &key->b[i], &params->h[i], i);
    if (!err && key->signs)
        err = add_to_check(c, &key->bs, &params->hs, SM_IBE_SLOTS_MAX);
    return err;
}

/* Whether all of it has one r and belongs to the parameters: e(a0, g) = Z e(X_P, a1) and
 * e(b_i, g) = e(h_i, a1), all at once with multipliers that the key's maker could not choose. */
static int belongs(const struct sm_ibe_key *key, const struct sm_ibe_params *params,
                   const uint8_t *bytes, size_t len)
{
    struct ibe_check c;
    struct sm_bls_g2 a1;
    int err = sm_wkdibe_check_begin(&c, key, params, bytes, len);
    sm_wkdibe_g2_load(&a1, &key->a1);
    if (!err && !sm_wkdibe_relation_holds(params, &c.left, &c.right, &a1))
        err = SM_ERR_INVALID;
    sm_wipe(&c, sizeof c);
    return err;
}

int sm_ibe_key_decode(struct sm_ibe_key *key, const struct sm_ibe_params *params,
                      const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return SM_ERR_MALFORMED;
    if (bytes[0] != IBE_KEY)
        return SM_ERR_UNSUPPORTED;
    if (len < HEAD || bytes[1] > 1)
        return SM_ERR_MALFORMED;
    if (memcmp(bytes + 2, params->id, SM_SHA256_SIZE) != 0)
        return SM_ERR_KEY;
    memset(key, 0, sizeof *key);
    memcpy(key->params_id, params->id, SM_SHA256_SIZE);
    key->signs = bytes[1];
    int n = sm_ibe_pattern_decode(&key->pattern, bytes + HEAD, len - HEAD);
    if (n < 0)
        return n;
    if (key->pattern.slots != params->slots)
        return SM_ERR_INVALID;
    size_t points = 1u + sm_ibe_pattern_wilds(&key->pattern) + key->signs;
    if (len - HEAD - (size_t)n != SM_IBE_G2_SIZE + points * SM_IBE_G1_SIZE)
        return SM_ERR_MALFORMED;
    int err = take_points(key, bytes + HEAD + n);
    if (!err)
        err = belongs(key, params, bytes, len);
    sm_wkdibe_burn();
    if (err)
        sm_wipe(key, sizeof *key);
    return err;
}

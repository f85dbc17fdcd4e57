/* Inside the scheme: what its files share, over the public structs and the curve (bls12_381.h).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WKDIBE_IBE_H
#define SM_WKDIBE_IBE_H

#include <sandmote/wkdibe.h>
#include "bls12_381.h"

/* What points, scalars and keys are hashed for: no two purposes share a hash. */
#define IBE_DST_POINT   "SANDMOTE-IBE-V1-POINT-with-BLS12381G1_XMD:SHA-256_SSWU_RO_"
#define IBE_DST_VALUE   "SANDMOTE-IBE-V1-VALUE"
#define IBE_DST_RANDOM  "SANDMOTE-IBE-V1-RANDOM"
#define IBE_DST_MESSAGE "SANDMOTE-IBE-V1-MESSAGE"
#define IBE_DST_CCA     "SANDMOTE-IBE-V1-CCA"
#define IBE_DST_CHECK   "SANDMOTE-IBE-V1-CHECK"
#define IBE_DST_NODE    "SANDMOTE-IBE-V1-NODE-with-BLS12381G1_XMD:SHA-256_SSWU_RO_"

/* The first byte of every encoding. */
enum {
    IBE_PARAMS = 1,
    IBE_MASTER,
    IBE_KEY,
    IBE_TREE,
    IBE_HEADER,
    IBE_MESSAGE,
    IBE_COMPACT_PARAMS = 16,
    IBE_COMPACT_KEY,
    IBE_COMPACT_HEADER,
};

/* Setup and decoding of parameters whose encoding begins with `kind`. */
int sm_wkdibe_setup(struct sm_ibe_params *params, uint8_t kind, struct sm_ibe_master *master,
                    unsigned slots, const uint8_t seed[32], struct sm_ibe_rng *rng) SM_IBE_CHECKED;
int sm_wkdibe_params_decode(struct sm_ibe_params *params, uint8_t kind, const uint8_t *bytes,
                            size_t len) SM_IBE_CHECKED;

/* ---- Patterns -------------------------------------------------------------------------------- */

void sm_wkdibe_pattern_hash(const struct sm_ibe_pattern *p, uint8_t hash[SM_SHA256_SIZE]);
/* The scalar of a FIXED slot, 0 of a NULL one. SM_ERR_INVALID when the struct is broken. */
int sm_wkdibe_pattern_scalar(const struct sm_ibe_pattern *p, unsigned slot,
                             struct sm_bls_scalar *v) SM_IBE_CHECKED;

/* ---- Randomness ------------------------------------------------------------------------------ */

/* A random scalar but zero, for a purpose and, if there is one, a pattern. */
int sm_wkdibe_random_scalar(struct sm_bls_scalar *s, struct sm_ibe_rng *rng, const char *purpose,
                            const struct sm_ibe_pattern *p) SM_IBE_CHECKED;
int sm_wkdibe_random_bytes(uint8_t out[SM_SHA256_SIZE], struct sm_ibe_rng *rng, const char *purpose,
                           const struct sm_ibe_pattern *p) SM_IBE_CHECKED;

/* Clear the stack below the caller as deep as the curve and the hashes go: they wipe scalars and
 * tables, and not every half of a number on the way. Called last, after whatever had secrets. */
void sm_wkdibe_burn(void);

/* A hash that leaves nothing of the secret in memory. */
void sm_wkdibe_secret_hash(uint8_t hash[SM_SHA256_SIZE], const void *secret, size_t len);

/* ---- Points ---------------------------------------------------------------------------------- */

void sm_wkdibe_g1_store(struct sm_ibe_g1 *to, const struct sm_bls_g1 *p);
void sm_wkdibe_g2_store(struct sm_ibe_g2 *to, const struct sm_bls_g2 *p);
void sm_wkdibe_g1_load(struct sm_bls_g1 *p, const struct sm_ibe_g1 *from);
void sm_wkdibe_g2_load(struct sm_bls_g2 *p, const struct sm_ibe_g2 *from);

/* X of a pattern: g3 and, of each FIXED slot i, its value times h_i. */
int sm_wkdibe_pattern_point(struct sm_bls_g1 *x, const struct sm_ibe_params *params,
                            const struct sm_ibe_pattern *p) SM_IBE_CHECKED;
/* Whether e(a, g) = Z e(x, b), which holds for a key and for a signature. */
bool sm_wkdibe_relation_holds(const struct sm_ibe_params *params, const struct sm_bls_g1 *a,
                              const struct sm_bls_g1 *x, const struct sm_bls_g2 *b);

/* ---- Keys ------------------------------------------------------------------------------------ */

/* The key's first element as it would be for a pattern that it matches. It is not randomised, so it
 * must not leave the function that asked for it; wipe it there. */
int sm_wkdibe_specialise(struct sm_bls_g1 *a, const struct sm_ibe_key *key,
                         const struct sm_ibe_g1 *a0,
                         const struct sm_ibe_pattern *to) SM_IBE_CHECKED;

/* All of a key but a0: from the one it comes from, if any, randomised with r. */
void sm_wkdibe_randomise_rest(struct sm_ibe_key *key, const struct sm_ibe_params *params,
                              const struct sm_ibe_key *from, const struct sm_bls_scalar *r);

/* Whether a key's elements belong together: sums of them, and of what they must be multiples of,
 * each times a number that follows from the whole encoding. sm_wkdibe_relation_holds() of left,
 * right and a1. */
struct ibe_check {
    struct sm_bls_g1 left, right;
    uint8_t seed[SM_SHA256_SIZE + 1];
};
int sm_wkdibe_check_begin(struct ibe_check *c, const struct sm_ibe_key *key,
                          const struct sm_ibe_params *params, const uint8_t *bytes,
                          size_t len) SM_IBE_CHECKED;
/* label: another one for each b; below 32 they are the key's own. */
int sm_wkdibe_check_add(struct ibe_check *c, const struct sm_bls_g1 *b, const struct sm_bls_g1 *h,
                        unsigned label) SM_IBE_CHECKED;

/* ---- Encapsulation of a given seed ----------------------------------------------------------- */

#define IBE_SEED_SIZE 32u

/* A seed, and a hash of what else it is to be bound to. */
struct ibe_seed {
    uint8_t bytes[IBE_SEED_SIZE], context[SM_SHA256_SIZE];
};

/* The parts of it. t of a seed: for one seed another for every pattern, parameters and context. */
int sm_wkdibe_seed_scalar(struct sm_bls_scalar *t, const struct sm_ibe_params *params,
                          const struct sm_ibe_pattern *q,
                          const struct ibe_seed *seed) SM_IBE_CHECKED;
/* B, C and the D_i to out, and, unless it is NULL, W. */
void sm_wkdibe_with_t(uint8_t *out, struct sm_bls_gt *w, const struct sm_ibe_params *params,
                      const struct sm_ibe_target *target, const struct sm_bls_scalar *t);
/* W again, from a key that matches. */
int sm_wkdibe_recover(struct sm_bls_gt *w, const struct sm_ibe_key *key, const struct sm_ibe_g1 *a0,
                      const struct sm_ibe_pattern *q, const uint8_t *ciphertext) SM_IBE_CHECKED;
/* Between the seed and its form behind a ciphertext, both ways. */
int sm_wkdibe_mask_seed(uint8_t out[IBE_SEED_SIZE], const uint8_t in[IBE_SEED_SIZE],
                        const struct sm_ibe_params *params, const struct sm_ibe_pattern *q,
                        const uint8_t *ciphertext, size_t len,
                        const struct sm_bls_gt *w) SM_IBE_CHECKED;

/* A ciphertext that gives the seed to all keys that match: what it is made with follows from the
 * seed, its context and the target, so one seed makes different ciphertexts for different patterns,
 * and whoever has the seed can check all of it. Bytes written, or SM_ERR_MEMORY. */
int sm_wkdibe_wrap(uint8_t *out, size_t size, const struct sm_ibe_params *params,
                   const struct sm_ibe_target *target, const struct ibe_seed *seed) SM_IBE_CHECKED;
/* The seed's context is the caller's. *good: all ones when the ciphertext is what sm_wkdibe_wrap
 * makes of the seed that comes out, else 0; the seed is then not to be used. Errors as
 * sm_ibe_decaps. */
int sm_wkdibe_unwrap(struct ibe_seed *seed, uint8_t *good, const struct sm_ibe_params *params,
                     const struct sm_ibe_key *key, const struct sm_ibe_target *target,
                     const uint8_t *ciphertext, size_t len) SM_IBE_CHECKED;

/* ---- Encodings ------------------------------------------------------------------------------- */

static inline void ibe_put32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static inline void ibe_put64(uint8_t *p, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static inline uint32_t ibe_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t ibe_get64(const uint8_t *p)
{
    return (uint64_t)ibe_get32(p) << 32 | ibe_get32(p + 4);
}

#endif

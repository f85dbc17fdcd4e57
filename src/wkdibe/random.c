/* Random numbers of the scheme: each is a hash of fresh entropy, the device's secret, a counter,
 * the purpose and the pattern. Owns nothing: the state is the caller's.
 *
 * Why the pattern is in it: two ciphertexts with one random number whose patterns differ in a slot
 * give everybody that slot's h_i to that number, which turns the slot into a wildcard. Should the
 * entropy repeat, and the counter too, the numbers still differ where the patterns do.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "ibe.h"

/* What bench/wkdibe.sh measures below these functions on Cortex-M4, and half as much again where
 * words have 64 bits. */
#define BURN (sizeof(void *) > 4 ? 24576 : 12544)

__attribute__((noinline)) void sm_wkdibe_burn(void)
{
    uint8_t room[BURN];
    sm_wipe(room, sizeof room);
}

void sm_wkdibe_secret_hash(uint8_t hash[SM_SHA256_SIZE], const void *secret, size_t len)
{
    struct sm_sha256 h;
    sm_sha256_init(&h);
    sm_sha256_update(&h, secret, len);
    sm_sha256_final(&h, hash);
    sm_wipe(&h, sizeof h);
}

int sm_ibe_rng_init(struct sm_ibe_rng *rng, const struct sm_entropy *entropy, const void *secret,
                    size_t len, uint64_t counter)
{
    if (len < 16)
        return SM_ERR_ARG;
    rng->entropy = entropy;
    rng->counter = counter;
    sm_wkdibe_secret_hash(rng->secret, secret, len);
    return 0;
}

int sm_wkdibe_random_bytes(uint8_t out[SM_SHA256_SIZE], struct sm_ibe_rng *rng, const char *purpose,
                           const struct sm_ibe_pattern *p)
{
    uint8_t fresh[SM_SHA256_SIZE], count[8], pattern[SM_SHA256_SIZE] = {0};
    struct sm_hmac h;
    if (rng->entropy->fill(rng->entropy->ctx, fresh, sizeof fresh) != 0)
        return SM_ERR_IO;
    ibe_put64(count, rng->counter++);
    if (p)
        sm_wkdibe_pattern_hash(p, pattern);
    sm_hmac_init(&h, rng->secret, sizeof rng->secret);
    sm_hmac_update(&h, fresh, sizeof fresh);
    sm_hmac_update(&h, count, sizeof count);
    sm_hmac_update(&h, pattern, sizeof pattern);
    sm_hmac_update(&h, purpose, strlen(purpose));
    sm_hmac_final(&h, out);
    sm_wipe(fresh, sizeof fresh);
    return 0;
}

int sm_wkdibe_random_scalar(struct sm_bls_scalar *s, struct sm_ibe_rng *rng, const char *purpose,
                            const struct sm_ibe_pattern *p)
{
    uint8_t bytes[SM_SHA256_SIZE];
    int err = sm_wkdibe_random_bytes(bytes, rng, purpose, p);
    if (!err)
        err = sm_bls_hash_to_scalar(s, bytes, sizeof bytes, IBE_DST_RANDOM,
                                    sizeof IBE_DST_RANDOM - 1);
    sm_wipe(bytes, sizeof bytes);
    if (err)
        return err;
    struct sm_bls_scalar more; /* 1 in place of 0, which nobody will see: without a branch */
    sm_bls_scalar_set(&more, sm_bls_scalar_is_zero(s));
    sm_bls_scalar_add(s, s, &more);
    return 0;
}

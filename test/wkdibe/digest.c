/* SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"
#include <sandmote/wkdibe_session.h>
#include <string.h>

#define LEAVES 2u

static struct sm_ibe_params params;
static struct sm_ibe_master master;
static struct sm_ibe_key key, child;
static struct sm_ibe_rng rng;
static uint8_t bytes[SM_IBE_KEY_MAX];

static int fill(void *ctx, void *buf, size_t len)
{
    uint8_t *next = ctx;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = (*next)++;
    return 0;
}

/* Of an encoder or of an operation: its bytes into the hash. */
static int add(struct sm_sha256 *sha, int n)
{
    if (n > 0)
        sm_sha256_update(sha, bytes, (size_t)n);
    return n < 0 ? n : 0;
}

#define DO(call)                                                                                   \
    do {                                                                                           \
        int result_ = (call);                                                                      \
        if (result_ < 0)                                                                           \
            return result_;                                                                        \
    } while (0)

static int names(struct sm_ibe_pattern *p, const char *identity)
{
    struct sm_ibe_detail d;
    DO(sm_ibe_pattern_init(p, 11));
    DO(sm_ibe_name_purpose(p, SM_IBE_ENCRYPT));
    return sm_ibe_name_identity(p, identity, strlen(identity), &d);
}

static int keys(struct sm_sha256 *sha, const struct sm_ibe_pattern *one)
{
    struct sm_ibe_pattern all;
    DO(names(&all, "/entity/Loc1/*"));
    DO(sm_ibe_setup(&params, &master, 11, (const uint8_t[32]){7}, &rng));
    DO(add(sha, sm_ibe_params_encode(&params, bytes, sizeof bytes)));
    DO(add(sha, sm_ibe_master_encode(&master, bytes, sizeof bytes)));
    DO(sm_ibe_keygen(&key, &params, &master, &all, true, &rng));
    DO(add(sha, sm_ibe_key_encode(&key, bytes, sizeof bytes)));
    DO(sm_ibe_delegate(&child, &params, &key, one, true, &rng));
    return add(sha, sm_ibe_key_encode(&child, bytes, sizeof bytes));
}

static int ciphertexts(struct sm_sha256 *sha, const struct sm_ibe_pattern *one)
{
    static struct sm_ibe_target target;
    struct sm_ibe_pattern to;
    uint8_t secret[32], again[32];
    DO(names(&to, "/entity/*/Alice"));
    DO(sm_ibe_target_init(&target, &params, &to));
    int n = sm_ibe_encaps(secret, bytes, sizeof bytes, &params, &target, &rng);
    DO(add(sha, n));
    DO(sm_ibe_decaps(again, &params, &child, &to, bytes, (size_t)n));
    sm_sha256_update(sha, secret, sizeof secret);
    sm_sha256_update(sha, again, sizeof again);
    DO(sm_ibe_sign(bytes, &params, &child, one, "21.5", 4, &rng));
    return add(sha, SM_IBE_SIGNATURE_SIZE);
}

static int session(struct sm_sha256 *sha)
{
    static struct sm_ibe_sender sender;
    struct sm_ibe_pattern to;
    DO(names(&to, "/entity/Loc1/*"));
    DO(add(sha, sm_ibe_sender_open(&sender, bytes, sizeof bytes, &params, &to, 5, &rng)));
    return add(sha, sm_ibe_seal(&sender, bytes, sizeof bytes, "topic", 5, "21.5", 4));
}

int ibe_digest(uint8_t out[SM_SHA256_SIZE])
{
    uint8_t next = 0;
    const struct sm_entropy entropy = {&next, fill};
    struct sm_sha256 sha;
    struct sm_ibe_pattern one;
    sm_sha256_init(&sha);
    DO(sm_ibe_rng_init(&rng, &entropy, "a secret of the device", 22, 0));
    DO(names(&one, "/entity/Loc1/Alice"));
    DO(keys(&sha, &one));
    DO(ciphertexts(&sha, &one));
    DO(session(&sha));
    sm_sha256_final(&sha, out);
    return 0;
}

const uint8_t ibe_digest_expected[SM_SHA256_SIZE] = {
    0x61, 0x22, 0x09, 0x68, 0xb5, 0x59, 0x69, 0x1d, 0xdd, 0x2f, 0x3c, 0xd0, 0xc8, 0x54, 0xd6, 0x76,
    0x77, 0x9d, 0xa9, 0x99, 0xf7, 0x64, 0x9f, 0x65, 0x43, 0x38, 0xb3, 0x38, 0xa2, 0x66, 0xd4, 0xa6};

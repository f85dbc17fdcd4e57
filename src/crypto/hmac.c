/* HMAC and HKDF with SHA-256, for both libraries. Owns nothing.
 *
 * After sm_hmac_init the key itself is gone: what stays are the two hashes that have taken its
 * padded block. As that is what the code depends on, it is wiped like the key.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include <string.h>

#define BLOCK 64u

void sm_hmac_init(struct sm_hmac *h, const void *key, size_t len)
{
    uint8_t pad[BLOCK] = {0};
    if (len > BLOCK)
        sm_sha256(key, len, pad);
    else if (len > 0)
        memcpy(pad, key, len);
    for (unsigned i = 0; i < BLOCK; i++)
        pad[i] ^= 0x36;
    sm_sha256_init(&h->inner);
    sm_sha256_update(&h->inner, pad, BLOCK);
    for (unsigned i = 0; i < BLOCK; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    sm_sha256_init(&h->outer);
    sm_sha256_update(&h->outer, pad, BLOCK);
    sm_wipe(pad, sizeof pad);
}

void sm_hmac_update(struct sm_hmac *h, const void *data, size_t len)
{
    sm_sha256_update(&h->inner, data, len);
}

void sm_hmac_final(struct sm_hmac *h, uint8_t out[SM_SHA256_SIZE])
{
    uint8_t inner[SM_SHA256_SIZE];
    sm_sha256_final(&h->inner, inner);
    sm_sha256_update(&h->outer, inner, sizeof inner);
    sm_sha256_final(&h->outer, out);
    sm_wipe(inner, sizeof inner);
    sm_wipe(h, sizeof *h);
}

int sm_hkdf(uint8_t *out, size_t size, const void *secret, size_t secret_len, const void *salt,
            size_t salt_len, const void *info, size_t info_len)
{
    struct sm_hmac h, keyed;
    uint8_t block[SM_SHA256_SIZE];
    if (size > SM_HKDF_MAX)
        return SM_ERR_LIMIT;
    sm_hmac_init(&h, salt, salt_len); /* no salt is a block of zeros, which is also the empty key */
    sm_hmac_update(&h, secret, secret_len);
    sm_hmac_final(&h, block);
    sm_hmac_init(&keyed, block, sizeof block);
    for (uint8_t n = 1; size > 0; n++) {
        size_t take = size < sizeof block ? size : sizeof block;
        h = keyed;
        if (n > 1)
            sm_hmac_update(&h, block, sizeof block);
        sm_hmac_update(&h, info, info_len);
        sm_hmac_update(&h, &n, 1);
        sm_hmac_final(&h, block);
        memcpy(out, block, take);
        out += take;
        size -= take;
    }
    sm_wipe(&keyed, sizeof keyed);
    sm_wipe(block, sizeof block);
    return 0;
}

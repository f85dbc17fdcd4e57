/* The library sm_crypto: the public interface bound to the compact code.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include "crypto_internal.h"

void sm_sha256_blocks(uint32_t h[8], const uint8_t *blocks, size_t count)
{
    sm_compact_sha256_blocks(h, blocks, count);
}

int sm_ed25519_verify(const uint8_t pub[SM_ED25519_PUBLIC_SIZE], const void *msg, size_t len,
                      const uint8_t sig[SM_ED25519_SIG_SIZE])
{
    return sm_compact_ed25519_verify(pub, msg, len, sig);
}

int sm_aead_seal(uint8_t *out, const uint8_t key[SM_AEAD_KEY_SIZE],
                 const uint8_t nonce[SM_AEAD_NONCE_SIZE], const void *aad, size_t aad_len,
                 const void *msg, size_t len)
{
    if (len > SM_AEAD_MAX || aad_len > SM_AEAD_MAX)
        return SM_ERR_LIMIT;
    sm_compact_aead_seal(out, key, nonce, aad, aad_len, msg, len);
    return 0;
}

int sm_aead_open(uint8_t *out, const uint8_t key[SM_AEAD_KEY_SIZE],
                 const uint8_t nonce[SM_AEAD_NONCE_SIZE], const void *aad, size_t aad_len,
                 const void *sealed, size_t sealed_len)
{
    if (sealed_len < SM_AEAD_TAG_SIZE)
        return SM_ERR_SIGNATURE;
    if (sealed_len - SM_AEAD_TAG_SIZE > SM_AEAD_MAX || aad_len > SM_AEAD_MAX)
        return SM_ERR_LIMIT;
    return sm_compact_aead_open(out, key, nonce, aad, aad_len, sealed,
                                sealed_len - SM_AEAD_TAG_SIZE);
}

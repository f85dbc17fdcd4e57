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

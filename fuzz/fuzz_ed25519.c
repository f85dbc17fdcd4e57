/* Both Ed25519 verifiers on the same bytes must give the same answer.
 *
 * Input: a byte `how`, key, signature, message; what is missing is 0. Bytes alone hardly ever
 * verify, so the bits of `how` replace parts of them: 1 leaves a small S, 2 makes the key the
 * neutral element (then R = S B is what verifies), 4 makes R the neutral element too.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include <stdlib.h>
#include <string.h>
#include "crypto_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct {
        uint8_t how, pub[32], sig[64];
    } in = {0};
    static const uint8_t neutral[32] = {1};
    size_t head = size < sizeof in ? size : sizeof in;
    if (head > 0)
        memcpy(&in, data, head);
    if (in.how & 1)
        memset(in.sig + 33, 0, 31);
    if (in.how & 2)
        memcpy(in.pub, neutral, sizeof neutral);
    if (in.how & 4)
        memcpy(in.sig, neutral, sizeof neutral);
    const uint8_t *msg = data + head;
    size_t len = size - head;
    if (sm_ed25519_verify(in.pub, msg, len, in.sig) !=
        sm_compact_ed25519_verify(in.pub, msg, len, in.sig))
        abort();
    return 0;
}

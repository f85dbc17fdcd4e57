/* Ed25519 verification: whether S*B - k*A encodes to R, with k = SHA-512(R, A, message) mod L.
 *
 * Everything here is public (key, message, signature), so nothing is constant-time and nothing is
 * wiped; do not sign or multiply by secrets with this code.
 *
 * Which inputs are accepted is a contract (include/sandmote/crypto.h): exactly those of
 * OpenSSL 3.0. Any code that computes the group element exactly and follows the same four rules
 * does that:
 *   1. S >= L is refused.
 *   2. A decodes with bit 255 taken off and y mod p, however large y was written; a sign on x = 0
 *      is ignored; a y without x is refused. Small and mixed order is not looked at.
 *   3. k is reduced mod L before it multiplies A. On a key with a small-order part that is another
 *      point than unreduced k gives.
 *   4. The result is encoded canonically and compared with R's bytes, which are never decoded.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include <string.h>
#include "compact_point.h"
#include "compact_scalar.h"
#include "crypto_internal.h"

/* Not inlined, so that the hash is off the stack before the multiplication needs it. */
static __attribute__((noinline)) void hash_to_scalar(struct sm_scalar *k, const uint8_t r[32],
                                                     const uint8_t pub[32], const void *msg,
                                                     size_t len)
{
    struct sm_compact_sha512 sha;
    uint8_t hash[64];
    sm_compact_sha512_init(&sha);
    sm_compact_sha512_update(&sha, r, 32);
    sm_compact_sha512_update(&sha, pub, 32);
    sm_compact_sha512_update(&sha, msg, len);
    sm_compact_sha512_final(&sha, hash);
    sm_scalar_reduce(k, hash);
}

/* Whether it is R. An instruction that the processor skips, by a glitch in its supply, must not
 * make yes of no (doc/attacks.md): so it is looked at in two ways, each with a branch of its own,
 * and the answer lies in memory as no before, stored twice, since what lay there may look like yes.
 * memcmp() comes first, as it leaves something that is
 * not 0 for no, should the answer itself not be fetched. */
static int compare(const uint8_t have[32], const uint8_t r[32])
{
    volatile int answer = SM_ERR_SIGNATURE;
    answer = SM_ERR_SIGNATURE;
    if (memcmp(have, r, 32) == 0 && sm_ct_equal(have, r, 32))
        answer = SM_OK;
    return answer;
}

int sm_compact_ed25519_verify(const uint8_t pub[32], const void *msg, size_t len,
                              const uint8_t sig[64])
{
    struct sm_scalar s, k;
    struct sm_point p;
    uint8_t r[32];
    if (!sm_scalar_load(&s, sig + 32) || sm_point_decode_negative(&p, pub) != SM_OK)
        return SM_ERR_SIGNATURE;
    hash_to_scalar(&k, sig, pub, msg, len);
    sm_point_multiply_add(&p, &s, &k);
    sm_point_encode(r, &p);
    return compare(r, sig);
}

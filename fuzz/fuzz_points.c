/* The decoders of points of BLS12-381: what they take is on the curve, in the group, and has no
 * other encoding.
 *
 * Input: a byte `how`, then the point. Bytes alone are hardly ever a point of the group, so `how` &
 * 4 makes one of them: a multiple of the generator, with the bits of two bytes changed where the
 * other bytes are not 0. `how` & 3 is what is allowed, & 8 chooses G2, & 16 the long encoding.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include "bls12_381.h"

static void check(bool good)
{
    if (!good)
        abort();
}

static size_t make(uint8_t out[192], unsigned how, const uint8_t *data, size_t size)
{
    struct sm_bls_scalar k;
    struct sm_bls_g1 p;
    struct sm_bls_g2 q;
    size_t head = size < 4 ? size : 4;
    uint8_t edit[4] = {0};
    memcpy(edit, data, head);
    sm_bls_scalar_set(&k, size > 4 ? data[4] : 1);
    sm_bls_g1_generator(&p);
    sm_bls_g1_mul_public(&p, &p, &k);
    sm_bls_g2_mul_generator(&q, &k);
    size_t len = how & 8 ? 96 : 48;
    if (how & 8)
        how & 16 ? sm_bls_g2_encode_uncompressed(out, &q) : sm_bls_g2_encode(out, &q);
    else
        how & 16 ? sm_bls_g1_encode_uncompressed(out, &p) : sm_bls_g1_encode(out, &p);
    len = how & 16 ? 2 * len : len;
    out[edit[0] % len] ^= edit[1];
    out[edit[2] % len] ^= edit[3];
    return len;
}

static void one(const uint8_t *in, size_t len, unsigned how)
{
    struct sm_bls_g1 p;
    uint8_t out[96];
    if (sm_bls_g1_decode(&p, in, len, how & 3) != 0) {
        check(sm_bls_g1_is_infinity(&p));
        return;
    }
    check(len == 48 || len == 96);
    len == 48 ? sm_bls_g1_encode(out, &p) : sm_bls_g1_encode_uncompressed(out, &p);
    check(memcmp(out, in, len) == 0);
    check((how & SM_BLS_TRUSTED) || sm_bls_g1_in_group(&p));
    check((how & SM_BLS_INFINITY_OK) || !sm_bls_g1_is_infinity(&p));
}

static void two(const uint8_t *in, size_t len, unsigned how)
{
    struct sm_bls_g2 p;
    uint8_t out[192];
    if (sm_bls_g2_decode(&p, in, len, how & 3) != 0) {
        check(sm_bls_g2_is_infinity(&p));
        return;
    }
    check(len == 96 || len == 192);
    len == 96 ? sm_bls_g2_encode(out, &p) : sm_bls_g2_encode_uncompressed(out, &p);
    check(memcmp(out, in, len) == 0);
    check((how & SM_BLS_TRUSTED) || sm_bls_g2_in_group(&p));
    check((how & SM_BLS_INFINITY_OK) || !sm_bls_g2_is_infinity(&p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned how = *data++;
    size--;
    uint8_t made[192];
    if (how & 4) {
        size = make(made, how, data, size);
        data = made;
    }
    how & 8 ? two(data, size, how) : one(data, size, how);
    return 0;
}

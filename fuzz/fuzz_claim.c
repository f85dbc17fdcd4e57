/* Fuzz target: claims about native images.
 *
 * The input is read as a claim, and verified in a trust store with one builder's key, whose private
 * half nobody has. What can be read is encoded again to the input's own bytes: there is one
 * encoding. What is refused says why, at a place inside the input; nothing verifies.
 *
 * With its first bit the first byte chooses that the rest is a list of edits to a good claim, two
 * bytes each, so that what lies behind the fixed parts is reached.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sandmote/trust.h>
#include "object.h"

static void require(bool fact)
{
    if (!fact)
        abort();
}

static void check(const uint8_t *bytes, size_t len)
{
    static const uint8_t key[32] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
                                    0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
                                    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25,
                                    0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
    struct sm_trust_key room[1];
    struct sm_trust trust;
    struct sm_native_claim claim;
    struct sm_manifest_detail d = {0};
    uint8_t again[SM_CLAIM_MAX];
    if (sm_claim_read(&claim, bytes, len, &d) == 0) {
        require(sm_claim_encode(&claim, bytes + len - 64, again, sizeof again) == (int)len);
        require(memcmp(again, bytes, len) == 0);
    } else {
        require(d.rule && *d.rule && d.offset <= len);
    }
    sm_trust_init(&trust, room, 1);
    require(sm_trust_add(&trust, SM_ROLE_BUILDER, "plant-7", key) == 0);
    d = (struct sm_manifest_detail){0};
    require(sm_trust_verify_native(&trust, bytes, len, "plant-7", &claim, &d) != 0);
    require(d.rule && *d.rule && d.offset <= len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct sm_native_claim good = {.image_len = 70000, .target = 1};
    uint8_t bytes[SM_CLAIM_MAX], sig[64] = {0};
    if (fuzz_as_it_is(data, len, check))
        return 0;
    int n = sm_claim_encode(&good, sig, bytes, sizeof bytes);
    require(n > 0);
    fuzz_change(bytes, (unsigned)n, data, len);
    check(bytes, (size_t)n);
    return 0;
}

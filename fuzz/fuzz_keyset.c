/* Fuzz target: key sets.
 *
 * The input is read as a key set, and offered as a first set and as the successor of another whose
 * roots nobody has the private halves of. What can be read is made a plan of and encoded again to
 * the input's own bytes: there is one encoding. What is refused says why, at a place inside the
 * input; nothing is accepted.
 *
 * With its first bit the first byte chooses that the rest is a list of edits to a good set, three
 * bytes each, so that what lies behind the fixed parts is reached.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sandmote/keyset.h>
#include "object.h"

#define ROOM 32768u

static void require(bool fact)
{
    if (!fact)
        abort();
}

static void use(const struct sm_keyset *set)
{
    struct sm_keyset_key k;
    struct sm_revocation r;
    struct sm_trust_key room[SM_KEYSET_KEYS_MAX];
    struct sm_trust trust;
    uint32_t cursor = 0, keys = 0, len;
    while (sm_keyset_next_key(set, &cursor, &k)) {
        keys++;
        if (k.role == SM_ROLE_VENDOR)
            (void)sm_vendor_scope_covers(&k.scope, "sensor/BME280/temperature:r");
    }
    require(keys == set->nkeys);
    for (uint32_t i = 0; i < set->nroots; i++)
        require(sm_trust_key_fits(sm_keyset_root(set, i)));
    for (uint32_t i = 0; i < set->nanchors; i++)
        require(sm_keyset_anchor(set, i, &len) != NULL && len > 0);
    for (uint32_t i = 0; sm_keyset_revocation(set, i, &r); i++)
        require(sm_keyset_revoked(set, (enum sm_revoked_kind)r.kind, r.id, NULL));
    sm_trust_init(&trust, room, SM_KEYSET_KEYS_MAX);
    require(sm_keyset_trust(set, 0, &trust) == 0);
}

/* Without its signatures the object is what its plan gives. */
static void encode_again(const struct sm_keyset *set, const uint8_t *bytes, size_t len)
{
    static struct sm_keyset_plan plan;
    static uint8_t a[ROOM], b[ROOM];
    struct sm_manifest_detail d;
    sm_keyset_plan(set, &plan);
    int n = sm_keyset_make(&plan, a, sizeof a, &d);
    require(n > 0);
    for (uint32_t i = 0; i < sm_keyset_signatures(bytes, len); i++) {
        const uint8_t *key = sm_keyset_signed_by(bytes, len, i);
        n = sm_keyset_add_signature(a, (size_t)n, key, key + 35, b, sizeof b);
        require(n > 0);
        memcpy(a, b, (size_t)n);
    }
    require((size_t)n == len && memcmp(a, bytes, len) == 0);
}

static int a_set(uint8_t *out, size_t size, struct sm_keyset_plan *plan)
{
    static const uint8_t root[32] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
                                     0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
                                     0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25,
                                     0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
    struct sm_manifest_detail d;
    memset(plan, 0, sizeof *plan);
    strcpy(plan->fleet, "plant-7");
    plan->version = 1;
    plan->threshold = 1;
    plan->nroots = 1;
    memcpy(plan->root[0], root, 32);
    plan->nkeys = 2;
    for (uint32_t i = 0; i < 2; i++) {
        plan->key[i].role = i ? SM_ROLE_VENDOR : SM_ROLE_SIGNER;
        plan->key[i].key[0] = (uint8_t)(2 + i);
    }
    strcpy(plan->key[1].model, "BME280");
    strcpy(plan->key[1].bus, "i2c-1");
    plan->key[1].addresses = 1;
    plan->key[1].address[0] = 0x76;
    plan->key[1].capabilities = 1;
    strcpy(plan->key[1].capability[0], "sensor/*");
    plan->nrevoked = 1;
    plan->revoked[0].kind = SM_REVOKED_MODULE;
    plan->nanchors = 1;
    plan->anchor[0].len = 3;
    plan->npins = 2;
    plan->pin[1][0] = 1;
    return sm_keyset_make(plan, out, size, &d);
}

static void check(const uint8_t *bytes, size_t len)
{
    static struct sm_keyset_plan plan;
    static uint8_t work[SM_KEYSET_MAX + SM_KEYSET_OVERHEAD], first[ROOM];
    struct sm_keyset set, now;
    struct sm_manifest_detail d = {0};
    if (sm_keyset_read(&set, bytes, len, &d) == 0) {
        use(&set);
        encode_again(&set, bytes, len);
    } else {
        require(d.rule && *d.rule && d.offset <= len);
    }
    int n = a_set(first, sizeof first, &plan);
    require(n > 0 && sm_keyset_read(&now, first, (size_t)n, &d) == 0);
    d = (struct sm_manifest_detail){0};
    require(sm_keyset_accept(&set, bytes, len, &now, work, sizeof work, &d) != 0);
    require(d.rule && *d.rule && d.offset <= len);
    require(sm_keyset_accept(&set, bytes, len, NULL, work, sizeof work, &d) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct sm_keyset_plan plan;
    static uint8_t bytes[ROOM], more[ROOM];
    if (fuzz_as_it_is(data, len, check))
        return 0;
    static const uint8_t sig[64];
    int n = a_set(bytes, sizeof bytes, &plan);
    require(n > 0);
    n = sm_keyset_add_signature(bytes, (size_t)n, plan.root[0], sig, more, sizeof more);
    require(n > 0);
    for (size_t i = 1; i + 2 < len; i += 3)
        more[(data[i] << 8 | data[i + 1]) % (unsigned)n] = data[i + 2];
    check(more, (size_t)n);
    return 0;
}

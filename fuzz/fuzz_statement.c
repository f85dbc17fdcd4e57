/* Fuzz target: statements of what is current.
 *
 * The input is read, and verified in a trust store with one server's key, whose private half nobody
 * has. What can be read answers for every name; what is refused says why, at a place inside the
 * input; nothing verifies. With its first bit the first byte chooses that the rest is a list of
 * edits to a good statement, two bytes each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sandmote/statement.h>
#include "object.h"

static void require(bool fact)
{
    if (!fact)
        abort();
}

/* There is one encoding: the plan of what was read gives the input's own bytes. */
static void encode_again(const struct sm_statement *st, const uint8_t *bytes, size_t len)
{
    struct sm_statement_plan p = {.issued_s = st->issued_s,
                                  .expires_s = st->expires_s,
                                  .keys_version = st->keys_version,
                                  .nmodules = st->nmodules};
    uint8_t again[SM_STATEMENT_MAX];
    uint64_t sequence;
    const uint8_t *at = st->modules;
    p.answers = st->nonce != NULL;
    if (p.answers)
        memcpy(p.nonce, st->nonce, sizeof p.nonce);
    memcpy(p.fleet, st->fleet, sizeof p.fleet);
    memcpy(p.channel, st->channel, sizeof p.channel);
    for (uint32_t i = 0; i < st->nmodules; i++) { /* 82, the name's head, the name, the number */
        uint32_t n = at[1] == 0x78 ? at[2] : at[1] & 31;
        at += at[1] == 0x78 ? 3 : 2;
        memcpy(p.module[i].name, at, n);
        require(sm_statement_sequence(st, p.module[i].name, &sequence) == 0);
        p.module[i].sequence = sequence;
        at += n;
        at += *at < 24 ? 1 : 1 + (1u << (*at - 24));
    }
    require(sm_statement_encode(&p, bytes + len - 64, again, sizeof again) == (int)len);
    require(memcmp(again, bytes, len) == 0);
}

static void check(const uint8_t *bytes, size_t len)
{
    static const uint8_t key[32] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
                                    0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
                                    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25,
                                    0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
    uint8_t work[SM_STATEMENT_MAX + SM_STATEMENT_OVERHEAD];
    struct sm_trust_key room[1];
    struct sm_trust trust;
    struct sm_statement st;
    struct sm_manifest_detail d = {0};
    if (sm_statement_read(&st, bytes, len, &d) == 0)
        encode_again(&st, bytes, len);
    else
        require(d.rule && *d.rule && d.offset <= len);
    sm_trust_init(&trust, room, 1);
    require(sm_trust_add(&trust, SM_ROLE_SERVER, "plant-7", key) == 0);
    d = (struct sm_manifest_detail){0};
    require(sm_trust_verify_statement(&trust, bytes, len, "plant-7", &st, work, sizeof work, &d) !=
            0);
    require(d.rule && *d.rule && d.offset <= len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct sm_statement_plan good = {.fleet = "plant-7",
                                                  .channel = "stable",
                                                  .issued_s = 1700000000,
                                                  .expires_s = 1700086400,
                                                  .keys_version = 3,
                                                  .nmodules = 2,
                                                  .module = {{"pump", 12}, {"thermostat", 7}}};
    static const uint8_t sig[64];
    uint8_t bytes[SM_STATEMENT_MAX];
    if (fuzz_as_it_is(data, len, check))
        return 0;
    int n = sm_statement_encode(&good, sig, bytes, sizeof bytes);
    require(n > 0);
    fuzz_change(bytes, (unsigned)n, data, len);
    check(bytes, (size_t)n);
    return 0;
}

/* Patterns: matching, refining, and their one encoding. Owns nothing.
 *
 * Invariant: value is zero bytes where a slot is not FIXED, so equal patterns are equal bytes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "ibe.h"

int sm_ibe_pattern_init(struct sm_ibe_pattern *p, unsigned slots)
{
    if (slots == 0 || slots > SM_IBE_SLOTS_MAX)
        return SM_ERR_LIMIT;
    memset(p, 0, sizeof *p); /* SM_IBE_NULL is 0 */
    p->slots = (uint8_t)slots;
    return 0;
}

static int set_kind(struct sm_ibe_pattern *p, unsigned slot, enum sm_ibe_kind kind)
{
    if (slot >= p->slots || slot >= SM_IBE_SLOTS_MAX)
        return SM_ERR_ARG;
    memset(p->value[slot], 0, SM_IBE_VALUE_SIZE);
    p->kind[slot] = (uint8_t)kind;
    return 0;
}

int sm_ibe_pattern_set_null(struct sm_ibe_pattern *p, unsigned slot)
{
    return set_kind(p, slot, SM_IBE_NULL);
}

int sm_ibe_pattern_set_wild(struct sm_ibe_pattern *p, unsigned slot)
{
    return set_kind(p, slot, SM_IBE_WILD);
}

int sm_ibe_pattern_set(struct sm_ibe_pattern *p, unsigned slot, uint8_t type, const void *bytes,
                       size_t len)
{
    uint8_t text[4 + SM_SHA256_SIZE] = {(uint8_t)slot, type, (uint8_t)(len >> 8), (uint8_t)len};
    struct sm_bls_scalar v;
    if (len > 65535 || set_kind(p, slot, SM_IBE_FIXED) != 0)
        return SM_ERR_ARG;
    sm_sha256(bytes, len, text + 4);
    int err = sm_bls_hash_to_scalar(&v, text, sizeof text, IBE_DST_VALUE, sizeof IBE_DST_VALUE - 1);
    if (err)
        return err;
    if (sm_bls_scalar_is_zero(&v)) /* 0 is NULL; nobody can find bytes that come here */
        sm_bls_scalar_set(&v, 1);
    sm_bls_scalar_encode(p->value[slot], &v);
    return 0;
}

enum sm_ibe_kind sm_ibe_pattern_kind(const struct sm_ibe_pattern *p, unsigned slot)
{
    return slot < p->slots && slot < SM_IBE_SLOTS_MAX ? (enum sm_ibe_kind)p->kind[slot]
                                                      : SM_IBE_NULL;
}

unsigned sm_ibe_pattern_wilds(const struct sm_ibe_pattern *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < SM_IBE_SLOTS_MAX; i++)
        n += sm_ibe_pattern_kind(p, i) == SM_IBE_WILD;
    return n;
}

static bool same_slot(const struct sm_ibe_pattern *a, const struct sm_ibe_pattern *b, unsigned i)
{
    return a->kind[i] == b->kind[i] && memcmp(a->value[i], b->value[i], SM_IBE_VALUE_SIZE) == 0;
}

bool sm_ibe_pattern_match(const struct sm_ibe_pattern *key, const struct sm_ibe_pattern *to)
{
    if (key->slots != to->slots || key->slots > SM_IBE_SLOTS_MAX)
        return false;
    for (unsigned i = 0; i < key->slots; i++)
        if (key->kind[i] != SM_IBE_WILD && to->kind[i] != SM_IBE_WILD && !same_slot(key, to, i))
            return false;
    return true;
}

bool sm_ibe_pattern_refines(const struct sm_ibe_pattern *from, const struct sm_ibe_pattern *to)
{
    if (from->slots != to->slots || from->slots > SM_IBE_SLOTS_MAX)
        return false;
    for (unsigned i = 0; i < from->slots; i++)
        if (from->kind[i] != SM_IBE_WILD && !same_slot(from, to, i))
            return false;
    return true;
}

int sm_wkdibe_pattern_scalar(const struct sm_ibe_pattern *p, unsigned slot, struct sm_bls_scalar *v)
{
    return sm_bls_scalar_decode(v, p->value[slot]);
}

/* ---- The encoding: slots; two bits a slot, from the low ones up; the values in turn -----------
 */

int sm_ibe_pattern_encode(const struct sm_ibe_pattern *p, uint8_t *out, size_t size)
{
    if (p->slots == 0 || p->slots > SM_IBE_SLOTS_MAX)
        return SM_ERR_ARG;
    size_t at = 1 + (p->slots + 3u) / 4u;
    if (size < at)
        return SM_ERR_MEMORY;
    memset(out, 0, at);
    out[0] = p->slots;
    for (unsigned i = 0; i < p->slots; i++) {
        out[1 + i / 4] |= (uint8_t)(p->kind[i] << 2 * (i % 4));
        if (p->kind[i] != SM_IBE_FIXED)
            continue;
        if (size - at < SM_IBE_VALUE_SIZE)
            return SM_ERR_MEMORY;
        memcpy(out + at, p->value[i], SM_IBE_VALUE_SIZE);
        at += SM_IBE_VALUE_SIZE;
    }
    return (int)at;
}

static int take_value(struct sm_ibe_pattern *p, unsigned slot, const uint8_t *bytes)
{
    struct sm_bls_scalar v;
    memcpy(p->value[slot], bytes, SM_IBE_VALUE_SIZE);
    int err = sm_wkdibe_pattern_scalar(p, slot, &v);
    return err ? err : sm_bls_scalar_is_zero(&v) ? SM_ERR_INVALID : 0;
}

int sm_ibe_pattern_decode(struct sm_ibe_pattern *p, const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return SM_ERR_MALFORMED;
    int err = sm_ibe_pattern_init(p, bytes[0]);
    if (err)
        return err;
    unsigned kinds = (p->slots + 3u) / 4u;
    size_t at = 1 + kinds;
    if (len < at)
        return SM_ERR_MALFORMED;
    for (unsigned i = 0; i < 4 * kinds; i++) {
        uint8_t kind = bytes[1 + i / 4] >> 2 * (i % 4) & 3;
        if (kind > SM_IBE_WILD || (i >= p->slots && kind))
            return SM_ERR_MALFORMED;
        if (i >= p->slots)
            continue;
        p->kind[i] = kind;
        if (kind != SM_IBE_FIXED)
            continue;
        if (len - at < SM_IBE_VALUE_SIZE)
            return SM_ERR_MALFORMED;
        err = take_value(p, i, bytes + at);
        if (err)
            return err;
        at += SM_IBE_VALUE_SIZE;
    }
    return (int)at;
}

void sm_wkdibe_pattern_hash(const struct sm_ibe_pattern *p, uint8_t hash[SM_SHA256_SIZE])
{
    uint8_t bytes[SM_IBE_PATTERN_MAX];
    int len = sm_ibe_pattern_encode(p, bytes, sizeof bytes);
    sm_sha256(bytes, len > 0 ? (size_t)len : 0, hash);
}

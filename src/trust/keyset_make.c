/* Making key sets and signing them: for tools, apart from the reader that devices link.
 *
 * A plan is put in order, written, and read back by the reader that devices use: what this makes,
 * they take.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "keyset.h"

#include <string.h>

/* ---- Plans ----------------------------------------------------------------------------------- */

static void copy_scope(struct sm_keyset_plan_key *to, const struct sm_vendor_scope *s)
{
    memcpy(to->model, s->model, s->model_len);
    memcpy(to->bus, s->bus, s->bus_len);
    to->addresses = s->addresses;
    memcpy(to->address, s->address, s->addresses * sizeof s->address[0]);
    to->capabilities = s->capabilities;
    for (uint32_t i = 0; i < s->capabilities; i++)
        memcpy(to->capability[i], s->capability[i], s->capability_len[i]);
}

void sm_keyset_plan(const struct sm_keyset *set, struct sm_keyset_plan *plan)
{
    struct sm_keyset_key k;
    struct sm_revocation r;
    uint32_t cursor = 0;
    memset(plan, 0, sizeof *plan);
    memcpy(plan->fleet, set->fleet, sizeof plan->fleet);
    plan->version = set->version;
    plan->threshold = set->threshold;
    plan->issued_s = set->issued_s;
    plan->expires_s = set->expires_s;
    for (uint32_t i = 0; i < set->nroots; i++)
        memcpy(plan->root[plan->nroots++], sm_keyset_root(set, i), 32);
    while (sm_keyset_next_key(set, &cursor, &k)) {
        struct sm_keyset_plan_key *to = &plan->key[plan->nkeys++];
        to->role = k.role;
        to->expires_s = k.expires_s;
        memcpy(to->key, k.key, sizeof to->key);
        if (k.role == SM_ROLE_VENDOR)
            copy_scope(to, &k.scope);
    }
    for (uint32_t i = 0; sm_keyset_revocation(set, i, &r); i++) {
        plan->revoked[plan->nrevoked].kind = r.kind;
        plan->revoked[plan->nrevoked].stop = r.stop;
        memcpy(plan->revoked[plan->nrevoked++].id, r.id, 32);
    }
    for (uint32_t i = 0; i < set->nanchors; i++) {
        const uint8_t *der = sm_keyset_anchor(set, i, &plan->anchor[i].len);
        memcpy(plan->anchor[plan->nanchors++].der, der, plan->anchor[i].len);
    }
    for (uint32_t i = 0; i < set->npins; i++)
        memcpy(plan->pin[plan->npins++], sm_keyset_pin(set, i), 32);
}

/* Items of `size` bytes in ascending order of the 32 bytes at `at` in each. */
static void sort(void *list, uint32_t count, size_t size, size_t at)
{
    uint8_t *items = list, swap[64];
    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t j = i; j > 0; j--) {
            uint8_t *a = items + (j - 1) * size, *b = items + j * size;
            if (memcmp(a + at, b + at, 32) <= 0)
                break;
            for (size_t k = 0; k < size; k += sizeof swap) {
                size_t n = size - k < sizeof swap ? size - k : sizeof swap;
                memcpy(swap, a + k, n);
                memcpy(a + k, b + k, n);
                memcpy(b + k, swap, n);
            }
        }
    }
}

static void sort_addresses(struct sm_keyset_plan_key *k)
{
    for (uint32_t i = 1; i < k->addresses; i++) {
        for (uint32_t j = i; j > 0 && k->address[j - 1] > k->address[j]; j--) {
            uint32_t swap = k->address[j];
            k->address[j] = k->address[j - 1];
            k->address[j - 1] = swap;
        }
    }
}

static void sort_lists(struct sm_keyset_plan *p)
{
    sort(p->root, p->nroots, sizeof p->root[0], 0);
    sort(p->key, p->nkeys, sizeof p->key[0], offsetof(struct sm_keyset_plan_key, key));
    sort(p->revoked, p->nrevoked, sizeof p->revoked[0],
         (size_t)((uint8_t *)p->revoked[0].id - (uint8_t *)p->revoked));
    sort(p->pin, p->npins, sizeof p->pin[0], 0);
    for (uint32_t i = 0; i < p->nkeys; i++)
        sort_addresses(&p->key[i]);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void put_text(struct sm_cbor_out *out, const char *text)
{
    sm_cbor_put_text(out, text, strlen(text));
}

static void put_ids(struct sm_cbor_out *out, const uint8_t (*ids)[32], uint32_t count)
{
    sm_cbor_put_array(out, count);
    for (uint32_t i = 0; i < count; i++)
        sm_cbor_put_bytes(out, ids[i], 32);
}

static void put_key(struct sm_cbor_out *out, const struct sm_keyset_plan_key *k)
{
    sm_cbor_put_array(out, 4);
    sm_cbor_put_uint(out, k->role);
    sm_cbor_put_bytes(out, k->key, sizeof k->key);
    sm_cbor_put_uint(out, k->expires_s);
    sm_cbor_put_array(out, k->role == SM_ROLE_VENDOR ? 4 : 0);
    if (k->role != SM_ROLE_VENDOR)
        return;
    put_text(out, k->model);
    put_text(out, k->bus);
    sm_cbor_put_array(out, k->addresses);
    for (uint32_t i = 0; i < k->addresses; i++)
        sm_cbor_put_uint(out, k->address[i]);
    sm_cbor_put_array(out, k->capabilities);
    for (uint32_t i = 0; i < k->capabilities; i++)
        put_text(out, k->capability[i]);
}

static void put_number(struct sm_cbor_out *out, uint32_t key, uint64_t value)
{
    sm_cbor_put_uint(out, key);
    sm_cbor_put_uint(out, value);
}

static void put_payload(struct sm_cbor_out *out, const struct sm_keyset_plan *p)
{
    sm_cbor_put_map(out, 11);
    put_number(out, 1, SM_KEYSET_FORMAT);
    sm_cbor_put_uint(out, 2);
    put_text(out, p->fleet);
    put_number(out, 3, p->version);
    put_number(out, 4, p->issued_s);
    put_number(out, 5, p->expires_s);
    put_number(out, 6, p->threshold);
    sm_cbor_put_uint(out, 7);
    put_ids(out, p->root, p->nroots);
    sm_cbor_put_uint(out, 8);
    sm_cbor_put_array(out, p->nkeys);
    for (uint32_t i = 0; i < p->nkeys; i++)
        put_key(out, &p->key[i]);
    sm_cbor_put_uint(out, 9);
    sm_cbor_put_array(out, p->nrevoked);
    for (uint32_t i = 0; i < p->nrevoked; i++) {
        sm_cbor_put_array(out, 3);
        sm_cbor_put_uint(out, p->revoked[i].kind);
        sm_cbor_put_bytes(out, p->revoked[i].id, 32);
        sm_cbor_put_uint(out, p->revoked[i].stop);
    }
    sm_cbor_put_uint(out, 10);
    sm_cbor_put_array(out, p->nanchors);
    for (uint32_t i = 0; i < p->nanchors; i++)
        sm_cbor_put_bytes(out, p->anchor[i].der, p->anchor[i].len);
    sm_cbor_put_uint(out, 11);
    put_ids(out, p->pin, p->npins);
}

int sm_keyset_make(struct sm_keyset_plan *plan, uint8_t *out, size_t size,
                   struct sm_manifest_detail *detail)
{
    struct sm_cbor_out payload = {out, size, 0}, object = {out, size, 0};
    struct sm_keyset set;
    sort_lists(plan);
    put_payload(&payload, plan);
    if (payload.len + SM_KEYSET_OVERHEAD > size)
        return SM_ERR_MEMORY;
    /* The envelope goes before it: the payload waits at the end of the room. */
    uint8_t *at = out + size - payload.len;
    memmove(at, out, payload.len);
    sm_cose_sign_put(&object, SM_KEYSET_TYPE, at, payload.len, 0);
    int err = sm_keyset_read(&set, out, object.len, detail);
    return err ? err : (int)object.len;
}

/* ---- Signatures ------------------------------------------------------------------------------ */

int sm_keyset_to_sign(const uint8_t *bytes, size_t len, const uint8_t root[SM_ED25519_PUBLIC_SIZE],
                      uint8_t *out, size_t size)
{
    struct sm_cbor_out cbor = {out, size, 0};
    struct sm_cose_sign object;
    struct sm_manifest_detail detail;
    if (sm_cose_sign_read(&object, SM_KEYSET_TYPE, bytes, len, &detail) != 0)
        return SM_ERR_MALFORMED;
    sm_cose_sign_put_signed(&cbor, SM_KEYSET_TYPE, object.payload, object.payload_len, root);
    return cbor.len <= size ? (int)cbor.len : SM_ERR_MEMORY;
}

int sm_keyset_add_signature(const uint8_t *bytes, size_t len,
                            const uint8_t root[SM_ED25519_PUBLIC_SIZE],
                            const uint8_t sig[SM_ED25519_SIG_SIZE], uint8_t *out, size_t size)
{
    struct sm_cbor_out cbor = {out, size, 0};
    struct sm_cose_sign object;
    struct sm_manifest_detail detail;
    uint32_t before = 0, same = 0;
    if (sm_cose_sign_read(&object, SM_KEYSET_TYPE, bytes, len, &detail) != 0)
        return SM_ERR_MALFORMED;
    while (before < object.count && memcmp(sm_cose_signature_key(&object, before), root, 32) < 0)
        before++;
    if (before < object.count)
        same = memcmp(sm_cose_signature_key(&object, before), root, 32) == 0;
    if (object.count - same == SM_COSE_SIGNATURES_MAX)
        return SM_ERR_LIMIT;
    sm_cose_sign_put(&cbor, SM_KEYSET_TYPE, object.payload, object.payload_len,
                     object.count - same + 1);
    for (uint32_t i = 0; i <= object.count; i++) {
        if (i == before)
            sm_cose_sign_put_signature(&cbor, root, sig);
        if (i < object.count && !(same && i == before))
            sm_cose_sign_put_signature(&cbor, sm_cose_signature_key(&object, i),
                                       sm_cose_signature(&object, i));
    }
    return cbor.len <= size ? (int)cbor.len : SM_ERR_MEMORY;
}

uint32_t sm_keyset_signatures(const uint8_t *bytes, size_t len)
{
    struct sm_cose_sign object;
    struct sm_manifest_detail detail;
    return sm_cose_sign_read(&object, SM_KEYSET_TYPE, bytes, len, &detail) == 0 ? object.count : 0;
}

const uint8_t *sm_keyset_signed_by(const uint8_t *bytes, size_t len, uint32_t i)
{
    struct sm_cose_sign object;
    struct sm_manifest_detail detail;
    if (sm_cose_sign_read(&object, SM_KEYSET_TYPE, bytes, len, &detail) != 0 || i >= object.count)
        return NULL;
    return sm_cose_signature_key(&object, i);
}

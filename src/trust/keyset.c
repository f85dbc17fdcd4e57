/* Key sets, read in place and accepted (doc/SPEC-trust.md).
 *
 * sm_keyset_accept() is the order of belief: envelope, signatures of the roots that are believed
 * already, then the content, then the signatures of the roots that it names. The content is walked
 * once, strictly; what the walk let pass is found again by place (lists whose items have one
 * length) or read again without checks (keys, anchors).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"
#include "keyset.h"

#include <string.h>

_Static_assert(sizeof SM_KEYSET_TYPE - 1 <= SM_COSE_TYPE_MAX, "the type fits its header");
_Static_assert(SM_COSE_SIGN_OVERHEAD <= SM_KEYSET_OVERHEAD, "what is signed fits the work area");
_Static_assert(2 * SM_KEYSET_ROOTS_MAX <= SM_COSE_SIGNATURES_MAX, "the roots of two sets can sign");

enum key {
    KEY_FORMAT = 1,
    KEY_FLEET,
    KEY_VERSION,
    KEY_ISSUED,
    KEY_EXPIRES,
    KEY_THRESHOLD,
    KEY_ROOTS,
    KEY_KEYS,
    KEY_REVOKED,
    KEY_ANCHORS,
    KEY_PINS,
    KEYS = KEY_PINS
};

#define VERSION_MAX 0x7fffffffu
/* Items of 32 bytes with their head; revocations: [kind, 32 bytes, stop]. */
#define ID_STRIDE      34u
#define REVOKED_STRIDE 37u

/* ---- Lists ----------------------------------------------------------------------------------- */

/* Items ascend, so that none stands twice and there is one encoding. */
static int check_order(struct sm_cbor_in *in, const uint8_t *before, const uint8_t *id)
{
    return before != NULL && memcmp(before, id, 32) >= 0
               ? sm_field_invalid(in, "the items of a list must ascend")
               : 0;
}

/* A list of 32-byte items; with keys, each must be fit to be one. */
static int read_ids(struct sm_cbor_in *in, uint32_t min, uint32_t max, bool keys,
                    const uint8_t **list, uint32_t *count)
{
    const uint8_t *before = NULL, *id;
    int err = sm_field_count(in, min, max, count);
    *list = in->bytes + in->pos;
    for (uint32_t i = 0; i < *count && !err; i++, before = id) {
        err = sm_field_id(in, &id);
        if (!err)
            err = check_order(in, before, id);
        if (!err && keys && !sm_trust_key_fits(id))
            err = sm_field_invalid(in, "not a usable key");
    }
    return err;
}

/* [model, bus, [address ...], [capability ...]] of a vendor, [] of anybody else */
static int read_scope(struct sm_cbor_in *in, uint32_t role, struct sm_vendor_scope *s)
{
    uint32_t parts = role == SM_ROLE_VENDOR ? 4 : 0, n;
    int err = sm_field_count(in, parts, parts, &n);
    if (err || parts == 0)
        return err;
    err = sm_field_text(in, SM_KEYSET_MODEL_MAX, &s->model, &s->model_len);
    if (!err)
        err = sm_field_text(in, SM_KEYSET_BUS_MAX, &s->bus, &s->bus_len);
    if (!err)
        err = sm_field_count(in, 0, SM_KEYSET_ADDRESSES_MAX, &s->addresses);
    for (uint32_t i = 0; !err && i < s->addresses; i++) {
        err = sm_field_u32(in, 0, UINT32_MAX, &s->address[i]);
        if (!err && i > 0 && s->address[i] <= s->address[i - 1])
            err = sm_field_invalid(in, "the items of a list must ascend");
    }
    if (!err)
        err = sm_field_count(in, 0, SM_CAPABILITIES_MAX, &s->capabilities);
    for (uint32_t i = 0; !err && i < s->capabilities; i++)
        err = sm_field_text(in, SM_CAPABILITY_MAX, &s->capability[i], &s->capability_len[i]);
    return err;
}

/* [role, key, expires, scope] */
static int read_key(struct sm_cbor_in *in, struct sm_keyset_key *k)
{
    uint32_t parts;
    int err = sm_field_count(in, 4, 4, &parts);
    if (!err)
        err = sm_field_u32(in, SM_ROLE_SIGNER, SM_ROLE_LAST, &k->role);
    if (!err && k->role == SM_ROLE_ROOT)
        err = sm_field_invalid(in, "roots have a list of their own");
    if (!err)
        err = sm_field_id(in, &k->key);
    if (!err)
        err = sm_field_uint(in, 0, SM_FIELD_TIME_MAX, &k->expires_s);
    return err ? err : read_scope(in, k->role, &k->scope);
}

static int read_keys(struct sm_cbor_in *in, struct sm_keyset *set)
{
    struct sm_keyset_key k;
    const uint8_t *before = NULL;
    int err = sm_field_count(in, 0, SM_KEYSET_KEYS_MAX, &set->nkeys);
    set->keys = in->bytes + in->pos;
    for (uint32_t i = 0; i < set->nkeys && !err; i++, before = k.key) {
        err = read_key(in, &k);
        if (!err)
            err = check_order(in, before, k.key);
        if (!err && !sm_trust_key_fits(k.key))
            err = sm_field_invalid(in, "not a usable key");
        for (uint32_t r = 0; r < set->nroots && !err; r++)
            if (memcmp(sm_keyset_root(set, r), k.key, 32) == 0)
                err = sm_field_invalid(in, "one key has one role, and this one is a root");
    }
    set->keys_len = (uint32_t)(in->bytes + in->pos - set->keys);
    return err;
}

/* Whether a key that is revoked stands in the set nevertheless. */
static bool in_use(const struct sm_keyset *set, const uint8_t *id)
{
    struct sm_keyset_key k;
    uint32_t cursor = 0;
    for (uint32_t i = 0; i < set->nroots; i++)
        if (memcmp(sm_keyset_root(set, i), id, 32) == 0)
            return true;
    while (sm_keyset_next_key(set, &cursor, &k))
        if (memcmp(k.key, id, 32) == 0)
            return true;
    return false;
}

static int read_revoked(struct sm_cbor_in *in, struct sm_keyset *set)
{
    const uint8_t *before = NULL, *id;
    uint32_t parts, kind, stop;
    int err = sm_field_count(in, 0, SM_KEYSET_REVOKED_MAX, &set->nrevoked);
    set->revoked = in->bytes + in->pos;
    for (uint32_t i = 0; i < set->nrevoked && !err; i++, before = id) {
        err = sm_field_count(in, 3, 3, &parts);
        if (!err)
            err = sm_field_u32(in, 0, SM_REVOKED_KINDS - 1, &kind);
        if (!err)
            err = sm_field_id(in, &id);
        if (!err)
            err = check_order(in, before, id);
        if (!err)
            err = sm_field_u32(in, 0, 1, &stop);
        if (!err && kind == SM_REVOKED_KEY && in_use(set, id))
            err = sm_field_invalid(in, "a key is both in use and revoked");
    }
    return err;
}

static int read_anchors(struct sm_cbor_in *in, struct sm_keyset *set)
{
    const uint8_t *der;
    uint32_t len;
    int err = sm_field_count(in, 0, SM_KEYSET_ANCHORS_MAX, &set->nanchors);
    set->anchors = in->bytes + in->pos;
    for (uint32_t i = 0; i < set->nanchors && !err; i++) {
        err = sm_cbor_bytes(in, &der, &len);
        if (!err && (len < 1 || len > SM_KEYSET_ANCHOR_MAX))
            err = sm_field_invalid(in, "a certificate is empty or too long");
    }
    set->anchors_len = (uint32_t)(in->bytes + in->pos - set->anchors);
    return err;
}

/* ---- The payload ----------------------------------------------------------------------------- */

static int read_value(struct sm_cbor_in *in, uint32_t key, void *ctx)
{
    struct sm_keyset *set = ctx;
    switch (key) {
    case KEY_FLEET: return sm_field_name(in, set->fleet);
    case KEY_VERSION: return sm_field_u32(in, 1, VERSION_MAX, &set->version);
    case KEY_ISSUED: return sm_field_uint(in, 0, SM_FIELD_TIME_MAX, &set->issued_s);
    case KEY_EXPIRES: return sm_field_uint(in, 0, SM_FIELD_TIME_MAX, &set->expires_s);
    case KEY_THRESHOLD: return sm_field_u32(in, 1, SM_KEYSET_ROOTS_MAX, &set->threshold);
    case KEY_ROOTS:
        return read_ids(in, set->threshold, SM_KEYSET_ROOTS_MAX, true, &set->roots, &set->nroots);
    case KEY_KEYS: return read_keys(in, set);
    case KEY_REVOKED: return read_revoked(in, set);
    case KEY_ANCHORS: return read_anchors(in, set);
    default: return read_ids(in, 0, SM_KEYSET_PINS_MAX, false, &set->pins, &set->npins);
    }
}

/* offset is counted in the payload */
static int read_payload(struct sm_keyset *set, const struct sm_cose_sign *object,
                        struct sm_manifest_detail *detail)
{
    static const struct sm_fields fields = {SM_KEYSET_FORMAT, KEYS, "a key set from the future",
                                            read_value};
    memset(set, 0, sizeof *set);
    return sm_fields_read(&fields, object->payload, object->payload_len, set, detail);
}

static int refuse(struct sm_manifest_detail *detail, int err, const char *rule)
{
    *detail = (struct sm_manifest_detail){.rule = rule};
    return err;
}

static int read_envelope(struct sm_cose_sign *object, const uint8_t *bytes, size_t len,
                         struct sm_manifest_detail *detail)
{
    if (len > SM_KEYSET_MAX)
        return refuse(detail, SM_ERR_LIMIT, "longer than a key set may be");
    return sm_cose_sign_read(object, SM_KEYSET_TYPE, bytes, len, detail);
}

int sm_keyset_read(struct sm_keyset *set, const uint8_t *bytes, size_t len,
                   struct sm_manifest_detail *detail)
{
    struct sm_cose_sign object;
    int err = read_envelope(&object, bytes, len, detail);
    if (err)
        return err;
    err = read_payload(set, &object, detail);
    if (err)
        detail->offset += (uint32_t)(object.payload - bytes);
    return err;
}

/* ---- Belief ---------------------------------------------------------------------------------- */

static bool is_root(const struct sm_keyset *set, const uint8_t *key)
{
    for (uint32_t i = 0; i < set->nroots; i++)
        if (memcmp(sm_keyset_root(set, i), key, 32) == 0)
            return true;
    return false;
}

struct check {
    const struct sm_cose_sign *object;
    const struct sm_keyset *verified; /* signatures of its roots have been verified; or NULL */
    uint8_t *work;
    size_t work_len;
    volatile int verdict[SM_COSE_SIGNATURES_MAX]; /* of each signature; at first: not verified */
};

static int verify(struct check *c, uint32_t i)
{
    const uint8_t *key = sm_cose_signature_key(c->object, i);
    struct sm_cbor_out out = {c->work, c->work_len, 0};
    sm_cose_sign_put_signed(&out, SM_KEYSET_TYPE, c->object->payload, c->object->payload_len, key);
    if (out.len > c->work_len)
        return SM_ERR_MEMORY;
    c->verdict[i] = sm_ed25519_verify(key, c->work, out.len, sm_cose_signature(c->object, i));
    return c->verdict[i];
}

/* Every signature of a root of the set that was not verified before does, and they are enough. */
static int check_threshold(struct check *c, const struct sm_keyset *set,
                           struct sm_manifest_detail *detail)
{
    uint32_t good = 0;
    for (uint32_t i = 0; i < c->object->count; i++) {
        const uint8_t *key = sm_cose_signature_key(c->object, i);
        if (!is_root(set, key))
            continue;
        int err = c->verified && is_root(c->verified, key) ? 0 : verify(c, i);
        if (err)
            return refuse(detail, err, "a root's signature does not verify");
        good++;
    }
    if (good < set->threshold) {
        refuse(detail, SM_ERR_SIGNATURE,
               c->verified ? "too few of its own roots signed it" : "too few roots signed it");
        detail->value = good;
        return SM_ERR_SIGNATURE;
    }
    return 0;
}

static int check_strangers(const struct check *c, const struct sm_keyset *set,
                           struct sm_manifest_detail *detail)
{
    for (uint32_t i = 0; i < c->object->count; i++) {
        const uint8_t *key = sm_cose_signature_key(c->object, i);
        if (!is_root(set, key) && !(c->verified && is_root(c->verified, key)))
            return refuse(detail, SM_ERR_KEY, "a key that is no root signed it");
    }
    return 0;
}

/* How many of the set's roots have a signature that was verified. */
static uint32_t proven(const struct check *c, const struct sm_keyset *set)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->object->count; i++)
        for (uint32_t r = 0; r < set->nroots; r++)
            n += c->verdict[i] == SM_OK &&
                 sm_ct_equal(sm_keyset_root(set, r), sm_cose_signature_key(c->object, i), 32);
    return n;
}

/* Both thresholds once more, by other code, from the verdicts themselves: so that no one skipped
 * instruction makes a set of what was refused (doc/attacks.md). The answer lies in memory as no
 * before, stored twice, since what lay there may look like yes. */
static __attribute__((noinline)) int confirm(const struct check *c, const struct sm_keyset *now,
                                             const struct sm_keyset *set)
{
    volatile int answer = SM_ERR_SIGNATURE;
    answer = SM_ERR_SIGNATURE;
    if (proven(c, now) >= now->threshold && proven(c, set) >= set->threshold)
        answer = SM_OK;
    return answer;
}

static int check_chain(const struct sm_keyset *set, const struct sm_keyset *now,
                       struct sm_manifest_detail *detail)
{
    if (strcmp(set->fleet, now->fleet) != 0)
        return refuse(detail, SM_ERR_DENIED, "of another fleet");
    if (set->version <= now->version)
        return refuse(detail, SM_ERR_ROLLBACK, "not newer than the set in force");
    if (set->version != now->version + 1)
        return refuse(detail, SM_ERR_STATE, "not the next set: those between come first");
    return 0;
}

static int accept(struct sm_keyset *set, const uint8_t *bytes, size_t len,
                  const struct sm_keyset *now, struct check *c, struct sm_manifest_detail *detail)
{
    struct sm_cose_sign object;
    int err = read_envelope(&object, bytes, len, detail);
    c->object = &object;
    if (!err && now)
        err = check_threshold(c, now, detail);
    if (err)
        return err;
    err = read_payload(set, &object, detail);
    if (err) {
        detail->offset += (uint32_t)(object.payload - bytes);
        return err;
    }
    if (now && (err = check_chain(set, now, detail)) != 0)
        return err;
    c->verified = now;
    err = check_threshold(c, set, detail);
    if (!err)
        err = check_strangers(c, set, detail);
    return err ? err : confirm(c, now ? now : set, set);
}

int sm_keyset_accept(struct sm_keyset *set, const uint8_t *bytes, size_t len,
                     const struct sm_keyset *now, void *work, size_t work_len,
                     struct sm_manifest_detail *detail)
{
    struct sm_manifest_detail unused;
    struct check c = {.work = work, .work_len = work_len};
    for (uint32_t i = 0; i < SM_COSE_SIGNATURES_MAX; i++)
        c.verdict[i] = SM_ERR_SIGNATURE;
    int err = accept(set, bytes, len, now, &c, detail ? detail : &unused);
    if (err)
        memset(set, 0, sizeof *set);
    return err;
}

/* ---- What a set says ------------------------------------------------------------------------- */

static const uint8_t *id_at(const uint8_t *list, uint32_t count, uint32_t i)
{
    return i < count ? list + i * ID_STRIDE + 2 : NULL;
}

const uint8_t *sm_keyset_root(const struct sm_keyset *set, uint32_t i)
{
    return id_at(set->roots, set->nroots, i);
}

const uint8_t *sm_keyset_pin(const struct sm_keyset *set, uint32_t i)
{
    return id_at(set->pins, set->npins, i);
}

int sm_keyset_next_key(const struct sm_keyset *set, uint32_t *cursor, struct sm_keyset_key *out)
{
    struct sm_cbor_in in;
    if (*cursor >= set->keys_len)
        return 0;
    sm_cbor_begin(&in, set->keys, set->keys_len);
    in.pos = *cursor;
    if (read_key(&in, out) != 0)
        return 0; /* it was read before, so it can be */
    *cursor = in.pos;
    return 1;
}

bool sm_vendor_scope_covers(const struct sm_vendor_scope *scope, const char *capability)
{
    for (uint32_t i = 0; i < scope->capabilities; i++) {
        uint32_t len = scope->capability_len[i];
        bool prefix = scope->capability[i][len - 1] == '*';
        if (strncmp(scope->capability[i], capability, prefix ? len - 1 : len) == 0 &&
            (prefix || capability[len] == 0))
            return true;
    }
    return false;
}

bool sm_keyset_revocation(const struct sm_keyset *set, uint32_t i, struct sm_revocation *out)
{
    if (i >= set->nrevoked)
        return false;
    const uint8_t *item = set->revoked + i * REVOKED_STRIDE;
    *out = (struct sm_revocation){item[1], item + 4, item[REVOKED_STRIDE - 1] != 0};
    return true;
}

bool sm_keyset_revoked(const struct sm_keyset *set, enum sm_revoked_kind kind,
                       const uint8_t id[SM_SHA256_SIZE], bool *stop)
{
    struct sm_revocation r;
    for (uint32_t i = 0; sm_keyset_revocation(set, i, &r); i++) {
        if (r.kind != (uint32_t)kind || memcmp(r.id, id, SM_SHA256_SIZE) != 0)
            continue;
        if (stop)
            *stop = r.stop;
        return true;
    }
    return false;
}

const uint8_t *sm_keyset_anchor(const struct sm_keyset *set, uint32_t i, uint32_t *len)
{
    struct sm_cbor_in in;
    const uint8_t *der = NULL;
    if (i >= set->nanchors)
        return NULL;
    sm_cbor_begin(&in, set->anchors, set->anchors_len);
    for (uint32_t n = 0; n <= i; n++)
        if (sm_cbor_bytes(&in, &der, len) != 0)
            return NULL;
    return der;
}

int sm_keyset_trust(const struct sm_keyset *set, uint64_t now_s, struct sm_trust *trust)
{
    struct sm_keyset_key k;
    uint32_t cursor = 0;
    int err = 0;
    sm_trust_init(trust, trust->keys, trust->capacity);
    trust->set = set;
    while (!err && sm_keyset_next_key(set, &cursor, &k))
        if (k.expires_s == 0 || k.expires_s > now_s)
            err = sm_trust_add(trust, (enum sm_role)k.role, set->fleet, k.key);
    return err;
}

bool sm_keyset_key(const struct sm_keyset *set, const uint8_t key[SM_ED25519_PUBLIC_SIZE],
                   struct sm_keyset_key *out)
{
    uint32_t cursor = 0;
    while (sm_keyset_next_key(set, &cursor, out))
        if (memcmp(out->key, key, SM_ED25519_PUBLIC_SIZE) == 0)
            return true;
    return false;
}

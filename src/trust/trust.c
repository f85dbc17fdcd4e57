/* The trust store, and the one way in for a module and for a claim about a native image: signature,
 * then what was signed, then scope.
 *
 * The order is the defence. Until a key of the store has verified all the bytes, no code reads
 * them but the hash; so the section walk and the decoder only ever work on what a trusted key
 * signed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/keyset.h>

#include <string.h>

#include "claim.h"
#include "statement.h"

const char *sm_role_name(unsigned role)
{
    static const char *const names[] = {"signer",  "root",      "vendor",
                                        "builder", "requester", "server"};
    return role >= SM_ROLE_SIGNER && role <= SM_ROLE_LAST ? names[role - 1] : NULL;
}

void sm_trust_init(struct sm_trust *trust, struct sm_trust_key *keys, uint32_t capacity)
{
    trust->keys = keys;
    trust->capacity = capacity;
    trust->count = 0;
    trust->set = NULL;
}

/* y of the points of small order (RFC 8032, 5.1.3 encoding without the sign of x): orders 4, 1, 2
 * and twice 8. */
static const uint8_t small_order[][32] = {
    {0},
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

/* Whether y is at least p = 2^255 - 19. */
static bool not_canonical(const uint8_t y[32])
{
    for (unsigned i = 1; i < 31; i++)
        if (y[i] != 0xff)
            return false;
    return y[31] == 0x7f && y[0] >= 0xed;
}

/* A key of small order verifies signatures that nobody made; one that is not canonical is the same
 * key under a second name. Neither comes out of a key generator. */
bool sm_trust_key_fits(const uint8_t key[SM_PUBLIC_KEY_BYTES])
{
    uint8_t y[32];
    memcpy(y, key, sizeof y);
    y[31] &= 0x7f;
    for (size_t i = 0; i < sizeof small_order / sizeof small_order[0]; i++)
        if (memcmp(y, small_order[i], sizeof y) == 0)
            return false;
    return !not_canonical(y);
}

/* A fleet name copied into a zeroed field: 0, or SM_ERR_INVALID. */
static int copy_fleet(char into[SM_FLEET_MAX + 1], const char *fleet)
{
    if (!sm_name_valid(fleet))
        return SM_ERR_INVALID;
    memset(into, 0, SM_FLEET_MAX + 1);
    memcpy(into, fleet, strlen(fleet));
    return 0;
}

static bool same_key(const struct sm_trust_key *a, const struct sm_trust_key *b)
{
    return memcmp(a->key, b->key, sizeof a->key) == 0;
}

int sm_trust_add(struct sm_trust *trust, enum sm_role role, const char *fleet,
                 const uint8_t key[SM_PUBLIC_KEY_BYTES])
{
    struct sm_trust_key entry = {.role = (uint32_t)role};
    if (!sm_role_name(entry.role) || copy_fleet(entry.fleet, fleet) || !sm_trust_key_fits(key))
        return SM_ERR_INVALID;
    memcpy(entry.key, key, sizeof entry.key);
    for (uint32_t i = 0; i < trust->count; i++) {
        if (!same_key(&trust->keys[i], &entry))
            continue;
        if (trust->keys[i].role != entry.role)
            return SM_ERR_KEY;
        if (strcmp(trust->keys[i].fleet, entry.fleet) == 0)
            return 0;
    }
    if (trust->count == trust->capacity)
        return SM_ERR_LIMIT;
    trust->keys[trust->count++] = entry;
    return 0;
}

const struct sm_trust_key *sm_trust_at(const struct sm_trust *trust, uint32_t i)
{
    return i < trust->count ? &trust->keys[i] : NULL;
}

/* The first of the entries with this key: the others need no second try. */
static bool tried_before(const struct sm_trust *trust, uint32_t i)
{
    for (uint32_t j = 0; j < i; j++)
        if (same_key(&trust->keys[j], &trust->keys[i]))
            return true;
    return false;
}

/* An entry whose key made the signature in *out: 0, SM_ERR_SIGNATURE when there is none, or what
 * the crypto library failed with. */
static int find_signer(const struct sm_trust *trust, const uint8_t *bytes, size_t len,
                       const uint8_t *sig, const struct sm_trust_key **out)
{
    for (uint32_t i = 0; i < trust->count; i++) {
        if (tried_before(trust, i))
            continue;
        int err = sm_ed25519_verify(trust->keys[i].key, bytes, len, sig);
        if (err == 0)
            *out = &trust->keys[i];
        if (err != SM_ERR_SIGNATURE)
            return err;
    }
    return SM_ERR_SIGNATURE;
}

/* Whether the key that signed, all of whose entries have one role, is one of this fleet. */
static bool of_fleet(const struct sm_trust *trust, const struct sm_trust_key *signer,
                     const char *fleet)
{
    for (uint32_t i = 0; i < trust->count; i++)
        if (same_key(&trust->keys[i], signer) && strcmp(trust->keys[i].fleet, fleet) == 0)
            return true;
    return false;
}

static int refuse(struct sm_manifest_detail *detail, uint32_t key, int err, const char *rule)
{
    *detail = (struct sm_manifest_detail){.key = key, .rule = rule};
    return err;
}

static bool is_text(const char *text, const char *scope, uint32_t len)
{
    return strlen(text) == len && memcmp(text, scope, len) == 0;
}

/* What a plugin drives, against what its vendor is trusted with. */
static int check_sensor(const struct sm_vendor_scope *scope, const struct sm_plugin_sensor *s,
                        struct sm_manifest_detail *detail)
{
    bool address = false;
    if (s->values == 0)
        return refuse(detail, SM_KEY_SENSOR, SM_ERR_KEY,
                      "a plugin without a sensor removes one, which is for the fleet's signer");
    for (uint32_t i = 0; i < scope->addresses; i++)
        address |= scope->address[i] == s->address;
    if (!is_text(s->model, scope->model, scope->model_len))
        return refuse(detail, SM_KEY_SENSOR_MODEL, SM_ERR_KEY,
                      "a sensor model that is beyond its vendor's scope");
    if (!is_text(s->bus, scope->bus, scope->bus_len))
        return refuse(detail, SM_KEY_SENSOR_BUS, SM_ERR_KEY,
                      "a bus that is beyond its vendor's scope");
    return address ? 0
                   : refuse(detail, SM_KEY_SENSOR_ADDRESS, SM_ERR_KEY,
                            "an address that is beyond its vendor's scope");
}

/* A vendor's plugin may ask for what the key set grants that vendor, and for nothing beyond it. */
static int check_vendor(const struct sm_trust *trust, const struct sm_trust_key *signer,
                        const struct sm_manifest *m, struct sm_manifest_detail *detail)
{
    struct sm_keyset_key k;
    if (m->kind != SM_KIND_PLUGIN)
        return refuse(detail, SM_KEY_KIND, SM_ERR_KEY, "a vendor's key signs plugins only");
    if (!trust->set || !sm_keyset_key(trust->set, signer->key, &k))
        return refuse(detail, 0, SM_ERR_KEY, "no key set gives this vendor a scope");
    for (uint32_t i = 0; i < m->capabilities; i++)
        if (!sm_vendor_scope_covers(&k.scope, m->capability[i]))
            return refuse(detail, SM_KEY_CAPABILITIES, SM_ERR_KEY,
                          "a capability that is beyond its vendor's scope");
    return check_sensor(&k.scope, &m->sensor, detail);
}

static int verify(const struct sm_trust *trust, const uint8_t *wasm, size_t len, const uint8_t *sig,
                  size_t sig_len, struct sm_manifest *m, struct sm_manifest_detail *detail)
{
    const struct sm_trust_key *signer;
    if (sig_len != SM_SIGNATURE_BYTES)
        return refuse(detail, 0, SM_ERR_SIGNATURE, "a signature has exactly 64 bytes");
    int err = find_signer(trust, wasm, len, sig, &signer);
    if (err)
        return refuse(detail, 0, err, "no trusted key made this signature over these bytes");
    bool vendor = signer->role == SM_ROLE_VENDOR;
    if (signer->role != SM_ROLE_SIGNER && !vendor)
        return refuse(detail, 0, SM_ERR_KEY,
                      "the key that signed has a role that signs no modules");
    err = sm_manifest_read(m, wasm, len, detail);
    if (err)
        return err;
    if (!vendor && m->kind != SM_KIND_APPLICATION && m->sensor.values > 0)
        return refuse(detail, SM_KEY_KIND, SM_ERR_KEY,
                      "a signer's key signs applications, and the removal of plugins, only");
    if (vendor && (err = check_vendor(trust, signer, m, detail)) != 0)
        return err;
    if (!of_fleet(trust, signer, m->fleet))
        return refuse(detail, SM_KEY_FLEET, SM_ERR_KEY, "the key that signed is of another fleet");
    return 0;
}

int sm_trust_verify_module(const struct sm_trust *trust, const uint8_t *wasm, size_t len,
                           const uint8_t *sig, size_t sig_len, struct sm_manifest *m,
                           struct sm_manifest_detail *detail)
{
    struct sm_manifest_detail unused;
    return verify(trust, wasm, len, sig, sig_len, m, detail ? detail : &unused);
}

/* ---- Claims ---------------------------------------------------------------------------------- */

/* What one key of the store signed in a COSE_Sign1 object, and which: of this role and fleet. */
struct signed_object {
    const char *type;
    enum sm_role role;
    const char *fleet;
    uint8_t *work; /* for the signed bytes */
    size_t work_len;
    const char *nobody, *wrong_role; /* what is said */
};

static int check_object(const struct sm_trust *trust, const struct signed_object *what,
                        const uint8_t *bytes, size_t len, struct sm_cose_sign1 *object,
                        struct sm_manifest_detail *detail)
{
    struct sm_cbor_out out = {what->work, what->work_len, 0};
    const struct sm_trust_key *signer = NULL;
    volatile int verdict = SM_ERR_SIGNATURE;
    int err = sm_cose_read(object, what->type, bytes, len, detail);
    if (err)
        return err;
    sm_cose_put_signed(&out, what->type, object->payload, object->payload_len);
    if (out.len > what->work_len)
        return refuse(detail, 0, SM_ERR_MEMORY, "longer than there is memory to check it");
    err = find_signer(trust, what->work, out.len, object->sig, &signer);
    verdict = err;
    if (err)
        return refuse(detail, 0, err, what->nobody);
    if (verdict != SM_OK || signer == NULL) /* an instruction was skipped (doc/attacks.md) */
        return refuse(detail, 0, SM_ERR_SIGNATURE, what->nobody);
    if (signer->role != (uint32_t)what->role)
        return refuse(detail, 0, SM_ERR_KEY, what->wrong_role);
    if (!of_fleet(trust, signer, what->fleet))
        return refuse(detail, 0, SM_ERR_KEY, "the key that signed is of another fleet");
    return 0;
}

/* What does not verify has no payload: a caller that goes on for a skipped instruction reads none.
 * Not inlined, so that the compiler does not know that none goes on. */
static __attribute__((noinline)) int
verify_object(const struct sm_trust *trust, const struct signed_object *what, const uint8_t *bytes,
              size_t len, struct sm_cose_sign1 *object, struct sm_manifest_detail *detail)
{
    int err = check_object(trust, what, bytes, len, object, detail);
    if (err)
        object->payload_len = 0;
    return err;
}

static int verify_native(const struct sm_trust *trust, const uint8_t *bytes, size_t len,
                         const char *fleet, struct sm_native_claim *claim,
                         struct sm_manifest_detail *detail)
{
    uint8_t work[SM_CLAIM_MAX];
    const struct signed_object what = {
        .type = SM_CLAIM_TYPE,
        .role = SM_ROLE_BUILDER,
        .fleet = fleet,
        .work = work,
        .work_len = sizeof work,
        .nobody = "no trusted key made this signature over this claim",
        .wrong_role = "the key that signed has a role that signs no native images"};
    struct sm_cose_sign1 object;
    if (len > SM_CLAIM_MAX)
        return refuse(detail, 0, SM_ERR_MALFORMED, "a claim is shorter");
    int err = verify_object(trust, &what, bytes, len, &object, detail);
    if (err)
        return err;
    err = sm_claim_payload(claim, object.payload, object.payload_len, detail);
    if (err)
        detail->offset += (uint32_t)(object.payload - bytes);
    return err;
}

int sm_trust_verify_native(const struct sm_trust *trust, const uint8_t *bytes, size_t len,
                           const char *fleet, struct sm_native_claim *claim,
                           struct sm_manifest_detail *detail)
{
    struct sm_manifest_detail unused;
    return verify_native(trust, bytes, len, fleet, claim, detail ? detail : &unused);
}

/* ---- Statements ------------------------------------------------------------------------------ */

static int verify_statement(const struct sm_trust *trust, const uint8_t *bytes, size_t len,
                            const struct signed_object *what, struct sm_statement *st,
                            struct sm_manifest_detail *detail)
{
    struct sm_cose_sign1 object;
    if (len > SM_STATEMENT_MAX)
        return refuse(detail, 0, SM_ERR_LIMIT, "longer than a statement may be");
    int err = verify_object(trust, what, bytes, len, &object, detail);
    if (err)
        return err;
    err = sm_statement_payload(st, object.payload, object.payload_len, detail);
    if (err)
        detail->offset += (uint32_t)(object.payload - bytes);
    if (!err && strcmp(st->fleet, what->fleet) != 0)
        return refuse(detail, 0, SM_ERR_DENIED, "about another fleet");
    return err;
}

int sm_trust_verify_statement(const struct sm_trust *trust, const uint8_t *bytes, size_t len,
                              const char *fleet, struct sm_statement *st, void *work,
                              size_t work_len, struct sm_manifest_detail *detail)
{
    struct sm_manifest_detail unused;
    const struct signed_object what = {
        .type = SM_STATEMENT_TYPE,
        .role = SM_ROLE_SERVER,
        .fleet = fleet,
        .work = work,
        .work_len = work_len,
        .nobody = "no trusted key made this signature over this statement",
        .wrong_role = "the key that signed has a role that states nothing"};
    memset(st, 0, sizeof *st);
    int err = verify_statement(trust, bytes, len, &what, st, detail ? detail : &unused);
    if (err)
        memset(st, 0, sizeof *st);
    return err;
}

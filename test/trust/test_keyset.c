/* Key sets: their only encoding, who must sign them, the chain from one to the next, and what they
 * say of keys, revocations and the server.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <posix/keys.h>
#include <sandmote/keyset.h>
#include "hex.h"

/* Made with another encoder and another Ed25519: npm's cbor 10.0.12 (encodeCanonical) and Node's
 * crypto.sign. Roots are the first two keys of RFC 8032, 7.1, the vendor is the third. */
static const char vector_object[] =
    "d862845826a11078226170706c69636174696f6e2f766e642e73616e646d6f74652e6b6579732b636f7365a05901"
    "0dab01010267706c616e742d370301041a6553f100051a713fb3000602078258203d4017c3e843895a92b70aa74d"
    "1b7ebc9c982ccf2ec4968cc0cd55f12af4660c5820d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af"
    "021a68f707511a088184035820fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb9115489080251a"
    "6b49d2008466424d45323830656932632d31821876187782636c6f676e73656e736f722f424d453238302a098183"
    "015820120970d812836f19888625587a4606a5ad23cef31c8684e601771552548fc6b9010a814b63657274696669"
    "636174650b81582064f46a7526a186d2346552453ae478ca51244674f5b21ba150bd483b39f7c81282835826a201"
    "270458203d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660ca05840eabce99e5c7530"
    "6dd761482394c42583ffb767a4edc59943c72db83050aac148bea4ab893cb7cb000d5e0300643c13bfb50e418aff"
    "4ecb789830b14676a3fe01835826a20127045820d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af02"
    "1a68f707511aa05840e03af3c37ce9b18c8988e29909d48f20c7deda20f799b319d6a0e16d9e347dd2ae285fd36d"
    "cb531e97e9d29714071dd8126226791e031a010d5c632958ce800e";

enum { ROOTS = 5, ROOM = 4096 };

struct bytes {
    uint8_t at[ROOM];
    size_t len;
};

static struct {
    struct sm_keys_private root[ROOTS], signer, builder, vendor, stranger;
    struct sm_keyset_plan plan;
    struct sm_manifest_detail why;
    uint8_t work[ROOM + SM_KEYSET_OVERHEAD];
} fx;

static struct bytes from_hex(const char *hex)
{
    struct bytes b;
    b.len = hex_decode(hex, b.at);
    return b;
}

/* ---- Making sets ----------------------------------------------------------------------------- */

static void add_root(struct sm_keyset_plan *p, const struct sm_keys_private *key)
{
    memcpy(p->root[p->nroots++], key->public_key, 32);
}

static struct sm_keyset_plan_key *add_key(struct sm_keyset_plan *p, enum sm_role role,
                                          const struct sm_keys_private *key)
{
    struct sm_keyset_plan_key *k = &p->key[p->nkeys++];
    memset(k, 0, sizeof *k);
    k->role = role;
    memcpy(k->key, key->public_key, 32);
    return k;
}

static void revoke(struct sm_keyset_plan *p, enum sm_revoked_kind kind, const uint8_t id[32],
                   bool stop)
{
    p->revoked[p->nrevoked].kind = kind;
    p->revoked[p->nrevoked].stop = stop;
    memcpy(p->revoked[p->nrevoked++].id, id, 32);
}

/* The plan as an object without signatures. */
static struct bytes unsigned_set(void)
{
    struct bytes b;
    int len = sm_keyset_make(&fx.plan, b.at, sizeof b.at, &fx.why);
    if (len < 0)
        print_message("%s at %u\n", fx.why.rule, fx.why.offset);
    assert_true(len > 0);
    b.len = (size_t)len;
    return b;
}

static struct bytes sign(const struct bytes *b, const struct sm_keys_private *key)
{
    struct bytes text, out;
    struct sm_keys_why why;
    uint8_t sig[64];
    int n = sm_keyset_to_sign(b->at, b->len, key->public_key, text.at, sizeof text.at);
    assert_true(n > 0);
    assert_int_equal(sm_keys_sign(key, text.at, (size_t)n, sig, &why), 0);
    n = sm_keyset_add_signature(b->at, b->len, key->public_key, sig, out.at, sizeof out.at);
    assert_true(n > 0);
    out.len = (size_t)n;
    return out;
}

/* The plan, signed by the roots whose numbers are in the text. */
static struct bytes signed_set(const char *by)
{
    struct bytes b = unsigned_set();
    for (; *by; by++)
        b = sign(&b, &fx.root[*by - '0']);
    return b;
}

static int accept(const struct bytes *b, const struct sm_keyset *now, struct sm_keyset *set)
{
    memset(&fx.why, 0, sizeof fx.why);
    return sm_keyset_accept(set, b->at, b->len, now, fx.work, sizeof fx.work, &fx.why);
}

static void expect(int err, const char *rule, const struct bytes *b, const struct sm_keyset *now)
{
    struct sm_keyset set;
    assert_int_equal(accept(b, now, &set), err);
    assert_string_equal(fx.why.rule, rule);
}

/* The exact room, so that a sanitizer sees a read beyond it. */
static int read_exact(const uint8_t *at, size_t len)
{
    struct sm_keyset set;
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, at, len);
    int err = sm_keyset_accept(&set, copy, len, NULL, fx.work, sizeof fx.work, NULL);
    free(copy);
    return err;
}

/* Set 1 of plant-7: two of the roots 0, 1 and 2; a signer and a builder. */
static int fresh(void **state)
{
    (void)state;
    memset(&fx.plan, 0, sizeof fx.plan);
    strcpy(fx.plan.fleet, "plant-7");
    fx.plan.version = 1;
    fx.plan.threshold = 2;
    fx.plan.issued_s = 1000;
    for (unsigned i = 0; i < 3; i++)
        add_root(&fx.plan, &fx.root[i]);
    add_key(&fx.plan, SM_ROLE_SIGNER, &fx.signer);
    add_key(&fx.plan, SM_ROLE_BUILDER, &fx.builder);
    return 0;
}

static int make_keys(void **state)
{
    struct sm_keys_why why;
    struct sm_keys_private *all[] = {&fx.root[0], &fx.root[1], &fx.root[2],
                                     &fx.root[3], &fx.root[4], &fx.signer,
                                     &fx.builder, &fx.vendor,  &fx.stranger};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (sm_keys_generate(all[i], &why))
            return -1;
    return 0;
}

static int drop_keys(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROOTS; i++)
        sm_keys_free(&fx.root[i]);
    sm_keys_free(&fx.signer);
    sm_keys_free(&fx.builder);
    sm_keys_free(&fx.vendor);
    sm_keys_free(&fx.stranger);
    return 0;
}

/* ---- Encoding -------------------------------------------------------------------------------- */

static void a_set_of_another_encoder_is_accepted_and_read(void **state)
{
    struct bytes b = from_hex(vector_object);
    struct sm_keyset set;
    struct sm_keyset_key k;
    struct sm_revocation r;
    uint32_t cursor = 0, len;
    (void)state;
    assert_int_equal(accept(&b, NULL, &set), 0);
    assert_string_equal(set.fleet, "plant-7");
    assert_int_equal(set.version, 1);
    assert_int_equal(set.threshold, 2);
    assert_int_equal(set.issued_s, 1700000000);
    assert_int_equal(set.expires_s, 1900000000);
    assert_int_equal(set.nroots, 2);
    assert_int_equal(sm_keyset_root(&set, 0)[0], 0x3d);
    assert_int_equal(sm_keyset_root(&set, 1)[0], 0xd7);
    assert_null(sm_keyset_root(&set, 2));
    assert_int_equal(sm_keyset_next_key(&set, &cursor, &k), 1);
    assert_int_equal(k.role, SM_ROLE_VENDOR);
    assert_int_equal(k.expires_s, 1800000000);
    assert_memory_equal(k.scope.model, "BME280", 6);
    assert_memory_equal(k.scope.bus, "i2c-1", 5);
    assert_int_equal(k.scope.addresses, 2);
    assert_int_equal(k.scope.address[1], 0x77);
    assert_true(sm_vendor_scope_covers(&k.scope, "log"));
    assert_true(sm_vendor_scope_covers(&k.scope, "sensor/BME280/temperature:r"));
    assert_false(sm_vendor_scope_covers(&k.scope, "logs"));
    assert_false(sm_vendor_scope_covers(&k.scope, "lo"));
    assert_false(sm_vendor_scope_covers(&k.scope, "sensor/CCS811/co2:r"));
    assert_int_equal(sm_keyset_next_key(&set, &cursor, &k), 0);
    assert_true(sm_keyset_revocation(&set, 0, &r));
    assert_int_equal(r.kind, SM_REVOKED_MODULE);
    assert_true(r.stop);
    assert_false(sm_keyset_revocation(&set, 1, &r));
    assert_memory_equal(sm_keyset_anchor(&set, 0, &len), "certificate", 11);
    assert_int_equal(len, 11);
    assert_null(sm_keyset_anchor(&set, 1, &len));
    assert_int_equal(sm_keyset_pin(&set, 0)[0], 0x64);
    assert_null(sm_keyset_pin(&set, 1));
}

static void making_a_plan_of_a_set_gives_the_same_bytes(void **state)
{
    struct bytes b = from_hex(vector_object), again;
    struct sm_keyset set;
    (void)state;
    assert_int_equal(accept(&b, NULL, &set), 0);
    sm_keyset_plan(&set, &fx.plan);
    again = unsigned_set();
    for (uint32_t i = 0; i < 2; i++) {
        const uint8_t *key = sm_keyset_signed_by(b.at, b.len, i);
        struct bytes next;
        int n = sm_keyset_add_signature(again.at, again.len, key, key + 35, next.at, ROOM);
        assert_true(n > 0);
        next.len = (size_t)n;
        again = next;
    }
    assert_int_equal(again.len, b.len);
    assert_memory_equal(again.at, b.at, b.len);
    assert_int_equal(sm_keyset_signatures(b.at, b.len), 2);
    assert_null(sm_keyset_signed_by(b.at, b.len, 2));
}

static void every_byte_counts(void **state)
{
    struct bytes b = from_hex(vector_object);
    (void)state;
    for (size_t i = 0; i < b.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            b.at[i] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(read_exact(b.at, b.len), 0);
            b.at[i] ^= (uint8_t)(1u << bit);
        }
    }
    assert_int_equal(read_exact(b.at, b.len), 0);
}

static void every_shorter_and_longer_object_is_refused(void **state)
{
    struct bytes b = from_hex(vector_object);
    (void)state;
    for (size_t len = 0; len < b.len; len++)
        assert_int_not_equal(read_exact(b.at, len), 0);
    for (unsigned v = 0; v < 256; v++) {
        b.at[b.len] = (uint8_t)v;
        assert_int_not_equal(read_exact(b.at, b.len + 1), 0);
    }
}

static void a_set_from_the_future_is_told_from_a_bad_one(void **state)
{
    struct bytes b = unsigned_set();
    struct sm_keyset set;
    uint8_t *format = memchr(b.at + 40, 0x01, 40); /* the map's first key; its value follows */
    (void)state;
    assert_non_null(format);
    format[1] = 7;
    assert_int_equal(sm_keyset_read(&set, b.at, b.len, &fx.why), SM_ERR_UNSUPPORTED);
    assert_int_equal(fx.why.value, 7);
}

static void expect_unmade(const char *rule)
{
    uint8_t out[ROOM];
    assert_int_equal(sm_keyset_make(&fx.plan, out, sizeof out, &fx.why), SM_ERR_INVALID);
    assert_string_equal(fx.why.rule, rule);
    fresh(NULL);
}

static void rules_of_the_content_hold(void **state)
{
    static const uint8_t zero[32];
    (void)state;
    fx.plan.threshold = 4;
    expect_unmade("a list has too few or too many items");
    fx.plan.threshold = 0;
    expect_unmade("a number is out of its range");
    fx.plan.version = 0;
    expect_unmade("a number is out of its range");
    strcpy(fx.plan.fleet, "Plant 7");
    expect_unmade("only printable ASCII without spaces may stand in a text");
    strcpy(fx.plan.fleet, "Plant-7");
    expect_unmade("not a name");
    add_root(&fx.plan, &fx.root[0]);
    expect_unmade("the items of a list must ascend");
    add_key(&fx.plan, SM_ROLE_SIGNER, &fx.builder);
    expect_unmade("the items of a list must ascend");
    add_key(&fx.plan, SM_ROLE_SIGNER, &fx.root[1]);
    expect_unmade("one key has one role, and this one is a root");
    add_key(&fx.plan, SM_ROLE_ROOT, &fx.stranger);
    expect_unmade("roots have a list of their own");
    add_key(&fx.plan, (enum sm_role)(SM_ROLE_LAST + 1), &fx.stranger);
    expect_unmade("a number is out of its range");
    memcpy(fx.plan.key[0].key, zero, 32);
    expect_unmade("not a usable key");
    memcpy(fx.plan.root[0], zero, 32);
    expect_unmade("not a usable key");
    revoke(&fx.plan, SM_REVOKED_KEY, fx.signer.public_key, false);
    expect_unmade("a key is both in use and revoked");
    revoke(&fx.plan, SM_REVOKED_KEY, fx.root[2].public_key, false);
    expect_unmade("a key is both in use and revoked");
    revoke(&fx.plan, SM_REVOKED_MODULE, zero, false);
    revoke(&fx.plan, SM_REVOKED_MODULE, zero, true);
    expect_unmade("the items of a list must ascend");
    add_key(&fx.plan, SM_ROLE_VENDOR, &fx.vendor);
    expect_unmade("a text is empty or too long");
}

/* ---- Who signs ------------------------------------------------------------------------------- */

static void the_first_set_needs_the_threshold_of_its_own_roots(void **state)
{
    struct sm_keyset set;
    struct bytes none = signed_set(""), one = signed_set("0"), two = signed_set("02"),
                 three = signed_set("012");
    (void)state;
    expect(SM_ERR_SIGNATURE, "too few roots signed it", &none, NULL);
    expect(SM_ERR_SIGNATURE, "too few roots signed it", &one, NULL);
    assert_int_equal(accept(&two, NULL, &set), 0);
    assert_int_equal(accept(&three, NULL, &set), 0);
}

static void a_signature_counts_once(void **state)
{
    struct bytes one = signed_set("0"), again = signed_set("00");
    (void)state;
    assert_int_equal(again.len, one.len);
    expect(SM_ERR_SIGNATURE, "too few roots signed it", &again, NULL);
}

static void a_stranger_may_not_sign_even_beside_enough_roots(void **state)
{
    struct bytes b = signed_set("01"), strange = sign(&b, &fx.stranger), key = sign(&b, &fx.signer);
    (void)state;
    expect(SM_ERR_KEY, "a key that is no root signed it", &strange, NULL);
    expect(SM_ERR_KEY, "a key that is no root signed it", &key, NULL);
}

static void one_bad_signature_spoils_an_object_with_enough_good_ones(void **state)
{
    struct bytes b = signed_set("012");
    (void)state;
    b.at[b.len - 1] ^= 1;
    expect(SM_ERR_SIGNATURE, "a root's signature does not verify", &b, NULL);
}

static void a_signature_of_another_set_does_not_count(void **state)
{
    struct bytes a = signed_set("01"), b;
    const uint8_t *key = sm_keyset_signed_by(a.at, a.len, 0);
    (void)state;
    fx.plan.issued_s++;
    b = signed_set(memcmp(key, fx.root[0].public_key, 32) ? "0" : "1");
    int n = sm_keyset_add_signature(b.at, b.len, key, key + 35, a.at, sizeof a.at);
    assert_true(n > 0);
    a.len = (size_t)n;
    expect(SM_ERR_SIGNATURE, "a root's signature does not verify", &a, NULL);
}

/* What a root signs of a set begins with 85 and names its type: no module, no claim. */
static void what_is_signed_passes_for_nothing_else(void **state)
{
    struct bytes b = unsigned_set();
    uint8_t text[ROOM];
    int n = sm_keyset_to_sign(b.at, b.len, fx.root[0].public_key, text, sizeof text);
    (void)state;
    assert_true(n > 0);
    assert_int_equal(text[0], 0x85);
    assert_memory_equal(text + 1, "\x69Signature", 10);
    assert_memory_equal(text + 17, "application/vnd.sandmote.keys+cose", 34);
    assert_int_equal(sm_keyset_to_sign(b.at, b.len, fx.root[0].public_key, text, (size_t)n - 1),
                     SM_ERR_MEMORY);
}

/* ---- The chain ------------------------------------------------------------------------------- */

static struct bytes first_bytes;

/* Set 1, accepted, as the set in force. */
static struct sm_keyset first(void)
{
    struct sm_keyset set;
    first_bytes = signed_set("01");
    assert_int_equal(accept(&first_bytes, NULL, &set), 0);
    fx.plan.version++;
    return set;
}

static void the_next_set_needs_both_thresholds(void **state)
{
    struct sm_keyset now = first(), set;
    (void)state;
    fx.plan.nroots = 0; /* two of 2, 3 and 4 */
    add_root(&fx.plan, &fx.root[2]);
    add_root(&fx.plan, &fx.root[3]);
    add_root(&fx.plan, &fx.root[4]);
    struct bytes old = signed_set("01"), new = signed_set("34"), shared = signed_set("23"),
                 both = signed_set("0134"), least = signed_set("023");
    expect(SM_ERR_SIGNATURE, "too few of its own roots signed it", &old, &now);
    expect(SM_ERR_SIGNATURE, "too few roots signed it", &new, &now);
    expect(SM_ERR_SIGNATURE, "too few roots signed it", &shared, &now);
    assert_int_equal(accept(&both, &now, &set), 0);
    assert_int_equal(accept(&least, &now, &set), 0); /* 2 is of both */
    assert_int_equal(set.version, 2);
}

static void a_threshold_may_rise_and_fall(void **state)
{
    struct sm_keyset now = first(), set;
    (void)state;
    fx.plan.threshold = 3;
    struct bytes two = signed_set("01"), three = signed_set("012"), back;
    expect(SM_ERR_SIGNATURE, "too few of its own roots signed it", &two, &now);
    assert_int_equal(accept(&three, &now, &set), 0);
    fx.plan.version++;
    fx.plan.threshold = 1;
    back = signed_set("01");
    expect(SM_ERR_SIGNATURE, "too few roots signed it", &back, &set);
    back = signed_set("012");
    assert_int_equal(accept(&back, &set, &now), 0);
}

static void versions_go_forward_one_by_one(void **state)
{
    struct sm_keyset now = first(), set;
    struct bytes two = signed_set("01"), three;
    (void)state;
    expect(SM_ERR_ROLLBACK, "not newer than the set in force", &first_bytes, &now);
    fx.plan.version++;
    three = signed_set("01");
    expect(SM_ERR_STATE, "not the next set: those between come first", &three, &now);
    assert_int_equal(accept(&two, &now, &set), 0);
    assert_int_equal(accept(&three, &set, &now), 0);
    expect(SM_ERR_ROLLBACK, "not newer than the set in force", &two, &now);
}

static void a_set_of_another_fleet_is_refused_with_the_same_roots(void **state)
{
    struct sm_keyset now = first();
    (void)state;
    strcpy(fx.plan.fleet, "plant-8");
    struct bytes b = signed_set("01");
    expect(SM_ERR_DENIED, "of another fleet", &b, &now);
}

/* Behind signatures that do not hold, the content may be anything. */
static void nothing_is_read_before_the_old_roots_signatures_hold(void **state)
{
    struct sm_keyset now = first();
    struct bytes b = signed_set("01");
    (void)state;
    b.at[60] ^= 0xff;
    expect(SM_ERR_SIGNATURE, "a root's signature does not verify", &b, &now);
}

static void too_little_working_memory_is_an_error(void **state)
{
    struct bytes b = signed_set("01");
    struct sm_keyset set;
    (void)state;
    assert_int_equal(sm_keyset_accept(&set, b.at, b.len, NULL, fx.work, 100, NULL), SM_ERR_MEMORY);
}

/* ---- What a set says ------------------------------------------------------------------------- */

static void revocations_are_found(void **state)
{
    struct sm_keyset set;
    uint8_t sha[32];
    bool stop = true;
    (void)state;
    sm_sha256("module", 6, sha);
    revoke(&fx.plan, SM_REVOKED_MODULE, sha, true);
    revoke(&fx.plan, SM_REVOKED_KEY, fx.stranger.public_key, false);
    struct bytes b = signed_set("01");
    assert_int_equal(accept(&b, NULL, &set), 0);
    assert_true(sm_keyset_revoked(&set, SM_REVOKED_KEY, fx.stranger.public_key, &stop));
    assert_false(stop);
    assert_true(sm_keyset_revoked(&set, SM_REVOKED_MODULE, sha, &stop));
    assert_true(stop);
    assert_false(sm_keyset_revoked(&set, SM_REVOKED_KEY, sha, NULL));
    assert_false(sm_keyset_revoked(&set, SM_REVOKED_KEY, fx.signer.public_key, NULL));
}

static void keys_leave_the_trust_store_when_they_expire(void **state)
{
    struct sm_keyset set;
    struct sm_trust_key room[2];
    struct sm_trust trust;
    (void)state;
    fx.plan.key[0].expires_s = 5000;
    struct bytes b = signed_set("01");
    assert_int_equal(accept(&b, NULL, &set), 0);
    sm_trust_init(&trust, room, 2);
    assert_int_equal(sm_keyset_trust(&set, 4999, &trust), 0);
    assert_int_equal(trust.count, 2);
    assert_int_equal(sm_keyset_trust(&set, 5000, &trust), 0);
    assert_int_equal(trust.count, 1);
    assert_string_equal(trust.keys[0].fleet, "plant-7");
    sm_trust_init(&trust, room, 1);
    assert_int_equal(sm_keyset_trust(&set, 0, &trust), SM_ERR_LIMIT);
}

/* A packed and signed module of the fleet. */
struct release {
    uint8_t wasm[SM_MANIFEST_MAX + 64], sig[64];
    size_t len;
};

static struct release module_of(enum sm_module_kind kind, const char *capability,
                                const struct sm_keys_private *key,
                                const struct sm_plugin_sensor *sensor)
{
    static const uint8_t empty[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    struct sm_manifest m;
    struct sm_keys_why why;
    struct release r;
    sm_manifest_defaults(&m);
    m.kind = kind;
    strcpy(m.fleet, "plant-7");
    strcpy(m.name, "driver");
    strcpy(m.version, "1.0");
    m.sequence = 1;
    m.classes = 1;
    m.stack_bytes = 1024;
    m.interface = 1;
    m.capabilities = 1;
    strcpy(m.capability[0], capability);
    if (sensor)
        m.sensor = *sensor;
    int64_t n = sm_manifest_pack(&m, empty, sizeof empty, r.wasm, sizeof r.wasm, &fx.why);
    assert_true(n > 0);
    r.len = (size_t)n;
    assert_int_equal(sm_keys_sign(key, r.wasm, r.len, r.sig, &why), 0);
    return r;
}

static int admit(const struct sm_keyset *set, uint64_t now_s, const struct release *r)
{
    struct sm_trust_key room[8];
    struct sm_trust trust;
    struct sm_manifest m;
    sm_trust_init(&trust, room, 8);
    assert_int_equal(sm_keyset_trust(set, now_s, &trust), 0);
    return sm_trust_verify_module(&trust, r->wasm, r->len, r->sig, 64, &m, &fx.why);
}

static void a_vendor_signs_plugins_within_its_scope_and_time(void **state)
{
    struct sm_keyset set;
    const struct sm_plugin_sensor t1 = {.id = "T1",
                                        .model = "TMP105",
                                        .bus = "i2c-1",
                                        .address = 0x48,
                                        .values = 1,
                                        .value = {{"temperature", SM_UNIT_CELSIUS, 3, 0, 0}}};
    struct sm_plugin_sensor model = t1, bus = t1, address = t1;
    strcpy(model.model, "TMP10");
    strcpy(bus.bus, "i2c-10");
    address.address = 0x4a;
    struct release plugin = module_of(SM_KIND_PLUGIN, "log", &fx.vendor, &t1),
                   application = module_of(SM_KIND_APPLICATION, "log", &fx.vendor, NULL),
                   foreign = module_of(SM_KIND_PLUGIN, "log", &fx.signer, &t1);
    const struct {
        struct release release;
        const char *rule;
    } beyond[] = {
        {module_of(SM_KIND_PLUGIN, "net", &fx.vendor, &t1),
         "a capability that is beyond its vendor's scope"},
        {application, "a vendor's key signs plugins only"},
        {module_of(SM_KIND_PLUGIN, "log", &fx.vendor, NULL),
         "a plugin without a sensor removes one, which is for the fleet's signer"},
        {module_of(SM_KIND_PLUGIN, "log", &fx.vendor, &model),
         "a sensor model that is beyond its vendor's scope"},
        {module_of(SM_KIND_PLUGIN, "log", &fx.vendor, &bus),
         "a bus that is beyond its vendor's scope"},
        {module_of(SM_KIND_PLUGIN, "log", &fx.vendor, &address),
         "an address that is beyond its vendor's scope"},
    };
    (void)state;
    struct sm_keyset_plan_key *k = add_key(&fx.plan, SM_ROLE_VENDOR, &fx.vendor);
    strcpy(k->model, "TMP105");
    strcpy(k->bus, "i2c-1");
    k->expires_s = 5000;
    k->addresses = 2;
    k->address[0] = 0x48;
    k->address[1] = 0x49;
    k->capabilities = 1;
    strcpy(k->capability[0], "log*");
    struct bytes b = signed_set("01");
    assert_int_equal(accept(&b, NULL, &set), 0);
    assert_int_equal(admit(&set, 4999, &plugin), 0);
    assert_int_equal(admit(&set, 5000, &plugin), SM_ERR_SIGNATURE);
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        assert_int_equal(admit(&set, 0, &beyond[i].release), SM_ERR_KEY);
        assert_string_equal(fx.why.rule, beyond[i].rule);
    }
    assert_int_equal(admit(&set, 0, &foreign), SM_ERR_KEY);
}

#define T(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_set_of_another_encoder_is_accepted_and_read),
        T(making_a_plan_of_a_set_gives_the_same_bytes),
        T(every_byte_counts),
        T(every_shorter_and_longer_object_is_refused),
        T(a_set_from_the_future_is_told_from_a_bad_one),
        T(rules_of_the_content_hold),
        T(the_first_set_needs_the_threshold_of_its_own_roots),
        T(a_signature_counts_once),
        T(a_stranger_may_not_sign_even_beside_enough_roots),
        T(one_bad_signature_spoils_an_object_with_enough_good_ones),
        T(a_signature_of_another_set_does_not_count),
        T(what_is_signed_passes_for_nothing_else),
        T(the_next_set_needs_both_thresholds),
        T(a_threshold_may_rise_and_fall),
        T(versions_go_forward_one_by_one),
        T(a_set_of_another_fleet_is_refused_with_the_same_roots),
        T(nothing_is_read_before_the_old_roots_signatures_hold),
        T(too_little_working_memory_is_an_error),
        T(revocations_are_found),
        T(keys_leave_the_trust_store_when_they_expire),
        T(a_vendor_signs_plugins_within_its_scope_and_time),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}

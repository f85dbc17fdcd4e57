/* Claims about native images: their only encoding, who may sign them, and that their signatures and
 * those of modules never pass for each other.
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
#include <sandmote/trust.h>
#include "hex.h"

/* Made with another encoder and another Ed25519: npm's cbor 10.0.12 (encodeCanonical) and Node's
 * crypto.sign, with the first private key of RFC 8032, 7.1. Hashes are those of "module" and
 * "native image". */
static const uint8_t vector_key[32] = {
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
static const char vector_signed[] =
    "846a5369676e617475726531582aa201271078246170706c69636174696f6e2f766e642e73616e646d6f74652e6e"
    "61746976652b636f736540584da50101025820120970d812836f19888625587a4606a5ad23cef31c8684e6017715"
    "52548fc6b9035820ec8d620395d8b544b1826c2141194cb86a8b5600026ad9b3a7b571c17c059ceb040c0503";
static const char vector_object[] =
    "d284582aa201271078246170706c69636174696f6e2f766e642e73616e646d6f74652e6e61746976652b636f7365"
    "a0584da50101025820120970d812836f19888625587a4606a5ad23cef31c8684e601771552548fc6b9035820ec8d"
    "620395d8b544b1826c2141194cb86a8b5600026ad9b3a7b571c17c059ceb040c050358408fd2cd78b2b9a9cfeb1d"
    "4472fde9efab6e72d86ee17dc270caec1ef0193dacc00119f5ca9ea7ec5349c2bf37593821848daad22e91dc26d2"
    "fb494cb149337203";

struct bytes {
    uint8_t at[512];
    size_t len;
};

static struct {
    struct sm_keys_private builder, signer, stranger;
    struct sm_trust_key room[8];
    struct sm_trust trust;
    struct sm_native_claim claim;
} fx;

static struct bytes from_hex(const char *hex)
{
    struct bytes b;
    b.len = hex_decode(hex, b.at);
    return b;
}

static void add(enum sm_role role, const char *fleet, const struct sm_keys_private *key)
{
    assert_int_equal(sm_trust_add(&fx.trust, role, fleet, key->public_key), 0);
}

/* The object with a key's signature over these bytes. */
static struct bytes signed_by(const struct sm_keys_private *key, const struct bytes *to_sign)
{
    struct bytes b;
    struct sm_keys_why why;
    uint8_t sig[64];
    assert_int_equal(sm_keys_sign(key, to_sign->at, to_sign->len, sig, &why), 0);
    int len = sm_claim_encode(&fx.claim, sig, b.at, sizeof b.at);
    assert_true(len > 0);
    b.len = (size_t)len;
    return b;
}

static struct bytes to_sign(void)
{
    struct bytes b;
    int len = sm_claim_to_sign(&fx.claim, b.at, sizeof b.at);
    assert_true(len > 0);
    b.len = (size_t)len;
    return b;
}

static struct bytes claim_by(const struct sm_keys_private *key)
{
    struct bytes b = to_sign();
    return signed_by(key, &b);
}

/* A store with a builder and a signer of plant-7, and a claim. */
static int fresh(void **state)
{
    (void)state;
    sm_trust_init(&fx.trust, fx.room, 8);
    add(SM_ROLE_SIGNER, "plant-7", &fx.signer);
    add(SM_ROLE_BUILDER, "plant-7", &fx.builder);
    fx.claim = (struct sm_native_claim){.image_len = 12, .target = 3};
    sm_sha256("module", 6, fx.claim.module_sha);
    sm_sha256("native image", 12, fx.claim.image_sha);
    return 0;
}

static int make_keys(void **state)
{
    struct sm_keys_why why;
    (void)state;
    return sm_keys_generate(&fx.builder, &why) || sm_keys_generate(&fx.signer, &why) ||
           sm_keys_generate(&fx.stranger, &why);
}

static int drop_keys(void **state)
{
    (void)state;
    sm_keys_free(&fx.builder);
    sm_keys_free(&fx.signer);
    sm_keys_free(&fx.stranger);
    return 0;
}

static int verify(const struct bytes *b, const char *fleet, struct sm_manifest_detail *d)
{
    struct sm_native_claim claim;
    uint8_t *copy = malloc(b->len ? b->len : 1); /* exact: the sanitizer sees a read beyond it */
    memcpy(copy, b->at, b->len);
    int err = sm_trust_verify_native(&fx.trust, copy, b->len, fleet, &claim, d);
    free(copy);
    if (err == 0)
        assert_memory_equal(&claim, &fx.claim, sizeof claim);
    return err;
}

static void expect(const struct bytes *b, int err, const char *rule)
{
    struct sm_manifest_detail d = {0};
    assert_int_equal(verify(b, "plant-7", &d), err);
    assert_string_equal(d.rule, rule);
}

/* ---- Bytes ------------------------------------------------------------------------------------
 */

static void another_implementation_makes_the_same_bytes(void **state)
{
    struct bytes object = from_hex(vector_object), text = from_hex(vector_signed), ours = to_sign();
    uint8_t again[SM_CLAIM_MAX];
    (void)state;
    assert_int_equal(ours.len, text.len);
    assert_memory_equal(ours.at, text.at, text.len);
    assert_int_equal(sm_claim_encode(&fx.claim, object.at + object.len - 64, again, sizeof again),
                     object.len);
    assert_memory_equal(again, object.at, object.len);
    assert_int_equal(sm_trust_add(&fx.trust, SM_ROLE_BUILDER, "plant-7", vector_key), 0);
    assert_int_equal(verify(&object, "plant-7", NULL), 0);
}

static void every_changed_bit_is_refused(void **state)
{
    struct bytes good = claim_by(&fx.builder);
    unsigned malformed = 0;
    (void)state;
    assert_int_equal(verify(&good, "plant-7", NULL), 0);
    for (size_t i = 0; i < 8 * good.len; i++) {
        struct bytes bad = good;
        bad.at[i / 8] ^= (uint8_t)(1u << i % 8);
        int err = verify(&bad, "plant-7", NULL);
        assert_true(err == SM_ERR_MALFORMED || err == SM_ERR_SIGNATURE);
        malformed += err == SM_ERR_MALFORMED;
    }
    printf("  %u bits, %u of them of the envelope\n", (unsigned)(8 * good.len), malformed);
}

static void every_other_length_is_refused(void **state)
{
    struct bytes good = claim_by(&fx.builder), bad = good;
    (void)state;
    for (bad.len = 0; bad.len < good.len; bad.len++)
        assert_int_equal(verify(&bad, "plant-7", NULL), SM_ERR_MALFORMED);
    bad.len = good.len + 1;
    bad.at[good.len] = 0;
    expect(&bad, SM_ERR_MALFORMED, "bytes follow the last item");
}

/* The object with `from` (hex), which stands in it once, replaced. */
static struct bytes replaced(const struct bytes *object, const char *from, const char *to)
{
    struct bytes a = from_hex(from), b = from_hex(to), out = {.len = object->len - a.len + b.len};
    size_t at = 0;
    while (memcmp(object->at + at, a.at, a.len) != 0)
        assert_true(++at + a.len <= object->len);
    memcpy(out.at, object->at, at);
    memcpy(out.at + at, b.at, b.len);
    memcpy(out.at + at + b.len, object->at + at + a.len, object->len - at - a.len);
    return out;
}

static void an_envelope_of_another_form_is_refused(void **state)
{
    static const struct {
        const char *from, *to, *rule;
    } cases[] = {
        {"d284582a", "84582a", "not a COSE_Sign1 object"},
        {"d284582a", "d384582a", "not a COSE_Sign1 object"},
        {"d284582a", "d283582a", "a signed object has four parts"},
        {"d284582a", "d285582a", "a signed object has four parts"},
        {"d284582a", "d28459002a", "a number is not in its shortest form"},
        {"a0584d", "a1044131584d", "nothing unprotected may stand in the header"},
        {"a0584d", "80584d", "a map is expected"},
        {"a20127", "a20126", "signed as another kind of object"}, /* ES256 */
        {"6e6174697665", "6d6f64756c65", "signed as another kind of object"},
        {"5840", "583f", "a signature has exactly 64 bytes"},
        {"584da5", "4da5", "a byte string is expected"},
    };
    struct bytes good = claim_by(&fx.builder);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes bad = replaced(&good, cases[i].from, cases[i].to);
        expect(&bad, SM_ERR_MALFORMED, cases[i].rule);
    }
}

/* ---- Authentic claims that break a rule --------------------------------------------------------
 */

static void put(struct bytes *b, const void *bytes, size_t len)
{
    assert_true(len <= sizeof b->at - b->len);
    memcpy(b->at + b->len, bytes, len);
    b->len += len;
}

/* A claim whose payload is these bytes, signed by the builder. Its head is that of any claim; the
 * good payload of 77 bytes begins 58 4d. */
static struct bytes authentic(const char *payload_hex)
{
    struct bytes payload = from_hex(payload_hex), good = to_sign(), text = {.len = 0}, b = text;
    struct sm_keys_why why;
    const uint8_t head[] = {0x58, (uint8_t)payload.len}, sig_head[] = {0x58, 64};
    uint8_t sig[64];
    assert_true(payload.len < 256 && payload.len >= 24);
    put(&text, good.at, good.len - 79);
    put(&text, head, 2);
    put(&text, payload.at, payload.len);
    assert_int_equal(sm_keys_sign(&fx.builder, text.at, text.len, sig, &why), 0);
    good = claim_by(&fx.builder);
    put(&b, good.at, good.len - 66 - 79);
    put(&b, head, 2);
    put(&b, payload.at, payload.len);
    put(&b, sig_head, 2);
    put(&b, sig, 64);
    return b;
}

#define SHA "5820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void an_authentic_claim_still_keeps_the_rules(void **state)
{
    static const struct {
        const char *payload;
        int err;
        const char *rule;
    } cases[] = {
        {"a5010202" SHA "03" SHA "040c0503", SM_ERR_UNSUPPORTED, "a claim from the future"},
        {"a2011903e8181a" SHA, SM_ERR_UNSUPPORTED, "a claim from the future"},
        {"a5010002" SHA "03" SHA "040c0503", SM_ERR_INVALID, "a number is out of its range"},
        {"a5010102" SHA "03" SHA "04000503", SM_ERR_INVALID, "a number is out of its range"},
        {"a5010102" SHA "03" SHA "041a800000000503", SM_ERR_INVALID,
         "a number is out of its range"},
        {"a5010102" SHA "03" SHA "040c0500", SM_ERR_INVALID, "a number is out of its range"},
        {"a5010102" SHA "03" SHA "040c051a00010000", SM_ERR_INVALID,
         "a number is out of its range"},
        {"a4010102" SHA "03" SHA "040c", SM_ERR_MALFORMED, "a key is missing or unknown"},
        {"a6010102" SHA "03" SHA "040c05030600", SM_ERR_MALFORMED, "a key is missing or unknown"},
        {"a5010102" SHA "03" SHA "040c0603", SM_ERR_MALFORMED, "a key is missing or unknown"},
        {"a5010102" SHA "03" SHA "040c050300", SM_ERR_MALFORMED, "bytes follow the last item"},
        {"a50101025820101112131415161718192021222324252627", SM_ERR_MALFORMED,
         "a byte string is longer than the bytes that are left"},
        {"a50101024f000102030405060708090a0b0c0d0e03" SHA "040c0503", SM_ERR_MALFORMED,
         "a key and a hash have 32 bytes"},
        {"a5010102" SHA "02" SHA "040c0503", SM_ERR_MALFORMED, "a key stands twice"},
        {"85010102" SHA "03" SHA "040c0503", SM_ERR_MALFORMED, "a map is expected"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes b = authentic(cases[i].payload);
        expect(&b, cases[i].err, cases[i].rule);
    }
}

/* ---- Who may sign ------------------------------------------------------------------------------
 */

static void a_builder_of_the_module_s_fleet_signs(void **state)
{
    struct bytes b = claim_by(&fx.builder);
    struct sm_manifest_detail d = {0};
    (void)state;
    assert_int_equal(verify(&b, "plant-7", NULL), 0);
    assert_int_equal(verify(&b, "plant-8", &d), SM_ERR_KEY);
    assert_string_equal(d.rule, "the key that signed is of another fleet");
    add(SM_ROLE_BUILDER, "plant-8", &fx.builder);
    assert_int_equal(verify(&b, "plant-8", NULL), 0);
}

static void no_other_role_signs(void **state)
{
    (void)state;
    struct bytes b = claim_by(&fx.signer);
    expect(&b, SM_ERR_KEY, "the key that signed has a role that signs no native images");
    b = claim_by(&fx.stranger);
    expect(&b, SM_ERR_SIGNATURE, "no trusted key made this signature over this claim");
    for (unsigned role = SM_ROLE_ROOT; role <= SM_ROLE_REQUESTER; role++) {
        sm_trust_init(&fx.trust, fx.room, 8);
        add((enum sm_role)role, "plant-7", &fx.stranger);
        assert_int_equal(verify(&b, "plant-7", NULL), role == SM_ROLE_BUILDER ? 0 : SM_ERR_KEY);
    }
}

static void a_builder_signs_no_module(void **state)
{
    static const uint8_t header[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    struct sm_manifest m;
    struct sm_manifest_detail d;
    struct sm_keys_why why;
    uint8_t wasm[SM_MANIFEST_MAX + 64], sig[64];
    (void)state;
    sm_manifest_defaults(&m);
    strcpy(m.fleet, "plant-7");
    strcpy(m.name, "thermostat");
    strcpy(m.version, "1");
    m.sequence = m.classes = 1;
    int64_t len = sm_manifest_pack(&m, header, sizeof header, wasm, sizeof wasm, &d);
    assert_int_equal(sm_keys_sign(&fx.builder, wasm, (size_t)len, sig, &why), 0);
    assert_int_equal(sm_trust_verify_module(&fx.trust, wasm, (size_t)len, sig, 64, &m, &d),
                     SM_ERR_KEY);
    assert_int_equal(sm_keys_sign(&fx.signer, wasm, (size_t)len, sig, &why), 0);
    assert_int_equal(sm_trust_verify_module(&fx.trust, wasm, (size_t)len, sig, 64, &m, &d), 0);
}

/* What is signed for a claim is no module, and a module is not what is signed for a claim, whoever
 * signs: no key can be talked into one by asking for the other. */
static void signed_bytes_of_modules_and_claims_differ_in_the_first(void **state)
{
    struct bytes b = to_sign();
    const uint8_t *out;
    size_t out_len;
    struct sm_manifest_detail d;
    (void)state;
    assert_int_equal(b.at[0], 0x84);
    assert_int_equal(sm_manifest_find(b.at, b.len, &out, &out_len, &d), SM_ERR_MALFORMED);
}

/* ---- What is claimed ----------------------------------------------------------------------------
 */

static void module_and_image_must_be_those_of_the_claim(void **state)
{
    uint8_t other[32];
    (void)state;
    sm_sha256("Module", 6, other);
    assert_int_equal(sm_claim_check(&fx.claim, fx.claim.module_sha, "native image", 12), 0);
    assert_int_equal(sm_claim_check(&fx.claim, other, "native image", 12), SM_ERR_DENIED);
    assert_int_equal(sm_claim_check(&fx.claim, fx.claim.module_sha, "native Image", 12),
                     SM_ERR_CORRUPT);
    assert_int_equal(sm_claim_check(&fx.claim, fx.claim.module_sha, "native image", 11),
                     SM_ERR_CORRUPT);
}

static void what_cannot_be_claimed_is_not_written(void **state)
{
    uint8_t out[SM_CLAIM_MAX];
    (void)state;
    for (size_t size = 0; size < 136; size++)
        assert_int_equal(sm_claim_to_sign(&fx.claim, out, size), SM_ERR_MEMORY);
    assert_int_equal(sm_claim_to_sign(&fx.claim, out, 136), 136);
    fx.claim.image_len = 0;
    assert_int_equal(sm_claim_to_sign(&fx.claim, out, sizeof out), SM_ERR_INVALID);
    fx.claim.image_len = 0x80000000;
    assert_int_equal(sm_claim_encode(&fx.claim, out, out, sizeof out), SM_ERR_INVALID);
    fx.claim.image_len = 0x7fffffff;
    fx.claim.target = 0;
    assert_int_equal(sm_claim_to_sign(&fx.claim, out, sizeof out), SM_ERR_INVALID);
    fx.claim.target = 65536;
    assert_int_equal(sm_claim_to_sign(&fx.claim, out, sizeof out), SM_ERR_INVALID);
    fx.claim.target = 65535;
    assert_true(sm_claim_to_sign(&fx.claim, out, sizeof out) > 0);
}

#define T(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(another_implementation_makes_the_same_bytes),
        T(every_changed_bit_is_refused),
        T(every_other_length_is_refused),
        T(an_envelope_of_another_form_is_refused),
        T(an_authentic_claim_still_keeps_the_rules),
        T(a_builder_of_the_module_s_fleet_signs),
        T(no_other_role_signs),
        T(a_builder_signs_no_module),
        T(signed_bytes_of_modules_and_claims_differ_in_the_first),
        T(module_and_image_must_be_those_of_the_claim),
        T(what_cannot_be_claimed_is_not_written),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}

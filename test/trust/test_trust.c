/* The trust store, and the way of a signed module through it: signature, section, manifest, scope.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <posix/keys.h>
#include <sandmote/crypto.h>
#include <sandmote/trust.h>

#define ROOM 4096

/* A module without code: a custom section "name", an empty type section, an empty custom one. */
static const uint8_t plain[] = {0,   'a', 's', 'm', 1, 0, 0, 0, 0, 6, 4,   'n',
                                'a', 'm', 'e', 9,   1, 1, 0, 0, 3, 2, 'x', 'y'};

struct fixture {
    struct sm_keys_private ours, other;
    struct sm_trust_key room[8];
    struct sm_trust trust;
    struct sm_manifest manifest;
    uint8_t wasm[ROOM];
    size_t len;
    uint8_t sig[64];
};
static struct fixture fx;

static void sign(const struct sm_keys_private *key)
{
    struct sm_keys_why why;
    assert_int_equal(sm_keys_sign(key, fx.wasm, fx.len, fx.sig, &why), 0);
}

static void pack(void)
{
    struct sm_manifest_detail d;
    int64_t len = sm_manifest_pack(&fx.manifest, plain, sizeof plain, fx.wasm, ROOM, &d);
    assert_true(len > 0);
    fx.len = (size_t)len;
}

static void add(enum sm_role role, const char *fleet, const struct sm_keys_private *key)
{
    assert_int_equal(sm_trust_add(&fx.trust, role, fleet, key->public_key), 0);
}

/* A good module of plant-7, signed by our key, in a store without keys. */
static int fresh(void **state)
{
    (void)state;
    sm_trust_init(&fx.trust, fx.room, 8);
    sm_manifest_defaults(&fx.manifest);
    strcpy(fx.manifest.fleet, "plant-7");
    strcpy(fx.manifest.name, "thermostat");
    strcpy(fx.manifest.version, "1.2.0");
    fx.manifest.sequence = 3;
    fx.manifest.classes = 1;
    pack();
    sign(&fx.ours);
    return 0;
}

static int make_keys(void **state)
{
    struct sm_keys_why why;
    (void)state;
    return sm_keys_generate(&fx.ours, &why) || sm_keys_generate(&fx.other, &why);
}

static int drop_keys(void **state)
{
    (void)state;
    sm_keys_free(&fx.ours);
    sm_keys_free(&fx.other);
    return 0;
}

static int verify_len(size_t len, size_t sig_len, struct sm_manifest_detail *d)
{
    struct sm_manifest m;
    /* An exact copy, so that a read beyond the end is found by the sanitizer. */
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, fx.wasm, len);
    int err = sm_trust_verify_module(&fx.trust, copy, len, fx.sig, sig_len, &m, d);
    free(copy);
    return err;
}

static void expect(int err, const char *rule)
{
    struct sm_manifest_detail d = {0};
    assert_int_equal(verify_len(fx.len, 64, &d), err);
    assert_string_equal(d.rule, rule);
}

static void expect_good(void)
{
    assert_int_equal(verify_len(fx.len, 64, NULL), 0);
}

static const char *const nobody = "no trusted key made this signature over these bytes";

/* ---- The section ------------------------------------------------------------------------------
 */

/* A module of the header and these bytes. */
#define MODULE(...)                                                                                \
    (const uint8_t[]){0, 'a', 's', 'm', 1, 0, 0, 0, __VA_ARGS__},                                  \
        sizeof((const uint8_t[]){0, 'a', 's', 'm', 1, 0, 0, 0, __VA_ARGS__})
#define NAMED 's', 'a', 'n', 'd', 'm', 'o', 't', 'e'

static void expect_found(const uint8_t *wasm, size_t len, size_t at, size_t found_len)
{
    const uint8_t *out;
    size_t out_len;
    struct sm_manifest_detail d;
    assert_int_equal(sm_manifest_find(wasm, len, &out, &out_len, &d), 0);
    assert_int_equal(out - wasm, at);
    assert_int_equal(out_len, found_len);
}

static void expect_lost(const uint8_t *wasm, size_t len, int err, uint32_t offset, const char *rule)
{
    const uint8_t *out;
    size_t out_len;
    struct sm_manifest_detail d;
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, wasm, len);
    assert_int_equal(sm_manifest_find(copy, len, &out, &out_len, &d), err);
    assert_string_equal(d.rule, rule);
    assert_int_equal(d.offset, offset);
    free(copy);
}

static void the_section_is_found_wherever_it_stands(void **state)
{
    (void)state;
    expect_found(MODULE(0, 10, 8, NAMED, 7), 19, 1);
    expect_found(MODULE(1, 1, 0, 0, 11, 8, NAMED, 7, 7), 22, 2);
    expect_found(MODULE(0, 9, 8, NAMED, 1, 1, 0), 19, 0);
    /* Lengths may be padded, as linkers do. */
    expect_found(MODULE(0, 0x8e, 0x80, 0x80, 0x80, 0, 0x88, 0x80, 0x80, 0x80, 0, NAMED, 7), 27, 1);
}

static void other_sections_are_not_taken_for_it(void **state)
{
    (void)state;
    static const char *const rule = "no section \"sandmote\", so no manifest";
    expect_lost(plain, sizeof plain, SM_ERR_NOT_FOUND, sizeof plain, rule);
    expect_lost(MODULE(1, 9, 8, NAMED), SM_ERR_NOT_FOUND, 19, rule);
    expect_lost(MODULE(0, 9, 9, NAMED), SM_ERR_NOT_FOUND, 19, rule);
    expect_lost(MODULE(0, 10, 9, NAMED, '2'), SM_ERR_NOT_FOUND, 20, rule);
    expect_lost(MODULE(0, 8, 7, 's', 'a', 'n', 'd', 'm', 'o', 't'), SM_ERR_NOT_FOUND, 18, rule);
    expect_lost(MODULE(0, 0), SM_ERR_NOT_FOUND, 10, rule);
    /* A name that would go on in the next section, of type 's' and 'a' bytes. */
    uint8_t over[8 + 3 + 2 + 'a'] = {0, 'a', 's', 'm', 1, 0, 0, 0, 0, 1, 8, NAMED};
    expect_lost(over, sizeof over, SM_ERR_NOT_FOUND, sizeof over, rule);
}

static void a_second_section_is_refused(void **state)
{
    (void)state;
    expect_lost(MODULE(0, 9, 8, NAMED, 0, 9, 8, NAMED), SM_ERR_INVALID, 19,
                "a second section \"sandmote\"");
}

static void sections_must_add_up_to_the_file(void **state)
{
    (void)state;
    expect_lost(MODULE(0, 10, 8, NAMED), SM_ERR_MALFORMED, 8, "a section goes beyond the file");
    expect_lost(MODULE(0, 9, 8, NAMED, 0), SM_ERR_MALFORMED, 20, "unexpected end");
    expect_lost(MODULE(1, 0x80), SM_ERR_MALFORMED, 10, "unexpected end");
    expect_lost(MODULE(1, 0xff, 0xff, 0xff, 0xff, 0x0f), SM_ERR_MALFORMED, 8,
                "a section goes beyond the file");
    expect_lost(MODULE(1, 0x80, 0x80, 0x80, 0x80, 0x10), SM_ERR_MALFORMED, 14, "integer too large");
    expect_lost(MODULE(1, 0x80, 0x80, 0x80, 0x80, 0x80, 0), SM_ERR_MALFORMED, 14,
                "integer representation too long");
}

static void files_of_another_kind_are_refused(void **state)
{
    (void)state;
    static const uint8_t component[] = {0, 'a', 's', 'm', 13, 0, 1, 0};
    expect_lost(plain, 0, SM_ERR_MALFORMED, 0, "not a WebAssembly module");
    expect_lost(plain, 7, SM_ERR_MALFORMED, 0, "not a WebAssembly module");
    expect_lost((const uint8_t *)"\177ELF....", 8, SM_ERR_MALFORMED, 0, "not a WebAssembly module");
    expect_lost(component, 8, SM_ERR_MALFORMED, 4, "not version 1 of the module format");
}

static void packing_keeps_all_other_bytes_and_replaces_the_section(void **state)
{
    (void)state;
    struct sm_manifest m;
    struct sm_manifest_detail d;
    uint8_t again[ROOM];
    size_t section = fx.len - sizeof plain;
    assert_memory_equal(fx.wasm, plain, 8);
    assert_memory_equal(fx.wasm + 8 + section, plain + 8, sizeof plain - 8);
    assert_int_equal(sm_manifest_read(&m, fx.wasm, fx.len, &d), 0);
    assert_memory_equal(&m, &fx.manifest, sizeof m);
    fx.manifest.sequence = 4;
    assert_int_equal(sm_manifest_pack(&fx.manifest, fx.wasm, fx.len, again, ROOM, &d), fx.len);
    assert_int_equal(sm_manifest_read(&m, again, fx.len, &d), 0);
    assert_int_equal(m.sequence, 4);
    assert_int_equal(sm_manifest_pack(&fx.manifest, fx.wasm, fx.len, again, fx.len - 1, &d),
                     SM_ERR_MEMORY);
    assert_int_equal(sm_manifest_pack(&fx.manifest, plain, 7, again, ROOM, &d), SM_ERR_MALFORMED);
    assert_int_equal(sm_manifest_pack(&fx.manifest, plain, 9, again, ROOM, &d), SM_ERR_MALFORMED);
}

/* ---- Signatures -------------------------------------------------------------------------------
 */

static void a_signed_module_of_the_fleet_is_good(void **state)
{
    (void)state;
    struct sm_manifest m;
    struct sm_manifest_detail d;
    add(SM_ROLE_SIGNER, "plant-7", &fx.ours);
    assert_int_equal(sm_trust_verify_module(&fx.trust, fx.wasm, fx.len, fx.sig, 64, &m, &d), 0);
    assert_memory_equal(&m, &fx.manifest, sizeof m);
}

static void an_empty_store_trusts_nobody(void **state)
{
    (void)state;
    expect(SM_ERR_SIGNATURE, nobody);
}

static void every_flipped_bit_of_file_and_signature_is_refused(void **state)
{
    (void)state;
    add(SM_ROLE_SIGNER, "plant-7", &fx.ours);
    for (size_t bit = 0; bit < 8 * fx.len; bit++) {
        fx.wasm[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect(SM_ERR_SIGNATURE, nobody);
        fx.wasm[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof fx.sig; bit++) {
        fx.sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect(SM_ERR_SIGNATURE, nobody);
        fx.sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    expect_good();
    print_message("%zu flips refused\n", 8 * (fx.len + sizeof fx.sig));
}

static void every_truncation_and_every_byte_more_is_refused(void **state)
{
    (void)state;
    add(SM_ROLE_SIGNER, "plant-7", &fx.ours);
    for (size_t len = 0; len < fx.len; len++)
        assert_int_equal(verify_len(len, 64, NULL), SM_ERR_SIGNATURE);
    for (unsigned byte = 0; byte < 256; byte++) {
        fx.wasm[fx.len] = (uint8_t)byte;
        assert_int_equal(verify_len(fx.len + 1, 64, NULL), SM_ERR_SIGNATURE);
    }
    expect_good();
}

static void a_signature_has_exactly_64_bytes(void **state)
{
    (void)state;
    struct sm_manifest_detail d;
    add(SM_ROLE_SIGNER, "plant-7", &fx.ours);
    static const size_t lengths[] = {0, 1, 63, 65, 128};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(verify_len(fx.len, lengths[i], &d), SM_ERR_SIGNATURE);
        assert_string_equal(d.rule, "a signature has exactly 64 bytes");
    }
}

static void an_unsigned_module_is_refused(void **state)
{
    (void)state;
    add(SM_ROLE_SIGNER, "plant-7", &fx.ours);
    memset(fx.sig, 0, sizeof fx.sig);
    expect(SM_ERR_SIGNATURE, nobody);
}

static void nothing_is_parsed_before_the_signature_is_good(void **state)
{
    (void)state;
    add(SM_ROLE_SIGNER, "plant-7", &fx.ours);
    sign(&fx.other);
    memset(fx.wasm, 0xff, fx.len); /* would be malformed, if anyone looked */
    expect(SM_ERR_SIGNATURE, nobody);
}

static void an_authentic_file_is_still_judged_by_its_manifest(void **state)
{
    (void)state;
    struct sm_manifest_detail d;
    add(SM_ROLE_SIGNER, "plant-7", &fx.ours);
    memcpy(fx.wasm, plain, sizeof plain);
    fx.len = sizeof plain;
    sign(&fx.ours);
    expect(SM_ERR_NOT_FOUND, "no section \"sandmote\", so no manifest");
    pack();
    const uint8_t *found;
    size_t found_len;
    assert_int_equal(sm_manifest_find(fx.wasm, fx.len, &found, &found_len, &d), 0);
    size_t cbor = (size_t)(found - fx.wasm);
    fx.wasm[cbor + 2] = 2; /* the format */
    sign(&fx.ours);
    assert_int_equal(verify_len(fx.len, 64, &d), SM_ERR_UNSUPPORTED);
    assert_int_equal(d.offset, cbor + 2);
    assert_int_equal(d.value, 2);
}

/* ---- Scope ------------------------------------------------------------------------------------
 */

static void a_key_of_another_fleet_is_named_as_such(void **state)
{
    (void)state;
    add(SM_ROLE_SIGNER, "plant-8", &fx.ours);
    expect(SM_ERR_KEY, "the key that signed is of another fleet");
    add(SM_ROLE_SIGNER, "plant-7", &fx.other);
    expect(SM_ERR_KEY, "the key that signed is of another fleet");
}

static void one_key_may_sign_for_two_fleets(void **state)
{
    (void)state;
    add(SM_ROLE_SIGNER, "plant-8", &fx.ours);
    add(SM_ROLE_SIGNER, "plant-7", &fx.ours);
    expect_good();
}

static void a_fleet_may_have_two_signers(void **state)
{
    (void)state;
    add(SM_ROLE_SIGNER, "plant-7", &fx.other);
    add(SM_ROLE_SIGNER, "plant-7", &fx.ours);
    expect_good();
    sign(&fx.other);
    expect_good();
}

static void a_fleet_is_its_whole_name(void **state)
{
    (void)state;
    add(SM_ROLE_SIGNER, "plant-77", &fx.ours);
    add(SM_ROLE_SIGNER, "plant-", &fx.ours);
    expect(SM_ERR_KEY, "the key that signed is of another fleet");
}

static void other_roles_sign_no_applications(void **state)
{
    for (unsigned role = SM_ROLE_ROOT; role <= SM_ROLE_LAST; role++) {
        fresh(state);
        add((enum sm_role)role, "plant-7", &fx.ours);
        expect(SM_ERR_KEY, role == SM_ROLE_VENDOR
                               ? "a vendor's key signs plugins only"
                               : "the key that signed has a role that signs no modules");
    }
}

static void a_signer_signs_no_plugins_but_their_removal(void **state)
{
    (void)state;
    struct sm_manifest_detail d;
    fx.manifest.kind = SM_KIND_PLUGIN;
    strcpy(fx.manifest.sensor.id, "T1");
    strcpy(fx.manifest.sensor.model, "TMP105");
    strcpy(fx.manifest.sensor.bus, "i2c-1");
    fx.manifest.sensor.values = 1;
    strcpy(fx.manifest.sensor.value[0].name, "temperature");
    pack();
    sign(&fx.ours);
    add(SM_ROLE_SIGNER, "plant-7", &fx.ours);
    assert_int_equal(verify_len(fx.len, 64, &d), SM_ERR_KEY);
    assert_int_equal(d.key, SM_KEY_KIND);
    assert_string_equal(d.rule,
                        "a signer's key signs applications, and the removal of plugins, only");
    memset(&fx.manifest.sensor, 0, sizeof fx.manifest.sensor);
    pack();
    sign(&fx.ours);
    expect_good();
}

/* ---- The store --------------------------------------------------------------------------------
 */

static int adding(enum sm_role role, const char *fleet, const uint8_t key[32])
{
    uint32_t before = fx.trust.count;
    int err = sm_trust_add(&fx.trust, role, fleet, key);
    assert_int_equal(fx.trust.count, err ? before : before + 1);
    return err;
}

static void keys_that_are_no_keys_are_refused(void **state)
{
    (void)state;
    uint8_t key[32] = {0}, signature[64] = {1}; /* R is the neutral element, S is 0 */
    assert_int_equal(adding(SM_ROLE_SIGNER, "plant-7", key), SM_ERR_INVALID);
    key[31] = 0x80;
    assert_int_equal(adding(SM_ROLE_SIGNER, "plant-7", key), SM_ERR_INVALID);
    /* Why it matters: under the neutral element as a key, one signature is good for every file. */
    memset(key, 0, sizeof key), key[0] = 1;
    assert_int_equal(sm_ed25519_verify(key, "anything", 8, signature), 0);
    assert_int_equal(adding(SM_ROLE_SIGNER, "plant-7", key), SM_ERR_INVALID);
    static const uint8_t last_bytes[] = {0xec, 0xed, 0xee, 0xff}; /* p - 1, p, p + 1, p + 18 */
    for (size_t i = 0; i < sizeof last_bytes; i++) {
        memset(key, 0xff, sizeof key);
        key[0] = last_bytes[i];
        assert_int_equal(adding(SM_ROLE_SIGNER, "plant-7", key), SM_ERR_INVALID);
        key[31] = 0x7f;
        assert_int_equal(adding(SM_ROLE_SIGNER, "plant-7", key), SM_ERR_INVALID);
    }
}

/* The points of order 8 are found by arithmetic elsewhere; here they are found to be forgeable:
 * with R the neutral element and S = 0, one message in eight verifies. */
static void keys_of_order_eight_are_refused_and_would_be_forgeable(void **state)
{
    (void)state;
    static const uint8_t order8[2][32] = {
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
         0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
         0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
         0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
         0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}};
    static const uint8_t signature[64] = {1};
    for (int i = 0; i < 2; i++) {
        unsigned forged = 0;
        for (uint32_t message = 0; message < 400; message++)
            forged += sm_ed25519_verify(order8[i], &message, sizeof message, signature) == 0;
        assert_in_range(forged, 10, 120);
        assert_int_equal(adding(SM_ROLE_SIGNER, "plant-7", order8[i]), SM_ERR_INVALID);
    }
}

static void roles_and_fleets_must_be_real(void **state)
{
    (void)state;
    const uint8_t *key = fx.ours.public_key;
    assert_int_equal(adding((enum sm_role)0, "plant-7", key), SM_ERR_INVALID);
    assert_int_equal(adding((enum sm_role)7, "plant-7", key), SM_ERR_INVALID);
    assert_int_equal(adding(SM_ROLE_SIGNER, "", key), SM_ERR_INVALID);
    assert_int_equal(adding(SM_ROLE_SIGNER, "Plant 7", key), SM_ERR_INVALID);
    assert_int_equal(adding(SM_ROLE_SIGNER, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", key),
                     SM_ERR_INVALID);
    assert_int_equal(adding(SM_ROLE_SIGNER, "plant-7", key), 0);
    assert_string_equal(sm_trust_at(&fx.trust, 0)->fleet, "plant-7");
    assert_null(sm_trust_at(&fx.trust, 1));
    assert_string_equal(sm_role_name(SM_ROLE_SIGNER), "signer");
    assert_string_equal(sm_role_name(SM_ROLE_SERVER), "server");
    assert_null(sm_role_name(0));
    assert_null(sm_role_name(7));
}

static void one_key_has_one_role_and_stands_once(void **state)
{
    (void)state;
    const uint8_t *key = fx.ours.public_key;
    assert_int_equal(adding(SM_ROLE_SIGNER, "plant-7", key), 0);
    assert_int_equal(adding(SM_ROLE_ROOT, "plant-7", key), SM_ERR_KEY);
    assert_int_equal(adding(SM_ROLE_BUILDER, "plant-8", key), SM_ERR_KEY);
    assert_int_equal(sm_trust_add(&fx.trust, SM_ROLE_SIGNER, "plant-7", key), 0);
    assert_int_equal(fx.trust.count, 1);
}

static void a_full_store_refuses_another_key(void **state)
{
    (void)state;
    sm_trust_init(&fx.trust, fx.room, 1);
    assert_int_equal(adding(SM_ROLE_SIGNER, "plant-7", fx.ours.public_key), 0);
    assert_int_equal(adding(SM_ROLE_SIGNER, "plant-7", fx.other.public_key), SM_ERR_LIMIT);
    expect_good();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        T(the_section_is_found_wherever_it_stands),
        T(other_sections_are_not_taken_for_it),
        T(a_second_section_is_refused),
        T(sections_must_add_up_to_the_file),
        T(files_of_another_kind_are_refused),
        T(packing_keeps_all_other_bytes_and_replaces_the_section),
        T(a_signed_module_of_the_fleet_is_good),
        T(an_empty_store_trusts_nobody),
        T(every_flipped_bit_of_file_and_signature_is_refused),
        T(every_truncation_and_every_byte_more_is_refused),
        T(a_signature_has_exactly_64_bytes),
        T(an_unsigned_module_is_refused),
        T(nothing_is_parsed_before_the_signature_is_good),
        T(an_authentic_file_is_still_judged_by_its_manifest),
        T(a_key_of_another_fleet_is_named_as_such),
        T(one_key_may_sign_for_two_fleets),
        T(a_fleet_may_have_two_signers),
        T(a_fleet_is_its_whole_name),
        T(other_roles_sign_no_applications),
        T(a_signer_signs_no_plugins_but_their_removal),
        T(keys_that_are_no_keys_are_refused),
        T(keys_of_order_eight_are_refused_and_would_be_forgeable),
        T(roles_and_fleets_must_be_real),
        T(one_key_has_one_role_and_stands_once),
        T(a_full_store_refuses_another_key),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}

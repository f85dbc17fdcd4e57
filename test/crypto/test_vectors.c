/* Published vectors and the interface's promises, through the library that this is linked with.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sandmote/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ed25519_vectors.h"

#define VECTORS (sizeof ed25519_vectors / sizeof ed25519_vectors[0])

/* len bytes from hex digits; the number of bytes there are. */
static size_t from_hex(uint8_t *out, size_t max, const char *hex)
{
    size_t len = strlen(hex) / 2;
    assert_true(len <= max);
    for (size_t i = 0; i < len; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return len;
}

/* ---- Ed25519 --------------------------------------------------------------------------------- */

static void signatures_of_rfc_8032_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        const struct ed25519_vector *v = &ed25519_vectors[i];
        assert_int_equal(sm_ed25519_verify(v->pub, v->msg, v->len, v->sig), SM_OK);
    }
}

static void a_signature_holds_for_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        const struct ed25519_vector *v = &ed25519_vectors[i];
        const struct ed25519_vector *other = &ed25519_vectors[(i + 1) % VECTORS];
        assert_int_equal(sm_ed25519_verify(other->pub, v->msg, v->len, v->sig), SM_ERR_SIGNATURE);
        assert_int_equal(sm_ed25519_verify(v->pub, other->msg, other->len, v->sig),
                         SM_ERR_SIGNATURE);
        assert_int_equal(sm_ed25519_verify(v->pub, v->msg, v->len, other->sig), SM_ERR_SIGNATURE);
        if (v->len > 0)
            assert_int_equal(sm_ed25519_verify(v->pub, v->msg, v->len - 1, v->sig),
                             SM_ERR_SIGNATURE);
    }
}

static void a_refused_signature_leaves_no_error_behind(void **state)
{
    (void)state;
    struct ed25519_vector v = ed25519_vectors[1];
    v.sig[0] ^= 1;
    ERR_clear_error();
    assert_int_equal(sm_ed25519_verify(v.pub, v.msg, v.len, v.sig), SM_ERR_SIGNATURE);
    memset(v.pub, 0xff, sizeof v.pub);
    v.pub[0] = 0xef; /* y = 2: not on the curve */
    assert_int_equal(sm_ed25519_verify(v.pub, v.msg, v.len, v.sig), SM_ERR_SIGNATURE);
    assert_int_equal(ERR_peek_error(), 0);
}

/* The file, or NULL after saying what is skipped. */
static json_t *wycheproof(const char *file)
{
    const char *places[] = {getenv("SANDMOTE_TEST_DATA"), SM_SOURCE_DIR "/../shared/data",
                            SM_SOURCE_DIR "/build/test-data"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char path[4096];
        if (!places[i])
            continue;
        snprintf(path, sizeof path, "%s/wycheproof/%s", places[i], file);
        json_t *root = json_load_file(path, 0, NULL);
        if (root)
            return root;
    }
    print_message("skipped: no wycheproof/%s (set SANDMOTE_TEST_DATA, or run ./dev test-data)\n",
                  file);
    return NULL;
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    assert_non_null(value);
    return value;
}

/* Every test of a file, with its group; how many. 0 after skipping. */
static unsigned each_case(const char *file, void (*check)(const json_t *group, const json_t *test))
{
    json_t *root = wycheproof(file), *group, *test;
    unsigned n = 0;
    size_t i, j;
    if (!root)
        return 0;
    json_array_foreach(json_object_get(root, "testGroups"), i, group)
    {
        json_array_foreach(json_object_get(group, "tests"), j, test)
        {
            check(group, test);
            n++;
        }
    }
    assert_int_equal(n, json_integer_value(json_object_get(root, "numberOfTests")));
    json_decref(root);
    return n;
}

static int case_number(const json_t *test)
{
    return (int)json_integer_value(json_object_get(test, "tcId"));
}

static bool is_valid(const json_t *test)
{
    return strcmp(text(test, "result"), "valid") == 0;
}

static void check_wycheproof_case(const uint8_t pub[32], const json_t *test, unsigned count[2])
{
    uint8_t msg[2048], sig[128];
    size_t len = from_hex(msg, sizeof msg, text(test, "msg"));
    bool valid = strcmp(text(test, "result"), "valid") == 0;
    if (from_hex(sig, sizeof sig, text(test, "sig")) != SM_ED25519_SIG_SIZE) {
        assert_false(valid); /* not a signature for an interface that takes 64 bytes */
        count[1]++;
        return;
    }
    int result = sm_ed25519_verify(pub, msg, len, sig);
    if (result != (valid ? SM_OK : SM_ERR_SIGNATURE))
        fail_msg("tcId %d: got %d", (int)json_integer_value(json_object_get(test, "tcId")), result);
    count[0]++;
}

static void wycheproof_vectors_are_judged_right(void **state)
{
    (void)state;
    json_t *root = wycheproof("ed25519_test.json");
    if (!root)
        skip();
    unsigned count[2] = {0, 0};
    size_t i, j;
    json_t *group, *test;
    json_array_foreach(json_object_get(root, "testGroups"), i, group)
    {
        uint8_t pub[32];
        const json_t *key = json_object_get(group, "publicKey");
        assert_int_equal(from_hex(pub, sizeof pub, text(key, "pk")), 32);
        json_array_foreach(json_object_get(group, "tests"), j, test)
            check_wycheproof_case(pub, test, count);
    }
    print_message("wycheproof ed25519: %u judged right, %u of another length than 64\n", count[0],
                  count[1]);
    assert_true(count[0] + count[1] == json_integer_value(json_object_get(root, "numberOfTests")));
    json_decref(root);
}

/* ---- SHA-256 --------------------------------------------------------------------------------- */

static void expect_hash(const uint8_t hash[32], const char *hex)
{
    uint8_t expected[32];
    assert_int_equal(from_hex(expected, sizeof expected, hex), 32);
    assert_memory_equal(hash, expected, 32);
}

/* The examples that NIST publishes with FIPS 180-4. */
static void sha256_gives_the_standard_s_examples(void **state)
{
    (void)state;
    static const char *const examples[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
         "lmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    uint8_t hash[32];
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        sm_sha256(examples[i][0], strlen(examples[i][0]), hash);
        expect_hash(hash, examples[i][1]);
    }
    struct sm_sha256 s;
    sm_sha256_init(&s);
    for (int i = 0; i < 1000; i++) {
        char a[1000];
        memset(a, 'a', sizeof a);
        sm_sha256_update(&s, a, sizeof a);
    }
    sm_sha256_final(&s, hash);
    expect_hash(hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void every_length_to_300_hashes_as_with_libcrypto(void **state)
{
    (void)state;
    uint8_t data[300], hash[32], expected[32];
    for (size_t len = 0; len <= sizeof data; len++) {
        if (len > 0)
            data[len - 1] = (uint8_t)(len * 151 + 7);
        sm_sha256(len ? data : NULL, len, hash);
        assert_int_equal(EVP_Digest(data, len, expected, NULL, EVP_sha256(), NULL), 1);
        assert_memory_equal(hash, expected, 32);
    }
}

static void a_stream_may_be_cut_anywhere(void **state)
{
    (void)state;
    uint8_t data[200], whole[32], hash[32];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i);
    sm_sha256(data, sizeof data, whole);
    for (size_t first = 0; first <= sizeof data; first++) {
        for (size_t second = first; second <= sizeof data; second += 13) {
            struct sm_sha256 s;
            sm_sha256_init(&s);
            sm_sha256_update(&s, data, first);
            sm_sha256_update(&s, data + first, second - first);
            sm_sha256_update(&s, NULL, 0);
            sm_sha256_update(&s, data + second, sizeof data - second);
            sm_sha256_final(&s, hash);
            assert_memory_equal(hash, whole, 32);
        }
    }
}

static void a_copied_stream_goes_its_own_way(void **state)
{
    (void)state;
    uint8_t left[32], right[32], expected[32];
    struct sm_sha256 s, copy;
    sm_sha256_init(&s);
    sm_sha256_update(&s, "prefix ", 7);
    copy = s;
    sm_sha256_update(&s, "left", 4);
    sm_sha256_update(&copy, "right", 5);
    sm_sha256_final(&s, left);
    sm_sha256_final(&copy, right);
    sm_sha256("prefix left", 11, expected);
    assert_memory_equal(left, expected, 32);
    sm_sha256("prefix right", 12, expected);
    assert_memory_equal(right, expected, 32);
}

static void a_hash_may_replace_what_it_hashes(void **state)
{
    (void)state;
    uint8_t buffer[40] = "in place", expected[32];
    sm_sha256(buffer, sizeof buffer, expected);
    sm_sha256(buffer, sizeof buffer, buffer);
    assert_memory_equal(buffer, expected, 32);
}

/* ---- HMAC, HKDF ------------------------------------------------------------------------------ */

static void check_hmac(const json_t *group, const json_t *test)
{
    uint8_t key[256], msg[2048], tag[32], mac[32];
    size_t key_len = from_hex(key, sizeof key, text(test, "key"));
    size_t len = from_hex(msg, sizeof msg, text(test, "msg"));
    size_t tag_len = from_hex(tag, sizeof tag, text(test, "tag"));
    struct sm_hmac h;
    static const struct sm_hmac wiped;
    sm_hmac_init(&h, key, key_len);
    sm_hmac_update(&h, msg, len / 2);
    sm_hmac_update(&h, msg + len / 2, len - len / 2);
    sm_hmac_final(&h, mac);
    assert_memory_equal(&h, &wiped, sizeof h);
    assert_int_equal(tag_len * 8, json_integer_value(json_object_get(group, "tagSize")));
    if ((memcmp(mac, tag, tag_len) == 0) != is_valid(test))
        fail_msg("tcId %d", case_number(test));
}

static void check_hkdf(const json_t *group, const json_t *test)
{
    static uint8_t out[SM_HKDF_MAX + 1], okm[SM_HKDF_MAX + 1];
    uint8_t ikm[256], salt[256], info[256];
    (void)group;
    size_t size = (size_t)json_integer_value(json_object_get(test, "size"));
    size_t ikm_len = from_hex(ikm, sizeof ikm, text(test, "ikm"));
    size_t salt_len = from_hex(salt, sizeof salt, text(test, "salt"));
    size_t info_len = from_hex(info, sizeof info, text(test, "info"));
    int result = sm_hkdf(out, size, ikm, ikm_len, salt, salt_len, info, info_len);
    if (!is_valid(test)) { /* asks for too much */
        assert_int_equal(result, SM_ERR_LIMIT);
        return;
    }
    assert_int_equal(result, 0);
    assert_int_equal(from_hex(okm, sizeof okm, text(test, "okm")), size);
    if (memcmp(out, okm, size) != 0)
        fail_msg("tcId %d", case_number(test));
}

static void wycheproof_hmac_and_hkdf_are_met(void **state)
{
    (void)state;
    unsigned hmac = each_case("hmac_sha256_test.json", check_hmac);
    unsigned hkdf = each_case("hkdf_sha256_test.json", check_hkdf);
    if (!hmac || !hkdf)
        skip();
    print_message("wycheproof: %u of HMAC, %u of HKDF\n", hmac, hkdf);
}

/* ---- ChaCha20-Poly1305 ----------------------------------------------------------------------- */

struct sealed {
    uint8_t key[32], nonce[12], aad[600], msg[600], out[616];
    size_t aad_len, len;
};

static void check_chachapoly(const json_t *group, const json_t *test)
{
    struct sealed c;
    uint8_t nonce[64], expected[616], opened[600];
    (void)group;
    from_hex(c.key, sizeof c.key, text(test, "key"));
    if (from_hex(nonce, sizeof nonce, text(test, "iv")) != sizeof c.nonce) {
        assert_false(is_valid(test)); /* not for an interface that takes 12 bytes */
        return;
    }
    memcpy(c.nonce, nonce, sizeof c.nonce);
    c.aad_len = from_hex(c.aad, sizeof c.aad, text(test, "aad"));
    c.len = from_hex(c.msg, sizeof c.msg, text(test, "msg"));
    assert_int_equal(from_hex(expected, sizeof expected, text(test, "ct")), c.len);
    assert_int_equal(from_hex(expected + c.len, 16, text(test, "tag")), 16);
    int result = sm_aead_open(opened, c.key, c.nonce, c.aad, c.aad_len, expected, c.len + 16);
    if (result != (is_valid(test) ? 0 : SM_ERR_SIGNATURE))
        fail_msg("tcId %d: got %d", case_number(test), result);
    if (!is_valid(test))
        return;
    assert_memory_equal(opened, c.msg, c.len);
    assert_int_equal(sm_aead_seal(c.out, c.key, c.nonce, c.aad, c.aad_len, c.msg, c.len), 0);
    assert_memory_equal(c.out, expected, c.len + 16);
}

static void wycheproof_chacha20_poly1305_is_met(void **state)
{
    (void)state;
    unsigned n = each_case("chacha20_poly1305_test.json", check_chachapoly);
    if (!n)
        skip();
    print_message("wycheproof: %u of ChaCha20-Poly1305\n", n);
}

static void sealing_and_opening_work_in_place(void **state)
{
    (void)state;
    uint8_t key[32] = {1}, nonce[12] = {2}, bytes[200 + 16], away[200 + 16], msg[200];
    for (size_t len = 0; len <= 200; len += 25) {
        for (size_t i = 0; i < len; i++)
            msg[i] = (uint8_t)(i * 7 + len);
        memcpy(bytes, msg, len);
        assert_int_equal(sm_aead_seal(away, key, nonce, "aad", 3, msg, len), 0);
        assert_int_equal(sm_aead_seal(bytes, key, nonce, "aad", 3, bytes, len), 0);
        assert_memory_equal(bytes, away, len + 16);
        assert_int_equal(sm_aead_open(bytes, key, nonce, "aad", 3, bytes, len + 16), 0);
        assert_memory_equal(bytes, msg, len);
    }
}

static void what_does_not_open_leaves_nothing_of_the_message(void **state)
{
    (void)state;
    static const uint8_t key[32] = {3}, nonce[12] = {4};
    uint8_t msg[100], sealed[116], out[100];
    memset(msg, 0xa5, sizeof msg);
    assert_int_equal(sm_aead_seal(sealed, key, nonce, NULL, 0, msg, sizeof msg), 0);
    for (unsigned bit = 0; bit < sizeof sealed * 8; bit += 3) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(out, 0, sizeof out);
        assert_int_equal(sm_aead_open(out, key, nonce, NULL, 0, sealed, sizeof sealed),
                         SM_ERR_SIGNATURE);
        for (unsigned i = 0; i < sizeof out; i++)
            assert_int_equal(out[i], 0);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(sm_aead_open(out, key, nonce, "x", 1, sealed, sizeof sealed),
                     SM_ERR_SIGNATURE);
    for (size_t len = 0; len < sizeof sealed; len++)
        assert_int_equal(sm_aead_open(out, key, nonce, NULL, 0, sealed, len), SM_ERR_SIGNATURE);
    assert_int_equal(sm_aead_open(out, key, nonce, NULL, 0, sealed, sizeof sealed), 0);
}

static void too_much_to_seal_is_refused(void **state)
{
    (void)state;
    uint8_t key[32] = {0}, nonce[12] = {0}, out[16] = {0};
    volatile size_t much = 0x80000000u; /* the compiler is not to know that out is shorter */
    assert_int_equal(sm_aead_seal(out, key, nonce, NULL, 0, out, much), SM_ERR_LIMIT);
    assert_int_equal(sm_aead_seal(out, key, nonce, out, much, out, 0), SM_ERR_LIMIT);
    assert_int_equal(sm_aead_open(out, key, nonce, NULL, 0, out, much + 16), SM_ERR_LIMIT);
}

/* ---- Secrets --------------------------------------------------------------------------------- */

static void comparing_sees_every_bit(void **state)
{
    (void)state;
    uint8_t a[33] = {0}, b[33] = {0};
    assert_true(sm_ct_equal(a, b, sizeof a));
    assert_true(sm_ct_equal(NULL, NULL, 0));
    for (unsigned bit = 0; bit < sizeof b * 8; bit++) {
        b[bit / 8] = (uint8_t)(1u << bit % 8);
        assert_false(sm_ct_equal(a, b, sizeof a));
        assert_true(sm_ct_equal(a, b, bit / 8));
        b[bit / 8] = 0;
    }
}

static void wiping_leaves_zeros_and_no_more(void **state)
{
    (void)state;
    uint8_t secret[10];
    memset(secret, 0x5a, sizeof secret);
    sm_wipe(secret + 1, 8);
    sm_wipe(NULL, 0);
    assert_int_equal(secret[0], 0x5a);
    assert_int_equal(secret[9], 0x5a);
    for (int i = 1; i < 9; i++)
        assert_int_equal(secret[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_of_rfc_8032_verify),
        cmocka_unit_test(a_signature_holds_for_nothing_else),
        cmocka_unit_test(a_refused_signature_leaves_no_error_behind),
        cmocka_unit_test(wycheproof_vectors_are_judged_right),
        cmocka_unit_test(sha256_gives_the_standard_s_examples),
        cmocka_unit_test(every_length_to_300_hashes_as_with_libcrypto),
        cmocka_unit_test(a_stream_may_be_cut_anywhere),
        cmocka_unit_test(a_copied_stream_goes_its_own_way),
        cmocka_unit_test(a_hash_may_replace_what_it_hashes),
        cmocka_unit_test(wycheproof_hmac_and_hkdf_are_met),
        cmocka_unit_test(wycheproof_chacha20_poly1305_is_met),
        cmocka_unit_test(sealing_and_opening_work_in_place),
        cmocka_unit_test(what_does_not_open_leaves_nothing_of_the_message),
        cmocka_unit_test(too_much_to_seal_is_refused),
        cmocka_unit_test(comparing_sees_every_bit),
        cmocka_unit_test(wiping_leaves_zeros_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

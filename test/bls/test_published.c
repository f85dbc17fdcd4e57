/* Published values: pairings, points in ZCash's encoding, hashes to G1.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common.h"
#include "bls_curve.h"
#include "rfc9380.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static size_t make(uint8_t *out, const struct message *m)
{
    size_t len = strlen(m->text);
    memcpy(out, m->text, len);
    memset(out + len, m->fill, (size_t)m->times);
    return len + (size_t)m->times;
}

static void messages_expand_as_in_rfc_9380(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(expand_vectors); i++) {
        uint8_t msg[600], expected[128], out[128];
        size_t len = make(msg, &expand_vectors[i].msg);
        size_t out_len = from_hex(expected, sizeof expected, expand_vectors[i].bytes);
        assert_int_equal(
            sm_bls_expand_message(out, out_len, msg, len, expand_tag, sizeof expand_tag - 1), 0);
        assert_memory_equal(out, expected, out_len);
    }
}

static void messages_hash_to_g1_as_in_rfc_9380(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hash_vectors); i++) {
        uint8_t msg[600], expected[96], out[96];
        size_t len = make(msg, &hash_vectors[i].msg);
        from_hex(expected, 48, hash_vectors[i].x);
        from_hex(expected + 48, 48, hash_vectors[i].y);
        struct sm_bls_g1 p;
        assert_int_equal(sm_bls_hash_to_g1(&p, msg, len, hash_tag, sizeof hash_tag - 1), 0);
        sm_bls_g1_encode_uncompressed(out, &p);
        assert_memory_equal(out, expected, 96);
        assert_true(sm_bls_g1_in_group(&p));
    }
}

/* Fields of 64 bytes: a number, then x and y. */
static void numbers_map_to_g1_as_in_eip_2537(void **state)
{
    (void)state;
    size_t len, cases = 0;
    char *text = published("eip2537.json", &len);
    if (!text)
        skip();
    char *end = strstr(text, "\"G2\"");
    assert_non_null(end);
    for (char *at = text; (at = strstr(at, "\"Input\": \"")) && at < end; cases++) {
        uint8_t input[64], expected[128], out[96];
        assert_int_equal(from_hex(input, sizeof input, at + 10), 64);
        at = strstr(at, "\"Expected\": \"") + 13;
        assert_int_equal(from_hex(expected, sizeof expected, at), 128);
        struct sm_bls_fp u;
        assert_true(sm_bls_fp_decode(&u, input + 16));
        struct sm_bls_g1 p;
        sm_bls_g1_map(&p, &u);
        sm_bls_g1_clear_cofactor(&p);
        sm_bls_g1_encode_uncompressed(out, &p);
        assert_memory_equal(out, expected + 16, 48);
        assert_memory_equal(out + 48, expected + 64 + 16, 48);
    }
    assert_int_equal(cases, 5);
    free(text);
}

/* Lines: private key, message, signature in G1. */
static void signatures_in_g1_are_keys_times_hashes(void **state)
{
    (void)state;
    static const char tag[] = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
    size_t len, lines = 0;
    char *text = published("bls12-381-g1-test-vectors.txt", &len);
    if (!text)
        skip();
    for (char *at = text; *at; lines++) {
        uint8_t key[32], msg[256], signature[48], out[48];
        assert_int_equal(from_hex(key, sizeof key, at), 32);
        at = strchr(at, ':') + 1;
        size_t msg_len = from_hex(msg, sizeof msg, at);
        at = strchr(at, ':') + 1;
        assert_int_equal(from_hex(signature, sizeof signature, at), 48);
        at += strcspn(at, "\n");
        at += *at == '\n';
        struct sm_bls_scalar k;
        struct sm_bls_g1 p;
        assert_int_equal(sm_bls_scalar_decode(&k, key), 0);
        assert_int_equal(sm_bls_hash_to_g1(&p, msg, msg_len, tag, sizeof tag - 1), 0);
        sm_bls_g1_mul(&p, &p, &k);
        sm_bls_g1_encode(out, &p);
        assert_memory_equal(out, signature, 48);
    }
    assert_true(lines > 100);
    free(text);
}

/* 0, 1, 2 .. 999 times the generator. */
static void multiples_in_g1_have_zcash_bytes(void **state)
{
    (void)state;
    size_t len;
    char *small = published("g1_compressed_valid_test_vectors.dat", &len);
    char *large = published("g1_uncompressed_valid_test_vectors.dat", &len);
    if (!small || !large)
        skip();
    struct sm_bls_g1 p, q, generator;
    sm_bls_g1_generator(&generator);
    sm_bls_g1_infinity(&p);
    for (size_t i = 0; i < part_of(1000); i++) {
        const uint8_t *one = (uint8_t *)small + 48 * i, *two = (uint8_t *)large + 96 * i;
        uint8_t out[96];
        sm_bls_g1_encode(out, &p);
        assert_memory_equal(out, one, 48);
        sm_bls_g1_encode_uncompressed(out, &p);
        assert_memory_equal(out, two, 96);
        assert_int_equal(sm_bls_g1_decode(&q, one, 48, i ? 0 : SM_BLS_INFINITY_OK), 0);
        assert_true(sm_bls_g1_equal(&p, &q));
        assert_int_equal(sm_bls_g1_decode(&q, two, 96, i ? 0 : SM_BLS_INFINITY_OK), 0);
        assert_true(sm_bls_g1_equal(&p, &q));
        sm_bls_g1_add(&p, &p, &generator);
    }
    free(small);
    free(large);
}

static void multiples_in_g2_have_zcash_bytes(void **state)
{
    (void)state;
    size_t len;
    char *small = published("g2_compressed_valid_test_vectors.dat", &len);
    char *large = published("g2_uncompressed_valid_test_vectors.dat", &len);
    if (!small || !large)
        skip();
    struct sm_bls_g2 p, q, generator;
    sm_bls_g2_generator(&generator);
    sm_bls_g2_infinity(&p);
    for (size_t i = 0; i < part_of(1000); i++) {
        const uint8_t *one = (uint8_t *)small + 96 * i, *two = (uint8_t *)large + 192 * i;
        uint8_t out[192];
        sm_bls_g2_encode(out, &p);
        assert_memory_equal(out, one, 96);
        sm_bls_g2_encode_uncompressed(out, &p);
        assert_memory_equal(out, two, 192);
        assert_int_equal(sm_bls_g2_decode(&q, one, 96, i ? 0 : SM_BLS_INFINITY_OK), 0);
        assert_true(sm_bls_g2_equal(&p, &q));
        assert_int_equal(sm_bls_g2_decode(&q, two, 192, i ? 0 : SM_BLS_INFINITY_OK), 0);
        assert_true(sm_bls_g2_equal(&p, &q));
        sm_bls_g2_add(&p, &p, &generator);
    }
    free(small);
    free(large);
}

/* Lines end with a signature in G2, of a hash to G2, which we have no use for. */
static void signatures_in_g2_are_points_of_the_group(void **state)
{
    (void)state;
    size_t len, lines = 0;
    char *text = published("bls12-381-g2-test-vectors.txt", &len);
    if (!text)
        skip();
    for (char *at = text; *at && lines < part_of(500); lines++) {
        uint8_t signature[96], out[96];
        at = strchr(strchr(at, ':') + 1, ':') + 1;
        assert_int_equal(from_hex(signature, sizeof signature, at), 96);
        at += strcspn(at, "\n");
        at += *at == '\n';
        struct sm_bls_g2 p;
        assert_int_equal(sm_bls_g2_decode(&p, signature, 96, 0), 0);
        sm_bls_g2_encode(out, &p);
        assert_memory_equal(out, signature, 96);
    }
    assert_true(lines > 10);
    free(text);
}

/* e((i + 1) g1, (i + 1) g2) */
static void pairings_of_multiples_have_the_published_values(void **state)
{
    (void)state;
    size_t len, i = 0;
    char *text = published("pairing.json", &len);
    if (!text)
        skip();
    struct sm_bls_g1 p, g1;
    struct sm_bls_g2 q, g2;
    sm_bls_g1_generator(&g1);
    sm_bls_g2_generator(&g2);
    p = g1;
    q = g2;
    for (char *at = strchr(text, '"'); at && i < part_of(1000); at = strchr(at + 1, '"'), i++) {
        uint8_t expected[SM_BLS_GT_SIZE], out[SM_BLS_GT_SIZE];
        char *end = strchr(at + 1, '"');
        assert_int_equal(from_hex(expected, sizeof expected, at + 1), SM_BLS_GT_SIZE);
        at = end;
        struct sm_bls_gt e;
        sm_bls_pairing(&e, &p, &q);
        sm_bls_gt_encode(out, &e);
        assert_memory_equal(out, expected, sizeof out);
        sm_bls_g1_add(&p, &p, &g1);
        sm_bls_g2_add(&q, &q, &g2);
    }
    assert_int_equal(i, part_of(1000));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_expand_as_in_rfc_9380),
        cmocka_unit_test(messages_hash_to_g1_as_in_rfc_9380),
        cmocka_unit_test(numbers_map_to_g1_as_in_eip_2537),
        cmocka_unit_test(signatures_in_g1_are_keys_times_hashes),
        cmocka_unit_test(multiples_in_g1_have_zcash_bytes),
        cmocka_unit_test(multiples_in_g2_have_zcash_bytes),
        cmocka_unit_test(signatures_in_g2_are_points_of_the_group),
        cmocka_unit_test(pairings_of_multiples_have_the_published_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

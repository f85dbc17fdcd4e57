/* The compact code's parts against libcrypto: field and scalars on the values where a carry runs
 * through every word, which whole signatures meet once in 2^32 times or never; decoding; SHA-512.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sandmote/crypto.h>
#include <stdlib.h>
#include <string.h>
#include "compact_field.h"
#include "compact_point.h"
#include "compact_scalar.h"
#include "crypto_internal.h"

static BN_CTX *ctx;
static BIGNUM *p, *order;

static int open_numbers(void **state)
{
    (void)state;
    ctx = BN_CTX_new();
    BN_dec2bn(&p, "57896044618658097711785492504343953926634992332820282019728792003956564819949");
    BN_dec2bn(&order,
              "7237005577332262213973186563042994240857116359379907606001950938285454250989");
    return 0;
}

static int close_numbers(void **state)
{
    (void)state;
    BN_free(p);
    BN_free(order);
    BN_CTX_free(ctx);
    return 0;
}

/* ---- Field ----------------------------------------------------------------------------------- */

static BIGNUM *number_of(const struct sm_fe *a)
{
    uint8_t bytes[32];
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(a->w[i / 4] >> (8 * (i % 4)));
    return BN_lebin2bn(bytes, 32, NULL);
}

/* Every representation of small residues, their neighbours, and words of all ones and zeros. */
#define EDGES_MAX 200

static unsigned edge_elements(struct sm_fe out[EDGES_MAX])
{
    static const uint32_t words[] = {
        0, 1, 18, 19, 20, 37, 38, 39, 0x7fffffff, 0x80000000, 0xffffffdb, 0xffffffed, 0xffffffff};
    const unsigned nwords = sizeof words / sizeof words[0];
    unsigned n = 0;
    for (unsigned low = 0; low < nwords; low++) {
        for (unsigned top = 0; top < nwords; top += 2) {
            for (int middle = 0; middle < 2; middle++) {
                struct sm_fe *e = &out[n++];
                memset(e, middle ? 0xff : 0, sizeof *e);
                e->w[0] = words[low];
                e->w[7] = words[top];
            }
        }
    }
    assert_true(n <= EDGES_MAX);
    return n;
}

/* Fails unless got is the residue of expected, which is freed. */
static void expect_residue(const struct sm_fe *got, BIGNUM *expected)
{
    BIGNUM *g = number_of(got);
    assert_true(BN_nnmod(g, g, p, ctx) && BN_nnmod(expected, expected, p, ctx));
    assert_int_equal(BN_cmp(g, expected), 0);
    BN_free(g);
    BN_free(expected);
}

static void sums_and_products_are_right_at_every_carry(void **state)
{
    (void)state;
    static struct sm_fe edge[EDGES_MAX];
    unsigned n = edge_elements(edge);
    for (unsigned i = 0; i < n; i++) {
        BIGNUM *a = number_of(&edge[i]);
        for (unsigned j = 0; j < n; j++) {
            BIGNUM *b = number_of(&edge[j]), *sum = BN_new(), *difference = BN_new();
            BIGNUM *product = BN_new();
            assert_true(BN_add(sum, a, b) && BN_sub(difference, a, b));
            assert_true(BN_mul(product, a, b, ctx));
            struct sm_fe r;
            sm_fe_add(&r, &edge[i], &edge[j]);
            expect_residue(&r, sum);
            sm_fe_sub(&r, &edge[i], &edge[j]);
            expect_residue(&r, difference);
            sm_fe_mul(&r, &edge[i], &edge[j]);
            expect_residue(&r, product);
            BN_free(b);
        }
        BN_free(a);
    }
}

static void results_may_replace_operands(void **state)
{
    (void)state;
    static struct sm_fe edge[EDGES_MAX];
    unsigned n = edge_elements(edge);
    void (*const operations[])(struct sm_fe *, const struct sm_fe *,
                               const struct sm_fe *) = {sm_fe_add, sm_fe_sub, sm_fe_mul};
    for (unsigned i = 0; i < 3 * n; i++) {
        const struct sm_fe *a = &edge[i % n], *b = &edge[(i * 7 + 3) % n];
        struct sm_fe apart, left = *a, right = *b, both = *a, twice;
        operations[i % 3](&apart, a, b);
        operations[i % 3](&left, &left, b);
        operations[i % 3](&right, a, &right);
        assert_memory_equal(&left, &apart, sizeof apart);
        assert_memory_equal(&right, &apart, sizeof apart);
        operations[i % 3](&twice, a, a);
        operations[i % 3](&both, &both, &both);
        assert_memory_equal(&both, &twice, sizeof twice);
    }
}

static void bytes_are_canonical_and_read_without_their_top_bit(void **state)
{
    (void)state;
    static struct sm_fe edge[EDGES_MAX];
    unsigned n = edge_elements(edge);
    for (unsigned i = 0; i < n; i++) {
        uint8_t bytes[32], expected[32];
        BIGNUM *a = number_of(&edge[i]);
        assert_true(BN_nnmod(a, a, p, ctx));
        assert_int_equal(BN_bn2lebinpad(a, expected, 32), 32);
        sm_fe_store(bytes, &edge[i]);
        assert_memory_equal(bytes, expected, 32);
        assert_int_equal(sm_fe_is_zero(&edge[i]), BN_is_zero(a));
        assert_int_equal(sm_fe_is_odd(&edge[i]), BN_is_odd(a));
        bytes[31] |= 0x80;
        struct sm_fe back;
        sm_fe_load(&back, bytes);
        expect_residue(&back, a);
    }
}

static void powers_are_right(void **state)
{
    (void)state;
    static struct sm_fe edge[EDGES_MAX];
    unsigned n = edge_elements(edge);
    BIGNUM *invert = BN_dup(p), *root = BN_dup(p);
    assert_true(BN_sub_word(invert, 2) && BN_sub_word(root, 5) && BN_rshift(root, root, 3));
    for (unsigned i = 0; i < n; i++) {
        BIGNUM *a = number_of(&edge[i]), *power = BN_new(), *other = BN_new();
        assert_true(BN_mod_exp(power, a, invert, p, ctx) && BN_mod_exp(other, a, root, p, ctx));
        struct sm_fe r;
        sm_fe_invert(&r, &edge[i]);
        expect_residue(&r, power);
        sm_fe_pow_p58(&r, &edge[i]);
        expect_residue(&r, other);
        BN_free(a);
    }
    BN_free(invert);
    BN_free(root);
}

/* ---- Scalars --------------------------------------------------------------------------------- */

static BIGNUM *number_of_scalar(const struct sm_scalar *s)
{
    BIGNUM *n = BN_new();
    assert_int_equal(s->w[8], 0);
    for (int i = 7; i >= 0; i--)
        assert_true(BN_lshift(n, n, 32) && BN_add_word(n, s->w[i]));
    return n;
}

static void expect_reduced(const BIGNUM *value)
{
    uint8_t bytes[64];
    struct sm_scalar s;
    assert_int_equal(BN_bn2lebinpad(value, bytes, 64), 64);
    sm_scalar_reduce(&s, bytes);
    BIGNUM *got = number_of_scalar(&s), *expected = BN_new();
    assert_true(BN_nnmod(expected, value, order, ctx));
    assert_int_equal(BN_cmp(got, expected), 0);
    BN_free(got);
    BN_free(expected);
}

/* Multiples of L and 2^252 at every word, and what is just around them. With 2^252 to L - 1 in
 * front of a word, the estimate of a quotient does not fit 32 bits. */
static void hashes_are_reduced_right_around_every_multiple(void **state)
{
    (void)state;
    BIGNUM *power = BN_new(), *value = BN_new(), *last = BN_dup(order);
    assert_true(BN_set_bit(power, 252) && BN_sub_word(last, 1));
    const BIGNUM *starts[] = {power, last, order};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        for (int shift = 0; shift <= 258; shift++) {
            assert_true(BN_lshift(value, starts[i], shift) && BN_sub_word(value, 2));
            for (int step = 0; step < 5; step++) {
                expect_reduced(value);
                assert_true(BN_add_word(value, 1));
            }
            assert_true(BN_lshift(value, starts[i], shift) && BN_add(value, value, last));
            expect_reduced(value);
            for (int bit = 0; bit < shift; bit++) /* ones behind it */
                assert_true(BN_lshift(value, starts[i], shift) && BN_set_bit(value, bit));
            expect_reduced(value);
        }
    }
    BN_zero(value);
    for (int bit = 0; bit < 512; bit++) {
        assert_true(BN_set_bit(value, bit));
        expect_reduced(value);
    }
    BN_free(power);
    BN_free(value);
    BN_free(last);
}

static void a_scalar_of_l_or_more_is_refused(void **state)
{
    (void)state;
    BIGNUM *n = BN_dup(order);
    uint8_t bytes[32];
    struct sm_scalar s;
    assert_true(BN_sub_word(n, 300));
    for (int i = -300; i < 300; i++) {
        assert_int_equal(BN_bn2lebinpad(n, bytes, 32), 32);
        assert_int_equal(sm_scalar_load(&s, bytes), i < 0);
        assert_true(BN_add_word(n, 1));
    }
    BN_free(n);
}

static void digits_add_up_and_keep_their_distance(void **state)
{
    (void)state;
    BIGNUM *n = BN_dup(order), *sum = BN_new(), *term = BN_new();
    for (int round = 0; round < 600; round++) {
        /* L - 1 and down in steps that grow to all sizes */
        assert_true(BN_sub_word(n, 1));
        uint8_t bytes[32];
        struct sm_scalar s;
        assert_int_equal(BN_bn2lebinpad(n, bytes, 32), 32);
        assert_true(sm_scalar_load(&s, bytes));
        unsigned width = 2 + (unsigned)round % 6;
        int8_t digits[SM_SCALAR_DIGITS];
        sm_scalar_recode(digits, &s, width);
        BN_zero(sum);
        int previous = -1000;
        for (int i = 0; i < SM_SCALAR_DIGITS; i++) {
            if (digits[i] == 0)
                continue;
            assert_true(digits[i] % 2 != 0 && abs(digits[i]) < 1 << (width - 1));
            assert_true(i - previous >= (int)width);
            previous = i;
            BN_zero(term);
            assert_true(BN_set_word(term, (BN_ULONG)abs(digits[i])) && BN_lshift(term, term, i));
            assert_true(digits[i] < 0 ? BN_sub(sum, sum, term) : BN_add(sum, sum, term));
        }
        assert_int_equal(BN_cmp(sum, n), 0);
        if (round % 2)
            assert_true(BN_mul_word(n, 0xfedcba97) && BN_nnmod(n, n, order, ctx));
    }
    BN_free(n);
    BN_free(sum);
    BN_free(term);
}

/* ---- Points ---------------------------------------------------------------------------------- */

/* Of y = 0, 1, 2 .. and p, p + 1, p + 2 .., with both signs: decodes exactly when (y^2 - 1) /
 * (d y^2 + 1) is a square, to a point of the curve with -x of the right sign. */
static void bytes_decode_exactly_when_they_are_a_point(void **state)
{
    (void)state;
    BIGNUM *d = NULL, *y = BN_new(), *u = BN_new(), *v = BN_new(), *x = BN_new();
    BN_dec2bn(&d, "37095705934669439343138083508754565"
                  "189542113879843219016388785533085940283555");
    unsigned points = 0, tried = 0;
    for (unsigned i = 0; i < 800; i++) {
        bool from_p = i / 2 % 10 == 9 && i / 20 < 19; /* y = 0..18 have a second name */
        assert_true(BN_set_word(y, from_p ? i / 20 : i / 2));
        assert_true(!from_p || BN_add(y, y, p));
        uint8_t bytes[32];
        assert_int_equal(BN_bn2lebinpad(y, bytes, 32), 32);
        bytes[31] |= (uint8_t)(i % 2 << 7);
        assert_true(BN_mod_sqr(u, y, p, ctx) && BN_mod_mul(v, u, d, p, ctx));
        assert_true(BN_add_word(v, 1) && BN_mod_inverse(v, v, p, ctx));
        assert_true(BN_sub_word(u, 1) && BN_mod_mul(u, u, v, p, ctx) && BN_nnmod(u, u, p, ctx));
        struct sm_point got;
        int result = sm_point_decode_negative(&got, bytes);
        assert_int_equal(result == SM_OK, BN_kronecker(u, p, ctx) >= 0);
        tried++;
        if (result != SM_OK)
            continue;
        points++;
        BIGNUM *gx = number_of(&got.x);
        assert_true(BN_mod_sqr(x, gx, p, ctx));
        assert_int_equal(BN_cmp(x, u), 0);
        assert_true(sm_fe_is_zero(&got.x) || sm_fe_is_odd(&got.x) != i % 2);
        BN_free(gx);
    }
    assert_true(points > tried / 3 && points < tried * 2 / 3);
    BIGNUM *all[] = {d, y, u, v, x};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        BN_free(all[i]);
}

/* ---- Hashes ---------------------------------------------------------------------------------- */

static void sha512_of_every_length_to_300_is_libcrypto_s(void **state)
{
    (void)state;
    uint8_t data[300], hash[64], expected[64];
    for (size_t len = 0; len <= sizeof data; len++) {
        if (len > 0)
            data[len - 1] = (uint8_t)(len * 151 + 7);
        struct sm_compact_sha512 s;
        sm_compact_sha512_init(&s);
        sm_compact_sha512_update(&s, data, len / 3);
        sm_compact_sha512_update(&s, data + len / 3, len - len / 3);
        sm_compact_sha512_final(&s, hash);
        assert_int_equal(EVP_Digest(data, len, expected, NULL, EVP_sha512(), NULL), 1);
        assert_memory_equal(hash, expected, 64);
    }
}

/* As if so much had been hashed: 2^32 bits and more take the upper half of the length field. */
static void long_lengths_are_padded_as_by_libcrypto(void **state)
{
    (void)state;
    for (int shift = 6; shift < 61; shift++) {
        struct sm_sha256 s;
        sm_sha256_init(&s);
        s.len_bytes = 1ull << shift;
        SHA256_CTX theirs;
        SHA256_Init(&theirs);
        theirs.Nl = (SHA_LONG)(s.len_bytes << 3);
        theirs.Nh = (SHA_LONG)(s.len_bytes >> 29);
        uint8_t hash[32], expected[32];
        sm_sha256_update(&s, "tail", 4);
        sm_sha256_final(&s, hash);
        SHA256_Update(&theirs, "tail", 4);
        SHA256_Final(expected, &theirs);
        assert_memory_equal(hash, expected, 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_products_are_right_at_every_carry),
        cmocka_unit_test(results_may_replace_operands),
        cmocka_unit_test(bytes_are_canonical_and_read_without_their_top_bit),
        cmocka_unit_test(powers_are_right),
        cmocka_unit_test(hashes_are_reduced_right_around_every_multiple),
        cmocka_unit_test(a_scalar_of_l_or_more_is_refused),
        cmocka_unit_test(digits_add_up_and_keep_their_distance),
        cmocka_unit_test(bytes_decode_exactly_when_they_are_a_point),
        cmocka_unit_test(long_lengths_are_padded_as_by_libcrypto),
        cmocka_unit_test(sha512_of_every_length_to_300_is_libcrypto_s),
    };
    return cmocka_run_group_tests(tests, open_numbers, close_numbers);
}

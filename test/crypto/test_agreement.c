/* Both libraries in one program: they must give one answer for every input, however odd.
 *
 * The public names are libcrypto's here. Inputs come from a fixed seed, so that every run is the
 * same; a disagreement prints the whole input.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <sandmote/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "crypto_internal.h"
#include "edwards.h"

#define MSG_MAX 400

struct input {
    uint8_t pub[32], sig[64], msg[MSG_MAX];
    size_t len;
};

static struct {
    unsigned tried, accepted;
} count;

/* splitmix64 */
static uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void fill(uint64_t *seed, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)draw(seed);
}

static void print_hex(const char *what, const uint8_t *bytes, size_t len)
{
    print_error("%s ", what);
    for (size_t i = 0; i < len; i++)
        print_error("%02x", bytes[i]);
    print_error("\n");
}

/* The answer of both; fails when there are two. */
static bool accepted_by_both(const struct input *in)
{
    int theirs = sm_ed25519_verify(in->pub, in->msg, in->len, in->sig);
    int ours = sm_compact_ed25519_verify(in->pub, in->msg, in->len, in->sig);
    if (ours != theirs) {
        print_error("compact says %d, libcrypto %d\n", ours, theirs);
        print_hex("pub", in->pub, 32);
        print_hex("sig", in->sig, 64);
        print_hex("msg", in->msg, in->len);
        fail();
    }
    assert_true(theirs == SM_OK || theirs == SM_ERR_SIGNATURE);
    count.tried++;
    count.accepted += theirs == SM_OK;
    return theirs == SM_OK;
}

/* A random message of len bytes, signed by libcrypto with a random key. */
static struct input signed_input(uint64_t *seed, size_t len)
{
    struct input in = {.len = len};
    uint8_t secret[32];
    size_t pub_len = 32, sig_len = 64;
    fill(seed, secret, sizeof secret);
    fill(seed, in.msg, len);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, in.pub, &pub_len), 1);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, in.sig, &sig_len, in.msg, len), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return in;
}

static void what_libcrypto_signs_both_accept(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (size_t len = 0; len <= MSG_MAX; len++) {
        struct input in = signed_input(&seed, len);
        assert_true(accepted_by_both(&in));
    }
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    uint64_t seed = 2;
    struct input good = signed_input(&seed, 40);
    for (unsigned bit = 0; bit < (32 + 64 + 40) * 8; bit++) {
        struct input in = good;
        uint8_t *byte = bit < 256   ? &in.pub[bit / 8]
                        : bit < 768 ? &in.sig[bit / 8 - 32]
                                    : &in.msg[bit / 8 - 96];
        *byte ^= (uint8_t)(1u << bit % 8);
        assert_false(accepted_by_both(&in));
    }
}

/* Some bytes of key and signature replaced by ones that sit on borders. */
static void random_mutations_get_one_answer(void **state)
{
    (void)state;
    static const uint8_t border[] = {0x00, 0x01, 0x0f, 0x10, 0x7f, 0x80, 0xec, 0xed, 0xee, 0xff};
    uint64_t seed = 3;
    struct input good = signed_input(&seed, 33);
    for (int i = 0; i < 2500; i++) {
        struct input in = good;
        for (uint64_t n = draw(&seed) % 4 + 1; n > 0; n--) {
            uint8_t *field = draw(&seed) % 2 ? in.pub : in.sig + 32 * (draw(&seed) % 2);
            uint64_t r = draw(&seed);
            field[r >> 8 & 31] = r & 1 ? border[(r >> 16) % sizeof border] : (uint8_t)(r >> 16);
        }
        accepted_by_both(&in);
        fill(&seed, in.pub, 32); /* half of all y are on the curve */
        accepted_by_both(&in);
    }
}

/* S is the only part of a signature with a second name: S + n L. */
static void s_plus_multiples_of_the_order_is_refused(void **state)
{
    (void)state;
    struct curve c;
    curve_new(&c);
    uint64_t seed = 4;
    unsigned tried = 0;
    for (int i = 0; i < 20; i++) {
        struct input in = signed_input(&seed, 20);
        BIGNUM *s = BN_lebin2bn(in.sig + 32, 32, NULL);
        for (;;) {
            assert_true(BN_add(s, s, c.order));
            if (BN_bn2lebinpad(s, in.sig + 32, 32) < 0)
                break; /* past 256 bits */
            assert_false(accepted_by_both(&in));
            tried++;
        }
        BN_free(s);
    }
    assert_true(tried >= 20 * 14);
    curve_free(&c);
}

/* 32-byte strings that decoders disagree about: the eight points of small order; every y from p up,
 * which has a second name below 19; all with and without the sign bit. */
#define SPECIAL_MAX 64

static unsigned special_encodings(const struct curve *c, uint8_t out[SPECIAL_MAX][32])
{
    unsigned n = 0;
    struct affine small = affine_order_8(c), sum = affine_neutral();
    for (int i = 0; i < 8; i++, n++) {
        affine_encode(out[n], &sum);
        affine_add(c, &sum, &sum, &small);
    }
    affine_free(&small);
    affine_free(&sum);
    static const uint8_t one[32] = {1};
    for (int sign = 0; sign < 2; sign++) {
        memcpy(out[n], one, 32); /* x = 0 and yet signed; y = p - 1 below does the same */
        out[n++][31] |= (uint8_t)(sign << 7);
        for (unsigned above = 0; above <= 19; above++, n++) { /* p - 1, p, p + 1 .. 2^255 - 1 */
            memset(out[n], 0xff, 32);
            out[n][0] = (uint8_t)(0xec + above);
            out[n][31] = (uint8_t)(0x7f | sign << 7);
        }
    }
    assert_true(n <= SPECIAL_MAX);
    return n;
}

/* With a key of small order and S = 0 the equation is R = -k A: about one R in eight fits. With
 * S = 2^252, below L and longer than any other test's, none does. */
static void special_points_get_one_answer(void **state)
{
    (void)state;
    struct curve c;
    curve_new(&c);
    uint8_t points[SPECIAL_MAX][32];
    unsigned npoints = special_encodings(&c, points);
    unsigned before = count.accepted;
    struct input in = {.len = 5};
    for (unsigned a = 0; a < npoints; a++) {
        for (unsigned r = 0; r < npoints; r++) {
            memcpy(in.pub, points[a], 32);
            memcpy(in.sig, points[r], 32);
            for (in.msg[0] = 0; in.msg[0] < 3; in.msg[0]++)
                accepted_by_both(&in);
            in.sig[63] = 0x10;
            accepted_by_both(&in);
            in.sig[63] = 0;
        }
    }
    assert_true(count.accepted - before > 40);
    curve_free(&c);
}

/* k = SHA-512(R, A, message), mod L. */
static BIGNUM *challenge(const struct curve *c, const struct input *in)
{
    uint8_t hash[64];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestInit_ex(ctx, EVP_sha512(), NULL), 1);
    EVP_DigestUpdate(ctx, in->sig, 32);
    EVP_DigestUpdate(ctx, in->pub, 32);
    EVP_DigestUpdate(ctx, in->msg, in->len);
    EVP_DigestFinal_ex(ctx, hash, NULL);
    EVP_MD_CTX_free(ctx);
    BIGNUM *k = BN_lebin2bn(hash, 64, NULL);
    assert_true(BN_mod(k, k, c->order, c->ctx));
    return k;
}

/* A point n B + m T as bytes, with T of order 8. */
static void mixed_point(const struct curve *c, uint8_t bytes[32], const BIGNUM *n, unsigned m)
{
    struct affine base = affine_base(c), small = affine_order_8(c);
    struct affine sum = affine_mul(c, n, &base);
    for (unsigned i = 0; i < m; i++)
        affine_add(c, &sum, &sum, &small);
    affine_encode(bytes, &sum);
    affine_free(&base);
    affine_free(&small);
    affine_free(&sum);
}

/* Signatures with A = a B + i T and R = r B + j T, S = r + k a. A verifier that multiplies the
 * equation by the cofactor accepts all of them; ours accepts exactly those with
 * j T = -k (i T), k taken below L, which is what the equation without cofactor says. */
static void mixed_order_is_judged_without_the_cofactor(void **state)
{
    (void)state;
    struct curve c;
    curve_new(&c);
    BIGNUM *a = NULL, *r = NULL, *s = BN_new();
    assert_true(BN_dec2bn(&a, "3141592653589793238462643383279502884197169399375105820974944"));
    assert_true(BN_dec2bn(&r, "2718281828459045235360287471352662497757247093699959574966967"));
    unsigned fitting = 0, tried = 0;
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned j = 0; j < 8; j++) {
            struct input in = {.len = 2};
            mixed_point(&c, in.pub, a, i);
            mixed_point(&c, in.sig, r, j);
            for (in.msg[0] = 0; in.msg[0] < 24; in.msg[0]++, tried++) {
                BIGNUM *k = challenge(&c, &in);
                assert_true(BN_mod_mul(s, k, a, c.order, c.ctx));
                assert_true(BN_mod_add(s, s, r, c.order, c.ctx));
                assert_int_equal(BN_bn2lebinpad(s, in.sig + 32, 32), 32);
                bool fits = (j + BN_mod_word(k, 8) * i) % 8 == 0;
                assert_int_equal(accepted_by_both(&in), fits);
                fitting += fits;
                BN_free(k);
            }
        }
    }
    assert_true(fitting > tried / 16 && fitting < tried / 2);
    BN_free(a);
    BN_free(r);
    BN_free(s);
    curve_free(&c);
}

static void the_block_functions_agree(void **state)
{
    (void)state;
    uint64_t seed = 5;
    uint8_t blocks[64 * 5];
    for (int i = 0; i < 500; i++) {
        uint32_t theirs[8], ours[8];
        for (int w = 0; w < 8; w++)
            theirs[w] = (uint32_t)draw(&seed);
        memcpy(ours, theirs, sizeof ours);
        fill(&seed, blocks, sizeof blocks);
        sm_sha256_blocks(theirs, blocks, (size_t)i % 6);
        sm_compact_sha256_blocks(ours, blocks, (size_t)i % 6);
        assert_memory_equal(ours, theirs, sizeof ours);
    }
}

/* All lengths up to two blocks and a bit, and some longer ones, with all kinds of aad. */
static void what_one_seals_the_other_opens(void **state)
{
    (void)state;
    uint64_t seed = 6;
    uint8_t key[32], nonce[12], aad[80], msg[1300], theirs[1316], ours[1316], out[1300];
    for (size_t len = 0; len <= sizeof msg; len += len < 140 ? 1 : 97) {
        size_t aad_len = draw(&seed) % (sizeof aad + 1);
        fill(&seed, key, sizeof key);
        fill(&seed, nonce, sizeof nonce);
        fill(&seed, aad, sizeof aad);
        fill(&seed, msg, len);
        if (len % 3 == 0) /* carries of Poly1305 */
            memset(msg, 0xff, len);
        assert_int_equal(sm_aead_seal(theirs, key, nonce, aad, aad_len, msg, len), 0);
        sm_compact_aead_seal(ours, key, nonce, aad, aad_len, msg, len);
        assert_memory_equal(ours, theirs, len + 16);
        assert_int_equal(sm_compact_aead_open(out, key, nonce, aad, aad_len, theirs, len), 0);
        assert_memory_equal(out, msg, len);
        ours[draw(&seed) % (len + 16)] ^= 0x80;
        assert_int_equal(sm_aead_open(out, key, nonce, aad, aad_len, ours, len + 16),
                         SM_ERR_SIGNATURE);
        assert_int_equal(sm_compact_aead_open(out, key, nonce, aad, aad_len, ours, len),
                         SM_ERR_SIGNATURE);
    }
}

/* Polynomials near the prime: blocks of 0xff and small numbers under every clamped key's extremes.
 */
static void poly1305_agrees_near_its_prime(void **state)
{
    (void)state;
    uint64_t seed = 7;
    uint8_t key[32], nonce[12], aad[160], theirs[16], ours[16];
    for (int i = 0; i < 20000; i++) {
        size_t aad_len = 1 + draw(&seed) % sizeof aad;
        fill(&seed, key, sizeof key);
        fill(&seed, nonce, sizeof nonce);
        for (size_t j = 0; j < aad_len; j++)
            aad[j] = draw(&seed) % 8 ? 0xff : (uint8_t)draw(&seed);
        assert_int_equal(sm_aead_seal(theirs, key, nonce, aad, aad_len, NULL, 0), 0);
        sm_compact_aead_seal(ours, key, nonce, aad, aad_len, NULL, 0);
        assert_memory_equal(ours, theirs, 16);
    }
}

static int print_counts(void **state)
{
    (void)state;
    print_message("%u inputs through both, %u accepted\n", count.tried, count.accepted);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_libcrypto_signs_both_accept),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(random_mutations_get_one_answer),
        cmocka_unit_test(s_plus_multiples_of_the_order_is_refused),
        cmocka_unit_test(special_points_get_one_answer),
        cmocka_unit_test(mixed_order_is_judged_without_the_cofactor),
        cmocka_unit_test(the_block_functions_agree),
        cmocka_unit_test(what_one_seals_the_other_opens),
        cmocka_unit_test(poly1305_agrees_near_its_prime),
    };
    return cmocka_run_group_tests(tests, NULL, print_counts);
}

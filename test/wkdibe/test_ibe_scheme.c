/* The scheme: which key opens what, delegation, signatures, and what the interface does not let one
 * do. Patterns are written a character a slot: '-' NULL, '*' WILD, anything else a value.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "ibe_world.h"
#include <bls12_381.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SLOW 1
#endif
#endif
#ifndef SLOW
#define SLOW 0
#endif

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_init(&world, 3);
    return 0;
}

static int decaps(const struct sm_ibe_key *key, const char *to, const uint8_t *ct, size_t len,
                  uint8_t secret[32], bool cca)
{
    struct sm_ibe_pattern q = pattern(to);
    return (cca ? sm_ibe_decaps_cca : sm_ibe_decaps)(secret, &world.params, key, &q, ct, len);
}

static void expect_opens(const struct sm_ibe_key *key, const char *to)
{
    uint8_t ct[SM_IBE_CIPHERTEXT_MAX], sent[32], got[32] = {0};
    size_t len = encaps(&world, to, sent, ct, false);
    assert_int_equal(decaps(key, to, ct, len, got, false), 0);
    assert_memory_equal(got, sent, 32);
}

/* ---- Every pair of patterns ------------------------------------------------------------------ */

#define PATTERNS 64

static void text_of(unsigned n, char text[4])
{
    for (unsigned i = 0; i < 3; i++, n /= 4)
        text[i] = "-ab*"[n % 4];
    text[3] = 0;
}

static bool matches(const char *p, const char *q)
{
    for (unsigned i = 0; i < 3; i++)
        if (p[i] != q[i] && p[i] != '*' && q[i] != '*')
            return false;
    return true;
}

struct sent {
    char to[4];
    uint8_t ct[SM_IBE_CIPHERTEXT(3)], secret[32];
    size_t len;
};

/* What a key does that lies about its pattern: the match is no mere check of the interface. */
static void expect_no_secret(const struct sm_ibe_key *key, const struct sent *s)
{
    struct sm_ibe_key liar = *key;
    uint8_t got[32] = {0};
    liar.pattern = pattern(s->to);
    if (sm_ibe_decaps(got, &world.params, &liar, &liar.pattern, s->ct, s->len) == 0)
        assert_memory_not_equal(got, s->secret, 32);
}

static void every_matching_pair_opens_and_no_other(void **state)
{
    (void)state;
    static struct sent sent[PATTERNS];
    unsigned opened = 0, refused = 0, tried = 0;
    unsigned step = test_full() ? 1 : SLOW ? 37 : 5;
    for (unsigned q = 0; q < PATTERNS; q++) {
        text_of(q, sent[q].to);
        sent[q].len = encaps(&world, sent[q].to, sent[q].secret, sent[q].ct, false);
    }
    for (unsigned p = 0; p < PATTERNS; p++) {
        struct sm_ibe_key key;
        char text[4];
        text_of(p, text);
        keygen(&world, &key, text, false);
        for (unsigned q = 0; q < PATTERNS; q++) {
            const struct sent *s = &sent[q];
            uint8_t got[32] = {0};
            bool good = matches(text, s->to);
            if (good && SLOW && !test_full() && (p * PATTERNS + q) % 3 != 0)
                continue;
            int result = decaps(&key, s->to, s->ct, s->len, got, false);
            assert_int_equal(result, good ? 0 : SM_ERR_DENIED);
            opened += good;
            refused += !good;
            if (good)
                assert_memory_equal(got, s->secret, 32);
            else if ((p * PATTERNS + q) % step == 0 && ++tried)
                expect_no_secret(&key, s);
        }
    }
    print_message("%u pairs opened, %u refused, %u of these tried with a key that lies\n", opened,
                  refused, tried);
    assert_int_equal(refused, 3096);
}

static void every_refinement_can_be_delegated_and_nothing_else(void **state)
{
    (void)state;
    unsigned made = 0, refused = 0;
    for (unsigned p = 0; p < PATTERNS; p++) {
        struct sm_ibe_key key, child;
        char from[4], to[4];
        text_of(p, from);
        keygen(&world, &key, from, false);
        for (unsigned q = 0; q < PATTERNS; q++) {
            text_of(q, to);
            struct sm_ibe_pattern refined = pattern(to);
            bool good = true;
            for (unsigned i = 0; i < 3; i++)
                good = good && (from[i] == '*' || from[i] == to[i]);
            if (good && SLOW && !test_full() && (p + q) % 4 != 0)
                continue;
            int result = sm_ibe_delegate(&child, &world.params, &key, &refined, false, &world.rng);
            assert_int_equal(result, good ? 0 : SM_ERR_DENIED);
            made += good;
            refused += !good;
            if (good)
                expect_opens(&child, to);
        }
    }
    print_message("%u keys delegated, %u refused\n", made, refused);
    assert_int_equal(refused, PATTERNS * PATTERNS - 343);
}

/* ---- Delegation ------------------------------------------------------------------------------ */

static void a_chain_of_delegations_ends_where_the_master_key_would(void **state)
{
    (void)state;
    static const char *const chain[] = {"***", "a**", "ab*", "ab-"};
    struct sm_ibe_key key, child;
    keygen(&world, &key, chain[0], true);
    for (unsigned i = 1; i < 4; i++) {
        struct sm_ibe_pattern to = pattern(chain[i]);
        assert_int_equal(sm_ibe_delegate(&child, &world.params, &key, &to, i < 3, &world.rng), 0);
        key = child;
    }
    expect_opens(&key, "ab-");
    expect_opens(&key, "a**");
    expect_opens(&key, "**-");
    assert_false(key.signs);
}

static void delegated_keys_are_always_random_anew(void **state)
{
    (void)state;
    struct sm_ibe_key parent, twin[2];
    struct sm_ibe_pattern same = pattern("a*-"), to = pattern("ab-");
    keygen(&world, &parent, "a*-", false);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(sm_ibe_delegate(&twin[i], &world.params, &parent, &to, false, &world.rng),
                         0);
    assert_memory_not_equal(&twin[0].a0, &twin[1].a0, sizeof twin[0].a0);
    assert_memory_not_equal(&twin[0].a1, &twin[1].a1, sizeof twin[0].a1);
    assert_memory_not_equal(&twin[0].a1, &parent.a1, sizeof parent.a1);
    expect_opens(&twin[0], "ab-");
    expect_opens(&twin[1], "a*-");
    /* The same pattern again is another key too. */
    assert_int_equal(sm_ibe_delegate(&twin[0], &world.params, &parent, &same, false, &world.rng),
                     0);
    assert_memory_not_equal(&twin[0].a0, &parent.a0, sizeof parent.a0);
    assert_memory_not_equal(&twin[0].b[1], &parent.b[1], sizeof parent.b[1]);
    expect_opens(&twin[0], "aa-");
}

static void a_key_is_not_delegated_onto_itself_or_to_sign_when_it_cannot(void **state)
{
    (void)state;
    struct sm_ibe_key key, child;
    struct sm_ibe_pattern to = pattern("ab*");
    keygen(&world, &key, "a**", false);
    assert_int_equal(sm_ibe_delegate(&key, &world.params, &key, &to, false, &world.rng),
                     SM_ERR_ARG);
    assert_int_equal(sm_ibe_delegate(&child, &world.params, &key, &to, true, &world.rng),
                     SM_ERR_DENIED);
}

/* ---- Attacks that were published, and what stands against them ------------------------------- */

/* Keys that are specialised without a fresh r: a0 of siblings differ by (v - v') b_i, so two
 * holders of non-delegable keys have b_i = (a0 - a0') / (v - v') and make the key of any sibling.
 * Here nobody can ask for such keys; the same computation on the keys that delegation gives yields
 * nothing. */
static void siblings_do_not_make_their_brother(void **state)
{
    (void)state;
    struct sm_ibe_key parent, child[2], forged;
    struct sm_ibe_pattern to[2] = {pattern("ab-"), pattern("ac-")}, third = pattern("ad-");
    struct sm_bls_scalar v[3], k;
    struct sm_bls_g1 a[2], b;
    uint8_t ct[SM_IBE_CIPHERTEXT(0)], sent[32], got[32];
    keygen(&world, &parent, "a*-", false);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            sm_ibe_delegate(&child[i], &world.params, &parent, &to[i], false, &world.rng), 0);
        assert_int_equal(sm_bls_scalar_decode(&v[i], to[i].value[1]), 0);
        assert_int_equal(sm_bls_g1_decode(&a[i], child[i].a0.bytes, 96, SM_BLS_STRICT), 0);
    }
    assert_int_equal(sm_bls_scalar_decode(&v[2], third.value[1]), 0);
    sm_bls_scalar_sub(&k, &v[0], &v[1]);
    sm_bls_scalar_inv(&k, &k);
    sm_bls_g1_sub(&b, &a[0], &a[1]);
    sm_bls_g1_mul(&b, &b, &k);
    sm_bls_scalar_sub(&k, &v[2], &v[0]);
    sm_bls_g1_mul(&b, &b, &k);
    sm_bls_g1_add(&b, &b, &a[0]);
    forged = child[0];
    forged.pattern = third;
    sm_bls_g1_encode_uncompressed(forged.a0.bytes, &b);
    size_t len = encaps(&world, "ad-", sent, ct, false);
    assert_int_equal(decaps(&forged, "ad-", ct, len, got, false), 0);
    assert_memory_not_equal(got, sent, 32);
    /* The computation itself is right: on keys with one r it makes the brother. */
    struct sm_bls_g1 a0, bi, x;
    assert_int_equal(sm_bls_g1_decode(&a0, parent.a0.bytes, 96, SM_BLS_STRICT), 0);
    assert_int_equal(sm_bls_g1_decode(&bi, parent.b[1].bytes, 96, SM_BLS_STRICT), 0);
    sm_bls_g1_mul(&x, &bi, &v[2]);
    sm_bls_g1_add(&a0, &a0, &x);
    forged.a1 = parent.a1;
    sm_bls_g1_encode_uncompressed(forged.a0.bytes, &a0);
    assert_int_equal(decaps(&forged, "ad-", ct, len, got, false), 0);
    assert_memory_equal(got, sent, 32);
}

/* Two ciphertexts with one t, to patterns that differ in slot 1: the difference of their C is
 * (v - v') t h_1, which is the D_1 that would have made the slot WILD. Even entropy that repeats,
 * with a counter that repeats, does not give two patterns one t. */
static void stuck_entropy_does_not_share_t_between_patterns(void **state)
{
    (void)state;
    static const char *const to[] = {"ab-", "ac-", "a*-", "-b-"};
    uint8_t ct[4][SM_IBE_CIPHERTEXT(1)], secret[4][32], again[SM_IBE_CIPHERTEXT(1)];
    struct luck luck = world.luck;
    world.luck.stuck = true;
    uint64_t counter = world.rng.counter;
    for (unsigned i = 0; i < 4; i++) {
        world.rng.counter = counter;
        encaps(&world, to[i], secret[i], ct[i], false);
        for (unsigned j = 0; j < i; j++)
            assert_memory_not_equal(ct[i], ct[j], SM_IBE_G2_SIZE); /* B = t g */
    }
    /* With a counter that does not go back, not even one pattern gets one t twice. */
    encaps(&world, to[0], secret[1], again, false);
    assert_memory_not_equal(ct[0], again, SM_IBE_G2_SIZE);
    /* The test can fail: all of it the same again is the same ciphertext. */
    world.rng.counter = counter;
    encaps(&world, to[0], secret[1], again, false);
    assert_memory_equal(ct[0], again, SM_IBE_CIPHERTEXT(0));
    world.luck = luck;
    world.rng.counter = counter + 10;
}

static void the_same_entropy_on_another_device_gives_another_t(void **state)
{
    (void)state;
    uint8_t ct[2][SM_IBE_CIPHERTEXT(0)], secret[32];
    struct luck luck = world.luck;
    struct sm_ibe_rng rng = world.rng;
    world.luck.stuck = true;
    encaps(&world, "abc", secret, ct[0], false);
    assert_int_equal(
        sm_ibe_rng_init(&world.rng, &world.entropy, "another device's secret", 23, rng.counter), 0);
    encaps(&world, "abc", secret, ct[1], false);
    assert_memory_not_equal(ct[0], ct[1], SM_IBE_G2_SIZE);
    world.luck = luck;
    world.rng = rng;
}

static void entropy_that_fails_stops_everything(void **state)
{
    (void)state;
    struct sm_ibe_key key, child;
    struct sm_ibe_params params;
    struct sm_ibe_master master;
    struct sm_ibe_pattern p = pattern("a**"), q = pattern("abc");
    struct sm_ibe_target target;
    uint8_t ct[SM_IBE_CIPHERTEXT(3) + 32], secret[32] = {0}, seed[32] = {0}, none[32] = {0};
    keygen(&world, &key, "a**", true);
    assert_int_equal(sm_ibe_target_init(&target, &world.params, &p), 0);
    world.luck.fails = true;
    assert_int_equal(sm_ibe_setup(&params, &master, 3, seed, &world.rng), SM_ERR_IO);
    assert_int_equal(sm_ibe_keygen(&child, &world.params, &world.master, &p, false, &world.rng),
                     SM_ERR_IO);
    assert_int_equal(sm_ibe_delegate(&child, &world.params, &key, &q, false, &world.rng),
                     SM_ERR_IO);
    assert_int_equal(sm_ibe_encaps(secret, ct, sizeof ct, &world.params, &target, &world.rng),
                     SM_ERR_IO);
    assert_int_equal(sm_ibe_encaps_cca(secret, ct, sizeof ct, &world.params, &target, &world.rng),
                     SM_ERR_IO);
    assert_int_equal(sm_ibe_sign(ct, &world.params, &key, &q, "m", 1, &world.rng), SM_ERR_IO);
    world.luck.fails = false;
    assert_memory_equal(secret, none, 32);
    static const struct sm_ibe_key wiped;
    assert_memory_equal(&child, &wiped, sizeof child);
    assert_int_equal(sm_ibe_rng_init(&world.rng, &world.entropy, "fifteen bytes..", 15, 0),
                     SM_ERR_ARG);
}

/* ---- Targets --------------------------------------------------------------------------------- */

static void adjusting_slot_by_slot_is_starting_anew(void **state)
{
    (void)state;
    static const char *const steps[] = {"-ab", "*ab", "cab", "c*b", "c--", "***", "---"};
    struct sm_ibe_target target, anew;
    struct sm_ibe_pattern p = pattern("abc");
    assert_int_equal(sm_ibe_target_init(&target, &world.params, &p), 0);
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        p = pattern(steps[i]);
        assert_int_equal(sm_ibe_target_init(&anew, &world.params, &p), 0);
        for (unsigned slot = 0; slot < 3; slot++)
            assert_int_equal(sm_ibe_target_adjust(&target, &world.params, slot, &p), 0);
        assert_memory_equal(&target, &anew, sizeof target);
    }
    assert_int_equal(sm_ibe_target_adjust(&target, &world.params, 3, &p), SM_ERR_ARG);
}

/* ---- Ciphertexts ----------------------------------------------------------------------------- */

static void a_secret_is_bound_to_pattern_and_ciphertext(void **state)
{
    (void)state;
    struct sm_ibe_key key;
    uint8_t ct[SM_IBE_CIPHERTEXT(1)], sent[32], got[32];
    keygen(&world, &key, "a*-", false);
    size_t len = encaps(&world, "ab*", sent, ct, false);
    assert_int_equal(decaps(&key, "ab*", ct, len, got, false), 0);
    assert_memory_equal(got, sent, 32);
    /* Other patterns that the key matches, of the same length. */
    assert_int_equal(decaps(&key, "ac*", ct, len, got, false), 0);
    assert_memory_not_equal(got, sent, 32);
    assert_int_equal(decaps(&key, "*b-", ct, len, got, false), 0);
    assert_memory_not_equal(got, sent, 32);
    /* A D of a slot that this key has no use for: still part of what the secret is made of. */
    struct sm_bls_g1 d;
    keygen(&world, &key, "ab*", false);
    assert_int_equal(sm_bls_g1_decode(&d, ct + 144, 48, SM_BLS_STRICT), 0);
    sm_bls_g1_double(&d, &d);
    sm_bls_g1_encode(ct + 144, &d);
    assert_int_equal(decaps(&key, "ab*", ct, len, got, false), 0);
    assert_memory_not_equal(got, sent, 32);
}

/* x of a point of the curve that is not in the group, compressed: found by counting up. */
static void off_group(uint8_t out[48])
{
    struct sm_bls_g1 p;
    memset(out, 0, 48);
    out[0] = 0x80;
    for (out[47] = 1;; out[47]++)
        if (sm_bls_g1_decode(&p, out, 48, SM_BLS_TRUSTED) == 0 && !sm_bls_g1_in_group(&p))
            return;
}

static void bad_points_in_ciphertexts_are_refused(void **state)
{
    (void)state;
    struct sm_ibe_key key;
    uint8_t good[SM_IBE_CIPHERTEXT(1) + 1], ct[SM_IBE_CIPHERTEXT(1) + 1], secret[32];
    keygen(&world, &key, "abc", false);
    size_t len = encaps(&world, "ab*", secret, good, false);
    static const size_t points[] = {0, 96, 144};
    for (unsigned i = 0; i < 3; i++) {
        size_t size = i ? 48 : 96;
        memcpy(ct, good, len); /* infinity */
        memset(ct + points[i], 0, size);
        ct[points[i]] = 0xc0;
        assert_int_equal(decaps(&key, "ab*", ct, len, secret, false), SM_ERR_INVALID);
        memcpy(ct, good, len); /* not compressed, says its flag */
        ct[points[i]] &= 0x7f;
        assert_int_equal(decaps(&key, "ab*", ct, len, secret, false), SM_ERR_MALFORMED);
        memcpy(ct, good, len); /* x above p */
        memset(ct + points[i], 0xff, size);
        ct[points[i]] = 0x9f;
        assert_int_equal(decaps(&key, "ab*", ct, len, secret, false), SM_ERR_MALFORMED);
        if (i > 0) {
            memcpy(ct, good, len);
            off_group(ct + points[i]);
            assert_int_equal(decaps(&key, "ab*", ct, len, secret, false), SM_ERR_INVALID);
        }
    }
    for (size_t n = 0; n <= len + 1; n += n == len - 1 ? 2 : 1)
        assert_int_equal(decaps(&key, "ab*", good, n, secret, false), SM_ERR_MALFORMED);
}

static void cca_ciphertexts_open_and_changed_ones_give_a_secret_of_their_own(void **state)
{
    (void)state;
    struct sm_ibe_key key, other;
    uint8_t ct[SM_IBE_CIPHERTEXT(2) + SM_IBE_CCA_EXTRA], sent[32], got[32], again[32];
    keygen(&world, &key, "abc", false);
    keygen(&world, &other, "ab*", false);
    size_t len = encaps(&world, "a**", sent, ct, true);
    assert_int_equal(len, 144 + 2 * 48 + 32);
    assert_int_equal(decaps(&key, "a**", ct, len, got, true), 0);
    assert_memory_equal(got, sent, 32);
    assert_int_equal(decaps(&other, "a**", ct, len, got, true), 0);
    assert_memory_equal(got, sent, 32);
    /* Changed in the masked seed; in B, C and D by another good point. */
    uint8_t changed[sizeof ct], strange[sizeof ct];
    encaps(&world, "a**", again, strange, true);
    for (unsigned i = 0; i < 5; i++) {
        static const size_t at[] = {0, 96, 144, 192, 240}, size[] = {96, 48, 48, 48, 32};
        memcpy(changed, ct, len);
        memcpy(changed + at[i], strange + at[i], size[i]);
        assert_int_equal(decaps(&key, "a**", changed, len, got, true), 0);
        assert_memory_not_equal(got, sent, 32);
        assert_int_equal(decaps(&key, "a**", changed, len, again, true), 0);
        assert_memory_equal(got, again, 32);
        assert_int_equal(decaps(&other, "a**", changed, len, again, true), 0);
        assert_memory_not_equal(got, again, 32); /* a secret of the key's own */
    }
    assert_int_equal(decaps(&key, "a**", ct, len - 1, got, true), SM_ERR_MALFORMED);
    assert_int_equal(decaps(&key, "b**", ct, len, got, true), SM_ERR_DENIED);
}

static void rooms_that_are_too_small_are_refused(void **state)
{
    (void)state;
    struct sm_ibe_target target;
    struct sm_ibe_pattern q = pattern("a**");
    uint8_t ct[SM_IBE_CIPHERTEXT(2) + 32], secret[32];
    assert_int_equal(sm_ibe_target_init(&target, &world.params, &q), 0);
    assert_int_equal(sm_ibe_encaps(secret, ct, 239, &world.params, &target, &world.rng),
                     SM_ERR_MEMORY);
    assert_int_equal(sm_ibe_encaps_cca(secret, ct, 271, &world.params, &target, &world.rng),
                     SM_ERR_MEMORY);
}

/* ---- Signatures ------------------------------------------------------------------------------ */

static void a_signature_holds_for_its_pattern_and_message_alone(void **state)
{
    (void)state;
    struct sm_ibe_key key;
    struct sm_ibe_pattern as = pattern("ab-"), other = pattern("ac-"), wild = pattern("a*-");
    uint8_t sig[144], second[144];
    keygen(&world, &key, "a*-", true);
    assert_int_equal(sm_ibe_sign(sig, &world.params, &key, &as, "message", 7, &world.rng), 0);
    assert_int_equal(sm_ibe_verify(&world.params, &as, "message", 7, sig), 0);
    assert_int_equal(sm_ibe_verify(&world.params, &as, "messag", 6, sig), SM_ERR_SIGNATURE);
    assert_int_equal(sm_ibe_verify(&world.params, &other, "message", 7, sig), SM_ERR_SIGNATURE);
    assert_int_equal(sm_ibe_verify(&world.params, &wild, "message", 7, sig), SM_ERR_INVALID);
    assert_int_equal(sm_ibe_sign(second, &world.params, &key, &wild, "m", 1, &world.rng),
                     SM_ERR_INVALID);
    /* Signing twice is not the same bytes: nothing ties a signature to its key. */
    assert_int_equal(sm_ibe_sign(second, &world.params, &key, &as, "message", 7, &world.rng), 0);
    assert_memory_not_equal(sig, second, sizeof sig);
    assert_int_equal(sm_ibe_verify(&world.params, &as, "message", 7, second), 0);
}

static void only_keys_that_may_sign_and_match_do(void **state)
{
    (void)state;
    struct sm_ibe_key key;
    struct sm_ibe_pattern as = pattern("ab-");
    uint8_t sig[144];
    keygen(&world, &key, "ab-", false);
    assert_int_equal(sm_ibe_sign(sig, &world.params, &key, &as, "m", 1, &world.rng), SM_ERR_DENIED);
    keygen(&world, &key, "ac-", true);
    assert_int_equal(sm_ibe_sign(sig, &world.params, &key, &as, "m", 1, &world.rng), SM_ERR_DENIED);
}

static void no_changed_signature_verifies(void **state)
{
    (void)state;
    struct sm_ibe_key key;
    struct sm_ibe_pattern as = pattern("ab-");
    uint8_t sig[144];
    keygen(&world, &key, "ab-", true);
    assert_int_equal(sm_ibe_sign(sig, &world.params, &key, &as, "m", 1, &world.rng), 0);
    for (unsigned bit = 0; bit < 144 * 8; bit += SLOW ? 61 : 7) {
        sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(sm_ibe_verify(&world.params, &as, "m", 1, sig), SM_ERR_SIGNATURE);
        sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(sm_ibe_verify(&world.params, &as, "m", 1, sig), 0);
}

/* ---- Encodings ------------------------------------------------------------------------------- */

static void parameters_and_master_keys_survive_encoding(void **state)
{
    (void)state;
    static struct sm_ibe_params params;
    struct sm_ibe_master master;
    uint8_t bytes[SM_IBE_PARAMS_SIZE + 1], again[SM_IBE_PARAMS_SIZE];
    assert_int_equal(sm_ibe_params_encode(&world.params, bytes, 129), SM_ERR_MEMORY);
    assert_int_equal(sm_ibe_params_encode(&world.params, bytes, sizeof bytes), 130);
    assert_int_equal(sm_ibe_params_decode(&params, bytes, 130), 0);
    assert_int_equal(sm_ibe_params_encode(&params, again, sizeof again), 130);
    assert_memory_equal(again, bytes, 130);
    assert_memory_equal(params.id, world.params.id, 32);
    assert_memory_equal(params.h, world.params.h, sizeof params.h);
    for (size_t len = 0; len <= 131; len += len == 129 ? 2 : 1)
        assert_int_equal(sm_ibe_params_decode(&params, bytes, len), SM_ERR_MALFORMED);
    bytes[0] = 9;
    assert_int_equal(sm_ibe_params_decode(&params, bytes, 130), SM_ERR_UNSUPPORTED);
    bytes[0] = 1;
    bytes[1] = 17;
    assert_int_equal(sm_ibe_params_decode(&params, bytes, 130), SM_ERR_LIMIT);
    bytes[1] = 0;
    assert_int_equal(sm_ibe_params_decode(&params, bytes, 130), SM_ERR_LIMIT);
    bytes[1] = 3;
    memset(bytes + 34, 0, 96);
    bytes[34] = 0xc0;
    assert_int_equal(sm_ibe_params_decode(&params, bytes, 130), SM_ERR_INVALID);

    assert_int_equal(sm_ibe_master_encode(&world.master, bytes, 80), SM_ERR_MEMORY);
    assert_int_equal(sm_ibe_master_encode(&world.master, bytes, sizeof bytes), 81);
    assert_int_equal(sm_ibe_master_decode(&master, &world.params, bytes, 81), 0);
    assert_memory_equal(&master, &world.master, sizeof master);
    for (size_t len = 0; len <= 82; len += len == 80 ? 2 : 1)
        assert_int_equal(sm_ibe_master_decode(&master, &world.params, bytes, len),
                         SM_ERR_MALFORMED);
    bytes[33] ^= 0x20; /* the other root: minus the key */
    assert_int_equal(sm_ibe_master_decode(&master, &world.params, bytes, 81), SM_ERR_INVALID);
    bytes[1] ^= 1;
    assert_int_equal(sm_ibe_master_decode(&master, &world.params, bytes, 81), SM_ERR_KEY);
}

static void keys_survive_encoding(void **state)
{
    (void)state;
    static const char *const texts[] = {"***", "a*-", "abc", "---"};
    uint8_t bytes[SM_IBE_KEY_MAX + 1], again[SM_IBE_KEY_MAX];
    for (unsigned i = 0; i < 8; i++) {
        struct sm_ibe_key key, copy;
        keygen(&world, &key, texts[i / 2], i % 2);
        int n = sm_ibe_key_encode(&key, bytes, sizeof bytes);
        assert_true(n > 0);
        assert_int_equal(sm_ibe_key_encode(&key, bytes, (size_t)n - 1), SM_ERR_MEMORY);
        assert_int_equal(sm_ibe_key_encode(&key, bytes, (size_t)n), n);
        assert_int_equal(sm_ibe_key_decode(&copy, &world.params, bytes, (size_t)n), 0);
        assert_memory_equal(&copy, &key, sizeof key);
        assert_int_equal(sm_ibe_key_encode(&copy, again, sizeof again), n);
        assert_memory_equal(again, bytes, (size_t)n);
        for (int len = 0; len <= n + 1; len += len == n - 1 ? 2 : 1)
            assert_int_equal(sm_ibe_key_decode(&copy, &world.params, bytes, (size_t)len),
                             SM_ERR_MALFORMED);
    }
}

/* Each element by itself belongs to another key: a maker of bad keys is found out by whoever reads
 * them, before anything is opened with them. */
static void keys_of_mixed_parts_are_refused(void **state)
{
    (void)state;
    struct sm_ibe_key key, other, mixed, out;
    uint8_t bytes[SM_IBE_KEY_MAX];
    keygen(&world, &key, "a**", true);
    keygen(&world, &other, "a**", true);
    for (unsigned part = 0; part < 6; part++) {
        mixed = key;
        switch (part) {
        case 0: mixed.a0 = other.a0; break;
        case 1: mixed.a1 = other.a1; break;
        case 2: mixed.b[1] = other.b[1]; break;
        case 3: mixed.b[2] = other.b[2]; break;
        case 4: mixed.bs = other.bs; break;
        default: mixed.pattern = pattern("b**");
        }
        int n = sm_ibe_key_encode(&mixed, bytes, sizeof bytes);
        assert_true(n > 0);
        assert_int_equal(sm_ibe_key_decode(&out, &world.params, bytes, (size_t)n), SM_ERR_INVALID);
    }
    int n = sm_ibe_key_encode(&key, bytes, sizeof bytes);
    bytes[1] = 2;
    assert_int_equal(sm_ibe_key_decode(&out, &world.params, bytes, (size_t)n), SM_ERR_MALFORMED);
    bytes[1] = 1;
    bytes[2] ^= 1;
    assert_int_equal(sm_ibe_key_decode(&out, &world.params, bytes, (size_t)n), SM_ERR_KEY);
    bytes[0] = 1;
    assert_int_equal(sm_ibe_key_decode(&out, &world.params, bytes, (size_t)n), SM_ERR_UNSUPPORTED);
}

static void patterns_have_one_encoding(void **state)
{
    (void)state;
    uint8_t bytes[SM_IBE_PATTERN_MAX], again[SM_IBE_PATTERN_MAX];
    struct sm_ibe_pattern p = pattern("-a*b*"), back;
    int n = sm_ibe_pattern_encode(&p, bytes, sizeof bytes);
    assert_int_equal(n, 1 + 2 + 64);
    assert_int_equal(sm_ibe_pattern_encode(&p, again, (size_t)n - 1), SM_ERR_MEMORY);
    assert_int_equal(sm_ibe_pattern_decode(&back, bytes, sizeof bytes),
                     n); /* what follows is not its */
    assert_memory_equal(&back, &p, sizeof p);
    for (int len = 0; len < n; len++)
        assert_int_equal(sm_ibe_pattern_decode(&back, bytes, (size_t)len), SM_ERR_MALFORMED);
    bytes[2] |= 4; /* slot 5 of 5 */
    assert_int_equal(sm_ibe_pattern_decode(&back, bytes, (size_t)n), SM_ERR_MALFORMED);
    bytes[2] = 3; /* no such kind */
    assert_int_equal(sm_ibe_pattern_decode(&back, bytes, (size_t)n), SM_ERR_MALFORMED);
    bytes[2] = 2;
    memset(bytes + 3, 0, 32);
    assert_int_equal(sm_ibe_pattern_decode(&back, bytes, (size_t)n), SM_ERR_INVALID);
    memset(bytes + 3, 0xff, 32);
    assert_int_equal(sm_ibe_pattern_decode(&back, bytes, (size_t)n), SM_ERR_INVALID);
    bytes[0] = 17;
    assert_int_equal(sm_ibe_pattern_decode(&back, bytes, (size_t)n), SM_ERR_LIMIT);
    bytes[0] = 0;
    assert_int_equal(sm_ibe_pattern_decode(&back, bytes, (size_t)n), SM_ERR_LIMIT);
}

static void things_of_other_parameters_are_refused(void **state)
{
    (void)state;
    static struct world other;
    struct sm_ibe_key key, child;
    struct sm_ibe_pattern p = pattern("abc"), four = pattern("abcd");
    struct sm_ibe_target target;
    uint8_t ct[SM_IBE_CIPHERTEXT(0)], secret[32], sig[144];
    world_init(&other, 4);
    keygen(&world, &key, "abc", true);
    assert_int_equal(sm_ibe_target_init(&target, &world.params, &p), 0);
    assert_int_equal(sm_ibe_encaps(secret, ct, sizeof ct, &other.params, &target, &world.rng),
                     SM_ERR_KEY);
    assert_int_equal(sm_ibe_target_init(&target, &world.params, &four), SM_ERR_ARG);
    assert_int_equal(sm_ibe_keygen(&child, &world.params, &other.master, &p, false, &world.rng),
                     SM_ERR_KEY);
    assert_int_equal(sm_ibe_keygen(&child, &world.params, &world.master, &four, false, &world.rng),
                     SM_ERR_ARG);
    assert_int_equal(sm_ibe_delegate(&child, &other.params, &key, &four, false, &world.rng),
                     SM_ERR_KEY);
    assert_int_equal(sm_ibe_decaps(secret, &other.params, &key, &four, ct, sizeof ct), SM_ERR_KEY);
    assert_int_equal(sm_ibe_sign(sig, &other.params, &key, &four, "m", 1, &world.rng), SM_ERR_KEY);
    assert_int_equal(sm_ibe_sign(sig, &world.params, &key, &four, "m", 1, &world.rng), SM_ERR_ARG);
    assert_int_equal(sm_ibe_verify(&world.params, &four, "m", 1, sig), SM_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_matching_pair_opens_and_no_other),
        cmocka_unit_test(every_refinement_can_be_delegated_and_nothing_else),
        cmocka_unit_test(a_chain_of_delegations_ends_where_the_master_key_would),
        cmocka_unit_test(delegated_keys_are_always_random_anew),
        cmocka_unit_test(a_key_is_not_delegated_onto_itself_or_to_sign_when_it_cannot),
        cmocka_unit_test(siblings_do_not_make_their_brother),
        cmocka_unit_test(stuck_entropy_does_not_share_t_between_patterns),
        cmocka_unit_test(the_same_entropy_on_another_device_gives_another_t),
        cmocka_unit_test(entropy_that_fails_stops_everything),
        cmocka_unit_test(adjusting_slot_by_slot_is_starting_anew),
        cmocka_unit_test(a_secret_is_bound_to_pattern_and_ciphertext),
        cmocka_unit_test(bad_points_in_ciphertexts_are_refused),
        cmocka_unit_test(cca_ciphertexts_open_and_changed_ones_give_a_secret_of_their_own),
        cmocka_unit_test(rooms_that_are_too_small_are_refused),
        cmocka_unit_test(a_signature_holds_for_its_pattern_and_message_alone),
        cmocka_unit_test(only_keys_that_may_sign_and_match_do),
        cmocka_unit_test(no_changed_signature_verifies),
        cmocka_unit_test(parameters_and_master_keys_survive_encoding),
        cmocka_unit_test(keys_survive_encoding),
        cmocka_unit_test(keys_of_mixed_parts_are_refused),
        cmocka_unit_test(patterns_have_one_encoding),
        cmocka_unit_test(things_of_other_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

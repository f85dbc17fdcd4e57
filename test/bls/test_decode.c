/* The decoders of points: what they refuse, and with which error.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common.h"
#include "bls_curve.h"

/* p, big-endian */
static const uint8_t prime[48] = {
    0x1a, 0x01, 0x11, 0xea, 0x39, 0x7f, 0xe6, 0x9a, 0x4b, 0x1b, 0xa7, 0xb6, 0x43, 0x4b, 0xac, 0xd7,
    0x64, 0x77, 0x4b, 0x84, 0xf3, 0x85, 0x12, 0xbf, 0x67, 0x30, 0xd2, 0xa0, 0xf6, 0xb0, 0xf6, 0x24,
    0x1e, 0xab, 0xff, 0xfe, 0xb1, 0x53, 0xff, 0xff, 0xb9, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xaa, 0xab};

static int g1(const uint8_t *in, size_t len, unsigned allow)
{
    struct sm_bls_g1 p;
    sm_bls_g1_generator(&p);
    int err = sm_bls_g1_decode(&p, in, len, allow);
    assert_true(err == 0 || sm_bls_g1_is_infinity(&p));
    return err;
}

static int g2(const uint8_t *in, size_t len, unsigned allow)
{
    struct sm_bls_g2 p;
    sm_bls_g2_generator(&p);
    int err = sm_bls_g2_decode(&p, in, len, allow);
    assert_true(err == 0 || sm_bls_g2_is_infinity(&p));
    return err;
}

/* Good points, compressed and not, in more room than they need. */
static void points(uint8_t small1[100], uint8_t large1[100], uint8_t small2[200],
                   uint8_t large2[200])
{
    uint64_t seed = 31;
    struct sm_bls_g1 p = any_g1(&seed);
    struct sm_bls_g2 q = any_g2(&seed);
    memset(small1, 0, 100);
    memset(large1, 0, 100);
    memset(small2, 0, 200);
    memset(large2, 0, 200);
    sm_bls_g1_encode(small1, &p);
    sm_bls_g1_encode_uncompressed(large1, &p);
    sm_bls_g2_encode(small2, &q);
    sm_bls_g2_encode_uncompressed(large2, &q);
}

static void lengths_other_than_the_two_are_refused(void **state)
{
    (void)state;
    uint8_t a[100], b[100], c[200], d[200];
    points(a, b, c, d);
    for (size_t len = 0; len <= 200; len++) {
        if (len <= 100) {
            assert_int_equal(g1(a, len, 3), len == 48 ? 0 : SM_ERR_MALFORMED);
            assert_int_equal(g1(b, len, 3), len == 96 ? 0 : SM_ERR_MALFORMED);
        }
        assert_int_equal(g2(c, len, 3), len == 96 ? 0 : SM_ERR_MALFORMED);
        assert_int_equal(g2(d, len, 3), len == 192 ? 0 : SM_ERR_MALFORMED);
    }
}

static void every_flag_counts(void **state)
{
    (void)state;
    uint8_t a[100], b[100], c[200], d[200], same[96];
    points(a, b, c, d);
    struct sm_bls_g1 p, minus;
    assert_int_equal(sm_bls_g1_decode(&p, a, 48, 0), 0);
    a[0] ^= 0x20; /* the other root */
    assert_int_equal(sm_bls_g1_decode(&minus, a, 48, 0), 0);
    sm_bls_g1_neg(&minus, &minus);
    assert_true(sm_bls_g1_equal(&p, &minus));
    sm_bls_g1_neg(&minus, &p);
    sm_bls_g1_encode(same, &minus);
    assert_memory_equal(a, same, 48);
    a[0] ^= 0x80; /* not compressed, but short */
    assert_int_equal(g1(a, 48, 3), SM_ERR_MALFORMED);
    a[0] ^= 0x80 ^ 0x40; /* infinity with a coordinate */
    assert_int_equal(g1(a, 48, 3), SM_ERR_MALFORMED);
    b[0] ^= 0x20; /* a root chosen although y is there */
    assert_int_equal(g1(b, 96, 3), SM_ERR_MALFORMED);
    b[0] ^= 0x20 ^ 0x80;
    assert_int_equal(g1(b, 96, 3), SM_ERR_MALFORMED);
    b[0] ^= 0x80;
    b[48] ^= 0x80; /* flags have no place in y */
    assert_int_equal(g1(b, 96, 3), SM_ERR_MALFORMED);
    d[0] ^= 0x20;
    assert_int_equal(g2(d, 192, 3), SM_ERR_MALFORMED);
    d[0] ^= 0x20;
    for (size_t at = 48; at < 192; at += 48) {
        d[at] ^= 0x20;
        assert_int_equal(g2(d, 192, 3), SM_ERR_MALFORMED);
        d[at] ^= 0x20;
    }
    assert_int_equal(g2(d, 192, 0), 0);
    c[0] ^= 0x40;
    assert_int_equal(g2(c, 96, 3), SM_ERR_MALFORMED);
}

static void infinity_must_be_asked_for_and_has_one_encoding(void **state)
{
    (void)state;
    static const size_t lens[4] = {48, 96, 96, 192};
    for (int kind = 0; kind < 4; kind++) {
        uint8_t in[192] = {(uint8_t)(kind % 2 == 0 ? 0xc0 : 0x40)}, out[192];
        int (*decode)(const uint8_t *, size_t, unsigned) = kind < 2 ? g1 : g2;
        size_t len = lens[kind];
        assert_int_equal(decode(in, len, SM_BLS_STRICT), SM_ERR_INVALID);
        assert_int_equal(decode(in, len, SM_BLS_TRUSTED), SM_ERR_INVALID);
        assert_int_equal(decode(in, len, SM_BLS_INFINITY_OK), 0);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            if (bit == 7 || bit == 6)
                continue;
            in[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(decode(in, len, SM_BLS_INFINITY_OK), SM_ERR_MALFORMED);
            in[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        struct sm_bls_g1 p;
        struct sm_bls_g2 q;
        sm_bls_g1_infinity(&p);
        sm_bls_g2_infinity(&q);
        if (kind == 0)
            sm_bls_g1_encode(out, &p);
        else if (kind == 1)
            sm_bls_g1_encode_uncompressed(out, &p);
        else if (kind == 2)
            sm_bls_g2_encode(out, &q);
        else
            sm_bls_g2_encode_uncompressed(out, &q);
        assert_memory_equal(in, out, len);
    }
}

/* c = a + p as bytes, if the sum leaves the flags alone. */
static bool plus_prime(uint8_t c[48], const uint8_t a[48])
{
    unsigned carry = 0;
    uint8_t sum[48];
    for (int i = 47; i >= 0; i--) {
        carry += (i ? a[i] : a[i] & 0x1fu) + prime[i];
        sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
    if (sum[0] > 0x1f)
        return false;
    sum[0] |= a[0] & 0xe0;
    memcpy(c, sum, sizeof sum);
    return true;
}

static void coordinates_not_below_p_are_refused(void **state)
{
    (void)state;
    uint64_t seed = 37;
    int g1_tried = 0, g2_tried = 0;
    while (g1_tried < 8 || g2_tried < 8) {
        struct sm_bls_g1 p = any_g1(&seed);
        struct sm_bls_g2 q = any_g2(&seed);
        uint8_t a[96], b[192];
        sm_bls_g1_encode_uncompressed(a, &p);
        for (size_t at = 0; at < 96; at += 48) {
            uint8_t copy[96];
            memcpy(copy, a, sizeof copy);
            if (plus_prime(copy + at, a + at)) {
                assert_int_equal(g1(copy, 96, SM_BLS_TRUSTED), SM_ERR_MALFORMED);
                g1_tried++;
            }
        }
        sm_bls_g2_encode_uncompressed(b, &q);
        for (size_t at = 0; at < 192; at += 48) {
            uint8_t copy[192];
            memcpy(copy, b, sizeof copy);
            if (plus_prime(copy + at, b + at)) {
                assert_int_equal(g2(copy, 192, SM_BLS_TRUSTED), SM_ERR_MALFORMED);
                g2_tried++;
            }
        }
    }
    uint8_t in[48];
    memcpy(in, prime, 48);
    in[0] |= 0x80; /* p, which is 0: x = 0 is on the curve */
    assert_int_equal(g1(in, 48, SM_BLS_TRUSTED), SM_ERR_MALFORMED);
    memset(in, 0, sizeof in);
    in[0] = 0x80;
    assert_int_equal(g1(in, 48, SM_BLS_TRUSTED), 0);
    assert_int_equal(g1(in, 48, SM_BLS_STRICT), SM_ERR_INVALID);
}

static void points_off_the_curve_are_refused(void **state)
{
    (void)state;
    uint8_t a[100], b[100], c[200], d[200];
    points(a, b, c, d);
    for (size_t bit = 0; bit < 96 * 8; bit += 5) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (bit % (48 * 8) >= 16)
            assert_int_equal(g1(b, 96, SM_BLS_TRUSTED), SM_ERR_INVALID);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 192 * 8; bit += 5) {
        d[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (bit % (48 * 8) >= 16)
            assert_int_equal(g2(d, 192, SM_BLS_TRUSTED), SM_ERR_INVALID);
        d[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    int without_root = 0;
    for (int i = 0; i < 60; i++) {
        a[47]++;
        without_root += g1(a, 48, SM_BLS_TRUSTED) == SM_ERR_INVALID;
        c[95]++;
        without_root += g2(c, 96, SM_BLS_TRUSTED) == SM_ERR_INVALID;
    }
    assert_in_range(without_root, 35, 85);
}

/* Neither curve's order is r alone, so most of their points are in no group of ours. */
static void points_outside_the_group_are_refused(void **state)
{
    (void)state;
    int found1 = 0, found2 = 0;
    for (uint8_t x = 1; x < 60; x++) {
        uint8_t in[96] = {0x80};
        in[47] = x;
        if (g1(in, 48, SM_BLS_TRUSTED) == 0) {
            assert_int_equal(g1(in, 48, SM_BLS_STRICT), SM_ERR_INVALID);
            struct sm_bls_g1 p;
            assert_int_equal(sm_bls_g1_decode(&p, in, 48, SM_BLS_TRUSTED), 0);
            sm_bls_g1_clear_cofactor(&p);
            assert_true(sm_bls_g1_in_group(&p));
            assert_false(sm_bls_g1_is_infinity(&p));
            found1++;
        }
        in[47] = 0;
        in[95] = x;
        if (g2(in, 96, SM_BLS_TRUSTED) == 0) {
            assert_int_equal(g2(in, 96, SM_BLS_STRICT), SM_ERR_INVALID);
            found2++;
        }
    }
    assert_in_range(found1, 15, 45);
    assert_in_range(found2, 15, 45);
}

/* The smallest subgroups of G1's curve: x = 0 has order 3, and 11 and more come by multiplication.
 */
static void points_of_small_order_are_outside(void **state)
{
    (void)state;
    uint8_t in[48] = {0x80};
    struct sm_bls_g1 p, q;
    assert_int_equal(sm_bls_g1_decode(&p, in, 48, SM_BLS_TRUSTED), 0);
    sm_bls_g1_double(&q, &p);
    sm_bls_g1_add(&q, &q, &p);
    assert_true(sm_bls_g1_is_infinity(&q));
    assert_false(sm_bls_g1_in_group(&p));
}

static void tags_of_wrong_length_are_refused(void **state)
{
    (void)state;
    uint8_t tag[256] = {0}, out[8] = {1, 2, 3};
    struct sm_bls_g1 p;
    struct sm_bls_scalar s;
    for (size_t len = 0; len <= 256; len += 256) {
        assert_int_equal(sm_bls_expand_message(out, sizeof out, "", 0, tag, len), SM_ERR_ARG);
        assert_int_equal(out[0], 1);
        assert_int_equal(sm_bls_hash_to_g1(&p, "", 0, tag, len), SM_ERR_ARG);
        assert_true(sm_bls_g1_is_infinity(&p));
        assert_int_equal(sm_bls_hash_to_scalar(&s, "", 0, tag, len), SM_ERR_ARG);
        assert_true(sm_bls_scalar_is_zero(&s));
    }
    assert_int_equal(sm_bls_hash_to_scalar(&s, "", 0, tag, 255), 0);
    assert_false(sm_bls_scalar_is_zero(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_other_than_the_two_are_refused),
        cmocka_unit_test(every_flag_counts),
        cmocka_unit_test(infinity_must_be_asked_for_and_has_one_encoding),
        cmocka_unit_test(coordinates_not_below_p_are_refused),
        cmocka_unit_test(points_off_the_curve_are_refused),
        cmocka_unit_test(points_outside_the_group_are_refused),
        cmocka_unit_test(points_of_small_order_are_outside),
        cmocka_unit_test(tags_of_wrong_length_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What must hold of numbers, points and pairings whatever they are, and at the edges.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common.h"
#include "bls_curve.h"
#include "bls_gt.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* 0, 1, 2, 3, powers of the parameter and their neighbours, r - 1, r - 2, and two that are any. */
static size_t edges(struct sm_bls_scalar k[20])
{
    struct sm_bls_scalar one, x, power;
    static const uint8_t parameter[8] = {0xd2, 0x01, 0, 0, 0, 0x01, 0, 0};
    uint64_t seed = 7;
    size_t n = 0;
    for (uint32_t i = 0; i < 4; i++)
        sm_bls_scalar_set(&k[n++], i);
    sm_bls_scalar_set(&one, 1);
    sm_bls_scalar_reduce(&x, parameter, sizeof parameter);
    power = x;
    for (int i = 0; i < 3; i++) {
        sm_bls_scalar_sub(&k[n++], &power, &one);
        k[n++] = power;
        sm_bls_scalar_add(&k[n++], &power, &one);
        sm_bls_scalar_mul(&power, &power, &x);
    }
    sm_bls_scalar_neg(&k[n++], &k[1]);
    sm_bls_scalar_neg(&k[n++], &k[2]);
    k[n++] = any_scalar(&seed);
    k[n++] = any_scalar(&seed);
    return n;
}

/* ---- Numbers ------------------------------------------------------------------------------------
 */

/* A number with limbs of the largest weight 1, all of one sign or each of any. */
static struct sm_bls_fp extreme(uint64_t *seed)
{
    struct sm_bls_fp a;
    uint8_t signs[1 + SM_BLS_LIMBS];
    fill(signs, sizeof signs, seed);
    for (int i = 0; i < SM_BLS_LIMBS; i++) {
        sm_bls_limb half = (sm_bls_limb)1 << (RADIX - 1 - (i == SM_BLS_LIMBS - 1 ? 11 : 0));
        bool minus = signs[0] & 2 ? signs[0] & 1 : signs[1 + i] & 1;
        a.v[i] = minus ? -half : half - 1;
    }
    return a;
}

/* The largest sums that the code has: six products with a weight of 2 4 each but the first. */
static void sums_of_products_at_their_bounds_do_not_overflow(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 2000; round++) {
        struct sm_bls_fp2 a[3], b[3], sum, each, expected = {{{0}}, {{0}}};
        const struct sm_bls_fp2 *left[3] = {&a[0], &a[1], &a[2]};
        const struct sm_bls_fp2 *right[3] = {&b[0], &b[1], &b[2]};
        static const int weight[3] = {8, 8, 1}; /* 2 (8 + 8 + 1) = 34 */
        for (int i = 0; i < 3; i++) {
            a[i] = (struct sm_bls_fp2){extreme(&seed), extreme(&seed)};
            b[i] = (struct sm_bls_fp2){extreme(&seed), extreme(&seed)};
            struct sm_bls_fp2 tidy_a, tidy_b;
            sm_bls_fp_tidy(&tidy_a.c0, &a[i].c0);
            sm_bls_fp_tidy(&tidy_a.c1, &a[i].c1);
            fp2_scale(&b[i], &b[i], weight[i] / 2 + weight[i] % 2);
            fp2_scale(&a[i], &a[i], weight[i] / 4 + (weight[i] == 1));
            fp2_scale(&tidy_a, &tidy_a, weight[i] / 4 + (weight[i] == 1));
            sm_bls_fp_tidy(&tidy_b.c0, &b[i].c0);
            sm_bls_fp_tidy(&tidy_b.c1, &b[i].c1);
            fp2_mul(&each, &tidy_a, &tidy_b);
            fp2_add(&expected, &expected, &each);
        }
        fp2_dot(&sum, left, right, 3);
        assert_true(fp2_equal(&sum, &expected));
        for (int i = 0; i < SM_BLS_LIMBS; i++) {
            sm_bls_limb half = (sm_bls_limb)1 << (RADIX - 1);
            assert_true(sum.c0.v[i] >= -half && sum.c0.v[i] <= half);
            assert_true(sum.c1.v[i] >= -half && sum.c1.v[i] <= half);
        }
    }
}

static void numbers_survive_their_encoding(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 500; i++) {
        uint8_t in[48], out[48];
        struct sm_bls_fp a, b;
        fill(in, sizeof in, &seed);
        in[0] %= 0x1a;
        assert_true(fp_decode(&a, in));
        fp_encode(out, &a);
        assert_memory_equal(in, out, 48);
        fp_neg(&b, &a);
        fp_sub(&b, &b, &sm_bls_modulus);
        fp_add(&b, &b, &a);
        assert_true(fp_is_zero(&b));
        assert_true(fp_is_high(&a) != (fp_neg(&b, &a), fp_is_high(&b)));
    }
}

static void inverses_and_roots_are_what_they_say(void **state)
{
    (void)state;
    uint64_t seed = 3;
    struct sm_bls_fp zero = {{0}}, a, b, t;
    struct sm_bls_fp2 zero2 = {zero, zero}, c, d, e;
    fp_inv(&b, &zero);
    assert_true(fp_is_zero(&b));
    fp2_inv(&c, &zero2);
    assert_true(fp2_is_zero(&c));
    assert_true(fp2_sqrt(&c, &zero2));
    assert_true(fp2_is_zero(&c));
    int squares = 0;
    for (int i = 0; i < 40; i++) {
        fp_reduce(&a, &(struct sm_bls_wide){{(sm_bls_sum)(i + 1)}});
        fp_inv(&b, &a);
        fp_mul(&t, &a, &b);
        fp_mul(&t, &t, &a);
        assert_true(fp_equal(&t, &a));
        squares += fp_sqrt(&b, &a);

        c = (struct sm_bls_fp2){extreme(&seed), extreme(&seed)};
        if (i < 4)
            c.c1 = zero; /* squares and not, of Fp: both have roots in Fp2 */
        else if (i < 8)
            c.c0 = zero;
        fp2_inv(&d, &c);
        fp2_mul(&d, &d, &c);
        fp2_mul(&d, &d, &c);
        assert_true(fp2_equal(&d, &c));
        fp2_sqr(&d, &c);
        assert_true(fp2_sqrt(&e, &d));
        fp2_sqr(&e, &e);
        assert_true(fp2_equal(&d, &e));
        if (i < 4) {
            assert_true(fp2_sqrt(&e, &c));
            fp2_sqr(&e, &e);
            assert_true(fp2_equal(&c, &e));
        }
        fp2_mul_xi(&d, &d); /* 1 + u is not a square */
        assert_false(fp2_sqrt(&e, &d));
    }
    assert_in_range(squares, 10, 30);
}

static void scalars_obey_the_laws_of_a_field(void **state)
{
    (void)state;
    struct sm_bls_scalar k[20], s, t, one, zero;
    size_t n = edges(k);
    sm_bls_scalar_set(&zero, 0);
    sm_bls_scalar_set(&one, 1);
    for (size_t i = 0; i < n; i++) {
        uint8_t bytes[32];
        sm_bls_scalar_encode(bytes, &k[i]);
        assert_int_equal(sm_bls_scalar_decode(&s, bytes), 0);
        assert_true(sm_bls_scalar_equal(&s, &k[i]));
        sm_bls_scalar_neg(&s, &k[i]);
        sm_bls_scalar_add(&s, &s, &k[i]);
        assert_true(sm_bls_scalar_is_zero(&s));
        sm_bls_scalar_inv(&s, &k[i]);
        sm_bls_scalar_mul(&s, &s, &k[i]);
        assert_true(sm_bls_scalar_equal(&s, i == 0 ? &zero : &one));
        for (size_t j = 0; j < n; j++) { /* (a + b)^2 - (a - b)^2 = 4 a b */
            struct sm_bls_scalar plus, minus;
            sm_bls_scalar_add(&plus, &k[i], &k[j]);
            sm_bls_scalar_sub(&minus, &k[i], &k[j]);
            sm_bls_scalar_mul(&plus, &plus, &plus);
            sm_bls_scalar_mul(&minus, &minus, &minus);
            sm_bls_scalar_sub(&s, &plus, &minus);
            sm_bls_scalar_mul(&t, &k[i], &k[j]);
            sm_bls_scalar_add(&t, &t, &t);
            sm_bls_scalar_add(&t, &t, &t);
            assert_true(sm_bls_scalar_equal(&s, &t));
        }
    }
}

static void scalars_are_read_as_numbers_mod_r(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int round = 0; round < 200; round++) {
        uint8_t bytes[64];
        struct sm_bls_scalar s, horner, base, digit;
        fill(bytes, sizeof bytes, &seed);
        if (round < 2)
            memset(bytes, round ? 0xff : 0, sizeof bytes);
        size_t len = (size_t)round % 65;
        sm_bls_scalar_reduce(&s, bytes, len);
        sm_bls_scalar_set(&horner, 0);
        sm_bls_scalar_set(&base, 256);
        for (size_t i = 0; i < len; i++) {
            sm_bls_scalar_set(&digit, bytes[i]);
            sm_bls_scalar_mul(&horner, &horner, &base);
            sm_bls_scalar_add(&horner, &horner, &digit);
        }
        assert_true(sm_bls_scalar_equal(&s, &horner));
    }
}

static void scalars_not_below_r_are_refused(void **state)
{
    (void)state;
    struct sm_bls_scalar s, one;
    uint8_t bytes[32];
    sm_bls_scalar_set(&one, 1);
    sm_bls_scalar_neg(&s, &one);
    sm_bls_scalar_encode(bytes, &s); /* r - 1, which ends with 32 zero bits */
    assert_int_equal(sm_bls_scalar_decode(&s, bytes), 0);
    for (uint8_t i = 1; i < 5; i++) {
        bytes[31] = i;
        assert_int_equal(sm_bls_scalar_decode(&s, bytes), SM_ERR_INVALID);
        assert_true(sm_bls_scalar_is_zero(&s));
    }
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(sm_bls_scalar_decode(&s, bytes), SM_ERR_INVALID);
}

/* ---- Points -------------------------------------------------------------------------------------
 */

static void multiplication_in_g1_is_repeated_addition(void **state)
{
    (void)state;
    uint64_t seed = 11;
    struct sm_bls_scalar k[20];
    size_t n = edges(k);
    struct sm_bls_g1 a = any_g1(&seed), p, q, infinity;
    sm_bls_g1_infinity(&infinity);
    for (size_t i = 0; i < n; i++) {
        sm_bls_g1_infinity(&p);
        for (int bit = 255; bit >= 0; bit--) {
            sm_bls_g1_add(&p, &p, &p);
            if (k[i].w[bit / 32] >> bit % 32 & 1)
                sm_bls_g1_add(&p, &p, &a);
        }
        sm_bls_g1_mul(&q, &a, &k[i]);
        assert_true(sm_bls_g1_equal(&p, &q));
        sm_bls_g1_mul_public(&q, &a, &k[i]);
        assert_true(sm_bls_g1_equal(&p, &q));
        q = a;
        sm_bls_g1_mul(&q, &q, &k[i]);
        assert_true(sm_bls_g1_equal(&p, &q));
        sm_bls_g1_mul(&q, &infinity, &k[i]);
        assert_true(sm_bls_g1_is_infinity(&q));
        assert_true(sm_bls_g1_equal(&q, &infinity));
        assert_true(sm_bls_g1_is_infinity(&p) == (i == 0));
        assert_true(sm_bls_g1_equal(&p, &infinity) == (i == 0));
        assert_true(sm_bls_g1_in_group(&p));
    }
}

static void multiplication_in_g2_is_repeated_addition(void **state)
{
    (void)state;
    struct sm_bls_scalar k[20];
    size_t n = edges(k);
    struct sm_bls_g2 a, p, q, infinity;
    sm_bls_g2_generator(&a);
    sm_bls_g2_infinity(&infinity);
    for (size_t i = 0; i < n; i++) {
        sm_bls_g2_infinity(&p);
        for (int bit = 255; bit >= 0; bit--) {
            sm_bls_g2_add(&p, &p, &p);
            if (k[i].w[bit / 32] >> bit % 32 & 1)
                sm_bls_g2_add(&p, &p, &a);
        }
        sm_bls_g2_mul(&q, &a, &k[i]);
        assert_true(sm_bls_g2_equal(&p, &q));
        sm_bls_g2_mul_generator(&q, &k[i]);
        assert_true(sm_bls_g2_equal(&p, &q));
        q = a;
        sm_bls_g2_mul(&q, &q, &k[i]);
        assert_true(sm_bls_g2_equal(&p, &q));
        sm_bls_g2_mul(&q, &infinity, &k[i]);
        assert_true(sm_bls_g2_is_infinity(&q));
        assert_true(sm_bls_g2_equal(&p, &infinity) == (i == 0));
        assert_true(sm_bls_g2_in_group(&p));
    }
}

static void sums_in_g1_are_the_sums_of_their_terms(void **state)
{
    (void)state;
    uint64_t seed = 13;
    struct sm_bls_g1 a[10], p, q, t;
    struct sm_bls_scalar k[20];
    edges(k);
    for (size_t i = 0; i < 10; i++)
        a[i] = any_g1(&seed);
    sm_bls_g1_infinity(&a[3]);
    a[5] = a[4];
    sm_bls_g1_neg(&a[6], &a[4]);
    for (size_t n = 0; n <= 10; n++) {
        sm_bls_g1_infinity(&p);
        for (size_t i = 0; i < n; i++) {
            sm_bls_g1_mul(&t, &a[i], &k[i + 2]);
            sm_bls_g1_add(&p, &p, &t);
        }
        sm_bls_g1_sum(&q, a, k + 2, n);
        assert_true(sm_bls_g1_equal(&p, &q));
        sm_bls_g1_sum_public(&q, a, k + 2, n);
        assert_true(sm_bls_g1_equal(&p, &q));
    }
}

static void addition_needs_no_special_cases(void **state)
{
    (void)state;
    uint64_t seed = 17;
    struct sm_bls_g1 a = any_g1(&seed), infinity, p, q;
    struct sm_bls_g2 b = any_g2(&seed), infinity2, r, s;
    sm_bls_g1_infinity(&infinity);
    sm_bls_g2_infinity(&infinity2);
    sm_bls_g1_sub(&p, &a, &a);
    assert_true(sm_bls_g1_is_infinity(&p));
    sm_bls_g1_add(&p, &a, &infinity);
    assert_true(sm_bls_g1_equal(&p, &a));
    sm_bls_g1_add(&p, &infinity, &infinity);
    assert_true(sm_bls_g1_is_infinity(&p));
    sm_bls_g1_double(&p, &infinity);
    assert_true(sm_bls_g1_is_infinity(&p));
    sm_bls_g1_add(&p, &a, &a);
    sm_bls_g1_double(&q, &a);
    assert_true(sm_bls_g1_equal(&p, &q));
    assert_false(sm_bls_g1_equal(&p, &a));
    sm_bls_g1_neg(&q, &a);
    assert_false(sm_bls_g1_equal(&q, &a));
    sm_bls_g2_sub(&r, &b, &b);
    assert_true(sm_bls_g2_is_infinity(&r));
    sm_bls_g2_add(&r, &b, &infinity2);
    assert_true(sm_bls_g2_equal(&r, &b));
    sm_bls_g2_add(&r, &b, &b);
    sm_bls_g2_double(&s, &b);
    assert_true(sm_bls_g2_equal(&r, &s));
    assert_false(sm_bls_g2_equal(&r, &b));
}

/* ---- Pairings -----------------------------------------------------------------------------------
 */

static void pairings_are_bilinear_and_of_order_r(void **state)
{
    (void)state;
    uint64_t seed = 19;
    for (int round = 0; round < 3; round++) {
        struct sm_bls_g1 p = any_g1(&seed), ap;
        struct sm_bls_g2 q = any_g2(&seed), bq;
        struct sm_bls_scalar a = any_scalar(&seed), b = any_scalar(&seed), ab;
        struct sm_bls_gt e, f, g;
        sm_bls_g1_mul(&ap, &p, &a);
        sm_bls_g2_mul(&bq, &q, &b);
        sm_bls_scalar_mul(&ab, &a, &b);
        sm_bls_pairing(&e, &p, &q);
        assert_false(sm_bls_gt_is_one(&e));
        sm_bls_pairing(&f, &ap, &bq);
        sm_bls_gt_exp(&g, &e, &ab);
        assert_true(sm_bls_gt_equal(&f, &g));
        assert_false(sm_bls_gt_equal(&f, &e));
        sm_bls_scalar_neg(&ab, &ab);
        sm_bls_gt_exp(&g, &e, &ab);
        sm_bls_gt_mul(&g, &g, &f);
        assert_true(sm_bls_gt_is_one(&g));
        sm_bls_gt_inv(&g, &f);
        sm_bls_gt_mul(&g, &g, &f);
        assert_true(sm_bls_gt_is_one(&g));
    }
}

static void powers_in_gt_are_repeated_multiplication(void **state)
{
    (void)state;
    struct sm_bls_scalar k[20];
    size_t n = edges(k);
    struct sm_bls_g1 g1;
    struct sm_bls_g2 g2;
    struct sm_bls_gt e, f, g;
    sm_bls_g1_generator(&g1);
    sm_bls_g2_generator(&g2);
    sm_bls_pairing(&e, &g1, &g2);
    for (size_t i = 0; i < n; i++) {
        sm_bls_gt_one(&f);
        for (int bit = 255; bit >= 0; bit--) {
            sm_bls_gt_mul(&f, &f, &f);
            if (k[i].w[bit / 32] >> bit % 32 & 1)
                sm_bls_gt_mul(&f, &f, &e);
        }
        sm_bls_gt_exp(&g, &e, &k[i]);
        assert_true(sm_bls_gt_equal(&f, &g));
        g = e;
        sm_bls_gt_exp(&g, &g, &k[i]);
        assert_true(sm_bls_gt_equal(&f, &g));
    }
}

static void squares_in_gt_are_products(void **state)
{
    (void)state;
    uint64_t seed = 23;
    struct sm_bls_gt a, b, c;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 6; i++)
            a.g[i] = (struct sm_bls_fp2){extreme(&seed), extreme(&seed)};
        sm_bls_gt_sqr(&b, &a);
        sm_bls_gt_mul(&c, &a, &a);
        assert_true(sm_bls_gt_equal(&b, &c));
        sm_bls_gt_invert(&b, &a);
        sm_bls_gt_mul(&b, &b, &a);
        assert_true(sm_bls_gt_is_one(&b));
    }
    struct sm_bls_g1 p = any_g1(&seed);
    struct sm_bls_g2 q = any_g2(&seed);
    sm_bls_pairing(&a, &p, &q);
    for (int round = 0; round < 300; round++) { /* long enough for values to grow, if they did */
        sm_bls_gt_mul(&b, &a, &a);
        sm_bls_gt_cyclotomic_sqr(&a, &a);
        assert_true(sm_bls_gt_equal(&a, &b));
    }
}

static void products_of_pairings_are_their_product(void **state)
{
    (void)state;
    uint64_t seed = 29;
    struct sm_bls_g1 p[4];
    struct sm_bls_g2 q[4];
    const struct sm_bls_g1 *ps[4];
    const struct sm_bls_g2 *qs[4];
    struct sm_bls_gt e, f, g;
    for (int i = 0; i < 4; i++) {
        p[i] = any_g1(&seed);
        q[i] = any_g2(&seed);
        ps[i] = &p[i];
        qs[i] = &q[i];
    }
    sm_bls_g1_infinity(&p[2]);
    sm_bls_g2_infinity(&q[3]);
    sm_bls_gt_one(&f);
    for (size_t n = 0; n <= 4; n++) {
        sm_bls_pairing_product(&e, ps, qs, n);
        assert_true(sm_bls_gt_equal(&e, &f));
        if (n == 4)
            break;
        sm_bls_pairing(&g, &p[n], &q[n]);
        assert_true(sm_bls_gt_is_one(&g) == (n >= 2));
        sm_bls_gt_mul(&f, &f, &g);
    }
    sm_bls_g1_neg(&p[1], &p[0]); /* e(p, q) e(-p, q) = 1 */
    qs[1] = qs[0];
    sm_bls_pairing_product(&e, ps, qs, 2);
    assert_true(sm_bls_gt_is_one(&e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_products_at_their_bounds_do_not_overflow),
        cmocka_unit_test(numbers_survive_their_encoding),
        cmocka_unit_test(inverses_and_roots_are_what_they_say),
        cmocka_unit_test(scalars_obey_the_laws_of_a_field),
        cmocka_unit_test(scalars_are_read_as_numbers_mod_r),
        cmocka_unit_test(scalars_not_below_r_are_refused),
        cmocka_unit_test(multiplication_in_g1_is_repeated_addition),
        cmocka_unit_test(multiplication_in_g2_is_repeated_addition),
        cmocka_unit_test(sums_in_g1_are_the_sums_of_their_terms),
        cmocka_unit_test(addition_needs_no_special_cases),
        cmocka_unit_test(pairings_are_bilinear_and_of_order_r),
        cmocka_unit_test(powers_in_gt_are_repeated_multiplication),
        cmocka_unit_test(squares_in_gt_are_products),
        cmocka_unit_test(products_of_pairings_are_their_product),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

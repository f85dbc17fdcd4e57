/* Fp12 = Fp2[w], w^6 = xi = 1 + u, and GT in it. There is no tower: each of the six coefficients of
 * a product is a sum of products of Fp2 that is reduced once, which costs no more than a tower's
 * fewer products with more additions and needs no other code.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include "bls_gt.h"
#define SM_BLS_TABLES_ONE
#define SM_BLS_TABLES_GT
#include "bls_tables.h"

void sm_bls_gt_one(struct sm_bls_gt *e)
{
    static const struct sm_bls_fp one = SM_BLS_ONE;
    memset(e, 0, sizeof *e);
    e->g[0].c0 = one;
}

/* Three coefficients c0 + c1 v + c2 v^2, v^3 = xi, and those of the other factor times xi. */
struct third {
    const struct sm_bls_fp2 *a[3], *b[3];
    struct sm_bls_fp2 xi[3]; /* of b; the first is not used */
};

/* Coefficient k of the product. */
static void coefficient(struct sm_bls_wide2 *w, const struct third *t, int k)
{
    const struct sm_bls_fp2 *right[3];
    for (int i = 0; i < 3; i++)
        right[i] = i <= k ? t->b[k - i] : &t->xi[3 + k - i];
    fp2_wide_dot(w, t->a, right, 3);
}

/* c -= a + b */
static void wide_subtract(struct sm_bls_wide *c, const struct sm_bls_wide *a,
                          const struct sm_bls_wide *b)
{
    for (int i = 0; i < 2 * LIMBS - 1; i++)
        c->v[i] -= a->v[i] + b->v[i];
}

/* With even and odd powers of w apart, (A + B w)(C + D w) = A C + v B D + ((A + B)(C + D) - A C - B
 * D) w, before reduction. Weights of what is left in the end: 2 + 2 2 + 2 2 for the even
 * coefficients' A C and 2 3 2 for xi times the last of B D; 2 (2 + 2 2 + 2 2) for the odd ones. */
void sm_bls_gt_mul(struct sm_bls_gt *product, const struct sm_bls_gt *a, const struct sm_bls_gt *b)
{
    struct third even, odd, both;
    struct sm_bls_fp2 sum[6];
    struct sm_bls_gt result;
    struct sm_bls_wide2 u, v, last, t;
    for (int i = 0; i < 3; i++) {
        even.a[i] = &a->g[2 * i];
        even.b[i] = &b->g[2 * i];
        odd.a[i] = &a->g[2 * i + 1];
        odd.b[i] = &b->g[2 * i + 1];
        both.a[i] = &sum[i];
        both.b[i] = &sum[3 + i];
        fp2_add(&sum[i], even.a[i], odd.a[i]);
        fp2_add(&sum[3 + i], even.b[i], odd.b[i]);
        fp2_mul_xi(&even.xi[i], even.b[i]);
        fp2_mul_xi(&odd.xi[i], odd.b[i]);
        fp2_add(&both.xi[i], &even.xi[i], &odd.xi[i]);
    }
    coefficient(&last, &odd, 2);
    for (int k = 0; k < 3; k++) {
        coefficient(&u, &even, k);
        for (int i = 0; i < 2 * LIMBS - 1; i++) {
            t.c0.v[i] = u.c0.v[i] + (k ? v.c0.v[i] : last.c0.v[i] - last.c1.v[i]);
            t.c1.v[i] = u.c1.v[i] + (k ? v.c1.v[i] : last.c0.v[i] + last.c1.v[i]);
        }
        fp2_reduce(&result.g[2 * k], &t);
        if (k == 2)
            v = last;
        else
            coefficient(&v, &odd, k);
        coefficient(&t, &both, k);
        wide_subtract(&t.c0, &u.c0, &v.c0);
        wide_subtract(&t.c1, &u.c1, &v.c1);
        fp2_reduce(&result.g[2 * k + 1], &t);
    }
    *product = result;
}

/* Every product of two different coefficients once, doubled. Weights: 2 for g0^2, 2 2 for xi g3^2,
 * 2 4 for each of the doubled with xi: 22 at most. */
void sm_bls_gt_sqr(struct sm_bls_gt *square, const struct sm_bls_gt *a)
{
    struct sm_bls_gt result;
    struct sm_bls_fp2 twice[6], xi[6], xi_twice[6];
    const struct sm_bls_fp2 *left[4], *right[4];
    for (int i = 1; i < 6; i++) {
        fp2_scale(&twice[i], &a->g[i], 2);
        fp2_mul_xi(&xi[i], &a->g[i]);
        fp2_scale(&xi_twice[i], &xi[i], 2);
    }
    for (int k = 0; k < 6; k++) {
        int n = 0;
        for (int sum = k; sum < 12; sum += 6)
            for (int i = sum < 6 ? 0 : sum - 5; 2 * i <= sum; i++) {
                int j = sum - i;
                left[n] = &a->g[i];
                right[n++] =
                    sum < 6 ? (i == j ? &a->g[j] : &twice[j]) : (i == j ? &xi[j] : &xi_twice[j]);
            }
        fp2_dot(&result.g[k], left, right, n);
    }
    *square = result;
}

/* Weights: 2 2 for c0, which weighs 2; 2 2 for each of the others with xi. */
void sm_bls_gt_mul_line(struct sm_bls_gt *product, const struct sm_bls_gt *a,
                        const struct sm_bls_line *line)
{
    struct sm_bls_gt result;
    struct sm_bls_fp2 xi2, xi3;
    const struct sm_bls_fp2 *left[3], *right[3];
    fp2_mul_xi(&xi2, &line->c2);
    fp2_mul_xi(&xi3, &line->c3);
    for (int k = 0; k < 6; k++) {
        left[0] = &a->g[k];
        right[0] = &line->c0;
        left[1] = &a->g[k < 2 ? k + 4 : k - 2];
        right[1] = k < 2 ? &xi2 : &line->c2;
        left[2] = &a->g[k < 3 ? k + 3 : k - 3];
        right[2] = k < 3 ? &xi3 : &line->c3;
        fp2_dot(&result.g[k], left, right, 3);
    }
    *product = result;
}

/* w -> -w */
void sm_bls_gt_inv(struct sm_bls_gt *e, const struct sm_bls_gt *a)
{
    for (int i = 0; i < 6; i++)
        if (i % 2 == 0)
            e->g[i] = a->g[i];
        else
            fp2_neg(&e->g[i], &a->g[i]);
}

void sm_bls_gt_frobenius(struct sm_bls_gt *e, const struct sm_bls_gt *a)
{
    for (int i = 0; i < 6; i++) {
        struct sm_bls_fp2 t;
        fp2_conjugate(&t, &a->g[i]);
        if (i == 0)
            e->g[0] = t;
        else
            fp2_mul(&e->g[i], &t, &frobenius[i - 1]);
    }
}

/* a times its conjugate has even powers of w alone; with n0 + n2 v + n4 v^2, v^3 = xi, the inverse
 * of that is (c0 + c2 v + c4 v^2)/norm by Cramer's rule. */
void sm_bls_gt_invert(struct sm_bls_gt *e, const struct sm_bls_gt *a)
{
    struct sm_bls_gt conjugate, n, c;
    struct sm_bls_fp2 xi2, xi4, minus, norm;
    sm_bls_gt_inv(&conjugate, a);
    sm_bls_gt_mul(&n, a, &conjugate);
    memset(&c, 0, sizeof c);
    fp2_mul_xi(&xi2, &n.g[2]);
    fp2_mul_xi(&xi4, &n.g[4]);
    fp2_neg(&minus, &n.g[4]);
    fp2_dot2(&c.g[0], &n.g[0], &n.g[0], &minus, &xi2);
    fp2_neg(&minus, &n.g[2]);
    fp2_dot2(&c.g[2], &n.g[4], &xi4, &minus, &n.g[0]);
    fp2_neg(&minus, &n.g[0]);
    fp2_dot2(&c.g[4], &n.g[2], &n.g[2], &minus, &n.g[4]);
    const struct sm_bls_fp2 *left[3] = {&n.g[0], &xi4, &xi2};
    const struct sm_bls_fp2 *right[3] = {&c.g[0], &c.g[2], &c.g[4]};
    fp2_dot(&norm, left, right, 3);
    fp2_inv(&norm, &norm);
    for (int i = 0; i < 6; i += 2)
        fp2_mul(&c.g[i], &c.g[i], &norm);
    sm_bls_gt_mul(e, &conjugate, &c);
}

/* w = 3 a a of Fp2, from its parts (a0 - a1)(a0 + a1) and 2 a0 a1. */
static void triple_square(struct sm_bls_wide w[2], const struct sm_bls_fp2 *a)
{
    struct sm_bls_fp s, t;
    fp_sub(&s, &a->c0, &a->c1);
    fp_scale(&s, &s, 3);
    fp_add(&t, &a->c0, &a->c1);
    fp_wide_mul(&w[0], &s, &t);
    fp_scale(&s, &a->c0, 6);
    fp_wide_mul(&w[1], &s, &a->c1);
}

/* c = w + n a, mod p */
static void join(struct sm_bls_fp *c, const struct sm_bls_wide *w, const struct sm_bls_fp *a, int n)
{
    struct sm_bls_fp t;
    fp_scale(&t, a, n);
    fp_nearest(&t, &t);
    fp_reduce_plus(c, w, &t);
}

/* c0 + c1 s = 3 (a + b s)^2 - 2 (c0 + c1 s)*, where Fp4 = Fp2[s], s = w^3, s^2 = xi and (a + b s)^2
 * is a^2 + xi b^2 + ((a + b)^2 - a^2 - b^2) s; if by_s, 3 s (a + b s)^2 + 2 (c0 + c1 s)*. Weights,
 * of what is left in the end: 3 6 for the first, 3 4 for the other and twice that with xi. */
static void square4(struct sm_bls_fp2 *c0, struct sm_bls_fp2 *c1, const struct sm_bls_fp2 *a,
                    const struct sm_bls_fp2 *b, bool by_s)
{
    struct sm_bls_wide aa[2], bb[2], both[2];
    struct sm_bls_fp2 sum;
    fp2_add(&sum, a, b);
    triple_square(aa, a);
    triple_square(bb, b);
    triple_square(both, &sum);
    for (int i = 0; i < 2 * LIMBS - 1; i++) {
        sm_bls_sum a0 = aa[0].v[i], a1 = aa[1].v[i], b0 = bb[0].v[i], b1 = bb[1].v[i];
        sm_bls_sum ab0 = both[0].v[i] - a0 - b0, ab1 = both[1].v[i] - a1 - b1;
        aa[0].v[i] = a0 + b0 - b1;
        aa[1].v[i] = a1 + b0 + b1;
        both[0].v[i] = by_s ? ab0 - ab1 : ab0;
        both[1].v[i] = by_s ? ab0 + ab1 : ab1;
    }
    if (by_s) {
        join(&c0->c0, &both[0], &c0->c0, 2);
        join(&c0->c1, &both[1], &c0->c1, 2);
        join(&c1->c0, &aa[0], &c1->c0, -2);
        join(&c1->c1, &aa[1], &c1->c1, -2);
    } else {
        join(&c0->c0, &aa[0], &c0->c0, -2);
        join(&c0->c1, &aa[1], &c0->c1, -2);
        join(&c1->c0, &both[0], &c1->c0, 2);
        join(&c1->c1, &both[1], &c1->c1, 2);
    }
}

/* R. Granger, M. Scott, Faster squaring in the cyclotomic subgroup of sixth degree extensions
 * (2010), 3.2: with A + B w + C w^2 over Fp4, 3 A^2 - 2 A*, 3 s C^2 + 2 B*, 3 B^2 - 2 C*. */
void sm_bls_gt_cyclotomic_sqr(struct sm_bls_gt *square, const struct sm_bls_gt *a)
{
    struct sm_bls_gt g = *a;
    *square = g;
    square4(&square->g[0], &square->g[3], &g.g[0], &g.g[3], false);
    square4(&square->g[1], &square->g[4], &g.g[2], &g.g[5], true);
    square4(&square->g[2], &square->g[5], &g.g[1], &g.g[4], false);
}

static void move(struct sm_bls_gt *e, const struct sm_bls_gt *a, sm_bls_ulimb mask)
{
    for (int i = 0; i < 6; i++)
        fp2_move(&e->g[i], &a->g[i], mask);
}

/* e = 1/e where mask is all ones. */
static void invert_where(struct sm_bls_gt *e, sm_bls_ulimb mask)
{
    for (int i = 1; i < 6; i += 2) {
        struct sm_bls_fp2 minus;
        fp2_neg(&minus, &e->g[i]);
        fp2_move(&e->g[i], &minus, mask);
    }
}

void sm_bls_gt_exp(struct sm_bls_gt *e, const struct sm_bls_gt *a, const struct sm_bls_scalar *k)
{
    struct sm_bls_gt table[8], entry;
    struct sm_bls_recoded digits;
    sm_bls_recode(&digits, k);
    table[0] = entry = *a;
    for (int i = 1; i < 8; i *= 2) { /* Frobenius is x, and x is negative */
        sm_bls_gt_frobenius(&entry, &entry);
        sm_bls_gt_inv(&entry, &entry);
        for (int j = 0; j < i; j++)
            sm_bls_gt_mul(&table[i + j], &table[j], &entry);
    }
    sm_bls_gt_one(e);
    for (int bit = SM_BLS_RECODED - 1; bit >= 0; bit--) {
        sm_bls_gt_cyclotomic_sqr(e, e);
        entry = table[0];
        for (uint32_t i = 1; i < 8; i++)
            move(&entry, &table[i], mask_of(sm_bls_same(digits.index[bit], i)));
        invert_where(&entry, mask_of(digits.minus[bit]));
        sm_bls_gt_mul(e, e, &entry);
    }
    invert_where(e, mask_of(digits.negate));
    sm_wipe(&digits, sizeof digits);
    sm_wipe(table, sizeof table);
    sm_wipe(&entry, sizeof entry);
}

bool sm_bls_gt_equal(const struct sm_bls_gt *a, const struct sm_bls_gt *b)
{
    bool equal = true;
    for (int i = 0; i < 6; i++)
        equal &= fp2_equal(&a->g[i], &b->g[i]);
    return equal;
}

bool sm_bls_gt_is_one(const struct sm_bls_gt *a)
{
    struct sm_bls_gt one;
    sm_bls_gt_one(&one);
    return sm_bls_gt_equal(a, &one);
}

void sm_bls_gt_encode(uint8_t out[SM_BLS_GT_SIZE], const struct sm_bls_gt *a)
{
    static const uint8_t order[6] = {5, 3, 1, 4, 2, 0};
    for (int i = 0; i < 6; i++) {
        fp_encode(out + 96 * i, &a->g[order[i]].c1);
        fp_encode(out + 96 * i + 48, &a->g[order[i]].c0);
    }
}

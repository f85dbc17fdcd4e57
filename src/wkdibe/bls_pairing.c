/* The optimal ate pairing: Miller's loop over |x|, and the final exponentiation.
 *
 * Points T of the loop are homogeneous on the twist y^2 = x^3 + 4 xi, which (x, y) -> (x/w^2,
 * y/w^3) takes to the curve. A line is needed up to factors of Fp2 only: the exponentiation sends
 * those to 1, and the powers of w and the denominators with them. So does it with all lines at (0,
 * 0), which is what a pair with infinity is given.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include "bls_gt.h"

/* One pair on its way through the loop. */
struct pair {
    struct sm_bls_g2 t, q;
    struct sm_bls_g1 p;
};

/* The line at p, from one with coordinates: all times z. c0 has weight 2. */
static void at_point(struct sm_bls_line *line, const struct sm_bls_g1 *p)
{
    fp2_mul_fp(&line->c0, &line->c0, &p->z);
    fp2_mul_fp(&line->c2, &line->c2, &p->x);
    fp2_mul_fp(&line->c3, &line->c3, &p->y);
}

/* The tangent at t, at p, and t = 2 t. With a = x_T y_T, b = y_T^2, c = z_T^2, e = 12 xi c:
 *   line  (b - e) - 3 x_T^2 x w^2 + 2 y_T z_T y w^3
 *   2 T   (2 a (b - 3 e), b^2 + 3 e (2 b - e), 8 b y_T z_T)
 * Comments are weights. */
static void double_step(struct sm_bls_line *line, struct pair *pair)
{
    struct sm_bls_g2 *t = &pair->t;
    struct sm_bls_fp2 a, b, e, s, u;
    fp2_mul(&a, &t->x, &t->y);
    fp2_sqr(&b, &t->y);
    fp2_sqr(&e, &t->z);
    fp2_mul_xi(&e, &e);
    fp_scale12(&e.c0, &e.c0);
    fp_scale12(&e.c1, &e.c1);
    fp2_scale(&s, &t->y, 2);
    fp2_mul(&line->c3, &s, &t->z);
    fp2_sqr(&s, &t->x);
    fp2_scale(&line->c2, &s, -3); /* 3 */
    fp2_sub(&line->c0, &b, &e);   /* 2 */

    fp2_scale(&a, &a, 2);
    fp2_scale(&u, &e, 3);
    fp2_sub(&s, &b, &u);    /* 4 */
    fp2_mul(&t->x, &a, &s); /* 2 4 */
    fp2_scale(&s, &b, 2);
    fp2_sub(&s, &s, &e);             /* 3 */
    fp2_dot2(&t->y, &b, &b, &u, &s); /* 1 + 3 3 */
    fp2_scale(&b, &b, 4);
    fp2_mul(&t->z, &b, &line->c3); /* 4 1 */
    at_point(line, &pair->p);
}

/* The line through t and q, at p, and t = t + q. With s = y_T z_Q - y_Q z_T, u = x_T z_Q - x_Q z_T:
 *   line   (s x_Q - u y_Q) - s z_Q x w^2 + u z_Q y w^3
 *   T + Q  (u h, s (u^2 x_T z_Q - h) - u^3 y_T z_Q, u^3 z_T z_Q),
 *          h = u^3 + s^2 z_T z_Q - 2 u^2 x_T z_Q */
static void add_step(struct sm_bls_line *line, struct pair *pair)
{
    struct sm_bls_g2 *t = &pair->t;
    const struct sm_bls_g2 *q = &pair->q;
    struct sm_bls_fp2 s, u, minus, u2, u3, h, zz;
    fp2_mul(&t->x, &t->x, &q->z);
    fp2_mul(&t->y, &t->y, &q->z);
    fp2_mul(&zz, &t->z, &q->z);
    fp2_mul(&s, &q->y, &t->z);
    fp2_sub(&s, &t->y, &s); /* 2 */
    fp2_mul(&u, &q->x, &t->z);
    fp2_sub(&u, &t->x, &u); /* 2 */
    fp2_neg(&minus, &u);
    fp2_dot2(&line->c0, &s, &q->x, &minus, &q->y); /* 2 + 2 */
    fp2_neg(&minus, &s);
    fp2_mul(&line->c2, &minus, &q->z);
    fp2_mul(&line->c3, &u, &q->z);

    fp2_sqr(&u2, &u);
    fp2_mul(&u3, &u2, &u);
    fp2_mul(&u2, &u2, &t->x);
    fp2_sqr(&h, &s);
    fp2_mul(&h, &h, &zz);
    fp2_add(&h, &h, &u3);
    fp2_sub(&h, &h, &u2);
    fp2_sub(&h, &h, &u2);   /* 4 */
    fp2_mul(&t->x, &u, &h); /* 2 4 */
    fp2_sub(&h, &u2, &h);   /* 5 */
    fp2_neg(&minus, &u3);
    fp2_dot2(&t->y, &s, &h, &minus, &t->y); /* 2 5 + 1 */
    fp2_mul(&t->z, &u3, &zz);
    at_point(line, &pair->p);
}

/* A pair with infinity gets (0, 0) and the generator: there all lines are in Fp2. */
static void start(struct pair *pair, const struct sm_bls_g1 *p, const struct sm_bls_g2 *q)
{
    struct sm_bls_g1 origin;
    struct sm_bls_g2 generator;
    sm_bls_ulimb infinite =
        mask_of((uint32_t)sm_bls_g1_is_infinity(p) | (uint32_t)sm_bls_g2_is_infinity(q));
    sm_bls_g1_generator(&origin);
    memset(&origin.x, 0, sizeof origin.x);
    memset(&origin.y, 0, sizeof origin.y);
    sm_bls_g2_generator(&generator);
    pair->p = *p;
    sm_bls_g1_move(&pair->p, &origin, infinite);
    pair->q = *q;
    sm_bls_g2_move(&pair->q, &generator, infinite);
    pair->t = pair->q;
}

/* A function of its own, so that the pairs' stack is free again for the exponentiation. */
__attribute__((noinline)) static void miller_loop(struct sm_bls_gt *f,
                                                  const struct sm_bls_g1 *const p[],
                                                  const struct sm_bls_g2 *const q[], size_t n)
{
    struct pair pairs[SM_BLS_PAIRS_MAX], *end = pairs + n;
    struct sm_bls_line line;
    for (size_t i = 0; i < n; i++)
        start(&pairs[i], p[i], q[i]);
    sm_bls_gt_one(f);
    for (int bit = 62; bit >= 0; bit--) {
        sm_bls_gt_sqr(f, f);
        for (struct pair *pair = pairs; pair < end; pair++) {
            double_step(&line, pair);
            sm_bls_gt_mul_line(f, f, &line);
        }
        if (!(SM_BLS_PARAMETER >> bit & 1))
            continue;
        for (struct pair *pair = pairs; pair < end; pair++) {
            add_step(&line, pair);
            sm_bls_gt_mul_line(f, f, &line);
        }
    }
    sm_bls_gt_inv(f, f); /* x is negative; up to a factor that the exponentiation removes */
    sm_wipe(&line, sizeof line);
    sm_wipe(pairs, sizeof pairs);
}

/* a^x in the cyclotomic subgroup; a is not the result. */
static void exp_parameter(struct sm_bls_gt *e, const struct sm_bls_gt *a)
{
    *e = *a;
    for (int bit = 62; bit >= 0; bit--) {
        sm_bls_gt_cyclotomic_sqr(e, e);
        if (SM_BLS_PARAMETER >> bit & 1)
            sm_bls_gt_mul(e, e, a);
    }
    sm_bls_gt_inv(e, e);
}

/* f^(3 (p^12 - 1)/r). After (p^6 - 1)(p^2 + 1), what remains is
 *   3 (p^4 - p^2 + 1)/r = (x - 1)^2 (x + p)(x^2 + p^2 - 1) + 3
 * (D. Hayashida, K. Hayasaka, T. Teruya, Efficient final exponentiation via cyclotomic structure
 * for pairings over families of elliptic curves, 2020). */
__attribute__((noinline)) static void final_exponentiation(struct sm_bls_gt *e, struct sm_bls_gt *f)
{
    struct sm_bls_gt s, t;
    sm_bls_gt_invert(&s, f);
    sm_bls_gt_inv(f, f);
    sm_bls_gt_mul(&s, f, &s);
    sm_bls_gt_frobenius(&t, &s);
    sm_bls_gt_frobenius(&t, &t);
    sm_bls_gt_mul(f, &s, &t);

    s = *f;
    for (int i = 0; i < 2; i++) { /* x - 1 */
        exp_parameter(&t, &s);
        sm_bls_gt_inv(&s, &s);
        sm_bls_gt_mul(&s, &s, &t);
    }
    exp_parameter(&t, &s); /* x + p */
    sm_bls_gt_frobenius(&s, &s);
    sm_bls_gt_mul(&s, &s, &t);
    exp_parameter(&t, &s); /* x^2 + p^2 - 1 */
    exp_parameter(e, &t);
    sm_bls_gt_frobenius(&t, &s);
    sm_bls_gt_frobenius(&t, &t);
    sm_bls_gt_mul(e, e, &t);
    sm_bls_gt_inv(&t, &s);
    sm_bls_gt_mul(e, e, &t);
    sm_bls_gt_cyclotomic_sqr(&t, f); /* 3 */
    sm_bls_gt_mul(&t, &t, f);
    sm_bls_gt_mul(e, e, &t);
    sm_wipe(&s, sizeof s);
    sm_wipe(&t, sizeof t);
}

void sm_bls_pairing_product(struct sm_bls_gt *e, const struct sm_bls_g1 *const p[],
                            const struct sm_bls_g2 *const q[], size_t n)
{
    struct sm_bls_gt f;
    miller_loop(&f, p, q, n);
    final_exponentiation(e, &f);
    sm_wipe(&f, sizeof f);
}

void sm_bls_pairing(struct sm_bls_gt *e, const struct sm_bls_g1 *p, const struct sm_bls_g2 *q)
{
    sm_bls_pairing_product(e, &p, &q, 1);
}

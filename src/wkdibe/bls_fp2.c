/* Fp2 = Fp[u], u^2 = -1, by Karatsuba's rule on products that are not reduced yet.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bls_field.h"
#define SM_BLS_TABLES_ONE
#include "bls_tables.h"

static const struct sm_bls_fp one = SM_BLS_ONE;

/* c0 = a.c0 b.c0, second = a.c1 b.c1, c1 = (a.c0 + a.c1)(b.c0 + b.c1), until join() makes the
 * product of them. */
static void start(struct sm_bls_wide2 *w, struct sm_bls_wide *second, const struct sm_bls_fp2 *a,
                  const struct sm_bls_fp2 *b)
{
    struct sm_bls_fp s, t;
    fp_add(&s, &a->c0, &a->c1);
    fp_add(&t, &b->c0, &b->c1);
    fp_wide_mul(&w->c0, &a->c0, &b->c0);
    fp_wide_mul(second, &a->c1, &b->c1);
    fp_wide_mul(&w->c1, &s, &t);
}

static void more(struct sm_bls_wide2 *w, struct sm_bls_wide *second, const struct sm_bls_fp2 *a,
                 const struct sm_bls_fp2 *b)
{
    struct sm_bls_fp s, t;
    fp_add(&s, &a->c0, &a->c1);
    fp_add(&t, &b->c0, &b->c1);
    fp_wide_mul_add(&w->c0, &a->c0, &b->c0);
    fp_wide_mul_add(second, &a->c1, &b->c1);
    fp_wide_mul_add(&w->c1, &s, &t);
}

static void join(struct sm_bls_wide2 *w, const struct sm_bls_wide *second)
{
    for (int i = 0; i < 2 * LIMBS - 1; i++) {
        w->c1.v[i] -= w->c0.v[i] + second->v[i];
        w->c0.v[i] -= second->v[i];
    }
}

void fp2_reduce(struct sm_bls_fp2 *c, const struct sm_bls_wide2 *w)
{
    fp_reduce(&c->c0, &w->c0);
    fp_reduce(&c->c1, &w->c1);
}

void fp2_mul(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a, const struct sm_bls_fp2 *b)
{
    struct sm_bls_wide2 w;
    struct sm_bls_wide second;
    start(&w, &second, a, b);
    join(&w, &second);
    fp2_reduce(c, &w);
}

void fp2_dot2(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a, const struct sm_bls_fp2 *b,
              const struct sm_bls_fp2 *d, const struct sm_bls_fp2 *e)
{
    const struct sm_bls_fp2 *left[2] = {a, d}, *right[2] = {b, e};
    fp2_dot(c, left, right, 2);
}

void fp2_wide_dot(struct sm_bls_wide2 *w, const struct sm_bls_fp2 *const a[],
                  const struct sm_bls_fp2 *const b[], int n)
{
    struct sm_bls_wide second;
    start(w, &second, a[0], b[0]);
    for (int i = 1; i < n; i++)
        more(w, &second, a[i], b[i]);
    join(w, &second);
}

void fp2_dot(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *const a[],
             const struct sm_bls_fp2 *const b[], int n)
{
    struct sm_bls_wide2 w;
    fp2_wide_dot(&w, a, b, n);
    fp2_reduce(c, &w);
}

/* (c0 + c1)(c0 - c1) and 2 c0 c1 */
void fp2_sqr(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a)
{
    struct sm_bls_fp s, d, t;
    fp_add(&s, &a->c0, &a->c1);
    fp_sub(&d, &a->c0, &a->c1);
    fp_scale(&t, &a->c0, 2);
    fp_mul(&c->c1, &t, &a->c1);
    fp_mul(&c->c0, &s, &d);
}

void fp2_mul_fp(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a, const struct sm_bls_fp *b)
{
    fp_mul(&c->c0, &a->c0, b);
    fp_mul(&c->c1, &a->c1, b);
}

void fp2_inv(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a)
{
    struct sm_bls_fp norm;
    struct sm_bls_fp2 conjugate;
    fp_dot2(&norm, &a->c0, &a->c0, &a->c1, &a->c1);
    fp_inv(&norm, &norm);
    fp2_conjugate(&conjugate, a);
    fp2_mul_fp(c, &conjugate, &norm);
}

/* With n = sqrt(c0^2 + c1^2), t = (c0 + n)/2 and s = (c0 - n)/2: t s = -c1^2/4, so one of both is a
 * square. With k = t^((p - 3)/4) and y = t k, which has y^2 = t or -t:
 *   y^2 = t    y + c1/(2 y) u  is the root, and 1/y = k
 *   y^2 = -t   c1/(2 y) + y u  is,          and 1/y = -k
 * t is 0 where c1 is 0 and n = -c0: then s is taken for it. */
bool fp2_sqrt(struct sm_bls_fp2 *c, const struct sm_bls_fp2 *a)
{
    struct sm_bls_fp n, t, k, y, other, square, half;
    struct sm_bls_fp2 root;
    fp_dot2(&n, &a->c0, &a->c0, &a->c1, &a->c1);
    bool norm_is_square = fp_sqrt(&n, &n);
    fp_add(&half, &one, &one);
    fp_inv(&half, &half);
    fp_add(&t, &a->c0, &n);
    fp_mul(&t, &t, &half);
    fp_move(&t, &a->c0, mask_of(fp_is_zero(&t)));
    fp_root_power(&k, &t);
    fp_mul(&y, &t, &k);
    fp_mul(&other, &k, &a->c1);
    fp_mul(&other, &other, &half);
    fp_sqr(&square, &y);
    sm_bls_ulimb swap = mask_of(!fp_equal(&square, &t));
    root.c0 = y;
    root.c1 = other;
    fp_neg(&other, &other);
    fp_move(&root.c0, &other, swap);
    fp_move(&root.c1, &y, swap);
    struct sm_bls_fp2 check;
    fp2_sqr(&check, &root);
    bool is_square = norm_is_square && fp2_equal(&check, a);
    *c = root;
    return is_square;
}

bool fp2_is_zero(const struct sm_bls_fp2 *a)
{
    bool first = fp_is_zero(&a->c0), second = fp_is_zero(&a->c1);
    return first & second;
}

bool fp2_equal(const struct sm_bls_fp2 *a, const struct sm_bls_fp2 *b)
{
    struct sm_bls_fp2 t;
    fp2_sub(&t, a, b);
    return fp2_is_zero(&t);
}

bool fp2_is_high(const struct sm_bls_fp2 *a)
{
    bool zero = fp_is_zero(&a->c1), first = fp_is_high(&a->c0), second = fp_is_high(&a->c1);
    return second | (zero & first);
}

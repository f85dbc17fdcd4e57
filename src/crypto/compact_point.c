/* Points in extended twisted Edwards coordinates (Hisil, Wong, Carter, Dawson 2008, with a = -1):
 * x = X/Z, y = Y/Z, x y = T/Z. Their addition is complete on this curve, so that doublings, small
 * orders and the neutral element need no cases of their own. Owns the curve's constants and the
 * multiples of the base point.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "compact_point.h"
#include <sandmote/error.h>
#include <stddef.h>

/* A point ready to be added: y + x, y - x, 2dt, all times z; and z in sum_term, or 1 in niels. */
struct niels {
    struct sm_fe sum, diff, t2d;
};
struct sum_term {
    struct niels n;
    struct sm_fe z;
};

#include "compact_point_tables.h"

/* Window widths of the signed digits. 4 and four multiples of A cost four additions more than 5 and
 * eight would, and 512 bytes of stack less; the multiples of B are constants. */
#define A_WIDTH 4
#define B_WIDTH 5

/* The common end of doubling and addition: (E F, G H, F G, E H). t is left alone unless asked for:
 * only an addition reads it. */
static void complete(struct sm_point *p, const struct sm_fe efgh[4], bool with_t)
{
    const struct sm_fe *e = &efgh[0], *f = &efgh[1], *g = &efgh[2], *h = &efgh[3];
    sm_fe_mul(&p->x, e, f);
    sm_fe_mul(&p->y, g, h);
    sm_fe_mul(&p->z, f, g);
    if (with_t)
        sm_fe_mul(&p->t, e, h);
}

static void point_double(struct sm_point *p, bool with_t)
{
    struct sm_fe a, b, efgh[4], *e = &efgh[0], *f = &efgh[1], *g = &efgh[2], *h = &efgh[3];
    sm_fe_sqr(&a, &p->x);
    sm_fe_sqr(&b, &p->y);
    sm_fe_add(e, &p->x, &p->y);
    sm_fe_sqr(e, e);
    sm_fe_add(h, &a, &b);
    sm_fe_sub(e, h, e);
    sm_fe_sub(g, &a, &b);
    sm_fe_sqr(f, &p->z);
    sm_fe_add(f, f, f);
    sm_fe_add(f, f, g);
    complete(p, efgh, with_t);
}

/* p + q, or p - q. z is q's, NULL for 1. */
static void point_add(struct sm_point *p, const struct niels *q, const struct sm_fe *z,
                      bool negative, bool with_t)
{
    struct sm_fe a, c, d, efgh[4], *e = &efgh[0], *h = &efgh[3];
    struct sm_fe *less = &efgh[negative ? 2 : 1], *more = &efgh[negative ? 1 : 2];
    sm_fe_sub(&a, &p->y, &p->x);
    sm_fe_mul(&a, &a, negative ? &q->sum : &q->diff);
    sm_fe_add(h, &p->y, &p->x);
    sm_fe_mul(h, h, negative ? &q->diff : &q->sum);
    sm_fe_mul(&c, &p->t, &q->t2d);
    if (z)
        sm_fe_mul(&d, &p->z, z);
    else
        d = p->z;
    sm_fe_add(&d, &d, &d);
    sm_fe_sub(e, h, &a);
    sm_fe_add(h, h, &a);
    sm_fe_sub(less, &d, &c);
    sm_fe_add(more, &d, &c);
    complete(p, efgh, with_t);
}

static void prepare(struct sum_term *r, const struct sm_point *p)
{
    sm_fe_add(&r->n.sum, &p->y, &p->x);
    sm_fe_sub(&r->n.diff, &p->y, &p->x);
    sm_fe_mul(&r->n.t2d, &p->t, &curve_2d);
    r->z = p->z;
}

/* With u = y^2 - 1 and v = d y^2 + 1, x^2 = u/v; the candidate x = u v^3 (u v^7)^((p - 5) / 8) has
 * v x^2 = u, or -u, or u/v is no square (RFC 8032 5.1.3). */
int sm_point_decode_negative(struct sm_point *p, const uint8_t bytes[32])
{
    struct sm_fe u, v, v3, t;
    sm_fe_load(&p->y, bytes);
    p->z = (struct sm_fe){{1}};
    sm_fe_sqr(&u, &p->y);
    sm_fe_mul(&v, &u, &curve_d);
    sm_fe_sub(&u, &u, &p->z);
    sm_fe_add(&v, &v, &p->z);

    sm_fe_sqr(&v3, &v);
    sm_fe_mul(&v3, &v3, &v);
    sm_fe_sqr(&t, &v3);
    sm_fe_mul(&t, &t, &v);
    sm_fe_mul(&t, &t, &u);
    sm_fe_pow_p58(&t, &t);
    sm_fe_mul(&t, &t, &v3);
    sm_fe_mul(&p->x, &t, &u);

    sm_fe_sqr(&t, &p->x);
    sm_fe_mul(&t, &t, &v);
    sm_fe_sub(&v, &t, &u);
    if (!sm_fe_is_zero(&v)) {
        sm_fe_add(&t, &t, &u);
        if (!sm_fe_is_zero(&t))
            return SM_ERR_SIGNATURE;
        sm_fe_mul(&p->x, &p->x, &sqrt_minus_1);
    }
    if (sm_fe_is_odd(&p->x) == bytes[31] >> 7)
        sm_fe_sub(&p->x, &(struct sm_fe){{0}}, &p->x);
    sm_fe_mul(&p->t, &p->x, &p->y);
    return SM_OK;
}

void sm_point_encode(uint8_t bytes[32], const struct sm_point *p)
{
    struct sm_fe x, y, inverse;
    sm_fe_invert(&inverse, &p->z);
    sm_fe_mul(&x, &p->x, &inverse);
    sm_fe_mul(&y, &p->y, &inverse);
    sm_fe_store(bytes, &y);
    bytes[31] |= (uint8_t)(sm_fe_is_odd(&x) << 7);
}

#define A_MULTIPLES (1 << (A_WIDTH - 2))

/* A, 3A, 5A, 7A; p is A at first and 7A in the end. Not inlined: what it keeps on the
 * stack must be gone when the ladder is deepest. */
static __attribute__((noinline)) void odd_multiples(struct sum_term odd[A_MULTIPLES],
                                                    struct sm_point *p)
{
    struct sum_term twice;
    struct sm_point p2 = *p;
    point_double(&p2, true);
    prepare(&twice, &p2);
    prepare(&odd[0], p);
    for (int i = 1; i < A_MULTIPLES; i++) {
        point_add(p, &twice.n, &twice.z, false, true);
        prepare(&odd[i], p);
    }
}

void sm_point_multiply_add(struct sm_point *p, const struct sm_scalar *s, const struct sm_scalar *k)
{
    struct sum_term a_odd[A_MULTIPLES];
    int8_t s_digits[SM_SCALAR_DIGITS], k_digits[SM_SCALAR_DIGITS];
    odd_multiples(a_odd, p);
    sm_scalar_recode(s_digits, s, B_WIDTH);
    sm_scalar_recode(k_digits, k, A_WIDTH);

    *p = (struct sm_point){.y = {{1}}, .z = {{1}}};
    int i = SM_SCALAR_DIGITS - 1;
    while (i >= 0 && s_digits[i] == 0 && k_digits[i] == 0)
        i--;
    for (; i >= 0; i--) {
        int ks = k_digits[i], ss = s_digits[i];
        point_double(p, ks || ss);
        if (ks) {
            const struct sum_term *a = &a_odd[(ks < 0 ? -ks : ks) / 2];
            point_add(p, &a->n, &a->z, ks < 0, ss);
        }
        if (ss)
            point_add(p, &base_odd[(ss < 0 ? -ss : ss) / 2], NULL, ss < 0, false);
    }
}

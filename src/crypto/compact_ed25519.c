/* Ed25519 verification: whether S*B - k*A encodes to R, with k = SHA-512(R, A, message) mod L.
 *
 * Everything here is public (key, message, signature), so nothing is constant-time and nothing is
 * wiped; do not sign or multiply by secrets with this code.
 *
 * Which inputs are accepted is a contract (include/sandmote/crypto.h): exactly those of
 * OpenSSL 3.0. Any code that computes the group element exactly and follows the same four rules
 * does that:
 *   1. S >= L is refused.
 *   2. A decodes with bit 255 taken off and y mod p, however large y was written; a sign on x = 0
 *      is ignored; a y without x is refused. Small and mixed order is not looked at.
 *   3. k is reduced mod L before it multiplies A. On a key with a small-order part that is another
 *      point than unreduced k gives.
 *   4. The result is encoded canonically and compared with R's bytes, which are never decoded.
 *
 * Points are extended twisted Edwards coordinates (Hisil, Wong, Carter, Dawson 2008, a = -1):
 * x = X/Z, y = Y/Z, xy = T/Z. Their addition is complete on this curve, so that doublings, small
 * orders and the neutral element need no cases of their own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include <string.h>
#include "compact_field.h"
#include "compact_scalar.h"
#include "crypto_internal.h"

struct point {
    struct sm_fe x, y, z, t;
};

/* A point ready to be added: y + x, y - x, 2dt, all times z; and z in sum_term, or 1 in niels. */
struct niels {
    struct sm_fe sum, diff, t2d;
};
struct sum_term {
    struct niels n;
    struct sm_fe z;
};

#include "compact_ed25519_tables.h"

/* Window widths of the signed digits. 4 and four multiples of A cost four additions more than 5 and
 * eight would, and 512 bytes of stack less; the multiples of B are constants. */
#define A_WIDTH 4
#define B_WIDTH 5

/* The common end of doubling and addition: (E F, G H, F G, E H). t is left alone unless asked for:
 * only an addition reads it. */
static void complete(struct point *p, const struct sm_fe efgh[4], bool with_t)
{
    const struct sm_fe *e = &efgh[0], *f = &efgh[1], *g = &efgh[2], *h = &efgh[3];
    sm_fe_mul(&p->x, e, f);
    sm_fe_mul(&p->y, g, h);
    sm_fe_mul(&p->z, f, g);
    if (with_t)
        sm_fe_mul(&p->t, e, h);
}

static void point_double(struct point *p, bool with_t)
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
static void point_add(struct point *p, const struct niels *q, const struct sm_fe *z, bool negative,
                      bool with_t)
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

static void prepare(struct sum_term *r, const struct point *p)
{
    sm_fe_add(&r->n.sum, &p->y, &p->x);
    sm_fe_sub(&r->n.diff, &p->y, &p->x);
    sm_fe_mul(&r->n.t2d, &p->t, &curve_2d);
    r->z = p->z;
}

/* The negative of the point that the bytes encode (RFC 8032 5.1.3 with rule 2 above), or
 * SM_ERR_SIGNATURE. With u = y^2 - 1 and v = d y^2 + 1, x^2 = u/v; the candidate
 * x = u v^3 (u v^7)^((p - 5) / 8) has v x^2 = u, or -u, or u/v is no square. */
static __attribute__((noinline)) int decode_negative(struct point *p, const uint8_t bytes[32])
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

static __attribute__((noinline)) void encode(uint8_t bytes[32], const struct point *p)
{
    struct sm_fe x, y, inverse;
    sm_fe_invert(&inverse, &p->z);
    sm_fe_mul(&x, &p->x, &inverse);
    sm_fe_mul(&y, &p->y, &inverse);
    sm_fe_store(bytes, &y);
    bytes[31] |= (uint8_t)(sm_fe_is_odd(&x) << 7);
}

#define A_MULTIPLES (1 << (A_WIDTH - 2))

/* A, 3A, 5A, 7A; p is A at first and 7A in the end. This and the functions below that keep much on
 * the stack are not inlined, so that none stands on top of another's leavings. */
static __attribute__((noinline)) void odd_multiples(struct sum_term odd[A_MULTIPLES],
                                                    struct point *p)
{
    struct sum_term twice;
    struct point p2 = *p;
    point_double(&p2, true);
    prepare(&twice, &p2);
    prepare(&odd[0], p);
    for (int i = 1; i < A_MULTIPLES; i++) {
        point_add(p, &twice.n, &twice.z, false, true);
        prepare(&odd[i], p);
    }
}

/* s B + k A, for any point A. p is A at first. */
static __attribute__((noinline)) void multiply_add(struct point *p, const struct sm_scalar *s,
                                                   const struct sm_scalar *k)
{
    struct sum_term a_odd[A_MULTIPLES];
    int8_t s_digits[SM_SCALAR_DIGITS], k_digits[SM_SCALAR_DIGITS];
    odd_multiples(a_odd, p);
    sm_scalar_recode(s_digits, s, B_WIDTH);
    sm_scalar_recode(k_digits, k, A_WIDTH);

    *p = (struct point){.y = {{1}}, .z = {{1}}};
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

static __attribute__((noinline)) void hash_to_scalar(struct sm_scalar *k, const uint8_t r[32],
                                                     const uint8_t pub[32], const void *msg,
                                                     size_t len)
{
    struct sm_compact_sha512 sha;
    uint8_t hash[64];
    sm_compact_sha512_init(&sha);
    sm_compact_sha512_update(&sha, r, 32);
    sm_compact_sha512_update(&sha, pub, 32);
    sm_compact_sha512_update(&sha, msg, len);
    sm_compact_sha512_final(&sha, hash);
    sm_scalar_reduce(k, hash);
}

int sm_compact_ed25519_verify(const uint8_t pub[32], const void *msg, size_t len,
                              const uint8_t sig[64])
{
    struct sm_scalar s, k;
    struct point p;
    uint8_t r[32];
    if (!sm_scalar_load(&s, sig + 32) || decode_negative(&p, pub) != SM_OK)
        return SM_ERR_SIGNATURE;
    hash_to_scalar(&k, sig, pub, msg, len);
    multiply_add(&p, &s, &k);
    encode(r, &p);
    return memcmp(r, sig, sizeof r) == 0 ? SM_OK : SM_ERR_SIGNATURE;
}

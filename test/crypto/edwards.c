/* x^2 of a given y, square roots, and the affine addition law of RFC 8032 section 5.1.4, as written
 * there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "edwards.h"
#include <stdlib.h>

static void must(int ok)
{
    if (!ok)
        abort();
}

static BIGNUM *number(const char *decimal)
{
    BIGNUM *n = NULL;
    must(BN_dec2bn(&n, decimal));
    return n;
}

static BIGNUM *fresh(void)
{
    BIGNUM *n = BN_new();
    must(n != NULL);
    return n;
}

static void mul(const struct curve *c, BIGNUM *r, const BIGNUM *a, const BIGNUM *b)
{
    must(BN_mod_mul(r, a, b, c->p, c->ctx));
}

static void divide(const struct curve *c, BIGNUM *r, const BIGNUM *a, const BIGNUM *b)
{
    BIGNUM *inverse = BN_mod_inverse(NULL, b, c->p, c->ctx);
    must(inverse != NULL);
    mul(c, r, a, inverse);
    BN_free(inverse);
}

void curve_new(struct curve *c)
{
    c->ctx = BN_CTX_new();
    must(c->ctx != NULL);
    c->p = number("57896044618658097711785492504343953926634992332820282019728792003956564819949");
    c->order =
        number("7237005577332262213973186563042994240857116359379907606001950938285454250989");
    c->d = number("121665");
    BIGNUM *divisor = number("121666");
    divide(c, c->d, c->d, divisor);
    must(BN_sub(c->d, c->p, c->d));
    BN_free(divisor);
}

void curve_free(struct curve *c)
{
    BN_free(c->p);
    BN_free(c->d);
    BN_free(c->order);
    BN_CTX_free(c->ctx);
}

struct affine affine_neutral(void)
{
    return (struct affine){number("0"), number("1")};
}

/* The point with this y and the even x; frees nothing, takes y over. */
static struct affine with_even_x(const struct curve *c, BIGNUM *y)
{
    BIGNUM *u = fresh(), *v = fresh();
    mul(c, u, y, y);
    mul(c, v, u, c->d);
    must(BN_sub_word(u, 1) && BN_add_word(v, 1));
    divide(c, u, u, v);
    struct affine a = {BN_mod_sqrt(NULL, u, c->p, c->ctx), y};
    must(a.x != NULL);
    if (BN_is_odd(a.x))
        must(BN_sub(a.x, c->p, a.x));
    BN_free(u);
    BN_free(v);
    return a;
}

struct affine affine_base(const struct curve *c)
{
    BIGNUM *y = number("4"), *five = number("5");
    divide(c, y, y, five);
    BN_free(five);
    return with_even_x(c, y);
}

/* The order of the group is 8 L. L times a point is of order 8 unless 4 L times it is neutral; one
 * in two points will do, so the first y from 2 on that gives one does. */
struct affine affine_order_8(const struct curve *c)
{
    BIGNUM *four = number("4"), *u = fresh(), *v = fresh();
    for (unsigned y = 2;; y++) {
        BIGNUM *candidate = fresh();
        must(BN_set_word(candidate, y));
        mul(c, u, candidate, candidate);
        mul(c, v, u, c->d);
        must(BN_sub_word(u, 1) && BN_add_word(v, 1));
        divide(c, u, u, v);
        if (BN_kronecker(u, c->p, c->ctx) != 1) {
            BN_free(candidate);
            continue;
        }
        struct affine any = with_even_x(c, candidate);
        struct affine small = affine_mul(c, c->order, &any);
        struct affine fourth = affine_mul(c, four, &small);
        int neutral = BN_is_zero(fourth.x) && BN_is_one(fourth.y);
        affine_free(&any);
        affine_free(&fourth);
        if (!neutral) {
            BN_free(four);
            BN_free(u);
            BN_free(v);
            return small;
        }
        affine_free(&small);
    }
}

void affine_free(struct affine *a)
{
    BN_free(a->x);
    BN_free(a->y);
}

void affine_add(const struct curve *c, struct affine *r, const struct affine *a,
                const struct affine *b)
{
    BIGNUM *x1y2 = fresh(), *x2y1 = fresh(), *xx = fresh(), *yy = fresh(), *one = number("1");
    BIGNUM *t = fresh(), *divisor = fresh();
    mul(c, x1y2, a->x, b->y);
    mul(c, x2y1, b->x, a->y);
    mul(c, xx, a->x, b->x);
    mul(c, yy, a->y, b->y);
    mul(c, t, xx, yy);
    mul(c, t, t, c->d);
    must(BN_mod_add(x1y2, x1y2, x2y1, c->p, c->ctx) && BN_mod_add(yy, yy, xx, c->p, c->ctx));
    must(BN_mod_add(divisor, one, t, c->p, c->ctx));
    divide(c, r->x, x1y2, divisor);
    must(BN_mod_sub(divisor, one, t, c->p, c->ctx));
    divide(c, r->y, yy, divisor);
    BIGNUM *all[] = {x1y2, x2y1, xx, yy, one, t, divisor};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        BN_free(all[i]);
}

struct affine affine_mul(const struct curve *c, const BIGNUM *n, const struct affine *a)
{
    struct affine sum = affine_neutral();
    for (int i = BN_num_bits(n) - 1; i >= 0; i--) {
        affine_add(c, &sum, &sum, &sum);
        if (BN_is_bit_set(n, i))
            affine_add(c, &sum, &sum, a);
    }
    return sum;
}

void affine_encode(uint8_t bytes[32], const struct affine *a)
{
    must(BN_bn2lebinpad(a->y, bytes, 32) == 32);
    if (BN_is_odd(a->x))
        bytes[31] |= 0x80;
}

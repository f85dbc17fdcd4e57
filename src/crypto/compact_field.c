/* The field of Curve25519 in eight full 32-bit words.
 *
 * Invariant: an element is any number below 2^256, and 2^256 = 38 mod p. So whatever is carried out
 * at the top comes back at the bottom times 38 (fold), and nothing is ever brought below p but in
 * sm_fe_reduce. Full words instead of 25.5-bit limbs: 64 products instead of 100, and the carries
 * cost nothing where one instruction adds two words to a product.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "compact_field.h"
#include <string.h>
#include "crypto_internal.h"

/* r + top * 2^256 into 256 bits; |top| < 2^31.
 *
 * The first pass carries 0 or 1 out at the top (0 or -1 for a negative top). When that is not 0,
 * the words have just wrapped round and are below 38 * |top| (or above 2^256 - 38 * |top|), so that
 * the second pass cannot carry out again. */
static void fold(struct sm_fe *r, int64_t top)
{
    for (int pass = 0; pass < 2; pass++) {
        int64_t t = top * 38;
        for (int i = 0; i < 8 && t != 0; i++) {
            t += r->w[i];
            r->w[i] = (uint32_t)t;
            t >>= 32; /* keeps the sign: gcc and clang shift it in */
        }
        top = t;
    }
}

void sm_fe_add(struct sm_fe *r, const struct sm_fe *a, const struct sm_fe *b)
{
    uint32_t carry = 0;
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        r->w[i] = sm_mul_add2(&carry, a->w[i], 1, b->w[i], carry);
    fold(r, carry);
}

/* a - b = a + (2^256 - 1 - b) + 1 - 2^256, and 2^256 - 1 - b is b with all bits turned. */
void sm_fe_sub(struct sm_fe *r, const struct sm_fe *a, const struct sm_fe *b)
{
    uint32_t carry = 1;
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        r->w[i] = sm_mul_add2(&carry, ~b->w[i], 1, a->w[i], carry);
    fold(r, (int64_t)carry - 1);
}

/* A product of 512 bits into 256: its upper half counts 38 times. */
static void reduce_product(struct sm_fe *r, const uint32_t t[16])
{
    uint32_t carry = 0;
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        r->w[i] = sm_mul_add2(&carry, t[i + 8], 38, t[i], carry);
    fold(r, carry);
}

void sm_fe_mul(struct sm_fe *r, const struct sm_fe *a, const struct sm_fe *b)
{
    uint32_t t[16];
    memset(t, 0, sizeof t / 2);
    for (int i = 0; i < 8; i++) {
        uint32_t carry = 0, x = a->w[i];
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++)
            t[i + j] = sm_mul_add2(&carry, x, b->w[j], t[i + j], carry);
        t[i + 8] = carry;
    }
    reduce_product(r, t);
}

static void square_times(struct sm_fe *r, int n)
{
    while (n-- > 0)
        sm_fe_sqr(r, r);
}

/* a^(2^250 - 1) and a^11, the common start of both powers. Each step takes x = a^(2^n - 1) and
 * makes a^(2^(n + m) - 1) = x^(2^m) * a^(2^m - 1). */
static void pow_2_250_1(struct sm_fe *r, struct sm_fe *a11, const struct sm_fe *a)
{
    struct sm_fe a9, x5, x10, x50, t;
    sm_fe_sqr(&t, a);
    a9 = t;
    square_times(&a9, 2);
    sm_fe_mul(&a9, &a9, a);
    sm_fe_mul(a11, &a9, &t);
    sm_fe_sqr(&t, a11);
    sm_fe_mul(&x5, &t, &a9); /* 22 + 9 = 2^5 - 1 */
    t = x5;
    square_times(&t, 5);
    sm_fe_mul(&x10, &t, &x5);
    t = x10;
    square_times(&t, 10);
    sm_fe_mul(&t, &t, &x10); /* 2^20 - 1 */
    x50 = t;
    square_times(&x50, 20);
    sm_fe_mul(&t, &x50, &t); /* 2^40 - 1 */
    square_times(&t, 10);
    sm_fe_mul(&x50, &t, &x10);
    t = x50;
    square_times(&t, 50);
    sm_fe_mul(&t, &t, &x50); /* 2^100 - 1 */
    *r = t;
    square_times(r, 100);
    sm_fe_mul(&t, r, &t); /* 2^200 - 1 */
    square_times(&t, 50);
    sm_fe_mul(r, &t, &x50);
}

void sm_fe_invert(struct sm_fe *r, const struct sm_fe *a)
{
    struct sm_fe t, a11;
    pow_2_250_1(&t, &a11, a);
    square_times(&t, 5);
    sm_fe_mul(r, &t, &a11); /* 2^255 - 32 + 11 = p - 2 */
}

void sm_fe_pow_p58(struct sm_fe *r, const struct sm_fe *a)
{
    struct sm_fe t, a11;
    pow_2_250_1(&t, &a11, a);
    square_times(&t, 2);
    sm_fe_mul(r, &t, a); /* 2^252 - 4 + 1 = (p - 5) / 8 */
}

/* r = a + n, for a below 2^255 and a sum below 2^256. */
static void add_word(struct sm_fe *r, const struct sm_fe *a, uint32_t n)
{
    uint64_t t = n;
    for (int i = 0; i < 8; i++) {
        t += a->w[i];
        r->w[i] = (uint32_t)t;
        t >>= 32;
    }
}

void sm_fe_reduce(struct sm_fe *r)
{
    /* With q = floor(r / 2^255), r = (r mod 2^255) + 19 q mod p, which is below p + 38. It is p or
     * more exactly when 19 more reach bit 255, and then it less p is that sum without the bit. */
    uint32_t q = r->w[7] >> 31;
    r->w[7] &= 0x7fffffff;
    add_word(r, r, 19 * q);
    struct sm_fe less_p;
    add_word(&less_p, r, 19);
    if (less_p.w[7] >> 31) {
        less_p.w[7] &= 0x7fffffff;
        *r = less_p;
    }
}

bool sm_fe_is_zero(const struct sm_fe *a)
{
    struct sm_fe t = *a;
    uint32_t any = 0;
    sm_fe_reduce(&t);
    for (int i = 0; i < 8; i++)
        any |= t.w[i];
    return any == 0;
}

bool sm_fe_is_odd(const struct sm_fe *a)
{
    struct sm_fe t = *a;
    sm_fe_reduce(&t);
    return t.w[0] & 1;
}

void sm_fe_load(struct sm_fe *r, const uint8_t bytes[32])
{
    for (int i = 0; i < 8; i++)
        r->w[i] = sm_load_le32(bytes + 4 * i);
    r->w[7] &= 0x7fffffff;
}

void sm_fe_store(uint8_t bytes[32], const struct sm_fe *a)
{
    struct sm_fe t = *a;
    sm_fe_reduce(&t);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(t.w[i / 4] >> (8 * (i % 4)));
}

/* Inversion modulo p in constant time: D. J. Bernstein, B.-Y. Yang, Fast constant-time gcd
 * computation and modular inversion (2019). Division steps take f = p and g = a to f = 1 or -1 and
 * g = 0; what they did to f and g is done to d and e modulo p, so that d ends as 1/a or -1/a.
 *
 * Steps are done in batches, on the lowest bits of f and g alone; then all four numbers are
 * multiplied by the batch's matrix and divided by 2^28, which is exact for f and g, and made exact
 * for d and e by adding a multiple of p. Numbers have 14 digits of 28 bits whatever the limbs, so
 * that everything fits 32-bit and 64-bit words.
 *
 * By the paper's theorem 11.2 (49 d + 57)/17 = 1101 steps are enough, for d = 381 bits and as
 * p^2 + 4 a^2 < 5 2^762, a's value being below 0.6 p.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include "bls_field.h"
#define SM_BLS_TABLES_RESIDUE
#include "bls_tables.h"

enum { DIGITS = 14, BITS = 28, BATCHES = 40 };
_Static_assert(BATCHES *BITS >= 1101, "too few division steps");

struct digits {
    int32_t v[DIGITS];
};

/* 2^28 (f, g) becomes (u f + v g, q f + r g): |u| + |v| and |q| + |r| are at most 2^28. */
struct matrix {
    int32_t u, v, q, r;
};

/* The lowest 28 bits in -2^27 .. 2^27 - 1. */
static int32_t lowest(uint64_t x)
{
    return (int32_t)((uint32_t)x << 4) >> 4;
}

static void to_digits(struct digits *d, const struct sm_bls_fp *a)
{
    for (int i = 0; i < DIGITS; i++) {
        int64_t limb = a->v[i * BITS / RADIX];
        int32_t low = RADIX == BITS ? (int32_t)limb : lowest((uint64_t)limb);
        d->v[i] = i * BITS % RADIX ? (int32_t)((limb - low) >> BITS) : low;
    }
}

static void from_digits(struct sm_bls_fp *a, const struct digits *d)
{
    for (int i = 0; i < LIMBS; i++)
        a->v[i] =
            (sm_bls_limb)(RADIX == BITS ? d->v[i]
                                        : d->v[2 * i] + d->v[2 * i + 1] * ((int64_t)1 << BITS));
}

/* A batch of steps; delta is theirs to remember. */
static int32_t steps(struct matrix *m, int32_t delta, uint32_t f, uint32_t g)
{
    uint32_t u = 1, v = 0, q = 0, r = 1;
    for (int i = 0; i < BITS; i++) {
        uint32_t odd = 0 - (g & 1), swap = odd & (0 - ((uint32_t)-delta >> 31));
        g += ((f ^ swap) - swap) & odd;
        q += ((u ^ swap) - swap) & odd;
        r += ((v ^ swap) - swap) & odd;
        f += g & swap;
        u += q & swap;
        v += r & swap;
        delta = (int32_t)(((uint32_t)delta ^ swap) - swap) + 1;
        g >>= 1;
        u <<= 1;
        v <<= 1;
    }
    *m = (struct matrix){(int32_t)u, (int32_t)v, (int32_t)q, (int32_t)r};
    return delta;
}

/* One row: (u a + v b + n p) / 2^28, with the n that makes it exact, or none. The sums stay below
 * 2^58. Values: what |u| + |v| allows, and p/2 more. */
static void row(struct digits *out, int32_t u, int32_t v, const struct digits *a,
                const struct digits *b, const struct digits *p)
{
    int64_t sum = (int64_t)u * a->v[0] + (int64_t)v * b->v[0];
    int32_t n = p ? lowest((uint32_t)sum * SM_BLS_FACTOR) : 0;
    if (p)
        sum += (int64_t)n * p->v[0];
    sum >>= BITS;
    for (int i = 1; i < DIGITS; i++) {
        sum += (int64_t)u * a->v[i] + (int64_t)v * b->v[i];
        if (p)
            sum += (int64_t)n * p->v[i];
        out->v[i - 1] = lowest((uint64_t)sum);
        sum = (sum - out->v[i - 1]) >> BITS;
    }
    out->v[DIGITS - 1] = (int32_t)sum;
}

void fp_inv(struct sm_bls_fp *c, const struct sm_bls_fp *a)
{
    struct digits p, f, g, d = {{0}}, e, t;
    struct sm_bls_fp x;
    struct matrix m;
    int32_t delta = 1;
    to_digits(&p, &sm_bls_modulus);
    f = p;
    fp_tidy(&x, a);
    to_digits(&g, &x);
    to_digits(&e, &to_residue); /* a is a residue, and so is 2^784/a */
    for (int i = 0; i < BATCHES; i++) {
        delta = steps(&m, delta, (uint32_t)f.v[0] + ((uint32_t)f.v[1] << BITS),
                      (uint32_t)g.v[0] + ((uint32_t)g.v[1] << BITS));
        row(&t, m.u, m.v, &f, &g, NULL);
        row(&g, m.q, m.r, &f, &g, NULL);
        f = t;
        row(&t, m.u, m.v, &d, &e, &p);
        row(&e, m.q, m.r, &d, &e, &p);
        d = t;
    }
    /* f is 1 or -1, which has no digit but the first */
    from_digits(&x, &d);
    fp_neg(c, &x);
    fp_move(&x, c, mask_of((uint32_t)f.v[0] >> 31));
    fp_tidy(c, &x); /* of at most 1/2 + 40/2 times p */
    sm_wipe(&f, sizeof f);
    sm_wipe(&g, sizeof g);
    sm_wipe(&d, sizeof d);
    sm_wipe(&e, sizeof e);
    sm_wipe(&t, sizeof t);
    sm_wipe(&x, sizeof x);
    sm_wipe(&m, sizeof m);
}

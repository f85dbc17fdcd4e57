/* G2: y^2 = x^3 + 4 (1 + u) over Fp2. Its endomorphism psi (untwist, Frobenius, twist) multiplies
 * by the curve's parameter x; that leaves a quarter of the doublings of a multiplication and is the
 * test for the group.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include "bls_curve.h"
#define SM_BLS_TABLES_ONE
#define SM_BLS_TABLES_G2
#include "bls_tables.h"

#define FE      struct sm_bls_fp2
#define POINT   sm_bls_g2
#define NAME(x) sm_bls_g2_##x
#define F(x)    fp2_##x

static const struct sm_bls_fp2 one = {SM_BLS_ONE, {{0}}};

static const FE *unit(void)
{
    return &one;
}

/* 12 (1 + u) a */
static void fp2_mul_b3(FE *c, const FE *a)
{
    FE t;
    fp2_mul_xi(&t, a);
    fp_scale12(&c->c0, &t.c0);
    fp_scale12(&c->c1, &t.c1);
}

/* x^3 + 4 (1 + u) */
static void curve(FE *c, const FE *x)
{
    FE t;
    fp2_sqr(&t, x);
    fp2_mul(&t, &t, x);
    for (int i = 0; i < 4; i++) {
        fp_add(&t.c0, &t.c0, &one.c0);
        fp_add(&t.c1, &t.c1, &one.c0);
    }
    fp_carry(&c->c0, &t.c0);
    fp_carry(&c->c1, &t.c1);
}

/* c1 comes first. */
static bool decode_coordinate(FE *c, const uint8_t *in)
{
    bool high = fp_decode(&c->c1, in),
         low = fp_decode(&c->c0, in + 48); /* both, whatever they say */
    return high && low;
}

static void encode_coordinate(uint8_t *out, const FE *a)
{
    fp_encode(out, &a->c1);
    fp_encode(out + 48, &a->c0);
}

#include "bls_group.h"

/* x a; x is the parameter. */
static void endomorphism(struct sm_bls_g2 *p, const struct sm_bls_g2 *a)
{
    struct sm_bls_fp2 t;
    fp2_conjugate(&t, &a->x);
    fp2_mul(&p->x, &t, &psi_x);
    fp2_conjugate(&t, &a->y);
    fp2_mul(&p->y, &t, &psi_y);
    fp2_conjugate(&p->z, &a->z);
}

/* On the whole curve psi is x for points of order r and for no others: M. Scott, A note on group
 * membership tests for G1, G2 and GT on BLS pairing-friendly curves (2021), section 4. */
bool sm_bls_g2_in_group(const struct sm_bls_g2 *p)
{
    struct sm_bls_g2 s, t;
    mul_parameter(&t, p);
    sm_bls_g2_neg(&t, &t);
    endomorphism(&s, p);
    return sm_bls_g2_equal(&s, &t);
}

/* Four digits, on a, |x| a, x^2 a and |x|^3 a: a table of their sums with a, one entry and one
 * doubling for each bit. */
void sm_bls_g2_mul(struct sm_bls_g2 *p, const struct sm_bls_g2 *a, const struct sm_bls_scalar *k)
{
    struct sm_bls_g2 table[8], power, entry;
    struct sm_bls_recoded digits;
    sm_bls_recode(&digits, k);
    power = table[0] = *a;
    for (int i = 1; i < 8; i *= 2) {
        endomorphism(&power, &power);
        sm_bls_g2_neg(&power, &power);
        for (int j = 0; j < i; j++)
            sm_bls_g2_add(&table[i + j], &table[j], &power);
    }
    sm_bls_g2_infinity(p);
    for (int bit = SM_BLS_RECODED - 1; bit >= 0; bit--) {
        sm_bls_g2_double(p, p);
        entry = table[0];
        for (uint32_t i = 1; i < 8; i++)
            sm_bls_g2_move(&entry, &table[i], mask_of(sm_bls_same(digits.index[bit], i)));
        negate_where(&entry, mask_of(digits.minus[bit]));
        sm_bls_g2_add(p, p, &entry);
    }
    negate_where(p, mask_of(digits.negate));
    sm_wipe(&digits, sizeof digits);
    sm_wipe(table, sizeof table);
    sm_wipe(&entry, sizeof entry);
}

void sm_bls_g2_mul_generator(struct sm_bls_g2 *p, const struct sm_bls_scalar *k)
{
    struct sm_bls_g2 generator;
    sm_bls_g2_generator(&generator);
    sm_bls_g2_mul(p, &generator, k);
}

/* Columns of products, which multiplication, squaring and reduction consist of.
 *
 * Where the compiler optimises for speed every product is written out: no compiler here unrolls
 * these loops by itself. Where it optimises for size, they are loops.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_BLS_MULTIPLY_H
#define SM_BLS_MULTIPLY_H

#include "bls_field.h"

static inline sm_bls_sum product(sm_bls_limb a, sm_bls_limb b)
{
    return (sm_bls_sum)((sm_bls_column)a * b);
}

/* x modulo 2^RADIX in -2^(RADIX-1) .. 2^(RADIX-1) - 1 */
static inline sm_bls_limb balance(sm_bls_sum x)
{
    enum { SPARE = SM_BLS_LIMB_BITS - RADIX };
    return (sm_bls_limb)((sm_bls_ulimb)x << SPARE) >> SPARE;
}

static inline sm_bls_sum shift_down(sm_bls_sum x)
{
    return (sm_bls_sum)((sm_bls_column)x >> RADIX);
}

#ifdef __OPTIMIZE_SIZE__
/* sum + a[0] b[0] + a[1] b[-1] + .. of n products */
static inline sm_bls_sum column(sm_bls_sum sum, const sm_bls_limb *a, const sm_bls_limb *b, int n)
{
    for (; n > 0; n--)
        sum += product(*a++, *b--);
    return sum;
}
#define EACH_LOW_COLUMN(do)                                                                        \
    for (int k = 0; k < LIMBS; k++) {                                                              \
        do                                                                                         \
            (k)                                                                                    \
    }
#define EACH_HIGH_COLUMN(do)                                                                       \
    for (int k = LIMBS; k < 2 * LIMBS - 1; k++) {                                                  \
        do                                                                                         \
            (k)                                                                                    \
    }
#else
__attribute__((always_inline)) static inline sm_bls_sum column(sm_bls_sum sum, const sm_bls_limb *a,
                                                               const sm_bls_limb *b, int n)
{
#define TERM(i)                                                                                    \
    if (n > i)                                                                                     \
    sum += product(a[i], b[-(i)])
    TERM(0);
    TERM(1);
    TERM(2);
    TERM(3);
    TERM(4);
    TERM(5);
    TERM(6);
#if LIMBS == 14
    TERM(7);
    TERM(8);
    TERM(9);
    TERM(10);
    TERM(11);
    TERM(12);
    TERM(13);
#endif
#undef TERM
    return sum;
}
#if LIMBS == 7
#define EACH_LOW_COLUMN(do)                                                                        \
    do                                                                                             \
    (0) do(1) do(2) do(3) do(4) do(5) do(6)
#define EACH_HIGH_COLUMN(do)                                                                       \
    do                                                                                             \
    (7) do(8) do(9) do(10) do(11) do(12)
#else
#define EACH_LOW_COLUMN(do)                                                                        \
    do                                                                                             \
    (0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11) do(12) do(13)
#define EACH_HIGH_COLUMN(do)                                                                       \
    do                                                                                             \
    (14) do(15) do(16) do(17) do(18) do(19) do(20) do(21) do(22) do(23) do(24) do(25) do(26)
#endif
#endif

/* The products of column k: COUNT(k), a from FIRST(k) up and b from LAST(k) down. */
#define FIRST(k) ((k) < LIMBS ? 0 : (k)-LIMBS + 1)
#define LAST(k)  ((k) < LIMBS ? (k) : LIMBS - 1)
#define COUNT(k) ((k) < LIMBS ? (k) + 1 : 2 * LIMBS - 1 - (k))

#endif

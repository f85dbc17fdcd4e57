/* Indirect calls: sixteen small functions of one type, picked through a table by the data.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#define STEPS 4096

typedef uint32_t step(uint32_t a, uint32_t b);

#define STEP(name, expression)                                                                     \
    static uint32_t name(uint32_t a, uint32_t b)                                                   \
    {                                                                                              \
        return expression;                                                                         \
    }

STEP(add, a + b)
STEP(sub, a - b)
STEP(xor, a ^ b)
STEP(nand, ~(a &b))
STEP(or, a | (b >> 3))
STEP(mul, (b | 1) * a)
STEP(shl, a ^ (b << 5))
STEP(shr, a + (b >> 7))
STEP(rot, (a << 9 | a >> 23) + b)
STEP(neg, b - ~a)
STEP(min, (a < b ? a : b) + 0x9e3779b9u)
STEP(max, (a > b ? a : b) * 5)
STEP(low, (a & 0xffffu) * 65537u + b)
STEP(bump, a * 3 + (b & 1))
STEP(fold, (a >> 16) ^ a ^ b)
STEP(swap, (a >> 8 | a << 24) - b)

static step *const steps[16] = {add, sub, xor, nand, or,  mul,  shl,  shr,
                                rot, neg, min, max,  low, bump, fold, swap};

int run(int n)
{
    uint32_t seed = 1, a = 0;

    for (int i = 0; i < n; i++) {
        for (int k = 0; k < STEPS; k++) {
            uint32_t b = next_random(&seed);

            a = steps[b >> 28](a, b);
        }
    }
    return (int)a;
}

/* Square root for processors without an instruction for it. SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/config.h>
#include "numeric.h"

#if SM_FLOATS

/* Digit by digit, as on paper, in base 2: 54 digits, the last of them and the remainder round. */
double sm_sqrt64(double x)
{
    uint64_t bits = sm_bits64(x), mantissa = bits & 0xfffffffffffffull, root = 0, rest = 0;
    int exponent = (int)(bits >> 52 & 0x7ff);

    if (x != x || x == 0) {
        return x + x;
    }
    if (bits >> 63) {
        return (x - x) / (x - x);
    }
    if (exponent == 0x7ff) {
        return x;
    }
    if (exponent == 0) { /* subnormal */
        int shift = __builtin_clzll(mantissa) - 11;

        mantissa <<= shift;
        exponent = 1 - shift;
    }
    mantissa |= 1ull << 52;
    exponent -= 1023;
    if (exponent & 1) { /* an even exponent can be halved */
        mantissa <<= 1;
        exponent -= 1;
    }
    for (int i = 0; i < 54; i++) { /* two digits of the radicand give one of the root */
        uint64_t trial = root << 2 | 1;

        rest = rest << 2 | (i < 27 ? mantissa >> (52 - 2 * i) & 3 : 0);
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    mantissa = root >> 1;
    mantissa += (root & 1) && (rest != 0 || (mantissa & 1));
    /* Adding lets a carry out of the mantissa raise the exponent. */
    return sm_f64(((uint64_t)(exponent / 2 + 1023) << 52) + (mantissa - (1ull << 52)));
}

#endif

/* 64-bit arithmetic: a generator with 256 bits of state (Blackman and Vigna's xoshiro256**), the
 * finaliser of splitmix64, and 64-bit division now and then.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#define STEPS 4096

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static uint64_t finalise(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static uint64_t generate(uint64_t s[4])
{
    uint64_t result = rotate(s[1] * 5, 7) * 9, shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

int run(int n)
{
    uint64_t s[4] = {finalise(1), finalise(2), finalise(3), finalise(4)}, sum = 0;

    for (int i = 0; i < n; i++) {
        for (int k = 0; k < STEPS; k++) {
            uint64_t value = generate(s);

            sum += (value & 15) ? finalise(value) : sum / (value | 1);
            sum += (int64_t)value < 0;
        }
    }
    return (int)(sum ^ sum >> 32);
}

/* A finite impulse response filter on 16-bit samples: 32 taps over 1,024 samples a round, rounded
 * to Q15 and saturated.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#define TAPS    32
#define SAMPLES 1024

static int16_t taps[TAPS], input[SAMPLES + TAPS], output[SAMPLES];

static int16_t saturate(int32_t value)
{
    if (value > 32767)
        return 32767;
    return (int16_t)(value < -32768 ? -32768 : value);
}

static void filter(void)
{
    for (int i = 0; i < SAMPLES; i++) {
        int32_t sum = 1 << 14;

        for (int k = 0; k < TAPS; k++)
            sum += taps[k] * input[i + k];
        output[i] = saturate(sum >> 15);
    }
}

int run(int n)
{
    uint32_t seed = 1, sum = 0;

    /* Taps of at most 2^11, so that 32 products of them stay within 31 bits. */
    for (int k = 0; k < TAPS; k++)
        taps[k] = (int16_t)((int32_t)next_random(&seed) >> 21) * 2;
    for (int i = 0; i < SAMPLES + TAPS; i++)
        input[i] = (int16_t)next_random(&seed);
    for (int i = 0; i < n; i++) {
        filter();
        for (int k = 0; k < TAPS; k++)
            input[(i * 37 + k) % SAMPLES] = output[k * 31];
        sum = mix(sum, (uint32_t)output[i % SAMPLES]);
    }
    return (int)sum;
}

/* What every kernel shares: the export, a generator of repeatable data, and a checksum.
 *
 * A kernel is one C file with `int run(int n)`: n rounds of the same work, answered by a checksum
 * over what was computed, so that no compiler may leave the work out and any two engines can be
 * compared. No C library, no input, no more than two pages of memory.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_BENCH_KERNEL_H
#define SANDMOTE_BENCH_KERNEL_H

#include <stdint.h>

#if defined(__wasm__) && !defined(KERNEL) /* the large module names its kernels itself */
#define KERNEL __attribute__((export_name("run")))
#elif !defined(KERNEL)
#define KERNEL
#endif

KERNEL int run(int n);

/* Marsaglia's xorshift with 32 bits of state, which is never 0. */
static inline uint32_t next_random(uint32_t *state)
{
    uint32_t x = *state;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* FNV-1a, a word at a time. */
static inline uint32_t mix(uint32_t sum, uint32_t word)
{
    return (sum ^ word) * 16777619u;
}

/* A double between -1 and 1, exact in binary. */
static inline double next_double(uint32_t *state)
{
    return (double)(int32_t)next_random(state) / 2147483648.0;
}

/* Every bit of a double counts: engines must agree exactly. */
static inline uint32_t mix_double(uint32_t sum, double value)
{
    union {
        double d;
        uint64_t u;
    } bits = {value};

    return mix(mix(sum, (uint32_t)bits.u), (uint32_t)(bits.u >> 32));
}

#endif

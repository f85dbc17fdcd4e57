/* What Wasm's operators do where C's do not say the same (specification 4.3).
 *
 * Rounding is done on the bits, so that no libm is needed and no compiler flag matters. The host's
 * float and double must be IEEE 754 binary32 and binary64 in round-to-nearest mode.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_NUMERIC_H
#define SM_WASM_NUMERIC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline float sm_f32(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, 4);
    return f;
}

static inline uint32_t sm_bits32(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, 4);
    return bits;
}

static inline double sm_f64(uint64_t bits)
{
    double d;

    memcpy(&d, &bits, 8);
    return d;
}

static inline uint64_t sm_bits64(double d)
{
    uint64_t bits;

    memcpy(&bits, &d, 8);
    return bits;
}

/* ---- Words ----------------------------------------------------------------------------------- */

/* A 64-bit value in two words. Where the processor has no 64-bit registers, gcc would take a copy
 * of eight bytes through the stack. */
#if UINTPTR_MAX > 0xffffffff
static inline uint64_t sm_get64(const uint32_t *slot)
{
    uint64_t v;

    memcpy(&v, slot, 8);
    return v;
}

static inline void sm_set64(uint32_t *slot, uint64_t v)
{
    memcpy(slot, &v, 8);
}
#else
static inline uint64_t sm_get64(const uint32_t *slot)
{
    return (uint64_t)slot[1] << 32 | slot[0];
}

static inline void sm_set64(uint32_t *slot, uint64_t v)
{
    slot[0] = (uint32_t)v;
    slot[1] = (uint32_t)(v >> 32);
}
#endif

/* ---- Integers -------------------------------------------------------------------------------- */

static inline uint32_t sm_rotl32(uint32_t v, uint32_t n)
{
    return v << (n & 31) | v >> (-n & 31);
}

static inline uint64_t sm_rotl64(uint64_t v, uint64_t n)
{
    return v << (n & 63) | v >> (-n & 63);
}

static inline uint32_t sm_clz32(uint32_t v)
{
    return v == 0 ? 32 : (uint32_t)__builtin_clz(v);
}

static inline uint32_t sm_ctz32(uint32_t v)
{
    return v == 0 ? 32 : (uint32_t)__builtin_ctz(v);
}

static inline uint32_t sm_clz64(uint64_t v)
{
    return v == 0 ? 64 : (uint32_t)__builtin_clzll(v);
}

static inline uint32_t sm_ctz64(uint64_t v)
{
    return v == 0 ? 64 : (uint32_t)__builtin_ctzll(v);
}

static inline uint32_t sm_popcnt32(uint32_t v)
{
    v -= v >> 1 & 0x55555555;
    v = (v & 0x33333333) + (v >> 2 & 0x33333333);
    return ((v + (v >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

/* ---- Rounding to an integral value ----------------------------------------------------------- */

/* Clear the fraction: rounds toward zero, keeps the sign. NaN becomes quiet. */
static inline float sm_trunc32(float x)
{
    uint32_t bits = sm_bits32(x);
    int exponent = (int)(bits >> 23 & 0xff) - 127;

    if (exponent >= 23) {
        return exponent == 128 ? x + x : x;
    }
    return sm_f32(exponent < 0 ? bits & 0x80000000 : bits & ~(0x7fffffu >> exponent));
}

static inline double sm_trunc64(double x)
{
    uint64_t bits = sm_bits64(x);
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023;

    if (exponent >= 52) {
        return exponent == 1024 ? x + x : x;
    }
    return sm_f64(exponent < 0 ? bits & 0x8000000000000000
                               : bits & ~(0xfffffffffffffull >> exponent));
}

static inline float sm_floor32(float x)
{
    float t = sm_trunc32(x);

    return t > x ? t - 1 : t;
}

static inline double sm_floor64(double x)
{
    double t = sm_trunc64(x);

    return t > x ? t - 1 : t;
}

static inline float sm_ceil32(float x) /* -floor(-x) keeps the zero's sign right */
{
    return -sm_floor32(-x);
}

static inline double sm_ceil64(double x)
{
    return -sm_floor64(-x);
}

/* Adding 2^23 (2^52) leaves no bits for a fraction, so the addition itself rounds to even. */
static inline float sm_nearest32(float x)
{
    uint32_t sign = sm_bits32(x) & 0x80000000;
    float a = sm_f32(sm_bits32(x) ^ sign);

    if (!(a < 8388608.0f)) {
        return x + (x != x ? x : 0.0f);
    }
    volatile float sum = a + 8388608.0f; /* not to be simplified away */
    return sm_f32(sm_bits32(sum - 8388608.0f) | sign);
}

static inline double sm_nearest64(double x)
{
    uint64_t sign = sm_bits64(x) & 0x8000000000000000;
    double a = sm_f64(sm_bits64(x) ^ sign);

    if (!(a < 4503599627370496.0)) {
        return x + (x != x ? x : 0.0);
    }
    volatile double sum = a + 4503599627370496.0;
    return sm_f64(sm_bits64(sum - 4503599627370496.0) | sign);
}

/* ---- Square root ----------------------------------------------------------------------------- */

double sm_sqrt64(double x); /* numeric.c: for processors without an instruction */

#if defined(__SSE2__) || defined(__aarch64__) || (defined(__ARM_FP) && (__ARM_FP & 8))
#define SM_SQRT64(x) __builtin_sqrt(x)
#else
#define SM_SQRT64(x) sm_sqrt64(x)
#endif

#if defined(__SSE2__) || defined(__aarch64__) || (defined(__ARM_FP) && (__ARM_FP & 4))
#define SM_SQRT32(x) __builtin_sqrtf(x)
#else
/* Exact: binary64 has more than twice the digits of binary32, plus two. */
#define SM_SQRT32(x) ((float)SM_SQRT64((double)(x)))
#endif

/* ---- Minimum and maximum --------------------------------------------------------------------- */

static inline float sm_min32(float a, float b)
{
    if (a != a || b != b) {
        return a + b;
    }
    return a == b ? sm_f32(sm_bits32(a) | sm_bits32(b)) : a < b ? a : b; /* -0 before +0 */
}

static inline float sm_max32(float a, float b)
{
    if (a != a || b != b) {
        return a + b;
    }
    return a == b ? sm_f32(sm_bits32(a) & sm_bits32(b)) : a > b ? a : b;
}

static inline double sm_min64(double a, double b)
{
    if (a != a || b != b) {
        return a + b;
    }
    return a == b ? sm_f64(sm_bits64(a) | sm_bits64(b)) : a < b ? a : b;
}

static inline double sm_max64(double a, double b)
{
    if (a != a || b != b) {
        return a + b;
    }
    return a == b ? sm_f64(sm_bits64(a) & sm_bits64(b)) : a > b ? a : b;
}

/* ---- Float to integer ------------------------------------------------------------------------ */

enum { SM_CONVERTED, SM_NOT_A_NUMBER, SM_OUT_OF_RANGE };

/* The integer that x has without its fraction, as 32 or 64 bits. Of what does not convert, *out is
 * the saturated result. On the bits: four types of integers want no more code than one. */
static inline int sm_to_integer(uint64_t *out, double x, bool is_unsigned, bool wide)
{
    uint64_t bits = sm_bits64(x), size, most = (wide ? UINT64_MAX : UINT32_MAX) >> !is_unsigned;
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    bool negative = bits >> 63;

    if (negative) {
        most = is_unsigned ? 0 : most + 1;
    }
    *out = 0;
    if (bits << 1 > 0xffe0000000000000) {
        return SM_NOT_A_NUMBER;
    }
    if (exponent < 0) {
        return SM_CONVERTED;
    }
    size = (bits & 0xfffffffffffff) | 1ull << 52;
    if (exponent > 63) {
        size = UINT64_MAX;
    } else if (exponent > 52) {
        size <<= exponent - 52;
    } else {
        size >>= 52 - exponent;
    }
    if (size > most || exponent > 63) {
        *out = negative ? -most : most;
        return SM_OUT_OF_RANGE;
    }
    *out = negative ? -size : size;
    return SM_CONVERTED;
}

#endif

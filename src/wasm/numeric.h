/* What Wasm's operators do where C's do not say the same (specification 4.3).
 *
 * Rounding is done on the bits, so that no libm is needed and no compiler flag matters. The host's
 * float and double must be IEEE 754 binary32 and binary64 in round-to-nearest mode.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_NUMERIC_H
#define SM_WASM_NUMERIC_H

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

/* ---- Float to integer: the open interval of what converts, and the saturated results --------- */

#define SM_I32_S_LOW_32  -2147483904.0f /* the next float below -2^31 */
#define SM_I32_S_HIGH_32 2147483648.0f
#define SM_I32_S_LOW_64  -2147483649.0
#define SM_I32_S_HIGH_64 2147483648.0
#define SM_I32_U_LOW_32  -1.0f
#define SM_I32_U_HIGH_32 4294967296.0f
#define SM_I32_U_LOW_64  -1.0
#define SM_I32_U_HIGH_64 4294967296.0
#define SM_I64_S_LOW_32  -9223373136366403584.0f
#define SM_I64_S_HIGH_32 9223372036854775808.0f
#define SM_I64_S_LOW_64  -9223372036854777856.0
#define SM_I64_S_HIGH_64 9223372036854775808.0
#define SM_I64_U_LOW_32  -1.0f
#define SM_I64_U_HIGH_32 18446744073709551616.0f
#define SM_I64_U_LOW_64  -1.0
#define SM_I64_U_HIGH_64 18446744073709551616.0

#endif

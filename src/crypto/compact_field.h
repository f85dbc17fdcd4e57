/* Arithmetic modulo p = 2^255 - 19 for curve points.
 *
 * An element is any 256-bit number in eight words, low word first; it stands for its residue, so
 * most residues have two or three forms. Results may be the same object as operands. Time depends
 * on the values here and there: nothing that Ed25519 verification computes is secret.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_COMPACT_FIELD_H
#define SM_COMPACT_FIELD_H

#include <stdbool.h>
#include <stdint.h>

struct sm_fe {
    uint32_t w[8];
};

void sm_fe_add(struct sm_fe *r, const struct sm_fe *a, const struct sm_fe *b);
void sm_fe_sub(struct sm_fe *r, const struct sm_fe *a, const struct sm_fe *b);
void sm_fe_mul(struct sm_fe *r, const struct sm_fe *a, const struct sm_fe *b);
/* Its own code for squares would save an eighth of them, for 400 bytes. */
static inline void sm_fe_sqr(struct sm_fe *r, const struct sm_fe *a)
{
    sm_fe_mul(r, a, a);
}
/* 1 / a, and 0 for 0. */
void sm_fe_invert(struct sm_fe *r, const struct sm_fe *a);
/* a^((p - 5) / 8): the heart of a square root. */
void sm_fe_pow_p58(struct sm_fe *r, const struct sm_fe *a);
/* The form below p. */
void sm_fe_reduce(struct sm_fe *r);
bool sm_fe_is_zero(const struct sm_fe *a);
/* Whether the form below p is odd, which is what RFC 8032 calls negative. */
bool sm_fe_is_odd(const struct sm_fe *a);
/* 32 bytes, low byte first. Reading ignores bit 255 and takes numbers of p and above. */
void sm_fe_load(struct sm_fe *r, const uint8_t bytes[32]);
void sm_fe_store(uint8_t bytes[32], const struct sm_fe *a);

/* hi:low word of a * b + c + d, which fits: (2^32 - 1)^2 + 2 (2^32 - 1) = 2^64 - 1. Returns the low
 * word. Cortex-M with DSP instructions does it in one, which no compiler of ours finds. */
static inline uint32_t sm_mul_add2(uint32_t *hi, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
#if defined(__ARM_FEATURE_DSP) && !defined(__aarch64__)
    __asm__("umaal %0, %1, %2, %3" : "+r"(c), "+r"(d) : "r"(a), "r"(b));
    *hi = d;
    return c;
#else
    uint64_t sum = (uint64_t)a * b + c + d;
    *hi = (uint32_t)(sum >> 32);
    return (uint32_t)sum;
#endif
}

#endif

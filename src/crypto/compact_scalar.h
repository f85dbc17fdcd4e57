/* Numbers modulo the order of Ed25519's group, L = 2^252 + 27742317777372353535851937790883648493.
 *
 * Time depends on the values: nothing that Ed25519 verification computes is secret.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_COMPACT_SCALAR_H
#define SM_COMPACT_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

/* Below L, in eight words, low word first, and a ninth that is 0: who takes bits out may look
 * beyond. */
struct sm_scalar {
    uint32_t w[9];
};
#define SM_SCALAR_DIGITS 256

/* 32 bytes, low byte first. False when they are L or more. */
bool sm_scalar_load(struct sm_scalar *s, const uint8_t bytes[32]);

/* 64 bytes, low byte first, mod L. */
void sm_scalar_reduce(struct sm_scalar *s, const uint8_t bytes[64]);

/* s as the sum of digits[i] * 2^i. Each digit is 0, or odd and below 2^(width - 1) in size, and at
 * least width - 1 zeros follow one that is not 0. width is 2 to 7. */
void sm_scalar_recode(int8_t digits[SM_SCALAR_DIGITS], const struct sm_scalar *s, unsigned width);

#endif

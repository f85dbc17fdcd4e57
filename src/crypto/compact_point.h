/* Points of Ed25519's curve, as much as a verification needs.
 *
 * Time depends on the values: nothing that Ed25519 verification computes is secret.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_COMPACT_POINT_H
#define SM_COMPACT_POINT_H

#include <stdint.h>
#include "compact_field.h"
#include "compact_scalar.h"

struct sm_point {
    struct sm_fe x, y, z, t;
};

/* The negative of the point that the bytes encode. Bit 255 is the sign of x and the rest is y,
 * taken mod p; a sign on x = 0 has no effect. 0, or SM_ERR_SIGNATURE when no point has this y. */
int sm_point_decode_negative(struct sm_point *p, const uint8_t bytes[32]);

/* p = s B + k p, for any p, with the base point B (RFC 8032 section 5.1). */
void sm_point_multiply_add(struct sm_point *p, const struct sm_scalar *s,
                           const struct sm_scalar *k);

/* The canonical bytes: y below p, and the sign of x in bit 255. */
void sm_point_encode(uint8_t bytes[32], const struct sm_point *p);

#endif

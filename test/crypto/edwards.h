/* Points of Ed25519's curve by the textbook, on libcrypto's big numbers: slow, affine, and with
 * nothing in common with the code under test. Makes the signatures that no signer makes.
 *
 * Running out of memory aborts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TEST_EDWARDS_H
#define SM_TEST_EDWARDS_H

#include <openssl/bn.h>
#include <stdint.h>

struct curve {
    BN_CTX *ctx;
    BIGNUM *p, *d, *order;
};
struct affine {
    BIGNUM *x, *y;
};

void curve_new(struct curve *c);
void curve_free(struct curve *c);

struct affine affine_neutral(void);
struct affine affine_base(const struct curve *c);
/* A point of order 8. */
struct affine affine_order_8(const struct curve *c);
void affine_free(struct affine *a);

/* r may be a or b. */
void affine_add(const struct curve *c, struct affine *r, const struct affine *a,
                const struct affine *b);
struct affine affine_mul(const struct curve *c, const BIGNUM *n, const struct affine *a);
/* RFC 8032 5.1.2 */
void affine_encode(uint8_t bytes[32], const struct affine *a);

#endif

/* One hash over what BLS12-381 computes from fixed inputs: the same with every limb size, compiler
 * and machine.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BLS_DIGEST_H
#define TEST_BLS_DIGEST_H

#include <sandmote/crypto.h>

enum { BLS_DIGEST_ROUNDS = 2 };
extern const uint8_t bls_digest_expected[SM_SHA256_SIZE];

void bls_digest(uint8_t out[SM_SHA256_SIZE]);

#endif

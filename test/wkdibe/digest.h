/* One hash over parameters, keys, ciphertexts, signatures and sealed messages from fixed inputs:
 * the same with every limb size, compiler and machine.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WKDIBE_DIGEST_H
#define TEST_WKDIBE_DIGEST_H

#include <sandmote/crypto.h>

extern const uint8_t ibe_digest_expected[SM_SHA256_SIZE];

/* 0, or the error of what did not work. */
int ibe_digest(uint8_t out[SM_SHA256_SIZE]);

#endif

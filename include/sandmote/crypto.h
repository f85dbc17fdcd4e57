/* Hashes and signatures, and the two habits that secrets need.
 *
 * One interface, two libraries; a program links exactly one of them:
 *   sm_crypto_openssl  libcrypto's code; what host programs link
 *   sm_crypto          the in-tree compact code, freestanding; for bare metal only
 * Both accept and reject the same signatures, byte for byte (test/crypto compares them).
 *
 * Nothing here keeps state of its own; sm_crypto uses at most SM_CRYPTO_STACK bytes of C stack.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_CRYPTO_H
#define SANDMOTE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>

#define SM_SHA256_SIZE         32u
#define SM_ED25519_PUBLIC_SIZE 32u
#define SM_ED25519_SIG_SIZE    64u
#define SM_CRYPTO_STACK        2560u

/* A SHA-256 under way (FIPS 180-4). Fields are private. It holds no pointer and no resource: it
 * may be copied, to finish one prefix in two ways, and dropped at any moment. */
struct sm_sha256 {
    uint32_t h[8];
    uint64_t len_bytes;
    uint8_t block[64];
};

void sm_sha256_init(struct sm_sha256 *s);
/* Append len bytes (data may be NULL when len is 0); in pieces of any size, 2^61 - 1 in all. */
void sm_sha256_update(struct sm_sha256 *s, const void *data, size_t len);
/* The hash of all that was appended. s must be initialised again before its next use. */
void sm_sha256_final(struct sm_sha256 *s, uint8_t out[SM_SHA256_SIZE]);

/* All at once. out may lie in data. */
void sm_sha256(const void *data, size_t len, uint8_t out[SM_SHA256_SIZE]);

/* Verify an Ed25519 signature (RFC 8032 section 5.1, without context) over a message.
 *
 * Everything here is public, so time depends on the inputs. Where RFC 8032 leaves a choice it is
 * made as OpenSSL 3.0 does: S must be below the group's order, R is compared as bytes with the
 * encoding of S*B - k*A (no cofactor), and a public key may be encoded with y >= p, with a sign on
 * x = 0, or be of small order. Whoever may choose the key must be trusted with that choice.
 *
 * 0, or
 *   SM_ERR_SIGNATURE  it does not verify, or the key is not a point
 *   SM_ERR_MEMORY     libcrypto found no memory to check it: not verified (sm_crypto_openssl) */
int sm_ed25519_verify(const uint8_t pub[SM_ED25519_PUBLIC_SIZE], const void *msg, size_t len,
                      const uint8_t sig[SM_ED25519_SIG_SIZE]) __attribute__((warn_unused_result));

/* Whether len bytes are equal, in time that depends on len alone: for comparing with secrets. */
bool sm_ct_equal(const void *a, const void *b, size_t len);

/* Overwrite a secret with zeros in a way that the compiler keeps. */
void sm_wipe(void *p, size_t len);

#endif

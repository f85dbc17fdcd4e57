/* Hashes, signatures, keys from secrets, sealed bytes, and the two habits that secrets need.
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
#define SM_AEAD_KEY_SIZE       32u
#define SM_AEAD_NONCE_SIZE     12u
#define SM_AEAD_TAG_SIZE       16u
#define SM_HKDF_MAX            (255u * SM_SHA256_SIZE)
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

/* HMAC-SHA256 (RFC 2104) under way. Private; it holds what follows from the key: wipe it, or finish
 * it, which wipes it. */
struct sm_hmac {
    struct sm_sha256 inner, outer;
};

void sm_hmac_init(struct sm_hmac *h, const void *key, size_t len);
void sm_hmac_update(struct sm_hmac *h, const void *data, size_t len);
void sm_hmac_final(struct sm_hmac *h, uint8_t out[SM_SHA256_SIZE]);

/* HKDF-SHA256 (RFC 5869), extract and expand: size bytes from a secret. salt and info may be NULL
 * when their lengths are 0. out overlaps nothing. SM_ERR_LIMIT when size is above SM_HKDF_MAX. */
int sm_hkdf(uint8_t *out, size_t size, const void *secret, size_t secret_len, const void *salt,
            size_t salt_len, const void *info, size_t info_len) __attribute__((warn_unused_result));

/* Seal len bytes with ChaCha20-Poly1305 (RFC 8439): out takes len + SM_AEAD_TAG_SIZE bytes, and may
 * be msg. aad is not encrypted, but must be the same to open. Never use a nonce twice with a key.
 * Time depends on the lengths alone. len and aad_len are below 2^31.
 *
 * 0, or
 *   SM_ERR_LIMIT   too long
 *   SM_ERR_MEMORY  libcrypto found no memory (sm_crypto_openssl); out is undefined */
int sm_aead_seal(uint8_t *out, const uint8_t key[SM_AEAD_KEY_SIZE],
                 const uint8_t nonce[SM_AEAD_NONCE_SIZE], const void *aad, size_t aad_len,
                 const void *msg, size_t len) __attribute__((warn_unused_result));

/* Open what was sealed: sealed_len - SM_AEAD_TAG_SIZE bytes to out, which may be sealed. On an
 * error out holds nothing of the message. 0, or SM_ERR_SIGNATURE  not sealed with this key, nonce
 * and aad, or shorter than a tag SM_ERR_LIMIT, SM_ERR_MEMORY  as above */
int sm_aead_open(uint8_t *out, const uint8_t key[SM_AEAD_KEY_SIZE],
                 const uint8_t nonce[SM_AEAD_NONCE_SIZE], const void *aad, size_t aad_len,
                 const void *sealed, size_t sealed_len) __attribute__((warn_unused_result));

/* Whether len bytes are equal, in time that depends on len alone: for comparing with secrets. */
bool sm_ct_equal(const void *a, const void *b, size_t len);

/* Overwrite a secret with zeros in a way that the compiler keeps. */
void sm_wipe(void *p, size_t len);

#endif

/* Ed25519 keys in files: PEM as openssl writes it, "BEGIN PRIVATE KEY" (PKCS#8) and "BEGIN PUBLIC
 * KEY" (SubjectPublicKeyInfo); public ones also as "BEGIN CERTIFICATE" (X.509) and as 32 raw bytes.
 * Private keys in tokens: token.h. For the tools, the device daemon and the fleet server on a host;
 * everything is libcrypto's.
 *
 * Each function that fails leaves one sentence in why->text: which file, what is wrong with it, and
 * what to do about it where that is not plain.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_KEYS_H
#define SM_POSIX_KEYS_H

#include <stddef.h>
#include <stdint.h>
#include <sandmote/crypto.h>
#include <sandmote/error.h>

#define SM_KEYS_PUBLIC_SIZE    SM_ED25519_PUBLIC_SIZE
#define SM_KEYS_SIGNATURE_SIZE SM_ED25519_SIG_SIZE

struct sm_keys_why {
    char text[512];
};

/* Put a sentence there, and return err. */
int sm_keys_fail(struct sm_keys_why *why, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Read a public key: from a file, or from "ed25519:" and 64 hex digits. Of a certificate only the
 * key is taken: who signed it, and until when it is valid, is for whoever names it. 0, or
 *   SM_ERR_IO         the file cannot be read
 *   SM_ERR_MALFORMED  no public key in it
 *   SM_ERR_KEY        a key of another kind, or a private key, which has no business here */
int sm_keys_load_public(const char *path, uint8_t key[SM_KEYS_PUBLIC_SIZE],
                        struct sm_keys_why *why);

/* A private key in memory, or in a token; sm_keys_free() wipes or closes it. Private but for
 * public_key. */
struct sm_keys_private {
    void *pkey;
    void *token; /* with pkey NULL */
    int (*token_sign)(void *token, const void *bytes, size_t len,
                      uint8_t sig[SM_KEYS_SIGNATURE_SIZE], struct sm_keys_why *why);
    void (*token_drop)(void *token);
    uint8_t public_key[SM_KEYS_PUBLIC_SIZE];
};

/* Read a private key. Errors as for a public one; a key under a passphrase is SM_ERR_KEY. */
int sm_keys_load_private(const char *path, struct sm_keys_private *key, struct sm_keys_why *why);

/* Make a private key. 0, or SM_ERR_IO when the random source fails. */
int sm_keys_generate(struct sm_keys_private *key, struct sm_keys_why *why);

void sm_keys_free(struct sm_keys_private *key);

/* Write the private key to private_path, readable for its owner only, and the public key to
 * public_path. Neither file may exist: SM_ERR_STATE. Or SM_ERR_IO. On an error neither was made. */
int sm_keys_save(const struct sm_keys_private *key, const char *private_path,
                 const char *public_path, struct sm_keys_why *why);

/* Sign len bytes: what `openssl pkeyutl -sign -rawin` makes of a file with these bytes. 0, or
 * SM_ERR_MEMORY, or what a token failed with. */
int sm_keys_sign(const struct sm_keys_private *key, const void *bytes, size_t len,
                 uint8_t sig[SM_KEYS_SIGNATURE_SIZE], struct sm_keys_why *why);

/* A certificate of a PEM file: its DER bytes, the caller's to free, and the SHA-256 of its public
 * key (SubjectPublicKeyInfo), by which it is pinned. Any kind of key. 0, SM_ERR_IO, or
 * SM_ERR_MALFORMED (no certificate in it). */
int sm_keys_load_certificate(const char *path, uint8_t **der, size_t *len,
                             uint8_t pin[SM_SHA256_SIZE], struct sm_keys_why *why);

#endif

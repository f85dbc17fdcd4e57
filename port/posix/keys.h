/* Ed25519 keys in PEM files, as openssl writes them: "BEGIN PRIVATE KEY" (PKCS#8) and "BEGIN PUBLIC
 * KEY" (SubjectPublicKeyInfo). For the tools, the device daemon and the fleet server on a host;
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

/* Read a public key. 0, or
 *   SM_ERR_IO         the file cannot be read
 *   SM_ERR_MALFORMED  no PEM public key in it
 *   SM_ERR_KEY        a key of another kind, or a private key, which has no business here */
int sm_keys_load_public(const char *path, uint8_t key[SM_KEYS_PUBLIC_SIZE],
                        struct sm_keys_why *why);

/* A private key in memory; sm_keys_free() wipes it. */
struct sm_keys_private {
    void *pkey; /* private */
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
 * SM_ERR_MEMORY. */
int sm_keys_sign(const struct sm_keys_private *key, const void *bytes, size_t len,
                 uint8_t sig[SM_KEYS_SIGNATURE_SIZE], struct sm_keys_why *why);

#endif

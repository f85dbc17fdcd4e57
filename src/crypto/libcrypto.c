/* The library sm_crypto_openssl: the public interface bound to OpenSSL 3's libcrypto.
 *
 * Blocks go to libcrypto's SHA256_Update, which uses the processor's SHA instructions where there
 * are any: a device hashes every module before each start. It belongs to the old low-level
 * interface, which OpenSSL 3 deprecates in favour of EVP; EVP's contexts live on the heap (why
 * that does not do: sha256.c), and the old one is a plain struct whose fields are documented.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sandmote/crypto.h>
#include <string.h>
#include "crypto_internal.h"

void sm_sha256_blocks(uint32_t h[8], const uint8_t *blocks, size_t count)
{
    SHA256_CTX ctx = {.md_len = SHA256_DIGEST_LENGTH};
    _Static_assert(sizeof ctx.h == 8 * sizeof h[0], "SHA_LONG is a 32-bit word");
    memcpy(ctx.h, h, sizeof ctx.h);
    /* Whole blocks on an empty buffer: compressed from where they lie, nothing stays behind. */
    SHA256_Update(&ctx, blocks, count * SHA256_CBLOCK);
    memcpy(h, ctx.h, sizeof ctx.h);
}

int sm_ed25519_verify(const uint8_t pub[SM_ED25519_PUBLIC_SIZE], const void *msg, size_t len,
                      const uint8_t sig[SM_ED25519_SIG_SIZE])
{
    int result = SM_ERR_MEMORY;
    ERR_set_mark(); /* a refused signature must not leave errors for the thread's next TLS call */
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, SM_ED25519_PUBLIC_SIZE);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (key && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1)
        result = EVP_DigestVerify(ctx, sig, SM_ED25519_SIG_SIZE, msg, len) == 1 ? SM_OK
                                                                                : SM_ERR_SIGNATURE;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    ERR_pop_to_mark();
    return result;
}

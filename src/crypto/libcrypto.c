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

/* A context with key, nonce and aad in it, or NULL. */
static EVP_CIPHER_CTX *aead_begin(bool seal, const uint8_t *key, const uint8_t *nonce,
                                  const void *aad, size_t aad_len)
{
    int n;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx && EVP_CipherInit_ex(ctx, EVP_chacha20_poly1305(), NULL, key, nonce, seal) == 1 &&
        (aad_len == 0 || EVP_CipherUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1))
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

int sm_aead_seal(uint8_t *out, const uint8_t key[SM_AEAD_KEY_SIZE],
                 const uint8_t nonce[SM_AEAD_NONCE_SIZE], const void *aad, size_t aad_len,
                 const void *msg, size_t len)
{
    int n, result = SM_ERR_MEMORY;
    if (len > SM_AEAD_MAX || aad_len > SM_AEAD_MAX)
        return SM_ERR_LIMIT;
    ERR_set_mark();
    EVP_CIPHER_CTX *ctx = aead_begin(true, key, nonce, aad, aad_len);
    if (ctx && (len == 0 || EVP_CipherUpdate(ctx, out, &n, msg, (int)len) == 1) &&
        EVP_CipherFinal_ex(ctx, out + len, &n) == 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SM_AEAD_TAG_SIZE, out + len) == 1)
        result = 0;
    EVP_CIPHER_CTX_free(ctx);
    ERR_pop_to_mark();
    return result;
}

int sm_aead_open(uint8_t *out, const uint8_t key[SM_AEAD_KEY_SIZE],
                 const uint8_t nonce[SM_AEAD_NONCE_SIZE], const void *aad, size_t aad_len,
                 const void *sealed, size_t sealed_len)
{
    uint8_t tag[SM_AEAD_TAG_SIZE], none[SM_AEAD_TAG_SIZE];
    int n, result = SM_ERR_MEMORY;
    if (sealed_len < SM_AEAD_TAG_SIZE)
        return SM_ERR_SIGNATURE;
    size_t len = sealed_len - SM_AEAD_TAG_SIZE;
    if (len > SM_AEAD_MAX || aad_len > SM_AEAD_MAX)
        return SM_ERR_LIMIT;
    memcpy(tag, (const uint8_t *)sealed + len, sizeof tag);
    ERR_set_mark();
    EVP_CIPHER_CTX *ctx = aead_begin(false, key, nonce, aad, aad_len);
    if (ctx && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 &&
        (len == 0 || EVP_CipherUpdate(ctx, out, &n, sealed, (int)len) == 1))
        result = EVP_CipherFinal_ex(ctx, none, &n) == 1 ? 0 : SM_ERR_SIGNATURE;
    if (result) /* it decrypts before it has seen the tag */
        sm_wipe(out, len);
    EVP_CIPHER_CTX_free(ctx);
    ERR_pop_to_mark();
    return result;
}

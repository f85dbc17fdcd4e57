/* Sealing core dumps (sealed.h).
 *
 * A key of its own for each dump: X25519 of a new key and the reader's, through HKDF with both
 * public keys. So the nonce may be part of what is derived. Errors of libcrypto are not told apart.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sandmote/crypto.h>
#include <sandmote/error.h>
#include "sealed.h"

enum { FORMAT = 1, KEY = SM_SEALED_KEY_SIZE, HEAD = 1 + KEY, TAG = SM_AEAD_TAG_SIZE };

static const char info[] = "sandmote sealed core dump";

/* ---- Keys ------------------------------------------------------------------------------------ */

typedef int get_raw(const EVP_PKEY *pkey, unsigned char *out, size_t *len);

static int take(EVP_PKEY *pkey, get_raw *get, uint8_t key[KEY])
{
    size_t len = KEY;
    int err = pkey == NULL ? SM_ERR_MALFORMED
              : EVP_PKEY_get_id(pkey) != EVP_PKEY_X25519 || get(pkey, key, &len) != 1 ? SM_ERR_KEY
                                                                                      : 0;
    EVP_PKEY_free(pkey);
    return err;
}

int sm_sealed_load_public(const char *path, uint8_t key[KEY])
{
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return SM_ERR_IO;
    EVP_PKEY *pkey = PEM_read_PUBKEY(f, NULL, NULL, NULL);
    fclose(f);
    return take(pkey, EVP_PKEY_get_raw_public_key, key);
}

/* No passphrase is asked for. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf, (void)size, (void)writing, (void)ctx;
    return -1;
}

int sm_sealed_load_private(const char *path, uint8_t key[KEY])
{
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return SM_ERR_IO;
    EVP_PKEY *pkey = PEM_read_PrivateKey(f, NULL, no_passphrase, NULL);
    fclose(f);
    return take(pkey, EVP_PKEY_get_raw_private_key, key);
}

/* ---- What both sides know -------------------------------------------------------------------- */

struct secret {
    uint8_t key[SM_AEAD_KEY_SIZE], nonce[SM_AEAD_NONCE_SIZE];
};

/* From one side's private key and the other's public one; libcrypto refuses a shared secret of
 * zeros. */
static int agree(EVP_PKEY *mine, const uint8_t theirs[KEY], const uint8_t both[2 * KEY],
                 struct secret *out)
{
    uint8_t shared[32], derived[sizeof out->key + sizeof out->nonce];
    size_t len = sizeof shared;
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, theirs, KEY);
    EVP_PKEY_CTX *ctx = mine ? EVP_PKEY_CTX_new(mine, NULL) : NULL;
    bool agreed = peer && ctx && EVP_PKEY_derive_init(ctx) == 1 &&
                  EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
                  EVP_PKEY_derive(ctx, shared, &len) == 1 && len == sizeof shared;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    int err = agreed ? sm_hkdf(derived, sizeof derived, shared, sizeof shared, both, 2 * KEY, info,
                               sizeof info - 1)
                     : SM_ERR_KEY;
    if (!err) {
        memcpy(out->key, derived, sizeof out->key);
        memcpy(out->nonce, derived + sizeof out->key, sizeof out->nonce);
    }
    sm_wipe(shared, sizeof shared);
    sm_wipe(derived, sizeof derived);
    return err;
}

/* ---- Sealing --------------------------------------------------------------------------------- */

/* head: format and a new public key. */
static int new_secret(const uint8_t to[KEY], uint8_t head[HEAD], struct secret *secret)
{
    uint8_t both[2 * KEY];
    size_t len = KEY;
    EVP_PKEY *mine = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    int err = SM_ERR_KEY;
    head[0] = FORMAT;
    if (mine && EVP_PKEY_get_raw_public_key(mine, head + 1, &len) == 1) {
        memcpy(both, head + 1, KEY);
        memcpy(both + KEY, to, KEY);
        err = agree(mine, to, both, secret);
    }
    EVP_PKEY_free(mine);
    return err;
}

static uint8_t *put_leb(uint8_t *at, size_t v)
{
    for (; v >= 0x80; v >>= 7)
        *at++ = (uint8_t)(v | 0x80);
    *at++ = (uint8_t)v;
    return at;
}

/* The head of a custom section with so many bytes of content. */
static uint8_t *put_section(uint8_t *at, const char *name, size_t len)
{
    size_t n = strlen(name); /* below 128: its length is one byte */
    *at++ = 0;
    at = put_leb(at, 1 + n + len);
    at = put_leb(at, n);
    memcpy(at, name, n);
    return at + n;
}

/* What everybody may read: the module's name and the note. */
static uint8_t *put_open(uint8_t *at, const struct sm_core *core)
{
    uint32_t name = core->name.len < 127 ? core->name.len : 127;
    memcpy(at, "\0asm\1\0\0\0", 8);
    at = put_section(at + 8, "core", 2 + name);
    *at++ = 0;
    at = put_leb(at, name);
    memcpy(at, core->name.bytes, name);
    at = put_section(at + name, SM_COREDUMP_NOTE, core->note_len);
    memcpy(at, core->note, core->note_len);
    return at + core->note_len;
}

int sm_sealed_make(const uint8_t *dump, size_t len, const uint8_t to[KEY], uint8_t **out,
                   size_t *out_len)
{
    struct sm_core core;
    struct secret secret;
    uint8_t head[HEAD], *at;
    if (sm_core_open(&core, dump, len) != 0 || core.note == NULL ||
        core.note_len > SM_SEALED_MORE / 2)
        return SM_ERR_ARG;
    *out = malloc(len + SM_SEALED_MORE);
    int err = *out ? new_secret(to, head, &secret) : SM_ERR_MEMORY;
    if (!err) {
        at = put_section(put_open(*out, &core), SM_COREDUMP_SEALED, HEAD + len + TAG);
        memcpy(at, head, HEAD);
        err =
            sm_aead_seal(at + HEAD, secret.key, secret.nonce, core.note, core.note_len, dump, len);
        *out_len = (size_t)(at - *out) + HEAD + len + TAG;
        sm_wipe(&secret, sizeof secret);
    }
    if (err) {
        free(*out);
        *out = NULL;
    }
    return err;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static int known_secret(const uint8_t *head, const uint8_t key[KEY], struct secret *secret)
{
    uint8_t both[2 * KEY];
    size_t len = KEY;
    EVP_PKEY *mine = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, key, KEY);
    int err = SM_ERR_KEY;
    memcpy(both, head + 1, KEY);
    if (head[0] == FORMAT && mine && EVP_PKEY_get_raw_public_key(mine, both + KEY, &len) == 1)
        err = agree(mine, head + 1, both, secret);
    EVP_PKEY_free(mine);
    return err;
}

int sm_sealed_open(const struct sm_core *core, const uint8_t key[KEY], uint8_t **out,
                   size_t *out_len)
{
    struct secret secret;
    if (core->sealed == NULL)
        return SM_ERR_NOT_FOUND;
    if (core->sealed_len < HEAD + TAG)
        return SM_ERR_KEY;
    *out_len = core->sealed_len - HEAD - TAG;
    *out = malloc(*out_len + 1);
    int err = *out ? known_secret(core->sealed, key, &secret) : SM_ERR_MEMORY;
    if (!err) {
        err = sm_aead_open(*out, secret.key, secret.nonce, core->note, core->note_len,
                           core->sealed + HEAD, core->sealed_len - HEAD)
                  ? SM_ERR_KEY
                  : 0;
        sm_wipe(&secret, sizeof secret);
    }
    if (err) {
        free(*out);
        *out = NULL;
    }
    return err;
}

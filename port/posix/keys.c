/* Key files through libcrypto.
 *
 * libcrypto's decoders accept any kind of key; what is not Ed25519 is turned away by take(). Its
 * error queue is emptied after each failure, so that a later TLS call does not find it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define FILE_MAX 65536L /* a key file has some hundred bytes */

int sm_keys_fail(struct sm_keys_why *why, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return err;
}

/* The file in *out, a memory BIO (which is wiped when it is freed), or an error. */
static int read_file(const char *path, BIO **out, struct sm_keys_why *why)
{
    struct stat st;
    char buf[1024];
    ssize_t n = -1;
    int err = 0;
    BIO *bio = BIO_new(BIO_s_mem());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (!bio) {
        err = sm_keys_fail(why, SM_ERR_MEMORY, "no memory to read %s", path);
    } else if (fd < 0 || fstat(fd, &st) != 0) {
        err = sm_keys_fail(why, SM_ERR_IO, "%s: cannot read the key: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
        err = sm_keys_fail(why, SM_ERR_IO,
                           "%s: not a key file (a PEM file has a few hundred bytes)", path);
    } else {
        while ((n = read(fd, buf, sizeof buf)) > 0)
            BIO_write(bio, buf, (int)n);
        if (n < 0)
            err =
                sm_keys_fail(why, SM_ERR_IO, "%s: cannot read the key: %s", path, strerror(errno));
        OPENSSL_cleanse(buf, sizeof buf);
    }
    if (fd >= 0)
        close(fd);
    if (err) {
        BIO_free(bio);
        bio = NULL;
    }
    *out = bio;
    return err;
}

/* Whether the PEM file has a line "-----BEGIN <label>-----". */
static int has_label(BIO *bio, const char *label)
{
    char *text;
    char line[64];
    long len = BIO_get_mem_data(bio, &text);
    int n = snprintf(line, sizeof line, "-----BEGIN %s-----", label);
    for (long i = 0; i + n <= len; i++)
        if (memcmp(text + i, line, (size_t)n) == 0)
            return 1;
    return 0;
}

/* No key under a passphrase: a prompt would block a script for ever. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf, (void)size, (void)writing, (void)ctx;
    return -1;
}

static int take(const char *path, EVP_PKEY *pkey, uint8_t key[SM_KEYS_PUBLIC_SIZE],
                struct sm_keys_why *why)
{
    size_t len = SM_KEYS_PUBLIC_SIZE;
    if (EVP_PKEY_get_id(pkey) == EVP_PKEY_ED25519 &&
        EVP_PKEY_get_raw_public_key(pkey, key, &len) == 1 && len == SM_KEYS_PUBLIC_SIZE)
        return 0;
    const char *name = EVP_PKEY_get0_type_name(pkey);
    return sm_keys_fail(
        why, SM_ERR_KEY,
        "%s: a key of type %s, but Ed25519 is needed; make one with `sandmote key new` or "
        "`openssl genpkey -algorithm ed25519`",
        path, name ? name : "unknown");
}

/* "ed25519:" and 64 hex digits. */
static int from_hex(const char *text, uint8_t key[SM_KEYS_PUBLIC_SIZE], struct sm_keys_why *why)
{
    unsigned v;
    const char *digits = strchr(text, ':') + 1;
    if (strspn(digits, "0123456789abcdefABCDEF") != 64 || digits[64])
        return sm_keys_fail(why, SM_ERR_MALFORMED, "%s: must have 64 hex digits", text);
    for (size_t i = 0; i < SM_KEYS_PUBLIC_SIZE; i++) {
        sscanf(digits + 2 * i, "%2x", &v);
        key[i] = (uint8_t)v;
    }
    return 0;
}

/* The public key of the PEM in bio, of either form, or NULL. */
static EVP_PKEY *read_public(BIO *bio)
{
    if (!has_label(bio, "CERTIFICATE"))
        return PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    X509 *x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    EVP_PKEY *pkey = x ? X509_get_pubkey(x) : NULL;
    X509_free(x);
    return pkey;
}

static int public_of(const char *path, BIO *bio, uint8_t key[SM_KEYS_PUBLIC_SIZE],
                     struct sm_keys_why *why)
{
    char *raw;
    if (has_label(bio, "PRIVATE KEY") || has_label(bio, "ENCRYPTED PRIVATE KEY"))
        return sm_keys_fail(why, SM_ERR_KEY,
                            "%s: a private key, where the public one belongs; `openssl pkey -in %s "
                            "-pubout` prints it",
                            path, path);
    if (BIO_get_mem_data(bio, &raw) == SM_KEYS_PUBLIC_SIZE) {
        memcpy(key, raw, SM_KEYS_PUBLIC_SIZE);
        return 0;
    }
    EVP_PKEY *pkey = read_public(bio);
    int err =
        pkey ? take(path, pkey, key, why)
             : sm_keys_fail(why, SM_ERR_MALFORMED,
                            "%s: no public key in PEM form (\"-----BEGIN PUBLIC KEY-----\")", path);
    EVP_PKEY_free(pkey);
    return err;
}

int sm_keys_load_public(const char *path, uint8_t key[SM_KEYS_PUBLIC_SIZE], struct sm_keys_why *why)
{
    BIO *bio;
    if (strncmp(path, "ed25519:", 8) == 0)
        return from_hex(path, key, why);
    int err = read_file(path, &bio, why);
    if (err)
        return err;
    err = public_of(path, bio, key, why);
    BIO_free(bio);
    ERR_clear_error();
    return err;
}

int sm_keys_load_certificate(const char *path, uint8_t **der, size_t *len,
                             uint8_t pin[SM_SHA256_SIZE], struct sm_keys_why *why)
{
    BIO *bio;
    unsigned char *spki = NULL;
    int n = -1, err = read_file(path, &bio, why);
    if (err)
        return err;
    X509 *x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    *der = NULL;
    if (x && (n = i2d_X509(x, NULL)) > 0 && (*der = malloc((size_t)n)) != NULL) {
        unsigned char *p = *der;
        *len = (size_t)i2d_X509(x, &p);
        n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
    }
    if (n > 0 && EVP_Digest(spki, (size_t)n, pin, NULL, EVP_sha256(), NULL) != 1)
        n = -1;
    OPENSSL_free(spki);
    X509_free(x);
    ERR_clear_error();
    if (n > 0)
        return 0;
    free(*der);
    return sm_keys_fail(why, SM_ERR_MALFORMED,
                        "%s: no certificate in PEM form (\"-----BEGIN CERTIFICATE-----\")", path);
}

int sm_keys_load_private(const char *path, struct sm_keys_private *key, struct sm_keys_why *why)
{
    BIO *bio;
    uint8_t public_key[SM_KEYS_PUBLIC_SIZE] = {0};
    int err = read_file(path, &bio, why);
    if (err)
        return err;
    int locked = has_label(bio, "ENCRYPTED PRIVATE KEY");
    int public = has_label(bio, "PUBLIC KEY");
    EVP_PKEY *pkey = locked ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (locked)
        err = sm_keys_fail(
            why, SM_ERR_KEY,
            "%s: the key is under a passphrase; sign with `openssl pkeyutl -sign -rawin`, "
            "which asks for it, or unlock it with `openssl pkey`",
            path);
    else if (!pkey)
        err = sm_keys_fail(why, public ? SM_ERR_KEY : SM_ERR_MALFORMED,
                           public
                               ? "%s: a public key, where the private one is needed"
                               : "%s: no private key in PEM form (\"-----BEGIN PRIVATE KEY-----\")",
                           path);
    else
        err = take(path, pkey, public_key, why);
    if (err) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    *key = (struct sm_keys_private){.pkey = pkey};
    memcpy(key->public_key, public_key, sizeof public_key);
    BIO_free(bio);
    ERR_clear_error();
    return err;
}

int sm_keys_generate(struct sm_keys_private *key, struct sm_keys_why *why)
{
    *key = (struct sm_keys_private){0};
    key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (!key->pkey) {
        ERR_clear_error();
        return sm_keys_fail(why, SM_ERR_IO, "cannot make a key: the random source failed");
    }
    return take("new key", key->pkey, key->public_key, why);
}

void sm_keys_free(struct sm_keys_private *key)
{
    EVP_PKEY_free(key->pkey); /* libcrypto wipes it */
    if (key->token)
        key->token_drop(key->token);
    key->pkey = key->token = NULL;
}

/* Write a file that must not exist, whole and durable or not at all. */
static int create(const char *path, mode_t mode, BIO *content, struct sm_keys_why *why)
{
    char *text;
    long len = BIO_get_mem_data(content, &text);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0 && errno == EEXIST)
        return sm_keys_fail(why, SM_ERR_STATE, "%s: exists, and a key is never overwritten", path);
    if (fd < 0)
        return sm_keys_fail(why, SM_ERR_IO, "%s: cannot create: %s", path, strerror(errno));
    int good = write(fd, text, (size_t)len) == len && fsync(fd) == 0;
    int cause = errno;
    close(fd);
    if (good)
        return 0;
    unlink(path);
    return sm_keys_fail(why, SM_ERR_IO, "%s: cannot write: %s", path, strerror(cause));
}

int sm_keys_save(const struct sm_keys_private *key, const char *private_path,
                 const char *public_path, struct sm_keys_why *why)
{
    BIO *private = BIO_new(BIO_s_mem()), *public = BIO_new(BIO_s_mem());
    int err = 0;
    if (!private || !public ||
        PEM_write_bio_PKCS8PrivateKey(private, key->pkey, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_PUBKEY(public, key->pkey) != 1)
        err = sm_keys_fail(why, SM_ERR_MEMORY, "no memory to write the key");
    if (!err)
        err = create(private_path, 0600, private, why);
    if (!err) {
        err = create(public_path, 0644, public, why);
        if (err)
            unlink(private_path); /* ours: create() made it */
    }
    BIO_free(private);
    BIO_free(public);
    ERR_clear_error();
    return err;
}

int sm_keys_sign(const struct sm_keys_private *key, const void *bytes, size_t len,
                 uint8_t sig[SM_KEYS_SIGNATURE_SIZE], struct sm_keys_why *why)
{
    size_t sig_len = SM_KEYS_SIGNATURE_SIZE;
    if (key->token)
        return key->token_sign(key->token, bytes, len, sig, why);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int good = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
               EVP_DigestSign(ctx, sig, &sig_len, bytes, len) == 1 &&
               sig_len == SM_KEYS_SIGNATURE_SIZE;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good ? 0 : sm_keys_fail(why, SM_ERR_MEMORY, "libcrypto could not sign");
}

/* sandmote sign, sandmote verify: the detached signature of a module or a native image.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <posix/file.h>
#include <posix/keys.h>
#include <sandmote/crypto.h>
#include <sandmote/manifest.h>

#include "claim.h"
#include "cli.h"
#include "module.h"

/* What a device would say about a file whose signature is good. */
static void note_manifest(const char *path, const uint8_t *bytes, size_t len)
{
    struct sm_manifest m;
    struct sm_manifest_detail detail;
    int err = sm_manifest_read(&m, bytes, len, &detail);
    if (!err)
        return;
    module_say_manifest(path, err, &detail);
    cli_say("%s: note: no device will take it; `sandmote pack` puts a manifest in", path);
}

/* ---- sign -------------------------------------------------------------------------------------
 */

static int sign_file(const struct sm_keys_private *key, const char *path)
{
    struct sm_keys_why why;
    uint8_t *bytes, sig[SM_KEYS_SIGNATURE_SIZE];
    size_t len;
    char out[CLI_PATH];
    int status = CLI_BAD;
    if (!cli_signature_path(path, out) || !cli_read(path, &bytes, &len))
        return CLI_BAD;
    /* A key for modules signs modules only, so that its signature cannot be used elsewhere. */
    if (claim_is_native(bytes, len))
        cli_say("%s: a native image: a builder's key signs it, with --native", path);
    else if (!module_has_magic(bytes, len))
        cli_say("%s: %s; so it is not signed", path, module_looks_like(bytes, len));
    else if (sm_keys_sign(key, bytes, len, sig, &why))
        cli_say("%s: %s", path, why.text);
    else if (cli_write(out, sig, sizeof sig))
        status = CLI_GOOD;
    if (status == CLI_GOOD) {
        printf("%s\n", out);
        note_manifest(path, bytes, len);
    }
    free(bytes);
    return status;
}

static int sign(int argc, char **argv)
{
    const char *key_path = NULL;
    bool native = false;
    const struct cli_option options[] = {{"key", &key_path, NULL}, {"native", NULL, &native}, {0}};
    struct sm_keys_private key;
    int n = cli_options(options, false, argc, argv);
    if (n == CLI_USAGE_ERROR)
        return CLI_USAGE;
    if (n != 1 || !key_path)
        return cli_usage(&cli_sign, key_path ? "name one file" : "--key is missing");
    if (!cli_private_key(key_path, &key))
        return CLI_BAD;
    int status = native ? claim_sign(&key, argv[1]) : sign_file(&key, argv[1]);
    sm_keys_free(&key);
    return status;
}

const struct cli_command cli_sign = {
    .name = "sign",
    .arguments = "--key PRIVATE.pem [--native] FILE",
    .purpose = "Sign a module or a native image: writes FILE.sig",
    .run = sign,
    .details =
        "The signature is 64 bytes of Ed25519 over the whole file, the same that\n"
        "  openssl pkeyutl -sign -rawin -inkey PRIVATE.pem -in FILE.wasm -out FILE.wasm.sig\n"
        "makes. Any later change of the file, a byte added at its end included, breaks it.\n\n"
        "  --native   FILE is a native image (sandmote aot), the key a builder's. What is written\n"
        "             is a claim that this image is of the module that it names by its hash.\n\n"
        "The key may be in a token: --key \"pkcs11:token=T;object=O?module-path=M.so&\n"
        "pin-source=file:PIN\" (RFC 7512).\n\n"
        "A key signs either modules or native images: devices refuse a signer's claims and a\n"
        "builder's modules.\n"};

/* ---- verify -----------------------------------------------------------------------------------
 */

/* A module and its signature, as files and as bytes. */
struct pair {
    const char *path, *sig_path;
    uint8_t *bytes, *sig;
    size_t len, sig_len;
};

static int verify_pair(const struct pair *p, const uint8_t key[SM_KEYS_PUBLIC_SIZE])
{
    if (p->sig_len != SM_ED25519_SIG_SIZE) {
        cli_say("%s: BAD signature: it must have 64 bytes and has %zu", p->sig_path, p->sig_len);
        return CLI_BAD;
    }
    int err = sm_ed25519_verify(key, p->bytes, p->len, p->sig);
    if (err == SM_ERR_SIGNATURE)
        cli_say("%s: BAD signature: the key did not sign these bytes; the module or the signature "
                "was changed, or another key made it",
                p->path);
    else if (err)
        cli_say("%s: not verified: %s", p->path, sm_strerror(err));
    if (err)
        return CLI_BAD;
    printf("%s: good signature\n", p->path);
    note_manifest(p->path, p->bytes, p->len);
    return CLI_GOOD;
}

static int verify_files(const char *path, const char *sig_path,
                        const uint8_t key[SM_KEYS_PUBLIC_SIZE])
{
    struct pair p = {.path = path, .sig_path = sig_path};
    int status = CLI_BAD;
    if (!cli_read(path, &p.bytes, &p.len))
        return CLI_BAD;
    if (claim_is_native(p.bytes, p.len))
        cli_say("%s: a native image: its claim is checked with --native", path);
    else if (cli_read(sig_path, &p.sig, &p.sig_len))
        status = verify_pair(&p, key);
    free(p.bytes);
    free(p.sig);
    return status;
}

/* A native image and its claim, and the module that it must be of, if one is named. */
static int verify_native(const char *path, const char *sig_path, const char *module_path,
                         const uint8_t key[SM_KEYS_PUBLIC_SIZE])
{
    uint8_t *image = NULL, *module = NULL, sha[SM_SHA256_SIZE];
    size_t len, module_len;
    bool good = cli_read(path, &image, &len);
    if (good && !claim_is_native(image, len)) {
        cli_say("%s: not a native image; without --native a module's signature is checked", path);
        good = false;
    }
    if (good && module_path && (good = cli_read(module_path, &module, &module_len)))
        sm_sha256(module, module_len, sha);
    good = good && claim_good(path, sig_path, key, image, len, module_path ? sha : NULL);
    free(image);
    free(module);
    if (good)
        printf("%s: good claim\n", path);
    return good ? CLI_GOOD : CLI_BAD;
}

static int verify(int argc, char **argv)
{
    const char *key_path = NULL, *sig_path = NULL, *module_path = NULL;
    bool native = false;
    const struct cli_option options[] = {{"key", &key_path, NULL},
                                         {"signature", &sig_path, NULL},
                                         {"native", NULL, &native},
                                         {"module", &module_path, NULL},
                                         {0}};
    uint8_t key[SM_KEYS_PUBLIC_SIZE];
    char beside[CLI_PATH];
    struct sm_keys_why why;
    int n = cli_options(options, false, argc, argv);
    if (n == CLI_USAGE_ERROR)
        return CLI_USAGE;
    if (n != 1 || !key_path)
        return cli_usage(&cli_verify, key_path ? "name one file" : "--key is missing");
    if (module_path && !native)
        return cli_usage(&cli_verify, "--module goes with --native");
    if (sm_keys_load_public(key_path, key, &why)) {
        cli_say("%s", why.text);
        return CLI_BAD;
    }
    if (!sig_path) {
        if (!cli_signature_path(argv[1], beside))
            return CLI_BAD;
        sig_path = beside;
    }
    return native ? verify_native(argv[1], sig_path, module_path, key)
                  : verify_files(argv[1], sig_path, key);
}

const struct cli_command cli_verify = {
    .name = "verify",
    .arguments = "--key PUBLIC.pem [--signature SIG] [--native [--module M.wasm]] FILE",
    .purpose = "Check the signature of a module or a native image",
    .run = verify,
    .details = "The signature is read from FILE.sig unless --signature names another file.\n"
               "A good signature over a file that no device would take is still good; what is\n"
               "wrong with its manifest is then noted on stderr.\n\n"
               "  --native   FILE is a native image, the key a builder's: its claim is checked\n"
               "  --module   and is about this module\n\n"
               "Exit status: 0 good, 1 bad.\n"};

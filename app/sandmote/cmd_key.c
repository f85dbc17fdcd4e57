/* sandmote key: make a key pair, show a key.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <posix/json_read.h>
#include <posix/token.h>
#include <sandmote/crypto.h>

#include "cli.h"

#define PATH_MAX_BYTES 4096

static void print_key(const uint8_t key[SM_KEYS_PUBLIC_SIZE])
{
    uint8_t hash[SM_SHA256_SIZE];
    char hex[2 * SM_SHA256_SIZE + 1];
    sm_hex_encode(key, SM_KEYS_PUBLIC_SIZE, hex);
    printf("ed25519 %s\n", hex);
    sm_sha256(key, SM_KEYS_PUBLIC_SIZE, hash);
    sm_hex_encode(hash, sizeof hash, hex);
    printf("sha256  %s\n", hex);
}

/* "fleet.pem" becomes "fleet.pub.pem", "fleet" "fleet.pub". */
static bool public_path(const char *path, char out[PATH_MAX_BYTES])
{
    size_t len = strlen(path);
    bool pem = len > 4 && strcmp(path + len - 4, ".pem") == 0;
    int stem = (int)(pem ? len - 4 : len);
    return snprintf(out, PATH_MAX_BYTES, "%.*s.pub%s", stem, path, pem ? ".pem" : "") <
           PATH_MAX_BYTES;
}

static int new_key(const char *path)
{
    struct sm_keys_why why;
    struct sm_keys_private key;
    char public[PATH_MAX_BYTES];
    if (!public_path(path, public)) {
        cli_say("key: the path is too long");
        return CLI_BAD;
    }
    int err = sm_keys_generate(&key, &why);
    if (!err) {
        err = sm_keys_save(&key, path, public, &why);
        sm_keys_free(&key);
    }
    if (err) {
        cli_say("%s", why.text);
        return CLI_BAD;
    }
    printf("private %s (keep it secret: it signs for your fleet)\npublic  %s\n", path, public);
    print_key(key.public_key);
    return CLI_GOOD;
}

/* A key that is made in a token stays there; its public half is printed. */
static int token_key(const char *uri, bool make)
{
    struct sm_keys_why why;
    struct sm_keys_private key;
    int err = make ? sm_token_generate(uri, &key, &why) : sm_token_open(uri, &key, &why);
    if (err) {
        cli_say("%s", why.text);
        return CLI_BAD;
    }
    printf("private in the token\n");
    print_key(key.public_key);
    sm_keys_free(&key);
    return CLI_GOOD;
}

static int show_key(const char *path)
{
    struct sm_keys_why why, why_private;
    struct sm_keys_private private;
    uint8_t public[SM_KEYS_PUBLIC_SIZE];
    if (sm_keys_load_public(path, public, &why) == 0) {
        printf("public  %s\n", path);
        print_key(public);
        return CLI_GOOD;
    }
    int err = sm_keys_load_private(path, &private, &why_private);
    if (err) {
        cli_say("%s", err == SM_ERR_MALFORMED ? why.text : why_private.text);
        return CLI_BAD;
    }
    printf("private %s\n", path);
    print_key(private.public_key);
    sm_keys_free(&private);
    return CLI_GOOD;
}

static int key(int argc, char **argv)
{
    static const struct cli_option none[] = {{0}};
    int n = cli_options(none, false, argc, argv);
    if (n == CLI_USAGE_ERROR)
        return CLI_USAGE;
    bool new = n == 2 && strcmp(argv[1], "new") == 0, show = n == 2 && strcmp(argv[1], "show") == 0;
    if ((new || show) && sm_token_named(argv[2]))
        return token_key(argv[2], new);
    if (new)
        return new_key(argv[2]);
    if (show)
        return show_key(argv[2]);
    return cli_usage(&cli_key, "say new or show, and one file");
}

const struct cli_command cli_key = {
    .name = "key",
    .arguments = "new|show FILE.pem|pkcs11:...",
    .purpose = "Make an Ed25519 key pair, or show a key",
    .run = key,
    .details =
        "`key new fleet.pem` writes the private key to fleet.pem, for your eyes only, and the\n"
        "public one, which devices get, to fleet.pub.pem. It never overwrites a file.\n"
        "`key show` prints a key's public bytes and their SHA-256.\n\n"
        "Both take a key in a token instead of a file, where `key new` makes one that never "
        "leaves\n"
        "it: \"pkcs11:token=T;object=O?module-path=M.so&pin-source=file:PIN\" (RFC 7512).\n\n"
        "The files are PEM as openssl writes them: a key of `openssl genpkey -algorithm ed25519`\n"
        "serves as well, and `openssl pkey -in fleet.pem -pubout` prints its public half.\n"};

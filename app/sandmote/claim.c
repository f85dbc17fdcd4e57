/* Claims about native images, as files beside them (doc/SPEC-claim.md).
 *
 * What a claim says of module and target is read from the image's own header: whoever signs states
 * that this image is of that module, so the builder signs what the builder built.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "claim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <posix/json_read.h>
#include <sandmote/native.h>
#include <sandmote/trust.h>

#include "aot.h"
#include "cli.h"

/* Any fleet: whoever names a key by hand says by that whose it is. */
#define FLEET "any"

bool claim_is_native(const uint8_t *bytes, size_t len)
{
    return len >= 4 && memcmp(bytes, "SMNI", 4) == 0;
}

/* Its bytes lie on a border of 8 in memory that was allocated, as the reader wants them. */
static bool read_image(const char *path, const uint8_t *bytes, size_t len, struct sm_native *n)
{
    if (!claim_is_native(bytes, len))
        cli_say("%s: not a native image; `sandmote aot` makes one of a module", path);
    else if (sm_native_read(n, bytes, len) == 0 && aot_check_hash(n) == 0)
        return true;
    else
        cli_say("%s: a native image, but not a good one: %s", path, n->info.refused);
    return false;
}

/* ---- sign -------------------------------------------------------------------------------------
 */

static bool make(const struct sm_keys_private *key, const char *path,
                 const struct sm_native_claim *claim, uint8_t out[SM_CLAIM_MAX], size_t *len)
{
    uint8_t text[SM_CLAIM_MAX], sig[SM_KEYS_SIGNATURE_SIZE];
    struct sm_keys_why why;
    int n = sm_claim_to_sign(claim, text, sizeof text);
    if (n < 0) {
        cli_say("%s: cannot be claimed: %s", path, sm_strerror(n));
        return false;
    }
    if (sm_keys_sign(key, text, (size_t)n, sig, &why) != 0) {
        cli_say("%s: %s", path, why.text);
        return false;
    }
    *len = (size_t)sm_claim_encode(claim, sig, out, SM_CLAIM_MAX);
    return true;
}

int claim_sign(const struct sm_keys_private *key, const char *path)
{
    struct sm_native native;
    uint8_t *bytes, object[SM_CLAIM_MAX];
    size_t len, object_len;
    char out[CLI_PATH];
    bool good = false;
    if (!cli_signature_path(path, out) || !cli_read(path, &bytes, &len))
        return CLI_BAD;
    if (read_image(path, bytes, len, &native)) {
        struct sm_native_claim claim = {.image_len = (uint32_t)len, .target = native.info.target};
        memcpy(claim.module_sha, native.info.module_sha256, sizeof claim.module_sha);
        sm_sha256(bytes, len, claim.image_sha);
        good = make(key, path, &claim, object, &object_len) && cli_write(out, object, object_len);
    }
    free(bytes);
    if (good)
        printf("%s\n", out);
    return good ? CLI_GOOD : CLI_BAD;
}

/* ---- verify -----------------------------------------------------------------------------------
 */

static int check(const char *sig_path, const uint8_t *sig, size_t sig_len,
                 const uint8_t key[SM_KEYS_PUBLIC_SIZE], struct sm_native_claim *claim)
{
    struct sm_trust_key room[1];
    struct sm_trust trust;
    struct sm_manifest_detail why = {0};
    sm_trust_init(&trust, room, 1);
    int err = sm_trust_add(&trust, SM_ROLE_BUILDER, FLEET, key);
    if (!err)
        err = sm_trust_verify_native(&trust, sig, sig_len, FLEET, claim, &why);
    if (err)
        cli_say("%s: BAD claim: %s", sig_path, why.rule ? why.rule : sm_strerror(err));
    return err;
}

bool claim_good(const char *path, const char *sig_path, const uint8_t key[SM_KEYS_PUBLIC_SIZE],
                const void *image, size_t len, const uint8_t *module_sha)
{
    struct sm_native_claim claim;
    uint8_t *sig;
    size_t sig_len;
    if (!cli_read(sig_path, &sig, &sig_len))
        return false;
    int err = check(sig_path, sig, sig_len, key, &claim);
    free(sig);
    if (err)
        return false;
    err = sm_claim_check(&claim, module_sha ? module_sha : claim.module_sha, image, len);
    if (err == SM_ERR_DENIED)
        cli_say("%s: BAD claim: it is about another module", sig_path);
    else if (err)
        cli_say("%s: BAD image: these are not the bytes that were claimed", path);
    return err == 0;
}

/* ---- inspect ----------------------------------------------------------------------------------
 */

int claim_inspect(const char *path, const uint8_t *bytes, size_t len)
{
    struct sm_native native;
    const struct sm_native_info *i = &native.info;
    uint8_t hash[SM_SHA256_SIZE];
    char hex[2 * SM_SHA256_SIZE + 1], sig[CLI_PATH];
    uint8_t *claim_bytes = NULL;
    size_t claim_len = 0;
    if (!read_image(path, bytes, len, &native))
        return CLI_BAD;
    const char *target = sm_native_target_name(i->target);
    sm_sha256(bytes, len, hash);
    sm_hex_encode(hash, sizeof hash, hex);
    printf("file       %s, a native image\nbytes      %zu\nsha256     %s\n", path, len, hex);
    sm_hex_encode(i->module_sha256, sizeof i->module_sha256, hex);
    printf("module     %s\n", hex);
    printf("target     %" PRIu32 ", %s%s\n", i->target, target ? target : "unknown here",
           i->flags & SM_NATIVE_GUARDED ? ", with guard pages" : "");
    printf("code       %" PRIu32 " bytes\nstack      %" PRIu32 " bytes in each call that looks\n",
           i->code_bytes, i->stack_bytes);
    printf("memory     at least %" PRIu32 " bytes\n", i->min_memory);
    if (!cli_signature_path(path, sig) || !cli_there(sig)) {
        printf("claim      none (%s is not there)\n", sig);
        return CLI_GOOD;
    }
    if (!cli_read(sig, &claim_bytes, &claim_len))
        return CLI_BAD;
    struct sm_native_claim claim;
    struct sm_manifest_detail why;
    int err = sm_claim_read(&claim, claim_bytes, claim_len, &why);
    free(claim_bytes);
    if (err || sm_claim_check(&claim, i->module_sha256, bytes, len) != 0)
        printf("claim      %s: %s\n", sig, err ? why.rule : "is about other bytes");
    else
        printf("claim      %s, its signature not checked here: `sandmote verify --native`\n", sig);
    return CLI_GOOD;
}

bool claim_show(const char *path, const uint8_t *bytes, size_t len, int *status)
{
    struct sm_native_claim claim;
    struct sm_manifest_detail why;
    char hex[2 * SM_SHA256_SIZE + 1];
    int err = sm_claim_read(&claim, bytes, len, &why);
    if (err == SM_ERR_UNSUPPORTED)
        cli_say("%s: a claim of format %" PRIu64 ", from the future: use a newer sandmote", path,
                why.value);
    *status = err ? CLI_BAD : CLI_GOOD;
    if (err)
        return err == SM_ERR_UNSUPPORTED;
    const char *target = sm_native_target_name(claim.target);
    printf("file       %s, a claim about a native image\n", path);
    sm_hex_encode(claim.image_sha, sizeof claim.image_sha, hex);
    printf("image      %s, %" PRIu32 " bytes\n", hex, claim.image_len);
    sm_hex_encode(claim.module_sha, sizeof claim.module_sha, hex);
    printf("module     %s\n", hex);
    printf("target     %" PRIu32 ", %s\n", claim.target, target ? target : "unknown here");
    printf("signature  not checked here: `sandmote verify --native`\n");
    return true;
}

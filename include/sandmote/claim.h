/* What a builder states about a native image, and signs: which module it is made of, and which
 * bytes it has.
 *
 * A claim is a COSE_Sign1 object (RFC 9052) beside the image, NAME.sig. Its signature is over bytes
 * that no module and no other kind of object can have: doc/SPEC-claim.md has them. Checking it
 * takes nothing of the image, so a device can refuse before it fetches one.
 * sm_trust_verify_native() (trust.h) is the way in; what is here knows no keys.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_CLAIM_H
#define SANDMOTE_CLAIM_H

#include <stddef.h>
#include <stdint.h>
#include <sandmote/crypto.h>
#include <sandmote/error.h>
#include <sandmote/manifest.h>

#define SM_CLAIM_FORMAT 1u
#define SM_CLAIM_MAX    256u /* bytes of the object, and of what is signed */

struct sm_native_claim {
    uint8_t module_sha[SM_SHA256_SIZE]; /* of the whole .wasm file */
    uint8_t image_sha[SM_SHA256_SIZE];  /* of the whole native image */
    uint32_t image_len;                 /* bytes of it, 1 to 2^31 - 1 */
    uint32_t target;                    /* enum sm_native_target, 1 to 65535 */
};

/* Read a claim without believing it: for tools, and for choosing what to fetch.
 *
 * 0, or, with offset counted in bytes and *claim undefined,
 *   SM_ERR_UNSUPPORTED  a claim of a format from the future; detail->value is its number
 *   SM_ERR_MALFORMED    not such an object, or not in its only encoding
 *   SM_ERR_INVALID      a value outside its range */
int sm_claim_read(struct sm_native_claim *claim, const uint8_t *bytes, size_t len,
                  struct sm_manifest_detail *detail);

/* The bytes that a builder's key signs. Their number, at most SM_CLAIM_MAX; or SM_ERR_INVALID (a
 * value outside its range) or SM_ERR_MEMORY (size is too small). */
int sm_claim_to_sign(const struct sm_native_claim *claim, uint8_t *out, size_t size);

/* The object, with the signature over those bytes. Result as of sm_claim_to_sign(). */
int sm_claim_encode(const struct sm_native_claim *claim, const uint8_t sig[SM_ED25519_SIG_SIZE],
                    uint8_t *out, size_t size);

/* Whether image and module are those of the claim. 0, or SM_ERR_DENIED (of another module) or
 * SM_ERR_CORRUPT (other bytes). */
int sm_claim_check(const struct sm_native_claim *claim, const uint8_t module_sha[SM_SHA256_SIZE],
                   const void *image, size_t len);

#endif

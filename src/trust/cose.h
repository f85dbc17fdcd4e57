/* COSE_Sign1 (RFC 9052, 4.2) in the one form that is used here: tagged, Ed25519, with a type header
 * (RFC 9596) that names what the object is, nothing unprotected, the payload inside, deterministic.
 *
 * The type is protected, so it is among the signed bytes: a signature over an object of one type
 * verifies for no other. What is signed begins with 84, a module with 00.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TRUST_COSE_H
#define SM_TRUST_COSE_H

#include <sandmote/crypto.h>
#include <sandmote/manifest.h>
#include "cbor.h"

#define SM_COSE_TYPE_MAX 56u /* bytes of a type */

struct sm_cose_sign1 { /* pointers into the object */
    const uint8_t *payload, *sig;
    uint32_t payload_len;
};

/* Read the envelope. The payload is some bytes, not looked at. 0, or SM_ERR_MALFORMED. */
int sm_cose_read(struct sm_cose_sign1 *object, const char *type, const uint8_t *bytes, size_t len,
                 struct sm_manifest_detail *detail);

/* The signed bytes, and the object. What does not fit is counted: compare len with size at the
 * end. */
void sm_cose_put_signed(struct sm_cbor_out *out, const char *type, const uint8_t *payload,
                        size_t len);
void sm_cose_put(struct sm_cbor_out *out, const char *type, const uint8_t *payload, size_t len,
                 const uint8_t sig[SM_ED25519_SIG_SIZE]);

#endif

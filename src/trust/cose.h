/* COSE_Sign1 and COSE_Sign (RFC 9052, 4) in the one form each that is used here: tagged, Ed25519,
 * with a type header (RFC 9596) that names what the object is, nothing unprotected, the payload
 * inside, deterministic. COSE_Sign is for what several keys sign; each signature names its key.
 *
 * The type is protected, so it is among the signed bytes: a signature over an object of one type
 * verifies for no other. What is signed begins with 84 or 85, a module with 00.
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

/* ---- Several signatures ---------------------------------------------------------------------- */

#define SM_COSE_SIGNATURES_MAX 32u
/* Bytes that are signed beside the payload, at most. */
#define SM_COSE_SIGN_OVERHEAD 128u

struct sm_cose_sign { /* pointers into the object */
    const uint8_t *payload, *signatures;
    uint32_t payload_len, count;
};

/* Read the envelope: 0 to SM_COSE_SIGNATURES_MAX signatures in ascending order of their keys, no
 * key twice. 0, or SM_ERR_MALFORMED. */
int sm_cose_sign_read(struct sm_cose_sign *object, const char *type, const uint8_t *bytes,
                      size_t len, struct sm_manifest_detail *detail);

/* The key (SM_ED25519_PUBLIC_SIZE bytes) that the i-th signature names, and the signature. */
const uint8_t *sm_cose_signature_key(const struct sm_cose_sign *object, uint32_t i);
const uint8_t *sm_cose_signature(const struct sm_cose_sign *object, uint32_t i);

/* What a key signs. */
void sm_cose_sign_put_signed(struct sm_cbor_out *out, const char *type, const uint8_t *payload,
                             size_t len, const uint8_t key[SM_ED25519_PUBLIC_SIZE]);

/* The object up to its signatures, and then each of them. */
void sm_cose_sign_put(struct sm_cbor_out *out, const char *type, const uint8_t *payload, size_t len,
                      uint32_t count);
void sm_cose_sign_put_signature(struct sm_cbor_out *out, const uint8_t key[SM_ED25519_PUBLIC_SIZE],
                                const uint8_t sig[SM_ED25519_SIG_SIZE]);

#endif

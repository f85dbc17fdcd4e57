/* The COSE_Sign1 and COSE_Sign envelopes, read and written.
 *
 * Reading is strict to the byte: a protected header must be the encoding of exactly the entries
 * that are expected, so it is compared and not interpreted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cose.h"

#include <stdbool.h>
#include <string.h>

#define TAG_SIGN1     18u
#define TAG_SIGN      98u
#define LABEL_ALG     1u
#define LABEL_TYPE    16u
#define ALG_EDDSA     7u /* -8: a negative integer is written as -1 minus it */
#define PROTECTED_MAX (SM_COSE_TYPE_MAX + 8u)

/* {1: -8, 16: type}; where each signature has a header of its own for its algorithm: {16: type} */
static size_t protected_header(uint8_t bytes[PROTECTED_MAX], const char *type, bool algorithm)
{
    struct sm_cbor_out out = {bytes, PROTECTED_MAX, 0};
    sm_cbor_put_map(&out, algorithm ? 2 : 1);
    if (algorithm) {
        sm_cbor_put_uint(&out, LABEL_ALG);
        sm_cbor_put_negative(&out, ALG_EDDSA);
    }
    sm_cbor_put_uint(&out, LABEL_TYPE);
    sm_cbor_put_text(&out, type, strlen(type));
    return out.len;
}

static int refuse(struct sm_manifest_detail *detail, uint32_t offset, const char *rule)
{
    *detail = (struct sm_manifest_detail){.offset = offset, .rule = rule};
    return SM_ERR_MALFORMED;
}

/* Both kinds of object begin alike: tag, four parts, protected header, nothing unprotected,
 * payload. in.rule says what is wrong. */
struct head {
    const uint8_t *header, *payload;
    uint32_t header_len, payload_len;
};

static int read_head(struct sm_cbor_in *in, uint64_t tag, const char *expected, struct head *h)
{
    struct sm_cbor_map unprotected;
    uint32_t n;
    int err = sm_cbor_tag(in, tag, expected);
    if (!err)
        err = sm_cbor_array(in, &n);
    if (!err && n != 4)
        err = sm_cbor_refuse(in, "a signed object has four parts");
    if (!err)
        err = sm_cbor_bytes(in, &h->header, &h->header_len);
    if (!err)
        err = sm_cbor_map(in, &unprotected);
    if (!err && unprotected.left != 0)
        err = sm_cbor_refuse(in, "nothing unprotected may stand in the header");
    return err ? err : sm_cbor_bytes(in, &h->payload, &h->payload_len);
}

static int check_type(const struct head *h, const char *type, bool algorithm, const uint8_t *bytes,
                      struct sm_manifest_detail *detail)
{
    uint8_t expected[PROTECTED_MAX];
    size_t len = protected_header(expected, type, algorithm);
    if (h->header_len != len || memcmp(h->header, expected, len) != 0)
        return refuse(detail, (uint32_t)(h->header - bytes), "signed as another kind of object");
    return 0;
}

/* ---- One signature --------------------------------------------------------------------------- */

static int read_items(struct sm_cbor_in *in, struct sm_cose_sign1 *object, struct head *h)
{
    uint32_t sig_len;
    int err = read_head(in, TAG_SIGN1, "not a COSE_Sign1 object", h);
    object->payload = h->payload;
    object->payload_len = h->payload_len;
    if (!err)
        err = sm_cbor_bytes(in, &object->sig, &sig_len);
    if (!err && sig_len != SM_ED25519_SIG_SIZE)
        err = sm_cbor_refuse(in, "a signature has exactly 64 bytes");
    return err ? err : sm_cbor_end(in);
}

int sm_cose_read(struct sm_cose_sign1 *object, const char *type, const uint8_t *bytes, size_t len,
                 struct sm_manifest_detail *detail)
{
    struct sm_cbor_in in;
    struct head h = {0};
    if (len > UINT32_MAX)
        return refuse(detail, 0, "4 GiB or more");
    sm_cbor_begin(&in, bytes, (uint32_t)len);
    if (read_items(&in, object, &h) != 0)
        return refuse(detail, in.at, in.rule);
    return check_type(&h, type, true, bytes, detail);
}

/* ["Signature1", protected, external data (none), payload] (RFC 9052, 4.4) */
void sm_cose_put_signed(struct sm_cbor_out *out, const char *type, const uint8_t *payload,
                        size_t len)
{
    static const char context[] = "Signature1";
    uint8_t header[PROTECTED_MAX];
    size_t header_len = protected_header(header, type, true);
    sm_cbor_put_array(out, 4);
    sm_cbor_put_text(out, context, sizeof context - 1);
    sm_cbor_put_bytes(out, header, header_len);
    sm_cbor_put_bytes(out, NULL, 0);
    sm_cbor_put_bytes(out, payload, len);
}

static void put_head(struct sm_cbor_out *out, uint64_t tag, const char *type,
                     const uint8_t *payload, size_t len)
{
    uint8_t header[PROTECTED_MAX];
    size_t header_len = protected_header(header, type, tag == TAG_SIGN1);
    sm_cbor_put_tag(out, tag);
    sm_cbor_put_array(out, 4);
    sm_cbor_put_bytes(out, header, header_len);
    sm_cbor_put_map(out, 0);
    sm_cbor_put_bytes(out, payload, len);
}

void sm_cose_put(struct sm_cbor_out *out, const char *type, const uint8_t *payload, size_t len,
                 const uint8_t sig[SM_ED25519_SIG_SIZE])
{
    put_head(out, TAG_SIGN1, type, payload, len);
    sm_cbor_put_bytes(out, sig, SM_ED25519_SIG_SIZE);
}

/* ---- Several signatures ---------------------------------------------------------------------- */

/* A signature is [{1: -8, 4: key}, {}, signature]: all of one length, so they are read by place. */
static const uint8_t before_key[] = {0x83, 0x58, 0x26, 0xa2, 0x01, 0x27, 0x04, 0x58, 0x20};
static const uint8_t before_sig[] = {0xa0, 0x58, 0x40};
#define SIGNER_AT   3u /* the protected header of a signature */
#define SIGNER_SIZE 38u
#define KEY_AT      9u
#define SIG_AT      44u
#define STRIDE      108u

_Static_assert(sizeof before_key == KEY_AT && KEY_AT + 32 + sizeof before_sig == SIG_AT &&
                   SIG_AT + SM_ED25519_SIG_SIZE == STRIDE && SIGNER_AT + SIGNER_SIZE == KEY_AT + 32,
               "the parts of a signature follow each other");

const uint8_t *sm_cose_signature_key(const struct sm_cose_sign *object, uint32_t i)
{
    return object->signatures + i * STRIDE + KEY_AT;
}

const uint8_t *sm_cose_signature(const struct sm_cose_sign *object, uint32_t i)
{
    return object->signatures + i * STRIDE + SIG_AT;
}

static const char *misfit(const struct sm_cose_sign *object, uint32_t i)
{
    const uint8_t *key = sm_cose_signature_key(object, i);
    if (memcmp(key - KEY_AT, before_key, sizeof before_key) != 0 ||
        memcmp(key + 32, before_sig, sizeof before_sig) != 0)
        return "a signature is Ed25519's and names its key, and nothing else";
    if (i > 0 && memcmp(sm_cose_signature_key(object, i - 1), key, 32) >= 0)
        return "signatures stand in ascending order of their keys, none twice";
    return NULL;
}

static int read_signatures(struct sm_cbor_in *in, struct sm_cose_sign *object)
{
    int err = sm_cbor_array(in, &object->count);
    if (err)
        return err;
    if (object->count > SM_COSE_SIGNATURES_MAX)
        return sm_cbor_refuse(in, "more signatures than an object may have");
    object->signatures = in->bytes + in->pos;
    if (in->len - in->pos != object->count * STRIDE)
        return sm_cbor_refuse(in, "the signatures do not end with the object");
    for (uint32_t i = 0; i < object->count; i++, in->pos += STRIDE) {
        const char *rule = misfit(object, i);
        in->at = in->pos;
        if (rule)
            return sm_cbor_refuse(in, rule);
    }
    return 0;
}

int sm_cose_sign_read(struct sm_cose_sign *object, const char *type, const uint8_t *bytes,
                      size_t len, struct sm_manifest_detail *detail)
{
    struct sm_cbor_in in;
    struct head h = {0};
    if (len > UINT32_MAX)
        return refuse(detail, 0, "4 GiB or more");
    sm_cbor_begin(&in, bytes, (uint32_t)len);
    if (read_head(&in, TAG_SIGN, "not a COSE_Sign object", &h) != 0 ||
        read_signatures(&in, object) != 0)
        return refuse(detail, in.at, in.rule);
    object->payload = h.payload;
    object->payload_len = h.payload_len;
    return check_type(&h, type, false, bytes, detail);
}

/* ["Signature", protected, the signer's protected, external data (none), payload] */
void sm_cose_sign_put_signed(struct sm_cbor_out *out, const char *type, const uint8_t *payload,
                             size_t len, const uint8_t key[SM_ED25519_PUBLIC_SIZE])
{
    static const char context[] = "Signature";
    uint8_t header[PROTECTED_MAX], signer[SIGNER_SIZE];
    size_t header_len = protected_header(header, type, false);
    memcpy(signer, before_key + SIGNER_AT, KEY_AT - SIGNER_AT);
    memcpy(signer + KEY_AT - SIGNER_AT, key, SM_ED25519_PUBLIC_SIZE);
    sm_cbor_put_array(out, 5);
    sm_cbor_put_text(out, context, sizeof context - 1);
    sm_cbor_put_bytes(out, header, header_len);
    sm_cbor_put_bytes(out, signer, sizeof signer);
    sm_cbor_put_bytes(out, NULL, 0);
    sm_cbor_put_bytes(out, payload, len);
}

void sm_cose_sign_put(struct sm_cbor_out *out, const char *type, const uint8_t *payload, size_t len,
                      uint32_t count)
{
    put_head(out, TAG_SIGN, type, payload, len);
    sm_cbor_put_array(out, count);
}

void sm_cose_sign_put_signature(struct sm_cbor_out *out, const uint8_t key[SM_ED25519_PUBLIC_SIZE],
                                const uint8_t sig[SM_ED25519_SIG_SIZE])
{
    uint8_t signer[SIGNER_SIZE];
    memcpy(signer, before_key + SIGNER_AT, KEY_AT - SIGNER_AT);
    memcpy(signer + KEY_AT - SIGNER_AT, key, SM_ED25519_PUBLIC_SIZE);
    sm_cbor_put_array(out, 3);
    sm_cbor_put_bytes(out, signer, sizeof signer);
    sm_cbor_put_map(out, 0);
    sm_cbor_put_bytes(out, sig, SM_ED25519_SIG_SIZE);
}

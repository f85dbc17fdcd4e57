/* The COSE_Sign1 envelope, read and written.
 *
 * Reading is strict to the byte: the protected header must be the encoding of exactly two entries,
 * so it is compared and not interpreted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cose.h"

#include <string.h>

#define TAG_SIGN1     18u
#define LABEL_ALG     1u
#define LABEL_TYPE    16u
#define ALG_EDDSA     7u /* -8: a negative integer is written as -1 minus it */
#define PROTECTED_MAX (SM_COSE_TYPE_MAX + 8u)

/* {1: -8, 16: type} */
static void put_protected(struct sm_cbor_out *out, const char *type)
{
    sm_cbor_put_map(out, 2);
    sm_cbor_put_uint(out, LABEL_ALG);
    sm_cbor_put_negative(out, ALG_EDDSA);
    sm_cbor_put_uint(out, LABEL_TYPE);
    sm_cbor_put_text(out, type, strlen(type));
}

static size_t protected_header(uint8_t bytes[PROTECTED_MAX], const char *type)
{
    struct sm_cbor_out out = {bytes, PROTECTED_MAX, 0};
    put_protected(&out, type);
    return out.len;
}

static int refuse(struct sm_manifest_detail *detail, uint32_t offset, const char *rule)
{
    *detail = (struct sm_manifest_detail){.offset = offset, .rule = rule};
    return SM_ERR_MALFORMED;
}

/* The envelope's items in order; in.rule says what is wrong. */
static int read_items(struct sm_cbor_in *in, struct sm_cose_sign1 *object, const uint8_t **header,
                      uint32_t *header_len)
{
    struct sm_cbor_map unprotected;
    uint32_t n, sig_len;
    int err = sm_cbor_tag(in, TAG_SIGN1, "not a COSE_Sign1 object");
    if (!err)
        err = sm_cbor_array(in, &n);
    if (!err && n != 4)
        err = sm_cbor_refuse(in, "a COSE_Sign1 object has four parts");
    if (!err)
        err = sm_cbor_bytes(in, header, header_len);
    if (!err)
        err = sm_cbor_map(in, &unprotected);
    if (!err && unprotected.left != 0)
        err = sm_cbor_refuse(in, "nothing unprotected may stand in the header");
    if (!err)
        err = sm_cbor_bytes(in, &object->payload, &object->payload_len);
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
    uint8_t expected[PROTECTED_MAX];
    size_t expected_len = protected_header(expected, type);
    const uint8_t *header;
    uint32_t header_len;
    if (len > UINT32_MAX)
        return refuse(detail, 0, "4 GiB or more");
    sm_cbor_begin(&in, bytes, (uint32_t)len);
    if (read_items(&in, object, &header, &header_len) != 0)
        return refuse(detail, in.at, in.rule);
    if (header_len != expected_len || memcmp(header, expected, expected_len) != 0)
        return refuse(detail, (uint32_t)(header - bytes), "signed as another kind of object");
    return 0;
}

/* ["Signature1", protected, external data (none), payload] (RFC 9052, 4.4) */
void sm_cose_put_signed(struct sm_cbor_out *out, const char *type, const uint8_t *payload,
                        size_t len)
{
    static const char context[] = "Signature1";
    uint8_t header[PROTECTED_MAX];
    size_t header_len = protected_header(header, type);
    sm_cbor_put_array(out, 4);
    sm_cbor_put_text(out, context, sizeof context - 1);
    sm_cbor_put_bytes(out, header, header_len);
    sm_cbor_put_bytes(out, NULL, 0);
    sm_cbor_put_bytes(out, payload, len);
}

void sm_cose_put(struct sm_cbor_out *out, const char *type, const uint8_t *payload, size_t len,
                 const uint8_t sig[SM_ED25519_SIG_SIZE])
{
    uint8_t header[PROTECTED_MAX];
    size_t header_len = protected_header(header, type);
    sm_cbor_put_tag(out, TAG_SIGN1);
    sm_cbor_put_array(out, 4);
    sm_cbor_put_bytes(out, header, header_len);
    sm_cbor_put_map(out, 0);
    sm_cbor_put_bytes(out, payload, len);
    sm_cbor_put_bytes(out, sig, SM_ED25519_SIG_SIZE);
}

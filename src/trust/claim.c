/* Claims: the payload that a builder signs, and the object around it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "claim.h"
#include "fields.h"

#include <stdbool.h>
#include <string.h>

enum key { KEY_FORMAT = 1, KEY_MODULE, KEY_IMAGE, KEY_LENGTH, KEY_TARGET, KEYS = KEY_TARGET };

_Static_assert(sizeof SM_CLAIM_TYPE - 1 <= SM_COSE_TYPE_MAX, "the type fits its header");

#define PAYLOAD_MAX 96u
#define LENGTH_MAX  0x7fffffffu
#define TARGET_MAX  0xffffu

static bool in_range(const struct sm_native_claim *c)
{
    return c->image_len >= 1 && c->image_len <= LENGTH_MAX && c->target >= 1 &&
           c->target <= TARGET_MAX;
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

static int read_hash(struct sm_cbor_in *in, uint8_t hash[SM_SHA256_SIZE])
{
    const uint8_t *bytes;
    int err = sm_field_id(in, &bytes);
    if (!err)
        memcpy(hash, bytes, SM_SHA256_SIZE);
    return err;
}

static int read_value(struct sm_cbor_in *in, uint32_t key, void *ctx)
{
    struct sm_native_claim *c = ctx;
    switch (key) {
    case KEY_MODULE: return read_hash(in, c->module_sha);
    case KEY_IMAGE: return read_hash(in, c->image_sha);
    case KEY_LENGTH: return sm_field_u32(in, 1, LENGTH_MAX, &c->image_len);
    default: return sm_field_u32(in, 1, TARGET_MAX, &c->target);
    }
}

int sm_claim_payload(struct sm_native_claim *claim, const uint8_t *payload, uint32_t len,
                     struct sm_manifest_detail *detail)
{
    static const struct sm_fields fields = {SM_CLAIM_FORMAT, KEYS, "a claim from the future",
                                            read_value};
    return sm_fields_read(&fields, payload, len, claim, detail);
}

int sm_claim_read(struct sm_native_claim *claim, const uint8_t *bytes, size_t len,
                  struct sm_manifest_detail *detail)
{
    struct sm_cose_sign1 object;
    int err = sm_cose_read(&object, SM_CLAIM_TYPE, bytes, len, detail);
    if (err)
        return err;
    err = sm_claim_payload(claim, object.payload, object.payload_len, detail);
    if (err)
        detail->offset += (uint32_t)(object.payload - bytes);
    return err;
}

/* ---- Writing ----------------------------------------------------------------------------------
 */

static size_t payload_of(const struct sm_native_claim *c, uint8_t bytes[PAYLOAD_MAX])
{
    struct sm_cbor_out out = {bytes, PAYLOAD_MAX, 0};
    sm_cbor_put_map(&out, KEYS);
    sm_cbor_put_uint(&out, KEY_FORMAT);
    sm_cbor_put_uint(&out, SM_CLAIM_FORMAT);
    sm_cbor_put_uint(&out, KEY_MODULE);
    sm_cbor_put_bytes(&out, c->module_sha, SM_SHA256_SIZE);
    sm_cbor_put_uint(&out, KEY_IMAGE);
    sm_cbor_put_bytes(&out, c->image_sha, SM_SHA256_SIZE);
    sm_cbor_put_uint(&out, KEY_LENGTH);
    sm_cbor_put_uint(&out, c->image_len);
    sm_cbor_put_uint(&out, KEY_TARGET);
    sm_cbor_put_uint(&out, c->target);
    return out.len;
}

int sm_claim_to_sign(const struct sm_native_claim *claim, uint8_t *out, size_t size)
{
    struct sm_cbor_out cbor = {out, size, 0};
    uint8_t payload[PAYLOAD_MAX];
    if (!in_range(claim))
        return SM_ERR_INVALID;
    sm_cose_put_signed(&cbor, SM_CLAIM_TYPE, payload, payload_of(claim, payload));
    return cbor.len <= size ? (int)cbor.len : SM_ERR_MEMORY;
}

int sm_claim_encode(const struct sm_native_claim *claim, const uint8_t sig[SM_ED25519_SIG_SIZE],
                    uint8_t *out, size_t size)
{
    struct sm_cbor_out cbor = {out, size, 0};
    uint8_t payload[PAYLOAD_MAX];
    if (!in_range(claim))
        return SM_ERR_INVALID;
    sm_cose_put(&cbor, SM_CLAIM_TYPE, payload, payload_of(claim, payload), sig);
    return cbor.len <= size ? (int)cbor.len : SM_ERR_MEMORY;
}

int sm_claim_check(const struct sm_native_claim *claim, const uint8_t module_sha[SM_SHA256_SIZE],
                   const void *image, size_t len)
{
    uint8_t sha[SM_SHA256_SIZE];
    if (memcmp(claim->module_sha, module_sha, sizeof sha) != 0)
        return SM_ERR_DENIED;
    if (len != claim->image_len)
        return SM_ERR_CORRUPT;
    sm_sha256(image, len, sha);
    return memcmp(claim->image_sha, sha, sizeof sha) == 0 ? 0 : SM_ERR_CORRUPT;
}

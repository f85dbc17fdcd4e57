/* Payloads of signed objects. SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

#include <string.h>

#include <sandmote/error.h>

_Static_assert(SM_FLEET_MAX == SM_NAME_MAX, "fleets are names");

int sm_field_invalid(struct sm_cbor_in *in, const char *rule)
{
    in->rule = rule;
    return SM_ERR_INVALID;
}

int sm_field_uint(struct sm_cbor_in *in, uint64_t min, uint64_t max, uint64_t *out)
{
    int err = sm_cbor_uint(in, out);
    return err                        ? err
           : *out < min || *out > max ? sm_field_invalid(in, "a number is out of its range")
                                      : 0;
}

int sm_field_u32(struct sm_cbor_in *in, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t v;
    int err = sm_field_uint(in, min, max, &v);
    if (!err)
        *out = (uint32_t)v;
    return err;
}

int sm_field_text(struct sm_cbor_in *in, uint32_t max, const char **text, uint32_t *len)
{
    int err = sm_cbor_text(in, text, len);
    if (err)
        return err;
    if (*len < 1 || *len > max)
        return sm_field_invalid(in, "a text is empty or too long");
    for (uint32_t i = 0; i < *len; i++)
        if ((*text)[i] < 0x21 || (*text)[i] > 0x7e)
            return sm_field_invalid(in, "only printable ASCII without spaces may stand in a text");
    return 0;
}

int sm_field_name(struct sm_cbor_in *in, char *out)
{
    const char *text;
    uint32_t len;
    int err = sm_field_text(in, SM_NAME_MAX, &text, &len);
    if (err)
        return err;
    memcpy(out, text, len);
    return sm_name_valid(out) ? 0 : sm_field_invalid(in, "not a name");
}

int sm_field_id(struct sm_cbor_in *in, const uint8_t **id)
{
    uint32_t len;
    int err = sm_cbor_bytes(in, id, &len);
    return !err && len != 32 ? sm_cbor_refuse(in, "a key and a hash have 32 bytes") : err;
}

int sm_field_count(struct sm_cbor_in *in, uint32_t min, uint32_t max, uint32_t *count)
{
    int err = sm_cbor_array(in, count);
    return err ? err
           : *count < min || *count > max
               ? sm_field_invalid(in, "a list has too few or too many items")
               : 0;
}

/* ---- The walk -------------------------------------------------------------------------------- */

static int walk(const struct sm_fields *f, struct sm_cbor_in *in, void *ctx)
{
    struct sm_cbor_map map;
    uint64_t key;
    uint32_t format;
    int err = sm_cbor_map(in, &map);
    for (uint32_t expected = 1; !err && expected <= f->keys; expected++) {
        err = sm_cbor_key(in, &map, &key);
        if (err < 0)
            return err;
        if (err == 0 || key != expected)
            return sm_cbor_refuse(in, "a key is missing or unknown");
        err =
            key == 1 ? sm_field_u32(in, f->format, f->format, &format) : f->read(in, expected, ctx);
    }
    if (!err && map.left != 0)
        err = sm_cbor_refuse(in, "a key is missing or unknown");
    return err ? err : sm_cbor_end(in);
}

/* The format stands first, and nothing of a later one is read. */
static uint64_t later_format(const uint8_t *payload, uint32_t len, uint32_t known)
{
    struct sm_cbor_in in;
    struct sm_cbor_map map;
    uint64_t key, format;
    sm_cbor_begin(&in, payload, len);
    if (sm_cbor_map(&in, &map) != 0 || sm_cbor_key(&in, &map, &key) != 1 || key != 1 ||
        sm_cbor_uint(&in, &format) != 0)
        return 0;
    return format > known ? format : 0;
}

int sm_fields_read(const struct sm_fields *f, const uint8_t *payload, uint32_t len, void *ctx,
                   struct sm_manifest_detail *detail)
{
    struct sm_cbor_in in;
    uint64_t format = later_format(payload, len, f->format);
    if (format != 0) {
        *detail = (struct sm_manifest_detail){.value = format, .rule = f->future};
        return SM_ERR_UNSUPPORTED;
    }
    sm_cbor_begin(&in, payload, len);
    int err = walk(f, &in, ctx);
    if (err)
        *detail = (struct sm_manifest_detail){.offset = in.at, .rule = in.rule};
    return err;
}

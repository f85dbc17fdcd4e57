/* Payloads of signed objects: a CBOR map with the keys 1, 2, ... and no others, the first of which
 * is the format. Beside the walk, the items that they are made of.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TRUST_FIELDS_H
#define SM_TRUST_FIELDS_H

#include <sandmote/manifest.h>
#include "cbor.h"

struct sm_fields {
    uint32_t format, keys; /* the only format known; the last key */
    const char *future;    /* what is said of a later format */
    int (*read)(struct sm_cbor_in *in, uint32_t key, void *ctx); /* the value of a key above 1 */
};

/* Read a payload. 0, or, with offset counted in it, SM_ERR_UNSUPPORTED (a later format; its number
 * in detail->value), SM_ERR_MALFORMED, or what read said. */
int sm_fields_read(const struct sm_fields *f, const uint8_t *payload, uint32_t len, void *ctx,
                   struct sm_manifest_detail *detail);

/* Items: 0, SM_ERR_MALFORMED, or SM_ERR_INVALID (out of its range), with in->rule. Texts are
 * printable ASCII without spaces, of 1 to max bytes; an id is 32 bytes, a key or a hash. */
int sm_field_invalid(struct sm_cbor_in *in, const char *rule);
int sm_field_uint(struct sm_cbor_in *in, uint64_t min, uint64_t max, uint64_t *out);
int sm_field_u32(struct sm_cbor_in *in, uint32_t min, uint32_t max, uint32_t *out);
int sm_field_text(struct sm_cbor_in *in, uint32_t max, const char **text, uint32_t *len);
int sm_field_id(struct sm_cbor_in *in, const uint8_t **id);
int sm_field_count(struct sm_cbor_in *in, uint32_t min, uint32_t max, uint32_t *count);
/* A name (sm_name_valid()), copied with its zero into SM_NAME_MAX + 1 bytes that are all zero. */
int sm_field_name(struct sm_cbor_in *in, char *out);

/* Times are seconds since 1970. */
#define SM_FIELD_TIME_MAX ((uint64_t)1 << 40)

#endif

/* Deterministic CBOR (RFC 8949, 4.2.1): a strict reader and a writer over the caller's bytes.
 *
 * Accepted is exactly one encoding of each value: numbers and lengths in their shortest form,
 * definite lengths, map keys that are unsigned integers in ascending order. What the reader takes
 * the writer gives back byte for byte, so that signed bytes have one reading.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TRUST_CBOR_H
#define SM_TRUST_CBOR_H

#include <stddef.h>
#include <stdint.h>

/* A reader. After an error, at and rule say where and why, and nothing more may be read. */
struct sm_cbor_in {
    const uint8_t *bytes;
    uint32_t len, pos;
    uint32_t at;      /* where the item that was read last began */
    const char *rule; /* NULL while all is well */
};

/* A map that is being read: how many entries are left, and the key before. */
struct sm_cbor_map {
    uint32_t left;
    uint64_t last;
    uint8_t any;
};

void sm_cbor_begin(struct sm_cbor_in *in, const uint8_t *bytes, uint32_t len);

/* Each reads one item: 0, or SM_ERR_MALFORMED with in->at and in->rule set. A text points into the
 * bytes and is not checked to be UTF-8: every text of the formats here is confined to ASCII by its
 * field. Counts never exceed the bytes that are left. */
int sm_cbor_uint(struct sm_cbor_in *in, uint64_t *value);
int sm_cbor_int(struct sm_cbor_in *in, int64_t *value); /* of either sign */
int sm_cbor_text(struct sm_cbor_in *in, const char **text, uint32_t *len);
int sm_cbor_bytes(struct sm_cbor_in *in, const uint8_t **bytes, uint32_t *len);
int sm_cbor_array(struct sm_cbor_in *in, uint32_t *count);
int sm_cbor_map(struct sm_cbor_in *in, struct sm_cbor_map *map);

/* The next key: 1 and *key, 0 at the map's end, or SM_ERR_MALFORMED. The value must be read before
 * the next call. */
int sm_cbor_key(struct sm_cbor_in *in, struct sm_cbor_map *map, uint64_t *key);

/* A tag of this number; `expected` is the rule when there is none. */
int sm_cbor_tag(struct sm_cbor_in *in, uint64_t tag, const char *expected);

/* What was read last breaks a rule of the format above: SM_ERR_MALFORMED, for returning. */
int sm_cbor_refuse(struct sm_cbor_in *in, const char *rule);

/* 0 when every byte has been read, or SM_ERR_MALFORMED. */
int sm_cbor_end(struct sm_cbor_in *in);

/* A writer. What does not fit is counted but not written: compare len with size at the end. */
struct sm_cbor_out {
    uint8_t *bytes;
    size_t size, len;
};

void sm_cbor_put_uint(struct sm_cbor_out *out, uint64_t value);
void sm_cbor_put_int(struct sm_cbor_out *out, int64_t value);
void sm_cbor_put_negative(struct sm_cbor_out *out, uint64_t value); /* -1 - value */
void sm_cbor_put_bytes(struct sm_cbor_out *out, const uint8_t *bytes, size_t len);
void sm_cbor_put_tag(struct sm_cbor_out *out, uint64_t tag);
void sm_cbor_put_text(struct sm_cbor_out *out, const char *text, size_t len);
void sm_cbor_put_array(struct sm_cbor_out *out, uint32_t count);
void sm_cbor_put_map(struct sm_cbor_out *out, uint32_t count);

#endif

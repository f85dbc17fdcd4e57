/* The strict CBOR reader and writer.
 *
 * An item begins with a head: three bits of major type and a number, which is the value of an
 * integer or the length of what follows. Everything strict about numbers is in read_head(), so no
 * caller can forget it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cbor.h"

#include <stdbool.h>
#include <sandmote/error.h>

enum major {
    MAJOR_UINT = 0,
    MAJOR_NEGATIVE = 1,
    MAJOR_BYTES = 2,
    MAJOR_TEXT = 3,
    MAJOR_ARRAY = 4,
    MAJOR_MAP = 5,
    MAJOR_TAG = 6
};

void sm_cbor_begin(struct sm_cbor_in *in, const uint8_t *bytes, uint32_t len)
{
    in->bytes = bytes;
    in->len = len;
    in->pos = in->at = 0;
    in->rule = NULL;
}

int sm_cbor_refuse(struct sm_cbor_in *in, const char *rule)
{
    in->rule = rule;
    return SM_ERR_MALFORMED;
}

/* The number of a head whose low five bits are info; extra is how many bytes hold it. */
static int read_number(struct sm_cbor_in *in, unsigned info, uint64_t *value)
{
    unsigned extra = 1u << (info - 24);
    uint64_t v = 0;
    if (extra > in->len - in->pos)
        return sm_cbor_refuse(in, "ends in the middle of an item");
    for (unsigned i = 0; i < extra; i++)
        v = v << 8 | in->bytes[in->pos++];
    /* Least value that needs this many bytes: 24, then one above what half as many can hold. */
    uint64_t least = extra == 1 ? 24 : (uint64_t)1 << (4 * extra);
    if (v < least)
        return sm_cbor_refuse(in, "a number is not in its shortest form");
    *value = v;
    return 0;
}

static int read_head(struct sm_cbor_in *in, enum major major, const char *expected, uint64_t *value)
{
    in->at = in->pos;
    if (in->pos == in->len)
        return sm_cbor_refuse(in, "ends where an item is expected");
    uint8_t head = in->bytes[in->pos++];
    unsigned info = head & 31;
    if (head >> 5 != (unsigned)major)
        return sm_cbor_refuse(in, expected);
    if (info < 24) {
        *value = info;
        return 0;
    }
    if (info == 31)
        return sm_cbor_refuse(in, "indefinite lengths are not deterministic");
    if (info > 27)
        return sm_cbor_refuse(in, "a reserved head byte");
    return read_number(in, info, value);
}

int sm_cbor_uint(struct sm_cbor_in *in, uint64_t *value)
{
    return read_head(in, MAJOR_UINT, "an unsigned integer is expected", value);
}

int sm_cbor_int(struct sm_cbor_in *in, int64_t *value)
{
    uint64_t v;
    bool negative = in->pos < in->len && in->bytes[in->pos] >> 5 == MAJOR_NEGATIVE;
    int err = read_head(in, negative ? MAJOR_NEGATIVE : MAJOR_UINT, "an integer is expected", &v);
    if (err)
        return err;
    if (v > INT64_MAX)
        return sm_cbor_refuse(in, "an integer is beyond 64 bits with a sign");
    *value = negative ? -1 - (int64_t)v : (int64_t)v;
    return 0;
}

/* A text or a byte string: n bytes that follow the head. */
static int read_string(struct sm_cbor_in *in, enum major major, const char *expected,
                       const char *too_long, const uint8_t **bytes, uint32_t *len)
{
    uint64_t n;
    int err = read_head(in, major, expected, &n);
    if (err)
        return err;
    if (n > in->len - in->pos)
        return sm_cbor_refuse(in, too_long);
    *bytes = in->bytes + in->pos;
    *len = (uint32_t)n;
    in->pos += (uint32_t)n;
    return 0;
}

int sm_cbor_text(struct sm_cbor_in *in, const char **text, uint32_t *len)
{
    const uint8_t *bytes = NULL;
    int err = read_string(in, MAJOR_TEXT, "a text is expected",
                          "a text is longer than the bytes that are left", &bytes, len);
    *text = (const char *)bytes;
    return err;
}

int sm_cbor_bytes(struct sm_cbor_in *in, const uint8_t **bytes, uint32_t *len)
{
    return read_string(in, MAJOR_BYTES, "a byte string is expected",
                       "a byte string is longer than the bytes that are left", bytes, len);
}

int sm_cbor_tag(struct sm_cbor_in *in, uint64_t tag, const char *expected)
{
    uint64_t n;
    int err = read_head(in, MAJOR_TAG, expected, &n);
    return !err && n != tag ? sm_cbor_refuse(in, expected) : err;
}

int sm_cbor_array(struct sm_cbor_in *in, uint32_t *count)
{
    uint64_t n;
    int err = read_head(in, MAJOR_ARRAY, "an array is expected", &n);
    if (err)
        return err;
    if (n > in->len - in->pos)
        return sm_cbor_refuse(in, "an array has more items than bytes are left");
    *count = (uint32_t)n;
    return 0;
}

int sm_cbor_map(struct sm_cbor_in *in, struct sm_cbor_map *map)
{
    uint64_t n;
    int err = read_head(in, MAJOR_MAP, "a map is expected", &n);
    if (err)
        return err;
    if (n > (in->len - in->pos) / 2)
        return sm_cbor_refuse(in, "a map has more entries than bytes are left");
    map->left = (uint32_t)n;
    map->any = 0;
    map->last = 0;
    return 0;
}

int sm_cbor_key(struct sm_cbor_in *in, struct sm_cbor_map *map, uint64_t *key)
{
    if (map->left == 0)
        return 0;
    int err = read_head(in, MAJOR_UINT, "a key must be an unsigned integer", key);
    if (err)
        return err;
    /* In the shortest form, ascending bytes and ascending numbers are the same order. */
    if (map->any && *key <= map->last)
        return sm_cbor_refuse(in, *key == map->last ? "a key stands twice" : "keys must ascend");
    map->any = 1;
    map->last = *key;
    map->left--;
    return 1;
}

int sm_cbor_end(struct sm_cbor_in *in)
{
    in->at = in->pos;
    return in->pos == in->len ? 0 : sm_cbor_refuse(in, "bytes follow the last item");
}

static void put(struct sm_cbor_out *out, uint8_t byte)
{
    if (out->len < out->size)
        out->bytes[out->len] = byte;
    out->len++;
}

static void put_head(struct sm_cbor_out *out, enum major major, uint64_t value)
{
    uint8_t high = (uint8_t)(major << 5);
    if (value < 24) {
        put(out, high | (uint8_t)value);
        return;
    }
    unsigned info = value <= UINT8_MAX    ? 24
                    : value <= UINT16_MAX ? 25
                    : value <= UINT32_MAX ? 26
                                          : 27;
    put(out, high | (uint8_t)info);
    for (unsigned i = 1u << (info - 24); i-- > 0;)
        put(out, (uint8_t)(value >> (8 * i)));
}

void sm_cbor_put_uint(struct sm_cbor_out *out, uint64_t value)
{
    put_head(out, MAJOR_UINT, value);
}

void sm_cbor_put_negative(struct sm_cbor_out *out, uint64_t value)
{
    put_head(out, MAJOR_NEGATIVE, value);
}

void sm_cbor_put_int(struct sm_cbor_out *out, int64_t value)
{
    if (value < 0)
        put_head(out, MAJOR_NEGATIVE, ~(uint64_t)value);
    else
        put_head(out, MAJOR_UINT, (uint64_t)value);
}

void sm_cbor_put_bytes(struct sm_cbor_out *out, const uint8_t *bytes, size_t len)
{
    put_head(out, MAJOR_BYTES, len);
    for (size_t i = 0; i < len; i++)
        put(out, bytes[i]);
}

void sm_cbor_put_tag(struct sm_cbor_out *out, uint64_t tag)
{
    put_head(out, MAJOR_TAG, tag);
}

void sm_cbor_put_text(struct sm_cbor_out *out, const char *text, size_t len)
{
    put_head(out, MAJOR_TEXT, len);
    for (size_t i = 0; i < len; i++)
        put(out, (uint8_t)text[i]);
}

void sm_cbor_put_array(struct sm_cbor_out *out, uint32_t count)
{
    put_head(out, MAJOR_ARRAY, count);
}

void sm_cbor_put_map(struct sm_cbor_out *out, uint32_t count)
{
    put_head(out, MAJOR_MAP, count);
}

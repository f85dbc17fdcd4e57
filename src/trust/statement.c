/* Statements of what is current: read in place, and written (doc/SPEC-trust.md).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "statement.h"

#include <stdbool.h>
#include <string.h>

#include "fields.h"

enum key {
    KEY_FORMAT = 1,
    KEY_FLEET,
    KEY_CHANNEL,
    KEY_ISSUED,
    KEY_EXPIRES,
    KEY_KEYS,
    KEY_MODULES,
    KEY_NONCE,
    KEYS = KEY_NONCE
};

#define PAYLOAD_MAX  1900u
#define SEQUENCE_MAX 0x7fffffffffffffffu

_Static_assert(sizeof SM_STATEMENT_TYPE - 1 <= SM_COSE_TYPE_MAX, "the type fits its header");

/* ---- Reading --------------------------------------------------------------------------------- */

static int read_channel(struct sm_cbor_in *in, struct sm_statement *st)
{
    const char *text;
    uint32_t len;
    int err = sm_field_text(in, SM_STATEMENT_CHANNEL, &text, &len);
    if (!err)
        memcpy(st->channel, text, len);
    return err;
}

/* [name, sequence] */
static int read_module(struct sm_cbor_in *in, char name[SM_NAME_MAX + 1], uint64_t *sequence)
{
    uint32_t parts;
    int err = sm_field_count(in, 2, 2, &parts);
    memset(name, 0, SM_NAME_MAX + 1);
    if (!err)
        err = sm_field_name(in, name);
    return err ? err : sm_field_uint(in, 1, SEQUENCE_MAX, sequence);
}

static int read_modules(struct sm_cbor_in *in, struct sm_statement *st)
{
    char name[2][SM_NAME_MAX + 1] = {{0}};
    uint64_t sequence;
    int err = sm_field_count(in, 0, SM_STATEMENT_MODULES, &st->nmodules);
    st->modules = in->bytes + in->pos;
    for (uint32_t i = 0; i < st->nmodules && !err; i++) {
        err = read_module(in, name[i & 1], &sequence);
        if (!err && strcmp(name[!(i & 1)], name[i & 1]) >= 0)
            err = sm_field_invalid(in, "the items of a list must ascend");
    }
    st->modules_len = (uint32_t)(in->bytes + in->pos - st->modules);
    return err;
}

/* 16 bytes, or none: an answer that was not asked for by anybody. */
static int read_nonce(struct sm_cbor_in *in, struct sm_statement *st)
{
    uint32_t len;
    int err = sm_cbor_bytes(in, &st->nonce, &len);
    if (!err && len != 0 && len != SM_STATEMENT_NONCE)
        return sm_field_invalid(in, "a nonce has 16 bytes");
    if (!err && len == 0)
        st->nonce = NULL;
    return err;
}

static int read_value(struct sm_cbor_in *in, uint32_t key, void *ctx)
{
    struct sm_statement *st = ctx;
    switch (key) {
    case KEY_FLEET: return sm_field_name(in, st->fleet);
    case KEY_CHANNEL: return read_channel(in, st);
    case KEY_ISSUED: return sm_field_uint(in, 1, SM_FIELD_TIME_MAX, &st->issued_s);
    case KEY_EXPIRES: return sm_field_uint(in, st->issued_s + 1, SM_FIELD_TIME_MAX, &st->expires_s);
    case KEY_KEYS: return sm_field_u32(in, 0, INT32_MAX, &st->keys_version);
    case KEY_MODULES: return read_modules(in, st);
    default: return read_nonce(in, st);
    }
}

int sm_statement_payload(struct sm_statement *st, const uint8_t *payload, uint32_t len,
                         struct sm_manifest_detail *detail)
{
    static const struct sm_fields fields = {SM_STATEMENT_FORMAT, KEYS,
                                            "a statement from the future", read_value};
    memset(st, 0, sizeof *st);
    return sm_fields_read(&fields, payload, len, st, detail);
}

int sm_statement_read(struct sm_statement *st, const uint8_t *bytes, size_t len,
                      struct sm_manifest_detail *detail)
{
    struct sm_cose_sign1 object;
    if (len > SM_STATEMENT_MAX) {
        *detail = (struct sm_manifest_detail){.rule = "longer than a statement may be"};
        return SM_ERR_LIMIT;
    }
    int err = sm_cose_read(&object, SM_STATEMENT_TYPE, bytes, len, detail);
    if (err)
        return err;
    err = sm_statement_payload(st, object.payload, object.payload_len, detail);
    if (err)
        detail->offset += (uint32_t)(object.payload - bytes);
    return err;
}

int sm_statement_sequence(const struct sm_statement *st, const char *name, uint64_t *sequence)
{
    struct sm_cbor_in in;
    char have[SM_NAME_MAX + 1];
    sm_cbor_begin(&in, st->modules, st->modules_len);
    for (uint32_t i = 0; i < st->nmodules && read_module(&in, have, sequence) == 0; i++)
        if (strcmp(have, name) == 0)
            return 0;
    return SM_ERR_NOT_FOUND;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void put_number(struct sm_cbor_out *out, uint32_t key, uint64_t value)
{
    sm_cbor_put_uint(out, key);
    sm_cbor_put_uint(out, value);
}

static void put_text(struct sm_cbor_out *out, const char *text)
{
    sm_cbor_put_text(out, text, strlen(text));
}

static size_t payload_of(const struct sm_statement_plan *p, uint8_t bytes[PAYLOAD_MAX])
{
    struct sm_cbor_out out = {bytes, PAYLOAD_MAX, 0};
    sm_cbor_put_map(&out, KEYS);
    put_number(&out, KEY_FORMAT, SM_STATEMENT_FORMAT);
    sm_cbor_put_uint(&out, KEY_FLEET);
    put_text(&out, p->fleet);
    sm_cbor_put_uint(&out, KEY_CHANNEL);
    put_text(&out, p->channel);
    put_number(&out, KEY_ISSUED, p->issued_s);
    put_number(&out, KEY_EXPIRES, p->expires_s);
    put_number(&out, KEY_KEYS, p->keys_version);
    sm_cbor_put_uint(&out, KEY_MODULES);
    sm_cbor_put_array(&out, p->nmodules);
    for (uint32_t i = 0; i < p->nmodules; i++) {
        sm_cbor_put_array(&out, 2);
        put_text(&out, p->module[i].name);
        sm_cbor_put_uint(&out, p->module[i].sequence);
    }
    sm_cbor_put_uint(&out, KEY_NONCE);
    sm_cbor_put_bytes(&out, p->nonce, p->answers ? sizeof p->nonce : 0);
    return out.len;
}
/* Names, a sequence of 9 bytes and heads for each module, and what stands before them. */
_Static_assert(SM_STATEMENT_MODULES *(SM_NAME_MAX + 12) + SM_FLEET_MAX + SM_STATEMENT_CHANNEL +
                       64 <=
                   PAYLOAD_MAX,
               "a full statement fits");

int sm_statement_to_sign(const struct sm_statement_plan *plan, uint8_t *out, size_t size)
{
    struct sm_cbor_out cbor = {out, size, 0};
    uint8_t payload[PAYLOAD_MAX];
    sm_cose_put_signed(&cbor, SM_STATEMENT_TYPE, payload, payload_of(plan, payload));
    return cbor.len <= size ? (int)cbor.len : SM_ERR_MEMORY;
}

int sm_statement_encode(const struct sm_statement_plan *plan,
                        const uint8_t sig[SM_ED25519_SIG_SIZE], uint8_t *out, size_t size)
{
    struct sm_cbor_out cbor = {out, size, 0};
    uint8_t payload[PAYLOAD_MAX];
    sm_cose_put(&cbor, SM_STATEMENT_TYPE, payload, payload_of(plan, payload), sig);
    return cbor.len <= size ? (int)cbor.len : SM_ERR_MEMORY;
}

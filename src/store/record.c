/* The codec of boot records: a struct to 704 bytes and back (doc/SPEC-store.md, "Record").
 *
 * Pure: bytes in, struct out. Whatever passes the checksum is still checked field by field, so
 * that a struct from here is safe to act on; offsets and lengths against the size of a slot are
 * checked by whoever uses them.
 *
 * CRC-32C, not a truncated SHA-256: torn and rotten bytes are accidents, and against accidents a
 * CRC promises what a hash cannot (every burst up to 32 bits and every change of up to three bits
 * in a record is found); whoever can write the flash on purpose could compute either. It also
 * keeps the store free of the crypto library. Records are written twice besides.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "codec.h"

#define MAGIC  0x31524d53u /* "SMR1" */
#define FORMAT 1u

enum { /* offsets in a record */
       AT_MAGIC = 0,
       AT_FORMAT = 4,
       AT_ZERO = 5,
       AT_INDEX = 6,
       AT_SEQ = 8,
       AT_LAYOUT = 16,
       AT_TIME = 20,
       AT_FLOOR = 24,
       AT_ACTIVE = 32,
       AT_BOOTS = 33,
       AT_TRAPS = 34,
       AT_ZERO2 = 35,
       AT_TRAP_TIME = 36,
       AT_FAILED = 48,
       AT_FLEET = 96,
       AT_NAME = 128,
       AT_SLOT = 160,
       AT_GENERATION = 688,
       AT_COPIED = 692,
       AT_ZERO3 = 694,
       AT_SET = 696,
       AT_CRC = 700
};

enum { /* offsets in a slot's part */
       SLOT_STATE = 0,
       SLOT_TRAP_CODE = 1,
       SLOT_TRAPS = 2,
       SLOT_EVENTS = 4,
       SLOT_INSTALL = 8,
       SLOT_SEQUENCE = 16,
       SLOT_FLOOR = 24,
       SLOT_LEN = 32,
       SLOT_RECEIVED = 36,
       SLOT_IMAGE_OFF = 40,
       SLOT_IMAGE_LEN = 44,
       SLOT_BUILD = 48,
       SLOT_TRAP_FUNC = 52,
       SLOT_TRAP_OFFSET = 56,
       SLOT_ERROR = 60,
       SLOT_MODULE_SHA = 64,
       SLOT_IMAGE_SHA = 96,
       SLOT_VERSION = 128,
       SLOT_ACTION = 160,
       SLOT_DETAIL = 184,
       SLOT_SIZE = 264
};

_Static_assert(AT_SLOT + 2 * SLOT_SIZE == AT_GENERATION, "the slots' parts fill their room");
_Static_assert(AT_SET + 4 == AT_CRC, "nothing lies between");
_Static_assert(AT_CRC + 4 == SM_RECORD_SIZE, "the checksum is last");
_Static_assert(SLOT_DETAIL + SM_STORE_DETAIL - 1 == SLOT_SIZE, "the detail is last in a slot");

static void put_text(uint8_t *out, const char *text, size_t room)
{
    size_t len = 0;

    while (len < room && text[len] != 0)
        len++;
    memset(out, 0, room);
    memcpy(out, text, len);
}

/* A text is printable ASCII followed by nothing but zeros. out has room + 1 bytes. */
static bool get_text(char *out, const uint8_t *in, size_t room)
{
    size_t len = 0;

    while (len < room && in[len] >= 0x20 && in[len] < 0x7f)
        len++;
    memcpy(out, in, len);
    memset(out + len, 0, room + 1 - len);
    while (len < room && in[len] == 0)
        len++;
    return len == room;
}

static void encode_slot(const struct sm_slot *s, uint8_t *out)
{
    out[SLOT_STATE] = s->state;
    out[SLOT_TRAP_CODE] = s->trap_code;
    put_u16(out + SLOT_TRAPS, s->traps);
    put_u32(out + SLOT_EVENTS, s->unreported);
    put_u64(out + SLOT_INSTALL, s->install);
    put_u64(out + SLOT_SEQUENCE, s->sequence);
    put_u64(out + SLOT_FLOOR, s->floor);
    put_u32(out + SLOT_LEN, s->module_len);
    put_u32(out + SLOT_RECEIVED, s->received);
    put_u32(out + SLOT_IMAGE_OFF, s->image_off);
    put_u32(out + SLOT_IMAGE_LEN, s->image_len);
    put_u32(out + SLOT_BUILD, s->image_build);
    put_u32(out + SLOT_TRAP_FUNC, s->trap_func);
    put_u32(out + SLOT_TRAP_OFFSET, s->trap_offset);
    put_u32(out + SLOT_ERROR, (uint32_t)s->error);
    memcpy(out + SLOT_MODULE_SHA, s->module_sha, 32);
    memcpy(out + SLOT_IMAGE_SHA, s->image_sha, 32);
    put_text(out + SLOT_VERSION, s->version, SM_STORE_VERSION - 1);
    put_text(out + SLOT_ACTION, s->action, SM_STORE_ACTION - 1);
    put_text(out + SLOT_DETAIL, s->detail, SM_STORE_DETAIL - 1);
}

static bool decode_slot(struct sm_slot *s, const uint8_t *in)
{
    s->state = in[SLOT_STATE];
    s->trap_code = in[SLOT_TRAP_CODE];
    s->traps = get_u16(in + SLOT_TRAPS);
    s->unreported = get_u32(in + SLOT_EVENTS);
    s->install = get_u64(in + SLOT_INSTALL);
    s->sequence = get_u64(in + SLOT_SEQUENCE);
    s->floor = get_u64(in + SLOT_FLOOR);
    s->module_len = get_u32(in + SLOT_LEN);
    s->received = get_u32(in + SLOT_RECEIVED);
    s->image_off = get_u32(in + SLOT_IMAGE_OFF);
    s->image_len = get_u32(in + SLOT_IMAGE_LEN);
    s->image_build = get_u32(in + SLOT_BUILD);
    s->trap_func = get_u32(in + SLOT_TRAP_FUNC);
    s->trap_offset = get_u32(in + SLOT_TRAP_OFFSET);
    s->error = (int32_t)get_u32(in + SLOT_ERROR);
    memcpy(s->module_sha, in + SLOT_MODULE_SHA, 32);
    memcpy(s->image_sha, in + SLOT_IMAGE_SHA, 32);
    return s->state < SM_SLOT_STATES && s->unreported < 1u << SM_EVENTS &&
           s->received <= s->module_len && s->error <= 0 &&
           get_text(s->version, in + SLOT_VERSION, SM_STORE_VERSION - 1) &&
           get_text(s->action, in + SLOT_ACTION, SM_STORE_ACTION - 1) &&
           get_text(s->detail, in + SLOT_DETAIL, SM_STORE_DETAIL - 1);
}

void sm_record_encode(const struct sm_record *r, const struct sm_record_tag *tag,
                      uint8_t out[SM_RECORD_SIZE])
{
    memset(out, 0, SM_RECORD_SIZE);
    put_u32(out + AT_MAGIC, MAGIC);
    out[AT_FORMAT] = FORMAT;
    put_u16(out + AT_INDEX, tag->index);
    put_u64(out + AT_SEQ, r->seq);
    put_u32(out + AT_LAYOUT, tag->layout_id);
    put_u32(out + AT_TIME, r->time_s);
    put_u64(out + AT_FLOOR, r->floor);
    out[AT_ACTIVE] = r->active;
    out[AT_BOOTS] = r->boots_left;
    out[AT_TRAPS] = r->trap_count;
    for (unsigned i = 0; i < SM_STORE_TRAPS; i++)
        put_u32(out + AT_TRAP_TIME + 4 * i, r->trap_time_s[i]);
    for (unsigned i = 0; i < SM_STORE_FAILED; i++) {
        memcpy(out + AT_FAILED + 12 * i, r->failed[i].sha, 8);
        put_u32(out + AT_FAILED + 12 * i + 8, r->failed[i].action);
    }
    put_text(out + AT_FLEET, r->fleet, SM_STORE_NAME - 1);
    put_text(out + AT_NAME, r->name, SM_STORE_NAME - 1);
    encode_slot(&r->slot[0], out + AT_SLOT);
    encode_slot(&r->slot[1], out + AT_SLOT + SLOT_SIZE);
    put_u32(out + AT_GENERATION, tag->generation);
    put_u16(out + AT_COPIED, tag->copied);
    put_u32(out + AT_SET, r->set);
    put_u32(out + AT_CRC, sm_crc32c(0, out, AT_CRC));
}

static bool all_zero(const uint8_t *p, size_t len)
{
    while (len > 0 && *p == 0)
        p++, len--;
    return len == 0;
}

static bool tried(const struct sm_slot *s)
{
    return s->state == SM_SLOT_TRIAL || s->state == SM_SLOT_STAGED;
}

/* The state as a whole makes sense: at most one slot on trial or waiting for it, the active one
 * committed. */
static bool coherent(const struct sm_record *r)
{
    if (r->active != SM_STORE_NO_SLOT &&
        (r->active > 1 || r->slot[r->active].state != SM_SLOT_COMMITTED))
        return false;
    return !tried(&r->slot[0]) || !tried(&r->slot[1]);
}

int sm_record_decode(const uint8_t in[SM_RECORD_SIZE], struct sm_record *r,
                     struct sm_record_tag *tag)
{
    if (get_u32(in + AT_MAGIC) != MAGIC || get_u32(in + AT_CRC) != sm_crc32c(0, in, AT_CRC))
        return SM_ERR_CORRUPT;
    if (in[AT_FORMAT] != FORMAT)
        return SM_ERR_UNSUPPORTED;
    memset(r, 0, sizeof *r);
    tag->index = get_u16(in + AT_INDEX);
    tag->layout_id = get_u32(in + AT_LAYOUT);
    tag->generation = get_u32(in + AT_GENERATION);
    tag->copied = get_u16(in + AT_COPIED);
    r->seq = get_u64(in + AT_SEQ);
    r->set = get_u32(in + AT_SET);
    r->time_s = get_u32(in + AT_TIME);
    r->floor = get_u64(in + AT_FLOOR);
    r->active = in[AT_ACTIVE];
    r->boots_left = in[AT_BOOTS];
    r->trap_count = in[AT_TRAPS];
    for (unsigned i = 0; i < SM_STORE_TRAPS; i++)
        r->trap_time_s[i] = get_u32(in + AT_TRAP_TIME + 4 * i);
    for (unsigned i = 0; i < SM_STORE_FAILED; i++) {
        memcpy(r->failed[i].sha, in + AT_FAILED + 12 * i, 8);
        r->failed[i].action = get_u32(in + AT_FAILED + 12 * i + 8);
    }
    if (!decode_slot(&r->slot[0], in + AT_SLOT) ||
        !decode_slot(&r->slot[1], in + AT_SLOT + SLOT_SIZE) ||
        !get_text(r->fleet, in + AT_FLEET, SM_STORE_NAME - 1) ||
        !get_text(r->name, in + AT_NAME, SM_STORE_NAME - 1))
        return SM_ERR_MALFORMED;
    if (tag->generation == 0 || tag->generation >= SM_STORE_GENERATION_MAX || r->seq == 0 ||
        r->seq >= SM_STORE_SEQ_MAX || r->trap_count > SM_STORE_TRAPS || in[AT_ZERO] != 0 ||
        in[AT_ZERO2] != 0 || !all_zero(in + AT_ZERO3, AT_SET - AT_ZERO3) || !coherent(r))
        return SM_ERR_MALFORMED;
    return 0;
}

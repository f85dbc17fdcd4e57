/* The messages of updates in blocks (include/sandmote/blocks.h): one table says of what fields each
 * kind consists, for reading and for writing.
 *
 * Every message has exactly one form: numbers are little-endian and of fixed width, texts carry
 * their length, nothing may follow the last field. So there is nothing to skip and nothing
 * optional. Deterministic CBOR, which is what is signed elsewhere, would cost a fifth of a 240-byte
 * message and a parser that can be deep; nothing here is signed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/blocks.h>
#include "text.h"

enum field_type { END, U8, U16, U32, U64, PART, TEXT, REST };

/* most: of a number's value, of a text's bytes; the bytes of a PART. least: of a number. */
struct field {
    uint8_t type;
    uint8_t at;
    uint32_t least, most;
};

_Static_assert(sizeof(struct sm_blocks_msg) <= 256, "offsets of fields are one byte");

#define AT(member) (uint8_t) offsetof(struct sm_blocks_msg, member)
#define TOKEN                                                                                      \
    {                                                                                              \
        U32, AT(token), 0, UINT32_MAX                                                              \
    }
#define ANY8  0, UINT8_MAX
#define ANY32 0, UINT32_MAX
#define MODULE                                                                                     \
    {TEXT, AT(name), 0, SM_NAME_MAX}, {TEXT, AT(version), 0, SM_VERSION_MAX},                      \
        {U64, AT(sequence), 0, 0},                                                                 \
    {                                                                                              \
        PART, AT(sha), 0, SM_SHA256_SIZE                                                           \
    }

static const struct field poll[] = {TOKEN,
                                    {U8, AT(format), 1, UINT8_MAX},
                                    {U16, AT(size), SM_BLOCKS_LEAST, SM_BLOCKS_MOST},
                                    {U32, AT(keys), ANY32},
                                    {TEXT, AT(fleet), 1, SM_FLEET_MAX},
                                    {END, 0, 0, 0}};
static const struct field ask[] = {TOKEN,
                                   {U8, AT(what), SM_BLOCKS_MODULE, SM_BLOCKS_CLAIM},
                                   {U32, AT(number), ANY32},
                                   {PART, AT(nonce), 0, SM_STATEMENT_NONCE},
                                   {TEXT, AT(action), 0, SM_STORE_ACTION - 1},
                                   {TEXT, AT(fleet), 1, SM_FLEET_MAX},
                                   {END, 0, 0, 0}};
static const struct field want[] = {{U32, AT(tag), ANY32},
                                    {U16, AT(size), 1, SM_BLOCKS_MOST - SM_BLOCKS_HEAD},
                                    {U32, AT(first), ANY32},
                                    {U32, AT(mask), 1, UINT32_MAX},
                                    {END, 0, 0, 0}};
static const struct field report[] = {TOKEN,
                                      {U64, AT(id), 0, 0},
                                      {U8, AT(event), 0, SM_EVENTS - 1},
                                      {U32, AT(error), ANY32},
                                      {U64, AT(uptime_ms), 0, 0},
                                      MODULE,
                                      {TEXT, AT(detail), 0, SM_BLOCKS_TEXT},
                                      {END, 0, 0, 0}};
static const struct field result[] = {TOKEN,
                                      {U8, AT(outcome), 0, 2},
                                      {TEXT, AT(action), 1, SM_STORE_ACTION - 1},
                                      {TEXT, AT(detail), 0, SM_BLOCKS_TEXT},
                                      {END, 0, 0, 0}};
static const struct field state[] = {
    TOKEN,  {U8, AT(flags), 0, 15}, {U32, AT(keys), ANY32}, {U32, AT(seconds), ANY32},
    MODULE, {TEXT, AT(cls), 0, 16}, {END, 0, 0, 0}};
static const struct field note[] = {TOKEN,
                                    {U32, AT(number), 1, UINT32_MAX},
                                    {U32, AT(length), 1, SM_BLOCKS_NOTES_MOST},
                                    {U32, AT(tag), ANY32},
                                    {U32, AT(first), 0, SM_BLOCKS_NOTES_MOST - 1},
                                    {REST, AT(bytes), 1, 0},
                                    {END, 0, 0, 0}};
static const struct field status[] = {TOKEN,
                                      {U32, AT(seconds), 1, 0x7fffffff},
                                      {U32, AT(keys), ANY32},
                                      {U8, AT(flags), 0, 7},
                                      {U8, AT(count), ANY8},
                                      {TEXT, AT(action), 0, SM_STORE_ACTION - 1},
                                      {END, 0, 0, 0}};
static const struct field offer[] = {TOKEN,
                                     {U8, AT(what), SM_BLOCKS_MODULE, SM_BLOCKS_CLAIM},
                                     {U32, AT(number), ANY32},
                                     {U8, AT(flags), 0, 3},
                                     {U32, AT(length), 1, 0x7fffffff},
                                     {PART, AT(signature), 0, SM_SIGNATURE_BYTES},
                                     MODULE,
                                     {END, 0, 0, 0}};
static const struct field block[] = {
    {U32, AT(tag), ANY32}, {U32, AT(number), ANY32}, {REST, AT(bytes), 1, 0}, {END, 0, 0, 0}};
static const struct field none[] = {TOKEN, {END, 0, 0, 0}};
static const struct field news[] = {{END, 0, 0, 0}};
static const struct field from[] = {
    TOKEN, {U32, AT(first), 0, SM_BLOCKS_NOTES_MOST}, {END, 0, 0, 0}};

static const struct field *fields_of(uint8_t kind)
{
    switch (kind) {
    case SM_BLOCKS_POLL: return poll;
    case SM_BLOCKS_ASK: return ask;
    case SM_BLOCKS_WANT: return want;
    case SM_BLOCKS_REPORT: return report;
    case SM_BLOCKS_RESULT: return result;
    case SM_BLOCKS_STATE: return state;
    case SM_BLOCKS_NOTE: return note;
    case SM_BLOCKS_STATUS: return status;
    case SM_BLOCKS_OFFER: return offer;
    case SM_BLOCKS_BLOCK: return block;
    case SM_BLOCKS_NONE:
    case SM_BLOCKS_ACK: return none;
    case SM_BLOCKS_NEWS: return news;
    case SM_BLOCKS_FROM: return from;
    default: return NULL;
    }
}

static size_t width(const struct field *f)
{
    static const uint8_t widths[] = {[U8] = 1, [U16] = 2, [U32] = 4, [U64] = 8};
    return f->type == PART ? f->most : f->type < sizeof widths ? widths[f->type] : 0;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static uint64_t get(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static bool in_range(const struct field *f, uint64_t v)
{
    return f->type == U64 || (v >= f->least && v <= f->most);
}

static bool printable(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] >= 0x7f)
            return false;
    return true;
}

/* A text at p, of which left bytes are there; the bytes it takes with its length, or 0. */
static size_t read_text(const struct field *f, struct sm_blocks_text *t, const uint8_t *p,
                        size_t left)
{
    if (left == 0 || p[0] > left - 1 || p[0] < f->least || p[0] > f->most)
        return 0;
    *t = (struct sm_blocks_text){(const char *)p + 1, p[0]};
    return printable(t->at, t->len) ? 1u + t->len : 0;
}

/* One field; the bytes it takes, or 0. */
static size_t read_field(const struct field *f, struct sm_blocks_msg *m, const uint8_t *p,
                         size_t left)
{
    void *to = (uint8_t *)m + f->at;
    size_t n = width(f);

    if (f->type == TEXT)
        return read_text(f, to, p, left);
    if (f->type == REST) {
        m->bytes = p;
        m->bytes_len = (uint16_t)left;
        return left;
    }
    if (left < n)
        return 0;
    uint64_t v = f->type == PART ? 0 : get(p, n);
    switch (f->type) {
    case U8: *(uint8_t *)to = (uint8_t)v; break;
    case U16: *(uint16_t *)to = (uint16_t)v; break;
    case U32: *(uint32_t *)to = (uint32_t)v; break;
    case U64: *(uint64_t *)to = v; break;
    default: *(const uint8_t **)to = p; return n;
    }
    return in_range(f, v) ? n : 0;
}

int sm_blocks_decode(struct sm_blocks_msg *out, const uint8_t *bytes, size_t len)
{
    const struct field *f = len > 0 ? fields_of(bytes[0]) : NULL;
    size_t at = 1;

    if (len == 0 || len > SM_BLOCKS_MOST)
        return SM_ERR_MALFORMED;
    if (f == NULL)
        return SM_ERR_UNSUPPORTED;
    memset(out, 0, sizeof *out);
    out->kind = bytes[0];
    for (; f->type != END; f++) {
        size_t n = read_field(f, out, bytes + at, len - at);
        if (n == 0)
            return SM_ERR_MALFORMED;
        at += n;
    }
    return at == len ? 0 : SM_ERR_MALFORMED;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static uint64_t number_of(const struct field *f, const void *from)
{
    switch (f->type) {
    case U8: return *(const uint8_t *)from;
    case U16: return *(const uint16_t *)from;
    case U32: return *(const uint32_t *)from;
    default: return *(const uint64_t *)from;
    }
}

/* What a field takes, or 0 when its value may not be written. */
static size_t measure(const struct field *f, const struct sm_blocks_msg *m)
{
    const void *from = (const uint8_t *)m + f->at;
    const struct sm_blocks_text *t = from;

    if (f->type == TEXT)
        return t->len >= f->least && t->len <= f->most && (t->len == 0 || printable(t->at, t->len))
                   ? 1u + t->len
                   : 0;
    if (f->type == REST)
        return m->bytes_len;
    return f->type == PART || in_range(f, number_of(f, from)) ? width(f) : 0;
}

static void write_field(const struct field *f, const struct sm_blocks_msg *m, uint8_t *p)
{
    const void *from = (const uint8_t *)m + f->at;
    const struct sm_blocks_text *t = from;

    if (f->type == TEXT) {
        p[0] = t->len;
        if (t->len > 0)
            memcpy(p + 1, t->at, t->len);
    } else if (f->type == REST) {
        memcpy(p, m->bytes, m->bytes_len);
    } else if (f->type == PART) {
        const uint8_t *part = *(const uint8_t *const *)from;
        if (part != NULL)
            memcpy(p, part, f->most);
        else
            memset(p, 0, f->most); /* what does not apply */
    } else {
        uint64_t v = number_of(f, from);
        for (size_t i = 0; i < width(f); i++)
            p[i] = (uint8_t)(v >> 8 * i);
    }
}

int sm_blocks_encode(const struct sm_blocks_msg *m, uint8_t *out, size_t size)
{
    const struct field *f = fields_of(m->kind);
    size_t at = 1;

    if (f == NULL)
        return SM_ERR_ARG;
    if (size < 1)
        return SM_ERR_MEMORY;
    out[0] = m->kind;
    for (; f->type != END; f++) {
        size_t n = measure(f, m);
        if (n == 0)
            return SM_ERR_ARG;
        if (n > size - at)
            return SM_ERR_MEMORY;
        write_field(f, m, out + at);
        at += n;
    }
    return (int)at;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

struct sm_blocks_text sm_blocks_text(const char *s)
{
    size_t len = 0;
    while (len < SM_BLOCKS_TEXT && s[len] != 0)
        len++;
    return (struct sm_blocks_text){s, (uint8_t)len};
}

void sm_blocks_copy(struct sm_blocks_text t, char *out, size_t size)
{
    sm_text(out, size, "%.*s", (int)t.len, t.at);
}

uint32_t sm_blocks_tag(const uint8_t sha[SM_SHA256_SIZE])
{
    return (uint32_t)get(sha, 4);
}

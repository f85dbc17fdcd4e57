/* The walk over a module's sections.
 *
 * Invariant: start <= payload <= end <= len, so a walk never leaves the file and always advances.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "section.h"

#include <string.h>

static int refuse(struct sm_manifest_detail *detail, uint32_t offset, int err, const char *rule)
{
    *detail = (struct sm_manifest_detail){.offset = offset, .rule = rule};
    return err;
}

/* An unsigned LEB128 number of 32 bits at *pos, below end. Longer forms than needed are legal in
 * WebAssembly (linkers pad lengths), at most 5 bytes are. NULL, or the rule that it breaks. */
static const char *read_u32(const uint8_t *bytes, uint32_t end, uint32_t *pos, uint32_t *value)
{
    uint32_t v = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (*pos == end)
            return "unexpected end";
        uint8_t byte = bytes[(*pos)++];
        if (shift == 28 && (byte & 0x70))
            return "integer too large";
        v |= (uint32_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *value = v;
            return NULL;
        }
    }
    return "integer representation too long";
}

int sm_section_begin(struct sm_section *s, const uint8_t *wasm, size_t len,
                     struct sm_manifest_detail *detail)
{
    static const uint8_t header[SM_MODULE_HEADER] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    if (len > UINT32_MAX)
        return refuse(detail, 0, SM_ERR_LIMIT, "the file has 4 GiB or more");
    if (len < sizeof header || memcmp(wasm, header, 4) != 0)
        return refuse(detail, 0, SM_ERR_MALFORMED, "not a WebAssembly module");
    if (memcmp(wasm, header, sizeof header) != 0)
        return refuse(detail, 4, SM_ERR_MALFORMED, "not version 1 of the module format");
    *s = (struct sm_section){.wasm = wasm, .len = (uint32_t)len, .end = SM_MODULE_HEADER};
    return 0;
}

int sm_section_next(struct sm_section *s, struct sm_manifest_detail *detail)
{
    if (s->end == s->len)
        return 0;
    uint32_t pos = s->end, size;
    s->start = pos;
    s->id = s->wasm[pos++];
    const char *rule = read_u32(s->wasm, s->len, &pos, &size);
    if (rule)
        return refuse(detail, pos, SM_ERR_MALFORMED, rule);
    if (size > s->len - pos)
        return refuse(detail, s->start, SM_ERR_MALFORMED, "a section goes beyond the file");
    s->payload = pos;
    s->end = pos + size;
    return 1;
}

bool sm_section_named(const struct sm_section *s, const char *name, uint32_t *content)
{
    uint32_t pos = s->payload, len;
    if (s->id != 0 || read_u32(s->wasm, s->end, &pos, &len) || len > s->end - pos)
        return false;
    if (len != strlen(name) || memcmp(s->wasm + pos, name, len) != 0)
        return false;
    *content = pos + len;
    return true;
}

/* Cursor over a module's bytes with a sticky error.
 *
 * After the first error every read returns 0 and moves nothing, so callers check once per
 * construct instead of once per byte. Encodings: WebAssembly 2.0, section 5.2.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_READER_H
#define SM_WASM_READER_H

#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>

struct sm_reader {
    const uint8_t *base; /* offset 0 of the module */
    uint32_t pos, end;   /* offsets from base */
    int err;             /* 0 or the first negative sm_err */
    uint32_t err_pos;
    const char *rule;
};

void sm_reader_init(struct sm_reader *r, const uint8_t *base, uint32_t pos, uint32_t end);
void sm_reader_fail(struct sm_reader *r, uint32_t pos, int err, const char *rule);
uint8_t sm_reader_end(struct sm_reader *r);
static inline uint8_t sm_reader_byte(struct sm_reader *r)
{
    return r->pos < r->end ? r->base[r->pos++] : sm_reader_end(r);
}
uint32_t sm_reader_u32(struct sm_reader *r);
int32_t sm_reader_s32(struct sm_reader *r);
int64_t sm_reader_s33(struct sm_reader *r);
int64_t sm_reader_s64(struct sm_reader *r);
uint32_t sm_reader_fixed32(struct sm_reader *r);
uint64_t sm_reader_fixed64(struct sm_reader *r);
/* Step over len bytes; their start, or NULL when they are not there. */
const uint8_t *sm_reader_skip(struct sm_reader *r, uint32_t len);
/* A length-prefixed UTF-8 name. */
const uint8_t *sm_reader_name(struct sm_reader *r, uint32_t *len);

#endif

/* Operators and their immediates (WebAssembly 2.0, section 5.4). SPDX-License-Identifier:
 * Apache-2.0 */
#include "gen.h"

static void prefixed(struct sm_reader *r, struct op *op)
{
    uint32_t n = sm_reader_u32(r);

    op->code = (uint16_t)(0xfc00 | n);
    switch (n) {
    case 8:
    case 10:
    case 12:
    case 14:
        op->a = sm_reader_u32(r);
        op->b = sm_reader_u32(r);
        break;
    case 9:
    case 11:
    case 13:
    case 15:
    case 16:
    case 17: op->a = sm_reader_u32(r); break;
    default: break;
    }
}

void op_read(struct sm_reader *r, struct op *op)
{
    uint32_t n;

    *op = (struct op){.at = r->pos};
    op->code = sm_reader_byte(r);
    switch (op->code) {
    case 0x02:
    case 0x03:
    case 0x04: op->type = sm_reader_s33(r); break;
    case 0x0c:
    case 0x0d:
    case 0x0e:
    case 0x10:
    case 0x20:
    case 0x21:
    case 0x22:
    case 0x23:
    case 0x24:
    case 0x25:
    case 0x26:
    case 0xd2: op->a = sm_reader_u32(r); break;
    case 0x11:
        op->a = sm_reader_u32(r);
        op->b = sm_reader_u32(r);
        break;
    case 0x1c:
        n = sm_reader_u32(r);
        sm_reader_skip(r, n);
        break;
    case 0x3f:
    case 0x40:
    case 0xd0: sm_reader_byte(r); break;
    case 0x41: op->bits = (uint32_t)sm_reader_s32(r); break;
    case 0x42: op->bits = (uint64_t)sm_reader_s64(r); break;
    case 0x43: op->bits = sm_reader_fixed32(r); break;
    case 0x44: op->bits = sm_reader_fixed64(r); break;
    case 0xfc: prefixed(r, op); break;
    default:
        if (op->code >= 0x28 && op->code <= 0x3e) {
            op->a = sm_reader_u32(r);
            op->b = sm_reader_u32(r);
        }
    }
}

void op_skip(struct sm_reader *r, struct op *op)
{
    op_read(r, op);
    if (op->code == 0x0e) {
        for (uint64_t n = (uint64_t)op->a + 1; n > 0 && !r->err; n--) {
            sm_reader_u32(r);
        }
    }
}

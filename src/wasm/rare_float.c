/* Operators on floating point outside the interpreter's loop. An engine without floats has none.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "numeric.h"
#include "ops.h"
#include "rare.h"

#if SM_FLOATS

#define F(p)    sm_f32(*(p))
#define D(p)    sm_f64(sm_get64(p))
#define SETF(v) (*d = sm_bits32(v))
#define SETD(v) sm_set64(d, sm_bits64(v))
#define L(p)    sm_get64(p)

/* A conversion to an integer: what its number says, SM_OPS_RARE_1's order. */
static int to_integer(uint32_t n, uint32_t *d, const uint32_t *a)
{
    bool to_64 = n & 4;
    uint64_t v;
    int err = sm_to_integer(&v, n & 2 ? D(a) : (double)F(a), n & 1, to_64);

    if (err != SM_CONVERTED && !(n & 8)) {
        return err == SM_NOT_A_NUMBER ? -SM_TRAP_CONVERSION : -SM_TRAP_OVERFLOW;
    }
    d[0] = (uint32_t)v;
    if (to_64) {
        d[1] = (uint32_t)(v >> 32);
    }
    return 3;
}

int sm_rare_float_1(uint32_t op, uint32_t *d, const uint32_t *a)
{
    switch (op) {
    case OP_F32_ABS: *d = *a & 0x7fffffff; break;
    case OP_F32_NEG: *d = *a ^ 0x80000000; break;
    case OP_F32_CEIL: SETF(sm_ceil32(F(a))); break;
    case OP_F32_FLOOR: SETF(sm_floor32(F(a))); break;
    case OP_F32_TRUNC: SETF(sm_trunc32(F(a))); break;
    case OP_F32_NEAREST: SETF(sm_nearest32(F(a))); break;
    case OP_F32_SQRT: SETF(SM_SQRT32(F(a))); break;
    case OP_F64_ABS: sm_set64(d, L(a) & 0x7fffffffffffffff); break;
    case OP_F64_NEG: sm_set64(d, L(a) ^ 0x8000000000000000); break;
    case OP_F64_CEIL: SETD(sm_ceil64(D(a))); break;
    case OP_F64_FLOOR: SETD(sm_floor64(D(a))); break;
    case OP_F64_TRUNC: SETD(sm_trunc64(D(a))); break;
    case OP_F64_NEAREST: SETD(sm_nearest64(D(a))); break;
    case OP_F64_SQRT: SETD(SM_SQRT64(D(a))); break;
    case OP_F32_CONVERT_I32_S: SETF((float)(int32_t)*a); break;
    case OP_F32_CONVERT_I32_U: SETF((float)*a); break;
    case OP_F32_CONVERT_I64_S: SETF((float)(int64_t)L(a)); break;
    case OP_F32_CONVERT_I64_U: SETF((float)L(a)); break;
    case OP_F64_CONVERT_I32_S: SETD((double)(int32_t)*a); break;
    case OP_F64_CONVERT_I32_U: SETD((double)*a); break;
    case OP_F64_CONVERT_I64_S: SETD((double)(int64_t)L(a)); break;
    case OP_F64_CONVERT_I64_U: SETD((double)L(a)); break;
    case OP_F32_DEMOTE: SETF((float)D(a)); break;
    case OP_F64_PROMOTE: SETD((double)F(a)); break;
    default: return to_integer(op - OP_I32_TRUNC_F32_S, d, a);
    }
    return 3;
}

int sm_rare_float_2(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b)
{
    switch (op) {
    case OP_F32_MIN: SETF(sm_min32(F(a), F(b))); break;
    case OP_F32_MAX: SETF(sm_max32(F(a), F(b))); break;
    case OP_F32_COPYSIGN: *d = (*a & 0x7fffffff) | (*b & 0x80000000); break;
    case OP_F64_MIN: SETD(sm_min64(D(a), D(b))); break;
    case OP_F64_MAX: SETD(sm_max64(D(a), D(b))); break;
    default: /* F64_COPYSIGN */
        sm_set64(d, (L(a) & 0x7fffffffffffffff) | (L(b) & 0x8000000000000000));
        break;
    }
    return 4;
}

#endif

/* Operators outside the interpreter's loop: seldom executed ones, whose registers and code the loop
 * does without, and those that work on more than a few words (bulk.c).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bulk.h"
#include "numeric.h"
#include "ops.h"
#include "rare.h"

/* ---- Tables, references ---------------------------------------------------------------------- */

static int table_access(struct sm_wasm_inst *inst, uint32_t *fp, const uint16_t *pc)
{
    bool set = pc[0] == OP_TABLE_SET;
    struct sm_wasm_table *t = inst->tables[pc[3]];
    uint32_t i = fp[pc[set ? 1 : 2]];

    if (i >= t->size) {
        return -SM_TRAP_TABLE;
    }
    if (set) {
        t->entries[i] = fp[pc[2]];
    } else {
        fp[pc[1]] = t->entries[i];
    }
    return 4;
}

/* What a piece returned, as the loop wants it: the units to go on by when there is no more. */
static int piece(int more, int units)
{
    return more > 0 ? 0 : more < 0 ? more : units;
}

static int system(struct sm_wasm_inst *inst, uint32_t *fp, const uint16_t *pc)
{
    uint32_t *w = &fp[pc[1]], was;
    int more;

    switch (pc[0]) {
    case OP_REF_FUNC: *w = inst->ref_base + pc[2] + 1; return 3;
    case OP_TABLE_GET:
    case OP_TABLE_SET: return table_access(inst, fp, pc);
    case OP_TABLE_SIZE: *w = inst->tables[pc[2]]->size; return 3;
    case OP_TABLE_GROW: return piece(sm_bulk_table_grow(inst->tables[pc[2]], w), 3);
    case OP_TABLE_FILL: return piece(sm_bulk_table_fill(inst->tables[pc[2]], w), 3);
    case OP_TABLE_COPY:
        return piece(sm_bulk_table_copy(inst->tables[pc[2]], inst->tables[pc[3]], w), 4);
    case OP_TABLE_INIT: return piece(sm_bulk_table_init(inst, w, pc[2], pc[3]), 4);
    case OP_ELEM_DROP: inst->dropped[pc[1]] = 1; return 2;
    case OP_DATA_DROP: inst->dropped[sm_image_of(&inst->module)->nelems + pc[1]] = 1; return 2;
    case OP_MEMORY_GROW:
        more = sm_bulk_grow(inst->memory, fp[pc[2]], &was);
        if (more == 0) {
            *w = was;
        }
        return piece(more, 3);
    case OP_MEMORY_FILL: return piece(sm_bulk_fill(inst->memory, w), 2);
    case OP_MEMORY_COPY: return piece(sm_bulk_copy(inst->memory, w), 2);
    default: return piece(sm_bulk_init(inst, w, pc[2]), 3);
    }
}

/* ---- Numbers --------------------------------------------------------------------------------- */

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

static int unary(uint32_t op, uint32_t *d, const uint32_t *a)
{
    switch (op) {
    case OP_I32_CLZ: *d = sm_clz32(*a); break;
    case OP_I32_CTZ: *d = sm_ctz32(*a); break;
    case OP_I32_POPCNT: *d = sm_popcnt32(*a); break;
    case OP_I64_CLZ: sm_set64(d, sm_clz64(L(a))); break;
    case OP_I64_CTZ: sm_set64(d, sm_ctz64(L(a))); break;
    case OP_I64_POPCNT: sm_set64(d, sm_popcnt32(a[0]) + sm_popcnt32(a[1])); break;
    case OP_I64_EXTEND8: sm_set64(d, (uint64_t)(int8_t)*a); break;
    case OP_I64_EXTEND16: sm_set64(d, (uint64_t)(int16_t)*a); break;
    case OP_I64_EXTEND32: sm_set64(d, (uint64_t)(int32_t)*a); break;
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

static int divide(uint32_t op, uint32_t *d, uint64_t a, uint64_t b)
{
    bool is_signed = op == OP_I64_DIV_S || op == OP_I64_REM_S;
    bool quotient = op == OP_I64_DIV_S || op == OP_I64_DIV_U;

    if (b == 0) {
        return -SM_TRAP_DIV_ZERO;
    }
    if (is_signed && (int64_t)b == -1) { /* the one quotient that does not fit */
        if (quotient && a == (uint64_t)INT64_MIN) {
            return -SM_TRAP_OVERFLOW;
        }
        sm_set64(d, quotient ? -a : 0);
    } else if (is_signed) {
        sm_set64(d, (uint64_t)(quotient ? (int64_t)a / (int64_t)b : (int64_t)a % (int64_t)b));
    } else {
        sm_set64(d, quotient ? a / b : a % b);
    }
    return 4;
}

static int binary(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b)
{
    switch (op) {
    case OP_I32_ROTR: *d = sm_rotl32(*a, -*b); break;
    case OP_I64_ROTL: sm_set64(d, sm_rotl64(L(a), L(b))); break;
    case OP_I64_ROTR: sm_set64(d, sm_rotl64(L(a), -L(b))); break;
    case OP_F32_MIN: SETF(sm_min32(F(a), F(b))); break;
    case OP_F32_MAX: SETF(sm_max32(F(a), F(b))); break;
    case OP_F32_COPYSIGN: *d = (*a & 0x7fffffff) | (*b & 0x80000000); break;
    case OP_F64_MIN: SETD(sm_min64(D(a), D(b))); break;
    case OP_F64_MAX: SETD(sm_max64(D(a), D(b))); break;
    case OP_F64_COPYSIGN:
        sm_set64(d, (L(a) & 0x7fffffffffffffff) | (L(b) & 0x8000000000000000));
        break;
    default: return divide(op, d, L(a), L(b));
    }
    return 4;
}

int sm_rare(struct sm_wasm_inst *inst, uint32_t *fp, const uint16_t *pc)
{
    if (pc[0] < OP_I32_ROTR) {
        return unary(pc[0], &fp[pc[1]], &fp[pc[2]]);
    }
    if (pc[0] < OP_REF_FUNC) {
        return binary(pc[0], &fp[pc[1]], &fp[pc[2]], &fp[pc[3]]);
    }
    return system(inst, fp, pc);
}

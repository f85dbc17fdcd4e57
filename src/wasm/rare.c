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

#define L(p) sm_get64(p)

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
    default: return SM_FLOATS ? sm_rare_float_1(op, d, a) : 0;
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
    case OP_I64_DIV_S:
    case OP_I64_DIV_U:
    case OP_I64_REM_S:
    case OP_I64_REM_U: return divide(op, d, L(a), L(b));
    default: return SM_FLOATS ? sm_rare_float_2(op, d, a, b) : 0;
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

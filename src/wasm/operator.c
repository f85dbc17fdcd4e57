/* Operators that do not branch: their types are checked, their instruction is emitted.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fn.h"

/* One operator each: inline, they would all pay for the registers of the most complicated. */
#define OUT_OF_LINE __attribute__((noinline))

/* ---- Operators ------------------------------------------------------------------------------- */

static OUT_OF_LINE void do_local_get(struct fn *f)
{
    uint32_t x = sm_reader_u32(&f->r);

    if (x >= f->nlocals) {
        sm_fn_invalid(f, "unknown local");
        return;
    }
    sm_fn_push_local(f, x);
}

static OUT_OF_LINE void do_local_set(struct fn *f, bool tee)
{
    uint32_t x = sm_reader_u32(&f->r);
    struct local *l;
    struct operand o;

    if (x >= f->nlocals) {
        sm_fn_invalid(f, "unknown local");
        return;
    }
    l = &f->locals[x];
    o = sm_fn_pop(f, l->type);
    if (dead(f)) {
        if (tee) {
            sm_fn_push(f, l->type);
        }
        return;
    }
    if (o.in == IN_LOCAL && o.local == x && o.add == 0) { /* x = x */
        if (tee) {
            sm_fn_push_local(f, x);
        }
        return;
    }
    if (l->chain == 0 && sm_fn_is_last(f, &o)) {
        f->code[f->last_dst] = l->slot;
        if (tee) {
            sm_fn_push_local(f, x);
        }
        return;
    }
    sm_fn_settle_local(f, x);
    sm_fn_move_to(f, &o, l->slot);
    if (!tee) {
        return;
    }
    if (o.in == IN_CONST) {
        sm_fn_push_const(f, o.type, o.lo, o.hi);
    } else {
        sm_fn_push_local(f, x);
    }
}

static OUT_OF_LINE void do_global(struct fn *f, bool set)
{
    uint32_t x = sm_reader_u32(&f->r);
    const struct sm_image_global *g;
    bool wide;

    if (x >= f->mi->h.nglobals) {
        sm_fn_invalid(f, "unknown global");
        return;
    }
    g = &f->mi->globals[x];
    wide = sm_type_words(g->init.type) == 2;
    if (!set) {
        uint32_t dst = sm_fn_push(f, g->init.type);

        if (!dead(f)) {
            sm_fn_op_dst(f, wide ? OP_GLOBAL_GET_64 : OP_GLOBAL_GET_32, dst);
            sm_fn_unit(f, x);
        }
        return;
    }
    if (!g->is_mutable) {
        sm_fn_invalid(f, "global is immutable");
        return;
    }
    struct operand o = sm_fn_pop(f, g->init.type);

    if (!dead(f)) {
        uint32_t src = sm_fn_slot(f, &o);

        sm_fn_op(f, wide ? OP_GLOBAL_SET_64 : OP_GLOBAL_SET_32);
        sm_fn_unit(f, x);
        sm_fn_unit(f, src);
    }
}

struct access {
    uint8_t type, log2_size;
    uint16_t op;
};
static const struct access accesses[] = {
#define X(code, value, size, image_op) {SM_WASM_##value, size, image_op},
    SM_ACCESS(X)
#undef X
};

static void need_memory(struct fn *f)
{
    if (f->mi->h.memory == 0) {
        sm_fn_invalid(f, "unknown memory");
    }
}

/* How a load or store reaches its address: the four forms of SM_OPS_MEMORY. */
struct address {
    uint32_t form; /* what to add to the operation with an offset */
    uint32_t a, b; /* b: the number or the second slot */
    uint32_t offset;
};
#define FORM_OFFSET 0u
#define FORM_PLAIN  (SM_FUSED_OP(OP_LOAD_32, OP_LOAD_32_O) - OP_LOAD_32_O)
#define FORM_NUMBER (SM_FUSED_OP(OP_LOAD_32_K, OP_LOAD_32_O) - OP_LOAD_32_O)
#define FORM_SUM    (SM_FUSED_OP(OP_LOAD_32_R, OP_LOAD_32_O) - OP_LOAD_32_O)

/* free: nothing will be computed between here and the access, so an addition may be taken back. */
static struct address address(struct fn *f, const struct access *acc, const struct operand *o,
                              uint32_t offset, bool free)
{
    struct address at = {.form = FORM_OFFSET, .offset = offset};
    bool fused = SM_FUSED && offset == 0 && acc->op < OP_LOAD_8S_64_O;

    if (offset > 0xffff) {
        at.a = sm_fn_slot(f, o);
        sm_fn_op_dst(f, OP_ADDRESS, o->home);
        sm_fn_unit(f, at.a);
        sm_fn_word(f, offset);
        at.a = o->home;
        at.offset = 0;
    } else if (fused && o->in != IN_CONST && o->add != 0) {
        at.form = FORM_NUMBER;
        at.a = sm_fn_place(f, o);
        at.b = (uint32_t)o->add;
        return at;
    } else if (fused && free && sm_fn_is_last(f, o) && f->code[f->last] == OP_I32_ADD) {
        at.form = FORM_SUM; /* the addition just made is taken back */
        at.a = f->code[f->last + 2];
        at.b = f->code[f->last + 3];
        sm_fn_take_back(f);
        return at;
    } else {
        at.a = sm_fn_slot(f, o);
    }
    if (SM_FUSED && at.offset == 0 && acc->op < OP_LOAD_8S_64_O) {
        at.form = FORM_PLAIN;
    }
    return at;
}

static void address_operands(struct fn *f, const struct address *at)
{
    sm_fn_unit(f, at->a);
    if (SM_FUSED && (at->form == FORM_NUMBER || at->form == FORM_SUM)) {
        sm_fn_unit(f, at->b);
    }
}

static void offset_operand(struct fn *f, const struct address *at)
{
    if (at->form == FORM_OFFSET) {
        sm_fn_unit(f, at->offset);
    }
}

static void do_load(struct fn *f, const struct access *acc, uint32_t offset)
{
    struct operand addr = sm_fn_pop(f, SM_WASM_I32);
    uint32_t dst = sm_fn_push(f, acc->type);

    if (!dead(f)) {
        struct address at = address(f, acc, &addr, offset, true);

        sm_fn_op_dst(f, acc->op + at.form, dst);
        address_operands(f, &at);
        offset_operand(f, &at);
    }
}

static void do_store(struct fn *f, const struct access *acc, uint32_t offset)
{
    struct operand value = sm_fn_pop(f, acc->type);
    struct operand addr = sm_fn_pop(f, SM_WASM_I32);

    if (!dead(f)) {
        bool free = value.in == IN_LOCAL && value.add == 0;
        struct address at = address(f, acc, &addr, offset, free);
        uint32_t src = sm_fn_slot(f, &value);

        sm_fn_op(f, acc->op + at.form);
        address_operands(f, &at);
        sm_fn_unit(f, src);
        offset_operand(f, &at);
    }
}

static OUT_OF_LINE void do_access(struct fn *f, uint8_t opcode)
{
    const struct access *acc = &accesses[opcode - SM_ACCESS_MIN];
    uint32_t align = sm_reader_u32(&f->r);
    uint32_t offset = sm_reader_u32(&f->r);

    need_memory(f);
    if (align > acc->log2_size) {
        sm_fn_invalid(f, "alignment must not be larger than natural");
    }
    if (opcode < SM_ACCESS_STORE) {
        do_load(f, acc, offset);
    } else {
        do_store(f, acc, offset);
    }
}

/* Types are SM_WASM_I32 less the type: in two bits, as all tables count on flash. */
struct numeric {
    uint8_t in : 2, out : 2, n : 2;
    uint8_t swaps : 1; /* the operands can change places */
    uint16_t op;
};
#define PACKED_TYPE(t) (SM_WASM_I32 - SM_WASM_##t)
#define SWAPS(op)                                                                                  \
    ((op) == OP_I32_ADD || (op) == OP_I32_MUL || (op) == OP_I32_AND || (op) == OP_I32_OR ||        \
     (op) == OP_I32_XOR || (op) == OP_I32_EQ || (op) == OP_I32_NE || (op) == OP_I64_ADD ||         \
     (op) == OP_I64_MUL || (op) == OP_I64_AND || (op) == OP_I64_OR || (op) == OP_I64_XOR ||        \
     (op) == SM_FLOAT_OP(OP_F64_ADD) || (op) == SM_FLOAT_OP(OP_F64_MUL))
static const struct numeric numerics[] = {
#define X(code, in, n, out, image_op)                                                              \
    {PACKED_TYPE(in), PACKED_TYPE(out), n, SWAPS(image_op), image_op},
    SM_NUMERIC(X)
#undef X
};
_Static_assert(sizeof(numerics[0]) == 4, "packed");

static uint8_t type_in(const struct numeric *m)
{
    return (uint8_t)(SM_WASM_I32 - m->in);
}

static uint8_t type_out(const struct numeric *m)
{
    return (uint8_t)(SM_WASM_I32 - m->out);
}

_Static_assert(OP_I32_XOR_K == OP_I32_AND_K + 2 && OP_I32_ROTL_K == OP_I32_SHL_K + 3,
               "in the order of their opcodes, and so those of 64 bits");

/* The form with an immediate right operand: *k may be adjusted (a <= k is a < k + 1). 0 if none. */
static uint32_t immediate_form(uint32_t opcode, int32_t *k)
{
    switch (opcode) {
    case 0x46: return OP_I32_EQ_K;
    case 0x47: return OP_I32_NE_K;
    case 0x48: return OP_I32_LT_S_K;
    case 0x49: return OP_I32_LT_U_K;
    case 0x4a: return ++*k, OP_I32_GE_S_K;
    case 0x4b: return ++*k == 0 ? 0 : OP_I32_GE_U_K;
    case 0x4c: return ++*k, OP_I32_LT_S_K;
    case 0x4d: return ++*k == 0 ? 0 : OP_I32_LT_U_K;
    case 0x4e: return OP_I32_GE_S_K;
    case 0x4f: return OP_I32_GE_U_K;
    case 0x6a: return OP_I32_ADD_K;
    case 0x6b: *k = -*k; return OP_I32_ADD_K;
    case 0x6c: return OP_I32_MUL_K;
    case 0x71:
    case 0x72:
    case 0x73: return opcode - 0x71 + OP_I32_AND_K; /* both in this order; so below */
    case 0x74:
    case 0x75:
    case 0x76:
    case 0x77: *k &= 31; return opcode - 0x74 + OP_I32_SHL_K;
    case 0x78: *k = -*k & 31; return OP_I32_ROTL_K;
    case 0x7c: return SM_FUSED_OP(OP_I64_ADD_K, 0);
    case 0x7d: *k = -*k; return SM_FUSED_OP(OP_I64_ADD_K, 0);
    case 0x7e: return SM_FUSED_OP(OP_I64_MUL_K, 0);
    case 0x83:
    case 0x84:
    case 0x85: return SM_FUSED_OP(opcode - 0x83 + OP_I64_AND_K, 0);
    case 0x86:
    case 0x87:
    case 0x88:
    case 0x89: *k &= 63; return SM_FUSED_OP(opcode - 0x86 + OP_I64_SHL_K, 0);
    case 0x8a: *k = -*k & 63; return SM_FUSED_OP(OP_I64_ROTL_K, 0);
    default: return 0;
    }
}

/* a op k, when k fits and there is such a form. */
static bool emit_immediate(struct fn *f, uint32_t opcode, const struct operand *a,
                           const struct operand *k, uint32_t dst)
{
    int32_t value = (int32_t)k->lo;
    uint32_t form, src;

    if (opcode == 0x6a && k->in == IN_CONST) { /* often the address of a table */
        src = sm_fn_slot(f, a);
        sm_fn_op_dst(f, OP_I32_ADD_W, dst);
        sm_fn_unit(f, src);
        sm_fn_word(f, k->lo);
        return true;
    }
    if (k->in != IN_CONST || !sm_fn_fits_k(k->lo, k->hi, k->type == SM_WASM_I64) ||
        (form = immediate_form(opcode, &value)) == 0 || value > 32767) {
        return false;
    }
    if (sm_fn_pair(f, form, a, (uint32_t)value, dst)) {
        return true;
    }
    src = sm_fn_slot(f, a);
    sm_fn_op_dst(f, form, dst);
    sm_fn_unit(f, src);
    sm_fn_unit(f, (uint32_t)value);
    return true;
}

/* i32.eqz of a comparison just made: the opposite comparison. */
static bool fuse_eqz(struct fn *f, const struct operand *o, uint32_t dst)
{
    struct condition c = {0};

    if (!sm_fn_fuse(f, o, &c)) {
        return false;
    }
    if (c.code == OP_BR_Z) { /* not zero: no such comparison but with a constant */
        c.code = OP_BR_NE_K;
        c.b = 0;
    } else {
        sm_fn_opposite(&c);
    }
    sm_fn_op_dst(f, c.code - OP_BR_EQ + OP_I32_EQ, dst);
    sm_fn_unit(f, c.a);
    sm_fn_unit(f, c.b);
    return true;
}

/* i32.add and i32.sub of a constant: nothing is emitted before somebody needs the sum. */
static bool push_sum(struct fn *f, uint32_t op, const struct operand *a, const struct operand *k)
{
    int32_t value = (int32_t)k->lo;

    if ((op != OP_I32_ADD && op != OP_I32_SUB) || k->in != IN_CONST || value < -32767 ||
        value > 32767) {
        return false;
    }
    return sm_fn_push_sum(f, a, op == OP_I32_ADD ? value : -value);
}

/* One of two operands is what the last instruction computed: perhaps one instruction does both. */
static bool pair(struct fn *f, const struct numeric *m, const struct operand *a,
                 const struct operand *b, uint32_t dst)
{
    if (!SM_FUSED) {
        return false;
    }
    if (m->swaps && sm_fn_at_hand(b) && sm_fn_pair(f, m->op, a, sm_fn_place(f, b), dst)) {
        return true;
    }
    return (m->swaps || m->op == SM_FLOAT_OP(OP_F64_SUB)) && sm_fn_at_hand(a) &&
           sm_fn_pair(f, m->op, b, sm_fn_place(f, a), dst);
}

static void emit_numeric(struct fn *f, uint32_t opcode, const struct operand *a,
                         const struct operand *b, uint32_t dst)
{
    const struct numeric *m = &numerics[opcode - SM_NUMERIC_MIN];
    uint32_t sa, sb = 0;

    if (m->n == 2) {
        if (emit_immediate(f, opcode, a, b, dst) || pair(f, m, a, b, dst)) {
            return;
        }
    } else if (m->op == OP_I32_EQZ && fuse_eqz(f, a, dst)) {
        return;
    }
    sa = sm_fn_slot(f, a);
    if (m->n == 2) {
        struct operand loaded = {.home = b->home, .in = IN_HOME};

        sb = sm_fn_slot(f, b);
        if (b->in == IN_CONST && sm_fn_pair(f, m->op, &loaded, sa, dst)) {
            return;
        }
    }
    sm_fn_op_dst(f, m->op & ~SM_SWAP, dst);
    sm_fn_unit(f, m->op & SM_SWAP ? sb : sa);
    if (m->n == 2) {
        sm_fn_unit(f, m->op & SM_SWAP ? sa : sb);
    }
}

/* What is still to be added to the operands may as well be added to the result: taken from them, it
 * is returned. */
static int32_t take_sums(uint32_t op, struct operand *a, struct operand *b)
{
    int64_t sum;

    if (a->in == IN_CONST || (b->in == IN_CONST && a->add == 0)) {
        return 0;
    }
    if (op == OP_I32_ADD && b->in != IN_CONST) {
        sum = a->add + b->add;
    } else if (op == OP_I32_SUB && b->in != IN_CONST) {
        sum = a->add - b->add;
    } else if (op == OP_I32_SHL && b->in == IN_CONST && b->lo < 16) {
        sum = (int64_t)a->add * (1 << b->lo);
    } else if (op == OP_I32_MUL && b->in == IN_CONST) {
        sum = (int64_t)a->add * (int32_t)b->lo;
    } else {
        return 0;
    }
    if (sum < -32768 || sum > 32767) {
        return 0;
    }
    a->add = 0;
    if (b->in != IN_CONST) {
        b->add = 0;
    }
    return (int32_t)sum;
}

static void do_numeric(struct fn *f, uint32_t opcode)
{
    const struct numeric *m = &numerics[opcode - SM_NUMERIC_MIN];
    struct operand a, b = {0};
    int32_t sum;

    if (m->n == 2) {
        b = sm_fn_pop(f, type_in(m));
    }
    a = sm_fn_pop(f, type_in(m));
    if (dead(f)) {
        sm_fn_push(f, type_out(m));
        return;
    }
    if (m->n == 2 && a.in == IN_CONST && b.in != IN_CONST && m->swaps) {
        struct operand t = a;

        a = b;
        b = t;
    }
    if (push_sum(f, m->op, &a, &b)) {
        return;
    }
    sum = m->n == 2 && type_in(m) == SM_WASM_I32 ? take_sums(m->op, &a, &b) : 0;
    emit_numeric(f, opcode, &a, &b, sm_fn_push(f, type_out(m)));
    if (sum != 0 && !f->r.err) {
        cell(f, f->cells - 1)->add = (int16_t)sum;
    }
}

static OUT_OF_LINE void do_select(struct fn *f, uint8_t type)
{
    struct operand c = sm_fn_pop(f, SM_WASM_I32);
    struct operand b = sm_fn_pop(f, type);
    struct operand a = sm_fn_pop(f, type);
    uint32_t dst, sa, sb, sc;

    if (type == 0) {
        type = a.type != 0 ? a.type : b.type;
        if ((a.type != 0 && b.type != 0 && a.type != b.type) || type == SM_WASM_FUNCREF ||
            type == SM_WASM_EXTERNREF) {
            sm_fn_invalid(f, "type mismatch");
            return;
        }
    }
    dst = sm_fn_push(f, type);
    if (dead(f)) {
        return;
    }
    if (SM_FUSED && sm_type_words(type) == 1 && sm_fn_at_hand(&a) && sm_fn_at_hand(&b) &&
        sm_fn_pair_select(f, &c, sm_fn_place(f, &a), sm_fn_place(f, &b), dst)) {
        return;
    }
    sa = sm_fn_slot(f, &a);
    sb = sm_fn_slot(f, &b);
    sc = sm_fn_slot(f, &c);
    sm_fn_op_dst(f, sm_type_words(type) == 2 ? OP_SELECT_64 : OP_SELECT_32, dst);
    sm_fn_unit(f, sa);
    sm_fn_unit(f, sb);
    sm_fn_unit(f, sc);
}

static OUT_OF_LINE void do_select_typed(struct fn *f)
{
    uint32_t n = sm_reader_u32(&f->r);
    uint8_t type = sm_reader_byte(&f->r);

    if (f->r.err) {
        return;
    }
    if (n != 1) {
        sm_fn_invalid(f, "invalid result arity");
    } else if (!is_value_type(type)) {
        sm_fn_fail(f, SM_ERR_MALFORMED, "malformed value type");
    } else {
        do_select(f, type);
    }
}

/* An import with three arguments of a word each, the last 4: they are read where they are. False:
 * it is none, and nothing is done. */
static bool pass_three(struct fn *f, const struct sm_image_type *t)
{
    uint32_t a, b, op = SM_FUSED_OP(OP_PASS_K, 0);
    struct operand *last;

    if (!SM_FUSED || t->nparams != 3 || t->param_words != 3 ||
        (last = cell(f, f->cells - 1))->in != IN_CONST || last->lo != 4) {
        return false;
    }
    b = last[1].lo;
    if (last[1].in != IN_CONST || !sm_fn_fits_k(b, 0, false)) {
        op = SM_FUSED_OP(OP_PASS_A, 0);
        b = sm_fn_slot(f, &last[1]);
    }
    a = sm_fn_slot(f, &last[2]);
    sm_fn_op(f, op);
    sm_fn_unit(f, a);
    sm_fn_unit(f, b);
    return true;
}

#define PASSED 0x10000u

/* Arguments go home, where they are the callee's frame. The base is that of the first; those of an
 * import may be PASSED, when its OP_CALL_IMPORT follows as a part of the same instruction. */
static uint32_t take_arguments(struct fn *f, const struct sm_image_type *t, bool import)
{
    uint32_t passed = 0, base;

    sm_fn_check_types(f, t->params, t->nparams);
    if (!dead(f)) {
        if (import && pass_three(f, t)) {
            passed = PASSED;
        } else {
            sm_fn_settle_top(f, t->nparams);
        }
    }
    sm_fn_pop_types(f, t->params, t->nparams);
    base = f->home;
    sm_fn_push_types(f, t->results, t->nresults);
    return base | passed;
}

static OUT_OF_LINE void do_call(struct fn *f)
{
    uint32_t x = sm_reader_u32(&f->r), base;
    bool import = x < f->mi->h.nfunc_imports;

    if (x >= f->mi->h.nfuncs) {
        sm_fn_invalid(f, "unknown function");
        return;
    }
    base = take_arguments(f, &f->mi->types[f->mi->funcs[x].type], import);
    if (!dead(f)) {
        if (base & PASSED) {
            sm_fn_code_room(f); /* results may have taken it */
            sm_fn_unit(f, OP_CALL_IMPORT);
        } else {
            sm_fn_op(f, import ? OP_CALL_IMPORT : OP_CALL);
        }
        sm_fn_unit(f, x);
        sm_fn_unit(f, base);
        sm_fn_forget(f);
    }
}

static void need_table(struct fn *f, uint32_t table, uint8_t type)
{
    if (table >= f->mi->h.ntables) {
        sm_fn_invalid(f, "unknown table");
    } else if (type != 0 && f->mi->tables[table].type != type) {
        sm_fn_invalid(f, "type mismatch");
    }
}

static OUT_OF_LINE void do_call_indirect(struct fn *f)
{
    uint32_t type = sm_reader_u32(&f->r);
    uint32_t table = sm_reader_u32(&f->r);
    struct operand index;
    uint32_t src = 0, base;

    need_table(f, table, SM_WASM_FUNCREF);
    if (type >= f->mi->h.ntypes) {
        sm_fn_invalid(f, "unknown type");
    }
    index = sm_fn_pop(f, SM_WASM_I32);
    if (f->r.err) {
        return;
    }
    if (!dead(f)) {
        src = sm_fn_slot(f, &index);
    }
    base = take_arguments(f, &f->mi->types[type], false);
    if (dead(f)) {
        return;
    }
    sm_fn_op(f, OP_CALL_INDIRECT);
    sm_fn_unit(f, f->mi->types[type].canon);
    sm_fn_unit(f, table);
    sm_fn_unit(f, src);
    sm_fn_unit(f, base);
    sm_fn_forget(f);
}

/* ---- References, tables, bulk memory --------------------------------------------------------- */

static uint8_t ref_type(struct fn *f)
{
    uint8_t t = sm_reader_byte(&f->r);

    if (!f->r.err && t != SM_WASM_FUNCREF && t != SM_WASM_EXTERNREF) {
        sm_fn_fail(f, SM_ERR_MALFORMED, "malformed reference type");
    }
    return t;
}

static OUT_OF_LINE void do_ref_is_null(struct fn *f)
{
    struct operand o = sm_fn_pop(f, 0);
    uint32_t dst = sm_fn_push(f, SM_WASM_I32);

    if (o.type != 0 && o.type != SM_WASM_FUNCREF && o.type != SM_WASM_EXTERNREF) {
        sm_fn_invalid(f, "type mismatch");
    }
    if (!dead(f)) {
        uint32_t src = sm_fn_slot(f, &o);

        sm_fn_op_dst(f, OP_I32_EQZ, dst); /* null is the word 0 */
        sm_fn_unit(f, src);
    }
}

static OUT_OF_LINE void do_ref_func(struct fn *f)
{
    uint32_t x = sm_reader_u32(&f->r), dst;

    if (x >= f->mi->h.nfuncs) {
        sm_fn_invalid(f, "unknown function");
        return;
    }
    if (!(f->mi->funcs[x].flags & SM_FUNC_DECLARED)) {
        sm_fn_invalid(f, "undeclared function reference");
        return;
    }
    dst = sm_fn_push(f, SM_WASM_FUNCREF);
    if (!dead(f)) {
        sm_fn_op_dst(f, OP_REF_FUNC, dst);
        sm_fn_unit(f, x);
    }
}

static OUT_OF_LINE void do_table_get(struct fn *f)
{
    uint32_t table = sm_reader_u32(&f->r);
    struct operand index;
    uint32_t dst;

    need_table(f, table, 0);
    index = sm_fn_pop(f, SM_WASM_I32);
    if (f->r.err) {
        return;
    }
    dst = sm_fn_push(f, f->mi->tables[table].type);
    if (!dead(f)) {
        uint32_t src = sm_fn_slot(f, &index);

        sm_fn_op_dst(f, OP_TABLE_GET, dst);
        sm_fn_unit(f, src);
        sm_fn_unit(f, table);
    }
}

static OUT_OF_LINE void do_table_set(struct fn *f)
{
    uint32_t table = sm_reader_u32(&f->r);
    struct operand index, value;

    need_table(f, table, 0);
    if (f->r.err) {
        return;
    }
    value = sm_fn_pop(f, f->mi->tables[table].type);
    index = sm_fn_pop(f, SM_WASM_I32);
    if (!dead(f)) {
        uint32_t a = sm_fn_slot(f, &index), b = sm_fn_slot(f, &value);

        sm_fn_op(f, OP_TABLE_SET);
        sm_fn_unit(f, a);
        sm_fn_unit(f, b);
        sm_fn_unit(f, table);
    }
}

/* The interpreter goes on from piece to piece by what it has noted behind the operands. */
static void do_table_grow(struct fn *f, uint32_t table)
{
    uint8_t type = f->mi->tables[table].type;

    sm_fn_settle_top(f, 2);
    sm_fn_pop(f, SM_WASM_I32);
    sm_fn_pop(f, type);
    if (!dead(f)) {
        struct operand noted = {.type = SM_WASM_I64, .lo = SM_NONE, .hi = SM_NONE};

        sm_fn_push(f, type);
        sm_fn_push(f, SM_WASM_I32);
        sm_fn_load_const(f, &noted, sm_fn_push(f, SM_WASM_I64));
        sm_fn_pop(f, 0);
        sm_fn_pop(f, 0);
        sm_fn_pop(f, 0);
        sm_fn_op(f, OP_TABLE_GROW);
        sm_fn_unit(f, f->home);
        sm_fn_unit(f, table);
    }
    sm_fn_push(f, SM_WASM_I32);
}

/* Operations on three words that the interpreter uses up piece by piece: they go home, where it
 * may change them. */
static void bulk(struct fn *f, uint32_t code, uint8_t middle, uint32_t n, uint32_t x, uint32_t y)
{
    const uint8_t types[3] = {SM_WASM_I32, middle, SM_WASM_I32};

    if (f->r.err) {
        return;
    }
    for (int i = 0; i < 3; i++) {
        if (f->cells - (uint32_t)i > f->block) {
            uint8_t t = cell(f, f->cells - 1 - (uint32_t)i)->type;

            if (t != 0 && t != types[2 - i]) {
                sm_fn_invalid(f, "type mismatch");
                return;
            }
        }
    }
    if (!dead(f)) {
        sm_fn_settle_top(f, 3);
    }
    sm_fn_pop(f, SM_WASM_I32);
    sm_fn_pop(f, middle);
    sm_fn_pop(f, SM_WASM_I32);
    if (!dead(f)) {
        sm_fn_op(f, code);
        sm_fn_unit(f, f->home);
        if (n > 0) {
            sm_fn_unit(f, x);
        }
        if (n > 1) {
            sm_fn_unit(f, y);
        }
    }
}

static void drop_segment(struct fn *f, uint32_t code, uint32_t x)
{
    if (!dead(f)) {
        sm_fn_op(f, code);
        sm_fn_unit(f, x);
    }
}

static void zero_byte(struct fn *f)
{
    if (sm_reader_byte(&f->r) != 0) {
        sm_fn_fail(f, SM_ERR_MALFORMED, "zero byte expected");
    }
}

static uint32_t data_index(struct fn *f)
{
    uint32_t x = sm_reader_u32(&f->r);

    if (f->mi->data_count == SM_NONE) {
        sm_fn_fail(f, SM_ERR_MALFORMED, "data count section required");
    } else if (x >= f->mi->data_count) {
        sm_fn_invalid(f, "unknown data segment");
    }
    return x;
}

static uint32_t elem_index(struct fn *f)
{
    uint32_t x = sm_reader_u32(&f->r);

    if (x >= f->mi->h.nelems) {
        sm_fn_invalid(f, "unknown elem segment");
    }
    return x;
}

static void do_table_init(struct fn *f)
{
    uint32_t x = elem_index(f);
    uint32_t table = sm_reader_u32(&f->r);

    need_table(f, table, 0);
    if (!f->r.err && f->mi->elems[x].type != f->mi->tables[table].type) {
        sm_fn_invalid(f, "type mismatch");
    }
    bulk(f, OP_TABLE_INIT, SM_WASM_I32, 2, x, table);
}

static void do_table_copy(struct fn *f)
{
    uint32_t to = sm_reader_u32(&f->r), from = sm_reader_u32(&f->r);

    need_table(f, to, 0);
    need_table(f, from, f->r.err ? 0 : f->mi->tables[to].type);
    bulk(f, OP_TABLE_COPY, SM_WASM_I32, 2, to, from);
}

static void do_table_op(struct fn *f, uint32_t sub)
{
    uint32_t table = sm_reader_u32(&f->r);

    need_table(f, table, 0);
    if (f->r.err) {
        return;
    }
    if (sub == 0x0f) {
        f->job->flags |= SM_MODULE_GROWS_TABLES;
        do_table_grow(f, table);
    } else if (sub == 0x11) {
        bulk(f, OP_TABLE_FILL, f->mi->tables[table].type, 1, table, 0);
    } else {
        uint32_t dst = sm_fn_push(f, SM_WASM_I32);

        if (!dead(f)) {
            sm_fn_op_dst(f, OP_TABLE_SIZE, dst);
            sm_fn_unit(f, table);
        }
    }
}

static OUT_OF_LINE void do_prefixed(struct fn *f)
{
    uint32_t sub = sm_reader_u32(&f->r), x;

    if (f->r.err) {
        return;
    }
    if (sub <= 7) {
        do_numeric(f, SM_NUMERIC_SAT + sub);
        return;
    }
    switch (sub) {
    case 0x08: /* memory.init */
        x = data_index(f);
        zero_byte(f);
        need_memory(f);
        bulk(f, OP_MEMORY_INIT, SM_WASM_I32, 1, x, 0);
        break;
    case 0x09:
        x = data_index(f);
        drop_segment(f, OP_DATA_DROP, x);
        break;
    case 0x0a: /* memory.copy */
        zero_byte(f);
        zero_byte(f);
        need_memory(f);
        bulk(f, OP_MEMORY_COPY, SM_WASM_I32, 0, 0, 0);
        break;
    case 0x0b:
        zero_byte(f);
        need_memory(f);
        bulk(f, OP_MEMORY_FILL, SM_WASM_I32, 0, 0, 0);
        break;
    case 0x0c: do_table_init(f); break;
    case 0x0d:
        x = elem_index(f);
        drop_segment(f, OP_ELEM_DROP, x);
        break;
    case 0x0e: do_table_copy(f); break;
    case 0x0f:
    case 0x10:
    case 0x11: do_table_op(f, sub); break;
    default: sm_fn_fail(f, SM_ERR_MALFORMED, "illegal opcode");
    }
}

static OUT_OF_LINE void do_memory_size(struct fn *f)
{
    uint32_t dst;

    zero_byte(f);
    need_memory(f);
    f->job->flags |= SM_MODULE_ASKS_MEMORY;
    dst = sm_fn_push(f, SM_WASM_I32);
    if (!dead(f)) {
        sm_fn_op_dst(f, OP_MEMORY_SIZE, dst);
    }
}

static OUT_OF_LINE void do_memory_grow(struct fn *f)
{
    struct operand n;
    uint32_t dst;

    zero_byte(f);
    need_memory(f);
    f->job->flags |= SM_MODULE_ASKS_MEMORY;
    n = sm_fn_pop(f, SM_WASM_I32);
    dst = sm_fn_push(f, SM_WASM_I32);
    if (!dead(f)) {
        uint32_t src = sm_fn_slot(f, &n);

        sm_fn_op_dst(f, OP_MEMORY_GROW, dst);
        sm_fn_unit(f, src);
    }
}

static OUT_OF_LINE void do_return(struct fn *f)
{
    struct block *b = block_at(f, BLOCK_CELLS); /* the function's own */

    sm_fn_check_types(f, b->results, b->nresults);
    if (!dead(f)) {
        sm_fn_return(f, b->nresults);
    }
    sm_fn_mark_dead(f);
}

static OUT_OF_LINE void do_unreachable(struct fn *f)
{
    if (!dead(f)) {
        sm_fn_op(f, OP_UNREACHABLE);
    }
    sm_fn_mark_dead(f);
}

static OUT_OF_LINE void do_const(struct fn *f, uint8_t opcode)
{
    uint64_t v;

    switch (opcode) {
    case 0x41: sm_fn_push_const(f, SM_WASM_I32, (uint32_t)sm_reader_s32(&f->r), 0); break;
    case 0x42:
        v = (uint64_t)sm_reader_s64(&f->r);
        sm_fn_push_const(f, SM_WASM_I64, (uint32_t)v, (uint32_t)(v >> 32));
        break;
    case 0x43: sm_fn_push_const(f, SM_WASM_F32, sm_reader_fixed32(&f->r), 0); break;
    default:
        v = sm_reader_fixed64(&f->r);
        sm_fn_push_const(f, SM_WASM_F64, (uint32_t)v, (uint32_t)(v >> 32));
    }
}

void sm_fn_operator(struct fn *f, uint8_t opcode)
{
    if (opcode == 0x20) { /* a third of all operators */
        do_local_get(f);
        return;
    }
    if (opcode >= SM_NUMERIC_MIN && opcode < SM_NUMERIC_SAT) {
        do_numeric(f, opcode);
        return;
    }
    if (opcode >= SM_ACCESS_MIN && opcode <= SM_ACCESS_MAX) {
        do_access(f, opcode);
        return;
    }
    switch (opcode) {
    case 0x00: do_unreachable(f); break;
    case 0x01: break;
    case 0x02:
    case 0x03:
    case 0x04: sm_fn_block(f, opcode); break;
    case 0x05: sm_fn_else(f); break;
    case 0x0b: sm_fn_end(f); break;
    case 0x0c: sm_fn_br(f); break;
    case 0x0d: sm_fn_br_if(f); break;
    case 0x0e: sm_fn_br_table(f); break;
    case 0x0f: do_return(f); break;
    case 0x10: do_call(f); break;
    case 0x11: do_call_indirect(f); break;
    case 0x1a: sm_fn_pop(f, 0); break;
    case 0x1b: do_select(f, 0); break;
    case 0x1c: do_select_typed(f); break;
    case 0x21: do_local_set(f, false); break;
    case 0x22: do_local_set(f, true); break;
    case 0x23: do_global(f, false); break;
    case 0x24: do_global(f, true); break;
    case 0x25: do_table_get(f); break;
    case 0x26: do_table_set(f); break;
    case 0x3f: do_memory_size(f); break;
    case 0x40: do_memory_grow(f); break;
    case 0x41:
    case 0x42:
    case 0x43:
    case 0x44: do_const(f, opcode); break;
    case 0xd0: sm_fn_push_const(f, ref_type(f), 0, 0); break;
    case 0xd1: do_ref_is_null(f); break;
    case 0xd2: do_ref_func(f); break;
    case 0xfc: do_prefixed(f); break;
    default: sm_fn_fail(f, SM_ERR_MALFORMED, "illegal opcode");
    }
}

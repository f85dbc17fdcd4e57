/* The translator's operand stack: where each operand is, and the moves that bring it elsewhere.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fn.h"

#define OUT_OF_LINE __attribute__((noinline))

/* ---- Errors, cells --------------------------------------------------------------------------- */

void sm_fn_fail(struct fn *f, int err, const char *rule)
{
    sm_reader_fail(&f->r, f->at, err, rule);
}

void sm_fn_invalid(struct fn *f, const char *rule)
{
    sm_fn_fail(f, SM_ERR_INVALID, rule);
}

void sm_fn_spend_many(struct fn *f, uint32_t steps)
{
    if (!sm_spend(&f->job->work, steps)) {
        sm_fn_fail(f, SM_ERR_LIMIT, SM_TOO_LONG);
    }
}

static inline bool has_room(const struct fn *f, uint32_t units, uint32_t cells)
{
    return (const uint8_t *)(f->code + f->n + units) <=
           (const uint8_t *)(f->top - f->cells - cells);
}

bool sm_fn_room(struct fn *f, uint32_t units, uint32_t cells)
{
    if (!has_room(f, units, cells)) {
        sm_fn_fail(f, SM_ERR_MEMORY, "function too large for the translator's memory");
        return false;
    }
    return true;
}

/* ---- Emitting -------------------------------------------------------------------------------- */

/* There is no room for an instruction, or something was wrong before: what comes is written to the
 * start, where there is room for one, and thrown away. */
static OUT_OF_LINE void no_code_room(struct fn *f)
{
    sm_fn_room(f, SM_CODE_ROOM, 0);
    f->n = 0;
}

/* Make room for an instruction, so that not every unit must ask. */
static inline void make_code_room(struct fn *f)
{
    if (f->r.err || !has_room(f, SM_CODE_ROOM, 0)) {
        no_code_room(f);
    }
}

void sm_fn_code_room(struct fn *f)
{
    make_code_room(f);
}

void sm_fn_unit(struct fn *f, uint32_t value)
{
    f->code[f->n++] = (uint16_t)value;
}

/* Clear words, then look at the epoch. */
void sm_fn_look(struct fn *f, uint32_t first, uint32_t count)
{
    sm_fn_code_room(f);
    sm_fn_forget(f);
    f->look = f->n;
    sm_fn_unit(f, OP_LOOK);
    sm_fn_unit(f, first);
    sm_fn_unit(f, count);
}

/* Start an instruction; its operands follow with sm_fn_unit(). */
void sm_fn_op(struct fn *f, uint32_t code)
{
    if (f->last != SM_NONE) {
        sm_fn_finish(f);
    }
    if (f->n - f->look >= SM_LOOK_UNITS) {
        sm_fn_look(f, 0, 0);
    }
    make_code_room(f);
    f->prev = f->last;
    f->last = f->n;
    f->last_dst = SM_NONE;
    f->last_at = f->at;
    if (code >= SM_RARE_FIRST) {
        sm_fn_unit(f, OP_RARE);
    }
    sm_fn_unit(f, code);
}

void sm_fn_op_dst(struct fn *f, uint32_t code, uint32_t dst)
{
    sm_fn_op(f, code);
    f->last_dst = f->n;
    sm_fn_unit(f, dst);
}

void sm_fn_word(struct fn *f, uint32_t value)
{
    sm_fn_unit(f, value & 0xffff);
    sm_fn_unit(f, value >> 16);
}

/* Drop the latest instruction: another takes its place. */
void sm_fn_take_back(struct fn *f)
{
    f->n = f->last;
    f->last = f->prev;
    f->prev = f->last_dst = SM_NONE;
    if (f->n < f->low) {
        f->low = f->n;
    }
}

bool sm_fn_fits_k(uint32_t lo, uint32_t hi, bool wide)
{
    int32_t v = (int32_t)lo;

    return v >= -32768 && v <= 32767 && (!wide || hi == (v < 0 ? 0xffffffffu : 0));
}

void sm_fn_load_const(struct fn *f, const struct operand *o, uint32_t dst)
{
    bool wide = sm_type_words(o->type) == 2;

    if (sm_fn_fits_k(o->lo, o->hi, wide)) {
        sm_fn_op_dst(f, wide ? OP_CONST_64K : OP_CONST_K, dst);
        sm_fn_unit(f, o->lo);
        return;
    }
    sm_fn_op_dst(f, wide ? OP_CONST_64 : OP_CONST_32, dst);
    sm_fn_word(f, o->lo);
    if (wide) {
        sm_fn_word(f, o->hi);
    }
}

/* Make the last instruction, of two operands, one that does the same for two more, which follow. */
void sm_fn_double(struct fn *f, uint32_t code)
{
    uint32_t a = f->code[f->last + 1], b = f->code[f->last + 2];

    sm_fn_take_back(f);
    sm_fn_op(f, code);
    sm_fn_unit(f, a);
    sm_fn_unit(f, b);
}

void sm_fn_copy(struct fn *f, uint8_t type, uint32_t dst, uint32_t src)
{
    if (dst == src) {
        return;
    }
    if (sm_type_words(type) == 1 && f->last != SM_NONE && f->code[f->last] == OP_COPY_32) {
        sm_fn_double(f, OP_COPY_32_TWICE);
        sm_fn_unit(f, dst);
        sm_fn_unit(f, src);
    } else {
        sm_fn_op_dst(f, sm_type_words(type) == 2 ? OP_COPY_64 : OP_COPY_32, dst);
        sm_fn_unit(f, src);
    }
}

/* The same, of an operand with something still to be added. */
static void move_sum(struct fn *f, const struct operand *o, uint32_t dst)
{
    struct operand place = *o;

    place.add = 0;
    if (sm_fn_pair(f, OP_I32_ADD_K, &place, (uint32_t)o->add, dst)) {
        return;
    }
    if (SM_FUSED && sm_fn_place(f, o) == dst) {
        sm_fn_increment(f, dst, o->add);
        return;
    }
    sm_fn_op_dst(f, OP_I32_ADD_K, dst);
    sm_fn_unit(f, sm_fn_place(f, o));
    sm_fn_unit(f, (uint32_t)o->add);
}

/* Write an operand to a slot, leaving the stack's view of it alone. */
void sm_fn_move_to(struct fn *f, const struct operand *o, uint32_t dst)
{
    if (o->in == IN_CONST) {
        sm_fn_load_const(f, o, dst);
    } else if (o->add != 0) {
        move_sum(f, o, dst);
    } else {
        sm_fn_copy(f, o->type, dst, sm_fn_place(f, o));
    }
}

/* ---- Operands -------------------------------------------------------------------------------- */

/* No value has a type that is not built in: every operator on one has to push or pop it. */
static void refuse_left_out(struct fn *f, uint8_t type)
{
    if (sm_type_left_out(type)) {
        sm_fn_fail(f, SM_ERR_UNSUPPORTED, SM_LEFT_OUT);
    }
}

/* What goes wrong is apart, so that what goes well is short. */
static OUT_OF_LINE struct operand *no_cell(struct fn *f, uint32_t home)
{
    if (home > 0xffff) {
        sm_fn_fail(f, SM_ERR_LIMIT, "frame of more than 65535 words");
    }
    sm_fn_room(f, 0, 1);
    return NULL;
}

static inline struct operand *push_cell(struct fn *f, uint8_t type)
{
    struct operand *o;
    uint32_t home = f->home + sm_type_words(type);

    refuse_left_out(f, type);
    if (home > 0xffff || f->r.err || !has_room(f, 0, 1)) {
        return no_cell(f, home);
    }
    o = cell(f, f->cells++);
    *o = (struct operand){.home = (uint16_t)f->home, .type = type, .in = IN_HOME};
    f->home = home;
    if (home > f->max_home) {
        f->max_home = home;
    }
    return o;
}

/* Push an operand that lives in its home; the home, for the instruction that fills it. */
uint32_t sm_fn_push(struct fn *f, uint8_t type)
{
    struct operand *o = push_cell(f, type);

    return o == NULL ? 0 : o->home;
}

void sm_fn_push_const(struct fn *f, uint8_t type, uint32_t lo, uint32_t hi)
{
    struct operand *o = push_cell(f, type);

    if (o != NULL) {
        o->in = IN_CONST;
        o->lo = lo;
        o->hi = hi;
    }
}

void sm_fn_push_local(struct fn *f, uint32_t index)
{
    struct local *l = &f->locals[index];
    struct operand *o = push_cell(f, l->type);

    if (o != NULL && !dead(f)) {
        o->in = IN_LOCAL;
        o->local = (uint16_t)index;
        o->hi = l->chain;
        l->chain = f->cells;
        f->unsettled++;
    }
}

/* Push i32 operand a, just popped, plus k, without an instruction. False, and nothing is pushed,
 * when that needs one. */
bool sm_fn_push_sum(struct fn *f, const struct operand *a, int32_t k)
{
    struct operand *o;

    if (a->in == IN_CONST || (a->in == IN_HOME && a->home != f->home) || a->add + k < -32768 ||
        a->add + k > 32767) {
        return false;
    }
    if (a->in == IN_LOCAL) {
        sm_fn_push_local(f, a->local);
    } else {
        sm_fn_push(f, SM_WASM_I32);
    }
    if (!f->r.err) {
        o = cell(f, f->cells - 1);
        o->add = (int16_t)(a->add + k);
    }
    return true;
}

/* There is no operand, or something was wrong before: the result is one of the type. */
static OUT_OF_LINE void pop_nothing(struct fn *f, uint8_t type, struct operand *o)
{
    if (!f->r.err && !inner(f)->any) {
        sm_fn_invalid(f, "type mismatch");
    }
    *o = (struct operand){.home = (uint16_t)f->home, .type = type};
}

static OUT_OF_LINE void mismatch(struct fn *f)
{
    sm_fn_invalid(f, "type mismatch");
}

/* Take the topmost operand; type 0 accepts any. The result is a copy, so its cell may be reused. */
void sm_fn_pop_to(struct fn *f, uint8_t type, struct operand *o)
{
    refuse_left_out(f, type);
    if (f->r.err || f->cells == f->block) {
        pop_nothing(f, type, o);
        return;
    }
    *o = *cell(f, --f->cells);
    f->home = o->home;
    if (o->in == IN_LOCAL) {
        f->locals[o->local].chain = o->hi;
        f->unsettled--;
    }
    if (o->type != type && type != 0 && o->type != 0) {
        mismatch(f);
    }
}

/* The slot to read a popped operand from. */
uint32_t sm_fn_slot(struct fn *f, const struct operand *o)
{
    if (!dead(f) && (o->in == IN_CONST || o->add != 0)) {
        sm_fn_move_to(f, o, o->home);
        return o->home;
    }
    return sm_fn_place(f, o);
}

static void settle(struct fn *f, struct operand *o)
{
    if (o->in != IN_HOME || o->add != 0) {
        if (!dead(f)) {
            sm_fn_move_to(f, o, o->home);
        }
        if (o->in == IN_LOCAL) {
            f->locals[o->local].chain = o->hi; /* callers settle from the top of the chain down */
            f->unsettled--;
        }
        o->in = IN_HOME;
        o->add = 0;
    }
}

/* Before local x changes. */
void sm_fn_settle_local(struct fn *f, uint32_t x)
{
    while (f->locals[x].chain != 0 && !f->r.err) {
        settle(f, cell(f, f->locals[x].chain - 1));
    }
}

/* Bring the topmost n operands home, constants too. */
void sm_fn_settle_top(struct fn *f, uint32_t n)
{
    for (uint32_t i = 0; i < n && f->cells - i > f->block; i++) {
        settle(f, cell(f, f->cells - 1 - i));
    }
}

/* Before a block: nothing on the stack stands for a local. Constants stay. What lies below the
 * innermost block was settled when that began. The search ends at the lowest such operand, below
 * which no later search comes before as many operands were pushed again. */
void sm_fn_settle_locals(struct fn *f)
{
    for (uint32_t i = f->cells; f->unsettled > 0 && !f->r.err; i--) {
        struct operand *o = cell(f, i - 1);

        if (o->in == IN_LOCAL) {
            settle(f, o);
        }
    }
}

/* ---- Lists of types -------------------------------------------------------------------------- */

uint8_t sm_fn_type_code(struct fn *f, uint32_t off, uint32_t i)
{
    return f->mi->wasm[off + i];
}

void sm_fn_push_types(struct fn *f, uint32_t off, uint32_t n)
{
    sm_fn_spend(f, n);
    for (uint32_t i = 0; i < n; i++) {
        sm_fn_push(f, sm_fn_type_code(f, off, i));
    }
}

void sm_fn_pop_types(struct fn *f, uint32_t off, uint32_t n)
{
    while (n-- > 0) {
        sm_fn_pop(f, sm_fn_type_code(f, off, n));
    }
}

/* The topmost operands have these types. Pops and pushes nothing when they do, except that a
 * polymorphic stack gets what it lacks. Pays for moving or popping them, too. */
void sm_fn_check_types(struct fn *f, uint32_t off, uint32_t n)
{
    sm_fn_spend(f, n);
    for (uint32_t i = 0; i < n && !f->r.err; i++) {
        uint32_t want = sm_fn_type_code(f, off, n - 1 - i);

        if (f->cells - i > f->block) {
            struct operand *o = cell(f, f->cells - 1 - i);

            if (o->type != 0 && o->type != want) {
                sm_fn_invalid(f, "type mismatch");
            }
        } else if (!inner(f)->any) {
            sm_fn_invalid(f, "type mismatch");
        } else {
            return;
        }
    }
}

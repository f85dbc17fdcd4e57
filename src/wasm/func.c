/* One function body: validated and translated in the same pass.
 *
 * The operand stack of the specification's validation algorithm (appendix A.3) carries, beside
 * each type, where the value is: in its own frame slot (its "home"), still in a local, or a
 * constant not yet written anywhere. An operator takes its operands from where they are, so
 * local.get and const cost nothing, and a local.set after an operator only changes that
 * operator's destination.
 *
 * Frame, in words:   [parameters / results | return address | other locals | operand homes]
 * The home of an operand is fixed by the widths of what lies below it; a call's arguments are
 * therefore already in place as the callee's frame.
 *
 * Invariants
 *   - At every label each operand below it is in its home or a constant: an operand that stands
 *     for a local is copied home when a block starts, because a local.set inside may be jumped
 *     over.
 *   - An operand that stands for local x is copied home before x changes. Such operands of one
 *     local are chained, so this costs no search.
 *   - `last` is the most recent instruction if no label follows it; only then may it be changed.
 *
 * Scratch: [locals | code grows up ...... operands and open blocks grow down]. Forward branches to
 * one label are chained through their own distance fields, so labels need no memory.
 * Distances have 16 bits; a function that needs more is translated again with `far` set, in which
 * every branch goes through a 32-bit jump.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>
#include "image.h"
#include "ops.h"
#include "reader.h"

enum { IN_HOME, IN_LOCAL, IN_CONST };

struct operand {
    uint32_t lo, hi; /* constant: its words; local: index, and the next operand of that local */
    uint16_t home;
    uint8_t type; /* 0: any type (below a stack that is polymorphic) */
    uint8_t in;
};

struct block { /* an open block; lies on the operand stack, BLOCK_CELLS cells */
    uint32_t outer;       /* the block around it: cell index, 0 for none */
    uint32_t params, results; /* offsets of the type codes */
    uint16_t nparams, nresults;
    uint32_t label;       /* loop: its start; else the last branch to its end, or SM_NONE */
    uint32_t else_site;   /* if: the branch to the else part, SM_NONE after it */
    uint32_t home;        /* of the first operand inside */
    uint8_t op;           /* 0 the function, else the opcode (0x02 block 0x03 loop 0x04 if) */
    uint8_t dead;         /* the rest cannot be reached: nothing is emitted */
    uint8_t any;          /* the stack is polymorphic: it gives operands of any type */
    uint8_t else_dead;    /* if: the else part cannot be reached either */
    uint8_t has_else;     /* if: the else part has begun */
    uint8_t pad[3];
};
#define BLOCK_CELLS (sizeof(struct block) / sizeof(struct operand))
_Static_assert(sizeof(struct block) % sizeof(struct operand) == 0, "blocks share the stack");

struct local {
    uint32_t chain; /* topmost operand that stands for it: cell index + 1, 0 for none */
    uint16_t slot;
    uint8_t type, pad;
};

struct fn {
    struct sm_reader r;
    const struct sm_modinfo *mi;
    struct sm_func_job *job;
    struct local *locals;
    uint32_t nlocals;
    uint16_t *code;
    uint32_t n;          /* units emitted */
    struct operand *top; /* one past the highest cell; cell i is top[-1 - i] */
    uint32_t cells;
    uint32_t block; /* the innermost: index of its last cell + 1 */
    uint32_t home;  /* of the next operand */
    uint32_t max_home;
    uint32_t last, last_dst; /* positions of an instruction and of its destination, or SM_NONE */
    uint16_t header;         /* slot of the return address */
    bool far, too_far;
    uint32_t at; /* offset of the operator at work */
};

/* ---- Errors, cells ---------------------------------------------------------------------------- */

static void fail(struct fn *f, int err, const char *rule)
{
    sm_reader_fail(&f->r, f->at, err, rule);
}

static void invalid(struct fn *f, const char *rule)
{
    fail(f, SM_ERR_INVALID, rule);
}

static struct operand *cell(struct fn *f, uint32_t i)
{
    return f->top - 1 - i;
}

static struct block *block_at(struct fn *f, uint32_t end)
{
    return (struct block *)(void *)cell(f, end - 1);
}

static struct block *inner(struct fn *f)
{
    return block_at(f, f->block);
}

static bool room(struct fn *f, uint32_t units, uint32_t cells)
{
    if ((uint8_t *)(f->code + f->n + units) > (uint8_t *)(f->top - f->cells - cells)) {
        fail(f, SM_ERR_MEMORY, "function too large for the translator's memory");
        return false;
    }
    return true;
}

/* ---- Emitting --------------------------------------------------------------------------------- */

static bool dead(struct fn *f)
{
    return f->r.err != 0 || inner(f)->dead;
}

static void unit(struct fn *f, uint32_t value)
{
    if (room(f, 1, 0)) {
        f->code[f->n++] = (uint16_t)value;
    }
}

/* Start an instruction; its operands follow with unit(). */
static void op(struct fn *f, uint32_t code)
{
    f->last = f->n;
    f->last_dst = SM_NONE;
    unit(f, code);
}

static void op_dst(struct fn *f, uint32_t code, uint32_t dst)
{
    op(f, code);
    f->last_dst = f->n;
    unit(f, dst);
}

static void word(struct fn *f, uint32_t value)
{
    unit(f, value & 0xffff);
    unit(f, value >> 16);
}

static bool fits_k(uint32_t lo, uint32_t hi, bool wide)
{
    int32_t v = (int32_t)lo;

    return v >= -32768 && v <= 32767 && (!wide || hi == (v < 0 ? 0xffffffffu : 0));
}

static void load_const(struct fn *f, const struct operand *o, uint32_t dst)
{
    bool wide = sm_type_words(o->type) == 2;

    if (fits_k(o->lo, o->hi, wide)) {
        op_dst(f, wide ? OP_CONST_64K : OP_CONST_K, dst);
        unit(f, o->lo);
        return;
    }
    op_dst(f, wide ? OP_CONST_64 : OP_CONST_32, dst);
    word(f, o->lo);
    if (wide) {
        word(f, o->hi);
    }
}

static void copy(struct fn *f, uint8_t type, uint32_t dst, uint32_t src)
{
    if (dst != src) {
        op_dst(f, sm_type_words(type) == 2 ? OP_COPY_64 : OP_COPY_32, dst);
        unit(f, src);
    }
}

/* Write an operand to a slot, leaving the stack's view of it alone. */
static void move_to(struct fn *f, const struct operand *o, uint32_t dst)
{
    if (o->in == IN_CONST) {
        load_const(f, o, dst);
    } else {
        copy(f, o->type, dst, o->in == IN_LOCAL ? f->locals[o->lo].slot : o->home);
    }
}

/* ---- Operands --------------------------------------------------------------------------------- */

static struct operand *push_cell(struct fn *f, uint8_t type)
{
    struct operand *o;
    uint32_t words = sm_type_words(type);

    if (f->home + words > 0xffff) {
        fail(f, SM_ERR_LIMIT, "frame of more than 65535 words");
    }
    if (f->r.err || !room(f, 0, 1)) {
        return NULL;
    }
    o = cell(f, f->cells++);
    *o = (struct operand){ .home = (uint16_t)f->home, .type = type, .in = IN_HOME };
    f->home += words;
    if (f->home > f->max_home) {
        f->max_home = f->home;
    }
    return o;
}

/* Push an operand that lives in its home; the home, for the instruction that fills it. */
static uint32_t push(struct fn *f, uint8_t type)
{
    struct operand *o = push_cell(f, type);

    return o == NULL ? 0 : o->home;
}

static void push_const(struct fn *f, uint8_t type, uint32_t lo, uint32_t hi)
{
    struct operand *o = push_cell(f, type);

    if (o != NULL) {
        o->in = IN_CONST;
        o->lo = lo;
        o->hi = hi;
    }
}

static void push_local(struct fn *f, uint32_t index)
{
    struct local *l = &f->locals[index];
    struct operand *o = push_cell(f, l->type);

    if (o != NULL && !dead(f)) {
        o->in = IN_LOCAL;
        o->lo = index;
        o->hi = l->chain;
        l->chain = f->cells;
    }
}

/* Take the topmost operand; type 0 accepts any. The result is a copy, so its cell may be reused. */
static struct operand pop(struct fn *f, uint8_t type)
{
    struct operand o = { .home = (uint16_t)f->home };

    if (f->r.err) {
        return o;
    }
    if (f->cells == f->block) {
        if (!inner(f)->any) {
            invalid(f, "type mismatch");
        }
        o.type = type;
        return o;
    }
    o = *cell(f, --f->cells);
    f->home = o.home;
    if (o.in == IN_LOCAL) {
        f->locals[o.lo].chain = o.hi;
    }
    if (type != 0 && o.type != 0 && o.type != type) {
        invalid(f, "type mismatch");
    }
    return o;
}

/* The slot to read a popped operand from. */
static uint32_t slot(struct fn *f, const struct operand *o)
{
    if (o->in == IN_LOCAL) {
        return f->locals[o->lo].slot;
    }
    if (o->in == IN_CONST && !dead(f)) {
        load_const(f, o, o->home);
    }
    return o->home;
}

static void settle(struct fn *f, struct operand *o)
{
    if (o->in != IN_HOME) {
        if (!dead(f)) {
            move_to(f, o, o->home);
        }
        if (o->in == IN_LOCAL) {
            f->locals[o->lo].chain = o->hi; /* callers settle from the top of the chain down */
        }
        o->in = IN_HOME;
    }
}

/* Before local x changes. */
static void settle_local(struct fn *f, uint32_t x)
{
    while (f->locals[x].chain != 0 && !f->r.err) {
        settle(f, cell(f, f->locals[x].chain - 1));
    }
}

/* Bring the topmost n operands home, constants too. */
static void settle_top(struct fn *f, uint32_t n)
{
    for (uint32_t i = 0; i < n && f->cells - i > f->block; i++) {
        settle(f, cell(f, f->cells - 1 - i));
    }
}

/* Before a block: nothing on the stack stands for a local. Constants stay. What lies below the
 * innermost block was settled when that began. */
static void settle_locals(struct fn *f)
{
    for (uint32_t i = f->cells; i > f->block; i--) {
        struct operand *o = cell(f, i - 1);

        if (o->in == IN_LOCAL) {
            settle(f, o);
        }
    }
}

/* ---- Labels and branches ---------------------------------------------------------------------- */

/* A distance field that starts at `site`: fill in where it leads. */
static void patch(struct fn *f, uint32_t site, uint32_t target)
{
    int32_t distance = (int32_t)(target - site);

    if (f->far) {
        f->code[site] = (uint16_t)distance;
        f->code[site + 1] = (uint16_t)((uint32_t)distance >> 16);
    } else if (distance < -32768 || distance > 32767) {
        f->too_far = true;
    } else {
        f->code[site] = (uint16_t)distance;
    }
}

/* Emit a distance field for a branch to a block: to a loop's start it is known, to a block's end
 * it joins the chain. */
static void distance_field(struct fn *f, struct block *b)
{
    uint32_t site = f->n;
    uint32_t link = 0;

    if (b->op != 0x03) {
        link = b->label == SM_NONE ? 0 : site - b->label;
        b->label = site;
        f->too_far |= !f->far && link > 0xffff;
    }
    unit(f, link);
    if (f->far) {
        unit(f, link >> 16);
    }
    if (b->op == 0x03 && !f->r.err) {
        patch(f, site, b->label);
    }
}

/* All branches of a chain lead here. */
static void bind_chain(struct fn *f, uint32_t site)
{
    f->last = SM_NONE;
    while (site != SM_NONE && !f->r.err && !f->too_far) {
        uint32_t link = f->code[site];

        if (f->far) {
            link |= (uint32_t)f->code[site + 1] << 16;
        }
        patch(f, site, f->n);
        site = link == 0 ? SM_NONE : site - link;
    }
}

static void jump(struct fn *f, struct block *b)
{
    op(f, f->far ? OP_JUMP_FAR : OP_JUMP);
    distance_field(f, b);
}

/* Operands of a branch (the topmost n) are where the target wants them. */
static bool in_place(struct fn *f, uint32_t n, uint32_t home)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct operand *o = cell(f, f->cells - n + i);

        if (o->in != IN_HOME || o->home != home) {
            return false;
        }
        home += sm_type_words(o->type);
    }
    return true;
}

/* Copy the topmost n operands to a target's slots, lowest first. A target slot never lies above
 * the home of the operand it takes, so no operand is overwritten before it was copied. */
static void move_results(struct fn *f, uint32_t n, uint32_t home)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct operand *o = cell(f, f->cells - n + i);

        move_to(f, o, home);
        home += sm_type_words(o->type);
    }
}

/* Leave the function with the topmost operands as results. Results lie over the parameters, so
 * operands that stand for parameters first go home when there is more than one. */
static void emit_return(struct fn *f, uint32_t n)
{
    struct operand *o = n == 0 ? NULL : cell(f, f->cells - 1);

    if (n == 1 && o->in != IN_CONST) {
        uint32_t src = o->in == IN_LOCAL ? f->locals[o->lo].slot : o->home;

        op(f, sm_type_words(o->type) == 2 ? OP_RETURN_64 : OP_RETURN_32);
        unit(f, f->header);
        unit(f, src);
        return;
    }
    if (n > 1) {
        /* Only copies: a conditional branch may go on with the stack as it was. */
        for (uint32_t i = 0; i < n; i++) {
            const struct operand *p = cell(f, f->cells - n + i);

            if (p->in == IN_LOCAL) {
                move_to(f, p, p->home);
            }
        }
        uint32_t home = 0;
        for (uint32_t i = 0; i < n; i++) {
            const struct operand *p = cell(f, f->cells - n + i);

            if (p->in == IN_CONST) {
                load_const(f, p, home);
            } else {
                copy(f, p->type, home, p->home);
            }
            home += sm_type_words(p->type);
        }
    } else {
        move_results(f, n, 0);
    }
    op(f, OP_RETURN);
    unit(f, f->header);
}

/* Branch for good: moves, then the jump. */
static void leave(struct fn *f, struct block *b, uint32_t n)
{
    if (b->op == 0) {
        emit_return(f, n);
        return;
    }
    move_results(f, n, b->home);
    jump(f, b);
}

/* If the condition was just computed by a comparison, take that back and branch on it directly.
 * Fills in the branch op (for "jump when true") and its operands; false leaves everything. */
static bool fuse(struct fn *f, const struct operand *cond, uint32_t *code, uint32_t *a, uint32_t *b)
{
    uint32_t was;

    if (f->last == SM_NONE || f->last_dst == SM_NONE || cond->in != IN_HOME ||
        f->code[f->last_dst] != cond->home) {
        return false;
    }
    was = f->code[f->last];
    if (was >= OP_I32_EQ && was <= OP_I64_LE_U) {
        *code = was - OP_I32_EQ + OP_BR_EQ;
        *b = f->code[f->last + 3];
    } else if (was == OP_I32_EQZ) {
        *code = OP_BR_Z;
    } else {
        return false;
    }
    *a = f->code[f->last + 2];
    f->n = f->last;
    f->last = SM_NONE;
    return true;
}

/* The branch that is taken exactly when `code` is not; may exchange the operands. */
static uint32_t opposite(uint32_t code, uint32_t *a, uint32_t *b)
{
    bool ordered = (code >= OP_BR_LT_S && code <= OP_BR_LE_U) ||
                   (code >= OP_BR_LT_S_64 && code <= OP_BR_LE_U_64);

    if (ordered) { /* not (a < b) is b <= a */
        uint32_t t = *a;

        *a = *b;
        *b = t;
    }
    return ((code - OP_BR_NZ) ^ 1) + OP_BR_NZ;
}

/* Emit a conditional branch up to its distance field and return the field's operands after it. */
struct condition {
    uint32_t code, a, b;
};

static struct condition condition(struct fn *f, const struct operand *cond, bool when)
{
    struct condition c = { .code = OP_BR_NZ };

    if (!fuse(f, cond, &c.code, &c.a, &c.b)) {
        c.a = slot(f, cond);
    }
    if (!when) {
        c.code = opposite(c.code, &c.a, &c.b);
    }
    return c;
}

static void condition_operands(struct fn *f, const struct condition *c)
{
    unit(f, c->a);
    if (c->code >= OP_BR_EQ) {
        unit(f, c->b);
    }
}

/* Branch over the next instructions; the position to give to skip_end(). Always near. */
static uint32_t skip_unless(struct fn *f, struct condition *c)
{
    uint32_t site;

    c->code = opposite(c->code, &c->a, &c->b);
    op(f, c->code);
    site = f->n;
    unit(f, 0);
    condition_operands(f, c);
    return site;
}

static void skip_end(struct fn *f, uint32_t site)
{
    f->last = SM_NONE;
    if (!f->r.err) {
        f->too_far |= f->n - site > 32767;
        f->code[site] = (uint16_t)(f->n - site);
    }
}

/* Branch to b when the condition holds, without operands to move. */
static void branch_on(struct fn *f, struct condition *c, struct block *b)
{
    if (f->far) {
        uint32_t over = skip_unless(f, c);

        jump(f, b);
        skip_end(f, over);
        return;
    }
    op(f, c->code);
    distance_field(f, b);
    condition_operands(f, c);
    f->last = SM_NONE;
}

/* ---- Types ------------------------------------------------------------------------------------ */

static bool is_value_type(uint8_t t)
{
    return (t >= SM_WASM_F64 && t <= SM_WASM_I32) || t == SM_WASM_FUNCREF ||
           t == SM_WASM_EXTERNREF;
}

static uint8_t type_code(struct fn *f, uint32_t off, uint32_t i)
{
    return f->mi->wasm[off + i];
}

static void push_types(struct fn *f, uint32_t off, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        push(f, type_code(f, off, i));
    }
}

static void pop_types(struct fn *f, uint32_t off, uint32_t n)
{
    while (n-- > 0) {
        pop(f, type_code(f, off, n));
    }
}

/* The types a branch to b carries. */
static void label_types(struct block *b, uint32_t *off, uint32_t *n)
{
    *off = b->op == 0x03 ? b->params : b->results;
    *n = b->op == 0x03 ? b->nparams : b->nresults;
}

/* The topmost operands have these types. Pops and pushes nothing when they do, except that a
 * polymorphic stack gets what it lacks. */
static void check_types(struct fn *f, uint32_t off, uint32_t n)
{
    for (uint32_t i = 0; i < n && !f->r.err; i++) {
        uint32_t want = type_code(f, off, n - 1 - i);

        if (f->cells - i > f->block) {
            struct operand *o = cell(f, f->cells - 1 - i);

            if (o->type != 0 && o->type != want) {
                invalid(f, "type mismatch");
            }
        } else if (!inner(f)->any) {
            invalid(f, "type mismatch");
        } else {
            return;
        }
    }
}

static struct block *target(struct fn *f, uint32_t depth)
{
    uint32_t end = f->block;

    while (depth-- > 0 && end != 0) {
        end = block_at(f, end)->outer;
    }
    if (end == 0) {
        invalid(f, "unknown label");
        return inner(f);
    }
    return block_at(f, end);
}

/* ---- Blocks ----------------------------------------------------------------------------------- */

static void block_type(struct fn *f, struct block *b)
{
    uint32_t at = f->r.pos;
    int64_t v = sm_reader_s33(&f->r);

    if (f->r.err) {
        return;
    }
    if (v >= 0) {
        const struct sm_image_type *t;

        if (v >= f->mi->h.ntypes) {
            invalid(f, "unknown type");
            return;
        }
        t = &f->mi->types[v];
        b->params = t->params;
        b->nparams = t->nparams;
        b->results = t->results;
        b->nresults = t->nresults;
    } else if (f->r.pos == at + 1 && is_value_type(f->mi->wasm[at])) {
        b->results = at;
        b->nresults = 1;
    } else if (v != -64) { /* 0x40: no result */
        fail(f, SM_ERR_MALFORMED, "malformed block type");
    }
}

static void open_block(struct fn *f, uint8_t opcode)
{
    struct block b = { .op = opcode, .label = SM_NONE, .else_site = SM_NONE, .outer = f->block };
    struct condition c = { 0 };
    bool was_dead = dead(f);

    block_type(f, &b);
    if (opcode == 0x04) {
        struct operand cond = pop(f, SM_WASM_I32);

        /* The condition's instruction can only be taken back while it is the last. */
        if (!was_dead && !f->r.err) {
            c = condition(f, &cond, false);
        }
    }
    check_types(f, b.params, b.nparams);
    if (!f->r.err) {
        settle_top(f, b.nparams);
        settle_locals(f);
    }
    pop_types(f, b.params, b.nparams);
    if (f->r.err || !room(f, 8, BLOCK_CELLS)) {
        return;
    }
    b.dead = was_dead;
    b.else_dead = was_dead;
    b.home = f->home;
    f->cells += BLOCK_CELLS;
    f->block = f->cells;
    *inner(f) = b;
    if (opcode == 0x04 && !was_dead) {
        /* Settling came between the comparison and its branch; neither writes what it reads. */
        if (f->far) {
            uint32_t over = skip_unless(f, &c);

            op(f, OP_JUMP_FAR);
            inner(f)->else_site = f->n;
            word(f, 0);
            skip_end(f, over);
        } else {
            op(f, c.code);
            inner(f)->else_site = f->n;
            unit(f, 0);
            condition_operands(f, &c);
        }
    }
    if (opcode == 0x03) {
        inner(f)->label = f->n;
    }
    f->last = SM_NONE;
    push_types(f, b.params, b.nparams);
}

/* The end of a block's reachable part: results are checked and brought to their homes, the stack
 * is as it was before the block. */
static void close_part(struct fn *f)
{
    struct block *b = inner(f);

    check_types(f, b->results, b->nresults);
    if (!dead(f)) {
        if (b->op == 0) {
            if (f->cells - f->block == b->nresults) {
                emit_return(f, b->nresults);
            }
        } else if (f->cells - f->block == b->nresults) {
            move_results(f, b->nresults, b->home);
        }
    }
    pop_types(f, b->results, b->nresults);
    if (!f->r.err && f->cells != f->block) {
        invalid(f, "type mismatch");
    }
}

static void do_else(struct fn *f)
{
    struct block *b = inner(f);

    if (b->op != 0x04 || b->has_else) {
        fail(f, SM_ERR_MALFORMED, "else without if");
        return;
    }
    close_part(f);
    if (f->r.err) {
        return;
    }
    if (!dead(f)) {
        jump(f, b);
    }
    if (!b->else_dead) {
        patch(f, b->else_site, f->n);
    }
    f->last = SM_NONE;
    b->else_site = SM_NONE;
    b->has_else = 1;
    b->dead = b->else_dead;
    b->any = 0;
    f->home = b->home;
    push_types(f, b->params, b->nparams);
}

static void do_end(struct fn *f)
{
    struct block *b = inner(f);
    struct block was;

    close_part(f);
    if (f->r.err) {
        return;
    }
    if (b->op == 0x04 && !b->has_else) {
        /* No else part: it would pass the parameters on as results. */
        if (b->nparams != b->nresults ||
            memcmp(f->mi->wasm + b->params, f->mi->wasm + b->results, b->nparams) != 0) {
            invalid(f, "type mismatch");
            return;
        }
        if (!b->else_dead) {
            patch(f, b->else_site, f->n);
        }
    }
    was = *b;
    if (was.op != 0x03) {
        bind_chain(f, was.label);
    }
    f->last = SM_NONE;
    f->cells -= BLOCK_CELLS;
    f->block = was.outer;
    f->home = was.home;
    if (was.op != 0) {
        push_types(f, was.results, was.nresults);
    }
}

/* The rest of the block cannot be reached. */
static void mark_dead(struct fn *f)
{
    while (f->cells > f->block && !f->r.err) {
        pop(f, 0);
    }
    inner(f)->dead = inner(f)->any = 1;
    f->last = SM_NONE;
}

static void do_br(struct fn *f)
{
    struct block *b = target(f, sm_reader_u32(&f->r));
    uint32_t off, n;

    label_types(b, &off, &n);
    check_types(f, off, n);
    if (!dead(f)) {
        leave(f, b, n);
    }
    mark_dead(f);
}

static void do_br_if(struct fn *f)
{
    struct block *b = target(f, sm_reader_u32(&f->r));
    struct operand cond = pop(f, SM_WASM_I32);
    struct condition c;
    uint32_t off, n;

    label_types(b, &off, &n);
    check_types(f, off, n);
    if (dead(f)) {
        /* A polymorphic stack now holds exactly the label's types. */
        pop_types(f, off, n);
        push_types(f, off, n);
        return;
    }
    c = condition(f, &cond, true);
    if (b->op != 0 && in_place(f, n, b->home)) {
        branch_on(f, &c, b);
    } else {
        uint32_t over = skip_unless(f, &c);

        leave(f, b, n);
        skip_end(f, over);
    }
}

/* Validate the targets of a br_table; all take as many operands as the default, of types that fit. */
static void check_table(struct fn *f, uint32_t count, uint32_t arity)
{
    for (uint32_t i = 0; i <= count && !f->r.err; i++) {
        struct block *b = target(f, sm_reader_u32(&f->r));
        uint32_t off, n;

        label_types(b, &off, &n);
        if (n != arity) {
            invalid(f, "type mismatch");
        }
        check_types(f, off, n);
    }
}

/* One field a target. Where operands must move first, the field leads to a stub behind the table:
 * moves, then the jump. Neighbours with the same target share a stub. */
static void emit_table(struct fn *f, uint32_t index, uint32_t count, uint32_t arity, uint32_t list)
{
    struct sm_reader labels = f->r;
    uint32_t fields, width = f->far ? 2 : 1, stub = 0, stub_depth = SM_NONE;

    f->too_far |= !f->far && count > 0xffff;
    op(f, f->far ? OP_BR_TABLE_FAR : OP_BR_TABLE);
    unit(f, index);
    unit(f, count);
    if (f->far) {
        unit(f, count >> 16);
    }
    fields = f->n;
    for (int stubs = 0; stubs < 2; stubs++) {
        labels.pos = list;
        for (uint32_t i = 0; i <= count && !f->r.err && !f->too_far; i++) {
            uint32_t depth = sm_reader_u32(&labels);
            struct block *b = target(f, depth);
            bool direct = b->op != 0 && in_place(f, arity, b->home);

            if (stubs == 0 && direct) {
                distance_field(f, b);
            } else if (stubs == 0) {
                unit(f, 0);
                if (f->far) {
                    unit(f, 0);
                }
            } else if (!direct) {
                if (depth != stub_depth) {
                    stub = f->n;
                    stub_depth = depth;
                    leave(f, b, arity);
                }
                if (!f->r.err) {
                    patch(f, fields + i * width, stub);
                }
            }
        }
    }
}

static void do_br_table(struct fn *f)
{
    uint32_t count = sm_reader_u32(&f->r);
    uint32_t list = f->r.pos, last_label, off, arity;
    struct sm_reader labels = f->r;
    struct operand index;

    if (count > f->r.end - f->r.pos) { /* each target takes a byte */
        fail(f, SM_ERR_MALFORMED, "unexpected end");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        sm_reader_u32(&labels);
    }
    last_label = sm_reader_u32(&labels);
    index = pop(f, SM_WASM_I32);
    label_types(target(f, last_label), &off, &arity);
    check_table(f, count, arity);
    if (!dead(f)) {
        emit_table(f, slot(f, &index), count, arity, list);
    }
    mark_dead(f);
}

/* ---- Operators -------------------------------------------------------------------------------- */

static void do_local_get(struct fn *f)
{
    uint32_t x = sm_reader_u32(&f->r);

    if (x >= f->nlocals) {
        invalid(f, "unknown local");
        return;
    }
    push_local(f, x);
}

/* The last instruction computed this operand into its home and may compute it elsewhere instead. */
static bool can_retarget(struct fn *f, const struct operand *o)
{
    return o->in == IN_HOME && f->last != SM_NONE && f->last_dst != SM_NONE &&
           f->code[f->last_dst] == o->home;
}

static void do_local_set(struct fn *f, bool tee)
{
    uint32_t x = sm_reader_u32(&f->r);
    struct local *l;
    struct operand o;

    if (x >= f->nlocals) {
        invalid(f, "unknown local");
        return;
    }
    l = &f->locals[x];
    o = pop(f, l->type);
    if (dead(f)) {
        if (tee) {
            push(f, l->type);
        }
        return;
    }
    if (o.in == IN_LOCAL && o.lo == x) { /* x = x */
        if (tee) {
            push_local(f, x);
        }
        return;
    }
    if (l->chain == 0 && can_retarget(f, &o)) {
        f->code[f->last_dst] = l->slot;
        if (tee) {
            push_local(f, x);
        }
        return;
    }
    settle_local(f, x);
    move_to(f, &o, l->slot);
    if (!tee) {
        return;
    }
    if (o.in == IN_CONST) {
        push_const(f, o.type, o.lo, o.hi);
    } else {
        push_local(f, x);
    }
}

static void do_global(struct fn *f, bool set)
{
    uint32_t x = sm_reader_u32(&f->r);
    const struct sm_image_global *g;
    bool wide;

    if (x >= f->mi->h.nglobals) {
        invalid(f, "unknown global");
        return;
    }
    g = &f->mi->globals[x];
    wide = sm_type_words(g->init.type) == 2;
    if (!set) {
        uint32_t dst = push(f, g->init.type);

        if (!dead(f)) {
            op_dst(f, wide ? OP_GLOBAL_GET_64 : OP_GLOBAL_GET_32, dst);
            unit(f, x);
        }
        return;
    }
    if (!g->is_mutable) {
        invalid(f, "global is immutable");
        return;
    }
    struct operand o = pop(f, g->init.type);

    if (!dead(f)) {
        uint32_t src = slot(f, &o);

        op(f, wide ? OP_GLOBAL_SET_64 : OP_GLOBAL_SET_32);
        unit(f, x);
        unit(f, src);
    }
}

struct access {
    uint8_t type, log2_size;
    uint16_t op;
};
static const struct access accesses[] = {
#define X(code, value, size, image_op) { SM_WASM_##value, size, image_op },
    SM_ACCESS(X)
#undef X
};

static void need_memory(struct fn *f)
{
    if (f->mi->h.memory == 0) {
        invalid(f, "unknown memory");
    }
}

/* The address slot and the 16-bit offset that together reach address + offset. */
static uint32_t address(struct fn *f, const struct operand *o, uint32_t *offset)
{
    uint32_t a = slot(f, o);

    if (*offset > 0xffff) {
        op_dst(f, OP_ADDRESS, o->home);
        unit(f, a);
        word(f, *offset);
        *offset = 0;
        return o->home;
    }
    return a;
}

static void do_access(struct fn *f, uint8_t opcode)
{
    const struct access *acc = &accesses[opcode - SM_ACCESS_MIN];
    uint32_t align = sm_reader_u32(&f->r);
    uint32_t offset = sm_reader_u32(&f->r);
    struct operand addr, value;
    uint32_t a, b;

    need_memory(f);
    if (align > acc->log2_size) {
        invalid(f, "alignment must not be larger than natural");
    }
    if (opcode < SM_ACCESS_STORE) {
        uint32_t dst;

        addr = pop(f, SM_WASM_I32);
        dst = push(f, acc->type);
        if (!dead(f)) {
            a = address(f, &addr, &offset);
            op_dst(f, acc->op, dst);
            unit(f, a);
            unit(f, offset);
        }
        return;
    }
    value = pop(f, acc->type);
    addr = pop(f, SM_WASM_I32);
    if (!dead(f)) {
        b = slot(f, &value);
        a = address(f, &addr, &offset);
        op(f, acc->op);
        unit(f, a);
        unit(f, b);
        unit(f, offset);
    }
}

struct numeric {
    uint8_t in, n, out;
    uint16_t op;
};
static const struct numeric numerics[] = {
#define X(code, in, n, out, image_op) { SM_WASM_##in, n, SM_WASM_##out, image_op },
    SM_NUMERIC(X)
#undef X
};

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
    case 0x71: return OP_I32_AND_K;
    case 0x72: return OP_I32_OR_K;
    case 0x73: return OP_I32_XOR_K;
    case 0x74: return OP_I32_SHL_K;
    case 0x75: return OP_I32_SHR_S_K;
    case 0x76: return OP_I32_SHR_U_K;
    case 0x77: return OP_I32_ROTL_K;
    case 0x78: *k = -*k & 31; return OP_I32_ROTL_K;
    case 0x7c: return OP_I64_ADD_K;
    case 0x7d: *k = -*k; return OP_I64_ADD_K;
    case 0x7e: return OP_I64_MUL_K;
    case 0x83: return OP_I64_AND_K;
    case 0x84: return OP_I64_OR_K;
    case 0x85: return OP_I64_XOR_K;
    case 0x86: return OP_I64_SHL_K;
    case 0x87: return OP_I64_SHR_S_K;
    case 0x88: return OP_I64_SHR_U_K;
    case 0x89: return OP_I64_ROTL_K;
    case 0x8a: *k = -*k & 63; return OP_I64_ROTL_K;
    default: return 0;
    }
}

static bool commutes(uint32_t op)
{
    return op == OP_I32_ADD || op == OP_I32_MUL || op == OP_I32_AND || op == OP_I32_OR ||
           op == OP_I32_XOR || op == OP_I32_EQ || op == OP_I32_NE || op == OP_I64_ADD ||
           op == OP_I64_MUL || op == OP_I64_AND || op == OP_I64_OR || op == OP_I64_XOR;
}

/* a op k, when k fits and there is such a form. */
static bool emit_immediate(struct fn *f, uint32_t opcode, const struct operand *a,
                           const struct operand *k, uint32_t dst)
{
    int32_t value = (int32_t)k->lo;
    uint32_t form, src;

    if (k->in != IN_CONST || !fits_k(k->lo, k->hi, k->type == SM_WASM_I64) ||
        (form = immediate_form(opcode, &value)) == 0 || value > 32767) {
        return false;
    }
    src = slot(f, a);
    op_dst(f, form, dst);
    unit(f, src);
    unit(f, (uint32_t)value);
    return true;
}

/* i32.eqz of a comparison just made: the opposite comparison. */
static bool fuse_eqz(struct fn *f, const struct operand *o, uint32_t dst)
{
    struct condition c = { 0 };

    if (!fuse(f, o, &c.code, &c.a, &c.b)) {
        return false;
    }
    if (c.code == OP_BR_Z) { /* not zero: no such comparison but with a constant */
        c.code = OP_BR_NE_K;
        c.b = 0;
    } else {
        c.code = opposite(c.code, &c.a, &c.b);
    }
    op_dst(f, c.code - OP_BR_EQ + OP_I32_EQ, dst);
    unit(f, c.a);
    unit(f, c.b);
    return true;
}

static void do_numeric(struct fn *f, uint32_t opcode)
{
    const struct numeric *m = &numerics[opcode - SM_NUMERIC_MIN];
    struct operand a, b = { 0 };
    uint32_t dst, sa, sb = 0;

    if (m->n == 2) {
        b = pop(f, m->in);
    }
    a = pop(f, m->in);
    dst = push(f, m->out);
    if (dead(f)) {
        return;
    }
    if (m->n == 2) {
        if (a.in == IN_CONST && b.in != IN_CONST && commutes(m->op)) {
            struct operand t = a;

            a = b;
            b = t;
        }
        if (emit_immediate(f, opcode, &a, &b, dst)) {
            return;
        }
    } else if (m->op == OP_I32_EQZ && fuse_eqz(f, &a, dst)) {
        return;
    }
    sa = slot(f, &a);
    if (m->n == 2) {
        sb = slot(f, &b);
    }
    op_dst(f, m->op & ~SM_SWAP, dst);
    unit(f, m->op & SM_SWAP ? sb : sa);
    if (m->n == 2) {
        unit(f, m->op & SM_SWAP ? sa : sb);
    }
}

static void do_select(struct fn *f, uint8_t type)
{
    struct operand c = pop(f, SM_WASM_I32);
    struct operand b = pop(f, type);
    struct operand a = pop(f, type);
    uint32_t dst, sa, sb, sc;

    if (type == 0) {
        type = a.type != 0 ? a.type : b.type;
        if ((a.type != 0 && b.type != 0 && a.type != b.type) || type == SM_WASM_FUNCREF ||
            type == SM_WASM_EXTERNREF) {
            invalid(f, "type mismatch");
            return;
        }
    }
    dst = push(f, type);
    if (dead(f)) {
        return;
    }
    sa = slot(f, &a);
    sb = slot(f, &b);
    sc = slot(f, &c);
    op_dst(f, sm_type_words(type) == 2 ? OP_SELECT_64 : OP_SELECT_32, dst);
    unit(f, sa);
    unit(f, sb);
    unit(f, sc);
}

static void do_select_typed(struct fn *f)
{
    uint32_t n = sm_reader_u32(&f->r);
    uint8_t type = sm_reader_byte(&f->r);

    if (f->r.err) {
        return;
    }
    if (n != 1) {
        invalid(f, "invalid result arity");
    } else if (!is_value_type(type)) {
        fail(f, SM_ERR_MALFORMED, "malformed value type");
    } else {
        do_select(f, type);
    }
}

/* Arguments go home, where they are the callee's frame. The base is that of the first. */
static uint32_t take_arguments(struct fn *f, const struct sm_image_type *t)
{
    uint32_t base;

    check_types(f, t->params, t->nparams);
    if (!dead(f)) {
        settle_top(f, t->nparams);
    }
    pop_types(f, t->params, t->nparams);
    base = f->home;
    push_types(f, t->results, t->nresults);
    return base;
}

static void do_call(struct fn *f)
{
    uint32_t x = sm_reader_u32(&f->r), base;

    if (x >= f->mi->h.nfuncs) {
        invalid(f, "unknown function");
        return;
    }
    base = take_arguments(f, &f->mi->types[f->mi->funcs[x].type]);
    if (!dead(f)) {
        op(f, x < f->mi->h.nfunc_imports ? OP_CALL_IMPORT : OP_CALL);
        unit(f, x);
        unit(f, base);
        f->last = SM_NONE;
    }
}

static void need_table(struct fn *f, uint32_t table, uint8_t type)
{
    if (table >= f->mi->h.ntables) {
        invalid(f, "unknown table");
    } else if (type != 0 && f->mi->tables[table].type != type) {
        invalid(f, "type mismatch");
    }
}

static void do_call_indirect(struct fn *f)
{
    uint32_t type = sm_reader_u32(&f->r);
    uint32_t table = sm_reader_u32(&f->r);
    struct operand index;
    uint32_t src = 0, base;

    need_table(f, table, SM_WASM_FUNCREF);
    if (type >= f->mi->h.ntypes) {
        invalid(f, "unknown type");
    }
    index = pop(f, SM_WASM_I32);
    if (f->r.err) {
        return;
    }
    if (!dead(f)) {
        src = slot(f, &index);
    }
    base = take_arguments(f, &f->mi->types[type]);
    if (dead(f)) {
        return;
    }
    op(f, OP_CALL_INDIRECT);
    unit(f, f->mi->types[type].canon);
    unit(f, table);
    unit(f, src);
    unit(f, base);
    f->last = SM_NONE;
}

/* ---- References, tables, bulk memory ----------------------------------------------------------- */

static uint8_t ref_type(struct fn *f)
{
    uint8_t t = sm_reader_byte(&f->r);

    if (!f->r.err && t != SM_WASM_FUNCREF && t != SM_WASM_EXTERNREF) {
        fail(f, SM_ERR_MALFORMED, "malformed reference type");
    }
    return t;
}

static void do_ref_is_null(struct fn *f)
{
    struct operand o = pop(f, 0);
    uint32_t dst = push(f, SM_WASM_I32);

    if (o.type != 0 && o.type != SM_WASM_FUNCREF && o.type != SM_WASM_EXTERNREF) {
        invalid(f, "type mismatch");
    }
    if (!dead(f)) {
        uint32_t src = slot(f, &o);

        op_dst(f, OP_I32_EQZ, dst); /* null is the word 0 */
        unit(f, src);
    }
}

static void do_ref_func(struct fn *f)
{
    uint32_t x = sm_reader_u32(&f->r), dst;

    if (x >= f->mi->h.nfuncs) {
        invalid(f, "unknown function");
        return;
    }
    if (!(f->mi->funcs[x].flags & SM_FUNC_DECLARED)) {
        invalid(f, "undeclared function reference");
        return;
    }
    dst = push(f, SM_WASM_FUNCREF);
    if (!dead(f)) {
        op_dst(f, OP_REF_FUNC, dst);
        unit(f, x);
    }
}

static void do_table_get(struct fn *f)
{
    uint32_t table = sm_reader_u32(&f->r);
    struct operand index;
    uint32_t dst;

    need_table(f, table, 0);
    index = pop(f, SM_WASM_I32);
    if (f->r.err) {
        return;
    }
    dst = push(f, f->mi->tables[table].type);
    if (!dead(f)) {
        uint32_t src = slot(f, &index);

        op_dst(f, OP_TABLE_GET, dst);
        unit(f, src);
        unit(f, table);
    }
}

static void do_table_set(struct fn *f)
{
    uint32_t table = sm_reader_u32(&f->r);
    struct operand index, value;

    need_table(f, table, 0);
    if (f->r.err) {
        return;
    }
    value = pop(f, f->mi->tables[table].type);
    index = pop(f, SM_WASM_I32);
    if (!dead(f)) {
        uint32_t a = slot(f, &index), b = slot(f, &value);

        op(f, OP_TABLE_SET);
        unit(f, a);
        unit(f, b);
        unit(f, table);
    }
}

static void do_table_grow(struct fn *f, uint32_t table)
{
    struct operand n, init;
    uint32_t dst;

    n = pop(f, SM_WASM_I32);
    init = pop(f, f->mi->tables[table].type);
    dst = push(f, SM_WASM_I32);
    if (!dead(f)) {
        uint32_t a = slot(f, &init), b = slot(f, &n);

        op_dst(f, OP_TABLE_GROW, dst);
        unit(f, a);
        unit(f, b);
        unit(f, table);
    }
}

/* Operations on three words that the interpreter uses up piece by piece: they go home, where it
 * may change them. */
static void bulk(struct fn *f, uint32_t code, uint8_t middle, uint32_t n, uint32_t x, uint32_t y)
{
    const uint8_t types[3] = { SM_WASM_I32, middle, SM_WASM_I32 };

    if (f->r.err) {
        return;
    }
    for (int i = 0; i < 3; i++) {
        if (f->cells - (uint32_t)i > f->block) {
            uint8_t t = cell(f, f->cells - 1 - (uint32_t)i)->type;

            if (t != 0 && t != types[2 - i]) {
                invalid(f, "type mismatch");
                return;
            }
        }
    }
    if (!dead(f)) {
        settle_top(f, 3);
    }
    pop(f, SM_WASM_I32);
    pop(f, middle);
    pop(f, SM_WASM_I32);
    if (!dead(f)) {
        op(f, code);
        unit(f, f->home);
        if (n > 0) {
            unit(f, x);
        }
        if (n > 1) {
            unit(f, y);
        }
    }
}

static void drop_segment(struct fn *f, uint32_t code, uint32_t x)
{
    if (!dead(f)) {
        op(f, code);
        unit(f, x);
    }
}

static void zero_byte(struct fn *f)
{
    if (sm_reader_byte(&f->r) != 0) {
        fail(f, SM_ERR_MALFORMED, "zero byte expected");
    }
}

static uint32_t data_index(struct fn *f)
{
    uint32_t x = sm_reader_u32(&f->r);

    if (f->mi->data_count == SM_NONE) {
        fail(f, SM_ERR_MALFORMED, "data count section required");
    } else if (x >= f->mi->data_count) {
        invalid(f, "unknown data segment");
    }
    return x;
}

static uint32_t elem_index(struct fn *f)
{
    uint32_t x = sm_reader_u32(&f->r);

    if (x >= f->mi->h.nelems) {
        invalid(f, "unknown elem segment");
    }
    return x;
}

static void do_table_init(struct fn *f)
{
    uint32_t x = elem_index(f);
    uint32_t table = sm_reader_u32(&f->r);

    need_table(f, table, 0);
    if (!f->r.err && f->mi->elems[x].type != f->mi->tables[table].type) {
        invalid(f, "type mismatch");
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
        do_table_grow(f, table);
    } else if (sub == 0x11) {
        bulk(f, OP_TABLE_FILL, f->mi->tables[table].type, 1, table, 0);
    } else {
        uint32_t dst = push(f, SM_WASM_I32);

        if (!dead(f)) {
            op_dst(f, OP_TABLE_SIZE, dst);
            unit(f, table);
        }
    }
}

static void do_prefixed(struct fn *f)
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
    case 0x0c:
        do_table_init(f);
        break;
    case 0x0d:
        x = elem_index(f);
        drop_segment(f, OP_ELEM_DROP, x);
        break;
    case 0x0e:
        do_table_copy(f);
        break;
    case 0x0f:
    case 0x10:
    case 0x11:
        do_table_op(f, sub);
        break;
    default:
        fail(f, SM_ERR_MALFORMED, "illegal opcode");
    }
}

static void do_memory_size(struct fn *f)
{
    uint32_t dst;

    zero_byte(f);
    need_memory(f);
    dst = push(f, SM_WASM_I32);
    if (!dead(f)) {
        op_dst(f, OP_MEMORY_SIZE, dst);
    }
}

static void do_memory_grow(struct fn *f)
{
    struct operand n;
    uint32_t dst;

    zero_byte(f);
    need_memory(f);
    n = pop(f, SM_WASM_I32);
    dst = push(f, SM_WASM_I32);
    if (!dead(f)) {
        uint32_t src = slot(f, &n);

        op_dst(f, OP_MEMORY_GROW, dst);
        unit(f, src);
    }
}

static void do_return(struct fn *f)
{
    struct block *b = block_at(f, BLOCK_CELLS); /* the function's own */

    check_types(f, b->results, b->nresults);
    if (!dead(f)) {
        emit_return(f, b->nresults);
    }
    mark_dead(f);
}

static void do_unreachable(struct fn *f)
{
    if (!dead(f)) {
        op(f, OP_UNREACHABLE);
    }
    mark_dead(f);
}

static void do_const(struct fn *f, uint8_t opcode)
{
    uint64_t v;

    switch (opcode) {
    case 0x41:
        push_const(f, SM_WASM_I32, (uint32_t)sm_reader_s32(&f->r), 0);
        break;
    case 0x42:
        v = (uint64_t)sm_reader_s64(&f->r);
        push_const(f, SM_WASM_I64, (uint32_t)v, (uint32_t)(v >> 32));
        break;
    case 0x43:
        push_const(f, SM_WASM_F32, sm_reader_fixed32(&f->r), 0);
        break;
    default:
        v = sm_reader_fixed64(&f->r);
        push_const(f, SM_WASM_F64, (uint32_t)v, (uint32_t)(v >> 32));
    }
}

static void do_operator(struct fn *f, uint8_t opcode)
{
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
    case 0x04: open_block(f, opcode); break;
    case 0x05: do_else(f); break;
    case 0x0b: do_end(f); break;
    case 0x0c: do_br(f); break;
    case 0x0d: do_br_if(f); break;
    case 0x0e: do_br_table(f); break;
    case 0x0f: do_return(f); break;
    case 0x10: do_call(f); break;
    case 0x11: do_call_indirect(f); break;
    case 0x1a: pop(f, 0); break;
    case 0x1b: do_select(f, 0); break;
    case 0x1c: do_select_typed(f); break;
    case 0x20: do_local_get(f); break;
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
    case 0xd0: push_const(f, ref_type(f), 0, 0); break;
    case 0xd1: do_ref_is_null(f); break;
    case 0xd2: do_ref_func(f); break;
    case 0xfc: do_prefixed(f); break;
    default: fail(f, SM_ERR_MALFORMED, "illegal opcode");
    }
}

/* ---- The function ------------------------------------------------------------------------------ */

/* The declarations of locals, before any memory is spent on them. The reader goes back. */
static void count_locals(struct fn *f)
{
    uint32_t start = f->r.pos;
    uint64_t total = f->nlocals;

    for (uint32_t groups = sm_reader_u32(&f->r); groups > 0 && !f->r.err; groups--) {
        uint8_t type;

        total += sm_reader_u32(&f->r);
        type = sm_reader_byte(&f->r);
        if (f->r.err) {
            return;
        }
        if (!is_value_type(type)) {
            fail(f, SM_ERR_MALFORMED, "malformed value type");
        } else if (total > 0xffffffff) {
            fail(f, SM_ERR_MALFORMED, "too many locals");
        }
    }
    if (!f->r.err) {
        f->r.pos = start;
    }
}

/* Lay out parameters, return address and locals at the start of the frame. */
static void layout_locals(struct fn *f, const struct sm_image_type *t)
{
    uint32_t slot_at = 0;

    f->locals = (struct local *)(void *)f->job->mem;
    f->header = t->param_words > t->result_words ? t->param_words : t->result_words;
    for (uint32_t i = 0; i < t->nparams; i++) {
        uint8_t type = type_code(f, t->params, i);

        if ((uint8_t *)(f->locals + i + 1) > (uint8_t *)f->top) {
            fail(f, SM_ERR_MEMORY, "function too large for the translator's memory");
            return;
        }
        f->locals[i] = (struct local){ .slot = (uint16_t)slot_at, .type = type };
        slot_at += sm_type_words(type);
    }
    f->nlocals = t->nparams;
    slot_at = (uint32_t)f->header + 1;
    count_locals(f);
    for (uint32_t groups = sm_reader_u32(&f->r); groups > 0 && !f->r.err; groups--) {
        uint32_t n = sm_reader_u32(&f->r);
        uint8_t type = sm_reader_byte(&f->r);

        if ((uint64_t)slot_at + (uint64_t)n * sm_type_words(type) > 0xffff) {
            fail(f, SM_ERR_LIMIT, "frame of more than 65535 words");
            return;
        }
        if ((uint8_t *)(f->locals + f->nlocals + n) > (uint8_t *)f->top) {
            fail(f, SM_ERR_MEMORY, "function too large for the translator's memory");
            return;
        }
        for (; n > 0; n--) {
            f->locals[f->nlocals++] = (struct local){ .slot = (uint16_t)slot_at, .type = type };
            slot_at += sm_type_words(type);
        }
    }
    f->home = f->max_home = slot_at;
}

static void enter(struct fn *f, const struct sm_image_type *t)
{
    struct block b = { .label = SM_NONE,
                       .else_site = SM_NONE,
                       .results = t->results,
                       .nresults = t->nresults,
                       .home = f->home };

    if (!room(f, 4, BLOCK_CELLS)) {
        return;
    }
    f->cells = f->block = BLOCK_CELLS;
    *inner(f) = b;
    op(f, OP_ENTER);
    unit(f, 0); /* the frame's size: known at the end */
    unit(f, f->header);
    unit(f, f->home - f->header - 1u);
    f->last = SM_NONE;
}

static void body(struct fn *f)
{
    while (!f->r.err && !f->too_far && f->cells > 0) {
        f->at = f->r.pos;
        do_operator(f, sm_reader_byte(&f->r));
        if (f->job->stop != SM_NONE && f->n > f->job->stop) {
            f->job->where = f->at;
            return;
        }
    }
}

static int translate(struct sm_func_job *job, bool far, bool *too_far)
{
    const struct sm_image_type *t = &job->mi->types[job->mi->funcs[job->func].type];
    struct fn f = { .mi = job->mi, .job = job, .far = far, .last = SM_NONE, .at = job->body };

    sm_reader_init(&f.r, job->mi->wasm, job->body, job->end);
    f.top = (struct operand *)(void *)(job->mem + (job->mem_len & ~(size_t)3));
    layout_locals(&f, t);
    f.code = (uint16_t *)(void *)(f.locals + f.nlocals);
    enter(&f, t);
    body(&f);
    *too_far = f.too_far;
    if (!f.r.err && !f.too_far && job->stop == SM_NONE && f.r.pos != job->end) {
        f.at = f.r.pos;
        fail(&f, SM_ERR_MALFORMED, "END opcode expected");
    }
    if (f.r.err) {
        job->diag = (struct sm_wasm_diag){ .offset = f.r.err_pos, .rule = f.r.rule };
        return f.r.err;
    }
    /* A callee may write its results where its parameters were, which is above our homes. */
    f.code[1] = (uint16_t)f.max_home;
    job->code = f.code;
    job->units = f.n;
    return 0;
}

int sm_func_translate(struct sm_func_job *job)
{
    bool too_far = false;
    int err = translate(job, false, &too_far);

    if (err == 0 && too_far) {
        err = translate(job, true, &too_far);
    }
    if (err == 0 && too_far) { /* only a skip over one block's moves is always near */
        job->diag = (struct sm_wasm_diag){ .offset = job->body, .rule = "branch too far" };
        err = SM_ERR_LIMIT;
    }
    return err;
}

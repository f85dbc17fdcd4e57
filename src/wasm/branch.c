/* Structured control flow: blocks, branches with their operands, and the comparisons that branches
 * take over. SPDX-License-Identifier: Apache-2.0 */
#include "fn.h"

/* ---- Labels and branches --------------------------------------------------------------------- */

/* A distance field that starts at `site`: fill in where it leads. Distances count from the unit
 * before their field, which is where a branch instruction starts. */
static void patch(struct fn *f, uint32_t site, uint32_t target)
{
    int32_t distance = (int32_t)(target - site) + 1;

    if (f->far) {
        f->code[site] = (uint16_t)distance;
        f->code[site + 1] = (uint16_t)((uint32_t)distance >> 16);
    } else if (distance < -32768 || distance > 32767) {
        f->too_far = true;
    } else {
        f->code[site] = (uint16_t)distance;
    }
}

/* Emit a distance field that joins a chain: it holds how far back the one before it is. */
static void chain_field(struct fn *f, uint32_t *chain)
{
    uint32_t link = *chain == SM_NONE ? 0 : f->n - *chain;

    sm_fn_code_room(f);
    *chain = f->n;
    f->too_far |= !f->far && link > 0xffff;
    sm_fn_unit(f, link);
    if (f->far) {
        sm_fn_unit(f, link >> 16);
    }
}

/* The field before this one in its chain, or SM_NONE. */
static uint32_t next_site(const struct fn *f, uint32_t site)
{
    uint32_t link = f->code[site];

    if (f->far) {
        link |= (uint32_t)f->code[site + 1] << 16;
    }
    return link == 0 ? SM_NONE : site - link;
}

/* Emit a distance field for a branch to a block: to a loop's start it is known, to a block's end
 * it joins the chain. */
static void distance_field(struct fn *f, struct block *b)
{
    uint32_t site = f->n, none = SM_NONE;

    chain_field(f, b->op == 0x03 ? &none : &b->label);
    if (b->op == 0x03 && !f->r.err) {
        patch(f, site, b->label);
    }
}

/* A label to which the field at `oldest`, or later ones, lead. */
static void at_label(struct fn *f, uint32_t oldest)
{
    sm_fn_forget(f);
    if (oldest < f->look) {
        sm_fn_look(f, 0, 0);
    }
}

/* All branches of a chain lead here. The oldest of them. */
static uint32_t bind_chain(struct fn *f, uint32_t site)
{
    uint32_t oldest = site;

    while (site != SM_NONE && !f->r.err && !f->too_far) {
        uint32_t next = next_site(f, site);

        patch(f, site, f->n);
        oldest = site;
        site = next;
    }
    return oldest;
}

static void jump(struct fn *f, struct block *b)
{
    sm_fn_op(f, f->far ? OP_JUMP_FAR : OP_JUMP);
    distance_field(f, b);
}

/* Operands of a branch (the topmost n) are where the target wants them. */
static bool in_place(struct fn *f, uint32_t n, uint32_t home)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct operand *o = cell(f, f->cells - n + i);

        if (o->in != IN_HOME || o->add != 0 || o->home != home) {
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

        sm_fn_move_to(f, o, home);
        home += sm_type_words(o->type);
    }
}

/* Leave the function with the topmost operands as results. Results lie over the parameters, so
 * operands that stand for parameters first go home when there is more than one. */
void sm_fn_return(struct fn *f, uint32_t n)
{
    struct operand *o = n == 0 ? NULL : cell(f, f->cells - 1);

    if (n == 1 && o->in != IN_CONST && o->add == 0) {
        sm_fn_op(f, sm_type_words(o->type) == 2 ? OP_RETURN_64 : OP_RETURN_32);
        sm_fn_unit(f, f->header);
        sm_fn_unit(f, sm_fn_place(f, o));
        return;
    }
    if (n > 1) {
        /* Only copies: a conditional branch may go on with the stack as it was. */
        for (uint32_t i = 0; i < n; i++) {
            const struct operand *p = cell(f, f->cells - n + i);

            if (p->in == IN_LOCAL || (p->in == IN_HOME && p->add != 0)) {
                sm_fn_move_to(f, p, p->home);
            }
        }
        uint32_t home = 0;
        for (uint32_t i = 0; i < n; i++) {
            const struct operand *p = cell(f, f->cells - n + i);

            if (p->in == IN_CONST) {
                sm_fn_load_const(f, p, home);
            } else {
                sm_fn_copy(f, p->type, home, p->home);
            }
            home += sm_type_words(p->type);
        }
    } else {
        move_results(f, n, 0);
    }
    sm_fn_op(f, OP_RETURN);
    sm_fn_unit(f, f->header);
}

/* Branch for good: moves, then the jump. */
static void leave(struct fn *f, struct block *b, uint32_t n)
{
    if (b->op == 0) {
        sm_fn_return(f, n);
        return;
    }
    move_results(f, n, b->home);
    jump(f, b);
}

/* If the condition was just computed by a comparison, take that back and branch on it directly.
 * Fills in the branch op (for "jump when true") and its operands; false leaves everything. */
bool sm_fn_fuse(struct fn *f, const struct operand *cond, struct condition *c)
{
    uint32_t was;

    if (f->last == SM_NONE || f->last_dst == SM_NONE || cond->in != IN_HOME || cond->add != 0 ||
        f->code[f->last_dst] != cond->home) {
        return false;
    }
    was = f->code[f->last];
    if (was >= OP_I32_EQ && was <= OP_I32_GE_U_K) {
        c->code = was - OP_I32_EQ + OP_BR_EQ;
        c->b = f->code[f->last + 3];
    } else if (was == OP_I32_EQZ) {
        c->code = OP_BR_Z;
    } else {
        return false;
    }
    c->a = f->code[f->last + 2];
    sm_fn_take_back(f);
    return true;
}

/* The branch that is taken exactly when `code` is not; may exchange the operands. */
void sm_fn_opposite(struct condition *c)
{
    bool ordered = c->code >= OP_BR_LT_S && c->code <= OP_BR_LE_U;

    if (ordered) { /* not (a < b) is b <= a */
        uint32_t t = c->a;

        c->a = c->b;
        c->b = t;
    }
    c->code = ((c->code - OP_BR_NZ) ^ 1) + OP_BR_NZ;
}

static struct condition condition(struct fn *f, const struct operand *cond, bool when)
{
    struct condition c = {.code = OP_BR_NZ};

    if (!sm_fn_fuse(f, cond, &c)) {
        c.a = sm_fn_slot(f, cond);
    }
    if (!when) {
        sm_fn_opposite(&c);
    }
    return c;
}

static void condition_operands(struct fn *f, const struct condition *c)
{
    sm_fn_unit(f, c->a);
    if (c->code >= SM_FUSED_OP(OP_INC_BR_NE, 0xffff)) {
        sm_fn_unit(f, c->k);
    }
    if (c->code >= OP_BR_EQ) {
        sm_fn_unit(f, c->b);
    }
}

/* Branch over the next instructions; the position to give to skip_end(). Always near. */
static uint32_t skip_unless(struct fn *f, struct condition *c)
{
    uint32_t site;

    sm_fn_opposite(c);
    sm_fn_op(f, c->code);
    site = f->n;
    sm_fn_unit(f, 0);
    condition_operands(f, c);
    return site;
}

static void skip_end(struct fn *f, uint32_t site)
{
    sm_fn_forget(f);
    if (!f->r.err) {
        f->too_far |= f->n - site > 32766;
        f->code[site] = (uint16_t)(f->n - site + 1);
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
    sm_fn_pair_branch(f, b, c);
    sm_fn_op(f, c->code);
    distance_field(f, b);
    condition_operands(f, c);
    sm_fn_seal(f);
}

/* ---- Targets --------------------------------------------------------------------------------- */

/* The types a branch to b carries. */
static void label_types(struct block *b, uint32_t *off, uint32_t *n)
{
    *off = b->op == 0x03 ? b->params : b->results;
    *n = b->op == 0x03 ? b->nparams : b->nresults;
}

/* The block that a label names, in O(log n) steps through n blocks: generated code nests them by
 * the thousand (Myers, An applicative random-access stack, 1983). */
static struct block *target(struct fn *f, uint32_t label)
{
    struct block *b = inner(f);
    uint32_t depth;

    if (label > b->depth) {
        sm_fn_invalid(f, "unknown label");
        return b;
    }
    depth = b->depth - label;
    while (b->depth > depth) {
        struct block *far = block_at(f, b->jump);

        b = far->depth >= depth ? far : block_at(f, b->outer);
    }
    return b;
}

/* Where a new block in `outer` jumps to: over two equal jumps when outer's are, else to outer. */
static uint32_t jump_of(struct fn *f, uint32_t outer)
{
    const struct block *a = block_at(f, outer), *b = block_at(f, a->jump);

    return a->depth - b->depth == b->depth - block_at(f, b->jump)->depth ? b->jump : outer;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

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
            sm_fn_invalid(f, "unknown type");
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
    } else if (v != -64 || f->r.pos != at + 1) { /* 0x40: no result */
        sm_fn_fail(f, SM_ERR_MALFORMED, "malformed block type");
    }
}

void sm_fn_block(struct fn *f, uint8_t opcode)
{
    struct block b = {.op = opcode,
                      .label = SM_NONE,
                      .else_site = SM_NONE,
                      .outer = f->block,
                      .jump = jump_of(f, f->block),
                      .depth = inner(f)->depth + 1};
    struct condition c = {0};
    bool was_dead = dead(f);

    block_type(f, &b);
    if (opcode == 0x04) {
        struct operand cond = sm_fn_pop(f, SM_WASM_I32);

        /* The condition's instruction can only be taken back while it is the last. */
        if (!was_dead && !f->r.err) {
            c = condition(f, &cond, false);
        }
    }
    sm_fn_check_types(f, b.params, b.nparams);
    if (!f->r.err) {
        sm_fn_settle_top(f, b.nparams);
        sm_fn_settle_locals(f);
    }
    sm_fn_pop_types(f, b.params, b.nparams);
    if (f->r.err || !sm_fn_room(f, 0, BLOCK_CELLS)) {
        return;
    }
    b.dead = was_dead;
    b.else_dead = was_dead;
    b.home = (uint16_t)f->home;
    f->cells += BLOCK_CELLS;
    f->block = f->cells;
    *inner(f) = b;
    if (opcode == 0x04 && !was_dead) {
        /* Settling came between the comparison and its branch; neither writes what it reads. */
        if (f->far) {
            uint32_t over = skip_unless(f, &c);

            sm_fn_op(f, OP_JUMP_FAR);
            inner(f)->else_site = f->n;
            sm_fn_word(f, 0);
            skip_end(f, over);
        } else {
            sm_fn_op(f, c.code);
            inner(f)->else_site = f->n;
            sm_fn_unit(f, 0);
            condition_operands(f, &c);
        }
    }
    if (opcode == 0x03) {
        sm_fn_forget(f);
        inner(f)->label = f->n;
    }
    sm_fn_seal(f);
    sm_fn_push_types(f, b.params, b.nparams);
}

/* The end of a block's reachable part: results are checked and brought to their homes, the stack
 * is as it was before the block. */
static void close_part(struct fn *f)
{
    struct block *b = inner(f);

    sm_fn_check_types(f, b->results, b->nresults);
    if (!dead(f)) {
        if (b->op == 0) {
            if (f->cells - f->block == b->nresults) {
                sm_fn_return(f, b->nresults);
            }
        } else if (f->cells - f->block == b->nresults) {
            move_results(f, b->nresults, b->home);
        }
    }
    sm_fn_pop_types(f, b->results, b->nresults);
    if (!f->r.err && f->cells != f->block) {
        sm_fn_invalid(f, "type mismatch");
    }
}

void sm_fn_else(struct fn *f)
{
    struct block *b = inner(f);

    if (b->op != 0x04 || b->has_else) {
        sm_fn_fail(f, SM_ERR_MALFORMED, "else without if");
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
        at_label(f, b->else_site);
    }
    sm_fn_forget(f);
    b->else_site = SM_NONE;
    b->has_else = 1;
    b->dead = b->else_dead;
    b->any = 0;
    f->home = b->home;
    sm_fn_push_types(f, b->params, b->nparams);
}

void sm_fn_end(struct fn *f)
{
    struct block *b = inner(f);
    struct block was;
    uint32_t oldest = SM_NONE;

    close_part(f);
    if (f->r.err) {
        return;
    }
    if (b->op == 0x04 && !b->has_else) {
        /* No else part: it would pass the parameters on as results. */
        if (b->nparams != b->nresults ||
            memcmp(f->mi->wasm + b->params, f->mi->wasm + b->results, b->nparams) != 0) {
            sm_fn_invalid(f, "type mismatch");
            return;
        }
        if (!b->else_dead) {
            patch(f, b->else_site, f->n);
            oldest = b->else_site; /* before all that is inside */
        }
    }
    was = *b;
    if (was.op != 0x03) {
        uint32_t branch = bind_chain(f, was.label);

        oldest = branch < oldest ? branch : oldest;
    }
    at_label(f, oldest);
    f->cells -= BLOCK_CELLS;
    f->block = was.outer;
    f->home = was.home;
    if (was.op != 0) {
        sm_fn_push_types(f, was.results, was.nresults);
    }
}

/* The rest of the block cannot be reached. */
void sm_fn_mark_dead(struct fn *f)
{
    while (f->cells > f->block && !f->r.err) {
        sm_fn_pop(f, 0);
    }
    inner(f)->dead = inner(f)->any = 1;
    sm_fn_forget(f);
}

void sm_fn_br(struct fn *f)
{
    struct block *b = target(f, sm_reader_u32(&f->r));
    uint32_t off, n;

    label_types(b, &off, &n);
    sm_fn_check_types(f, off, n);
    if (!dead(f)) {
        leave(f, b, n);
    }
    sm_fn_mark_dead(f);
}

void sm_fn_br_if(struct fn *f)
{
    struct block *b = target(f, sm_reader_u32(&f->r));
    struct operand cond = sm_fn_pop(f, SM_WASM_I32);
    struct condition c;
    uint32_t off, n;

    label_types(b, &off, &n);
    sm_fn_check_types(f, off, n);
    if (dead(f)) {
        /* A polymorphic stack now holds exactly the label's types. */
        sm_fn_pop_types(f, off, n);
        sm_fn_push_types(f, off, n);
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

/* Validate the targets of a br_table; all take as many operands as the default, of types that fit.
 */
static void check_table(struct fn *f, uint32_t count, uint32_t arity)
{
    for (uint32_t i = 0; i <= count && !f->r.err; i++) {
        struct block *b = target(f, sm_reader_u32(&f->r));
        uint32_t off, n;

        label_types(b, &off, &n);
        if (n != arity) {
            sm_fn_invalid(f, "type mismatch");
        }
        sm_fn_check_types(f, off, n);
    }
}

/* Fields of a table that need a stub are chained like branches to the block, on top of those: in a
 * loop, to which no chain leads, the unused else_site holds them. */
static uint32_t *stub_chain(struct block *b)
{
    return b->op == 0x03 ? &b->else_site : &b->label;
}

/* Lead the fields of a table, at fields..end, that wait for this block's stub here, and emit it. */
static void emit_stub(struct fn *f, struct block *b, uint32_t arity, uint32_t fields, uint32_t end)
{
    uint32_t *chain = stub_chain(b), stub = f->n;

    if (*chain < fields || *chain >= end) {
        return; /* there is one already */
    }
    sm_fn_forget(f);
    while (*chain >= fields && *chain < end && !f->too_far) {
        uint32_t site = *chain;

        *chain = next_site(f, site);
        patch(f, site, stub);
    }
    sm_fn_spend(f, arity);
    leave(f, b, arity);
}

/* One field a target. Where operands must move first, the field leads to a stub behind the table:
 * moves, then the jump; one stub a block. */
static void emit_table(struct fn *f, uint32_t index, uint32_t count, uint32_t arity, uint32_t list)
{
    struct sm_reader labels = f->r;
    uint32_t fields, end;

    f->too_far |= !f->far && count > 0xffff;
    sm_fn_op(f, f->far ? OP_BR_TABLE_FAR : OP_BR_TABLE);
    sm_fn_unit(f, index);
    sm_fn_unit(f, count);
    if (f->far) {
        sm_fn_unit(f, count >> 16);
    }
    fields = f->n;
    end = fields + (count + 1) * (f->far ? 2 : 1);
    for (int stubs = 0; stubs < 2; stubs++) {
        labels.pos = list;
        for (uint32_t i = 0; i <= count && !f->r.err && !f->too_far; i++) {
            struct block *b = target(f, sm_reader_u32(&labels));
            bool direct = b->op != 0 && in_place(f, arity, b->home);

            if (stubs == 0 && direct) {
                distance_field(f, b);
            } else if (stubs == 0) {
                chain_field(f, stub_chain(b));
            } else if (!direct) {
                emit_stub(f, b, arity, fields, end);
            }
        }
    }
}

void sm_fn_br_table(struct fn *f)
{
    uint32_t count = sm_reader_u32(&f->r);
    uint32_t list = f->r.pos, last_label, off, arity;
    struct sm_reader labels = f->r;
    struct operand index;

    if (count > f->r.end - f->r.pos) { /* each target takes a byte */
        sm_fn_fail(f, SM_ERR_MALFORMED, "unexpected end");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        sm_reader_u32(&labels);
    }
    last_label = sm_reader_u32(&labels);
    index = sm_fn_pop(f, SM_WASM_I32);
    label_types(target(f, last_label), &off, &arity);
    check_table(f, count, arity);
    if (!dead(f)) {
        emit_table(f, sm_fn_slot(f, &index), count, arity, list);
    }
    sm_fn_mark_dead(f);
}

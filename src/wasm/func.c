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
 *   - Every way to the code at n goes through the look at the epoch at `look` or a later one, at
 *     most SM_LOOK_UNITS back. A label that a branch reaches past it begins with its own look.
 *   - `last` is the most recent instruction if no label follows it; only then may it be changed.
 *     `prev` is the one before, for when `last` is taken back.
 *
 * Scratch: [locals | code grows up ...... operands and open blocks grow down]. Forward branches to
 * one label are chained through their own distance fields, so labels need no memory.
 * Distances have 16 bits; a function that needs more is translated again with `far` set, in which
 * every branch goes through a 32-bit jump.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fn.h"

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
            sm_fn_fail(f, SM_ERR_MALFORMED, "malformed value type");
        } else if (sm_type_left_out(type)) {
            sm_fn_fail(f, SM_ERR_UNSUPPORTED, SM_LEFT_OUT);
        } else if (total > 0xffffffff) {
            sm_fn_fail(f, SM_ERR_MALFORMED, "too many locals");
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
        uint8_t type = sm_fn_type_code(f, t->params, i);

        if ((uint8_t *)(f->locals + i + 1) > (uint8_t *)f->top) {
            sm_fn_fail(f, SM_ERR_MEMORY, "function too large for the translator's memory");
            return;
        }
        f->locals[i] = (struct local){.slot = (uint16_t)slot_at, .type = type};
        slot_at += sm_type_words(type);
    }
    sm_fn_spend(f, t->nparams);
    f->nlocals = t->nparams;
    slot_at = (uint32_t)f->header + 1;
    count_locals(f);
    for (uint32_t groups = sm_reader_u32(&f->r); groups > 0 && !f->r.err; groups--) {
        uint32_t n = sm_reader_u32(&f->r);
        uint8_t type = sm_reader_byte(&f->r);

        if ((uint64_t)slot_at + (uint64_t)n * sm_type_words(type) > 0xffff) {
            sm_fn_fail(f, SM_ERR_LIMIT, "frame of more than 65535 words");
            return;
        }
        if ((uint8_t *)(f->locals + f->nlocals + n) > (uint8_t *)f->top) {
            sm_fn_fail(f, SM_ERR_MEMORY, "function too large for the translator's memory");
            return;
        }
        sm_fn_spend(f, n);
        for (; n > 0; n--) {
            f->locals[f->nlocals++] = (struct local){.slot = (uint16_t)slot_at, .type = type};
            slot_at += sm_type_words(type);
        }
    }
    f->home = f->max_home = slot_at;
}

static void enter(struct fn *f, const struct sm_image_type *t)
{
    struct block b = {.label = SM_NONE,
                      .else_site = SM_NONE,
                      .results = t->results,
                      .nresults = t->nresults,
                      .home = (uint16_t)f->home};
    uint32_t at;

    if (!sm_fn_room(f, SM_CODE_ROOM, BLOCK_CELLS)) {
        return;
    }
    f->cells = f->block = b.jump = BLOCK_CELLS;
    *inner(f) = b;
    sm_fn_op(f, OP_ENTER);
    sm_fn_unit(f, 0); /* the frame's size: known at the end */
    sm_fn_unit(f, f->header);
    at = f->header + 1u + SM_LOOK_UNITS;
    sm_fn_unit(f, at < f->home ? SM_LOOK_UNITS : f->home - f->header - 1u);
    for (; at < f->home; at += SM_LOOK_UNITS) {
        sm_fn_look(f, at, f->home - at < SM_LOOK_UNITS ? f->home - at : SM_LOOK_UNITS);
    }
    sm_fn_forget(f);
}

/* Whether a later operator may still take back what is at this unit: the last two instructions can
 * become part of another. */
static bool may_change(const struct fn *f, uint32_t unit)
{
    uint32_t from = f->prev != SM_NONE ? f->prev : f->last;

    return from != SM_NONE && from <= unit;
}

/* With a unit to stop at, where counts is the last operator that wrote it: a later one may take the
 * latest instruction back and write another in its place. */
static void body(struct fn *f)
{
    uint32_t stop = f->job->stop;

    if (stop != SM_NONE && f->n > stop) {
        f->job->where = f->r.pos;
        return;
    }
    while (!f->r.err && f->cells > 0) {
        f->at = f->r.pos;
        f->low = f->n;
        f->blame = f->at;
        sm_fn_operator(f, sm_reader_byte(&f->r));
        if (stop != SM_NONE && f->n > stop) {
            if (f->low <= stop) {
                f->job->where = f->blame;
            }
            if (!may_change(f, stop)) {
                return;
            }
        }
    }
}

static int translate(struct sm_func_job *job, bool far, bool *too_far)
{
    const struct sm_image_type *t = &job->mi->types[job->mi->funcs[job->func].type];
    struct fn f = {
        .mi = job->mi, .job = job, .far = far, .last = SM_NONE, .prev = SM_NONE, .at = job->body};

    sm_reader_init(&f.r, job->mi->wasm, job->body, job->end);
    f.top = (struct operand *)(void *)(job->mem + (job->mem_len & ~(size_t)3));
    layout_locals(&f, t);
    f.code = (uint16_t *)(void *)(f.locals + f.nlocals);
    enter(&f, t);
    body(&f);
    *too_far = f.too_far;
    if (!f.r.err && !f.too_far && job->stop == SM_NONE && f.r.pos != job->end) {
        f.at = f.r.pos;
        sm_fn_fail(&f, SM_ERR_MALFORMED, "END opcode expected");
    }
    if (f.r.err) {
        job->diag = (struct sm_wasm_diag){.offset = f.r.err_pos, .rule = f.r.rule};
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
    int err = translate(job, job->far, &too_far);

    if (err == 0 && too_far && !job->far) {
        job->far = true;
        err = translate(job, true, &too_far);
    }
    if (err == 0 && too_far) { /* only a skip over one block's moves is always near */
        job->diag = (struct sm_wasm_diag){.offset = job->body, .rule = "branch too far"};
        err = SM_ERR_LIMIT;
    }
    return err;
}

/* One function in C.
 *
 * Wasm's structured control becomes labels and gotos; the operand at height h of type t is the
 * variable s<h><t>, a local l<n>. Values that meet at a label thus already have the same variable,
 * and the C compiler's own analysis sees through all the copies.
 *
 * A short loop without others inside is written several times, with one look at the epoch for all:
 * its copies go to each other's starts, the last one back over the check.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "gen.h"

struct ctl {
    uint8_t kind; /* 0x02 block, 0x03 loop, 0x04 if, 0 the function */
    bool has_else;
    uint32_t height; /* of the operand stack below its parameters */
    uint32_t label;
    const uint8_t *params, *results;
    uint32_t nparams, nresults;
    uint8_t single; /* the result type of the short form */
    uint32_t since; /* the most that a branch to its end brings along */
    uint32_t at;    /* loop: its offset */
    uint32_t start; /* loop: of its first operator */
    uint32_t copy, copies;
    bool used;     /* something goes to its end; loop: to its next copy */
    bool left;     /* loop: a copy before the last goes to its end */
    uint32_t back; /* loop: the offset of what goes back over its look; several: of itself; or 0 */
};

struct body {
    struct gen *g;
    FILE *out;
    struct sm_reader r;
    struct func_info *f;
    const struct sm_image_type *type;
    uint32_t func, level;
    uint32_t first; /* operator's offset */
    uint8_t *locals;
    uint32_t nlocals;
    uint8_t *stack; /* types */
    uint32_t height, room;
    uint8_t *used; /* of each height, a bit for each type that occurs */
    struct ctl *ctl;
    uint32_t depth, ctl_room;
    uint32_t labels;
    FILE *names;    /* AT<label>: what a loop's look is said to be at */
    uint32_t since; /* operators since the last look at the epoch, at most */
    bool dead;
    struct op op;
};

/* ---- Operands -------------------------------------------------------------------------------- */

static void grow_stack(struct body *b)
{
    uint32_t room = b->room * 2 + 64;

    b->stack = aot_realloc(b->stack, room);
    b->used = aot_realloc(b->used, room);
    memset(b->used + b->room, 0, room - b->room);
    b->room = room;
}

static unsigned type_bit(uint8_t type)
{
    switch (aot_letter(type)) {
    case 'i': return 1;
    case 'l': return 2;
    case 'f': return 4;
    default: return 8;
    }
}

static void push(struct body *b, uint8_t type)
{
    if (b->height == b->room) {
        grow_stack(b);
    }
    b->stack[b->height] = type;
    b->used[b->height++] |= (uint8_t)type_bit(type);
}

/* Names of variables; each call has its own place, up to eight at once. */
static const char *var(uint32_t height, uint8_t type)
{
    static char names[8][16];
    static unsigned next;
    char *name = names[next++ % 8];

    snprintf(name, 16, "s%u%c", height, aot_letter(type));
    return name;
}

static const char *top(struct body *b, uint32_t below)
{
    return var(b->height - 1 - below, b->stack[b->height - 1 - below]);
}

static void drop(struct body *b, uint32_t n)
{
    b->height -= n;
}

static const char *pushed(struct body *b, uint8_t type)
{
    push(b, type);
    return top(b, 0);
}

/* ---- Epoch ----------------------------------------------------------------------------------- */

static void look(struct body *b)
{
    if (!b->g->options->no_epoch) {
        fprintf(b->out, "EPOCH(%u);\n", b->op.at);
    }
    b->since = 0;
}

static void spend(struct body *b, uint32_t n)
{
    if (b->since + n > AOT_STRAIGHT && b->since > 0) {
        look(b);
    }
    b->since += n;
}

/* ---- Control --------------------------------------------------------------------------------- */

static uint8_t result_type(const struct ctl *c, uint32_t i)
{
    return c->single != 0 ? c->single : c->results[i];
}

static struct ctl *enter(struct body *b, uint8_t kind)
{
    struct ctl *c;

    if (b->depth == b->ctl_room) {
        b->ctl_room = b->ctl_room * 2 + 16;
        b->ctl = aot_realloc(b->ctl, b->ctl_room * sizeof(*b->ctl));
    }
    c = &b->ctl[b->depth++];
    *c = (struct ctl){.kind = kind, .label = b->labels++};
    return c;
}

static void block_type(struct body *b, struct ctl *c, int64_t type)
{
    if (type >= 0) {
        const struct sm_image_type *t = &b->g->types[type];

        c->params = b->g->m->wasm + t->params;
        c->results = b->g->m->wasm + t->results;
        c->nparams = t->nparams;
        c->nresults = t->nresults;
    } else if (type != -64) {
        c->single = (uint8_t)(type & 0x7f);
        c->nresults = 1;
    }
    c->height = b->height - c->nparams;
}

/* From start, behind a loop's type: the operators up to its end, or 0 when it should not be written
 * more than once. */
static uint32_t loop_length(const struct body *b, uint32_t start)
{
    struct sm_reader r = b->r;
    uint32_t ops = 0, depth = 1;
    struct op op;

    r.pos = start;
    while (depth > 0 && !r.err) {
        op_skip(&r, &op);
        ops++;
        depth += op.code == 0x02 || op.code == 0x04;
        depth -= op.code == 0x0b;
        if (op.code == 0x03 || op.code == 0x10 || op.code == 0x11 || op.code == 0x0e) {
            return 0;
        }
    }
    return ops;
}

static void begin_loop(struct body *b, struct ctl *c)
{
    uint32_t ops = loop_length(b, b->r.pos), most = b->g->options->unroll;

    c->at = b->op.at;
    c->start = b->r.pos;
    c->copies = ops == 0 || ops > most ? 1 : most / ops > 8 ? 8 : most / ops;
    if (!b->g->options->no_epoch) {
        fprintf(b->out, "goto L%u_0; B%u: UNUSED; EPOCH(AT%u);\nL%u_0:;\n", c->label, c->label,
                c->label, c->label);
    } else {
        fprintf(b->out, "B%u: UNUSED;\n", c->label);
    }
}

static void begin_block(struct body *b)
{
    struct ctl *c;

    if (b->dead) {
        enter(b, b->op.code == 0x03 ? 0x13 : b->op.code == 0x04 ? 0x14 : 0x12); /* in dead code */
        return;
    }
    if (b->op.code == 0x04) {
        fprintf(b->out, "if (%s == 0) goto E%u;\n", top(b, 0), b->labels);
        drop(b, 1);
    }
    c = enter(b, (uint8_t)b->op.code);
    block_type(b, c, b->op.type);
    c->since = b->since;
    if (b->op.code == 0x03) {
        begin_loop(b, c);
    }
}

static void set_height(struct body *b, const struct ctl *c, bool results)
{
    b->height = c->height;
    for (uint32_t i = 0; i < (results ? c->nresults : c->nparams); i++) {
        push(b, results ? result_type(c, i) : c->params[i]);
    }
}

static void do_else(struct body *b)
{
    struct ctl *c = &b->ctl[b->depth - 1];
    uint32_t before = c->since;

    if (c->kind == 0x14) {
        return;
    }
    if (!b->dead) {
        fprintf(b->out, "goto L%u;\n", c->label);
        c->used = true;
        c->since = b->since > c->since ? b->since : c->since;
    }
    fprintf(b->out, "E%u:;\n", c->label);
    c->has_else = true;
    b->dead = false;
    b->since = before;
    set_height(b, c, false);
}

static void end_loop(struct body *b, struct ctl *c, bool again)
{
    if (!again) {
        if (c->left) {
            fprintf(b->out, "X%u:;\n", c->label);
        }
        fprintf(b->names, "enum { AT%u = %u };\n", c->label, c->back != 0 ? c->back : c->at);
        return;
    }
    if (!b->dead) {
        fprintf(b->out, "goto X%u;\n", c->label);
        c->left = true;
    }
    fprintf(b->out, "L%u_%u:;\n", c->label, ++c->copy);
    c->used = false;
    b->r.pos = c->start;
    set_height(b, c, false);
}

static void return_values(struct body *b);

static void do_end(struct body *b)
{
    struct ctl *c = &b->ctl[b->depth - 1];
    bool again = c->kind == 0x03 && c->copy + 1 < c->copies && c->used;

    if (c->kind == 0x12 || c->kind == 0x13 || c->kind == 0x14) {
        b->depth--; /* still dead */
        return;
    }
    if (c->since > b->since) {
        b->since = c->since;
    }
    if (c->kind == 0x03) {
        end_loop(b, c, again);
    } else if (c->kind == 0x04 && !c->has_else) {
        fprintf(b->out, "E%u:;\n", c->label);
    }
    b->dead = false;
    if (again) {
        return;
    }
    if (c->kind != 0x03 && c->used) {
        fprintf(b->out, "L%u:;\n", c->label);
    }
    set_height(b, c, true);
    if (--b->depth == 0) {
        return_values(b);
    }
}

static void return_values(struct body *b)
{
    const struct sm_image_type *t = b->type;
    uint32_t word = 0;

    if (b->f->checked && b->level == 0) {
        look(b); /* the way out of a deep recursion may be long too */
    }
    if (t->nresults == 1) {
        fprintf(b->out, "return %s;\n", top(b, 0));
        return;
    }
    for (uint32_t i = 0; i < t->nresults; i++) {
        uint8_t type = b->g->m->wasm[t->results + i];

        fprintf(b->out, "*(%s *)(CONST_PTR(uint32_t *, many) + %u) = %s;\n", aot_word_type(type),
                word, top(b, t->nresults - 1 - i));
        word += sm_type_words(type);
    }
    fputs("return;\n", b->out);
}

/* Move the operands that a label takes to where it wants them, and go there. */
static void go(struct body *b, uint32_t depth)
{
    struct ctl *c = &b->ctl[b->depth - 1 - depth];
    uint32_t n = c->kind == 0x03 ? c->nparams : c->nresults;

    if (c->kind != 0x03 && b->since > c->since) {
        c->since = b->since;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = b->height - n + i;

        if (from != c->height + i) {
            uint8_t type = b->stack[from];

            b->used[c->height + i] |= (uint8_t)type_bit(type);
            fprintf(b->out, "%s = %s; ", var(c->height + i, type), var(from, type));
        }
    }
    if (c->kind != 0x03) {
        fprintf(b->out, "goto L%u;", c->label);
        c->used = true;
    } else if (c->copy + 1 < c->copies) {
        c->used = true;
        fprintf(b->out, "goto L%u_%u;", c->label, c->copy + 1);
    } else {
        c->back = c->back == 0 || c->back == b->op.at ? b->op.at : c->at;
        fprintf(b->out, "goto B%u;", c->label);
    }
}

static void br_table(struct body *b)
{
    uint32_t n = b->op.a;

    fprintf(b->out, "switch (%s) {\n", top(b, 0));
    drop(b, 1);
    for (uint32_t i = 0; i <= n; i++) {
        uint32_t depth = sm_reader_u32(&b->r);

        if (i < n) {
            fprintf(b->out, "case %u: ", i);
        } else {
            fputs("default: ", b->out);
        }
        go(b, depth);
        fputc('\n', b->out);
    }
    fputs("}\n", b->out);
    b->dead = true;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static uint32_t words_of(const struct sm_image_type *t)
{
    uint32_t n = t->param_words > t->result_words ? t->param_words : t->result_words;

    return n == 0 ? 1 : n;
}

static void arguments(struct body *b, const struct sm_image_type *t)
{
    for (uint32_t i = 0; i < t->nparams; i++) {
        fprintf(b->out, ", %s", top(b, t->nparams - 1 - i));
    }
}

/* The results that another function left among words. */
static void take_words(struct body *b, const struct sm_image_type *t, const char *words)
{
    uint32_t word = 0;

    for (uint32_t i = 0; i < t->nresults; i++) {
        uint8_t type = b->g->m->wasm[t->results + i];

        fprintf(b->out, "%s = *(%s *)(%s + %u);\n", pushed(b, type), aot_word_type(type), words,
                word);
        word += sm_type_words(type);
    }
}

static void call_import(struct body *b, uint32_t func)
{
    uint32_t type = b->g->funcs[func].type, word = 0;
    const struct sm_image_type *t = &b->g->types[type];

    fprintf(b->out, "{ uint32_t w[%u];\n", words_of(t));
    for (uint32_t i = 0; i < t->nparams; i++) {
        uint8_t value = b->g->m->wasm[t->params + i];

        fprintf(b->out, "*(%s *)(w + %u) = %s;\n", aot_word_type(value), word,
                top(b, t->nparams - 1 - i));
        word += sm_type_words(value);
    }
    fprintf(b->out, "HOST(%u, w, %u, %u);\n", func, type, b->op.at);
    drop(b, t->nparams);
    take_words(b, t, "w");
    fputs("}\n", b->out);
}

/* The call itself, between what comes before and after its arguments. */
static void call_results(struct body *b, const struct sm_image_type *t, const char *callee)
{
    uint8_t type = t->nresults == 1 ? b->g->m->wasm[t->results] : 0;

    if (t->nresults == 1) {
        fprintf(b->out, "%s = ", var(b->height - t->nparams, type));
    }
    fprintf(b->out, "%s(c", callee);
    arguments(b, t);
    fputs(");\n", b->out);
}

static void results(struct body *b, const struct sm_image_type *t)
{
    drop(b, t->nparams);
    if (t->nresults == 1) {
        push(b, b->g->m->wasm[t->results]);
    } else {
        take_words(b, t, "CONST_PTR(uint32_t *, many)");
    }
}

static void call(struct body *b)
{
    const struct sm_image_type *t = &b->g->types[b->g->funcs[b->op.a].type];
    char name[32];

    if (b->op.a < b->g->h->nfunc_imports) {
        call_import(b, b->op.a);
        return;
    }
    spend(b, b->g->info[b->op.a].weight);
    if (b->op.a == b->func && b->level + 1 < b->f->levels) {
        snprintf(name, sizeof(name), "f%u_%u", b->op.a, b->level + 1);
    } else {
        snprintf(name, sizeof(name), "f%u", b->op.a);
    }
    call_results(b, t, name);
    results(b, t);
    if (b->g->info[b->op.a].may_grow) {
        fputs("SIZE_AGAIN;\n", b->out);
    }
}

static void call_indirect(struct body *b)
{
    uint32_t type = b->g->types[b->op.a].canon;
    const struct sm_image_type *t = &b->g->types[type];
    char callee[64];

    b->g->indirect_types[type] = true;
    spend(b, b->g->indirect_weight);
    fprintf(b->out, "{ uint32_t i_ = %s, x_; struct sm_wasm_table *t_ = TABLE_OF(%u);\n", top(b, 0),
            b->op.b);
    drop(b, 1);
    fprintf(b->out, "if (OWN_ENTRY(t_, i_, %u, x_)) {\n", type);
    snprintf(callee, sizeof(callee), "((t%u_fn *)ENTRY_CODE(x_))", type);
    call_results(b, t, callee);
    fputs("} else {\n", b->out);
    if (t->nresults == 1) {
        fprintf(b->out, "%s = ", var(b->height - t->nparams, b->g->m->wasm[t->results]));
    }
    fprintf(b->out, "slow%u(c, %u, i_, %u", type, b->op.b, b->op.at);
    arguments(b, t);
    fputs(");\n} }\nSIZE_AGAIN;\n", b->out);
    results(b, t);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

struct access {
    uint8_t type;
    uint8_t bytes;
    const char *c_type, *cast;
};
static const struct access accesses[] = {
    {SM_WASM_I32, 4, "m_u32", ""},
    {SM_WASM_I64, 8, "m_u64", ""},
    {SM_WASM_F32, 4, "m_f32", ""},
    {SM_WASM_F64, 8, "m_f64", ""},
    {SM_WASM_I32, 1, "m_s8", "(uint32_t)(int32_t)"},
    {SM_WASM_I32, 1, "m_u8", ""},
    {SM_WASM_I32, 2, "m_s16", "(uint32_t)(int32_t)"},
    {SM_WASM_I32, 2, "m_u16", ""},
    {SM_WASM_I64, 1, "m_s8", "(uint64_t)(int64_t)"},
    {SM_WASM_I64, 1, "m_u8", ""},
    {SM_WASM_I64, 2, "m_s16", "(uint64_t)(int64_t)"},
    {SM_WASM_I64, 2, "m_u16", ""},
    {SM_WASM_I64, 4, "m_s32", "(uint64_t)(int64_t)"},
    {SM_WASM_I64, 4, "m_u32", ""},
    {SM_WASM_I32, 4, "m_u32", ""},
    {SM_WASM_I64, 8, "m_u64", ""},
    {SM_WASM_F32, 4, "m_f32", ""},
    {SM_WASM_F64, 8, "m_f64", ""},
    {SM_WASM_I32, 1, "m_u8", ""},
    {SM_WASM_I32, 2, "m_u16", ""},
    {SM_WASM_I64, 1, "m_u8", ""},
    {SM_WASM_I64, 2, "m_u16", ""},
    {SM_WASM_I64, 4, "m_u32", ""},
};

/* An access at a + offset. Where the offset and bytes alone are always inside, which the loader
 * sees to, one comparison is enough. */
static void check_bounds(struct body *b, const char *a, uint64_t need)
{
    bool near = need <= b->g->min_memory;

    if (b->g->options->guarded) {
        return;
    }
    fprintf(b->out, "%s(%s, %" PRIu64 "ull, %u);\n", near ? "NEAR" : "FAR", a, need, b->op.at);
}

static void access(struct body *b)
{
    const struct access *m = &accesses[b->op.code - 0x28];
    bool store = b->op.code >= 0x36;
    const char *address = top(b, store);

    check_bounds(b, address, (uint64_t)b->op.b + m->bytes);
    if (store) {
        fprintf(b->out, "AT(%s, %s, %uu) = %s;\n", m->c_type, address, b->op.b, top(b, 0));
        drop(b, 2);
        return;
    }
    drop(b, 1);
    fprintf(b->out, "%s = %sAT(%s, %s, %uu);\n", pushed(b, m->type), m->cast, m->c_type, address,
            b->op.b);
}

/* n operands as words 1 to n, then constants; the result, if any, in word 1. */
static void work(struct body *b, const char *name, uint32_t n, const char *more, uint8_t result)
{
    fprintf(b->out, "{ uint32_t w[6] = {SM_WORK_%s", name);
    for (uint32_t i = 0; i < n; i++) {
        fprintf(b->out, ", %s", top(b, n - 1 - i));
    }
    fprintf(b->out, "%s};\nWORK(w, %u);\n", more, b->op.at);
    drop(b, n);
    if (result != 0) {
        fprintf(b->out, "%s = w[1];\n", pushed(b, result));
    }
    fputs("}\n", b->out);
}

static void bulk(struct body *b)
{
    char more[32];

    snprintf(more, sizeof(more), ", %u", b->op.a);
    switch (b->op.code & 0xff) {
    case 8: work(b, "MEMORY_INIT", 3, more, 0); break;
    case 9: work(b, "DATA_DROP", 0, more, 0); break;
    case 10: work(b, "MEMORY_COPY", 3, "", 0); break;
    case 11: work(b, "MEMORY_FILL", 3, "", 0); break;
    case 12:
        snprintf(more, sizeof(more), ", %u, %u", b->op.a, b->op.b);
        work(b, "TABLE_INIT", 3, more, 0);
        break;
    case 13: work(b, "ELEM_DROP", 0, more, 0); break;
    case 14:
        snprintf(more, sizeof(more), ", %u, %u", b->op.a, b->op.b);
        work(b, "TABLE_COPY", 3, more, 0);
        break;
    case 15:
        snprintf(more, sizeof(more), ", 0, 0xffffffffu, %u", b->op.a);
        work(b, "TABLE_GROW", 2, more, SM_WASM_I32);
        break;
    case 16: fprintf(b->out, "%s = TABLE_OF(%u)->size;\n", pushed(b, SM_WASM_I32), b->op.a); break;
    case 17: work(b, "TABLE_FILL", 3, more, 0); break;
    }
}

static void table_get(struct body *b)
{
    uint8_t type = SM_IMAGE_AT(b->g->m, struct sm_image_table, tables)[b->op.a].type;

    fprintf(b->out,
            "{ struct sm_wasm_table *t_ = TABLE_OF(%u);\nif (%s >= t_->size) TRAP(TABLE, %u);\n",
            b->op.a, top(b, 0), b->op.at);
    fprintf(b->out, "%s = t_->entries[%s]; }\n", top(b, 0), top(b, 0));
    drop(b, 1);
    push(b, type);
}

static void table_set(struct body *b)
{
    fprintf(b->out,
            "{ struct sm_wasm_table *t_ = TABLE_OF(%u);\nif (%s >= t_->size) TRAP(TABLE, %u);\n",
            b->op.a, top(b, 1), b->op.at);
    fprintf(b->out, "t_->entries[%s] = %s; }\n", top(b, 1), top(b, 0));
    drop(b, 2);
}

static void global(struct body *b, bool set)
{
    uint32_t x = b->op.a, imports = b->g->h->nglobal_imports;
    uint8_t type = b->g->globals[x].init.type;
    char place[80];

    snprintf(place, sizeof(place), "*(%s *)%s(%u)", aot_word_type(type),
             x < imports ? "IMPORTED_GLOBAL" : "OWN_GLOBAL", x < imports ? x : x - imports);
    if (set) {
        fprintf(b->out, "%s = %s;\n", place, top(b, 0));
        drop(b, 1);
    } else {
        fprintf(b->out, "%s = %s;\n", pushed(b, type), place);
    }
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* $a and $b are the operands, $@ the operator's offset. Numeric operators from 0x45 on, then the
 * saturating ones (ops.h has the same order). */
static const char *const numeric[] = {
    "$a == 0",
    "$a == $b",
    "$a != $b",
    "(int32_t)$a < (int32_t)$b",
    "$a < $b",
    "(int32_t)$a > (int32_t)$b",
    "$a > $b",
    "(int32_t)$a <= (int32_t)$b",
    "$a <= $b",
    "(int32_t)$a >= (int32_t)$b",
    "$a >= $b",
    "$a == 0",
    "$a == $b",
    "$a != $b",
    "(int64_t)$a < (int64_t)$b",
    "$a < $b",
    "(int64_t)$a > (int64_t)$b",
    "$a > $b",
    "(int64_t)$a <= (int64_t)$b",
    "$a <= $b",
    "(int64_t)$a >= (int64_t)$b",
    "$a >= $b",
    "$a == $b",
    "$a != $b",
    "$a < $b",
    "$a > $b",
    "$a <= $b",
    "$a >= $b",
    "$a == $b",
    "$a != $b",
    "$a < $b",
    "$a > $b",
    "$a <= $b",
    "$a >= $b",
    "sm_clz32($a)",
    "sm_ctz32($a)",
    "sm_popcnt32($a)",
    "$a + $b",
    "$a - $b",
    "$a * $b",
    "(uint32_t)DIV_S(int32_t, INT32_MIN, $a, $b, $@)",
    "DIV_U($a, $b, $@)",
    "(uint32_t)REM_S(int32_t, $a, $b, $@)",
    "REM_U($a, $b, $@)",
    "$a & $b",
    "$a | $b",
    "$a ^ $b",
    "$a << ($b & 31)",
    "(uint32_t)((int32_t)$a >> ($b & 31))",
    "$a >> ($b & 31)",
    "sm_rotl32($a, $b)",
    "sm_rotl32($a, -$b)",
    "sm_clz64($a)",
    "sm_ctz64($a)",
    "sm_popcnt32((uint32_t)$a) + sm_popcnt32((uint32_t)($a >> 32))",
    "$a + $b",
    "$a - $b",
    "$a * $b",
    "(uint64_t)DIV_S(int64_t, INT64_MIN, $a, $b, $@)",
    "DIV_U($a, $b, $@)",
    "(uint64_t)REM_S(int64_t, $a, $b, $@)",
    "REM_U($a, $b, $@)",
    "$a & $b",
    "$a | $b",
    "$a ^ $b",
    "$a << ($b & 63)",
    "(uint64_t)((int64_t)$a >> ($b & 63))",
    "$a >> ($b & 63)",
    "sm_rotl64($a, $b)",
    "sm_rotl64($a, -$b)",
    "__builtin_fabsf($a)",
    "-$a",
    "sm_ceil32($a)",
    "sm_floor32($a)",
    "sm_trunc32($a)",
    "sm_nearest32($a)",
    "SM_SQRT32($a)",
    "$a + $b",
    "$a - $b",
    "$a * $b",
    "$a / $b",
    "sm_min32($a, $b)",
    "sm_max32($a, $b)",
    "__builtin_copysignf($a, $b)",
    "__builtin_fabs($a)",
    "-$a",
    "sm_ceil64($a)",
    "sm_floor64($a)",
    "sm_trunc64($a)",
    "sm_nearest64($a)",
    "SM_SQRT64($a)",
    "$a + $b",
    "$a - $b",
    "$a * $b",
    "$a / $b",
    "sm_min64($a, $b)",
    "sm_max64($a, $b)",
    "__builtin_copysign($a, $b)",
    "(uint32_t)$a",
    "(uint32_t)TRUNC(int32_t, $a, SM_I32_S_LOW_32, SM_I32_S_HIGH_32, $@)",
    "TRUNC(uint32_t, $a, SM_I32_U_LOW_32, SM_I32_U_HIGH_32, $@)",
    "(uint32_t)TRUNC(int32_t, $a, SM_I32_S_LOW_64, SM_I32_S_HIGH_64, $@)",
    "TRUNC(uint32_t, $a, SM_I32_U_LOW_64, SM_I32_U_HIGH_64, $@)",
    "(uint64_t)(int64_t)(int32_t)$a",
    "$a",
    "(uint64_t)TRUNC(int64_t, $a, SM_I64_S_LOW_32, SM_I64_S_HIGH_32, $@)",
    "TRUNC(uint64_t, $a, SM_I64_U_LOW_32, SM_I64_U_HIGH_32, $@)",
    "(uint64_t)TRUNC(int64_t, $a, SM_I64_S_LOW_64, SM_I64_S_HIGH_64, $@)",
    "TRUNC(uint64_t, $a, SM_I64_U_LOW_64, SM_I64_U_HIGH_64, $@)",
    "(float)(int32_t)$a",
    "(float)$a",
    "(float)(int64_t)$a",
    "(float)$a",
    "(float)$a",
    "(double)(int32_t)$a",
    "(double)$a",
    "(double)(int64_t)$a",
    "(double)$a",
    "PROMOTE($a)",
    "sm_bits32($a)",
    "sm_bits64($a)",
    "sm_f32($a)",
    "sm_f64($a)",
    "(uint32_t)(int32_t)(int8_t)$a",
    "(uint32_t)(int32_t)(int16_t)$a",
    "(uint64_t)(int64_t)(int8_t)$a",
    "(uint64_t)(int64_t)(int16_t)$a",
    "(uint64_t)(int64_t)(int32_t)$a",
    "(uint32_t)SATURATE(int32_t, $a, SM_I32_S_LOW_32, SM_I32_S_HIGH_32, INT32_MIN, INT32_MAX)",
    "SATURATE(uint32_t, $a, SM_I32_U_LOW_32, SM_I32_U_HIGH_32, 0, UINT32_MAX)",
    "(uint32_t)SATURATE(int32_t, $a, SM_I32_S_LOW_64, SM_I32_S_HIGH_64, INT32_MIN, INT32_MAX)",
    "SATURATE(uint32_t, $a, SM_I32_U_LOW_64, SM_I32_U_HIGH_64, 0, UINT32_MAX)",
    "(uint64_t)SATURATE(int64_t, $a, SM_I64_S_LOW_32, SM_I64_S_HIGH_32, INT64_MIN, INT64_MAX)",
    "SATURATE(uint64_t, $a, SM_I64_U_LOW_32, SM_I64_U_HIGH_32, 0, UINT64_MAX)",
    "(uint64_t)SATURATE(int64_t, $a, SM_I64_S_LOW_64, SM_I64_S_HIGH_64, INT64_MIN, INT64_MAX)",
    "SATURATE(uint64_t, $a, SM_I64_U_LOW_64, SM_I64_U_HIGH_64, 0, UINT64_MAX)",
};

static const struct {
    uint8_t operands, result;
} signatures[] = {
#define X(code, type, n, result, op) {n, SM_WASM_##result},
    SM_NUMERIC(X)
#undef X
};
_Static_assert(sizeof(numeric) / sizeof(numeric[0]) == sizeof(signatures) / sizeof(signatures[0]),
               "one line for each operator");

static void number(struct body *b, uint32_t n)
{
    const char *a = top(b, signatures[n].operands - 1), *second = top(b, 0);

    drop(b, signatures[n].operands);
    fprintf(b->out, "%s = ", pushed(b, signatures[n].result));
    for (const char *p = numeric[n]; *p != '\0'; p++) {
        if (*p != '$') {
            fputc(*p, b->out);
        } else if (*++p == '@') {
            fprintf(b->out, "%u", b->op.at);
        } else {
            fputs(*p == 'a' ? a : second, b->out);
        }
    }
    fputs(";\n", b->out);
}

static void constant(struct body *b)
{
    static const uint8_t types[] = {SM_WASM_I32, SM_WASM_I64, SM_WASM_F32, SM_WASM_F64};
    static const char *const forms[] = {"%s = %" PRIu64 "u;\n", "%s = %" PRIu64 "ull;\n",
                                        "%s = sm_f32(%" PRIu64 "u);\n",
                                        "%s = sm_f64(%" PRIu64 "ull);\n"};
    unsigned n = b->op.code - 0x41u;

    fprintf(b->out, forms[n], pushed(b, types[n]), b->op.bits);
}

/* ---- All operators --------------------------------------------------------------------------- */

static void local(struct body *b)
{
    uint8_t type = b->locals[b->op.a];

    if (b->op.code == 0x20) {
        fprintf(b->out, "%s = l%u;\n", pushed(b, type), b->op.a);
        return;
    }
    fprintf(b->out, "l%u = %s;\n", b->op.a, top(b, 0));
    drop(b, b->op.code == 0x21);
}

static void choose(struct body *b)
{
    uint8_t type = b->stack[b->height - 3];

    fprintf(b->out, "%s = %s ? %s : %s;\n", top(b, 2), top(b, 0), top(b, 2), top(b, 1));
    drop(b, 3);
    push(b, type);
}

static void branch(struct body *b)
{
    if (b->op.code == 0x0d) {
        fprintf(b->out, "if (%s) { ", top(b, 0));
        drop(b, 1);
        go(b, b->op.a);
        fputs(" }\n", b->out);
        return;
    }
    if (b->op.code == 0x0f) {
        return_values(b);
    } else {
        go(b, b->op.a);
        fputc('\n', b->out);
    }
    b->dead = true;
}

static void operator(struct body *b)
{
    uint16_t code = b->op.code;

    if (code >= 0x28 && code <= 0x3e) {
        access(b);
    } else if (code >= 0x45 && code <= 0xc4) {
        number(b, code - 0x45u);
    } else if (code >= 0xfc00 && code <= 0xfc07) {
        number(b, code - 0xfc00u + SM_NUMERIC_SAT - SM_NUMERIC_MIN);
    } else if (code >= 0xfc08) {
        bulk(b);
    } else if (code >= 0x41 && code <= 0x44) {
        constant(b);
    } else {
        switch (code) {
        case 0x00:
            fprintf(b->out, "TRAP(UNREACHABLE, %u);\n", b->op.at);
            b->dead = true;
            break;
        case 0x0c:
        case 0x0d:
        case 0x0f: branch(b); break;
        case 0x0e: br_table(b); break;
        case 0x10: call(b); break;
        case 0x11: call_indirect(b); break;
        case 0x1a: drop(b, 1); break;
        case 0x1b:
        case 0x1c: choose(b); break;
        case 0x20:
        case 0x21:
        case 0x22: local(b); break;
        case 0x23: global(b, false); break;
        case 0x24: global(b, true); break;
        case 0x25: table_get(b); break;
        case 0x26: table_set(b); break;
        case 0x3f:
            fprintf(b->out, "%s = CONST_PTR(struct sm_wasm_memory *, memory)->pages;\n",
                    pushed(b, SM_WASM_I32));
            break;
        case 0x40: work(b, "MEMORY_GROW", 1, "", SM_WASM_I32); break;
        case 0xd0: fprintf(b->out, "%s = 0;\n", pushed(b, SM_WASM_FUNCREF)); break;
        case 0xd1:
            fprintf(b->out, "%s = %s == 0;\n", top(b, 0), top(b, 0));
            drop(b, 1);
            push(b, SM_WASM_I32);
            break;
        case 0xd2:
            fprintf(b->out, "%s = CONST_U32(ref_base) + %uu;\n", pushed(b, SM_WASM_FUNCREF),
                    b->op.a + 1);
            break;
        }
    }
}

static void step(struct body *b)
{
    if (b->dead) {
        op_skip(&b->r, &b->op);
    } else {
        op_read(&b->r, &b->op);
    }
    switch (b->op.code) {
    case 0x02:
    case 0x03:
    case 0x04: begin_block(b); return;
    case 0x05: do_else(b); return;
    case 0x0b: do_end(b); return;
    }
    if (b->dead) {
        return;
    }
    if (b->g->options->guarded) {
        fprintf(b->out, "#line %u\n", b->op.at);
    }
    spend(b, 1);
    operator(b);
}

/* ---- The function ---------------------------------------------------------------------------- */

static void read_locals(struct body *b)
{
    uint32_t groups, n = b->type->nparams;
    struct sm_reader r = b->r;

    for (groups = sm_reader_u32(&r); groups > 0; groups--) {
        n += sm_reader_u32(&r);
        sm_reader_byte(&r);
    }
    b->locals = aot_alloc(n, 1);
    memcpy(b->locals, b->g->m->wasm + b->type->params, b->type->nparams);
    b->nlocals = b->type->nparams;
    for (groups = sm_reader_u32(&b->r); groups > 0; groups--) {
        uint32_t count = sm_reader_u32(&b->r);
        uint8_t type = sm_reader_byte(&b->r);

        memset(b->locals + b->nlocals, type, count);
        b->nlocals += count;
    }
}

void aot_signature(struct gen *g, FILE *out, uint32_t func, uint32_t level)
{
    const struct sm_image_type *t = &g->types[g->funcs[func].type];

    fprintf(out, "static %s %s f%u",
            g->info[func].escapes && level == 0 ? "__attribute__((used))" : "UNUSED",
            aot_result_type(g, t), func);
    if (level > 0) {
        fprintf(out, "_%u", level);
    }
    fputs("(UNUSED ctx *c", out);
    for (uint32_t i = 0; i < t->nparams; i++) {
        fprintf(out, ", UNUSED %s l%u", aot_c_type(g->m->wasm[t->params + i]), i);
    }
    fputc(')', out);
}

static void declarations(struct body *b)
{
    static const char *const types[] = {"uint32_t", "uint64_t", "float", "double"};
    static const char letters[] = "ilfd";
    FILE *out = b->g->out;

    for (uint32_t i = b->type->nparams; i < b->nlocals; i++) {
        fprintf(out, "UNUSED %s l%u = 0;\n", aot_c_type(b->locals[i]), i);
    }
    for (uint32_t i = 0; i < b->room; i++) {
        for (unsigned k = 0; k < 4; k++) {
            if (b->used[i] >> k & 1) {
                fprintf(out, "UNUSED %s s%u%c;\n", types[k], i, letters[k]);
            }
        }
    }
    fputs("UNUSED uint8_t *const mem = CONST_PTR(uint8_t *, mem);\n"
          "UNUSED const volatile uint32_t *const epoch = "
          "CONST_PTR(const volatile uint32_t *, epoch);\n"
          "UNUSED uint32_t deadline = c->deadline;\n"
          "#if SM_CHECKED && !SM_FIXED\nUNUSED msize size = SIZE_NOW();\n#endif\n",
          out);
    if (b->f->checked && b->level == 0) {
        fprintf(out, "STACK(%u);\n", b->first);
        if (!b->g->options->no_epoch) {
            fprintf(out, "EPOCH(%u);\n", b->first);
        }
    }
}

void aot_body(struct gen *g, uint32_t func, uint32_t level)
{
    struct body b = {.g = g, .f = &g->info[func], .func = func, .level = level};
    struct ctl *outermost;
    char *text, *names;
    size_t len, names_len;

    b.type = &g->types[g->funcs[func].type];
    sm_reader_init(&b.r, g->m->wasm, b.f->body, b.f->end);
    read_locals(&b);
    b.first = b.r.pos;
    b.out = aot_stream(&text, &len);
    b.names = aot_stream(&names, &names_len);
    outermost = enter(&b, 0);
    outermost->results = g->m->wasm + b.type->results;
    outermost->nresults = b.type->nresults;
    grow_stack(&b);
    while (b.depth > 0 && !b.r.err) {
        step(&b);
    }
    fclose(b.out);
    fclose(b.names);
    aot_signature(g, g->out, func, level);
    fputs("\n{\n", g->out);
    fwrite(names, 1, names_len, g->out);
    declarations(&b);
    fwrite(text, 1, len, g->out);
    fputs("}\n", g->out);
    free(text);
    free(names);
    free(b.stack);
    free(b.used);
    free(b.ctl);
    free(b.locals);
}

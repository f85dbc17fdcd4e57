/* What must be known of all functions before the first is written.
 *
 * A function looks at the epoch and at the stack when it is entered only if it has to: every cycle
 * of calls must contain such a function, so those on a cycle of direct calls do, and those that
 * call through a table. Between two looks there may be straight code alone, and no more than
 * AOT_STRAIGHT operators of it: a function's weight is what it adds to its caller's. The stack that
 * functions without a look use is bounded; the linker of frames (frames.c) adds it up.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <stdlib.h>
#include "gen.h"

#define SHORT_RECURSION 60u /* operators */

static void *there(void *p)
{
    if (p == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return p;
}

void *aot_alloc(size_t n, size_t size)
{
    return there(calloc(n == 0 ? 1 : n, size));
}

void *aot_realloc(void *p, size_t size)
{
    return there(realloc(p, size));
}

FILE *aot_stream(char **text, size_t *len)
{
    return there(open_memstream(text, len));
}

static void append(uint32_t **list, uint32_t *n, uint32_t value)
{
    if ((*n & (*n - 1)) == 0) {
        *list = aot_realloc(*list, (*n == 0 ? 1 : 2 * (size_t)*n) * sizeof(**list));
    }
    (*list)[(*n)++] = value;
}

static void scan_body(struct gen *g, uint32_t func)
{
    struct func_info *f = &g->info[func];
    struct sm_reader r;
    struct op op;
    uint32_t groups;

    sm_reader_init(&r, g->m->wasm, f->body, f->end);
    for (groups = sm_reader_u32(&r); groups > 0; groups--) {
        sm_reader_u32(&r);
        sm_reader_byte(&r);
    }
    while (r.pos < r.end && !r.err) {
        op_skip(&r, &op);
        f->ops++;
        if (op.code >= 0x28 && op.code <= 0x3e) {
            append(&g->accesses, &g->naccesses, op.at);
        }
        switch (op.code) {
        case 0x03: f->loops = true; break;
        case 0x10:
            if (op.a < g->h->nfunc_imports) {
                f->import = true;
            } else {
                append(&f->calls, &f->ncalls, op.a);
            }
            break;
        case 0x11: f->indirect = true; break;
        case 0x40: f->grow = true; break;
        case 0xd2: g->info[op.a].escapes = true; break;
        }
    }
}

static void find_bodies(struct gen *g)
{
    struct sm_reader r;

    sm_reader_init(&r, g->m->wasm, g->h->code_section, g->m->wasm_len);
    if (g->h->code_section == 0) {
        return;
    }
    sm_reader_u32(&r);
    for (uint32_t i = g->h->nfunc_imports; i < g->h->nfuncs; i++) {
        uint32_t size = sm_reader_u32(&r);

        g->info[i].body = r.pos;
        g->info[i].end = r.pos + size;
        sm_reader_skip(&r, size);
    }
}

static void find_escapes(struct gen *g)
{
    const uint32_t *entries = (const uint32_t *)(const void *)(g->m->image + SM_WASM_HEADER);
    struct sm_wasm_cursor c;
    struct sm_wasm_export e;

    sm_wasm_exports(&c, g->m);
    while (sm_wasm_next_export(&c, &e) == 0) {
        if (e.kind == SM_WASM_FUNC) {
            g->info[e.index].escapes = true;
        }
    }
    for (uint32_t i = 0; i < g->h->elem_entries; i++) {
        if (entries[i] != 0 && !(entries[i] & SM_ELEM_GLOBAL)) {
            g->info[entries[i] - 1].escapes = true;
        }
    }
    for (uint32_t i = g->h->nglobal_imports; i < g->h->nglobals; i++) {
        if (g->globals[i].init.kind == SM_INIT_FUNC) {
            g->info[g->globals[i].init.lo].escapes = true;
        }
    }
    if (g->h->start != SM_NONE) {
        g->info[g->h->start].escapes = true;
    }
}

/* Tarjan's strongly connected components, with a stack of its own. Components come out callees
 * first, which is the order in which weights add up. */
struct visit {
    uint32_t func, next;
};
struct tarjan {
    uint32_t *index, *low, *open, nopen, count;
    bool *is_open;
    struct visit *path;
    uint32_t depth;
};

/* Recursion of one function alone: no other is on a cycle with it. */
static bool calls_itself(const struct gen *g, const struct func_info *f)
{
    bool itself = false;

    for (uint32_t i = 0; i < f->ncalls; i++) {
        const struct func_info *callee = &g->info[f->calls[i]];

        if (callee != f && callee->weight == 0) {
            return false; /* of the same component, not weighed yet */
        }
        itself = itself || callee == f;
    }
    return itself && !f->indirect;
}

static void add_weight(struct gen *g, struct func_info *f)
{
    uint64_t sum = f->ops;

    f->checked = f->recursive || f->indirect;
    f->levels = calls_itself(g, f) && f->ops <= SHORT_RECURSION ? 3 : 1;
    f->may_grow = f->grow || f->import || f->indirect || f->recursive;
    for (uint32_t i = 0; i < f->ncalls; i++) {
        const struct func_info *callee = &g->info[f->calls[i]];

        sum += callee->weight;
        f->may_grow = f->may_grow || callee->may_grow;
    }
    f->weight = sum < AOT_STRAIGHT ? (uint32_t)sum : AOT_STRAIGHT;
}

static void close_component(struct gen *g, struct tarjan *t, uint32_t root)
{
    uint32_t first = t->nopen;

    do {
        first--;
        t->is_open[t->open[first]] = false;
    } while (t->open[first] != root);
    for (uint32_t i = first; i < t->nopen; i++) {
        g->info[t->open[i]].recursive |= t->nopen - first > 1;
    }
    for (uint32_t i = first; i < t->nopen; i++) {
        add_weight(g, &g->info[t->open[i]]);
    }
    t->nopen = first;
}

static void begin(struct tarjan *t, uint32_t func)
{
    t->index[func] = t->low[func] = ++t->count;
    t->open[t->nopen++] = func;
    t->is_open[func] = true;
    t->path[t->depth++] = (struct visit){func, 0};
}

static void visit_from(struct gen *g, struct tarjan *t, uint32_t start)
{
    begin(t, start);
    while (t->depth > 0) {
        struct visit *v = &t->path[t->depth - 1];
        struct func_info *f = &g->info[v->func];

        if (v->next < f->ncalls) {
            uint32_t callee = f->calls[v->next++];

            f->recursive |= callee == v->func;
            if (t->index[callee] == 0) {
                begin(t, callee);
            } else if (t->is_open[callee] && t->index[callee] < t->low[v->func]) {
                t->low[v->func] = t->index[callee];
            }
            continue;
        }
        if (t->low[v->func] == t->index[v->func]) {
            close_component(g, t, v->func);
        }
        t->depth--;
        if (t->depth > 0 && t->low[v->func] < t->low[t->path[t->depth - 1].func]) {
            t->low[t->path[t->depth - 1].func] = t->low[v->func];
        }
    }
}

void aot_scan(struct gen *g)
{
    uint32_t n = g->h->nfuncs;
    struct tarjan t = {.index = aot_alloc(n, 4),
                       .low = aot_alloc(n, 4),
                       .open = aot_alloc(n, 4),
                       .is_open = aot_alloc(n, sizeof(bool)),
                       .path = aot_alloc(n, sizeof(struct visit))};

    g->info = aot_alloc(n, sizeof(*g->info));
    find_bodies(g);
    find_escapes(g);
    for (uint32_t i = g->h->nfunc_imports; i < n; i++) {
        scan_body(g, i);
    }
    for (uint32_t i = g->h->nfunc_imports; i < n; i++) {
        if (t.index[i] == 0) {
            visit_from(g, &t, i);
        }
    }
    for (uint32_t i = g->h->nfunc_imports; i < n; i++) {
        if (g->info[i].escapes && g->info[i].weight > g->indirect_weight) {
            g->indirect_weight = g->info[i].weight;
        }
    }
    free(t.index);
    free(t.low);
    free(t.open);
    free(t.is_open);
    free(t.path);
}

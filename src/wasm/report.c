/* Where execution stands, in the module author's terms: function, name, offset in the file.
 *
 * The image carries no map from code to file. An offset is found by translating the function once
 * more, up to the instruction in question: slow, but only after a trap, and it costs no flash.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "native.h"
#include "reader.h"

#define IN_CODE 0x80000000u

/* The defined function whose code covers a unit; functions lie in the image in their order. */
static uint32_t func_at(const struct sm_wasm_inst *inst, uint32_t at)
{
    uint32_t low = inst->nimports, high = inst->nfuncs;

    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;

        if (inst->funcs[mid].code <= at) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return low;
}

/* The tables that func.c needs are those of the image. */
static struct sm_modinfo info_of(const struct sm_wasm_module *m)
{
    const struct sm_image *h = sm_image_of(m);
    struct sm_modinfo mi = {
        .wasm = m->wasm, .wasm_len = m->wasm_len, .h = *h, .data_count = h->ndatas};

    /* Read only: the translator of functions takes a const struct sm_modinfo. */
    mi.types = (struct sm_image_type *)(uintptr_t)(m->image + h->types);
    mi.funcs = (struct sm_image_func *)(uintptr_t)(m->image + h->funcs);
    mi.globals = (struct sm_image_global *)(uintptr_t)(m->image + h->globals);
    mi.tables = (struct sm_image_table *)(uintptr_t)(m->image + h->tables);
    mi.elems = (struct sm_image_elem *)(uintptr_t)(m->image + h->elems);
    return mi;
}

/* A reader of the body of a defined function: its declarations of locals, then its code. */
static void body_of(const struct sm_wasm_module *m, uint32_t func, struct sm_reader *r)
{
    const struct sm_image *h = sm_image_of(m);

    sm_reader_init(r, m->wasm, h->code_section, m->wasm_len);
    sm_reader_u32(r); /* how many bodies */
    for (uint32_t i = h->nfunc_imports;; i++) {
        uint32_t size = sm_reader_u32(r), start = r->pos;

        sm_reader_skip(r, size);
        if (r->err || i >= func) {
            r->pos = start;
            r->end = start + size;
            return;
        }
    }
}

static uint32_t offset_of(const struct sm_wasm_module *m, uint32_t func, uint32_t unit,
                          void *scratch, size_t scratch_len)
{
    struct sm_modinfo mi = info_of(m);
    struct sm_func_job job = {.mi = &mi,
                              .func = func,
                              .far = mi.funcs[func].flags & SM_FUNC_FAR,
                              .stop = unit,
                              .work = 0xffffffff};
    struct sm_reader r;
    uintptr_t align = -(uintptr_t)scratch & 7;

    if (scratch == NULL || scratch_len < align) {
        return 0;
    }
    body_of(m, func, &r);
    job.body = r.pos;
    job.end = r.end;
    job.mem = (uint8_t *)scratch + align;
    job.mem_len = scratch_len - align;
    return !r.err && sm_func_translate(&job) == 0 ? job.where : 0;
}

/* The frame of native code: a site names its offset in the file, and that lies in one function. */
static struct sm_wasm_frame native_frame(const struct sm_native_frame *f)
{
    struct sm_wasm_frame frame = {.module = f->inst->module, .offset = f->offset, .inst = f->inst};
    const struct sm_image *h = sm_image_of(&f->inst->module);
    struct sm_reader r;

    sm_reader_init(&r, frame.module.wasm, h->code_section, frame.module.wasm_len);
    sm_reader_u32(&r); /* how many bodies */
    for (frame.func = h->nfunc_imports; frame.func + 1 < h->nfuncs; frame.func++) {
        uint32_t size = sm_reader_u32(&r);

        sm_reader_skip(&r, size);
        if (r.err || r.pos > f->offset) {
            break;
        }
    }
    frame.name = sm_wasm_func_name(&frame.module, frame.func);
    return frame;
}

/* Frames gathered so far. Until the pool and the stack are no longer needed, an interpreted frame's
 * offset is a position in the image's code and marked so; code ends before half of 4 GiB. */
struct gathering {
    struct sm_wasm_frame *frames;
    uint32_t max, n;
};

/* The interpreted frames from x's (or a native caller's) position outwards. */
static void interpreted(struct gathering *g, const struct sm_wasm_inst *inst, const uint16_t *pc,
                        const uint32_t *fp, uint32_t back)
{
    uint32_t at = (uint32_t)(pc - inst->code) - back;

    for (;; g->n++) {
        uint32_t func = func_at(inst, at), start = inst->funcs[func].code;

        if (g->n < g->max) {
            g->frames[g->n] = (struct sm_wasm_frame){.module = inst->module,
                                                     .func = func,
                                                     .name = sm_wasm_func_name(&inst->module, func),
                                                     .offset = at | IN_CODE,
                                                     .inst = inst,
                                                     .words = fp};
        }
        at = fp[inst->code[start + 2]]; /* the header slot that OP_ENTER names */
        fp -= inst->code[at - 1];
        if (at == SM_STUB_EXIT) {
            g->n++;
            return;
        }
        if (at == SM_STUB_CROSS) {
            uint64_t from;

            at = fp[0];
            memcpy(&from, fp + 2, 8);
            fp -= fp[1] & 0xffff;
            inst = (const struct sm_wasm_inst *)(uintptr_t)from;
        }
        at--; /* within the call */
    }
}

/* From the innermost entry into native code outwards. */
static void native(struct gathering *g, const struct sm_native_frame *f)
{
    for (; f != NULL; f = f->outer) {
        if (g->n < g->max) {
            g->frames[g->n] = native_frame(f);
        }
        g->n++;
        if (f->caller == SM_CALLER_INTERPRETER) {
            interpreted(g, f->from, f->pc, f->fp, 1);
        }
    }
}

uint32_t sm_wasm_backtrace(const struct sm_wasm_exec *x, struct sm_wasm_frame *frames, uint32_t max,
                           void *scratch, size_t scratch_len)
{
    struct gathering g = {frames, max, 0};

    if (!x->in_native) {
        if (x->pc == NULL || (x->pc >= x->entry && x->pc < x->entry + 4)) {
            return 0; /* no frame yet, or a host function called by the host */
        }
        /* In a host call pc is where it goes on: step back into the call. */
        interpreted(&g, x->inst, x->pc, x->fp,
                    x->state == SM_EXEC_PENDING || x->state == SM_EXEC_RUNNING);
    }
    native(&g, x->native);
    /* Names and code positions are gathered: the pool and stack may now serve as scratch. */
    for (uint32_t i = 0; i < g.n && i < max; i++) {
        const struct sm_wasm_module *m = &frames[i].module;
        uint32_t start = SM_IMAGE_AT(m, struct sm_image_func, funcs)[frames[i].func].code;

        if (frames[i].offset & IN_CODE) {
            frames[i].offset = offset_of(m, frames[i].func, (frames[i].offset & ~IN_CODE) - start,
                                         scratch, scratch_len);
        }
    }
    return g.n;
}

uint32_t sm_wasm_func_start(const struct sm_wasm_module *m, uint32_t func)
{
    const struct sm_image *h = sm_image_of(m);
    struct sm_reader r;

    if (func < h->nfunc_imports || func >= h->nfuncs) {
        return 0;
    }
    body_of(m, func, &r);
    return r.err ? 0 : r.pos;
}

/* The type of a local behind the parameters, and where its words begin; 0 past the last. */
static uint8_t declared(const struct sm_wasm_frame *f, uint32_t index, uint32_t *word)
{
    struct sm_reader r;

    body_of(&f->module, f->func, &r);
    for (uint32_t groups = sm_reader_u32(&r); groups > 0 && !r.err; groups--) {
        uint32_t n = sm_reader_u32(&r);
        uint8_t type = sm_reader_byte(&r);

        if (index < n) {
            *word += index * sm_type_words(type);
            return r.err ? 0 : type;
        }
        index -= n;
        *word += n * sm_type_words(type);
    }
    return 0;
}

int sm_wasm_frame_local(const struct sm_wasm_frame *f, uint32_t index, struct sm_wasm_global *out)
{
    const struct sm_image_type *t = sm_image_type_of(&f->module, f->func);
    uint32_t word = 0;

    *out = (struct sm_wasm_global){.is_mutable = 1};
    if (t == NULL) {
        return SM_ERR_NOT_FOUND;
    }
    if (index < t->nparams) {
        for (uint32_t i = 0; i < index; i++) {
            word += sm_type_words(f->module.wasm[t->params + i]);
        }
        out->type = f->module.wasm[t->params + index];
    } else { /* behind the larger of parameters and results, and the return address */
        word = (t->param_words > t->result_words ? t->param_words : t->result_words) + 1;
        out->type = declared(f, index - t->nparams, &word);
    }
    if (out->type == 0) {
        return SM_ERR_NOT_FOUND;
    }
    if (f->words == NULL) {
        return SM_ERR_STATE;
    }
    memcpy(out->value, f->words + word, sm_type_words(out->type) * sizeof *f->words);
    return 0;
}

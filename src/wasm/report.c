/* Where execution stands, in the module author's terms: function, name, offset in the file.
 *
 * The image carries no map from code to file. An offset is found by translating the function once
 * more, up to the instruction in question: slow, but only after a trap, and it costs no flash.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "inst.h"
#include "reader.h"

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
    sm_reader_init(&r, m->wasm, mi.h.code_section, m->wasm_len);
    sm_reader_u32(&r); /* how many bodies */
    for (uint32_t i = mi.h.nfunc_imports; i <= func; i++) {
        uint32_t size = sm_reader_u32(&r);

        job.body = r.pos;
        job.end = r.pos + size;
        sm_reader_skip(&r, size);
    }
    job.mem = (uint8_t *)scratch + align;
    job.mem_len = scratch_len - align;
    return !r.err && sm_func_translate(&job) == 0 ? job.where : 0;
}

uint32_t sm_wasm_backtrace(const struct sm_wasm_exec *x, struct sm_wasm_frame *frames, uint32_t max,
                           void *scratch, size_t scratch_len)
{
    const struct sm_wasm_inst *inst = x->inst;
    const uint32_t *fp = x->fp;
    uint32_t at, n = 0;

    if (x->pc == NULL || (x->pc >= x->entry && x->pc < x->entry + 4)) {
        return 0; /* no frame yet, or a host function called by the host */
    }
    at = (uint32_t)(x->pc - inst->code);
    at -= x->state == SM_EXEC_PENDING; /* pc is where it goes on: step back into the call */
    for (;; n++) {
        uint32_t func = func_at(inst, at), start = inst->funcs[func].code;

        if (n < max) {
            frames[n] = (struct sm_wasm_frame){.module = inst->module,
                                               .func = func,
                                               .name = sm_wasm_func_name(&inst->module, func),
                                               .offset = at};
        }
        at = fp[inst->code[start + 2]]; /* the header slot that OP_ENTER names */
        fp -= inst->code[at - 1];
        if (at == SM_STUB_EXIT) {
            n++;
            break;
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
    /* Names and code positions are gathered: the pool and stack may now serve as scratch. */
    for (uint32_t i = 0; i < n && i < max; i++) {
        const struct sm_wasm_module *m = &frames[i].module;
        uint32_t start = SM_IMAGE_AT(m, struct sm_image_func, funcs)[frames[i].func].code;

        frames[i].offset =
            offset_of(m, frames[i].func, frames[i].offset - start, scratch, scratch_len);
    }
    return n;
}

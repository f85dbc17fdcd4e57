/* What a module says about itself: sections, imports, exports, names, read from its own bytes.
 *
 * All work on opened modules, whose bytes have been validated; their readers still stop at the
 * file's end.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>
#include "image.h"
#include "reader.h"

const char *sm_wasm_trap_text(enum sm_wasm_trap trap)
{
    static const char *const texts[] = {
#define X(name, text) text,
        SM_WASM_TRAPS(X)
#undef X
    };

    return (unsigned)trap < sizeof(texts) / sizeof(texts[0]) ? texts[trap] : "unknown trap";
}

static bool table_fits(uint32_t off, uint32_t n, uint32_t size, uint32_t image)
{
    return off % 4 == 0 && off <= image && n <= (image - off) / size;
}

/* All tables lie in the image. */
static bool tables_fit(const struct sm_image *h)
{
    return table_fits(h->code, h->code_units, 2, h->size) && h->code_units >= SM_CODE_START &&
           table_fits(h->types, h->ntypes, sizeof(struct sm_image_type), h->size) &&
           table_fits(h->funcs, h->nfuncs, sizeof(struct sm_image_func), h->size) &&
           table_fits(h->globals, h->nglobals, sizeof(struct sm_image_global), h->size) &&
           table_fits(h->tables, h->ntables, sizeof(struct sm_image_table), h->size) &&
           table_fits(h->elems, h->nelems, sizeof(struct sm_image_elem), h->size) &&
           table_fits(SM_WASM_HEADER, h->elem_entries, 4, h->size) &&
           table_fits(h->datas, h->ndatas, sizeof(struct sm_image_data), h->size);
}

/* What the header says agrees with itself and with the module's length. */
static bool header_agrees(const struct sm_image *h)
{
    return h->nfunc_imports <= h->nfuncs && h->nglobal_imports <= h->nglobals &&
           h->ntable_imports <= h->ntables && h->memory <= 2 && h->memory_min <= h->memory_max &&
           (h->start == SM_NONE || h->start < h->nfuncs) && h->import_section <= h->wasm_len &&
           h->export_section <= h->wasm_len && h->code_section <= h->wasm_len &&
           h->name_section <= h->name_end && h->name_end <= h->wasm_len;
}

int sm_wasm_open(struct sm_wasm_module *m, const void *image, size_t image_len, const uint8_t *wasm,
                 size_t wasm_len)
{
    const struct sm_image *h = image;

    if ((uintptr_t)image % 8 != 0) {
        return SM_ERR_ARG;
    }
    if (image_len < SM_WASM_HEADER || h->magic != SM_IMAGE_MAGIC) {
        return SM_ERR_CORRUPT;
    }
    if (h->build != SM_WASM_BUILD) {
        return SM_ERR_UNSUPPORTED;
    }
    if (h->size > image_len || h->wasm_len != wasm_len || !tables_fit(h) || !header_agrees(h)) {
        return SM_ERR_CORRUPT;
    }
    *m = (struct sm_wasm_module){
        .wasm = wasm, .image = image, .wasm_len = (uint32_t)wasm_len, .image_len = h->size};
    return 0;
}

const struct sm_image_type *sm_image_type_of(const struct sm_wasm_module *m, uint32_t func)
{
    const struct sm_image *h = sm_image_of(m);
    const struct sm_image_type *t;
    uint32_t type;

    if (func >= h->nfuncs) {
        return NULL;
    }
    type = SM_IMAGE_AT(m, struct sm_image_func, funcs)[func].type;
    if (type >= h->ntypes) {
        return NULL;
    }
    t = SM_IMAGE_AT(m, struct sm_image_type, types) + type;
    return sm_in_module(m, t->params, t->nparams) && sm_in_module(m, t->results, t->nresults)
               ? t
               : NULL;
}

static void name(struct sm_reader *r, struct sm_wasm_name *out)
{
    out->len = sm_reader_u32(r);
    out->bytes = (const char *)sm_reader_skip(r, out->len);
}

/* A walk begins at a section's payload, at its count. */
static void begin(struct sm_wasm_cursor *c, const struct sm_wasm_module *m, uint32_t at)
{
    struct sm_reader r;

    sm_reader_init(&r, m->wasm, at, m->wasm_len);
    c->left = at == 0 ? 0 : sm_reader_u32(&r);
    c->module = m;
    c->pos = r.pos;
}

static bool step(struct sm_wasm_cursor *c, struct sm_reader *r)
{
    sm_reader_init(r, c->module->wasm, c->pos, c->module->wasm_len);
    return c->left != 0;
}

/* 0 when all of the entry was there; otherwise the walk has come to its end. */
static int stepped(struct sm_wasm_cursor *c, const struct sm_reader *r, enum sm_wasm_kind kind)
{
    if (r->err != 0 || kind > SM_WASM_GLOBAL) {
        c->left = 0;
        return SM_ERR_NOT_FOUND;
    }
    c->left--;
    c->pos = r->pos;
    return 0;
}

void sm_wasm_imports(struct sm_wasm_cursor *c, const struct sm_wasm_module *m)
{
    begin(c, m, sm_image_of(m)->import_section);
}

void sm_wasm_exports(struct sm_wasm_cursor *c, const struct sm_wasm_module *m)
{
    begin(c, m, sm_image_of(m)->export_section);
}

int sm_wasm_next_import(struct sm_wasm_cursor *c, struct sm_wasm_import *out)
{
    struct sm_reader r;

    if (!step(c, &r)) {
        return SM_ERR_NOT_FOUND;
    }
    name(&r, &out->module);
    name(&r, &out->field);
    out->kind = (enum sm_wasm_kind)sm_reader_byte(&r);
    if (out->kind == SM_WASM_FUNC) {
        sm_reader_u32(&r);
    } else if (out->kind == SM_WASM_GLOBAL) {
        sm_reader_skip(&r, 2);
    } else { /* limits, after the element type of a table */
        uint8_t flags;

        sm_reader_skip(&r, out->kind == SM_WASM_TABLE ? 1 : 0);
        flags = sm_reader_byte(&r);
        sm_reader_u32(&r);
        if (flags & 1) {
            sm_reader_u32(&r);
        }
        if (flags & 8) { /* custom-page-sizes */
            sm_reader_u32(&r);
        }
    }
    return stepped(c, &r, out->kind);
}

int sm_wasm_next_export(struct sm_wasm_cursor *c, struct sm_wasm_export *out)
{
    struct sm_reader r;

    if (!step(c, &r)) {
        return SM_ERR_NOT_FOUND;
    }
    name(&r, &out->name);
    out->kind = (enum sm_wasm_kind)sm_reader_byte(&r);
    out->index = sm_reader_u32(&r);
    return stepped(c, &r, out->kind);
}

int sm_wasm_export_find(const struct sm_wasm_module *m, const char *want, enum sm_wasm_kind kind,
                        uint32_t *index)
{
    struct sm_wasm_cursor c;
    struct sm_wasm_export e;
    size_t len = strlen(want);

    sm_wasm_exports(&c, m);
    while (sm_wasm_next_export(&c, &e) == 0) {
        if (e.kind == kind && e.name.len == len && memcmp(e.name.bytes, want, len) == 0) {
            *index = e.index;
            return 0;
        }
    }
    return SM_ERR_NOT_FOUND;
}

int sm_wasm_functype(const struct sm_wasm_module *m, uint32_t func, struct sm_wasm_functype *out)
{
    const struct sm_image_type *t;

    t = sm_image_type_of(m, func);
    if (t == NULL) {
        return SM_ERR_NOT_FOUND;
    }
    *out = (struct sm_wasm_functype){.params = m->wasm + t->params,
                                     .results = m->wasm + t->results,
                                     .nparams = t->nparams,
                                     .nresults = t->nresults};
    return 0;
}

bool sm_wasm_has_start(const struct sm_wasm_module *m)
{
    return sm_image_of(m)->start != SM_NONE;
}

bool sm_wasm_name_is(const struct sm_wasm_name *name, const char *text)
{
    return name->len == strlen(text) && memcmp(name->bytes, text, name->len) == 0;
}

int sm_wasm_memory_type(const struct sm_wasm_module *m, struct sm_wasm_memory_type *out)
{
    const struct sm_image *h = sm_image_of(m);

    *out = (struct sm_wasm_memory_type){0};
    if (h->memory == 0) {
        return SM_ERR_NOT_FOUND;
    }
    out->min = h->memory_min;
    out->max = h->memory_max;
    out->page_bytes = sm_page_bytes(h->flags & SM_MODULE_BYTE_PAGES);
    out->has_max = h->flags & SM_MODULE_MEMORY_HAS_MAX;
    out->asks = h->flags & SM_MODULE_ASKS_MEMORY;
    for (uint32_t i = 0; i < h->ndatas; i++) {
        const struct sm_image_data *d = &SM_IMAGE_AT(m, struct sm_image_data, datas)[i];
        uint64_t end = (uint64_t)d->offset.lo + d->len;

        if (d->mode == SM_SEG_ACTIVE && d->offset.kind == SM_INIT_VALUE && end > out->data_end) {
            out->data_end = end;
        }
    }
    return 0;
}

int sm_wasm_global_init(const struct sm_wasm_module *m, uint32_t index, struct sm_wasm_global *out)
{
    const struct sm_image *h = sm_image_of(m);
    const struct sm_image_global *g;

    if (index >= h->nglobals) {
        return SM_ERR_NOT_FOUND;
    }
    g = SM_IMAGE_AT(m, struct sm_image_global, globals) + index;
    if (index < h->nglobal_imports || g->init.kind != SM_INIT_VALUE) {
        return SM_ERR_STATE;
    }
    *out = (struct sm_wasm_global){
        .value = {g->init.lo, g->init.hi}, .type = g->init.type, .is_mutable = g->is_mutable};
    return 0;
}

/* The name that the name section gives: its subsection 1 maps indices to names, ascending (appendix
 * 7.4.1). Custom sections are not validated, so nothing here is trusted. */
static bool section_name(const struct sm_wasm_module *m, uint32_t func, struct sm_wasm_name *out)
{
    const struct sm_image *h = sm_image_of(m);
    struct sm_reader r;

    sm_reader_init(&r, m->wasm, h->name_section, h->name_section == 0 ? 0 : h->name_end);
    while (r.pos < r.end) {
        uint8_t id = sm_reader_byte(&r);
        uint32_t size = sm_reader_u32(&r);

        if (id != 1) {
            sm_reader_skip(&r, size);
            continue;
        }
        r.end = size < r.end - r.pos ? r.pos + size : r.end;
        for (uint32_t n = sm_reader_u32(&r); n > 0 && !r.err; n--) {
            uint32_t x = sm_reader_u32(&r);
            struct sm_reader again = r;

            name(&r, out);
            if (x == func) {
                out->bytes = (const char *)sm_reader_name(&again, &out->len);
                return again.err == 0;
            }
        }
        return false;
    }
    return false;
}

struct sm_wasm_name sm_wasm_func_name(const struct sm_wasm_module *m, uint32_t func)
{
    struct sm_wasm_name found;
    struct sm_wasm_cursor c;
    struct sm_wasm_export e;

    if (section_name(m, func, &found)) {
        return found;
    }
    sm_wasm_exports(&c, m);
    while (sm_wasm_next_export(&c, &e) == 0) {
        if (e.kind == SM_WASM_FUNC && e.index == func) {
            return e.name;
        }
    }
    return (struct sm_wasm_name){"", 0};
}

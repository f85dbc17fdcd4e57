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

int sm_wasm_open(struct sm_wasm_module *m, const void *image, size_t image_len, const uint8_t *wasm,
                 size_t wasm_len)
{
    const struct sm_image *h = image;

    if (image_len < SM_WASM_HEADER || h->magic != SM_IMAGE_MAGIC) {
        return SM_ERR_CORRUPT;
    }
    if (h->build != SM_WASM_BUILD) {
        return SM_ERR_UNSUPPORTED;
    }
    if (h->size > image_len || h->wasm_len != wasm_len ||
        !table_fits(h->code, h->code_units, 2, h->size) || h->code_units < SM_CODE_START ||
        !table_fits(h->types, h->ntypes, sizeof(struct sm_image_type), h->size) ||
        !table_fits(h->funcs, h->nfuncs, sizeof(struct sm_image_func), h->size) ||
        !table_fits(h->globals, h->nglobals, sizeof(struct sm_image_global), h->size) ||
        !table_fits(h->tables, h->ntables, sizeof(struct sm_image_table), h->size) ||
        !table_fits(h->elems, h->nelems, sizeof(struct sm_image_elem), h->size) ||
        !table_fits(SM_WASM_HEADER, h->elem_entries, 4, h->size) ||
        !table_fits(h->datas, h->ndatas, sizeof(struct sm_image_data), h->size)) {
        return SM_ERR_CORRUPT;
    }
    *m = (struct sm_wasm_module){
        .wasm = wasm, .image = image, .wasm_len = (uint32_t)wasm_len, .image_len = h->size};
    return 0;
}

static void name(struct sm_reader *r, struct sm_wasm_name *out)
{
    out->len = sm_reader_u32(r);
    out->bytes = (const char *)sm_reader_skip(r, out->len);
}

int sm_wasm_import_at(const struct sm_wasm_module *m, uint32_t i, struct sm_wasm_import *out)
{
    struct sm_reader r;
    uint32_t n;

    sm_reader_init(&r, m->wasm, sm_image_of(m)->import_section, m->wasm_len);
    if (r.pos == 0) {
        return SM_ERR_NOT_FOUND;
    }
    for (n = sm_reader_u32(&r); n > 0 && !r.err; n--) {
        name(&r, &out->module);
        name(&r, &out->field);
        out->kind = sm_reader_byte(&r);
        if (i-- == 0) {
            return r.err ? SM_ERR_CORRUPT : 0;
        }
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
        }
    }
    return SM_ERR_NOT_FOUND;
}

static int next_export(struct sm_reader *r, struct sm_wasm_export *out)
{
    name(r, &out->name);
    out->kind = sm_reader_byte(r);
    out->index = sm_reader_u32(r);
    return r->err ? SM_ERR_NOT_FOUND : 0;
}

static uint32_t exports(const struct sm_wasm_module *m, struct sm_reader *r)
{
    uint32_t at = sm_image_of(m)->export_section;

    sm_reader_init(r, m->wasm, at, m->wasm_len);
    return at == 0 ? 0 : sm_reader_u32(r);
}

int sm_wasm_export_at(const struct sm_wasm_module *m, uint32_t i, struct sm_wasm_export *out)
{
    struct sm_reader r;
    uint32_t n = exports(m, &r);

    if (i >= n) {
        return SM_ERR_NOT_FOUND;
    }
    for (; i > 0; i--) {
        next_export(&r, out);
    }
    return next_export(&r, out);
}

int sm_wasm_export_find(const struct sm_wasm_module *m, const char *want, enum sm_wasm_kind kind,
                        uint32_t *index)
{
    struct sm_reader r;
    size_t len = strlen(want);

    for (uint32_t n = exports(m, &r); n > 0; n--) {
        struct sm_wasm_export e;

        if (next_export(&r, &e) != 0) {
            break;
        }
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

    if (func >= sm_image_of(m)->nfuncs) {
        return SM_ERR_NOT_FOUND;
    }
    t = SM_IMAGE_AT(m, struct sm_image_type, types) +
        SM_IMAGE_AT(m, struct sm_image_func, funcs)[func].type;
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

/* Subsection 1 of the name section maps function indices to names, ascending (appendix 7.4.1).
 * Custom sections are not validated, so nothing here is trusted. */
struct sm_wasm_name sm_wasm_func_name(const struct sm_wasm_module *m, uint32_t func)
{
    struct sm_wasm_name none = {"", 0}, found;
    struct sm_reader r;
    uint32_t at = sm_image_of(m)->name_section;

    sm_reader_init(&r, m->wasm, at, m->wasm_len);
    while (at != 0 && !r.err && r.pos < r.end) {
        uint8_t id = sm_reader_byte(&r);
        uint32_t size = sm_reader_u32(&r);

        if (id > 1) {
            break;
        }
        if (id == 0) {
            sm_reader_skip(&r, size);
            continue;
        }
        for (uint32_t n = sm_reader_u32(&r); n > 0 && !r.err; n--) {
            uint32_t x = sm_reader_u32(&r);

            name(&r, &found);
            if (!r.err && x == func) {
                return found;
            }
        }
        break;
    }
    for (uint32_t n = exports(m, &r); n > 0; n--) {
        struct sm_wasm_export e;

        if (next_export(&r, &e) != 0) {
            break;
        }
        if (e.kind == SM_WASM_FUNC && e.index == func) {
            return e.name;
        }
    }
    return none;
}

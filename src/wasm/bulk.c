/* Bulk operations and growth, a piece at a time: PIECE bytes or ENTRIES of a table between two
 * looks at the epoch, which are the callers'. Where a library's memset and memmove go byte by byte,
 * at up to five instructions each, a piece is less than 10,000 instructions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bulk.h"
#include <string.h>

#if UINTPTR_MAX > 0xffffffff
#define PIECE 4096u
#else
#define PIECE 1024u
#endif
#define ENTRIES 256u

int sm_bulk_fill(struct sm_wasm_memory *m, uint32_t *w)
{
    uint32_t n = w[2] < PIECE ? w[2] : PIECE;

    if ((uint64_t)w[0] + w[2] > m->size) {
        return -SM_TRAP_MEMORY;
    }
    if (n > 0) {
        memset(m->base + w[0], (int)(w[1] & 0xff), n);
    }
    w[0] += n;
    w[2] -= n;
    return w[2] != 0;
}

int sm_bulk_copy(struct sm_wasm_memory *m, uint32_t *w)
{
    uint32_t n = w[2] < PIECE ? w[2] : PIECE;

    if ((uint64_t)w[0] + w[2] > m->size || (uint64_t)w[1] + w[2] > m->size) {
        return -SM_TRAP_MEMORY;
    }
    w[2] -= n;
    if (n > 0 && w[0] > w[1]) { /* from the end, so that nothing is overwritten unread */
        memmove(m->base + w[0] + w[2], m->base + w[1] + w[2], n);
    } else if (n > 0) {
        memmove(m->base + w[0], m->base + w[1], n);
        w[0] += n;
        w[1] += n;
    }
    return w[2] != 0;
}

int sm_bulk_init(struct sm_wasm_inst *inst, uint32_t *w, uint32_t seg)
{
    const struct sm_wasm_module *m = &inst->module;
    const struct sm_image_data *d = &SM_IMAGE_AT(m, struct sm_image_data, datas)[seg];
    uint32_t len = inst->dropped[sm_image_of(m)->nelems + seg] ? 0 : d->len;
    uint32_t n = w[2] < PIECE ? w[2] : PIECE;

    if ((uint64_t)w[0] + w[2] > inst->memory->size || (uint64_t)w[1] + w[2] > len) {
        return -SM_TRAP_MEMORY;
    }
    if (n > 0) {
        memcpy(inst->memory->base + w[0], m->wasm + d->bytes + w[1], n);
    }
    w[0] += n;
    w[1] += n;
    w[2] -= n;
    return w[2] != 0;
}

int sm_bulk_table_fill(struct sm_wasm_table *t, uint32_t *w)
{
    uint32_t n = w[2] < ENTRIES ? w[2] : ENTRIES;

    if ((uint64_t)w[0] + w[2] > t->size) {
        return -SM_TRAP_TABLE;
    }
    for (uint32_t i = 0; i < n; i++) {
        t->entries[w[0] + i] = w[1];
    }
    w[0] += n;
    w[2] -= n;
    return w[2] != 0;
}

int sm_bulk_table_copy(struct sm_wasm_table *to, struct sm_wasm_table *from, uint32_t *w)
{
    uint32_t n = w[2] < ENTRIES ? w[2] : ENTRIES;

    if ((uint64_t)w[0] + w[2] > to->size || (uint64_t)w[1] + w[2] > from->size) {
        return -SM_TRAP_TABLE;
    }
    w[2] -= n;
    if (w[0] > w[1]) {
        memmove(to->entries + w[0] + w[2], from->entries + w[1] + w[2], n * sizeof(uint32_t));
    } else {
        memmove(to->entries + w[0], from->entries + w[1], n * sizeof(uint32_t));
        w[0] += n;
        w[1] += n;
    }
    return w[2] != 0;
}

int sm_bulk_table_init(struct sm_wasm_inst *inst, uint32_t *w, uint32_t seg, uint32_t table)
{
    const struct sm_wasm_module *m = &inst->module;
    const struct sm_image_elem *e = &SM_IMAGE_AT(m, struct sm_image_elem, elems)[seg];
    const uint32_t *entries = (const uint32_t *)(const void *)(m->image + SM_WASM_HEADER);
    uint32_t len = inst->dropped[seg] ? 0 : e->count;
    uint32_t n = w[2] < ENTRIES ? w[2] : ENTRIES;
    struct sm_wasm_table *t = inst->tables[table];

    if ((uint64_t)w[0] + w[2] > t->size || (uint64_t)w[1] + w[2] > len) {
        return -SM_TRAP_TABLE;
    }
    for (uint32_t i = 0; i < n; i++) {
        t->entries[w[0] + i] = sm_elem_value(inst, entries[e->first + w[1] + i]);
    }
    w[0] += n;
    w[1] += n;
    w[2] -= n;
    return w[2] != 0;
}

int sm_bulk_grow(struct sm_wasm_memory *m, uint32_t pages, uint32_t *was)
{
    uint64_t size = ((uint64_t)m->pages + pages) * sm_page_bytes(m->byte_pages), n;

    *was = m->pages;
    if (pages == 0) {
        return 0;
    }
    if ((uint64_t)m->pages + pages > m->max || size > m->capacity) {
        *was = 0xffffffff;
        return 0;
    }
    /* A region reads zero, and is there at once: guarded code must not see it earlier. */
    if (m->region != NULL) {
        if (m->region->commit(m->region->ctx, size) != 0) {
            *was = 0xffffffff;
            return 0;
        }
        m->cleared = size;
    }
    if (m->cleared < m->size) {
        m->cleared = m->size;
    }
    if (m->cleared < size) {
        n = size - m->cleared < PIECE ? size - m->cleared : PIECE;
        memset(m->base + m->cleared, 0, (size_t)n);
        m->cleared += n;
        return 1;
    }
    m->pages += pages;
    m->size = size;
    return 0;
}

/* The new entries wait behind the table's end until all are there. */
int sm_bulk_table_grow(struct sm_wasm_table *t, uint32_t *w)
{
    uint32_t was = t->size, n;

    if (w[1] > t->capacity - was) {
        w[0] = 0xffffffff;
        return 0;
    }
    if (w[3] != was) { /* the first piece, or another execution has grown the table in between */
        w[2] = 0;
        w[3] = was;
    }
    n = w[1] - w[2] < ENTRIES ? w[1] - w[2] : ENTRIES;
    for (uint32_t i = 0; i < n; i++) {
        t->entries[was + w[2] + i] = w[0];
    }
    w[2] += n;
    if (w[2] < w[1]) {
        return 1;
    }
    t->size = was + w[1];
    w[0] = was;
    return 0;
}

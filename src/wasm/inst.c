/* Instances: imports linked, memory, tables and globals laid out in the pool, segments written.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "inst.h"

static void *take(struct sm_wasm_pool *pool, uint64_t bytes)
{
    size_t at = (pool->used + 7) & ~(size_t)7;

    if (at > pool->size || bytes > pool->size - at) {
        return NULL;
    }
    pool->used = at + (size_t)bytes;
    return pool->zero ? pool->base + at : memset(pool->base + at, 0, (size_t)bytes);
}

bool sm_same_type(const struct sm_wasm_inst *a, uint32_t type_a, const struct sm_wasm_inst *b,
                  uint32_t type_b)
{
    const struct sm_image_type *ta = &a->types[type_a], *tb = &b->types[type_b];
    const uint8_t *wa = a->module.wasm, *wb = b->module.wasm;

    return ta->nparams == tb->nparams && ta->nresults == tb->nresults &&
           memcmp(wa + ta->params, wb + tb->params, ta->nparams) == 0 &&
           memcmp(wa + ta->results, wb + tb->results, ta->nresults) == 0;
}

struct sm_wasm_inst *sm_inst_of_ref(struct sm_wasm_store *store, uint32_t ref)
{
    struct sm_wasm_inst *i = store->instances;

    while (i != NULL && ref - 1 - i->ref_base >= i->nfuncs) {
        i = i->next;
    }
    return i;
}

int sm_inst_indirect(struct sm_wasm_inst *inst, uint32_t table, uint32_t type, uint32_t index,
                     struct sm_bound_func *out)
{
    struct sm_wasm_table *t = inst->tables[table];
    struct sm_wasm_inst *owner = inst;
    uint32_t ref, func;

    if (index >= t->size) {
        return -SM_TRAP_UNDEFINED;
    }
    ref = t->entries[index];
    if (ref == 0) {
        return -SM_TRAP_UNINITIALIZED;
    }
    func = ref - 1 - inst->ref_base;
    if (func >= inst->nfuncs) {
        owner = sm_inst_of_ref(inst->store, ref);
        if (owner == NULL) {
            return -SM_TRAP_UNINITIALIZED;
        }
        func = ref - 1 - owner->ref_base;
        if (!sm_same_type(inst, type, owner, owner->funcs[func].type)) {
            return -SM_TRAP_SIGNATURE;
        }
    } else if (inst->funcs[func].type != type) {
        return -SM_TRAP_SIGNATURE;
    }
    if (func < owner->nimports) {
        *out = owner->imports[func];
    } else {
        *out = (struct sm_bound_func){.inst = owner, .func = func};
    }
    return 0;
}

/* ---- Linking --------------------------------------------------------------------------------- */

static uint8_t type_of_letter(char c)
{
    switch (c) {
    case 'i': return SM_WASM_I32;
    case 'I': return SM_WASM_I64;
    case 'f': return SM_WASM_F32;
    case 'F': return SM_WASM_F64;
    case 'r': return SM_WASM_FUNCREF;
    case 'x': return SM_WASM_EXTERNREF;
    default: return 0;
    }
}

static bool host_type_matches(const struct sm_wasm_inst *inst, const struct sm_image_type *t,
                              const char *text)
{
    const uint8_t *w = inst->module.wasm;

    for (uint32_t i = 0; i < t->nparams; i++) {
        if (type_of_letter(*text++) != w[t->params + i]) {
            return false;
        }
    }
    if (*text++ != ':') {
        return false;
    }
    for (uint32_t i = 0; i < t->nresults; i++) {
        if (type_of_letter(*text++) != w[t->results + i]) {
            return false;
        }
    }
    return *text == '\0';
}

static int bind_func(struct sm_wasm_inst *inst, uint32_t x, const struct sm_wasm_extern *e)
{
    struct sm_bound_func *b = &inst->imports[x];
    uint32_t type = inst->funcs[x].type;

    if (sm_image_type_of(&inst->module, x) == NULL) {
        return SM_ERR_CORRUPT;
    }
    if (e->host != NULL) {
        *b = (struct sm_bound_func){.host = e->host, .ctx = e->host_ctx};
        if (SM_FUSED && e->kept_clock != NULL) {
            b->kept = e->kept;
            b->clock = e->kept_clock;
        }
        return host_type_matches(inst, &inst->types[type], e->host_type) ? 0 : SM_ERR_LINK;
    }
    if (!sm_same_type(inst, type, e->inst, e->inst->funcs[e->func].type)) {
        return SM_ERR_LINK;
    }
    if (e->func < e->inst->nimports) {
        *b = e->inst->imports[e->func];
    } else {
        *b = (struct sm_bound_func){.inst = e->inst, .func = e->func};
    }
    return 0;
}

/* How far linking has come in each index space. */
struct linked {
    uint32_t funcs, tables, globals, memories;
};

/* Import matching of limits (4.5.3.3): what has no maximum does not fit one that is asked for. */
static bool max_matches(bool has_max, uint32_t max, bool want_max, uint32_t want)
{
    return !want_max || (has_max && max <= want);
}

static int bind_table(struct sm_wasm_inst *inst, uint32_t i, struct sm_wasm_table *t)
{
    const struct sm_image_table *want =
        &SM_IMAGE_AT(&inst->module, struct sm_image_table, tables)[i];

    inst->tables[i] = t;
    return t->type == want->type && t->size >= want->min &&
                   max_matches(t->has_max, t->max, want->has_max, want->max)
               ? 0
               : SM_ERR_LINK;
}

static int bind_memory(struct sm_wasm_inst *inst, struct sm_wasm_memory *m)
{
    const struct sm_image *h = sm_image_of(&inst->module);

    inst->memory = m;
    return m->pages >= h->memory_min && m->byte_pages == !!(h->flags & SM_MODULE_BYTE_PAGES) &&
                   max_matches(m->has_max, m->max, h->flags & SM_MODULE_MEMORY_HAS_MAX,
                               h->memory_max)
               ? 0
               : SM_ERR_LINK;
}

static int bind_global(struct sm_wasm_inst *inst, uint32_t i, struct sm_wasm_global *g)
{
    const struct sm_image_global *want =
        &SM_IMAGE_AT(&inst->module, struct sm_image_global, globals)[i];

    inst->globals[i] = g;
    return g->type == want->init.type && g->is_mutable == want->is_mutable ? 0 : SM_ERR_LINK;
}

/* Image and module count the imports alike, or one is corrupted. */
static int bind(struct sm_wasm_inst *inst, const struct sm_wasm_extern *e, struct linked *n)
{
    const struct sm_image *h = sm_image_of(&inst->module);

    switch (e->kind) {
    case SM_WASM_FUNC:
        return n->funcs == h->nfunc_imports ? SM_ERR_CORRUPT : bind_func(inst, n->funcs++, e);
    case SM_WASM_TABLE:
        return n->tables == h->ntable_imports ? SM_ERR_CORRUPT
                                              : bind_table(inst, n->tables++, e->table);
    case SM_WASM_MEMORY:
        return h->memory != 2 || n->memories++ != 0 ? SM_ERR_CORRUPT : bind_memory(inst, e->memory);
    default:
        return n->globals == h->nglobal_imports ? SM_ERR_CORRUPT
                                                : bind_global(inst, n->globals++, e->global);
    }
}

static int link_imports(struct sm_wasm_inst *inst, const struct sm_wasm_linker *linker,
                        uint32_t *which)
{
    const struct sm_image *h = sm_image_of(&inst->module);
    struct linked n = {0};
    struct sm_wasm_import import;
    struct sm_wasm_cursor c;

    sm_wasm_imports(&c, &inst->module);
    for (*which = 0; sm_wasm_next_import(&c, &import) == 0; ++*which) {
        struct sm_wasm_extern e = {0};
        int err = linker == NULL ? SM_ERR_NOT_FOUND : linker->resolve(linker->ctx, &import, &e);

        if (err == SM_ERR_DENIED) {
            return err;
        }
        if (err != 0 || e.kind != import.kind) {
            return SM_ERR_LINK;
        }
        err = bind(inst, &e, &n);
        if (err != 0) {
            return err;
        }
    }
    return n.funcs == h->nfunc_imports && n.tables == h->ntable_imports &&
                   n.globals == h->nglobal_imports && n.memories == (h->memory == 2)
               ? 0
               : SM_ERR_CORRUPT;
}

/* ---- Soundness ------------------------------------------------------------------------------- */

static bool init_sound(const struct sm_image *h, const struct sm_image_init *init)
{
    return init->kind != SM_INIT_GLOBAL || init->lo < h->nglobal_imports;
}

static bool elem_sound(const struct sm_wasm_module *m, const struct sm_image_elem *e)
{
    const struct sm_image *h = sm_image_of(m);
    const uint32_t *entries = (const uint32_t *)(const void *)(m->image + SM_WASM_HEADER);

    if (e->first > h->elem_entries || e->count > h->elem_entries - e->first ||
        (e->mode == SM_SEG_ACTIVE && e->table >= h->ntables) || !init_sound(h, &e->offset)) {
        return false;
    }
    for (uint32_t i = 0; i < e->count; i++) {
        uint32_t entry = entries[e->first + i];

        if ((entry & SM_ELEM_GLOBAL) && (entry & ~SM_ELEM_GLOBAL) >= h->nglobal_imports) {
            return false;
        }
    }
    return true;
}

/* Every index and offset that an instance's making follows is one. */
static bool sound(const struct sm_wasm_module *m)
{
    const struct sm_image *h = sm_image_of(m);
    bool good = true;

    for (uint32_t i = h->nglobal_imports; i < h->nglobals; i++) {
        good &= init_sound(h, &SM_IMAGE_AT(m, struct sm_image_global, globals)[i].init);
    }
    for (uint32_t i = 0; i < h->nelems; i++) {
        good &= elem_sound(m, &SM_IMAGE_AT(m, struct sm_image_elem, elems)[i]);
    }
    for (uint32_t i = 0; i < h->ndatas; i++) {
        const struct sm_image_data *d = &SM_IMAGE_AT(m, struct sm_image_data, datas)[i];

        good &= sm_in_module(m, d->bytes, d->len) && init_sound(h, &d->offset);
    }
    return good;
}

/* ---- Layout ---------------------------------------------------------------------------------- */

static void value_of(const struct sm_wasm_inst *inst, const struct sm_image_init *init,
                     uint32_t out[2])
{
    if (init->kind == SM_INIT_GLOBAL) {
        memcpy(out, inst->globals[init->lo]->value, 8);
    } else {
        out[0] = init->kind == SM_INIT_FUNC ? inst->ref_base + init->lo + 1 : init->lo;
        out[1] = init->hi;
    }
}

static int lay_tables(struct sm_wasm_inst *inst, const struct sm_wasm_limits *limits,
                      struct sm_wasm_pool *pool)
{
    const struct sm_wasm_module *m = &inst->module;
    const struct sm_image *h = sm_image_of(m);

    for (uint32_t i = h->ntable_imports; i < h->ntables; i++) {
        const struct sm_image_table *d = &SM_IMAGE_AT(m, struct sm_image_table, tables)[i];
        struct sm_wasm_table *t = take(pool, sizeof(*t));
        uint32_t most = d->max < limits->table_entries ? d->max : limits->table_entries;
        uint32_t capacity = h->flags & SM_MODULE_GROWS_TABLES ? most : d->min;

        if (d->min > most) {
            return SM_ERR_LIMIT;
        }
        if (t == NULL || (t->entries = take(pool, (uint64_t)capacity * 4)) == NULL) {
            return SM_ERR_MEMORY;
        }
        t->size = d->min;
        t->capacity = capacity;
        t->max = d->max;
        t->type = d->type;
        t->has_max = d->has_max;
        inst->tables[i] = t;
    }
    return 0;
}

static int lay_globals(struct sm_wasm_inst *inst, struct sm_wasm_pool *pool)
{
    const struct sm_wasm_module *m = &inst->module;
    const struct sm_image *h = sm_image_of(m);
    struct sm_wasm_global *own = take(pool, (h->nglobals - h->nglobal_imports) * sizeof(*own));

    if (own == NULL) {
        return SM_ERR_MEMORY;
    }
    for (uint32_t i = h->nglobal_imports; i < h->nglobals; i++) {
        const struct sm_image_global *d = &SM_IMAGE_AT(m, struct sm_image_global, globals)[i];
        struct sm_wasm_global *g = own++;

        g->type = d->init.type;
        g->is_mutable = d->is_mutable;
        value_of(inst, &d->init, g->value);
        inst->globals[i] = g;
    }
    return 0;
}

/* Linear memory comes last in the pool and gets what is left, up to the limit: where the pool is
 * large and lazily backed, only touched pages cost anything. */
static int lay_memory(struct sm_wasm_inst *inst, const struct sm_wasm_limits *limits,
                      struct sm_wasm_pool *pool)
{
    const struct sm_image *h = sm_image_of(&inst->module);
    struct sm_wasm_memory *mem = &inst->own_memory;
    bool byte_pages = h->flags & SM_MODULE_BYTE_PAGES;
    uint64_t page = sm_page_bytes(byte_pages);
    uint64_t want = h->memory_max * page;
    uint64_t whole = h->memory_min * page;
    const struct sm_wasm_region *region = limits->region;
    uint64_t left;

    if (h->memory != 1) {
        return 0;
    }
    /* The last page may be given in part: a microcontroller has less than one. */
    if (h->memory_min > 0 && limits->memory_bytes <= whole - page) {
        return SM_ERR_LIMIT;
    }
    pool->used = (pool->used + 7) & ~(size_t)7;
    left = pool->used > pool->size ? 0 : pool->size - pool->used;
    left = region != NULL ? region->size : left;
    mem->size = whole < limits->memory_bytes ? whole : limits->memory_bytes;
    if (mem->size > left || (region != NULL && region->commit(region->ctx, mem->size) != 0)) {
        return SM_ERR_MEMORY;
    }
    mem->capacity = want < limits->memory_bytes ? want : limits->memory_bytes;
    mem->capacity = mem->capacity < left ? mem->capacity : left;
    mem->base = region != NULL ? region->base : pool->base + pool->used;
    mem->region = region;
    mem->guarded = region != NULL && region->guarded;
    mem->pages = h->memory_min;
    mem->max = h->memory_max;
    mem->has_max = h->flags & SM_MODULE_MEMORY_HAS_MAX;
    mem->byte_pages = byte_pages;
    if (region != NULL || pool->zero) {
        mem->cleared = mem->capacity;
    } else {
        memset(mem->base, 0, (size_t)mem->size);
    }
    pool->used += region != NULL ? 0 : (size_t)mem->capacity;
    return 0;
}

/* ---- Segments -------------------------------------------------------------------------------- */

static int write_elems(struct sm_wasm_inst *inst)
{
    const struct sm_wasm_module *m = &inst->module;
    const struct sm_image *h = sm_image_of(m);
    const uint32_t *entries = (const uint32_t *)(const void *)(m->image + SM_WASM_HEADER);

    for (uint32_t i = 0; i < h->nelems; i++) {
        const struct sm_image_elem *e = &SM_IMAGE_AT(m, struct sm_image_elem, elems)[i];
        struct sm_wasm_table *t;
        uint32_t at[2];

        inst->dropped[i] = e->mode != SM_SEG_PASSIVE;
        if (e->mode != SM_SEG_ACTIVE) {
            continue;
        }
        t = inst->tables[e->table];
        value_of(inst, &e->offset, at);
        if ((uint64_t)at[0] + e->count > t->size) {
            return SM_TRAP_TABLE;
        }
        for (uint32_t k = 0; k < e->count; k++) {
            t->entries[at[0] + k] = sm_elem_value(inst, entries[e->first + k]);
        }
    }
    return 0;
}

static int write_datas(struct sm_wasm_inst *inst)
{
    const struct sm_wasm_module *m = &inst->module;
    const struct sm_image *h = sm_image_of(m);

    for (uint32_t i = 0; i < h->ndatas; i++) {
        const struct sm_image_data *d = &SM_IMAGE_AT(m, struct sm_image_data, datas)[i];
        uint32_t at[2];

        inst->dropped[h->nelems + i] = d->mode != SM_SEG_PASSIVE;
        if (d->mode != SM_SEG_ACTIVE) {
            continue;
        }
        value_of(inst, &d->offset, at);
        if ((uint64_t)at[0] + d->len > inst->memory->size) {
            return SM_TRAP_MEMORY;
        }
        if (d->len > 0) {
            memcpy(inst->memory->base + at[0], m->wasm + d->bytes, d->len);
        }
    }
    return 0;
}

/* ---- The instance ---------------------------------------------------------------------------- */

static struct sm_wasm_inst *allocate(const struct sm_wasm_module *m, struct sm_wasm_pool *pool)
{
    const struct sm_image *h = sm_image_of(m);
    struct sm_wasm_inst *inst = take(pool, sizeof(*inst));

    if (inst == NULL) {
        return NULL;
    }
    inst->module = *m;
    inst->code = SM_IMAGE_AT(m, uint16_t, code);
    inst->funcs = SM_IMAGE_AT(m, struct sm_image_func, funcs);
    inst->types = SM_IMAGE_AT(m, struct sm_image_type, types);
    inst->nfuncs = h->nfuncs;
    inst->nimports = h->nfunc_imports;
    inst->memory = &inst->own_memory;
    inst->own_memory.base = pool->base; /* of size 0, but an address: len 0 at 0 is inside */
    inst->tables = take(pool, h->ntables * sizeof(*inst->tables));
    inst->globals = take(pool, h->nglobals * sizeof(*inst->globals));
    inst->imports = take(pool, h->nfunc_imports * sizeof(*inst->imports));
    inst->dropped = take(pool, h->nelems + h->ndatas);
    return inst->tables == NULL || inst->globals == NULL || inst->imports == NULL ||
                   inst->dropped == NULL
               ? NULL
               : inst;
}

int sm_wasm_instantiate(struct sm_wasm_inst **out, struct sm_wasm_store *store,
                        const struct sm_wasm_module *m, const struct sm_wasm_limits *limits,
                        const struct sm_wasm_linker *linker, struct sm_wasm_pool *pool,
                        uint32_t *which)
{
    struct sm_wasm_inst *inst;
    int err;

    *which = 0;
    if (!sound(m)) {
        return SM_ERR_CORRUPT;
    }
    inst = allocate(m, pool);
    if (inst == NULL) {
        return SM_ERR_MEMORY;
    }
    inst->store = store;
    inst->ref_base = store->next_ref;
    if ((err = link_imports(inst, linker, which)) != 0 ||
        (err = lay_tables(inst, limits, pool)) != 0 || (err = lay_globals(inst, pool)) != 0 ||
        (err = lay_memory(inst, limits, pool)) != 0) {
        return err;
    }
    /* From here on others may hold references to its functions. */
    store->next_ref += inst->nfuncs;
    inst->next = store->instances;
    store->instances = inst;
    *out = inst;
    err = write_elems(inst);
    err = err == 0 ? write_datas(inst) : err;
    *which = (uint32_t)err;
    return err == 0 ? 0 : SM_ERR_TRAP;
}

static int extern_of(struct sm_wasm_inst *inst, const struct sm_wasm_export *e,
                     struct sm_wasm_extern *out)
{
    const struct sm_image *h = sm_image_of(&inst->module);

    *out = (struct sm_wasm_extern){.kind = e->kind};
    if (e->kind == SM_WASM_FUNC && e->index < h->nfuncs) {
        out->inst = inst;
        out->func = e->index;
    } else if (e->kind == SM_WASM_TABLE && e->index < h->ntables) {
        out->table = inst->tables[e->index];
    } else if (e->kind == SM_WASM_MEMORY) {
        out->memory = inst->memory;
    } else if (e->kind == SM_WASM_GLOBAL && e->index < h->nglobals) {
        out->global = inst->globals[e->index];
    } else {
        return SM_ERR_NOT_FOUND; /* corrupted */
    }
    return 0;
}

int sm_wasm_export_extern(struct sm_wasm_inst *inst, const char *name, uint32_t name_len,
                          struct sm_wasm_extern *out)
{
    struct sm_wasm_cursor c;
    struct sm_wasm_export e;

    sm_wasm_exports(&c, &inst->module);
    while (sm_wasm_next_export(&c, &e) == 0) {
        if (e.name.len == name_len && memcmp(e.name.bytes, name, name_len) == 0) {
            return extern_of(inst, &e, out);
        }
    }
    *out = (struct sm_wasm_extern){0};
    return SM_ERR_NOT_FOUND;
}

int sm_wasm_inst_global(const struct sm_wasm_inst *inst, uint32_t index, struct sm_wasm_global *out)
{
    if (index >= sm_image_of(&inst->module)->nglobals) {
        return SM_ERR_NOT_FOUND;
    }
    *out = *inst->globals[index];
    return 0;
}

const struct sm_wasm_memory *sm_wasm_inst_memory(const struct sm_wasm_inst *inst)
{
    return inst->memory;
}

const struct sm_wasm_module *sm_wasm_inst_module(const struct sm_wasm_inst *inst)
{
    return &inst->module;
}

void sm_wasm_set_user(struct sm_wasm_inst *inst, void *user)
{
    inst->user = user;
}

void *sm_wasm_user(const struct sm_wasm_inst *inst)
{
    return inst->user;
}

void *sm_wasm_mem(struct sm_wasm_inst *inst, uint32_t addr, uint32_t len)
{
    _Static_assert(offsetof(struct sm_wasm_inst, memory) == 0, "where it is looked for");
    return sm_wasm_mem_inline(inst, addr, len);
}

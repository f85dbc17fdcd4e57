/* A whole module: sections decoded and validated in file order, functions handed to func.c one by
 * one, the image written to the sink.
 *
 * The file's order is also the order of what validation needs (types before functions, all
 * declarations before code), so one pass suffices and a function's code leaves memory as soon as
 * it is finished. Only the tables that every function refers to (struct sm_modinfo) stay in
 * scratch until the end; they follow the code in the image.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>
#include "image.h"
#include "ops.h"
#include "reader.h"

enum {
    SEC_CUSTOM,
    SEC_TYPE,
    SEC_IMPORT,
    SEC_FUNCTION,
    SEC_TABLE,
    SEC_MEMORY,
    SEC_GLOBAL,
    SEC_EXPORT,
    SEC_START,
    SEC_ELEMENT,
    SEC_CODE,
    SEC_DATA,
    SEC_DATA_COUNT
};

#define MAX_COUNT 65535u /* of anything that instructions name by index: operands are 16-bit */
#define MAX_ARITY 1000u
#define MAX_PAGES 65536u

struct tr {
    struct sm_reader r;
    struct sm_modinfo mi;
    const struct sm_wasm_sink *sink;
    uint8_t *scratch;
    size_t scratch_len, used;
    uint32_t out;             /* image bytes written */
    uint32_t nfuncs_declared; /* by the function section */
    uint32_t work;            /* steps left */
};

static void bad(struct tr *t, int err, const char *rule)
{
    sm_reader_fail(&t->r, t->r.pos, err, rule);
}

static bool ok(struct tr *t)
{
    return t->r.err == 0;
}

static void spend(struct tr *t, uint32_t steps)
{
    if (!sm_spend(&t->work, steps)) {
        bad(t, SM_ERR_LIMIT, SM_TOO_LONG);
    }
}

static void *reserve(struct tr *t, size_t bytes)
{
    size_t at = (t->used + 7) & ~(size_t)7;
    void *p = t->scratch + at;

    if (at > t->scratch_len || bytes > t->scratch_len - at) {
        bad(t, SM_ERR_MEMORY, "module too large for the translator's memory");
        return NULL;
    }
    t->used = at + bytes;
    memset(p, 0, bytes);
    return p;
}

static void put(struct tr *t, const void *bytes, uint32_t len)
{
    int err;

    if (!ok(t) || len == 0) {
        return;
    }
    err = t->sink->write(t->sink->ctx, t->out, bytes, len);
    if (err < 0) {
        bad(t, err, "the image could not be stored");
    }
    t->out += len;
}

static void put_aligned(struct tr *t, const void *bytes, uint32_t len)
{
    static const uint8_t zero[8];

    put(t, bytes, len);
    put(t, zero, -t->out & 7);
}

/* A count of things that take at least min bytes each. */
static uint32_t count(struct tr *t, uint32_t min)
{
    uint32_t n = sm_reader_u32(&t->r);

    if (ok(t) && n > (t->r.end - t->r.pos) / min) {
        bad(t, SM_ERR_MALFORMED, "unexpected end");
    } else if (n > MAX_COUNT) {
        bad(t, SM_ERR_LIMIT, "more than 65535 of one kind");
    }
    return ok(t) ? n : 0;
}

/* ---- Types ----------------------------------------------------------------------------------- */

static uint8_t value_type(struct tr *t)
{
    uint8_t v = sm_reader_byte(&t->r);

    if (ok(t) && !(v >= SM_WASM_F64 && v <= SM_WASM_I32) && v != SM_WASM_FUNCREF &&
        v != SM_WASM_EXTERNREF) {
        bad(t, SM_ERR_MALFORMED, "malformed value type");
    } else if (sm_type_left_out(v)) {
        bad(t, SM_ERR_UNSUPPORTED, SM_LEFT_OUT);
    }
    return v;
}

static uint8_t ref_type(struct tr *t)
{
    uint8_t v = sm_reader_byte(&t->r);

    if (ok(t) && v != SM_WASM_FUNCREF && v != SM_WASM_EXTERNREF) {
        bad(t, SM_ERR_MALFORMED, "malformed reference type");
    }
    return v;
}

static void type_list(struct tr *t, uint32_t *off, uint16_t *n, uint16_t *words)
{
    uint32_t len = count(t, 1), w = 0;

    if (len > MAX_ARITY) {
        bad(t, SM_ERR_LIMIT, "more than 1000 parameters or results");
        return;
    }
    *off = t->r.pos;
    *n = (uint16_t)len;
    for (; len > 0 && ok(t); len--) {
        w += sm_type_words(value_type(t));
    }
    *words = (uint16_t)w;
}

/* Types with the same lists count as one; the first stands for all. Few modules have more than a
 * hundred, so a search is cheaper than an index. */
static uint16_t canonical(struct tr *t, uint32_t i)
{
    const struct sm_image_type *types = t->mi.types, *a = &types[i];
    const uint8_t *w = t->mi.wasm;

    spend(t, i);
    for (uint32_t k = 0; k < i; k++) {
        const struct sm_image_type *b = &types[k];

        if (b->canon == k && a->nparams == b->nparams && a->nresults == b->nresults &&
            memcmp(w + a->params, w + b->params, a->nparams) == 0 &&
            memcmp(w + a->results, w + b->results, a->nresults) == 0) {
            return (uint16_t)k;
        }
    }
    return (uint16_t)i;
}

static void type_section(struct tr *t)
{
    uint32_t n = count(t, 3);
    struct sm_image_type *types = reserve(t, n * sizeof(*types));

    t->mi.types = types;
    for (uint32_t i = 0; i < n && ok(t); i++) {
        if (sm_reader_byte(&t->r) != 0x60 && ok(t)) {
            bad(t, SM_ERR_MALFORMED, "malformed function type");
        }
        type_list(t, &types[i].params, &types[i].nparams, &types[i].param_words);
        type_list(t, &types[i].results, &types[i].nresults, &types[i].result_words);
        types[i].canon = ok(t) ? canonical(t, i) : 0;
        t->mi.h.ntypes = i + 1;
    }
}

/* Which flags a kind of limits may have. Bit 1 is that of shared memories (threads), bit 2 that of
 * 64-bit ones. */
#define LIMITS_MAX       1u
#define LIMITS_PAGE_SIZE 8u

static uint8_t limits(struct tr *t, uint8_t allowed, uint32_t *min, uint32_t *max)
{
    uint8_t flags = sm_reader_byte(&t->r);

    if (flags & ~allowed) {
        bad(t, SM_ERR_MALFORMED,
            flags == 2 || flags == 3 ? "shared memories are not supported"
                                     : "malformed limits flags");
    }
    *min = sm_reader_u32(&t->r);
    *max = flags & LIMITS_MAX ? sm_reader_u32(&t->r) : 0xffffffffu;
    if (ok(t) && *max < *min) {
        bad(t, SM_ERR_INVALID, "size minimum must not be greater than maximum");
    }
    return flags;
}

static uint16_t type_index(struct tr *t)
{
    uint32_t x = sm_reader_u32(&t->r);

    if (ok(t) && x >= t->mi.h.ntypes) {
        bad(t, SM_ERR_INVALID, "unknown type");
    }
    return ok(t) ? t->mi.types[x].canon : 0;
}

static void table_type(struct tr *t, struct sm_image_table *out)
{
    out->type = ref_type(t);
    out->has_max = limits(t, LIMITS_MAX, &out->min, &out->max) & LIMITS_MAX;
}

/* The page size of the custom-page-sizes proposal, as a power of two. */
static bool byte_pages(struct tr *t)
{
    uint32_t log2 = sm_reader_u32(&t->r);

    if (ok(t) && log2 != 0 && log2 != 16) {
        bad(t, log2 > 64 ? SM_ERR_MALFORMED : SM_ERR_INVALID, "invalid custom page size");
    }
    return log2 == 0;
}

static void memory_type(struct tr *t, uint32_t kind)
{
    struct sm_image *h = &t->mi.h;
    uint8_t flags;

    if (h->memory != 0) {
        bad(t, SM_ERR_INVALID, "multiple memories");
    }
    h->memory = kind;
    flags = limits(t, LIMITS_MAX | LIMITS_PAGE_SIZE, &h->memory_min, &h->memory_max);
    h->flags |= flags & LIMITS_MAX ? SM_MODULE_MEMORY_HAS_MAX : 0;
    if (flags & LIMITS_PAGE_SIZE && byte_pages(t)) {
        h->flags |= SM_MODULE_BYTE_PAGES;
        return; /* any 32-bit number of bytes is in range */
    }
    if (!(flags & LIMITS_MAX)) {
        h->memory_max = MAX_PAGES;
    }
    if (ok(t) && (h->memory_min > MAX_PAGES || h->memory_max > MAX_PAGES)) {
        bad(t, SM_ERR_INVALID, "memory size must be at most 65536 pages (4GiB)");
    }
}

static void global_type(struct tr *t, struct sm_image_global *out)
{
    uint8_t m;

    out->init.type = value_type(t);
    m = sm_reader_byte(&t->r);
    if (m > 1) {
        bad(t, SM_ERR_MALFORMED, "malformed mutability");
    }
    out->is_mutable = m;
}

/* ---- Declarations ---------------------------------------------------------------------------- */

static void import(struct tr *t, struct sm_modinfo *mi)
{
    uint32_t len;

    sm_reader_name(&t->r, &len);
    sm_reader_name(&t->r, &len);
    switch (sm_reader_byte(&t->r)) {
    case SM_WASM_FUNC:
        mi->funcs[mi->h.nfuncs++].type = type_index(t);
        mi->h.nfunc_imports++;
        break;
    case SM_WASM_TABLE:
        table_type(t, &mi->tables[mi->h.ntables++]);
        mi->h.ntable_imports++;
        break;
    case SM_WASM_MEMORY: memory_type(t, 2); break;
    case SM_WASM_GLOBAL:
        global_type(t, &mi->globals[mi->h.nglobals++]);
        mi->h.nglobal_imports++;
        break;
    default: bad(t, SM_ERR_MALFORMED, "malformed import kind");
    }
}

static void import_section(struct tr *t)
{
    uint32_t n = count(t, 4);

    while (n-- > 0 && ok(t)) {
        import(t, &t->mi);
    }
}

/* Imports and definitions of one kind share an index space, so their table is one array. How many
 * definitions follow the imports is read ahead from the section headers. */
static uint32_t section_count(struct tr *t, uint8_t id)
{
    struct sm_reader r;

    sm_reader_init(&r, t->mi.wasm, 8, t->mi.wasm_len);
    while (r.pos < r.end && !r.err) {
        uint8_t found = sm_reader_byte(&r);
        uint32_t len = sm_reader_u32(&r), at = r.pos;

        if (sm_reader_skip(&r, len) != NULL && found == id) {
            struct sm_reader s;
            uint32_t n;

            sm_reader_init(&s, t->mi.wasm, at, at + len);
            n = sm_reader_u32(&s);
            return n > len ? 0 : n; /* nonsense is reported when the section is decoded */
        }
    }
    return 0;
}

static void reserve_tables(struct tr *t)
{
    uint32_t imports = section_count(t, SEC_IMPORT);
    uint32_t funcs = imports + section_count(t, SEC_FUNCTION);
    uint32_t tables = imports + section_count(t, SEC_TABLE);
    uint32_t globals = imports + section_count(t, SEC_GLOBAL);

    if (funcs > MAX_COUNT || tables > MAX_COUNT || globals > MAX_COUNT) {
        bad(t, SM_ERR_LIMIT, "more than 65535 of one kind");
        return;
    }
    t->mi.funcs = reserve(t, funcs * sizeof(*t->mi.funcs));
    t->mi.tables = reserve(t, tables * sizeof(*t->mi.tables));
    t->mi.globals = reserve(t, globals * sizeof(*t->mi.globals));
}

static void function_section(struct tr *t)
{
    uint32_t n = count(t, 1);

    t->nfuncs_declared = n;
    while (n-- > 0 && ok(t)) {
        t->mi.funcs[t->mi.h.nfuncs++].type = type_index(t);
    }
}

static void table_section(struct tr *t)
{
    uint32_t n = count(t, 3);

    while (n-- > 0 && ok(t)) {
        table_type(t, &t->mi.tables[t->mi.h.ntables++]);
    }
}

static void memory_section(struct tr *t)
{
    uint32_t n = count(t, 2);

    while (n-- > 0 && ok(t)) {
        memory_type(t, 1);
    }
}

/* A constant expression of the type; function references in it count as declared. */
static void init_expr(struct tr *t, uint8_t type, struct sm_image_init *out)
{
    uint8_t got = 0;
    uint32_t n = 0, at = t->r.pos;
    uint8_t opcode;

    while ((opcode = sm_reader_byte(&t->r)) != 0x0b && ok(t)) {
        uint64_t v = 0;

        n++;
        out->kind = SM_INIT_VALUE;
        switch (opcode) {
        case 0x41:
            v = (uint32_t)sm_reader_s32(&t->r);
            got = SM_WASM_I32;
            break;
        case 0x42:
            v = (uint64_t)sm_reader_s64(&t->r);
            got = SM_WASM_I64;
            break;
        case 0x43:
            v = sm_reader_fixed32(&t->r);
            got = SM_WASM_F32;
            break;
        case 0x44:
            v = sm_reader_fixed64(&t->r);
            got = SM_WASM_F64;
            break;
        case 0x23:
            v = sm_reader_u32(&t->r);
            out->kind = SM_INIT_GLOBAL;
            if (ok(t) && v >= t->mi.h.nglobal_imports) {
                bad(t, SM_ERR_INVALID, "unknown global");
            } else if (ok(t) && t->mi.globals[v].is_mutable) {
                bad(t, SM_ERR_INVALID, "constant expression required");
            } else if (ok(t)) {
                got = t->mi.globals[v].init.type;
            }
            break;
        case 0xd0: got = ref_type(t); break;
        case 0xd2:
            v = sm_reader_u32(&t->r);
            out->kind = SM_INIT_FUNC;
            got = SM_WASM_FUNCREF;
            if (ok(t) && v >= t->mi.h.nfuncs) {
                bad(t, SM_ERR_INVALID, "unknown function");
            } else if (ok(t)) {
                t->mi.funcs[v].flags |= SM_FUNC_DECLARED;
            }
            break;
        default:
            if (sm_opcode_exists(opcode)) {
                bad(t, SM_ERR_INVALID, "constant expression required");
            } else {
                bad(t, SM_ERR_MALFORMED, "illegal opcode");
            }
        }
        out->lo = (uint32_t)v;
        out->hi = (uint32_t)(v >> 32);
    }
    if (ok(t) && (n != 1 || got != type)) {
        sm_reader_fail(&t->r, at, SM_ERR_INVALID, "type mismatch");
    }
    out->type = type;
}

static void global_section(struct tr *t)
{
    uint32_t n = count(t, 3);

    while (n-- > 0 && ok(t)) {
        struct sm_image_global *g = &t->mi.globals[t->mi.h.nglobals];

        global_type(t, g);
        init_expr(t, g->init.type, &g->init);
        t->mi.h.nglobals++;
    }
}

/* ---- Exports --------------------------------------------------------------------------------- */

static uint32_t hash_name(const uint8_t *p, uint32_t len)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    while (len-- > 0) {
        h = (h ^ *p++) * 16777619u;
    }
    return h;
}

/* Names seen so far, by the offset of their length field; 0 is free. */
struct names {
    uint32_t *slots, mask;
};

static void unique_name(struct tr *t, struct names *names, uint32_t at, const uint8_t *name,
                        uint32_t len)
{
    for (uint32_t i = hash_name(name, len);; i++) {
        uint32_t *slot = &names->slots[i & names->mask];
        struct sm_reader other;
        uint32_t n;

        if (*slot == 0) {
            *slot = at;
            return;
        }
        sm_reader_init(&other, t->mi.wasm, *slot, t->mi.wasm_len);
        n = sm_reader_u32(&other);
        spend(t, 1 + (n == len ? len : 0));
        if (!ok(t)) {
            return;
        }
        if (n == len && memcmp(t->mi.wasm + other.pos, name, len) == 0) {
            bad(t, SM_ERR_INVALID, "duplicate export name");
            return;
        }
    }
}

static void export(struct tr *t, struct names *names)
{
    uint32_t at = t->r.pos, len, x;
    const uint8_t *name = sm_reader_name(&t->r, &len);
    uint8_t kind = sm_reader_byte(&t->r);

    x = sm_reader_u32(&t->r);
    if (!ok(t)) {
        return;
    }
    unique_name(t, names, at, name, len);
    if (kind == SM_WASM_FUNC && x < t->mi.h.nfuncs) {
        t->mi.funcs[x].flags |= SM_FUNC_DECLARED;
    } else if (kind == SM_WASM_FUNC) {
        bad(t, SM_ERR_INVALID, "unknown function");
    } else if (kind == SM_WASM_TABLE && x >= t->mi.h.ntables) {
        bad(t, SM_ERR_INVALID, "unknown table");
    } else if (kind == SM_WASM_MEMORY && (x > 0 || t->mi.h.memory == 0)) {
        bad(t, SM_ERR_INVALID, "unknown memory");
    } else if (kind == SM_WASM_GLOBAL && x >= t->mi.h.nglobals) {
        bad(t, SM_ERR_INVALID, "unknown global");
    } else if (kind > SM_WASM_GLOBAL) {
        bad(t, SM_ERR_MALFORMED, "malformed export kind");
    }
}

static void export_section(struct tr *t)
{
    uint32_t n = count(t, 3), size = 4;
    size_t used = t->used;
    struct names names;

    while (size < 2 * n) {
        size *= 2;
    }
    names.mask = size - 1;
    names.slots = reserve(t, size * sizeof(uint32_t));
    while (n-- > 0 && ok(t)) {
        export(t, &names);
    }
    t->used = used;
}

static void start_section(struct tr *t)
{
    uint32_t x = sm_reader_u32(&t->r);

    if (!ok(t)) {
        return;
    }
    if (x >= t->mi.h.nfuncs) {
        bad(t, SM_ERR_INVALID, "unknown function");
    } else {
        const struct sm_image_type *type = &t->mi.types[t->mi.funcs[x].type];

        if (type->nparams != 0 || type->nresults != 0) {
            bad(t, SM_ERR_INVALID, "start function");
        }
    }
    t->mi.h.start = x;
}

/* ---- Segments -------------------------------------------------------------------------------- */

static uint32_t elem_entry(struct tr *t, bool expressions, uint8_t type)
{
    struct sm_image_init init = {0};
    uint32_t x;

    if (expressions) {
        init_expr(t, type, &init);
        return init.kind == SM_INIT_FUNC     ? init.lo + 1
               : init.kind == SM_INIT_GLOBAL ? SM_ELEM_GLOBAL | init.lo
                                             : 0;
    }
    x = sm_reader_u32(&t->r);
    if (ok(t) && x >= t->mi.h.nfuncs) {
        bad(t, SM_ERR_INVALID, "unknown function");
    } else if (ok(t)) {
        t->mi.funcs[x].flags |= SM_FUNC_DECLARED;
    }
    return x + 1;
}

/* Flags (5.5.12): bit 0 passive or declared, bit 1 explicit table or declared, bit 2 expressions.
 */
static void elem(struct tr *t, struct sm_image_elem *e)
{
    uint32_t flags = sm_reader_u32(&t->r), n;

    if (flags > 7) {
        bad(t, SM_ERR_MALFORMED, "malformed elements segment kind");
        return;
    }
    e->mode = !(flags & 1) ? SM_SEG_ACTIVE : flags & 2 ? SM_SEG_DECLARED : SM_SEG_PASSIVE;
    e->type = SM_WASM_FUNCREF;
    if (e->mode == SM_SEG_ACTIVE) {
        e->table = flags & 2 ? sm_reader_u32(&t->r) : 0;
        init_expr(t, SM_WASM_I32, &e->offset);
    }
    if ((flags & 3) != 0) {
        if (flags & 4) {
            e->type = ref_type(t);
        } else if (sm_reader_byte(&t->r) != 0) {
            bad(t, SM_ERR_MALFORMED, "malformed element kind");
        }
    }
    if (e->mode == SM_SEG_ACTIVE && ok(t)) {
        if (e->table >= t->mi.h.ntables) {
            bad(t, SM_ERR_INVALID, "unknown table");
        } else if (t->mi.tables[e->table].type != e->type) {
            bad(t, SM_ERR_INVALID, "type mismatch");
        }
    }
    n = sm_reader_u32(&t->r);
    if (ok(t) && n > t->r.end - t->r.pos) {
        bad(t, SM_ERR_MALFORMED, "unexpected end");
    }
    e->first = t->mi.h.elem_entries;
    for (; e->count < n && ok(t); e->count++) {
        uint32_t entry = elem_entry(t, flags & 4, e->type);

        put(t, &entry, sizeof(entry));
        t->mi.h.elem_entries++;
    }
}

static void elem_section(struct tr *t)
{
    uint32_t n = count(t, 2);

    t->mi.elems = reserve(t, n * sizeof(*t->mi.elems));
    while (n-- > 0 && ok(t)) {
        elem(t, &t->mi.elems[t->mi.h.nelems++]);
    }
}

/* Data segments are decoded last, when the functions' memory is free again, and written as they
 * come. */
static void data_section(struct tr *t)
{
    uint32_t n = count(t, 2);

    t->mi.h.datas = t->out;
    while (t->mi.h.ndatas < n && ok(t)) {
        struct sm_image_data d = {.mode = SM_SEG_ACTIVE};
        uint32_t flags = sm_reader_u32(&t->r);

        if (flags > 2) {
            bad(t, SM_ERR_MALFORMED, "malformed data segment kind");
            return;
        }
        if (flags == 1) {
            d.mode = SM_SEG_PASSIVE;
        } else {
            uint32_t memory = flags == 2 ? sm_reader_u32(&t->r) : 0;

            if (ok(t) && (memory != 0 || t->mi.h.memory == 0)) {
                bad(t, SM_ERR_INVALID, "unknown memory");
            }
            init_expr(t, SM_WASM_I32, &d.offset);
        }
        d.len = sm_reader_u32(&t->r);
        d.bytes = t->r.pos;
        sm_reader_skip(&t->r, d.len);
        put(t, &d, sizeof(d));
        t->mi.h.ndatas++;
    }
    put_aligned(t, NULL, 0);
}

/* ---- Code ------------------------------------------------------------------------------------ */

static void code_stubs(struct tr *t)
{
    static const uint16_t stubs[SM_CODE_START] = {0, OP_EXIT, 4, OP_CROSS_RETURN};

    put_aligned(t, NULL, 0);
    t->mi.h.code = t->out;
    put(t, stubs, sizeof(stubs));
    t->mi.h.code_units = SM_CODE_START;
}

static void code(struct tr *t, uint32_t func)
{
    uint32_t size = sm_reader_u32(&t->r), at = t->r.pos;
    struct sm_func_job job = {.mi = &t->mi, .func = func, .stop = SM_NONE, .work = t->work};
    int err;

    if (sm_reader_skip(&t->r, size) == NULL || !ok(t)) {
        return;
    }
    t->used = (t->used + 7) & ~(size_t)7;
    if (t->used > t->scratch_len) {
        t->used = t->scratch_len & ~(size_t)7;
    }
    job.body = at;
    job.end = at + size;
    job.mem = t->scratch + t->used;
    job.mem_len = t->scratch_len - t->used;
    err = sm_func_translate(&job);
    t->work = job.work;
    if (err < 0) {
        sm_reader_fail(&t->r, job.diag.offset, err, job.diag.rule);
        return;
    }
    t->mi.funcs[func].code = t->mi.h.code_units;
    t->mi.funcs[func].flags |= job.far ? SM_FUNC_FAR : 0;
    t->mi.h.flags |= job.flags;
    t->mi.h.code_units += job.units;
    put(t, job.code, job.units * 2);
}

static void code_section(struct tr *t)
{
    uint32_t n = count(t, 1);

    if (ok(t) && n != t->nfuncs_declared) {
        bad(t, SM_ERR_MALFORMED, "function and code section have inconsistent lengths");
        return;
    }
    for (uint32_t i = 0; i < n && ok(t); i++) {
        code(t, t->mi.h.nfunc_imports + i);
    }
}

/* ---- The module ------------------------------------------------------------------------------ */

static void custom_section(struct tr *t)
{
    uint32_t len;
    const uint8_t *name = sm_reader_name(&t->r, &len);

    if (ok(t) && len == 4 && memcmp(name, "name", 4) == 0) {
        t->mi.h.name_section = t->r.pos;
        t->mi.h.name_end = t->r.end;
    }
    t->r.pos = ok(t) ? t->r.end : t->r.pos;
}

static void section(struct tr *t, uint8_t id)
{
    switch (id) {
    case SEC_CUSTOM: custom_section(t); break;
    case SEC_TYPE: type_section(t); break;
    case SEC_IMPORT:
        t->mi.h.import_section = t->r.pos;
        import_section(t);
        break;
    case SEC_FUNCTION: function_section(t); break;
    case SEC_TABLE: table_section(t); break;
    case SEC_MEMORY: memory_section(t); break;
    case SEC_GLOBAL: global_section(t); break;
    case SEC_EXPORT:
        t->mi.h.export_section = t->r.pos;
        export_section(t);
        break;
    case SEC_START: start_section(t); break;
    case SEC_ELEMENT: elem_section(t); break;
    case SEC_CODE:
        t->mi.h.code_section = t->r.pos;
        code_section(t);
        break;
    case SEC_DATA: data_section(t); break;
    case SEC_DATA_COUNT: t->mi.data_count = sm_reader_u32(&t->r); break;
    }
}

/* Position of each section in the prescribed order; custom sections may stand anywhere. */
static const uint8_t section_rank[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 10};

static void sections(struct tr *t)
{
    uint8_t rank = 0;
    uint32_t file_end = t->r.end;
    bool code_done = false;

    while (t->r.pos < file_end && ok(t)) {
        uint32_t at = t->r.pos;
        uint8_t id = sm_reader_byte(&t->r);
        uint32_t len = sm_reader_u32(&t->r);

        if (ok(t) && len > file_end - t->r.pos) {
            bad(t, SM_ERR_MALFORMED, "length out of bounds");
        }
        if (ok(t) && id > SEC_DATA_COUNT) {
            sm_reader_fail(&t->r, at, SM_ERR_MALFORMED, "malformed section id");
        } else if (ok(t) && id != SEC_CUSTOM) {
            if (section_rank[id] <= rank) {
                sm_reader_fail(&t->r, at, SM_ERR_MALFORMED,
                               "unexpected content after last section");
            }
            rank = section_rank[id];
        }
        if (!ok(t)) {
            return;
        }
        if (rank >= section_rank[SEC_CODE] && !code_done) {
            code_stubs(t);
            code_done = true;
        }
        if (id == SEC_DATA) { /* code has ended: the tables' place follows it */
            put_aligned(t, NULL, 0);
        }
        t->r.end = t->r.pos + len;
        section(t, id);
        if (ok(t) && t->r.pos != t->r.end) {
            bad(t, SM_ERR_MALFORMED, "section size mismatch");
        }
        if (ok(t)) {
            t->r.end = file_end;
        }
    }
    if (!code_done) {
        code_stubs(t);
    }
    if (ok(t) && t->nfuncs_declared != 0 && t->mi.h.code_section == 0) {
        bad(t, SM_ERR_MALFORMED, "function and code section have inconsistent lengths");
    }
    if (ok(t) && t->mi.data_count != SM_NONE && t->mi.data_count != t->mi.h.ndatas) {
        bad(t, SM_ERR_MALFORMED, "data count and data section have inconsistent lengths");
    }
}

static void tables(struct tr *t)
{
    struct sm_image *h = &t->mi.h;

    put_aligned(t, NULL, 0);
    h->types = t->out;
    put_aligned(t, t->mi.types, h->ntypes * (uint32_t)sizeof(*t->mi.types));
    h->funcs = t->out;
    put_aligned(t, t->mi.funcs, h->nfuncs * (uint32_t)sizeof(*t->mi.funcs));
    h->globals = t->out;
    put_aligned(t, t->mi.globals, h->nglobals * (uint32_t)sizeof(*t->mi.globals));
    h->tables = t->out;
    put_aligned(t, t->mi.tables, h->ntables * (uint32_t)sizeof(*t->mi.tables));
    h->elems = t->out;
    put_aligned(t, t->mi.elems, h->nelems * (uint32_t)sizeof(*t->mi.elems));
}

static void header(struct tr *t)
{
    struct sm_image *h = &t->mi.h;
    int err;

    h->magic = SM_IMAGE_MAGIC;
    h->build = SM_WASM_BUILD;
    h->size = t->out;
    h->wasm_len = t->mi.wasm_len;
    if (!ok(t)) {
        return;
    }
    err = t->sink->write(t->sink->ctx, 0, h, sizeof(*h));
    if (err < 0) {
        bad(t, err, "the image could not be stored");
    }
}

int64_t sm_wasm_translate(const uint8_t *wasm, size_t len, const struct sm_wasm_sink *sink,
                          void *scratch, size_t scratch_len, struct sm_wasm_diag *diag)
{
    static const uint8_t magic[4] = {0, 'a', 's', 'm'}, version[4] = {1, 0, 0, 0};
    struct tr t = {.sink = sink,
                   .scratch = scratch,
                   .scratch_len = scratch_len,
                   .out = SM_WASM_HEADER,
                   .mi = {.wasm = wasm, .data_count = SM_NONE, .h = {.start = SM_NONE}}};
    const uint8_t *p;

    sm_reader_init(&t.r, wasm, 0, len > 0x7fffffff ? 0 : (uint32_t)len);
    t.mi.wasm_len = t.r.end;
    t.work = t.r.end < (0xffffffff - SM_STEPS_FREE) / SM_STEPS_PER_BYTE
                 ? SM_STEPS_FREE + t.r.end * SM_STEPS_PER_BYTE
                 : 0xffffffff;
    if (len > 0x7fffffff) {
        bad(&t, SM_ERR_LIMIT, "module of 2 GiB or more");
    }
    p = sm_reader_skip(&t.r, 4);
    if (p != NULL && memcmp(p, magic, 4) != 0) {
        sm_reader_fail(&t.r, 0, SM_ERR_MALFORMED, "magic header not detected");
    }
    p = sm_reader_skip(&t.r, 4);
    if (p != NULL && memcmp(p, version, 4) != 0) {
        sm_reader_fail(&t.r, 4, SM_ERR_MALFORMED, "unknown binary version");
    }
    if (ok(&t)) {
        reserve_tables(&t);
    }
    sections(&t);
    tables(&t);
    header(&t);
    if (diag != NULL) {
        *diag =
            (struct sm_wasm_diag){.offset = t.r.err_pos, .rule = t.r.rule != NULL ? t.r.rule : ""};
    }
    return t.r.err != 0 ? t.r.err : (int64_t)t.out;
}

static int keep_nothing(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    (void)ctx, (void)off, (void)bytes, (void)len;
    return 0;
}

int64_t sm_wasm_scratch_needed(const uint8_t *wasm, size_t len, void *scratch, size_t scratch_len,
                               struct sm_wasm_diag *diag)
{
    const struct sm_wasm_sink sink = {.write = keep_nothing};
    size_t low = 0, high = scratch_len; /* low is too little, high is enough */
    int64_t err = sm_wasm_translate(wasm, len, &sink, scratch, high, diag);

    if (err < 0) {
        return err;
    }
    while (high - low > 8) {
        size_t mid = low + (high - low) / 2;

        if (sm_wasm_translate(wasm, len, &sink, scratch, mid, NULL) < 0) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return (int64_t)((high + 7) & ~(size_t)7);
}

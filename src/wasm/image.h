/* The image: what the translator writes and the interpreter runs, byte for byte.
 *
 *   offset 0      struct sm_image (the header)
 *   128           element entries, then code, then the tables, each where the header says
 *
 * What may be relied on: sm_wasm_open() has checked that the tables lie inside the image and that
 * the header agrees with itself; sm_wasm_instantiate() checks every index and offset that it and
 * the queries follow. So arbitrary bytes can be opened, listed and instantiated. Code is run as it
 * is: whoever starts an image vouches for it, by a hash.
 *
 * Pointer-free, little-endian, aligned to 8: it executes from flash or a read-only mapping at any
 * address. Names and data stay in the module's bytes and are referred to by offset. Instructions
 * are 16-bit units; a function's first is OP_ENTER. The code starts with two stubs that returns
 * may aim at (SM_STUB_*), so that returning needs no test for the outermost frame.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_IMAGE_H
#define SM_WASM_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sandmote/wasm.h>

#define SM_IMAGE_MAGIC 0x49574d53u /* "SMWI" */
#define SM_NONE        0xffffffffu

/* Code offsets in 16-bit units. The unit before a return address is the distance from the
 * caller's frame to the callee's; the stubs have theirs. */
#define SM_STUB_EXIT  1u /* the host's call ends */
#define SM_STUB_CROSS 3u /* back into another instance */
#define SM_CODE_START 4u

struct sm_image_type {
    uint32_t params, results; /* offsets of the type codes in the module's bytes */
    uint16_t nparams, nresults;
    uint16_t param_words, result_words;
    uint16_t canon; /* the first type equal to this one */
    uint16_t pad;
};

#define SM_FUNC_DECLARED 1u /* occurs outside function bodies: ref.func may name it */
#define SM_FUNC_FAR      2u /* translated with 32-bit branches */
struct sm_image_func {
    uint32_t code; /* offset in 16-bit units; 0 for an import */
    uint16_t type; /* canonical */
    uint16_t flags;
};

enum { SM_INIT_VALUE, SM_INIT_GLOBAL, SM_INIT_FUNC };
struct sm_image_init { /* a constant expression */
    uint32_t lo, hi;   /* the value's words, or the index */
    uint8_t kind;
    uint8_t type;
    uint8_t pad[2];
};

struct sm_image_global {
    struct sm_image_init init; /* type is the global's; unused for imports */
    uint8_t is_mutable, pad[3];
};

struct sm_image_table {
    uint32_t min, max;
    uint8_t type, has_max, pad[2];
};

enum { SM_SEG_ACTIVE, SM_SEG_PASSIVE, SM_SEG_DECLARED };
struct sm_image_elem {
    uint32_t first, count; /* in the element entries */
    struct sm_image_init offset;
    uint32_t table;
    uint8_t mode, type, pad[2];
};
/* Element entries are words: 0 null, function index + 1, or SM_ELEM_GLOBAL | global index. */
#define SM_ELEM_GLOBAL 0x80000000u

struct sm_image_data {
    uint32_t bytes, len; /* in the module's bytes */
    struct sm_image_init offset;
    uint8_t mode, pad[3];
};

#define SM_MODULE_MEMORY_HAS_MAX 1u
#define SM_MODULE_BYTE_PAGES     2u /* the memory's pages have one byte */
#define SM_MODULE_ASKS_MEMORY    4u /* memory.size or memory.grow occurs */
#define SM_MODULE_GROWS_TABLES   8u /* table.grow occurs */
struct sm_image {                   /* offsets in bytes from the image's start */
    uint32_t magic, build;
    uint32_t size;
    uint32_t wasm_len; /* of the module; the boot record binds the two by their hashes */
    uint32_t code, code_units;
    uint32_t types, ntypes;
    uint32_t funcs, nfuncs, nfunc_imports;
    uint32_t globals, nglobals, nglobal_imports;
    uint32_t tables, ntables, ntable_imports;
    uint32_t elems, nelems, elem_entries;
    uint32_t datas, ndatas;
    uint32_t memory; /* 0 none, 1 own, 2 imported */
    uint32_t memory_min, memory_max;
    uint32_t start; /* function index or SM_NONE */
    uint32_t import_section, export_section, code_section, name_section; /* payload, 0 none */
    uint32_t flags;                                                      /* SM_MODULE_... */
    uint32_t name_end;                                                   /* of the name section */
};
_Static_assert(sizeof(struct sm_image) == SM_WASM_HEADER,
               "the header's size is part of the format");

/* A module being translated, or one being run: the same tables, in scratch or in the image. */
struct sm_modinfo {
    const uint8_t *wasm;
    uint32_t wasm_len;
    struct sm_image h; /* counts and section offsets; table offsets only once they are written */
    struct sm_image_type *types;
    struct sm_image_func *funcs;
    struct sm_image_global *globals;
    struct sm_image_table *tables;
    struct sm_image_elem *elems;
    uint32_t data_count; /* of the data count section, SM_NONE without one */
};

static inline unsigned sm_type_words(uint8_t type)
{
    return type == SM_WASM_I64 || type == SM_WASM_F64 ? 2 : 1;
}

static inline uint32_t sm_page_bytes(bool byte_pages)
{
    return byte_pages ? 1 : SM_WASM_PAGE;
}

/* A value type that this engine was built without, and what is said about it. */
static inline bool sm_type_left_out(uint8_t type)
{
    return !SM_FLOATS && (type == SM_WASM_F32 || type == SM_WASM_F64);
}
#define SM_LEFT_OUT "floating point is not built in"

static inline const struct sm_image *sm_image_of(const struct sm_wasm_module *m)
{
    return (const struct sm_image *)(const void *)m->image;
}

#define SM_IMAGE_AT(m, type, member)                                                               \
    ((const type *)(const void *)((m)->image + sm_image_of(m)->member))

static inline bool sm_in_module(const struct sm_wasm_module *m, uint32_t off, uint32_t len)
{
    return off <= m->wasm_len && len <= m->wasm_len - off;
}

/* query.c: a function's type, its lists inside the module; NULL when there is none. */
const struct sm_image_type *sm_image_type_of(const struct sm_wasm_module *m, uint32_t func);

/* Work that grows with more than the module's bytes (a long type list used over and over, names and
 * types compared with each other, locals of a short function) is counted in steps, and a module
 * pays for it with its bytes. Compilers' modules use less than 0.1 steps a byte, fuzzers' up to 6.
 */
#define SM_STEPS_PER_BYTE 32u
#define SM_STEPS_FREE     1000000u
#define SM_TOO_LONG       "takes too long to translate"

static inline bool sm_spend(uint32_t *work, uint32_t steps)
{
    bool enough = steps <= *work;

    *work = enough ? *work - steps : 0;
    return enough;
}

/* func.c: validate one function body and translate it.
 *
 * body..end is the body without its size. mem..mem+len is scratch. Code is left at the scratch's
 * start, *units long; with stop not SM_NONE the work ends at the instruction whose translation
 * covers that unit, and *where is its offset in the module. Errors as sm_wasm_translate(). */
struct sm_func_job {
    const struct sm_modinfo *mi;
    uint32_t func; /* index */
    uint32_t body, end;
    uint8_t *mem;
    size_t mem_len;
    uint32_t stop;
    uint32_t work;  /* in: steps that may be spent; out: what is left */
    bool far;       /* in: 32-bit branches from the start; out: they were needed */
    uint16_t *code; /* out */
    uint32_t units, where;
    uint32_t flags; /* out: SM_MODULE_... of what occurs in the body */
    struct sm_wasm_diag diag;
};
int sm_func_translate(struct sm_func_job *job);

#endif

/* The generator of C: what its files share.
 *
 *   op.c     the operators of a function body, one after the other
 *   scan.c   what must be known of all functions before any is written: who calls whom, where
 *            checks of epoch and stack must stand
 *   body.c   one function
 *   gen.c    the file
 *   frames.c how much stack its functions need
 *   build.c  the compiler, and the image
 *
 * Modules come validated and opened (sm_wasm_translate, sm_wasm_open), so nothing here checks
 * types. Memory is the C library's; running out of it ends the program.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_AOT_GEN_H
#define SM_AOT_GEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "../wasm/inst.h"
#include "../wasm/ops.h"
#include "../wasm/reader.h"
#include "aot.h"

struct op {
    uint32_t at;   /* offset in the module */
    uint16_t code; /* 0xfc00 | n for the prefixed ones */
    uint32_t a, b; /* immediates: index, alignment and offset, counts */
    int64_t type;  /* of a block: -64 none, another negative one result, else a type's index */
    uint64_t bits; /* of a constant; i32 in its low half */
};
/* The next operator; br_table's targets are left for the caller, op->a + 1 of them. */
void op_read(struct sm_reader *r, struct op *op);
/* As op_read, targets skipped. */
void op_skip(struct sm_reader *r, struct op *op);

/* One function of the module. */
struct func_info {
    uint32_t body, end; /* of its operators; locals declared before */
    uint32_t ops;
    uint32_t *calls, ncalls; /* callees, of the module itself, each call */
    bool loops, indirect, import, grow;
    bool escapes;    /* can be called from outside or through a table */
    bool recursive;  /* on a cycle of direct calls */
    bool checked;    /* looks at epoch and stack when it is entered */
    bool may_grow;   /* the memory may have grown when it returns */
    uint32_t levels; /* times it is written: only the first of so many nested calls looks */
    uint32_t
        weight; /* operators between its entry and its first look at the epoch, or its return */
};

struct gen {
    const struct aot_options *options;
    const struct sm_wasm_module *m;
    const struct sm_image *h;
    const struct sm_image_type *types;
    const struct sm_image_func *funcs;
    const struct sm_image_global *globals;
    struct func_info *info;
    FILE *out;
    uint32_t min_memory; /* bytes that accesses count on */
    bool fixed;          /* the module never grows its memory */
    uint32_t many_words;
    uint32_t *accesses, naccesses; /* offsets of loads and stores, ascending */
    bool *indirect_types;          /* those that need a slow way through a table */
    uint32_t indirect_weight;      /* of what a table may hold */
};

/* Operators that run between two looks at the epoch, at most: with what C makes of each, and what
 * may come from a caller and a callee, below 10,000 instructions. */
#define AOT_STRAIGHT 600u

/* gen.c: everything that is known before writing; the file; the end. */
void aot_open(struct gen *g, const struct sm_wasm_module *m, const struct aot_options *options);
void aot_write(struct gen *g, FILE *out);
void aot_close(struct gen *g);
void aot_scan(struct gen *g);
/* frames.c: stack that must be free where a function looks; dir ends in a slash. 0 or SM_ERR_IO. */
int aot_frames(struct gen *g, const char *dir, uint32_t *stack_bytes, uint32_t *frame_bytes);
void aot_body(struct gen *g, uint32_t func, uint32_t level);
void aot_signature(struct gen *g, FILE *out, uint32_t func, uint32_t level);

static inline char aot_letter(uint8_t type)
{
    return type == SM_WASM_I64 ? 'l' : type == SM_WASM_F32 ? 'f' : type == SM_WASM_F64 ? 'd' : 'i';
}
static inline const char *aot_c_type(uint8_t type)
{
    return type == SM_WASM_I64   ? "uint64_t"
           : type == SM_WASM_F32 ? "float"
           : type == SM_WASM_F64 ? "double"
                                 : "uint32_t";
}
static inline const char *aot_result_type(const struct gen *g, const struct sm_image_type *t)
{
    return t->nresults == 1 ? aot_c_type(g->m->wasm[t->results]) : "void";
}
/* A place for a value among words: the C type that reads it there. */
static inline const char *aot_word_type(uint8_t type)
{
    return type == SM_WASM_I64   ? "word64"
           : type == SM_WASM_F32 ? "wordf"
           : type == SM_WASM_F64 ? "wordd"
                                 : "word";
}
/* Zeroed; grown; a stream into memory. */
void *aot_alloc(size_t n, size_t size);
void *aot_realloc(void *p, size_t size);
FILE *aot_stream(char **text, size_t *len);

#endif

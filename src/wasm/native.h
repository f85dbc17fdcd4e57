/* Native images as the engine sees them: the header's bytes, the state of a bound instance, and the
 * frames that native calls leave on the value stack.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_NATIVE_H
#define SM_WASM_NATIVE_H

#include <sandmote/native.h>
#include "inst.h"
#include "native_abi.h"

#define SM_NATIVE_MAGIC  0x494e4d53u /* "SMNI" */
#define SM_NATIVE_HEADER 152u

struct sm_native_header { /* offsets in bytes; those of the code's insides from the code's start */
    uint32_t magic, format;
    uint32_t size, target, flags;
    uint32_t layout; /* SM_NATIVE_LAYOUT of the compiler that made the code */
    uint32_t wasm_len;
    uint32_t module_sha256[8];
    uint32_t code, code_len;
    uint32_t enter, resume, leave;
    uint32_t funcs, nfuncs; /* a table of struct sm_native_func */
    uint32_t thunks, ntypes;
    uint32_t map, nmap; /* a table of struct sm_native_place, outside the code */
    uint32_t stack_bytes, min_memory, many_words;
    uint32_t frame_bytes; /* of the largest frame */
    uint32_t sha256[8];   /* of all bytes but these; for who has no claim to check (src/aot) */
};
_Static_assert(sizeof(struct sm_native_header) == SM_NATIVE_HEADER, "part of the format");

struct sm_native_func {
    int32_t code; /* from the table's start; 0 when nobody outside can call it */
    uint32_t type;
};
#define SM_NATIVE_IMPORT 0x10000u /* in type: no function of the image */

struct sm_native_place { /* ascending code: where instructions that may fault come from */
    uint32_t code, offset;
};

enum { SM_CALLER_HOST, SM_CALLER_INTERPRETER, SM_CALLER_NATIVE };

/* One entry into native code. Lies on the value stack, above the frames of that code; the
 * interpreter's frames grow towards them from the other end. */
struct sm_native_frame {
    struct sm_native_frame *outer;
    struct sm_wasm_inst *inst;
    uint32_t *args;  /* parameters' and results' words, with the caller */
    uint32_t *floor; /* below lie the interpreter's frames in use */
    void *limit;     /* for the stack pointer */
    uint8_t caller;
    const uint16_t *pc; /* where an interpreted caller goes on */
    uint32_t *fp;
    struct sm_wasm_inst *from;
    /* While it does not run. */
    void *sp;
    uint32_t offset;  /* in the module */
    uint32_t *callee; /* words of an interpreted function that it calls */
    uint32_t callee_words;
};

struct sm_native_inst { /* lies in the state that the host gave */
    int (*run)(struct sm_wasm_exec *x);
    const uint8_t *code;
    const struct sm_native_header *header;
    const struct sm_bound_func *cross; /* the import of another instance that was called */
    struct sm_native_ctx ctx;
};

/* Whether calls from outside find a way in; a function that only the image's own code calls has
 * none. */
static inline bool sm_native_has_entry(const struct sm_native_inst *b, uint32_t func)
{
    return ((const struct sm_native_func *)b->ctx.funcs)[func].code != 0;
}

/* run.c: interpret from where x stands. As sm_wasm_run(), or SM_RUN_NATIVE: x->to is to be called.
 */
#define SM_RUN_NATIVE 2
int sm_interpret(struct sm_wasm_exec *x);

#endif

/* The WebAssembly engine: a module's bytes -> a pointer-free image -> an instance that runs.
 *
 * Life of a module:
 *   sm_wasm_translate()    once, at install: decode, validate, translate; the image goes to a sink
 *   sm_wasm_open()         at each start: image + module bytes, both read in place, never written
 *   sm_wasm_instantiate()  link imports, lay out memory, table, globals in the caller's pool
 *   sm_wasm_call(), then sm_wasm_run(); sm_wasm_complete() after a host call that took long,
 *   sm_wasm_resume() after a deadline   run an exported function
 *
 * The language is WebAssembly 2.0 without SIMD (W3C core specification, 2.0, 2022-04-19), with the
 * custom-page-sizes proposal: a memory's pages have 65536 bytes or 1.
 * The engine allocates nothing, knows no clock and never recurses on the C stack on behalf of a
 * module. Whoever starts an image vouches for its bytes: an image is only as good as its
 * translation, so the device hashes module and image before every sm_wasm_open().
 *
 * Words: values live in 32-bit words. i32, f32, funcref and externref take one, i64 and f64 two,
 * low word first. A reference is 0 for null, otherwise an opaque number that is valid within one
 * store.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_WASM_H
#define SANDMOTE_WASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/config.h>
#include <sandmote/error.h>
#include <sandmote/kept.h>

#define SM_WASM_PAGE 65536u

/* The binary format's own codes (specification 5.3). */
enum sm_wasm_type {
    SM_WASM_I32 = 0x7f,
    SM_WASM_I64 = 0x7e,
    SM_WASM_F32 = 0x7d,
    SM_WASM_F64 = 0x7c,
    SM_WASM_FUNCREF = 0x70,
    SM_WASM_EXTERNREF = 0x6f
};

enum sm_wasm_kind { SM_WASM_FUNC = 0, SM_WASM_TABLE = 1, SM_WASM_MEMORY = 2, SM_WASM_GLOBAL = 3 };

/* ---- Install: translate ---------------------------------------------------------------------- */

/* Where and why a module was refused. `rule` is a constant English phrase, the specification's
 * own wording where it has one ("type mismatch", "unknown local"). */
struct sm_wasm_diag {
    uint32_t offset; /* in the module's bytes */
    const char *rule;
};

/* Receives the image. Writes come in ascending order without gaps from SM_WASM_HEADER on; the last
 * one is the header, at offset 0 and SM_WASM_HEADER bytes long. Returns 0 or a negative sm_err,
 * which ends the translation. */
struct sm_wasm_sink {
    void *ctx;
    int (*write)(void *ctx, uint32_t off, const void *bytes, uint32_t len);
};
#define SM_WASM_HEADER 128u

/* Decode, validate and translate a whole module.
 *
 * scratch is working memory, aligned to 8 bytes: the module's types, functions, globals, tables and
 * element segments (20, 8, 16, 12 and 32 bytes each), then the largest function: 8 bytes a local,
 * its image code, 12 bytes for each operand on its stack and 36 for each open block. For compilers'
 * code that is seldom more than eight times the function's bytes, but a call or block of many
 * results can take a thousand operands in two bytes: sm_wasm_scratch_needed() tells. diag may be
 * NULL.
 *
 * The image's length in bytes, or
 *   SM_ERR_MALFORMED, SM_ERR_INVALID  not a module; diag says where and why
 *   SM_ERR_LIMIT                      beyond an implementation limit; diag says which. One of them
 *                                     bounds the time: about 32 steps for each byte of the module
 *   SM_ERR_MEMORY                     scratch too small for the function that diag points at
 *   what the sink returned
 * On an error the sink has seen no header, so what it holds does not open as an image. */
int64_t sm_wasm_translate(const uint8_t *wasm, size_t len, const struct sm_wasm_sink *sink,
                          void *scratch, size_t scratch_len, struct sm_wasm_diag *diag);

/* The least scratch with which sm_wasm_translate() takes this module, to within 8 bytes, found by
 * trying: some twenty translations, for tools. scratch_len is the most to try. Errors as there. */
int64_t sm_wasm_scratch_needed(const uint8_t *wasm, size_t len, void *scratch, size_t scratch_len,
                               struct sm_wasm_diag *diag);

/* Changes with every change of the image format or of the translator, and with config.h. */
#define SM_WASM_BUILD                                                                              \
    (13u + (SM_FLOATS ? 0u : 0x10000u) + (SM_FUSED ? 0u : 0x20000u) +                              \
     (SM_DOUBLE_PAIRS ? 0u : 0x40000u) + (SM_ACCUMULATOR ? 0x80000u : 0u))

/* ---- Start: open and instantiate ------------------------------------------------------------- */

/* A module and its image, both borrowed for as long as any instance lives. Fields are private. */
struct sm_wasm_module {
    const uint8_t *wasm;
    const uint8_t *image;
    uint32_t wasm_len, image_len;
};

/* Join an image with the module it was made from. image must be aligned to 8 bytes.
 *
 * With arbitrary bytes as image and module, this and everything up to and including
 * sm_wasm_instantiate() stays inside both and ends; names are valid UTF-8 only when the bytes are
 * those that were translated. Calling a function runs the image's code, which nobody checks.
 *
 * 0, or
 *   SM_ERR_ARG          not aligned
 *   SM_ERR_UNSUPPORTED  made by another engine build: translate again
 *   SM_ERR_CORRUPT      not an image, or not of this module */
int sm_wasm_open(struct sm_wasm_module *m, const void *image, size_t image_len, const uint8_t *wasm,
                 size_t wasm_len);

/* A name in the module's bytes: not terminated, valid UTF-8. */
struct sm_wasm_name {
    const char *bytes;
    uint32_t len;
};

/* Whether a name is this text. */
bool sm_wasm_name_is(const struct sm_wasm_name *name, const char *text);

/* How many bytes from the first on are UTF-8 (Unicode 15, table 3-7): len when all of them are. */
uint32_t sm_wasm_utf8(const uint8_t *bytes, uint32_t len);

/* Imports and exports in order of index, for tools and for access control before execution. */
struct sm_wasm_import {
    struct sm_wasm_name module, field;
    enum sm_wasm_kind kind;
};
struct sm_wasm_export {
    struct sm_wasm_name name;
    enum sm_wasm_kind kind;
    uint32_t index;
};
/* A walk through them. Fields are private; the module outlives it. */
struct sm_wasm_cursor {
    const struct sm_wasm_module *module;
    uint32_t pos, left;
};
void sm_wasm_imports(struct sm_wasm_cursor *c, const struct sm_wasm_module *m);
void sm_wasm_exports(struct sm_wasm_cursor *c, const struct sm_wasm_module *m);
/* The next one: 0, or SM_ERR_NOT_FOUND past the last. */
int sm_wasm_next_import(struct sm_wasm_cursor *c, struct sm_wasm_import *out);
int sm_wasm_next_export(struct sm_wasm_cursor *c, struct sm_wasm_export *out);
/* The export of that name and kind, or SM_ERR_NOT_FOUND. */
int sm_wasm_export_find(const struct sm_wasm_module *m, const char *name, enum sm_wasm_kind kind,
                        uint32_t *index);

/* Whether instances have a start function to be run first: sm_wasm_call_start(). */
bool sm_wasm_has_start(const struct sm_wasm_module *m);

/* A function type: pointers to value type codes in the module's bytes. */
struct sm_wasm_functype {
    const uint8_t *params, *results;
    uint32_t nparams, nresults;
};
int sm_wasm_functype(const struct sm_wasm_module *m, uint32_t func, struct sm_wasm_functype *out);

/* The memory that a module declares or imports, and what its bytes tell about the use of it. */
struct sm_wasm_memory_type {
    uint32_t min, max;   /* pages; without a maximum the most that there can be */
    uint32_t page_bytes; /* SM_WASM_PAGE, or 1 (custom-page-sizes proposal) */
    bool has_max;
    bool asks;         /* memory.size or memory.grow occurs in its code */
    uint64_t data_end; /* bytes up to the highest end of active data segments at constant places */
};
/* 0, or SM_ERR_NOT_FOUND when the module has no memory; *out is all zero then. */
int sm_wasm_memory_type(const struct sm_wasm_module *m, struct sm_wasm_memory_type *out);

/* The pool of one instance: everything it needs comes from here, nothing is given back singly.
 * Instances are cleared before use, linear memory included, which takes time with its size; a pool
 * that says that all its bytes from `used` on are zero already (fresh pages of an operating system)
 * saves that. */
struct sm_wasm_pool {
    uint8_t *base; /* aligned to 8 bytes */
    size_t size, used;
    bool zero;
};

/* Set by the host before the first instruction; the module's declaration can only lower them.
 *
 * memory_bytes may end inside the last page that the module declares: these bytes and no more are
 * taken from the pool, an access beyond them traps, memory.size goes on telling the declared pages
 * and memory.grow gives -1, since a page that is grown is a whole one.
 *
 * A table gets its declared minimum; or, in a module with a table.grow, what it may grow to.
 * Another instance cannot grow a table whose own module never does: table.grow gives -1 there. */
struct sm_wasm_limits {
    uint64_t memory_bytes;  /* linear memory: what may be touched, also after memory.grow */
    uint32_t table_entries; /* of each table */
    const struct sm_wasm_region
        *region; /* where the instance's own memory lies; NULL: in the pool */
};

/* Address space for one linear memory, outside the pool; outlives the instance. commit makes the
 * first bytes of it readable and writable (they read zero); 0 or a negative sm_err, which a
 * memory.grow answers with -1. */
struct sm_wasm_region {
    uint8_t *base; /* aligned to 8 bytes */
    uint64_t size;
    bool guarded; /* 8 GiB and an OS page from base on fault where nothing is committed, and commits
                   * are exact for multiples of 4096 bytes */
    int (*commit)(void *ctx, uint64_t bytes);
    void *ctx;
};

struct sm_wasm_inst;
struct sm_wasm_exec;

/* A host function. args holds the parameters' words and takes the results' words (results start at
 * args[0] too). Room is the larger of both. Memory of the caller is reached with
 * sm_wasm_mem(). Returns
 *   0                 results are in args
 *   SM_WASM_PENDING   they come later: sm_wasm_complete(); args must not be touched after
 *   a negative value  the module traps with SM_TRAP_HOST and this as detail */
typedef int sm_wasm_host_fn(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
#define SM_WASM_PENDING 1

/* Without a maximum max is the most that there can be; importing asks for has_max too. */
struct sm_wasm_table {
    uint32_t *entries;
    uint32_t size, capacity, max;
    uint8_t type;
    bool has_max;
};
struct sm_wasm_memory {
    uint8_t *base;
    uint64_t size;     /* bytes that may be accessed */
    uint64_t capacity; /* bytes set aside in the pool */
    uint64_t cleared;  /* a growth under way has cleared up to here */
    uint32_t pages, max;
    const struct sm_wasm_region *region; /* NULL in the pool */
    bool guarded; /* the region's; bytes may be accessed up to size exactly */
    bool has_max;
    bool byte_pages; /* a page is one byte */
};
struct sm_wasm_global {
    uint32_t value[2];
    uint8_t type, is_mutable;
};
/* The first value of a global. 0; SM_ERR_NOT_FOUND past the last; SM_ERR_STATE when it is known
 * only at the start: an import, another global's value, a reference. */
int sm_wasm_global_init(const struct sm_wasm_module *m, uint32_t index, struct sm_wasm_global *out);

/* What an import is bound to: of the import's kind. A function is either a host function with its
 * type as text (parameters, ':', results; i I f F r x for i32 i64 f32 f64 funcref externref, for
 * example "iI:f"), or one of another instance. One of type "iii:i" may have answers kept ready
 * (kept.h), by a clock: both borrowed for the instance's life. */
struct sm_wasm_extern {
    enum sm_wasm_kind kind;
    sm_wasm_host_fn *host;
    void *host_ctx;
    const char *host_type;
    const struct sm_kept *kept;          /* SM_KEPT of them */
    const volatile uint64_t *kept_clock; /* NULL: nothing is kept */
    struct sm_wasm_inst *inst;           /* of func */
    uint32_t func;
    struct sm_wasm_table *table;
    struct sm_wasm_memory *memory;
    struct sm_wasm_global *global;
};

/* Finds what an import names; 0, or SM_ERR_NOT_FOUND (missing) or SM_ERR_DENIED (not granted). */
struct sm_wasm_linker {
    void *ctx;
    int (*resolve)(void *ctx, const struct sm_wasm_import *import, struct sm_wasm_extern *out);
};

/* Instances that can share tables, memories and functions. Zero it before the first use.
 * Single-module hosts use one store for each module. */
struct sm_wasm_store {
    struct sm_wasm_inst *instances;
    uint32_t next_ref;
};

/* Link, lay out and initialise an instance. Active segments are written, the start function is not
 * run: sm_wasm_call_start() does. Names, module and store are borrowed for the instance's life.
 *
 * 0 and *out in the pool, or
 *   SM_ERR_LINK    an import is missing or has another type; *which is its index
 *   SM_ERR_DENIED  an import is not granted; *which is its index
 *   SM_ERR_LIMIT   the module needs more memory or table entries than the limits give
 *   SM_ERR_MEMORY  the pool is too small
 *   SM_ERR_CORRUPT an index or offset in the image leads nowhere
 *   SM_ERR_TRAP    an active segment does not fit; *which is the enum sm_wasm_trap. What earlier
 *                  segments wrote to imported memories and tables stays (specification 4.5.4),
 *                  and so does the pool: functions of the instance may already be referenced. */
int sm_wasm_instantiate(struct sm_wasm_inst **out, struct sm_wasm_store *store,
                        const struct sm_wasm_module *m, const struct sm_wasm_limits *limits,
                        const struct sm_wasm_linker *linker, struct sm_wasm_pool *pool,
                        uint32_t *which);

/* What an instance exports, for binding to another's import. 0 or SM_ERR_NOT_FOUND. */
int sm_wasm_export_extern(struct sm_wasm_inst *inst, const char *name, uint32_t name_len,
                          struct sm_wasm_extern *out);

const struct sm_wasm_module *sm_wasm_inst_module(const struct sm_wasm_inst *inst);

/* The host's own pointer, for host functions to find their state. */
void sm_wasm_set_user(struct sm_wasm_inst *inst, void *user);
void *sm_wasm_user(const struct sm_wasm_inst *inst);

/* len bytes of the instance's memory at addr, or NULL when any of them is outside. Valid until the
 * module runs again. len 0 is inside at every addr up to the size. */
void *sm_wasm_mem(struct sm_wasm_inst *inst, uint32_t addr, uint32_t len);

/* The same in place, for calls that modules make often. */
static inline void *sm_wasm_mem_inline(struct sm_wasm_inst *inst, uint32_t addr, uint32_t len)
{
    const struct sm_wasm_memory *m = *(struct sm_wasm_memory *const *)(void *)inst;
    size_t size = (size_t)m->size; /* it lies in the address space */

    return len <= size && addr <= size - len ? m->base + addr : NULL;
}

/* ---- Run ------------------------------------------------------------------------------------- */

#define SM_WASM_TRAPS(X)                                                                           \
    X(NONE, "no trap")                                                                             \
    X(UNREACHABLE, "unreachable")                                                                  \
    X(DIV_ZERO, "integer divide by zero")                                                          \
    X(OVERFLOW, "integer overflow")                                                                \
    X(CONVERSION, "invalid conversion to integer")                                                 \
    X(MEMORY, "out of bounds memory access")                                                       \
    X(TABLE, "out of bounds table access")                                                         \
    X(UNDEFINED, "undefined element")                                                              \
    X(UNINITIALIZED, "uninitialized element")                                                      \
    X(SIGNATURE, "indirect call type mismatch")                                                    \
    X(STACK, "call stack exhausted")                                                               \
    X(EPOCH, "interrupted at its deadline")                                                        \
    X(HOST, "host function failed")

enum sm_wasm_trap {
#define X(name, text) SM_TRAP_##name,
    SM_WASM_TRAPS(X)
#undef X
};
const char *sm_wasm_trap_text(enum sm_wasm_trap trap);

enum sm_wasm_state {
    SM_EXEC_IDLE,
    SM_EXEC_READY,
    SM_EXEC_RUNNING, /* sm_wasm_run() is at work, perhaps in a host function */
    SM_EXEC_PENDING,
    SM_EXEC_PAUSED,
    SM_EXEC_DONE,
    SM_EXEC_TRAPPED
};

/* One thread of execution: a value stack and where it stands. Fields are private except state,
 * trap and host_error. It stays at one address, and what a host function is called for may neither
 * be run nor be given another call before that has returned. */
struct sm_wasm_exec {
    enum sm_wasm_state state;
    enum sm_wasm_trap trap;
    int host_error;
    uint32_t *stack, *stack_end;    /* the end is lower while frames of native code lie above it */
    uint32_t *stack_top;            /* as the host gave it */
    struct sm_native_frame *native; /* the innermost entry into native code */
    bool in_native;                 /* it stands in native code, not in the interpreter */
    struct sm_wasm_inst *to;        /* the native instance to be called, its function and words */
    uint32_t to_func, *to_args;
    uint32_t *fp;
    const uint16_t *pc;
    struct sm_wasm_inst *inst;
    const volatile uint32_t *epoch;
    uint32_t seen;     /* the epoch when it was last compared with the deadline */
    uint32_t deadline; /* while running: the epoch value; while pending: what is left */
    bool endless;      /* no deadline: it is moved on when the epoch has come so far */
    uint32_t depth, max_depth;
    uint32_t result_words;
    uint32_t *pending; /* where the pending call's results go */
    uint32_t pending_words;
    int pending_error;
    uint16_t entry[4]; /* code for calling a host function that a module exports */
};

/* Give an execution its value stack (words, at least 16) and its limits. *epoch is advanced by the
 * host from a timer, an interrupt or another thread (there by an atomic store of any order), and
 * outlives exec; max_depth is the number of nested calls, beyond which a call is SM_TRAP_STACK.
 * Native code (native.h) counts so each way in, from the host, the interpreter or another instance;
 * the calls that stay inside it are bounded by their stack: all together take no more than as many
 * frames of the module's largest function as max_depth still allows, and one. So no call is refused
 * that max_depth allows and the stack has room for; with smaller or inlined functions more calls
 * than max_depth may nest. */
void sm_wasm_exec_init(struct sm_wasm_exec *exec, uint32_t *stack, size_t words, uint32_t max_depth,
                       const volatile uint32_t *epoch);

/* Prepare a call of a function (its index in inst). args: the parameters' words. budget: epochs
 * until it is interrupted, counted from now; 0 for no deadline, more than 0x7fffffff counts as
 * that. exec becomes READY from any state but RUNNING; what it did before is given up. 0,
 * SM_ERR_ARG (no such function), SM_ERR_STATE (RUNNING, unchanged) or SM_ERR_TRAP (the stack is too
 * small even for this frame). */
int sm_wasm_call(struct sm_wasm_exec *exec, struct sm_wasm_inst *inst, uint32_t func,
                 const uint32_t *args, uint32_t budget);

/* As sm_wasm_call() for the start function; SM_ERR_NOT_FOUND when the module has none. */
int sm_wasm_call_start(struct sm_wasm_exec *exec, struct sm_wasm_inst *inst, uint32_t budget);

/* Run until done, pending, trapped or at the deadline.
 *   0                state is DONE: results with sm_wasm_results()
 *   SM_WASM_PENDING  state is PENDING: a host call has not finished
 *   SM_ERR_TRAP      state is TRAPPED: sm_wasm_backtrace()
 *   SM_ERR_EPOCH     state is PAUSED, trap SM_TRAP_EPOCH: the deadline has come. It can go on with
 *                    sm_wasm_resume(); who gives it up just makes the next call
 *   SM_ERR_STATE     nothing to run, or RUNNING
 * It stops at most 10,000 of the module's instructions after the deadline, host functions apart:
 * the module looks at the epoch on every way back, at entry to functions, after host functions,
 * after every piece of a bulk operation, and often enough between those. */
int sm_wasm_run(struct sm_wasm_exec *exec);

/* Go on after a pause, exactly where it was: state becomes READY, sm_wasm_run() does the rest.
 * budget as for sm_wasm_call(). However small the budget, each run comes further by at least one
 * instruction, so that several modules can share a thread in turns. 0 or SM_ERR_STATE. */
int sm_wasm_resume(struct sm_wasm_exec *exec, uint32_t budget);

/* Finish the pending host call with its results' words (or a negative error, as if the host
 * function had returned it). state becomes READY; the time since it became pending does not count
 * against the deadline. 0, SM_ERR_STATE, or SM_ERR_ARG for a positive error (still PENDING). */
int sm_wasm_complete(struct sm_wasm_exec *exec, const uint32_t *results, int error);

/* The results' words of a DONE call; valid until the next call. */
const uint32_t *sm_wasm_results(const struct sm_wasm_exec *exec);

/* One level of a backtrace, innermost first. */
struct sm_wasm_frame {
    struct sm_wasm_module module;
    uint32_t func;
    struct sm_wasm_name name; /* sm_wasm_func_name() */
    uint32_t offset; /* of the instruction (PAUSED: the next) in the module's bytes; 0 unknown */

    const struct sm_wasm_inst *inst; /* that runs it */
    const uint32_t *words;           /* private: where its locals are; NULL in native code */
};

/* The frames of a TRAPPED, PENDING, PAUSED or (in a host function) RUNNING exec, at most max.
 * scratch as for sm_wasm_translate (a translation of the functions concerned finds the offsets); it
 * may be the module's own memory pool when the module will not run again, and NULL when offsets are
 * not wanted. The number of frames there are, which may be more than max. */
uint32_t sm_wasm_backtrace(const struct sm_wasm_exec *exec, struct sm_wasm_frame *frames,
                           uint32_t max, void *scratch, size_t scratch_len);

/* Where the body of a function begins in the module's bytes, behind its size; 0 for an import. */
uint32_t sm_wasm_func_start(const struct sm_wasm_module *m, uint32_t func);

/* A local of a frame, parameters first, as it is now; frame as sm_wasm_backtrace() gave it, its
 * scratch not the stack or pool. 0; SM_ERR_STATE with the type alone when the value is in native
 * code's registers; SM_ERR_NOT_FOUND past the last. */
int sm_wasm_frame_local(const struct sm_wasm_frame *frame, uint32_t index,
                        struct sm_wasm_global *out);

/* A global of an instance, imported ones first, as it is now. 0 or SM_ERR_NOT_FOUND past the last.
 */
int sm_wasm_inst_global(const struct sm_wasm_inst *inst, uint32_t index,
                        struct sm_wasm_global *out);

/* The memory of an instance, its own or an imported one; of size 0 when there is none. */
const struct sm_wasm_memory *sm_wasm_inst_memory(const struct sm_wasm_inst *inst);

/* Name of a function from the name section, else of its first export; len 0 when there is none. */
struct sm_wasm_name sm_wasm_func_name(const struct sm_wasm_module *m, uint32_t func);

#endif

/* Native images: opened, bound to instances, and run.
 *
 * Control never nests on the host's stack. sm_native's run loop owns an execution in which both
 * kinds of code take part: it enters native code, which comes back when it is done or wants
 * something (a call into another instance, a pending host call, a trap); it starts the interpreter,
 * which comes back when its outermost function returns or calls a native one. Each entry into
 * native code leaves a struct sm_native_frame on the value stack:
 *
 *     stack  [interpreter frames ->  ...  <- native frames, each below its sm_native_frame]
 * stack_top
 *
 * Who called an entry stands in its frame, so "return" is a step of the loop.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "native.h"
#include <string.h>
#include "bulk.h"

/* Room below the limit for what a call into the host, a yield or an interrupt pushes. */
#if UINTPTR_MAX > 0xffffffff
#define SLACK_BYTES 1024u
#else
#define SLACK_BYTES 448u
#endif
#define STACK_ALIGN 16u

enum { DONE = 0, YIELDED = 1 };
enum { CALL_PENDING = SM_WASM_PENDING, CALL_CROSS = 2 }; /* in ctx.why, after SM_SITE_CALL */

#define STEP_ON 0x7fff /* of a step: the run goes on; anything else is its result */

/* ---- Opening --------------------------------------------------------------------------------- */

enum sm_native_target sm_native_this_target(void)
{
#if defined(__x86_64__)
    return SM_NATIVE_X86_64;
#elif defined(__aarch64__)
    return SM_NATIVE_AARCH64;
#elif defined(__ARM_ARCH_7EM__) && defined(__ARM_FP)
    return SM_NATIVE_CORTEX_M4F;
#elif defined(__ARM_ARCH_7EM__)
    return SM_NATIVE_CORTEX_M4;
#else
    return (enum sm_native_target)0;
#endif
}

const char *sm_native_target_name(uint32_t target)
{
    switch (target) {
    case SM_NATIVE_X86_64: return "x86_64-linux-gnu";
    case SM_NATIVE_AARCH64: return "aarch64-linux-gnu";
    case SM_NATIVE_CORTEX_M4F: return "thumbv7em-none-eabihf";
    case SM_NATIVE_CORTEX_M4: return "thumbv7em-none-eabi";
    default: return NULL;
    }
}

static int refuse(struct sm_native *n, int err, const char *why)
{
    n->info.refused = why;
    return err;
}

static bool fits(uint32_t off, uint32_t n, uint32_t size, uint32_t align, uint32_t end)
{
    return off % align == 0 && off <= end && n <= (end - off) / size;
}

int sm_native_read(struct sm_native *n, const void *image, size_t len)
{
    const struct sm_native_header *h = image;

    *n = (struct sm_native){.image = image};
    if ((uintptr_t)image % 16 != 0) {
        return refuse(n, SM_ERR_ARG, "not aligned to 16 bytes");
    }
    if (len < SM_NATIVE_HEADER || h->magic != SM_NATIVE_MAGIC) {
        return refuse(n, SM_ERR_CORRUPT, "not a native image");
    }
    if (h->format != SM_NATIVE_FORMAT) {
        return refuse(n, SM_ERR_UNSUPPORTED, "unknown format");
    }
    if (h->size != len) {
        return refuse(n, SM_ERR_CORRUPT, "truncated, or bytes after its end");
    }
    if (h->code < SM_NATIVE_HEADER || !fits(h->code, h->code_len, 1, 16, h->size) ||
        !fits(h->funcs, h->nfuncs, sizeof(struct sm_native_func), 4, h->code_len) ||
        !fits(h->thunks, h->ntypes, 4, 4, h->code_len) || h->map < SM_NATIVE_HEADER ||
        !fits(h->map, h->nmap, sizeof(struct sm_native_place), 4, h->size) ||
        h->enter >= h->code_len || h->resume >= h->code_len || h->leave >= h->code_len) {
        return refuse(n, SM_ERR_CORRUPT, "offsets beyond its end");
    }
    n->info.target = h->target;
    n->info.flags = h->flags;
    n->info.size = h->size;
    n->info.code_bytes = h->code_len;
    n->info.stack_bytes = h->stack_bytes;
    n->info.min_memory = h->min_memory;
    memcpy(n->info.module_sha256, h->module_sha256, 32);
    return 0;
}

/* The addresses in the code's own tables, which calls from outside go to. */
static bool entries_fit(const struct sm_native_header *h, const uint8_t *code)
{
    const struct sm_native_func *funcs = (const void *)(code + h->funcs);
    const int32_t *thunks = (const void *)(code + h->thunks);

    for (uint32_t i = 0; i < h->nfuncs; i++) {
        if (funcs[i].code != 0 && (uint32_t)funcs[i].code + h->funcs >= h->code_len) {
            return false;
        }
    }
    for (uint32_t i = 0; i < h->ntypes; i++) {
        if (thunks[i] != 0 && (uint32_t)thunks[i] + h->thunks >= h->code_len) {
            return false;
        }
    }
    return true;
}

int sm_native_open(struct sm_native *n, const void *image, size_t len,
                   const uint8_t module_sha256[32])
{
    const struct sm_native_header *h = image;
    int err = sm_native_read(n, image, len);

    if (err != 0) {
        return err;
    }
    if (memcmp(h->module_sha256, module_sha256, 32) != 0) {
        return refuse(n, SM_ERR_DENIED, "made of another module");
    }
    if (h->target != (uint32_t)sm_native_this_target()) {
        return refuse(n, SM_ERR_UNSUPPORTED, "made for another target");
    }
    if (h->layout != SM_NATIVE_LAYOUT) {
        return refuse(n, SM_ERR_UNSUPPORTED, "made for another engine");
    }
    if (!entries_fit(h, n->image + h->code)) {
        return refuse(n, SM_ERR_CORRUPT, "entries beyond its code");
    }
    return 0;
}

/* ---- Binding --------------------------------------------------------------------------------- */

static int work(void *ctx, struct sm_wasm_inst *inst, uint32_t *w);
static int cross(void *ctx, struct sm_wasm_inst *inst, uint32_t *args);
static int kept(void *ctx, struct sm_wasm_inst *inst, uint32_t *args);
static int run(struct sm_wasm_exec *x);

size_t sm_native_state_bytes(const struct sm_native *n, const struct sm_wasm_module *m)
{
    const struct sm_native_header *h = (const void *)n->image;

    return sizeof(struct sm_native_inst) +
           sm_image_of(m)->nfunc_imports * sizeof(struct sm_native_callee) +
           ((size_t)h->many_words * 4 + 7) / 8 * 8;
}

static bool tables_match(const struct sm_wasm_inst *inst, const struct sm_native_header *h,
                         const uint8_t *code)
{
    const struct sm_image *image = sm_image_of(&inst->module);
    const struct sm_native_func *funcs = (const void *)(code + h->funcs);
    const int32_t *thunks = (const void *)(code + h->thunks);

    if (h->wasm_len != inst->module.wasm_len || h->nfuncs != image->nfuncs ||
        h->ntypes != image->ntypes) {
        return false;
    }
    for (uint32_t i = 0; i < h->nfuncs; i++) {
        uint32_t import = i < inst->nimports ? SM_NATIVE_IMPORT : 0;

        if (funcs[i].type != (inst->funcs[i].type | import) ||
            (funcs[i].code != 0 && (import || thunks[funcs[i].type] == 0))) {
            return false;
        }
    }
    return true;
}

int sm_native_bind(struct sm_wasm_inst *inst, const struct sm_native *n, void *state,
                   size_t state_len)
{
    const struct sm_native_header *h = (const void *)n->image;
    const struct sm_image *image = sm_image_of(&inst->module);
    struct sm_native_inst *b = state;
    struct sm_native_ctx *c = &b->ctx;

    if (!tables_match(inst, h, n->image + h->code)) {
        return SM_ERR_CORRUPT;
    }
    if (inst->memory->size < h->min_memory ||
        ((h->flags & SM_NATIVE_GUARDED) && image->memory != 0 &&
         (!inst->memory->guarded || inst->memory->byte_pages || inst->memory->size % 4096 != 0))) {
        return SM_ERR_LIMIT;
    }
    if (state_len < sm_native_state_bytes(n, &inst->module)) {
        return SM_ERR_MEMORY;
    }
    *b = (struct sm_native_inst){.run = run, .code = n->image + h->code, .header = h};
    c->mem = inst->memory->base;
    c->memory = inst->memory;
    c->inst = inst;
    c->globals = inst->globals;
    c->own_globals =
        image->nglobals > image->nglobal_imports ? inst->globals[image->nglobal_imports] : NULL;
    c->tables = inst->tables;
    c->ref_base = inst->ref_base;
    c->funcs = b->code + h->funcs;
    c->work.host = work;
    for (uint32_t i = 0; i < inst->nimports; i++) {
        const struct sm_bound_func *f = &inst->imports[i];

        c->imports[i].host = f->host == NULL ? cross : f->kept != NULL ? kept : f->host;
        c->imports[i].ctx = f->host != NULL && f->kept == NULL ? f->ctx : (void *)(uintptr_t)f;
    }
    c->many = (uint32_t *)(void *)&c->imports[inst->nimports];
    inst->native = b;
    return 0;
}

/* ---- What native code calls ------------------------------------------------------------------ */

/* In the place of a host function: the import is another instance's function. Only the run loop can
 * call that, so the code is made to yield. */
static int cross(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    (void)args;
    inst->native->cross = ctx;
    return CALL_CROSS;
}

/* In the place of a host function that has answers kept (kept.h). */
static int kept(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_bound_func *f = ctx;

    if (args[2] == 4) {
        const struct sm_kept *k = sm_kept_find(f->kept, args[0], f->clock);
        const size_t size = (size_t)inst->memory->size; /* it lies in the address space */

        if (k != NULL && args[1] < size && size - args[1] >= 4) {
            memcpy(inst->memory->base + args[1], &k->value, 4);
            args[0] = 4;
            return 0;
        }
    }
    return f->host(f->ctx, inst, args);
}

static int work(void *ctx, struct sm_wasm_inst *inst, uint32_t *words)
{
    uint32_t *w = words + 1, was;
    int more = 0;

    (void)ctx;
    switch (words[0]) {
    case SM_WORK_MEMORY_GROW:
        more = sm_bulk_grow(inst->memory, w[0], &was);
        w[0] = more ? w[0] : was;
        break;
    case SM_WORK_MEMORY_FILL: more = sm_bulk_fill(inst->memory, w); break;
    case SM_WORK_MEMORY_COPY: more = sm_bulk_copy(inst->memory, w); break;
    case SM_WORK_MEMORY_INIT: more = sm_bulk_init(inst, w, w[3]); break;
    case SM_WORK_DATA_DROP: inst->dropped[sm_image_of(&inst->module)->nelems + w[0]] = 1; break;
    case SM_WORK_TABLE_GROW: more = sm_bulk_table_grow(inst->tables[w[4]], w); break;
    case SM_WORK_TABLE_FILL: more = sm_bulk_table_fill(inst->tables[w[3]], w); break;
    case SM_WORK_TABLE_COPY:
        more = sm_bulk_table_copy(inst->tables[w[3]], inst->tables[w[4]], w);
        break;
    case SM_WORK_TABLE_INIT: more = sm_bulk_table_init(inst, w, w[3], w[4]); break;
    case SM_WORK_ELEM_DROP: inst->dropped[w[0]] = 1; break;
    }
    return more > 0 ? SM_WORK_AGAIN : more;
}

/* ---- Going in and coming out ----------------------------------------------------------------- */

typedef int enter_fn(struct sm_native_ctx *c, const void *thunk, uint32_t *args, const void *code,
                     void *sp);
typedef int resume_fn(struct sm_native_ctx *c);

/* What of a context belongs to the execution: a host function may run another on this instance. */
struct outside {
    void *host_sp, *limit;
    const volatile uint32_t *epoch;
    uint32_t deadline;
};

static struct outside put_on(struct sm_native_ctx *c, const struct sm_wasm_exec *x)
{
    struct outside was = {c->host_sp, c->limit, c->epoch, c->deadline};

    c->limit = x->native->limit;
    c->epoch = x->epoch;
    c->deadline = x->deadline;
    return was;
}

static void take_off(struct sm_native_ctx *c, const struct outside *was)
{
    c->host_sp = was->host_sp;
    c->limit = was->limit;
    c->epoch = was->epoch;
    c->deadline = was->deadline;
}

static const void *at(const struct sm_native_inst *b, uint32_t off)
{
    return b->code + off;
}

static int trapped(struct sm_wasm_exec *x, enum sm_wasm_trap trap)
{
    x->state = SM_EXEC_TRAPPED;
    x->trap = trap;
    return trap == SM_TRAP_EPOCH ? SM_ERR_EPOCH : SM_ERR_TRAP;
}

static uint32_t room(const struct sm_image_type *t)
{
    return t->param_words > t->result_words ? t->param_words : t->result_words;
}

static const struct sm_image_type *type_of(const struct sm_wasm_inst *inst, uint32_t func)
{
    return &inst->types[inst->funcs[func].type];
}

/* What the stack pointer may not go below: room for the functions up to the next look, and no more
 * stack than the calls that the host still allows can take, each with the largest frame there is.
 */
static uintptr_t limit_for(const struct sm_wasm_exec *x, const struct sm_native_header *h,
                           const uint32_t *floor, uintptr_t top)
{
    uintptr_t limit = (uintptr_t)floor + SLACK_BYTES + h->stack_bytes;
    /* One more for the way in. */
    uint64_t most = (uint64_t)(x->max_depth - x->depth + 1) * h->frame_bytes;

    return top > limit && most < top - limit ? top - (uintptr_t)most : limit;
}

/* Call x->to: a frame on top of the stack, and in. DONE, YIELDED, or a negative trap. */
static int enter(struct sm_wasm_exec *x)
{
    struct sm_wasm_inst *inst = x->to;
    struct sm_native_inst *b = inst->native;
    const struct sm_native_func *f =
        (const struct sm_native_func *)at(b, b->header->funcs) + x->to_func;
    const int32_t *thunks = at(b, b->header->thunks);
    struct sm_native_frame *outer = x->native, *frame;
    bool from_native = outer != NULL && x->in_native;
    uint32_t *floor = from_native ? outer->floor : x->to_args + room(type_of(inst, x->to_func));
    uintptr_t low = ((uintptr_t)x->stack_end - sizeof(*frame)) & ~(uintptr_t)(STACK_ALIGN - 1);
    uintptr_t limit = limit_for(x, b->header, floor, low);
    struct outside was;
    int how;

    x->to = NULL;
    if (f->code == 0) {
        return -SM_TRAP_UNDEFINED; /* no reference to it can exist, and it is not exported */
    }
    if ((uintptr_t)x->stack_end < sizeof(*frame) + limit || low < limit ||
        x->depth >= x->max_depth) {
        return -SM_TRAP_STACK;
    }
    frame = (struct sm_native_frame *)low;
    *frame = (struct sm_native_frame){.outer = outer,
                                      .inst = inst,
                                      .args = x->to_args,
                                      .floor = floor,
                                      .limit = (void *)limit,
                                      .caller = from_native     ? SM_CALLER_NATIVE
                                                : x->pc == NULL ? SM_CALLER_HOST
                                                                : SM_CALLER_INTERPRETER,
                                      .pc = x->pc,
                                      .fp = x->fp,
                                      .from = x->inst};
    x->native = frame;
    x->in_native = true;
    x->depth++;
    was = put_on(&b->ctx, x);
    how = ((enter_fn *)(uintptr_t)at(b, b->header->enter))(
        &b->ctx, (const uint8_t *)thunks + thunks[f->type], frame->args,
        (const uint8_t *)at(b, b->header->funcs) + f->code, frame);
    take_off(&b->ctx, &was);
    return how;
}

static int resume(struct sm_wasm_exec *x)
{
    struct sm_native_inst *b = x->native->inst->native;
    struct outside was = put_on(&b->ctx, x);
    int how;

    b->ctx.sp = x->native->sp;
    how = ((resume_fn *)(uintptr_t)at(b, b->header->resume))(&b->ctx);
    take_off(&b->ctx, &was);
    return how;
}

/* The innermost entry is done; its results are with its caller. STEP_ON, or 0 for the host. */
static int leave(struct sm_wasm_exec *x)
{
    struct sm_native_frame *f = x->native;

    x->native = f->outer;
    x->depth--;
    x->stack_end = f->outer != NULL ? f->outer->sp : x->stack_top;
    if (f->caller == SM_CALLER_HOST) {
        x->in_native = false;
        x->state = SM_EXEC_DONE;
        return 0;
    }
    if (f->caller == SM_CALLER_INTERPRETER) {
        x->in_native = false;
        x->pc = f->pc;
        x->fp = f->fp;
        x->inst = f->from;
    }
    return STEP_ON;
}

/* The interpreted function that native code called is done: its results go where that wants them.
 */
static int interpreter_left(struct sm_wasm_exec *x)
{
    struct sm_native_frame *f = x->native;

    if (f == NULL) {
        return 0;
    }
    memcpy(f->callee, f->floor, f->callee_words * sizeof(uint32_t));
    x->state = SM_EXEC_RUNNING;
    x->in_native = true;
    return STEP_ON;
}

/* ---- What native code wants ------------------------------------------------------------------ */

/* Native code calls another instance's function, or one of its own through a table. */
static int call(struct sm_wasm_exec *x, const struct sm_bound_func *to, uint32_t *args)
{
    struct sm_native_frame *f = x->native;
    const struct sm_image_type *t = type_of(to->inst, to->func);
    const uint16_t *code;

    x->stack_end = f->sp;
    if (to->inst->native != NULL) {
        x->to = to->inst;
        x->to_func = to->func;
        x->to_args = args;
        return STEP_ON;
    }
    code = to->inst->code + to->inst->funcs[to->func].code;
    if (x->stack_end < f->floor || code[1] > (size_t)(x->stack_end - f->floor) ||
        x->depth >= x->max_depth) {
        return trapped(x, SM_TRAP_STACK);
    }
    x->depth++;
    x->in_native = false;
    x->inst = to->inst;
    x->pc = code;
    x->fp = f->floor;
    f->callee = args;
    f->callee_words = t->result_words;
    memcpy(x->fp, args, t->param_words * sizeof(uint32_t));
    return STEP_ON;
}

/* A host function did not return 0. */
static int host_stopped(struct sm_wasm_exec *x, int how, uint32_t *args, uint32_t words)
{
    if (how < 0) {
        x->host_error = how;
        return trapped(x, SM_TRAP_HOST);
    }
    x->state = SM_EXEC_PENDING;
    x->pending = args;
    x->pending_words = words;
    x->deadline -= sm_now(x);
    return SM_WASM_PENDING;
}

static int call_indirect(struct sm_wasm_exec *x, uint32_t *w)
{
    struct sm_native_frame *f = x->native;
    struct sm_bound_func to;
    int err = sm_inst_indirect(f->inst, w[SM_INDIRECT_TABLE], w[SM_INDIRECT_TYPE],
                               w[SM_INDIRECT_INDEX], &to);

    f->offset = w[SM_INDIRECT_OFFSET];
    if (err < 0) {
        return trapped(x, (enum sm_wasm_trap) - err);
    }
    if (to.host == NULL) {
        return call(x, &to, w + SM_INDIRECT_ARGS);
    }
    err = to.host(to.ctx, f->inst, w + SM_INDIRECT_ARGS);
    return err == 0 ? STEP_ON
                    : host_stopped(x, err, w + SM_INDIRECT_ARGS,
                                   f->inst->types[w[SM_INDIRECT_TYPE]].result_words);
}

/* Where in the module the code at pc comes from; 0 when the image does not say. */
static uint32_t place(const struct sm_native_header *h, uint32_t pc)
{
    const struct sm_native_place *map = (const void *)((const uint8_t *)h + h->map);
    uint32_t low = 0, high = h->nmap;

    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;

        if (map[mid].code <= pc) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return h->nmap == 0 || map[low].code > pc ? 0 : map[low].offset;
}

static int expired(struct sm_wasm_exec *x)
{
    return sm_expired(x) && sm_pause(x) != 0 ? SM_ERR_EPOCH : STEP_ON;
}

static int yielded(struct sm_wasm_exec *x)
{
    struct sm_native_frame *f = x->native;
    struct sm_native_inst *b = f->inst->native;
    const struct sm_native_ctx *c = &b->ctx;
    uint32_t info, site[2];

    f->sp = c->sp;
    if (c->site == NULL) {
        f->offset = place(b->header, (uint32_t)c->why);
        return trapped(x, SM_TRAP_MEMORY);
    }
    memcpy(site, c->site, sizeof(site)); /* aligned to code */
    f->offset = site[0];
    info = site[1];
    switch (info >> SM_SITE_SHIFT) {
    case SM_SITE_EPOCH: return expired(x);
    case SM_SITE_CALL:
        if (c->why == CALL_CROSS && b->cross != NULL) {
            const struct sm_bound_func *to = b->cross;

            b->cross = NULL;
            return call(x, to, c->args);
        }
        return host_stopped(x, c->why, c->args, f->inst->types[info & 0xffff].result_words);
    case SM_SITE_WORK: return c->why < 0 ? trapped(x, (enum sm_wasm_trap) - c->why) : expired(x);
    case SM_SITE_INDIRECT: return call_indirect(x, c->args);
    default: return trapped(x, (enum sm_wasm_trap)(info & 0xffff));
    }
}

/* ---- The loop -------------------------------------------------------------------------------- */

/* A call that could not be made: the trap is the caller's. */
static int not_entered(struct sm_wasm_exec *x, enum sm_wasm_trap trap)
{
    if (!x->in_native && x->pc != NULL) {
        x->pc--; /* within the call */
    }
    return trapped(x, trap);
}

static int step(struct sm_wasm_exec *x)
{
    int how;

    if (x->to == NULL && !x->in_native) {
        how = sm_interpret(x);
        return how == SM_RUN_NATIVE ? STEP_ON : how == 0 ? interpreter_left(x) : how;
    }
    how = x->to != NULL ? enter(x) : resume(x);
    if (how < 0) {
        return not_entered(x, (enum sm_wasm_trap) - how);
    }
    return how == DONE ? leave(x) : yielded(x);
}

static int run(struct sm_wasm_exec *x)
{
    int how;

    do {
        how = step(x);
    } while (how == STEP_ON);
    return how;
}

/* A fault in this instance's code goes on at its way out. */
static bool fault_in(struct sm_wasm_inst *inst, uintptr_t pc, uintptr_t *resume_pc,
                     uintptr_t *argument)
{
    struct sm_native_inst *b = inst->native;

    if (b == NULL || b->ctx.host_sp == NULL || pc - (uintptr_t)b->code >= b->header->code_len) {
        return false;
    }
    b->ctx.site = NULL;
    b->ctx.why = (int32_t)(pc - (uintptr_t)b->code);
    *resume_pc = (uintptr_t)b->code + b->header->leave;
    *argument = (uintptr_t)&b->ctx;
    return true;
}

/* The memory may be another instance's that imports it. The owner first: instances of one module
 * run the same code. */
bool sm_native_fault(struct sm_wasm_inst *inst, uintptr_t pc, uintptr_t *resume_pc,
                     uintptr_t *argument)
{
    if (fault_in(inst, pc, resume_pc, argument)) {
        return true;
    }
    for (struct sm_wasm_inst *i = inst->store->instances; i != NULL; i = i->next) {
        if (fault_in(i, pc, resume_pc, argument)) {
            return true;
        }
    }
    return false;
}

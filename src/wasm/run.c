/* The interpreter: one loop over the image's code.
 *
 * Where things stand while it runs is in the loop's own variables (pc, fp, inst, mem, end_1...)
 * and goes to struct sm_wasm_exec only when it stops or calls out. A frame is
 *     fp[0]...      parameters, then results in their place
 *     fp[header]    where to return to, in units from the caller's code
 *     above         locals and operands; a callee's frame starts at its first argument's home
 * The unit before a return address is the distance between the two frames. A call into another
 * instance puts four words under the callee's frame (CROSS_*) and returns through a stub.
 *
 * Every look at the epoch is here: at back edges, function entries, every 16th return, after host
 * calls, and where the translator asks for one (OP_LOOK); operations that take long (rare.c) work
 * in pieces, between which it looks.
 *
 * With SM_THUMB=1 the handlers from BR_NZ on are in thumb.S, and those of control flow there as
 * well.
 *
 * Computed goto, not tail calls: an unoptimised build must not use the C stack either.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>
#include "native.h"
#include "numeric.h"
#include "ops.h"
#include "rare.h"
#include "thumb.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the engine runs on little-endian processors only"
#endif

#define CROSS_WORDS 4u /* return address; base and result words; the caller's instance */
/* Kept out of the loop, whose registers they would take. */
#define OUT_OF_LINE __attribute__((noinline))
#define MAX_BUDGET  0x7fffffffu
#define RETURNS     15u /* one of so many and one looks at the epoch */

static void set_deadline(struct sm_wasm_exec *x, uint32_t budget)
{
    x->endless = budget == 0;
    x->seen = sm_now(x);
    x->deadline = x->seen + (budget == 0 || budget > MAX_BUDGET ? MAX_BUDGET : budget);
}

int sm_pause(struct sm_wasm_exec *x)
{
    if (x->endless) {
        set_deadline(x, 0);
        return 0;
    }
    x->state = SM_EXEC_PAUSED;
    x->trap = SM_TRAP_EPOCH;
    return SM_ERR_EPOCH;
}

/* ---- Starting -------------------------------------------------------------------------------- */

void sm_wasm_exec_init(struct sm_wasm_exec *x, uint32_t *stack, size_t words, uint32_t max_depth,
                       const volatile uint32_t *epoch)
{
    *x = (struct sm_wasm_exec){.state = SM_EXEC_IDLE,
                               .stack = stack,
                               .stack_end = stack + words,
                               .stack_top = stack + words,
                               .max_depth = max_depth,
                               .epoch = epoch};
}

static int refuse(struct sm_wasm_exec *x)
{
    x->state = SM_EXEC_TRAPPED;
    x->trap = SM_TRAP_STACK;
    x->pc = NULL;
    return SM_ERR_TRAP;
}

int sm_wasm_call(struct sm_wasm_exec *x, struct sm_wasm_inst *inst, uint32_t func,
                 const uint32_t *args, uint32_t budget)
{
    const struct sm_image_type *type;
    uint32_t room;

    if (x->state == SM_EXEC_RUNNING) {
        return SM_ERR_STATE;
    }
    if (func >= inst->nfuncs) {
        return SM_ERR_ARG;
    }
    if (func < inst->nimports && inst->imports[func].host == NULL) {
        struct sm_bound_func *b = &inst->imports[func];

        func = b->func;
        inst = b->inst;
    }
    type = &inst->types[inst->funcs[func].type];
    room = type->param_words > type->result_words ? type->param_words : type->result_words;
    x->inst = inst;
    x->fp = x->stack;
    x->stack_end = x->stack_top;
    x->native = NULL;
    x->in_native = false;
    x->to = NULL;
    x->trap = SM_TRAP_NONE;
    x->host_error = 0;
    x->pending_error = 0;
    x->depth = 1;
    x->result_words = type->result_words;
    set_deadline(x, budget);
    if (func < inst->nimports) { /* a host function that the module exports again */
        x->entry[0] = OP_CALL_IMPORT;
        x->entry[1] = (uint16_t)func;
        x->entry[2] = 0;
        x->entry[3] = OP_EXIT;
        x->pc = x->entry;
    } else if (inst->native != NULL && sm_native_has_entry(inst->native, func)) {
        x->to = inst;
        x->to_func = func;
        x->to_args = x->stack;
        x->pc = NULL;
        x->depth = 0;
    } else {
        x->pc = inst->code + inst->funcs[func].code;
        room = x->pc[1];
    }
    if (room > (size_t)(x->stack_end - x->stack) || x->max_depth == 0) {
        return refuse(x);
    }
    if (args != NULL) { /* it may be, where there are no parameters */
        memcpy(x->stack, args, type->param_words * sizeof(uint32_t));
    }
    x->state = SM_EXEC_READY;
    return 0;
}

int sm_wasm_call_start(struct sm_wasm_exec *x, struct sm_wasm_inst *inst, uint32_t budget)
{
    uint32_t start = sm_image_of(&inst->module)->start;

    return start == SM_NONE ? SM_ERR_NOT_FOUND : sm_wasm_call(x, inst, start, NULL, budget);
}

int sm_wasm_complete(struct sm_wasm_exec *x, const uint32_t *results, int error)
{
    if (x->state != SM_EXEC_PENDING) {
        return SM_ERR_STATE;
    }
    if (error > 0) {
        return SM_ERR_ARG;
    }
    x->state = SM_EXEC_READY;
    x->deadline += sm_now(x);
    x->pending_error = error;
    if (error == 0 && x->pending_words > 0) {
        memcpy(x->pending, results, x->pending_words * sizeof(uint32_t));
    }
    return 0;
}

int sm_wasm_resume(struct sm_wasm_exec *x, uint32_t budget)
{
    if (x->state != SM_EXEC_PAUSED) {
        return SM_ERR_STATE;
    }
    x->state = SM_EXEC_READY;
    x->trap = SM_TRAP_NONE;
    set_deadline(x, budget);
    return 0;
}

const uint32_t *sm_wasm_results(const struct sm_wasm_exec *x)
{
    return x->stack;
}

/* Move the arguments at fp up to make place for the way back; the callee's frame, or NULL when the
 * stack is full. */
static OUT_OF_LINE uint32_t *cross(struct sm_wasm_exec *x, uint32_t *fp, struct sm_wasm_inst *from,
                                   const struct sm_bound_func *to, uint32_t ret, uint32_t base)
{
    const struct sm_image_type *t = &to->inst->types[to->inst->funcs[to->func].type];
    uint32_t frame = to->inst->code[to->inst->funcs[to->func].code + 1];
    uint64_t where = (uint64_t)(uintptr_t)from;

    if (frame + CROSS_WORDS > (size_t)(x->stack_end - fp) || x->depth >= x->max_depth) {
        return NULL;
    }
    memmove(fp + CROSS_WORDS, fp, t->param_words * sizeof(uint32_t));
    fp[0] = ret;
    fp[1] = base | (uint32_t)t->result_words << 16;
    sm_set64(fp + 2, where);
    return fp + CROSS_WORDS;
}

static int host_failed(struct sm_wasm_exec *x, int error)
{
    x->state = SM_EXEC_TRAPPED;
    x->trap = SM_TRAP_HOST;
    x->host_error = error;
    if (!x->in_native) {
        x->pc--; /* within the call */
    }
    return SM_ERR_TRAP;
}

/* A host function returned other than 0: not finished yet, or failed. */
static int host_stopped(struct sm_wasm_exec *x, int how, uint32_t *results, uint32_t words)
{
    if (how < 0) {
        return host_failed(x, how);
    }
    x->state = SM_EXEC_PENDING;
    x->pending = results;
    x->pending_words = words;
    x->deadline -= sm_now(x);
    return SM_WASM_PENDING;
}

/* ---- The loop -------------------------------------------------------------------------------- */

#define S(i)       fp[pc[i]]
#define SI(i)      ((int32_t)fp[pc[i]])
#define L(i)       sm_get64(&fp[pc[i]])
#define LI(i)      ((int64_t)sm_get64(&fp[pc[i]]))
#define F(i)       sm_f32(fp[pc[i]])
#define D(i)       sm_f64(sm_get64(&fp[pc[i]]))
#define K(i)       ((int32_t)(int16_t)pc[i])
#define WORD(i)    ((uint32_t)pc[i] | (uint32_t)pc[(i) + 1] << 16)
#define SETF(i, v) (fp[pc[i]] = sm_bits32(v))
/* A result goes to its slot, and stays in the accumulator (accumulator.c). */
#if SM_ACCUMULATOR && !SM_THUMB
#define SET(i, v)                                                                                  \
    do {                                                                                           \
        acc = (uint32_t)(v);                                                                       \
        fp[pc[i]] = (uint32_t)acc;                                                                 \
    } while (0)
#define SET64(i, v)                                                                                \
    do {                                                                                           \
        acc = (v);                                                                                 \
        sm_set64(&fp[pc[i]], acc);                                                                 \
    } while (0)
#define ACC_STATE     uint64_t acc = 0;
#define WITH_ACC(...) __VA_ARGS__
#else
#define SET(i, v)   (fp[pc[i]] = (uint32_t)(v))
#define SET64(i, v) sm_set64(&fp[pc[i]], (v))
#define ACC_STATE
#define WITH_ACC(...)
#endif
/* Doubles stay there only where there are pairs of them. */
#if SM_ACCUMULATOR && SM_DOUBLE_PAIRS
#define SETD(i, v)                                                                                 \
    do {                                                                                           \
        acc_d = (v);                                                                               \
        sm_set64(&fp[pc[i]], sm_bits64(acc_d));                                                    \
    } while (0)
#define WITH_ACC_D(...)  __VA_ARGS__
#define ACC_DOUBLE_STATE double acc_d = 0;
#else
#define SETD(i, v) sm_set64(&fp[pc[i]], sm_bits64(v))
#define WITH_ACC_D(...)
#define ACC_DOUBLE_STATE
#endif
#define ACC        ((uint32_t)acc)
#define OP(name)   L_##name:
#define DISPATCH() goto *labels[*pc]
#define NEXT(units)                                                                                \
    do {                                                                                           \
        pc += (units);                                                                             \
        DISPATCH();                                                                                \
    } while (0)
#define TRAP(which)                                                                                \
    do {                                                                                           \
        trap = SM_TRAP_##which;                                                                    \
        goto trapped;                                                                              \
    } while (0)

/* Look at the epoch, with everything in the state from which to go on. */
#define LOOK()                                                                                     \
    do {                                                                                           \
        if (sm_ticked(x)) {                                                                        \
            goto ticked;                                                                           \
        }                                                                                          \
    } while (0)

/* The same, and on from there: in many places where processors foretell branches by their address,
 * in one where bytes count. */
#if UINTPTR_MAX <= 0xffffffff
#define LOOK_ON() goto look
#else
#define LOOK_ON()                                                                                  \
    do {                                                                                           \
        LOOK();                                                                                    \
        DISPATCH();                                                                                \
    } while (0)
#endif

/* Take a branch from the instruction's start, or as far behind it. Backward ones look at the epoch,
 * at the target: whoever goes on from there comes further. */
#define BRANCH(from, distance)                                                                     \
    do {                                                                                           \
        ptrdiff_t by = (distance);                                                                 \
        pc += (ptrdiff_t)(from) + by;                                                              \
        if (by <= 0) { /* 0: a loop without a body */                                              \
            LOOK_ON();                                                                             \
        }                                                                                          \
        DISPATCH();                                                                                \
    } while (0)
#define BRANCH_IF(condition, units)                                                                \
    do {                                                                                           \
        if (condition) {                                                                           \
            BRANCH(0, K(1));                                                                       \
        }                                                                                          \
        NEXT(units);                                                                               \
    } while (0)
#define RETURN_WORD(name, get)                                                                     \
    OP(name)                                                                                       \
    {                                                                                              \
        base = fp[pc[1]];                                                                          \
        fp[0] = get;                                                                               \
        goto leave;                                                                                \
    }
#define BRANCH_TABLE(name, get)                                                                    \
    OP(name)                                                                                       \
    {                                                                                              \
        uint32_t i = get < pc[2] ? get : pc[2];                                                    \
        BRANCH(2 + i, K(3 + i));                                                                   \
    }
#define BRANCH_ZERO(name, get, op_)                                                                \
    OP(name)                                                                                       \
    {                                                                                              \
        BRANCH_IF(get op_ 0, 3);                                                                   \
    }

/* One handler each for a family; and one that takes the first operand from the accumulator. */
#define BINARY32_OF(name, get_a, get_b, expr)                                                      \
    OP(name)                                                                                       \
    {                                                                                              \
        uint32_t a = get_a, b = get_b;                                                             \
        SET(1, expr);                                                                              \
        NEXT(4);                                                                                   \
    }
#define BINARY32(name, expr)                                                                       \
    BINARY32_OF(name, S(2), S(3), expr) WITH_ACC(BINARY32_OF(name##_A, ACC, S(3), expr))
#define BINARY32_K(name, expr)                                                                     \
    BINARY32_OF(name, S(2), (uint32_t)K(3), expr)                                                  \
    WITH_ACC(BINARY32_OF(name##_A, ACC, (uint32_t)K(3), expr))
#define COMPARE32(name, expr)   BINARY32_OF(name, S(2), S(3), expr)
#define COMPARE32_K(name, expr) BINARY32_OF(name, S(2), (uint32_t)K(3), expr)
#define BINARY64_OF(name, get_a, get_b, expr)                                                      \
    OP(name)                                                                                       \
    {                                                                                              \
        uint64_t a = get_a, b = get_b;                                                             \
        SET64(1, (uint64_t)(expr));                                                                \
        NEXT(4);                                                                                   \
    }
#define BINARY64(name, expr)                                                                       \
    BINARY64_OF(name, L(2), L(3), expr) WITH_ACC(BINARY64_OF(name##_A, acc, L(3), expr))
#define BINARY64_K(name, expr)                                                                     \
    BINARY64_OF(name, L(2), (uint64_t)(int64_t)K(3), expr)                                         \
    WITH_ACC(BINARY64_OF(name##_A, acc, (uint64_t)(int64_t)K(3), expr))
#define COMPARE64(name, expr)                                                                      \
    OP(name)                                                                                       \
    {                                                                                              \
        uint64_t a = L(2), b = L(3);                                                               \
        SET(1, expr);                                                                              \
        NEXT(4);                                                                                   \
    }
#define BRANCH32_OF(name, get_a, get_b, expr)                                                      \
    OP(name)                                                                                       \
    {                                                                                              \
        uint32_t a = get_a, b = get_b;                                                             \
        BRANCH_IF(expr, 4);                                                                        \
    }
#define BRANCH32(name, expr)                                                                       \
    BRANCH32_OF(name, S(2), S(3), expr) WITH_ACC(BRANCH32_OF(name##_A, ACC, S(3), expr))
#define BRANCH32_K(name, expr)                                                                     \
    BRANCH32_OF(name, S(2), (uint32_t)K(3), expr)                                                  \
    WITH_ACC(BRANCH32_OF(name##_A, ACC, (uint32_t)K(3), expr))
#define UNARY(name, statement)                                                                     \
    OP(name)                                                                                       \
    {                                                                                              \
        statement;                                                                                 \
        NEXT(3);                                                                                   \
    }
#define ADD_WORD(name, get)                                                                        \
    OP(name)                                                                                       \
    {                                                                                              \
        SET(1, get + WORD(3));                                                                     \
        NEXT(5);                                                                                   \
    }
/* Three operands: the third a slot, or a number. */
#define TERNARY32_OF(name, get_a, get_b, get_c, expr)                                              \
    OP(name)                                                                                       \
    {                                                                                              \
        uint32_t a = get_a, b = (uint32_t)get_b(3), c = (uint32_t)get_c;                           \
        SET(1, expr);                                                                              \
        NEXT(5);                                                                                   \
    }
#define TERNARY32(name, get_b, expr)                                                               \
    TERNARY32_OF(name, S(2), get_b, S(4), expr)                                                    \
    WITH_ACC(TERNARY32_OF(name##_A, ACC, get_b, S(4), expr)                                        \
                 TERNARY32_OF(name##_C, S(2), get_b, ACC, expr))
#define TERNARY32_K(name, get_b, expr)                                                             \
    TERNARY32_OF(name, S(2), get_b, K(4), expr)                                                    \
    WITH_ACC(TERNARY32_OF(name##_A, ACC, get_b, K(4), expr))
#define INCREMENT_BRANCH(name, get_b, expr)                                                        \
    OP(name)                                                                                       \
    {                                                                                              \
        uint32_t a = S(2) += (uint32_t)K(3), b = (uint32_t)get_b(4);                               \
        if (expr) { /* always backward */                                                          \
            pc += K(1);                                                                            \
            LOOK_ON();                                                                             \
        }                                                                                          \
        NEXT(5);                                                                                   \
    }
#define FLOAT_COMPARE(name, get, op_)                                                              \
    OP(name)                                                                                       \
    {                                                                                              \
        SET(1, get(2) op_ get(3));                                                                 \
        NEXT(4);                                                                                   \
    }
#define BINARY_F32(name, expr)                                                                     \
    OP(name)                                                                                       \
    {                                                                                              \
        float a = F(2), b = F(3);                                                                  \
        SETF(1, (expr));                                                                           \
        NEXT(4);                                                                                   \
    }
#define BINARY_F64_OF(name, get_a, get_b, expr)                                                    \
    OP(name)                                                                                       \
    {                                                                                              \
        double a = get_a, b = get_b;                                                               \
        SETD(1, (expr));                                                                           \
        NEXT(4);                                                                                   \
    }
#define BINARY_F64(name, expr)                                                                     \
    BINARY_F64_OF(name, D(2), D(3), expr) WITH_ACC_D(BINARY_F64_OF(name##_A, acc_d, D(3), expr))
#define BINARY_F64_C(name, expr)                                                                   \
    BINARY_F64(name, expr) WITH_ACC_D(BINARY_F64_OF(name##_C, D(2), acc_d, expr))

/* The four forms of an address (ops.h), and a trap unless n bytes are there: one comparison with
 * the first address at which so many are outside. An address has up to 33 bits. */
#define END(n) ((n) == 1 ? end_1 : (n) == 2 ? end_2 : (n) == 4 ? end_4 : end_8)
#if UINTPTR_MAX > 0xffffffff
#define ADDRESS_O(at, offset, n)                                                                   \
    uint64_t ea = (uint64_t)S(at) + pc[offset];                                                    \
    if (ea >= END(n)) {                                                                            \
        goto outside;                                                                              \
    }
#else
#define ADDRESS_O(at, offset, n)                                                                   \
    uint32_t ea;                                                                                   \
    if (__builtin_add_overflow(S(at), (uint32_t)pc[offset], &ea) || ea >= END(n)) {                \
        goto outside;                                                                              \
    }
#endif
#define ADDRESS_SUM(sum, n)                                                                        \
    uint32_t ea = (sum);                                                                           \
    if (ea >= END(n)) {                                                                            \
        goto outside;                                                                              \
    }
#define ADDRESS_1(at, offset, n) ADDRESS_SUM(S(at), n)
#define ADDRESS_K(at, offset, n) ADDRESS_SUM(S(at) + (uint32_t)K((at) + 1), n)
#define ADDRESS_R(at, offset, n) ADDRESS_SUM(S(at) + S((at) + 1), n)
/* The second and third with the slot's value in the accumulator. */
#define ADDRESS_1A(at, offset, n) ADDRESS_SUM(ACC, n)
#define ADDRESS_KA(at, offset, n) ADDRESS_SUM(ACC + (uint32_t)K((at) + 1), n)

#define LOAD_FORM(name, form, units, c_type, store)                                                \
    OP(name)                                                                                       \
    {                                                                                              \
        c_type v;                                                                                  \
        form(2, 3, sizeof(v)) memcpy(&v, mem + ea, sizeof(v));                                     \
        store;                                                                                     \
        NEXT(units);                                                                               \
    }
#if SM_FUSED
#define FUSED_ACCESS(...) __VA_ARGS__
#else
#define FUSED_ACCESS(...)
#endif
#define LOAD(name, c_type, store)                                                                  \
    LOAD_FORM(name##_O, ADDRESS_O, 4, c_type, store)                                               \
    FUSED_ACCESS(LOAD_FORM(name, ADDRESS_1, 3, c_type, store) LOAD_FORM(                           \
        name##_K, ADDRESS_K, 4, c_type, store) LOAD_FORM(name##_R, ADDRESS_R, 4, c_type, store))   \
    WITH_ACC(LOAD_FORM(name##_A, ADDRESS_1A, 3, c_type, store)                                     \
                 LOAD_FORM(name##_K_A, ADDRESS_KA, 4, c_type, store))
/* A load whose value goes into another operator; the last unit names the other operand. */
#define LOAD_PAIR(name, c_type, use, get, acc_)                                                    \
    LOAD_FORM(name, ADDRESS_1, 4, c_type, use(get(3)))                                             \
    WITH_ACC(LOAD_FORM(name##_A, ADDRESS_1A, 4, c_type, use(get(3)))                               \
                 LOAD_FORM(name##_C, ADDRESS_1, 4, c_type, use(acc_)))
#define LOAD_PAIR_K(name, c_type, use, get, acc_)                                                  \
    LOAD_FORM(name, ADDRESS_K, 5, c_type, use(get(4)))                                             \
    WITH_ACC(LOAD_FORM(name##_A, ADDRESS_KA, 5, c_type, use(get(4)))                               \
                 LOAD_FORM(name##_C, ADDRESS_K, 5, c_type, use(acc_)))
#define ADD_TO(b)          SET(1, v + (b))
#define MULTIPLY_BY(b)     SET(1, (uint32_t)v *(b))
#define XOR_WITH(b)        SET(1, v ^ (b))
#define F64_ADD_TO(b)      SETD(1, v + (b))
#define F64_MULTIPLY_BY(b) SETD(1, v *(b))

#define STORE_FORM(name, form, units, c_type, value)                                               \
    OP(name)                                                                                       \
    {                                                                                              \
        c_type v = (c_type)(value);                                                                \
        form(1, 3, sizeof(v)) memcpy(mem + ea, &v, sizeof(v));                                     \
        NEXT(units);                                                                               \
    }
#define STORE(name, c_type, get, acc_)                                                             \
    STORE_FORM(name##_O, ADDRESS_O, 4, c_type, get(2))                                             \
    FUSED_ACCESS(STORE_FORM(name, ADDRESS_1, 3, c_type, get(2))                                    \
                     STORE_FORM(name##_K, ADDRESS_K, 4, c_type, get(3))                            \
                         STORE_FORM(name##_R, ADDRESS_R, 4, c_type, get(3)))                       \
    WITH_ACC(STORE_FORM(name##_C, ADDRESS_1, 3, c_type, acc_)                                      \
                 STORE_FORM(name##_K_C, ADDRESS_K, 4, c_type, acc_))

/* The product is rounded before it is added: two operators. */
#define PRODUCT_F64_OF(name, get_a, get_c, expr)                                                   \
    OP(name)                                                                                       \
    {                                                                                              \
        double product = get_a * D(3), c = get_c;                                                  \
        SETD(1, (expr));                                                                           \
        NEXT(5);                                                                                   \
    }
#define PRODUCT_F64(name, expr)                                                                    \
    PRODUCT_F64_OF(name, D(2), D(4), expr)                                                         \
    WITH_ACC(PRODUCT_F64_OF(name##_A, acc_d, D(4), expr)                                           \
                 PRODUCT_F64_OF(name##_C, D(2), acc_d, expr))

/* A number of 32 or 64 bits, then the other operand. */
#define WORDS(i) ((uint64_t)WORD((i) + 2) << 32 | WORD(i))
#define CONSTANT_OF(name, units, statement)                                                        \
    OP(name)                                                                                       \
    {                                                                                              \
        statement;                                                                                 \
        NEXT(units);                                                                               \
    }
#define CONSTANT(name, units, set, value, get, acc_, op_)                                          \
    CONSTANT_OF(name, units, set(1, value op_ get((units)-1)))                                     \
    WITH_ACC(CONSTANT_OF(name##_C, units, set(1, value op_ acc_)))

/* The floats' handlers: all or, where they are not built in, none. */
#if SM_FLOATS
#define FLOATS                                                                                     \
    FLOAT_COMPARE(F32_EQ, F, ==)                                                                   \
    FLOAT_COMPARE(F32_NE, F, !=)                                                                   \
    FLOAT_COMPARE(F32_LT, F, <)                                                                    \
    FLOAT_COMPARE(F32_LE, F, <=)                                                                   \
    FLOAT_COMPARE(F64_EQ, D, ==)                                                                   \
    FLOAT_COMPARE(F64_NE, D, !=)                                                                   \
    FLOAT_COMPARE(F64_LT, D, <)                                                                    \
    FLOAT_COMPARE(F64_LE, D, <=)                                                                   \
    BINARY_F32(F32_ADD, a + b)                                                                     \
    BINARY_F32(F32_SUB, a - b)                                                                     \
    BINARY_F32(F32_MUL, (a * b))                                                                   \
    BINARY_F32(F32_DIV, a / b)                                                                     \
    BINARY_F64(F64_ADD, a + b)                                                                     \
    BINARY_F64_C(F64_SUB, a - b)                                                                   \
    BINARY_F64(F64_MUL, (a * b))                                                                   \
    BINARY_F64_C(F64_DIV, a / b)
#else
#define FLOATS
#endif

/* Those of fused operators likewise. */
#if SM_FUSED
#define SELECT_LESS(name, get_a, get_b)                                                            \
    OP(name)                                                                                       \
    {                                                                                              \
        SET(1, S(5 - (get_a < get_b)));                                                            \
        NEXT(6);                                                                                   \
    }
#define FUSED                                                                                      \
    OP(I32_INC)                                                                                    \
    {                                                                                              \
        SET(1, S(1) + (uint32_t)K(2));                                                             \
        NEXT(3);                                                                                   \
    }                                                                                              \
    OP(I32_INC_TWICE)                                                                              \
    {                                                                                              \
        S(1) += (uint32_t)K(2);                                                                    \
        S(3) += (uint32_t)K(4);                                                                    \
        NEXT(5);                                                                                   \
    }                                                                                              \
    INCREMENT_BRANCH(INC_BR_NE, S, a != b)                                                         \
    INCREMENT_BRANCH(INC_BR_NE_K, K, a != b)                                                       \
    INCREMENT_BRANCH(INC_BR_LT_S, S, (int32_t)a < (int32_t)b)                                      \
    INCREMENT_BRANCH(INC_BR_LT_U, S, a < b)                                                        \
    TERNARY32(I32_ADD_ADD, S, a + b + c)                                                           \
    TERNARY32_K(I32_ADD_ADD_K, S, a + b + c)                                                       \
    TERNARY32_K(I32_SHL_K_ADD_K, K, (a << b) + c)                                                  \
    TERNARY32(I32_MUL_ADD, S, a *b + c)                                                            \
    TERNARY32(I32_XOR_ADD, S, (a ^ b) + c)                                                         \
    TERNARY32(I32_SHL_K_ADD, K, (a << b) + c)                                                      \
    TERNARY32(I32_SHL_K_XOR, K, a << b ^ c)                                                        \
    TERNARY32(I32_SHR_U_K_XOR, K, a >> b ^ c)                                                      \
    TERNARY32(I32_ROTL_K_XOR, K, sm_rotl32(a, b) ^ c)                                              \
    TERNARY32_K(I32_XOR_SHL_K, S, (a ^ b) << c)                                                    \
    TERNARY32_K(I32_XOR_ROTL_K, S, sm_rotl32(a ^ b, c))                                            \
    TERNARY32_K(I32_SHR_U_K_AND_K, K, a >> b & c)                                                  \
    CONSTANT(CONST_32_AND, 5, SET, WORD(2), S, ACC, &)                                             \
    CONSTANT(CONST_32_MUL, 5, SET, WORD(2), S, ACC, *)                                             \
    CONSTANT(CONST_64_MUL, 7, SET64, WORDS(2), L, acc, *)                                          \
    CONSTANT_OF(I64_SHR_U_K_XOR, 5, SET64(1, L(2) >> K(3) ^ L(4)))                                 \
    WITH_ACC(CONSTANT_OF(I64_SHR_U_K_XOR_A, 5, SET64(1, acc >> K(3) ^ L(4)))                       \
                 CONSTANT_OF(I64_SHR_U_K_XOR_C, 5, SET64(1, L(2) >> K(3) ^ acc)))                  \
    SELECT_LESS(SELECT_LT_S, SI(2), SI(3))                                                         \
    SELECT_LESS(SELECT_LT_U, S(2), S(3))                                                           \
    WITH_ACC(SELECT_LESS(SELECT_LT_S_A, (int32_t)ACC, SI(3))                                       \
                 SELECT_LESS(SELECT_LT_U_A, ACC, S(3)))                                            \
    LOAD_PAIR(LOAD_32_ADD, uint32_t, ADD_TO, S, ACC)                                               \
    LOAD_PAIR_K(LOAD_32_K_ADD, uint32_t, ADD_TO, S, ACC)                                           \
    LOAD_PAIR(LOAD_16S_MUL, int16_t, MULTIPLY_BY, S, ACC)                                          \
    LOAD_PAIR_K(LOAD_16S_K_MUL, int16_t, MULTIPLY_BY, S, ACC)                                      \
    LOAD_PAIR_K(LOAD_8U_K_XOR, uint8_t, XOR_WITH, S, ACC)                                          \
    BINARY64_K(I64_ADD_K, a + b)                                                                   \
    BINARY64_K(I64_MUL_K, a *b)                                                                    \
    BINARY64_K(I64_AND_K, a &b)                                                                    \
    BINARY64_K(I64_OR_K, a | b)                                                                    \
    BINARY64_K(I64_XOR_K, a ^ b)                                                                   \
    BINARY64_K(I64_SHL_K, a << b)                                                                  \
    BINARY64_K(I64_SHR_S_K, (int64_t)a >> b)                                                       \
    BINARY64_K(I64_SHR_U_K, a >> b)                                                                \
    BINARY64_K(I64_ROTL_K, sm_rotl64(a, b))
#else
#define FUSED
#endif
#if SM_DOUBLE_PAIRS
#define FUSED_FLOATS                                                                               \
    CONSTANT(CONST_64_F64_MUL, 7, SETD, sm_f64(WORDS(2)), D, acc_d, *)                             \
    PRODUCT_F64(F64_MUL_ADD, product + c)                                                          \
    PRODUCT_F64(F64_MUL_SUB, c - product)                                                          \
    LOAD_PAIR(LOAD_64_F64_ADD, double, F64_ADD_TO, D, acc_d)                                       \
    LOAD_PAIR_K(LOAD_64_K_F64_ADD, double, F64_ADD_TO, D, acc_d)                                   \
    LOAD_PAIR(LOAD_64_F64_MUL, double, F64_MULTIPLY_BY, D, acc_d)                                  \
    LOAD_PAIR_K(LOAD_64_K_F64_MUL, double, F64_MULTIPLY_BY, D, acc_d)                              \
    WITH_ACC(STORE_FORM(STORE_64_D, ADDRESS_1, 3, double, acc_d)                                   \
                 STORE_FORM(STORE_64_K_D, ADDRESS_K, 4, double, acc_d))
#else
#define FUSED_FLOATS
#endif

#if SM_FUSED
/* What is kept takes no longer than other instructions, so that nobody looks at the epoch. */
#define FUSED_PASS                                                                                 \
    OP(PASS_A)                                                                                     \
    {                                                                                              \
        func = S(2);                                                                               \
        goto pass;                                                                                 \
    }                                                                                              \
    OP(PASS_K)                                                                                     \
    {                                                                                              \
        func = (uint32_t)K(2);                                                                     \
    pass: /* func: the second argument */                                                          \
        callee = &inst->imports[pc[4]];                                                            \
        if (callee->kept != NULL && func < end_4) {                                                \
            const struct sm_kept *k = sm_kept_find(callee->kept, S(1), callee->clock);             \
            if (k != NULL) {                                                                       \
                memcpy(mem + func, &k->value, 4);                                                  \
                fp[pc[5]] = 4;                                                                     \
                NEXT(6);                                                                           \
            }                                                                                      \
        }                                                                                          \
        base = pc[5];                                                                              \
        fp[base] = S(1);                                                                           \
        fp[base + 1] = func;                                                                       \
        fp[base + 2] = 4;                                                                          \
        NEXT(3);                                                                                   \
    }
#else
#define FUSED_PASS
#endif

/* The first address at which n bytes are outside. */
static inline uintptr_t end_of(const struct sm_wasm_memory *m, unsigned n)
{
    return m->size < n ? 0 : (uintptr_t)(m->size - n + 1);
}

/* What the handlers of plain operations add to the loop: their own state, or the way to thumb.S. */
#if SM_THUMB
#define HANDLER(name)  &&assembly
#define HANDLERS_STATE int left;
#define HANDLERS_RELOAD()
#else
#define HANDLER(name) &&L_##name
#define HANDLERS_STATE                                                                             \
    uintptr_t end_2, end_4, end_8;                                                                 \
    uint8_t *mem;                                                                                  \
    ACC_STATE ACC_DOUBLE_STATE
#define HANDLERS_RELOAD()                                                                          \
    do {                                                                                           \
        mem = inst->memory->base;                                                                  \
        end_2 = end_of(inst->memory, 2);                                                           \
        end_4 = end_of(inst->memory, 4);                                                           \
        end_8 = end_of(inst->memory, 8);                                                           \
    } while (0)
#endif

int sm_interpret(struct sm_wasm_exec *x)
{
    static const void *const table[] = {
#define X(name, operands) &&L_##name,
        SM_OPS_CONTROL(X)
#undef X
#define X(name, operands) HANDLER(name),
            SM_OPS_PLAIN(X)
#undef X
    };
    const void *const *labels = table;
    struct sm_wasm_inst *inst = x->inst;
    const uint16_t *pc = x->pc, *code;
    uint32_t *fp = x->fp;
    uintptr_t end_1;
    enum sm_wasm_trap trap;
    struct sm_bound_func found;
    const struct sm_bound_func *callee;
    uint32_t ret, base, func;
    HANDLERS_STATE

    /* Without this, gcc computes the table's address at every dispatch instead of keeping it. */
    __asm__("" : "+r"(labels));
    ret = SM_STUB_EXIT; /* for the first ENTER; every other comes from a call */
reload:                 /* inst is another, or its memory may have changed */
    x->inst = inst;
    code = inst->code;
    end_1 = end_of(inst->memory, 1);
    HANDLERS_RELOAD();
    DISPATCH();

    /* ---- Control */
    OP(UNREACHABLE)
    {
        TRAP(UNREACHABLE);
    }
    OP(EXIT)
    {
        x->state = SM_EXEC_DONE;
        return 0;
    }
    OP(ENTER)
    {
        uint32_t *p = fp + pc[2];

        if (pc[1] > (size_t)(x->stack_end - fp) || x->depth > x->max_depth) {
            x->depth--;
            pc = code + ret - 1; /* the trap is the caller's: this frame does not exist */
            fp -= *pc;
            TRAP(STACK);
        }
        *p++ = ret;
        for (uint32_t n = pc[3]; n > 0; n--) {
            *p++ = 0;
        }
        pc += 4;
        LOOK();
        DISPATCH();
    }
    OP(LOOK)
    {
        for (uint32_t n = pc[2]; n > 0; n--) {
            fp[pc[1] + n - 1] = 0;
        }
        pc += 3;
    look:
        __attribute__((unused));
        LOOK();
        DISPATCH();
    }
    OP(JUMP)
    {
        BRANCH(0, K(1));
    }
    OP(JUMP_FAR)
    {
        BRANCH(0, (int32_t)WORD(1));
    }
    BRANCH_TABLE(BR_TABLE, S(1))
    WITH_ACC(BRANCH_TABLE(BR_TABLE_A, ACC))
    OP(BR_TABLE_FAR)
    {
        uint32_t i = S(1) < WORD(2) ? S(1) : WORD(2);
        BRANCH(3 + 2 * i, (int32_t)WORD(4 + 2 * i));
    }
    OP(RETURN)
    {
        base = fp[pc[1]];
    leave:
        pc = code + base;
        fp -= pc[-1];
        if ((--x->depth & RETURNS) == 0 && base > SM_STUB_CROSS) { /* no pause in a stub */
            LOOK();
        }
        DISPATCH();
    }
    RETURN_WORD(RETURN_32, S(2))
    WITH_ACC(RETURN_WORD(RETURN_32_A, ACC))
    OP(RETURN_64)
    {
        base = fp[pc[1]];
        sm_set64(fp, L(2));
        goto leave;
    }
    OP(CALL)
    {
        func = pc[1];
        ret = (uint32_t)(pc + 3 - code);
        fp += pc[2];
    call_own: /* func, ret, fp */
        x->depth++;
        pc = code + inst->funcs[func].code;
        DISPATCH();
    }
    OP(CALL_IMPORT)
    {
        callee = &inst->imports[pc[1]];
        base = pc[2];
        pc += 3;
        goto call_bound;
    }
    OP(CALL_INDIRECT)
    {
        const struct sm_wasm_table *t = inst->tables[pc[2]];
        int err;

        if (S(3) < t->size) { /* mostly one of our own, of the right type */
            func = t->entries[S(3)] - 1 - inst->ref_base;
            if (func - inst->nimports < inst->nfuncs - inst->nimports &&
                inst->funcs[func].type == pc[1]) {
                ret = (uint32_t)(pc + 5 - code);
                fp += pc[4];
                goto call_own;
            }
        }
        err = sm_inst_indirect(inst, pc[2], pc[1], S(3), &found);
        if (err < 0) {
            trap = (enum sm_wasm_trap) - err;
            goto trapped;
        }
        callee = &found;
        base = pc[4];
        pc += 5;
    }
call_bound: /* callee, base; pc is where to go on */
    if (callee->host != NULL) {
        int err;

        x->pc = pc;
        x->fp = fp;
        err = callee->host(callee->ctx, inst, fp + base);
        if (err != 0) {
            uint32_t type = callee == &found ? pc[-4] : inst->funcs[pc[-2]].type;

            return host_stopped(x, err, fp + pc[-1], inst->types[type].result_words);
        }
        LOOK();
        if ((uintptr_t)inst->memory->size != end_1) {
            goto reload;
        }
        DISPATCH();
    }
    ret = (uint32_t)(pc - code);
    fp += base;
    func = callee->func;
    if (callee->inst != inst) {
        uint32_t *frame;

        if (callee->inst->native != NULL) {
            x->pc = pc;
            x->fp = fp - base;
            x->to = callee->inst;
            x->to_func = func;
            x->to_args = fp;
            return SM_RUN_NATIVE;
        }
        frame = cross(x, fp, inst, callee, ret, base);

        if (frame == NULL) {
            fp -= base;
            pc--;
            TRAP(STACK);
        }
        fp = frame;
        inst = callee->inst;
        x->depth++;
        pc = inst->code + inst->funcs[func].code;
        ret = SM_STUB_CROSS;
        goto reload;
    }
    goto call_own;
    OP(CROSS_RETURN)
    {
        uint32_t words = fp[1] >> 16;

        base = fp[1] & 0xffff;
        ret = fp[0];
        inst = (struct sm_wasm_inst *)(uintptr_t)sm_get64(fp + 2);
        memmove(fp, fp + CROSS_WORDS, words * sizeof(uint32_t));
        fp -= base;
        pc = inst->code + ret;
        LOOK();
        goto reload;
    }

    OP(RARE)
    {
        bool long_work = pc[1] >= OP_TABLE_GROW;
        int n = sm_rare(inst, fp, pc + 1);

        if (n < 0) {
            trap = (enum sm_wasm_trap) - n;
            goto trapped;
        }
        pc += n == 0 ? 0 : n + 1;
        if (long_work) {
            LOOK();
        }
        goto reload;
    }

#if SM_THUMB
assembly: /* in front of an operation that thumb.S has */
    x->pc = pc;
    x->fp = fp;
    left = sm_thumb_run(x);
    pc = x->pc;
    fp = x->fp;
    if (left == SM_THUMB_C) {
        DISPATCH();
    }
    if (left == SM_THUMB_TICKED) {
        goto ticked;
    }
    if (left == SM_THUMB_HOST) {
        const struct sm_image_type *t = &inst->types[inst->funcs[pc[-2]].type];
        int err = x->host_error;

        x->host_error = 0;
        return host_stopped(x, err, fp + pc[-1], t->result_words);
    }
    trap = (enum sm_wasm_trap)left;
    goto trapped;
#else

    /* ---- Branches and comparisons */
    BRANCH_ZERO(BR_NZ, S(2), !=)
    BRANCH_ZERO(BR_Z, S(2), ==)
    WITH_ACC(BRANCH_ZERO(BR_NZ_A, ACC, !=) BRANCH_ZERO(BR_Z_A, ACC, ==))
    BRANCH32(BR_EQ, a == b)
    BRANCH32(BR_NE, a != b)
    BRANCH32(BR_LT_S, (int32_t)a < (int32_t)b)
    BRANCH32(BR_LE_S, (int32_t)a <= (int32_t)b)
    BRANCH32(BR_LT_U, a < b)
    BRANCH32(BR_LE_U, a <= b)
    BRANCH32_K(BR_EQ_K, a == b)
    BRANCH32_K(BR_NE_K, a != b)
    BRANCH32_K(BR_LT_S_K, (int32_t)a < (int32_t)b)
    BRANCH32_K(BR_GE_S_K, (int32_t)a >= (int32_t)b)
    BRANCH32_K(BR_LT_U_K, a < b)
    BRANCH32_K(BR_GE_U_K, a >= b)
    COMPARE32(I32_EQ, a == b)
    COMPARE32(I32_NE, a != b)
    COMPARE32(I32_LT_S, (int32_t)a < (int32_t)b)
    COMPARE32(I32_LE_S, (int32_t)a <= (int32_t)b)
    COMPARE32(I32_LT_U, a < b)
    COMPARE32(I32_LE_U, a <= b)
    COMPARE32_K(I32_EQ_K, a == b)
    COMPARE32_K(I32_NE_K, a != b)
    COMPARE32_K(I32_LT_S_K, (int32_t)a < (int32_t)b)
    COMPARE32_K(I32_GE_S_K, (int32_t)a >= (int32_t)b)
    COMPARE32_K(I32_LT_U_K, a < b)
    COMPARE32_K(I32_GE_U_K, a >= b)
    COMPARE64(I64_EQ, a == b)
    COMPARE64(I64_NE, a != b)
    COMPARE64(I64_LT_S, (int64_t)a < (int64_t)b)
    COMPARE64(I64_LE_S, (int64_t)a <= (int64_t)b)
    COMPARE64(I64_LT_U, a < b)
    COMPARE64(I64_LE_U, a <= b)

    /* ---- Moves, globals, tables, memory */
    UNARY(COPY_32, SET(1, S(2)))
    OP(COPY_32_TWICE)
    {
        SET(1, S(2));
        S(3) = S(4);
        NEXT(5);
    }
    UNARY(COPY_64, SET64(1, L(2)))
    UNARY(CONST_K, SET(1, (uint32_t)K(2)))
    UNARY(CONST_64K, SET64(1, (uint64_t)(int64_t)K(2)))
    OP(CONST_32)
    {
        SET(1, WORD(2));
        NEXT(4);
    }
    OP(CONST_64)
    {
        SET64(1, WORDS(2));
        NEXT(6);
    }
    OP(SELECT_32)
    {
        SET(1, S(3 - (S(4) != 0))); /* no branch to mispredict, here and below */
        NEXT(5);
    }
    OP(SELECT_64)
    {
        SET64(1, L(3 - (S(4) != 0)));
        NEXT(5);
    }
    UNARY(GLOBAL_GET_32, SET(1, inst->globals[pc[2]]->value[0]))
    UNARY(GLOBAL_GET_64, SET64(1, sm_get64(inst->globals[pc[2]]->value)))
    UNARY(GLOBAL_SET_32, inst->globals[pc[1]]->value[0] = S(2))
    UNARY(GLOBAL_SET_64, sm_set64(inst->globals[pc[1]]->value, L(2)))
    OP(MEMORY_SIZE)
    {
        SET(1, inst->memory->pages);
        NEXT(2);
    }
    FUSED_PASS
    OP(ADDRESS)
    {
        uint32_t ea;

        if (__builtin_add_overflow(S(2), WORD(3), &ea)) {
            TRAP(MEMORY);
        }
        SET(1, ea);
        NEXT(5);
    }
    LOAD(LOAD_32, uint32_t, SET(1, v))
    LOAD(LOAD_64, uint64_t, SET64(1, v))
    LOAD(LOAD_8S, int8_t, SET(1, v))
    LOAD(LOAD_8U, uint8_t, SET(1, v))
    LOAD(LOAD_16S, int16_t, SET(1, v))
    LOAD(LOAD_16U, uint16_t, SET(1, v))
    LOAD_FORM(LOAD_8S_64_O, ADDRESS_O, 4, int8_t, SET64(1, (uint64_t)v))
    LOAD_FORM(LOAD_8U_64_O, ADDRESS_O, 4, uint8_t, SET64(1, v))
    LOAD_FORM(LOAD_16S_64_O, ADDRESS_O, 4, int16_t, SET64(1, (uint64_t)v))
    LOAD_FORM(LOAD_16U_64_O, ADDRESS_O, 4, uint16_t, SET64(1, v))
    LOAD_FORM(LOAD_32S_64_O, ADDRESS_O, 4, int32_t, SET64(1, (uint64_t)v))
    LOAD_FORM(LOAD_32U_64_O, ADDRESS_O, 4, uint32_t, SET64(1, v))
    STORE(STORE_8, uint8_t, S, ACC)
    STORE(STORE_16, uint16_t, S, ACC)
    STORE(STORE_32, uint32_t, S, ACC)
    STORE(STORE_64, uint64_t, L, acc)

    /* ---- Integers */
    UNARY(I32_EQZ, SET(1, S(2) == 0))
    UNARY(I64_EQZ, SET(1, L(2) == 0))
    WITH_ACC(UNARY(I64_EQZ_A, SET(1, acc == 0)))
    BINARY32(I32_ADD, a + b)
    BINARY32(I32_SUB, a - b)
    BINARY32(I32_MUL, a * b)
    BINARY32(I32_AND, a & b)
    BINARY32(I32_OR, a | b)
    BINARY32(I32_XOR, a ^ b)
    BINARY32(I32_SHL, a << (b & 31))
    BINARY32(I32_SHR_S, (int32_t)a >> (b & 31))
    BINARY32(I32_SHR_U, a >> (b & 31))
    BINARY32_OF(I32_ROTL, S(2), S(3), sm_rotl32(a, b))
    ADD_WORD(I32_ADD_W, S(2))
    WITH_ACC(ADD_WORD(I32_ADD_W_A, ACC))
    BINARY32_K(I32_ADD_K, a + b)
    BINARY32_K(I32_MUL_K, a * b)
    BINARY32_K(I32_AND_K, a & b)
    BINARY32_K(I32_OR_K, a | b)
    BINARY32_K(I32_XOR_K, a ^ b)
    BINARY32_K(I32_SHL_K, a << b)
    BINARY32_K(I32_SHR_S_K, (int32_t)a >> b)
    BINARY32_K(I32_SHR_U_K, a >> b)
    BINARY32_K(I32_ROTL_K, sm_rotl32(a, b))
    FUSED
    OP(I32_DIV_S)
    {
        int32_t a = SI(2), b = SI(3);

        if (b == 0) {
            TRAP(DIV_ZERO);
        }
        if (a == INT32_MIN && b == -1) {
            TRAP(OVERFLOW);
        }
        SET(1, (uint32_t)(a / b));
        NEXT(4);
    }
    OP(I32_DIV_U)
    {
        if (S(3) == 0) {
            TRAP(DIV_ZERO);
        }
        SET(1, S(2) / S(3));
        NEXT(4);
    }
    OP(I32_REM_S)
    {
        int32_t a = SI(2), b = SI(3);

        if (b == 0) {
            TRAP(DIV_ZERO);
        }
        SET(1, b == -1 ? 0 : (uint32_t)(a % b));
        NEXT(4);
    }
    OP(I32_REM_U)
    {
        if (S(3) == 0) {
            TRAP(DIV_ZERO);
        }
        SET(1, S(2) % S(3));
        NEXT(4);
    }
    BINARY64(I64_ADD, a + b)
    BINARY64(I64_SUB, a - b)
    BINARY64(I64_MUL, a * b)
    BINARY64(I64_AND, a & b)
    BINARY64(I64_OR, a | b)
    BINARY64(I64_XOR, a ^ b)
    BINARY64(I64_SHL, a << (b & 63))
    BINARY64(I64_SHR_S, (int64_t)a >> (b & 63))
    BINARY64(I64_SHR_U, a >> (b & 63))
    UNARY(I32_WRAP, SET(1, S(2)))
    UNARY(I64_EXTEND_S, SET64(1, (uint64_t)(int64_t)SI(2)))
    UNARY(I64_EXTEND_U, SET64(1, S(2)))
    UNARY(I32_EXTEND8, SET(1, (uint32_t)(int8_t)S(2)))
    UNARY(I32_EXTEND16, SET(1, (uint32_t)(int16_t)S(2)))

    FLOATS
    FUSED_FLOATS
outside:
    trap = SM_TRAP_MEMORY;
    goto trapped;
#endif

ticked:
    x->pc = pc;
    x->fp = fp;
    x->inst = inst;
    x->seen = sm_now(x);
    if (!sm_expired(x) || sm_pause(x) == 0) {
        goto reload;
    }
    return SM_ERR_EPOCH;

trapped:
    x->state = SM_EXEC_TRAPPED;
    x->trap = trap;
    x->pc = pc;
    x->fp = fp;
    return SM_ERR_TRAP;
}

int sm_wasm_run(struct sm_wasm_exec *x)
{
    int err;

    if (x->state != SM_EXEC_READY) {
        return SM_ERR_STATE;
    }
    if (x->pending_error < 0) {
        err = x->pending_error;
        x->pending_error = 0;
        return host_failed(x, err);
    }
    x->state = SM_EXEC_RUNNING;
    if (x->native != NULL) { /* resumed */
        return x->native->inst->native->run(x);
    }
    err = x->to != NULL ? SM_RUN_NATIVE : sm_interpret(x);
    return err == SM_RUN_NATIVE ? x->to->native->run(x) : err;
}

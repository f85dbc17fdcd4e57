/* The translator of one function, shared by its files: operand.c (the operand stack and what it
 * emits), branch.c (labels, blocks), operator.c (every other operator), pair.c, accumulator.c,
 * func.c.
 *
 * The rules of the operand stack, the frame and the scratch memory stand at the head of func.c.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_FN_H
#define SM_WASM_FN_H

#include <stdbool.h>
#include <string.h>
#include "image.h"
#include "ops.h"
#include "reader.h"

enum { IN_HOME, IN_LOCAL, IN_CONST };

struct operand {
    union {
        uint32_t lo; /* constant: its low word */
        struct {
            uint16_t local; /* IN_LOCAL: index */
            int16_t add;    /* not IN_CONST: the value is what is there plus this; i32 only */
        };
    };
    uint32_t hi; /* constant: its high word; IN_LOCAL: the next operand of that local */
    uint16_t home;
    uint8_t type; /* 0: any type (below a stack that is polymorphic) */
    uint8_t in;
};

struct block {                /* an open block; lies on the operand stack, BLOCK_CELLS cells */
    uint32_t outer;           /* the block around it: cell index, 0 for none */
    uint32_t jump;            /* one further out, chosen by jump_of() */
    uint32_t depth;           /* blocks around it */
    uint32_t params, results; /* offsets of the type codes */
    uint16_t nparams, nresults;
    uint32_t label;        /* loop: its start; else the last branch to its end, or SM_NONE */
    uint32_t else_site;    /* if: the branch to the else part; loop: see emit_table(); or SM_NONE */
    uint16_t home;         /* of the first operand inside */
    uint8_t op;            /* 0 the function, else the opcode (0x02 block 0x03 loop 0x04 if) */
    uint8_t dead : 1;      /* the rest cannot be reached: nothing is emitted */
    uint8_t any : 1;       /* the stack is polymorphic: it gives operands of any type */
    uint8_t else_dead : 1; /* if: the else part cannot be reached either */
    uint8_t has_else : 1;  /* if: the else part has begun */
};
#define BLOCK_CELLS (sizeof(struct block) / sizeof(struct operand))
_Static_assert(sizeof(struct block) % sizeof(struct operand) == 0, "blocks share the stack");

struct condition { /* a branch: OP_BR_... or OP_INC_BR_..., and its operands */
    uint32_t code, a, b;
    uint32_t k; /* OP_INC_BR_...: what a is increased by first */
};

struct local {
    uint32_t chain; /* topmost operand that stands for it: cell index + 1, 0 for none */
    uint16_t slot;
    uint8_t type, pad;
};

struct fn {
    struct sm_reader r;
    const struct sm_modinfo *mi;
    struct sm_func_job *job;
    struct local *locals;
    uint32_t nlocals;
    uint16_t *code;
    uint32_t n;          /* units emitted */
    struct operand *top; /* one past the highest cell; cell i is top[-1 - i] */
    uint32_t cells;
    uint32_t block; /* the innermost: index of its last cell + 1 */
    uint32_t home;  /* of the next operand */
    uint32_t max_home;
    uint32_t unsettled; /* operands that stand for a local; all lie in the innermost block */
    uint32_t low;       /* least n since the operator at work began: lower when it took code back */
    uint32_t look;      /* the latest look at the epoch that no way here goes past */
    uint32_t last, last_dst; /* positions of an instruction and of its destination, or SM_NONE */
    uint32_t prev;           /* of the instruction just before `last`, or SM_NONE */
    uint32_t finished;       /* instructions that begin before this stay as they are */
    uint16_t acc_slot;       /* whose value the accumulator holds */
    uint8_t acc_holds;       /* how much of it (accumulator.c); 0: it holds none */
    uint16_t header;         /* slot of the return address */
    bool far, too_far;
    uint32_t at;      /* offset of the operator at work */
    uint32_t last_at; /* and of the one that emitted `last` */
    uint32_t blame;   /* of the one that a trap of what is being emitted belongs to */
};

void sm_fn_spend_many(struct fn *f, uint32_t steps);

static inline struct operand *cell(struct fn *f, uint32_t i)
{
    return f->top - 1 - i;
}

static inline struct block *block_at(struct fn *f, uint32_t end)
{
    return (struct block *)(void *)cell(f, end - 1);
}

static inline struct block *inner(struct fn *f)
{
    return block_at(f, f->block);
}

static inline bool dead(struct fn *f)
{
    return f->r.err != 0 || inner(f)->dead;
}

/* Pay for work that grows with more than the bytes being read, where a few steps are free. */
#define SM_FREE_STEPS 4u
static inline void sm_fn_spend(struct fn *f, uint32_t steps)
{
    if (steps > SM_FREE_STEPS) {
        sm_fn_spend_many(f, steps);
    }
}

static inline bool is_value_type(uint8_t t)
{
    return (t >= SM_WASM_F64 && t <= SM_WASM_I32) || t == SM_WASM_FUNCREF || t == SM_WASM_EXTERNREF;
}

/* Code without a look at the epoch has at most so many units, at least two an instruction: with 16
 * returns without one, fewer than 10,000 instructions. Also the most words that one instruction
 * clears. */
#define SM_LOOK_UNITS 1024u

/* Where an operand lies that is no constant, before anything is added to it. */
static inline uint32_t sm_fn_place(struct fn *f, const struct operand *o)
{
    return o->in == IN_LOCAL ? f->locals[o->local].slot : o->home;
}

/* The last instruction computed this operand into its home, and may compute it elsewhere or become
 * part of another instead: nobody else knows of it. */
static inline bool sm_fn_is_last(struct fn *f, const struct operand *o)
{
    return o->in == IN_HOME && o->add == 0 && f->last != SM_NONE && f->last_dst != SM_NONE &&
           f->code[f->last_dst] == o->home;
}

/* Reading it takes no instruction before. */
static inline bool sm_fn_at_hand(const struct operand *o)
{
    return o->in != IN_CONST && o->add == 0;
}

/* operand.c */
void sm_fn_fail(struct fn *f, int err, const char *rule);
void sm_fn_invalid(struct fn *f, const char *rule);
bool sm_fn_room(struct fn *f, uint32_t units, uint32_t cells);
#define SM_CODE_ROOM 10u /* the longest instruction but br_table */
void sm_fn_code_room(struct fn *f);
void sm_fn_unit(struct fn *f, uint32_t value);
void sm_fn_look(struct fn *f, uint32_t first, uint32_t count);
void sm_fn_op(struct fn *f, uint32_t code);
void sm_fn_take_back(struct fn *f);
void sm_fn_op_dst(struct fn *f, uint32_t code, uint32_t dst);
void sm_fn_word(struct fn *f, uint32_t value);
void sm_fn_double(struct fn *f, uint32_t code);
bool sm_fn_fits_k(uint32_t lo, uint32_t hi, bool wide);
void sm_fn_load_const(struct fn *f, const struct operand *o, uint32_t dst);
void sm_fn_copy(struct fn *f, uint8_t type, uint32_t dst, uint32_t src);
void sm_fn_move_to(struct fn *f, const struct operand *o, uint32_t dst);
uint32_t sm_fn_push(struct fn *f, uint8_t type);
void sm_fn_push_const(struct fn *f, uint8_t type, uint32_t lo, uint32_t hi);
void sm_fn_push_local(struct fn *f, uint32_t index);
bool sm_fn_push_sum(struct fn *f, const struct operand *a, int32_t k);
void sm_fn_pop_to(struct fn *f, uint8_t type, struct operand *o);
static inline struct operand sm_fn_pop(struct fn *f, uint8_t type)
{
    struct operand o;

    sm_fn_pop_to(f, type, &o);
    return o;
}
uint32_t sm_fn_slot(struct fn *f, const struct operand *o);
void sm_fn_settle_local(struct fn *f, uint32_t x);
void sm_fn_settle_locals(struct fn *f);
void sm_fn_settle_top(struct fn *f, uint32_t n);
uint8_t sm_fn_type_code(struct fn *f, uint32_t off, uint32_t i);
void sm_fn_push_types(struct fn *f, uint32_t off, uint32_t n);
void sm_fn_pop_types(struct fn *f, uint32_t off, uint32_t n);
void sm_fn_check_types(struct fn *f, uint32_t off, uint32_t n);

/* branch.c */
void sm_fn_br(struct fn *f);
void sm_fn_br_if(struct fn *f);
void sm_fn_br_table(struct fn *f);
void sm_fn_else(struct fn *f);
void sm_fn_end(struct fn *f);
void sm_fn_return(struct fn *f, uint32_t n);
bool sm_fn_fuse(struct fn *f, const struct operand *cond, struct condition *c);
void sm_fn_mark_dead(struct fn *f);
void sm_fn_block(struct fn *f, uint8_t opcode);
void sm_fn_opposite(struct condition *c);

/* pair.c; or, where nothing is fused, that there is no pair */
#if SM_FUSED
bool sm_fn_pair(struct fn *f, uint32_t second, const struct operand *first, uint32_t other,
                uint32_t dst);
bool sm_fn_pair_select(struct fn *f, const struct operand *c, uint32_t a, uint32_t b, uint32_t dst);
void sm_fn_pair_branch(struct fn *f, const struct block *b, struct condition *c);
void sm_fn_increment(struct fn *f, uint32_t slot, int32_t k);
#else
static inline bool sm_fn_pair(struct fn *f, uint32_t second, const struct operand *first,
                              uint32_t other, uint32_t dst)
{
    (void)f, (void)second, (void)first, (void)other, (void)dst;
    return false;
}
static inline bool sm_fn_pair_select(struct fn *f, const struct operand *c, uint32_t a, uint32_t b,
                                     uint32_t dst)
{
    (void)f, (void)c, (void)a, (void)b, (void)dst;
    return false;
}
static inline void sm_fn_pair_branch(struct fn *f, const struct block *b, struct condition *c)
{
    (void)f, (void)b, (void)c;
}
static inline void sm_fn_increment(struct fn *f, uint32_t slot, int32_t k)
{
    (void)f, (void)slot, (void)k; /* never asked for */
}
#endif

/* accumulator.c; or nothing, where results are only in their slots */
#if SM_ACCUMULATOR
void sm_fn_finish(struct fn *f);
#else
static inline void sm_fn_finish(struct fn *f)
{
    (void)f;
}
#endif

/* The last instruction may not change any more. */
static inline void sm_fn_seal(struct fn *f)
{
    if (f->last != SM_NONE) {
        sm_fn_finish(f);
    }
    f->last = SM_NONE;
}

/* Nor is it known what was executed before the next. */
static inline void sm_fn_forget(struct fn *f)
{
    sm_fn_seal(f);
    f->acc_holds = 0;
}

/* operator.c */
void sm_fn_operator(struct fn *f, uint8_t opcode);

#endif

/* Two operators in one instruction: which pairs there are, and taking the first back for them.
 *
 * An instruction is fetched, decoded and dispatched at a cost that is most of what a simple
 * operator takes, and a result that only the next operator wants is stored for nothing. The pairs
 * are those that compiled code is full of: address and index arithmetic, shift and mask, multiply
 * and add, the mixing steps of hashes, an operand straight from memory, counters at the ends of
 * loops.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fn.h"

#if SM_FUSED

/* clang-format off */ /* one pair a line: the first, the second, both */
#define PAIRS_INTEGER(X)                                                                           \
    X(LOAD_32, I32_ADD, LOAD_32_ADD)                                                               \
    X(LOAD_32_K, I32_ADD, LOAD_32_K_ADD)                                                           \
    X(LOAD_16S, I32_MUL, LOAD_16S_MUL)                                                             \
    X(LOAD_16S_K, I32_MUL, LOAD_16S_K_MUL)                                                         \
    X(LOAD_8U_K, I32_XOR, LOAD_8U_K_XOR)                                                           \
    X(I32_ADD, I32_ADD, I32_ADD_ADD)                                                               \
    X(I32_ADD, I32_ADD_K, I32_ADD_ADD_K)                                                           \
    X(I32_SHL_K, I32_ADD_K, I32_SHL_K_ADD_K)                                                       \
    X(I32_MUL, I32_ADD, I32_MUL_ADD)                                                               \
    X(I32_XOR, I32_ADD, I32_XOR_ADD)                                                               \
    X(I32_SHL_K, I32_ADD, I32_SHL_K_ADD)                                                           \
    X(I32_SHL_K, I32_XOR, I32_SHL_K_XOR)                                                           \
    X(I32_SHR_U_K, I32_XOR, I32_SHR_U_K_XOR)                                                       \
    X(I32_ROTL_K, I32_XOR, I32_ROTL_K_XOR)                                                         \
    X(I32_XOR, I32_SHL_K, I32_XOR_SHL_K)                                                           \
    X(I32_XOR, I32_ROTL_K, I32_XOR_ROTL_K)                                                         \
    X(I32_SHR_U_K, I32_AND_K, I32_SHR_U_K_AND_K)                                                   \
    X(I64_SHR_U_K, I64_XOR, I64_SHR_U_K_XOR)                                                       \
    X(CONST_32, I32_AND, CONST_32_AND)                                                             \
    X(CONST_32, I32_MUL, CONST_32_MUL)                                                             \
    X(CONST_64, I64_MUL, CONST_64_MUL)                                                             \
    X(I32_LT_S, SELECT_32, SELECT_LT_S)                                                            \
    X(I32_LT_U, SELECT_32, SELECT_LT_U)

#if SM_DOUBLE_PAIRS
#define PAIRS_FLOAT(X)                                                                             \
    X(LOAD_64, F64_ADD, LOAD_64_F64_ADD)                                                           \
    X(LOAD_64_K, F64_ADD, LOAD_64_K_F64_ADD)                                                       \
    X(LOAD_64, F64_MUL, LOAD_64_F64_MUL)                                                           \
    X(LOAD_64_K, F64_MUL, LOAD_64_K_F64_MUL)                                                       \
    X(CONST_64, F64_MUL, CONST_64_F64_MUL)                                                         \
    X(F64_MUL, F64_ADD, F64_MUL_ADD)                                                               \
    X(F64_MUL, F64_SUB, F64_MUL_SUB)
#else
#define PAIRS_FLOAT(X)
#endif
/* clang-format on */
#define PAIRS(X) PAIRS_INTEGER(X) PAIRS_FLOAT(X)

static const struct {
    uint16_t first, second, both;
} pairs[] = {
#define X(first, second, both) {OP_##first, OP_##second, OP_##both},
    PAIRS(X)
#undef X
};

/* Which first operators there are, and which second ones, modulo 32: most others need no search. */
#define BIT(op)                (1u << (op) % 32)
#define X(first, second, both) | BIT(OP_##first)
static const uint32_t firsts = 0 PAIRS(X);
#undef X
#define X(first, second, both) | BIT(OP_##second)
static const uint32_t seconds = 0 PAIRS(X);
#undef X

/* The instruction for both, or 0. */
static uint32_t both_of(uint32_t first, uint32_t second)
{
    if (!(firsts & BIT(first)) || !(seconds & BIT(second))) {
        return 0;
    }
    for (uint32_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (pairs[i].second == second && pairs[i].first == first) {
            return pairs[i].both;
        }
    }
    return 0;
}

/* Replace the last instruction, which computed `first`, by one that does `second` with it too, if
 * there is one: its operands are the replaced one's, for the caller to add the second's to. */
static bool join(struct fn *f, uint32_t second, const struct operand *first, uint32_t dst)
{
    uint16_t operands[4];
    uint32_t n, op;

    if (!sm_fn_is_last(f, first) || (op = both_of(f->code[f->last], second)) == 0) {
        return false;
    }
    n = f->n - f->last - 2; /* without operation and destination; at most four */
    for (uint32_t i = 0; i < n; i++) {
        operands[i] = f->code[f->last + 2 + i];
    }
    if (f->code[f->last] >= OP_LOAD_32_O && f->code[f->last] <= OP_STORE_64_R) {
        f->blame = f->last_at; /* only its load can trap */
    }
    sm_fn_take_back(f);
    sm_fn_op_dst(f, op, dst);
    for (uint32_t i = 0; i < n; i++) {
        sm_fn_unit(f, operands[i]);
    }
    return true;
}

/* other: the second's other operand, a slot or a number. Nothing may have to be computed for it. */
bool sm_fn_pair(struct fn *f, uint32_t second, const struct operand *first, uint32_t other,
                uint32_t dst)
{
    if (!join(f, second, first, dst)) {
        return false;
    }
    sm_fn_unit(f, other);
    return true;
}

bool sm_fn_pair_select(struct fn *f, const struct operand *c, uint32_t a, uint32_t b, uint32_t dst)
{
    if (!join(f, OP_SELECT_32, c, dst)) {
        return false;
    }
    sm_fn_unit(f, a);
    sm_fn_unit(f, b);
    return true;
}

/* Add k to a slot; two such in a row are one instruction. */
void sm_fn_increment(struct fn *f, uint32_t slot, int32_t k)
{
    if (f->last != SM_NONE && f->code[f->last] == OP_I32_INC) {
        sm_fn_double(f, OP_I32_INC_TWICE);
    } else {
        sm_fn_op(f, OP_I32_INC);
    }
    sm_fn_unit(f, slot);
    sm_fn_unit(f, (uint32_t)k);
}

/* The last increment is taken back for the branch to do; of two, the first stays. */
static void take_increment(struct fn *f)
{
    if (f->code[f->last] == OP_I32_INC) {
        sm_fn_take_back(f);
        return;
    }
    f->code[f->last] = OP_I32_INC;
    f->n -= 2;
    if (f->n < f->low) {
        f->low = f->n;
    }
}

/* A branch to a loop on what was just increased: c becomes one that increases it. */
void sm_fn_pair_branch(struct fn *f, const struct block *b, struct condition *c)
{
    struct condition both = {.a = c->a, .b = c->b};

    if (b->op != 0x03 || f->last == SM_NONE ||
        (f->code[f->last] != OP_I32_INC && f->code[f->last] != OP_I32_INC_TWICE)) {
        return;
    }
    switch (c->code) {
    case OP_BR_NZ:
        both.code = OP_INC_BR_NE_K;
        both.b = 0;
        break;
    case OP_BR_NE_K: both.code = OP_INC_BR_NE_K; break;
    case OP_BR_NE:
        both.code = OP_INC_BR_NE;
        if (c->b == f->code[f->n - 2]) {
            both.a = c->b;
            both.b = c->a;
        }
        break;
    case OP_BR_LT_S: both.code = OP_INC_BR_LT_S; break;
    case OP_BR_LT_U: both.code = OP_INC_BR_LT_U; break;
    default: return;
    }
    if (both.a != f->code[f->n - 2]) {
        return;
    }
    both.k = f->code[f->n - 1];
    take_increment(f);
    *c = both;
}

#endif

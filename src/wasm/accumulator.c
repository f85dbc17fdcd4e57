/* Operands from the accumulator: the result of the operator before, which the loop keeps in a
 * register besides writing it to its slot.
 *
 * A processor that executes many instructions at once waits for chains of them: an operand read
 * back from the slot that was just written takes five cycles, from a register none. Half of all
 * operators that compiled code executes take what the one before computed.
 *
 * An instruction is looked at when the next one begins, or a label: until then it may change. Only
 * its operation becomes another; its units stay as many, so that no distance changes and positions
 * mean the same for whoever looks for a trap. What the accumulator holds is known as long as the
 * code is straight: not at labels, and neither at looks at the epoch, where an execution may rest.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fn.h"

#if SM_ACCUMULATOR

/* What the accumulator holds; UNTOUCHED: what it held before. */
enum { NOTHING, WORD, LONG, DOUBLE, UNTOUCHED };

/* By the first letter of the operands, as ops.h has them. */
#define RESULT(letter)                                                                             \
    ((letter) == 'd'                      ? WORD                                                   \
     : (letter) == 'q'                    ? LONG                                                   \
     : (letter) == 'D'                    ? DOUBLE                                                 \
     : (letter) == 'a' || (letter) == 'o' ? UNTOUCHED /* stores and branches */                    \
                                          : NOTHING)
static const uint8_t results[] = {
#define X(name, operands) RESULT(operands[0]),
    SM_OPS_HOT(X)
#undef X
};

/* How an operation may take an operand from there: in which form, the operand's unit, what has to
 * be there, and whether the operands in units 2 and 3 may change places for it. */
struct way {
    uint16_t form;
    uint8_t unit, holds;
    bool swaps;
};
#define WAYS 2
/* clang-format off */ /* one operation a line */
#define FIRST(op, holds)      {OP_##op##_A, 2, holds, false}
#define EITHER(op, holds)     {OP_##op##_A, 2, holds, true}
#define LAST(op, unit, holds) {OP_##op##_C, unit, holds, false}

static const struct way ways[SM_ACC_FIRST][WAYS] = {
    [OP_BR_NZ] = {FIRST(BR_NZ, WORD)},
    [OP_BR_Z] = {FIRST(BR_Z, WORD)},
    [OP_BR_EQ] = {EITHER(BR_EQ, WORD)},
    [OP_BR_NE] = {EITHER(BR_NE, WORD)},
    [OP_BR_LT_S] = {FIRST(BR_LT_S, WORD)},
    [OP_BR_LE_S] = {FIRST(BR_LE_S, WORD)},
    [OP_BR_LT_U] = {FIRST(BR_LT_U, WORD)},
    [OP_BR_LE_U] = {FIRST(BR_LE_U, WORD)},
    [OP_BR_EQ_K] = {FIRST(BR_EQ_K, WORD)},
    [OP_BR_NE_K] = {FIRST(BR_NE_K, WORD)},
    [OP_BR_LT_S_K] = {FIRST(BR_LT_S_K, WORD)},
    [OP_BR_GE_S_K] = {FIRST(BR_GE_S_K, WORD)},
    [OP_BR_LT_U_K] = {FIRST(BR_LT_U_K, WORD)},
    [OP_BR_GE_U_K] = {FIRST(BR_GE_U_K, WORD)},
    [OP_BR_TABLE] = {{OP_BR_TABLE_A, 1, WORD, false}},
    [OP_RETURN_32] = {FIRST(RETURN_32, WORD)},
    [OP_I32_ADD] = {EITHER(I32_ADD, WORD)},
    [OP_I32_SUB] = {FIRST(I32_SUB, WORD)},
    [OP_I32_MUL] = {EITHER(I32_MUL, WORD)},
    [OP_I32_AND] = {EITHER(I32_AND, WORD)},
    [OP_I32_OR] = {EITHER(I32_OR, WORD)},
    [OP_I32_XOR] = {EITHER(I32_XOR, WORD)},
    [OP_I32_SHL] = {FIRST(I32_SHL, WORD)},
    [OP_I32_SHR_S] = {FIRST(I32_SHR_S, WORD)},
    [OP_I32_SHR_U] = {FIRST(I32_SHR_U, WORD)},
    [OP_I32_ADD_K] = {FIRST(I32_ADD_K, WORD)},
    [OP_I32_MUL_K] = {FIRST(I32_MUL_K, WORD)},
    [OP_I32_AND_K] = {FIRST(I32_AND_K, WORD)},
    [OP_I32_OR_K] = {FIRST(I32_OR_K, WORD)},
    [OP_I32_XOR_K] = {FIRST(I32_XOR_K, WORD)},
    [OP_I32_SHL_K] = {FIRST(I32_SHL_K, WORD)},
    [OP_I32_SHR_S_K] = {FIRST(I32_SHR_S_K, WORD)},
    [OP_I32_SHR_U_K] = {FIRST(I32_SHR_U_K, WORD)},
    [OP_I32_ROTL_K] = {FIRST(I32_ROTL_K, WORD)},
    [OP_I32_ADD_W] = {FIRST(I32_ADD_W, WORD)},
    [OP_LOAD_32] = {FIRST(LOAD_32, WORD)},
    [OP_LOAD_64] = {FIRST(LOAD_64, WORD)},
    [OP_LOAD_8S] = {FIRST(LOAD_8S, WORD)},
    [OP_LOAD_8U] = {FIRST(LOAD_8U, WORD)},
    [OP_LOAD_16S] = {FIRST(LOAD_16S, WORD)},
    [OP_LOAD_16U] = {FIRST(LOAD_16U, WORD)},
    [OP_LOAD_32_K] = {FIRST(LOAD_32_K, WORD)},
    [OP_LOAD_64_K] = {FIRST(LOAD_64_K, WORD)},
    [OP_LOAD_8S_K] = {FIRST(LOAD_8S_K, WORD)},
    [OP_LOAD_8U_K] = {FIRST(LOAD_8U_K, WORD)},
    [OP_LOAD_16S_K] = {FIRST(LOAD_16S_K, WORD)},
    [OP_LOAD_16U_K] = {FIRST(LOAD_16U_K, WORD)},
    [OP_STORE_8] = {LAST(STORE_8, 2, WORD)},
    [OP_STORE_16] = {LAST(STORE_16, 2, WORD)},
    [OP_STORE_32] = {LAST(STORE_32, 2, WORD)},
    [OP_STORE_8_K] = {LAST(STORE_8_K, 3, WORD)},
    [OP_STORE_16_K] = {LAST(STORE_16_K, 3, WORD)},
    [OP_STORE_32_K] = {LAST(STORE_32_K, 3, WORD)},
    [OP_I32_ADD_ADD] = {EITHER(I32_ADD_ADD, WORD), LAST(I32_ADD_ADD, 4, WORD)},
    [OP_I32_MUL_ADD] = {EITHER(I32_MUL_ADD, WORD), LAST(I32_MUL_ADD, 4, WORD)},
    [OP_I32_XOR_ADD] = {EITHER(I32_XOR_ADD, WORD), LAST(I32_XOR_ADD, 4, WORD)},
    [OP_I32_SHL_K_ADD] = {FIRST(I32_SHL_K_ADD, WORD), LAST(I32_SHL_K_ADD, 4, WORD)},
    [OP_I32_SHL_K_XOR] = {FIRST(I32_SHL_K_XOR, WORD), LAST(I32_SHL_K_XOR, 4, WORD)},
    [OP_I32_SHR_U_K_XOR] = {FIRST(I32_SHR_U_K_XOR, WORD), LAST(I32_SHR_U_K_XOR, 4, WORD)},
    [OP_I32_ROTL_K_XOR] = {FIRST(I32_ROTL_K_XOR, WORD), LAST(I32_ROTL_K_XOR, 4, WORD)},
    [OP_I32_ADD_ADD_K] = {EITHER(I32_ADD_ADD_K, WORD)},
    [OP_I32_SHL_K_ADD_K] = {FIRST(I32_SHL_K_ADD_K, WORD)},
    [OP_I32_XOR_SHL_K] = {EITHER(I32_XOR_SHL_K, WORD)},
    [OP_I32_XOR_ROTL_K] = {EITHER(I32_XOR_ROTL_K, WORD)},
    [OP_I32_SHR_U_K_AND_K] = {FIRST(I32_SHR_U_K_AND_K, WORD)},
    [OP_SELECT_LT_S] = {FIRST(SELECT_LT_S, WORD)},
    [OP_SELECT_LT_U] = {FIRST(SELECT_LT_U, WORD)},
    [OP_LOAD_32_ADD] = {FIRST(LOAD_32_ADD, WORD), LAST(LOAD_32_ADD, 3, WORD)},
    [OP_LOAD_16S_MUL] = {FIRST(LOAD_16S_MUL, WORD), LAST(LOAD_16S_MUL, 3, WORD)},
    [OP_LOAD_32_K_ADD] = {FIRST(LOAD_32_K_ADD, WORD), LAST(LOAD_32_K_ADD, 4, WORD)},
    [OP_LOAD_16S_K_MUL] = {FIRST(LOAD_16S_K_MUL, WORD), LAST(LOAD_16S_K_MUL, 4, WORD)},
    [OP_LOAD_8U_K_XOR] = {FIRST(LOAD_8U_K_XOR, WORD), LAST(LOAD_8U_K_XOR, 4, WORD)},
    [OP_CONST_32_AND] = {LAST(CONST_32_AND, 4, WORD)},
    [OP_CONST_32_MUL] = {LAST(CONST_32_MUL, 4, WORD)},
    [OP_I64_EQZ] = {FIRST(I64_EQZ, LONG)},
    [OP_I64_ADD] = {EITHER(I64_ADD, LONG)},
    [OP_I64_SUB] = {FIRST(I64_SUB, LONG)},
    [OP_I64_MUL] = {EITHER(I64_MUL, LONG)},
    [OP_I64_AND] = {EITHER(I64_AND, LONG)},
    [OP_I64_OR] = {EITHER(I64_OR, LONG)},
    [OP_I64_XOR] = {EITHER(I64_XOR, LONG)},
    [OP_I64_SHL] = {FIRST(I64_SHL, LONG)},
    [OP_I64_SHR_S] = {FIRST(I64_SHR_S, LONG)},
    [OP_I64_SHR_U] = {FIRST(I64_SHR_U, LONG)},
    [OP_I64_ADD_K] = {FIRST(I64_ADD_K, LONG)},
    [OP_I64_MUL_K] = {FIRST(I64_MUL_K, LONG)},
    [OP_I64_AND_K] = {FIRST(I64_AND_K, LONG)},
    [OP_I64_OR_K] = {FIRST(I64_OR_K, LONG)},
    [OP_I64_XOR_K] = {FIRST(I64_XOR_K, LONG)},
    [OP_I64_SHL_K] = {FIRST(I64_SHL_K, LONG)},
    [OP_I64_SHR_S_K] = {FIRST(I64_SHR_S_K, LONG)},
    [OP_I64_SHR_U_K] = {FIRST(I64_SHR_U_K, LONG)},
    [OP_I64_ROTL_K] = {FIRST(I64_ROTL_K, LONG)},
    [OP_I64_SHR_U_K_XOR] = {FIRST(I64_SHR_U_K_XOR, LONG), LAST(I64_SHR_U_K_XOR, 4, LONG)},
    [OP_CONST_64_MUL] = {LAST(CONST_64_MUL, 6, LONG)},
#if SM_DOUBLE_PAIRS
    [OP_STORE_64] = {LAST(STORE_64, 2, LONG), {OP_STORE_64_D, 2, DOUBLE, false}},
    [OP_STORE_64_K] = {LAST(STORE_64_K, 3, LONG), {OP_STORE_64_K_D, 3, DOUBLE, false}},
    [OP_F64_ADD] = {EITHER(F64_ADD, DOUBLE)},
    [OP_F64_SUB] = {FIRST(F64_SUB, DOUBLE), LAST(F64_SUB, 3, DOUBLE)},
    [OP_F64_MUL] = {EITHER(F64_MUL, DOUBLE)},
    [OP_F64_DIV] = {FIRST(F64_DIV, DOUBLE), LAST(F64_DIV, 3, DOUBLE)},
    [OP_F64_MUL_ADD] = {EITHER(F64_MUL_ADD, DOUBLE), LAST(F64_MUL_ADD, 4, DOUBLE)},
    [OP_F64_MUL_SUB] = {EITHER(F64_MUL_SUB, DOUBLE), LAST(F64_MUL_SUB, 4, DOUBLE)},
    [OP_LOAD_64_F64_ADD] = {FIRST(LOAD_64_F64_ADD, WORD), LAST(LOAD_64_F64_ADD, 3, DOUBLE)},
    [OP_LOAD_64_F64_MUL] = {FIRST(LOAD_64_F64_MUL, WORD), LAST(LOAD_64_F64_MUL, 3, DOUBLE)},
    [OP_LOAD_64_K_F64_ADD] = {FIRST(LOAD_64_K_F64_ADD, WORD), LAST(LOAD_64_K_F64_ADD, 4, DOUBLE)},
    [OP_LOAD_64_K_F64_MUL] = {FIRST(LOAD_64_K_F64_MUL, WORD), LAST(LOAD_64_K_F64_MUL, 4, DOUBLE)},
    [OP_CONST_64_F64_MUL] = {LAST(CONST_64_F64_MUL, 6, DOUBLE)},
#else
    [OP_STORE_64] = {LAST(STORE_64, 2, LONG)},
    [OP_STORE_64_K] = {LAST(STORE_64_K, 3, LONG)},
#endif
};

/* clang-format on */

/* The form in which the instruction takes what is there, or 0. */
static uint32_t choose_form(const struct fn *f, const struct way *w, uint16_t *code)
{
    for (int i = 0; i < WAYS; i++) {
        if (w[i].holds == f->acc_holds && code[w[i].unit] == f->acc_slot) {
            return w[i].form;
        }
    }
    if (w->swaps && w->holds == f->acc_holds && code[3] == f->acc_slot) {
        code[3] = code[2];
        code[2] = f->acc_slot;
        return w->form;
    }
    return 0;
}

/* The last instruction stays as it is: what it takes from the accumulator, what it leaves there. */
void sm_fn_finish(struct fn *f)
{
    uint16_t *code = f->code + f->last;
    uint32_t op = code[0], form = 0;

    if (f->r.err != 0 || f->last < f->finished) { /* those behind it were taken back */
        return;
    }
    f->finished = f->last + 1;
    if (op == OP_RARE) {
        f->acc_holds = NOTHING;
        return;
    }
    if (f->acc_holds != NOTHING && ways[op][0].form != 0 &&
        (form = choose_form(f, ways[op], code)) != 0) {
        code[0] = (uint16_t)form;
    }
    if (results[op] != UNTOUCHED) {
        f->acc_holds = results[op];
        f->acc_slot = code[1];
    }
}

#endif

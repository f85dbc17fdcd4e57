/* The two instruction sets: Wasm's numeric operators (what they take, give and become) and the
 * image's own operations.
 *
 * Image instructions are 16-bit units: the operation, then operands. a b c are frame slots of
 * operands, k a 16-bit immediate (sign extended), w a 32-bit number in two units, low first, o a
 * branch distance from the instruction's start (l: that of a loop's end, which first changes a
 * slot). The slot of a result is d, q or D where the result, of 32 or 64 bits or an f64, stays in
 * the accumulator too, and e where it does not. A is an operand that is taken from the accumulator;
 * its unit is there, but not looked at. Shifts by a number are by less than the width.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASM_OPS_H
#define SM_WASM_OPS_H

#include <sandmote/config.h>
#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>
#endif

/* clang-format off */ /* one operation a line */

/* X(name, operands). The order within a family matters where a comment says so. */
#define SM_OPS_CONTROL(X)                                                                          \
    X(RARE, "")                                                                                    \
    X(UNREACHABLE, "")                                                                             \
    X(EXIT, "")                                                                                    \
    X(CROSS_RETURN, "")                                                                            \
    X(ENTER,                                                                                       \
      "frame header zero") /* words: whole frame, slot of return address, locals to clear */       \
    X(LOOK, "first count") /* at the epoch, after count words from first were cleared */           \
    X(JUMP, "o")                                                                                   \
    X(JUMP_FAR, "w")                                                                               \
    X(BR_TABLE, "a n o...")                                                                        \
    X(BR_TABLE_FAR, "a w w...")                                                                    \
    X(RETURN, "header")                                                                            \
    X(RETURN_32, "header a")                                                                       \
    X(RETURN_64, "header a")                                                                       \
    X(CALL, "func base")                                                                           \
    X(CALL_IMPORT, "func base")                                                                    \
    X(CALL_INDIRECT, "type table a base")

/* Branches: each test is followed by its opposite, where one op can say it. */
#define SM_OPS_BRANCH(X)                                                                           \
    X(BR_NZ, "o a")                                                                                \
    X(BR_Z, "o a")                                                                                 \
    X(BR_EQ, "o a b")                                                                              \
    X(BR_NE, "o a b")                                                                              \
    X(BR_LT_S, "o a b")                                                                            \
    X(BR_LE_S, "o a b")                                                                            \
    X(BR_LT_U, "o a b")                                                                            \
    X(BR_LE_U, "o a b")                                                                            \
    X(BR_EQ_K, "o a k")                                                                            \
    X(BR_NE_K, "o a k")                                                                            \
    X(BR_LT_S_K, "o a k")                                                                          \
    X(BR_GE_S_K, "o a k")                                                                          \
    X(BR_LT_U_K, "o a k")                                                                          \
    X(BR_GE_U_K, "o a k")

/* Comparisons; those of 32 bits in the order of their branches above. */
#define SM_OPS_COMPARE(X)                                                                          \
    X(I32_EQ, "d a b")                                                                             \
    X(I32_NE, "d a b")                                                                             \
    X(I32_LT_S, "d a b")                                                                           \
    X(I32_LE_S, "d a b")                                                                           \
    X(I32_LT_U, "d a b")                                                                           \
    X(I32_LE_U, "d a b")                                                                           \
    X(I32_EQ_K, "d a k")                                                                           \
    X(I32_NE_K, "d a k")                                                                           \
    X(I32_LT_S_K, "d a k")                                                                         \
    X(I32_GE_S_K, "d a k")                                                                         \
    X(I32_LT_U_K, "d a k")                                                                         \
    X(I32_GE_U_K, "d a k")                                                                         \
    X(I64_EQ, "d a b")                                                                             \
    X(I64_NE, "d a b")                                                                             \
    X(I64_LT_S, "d a b")                                                                           \
    X(I64_LE_S, "d a b")                                                                           \
    X(I64_LT_U, "d a b")                                                                           \
    X(I64_LE_U, "d a b")

#define SM_OPS_MOVE(X)                                                                             \
    X(COPY_32, "d a")                                                                              \
    X(COPY_32_TWICE, "e a e a")                                                                    \
    X(COPY_64, "q a")                                                                              \
    X(CONST_K, "d k")                                                                              \
    X(CONST_32, "d w")                                                                             \
    X(CONST_64K, "q k")                                                                            \
    X(CONST_64, "q w w")                                                                           \
    X(SELECT_32, "d a b c")                                                                        \
    X(SELECT_64, "q a b c")                                                                        \
    X(GLOBAL_GET_32, "d global")                                                                   \
    X(GLOBAL_GET_64, "q global")                                                                   \
    X(GLOBAL_SET_32, "global a")                                                                   \
    X(GLOBAL_SET_64, "global a")                                                                   \
    X(MEMORY_SIZE, "d")                                                                            \
    X(ADDRESS, "d a w") /* address + offset for offsets beyond 16 bits; traps past 4 GiB */

/* Two arguments of the import whose CALL_IMPORT follows, and 4, to their home; with what is kept for
 * them (kept.h), past that call. */
#define SM_OPS_PASS(X)                                                                             \
    X(PASS_A, "a b")                                                                               \
    X(PASS_K, "a k")

/* Loads and stores with the address in a slot plus an offset that does not wrap, as Wasm has it; in a
 * slot alone; in a slot plus a number, and in the sum of two slots, which wrap as i32.add does. The
 * same order in all four, but that loads which widen to 64 bits have only the first form. */
#define SM_OPS_MEMORY(X)                                                                           \
    X(LOAD_32_O, "d a offset")                                                                     \
    X(LOAD_64_O, "q a offset")                                                                     \
    X(LOAD_8S_O, "d a offset")                                                                     \
    X(LOAD_8U_O, "d a offset")                                                                     \
    X(LOAD_16S_O, "d a offset")                                                                    \
    X(LOAD_16U_O, "d a offset")                                                                    \
    X(STORE_8_O, "a b offset")                                                                     \
    X(STORE_16_O, "a b offset")                                                                    \
    X(STORE_32_O, "a b offset")                                                                    \
    X(STORE_64_O, "a b offset")                                                                    \
    X(LOAD_8S_64_O, "q a offset")                                                                  \
    X(LOAD_8U_64_O, "q a offset")                                                                  \
    X(LOAD_16S_64_O, "q a offset")                                                                 \
    X(LOAD_16U_64_O, "q a offset")                                                                 \
    X(LOAD_32S_64_O, "q a offset")                                                                 \
    X(LOAD_32U_64_O, "q a offset")
#define SM_OPS_ACCESS(X)                                                                           \
    X(LOAD_32, "d a")                                                                              \
    X(LOAD_64, "q a")                                                                              \
    X(LOAD_8S, "d a")                                                                              \
    X(LOAD_8U, "d a")                                                                              \
    X(LOAD_16S, "d a")                                                                             \
    X(LOAD_16U, "d a")                                                                             \
    X(STORE_8, "a b")                                                                              \
    X(STORE_16, "a b")                                                                             \
    X(STORE_32, "a b")                                                                             \
    X(STORE_64, "a b")                                                                             \
    X(LOAD_32_K, "d a k")                                                                          \
    X(LOAD_64_K, "q a k")                                                                          \
    X(LOAD_8S_K, "d a k")                                                                          \
    X(LOAD_8U_K, "d a k")                                                                          \
    X(LOAD_16S_K, "d a k")                                                                         \
    X(LOAD_16U_K, "d a k")                                                                         \
    X(STORE_8_K, "a k b")                                                                          \
    X(STORE_16_K, "a k b")                                                                         \
    X(STORE_32_K, "a k b")                                                                         \
    X(STORE_64_K, "a k b")                                                                         \
    X(LOAD_32_R, "d a a")                                                                          \
    X(LOAD_64_R, "q a a")                                                                          \
    X(LOAD_8S_R, "d a a")                                                                          \
    X(LOAD_8U_R, "d a a")                                                                          \
    X(LOAD_16S_R, "d a a")                                                                         \
    X(LOAD_16U_R, "d a a")                                                                         \
    X(STORE_8_R, "a a b")                                                                          \
    X(STORE_16_R, "a a b")                                                                         \
    X(STORE_32_R, "a a b")                                                                         \
    X(STORE_64_R, "a a b")

#define SM_OPS_INTEGER(X)                                                                          \
    X(I32_EQZ, "d a")                                                                              \
    X(I64_EQZ, "d a")                                                                              \
    X(I32_ADD, "d a b")                                                                            \
    X(I32_SUB, "d a b")                                                                            \
    X(I32_MUL, "d a b")                                                                            \
    X(I32_DIV_S, "d a b")                                                                          \
    X(I32_DIV_U, "d a b")                                                                          \
    X(I32_REM_S, "d a b")                                                                          \
    X(I32_REM_U, "d a b")                                                                          \
    X(I32_AND, "d a b")                                                                            \
    X(I32_OR, "d a b")                                                                             \
    X(I32_XOR, "d a b")                                                                            \
    X(I32_SHL, "d a b")                                                                            \
    X(I32_SHR_S, "d a b")                                                                          \
    X(I32_SHR_U, "d a b")                                                                          \
    X(I32_ROTL, "d a b")                                                                           \
    X(I32_ADD_W, "d a w")                                                                          \
    X(I32_ADD_K, "d a k")                                                                          \
    X(I32_MUL_K, "d a k")                                                                          \
    X(I32_AND_K, "d a k")                                                                          \
    X(I32_OR_K, "d a k")                                                                           \
    X(I32_XOR_K, "d a k")                                                                          \
    X(I32_SHL_K, "d a k")                                                                          \
    X(I32_SHR_S_K, "d a k")                                                                        \
    X(I32_SHR_U_K, "d a k")                                                                        \
    X(I32_ROTL_K, "d a k")                                                                         \
    X(I64_ADD, "q a b")                                                                            \
    X(I64_SUB, "q a b")                                                                            \
    X(I64_MUL, "q a b")                                                                            \
    X(I64_AND, "q a b")                                                                            \
    X(I64_OR, "q a b")                                                                             \
    X(I64_XOR, "q a b")                                                                            \
    X(I64_SHL, "q a b")                                                                            \
    X(I64_SHR_S, "q a b")                                                                          \
    X(I64_SHR_U, "q a b")                                                                          \
    X(I32_WRAP, "d a")                                                                             \
    X(I64_EXTEND_S, "q a")                                                                         \
    X(I64_EXTEND_U, "q a")                                                                         \
    X(I32_EXTEND8, "d a")                                                                          \
    X(I32_EXTEND16, "d a")

#define SM_OPS_WIDE_K(X)                                                                           \
    X(I64_ADD_K, "q a k")                                                                          \
    X(I64_MUL_K, "q a k")                                                                          \
    X(I64_AND_K, "q a k")                                                                          \
    X(I64_OR_K, "q a k")                                                                           \
    X(I64_XOR_K, "q a k")                                                                          \
    X(I64_SHL_K, "q a k")                                                                          \
    X(I64_SHR_S_K, "q a k")                                                                        \
    X(I64_SHR_U_K, "q a k")                                                                        \
    X(I64_ROTL_K, "q a k")

/* A slot is increased in place; two are; and the ends of loops: increased, then compared. */
#define SM_OPS_INCREMENT(X)                                                                        \
    X(I32_INC, "d k")                                                                              \
    X(I32_INC_TWICE, "e k e k")                                                                         \
    X(INC_BR_NE, "l e k b")                                                                        \
    X(INC_BR_NE_K, "l e k k")                                                                      \
    X(INC_BR_LT_S, "l e k b")                                                                      \
    X(INC_BR_LT_U, "l e k b")

/* Two operators in one, where the second takes what the first computed and nobody else does: the
 * operands of the first, then what the second has besides. F64_MUL_SUB is c - a * b. SELECT_LT_ takes
 * the third when the first is less than the second, else the fourth. */
#define SM_OPS_PAIR(X)                                                                             \
    X(I32_ADD_ADD, "d a b c")                                                                      \
    X(I32_ADD_ADD_K, "d a b k")                                                                    \
    X(I32_SHL_K_ADD_K, "d a k k")                                                                  \
    X(I32_MUL_ADD, "d a b c")                                                                      \
    X(I32_XOR_ADD, "d a b c")                                                                      \
    X(I32_SHL_K_ADD, "d a k b")                                                                    \
    X(I32_SHL_K_XOR, "d a k b")                                                                    \
    X(I32_SHR_U_K_XOR, "d a k b")                                                                  \
    X(I32_ROTL_K_XOR, "d a k b")                                                                   \
    X(I32_XOR_SHL_K, "d a b k")                                                                    \
    X(I32_XOR_ROTL_K, "d a b k")                                                                   \
    X(I32_SHR_U_K_AND_K, "d a k k")                                                                \
    X(I64_SHR_U_K_XOR, "q a k b")                                                                  \
    X(SELECT_LT_S, "d a b a b")                                                                    \
    X(SELECT_LT_U, "d a b a b")                                                                    \
    X(LOAD_32_ADD, "d a b")                                                                 \
    X(LOAD_32_K_ADD, "d a k b")                                                             \
    X(LOAD_16S_MUL, "d a b")                                                                \
    X(LOAD_16S_K_MUL, "d a k b")                                                            \
    X(LOAD_8U_K_XOR, "d a k b")                                                             \
    X(CONST_32_AND, "d w b")                                                                       \
    X(CONST_32_MUL, "d w b")                                                                       \
    X(CONST_64_MUL, "q w w b")

#define SM_OPS_FLOAT(X)                                                                            \
    X(F32_EQ, "d a b")                                                                             \
    X(F32_NE, "d a b")                                                                             \
    X(F32_LT, "d a b")                                                                             \
    X(F32_LE, "d a b")                                                                             \
    X(F64_EQ, "d a b")                                                                             \
    X(F64_NE, "d a b")                                                                             \
    X(F64_LT, "d a b")                                                                             \
    X(F64_LE, "d a b")                                                                             \
    X(F32_ADD, "e a b")                                                                            \
    X(F32_SUB, "e a b")                                                                            \
    X(F32_MUL, "e a b")                                                                            \
    X(F32_DIV, "e a b")                                                                            \
    X(F64_ADD, "D a b")                                                                            \
    X(F64_SUB, "D a b")                                                                            \
    X(F64_MUL, "D a b")                                                                            \
    X(F64_DIV, "D a b")

#define SM_OPS_FLOAT_PAIR(X)                                                                       \
    X(CONST_64_F64_MUL, "D w w b")                                                                  \
    X(F64_MUL_ADD, "D a b c")                                                                      \
    X(F64_MUL_SUB, "D a b c")                                                                      \
    X(LOAD_64_F64_ADD, "D a b")                                                                    \
    X(LOAD_64_K_F64_ADD, "D a k b")                                                                \
    X(LOAD_64_F64_MUL, "D a b")                                                                    \
    X(LOAD_64_K_F64_MUL, "D a k b")

/* Forms of the above that take one operand from the accumulator: what the operator just before left
 * there, which on a processor that executes several instructions at once is there sooner than in
 * memory. _A takes the first slot operand from there, _C the last; STORE_64_D stores an f64. */
#define SM_OPS_ACC(X) \
    X(BR_NZ_A, "o A") \
    X(BR_Z_A, "o A") \
    X(BR_EQ_A, "o A b") \
    X(BR_NE_A, "o A b") \
    X(BR_LT_S_A, "o A b") \
    X(BR_LE_S_A, "o A b") \
    X(BR_LT_U_A, "o A b") \
    X(BR_LE_U_A, "o A b") \
    X(BR_EQ_K_A, "o A k") \
    X(BR_NE_K_A, "o A k") \
    X(BR_LT_S_K_A, "o A k") \
    X(BR_GE_S_K_A, "o A k") \
    X(BR_LT_U_K_A, "o A k") \
    X(BR_GE_U_K_A, "o A k") \
    X(BR_TABLE_A, "A n o...") \
    X(RETURN_32_A, "header A") \
    X(I32_ADD_A, "d A b") \
    X(I32_SUB_A, "d A b") \
    X(I32_MUL_A, "d A b") \
    X(I32_AND_A, "d A b") \
    X(I32_OR_A, "d A b") \
    X(I32_XOR_A, "d A b") \
    X(I32_SHL_A, "d A b") \
    X(I32_SHR_S_A, "d A b") \
    X(I32_SHR_U_A, "d A b") \
    X(I32_ADD_K_A, "d A k") \
    X(I32_MUL_K_A, "d A k") \
    X(I32_AND_K_A, "d A k") \
    X(I32_OR_K_A, "d A k") \
    X(I32_XOR_K_A, "d A k") \
    X(I32_SHL_K_A, "d A k") \
    X(I32_SHR_S_K_A, "d A k") \
    X(I32_SHR_U_K_A, "d A k") \
    X(I32_ROTL_K_A, "d A k") \
    X(I32_ADD_W_A, "d A w") \
    X(LOAD_32_A, "d A") \
    X(LOAD_64_A, "q A") \
    X(LOAD_8S_A, "d A") \
    X(LOAD_8U_A, "d A") \
    X(LOAD_16S_A, "d A") \
    X(LOAD_16U_A, "d A") \
    X(LOAD_32_K_A, "d A k") \
    X(LOAD_64_K_A, "q A k") \
    X(LOAD_8S_K_A, "d A k") \
    X(LOAD_8U_K_A, "d A k") \
    X(LOAD_16S_K_A, "d A k") \
    X(LOAD_16U_K_A, "d A k") \
    X(STORE_8_C, "a A") \
    X(STORE_16_C, "a A") \
    X(STORE_32_C, "a A") \
    X(STORE_8_K_C, "a k A") \
    X(STORE_16_K_C, "a k A") \
    X(STORE_32_K_C, "a k A") \
    X(I32_ADD_ADD_A, "d A b c") \
    X(I32_MUL_ADD_A, "d A b c") \
    X(I32_XOR_ADD_A, "d A b c") \
    X(I32_SHL_K_ADD_A, "d A k b") \
    X(I32_SHL_K_XOR_A, "d A k b") \
    X(I32_SHR_U_K_XOR_A, "d A k b") \
    X(I32_ROTL_K_XOR_A, "d A k b") \
    X(I32_ADD_ADD_K_A, "d A b k") \
    X(I32_SHL_K_ADD_K_A, "d A k k") \
    X(I32_XOR_SHL_K_A, "d A b k") \
    X(I32_XOR_ROTL_K_A, "d A b k") \
    X(I32_SHR_U_K_AND_K_A, "d A k k") \
    X(I32_ADD_ADD_C, "d a b A") \
    X(I32_MUL_ADD_C, "d a b A") \
    X(I32_XOR_ADD_C, "d a b A") \
    X(I32_SHL_K_ADD_C, "d a k A") \
    X(I32_SHL_K_XOR_C, "d a k A") \
    X(I32_SHR_U_K_XOR_C, "d a k A") \
    X(I32_ROTL_K_XOR_C, "d a k A") \
    X(SELECT_LT_S_A, "d A b a b") \
    X(SELECT_LT_U_A, "d A b a b") \
    X(LOAD_32_ADD_A, "d A b") \
    X(LOAD_32_ADD_C, "d a A") \
    X(LOAD_16S_MUL_A, "d A b") \
    X(LOAD_16S_MUL_C, "d a A") \
    X(LOAD_32_K_ADD_A, "d A k b") \
    X(LOAD_32_K_ADD_C, "d a k A") \
    X(LOAD_16S_K_MUL_A, "d A k b") \
    X(LOAD_16S_K_MUL_C, "d a k A") \
    X(LOAD_8U_K_XOR_A, "d A k b") \
    X(LOAD_8U_K_XOR_C, "d a k A") \
    X(CONST_32_AND_C, "d w A") \
    X(CONST_32_MUL_C, "d w A")
#define SM_OPS_ACC_LONG(X) \
    X(I64_EQZ_A, "d A") \
    X(I64_ADD_A, "q A b") \
    X(I64_SUB_A, "q A b") \
    X(I64_MUL_A, "q A b") \
    X(I64_AND_A, "q A b") \
    X(I64_OR_A, "q A b") \
    X(I64_XOR_A, "q A b") \
    X(I64_SHL_A, "q A b") \
    X(I64_SHR_S_A, "q A b") \
    X(I64_SHR_U_A, "q A b") \
    X(I64_ADD_K_A, "q A k") \
    X(I64_MUL_K_A, "q A k") \
    X(I64_AND_K_A, "q A k") \
    X(I64_OR_K_A, "q A k") \
    X(I64_XOR_K_A, "q A k") \
    X(I64_SHL_K_A, "q A k") \
    X(I64_SHR_S_K_A, "q A k") \
    X(I64_SHR_U_K_A, "q A k") \
    X(I64_ROTL_K_A, "q A k") \
    X(I64_SHR_U_K_XOR_A, "q A k b") \
    X(I64_SHR_U_K_XOR_C, "q a k A") \
    X(CONST_64_MUL_C, "q w w A") \
    X(STORE_64_C, "a A") \
    X(STORE_64_K_C, "a k A")
#define SM_OPS_ACC_DOUBLE(X) \
    X(STORE_64_D, "a A") \
    X(STORE_64_K_D, "a k A") \
    X(F64_ADD_A, "D A b") \
    X(F64_SUB_A, "D A b") \
    X(F64_MUL_A, "D A b") \
    X(F64_DIV_A, "D A b") \
    X(F64_SUB_C, "D a A") \
    X(F64_DIV_C, "D a A") \
    X(F64_MUL_ADD_A, "D A b c") \
    X(F64_MUL_ADD_C, "D a b A") \
    X(F64_MUL_SUB_A, "D A b c") \
    X(F64_MUL_SUB_C, "D a b A") \
    X(LOAD_64_F64_ADD_A, "D A b") \
    X(LOAD_64_F64_ADD_C, "D a A") \
    X(LOAD_64_F64_MUL_A, "D A b") \
    X(LOAD_64_F64_MUL_C, "D a A") \
    X(LOAD_64_K_F64_ADD_A, "D A k b") \
    X(LOAD_64_K_F64_ADD_C, "D a k A") \
    X(LOAD_64_K_F64_MUL_A, "D A k b") \
    X(LOAD_64_K_F64_MUL_C, "D a k A") \
    X(CONST_64_F64_MUL_C, "D w w A")

/* Operators that a program seldom executes, or that are long: rare.c. They follow OP_RARE, which
 * spares the loop's table an entry for each. One operand, the floats last
 * and conversions to integers in the order that their numbers are taken apart in; then two
 * operands. */
#define SM_OPS_RARE_1(X)                                                                           \
    X(I32_CLZ, "d a")                                                                              \
    X(I32_CTZ, "d a")                                                                              \
    X(I32_POPCNT, "d a")                                                                           \
    X(I64_CLZ, "d a")                                                                              \
    X(I64_CTZ, "d a")                                                                              \
    X(I64_POPCNT, "d a")                                                                           \
    X(I64_EXTEND8, "d a")                                                                        \
    X(I64_EXTEND16, "d a")                                                                       \
    X(I64_EXTEND32, "d a")
#define SM_OPS_RARE_1F(X)                                                                         \
    X(F32_ABS, "d a")                                                                              \
    X(F32_NEG, "d a")                                                                              \
    X(F32_CEIL, "d a")                                                                             \
    X(F32_FLOOR, "d a")                                                                            \
    X(F32_TRUNC, "d a")                                                                            \
    X(F32_NEAREST, "d a")                                                                          \
    X(F32_SQRT, "d a")                                                                             \
    X(F64_ABS, "d a")                                                                              \
    X(F64_NEG, "d a")                                                                              \
    X(F64_CEIL, "d a")                                                                             \
    X(F64_FLOOR, "d a")                                                                            \
    X(F64_TRUNC, "d a")                                                                            \
    X(F64_NEAREST, "d a")                                                                          \
    X(F64_SQRT, "d a")                                                                             \
    X(F32_CONVERT_I32_S, "d a")                                                                    \
    X(F32_CONVERT_I32_U, "d a")                                                                    \
    X(F32_CONVERT_I64_S, "d a")                                                                    \
    X(F32_CONVERT_I64_U, "d a")                                                                    \
    X(F64_CONVERT_I32_S, "d a")                                                                    \
    X(F64_CONVERT_I32_U, "d a")                                                                    \
    X(F64_CONVERT_I64_S, "d a")                                                                    \
    X(F64_CONVERT_I64_U, "d a")                                                                    \
    X(F32_DEMOTE, "d a")                                                                           \
    X(F64_PROMOTE, "d a")                                                                          \
    X(I32_TRUNC_F32_S, "d a")                                                                      \
    X(I32_TRUNC_F32_U, "d a")                                                                      \
    X(I32_TRUNC_F64_S, "d a")                                                                      \
    X(I32_TRUNC_F64_U, "d a")                                                                      \
    X(I64_TRUNC_F32_S, "d a")                                                                      \
    X(I64_TRUNC_F32_U, "d a")                                                                      \
    X(I64_TRUNC_F64_S, "d a")                                                                      \
    X(I64_TRUNC_F64_U, "d a")                                                                      \
    X(I32_SAT_F32_S, "d a")                                                                        \
    X(I32_SAT_F32_U, "d a")                                                                        \
    X(I32_SAT_F64_S, "d a")                                                                        \
    X(I32_SAT_F64_U, "d a")                                                                        \
    X(I64_SAT_F32_S, "d a")                                                                        \
    X(I64_SAT_F32_U, "d a")                                                                        \
    X(I64_SAT_F64_S, "d a")                                                                        \
    X(I64_SAT_F64_U, "d a")

#define SM_OPS_RARE_2(X)                                                                           \
    X(I32_ROTR, "d a b")                                                                           \
    X(I64_ROTL, "d a b")                                                                           \
    X(I64_ROTR, "d a b")                                                                           \
    X(I64_DIV_S, "d a b")                                                                          \
    X(I64_DIV_U, "d a b")                                                                          \
    X(I64_REM_S, "d a b")                                                                          \
    X(I64_REM_U, "d a b")
#define SM_OPS_RARE_2F(X)                                                                         \
    X(F32_MIN, "d a b")                                                                            \
    X(F32_MAX, "d a b")                                                                            \
    X(F32_COPYSIGN, "d a b")                                                                       \
    X(F64_MIN, "d a b")                                                                            \
    X(F64_MAX, "d a b")                                                                            \
    X(F64_COPYSIGN, "d a b")

/* References, tables, and all that works on more than one word of memory: rare.c too. From
 * TABLE_GROW on the loop looks at the epoch after each piece. */
#define SM_OPS_SYSTEM(X)                                                                           \
    X(REF_FUNC, "d func")                                                                          \
    X(TABLE_GET, "d a table")                                                                      \
    X(TABLE_SET, "a b table")                                                                      \
    X(TABLE_SIZE, "d table")                                                                       \
    X(TABLE_GROW, "base table")                                                                    \
    X(TABLE_FILL, "base table")                                                                    \
    X(TABLE_COPY, "base table table")                                                              \
    X(TABLE_INIT, "base segment table")                                                            \
    X(ELEM_DROP, "segment")                                                                        \
    X(MEMORY_GROW, "d a")                                                                          \
    X(MEMORY_FILL, "base")                                                                         \
    X(MEMORY_COPY, "base")                                                                         \
    X(MEMORY_INIT, "base segment")                                                                 \
    X(DATA_DROP, "segment")

/* Where operators are not fused, none of those, and SM_FUSED_OP names what stands for one. */
#if SM_FUSED
#define SM_FUSED_OP(op, none) op
#else
#undef SM_OPS_PASS
#undef SM_OPS_ACCESS
#undef SM_OPS_WIDE_K
#undef SM_OPS_INCREMENT
#undef SM_OPS_PAIR
#define SM_OPS_PASS(X)
#define SM_OPS_ACCESS(X)
#define SM_OPS_WIDE_K(X)
#define SM_OPS_INCREMENT(X)
#define SM_OPS_PAIR(X)
#define SM_FUSED_OP(op, none) none
#endif

/* Where floats are not built in, they have no operations; SM_FLOAT_OP names one that none is. */
#if SM_FLOATS
#define SM_FLOAT_OP(op) op
#else
#undef SM_OPS_FLOAT
#undef SM_OPS_RARE_1F
#undef SM_OPS_RARE_2F
#define SM_OPS_FLOAT(X)
#define SM_OPS_RARE_1F(X)
#define SM_OPS_RARE_2F(X)
#define SM_FLOAT_OP(op) 0x7fffu
#endif
#if !SM_DOUBLE_PAIRS
#undef SM_OPS_FLOAT_PAIR
#define SM_OPS_FLOAT_PAIR(X)
#endif
#if !SM_ACCUMULATOR
#undef SM_OPS_ACC
#undef SM_OPS_ACC_LONG
#undef SM_OPS_ACC_DOUBLE
#define SM_OPS_ACC(X)
#define SM_OPS_ACC_LONG(X)
#define SM_OPS_ACC_DOUBLE(X)
#elif !SM_DOUBLE_PAIRS
#undef SM_OPS_ACC_DOUBLE
#define SM_OPS_ACC_DOUBLE(X)
#endif

#define SM_OPS_RARE(X)                                                                             \
    SM_OPS_RARE_1(X) SM_OPS_RARE_1F(X) SM_OPS_RARE_2(X) SM_OPS_RARE_2F(X) SM_OPS_SYSTEM(X)
#define SM_OPS_HOT(X) SM_OPS_CONTROL(X) SM_OPS_PLAIN(X)
#define SM_OPS_PLAIN(X)                                                                            \
    SM_OPS_BRANCH(X) SM_OPS_COMPARE(X) SM_OPS_MOVE(X) SM_OPS_PASS(X) SM_OPS_MEMORY(X) SM_OPS_ACCESS(X)            \
        SM_OPS_INTEGER(X) SM_OPS_WIDE_K(X) SM_OPS_INCREMENT(X) SM_OPS_PAIR(X) SM_OPS_FLOAT(X)      \
            SM_OPS_FLOAT_PAIR(X) SM_OPS_ACC(X) SM_OPS_ACC_LONG(X) SM_OPS_ACC_DOUBLE(X)

/* clang-format on */

#ifndef __ASSEMBLER__ /* which has the lists alone (thumb.S) */
enum sm_op {
#define X(name, operands) OP_##name,
    SM_OPS_HOT(X) SM_OPS_RARE(X)
#undef X
};
#define SM_RARE_FIRST OP_I32_CLZ
#define SM_ACC_FIRST  OP_BR_NZ_A

/* Wasm's numeric operators from 0x45 on, then 0xfc 0x00 to 0x07.
 * X(opcode, operand type, operands, result type, image op); SWAP_ takes its operands in reverse. */
#define SM_NUMERIC(X)                                                                              \
    X(0x45, I32, 1, I32, OP_I32_EQZ)                                                               \
    X(0x46, I32, 2, I32, OP_I32_EQ)                                                                \
    X(0x47, I32, 2, I32, OP_I32_NE)                                                                \
    X(0x48, I32, 2, I32, OP_I32_LT_S)                                                              \
    X(0x49, I32, 2, I32, OP_I32_LT_U)                                                              \
    X(0x4a, I32, 2, I32, SM_SWAP | OP_I32_LT_S)                                                    \
    X(0x4b, I32, 2, I32, SM_SWAP | OP_I32_LT_U)                                                    \
    X(0x4c, I32, 2, I32, OP_I32_LE_S)                                                              \
    X(0x4d, I32, 2, I32, OP_I32_LE_U)                                                              \
    X(0x4e, I32, 2, I32, SM_SWAP | OP_I32_LE_S)                                                    \
    X(0x4f, I32, 2, I32, SM_SWAP | OP_I32_LE_U)                                                    \
    X(0x50, I64, 1, I32, OP_I64_EQZ)                                                               \
    X(0x51, I64, 2, I32, OP_I64_EQ)                                                                \
    X(0x52, I64, 2, I32, OP_I64_NE)                                                                \
    X(0x53, I64, 2, I32, OP_I64_LT_S)                                                              \
    X(0x54, I64, 2, I32, OP_I64_LT_U)                                                              \
    X(0x55, I64, 2, I32, SM_SWAP | OP_I64_LT_S)                                                    \
    X(0x56, I64, 2, I32, SM_SWAP | OP_I64_LT_U)                                                    \
    X(0x57, I64, 2, I32, OP_I64_LE_S)                                                              \
    X(0x58, I64, 2, I32, OP_I64_LE_U)                                                              \
    X(0x59, I64, 2, I32, SM_SWAP | OP_I64_LE_S)                                                    \
    X(0x5a, I64, 2, I32, SM_SWAP | OP_I64_LE_U)                                                    \
    X(0x5b, F32, 2, I32, SM_FLOAT_OP(OP_F32_EQ))                                                   \
    X(0x5c, F32, 2, I32, SM_FLOAT_OP(OP_F32_NE))                                                   \
    X(0x5d, F32, 2, I32, SM_FLOAT_OP(OP_F32_LT))                                                   \
    X(0x5e, F32, 2, I32, SM_SWAP | SM_FLOAT_OP(OP_F32_LT))                                         \
    X(0x5f, F32, 2, I32, SM_FLOAT_OP(OP_F32_LE))                                                   \
    X(0x60, F32, 2, I32, SM_SWAP | SM_FLOAT_OP(OP_F32_LE))                                         \
    X(0x61, F64, 2, I32, SM_FLOAT_OP(OP_F64_EQ))                                                   \
    X(0x62, F64, 2, I32, SM_FLOAT_OP(OP_F64_NE))                                                   \
    X(0x63, F64, 2, I32, SM_FLOAT_OP(OP_F64_LT))                                                   \
    X(0x64, F64, 2, I32, SM_SWAP | SM_FLOAT_OP(OP_F64_LT))                                         \
    X(0x65, F64, 2, I32, SM_FLOAT_OP(OP_F64_LE))                                                   \
    X(0x66, F64, 2, I32, SM_SWAP | SM_FLOAT_OP(OP_F64_LE))                                         \
    X(0x67, I32, 1, I32, OP_I32_CLZ)                                                               \
    X(0x68, I32, 1, I32, OP_I32_CTZ)                                                               \
    X(0x69, I32, 1, I32, OP_I32_POPCNT)                                                            \
    X(0x6a, I32, 2, I32, OP_I32_ADD)                                                               \
    X(0x6b, I32, 2, I32, OP_I32_SUB)                                                               \
    X(0x6c, I32, 2, I32, OP_I32_MUL)                                                               \
    X(0x6d, I32, 2, I32, OP_I32_DIV_S)                                                             \
    X(0x6e, I32, 2, I32, OP_I32_DIV_U)                                                             \
    X(0x6f, I32, 2, I32, OP_I32_REM_S)                                                             \
    X(0x70, I32, 2, I32, OP_I32_REM_U)                                                             \
    X(0x71, I32, 2, I32, OP_I32_AND)                                                               \
    X(0x72, I32, 2, I32, OP_I32_OR)                                                                \
    X(0x73, I32, 2, I32, OP_I32_XOR)                                                               \
    X(0x74, I32, 2, I32, OP_I32_SHL)                                                               \
    X(0x75, I32, 2, I32, OP_I32_SHR_S)                                                             \
    X(0x76, I32, 2, I32, OP_I32_SHR_U)                                                             \
    X(0x77, I32, 2, I32, OP_I32_ROTL)                                                              \
    X(0x78, I32, 2, I32, OP_I32_ROTR)                                                              \
    X(0x79, I64, 1, I64, OP_I64_CLZ)                                                               \
    X(0x7a, I64, 1, I64, OP_I64_CTZ)                                                               \
    X(0x7b, I64, 1, I64, OP_I64_POPCNT)                                                            \
    X(0x7c, I64, 2, I64, OP_I64_ADD)                                                               \
    X(0x7d, I64, 2, I64, OP_I64_SUB)                                                               \
    X(0x7e, I64, 2, I64, OP_I64_MUL)                                                               \
    X(0x7f, I64, 2, I64, OP_I64_DIV_S)                                                             \
    X(0x80, I64, 2, I64, OP_I64_DIV_U)                                                             \
    X(0x81, I64, 2, I64, OP_I64_REM_S)                                                             \
    X(0x82, I64, 2, I64, OP_I64_REM_U)                                                             \
    X(0x83, I64, 2, I64, OP_I64_AND)                                                               \
    X(0x84, I64, 2, I64, OP_I64_OR)                                                                \
    X(0x85, I64, 2, I64, OP_I64_XOR)                                                               \
    X(0x86, I64, 2, I64, OP_I64_SHL)                                                               \
    X(0x87, I64, 2, I64, OP_I64_SHR_S)                                                             \
    X(0x88, I64, 2, I64, OP_I64_SHR_U)                                                             \
    X(0x89, I64, 2, I64, OP_I64_ROTL)                                                              \
    X(0x8a, I64, 2, I64, OP_I64_ROTR)                                                              \
    X(0x8b, F32, 1, F32, SM_FLOAT_OP(OP_F32_ABS))                                                  \
    X(0x8c, F32, 1, F32, SM_FLOAT_OP(OP_F32_NEG))                                                  \
    X(0x8d, F32, 1, F32, SM_FLOAT_OP(OP_F32_CEIL))                                                 \
    X(0x8e, F32, 1, F32, SM_FLOAT_OP(OP_F32_FLOOR))                                                \
    X(0x8f, F32, 1, F32, SM_FLOAT_OP(OP_F32_TRUNC))                                                \
    X(0x90, F32, 1, F32, SM_FLOAT_OP(OP_F32_NEAREST))                                              \
    X(0x91, F32, 1, F32, SM_FLOAT_OP(OP_F32_SQRT))                                                 \
    X(0x92, F32, 2, F32, SM_FLOAT_OP(OP_F32_ADD))                                                  \
    X(0x93, F32, 2, F32, SM_FLOAT_OP(OP_F32_SUB))                                                  \
    X(0x94, F32, 2, F32, SM_FLOAT_OP(OP_F32_MUL))                                                  \
    X(0x95, F32, 2, F32, SM_FLOAT_OP(OP_F32_DIV))                                                  \
    X(0x96, F32, 2, F32, SM_FLOAT_OP(OP_F32_MIN))                                                  \
    X(0x97, F32, 2, F32, SM_FLOAT_OP(OP_F32_MAX))                                                  \
    X(0x98, F32, 2, F32, SM_FLOAT_OP(OP_F32_COPYSIGN))                                             \
    X(0x99, F64, 1, F64, SM_FLOAT_OP(OP_F64_ABS))                                                  \
    X(0x9a, F64, 1, F64, SM_FLOAT_OP(OP_F64_NEG))                                                  \
    X(0x9b, F64, 1, F64, SM_FLOAT_OP(OP_F64_CEIL))                                                 \
    X(0x9c, F64, 1, F64, SM_FLOAT_OP(OP_F64_FLOOR))                                                \
    X(0x9d, F64, 1, F64, SM_FLOAT_OP(OP_F64_TRUNC))                                                \
    X(0x9e, F64, 1, F64, SM_FLOAT_OP(OP_F64_NEAREST))                                              \
    X(0x9f, F64, 1, F64, SM_FLOAT_OP(OP_F64_SQRT))                                                 \
    X(0xa0, F64, 2, F64, SM_FLOAT_OP(OP_F64_ADD))                                                  \
    X(0xa1, F64, 2, F64, SM_FLOAT_OP(OP_F64_SUB))                                                  \
    X(0xa2, F64, 2, F64, SM_FLOAT_OP(OP_F64_MUL))                                                  \
    X(0xa3, F64, 2, F64, SM_FLOAT_OP(OP_F64_DIV))                                                  \
    X(0xa4, F64, 2, F64, SM_FLOAT_OP(OP_F64_MIN))                                                  \
    X(0xa5, F64, 2, F64, SM_FLOAT_OP(OP_F64_MAX))                                                  \
    X(0xa6, F64, 2, F64, SM_FLOAT_OP(OP_F64_COPYSIGN))                                             \
    X(0xa7, I64, 1, I32, OP_I32_WRAP)                                                              \
    X(0xa8, F32, 1, I32, SM_FLOAT_OP(OP_I32_TRUNC_F32_S))                                          \
    X(0xa9, F32, 1, I32, SM_FLOAT_OP(OP_I32_TRUNC_F32_U))                                          \
    X(0xaa, F64, 1, I32, SM_FLOAT_OP(OP_I32_TRUNC_F64_S))                                          \
    X(0xab, F64, 1, I32, SM_FLOAT_OP(OP_I32_TRUNC_F64_U))                                          \
    X(0xac, I32, 1, I64, OP_I64_EXTEND_S)                                                          \
    X(0xad, I32, 1, I64, OP_I64_EXTEND_U)                                                          \
    X(0xae, F32, 1, I64, SM_FLOAT_OP(OP_I64_TRUNC_F32_S))                                          \
    X(0xaf, F32, 1, I64, SM_FLOAT_OP(OP_I64_TRUNC_F32_U))                                          \
    X(0xb0, F64, 1, I64, SM_FLOAT_OP(OP_I64_TRUNC_F64_S))                                          \
    X(0xb1, F64, 1, I64, SM_FLOAT_OP(OP_I64_TRUNC_F64_U))                                          \
    X(0xb2, I32, 1, F32, SM_FLOAT_OP(OP_F32_CONVERT_I32_S))                                        \
    X(0xb3, I32, 1, F32, SM_FLOAT_OP(OP_F32_CONVERT_I32_U))                                        \
    X(0xb4, I64, 1, F32, SM_FLOAT_OP(OP_F32_CONVERT_I64_S))                                        \
    X(0xb5, I64, 1, F32, SM_FLOAT_OP(OP_F32_CONVERT_I64_U))                                        \
    X(0xb6, F64, 1, F32, SM_FLOAT_OP(OP_F32_DEMOTE))                                               \
    X(0xb7, I32, 1, F64, SM_FLOAT_OP(OP_F64_CONVERT_I32_S))                                        \
    X(0xb8, I32, 1, F64, SM_FLOAT_OP(OP_F64_CONVERT_I32_U))                                        \
    X(0xb9, I64, 1, F64, SM_FLOAT_OP(OP_F64_CONVERT_I64_S))                                        \
    X(0xba, I64, 1, F64, SM_FLOAT_OP(OP_F64_CONVERT_I64_U))                                        \
    X(0xbb, F32, 1, F64, SM_FLOAT_OP(OP_F64_PROMOTE))                                              \
    X(0xbc, F32, 1, I32, OP_COPY_32)                                                               \
    X(0xbd, F64, 1, I64, OP_COPY_64)                                                               \
    X(0xbe, I32, 1, F32, OP_COPY_32)                                                               \
    X(0xbf, I64, 1, F64, OP_COPY_64)                                                               \
    X(0xc0, I32, 1, I32, OP_I32_EXTEND8)                                                           \
    X(0xc1, I32, 1, I32, OP_I32_EXTEND16)                                                          \
    X(0xc2, I64, 1, I64, OP_I64_EXTEND8)                                                           \
    X(0xc3, I64, 1, I64, OP_I64_EXTEND16)                                                          \
    X(0xc4, I64, 1, I64, OP_I64_EXTEND32)                                                          \
    X(0xc5, F32, 1, I32, SM_FLOAT_OP(OP_I32_SAT_F32_S)) /* 0xfc 0x00 from here on */               \
    X(0xc6, F32, 1, I32, SM_FLOAT_OP(OP_I32_SAT_F32_U))                                            \
    X(0xc7, F64, 1, I32, SM_FLOAT_OP(OP_I32_SAT_F64_S))                                            \
    X(0xc8, F64, 1, I32, SM_FLOAT_OP(OP_I32_SAT_F64_U))                                            \
    X(0xc9, F32, 1, I64, SM_FLOAT_OP(OP_I64_SAT_F32_S))                                            \
    X(0xca, F32, 1, I64, SM_FLOAT_OP(OP_I64_SAT_F32_U))                                            \
    X(0xcb, F64, 1, I64, SM_FLOAT_OP(OP_I64_SAT_F64_S))                                            \
    X(0xcc, F64, 1, I64, SM_FLOAT_OP(OP_I64_SAT_F64_U))
#define SM_SWAP        0x8000u
#define SM_NUMERIC_MIN 0x45u
#define SM_NUMERIC_SAT 0xc5u
#define SM_NUMERIC_MAX 0xccu

/* Loads and stores, 0x28 to 0x3e: X(opcode, value type, log2 of the bytes, image op). */
#define SM_ACCESS(X)                                                                               \
    X(0x28, I32, 2, OP_LOAD_32_O)                                                                  \
    X(0x29, I64, 3, OP_LOAD_64_O)                                                                  \
    X(0x2a, F32, 2, OP_LOAD_32_O)                                                                  \
    X(0x2b, F64, 3, OP_LOAD_64_O)                                                                  \
    X(0x2c, I32, 0, OP_LOAD_8S_O)                                                                  \
    X(0x2d, I32, 0, OP_LOAD_8U_O)                                                                  \
    X(0x2e, I32, 1, OP_LOAD_16S_O)                                                                 \
    X(0x2f, I32, 1, OP_LOAD_16U_O)                                                                 \
    X(0x30, I64, 0, OP_LOAD_8S_64_O)                                                               \
    X(0x31, I64, 0, OP_LOAD_8U_64_O)                                                               \
    X(0x32, I64, 1, OP_LOAD_16S_64_O)                                                              \
    X(0x33, I64, 1, OP_LOAD_16U_64_O)                                                              \
    X(0x34, I64, 2, OP_LOAD_32S_64_O)                                                              \
    X(0x35, I64, 2, OP_LOAD_32U_64_O)                                                              \
    X(0x36, I32, 2, OP_STORE_32_O)                                                                 \
    X(0x37, I64, 3, OP_STORE_64_O)                                                                 \
    X(0x38, F32, 2, OP_STORE_32_O)                                                                 \
    X(0x39, F64, 3, OP_STORE_64_O)                                                                 \
    X(0x3a, I32, 0, OP_STORE_8_O)                                                                  \
    X(0x3b, I32, 1, OP_STORE_16_O)                                                                 \
    X(0x3c, I64, 0, OP_STORE_8_O)                                                                  \
    X(0x3d, I64, 1, OP_STORE_16_O)                                                                 \
    X(0x3e, I64, 2, OP_STORE_32_O)
#define SM_ACCESS_MIN   0x28u
#define SM_ACCESS_STORE 0x36u
#define SM_ACCESS_MAX   0x3eu

/* One-byte opcodes and prefixes of WebAssembly 2.0. */
static inline bool sm_opcode_exists(uint8_t b)
{
    return b <= 0x05 || (b >= 0x0b && b <= 0x11) || (b >= 0x1a && b <= 0x1c) ||
           (b >= 0x20 && b <= 0x26) || (b >= 0x28 && b <= 0xc4) || (b >= 0xd0 && b <= 0xd2) ||
           b == 0xfc || b == 0xfd;
}
#endif

#endif

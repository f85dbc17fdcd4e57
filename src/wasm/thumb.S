/* The interpreter's handlers in Thumb-2 (SM_THUMB=1), for the instruction's lists in ops.h.
 *
 * The loop in C (run.c) keeps what sets up or leaves: entries from the host, slow ways of calls,
 * traps of control flow, pauses. All else is here, and what C does not have must be: the table at
 * the end does not assemble otherwise. Both work on the same image and the same frames, and either
 * can go on where the other stopped. sm_thumb_run() comes back in front of an instruction that is
 * not here, or whose slow way is in C, with nothing of it done; thumb.h says why else.
 *
 * Registers hold what a handler needs from the first instruction to the last, so that one that
 * takes two operands and gives one is nine instructions: two to dispatch, two each for an operand
 * and the result, and its own. r0 to r3 are a handler's own. Calls of C take r12 and lr, which are
 * loaded again (`looks`).
 *
 * Results are left in r0, or r0 and r1: the accumulator (accumulator.c), where it is switched on.
 * Stores and branches do not touch it. A form that takes its first operand from there mostly is the
 * end of the handler that loads it.
 *
 * Loads and stores of the module go wherever it says, aligned or not: by ldr and str, never by ldrd
 * and strd, which are for frames. A handler that traps has not moved PC.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops.h"
#include "thumb.h"

#if SM_THUMB

#define PC    r4  /* of the instruction, in the image */
#define FP    r5  /* the frame */
#define TABLE r6  /* the handlers */
#define MEM   r7  /* the memory's first byte */
#define END1  r8  /* the first address at which one byte is outside; two; four */
#define END2  r9
#define END4  r10
#define EXEC  r11
#define SEEN  r12 /* the epoch when it was last looked at, and where it is */
#define EPOCH lr

/* On the stack: what is seldom needed, of the instance. */
#define CODE    0 /* and funcs */
#define GLOBALS 8 /* and imports */
#define IMPORTS 12
#define MEMORY  16
#define END8    20
#define LOCALS  24

    .syntax unified
    .thumb

/* ---- The operations' numbers ----------------------------------------------------------------- */

#define X(name, operands) number name;
    .set .Lcount, 0
    .macro number name
    .set OP_\name, .Lcount
    .set .Lcount, .Lcount + 1
    .endm
    SM_OPS_CONTROL(X)
    .set .Lcontrol, .Lcount
    .set .Lcount, 0
    SM_OPS_HOT(X)
    .set .Lhot, .Lcount
    SM_OPS_RARE(X)
#undef X

/* ---- Parts of handlers ----------------------------------------------------------------------- */

    .macro op name
    .ifndef OP_\name
    .error "ops.h has no \name"
    .endif
.Lop_\name:
    .endm

/* A form that takes an operand from the accumulator, where there are such, goes on here. */
    .macro acc name
    .ifdef OP_\name
.Lop_\name:
    .endif
    .endm

    .macro dispatch
    ldrh r2, [PC]
    ldr pc, [TABLE, r2, lsl #2]
    .endm

    .macro next units
    ldrh r2, [PC, #2 * \units]!
    ldr pc, [TABLE, r2, lsl #2]
    .endm

/* The slot that a unit names; one as good as the other for `index`. */
    .macro get reg, unit
    ldrh \reg, [PC, #2 * \unit]
    ldr \reg, [FP, \reg, lsl #2]
    .endm

    .macro put reg, unit, index
    ldrh \index, [PC, #2 * \unit]
    str \reg, [FP, \index, lsl #2]
    .endm

    .macro get64 low, high, unit
    ldrh \high, [PC, #2 * \unit]
    add \high, FP, \high, lsl #2
    ldrd \low, \high, [\high]
    .endm

    .macro put64 low, high, unit, index
    ldrh \index, [PC, #2 * \unit]
    add \index, FP, \index, lsl #2
    strd \low, \high, [\index]
    .endm

    .macro number16 reg, unit
    ldrsh \reg, [PC, #2 * \unit]
    .endm

    .macro number32 reg, unit
    ldr \reg, [PC, #2 * \unit]
    .endm

/* Look at the epoch, with PC where to go on. */
    .macro look
#if SM_EPOCH_CHECKS
    ldr r2, [EPOCH]
    cmp r2, SEEN
    bne.w .Lticked
#endif
    .endm

/* What calls of C have taken. */
    .macro looks
    ldrd EPOCH, SEEN, [EXEC, #SM_THUMB_EXEC_EPOCH]
    .endm

/* ---- In and out ------------------------------------------------------------------------------ */

    .section .text.sm_thumb_run, "ax", %progbits
    .p2align 2
    .global sm_thumb_run
    .type sm_thumb_run, %function
    .thumb_func
sm_thumb_run:
    push {r3-r11, lr}
    sub sp, #LOCALS
    mov EXEC, r0
    ldrd FP, PC, [EXEC, #SM_THUMB_EXEC_FP]
    movw TABLE, #:lower16:.Ltable
    movt TABLE, #:upper16:.Ltable
    ldr r3, [EXEC, #SM_THUMB_EXEC_INST]
    ldrd r0, r1, [r3, #SM_THUMB_INST_CODE]
    strd r0, r1, [sp, #CODE]
    ldrd r0, r1, [r3, #SM_THUMB_INST_GLOBALS]
    strd r0, r1, [sp, #GLOBALS]
    ldr r0, [r3, #SM_THUMB_INST_MEMORY]
    str r0, [sp, #MEMORY]
    looks
.Lmemory: /* r0; it may have another size */
    ldr MEM, [r0, #SM_THUMB_MEMORY_BASE]
    ldr END1, [r0, #SM_THUMB_MEMORY_SIZE]
    subs END2, END1, #1
    it lo
    movlo END2, #0
    subs END4, END1, #3
    it lo
    movlo END4, #0
    subs r0, END1, #7
    it lo
    movlo r0, #0
    str r0, [sp, #END8]
    dispatch

.Loutside:
    movs r0, #SM_THUMB_TRAP_MEMORY
    b .Lout
.Ldiv_zero:
    movs r0, #SM_THUMB_TRAP_DIV_ZERO
    b .Lout
.Loverflow:
    movs r0, #SM_THUMB_TRAP_OVERFLOW
    b .Lout
.Lticked:
    mvn r0, #~SM_THUMB_TICKED
    b .Lout
.Lleave:
    movs r0, #SM_THUMB_C
.Lout:
    strd FP, PC, [EXEC, #SM_THUMB_EXEC_FP]
    add sp, #LOCALS
    pop {r3-r11, pc}

/* ---- Calls ----------------------------------------------------------------------------------- */

    op CALL
    ldrh r0, [PC, #2]
    ldrd r1, r2, [sp, #CODE]
    ldr r2, [r2, r0, lsl #3]
    ldrh r0, [PC, #4]
    adds r3, PC, #6
.Lcall: /* code r1, callee's offset r2, frame r0 in words from ours, return address r3 */
    add r0, FP, r0, lsl #2
    subs r3, r3, r1
    add r2, r1, r2, lsl #1
    /* The function's OP_ENTER. Until it is known that there is room, nothing is changed. */
    ldr r1, [EXEC, #SM_THUMB_EXEC_STACK_END]
    ldrh lr, [r2, #2]
    subs r1, r1, r0
    cmp r1, lr, lsl #2
    blo .Lno_room
    ldrd r1, lr, [EXEC, #SM_THUMB_EXEC_DEPTH]
    cmp r1, lr
    bhs .Lno_room
    adds r1, #1
    str r1, [EXEC, #SM_THUMB_EXEC_DEPTH]
    mov FP, r0
    ldrh r1, [r2, #4]
    add r0, FP, r1, lsl #2
    ldrh r1, [r2, #6]
    lsrs r3, r3, #1
    str r3, [r0], #4
    cbz r1, 2f
    movs r3, #0
1:  str r3, [r0], #4
    subs r1, #1
    bne 1b
2:  add PC, r2, #8
    ldr EPOCH, [EXEC, #SM_THUMB_EXEC_EPOCH]
    look
    dispatch
.Lno_room:
    ldr EPOCH, [EXEC, #SM_THUMB_EXEC_EPOCH]
    b .Lleave

    op CALL_INDIRECT
    ldr r0, [EXEC, #SM_THUMB_EXEC_INST]
    ldr r1, [r0, #SM_THUMB_INST_TABLES]
    ldrh r2, [PC, #4]
    ldr r1, [r1, r2, lsl #2]
    get r2, 3
    ldrd r3, r1, [r1, #SM_THUMB_TABLE_ENTRIES]
    cmp r2, r1
    bhs .Lleave
    ldr r3, [r3, r2, lsl #2]
    ldr r1, [r0, #SM_THUMB_INST_REF_BASE]
    mvns r1, r1
    add r3, r1 /* the function: less the base, less one */
    ldrd r1, r2, [r0, #SM_THUMB_INST_NFUNCS]
    cmp r3, r1
    bhs .Lleave
    cmp r3, r2
    blo .Lleave
    ldrd r1, r2, [sp, #CODE]
    add r2, r2, r3, lsl #3
    ldrh r3, [r2, #SM_THUMB_FUNC_TYPE]
    ldrh r0, [PC, #2]
    cmp r3, r0
    bne .Lleave
    ldr r2, [r2]
    ldrh r0, [PC, #8]
    add r3, PC, #10
    b .Lcall

    op CALL_IMPORT
    ldrh r0, [PC, #2]
    ldr r1, [sp, #IMPORTS]
    add r0, r1, r0, lsl #4
    ldrd r3, r0, [r0] /* host, ctx */
    cmp r3, #0
    beq .Lleave
    ldrh r2, [PC, #4]
    add r2, FP, r2, lsl #2
    ldr r1, [EXEC, #SM_THUMB_EXEC_INST]
    adds PC, #6
    strd FP, PC, [EXEC, #SM_THUMB_EXEC_FP]
    blx r3
    looks
    cbnz r0, 1f
    look
    ldr r0, [sp, #MEMORY]
    ldr r1, [r0, #SM_THUMB_MEMORY_SIZE]
    cmp r1, END1
    bne .Lmemory
    dispatch
1:  str r0, [EXEC, #SM_THUMB_EXEC_HOST_ERR]
    mvn r0, #~SM_THUMB_HOST
    b .Lout

#if SM_FUSED
/* In front of CALL_IMPORT, whose units are the fourth to the sixth. What is kept takes no longer than
 * other instructions, so that nobody looks at the epoch. */
    op PASS_A
    get r1, 2
    b 1f
    op PASS_K
    number16 r1, 2
1:  ldrh r0, [PC, #8]
    ldr r2, [sp, #IMPORTS]
    get r3, 1
    add r0, r2, r0, lsl #4
    ldrd r0, r2, [r0, #8] /* kept, clock */
    cbz r0, 2f
    cmp r1, END4
    bhs 2f
    eor r12, r3, r3, lsr #3 /* SM_KEPT_PLACE */
    and r12, r12, #7
    add r0, r0, r12, lsl #4
    ldrd r12, lr, [r0]
    cmp r12, r3
    bne 3f
    ldrd r0, r12, [r0, #8]
    ldrd r2, r3, [r2]
    cmp r2, r0
    sbcs r3, r3, r12
    bhs 4f
    str lr, [MEM, r1]
    movs r0, #4
    put r0, 5, r1
    looks
    next 6
4:  get r3, 1
3:  looks
2:  ldrh r0, [PC, #10]
    movs r2, #4
    add r0, FP, r0, lsl #2
    str r3, [r0]
    strd r1, r2, [r0, #4]
    next 3
#endif

    op RETURN_64
    get64 r0, r1, 2
    get r3, 1
    strd r0, r1, [FP]
    b .Lreturn
    op RETURN_32
    get r0, 2
    acc RETURN_32_A
    get r3, 1
    str r0, [FP]
    b .Lreturn
    op RETURN
    get r3, 1
.Lreturn:
    ldr r1, [sp, #CODE]
    add PC, r1, r3, lsl #1
    ldrh r1, [PC, #-2]
    ldr r2, [EXEC, #SM_THUMB_EXEC_DEPTH]
    sub FP, FP, r1, lsl #2
    subs r2, #1
    str r2, [EXEC, #SM_THUMB_EXEC_DEPTH]
    tst r2, #SM_THUMB_RETURNS
    beq 1f
    dispatch
1:  cmp r3, #SM_THUMB_STUB_CROSS /* no pause in a stub */
    bhi .Llook
    dispatch

    op RARE
    ldrh r0, [PC, #2]
    movw r1, #OP_TABLE_GROW
    cmp r0, r1
    bhs .Lleave /* long work, which C looks after */
    ldr r0, [EXEC, #SM_THUMB_EXEC_INST]
    mov r1, FP
    adds r2, PC, #2
    bl sm_rare
    looks
    cmp r0, #0
    itt lt
    rsblt r0, r0, #0
    blt .Lout
    add PC, PC, r0, lsl #1
    next 1

/* ---- Branches -------------------------------------------------------------------------------- */

    op LOOK
    ldrh r1, [PC, #4]
    cbz r1, 2f
    ldrh r0, [PC, #2]
    add r0, FP, r0, lsl #2
    movs r2, #0
1:  str r2, [r0], #4
    subs r1, #1
    bne 1b
2:  adds PC, #6
.Llook:
    look
    dispatch

    op JUMP_FAR
    number32 r2, 1
    b .Lby
    op BR_TABLE_FAR
    get r0, 1
    number32 r1, 2
    cmp r0, r1
    it hs
    movhs r0, r1
    add PC, PC, r0, lsl #2
    ldr r2, [PC, #8]
    adds PC, #6
    b .Lby
    op BR_TABLE
    get r0, 1
    acc BR_TABLE_A
    ldrh r1, [PC, #4]
    cmp r0, r1
    it hs
    movhs r0, r1
    add PC, PC, r0, lsl #1
    number16 r2, 3
    adds PC, #4
    b .Lby

/* Backward the epoch is looked at, at the target: whoever goes on from there comes further. */
    op JUMP
.Ltake:
    number16 r2, 1
.Lby:
    lsls r2, r2, #1
    add PC, r2
    ble .Llook /* 0: a loop without a body */
    dispatch

    .macro branch_zero name, condition
    op \name
    get r2, 2
    cmp r2, #0
    b\condition .Ltake
    next 3
#if SM_ACCUMULATOR
    op \name\()_A
    cmp r0, #0
    b\condition .Ltake
    next 3
#endif
    .endm
    branch_zero BR_NZ, ne
    branch_zero BR_Z, eq

    .macro branch name, condition, second=get
    op \name
    get r2, 2
    \second r3, 3
    cmp r2, r3
    b\condition .Ltake
    next 4
#if SM_ACCUMULATOR
    op \name\()_A
    \second r3, 3
    cmp r0, r3
    b\condition .Ltake
    next 4
#endif
    .endm
    branch BR_EQ, eq
    branch BR_NE, ne
    branch BR_LT_S, lt
    branch BR_LE_S, le
    branch BR_LT_U, lo
    branch BR_LE_U, ls
    branch BR_EQ_K, eq, number16
    branch BR_NE_K, ne, number16
    branch BR_LT_S_K, lt, number16
    branch BR_GE_S_K, ge, number16
    branch BR_LT_U_K, lo, number16
    branch BR_GE_U_K, hs, number16

#if SM_FUSED
/* Always backward. */
.Lback:
    number16 r0, 1
    add PC, PC, r0, lsl #1
    look
    dispatch

    .macro increment
    ldrh r1, [PC, #4]
    number16 r2, 3
    ldr r0, [FP, r1, lsl #2]
    add r0, r2
    str r0, [FP, r1, lsl #2]
    .endm
    .macro increment_branch name, condition
    op \name
    increment
    get r1, 4
    cmp r0, r1
    b\condition .Lback
    next 5
    .endm
    increment_branch INC_BR_NE, ne
    increment_branch INC_BR_LT_S, lt
    increment_branch INC_BR_LT_U, lo
    op INC_BR_NE_K
    increment
    number16 r1, 4
    cmp r0, r1
    bne .Lback
    next 5
#endif

/* ---- Comparisons ----------------------------------------------------------------------------- */

    .macro give units /* r0 */
    put r0, 1, r1
    next \units
    .endm

    .macro equal units /* r0 with r1 */
    subs r0, r0, r1
    clz r0, r0
    lsrs r0, r0, #5
    give \units
    .endm
    .macro unequal
    subs r0, r0, r1
    it ne
    movne r0, #1
    give 4
    .endm
    .macro flags condition, units
    mov r0, #0
    it \condition
    mov\condition r0, #1
    give \units
    .endm
    .macro less_unsigned /* the borrow */
    subs r0, r0, r1
    sbcs r0, r0, r0
    negs r0, r0
    give 4
    .endm
    .macro not_less_unsigned
    subs r0, r0, r1
    sbcs r0, r0, r0
    adds r0, #1
    give 4
    .endm
    .macro operands name
    op \name
    get r0, 2
    acc \name\()_A
    get r1, 3
    .endm
    .macro operands_k name
    op \name
    get r0, 2
    acc \name\()_A
    number16 r1, 3
    .endm

    operands I32_EQ
    equal 4
    operands I32_NE
    unequal
    operands I32_LT_S
    cmp r0, r1
    flags lt, 4
    operands I32_LE_S
    cmp r0, r1
    flags le, 4
    operands I32_LT_U
    less_unsigned
    op I32_LE_U
    get r1, 2
    get r0, 3
    not_less_unsigned
    operands_k I32_EQ_K
    equal 4
    operands_k I32_NE_K
    unequal
    operands_k I32_LT_S_K
    cmp r0, r1
    flags lt, 4
    operands_k I32_GE_S_K
    cmp r0, r1
    flags ge, 4
    operands_k I32_LT_U_K
    less_unsigned
    operands_k I32_GE_U_K
    not_less_unsigned
    op I32_EQZ
    get r0, 2
    clz r0, r0
    lsrs r0, r0, #5
    give 3

    .macro operands64 name
    op \name
    get64 r0, r1, 2
    acc \name\()_A
    get64 r2, r3, 3
    .endm
    operands64 I64_EQ
    eors r0, r2
    eors r1, r3
    orrs r0, r1
    movs r1, #0
    equal 4
    operands64 I64_NE
    eors r0, r2
    eors r1, r3
    orrs r0, r1
    movs r1, #0
    unequal
    operands64 I64_LT_S
    cmp r0, r2
    sbcs r1, r1, r3
    flags lt, 4
    operands64 I64_LE_S
    cmp r2, r0
    sbcs r3, r3, r1
    flags ge, 4
    operands64 I64_LT_U
    cmp r0, r2
    sbcs r1, r1, r3
    flags lo, 4
    operands64 I64_LE_U
    cmp r2, r0
    sbcs r3, r3, r1
    flags hs, 4
    op I64_EQZ
    get64 r0, r1, 2
    acc I64_EQZ_A
    orrs r0, r1
    clz r0, r0
    lsrs r0, r0, #5
    give 3

/* ---- Moves, globals -------------------------------------------------------------------------- */

    op COPY_32
    get r0, 2
    give 3
    op COPY_32_TWICE
    get r0, 2
    put r0, 1, r1
    get r0, 4
    put r0, 3, r1
    next 5
    op COPY_64
    get64 r0, r1, 2
    put64 r0, r1, 1, r2
    next 3
    op CONST_K
    number16 r0, 2
    give 3
    op CONST_32
    number32 r0, 2
    give 4
    op CONST_64K
    number16 r0, 2
    asrs r1, r0, #31
    put64 r0, r1, 1, r2
    next 3
    op CONST_64
    number32 r0, 2
    number32 r1, 4
    put64 r0, r1, 1, r2
    next 6

    .macro choose /* the third or the second operand's slot to r1 */
    get r0, 4
    ldrh r1, [PC, #6]
    cmp r0, #0
    it ne
    ldrhne r1, [PC, #4]
    .endm
    op SELECT_32
    choose
    ldr r0, [FP, r1, lsl #2]
    give 5
    op SELECT_64
    choose
    add r1, FP, r1, lsl #2
    ldrd r0, r1, [r1]
    put64 r0, r1, 1, r2
    next 5

    .macro global reg, unit
    ldrh \reg, [PC, #2 * \unit]
    ldr r1, [sp, #GLOBALS]
    ldr \reg, [r1, \reg, lsl #2]
    .endm
    op GLOBAL_GET_32
    global r0, 2
    ldr r0, [r0]
    give 3
    op GLOBAL_GET_64
    global r2, 2
    ldrd r0, r1, [r2]
    put64 r0, r1, 1, r2
    next 3
    op GLOBAL_SET_32
    global r2, 1
    get r0, 2
    str r0, [r2]
    next 3
    op GLOBAL_SET_64
    global r2, 1
    get64 r0, r1, 2
    strd r0, r1, [r2]
    next 3
    op MEMORY_SIZE
    ldr r0, [sp, #MEMORY]
    ldr r0, [r0, #SM_THUMB_MEMORY_PAGES]
    give 2
    op ADDRESS
    get r0, 2
    number32 r1, 3
    adds r0, r0, r1
    bcs.w .Loutside
    give 5

/* ---- Memory ---------------------------------------------------------------------------------- */

/* An address, in the four forms of ops.h: what is added to the slot in `reg` (at unit `at`). */
    .macro address_O reg, other, at, offset
    ldrh \other, [PC, #2 * \offset]
    adds \reg, \reg, \other
    bcs.w .Loutside
    .endm
    .macro address_1 reg, other, at, offset
    .endm
    .macro address_K reg, other, at, offset
    number16 \other, (\at + 1)
    add \reg, \other
    .endm
    .macro address_R reg, other, at, offset
    get \other, (\at + 1)
    add \reg, \other
    .endm
    .macro inside reg, end
    cmp \reg, \end
    bhs.w .Loutside
    .endm
    .macro inside8 reg, other
    ldr \other, [sp, #END8]
    inside \reg, \other
    .endm

    .macro load_form name, form, units, insn, end
    op \name
    get r0, 2
    acc \name\()_A
    address_\form r0, r1, 2, 3
    inside r0, \end
    \insn r0, [MEM, r0]
    give \units
    .endm
/* Stores leave r0 and r1 as they are. */
    .macro store_form name, form, at, units, insn, end
    op \name
    get r2, 1
    address_\form r2, r3, 1, 3
    inside r2, \end
    get r3, \at
    \insn r3, [MEM, r2]
    next \units
    .ifdef OP_\name\()_C
    op \name\()_C
    get r2, 1
    address_\form r2, r3, 1, 3
    inside r2, \end
    \insn r0, [MEM, r2]
    next \units
    .endif
    .endm

#if SM_FUSED
#define FORMS_OF_LOAD(name, insn, end)                                                             \
    load_form name##_O, O, 4, insn, end;                                                           \
    load_form name, 1, 3, insn, end;                                                               \
    load_form name##_K, K, 4, insn, end;                                                           \
    load_form name##_R, R, 4, insn, end
#define FORMS_OF_STORE(name, insn, end)                                                            \
    store_form name##_O, O, 2, 4, insn, end;                                                       \
    store_form name, 1, 2, 3, insn, end;                                                           \
    store_form name##_K, K, 3, 4, insn, end;                                                       \
    store_form name##_R, R, 3, 4, insn, end
#define FORMS_OF_64(what)                                                                          \
    what O, _O, 2, 4;                                                                              \
    what 1, , 2, 3;                                                                                \
    what K, _K, 3, 4;                                                                              \
    what R, _R, 3, 4
#else
#define FORMS_OF_LOAD(name, insn, end)  load_form name##_O, O, 4, insn, end
#define FORMS_OF_STORE(name, insn, end) store_form name##_O, O, 2, 4, insn, end
#define FORMS_OF_64(what)               what O, _O, 2, 4
#endif
    FORMS_OF_LOAD(LOAD_32, ldr, END4)
    FORMS_OF_LOAD(LOAD_8S, ldrsb, END1)
    FORMS_OF_LOAD(LOAD_8U, ldrb, END1)
    FORMS_OF_LOAD(LOAD_16S, ldrsh, END2)
    FORMS_OF_LOAD(LOAD_16U, ldrh, END2)
    FORMS_OF_STORE(STORE_8, strb, END1)
    FORMS_OF_STORE(STORE_16, strh, END2)
    FORMS_OF_STORE(STORE_32, str, END4)

    .macro load_64 form, suffix, at, units
    op LOAD_64\suffix
    get r0, 2
    acc LOAD_64\suffix\()_A
    address_\form r0, r1, 2, 3
    inside8 r0, r2
    add r0, MEM
    ldr r1, [r0, #4]
    ldr r0, [r0]
    put64 r0, r1, 1, r2
    next \units
    .endm
    .macro store_64 form, suffix, at, units
    op STORE_64\suffix
    get r2, 1
    address_\form r2, r3, 1, 3
    inside8 r2, r3
    get64 r3, lr, \at
    add r2, MEM
    str r3, [r2]
    str lr, [r2, #4]
    ldr EPOCH, [EXEC, #SM_THUMB_EXEC_EPOCH]
    next \units
    .ifdef OP_STORE_64\suffix\()_C
    op STORE_64\suffix\()_C
    get r2, 1
    address_\form r2, r3, 1, 3
    inside8 r2, r3
    add r2, MEM
    str r0, [r2]
    str r1, [r2, #4]
    next \units
    .endif
    .endm
    FORMS_OF_64(load_64)
    FORMS_OF_64(store_64)

    .macro load_wide name, insn, end, high:vararg
    op \name
    get r0, 2
    address_O r0, r1, 2, 3
    inside r0, \end
    \insn r0, [MEM, r0]
    \high
    put64 r0, r1, 1, r2
    next 4
    .endm
    load_wide LOAD_8S_64_O, ldrsb, END1, asrs r1, r0, #31
    load_wide LOAD_8U_64_O, ldrb, END1, movs r1, #0
    load_wide LOAD_16S_64_O, ldrsh, END2, asrs r1, r0, #31
    load_wide LOAD_16U_64_O, ldrh, END2, movs r1, #0
    load_wide LOAD_32S_64_O, ldr, END4, asrs r1, r0, #31
    load_wide LOAD_32U_64_O, ldr, END4, movs r1, #0

/* ---- Integers -------------------------------------------------------------------------------- */

    .macro binary name, insn
    operands \name
    \insn r0, r0, r1
    give 4
    .endm
    .macro binary_k name, insn
    operands_k \name
    \insn r0, r0, r1
    give 4
    .endm
/* By the count's low five bits; numbers have no others, and rotation takes none. */
    .macro shift name, insn
    operands \name
    and r1, r1, #31
    \insn r0, r0, r1
    give 4
    .endm
    .macro rotate_left reg, count
    negs \count, \count
    ror \reg, \reg, \count
    .endm
    binary I32_ADD, adds
    binary I32_SUB, subs
    binary I32_MUL, mul
    binary I32_AND, ands
    binary I32_OR, orrs
    binary I32_XOR, eors
    shift I32_SHL, lsl
    shift I32_SHR_S, asr
    shift I32_SHR_U, lsr
    operands I32_ROTL
    rotate_left r0, r1
    give 4
    op I32_ADD_W
    get r0, 2
    acc I32_ADD_W_A
    number32 r1, 3
    add r0, r1
    give 5
    binary_k I32_ADD_K, adds
    binary_k I32_MUL_K, mul
    binary_k I32_AND_K, ands
    binary_k I32_OR_K, orrs
    binary_k I32_XOR_K, eors
    binary_k I32_SHL_K, lsls
    binary_k I32_SHR_S_K, asrs
    binary_k I32_SHR_U_K, lsrs
    operands_k I32_ROTL_K
    rotate_left r0, r1
    give 4

    .macro divisor name
    operands \name
    cmp r1, #0
    beq.w .Ldiv_zero
    .endm
    divisor I32_DIV_S
    cmn r1, #1
    bne 1f
    cmp r0, #0x80000000
    beq.w .Loverflow
1:  sdiv r0, r0, r1
    give 4
    divisor I32_DIV_U
    udiv r0, r0, r1
    give 4
    divisor I32_REM_S /* INT_MIN by -1: sdiv gives INT_MIN, so nothing remains */
    sdiv r2, r0, r1
    mls r0, r2, r1, r0
    give 4
    divisor I32_REM_U
    udiv r2, r0, r1
    mls r0, r2, r1, r0
    give 4

    .macro give64 units
    put64 r0, r1, 1, r2
    next \units
    .endm
    .macro operands64_k name
    op \name
    get64 r0, r1, 2
    acc \name\()_A
    number16 r2, 3
    .endm
    .macro both low, high
    \low r0, r0, r2
    \high r1, r1, r3
    give64 4
    .endm
    .macro product /* r1:r0 times r3:r2 */
    mul r3, r0, r3
    mla r3, r1, r2, r3
    umull r0, r1, r0, r2
    add r1, r3
    .endm
    operands64 I64_ADD
    both adds, adcs
    operands64 I64_SUB
    both subs, sbcs
    operands64 I64_AND
    both ands, ands
    operands64 I64_OR
    both orrs, orrs
    operands64 I64_XOR
    both eors, eors
    operands64 I64_MUL
    product
    give64 4

/* By r2, less than 64. A shift by a register takes its low byte, and gives 0 (asr: the sign) from 32
 * on. */
    .macro shift_left
    subs r3, r2, #32
    bpl 1f
    negs r3, r3
    lsr r3, r0, r3
    lsls r1, r2
    orrs r1, r3
    lsls r0, r2
    give64 4
1:  lsl r1, r0, r3
    movs r0, #0
    give64 4
    .endm
    .macro shift_right insn, rest:vararg
    subs r3, r2, #32
    bpl 1f
    negs r3, r3
    lsl r3, r1, r3
    lsrs r0, r2
    orrs r0, r3
    \insn r1, r1, r2
    give64 4
1:  \insn r0, r1, r3
    \rest
    give64 4
    .endm
    .macro shift64 name
    op \name
    get64 r0, r1, 2
    acc \name\()_A
    get r2, 3
    and r2, r2, #63
    .endm
    shift64 I64_SHL
    shift_left
    shift64 I64_SHR_S
    shift_right asrs, asrs r1, r1, #31
    shift64 I64_SHR_U
    shift_right lsrs, movs r1, #0

    op I32_WRAP
    get r0, 2
    give 3
    op I64_EXTEND_S
    get r0, 2
    asrs r1, r0, #31
    give64 3
    op I64_EXTEND_U
    get r0, 2
    movs r1, #0
    give64 3
    op I32_EXTEND8
    get r0, 2
    sxtb r0, r0
    give 3
    op I32_EXTEND16
    get r0, 2
    sxth r0, r0
    give 3

/* ---- Several operators in one ---------------------------------------------------------------- */

#if SM_FUSED
    operands64_k I64_ADD_K
    asrs r3, r2, #31
    both adds, adcs
    operands64_k I64_MUL_K
    asrs r3, r2, #31
    product
    give64 4
    operands64_k I64_AND_K
    asrs r3, r2, #31
    both ands, ands
    operands64_k I64_OR_K
    asrs r3, r2, #31
    both orrs, orrs
    operands64_k I64_XOR_K
    asrs r3, r2, #31
    both eors, eors
    operands64_k I64_SHL_K
    shift_left
    operands64_k I64_SHR_S_K
    shift_right asrs, asrs r1, r1, #31
    operands64_k I64_SHR_U_K
    shift_right lsrs, movs r1, #0
    operands64_k I64_ROTL_K /* by 32: the words change places; then what leaves one enters the other */
    tst r2, #32
    beq 1f
    mov r3, r0
    mov r0, r1
    mov r1, r3
1:  ands r2, r2, #31
    beq 2f
    rsb r3, r2, #32
    push {r4}
    lsr r4, r0, r3
    lsr r3, r1, r3
    lsls r0, r2
    lsls r1, r2
    orrs r0, r3
    orrs r1, r4
    pop {r4}
2:  give64 4

    op I32_INC
    ldrh r1, [PC, #2]
    number16 r2, 2
    ldr r0, [FP, r1, lsl #2]
    add r0, r2
    str r0, [FP, r1, lsl #2]
    next 3
    op I32_INC_TWICE
    ldrh r1, [PC, #2]
    number16 r2, 2
    ldr r0, [FP, r1, lsl #2]
    add r0, r2
    str r0, [FP, r1, lsl #2]
    ldrh r1, [PC, #6]
    number16 r2, 4
    ldr r0, [FP, r1, lsl #2]
    add r0, r2
    str r0, [FP, r1, lsl #2]
    next 5

    .macro three name, second, third
    op \name
    get r0, 2
    acc \name\()_A
    \second r1, 3
    \third r2, 4
    .endm
    three I32_ADD_ADD, get, get
    add r0, r1
    add r0, r2
    give 5
    three I32_ADD_ADD_K, get, number16
    add r0, r1
    add r0, r2
    give 5
    three I32_MUL_ADD, get, get
    mla r0, r0, r1, r2
    give 5
    three I32_XOR_ADD, get, get
    eors r0, r1
    add r0, r2
    give 5
    three I32_SHL_K_ADD, number16, get
    lsls r0, r1
    add r0, r2
    give 5
    three I32_SHL_K_ADD_K, number16, number16
    lsls r0, r1
    add r0, r2
    give 5
    three I32_SHL_K_XOR, number16, get
    lsls r0, r1
    eors r0, r2
    give 5
    three I32_SHR_U_K_XOR, number16, get
    lsrs r0, r1
    eors r0, r2
    give 5
    three I32_SHR_U_K_AND_K, number16, number16
    lsrs r0, r1
    ands r0, r2
    give 5
    three I32_ROTL_K_XOR, number16, get
    rotate_left r0, r1
    eors r0, r2
    give 5
    three I32_XOR_SHL_K, get, number16
    eors r0, r1
    lsls r0, r2
    give 5
    three I32_XOR_ROTL_K, get, number16
    eors r0, r1
    rotate_left r0, r2
    give 5

#if SM_ACCUMULATOR /* the last operand is there: the first and its partner in r2 and r1 */
    .macro last name, second, insn:vararg
    op \name\()_C
    get r2, 2
    \second r1, 3
    \insn
    .endm
    last I32_ADD_ADD, get, add r2, r1
    add r0, r2
    give 5
    last I32_MUL_ADD, get, mla r0, r2, r1, r0
    give 5
    last I32_XOR_ADD, get, eors r2, r1
    add r0, r2
    give 5
    last I32_SHL_K_ADD, number16, lsls r2, r1
    add r0, r2
    give 5
    last I32_SHL_K_XOR, number16, lsls r2, r1
    eors r0, r2
    give 5
    last I32_SHR_U_K_XOR, number16, lsrs r2, r1
    eors r0, r2
    give 5
    last I32_ROTL_K_XOR, number16, negs r1, r1
    ror r2, r2, r1
    eors r0, r2
    give 5
#endif

    op CONST_32_AND
    get r0, 4
    acc CONST_32_AND_C
    number32 r1, 2
    ands r0, r1
    give 5
    op CONST_32_MUL
    get r0, 4
    acc CONST_32_MUL_C
    number32 r1, 2
    muls r0, r1, r0
    give 5
    op CONST_64_MUL
    get64 r0, r1, 6
    acc CONST_64_MUL_C
    number32 r2, 2
    number32 r3, 4
    product
    give64 7

    op I64_SHR_U_K_XOR
    get64 r0, r1, 2
    acc I64_SHR_U_K_XOR_A
    ldrh r2, [PC, #6]
    subs r3, r2, #32
    bpl 1f
    negs r3, r3
    lsl r3, r1, r3
    lsrs r0, r2
    orrs r0, r3
    lsrs r1, r2
2:  get64 r2, r3, 4
    eors r0, r2
    eors r1, r3
    give64 5
1:  lsr r0, r1, r3
    movs r1, #0
    b 2b

#if SM_ACCUMULATOR
    op I64_SHR_U_K_XOR_C
    get64 r2, r3, 2
    ldrh lr, [PC, #6]
    rsbs r12, lr, #32
    ble 1f
    lsl r12, r3, r12
    lsr r2, r2, lr
    orr r2, r2, r12
    lsr r3, r3, lr
    eors r0, r2
    eors r1, r3
    looks
    give64 5
1:  rsb r12, r12, #0
    lsr r2, r3, r12
    eors r0, r2
    looks
    give64 5
#endif

    .macro select name, condition
    operands \name
    ldrh r2, [PC, #10]
    cmp r0, r1
    it \condition
    ldrh\condition r2, [PC, #8]
    ldr r0, [FP, r2, lsl #2]
    give 6
    .endm
    select SELECT_LT_S, lt
    select SELECT_LT_U, lo

    .macro load_pair name, form, insn, end, unit, use
    op \name
    get r0, 2
    acc \name\()_A
    address_\form r0, r1, 2, 3
    inside r0, \end
    \insn r0, [MEM, r0]
    get r1, \unit
    \use r0, r0, r1
    give (\unit + 1)
#if SM_ACCUMULATOR
    op \name\()_C
    get r2, 2
    address_\form r2, r3, 2, 3
    inside r2, \end
    \insn r2, [MEM, r2]
    \use r0, r0, r2
    give (\unit + 1)
#endif
    .endm
    load_pair LOAD_32_ADD, 1, ldr, END4, 3, add
    load_pair LOAD_32_K_ADD, K, ldr, END4, 4, add
    load_pair LOAD_16S_MUL, 1, ldrsh, END2, 3, mul
    load_pair LOAD_16S_K_MUL, K, ldrsh, END2, 4, mul
    load_pair LOAD_8U_K_XOR, K, ldrb, END1, 4, eor
#endif

/* ---- Floating point -------------------------------------------------------------------------- */

#if SM_FLOATS
/* By the processor where it has registers of the size (bits of __ARM_FP: 4 for 32 bits, 8 for 64),
 * else by the compiler's routines, which take their operands in r0 to r3 in every ABI. */
#if defined(__ARM_FP) && (__ARM_FP & 4)
    .macro f32_binary name, insn, routine
    operands \name
    vmov s0, s1, r0, r1
    \insn\().f32 s0, s0, s1
    vmov r0, s0
    give 4
    .endm
    .macro f32_compare name, condition, routine, sense
    operands \name
    vmov s0, s1, r0, r1
    vcmp.f32 s0, s1
    vmrs APSR_nzcv, fpscr
    flags \condition, 4
    .endm
#else
    .macro f32_binary name, insn, routine
    operands \name
    bl __aeabi_f\routine
    looks
    give 4
    .endm
    .macro f32_compare name, condition, routine, sense
    operands \name
    bl __aeabi_fcmp\routine
    looks
    cmp r0, #0
    flags \sense, 4
    .endm
#endif
#if defined(__ARM_FP) && (__ARM_FP & 8)
    .macro f64_operation insn, routine
    vmov d0, r0, r1
    vmov d1, r2, r3
    \insn\().f64 d0, d0, d1
    vmov r0, r1, d0
    .endm
    .macro f64_compare name, condition, routine, sense
    operands64 \name
    vmov d0, r0, r1
    vmov d1, r2, r3
    vcmp.f64 d0, d1
    vmrs APSR_nzcv, fpscr
    flags \condition, 4
    .endm
#else
    .macro f64_operation insn, routine
    bl __aeabi_d\routine
    looks
    .endm
    .macro f64_compare name, condition, routine, sense
    operands64 \name
    bl __aeabi_dcmp\routine
    looks
    cmp r0, #0
    flags \sense, 4
    .endm
#endif
    .macro f64_binary name, insn, routine
    operands64 \name
    f64_operation \insn, \routine
    give64 4
    .endm
    f32_compare F32_EQ, eq, eq, ne
    f32_compare F32_NE, ne, eq, eq
    f32_compare F32_LT, mi, lt, ne
    f32_compare F32_LE, ls, le, ne
    f64_compare F64_EQ, eq, eq, ne
    f64_compare F64_NE, ne, eq, eq
    f64_compare F64_LT, mi, lt, ne
    f64_compare F64_LE, ls, le, ne
    f32_binary F32_ADD, vadd, add
    f32_binary F32_SUB, vsub, sub
    f32_binary F32_MUL, vmul, mul
    f32_binary F32_DIV, vdiv, div
    f64_binary F64_ADD, vadd, add
    f64_binary F64_SUB, vsub, sub
    f64_binary F64_MUL, vmul, mul
    f64_binary F64_DIV, vdiv, div
#endif

#if SM_DOUBLE_PAIRS
    op CONST_64_F64_MUL
    number32 r0, 2
    number32 r1, 4
    get64 r2, r3, 6
    f64_operation vmul, mul
    give64 7
    operands64 F64_MUL_ADD /* the product is rounded before it is added: two operators */
    f64_operation vmul, mul
    get64 r2, r3, 4
    f64_operation vadd, add
    give64 5
    operands64 F64_MUL_SUB
    f64_operation vmul, mul
    mov r2, r0
    mov r3, r1
    get64 r0, r1, 4
    f64_operation vsub, sub
    give64 5
    .macro load_f64 name, form, unit, insn, routine
    op \name
    get r0, 2
    address_\form r0, r1, 2, 3
    inside8 r0, r2
    add r0, MEM
    ldr r1, [r0, #4]
    ldr r0, [r0]
    get64 r2, r3, \unit
    f64_operation \insn, \routine
    give64 (\unit + 1)
    .endm
    load_f64 LOAD_64_F64_ADD, 1, 3, vadd, add
    load_f64 LOAD_64_K_F64_ADD, K, 4, vadd, add
    load_f64 LOAD_64_F64_MUL, 1, 3, vmul, mul
    load_f64 LOAD_64_K_F64_MUL, K, 4, vmul, mul
#endif

    .size sm_thumb_run, . - sm_thumb_run

/* ---- The table ------------------------------------------------------------------------------- */

    .macro entry name
    .ifdef .Lop_\name
    .word .Lop_\name + 1
    .else
    .if OP_\name >= .Lcontrol
    .error "no handler of \name"
    .endif
    .word .Lleave + 1
    .endif
    .endm
    .section .rodata.sm_thumb_run, "a", %progbits
    .p2align 2
.Ltable:
#define X(name, operands) entry name;
    SM_OPS_HOT(X)
#undef X

#endif

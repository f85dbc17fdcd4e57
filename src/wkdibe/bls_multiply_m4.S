/* bls_multiply.c for the Cortex-M4 (any core with SMLAL in one cycle), 14 limbs of 28 bits.
 *
 * A column of products is a sum in two registers, to which SMLAL adds a product. Three columns go
 * together, from their first product to their last: each step loads one limb of either factor and has
 * three products, for the two limbs before are still there. Compilers see one column at a time and load
 * two limbs for each product.
 *
 * UMAAL, which adds two words to a product, is for rows of full limbs, where it takes the carries; here
 * are none. Limb i of the second factor is in register r10, r11 or r12 by i modulo 3.
 *
 * SPDX-License-Identifier: Apache-2.0 */
    .syntax unified
    .thumb
    .altmacro

    .set LIMBS, 14
    .set COLUMNS, 27

/* The sum lo:hi of column \c of the block takes r3 times \limb. */
    .macro multiply c, lo, hi, limb
    .if fresh\c
    smull \lo, \hi, r3, \limb
    .set fresh\c, 0
    .else
    smlal \lo, \hi, r3, \limb
    .endif
    .endm

    .macro multiply_column c, lo, hi
    .set j, first + \c - i
    .if (j >= 0) && (j < LIMBS) && (first + \c < end)
    .if j % 3 == 0
    multiply \c, \lo, \hi, r10
    .elseif j % 3 == 1
    multiply \c, \lo, \hi, r11
    .else
    multiply \c, \lo, \hi, r12
    .endif
    .endif
    .endm

    .macro load_limb base, index
    .set j, \index
    .if (j >= 0) && (j < LIMBS)
    .if j % 3 == 0
    ldr r10, [\base, #4 * j]
    .elseif j % 3 == 1
    ldr r11, [\base, #4 * j]
    .else
    ldr r12, [\base, #4 * j]
    .endif
    .endif
    .endm

/* Products of limbs i = \from .. \to - 1 at \left with those at \right, for the columns first, first + 1
 * and first + 2 that are before end. */
    .macro multiply_block left, right, from, to
    .set i, \from
    load_limb \right, first + 2 - i
    load_limb \right, first + 1 - i
    .rept \to - \from
    ldr r3, [\left, #4 * i]
    load_limb \right, first - i
    multiply_column 0, r4, r5
    multiply_column 1, r6, r7
    multiply_column 2, r8, r9
    .set i, i + 1
    .endr
    .endm

    .macro begin name
    .section .text.\name, "ax", %progbits
    .global \name
    .type \name, %function
    .thumb_func
    .balign 4
\name:
    push {r4-r11, lr}
    .endm

/* ---- w = a b, w += a b: r0 = w, r1 = a, r2 = b -------------------------------------------------- */

    .macro wide name, add
    begin \name
    .set first, 0
    .set end, COLUMNS
    .rept COLUMNS / 3
    .set fresh0, 1 - \add
    .set fresh1, 1 - \add
    .set fresh2, 1 - \add
    .if \add
    ldrd r4, r5, [r0, #8 * first]
    ldrd r6, r7, [r0, #8 * first + 8]
    ldrd r8, r9, [r0, #8 * first + 16]
    .endif
    .if first < LIMBS
    .set low, 0
    .else
    .set low, first - LIMBS + 1
    .endif
    .if first + 3 < LIMBS
    .set high, first + 3
    .else
    .set high, LIMBS
    .endif
    multiply_block r1, r2, %low, %high
    strd r4, r5, [r0, #8 * first]
    strd r6, r7, [r0, #8 * first + 8]
    strd r8, r9, [r0, #8 * first + 16]
    .set first, first + 3
    .endr
    pop {r4-r11, pc}
    .size \name, . - \name
    .endm

    wide sm_bls_fp_wide_mul, 0
    wide sm_bls_fp_wide_mul_add, 1

/* ---- Reduction: r0 = c, r1 = w, r2 = plus; sp = m, lr = p ---------------------------------------- */

    .set FACTOR, 0xffcfffd /* -1/p modulo 2^28 */

/* lo:hi >>= 28 */
    .macro shift lo, hi
    lsrs \lo, \lo, #28
    orr \lo, \lo, \hi, lsl #4
    asr \hi, \hi, #28
    .endm

/* The sums begin with w's columns, the first with the carry in r8:r9 too. */
    .macro load_sums carry
    .set fresh0, 0
    .set fresh1, 0
    .set fresh2, 0
    ldrd r4, r5, [r1, #8 * first]
    .if \carry
    adds r4, r4, r8
    adc r5, r5, r9
    .endif
    .if first + 1 < end
    ldrd r6, r7, [r1, #8 * first + 8]
    .endif
    .if first + 2 < end
    ldrd r8, r9, [r1, #8 * first + 16]
    .endif
    .endm

/* m[\index] = r3, which makes lo:hi divisible by 2^28 once r3 times p's lowest limb, r10, is added. */
    .macro multiple lo, hi, index
    ldr r3, =FACTOR
    mul r3, r3, \lo
    sbfx r3, r3, #0, #28
    str r3, [sp, #4 * (\index)]
    smlal \lo, \hi, r3, r10
    shift \lo, \hi
    .endm

    .macro low_columns
    .set end, LIMBS
    .set first, 0
    .rept (LIMBS + 2) / 3
    .if first == 0
    load_sums 0
    .else
    load_sums 1
    multiply_block sp, lr, 0, %first
    .endif
    ldrd r10, r11, [lr]
    multiple r4, r5, first
    adds r6, r6, r4
    adc r7, r7, r5
    smlal r6, r7, r3, r11
    .if first + 2 < end
    ldr r12, [lr, #8]
    smlal r8, r9, r3, r12
    .endif
    multiple r6, r7, first + 1
    .if first + 2 < end
    adds r8, r8, r6
    adc r9, r9, r7
    smlal r8, r9, r3, r11
    multiple r8, r9, first + 2
    .else
    mov r8, r6
    mov r9, r7
    .endif
    .set first, first + 3
    .endr
    .endm

/* The lowest 28 bits of lo:hi are limb \index of c; the rest is what remains in lo:hi. */
    .macro digit lo, hi, index, plus
    .if \plus
    ldr r3, [r2, #4 * (\index)]
    adds \lo, \lo, r3
    adc \hi, \hi, r3, asr #31
    .endif
    sbfx r3, \lo, #0, #28
    str r3, [r0, #4 * (\index)]
    adds \lo, \lo, #0x8000000
    adc \hi, \hi, #0
    shift \lo, \hi
    .endm

    .macro high_columns plus
    .set end, COLUMNS
    .set first, LIMBS
    .rept (COLUMNS - LIMBS + 2) / 3
    load_sums 1
    .set low, first - LIMBS + 1
    multiply_block sp, lr, %low, LIMBS
    digit r4, r5, first - LIMBS, \plus
    .if first + 1 < end
    adds r6, r6, r4
    adc r7, r7, r5
    digit r6, r7, first + 1 - LIMBS, \plus
    adds r8, r8, r6
    adc r9, r9, r7
    digit r8, r9, first + 2 - LIMBS, \plus
    .endif
    .set first, first + 3
    .endr
    .if \plus
    ldr r3, [r2, #4 * (LIMBS - 1)]
    add r4, r4, r3
    .endif
    str r4, [r0, #4 * (LIMBS - 1)]
    .endm

    .macro reduce name, plus
    begin \name
    sub sp, sp, #4 * LIMBS
    ldr lr, =sm_bls_modulus
    low_columns
    high_columns \plus
    add sp, sp, #4 * LIMBS
    pop {r4-r11, pc}
    .ltorg
    .size \name, . - \name
    .endm

    reduce sm_bls_fp_reduce, 0
    reduce sm_bls_fp_reduce_plus, 1

/* What is built in: the only switches that exist at compile time, each with its default, meaning
 * and cost (Cortex-M4, -Os; `./dev size` measures them). A build gives another value as in
 * -DSM_FLOATS=0, to every library alike; no structure and no prototype depends on one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_CONFIG_H
#define SANDMOTE_CONFIG_H

#ifndef __ASSEMBLER__
#include <stdint.h>
#endif

/* Floating point, f32 and f64: 1 or 0. Without it a module that has a value of these types is
 * refused when it is translated (SM_ERR_UNSUPPORTED, "floating point is not built in"), and nothing
 * of the compiler's soft-float routines is linked. 3.7 KB of flash. */
#ifndef SM_FLOATS
#define SM_FLOATS 1
#endif

/* Several operators in one instruction, constants and sums of slots as operands of 64-bit
 * operators, loads and stores: 1 or 0. 5.6 KB of flash; without them kernels take a third more
 * instructions (SWITCHES=SM_FUSED=0 bench/m4.sh). */
#ifndef SM_FUSED
#define SM_FUSED 1
#endif

/* Two operators on f64 in one instruction, such as multiply and add: 1 or 0. The default is 1 where
 * the processor computes in double precision; where routines do, their time hides the gain. 0.7 KB.
 */
#ifndef SM_DOUBLE_PAIRS
#if UINTPTR_MAX > 0xffffffff || (defined(__ARM_FP) && (__ARM_FP & 8))
#define SM_DOUBLE_PAIRS (SM_FLOATS && SM_FUSED)
#else
#define SM_DOUBLE_PAIRS 0
#endif
#endif

/* The interpreter's handlers in Thumb-2 assembly (src/wasm/thumb.S) instead of C, for Cortex-M3 and
 * later: 1 or 0. A fifth fewer instructions on Cortex-M4 (`./dev bench --m4`), and 0.9 KB less of
 * flash. For who builds with gcc or clang and leaves unaligned loads on, as they are after reset.
 */
#ifndef SM_THUMB
#define SM_THUMB 0
#endif

/* An operand may be the result just computed, in a register, instead of its slot in memory: 1 or 0.
 * The default is 1 where registers have 64 bits: processors that execute several instructions at
 * once wait for memory longest (a fifth of the time on x86-64, 12 KB). Cortex-M does not wait;
 * there it saves a tenth of the instructions with SM_THUMB=1, for 4.9 KB, and goes without
 * SM_DOUBLE_PAIRS.
 */
#ifndef SM_ACCUMULATOR
#if UINTPTR_MAX > 0xffffffff
#define SM_ACCUMULATOR SM_FUSED
#else
#define SM_ACCUMULATOR 0
#endif
#endif

/* Looking at the epoch: 1. 0 is for measuring what that costs: nothing stops a module then. */
#ifndef SM_EPOCH_CHECKS
#define SM_EPOCH_CHECKS 1
#endif

#if SM_FLOATS != 0 && SM_FLOATS != 1
#error "SM_FLOATS is 1 (floating point) or 0 (none)"
#endif
#if SM_FUSED != 0 && SM_FUSED != 1
#error "SM_FUSED is 1 (faster) or 0 (smaller)"
#endif
#if SM_DOUBLE_PAIRS != 0 && (SM_DOUBLE_PAIRS != 1 || !SM_FLOATS || !SM_FUSED)
#error "SM_DOUBLE_PAIRS is 1 (with SM_FLOATS and SM_FUSED) or 0"
#endif
#if SM_THUMB != 0 && SM_THUMB != 1
#error "SM_THUMB is 1 (assembly) or 0 (C)"
#endif
#if SM_THUMB && !defined(__thumb2__)
#error "SM_THUMB=1 is for Thumb-2: Cortex-M3 and later"
#endif
#if SM_ACCUMULATOR != 0 && (SM_ACCUMULATOR != 1 || !SM_FUSED)
#error "SM_ACCUMULATOR is 1 (with SM_FUSED) or 0"
#endif
#if SM_ACCUMULATOR && SM_THUMB && SM_DOUBLE_PAIRS
#error "SM_ACCUMULATOR with SM_THUMB goes without SM_DOUBLE_PAIRS"
#endif
#if SM_EPOCH_CHECKS != 1 && !defined(SM_MEASURING)
#error "SM_EPOCH_CHECKS=0 takes the deadline away; only a measurement may, with -DSM_MEASURING"
#endif

#endif

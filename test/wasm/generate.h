/* Random valid modules for comparing engines. SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WASM_GENERATE_H
#define TEST_WASM_GENERATE_H

#include <stddef.h>
#include <stdint.h>

#define GENERATE_MAX  (1u << 20)
#define GENERATE_FUEL 400 /* what global "g0" should hold before each call */

/* The module of a seed: the same bytes for the same seed. Its length, at most GENERATE_MAX.
 *
 * Every module ends: each loop round and each function entry takes from a global "fuel" and leaves
 * by `unreachable` when there is none. NaNs are replaced by one constant wherever their bits could
 * be seen. It imports "h" "f" (i32) -> i32 and exports functions "0", "1", ..., a memory "m" and
 * globals "g0" (fuel, i32) and "g1" to "g4" (i32, i64, f32, f64). */
size_t generate_module(uint64_t seed, uint8_t *out);

#endif

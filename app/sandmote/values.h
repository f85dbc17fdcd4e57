/* WebAssembly values as text: what `run` takes as arguments and prints as results.
 *
 *   i32:-5   i64:7   f32:0x1.8p+1   f64:nan:0x8000000000000   f64:-inf   funcref:null
 *
 * Integers print in decimal with a sign, floats as C hex floats, a NaN with the bits of its
 * mantissa. What is printed can be parsed again, to the same bits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_VALUES_H
#define SANDMOTE_VALUES_H

#include <stdint.h>
#include <sandmote/wasm.h>

#define VALUE_TEXT 64u

/* "i32", ...; "?" for anything but a value type. */
const char *value_type_name(uint8_t type);

/* 1 or 2 words of 32 bits, low word first. */
unsigned value_words(uint8_t type);

/* Write a value with its type. */
void value_print(uint8_t type, const uint32_t *words, char out[VALUE_TEXT]);

/* Read a value of a type; "type:" may stand before it. Integers: decimal from the least signed to
 * the greatest unsigned one, or hex with 0x. Floats: decimal or hex, inf, nan (the canonical one),
 * nan:0x... with mantissa bits other than zero. References: null; an externref also as a number.
 *
 * NULL and words filled, or a constant phrase that says what is wrong. */
const char *value_parse(uint8_t type, const char *text, uint32_t words[2]);

#endif

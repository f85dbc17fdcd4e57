/* Values as text: what is printed, what can be read, and that one is the other's inverse.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "values.h"

#define I32 SM_WASM_I32
#define I64 SM_WASM_I64
#define F32 SM_WASM_F32
#define F64 SM_WASM_F64

static void split(uint64_t bits, uint32_t words[2])
{
    words[0] = (uint32_t)bits;
    words[1] = (uint32_t)(bits >> 32);
}

static void prints(uint8_t type, uint64_t bits, const char *want)
{
    uint32_t words[2], again[2];
    char text[VALUE_TEXT];
    split(bits, words);
    value_print(type, words, text);
    assert_string_equal(text, want);
    assert_null(value_parse(type, text, again));
    assert_memory_equal(words, again, 4 * value_words(type));
}

static void reads(uint8_t type, const char *text, uint64_t bits)
{
    uint32_t words[2], want[2];
    split(bits, want);
    assert_null(value_parse(type, text, words));
    assert_memory_equal(words, want, 4 * value_words(type));
}

static void refuses(uint8_t type, const char *text, const char *wrong)
{
    uint32_t words[2];
    const char *got = value_parse(type, text, words);
    assert_non_null(got);
    assert_string_equal(got, wrong);
}

static void integers_print_signed(void **state)
{
    (void)state;
    prints(I32, 0xfffffffb, "i32:-5");
    prints(I32, 0x80000000, "i32:-2147483648");
    prints(I32, 0x7fffffff, "i32:2147483647");
    prints(I64, 7, "i64:7");
    prints(I64, 0x8000000000000000, "i64:-9223372036854775808");
}

static void integers_read_signed_unsigned_and_hex(void **state)
{
    (void)state;
    reads(I32, "-5", 0xfffffffb);
    reads(I32, "+5", 5);
    reads(I32, "i32:-5", 0xfffffffb);
    reads(I32, "4294967295", 0xffffffff);
    reads(I32, "-2147483648", 0x80000000);
    reads(I32, "0xDeadBeef", 0xdeadbeef);
    reads(I32, "-0x1", 0xffffffff);
    reads(I32, "007", 7);
    reads(I64, "18446744073709551615", UINT64_MAX);
    reads(I64, "0xffffffffffffffff", UINT64_MAX);
    reads(I64, "-9223372036854775808", 1ull << 63);
}

static void integers_out_of_range_or_with_more_behind_are_refused(void **state)
{
    (void)state;
    refuses(I32, "4294967296", "the number is too large");
    refuses(I32, "-2147483649", "the number is too large");
    refuses(I64, "18446744073709551616", "the number is too large");
    refuses(I64, "-9223372036854775809", "the number is too large");
    refuses(I32, "", "a number is expected");
    refuses(I32, "-", "a number is expected");
    refuses(I32, "0x", "a number is expected");
    refuses(I32, "5 ", "not a whole number");
    refuses(I32, " 5", "not a whole number");
    refuses(I32, "--5", "not a whole number");
    refuses(I32, "1.5", "not a whole number");
    refuses(I32, "0xg", "not a whole number");
    refuses(I32, "i64:5", "not a whole number");
}

static void floats_print_as_hex_floats(void **state)
{
    (void)state;
    prints(F32, 0x40400000, "f32:0x1.8p+1");
    prints(F32, 0x80000000, "f32:-0x0p+0");
    prints(F32, 0x00000001, "f32:0x1p-149");
    prints(F32, 0x7f7fffff, "f32:0x1.fffffep+127");
    prints(F64, 0x3fe0000000000000, "f64:0x1p-1");
    prints(F64, 0x7fefffffffffffff, "f64:0x1.fffffffffffffp+1023");
    prints(F64, 0x0000000000000001, "f64:0x0.0000000000001p-1022");
    prints(F32, 0x7f800000, "f32:inf");
    prints(F64, 0xfff0000000000000, "f64:-inf");
}

static void a_nan_prints_its_mantissa_and_sign(void **state)
{
    (void)state;
    prints(F64, 0x7ff8000000000000, "f64:nan:0x8000000000000");
    prints(F64, 0xfff8000000000000, "f64:-nan:0x8000000000000");
    prints(F64, 0x7ff0000000000001, "f64:nan:0x1");
    prints(F32, 0x7fc00000, "f32:nan:0x400000");
    prints(F32, 0xff800001, "f32:-nan:0x1");
}

static void floats_read_in_every_notation(void **state)
{
    (void)state;
    reads(F32, "3", 0x40400000);
    reads(F32, "0.1", 0x3dcccccd);
    reads(F64, "0.1", 0x3fb999999999999a);
    reads(F64, ".5", 0x3fe0000000000000);
    reads(F64, "1e-400", 0);
    reads(F64, "0X1.8P1", 0x4008000000000000);
    reads(F64, "-inf", 0xfff0000000000000);
    reads(F64, "+1", 0x3ff0000000000000);
    reads(F64, "nan", 0x7ff8000000000000);
    reads(F32, "-nan", 0xffc00000);
    reads(F32, "nan:0x7fffff", 0x7fffffff);
}

/* A decimal between two floats is rounded once: through double it would come out one too low. */
static void single_floats_are_rounded_once(void **state)
{
    (void)state;
    reads(F32, "1.00000017881393432617187499", 0x3f800001);
    reads(F32, "1.00000017881393432617187501", 0x3f800002);
}

static void floats_that_are_not_are_refused(void **state)
{
    (void)state;
    refuses(F32, "1e39", "the number is too large");
    refuses(F64, "1e309", "the number is too large");
    refuses(F64, "", "not a number");
    refuses(F64, "-", "not a number");
    refuses(F64, "x", "not a number");
    refuses(F64, "1x", "not a number");
    refuses(F64, "0x", "not a number");
    refuses(F64, " 1", "not a number");
    refuses(F64, "--1", "not a number");
    refuses(F64, "infinity", "not a number");
    refuses(F64, "nan(1)", "after nan comes nothing or :0x and the mantissa's bits");
    refuses(F64, "nan:1", "after nan comes nothing or :0x and the mantissa's bits");
    refuses(F64, "nan:0x0", "a NaN's mantissa is not zero and not wider than the type's");
    refuses(F32, "nan:0x800000", "a NaN's mantissa is not zero and not wider than the type's");
}

static void references_are_null_or_a_number(void **state)
{
    (void)state;
    prints(SM_WASM_FUNCREF, 0, "funcref:null");
    prints(SM_WASM_EXTERNREF, 0, "externref:null");
    prints(SM_WASM_EXTERNREF, 1, "externref:0");
    reads(SM_WASM_EXTERNREF, "7", 8);
    refuses(SM_WASM_EXTERNREF, "4294967295", "the number is too large");
    refuses(SM_WASM_EXTERNREF, "x", "null or a number is expected");
    refuses(SM_WASM_FUNCREF, "1", "only null can be given as a funcref");
    uint32_t word = 3;
    char text[VALUE_TEXT];
    value_print(SM_WASM_FUNCREF, &word, text);
    assert_string_equal(text, "funcref:3");
}

/* Bits that walk through all of both types' exponents and many mantissas. */
static void all_bits_survive_printing_and_reading(void **state)
{
    (void)state;
    uint64_t x = 1;
    char text[VALUE_TEXT];
    uint32_t words[2], again[2];
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t type = (uint8_t)(i % 4 == 0 ? I32 : i % 4 == 1 ? I64 : i % 4 == 2 ? F32 : F64);
        x = x * 6364136223846793005u + 1442695040888963407u;
        split(i % 8 < 4 ? x : x | 0x7ff000007f800000, words); /* many NaNs too */
        value_print(type, words, text);
        assert_null(value_parse(type, text, again));
        assert_memory_equal(words, again, 4 * value_words(type));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_print_signed),
        cmocka_unit_test(integers_read_signed_unsigned_and_hex),
        cmocka_unit_test(integers_out_of_range_or_with_more_behind_are_refused),
        cmocka_unit_test(floats_print_as_hex_floats),
        cmocka_unit_test(a_nan_prints_its_mantissa_and_sign),
        cmocka_unit_test(floats_read_in_every_notation),
        cmocka_unit_test(single_floats_are_rounded_once),
        cmocka_unit_test(floats_that_are_not_are_refused),
        cmocka_unit_test(references_are_null_or_a_number),
        cmocka_unit_test(all_bits_survive_printing_and_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

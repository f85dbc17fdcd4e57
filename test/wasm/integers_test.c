/* An engine built without floating point: what it refuses, and what it says then.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "slot.h"

#define MAGIC 0x00, 'a', 's', 'm', 1, 0, 0, 0
/* One function of type () -> (), with a page of memory; its body is what follows. */
#define FUNCTION(size)                                                                             \
    MAGIC, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 10, (size) + 2, 1, size
#define END 0x0b

/* Offsets of types are those after the byte, of locals that of the body. */
static void refused(const uint8_t *wasm, size_t len, uint32_t offset)
{
    struct slot slot;
    struct sm_wasm_diag diag;

    assert_int_equal(slot_make(&slot, wasm, len, &diag), SM_ERR_UNSUPPORTED);
    assert_string_equal(diag.rule, "floating point is not built in");
    assert_int_equal(diag.offset, offset);
    slot_free(&slot);
}

#define REFUSED(offset, ...)                                                                       \
    do {                                                                                           \
        const uint8_t wasm[] = {__VA_ARGS__};                                                      \
        refused(wasm, sizeof wasm, offset);                                                        \
    } while (0)

static void a_parameter_result_or_global_of_a_float_type_is_refused(void **state)
{
    (void)state;
    REFUSED(14, MAGIC, 1, 5, 1, 0x60, 1, 0x7d, 0);
    REFUSED(15, MAGIC, 1, 5, 1, 0x60, 0, 1, 0x7c);
    REFUSED(12, MAGIC, 6, 13, 1, 0x7c, 0, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, END);
}

static void a_local_of_a_float_type_is_refused(void **state)
{
    (void)state;
    REFUSED(27, FUNCTION(4), 1, 3, 0x7d, END);
}

static void an_operator_on_floats_is_refused_where_it_stands(void **state)
{
    (void)state;
    REFUSED(28, FUNCTION(8), 0, 0x43, 0, 0, 0, 0, 0x1a, END);    /* f32.const, drop */
    REFUSED(30, FUNCTION(8), 0, 0x41, 0, 0x2b, 3, 0, 0x1a, END); /* f64.load */
    REFUSED(30, FUNCTION(6), 0, 0x41, 0, 0xb2, 0x1a, END);       /* f32.convert_i32_s */
    REFUSED(30, FUNCTION(6), 0, 0x41, 0, 0xbe, 0x1a, END);       /* f32.reinterpret_i32 */
    REFUSED(30, FUNCTION(7), 0, 0x41, 0, 0xfc, 0, 0x1a, END);    /* i32.trunc_sat_f32_s */
}

static void unreachable_operators_on_floats_are_refused_too(void **state)
{
    (void)state;
    REFUSED(29, FUNCTION(6), 0, 0x00, 0x38, 2, 0, END); /* f32.store */
    REFUSED(29, FUNCTION(5), 0, 0x00, 0x61, 0x1a, END); /* f64.eq */
}

static void an_image_of_an_engine_with_floats_does_not_open(void **state)
{
    const uint8_t wasm[] = {FUNCTION(2), 0, END};
    struct sm_wasm_module m;
    struct sm_wasm_diag diag;
    struct slot slot;

    (void)state;
    assert_true(slot_make(&slot, wasm, sizeof wasm, &diag) > 0);
    assert_int_equal(sm_wasm_open(&m, slot.image, slot.image_len, slot.wasm, slot.wasm_len), 0);
    memcpy(slot.image + 4, &(uint32_t){SM_WASM_BUILD & 0xffff}, 4);
    assert_int_equal(sm_wasm_open(&m, slot.image, slot.image_len, slot.wasm, slot.wasm_len),
                     SM_ERR_UNSUPPORTED);
    slot_free(&slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parameter_result_or_global_of_a_float_type_is_refused),
        cmocka_unit_test(a_local_of_a_float_type_is_refused),
        cmocka_unit_test(an_operator_on_floats_is_refused_where_it_stands),
        cmocka_unit_test(unreachable_operators_on_floats_are_refused_too),
        cmocka_unit_test(an_image_of_an_engine_with_floats_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

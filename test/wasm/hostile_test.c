/* Modules made to keep the translator busy: about a megabyte each, small in bytes and large in what
 * a careless translator would do for them. Each is either translated or refused as taking too long;
 * CTest's time limit for this program is what a quadratic algorithm would exceed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "bytes.h"
#include "slot.h"

#define I32     0x7f
#define NOP     0x01
#define BLOCK   0x02
#define LOOP    0x03
#define END     0x0b
#define BR_IF   0x0d
#define TABLE   0x0e
#define CALL    0x10
#define DROP    0x1a
#define GET     0x20
#define CONST_0 0x41, 0

/* ---- Writing modules ------------------------------------------------------------------------- */

static void begin(struct bytes *b)
{
    memset(b, 0, sizeof(*b));
    PUT(b, 0, 'a', 's', 'm', 1, 0, 0, 0);
}

static void many(struct bytes *b, uint32_t times, uint8_t byte)
{
    while (times-- > 0) {
        PUT(b, byte);
    }
}

/* Types 0: [] -> [], 1: [i32] -> [], 2: [] -> [i32 x wide], 3: [i32 x wide] -> [i32 x wide]. */
static void types(struct bytes *b, uint32_t wide)
{
    size_t s = open_section(b, 1);

    PUT(b, 4, 0x60, 0, 0, 0x60, 1, I32, 0, 0x60, 0);
    number(b, wide);
    many(b, wide, I32);
    PUT(b, 0x60);
    number(b, wide);
    many(b, wide, I32);
    number(b, wide);
    many(b, wide, I32);
    close_part(b, s);
}

/* A module of one function, of a type from types(); its code follows, then end_function(). */
static void begin_function(struct bytes *b, uint8_t type, uint32_t wide, size_t at[2])
{
    begin(b);
    types(b, wide);
    PUT(b, 3, 2, 1, type, 7, 5, 1, 1, 'f', 0, 0);
    at[0] = open_section(b, 10);
    PUT(b, 1);
    at[1] = open_part(b);
    PUT(b, 0);
}

static void end_function(struct bytes *b, const size_t at[2])
{
    PUT(b, END);
    close_part(b, at[1]);
    close_part(b, at[0]);
}

static void consts(struct bytes *b, uint32_t n)
{
    while (n-- > 0) {
        PUT(b, CONST_0);
    }
}

/* ---- What becomes of them -------------------------------------------------------------------- */

static int64_t translate(struct bytes *b, struct sm_wasm_diag *diag)
{
    struct slot slot;
    int64_t size = slot_make(&slot, b->at, b->len, diag);

    print_message("%zu bytes: %lld%s%s\n", b->len, (long long)size, size < 0 ? ", " : "",
                  size < 0 ? diag->rule : "");
    slot_free(&slot);
    free(b->at);
    return size;
}

static void expect_image(struct bytes *b, uint32_t most)
{
    struct sm_wasm_diag diag;
    int64_t size = translate(b, &diag);

    assert_true(size > 0);
    assert_true(size < most);
}

static void expect_too_long(struct bytes *b)
{
    struct sm_wasm_diag diag;

    assert_int_equal(translate(b, &diag), SM_ERR_LIMIT);
    assert_string_equal(diag.rule, "takes too long to translate");
}

/* ---- The modules ----------------------------------------------------------------------------- */

static void branches_out_of_sixty_thousand_blocks_are_translated(void **state)
{
    struct bytes b;
    size_t at[2];

    (void)state;
    begin_function(&b, 1, 1, at);
    for (uint32_t i = 0; i < 60000; i++) {
        PUT(&b, BLOCK, 0x40);
    }
    for (uint32_t i = 0; i < 150000; i++) {
        PUT(&b, GET, 0, BR_IF);
        number(&b, 59999 - i % 1000);
    }
    many(&b, 60000, END);
    end_function(&b, at);
    expect_image(&b, 4u << 20);
}

static void blocks_above_thousands_of_operands_are_translated(void **state)
{
    struct bytes b;
    size_t at[2];

    (void)state;
    begin_function(&b, 1, 1, at);
    PUT(&b, GET, 0);
    consts(&b, 30000);
    for (uint32_t i = 0; i < 150000; i++) {
        PUT(&b, GET, 0, BLOCK, 0x40, END, DROP);
    }
    many(&b, 30001, DROP);
    end_function(&b, at);
    expect_image(&b, 4u << 20);
}

static void a_table_needs_one_stub_for_each_of_its_targets(void **state)
{
    struct bytes b;
    size_t at[2];

    (void)state;
    begin_function(&b, 2, 3, at);
    PUT(&b, BLOCK, 2, BLOCK, 2);
    consts(&b, 3);
    PUT(&b, CONST_0, TABLE);
    number(&b, 500000);
    for (uint32_t i = 0; i <= 500000; i++) {
        number(&b, i % 3);
    }
    PUT(&b, END, END);
    end_function(&b, at);
    expect_image(&b, 4u << 20);
}

static void a_thousand_operands_moved_for_a_thousand_targets_are_too_much(void **state)
{
    struct bytes b;
    size_t at[2];

    (void)state;
    begin_function(&b, 2, 1000, at);
    for (uint32_t i = 0; i < 5000; i++) {
        PUT(&b, BLOCK, 2);
    }
    consts(&b, 1000);
    PUT(&b, CONST_0, TABLE);
    number(&b, 4999);
    for (uint32_t i = 0; i < 5000; i++) {
        number(&b, i);
    }
    many(&b, 5000, END);
    end_function(&b, at);
    expect_too_long(&b);
}

static void a_thousand_operands_for_every_operator_are_too_much(void **state)
{
    static const uint8_t operators[][3] = {
        {BLOCK, 3, END}, {LOOP, 3, END}, {CALL, 0, NOP}, {GET, 0, BR_IF}};
    struct bytes b;
    size_t at[2];

    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        begin_function(&b, 3, 1000, at);
        consts(&b, 1000);
        PUT(&b, LOOP, 3);
        for (uint32_t i = 0; i < 300000; i++) {
            put(&b, operators[k], 3);
            if (k == 3) {
                PUT(&b, 0);
            }
        }
        PUT(&b, END);
        end_function(&b, at);
        expect_too_long(&b);
    }
}

static void sixty_thousand_types_are_too_many(void **state)
{
    struct bytes b;
    size_t s;

    (void)state;
    begin(&b);
    s = open_section(&b, 1);
    number(&b, 60000);
    for (uint32_t i = 0; i < 60000; i++) {
        PUT(&b, 0x60, 8);
        for (uint32_t k = 0; k < 8; k++) {
            PUT(&b, (uint8_t)(I32 - (i >> 2 * k & 3)));
        }
        PUT(&b, 0);
    }
    close_part(&b, s);
    expect_too_long(&b);
}

static void fifteen_hundred_types_are_not_too_many(void **state)
{
    struct bytes b;
    size_t s;

    (void)state;
    begin(&b);
    s = open_section(&b, 1);
    number(&b, 1500);
    for (uint32_t i = 0; i < 1500; i++) {
        PUT(&b, 0x60, 8);
        for (uint32_t k = 0; k < 8; k++) {
            PUT(&b, (uint8_t)(I32 - (i >> 2 * k & 3)));
        }
        PUT(&b, 0);
    }
    close_part(&b, s);
    expect_image(&b, 1u << 20);
}

static void sixty_thousand_functions_of_sixty_thousand_locals_are_too_much(void **state)
{
    struct bytes b;
    size_t s;

    (void)state;
    begin(&b);
    types(&b, 1);
    s = open_section(&b, 3);
    number(&b, 60000);
    many(&b, 60000, 0);
    close_part(&b, s);
    s = open_section(&b, 10);
    number(&b, 60000);
    for (uint32_t i = 0; i < 60000; i++) {
        PUT(&b, 6, 1);
        number(&b, 60000);
        PUT(&b, I32, END);
    }
    close_part(&b, s);
    expect_too_long(&b);
}

/* Names whose hashes fall into the same 64 places of a table of 32768. */
static void names_that_collide_are_too_slow_to_compare(void **state)
{
    struct bytes b;
    uint32_t names = 0;
    size_t s;

    (void)state;
    begin(&b);
    types(&b, 1);
    PUT(&b, 3, 2, 1, 0);
    s = open_section(&b, 7);
    number(&b, 15000);
    for (uint32_t i = 0; names < 15000; i++) {
        uint32_t h = 2166136261u;
        uint8_t name[4];

        for (uint32_t k = 0; k < 4; k++) {
            name[k] = (uint8_t)('0' + (i >> 6 * k & 63));
            h = (h ^ name[k]) * 16777619u;
        }
        if ((h & 0x7fff) < 64) {
            PUT(&b, 4);
            put(&b, name, 4);
            PUT(&b, 0, 0);
            names++;
        }
        assert_true(i < 1u << 24);
    }
    close_part(&b, s);
    expect_too_long(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(branches_out_of_sixty_thousand_blocks_are_translated),
        cmocka_unit_test(blocks_above_thousands_of_operands_are_translated),
        cmocka_unit_test(a_table_needs_one_stub_for_each_of_its_targets),
        cmocka_unit_test(a_thousand_operands_moved_for_a_thousand_targets_are_too_much),
        cmocka_unit_test(a_thousand_operands_for_every_operator_are_too_much),
        cmocka_unit_test(sixty_thousand_types_are_too_many),
        cmocka_unit_test(fifteen_hundred_types_are_not_too_many),
        cmocka_unit_test(sixty_thousand_functions_of_sixty_thousand_locals_are_too_much),
        cmocka_unit_test(names_that_collide_are_too_slow_to_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

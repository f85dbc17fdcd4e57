/* Modules that are refused where the test-suite does not look, or looks only at text: each case is
 * the bytes of a section or a function's body, the error, the rule and the byte that it points at.
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

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void begin(struct bytes *b)
{
    memset(b, 0, sizeof(*b));
    PUT(b, 0, 'a', 's', 'm', 1, 0, 0, 0);
}

static void expect(struct bytes *b, int err, const char *rule, size_t at)
{
    struct sm_wasm_diag diag;
    struct slot s;

    assert_int_equal(slot_make(&s, b->at, b->len, &diag), err);
    assert_string_equal(diag.rule, rule);
    assert_int_equal(diag.offset, at);
    slot_free(&s);
    free(b->at);
}

/* A section after those that it needs; `at` counts from its payload. */
static void section(uint8_t id, const uint8_t *bytes, size_t n, int err, const char *rule,
                    size_t at)
{
    struct bytes b;
    size_t part;

    begin(&b);
    if (id > 1) {
        PUT(&b, 1, 4, 1, 0x60, 0, 0);
    }
    if (id > 4) {
        PUT(&b, 4, 4, 1, 0x70, 0, 1, 5, 3, 1, 0, 1);
    }
    part = open_section(&b, id);
    put(&b, bytes, n);
    close_part(&b, part);
    expect(&b, err, rule, part + at);
}

/* A function () -> (); `at` counts from its body, behind its size. */
static void body(const uint8_t *bytes, size_t n, int err, const char *rule, size_t at)
{
    struct bytes b;
    size_t sec, part;

    begin(&b);
    PUT(&b, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0);
    sec = open_section(&b, 10);
    PUT(&b, 1);
    part = open_part(&b);
    put(&b, bytes, n);
    close_part(&b, part);
    close_part(&b, sec);
    expect(&b, err, rule, part + at);
}

static void sections_are_refused_at_the_byte_that_is_wrong(void **state)
{
    (void)state;
    section(1, BYTES(1, 0x60, 1, 0x7a, 0), SM_ERR_MALFORMED, "malformed value type", 4);
    section(1, BYTES(1, 0x61, 0, 0), SM_ERR_MALFORMED, "malformed function type", 2);
    section(7, BYTES(1, 1, 'a', 4, 0), SM_ERR_MALFORMED, "malformed export kind", 5);
    section(8, BYTES(0x80), SM_ERR_MALFORMED, "unexpected end", 1);
    section(9, BYTES(1, 8, 0), SM_ERR_MALFORMED, "malformed elements segment kind", 2);
    section(9, BYTES(1, 1, 1, 0), SM_ERR_MALFORMED, "malformed element kind", 3);
    section(9, BYTES(1, 1, 0, 5), SM_ERR_MALFORMED, "unexpected end", 4);
    section(11, BYTES(1, 3, 0), SM_ERR_MALFORMED, "malformed data segment kind", 2);
}

static void bodies_are_refused_at_the_byte_that_is_wrong(void **state)
{
    (void)state;
    body(BYTES(1, 1, 0x7a, 0x0b), SM_ERR_MALFORMED, "malformed value type", 0);
    body(BYTES(2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 1, 0x7f, 0x0b), SM_ERR_MALFORMED,
         "too many locals", 0);
    body(BYTES(1, 0x80, 0x80, 2, 0x7e, 0x0b), SM_ERR_LIMIT, "frame of more than 65535 words", 0);
    body(BYTES(0, 0x0b, 0x01), SM_ERR_MALFORMED, "END opcode expected", 2);
    body(BYTES(0, 0x05, 0x0b), SM_ERR_MALFORMED, "else without if", 1);
    body(BYTES(0, 0x02, 0x60, 0x0b, 0x0b), SM_ERR_MALFORMED, "malformed block type", 1);
    body(BYTES(0, 0x02, 0x80), SM_ERR_MALFORMED, "unexpected end", 3);
    body(BYTES(0, 0x41, 0, 0x0e, 9, 0, 0x0b), SM_ERR_MALFORMED, "unexpected end", 3);
    body(BYTES(0, 0x1c, 1, 0x60, 0x0b), SM_ERR_MALFORMED, "malformed value type", 1);
    body(BYTES(0, 0x1c), SM_ERR_MALFORMED, "unexpected end", 2);
    body(BYTES(0, 0xd0, 0x7f, 0x0b), SM_ERR_MALFORMED, "malformed reference type", 1);
    body(BYTES(0, 0xd2, 7, 0x0b), SM_ERR_INVALID, "unknown function", 1);
    body(BYTES(0, 0x10, 7, 0x0b), SM_ERR_INVALID, "unknown function", 1);
    body(BYTES(0, 0x26, 0, 0x0b), SM_ERR_INVALID, "unknown table", 1);
    body(BYTES(0, 0xfc, 0x10, 0, 0x0b), SM_ERR_INVALID, "unknown table", 1);
    body(BYTES(0, 0xfc, 0x20, 0x0b), SM_ERR_MALFORMED, "illegal opcode", 1);
    body(BYTES(0, 0x06, 0x0b), SM_ERR_MALFORMED, "illegal opcode", 1);
}

/* Operands of 65536 words, of which each stands for itself. */
static void a_stack_that_does_not_fit_a_frame_is_refused(void **state)
{
    struct bytes code = {0};

    (void)state;
    PUT(&code, 0);
    for (unsigned i = 0; i < 32768; i++) {
        PUT(&code, 0x42, 0);
    }
    body(code.at, code.len, SM_ERR_LIMIT, "frame of more than 65535 words", 1 + 2 * 32767);
    free(code.at);
}

/* count entries of one section, each of these bytes; refused at the section's payload plus at. */
static void too_many(uint8_t id, uint32_t count, const uint8_t *entry, size_t n, const char *rule,
                     size_t at)
{
    struct bytes b = {0};

    number(&b, count);
    for (uint32_t i = 0; i < count; i++) {
        put(&b, entry, n);
    }
    section(id, b.at, b.len, SM_ERR_LIMIT, rule, at);
    free(b.at);
}

static void what_16_bits_cannot_count_is_refused(void **state)
{
    struct bytes b = {0};

    (void)state;
    too_many(1, 65536, BYTES(0x60, 0, 0), "more than 65535 of one kind", 3);
    PUT(&b, 1, 0x60);
    number(&b, 1001);
    for (unsigned i = 0; i < 1001; i++) {
        PUT(&b, 0x7f);
    }
    PUT(&b, 0);
    section(1, b.at, b.len, SM_ERR_LIMIT, "more than 1000 parameters or results", 4);
    free(b.at);
    /* Imports and functions share one index space; looked at before anything else. */
    begin(&b);
    size_t part = open_section(&b, 2);
    number(&b, 2);
    PUT(&b, 1, 'a', 1, 'b', 0, 0, 1, 'a', 1, 'c', 0, 0);
    close_part(&b, part);
    part = open_section(&b, 3);
    number(&b, 65534);
    for (unsigned i = 0; i < 65534; i++) {
        PUT(&b, 0);
    }
    close_part(&b, part);
    expect(&b, SM_ERR_LIMIT, "more than 65535 of one kind", 8);
}

static void a_module_of_2_gib_is_refused_unread(void **state)
{
    static const uint8_t none[1];
    struct sm_wasm_sink sink = {0};
    struct sm_wasm_diag diag;

    (void)state;
    assert_int_equal(sm_wasm_translate(none, 0x80000000u, &sink, NULL, 0, &diag), SM_ERR_LIMIT);
    assert_string_equal(diag.rule, "module of 2 GiB or more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_are_refused_at_the_byte_that_is_wrong),
        cmocka_unit_test(bodies_are_refused_at_the_byte_that_is_wrong),
        cmocka_unit_test(a_stack_that_does_not_fit_a_frame_is_refused),
        cmocka_unit_test(what_16_bits_cannot_count_is_refused),
        cmocka_unit_test(a_module_of_2_gib_is_refused_unread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

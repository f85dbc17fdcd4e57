/* Images and modules with bytes changed: refused, or opened and instantiated within their bytes.
 * Code that was changed is not run: that is what the hash of an image is for.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#include "bytes.h"
#include "generate.h"
#include "slot.h"
#include "walk.h"
#include "../../src/wasm/image.h"

static void make(struct slot *s, uint64_t seed)
{
    uint8_t *wasm = malloc(GENERATE_MAX);
    size_t len = generate_module(seed, wasm);
    struct sm_wasm_diag diag;

    assert_true(slot_make(s, wasm, len, &diag) > 0);
    free(wasm);
}

/* How many changes were refused. */
static unsigned change_all(struct slot *s, uint8_t *bytes, size_t len, unsigned *tried)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    unsigned refused = 0;

    for (size_t i = 0; i < len; i++) {
        for (unsigned k = 0; k < sizeof(changes); k++, ++*tried) {
            bytes[i] ^= changes[k];
            refused += walk_image(s->image, s->image_len, s->wasm, s->wasm_len) != 0;
            bytes[i] ^= changes[k];
        }
    }
    return refused;
}

static void every_byte_of_header_and_tables_can_be_wrong(void **state)
{
    unsigned tried = 0, refused = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct slot s;
        const struct sm_image *h;

        make(&s, seed);
        h = (const void *)s.image;
        assert_int_equal(walk_image(s.image, s.image_len, s.wasm, s.wasm_len), 0);
        refused += change_all(&s, s.image, SM_WASM_HEADER + 4 * h->elem_entries, &tried);
        refused += change_all(&s, s.image + h->types, s.image_len - h->types, &tried);
        slot_free(&s);
    }
    print_message("%u changes, %u refused\n", tried, refused);
    assert_true(refused > tried / 10);
}

static void every_byte_of_the_module_can_be_wrong(void **state)
{
    unsigned tried = 0, refused = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct slot s;

        make(&s, seed);
        refused += change_all(&s, s.wasm, s.wasm_len, &tried);
        slot_free(&s);
    }
    print_message("%u changes, %u refused\n", tried, refused);
    assert_true(refused > 0);
}

static void an_image_that_is_not_aligned_is_refused(void **state)
{
    struct slot s;
    struct sm_wasm_module m;

    (void)state;
    make(&s, 1);
    s.image = realloc(s.image, s.image_len + 4);
    memmove(s.image + 4, s.image, s.image_len);
    assert_int_equal(sm_wasm_open(&m, s.image + 4, s.image_len, s.wasm, s.wasm_len), SM_ERR_ARG);
    slot_free(&s);
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* A module of two functions, of which the first is exported as "e", and a name section. */
static void with_names(struct slot *s, const void *names, size_t len, const void *after, size_t n)
{
    static const uint8_t head[] = {0, 'a', 's', 'm', 1, 0, 0, 0,    1, 4, 1,   0x60,
                                   0, 0,   3,   3,   2, 0, 0, 7,    5, 1, 1,   'e',
                                   0, 0,   10,  7,   2, 2, 0, 0x0b, 2, 0, 0x0b};
    struct sm_wasm_diag diag;
    struct bytes b = {0};
    size_t part;

    put(&b, head, sizeof(head));
    part = open_section(&b, 0);
    PUT(&b, 4, 'n', 'a', 'm', 'e');
    put(&b, names, len);
    close_part(&b, part);
    put(&b, after, n);
    assert_true(slot_make(s, b.at, b.len, &diag) > 0);
    free(b.at);
}

static void expect_name(const char *names, size_t len, const char *after, size_t n, uint32_t func,
                        const char *want)
{
    struct slot s;
    struct sm_wasm_name name;

    with_names(&s, names, len, after, n);
    name = sm_wasm_func_name(&s.module, func);
    assert_int_equal(name.len, strlen(want));
    assert_memory_equal(name.bytes, want, name.len);
    slot_free(&s);
}

#define NAMES(text) text, sizeof(text) - 1

static void names_come_from_the_name_section_or_else_from_an_export(void **state)
{
    (void)state;
    expect_name(NAMES("\0\1\0\1\7\2\0\1f\1\1g"), "", 0, 0, "f");
    expect_name(NAMES("\0\1\0\1\7\2\0\1f\1\1g"), "", 0, 1, "g");
    expect_name(NAMES("\1\4\1\1\1g"), "", 0, 0, "e");
    expect_name(NAMES(""), "", 0, 1, "");
    expect_name(NAMES("\2\1\0\1\4\1\1\1g"), "", 0, 1, "g"); /* subsections in another order */
}

static void a_name_that_is_not_utf8_or_leaves_its_section_is_none(void **state)
{
    (void)state;
    expect_name(NAMES("\1\5\1\1\2\xc3\x28"), "", 0, 1, "");
    expect_name(NAMES("\1\5\1\0\2\xff\xff"), "", 0, 0, "e");
    /* Longer than the section: the next one's bytes would belong to it. */
    expect_name(NAMES("\1\6\1\1\6g"), NAMES("\0\5\4abcd"), 1, "");
    /* Longer than its subsection. */
    expect_name(NAMES("\1\4\1\1\6gabcde"), "", 0, 1, "");
}

/* ---- Lists, pools, scratch ------------------------------------------------------------------- */

static void imports_of_every_kind_are_walked(void **state)
{
    /* (import "a" "m" (memory 1 2 (pagesize 1))) (import "b" "t" (table 1 funcref))
     * (import "c" "g" (global i32)) (import "d" "f" (func)) */
    static const uint8_t wasm[] = {0, 'a', 's', 'm',  1, 0,   0,   0,    1,   4, 1, 0x60,
                                   0, 0,   2,   31,   4, 1,   'a', 1,    'm', 2, 9, 1,
                                   2, 0,   1,   'b',  1, 't', 1,   0x70, 0,   1, 1, 'c',
                                   1, 'g', 3,   0x7f, 0, 1,   'd', 1,    'f', 0, 0};
    static const enum sm_wasm_kind kinds[] = {SM_WASM_MEMORY, SM_WASM_TABLE, SM_WASM_GLOBAL,
                                              SM_WASM_FUNC};
    struct sm_wasm_diag diag;
    struct sm_wasm_import import;
    struct sm_wasm_cursor c;
    struct slot s;

    (void)state;
    assert_true(slot_make(&s, wasm, sizeof(wasm), &diag) > 0);
    sm_wasm_imports(&c, &s.module);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(sm_wasm_next_import(&c, &import), 0);
        assert_int_equal(import.kind, kinds[i]);
        assert_int_equal(import.module.bytes[0], 'a' + i);
        assert_int_equal(import.field.bytes[0], "mtgf"[i]);
    }
    assert_int_equal(sm_wasm_next_import(&c, &import), SM_ERR_NOT_FOUND);
    assert_int_equal(sm_wasm_next_import(&c, &import), SM_ERR_NOT_FOUND);
    slot_free(&s);
}

/* (memory 65536) in a pool of fresh pages: nothing of its 4 GiB is touched. */
static void a_pool_that_is_zero_is_not_cleared(void **state)
{
    static const uint8_t wasm[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 5, 5, 1, 0, 0x80, 0x80, 4};
    struct sm_wasm_limits limits = {.memory_bytes = 4ull << 30};
    struct sm_wasm_store store = {0};
    struct sm_wasm_pool pool = {.size = (4ull << 30) + 65536, .zero = true};
    struct sm_wasm_diag diag;
    struct sm_wasm_inst *inst;
    struct slot s;
    unsigned char there;
    uint32_t which;

    (void)state;
    assert_true(slot_make(&s, wasm, sizeof(wasm), &diag) > 0);
    pool.base = mmap(NULL, pool.size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(pool.base, MAP_FAILED);
    assert_int_equal(sm_wasm_instantiate(&inst, &store, &s.module, &limits, NULL, &pool, &which),
                     0);
    assert_non_null(sm_wasm_mem(inst, 0xfffffff0, 16));
    assert_int_equal(mincore(pool.base + (1u << 30), 4096, &there), 0);
    assert_false(there & 1);
    munmap(pool.base, pool.size);
    slot_free(&s);
}

static int keep_nothing(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    (void)ctx, (void)off, (void)bytes, (void)len;
    return 0;
}

static void the_scratch_that_is_needed_is_enough_and_less_is_not(void **state)
{
    static uint64_t scratch[1 << 17];
    struct sm_wasm_sink sink = {.write = keep_nothing};
    uint8_t *wasm = malloc(GENERATE_MAX);
    struct sm_wasm_diag diag;

    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        size_t len = generate_module(seed, wasm);
        int64_t need = sm_wasm_scratch_needed(wasm, len, scratch, sizeof(scratch), &diag);

        assert_true(need > 0);
        assert_true(sm_wasm_translate(wasm, len, &sink, scratch, (size_t)need, &diag) > 0);
        assert_int_equal(sm_wasm_translate(wasm, len, &sink, scratch, (size_t)need - 16, &diag),
                         SM_ERR_MEMORY);
    }
    assert_int_equal(sm_wasm_scratch_needed(wasm, 3, scratch, sizeof(scratch), &diag),
                     SM_ERR_MALFORMED);
    free(wasm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_of_header_and_tables_can_be_wrong),
        cmocka_unit_test(every_byte_of_the_module_can_be_wrong),
        cmocka_unit_test(an_image_that_is_not_aligned_is_refused),
        cmocka_unit_test(names_come_from_the_name_section_or_else_from_an_export),
        cmocka_unit_test(imports_of_every_kind_are_walked),
        cmocka_unit_test(a_pool_that_is_zero_is_not_cleared),
        cmocka_unit_test(the_scratch_that_is_needed_is_enough_and_less_is_not),
        cmocka_unit_test(a_name_that_is_not_utf8_or_leaves_its_section_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

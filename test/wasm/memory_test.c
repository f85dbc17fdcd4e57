/* Memories and tables: pages given in part, pages of one byte, what is taken from the pool, maxima
 * when linking. The modules are bytes: assemblers of the day do not know every form.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "slot.h"

#define POOL_BYTES (1u << 20)

/* ---- Modules --------------------------------------------------------------------------------- */

/* Sections that a module has beside those that all of them have; NULL for none. */
struct parts {
    const char *imports, *tables, *memories, *datas;
    bool grows_table;
    bool no_memory; /* of its own or imported */
};

struct bytes {
    uint8_t at[512];
    size_t len;
};

static void put_hex(struct bytes *b, const char *hex)
{
    unsigned v;
    int n;

    for (; sscanf(hex, " %2x%n", &v, &n) == 1; hex += n) {
        assert_true(b->len < sizeof(b->at));
        b->at[b->len++] = (uint8_t)v;
    }
}

static void put_section(struct bytes *b, const char *id, const char *hex)
{
    struct bytes content = {.len = 0};

    if (hex == NULL) {
        return;
    }
    put_hex(&content, hex);
    put_hex(b, id);
    assert_true(content.len < 128);
    b->at[b->len++] = (uint8_t)content.len;
    memcpy(b->at + b->len, content.at, content.len);
    b->len += content.len;
}

/* (func (export "size") ...) and so on as in the proposal's own test, and table.grow of one null.
 * The memory is exported as "m", or the table is. */
static struct bytes module(const struct parts *p)
{
    struct bytes b = {.len = 0};

    put_hex(&b, "0061736d 01000000");
    put_section(&b, "01", "03 60 00 01 7f 60 01 7f 01 7f 60 02 7f 7f 00");
    put_section(&b, "02", p->imports);
    put_section(&b, "03", p->no_memory ? (p->grows_table ? "01 00" : "00") : "05 00 01 01 02 00");
    put_section(&b, "04", p->tables);
    put_section(&b, "05", p->memories);
    if (p->no_memory) {
        put_section(&b, "07", p->grows_table ? "02 01 74 01 00 01 67 00 00" : "01 01 74 01 00");
        put_section(&b, "0a", p->grows_table ? "01 09 00 d0 70 41 01 fc 0f 00 0b" : "00");
    } else {
        put_section(&b, "07",
                    "06 01 6d 02 00 04 73697a65 00 00 04 67726f77 00 01 04 6c6f6164 00 02"
                    "05 73746f7265 00 03 04 66696c6c 00 04");
        put_section(&b, "0a",
                    "05 04 00 3f00 0b 06 00 2000 4000 0b 07 00 2000 2d0000 0b"
                    "09 00 2000 2001 3a0000 0b 0e 00 4101 4107 41ff1f fc0b00 4100 0b");
    }
    put_section(&b, "0b", p->datas);
    return b;
}

static int64_t translated(struct slot *slot, const struct parts *p, struct sm_wasm_diag *diag)
{
    struct bytes b = module(p);

    return slot_make(slot, b.at, b.len, diag);
}

/* ---- Instances ------------------------------------------------------------------------------- */

struct machine {
    struct slot slot;
    struct sm_wasm_pool pool;
    struct sm_wasm_inst *inst, *other;
    struct sm_wasm_exec exec;
    uint32_t stack[256], which;
    volatile uint32_t epoch;
};

/* Every import is the other instance's export of its field's name. */
static int resolve(void *ctx, const struct sm_wasm_import *i, struct sm_wasm_extern *out)
{
    struct machine *m = ctx;

    return sm_wasm_export_extern(m->other, i->field.bytes, i->field.len, out);
}

static int start(struct machine *m, const struct parts *p, struct machine *other,
                 struct sm_wasm_store *store, uint64_t memory_bytes)
{
    struct sm_wasm_limits limits = {.memory_bytes = memory_bytes, .table_entries = 1000};
    struct sm_wasm_linker linker = {m, resolve};
    struct sm_wasm_diag diag;

    *m = (struct machine){.other = other == NULL ? NULL : other->inst};
    assert_true(translated(&m->slot, p, &diag) > 0);
    m->pool = (struct sm_wasm_pool){.base = malloc(POOL_BYTES), .size = POOL_BYTES};
    sm_wasm_exec_init(&m->exec, m->stack, 256, 10, &m->epoch);
    return sm_wasm_instantiate(&m->inst, store, &m->slot.module, &limits, &linker, &m->pool,
                               &m->which);
}

static void stop(struct machine *m)
{
    free(m->pool.base);
    slot_free(&m->slot);
}

static int call(struct machine *m, const char *name, uint32_t a, uint32_t b)
{
    uint32_t func, args[2] = {a, b};

    assert_int_equal(sm_wasm_export_find(&m->slot.module, name, SM_WASM_FUNC, &func), 0);
    assert_int_equal(sm_wasm_call(&m->exec, m->inst, func, args, 0), 0);
    return sm_wasm_run(&m->exec);
}

static uint32_t value(struct machine *m, const char *name, uint32_t a)
{
    assert_int_equal(call(m, name, a, 0), 0);
    return sm_wasm_results(&m->exec)[0];
}

static void expect_outside(struct machine *m, uint32_t address)
{
    assert_int_equal(call(m, "load", address, 0), SM_ERR_TRAP);
    assert_int_equal(m->exec.trap, SM_TRAP_MEMORY);
    assert_int_equal(call(m, "store", address, 1), SM_ERR_TRAP);
    assert_int_equal(m->exec.trap, SM_TRAP_MEMORY);
}

/* ---- A page in part -------------------------------------------------------------------------- */

/* What an instance takes in all. */
static size_t pool_used(const struct parts *p, uint64_t memory_bytes)
{
    struct sm_wasm_store store = {0};
    struct machine *m = malloc(sizeof(*m));
    size_t used;

    assert_int_equal(start(m, p, NULL, &store, memory_bytes), 0);
    used = m->pool.used;
    stop(m);
    free(m);
    return used;
}

static void exactly_the_stated_bytes_come_from_the_pool(void **state)
{
    const struct parts one_page = {.memories = "01 00 01"};

    (void)state;
    for (uint64_t n = 2; n < 300; n += 7) {
        assert_int_equal(pool_used(&one_page, n) - pool_used(&one_page, 1), n - 1);
    }
    assert_int_equal(pool_used(&one_page, 4096) - pool_used(&one_page, 1), 4095);
    assert_int_equal(pool_used(&one_page, 65535) - pool_used(&one_page, 1), 65534);
}

static void beyond_the_stated_bytes_an_access_traps(void **state)
{
    struct sm_wasm_store store = {0};
    struct machine m;

    (void)state;
    assert_int_equal(start(&m, &(struct parts){.memories = "01 00 01"}, NULL, &store, 4096), 0);
    assert_int_equal(value(&m, "load", 4095), 0);
    assert_int_equal(call(&m, "store", 4095, 7), 0);
    assert_int_equal(value(&m, "load", 4095), 7);
    expect_outside(&m, 4096);
    expect_outside(&m, 65535);
    expect_outside(&m, 0xffffffff);
    assert_int_equal(call(&m, "fill", 0, 0), 0); /* 4095 bytes from address 1 */
    assert_int_equal(value(&m, "load", 4095), 7);
    assert_int_equal(value(&m, "load", 1), 7);
    stop(&m);
    assert_int_equal(start(&m, &(struct parts){.memories = "01 00 01"}, NULL, &store, 4095), 0);
    assert_int_equal(call(&m, "fill", 0, 0), SM_ERR_TRAP);
    assert_int_equal(m.exec.trap, SM_TRAP_MEMORY);
    stop(&m);
}

static void a_page_in_part_counts_as_one_and_does_not_grow(void **state)
{
    struct sm_wasm_store store = {0};
    struct machine m;

    (void)state;
    assert_int_equal(start(&m, &(struct parts){.memories = "01 00 02"}, NULL, &store, 70000), 0);
    assert_int_equal(value(&m, "size", 0), 2);
    assert_int_equal(value(&m, "grow", 0), 2);
    assert_int_equal(value(&m, "grow", 1), 0xffffffff);
    assert_int_equal(value(&m, "load", 69999), 0);
    expect_outside(&m, 70000);
    stop(&m);
    /* A page that is grown is a whole one. */
    assert_int_equal(start(&m, &(struct parts){.memories = "01 00 01"}, NULL, &store, 131071), 0);
    assert_int_equal(value(&m, "grow", 1), 0xffffffff);
    expect_outside(&m, 65536);
    stop(&m);
}

static void a_limit_that_leaves_out_a_whole_page_is_refused(void **state)
{
    const struct parts two_pages = {.memories = "01 00 02"};
    struct sm_wasm_store store = {0};
    struct machine m;

    (void)state;
    assert_int_equal(start(&m, &two_pages, NULL, &store, 65536), SM_ERR_LIMIT);
    stop(&m);
    assert_int_equal(start(&m, &two_pages, NULL, &store, 65537), 0);
    stop(&m);
}

static void initial_data_beyond_the_stated_bytes_is_refused(void **state)
{
    const struct parts data = {.memories = "01 00 01", .datas = "01 00 41 0a 0b 03 61 62 63"};
    struct sm_wasm_memory_type t;
    struct sm_wasm_store store = {0};
    struct machine m;

    (void)state;
    assert_int_equal(start(&m, &data, NULL, &store, 12), SM_ERR_TRAP);
    assert_int_equal(m.which, SM_TRAP_MEMORY);
    assert_int_equal(sm_wasm_memory_type(&m.slot.module, &t), 0);
    assert_int_equal(t.data_end, 13);
    stop(&m);
    assert_int_equal(start(&m, &data, NULL, &store, 13), 0);
    assert_int_equal(value(&m, "load", 12), 'c');
    stop(&m);
}

/* ---- Pages of one byte ----------------------------------------------------------------------- */

static void pages_of_one_byte_count_bytes(void **state)
{
    struct sm_wasm_memory_type t;
    struct sm_wasm_store store = {0};
    struct machine m;

    (void)state;
    assert_int_equal(start(&m, &(struct parts){.memories = "01 08 00 00"}, NULL, &store, 200000),
                     0);
    assert_int_equal(sm_wasm_memory_type(&m.slot.module, &t), 0);
    assert_int_equal(t.page_bytes, 1);
    assert_false(t.has_max);
    assert_int_equal(value(&m, "size", 0), 0);
    expect_outside(&m, 0);
    assert_int_equal(value(&m, "grow", 65536), 0);
    assert_int_equal(value(&m, "size", 0), 65536);
    assert_int_equal(call(&m, "store", 65535, 1), 0);
    assert_int_equal(value(&m, "load", 65535), 1);
    expect_outside(&m, 65536);
    assert_int_equal(value(&m, "grow", 1), 65536);
    assert_int_equal(value(&m, "load", 65536), 0);
    expect_outside(&m, 65537);
    assert_int_equal(value(&m, "grow", 200000 - 65537), 65537);
    assert_int_equal(value(&m, "grow", 1), 0xffffffff);
    assert_int_equal(value(&m, "grow", 0xffffffff), 0xffffffff);
    assert_int_equal(value(&m, "size", 0), 200000);
    assert_int_equal(value(&m, "load", 199999), 0);
    stop(&m);
}

static void the_page_size_of_64_kib_can_be_said_too(void **state)
{
    struct sm_wasm_store store = {0};
    struct machine m;

    (void)state;
    assert_int_equal(start(&m, &(struct parts){.memories = "01 08 01 10"}, NULL, &store, 131072),
                     0);
    assert_int_equal(value(&m, "size", 0), 1);
    assert_int_equal(value(&m, "grow", 1), 1);
    assert_int_equal(value(&m, "load", 131071), 0);
    stop(&m);
}

static void a_memory_of_byte_pages_takes_no_more_than_its_maximum(void **state)
{
    const struct parts small = {.memories = "01 09 80 20 80 20 00"}; /* 4096 4096 (pagesize 1) */
    const struct parts less = {.memories = "01 09 80 10 80 10 00"};
    struct sm_wasm_store store = {0};
    struct machine m;

    (void)state;
    assert_int_equal(pool_used(&small, 1u << 19) - pool_used(&less, 1u << 19), 2048);
    assert_int_equal(start(&m, &small, NULL, &store, 4095), SM_ERR_LIMIT);
    stop(&m);
    assert_int_equal(start(&m, &small, NULL, &store, 4096), 0);
    assert_int_equal(value(&m, "load", 4095), 0);
    assert_int_equal(value(&m, "grow", 1), 0xffffffff);
    expect_outside(&m, 4096);
    stop(&m);
}

static int64_t memory_of(const char *hex, struct sm_wasm_diag *diag)
{
    struct slot slot;
    int64_t size = translated(&slot, &(struct parts){.memories = hex}, diag);

    slot_free(&slot);
    return size;
}

static void no_page_sizes_but_1_and_65536_are_valid(void **state)
{
    struct sm_wasm_diag diag;
    char hex[64];

    (void)state;
    for (unsigned log2 = 0; log2 < 128; log2++) {
        int64_t expected = log2 > 64 ? SM_ERR_MALFORMED : SM_ERR_INVALID;

        snprintf(hex, sizeof(hex), "01 08 00 %02x", log2);
        if (log2 == 0 || log2 == 16) {
            assert_true(memory_of(hex, &diag) > 0);
            continue;
        }
        assert_int_equal(memory_of(hex, &diag), expected);
        assert_string_equal(diag.rule, "invalid custom page size");
    }
}

static void the_limits_of_byte_pages_are_32_bit_numbers(void **state)
{
    struct sm_wasm_diag diag;

    (void)state;
    assert_true(memory_of("01 08 ff ff ff ff 0f 00", &diag) > 0);
    assert_true(memory_of("01 09 00 ff ff ff ff 0f 00", &diag) > 0);
    assert_int_equal(memory_of("01 09 02 01 00", &diag), SM_ERR_INVALID);
    assert_int_equal(memory_of("01 08 81 80 04 10", &diag), SM_ERR_INVALID); /* 65537 */
    assert_int_equal(memory_of("01 09 00 81 80 04 10", &diag), SM_ERR_INVALID);
    assert_int_equal(memory_of("01 08 00", &diag), SM_ERR_MALFORMED);    /* no page size follows */
    assert_int_equal(memory_of("01 0a 00 00", &diag), SM_ERR_MALFORMED); /* shared */
    assert_int_equal(memory_of("01 0c 00 00", &diag), SM_ERR_MALFORMED); /* 64-bit */
    assert_int_equal(memory_of("01 10 00 00", &diag), SM_ERR_MALFORMED);
}

static void a_table_has_no_page_size(void **state)
{
    struct sm_wasm_diag diag;
    struct slot slot;

    (void)state;
    assert_int_equal(translated(&slot, &(struct parts){.tables = "01 70 08 00 00"}, &diag),
                     SM_ERR_MALFORMED);
    slot_free(&slot);
    assert_string_equal(diag.rule, "malformed limits flags");
}

/* ---- Linking --------------------------------------------------------------------------------- */

/* What comes of importing the first module's export into the second. */
static int linked(const struct parts *from, const struct parts *to)
{
    struct sm_wasm_store store = {0};
    struct machine *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));
    int err;

    assert_int_equal(start(a, from, NULL, &store, 65536), 0);
    err = start(b, to, a, &store, 65536);
    stop(b);
    stop(a);
    free(b);
    free(a);
    return err;
}

static int linked_memory(const char *exported, const char *imported)
{
    char hex[64];

    snprintf(hex, sizeof(hex), "01 01 61 01 6d 02 %s", imported); /* "a" "m" */
    return linked(&(struct parts){.memories = exported}, &(struct parts){.imports = hex});
}

static int linked_table(const char *exported, const char *imported)
{
    char hex[64];

    snprintf(hex, sizeof(hex), "01 01 61 01 74 01 %s", imported); /* "a" "t" */
    return linked(&(struct parts){.tables = exported, .no_memory = true},
                  &(struct parts){.imports = hex, .no_memory = true});
}

static void an_imported_memory_has_the_page_size_asked_for(void **state)
{
    (void)state;
    assert_int_equal(linked_memory("01 08 00 00", "08 00 00"), 0);
    assert_int_equal(linked_memory("01 08 00 10", "08 00 10"), 0);
    assert_int_equal(linked_memory("01 08 00 10", "00 00"), 0);
    assert_int_equal(linked_memory("01 08 00 00", "08 00 10"), SM_ERR_LINK);
    assert_int_equal(linked_memory("01 08 00 00", "00 00"), SM_ERR_LINK);
    assert_int_equal(linked_memory("01 00 00", "08 00 00"), SM_ERR_LINK);
}

static void a_memory_without_a_maximum_does_not_fit_one_that_is_asked_for(void **state)
{
    (void)state;
    assert_int_equal(linked_memory("01 00 00", "01 00 80 80 04"), SM_ERR_LINK);
    assert_int_equal(linked_memory("01 01 00 80 80 04", "01 00 80 80 04"), 0);
    assert_int_equal(linked_memory("01 01 00 80 80 04", "00 00"), 0);
    assert_int_equal(linked_memory("01 01 00 80 80 04", "01 00 01"), SM_ERR_LINK);
    assert_int_equal(linked_memory("01 08 00 00", "09 00 ff ff ff ff 0f 00"), SM_ERR_LINK);
}

static void a_table_without_a_maximum_does_not_fit_one_that_is_asked_for(void **state)
{
    (void)state;
    assert_int_equal(linked_table("01 70 00 00", "70 01 00 ff ff ff ff 0f"), SM_ERR_LINK);
    assert_int_equal(linked_table("01 70 01 00 ff ff ff ff 0f", "70 01 00 ff ff ff ff 0f"), 0);
    assert_int_equal(linked_table("01 70 01 00 ff ff ff ff 0f", "70 00 00"), 0);
    assert_int_equal(linked_table("01 70 01 00 02", "70 01 00 01"), SM_ERR_LINK);
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static void a_table_that_never_grows_takes_its_minimum_from_the_pool(void **state)
{
    const struct parts none = {.tables = "01 70 00 00", .no_memory = true};
    const struct parts ten = {.tables = "01 70 00 0a", .no_memory = true};

    (void)state;
    assert_int_equal(pool_used(&ten, 0) - pool_used(&none, 0), 40);
}

static void a_table_that_grows_does_so_up_to_the_limit(void **state)
{
    const struct parts grows = {.tables = "01 70 00 0a", .no_memory = true, .grows_table = true};
    struct sm_wasm_store store = {0};
    struct machine m;

    (void)state;
    assert_int_equal(start(&m, &grows, NULL, &store, 0), 0);
    for (uint32_t n = 10; n < 1000; n++) {
        assert_int_equal(value(&m, "g", 0), n);
    }
    assert_int_equal(value(&m, "g", 0), 0xffffffff);
    stop(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_stated_bytes_come_from_the_pool),
        cmocka_unit_test(beyond_the_stated_bytes_an_access_traps),
        cmocka_unit_test(a_page_in_part_counts_as_one_and_does_not_grow),
        cmocka_unit_test(a_limit_that_leaves_out_a_whole_page_is_refused),
        cmocka_unit_test(initial_data_beyond_the_stated_bytes_is_refused),
        cmocka_unit_test(pages_of_one_byte_count_bytes),
        cmocka_unit_test(the_page_size_of_64_kib_can_be_said_too),
        cmocka_unit_test(a_memory_of_byte_pages_takes_no_more_than_its_maximum),
        cmocka_unit_test(no_page_sizes_but_1_and_65536_are_valid),
        cmocka_unit_test(the_limits_of_byte_pages_are_32_bit_numbers),
        cmocka_unit_test(a_table_has_no_page_size),
        cmocka_unit_test(an_imported_memory_has_the_page_size_asked_for),
        cmocka_unit_test(a_memory_without_a_maximum_does_not_fit_one_that_is_asked_for),
        cmocka_unit_test(a_table_without_a_maximum_does_not_fit_one_that_is_asked_for),
        cmocka_unit_test(a_table_that_never_grows_takes_its_minimum_from_the_pool),
        cmocka_unit_test(a_table_that_grows_does_so_up_to_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

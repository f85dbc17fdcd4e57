/* What each call has to find, or not; see kept.h. Nothing of an operating system, because it runs
 * on the microcontroller too.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kept.h"
#include <string.h>

/* Answers of the host function, which are none that are kept; and keys with others. */
enum { CALLED = 1000, LATER = 2000, NEVER = 3000 };
enum { VALUE = 0x44332211, AT = 64, ENDS = 50 };

static int host_get(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct kept *k = ctx;

    (void)caller;
    k->calls++;
    memcpy(k->args, args, sizeof k->args);
    if (args[0] == LATER)
        return SM_WASM_PENDING;
    if (args[0] == NEVER)
        return SM_ERR_DENIED;
    args[0] = CALLED;
    return 0;
}

enum { CLOCK_ENDS = 1, ENTRY_GOES, VALUE_CHANGES, KEY_CHANGES };

static struct sm_kept *place(struct kept *k, uint32_t key)
{
    return &k->table[SM_KEPT_PLACE(key)];
}

static int host_tick(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct kept *k = ctx;
    struct sm_kept *entry = place(k, args[0]);

    (void)caller;
    if (args[2] != 4)
        return SM_ERR_ARG;
    switch (k->on_tick) {
    case CLOCK_ENDS: k->clock = ENDS; break;
    case ENTRY_GOES: *entry = (struct sm_kept){0}; break;
    case VALUE_CHANGES: entry->value++; break;
    case KEY_CHANGES: entry->key ^= 1u << 10; break;
    }
    return 0;
}

int kept_resolve(void *kept, const struct sm_wasm_import *import, struct sm_wasm_extern *out)
{
    struct kept *k = kept;
    bool get = sm_wasm_name_is(&import->field, "get");

    *out = (struct sm_wasm_extern){.kind = SM_WASM_FUNC,
                                   .host = get ? host_get : host_tick,
                                   .host_ctx = k,
                                   .host_type = get ? "iii:i" : "iii:"};
    if (get) {
        out->kept = k->table;
        out->kept_clock = &k->clock;
    }
    return 0;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void keep(struct kept *k, uint32_t key)
{
    *place(k, key) = (struct sm_kept){key, VALUE, ENDS};
}

static void fresh(struct kept *k)
{
    memset(k->table, 0, sizeof k->table);
    memset(k->args, 0, sizeof k->args);
    k->clock = 0;
    k->calls = 0;
    uint8_t *memory = sm_wasm_mem(k->inst, 0, k->memory);
    memset(memory, 0, k->memory);
}

static int begin(struct kept *k, const char *name, uint32_t a, uint32_t b, uint32_t budget)
{
    const uint32_t args[] = {a, b};
    uint32_t func;

    if (sm_wasm_export_find(sm_wasm_inst_module(k->inst), name, SM_WASM_FUNC, &func) != 0 ||
        sm_wasm_call(k->exec, k->inst, func, args, budget) != 0)
        return SM_ERR_ARG;
    if (k->ready != NULL)
        k->ready(k->ctx);
    return sm_wasm_run(k->exec);
}

/* The result; a number that none has when it does not end well. */
static uint32_t call(struct kept *k, const char *name, uint32_t a, uint32_t b)
{
    return begin(k, name, a, b, 0) == 0 ? sm_wasm_results(k->exec)[0] : 0xdeadbeef;
}

static uint32_t word(struct kept *k, uint32_t at)
{
    const uint8_t *p = sm_wasm_mem(k->inst, at, 4);

    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* That call is answered with what is kept, and nothing else in memory changes. */
static bool finds(struct kept *k, const char *name, uint32_t a, uint32_t b, uint32_t at)
{
    bool found = call(k, name, a, b) == 4 && k->calls == 0 && word(k, at) == VALUE &&
                 (at == 0 || ((uint8_t *)sm_wasm_mem(k->inst, at - 1, 1))[0] == 0) &&
                 (at + 4 == k->memory || ((uint8_t *)sm_wasm_mem(k->inst, at + 4, 1))[0] == 0);

    memset(sm_wasm_mem(k->inst, at, 4), 0, 4);
    return found;
}

/* That the function is called, with these arguments. */
static bool calls(struct kept *k, const char *name, uint32_t a, uint32_t b, uint32_t key,
                  uint32_t address, uint32_t len)
{
    unsigned before = k->calls;

    return call(k, name, a, b) == CALLED && k->calls == before + 1 && k->args[0] == key &&
           k->args[1] == address && k->args[2] == len;
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static bool an_answer_is_found_at_each_place(struct kept *k)
{
    bool all = true;

    for (uint32_t key = 0; key < 64; key++) {
        fresh(k);
        keep(k, key << 20 | key);
        all = all && finds(k, "get", key << 20 | key, AT, AT);
    }
    return all;
}

static bool a_table_without_answers_has_none(struct kept *k)
{
    return calls(k, "get", 0, AT, 0, AT, 4) && calls(k, "get", 7, AT, 7, AT, 4);
}

static bool another_key_is_another_answer(struct kept *k)
{
    bool all = true;

    keep(k, 0x5a5);
    for (unsigned bit = 0; bit < 32; bit++)
        all = all && calls(k, "get", 0x5a5 ^ 1u << bit, AT, 0x5a5 ^ 1u << bit, AT, 4);
    k->calls = 0;
    return all && finds(k, "get", 0x5a5, AT, AT);
}

static bool an_answer_is_over_when_the_clock_says_so(struct kept *k)
{
    static const uint64_t until[] = {1, ENDS, 1ull << 32, 5ull << 32, (1ull << 32) + 1, UINT64_MAX};
    bool all = true;

    for (unsigned i = 0; i < sizeof until / sizeof *until; i++) {
        keep(k, 3);
        k->calls = 0;
        place(k, 3)->until = until[i];
        k->clock = until[i] - 1;
        all = all && finds(k, "get", 3, AT, AT);
        k->clock = until[i] / 2;
        all = all && finds(k, "get", 3, AT, AT);
        k->clock = until[i];
        all = all && calls(k, "get", 3, AT, 3, AT, 4);
        k->clock = UINT64_MAX;
        all = all && calls(k, "get", 3, AT, 3, AT, 4);
        k->clock = until[i] + (1ull << 32); /* the low word alone says nothing */
        all = all && (k->clock < until[i] || calls(k, "get", 3, AT, 3, AT, 4));
    }
    return all;
}

static bool nothing_is_written_outside_the_memory(struct kept *k)
{
    const uint32_t outside[] = {k->memory - 3, k->memory - 1, k->memory,  k->memory + 1,
                                0x7fffffff,    0x80000000,    0xfffffffc, 0xffffffff};
    bool all = true;

    keep(k, 3);
    all = finds(k, "get", 3, k->memory - 4, k->memory - 4) && finds(k, "get", 3, 0, 0) &&
          finds(k, "get", 3, 1, 1);
    for (unsigned i = 0; i < sizeof outside / sizeof *outside; i++)
        all = all && calls(k, "get", 3, outside[i], 3, outside[i], 4);
    all = all && calls(k, "get far", 3, 0, 3, 70000, 4);
    for (uint32_t at = 0; at < k->memory; at++)
        all = all && ((uint8_t *)sm_wasm_mem(k->inst, at, 1))[0] == 0;
    return all;
}

static bool other_lengths_are_the_functions(struct kept *k)
{
    keep(k, 3);
    return calls(k, "get 8 bytes", 3, AT, 3, AT, 8) &&
           calls(k, "get -4 bytes", 3, AT, 3, AT, (uint32_t)-4) &&
           calls(k, "get 65540 bytes", 3, AT, 3, AT, 65540);
}

/* Whether anybody looks there is left open. */
static bool other_ways_give_the_same(struct kept *k)
{
    uint32_t table, length;

    keep(k, 3);
    length = call(k, "get with a length", 3, AT);
    table = call(k, "get through a table", 3, AT);
    return (length == 4 || length == CALLED) && (table == 4 || table == CALLED) &&
           calls(k, "get with a length", 2, AT, 2, AT, 4) &&
           calls(k, "get through a table", 2, AT, 2, AT, 4);
}

static bool arguments_come_as_they_are_written(struct kept *k)
{
    return calls(k, "get at 16", 9, 0, 9, 16, 4) && calls(k, "get of 5 numbers", 0, 0, 5, 24, 4) &&
           calls(k, "get the other way", 7, 9, 9, 7, 4) &&
           calls(k, "get of sums", 7, 9, 9, 17, 4) &&
           calls(k, "get of what is in memory", 7, 9, 7, 9, 4) &&
           calls(k, "get before", 7, 9, 7, 9, 4) && call(k, "get amid others", 5, 9) == 1150 &&
           k->args[0] == 5 && k->args[1] == 9 && call(k, "get of a get", 7, 9) == CALLED &&
           k->args[0] == CALLED && k->args[1] == 32 && k->args[2] == 4;
}

static bool answers_are_found_however_arguments_are_written(struct kept *k)
{
    keep(k, 3);
    keep(k, 4);
    keep(k, 5);
    return finds(k, "get at 16", 3, 0, 16) && finds(k, "get of 5 numbers", 0, 0, 24) &&
           finds(k, "get the other way", AT, 3, AT) && finds(k, "get of sums", 1, AT - 8, AT) &&
           finds(k, "get before", 3, AT, AT) && call(k, "get of what is in memory", 3, AT) == 4 &&
           word(k, AT) == VALUE && call(k, "get amid others", 3, AT) == 134 &&
           call(k, "get of a get", 3, AT) == 4 && word(k, 32) == VALUE && k->calls == 0;
}

static bool what_changes_between_two_calls_is_seen(struct kept *k)
{
    bool all = true;

    for (k->on_tick = CLOCK_ENDS; k->on_tick <= KEY_CHANGES; k->on_tick++) {
        fresh(k);
        keep(k, 3);
        if (k->on_tick == VALUE_CHANGES)
            all = all && call(k, "get, tick, get", 3, AT) == 4 && k->calls == 0 &&
                  word(k, AT) == VALUE + 1;
        else
            all = all && calls(k, "get, tick, get", 3, AT, 3, AT, 4) && word(k, AT) == VALUE;
    }
    return all;
}

/* The memory may grow, or there is no room for it. */
static bool memory_that_grows_is_seen(struct kept *k)
{
    uint32_t result;

    keep(k, 3);
    result = call(k, "get, grow, get", 3, k->memory);
    bool grown = sm_wasm_inst_memory(k->inst)->size > k->memory;
    return grown ? result == 4 && k->calls == 1 && word(k, k->memory) == VALUE
                 : result == CALLED && k->calls == 2;
}

static bool the_function_may_answer_later(struct kept *k)
{
    const uint32_t answer = 77;

    if (begin(k, "get amid others", LATER, AT, 0) != SM_WASM_PENDING ||
        sm_wasm_complete(k->exec, &answer, 0) != 0)
        return false;
    if (k->ready != NULL)
        k->ready(k->ctx);
    return sm_wasm_run(k->exec) == 0 && sm_wasm_results(k->exec)[0] == 100 + 10 * LATER + answer;
}

static bool the_function_may_fail(struct kept *k)
{
    const struct sm_wasm_module *m = sm_wasm_inst_module(k->inst);
    struct sm_wasm_frame frame = {0};

    if (begin(k, "get", NEVER, AT, 0) != SM_ERR_TRAP || k->exec->trap != SM_TRAP_HOST ||
        k->exec->host_error != SM_ERR_DENIED)
        return false;
    return sm_wasm_backtrace(k->exec, &frame, 1, k->scratch, k->scratch_len) == 1 &&
           m->wasm[frame.offset] == 0x10; /* call */
}

static bool a_loop_of_answers_is_stopped(struct kept *k)
{
    keep(k, 3);
    ++*k->epoch;
    const uint32_t before = *k->epoch;
    uint32_t func;
    const uint32_t args[] = {3, AT};
    if (sm_wasm_export_find(sm_wasm_inst_module(k->inst), "get for ever", SM_WASM_FUNC, &func) !=
            0 ||
        sm_wasm_call(k->exec, k->inst, func, args, 1) != 0)
        return false;
    *k->epoch = before + 1;
    if (k->ready != NULL)
        k->ready(k->ctx);
    return sm_wasm_run(k->exec) == SM_ERR_EPOCH && k->calls == 0;
}

unsigned kept_run(struct kept *k)
{
    static const struct {
        const char *what;
        bool (*holds)(struct kept *k);
    } cases[] = {
#define CASE(name) {#name, name}
        CASE(an_answer_is_found_at_each_place),
        CASE(a_table_without_answers_has_none),
        CASE(another_key_is_another_answer),
        CASE(an_answer_is_over_when_the_clock_says_so),
        CASE(nothing_is_written_outside_the_memory),
        CASE(other_lengths_are_the_functions),
        CASE(other_ways_give_the_same),
        CASE(arguments_come_as_they_are_written),
        CASE(answers_are_found_however_arguments_are_written),
        CASE(what_changes_between_two_calls_is_seen),
        CASE(the_function_may_answer_later),
        CASE(the_function_may_fail),
        CASE(a_loop_of_answers_is_stopped),
        CASE(memory_that_grows_is_seen), /* the last, because it does */
    };
    unsigned failures = 0;

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        fresh(k);
        bool holds = cases[i].holds(k);
        k->say(cases[i].what, holds);
        failures += !holds;
    }
    return failures;
}

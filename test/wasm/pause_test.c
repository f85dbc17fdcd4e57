/* Deadlines: a module may be stopped at every look at the epoch and go on as if nothing had
 * happened, and there is no way through its code without looking often enough.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "bytes.h"
#include "slot.h"
#include "../../src/wasm/fn.h"
#include "../../src/wasm/image.h"
#include "../../src/wasm/ops.h"

#define POOL_BYTES (512u << 10)
#define WORDS      8192u

struct engine {
    struct slot slot;
    struct sm_wasm_store store;
    uint8_t *pool;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec exec;
    uint32_t stack[WORDS];
    uint32_t epoch;
    unsigned pauses;
};

static int add(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    (void)ctx, (void)caller;
    args[0] += 2 * args[1];
    return 0;
}

/* The host calls again into what runs: refused, and nothing is broken. */
static int meddle(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct engine *e = ctx;

    assert_int_equal(e->exec.state, SM_EXEC_RUNNING);
    assert_int_equal(sm_wasm_run(&e->exec), SM_ERR_STATE);
    assert_int_equal(sm_wasm_resume(&e->exec, 1), SM_ERR_STATE);
    assert_int_equal(sm_wasm_complete(&e->exec, args, 0), SM_ERR_STATE);
    assert_int_equal(sm_wasm_call(&e->exec, caller, 1, args, 0), SM_ERR_STATE);
    return add(ctx, caller, args);
}

static int resolve(void *ctx, const struct sm_wasm_import *i, struct sm_wasm_extern *out)
{
    *out = (struct sm_wasm_extern){
        .kind = i->kind, .host = ctx == NULL ? add : meddle, .host_ctx = ctx, .host_type = "ii:i"};
    return 0;
}

static void start(struct engine *e, uint8_t *wasm, size_t len, sm_wasm_host_fn *host)
{
    struct sm_wasm_limits limits = {.memory_bytes = 3 * SM_WASM_PAGE, .table_entries = 3000};
    struct sm_wasm_linker linker = {host == meddle ? e : NULL, resolve};
    struct sm_wasm_pool pool = {.base = malloc(POOL_BYTES), .size = POOL_BYTES};
    struct sm_wasm_diag diag;
    uint32_t which;

    memset(e, 0, sizeof(*e));
    memset(pool.base, 0xa5, POOL_BYTES);
    e->pool = pool.base;
    assert_true(slot_make(&e->slot, wasm, len, &diag) > 0);
    assert_int_equal(
        sm_wasm_instantiate(&e->inst, &e->store, &e->slot.module, &limits, &linker, &pool, &which),
        0);
    sm_wasm_exec_init(&e->exec, e->stack, WORDS, 500, &e->epoch);
}

static struct engine *start_file(sm_wasm_host_fn *host)
{
    struct engine *e = malloc(sizeof(*e));
    size_t len;
    uint8_t *wasm = read_file(WASM_DIR "/pause.wasm", &len);

    start(e, wasm, len, host);
    free(wasm);
    return e;
}

static void stop(struct engine *e)
{
    slot_free(&e->slot);
    free(e->pool);
    free(e);
}

static void call(struct engine *e, const char *name, uint32_t arg, uint32_t budget)
{
    uint32_t func;

    assert_int_equal(sm_wasm_export_find(&e->slot.module, name, SM_WASM_FUNC, &func), 0);
    assert_int_equal(sm_wasm_call(&e->exec, e->inst, func, &arg, budget), 0);
}

/* The way to the next look at the epoch: the deadline has come before it starts. */
static int one_step(struct engine *e)
{
    int err;

    e->epoch++;
    err = sm_wasm_run(&e->exec);
    if (err == SM_ERR_EPOCH) {
        assert_int_equal(e->exec.state, SM_EXEC_PAUSED);
        assert_int_equal(e->exec.trap, SM_TRAP_EPOCH);
        assert_int_equal(sm_wasm_run(&e->exec), SM_ERR_STATE);
        assert_int_equal(sm_wasm_resume(&e->exec, 1), 0);
        e->pauses++;
    }
    return err;
}

static uint32_t result(struct engine *e)
{
    assert_int_equal(e->exec.state, SM_EXEC_DONE);
    return sm_wasm_results(&e->exec)[0];
}

static const struct job {
    const char *name;
    uint32_t arg;
} jobs[] = {{"fib", 12},  {"deep", 400},   {"host_calls", 50},     {"bulk", 33},
            {"grow", 77}, {"tables", 400}, {"tables_of_jumps", 50}};
#define JOBS (sizeof(jobs) / sizeof(jobs[0]))

static uint32_t uninterrupted(const struct job *job)
{
    struct engine *e = start_file(add);
    uint32_t r;

    call(e, job->name, job->arg, 0);
    assert_int_equal(sm_wasm_run(&e->exec), 0);
    r = result(e);
    stop(e);
    return r;
}

/* ---- Pauses ---------------------------------------------------------------------------------- */

static void stopped_at_every_look_each_function_gives_the_same(void **state)
{
    (void)state;
    for (unsigned i = 0; i < JOBS; i++) {
        struct engine *e = start_file(add);

        call(e, jobs[i].name, jobs[i].arg, 1);
        while (one_step(e) == SM_ERR_EPOCH) {
        }
        assert_int_equal(result(e), uninterrupted(&jobs[i]));
        print_message("%s: %u pauses\n", jobs[i].name, e->pauses);
        assert_true(e->pauses > 20);
        stop(e);
    }
}

static void modules_take_turns_in_one_thread(void **state)
{
    struct engine *e[JOBS];
    unsigned left = JOBS, turns = 0, random = 1;
    bool done[JOBS] = {false};

    (void)state;
    for (unsigned i = 0; i < JOBS; i++) {
        e[i] = start_file(add);
        call(e[i], jobs[i].name, jobs[i].arg, 1);
    }
    for (unsigned i = 0; left > 0; i = (i + 1) % JOBS, turns++) {
        random = random * 1103515245 + 12345;
        for (unsigned steps = random >> 16 & 7; steps > 0 && !done[i]; steps--) {
            done[i] = one_step(e[i]) != SM_ERR_EPOCH;
            left -= done[i];
        }
    }
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(result(e[i]), uninterrupted(&jobs[i]));
        stop(e[i]);
    }
    print_message("%u turns\n", turns);
}

static void a_paused_call_can_be_given_up_for_another(void **state)
{
    struct engine *e = start_file(add);

    (void)state;
    call(e, "grow", 1, 1); /* its memory is cleared in part, its table grown in part */
    assert_int_equal(one_step(e), SM_ERR_EPOCH);
    assert_int_equal(one_step(e), SM_ERR_EPOCH);
    call(e, "tables", 400, 1);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(one_step(e), SM_ERR_EPOCH);
    }
    call(e, "fib", 10, 0);
    assert_int_equal(sm_wasm_run(&e->exec), 0);
    assert_int_equal(result(e), 55);
    call(e, "grow", 77, 0);
    assert_int_equal(sm_wasm_run(&e->exec), 0);
    assert_int_equal(result(e), uninterrupted(&jobs[4]));
    stop(e);
}

static void only_a_paused_call_is_resumed(void **state)
{
    struct engine *e = start_file(add);

    (void)state;
    assert_int_equal(sm_wasm_resume(&e->exec, 1), SM_ERR_STATE);
    call(e, "fib", 10, 1);
    assert_int_equal(sm_wasm_resume(&e->exec, 1), SM_ERR_STATE);
    assert_int_equal(sm_wasm_run(&e->exec), 0);
    assert_int_equal(sm_wasm_resume(&e->exec, 1), SM_ERR_STATE);
    stop(e);
}

static void a_host_function_cannot_touch_what_called_it(void **state)
{
    struct engine *e = start_file(meddle);

    (void)state;
    call(e, "host_calls", 50, 0);
    assert_int_equal(sm_wasm_run(&e->exec), 0);
    assert_int_equal(result(e), uninterrupted(&jobs[2]));
    stop(e);
}

static void budgets_of_any_size_work_and_none_means_none(void **state)
{
    static const uint32_t budgets[] = {0x7fffffff, 0x80000000, 0x80000001, 0xffffffff};
    struct engine *e = start_file(add);

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        call(e, "fib", 10, budgets[i]);
        assert_int_equal(sm_wasm_run(&e->exec), 0);
    }
    call(e, "fib", 10, 0xffffffff);
    e->epoch += 0x7fffffff;
    assert_int_equal(sm_wasm_run(&e->exec), SM_ERR_EPOCH);
    call(e, "fib", 10, 0);
    e->epoch += 0x7fffffff; /* eight months of a 10 ms tick */
    assert_int_equal(sm_wasm_run(&e->exec), 0);
    assert_int_equal(result(e), 55);
    stop(e);
}

static void where_a_paused_call_stands_is_what_it_does_next(void **state)
{
    struct engine *e = start_file(add);
    struct sm_wasm_frame f[2];
    uint64_t scratch[512];

    (void)state;
    call(e, "fib", 3, 1);
    assert_int_equal(one_step(e), SM_ERR_EPOCH); /* fib(3) */
    assert_int_equal(sm_wasm_backtrace(&e->exec, f, 2, scratch, sizeof(scratch)), 1);
    assert_memory_equal(e->slot.wasm + f[0].offset - 5, "\x20\x00\x41\x02\x49\x04", 6); /* if */
    assert_int_equal(one_step(e), SM_ERR_EPOCH);                                        /* fib(2) */
    assert_int_equal(sm_wasm_backtrace(&e->exec, f, 2, scratch, sizeof(scratch)), 2);
    assert_int_equal(e->slot.wasm[f[1].offset], 0x10); /* the call */
    stop(e);
}

/* ---- No way without a look ------------------------------------------------------------------- */

static const char *const operands[] = {
#define X(name, text) [OP_##name] = text,
    SM_OPS_HOT(X) SM_OPS_RARE(X)
#undef X
};

/* One instruction: its units, and the unit that holds a branch distance, 0 for none. */
struct shape {
    uint32_t units, distance;
    bool ends; /* does not go on behind it */
};

static struct shape shape_of(const uint16_t *code)
{
    struct shape s = {.units = 1};
    char text[64], *save, *word;

    snprintf(text, sizeof(text), "%s", operands[code[0]]);
    for (word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        if (strcmp(word, "o") == 0 || strcmp(word, "l") == 0) {
            s.distance = s.units;
        }
        s.units += strcmp(word, "w") == 0 ? 2 : 1;
    }
    s.ends = code[0] == OP_JUMP || code[0] == OP_UNREACHABLE ||
             strncmp(operands[code[0]], "header", 6) == 0; /* returns */
    return s;
}

/* The most units on any way through a function (near branches only) without a look. */
static uint32_t longest_way(const uint16_t *code, uint32_t units)
{
    int32_t *since = malloc((units + 1) * sizeof(*since)), longest = 0;

    memset(since, 0xff, (units + 1) * sizeof(*since)); /* -1: nothing leads here */
    since[0] = 0;
    for (uint32_t at = 0; at < units;) {
        struct shape s = shape_of(code + at);
        bool table = strcmp(operands[code[at]] + 1, " n o...") == 0;
        int32_t way = since[at] + (int32_t)s.units;
        uint32_t fields = table ? code[at + 2] + 1u : s.distance != 0;

        assert_true(code[at] != OP_JUMP_FAR && code[at] != OP_BR_TABLE_FAR);
        if (code[at] == OP_ENTER || code[at] == OP_LOOK || code[at] >= OP_TABLE_GROW) {
            way = 0;
        }
        if (since[at] >= 0) {
            longest = way > longest ? way : longest;
            for (uint32_t i = 0; i < fields; i++) {
                uint32_t field = at + (table ? 3 : s.distance) + i;
                uint32_t to = field - 1 + (uint32_t)(int32_t)(int16_t)code[field];

                if (to > at && since[to] < way) { /* backward ones look */
                    since[to] = way;
                }
            }
        }
        if (since[at] >= 0 && !s.ends && !table && since[at + s.units] < way) {
            since[at + s.units] = way;
        }
        at += table ? 3 + fields : s.units;
    }
    free(since);
    return (uint32_t)longest;
}

static uint32_t random_below(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % n;
}

/* Code of nested blocks with branches over each other; local 0 goes through all of it. */
static void random_code(struct bytes *b, uint32_t *seed, uint32_t depth, uint32_t *left)
{
    for (uint32_t n = 1 + random_below(seed, 6); n > 0 && *left > 0; n--) {
        --*left;
        for (uint32_t i = random_below(seed, 1u << random_below(seed, 8)); i > 0; i--) {
            PUT(b, 0x20, 0, 0x41, 5, 0x6c, 0x20, 0, 0x41, 3, 0x76, 0x73, 0x21, 0);
        }
        switch (depth > 100 ? 2 + random_below(seed, 3) : random_below(seed, depth > 0 ? 5 : 2)) {
        case 0:
            PUT(b, 0x02, 0x40);
            random_code(b, seed, depth + 1, left);
            PUT(b, 0x0b);
            break;
        case 1:
            PUT(b, 0x20, 0, 0x41, 1, 0x71, 0x04, 0x40);
            random_code(b, seed, depth + 1, left);
            if (random_below(seed, 2)) {
                PUT(b, 0x05);
                random_code(b, seed, depth + 1, left);
            }
            PUT(b, 0x0b);
            break;
        case 2:
            PUT(b, 0x20, 0, 0x41, 3, 0x71, 0x45, 0x0d, (uint8_t)random_below(seed, depth));
            break;
        case 3: /* what follows a table cannot be reached: it ends with a block */
            PUT(b, 0x02, 0x40, 0x20, 0, 0x41, 3, 0x71, 0x0e, 2, (uint8_t)random_below(seed, depth),
                (uint8_t)random_below(seed, depth), (uint8_t)random_below(seed, depth), 0x0b);
            break;
        default: PUT(b, 0x20, 0, 0x41, 7, 0x71, 0x45, 0x0d, (uint8_t)(depth - 1));
        }
    }
}

static struct bytes random_function(uint32_t seed)
{
    static const uint8_t head[] = {0, 'a',  's', 'm', 1, 0, 0, 0, 1, 6, 1,   0x60, 1, 0x7f,
                                   1, 0x7f, 3,   2,   1, 0, 7, 5, 1, 1, 'f', 0,    0};
    bool far = seed % 8 == 0; /* all in one `if`, too far for jumps of 16 bits */
    uint32_t left = 20 + random_below(&seed, far ? 2000 : 150);
    struct bytes b = {0};
    size_t section, body;

    put(&b, head, sizeof(head));
    section = open_section(&b, 10);
    PUT(&b, 1);
    body = open_part(&b);
    PUT(&b, 1, 1, 0x7e);
    if (far) {
        PUT(&b, 0x20, 0, 0x04, 0x40);
    }
    while (left > 0) {
        random_code(&b, &seed, 0, &left);
    }
    if (far) {
        PUT(&b, 0x0b);
    }
    PUT(&b, 0x20, 0, 0x0b);
    close_part(&b, body);
    close_part(&b, section);
    return b;
}

static void every_way_through_long_code_looks_in_time(void **state)
{
    uint32_t looks = 0, tried = 0, worst = 0;

    (void)state;
    for (uint32_t seed = 1; seed <= 400; seed++) {
        struct bytes b = random_function(seed);
        struct engine *e = malloc(sizeof(*e));
        const uint16_t *code;
        const struct sm_image *h;
        uint32_t way, r;

        start(e, b.at, b.len, add);
        h = sm_image_of(&e->slot.module);
        code = SM_IMAGE_AT(&e->slot.module, uint16_t, code) + SM_CODE_START;
        if (!(SM_IMAGE_AT(&e->slot.module, struct sm_image_func, funcs)->flags & SM_FUNC_FAR)) {
            way = longest_way(code, h->code_units - SM_CODE_START);
            worst = way > worst ? way : worst;
            tried++;
        }
        call(e, "f", seed, 0);
        assert_int_equal(sm_wasm_run(&e->exec), 0);
        r = result(e);
        call(e, "f", seed, 1);
        while (one_step(e) == SM_ERR_EPOCH) {
        }
        assert_int_equal(result(e), r);
        looks += e->pauses;
        stop(e);
        free(b.at);
    }
    print_message("%u functions, %u looks, at most %u units without one\n", tried, looks, worst);
    assert_true(tried > 300 && looks > 2 * tried);
    assert_true(worst < SM_LOOK_UNITS + 8);
    assert_true(tried < 400); /* the others go through jumps of 32 bits */
}

/* A function of 60,000 local words clears them with a look every so often. */
static void locals_are_cleared_in_pieces(void **state)
{
    static const uint8_t head[] = {0, 'a',  's', 'm', 1, 0, 0, 0, 1, 6, 1,   0x60, 1, 0x7f,
                                   1, 0x7f, 3,   2,   1, 0, 7, 5, 1, 1, 'f', 0,    0};
    struct engine *e = malloc(sizeof(*e));
    struct bytes b = {0};
    size_t section, body;

    (void)state;
    put(&b, head, sizeof(head));
    section = open_section(&b, 10);
    PUT(&b, 1);
    body = open_part(&b);
    PUT(&b, 1);
    number(&b, 7000);
    PUT(&b, 0x7f, 0x20);
    number(&b, 7000); /* the last */
    PUT(&b, 0x20, 0, 0x6a, 0x0b);
    close_part(&b, body);
    close_part(&b, section);
    start(e, b.at, b.len, add);
    memset(e->stack, 0xff, sizeof(e->stack));
    call(e, "f", 5, 1);
    while (one_step(e) == SM_ERR_EPOCH) {
    }
    assert_int_equal(result(e), 5);
    assert_int_equal(e->pauses, 7);
    stop(e);
    free(b.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopped_at_every_look_each_function_gives_the_same),
        cmocka_unit_test(modules_take_turns_in_one_thread),
        cmocka_unit_test(a_paused_call_can_be_given_up_for_another),
        cmocka_unit_test(only_a_paused_call_is_resumed),
        cmocka_unit_test(a_host_function_cannot_touch_what_called_it),
        cmocka_unit_test(budgets_of_any_size_work_and_none_means_none),
        cmocka_unit_test(where_a_paused_call_stands_is_what_it_does_next),
        cmocka_unit_test(every_way_through_long_code_looks_in_time),
        cmocka_unit_test(locals_are_cleared_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

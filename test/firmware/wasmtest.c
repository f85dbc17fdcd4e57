/* Firmware: a module's whole life on the microcontroller. The module's bytes lie in flash; it is
 * translated into RAM, opened, instantiated in a fixed pool and run; a loop without end is stopped
 * by the epoch that SysTick advances; a trap is reported with its backtrace. Prints a line a check
 * and costs in instructions; the exit status is 0 when all held.
 *
 * Then the cases of answers that are kept ready (test/wasm/kept.c).
 *
 * Built a second time with -DNATIVE, when the module's native image runs, in place; without these
 * cases.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/wasm.h>
#include <string.h>
#include "board.h"
#include "module_bytes.h"
#ifdef NATIVE
#include <sandmote/native.h>
#include "module_native.h"
#else
#include "kept.h"
#include "kept_bytes.h"
#endif

#define MEMORY_BYTES 4096u
#define FRAMES       4

/* All the memory of the engine; static, since it is larger than the stack. */
static struct {
    uint8_t image[4096] __attribute__((aligned(8)));
    uint8_t scratch[8192] __attribute__((aligned(8)));
    uint8_t pool[8192] __attribute__((aligned(8)));
    uint32_t stack[512];
    uint8_t native[512] __attribute__((aligned(8)));
    volatile uint32_t epoch;
} ram;

struct machine {
    const uint8_t *wasm;
    uint32_t wasm_len;
    struct sm_wasm_module module;
    struct sm_wasm_store store;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec exec;
    int64_t image_len;
    uint32_t memory_used; /* of the pool */
};

static int check(const char *what, bool holds)
{
    sm_board_print(holds ? "ok    " : "FAIL  ");
    sm_board_print(what);
    sm_board_print("\n");
    return holds ? 0 : 1;
}

static void print_number(const char *what, uint32_t value, const char *unit)
{
    sm_board_print(what);
    sm_board_print_u32(value);
    sm_board_print(unit);
}

/* ---- Install and start ----------------------------------------------------------------------- */

static int write_image(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    (void)ctx;
    if (off > sizeof ram.image || len > sizeof ram.image - off)
        return SM_ERR_MEMORY;
    memcpy(ram.image + off, bytes, len);
    return 0;
}

static void translate(void *ctx)
{
    struct machine *m = ctx;
    const struct sm_wasm_sink sink = {NULL, write_image};
    struct sm_wasm_diag diag = {0, ""};
    m->image_len =
        sm_wasm_translate(m->wasm, m->wasm_len, &sink, ram.scratch, sizeof ram.scratch, &diag);
    if (m->image_len < 0) {
        print_number("      at offset ", diag.offset, ": ");
        sm_board_print(diag.rule);
        sm_board_print("\n");
    }
}

/* Questions with another answer than their double. */
#define LATER 1000000u
#define NEVER 2000000u

static int host_twice(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    (void)ctx;
    (void)caller;
    if (args[0] == LATER)
        return SM_WASM_PENDING;
    if (args[0] == NEVER)
        return SM_ERR_DENIED;
    args[0] *= 2;
    return 0;
}

static int resolve(void *ctx, const struct sm_wasm_import *import, struct sm_wasm_extern *out)
{
    (void)ctx;
    if (import->field.len != 5 || memcmp(import->field.bytes, "twice", 5) != 0)
        return SM_ERR_NOT_FOUND;
    *out = (struct sm_wasm_extern){.kind = SM_WASM_FUNC, .host = host_twice, .host_type = "i:i"};
    return 0;
}

/* The image is the build's own: it is believed about the module that it was made of. */
static bool bind(struct machine *m)
{
#ifdef NATIVE
    struct sm_native n;
    return sm_native_read(&n, module_native, sizeof module_native) == 0 &&
           sm_native_open(&n, module_native, sizeof module_native, n.info.module_sha256) == 0 &&
           sm_native_bind(m->inst, &n, ram.native, sizeof ram.native) == 0;
#else
    (void)m;
    return true;
#endif
}

static bool start(struct machine *m, const struct sm_wasm_linker *linker)
{
    const struct sm_wasm_limits limits = {.memory_bytes = MEMORY_BYTES, .table_entries = 1};
    struct sm_wasm_pool pool = {.base = ram.pool, .size = sizeof ram.pool};
    uint32_t which;
    if (sm_wasm_open(&m->module, ram.image, (size_t)m->image_len, m->wasm, m->wasm_len) != 0 ||
        sm_wasm_instantiate(&m->inst, &m->store, &m->module, &limits, linker, &pool, &which) != 0)
        return false;
    m->memory_used = (uint32_t)pool.used;
    sm_wasm_exec_init(&m->exec, ram.stack, sizeof ram.stack / sizeof ram.stack[0], 64, &ram.epoch);
    return bind(m);
}

/* ---- Run ------------------------------------------------------------------------------------- */

/* What sm_wasm_run() gives for a call by name. */
static int call(struct machine *m, const char *name, uint32_t argument, uint32_t budget)
{
    uint32_t func;
    if (sm_wasm_export_find(&m->module, name, SM_WASM_FUNC, &func) != 0 ||
        sm_wasm_call(&m->exec, m->inst, func, &argument, budget) != 0)
        return SM_ERR_ARG;
    return sm_wasm_run(&m->exec);
}

static int expect(struct machine *m, const char *name, uint32_t argument, uint32_t expected)
{
    int result = call(m, name, argument, 0);
    uint32_t value = result == 0 ? sm_wasm_results(&m->exec)[0] : 0;
    sm_board_print("      ");
    sm_board_print(name);
    print_number("(", argument, ") = ");
    print_number("", value, "\n");
    return check(name, result == 0 && value == expected);
}

static int waits_for_the_host(struct machine *m)
{
    const uint32_t answer = 41;
    int result = call(m, "ask", LATER + 1, 0);
    bool waits = result == SM_WASM_PENDING && m->exec.state == SM_EXEC_PENDING &&
                 m->exec.host_error == 0 && sm_wasm_complete(&m->exec, &answer, 0) == 0;
    return check("a call that the host answers later goes on with the answer",
                 waits && sm_wasm_run(&m->exec) == 0 && sm_wasm_results(&m->exec)[0] == answer + 1);
}

static int fails_with_the_host(struct machine *m)
{
    struct sm_wasm_frame frame = {0};
    int result = call(m, "ask", NEVER + 1, 0);
    uint32_t n = sm_wasm_backtrace(&m->exec, &frame, 1, ram.scratch, sizeof ram.scratch);
    return check("a call that the host refuses is a trap there, with the host's reason",
                 result == SM_ERR_TRAP && m->exec.trap == SM_TRAP_HOST &&
                     m->exec.host_error == SM_ERR_DENIED && n == 1 && frame.name.len == 3 &&
                     module_bytes[frame.offset] == 0x10);
}

static void advance_epoch(void *ctx)
{
    (void)ctx;
    ram.epoch++;
}

static int stops_a_loop_without_end(struct machine *m)
{
    uint32_t before = ram.epoch;
    sm_board_tick(advance_epoch, NULL, 1000);
    int result = call(m, "spin", 0, 5);
    sm_board_tick(NULL, NULL, 0);
    uint32_t passed = ram.epoch - before;
    print_number("      stopped after ", passed, " ticks of 1 ms\n");
    return check("an endless loop stops at its deadline",
                 result == SM_ERR_EPOCH && m->exec.trap == SM_TRAP_EPOCH && passed == 5);
}

static void print_frame(const struct sm_wasm_frame *frame)
{
    print_number("      in function ", frame->func, " ");
    sm_board_write(frame->name.bytes, frame->name.len);
    print_number(" at offset ", frame->offset, "\n");
}

/* That the frames are those of $trap, $middle and $innermost, at the instructions they stand at. */
static bool backtrace_is_right(const struct machine *m, uint8_t innermost_opcode)
{
    static const char *const names[] = {"innermost", "middle", "trap"};
    struct sm_wasm_frame frames[FRAMES];
    uint32_t n = sm_wasm_backtrace(&m->exec, frames, FRAMES, ram.scratch, sizeof ram.scratch);
#ifdef NATIVE
    bool right = n == 1; /* native code tells the innermost level */
#else
    bool right = n == 3;
#endif
    for (uint32_t i = 0; i < n && i < FRAMES; i++) {
        print_frame(&frames[i]);
        uint8_t opcode = i == 0 ? innermost_opcode : 0x10; /* call */
        right = right && frames[i].name.len == strlen(names[i]) &&
                memcmp(frames[i].name.bytes, names[i], frames[i].name.len) == 0 &&
                module_bytes[frames[i].offset] == opcode;
    }
    return right;
}

static int reports_a_trap(struct machine *m, uint32_t argument, enum sm_wasm_trap trap,
                          uint8_t opcode)
{
    int result = call(m, "trap", argument, 0);
    sm_board_print("      ");
    sm_board_print(sm_wasm_trap_text(m->exec.trap));
    sm_board_print("\n");
    return check("a trap has its reason and backtrace",
                 result == SM_ERR_TRAP && m->exec.trap == trap && backtrace_is_right(m, opcode));
}

static void run_fib(void *ctx)
{
    (void)call(ctx, "fib", 15, 0);
}

#ifndef NATIVE
static void say(const char *what, bool holds)
{
    (void)check(what, holds);
}

static unsigned keeps_answers(void)
{
    struct machine m = {.wasm = kept_bytes, .wasm_len = sizeof kept_bytes};
    struct kept k = {.exec = &m.exec,
                     .epoch = &ram.epoch,
                     .memory = MEMORY_BYTES,
                     .scratch = ram.scratch,
                     .scratch_len = sizeof ram.scratch,
                     .say = say};
    const struct sm_wasm_linker linker = {&k, kept_resolve};
    translate(&m);
    if (m.image_len < 0 || !start(&m, &linker))
        return 1;
    k.inst = m.inst;
    return kept_run(&k);
}
#endif

static void report_costs(struct machine *m, uint32_t translation)
{
    print_number("cost  translation of ", sizeof module_bytes, " bytes: ");
    print_number("", translation, " instructions, ");
    print_number("image ", (uint32_t)m->image_len, " bytes\n");
    print_number("cost  fib(15): ", sm_board_count(run_fib, m), " instructions\n");
    print_number("cost  pool: ", m->memory_used, " bytes, of them ");
    print_number("", MEMORY_BYTES, " linear memory\n");
    print_number("cost  stack: ", sm_board_stack_used(), " bytes\n");
}

int sm_board_main(void)
{
    struct machine m = {.wasm = module_bytes, .wasm_len = sizeof module_bytes};
    const struct sm_wasm_linker linker = {NULL, resolve};
    uint32_t translation = sm_board_count(translate, &m);
    int failures = check("the module translates", m.image_len > 0);
    failures += failures ? 0 : check("it opens and instantiates", start(&m, &linker));
    if (failures)
        return 1;
    failures += expect(&m, "fib", 15, 610);
    failures += expect(&m, "sum", 8, 72);
    failures += expect(&m, "mean", 1001, 751);
    failures += expect(&m, "ask", 21, 41);
    failures += waits_for_the_host(&m);
    failures += fails_with_the_host(&m);
    failures += stops_a_loop_without_end(&m);
    failures += reports_a_trap(&m, 0, SM_TRAP_UNREACHABLE, 0x00);
    failures += reports_a_trap(&m, MEMORY_BYTES, SM_TRAP_MEMORY, 0x28); /* i32.load */
    failures += expect(&m, "fib", 10, 55);
    report_costs(&m, translation);
#ifndef NATIVE
    failures += SM_FUSED ? (int)keeps_answers() : 0;
#endif
    sm_board_print(failures ? "wasmtest failed\n" : "wasmtest passed\n");
    return failures ? 1 : 0;
}

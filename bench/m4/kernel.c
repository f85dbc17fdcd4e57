/* Firmware: one kernel of bench/kernels, natively and interpreted, counted in instructions.
 *
 * The module and its image, made beforehand, lie in flash and are executed in place. Only run(n) is
 * counted, for ROUNDS and twice ROUNDS: what a kernel does once before its rounds cancels out.
 * Prints native's instructions and the interpreter's for ROUNDS rounds; status 1 when the two
 * do not agree on a result.
 *
 * Built with -DROUNDS=n and -DMODULE="stem" of stem.wasm and stem.image.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/wasm.h>
#include <string.h>
#include "board.h"

#define MEMORY_BYTES 131072u
#define STACK_WORDS  1024u
#define DEPTH        64u

/* name[] and name_end[]: a file's bytes, in flash. */
#define FLASH_FILE(name, file)                                                                     \
    __asm__(".section .rodata." #name ",\"a\"\n"                                                   \
            ".balign 8\n.global " #name "\n" #name ":\n.incbin \"" file "\"\n"                     \
            ".global " #name "_end\n" #name "_end:\n.previous\n");                                 \
    extern const uint8_t name[], name##_end[]

FLASH_FILE(module_bytes, MODULE ".wasm");
FLASH_FILE(image_bytes, MODULE ".image");

int run(int n); /* the kernel */

static struct {
    uint8_t pool[MEMORY_BYTES + 4096] __attribute__((aligned(8)));
    uint32_t stack[STACK_WORDS];
    volatile uint32_t epoch;
} ram;

struct job {
    struct sm_wasm_module module;
    struct sm_wasm_store store;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec exec;
    int rounds, native, interpreted;
    uint32_t func;
    int error;
};

static int resolve(void *ctx, const struct sm_wasm_import *import, struct sm_wasm_extern *out)
{
    (void)ctx;
    (void)import;
    (void)out;
    return SM_ERR_NOT_FOUND;
}

static int start(struct job *j)
{
    const struct sm_wasm_limits limits = {.memory_bytes = MEMORY_BYTES, .table_entries = 64};
    const struct sm_wasm_linker linker = {NULL, resolve};
    struct sm_wasm_pool pool = {ram.pool, sizeof ram.pool, 0};
    uint32_t which;
    int err = sm_wasm_open(&j->module, image_bytes, (size_t)(image_bytes_end - image_bytes),
                           module_bytes, (size_t)(module_bytes_end - module_bytes));

    if (err == 0)
        err = sm_wasm_instantiate(&j->inst, &j->store, &j->module, &limits, &linker, &pool, &which);
    if (err == 0)
        err = sm_wasm_export_find(&j->module, "run", SM_WASM_FUNC, &j->func);
    sm_wasm_exec_init(&j->exec, ram.stack, STACK_WORDS, DEPTH, &ram.epoch);
    return err;
}

static void run_native(void *ctx)
{
    struct job *j = ctx;

    j->native = run(j->rounds);
}

static void run_interpreted(void *ctx)
{
    struct job *j = ctx;
    uint32_t argument = (uint32_t)j->rounds;

    j->error = sm_wasm_call(&j->exec, j->inst, j->func, &argument, 0);
    if (j->error == 0)
        j->error = sm_wasm_run(&j->exec);
    j->interpreted = (int)sm_wasm_results(&j->exec)[0];
}

/* Both for so many rounds; whether they agree. */
static bool count(struct job *j, int rounds, uint32_t *native, uint32_t *interpreted)
{
    j->rounds = rounds;
    *native = sm_board_count(run_native, j);
    *interpreted = sm_board_count(run_interpreted, j);
    return j->error == 0 && j->native == j->interpreted;
}

int sm_board_main(void)
{
    static struct job j;
    uint32_t native[2], interpreted[2];
    int err = start(&j);

    if (err != 0) {
        sm_board_print("the module does not start: ");
        sm_board_print_i32(err);
        sm_board_print("\n");
        return 1;
    }
    if (!count(&j, ROUNDS, &native[0], &interpreted[0]) ||
        !count(&j, 2 * ROUNDS, &native[1], &interpreted[1])) {
        sm_board_print("native and interpreted results differ: ");
        sm_board_print_i32(j.native);
        sm_board_print(" and ");
        sm_board_print_i32(j.interpreted);
        sm_board_print(", trap ");
        sm_board_print_i32((int32_t)j.exec.trap);
        sm_board_print("\n");
        return 1;
    }
    sm_board_print_u32(native[1] - native[0]);
    sm_board_print(" ");
    sm_board_print_u32(interpreted[1] - interpreted[0]);
    sm_board_print("\n");
    return 0;
}

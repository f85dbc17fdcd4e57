/* Firmware: one kernel of bench/kernels, natively and interpreted, counted in instructions.
 *
 * The module and its image, made beforehand, lie in flash and are executed in place. Only run(n) is
 * counted, for ROUNDS and twice ROUNDS: what a kernel does once before its rounds cancels out.
 * Prints native's instructions and the interpreter's for ROUNDS rounds; status 1 when the two
 * do not agree on a result.
 *
 * With -DNATIVE="file", a native image made of it, it is that which runs instead of the
 * interpreter.
 *
 * Built with -DROUNDS=n and -DMODULE="stem" of stem.wasm and stem.image.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "board.h"
#include "engine.h"
#include "embed.h"

#define MEMORY_BYTES 131072u
#define STACK_WORDS  1024u

EMBED_MODULE(kernel, MODULE);
#ifdef NATIVE
EMBED_CODE(kernel_native, NATIVE);
#define NATIVE_IMAGE .native = kernel_native, .native_end = kernel_native_end,
#else
#define NATIVE_IMAGE
#endif

int run(int n); /* the kernel */

static struct {
    uint8_t pool[MEMORY_BYTES + 4096] __attribute__((aligned(8)));
    uint32_t stack[STACK_WORDS];
} ram;

struct job {
    struct bench_engine engine;
    int rounds, native;
    uint32_t interpreted;
    int error;
};

static void run_native(void *ctx)
{
    struct job *j = ctx;

    j->native = run(j->rounds);
}

static void run_interpreted(void *ctx)
{
    struct job *j = ctx;

    j->error = bench_call(&j->engine, "run", (uint32_t)j->rounds, &j->interpreted);
}

/* Both for so many rounds; whether they agree. */
static bool count(struct job *j, int rounds, uint32_t *native, uint32_t *interpreted)
{
    j->rounds = rounds;
    *native = sm_board_count(run_native, j);
    *interpreted = sm_board_count(run_interpreted, j);
    return j->error == 0 && (uint32_t)j->native == j->interpreted;
}

int sm_board_main(void)
{
    static struct job j = {.engine = {EMBEDDED_MODULE(kernel),
                                      NATIVE_IMAGE.memory_bytes = MEMORY_BYTES, .stack = ram.stack,
                                      .stack_words = STACK_WORDS}};
    uint32_t native[2], interpreted[2];
    int err;

    j.engine.pool = (struct sm_wasm_pool){.base = ram.pool, .size = sizeof ram.pool};
    err = bench_start(&j.engine);
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
        sm_board_print_i32((int32_t)j.interpreted);
        sm_board_print(", trap ");
        sm_board_print_i32((int32_t)j.engine.exec.trap);
        sm_board_print("\n");
        return 1;
    }
    sm_board_print_u32(native[1] - native[0]);
    sm_board_print(" ");
    sm_board_print_u32(interpreted[1] - interpreted[0]);
    sm_board_print("\n");
    return 0;
}

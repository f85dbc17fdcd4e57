/* One module, from its bytes and image to a call: what the programs of this folder measure. Builds
 * for the host and for the microcontroller.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_BENCH_ENGINE_H
#define SANDMOTE_BENCH_ENGINE_H

#include <sandmote/native.h>

#define BENCH_DEPTH 64u /* nested calls */

/* Zero it, then fill in what is given. */
struct bench_engine {
    const uint8_t *wasm, *wasm_end, *image, *image_end; /* given; image aligned to 8 bytes */
    const uint8_t *native, *native_end;                 /* given, or NULL: interpreted */
    uint64_t memory_bytes;                              /* given: limit of linear memory */
    const struct sm_wasm_linker *linker; /* given, or NULL: functions (i32) -> i32 that double */
    struct sm_wasm_pool pool;
    uint32_t *stack;
    size_t stack_words;
    struct sm_wasm_module module;
    struct sm_wasm_store store;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec exec;
    volatile uint32_t epoch;
    uint64_t native_state[128];
};

/* The steps of a start: open the image, instantiate, give the execution its stack. 0 or a negative
 * sm_err. */
int bench_open(struct bench_engine *e);
int bench_instantiate(struct bench_engine *e);
void bench_ready(struct bench_engine *e);

/* All three. */
int bench_start(struct bench_engine *e);

/* Makes the call of an export that takes an i32 and gives one, or of the start function (NULL),
 * ready for sm_wasm_run(); budget as for sm_wasm_call(). 0 or a negative sm_err. */
int bench_prepare(struct bench_engine *e, const char *name, uint32_t argument, uint32_t budget);

/* The same without a deadline, and runs it. 0 and its result, or what sm_wasm_run() says. */
int bench_call(struct bench_engine *e, const char *name, uint32_t argument, uint32_t *result);

#endif

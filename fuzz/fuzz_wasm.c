/* Decoder, validator, translator and interpreter on arbitrary bytes: whatever is accepted is
 * instantiated and every export is called, traps are walked to their offsets.
 *
 * A thread advances the epoch, so endless loops end.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sandmote/wasm.h>

#define IMAGE_BYTES   (1u << 20)
#define SCRATCH_BYTES (1u << 20)
#define POOL_BYTES    (1u << 20)
#define STACK_WORDS   4096u

static uint32_t epoch;
static uint8_t *image, *scratch, *pool_bytes;
static uint32_t *stack;

static void *tick(void *arg)
{
    (void)arg;
    for (;;) {
        usleep(200);
        __atomic_fetch_add(&epoch, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    pthread_t thread;

    (void)argc, (void)argv;
    image = malloc(IMAGE_BYTES);
    scratch = malloc(SCRATCH_BYTES);
    pool_bytes = malloc(POOL_BYTES);
    stack = malloc(STACK_WORDS * sizeof(*stack));
    return pthread_create(&thread, NULL, tick, NULL);
}

static int sink_write(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    (void)ctx;
    if (off > IMAGE_BYTES || len > IMAGE_BYTES - off) {
        return SM_ERR_FULL;
    }
    memcpy(image + off, bytes, len);
    return 0;
}

static int host(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    (void)ctx, (void)args;
    return sm_wasm_mem(caller, args[0], 4) == NULL ? SM_ERR_DENIED : 0;
}

/* Function imports of a few types; others do not link. */
static int resolve(void *ctx, const struct sm_wasm_import *i, struct sm_wasm_extern *out)
{
    static const char *const types[] = {":", "i:i", "ii:i", "I:I", "i:"};

    (void)ctx;
    *out = (struct sm_wasm_extern){.host = host, .host_type = types[i->field.len % 5]};
    return i->kind == SM_WASM_FUNC ? 0 : SM_ERR_NOT_FOUND;
}

static void run(struct sm_wasm_exec *x)
{
    static const uint32_t zero[2];
    struct sm_wasm_frame frames[8];
    int err = sm_wasm_run(x);

    for (int i = 0; i < 3 && err == SM_WASM_PENDING; i++) {
        sm_wasm_complete(x, zero, 0);
        err = sm_wasm_run(x);
    }
    if (x->state == SM_EXEC_TRAPPED) {
        sm_wasm_backtrace(x, frames, 8, scratch, SCRATCH_BYTES);
    }
}

static void run_exports(const struct sm_wasm_module *m)
{
    static const uint32_t args[2048];
    struct sm_wasm_limits limits = {.memory_bytes = 4 * SM_WASM_PAGE, .table_entries = 1000};
    struct sm_wasm_linker linker = {.resolve = resolve};
    struct sm_wasm_pool pool = {.base = pool_bytes, .size = POOL_BYTES};
    struct sm_wasm_store store = {0};
    struct sm_wasm_inst *inst;
    struct sm_wasm_cursor c;
    struct sm_wasm_export e;
    struct sm_wasm_exec x;
    uint32_t which;

    if (sm_wasm_instantiate(&inst, &store, m, &limits, &linker, &pool, &which) != 0) {
        return;
    }
    sm_wasm_exec_init(&x, stack, STACK_WORDS, 100, &epoch);
    if (sm_wasm_call_start(&x, inst, 2) == 0) {
        run(&x);
    }
    sm_wasm_exports(&c, m);
    for (uint32_t i = 0; i < 16 && sm_wasm_next_export(&c, &e) == 0; i++) {
        if (e.kind == SM_WASM_FUNC && sm_wasm_call(&x, inst, e.index, args, 2) == 0) {
            run(&x);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sm_wasm_sink sink = {NULL, sink_write};
    struct sm_wasm_module m;
    struct sm_wasm_diag diag;
    int64_t len = sm_wasm_translate(data, size, &sink, scratch, SCRATCH_BYTES, &diag);

    if (len >= 0 && sm_wasm_open(&m, image, (size_t)len, data, size) == 0) {
        run_exports(&m);
    }
    return 0;
}

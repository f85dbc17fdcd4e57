/* A module from its bytes and image to a call. SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

static int twice(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    (void)ctx;
    (void)caller;
    args[0] *= 2;
    return 0;
}

static int resolve(void *ctx, const struct sm_wasm_import *import, struct sm_wasm_extern *out)
{
    (void)ctx;
    *out = (struct sm_wasm_extern){.kind = SM_WASM_FUNC, .host = twice, .host_type = "i:i"};
    return import->kind == SM_WASM_FUNC ? 0 : SM_ERR_NOT_FOUND;
}

/* The image is the builder's own: it is believed about the module that it was made of. */
static int bind_native(struct bench_engine *e)
{
    struct sm_native n;
    size_t len = (size_t)(e->native_end - e->native);
    int err = sm_native_read(&n, e->native, len);

    if (err == 0)
        err = sm_native_open(&n, e->native, len, n.info.module_sha256);
    if (err == 0)
        err = sm_native_bind(e->inst, &n, e->native_state, sizeof e->native_state);
    return err;
}

int bench_open(struct bench_engine *e)
{
    return sm_wasm_open(&e->module, e->image, (size_t)(e->image_end - e->image), e->wasm,
                        (size_t)(e->wasm_end - e->wasm));
}

int bench_instantiate(struct bench_engine *e)
{
    const struct sm_wasm_limits limits = {.memory_bytes = e->memory_bytes, .table_entries = 16384};
    const struct sm_wasm_linker doubling = {NULL, resolve};
    uint32_t which;
    int err = sm_wasm_instantiate(&e->inst, &e->store, &e->module, &limits,
                                  e->linker != NULL ? e->linker : &doubling, &e->pool, &which);

    return err == 0 && e->native != NULL ? bind_native(e) : err;
}

void bench_ready(struct bench_engine *e)
{
    sm_wasm_exec_init(&e->exec, e->stack, e->stack_words, BENCH_DEPTH, &e->epoch);
}

int bench_start(struct bench_engine *e)
{
    int err = bench_open(e);

    if (err == 0)
        err = bench_instantiate(e);
    bench_ready(e);
    return err;
}

int bench_prepare(struct bench_engine *e, const char *name, uint32_t argument, uint32_t budget)
{
    uint32_t func;
    int err;

    if (name == NULL)
        return sm_wasm_call_start(&e->exec, e->inst, budget);
    err = sm_wasm_export_find(&e->module, name, SM_WASM_FUNC, &func);
    return err != 0 ? err : sm_wasm_call(&e->exec, e->inst, func, &argument, budget);
}

int bench_call(struct bench_engine *e, const char *name, uint32_t argument, uint32_t *result)
{
    int err = bench_prepare(e, name, argument, 0);

    if (err == 0)
        err = sm_wasm_run(&e->exec);
    *result = sm_wasm_results(&e->exec)[0];
    return err;
}

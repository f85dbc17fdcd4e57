/* SPDX-License-Identifier: Apache-2.0 */
#include "walk.h"
#include <stdlib.h>
#include <sandmote/wasm.h>
#include "../../src/wasm/image.h"

#define POOL_BYTES (1u << 19)

static int host(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    (void)ctx, (void)caller, (void)args;
    return 0;
}

/* One of each kind, of the first type that comes to mind. */
static int resolve(void *ctx, const struct sm_wasm_import *i, struct sm_wasm_extern *out)
{
    static struct sm_wasm_table table = {.type = SM_WASM_FUNCREF};
    static struct sm_wasm_memory memory;
    static struct sm_wasm_global global = {.type = SM_WASM_I32};

    (void)ctx;
    *out = (struct sm_wasm_extern){.kind = i->kind,
                                   .host = host,
                                   .host_type = "i:i",
                                   .table = &table,
                                   .memory = &memory,
                                   .global = &global};
    return 0;
}

static int touch(const char *bytes, size_t n)
{
    volatile int sum = 0;

    while (n-- > 0) {
        sum += *bytes++;
    }
    return sum;
}

static void list(const struct sm_wasm_module *m)
{
    struct sm_wasm_cursor c;
    struct sm_wasm_import import;
    struct sm_wasm_export export;
    struct sm_wasm_functype type;
    struct sm_wasm_memory_type memory;
    struct sm_wasm_global global;

    sm_wasm_imports(&c, m);
    while (sm_wasm_next_import(&c, &import) == 0) {
        touch(import.module.bytes, import.module.len);
        touch(import.field.bytes, import.field.len);
    }
    sm_wasm_exports(&c, m);
    while (sm_wasm_next_export(&c, &export) == 0) {
        touch(export.name.bytes, export.name.len);
    }
    for (uint32_t i = 0; i < 64 && sm_wasm_functype(m, i, &type) == 0; i++) {
        struct sm_wasm_name name = sm_wasm_func_name(m, i);

        touch((const char *)type.params, type.nparams);
        touch((const char *)type.results, type.nresults);
        touch(name.bytes, name.len);
    }
    for (uint32_t i = 0; i < 64; i++) {
        sm_wasm_global_init(m, i, &global);
    }
    sm_wasm_memory_type(m, &memory);
    sm_wasm_has_start(m);
}

int walk_image(const void *image, size_t image_len, const uint8_t *wasm, size_t wasm_len)
{
    struct sm_wasm_limits limits = {.memory_bytes = 2 * SM_WASM_PAGE, .table_entries = 100};
    struct sm_wasm_linker linker = {.resolve = resolve};
    struct sm_wasm_pool pool = {.size = POOL_BYTES};
    struct sm_wasm_store store = {0};
    struct sm_wasm_extern e;
    struct sm_wasm_module m;
    struct sm_wasm_inst *inst;
    uint32_t which;
    int err = sm_wasm_open(&m, image, image_len, wasm, wasm_len);

    if (err != 0) {
        return err;
    }
    list(&m);
    pool.base = malloc(POOL_BYTES);
    err = sm_wasm_instantiate(&inst, &store, &m, &limits, &linker, &pool, &which);
    if (err == 0) {
        sm_wasm_export_extern(inst, "m", 1, &e);
        sm_wasm_export_extern(inst, "g0", 2, &e);
    }
    free(pool.base);
    return err;
}

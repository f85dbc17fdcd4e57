/* The loader of native images: whatever header and tables it is given, it stays inside the image,
 * and what it binds an instance to fits the module. No code is run: code is trusted once its
 * signature is.
 *
 * Magic, format, size, target, layout and hash are put right, or nothing would get past them, when
 * the first byte of the input says so.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include "../src/wasm/native.h"

#define IMAGE_BYTES 4096u
#define POOL_BYTES  (256u << 10)

/* (module (import "a" "b" (func (param i32) (result i32))) (memory 1)
 *   (func (export "f") (param i32) (result i32) (local.get 0))) */
static const uint8_t wasm[] = {0,    'a', 's',  'm', 1, 0, 0, 0,    1, 6,   1, 0x60, 1,
                               0x7f, 1,   0x7f, 2,   7, 1, 1, 'a',  1, 'b', 0, 0,    3,
                               2,    1,   0,    5,   3, 1, 0, 1,    7, 5,   1, 1,    'f',
                               0,    1,   10,   6,   1, 4, 0, 0x20, 0, 0x0b};

static uint8_t translated[4096] __attribute__((aligned(8)));
static uint8_t bytes[IMAGE_BYTES] __attribute__((aligned(4096)));
static uint64_t pool_bytes[POOL_BYTES / 8], state_bytes[512];
static uint32_t translated_len;

static int keep(void *ctx, uint32_t off, const void *from, uint32_t len)
{
    (void)ctx;
    memcpy(translated + off, from, len);
    return 0;
}

static int host(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    (void)ctx, (void)caller, (void)args;
    return 0;
}

static int resolve(void *ctx, const struct sm_wasm_import *import, struct sm_wasm_extern *out)
{
    (void)ctx, (void)import;
    *out = (struct sm_wasm_extern){.kind = SM_WASM_FUNC, .host = host, .host_type = "i:i"};
    return 0;
}

static struct sm_wasm_inst *instance(void)
{
    static struct sm_wasm_store store;
    struct sm_wasm_limits limits = {.memory_bytes = SM_WASM_PAGE};
    struct sm_wasm_linker linker = {.resolve = resolve};
    struct sm_wasm_pool pool = {.base = (uint8_t *)pool_bytes, .size = POOL_BYTES};
    struct sm_wasm_inst *inst;
    struct sm_wasm_module m;
    uint32_t which;

    store = (struct sm_wasm_store){0};
    if (sm_wasm_open(&m, translated, translated_len, wasm, sizeof(wasm)) != 0 ||
        sm_wasm_instantiate(&inst, &store, &m, &limits, &linker, &pool, &which) != 0) {
        abort();
    }
    return inst;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint64_t scratch[8192];
    struct sm_wasm_sink sink = {NULL, keep};
    int64_t len = sm_wasm_translate(wasm, sizeof(wasm), &sink, scratch, sizeof(scratch), NULL);

    (void)argc, (void)argv;
    if (len < 0) {
        abort();
    }
    translated_len = (uint32_t)len;
    return 0;
}

static void put_right(struct sm_native_header *h, size_t len)
{
    h->magic = SM_NATIVE_MAGIC;
    h->format = SM_NATIVE_FORMAT;
    h->size = (uint32_t)len;
    h->target = sm_native_this_target();
    h->layout = SM_NATIVE_LAYOUT;
    h->wasm_len = sizeof(wasm);
    memset(h->module_sha256, 0, 32);
}

/* What a bound instance will be entered by. */
static void check(const struct sm_wasm_inst *inst)
{
    const struct sm_native_inst *b = inst->native;
    const struct sm_native_header *h = b->header;
    const struct sm_native_func *funcs = (const void *)(b->code + h->funcs);
    const int32_t *thunks = (const void *)(b->code + h->thunks);

    if (h->code + h->code_len > h->size || h->enter >= h->code_len || h->nfuncs != inst->nfuncs) {
        abort();
    }
    for (uint32_t i = 0; i < inst->nfuncs; i++) {
        if (funcs[i].code != 0 && ((uint32_t)funcs[i].code + h->funcs >= h->code_len ||
                                   (uint32_t)thunks[funcs[i].type] + h->thunks >= h->code_len)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t hash[32];
    struct sm_wasm_inst *inst;
    struct sm_native n;
    size_t len = size > IMAGE_BYTES ? IMAGE_BYTES : size;

    if (size == 0) {
        return 0;
    }
    memcpy(bytes, data, len);
    if (data[0] & 1 && len >= SM_NATIVE_HEADER) {
        put_right((void *)bytes, len);
    }
    if (sm_native_open(&n, bytes, len, hash) != 0) {
        if (n.info.refused == NULL) {
            abort();
        }
        return 0;
    }
    inst = instance();
    if (sm_native_state_bytes(&n, &inst->module) <= sizeof(state_bytes) &&
        sm_native_bind(inst, &n, state_bytes, sizeof(state_bytes)) == 0) {
        check(inst);
    } else if (inst->native != NULL) {
        abort();
    }
    return 0;
}

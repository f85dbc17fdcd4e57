/* The engine's machine code as a struct sm_device_native: apart from native.c, so that a program
 * that refuses native images does not link what runs them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/device.h>
#include <sandmote/native.h>

/* What native code wants of the value stack beside its own frames: the engine's frames and the
 * reserve under a function that looks at the stack's end. */
#define STACK_SPARE (sizeof(void *) == 8 ? 1536u : 768u)

static void *take(struct sm_wasm_pool *pool, size_t bytes)
{
    size_t at = (pool->used + 7) & ~(size_t)7;

    if (at > pool->size || bytes > pool->size - at)
        return NULL;
    pool->used = at + bytes;
    return pool->base + at;
}

static int refuse(const struct sm_device_native_job *job, int err, const char *why)
{
    *job->why = why;
    return err;
}

int sm_device_load_native(void *ctx, const struct sm_device_native_job *job)
{
    struct sm_native *n = take(job->pool, sizeof *n);

    (void)ctx;
    if (n == NULL)
        return refuse(job, SM_ERR_MEMORY, "its pool has no room for it");
    int err = sm_native_open(n, job->image, job->len, job->module_sha);
    if (err)
        return refuse(job, err, n->info.refused);
    if (job->stack_bytes < n->info.stack_bytes + STACK_SPARE)
        return refuse(job, SM_ERR_LIMIT, "the manifest's stack_bytes are too few for it");
    size_t len = sm_native_state_bytes(n, sm_wasm_inst_module(job->inst));
    void *state = take(job->pool, len);
    if (state == NULL)
        return refuse(job, SM_ERR_MEMORY, "its pool has no room for it");
    err = sm_native_bind(job->inst, n, state, len);
    if (err == SM_ERR_LIMIT && n->info.flags & SM_NATIVE_GUARDED)
        return refuse(job, err, "it wants guard pages and whole 4 KB: compile it with --checks");
    return err ? refuse(job, err, "its tables or its memory are not those of the module") : 0;
}

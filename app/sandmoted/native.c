/* Guarded memories for applications, one each, made anew for every instance: so it reads zero, and
 * nothing of a larger one before it stays usable.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "native.h"

#include <string.h>
#include <sandmote/native.h>

/* Without address space for it the memory lies in the pool, and images with guard pages are
 * refused. */
static const struct sm_wasm_region *memory(void *ctx, uint16_t index)
{
    struct native *n = ctx;
    struct sm_guard *g = &n->guards[index];
    sm_guard_free(g);
    return sm_guard_reserve(g, n->memory_bytes) == 0 ? &g->region : NULL;
}

static int bind(void *ctx, const struct sm_device_native_job *job)
{
    struct native *n = ctx;
    struct sm_guard *g = &n->guards[job->index];
    int err = sm_device_load_native(NULL, job);
    if (err || g->region.base == NULL)
        return err;
    err = sm_guard_watch(g, job->inst);
    *job->why = err ? "no handler for faults" : "";
    return err;
}

int native_init(struct native *n, uint64_t memory_bytes)
{
    memset(n, 0, sizeof *n);
    n->memory_bytes = memory_bytes;
    n->device = (struct sm_device_native){
        .target = sm_native_this_target(), .ctx = n, .memory = memory, .bind = bind};
    return sm_guard_stack();
}

/* How this daemon runs native images: the engine's loader, and linear memories with guard pages.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTED_NATIVE_H
#define SANDMOTED_NATIVE_H

#include <posix/guard.h>
#include <sandmote/device.h>

struct native {
    struct sm_device_native device; /* for struct sm_device_cfg */
    uint64_t memory_bytes;          /* most of one application */
    struct sm_guard guards[SM_STORE_MODULES_MAX];
};

/* n must stay where it is. The calling thread is the one that runs modules. 0 or SM_ERR_MEMORY. */
int native_init(struct native *n, uint64_t memory_bytes);

#endif

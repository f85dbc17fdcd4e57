/* How much linear memory a module really uses, read from what its linker left in it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_FOOTPRINT_H
#define SANDMOTE_FOOTPRINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sandmote/wasm.h>

struct footprint {
    uint64_t bytes; /* what it uses; without `known` what it declares */
    bool known;
    char how[128]; /* where this comes from, in words */
};

/* Always finds something: memory_bytes of it run the module. */
void footprint_find(const struct sm_wasm_module *module, struct footprint *out);

#endif

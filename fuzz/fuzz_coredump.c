/* Fuzz target: core dumps and the line tables of modules, both as files that anybody may have made.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <posix/debug_line.h>
#include <posix/sealed.h>
#include <sandmote/error.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct sm_core core;
    struct sm_core_frame frame;
    struct sm_wasm_global value;
    struct sm_debug_line line;

    static const uint8_t key[SM_SEALED_KEY_SIZE] = {1};
    uint8_t *inner;
    size_t inner_len;

    if (sm_core_open(&core, data, len) == 0 && sm_sealed_open(&core, key, &inner, &inner_len) == 0)
        abort(); /* nobody can seal to a key that was never told */
    if (sm_core_open(&core, data, len) == 0)
        while (sm_core_next_frame(&core, &frame) == 0)
            while (sm_core_next_local(&frame, &value) != SM_ERR_NOT_FOUND)
                ;
    for (uint32_t offset = 0; offset < 0x200; offset += 0x55)
        if (sm_debug_line(data, len, offset, &line) == 0 && line.path[0] == 0)
            abort();
    return 0;
}

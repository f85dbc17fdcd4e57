/* Grows its memory until it may not, says so, and goes on.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

static uint32_t ticks;

static void grow_all(void)
{
    struct sm_line line;
    uint32_t grown = 0;

    while (__builtin_wasm_memory_grow(0, 1) != (uint32_t)-1)
        grown++;
    sm_line_begin(&line);
    sm_line_text(&line, "grower: memory.grow refused after ");
    sm_line_uint(&line, grown);
    sm_line_text(&line, " more pages, going on with ");
    sm_line_uint(&line, __builtin_wasm_memory_size(0));
    sm_line_log(&line);
}

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    if (ticks++ == 0)
        grow_all();
}

SM_EXPORT("health") int32_t health(void)
{
    return ticks ? 0 : 1;
}

/* Logs a thousand lines a tick: what the device does about it must not cost the others anything.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    for (uint32_t i = 0; i < 1000; i++) {
        struct sm_line line;

        sm_line_begin(&line);
        sm_line_text(&line, "chatty ");
        sm_line_uint(&line, i);
        sm_line_log(&line);
    }
}

SM_EXPORT("health") int32_t health(void)
{
    return 0;
}

/* Says that it runs, every tick: what shows that a neighbour's update disturbed nobody.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

static uint32_t beats;

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    struct sm_line line;

    sm_line_begin(&line);
    sm_line_text(&line, "heartbeat ");
    sm_line_uint(&line, ++beats);
    sm_line_text(&line, " at ");
    sm_line_uint(&line, (uint32_t)sm_uptime_ms());
    sm_line_text(&line, " ms");
    sm_line_log(&line);
}

SM_EXPORT("health") int32_t health(void)
{
    return 0;
}

/* Good for three ticks, which is long enough to be committed; traps in every tick from the fourth
 * on. Keeps its name section, so that the trap report has names to show.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

#define GOOD_TICKS 3

static int32_t ticks;

/* An honest mistake: the rate is taken over the ticks that are left. */
__attribute__((noinline)) static int32_t warming_rate(int32_t change, volatile int32_t ticks_left)
{
    return change / ticks_left;
}

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    struct sm_line line;
    int32_t left = ticks < GOOD_TICKS ? GOOD_TICKS - ticks : 0;

    ticks++;
    sm_line_begin(&line);
    sm_line_text(&line, "thermostat 3 (C): warming by ");
    sm_line_milli(&line, warming_rate(6000, left));
    sm_line_text(&line, " C a tick");
    sm_line_log(&line);
}

SM_EXPORT("health") int32_t health(void)
{
    return 0;
}

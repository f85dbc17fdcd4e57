/* Loops for ever in its first tick: an optimiser may not remove a loop that reads a volatile.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

static volatile int32_t ready;

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    while (!ready) {
    }
}

SM_EXPORT("health") int32_t health(void)
{
    return 0;
}

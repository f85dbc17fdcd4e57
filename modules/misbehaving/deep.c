/* Recurses without an end: the value stack or the call depth stops it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

static volatile int32_t bottom;

__attribute__((noinline)) static int32_t descend(int32_t depth)
{
    return bottom ? depth : descend(depth + 1) + 1;
}

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    bottom = descend(0);
}

SM_EXPORT("health") int32_t health(void)
{
    return 0;
}

/* Ticks well and says that it is not well.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
}

SM_EXPORT("health") int32_t health(void)
{
    return 1;
}

/* Imports a function that no device offers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

SM_IMPORT("sandmote", "reflash") void reflash(void);

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    reflash();
}

SM_EXPORT("health") int32_t health(void)
{
    return 0;
}

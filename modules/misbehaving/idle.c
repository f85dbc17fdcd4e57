/* Does nothing and is healthy. modules/build.sh links it with memories of several sizes: hungry
 * asks for more than any class but edge gives and its manifest says so; liar asks for more than its
 * manifest says.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
}

SM_EXPORT("health") int32_t health(void)
{
    return 0;
}

/* Reads a sensor. Its manifest asks for the log alone, so the read must be refused.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

static int32_t humidity;

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    wasi_sn_read("BME280", "humidity", &humidity, sizeof humidity);
}

SM_EXPORT("health") int32_t health(void)
{
    return 0;
}

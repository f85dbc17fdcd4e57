/* Reads the humidity although its manifest asks for the temperature alone, says what came of it and
 * goes on. snoop_unasked.json is a manifest that asks for no sensor at all: with that one it must
 * not even link.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

#define LOG(text) sm_log(text, sizeof(text) - 1)

static int32_t ticks, humidity;

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    int got = wasi_sn_read("BME280", "humidity", &humidity, sizeof humidity);

    if (ticks++ > 0)
        return;
    if (got)
        LOG("snoop: the humidity, which nobody granted");
    else
        LOG("snoop: no humidity, going on without");
}

SM_EXPORT("health") int32_t health(void)
{
    return 0;
}

/* What modules/listing2 does, as a native program with the driver library: nobody else holds the
 * sensor, its interval and its waits, so the program does.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "native.h"

enum { HUMIDITY = 1 }; /* its place among the driver's capabilities */

static struct sm_sensor bme280;
static int32_t values[SM_SENSOR_CAPABILITIES];
static uint64_t interval_ms, due_ms;

static int turn_on(void)
{
    int wait_ms;

    bme280 = (struct sm_sensor){.driver = &sm_driver_bme280, .bus = board_bus, .address = 0x76};
    for (;; bme280.step++) {
        bme280.now_ms = board_now_ms();
        wait_ms = bme280.driver->start(&bme280);
        if (wait_ms <= 0)
            return wait_ms;
        board_wait_ms((uint32_t)wait_ms);
    }
}

/* Within the interval the last measurement counts. */
static int read_humidity(char buf[4])
{
    int wait_ms = 0;

    if (board_now_ms() >= due_ms) {
        for (bme280.step = 0;; bme280.step++) {
            bme280.now_ms = board_now_ms();
            wait_ms = bme280.driver->sample(&bme280, values);
            if (wait_ms <= 0)
                break;
            board_wait_ms((uint32_t)wait_ms);
        }
        due_ms = board_now_ms() + interval_ms;
    }
    memcpy(buf, &values[HUMIDITY], 4);
    return wait_ms;
}

int main(void)
{
    char buf[4];

    if (turn_on() < 0)
        return 1;
    interval_ms = 1000;
    return read_humidity(buf) < 0;
}

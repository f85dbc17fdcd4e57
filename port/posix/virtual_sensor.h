/* Sensors without hardware: fixed values, and numbers in files.
 *
 * Capabilities are thousandths of the unit that their name tells (temperature, humidity, pressure),
 * else of none. A file is read at each measurement; it holds one whole number of 32 bits, and when
 * one is missing the sensor fails.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_VIRTUAL_SENSOR_H
#define SM_POSIX_VIRTUAL_SENSOR_H

#include <sandmote/sensor.h>

/* Zero it, then add values. */
struct sm_virtual_sensor {
    struct sm_sensor_driver driver; /* of the sensor whose ctx this is */
    struct sm_capability capability[SM_SENSOR_CAPABILITIES];
    struct sm_virtual_source {
        const char *file; /* NULL: value is it */
        int32_t value;
    } source[SM_SENSOR_CAPABILITIES];
};

/* Texts are borrowed; file may be NULL. 0, SM_ERR_LIMIT (there are SM_SENSOR_CAPABILITIES already)
 * or SM_ERR_STATE (it has that one). */
int sm_virtual_sensor_add(struct sm_virtual_sensor *v, const char *name, const char *file,
                          int32_t value);

#endif

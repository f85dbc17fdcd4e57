/* The drivers by model.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/sensor.h>
#include <string.h>

const struct sm_sensor_driver *sm_driver_find(const char *model)
{
    static const struct sm_sensor_driver *const drivers[] = {
        &sm_driver_bme280,  &sm_driver_ccs811, &sm_driver_tmp105,
        &sm_driver_adxl345, &sm_driver_modbus, &sm_driver_relay,
    };

    if (strcmp(model, "LM75") == 0)
        return &sm_driver_tmp105;
    for (unsigned i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
        if (strcmp(drivers[i]->model, model) == 0)
            return drivers[i];
    return NULL;
}

/* The models by name.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"
#include <string.h>

const struct sm_sim_model *sm_sim_model_find(const char *name)
{
    static const struct sm_sim_model *const models[] = {
        &sm_sim_bme280,  &sm_sim_tmp105,  &sm_sim_right16, &sm_sim_ccs811,
        &sm_sim_pcf8574, &sm_sim_adxl345, &sm_sim_modbus,
    };

    for (unsigned i = 0; i < sizeof models / sizeof models[0]; i++)
        if (strcmp(models[i]->name, name) == 0)
            return models[i];
    return NULL;
}

/* Between the parts of the host interface.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_HOST_INTERNAL_H
#define SM_HOST_INTERNAL_H

#include <sandmote/host.h>

/* One import. */
struct sm_host_function {
    const char *module, *field, *type;
    sm_wasm_host_fn *fn;
};

/* The one of n that an import names, or NULL; and what it is bound to then: 0. */
const struct sm_host_function *sm_host_find(const struct sm_host_function *f, unsigned n,
                                            const struct sm_wasm_import *import);
int sm_host_bind(struct sm_wasm_extern *out, const struct sm_host_function *f, void *ctx);

/* ---- sensor.c -------------------------------------------------------------------------------- */

#define SM_HOST_SENSOR_FUNCTIONS 11u
extern const struct sm_host_function sm_host_sensor_functions[SM_HOST_SENSOR_FUNCTIONS];

/* Whether any sensor capability is granted, so that the calls link. */
bool sm_host_has_sensor(const struct sm_host *h);

/* End the pending sensor call. 0, or SM_ERR_STATE: it is not over yet. */
int sm_host_wake_sensor(struct sm_host *host, struct sm_wasm_exec *exec, struct sm_wasm_inst *inst);

/* Release what the instance holds of sensors. */
void sm_host_end_sensors(struct sm_host *host);

#endif

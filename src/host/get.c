/* wasi_sn.get(handle, buf, len): the call that modules make when they read often, apart from the
 * others so that it can be compiled for speed where these are compiled for size.
 *
 * What is mostly so is here: a handle to values, of which the view has some or one call of the
 * driver brings new ones, and a clock in memory. All else is sensor.c's. A value that the view has
 * is kept: the engine gives it from then on (kept.h), as long as it is good.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

int sm_host_get(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_host *h = ctx;
    const uint32_t handle = args[0], channel = SM_HANDLE_CHANNEL(handle), len = args[2];
    const volatile uint64_t *ms;
    uint8_t *buf = sm_wasm_mem_inline(caller, args[1], len);

    if (buf == NULL)
        return SM_ERR_ARG;
    struct sm_sensor_view *v = sm_sensor_handle_view(&h->sensors, handle);
    if (v == NULL || !(v->values >> channel & 1) || len < 4 ||
        (ms = h->sensors.sensors->ms) == NULL)
        return sm_host_get_slowly(h, caller, args);
    uint64_t now = *ms;
    if (now < v->until_ms && channel != SM_CHANNEL_ALL)
        return sm_host_get_ready(h, v, args, buf);
    uint32_t bytes = sm_host_bytes_of(v, channel);
    if (len < bytes)
        return sm_host_give(args, SM_HOST_SPACE);
    int how = sm_host_take_values(v, sm_host_values_of(v, channel), now, buf);
    return how == 0 ? sm_host_give(args, (int)bytes)
                    : sm_host_get_later(h, caller, args, v, how, now);
}

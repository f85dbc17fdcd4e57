/* Between the parts of the host interface.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_HOST_INTERNAL_H
#define SM_HOST_INTERNAL_H

#include <sandmote/host.h>
#include <sandmote/network.h>

/* One import. */
struct sm_host_function {
    const char *module, *field, *type;
    sm_wasm_host_fn *fn;
};

/* The one of n that an import names, or NULL; and what it is bound to then: 0. */
const struct sm_host_function *sm_host_find(const struct sm_host_function *f, unsigned n,
                                            const struct sm_wasm_import *import);
int sm_host_bind(struct sm_wasm_extern *out, const struct sm_host_function *f, void *ctx);

/* A text in the module's memory. */
struct sm_host_text {
    const char *bytes;
    size_t len; /* one more than what is asked for, when it is too long */
};

/* A text that ends with a zero byte, of `most` bytes at most; false when memory ends before it
 * does.
 */
bool sm_host_take_text(struct sm_wasm_inst *inst, uint32_t addr, size_t most,
                       struct sm_host_text *t);
bool sm_host_text_is(const struct sm_host_text *t, const char *text);

/* Take a token, of which time brings `rate` a second; `burst` is the most there can be. Time fills
 * up in whole tokens only, so that many short calls do not round it away. */
bool sm_host_take(struct sm_host_bucket *b, uint64_t now_ms, uint32_t rate, uint32_t burst);

/* Count a refusal; for the first of its cause there is a line in the log, "refused " and the n
 * parts, which together are the cause. */
void sm_host_refuse(struct sm_host *h, const struct sm_host_text *part, unsigned n);

/* A call that gives 1 or 0, and one that gives a number or a code. */
int sm_host_give_done(struct sm_host *h, uint32_t *args, int code);
static inline int sm_host_give(uint32_t *args, int code)
{
    args[0] = (uint32_t)code;
    return 0;
}

/* In one line each: compilers make one store of that, and none of a loop when they save space. */
static inline void sm_host_put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void sm_host_put32(uint8_t *p, uint32_t v)
{
    sm_put_raw(p, v);
}

/* Whether any capability of the network is granted, so that its calls link. */
bool sm_host_has_network(const struct sm_host *h);

/* ---- grant.c --------------------------------------------------------------------------------- */

/* The number, 1 to 999999, of "<prefix><n>". */
bool sm_number_grant(const char *capability, const char *prefix, uint32_t *n);

/* ---- sensor.c -------------------------------------------------------------------------------- */

#define SM_HOST_SENSOR_FUNCTIONS 10u
extern const struct sm_host_function sm_host_sensor_functions[SM_HOST_SENSOR_FUNCTIONS];

/* The capabilities (bits) of a channel that stands for values, and their bytes. */
static inline uint32_t sm_host_values_of(const struct sm_sensor_view *v, unsigned channel)
{
    return channel == SM_CHANNEL_ALL ? v->read & 0xff : 1u << channel;
}

static inline uint32_t sm_host_bytes_of(const struct sm_sensor_view *v, unsigned channel)
{
    return channel == SM_CHANNEL_ALL ? v->all_bytes : 4;
}

/* Values of a view into p, where there is room: those that it has, or new ones. 0, or what
 * sm_sensor_view_measure() gave instead. */
static inline int sm_host_take_values(struct sm_sensor_view *v, uint32_t which, uint64_t now_ms,
                                      uint8_t *p)
{
    if (now_ms >= v->until_ms)
        return sm_sensor_view_measure(v, which, now_ms, p);
    sm_put_values(v->value, which, p);
    return 0;
}

/* get() of a value that the view has, which is kept from then on; of anything but values, what is
 * refused, and without a clock in memory; and of values that could not be taken at once, for the
 * reason `how`. */
int sm_host_get_ready(struct sm_host *h, const struct sm_sensor_view *v, uint32_t *args,
                      uint8_t *buf);
int sm_host_get_slowly(struct sm_host *h, struct sm_wasm_inst *caller, uint32_t *args);
int sm_host_get_later(struct sm_host *h, struct sm_wasm_inst *caller, uint32_t *args,
                      struct sm_sensor_view *v, int how, uint64_t now_ms);

/* Whether any sensor capability is granted, so that the calls link. */
bool sm_host_has_sensor(const struct sm_host *h);

/* End the pending sensor call. 0, or SM_ERR_STATE: it is not over yet. */
int sm_host_wake_sensor(struct sm_host *host, struct sm_wasm_exec *exec, struct sm_wasm_inst *inst);

/* Release what the instance holds of sensors. */
void sm_host_end_sensors(struct sm_host *host);

/* ---- get.c ----------------------------------------------------------------------------------- */

sm_wasm_host_fn sm_host_get;

#endif

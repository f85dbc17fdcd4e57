/* What a sensor manager is to a driver: calls its steps until a request is done, and lets the time
 * that it asks for go by on a simulated clock.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DRIVE_H
#define DRIVE_H

#include <sandmote/sensor.h>
#include <sim/sim.h>

/* One chip on one bus with its driver. */
struct bench {
    struct sm_sim_clock clock;
    struct sm_sim_bus bus;
    struct sm_sim_chip chip;
    struct sm_sensor sensor;
    uint32_t waited_ms; /* in the last request */
};

/* A chip of this model and a sensor for it, not started. */
void bench_init(struct bench *b, const struct sm_sim_model *model,
                const struct sm_sensor_driver *driver, uint8_t address);

/* The same, allocated, as cmocka's setup and teardown want it. */
int bench_new(void **state, const struct sm_sim_model *model, const struct sm_sensor_driver *driver,
              uint8_t address);
int bench_free(void **state);

/* Requests, to their end: 0 or the driver's error; SM_ERR_LIMIT after 1000 steps. A driver's wait
 * must be 1 to 10000 ms, which is asserted. Values of a sample are asserted to be in their range.
 */
int bench_start(struct bench *b);
int bench_sample(struct bench *b, int32_t *values);
int bench_set(struct bench *b, const char *attribute, int64_t value);
int bench_get(struct bench *b, const char *attribute, int64_t *value);
void bench_stop(struct bench *b);

/* Let time go by. */
void bench_wait(struct bench *b, uint32_t ms);

/* A fault that lasts from now on; and none. */
void bench_break(struct bench *b, enum sm_sim_fault fault);
void bench_mend(struct bench *b);

/* Set what the chip measures, by name, in 1/1000. */
void bench_play(struct bench *b, const char *quantity, int32_t value);

#endif

/* Between the registry (manager.c) and its clients (client.c).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_SENSOR_MANAGER_H
#define SM_SENSOR_MANAGER_H

#include <sandmote/sensors.h>

enum { SM_CLIENT_IDLE, SM_CLIENT_WAITING, SM_CLIENT_DONE };

static inline uint64_t sm_sensors_now(const struct sm_sensors *m)
{
    return m->clock.now_ms(m->clock.ctx);
}

/* How old a measurement must be to be followed by another: a reader with a clock of its own comes
 * now late, now early, and would be given the value before at every other read. */
static inline uint32_t sm_sensor_patience(uint32_t interval_ms)
{
    return interval_ms - interval_ms / 8;
}

static inline uint32_t sm_bits(unsigned n)
{
    return n >= 32 ? UINT32_MAX : (1u << n) - 1;
}

/* ---- manager.c ------------------------------------------------------------------------------- */

/* Wishes of views have changed: what follows for the sensor. */
void sm_sensors_resolve(struct sm_sensors *m, struct sm_sensor *s);

/* Put the client's request in line, and begin it when it is its turn. */
void sm_sensors_submit(struct sm_sensors *m, struct sm_sensor_client *c);

/* What the driver said in sm_sensor_view_measure(), told with the client whose request that
 * becomes. */
void sm_sensors_follow(struct sm_sensors *m, struct sm_sensor_client *c, int driver,
                       uint64_t now_ms);

/* Give up the client's request, wherever it is. */
void sm_sensors_cancel(struct sm_sensors *m, struct sm_sensor_client *c);

/* Stop the sensor if nobody has it on, its bus is free and nothing is left to be set back; else
 * sm_sensors_step() does. */
void sm_sensors_rest(struct sm_sensors *m, struct sm_sensor *s);

/* ---- client.c -------------------------------------------------------------------------------- */

/* A sensor has come, or goes: views of every client follow. */
void sm_sensor_views_bind(struct sm_sensors *m, struct sm_sensor *s);
void sm_sensor_views_unbind(struct sm_sensors *m, struct sm_sensor *s);

/* The view that a client has of a sensor, or NULL. */
struct sm_sensor_view *sm_sensor_view_of(const struct sm_sensor_client *c,
                                         const struct sm_sensor *s);

/* The view gets the sensor's last measurement. */
void sm_sensor_view_update(struct sm_sensor_client *c, struct sm_sensor_view *v, uint64_t now_ms);

/* A request is over; what it changed is taken back after an error. */
void sm_sensor_client_finish(struct sm_sensor_client *c, int err);

#endif

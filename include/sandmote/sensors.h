/* The sensors of a device, shared by several modules.
 *
 * A registry of sensors; clients, one for each module instance, with what they were granted; and
 * the requests of clients, which wait in line: one at a time for each sensor and for each serial
 * line. A client sees each sensor through a view of its own: whether it has turned it on, what it
 * wishes of the attributes, and the values that it saw last.
 *
 * Measuring is lazy: somebody has to read. A read gets what the view has while that is younger than
 * the view's own interval, else the sensor's last measurement while that is younger than the lowest
 * interval of all views that are on (and than the driver's own), else a new one. The interval is
 * the attribute "SampRate", in nanoseconds, of every sensor that has capabilities; a view that is
 * on and says nothing of it counts with the default, so nobody is slowed down by another. A read
 * may come an eighth of an interval early (not of the driver's own): then the view's next turn is
 * where it would have been.
 *
 * A sensor that fails, or does not finish in SM_SENSOR_LIMIT_MS, is stopped and started anew by the
 * next request that comes after a pause, which doubles with each failure in a row; requests before
 * that fail at once.
 *
 * States: set by the manager only.
 *
 *   Stopped --- started ---> Alive --- request ---> Working --- done ---> Sleeping, when the chip
 *      ^                       ^                       |                  rests by itself
 *      |                       +--------- done --------+
 *      +---- nobody has it on, or it failed -----------+
 *
 * One thread. Nothing is allocated; drivers are called from sm_sensors_step() and from the client's
 * calls, and may not call back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_SENSORS_H
#define SANDMOTE_SENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>
#include <sandmote/kept.h>
#include <sandmote/port.h>
#include <sandmote/sensor.h>

#define SM_SENSOR_LIMIT_MS       30000u /* for one step of a request: a start, a measurement, ... */
#define SM_SENSOR_WAIT_MAX_MS    10000u /* a driver that asks for more is called then */
#define SM_SENSOR_PAUSE_FIRST_MS 100u
#define SM_SENSOR_PAUSE_MOST_MS  60000u

#define SM_SENSOR_RATE_NAME  "SampRate"
#define SM_SENSOR_RATE_ALIAS "SamplingRate" /* means the same in calls; not in grants */
#define SM_SENSOR_RATE_NS    1000000000ll
#define SM_SENSOR_RATE_MAX   3600000000000ll

/* 4 bytes as modules have them. In one line each: compilers make one store of that, and none of a
 * loop when they save space. */
static inline void sm_put_raw(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

/* Those of the values (bits, at least one) one after the other. */
static inline void sm_put_values(const int32_t *value, uint32_t which, uint8_t *p)
{
    do {
        if (which & 1) {
            sm_put_raw(p, (uint32_t)*value);
            p += 4;
        }
        value++;
        which >>= 1;
    } while (which != 0);
}

enum sm_sensor_state { SM_SENSOR_STOPPED, SM_SENSOR_ALIVE, SM_SENSOR_WORKING, SM_SENSOR_SLEEPING };

/* What of a sensor a name stands for. */
enum sm_sensor_channel {
    SM_CHANNEL_CAPABILITY = 0, /* and the seven after it */
    SM_CHANNEL_ATTRIBUTE = 8,  /* the driver's; and the seven after it */
    SM_CHANNEL_RATE = 16,
    SM_CHANNEL_STATE,
    SM_CHANNEL_CAPABILITIES, /* the list of names */
    SM_CHANNEL_ATTRIBUTES,
    SM_CHANNEL_ALL, /* of a handle: every capability that is granted for reading */
    SM_CHANNELS
};

/* ---- The registry ---------------------------------------------------------------------------- */

struct sm_sensors {
    struct sm_clock clock;
    /* The same clock as a number in memory, for those that ask at every call: on a microcontroller
     * an interrupt counts one. NULL where there is none, or where it cannot be read in one piece
     * beside that interrupt. Set before there are clients. */
    const volatile uint64_t *ms;
    /* A sensor failed (err), or works again (0). May be NULL; must not call back. */
    void *tell_ctx;
    void (*tell)(void *ctx, const struct sm_sensor *s, int err);

    /* Private. */
    struct sm_sensor *first;
    struct sm_sensor_client *clients;
    struct sm_sensor_client *waiting; /* requests, in the order in which they came */
};

/* An empty registry; the clock is copied. */
void sm_sensors_init(struct sm_sensors *m, const struct sm_clock *clock);

/* Add a sensor, which stays where it is until it is removed; also while modules run that were
 * granted it before it was there. 0, or, nothing changed, SM_ERR_STATE (that id, or that place on
 * its bus, is taken) or
 * SM_ERR_INVALID (an id or a driver out of the limits of sensor.h). */
int sm_sensors_add(struct sm_sensors *m, struct sm_sensor *s);

/* Take a sensor away: it is stopped, requests for it fail with SM_ERR_NOT_FOUND, and handles to it
 * never reach another, whatever its name. */
void sm_sensors_remove(struct sm_sensors *m, struct sm_sensor *s);

/* Take a sensor, and its line when it is on one, for the owner's own use: nobody's request is begun
 * meanwhile. False: one of them is in use. */
bool sm_sensors_hold(struct sm_sensors *m, struct sm_sensor *s);
void sm_sensors_release(struct sm_sensor *s);

/* NULL when there is none. */
struct sm_sensor *sm_sensors_find(const struct sm_sensors *m, const char *id);
/* The one after s, or the first after NULL; NULL past the last. */
struct sm_sensor *sm_sensors_next(const struct sm_sensors *m, const struct sm_sensor *s);

/* Do what is due. Returns the milliseconds until something is due again, as sm_sensors_due(). */
uint32_t sm_sensors_step(struct sm_sensors *m);
/* UINT32_MAX: nothing under way. */
uint32_t sm_sensors_due(const struct sm_sensors *m);

/* The text of a channel, or NULL; and the channel of a text of len bytes, "*" excepted, or
 * SM_ERR_NOT_FOUND. */
const char *sm_sensor_channel_name(const struct sm_sensor_driver *d, unsigned channel);
int sm_sensor_channel_find(const struct sm_sensor_driver *d, const char *name, size_t len);

/* ---- Clients --------------------------------------------------------------------------------- */

/* Capability strings, count of them, each `stride` bytes after the one before and terminated. Of
 * interest are "sensor/<sensor>/<name>:r", ":w" and ":rw"; what is no such is passed over. */
struct sm_sensor_grants {
    const char *text;
    uint32_t stride, count;
};

/* One sensor as a client sees it. Fields are private; until_ms, handles, values and value are for
 * the short way in below. */
struct sm_sensor_view {
    struct sm_sensor *sensor; /* NULL: there is none of that id now */
    uint32_t handles;         /* what all handles to it have in common, or SM_HANDLES_NONE */
    uint32_t values;          /* channels (bits) of what is measured, granted for reading */
    uint32_t read, write;     /* channels granted */
    uint32_t all_bytes;       /* of all values together */
    uint64_t until_ms;        /* values are good until then; 0: there are none */
    uint64_t measured_ms;
    int32_t value[SM_SENSOR_CAPABILITIES];
    const char *id; /* in the grants, not terminated */
    uint32_t id_len;
    uint32_t bound; /* how often it got a sensor */
    uint32_t interval_ms;
    uint16_t wished; /* bits: attributes, then the rate */
    bool on;
    int64_t wish[SM_SENSOR_ATTRIBUTES + 1];
};

enum sm_sensor_request {
    SM_REQUEST_ON,   /* only turn it on */
    SM_REQUEST_READ, /* channel: a capability, all of them, an attribute, the rate */
    SM_REQUEST_SET   /* channel: an attribute, the rate */
};

/* Private but value and error, which are those of the last request. */
struct sm_sensor_client {
    struct sm_sensors *sensors; /* NULL: not open */
    struct sm_sensor_client *next, *next_waiting;
    struct sm_sensor_grants grants;
    struct sm_sensor_view *views;
    uint32_t nviews;
    uint32_t interval_ms; /* of views that wish none */
    uint8_t state, request, channel;
    bool measured, was_on, had_wish;
    struct sm_sensor_view *view;
    int64_t old_wish;
    int64_t value;
    int error;
    struct sm_kept kept[SM_KEPT]; /* values that views have, by handle and the registry's ms */
};

/* How many sensors the grants name: so many views a client needs. */
uint32_t sm_sensor_grants_views(const struct sm_sensor_grants *g);

/* Open a client: all is borrowed until it is closed. rate_ns is what it samples at while it wishes
 * nothing. */
void sm_sensor_client_open(struct sm_sensor_client *c, struct sm_sensors *m,
                           const struct sm_sensor_grants *grants, struct sm_sensor_view *views,
                           int64_t rate_ns);
/* Its request is given up, its wishes are gone, and sensors that nobody else has on stop. Nothing
 * for one that is not open. */
void sm_sensor_client_close(struct sm_sensor_client *c);

/* The view of a sensor by its id of len bytes; NULL when nothing of that id is granted. */
struct sm_sensor_view *sm_sensor_client_find(const struct sm_sensor_client *c, const char *id,
                                             size_t len);

/* Whether a grant has this name of this view's sensor, whether there is one or not; right is 'r' or
 * 'w'. */
bool sm_sensor_client_granted(const struct sm_sensor_client *c, const struct sm_sensor_view *v,
                              const char *name, size_t len, char right);

/* Handles: bits 0 to 4 the channel, 5 to 9 the view, 10 to 30 how often the view had been given a
 * sensor, from 1 on; a view that has used these up gets no sensor any more. */
#define SM_SENSOR_VIEWS_MAX  31u
#define SM_SENSOR_BOUND_MAX  0x1fffffu
#define SM_HANDLE_CHANNEL(h) ((h)&31u)
#define SM_HANDLES_NONE      UINT32_MAX /* of a view that there cannot be */

/* The view of a handle; NULL for any number that is no handle of this client to a sensor that is
 * still there. */
static inline struct sm_sensor_view *sm_sensor_handle_view(const struct sm_sensor_client *c,
                                                           uint32_t handle)
{
    uint32_t i = handle >> 5 & 31;

    return i < c->nviews && (c->views[i].handles ^ handle) < 32 ? &c->views[i] : NULL;
}

/* Keep the value that a view has ready for reads of this handle to it, which is one to a capability
 * granted for reading. It is forgotten when anything about the client's views changes. */
static inline void sm_sensor_client_keep(struct sm_sensor_client *c, const struct sm_sensor_view *v,
                                         uint32_t handle)
{
    c->kept[SM_KEPT_PLACE(handle)] =
        (struct sm_kept){handle, v->value[SM_HANDLE_CHANNEL(handle)], v->until_ms};
}

#define SM_SENSOR_PENDING 1
#define SM_SENSOR_LONG    INT32_MAX /* more than any driver waits */

/* A request of a client that has none under way; the right to it was checked. It turns the sensor
 * on. The way that most reads go is shorter: a view's values are good until until_ms.
 *
 * SM_SENSOR_PENDING: it waits; sm_sensor_client_done() tells when it is over, and its result.
 * Otherwise it is over: 0, with values in the view (a capability) or in c->value (an attribute), or
 *   SM_ERR_NOT_FOUND  there is no sensor, or no more
 *   SM_ERR_ARG        nothing that this request can be made for
 *   SM_ERR_LIMIT      outside the attribute's range
 *   SM_ERR_BUSY       another client holds the attribute
 *   SM_ERR_IO         the sensor failed
 * Nothing it has changed remains after an error. */
int sm_sensor_client_request(struct sm_sensor_client *c, struct sm_sensor_view *v,
                             enum sm_sensor_request request, unsigned channel, int64_t value);
/* A part of what follows: what is to be made of the driver's word. */
int sm_sensor_measured(struct sm_sensor *s, int driver);

/* The short way of reading values that the view does not have, at the time now_ms of the registry's
 * clock: for a client without a request, and a view with a sensor. The capabilities of `which`
 * (bits, at least one) go to `to`, one after the other. 0, or
 *   SM_SENSOR_LONG  nothing was done: ask sm_sensor_client_request(), because more is to be done
 *                   than to call the driver, or because the view has an interval and keeps values
 *   another         what the driver said instead. sm_sensor_client_follow() must be told at once,
 *                   with what was to be read (a capability, or all), and answers as
 *                   sm_sensor_client_request() does
 * It does a sixth of the instructions of a request, which modules notice that read at bus speed,
 * and is here because the call is a part of them. */
static inline int sm_sensor_view_measure(struct sm_sensor_view *v, uint32_t which, uint64_t now_ms,
                                         uint8_t *to)
{
    struct sm_sensor *s = v->sensor;

    if (s->run.hurdles != 0 || v->interval_ms != 0 || !v->on)
        return SM_SENSOR_LONG;
    s->step = 0;
    s->now_ms = now_ms;
    s->run.sampled_ms = now_ms;
    int how = s->driver->sample(s, s->run.value);
    if (how != 0 || !s->driver->exact)
        how = sm_sensor_measured(s, how);
    if (how == 0)
        sm_put_values(s->run.value, which, to);
    return how;
}
int sm_sensor_client_follow(struct sm_sensor_client *c, struct sm_sensor_view *v, unsigned channel,
                            int driver, uint64_t now_ms);
bool sm_sensor_client_done(const struct sm_sensor_client *c);
/* The result, once. */
int sm_sensor_client_take(struct sm_sensor_client *c);

/* The client needs the sensor no more. */
void sm_sensor_client_off(struct sm_sensor_client *c, struct sm_sensor_view *v);

#endif

/* The registry of sensors, the requests that wait for them, and what their drivers do.
 *
 * Owns struct sm_sensors and the `run` part of every sensor. A request is served by the driver's
 * operations one after the other, as next_op() says: start the sensor when it does not run, set the
 * attributes that its chip does not have yet, then measure or read what was asked for. The same
 * without a request when wishes change by themselves: a module that ends may leave attributes
 * behind that nobody wishes any more.
 *
 * Invariants
 *   - a sensor is busy exactly when its op is not OP_NONE; a serial line when a sensor on it is
 *   - a request that is under way or waits is in m->waiting once, with its sensor in its view
 *   - of the requests for one sensor or line the first is the one under way, if any is
 *
 * The queue is one list for all sensors: there are as many requests as modules at most, and each
 * sensor is looked for in it. Rejected: a queue for each bus, which had to be allocated with it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "manager.h"

enum op { OP_NONE, OP_START, OP_SET, OP_SAMPLE, OP_GET, OP_HELD };

/* ---- Names ----------------------------------------------------------------------------------- */

static const char *const universal[] = {
    [SM_CHANNEL_RATE - SM_CHANNEL_RATE] = SM_SENSOR_RATE_NAME,
    [SM_CHANNEL_STATE - SM_CHANNEL_RATE] = "state",
    [SM_CHANNEL_CAPABILITIES - SM_CHANNEL_RATE] = "capabilities",
    [SM_CHANNEL_ATTRIBUTES - SM_CHANNEL_RATE] = "attributes",
};

const char *sm_sensor_channel_name(const struct sm_sensor_driver *d, unsigned channel)
{
    if (channel < SM_CHANNEL_ATTRIBUTE)
        return channel < d->capabilities ? d->capability[channel].name : NULL;
    if (channel < SM_CHANNEL_RATE)
        return channel - SM_CHANNEL_ATTRIBUTE < d->attributes
                   ? d->attribute[channel - SM_CHANNEL_ATTRIBUTE].name
                   : NULL;
    if (channel == SM_CHANNEL_RATE && d->capabilities == 0)
        return NULL;
    return channel < SM_CHANNEL_ALL ? universal[channel - SM_CHANNEL_RATE] : NULL;
}

static bool is(const char *text, const char *name, size_t len)
{
    return strlen(text) == len && memcmp(text, name, len) == 0;
}

int sm_sensor_channel_find(const struct sm_sensor_driver *d, const char *name, size_t len)
{
    for (unsigned i = 0; i < SM_CHANNEL_ALL; i++) {
        const char *text = sm_sensor_channel_name(d, i);
        if (text != NULL && is(text, name, len))
            return (int)i;
    }
    return SM_ERR_NOT_FOUND;
}

/* ---- The registry ---------------------------------------------------------------------------- */

void sm_sensors_init(struct sm_sensors *m, const struct sm_clock *clock)
{
    memset(m, 0, sizeof *m);
    m->clock = *clock;
}

static bool name_valid(const char *name, size_t most)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '_' && c != '-')
            return false;
    }
    return len > 0 && len <= most;
}

/* Names that mean something for every sensor. */
static bool is_universal(const char *name)
{
    for (unsigned i = 0; i < sizeof universal / sizeof universal[0]; i++)
        if (strcmp(universal[i], name) == 0)
            return true;
    return strcmp(SM_SENSOR_RATE_ALIAS, name) == 0;
}

/* What the code here counts on. */
static bool driver_valid(const struct sm_sensor_driver *d)
{
    if (d->capabilities > SM_SENSOR_CAPABILITIES || d->attributes > SM_SENSOR_ATTRIBUTES)
        return false;
    for (unsigned i = 0; i < SM_CHANNEL_RATE; i++) {
        const char *name = sm_sensor_channel_name(d, i);
        if (name != NULL && (!name_valid(name, SM_SENSOR_NAME_MAX) || is_universal(name) ||
                             sm_sensor_channel_find(d, name, strlen(name)) != (int)i))
            return false;
    }
    for (unsigned i = 0; i < d->attributes; i++)
        if (d->attribute[i].writable && d->set == NULL)
            return false;
    return true;
}

int sm_sensors_add(struct sm_sensors *m, struct sm_sensor *s)
{
    struct sm_sensor **end = &m->first;

    if (!name_valid(s->id, SM_SENSOR_ID_MAX) || !driver_valid(s->driver) ||
        (s->driver->bus != SM_BUS_NONE && (s->bus == NULL || s->bus->kind != s->driver->bus)))
        return SM_ERR_INVALID;
    for (; *end != NULL; end = &(*end)->run.next)
        if (*end == s || strcmp((*end)->id, s->id) == 0 ||
            (s->bus != NULL && (*end)->bus == s->bus && (*end)->address == s->address))
            return SM_ERR_STATE;
    memset(&s->run, 0, sizeof s->run);
    s->run.no_sample = true;
    for (unsigned i = 0; i < s->driver->attributes; i++)
        s->run.attribute[i] = s->driver->attribute[i].initial;
    *end = s;
    sm_sensor_views_bind(m, s);
    sm_sensors_resolve(m, s);
    return 0;
}

void sm_sensors_remove(struct sm_sensors *m, struct sm_sensor *s)
{
    struct sm_sensor **at = &m->first;

    while (*at != NULL && *at != s)
        at = &(*at)->run.next;
    if (*at == NULL)
        return;
    *at = s->run.next;
    if (s->run.alive && s->driver->stop != NULL)
        s->driver->stop(s);
    s->run.op = OP_NONE;
    s->run.client = NULL;
    for (struct sm_sensor_client *c = m->waiting, *next; c != NULL; c = next) {
        next = c->next_waiting;
        if (c->view->sensor != s)
            continue;
        sm_sensors_cancel(m, c);
        sm_sensor_client_finish(c, SM_ERR_NOT_FOUND);
    }
    sm_sensor_views_unbind(m, s);
}

struct sm_sensor *sm_sensors_find(const struct sm_sensors *m, const char *id)
{
    for (struct sm_sensor *s = m->first; s != NULL; s = s->run.next)
        if (strcmp(s->id, id) == 0)
            return s;
    return NULL;
}

struct sm_sensor *sm_sensors_next(const struct sm_sensors *m, const struct sm_sensor *s)
{
    return s == NULL ? m->first : s->run.next;
}

/* Whether it shares a line with others, on which one at a time is at work: the answer to one would
 * be taken for another's. */
static bool on_line(const struct sm_sensor *s)
{
    return s->bus != NULL && s->bus->kind == SM_BUS_SERIAL;
}

/* ---- Wishes ---------------------------------------------------------------------------------- */

static bool used(const struct sm_sensors *m, const struct sm_sensor *s)
{
    for (const struct sm_sensor_client *c = m->clients; c != NULL; c = c->next) {
        const struct sm_sensor_view *v = sm_sensor_view_of(c, s);
        if (v != NULL && v->on)
            return true;
    }
    return false;
}

/* By the attribute's rule; a holder is alone, which client.c sees to. */
static int64_t wished(const struct sm_sensors *m, const struct sm_sensor *s, unsigned i)
{
    const struct sm_attribute *a = &s->driver->attribute[i];
    bool any = false;
    int64_t value = a->initial;

    for (const struct sm_sensor_client *c = m->clients; c != NULL; c = c->next) {
        const struct sm_sensor_view *v = sm_sensor_view_of(c, s);
        if (v == NULL || !v->on || !(v->wished >> i & 1))
            continue;
        if (!any || (a->rule == SM_RULE_HIGHEST ? v->wish[i] > value : v->wish[i] < value))
            value = v->wish[i];
        any = true;
    }
    return value;
}

static uint32_t lowest_interval(const struct sm_sensors *m, const struct sm_sensor *s)
{
    uint32_t lowest = UINT32_MAX;

    for (const struct sm_sensor_client *c = m->clients; c != NULL; c = c->next) {
        const struct sm_sensor_view *v = sm_sensor_view_of(c, s);
        if (v != NULL && v->on && v->interval_ms < lowest)
            lowest = v->interval_ms;
    }
    lowest = sm_sensor_patience(lowest);
    return lowest > s->driver->interval_ms ? lowest : s->driver->interval_ms;
}

void sm_sensors_resolve(struct sm_sensors *m, struct sm_sensor *s)
{
    s->run.interval_ms = lowest_interval(m, s);
    s->run.apart = on_line(s) || s->run.interval_ms > 0;
    for (unsigned i = 0; i < s->driver->attributes; i++) {
        int64_t value = wished(m, s, i);
        if (value == s->run.attribute[i])
            continue;
        s->run.attribute[i] = value;
        s->run.dirty |= 1u << i;
    }
}

/* ---- Operations ------------------------------------------------------------------------------ */

/* Whether two sensors cannot be at work at once. Transfers of other buses are over when they
 * return, so nobody waits there for a chip that takes its time. */
static bool same_line(const struct sm_sensor *a, const struct sm_sensor *b)
{
    return a == b || (a->bus == b->bus && on_line(a));
}

static bool is_free(const struct sm_sensors *m, const struct sm_sensor *s)
{
    for (const struct sm_sensor *t = m->first; t != NULL; t = t->run.next)
        if (t->run.op != OP_NONE && same_line(s, t))
            return false;
    return true;
}

bool sm_sensors_hold(struct sm_sensors *m, struct sm_sensor *s)
{
    if (!is_free(m, s))
        return false;
    s->run.op = OP_HELD;
    s->run.due_ms = UINT64_MAX; /* no step of ours */
    return true;
}

void sm_sensors_release(struct sm_sensor *s)
{
    s->run.op = OP_NONE;
}

static void set_idle_state(struct sm_sensor *s)
{
    s->run.state = !s->run.alive                            ? SM_SENSOR_STOPPED
                   : s->driver->sleeps && !s->run.no_sample ? SM_SENSOR_SLEEPING
                                                            : SM_SENSOR_ALIVE;
}

/* A new chip, or one that lost power, has its attributes at their initial values, unless it keeps
 * them. */
static void started(struct sm_sensor *s)
{
    const struct sm_sensor_driver *d = s->driver;

    s->run.alive = true;
    s->run.dirty = 0;
    for (unsigned i = 0; i < d->attributes; i++)
        if (d->keeps ? d->attribute[i].writable : s->run.attribute[i] != d->attribute[i].initial)
            s->run.dirty |= 1u << i;
}

static void stopped(struct sm_sensor *s)
{
    if (s->run.alive && s->driver->stop != NULL)
        s->driver->stop(s);
    s->run.alive = false;
    s->run.no_sample = true;
    s->run.op = OP_NONE;
    set_idle_state(s);
}

/* Whether the last measurement is what this view should see. */
static bool recent(const struct sm_sensor *s, uint64_t now_ms)
{
    return !s->run.no_sample && now_ms - s->run.sampled_ms < s->run.interval_ms;
}

/* What has to be done next for the client's request, or for nobody's when c is NULL. */
static enum op next_op(const struct sm_sensor *s, const struct sm_sensor_client *c, uint64_t now_ms)
{
    if (!s->run.alive)
        return OP_START;
    if (s->run.dirty != 0)
        return OP_SET;
    if (c == NULL || c->request != SM_REQUEST_READ || c->measured)
        return OP_NONE;
    if (c->channel < SM_CHANNEL_ATTRIBUTE || c->channel == SM_CHANNEL_ALL)
        return recent(s, now_ms) ? OP_NONE : OP_SAMPLE;
    return c->channel < SM_CHANNEL_RATE && s->driver->get != NULL ? OP_GET : OP_NONE;
}

static void begin(struct sm_sensor *s, enum op op, uint64_t now_ms)
{
    struct sm_sensor_run *r = &s->run;

    r->op = op;
    r->began_ms = now_ms;
    s->step = 0;
    switch (op) {
    case OP_START: memset(&s->state, 0, sizeof s->state); return; /* Stopped until it is done */
    case OP_SET:
        while (!(r->dirty >> r->op_attribute & 1))
            r->op_attribute = (uint8_t)((r->op_attribute + 1) % SM_SENSOR_ATTRIBUTES);
        r->dirty &= ~(1u << r->op_attribute);
        r->op_value = r->attribute[r->op_attribute];
        break;
    case OP_GET: r->op_attribute = (uint8_t)(r->client->channel - SM_CHANNEL_ATTRIBUTE); break;
    default: r->no_sample = true; break; /* values come one by one */
    }
    r->state = SM_SENSOR_WORKING;
}

static int call_driver(struct sm_sensor *s, uint64_t now_ms)
{
    const struct sm_sensor_driver *d = s->driver;
    struct sm_sensor_run *r = &s->run;

    s->now_ms = now_ms;
    switch (r->op) {
    case OP_START: return d->start(s);
    case OP_SET: return d->set(s, r->op_attribute, r->op_value);
    case OP_SAMPLE: return d->sample(s, r->value);
    default: return d->get(s, r->op_attribute, &r->op_value);
    }
}

/* A driver may be a vendor's: its word is not taken for what a sensor can measure. */
static int check_sample(const struct sm_sensor *s)
{
    const struct sm_capability *c = s->driver->capability, *end = c + s->driver->capabilities;

    for (const int32_t *value = s->run.value; c < end; c++, value++)
        if ((uint32_t)*value - (uint32_t)c->min > (uint32_t)c->max - (uint32_t)c->min)
            return SM_ERR_INVALID;
    return 0;
}

static void recovered(struct sm_sensors *m, struct sm_sensor *s)
{
    if (s->run.pause_ms > 0 && m->tell != NULL)
        m->tell(m->tell_ctx, s, 0);
    s->run.pause_ms = 0;
}

/* What follows from an operation that is done. */
static int conclude(struct sm_sensors *m, struct sm_sensor *s, uint64_t now_ms)
{
    struct sm_sensor_run *r = &s->run;
    struct sm_sensor_client *c = r->client;

    if (r->op == OP_START) {
        started(s);
        return 0;
    }
    if (r->op == OP_SAMPLE) {
        int err = s->driver->exact ? 0 : check_sample(s);
        if (err)
            return err;
        r->no_sample = false;
        r->sampled_ms = now_ms;
    }
    if (r->op == OP_GET)
        c->value = r->op_value;
    if (r->op != OP_SET)
        c->measured = true;
    /* A chip that can be set but not measured has not recovered. */
    if (r->op != OP_SET || s->driver->capabilities == 0)
        recovered(m, s);
    return 0;
}

/* The request under way is over, if there is one. */
static void finish(struct sm_sensors *m, struct sm_sensor *s, int err, uint64_t now_ms)
{
    struct sm_sensor_client *c = s->run.client;

    if (c == NULL)
        return;
    s->run.client = NULL;
    sm_sensors_cancel(m, c);
    if (err == 0 && c->request == SM_REQUEST_READ &&
        (c->channel < SM_CHANNEL_ATTRIBUTE || c->channel == SM_CHANNEL_ALL))
        sm_sensor_view_update(c, c->view, now_ms);
    sm_sensor_client_finish(c, err);
}

static void fail(struct sm_sensors *m, struct sm_sensor *s, int err, uint64_t now_ms)
{
    struct sm_sensor_run *r = &s->run;
    uint32_t pause = r->pause_ms == 0 ? SM_SENSOR_PAUSE_FIRST_MS : 2 * r->pause_ms;

    if (r->pause_ms == 0 && m->tell != NULL)
        m->tell(m->tell_ctx, s, err);
    r->pause_ms = pause < SM_SENSOR_PAUSE_MOST_MS ? pause : SM_SENSOR_PAUSE_MOST_MS;
    r->retry_ms = now_ms + r->pause_ms;
    stopped(s);
    finish(m, s, SM_ERR_IO, now_ms);
}

/* The driver wants to be called again: 1, or it has wanted that for too long. */
static int wait(struct sm_sensor *s, int wait_ms, uint64_t now_ms)
{
    struct sm_sensor_run *r = &s->run;

    if (now_ms - r->began_ms >= SM_SENSOR_LIMIT_MS)
        return SM_ERR_IO;
    r->due_ms = now_ms + ((uint32_t)wait_ms < SM_SENSOR_WAIT_MAX_MS ? (uint32_t)wait_ms
                                                                    : SM_SENSOR_WAIT_MAX_MS);
    return 1;
}

/* Call the driver once. 1 when it waits, 0 when the operation is done, or an error. */
static int step(struct sm_sensors *m, struct sm_sensor *s, uint64_t now_ms)
{
    int wait_ms = call_driver(s, now_ms);

    s->step++;
    if (wait_ms == 0)
        return conclude(m, s, now_ms);
    return wait_ms < 0 ? wait_ms : wait(s, wait_ms, now_ms);
}

/* Go on with the sensor's work, for its client or for nobody, until it waits or has done it. */
static void advance(struct sm_sensors *m, struct sm_sensor *s, uint64_t now_ms)
{
    for (;;) {
        if (s->run.op == OP_NONE) {
            enum op op = next_op(s, s->run.client, now_ms);
            if (op == OP_NONE) {
                finish(m, s, 0, now_ms);
                return;
            }
            if (op == OP_START && s->run.pause_ms > 0 && now_ms < s->run.retry_ms) {
                finish(m, s, SM_ERR_IO, now_ms);
                return;
            }
            begin(s, op, now_ms);
        }
        int err = step(m, s, now_ms);
        if (err > 0)
            return;
        if (err == SM_ERR_UNSUPPORTED && (s->run.op == OP_SET || s->run.op == OP_GET)) {
            /* This chip has no such attribute: nothing is wrong with the rest of it. */
            bool asked = s->run.client != NULL;
            s->run.op = OP_NONE;
            set_idle_state(s);
            finish(m, s, SM_ERR_NOT_FOUND, now_ms);
            if (asked)
                return;
            continue;
        }
        if (err < 0) {
            fail(m, s, err, now_ms);
            return;
        }
        s->run.op = OP_NONE;
        set_idle_state(s);
    }
}

/* ---- The line -------------------------------------------------------------------------------- */

void sm_sensors_cancel(struct sm_sensors *m, struct sm_sensor_client *c)
{
    struct sm_sensor_client **at = &m->waiting;
    struct sm_sensor *s = c->view->sensor;

    while (*at != NULL && *at != c)
        at = &(*at)->next_waiting;
    if (*at != NULL) {
        *at = c->next_waiting;
        if (s != NULL)
            s->run.awaited--;
    }
    c->next_waiting = NULL;
    if (s == NULL || s->run.client != c)
        return;
    s->run.client = NULL;
    if (s->run.op == OP_SET) /* it may have been set or not */
        s->run.dirty |= 1u << s->run.op_attribute;
    s->run.op = OP_NONE;
    set_idle_state(s);
}

/* The request goes to the end. Whether it has nobody before it on its line. */
static bool enlist(struct sm_sensors *m, struct sm_sensor_client *c)
{
    struct sm_sensor *s = c->view->sensor;
    struct sm_sensor_client **end = &m->waiting;
    bool first = true;

    for (; *end != NULL; end = &(*end)->next_waiting)
        first = first && !same_line(s, (*end)->view->sensor);
    c->next_waiting = NULL;
    *end = c;
    s->run.awaited++;
    return first;
}

void sm_sensors_submit(struct sm_sensors *m, struct sm_sensor_client *c)
{
    struct sm_sensor *s = c->view->sensor;

    if (!enlist(m, c) || !is_free(m, s))
        return;
    s->run.client = c;
    advance(m, s, sm_sensors_now(m));
}

int sm_sensor_measured(struct sm_sensor *s, int driver)
{
    if (driver == 0)
        driver = check_sample(s);
    if (driver != 0) {
        s->run.op = OP_SAMPLE;
        s->run.no_sample = true;
        s->step = 1;
    }
    return driver;
}

void sm_sensors_follow(struct sm_sensors *m, struct sm_sensor_client *c, int driver,
                       uint64_t now_ms)
{
    struct sm_sensor *s = c->view->sensor;

    enlist(m, c);
    s->run.client = c;
    s->run.began_ms = now_ms;
    s->run.state = SM_SENSOR_WORKING;
    if (driver > 0)
        driver = wait(s, driver, now_ms);
    if (driver < 0)
        fail(m, s, driver, now_ms);
}

void sm_sensors_rest(struct sm_sensors *m, struct sm_sensor *s)
{
    if (s->run.alive && !used(m, s) && is_free(m, s) && !(s->driver->keeps && s->run.dirty != 0))
        stopped(s);
}

/* What is to be done for nobody: stop, or set what wishes have left. */
static bool owes(const struct sm_sensors *m, const struct sm_sensor *s)
{
    return s->run.op == OP_NONE && s->run.alive && (s->run.dirty != 0 || !used(m, s)) &&
           is_free(m, s);
}

static void step_own(struct sm_sensors *m, struct sm_sensor *s, uint64_t now_ms)
{
    if (owes(m, s)) {
        sm_sensors_rest(m, s);
        if (s->run.alive)
            advance(m, s, now_ms);
    } else if (s->run.op != OP_NONE && s->run.client == NULL && now_ms >= s->run.due_ms) {
        advance(m, s, now_ms);
    }
}

/* In order: so none overtakes another on the same bus. */
static void step_waiting(struct sm_sensors *m, struct sm_sensor_client *c, uint64_t now_ms)
{
    struct sm_sensor *s = c->view->sensor;

    if (s->run.client == c) {
        if (now_ms >= s->run.due_ms)
            advance(m, s, now_ms);
    } else if (is_free(m, s)) {
        s->run.client = c;
        advance(m, s, now_ms);
    }
}

uint32_t sm_sensors_step(struct sm_sensors *m)
{
    uint64_t now_ms = sm_sensors_now(m);

    for (struct sm_sensor *s = m->first; s != NULL; s = s->run.next)
        step_own(m, s, now_ms);
    for (struct sm_sensor_client *c = m->waiting, *next; c != NULL; c = next) {
        next = c->next_waiting;
        step_waiting(m, c, now_ms);
    }
    return sm_sensors_due(m);
}

uint32_t sm_sensors_due(const struct sm_sensors *m)
{
    uint64_t now_ms = sm_sensors_now(m), due_ms = UINT64_MAX;

    for (const struct sm_sensor *s = m->first; s != NULL; s = s->run.next) {
        if (owes(m, s))
            return 0;
        if (s->run.op != OP_NONE && s->run.due_ms < due_ms)
            due_ms = s->run.due_ms;
    }
    for (const struct sm_sensor_client *c = m->waiting; c != NULL; c = c->next_waiting)
        if (is_free(m, c->view->sensor))
            return 0;
    if (due_ms <= now_ms)
        return 0;
    return due_ms - now_ms < UINT32_MAX ? (uint32_t)(due_ms - now_ms) : UINT32_MAX;
}

/* Fuzz target: sensor calls of two modules, in any order and with any arguments, over sensors whose
 * drivers do anything (test/host/desk.h), that come and go.
 *
 * The input is a list of steps of eight bytes: which module or event, which call, its arguments.
 * Texts are taken from a list of good and bad ones, or lie where the input says, in memory that the
 * input fills. What must hold after each step:
 *   - nothing was done to the sensor of which nothing is granted
 *   - attributes and the interval of each sensor are what the rules make of all wishes
 *   - a sensor that nobody has on is at rest once its bus is free, and no request is lost
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include "desk.h"

static void require(bool fact)
{
    if (!fact)
        abort();
}

static const char *const names[] = {"A",        "B",           "C",    "temperature",  "humidity",
                                    "SampRate", "filter",      "gain", "relay",        "serial",
                                    "state",    "attributes",  "*",    "capabilities", "Z",
                                    "",         "SamplingRate"};
enum { NAMES = sizeof names / sizeof names[0], NAMES_AT = 1024 };

/* Nothing of C, and of B only the humidity and a gain that may not be read. */
static const char *const grants[2][8] = {
    {"sensor/A/SampRate:rw", "sensor/A/filter:rw", "sensor/A/gain:rw", "sensor/A/relay:w",
     "sensor/A/temperature:r", "sensor/B/gain:w", "sensor/B/humidity:r", NULL},
    {"sensor/A/SampRate:rw", "sensor/A/filter:w", "sensor/A/gain:rw", "sensor/A/relay:rw",
     "sensor/A/serial:r", "sensor/B/humidity:r", NULL}};

/* ---- What must hold -------------------------------------------------------------------------- */

static void check_attribute(const struct desk *d, struct sm_sensor *s, unsigned i)
{
    const struct sm_attribute *a = &s->driver->attribute[i];
    int64_t want = a->initial;
    unsigned wishes = 0;

    for (unsigned g = 0; g < 2; g++)
        for (unsigned v = 0; v < d->guest[g].host.sensors.nviews; v++) {
            const struct sm_sensor_view *w = &d->guest[g].views[v];
            if (w->sensor != s || !w->on || !(w->wished >> i & 1))
                continue;
            require(w->wish[i] >= a->min && w->wish[i] <= a->max && a->writable);
            if (wishes++ == 0 || (a->rule == SM_RULE_HIGHEST) == (w->wish[i] > want))
                want = w->wish[i];
        }
    require(s->run.attribute[i] == want);
    require(a->rule != SM_RULE_HOLDER || wishes <= 1);
    if (s->run.alive && s->run.op == 0 && !(s->run.dirty >> i & 1) && a->writable)
        require(((const struct played *)s)->chip[i] == want);
}

static unsigned awaited(const struct desk *d, const struct sm_sensor *s)
{
    unsigned n = 0;

    for (const struct sm_sensor_client *c = d->sensors.waiting; c != NULL; c = c->next_waiting)
        n += c->view->sensor == s;
    return n;
}

static void check(const struct desk *d, const bool *there)
{
    const struct played *c = &d->played[2];

    require(c->began[DO_START] == 0 && c->stops == 0);
    for (unsigned i = 0; i < DESK_SENSORS; i++) {
        struct sm_sensor *s = (struct sm_sensor *)&d->played[i].sensor;
        uint32_t lowest = UINT32_MAX;
        bool on = false;
        for (unsigned g = 0; g < 2; g++)
            for (unsigned v = 0; v < d->guest[g].host.sensors.nviews; v++) {
                const struct sm_sensor_view *w = &d->guest[g].views[v];
                if (w->sensor != s || !w->on)
                    continue;
                on = true;
                lowest = w->interval_ms < lowest ? w->interval_ms : lowest;
            }
        if (!there[i]) {
            require(!on);
            continue;
        }
        require(s->run.interval_ms == lowest - lowest / 8); /* what is early by that is in time */
        require(s->run.awaited == awaited(d, s));
        require(s->run.no_sample || s->run.alive);
        for (unsigned a = 0; a < s->driver->attributes; a++)
            check_attribute(d, s, a);
        require(s->run.alive == d->played[i].running || s->run.op != 0);
    }
    require(d->played[1].began[DO_GET] == 0); /* nobody may read an attribute of it */
    require(d->lines <= 2 * SM_HOST_CAUSES * 40);
}

/* With drivers that do well all requests end, and with no module all sensors rest. */
static void check_end(struct desk *d)
{
    for (unsigned i = 0; i < DESK_SENSORS; i++)
        memset(d->played[i].waits, 0, sizeof d->played[i].waits);
    for (unsigned g = 0; g < 2; g++)
        if (d->guest[g].exec.state == SM_EXEC_PENDING)
            require(desk_wait(&d->guest[g]) != PENDING);
    desk_end(&d->guest[0]);
    desk_end(&d->guest[1]);
    desk_run(d, SM_SENSOR_LIMIT_MS + 20000);
    require(d->sensors.waiting == NULL && d->sensors.clients == NULL);
    for (unsigned i = 0; i < DESK_SENSORS; i++)
        require(d->played[i].sensor.run.op == 0 && !d->played[i].running);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* A text of the list, or any address. */
static uint32_t text_at(uint8_t byte)
{
    return byte < 0xe0 ? NAMES_AT + 16u * (byte % NAMES) : (byte - 0xe0u) * 133u;
}

static void call(struct guest *g, const uint8_t *b, const int32_t *handles)
{
    uint32_t x = text_at(b[2]), y = text_at(b[3]), n = b[5] | (uint32_t)b[6] << 8;
    uint32_t handle = b[2] & 1 ? (uint32_t)handles[b[3] % 8] : b[3] | (uint32_t)b[4] << 8;
    int64_t value = b[5] < 128 ? b[5] % 20 : (int64_t)((uint64_t)b[6] << (b[7] % 64));

    switch (b[1] % 11) {
    case 0: desk_call(g, "getSensors", (uint32_t[]){n, b[2]}); break;
    case 1: desk_call(g, "turnOn", (uint32_t[]){x}); break;
    case 2: desk_call(g, "turnOff", (uint32_t[]){x}); break;
    case 3: desk_call(g, "config", (uint32_t[]){x, y, (uint32_t)value}); break;
    case 4: desk_call(g, "read", (uint32_t[]){x, y, n, b[7] % 32u}); break;
    case 5: desk_call(g, "lastError", (uint32_t[]){0}); break;
    case 6: ((int32_t *)handles)[b[4] % 8] = desk_call(g, "open", (uint32_t[]){x, y}); break;
    case 7: desk_call(g, "get", (uint32_t[]){handle, n, b[7] % 32u}); break;
    case 8:
        desk_call(g, "set",
                  (uint32_t[]){handle, (uint32_t)value, (uint32_t)((uint64_t)value >> 32)});
        break;
    case 9: desk_call(g, "sample", (uint32_t[]){handle, n}); break;
    case 10: desk_call(g, "info", (uint32_t[]){handle, n}); break;
    }
}

static struct guest *open_guest(struct desk *d, unsigned i)
{
    struct guest *g = desk_guest(d, i, grants[i], i == 1 ? 2 : 0);

    for (unsigned n = 0; n < NAMES; n++)
        strcpy((char *)desk_memory(g) + NAMES_AT + 16 * n, names[n]);
    return g;
}

/* What drivers do from now on. */
static void direct(struct desk *d, const uint8_t *b)
{
    static const int errors[] = {0, 0, 0, SM_ERR_IO, SM_ERR_NOT_FOUND, SM_ERR_BUSY, SM_ERR_INVALID};
    struct played *p = &d->played[b[2] % DESK_SENSORS];

    p->error[b[3] % DO_KINDS] = errors[b[4] % 7];
    p->waits[b[3] % DO_KINDS] = b[5] == 255 ? NEVER : b[5] % 5;
    p->temperature = b[6] == 255 ? INT32_MIN : b[6];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct desk d;
    static int32_t handles[2][8];
    bool there[DESK_SENSORS] = {true, true, true};
    struct sm_sensor_driver keeping;

    desk_init(&d, len & 1);
    keeping = *d.played[0].sensor.driver;
    keeping.keeps = true;
    if (len & 4) { /* the chip of A has what somebody has left there */
        d.played[0].sensor.driver = &keeping;
        memcpy(d.played[0].chip, (const int64_t[4]){7, 3, 1, 0}, sizeof d.played[0].chip);
    }
    if (len & 2)
        d.bus.kind = SM_BUS_I2C; /* A and B need not wait for each other */
    memset(handles, 0, sizeof handles);
    open_guest(&d, 0);
    open_guest(&d, 1);
    for (; len >= 8; data += 8, len -= 8) {
        unsigned i = data[0] & 1, s = data[2] % DESK_SENSORS;
        struct guest *g = &d.guest[i];
        switch (data[0] >> 4) {
        case 0: direct(&d, data); break;
        case 1: desk_run(&d, data[1] * 10u); break;
        case 2:
            desk_end(g);
            open_guest(&d, i);
            break;
        case 3:
            if (there[s])
                sm_sensors_remove(&d.sensors, &d.played[s].sensor);
            else
                require(sm_sensors_add(&d.sensors, &d.played[s].sensor) == 0);
            there[s] = !there[s];
            break;
        case 4: memcpy(desk_memory(g) + data[1] * 4u, data + 2, 6); break;
        default:
            (void)sm_host_wake(&g->host, &g->exec, g->inst);
            if (g->exec.state == SM_EXEC_READY)
                (void)sm_wasm_run(&g->exec);
            if (g->exec.state != SM_EXEC_PENDING)
                call(g, data, handles[i]);
        }
        check(&d, there);
    }
    check_end(&d);
    return 0;
}

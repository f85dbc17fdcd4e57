/* Modules on a desk (desk.h). SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "calls_bytes.h"

static void need(bool fact, const char *what)
{
    if (fact)
        return;
    fprintf(stderr, "desk: %s\n", what);
    abort();
}

/* ---- Sensors --------------------------------------------------------------------------------- */

static struct played *played(struct sm_sensor *s)
{
    return (struct played *)s; /* its first member */
}

static int play(struct sm_sensor *s, unsigned what)
{
    struct played *p = played(s);
    struct desk *d = s->ctx;
    size_t n = strlen(d->order);

    if (s->step == 0) {
        p->began[what]++;
        if (n + 1 < sizeof d->order)
            d->order[n] = s->id[0];
    }
    if (s->step < p->waits[what])
        return 10;
    if (p->error[what] == 0)
        p->did[what]++;
    return p->error[what];
}

static int start(struct sm_sensor *s)
{
    static const int64_t initial[4] = {0, 8, 0, 0};
    int how = play(s, DO_START);

    if (how == 0) {
        if (!s->driver->keeps)
            memcpy(played(s)->chip, initial, sizeof initial);
        played(s)->running = true;
    }
    return how;
}

static int sample(struct sm_sensor *s, int32_t *values)
{
    values[0] = played(s)->temperature;
    values[1] = played(s)->humidity;
    return play(s, DO_SAMPLE);
}

static int set(struct sm_sensor *s, unsigned attribute, int64_t value)
{
    int how = play(s, DO_SET);

    if (how == 0)
        played(s)->chip[attribute] = value;
    return how;
}

static int get(struct sm_sensor *s, unsigned attribute, int64_t *value)
{
    *value = attribute == 3 ? 0x123456789ll : played(s)->chip[attribute];
    return play(s, DO_GET);
}

static void stop(struct sm_sensor *s)
{
    played(s)->stops++;
    played(s)->running = false;
}

static const struct sm_capability capabilities[] = {
    {"temperature", SM_UNIT_CELSIUS, -3, -40000, 85000},
    {"humidity", SM_UNIT_HUMIDITY, -3, 0, 100000},
};
static const struct sm_attribute attributes[] = {
    {"filter", SM_UNIT_NONE, 0, SM_RULE_HIGHEST, true, 0, 16, 0},
    {"gain", SM_UNIT_NONE, 0, SM_RULE_LOWEST, true, 1, 8, 8},
    {"relay", SM_UNIT_BOOLEAN, 0, SM_RULE_HOLDER, true, 0, 1, 0},
    {"serial", SM_UNIT_NONE, 0, SM_RULE_LOWEST, false, 0, 0, 0},
};
static const struct sm_sensor_driver driver = {.model = "played",
                                               .bus = SM_BUS_NONE,
                                               .capabilities = 2,
                                               .attributes = 4,
                                               .capability = capabilities,
                                               .attribute = attributes,
                                               .start = start,
                                               .sample = sample,
                                               .set = set,
                                               .get = get,
                                               .stop = stop};

/* ---- The desk -------------------------------------------------------------------------------- */

static uint64_t now_ms(void *ctx)
{
    return ((struct desk *)ctx)->now_ms;
}

static void log_line(void *ctx, const char *module, const char *line)
{
    struct desk *d = ctx;

    (void)module;
    if (d->lines < DESK_LINES)
        snprintf(d->line[d->lines++], sizeof d->line[0], "%s", line);
}

static void tell(void *ctx, const struct sm_sensor *s, int err)
{
    (void)s;
    ((struct desk *)ctx)->told = err;
}

static int write_image(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    struct desk *d = ctx;

    need(off + len <= sizeof d->image, "the image is too long");
    memcpy(d->image + off, bytes, len);
    return 0;
}

void desk_init(struct desk *d, bool clock_in_memory)
{
    static uint8_t scratch[32768];
    const struct sm_wasm_sink sink = {d, write_image};
    static const char *const id[DESK_SENSORS] = {"A", "B", "C"};

    memset(d, 0, sizeof *d);
    d->now_ms = 1000;
    d->port = (struct sm_host_port){d, log_line, &d->sensors, {d, now_ms}};
    d->bus = (struct sm_bus){.name = "rs485", .kind = SM_BUS_SERIAL};
    sm_sensors_init(&d->sensors, &d->port.clock);
    d->sensors.ms = clock_in_memory ? &d->now_ms : NULL;
    d->sensors.tell = tell;
    d->sensors.tell_ctx = d;
    for (unsigned i = 0; i < DESK_SENSORS; i++) {
        struct played *p = &d->played[i];
        p->sensor = (struct sm_sensor){.id = id[i],
                                       .driver = &driver,
                                       .bus = i < 2 ? &d->bus : NULL,
                                       .address = (uint8_t)(i + 1),
                                       .ctx = d};
        p->temperature = 21500;
        p->humidity = 45000;
        need(sm_sensors_add(&d->sensors, &p->sensor) == 0, "a sensor");
    }
    int64_t len =
        sm_wasm_translate(calls_bytes, sizeof calls_bytes, &sink, scratch, sizeof scratch, NULL);
    need(len > 0 &&
             sm_wasm_open(&d->module, d->image, (size_t)len, calls_bytes, sizeof calls_bytes) == 0,
         "the module");
}

struct guest *desk_guest(struct desk *d, unsigned i, const char *const *grants, uint32_t interface)
{
    struct guest *g = &d->guest[i];
    struct sm_wasm_limits limits = {.memory_bytes = MEMORY, .table_entries = 1};
    struct sm_wasm_linker linker = {&g->host, sm_host_resolve};
    uint32_t which;

    memset(g, 0, sizeof *g);
    g->desk = d;
    sm_manifest_defaults(&g->grants);
    snprintf(g->grants.name, sizeof g->grants.name, "guest%u", i);
    g->grants.interface = interface ? interface : 2;
    for (; *grants != NULL; grants++)
        strcpy(g->grants.capability[g->grants.capabilities++], *grants);
    need(sm_host_sensor_bytes(&g->grants) <= sizeof g->views, "too many views");
    sm_host_init(&g->host, &d->port, &g->grants, 1000);
    sm_host_open_sensors(&g->host, g->views);
    struct sm_wasm_pool pool = {.base = g->pool, .size = sizeof g->pool};
    need(sm_wasm_instantiate(&g->inst, &g->store, &d->module, &limits, &linker, &pool, &which) == 0,
         "an instance");
    sm_wasm_exec_init(&g->exec, g->stack, 256, 8, &d->epoch);
    return g;
}

void desk_end(struct guest *g)
{
    sm_host_end(&g->host);
    g->inst = NULL;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static int32_t outcome(struct guest *g, int err)
{
    if (err == SM_WASM_PENDING)
        return PENDING;
    return err ? TRAPPED : (int32_t)sm_wasm_results(&g->exec)[0];
}

int32_t desk_call(struct guest *g, const char *name, const uint32_t *args)
{
    uint32_t func;

    need(sm_wasm_export_find(&g->desk->module, name, SM_WASM_FUNC, &func) == 0, "an export");
    need(sm_wasm_call(&g->exec, g->inst, func, args, 0) == 0, "a call");
    return outcome(g, sm_wasm_run(&g->exec));
}

int32_t desk_wait(struct guest *g)
{
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t ms = sm_sensors_step(&g->desk->sensors);
        if (sm_host_wake(&g->host, &g->exec, g->inst) == 0)
            return outcome(g, sm_wasm_run(&g->exec));
        g->desk->now_ms += ms == UINT32_MAX ? 1 : ms;
    }
    return PENDING;
}

void desk_run(struct desk *d, uint32_t ms)
{
    for (uint64_t end = d->now_ms + ms;;) {
        uint32_t wait = sm_sensors_step(&d->sensors);
        if (wait > end - d->now_ms) {
            d->now_ms = end;
            return;
        }
        d->now_ms += wait;
    }
}

uint8_t *desk_memory(struct guest *g)
{
    return sm_wasm_mem(g->inst, 0, MEMORY);
}

static void put(struct guest *g, uint32_t at, const char *text)
{
    memcpy(desk_memory(g) + at, text, strlen(text) + 1);
}

int32_t desk_on(struct guest *g, const char *sensor)
{
    put(g, AT_SENSOR, sensor);
    return desk_call(g, "turnOn", (uint32_t[]){AT_SENSOR});
}

int32_t desk_off(struct guest *g, const char *sensor)
{
    put(g, AT_SENSOR, sensor);
    return desk_call(g, "turnOff", (uint32_t[]){AT_SENSOR});
}

int32_t desk_config(struct guest *g, const char *sensor, const char *name, int32_t value)
{
    put(g, AT_SENSOR, sensor);
    put(g, AT_NAME, name);
    return desk_call(g, "config", (uint32_t[]){AT_SENSOR, AT_NAME, (uint32_t)value});
}

int32_t desk_read(struct guest *g, const char *sensor, const char *name, uint32_t len)
{
    put(g, AT_SENSOR, sensor);
    put(g, AT_NAME, name);
    return desk_call(g, "read", (uint32_t[]){AT_SENSOR, AT_NAME, AT_BUF, len});
}

int32_t desk_open(struct guest *g, const char *sensor, const char *name)
{
    put(g, AT_SENSOR, sensor);
    put(g, AT_NAME, name);
    return desk_call(g, "open", (uint32_t[]){AT_SENSOR, AT_NAME});
}

int32_t desk_get(struct guest *g, int32_t handle, uint32_t len)
{
    return desk_call(g, len == 4 ? "get 4" : "get", (uint32_t[]){(uint32_t)handle, AT_BUF, len});
}

int32_t desk_set(struct guest *g, int32_t handle, int64_t value)
{
    return desk_call(
        g, "set",
        (uint32_t[]){(uint32_t)handle, (uint32_t)value, (uint32_t)((uint64_t)value >> 32)});
}

int32_t desk_sample(struct guest *g, int32_t handle)
{
    return desk_call(g, "sample", (uint32_t[]){(uint32_t)handle, AT_BUF});
}

int32_t desk_info(struct guest *g, int32_t handle)
{
    return desk_call(g, "info", (uint32_t[]){(uint32_t)handle, AT_BUF});
}

int32_t desk_error(struct guest *g)
{
    return desk_call(g, "lastError", (uint32_t[]){0});
}

int64_t desk_i64(struct guest *g, uint32_t at)
{
    int64_t value;

    memcpy(&value, desk_memory(g) + at, sizeof value);
    return value;
}

int32_t desk_i32(struct guest *g, uint32_t at)
{
    int32_t value;

    memcpy(&value, desk_memory(g) + at, sizeof value);
    return value;
}

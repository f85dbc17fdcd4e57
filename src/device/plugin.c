/* Plugins: a vendor's module that drives one sensor.
 *
 * In all that concerns its slots, trial, traps and the way back a plugin is what an application is
 * (device.c). What differs is here: which calls it may import, and when it runs. It reaches one
 * address of one bus, which its manifest names, which its vendor's scope and the device's settings
 * allow, and which no other sensor has. On trial it is read once a period, and a reading of all
 * values is a good tick; afterwards it runs when somebody reads the sensor.
 *
 * Its sensor stands in the registry while an instance is up, with a driver whose measurement calls
 * the plugin. That is never done within the call of a module that reads: the driver asks to be
 * called again, so the reader waits, its time stands still, and two modules' limits stay apart.
 *
 * A request can be given up while a function of the plugin waits for its exchange. The function is
 * run to its end by whoever asks next, with that exchange and any other failing at once: it has
 * to return, because its stack pointer is a variable of its own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"
#include "text.h"

enum { REFUSED = -1, OUT_OF_RANGE = -3, FAILED = -5 }; /* as wasi_sn's, see SPEC.md */
enum { WRITE_MOST = 64, READ_MOST = 256 };             /* bytes of one transfer */
enum { SPI_MODES_FROM = 64 }; /* an address on SPI is a select line and 64 times the mode */

static struct sm_device_app *app_of(const struct sm_device_plugin *p)
{
    return &p->device->apps[p->index];
}

/* ---- What it may drive ----------------------------------------------------------------------- */

static const struct sm_bus *find_bus(const struct sm_device *d, const char *name)
{
    for (size_t i = 0; i < d->cfg->plugins->nbuses; i++)
        if (strcmp(d->cfg->plugins->buses[i]->name, name) == 0)
            return d->cfg->plugins->buses[i];
    return NULL;
}

static bool fits_bus(const struct sm_bus *bus, uint32_t address)
{
    switch (bus->kind) {
    case SM_BUS_I2C: return address >= 0x08 && address <= 0x77; /* the others are reserved */
    case SM_BUS_SPI: return true;
    case SM_BUS_SERIAL: return address >= 1; /* a Modbus unit; 0 is all of them */
    default: return false;
    }
}

/* The sensor of another that has this id, or this place; NULL when there is none. */
static const struct sm_sensor *taken_by(const struct sm_device *d, uint16_t index,
                                        const struct sm_plugin_sensor *want,
                                        const struct sm_bus *bus)
{
    const struct sm_sensor *s = NULL;

    while ((s = sm_sensors_next(d->cfg->host->sensors, s)) != NULL)
        if (s != &sm_dev_plugin(d, index)->sensor &&
            (strcmp(s->id, want->id) == 0 || (s->bus == bus && s->address == want->address)))
            return s;
    return NULL;
}

static int admit(struct sm_device *d, const struct sm_plugin_sensor *s, uint16_t index)
{
    char wanted[SM_CAPABILITY_MAX + 1];
    const struct sm_bus *bus = find_bus(d, s->bus);

    if (s->values == 0)
        return 0; /* it removes, and needs nothing */
    if (bus == NULL || d->cfg->host->sensors == NULL)
        return sm_dev_say(d, SM_ERR_DENIED, "drives a sensor on bus %s, which is not here", s->bus);
    if (!fits_bus(bus, s->address))
        return sm_dev_say(d, SM_ERR_DENIED, "address %x is none of a chip on %s bus %s",
                          (unsigned)s->address, sm_bus_kind_name(bus->kind), s->bus);
    sm_text(wanted, sizeof wanted, "plugin/%s/%u", s->bus, (unsigned)s->address);
    if (!sm_host_granted(d->cfg->capabilities, d->cfg->ncapabilities, wanted))
        return sm_dev_say(d, SM_ERR_DENIED, "not granted here: %s", wanted);
    const struct sm_sensor *other = taken_by(d, index, s, bus);
    if (other != NULL)
        return sm_dev_say(d, SM_ERR_DENIED, "%s %x of %s belongs to sensor %s",
                          strcmp(other->id, s->id) == 0 ? "its name or" : "address",
                          (unsigned)s->address, s->bus, other->id);
    return 0;
}

/* Of the types that a number may have: i64 only where one is set or got. */
static bool is_number(uint8_t type, bool wide)
{
    return type == SM_WASM_I32 || type == SM_WASM_F32 || type == SM_WASM_F64 ||
           (wide && type == SM_WASM_I64);
}

/* An export "<verb>_<name>" that takes a number, or gives one. NOT_FOUND is not said. */
static int find_function(struct sm_device *d, const struct sm_wasm_module *module, const char *verb,
                         const char *of, struct sm_plugin_function *f)
{
    char name[SM_SENSOR_NAME_MAX + 8];
    bool takes = verb[0] == 's', wide = verb[0] != 'r';
    struct sm_wasm_functype t;

    sm_text(name, sizeof name, "%s_%s", verb, of);
    if (sm_wasm_export_find(module, name, SM_WASM_FUNC, &f->func) != 0)
        return SM_ERR_NOT_FOUND;
    if (sm_wasm_functype(module, f->func, &t) != 0 || t.nparams != takes || t.nresults != !takes ||
        !is_number(takes ? t.params[0] : t.results[0], wide))
        return sm_dev_say(d, SM_ERR_INVALID, "its %s is not a function %s f32, f64%s or i32%s",
                          name, takes ? "of" : "() ->", wide ? ", i64" : "", takes ? " -> ()" : "");
    f->type = takes ? t.params[0] : t.results[0];
    return 0;
}

static int missing(struct sm_device *d, int err, const char *verb, const char *of)
{
    return err == SM_ERR_NOT_FOUND ? sm_dev_say(d, err, "does not export %s_%s", verb, of) : err;
}

/* What is written needs a function that sets, what is only read one that gets. */
static int find_attribute(struct sm_device *d, const struct sm_wasm_module *module,
                          const struct sm_plugin_attribute *a, struct sm_plugin_function *set,
                          struct sm_plugin_function *get)
{
    bool writable = a->writes != SM_WRITES_NONE;
    int err = find_function(d, module, "get", a->name, get);

    if (err && (err != SM_ERR_NOT_FOUND || !writable))
        return missing(d, err, "get", a->name);
    err = writable ? find_function(d, module, "set", a->name, set) : 0;
    if (!err && set->type == SM_WASM_I32 && (a->min < INT32_MIN || a->max > INT32_MAX))
        return sm_dev_say(d, SM_ERR_INVALID, "its set_%s takes an i32, which cannot hold its range",
                          a->name);
    return missing(d, err, "set", a->name);
}

static int find_functions(struct sm_device *d, const struct sm_wasm_module *module,
                          const struct sm_plugin_sensor *s, struct sm_device_plugin *p)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < s->values; i++)
        err = missing(d, find_function(d, module, "read", s->value[i].name, &p->read[i]), "read",
                      s->value[i].name);
    for (uint32_t i = 0; !err && i < s->attributes; i++)
        err = find_attribute(d, module, &s->attribute[i], &p->set[i], &p->get[i]);
    return err;
}

/* ---- What it imports ------------------------------------------------------------------------- */

/* What a transfer came to, remembered: a reading whose last transfer failed, or was refused, is
 * none.
 */
static uint32_t transferred(struct sm_device_plugin *p, int err)
{
    p->bus_error = err;
    return err == 0               ? 0
           : err == SM_ERR_DENIED ? (uint32_t)REFUSED
           : err == SM_ERR_LIMIT  ? (uint32_t)OUT_OF_RANGE
                                  : (uint32_t)FAILED;
}

/* Whether it may reach this address: only the one that it was bound to. The first refusal is
 * logged, the others are counted. */
static bool reaches(struct sm_device_plugin *p, uint32_t address)
{
    const struct sm_device_app *app = app_of(p);
    const struct sm_host_port *port = p->device->cfg->host;
    char line[96];

    if (address == p->sensor.address)
        return true;
    if (p->refused++ == 0 && port->log != NULL) {
        sm_text(line, sizeof line, "refused: address %x of %s; it is bound to %x",
                (unsigned)address, p->sensor.bus->name, (unsigned)p->sensor.address);
        port->log(port->ctx, app->manifest.name, line);
    }
    return false;
}

static int i2c_read(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_device_plugin *p = ctx;
    const struct sm_bus *bus = p->sensor.bus;
    uint8_t reg = (uint8_t)args[1];
    uint8_t *buf = sm_wasm_mem(caller, args[2], args[3]);

    if (buf == NULL)
        return SM_ERR_ARG;
    if (!reaches(p, args[0]))
        args[0] = transferred(p, SM_ERR_DENIED);
    else if (args[1] > UINT8_MAX || args[3] > READ_MOST)
        args[0] = transferred(p, SM_ERR_LIMIT);
    else
        args[0] =
            transferred(p, bus->transfer.i2c(bus->ctx, p->sensor.address, &reg, 1, buf, args[3]));
    return 0;
}

static int i2c_write(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_device_plugin *p = ctx;
    const struct sm_bus *bus = p->sensor.bus;
    uint8_t out[1 + WRITE_MOST] = {(uint8_t)args[1]};
    const uint8_t *buf = sm_wasm_mem(caller, args[2], args[3]);

    if (buf == NULL)
        return SM_ERR_ARG;
    if (!reaches(p, args[0])) {
        args[0] = transferred(p, SM_ERR_DENIED);
    } else if (args[1] > UINT8_MAX || args[3] > WRITE_MOST) {
        args[0] = transferred(p, SM_ERR_LIMIT);
    } else {
        memcpy(out + 1, buf, args[3]);
        args[0] = transferred(
            p, bus->transfer.i2c(bus->ctx, p->sensor.address, out, 1 + args[3], NULL, 0));
    }
    return 0;
}

static int spi_transfer(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_device_plugin *p = ctx;
    const struct sm_bus *bus = p->sensor.bus;
    const uint8_t *out = sm_wasm_mem(caller, args[0], args[2]);
    uint8_t *in = sm_wasm_mem(caller, args[1], args[2]);
    uint8_t copy[WRITE_MOST];

    if (out == NULL || in == NULL)
        return SM_ERR_ARG;
    if (args[2] > WRITE_MOST) {
        args[0] = transferred(p, SM_ERR_LIMIT);
        return 0;
    }
    memcpy(copy, out, args[2]); /* the two may overlap */
    args[0] =
        transferred(p, bus->transfer.spi(bus->ctx, p->sensor.address % SPI_MODES_FROM,
                                         p->sensor.address / SPI_MODES_FROM, copy, in, args[2]));
    return 0;
}

/* Modbus takes its time: the plugin's call is pending until the exchange is over. */
static int begin_exchange(struct sm_device_plugin *p, int err, uint32_t *args)
{
    if (err) {
        args[0] = transferred(p, SM_ERR_LIMIT);
        return 0;
    }
    p->exchanging = true;
    return SM_WASM_PENDING;
}

static int read_registers(struct sm_device_plugin *p, struct sm_wasm_inst *caller, uint8_t function,
                          uint32_t *args)
{
    uint32_t reg = args[0], count = args[2];
    bool fits = reg <= UINT16_MAX && count <= SM_MODBUS_REGISTERS;

    if (fits && sm_wasm_mem(caller, args[1], 2 * count) == NULL)
        return SM_ERR_ARG;
    p->exchange_buf = args[1];
    p->exchange_count = count;
    return begin_exchange(p,
                          fits ? sm_modbus_read(&p->exchange, p->sensor.address, function,
                                                (uint16_t)reg, (uint8_t)count)
                               : SM_ERR_ARG,
                          args);
}

static int modbus_read(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    return read_registers(ctx, caller, SM_MODBUS_READ_HOLDING, args);
}

static int modbus_read_input(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    return read_registers(ctx, caller, SM_MODBUS_READ_INPUT, args);
}

static int modbus_write(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_device_plugin *p = ctx;
    uint32_t reg = args[0], count = args[2];
    uint16_t values[SM_MODBUS_REGISTERS];
    bool fits = reg <= UINT16_MAX && count <= SM_MODBUS_REGISTERS;
    const uint8_t *buf = fits ? sm_wasm_mem(caller, args[1], 2 * count) : NULL;

    if (fits && buf == NULL)
        return SM_ERR_ARG;
    for (uint32_t i = 0; fits && i < count; i++)
        values[i] = (uint16_t)(buf[2 * i] | buf[2 * i + 1] << 8);
    p->exchange_count = 0;
    return begin_exchange(p,
                          fits ? sm_modbus_write(&p->exchange, p->sensor.address,
                                                 SM_MODBUS_WRITE_MULTIPLE, (uint16_t)reg, values,
                                                 (uint8_t)count)
                               : SM_ERR_ARG,
                          args);
}

/* Go on with the exchange that the plugin's call waits for. A positive number of milliseconds to
 * come again after, or 0: the call has its result. */
static int step_exchange(struct sm_device_plugin *p, uint64_t now_ms)
{
    struct sm_device_app *app = app_of(p);
    int err = p->stale ? SM_ERR_IO : sm_modbus_step(&p->exchange, p->sensor.bus, NULL, now_ms);

    if (err > 0)
        return err;
    uint32_t result = transferred(p, err);
    uint8_t *buf = sm_wasm_mem(app->inst, p->exchange_buf, 2 * p->exchange_count);
    for (uint32_t i = 0; !err && buf != NULL && i < p->exchange_count; i++) {
        buf[2 * i] = (uint8_t)sm_modbus_register(&p->exchange, i);
        buf[2 * i + 1] = (uint8_t)(sm_modbus_register(&p->exchange, i) >> 8);
    }
    p->exchanging = false;
    (void)sm_wasm_complete(&app->exec, &result, 0);
    return 0;
}

static bool is(const struct sm_wasm_name *name, const char *text)
{
    return name->len == strlen(text) && memcmp(name->bytes, text, name->len) == 0;
}

static int resolve(void *plugin, const struct sm_wasm_import *import, struct sm_wasm_extern *out)
{
    static const struct {
        const char *field, *type;
        sm_wasm_host_fn *fn;
        enum sm_bus_kind bus;
    } functions[] = {
        {"i2c_read", "iiii:i", i2c_read, SM_BUS_I2C},
        {"i2c_write", "iiii:i", i2c_write, SM_BUS_I2C},
        {"spi_transfer", "iii:i", spi_transfer, SM_BUS_SPI},
        {"modbus_read", "iii:i", modbus_read, SM_BUS_SERIAL},
        {"modbus_read_input", "iii:i", modbus_read_input, SM_BUS_SERIAL},
        {"modbus_write", "iii:i", modbus_write, SM_BUS_SERIAL},
    };
    struct sm_device_plugin *p = plugin;

    if (is(&import->module, "wasi_sn"))
        return SM_ERR_DENIED; /* it is a sensor, and reads no other */
    if (!is(&import->module, "env"))
        return sm_host_resolve(p->host, import, out);
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (import->kind != SM_WASM_FUNC || !is(&import->field, functions[i].field))
            continue;
        if (p->sensor.bus == NULL || p->sensor.bus->kind != functions[i].bus)
            return SM_ERR_DENIED;
        memset(out, 0, sizeof *out);
        out->kind = SM_WASM_FUNC;
        out->host = functions[i].fn;
        out->host_ctx = p;
        out->host_type = functions[i].type;
        return 0;
    }
    return SM_ERR_NOT_FOUND;
}

/* ---- Its numbers ----------------------------------------------------------------------------- */

static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/* Units to the number of 10^-decimals of them that is nearest, and within 64 bits. */
static bool to_number(double units, unsigned decimals, int64_t *out)
{
    double v = units * powers[decimals];

    if (!(v > -9e18 && v < 9e18)) /* nor when it is no number */
        return false;
    *out = (int64_t)(v < 0 ? v - 0.5 : v + 0.5);
    return true;
}

/* What its function has given, from min to max. */
static int take_result(const struct sm_wasm_exec *exec, uint8_t type, unsigned decimals,
                       int64_t min, int64_t max, int64_t *out)
{
    const uint32_t *words = sm_wasm_results(exec);
    bool good = true;
    float single;
    double wide;

    switch (type) {
    case SM_WASM_I32: *out = (int32_t)words[0]; break;
    case SM_WASM_I64: *out = (int64_t)(words[0] | (uint64_t)words[1] << 32); break;
    case SM_WASM_F32:
        memcpy(&single, words, sizeof single);
        good = to_number((double)single, decimals, out);
        break;
    default:
        memcpy(&wide, words, sizeof wide);
        good = to_number(wide, decimals, out);
        break;
    }
    return good && *out >= min && *out <= max ? 0 : SM_ERR_INVALID;
}

/* A number as the parameter of its function. */
static void put_number(int64_t value, uint8_t type, unsigned decimals, uint32_t words[2])
{
    double wide = (double)value / powers[decimals];
    float single = (float)wide;

    words[0] = (uint32_t)value;
    words[1] = (uint32_t)((uint64_t)value >> 32);
    if (type == SM_WASM_F32)
        memcpy(words, &single, sizeof single);
    if (type == SM_WASM_F64)
        memcpy(words, &wide, sizeof wide);
}

/* ---- Its functions --------------------------------------------------------------------------- */

/* Run until the function has returned: 0, a positive number of milliseconds to wait for, or
 * SM_ERR_TRAP. */
static int run_function(struct sm_device_plugin *p)
{
    const struct sm_clock *clock = &p->device->cfg->host->clock;

    for (;;) {
        int wait = p->exchanging ? step_exchange(p, clock->now_ms(clock->ctx)) : 0;
        if (wait > 0)
            return wait;
        int err = sm_dev_execute(p->device, p->index);
        if (err != SM_WASM_PENDING)
            return err ? SM_ERR_TRAP : 0;
    }
}

/* Call a function, or go on with that. As run_function(), or what its last transfer came to. */
static int call_function(struct sm_device_plugin *p, const struct sm_plugin_function *f,
                         const uint32_t *args)
{
    struct sm_device_app *app = app_of(p);

    if (!p->calling) {
        p->bus_error = 0;
        p->exchanging = false;
        if (sm_wasm_call(&app->exec, app->inst, f->func, args, sm_dev_budget(p->device)) != 0)
            return SM_ERR_TRAP; /* not even its first frame fits the stack */
    }
    int got = run_function(p);
    p->calling = got > 0;
    return got ? got : p->bus_error;
}

/* Another request begins: what is under way is for one that was given up. */
static void begin_request(struct sm_device_plugin *p)
{
    p->stale = p->calling;
    p->at = 0;
}

/* The function that still runs for another request comes to its end. 0 or SM_ERR_TRAP. */
static int end_stale(struct sm_device_plugin *p)
{
    int err = p->stale ? run_function(p) : 0;

    p->calling = p->calling && !p->stale;
    p->stale = false;
    return err;
}

static int read_values(struct sm_device_plugin *p, int32_t *values)
{
    const struct sm_plugin_sensor *s = &app_of(p)->manifest.sensor;
    int64_t number;

    for (; p->at < s->values; p->at++) {
        const struct sm_plugin_function *f = &p->read[p->at];
        int got = call_function(p, f, NULL);
        if (got == 0)
            got = take_result(&app_of(p)->exec, f->type, s->value[p->at].decimals,
                              p->capability[p->at].min, p->capability[p->at].max, &number);
        if (got != 0)
            return got;
        p->value[p->at] = (int32_t)number;
    }
    memcpy(values, p->value, s->values * sizeof *values);
    return 0;
}

static int set_attribute(struct sm_device_plugin *p, unsigned which, int64_t value)
{
    const struct sm_plugin_function *f = &p->set[which];
    uint32_t words[2];

    put_number(value, f->type, app_of(p)->manifest.sensor.attribute[which].decimals, words);
    return call_function(p, f, words);
}

static int get_attribute(struct sm_device_plugin *p, unsigned which, int64_t *value)
{
    const struct sm_plugin_attribute *a = &app_of(p)->manifest.sensor.attribute[which];
    const struct sm_plugin_function *f = &p->get[which];
    int got = call_function(p, f, NULL);

    return got ? got : take_result(&app_of(p)->exec, f->type, a->decimals, a->min, a->max, value);
}

/* The first thing on trial: a plugin that cannot set its attributes is not healthy. */
static int settle(struct sm_device_plugin *p)
{
    const struct sm_plugin_sensor *s = &app_of(p)->manifest.sensor;

    for (; p->at < s->attributes; p->at++) {
        const struct sm_plugin_attribute *a = &s->attribute[p->at];
        int got = a->writes == SM_WRITES_NONE ? 0 : set_attribute(p, p->at, a->initial);
        if (got != 0)
            return got;
    }
    p->settled = true;
    p->at = 0;
    return 0;
}

/* For nobody: 0 when its sensor and bus are held and its functions may be called, 1 to come again
 * after a millisecond, or SM_ERR_TRAP. */
static int hold(struct sm_device_plugin *p)
{
    if (!p->holds) {
        if (!sm_sensors_hold(p->device->cfg->host->sensors, &p->sensor))
            return 1;
        begin_request(p);
        p->holds = true;
    }
    return end_stale(p);
}

/* What a call came to; as long as it waits they are held. */
static int let_go(struct sm_device_plugin *p, int got)
{
    if (p->holds && got <= 0) {
        p->holds = false;
        sm_sensors_release(&p->sensor);
    }
    return got;
}

static int measure(struct sm_device *d, uint16_t index)
{
    struct sm_device_plugin *p = sm_dev_plugin(d, index);
    int32_t values[SM_PLUGIN_VALUES];
    int got = hold(p);

    if (got == 0 && !p->settled && !p->sensor.run.alive)
        got = settle(p);
    if (got == 0)
        got = read_values(p, values);
    return let_go(p, got);
}

static int health(struct sm_device *d, uint16_t index)
{
    struct sm_device_plugin *p = sm_dev_plugin(d, index);
    const struct sm_plugin_function f = {.func = app_of(p)->health_func};
    int got = hold(p);

    if (got == 0)
        got = call_function(p, &f, NULL);
    return let_go(p, got < 0 && got != SM_ERR_TRAP ? 0 : got);
}

/* ---- Its driver ------------------------------------------------------------------------------ */

static int start(struct sm_sensor *s)
{
    (void)s;
    return 0; /* the plugin knows when its chip needs what */
}

/* Whether a step of a request may call the plugin: 0; 1 when not yet; or an error. */
static int ready(struct sm_sensor *s)
{
    struct sm_device_plugin *p = s->ctx;

    if (s->step == 0) {
        begin_request(p);
        return 1; /* not within the call of who asks */
    }
    if (p->trapped || app_of(p)->state != SM_APP_WAITING)
        return SM_ERR_IO;
    p->trapped = end_stale(p) != 0;
    return p->trapped ? SM_ERR_IO : 0;
}

/* What a call came to, for who asked: what follows from a trap is the next step's. */
static int told(struct sm_device_plugin *p, int err)
{
    p->trapped = err == SM_ERR_TRAP;
    return p->trapped ? SM_ERR_IO : err;
}

static int sample(struct sm_sensor *s, int32_t *values)
{
    int err = ready(s);

    return err ? err : told(s->ctx, read_values(s->ctx, values));
}

static int set(struct sm_sensor *s, unsigned attribute, int64_t value)
{
    int err = ready(s);

    return err ? err : told(s->ctx, set_attribute(s->ctx, attribute, value));
}

/* Without a function that gets it, it is what was set. */
static int get(struct sm_sensor *s, unsigned attribute, int64_t *value)
{
    const struct sm_device_plugin *p = s->ctx;

    if (p->get[attribute].type == 0) {
        *value = s->run.attribute[attribute];
        return 0;
    }
    int err = ready(s);
    return err ? err : told(s->ctx, get_attribute(s->ctx, attribute, value));
}

static struct sm_capability capability_of(const struct sm_plugin_value *v)
{
    bool any = v->min == 0 && v->max == 0;

    return (struct sm_capability){.name = v->name,
                                  .unit = v->unit,
                                  .scale = (int8_t)-v->decimals,
                                  .min = any ? INT32_MIN : v->min,
                                  .max = any ? INT32_MAX : v->max};
}

static struct sm_attribute attribute_of(const struct sm_plugin_attribute *a)
{
    bool writable = a->writes != SM_WRITES_NONE;

    return (struct sm_attribute){.name = a->name,
                                 .unit = a->unit,
                                 .scale = (int8_t)-a->decimals,
                                 .rule = writable ? a->writes - SM_WRITES_LOWEST : SM_RULE_LOWEST,
                                 .writable = writable,
                                 .min = a->min,
                                 .max = a->max,
                                 .initial = a->initial};
}

static void bind(struct sm_device *d, uint16_t index, const struct sm_plugin_sensor *s,
                 struct sm_host *host, struct sm_device_plugin *p)
{
    memset(p, 0, sizeof *p);
    p->device = d;
    p->index = index;
    p->host = host;
    for (uint32_t i = 0; i < s->values; i++)
        p->capability[i] = capability_of(&s->value[i]);
    for (uint32_t i = 0; i < s->attributes; i++)
        p->attribute[i] = attribute_of(&s->attribute[i]);
    p->sensor.id = s->id;
    p->sensor.driver = &p->driver;
    p->sensor.bus = find_bus(d, s->bus);
    p->sensor.address = (uint8_t)s->address;
    p->sensor.ctx = p;
    p->driver = (struct sm_sensor_driver){.model = s->model,
                                          .bus = p->sensor.bus ? p->sensor.bus->kind : SM_BUS_NONE,
                                          .keeps = true,
                                          .capabilities = (uint8_t)s->values,
                                          .attributes = (uint8_t)s->attributes,
                                          .capability = p->capability,
                                          .attribute = p->attribute,
                                          .start = start,
                                          .sample = sample,
                                          .set = set,
                                          .get = get};
}

static int up(struct sm_device *d, uint16_t index)
{
    struct sm_device_plugin *p = sm_dev_plugin(d, index);
    int err = sm_sensors_add(d->cfg->host->sensors, &p->sensor);

    p->registered = err == 0;
    return err ? sm_dev_say(d, err, "its sensor %s cannot be added: %s", p->sensor.id,
                            sm_strerror(err))
               : 0;
}

static void down(struct sm_device *d, uint16_t index)
{
    struct sm_device_plugin *p = sm_dev_plugin(d, index);

    if (p->registered)
        sm_sensors_remove(d->cfg->host->sensors, &p->sensor);
    p->registered = p->trapped = p->holds = p->calling = false;
}

const struct sm_plugin_ops sm_device_plugin_ops = {.admit = admit,
                                                   .find_functions = find_functions,
                                                   .resolve = resolve,
                                                   .bind = bind,
                                                   .up = up,
                                                   .down = down,
                                                   .measure = measure,
                                                   .health = health};

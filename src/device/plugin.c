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

static int find_reads(struct sm_device *d, const struct sm_wasm_module *module,
                      const struct sm_plugin_sensor *s, struct sm_device_plugin *p)
{
    char name[SM_SENSOR_NAME_MAX + 8];
    struct sm_wasm_functype t;

    for (uint32_t i = 0; i < s->values; i++) {
        sm_text(name, sizeof name, "read_%s", s->value[i].name);
        if (sm_wasm_export_find(module, name, SM_WASM_FUNC, &p->read[i].func) != 0)
            return sm_dev_say(d, SM_ERR_NOT_FOUND, "does not export %s", name);
        if (sm_wasm_functype(module, p->read[i].func, &t) != 0 || t.nparams != 0 ||
            t.nresults != 1 ||
            (t.results[0] != SM_WASM_I32 && t.results[0] != SM_WASM_F32 &&
             t.results[0] != SM_WASM_F64))
            return sm_dev_say(d, SM_ERR_INVALID, "its %s is not a function () -> f32, f64 or i32",
                              name);
        p->read[i].type = t.results[0];
    }
    return 0;
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
    int err = sm_modbus_step(&p->exchange, p->sensor.bus, NULL, now_ms);

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

/* ---- A reading ------------------------------------------------------------------------------- */

static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/* Units to the number of 10^-decimals of them that is nearest. */
static int to_number(double units, unsigned decimals, int32_t *out)
{
    double v = units * powers[decimals];

    if (!(v > -2147483648.5 && v < 2147483647.5)) /* nor when it is no number */
        return SM_ERR_INVALID;
    *out = (int32_t)(v < 0 ? v - 0.5 : v + 0.5);
    return 0;
}

static int take_result(const struct sm_wasm_exec *exec, uint8_t type, unsigned decimals,
                       int32_t *out)
{
    const uint32_t *words = sm_wasm_results(exec);
    float single;
    double wide;

    if (type == SM_WASM_I32) {
        *out = (int32_t)words[0];
        return 0;
    }
    if (type == SM_WASM_F32) {
        memcpy(&single, words, sizeof single);
        return to_number((double)single, decimals, out);
    }
    memcpy(&wide, words, sizeof wide);
    return to_number(wide, decimals, out);
}

static int begin_value(struct sm_device *d, struct sm_device_plugin *p)
{
    p->bus_error = 0;
    p->exchanging = false;
    return sm_wasm_call(&app_of(p)->exec, app_of(p)->inst, p->read[p->at].func, NULL,
                        sm_dev_budget(d));
}

static int end_value(struct sm_device_plugin *p)
{
    const struct sm_device_app *app = app_of(p);
    int err = p->bus_error;

    if (!err)
        err = take_result(&app->exec, p->read[p->at].type,
                          app->manifest.sensor.value[p->at].decimals, &p->value[p->at]);
    p->at++;
    return err;
}

/* Run until a value is there: 0, a positive number of milliseconds to wait for, or an error. */
static int run_value(struct sm_device_plugin *p, uint64_t now_ms)
{
    for (;;) {
        int wait = p->exchanging ? step_exchange(p, now_ms) : 0;
        if (wait > 0)
            return wait;
        int err = sm_dev_execute(p->device, p->index);
        if (err != SM_WASM_PENDING)
            return err ? SM_ERR_TRAP : end_value(p);
    }
}

static int read_values(struct sm_device *d, uint16_t index, int32_t *values)
{
    struct sm_device_plugin *p = sm_dev_plugin(d, index);
    const struct sm_clock *clock = &d->cfg->host->clock;
    uint32_t n = d->apps[index].manifest.sensor.values;
    int got = 0;

    if (!p->reading)
        p->at = 0;
    while (got == 0 && p->at < n) {
        if (!p->reading && begin_value(d, p) != 0)
            return SM_ERR_TRAP; /* not even its first frame fits the stack */
        got = run_value(p, clock->now_ms(clock->ctx));
        p->reading = got > 0;
    }
    if (got == 0)
        memcpy(values, p->value, n * sizeof *values);
    return got;
}

static int measure(struct sm_device *d, uint16_t index)
{
    struct sm_sensors *sensors = d->cfg->host->sensors;
    struct sm_device_plugin *p = sm_dev_plugin(d, index);
    int32_t values[SM_PLUGIN_VALUES];

    if (!p->holds && !sm_sensors_hold(sensors, &p->sensor))
        return 1;
    int got = read_values(d, index, values);
    p->holds = got > 0;
    if (!p->holds)
        sm_sensors_release(&p->sensor);
    return got;
}

/* ---- Its driver ------------------------------------------------------------------------------ */

static int start(struct sm_sensor *s)
{
    (void)s;
    return 0; /* the plugin knows when its chip needs what */
}

static int sample(struct sm_sensor *s, int32_t *values)
{
    struct sm_device_plugin *p = s->ctx;
    int err;

    if (s->step == 0)
        return 1; /* not within the call of who reads */
    if (p->trapped || app_of(p)->state != SM_APP_WAITING)
        return SM_ERR_IO;
    err = read_values(p->device, p->index, values);
    p->trapped = err == SM_ERR_TRAP; /* what follows from that is the next step's */
    return p->trapped ? SM_ERR_IO : err;
}

static void bind(struct sm_device *d, uint16_t index, const struct sm_plugin_sensor *s,
                 struct sm_host *host, struct sm_device_plugin *p)
{
    memset(p, 0, sizeof *p);
    p->device = d;
    p->index = index;
    p->host = host;
    for (uint32_t i = 0; i < s->values; i++)
        p->capability[i] = (struct sm_capability){.name = s->value[i].name,
                                                  .unit = s->value[i].unit,
                                                  .scale = (int8_t)-s->value[i].decimals,
                                                  .min = INT32_MIN,
                                                  .max = INT32_MAX};
    p->sensor.id = s->id;
    p->sensor.driver = &p->driver;
    p->sensor.bus = find_bus(d, s->bus);
    p->sensor.address = (uint8_t)s->address;
    p->sensor.ctx = p;
    p->driver = (struct sm_sensor_driver){.model = s->model,
                                          .bus = p->sensor.bus ? p->sensor.bus->kind : SM_BUS_NONE,
                                          .capabilities = (uint8_t)s->values,
                                          .capability = p->capability,
                                          .start = start,
                                          .sample = sample};
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
    p->registered = p->trapped = p->holds = false;
}

const struct sm_plugin_ops sm_device_plugin_ops = {.admit = admit,
                                                   .find_reads = find_reads,
                                                   .resolve = resolve,
                                                   .bind = bind,
                                                   .up = up,
                                                   .down = down,
                                                   .measure = measure};

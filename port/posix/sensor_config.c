/* Buses and sensors as JSON says. SPDX-License-Identifier: Apache-2.0 */
#include "sensor_config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <posix/file.h>
#include <posix/iio.h>
#include <posix/virtual_sensor.h>
#include <sandmote/drivers.h>

#define WHERE_MAX 96u

/* The path beside the configuration file, kept until the configuration is freed. */
static const char *keep_path(struct sm_sensor_config *c, const char *path)
{
    char out[PATH_MAX];
    if (c->nfiles == sizeof c->files / sizeof c->files[0] ||
        sm_file_beside(c->path, path, out, sizeof out) < 0)
        return NULL;
    char *kept = strdup(out);
    if (kept)
        c->files[c->nfiles++] = kept;
    return kept;
}

static bool name_valid(const char *name, size_t len)
{
    return len > 0 && len <= SM_SENSOR_ID_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") >= len;
}

/* ---- Sensors --------------------------------------------------------------------------------- */

static struct sm_sensor *find(struct sm_sensor_config *c, const char *id, size_t len)
{
    for (size_t i = 0; i < c->nsensors; i++)
        if (strlen(c->id[i]) == len && memcmp(c->id[i], id, len) == 0)
            return &c->sensors[i];
    return NULL;
}

static struct sm_sensor *new_sensor(struct sm_sensor_config *c, const char *where, const char *id,
                                    size_t len)
{
    if (!name_valid(id, len)) {
        sm_json_fail(c->err, "%s: a sensor's id is 1 to %u letters, digits, '.', '_' and '-'",
                     where, SM_SENSOR_ID_MAX);
        return NULL;
    }
    if (c->nsensors == SM_SENSOR_CONFIG_MAX) {
        sm_json_fail(c->err, "%s: there are more than %u sensors", where, SM_SENSOR_CONFIG_MAX);
        return NULL;
    }
    if (find(c, id, len)) {
        sm_json_fail(c->err, "%s: there is a sensor %.*s already", where, (int)len, id);
        return NULL;
    }
    memcpy(c->id[c->nsensors], id, len);
    struct sm_sensor *s = &c->sensors[c->nsensors];
    s->id = c->id[c->nsensors++];
    return s;
}

/* Memory for a sensor's ctx, zeroed, freed with the configuration. */
static void *new_ctx(struct sm_sensor_config *c, struct sm_sensor *s, size_t size)
{
    s->ctx = calloc(1, size);
    c->owned[s - c->sensors] = s->ctx != NULL;
    if (!s->ctx)
        sm_json_fail(c->err, "no memory for sensors");
    return s->ctx;
}

static struct sm_virtual_sensor *new_virtual(struct sm_sensor_config *c, const char *where,
                                             const char *id, size_t len)
{
    struct sm_sensor *s = new_sensor(c, where, id, len);
    struct sm_virtual_sensor *v = s ? new_ctx(c, s, sizeof *v) : NULL;
    if (v)
        s->driver = &v->driver;
    return v;
}

/* A number, or the text of a path. */
static int add_value(struct sm_sensor_config *c, const char *where, struct sm_virtual_sensor *v,
                     const char *name, const json_t *value)
{
    const char *file = NULL;
    json_int_t n = json_integer_value(value);
    if (!name_valid(name, strlen(name)))
        return sm_json_fail(c->err, "%s: a name is 1 to %u letters, digits, '.', '_' and '-'",
                            where, SM_SENSOR_NAME_MAX);
    if (json_is_string(value) && !(file = keep_path(c, json_string_value(value))))
        return sm_json_fail(c->err, "%s: the path is too long", where);
    if (!file && (!json_is_integer(value) || n < INT32_MIN || n > INT32_MAX))
        return sm_json_fail(c->err, "%s: must be a whole number of 32 bits or the path of a file",
                            where);
    switch (sm_virtual_sensor_add(v, name, file, (int32_t)n)) {
    case 0: return 0;
    case SM_ERR_STATE: return sm_json_fail(c->err, "%s: stands there twice", where);
    default:
        return sm_json_fail(c->err, "%s: more than %u values of one sensor", where,
                            SM_SENSOR_CAPABILITIES);
    }
}

/* {"id", "values"} */
static int add_values(struct sm_sensor_config *c, const char *where, const json_t *o)
{
    struct {
        const char *id;
        json_t *values;
    } in = {0};
    static const struct sm_json_field fields[] = {
        {"id", SM_JSON_TEXT, true, 1, SM_SENSOR_ID_MAX, 0},
        {"values", SM_JSON_OBJECT, true, 1, SM_SENSOR_CAPABILITIES, sizeof(const char *)},
        {0}};
    char at[WHERE_MAX];
    const char *name;
    json_t *value;
    if (sm_json_read(o, where, fields, false, &in, c->err) < 0)
        return SM_ERR_INVALID;
    struct sm_virtual_sensor *v = new_virtual(c, where, in.id, strlen(in.id));
    json_object_foreach(in.values, name, value)
    {
        snprintf(at, sizeof at, "%s.values.%.40s", where, name);
        if (!v || add_value(c, at, v, name, value) < 0)
            return SM_ERR_INVALID;
    }
    return v ? 0 : SM_ERR_INVALID;
}

/* {"name": "<id>/<name>", "value" or "file"} */
static int add_named(struct sm_sensor_config *c, const char *where, const json_t *o)
{
    const json_t *value = json_object_get(o, "value"), *file = json_object_get(o, "file");
    const char *name = json_string_value(json_object_get(o, "name"));
    const char *key, *slash = name ? strchr(name, '/') : NULL;
    json_t *any;
    json_object_foreach((json_t *)o, key, any)
    {
        if (strcmp(key, "name") != 0 && strcmp(key, "value") != 0 && strcmp(key, "file") != 0)
            return sm_json_fail(c->err, "%s.%.40s: unknown key", where, key);
    }
    if (!slash)
        return sm_json_fail(c->err, "%s.name: must be <sensor>/<value>", where);
    if (!value == !file || (file && !json_is_string(file)))
        return sm_json_fail(c->err, "%s: must have either a value or a file", where);
    size_t len = (size_t)(slash - name);
    struct sm_sensor *s = find(c, name, len);
    if (s && strcmp(s->driver->model, "virtual") != 0)
        return sm_json_fail(c->err, "%s.name: there is a sensor %s already", where, s->id);
    struct sm_virtual_sensor *v = s ? s->ctx : new_virtual(c, where, name, len);
    return v ? add_value(c, where, v, slash + 1, value ? value : file) : SM_ERR_INVALID;
}

/* ---- Drivers --------------------------------------------------------------------------------- */

/* What an entry with "driver" may hold. */
struct wired {
    const char *id, *driver, *bus, *folder;
    uint64_t address;
    bool active_high;
    json_t *registers;
};

/* What a kind of bus can address; an error is named here, not found by a chip that never answers.
 */
static int check_address(struct sm_sensor_config *c, const char *where, const struct wired *in,
                         unsigned kind)
{
    static const struct {
        uint8_t least, most;
        const char *what;
    } can[SM_BUS_KINDS] = {
        [SM_BUS_I2C] = {0x08, 0x77, "I2C addresses are 8 to 119"},
        [SM_BUS_SPI] = {0, 7, "SPI select lines are 0 to 7"},
        [SM_BUS_SERIAL] = {1, 247, "Modbus units are 1 to 247"},
    };
    return in->address < can[kind].least || in->address > can[kind].most
               ? sm_json_fail(c->err, "%s.address: %s", where, can[kind].what)
               : 0;
}

struct registers {
    const char *kind;
    uint64_t temperature, humidity, decimals, corrections;
};

/* Where a transmitter has its registers, as "registers" says. */
static int add_map(struct sm_sensor_config *c, const char *where, struct sm_sensor *s,
                   const json_t *registers)
{
#define AT(member) SM_JSON_AT(struct registers, member)
    static const struct sm_json_field fields[] = {
        {"kind", SM_JSON_TEXT, false, 1, 8, AT(kind)},
        {"temperature", SM_JSON_UINT, true, 0, UINT16_MAX, AT(temperature)},
        {"humidity", SM_JSON_UINT, true, 0, UINT16_MAX, AT(humidity)},
        {"decimals", SM_JSON_UINT, false, 0, 3, AT(decimals)},
        {"corrections", SM_JSON_UINT, false, 1, UINT16_MAX - 1, AT(corrections)},
        {0}};
#undef AT
    struct registers in = {.kind = "input", .decimals = 1};
    char at[WHERE_MAX];
    snprintf(at, sizeof at, "%s.registers", where);
    if (sm_json_read(registers, at, fields, false, &in, c->err) < 0)
        return SM_ERR_INVALID;
    bool holding = strcmp(in.kind, "holding") == 0;
    if (!holding && strcmp(in.kind, "input") != 0)
        return sm_json_fail(c->err, "%s.kind: must be input or holding", at);
    uint64_t apart =
        in.temperature < in.humidity ? in.humidity - in.temperature : in.temperature - in.humidity;
    if (apart == 0 || apart >= SM_MODBUS_REGISTERS)
        return sm_json_fail(c->err, "%s: temperature and humidity must be 1 to %u apart", at,
                            SM_MODBUS_REGISTERS - 1);
    struct sm_modbus_map *map = new_ctx(c, s, sizeof *map);
    if (!map)
        return SM_ERR_INVALID;
    *map =
        (struct sm_modbus_map){.function = holding ? SM_MODBUS_READ_HOLDING : SM_MODBUS_READ_INPUT,
                               .scale = (int8_t) - (int)in.decimals,
                               .temperature = (uint16_t)in.temperature,
                               .humidity = (uint16_t)in.humidity,
                               .corrections = (uint16_t)in.corrections};
    return 0;
}

/* What only one driver takes, and another was given. */
static const char *misplaced(const struct wired *in, const struct sm_sensor_driver *driver)
{
    return in->folder                                      ? "folder"
           : in->active_high && driver != &sm_driver_relay ? "active_high"
           : in->registers && driver != &sm_driver_modbus  ? "registers"
                                                           : NULL;
}

static int wire(struct sm_sensor_config *c, const char *where, const struct wired *in)
{
    const struct sm_sensor_driver *driver = sm_driver_find(in->driver);
    if (!driver)
        return sm_json_fail(c->err, "%s.driver: there is no driver %s", where, in->driver);
    if (misplaced(in, driver))
        return sm_json_fail(c->err, "%s.%s: not for %s", where, misplaced(in, driver), in->driver);
    if (!in->bus || in->address == UINT64_MAX)
        return sm_json_fail(c->err, "%s.%s: is missing", where, in->bus ? "address" : "bus");
    const struct sm_bus *bus = sm_bus_config_find(&c->buses, in->bus);
    if (!bus)
        return sm_json_fail(c->err, "%s.bus: there is no bus %s", where, in->bus);
    if (bus->kind != driver->bus)
        return sm_json_fail(c->err, "%s.bus: %s is for %s, %s is %s", where, in->driver,
                            sm_bus_kind_name(driver->bus), in->bus, sm_bus_kind_name(bus->kind));
    if (check_address(c, where, in, bus->kind) < 0)
        return SM_ERR_INVALID;
    struct sm_sensor *s = new_sensor(c, where, in->id, strlen(in->id));
    if (!s)
        return SM_ERR_INVALID;
    s->driver = driver;
    s->bus = bus;
    s->address = (uint8_t)in->address;
    if (in->registers)
        return add_map(c, where, s, in->registers);
    if (!in->active_high)
        return 0;
    struct sm_relay_wiring *wiring = new_ctx(c, s, sizeof *wiring);
    if (wiring)
        wiring->active_high = true;
    return wiring ? 0 : SM_ERR_INVALID;
}

/* A sensor of the kernel's. */
static int add_iio(struct sm_sensor_config *c, const char *where, const struct wired *in)
{
    struct sm_file_why why;
    if (in->bus || in->active_high || in->registers || in->address != UINT64_MAX)
        return sm_json_fail(c->err, "%s: driver iio takes a folder and nothing else", where);
    if (!in->folder)
        return sm_json_fail(c->err, "%s.folder: is missing", where);
    const char *folder = keep_path(c, in->folder);
    if (!folder)
        return sm_json_fail(c->err, "%s.folder: the path is too long", where);
    struct sm_sensor *s = new_sensor(c, where, in->id, strlen(in->id));
    struct sm_iio *iio = s ? new_ctx(c, s, sizeof *iio) : NULL;
    if (!iio)
        return SM_ERR_INVALID;
    if (sm_iio_open(iio, folder, &why) < 0)
        return sm_json_fail(c->err, "%s.folder: %.300s", where, why.text);
    s->driver = &iio->driver;
    return 0;
}

/* {"id", "driver", ...} */
static int add_wired(struct sm_sensor_config *c, const char *where, const json_t *o)
{
#define AT(member) SM_JSON_AT(struct wired, member)
    static const struct sm_json_field fields[] = {
        {"id", SM_JSON_TEXT, true, 1, SM_SENSOR_ID_MAX, AT(id)},
        {"driver", SM_JSON_TEXT, true, 1, 32, AT(driver)},
        {"bus", SM_JSON_TEXT, false, 1, SM_BUS_NAME_MAX, AT(bus)},
        {"address", SM_JSON_UINT, false, 0, 255, AT(address)},
        {"folder", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(folder)},
        {"active_high", SM_JSON_BOOL, false, 0, 1, AT(active_high)},
        {"registers", SM_JSON_OBJECT, false, 1, 5, AT(registers)},
        {0}};
#undef AT
    struct wired in = {.address = UINT64_MAX};
    if (sm_json_read(o, where, fields, false, &in, c->err) < 0)
        return SM_ERR_INVALID;
    return strcmp(in.driver, "iio") == 0 ? add_iio(c, where, &in) : wire(c, where, &in);
}

static int add_sensor(struct sm_sensor_config *c, size_t i, const json_t *o)
{
    char where[32];
    snprintf(where, sizeof where, "sensors[%zu]", i);
    if (!json_is_object(o))
        return sm_json_fail(c->err, "%s: must be an object", where);
    if (json_object_get(o, "name"))
        return add_named(c, where, o);
    if (json_object_get(o, "driver"))
        return add_wired(c, where, o);
    return add_values(c, where, o);
}

/* ---- All of it ------------------------------------------------------------------------------- */

int sm_sensor_config_read(struct sm_sensor_config *c, const json_t *buses, const json_t *sensors,
                          const char *path, const struct sm_clock *clock, struct sm_json_error *err)
{
    memset(c, 0, sizeof *c);
    c->path = path;
    c->err = err;
    if (sm_bus_config_open(&c->buses, buses, clock, err) < 0)
        return SM_ERR_INVALID;
    for (size_t i = 0; i < json_array_size(sensors); i++)
        if (add_sensor(c, i, json_array_get(sensors, i)) < 0)
            return SM_ERR_INVALID;
    return 0;
}

int sm_sensor_config_add(struct sm_sensor_config *c, struct sm_sensors *m,
                         struct sm_json_error *err)
{
    c->err = err;
    for (size_t i = 0; i < c->nsensors; i++)
        if (sm_sensors_add(m, &c->sensors[i]) < 0)
            return sm_json_fail(c->err, "sensor %s: a name of it is one that every sensor has",
                                c->id[i]);
    return 0;
}

void sm_sensor_config_free(struct sm_sensor_config *c)
{
    for (size_t i = 0; i < c->nsensors; i++)
        if (c->owned[i])
            free(c->sensors[i].ctx);
    for (size_t i = 0; i < c->nfiles; i++)
        free(c->files[i]);
    sm_bus_config_close(&c->buses);
    c->nsensors = c->nfiles = 0;
}

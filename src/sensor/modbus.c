/* Transmitters of temperature and humidity with Modbus RTU.
 *
 * Both values are read at once, with all registers between them. Corrections are kept by the
 * transmitter itself, over power cuts: they are read from it, never remembered here.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/drivers.h>
#include "registers.h"

enum { TEMPERATURE, HUMIDITY };

static const struct sm_capability capability[] = {
    [TEMPERATURE] = {"temperature", SM_UNIT_CELSIUS, -3, -40000, 125000},
    [HUMIDITY] = {"humidity", SM_UNIT_HUMIDITY, -3, 0, 100000},
};

static const struct sm_attribute attribute[] = {
    {"temperature_correction", SM_UNIT_CELSIUS, -1, SM_RULE_HOLDER, true, -100, 100, 0},
    {"humidity_correction", SM_UNIT_HUMIDITY, -1, SM_RULE_HOLDER, true, -100, 100, 0},
};

static const struct sm_modbus_map defaults = {
    SM_MODBUS_READ_INPUT, -1, 1, 2, 0x103, {0, 0},
};

struct transmitter {
    struct sm_modbus exchange;
};
SM_STATE_FITS(transmitter);

static const struct sm_modbus_map *map_of(const struct sm_sensor *s)
{
    return s->ctx ? s->ctx : &defaults;
}

static struct sm_modbus *exchange_of(struct sm_sensor *s)
{
    return &((struct transmitter *)s->state.bytes)->exchange;
}

/* What the map and the address are not checked for elsewhere is. */
static int begun(int err)
{
    return err ? SM_ERR_INVALID : 0;
}

static int go_on(struct sm_sensor *s)
{
    return sm_modbus_step(exchange_of(s), s->bus, &map_of(s)->timing, s->now_ms);
}

static uint16_t lower(const struct sm_modbus_map *map)
{
    return map->temperature < map->humidity ? map->temperature : map->humidity;
}

static int read_both(struct sm_sensor *s, int32_t *raw)
{
    const struct sm_modbus_map *map = map_of(s);
    struct sm_modbus *m = exchange_of(s);
    unsigned span = (unsigned)(map->temperature + map->humidity - 2 * lower(map)) + 1;
    if (s->step == 0) {
        int err = span > SM_MODBUS_REGISTERS
                      ? SM_ERR_ARG
                      : sm_modbus_read(m, s->address, map->function, lower(map), (uint8_t)span);
        if (err)
            return begun(err);
    }
    int got = go_on(s);
    if (got == 0) {
        raw[TEMPERATURE] =
            (int16_t)sm_modbus_register(m, (unsigned)(map->temperature - lower(map)));
        raw[HUMIDITY] = sm_modbus_register(m, (unsigned)(map->humidity - lower(map)));
    }
    return got;
}

static int sample(struct sm_sensor *s, int32_t *values)
{
    static const int32_t factors[] = {1, 10, 100, 1000};
    const struct sm_modbus_map *map = map_of(s);
    int32_t raw[2];
    if (map->scale < -3 || map->scale > 0)
        return SM_ERR_INVALID;
    int got = read_both(s, raw);
    if (got != 0)
        return got;
    for (unsigned i = 0; i < 2; i++) {
        raw[i] *= factors[map->scale + 3];
        if (raw[i] < capability[i].min || raw[i] > capability[i].max)
            return SM_ERR_INVALID;
    }
    values[TEMPERATURE] = raw[TEMPERATURE];
    values[HUMIDITY] = raw[HUMIDITY];
    return 0;
}

/* It is there when it measures: transmitters have no number of their kind to ask for. */
static int start(struct sm_sensor *s)
{
    int32_t values[2];
    return sample(s, values);
}

static int set(struct sm_sensor *s, unsigned which, int64_t value)
{
    const struct sm_modbus_map *map = map_of(s);
    uint16_t bits = (uint16_t)value;
    if (map->corrections == 0)
        return SM_ERR_UNSUPPORTED;
    int err = s->step > 0 ? 0
                          : sm_modbus_write(exchange_of(s), s->address, SM_MODBUS_WRITE_SINGLE,
                                            (uint16_t)(map->corrections + which), &bits, 1);
    return err ? begun(err) : go_on(s);
}

static int get(struct sm_sensor *s, unsigned which, int64_t *value)
{
    const struct sm_modbus_map *map = map_of(s);
    if (map->corrections == 0)
        return SM_ERR_UNSUPPORTED;
    int err = s->step > 0 ? 0
                          : sm_modbus_read(exchange_of(s), s->address, SM_MODBUS_READ_HOLDING,
                                           (uint16_t)(map->corrections + which), 1);
    int got = err ? begun(err) : go_on(s);
    if (got == 0) {
        *value = (int16_t)sm_modbus_register(exchange_of(s), 0);
        if (*value < attribute[which].min || *value > attribute[which].max)
            return SM_ERR_INVALID;
    }
    return got;
}

const struct sm_sensor_driver sm_driver_modbus = {
    .model = "MODBUS-TH",
    .bus = SM_BUS_SERIAL,
    .sleeps = true,
    .capabilities = 2,
    .attributes = 2,
    .capability = capability,
    .attribute = attribute,
    .start = start,
    .sample = sample,
    .set = set,
    .get = get,
};

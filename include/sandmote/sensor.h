/* Sensors: what they are to modules, and what a driver has to do.
 *
 * A sensor has capabilities, which are measured, and attributes, which are set or read. A value is
 * a whole number of 10^scale units: temperature 21560 with scale -3 and unit Celsius is 21.56
 * degrees. Source of the model: WASI-SN, section 4.1.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_SENSOR_H
#define SANDMOTE_SENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/bus.h>
#include <sandmote/error.h>

#define SM_SENSOR_ID_MAX       32u /* bytes of text: a-z A-Z 0-9 . _ - */
#define SM_SENSOR_NAME_MAX     32u /* the same, of a capability or an attribute */
#define SM_SENSOR_MODEL_MAX    32u /* bytes of printable ASCII */
#define SM_SENSOR_CAPABILITIES 8u  /* most of one sensor */
#define SM_SENSOR_ATTRIBUTES   8u  /* most of one sensor, beside those that all have */

/* Numbers are those that modules see. */
#define SM_UNITS(X)                                                                                \
    X(NONE, 0, "")                                                                                 \
    X(CELSIUS, 1, "degC")                                                                          \
    X(HUMIDITY, 2, "%RH")                                                                          \
    X(PASCAL, 3, "Pa")                                                                             \
    X(PPM, 4, "ppm")                                                                               \
    X(PPB, 5, "ppb")                                                                               \
    X(GRAVITY, 6, "g")                                                                             \
    X(VOLT, 7, "V")                                                                                \
    X(AMPERE, 8, "A")                                                                              \
    X(WATT, 9, "W")                                                                                \
    X(HERTZ, 10, "Hz")                                                                             \
    X(SECOND, 11, "s")                                                                             \
    X(METRE, 12, "m")                                                                              \
    X(LUX, 13, "lx")                                                                               \
    X(BOOLEAN, 14, "bool")

enum sm_unit {
#define X(name, value, text) SM_UNIT_##name = value,
    SM_UNITS(X)
#undef X
        SM_UNIT_COUNT
};

/* The text of a unit, or NULL. */
const char *sm_unit_text(unsigned unit);

struct sm_capability {
    const char *name;
    uint8_t unit;     /* enum sm_unit */
    int8_t scale;     /* of value, min and max: they count 10^scale units */
    int32_t min, max; /* what the sensor can measure */
};

/* How the wishes of several modules for one attribute become the one that is set. */
enum sm_rule {
    SM_RULE_LOWEST,  /* the lowest: intervals, where that is the fastest */
    SM_RULE_HIGHEST, /* the highest: precision, filters */
    SM_RULE_HOLDER   /* whoever wrote first holds it until it turns the sensor off or ends; writes
                        of others are SM_ERR_BUSY. For what acts on the world */
};

struct sm_attribute {
    const char *name;
    uint8_t unit;
    int8_t scale;
    uint8_t rule; /* enum sm_rule */
    bool writable;
    int64_t min, max; /* what may be set */
    int64_t initial;  /* while nobody wishes anything */
};

/* Bytes of a driver's own state in each sensor. */
#define SM_SENSOR_STATE 128u

struct sm_sensor;

/* A driver. Its functions are steps: each returns
 *   0                  done
 *   a positive number  not done: call again after so many milliseconds, up to 10000
 *   a negative one     failed: an error of the bus, SM_ERR_CORRUPT (a checksum), SM_ERR_INVALID
 * (not this chip, or a value that cannot be), SM_ERR_UNSUPPORTED A new request begins with step 0,
 * and `s->step` counts the calls of one request; a request may be given up between two steps, and
 * the driver hears of that by the next step 0. None blocks. */
struct sm_sensor_driver {
    const char *model; /* "BME280" */
    uint8_t bus;       /* enum sm_bus_kind that it needs */
    bool sleeps;       /* the chip rests between measurements by itself */
    bool exact;        /* sample() sees to it that values are within min and max */
    bool keeps;        /* start() leaves the chip's attributes as they are, and so does a rest: the
                          manager sets all that are writable after each start, and back to their
                          initial values before the rest */
    uint8_t capabilities, attributes;
    const struct sm_capability *capability;
    const struct sm_attribute *attribute;
    uint32_t interval_ms; /* least time between two measurements; 0: none */
    /* Find the chip, reset it, read what never changes. State is all zero at step 0. */
    int (*start)(struct sm_sensor *s);
    /* Measure: one number for each capability. */
    int (*sample)(struct sm_sensor *s, int32_t *values);
    /* Set an attribute, value in its range; NULL when none is writable. */
    int (*set)(struct sm_sensor *s, unsigned attribute, int64_t value);
    /* Read an attribute from the chip; NULL: what was set last is what it is. */
    int (*get)(struct sm_sensor *s, unsigned attribute, int64_t *value);
    /* Put the chip to rest; may be NULL. Errors are of no use here. */
    void (*stop)(struct sm_sensor *s);
};

struct sm_sensor_client;

/* What the manager (sensors.h) keeps of a sensor; nobody else's. */
struct sm_sensor_run {
    struct sm_sensor *next;          /* in the order of the registry */
    struct sm_sensor_client *client; /* whose request is under way; NULL: the manager's own work */
    union {
        uint32_t hurdles; /* 0: for a read of values only the driver has to be called */
        struct {
            uint32_t op : 8;        /* what the driver is doing */
            uint32_t dirty : 8;     /* attributes (bits) that the chip does not have yet */
            uint32_t awaited : 8;   /* requests in line for it, the one under way included */
            uint32_t no_sample : 1; /* value and sampled_ms are not those of the last measurement;
                                       so it is while the sensor is not alive */
            uint32_t apart : 1;     /* on a line with others, or measured at intervals */
        };
    };
    uint8_t state;        /* enum sm_sensor_state */
    uint8_t op_attribute; /* that op is about */
    bool alive;           /* started, and neither stopped nor failed since */
    uint32_t
        interval_ms;   /* measurements are apart: for the lowest wished, or as the driver needs */
    uint32_t pause_ms; /* after the last failure; 0: none since it worked */
    uint64_t retry_ms, due_ms, began_ms, sampled_ms;
    int64_t op_value;
    int64_t attribute[SM_SENSOR_ATTRIBUTES]; /* in force, by the rules */
    int32_t value[SM_SENSOR_CAPABILITIES];
};

/* One sensor of a device. The owner sets the first five, zeroes the rest and keeps it in place; a
 * driver uses step, now_ms and state beside these. */
struct sm_sensor {
    const char *id; /* what modules call it; unique on the device */
    const struct sm_sensor_driver *driver;
    const struct sm_bus *bus; /* NULL when the driver needs none */
    uint8_t address;          /* I2C address, SPI select line, Modbus unit */
    void *ctx;                /* the driver's own, from the owner */

    uint32_t step;   /* of the request: 0 at its first call */
    uint64_t now_ms; /* monotonic */
    union {
        uint64_t align;
        uint8_t bytes[SM_SENSOR_STATE];
    } state; /* the driver's; zero before each start */

    struct sm_sensor_run run;
};

/* Drivers of this library. */
extern const struct sm_sensor_driver sm_driver_bme280;  /* I2C 0x76, 0x77 */
extern const struct sm_sensor_driver sm_driver_ccs811;  /* I2C 0x5a, 0x5b */
extern const struct sm_sensor_driver sm_driver_tmp105;  /* I2C 0x48 to 0x4f; LM75 too */
extern const struct sm_sensor_driver sm_driver_adxl345; /* SPI */
extern const struct sm_sensor_driver sm_driver_modbus;  /* Modbus RTU temperature and humidity */
extern const struct sm_sensor_driver sm_driver_relay;   /* I2C 0x20 to 0x27: PCF8574, 8 relays */

/* The driver of that model, or NULL. */
const struct sm_sensor_driver *sm_driver_find(const char *model);

#endif

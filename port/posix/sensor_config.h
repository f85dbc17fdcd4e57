/* Buses and sensors as JSON says, for the daemon's configuration and the tools.
 *
 * "buses": as posix/bus_config.h says,
 * "sensors": [
 *   {"id": "BME280", "driver": "BME280", "bus": "i2c-1", "address": 118},
 *                                  a driver of this build; its chip's I2C address, SPI select line
 *                                  or Modbus unit
 *   {"id": "relays", "driver": "PCF8574", "bus": "i2c-1", "address": 32, "active_high": true},
 *   {"id": "yard", "driver": "MODBUS-TH", "bus": "rs485", "address": 3,
 *    "registers": {"kind": "holding", "temperature": 0, "humidity": 1, "decimals": 1}},
 *                                  where a transmitter has its registers when it is not as most
 * are; kind is "input" or "holding", the first by default; "corrections": the holding register of
 * the first, none by default
 *   {"id": "room", "driver": "iio", "folder": "/sys/bus/iio/devices/iio:device0"},
 *                                  one that the kernel drives
 *   {"id": "BME280", "values": {"temperature": 21500, "humidity": "humidity.txt"}},
 *                                  virtual: a fixed value, or the number in a file
 *   {"name": "door/open", "value": 1}, {"name": "door/moved", "file": "moved.txt"}
 *                                  the same, one value each; those of one sensor are put together
 * ]
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_SENSOR_CONFIG_H
#define SM_POSIX_SENSOR_CONFIG_H

#include <posix/bus_config.h>
#include <posix/json_read.h>
#include <sandmote/sensors.h>

#define SM_SENSOR_CONFIG_MAX 64u /* sensors, and values by name */

/* Fields are private. It stays where it is until it is freed, and the JSON values as long. */
struct sm_sensor_config {
    const char *path; /* of the file that paths are relative to */
    struct sm_json_error *err;
    struct sm_bus_config buses;
    struct sm_sensor sensors[SM_SENSOR_CONFIG_MAX];
    char id[SM_SENSOR_CONFIG_MAX][SM_SENSOR_ID_MAX + 1];
    bool owned[SM_SENSOR_CONFIG_MAX]; /* their ctx */
    size_t nsensors;
    char *files[SM_SENSOR_CONFIG_MAX * SM_SENSOR_CAPABILITIES]; /* owned */
    size_t nfiles;
};

/* Read the two arrays, which may be NULL, and open the buses. Paths are relative to the folder of
 * the file `path`; clock is that of simulated chips and outlives them. 0, or SM_ERR_INVALID with a
 * sentence in *err; free it in both cases. */
int sm_sensor_config_read(struct sm_sensor_config *c, const json_t *buses, const json_t *sensors,
                          const char *path, const struct sm_clock *clock,
                          struct sm_json_error *err);
/* What was added to a registry is used no more. */
void sm_sensor_config_free(struct sm_sensor_config *c);

/* Put them into a registry, in their order. 0, or SM_ERR_INVALID with a sentence in *err. */
int sm_sensor_config_add(struct sm_sensor_config *c, struct sm_sensors *m,
                         struct sm_json_error *err);

#endif

/* Buses as JSON says, for the daemon's configuration and the tools: of this host, or simulated.
 *
 * "buses": [
 *   {"name": "i2c-1", "type": "i2c", "device": "/dev/i2c-1"},
 *   {"name": "spi-0", "type": "spi", "device": "/dev/spidev0", "hz": 1000000},
 *   {"name": "rtu-0", "type": "serial", "device": "/dev/ttyUSB0", "baud": 9600,
 *    "parity": "even", "stop_bits": 1},
 *   {"name": "i2c-2", "type": "simulated", "chips": ["TMP105@0x48 temperature=21.5"]}
 *                                  chips as sim/sim.h describes them, all for the same kind of bus
 * ]
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_BUS_CONFIG_H
#define SM_POSIX_BUS_CONFIG_H

#include <posix/json_read.h>
#include <sandmote/bus.h>
#include <sandmote/port.h>

#define SM_BUS_CONFIG_MAX 16u
#define SM_BUS_CHIPS_MAX  32u /* on one simulated bus */

struct sm_opened_bus; /* private */

struct sm_bus_config {
    const struct sm_bus *bus[SM_BUS_CONFIG_MAX];
    size_t count;
    struct sm_opened_bus *opened[SM_BUS_CONFIG_MAX]; /* private */
};

/* Open what the array says; it may be NULL, and is borrowed until the buses are closed. clock is
 * that of simulated chips. 0, or SM_ERR_INVALID with a sentence in *err. Close it in both cases. */
int sm_bus_config_open(struct sm_bus_config *c, const json_t *buses, const struct sm_clock *clock,
                       struct sm_json_error *err);
void sm_bus_config_close(struct sm_bus_config *c);

/* The bus of that name, or NULL. */
const struct sm_bus *sm_bus_config_find(const struct sm_bus_config *c, const char *name);

#endif

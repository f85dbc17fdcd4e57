/* How chips are wired: what the owner of a sensor may give to its driver in sm_sensor.ctx. NULL
 * there stands for the defaults.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_DRIVERS_H
#define SANDMOTE_DRIVERS_H

#include <sandmote/modbus.h>
#include <sandmote/sensor.h>

/* sm_driver_relay: which level closes a relay. False, as on most boards: low. The chip itself
 * starts with all outputs high. */
struct sm_relay_wiring {
    bool active_high;
};

/* sm_driver_modbus: where a transmitter has its registers. The defaults are those of the common
 * ones with an SHT20 (XY-MD02): input registers 1 and 2 in tenths, holding registers 0x103 and
 * 0x104 with corrections in tenths. */
struct sm_modbus_map {
    uint8_t function;               /* to read both with: 3 or 4 */
    int8_t scale;                   /* of both: -3 to 0 */
    uint16_t temperature, humidity; /* signed, unsigned; at most 31 apart */
    uint16_t corrections; /* holding register of the first, humidity's after it; 0: none */
    struct sm_modbus_timing timing;
};

#endif

/* What a plugin imports: one bus, of which the host allows it one address. For C on wasm32.
 *
 * It exports a function for each capability of its manifest, and for each attribute that modules
 * may write one that sets, and one that gets, which only those need that are read alone:
 *
 *   SM_EXPORT("read_temperature") float read_temperature(void);
 *   SM_EXPORT("set_alert_high") void set_alert_high(float degrees);
 *   SM_EXPORT("get_alert_high") float get_alert_high(void);
 *
 * float and double count units, int32_t (and of attributes int64_t) the number that modules have.
 * When the last transfer in one of them fails, there is no value, or none was set.
 *
 * Bus and address were bound when the plugin was installed. A call that names another address, or a
 * bus of another kind, is refused and logged, and nothing is sent. Every function returns 0 when it
 * was done, else a negative number; then what was to be read is unchanged. A pointer that leaves
 * the module's memory traps.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_GUEST_PLUGIN_H
#define SANDMOTE_GUEST_PLUGIN_H

#include <stdint.h>
#include "sandmote.h"

/* Read len bytes from register reg on of the chip at a 7-bit address. */
SM_IMPORT("env", "i2c_read")
int32_t i2c_read(uint8_t addr, uint8_t reg, uint8_t *buf, uint32_t len);

/* Write len bytes to register reg on. */
SM_IMPORT("env", "i2c_write")
int32_t i2c_write(uint8_t addr, uint8_t reg, const uint8_t *buf, uint32_t len);

/* Exchange len bytes with the chip of the select line that was bound. in may be out. */
SM_IMPORT("env", "spi_transfer")
int32_t spi_transfer(const uint8_t *out, uint8_t *in, uint32_t len);

/* Read count holding registers from reg on of the Modbus unit that was bound. */
SM_IMPORT("env", "modbus_read")
int32_t modbus_read(uint16_t reg, uint16_t *buf, uint32_t count);

/* Read count input registers from reg on. */
SM_IMPORT("env", "modbus_read_input")
int32_t modbus_read_input(uint16_t reg, uint16_t *buf, uint32_t count);

/* Write count holding registers from reg on. */
SM_IMPORT("env", "modbus_write")
int32_t modbus_write(uint16_t reg, const uint16_t *buf, uint32_t count);

#endif

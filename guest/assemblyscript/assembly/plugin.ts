/**
 * What a plugin imports: one bus, of which the host allows it one address.
 *
 * It exports read_NAME for each capability of its manifest, set_NAME and get_NAME for its
 * attributes; doc/plugins.md says more. Bus and address were bound when it was installed: a call
 * that names another address is refused and logged, and nothing is sent. Every function returns
 * whether it was done; what was to be read is undefined else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import * as host from "./imports";

/** Read from register reg on of the chip at a 7-bit address, as many bytes as buf has, at most 256. */
export function i2cRead(addr: u8, reg: u8, buf: StaticArray<u8>): bool {
  return host.i2cRead(addr, reg, changetype<usize>(buf), buf.length) == 0;
}

/** Write to register reg on, at most 64 bytes. */
export function i2cWrite(addr: u8, reg: u8, buf: StaticArray<u8>): bool {
  return host.i2cWrite(addr, reg, changetype<usize>(buf), buf.length) == 0;
}

/** Exchange bytes with the chip of the select line that was bound: those of buf go out, those that
 *  come in take their place; at most 64. */
export function spiTransfer(buf: StaticArray<u8>): bool {
  return host.spiTransfer(changetype<usize>(buf), changetype<usize>(buf), buf.length) == 0;
}

/** Read holding registers from reg on of the Modbus unit that was bound, at most 32. */
export function modbusRead(reg: u16, buf: StaticArray<u16>): bool {
  return host.modbusRead(reg, changetype<usize>(buf), buf.length) == 0;
}

/** Read input registers from reg on. */
export function modbusReadInput(reg: u16, buf: StaticArray<u16>): bool {
  return host.modbusReadInput(reg, changetype<usize>(buf), buf.length) == 0;
}

/** Write holding registers from reg on. */
export function modbusWrite(reg: u16, buf: StaticArray<u16>): bool {
  return host.modbusWrite(reg, changetype<usize>(buf), buf.length) == 0;
}

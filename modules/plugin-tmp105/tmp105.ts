/**
 * A TMP105 on I2C as a plugin: its temperature, the limit above which its alert line is active, and
 * the bits of a measurement.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import { i2cRead, i2cWrite } from "sandmote/assembly/plugin";
export { __heap_base }; // tells `sandmote pack` how much memory the module uses

const CHIP: u8 = 0x48;
const TEMPERATURE: u8 = 0;
const CONFIG: u8 = 1;
const ALERT_HIGH: u8 = 3;

const raw: StaticArray<u8> = [0, 0];
const config: StaticArray<u8> = [0];

// Left-justified: 12 bits in the upper part of 16. The device notices a transfer that fails.
function degrees(register: u8): f32 {
  i2cRead(CHIP, register, raw);
  return <f32>(<i16>((<u16>raw[0] << 8) | raw[1])) / 256;
}

export function read_temperature(): f32 {
  return degrees(TEMPERATURE);
}

export function set_alert_high(limit: f32): void {
  const bits = <i32>(limit * 16) << 4;
  raw[0] = <u8>(bits >> 8);
  raw[1] = <u8>bits;
  i2cWrite(CHIP, ALERT_HIGH, raw);
}

export function get_alert_high(): f32 {
  return degrees(ALERT_HIGH);
}

export function set_resolution(bits: i32): void {
  config[0] = <u8>((bits - 9) << 5);
  i2cWrite(CHIP, CONFIG, config);
}

export function get_resolution(): i32 {
  i2cRead(CHIP, CONFIG, config);
  return 9 + ((config[0] >> 5) & 3);
}

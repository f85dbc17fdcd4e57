import { i2cRead, i2cWrite } from "./sandmote/assembly/plugin";
export { __heap_base }; // tells `sandmote pack` how much memory the plugin uses

const CHIP: u8 = 0x48;
const TEMPERATURE: u8 = 0;
const ALERT_HIGH: u8 = 3;
const raw: StaticArray<u8> = [0, 0];

// The chip's registers have 1/256 degrees. A transfer that fails is noticed by the device.
function degrees(register: u8): f32 {
  i2cRead(CHIP, register, raw);
  return <f32>(<i16>((<u16>raw[0] << 8) | raw[1])) / 256;
}

/** Called when a module reads the temperature. */
export function read_temperature(): f32 {
  return degrees(TEMPERATURE);
}

/** Called with a value in the manifest's range, when modules wish another one. */
export function set_alert_high(limit: f32): void {
  const bits = <i32>(limit * 256);
  raw[0] = <u8>(bits >> 8);
  raw[1] = <u8>bits;
  i2cWrite(CHIP, ALERT_HIGH, raw);
}

/** Without this one modules read what was set. */
export function get_alert_high(): f32 {
  return degrees(ALERT_HIGH);
}

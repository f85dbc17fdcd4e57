#![no_std]

use sandmote::plugin::{i2c_read, i2c_write};

const CHIP: u8 = 0x48;
const TEMPERATURE: u8 = 0;
const ALERT_HIGH: u8 = 3;

// The chip's registers have 1/256 degrees. A transfer that fails is noticed by the device.
fn degrees(register: u8) -> f32 {
    let mut raw = [0; 2];
    let _ = i2c_read(CHIP, register, &mut raw);
    i16::from_be_bytes(raw) as f32 / 256.0
}

/// Called when a module reads the temperature.
#[no_mangle]
pub extern "C" fn read_temperature() -> f32 {
    degrees(TEMPERATURE)
}

/// Called with a value in the manifest's range, when modules wish another one.
#[no_mangle]
pub extern "C" fn set_alert_high(limit: f32) {
    let _ = i2c_write(CHIP, ALERT_HIGH, &((limit * 256.0) as i16).to_be_bytes());
}

/// Without this one modules read what was set.
#[no_mangle]
pub extern "C" fn get_alert_high() -> f32 {
    degrees(ALERT_HIGH)
}

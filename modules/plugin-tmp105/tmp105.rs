//! The article's plugin (plugin-tmp-rs) corrected for the TMP105, whose register 0 is
//! left-justified: 12 bits in the upper part of 16. A failed transfer is not a temperature. It has
//! attributes too: the limit above which the chip's alert line is active, and the bits of a
//! measurement.
//!
//! SPDX-License-Identifier: Apache-2.0
#![no_std]

use sandmote::plugin::{i2c_read, i2c_write};

const CHIP: u8 = 0x48;
const TEMPERATURE: u8 = 0;
const CONFIG: u8 = 1;
const ALERT_HIGH: u8 = 3;

fn degrees(register: u8) -> f32 {
    let mut raw = [0; 2];
    match i2c_read(CHIP, register, &mut raw) {
        Ok(()) => (i16::from_be_bytes(raw) >> 4) as f32 * 0.0625,
        Err(_) => f32::NAN,
    }
}

#[no_mangle]
pub extern "C" fn read_temperature() -> f32 {
    degrees(TEMPERATURE)
}

// The device notices a transfer that fails: nothing else is to be said here.
#[no_mangle]
pub extern "C" fn set_alert_high(degrees: f32) {
    let sixteenths = (degrees * 16.0) as i16;
    let _ = i2c_write(CHIP, ALERT_HIGH, &(sixteenths << 4).to_be_bytes());
}

#[no_mangle]
pub extern "C" fn get_alert_high() -> f32 {
    degrees(ALERT_HIGH)
}

#[no_mangle]
pub extern "C" fn set_resolution(bits: i32) {
    let _ = i2c_write(CHIP, CONFIG, &[((bits - 9) << 5) as u8]);
}

#[no_mangle]
pub extern "C" fn get_resolution() -> i32 {
    let mut config = [0];
    let _ = i2c_read(CHIP, CONFIG, &mut config);
    9 + (config[0] as i32 >> 5 & 3)
}

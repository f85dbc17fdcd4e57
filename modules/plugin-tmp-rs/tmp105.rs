//! The article's plugin corrected for the TMP105, whose register 0 is left-justified: 12 bits in the
//! upper part of 16. A failed transfer is not a temperature. It has attributes too: the limit above
//! which the chip's alert line is active, and the bits of a measurement.
//!
//! SPDX-License-Identifier: Apache-2.0
#![no_std]

extern crate sandmote; // the panic handler

extern "C" {
    fn i2c_read(addr: u8, reg: u8, buf: *mut u8, len: u32) -> i32;
    fn i2c_write(addr: u8, reg: u8, buf: *const u8, len: u32) -> i32;
}

const CHIP: u8 = 0x48;
const TEMPERATURE: u8 = 0;
const CONFIG: u8 = 1;
const HIGH: u8 = 3;

fn degrees(register: u8) -> f32 {
    let mut raw = [0u8; 2];
    let code = unsafe { i2c_read(CHIP, register, raw.as_mut_ptr(), 2) };
    if code < 0 {
        return f32::NAN;
    }
    (i16::from_be_bytes(raw) >> 4) as f32 * 0.0625
}

#[no_mangle]
pub extern "C" fn read_temperature() -> f32 {
    degrees(TEMPERATURE)
}

// A transfer that fails makes the host refuse the value: nothing else is to be said here.
#[no_mangle]
pub extern "C" fn set_alert_high(value: f32) {
    let sixteenths = (value * 16.0) as i16; // its range is the manifest's
    let raw = (sixteenths << 4).to_be_bytes();
    unsafe { i2c_write(CHIP, HIGH, raw.as_ptr(), 2) };
}

#[no_mangle]
pub extern "C" fn get_alert_high() -> f32 {
    degrees(HIGH)
}

#[no_mangle]
pub extern "C" fn set_resolution(bits: i32) {
    let config = ((bits - 9) << 5) as u8;
    unsafe { i2c_write(CHIP, CONFIG, &config, 1) };
}

#[no_mangle]
pub extern "C" fn get_resolution() -> i32 {
    let mut config = 0u8;
    unsafe { i2c_read(CHIP, CONFIG, &mut config, 1) };
    9 + (config as i32 >> 5 & 3)
}

//! The article's plugin corrected for the TMP105, whose register 0 is left-justified: 12 bits in the
//! upper part of 16. A failed transfer is not a temperature.
//!
//! SPDX-License-Identifier: Apache-2.0
#![no_std]

extern crate sandmote; // the panic handler

extern "C" {
    fn i2c_read(addr: u8, reg: u8, buf: *mut u8, len: u32) -> i32;
}

#[no_mangle]
pub extern "C" fn read_temperature() -> f32 {
    let mut raw = [0u8; 2];
    let code = unsafe { i2c_read(0x48, 0x00, raw.as_mut_ptr(), 2) };
    if code < 0 {
        return f32::NAN;
    }
    (i16::from_be_bytes(raw) >> 4) as f32 * 0.0625
}

//! What a module author uses: the host interface, version 1, for Rust on wasm32.
//!
//! `no_std`, no dependency, no allocation. A panic becomes a trap, which the device reports and
//! counts. modules/build.sh has the compiler's flags.
//!
//! SPDX-License-Identifier: Apache-2.0
#![no_std]

use core::panic::PanicInfo;

mod imports {
    #[link(wasm_import_module = "sandmote")]
    extern "C" {
        pub fn log(text: *const u8, len: u32);
        pub fn uptime_ms() -> i64;
    }

    #[link(wasm_import_module = "wasi_sn")]
    extern "C" {
        pub fn read(sensor: *const u8, name: *const u8, buf: *mut u8, len: i32) -> i32;
    }
}

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// Writes one line to the device's log: printable ASCII without an end of line, of which 160 bytes
/// are kept. Lines that come too fast are dropped and counted. Capability "log".
pub fn log(text: &str) {
    // The host reads the text before it returns and keeps no pointer.
    unsafe { imports::log(text.as_ptr(), text.len() as u32) }
}

/// Milliseconds since this instance of the module was made; never goes back. No capability.
pub fn uptime_ms() -> i64 {
    unsafe { imports::uptime_ms() }
}

/// A sensor's value, named once as a constant: `Reading::new("BME280\0", "temperature\0")`.
pub struct Reading {
    sensor: &'static str,
    name: &'static str,
}

impl Reading {
    /// Both names end with a zero byte, as the host wants them; anything else does not compile
    /// when the value is a constant.
    pub const fn new(sensor: &'static str, name: &'static str) -> Reading {
        assert!(ends_with_zero(sensor) && ends_with_zero(name));
        Reading { sensor, name }
    }

    /// The value in thousandths of its unit (21500 is 21.5 degrees Celsius), or nothing when there
    /// is no such sensor or value, it cannot be read now, or it was not granted.
    /// Capability "sensor/<sensor>/<name>:r".
    pub fn read(&self) -> Option<i32> {
        let mut value = [0u8; 4];
        // Both names end with a zero byte (new), and the host writes at most the length it is told.
        let done = unsafe {
            imports::read(
                self.sensor.as_ptr(),
                self.name.as_ptr(),
                value.as_mut_ptr(),
                value.len() as i32,
            )
        };
        (done == 1).then(|| i32::from_le_bytes(value))
    }
}

const fn ends_with_zero(text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty() && bytes[bytes.len() - 1] == 0
}

const LINE_MAX: usize = 96;

/// A line of log put together without `core::fmt`, which would be most of a small module's size.
/// What does not fit is cut off, at a whole piece of text.
pub struct Line {
    len: usize,
    text: [u8; LINE_MAX],
}

impl Line {
    pub const fn new() -> Line {
        Line { len: 0, text: [0; LINE_MAX] }
    }

    pub fn text(&mut self, text: &str) -> &mut Line {
        if text.len() <= LINE_MAX - self.len {
            for &byte in text.as_bytes() {
                self.byte(byte);
            }
        }
        self
    }

    pub fn uint(&mut self, value: u32) -> &mut Line {
        let mut unit = 1;
        while value / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            self.byte(b'0' + (value / unit % 10) as u8);
            unit /= 10;
        }
        self
    }

    pub fn int(&mut self, value: i32) -> &mut Line {
        if value < 0 {
            self.byte(b'-');
        }
        self.uint(value.unsigned_abs())
    }

    /// Thousandths with one decimal place, cut towards zero: 21560 becomes 21.5.
    pub fn milli(&mut self, value: i32) -> &mut Line {
        if value < 0 {
            self.byte(b'-');
        }
        let size = value.unsigned_abs();
        self.uint(size / 1000).text(".").uint(size / 100 % 10)
    }

    pub fn log(&self) {
        unsafe { imports::log(self.text.as_ptr(), self.len as u32) }
    }

    fn byte(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }
}

impl Default for Line {
    fn default() -> Line {
        Line::new()
    }
}

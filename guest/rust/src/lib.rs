//! What a module author uses: the host interface for Rust on wasm32.
//!
//! `no_std`, no dependency, no allocation. A panic becomes a trap, which the device reports and
//! counts. doc/guests.md has the compiler's flags.
//!
//! SPDX-License-Identifier: Apache-2.0
#![no_std]

mod call;
pub use call::*;
pub mod network;
pub mod plugin;
mod sensor;
pub use sensor::*;

use core::cell::Cell;
use core::panic::PanicInfo;

mod imports {
    #[link(wasm_import_module = "sandmote")]
    extern "C" {
        pub fn log(text: *const u8, len: u32);
        pub fn uptime_ms() -> i64;
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

/// A variable that keeps its value between calls of the module, which needs no `unsafe`: one
/// instance of a module runs on one thread.
pub struct Global<T: Copy>(Cell<T>);

#[cfg(target_feature = "atomics")]
compile_error!("modules have one thread; Global counts on it");

// There is no second thread to share it with.
unsafe impl<T: Copy> Sync for Global<T> {}

impl<T: Copy> Global<T> {
    pub const fn new(value: T) -> Global<T> {
        Global(Cell::new(value))
    }

    pub fn get(&self) -> T {
        self.0.get()
    }

    pub fn set(&self, value: T) {
        self.0.set(value)
    }
}

/// A sensor's value, named once as a constant: `Reading::new("BME280\0", "temperature\0")`.
pub struct Reading {
    sensor: Sensor<'static>,
    name: Name<'static>,
}

impl Reading {
    /// Both names end with a zero byte, as the host wants them; anything else does not compile
    /// when the value is a constant.
    pub const fn new(sensor: &'static str, name: &'static str) -> Reading {
        Reading { sensor: Sensor::new(Name::new(sensor)), name: Name::new(name) }
    }

    /// [`Sensor::read`], or nothing. All that it needs is version 1 of the host interface.
    pub fn read(&self) -> Option<i32> {
        let mut bytes = [0; 4];
        (self.sensor.try_read(self.name, &mut bytes) == 1).then(|| i32::from_le_bytes(bytes))
    }
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

    /// Bytes that may be no text.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Line {
        for &byte in bytes {
            self.byte(byte);
        }
        self
    }

    pub fn bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or(&self.text)
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

    /// With every digit that there is, and its unit: "21.560 degC".
    pub fn value(&mut self, value: Value) -> &mut Line {
        self.fixed(value.raw, value.scale);
        if value.unit != Unit::NONE {
            self.text(" ").text(value.unit.text());
        }
        self
    }

    /// value * 10^scale, scale from -19 on: 21560 with scale -3 becomes 21.560.
    pub fn fixed(&mut self, value: i64, scale: i8) -> &mut Line {
        let point = scale.min(0).unsigned_abs() as u32;
        let mut size = value.unsigned_abs();
        let mut digits = [0; 20];
        let mut n = 0;
        while n < digits.len() as u32 && (size > 0 || n <= point) {
            digits[n as usize % 20] = b'0' + (size % 10) as u8;
            size /= 10;
            n += 1;
        }
        if value < 0 {
            self.byte(b'-');
        }
        while n > 0 {
            if n == point {
                self.byte(b'.');
            }
            n -= 1;
            self.byte(digits[n as usize % 20]);
        }
        for _ in 0..scale {
            self.byte(b'0');
        }
        self
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

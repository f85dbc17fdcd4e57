//! Sensors: the calls of "wasi_sn", since host interface version 2.
//!
//! The calls link when the manifest asks for at least one capability
//! "sensor/<sensor>/<name>:r", ":w" or ":rw"; what is refused at a call is an [`Error`]. Calls that
//! read or set turn the sensor on when it is not, so [`Sensor::turn_on`] may be left out.
//!
//! SPDX-License-Identifier: Apache-2.0

use crate::call::{Error, Name};
use crate::name;

mod imports {
    #[link(wasm_import_module = "wasi_sn")]
    extern "C" {
        #[link_name = "getSensors"]
        pub fn get_sensors(buf: *mut u8, len: i32) -> i32;
        #[link_name = "turnOn"]
        pub fn turn_on(sensor: *const u8) -> i32;
        #[link_name = "turnOff"]
        pub fn turn_off(sensor: *const u8) -> i32;
        pub fn config(sensor: *const u8, attribute: *const u8, value: i32) -> i32;
        pub fn read(sensor: *const u8, name: *const u8, buf: *mut u8, len: i32) -> i32;
        pub fn open(sensor: *const u8, name: *const u8) -> i32;
        pub fn get(handle: i32, buf: *mut u8, len: i32) -> i32;
        pub fn set(handle: i32, value: i64) -> i32;
        pub fn sample(handle: i32, buf: *mut u8) -> i32;
        pub fn info(handle: i32, buf: *mut u8) -> i32;
    }
}

/// Names that the host has written one after the other.
pub struct Names<'a>(&'a [u8]);

impl<'a> Iterator for Names<'a> {
    type Item = Name<'a>;

    fn next(&mut self) -> Option<Name<'a>> {
        let len = self.0.iter().position(|&byte| byte == 0)?;
        if len == 0 {
            return None;
        }
        let (name, rest) = self.0.split_at(len + 1);
        self.0 = rest;
        Some(Name(name))
    }
}

/// What all sensors of the device are called; only whole names that fit into buf.
pub fn sensors(buf: &mut [u8]) -> Names {
    buf.fill(0);
    // The host writes at most the length that it is told.
    unsafe { imports::get_sensors(buf.as_mut_ptr(), buf.len() as i32) };
    Names(buf)
}

/// The attribute "state", which every sensor has and only the runtime sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Stopped,
    Alive,
    Working,
    Sleeping,
}

/// A sensor by its name: the five calls of WASI-SN.
#[derive(Clone, Copy)]
pub struct Sensor<'a>(Name<'a>);

impl<'s> Sensor<'s> {
    pub const fn new(name: Name<'s>) -> Sensor<'s> {
        Sensor(name)
    }

    pub fn turn_on(&self) -> Result<(), Error> {
        Error::unless(unsafe { imports::turn_on(self.0.ptr()) })
    }

    /// This module needs it no more. The sensor itself is stopped when no other module does.
    pub fn turn_off(&self) -> Result<(), Error> {
        Error::unless(unsafe { imports::turn_off(self.0.ptr()) })
    }

    /// Set an attribute; for one that several modules set, the sensor's rule says which value is in
    /// force. "SampRate": nanoseconds between measurements, 0 to measure at each read.
    pub fn config(&self, attribute: Name, value: i32) -> Result<(), Error> {
        Error::unless(unsafe { imports::config(self.0.ptr(), attribute.ptr(), value) })
    }

    /// A capability or an attribute as a number: of 10^scale units, where [`Handle::info`] tells
    /// unit and scale.
    pub fn read(&self, name: Name) -> Result<i32, Error> {
        let mut bytes = [0; 4];
        self.read_bytes(name, &mut bytes)?;
        Ok(i32::from_le_bytes(bytes))
    }

    pub fn state(&self) -> Result<State, Error> {
        match self.read(name!("state"))? {
            0 => Ok(State::Stopped),
            1 => Ok(State::Alive),
            2 => Ok(State::Working),
            3 => Ok(State::Sleeping),
            _ => Err(Error::RANGE),
        }
    }

    pub fn capabilities<'a>(&self, buf: &'a mut [u8]) -> Result<Names<'a>, Error> {
        self.names(name!("capabilities"), buf)
    }

    pub fn attributes<'a>(&self, buf: &'a mut [u8]) -> Result<Names<'a>, Error> {
        self.names(name!("attributes"), buf)
    }

    /// A handle for a capability or an attribute: its name is looked up once.
    pub fn open(&self, name: Name) -> Result<Handle, Error> {
        Ok(Handle(Error::check(unsafe { imports::open(self.0.ptr(), name.ptr()) })?))
    }

    /// All capabilities that were granted, in the sensor's own order.
    pub fn open_all(&self) -> Result<Burst, Error> {
        Ok(Burst(self.open(name!("*"))?))
    }

    fn names<'a>(&self, which: Name, buf: &'a mut [u8]) -> Result<Names<'a>, Error> {
        buf.fill(0);
        self.read_bytes(which, buf)?;
        Ok(Names(buf))
    }

    fn read_bytes(&self, name: Name, buf: &mut [u8]) -> Result<(), Error> {
        Error::unless(self.try_read(name, buf))
    }

    /// 1 when it was done.
    pub(crate) fn try_read(&self, name: Name, buf: &mut [u8]) -> i32 {
        let (ptr, len) = (buf.as_mut_ptr(), buf.len() as i32);
        // Names end with a zero byte, and the host writes at most the length that it is told.
        unsafe { imports::read(self.0.ptr(), name.ptr(), ptr, len) }
    }
}

/// A unit, by the host's number for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unit(pub u8);

const UNITS: [&str; 15] = [
    "", "degC", "%RH", "Pa", "ppm", "ppb", "g", "V", "A", "W", "Hz", "s", "m", "lx", "bool",
];

impl Unit {
    pub const NONE: Unit = Unit(0);

    /// "?" for one of a newer host.
    pub fn text(&self) -> &'static str {
        UNITS.get(self.0 as usize).copied().unwrap_or("?")
    }
}

/// raw * 10^scale units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value {
    pub raw: i64,
    pub scale: i8,
    pub unit: Unit,
}

/// A value, and when it was measured, on the clock of [`crate::uptime_ms`].
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub value: Value,
    pub time_ms: i64,
}

/// What a handle stands for.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// What can be measured, or may be set.
    pub min: i64,
    pub max: i64,
    pub unit: Unit,
    pub scale: i8,
    /// Rights of this module.
    pub readable: bool,
    pub writable: bool,
    /// Else a capability.
    pub attribute: bool,
}

/// A capability or an attribute whose name was looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handle(i32);

impl Handle {
    /// In 10^scale units.
    pub fn get(&self) -> Result<i32, Error> {
        let mut bytes = [0; 4];
        self.get_bytes(&mut bytes)?;
        Ok(i32::from_le_bytes(bytes))
    }

    /// An attribute that may be too large for [`Handle::get`].
    pub fn get_wide(&self) -> Result<i64, Error> {
        let mut bytes = [0; 8];
        self.get_bytes(&mut bytes)?;
        Ok(i64::from_le_bytes(bytes))
    }

    pub fn set(&self, value: i64) -> Result<(), Error> {
        Error::check(unsafe { imports::set(self.0, value) }).map(|_| ())
    }

    pub fn sample(&self) -> Result<Sample, Error> {
        let mut record = Record([0; 24]);
        Error::check(unsafe { imports::sample(self.0, record.0.as_mut_ptr()) })?;
        Ok(Sample {
            value: Value { raw: record.wide(0), scale: record.0[17] as i8, unit: Unit(record.0[16]) },
            time_ms: record.wide(8),
        })
    }

    pub fn info(&self) -> Result<Info, Error> {
        let mut record = Record([0; 24]);
        Error::check(unsafe { imports::info(self.0, record.0.as_mut_ptr()) })?;
        Ok(Info {
            min: record.wide(0),
            max: record.wide(8),
            unit: Unit(record.0[16]),
            scale: record.0[17] as i8,
            readable: record.0[18] & 1 != 0,
            writable: record.0[18] & 2 != 0,
            attribute: record.0[19] == 1,
        })
    }

    fn get_bytes(&self, buf: &mut [u8]) -> Result<usize, Error> {
        let (ptr, len) = (buf.as_mut_ptr(), buf.len() as i32);
        Error::check(unsafe { imports::get(self.0, ptr, len) }).map(|len| len as usize)
    }
}

/// All granted capabilities of a sensor, of one measurement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Burst(Handle);

impl Burst {
    /// One number for each capability; how many there are.
    pub fn get(&self, values: &mut [i32]) -> Result<usize, Error> {
        // wasm32 has the host's byte order: low byte first.
        let bytes = unsafe {
            core::slice::from_raw_parts_mut(values.as_mut_ptr() as *mut u8, values.len() * 4)
        };
        Ok(self.0.get_bytes(bytes)? / 4)
    }
}

/// As the host writes it.
struct Record([u8; 24]);

impl Record {
    fn wide(&self, at: usize) -> i64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[at..at + 8]);
        i64::from_le_bytes(bytes)
    }
}

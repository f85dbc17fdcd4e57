//! The thermostat of thermostat/ in Rust: the same behaviour, the same log lines.
//!
//! SPDX-License-Identifier: Apache-2.0
#![no_std]

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};
use sandmote::{Line, Reading};

#[cfg(thermostat_version = "1")]
mod release {
    pub const NAME: &str = "thermostat 1 (Rust): ";
    pub const HEAT_BELOW: i32 = 18000; // thousandths of a degree Celsius
    pub const STOP_ABOVE: i32 = 22000;
}
#[cfg(thermostat_version = "2")]
mod release {
    pub const NAME: &str = "thermostat 2 (Rust): ";
    pub const HEAT_BELOW: i32 = 20500;
    pub const STOP_ABOVE: i32 = 21500;
}
use release::{HEAT_BELOW, NAME, STOP_ABOVE};

const TEMPERATURE: Reading = Reading::new("BME280\0", "temperature\0");

const UNKNOWN: u8 = 0;
const OFF: u8 = 1;
const HEATING: u8 = 2;
const SENSOR_LOST: u8 = 3;

// An atomic is a plain load and store on wasm32, and needs no `unsafe`.
static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Between the thresholds the heater stays as it is; it is off until something else is known.
fn decide(before: u8, temperature: i32) -> u8 {
    if temperature < HEAT_BELOW {
        HEATING
    } else if temperature > STOP_ABOVE || before != HEATING {
        OFF
    } else {
        HEATING
    }
}

fn report(state: u8, reading: Option<i32>) {
    let mut line = Line::new();
    line.text(NAME);
    match reading {
        None => line.text("no temperature: heater off"),
        Some(temperature) => line.milli(temperature).text(match state {
            HEATING => " C: heater on",
            _ => " C: heater off",
        }),
    };
    line.log();
}

#[no_mangle]
pub extern "C" fn sensor_tick() {
    let before = STATE.load(Relaxed);
    let reading = TEMPERATURE.read();
    let state = match reading {
        Some(temperature) => decide(before, temperature),
        None => SENSOR_LOST,
    };
    STATE.store(state, Relaxed);
    if state != before {
        report(state, reading);
    }
}

#[no_mangle]
pub extern "C" fn health() -> i32 {
    match STATE.load(Relaxed) {
        OFF | HEATING => 0,
        _ => 1,
    }
}

//! The same as climate.c: when the air gets humid and when it is dry again.
//!
//! SPDX-License-Identifier: Apache-2.0
#![no_std]

use sandmote::{name, Error, Global, Line, Sensor};

const BME280: Sensor = Sensor::new(name!("BME280"));
const HUMID_ABOVE: i32 = 60000; // thousandths of a per cent
const DRY_BELOW: i32 = 55000;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Unknown,
    Dry,
    Humid,
    SensorLost,
}
use State::*;

static STATE: Global<State> = Global::new(Unknown);

/// Between the thresholds it stays as it was.
fn judge(before: State, humidity: i32) -> State {
    if humidity > HUMID_ABOVE {
        Humid
    } else if humidity < DRY_BELOW || before != Humid {
        Dry
    } else {
        Humid
    }
}

fn measure() -> Result<(i32, i32), Error> {
    Ok((BME280.read(name!("humidity"))?, BME280.read(name!("temperature"))?))
}

#[no_mangle]
pub extern "C" fn sensor_tick() {
    let before = STATE.get();
    let mut line = Line::new();
    line.text("climate: ");
    if before == Unknown {
        // What fails here fails again when it is read.
        let _ = BME280.turn_on();
        let _ = BME280.config(name!("SampRate"), 1_000_000_000); // ns
    }
    let state = match measure() {
        Ok((humidity, temperature)) => {
            let state = judge(before, humidity);
            line.milli(humidity).text(" %RH at ").milli(temperature).text(match state {
                Humid => " C: humid",
                _ => " C: dry",
            });
            state
        }
        Err(Error(code)) => {
            line.text("no value, error ").int(code);
            SensorLost
        }
    };
    STATE.set(state);
    if state != before {
        line.log();
    }
}

#[no_mangle]
pub extern "C" fn health() -> i32 {
    match STATE.get() {
        Dry | Humid => 0,
        _ => 1,
    }
}

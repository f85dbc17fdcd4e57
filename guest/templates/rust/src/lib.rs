#![no_std]

use sandmote::{name, Line, Sensor};

const SENSOR: Sensor = Sensor::new(name!("BME280"));

/// Called once a period.
#[no_mangle]
pub extern "C" fn sensor_tick() {
    match SENSOR.read(name!("temperature")) {
        Ok(temperature) => Line::new().milli(temperature).text(" C").log(),
        Err(_) => sandmote::log("no temperature"),
    }
}

/// Asked while an update is on trial: 0 is well.
#[no_mangle]
pub extern "C" fn health() -> i32 {
    0
}

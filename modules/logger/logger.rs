//! The same as logger.c: all that a sensor measures, whatever it is, by handles.
//!
//! SPDX-License-Identifier: Apache-2.0
#![no_std]

use sandmote::{name, Burst, Error, Global, Line, Name, Sensor, Unit, Value};

const SENSOR: Sensor = Sensor::new(name!("BME280"));
const CHANNELS: usize = 8;
const INTERVAL: i64 = 200_000_000; // ns

/// What a burst is made of.
#[derive(Clone, Copy)]
struct Channels {
    all: Burst,
    count: usize,
    like: [Value; CHANNELS], // unit and scale of each
}

static CHANNELS_OPEN: Global<Option<Channels>> = Global::new(None);

fn log_number(text: &str, value: i64) {
    Line::new().text(text).fixed(value, 0).log();
}

fn set_interval() -> Result<(), Error> {
    let rate = SENSOR.open(name!("SampRate"))?;
    rate.set(INTERVAL)?;
    log_number("logger: SampRate ", rate.get_wide()?);
    Ok(())
}

/// One typed record of a capability, which also says how to print those of the bursts.
fn describe(name: Name) -> Result<Value, Error> {
    let value = SENSOR.open(name)?.sample()?.value;
    Line::new().text("logger: ").text(name.text()).text(" is ").value(value).log();
    Ok(value)
}

fn start() -> Result<Channels, Error> {
    let mut names = [0; 128];
    let mut like = [Value { raw: 0, scale: 0, unit: Unit::NONE }; CHANNELS];
    let mut count = 0;

    set_interval()?;
    for name in SENSOR.capabilities(&mut names)? {
        match (describe(name), like.get_mut(count)) {
            (Ok(value), Some(place)) => {
                *place = value;
                count += 1;
            }
            // What was not granted is not in the bursts.
            (Err(Error::DENIED), _) | (_, None) => (),
            (Err(error), _) => return Err(error),
        }
    }
    Ok(Channels { all: SENSOR.open_all()?, count, like })
}

fn burst(channels: &Channels) {
    let mut values = [0; CHANNELS];

    match channels.all.get(&mut values) {
        Ok(count) if count == channels.count => {
            let mut line = Line::new();
            line.text("logger:");
            for (value, like) in values.iter().zip(&channels.like).take(count) {
                line.text(" ").value(Value { raw: *value as i64, ..*like });
            }
            line.log();
        }
        Ok(count) => log_number("logger: no measurement, error ", count as i64 * 4),
        Err(Error(code)) => log_number("logger: no measurement, error ", code as i64),
    }
}

#[no_mangle]
pub extern "C" fn sensor_tick() {
    if CHANNELS_OPEN.get().is_none() {
        match start() {
            Ok(channels) => CHANNELS_OPEN.set(Some(channels)),
            // Tried again at the next tick.
            Err(Error(code)) => log_number("logger: cannot start, error ", code as i64),
        }
    }
    if let Some(channels) = CHANNELS_OPEN.get() {
        burst(&channels);
    }
}

#[no_mangle]
pub extern "C" fn health() -> i32 {
    match CHANNELS_OPEN.get() {
        Some(channels) if channels.count > 0 => 0,
        _ => 1,
    }
}

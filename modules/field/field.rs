//! The same as field.c: publishes the humidity, fetches what was said to it, and sleeps.
//!
//! SPDX-License-Identifier: Apache-2.0
#![no_std]

use sandmote::network::{self, Qos, Topic, DEVICES};
use sandmote::{name, Error, Global, Line, Sensor};

const BME280: Sensor = Sensor::new(name!("BME280"));
const SLEEP_S: u16 = 600;

#[derive(Clone, Copy)]
struct Topics {
    humidity: Topic,
    said: Topic,
}

/// Nothing: there is no connection.
static TOPICS: Global<Option<Topics>> = Global::new(None);
static HEALTH: Global<i32> = Global::new(Error::STATE.0);

/// Told once, not each period.
fn note(what: &str, code: i32) {
    if HEALTH.get() == code {
        return;
    }
    HEALTH.set(code);
    let mut line = Line::new();
    line.text("field: ").text(what);
    if code != 0 {
        line.text(", error ").int(code);
    }
    line.log();
}

/// What failed, and why.
type Failed = (&'static str, Error);

fn begin() -> Result<Topics, Failed> {
    if let Some(topics) = TOPICS.get() {
        network::awake().map_err(|why| ("not awake", why))?;
        return Ok(topics);
    }
    network::start(0)
        .and_then(|_| network::connect(name!(""), 60, DEVICES))
        .map_err(|why| ("not connected", why))?;
    let topics = Topic::subscribe_to(name!("field/say"), Qos::AtLeastOnce)
        .and_then(|said| Ok(Topics { humidity: Topic::register(name!("field/humidity"))?, said }))
        .map_err(|why| ("no topic", why))?;
    TOPICS.set(Some(topics));
    Ok(topics)
}

fn send(topic: Topic) -> Result<(), Failed> {
    match BME280.read(name!("humidity")) {
        Ok(humidity) => {
            let mut line = Line::new();
            line.fixed(humidity as i64, -3);
            topic
                .publish(Qos::AtLeastOnce, line.bytes())
                .map_err(|why| ("not published", why))?;
            note("published", 0);
        }
        Err(Error(code)) => note("no humidity", code),
    }
    Ok(())
}

fn listen(said: Topic) {
    let mut text = [0; 64];
    while said.has_message() {
        match said.get_message(&mut text) {
            Ok(message) => Line::new().text("field: told ").raw(message).log(),
            Err(_) => return,
        }
    }
}

fn tick() -> Result<(), Failed> {
    let topics = begin()?;
    send(topics.humidity)?;
    listen(topics.said);
    network::sleep(SLEEP_S).map_err(|why| ("not asleep", why))
}

#[no_mangle]
pub extern "C" fn sensor_tick() {
    if let Err((what, Error(code))) = tick() {
        // The next period begins anew.
        note(what, code);
        let _ = network::stop();
        TOPICS.set(None);
    }
}

#[no_mangle]
pub extern "C" fn health() -> i32 {
    (HEALTH.get() != 0) as i32
}

#!/bin/sh
# The SDK for Rust, by cargo without a network: rust.sh ROOT RUSTC CARGO
# SPDX-License-Identifier: Apache-2.0
root=$1 rustc=$2 cargo=$3
. "$root/test/cli/lib.sh"

mkdir -p "a crate/src" # where cargo may write its lock file
cp -R "$root/guest/rust" "the sdk"
cat >"a crate/Cargo.toml" <<'EOF'
[package]
name = "x"
version = "1.0.0"
edition = "2021"
[lib]
crate-type = ["cdylib"]
[dependencies]
sandmote = { path = "../the sdk" }
[profile.release]
opt-level = "z"
panic = "abort"
EOF
cat >"a crate/src/lib.rs" <<'EOF'
#![no_std]
use sandmote::*;

/// Whatever there is is used.
fn all() -> Result<i64, Error> {
    let sensor = Sensor::new(name!("BME280"));
    let (mut buf, mut names) = ([0; 64], [0; 128]);
    let mut line = Line::new();
    for name in sensors(&mut buf) {
        line.text(name.text()).int(Sensor::new(name).read(name!("state"))?).log();
    }
    sensor.turn_on()?;
    sensor.config(name!("SampRate"), 0)?;
    let handle = sensor.open(name!("humidity"))?;
    let info = handle.info()?;
    if sensor.state()? == State::Alive && info.readable && !info.writable && !info.attribute {
        handle.set(info.min)?;
    }
    for name in sensor.attributes(&mut names)? {
        line.value(sensor.open(name)?.sample()?.value);
    }
    let mut values = [0; 8];
    let sum = sensor.open_all()?.get(&mut values)? as i64;
    sensor.turn_off()?;
    Ok(sum + handle.get()? as i64 + handle.get_wide()? + sensor.read(name!("humidity"))? as i64)
}

fn network() -> Result<u32, Error> {
    use sandmote::network::*;
    let (mut found, mut message, mut name) = ([0; 48], [0; 32], [0; 40]);
    start(1000)?;
    let at = Place { address: name!("ff02::1"), port: 10000 };
    let gateway = search_gw(at, 1, &mut found)?;
    connect(name!("WASM"), 30, Place { address: gateway, port: 47193 })?;
    let topic = Topic::register(name!("a/b"))?;
    topic.publish(Qos::ExactlyOnce, b"45.1")?;
    topic.subscribe(Qos::AtMostOnce)?;
    let all = Topic::subscribe_to(name!("a/#"), Qos::AtLeastOnce)?;
    sleep(60)?;
    collect()?;
    awake()?;
    while Topic::ANY.has_message() {
        let about = all.peek_message(&mut name)?;
        Line::new().raw(about.topic).int(about.len as i32).log();
        Line::new().raw(all.get_message(&mut message)?).log();
    }
    topic.unsubscribe()?;
    let now = status();
    disconnect()?;
    stop()?;
    Ok(if now.link == Link::Connected { now.dropped + now.sent } else { now.queue as u32 })
}

fn buses() -> Result<(), Error> {
    use sandmote::plugin::*;
    let (mut bytes, mut words) = ([0; 2], [0; 2]);
    i2c_read(0x48, 0, &mut bytes)?;
    i2c_write(0x48, 0, &bytes)?;
    spi_transfer(&mut bytes)?;
    modbus_read(1, &mut words)?;
    modbus_read_input(1, &mut words)?;
    modbus_write(1, &words)
}

#[no_mangle]
pub extern "C" fn read_all() -> i32 {
    buses().is_ok() as i32
}

#[no_mangle]
pub extern "C" fn sensor_tick() {
    if let Ok(sum) = network() {
        Line::new().uint(sum).log();
    }
    match all() {
        Err(Error::DENIED) => log("denied"),
        Err(Error(code)) => {
            Line::new().int(code).log();
        }
        Ok(sum) => {
            Line::new().fixed(sum, 0).log();
        }
    }
}
EOF
export RUSTC="$rustc" CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="${WASM_LD:-wasm-ld-14}"
build() {
    expect "$1" "$cargo" build --offline --release --target wasm32-unknown-unknown \
        --manifest-path "a crate/Cargo.toml" --target-dir target
}
export RUSTFLAGS='-D warnings'
build 0
is test -s target/wasm32-unknown-unknown/release/x.wasm

# A name without its zero byte is no constant.
cat >"a crate/src/lib.rs" <<'EOF'
#![no_std]
const NAME: sandmote::Name = sandmote::Name::new("BME280");
#[no_mangle]
pub extern "C" fn sensor_tick() {
    let _ = sandmote::Sensor::new(NAME).turn_on();
}
EOF
build 101
says 'error'

finish

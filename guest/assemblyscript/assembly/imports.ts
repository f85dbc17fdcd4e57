/**
 * What the host offers, as it is: addresses, lengths, codes. index.ts is what modules use.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

@external("sandmote", "log") export declare function log(text: usize, len: u32): void;
@external("sandmote", "uptime_ms") export declare function uptimeMs(): i64;

@external("wasi_sn", "getSensors") export declare function getSensors(buf: usize, len: i32): i32;
@external("wasi_sn", "turnOn") export declare function turnOn(sensor: usize): i32;
@external("wasi_sn", "turnOff") export declare function turnOff(sensor: usize): i32;
@external("wasi_sn", "config")
export declare function config(sensor: usize, attribute: usize, value: i32): i32;
@external("wasi_sn", "read")
export declare function read(sensor: usize, name: usize, buf: usize, len: i32): i32;
@external("wasi_sn", "lastError") export declare function lastError(): i32;
@external("wasi_sn", "open") export declare function open(sensor: usize, name: usize): i32;
@external("wasi_sn", "get") export declare function get(handle: i32, buf: usize, len: i32): i32;
@external("wasi_sn", "set") export declare function set(handle: i32, value: i64): i32;
@external("wasi_sn", "sample") export declare function sample(handle: i32, buf: usize): i32;
@external("wasi_sn", "info") export declare function info(handle: i32, buf: usize): i32;

@external("wasi_sn", "start") export declare function start(port: i32): i32;
@external("wasi_sn", "stop") export declare function stop(): i32;
@external("wasi_sn", "searchGW")
export declare function searchGW(address: usize, port: i32, hops: i32, buf: usize, len: i32): i32;
@external("wasi_sn", "connect")
export declare function connect(client: usize, keepAlive: i32, address: usize, port: i32): i32;
@external("wasi_sn", "disconnect") export declare function disconnect(): i32;
@external("wasi_sn", "register") export declare function register(topic: usize): i32;
@external("wasi_sn", "publish")
export declare function publish(topic: i32, qos: i32, data: usize, len: i32): i32;
@external("wasi_sn", "subscribe") export declare function subscribe(topic: i32, qos: i32): i32;
@external("wasi_sn", "subscribeTo") export declare function subscribeTo(filter: usize, qos: i32): i32;
@external("wasi_sn", "unsubscribe") export declare function unsubscribe(topic: i32): i32;
@external("wasi_sn", "hasMessage") export declare function hasMessage(topic: i32): i32;
@external("wasi_sn", "getMessage")
export declare function getMessage(topic: i32, buf: usize, len: i32): i32;
@external("wasi_sn", "peekMessage")
export declare function peekMessage(topic: i32, buf: usize, len: i32): i32;
@external("wasi_sn", "sleep") export declare function sleep(seconds: i32): i32;
@external("wasi_sn", "collect") export declare function collect(): i32;
@external("wasi_sn", "awake") export declare function awake(): i32;
@external("wasi_sn", "network") export declare function network(buf: usize): i32;

@external("env", "i2c_read")
export declare function i2cRead(addr: u32, reg: u32, buf: usize, len: u32): i32;
@external("env", "i2c_write")
export declare function i2cWrite(addr: u32, reg: u32, buf: usize, len: u32): i32;
@external("env", "spi_transfer")
export declare function spiTransfer(out: usize, input: usize, len: u32): i32;
@external("env", "modbus_read")
export declare function modbusRead(reg: u32, buf: usize, count: u32): i32;
@external("env", "modbus_read_input")
export declare function modbusReadInput(reg: u32, buf: usize, count: u32): i32;
@external("env", "modbus_write")
export declare function modbusWrite(reg: u32, buf: usize, count: u32): i32;

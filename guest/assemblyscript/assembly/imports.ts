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

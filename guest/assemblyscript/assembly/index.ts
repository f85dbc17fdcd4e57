/**
 * What a module author uses: the host interface for AssemblyScript.
 *
 * Nothing here allocates, so a module that does not either needs no heap, and its memory ends where
 * its data does: texts are given to the host through buffers of fixed size, and a line of log is put
 * together in one. Arrays to read into are StaticArrays. `export { __heap_base };` in the module tells
 * `sandmote pack` where the data ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import * as host from "./imports";

/** Milliseconds since this instance of the module was made; never goes back. No capability. */
export function uptimeMs(): i64 {
  return host.uptimeMs();
}

// ---- Texts ----------------------------------------------------------------------------------------

// Names have at most 32 letters.
const NAME_ROOM: i32 = 40;
@lazy const sensorName = memory.data(NAME_ROOM);
@lazy const valueName = memory.data(NAME_ROOM);

/** A text as the host wants it: bytes, then a zero byte. What is longer than any name is cut off,
 *  and then stands for nothing. */
function put(text: string, at: usize): usize {
  let n = min(text.length, NAME_ROOM - 1);
  for (let i = 0; i < n; i++) store<u8>(at + i, <u8>text.charCodeAt(i));
  store<u8>(at + n, 0);
  return at;
}

// ---- Log ------------------------------------------------------------------------------------------

/** A line of log: `line.text("..."); line.log()`. 96 bytes are kept; log() begins a new one.
 *  Capability "log". */
export namespace line {
  const ROOM: i32 = 96;
  const DIGITS: i32 = 20; // 2^63 has 19
  const buffer = memory.data(ROOM);
  const digits = memory.data(DIGITS);
  let length: i32 = 0;

  export function byte(code: u8): void {
    if (length < ROOM) store<u8>(buffer + length++, code);
  }

  export function text(text: string): void {
    for (let i = 0; i < text.length; i++) byte(<u8>text.charCodeAt(i));
  }

  export function int(value: i64): void {
    fixed(value, 0);
  }

  /** Thousandths with one decimal place, cut towards zero: 21560 becomes 21.5. */
  export function milli(value: i32): void {
    let size = <u32>(value < 0 ? -value : value);
    if (value < 0) byte(0x2d);
    fixed(size / 100, -1);
  }

  /** value * 10^scale with every digit that there is, scale from -19 on: 21560 with scale -3 becomes
   *  21.560. */
  export function fixed(value: i64, scale: i32): void {
    let size = <u64>(value < 0 ? -value : value);
    let n: i32 = 0;
    do {
      store<u8>(digits + n++, <u8>(0x30 + (size % 10)));
      size /= 10;
    } while ((size > 0 || n <= -scale) && n < DIGITS);
    if (value < 0) byte(0x2d);
    while (n > 0) {
      if (n == -scale) byte(0x2e);
      byte(load<u8>(digits + --n));
    }
    for (; scale > 0; scale--) byte(0x30);
  }

  /** With its unit: "21.560 degC". */
  export function value(value: i64, scale: i32, unit: i32): void {
    fixed(value, scale);
    if (unit != 0) byte(0x20);
    text(unitText(unit));
  }

  /** A name of the last list. */
  export function listed(index: i32): void {
    for (let at = listedAt(index); load<u8>(at) != 0; at++) byte(load<u8>(at));
  }

  export function log(): void {
    host.log(buffer, length);
    length = 0;
  }

  /** As a message instead: publish(). */
  export function publish(topic: i32, qos: i32): bool {
    let done = host.publish(topic, qos, buffer, length) == 1;
    length = 0;
    return done;
  }
}

/** The number of a unit is its place in this list. Outside of the function: inside, each call would
 *  make a new one. */
@lazy const UNITS: StaticArray<string> = [
  "", "degC", "%RH", "Pa", "ppm", "ppb", "g", "V", "A", "W", "Hz", "s", "m", "lx", "bool",
];

/** "?" for a unit of a newer host. */
export function unitText(unit: i32): string {
  return <u32>unit < <u32>UNITS.length ? unchecked(UNITS[unit]) : "?";
}

// ---- Sensors: the five calls of WASI-SN, true when done, else lastError() says why not -------------

/** What lastError() and the calls that give a number return. */
export namespace Code {
  export const OK: i32 = 0;
  /** Not granted. */
  export const DENIED: i32 = -1;
  /** No such sensor, capability or attribute; no message; no gateway. */
  export const NOT_FOUND: i32 = -2;
  /** An argument out of its range, or a value that does not fit into what was asked for. */
  export const RANGE: i32 = -3;
  /** Held by another module. */
  export const BUSY: i32 = -4;
  /** The bus or the sensor failed; nobody answered. */
  export const IO: i32 = -5;
  /** The array is too small, or there is no room for one more. */
  export const SPACE: i32 = -6;
  /** Not a handle or a topic's id, or not one for this call. */
  export const INVALID: i32 = -7;
  /** Not now: not started, not connected, asleep. */
  export const STATE: i32 = -8;
  /** Too many messages in a short time; later is well. */
  export const RATE: i32 = -9;
  /** The gateway refused it. */
  export const REJECTED: i32 = -10;
}

/** Of the attribute "state", which every sensor has and only the runtime sets. */
export enum State { Stopped, Alive, Working, Sleeping }

/** The ids of all sensors of the device, as a list: how many. */
export function getSensors(): i32 {
  memory.fill(list, 0, LIST_ROOM);
  host.getSensors(list, LIST_ROOM - 2);
  return countListed();
}

export function turnOn(sensor: string): bool {
  return host.turnOn(put(sensor, sensorName)) == 1;
}

/** This module needs it no more. The sensor itself is stopped when no other module does. */
export function turnOff(sensor: string): bool {
  return host.turnOff(put(sensor, sensorName)) == 1;
}

/** Set an attribute; for one that several modules set, the sensor's rule says which value is in
 *  force. "SampRate": nanoseconds between measurements, 0 to measure at each read. */
export function config(sensor: string, attribute: string, value: i32): bool {
  return host.config(put(sensor, sensorName), put(attribute, valueName), value) == 1;
}

/** A capability or an attribute as one number, of 10^scale units; an attribute may be an i64. */
export function read<T extends number>(sensor: string, name: string, into: StaticArray<T>): bool {
  return host.read(put(sensor, sensorName), put(name, valueName), changetype<usize>(into),
                   into.length * sizeof<T>()) == 1;
}

/** Of the last call that returned a truth or a code. */
export function lastError(): i32 {
  return host.lastError();
}

// ---- Lists of names -------------------------------------------------------------------------------

const LIST_ROOM: i32 = 256;
@lazy const list = memory.data(LIST_ROOM);

/** "capabilities" or "attributes" of a sensor: how many, or a code. The names are kept until the next
 *  list: openListed() and line.listed() take their places in it. */
export function listNames(sensor: string, which: string): i32 {
  memory.fill(list, 0, LIST_ROOM);
  let done = host.read(put(sensor, sensorName), put(which, valueName), list, LIST_ROOM - 2);
  return done == 1 ? countListed() : host.lastError();
}

function countListed(): i32 {
  let n: i32 = 0;
  while (load<u8>(listedAt(n)) != 0) n++;
  return n;
}

/** Where a name stands; the empty one at the end for what is not there. */
function listedAt(index: i32): usize {
  let at: usize = list;
  for (; index > 0 && load<u8>(at) != 0; index--) {
    while (load<u8>(at) != 0) at++;
    at++;
  }
  return at;
}

// ---- Handles: names are looked up once --------------------------------------------------------------

/** A handle, above 0, or a code. name is a capability or an attribute, or "*" for all capabilities
 *  granted, in the sensor's own order. */
export function open(sensor: string, name: string): i32 {
  return host.open(put(sensor, sensorName), put(name, valueName));
}

/** The same for a name of the last list. */
export function openListed(sensor: string, index: i32): i32 {
  return host.open(put(sensor, sensorName), listedAt(index));
}

/** Bytes written, or a code. As read(); for "*" an i32 each, of one measurement. */
export function get<T extends number>(handle: i32, into: StaticArray<T>): i32 {
  return host.get(handle, changetype<usize>(into), into.length * sizeof<T>());
}

/** Set an attribute. 0 or a code. */
export function set(handle: i32, value: i64): i32 {
  return host.set(handle, value);
}

/** A value of value * 10^scale units, and when it was measured, on the clock of uptimeMs(). */
@unmanaged
export class Sample {
  value: i64;
  timeMs: i64;
  unit: u8;
  scale: i8;
}

/** What a handle stands for. */
@unmanaged
export class Info {
  /** What can be measured, or may be set. */
  min: i64;
  max: i64;
  unit: u8;
  scale: i8;
  /** Of this module: 1 read, 2 write. */
  rights: u8;
  /** 0 a capability, 1 an attribute. */
  kind: u8;
}

// As the host writes them, with room for what it writes behind.
/** What sample() has filled in. */
@lazy export const sampled: Sample = changetype<Sample>(memory.data(24, 8));
/** What info() has filled in. */
@lazy export const informed: Info = changetype<Info>(memory.data(24, 8));

/** Read a value with its unit and its time into `sampled`. 0 or a code. */
export function sample(handle: i32): i32 {
  return host.sample(handle, changetype<usize>(sampled));
}

/** Ask what a handle stands for, into `informed`. 0 or a code. */
export function info(handle: i32): i32 {
  return host.info(handle, changetype<usize>(informed));
}

// ---- The network: the MQTT-SN calls, true when done, else lastError() says why not ------------------

// Names of topics have at most 63 bytes, addresses 47: what is longer keeps more, and is refused.
const TOPIC_ROOM: i32 = 72;
@lazy const topicName = memory.data(TOPIC_ROOM);
@lazy const gatewayName = memory.data(TOPIC_ROOM);

function putLong(text: string, at: usize): usize {
  let n = min(text.length, TOPIC_ROOM - 1);
  for (let i = 0; i < n; i++) store<u8>(at + i, <u8>text.charCodeAt(i));
  store<u8>(at + n, 0);
  return at;
}

/** Begin, on this UDP port of the device or, with 0, on any. The port that it is, or a code. What has
 *  begun already stays as it is. */
export function start(port: i32): i32 {
  return host.start(port);
}

/** End it all: topic ids, subscriptions and messages are gone. Does not wait. */
export function stop(): bool {
  return host.stop() == 1;
}

/** Ask a multicast or broadcast address for gateways, at most so many hops away, 0 for the device's
 *  own choice; "" and 0 for the device's. The bytes of the address of the first that answers, with a
 *  zero byte, or a code. */
export function searchGW(address: string, port: i32, hops: i32, into: StaticArray<u8>): i32 {
  return host.searchGW(putLong(address, gatewayName), port, hops, changetype<usize>(into),
                       into.length);
}

/** Connect to a gateway; address "" and port 0 for the one that was found, or else the device's.
 *  client is a name of up to 23 letters, digits, '.', '_' and '-' ("" for the module's), put behind
 *  the device's own prefix. keepAlive in seconds; 0 is 30. */
export function connect(client: string, keepAlive: i32, address: string, port: i32): bool {
  return host.connect(put(client, valueName), keepAlive, putLong(address, gatewayName), port) == 1;
}

export function disconnect(): bool {
  return host.disconnect() == 1;
}

/** The id, above 0, of a topic to publish or subscribe to; or a code. Good until stop(). */
export function register(topic: string): i32 {
  return host.register(putLong(topic, topicName));
}

/** qos 0: sent once; 1: until the gateway has it, perhaps twice; 2: exactly once. */
export function publish<T extends number>(topic: i32, qos: i32, data: StaticArray<T>): bool {
  return host.publish(topic, qos, changetype<usize>(data), data.length * sizeof<T>()) == 1;
}

/** Receive what is published to a topic that has an id. */
export function subscribe(topic: i32, qos: i32): bool {
  return host.subscribe(topic, qos) == 1;
}

/** Receive what is published to any topic that a filter stands for: an id for hasMessage() and
 *  getMessage(), or a code. */
export function subscribeTo(filter: string, qos: i32): i32 {
  return host.subscribeTo(putLong(filter, topicName), qos);
}

export function unsubscribe(topic: i32): bool {
  return host.unsubscribe(topic) == 1;
}

/** Whether a message is there for a topic, or for any with 0. */
export function hasMessage(topic: i32): bool {
  return host.hasMessage(topic) == 1;
}

/** Take the oldest message for a topic, or for any with 0: its bytes, or a code. Code.SPACE: it is
 *  longer than the array, and stays. */
export function getMessage<T extends number>(topic: i32, into: StaticArray<T>): i32 {
  return host.getMessage(topic, changetype<usize>(into), into.length * sizeof<T>());
}

/** The oldest message, which stays: bytes (u16), qos and whether it was retained (u8), bytes of its
 *  topic's name (u32), then as much of the name as fits. The bytes of the name, or a code. */
export function peekMessage(topic: i32, into: StaticArray<u8>): i32 {
  return host.peekMessage(topic, changetype<usize>(into), into.length);
}

/** The gateway keeps messages for so many seconds at most (0: the keep-alive's). */
export function sleep(seconds: i32): bool {
  return host.sleep(seconds) == 1;
}

/** While asleep: fetch what the gateway has kept, and sleep on. */
export function collect(): bool {
  return host.collect() == 1;
}

/** Be there again, with all topics and subscriptions. */
export function awake(): bool {
  return host.awake() == 1;
}

export enum Link { Stopped, Started, Connected, Asleep, Lost }

@unmanaged
export class Status {
  /** A Link. */
  link: u8;
  zero: u8;
  zeros: u16;
  /** Messages of the longest kind that can wait. */
  queue: u16;
  /** Ids that there can be. */
  topics: u16;
  /** The longest message to publish. */
  messageBytes: u32;
  /** Messages that came and had no room. */
  dropped: u32;
  /** Calls that were not granted, of sensors too. */
  refused: u32;
  sent: u32;
  received: u32;
}

/** What network() has filled in. */
@lazy export const status: Status = changetype<Status>(memory.data(28, 4));

/** How things are, into `status`. */
export function network(): void {
  host.network(changetype<usize>(status));
}

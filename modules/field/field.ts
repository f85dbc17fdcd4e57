// The same as field.c: publishes the humidity, fetches what was said to it, and sleeps.
//
// SPDX-License-Identifier: Apache-2.0
import {
  awake, Code, connect, getMessage, hasMessage, lastError, line, read, register, sleep, start, stop,
  subscribeTo,
} from "sandmote/assembly";
export { __heap_base };

const SLEEP_S = 600;

let topic: i32 = 0; // there is no connection
let said: i32 = 0;
let healthCode: i32 = Code.STATE;
const humidity: StaticArray<i32> = [0];
const message: StaticArray<u64> = [0, 0, 0, 0, 0, 0, 0, 0]; // bytes

/** Told once, not each period. */
function note(what: string, code: i32): void {
  if (code == healthCode) return;
  healthCode = code;
  line.text("field: ");
  line.text(what);
  if (code != 0) {
    line.text(", error ");
    line.int(code);
  }
  line.log();
}

/** The next period begins anew. */
function fail(what: string): bool {
  note(what, lastError());
  stop();
  topic = 0;
  return false;
}

function begin(): bool {
  if (topic != 0) return awake() || fail("not awake");
  if (start(0) < 0 || !connect("", 60, "", 0)) return fail("not connected");
  said = subscribeTo("field/say", 1);
  topic = said < 0 ? said : register("field/humidity");
  return topic > 0 || fail("no topic");
}

function send(): bool {
  if (!read("BME280", "humidity", humidity)) {
    note("no humidity", lastError());
    return true;
  }
  line.fixed(humidity[0], -3);
  if (!line.publish(topic, 1)) return fail("not published");
  note("published", 0);
  return true;
}

function listen(): void {
  while (hasMessage(said)) {
    const len = getMessage(said, message);
    if (len < 0) return;
    line.text("field: told ");
    for (let i = 0; i < len; i++) line.byte(load<u8>(changetype<usize>(message) + i));
    line.log();
  }
}

export function sensor_tick(): void {
  if (!begin() || !send()) return;
  listen();
  if (!sleep(SLEEP_S)) fail("not asleep");
}

export function health(): i32 {
  return healthCode != 0 ? 1 : 0;
}

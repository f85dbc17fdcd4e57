// The same as logger.c: all that a sensor measures, whatever it is, by handles.
//
// SPDX-License-Identifier: Apache-2.0
import * as sn from "sandmote/assembly";
import { line } from "sandmote/assembly";
export { __heap_base };

const SENSOR = "BME280";
const CHANNELS = 8;
const INTERVAL: i64 = 200000000; // ns

let all = 0; // handle of one measurement of everything granted
let count = 0; // capabilities in it
const units: StaticArray<u8> = [0, 0, 0, 0, 0, 0, 0, 0];
const scales: StaticArray<i8> = [0, 0, 0, 0, 0, 0, 0, 0];
const values: StaticArray<i32> = [0, 0, 0, 0, 0, 0, 0, 0];
const interval: StaticArray<i64> = [0];

function logNumber(text: string, value: i64): void {
  line.text(text);
  line.int(value);
  line.log();
}

function setInterval(): i32 {
  const rate = sn.open(SENSOR, "SampRate");
  let code = rate;
  if (rate > 0) code = sn.set(rate, INTERVAL);
  if (code == 0) code = sn.get(rate, interval);
  if (code > 0) logNumber("logger: SampRate ", interval[0]);
  return min(code, 0);
}

/** One typed record of a capability, which also says how to print those of the bursts. 0 or a code;
 *  what was not granted is not in the bursts. */
function describe(index: i32): i32 {
  const handle = sn.openListed(SENSOR, index);
  const code = handle > 0 ? sn.sample(handle) : handle;
  if (code == sn.Code.DENIED || count == CHANNELS) return 0;
  if (code < 0) return code;
  const sampled = sn.sampled;
  units[count] = sampled.unit;
  scales[count] = sampled.scale;
  count++;
  line.text("logger: ");
  line.listed(index);
  line.text(" is ");
  line.value(sampled.value, sampled.scale, sampled.unit);
  line.log();
  return 0;
}

function describeAll(): i32 {
  const names = sn.listNames(SENSOR, "capabilities");
  let code = min(names, 0);
  count = 0;
  for (let i = 0; i < names && code == 0; i++) code = describe(i);
  return code;
}

/** Tried again at the next tick when it fails. */
function start(): bool {
  let code = setInterval();
  if (code == 0) code = describeAll();
  if (code == 0) code = all = sn.open(SENSOR, "*");
  if (code < 0) logNumber("logger: cannot start, error ", code);
  return code > 0;
}

function burst(): void {
  const bytes = sn.get(all, values);
  if (bytes != count * 4) {
    logNumber("logger: no measurement, error ", bytes);
    return;
  }
  line.text("logger:");
  for (let i = 0; i < count; i++) {
    line.text(" ");
    line.value(values[i], scales[i], units[i]);
  }
  line.log();
}

export function sensor_tick(): void {
  if (all > 0 || start()) burst();
}

export function health(): i32 {
  return all > 0 && count > 0 ? 0 : 1;
}

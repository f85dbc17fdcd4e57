// The same as climate.c: when the air gets humid and when it is dry again.
//
// SPDX-License-Identifier: Apache-2.0
import { config, lastError, line, read, turnOn } from "sandmote/assembly";
export { __heap_base };

const HUMID_ABOVE = 60000; // thousandths of a per cent
const DRY_BELOW = 55000;

enum State { Unknown, Dry, Humid, SensorLost }

let state = State.Unknown;
const humidity: StaticArray<i32> = [0];
const temperature: StaticArray<i32> = [0];

/** Between the thresholds it stays as it was. */
function judge(humidity: i32): State {
  if (humidity > HUMID_ABOVE) return State.Humid;
  if (humidity < DRY_BELOW || state != State.Humid) return State.Dry;
  return State.Humid;
}

function report(): void {
  line.text("climate: ");
  line.milli(humidity[0]);
  line.text(" %RH at ");
  line.milli(temperature[0]);
  line.text(state == State.Humid ? " C: humid" : " C: dry");
  line.log();
}

function reportLoss(code: i32): void {
  line.text("climate: no value, error ");
  line.int(code);
  line.log();
}

export function sensor_tick(): void {
  const before = state;
  if (before == State.Unknown) {
    turnOn("BME280");
    config("BME280", "SampRate", 1000000000); // ns
  }
  if (read("BME280", "humidity", humidity) && read("BME280", "temperature", temperature)) {
    state = judge(humidity[0]);
    if (state != before) report();
  } else {
    state = State.SensorLost;
    if (state != before) reportLoss(lastError());
  }
}

export function health(): i32 {
  return state == State.Dry || state == State.Humid ? 0 : 1;
}

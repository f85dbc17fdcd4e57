import { line, read } from "./sandmote/assembly";
export { __heap_base }; // tells `sandmote pack` how much memory the module uses

const temperature: StaticArray<i32> = [0];

/** Called once a period. */
export function sensor_tick(): void {
  if (read("BME280", "temperature", temperature)) {
    line.milli(temperature[0]);
    line.text(" C");
  } else {
    line.text("no temperature");
  }
  line.log();
}

/** Asked while an update is on trial: 0 is well. */
export function health(): i32 {
  return 0;
}

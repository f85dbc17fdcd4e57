#!/bin/sh
# The SDK for AssemblyScript, all of it: a compiler of this language looks only at what is used.
# as.sh MODULES NPM ROOT WASM-OBJDUMP
# SPDX-License-Identifier: Apache-2.0
modules=$1 asc=$2/node_modules/.bin/asc root=$3 objdump=$4
if [ ! -x "$asc" ]; then
    echo "skipped: no AssemblyScript in $2 (./dev install)"
    exit 77
fi
. "$root/test/cli/lib.sh"

cp -R "$modules/as/node_modules" .
cat >x.ts <<'EOF'
import * as sn from "sandmote/assembly";
import { line } from "sandmote/assembly";
import * as plugin from "sandmote/assembly/plugin";
export { __heap_base };

const wide: StaticArray<i64> = [0];
const four: StaticArray<i32> = [0, 0, 0, 0];

export function all(): i64 {
  for (let i = 0, n = sn.getSensors(); i < n; i++) {
    line.listed(i);
    line.log();
  }
  if (!sn.turnOn("BME280") || !sn.config("BME280", "SampRate", 0)) return sn.lastError();
  if (!sn.read("BME280", "state", four) || four[0] != sn.State.Alive) return sn.Code.IO;
  if (!sn.read("BME280", "SampRate", wide)) return sn.Code.RANGE;
  const handle = sn.open("BME280", "*");
  sn.set(handle, wide[0]);
  if (sn.info(handle) == sn.Code.OK && sn.informed.kind == 0 && sn.informed.rights == 3)
    line.value(sn.informed.min + sn.informed.max, sn.informed.scale, sn.informed.unit);
  if (sn.listNames("BME280", "attributes") > 0 && sn.sample(sn.openListed("BME280", 0)) == 0)
    line.fixed(sn.sampled.value, sn.sampled.scale);
  line.milli(sn.get(handle, four));
  return sn.turnOff("BME280") ? sn.uptimeMs() - sn.sampled.timeMs : 0;
}

const text: StaticArray<u8> = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

export function network(): i64 {
  if (sn.start(1000) < 0 || sn.searchGW("ff02::1", 10000, 1, text) < 0) return sn.lastError();
  if (!sn.connect("WASM", 30, "", 0)) return sn.Code.REJECTED;
  const topic = sn.register("a/b");
  if (!sn.publish(topic, 2, text) || !line.publish(topic, 0)) return sn.Code.RATE;
  if (!sn.subscribe(topic, 1) || sn.subscribeTo("a/#", 1) < 0 || !sn.unsubscribe(topic)) return 1;
  while (sn.hasMessage(0)) if (sn.peekMessage(0, text) < 0 || sn.getMessage(0, text) < 0) break;
  if (!sn.sleep(60) || !sn.collect() || !sn.awake()) return 2;
  sn.network();
  sn.disconnect();
  sn.stop();
  return sn.status.link == sn.Link.Connected ? sn.status.dropped : sn.status.queue;
}

const words: StaticArray<u16> = [1, 2];

export function buses(): bool {
  return plugin.i2cRead(0x48, 0, text) && plugin.i2cWrite(0x48, 0, text) && plugin.spiTransfer(text) &&
    plugin.modbusRead(1, words) && plugin.modbusReadInput(1, words) && plugin.modbusWrite(1, words);
}
EOF
expect 0 "$asc" x.ts --config "$root/guest/assemblyscript/asconfig.json" -o x.wasm
expect 0 "$objdump" -x x.wasm
for name in getSensors turnOn turnOff config read lastError open get set sample info start stop \
    searchGW connect disconnect register publish subscribe subscribeTo unsubscribe hasMessage getMessage \
    peekMessage sleep collect awake network; do
    shows "<- wasi_sn.$name"
done
shows '<- sandmote.uptime_ms'
for name in i2c_read i2c_write spi_transfer modbus_read modbus_read_input modbus_write; do
    shows "<- env.$name"
done
expect 0 "$objdump" -d x.wasm
is sh -c "! grep -q memory.size out" # no heap

finish

// The examples are the same in each language: node same.mjs MODULES [SEED]
//
// Each runs in V8 over a host of our own, which answers by the contract (SPEC.md) and lets calls fail
// at random; for the same seed all languages must make the same calls and write the same lines.
//
// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [folder, seed] = process.argv.slice(2);
const STORIES = seed ? 1 : 400;
const TICKS = 12;

const capabilities = [
  { name: "temperature", unit: 1, scale: -3, min: -40000, max: 85000 },
  { name: "humidity", unit: 2, scale: -3, min: 0, max: 100000 },
  { name: "pressure", unit: 3, scale: -3, min: 30000000, max: 110000000 },
];

/** Numbers from 0 to below n, the same for the same seed. */
function random(seed) {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

/** A host with one sensor, and what it saw. */
class Host {
  lines = [];
  calls = [];
  handles = [];
  last = 0;

  constructor(seed) {
    this.random = random(seed);
    this.troubled = this.random(4); // 0: nothing ever fails
    this.scale = this.random(3) ? -3 : this.random(5) - 3;
  }

  text(at) {
    const bytes = new Uint8Array(this.memory.buffer);
    return Buffer.from(bytes.subarray(at, bytes.indexOf(0, at))).toString();
  }

  view() {
    return new DataView(this.memory.buffer);
  }

  /** Now and then a code, and what was called. */
  fails(...call) {
    this.calls.push(call.join(" "));
    return this.troubled && this.random(12) === 0 ? -1 - this.random(10) : 0;
  }

  value({ min, max }) {
    const special = [min, max, 0, -5, 54999, 55000, 60000, 60001].filter((v) => v >= min && v <= max);
    return this.random(3) === 0 ? special[this.random(special.length)] : min + this.random(max - min);
  }

  told(code) {
    this.last = code;
    return code;
  }

  boolean(code) {
    return this.told(code) === 0 ? 1 : 0;
  }

  imports() {
    const done = (...call) => this.boolean(this.fails(...call));
    return {
      sandmote: {
        log: (at, len) => {
          this.lines.push(Buffer.from(new Uint8Array(this.memory.buffer, at, len)).toString());
        },
      },
      wasi_sn: {
        lastError: () => this.last,
        start: (port) => this.told(this.fails("start", port)) || 50000,
        stop: () => done("stop"),
        connect: (client, keepAlive, address, port) =>
          done("connect", this.text(client), keepAlive, this.text(address), port),
        disconnect: () => done("disconnect"),
        register: (topic) => this.told(this.fails("register", this.text(topic))) || 1,
        subscribeTo: (filter, qos) => this.told(this.fails("subscribeTo", this.text(filter), qos)) || 2,
        publish: (topic, qos, data, len) =>
          done("publish", topic, qos, Buffer.from(this.memory.buffer, data, len).toString()),
        hasMessage: (topic) => {
          this.calls.push(`hasMessage ${topic}`);
          return this.random(3) === 0 ? 1 : 0;
        },
        getMessage: (topic, buf, len) => {
          const code = this.fails("getMessage", topic);
          if (this.told(code)) return code;
          const size = this.random(len + 1);
          for (let i = 0; i < size; i++) this.view().setUint8(buf + i, 32 + this.random(90));
          return size;
        },
        awake: () => done("awake"),
        sleep: (seconds) => done("sleep", seconds),
        turnOn: (sensor) => done("turnOn", this.text(sensor)),
        config: (sensor, name, value) => done("config", this.text(sensor), this.text(name), value),
        read: (sensor, name, buf, len) => {
          const what = this.text(name);
          const code = this.fails("read", this.text(sensor), what);
          if (code === 0 && what === "capabilities") {
            const names = capabilities.map((c) => c.name + "\0").join("");
            assert(names.length <= len);
            Buffer.from(this.memory.buffer).write(names, buf);
          } else if (code === 0) {
            assert(len === 4);
            this.view().setInt32(buf, this.value(capabilities.find((c) => c.name === what)), true);
          }
          return this.boolean(code);
        },
        open: (sensor, name) => {
          const what = this.text(name);
          const code = this.fails("open", this.text(sensor), what);
          return this.told(code) || this.handles.push(what);
        },
        get: (handle, buf, len) => {
          const what = this.handles[handle - 1];
          const code = this.fails("get", what);
          if (this.told(code)) return code;
          if (what === "SampRate") {
            assert(len === 8);
            this.view().setBigInt64(buf, BigInt(this.random(3)) * 3600000000000n, true);
            return 8;
          }
          assert(what === "*" && len >= 12);
          const n = this.troubled && this.random(9) === 0 ? 2 : 3;
          for (let i = 0; i < n; i++) this.view().setInt32(buf + 4 * i, this.value(capabilities[i]), true);
          return 4 * n;
        },
        set: (handle, value) => this.told(this.fails("set", this.handles[handle - 1], value)),
        sample: (handle, buf) => {
          const what = capabilities.find((c) => c.name === this.handles[handle - 1]);
          const code = this.fails("sample", what.name);
          if (this.told(code)) return code;
          const view = this.view();
          new Uint8Array(this.memory.buffer, buf, 24).fill(0);
          view.setBigInt64(buf, BigInt(this.value(what)), true);
          view.setUint8(buf + 16, this.troubled ? this.random(17) : what.unit);
          view.setInt8(buf + 17, this.scale);
          return 0;
        },
      },
    };
  }
}

function story(module, seed) {
  const host = new Host(seed);
  const instance = new WebAssembly.Instance(module, host.imports());
  host.memory = instance.exports.memory;
  for (let tick = 0; tick < TICKS; tick++) {
    instance.exports.sensor_tick();
    host.lines.push(`health ${instance.exports.health()}`);
  }
  return { lines: host.lines, calls: host.calls };
}

const load = (name) => new WebAssembly.Module(readFileSync(join(folder, `${name}.wasm`)));
let compared = 0, lines = 0;
const seen = new Set();
for (const name of ["climate", "logger", "field"]) {
  const first = load(name);
  for (const other of [`${name}-rs`, `${name}-as`]) {
    if (!existsSync(join(folder, `${other}.wasm`))) {
      console.log(`skipped: ${other}, for want of AssemblyScript (./dev install)`);
      continue;
    }
    const module = load(other);
    for (let i = 0; i < STORIES; i++) {
      const number = seed ? Number(seed) : i;
      const want = story(first, number);
      assert.deepEqual(story(module, number), want, `${other}: node same.mjs ${folder} ${number}`);
      want.lines.forEach((line) => seen.add(line.replace(/-?[0-9.]+/g, "N")));
      lines += want.lines.length;
      compared++;
    }
  }
}
// The paper's Listing 2, as printed: what it calls.
const listing = new Host(0);
listing.troubled = 0;
const { main, memory } = new WebAssembly.Instance(load("listing2"), listing.imports()).exports;
listing.memory = memory;
main();
assert.deepEqual(listing.calls, [
  "turnOn BME280", "config BME280 SampRate 1000000000", "read BME280 humidity",
]);

// And its Listing 3, nearly so.
const third = new Host(0);
third.troubled = 0;
const other = new WebAssembly.Instance(load("listing3"), third.imports()).exports;
third.memory = other.memory;
other.main();
assert.deepEqual(third.calls, [
  "start 1000", "connect WASM 30 fdde:ad00:beef::1 47193", "register humidity", "publish 1 2 45.1",
  "disconnect",
]);

// What was compared was worth it: every kind of line has come up.
for (const kind of [
  "climate: N %RH at N C: humid", "climate: N %RH at N C: dry", "climate: no value, error N",
  "logger: SampRate N", "logger: humidity is N %RH", "logger: N degC N %RH N Pa",
  "logger: cannot start, error N", "logger: no measurement, error N", "health N",
  "field: published", "field: not connected, error N", "field: not awake, error N",
  "field: no topic, error N", "field: no humidity, error N", "field: not published, error N",
  "field: not asleep, error N",
]) {
  assert(seed || seen.has(kind), `never seen: ${kind}`);
}
console.log(`${compared} stories of ${TICKS} ticks compared, ${lines} lines`);

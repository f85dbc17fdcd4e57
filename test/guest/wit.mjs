// The WIT, by a real parser (wasm-tools, as jco ships it): node wit.mjs NPM ROOT
//
// It parses and resolves; each world becomes the metadata of a component, which says all that was
// meant; and the lists in it are those of the core calls.
//
// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [npm, root] = process.argv.slice(2);
const { $init, tools } = await import(
  pathToFileURL(join(npm, "node_modules/@bytecodealliance/jco-transpile/vendor/wasm-tools.js"))
);
await $init;
const text = readFileSync(join(root, "guest/wit/wasi-sn.wit"), "utf8");
let checks = 0;

const embed = (source, world) =>
  tools.componentEmbed({ witSource: source, world, dummy: true, stringEncoding: "utf8" });
/** The component that a module of this world becomes, as text: the parser's own reading. */
const component = async (source, world) =>
  tools.print(await tools.componentNew(await embed(source, world), []));

function same(got, want, what) {
  assert.deepEqual(got, want, what);
  checks++;
}

const header = (name) => readFileSync(join(root, name), "utf8");
const kebab = (name) => name.toLowerCase().replaceAll("_", "-");
const matches = (text, pattern) => [...text.matchAll(pattern)].map((m) => m[1]);

const printed = await component(text, "checked-module");
for (const part of [
  '(import "sandmote:wasi-sn/sensor@3.0.0"',
  '(import "sandmote:wasi-sn/network@3.0.0"',
  '(import "sandmote:wasi-sn/log@3.0.0"',
  '"health" (func',
  '"sensor-tick"',
  '"turn-on"',
  '"read"',
  '"[static]channel.open"',
  '"[method]burst.get"',
  '"search-gw"',
  '"[static]topic.subscribe-to"',
  '"[method]topic.get-message"',
]) {
  assert(printed.includes(part), `${part} is not in it`);
  checks++;
}
same((await component(text, "module")).includes('"health"'), false, "world module has no health");

const plugin = await component(text, "plugin");
for (const bus of ["i2c", "spi", "modbus"]) {
  assert(plugin.includes(`(import "sandmote:wasi-sn/${bus}@3.0.0"`), `${bus} is not in it`);
  checks++;
}
const driver = await component(text, "temperature-plugin");
for (const part of ['"read-temperature" (func', '"set-alert-high" (func', '"get-alert-high" (func']) {
  assert(driver.includes(part), `${part} is not in it`);
  checks++;
}

/** An enum with these cases, in this order, was read. */
function hasEnum(cases, what) {
  assert(cases.length > 3, what);
  const found = printed.includes(`(enum ${cases.map((name) => `"${name}"`).join(" ")})`);
  assert(found, `${what}: no enum ${cases}`);
  checks++;
}

// Lists whose order is their number.
const codes = header("guest/c/sandmote_code.h"), c = header("guest/c/sandmote_sensor.h");
hasEnum(matches(codes, /WASI_SN_([A-Z_]+) = -\d/g).map(kebab), "codes");
same(matches(codes, /WASI_SN_[A-Z_]+ = -(\d+)/g).map(Number), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "numbers");
hasEnum(matches(/enum wasi_sn_state \{([^}]*)\}/.exec(c)[1], /WASI_SN_([A-Z]+)/g).map(kebab), "states");
const net = header("guest/c/sandmote_network.h");
hasEnum(matches(net, /WASI_SN_LINK_([A-Z]+)/g).map(kebab), "links");

const units = header("include/sandmote/sensor.h");
hasEnum(matches(units, /X\(([A-Z]+), \d+, "/g).map(kebab), "units");
const texts = matches(units, /X\([A-Z]+, \d+, "([^"]*)"\)/g);
for (const [name, start] of [
  ["guest/c/sandmote_sensor.h", "texts[][5] = {"],
  ["guest/rust/src/sensor.rs", "const UNITS"],
  ["guest/assemblyscript/assembly/index.ts", "const UNITS"],
]) {
  const source = header(name);
  const list = source.slice(source.indexOf(start));
  same(matches(list.slice(0, list.search(/[\]}];/)), /"([^"]*)"/g), texts, `units of ${name}`);
}

// The parser is one that refuses.
for (const [what, broken] of [
  ["a type that is not there", text.replace("result<value, error>", "result<values, error>")],
  ["a missing end", text.slice(0, text.lastIndexOf("}"))],
  ["a function twice", text.replace("turn-off:", "turn-on:")],
]) {
  await assert.rejects(async () => embed(broken, "module"), undefined, what);
  checks++;
}
console.log(`${checks} checks, 0 failed`);

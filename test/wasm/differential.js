// Compares the engine with V8 on random modules: node differential.js PROGRAM FIRST COUNT [MODE]
//
// PROGRAM is test/wasm/differential; its lines are described there. Ends with 1 at the first
// modules that differ (at most ten are shown), and prints how many were compared.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const { spawn } = require('child_process');
const { once } = require('events');
const readline = require('readline');

const [program, first, count, ...mode] = process.argv.slice(2);
if (count === undefined) {
  console.error('usage: node differential.js PROGRAM FIRST COUNT [MODE]');
  process.exit(64);
}

// What V8 calls each trap.
const trapWords = {
  'unreachable': /^unreachable/,
  'integer divide by zero': /by zero/,
  'integer overflow': /unrepresentable/,
  'invalid conversion to integer': /unrepresentable/,
  'out of bounds memory access': /memory access out of bounds|memory segment.*out of bounds/,
  'out of bounds table access': /table/,
  'undefined element': /table index is out of bounds/,
  'uninitialized element': /null function|signature/,
  'indirect call type mismatch': /null function|signature/,
  'call stack exhausted': /call stack/,
};

// The innermost frames of an error, as the program writes them.
function frames(error) {
  const found = error.stack.matchAll(/wasm-function\[(\d+)\]:0x([0-9a-f]+)/g);
  return Array.from(found, (m) => `${m[1]}:${m[2]}`).join(',');
}

// Native code tells the innermost frame of each instance alone.
function framesAgree(ours, theirs) {
  return ours === theirs || (mode.length > 0 && theirs.startsWith(`${ours},`));
}

const buffer = new DataView(new ArrayBuffer(8));
const wide = { i64: true, f64: true };

function fromWords(type, words) {
  buffer.setUint32(0, words.shift(), true);
  buffer.setUint32(4, wide[type] ? words.shift() : 0, true);
  return type === 'i32' ? buffer.getInt32(0, true)
    : type === 'i64' ? buffer.getBigInt64(0, true)
      : type === 'f32' ? buffer.getFloat32(0, true) : buffer.getFloat64(0, true);
}

function toWords(type, value) {
  if (type === 'i32') return [value >>> 0];
  if (type === 'f32') {
    buffer.setFloat32(0, value, true);
    return [buffer.getUint32(0, true)];
  }
  if (type === 'i64') buffer.setBigInt64(0, value, true);
  else buffer.setFloat64(0, value, true);
  return [buffer.getUint32(0, true), buffer.getUint32(4, true)];
}

// Types of the module's functions: V8 does not tell, so read them where the generator puts them.
function signatures(bytes) {
  const names = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64' };
  let at = 8;
  const u32 = () => {
    let v = 0, shift = 0, b;
    do { b = bytes[at++]; v |= (b & 0x7f) << shift; shift += 7; } while (b & 0x80);
    return v;
  };
  const list = () => Array.from({ length: u32() }, () => names[bytes[at++]]);
  let types, functions;
  while (!functions) {
    const id = bytes[at++], size = u32(), end = at + size;
    if (id === 1) types = Array.from({ length: u32() }, () => (at++, [list(), list()]));
    if (id === 3) functions = Array.from({ length: u32() }, () => types[u32()]);
    at = end;
  }
  return functions;
}

let instance, functions, seed, compared = 0, calls = 0, traps = 0, different = 0, bad;

function differs(what) {
  if (!bad) {
    bad = true;
    different++;
    console.log(`seed ${seed}: ${what}`);
  }
}

const lines = {
  M([number, hex]) {
    const bytes = Buffer.from(hex, 'hex');
    seed = number;
    bad = false;
    compared++;
    functions = signatures(bytes);
    try {
      const module = new WebAssembly.Module(bytes);
      instance = new WebAssembly.Instance(module, { h: { f: (x) => (Math.imul(x, 3) + 1) | 0 } });
    } catch (error) {
      instance = null;
      differs(`V8 refuses it: ${error.message}`);
    }
  },
  X(words) {
    differs(`we refuse it: ${words.join(' ')}`);
  },
  C([name, ...rest]) {
    if (bad) return;
    const end = rest.findIndex((w) => w === '=' || w === '!');
    const [params, results] = functions[Number(name)];
    const words = rest.slice(0, end).map((w) => parseInt(w, 16));
    const args = params.map((t) => fromWords(t, words));
    let got;
    calls++;
    instance.exports.g0.value = 400;
    try {
      const value = instance.exports[name](...args);
      const values = results.length === 0 ? [] : results.length === 1 ? [value] : value;
      got = results.flatMap((t, i) => toWords(t, values[i]));
    } catch (error) {
      traps++;
      const ours = rest.slice(end + 2).join(' ');
      if (rest[end] !== '!') differs(`"${name}" traps in V8: ${error.message}`);
      else if (!trapWords[ours].test(error.message)) {
        differs(`"${name}": ${ours}, V8 says ${error.message}`);
      } else if (rest[end + 1] !== '' && !framesAgree(rest[end + 1], frames(error))) {
        differs(`"${name}": ${ours} at ${rest[end + 1]}, V8 says ${frames(error)}`);
      }
      return;
    }
    const ours = rest.slice(rest[end] === '!' ? end + 2 : end + 1).join(' ');
    const theirs = got.map((w) => w.toString(16)).join(' ');
    if (rest[end] === '!') differs(`"${name}" traps: ${ours}; V8 gives ${theirs}`);
    else if (ours !== theirs) differs(`"${name}" gives ${ours}, V8 gives ${theirs}`);
  },
  E(words) {
    if (bad) return;
    const memory = new Uint8Array(instance.exports.m.buffer);
    const types = ['i32', 'i32', 'i64', 'f32', 'f64'];
    let sum = 2166136261;
    for (let i = 0; i < memory.length; i++) sum = Math.imul(sum ^ memory[i], 16777619);
    const state = [memory.length / 65536, sum >>> 0,
      ...types.flatMap((t, i) => toWords(t, instance.exports[`g${i}`].value))];
    const theirs = state.map((w) => w.toString(16)).join(' ');
    if (theirs !== words.join(' ')) differs(`state ${words.join(' ')}, V8 has ${theirs}`);
  },
};

const child = spawn(program, [first, count, ...mode], { stdio: ['ignore', 'pipe', 'inherit'] });
const input = readline.createInterface({ input: child.stdout, crlfDelay: Infinity });
input.on('line', (line) => {
  const [kind, ...words] = line.split(' ');
  lines[kind](words);
  if (different >= 10) child.kill();
});
// The pipe closes before the program has ended, so wait for both.
Promise.all([once(child, 'exit'), once(input, 'close')]).then(([[status]]) => {
  console.log(`${compared} modules, ${calls} calls of which ${traps} trapped: ${different} differ`);
  process.exit(different === 0 && status === 0 && compared === Number(count) ? 0 : 1);
});

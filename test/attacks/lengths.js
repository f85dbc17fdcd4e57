// Every length of every signed object is another, and the object is signed again by the right key, so
// that only the reader stands in the way: node lengths.js SANDMOTE STATEMENT
//
// That every bit of what is signed counts, test/trust shows. Here each head of a text, byte string,
// array, map or tag says something else (one more, one less, the borders of the next sizes, the same
// in more bytes, without an end), outside and inside of what is signed.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawnSync } = require('child_process');
const o = require('./objects');

const [sandmote, statement] = process.argv.slice(2);
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sandmote-lengths-'));
const write = (name, bytes) => { fs.writeFileSync(path.join(dir, name), bytes); return path.join(dir, name); };
const runs = (program, ...args) => spawnSync(program, args, { encoding: 'utf8' });
const run = (...args) => runs(sandmote, ...args);

// ---- Where lengths stand ----------------------------------------------------------------------

const LENGTHS = [2, 3, 4, 5, 6]; // major types whose head says how much follows, or which tag

// The heads of an item at `at` and of those in it: adds {at, size, major, value} and gives its end.
function walk(bytes, at, found) {
  const major = bytes[at] >> 5, info = bytes[at] & 31;
  const more = info < 24 ? 0 : 1 << (info - 24);
  let value = info < 24 ? BigInt(info) : 0n;
  for (let i = 0; i < more; i++) value = value << 8n | BigInt(bytes[at + 1 + i]);
  if (LENGTHS.includes(major)) found.push({ at, size: 1 + more, major, value });
  at += 1 + more;
  if (major === 2 || major === 3) return at + Number(value);
  for (let items = { 4: Number(value), 5: 2 * Number(value), 6: 1 }[major] ?? 0; items > 0; items--)
    at = walk(bytes, at, found);
  return at;
}

// A head with a value in so many bytes behind the first.
function wide(major, value, more) {
  const out = Buffer.alloc(1 + more);
  out[0] = major << 5 | 24 + Math.log2(more);
  for (let i = more; i > 0; i--, value >>= 8n) out[i] = Number(value & 255n);
  return out;
}

const BORDERS = [0n, 1n, 23n, 24n, 255n, 256n, 65535n, 65536n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n,
  2n ** 63n, 2n ** 64n - 1n];

// All that can stand in a head's place and says another length, or the same in another way.
function* heads(h) {
  const values = [h.value + 1n, h.value - 1n, ...BORDERS].filter((v) => v >= 0n && v !== h.value);
  for (const v of new Set(values)) yield o.head(h.major, v);
  for (const more of [1, 2, 4, 8]) if (more > h.size - 1) yield wide(h.major, h.value, more);
  if (h.major < 6) yield Buffer.from([h.major << 5 | 31]);
  yield Buffer.from([h.major << 5 | 28]); // reserved
}

function* spoiled(bytes) {
  const found = [];
  walk(bytes, 0, found);
  for (const h of found)
    for (const head of heads(h))
      yield Buffer.concat([bytes.subarray(0, h.at), head, bytes.subarray(h.at + h.size)]);
}

// ---- What is signed ---------------------------------------------------------------------------

const signer = o.newKey(), builder = o.newKey(), root = o.newKey(), server = o.newKey();
const plan = (version) => ({ version, threshold: 1, roots: [root], issued: 1700000000,
  keys: [{ role: 'signer', key: signer }, { role: 'vendor', key: builder, scope: ['BME280', 'i2c-1', [0x76], ['log']] }],
  revoked: [{ key: o.newKey(), stop: true }], anchors: [Buffer.alloc(300)], pins: [Buffer.alloc(32, 1)] });
const app = o.release(signer, { version: 1 });
const first = write('1.keys', o.keySet(plan(1), [root]));
const module_ = write('app.wasm', app.bytes);
const native = path.join(dir, 'app.native');
if (run('aot', module_, '-o', native).status !== 0) throw new Error('no native image could be made');
const image = fs.readFileSync(native);
const builderPem = write('builder.pem', builder.pem);

const isKeySet = (bytes) => run('trust', 'check', '--after', first, write('2.keys', bytes));
const isClaim = (bytes) => {
  write('app.native.sig', bytes);
  return run('verify', '--key', builderPem, '--native', '--module', module_, native);
};
const isManifest = (bytes) => run('inspect', write('x.wasm', o.release(signer, { version: 1,
  sections: [o.manifestSection(bytes)] }).bytes));

const isStatement = (bytes) => runs(statement, server.raw.toString('hex'), write('x.current', bytes));

// The payload inside a signed object is another; it is signed as it then is.
const setOf = (payload) => o.keySet({ ...plan(2), rawPayload: payload }, [root]);
const claimOf = (payload) => o.sign1(builder, 'native', payload);
const statementOf = (payload) => o.sign1(server, 'current', payload);
const stated = { issued: 1700000000, expires: 1700086400, keys: 3, nonce: Buffer.alloc(16, 7),
  modules: [['pump', 12], ['thermostat', 7]] };
const set = o.keySet(plan(2), [root]), claim = o.claim(builder, app, image);
const objects = [
  ['a key set', set, (b) => b, isKeySet],
  ['what a key set says', o.keySetPayload(plan(2)), setOf, isKeySet],
  ['a claim', claim, (b) => b, isClaim],
  ['what a claim says', o.claimPayload(app, image), claimOf, isClaim],
  ['a statement', o.statement(server, stated), (b) => b, isStatement],
  ['what a statement says', o.statementPayload(stated), statementOf, isStatement],
  ['a plugin\'s manifest', o.manifest({ name: 'driver', version: 1, sequence: 1,
    manifest: { 2: 1, 14: 2, 16: o.sensor(), 17: [['app', 1, 9], ['other', 2, 2]] } }), (b) => b, isManifest],
  ['a manifest', o.manifest({ name: 'app', version: 1, sequence: 1 }), (b) => b, isManifest],
];

let wrong = 0, tried = 0;
for (const [what, bytes, sign, ask] of objects) {
  const good = ask(sign(bytes));
  if (good.status !== 0) { wrong++; console.log(`${what} is refused as it is: ${good.stderr}${good.stdout}`); }
  for (const bad of spoiled(bytes)) {
    tried++;
    const r = ask(sign(bad));
    if (r.status === 1) continue;
    wrong++;
    console.log(`${what}: status ${r.status} for ${bad.toString('hex')}`);
  }
}
fs.rmSync(dir, { recursive: true });
console.log(`${tried} lengths that are others, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);

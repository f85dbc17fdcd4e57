// Everything that is signed, made from the pages doc/SPEC-*.md and from nothing of the product: so
// that it can also be made wrongly.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const crypto = require('crypto');

const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest();

// ---- Keys -------------------------------------------------------------------------------------

// A new Ed25519 key: its public half as 32 bytes and as PEM, and how it signs.
function newKey() {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519');
  return {
    raw: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32),
    pem: publicKey.export({ format: 'pem', type: 'spki' }),
    privatePem: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    sign: (bytes) => crypto.sign(null, bytes, privateKey),
  };
}

// The order of the curve's group: S + L is S, for those who do not look.
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
function withHigherS(signature) {
  let s = ORDER;
  for (let i = 63; i >= 32; i--) s += BigInt(signature[i]) << BigInt(8 * (i - 32));
  const out = Buffer.from(signature);
  for (let i = 32; i < 64; i++, s >>= 8n) out[i] = Number(s & 255n);
  return out;
}

// ---- CBOR (RFC 8949) --------------------------------------------------------------------------

class Raw { constructor(...bytes) { this.bytes = Buffer.concat(bytes.map((b) => Buffer.from(b))); } }
class Tag { constructor(number, value) { this.number = number; this.value = value; } }

function head(major, n) {
  const v = BigInt(n), m = major << 5;
  if (v < 24n) return Buffer.from([m | Number(v)]);
  for (const [bytes, info] of [[1, 24], [2, 25], [4, 26], [8, 27]]) {
    if (v >> BigInt(8 * bytes)) continue;
    const out = Buffer.alloc(1 + bytes);
    out[0] = m | info;
    for (let i = 0; i < bytes; i++) out[bytes - i] = Number((v >> BigInt(8 * i)) & 255n);
    return out;
  }
  throw new Error('no such number');
}

// Numbers, texts, bytes, arrays, maps in the order they are in, and what Raw and Tag hold.
function cbor(v) {
  if (v instanceof Raw) return v.bytes;
  if (v instanceof Tag) return Buffer.concat([head(6, v.number), cbor(v.value)]);
  if (typeof v === 'number' || typeof v === 'bigint')
    return v < 0 ? head(1, -1n - BigInt(v)) : head(0, v);
  if (typeof v === 'string') return Buffer.concat([head(3, Buffer.byteLength(v)), Buffer.from(v)]);
  if (Buffer.isBuffer(v)) return Buffer.concat([head(2, v.length), v]);
  if (Array.isArray(v)) return Buffer.concat([head(4, v.length), ...v.map(cbor)]);
  return Buffer.concat([head(5, v.size), ...[...v].flatMap(([k, x]) => [cbor(k), cbor(x)])]);
}

// {1: ..} as a map; keys that are undefined are left out.
const map = (object) => new Map(Object.entries(object).filter(([, v]) => v !== undefined)
  .map(([k, v]) => [Number(k), v]));

// ---- Modules (doc/SPEC-manifest.md) -----------------------------------------------------------

function leb(n) {
  const out = [];
  do { out.push((n & 127) | (n > 127 ? 128 : 0)); n >>>= 7; } while (n);
  return out;
}
const sleb32 = (n) => [n & 127 | 128, n >> 7 & 127 | 128, n >> 14 & 127 | 128, n >> 21 & 127 | 128,
  n >> 28 & 15 | (n < 0 ? 112 : 0)];
const text = (s) => [...leb(Buffer.byteLength(s)), ...Buffer.from(s)];
const section = (id, bytes) => bytes.length ? [id, ...leb(bytes.length), ...bytes] : [];
const vector = (items) => items.length ? [...leb(items.length), ...items.flat()] : [];

// Instructions that cases are written in.
const op = {
  unreachable: [0x00], drop: [0x1a], end: [0x0b],
  i32: (n) => [0x41, ...sleb32(n)],
  call: (f) => [0x10, ...leb(f)],
  loop: [0x03, 0x40, 0x0c, 0x00, 0x0b],
  load: [0x28, 2, 0], store: [0x36, 2, 0],
  grow: [0x40, 0],
  indirect: [0x11, 1, 0],
};
const I32 = 0x7f;
const TYPES = [[0x60, 2, I32, I32, 0], [0x60, 0, 0], [0x60, 0, 1, I32], [0x60, 1, I32, 0],
  [0x60, 4, I32, I32, I32, I32, 1, I32]];

// A module whose entry (function 1 with the one import) logs its mark, then does `body`.
function wasm(o) {
  const imports = o.imports || [['sandmote', 'log', 0]];
  const log = [...op.i32(0), ...op.i32(Buffer.byteLength(o.mark)), ...op.call(0)];
  const functions = [{ name: o.entry || 'sensor_tick', type: o.entryType ?? 1,
    code: [...(o.silent ? [] : log), ...(o.body || [])] }, ...(o.functions || [])];
  const code = functions.map((f) => {
    const body = [...(f.locals || [0]), ...f.code, ...op.end];
    return [...leb(body.length), ...body];
  });
  const exported = functions.map((f, i) => [f, i + imports.length]).filter(([f]) => f.name);
  return Buffer.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, vector(TYPES)),
    ...section(2, vector(imports.map(([m, f, t]) => [...text(m), ...text(f), 0, ...leb(t)]))),
    ...section(3, vector(functions.map((f) => leb(f.type)))),
    ...section(4, o.table ? [1, 0x70, 0, ...leb(o.table)] : []),
    ...section(5, [1, 0, ...leb(o.pages ?? 1)]),
    ...section(7, vector(exported.map(([f, i]) => [...text(f.name), 0, ...leb(i)]))),
    ...section(8, o.start === undefined ? [] : leb(o.start)),
    ...section(10, vector(code)),
    ...section(11, vector([[0, ...op.i32(o.dataAt ?? 0), ...op.end, ...text(o.mark)]])),
  ]);
}

const padding = (bytes) => Buffer.from(section(0, [...text('p'), ...Buffer.alloc(bytes, 'padding ')]));

const manifestSection = (bytes) => Buffer.from(section(0, [...text('sandmote'), ...bytes]));

// The keys of a manifest as numbers; what a case wants otherwise takes their place.
const manifest = (o) => cbor(o.raw || map({
  1: 1, 2: 0, 3: 'plant-7', 4: o.name, 5: `${o.version}.0`, 6: o.sequence, 7: 0, 8: [3],
  10: 50, 11: 65536, 12: 4096, 13: ['log'], 14: 1, ...o.manifest,
}));

// A release: o.version numbers it, o.manifest replaces keys, the rest is for wasm().
function release(key, o) {
  const mark = o.mark || `${o.name || 'app'} ${o.version}`;
  const full = { name: 'app', sequence: o.version, ...o, mark };
  const code = o.code || wasm(full);
  const sections = o.sections || [manifestSection(manifest(full))];
  const bytes = Buffer.concat([code.subarray(0, 8), ...sections, code.subarray(8),
    padding(o.padding ?? 0)]);
  return signed(key, { name: full.name, version: `${o.version}.0`, sequence: full.sequence, mark,
    part: o.part }, bytes);
}

// What a plugin drives, as the manifest has it.
const sensor = (more = {}) => map({ 1: 'T1', 2: 'TMP105', 3: 'i2c-1', 4: 0x48,
  5: [['temperature', 1, 3]], ...more });

// The same of a plugin: it logs its mark and measures 21.5 degrees, without asking any chip.
const plugin = (key, o) => release(key, { name: 't1-driver', part: 'plugin', entry: 'read_temperature',
  entryType: 2, body: op.i32(21500), ...o,
  manifest: { 2: 1, 14: 2, 16: sensor(o.sensor), ...o.manifest } });

// Removes the plugin of its name.
const removal = (key, o) => release(key, { name: 't1-driver', part: 'plugin', ...o,
  manifest: { 2: 1, 14: 2, ...o.manifest } });

function signed(key, about, bytes) {
  return { ...about, bytes, size: bytes.length, sha256: sha256(bytes).toString('hex'),
    sig: key ? key.sign(bytes) : undefined };
}

// ---- COSE objects (doc/SPEC-claim.md, doc/SPEC-trust.md) --------------------------------------

const type = (what) => `application/vnd.sandmote.${what}+cose`;
const header = (what) => cbor(map({ 1: -8, 16: type(what) }));

// COSE_Sign1 of a payload.
function sign1(key, what, payload) {
  const protectedHeader = header(what);
  const signature = key.sign(cbor(['Signature1', protectedHeader, Buffer.alloc(0), payload]));
  return cbor(new Tag(18, [protectedHeader, new Map(), payload, signature]));
}

const claimPayload = (module, image, o = {}) => cbor(map({
  1: 1, 2: sha256(module.bytes), 3: sha256(image), 4: image.length, 5: o.target ?? 1, ...o.payload,
}));
const claim = (key, module, image, o = {}) =>
  sign1(key, o.type || 'native', claimPayload(module, image, o));

const statementPayload = (o) => cbor(map({
  1: 1, 2: 'plant-7', 3: 'stable', 4: o.issued, 5: o.expires, 6: o.keys ?? 0, 7: o.modules ?? [],
  8: o.nonce, ...o.payload,
}));
const statement = (key, o) => sign1(key, o.type || 'current', statementPayload(o));

const sorted = (list, at = (x) => x) => [...list].sort((a, b) => Buffer.compare(at(a), at(b)));

const ROLES = { signer: 1, vendor: 3, builder: 4, requester: 5, server: 6 };

// o: version, threshold, roots, keys ({role, key, expires}), revoked ({module|key, stop}), and the
// rest as in the payload.
const keySetPayload = (o) => cbor(map({
  1: 1, 2: 'plant-7', 3: o.version, 4: o.issued ?? 1700000000, 5: o.expires ?? 0,
  6: o.threshold, 7: sorted(o.roots.map((k) => k.raw)),
  8: sorted(o.keys.map((k) => [ROLES[k.role], k.key.raw, k.expires ?? 0, k.scope ?? []]), (k) => k[1]),
  9: sorted((o.revoked ?? []).map((r) => [r.key ? 0 : 1, r.key ? r.key.raw
    : Buffer.from(r.module.sha256, 'hex'), r.stop ? 1 : 0]), (r) => r[1]),
  10: (o.anchors ?? []), 11: sorted(o.pins ?? []), ...o.payload,
}));

// by: who signs, in the order of their keys unless o.unsorted.
function keySet(o, by) {
  const payload = o.rawPayload || keySetPayload(o);
  const protectedHeader = cbor(map({ 16: type(o.type || 'keys') }));
  const signers = o.unsorted ? by : sorted(by, (k) => k.raw);
  const signatures = signers.map((k) => {
    const mine = cbor(map({ 1: -8, 4: k.raw }));
    const signature = (k.hand || k).sign(
      cbor(['Signature', protectedHeader, mine, Buffer.alloc(0), payload]));
    return [mine, new Map(), signature];
  });
  return cbor(new Tag(98, [protectedHeader, new Map(), payload, signatures]));
}

// One bit of a copy is another.
function flip(bytes, at = bytes.length >> 1, bit = 0) {
  const out = Buffer.from(bytes);
  out[at] ^= 1 << bit;
  return out;
}

module.exports = { sha256, newKey, withHigherS, Raw, Tag, cbor, map, head, op, wasm, manifest,
  manifestSection, padding, release, sensor, plugin, removal, signed, sign1, claim, claimPayload, statement, statementPayload,
  keySet, keySetPayload, flip };

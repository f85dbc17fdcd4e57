// Manifests that the signer signed and that break a rule of doc/SPEC-manifest.md.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const o = require('./objects');
const { Raw, map } = o;

const good = { 1: 1, 2: 0, 3: 'plant-7', 4: 'app', 5: '66.0', 6: 66, 7: 0, 8: [3], 10: 50, 11: 65536,
  12: 4096, 13: ['log'], 14: 1 };
const encoded = o.cbor(map(good));
const mark = 'app 66';

// Refused for this reason: with these keys, or these bytes, or these sections instead.
const broken = (name, pattern, rows, change) => [`a manifest ${name}`, rows, async (w) => {
  const more = change.sections ? { sections: change.sections }
    : change.bytes ? { sections: [o.manifestSection(change.bytes)] } : { manifest: change };
  await w.refuses(w.app(66, { mark, ...more }), 'REFUSED', pattern);
}];

const replace = (from, to) => {
  const at = encoded.indexOf(Buffer.from(from, 'hex'));
  if (at < 0) throw new Error(`no ${from} in a manifest`);
  return { bytes: Buffer.concat([encoded.subarray(0, at), Buffer.from(to, 'hex'),
    encoded.subarray(at + from.length / 2)]) };
};

const FORM = [3, 18];
module.exports = [
  broken('that is not there', /no section "sandmote", so no manifest/, FORM, { sections: [o.padding(4)] }),
  broken('that is there twice', /a second section "sandmote"/, FORM, { sections: [o.manifestSection(encoded), o.manifestSection(encoded)] }),
  broken('that is there twice, the second one with more rights', /a second section "sandmote"/, [3, 27], { sections: [
    o.manifestSection(encoded), o.manifestSection(o.cbor(map({ ...good, 13: ['log', 'net/*'] })))] }),
  broken('that is empty', /ends where an item is expected/, FORM, { bytes: Buffer.alloc(0) }),
  broken('that ends too early', /ends where an item is expected/, FORM, { bytes: encoded.subarray(0, -1) }),
  broken('with a byte behind it', /bytes follow the last item/, FORM, { bytes: Buffer.concat([encoded, Buffer.alloc(1)]) }),
  broken('of indefinite length', /indefinite lengths are not deterministic/, FORM, { bytes: Buffer.concat([Buffer.from([0xbf]), encoded.subarray(1), Buffer.from([0xff])]) }),
  broken('with a number longer than need be', /a number is not in its shortest form/, FORM, replace('061842', '06190042')),
  broken('with a key twice', /a key stands twice/, FORM, { bytes: Buffer.concat([Buffer.from([encoded[0] + 1]), encoded.subarray(1, 3), encoded.subarray(1)]) }),
  broken('with its keys in another order', /a required key is missing/, FORM, { bytes: o.cbor(map(good)).fill(Buffer.from('02000101', 'hex'), 1, 5) }),
  broken('with a key that nobody knows', /an unknown key/, FORM, { 99: 1 }),
  broken('with a tag', /an unsigned integer is expected/, FORM, { 6: new o.Tag(1, 66) }),
  broken('with a floating-point number', /an unsigned integer is expected/, FORM, { 6: new Raw([0xf9, 0x54, 0x20]) }),
  broken('with a negative number', /an unsigned integer is expected/, FORM, { 6: -1 }),
  broken('that is an array', /a map is expected/, FORM, { bytes: o.cbor([1, 0, 'plant-7']) }),
  broken('of more than 2560 bytes', /the manifest is too long/, [12], { 13: Array.from({ length: 16 }, (_, i) => `log/${'x'.repeat(88)}${10 + i}`), 9: 'y'.repeat(1500) }),
  broken('with an array that says 4 billion', /an array has more items than bytes are left/, [12], replace('8103', '9affffffff03')),
  broken('with a text that says 2^63', /a text is longer than the bytes that are left/, [12], replace('67706c616e742d37', '7b8000000000000000706c616e742d37')),
  broken('of the next format', /its manifest has format 2, this device knows 1/, FORM, { 1: 2 }),
  broken('of a kind that is none', /the number is too large/, FORM, { 2: 7 }),
  broken('without a sequence', /a required key is missing/, [5], { 6: undefined }),
  broken('with sequence 0', /the number is too small/, [5], { 6: 0 }),
  broken('with a sequence above 2^63', /the number is too large/, [9], { 6: 2n ** 63n }),
  broken('with a security floor above its own sequence', /the security floor is above the sequence/, [5, 9], { 7: 67 }),
  broken('without a fleet', /a required key is missing/, [17], { 3: undefined }),
  broken('without classes', /a required key is missing/, [17], { 8: undefined }),
  broken('with a class twice', /classes must ascend/, [17], { 8: [3, 3] }),
  broken('with a class that is none', /no such device class/, [17], { 8: [3, 4] }),
  broken('with a path for a name', /a name begins with a letter or a digit/, [19], { 4: '../app' }),
  broken('with a zero byte in its name', /only a-z 0-9 \. _ - may stand in this text/, [19, 38], { 4: 'app\0x' }),
  broken('with capabilities that are not in order', /capabilities must ascend/, [27], { 13: ['log', 'lof'] }),
  broken('with seventeen capabilities', /too many capabilities/, [27, 29], { 13: Array.from({ length: 17 }, (_, i) => `c${10 + i}`) }),
  broken('with a period of no time', /the number is too small/, [30], { 10: 0 }),
  broken('with a stack of 4 GiB', /the number is too large/, [29], { 12: 2 ** 32 }),
];

// Going back, and the flash in the attacker's hands.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const path = require('path');
const o = require('./objects');
const { sleep } = require('./world');
const { op } = o;

const mark = 'app 66';
const SECTOR = 4096; // of the flash, if its configuration does not say otherwise

// Traps with the n-th call: late enough to be committed before.
const AT = [...op.i32(512)];
const trapsAfter = (n) => [...AT, ...AT, ...op.load, ...op.i32(1), 0x6a, ...op.store,
  ...AT, ...op.load, ...op.i32(n), 0x4f, 0x04, 0x40, ...op.unreachable, ...op.end];

const order = [
  ['an older release', [5, 7], async (w) => {
    await w.install(w.app(5));
    await w.refuses(w.app(3), 'REFUSED', /not above 5/, 'app 5');
  }],
  ['the release before, again', [5], async (w) => {
    const first = w.app(2);
    await w.install(first);
    await w.install(w.app(3));
    w.server.offer(first);
    await w.failure(/not above 3/);
    await w.runs('app 3');
  }],
  ['other bytes with the sequence that runs', [5], async (w) => {
    await w.refuses(w.app(1, { mark }), 'REFUSED', /not above 1/);
  }],
  ['a release below the security floor', [5], async (w) => {
    await w.install(w.app(5, { manifest: { 7: 5 } }));
    await w.refuses(w.app(4, { mark }), 'REFUSED', /below the security floor|not above/, 'app 5');
  }],
  ['going back below the security floor by traps', [6, 32], async (w) => {
    await w.install(w.app(5, { manifest: { 7: 5 }, body: trapsAfter(12) }));
    const before = w.count('] app 1');
    await w.until('four traps', () => w.count('TRAP app 5') >= 4);
    w.expect(w.count('] app 1') === before, 'version 1 runs again');
    await w.restart('SIGKILL');
    await w.until('a trap', () => w.count('TRAP app 5'));
    await w.polls(2);
    w.never('app 1');
    await w.install(w.app(6));
  }],
  ['a release that fails on trial raises no floor', [6, 9], async (w) => {
    w.server.offer(w.app(5, { mark, manifest: { 7: 5 }, body: op.unreachable }));
    await w.event('ROLLED_BACK', /^5/);
    await w.restart('SIGKILL');
    await w.runs('app 1');
    await w.install(w.app(2));
  }],
  ['a release that is refused raises no floor', [9], async (w) => {
    await w.refuses(w.app(5, { key: w.stranger, manifest: { 7: 5 }, mark }), 'REFUSED', /of no key/);
    await w.install(w.app(2));
  }],
  ['traps that are spread over power cuts', [31], async (w) => {
    await w.install(w.app(2, { body: trapsAfter(25) }));
    for (let i = 0; i < 2; i++) {
      const before = w.count('TRAP app 2');
      await w.until('a trap', () => w.count('TRAP app 2') > before);
      await w.restart('SIGKILL');
    }
    await w.event('ROLLED_BACK', /^2/);
    await w.runs('app 1');
  }],
  ['a release with the last sequence there is, by a stolen key', [9, 21], { keySet: true }, async (w) => {
    await w.install(w.app(66, { sequence: 2n ** 63n - 1n }));
    await w.refuses(w.app(2), 'REFUSED', /not above/, mark);
    w.server.keySets.set(2, w.set(2, { keys: [{ role: 'signer', key: w.vendor }], revoked: [{ key: w.signer, stop: true }] }));
    await w.event('ROLLED_BACK', /revoked/);
    await w.install(w.app(3, { key: w.vendor }));
  }],
  ['a module that is swapped while it comes', [2, 15], async (w) => {
    const good = w.app(2, { padding: 40000 }), bad = w.app(2, { mark, padding: 40000, key: w.stranger });
    let asked = 0;
    w.server.on.module = (req, res, s) => {
      if (asked++) return s.sendFile(req, res, bad.bytes.subarray(0, good.size), good.sha256);
      res.writeHead(200, { 'Content-Length': good.size });
      res.write(good.bytes.subarray(0, 20000), () => setTimeout(() => res.destroy(), 100));
    };
    await w.refuses(good, 'DOWNLOAD_FAILED', /do not have the hash|instead of|ends after/);
    w.never(mark);
  }],
  ['power cuts while a release comes', [33], async (w) => {
    const r = w.app(2, { padding: 60000 });
    w.server.offer(r);
    for (let i = 0; i < 8 && !/TRIAL|COMMITTED app 2/.test(w.log); i++) {
      await sleep(40 * i);
      await w.restart('SIGKILL');
    }
    await w.event('COMMITTED', /^2/);
    await w.runs('app 2');
  }],
];

// ---- The flash behind the device's back ---------------------------------------------------------

// Version 2 runs, and its bytes on the flash are not what they were: it does not run again.
const changed = (name, rows, change) => [name, rows, async (w) => {
  const r = w.app(2, { padding: 3000 });
  await w.install(r);
  await w.stop();
  change(w, r, w.flashAt(r.bytes));
  await w.restart();
  await w.event('CORRUPT_SLOT', /do not match their hash/);
  await w.runs('app 1');
  w.never('app 2');
  w.never(mark);
}];

// What was translated from version 2, from the next border of a sector on, has other bytes a little
// behind its beginning: it is not run, but made anew.
const remade = (name, bytes) => [name, [2, 34], async (w) => {
  const r = w.app(2, { padding: 3000 });
  await w.install(r);
  await w.stop();
  const at = Math.ceil((w.flashAt(r.bytes) + r.size) / SECTOR) * SECTOR + 300;
  const image = w.readFlash(at, 64);
  w.expect(image.some((byte) => byte !== 0xff), 'there is no image behind the module');
  w.writeFlash(at, bytes(image));
  await w.restart();
  await w.says(/REPAIRED app 2.*its image was damaged/);
  await w.runs('app 2');
  w.expect(w.readFlash(at, 64).equals(image), 'the image is another than before');
}];
const flash = [
  changed('a bit of the module on the flash', [2], (w, r, at) => w.writeFlash(at + 200, o.flip(r.bytes, 200).subarray(200, 201))),
  changed('the last byte of the module on the flash', [2, 4], (w, r, at) => w.writeFlash(at + r.size - 1, Buffer.from('!'))),
  changed('another module in its place on the flash', [2], (w, r, at) => {
    const bad = w.app(2, { mark, padding: 3000, key: w.stranger });
    w.writeFlash(at - 64, bad.sig);
    w.writeFlash(at, bad.bytes);
  }),
  changed('an older module of the signer in its place on the flash', [2, 5], (w, r, at) => {
    const old = w.app(0, { sequence: 1, padding: 3000 });
    w.writeFlash(at - 64, old.sig);
    w.writeFlash(at, old.bytes);
  }),
  remade('the code made of the module on the flash', () => Buffer.alloc(2048, 0x41)),
  remade('one bit of the code made of the module on the flash', (image) => Buffer.from([image[0] ^ 1])),
  ['both releases on the flash', [2, 32], async (w) => {
    const one = w.app(2, { padding: 3000 }), two = w.app(3, { padding: 3000 });
    await w.install(one);
    await w.install(two);
    await w.stop();
    w.writeFlash(w.flashAt(one.bytes) + 300, Buffer.from('rot'));
    w.writeFlash(w.flashAt(two.bytes) + 300, Buffer.from('rot'));
    await w.restart();
    await w.event('CORRUPT_SLOT', /^3/);
    await w.polls(1);
    w.expect(!w.count('] app'), 'one of them runs');
    await w.install(w.app(4));
  }],
  ['a flash of zeros', [33], async (w) => {
    await w.stop();
    const file = path.join(w.folder, 'flash');
    w.flashAt(Buffer.alloc(0));
    fs.writeFileSync(file, Buffer.alloc(fs.statSync(file).size));
    w.mayEnd = true; // to refuse such a flash is right too
    await w.restart();
    await w.until('it says so', () => w.log.length > 0);
    w.never(mark);
  }],
];

module.exports = [...order, ...flash];

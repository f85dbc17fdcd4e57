// Key sets and statements of what is current.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const o = require('./objects');
const { DAY, sleep } = require('./world');

const KEYS = { keySet: true };
const STATES = { keySet: true, states: true };
const mark = 'app 66';
const now = () => Math.floor(Date.now() / 1000);

const inForce = (w, version) => w.until(`key set ${version} in force`, () => w.server.attributes.keyset === String(version));

// What is offered as set 2 is refused, and told so; then the right one is taken.
const refused = (name, rows, pattern, make, options = {}) => [`a key set ${name}`, rows, { ...KEYS, ...options }, async (w) => {
  w.server.keySets.set(2, make(w));
  await w.event('REFUSED', pattern, 'key set');
  await w.polls(1);
  w.expect(w.server.attributes.keyset === '1', 'another set is in force');
  await w.runs('app 1');
  w.server.keySets.set(2, w.set(2));
  await inForce(w, 2);
}];

const two = (w) => w.roots.slice(0, 2);
const evil = (w) => ({ roots: [w.stranger], threshold: 1, keys: [{ role: 'signer', key: w.vendor }] });
const FORM = [18, 22];

const sets = [
  refused('that nobody signed', [21, 22], /too few roots signed it/, (w) => w.set(2, {}, [])),
  refused('that one root of two signed', [21, 22, 24], /too few roots signed it/, (w) => w.set(2, {}, [w.roots[0]])),
  refused('that one root signed twice', [21, 22], /signatures stand in ascending order of their keys, none twice/, (w) => w.set(2, {}, [w.roots[0], w.roots[0]])),
  refused('with its signatures in another order', FORM, /signatures stand in ascending order of their keys, none twice/, (w) =>
    w.set(2, { unsorted: true }, two(w).sort((a, b) => Buffer.compare(b.raw, a.raw)))),
  refused('that strangers signed', [21, 22], /too few roots signed it/, (w) => w.set(2, {}, [w.stranger, w.vendor])),
  refused('that one root and a stranger signed', [21, 22], /too few roots signed it/, (w) => w.set(2, {}, [w.roots[0], w.stranger])),
  refused('that both roots and a stranger signed', [21, 22], /a key that is no root signed it/, (w) => w.set(2, {}, [...two(w), w.stranger])),
  refused('that the signer signed', [21, 25], /too few roots signed it/, (w) => w.set(2, {}, [w.signer, w.roots[0]])),
  refused('with a root\'s name over another\'s signature', [21, 22], /a root's signature does not verify/, (w) =>
    w.set(2, {}, [w.roots[0], { raw: w.roots[1].raw, hand: w.stranger }])),
  refused('that names other roots and is signed by them alone', [21, 22], /too few roots signed it/, (w) => w.set(2, evil(w), [w.stranger])),
  refused('that names other roots and is signed by the old ones alone', [22], /too few of its own roots signed it/, (w) => w.set(2, evil(w))),
  refused('that lowers the threshold and has one signature', [21, 22], /too few roots signed it/, (w) => w.set(2, { threshold: 1 }, [w.roots[0]])),
  refused('with threshold 0', [22], /a number is out of its range/, (w) => w.set(2, { threshold: 0 })),
  refused('with a threshold above its roots', [22], /a list has too few or too many items/, (w) => w.set(2, { threshold: 4 }, w.roots)),
  refused('after the next', [22], /not the next set: those between come first/, (w) => w.set(3)),
  refused('of the version in force with other keys', [22], /not newer than the set in force/, (w) => w.set(1, { keys: [{ role: 'signer', key: w.stranger }] })),
  refused('with the highest version there is', [9, 22], /not the next set: those between come first/, (w) => w.set(2 ** 31 - 1)),
  refused('of another fleet', [17, 22], /of another fleet/, (w) => w.set(2, { payload: { 2: 'plant-8' } })),
  refused('of the next format', FORM, /it has format 2, this device knows 1/, (w) => w.set(2, { payload: { 1: 2 } })),
  refused('with the type of a statement', FORM, /signed as another kind of object/, (w) => w.set(2, { type: 'current' })),
  refused('that is a module', FORM, /not a COSE_Sign object/, (w) => w.app(1).bytes),
  refused('that is a claim', FORM, /not a COSE_Sign object/, (w) => o.claim(w.builder, w.app(1), Buffer.from('x'))),
  refused('that is empty', FORM, /not a COSE_Sign object/, () => Buffer.from(' ')),
  refused('with a byte behind it', [4, 22], /the signatures do not end with the object/, (w) => Buffer.concat([w.set(2), Buffer.alloc(1)])),
  refused('that ends too early', [4, 22], /the signatures do not end with the object/, (w) => w.set(2).subarray(0, -1)),
  refused('with a bit changed after it was signed', [1, 22], /a root's signature does not verify/, (w) => o.flip(w.set(2), 120)),
  refused('with the signatures of the set before', [22], /a root's signature does not verify/, (w) => {
    const next = w.set(2), tail = w.set1.indexOf(Buffer.from('82835826', 'hex'));
    return Buffer.concat([next.subarray(0, next.indexOf(Buffer.from('82835826', 'hex'))), w.set1.subarray(tail)]);
  }),
  refused('with a root among the keys that sign', [25], /one key has one role, and this one is a root/, (w) => w.set(2, { keys: [{ role: 'signer', key: w.roots[2] }] })),
  refused('with a key that it also revokes', [21], /a key is both in use and revoked/, (w) => w.set(2, { revoked: [{ key: w.signer }] })),
  refused('with a key of small order', [1, 21], /not a usable key/, (w) => w.set(2, { keys: [{ role: 'signer', key: { raw: Buffer.alloc(32) } }] })),
  refused('with more bytes than a set may have', [12], /longer than a key set may be/, (w) => w.set(2, { anchors: Array(4).fill(0).map((_, i) => Buffer.alloc(2048, i + 1)),
    revoked: Array.from({ length: 256 }, () => ({ key: o.newKey() })) })),
  ['a key set without an end', [12], KEYS, async (w) => {
    w.server.keySets.set(2, w.set(2));
    w.server.on.keys = (req, res) => { const more = () => { while (!res.destroyed && res.write(Buffer.alloc(16384))); }; res.on('drain', more); more(); };
    await w.says(/key set: .*more than/);
    w.server.on = {};
    await inForce(w, 2);
    await w.runs('app 1');
  }],
  ['a server that announces a key set of version 2^31', [9, 22], KEYS, async (w) => {
    w.server.edit.poll = (j) => { j._links.keys = { href: `${w.server.url}/keys`, versions: { 'plant-7': 2 ** 31 } }; };
    await w.says(/versions.plant-7/);
    await w.runs('app 1');
  }],
  ['a server that withholds a key set that it announces', [8, 14, 22], KEYS, async (w) => {
    w.server.keySets.set(3, w.set(3));
    await w.says(/does not have the key set 2/);
    w.expect(w.server.attributes.keyset === '1', 'a set was skipped');
    w.server.keySets.set(2, w.set(2));
    await inForce(w, 3);
  }],
  ['a server that goes back to an older key set', [22], KEYS, async (w) => {
    w.server.keySets.set(2, w.set(2));
    await inForce(w, 2);
    w.server.keySets = new Map([[1, w.set1]]);
    await w.restart();
    await w.polls(3);
    w.expect(w.server.attributes.keyset === '2', 'it went back');
  }],
  ['a device that missed three key sets', [22], KEYS, async (w) => {
    for (const n of [2, 3, 4]) w.server.keySets.set(n, w.set(n));
    await inForce(w, 4);
    await w.runs('app 1');
  }],
  ['power cuts while key sets change', [22, 33], KEYS, async (w) => {
    for (let n = 2; n < 8; n++) {
      const asked = w.server.asked('keys');
      w.server.keySets.set(n, w.set(n));
      await w.until('the set is asked for', () => w.server.asked('keys') > asked);
      await sleep(n);
      await w.restart('SIGKILL');
    }
    await inForce(w, 7);
    await w.runs('app 1');
  }],
];

// ---- What a set brings with it ------------------------------------------------------------------

const next = async (w, version, more) => {
  w.server.keySets.set(version, w.set(version, more));
  await inForce(w, version);
};
const revoked = [
  ['a signer that was rotated out', [21], KEYS, async (w) => {
    await next(w, 2, { keys: [{ role: 'signer', key: w.vendor }] });
    await w.refuses(w.app(66, { mark }), 'REFUSED', /of no key/);
    await w.install(w.app(2, { key: w.vendor }));
  }],
  ['a signer that was revoked', [21], KEYS, async (w) => {
    await next(w, 2, { keys: [{ role: 'signer', key: w.vendor }], revoked: [{ key: w.signer }] });
    await w.refuses(w.app(66, { mark }), 'REFUSED', /of no key|revoked/);
  }],
  ['what a revoked signer signed stops if the set says so', [21], KEYS, async (w) => {
    await next(w, 2, { keys: [{ role: 'signer', key: w.vendor }], revoked: [{ key: w.signer, stop: true }] });
    await w.event('ROLLED_BACK', /revoked/);
    const before = w.count('] app 1');
    await w.restart();
    await w.polls(2);
    w.expect(w.count('] app 1') === 0, `it ran again after ${before}`);
    await w.install(w.app(2, { key: w.vendor }));
  }],
  ['a release that was withdrawn', [5, 21], KEYS, async (w) => {
    const bad = w.app(66, { mark });
    await next(w, 2, { revoked: [{ module: bad }] });
    await w.refuses(bad, 'REFUSED', /revoked/);
  }],
  ['a running release that was withdrawn', [21], KEYS, async (w) => {
    const bad = w.app(2);
    await w.install(bad);
    await next(w, 2, { revoked: [{ module: bad, stop: true }] });
    await w.event('ROLLED_BACK', /revoked/);
    await w.runs('app 1');
    await w.restart('SIGKILL');
    await w.runs('app 1');
    w.never('app 2');
  }],
  ['a withdrawn release that power cuts shall bring back', [21, 33], KEYS, async (w) => {
    const bad = w.app(2);
    await w.install(bad);
    w.server.keySets.set(2, w.set(2, { revoked: [{ module: bad, stop: true }] }));
    for (let i = 0; i < 4; i++) {
      await sleep(150 * i);
      await w.restart('SIGKILL');
    }
    await inForce(w, 2);
    await w.runs('app 1');
    await w.restart();
    await w.runs('app 1');
    w.never('app 2');
  }],
  ['a signer whose time is over', [21, 45], KEYS, async (w) => {
    await next(w, 2, { keys: [{ role: 'signer', key: w.signer, expires: now() - 60 }] });
    await w.refuses(w.app(66, { mark }), 'REFUSED', /of no key|expired/);
  }],
  ['a key set whose time is over', [7, 45], KEYS, async (w) => {
    await next(w, 2, { expires: now() + 3 });
    await sleep(4000);
    await w.refuses(w.app(66, { mark }), 'REFUSED', /expired/);
    w.server.keySets.set(3, w.set(3));
    await inForce(w, 3);
    await w.install(w.app(2));
  }],
  ['a signer of requests signs no application', [25], KEYS, async (w) => {
    await next(w, 2, { keys: [{ role: 'signer', key: w.signer }, { role: 'requester', key: w.stranger }] });
    await w.refuses(w.app(66, { mark, key: w.stranger }), 'REFUSED', /may not sign/);
  }],
  ['a vendor signs no application', [25, 26], KEYS, async (w) => {
    await next(w, 2, { keys: [{ role: 'signer', key: w.signer },
      { role: 'vendor', key: w.vendor, scope: ['BME280', 'i2c-1', [0x76], ['log']] }] });
    await w.refuses(w.app(66, { mark, key: w.vendor }), 'REFUSED', /may not sign/);
  }],
  ['a key set that stands in the place of the one that the device was commissioned with', [21, 22], KEYS, async (w) => {
    await w.stop();
    w.write('1.keys', o.keySet({ version: 1, ...evil(w) }, [w.stranger]));
    w.start();
    await w.refuses(w.app(66, { mark, key: w.vendor }), 'REFUSED', /of no key/);
  }],
  ['a next key set of strangers in the place of the file', [21, 22], KEYS, async (w) => {
    await w.stop();
    w.write('1.keys', o.keySet({ version: 2, ...evil(w) }, [w.stranger]));
    w.start();
    await w.event('REFUSED', /too few roots/, 'key set');
    await w.refuses(w.app(66, { mark, key: w.vendor }), 'REFUSED', /of no key/);
  }],
  ['one copy of the key set rots', [33], KEYS, async (w) => {
    await w.stop();
    w.writeFlash(w.flashAt(w.set1) + 100, Buffer.from('rot'));
    w.start();
    await w.install(w.app(2));
  }],
  ['both copies of the key set are changed on the flash', [2, 21], KEYS, async (w) => {
    await w.stop();
    for (let i = 0; i < 2; i++) w.writeFlash(w.flashAt(w.set1) + 100, Buffer.from('rot'));
    w.write('1.keys', 'gone'); // from which it would be mended
    w.start();
    await w.runs('app 1');
    w.server.offer(w.app(66, { mark }));
    await w.failure(/key set is damaged/);
    w.never(mark);
    w.server.keySets.set(1, w.set1);
    await w.install(w.app(2));
  }],
  ['a server without the pin that the key set names', [15, 44], KEYS, async (w) => {
    w.server.keySets.set(2, w.set(2, { pins: [Buffer.alloc(32, 7)] }));
    await w.says(/key set 2 is in force/);
    await w.says(/the server is not trusted/);
    await w.runs('app 1');
  }],
  ['a server of the authority that a key set took away', [15, 44], KEYS, async (w) => {
    const der = Buffer.from(String(w.run.tls.other.ca).replace(/-----[^-]+-----|\s/g, ''), 'base64');
    w.server.keySets.set(2, w.set(2, { anchors: [der] }));
    await w.says(/the server is not trusted/);
    await w.server.become(w.run.tls.other.server); // and the one that it names is welcome
    await w.install(w.app(2));
  }],
];

// ---- What is current ----------------------------------------------------------------------------

// After a restart the server has this statement; the device tells of it and installs nothing.
const stale = (name, rows, pattern, make) => [`a statement ${name}`, rows, STATES, async (w) => {
  await w.stop();
  w.server.statement = await make(w);
  w.server.offer(w.app(66, { mark }));
  w.start();
  await w.event('STALE', pattern, 'key set');
  await w.polls(2);
  await w.runs('app 1');
  w.expect(w.server.asked('module') === 1, 'a module was fetched');
  w.never(mark);
  w.server.statement = w.state();
  await w.event('COMMITTED', /^66/);
}];
const statements = [
  stale('that a stranger signed', [8, 23], /no trusted key made this signature over this statement/, (w) => w.state({}, w.stranger)),
  stale('that the signer signed', [8, 25], /a role that states nothing/, (w) => w.state({}, w.signer)),
  stale('that a root signed', [8, 25], /no trusted key made this signature over this statement/, (w) => w.state({}, w.roots[0])),
  stale('of another fleet', [8, 17], /about another fleet/, (w) => w.state({ payload: { 2: 'plant-8' } })),
  stale('with the type of a claim', [8, 18], /signed as another kind of object/, (w) => w.state({ type: 'native' })),
  stale('of the next format', [8, 18], /from the future/, (w) => w.state({ payload: { 1: 2 } })),
  stale('that is a key set', [8, 18], /not a COSE_Sign1 object/, (w) => () => w.set1),
  stale('with a bit changed', [1, 8], /no trusted key made this signature over this statement/, (w) => (nonce) => o.flip(w.state()(nonce), 70)),
  stale('with a byte behind it', [4, 8], /bytes follow the last item/, (w) => (nonce) => Buffer.concat([w.state()(nonce), Buffer.alloc(1)])),
  stale('of more than 2048 bytes', [12], /longer than a statement may be/, (w) => w.state({ modules: Array.from({ length: 60 }, (_, i) => [`a${100 + i}${'x'.repeat(28)}`, 1]) })),
  stale('that holds no longer', [7, 8], /no longer/, async (w) => {
    const issued = now();
    await sleep(1100);
    return w.state({ issued, expires: issued + 1 });
  }),
  stale('from before the last one', [8], /older/, (w) => w.state({ issued: now() - 7200 })),
  stale('that answers somebody else', [8, 35], /answers somebody else/, (w) => w.state({ nonce: Buffer.alloc(16, 9) })),
  stale('that answers nobody in particular', [8, 35], /answers somebody else/, (w) => w.state({ nonce: Buffer.alloc(0) })),
  stale('from two days ahead', [8, 45], /future/, (w) => w.state({ issued: now() + 2 * DAY, expires: now() + 3 * DAY })),
  ['a server that does not say what is current', [7, 8], STATES, async (w) => {
    await w.stop();
    w.server.statement = null;
    w.server.offer(w.app(66, { mark }));
    w.start();
    await w.polls(4);
    await w.runs('app 1');
    w.expect(w.server.asked('module') === 1, 'a module was fetched');
  }],
  ['a server that stops saying what is current', [7, 8], { ...STATES, brief: 5 }, async (w) => {
    w.server.on.current = (req, res) => { res.statusCode = 404; res.end(); };
    await w.event('STALE', /holds no longer/, 'key set');
    w.server.offer(w.app(66, { mark }));
    await w.polls(3);
    await w.runs('app 1');
    w.never(mark);
  }],
  ['a statement that is shown again later', [8], { ...STATES, brief: 5 }, async (w) => {
    w.server.statement = w.state({ issued: now() - 600, expires: now() + DAY });
    await w.event('STALE', /older/, 'key set');
    await w.runs('app 1');
  }],
  ['an older release than the statement says is current', [5, 7, 8], STATES, async (w) => {
    await w.stop();
    w.server.statement = w.state({ modules: [['app', 99]] });
    w.start();
    await w.refuses(w.app(66, { mark }), 'REFUSED', /99 is current/);
  }],
  ['a key set that is kept from the device', [8, 21], STATES, async (w) => {
    await w.stop();
    w.server.statement = w.state({ keys: 2 });
    w.start();
    await w.refuses(w.app(66, { mark }), 'REFUSED', /key set 2 is current/);
  }],
  ['a statement from before the key set', [8, 22], STATES, async (w) => {
    await next(w, 2);
    await w.restart();
    await w.event('STALE', /before key set 2/, 'key set');
    await w.runs('app 1');
  }],
];

module.exports = [...sets, ...revoked, ...statements];

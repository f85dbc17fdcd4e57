// What stands in for a module of the fleet, and what a signed module does when it runs.
// A case: [name, rows of doc/threats.md, options of the world if any, the attack].
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const o = require('./objects');
const { sleep } = require('./world');
const { op, flip } = o;

// Offers what `make` gives; refused as `event` with this detail, and version 1 goes on.
const refused = (name, rows, event, pattern, make, options = {}) =>
  [name, rows, options, async (w) => w.refuses(make(w), event, pattern)];

const NO_KEY = /the signature is of no key/;
const mark = 'app 66';
const evil = (w, more = {}) => w.app(66, { mark, ...more });

// A release with another signature, or other bytes under the old one.
const withSig = (r, sig) => ({ ...r, sig });
const withBytes = (r, bytes) => ({ ...r, ...o.signed(null, r, bytes), sig: r.sig });

const forged = [
  refused('a module without a signature is not fetched', [1], 'REFUSED', /unsigned/,
    (w) => withSig(evil(w))),
  refused('a module that a stranger signed', [1], 'REFUSED', NO_KEY,
    (w) => evil(w, { key: w.stranger })),
  refused('a signature of zeros', [1], 'REFUSED', NO_KEY, (w) => withSig(evil(w), Buffer.alloc(64))),
  refused('a signature that is the neutral element and zero', [1], 'REFUSED', NO_KEY,
    (w) => withSig(evil(w), Buffer.from(`01${'00'.repeat(63)}`, 'hex'))),
  refused('a signature with one byte less', [1, 4], 'REFUSED', /does not have 64 bytes/,
    (w) => withSig(evil(w), evil(w).sig.subarray(0, 63))),
  refused('a signature with its S above the order of the group', [1], 'REFUSED', NO_KEY,
    (w) => withSig(evil(w), o.withHigherS(evil(w).sig))),
  refused('a signature of another release of the same signer', [1, 2], 'REFUSED', NO_KEY,
    (w) => withSig(evil(w), w.app(2).sig)),
  refused('a signature of the hash instead of the file', [1, 18], 'REFUSED', NO_KEY,
    (w) => withSig(evil(w), w.signer.sign(o.sha256(evil(w).bytes)))),
  refused('a signature of the hash as text', [1, 18], 'REFUSED', NO_KEY,
    (w) => withSig(evil(w), w.signer.sign(Buffer.from(evil(w).sha256)))),
  refused('a signature of the first half alone', [4], 'REFUSED', NO_KEY,
    (w) => { const r = evil(w, { padding: 9000 }); return withSig(r, w.signer.sign(r.bytes.subarray(0, r.size >> 1))); }),
  refused('a byte behind what was signed', [4], 'REFUSED', NO_KEY,
    (w) => { const r = evil(w); return withBytes(r, Buffer.concat([r.bytes, Buffer.alloc(1)])); }),
  refused('a custom section behind what was signed', [4], 'REFUSED', NO_KEY,
    (w) => { const r = evil(w); return withBytes(r, Buffer.concat([r.bytes, o.padding(100)])); }),
  refused('a byte less than what was signed', [4], 'REFUSED', NO_KEY,
    (w) => { const r = evil(w); return withBytes(r, r.bytes.subarray(0, -1)); }),
  refused('a byte before what was signed', [4], 'REFUSED', NO_KEY,
    (w) => { const r = evil(w); return withBytes(r, Buffer.concat([Buffer.alloc(1), r.bytes])); }),
  refused('a manifest changed after it was signed', [1, 3, 27], 'REFUSED', NO_KEY,
    (w) => { const r = evil(w); return withBytes(r, flip(r.bytes, r.bytes.indexOf('plant-7'))); }),
  refused('code changed after it was signed', [1, 2], 'REFUSED', NO_KEY,
    (w) => { const r = evil(w); return withBytes(r, flip(r.bytes, r.size - 3)); }),
  refused('a module that a builder signed', [18, 25], 'REFUSED', /may not sign/,
    (w) => evil(w, { key: w.builder }), { native: true }),
  refused('a module that the server\'s key for statements signed', [18, 23, 25], 'REFUSED', /may not sign/,
    (w) => evil(w, { key: w.stater }), { keySet: true, states: true }),
  refused('a module that a root signed', [18, 25], 'REFUSED', NO_KEY,
    (w) => evil(w, { key: w.roots[0] }), { keySet: true }),
  ['a module whose announced hash is of another', [15], {}, async (w) => {
    const r = evil(w);
    await w.refuses({ ...r, sha256: w.app(2).sha256 }, 'DOWNLOAD_FAILED', /do not have the hash announced/);
  }],
];

// ---- Signed by the signer, and not what this device may run -----------------------------------

const bad = (name, rows, pattern, more, options) =>
  refused(name, rows, 'REFUSED', pattern, (w) => evil(w, typeof more === 'function' ? more(w) : more), options);

const unfit = [
  bad('text that the signer signed', [18], /its manifest: not a WebAssembly module/, { code: Buffer.from('no module at all'), sections: [] }),
  bad('a native image that the signer signed as a module', [18], /its manifest: not a WebAssembly module/,
    { code: Buffer.from('\x7fELF native'), sections: [] }),
  bad('a key set that the signer signed as a module', [18], /its manifest: not a WebAssembly module/,
    (w) => ({ code: w.set(2), sections: [] })),
  bad('a claim that the signer signed as a module', [18], /its manifest: not a WebAssembly module/,
    (w) => ({ code: o.claim(w.builder, w.app(2), Buffer.from('x')), sections: [] })),
  bad('a module of the next version of the binary format', [18], /its manifest: not version 1 of the module format/,
    () => ({ code: flip(o.wasm({ mark }), 4, 1) })),
  bad('a component instead of a module', [18], /its manifest: not version 1 of the module format/, () => ({ code: flip(o.wasm({ mark }), 6, 0) })),
  bad('a module for another fleet', [17], /fleet|may not sign/, { manifest: { 3: 'plant-8' } }),
  bad('a module for another class of devices', [17], /not for class/, { manifest: { 8: [0, 1] } }),
  bad('a module that needs a newer interface', [17, 10], /interface/, { manifest: { 14: 2000 } }),
  bad('a plugin instead of an application', [18, 26], /may not sign|was not offered as one/, { manifest: { 2: 1 } }),
  ['a module offered under the name of another', [19], {}, async (w) => {
    const r = { ...evil(w, { name: 'pump' }), name: 'app' };
    await w.refuses(r, 'REFUSED', /is named pump/);
  }],
  bad('a module that wants more memory than the device gives', [29], /bytes of memory/, { manifest: { 11: 2 ** 31 } }),
  bad('a module whose memory is larger than its manifest says', [29], /memory/, { pages: 9 }),
  bad('a module with all the memory there is', [29], /memory|limit/, { pages: 65536 }),
  bad('a module whose initial data lies beyond its memory', [29, 34], /initial data/, { dataAt: 65533 }),
  bad('a module with a table of a million entries', [29], /table/, { table: 1000000 }),
  bad('a trial that would never end', [32], /trial/, { manifest: { 15: o.map({ 1: 3, 2: 604800000 }) } }),
  bad('a trial of a thousand ticks', [32], /trial/, { manifest: { 15: o.map({ 1: 1000, 2: 30000 }) } }),
  bad('a capability that the device does not grant', [27], /not granted/, { manifest: { 13: ['log', 'net/*'] } }),
  bad('a capability with a wildcard', [27], /not granted/, { manifest: { 13: ['l*'] } }),
  bad('an import without the capability for it', [27], /imports/, { manifest: { 13: [] } }),
  bad('an import that no host has', [27, 34], /imports/,
    { imports: [['sandmote', 'log', 0], ['sandmote', 'flash_write', 0]] }),
  bad('an import of another type than the host\'s', [27, 34], /imports/, { imports: [['sandmote', 'log', 3]], silent: true }),
  bad('a module without its entry', [1, 34], /entry/, { entry: 'another' }),
  bad('an entry that takes parameters', [34], /entry/, { entryType: 3 }),
  bad('code that leaves its stack', [34], /not a valid module: type mismatch/, { body: [...op.drop] }),
  bad('code that branches to a label that is not there', [34], /not a valid module: unknown label/, { body: [0x0c, 0x20] }),
  bad('code that calls a function that is not there', [34], /not a valid module: unknown function/, { body: op.call(99) }),
  bad('code that uses a local that is not there', [34], /not a valid module: unknown local/, { body: [0x20, 5, ...op.drop] }),
  bad('code with a function of 4 billion locals', [29, 34], /not a valid module: frame of more than 65535 words/, { functions: [{ type: 1, locals: [1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f], code: [] }] }),
];

// ---- Signed, installed, and bad: what the sandbox and the supervisor are for -------------------

// On trial it comes to nothing: version 1 runs again.
const rolledBack = (name, rows, pattern, more, seconds) => [name, rows, {}, async (w) => {
  w.server.offer(evil(w, more));
  await w.event('ROLLED_BACK', /^66/);
  await w.until('told why', () => w.server.events.some((e) => pattern.test(`${e.event} ${e.detail}`)), seconds);
  await w.failure(/./);
  await w.runs('app 1');
}];

const REACH = [...op.i32(0x10000), ...op.load, ...op.drop];
const misbehaving = [
  rolledBack('a module that traps at once', [31, 32], /unreachable/, { body: op.unreachable }),
  rolledBack('a module that never returns', [30], /EPOCH/, { body: op.loop }),
  ['a start function that never returns', [30], {}, async (w) => {
    w.server.offer(evil(w, { start: 2, functions: [{ type: 1, code: op.loop }] }));
    await w.event('ROLLED_BACK', /^66/);
    await w.runs('app 1');
    w.never(mark);
  }],
  ['a start function that traps', [30, 32], {}, async (w) => {
    w.server.offer(evil(w, { start: 2, functions: [{ type: 1, code: op.unreachable }] }));
    await w.event('ROLLED_BACK', /^66/);
    await w.runs('app 1');
    w.never(mark);
  }],
  rolledBack('a module that calls itself for ever', [29, 30], /call stack exhausted/, { body: op.call(1) }),
  rolledBack('a module that reads beyond its memory', [34], /out of bounds memory/, { body: REACH }),
  rolledBack('a module that writes before its memory', [34], /out of bounds memory/,
    { body: [...op.i32(-4), ...op.i32(1), ...op.store] }),
  rolledBack('a module that jumps through an empty table', [34], /table|element/,
    { table: 1, body: [...op.i32(0), ...op.indirect] }),
  rolledBack('a host call with a pointer beyond the memory', [28], /host function failed/,
    { body: [...op.i32(0x7fffff00), ...op.i32(16), ...op.call(0)] }),
  rolledBack('a host call whose pointer and length wrap', [28], /host function failed/,
    { body: [...op.i32(-8), ...op.i32(16), ...op.call(0)] }),
  rolledBack('a host call with a length of 4 GiB', [28], /host function failed/,
    { body: [...op.i32(65000), ...op.i32(-1), ...op.call(0)] }),
  rolledBack('a health function that says no', [32], /HEALTH_FAILED/,
    { functions: [{ name: 'health', type: 2, code: op.i32(1) }], manifest: { 15: o.map({ 1: 3, 2: 1500 }) } }),
  rolledBack('a health function that never returns', [30, 32], /HEALTH_FAILED|EPOCH/,
    { functions: [{ name: 'health', type: 2, code: [...op.loop, ...op.i32(0)] }] }),
  ['memory that grows without end', [29], {}, async (w) => {
    const r = w.app(2, { body: [...op.i32(1), ...op.grow, ...op.drop] });
    await w.install(r); // -1 from memory.grow, and nothing else
    await sleep(500);
    await w.runs(r.mark);
  }],
  ['a module that floods the log', [29], {}, async (w) => {
    const line = [...op.i32(0), ...op.i32(6), ...op.call(0)];
    await w.install(w.app(2, { body: Array(200).fill(line).flat() }));
    const before = w.log.length;
    await sleep(1000); // 20 ticks of 200 lines
    w.expect((w.log.length - before) / 30 < 1000, 'the log was flooded');
    await w.says(/lines? (were )?(dropped|lost)|dropped/);
  }],
  ['a log line that pretends to be the device\'s', [28, 46], {}, async (w) => {
    const text = 'x\n2026-01-01T00:00:00.000Z info  COMMITTED evil 9';
    w.server.offer(w.app(2, { mark: text }));
    await w.event('COMMITTED', /^2/);
    w.expect(!/^2026-01-01/m.test(w.log), 'a line of the module\'s own');
  }],
  ['a module that failed is not tried again in its deployment', [31, 32], {}, async (w) => {
    w.server.offer(evil(w, { body: op.unreachable }));
    await w.event('ROLLED_BACK', /^66/);
    await w.failure(/./);
    w.server.feedback.length = 0; // the server forgets, and offers it again as the same deployment
    await w.failure(/./);
    w.expect(w.server.asked('module') === 2, 'it was fetched again'); // version 1, and this one once
    await w.runs('app 1');
  }],
  ['a module that failed is not tried again in its deployment when another came in between', [31, 32], {}, async (w) => {
    w.server.offer(evil(w, { body: op.unreachable }));
    const deployment = w.server.deployment;
    await w.event('ROLLED_BACK', /^66/);
    await w.failure(/./);
    w.server.offer(w.app(67, { body: op.unreachable }));
    await w.event('ROLLED_BACK', /^67/);
    await w.stop();
    w.server.feedback.length = 0;
    w.server.deployment = deployment; // its slot holds the other one by now
    await w.restart();
    await w.failure(/failed in this deployment before/);
    w.expect(w.server.asked('module') === 3, 'it was fetched again');
    await w.runs('app 1');
  }],
  ['power cuts do not give a failing module more trials than it has', [31, 33], {}, async (w) => {
    const r = evil(w, { functions: [{ name: 'health', type: 2, code: op.i32(0) }],
      manifest: { 15: o.map({ 1: 100, 2: 60000 }) } });
    w.server.offer(r);
    for (let cuts = 0; cuts < 6; cuts++) {
      await w.until('on trial or given up', () => w.count(`] ${mark}`) || /ROLLED_BACK app 66/.test(w.log));
      if (/ROLLED_BACK app 66/.test(w.log)) break;
      await w.restart('SIGKILL');
    }
    await w.event('ROLLED_BACK', /^66/);
    await w.runs('app 1');
  }],
];

module.exports = [...forged, ...unfit, ...misbehaving];

// Writes a header with what skip.c offers and has in force: node module.js FILE
//
//   a signed module; a key set, one of its length that was changed, and two next ones that must not
//   be accepted; a statement, and three that must not. What must not be names a key or a
//   key set of its own.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const o = require('../../attacks/objects');

const bytes = (name, b) => `static const unsigned char ${name}[${b.length}] = {${[...b].join(',')}};\n`;
const T = 1700000000;
const signer = o.newKey(), server = o.newKey(), evil = o.newKey();
const strangers = [evil, o.newKey()], roots = [o.newKey(), o.newKey(), o.newKey()];
const module_ = o.release(signer, { version: 1, mark: 'a good line', manifest: { 8: [0] } });

const keys = (...k) => [{ role: 'server', key: server }, ...k.map((key) => ({ role: 'signer', key }))];
const set = (more, by) => o.keySet({ version: 2, threshold: 2, roots, keys: keys(signer, evil), issued: T,
  ...more }, by);
// As if signed by a root: its place is there, the signature is of other bytes.
const forger = (root) => ({ raw: root.raw, sign: (b) => root.sign(Buffer.concat([b, b])) });

const stated = (key, more) => o.statement(key, { keys: 2, nonce: Buffer.alloc(0), expires: T + 900000, ...more });

fs.writeFileSync(process.argv[2], [
  bytes('skip_module', module_.bytes), bytes('skip_signature', module_.sig), bytes('skip_key', signer.raw),
  bytes('skip_evil_key', evil.raw),
  bytes('skip_set', set({ version: 1, keys: keys(signer) }, roots.slice(0, 2))),
  bytes('skip_set_changed', set({ version: 1, keys: keys(evil) }, roots.slice(0, 2))),
  bytes('skip_set_forged', set({}, roots.slice(0, 2).map(forger))),
  bytes('skip_set_stranger', set({ roots: strangers }, strangers)),
  bytes('skip_stated', stated(server, { keys: 1, issued: T + 100000, expires: T + 103600 })),
  bytes('skip_stated_forged', stated(forger(server), { issued: T + 200000 })),
  bytes('skip_stated_older', stated(server, { issued: T + 50000 })),
  bytes('skip_stated_expired', stated(server, { issued: T + 100000, expires: T + 100001 })),
  `#define SKIP_STATED_S ${T + 100000}u\n#define SKIP_EVIL_KEYS_VERSION 2u\n`,
].join(''));

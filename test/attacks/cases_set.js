// Sets: releases that are put in force together or not at all. A case's device runs app 1 and t1-driver
// 1; the set is app 2, which requires t1-driver 2, and that.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const o = require('./objects');
const { sleep } = require('./world');
const { op } = o;

const SETS = { keySet: true, plugins: true };

const app2 = (w, least = 2, most = least, more = {}) => w.app(2, { ...more,
  manifest: { 14: 2, 17: [['t1-driver', least, most]], ...more.manifest } });

// Nothing of the set runs, and what ran goes on; after a power cut too.
const nothing = async (w) => {
  await w.runs('app 1');
  await w.drives(1);
  w.never('app 2');
  await w.restart('SIGKILL');
  await w.runs('app 1');
  await w.drives(1);
  w.never('app 2');
};

const refused = (name, rows, pattern, offer) => [name, rows, SETS, async (w) => {
  await w.installPlugin(w.plugin(1));
  offer(w);
  await w.failure(pattern);
  await nothing(w);
}];

module.exports = [
  refused('a set without one of its members', [10, 11], /requires t1-driver of sequence 2 to 2, not 1/, (w) =>
    w.server.offerSet(app2(w))),
  refused('a set of two releases that do not belong together', [10, 11], /requires t1-driver of sequence 3 to 3, not 2/, (w) =>
    w.server.offerSet(app2(w, 3), w.plugin(2))),
  refused('a set with a newer member than the other one bears', [10, 11], /requires t1-driver of sequence 2 to 2, not 3/, (w) =>
    w.server.offerSet(app2(w), w.plugin(3))),
  refused('a set that is told to be none', [10, 11], /requires t1-driver of sequence 2 to 2, not 1/, (w) =>
    w.server.offer(app2(w))),
  refused('a set with a member that a stranger signed', [1, 11], /of its set: .*of no key/, (w) =>
    w.server.offerSet(app2(w), w.plugin(2, { key: w.stranger }))),
  refused('a set with a member beyond its vendor\'s scope', [11, 26], /of its set: .*an address that is beyond/, (w) =>
    w.server.offerSet(app2(w), w.plugin(2, { sensor: { 4: 0x49 } }))),
  refused('a set with a member without a signature', [1, 11], /of its set: unsigned/, (w) =>
    w.server.offerSet(app2(w), { ...w.plugin(2), sig: undefined })),
  refused('a set with a member of other bytes', [11, 15], /do not have the hash announced/, (w) => {
    const r = w.plugin(2);
    w.server.offerSet(app2(w), { ...r, bytes: o.flip(r.bytes) });
  }),
  refused('a set with a member that does not come', [11, 14], /of its set: module: HTTP 404/, (w) => {
    w.server.offerSet(app2(w), w.plugin(2));
    w.server.on.module = (req, res, s, i) => {
      if (i !== '1') return s.answer('module', i, req, res);
      res.statusCode = 404;
      res.end();
    };
  }),
  refused('a set with a member that is older', [5, 11], /not above 1/, (w) =>
    w.server.offerSet(app2(w, 1), w.plugin(2, { sequence: 1 }))),
  refused('a set with a release that removes', [11, 26], /removes is no member of a set/, (w) =>
    w.server.offerSet(app2(w), w.removal(2))),
  refused('a set whose flag is no flag', [18], /set: must be/, (w) => {
    w.server.edit.deployment = (j) => { j.deployment.set = 'yes'; };
    w.server.offerSet(app2(w), w.plugin(2));
  }),
  ['a set of which one member traps', [11, 32], SETS, async (w) => {
    await w.installPlugin(w.plugin(1));
    w.server.offerSet(app2(w, 2, 2, { mark: 'app two', body: op.unreachable }), w.plugin(2));
    await w.event('ROLLED_BACK', /^2/, 'app');
    await w.event('ROLLED_BACK', /^2/, 't1-driver');
    await w.failure(/unreachable/);
    await nothing(w);
  }],
  ['a set whose plugin traps', [11, 32], SETS, async (w) => {
    await w.installPlugin(w.plugin(1));
    w.server.offerSet(app2(w, 2, 2, { mark: 'app two' }), w.plugin(2, { body: op.unreachable }));
    await w.event('ROLLED_BACK', /^2/, 'app');
    await w.event('ROLLED_BACK', /^2/, 't1-driver');
    await w.failure(/unreachable/);
    await nothing(w);
  }],
  ['one half of a set, then the other half of another', [10, 11], { ...SETS, server: { attempts: 50 } }, async (w) => {
    await w.installPlugin(w.plugin(1));
    w.server.on.module = (req, res, s, i) => {
      if (i !== '1') return s.answer('module', i, req, res);
      res.statusCode = 503;
      res.end();
    };
    w.server.offerSet(w.plugin(2), app2(w));
    await w.event('INSTALLED', /^2/, 't1-driver');
    await w.until('the other half is asked for', () => w.server.seen.some(([what, i]) => what === 'module' && i === '1'));
    w.server.offerSet(app2(w));
    await w.failure(/requires t1-driver of sequence 2 to 2, not 1/);
    await w.event('REFUSED', /gave its set up/, 't1-driver');
    await nothing(w);
  }],
  ['the removal of what is required', [10, 11], SETS, async (w) => {
    await w.installPlugin(w.plugin(1));
    await w.install(app2(w, 1));
    w.server.offer(w.removal(3));
    await w.event('REFUSED', /requires/, 't1-driver');
    await w.drives(1);
    await w.runs('app 2');
  }],
  ['power cuts while a set comes in', [11, 33], SETS, async (w) => {
    await w.installPlugin(w.plugin(1));
    w.server.offerSet(app2(w), w.plugin(2));
    for (let i = 0; i < 12 && !/on trial|TRIAL/.test(w.log); i++) {
      await sleep(25 * i);
      if (/on trial|TRIAL/.test(w.log)) break;
      await w.restart('SIGKILL');
    }
    await w.event('COMMITTED', /^2/, 'app');
    await w.event('COMMITTED', /^2/, 't1-driver');
    await w.runs('app 2');
    await w.drives(2);
  }],
];

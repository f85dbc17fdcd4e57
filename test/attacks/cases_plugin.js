// Plugins: a vendor that goes beyond what the key set and the device give it, and a server that offers
// plugins as what they are not. A case's device runs the application app 1, and if it says so t1-driver
// 1 of the vendor, which drives a TMP105 at 0x48 of i2c-1.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const o = require('./objects');
const { op } = o;

const PLUGINS = { keySet: true, plugins: true };
const mark = 'driver 66';
const evil = (w, more = {}) => w.plugin(66, { mark, ...more });

const refused = (name, rows, pattern, make, options = {}) => [name, rows, { ...PLUGINS, ...options },
  async (w) => w.refuses(make(w), 'REFUSED', pattern)];

// The same, where version 1 runs: it goes on.
const keepsFirst = (name, rows, pattern, make, options = {}) => [name, rows, { ...PLUGINS, ...options },
  async (w) => {
    await w.installPlugin(w.plugin(1));
    await w.refuses(make(w), 'REFUSED', pattern);
    await w.drives(1);
    await w.restart('SIGKILL');
    await w.polls(2);
    await w.drives(1);
    w.never(mark);
  }];

// ---- What the vendor's key may sign ---------------------------------------------------------------

const scope = [
  refused('a plugin for another model than its vendor\'s', [26], /a sensor model that is beyond/, (w) => evil(w, { sensor: { 2: 'BME280' } })),
  refused('a plugin for a model that begins like its vendor\'s', [26], /a sensor model that is beyond/, (w) => evil(w, { sensor: { 2: 'TMP10' } })),
  refused('a plugin on another bus than its vendor\'s', [26], /a bus that is beyond/, (w) => evil(w, { sensor: { 3: 'i2c-2' } })),
  refused('a plugin at another address than its vendor\'s', [26], /an address that is beyond/, (w) => evil(w, { sensor: { 4: 0x49 } })),
  refused('a plugin with a capability that its vendor has not', [26, 27], /a capability that is beyond/, (w) => evil(w, { manifest: { 13: ['log', 'sensor/door/open:r'] } })),
  refused('a plugin with a capability that is longer than its vendor\'s', [26, 27], /a capability that is beyond/, (w) => evil(w, { manifest: { 13: ['logs'] } })),
  refused('a plugin of a vendor without addresses', [26], /an address that is beyond/, (w) => evil(w), { scope: ['TMP105', 'i2c-1', [], ['log']] }),
  refused('a plugin for the address of another vendor', [26], /an address that is beyond/, (w) => evil(w, { key: w.rival })),
  refused('a plugin that a stranger signed', [1, 26], /of no key/, (w) => evil(w, { key: w.stranger })),
  refused('a plugin that the signer signed', [25, 26], /may not sign it: a signer's key/, (w) => evil(w, { key: w.signer })),
  refused('a plugin that a root signed', [18, 25], /of no key/, (w) => evil(w, { key: w.roots[0] })),
  refused('an application that a vendor signed', [25, 26], /a vendor's key signs plugins only/, (w) => w.app(66, { mark, key: w.vendor })),
  refused('a plugin for another fleet', [17, 26], /another fleet|of fleet/, (w) => evil(w, { manifest: { 3: 'plant-8' } })),
  ['a plugin of a vendor whose key has expired', [21, 26], PLUGINS, async (w) => {
    w.server.keySets.set(2, w.set(2, { keys: [{ role: 'signer', key: w.signer },
      { role: 'vendor', key: w.vendor, expires: 1700000001, scope: ['TMP105', 'i2c-1', [0x48], ['log']] }] }));
    await w.until('set 2', () => w.server.attributes.keyset === '2');
    await w.refuses(evil(w), 'REFUSED', /of no key/);
  }],
  ['a plugin of a vendor whose scope became smaller', [21, 26], PLUGINS, async (w) => {
    await w.installPlugin(w.plugin(1));
    w.server.keySets.set(2, w.set(2, { keys: [{ role: 'signer', key: w.signer },
      { role: 'vendor', key: w.vendor, scope: ['TMP105', 'i2c-1', [0x49], ['log']] }] }));
    await w.until('set 2', () => w.server.attributes.keyset === '2');
    await w.refuses(evil(w), 'REFUSED', /an address that is beyond/);
  }],
  ['what a revoked vendor signed stops if the set says so', [21, 26], PLUGINS, async (w) => {
    await w.installPlugin(w.plugin(1));
    w.server.keySets.set(2, w.set(2, { keys: [{ role: 'signer', key: w.signer }],
      revoked: [{ key: w.vendor, stop: true }] }));
    await w.event('ROLLED_BACK', /revoked/, 't1-driver');
    await w.gone();
    await w.refuses(evil(w), 'REFUSED', /of no key|revoked/);
  }],
];

// ---- What the device gives -------------------------------------------------------------------------

const wide = (bus, ...addresses) => ({ scope: ['TMP105', bus, addresses, ['*']] });
const device = [
  refused('a plugin on a bus that is not there', [26], /on bus i2c-9, which is not here/, (w) => evil(w, { sensor: { 3: 'i2c-9' } }), wide('i2c-9', 0x48)),
  refused('a plugin at an address that the device keeps', [26, 27], /not granted here: plugin\/i2c-1\/74/, (w) => evil(w, { sensor: { 4: 0x4a } }), wide('i2c-1', 0x4a)),
  refused('a plugin at an address that no chip may have', [26], /address 0x3 is none/, (w) => evil(w, { sensor: { 4: 3 } }), wide('i2c-1', 3)),
  refused('a plugin with the name of a sensor that is there', [19, 26], /belongs to sensor door/, (w) => evil(w, { sensor: { 1: 'door' } })),
  refused('a plugin with a capability that the device does not grant', [26, 27], /not granted/, (w) => evil(w, { manifest: { 13: ['log', 'net/*'] } }), wide('i2c-1', 0x48)),
  refused('a plugin with an import that only applications have', [26, 27], /imports/, (w) => evil(w, { imports: [['sandmote', 'log', 0], ['wasi_sn', 'turnOn', 3]], silent: true })),
  refused('a plugin with the calls of another kind of bus', [26, 27], /imports/, (w) => evil(w, { imports: [['sandmote', 'log', 0], ['env', 'spi_transfer', 4]], silent: true })),
  refused('a plugin without the function that reads', [26, 34], /does not export read_temperature/, (w) => evil(w, { entry: 'read_humidity' })),
  refused('a plugin whose function reads nothing', [26, 34], /is not a function/, (w) => evil(w, { entryType: 1, body: [] })),
  refused('a plugin with an attribute and no function that sets it', [26, 34], /does not export set_limit/, (w) => evil(w, { sensor: { 6: [['limit', 1, 3, 1, 0, 9, 5]] } })),
  refused('a plugin whose attribute has a name that every sensor has', [26, 34], /every sensor has something of this name/, (w) => evil(w, { sensor: { 6: [['state', 0, 0, 1, 0, 3, 0]] } })),
  refused('a plugin whose attribute begins outside its range', [26, 34], /its initial value is not in its range/, (w) => evil(w, { sensor: { 6: [['limit', 1, 3, 1, 0, 9, 10]] } })),
  refused('a plugin with more memory than the device gives', [26, 29], /bytes of memory/, (w) => evil(w, { manifest: { 11: 2 ** 31 } })),
  keepsFirst('another vendor\'s plugin under the name of the first\'s', [19, 26], /the plugin of this name TMP105 0x48 on i2c-1/, (w) => evil(w, { key: w.rival, sensor: { 4: 0x49 } })),
  keepsFirst('another plugin for the same address', [19, 26], /belongs to sensor T1/, (w) => evil(w, { name: 'other', sensor: { 1: 'T9' } })),
  keepsFirst('another plugin for the same sensor', [19, 26], /belongs to sensor T1/, (w) => evil(w, { name: 'other', key: w.rival, sensor: { 4: 0x49 } })),
  keepsFirst('an older plugin', [5, 26], /not above 1/, (w) => evil(w, { sequence: 1 })),
  ['a plugin for a device that runs none', [26], { keySet: true }, async (w) => {
    w.server.offer(evil(w));
    await w.failure(/this device runs no plugins/);
    await w.runs('app 1');
    w.never(mark);
  }],
  ['a plugin that reaches for another address of its bus', [26, 27], PLUGINS, async (w) => {
    const imports = [['sandmote', 'log', 0], ['env', 'i2c_read', 4]];
    const body = [...op.i32(0x49), ...op.i32(0), ...op.i32(64), ...op.i32(2), ...op.call(1)];
    const manifest = { 15: o.map({ 1: 3, 2: 1500 }) };
    w.server.offer(evil(w, { imports, body, manifest })); // what it gives all the same is no value
    await w.says(/refused: address 0x49 of i2c-1; it is bound to 0x48/);
    await w.event('HEALTH_FAILED', /^66/, 't1-driver');
    await w.runs('app 1');
  }],
  ['a plugin that reads into memory that it has not', [26, 28], PLUGINS, async (w) => {
    const imports = [['sandmote', 'log', 0], ['env', 'i2c_read', 4]];
    const body = [...op.i32(0x48), ...op.i32(0), ...op.i32(65535), ...op.i32(2), ...op.call(1)];
    w.server.offer(evil(w, { imports, body }));
    await w.event('ROLLED_BACK', /^66/, 't1-driver');
    await w.failure(/./);
    await w.runs('app 1');
  }],
  ['a plugin that never ends', [26, 30], PLUGINS, async (w) => {
    await w.installPlugin(w.plugin(1));
    w.server.offer(evil(w, { body: [...op.loop, ...op.i32(0)] }));
    await w.event('ROLLED_BACK', /^66/, 't1-driver');
    await w.failure(/./);
    await w.drives(1);
    await w.runs('app 1');
  }],
  ['a plugin that traps', [26, 31], PLUGINS, async (w) => {
    await w.installPlugin(w.plugin(1));
    w.server.offer(evil(w, { body: [...op.unreachable] }));
    await w.event('ROLLED_BACK', /^66/, 't1-driver');
    await w.failure(/unreachable/);
    await w.drives(1);
    await w.runs('app 1');
  }],
];

// ---- What it is offered as, and how it goes ---------------------------------------------------------

const kinds = [
  refused('a plugin offered as an application', [18, 26], /is of kind plugin, and was not offered as one/, (w) => ({ ...evil(w), part: 'bApp' }), { applications: 2 }),
  refused('an application offered as a plugin', [18, 26], /is of kind application, and was not offered as one/, (w) => ({ ...w.app(66, { mark, name: 'app2' }), part: 'plugin' })),
  ['a plugin with the name of an application', [18, 19, 26], PLUGINS, async (w) => {
    w.server.offer(evil(w, { name: 'app' }));
    await w.failure(/the name of a module of another kind/);
    await w.runs('app 1');
    w.never(mark);
  }],
  keepsFirst('a removal that a vendor signed', [25, 26], /may not sign it: a plugin without a sensor/, (w) => w.removal(66, { key: w.vendor })),
  keepsFirst('a removal that a stranger signed', [1, 26], /of no key/, (w) => w.removal(66, { key: w.stranger })),
  keepsFirst('an older removal', [5, 26], /not above 1/, (w) => w.removal(1, { mark })),
  keepsFirst('a removal for another fleet', [17, 26], /another fleet|of fleet/, (w) => w.removal(66, { manifest: { 3: 'plant-8' } })),
  ['the plugin that was removed', [5, 26], PLUGINS, async (w) => {
    const first = w.plugin(1), second = w.plugin(2, { mark });
    await w.installPlugin(first);
    w.server.offer(w.removal(3));
    await w.event('COMMITTED', /^3/, 't1-driver');
    await w.gone();
    await w.refuses({ ...first, mark }, 'REFUSED', /^1.0 .*below the security floor 3/);
    await w.refuses(second, 'REFUSED', /below the security floor 3/);
    await w.restart('SIGKILL');
    await w.polls(2);
    w.expect(!w.server.attributes['module.t1-driver'], 'it is back');
    await w.installPlugin(w.plugin(4));
  }],
  ['power cuts while a plugin is removed', [33], PLUGINS, async (w) => {
    await w.installPlugin(w.plugin(1));
    w.server.offer(w.removal(3));
    for (let i = 0; i < 8; i++) {
      await new Promise((done) => setTimeout(done, 15 * i));
      await w.restart('SIGKILL');
    }
    await w.event('COMMITTED', /^3/, 't1-driver');
    await w.gone();
    await w.runs('app 1');
  }],
];

module.exports = [...scope, ...device, ...kinds];

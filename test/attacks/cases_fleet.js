// The server attacked: by a device that is not what it was enrolled as, by somebody without an
// operator's rights, by an operator who may not decide what devices believe, from the network.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const crypto = require('crypto');
const net = require('net');
const o = require('./objects');
const { sleep } = require('./world');
const { multipart, FORM, base, OPERATOR, TOKENS, MODULE_MAX } = require('./fleet_world');

const ME = base('dev-1'), OTHER = base('dev-2');
const NONCE = '00112233445566778899aabbccddeeff';
const event = (id, more = {}) => ({ id, event: 'TRAP', module: 'app', version: '1.0', sequence: 1,
  sha256: '0'.repeat(64), detail: 'x', uptime_ms: 1, ...more });

// Each request is answered with one of these statuses, and nothing has changed for anybody else.
const answered = (name, rows, statuses, ...asks) => [name, rows, async (w) => {
  for (const ask of asks) {
    const r = await ask(w);
    w.expect(statuses.includes(r.status), `request ${asks.indexOf(ask)} answered with ${r.status} ${r.body}, not ${statuses}`);
  }
  await w.unchanged();
}];

const device = (method, path, how = {}) => (w) => w.ask(method, path, { as: 'dev-1', ...how });
const operator = (method, path, how = {}) => (w) => w.ask(method, path, { as: 'operator', ...how });
const withHeader = (method, path, value) => (w) => w.ask(method, path, { headers: { Authorization: value } });

// ---- Who asks ----------------------------------------------------------------------------------

const OPERATORS = [['GET', '/api/v1/modules'], ['POST', '/api/v1/modules'], ['GET', '/api/v1/natives'],
  ['POST', '/api/v1/natives'], ['GET', '/api/v1/keys'], ['POST', '/api/v1/keys'], ['GET', '/api/v1/channels'],
  ['GET', '/api/v1/channels/stable'], ['PUT', '/api/v1/channels/other'], ['GET', '/api/v1/devices'],
  ['GET', '/api/v1/devices/dev-2'], ['PUT', '/api/v1/devices/dev-2'], ['GET', '/api/v1/events'],
  ['GET', '/api/v1/postmortems'], ['GET', '/api/v1/postmortems/1']];
const DEVICES = (d) => [['GET', d], ['PUT', `${d}/configData`], ['GET', `${d}/deploymentBase/2`],
  ['POST', `${d}/deploymentBase/2/feedback`], ['GET', `${d}/artifacts/${'0'.repeat(64)}/app.wasm`],
  ['GET', `${d}/keys/plant-7/1`], ['GET', `${d}/current/plant-7/${NONCE}`], ['POST', `${d}/events`],
  ['POST', `${d}/postmortems/1`]];

// What a body says does not matter to who may not say it.
const all = (routes, how) => routes.map(([method, path]) => (w) => w.ask(method, path,
  { ...(method === 'GET' ? {} : { body: '{}' }), ...how }));

const tokens = [
  answered('nobody asks for anything of an operator', [42], [401], ...all(OPERATORS, {})),
  answered('a device asks for anything of an operator', [25, 42], [401], ...all(OPERATORS, { as: 'dev-1' })),
  answered('a device\'s token as an operator\'s', [25, 42], [401],
    ...all(OPERATORS, { headers: { Authorization: `Bearer ${TOKENS['dev-1']}` } })),
  answered('nobody asks for anything of a device', [41], [401], ...all(DEVICES(OTHER), {})),
  answered('a device asks for anything of another', [17, 41], [401], ...all(DEVICES(OTHER), { as: 'dev-1' })),
  answered('an operator\'s token as a device\'s', [25], [401],
    ...all(DEVICES(OTHER), { headers: { Authorization: `TargetToken ${OPERATOR}` } })),
  answered('tokens that are almost right', [42], [401],
    ...['', 'Bearer', 'Bearer ', `Bearer ${OPERATOR.slice(0, -1)}`, `Bearer ${OPERATOR}x`, `Bearer  ${OPERATOR}`,
      `Bearer ${OPERATOR.toUpperCase()}`, `Basic ${OPERATOR}`, OPERATOR, `TargetToken ${OPERATOR}`,
      `Bearer ${o.sha256(OPERATOR).toString('hex')}`].map((v) => withHeader('GET', '/api/v1/modules', v))),
  answered('devices that are not there, with the token of one that is', [41], [401],
    ...['dev-3', 'dev-1.', 'DEV-1'].map((d) => (w) => w.ask('GET', base(d), { as: 'dev-1' }))),
  answered('a device of another tenant', [17], [404], device('GET', '/other/controller/v1/dev-1')),
  ['a token of a megabyte', [12, 42], async (w) => {
    const r = await w.ask('GET', ME, { headers: { Authorization: `TargetToken ${'x'.repeat(1 << 20)}` } });
    w.expect([0, 400, 401, 413, 431].includes(r.status), `answered with ${r.status}`);
    await w.unchanged();
  }],
  ['two tokens in one request, the second one good', [42], async (w) => {
    const text = await w.raw(w.head('GET', OTHER, 'dev-1', `Authorization: TargetToken ${TOKENS['dev-2']}`, 'Connection: close'));
    w.expect(/^HTTP\/1\.1 40[01] /.test(text), text.slice(0, 60));
    await w.unchanged();
  }],
];

// ---- Where it leads ----------------------------------------------------------------------------

const SHA = (w, which = 'first') => w[which].sha256;
const artifact = (...paths) => paths.map((p) => (w) => w.ask('GET', `${ME}/artifacts/${typeof p === 'function' ? p(w) : p}`, { as: 'dev-1' }));

const paths = [
  answered('a module that another device was assigned', [17, 23], [404], ...artifact((w) => `${SHA(w, 'second')}/app.wasm`)),
  answered('paths out of the store', [19], [404],
    ...artifact('../../fleet.db', '..%2f..%2ffleet.db/x', '%2e%2e/%2e%2e/fleet.db', `${'.'.repeat(64)}/app.wasm`, '/etc/passwd',
      (w) => `${SHA(w)}/..`, (w) => `${SHA(w)}/%2e%2e%2ffleet.json`, (w) => `${SHA(w)}/app.wasm/`,
      (w) => `${SHA(w)}%00/app.wasm`, (w) => `./${SHA(w)}/app.wasm`)),
  answered('hashes that are none', [19], [404], ...artifact((w) => `${SHA(w).toUpperCase()}/app.wasm`,
    (w) => `${SHA(w).slice(1)}/app.wasm`, (w) => `${SHA(w)}0/app.wasm`, 'x/app.wasm', (w) => `${SHA(w)}/`)),
  answered('names of devices and channels that are paths', [19, 42], [400, 404, 405],
    ...['..', '%2e%2e', 'a%2fb', '.hidden', 'a b', 'x'.repeat(65), '%00', '\'; DROP TABLE device; --'].flatMap((n) => [
      operator('PUT', `/api/v1/devices/${n.replace(/ /g, '%20')}`, { body: { channel: 'stable', token: 'x'.repeat(20) } }),
      operator('PUT', `/api/v1/channels/${n.replace(/ /g, '%20')}`, { body: { modules: ['0'.repeat(64)] } })])),
  answered('numbers that are none', [12], [400, 404], ...['-1', '0x1', '1e9', '99999999999999999999', '01', '+1', ''].flatMap((n) => [
    operator('GET', `/api/v1/events?after=${encodeURIComponent(n)}`), operator('GET', `/api/v1/devices?limit=${encodeURIComponent(n)}`),
    device('GET', `${ME}/deploymentBase/${encodeURIComponent(n) || '0'}`)])),
  answered('limits above what there is', [12], [400], operator('GET', '/api/v1/events?limit=10001'),
    operator('GET', '/api/v1/postmortems?limit=4294967296'), operator('GET', '/api/v1/devices?limit=0')),
  ['a host that is another, for the links that others get', [15], async (w) => {
    const r = await w.ask('GET', ME, { as: 'dev-1', headers: { Host: 'example.org' } });
    w.expect(r.status === 200 && r.json._links.configData.href.startsWith('https://example.org/'), `${r.status}`);
    for (const host of ['a\tb', 'a/../b', 'x'.repeat(300), 'user@example.org', 'example.org/x'])
      {
      const { status } = await w.ask('GET', ME, { as: 'dev-1', headers: { Host: host } });
      w.expect(status === 400, `${host}: ${status}`);
    }
    await w.unchanged();
  }],
];

// ---- How much, and how slowly ------------------------------------------------------------------

const LARGE = Buffer.alloc(MODULE_MAX + 70000, 'x');
const nested = (n) => '['.repeat(n) + ']'.repeat(n);

// A body without an announced length that does not end of itself.
const endless = (method, url, as, headers = {}) => (w) => w.ask(method, url, { as, headers, pieces: (req) => {
  const piece = Buffer.alloc(65536, 'x');
  let sent = 0;
  const more = () => {
    while (!req.destroyed && sent < 64 << 20) {
      sent += piece.length;
      if (!req.write(piece)) return req.once('drain', more);
    }
    req.end();
  };
  more();
} });

const sizes = [
  answered('JSON above its limit', [12], [413], device('POST', `${ME}/events`, { body: `[${' '.repeat(300000)}]` }),
    device('PUT', `${ME}/configData`, { body: `{"x":"${'x'.repeat(300000)}"}` }),
    operator('PUT', '/api/v1/channels/other', { body: ' '.repeat(300000) })),
  answered('bodies that are announced with terabytes', [12], [413],
    ...[`${ME}/events`, `${ME}/postmortems/1`].map((p) => (w) => w.ask('POST', p, { as: 'dev-1', headers: { 'Content-Length': '9999999999999' },
      pieces: (req) => { req.flushHeaders(); } })),
    (w) => w.ask('POST', '/api/v1/modules', { as: 'operator', headers: { ...FORM, 'Content-Length': '9999999999999' },
      pieces: (req) => { req.flushHeaders(); } })),
  answered('bodies without an end', [12], [0, 400, 413], endless('POST', `${ME}/events`, 'dev-1'), endless('POST', `${ME}/postmortems/1`, 'dev-1'),
    endless('POST', '/api/v1/modules', 'operator', FORM), endless('POST', '/api/v1/modules', null, FORM)),
  answered('a body where none is taken', [12, 18], [400, 413], device('GET', ME, { body: 'x' }), operator('GET', '/api/v1/modules', { body: '{}' })),
  answered('a module above its limit', [12], [413], (w) => w.form('/api/v1/modules', [['module', LARGE], ['signature', w.first.sig]]),
    (w) => w.form('/api/v1/modules', [['module', LARGE.subarray(0, MODULE_MAX + 1)], ['signature', w.first.sig]])),
  answered('a signature of 60 KB', [12], [413, 422], (w) => w.form('/api/v1/modules', [['module', w.first.bytes], ['signature', LARGE.subarray(0, 60000)]])),
  ['a request with headers of a megabyte', [12], async (w) => {
    const r = await w.ask('GET', ME, { as: 'dev-1', headers: { 'X-A': 'x'.repeat(1 << 20) } });
    w.expect([0, 400, 413, 431].includes(r.status), `answered with ${r.status}`);
    const text = await w.raw(w.head('GET', ME, 'dev-1', ...Array.from({ length: 20000 }, (_, i) => `X-${i}: y`)));
    w.expect(!/^HTTP\/1\.1 200/.test(text), text.slice(0, 60));
    await w.unchanged();
  }],
  ['a path of a megabyte', [12], async (w) => {
    const r = await w.ask('GET', `${ME}/${'x'.repeat(1 << 20)}`, { as: 'dev-1' });
    w.expect([0, 400, 404, 414, 431].includes(r.status), `answered with ${r.status}`);
    await w.unchanged();
  }],
  ['a hundred connections that send a byte now and then', [13], async (w) => {
    const head = w.head('POST', `${ME}/events`, 'dev-1', 'Content-Length: 1000');
    const slow = Array.from({ length: 100 }, () => {
      const socket = require('tls').connect({ host: '127.0.0.1', port: w.port, ca: w.run.tls.ca, servername: '' });
      socket.on('error', () => {});
      socket.on('secureConnect', () => socket.write(head));
      return socket;
    });
    for (let i = 0; i < 6; i++) {
      await sleep(250);
      slow.forEach((s) => s.destroyed || s.write('['));
    }
    await w.unchanged();
    slow.forEach((s) => s.destroy());
  }],
  ['a hundred connections that say nothing', [13], async (w) => {
    const quiet = Array.from({ length: 100 }, () => {
      const socket = net.connect(w.port, '127.0.0.1');
      socket.on('error', () => {});
      return socket;
    });
    await sleep(300);
    await w.unchanged();
    quiet.forEach((s) => s.destroy());
  }],
];

// ---- What it says ------------------------------------------------------------------------------

const JSONS = ['', '{', 'null', '[]x', '"text"', '1', '{"a":1,"a":2}', '{"a":NaN}', '\ufeff{}', '{"\\u0000":1}', nested(5000), nested(100000),
  Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), '{"mode":"merge","data":{"a":1e400}}', '[[[[{}]]]]'];

const bodies = [
  answered('what is no JSON', [12, 18], [400], ...JSONS.flatMap((body) => [device('PUT', `${ME}/configData`, { body }),
    device('POST', `${ME}/events`, { body: body === '[]x' ? body : body === '' ? ' ' : body }),
    operator('PUT', '/api/v1/channels/other', { body }), operator('PUT', '/api/v1/devices/dev-2', { body })])),
  answered('attributes that are more or longer than there may be', [12], [400],
    device('PUT', `${ME}/configData`, { body: { mode: 'merge', data: Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`a${i}`, 'x'])) } }),
    device('PUT', `${ME}/configData`, { body: { mode: 'merge', data: { a: 'x'.repeat(100000) } } }),
    device('PUT', `${ME}/configData`, { body: { mode: 'merge', data: { ['x'.repeat(10000)]: 'x' } } }),
    device('PUT', `${ME}/configData`, { body: { mode: 'steal', data: {} } }),
    device('PUT', `${ME}/configData`, { body: { mode: 'merge', data: { a: { b: 1 } } } })),
  ['a thousand attributes, some at a time', [12], async (w) => {
    for (let i = 0; i < 40; i++)
      await w.ask('PUT', `${ME}/configData`, { as: 'dev-1', body: { mode: 'merge', data: Object.fromEntries(Array.from({ length: 25 }, (_, k) => [`a${i}.${k}`, 'x'])) } });
    const d = await w.must('GET', '/api/v1/devices/dev-1');
    w.expect(Object.keys(d.attributes).length <= 128, `${Object.keys(d.attributes).length} attributes`);
    await w.unchanged();
  }],
  answered('multipart that is none', [18], [400, 415],
    ...[{}, { 'Content-Type': 'application/json' }, { 'Content-Type': 'multipart/form-data' }, { 'Content-Type': 'multipart/form-data; boundary=' },
      { 'Content-Type': `multipart/form-data; boundary=${'x'.repeat(2000)}` }, { 'Content-Type': 'multipart/mixed; boundary=x-boundary-x' }]
      .map((headers) => (w) => w.form('/api/v1/modules', [['module', w.first.bytes], ['signature', w.first.sig]], { headers })),
    ...['', '--x-boundary-x', '--x-boundary-x\r\n', '--x-boundary-x--\r\n', '--x-boundary-x\r\nContent-Disposition: form-data; name="module"\r\n\r\nabc',
      'x'.repeat(1000), '--x-boundary-x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x-boundary-x--\r\n']
      .map((body) => operator('POST', '/api/v1/modules', { body, headers: FORM }))),
  answered('parts that are missing, twice or unknown', [18], [400, 422],
    (w) => w.form('/api/v1/modules', [['module', w.first.bytes]]), (w) => w.form('/api/v1/modules', [['signature', w.first.sig]]),
    (w) => w.form('/api/v1/modules', [['module', w.first.bytes], ['module', w.second.bytes], ['signature', w.first.sig]]),
    (w) => w.form('/api/v1/modules', [['module', w.first.bytes], ['signature', w.first.sig], ['path', 'x']]),
    (w) => w.form('/api/v1/modules', [['../module', w.first.bytes], ['signature', w.first.sig]]),
    (w) => w.form('/api/v1/modules', [['module', ''], ['signature', '']])),
];

// ---- What a device claims ----------------------------------------------------------------------

const claims = [
  ['success of what another device was offered', [17, 23], async (w) => {
    const other = await w.action('dev-2');
    const r = await w.feedback('dev-1', other);
    w.expect(r.status === 404, `answered with ${r.status}`);
    w.expect((await w.must('GET', '/api/v1/devices/dev-2')).action.state !== 'finished', 'it is finished');
    await w.unchanged();
  }],
  ['success of what nobody was offered', [23], async (w) => {
    for (const action of [0, 99, '9223372036854775807', '18446744073709551616'])
      w.expect((await w.feedback('dev-1', action)).status === 404, String(action));
    await w.unchanged();
  }],
  ['feedback about one action under the number of another', [23], async (w) => {
    const mine = await w.action('dev-1');
    const r = await w.feedback('dev-1', mine, 'success', 'closed', String(mine + 1));
    w.expect(r.status === 400, `answered with ${r.status}`);
    w.expect(await w.action('dev-1') === mine, 'it is closed');
    await w.unchanged();
  }],
  ['feedback again after the action is closed', [23], async (w) => {
    const mine = await w.action('dev-1');
    w.expect((await w.feedback('dev-1', mine, 'failure')).status === 200, 'failure is not taken');
    w.expect((await w.feedback('dev-1', mine, 'success')).status === 410, 'it counts again');
    w.expect((await w.must('GET', '/api/v1/devices/dev-1')).action.state === 'failed', 'it is another state now');
    await w.unchanged();
  }],
  ['feedback of an action that a newer one took the place of', [23], async (w) => {
    const old = await w.action('dev-1');
    await w.must('PUT', '/api/v1/channels/stable', { modules: [w.first.sha256] });
    const mine = await w.action('dev-1');
    w.expect(mine !== old && (await w.feedback('dev-1', old)).status === 410, 'the old one counts');
    w.expect(await w.action('dev-1') === mine, 'the new one is closed');
  }],
  ['feedback without end', [12], async (w) => {
    const mine = await w.action('dev-1');
    for (let i = 0; i < 60; i++) await w.feedback('dev-1', mine, 'none', 'proceeding');
    const d = await w.must('GET', '/api/v1/devices/dev-1');
    w.expect(d.actions[0].feedback.length <= 20, `${d.actions[0].feedback.length} are kept`);
    await w.unchanged();
  }],
  ['events with the numbers of another device\'s', [38], async (w) => {
    await w.ask('POST', `${OTHER}/events`, { as: 'dev-2', body: [event(7, { detail: 'mine' })] });
    w.before = await w.others();
    const r = await w.ask('POST', `${ME}/events`, { as: 'dev-1', body: [event(7, { detail: 'not yours' })] });
    w.expect(r.status === 200, `answered with ${r.status}`);
    const mine = (await w.must('GET', '/api/v1/events?device=dev-1')).events;
    w.expect(mine.length === 1 && mine[0].device === 'dev-1', JSON.stringify(mine));
    await w.unchanged();
  }],
  answered('events that are none', [12, 38], [400], ...[event(1, { event: 'no capitals' }), event(-1), event('1'), event(1, { device: 'dev-2' }),
    event(1, { sequence: -1 }), event(1, { sha256: 'x' }), event(1, { detail: 'x'.repeat(100000) }), event(1, { module: 5 }), event(1.5),
    { id: 1 }, null, [event(1)]].map((e) => device('POST', `${ME}/events`, { body: [e] })),
    device('POST', `${ME}/events`, { body: Array.from({ length: 257 }, (_, i) => event(i)) }), device('POST', `${ME}/events`, { body: event(1) })),
  ['events of which the last is none', [38], async (w) => {
    const r = await w.ask('POST', `${ME}/events`, { as: 'dev-1', body: [event(1), event(2), { id: 3 }] });
    w.expect(r.status === 400 && (await w.must('GET', '/api/v1/events?device=dev-1')).events.length === 0, 'a part was kept');
    await w.unchanged();
  }],
  ['events without end', [12, 29], async (w) => {
    for (let i = 0; i < 41; i++)
      await w.ask('POST', `${ME}/events`, { as: 'dev-1', body: Array.from({ length: 250 }, (_, k) => event(i * 250 + k)) });
    const kept = (await w.must('GET', '/api/v1/events?device=dev-1&limit=10000')).events;
    w.expect(kept.length === 10000 && kept[0].id_on_device !== 0, `${kept.length} are kept`);
    await w.unchanged();
  }],
  ['an event again and again', [38], async (w) => {
    for (let i = 0; i < 5; i++) await w.ask('POST', `${ME}/events`, { as: 'dev-1', body: [event(1), event(1)] });
    w.expect((await w.must('GET', '/api/v1/events?device=dev-1')).events.length === 1, 'it is there twice');
    await w.unchanged();
  }],
  answered('post-mortems that are none', [12, 46], [400, 404], ...[Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(200), Buffer.alloc(736, 0xff),
    Buffer.from('0061736d01000000', 'hex'), crypto.randomBytes(700)].map((body) => device('POST', `${ME}/postmortems/1`, { body })),
    device('POST', `${ME}/postmortems/-1`, { body: 'x' }), device('POST', `${ME}/postmortems/99999999999999999999`, { body: 'x' })),
  answered('a post-mortem above its limit', [12], [413], device('POST', `${ME}/postmortems/1`, { body: Buffer.alloc((1 << 20) + 1) })),
  ['post-mortems without end', [12, 29], async (w) => {
    const note = Buffer.concat([Buffer.from([1, 3, 1, 1]), Buffer.alloc(48), Buffer.alloc(32), Buffer.from([0, 0, 0, 0, 0, 0])]);
    for (let i = 1; i <= 40; i++) {
      const r = await w.ask('POST', `${ME}/postmortems/${i}`, { as: 'dev-1', body: note });
      w.expect(r.status === 201, `answered with ${r.status} ${r.body}`);
    }
    w.expect((await w.must('GET', '/api/v1/postmortems?device=dev-1')).postmortems.length === 16, 'more are kept');
    await w.unchanged();
  }],
];

// ---- What an operator may not ------------------------------------------------------------------

const refusedUpload = (name, rows, statuses, make) => answered(name, rows, statuses, (w) => {
  const r = make(w);
  return w.form('/api/v1/modules', [['module', r.bytes], ['signature', r.sig]]);
});
const keysAnswered = (name, rows, statuses, make) => [name, rows, async (w) => {
  const first = o.keySet({ version: 1, threshold: 2, roots: w.roots, keys: [{ role: 'signer', key: w.signer }] }, w.roots.slice(0, 2));
  w.expect((await w.form('/api/v1/keys', [['keys', first]])).status === 201, 'the first set is not taken');
  w.before = await w.others();
  const r = await w.form('/api/v1/keys', [['keys', make(w, first)]]);
  w.expect(statuses.includes(r.status), `answered with ${r.status} ${r.body}`);
  w.expect((await w.must('GET', '/api/v1/keys')).keys.length === 1, 'it is kept');
  await w.unchanged();
}];
const set = (w, version, by, more = {}) => o.keySet({ version, threshold: 2, roots: w.roots, keys: [{ role: 'signer', key: w.stranger }], ...more }, by);

const uploads = [
  refusedUpload('an operator uploads what nobody signed', [1, 42], [422], (w) => ({ bytes: o.release(w.signer, { version: 3 }).bytes, sig: Buffer.alloc(64) })),
  refusedUpload('an operator uploads what a stranger signed', [1, 42], [422], (w) => o.release(w.stranger, { version: 3 })),
  refusedUpload('an operator uploads what the server\'s own key signed', [25, 42], [422], (w) => o.release(w.stater, { version: 3 })),
  refusedUpload('an operator uploads one release with the signature of another', [4, 42], [422], (w) => ({ bytes: w.first.bytes, sig: w.second.sig })),
  refusedUpload('an operator uploads a release with a byte behind it', [4, 42], [422], (w) => ({ bytes: Buffer.concat([w.first.bytes, Buffer.from([0])]), sig: w.first.sig })),
  refusedUpload('an operator uploads other bytes with a sequence that is taken', [5, 9, 42], [409], (w) => o.release(w.signer, { version: 1, padding: 10 })),
  refusedUpload('an operator uploads a module of another fleet', [17, 42], [422], (w) => o.release(w.signer, { version: 3, manifest: { 3: 'plant-8' } })),
  refusedUpload('an operator uploads a module without a manifest', [3, 42], [422], (w) => o.release(w.signer, { version: 3, sections: [] })),
  refusedUpload('an operator uploads a module whose name is a path', [19, 42], [422], (w) => o.release(w.signer, { version: 3, name: '../app' })),
  refusedUpload('an operator uploads text that the signer signed', [18, 42], [422], (w) => o.signed(w.signer, {}, Buffer.from('hello'))),
  ['a release under the version of an older one does not take its place', [5, 9], async (w) => {
    const old = o.release(w.signer, { version: 1, padding: 50 });
    await w.upload(old, 409);
    const r = await w.ask('PUT', '/api/v1/channels/stable', { as: 'operator', body: { modules: [old.sha256] } });
    w.expect(r.status >= 400 && r.status < 500, `answered with ${r.status}`);
    await w.unchanged();
  }],
  answered('an operator assigns what is not there', [10, 42], [400, 404, 409, 422], ...[[], ['0'.repeat(64)], ['x'], 'x', Array(33).fill('0'.repeat(64)), null]
    .map((modules) => operator('PUT', '/api/v1/channels/other', { body: { modules } })),
    (w) => w.ask('PUT', '/api/v1/channels/other', { as: 'operator', body: { modules: [w.first.sha256, w.second.sha256] } })),
  answered('an operator gives a device no token, or a short one', [41, 42], [400, 422], operator('PUT', '/api/v1/devices/dev-9', { body: { channel: 'stable' } }),
    operator('PUT', '/api/v1/devices/dev-9', { body: { channel: 'stable', token: 'short' } }),
    operator('PUT', '/api/v1/devices/dev-9', { body: { channel: 'stable', token: 'x'.repeat(129) } })),
  answered('an operator uploads a native image of nobody', [1, 42], [400, 422], (w) => w.form('/api/v1/natives',
    [['image', Buffer.alloc(100)], ['signature', o.claim(w.stranger, w.first, Buffer.alloc(100))]]),
    (w) => w.form('/api/v1/natives', [['image', Buffer.alloc(100)], ['signature', o.claim(w.signer, w.first, Buffer.alloc(100))]])),
  keysAnswered('an operator uploads a key set of strangers', [21, 22, 42], [422], (w) => { const s = [o.newKey(), o.newKey()]; return set(w, 2, s, { roots: s }); }),
  keysAnswered('an operator uploads a key set that one root signed', [21, 22, 42], [422], (w) => set(w, 2, w.roots.slice(0, 1))),
  keysAnswered('an operator uploads a key set after the next', [22, 42], [409, 422], (w) => set(w, 3, w.roots.slice(0, 2))),
  keysAnswered('an operator uploads another key set of the version in force', [22, 42], [409, 422], (w) => set(w, 1, w.roots.slice(0, 2))),
  keysAnswered('an operator uploads a key set with a bit changed', [22, 42], [422], (w) => o.flip(set(w, 2, w.roots.slice(0, 2)))),
  keysAnswered('an operator uploads a module as a key set', [18, 42], [422], (w) => w.first.bytes),
  ['an operator uploads a module of a signer that the key set revokes', [21, 42], async (w) => {
    const sets = [1, 2].map((v) => o.keySet({ version: v, threshold: 2, roots: w.roots,
      keys: v === 1 ? [{ role: 'signer', key: w.signer }] : [{ role: 'signer', key: w.stranger }],
      revoked: v === 1 ? [] : [{ key: w.signer }] }, w.roots.slice(0, 2)));
    for (const s of sets) w.expect((await w.form('/api/v1/keys', [['keys', s]])).status === 201, 'a set is not taken');
    await w.upload(o.release(w.signer, { version: 3 }), 422);
    await w.upload(o.release(w.stranger, { version: 4 }), 201);
  }],
];

// ---- Statements --------------------------------------------------------------------------------

const statements = [
  answered('a statement for a nonce that is none', [8, 35], [400, 404], ...['', 'x', '00', NONCE.slice(1), `${NONCE}00`, NONCE.toUpperCase(), 'z'.repeat(32)]
    .map((n) => device('GET', `${ME}/current/plant-7/${n}`))),
  answered('a statement about another fleet', [8, 17], [404], device('GET', `${ME}/current/plant-8/${NONCE}`), device('GET', `${ME}/current/..%2f/${NONCE}`)),
  ['a statement for one device is of its own channel and nonce', [8, 23, 35], async (w) => {
    const r = await w.ask('GET', `${ME}/current/plant-7/${NONCE}`, { as: 'dev-1' });
    w.expect(r.status === 200, `answered with ${r.status} ${r.body}`);
    w.expect(r.body.includes(Buffer.from(NONCE, 'hex')) && r.body.includes('stable') && !r.body.includes('other'), 'it is of somebody else');
    await w.unchanged();
  }],
];

// ---- HTTP --------------------------------------------------------------------------------------

// Bytes that hold a second request which the first one's token must not speak for: whatever the
// first one gets, no other answer is good.
const smuggled = (name, make) => [name, [16, 42], async (w) => {
  const inner = w.head('PUT', '/api/v1/channels/other', null, 'Content-Length: 2') + '{}';
  const answers = (await w.raw(make(w, inner))).match(/HTTP\/1\.[01] \d\d\d/g) || [];
  w.expect(answers.slice(1).every((a) => !/ 2/.test(a)), `a second answer is good: ${answers}`);
  await w.unchanged();
}];

const http = [
  smuggled('two lengths of one body', (w, inner) => w.head('POST', `${ME}/events`, 'dev-1', 'Content-Length: 2', `Content-Length: ${2 + inner.length}`) + `[]${inner}`),
  smuggled('a length and pieces', (w, inner) => w.head('POST', `${ME}/events`, 'dev-1', `Content-Length: ${7 + inner.length}`, 'Transfer-Encoding: chunked') + `0\r\n\r\n${inner}`),
  smuggled('pieces under a name that some read', (w, inner) => w.head('POST', `${ME}/events`, 'dev-1', 'Content-Length: 2', 'Transfer-Encoding : chunked') + `[]${inner}`),
  smuggled('a request in the body of another', (w, inner) => w.head('POST', `${ME}/events`, 'dev-1', 'Content-Length: 2') + `[]${inner}`),
  ['a request after another has no part in its token', [42], async (w) => {
    const text = await w.raw(w.head('GET', ME, 'dev-1') + w.head('GET', OTHER, null) + w.head('GET', OTHER, 'dev-1', 'Connection: close'));
    const answers = text.match(/HTTP\/1\.1 \d\d\d/g) || [];
    w.expect(answers[0] === 'HTTP/1.1 200' && answers.slice(1).every((a) => a === 'HTTP/1.1 401'), answers.join());
    await w.unchanged();
  }],
  ['heads that are none', [12, 18], async (w) => {
    for (const bytes of ['\r\n\r\n\r\n', '\0'.repeat(100), 'GET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', `GET ${ME}\r\n\r\n`, `GET ${ME} HTTP/1.1\r\n\r\n`,
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', `GET ${ME} HTTP/1.1\r\nHost: x\r\nAuthorization\r\n\r\n`, `GET https://example.org${ME} HTTP/1.1\r\nHost: x\r\n\r\n`,
      w.head('POST', `${ME}/events`, null, 'Content-Length: -1'), w.head('POST', `${ME}/events`, null, 'Content-Length: 1x'),
      w.head('POST', `${ME}/events`, null, 'Transfer-Encoding: chunked') + 'ffffffffffffffffff\r\nx', `${'A'.repeat(100000)}`,
      w.head('POST', `${ME}/events`, null, 'Transfer-Encoding: chunked') + '-1\r\nx\r\n'])
      w.expect(!/HTTP\/1\.[01] 2/.test(await w.raw(bytes, 200)), JSON.stringify(bytes.slice(0, 60)));
    await w.unchanged();
  }],
  answered('methods that no resource has', [42], [400, 404, 405, 501], ...['DELETE', 'PATCH', 'TRACE', 'OPTIONS', 'PROPFIND'].flatMap((m) => [operator(m, '/api/v1/modules'),
    operator(m, '/api/v1/devices/dev-2'), device(m, `${ME}/events`)])),
  ['TLS 1.2', [16], async (w) => {
    const r = await w.ask('GET', ME, { as: 'dev-1', tls: { maxVersion: 'TLSv1.2' } });
    w.expect(r.status === 0, `answered with ${r.status}`);
    await w.unchanged();
  }],
  ['plain HTTP where TLS is spoken', [16], async (w) => {
    const text = await w.plain(w.head('GET', ME, 'dev-1'));
    w.expect(!text.includes('HTTP/1.1 2'), text.slice(0, 80));
    await w.unchanged();
  }],
  ['handshakes that are noise', [16, 13], async (w) => {
    for (let i = 0; i < 30; i++) {
      const socket = net.connect(w.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.end(crypto.randomBytes(300));
    }
    await w.unchanged();
  }],
  ['more connections than there may be', [13], async (w) => {
    const many = Array.from({ length: 260 }, () => {
      const socket = net.connect(w.port, '127.0.0.1');
      socket.on('error', () => {});
      return socket;
    });
    await sleep(500);
    many.forEach((s) => s.destroy());
    await sleep(200);
    await w.unchanged();
  }],
];

module.exports = [...tokens, ...paths, ...sizes, ...bodies, ...claims, ...uploads, ...statements, ...http];

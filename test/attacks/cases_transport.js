// The way from the server to the device, and a server that answers as it should not.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const zlib = require('zlib');
const path = require('path');
const { execFileSync } = require('child_process');
const fs = require('fs');
const o = require('./objects');
const { sleep } = require('./world');

const MARK = 'app 2';
const QUICK = { server: { attempts: 2, stall_seconds: 2, min_bytes_per_second: 1000 } };

// ---- Who the server is -------------------------------------------------------------------------

const untrusted = (name, rows, identity) => [name, rows, async (w) => {
  const polls = w.server.asked('poll');
  await w.server.become(typeof identity === 'function' ? identity(w) : identity);
  w.server.offer(w.app(2));
  await w.says(/the server is not trusted/);
  w.expect(w.server.asked('poll') <= polls + 1, 'it was asked all the same');
  await w.runs('app 1');
  w.never(MARK);
}];

// A certificate of the fleet's own authority, made with other words.
function certificate(w, name, ...args) {
  const dir = w.run.tls.dir, file = (f) => path.join(w.folder, f);
  execFileSync('openssl', ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
    '-keyout', file('x.key'), '-out', file('x.csr'), '-subj', '/CN=x'], { stdio: 'ignore' });
  fs.writeFileSync(file('x.ext'), `subjectAltName=${name}\n${args[1] || ''}`);
  execFileSync('openssl', ['x509', '-req', '-in', file('x.csr'), '-CA', `${dir}/ca.pem`, '-CAkey', `${dir}/ca.key`,
    '-CAcreateserial', '-CAserial', file('x.srl'), '-days', args[0] || '10', '-extfile', file('x.ext'), '-out', file('x.pem')],
  { stdio: 'ignore' });
  return { cert: fs.readFileSync(file('x.pem')), key: fs.readFileSync(file('x.key')) };
}

const identity = [
  untrusted('a server of another authority', [15, 16, 44], (w) => w.run.tls.other.server),
  untrusted('a server with the certificate of another host', [15, 16], (w) => certificate(w, 'DNS:example.org')),
  untrusted('a server with a certificate that has expired', [44, 45], (w) => certificate(w, 'IP:127.0.0.1', '-1')),
  untrusted('a server with a certificate for clients', [15], (w) => certificate(w, 'IP:127.0.0.1', '10', 'extendedKeyUsage=clientAuth')),
  untrusted('a server that speaks TLS 1.2 alone', [16], (w) => ({ ...w.run.tls.server, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })),
  ['a server without TLS', [16], async (w) => {
    await w.server.close();
    const http = require('http').createServer((req, res) => { w.server.seen.push(['plain']); res.end('{}'); });
    http.listen(w.server.port, '127.0.0.1');
    await w.says(/server .*: poll: /);
    await w.runs('app 1');
    http.closeAllConnections();
    http.close();
    w.expect(!w.server.asked('plain'), 'it asked without TLS');
    await w.server.listen(w.server.port);
  }],
  ['a server whose key is not the pinned one', [15, 44], {}, async (w) => {
    await w.stop();
    w.commission({ server: { pin: `sha256//${Buffer.alloc(32, 1).toString('base64')}` } });
    const polls = w.server.asked('poll');
    w.start();
    await w.says(/the server is not trusted/);
    w.expect(w.server.asked('poll') === polls, 'it was asked all the same');
    await w.runs('app 1');
  }],
];

// ---- Where it leads ----------------------------------------------------------------------------

const redirect = (to) => (req, res, s) => {
  res.writeHead(302, { Location: to(s) });
  res.end();
};
const elsewhere = (s) => `${s.url}/elsewhere`;

// Version 2 is offered; it does not come, and the device tells so.
const failed = (name, rows, pattern, spoil, options = QUICK) => [name, rows, options, async (w) => {
  spoil(w.server, w);
  await w.refuses(w.app(2, { padding: 40000 }), 'DOWNLOAD_FAILED', pattern);
  w.expect(!w.server.asked('elsewhere'), 'it went elsewhere');
}];

// The poll itself is bad: it is told in the log, and nothing is fetched.
const nonsense = (name, rows, pattern, spoil, options = {}) => [name, rows, options, async (w) => {
  w.server.offer(w.app(2));
  spoil(w.server, w);
  await w.says(pattern);
  await w.runs('app 1');
  w.expect(!w.server.asked('elsewhere'), 'it went elsewhere');
  w.never(MARK);
}];

const href = (url) => (s) => { s.edit.poll = (j) => { j._links.deploymentBase = { href: url(s) }; }; };
const leads = [
  nonsense('a poll that redirects', [15], /redirects to/, (s) => { s.on.poll = redirect(elsewhere); }),
  nonsense('a deployment that redirects', [15], /redirects to/, (s) => { s.on.deployment = redirect(elsewhere); }),
  failed('a module that redirects', [15], /redirects to/, (s) => { s.on.module = redirect(elsewhere); }),
  failed('a signature that redirects', [15], /redirects to/, (s) => { s.on.signature = redirect(elsewhere); }),
  nonsense('a link to another port', [15], /leads away/, href((s) => `https://127.0.0.1:${s.port ^ 1}/elsewhere`)),
  nonsense('a link to another host', [15], /leads away/, href(() => 'https://localhost/elsewhere')),
  nonsense('a link without TLS', [15, 16], /leads away/, href((s) => s.url.replace('https', 'http'))),
  nonsense('a link to a file', [15], /leads away/, href(() => 'file:///etc/passwd')),
  nonsense('a link with a user before the host', [15], /leads away/, href((s) => s.url.replace('//', '//127.0.0.1@'))),
  nonsense('a link with the host as a prefix of another', [15], /leads away/, href((s) => `${s.url}0/elsewhere`)),
  nonsense('a link with a line break', [15], /leads away|href/, href((s) => `${s.url}/x\r\nHost: example.org`)),
  nonsense('a link of 100 KB', [12, 15], /href/, href((s) => `${s.url}/${'x'.repeat(100000)}`)),
];

// ---- How much, how slow ------------------------------------------------------------------------

const endless = (head) => (req, res) => {
  res.writeHead(200, head || {});
  const more = () => { while (!res.destroyed && res.write(Buffer.alloc(16384, '['))); };
  res.on('drain', more);
  more();
};
const lengthOff = (by) => (req, res, s) => {
  const r = s.deployment.chunks[0].release;
  res.writeHead(200, { 'Content-Length': r.size + by });
  res.end(Buffer.concat([r.bytes, Buffer.alloc(16)]).subarray(0, r.size + by));
};
const trickle = (req, res, s) => {
  const r = s.deployment.chunks[0].release;
  res.writeHead(200, { 'Content-Length': r.size });
  let at = 0;
  const timer = setInterval(() => { if (res.destroyed) clearInterval(timer); else res.write(r.bytes.subarray(at, ++at)); }, 50);
};
const never = () => {};
const ranged = (range) => (req, res, s) => {
  const r = s.deployment.chunks[0].release;
  if (!req.headers.range) {
    res.writeHead(200, { 'Content-Length': r.size, ETag: '"x"' });
    res.write(r.bytes.subarray(0, r.size >> 1), () => setTimeout(() => res.destroy(), 100));
    return;
  }
  res.writeHead(206, { 'Content-Range': range(r) });
  res.end(r.bytes.subarray(0, 4096));
};
const headers = (count) => (req, res) => {
  for (let i = 0; i < count; i++) res.setHeader(`X-${i}`, 'y'.repeat(4000));
  res.end('{}');
};

const SLOW = { server: { attempts: 1, stall_seconds: 1, min_bytes_per_second: 1000, request_seconds: 2 } };
const amounts = [
  failed('a module without an end', [12], /more than/, (s) => { s.on.module = endless(); }),
  nonsense('a poll without an end', [12], /more than 262144/, (s) => { s.on.poll = endless(); }),
  nonsense('a deployment without an end', [12], /more than 262144/, (s) => { s.on.deployment = endless(); }),
  failed('a signature without an end', [12], /more than 64/, (s) => { s.on.signature = endless(); }),
  failed('a signature that is announced with a gigabyte', [12], /more than 64/,
    (s) => { s.on.signature = endless({ 'Content-Length': 2 ** 30 }); }),
  nonsense('headers of a megabyte', [12], /headers|too large|too long/i, (s) => { s.on.poll = headers(300); }),
  failed('a module with more bytes than announced', [12, 15], /bytes instead of/, (s) => { s.on.module = lengthOff(1); }),
  failed('a module with fewer bytes than announced', [15], /bytes instead of/, (s) => { s.on.module = lengthOff(-1); }),
  failed('a module that is cut off every time', [14], /cut off|ends after|another part|instead of/, (s) => {
    s.on.module = (req, res) => { res.writeHead(200, { 'Content-Length': s.deployment.chunks[0].release.size });
      res.write('\0asm', () => setTimeout(() => res.destroy(), 50)); };
  }),
  failed('a module that goes on with another part than was asked for', [15], /instead of/, (s) => { s.on.module = ranged((r) => `bytes 0-4095/${r.size}`); }),
  failed('a module that is gzip', [15], /instead of|announced/, (s) => {
    s.on.module = (req, res) => { res.setHeader('Content-Encoding', 'gzip'); res.end(zlib.gzipSync(s.deployment.chunks[0].release.bytes)); };
  }),
  failed('a module that came slower than is fit', [13], /too slow/, (s) => { s.on.module = trickle; }, SLOW),
  failed('a module that never comes', [13, 14], /too slow|no answer/, (s) => { s.on.module = never; }, SLOW),
  failed('a signature that never comes', [13, 14], /too slow|no answer/, (s) => { s.on.signature = never; }, SLOW),
  nonsense('a poll that is never answered', [13, 14], /no answer|too slow/, (s) => { s.on.poll = never; }, SLOW),
  ['modules run while a server is slow', [13], SLOW, async (w) => {
    w.server.on.module = trickle;
    w.server.offer(w.app(2));
    await w.until('the module is asked for', () => w.server.asked('module') > 1);
    for (let i = 0; i < 5; i++) await w.runs('app 1');
  }],
  failed('a module that is not found', [14], /HTTP 404/, (s) => { s.on.module = (req, res) => { res.statusCode = 404; res.end(); }; }),
  failed('a module that the server says it has already', [15], /HTTP 304/, (s) => { s.on.module = (req, res) => { res.statusCode = 304; res.end(); }; }),
  ['a server that is away for a time', [14, 43], async (w) => {
    await w.server.close();
    await w.says(/server .*: poll: .*again in/);
    await w.runs('app 1');
    await w.server.listen(w.server.port);
    await w.install(w.app(2));
  }],
  ['a server that says to come back in a thousand years', [8, 43], async (w) => {
    w.server.on.poll = (req, res) => { res.writeHead(503, { 'Retry-After': '31536000000' }); res.end(); };
    const [, seconds] = await w.says(/HTTP 503; again in (\d+) s/);
    w.expect(Number(seconds) <= 2 * 86400, `it stays away for ${seconds} s`);
  }],
  ['a device does not ask a busy server again at once', [43], async (w) => {
    w.server.on.poll = (req, res) => { res.writeHead(503, { 'Retry-After': '5' }); res.end(); };
    await w.says(/HTTP 503/);
    const polls = w.server.asked('poll');
    await sleep(3000);
    w.expect(w.server.asked('poll') === polls, 'it asked again');
  }],
];

// ---- Answers that are none ---------------------------------------------------------------------

const answer = (name, pattern, body) => nonsense(`a poll ${name}`, [12], pattern, (s) => { s.on.poll = (req, res) => res.end(body); });
const polling = (sleep) => ({ config: { polling: { sleep } } });
const polls = [
  answer('that is empty', /not JSON/, ''),
  answer('that is HTML', /not JSON/, '<html>'),
  answer('that is an array', /must be an object/, '[]'),
  answer('that is nested 100,000 deep', /not JSON/, '['.repeat(100000)),
  answer('that is not UTF-8', /not JSON/, Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])),
  answer('with the same key twice', /not JSON|twice|duplicate/, '{"config":{"polling":{"sleep":"00:00:01"}},"config":{}}'),
  answer('that says to ask every no seconds', /polling\.sleep/, JSON.stringify(polling('00:00:00'))),
  answer('that says to ask in a hundred hours', /polling\.sleep/, JSON.stringify(polling('99:59:59'))),
];

// The deployment names what cannot be: closed as failed with the reason, or not understood at all.
const deployment = (name, pattern, edit, rows = [19]) => [`a deployment ${name}`, rows, async (w) => {
  w.server.edit.deployment = (j) => { edit(j.deployment.chunks[0], j); };
  w.server.offer(w.app(2));
  await w.failure(pattern);
  await w.runs('app 1');
  w.never(MARK);
}];
const deployments = [
  deployment('without anything', /chunks/, (c, j) => { j.deployment.chunks = []; }),
  deployment('of the operating system', /only bApp/, (c) => { c.part = 'os'; }, [18, 19, 48]),
  deployment('with a path for a name', /name/, (c) => { c.name = '../../flash'; }),
  deployment('with a name of 300 bytes', /name/, (c) => { c.name = 'a'.repeat(300); }),
  deployment('of a module of 4 GiB', /size/, (c) => { c.artifacts[0].size = 2 ** 32; }, [12]),
  deployment('of a module of no bytes', /size/, (c) => { c.artifacts[0].size = 0; }, [12]),
  deployment('of a module of minus one byte', /size/, (c) => { c.artifacts[0].size = -1; }, [12]),
  deployment('of a module larger than the slot', /do not fit/, (c) => { c.artifacts[0].size = 200000; }, [12]),
  deployment('without a hash', /sha256/, (c) => { c.artifacts[0].hashes = {}; }, [15]),
  deployment('with a hash that is none', /sha256/, (c) => { c.artifacts[0].hashes.sha256 = 'Z'.repeat(64); }, [15]),
  deployment('with two modules in one', /second module/, (c) => { c.artifacts.push(c.artifacts[0]); }, [10, 19]),
  deployment('with two signatures', /second signature/, (c) => { c.artifacts.push(c.artifacts[1]); }, [4]),
  deployment('with one name twice', /already/, (c, j) => { j.deployment.chunks.push(c); }, [10, 19]),
  deployment('with a signature of another size', /64 bytes/, (c) => { c.artifacts[1].size = 65; }, [4]),
  deployment('with a program in it', /filename/, (c) => { c.artifacts.push({ ...c.artifacts[0], filename: 'x.exe' }); }, [18]),
  deployment('of a hundred modules', /chunks/, (c, j) => { j.deployment.chunks = Array(100).fill(c); }, [12, 29]),
  ['a deployment whose id is a path', [19], async (w) => {
    w.server.edit.deployment = (j) => { j.id = '../../x'; };
    w.server.offer(w.app(2));
    await w.says(/deployment: .*id: /);
    await w.runs('app 1');
    w.never(MARK);
  }],
];

module.exports = [...identity, ...leads, ...amounts, ...polls, ...deployments];

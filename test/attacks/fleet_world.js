// A case's world when the server is what is attacked: the real sandmote-fleet with two devices and
// an operator, requests of any kind to it, and what must not have changed.
//
// Device dev-1 is in the attacker's hands, dev-2 is another's: what that one gets must stay.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const https = require('https');
const path = require('path');
const tls = require('tls');
const net = require('net');
const { spawn } = require('child_process');
const { once } = require('events');
const o = require('./objects');
const { Failed, Skipped, sleep } = require('./world');

const OPERATOR = 'operator-token-of-the-attacks';
const TOKENS = { 'dev-1': 'device-token-of-the-first', 'dev-2': 'device-token-of-the-second' };
const MODULE_MAX = 262144;
const MEMORY_MAX_KB = 262144; // of the server; with sanitizers it takes more of its own
const START_S = 60;

const base = (device) => `/default/controller/v1/${device}`;

// The parts of a multipart body: [[name, bytes]].
function multipart(parts, boundary = 'x-boundary-x') {
  const pieces = parts.flatMap(([name, bytes]) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="f"\r\n\r\n`, bytes, '\r\n']);
  return Buffer.concat([...pieces, `--${boundary}--\r\n`].map((b) => Buffer.from(b)));
}
const FORM = { 'Content-Type': 'multipart/form-data; boundary=x-boundary-x' };

class FleetWorld {
  constructor(run, folder, options) {
    Object.assign(this, { run, folder, options, o });
    this.log = '';
    this.server = { events: [] }; // of a device there is none
    this.signer = o.newKey();
    this.stranger = o.newKey();
    this.stater = o.newKey();
    this.roots = [o.newKey(), o.newKey(), o.newKey()];
  }

  write(name, bytes) { fs.writeFileSync(path.join(this.folder, name), bytes); }

  async begin() {
    if (!process.env.SANDMOTE_FLEET) throw new Skipped('SANDMOTE_FLEET names no server');
    const tlsFile = (name) => path.join(this.run.tls.dir, name);
    this.write('signer.pem', this.signer.pem);
    this.write('stater.pem', this.stater.privatePem);
    this.write('fleet.json', JSON.stringify({
      port: 0, certificate: tlsFile('server.pem'), key: tlsFile('server.key'), data: 'data', poll_seconds: 60,
      max_module_bytes: MODULE_MAX, max_connections: 200, signers: [{ fleet: 'plant-7', key: 'signer.pem' }],
      statement_key: 'stater.pem',
      operators: [{ name: 'operator1', token_sha256: o.sha256(OPERATOR).toString('hex') }],
    }));
    await this.start();
    for (const [device, token] of Object.entries(TOKENS))
      await this.must('PUT', `/api/v1/devices/${device}`, { channel: device === 'dev-1' ? 'stable' : 'other', token });
    this.first = o.release(this.signer, { version: 1 });
    this.second = o.release(this.signer, { version: 2 });
    for (const r of [this.first, this.second]) await this.upload(r, 201);
    await this.must('PUT', '/api/v1/channels/stable', { modules: [this.first.sha256] });
    await this.must('PUT', '/api/v1/channels/other', { modules: [this.second.sha256] });
    this.before = await this.others();
  }

  async start() {
    const child = spawn(process.env.SANDMOTE_FLEET, ['serve', '--config', path.join(this.folder, 'fleet.json')],
      { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (b) => { this.log += b; });
    this.run.devices.add(child);
    this.ended = once(child, 'exit');
    this.ended.then(() => { child.gone = true; this.run.devices.delete(child); });
    this.child = child;
    for (const end = Date.now() + START_S * 1000; ; await sleep(20)) {
      const port = /listening on https:\/\/127\.0\.0\.1:(\d+)/.exec(this.log);
      if (port) { this.port = Number(port[1]); break; }
      if (child.gone || Date.now() > end) throw new Failed('the server does not start');
    }
  }

  // ---- Requests -----------------------------------------------------------------------------

  // {status, json, body, headers}; status 0 when there was no HTTP answer. how: token (of whom: a
  // device's name, 'operator', or a text in `authorization`), body, headers.
  ask(method, url, how = {}) {
    const headers = { ...how.headers };
    if (how.as === 'operator') headers.Authorization = `Bearer ${OPERATOR}`;
    else if (how.as) headers.Authorization = `TargetToken ${TOKENS[how.as]}`;
    const body = how.body === undefined || Buffer.isBuffer(how.body) || typeof how.body === 'string'
      ? how.body : JSON.stringify(how.body);
    if (body !== undefined && !headers['Content-Length']) headers['Content-Length'] = Buffer.byteLength(body);
    return new Promise((done) => {
      const req = https.request({ host: '127.0.0.1', port: this.port, method, path: url, headers, ca: this.run.tls.ca,
        agent: false, timeout: 60000, servername: '', checkServerIdentity: () => undefined, ...how.tls }, (res) => {
        const pieces = [];
        res.on('data', (b) => pieces.push(b));
        res.on('error', () => done({ status: 0, headers: {} }));
        res.on('end', () => {
          const bytes = Buffer.concat(pieces);
          let json;
          try { json = JSON.parse(bytes); } catch { /* not every answer is */ }
          done({ status: res.statusCode, json, body: bytes, headers: res.headers });
        });
      });
      req.on('timeout', () => req.destroy());
      req.on('error', () => done({ status: 0, headers: {} }));
      if (how.pieces) return how.pieces(req);
      req.end(body);
    });
  }

  async must(method, url, body) {
    const r = await this.ask(method, url, { as: 'operator', body });
    if (r.status >= 300 || r.status === 0) throw new Failed(`${method} ${url}: ${r.status} ${r.body}`);
    return r.json;
  }

  form(url, parts, how = {}) {
    return this.ask('POST', url, { as: 'operator', body: multipart(parts), headers: FORM, ...how });
  }

  async upload(r, status, how) {
    const answer = await this.form('/api/v1/modules', [['module', r.bytes], ['signature', r.sig]], how);
    this.expect(answer.status === status, `upload: ${answer.status} ${answer.body}, not ${status}`);
    return answer;
  }

  // Bytes on a TLS connection as they are; all that comes back until it is closed or quiet.
  async raw(bytes, quietMs = 1500, options = {}) {
    const socket = tls.connect({ host: '127.0.0.1', port: this.port, ca: this.run.tls.ca, servername: '', ...options });
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (b) => { text += b.toString('latin1'); });
    const closed = once(socket, 'close').catch(() => {});
    await Promise.race([once(socket, 'secureConnect').catch(() => {}), closed]);
    socket.write(Buffer.from(bytes, 'latin1'));
    for (let seen = -1; seen !== text.length && !socket.destroyed; ) {
      seen = text.length;
      await Promise.race([closed, sleep(quietMs)]);
    }
    socket.destroy();
    return text;
  }

  async plain(bytes) {
    const socket = net.connect(this.port, '127.0.0.1');
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (b) => { text += b.toString('latin1'); });
    await once(socket, 'connect');
    socket.write(bytes);
    await Promise.race([once(socket, 'close').catch(() => {}), sleep(1500)]);
    socket.destroy();
    return text;
  }

  // The head of a request as text, as this device.
  head(method, url, device, ...lines) {
    return [`${method} ${url} HTTP/1.1`, `Host: 127.0.0.1:${this.port}`,
      ...(device ? [`Authorization: TargetToken ${TOKENS[device]}`] : []), ...lines, '', ''].join('\r\n');
  }

  // The open action of a device, a number.
  async action(device) {
    const r = await this.ask('GET', base(device), { as: device });
    return Number(/(\d+)$/.exec(r.json._links.deploymentBase.href)[1]);
  }

  feedback(device, action, finished = 'success', execution = 'closed', id = String(action)) {
    return this.ask('POST', `${base(device)}/deploymentBase/${action}/feedback`,
      { as: device, body: { id, status: { execution, result: { finished }, details: ['x'] } } });
  }

  // ---- What must be -------------------------------------------------------------------------

  expect(holds, what) { if (!holds) throw new Failed(what); }

  // What dev-2 gets and what the operator knows beside dev-1.
  async others() {
    const poll = await this.ask('GET', base('dev-2'), { as: 'dev-2' });
    const link = poll.json && poll.json._links && poll.json._links.deploymentBase;
    this.expect(link, `dev-2 is offered nothing: ${poll.status} ${poll.body}`);
    const deployment = await this.ask('GET', new URL(link.href).pathname, { as: 'dev-2' });
    const file = deployment.json.deployment.chunks[0].artifacts[0]._links.download.href;
    const module = await this.ask('GET', new URL(file).pathname, { as: 'dev-2' });
    this.expect(o.sha256(module.body).toString('hex') === this.second.sha256, 'dev-2 gets another module');
    const known = {};
    for (const what of ['modules', 'channels', 'keys', 'natives', 'events?device=dev-2', 'postmortems?device=dev-2'])
      known[what] = (await this.must('GET', `/api/v1/${what}`));
    const device = await this.must('GET', '/api/v1/devices/dev-2');
    for (const volatile of ['last_seen_at']) delete device[volatile];
    for (const a of device.actions || []) { delete a.state; delete a.changed_at; }
    if (device.action) { delete device.action.state; delete device.action.changed_at; }
    return JSON.stringify({ poll: poll.json, deployment: deployment.json, known, device });
  }

  async unchanged() {
    const now = await this.others();
    if (now !== this.before) {
      let i = 0;
      while (now[i] === this.before[i]) i++;
      throw new Failed(`something changed: ${this.before.slice(i - 80, i + 80)} -> ${now.slice(i - 80, i + 80)}`);
    }
    this.expect(!this.child.gone, 'the server ended');
    const status = fs.readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    const kb = Number(/VmHWM:\s+(\d+)/.exec(status)[1]);
    this.expect(process.env.SANDMOTE_SANITIZED || kb < MEMORY_MAX_KB, `the server took ${kb} KB`);
  }

  async end() {
    if (!this.child || this.child.gone) return;
    this.child.kill('SIGTERM');
    const [code] = await this.ended;
    this.expect(code === 0, `the server ended with ${code}`);
  }
}

module.exports = { FleetWorld, multipart, FORM, base, OPERATOR, TOKENS, MODULE_MAX };

// One case's world: a server in the attacker's hands, the device under test, the keys, and what is
// expected of the device. doc/attacks.md says how the device is run.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const path = require('path');
const { spawn, spawnSync } = require('child_process');
const { once } = require('events');
const o = require('./objects');
const { Server } = require('./server');

const PATIENCE_S = 60; // for what happens within a second or two when nothing else runs
const DAY = 86400;

class Failed extends Error {}
class Skipped extends Error {}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

class World {
  // run: {wrapper, dir, tls}; options of the case: see configuration() and keys below.
  constructor(run, folder, options) {
    Object.assign(this, { run, folder, options, o });
    this.log = '';
    this.server = new Server(run.tls.server);
    this.signer = o.newKey();
    this.stranger = o.newKey();
    this.builder = o.newKey();
    this.vendor = o.newKey();
    this.rival = o.newKey(); // another vendor
    this.stater = o.newKey(); // role server: states what is current
    this.roots = [o.newKey(), o.newKey(), o.newKey()];
  }

  // ---- The device ---------------------------------------------------------------------------

  configuration() {
    const plugins = this.options.plugins && {
      buses: [{ name: 'i2c-1', type: 'simulated', chips: ['TMP105@0x48', 'TMP105@0x49'] }],
      sensors: [{ id: 'door', values: { open: 0 } }],
    };
    const trust = this.options.keySet ? { key_set: '1.keys' }
      : { signers: ['signer.pem'], ...(this.options.native ? { builders: ['builder.pem'] } : {}) };
    return {
      device: 'dev-1', fleet: 'plant-7', class: 'edge', memory_bytes: 1048576, ...trust,
      capabilities: ['log', ...(plugins ? ['sensor/*', 'plugin/i2c-1/72', 'plugin/i2c-1/73'] : [])],
      ...(this.options.native ? { native: 'builder' } : {}), ...plugins,
      flash: { file: 'flash', slot_bytes: 131072, applications: this.options.applications ?? 1,
        ...(plugins ? { plugins: 2, plugin_slot_bytes: 32768 } : {}) },
      server: { url: this.server.url, ca: 'ca.pem', token_file: 'token', first_poll_seconds: 0,
        retry_seconds: 1, retry_max_seconds: 1, attempts: 2, request_seconds: 20,
        ...this.options.server },
    };
  }

  write(name, bytes) { fs.writeFileSync(path.join(this.folder, name), bytes); }

  async begin() {
    await this.server.listen();
    this.write('signer.pem', this.signer.pem);
    this.write('builder.pem', this.builder.pem);
    this.write('token', 'a-token-of-the-attack-suite\n');
    this.write('ca.pem', this.run.tls.ca);
    if (this.options.keySet) this.write('1.keys', (this.set1 = this.set(1)));
    if (this.options.states) this.server.statement = this.options.brief
      ? (nonce) => this.state({ expires: Math.floor(Date.now() / 1000) + this.options.brief })(nonce)
      : this.state();
    this.commission();
    if (this.options.fresh) return;
    await this.install(this.app(1));
  }

  commission(more = {}) {
    const c = this.configuration();
    Object.assign(c.server, more.server);
    this.write('device.json', JSON.stringify({ ...c, ...more, server: c.server }));
    const r = spawnSync(this.run.wrapper, ['commission', this.folder], { encoding: 'utf8' });
    if (r.status !== 0) throw new Failed(`commission: ${r.stderr}`);
  }

  start() {
    const child = spawn(this.run.wrapper, ['run', this.folder], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (b) => { this.log += b; });
    this.ended = once(child, 'exit');
    this.run.devices.add(child);
    this.ended.then(() => { child.gone = true; this.run.devices.delete(child); });
    this.child = child;
  }

  async stop(signal = 'SIGTERM') {
    if (!this.child || this.child.gone) return;
    this.child.kill(signal);
    await this.ended;
  }

  async restart(signal) {
    await this.stop(signal);
    this.log = '';
    this.start();
  }

  async end() {
    await this.stop('SIGKILL');
    await this.server.close();
  }

  // Where in the device's flash these bytes lie; the case is skipped where the flash is no file.
  flashAt(bytes) {
    const file = path.join(this.folder, 'flash');
    if (!fs.existsSync(file)) throw new Skipped('the flash is not a file');
    const flash = fs.readFileSync(file);
    const at = flash.indexOf(bytes);
    if (at < 0) throw new Failed('the bytes are not on the flash');
    return at;
  }

  readFlash(at, length) {
    return fs.readFileSync(path.join(this.folder, 'flash')).subarray(at, at + length);
  }

  writeFlash(at, bytes) {
    const fd = fs.openSync(path.join(this.folder, 'flash'), 'r+');
    fs.writeSync(fd, bytes, 0, bytes.length, at);
    fs.closeSync(fd);
  }

  // ---- What is made -------------------------------------------------------------------------

  app(version, more = {}) { return o.release(more.key === undefined ? this.signer : more.key, { version, ...more }); }

  // A vendor's plugin for the sensor T1, and the release that removes it.
  plugin(version, more = {}) { return o.plugin(more.key || this.vendor, { version, ...more }); }

  removal(version, more = {}) { return o.removal(more.key || this.signer, { version, ...more }); }

  // Set n: two of three roots must sign; the signer is believed, and whom the case wants besides.
  set(version, more = {}, by = this.roots.slice(0, 2)) {
    const keys = [{ role: 'signer', key: this.signer }];
    if (this.options.native) keys.push({ role: 'builder', key: this.builder });
    if (this.options.states) keys.push({ role: 'server', key: this.stater });
    if (this.options.plugins) keys.push(
      { role: 'vendor', key: this.vendor, scope: this.options.scope || ['TMP105', 'i2c-1', [0x48], ['log']] },
      { role: 'vendor', key: this.rival, scope: ['TMP105', 'i2c-1', [0x49], ['log']] });
    return o.keySet({ version, threshold: 2, roots: this.roots, keys, ...more }, by);
  }

  // What the server says is current, by the nonce that it is asked with.
  state(more = {}, key = this.stater) {
    const now = Math.floor(Date.now() / 1000);
    return (nonce) => o.statement(key, { issued: now, expires: now + DAY,
      keys: this.options.keySet ? 1 : 0, modules: [['app', 1]], nonce, ...more });
  }

  // ---- What must be -------------------------------------------------------------------------

  async until(what, holds, seconds = PATIENCE_S) {
    for (const end = Date.now() + seconds * 1000; ;) {
      const found = holds();
      if (found) return found;
      if (this.child && this.child.gone && !this.mayEnd) throw new Failed(`the device ended before ${what}`);
      if (Date.now() > end) throw new Failed(`not ${what}`);
      await sleep(20);
    }
  }

  says(pattern) { return this.until(`logged: ${pattern}`, () => pattern.exec(this.log)); }

  count(text) { return this.log.split(text).length - 1; }

  // This release runs now: its mark comes (again) from now on.
  async runs(mark) {
    const before = this.count(`] ${mark}`);
    await this.until(`running: ${mark}`, () => this.count(`] ${mark}`) > before);
  }

  never(mark) { if (this.count(`] ${mark}`)) throw new Failed(`${mark} ran`); }

  expect(holds, what) { if (!holds) throw new Failed(what); }

  // The server was told of this event.
  event(name, pattern = /./, module = 'app') {
    return this.until(`reported: ${name} ${pattern}`, () => this.server.events.find((e) =>
      e.event === name && e.module === module && pattern.test(`${e.version} ${e.detail}`)));
  }

  failure(pattern) {
    return this.until(`closed as failed: ${pattern}`, () => this.server.feedback.find((f) =>
      f.status.result.finished === 'failure' && pattern.test(f.status.details.join())));
  }

  async polls(n) {
    const before = this.server.asked('poll');
    await this.until(`${n} polls`, () => this.server.asked('poll') >= before + n);
  }

  async install(release) {
    this.server.offer(release);
    if (!this.child || this.child.gone) this.start();
    await this.event('COMMITTED', new RegExp(`^${release.version} `), release.name);
    await this.until('told as installed', () => !this.server.base()._links.deploymentBase);
    await this.runs(release.mark);
  }

  // This version of the plugin drives the sensor.
  drives(version, name = 't1-driver') {
    return this.until(`driving: ${name} ${version}`, () =>
      (this.server.attributes[`module.${name}`] || '').startsWith(`${version}.0 `));
  }

  gone(name = 't1-driver') {
    return this.until(`gone: ${name}`, () => !this.server.attributes[`module.${name}`]);
  }

  async installPlugin(release) {
    const number = release.version.split('.')[0];
    this.server.offer(release);
    await this.event('COMMITTED', new RegExp(`^${release.version} `), release.name);
    await this.until('told as installed', () => !this.server.base()._links.deploymentBase);
    await this.drives(number, release.name);
  }

  // Offered, told as this event, and not run: what ran before goes on.
  async refuses(release, event, pattern, still = 'app 1') {
    this.server.offer(release);
    await this.event(event, pattern, release.name);
    await this.failure(/./);
    await this.runs(still);
    this.never(release.mark);
  }
}

module.exports = { World, Failed, Skipped, sleep, DAY };

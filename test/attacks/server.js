// The server of one device, in the attacker's hands: it answers rightly until a case says otherwise.
//
// on[WHAT](req, res, server) takes the place of an answer; edit[WHAT](json) changes the JSON of
// one. WHAT: poll, deployment, module, signature, native, claim, keys, current, config, events,
// feedback.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const https = require('https');
const { once } = require('events');

const BASE = '/default/controller/v1/dev-1';

// What a path asks for, and which: [what, detail].
function route(path) {
  const [, what, detail] = /^\/(module|signature|native|claim)\/(\d+)$/.exec(path) || [];
  if (what) return [what, detail];
  if (path === BASE) return ['poll'];
  const rest = path.startsWith(`${BASE}/`) ? path.slice(BASE.length + 1) : '';
  for (const [pattern, name] of [[/^deploymentBase\/[^/]+\/feedback$/, 'feedback'],
    [/^deploymentBase\/([^/]+)$/, 'deployment'], [/^configData$/, 'config'],
    [/^events$/, 'events'], [/^keys\/plant-7\/(\d+)$/, 'keys'], [/^current\/plant-7\/([0-9a-f]{32})$/, 'current']]) {
    const m = pattern.exec(rest);
    if (m) return [name, m[1]];
  }
  return ['elsewhere'];
}

class Server {
  constructor(tls) {
    this.tls = tls;
    this.on = {};
    this.edit = {};
    this.keySets = new Map(); // version -> bytes
    this.statement = null;    // from the nonce that the device asked with
    this.deployment = null;   // {id, chunks: [{release, native: {image, claim}}]}
    this.seen = [];           // [what, detail, headers], in the order they came
    this.events = [];
    this.feedback = [];
    this.attributes = {};
  }

  async listen(port = 0, tls = this.tls) {
    this.http = https.createServer({ minVersion: 'TLSv1.3', ...tls }, (req, res) => this.take(req, res));
    this.http.on('tlsClientError', () => {});
    this.http.on('clientError', () => {});
    this.http.listen(port, '127.0.0.1');
    await once(this.http, 'listening');
    this.port = this.http.address().port;
    this.url = `https://127.0.0.1:${this.port}`;
  }

  async close() {
    this.http.closeAllConnections();
    this.http.close();
    await once(this.http, 'close');
  }

  // The same address, and another identity.
  async become(tls) {
    await this.close();
    await this.listen(this.port, tls);
  }

  // From the next poll on: these releases ({release, native} or releases), as one deployment.
  offer(...releases) {
    const id = String((this.lastId = (this.lastId || 0) + 1));
    this.deployment = { id, chunks: releases.map((r) => r.release ? r : { release: r }) };
    return id;
  }

  // The same, to be put in force together.
  offerSet(...releases) {
    const id = this.offer(...releases);
    this.deployment.set = true;
    return id;
  }

  asked(what) { return this.seen.filter(([w]) => w === what).length; }

  take(req, res) {
    const body = [];
    req.on('error', () => {});
    res.on('error', () => {});
    req.on('data', (b) => body.push(b));
    req.on('end', () => {
      const [what, detail] = route(new URL(req.url, this.url).pathname);
      this.seen.push([what, detail, req.headers]);
      const text = Buffer.concat(body).toString();
      if (what === 'events') this.events.push(...JSON.parse(text));
      if (what === 'config') this.attributes = JSON.parse(text).data;
      if (what === 'feedback') this.feedback.push(JSON.parse(text));
      if (this.on[what]) return this.on[what](req, res, this, detail);
      this.answer(what, detail, req, res);
    });
  }

  answer(what, detail, req, res) {
    const chunk = this.deployment && this.deployment.chunks[Number(detail)];
    switch (what) {
      case 'poll': return this.sendJson(res, what, this.base());
      case 'deployment': return this.sendJson(res, what, this.deploymentJson());
      case 'module': return this.sendFile(req, res, chunk.release.bytes, chunk.release.sha256);
      case 'signature': return res.end(chunk.release.sig);
      case 'native': return this.sendFile(req, res, chunk.native.image, 'native');
      case 'claim': return res.end(chunk.native.claim);
      case 'keys': return this.sendOrNot(res, this.keySets.get(Number(detail)));
      case 'current':
        return this.sendOrNot(res, this.statement && this.statement(Buffer.from(detail, 'hex')));
      default: return res.end('{}');
    }
  }

  sendJson(res, what, json) {
    if (this.edit[what]) json = this.edit[what](json) || json;
    res.end(typeof json === 'string' || Buffer.isBuffer(json) ? json : JSON.stringify(json));
  }

  sendOrNot(res, bytes) {
    if (!bytes) res.statusCode = 404;
    res.end(bytes || '');
  }

  // A file, from the byte on that was asked for.
  sendFile(req, res, bytes, etag) {
    const first = Number((/^bytes=(\d+)-$/.exec(req.headers.range || '') || [0, 0])[1]);
    res.setHeader('ETag', `"${etag}"`);
    if (first) {
      res.statusCode = 206;
      res.setHeader('Content-Range', `bytes ${first}-${bytes.length - 1}/${bytes.length}`);
    }
    res.setHeader('Content-Length', bytes.length - first);
    res.end(bytes.subarray(first));
  }

  base() {
    const link = (path) => ({ href: `${this.url}${BASE}/${path}` });
    const links = { configData: link('configData'), events: link('events') };
    const closed = this.deployment && this.feedback.some((f) => f.id === this.deployment.id);
    if (this.deployment && !closed) links.deploymentBase = link(`deploymentBase/${this.deployment.id}`);
    if (this.keySets.size)
      links.keys = { ...link('keys'), versions: { 'plant-7': Math.max(...this.keySets.keys()) } };
    if (this.statement) links.current = link('current');
    return { config: { polling: { sleep: '00:00:01' } }, _links: links };
  }

  deploymentJson() {
    const download = (what, i) => ({ download: { href: `${this.url}/${what}/${i}` } });
    const chunks = this.deployment.chunks.map(({ release: r, native: n }, i) => {
      const artifacts = [{ filename: `${r.name}.wasm`, size: r.size, hashes: { sha256: r.sha256 },
        _links: download('module', i) }];
      if (r.sig) artifacts.push({ filename: `${r.name}.wasm.sig`, size: 64, hashes: {},
        _links: download('signature', i) });
      if (n) artifacts.push(
        { filename: `${r.name}.1.native`, size: n.size ?? n.image.length, hashes: {}, _links: download('native', i) },
        { filename: `${r.name}.1.native.sig`, size: n.claim.length, hashes: {}, _links: download('claim', i) });
      return { part: r.part || 'bApp', name: r.name, version: r.version, artifacts };
    });
    const set = this.deployment.set ? { set: true } : {};
    return { id: this.deployment.id, deployment: { download: 'forced', update: 'forced', ...set, chunks } };
  }
}

module.exports = { Server, BASE };

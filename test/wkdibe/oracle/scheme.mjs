// The scheme again, written from doc/wkdibe.md and doc/SPEC-wkdibe.md over any implementation of the
// curve (curves.mjs). Every random number is an argument.
//
// SPDX-License-Identifier: Apache-2.0
import { createHash, hkdfSync } from 'node:crypto';
import { bytes, expand, G2, hex, noble, nobleSha256, ORDER, scalarBytes } from './curves.mjs';

const sha256 = (...parts) => {
  const h = createHash('sha256');
  for (const p of parts) h.update(p);
  return h.digest();
};
const number = (b) => BigInt(`0x${hex(b)}`);
export const toScalar = (text, dst) =>
  number(expand(text, Buffer.from(dst), 48, nobleSha256)) % ORDER;
const hkdf = (secret, info) => hex(new Uint8Array(hkdfSync('sha256', secret, '', info, 32)));
const negative = (k) => (ORDER - (k % ORDER)) % ORDER;

// ---- Patterns: an array; null, '*' or a scalar a slot ------------------------------------------

export const value = (slot, type, text) => {
  const head = Buffer.from([slot, type, text.length >> 8, text.length & 255]);
  return toScalar(Buffer.concat([head, sha256(text)]), 'SANDMOTE-IBE-V1-VALUE');
};
const isValue = (v) => v !== null && v !== '*';
export const encodePattern = (p) => {
  const kinds = Buffer.alloc(Math.ceil(p.length / 4));
  p.forEach((v, i) => {
    kinds[i >> 2] |= (v === null ? 0 : v === '*' ? 2 : 1) << (2 * (i & 3));
  });
  return Buffer.concat([Buffer.from([p.length]), kinds, ...p.filter(isValue).map(scalarBytes)]);
};
export const matches = (p, q) =>
  p.every((v, i) => v === '*' || q[i] === '*' || v === q[i]);

// ---- Parameters ----------------------------------------------------------------------------------

export class Scheme {
  constructor(curve, params) {
    const raw = bytes(params);
    const point = (label) => noble.G1.hashToCurve(Buffer.concat([Buffer.from([label]), raw.subarray(2, 34)]),
      { DST: 'SANDMOTE-IBE-V1-POINT-with-BLS12381G1_XMD:SHA-256_SSWU_RO_' }).toHex(true);
    this.curve = curve;
    this.params = params;
    this.id = sha256(raw);
    this.slots = raw[1];
    this.g1 = hex(raw.subarray(34));
    this.g2 = point(128);
    this.g3 = point(129);
    this.hs = point(130);
    this.h = Array.from({ length: this.slots }, (_, i) => point(i));
  }

  static setup(curve, slots, seed, alpha) {
    const head = Buffer.concat([Buffer.from([1, slots]), seed]);
    const s = new Scheme(curve, hex(head) + curve.sum2([[G2, alpha]]));
    s.msk = curve.sum1([[s.g2, alpha]]);
    s.master = `02${hex(s.id)}${s.msk}`;
    return s;
  }

  // The same parameters by another implementation of the curve.
  over(curve) {
    return Object.assign(Object.create(Scheme.prototype), this, { curve });
  }

  x(p) {
    return [[this.g3, 1n], ...p.flatMap((v, i) => (isValue(v) ? [[this.h[i], v]] : []))];
  }

  // ---- Keys --------------------------------------------------------------------------------------

  key(a0, a1, b, bs, p, r) {
    const { curve } = this;
    const times = (terms) => terms.map(([q, k]) => [q, (k * r) % ORDER]);
    return {
      p, signs: bs !== null,
      a0: curve.sum1([[a0, 1n], ...times(this.x(p))]),
      a1: curve.sum2([...(a1 ? [[a1, 1n]] : []), [G2, r]]),
      b: p.map((v, i) => (v === '*' ? curve.sum1([...(b ? [[b[i], 1n]] : []), [this.h[i], r]]) : null)),
      bs: bs === null ? null : curve.sum1([...(bs ? [[bs, 1n]] : []), [this.hs, r]]),
    };
  }

  keygen(p, signs, r) {
    return this.key(this.msk, '', null, signs ? '' : null, p, r);
  }

  // a0 for a pattern that the key matches.
  special(k, q) {
    return this.curve.sum1([[k.a0, 1n],
      ...k.p.flatMap((v, i) => (v === '*' && isValue(q[i]) ? [[k.b[i], q[i]]] : []))]);
  }

  delegate(k, p, signs, r) {
    return this.key(this.special(k, p), k.a1, k.b, signs ? k.bs : null, p, r);
  }

  encodeKey(k) {
    return [`030${k.signs ? 1 : 0}`, hex(this.id), hex(encodePattern(k.p)), k.a1, k.a0,
      ...k.b.filter((b) => b), k.signs ? k.bs : ''].join('');
  }

  decodeKey(text, p) {
    let at = 2 * (34 + encodePattern(p).length);
    const take = (n) => text.slice(at, (at += 2 * n));
    const k = { p, signs: text[3] === '1', a1: take(96), a0: take(48) };
    k.b = p.map((v) => (v === '*' ? take(48) : null));
    k.bs = k.signs ? take(48) : null;
    return k;
  }

  // ---- Encapsulation -----------------------------------------------------------------------------

  // W = Z^t is e(t g2, g1): no power in GT, so that ours is held against something else.
  withT(q, t) {
    const { curve } = this;
    const times = (terms) => terms.map(([p, k]) => [p, (k * t) % ORDER]);
    const d = q.flatMap((v, i) => (v === '*' ? [curve.sum1([[this.h[i], t]])] : []));
    const ct = [curve.sum2([[G2, t]]), curve.sum1(times(this.x(q))), ...d].join('');
    return { ct, w: curve.pairings([[curve.sum1([[this.g2, t]]), this.g1]]) };
  }

  recover(k, q, ct) {
    const terms = [[ct.slice(192, 288), ORDER - 1n]];
    let at = 288;
    q.forEach((v, i) => {
      if (v !== '*') return;
      if (isValue(k.p[i])) terms.push([ct.slice(at, at + 96), negative(k.p[i])]);
      at += 96;
    });
    return this.curve.pairings([
      [this.special(k, q), ct.slice(0, 192)], [this.curve.sum1(terms), k.a1]]);
  }

  info(label, q, ct) {
    return Buffer.concat([Buffer.from(label), this.id, sha256(encodePattern(q), bytes(ct))]);
  }

  encaps(q, t) {
    const { ct, w } = this.withT(q, t);
    return { ct, secret: hkdf(bytes(w), this.info('WWKEM-v1', q, ct)) };
  }

  decaps(k, q, ct) {
    return hkdf(bytes(this.recover(k, q, ct)), this.info('WWKEM-v1', q, ct));
  }

  seedScalar(seed, q) {
    const text = Buffer.concat([seed, Buffer.alloc(32), this.id, sha256(encodePattern(q))]);
    return toScalar(text, 'SANDMOTE-IBE-V1-CCA');
  }

  mask(seed, q, ct, w) {
    const mask = bytes(hkdf(bytes(w), this.info('WWSEED-1', q, ct)));
    return Buffer.from(seed.map((b, i) => b ^ mask[i]));
  }

  encapsCca(q, seed) {
    const { ct, w } = this.withT(q, this.seedScalar(seed, q));
    const all = ct + hex(this.mask(seed, q, ct, w));
    return { ct: all, secret: hkdf(seed, this.info('WWCCA-v1', q, all)) };
  }

  // The secret, or null for what encapsCca does not make.
  decapsCca(k, q, all) {
    const ct = all.slice(0, -64);
    const seed = this.mask(bytes(all.slice(-64)), q, ct, this.recover(k, q, ct));
    const again = this.encapsCca(q, seed);
    return again.ct === all ? again.secret : null;
  }

  // ---- Signatures --------------------------------------------------------------------------------

  message(q, msg) {
    return toScalar(Buffer.concat([this.id, sha256(encodePattern(q)), sha256(msg)]),
      'SANDMOTE-IBE-V1-MESSAGE');
  }

  sign(k, q, msg, r) {
    const m = this.message(q, msg);
    const times = (terms) => terms.map(([p, n]) => [p, (n * r) % ORDER]);
    return this.curve.sum1([[this.special(k, q), 1n], [k.bs, m], ...times(this.x(q)),
      [this.hs, (m * r) % ORDER]]) + this.curve.sum2([[k.a1, 1n], [G2, r]]);
  }

  verify(q, msg, sig) {
    const y = this.curve.sum1([...this.x(q), [this.hs, this.message(q, msg)]].map(([p, k]) => [p, negative(k)]));
    this.z ??= this.curve.pairings([[this.g2, this.g1]]);
    return this.curve.pairings([[sig.slice(0, 96), G2], [y, sig.slice(96)]]) === this.z;
  }
}

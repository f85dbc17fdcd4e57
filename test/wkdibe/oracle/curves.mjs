// BLS12-381 by two implementations of others, with one interface for scheme.mjs. Points are hex of
// their compressed form, scalars BigInt.
//
//   sum1([[point, scalar], ..])       of G1
//   sum2([[point, scalar], ..])       of G2
//   pairings([[g1, g2], ..])          their product: 576 bytes in hex, highest coefficient first
//
// SPDX-License-Identifier: Apache-2.0
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const at = createRequire(join(process.argv[2], 'x.js'));
const load = (name) => {
  try {
    return import(pathToFileURL(at.resolve(name)));
  } catch {
    console.log(`skipped: no ${name} in ${process.argv[2]} (./dev install brings it)`);
    process.exit(77);
  }
};
export const { bls12_381: noble } = await load('@noble/curves/bls12-381');
export const { expand_message_xmd: expand } = await load('@noble/curves/abstract/hash-to-curve');
export const { sha256: nobleSha256 } = await load('@noble/hashes/sha2');
const mcl = (await load('mcl-wasm')).default;

export const ORDER = noble.fields.Fr.ORDER;
export const hex = (bytes) => Buffer.from(bytes).toString('hex');
export const bytes = (text) => Buffer.from(text, 'hex');
export const scalarBytes = (k) => Buffer.from(k.toString(16).padStart(64, '0'), 'hex');
export const G1 = noble.G1.ProjectivePoint.BASE.toHex(true);
export const G2 = noble.G2.ProjectivePoint.BASE.toHex(true);

// 576 bytes as 12 coefficients in the order given by their places.
const coefficients = (raw, places) =>
  places.map((i) => hex(raw.slice(48 * i, 48 * i + 48))).join('');

const nobleSum = (Group) => (terms) => {
  let sum = Group.ZERO;
  for (const [point, k] of terms) if (k % ORDER) sum = sum.add(Group.fromHex(point).multiply(k % ORDER));
  return sum.toHex(true);
};

export const withNoble = {
  name: '@noble/curves',
  sum1: nobleSum(noble.G1.ProjectivePoint),
  sum2: nobleSum(noble.G2.ProjectivePoint),
  pairings(pairs) {
    const { Fp12 } = noble.fields;
    let product = Fp12.ONE;
    for (const [p, q] of pairs) {
      const e = noble.pairing(
        noble.G1.ProjectivePoint.fromHex(p), noble.G2.ProjectivePoint.fromHex(q));
      product = Fp12.mul(product, e);
    }
    return coefficients(Fp12.toBytes(product), [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  },
};

await mcl.init(mcl.BLS12_381);
mcl.setETHserialization(true);

const point = (Kind, text) => {
  const p = new Kind();
  p.deserialize(bytes(text));
  return p;
};
const mclSum = (Kind) => (terms) => {
  let sum = new Kind();
  for (const [text, k] of terms) {
    const fr = new mcl.Fr();
    fr.setStr((k % ORDER).toString());
    sum = mcl.add(sum, mcl.mul(point(Kind, text), fr));
  }
  return hex(sum.serialize());
};

export const withMcl = {
  name: 'mcl-wasm',
  sum1: mclSum(mcl.G1),
  sum2: mclSum(mcl.G2),
  pairings(pairs) {
    let product = null;
    for (const [p, q] of pairs) {
      const e = mcl.millerLoop(point(mcl.G1, p), point(mcl.G2, q));
      product = product ? mcl.mul(product, e) : e;
    }
    // Pairs of coefficients come with the imaginary part first.
    return coefficients(mcl.finalExp(product).serialize(), [10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1]);
  },
};

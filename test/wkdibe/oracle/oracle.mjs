// Our curve and scheme against two other implementations: oracle.mjs NPM EXCHANGE [RUNS [SEED]]
//
// Points and pairings of random scalars must be the same bytes. Of the scheme, one half is ours
// (exchange.c) and one is theirs (scheme.mjs over mcl-wasm, now and then over @noble/curves): keys that
// one makes open what the other encrypts, and signatures of one verify with the other. RUNS pairings,
// and as many ciphertexts and signatures.
//
// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import assert from 'node:assert/strict';
import { G1, G2, hex, ORDER, scalarBytes, withMcl, withNoble } from './curves.mjs';
import { encodePattern, matches, Scheme, value } from './scheme.mjs';

const [, , , exchange, runsText = '1000', seedText = '1'] = process.argv;
const RUNS = Number(runsText);
const SLOTS = 6;

// ---- Ours: a line there, a line back -------------------------------------------------------------

const ours = spawn(exchange, [], { stdio: ['pipe', 'pipe', 'inherit'] });
const waiting = [];
createInterface({ input: ours.stdout }).on('line', (line) => waiting.shift()(line));
ours.on('exit', (code) => {
  if (waiting.length) throw new Error(`exchange ended with ${code}`);
});
const ask = async (name, ...words) => {
  const line = [name, ...words].join(' ');
  const answer = await new Promise((resolve) => {
    waiting.push(resolve);
    ours.stdin.write(`${line}\n`);
  });
  const [ok, ...rest] = answer.split(' ');
  if (ok !== 'ok') throw new Error(`${answer} to: ${line}`);
  return rest;
};

// ---- Luck by a seed ------------------------------------------------------------------------------

let drawn = 0;
const draw = () => createHash('sha256').update(`${seedText}/${drawn++}`).digest();
const dice = (n) => draw().readUInt32BE(0) % n;
const scalar = () => {
  const edge = dice(40); // now and then one at the ends
  if (edge === 0) return 1n;
  if (edge === 1) return ORDER - 1n;
  if (edge === 2) return BigInt(2 + dice(1000));
  return BigInt(`0x${hex(draw())}${hex(draw())}`) % ORDER || 1n;
};

// ---- The curve -----------------------------------------------------------------------------------

// Ours works while theirs does: answers are waited for some pairs later.
async function comparePairings(n) {
  const asked = [];
  for (let i = 0; i < n + 8; i++) {
    if (i < n) {
      const a = scalar(), b = scalar();
      asked.push([a, b, ask('pair', hex(scalarBytes(a)), hex(scalarBytes(b)))]);
    }
    if (i < 8) continue;
    const curve = i % 100 === 8 ? withNoble : withMcl;
    const [a, b, answer] = asked[i - 8];
    const p = curve.sum1([[G1, a]]), q = curve.sum2([[G2, b]]), e = curve.pairings([[p, q]]);
    assert.deepEqual(await answer, [p, q, e], `${a} in G1 and ${b} in G2, ${curve.name}`);
  }
  console.log(`${n} pairings and ${2 * n} points: the same bytes`);
}

// ---- The scheme ----------------------------------------------------------------------------------

const letters = ['a', 'b'].map((c) => Buffer.from(c));
const values = Array.from({ length: SLOTS }, (_, i) => letters.map((c) => value(i, 1, c)));

async function compareValues() {
  for (let i = 0; i < 50; i++) {
    const slot = dice(16), type = dice(256), text = draw().subarray(0, dice(33));
    const [p] = await ask('value', hex([slot]), hex([type]), hex(text));
    assert.equal(p.slice(-64), hex(scalarBytes(value(slot, type, text))));
  }
}

const randomPattern = (wild) =>
  values.map((v) => [null, v[0], v[1], ...Array(wild).fill('*')][dice(3 + wild)]);
// One that a key for p may become; or, for what a key is to open, any that it matches.
const refine = (p) => p.map((v, i) => (v === '*' ? [null, ...values[i], '*'][dice(4)] : v));
const opened = (p) => refine(p).map((v) => (dice(4) === 0 ? '*' : v));
const fixed = (p) => p.map((v, i) => (v === '*' ? [null, ...values[i]][dice(3)] : v));
const pat = (p) => hex(encodePattern(p));

// A key for a pattern, and perhaps a delegated one: ours or theirs at each step. [text, key]
async function makeKey(s, signs) {
  let p = randomPattern(2);
  let text, key;
  if (dice(2)) [text] = await ask('keygen', pat(p), signs ? '01' : '00');
  else text = s.encodeKey(s.keygen(p, signs, scalar()));
  if (dice(2)) {
    key = s.decodeKey(text, p);
    p = refine(p);
    if (dice(2)) [text] = await ask('delegate', text, pat(p), signs ? '01' : '00');
    else text = s.encodeKey(s.delegate(key, p, signs, scalar()));
  }
  return [text, s.decodeKey(text, p)];
}

const EACH = 4; // of both sides' ciphertexts or signatures for one key

async function runEncaps(s) {
  const [text, key] = await makeKey(s, false);
  const patterns = Array.from({ length: EACH }, () => opened(key.p));
  const cca = dice(3) === 0, flag = cca ? '01' : '00';
  const made = patterns.map((q) => ask('encaps', pat(q), flag));
  const open = patterns.map((q) => {
    const they = cca ? s.encapsCca(q, draw()) : s.encaps(q, scalar());
    return [they.secret, ask('decaps', text, pat(q), they.ct, flag)];
  });
  for (const [i, q] of patterns.entries()) {
    const [secret, ct] = await made[i];
    assert.equal(cca ? s.decapsCca(key, q, ct) : s.decaps(key, q, ct), secret);
  }
  for (const [secret, answer] of open) assert.deepEqual(await answer, [secret]);
  const other = randomPattern(1);
  if (matches(key.p, other)) return;
  assert.deepEqual(await ask('decaps', text, pat(other), s.encaps(other, scalar()).ct, '00'), ['no']);
}

async function runSign(s) {
  const [text, key] = await makeKey(s, true);
  const q = fixed(key.p);
  const messages = Array.from({ length: EACH }, () => draw().subarray(0, 1 + dice(32)));
  const made = messages.map((msg) => ask('sign', text, pat(q), hex(msg)));
  const judged = messages.map((msg) =>
    ask('verify', pat(q), hex(msg), s.sign(key, q, msg, scalar())));
  for (const [i, msg] of messages.entries()) {
    const [sig] = await made[i];
    assert.equal(s.verify(q, msg, sig), true);
    assert.deepEqual(await judged[i], ['yes']);
    if (i > 0) continue;
    msg[0] ^= 1;
    assert.deepEqual(await ask('verify', pat(q), hex(msg), sig), ['no']);
    assert.equal(s.verify(q, msg, sig), false);
  }
}

async function compareScheme(n) {
  const [params, master] = await ask('setup', hex([SLOTS]), hex(draw()));
  const first = new Scheme(withMcl, params);
  first.msk = master.slice(66);
  const second = Scheme.setup(withMcl, SLOTS, draw(), scalar());
  assert.equal(master.slice(2, 66), hex(first.id));
  n = Math.ceil(n / (2 * EACH));
  for (let i = 0; i < n; i++) {
    if (i === n >> 1) await ask('load', second.params, second.master);
    const mine = i < n >> 1 ? first : second;
    const s = i % 60 === 0 ? mine.over(withNoble) : mine;
    await (i % 4 === 3 ? runSign : runEncaps)(s);
  }
  console.log(`${2 * EACH * n} ciphertexts and signatures, half of them ours: all open and verify`);
}

await comparePairings(RUNS);
await compareValues();
await compareScheme(RUNS);
ours.stdin.end();

// Skips instructions of the emulated microcontroller (skip.c), one at each address of the code that
// decides what is believed: node skip.js [OPTION...] BUILD
//
//   BUILD                a Cortex-M4 build in which the target skip was made
//   --part               only the functions that decide, not what they call
//   --only FUNCTION      only this one; inlined ones are known by the debug information
//   --attack NAME        only this attack: see ATTACKS below
//   --way NAME           only this way: always or once
//   --jobs N             so many emulators at a time (2)
//   --verbose            tell where the emulator itself gave up
//
// Instructions that an attack does not reach without a fault are not tried in it. Ends with 1 when a
// skip let something through; each is told.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync, spawn } = require('child_process');

const ATTACKS = ['install', 'boot', 'keys-forged', 'keys-stranger', 'keys-boot', 'stated-forged',
  'stated-older', 'stated-expired'];
const WAYS = ['always', 'once'];
const LIBRARIES = ['trust', 'crypto', 'device', 'store'];
const LIBC = ['memcmp', 'memcpy', 'strcmp', 'strlen'];
const DECIDES = `find_signer tried_before of_fleet sm_trust_verify_module verify_object verify_statement
  sm_ed25519_verify sm_compact_ed25519_verify compare sm_ct_equal memcmp
  sm_device_install_finish read_back verify image_good same sm_dev_open_slot sm_dev_check_keys sm_dev_trust
  sm_sha256 sm_sha256_final
  sm_device_keys_offer take load bytes_in is_root check_threshold check_strangers confirm proven accept
  sm_device_statement judge keep fits intact sm_device_time`.split(/\s+/);
const TABLE = 0x00300000;

function options(args) {
  const o = { jobs: 2 };
  for (; args.length && args[0].startsWith('--'); args.shift()) {
    const key = args[0].slice(2);
    if (key === 'part' || key === 'verbose') o[key] = true;
    else o[key] = args.splice(1, 1)[0];
  }
  [o.build] = args;
  return o;
}

const tool = (name, ...args) => execFileSync(`arm-none-eabi-${name}`, args, { encoding: 'utf8', maxBuffer: 1 << 28 });

// Of each address the functions that it is inlined from, and the one that it lies in.
function inlined(o, addresses) {
  const input = addresses.map((at) => at.toString(16)).join('\n');
  const text = execFileSync('arm-none-eabi-addr2line', ['-a', '-f', '-i', '-e', path.join(o.build, 'skip/skip.elf')],
    { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  return new Map(text.split(/^0x(?=[0-9a-f]{8}$)/m).slice(1).map((part) => {
    const lines = part.trimEnd().split('\n');
    return [parseInt(lines[0], 16), lines.slice(1).filter((_, i) => i % 2 === 0)];
  }));
}

// [{at, wide, where}] of every instruction of the functions chosen.
function instructions(o) {
  const archives = LIBRARIES.map((l) => path.join(o.build, 'src', l, `libsm_${l}.a`));
  const names = new Set([...LIBC, ...[...tool('nm', ...archives).matchAll(/^[0-9a-f]+ [tT] (\S+)$/gm)].map((m) => m[1])]);
  const found = [];
  let func = null, start = 0;
  for (const line of tool('objdump', '-d', path.join(o.build, 'skip/skip.elf')).split('\n')) {
    const head = /^([0-9a-f]+) <(.+)>:$/.exec(line);
    if (head) {
      func = names.has(head[2]) ? head[2] : null;
      start = parseInt(head[1], 16);
      continue;
    }
    const m = /^ +([0-9a-f]+):\t([0-9a-f]{4})( [0-9a-f]{4})? *\t([a-z]\S*)/.exec(line);
    if (!m || !func) continue;
    const at = parseInt(m[1], 16);
    found.push({ at, wide: Boolean(m[3]), func, where: `${func}+0x${(at - start).toString(16)}`, text: line.split('\t').slice(2).join(' ') });
  }
  return chosen(o, found);
}

// Those of the functions that are asked for, each of which must be there.
function chosen(o, found) {
  const wanted = o.only ? [o.only] : o.part ? DECIDES : null;
  if (!wanted) return found;
  const chain = inlined(o, found.map((x) => x.at));
  const missing = new Set(wanted);
  const list = found.filter((x) => {
    const of = [...(chain.get(x.at) || []), x.func.replace(/\..*$/, '')].filter((name) => wanted.includes(name));
    of.forEach((name) => missing.delete(name));
    return of.length > 0;
  });
  if (missing.size) throw new Error(`no such function: ${[...missing].join(', ')}`);
  return list;
}

function table(list, attack, way, first) {
  const out = Buffer.alloc(16 + 4 * list.length);
  [attack, way, first, list.length].forEach((v, i) => out.writeUInt32LE(v, 4 * i));
  list.forEach((x, i) => out.writeUInt32LE(x.at | (x.wide ? 1 : 0), 16 + 4 * i));
  return out;
}

// One emulator, until it ends: what it printed.
function emulate(o, file, more = []) {
  return new Promise((done) => {
    const child = spawn('qemu-system-arm', ['-M', 'mps2-an386', '-nographic', '-no-reboot', '-monitor', 'none', '-serial', 'stdio',
      '-semihosting-config', 'enable=on,target=native', '-icount', 'shift=5,sleep=off',
      '-kernel', path.join(o.build, 'skip/skip.elf'), '-device', `loader,file=${file},addr=${TABLE},force-raw=on`, ...more],
    { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '', seen = 0;
    child.stdout.on('data', (b) => { text += b; });
    const watch = setInterval(() => { if (text.length === seen) child.kill('SIGKILL'); seen = text.length; }, 10000);
    child.on('close', (status) => { clearInterval(watch); done({ text, status }); });
  });
}

// What the processor comes by in an attack without a fault.
async function reached(o, attack) {
  const file = path.join(os.tmpdir(), `skip-${process.pid}-${attack}`);
  fs.writeFileSync(file, table([], attack, 0, 0));
  const { text, status } = await emulate(o, file, ['-d', 'in_asm', '-D', `${file}.log`]);
  if (!/^done/m.test(text)) throw new Error(`the firmware ended with ${status}: ${text}`);
  const log = fs.readFileSync(`${file}.log`, 'utf8');
  [file, `${file}.log`].forEach((f) => fs.unlinkSync(f));
  return new Set([...log.matchAll(/^0x([0-9a-f]{8}): /gm)].map((m) => parseInt(m[1], 16)));
}

// A list of addresses; again behind the one at which the emulator itself was stopped.
async function campaign(o, list, attack, way) {
  const file = path.join(os.tmpdir(), `skip-${process.pid}-${list[0].at}-${attack}-${way}`);
  const result = { through: [], ends: [0, 0, 0], lockups: 0 };
  for (let first = 0; first < list.length;) {
    fs.writeFileSync(file, table(list, attack, way, first));
    const { text, status } = await emulate(o, file);
    result.through.push(...[...text.matchAll(/^through ([0-9a-f]+)$/gm)].map((m) => parseInt(m[1], 16)));
    const done = /^done (\d+) (\d+) (\d+)$/m.exec(text);
    if (done) {
      [1, 2, 3].forEach((i) => { result.ends[i - 1] += Number(done[i]); });
      break;
    }
    const at = [...text.matchAll(/^at (\d+)$/gm)].pop();
    if (!at) throw new Error(`the firmware ended with ${status}: ${text}`);
    if (o.verbose) console.log(`stopped: ${list[Number(at[1])].where}: ${text.split('\n').slice(-3)}`);
    result.lockups++;
    result.ends[0] += Number(at[1]) - first;
    first = Number(at[1]) + 1;
  }
  fs.unlinkSync(file);
  return result;
}

async function main() {
  const o = options(process.argv.slice(2));
  if (!o.build) process.exit(64);
  const list = instructions(o);
  if (!list.length) throw new Error('no instruction to skip: is there such a function?');
  const place = new Map(list.map((x) => [x.at, x]));
  const work = [];
  const size = 250;
  const attacks = ATTACKS.map((name, i) => i).filter((i) => !o.attack || ATTACKS[i] === o.attack);
  if (!attacks.length) throw new Error(`no such attack: ${o.attack}`);
  const ways = WAYS.map((name, i) => i).filter((i) => !o.way || WAYS[i] === o.way);
  if (!ways.length) throw new Error(`no such way: ${o.way}`);
  for (const attack of attacks) {
    const seen = await reached(o, attack);
    const mine = list.filter((x) => seen.has(x.at));
    for (let i = 0; i < mine.length; i += size)
      for (const way of ways) work.push([mine.slice(i, i + size), attack, way]);
  }
  let runs = 0, through = 0, stopped = 0;
  const worker = async () => {
    for (let w; (w = work.shift());) {
      const [part, attack, way] = w;
      const r = await campaign(o, part, attack, way);
      runs += part.length;
      stopped += r.ends[1] + r.ends[2] + r.lockups;
      for (const at of r.through) {
        const x = place.get(at);
        through++;
        console.log(`through: ${x.where} ${ATTACKS[attack]} ${WAYS[way]}: ${x.text}`);
      }
    }
  };
  await Promise.all(Array.from({ length: Number(o.jobs) }, worker));
  console.log(`${list.length} instructions, ${runs} skips: ${stopped} ended by a fault or the watchdog, ${through} let something through`);
  process.exit(through ? 1 : 0);
}

main().catch((e) => { console.error(e.message); process.exit(1); });

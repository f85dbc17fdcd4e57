// Skips instructions of the emulated microcontroller (skip.c), one at each address of the code that
// decides whether a module may run: node skip.js [OPTION...] BUILD
//
//   BUILD                a Cortex-M4 build in which the target skip was made
//   --part               only the functions that decide, not what they call
//   --only FUNCTION      only this one
//   --jobs N             so many emulators at a time (2)
//   --verbose            tell where the emulator itself gave up
//
// Ends with 1 when a skip let the module through; each is told.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync, spawn } = require('child_process');

const ATTACKS = ['install', 'boot'], WAYS = ['always', 'once'];
const LIBRARIES = ['trust', 'crypto', 'device', 'store'];
const LIBC = ['memcmp', 'memcpy', 'strcmp', 'strlen'];
const DECIDES = /^(find_signer|tried_before|of_fleet|sm_trust_verify_module|sm_ed25519_verify|sm_compact_ed25519_verify|compare|sm_ct_equal|memcmp|sm_device_install_finish|read_back|verify|matches|image_good|sm_dev_open_slot|sm_dev_check_keys|sm_dev_trust|sm_sha256|sm_sha256_final)$/;
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

// [{at, wide, where}] of every instruction of the functions chosen.
function instructions(o) {
  const archives = LIBRARIES.map((l) => path.join(o.build, 'src', l, `libsm_${l}.a`));
  const names = new Set([...LIBC, ...[...tool('nm', ...archives).matchAll(/^[0-9a-f]+ [tT] (\S+)$/gm)].map((m) => m[1])]);
  const found = [];
  let func = null, start = 0;
  for (const line of tool('objdump', '-d', path.join(o.build, 'skip/skip.elf')).split('\n')) {
    const head = /^([0-9a-f]+) <(.+)>:$/.exec(line);
    if (head) {
      const name = head[2].replace(/\.(part|constprop|isra)\..*$/, '');
      const wanted = o.only ? name === o.only : (names.has(head[2]) || names.has(name)) && (!o.part || DECIDES.test(name));
      func = wanted ? head[2] : null;
      start = parseInt(head[1], 16);
      continue;
    }
    const m = /^ +([0-9a-f]+):\t([0-9a-f]{4})( [0-9a-f]{4})? *\t([a-z]\S*)/.exec(line);
    if (!m || !func) continue;
    const at = parseInt(m[1], 16);
    found.push({ at, wide: Boolean(m[3]), where: `${func}+0x${(at - start).toString(16)}`, text: line.split('\t').slice(2).join(' ') });
  }
  return found;
}

function table(list, attack, way, first) {
  const out = Buffer.alloc(16 + 4 * list.length);
  [attack, way, first, list.length].forEach((v, i) => out.writeUInt32LE(v, 4 * i));
  list.forEach((x, i) => out.writeUInt32LE(x.at | (x.wide ? 1 : 0), 16 + 4 * i));
  return out;
}

// One emulator, until it ends: what it printed.
function emulate(o, file) {
  return new Promise((done) => {
    const child = spawn('qemu-system-arm', ['-M', 'mps2-an386', '-nographic', '-monitor', 'none', '-serial', 'stdio',
      '-semihosting-config', 'enable=on,target=native', '-icount', 'shift=5,sleep=off',
      '-kernel', path.join(o.build, 'skip/skip.elf'), '-device', `loader,file=${file},addr=${TABLE},force-raw=on`],
    { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '', seen = 0;
    child.stdout.on('data', (b) => { text += b; });
    const watch = setInterval(() => { if (text.length === seen) child.kill('SIGKILL'); seen = text.length; }, 10000);
    child.on('close', (status) => { clearInterval(watch); done({ text, status }); });
  });
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
  for (let i = 0; i < list.length; i += size)
    for (const attack of [0, 1])
      for (const way of [0, 1]) work.push([list.slice(i, i + size), attack, way]);
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
  console.log(`${list.length} instructions, ${runs} skips: ${stopped} ended by a fault or the watchdog, ${through} let the module through`);
  process.exit(through ? 1 : 0);
}

main().catch((e) => { console.error(e.message); process.exit(1); });

// The attack suite: node attacks.js [OPTION...]; doc/attacks.md has the options and the protocol.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync } = require('child_process');
const { World, Skipped } = require('./world');
const { FleetWorld } = require('./fleet_world');

const GROUPS = ['module', 'manifest', 'transport', 'keys', 'order', 'native', 'plugin', 'set', 'fleet'];

function usage(status) {
  console.log('usage: node attacks.js [--device PROGRAM] [--only TEXT] [--jobs N] [--verbose] [--list] [--check] [--write]');
  process.exit(status);
}

function options(args) {
  const o = { device: path.join(__dirname, 'sandmoted'), only: '', jobs: 8 };
  while (args.length) {
    const key = args.shift().replace(/^--/, '');
    if (['list', 'verbose', 'check', 'write'].includes(key)) o[key] = true;
    else if (key === 'help') usage(0);
    else if (!['device', 'only', 'jobs'].includes(key) || !args.length) usage(64);
    else o[key] = args.shift();
  }
  return o;
}

// [{name, rows, options, attack, group}]
function allCases() {
  const cases = [];
  for (const group of GROUPS)
    for (const [name, rows, ...rest] of require(`./cases_${group}.js`))
      cases.push({ group, name, rows, options: rest.length > 1 ? rest[0] : {}, attack: rest.at(-1) });
  return cases;
}

// ---- The page that says what each threat is met with --------------------------------------------

const PAGE = path.join(__dirname, '../../doc/threats.md');
const CASES = '## The cases\n';

function caseList(cases) {
  const rows = [...new Set(cases.flatMap((c) => c.rows))].sort((a, b) => a - b);
  return rows.map((row) => `\n${row}:\n\n${cases.filter((c) => c.rows.includes(row))
    .map((c) => `- ${c.group}: ${c.name}\n`).join('')}`).join('');
}

// The gateway's tests that the page speaks of, as functions of test/gateway.
function missingTests(page) {
  const dir = path.join(__dirname, '../gateway');
  const tests = fs.readdirSync(dir).filter((f) => /^test_.*\.c$/.test(f))
    .map((f) => fs.readFileSync(path.join(dir, f), 'utf8')).join('');
  const [, section] = page.split('## The gateway\n');
  return [...section.split(CASES)[0].matchAll(/`([a-z0-9_]{16,})`/g)].map((m) => m[1])
    .filter((name) => !tests.includes(`cmocka_unit_test(${name})`) && !tests.includes(`${name}),`))
    .map((name) => `no test ${name} in test/gateway`);
}

// What is wrong in the page: a case that it lacks, a row with neither a case nor a gap that it tells.
function wrongInPage(cases) {
  const page = fs.readFileSync(PAGE, 'utf8');
  const [table, list] = page.split(CASES);
  const rows = [...table.matchAll(/^\| (\d+) \|.*\| ([^|]*) \|$/gm)].map((m) => [Number(m[1]), m[2]]);
  const names = cases.map((c) => c.name);
  return [
    ...(list === caseList(cases) ? [] : ['its list of cases is another: attacks.js --write']),
    ...names.filter((n, i) => names.indexOf(n) !== i).map((n) => `twice: ${n}`),
    ...cases.flatMap((c) => c.rows).filter((r) => !rows.some(([row]) => row === r)).map((r) => `no row ${r}`),
    ...rows.filter(([row, left]) => !cases.some((c) => c.rows.includes(row)) && !/^(Gap|Not here):/.test(left))
      .map(([row]) => `row ${row} has neither a case nor a gap`),
    ...missingTests(page),
  ];
}

function checkPage(cases) {
  const wrong = wrongInPage(cases);
  wrong.forEach((w) => console.log(`doc/threats.md: ${w}`));
  console.log(`${cases.length} cases, ${wrong.length} faults in doc/threats.md`);
  process.exit(wrong.length ? 1 : 0);
}

function writePage(cases) {
  const [table] = fs.readFileSync(PAGE, 'utf8').split(CASES);
  fs.writeFileSync(PAGE, table + CASES + caseList(cases));
}

// ---- The run ------------------------------------------------------------------------------------

// Certificates: of the fleet's authority, and of others.
function makeTls(dir) {
  const script = path.join(__dirname, '../../demo/certificates.sh');
  const make = (name, ...hosts) => {
    execFileSync('sh', [script, path.join(dir, name), ...hosts]);
    const read = (f) => fs.readFileSync(path.join(dir, name, f));
    return { ca: read('ca.pem'), server: { cert: read('server.pem'), key: read('server.key') } };
  };
  const own = make('tls', '127.0.0.1'), other = make('tls-other', '127.0.0.1');
  return { dir: path.join(dir, 'tls'), ca: own.ca, server: own.server, other };
}

async function one(run, c, number) {
  const folder = path.join(run.dir, String(number));
  fs.mkdirSync(folder);
  const w = new (c.group === 'fleet' ? FleetWorld : World)(run, folder, c.options);
  const began = Date.now();
  const result = { name: c.name, group: c.group };
  try {
    await w.begin();
    await c.attack(w);
  } catch (e) {
    if (e instanceof Skipped) result.skipped = e.message;
    else Object.assign(result, { failed: e.message, log: w.log, stack: e.stack });
  }
  result.told = w.server.events.filter((e) => e.detail).map((e) => `${e.event} ${e.module}: ${e.detail}`);
  await w.end().catch((e) => { result.failed = result.failed || e.message; });
  result.ms = Date.now() - began;
  return result;
}

function tell(r, verbose) {
  const how = r.failed ? 'FAILED' : r.skipped ? 'skipped' : 'ok';
  console.log(`${how.padEnd(8)}${r.group.padEnd(10)} ${r.name} (${r.ms} ms)${r.skipped ? `: ${r.skipped}` : ''}`);
  if (verbose) r.told.forEach((line) => console.log(`    ${line}`));
  if (!r.failed) return;
  const log = r.log.split('\n').filter((line) => !/\] app \d+$|lines dropped\)$/.test(line)).join('\n    ');
  console.log(`  ${r.stack}\n  the device's log, without the modules' lines:\n    ${log.slice(-8000)}`);
}

// Whatever ends the suite, no device is left running.
function endWith(devices) {
  process.on('exit', () => devices.forEach((d) => d.gone || d.kill('SIGKILL')));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
}

async function main() {
  const opt = options(process.argv.slice(2));
  const cases = allCases();
  if (opt.check) checkPage(cases);
  if (opt.write) return writePage(cases);
  const chosen = cases.filter((c) => `${c.group} ${c.name}`.includes(opt.only));
  if (opt.list) return chosen.forEach((c) => console.log(`${c.group}\t${c.rows.join(',')}\t${c.name}`));
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sandmote-attacks-'));
  const run = { wrapper: path.resolve(opt.device), dir, tls: makeTls(dir), devices: new Set() };
  endWith(run.devices);
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < chosen.length) {
      const number = next++;
      const r = await one(run, chosen[number], number);
      tell(r, opt.verbose);
      results.push(r);
    }
  };
  await Promise.all(Array.from({ length: Number(opt.jobs) }, worker));
  fs.rmSync(dir, { recursive: true });
  const failed = results.filter((r) => r.failed).length, skipped = results.filter((r) => r.skipped).length;
  console.log(`${results.length} attacks: ${results.length - failed - skipped} withstood, ${failed} failed, ${skipped} skipped`);
  process.exit(failed || !results.length ? 1 : 0);
}

main();

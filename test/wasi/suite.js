// The public wasi-testsuite, its preview 1 part, through `sandmote run`.
//
//   suite.js SANDMOTE FOLDER [NAME...]
//
// FOLDER is a checkout with the modules built (branch prod/testsuite-base). A test is a module and,
// beside it, a specification: arguments, environment, a root directory, what it prints and how it
// ends. Each gets a fresh copy of its root. Prints what failed, then one line with the counts.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawnSync } = require('child_process');

const [sandmote, data, ...only] = process.argv.slice(2);
const languages = ['c', 'rust', 'assemblyscript'];

function specification(module) {
  const file = module.replace(/\.wasm$/, '.json');
  const given = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
  return { args: [], env: {}, exit_code: 0, ...given };
}

// What is wrong with how a module ran, or null.
function run(module, work) {
  const spec = specification(module);
  const options = ['--epoch-ms', '60000'];
  if (spec.root) {
    const root = path.join(work, path.basename(module));
    fs.cpSync(path.join(path.dirname(module), spec.root), root, { recursive: true });
    fs.chmodSync(root, 0o755);
    options.push('--dir', `/=${root}`);
  }
  for (const [name, value] of Object.entries(spec.env)) options.push('--env', `${name}=${value}`);
  const ran = spawnSync(sandmote, ['run', ...options, module, ...spec.args],
    { encoding: 'utf8', timeout: 60000 });
  if (ran.status !== spec.exit_code) return `ended with ${ran.status}: ${ran.stderr}`;
  for (const stream of ['stdout', 'stderr'])
    if (stream in spec && ran[stream] !== spec[stream]) return `${stream} is ${ran[stream]}`;
  return null;
}

function main() {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'sandmote-wasi-'));
  const counts = [];
  let failed = 0;
  for (const language of languages) {
    const folder = path.join(data, 'tests', language, 'testsuite', 'wasm32-wasip1');
    const modules = fs.existsSync(folder)
      ? fs.readdirSync(folder).filter((f) => f.endsWith('.wasm')).sort() : [];
    let passed = 0;
    for (const name of modules) {
      if (only.length && !only.includes(name.replace(/\.wasm$/, ''))) continue;
      const wrong = run(path.join(folder, name), work);
      if (wrong === null) passed++;
      else {
        failed++;
        console.log(`${language} ${name}: ${wrong}`);
      }
    }
    counts.push(`${passed} of ${modules.length} in ${language}`);
  }
  fs.rmSync(work, { recursive: true });
  console.log(`wasi-testsuite: ${counts.join(', ')} pass`);
  return failed === 0 ? 0 : 1;
}

process.exit(main());

// Writes a header with a signed module, its signature and the signer's key: node module.js FILE
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const o = require('../../attacks/objects');

const key = o.newKey();
const r = o.release(key, { version: 1, mark: 'a good line', manifest: { 8: [0] } });
const bytes = (name, b) => `static const unsigned char ${name}[${b.length}] = {${[...b].join(',')}};\n`;
fs.writeFileSync(process.argv[2], bytes('skip_module', r.bytes) + bytes('skip_signature', r.sig) +
  bytes('skip_key', key.raw));
